package soft_test

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"touchstone/diagnosis"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
	"touchstone/reason"
)

// fault makes the MAC of a frame wrong in one way, or answers false where the machine cannot do that.
type fault struct {
	name  string
	spoil func(t *testing.T, f *fleet, frame []byte) bool
	cause reason.Cause
	facts map[string]string
	sure  bool // proven on one message
}

// cipherOf is the block cipher of the machine's master key.
func (m *machine) cipher(t testing.TB, key []byte) *paycrypto.Cipher {
	t.Helper()
	a := map[keys.Cipher]paycrypto.Algorithm{keys.DES: paycrypto.DES, keys.TDES: paycrypto.TDES, keys.SM4: paycrypto.SM4}[keys.CipherOf(m.code)]
	c, err := paycrypto.NewCipher(a, key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ecb(t testing.TB, c *paycrypto.Cipher, decrypt bool, in []byte) []byte {
	t.Helper()
	out := make([]byte, len(in))
	err := c.EncryptECB(out, in)
	if decrypt {
		err = c.DecryptECB(out, in)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func under(key func(t *testing.T, f *fleet) []byte) func(*testing.T, *fleet, []byte) bool {
	return func(t *testing.T, f *fleet, frame []byte) bool {
		k := key(t, f)
		if k == nil {
			return false
		}
		setMAC(frame, f.own.right(t, k, mabOf(frame)))
		return true
	}
}

func over(data func(f *fleet, frame []byte) []byte) func(*testing.T, *fleet, []byte) bool {
	return func(t *testing.T, f *fleet, frame []byte) bool {
		setMAC(frame, f.own.right(t, f.own.now.mak, data(f, frame)))
		return true
	}
}

func by(a mac.Algorithm, p mac.Padding) func(*testing.T, *fleet, []byte) bool {
	return func(t *testing.T, f *fleet, frame []byte) bool {
		key := f.own.now.mak
		switch {
		case a == f.own.mac && p == f.own.padding():
			return false
		case a == mac.UnionPayECBDES && f.own.mac == mac.UnionPayECBTDES, a == mac.X99 && (f.own.mac == mac.X919 || f.own.mac == mac.CBCMACTDES):
			return false // that is the left half used twice
		}
		if a == mac.UnionPayECBDES || a == mac.X99 || a == mac.CBCMACDES {
			if key = key[:8]; a == mac.CBCMACDES && f.own.long {
				return false
			}
		} else if len(key) < 16 {
			return false
		}
		if a == mac.UnionPayECBSM4 && !f.own.long || a == mac.CBCMACSM4 && f.own.code < 5 || (a == mac.CBCMACTDES || a == mac.RetailDES) && f.own.code >= 5 {
			return false
		}
		setMAC(frame, sum(t, a, p, key, mabOf(frame)))
		return true
	}
}

// offset is the MAK as read off its place in DE62.
func offset(by int) func(*testing.T, *fleet) []byte {
	return func(t *testing.T, f *fleet) []byte {
		at, n := len(f.own.tmk)+4+by, len(f.own.now.mak)
		if at+n > len(f.own.now.de62) {
			return nil
		}
		return ecb(t, f.own.cipher(t, f.own.tmk), true, f.own.now.de62[at:at+n])
	}
}

func wrapped(f *fleet) []byte {
	at := len(f.own.tmk) + 4
	return f.own.now.de62[at : at+len(f.own.now.mak)]
}

// unwrappedBy is the MAK as another cipher unwraps it.
func unwrappedBy(a paycrypto.Algorithm) func(*testing.T, *fleet) []byte {
	return func(t *testing.T, f *fleet) []byte {
		key, in := f.own.tmk, wrapped(f)
		switch {
		case len(key) < 16 || a == f.own.cipher(t, key).Algorithm():
			return nil
		case a == paycrypto.DES:
			key = key[:8]
		case a == paycrypto.SM4 && len(in) == 8:
			in = append(bytes.Clone(in), make([]byte, 8)...)
		}
		c, err := paycrypto.NewCipher(a, key)
		if err != nil {
			return nil
		}
		return ecb(t, c, true, in)[:len(f.own.now.mak)]
	}
}

func half(make16 func(left, right []byte) []byte) func(*testing.T, *fleet) []byte {
	return func(_ *testing.T, f *fleet) []byte {
		if k := f.own.now.mak; len(k) == 16 {
			return make16(k[:8], k[8:])
		}
		return nil
	}
}

func twice(b []byte) []byte { return append(bytes.Clone(b), b...) }

var faults = []fault{
	{"a key of the sign-in before", under(func(_ *testing.T, f *fleet) []byte { return f.own.former[0].mak }), reason.MACStaleKey, map[string]string{"source": "own_former"}, false},
	{"a key of three sign-ins before", under(func(_ *testing.T, f *fleet) []byte { return f.own.former[2].mak }), reason.MACStaleKey, map[string]string{"source": "own_former"}, false},
	{"left half", under(half(func(l, _ []byte) []byte { return twice(l) })), reason.MACKeyHalfLoaded, map[string]string{"form": "left_half"}, true},
	{"right half", under(half(func(_, r []byte) []byte { return twice(r) })), reason.MACKeyHalfLoaded, map[string]string{"form": "right_half"}, true},
	{"halves swapped", under(half(func(l, r []byte) []byte { return append(bytes.Clone(r), l...) })), reason.MACKeyHalfLoaded, map[string]string{"form": "swapped"}, true},
	{"left half and zeros", under(func(_ *testing.T, f *fleet) []byte {
		if f.own.mac != mac.UnionPayECBSM4 {
			return nil
		}
		return append(bytes.Clone(f.own.now.mak[:8]), make([]byte, 8)...)
	}), reason.MACKeyHalfLoaded, map[string]string{"form": "left_half"}, true},
	{"key not decrypted", under(func(_ *testing.T, f *fleet) []byte { return wrapped(f) }), reason.MACKeyHalfLoaded, map[string]string{"form": "undecrypted"}, true},
	{"unwrapped with DES", under(unwrappedBy(paycrypto.DES)), reason.MACKeyHalfLoaded, map[string]string{"form": "wrong_cipher", "cipher": "DES"}, true},
	{"unwrapped with TDES", under(unwrappedBy(paycrypto.TDES)), reason.MACKeyHalfLoaded, map[string]string{"form": "wrong_cipher", "cipher": "TDES"}, true},
	{"unwrapped with SM4", under(unwrappedBy(paycrypto.SM4)), reason.MACKeyHalfLoaded, map[string]string{"form": "wrong_cipher", "cipher": "SM4"}, true},
	{"read 4 bytes before", under(offset(-4)), reason.MACKeyHalfLoaded, map[string]string{"form": "offset_4", "direction": "before"}, true},
	{"read 4 bytes after", under(offset(4)), reason.MACKeyHalfLoaded, map[string]string{"form": "offset_4", "direction": "after"}, true},
	{"read 8 bytes before", under(offset(-8)), reason.MACKeyHalfLoaded, map[string]string{"form": "offset_8", "direction": "before"}, true},
	{"read 8 bytes after", under(offset(8)), reason.MACKeyHalfLoaded, map[string]string{"form": "offset_8", "direction": "after"}, true},
	{"the PIN key", under(func(_ *testing.T, f *fleet) []byte { return f.own.now.pik[:len(f.own.now.mak)] }), reason.MACKeyHalfLoaded, map[string]string{"form": "pin_key"}, true},
	{"unwrapped under the former master key", under(func(t *testing.T, f *fleet) []byte { return ecb(t, f.own.cipher(t, f.own.old), true, wrapped(f)) }),
		reason.MACMasterKeyMismatch, map[string]string{"form": "former_master"}, true},
	{"ECB DES", by(mac.UnionPayECBDES, 0), reason.MACWrongAlgorithm, map[string]string{"algorithm": "UnionPay ECB DES"}, true},
	{"ECB TDES", by(mac.UnionPayECBTDES, 0), reason.MACWrongAlgorithm, map[string]string{"algorithm": "UnionPay ECB TDES"}, true},
	{"ECB SM4", by(mac.UnionPayECBSM4, 0), reason.MACWrongAlgorithm, map[string]string{"algorithm": "UnionPay ECB SM4"}, true},
	{"X9.9", by(mac.X99, 0), reason.MACWrongAlgorithm, map[string]string{"algorithm": "X9.9"}, true},
	{"X9.19", by(mac.X919, 0), reason.MACWrongAlgorithm, map[string]string{"algorithm": "X9.19"}, true},
	{"CBC-MAC DES, padding 2", by(mac.CBCMACDES, mac.Padding2), reason.MACWrongAlgorithm, map[string]string{"padding": "2"}, true},
	{"CBC-MAC TDES, padding 2", by(mac.CBCMACTDES, mac.Padding2), reason.MACWrongAlgorithm, map[string]string{"padding": "2"}, true},
	{"X9.19, padding 2", by(mac.RetailDES, mac.Padding2), reason.MACWrongAlgorithm, map[string]string{"padding": "2"}, true},
	{"SM4-CBC", by(mac.CBCMACSM4, mac.Padding1), reason.MACWrongAlgorithm, map[string]string{"algorithm": "CBC-MAC SM4"}, true},
	{"SM4-CBC, padding 2", by(mac.CBCMACSM4, mac.Padding2), reason.MACWrongAlgorithm, map[string]string{"padding": "2"}, true},
	{"header in", over(func(_ *fleet, b []byte) []byte { return b[5 : len(b)-8] }), reason.MACWrongCoverage, map[string]string{"coverage": "header_in"}, true},
	{"TPDU in", over(func(_ *fleet, b []byte) []byte { return b[:len(b)-8] }), reason.MACWrongCoverage, map[string]string{"coverage": "tpdu_in"}, true},
	{"length in", over(func(_ *fleet, b []byte) []byte {
		return append([]byte{byte(len(b) >> 8), byte(len(b))}, b[:len(b)-8]...)
	}), reason.MACWrongCoverage, map[string]string{"coverage": "length_in"}, true},
	{"message type out", over(func(_ *fleet, b []byte) []byte { return mabOf(b)[2:] }), reason.MACWrongCoverage, map[string]string{"coverage": "mti_out"}, true},
	{"bitmap out", over(func(_ *fleet, b []byte) []byte { return append(bytes.Clone(mabOf(b)[:2]), mabOf(b)[10:]...) }), reason.MACWrongCoverage, map[string]string{"coverage": "bitmap_out"}, true},
	{"both out", over(func(_ *fleet, b []byte) []byte { return mabOf(b)[10:] }), reason.MACWrongCoverage, map[string]string{"coverage": "mti_and_bitmap_out"}, true},
	{"last element out", over(func(_ *fleet, b []byte) []byte { return mabOf(b)[:len(mabOf(b))-9] }), reason.MACWrongCoverage, map[string]string{"coverage": "last_missing:60"}, true},
	{"DE49 out", over(func(_ *fleet, b []byte) []byte {
		return bytes.Replace(mabOf(b), []byte("898310058120001156"), []byte("898310058120001"), 1)
	}),
		reason.MACWrongCoverage, map[string]string{"coverage": "missing:49"}, true},
	{"lower case", func(t *testing.T, f *fleet, b []byte) bool {
		for {
			code := f.own.right(t, f.own.now.mak, mabOf(b))
			if text := hex.EncodeToString(code[:4]); strings.ContainsAny(text, "abcdef") {
				copy(b[len(b)-8:], text)
				return true
			}
			b[len(b)-9] ^= 0x10 // another batch or reading digit
		}
	}, reason.MACWrongEncoding, map[string]string{"encoding": "lower_case"}, true},
	{"binary", func(t *testing.T, f *fleet, b []byte) bool {
		copy(b[len(b)-8:], f.own.right(t, f.own.now.mak, mabOf(b))[:8])
		return true
	}, reason.MACWrongEncoding, map[string]string{"encoding": "binary"}, true},
	{"four bytes and zeros", func(t *testing.T, f *fleet, b []byte) bool {
		clear(b[len(b)-8:])
		copy(b[len(b)-8:], f.own.right(t, f.own.now.mak, mabOf(b))[:4])
		return true
	}, reason.MACWrongEncoding, map[string]string{"encoding": "binary_4"}, true},
	{"the second four bytes", func(t *testing.T, f *fleet, b []byte) bool {
		setMAC(b, f.own.right(t, f.own.now.mak, mabOf(b))[4:])
		return true
	}, reason.MACWrongEncoding, map[string]string{"encoding": "second_part"}, true},
	{"a sibling's key", func(t *testing.T, f *fleet, b []byte) bool {
		m := f.siblings[f.rnd.IntN(len(f.siblings))]
		setMAC(b, m.right(t, m.now.mak, mabOf(b)))
		return true
	}, reason.MACOtherTerminalKey, map[string]string{"source": "sibling"}, false},
	{"a neighbour's key", func(t *testing.T, f *fleet, b []byte) bool {
		m := f.neighbours[f.rnd.IntN(len(f.neighbours))]
		setMAC(b, m.right(t, m.now.mak, mabOf(b)))
		return true
	}, reason.MACOtherTerminalKey, map[string]string{"source": "neighbour"}, false},
}

// TestDiagnoseEachFault: every terminal, every single fault: the finding is that cause, for what it is, and nothing else.
func TestDiagnoseEachFault(t *testing.T) {
	for n, p := range profiles {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, p, uint64(n), 3)
			done := 0
			for _, fault := range faults {
				for range 3 {
					frame := f.frame(t, f.sale())
					if !fault.spoil(t, f, frame) {
						continue
					}
					done++
					got := f.Diagnose(f.caseOf(t, frame, reason.MACFailed))
					want := journal.Proven
					if !fault.sure {
						want = journal.Indicated
					}
					if got.Cause == reason.MACOtherTerminalKey && got.Variant == "key_owner" || got.Facts["agrees"] != "" {
						want = journal.Proven
					}
					if got.Cause != fault.cause || got.Certainty != want || got.Fit != 1 {
						t.Errorf("%s: found %s, %s, %v of %d (%d fit)", fault.name, got.Cause, got.Certainty, got.Facts, got.Tried, got.Fit)
						continue
					}
					for name, text := range fault.facts {
						if got.Facts[name] != text {
							t.Errorf("%s: %s is %q", fault.name, name, got.Facts[name])
						}
					}
					if got.Tried > diagnosis.MaxExplanations || got.OneIn < 1<<32/diagnosis.MaxExplanations {
						t.Errorf("%s: %d tried, one in %d", fault.name, got.Tried, got.OneIn)
					}
				}
			}
			if done < 60 {
				t.Errorf("only %d faults done", done)
			}
		})
	}
}
