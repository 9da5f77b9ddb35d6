package soft

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
)

// answer is one known answer; all values hexadecimal, all keys published.
type answer struct {
	name, key, data, want string
	compute               func(key, data []byte) ([]byte, error)
}

// knownAnswers is what SelfTest recomputes.
func knownAnswers() []answer {
	const double = "0123456789ABCDEFFEDCBA9876543210"
	return []answer{
		{"DES (FIPS 81, table B1)", "0123456789ABCDEF", "4E6F772069732074", "3FA40E8A984D4815", block(paycrypto.DES)},
		// Two-key example of the DES literature, also computed with OpenSSL 3.0.
		{"TDES", double, "0123456789ABCDE7", "7F1D0A77826B8AFF", block(paycrypto.TDES)},
		{"SM4 (GB/T 32907-2016, A.1)", double, double, "681EDF34D206965E86B3E94F536E4246", block(paycrypto.SM4)},
		{"AES (FIPS 197, C.3)", "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
			"00112233445566778899AABBCCDDEEFF", "8EA2B7CA516745BFEAFC49904B496089", block(paycrypto.AES)},
		// Test case 14 of the GCM submission to NIST: nonce of zeros, data as given.
		{"AES-GCM", "0000000000000000000000000000000000000000000000000000000000000000", "00000000000000000000000000000000",
			"CEA7403D4D606B6E074EC5D3BAF39D18D0D1C8A799996BF0265B98B5D48AB919", sealGCM},
		{"SHA-256 (FIPS 180, abc)", "", "616263", "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD", sum256},
		{"HMAC-SHA-256 (RFC 4231, 4.3)", "4A656665", "7768617420646F2079612077616E7420666F72206E6F7468696E673F",
			"5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843", hmac256},
		// testdata/vectors/cup.json, ecb-mac-des-1 and ecb-mac-sm4-1.
		{"UnionPay MAC, DES", "DAB36167E6DFB5EF", "02003020048000C0803100000000000000000100000103200032323030333630303130343531323534313131303030313135360024413330313936323131313131313131313131313131313131001322006603000600",
			"4535383035454342", code(mac.UnionPayECBDES)},
		{"UnionPay MAC, SM4", "12345678901234567890123456789012", "36303030313132303138313131343131303033303230313730393330313031303130313230313731303235303030373535303030303030303035353533",
			"3145383046333733", code(mac.UnionPayECBSM4)},
	}
}

// SelfTest recomputes published known answers of every algorithm the module uses. It fails with
// ErrSelfTest and the name of the first that differs.
func SelfTest() error { return compare(knownAnswers()) }

func compare(list []answer) error {
	for _, a := range list {
		key, err1 := hex.DecodeString(a.key)
		data, err2 := hex.DecodeString(a.data)
		want, err3 := hex.DecodeString(a.want)
		if err1 != nil || err2 != nil || err3 != nil {
			return fmt.Errorf("%w: %s: no hexadecimal digits", ErrSelfTest, a.name)
		}
		got, err := a.compute(key, data)
		if err != nil || !bytes.Equal(got, want) {
			return fmt.Errorf("%w: %s", ErrSelfTest, a.name)
		}
	}
	return nil
}

// block enciphers and checks that deciphering gives the data back.
func block(alg paycrypto.Algorithm) func(key, data []byte) ([]byte, error) {
	return func(key, data []byte) ([]byte, error) {
		c, err := paycrypto.NewCipher(alg, key)
		if err != nil {
			return nil, err
		}
		out, back := make([]byte, len(data)), make([]byte, len(data))
		if err := c.EncryptECB(out, data); err != nil {
			return nil, err
		}
		if err := c.DecryptECB(back, out); err != nil || !bytes.Equal(back, data) {
			return nil, ErrSelfTest
		}
		return out, nil
	}
}

func sealGCM(key, data []byte) ([]byte, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	g, err := cipher.NewGCM(b)
	if err != nil {
		return nil, err
	}
	return g.Seal(nil, make([]byte, g.NonceSize()), data, nil), nil
}

func sum256(_, data []byte) ([]byte, error) {
	sum := sha256.Sum256(data)
	return sum[:], nil
}

func hmac256(key, data []byte) ([]byte, error) {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil), nil
}

func code(alg mac.Algorithm) func(key, data []byte) ([]byte, error) {
	return func(key, data []byte) ([]byte, error) {
		k, err := mac.New(alg, 0, key)
		if err != nil {
			return nil, err
		}
		de64 := k.Sum8(data)
		return de64[:], nil
	}
}
