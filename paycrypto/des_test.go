package paycrypto_test

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	"touchstone/paycrypto"
)

// publishedDES are NBS Special Publication 500-20 known answers: the variable
// plaintext and permutation tests in part and the S-box test whole, then the
// FIPS 81 example; key, plaintext, ciphertext. All keys are published ones.
var publishedDES = [][3]string{
	{"0101010101010101", "8000000000000000", "95F8A5E5DD31D900"},
	{"0101010101010101", "4000000000000000", "DD7F121CA5015619"},
	{"0101010101010101", "2000000000000000", "2E8653104F3834EA"},
	{"1046913489980131", "0000000000000000", "88D55E54F54C97B4"},
	{"7CA110454A1A6E57", "01A1D6D039776742", "690F5B0D9A26939B"},
	{"0131D9619DC1376E", "5CD54CA83DEF57DA", "7A389D10354BD271"},
	{"07A1133E4A0B2686", "0248D43806F67172", "868EBB51CAB4599A"},
	{"3849674C2602319E", "51454B582DDF440A", "7178876E01F19B2A"},
	{"04B915BA43FEB5B6", "42FD443059577FA2", "AF37FB421F8C4095"},
	{"0113B970FD34F2CE", "059B5E0851CF143A", "86A560F10EC6D85B"},
	{"0170F175468FB5E6", "0756D8E0774761D2", "0CD3DA020021DC09"},
	{"43297FAD38E373FE", "762514B829BF486A", "EA676B2CB7DB2B7A"},
	{"07A7137045DA2A16", "3BDD119049372802", "DFD64A815CAF1A0F"},
	{"04689104C2FD3B2F", "26955F6835AF609A", "5C513C9C4886C088"},
	{"37D06BB516CB7546", "164D5E404F275232", "0A2AEEAE3FF4AB77"},
	{"1F08260D1AC2465E", "6B056E18759F5CCA", "EF1BF03E5DFA575A"},
	{"584023641ABA6176", "004BD6EF09176062", "88BF0DB6D70DEE56"},
	{"025816164629B007", "480D39006EE762F2", "A1F9915541020B56"},
	{"49793EBC79B3258F", "437540C8698F3CFA", "6FBF1CAFCFFD0556"},
	{"4FB05E1515AB73A7", "072D43A077075292", "2F22E49BAB7CA1AC"},
	{"49E95D6D4CA229BF", "02FE55778117F12A", "5A6B612CC26CCE4A"},
	{"018310DC409B26D6", "1D9D5C5018F728C2", "5F4C038ED12B2E41"},
	{"1C587F1C13924FEF", "305532286D6F295A", "63FAC0D034D9F793"},
	{"0123456789ABCDEF", "4E6F772069732074", "3FA40E8A984D4815"},
	// NIST SP 800-67, Appendix B, three-key example.
	{"0123456789ABCDEF23456789ABCDEF01456789ABCDEF0123", "5468652071756663", "A826FD8CE53B855F"},
	{"0123456789ABCDEF23456789ABCDEF01456789ABCDEF0123", "6B2062726F776E20", "CCE21C8112256FE6"},
	{"0123456789ABCDEF23456789ABCDEF01456789ABCDEF0123", "666F78206A756D70", "68D5C05DD9B6B900"},
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatalf("hex in the test's own data: %v", err)
	}
	return b
}

func TestDESPublished(t *testing.T) {
	for i, v := range publishedDES {
		key, plain, want := unhex(t, v[0]), unhex(t, v[1]), unhex(t, v[2])
		alg := paycrypto.TDES
		if len(key) == 8 {
			alg = paycrypto.DES
		}
		c, err := paycrypto.NewCipher(alg, key)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 8)
		c.Encrypt(got, plain)
		if !bytes.Equal(got, want) {
			t.Errorf("vector %d enciphers wrongly", i)
		}
		if c.Decrypt(got, got); !bytes.Equal(got, plain) {
			t.Errorf("vector %d deciphers wrongly", i)
		}
	}
}

// TestDESAgainstStandardLibrary compares key schedule and both directions with
// crypto/des on random keys of all three lengths, parity bits random.
func TestDESAgainstStandardLibrary(t *testing.T) {
	const rounds = 120_000
	random := rand.NewChaCha8([32]byte{'d', 'e', 's'})
	var key [24]byte
	var block, got, want [8]byte
	for i := range rounds {
		random.Read(key[:])
		random.Read(block[:])
		size := 8 + i%3*8
		own, err := paycrypto.NewCipher([]paycrypto.Algorithm{paycrypto.DES, paycrypto.TDES, paycrypto.TDES}[i%3], key[:size])
		if err != nil {
			t.Fatal(err)
		}
		theirs := standardDES(t, key[:size])
		own.Encrypt(got[:], block[:])
		theirs.Encrypt(want[:], block[:])
		if got != want {
			t.Fatalf("round %d: enciphers %d-byte key wrongly", i, size)
		}
		own.Decrypt(got[:], block[:])
		theirs.Decrypt(want[:], block[:])
		if got != want {
			t.Fatalf("round %d: deciphers %d-byte key wrongly", i, size)
		}
	}
}

func standardDES(t testing.TB, key []byte) cipher.Block {
	t.Helper()
	var c cipher.Block
	var err error
	switch len(key) {
	case 8:
		c, err = des.NewCipher(key)
	case 16:
		c, err = des.NewTripleDESCipher(append(append([]byte(nil), key...), key[:8]...))
	default:
		c, err = des.NewTripleDESCipher(key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func BenchmarkKeySchedule(b *testing.B) {
	key := bytes.Repeat([]byte{0x5B}, 24)
	for _, size := range []int{8, 16, 24} {
		alg := paycrypto.TDES
		if size == 8 {
			alg = paycrypto.DES
		}
		b.Run(alg.String()+"-"+[]string{"8", "16", "24"}[size/8-1], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = paycrypto.NewCipher(alg, key[:size])
			}
		})
		b.Run("crypto-des-"+[]string{"8", "16", "24"}[size/8-1], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				standardDES(b, key[:size])
			}
		})
	}
	for _, alg := range []paycrypto.Algorithm{paycrypto.AES, paycrypto.SM4} {
		b.Run(alg.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = paycrypto.NewCipher(alg, key[:16])
			}
		})
	}
}

func BenchmarkBlock(b *testing.B) {
	key := bytes.Repeat([]byte{0x5B}, 16)
	for _, alg := range []paycrypto.Algorithm{paycrypto.DES, paycrypto.TDES, paycrypto.AES, paycrypto.SM4} {
		b.Run(alg.String(), func(b *testing.B) {
			size := 16
			if alg == paycrypto.DES {
				size = 8
			}
			c, err := paycrypto.NewCipher(alg, key[:size])
			if err != nil {
				b.Fatal(err)
			}
			var x [16]byte
			b.ReportAllocs()
			for b.Loop() {
				c.Encrypt(x[:], x[:])
			}
		})
	}
}
