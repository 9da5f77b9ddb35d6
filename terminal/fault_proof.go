package terminal

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"touchstone/iso8583"
	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
	"touchstone/paycrypto/pinblock"
	"touchstone/pos"
)

// serialFaults are those of DE59 A2.
var serialFaults = []FaultRow{
	{Fault: OtherSerial, Group: GroupSerial, What: "A2 of another device", DE39: "97", Reason: "serial_mismatch", Needs: []Need{NeedSerialKey}, do: asSale(twist{other: true})},
	{Fault: CiphertextStripped, Group: GroupSerial, What: "A2 without factor and ciphertext", DE39: "A7", Reason: "serial_missing", Needs: []Need{NeedSerialKey}, do: asSale(twist{strip: true})},
	serialProof(WrongSerialCipher, "one character of the ciphertext is another", unproven, unproven, unproven, asSale(twist{wrongTUSN: true})),
	serialProof("serial-random-cipher", "the ciphertext is random characters", unproven, unproven, unproven, asSale(twist{a2: func(t *Terminal, v *iso8583.A2Values) error {
		c, err := randomMAC(t, nil)
		v[iso8583.A2Cipher] = c[:]
		return err
	}})),
	serialProof("serial-zero-key", "the ciphertext is made under a key of zeros", unproven, unproven, unproven, asSale(twist{a2: func(_ *Terminal, v *iso8583.A2Values) error {
		return cipherUnder(v, make([]byte, serialKeySize), v[iso8583.A2Serial], v[iso8583.A2Factor])
	}})),
	serialProof("serial-other-device", "the second terminal's device under this serial number", "serial_other_device_key", indicated, proven, otherDevice, NeedSecond),
	serialProof("serial-factor-first", "factor and serial number in the other order", "serial_other_form", proven, proven, asSale(twist{a2: func(t *Terminal, v *iso8583.A2Values) error {
		return t.cipherOver(v, v[iso8583.A2Factor], v[iso8583.A2Serial])
	}})),
	serialProof("serial-lower-case", "the ciphertext is in lower case", "serial_other_form", proven, proven, untilLetters(func(letters *bool) twist {
		return twist{a2: func(_ *Terminal, v *iso8583.A2Values) error {
			lower := bytes.ToLower(v[iso8583.A2Cipher])
			*letters = !bytes.Equal(lower, v[iso8583.A2Cipher])
			v[iso8583.A2Cipher] = lower
			return nil
		}}
	})),
	{Fault: "serial-without-check-digit", Group: GroupSerial, What: "the factor is the six digits before the check digit", DE39: "A7", Reason: "serial_factor_mismatch",
		Cause: "serial_other_factor", First: indicated, Second: proven, Needs: []Need{NeedSerialKey}, do: beforeCheckDigit},
	{Fault: "serial-previous-card", Group: GroupSerial, What: "factor and ciphertext of the card before", DE39: "A7", Reason: "serial_factor_mismatch",
		Cause: "serial_other_factor", First: indicated, Second: proven, Needs: []Need{NeedSerialKey}, do: previousCard},
	{Fault: "device-type", Group: GroupSerial, What: "another device type in A2", DE39: "A7", Reason: "device_type_mismatch", Needs: []Need{NeedSerialKey}, do: asSale(twist{a2: func(_ *Terminal, v *iso8583.A2Values) error {
		v[iso8583.A2DeviceType] = []byte("09")
		return nil
	}})},
	{Fault: "application-unknown", Group: GroupSerial, What: "an application version that nobody released", DE39: "A7", Reason: "app_version_unknown", Needs: []Need{NeedSerialKey}, do: asSale(twist{app: "0.0.none"})},
}

func serialProof(f Fault, what, cause, first, second string, do action, needs ...Need) FaultRow {
	return FaultRow{Fault: f, Group: GroupSerial, What: what, DE39: "A7", Reason: "serial_proof_failed", Cause: cause, First: first, Second: second,
		Needs: append([]Need{NeedSerialKey}, needs...), do: do}
}

// cipherOver makes the ciphertext of two texts under the terminal's own serial-number key.
func (t *Terminal) cipherOver(v *iso8583.A2Values, first, then []byte) error {
	c := mac.SerialCiphertext(t.serialKey, first, then)
	v[iso8583.A2Cipher] = c[:]
	return nil
}

func cipherUnder(v *iso8583.A2Values, key, serial, factor []byte) error {
	k, err := mac.New(mac.UnionPayECBSM4, 0, key)
	if err != nil {
		return err
	}
	defer k.Wipe()
	c := mac.SerialCiphertext(k, serial, factor)
	v[iso8583.A2Cipher] = c[:]
	return nil
}

