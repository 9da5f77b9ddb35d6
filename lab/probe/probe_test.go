package probe_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"touchstone/lab"
	"touchstone/lab/probe"
)

// endpoint is a TLS listener on loopback.
func endpoint(t *testing.T, c *tls.Config) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			raw, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer raw.Close()
				over := tls.Server(raw, c)
				if over.Handshake() == nil {
					_, _ = io.Copy(io.Discard, over)
				}
			})
		}
	})
	t.Cleanup(func() { ln.Close(); all.Wait() })
	return ln.Addr().String()
}

// maker is an authority of a test.
type maker struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newMaker(t *testing.T) *maker {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	m := &maker{key: key}
	m.cert = m.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "root"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, key)
	return m
}

// sign makes a certificate of key; the first is the maker's own.
func (m *maker) sign(t *testing.T, c *x509.Certificate, key crypto.Signer) *x509.Certificate {
	t.Helper()
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	if c.NotBefore.IsZero() {
		c.NotBefore = time.Now().Add(-time.Hour)
	}
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(60 * 24 * time.Hour)
	}
	parent := m.cert
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), m.key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func (m *maker) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.cert.Raw})
}

func server(t *testing.T, m *maker, change func(*x509.Certificate), key crypto.Signer) *tls.Config {
	t.Helper()
	c := &x509.Certificate{Subject: pkix.Name{CommonName: "host"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true}
	change(c)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{m.sign(t, c, key).Raw}, PrivateKey: key}}}
}

func run(t *testing.T, r *probe.Rig, check string) probe.Outcome {
	t.Helper()
	r.Now = time.Now
	if r.Gate == nil {
		r.Gate = func(context.Context, string) error { return nil }
	}
	out, err := probe.Run(t.Context(), r, check)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := probe.ReadTranscript(out.Transcript)
	if err != nil {
		t.Fatal(err)
	}
	if again := probe.Judge(steps); again.Verdict != out.Verdict || again.Detail != out.Detail {
		t.Errorf("%s: from its transcript %s, when done %s", check, again.Verdict, out.Verdict)
	}
	return out
}

// TestServerCertificate: a sound one passes; one wrong in one property fails.
func TestServerCertificate(t *testing.T) {
	m, other := newMaker(t), newMaker(t)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		by     *maker
		change func(*x509.Certificate)
		key    crypto.Signer
		want   lab.Verdict
	}{
		{"sound", m, func(*x509.Certificate) {}, m.key, lab.Pass},
		{"of another authority", other, func(*x509.Certificate) {}, m.key, lab.Fail},
		{"13 days left", m, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(13 * 24 * time.Hour) }, m.key, lab.Fail},
		{"ended", m, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, m.key, lab.Fail},
		{"not begun", m, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }, m.key, lab.Fail},
		{"a name and no alternative name", m, func(c *x509.Certificate) { c.IPAddresses, c.Subject.CommonName = nil, "127.0.0.1" }, m.key, lab.Fail},
		{"for clients", m, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }, m.key, lab.Fail},
		{"an authority itself", m, func(c *x509.Certificate) {
			c.IsCA, c.KeyUsage = true, x509.KeyUsageDigitalSignature|x509.KeyUsageCertSign
		}, m.key, lab.Fail},
		{"RSA of 1024 bits", m, func(*x509.Certificate) {}, small, lab.Fail},
	} {
		at := endpoint(t, server(t, c.by, c.change, c.key))
		if out := run(t, &probe.Rig{TLS: at, CA: m.pem()}, "server-certificate"); out.Verdict != c.want {
			t.Errorf("%s: %s, %s", c.name, out.Verdict, out.Detail.EN)
		}
	}
}

