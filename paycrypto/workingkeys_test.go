package paycrypto_test

import (
	"bytes"
	"errors"
	"testing"

	"touchstone/paycrypto"
	"touchstone/secret"
)

var codes = []paycrypto.SignInCode{
	paycrypto.SignInDES, paycrypto.SignInTDES, paycrypto.SignInTDESTrack, paycrypto.SignInSM4, paycrypto.SignInSM4Track,
}

// demoKeys makes working keys of the given lengths from published demonstration bytes.
func demoKeys(pik, mak, tdk int) paycrypto.WorkingKeys {
	take := func(n, from int) secret.Bytes { return secret.Take(bytes.Clone(demo[from : from+n])) }
	return paycrypto.WorkingKeys{PIK: take(pik, 1), MAK: take(mak, 3), TDK: take(tdk, 5)}
}

// TestLongMAK is the 16-byte MAK of docs/protocol/unionpay-pos.md, section 9A.20.
func TestLongMAK(t *testing.T) {
	for _, code := range []paycrypto.SignInCode{paycrypto.SignInTDES, paycrypto.SignInTDESTrack} {
		tmk := newCipher(t, paycrypto.TDES, demo[:16])
		keys := demoKeys(16, 16, 0)
		if code.Track() {
			keys = demoKeys(16, 16, 16)
		}
		de62, err := paycrypto.AppendWorkingKeys(nil, code, tmk, keys)
		if err != nil {
			t.Fatal(err)
		}
		var wrapped [16]byte
		var four [4]byte
		keys.MAK.Use(func(mak []byte) {
			err = tmk.EncryptECB(wrapped[:], mak)
			four = newCipher(t, paycrypto.TDES, mak).CheckValue()
		})
		if err != nil {
			t.Fatal(err)
		}
		check(t, "E(MAK)", de62[20:36], wrapped[:])
		check(t, "check value by 3DES", de62[36:40], four[:])
		got, err := paycrypto.ParseWorkingKeys(code, tmk, de62)
		if err != nil {
			t.Fatal(err)
		}
		sameKeys(t, got, keys)
	}
}

func TestAppendWorkingKeysRefuses(t *testing.T) {
	for _, code := range codes {
		tmk := demoCipher(t, code.Algorithm())
		size, tdk := 16, 0
		if code == paycrypto.SignInDES {
			size = 8
		}
		if code.Track() {
			tdk = 16
		}
		if _, err := paycrypto.AppendWorkingKeys(nil, code, tmk, demoKeys(size, size, tdk)); err != nil {
			t.Errorf("%03d: %v", code, err)
		}
		for _, keys := range []paycrypto.WorkingKeys{
			{}, demoKeys(0, size, tdk), demoKeys(size, 0, tdk), demoKeys(24-size, size, tdk),
			demoKeys(size-1, size, tdk), demoKeys(size+1, size, tdk), demoKeys(size, size-1, tdk), demoKeys(size, size+1, tdk),
			demoKeys(size, size, 16-tdk), demoKeys(size, size, 8), demoKeys(size, size, 15), demoKeys(24, size, tdk), demoKeys(size, 24, tdk),
		} {
			out, err := paycrypto.AppendWorkingKeys([]byte("before"), code, tmk, keys)
			if !errors.Is(err, paycrypto.ErrWorkingKey) || string(out) != "before" {
				t.Errorf("%03d with keys of %d, %d, %d bytes: %v", code, keys.PIK.Len(), keys.MAK.Len(), keys.TDK.Len(), err)
			}
		}
		for _, a := range algorithms {
			if a == code.Algorithm() {
				continue
			}
			wrong := demoCipher(t, a)
			if _, err := paycrypto.AppendWorkingKeys(nil, code, wrong, demoKeys(size, size, tdk)); !errors.Is(err, paycrypto.ErrMasterKey) {
				t.Errorf("%03d under %v: %v", code, a, err)
			}
			if _, err := paycrypto.ParseWorkingKeys(code, wrong, make([]byte, code.Size())); !errors.Is(err, paycrypto.ErrMasterKey) {
				t.Errorf("%03d under %v: %v", code, a, err)
			}
		}
		if _, err := paycrypto.ParseWorkingKeys(code, nil, make([]byte, code.Size())); !errors.Is(err, paycrypto.ErrMasterKey) {
			t.Errorf("%03d without a master key: %v", code, err)
		}
	}
	for _, code := range []paycrypto.SignInCode{0, 2, 7, 401} {
		_, one := paycrypto.AppendWorkingKeys(nil, code, demoCipher(t, paycrypto.DES), demoKeys(8, 8, 0))
		_, two := paycrypto.ParseWorkingKeys(code, demoCipher(t, paycrypto.DES), nil)
		if !errors.Is(one, paycrypto.ErrSignInCode) || !errors.Is(two, paycrypto.ErrSignInCode) || code.Size() != 0 {
			t.Errorf("%03d: %v, %v", code, one, two)
		}
	}
}

// TestWrongMasterKey is what a terminal sees that holds another key than the host.
func TestWrongMasterKey(t *testing.T) {
	de62, err := paycrypto.AppendWorkingKeys(nil, paycrypto.SignInTDES, newCipher(t, paycrypto.TDES, demo[:16]), demoKeys(16, 8, 0))
	if err != nil {
		t.Fatal(err)
	}
	got, err := paycrypto.ParseWorkingKeys(paycrypto.SignInTDES, newCipher(t, paycrypto.TDES, demo[1:17]), de62)
	if !errors.Is(err, paycrypto.ErrCheckValue) || got.PIK.Len()+got.MAK.Len()+got.TDK.Len() != 0 {
		t.Errorf("keys of %d bytes and %v", got.PIK.Len(), err)
	}
}

// FuzzParseWorkingKeys: what is accepted packs back to the same bytes.
func FuzzParseWorkingKeys(f *testing.F) {
	for _, v := range load(f, "cup.json") {
		if v.text(f, "kind") == "working-keys" {
			de62 := v.hex(f, "de62")
			for _, code := range codes {
				f.Add(uint16(code), de62)
			}
		}
	}
	f.Fuzz(func(t *testing.T, number uint16, de62 []byte) {
		code := paycrypto.SignInCode(number)
		a := code.Algorithm()
		if a == 0 {
			a = paycrypto.SM4
		}
		tmk := demoCipher(t, a)
		keys, err := paycrypto.ParseWorkingKeys(code, tmk, de62)
		if err != nil {
			if keys.PIK.Len()+keys.MAK.Len()+keys.TDK.Len() != 0 {
				t.Fatal("keys beside an error")
			}
			return
		}
		again, err := paycrypto.AppendWorkingKeys(nil, code, tmk, keys)
		if err != nil || !bytes.Equal(again, de62) {
			t.Fatalf("does not pack back: %v", err)
		}
	})
}

func BenchmarkAppendWorkingKeys(b *testing.B) {
	tmk, keys := newCipher(b, paycrypto.TDES, demo[:16]), demoKeys(16, 8, 0)
	room := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := paycrypto.AppendWorkingKeys(room, paycrypto.SignInTDES, tmk, keys); err != nil {
			b.Fatal(err)
		}
	}
}
