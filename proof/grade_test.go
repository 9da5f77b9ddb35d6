package proof_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"touchstone/paycrypto/mac"
	"touchstone/proof"
)

// TestMACRefusalWords: the words of refuse-mac, however people write them, and what each refuses.
func TestMACRefusalWords(t *testing.T) {
	all := []mac.Algorithm{mac.UnionPayECBDES, mac.UnionPayECBTDES, mac.UnionPayECBSM4, mac.CBCMACTDES, mac.X919}
	for name, c := range map[string]struct {
		words   []string
		refuses []mac.Algorithm
		kept    []string
	}{
		"nothing":            {nil, nil, nil},
		"fold":               {[]string{"xor-fold"}, []mac.Algorithm{mac.UnionPayECBDES, mac.UnionPayECBTDES, mac.UnionPayECBSM4}, []string{"xor-fold"}},
		"fold, spelled":      {[]string{"XOR fold"}, []mac.Algorithm{mac.UnionPayECBDES, mac.UnionPayECBTDES, mac.UnionPayECBSM4}, []string{"xor-fold"}},
		"single DES":         {[]string{"single-des"}, []mac.Algorithm{mac.UnionPayECBDES}, []string{"single DES"}},
		"open chain":         {[]string{"open chain"}, []mac.Algorithm{mac.CBCMACTDES}, []string{"open chain"}},
		"weak is every word": {[]string{"weak"}, all[:4], []string{"xor-fold", "single DES", "open chain"}},
		"two":                {[]string{"open chain", "single DES"}, []mac.Algorithm{mac.UnionPayECBDES, mac.CBCMACTDES}, []string{"single DES", "open chain"}},
		"an algorithm":       {[]string{"unionpay ecb sm4"}, []mac.Algorithm{mac.UnionPayECBSM4}, []string{"UnionPay ECB SM4"}},
	} {
		m, err := proof.ParseMACRefusal(c.words)
		if err != nil || !slices.Equal(m.Words(), c.kept) || m.Any() != (c.words != nil) {
			t.Errorf("%s: %v, %v", name, m.Words(), err)
		}
		for _, a := range all {
			if m.Refuses(a) != slices.Contains(c.refuses, a) {
				t.Errorf("%s: %s refused: %t", name, a, m.Refuses(a))
			}
		}
		if m.Refuses(mac.None) != m.Any() {
			t.Errorf("%s: no MAC at all is refused: %t", name, m.Refuses(mac.None))
		}
	}
	for _, word := range []string{"", "none", "strong", "DES", "xor-folded"} {
		if m, err := proof.ParseMACRefusal([]string{"xor-fold", word}); !errors.Is(err, proof.ErrMACRefusal) || m.Any() {
			t.Errorf("%q: %v", word, err)
		}
	}
}

// FuzzMACRefusal: whatever words are taken are written as words that mean the same.
func FuzzMACRefusal(f *testing.F) {
	for _, s := range []string{"weak", "xor-fold", "single DES,open chain", "UnionPay ECB SM4", "", "none", "x9.19,X9-19"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := proof.ParseMACRefusal(strings.Split(text, ","))
		if err != nil {
			if m.Any() {
				t.Fatal("a value came with the error")
			}
			return
		}
		again, err := proof.ParseMACRefusal(m.Words())
		if err != nil || again != m {
			t.Fatalf("%q is written as %q, which is %q: %v", text, m, again, err)
		}
	})
}
