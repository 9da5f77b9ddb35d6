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

// MakePIN is the verification value of a new PIN; see issuer.Vault. issuer.ErrTrivialPIN refuses one
// digit repeated, a run up or down by one, and the last digits of the card number. Other errors are
// issuer.ErrPIN, pos.ErrPAN, keys.ErrSealed and that of ctx.
func (m *Module) MakePIN(ctx context.Context, pan pos.PAN, pin secret.Bytes) (verifier [16]byte, err error) {
	if err := ctx.Err(); err != nil {
		return verifier, err
	}
	s, leave := m.enter(0)
	if s == nil {
		return verifier, keys.ErrSealed
	}
	defer leave.RUnlock()
	h := s.pin.borrow()
	defer s.pin.giveBack(h)
	pan.Use(func(card []byte) {
		pin.Use(func(digits []byte) {
			switch {
			case !isPIN(digits):
				err = issuer.ErrPIN
			case len(card) == 0:
				err = pos.ErrPAN
			case trivial(digits, card):
				err = issuer.ErrTrivialPIN
			default:
				verifier = h.verifier(card, digits)
			}
		})
	})
	return verifier, err
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

// trivial tells whether every digit follows the one before by the same step of 0, 1 or -1, or the PIN
// is the end of the card number.
func trivial(pin, card []byte) bool {
	step := int(pin[1]) - int(pin[0])
	even := step >= -1 && step <= 1
	for i := 2; i < len(pin); i++ {
		even = even && int(pin[i])-int(pin[i-1]) == step
	}
	return even || bytes.HasSuffix(card, pin)
}
