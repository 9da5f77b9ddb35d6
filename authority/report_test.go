package authority_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"touchstone/authority"
)

// TestReportSignature: by this key, over these bytes, for this purpose, and nothing else.
func TestReportSignature(t *testing.T) {
	ca, by := root(t)
	body := []byte(`{"version":1}`)
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384()} {
		key := must(ecdsa.GenerateKey(curve, rand.Reader))
		c := must(authority.Device(ca, by, &key.PublicKey, terms(time.Hour), serial))
		signature := must(authority.SignReport(rand.Reader, key, body))
		if err := authority.VerifyReport(c, body, signature); err != nil || len(signature) > authority.MaxSignature {
			t.Fatalf("%v, %d bytes", err, len(signature))
		}
		for i := range body {
			altered := bytes.Clone(body)
			altered[i] ^= 1
			if authority.VerifyReport(c, altered, signature) == nil {
				t.Errorf("byte %d of the report does not count", i)
			}
		}
		for i := range signature {
			altered := bytes.Clone(signature)
			altered[i] ^= 1
			if authority.VerifyReport(c, body, altered) == nil {
				t.Errorf("byte %d of the signature does not count", i)
			}
		}
		for name, s := range map[string][]byte{"none": nil, "cut": signature[:len(signature)-1], "longer": append(bytes.Clone(signature), 0), "long": make([]byte, 200)} {
			if !errors.Is(authority.VerifyReport(c, body, s), authority.ErrSignature) {
				t.Errorf("a signature that is %s", name)
			}
		}
		other := must(ecdsa.GenerateKey(curve, rand.Reader))
		if authority.VerifyReport(c, body, must(authority.SignReport(rand.Reader, other, body))) == nil {
			t.Error("another key's")
		}
		bare := sha256.Sum256(body)
		if authority.VerifyReport(c, body, must(ecdsa.SignASN1(rand.Reader, key, bare[:]))) == nil {
			t.Error("a signature without the domain, as for another purpose")
		}
	}
	weak := must(rsa.GenerateKey(rand.Reader, 2048))
	if _, err := authority.SignReport(rand.Reader, weak, body); !errors.Is(err, authority.ErrSignature) {
		t.Errorf("RSA: %v", err)
	}
	c := must(authority.Device(ca, by, &weak.PublicKey, terms(time.Hour), serial))
	if !errors.Is(authority.VerifyReport(c, body, []byte{1}), authority.ErrSignature) {
		t.Error("RSA")
	}
}
