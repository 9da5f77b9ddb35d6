package soft

import (
	"bytes"
	"context"
	"crypto/subtle"

	"touchstone/issuer"
	"touchstone/keys"
	"touchstone/paycrypto/pinblock"
	"touchstone/pos"
	"touchstone/secret"
)

// VerifyPIN deciphers a PIN block under the PIK of the set and compares the PIN's verification value
// with the card's; see issuer.Vault. A block that is not exactly what its form, key and card number make
// it is issuer.PINUnreadable; a sealed module, no set or one that does not open is
// issuer.PINUnavailable.
func (m *Module) VerifyPIN(q *issuer.PINQuestion) issuer.PINResult {
	s, leave := m.enter(q.Terminal[len(q.Terminal)-1])
	if s == nil {
		return issuer.PINUnavailable
	}
	defer leave.RUnlock()
	if q.Set == nil || q.Set.Number == 0 {
		return issuer.PINUnavailable
	}
	e, err := s.set(&q.Terminal, q.Set, anyMAC)
	if err != nil {
		return issuer.PINUnavailable
	}
	defer e.release()
	h := s.pin.borrow()
	defer s.pin.giveBack(h)
	result := issuer.PINUnreadable
	q.PAN.Use(func(pan []byte) {
		n, err := pinblock.Decipher(&h.pin, e.pik, formatOf(q.Form), q.Block, pan)
		if err != nil || len(pan) == 0 {
			return
		}
		value := h.verifier(pan, h.pin[:n])
		set := subtle.ConstantTimeCompare(q.Verifier[:], make([]byte, len(q.Verifier))) ^ 1
		result = issuer.PINWrong
		if subtle.ConstantTimeCompare(value[:], q.Verifier[:])&set == 1 {
			result = issuer.PINRight
		}
	})
	return result
}

// formatOf is the block's format; an unknown form has none and reads nothing.
func formatOf(f issuer.PINForm) pinblock.Format {
	switch f {
	case issuer.PINFormat0:
		return pinblock.ISO0
	case issuer.PINWithoutPAN:
		return pinblock.NoPAN
	case issuer.PINSM4:
		return pinblock.SM4PAN1
	}
	return 0
}

// verifier is the verification value of a PIN: the first 16 bytes of HMAC-SHA-256 over the digits of
// the card number, a zero byte and the digits of the PIN, all ASCII.
func (h *state) verifier(pan, pin []byte) [digestBytes]byte {
	n := copy(h.in[:], pan)
	h.in[n] = 0
	n++
	n += copy(h.in[n:], pin)
	return h.of(h.in[:n])
}

// MakePIN is the verification value of a new PIN; see issuer.Vault. It is SetPIN without a birth date or a PIN before.
func (m *Module) MakePIN(ctx context.Context, pan pos.PAN, pin secret.Bytes) (verifier [16]byte, err error) {
	verifier, _, err = m.SetPIN(ctx, &issuer.PINChange{PAN: pan, PIN: pin})
	return verifier, err
}

// SetPIN is the verification value of a card's new PIN, and the values it may not have from now on: those of the
// birth date where one is given, else the ones it had. issuer.ErrTrivialPIN refuses one digit repeated, a run up or
// down by one, digits that stand in a row in the card number, the birth date in a usual form, and the PIN before.
// The last two are compared as keyed values in constant time, all of them whatever the first says. Other errors
// are issuer.ErrPIN, issuer.ErrBirthDate, pos.ErrPAN, keys.ErrSealed and that of ctx.
func (m *Module) SetPIN(ctx context.Context, c *issuer.PINChange) (verifier [16]byte, refused issuer.PINValues, err error) {
	if err := ctx.Err(); err != nil {
		return verifier, "", err
	}
	s, leave := m.enter(0)
	if s == nil {
		return verifier, "", keys.ErrSealed
	}
	defer leave.RUnlock()
	h := s.pin.borrow()
	defer s.pin.giveBack(h)
	c.PAN.Use(func(card []byte) {
		c.PIN.Use(func(digits []byte) {
			if refused, err = h.refusals(card, c); err != nil {
				return
			}
			switch {
			case !isPIN(digits):
				err = issuer.ErrPIN
			case len(card) == 0:
				err = pos.ErrPAN
			case trivial(digits, card):
				err = issuer.ErrTrivialPIN
			default:
				verifier, err = h.setPIN(card, digits, c.Former, refused)
			}
		})
	})
	if err != nil {
		return [16]byte{}, "", err
	}
	return verifier, refused, nil
}

// setPIN makes the value of a PIN unless it is one of those it may not be.
func (h *state) setPIN(card, digits []byte, former [16]byte, refused issuer.PINValues) ([16]byte, error) {
	value := h.verifier(card, digits)
	same := subtle.ConstantTimeCompare(value[:], former[:])
	for i := 0; i+len(value) <= len(refused); i += len(value) {
		same |= subtle.ConstantTimeCompare(value[:], []byte(refused[i:i+len(value)]))
	}
	if same == 1 {
		return [16]byte{}, issuer.ErrTrivialPIN
	}
	return value, nil
}

// birthForms are the usual forms of a birth date as PINs: places of Y, y (the year's last two), M and D.
var birthForms = [...]string{"MMDD", "DDMM", "YYYY", "yyMM", "MMyy", "yyMMDD", "DDMMyy", "MMDDyy", "YYYYMM", "MMYYYY", "YYYYMMDD", "DDMMYYYY", "MMDDYYYY"}

// refusals are the values of a birth date's forms, or those the card has where no date is given.
func (h *state) refusals(card []byte, c *issuer.PINChange) (refused issuer.PINValues, err error) {
	if c.Birth.Len() == 0 {
		return c.Refused, nil
	}
	c.Birth.Use(func(date []byte) {
		if !isBirth(date) {
			err = issuer.ErrBirthDate
			return
		}
		values := make([]byte, 0, len(birthForms)*digestBytes)
		for _, form := range birthForms {
			var pin [pinblock.MaxPIN]byte
			n := 0
			for i := 0; i < len(form); {
				part := form[i : i+2]
				if part == "YY" && i+4 <= len(form) && form[i:i+4] == "YYYY" {
					n += copy(pin[n:], date[:4])
					i += 4
					continue
				}
				n += copy(pin[n:], map[string][]byte{"yy": date[2:4], "MM": date[4:6], "DD": date[6:8]}[part])
				i += 2
			}
			value := h.verifier(card, pin[:n])
			clear(pin[:])
			values = append(values, value[:]...)
		}
		refused = issuer.PINValues(values)
	})
	return refused, err
}

// isBirth tells whether b is YYYYMMDD of a month and a day that exist.
func isBirth(b []byte) bool {
	if len(b) != 8 {
		return false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	month, day := int(b[4]-'0')*10+int(b[5]-'0'), int(b[6]-'0')*10+int(b[7]-'0')
	return month >= 1 && month <= 12 && day >= 1 && day <= 31
}

// isPIN tells whether b is 4 to 12 ASCII digits.
func isPIN(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) >= pinblock.MinPIN && len(b) <= pinblock.MaxPIN
}

// trivial tells whether every digit follows the one before by the same step of 0, 1 or -1, or the digits
// stand in a row in the card number.
func trivial(pin, card []byte) bool {
	step := int(pin[1]) - int(pin[0])
	even := step >= -1 && step <= 1
	for i := 2; i < len(pin); i++ {
		even = even && int(pin[i])-int(pin[i-1]) == step
	}
	return even || bytes.Contains(card, pin)
}
