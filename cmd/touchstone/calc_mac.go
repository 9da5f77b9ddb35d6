package main

import (
	"errors"
	"fmt"
	"strconv"

	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
)

func calcMACOps() map[string]calcOp {
	tag := func(a mac.Algorithm, name, fields string) calcOp {
		return calcOp{fields, func(in calcIn) (calcOut, error) { return calcMAC(in, a, name) }}
	}
	verify := func(a mac.Algorithm) calcOp {
		return calcOp{"key data tag tag_bits?", func(in calcIn) (calcOut, error) { return calcVerify(in, a) }}
	}
	return map[string]calcOp{
		"pad":                      {"data method block", calcPad},
		"cbc_mac_des":              tag(mac.CBCMACDES, "mac8", "key data padding"),
		"cbc_mac_tdes":             tag(mac.CBCMACTDES, "mac8", "key data padding"),
		"cbc_mac_aes":              tag(mac.CBCMACAES, "mac16", "key data padding"),
		"retail_mac":               tag(mac.RetailDES, "mac8", "key data padding"),
		"retail_mac_two_tdes_keys": tag(mac.RetailTDES, "mac8", "key1 key2 data padding"),
		"aes_cmac":                 tag(mac.CMACAES, "cmac", "key data tag_bits?"),
		"aes_cmac_verify":          verify(mac.CMACAES),
		"tdes_cmac":                tag(mac.CMACTDES, "cmac", "key data tag_bits?"),
		"tdes_cmac_verify":         verify(mac.CMACTDES),
		"hmac":                     {"hash key data tag_bits?", calcHMAC},
		"hmac_verify":              {"hash key data tag tag_bits?", calcHMACVerify},
		"unionpay_ecb":             {"key data alg?", calcUnionPay},
		"x99":                      {"key data", func(in calcIn) (calcOut, error) { return calcBankMAC(in, mac.X99) }},
		"x919":                     {"key data", func(in calcIn) (calcOut, error) { return calcBankMAC(in, mac.X919) }},
		"tusn":                     {"key serial factor", calcSerial},
	}
}

// errCalcTag is the answer to every verification that does not hold.
var errCalcTag = errors.New("tag does not verify")

// calcKey makes a Key of in.key, or of in.key1 and in.key2 joined.
func calcKey(in calcIn, a mac.Algorithm) (*mac.Key, error) {
	parts, err := in.hexes("key", "key1", "key2")
	if err != nil {
		return nil, err
	}
	otherwise, padding := 0, 0
	if a.TakesPadding() {
		otherwise = int(mac.Padding2)
	}
	if padding, err = in.number("padding", 1, 3, otherwise); err != nil {
		return nil, err
	}
	if in.has("key1") && len(parts[1]) != len(parts[2]) {
		return nil, errors.New("in.key2: not as long as in.key1")
	}
	key, err := mac.New(a, mac.Padding(padding), append(append(parts[0], parts[1]...), parts[2]...))
	if err != nil {
		return nil, fmt.Errorf("in.key: wrong length for %v", a)
	}
	return key, nil
}

// calcTagBytes is in.tag_bits in bytes, the whole code when absent.
func calcTagBytes(in calcIn, a mac.Algorithm) (int, error) {
	bits, err := in.number("tag_bits", mac.MinTag*8, a.Size()*8, a.Size()*8)
	if err == nil && bits%8 != 0 {
		err = errors.New("in.tag_bits: not whole bytes")
	}
	return bits / 8, err
}

func calcMAC(in calcIn, a mac.Algorithm, name string) (calcOut, error) {
	key, err := calcKey(in, a)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	data, err := in.hex("data")
	if err != nil {
		return nil, err
	}
	n, err := calcTagBytes(in, a)
	if err != nil {
		return nil, err
	}
	return calcOut{{name, key.AppendSum(nil, data)[:n]}}, nil
}

func calcVerify(in calcIn, a mac.Algorithm) (calcOut, error) {
	key, err := calcKey(in, a)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	values, err := in.hexes("data", "tag")
	if err != nil {
		return nil, err
	}
	n, err := calcTagBytes(in, a)
	if err != nil {
		return nil, err
	}
	if in.has("tag_bits") && n != len(values[1]) || !key.VerifyTag(values[0], values[1]) {
		return nil, errCalcTag
	}
	return calcOut{{"result", "valid"}}, nil
}

func calcHash(in calcIn) (mac.Algorithm, error) {
	name, err := in.text("hash")
	if err != nil {
		return 0, err
	}
	switch name {
	case "SHA-1":
		return mac.HMACSHA1, nil
	case "SHA-256":
		return mac.HMACSHA256, nil
	case "SHA-384":
		return mac.HMACSHA384, nil
	case "SHA-512":
		return mac.HMACSHA512, nil
	case "SM3":
		return mac.HMACSM3, nil
	}
	return 0, errors.New("in.hash: unknown hash, there are SHA-1, SHA-256, SHA-384, SHA-512, SM3")
}

func calcHMAC(in calcIn) (calcOut, error) {
	a, err := calcHash(in)
	if err != nil {
		return nil, err
	}
	return calcMAC(in, a, "tag")
}

func calcHMACVerify(in calcIn) (calcOut, error) {
	a, err := calcHash(in)
	if err != nil {
		return nil, err
	}
	return calcVerify(in, a)
}