// otherDevice is this terminal with the second one's device in it: its serial-number key, our serial number.
func otherDevice(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
	other, err := t.cfg.Other()
	if err != nil {
		return Result{}, err
	}
	defer other.SerialKey.Wipe()
	defer other.TMK.Wipe()
	return t.twisted(ctx, twist{a2: func(_ *Terminal, v *iso8583.A2Values) (err error) {
		other.SerialKey.Use(func(key []byte) { err = cipherUnder(v, key, v[iso8583.A2Serial], v[iso8583.A2Factor]) })
		return err
	}}, card, amount)
}

func beforeCheckDigit(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
	return t.twisted(ctx, twist{a2: func(t *Terminal, v *iso8583.A2Values) error {
		var factor []byte
		card.PAN.Use(func(digits []byte) { factor = bytes.Clone(digits[len(digits)-1-factorDigits : len(digits)-1]) })
		v[iso8583.A2Factor] = factor
		return t.cipherOver(v, v[iso8583.A2Serial], factor)
	}}, card, amount)
}

// previousCard sells with a card whose number ends otherwise, is told what it is told, and keeps its factor.
func previousCard(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
	var factor []byte
	before, err := otherNumber(card)
	if err != nil {
		return Result{}, err
	}
	defer before.PAN.Clear()
	keep := twist{a2: func(_ *Terminal, v *iso8583.A2Values) error {
		factor = bytes.Clone(v[iso8583.A2Factor])
		return nil
	}}
	defer func() { clear(factor) }()
	r := t.financial("sale", pos.Sale, saleProcessing, before)
	r.amount, r.pan, r.serial, r.twist = amount, before.PAN, true, keep
	if res, err := t.run(ctx, r, KindSale); err != nil || factor == nil {
		return res, err
	}
	return t.twisted(ctx, twist{a2: func(t *Terminal, v *iso8583.A2Values) error {
		v[iso8583.A2Factor] = bytes.Clone(factor)
		return t.cipherOver(v, v[iso8583.A2Serial], v[iso8583.A2Factor])
	}}, card, amount)
}

// otherNumber is a typed-in card whose last digits are others, with a right check digit, of no account.
func otherNumber(card Card) (other Card, err error) {
	other = Card{PAN: pos.NewPAN(), Expiry: card.Expiry}
	card.PAN.Use(func(digits []byte) {
		copyOf := bytes.Clone(digits)
		defer clear(copyOf)
		if n := len(copyOf); n > 8 {
			copyOf[n-2] = '0' + (copyOf[n-2]-'0'+3)%10
			copyOf[n-4] = '0' + (copyOf[n-4]-'0'+7)%10
			copyOf[n-1] = checkDigit(copyOf[:n-1])
		}
		err = other.PAN.Set(copyOf)
	})
	return other, err
}

