package main

import (
	"errors"
	"fmt"

	"touchstone/paycrypto"
	"touchstone/paycrypto/pinblock"
)

func calcPINOps() map[string]calcOp {
	encode := func(f pinblock.Format, fields string) calcOp {
		return calcOp{fields, func(in calcIn) (calcOut, error) { return calcEncodePIN(in, f) }}
	}
	decode := func(f pinblock.Format, fields string) calcOp {
		return calcOp{fields, func(in calcIn) (calcOut, error) { return calcDecodePIN(in, f) }}
	}
	return map[string]calcOp{
		"encode0":          encode(pinblock.ISO0, "pin pan"),
		"encode1":          encode(pinblock.ISO1, "pin fill"),
		"encode2":          encode(pinblock.ISO2, "pin"),
		"encode3":          encode(pinblock.ISO3, "pin pan fill"),
		"decode0":          decode(pinblock.ISO0, "clear_pinblock pan"),
		"decode1":          decode(pinblock.ISO1, "clear_pinblock"),
		"decode2":          decode(pinblock.ISO2, "clear_pinblock"),
		"decode3":          decode(pinblock.ISO3, "clear_pinblock pan"),
		"encode4_panfield": {"pan", calcPANField},
		"encipher4":        {"key pin pan random", calcEncipher4},
		"decipher4":        {"key pan pinblock", calcDecipher4},
		"translate":        {"pan? from to", calcTranslate},
	}
}

// calcDigits is a string field as ASCII bytes; pinblock checks that they are digits.
func calcDigits(in calcIn, name string) ([]byte, error) {
	s, err := in.text(name)
	return []byte(s), err
}

// calcCard reads in.pin and in.pan.
func calcCard(in calcIn) (p pinblock.Parts, err error) {
	if p.PIN, err = calcDigits(in, "pin"); err != nil {
		return pinblock.Parts{}, err
	}
	if p.PAN, err = calcDigits(in, "pan"); err != nil {
		return pinblock.Parts{}, err
	}
	return p, nil
}

func calcEncodePIN(in calcIn, f pinblock.Format) (calcOut, error) {
	p, err := calcCard(in)
	if err != nil {
		return nil, err
	}
	if p.Fill, err = in.nibbles("fill"); err != nil {
		return nil, err
	}
	block := make([]byte, f.Size())
	if err := pinblock.Encode(block, f, p); err != nil {
		return nil, err
	}
	return calcOut{{"clear_pinblock", block}}, nil
}

func calcDecodePIN(in calcIn, f pinblock.Format) (calcOut, error) {
	block, err := in.hex("clear_pinblock")
	if err != nil {
		return nil, err
	}
	pan, err := calcDigits(in, "pan")
	if err != nil {
		return nil, err
	}
	var pin [pinblock.MaxPIN]byte
	n, err := pinblock.Decode(&pin, f, block, pan)
	if err != nil {
		return nil, err
	}
	return calcOut{{"pin", string(pin[:n])}}, nil
}

func calcPANField(in calcIn) (calcOut, error) {
	pan, err := calcDigits(in, "pan")
	if err != nil {
		return nil, err
	}
	field, err := pinblock.PANField(pan)
	if err != nil {
		return nil, err
	}
	return calcOut{{"pan_field", field[:]}}, nil
}

// calcEncipher4 shows every step of format 4; ISO 9564-1:2017, 9.4.2.
func calcEncipher4(in calcIn) (calcOut, error) {
	p, err := calcCard(in)
	if err != nil {
		return nil, err
	}
	if p.Fill, err = in.hex("random"); err != nil {
		return nil, err
	}
	c, err := in.cipher("key", paycrypto.AES)
	if err != nil {
		return nil, err
	}
	defer c.Wipe()
	var pinField, blockA, blockB, block [16]byte
	if err := pinblock.Encipher(block[:], c, pinblock.ISO4, p); err != nil {
		return nil, err
	}
	if err := pinblock.Encode(pinField[:], pinblock.ISO4, p); err != nil {
		return nil, err
	}
	panField, err := pinblock.PANField(p.PAN)
	if err != nil {
		return nil, err
	}
	c.Encrypt(blockA[:], pinField[:])
	c.Decrypt(blockB[:], block[:])
	return calcOut{
		{"pin_field", pinField[:]}, {"pan_field", panField[:]},
		{"block_a", blockA[:]}, {"block_b", blockB[:]}, {"pinblock", block[:]},
	}, nil
}

func calcDecipher4(in calcIn) (calcOut, error) {
	c, err := in.cipher("key", paycrypto.AES)
	if err != nil {
		return nil, err
	}
	defer c.Wipe()
	block, err := in.hex("pinblock")
	if err != nil {
		return nil, err
	}
	pan, err := calcDigits(in, "pan")
	if err != nil {
		return nil, err
	}
	var pin [pinblock.MaxPIN]byte
	n, err := pinblock.Decipher(&pin, c, pinblock.ISO4, block, pan)
	if err != nil {
		return nil, err
	}
	return calcOut{{"pin", string(pin[:n])}}, nil
}

// calcTranslate moves a PIN from one key and format to another. The card number
// stands beside the ends or inside them and is one and the same.
func calcTranslate(in calcIn) (calcOut, error) {
	from, fromEnd, err := calcEnd(in, "from", "format key alg pinblock pan?")
	if err != nil {
		return nil, err
	}
	defer fromEnd.Cipher.Wipe()
	to, toEnd, err := calcEnd(in, "to", "format key alg fill? random? pan?")
	if err != nil {
		return nil, err
	}
	defer toEnd.Cipher.Wipe()
	pan, err := calcOnePAN(in, from, to)
	if err != nil {
		return nil, err
	}
	block, err := from.hex("pinblock")
	if err != nil {
		return nil, err
	}
	fill, err := to.nibbles("fill")
	if err != nil {
		return nil, err
	}
	random, err := to.hex("random")
	if err != nil {
		return nil, err
	}
	out := make([]byte, toEnd.Format.Size())
	t := pinblock.Translation{From: fromEnd, To: toEnd, Fill: func(int) []byte { return append(fill, random...) }}
	if err := pinblock.Translate(out, t, block, pan); err != nil {
		return nil, err
	}
	return calcOut{{"pinblock", out}}, nil
}

// calcEnd reads in.from or in.to.
func calcEnd(in calcIn, name, fields string) (end calcIn, e pinblock.End, err error) {
	if end, err = in.object(name); err != nil {
		return nil, e, err
	}
	if err = end.check(fields); err != nil {
		return nil, e, fmt.Errorf("in.%s: %w", name, err)
	}
	format, err := end.number("format", 0, 4, 0)
	if err != nil {
		return nil, e, err
	}
	formats := [...]pinblock.Format{pinblock.ISO0, pinblock.ISO1, pinblock.ISO2, pinblock.ISO3, pinblock.ISO4}
	a, err := end.algorithm("alg")
	if err != nil {
		return nil, e, err
	}
	c, err := end.cipher("key", a)
	if err != nil {
		return nil, e, err
	}
	return end, pinblock.End{Cipher: c, Format: formats[format]}, nil
}

// calcOnePAN is the card number of all places that give one.
func calcOnePAN(places ...calcIn) ([]byte, error) {
	var one []byte
	for _, in := range places {
		pan, err := calcDigits(in, "pan")
		if err != nil {
			return nil, err
		}
		if len(pan) > 0 && len(one) > 0 && string(pan) != string(one) {
			return nil, errors.New("in.pan: a translation does not change the card number")
		}
		if len(pan) > 0 {
			one = pan
		}
	}
	return one, nil
}
