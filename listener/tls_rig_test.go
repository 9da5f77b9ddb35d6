package listener_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"touchstone/authority"
	"touchstone/listener"
	"touchstone/pos"
)

// office is a certificate authority with what it has issued; its records can be changed while a server runs.
type office struct {
	key    *ecdsa.PrivateKey
	root   *x509.Certificate
	server tls.Certificate

	epoch atomic.Uint64
	mu    sync.Mutex
	state map[[32]byte]string // "" is good; absent is unknown
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func terms(t testing.TB, from, to time.Duration) authority.Terms {
	t.Helper()
	terms, err := authority.NewTerms(rand.Reader, time.Now(), to)
	if err != nil {
		t.Fatal(err)
	}
	terms.NotBefore = time.Now().Add(from)
	return terms
}

func newOffice(t testing.TB) *office {
	t.Helper()
	o := &office{key: newKey(t), state: map[[32]byte]string{}}
	var err error
	if o.root, err = authority.Root(o.key, terms(t, -time.Hour, time.Hour), "test CA"); err != nil {
		t.Fatal(err)
	}
	k := newKey(t)
	c, err := authority.Server(o.root, o.key, &k.PublicKey, terms(t, -time.Hour, time.Hour), []string{"localhost", "127.0.0.1"}, "")
	if err != nil {
		t.Fatal(err)
	}
	o.server = tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: k, Leaf: c}
	return o
}

// device issues a device certificate that is recorded and good.
func (o *office) device(t testing.TB, serial pos.Serial, from, to time.Duration) *tls.Certificate {
	t.Helper()
	k := newKey(t)
	c, err := authority.Device(o.root, o.key, &k.PublicKey, terms(t, from, to), serial)
	if err != nil {
		t.Fatal(err)
	}
	o.say(c, "")
	return &tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: k, Leaf: c}
}

// say changes a record.
func (o *office) say(c *x509.Certificate, why string) {
	o.mu.Lock()
	o.state[authority.Fingerprint(c)] = why
	o.mu.Unlock()
	o.epoch.Add(1)
}

func (o *office) standing(id [32]byte, _ pos.Instant) (string, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	why, known := o.state[id]
	if !known {
		why = "unknown"
	}
	return why, why == ""
}

func (o *office) gate(required bool) *authority.Gate {
	return &authority.Gate{Root: o.root, Standing: o.standing, Epoch: o.epoch.Load, Required: required}
}

// other makes a certificate that the authority's own code would not.
func (o *office) other(t testing.TB, change func(*x509.Certificate)) *tls.Certificate {
	t.Helper()
	k := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: serialText}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, o.root, &k.PublicKey, o.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	o.say(c, "") // recorded, so that only what was changed is against it
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: k, Leaf: c}
}

// tlsRig is a rig that hears TLS too.
type tlsRig struct {
	*rig
	office *office
	addr   string
}

func overTLS(t *testing.T, limits listener.Limits, required bool, prepare func(*rig)) *tlsRig {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := newOffice(t)
	r := overTCP(t, limits, func(r *rig) {
		r.doors = []listener.Secure{{Listener: ln, Certificate: func() (*tls.Certificate, error) { return &o.server, nil }, Gate: o.gate(required)}}
		if prepare != nil {
			prepare(r)
		}
	})
	return &tlsRig{r, o, ln.Addr().String()}
}

// client is a client's configuration that trusts the office.
func (r *tlsRig) client(cert *tls.Certificate) *tls.Config {
	c := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost", MinVersion: tls.VersionTLS12}
	c.RootCAs.AddCert(r.office.root)
	if cert != nil {
		c.Certificates = []tls.Certificate{*cert}
	}
	return c
}

// raw is a TCP connection to the TLS port.
func (r *tlsRig) raw(t testing.TB) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// talk makes a TLS connection and asks one echo over it: in TLS 1.3 a server's refusal of a certificate comes
// after the client's handshake is done.
func (r *tlsRig) talk(t *testing.T, config *tls.Config) (code string, state tls.ConnectionState, err error) {
	t.Helper()
	c, err := tls.Dial("tcp", r.addr, config)
	if err != nil {
		return "", tls.ConnectionState{}, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(echo(t, id(1), 1)); err != nil {
		return "", tls.ConnectionState{}, err
	}
	got, err := (&client{c}).answer()
	return got.code, c.ConnectionState(), err
}

// patience is how long a test waits for what has to come, on a machine that is busy with other things: how soon it comes
// is not what these tests are about. It is below the times of short, so that nothing they give up comes in its place.
const patience = 2 * time.Minute

// until polls until ok, for at most patience.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, patience)
		}
		time.Sleep(time.Millisecond)
	}
}

// leakProof is overTLS whose end is checked: no goroutine stays, and nothing was approved but what unharmed asked.
func leakProof(t *testing.T, limits listener.Limits) *tlsRig {
	t.Helper()
	before := goleak.IgnoreCurrent()
	r := overTLS(t, limits, false, nil)
	t.Cleanup(func() {
		r.stop(t)
		goleak.VerifyNone(t, before)
	})
	return r
}

// unharmed wants a healthy terminal answered.
func (r *tlsRig) unharmed(t *testing.T) {
	t.Helper()
	if code, _, err := r.talk(t, r.client(nil)); err != nil || code != approved {
		t.Errorf("a healthy terminal was answered %q, %v", code, err)
	}
}