// checkDigit is Luhn's; ISO/IEC 7812-1, Annex B.
func checkDigit(body []byte) byte {
	sum := 0
	for i := range body {
		d := int(body[len(body)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return '0' + byte((10-sum%10)%10)
}

// pinFaults are those of the PIN; the MAC is right.
var pinFaults = []FaultRow{
	pinProof(PINStaleKey, "a PIN under the PIK of an earlier sign-in", "pin_stale_key", proven, proven, func(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
		return t.withFormerKey(ctx, card, amount, func(former *session) twist { return twist{pinKey: former.pik} })
	}),
	pinProof("pin-with-check-digit", "the block is made with the last twelve digits, check digit included", "pin_other_pan", indicated, proven, asSale(twist{pinBlock: digitsBlock(withCheckDigit)}), NeedTDES),
	pinProof("pin-first-digits", "the block is made with the first twelve digits of the card number", "pin_other_pan", indicated, proven, asSale(twist{pinBlock: digitsBlock(firstDigits)}), NeedTDES),
	pinProof("pin-other-card", "the block is made for a card that nobody knows of", unproven, unproven, unproven, asSale(twist{pinBlock: otherCardBlock}), NeedTDES),
	pinProof("pin-wrong-cipher", "the block is enciphered with single DES", "pin_wrong_algorithm", proven, proven, asSale(twist{pinBlock: singleDESBlock}), NeedTDES),
	pinProof("pin-without-card", "a block without a card number where one is stated", "pin_wrong_format", proven, proven, asSale(twist{pinBlock: withoutCardBlock}), NeedTDES),
	pinProof("pin-sm4-other-format", "the second SM4 format where the first is due", "pin_wrong_format", proven, proven, asSale(twist{pinBlock: otherSM4Block}), NeedSM4),
	pinProof("pin-format-1", "a block of ISO 9564 format 1, which UnionPay does not have", unproven, unproven, unproven, asSale(twist{pinBlock: format1Block}), NeedTDES),
	pinProof("pin-key-of-second", "a PIN under the second terminal's PIK", "pin_other_terminal_key", indicated, proven, func(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
		return t.withSecond(ctx, card, amount, func(o *Terminal) twist { return twist{pinKey: o.keys.pik} })
	}, NeedSecond),
	pinProof("pin-other-key", "a PIN under a PIK that nobody issued", unproven, unproven, unproven, drawn(ProbePINKey)),
	pinProof("pin-random-block", "the block is random bytes", unproven, unproven, unproven, asSale(twist{pinBlock: randomBlock})),
	{Fault: "pin-missing", Group: GroupPIN, What: "DE22 says that a PIN was entered, and there is none", DE39: "30", Reason: "pin_missing", do: asChanged(func(_ *Terminal, r *request) error {
		r.card.PIN = noPIN
		r.entry = r.entry/10*10 + 1
		return nil
	})},
	{Fault: "pin-unexpected", Group: GroupPIN, What: "a PIN, and DE22 says that none was entered", DE39: "30", Reason: "pin_unexpected", Needs: []Need{NeedPIN}, do: asChanged(func(_ *Terminal, r *request) error {
		r.entry = r.entry/10*10 + 2
		return nil
	})},
	{Fault: "wrong-pin", Group: GroupPIN, What: "another PIN than the card's", DE39: "55", Reason: "pin_wrong", Needs: []Need{NeedPIN}, do: wrongPIN},
	{Fault: "pin-tries", Group: GroupPIN, What: "wrong PINs until no more is looked at", DE39: "75", Reason: "pin_tries_exceeded", Needs: []Need{NeedPIN}, do: pinTries},
}

func pinProof(f Fault, what, cause, first, second string, do action, needs ...Need) FaultRow {
	return FaultRow{Fault: f, Group: GroupPIN, What: what, DE39: "99", Reason: "pin_format", Cause: cause, First: first, Second: second,
		Needs: append([]Need{NeedPIN}, needs...), do: do}
}

func otherCardBlock(t *Terminal, card Card) (block []byte, err error) {
	other, err := otherNumber(card)
	if err != nil {
		return nil, err
	}
	defer other.PAN.Clear()
	other.PIN = card.PIN
	return pinBlock(t.keys.pik, other)
}

// digitsBlock makes a block of format 0 with other digits of the card number: those that choose gives, 13 of them, the
// last in the check digit's place.
func digitsBlock(choose func(pan []byte) []byte) func(*Terminal, Card) ([]byte, error) {
	return func(t *Terminal, card Card) (block []byte, err error) {
		other := Card{PAN: pos.NewPAN(), PIN: card.PIN}
		defer other.PAN.Clear()
		card.PAN.Use(func(pan []byte) {
			chosen := choose(pan)
			defer clear(chosen)
			err = other.PAN.Set(chosen)
		})
		if err != nil {
			return nil, err
		}
		return pinBlock(t.keys.pik, other)
	}
}

func withCheckDigit(pan []byte) []byte { return append(bytes.Clone(pan[len(pan)-12:]), '0') }

func firstDigits(pan []byte) []byte { return append(bytes.Clone(pan[:12]), '0') }

func withoutCardBlock(t *Terminal, card Card) ([]byte, error) { return t.blockOf(pinblock.NoPAN, card) }

func otherSM4Block(t *Terminal, card Card) ([]byte, error) { return t.blockOf(pinblock.SM4PAN2, card) }

// blockOf is a PIN block of another format under the PIK.
func (t *Terminal) blockOf(f pinblock.Format, card Card) (block []byte, err error) {
	block = make([]byte, f.Size())
	card.PIN.Use(func(pin []byte) {
		card.PAN.Use(func(pan []byte) {
			err = pinblock.Encipher(block, t.keys.pik, f, pinblock.Parts{PIN: pin, PAN: pan})
		})
	})
	return block, err
}

// singleDESBlock enciphers a block of format 0 with the left half of the PIK.
func singleDESBlock(t *Terminal, card Card) (block []byte, err error) {
	keys, err := paycrypto.ParseWorkingKeys(t.st.Code, t.tmk, t.st.Keys)
	if err != nil {
		return nil, err
	}
	defer keys.Wipe()
	var c *paycrypto.Cipher
	keys.PIK.Use(func(key []byte) { c, err = paycrypto.NewCipher(paycrypto.DES, key[:8]) })
	if err != nil {
		return nil, err
	}
	defer c.Wipe()
	var form [8]byte
	defer clear(form[:])
	card.PIN.Use(func(pin []byte) {
		card.PAN.Use(func(pan []byte) { err = pinblock.Encode(form[:], pinblock.ISO0, pinblock.Parts{PIN: pin, PAN: pan}) })
	})
	block = make([]byte, len(form))
	c.Encrypt(block, form[:])
	return block, err
}

func format1Block(t *Terminal, card Card) (block []byte, err error) {
	block = make([]byte, pinblock.ISO1.Size())
	card.PIN.Use(func(pin []byte) {
		fill := make([]byte, pinblock.ISO1.FillSize(len(pin)))
		if _, err = io.ReadFull(t.cfg.Random, fill); err != nil {
			return
		}
		for i := range fill {
			fill[i] &= 15
		}
		err = pinblock.Encipher(block, t.keys.pik, pinblock.ISO1, pinblock.Parts{PIN: pin, Fill: fill})
	})
	return block, err
}

func randomBlock(t *Terminal, _ Card) ([]byte, error) {
	block := make([]byte, pinForm(t.keys.pik.Algorithm()).Size())
	if _, err := io.ReadFull(t.cfg.Random, block); err != nil {
		return nil, fmt.Errorf("draw a block: %w", err)
	}
	return block, nil
}

// drawn is a sale with a key that nobody else has; see otherKey.
func drawn(p Probe) action {
	return func(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
		var w twist
		wipe, err := t.otherKey(&w, p)
		if err != nil {
			return Result{}, err
		}
		defer wipe()
		return t.twisted(ctx, w, card, amount)
	}
}

func wrongPIN(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
	r := t.sale(card, amount)
	if err := t.otherCard(r, ProbeWrongPIN); err != nil {
		return Result{}, err
	}
	defer r.card.PIN.Wipe()
	return t.run(ctx, r, KindSale)
}

// maxPINTries bounds how many wrong PINs pinTries sends; issuer.MaxTries is 3.
const maxPINTries = 8

func pinTries(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (res Result, err error) {
	for range maxPINTries {
		if res, err = wrongPIN(t, ctx, card, amount); err != nil || res.DE39 != pos.Code("55") {
			return res, err
		}
	}
	return res, nil
}

// trackFaults are those of DE35.
var trackFaults = []FaultRow{
	{Fault: "track-stale-key", Group: GroupTrack, What: "a track under the TDK of an earlier sign-in: 16 nibbles tell little", DE39: "30", Reason: "track_decrypt_failed", Cause: "track_stale_key",
		First: indicated, Second: proven, Needs: []Need{NeedSealTrack, NeedTDES}, do: staleTDK},
	{Fault: "track-stale-key-sm4", Group: GroupTrack, What: "the same with SM4: 32 nibbles tell enough", DE39: "30", Reason: "track_decrypt_failed", Cause: "track_stale_key",
		First: proven, Second: proven, Needs: []Need{NeedSealTrack, NeedSM4}, do: staleTDK},
	{Fault: "track-other-key", Group: GroupTrack, What: "a track under a TDK that nobody issued", DE39: "30", Reason: "track_decrypt_failed", Cause: unproven,
		First: unproven, Second: unproven, Needs: []Need{NeedSealTrack}, do: drawn(ProbeTrackKey)},
	{Fault: "track-other-card", Group: GroupTrack, What: "DE2 is not the track's card", DE39: "30", Reason: "track_pan_mismatch", Cause: unproven,
		First: unproven, Second: unproven, do: asProbe(ProbeTrackPAN)},
	{Fault: "chip-without-data", Group: GroupTrack, What: "DE22 says chip, and there is no DE55", DE39: "30", Reason: "emv_missing", do: asProbe(ProbeNoChipData)},
	{Fault: "chip-card-swiped", Group: GroupTrack, What: "the stripe of a chip card, at a terminal with a chip reader", DE39: "45", Reason: "fallback_refused",
		Needs: []Need{NeedChipReader, NeedChipCard}, do: asSale(twist{})},
}

func staleTDK(t *Terminal, ctx context.Context, card Card, amount pos.Amount) (Result, error) {
	return t.withFormerKey(ctx, card, amount, func(former *session) twist { return twist{trackKey: former.tdk} })
}
