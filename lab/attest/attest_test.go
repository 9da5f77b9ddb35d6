package attest_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"touchstone/lab"
	"touchstone/lab/attest"
	"touchstone/pos"
)

var digest = strings.Repeat("a", 64)

func ecKey(t testing.TB, c elliptic.Curve) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func pemOf(t testing.TB, public crypto.PublicKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// sealed is a certificate that names the keys of named and carries the signatures of signing.
func sealed(t testing.TB, named, signing []crypto.Signer) []byte {
	t.Helper()
	x := &lab.Certificate{ID: "CRT-1", Issuer: "Laboratory", Scheme: lab.Scheme, Subject: lab.Subject{Maker: "M", Model: "S10", PackageDigest: digest}, Report: digest,
		Issued: pos.Instant(time.Hour), NotBefore: pos.Instant(time.Hour), Expires: pos.Instant(1000 * time.Hour)}
	for _, k := range named {
		id, _, err := attest.KeyID(k.Public())
		if err != nil {
			t.Fatal(err)
		}
		x.Signers = append(x.Signers, lab.Signer{Key: id})
	}
	p := attest.NewPredicate(x, []*lab.Observation{{Requirement: "POSC-HW-01", Verdict: lab.Pass, Transcript: digest}}, "ask")
	statement, err := attest.Statement(&p, digest)
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := attest.Seal(context.Background(), rand.Reader, statement, signing...)
	if err != nil {
		t.Fatal(err)
	}
	return envelope
}

func trust(t testing.TB, keys ...crypto.Signer) attest.Keys {
	var text []byte
	for _, k := range keys {
		text = append(text, "# a comment\n"...)
		text = append(text, pemOf(t, k.Public())...)
	}
	trusted, err := attest.ParseKeys(text)
	if err != nil {
		t.Fatal(err)
	}
	return trusted
}

// TestTwoTrustedKeysHaveToSign: whose signatures make a certificate, and whose do not.
func TestTwoTrustedKeysHaveToSign(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a, b, stranger := crypto.Signer(ecKey(t, elliptic.P256())), crypto.Signer(ed), crypto.Signer(ecKey(t, elliptic.P256()))
	list := func(k ...crypto.Signer) []crypto.Signer { return k }
	for _, c := range []struct {
		name    string
		named   []crypto.Signer
		signing []crypto.Signer
		trusted attest.Keys
		want    error
	}{
		{"both", list(a, b), list(a, b), trust(t, a, b), nil},
		{"both, in the other order, and another key is trusted too", list(a, b), list(b, a), trust(t, stranger, a, b), nil},
		{"one alone", list(a, b), list(a), trust(t, a, b), attest.ErrUnsigned},
		{"one of them twice", list(a, b), list(a, a), trust(t, a, b), attest.ErrUnsigned},
		{"one is not trusted", list(a, b), list(a, b), trust(t, a, stranger), attest.ErrUnsigned},
		{"nobody is", list(a, b), list(a, b), trust(t, stranger), attest.ErrUnsigned},
		{"one is not named in it", list(a), list(a, b), trust(t, a, b), attest.ErrEnvelope},
	} {
		v, err := attest.Open(context.Background(), sealed(t, c.named, c.signing), c.trusted)
		if !errors.Is(err, c.want) || (v == nil) != (c.want != nil) {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.want == nil && (v.Predicate.ID != "CRT-1" || len(v.Keys) != 2 || len(v.Subjects) != 2 || !strings.Contains(v.Predicate.Notice[0].EN, "no approval by PCI")) {
			t.Errorf("%s: %+v", c.name, v)
		}
	}
}

// TestEveryByteCounts: a byte of the payload, the type or a signature changed, and it is no certificate.
func TestEveryByteCounts(t *testing.T) {
	a, b := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256())
	both := []crypto.Signer{a, b}
	good, trusted := sealed(t, both, both), trust(t, a, b)
	var e map[string]any
	if err := json.Unmarshal(good, &e); err != nil {
		t.Fatal(err)
	}
	try := func(name string, change func(map[string]any)) {
		var copied map[string]any
		if err := json.Unmarshal(good, &copied); err != nil {
			t.Fatal(err)
		}
		change(copied)
		raw, err := json.Marshal(copied)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := attest.Open(context.Background(), raw, trusted); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	payload, err := base64.StdEncoding.DecodeString(e["payload"].(string))
	if err != nil {
		t.Fatal(err)
	}
	for i := range payload {
		try("payload", func(m map[string]any) {
			other := bytes.Clone(payload)
			other[i] ^= 1
			m["payload"] = base64.StdEncoding.EncodeToString(other)
		})
	}
	try("type", func(m map[string]any) { m["payloadType"] = "application/json" })
	try("no signature", func(m map[string]any) { m["signatures"] = []any{} })
	try("a signature without a key id", func(m map[string]any) { m["signatures"].([]any)[0].(map[string]any)["keyid"] = "" })
	try("a signature of the other key", func(m map[string]any) {
		s := m["signatures"].([]any)
		s[0].(map[string]any)["sig"] = s[1].(map[string]any)["sig"]
	})
}

// TestKeysThatAreNotTrusted: what a file of trusted keys may not hold.
func TestKeysThatAreNotTrusted(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"nothing":     nil,
		"no PEM":      []byte("trust me"),
		"RSA":         pemOf(t, &rsaKey.PublicKey),
		"P-224":       pemOf(t, &ecKey(t, elliptic.P224()).PublicKey),
		"another one": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}),
	} {
		if keys, err := attest.ParseKeys(text); !errors.Is(err, attest.ErrKeys) || keys != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOpenSSLVerifies: the signatures are verified by OpenSSL alone, over the encoding that a few lines of Python
// make; the page of the laboratory shows the same lines.
func TestOpenSSLVerifies(t *testing.T) {
	for _, tool := range []string{"openssl", "python3"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("NOT RUN: no " + tool)
		}
	}
	dir := t.TempDir()
	a, b := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256())
	both := []crypto.Signer{a, b}
	if err := os.WriteFile(filepath.Join(dir, "crt-1.json"), sealed(t, both, both), 0o600); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/operating/laboratory.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(page), "<<'EOF'\n")
	script, _, end := strings.Cut(after, "EOF\n")
	if !found || !end {
		t.Fatal("the page has no lines of Python")
	}
	run := func(stdin, name string, args ...string) (string, error) {
		c := exec.Command(name, args...)
		c.Dir, c.Stdin = dir, strings.NewReader(stdin)
		out, err := c.CombinedOutput()
		return string(out), err
	}
	if out, err := run(script, "python3", "-", "crt-1.json"); err != nil {
		t.Fatal(out)
	}
	for i, k := range both {
		if err := os.WriteFile(filepath.Join(dir, "key.pem"), pemOf(t, k.Public()), 0o600); err != nil {
			t.Fatal(err)
		}
		sig := "sig" + string(rune('0'+i))
		if out, err := run("", "openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", sig, "pae"); err != nil || !strings.Contains(out, "Verified OK") {
			t.Errorf("signature %d: %s", i, out)
		}
		if out, err := run("", "openssl", "dgst", "-sha256", "-verify", "key.pem", "-signature", "sig"+string(rune('1'-i)), "pae"); err == nil {
			t.Errorf("the other key's signature is verified: %s", out)
		}
	}
}

// FuzzOpen: an envelope is refused, or it is the one that was signed.
func FuzzOpen(f *testing.F) {
	a, b := ecKey(f, elliptic.P256()), ecKey(f, elliptic.P256())
	both := []crypto.Signer{a, b}
	good, trusted := sealed(f, both, both), trust(f, a, b)
	f.Add(good)
	f.Add([]byte(`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"keyid":"","sig":""}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := attest.Open(context.Background(), raw, trusted)
		if (v == nil) == (err == nil) {
			t.Fatal("neither refused nor verified")
		}
		if err == nil && v.Predicate.ID != "CRT-1" {
			t.Fatal("another certificate")
		}
	})
}

// FuzzTrustedKeys: a file of trusted keys.
func FuzzTrustedKeys(f *testing.F) {
	f.Add(pemOf(f, &ecKey(f, elliptic.P256()).PublicKey))
	f.Fuzz(func(t *testing.T, text []byte) {
		if keys, err := attest.ParseKeys(text); (err == nil) == (len(keys) == 0) {
			t.Fatal("no key and no error, or both")
		}
	})
}
