package soft_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"touchstone/journal"
	"touchstone/paycrypto/mac"
	"touchstone/reason"
)

// ossl is a block cipher by OpenSSL: single DES as TDES with both keys the same.
func ossl(t *testing.T, mode string, decrypt bool, key, in []byte) []byte {
	t.Helper()
	if len(key) == 8 {
		key = twice(key)
	}
	args := []string{"enc", "-" + mode, "-K", hex.EncodeToString(key), "-nopad"}
	if strings.HasSuffix(mode, "cbc") {
		args = append(args, "-iv", strings.Repeat("0", 2*blockOf(mode)))
	}
	if decrypt {
		args = append(args, "-d")
	}
	return openssl(t, in, args...)
}

func blockOf(mode string) int {
	if strings.HasPrefix(mode, "sm4") {
		return 16
	}
	return 8
}

// padded is data with zeros to whole blocks.
func padded(data []byte, n int) []byte {
	return append(bytes.Clone(data), make([]byte, (n-len(data)%n)%n)...)
}

// osslFold is the UnionPay ECB code, section 4.1, step by step by OpenSSL.
func osslFold(t *testing.T, mode string, key, data []byte) []byte {
	n := blockOf(mode)
	fold := make([]byte, n)
	for i, b := range padded(data, n) {
		fold[i%n] ^= b
	}
	text := []byte(strings.ToUpper(hex.EncodeToString(fold)))
	state := ossl(t, mode, false, key, text[:n])
	for i := range state {
		state[i] ^= text[n+i]
	}
	return ossl(t, mode, false, key, state)
}

// osslChain is a CBC-MAC by OpenSSL: the last block of what CBC makes of the padded data.
func osslChain(t *testing.T, mode string, key, data []byte) []byte {
	out := ossl(t, mode, false, key, padded(data, blockOf(mode)))
	return out[len(out)-blockOf(mode):]
}

// osslRetail is X9.19 by OpenSSL.
func osslRetail(t *testing.T, key, data []byte) []byte {
	state := osslChain(t, "des-ede-cbc", key[:8], data)
	return ossl(t, "des-ede-ecb", false, key[:8], ossl(t, "des-ede-ecb", true, key[8:], state))
}

