package listener_test

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"touchstone/authority"
	"touchstone/listener"
	"touchstone/reason"
)

var versions = []uint16{tls.VersionTLS12, tls.VersionTLS13}

// TestTLSEcho: a peer without a certificate and one with its own are both answered, over both versions.
func TestTLSEcho(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := overTLS(t, short(), false, nil)
	defer r.stop(t)
	own := r.office.device(t, serialText, -time.Hour, time.Hour)
	for _, version := range versions {
		config := r.client(nil)
		config.MinVersion, config.MaxVersion = version, version
		if code, state, err := r.talk(t, config); err != nil || code != approved || state.Version != version {
			t.Errorf("%s: answered %q, %v", tls.VersionName(version), code, err)
		}
		config.Certificates = []tls.Certificate{*own}
		if _, _, err := r.talk(t, config); err != nil {
			t.Errorf("%s with a certificate: %v", tls.VersionName(version), err)
		}
	}
	if n := r.server.Transport(); n[listener.HandshakeFull] != 4 || n.Refused() != 0 {
		t.Errorf("counted %v", n)
	}
}

// TestCertificates is the matrix of what a peer may present: each is refused at the handshake, counted by its
// class, and nothing of it reaches the journal.
func TestCertificates(t *testing.T) {
	defer goleak.VerifyNone(t)
	stranger := newOffice(t)
	for _, c := range []struct {
		name string
		make func(*office) *tls.Certificate
		want listener.Handshake
	}{
		{"none", func(*office) *tls.Certificate { return nil }, listener.RefusedNone},
		{"expired", func(o *office) *tls.Certificate { return o.device(t, serialText, -2*time.Hour, -time.Hour) }, listener.RefusedExpired},
		{"not yet valid", func(o *office) *tls.Certificate { return o.device(t, serialText, time.Hour, 2*time.Hour) }, listener.RefusedExpired},
		{"self-signed", func(o *office) *tls.Certificate {
			k := newKey(t)
			root, err := authority.Root(k, terms(t, -time.Hour, time.Hour), "test CA")
			if err != nil {
				t.Fatal(err)
			}
			return &tls.Certificate{Certificate: [][]byte{root.Raw}, PrivateKey: k, Leaf: root}
		}, listener.RefusedAuthority},
		{"of another authority of the same name", func(*office) *tls.Certificate { return stranger.device(t, serialText, -time.Hour, time.Hour) }, listener.RefusedAuthority},
		{"of the listener", func(o *office) *tls.Certificate { return &o.server }, listener.RefusedUse},
		{"for servers", func(o *office) *tls.Certificate {
			return o.other(t, func(x *x509.Certificate) { x.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
		}, listener.RefusedUse},
		{"for code", func(o *office) *tls.Certificate {
			return o.other(t, func(x *x509.Certificate) { x.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} })
		}, listener.RefusedUse},
		{"of this authority, in no record", func(o *office) *tls.Certificate {
			x := o.device(t, serialText, -time.Hour, time.Hour)
			o.mu.Lock()
			clear(o.state)
			o.mu.Unlock()
			return x
		}, listener.RefusedAuthority},
		{"revoked", func(o *office) *tls.Certificate {
			x := o.device(t, serialText, -time.Hour, time.Hour)
			o.say(x.Leaf, "revoked")
			return x
		}, listener.RefusedRevoked},
		{"replaced", func(o *office) *tls.Certificate {
			x := o.device(t, serialText, -time.Hour, time.Hour)
			o.say(x.Leaf, "replaced")
			return x
		}, listener.RefusedRevoked},
		{"issued by a device", func(o *office) *tls.Certificate {
			between := o.device(t, serialText, -time.Hour, time.Hour)
			forger := &office{key: between.PrivateKey.(*ecdsa.PrivateKey), root: between.Leaf, state: map[[32]byte]string{}}
			low := forger.device(t, serialText, -time.Hour, time.Hour)
			o.say(low.Leaf, "")
			low.Certificate = append(low.Certificate, between.Leaf.Raw)
			return low
		}, listener.RefusedAuthority},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, version := range versions {
				r := overTLS(t, short(), true, nil)
				config := r.client(c.make(r.office))
				config.MinVersion, config.MaxVersion = version, version
				if config.Certificates != nil { // crypto/tls would not send one whose issuer the server does not name
					own := config.Certificates[0]
					config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &own, nil }
				}
				if code, _, err := r.talk(t, config); err == nil {
					t.Errorf("%s: answered %q", tls.VersionName(version), code)
				}
				until(t, "the refusal counted", func() bool { n := r.server.Transport(); return n[c.want] == 1 && n.Refused() == 1 })
				if n := r.server.Transport(); n[listener.HandshakeFull] != 0 {
					t.Errorf("counted %v", n)
				}
				r.stop(t)
				if got := r.sink.reasons(); len(got) != 0 {
					t.Errorf("%d entries", len(got))
				}
			}
		})
	}
}

