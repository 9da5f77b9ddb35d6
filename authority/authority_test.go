package authority_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"testing"
	"time"

	"touchstone/authority"
	"touchstone/pos"
	"touchstone/registry"
)

const serial = pos.Serial("00000304N9NL10000001")

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func p256() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

func terms(life time.Duration) authority.Terms {
	return must(authority.NewTerms(rand.Reader, time.Now(), life))
}

func root(t *testing.T) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	k := p256()
	return must(authority.Root(k, terms(time.Hour), "test CA")), k
}

// TestRequests: which requests a certificate is made for.
func TestRequests(t *testing.T) {
	good := must(authority.Request(rand.Reader, p256(), serial))
	block, _ := pem.Decode(good)
	altered := bytes.Clone(block.Bytes)
	altered[len(altered)-1] ^= 1
	of := func(key crypto.Signer) []byte { return must(authority.Request(rand.Reader, key, serial)) }
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		bytes []byte
		want  error
	}{
		{"PEM", good, nil},
		{"DER", block.Bytes, nil},
		{"P-384", of(must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))), nil},
		{"RSA 2048", of(must(rsa.GenerateKey(rand.Reader, 2048))), nil},
		{"P-521", of(must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))), authority.ErrWeakKey},
		{"P-224", of(must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))), authority.ErrWeakKey},
		{"Ed25519", of(ed), authority.ErrWeakKey},
		{"of another device", must(authority.Request(rand.Reader, p256(), serial+"2")), authority.ErrRequest},
		{"signature altered", altered, authority.ErrRequest},
		{"empty", nil, authority.ErrRequest},
		{"cut", block.Bytes[:100], authority.ErrRequest},
		{"bytes after it", append(bytes.Clone(block.Bytes), 0), authority.ErrRequest},
		{"a certificate", authority.PEM(must(authority.Root(p256(), terms(time.Hour), "x")).Raw), authority.ErrRequest},
	} {
		key, err := authority.ParseRequest(c.bytes, serial)
		if !errors.Is(err, c.want) || c.want == nil && (err != nil || key == nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// TestDeviceCertificate: what is in it, by what x509 reads back.
func TestDeviceCertificate(t *testing.T) {
	ca, by := root(t)
	k := p256()
	c := must(authority.Device(ca, by, &k.PublicKey, terms(authority.DeviceLife), serial))
	switch {
	case c.Subject.CommonName != string(serial) || len(c.URIs) != 1 || c.URIs[0].String() != "urn:touchstone:device:"+string(serial):
		t.Errorf("names %v %v", c.Subject, c.URIs)
	case c.IsCA || c.KeyUsage != x509.KeyUsageDigitalSignature || len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth:
		t.Error("may do more than authenticate a client")
	case c.SerialNumber.BitLen() < 120 || c.SerialNumber.BitLen() > 127 || c.SerialNumber.Sign() < 0:
		t.Errorf("number of %d bits", c.SerialNumber.BitLen())
	case c.NotAfter.Sub(c.NotBefore) != (authority.DeviceLife + authority.Backdate).Truncate(time.Second):
		t.Errorf("valid for %s", c.NotAfter.Sub(c.NotBefore))
	}
	if err := authority.Record(registry.CertificateIssued, serial, "Wang", c).Check(); err != nil {
		t.Error(err)
	}
	if _, err := authority.Device(ca, by, "no key", terms(time.Hour), serial); !errors.Is(err, authority.ErrWeakKey) {
		t.Errorf("no key: %v", err)
	}
	again := must(authority.Device(ca, by, &k.PublicKey, terms(time.Hour), serial))
	if c.SerialNumber.Cmp(again.SerialNumber) == 0 {
		t.Error("two certificates of one number")
	}
	if ca.MaxPathLen != 0 || !ca.MaxPathLenZero || !ca.IsCA {
		t.Error("the root lets others issue")
	}
	if _, err := authority.NewTerms(io.LimitReader(rand.Reader, 15), time.Now(), time.Hour); err == nil {
		t.Error("a number was drawn from 15 bytes")
	}
}

// TestPublished: the same words make the same certificate, which a fixture relies on.
func TestPublished(t *testing.T) {
	k := p256()
	t1 := terms(time.Hour)
	if a, b := must(authority.Root(k, t1, "x")), must(authority.Root(k, t1, "x")); !bytes.Equal(a.Raw, b.Raw) {
		t.Error("two certificates from the same words differ")
	}
}

func TestServerAndList(t *testing.T) {
	ca, by := root(t)
	k := p256()
	c := must(authority.Server(ca, by, &k.PublicKey, terms(authority.ServerLife), []string{"pos.example", "127.0.0.1", "::1"}, "http://crl.example/x"))
	for _, name := range []string{"pos.example", "127.0.0.1", "::1"} {
		if err := c.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	if c.VerifyHostname("other.example") == nil || len(c.CRLDistributionPoints) != 1 || c.NotAfter.Sub(c.NotBefore) > 398*24*time.Hour {
		t.Error("names, list or life are wrong")
	}
	if _, err := authority.Server(ca, by, &k.PublicKey, terms(time.Hour), nil, ""); err == nil {
		t.Error("a certificate without a name")
	}
	der := must(authority.RevocationList(ca, by, 1, time.Now(), time.Hour, []x509.RevocationListEntry{{SerialNumber: big.NewInt(77), RevocationTime: time.Now()}}))
	list := must(x509.ParseRevocationList(der))
	if err := list.CheckSignatureFrom(ca); err != nil || len(list.RevokedCertificateEntries) != 1 {
		t.Errorf("%d entries, %v", len(list.RevokedCertificateEntries), err)
	}
}

// TestGate: the classes, and what a record says, at its bounds of time.
func TestGate(t *testing.T) {
	ca, by := root(t)
	k := p256()
	now := time.Now()
	c := must(authority.Device(ca, by, &k.PublicKey, terms(time.Hour), serial))
	why := ""
	g := &authority.Gate{Root: ca, Standing: func(id [32]byte, _ pos.Instant) (string, bool) {
		return why, why == "" && id == authority.Fingerprint(c)
	}, Epoch: func() uint64 { return 0 }}
	chain := []*x509.Certificate{c}
	for name, x := range map[string]struct {
		chain []*x509.Certificate
		at    time.Time
		why   string
		want  error
	}{
		"good":               {chain, now, "", nil},
		"first second":       {chain, c.NotBefore, "", nil},
		"before it":          {chain, c.NotBefore.Add(-1), "", authority.ErrExpired},
		"last second":        {chain, c.NotAfter, "", nil},
		"after it":           {chain, c.NotAfter.Add(time.Second), "", authority.ErrExpired},
		"revoked":            {chain, now, "revoked", authority.ErrRevoked},
		"replaced":           {chain, now, "replaced", authority.ErrRevoked},
		"expired by record":  {chain, now, "expired", authority.ErrExpired},
		"unknown":            {chain, now, "unknown", authority.ErrAuthority},
		"of the authority":   {[]*x509.Certificate{ca}, now, "not of a device", authority.ErrAuthority},
		"a word of tomorrow": {chain, now, "something else", authority.ErrAuthority},
		"none":               {nil, now, "", nil},
	} {
		why = x.why
		if err := g.Judge(x.chain, x.at); !errors.Is(err, x.want) || x.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, x.want)
		}
	}
	g.Required = true
	if err := g.Judge(nil, now); !errors.Is(err, authority.ErrNone) {
		t.Errorf("none where one is required: %v", err)
	}
}