// TestOldTLS: an endpoint that still speaks TLS 1.0 or 1.1 fails, so does one without TLS 1.3; nobody there is
// inconclusive.
func TestOldTLS(t *testing.T) {
	m := newMaker(t)
	for _, c := range []struct {
		name        string
		least, most uint16
		want        lab.Verdict
	}{
		{"1.2 and 1.3", tls.VersionTLS12, tls.VersionTLS13, lab.Pass},
		{"from 1.0 on", tls.VersionTLS10, tls.VersionTLS13, lab.Fail},
		{"from 1.1 on", tls.VersionTLS11, tls.VersionTLS13, lab.Fail},
		{"no 1.3", tls.VersionTLS12, tls.VersionTLS12, lab.Fail},
		{"no 1.2", tls.VersionTLS13, tls.VersionTLS13, lab.Fail},
	} {
		s := server(t, m, func(*x509.Certificate) {}, m.key)
		s.MinVersion, s.MaxVersion = c.least, c.most
		s.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
		out := run(t, &probe.Rig{TLS: endpoint(t, s)}, "old-tls")
		if out.Verdict != c.want {
			t.Errorf("%s: %s, %s", c.name, out.Verdict, out.Detail.EN)
		}
	}
	// Not a port that was free a moment ago: somebody else may have it by now.
	if out := run(t, &probe.Rig{TLS: "127.0.0.1:1"}, "old-tls"); out.Verdict != lab.Inconclusive {
		t.Errorf("nobody there: %s", out.Verdict)
	}
}

// TestAStopEndsACheck: what the gate refuses is not sent, and nothing is found.
func TestAStopEndsACheck(t *testing.T) {
	stopped, sent := errors.New("stopped"), 0
	m := newMaker(t)
	at := endpoint(t, server(t, m, func(*x509.Certificate) {}, m.key))
	r := &probe.Rig{TLS: at, Now: time.Now, Gate: func(context.Context, string) error {
		if sent++; sent > 3 {
			return stopped
		}
		return nil
	}}
	out, err := probe.Run(t.Context(), r, "old-tls")
	if !errors.Is(err, stopped) || out.Verdict != "" || sent != 4 {
		t.Errorf("%v, %q after %d", err, out.Verdict, sent)
	}
	if _, err := probe.Run(t.Context(), r, "guess"); !errors.Is(err, probe.ErrCheck) {
		t.Errorf("no such check: %v", err)
	}
}

// TestJudge: the worst step decides.
func TestJudge(t *testing.T) {
	step := func(got string) probe.Step { return probe.Step{Name: "s", Want: []string{"right"}, Got: got} }
	for _, c := range []struct {
		name string
		got  []string
		want lab.Verdict
	}{
		{"nothing done", nil, lab.Inconclusive},
		{"all right", []string{"right", "right"}, lab.Pass},
		{"one not done", []string{"right", probe.GotNothing}, lab.Inconclusive},
		{"refused, and nobody can say why", []string{"right", probe.GotRefused}, lab.Inconclusive},
		{"one wrong", []string{"right", "wrong"}, lab.Fail},
		{"one wrong, one not done", []string{probe.GotUnsent, "wrong"}, lab.Fail},
		{"money moved", []string{probe.GotMoney}, lab.Fail},
	} {
		var steps []probe.Step
		for _, g := range c.got {
			steps = append(steps, step(g))
		}
		if r := probe.Judge(steps); r.Verdict != c.want || r.Detail.EN == "" || r.Detail.ZH == "" || strings.Contains(r.Detail.ZH, "%!") {
			t.Errorf("%s: %s %q", c.name, r.Verdict, r.Detail)
		}
	}
}

// FuzzTranscript: a kept transcript is read and judged, or refused.
func FuzzTranscript(f *testing.F) {
	f.Add([]byte(`{"step":"a","at":"","want":["x"],"answer":"","got":"x"}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		steps, err := probe.ReadTranscript(b)
		if err != nil {
			return
		}
		if r := probe.Judge(steps); r.Verdict == lab.Pass && len(bytes.TrimSpace(b)) == 0 {
			t.Fatal("nothing passes")
		}
	})
}