// TestAnothersCertificate: what a connection proved is what the line is told, and another device's certificate
// speaks for no terminal but its own.
func TestAnothersCertificate(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := overTLS(t, short(), false, nil)
	defer r.stop(t)
	const ownID = 1
	own, other := r.office.device(t, serialText, -time.Hour, time.Hour), r.office.device(t, "00000304N9NL10000002", -time.Hour, time.Hour)
	id := authority.Fingerprint(own.Leaf)
	r.ledger.certificate = hex.EncodeToString(id[:])
	for _, c := range []struct {
		name   string
		config *tls.Config
		code   string
		why    reason.Reason
	}{
		{"its own", r.client(own), approved, reason.None},
		{"another's", r.client(other), reason.DeviceCertificateMismatch.DE39().String(), reason.DeviceCertificateMismatch},
		{"none", r.client(nil), reason.DeviceCertificateMismatch.DE39().String(), reason.DeviceCertificateMismatch},
	} {
		code, _, err := r.talk(t, c.config)
		if kept := r.sink.reasons(); err != nil || code != c.code || kept[len(kept)-1] != c.why {
			t.Errorf("%s: answered %q, %v, journaled %v", c.name, code, err, kept)
		}
	}
	plain := r.dial(t)
	defer plain.Close()
	plain.send(t, echo(t, fmt.Sprintf("%08d", ownID), 5))
	plain.silent(t)
	if kept := r.sink.reasons(); kept[len(kept)-1] != reason.TransportRefused {
		t.Errorf("plain TCP: journaled %v", kept)
	}
}

// TestRevokedWhileOpen: an open connection ends when its certificate is revoked, replaced or runs out, its next
// message is not answered, and no session of it is resumed. Another device's connection stays.
func TestRevokedWhileOpen(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, how := range []string{"revoked", "replaced", "expired", "unknown"} {
		for _, version := range versions {
			t.Run(how+" "+tls.VersionName(version), func(t *testing.T) {
				r := overTLS(t, short(), false, nil)
				defer r.stop(t)
				own, other := r.office.device(t, serialText, -time.Hour, time.Hour), r.office.device(t, "00000304N9NL10000002", -time.Hour, time.Hour)
				config := r.client(own)
				config.MinVersion, config.MaxVersion, config.ClientSessionCache = version, version, tls.NewLRUClientSessionCache(4)
				for range 2 { // the second has a session to resume
					if _, _, err := r.talk(t, config); err != nil {
						t.Fatal(err)
					}
				}
				if n := r.server.Transport(); n[listener.HandshakeResumed] != 1 {
					t.Fatalf("no session was resumed before: %v", n)
				}
				open, bystander := dialTLS(t, r, config), dialTLS(t, r, r.client(other))
				defer open.Close()
				defer bystander.Close()
				for _, c := range []*client{open, bystander} {
					c.send(t, echo(t, id(1), 7))
					c.hear(t)
				}
				// The two before have ended, and are not cut with it.
				until(t, "two are open", func() bool { return r.server.Counts().Open == 2 })
				before := len(r.sink.reasons())
				r.office.say(own.Leaf, how)
				if _, err := open.Write(echo(t, id(1), 8)); err == nil {
					if got, err := open.answer(); err == nil {
						t.Errorf("answered %+v after the revocation", got)
					}
				}
				if n := len(r.sink.reasons()); n != before {
					t.Errorf("%d entries more: the message was judged", n-before)
				}
				if code, _, err := r.talk(t, config); err == nil {
					t.Errorf("a session was resumed: %q", code)
				}
				bystander.send(t, echo(t, id(1), 9))
				bystander.hear(t)
				if n := r.server.Transport(); n[listener.CutByCertificate] != 1 {
					t.Errorf("counted %v", n)
				}
			})
		}
	}
}