// TestDiagnoseOpenSSL: the terminal's part, from DE62 as it was sent to the code, is another program's.
func TestDiagnoseOpenSSL(t *testing.T) {
	for n, p := range []profile{profiles[1], profiles[3], profiles[4], profiles[6]} {
		f := newFleet(t, p, 600+uint64(n), 1)
		m := f.own
		ecbMode, otherMode := "des-ede-ecb", "sm4-ecb"
		if p.mac == mac.UnionPayECBSM4 {
			ecbMode, otherMode = otherMode, ecbMode
		}
		makLen := len(m.now.mak)
		field := m.now.de62[20:36]
		unwrap := func(mode string, key, in []byte) []byte { return ossl(t, mode, true, key, in) }
		code := func(key, data []byte) []byte {
			switch {
			case p.mac == mac.X919:
				return osslRetail(t, key, data)
			case p.mac == mac.UnionPayECBDES:
				return osslFold(t, "des-ede-ecb", key[:8], data)
			}
			return osslFold(t, ecbMode, key, data)
		}
		mak := unwrap(ecbMode, m.tmk, field[:makLen])
		type vector struct {
			name  string
			code  func(frame []byte) []byte
			cause reason.Cause
			fact  [2]string
		}
		under := func(name string, key []byte, cause reason.Cause, fact, text string) vector {
			return vector{name, func(b []byte) []byte { return code(key, mabOf(b)) }, cause, [2]string{fact, text}}
		}
		over := func(name string, data func(b []byte) []byte, fact string) vector {
			return vector{name, func(b []byte) []byte { return code(mak, data(b)) }, reason.MACWrongCoverage, [2]string{"coverage", fact}}
		}
		by := func(name string, code func(data []byte) []byte, algorithm string) vector {
			return vector{name, func(b []byte) []byte { return code(mabOf(b)) }, reason.MACWrongAlgorithm, [2]string{"algorithm", algorithm}}
		}
		list := []vector{
			under("not decrypted", field[:makLen], reason.MACKeyHalfLoaded, "form", "undecrypted"),
			under("4 before", unwrap(ecbMode, m.tmk, m.now.de62[16:16+makLen]), reason.MACKeyHalfLoaded, "form", "offset_4"),
			under("8 before", unwrap(ecbMode, m.tmk, m.now.de62[12:12+makLen]), reason.MACKeyHalfLoaded, "form", "offset_8"),
			under("4 after", unwrap(ecbMode, m.tmk, m.now.de62[24:40][:makLen]), reason.MACKeyHalfLoaded, "form", "offset_4"),
			under("former master", unwrap(ecbMode, m.old, field[:makLen]), reason.MACMasterKeyMismatch, "form", "former_master"),
			under("other cipher", unwrap(otherMode, m.tmk, field)[:makLen], reason.MACKeyHalfLoaded, "form", "wrong_cipher"),
			under("single DES", unwrap("des-ede-ecb", m.tmk[:8], field[:makLen]), reason.MACKeyHalfLoaded, "cipher", "DES"),
			under("key before", unwrap(ecbMode, m.tmk, m.former[0].de62[20:20+makLen]), reason.MACStaleKey, "source", "own_former"),
			over("header in", func(b []byte) []byte { return b[5 : len(b)-8] }, "header_in"),
			over("TPDU in", func(b []byte) []byte { return b[:len(b)-8] }, "tpdu_in"),
			over("message type out", func(b []byte) []byte { return mabOf(b)[2:] }, "mti_out"),
			over("bitmap out", func(b []byte) []byte { return append(bytes.Clone(mabOf(b)[:2]), mabOf(b)[10:]...) }, "bitmap_out"),
			under("PIN key", unwrap(ecbMode, m.tmk, m.now.de62[:16])[:makLen], reason.MACKeyHalfLoaded, "form", "pin_key"),
			over("length in", func(b []byte) []byte { return append([]byte{byte(len(b) >> 8), byte(len(b))}, b[:len(b)-8]...) }, "length_in"),
			over("both out", func(b []byte) []byte { return mabOf(b)[10:] }, "mti_and_bitmap_out"),
			over("DE49 out", func(b []byte) []byte {
				return bytes.Replace(mabOf(b), []byte("898310058120001156"), []byte("898310058120001"), 1)
			}, "missing:49"),
			over("last out", func(b []byte) []byte { return mabOf(b)[:len(mabOf(b))-9] }, "last_missing:60"),
		}
		if makLen == 16 {
			list = append(list, under("left", twice(mak[:8]), reason.MACKeyHalfLoaded, "form", "left_half"),
				under("right", twice(mak[8:]), reason.MACKeyHalfLoaded, "form", "right_half"),
				under("swapped", append(bytes.Clone(mak[8:]), mak[:8]...), reason.MACKeyHalfLoaded, "form", "swapped"))
		}
		switch p.mac {
		case mac.UnionPayECBDES:
			list = append(list, by("X9.9", func(d []byte) []byte { return osslChain(t, "des-ede-cbc", mak, d) }, "X9.9"),
				by("ECB TDES over the whole field", func(d []byte) []byte { return osslFold(t, ecbMode, unwrap(ecbMode, m.tmk, field), d) }, "UnionPay ECB TDES"),
				by("ECB SM4 over the whole field", func(d []byte) []byte { return osslFold(t, "sm4-ecb", unwrap(ecbMode, m.tmk, field), d) }, "UnionPay ECB SM4"))
		case mac.UnionPayECBTDES:
			list = append(list, by("X9.19", func(d []byte) []byte { return osslRetail(t, mak, d) }, "X9.19"),
				by("CBC-MAC TDES", func(d []byte) []byte { return osslChain(t, "des-ede-cbc", mak, d) }, "CBC-MAC TDES"),
				by("ECB SM4", func(d []byte) []byte { return osslFold(t, "sm4-ecb", mak, d) }, "UnionPay ECB SM4"))
		case mac.X919:
			list = append(list, by("ECB DES", func(d []byte) []byte { return osslFold(t, "des-ede-ecb", mak[:8], d) }, "UnionPay ECB DES"))
		case mac.UnionPayECBSM4:
			list = append(list, by("SM4-CBC", func(d []byte) []byte { return osslChain(t, "sm4-cbc", mak, d) }, "CBC-MAC SM4"),
				by("ECB TDES", func(d []byte) []byte { return osslFold(t, "des-ede-ecb", mak, d) }, "UnionPay ECB TDES"),
				by("ECB DES", func(d []byte) []byte { return osslFold(t, "des-ede-ecb", mak[:8], d) }, "UnionPay ECB DES"))
			list = append(list, under("left half and zeros", append(bytes.Clone(mak[:8]), make([]byte, 8)...), reason.MACKeyHalfLoaded, "form", "left_half"))
		}
		for _, v := range list {
			frame := f.frame(t, f.sale())
			setMAC(frame, v.code(frame))
			got := f.Diagnose(f.caseOf(t, frame, reason.MACFailed))
			if got.Cause != v.cause || got.Fit != 1 || got.Facts[v.fact[0]] != v.fact[1] || got.Certainty == journal.Unproven {
				t.Errorf("%s, %s: %s %s %v", p.name, v.name, got.Cause, got.Certainty, got.Facts)
			}
		}
	}
}
