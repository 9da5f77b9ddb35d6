package terminal

import (
	"fmt"
	"strings"

	"touchstone/iso8583"
	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
)

// request is one message to be built; docs/protocol/unionpay-pos.md, sections 2, 3 and 5. A zero field
// is an element that is left out, but for the trace, which every message has.
type request struct {
	operation string
	mti       pos.MTI
	code      pos.TransactionCode // DE60.1
	network   pos.NetworkCode     // DE60.3
	batch     pos.BatchNo
	trace     pos.STAN
	financial bool // DE3, DE25, DE60 in full, and a MAC

	processing pos.ProcessingCode
	amount     pos.Amount
	entry      uint16 // DE22
	pan        pos.PAN
	card       Card
	serial     bool   // DE59 A2, and A5 where the place is known
	factor     string // of A2; "" is the end of the card number
	maced      bool   // a MAC on a message that is not financial

	rrn, auth, reason string
	settlement        *iso8583.Settlement
	original          *iso8583.DE61
	de62, de63        []byte

	twist twist // how it misbehaves; zero: not
}

// Entry modes, DE22: the way the card was read, and 1 with a PIN or 2 without; section 2.1.
const (
	typedMode = 10
	swipeMode = 20
)

// entryMode is DE22 of a card.
func entryMode(c Card) uint16 {
	mode := uint16(typedMode)
	if c.Track2.Len() > 0 {
		mode = swipeMode
	}
	if c.PIN.Len() > 0 {
		return mode + 1
	}
	return mode + 2
}

// build packs r into t.out, with the misbehaviour of t.twist, and lends the frame.
func (t *Terminal) build(r *request) ([]byte, error) {
	t.twist = r.twist
	b := t.builder
	b.Begin(t.out, t.cfg.Envelope, r.mti)
	if r.pan.Len() > 0 {
		b.PutPAN(r.pan)
	}
	if r.financial {
		b.PutNumber(3, uint64(r.processing))
		switch {
		case t.twist.zeroAmount:
			b.PutNumber(4, 0)
		case r.amount > 0 && !t.twist.noAmount:
			b.PutNumber(4, uint64(r.amount))
		}
	}
	b.PutNumber(11, uint64(r.trace))
	pinned := r.card.PIN.Len() > 0
	if r.card.Track2.Len() == 0 && r.card.Expiry != 0 {
		b.PutNumber(14, uint64(r.card.Expiry))
	}
	if r.financial {
		b.PutNumber(22, uint64(r.entry))
		b.PutNumber(25, 0)
	}
	if pinned {
		b.PutNumber(26, iso8583.MaxPIN)
	}
	if err := t.putTrack(r); err != nil {
		return nil, err
	}
	putText(b, 37, r.rrn)
	putText(b, 38, r.auth)
	putText(b, 39, r.reason)
	terminal := t.twist.terminalID(t.cfg.Terminal)
	b.PutText(41, terminal[:])
	merchant := t.twist.merchantID(t.cfg.Merchant)
	b.PutText(42, merchant[:])
	if err := t.putTail(r, pinned); err != nil {
		return nil, err
	}
	if !r.financial && !r.maced {
		return b.Frame()
	}
	frame, err := t.authenticate(r)
	if err == nil && t.twist.spoil != nil {
		frame = t.twist.spoil(frame)
	}
	return frame, err
}

func putText(b iso8583.Builder, n int, text string) {
	if text != "" {
		b.PutText(n, []byte(text))
	}
}

// putTrack packs DE35, sealed under the track key where the terminal is told to; section 5.3.
func (t *Terminal) putTrack(r *request) (err error) {
	r.card.Track2.Use(func(track []byte) {
		if len(track) == 0 {
			return
		}
		if _, err = iso8583.ParseTrack2(track); err != nil {
			err = fmt.Errorf("%w: track 2", ErrCard)
			return
		}
		if !t.cfg.SealTrack {
			t.builder.PutDigits(35, track)
			return
		}
		packed := packTrack(track)
		defer clear(packed)
		if err = paycrypto.EncryptTrack(t.twist.tdk(t.keys.tdk), packed); err != nil {
			err = fmt.Errorf("%w: track 2 shorter than one block", ErrCard)
			return
		}
		t.builder.PutPacked(35, len(track), packed)
	})
	return err
}

// packTrack is a checked track as nibbles, the separator D, an odd number filled up with 0.
func packTrack(track []byte) []byte {
	packed := make([]byte, (len(track)+1)/2)
	for i, c := range track {
		n := byte(0xD)
		if c >= '0' && c <= '9' {
			n = c - '0'
		}
		packed[i/2] |= n << (4 * (1 - i%2))
	}
	return packed
}

// putTail packs DE48 to DE63.
func (t *Terminal) putTail(r *request, pinned bool) error {
	b := t.builder
	if r.settlement != nil {
		digits, err := iso8583.AppendSettlement(nil, *r.settlement)
		if err != nil {
			return err
		}
		b.PutDigits(48, digits)
	}
	if r.financial || r.settlement != nil {
		currency := t.twist.money(t.cfg.Currency)
		b.PutText(49, currency[:])
	}
	block, err := t.putPIN(r, pinned)
	if err != nil {
		return err
	}
	if err := t.put59(r, block); err != nil {
		return err
	}
	if err := t.put60(r); err != nil {
		return err
	}
	if r.original != nil {
		digits, err := iso8583.AppendDE61(nil, *r.original)
		if err != nil {
			return err
		}
		b.PutDigits(61, digits)
	}
	if len(r.de62) > 0 {
		b.PutRaw(62, r.de62)
	}
	if len(r.de63) > 0 {
		b.PutText(63, r.de63)
	}
	return nil
}