func dialTLS(t testing.TB, r *tlsRig, config *tls.Config) *client {
	t.Helper()
	c, err := tls.Dial("tcp", r.addr, config)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return &client{c}
}

// TestSharedCaps: both doors count against the same bounds.
func TestSharedCaps(t *testing.T) {
	defer goleak.VerifyNone(t)
	l := short()
	l.FromAddress = 2
	r := overTLS(t, l, false, nil)
	defer r.stop(t)
	plain, secure := r.dial(t), dialTLS(t, r, r.client(nil))
	defer plain.Close()
	for _, c := range []*client{plain, secure} {
		c.send(t, echo(t, id(1), 1))
		c.hear(t)
	}
	if c, err := tls.Dial("tcp", r.addr, r.client(nil)); err == nil {
		t.Error("a third connection was taken over TLS")
		c.Close()
	}
	third := r.dial(t)
	third.silent(t)
	third.Close()
	secure.Close()
	until(t, "a place became free", func() bool { return r.server.Counts().Open == 1 })
	again := r.dial(t)
	defer again.Close()
	again.send(t, echo(t, id(1), 2))
	again.hear(t)
	if n := r.server.Counts(); n.TurnedAway != 2 {
		t.Errorf("counted %+v", n)
	}
}

// TestWrongPort: TLS and HTTP on the plain port, HTTP and plain frames on the TLS port: refused without waiting
// for more bytes, and counted by kind.
func TestWrongPort(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := overTLS(t, short(), false, nil)
	defer r.stop(t)
	for _, c := range []struct {
		name  string
		plain bool
		bytes []byte
		want  listener.Handshake
	}{
		{"ClientHello on plain", true, hello(t, r.client(nil)), listener.TLSOnPlain},
		{"its first two bytes on plain", true, []byte{0x16, 0x03}, listener.TLSOnPlain},
		{"GET on plain", true, []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), listener.HTTPOnPlain},
		{"PO on plain", true, []byte("PO"), listener.HTTPOnPlain},
		{"GET on TLS", false, []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), listener.RefusedHTTP},
		{"POST on TLS", false, []byte("POST / HTTP/1.1\r\nHost: x\r\n\r\n"), listener.RefusedHTTP},
		{"a frame on TLS", false, echo(t, id(1), 1), listener.RefusedPlain},
	} {
		was := r.server.Transport()[c.want]
		conn := r.raw(t)
		if c.plain {
			conn.Close()
			conn = r.dial(t)
		}
		if _, err := conn.Write(c.bytes); err != nil {
			t.Fatal(err)
		}
		if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: more bytes were waited for", c.name)
		}
		conn.Close()
		until(t, c.name, func() bool { return r.server.Transport()[c.want] == was+1 })
	}
	for _, got := range r.sink.reasons() {
		if got != reason.FrameMalformed {
			t.Errorf("journaled %v", got)
		}
	}
}

// TestEndOfOneDoor: a TLS listener that fails ends the server with its error.
func TestEndOfOneDoor(t *testing.T) {
	defer goleak.VerifyNone(t)
	r := overTLS(t, short(), false, nil)
	if err := r.doors[0].Listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-r.ended; err == nil {
		t.Error("Serve returned nil")
	}
	r.cancel()
	r.commit()
	r.wait.Wait()
}