func calcPad(in calcIn) (calcOut, error) {
	data, err := in.hex("data")
	if err != nil {
		return nil, err
	}
	method, err := in.number("method", 1, 3, 0)
	if err != nil {
		return nil, err
	}
	block, err := in.number("block", 1, 255, 0)
	if err != nil {
		return nil, err
	}
	padded, err := mac.Padding(method).AppendPadded(nil, data, block)
	if err != nil {
		return nil, err
	}
	return calcOut{{"padded", padded}}, nil
}

// calcUnionPay is the MAC of UnionPay POS messages step by step;
// docs/protocol/unionpay-pos.md, sections 4.1 and 4.2.
func calcUnionPay(in calcIn) (calcOut, error) {
	a := mac.UnionPayECBDES
	if in.has("alg") {
		alg, err := in.algorithm("alg")
		switch {
		case err == nil && alg == paycrypto.TDES:
			a = mac.UnionPayECBTDES
		case err == nil && alg == paycrypto.SM4:
			a = mac.UnionPayECBSM4
		case err != nil || alg != paycrypto.DES:
			return nil, errors.New("in.alg: unknown algorithm, there are DES, TDES, SM4")
		}
	}
	key, err := calcKey(in, a)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	data, err := in.hex("data")
	if err != nil {
		return nil, err
	}
	s, _ := key.Trace(data)
	n := s.Size
	de64 := key.Sum8(data)
	return calcOut{
		{"xor", s.XOR[:n]}, {"hex_ascii", string(s.Hex[:2*n])}, {"e1", s.E1[:n]}, {"t", s.T[:n]}, {"e2", s.E2[:n]},
		{"mac", string(de64[:])}, {"de64", de64[:]},
	}, nil
}

// calcBankMAC is X9.9 or X9.19; docs/protocol/unionpay-pos.md, section 4.3.
func calcBankMAC(in calcIn, a mac.Algorithm) (calcOut, error) {
	key, err := calcKey(in, a)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	data, err := in.hex("data")
	if err != nil {
		return nil, err
	}
	de64 := key.Sum8(data)
	return calcOut{{"full", key.AppendSum(nil, data)}, {"mac", string(de64[:])}, {"de64", de64[:]}}, nil
}

// calcSerial is the serial-number ciphertext; docs/protocol/unionpay-pos.md, section 6.4.
func calcSerial(in calcIn) (calcOut, error) {
	key, err := calcKey(in, mac.UnionPayECBSM4)
	if err != nil {
		return nil, err
	}
	defer key.Wipe()
	serial, err := in.text("serial")
	if err != nil {
		return nil, err
	}
	factor, err := in.text("factor")
	if err != nil {
		return nil, err
	}
	ciphertext := mac.SerialCiphertext(key, serial, factor)
	if ciphertext == [8]byte{} {
		return nil, errors.New("in.serial, in.factor: empty or too long")
	}
	return calcOut{{"ciphertext", string(ciphertext[:])}}, nil
}

func calcKCVOps() map[string]calcOp {
	return map[string]calcOp{
		"kcv_legacy":   {"alg key", calcLegacyKCV},
		"kcv_cmac":     {"alg key", calcCMACKCV},
		"parity":       {"key", calcParity},
		"working_keys": {"code tmk de62", calcWorkingKeys},
	}
}

func calcKCVCipher(in calcIn) (*paycrypto.Cipher, error) {
	a, err := in.algorithm("alg")
	if err != nil {
		return nil, err
	}
	return in.cipher("key", a)
}

func calcLegacyKCV(in calcIn) (calcOut, error) {
	c, err := calcKCVCipher(in)
	if err != nil {
		return nil, err
	}
	defer c.Wipe()
	block, kcv := c.ZeroBlock(), c.LegacyKCV()
	return calcOut{{"block", block[:c.BlockSize()]}, {"kcv", kcv[:]}}, nil
}

func calcCMACKCV(in calcIn) (calcOut, error) {
	c, err := calcKCVCipher(in)
	if err != nil {
		return nil, err
	}
	defer c.Wipe()
	kcv := c.CMACKCV()
	zero := make([]byte, c.BlockSize())
	return calcOut{{"cmac", c.AppendCMAC(nil, zero)}, {"kcv", kcv[:]}}, nil
}

func calcParity(in calcIn) (calcOut, error) {
	key, err := in.hex("key")
	if err != nil {
		return nil, err
	}
	paycrypto.AdjustParity(key)
	return calcOut{{"key", key}}, nil
}

// calcWorkingKeys reads DE62 of a sign-in answer; docs/protocol/unionpay-pos.md,
// section 3.2. code is the three digits of DE60.3.
func calcWorkingKeys(in calcIn) (calcOut, error) {
	text, err := in.text("code")
	if err != nil {
		return nil, err
	}
	number, err := strconv.ParseUint(text, 10, 16)
	code := paycrypto.SignInCode(number)
	if err != nil || len(text) != 3 || code.Size() == 0 {
		return nil, errors.New("in.code: unknown sign-in code, there are 001, 003, 004, 005, 006")
	}
	tmk, err := in.cipher("tmk", code.Algorithm())
	if err != nil {
		return nil, err
	}
	defer tmk.Wipe()
	de62, err := in.hex("de62")
	if err != nil {
		return nil, err
	}
	keys, err := paycrypto.ParseWorkingKeys(code, tmk, de62)
	if err != nil {
		return nil, err
	}
	defer keys.Wipe()
	var out calcOut
	show := func(name string) func([]byte) {
		return func(b []byte) {
			if len(b) > 0 {
				out = append(out, calcMember{name, append([]byte(nil), b...)})
			}
		}
	}
	keys.PIK.Use(show("pik"))
	keys.MAK.Use(show("mak"))
	keys.TDK.Use(show("tdk"))
	return out, nil
}