// putPIN packs DE52 and DE53. Under SM4 DE52 is zero and the block, returned, goes to tag A1; then
// DE53 is there without a PIN too. docs/protocol/unionpay-pos.md, sections 5.1 and 5.2.
func (t *Terminal) putPIN(r *request, pinned bool) (a1 []byte, err error) {
	if !r.financial {
		return nil, nil
	}
	algorithm := t.cfg.SignInCode.Algorithm()
	s := iso8583.Security{Algorithm: t.twist.algorithm53(digit53(algorithm)), TracksEncrypted: t.cfg.SealTrack && r.card.Track2.Len() > 0}
	if pinned {
		s.Format = iso8583.PINWithPAN
		t.showPIN()
		block, err := pinBlock(t.twist.pik(t.keys.pik), r.card)
		if t.twist.pinBlock != nil {
			block, err = t.twist.pinBlock(t, r.card)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: PIN", ErrCard)
		}
		if algorithm == paycrypto.SM4 {
			t.builder.PutRaw(52, make([]byte, 8))
			a1 = block
		} else {
			t.builder.PutRaw(52, block)
		}
	}
	if !pinned && !s.TracksEncrypted && algorithm != paycrypto.SM4 {
		return nil, nil
	}
	digits, err := iso8583.AppendDE53(nil, s)
	if err != nil {
		return nil, err
	}
	t.builder.PutDigits(53, digits)
	return a1, nil
}

// digit53 is digit 2 of DE53.
func digit53(a paycrypto.Algorithm) iso8583.PINAlgorithm {
	switch a {
	case paycrypto.TDES:
		return iso8583.TripleDES
	case paycrypto.SM4:
		return iso8583.SM4
	}
	return iso8583.SingleDES
}

// put59 packs DE59: A1 under SM4, A2 and A5 where the message carries them; section 6.1.
func (t *Terminal) put59(r *request, a1 []byte) (err error) {
	var de59 []byte
	if a1 != nil {
		if de59, err = iso8583.AppendTag(de59, "A1", a1); err != nil {
			return err
		}
	}
	if r.serial && t.cfg.Serial != "" {
		if de59, err = t.appendA2(de59, r); err != nil {
			return err
		}
	}
	if l := t.twist.location(t.cfg.Location); r.serial && r.financial && l != nil {
		de59, err = iso8583.AppendA5(de59, iso8583.A5{Longitude: []byte(l.Longitude), Latitude: []byte(l.Latitude), System: []byte(l.System)})
		if err != nil {
			return fmt.Errorf("%w: location: %w", ErrConfig, err)
		}
	}
	if len(de59) > 0 {
		t.builder.PutText(59, de59)
	}
	return nil
}

// factorDigits is the length of the encryption random factor, sub-tag 03 of A2.
const factorDigits = 6

// appendA2 appends the serial-number authentication: with factor and ciphertext when there is a
// serial-number key; docs/protocol/unionpay-pos.md, sections 6.1, 6.4 and 9A.22.
func (t *Terminal) appendA2(dst []byte, r *request) ([]byte, error) {
	serial := t.twist.serialNumber(t.cfg.Serial)
	version := t.twist.version(t.Version())
	version += strings.Repeat(" ", appVersionSize-len(version))
	v := iso8583.A2Values{
		iso8583.A2DeviceType: []byte(t.cfg.DeviceType), iso8583.A2Serial: []byte(serial), iso8583.A2Version: []byte(version),
	}
	if t.serialKey != nil && !t.twist.strip {
		factor := []byte(r.factor)
		if r.factor == "" {
			pan := r.card.PAN
			pan.Use(func(digits []byte) {
				if len(digits) >= factorDigits {
					factor = append(factor, digits[len(digits)-factorDigits:]...)
				}
			})
		}
		if len(factor) != factorDigits {
			return nil, fmt.Errorf("%w: no card number for the serial's factor", ErrCard)
		}
		defer clear(factor)
		t.twist.spoilFactor(factor)
		ciphertext := mac.SerialCiphertext(t.serialKey, serial, factor)
		t.twist.spoilCipher(&ciphertext)
		v[iso8583.A2Factor], v[iso8583.A2Cipher] = factor, ciphertext[:]
	}
	if t.twist.a2 != nil {
		if err := t.twist.a2(t, &v); err != nil {
			return nil, err
		}
	}
	return iso8583.AppendA2(dst, v)
}

// put60 packs DE60: 11 digits in management, 14 in financial messages, where 60.4 is 5 (stripe and
// contact chip), 60.5 is 0 and 60.6 is 0 (no partial approval); section 2.2.
func (t *Terminal) put60(r *request) error {
	x := iso8583.DE60{Code: r.code, Batch: t.twist.batch(r.batch), Network: r.network, Digits: iso8583.ManagementDigits}
	if r.financial {
		x.Reading, x.Digits = 5, 14
	}
	digits, err := iso8583.AppendDE60(nil, x)
	if err != nil {
		return err
	}
	t.builder.PutDigits(60, digits)
	return nil
}

// authenticate sets DE64 over MTI to DE63, bit 64 set; section 4.1.
func (t *Terminal) authenticate(r *request) ([]byte, error) {
	b := t.builder
	if t.twist.noMAC {
		return b.Frame()
	}
	b.ReserveMAC()
	mab := b.MAB()
	if mab == nil {
		return b.Frame() // which says why
	}
	de64 := t.twist.mak(t.keys.mak).Sum8(mab)
	if seal := t.twist.sealOr(t.habit); seal != nil {
		var err error
		if de64, err = seal(t, mab); err != nil {
			return nil, err
		}
	}
	t.twist.spoilMAC(&de64)
	b.SetMAC(de64)
	if t.twist.raise != 0 {
		t.twist.raiseAmount(mab, r.amount)
	}
	return b.Frame()
}
