package main

import (
	"bytes"
	"errors"

	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
)

// calcAEADTag is the tag length of sealing operations, in bytes.
const calcAEADTag = 16

// calcMillion is how often sm4_ecb_1m enciphers; GB/T 32907-2016, A.2.
const calcMillion = 1_000_000

func calcSMOps() map[string]calcOp {
	tag := func(a mac.Algorithm, fields string) calcOp {
		return calcOp{fields, func(in calcIn) (calcOut, error) { return calcMAC(in, a, "tag") }}
	}
	seal := func(a paycrypto.AEAD) calcOp {
		return calcOp{"key nonce aad plaintext", func(in calcIn) (calcOut, error) { return calcSeal(in, a) }}
	}
	verify := func(a paycrypto.AEAD) calcOp {
		return calcOp{"key iv aad msg ct tag", func(in calcIn) (calcOut, error) { return calcOpen(in, a) }}
	}
	return map[string]calcOp{
		"sm3":                {"data", calcSM3},
		"hmac_sm3":           tag(mac.HMACSM3, "key data"),
		"sm4_ecb":            {"key data", func(in calcIn) (calcOut, error) { return calcSM4ECB(in, 1) }},
		"sm4_ecb_1m":         {"key data", func(in calcIn) (calcOut, error) { return calcSM4ECB(in, calcMillion) }},
		"sm4_cbc":            {"key iv data", calcSM4CBC},
		"sm4_gcm":            seal(paycrypto.SM4GCM),
		"sm4_ccm":            seal(paycrypto.SM4CCM),
		"sm4_gcm_wycheproof": verify(paycrypto.SM4GCM),
		"sm4_ccm_wycheproof": verify(paycrypto.SM4CCM),
		"sm4_cbc_mac":        tag(mac.CBCMACSM4, "key data padding?"),
		"sm4_emac":           tag(mac.EMACSM4, "key1 key2 data padding?"),
		"sm4_retail_mac":     tag(mac.RetailSM4, "key1 key2 data padding?"),
		"sm4_macdes":         tag(mac.MACDESSM4, "key1 key2 data padding?"),
		"sm4_cmac":           tag(mac.CMACSM4, "key data"),
		"sm2_verify":         {"public_x public_y message signature_der uid?", calcSM2Verify},
		"sm2_sign_k":         {"private k message uid?", calcSM2Sign},
		"sm2_decrypt_c1c3c2": {"private ciphertext", calcSM2Decrypt},
	}
}

func calcSM3(in calcIn) (calcOut, error) {
	data, err := in.hex("data")
	if err != nil {
		return nil, err
	}
	digest := paycrypto.SM3(data)
	return calcOut{{"digest", digest[:]}}, nil
}

// calcSM4ECB enciphers data again and again; more than once it must be one block.
func calcSM4ECB(in calcIn, times int) (calcOut, error) {
	c, err := in.cipher("key", paycrypto.SM4)
	if err != nil {
		return nil, err
	}
	defer c.Wipe()
	data, err := in.hex("data")
	if err != nil {
		return nil, err
	}
	if times > 1 && len(data) != c.BlockSize() {
		return nil, errors.New("in.data: not one block")
	}
	for range times {
		if err := c.EncryptECB(data, data); err != nil {
			return nil, errors.New("in.data: not whole blocks")
		}
	}
	return calcOut{{"ciphertext", data}}, nil
}

func calcSM4CBC(in calcIn) (calcOut, error) {
	c, err := in.cipher("key", paycrypto.SM4)
	if err != nil {
		return nil, err
	}
	defer c.Wipe()
	values, err := in.hexes("data", "iv")
	if err != nil {
		return nil, err
	}
	if err := c.EncryptCBC(values[0], values[0], values[1]); err != nil {
		return nil, errors.New("in.data, in.iv: not whole blocks")
	}
	return calcOut{{"ciphertext", values[0]}}, nil
}

func calcSeal(in calcIn, a paycrypto.AEAD) (calcOut, error) {
	v, err := in.hexes("key", "nonce", "plaintext", "aad")
	if err != nil {
		return nil, err
	}
	sealed, err := a.Seal(nil, v[0], v[1], v[2], v[3], calcAEADTag)
	if err != nil {
		return nil, err
	}
	return calcOut{{"ciphertext_tag", sealed}}, nil
}

// calcOpen verifies ciphertext and tag and that they give msg.
func calcOpen(in calcIn, a paycrypto.AEAD) (calcOut, error) {
	v, err := in.hexes("key", "iv", "ct", "tag", "aad", "msg")
	if err != nil {
		return nil, err
	}
	plain, err := a.Open(nil, v[0], v[1], append(v[2], v[3]...), v[4], len(v[3]))
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(plain, v[5]) {
		return nil, errors.New("in.msg: not what the ciphertext holds")
	}
	return calcOut{{"result", "valid"}}, nil
}

// calcUID is in.uid in hex, or the default signer identity when absent.
func calcUID(in calcIn) ([]byte, error) {
	if !in.has("uid") {
		return []byte(paycrypto.SM2DefaultUID), nil
	}
	return in.hex("uid")
}

func calcSM2Verify(in calcIn) (calcOut, error) {
	v, err := in.hexes("public_x", "public_y", "message", "signature_der")
	if err != nil {
		return nil, err
	}
	uid, err := calcUID(in)
	if err != nil {
		return nil, err
	}
	if len(v[0]) != paycrypto.SM2KeySize || len(v[1]) != paycrypto.SM2KeySize {
		return nil, errors.New("in.public_x, in.public_y: not 32 bytes")
	}
	public := append([]byte{4}, append(v[0], v[1]...)...)
	e, valid, err := paycrypto.SM2Verify(public, uid, v[2], v[3])
	if err != nil {
		return nil, err
	}
	if !valid {
		return nil, errors.New("signature does not verify")
	}
	return calcOut{{"e", e[:]}, {"valid", true}}, nil
}

func calcSM2Sign(in calcIn) (calcOut, error) {
	v, err := in.hexes("private", "k", "message")
	if err != nil {
		return nil, err
	}
	uid, err := calcUID(in)
	if err != nil {
		return nil, err
	}
	r, s, err := paycrypto.SM2SignWithNonce(v[0], v[1], uid, v[2])
	if err != nil {
		return nil, err
	}
	return calcOut{{"r", r[:]}, {"s", s[:]}}, nil
}

func calcSM2Decrypt(in calcIn) (calcOut, error) {
	v, err := in.hexes("private", "ciphertext")
	if err != nil {
		return nil, err
	}
	plain, err := paycrypto.SM2Decrypt(v[0], v[1])
	if err != nil {
		return nil, err
	}
	return calcOut{{"plaintext", plain}}, nil
}
