package listener_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"touchstone/listener"
)

// How long a peer is waited for, exactly: over pipes in a bubble, as time_test.go has it, for a handshake takes a busy
// machine longer than some of these times.

// tlsPipes is a server on pipes, plain and TLS.
type tlsPipes struct {
	*tlsRig
	plain, secure *pipes
}

func tlsBubble(t *testing.T, limits listener.Limits, f func(t *testing.T, r *tlsPipes)) {
	synctest.Test(t, func(t *testing.T) {
		o, secure, plain := newOffice(t), newPipes(), newPipes()
		r := serve(t, plain, limits, func(r *rig) {
			r.doors = []listener.Secure{{Listener: secure, Certificate: func() (*tls.Certificate, error) { return &o.server, nil }, Gate: o.gate(false)}}
		})
		f(t, &tlsPipes{&tlsRig{r, o, ""}, plain, secure})
		r.stop(t)
	})
}

// shaken is a connection whose handshake is done.
func (r *tlsPipes) shaken(t *testing.T, config *tls.Config) *client {
	t.Helper()
	c := tls.Client(r.secure.connect(home), config)
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	return &client{c}
}

// TestPatience: what has proven nothing is heard for a short time; what has a certificate for a long one.
func TestPatience(t *testing.T) {
	l := listener.DefaultLimits()
	l.RefusalTick = 100 * time.Millisecond // each is a turn of the bubble
	tlsBubble(t, l, func(t *testing.T, r *tlsPipes) {
		for name, c := range map[string]struct {
			conn func() *client
			want time.Duration
		}{
			"plain, silent":              {func() *client { return r.plain.connect(home) }, l.FirstByte},
			"TLS, silent before a hello": {func() *client { return r.secure.connect(home) }, l.HandshakeTime},
			"TLS, silent after":          {func() *client { return r.shaken(t, r.client(nil)) }, l.FirstByte},
			"plain, silent after an echo": {func() *client {
				c := r.plain.connect(home)
				c.send(t, echo(t, id(1), 1))
				c.hear(t)
				return c
			}, l.Unproven},
			"with a certificate": {func() *client { return r.shaken(t, r.client(r.office.device(t, serialText, -time.Hour, time.Hour))) }, l.Idle},
		} {
			conn := c.conn()
			if d := conn.untilEnd(t); d != c.want {
				t.Errorf("%s: lived %s, want %s", name, d, c.want)
			}
			conn.Close()
		}
		if n := r.server.Transport(); n[listener.RefusedSlow] != 1 {
			t.Errorf("counted %v", n)
		}
	})
}

// TestPatienceOverTCP: a socket's deadlines end what is silent, too, and not before its time.
func TestPatienceOverTCP(t *testing.T) {
	l := short()
	l.FirstByte, l.HandshakeTime = 200*time.Millisecond, 200*time.Millisecond
	r := leakProof(t, l)
	for name, dial := range map[string]func() net.Conn{"plain": func() net.Conn { return r.dial(t) }, "TLS": func() net.Conn { return r.raw(t) }} {
		began := time.Now() // before the server can begin to wait
		c := dial()
		if err := c.SetReadDeadline(began.Add(patience)); err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, c); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
		if d := time.Since(began); d < l.FirstByte {
			t.Errorf("%s: lived %s, want %s", name, d, l.FirstByte)
		}
		c.Close()
	}
}

// TestSlowHello: one byte after the other does not lengthen the time for a handshake.
func TestSlowHello(t *testing.T) {
	l := listener.DefaultLimits()
	const pause = 100 * time.Millisecond
	tlsBubble(t, l, func(t *testing.T, r *tlsPipes) {
		slow := r.secure.connect(home)
		began := time.Now()
		for _, b := range hello(t, r.client(nil)) {
			if _, err := slow.Write([]byte{b}); err != nil {
				break
			}
			time.Sleep(pause)
		}
		if d := time.Since(began); d < l.HandshakeTime || d > l.HandshakeTime+pause {
			t.Errorf("bytes were taken for %s, want %s", d, l.HandshakeTime)
		}
		synctest.Wait()
		if n := r.server.Transport(); n[listener.RefusedSlow] != 1 {
			t.Errorf("counted %v", n)
		}
		healthy := r.shaken(t, r.client(nil))
		healthy.send(t, echo(t, id(1), 1))
		if got := healthy.hear(t); got.code != approved {
			t.Errorf("a healthy terminal was answered %+v", got)
		}
		healthy.Close()
	})
}

// TestSilentRevoked: a connection that says nothing ends too, within the second in which certificates are looked at.
func TestSilentRevoked(t *testing.T) {
	tlsBubble(t, listener.DefaultLimits(), func(t *testing.T, r *tlsPipes) {
		own := r.office.device(t, serialText, -time.Hour, time.Hour)
		c := r.shaken(t, r.client(own))
		c.send(t, echo(t, id(1), 7))
		c.hear(t)
		time.Sleep(300 * time.Millisecond)
		r.office.say(own.Leaf, "revoked")
		if d := c.untilEnd(t); d > time.Second {
			t.Errorf("felt after %s", d)
		}
		if n := r.server.Transport(); n[listener.CutByCertificate] != 1 {
			t.Errorf("counted %v", n)
		}
		c.Close()
	})
}
