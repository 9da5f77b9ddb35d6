package listener_test

import (
	"crypto/tls"
	"net"
	"runtime"
	"testing"
	"time"

	"touchstone/listener"
)

// used is what this process has in use after everything that can be freed was, in bytes.
func used() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// idleBound is the most that one idle connection may take, kernel buffers apart.
const idleBound = 64 << 10

// TestIdleMemory: a thousand idle connections, each after one answered message. The clients' side of TLS is let
// go, so that what is measured is the server's.
func TestIdleMemory(t *testing.T) {
	if raceDetector {
		t.Skip("memory is not measured under the race detector")
	}
	const conns = 1000
	for _, kind := range []string{"plain", "TLS", "TLS with a certificate"} {
		r := leakProof(t, short())
		config := r.client(nil)
		if kind == "TLS with a certificate" {
			config = r.client(r.office.device(t, serialText, -time.Hour, time.Hour))
		}
		open := make([]net.Conn, 0, conns)
		before := used()
		for i := range conns {
			if kind == "plain" {
				c := r.dial(t)
				c.send(t, echo(t, id(1), uint64(i)))
				c.hear(t)
				open = append(open, c.Conn)
				continue
			}
			raw := r.raw(t)
			c := tls.Client(raw, config)
			if _, err := c.Write(echo(t, id(1), uint64(i))); err != nil {
				t.Fatal(err)
			}
			if _, err := (&client{c}).answer(); err != nil {
				t.Fatal(err)
			}
			open = append(open, raw)
		}
		each := int64(used()-before) / conns
		t.Logf("%s: %d bytes for each of %d idle connections", kind, each, conns)
		if each > idleBound {
			t.Errorf("%s: %d bytes each, the most is %d", kind, each, idleBound)
		}
		if n := r.server.Counts().Open; n != conns {
			t.Errorf("%d are open", n)
		}
		for _, c := range open {
			c.Close()
		}
		until(t, "all ended", func() bool { return r.server.Counts().Open == 0 })
	}
}

// TestAbuseMemory: what a peer may make the server hold before it has proven anything is bounded, and given
// back: hundreds of peers that stop in the middle of all they may send.
func TestAbuseMemory(t *testing.T) {
	if raceDetector {
		t.Skip("memory is not measured under the race detector")
	}
	const peers = 500
	r := leakProof(t, short())
	r.unharmed(t)
	before := used()
	var open []net.Conn
	for range peers {
		c := r.raw(t)
		if _, err := c.Write(bigHandshake(1, 60000)[:listener.MaxUnproven-100]); err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	until(t, "all connected", func() bool { return r.server.Counts().Open >= peers })
	time.Sleep(200 * time.Millisecond) // what was sent is read; nothing tells when, and less read would only be less held
	each := int64(used()-before) / peers
	t.Logf("%d bytes for each of %d peers that sent %d bytes of handshake", each, peers, listener.MaxUnproven-100)
	if each > idleBound {
		t.Errorf("%d bytes each, the most is %d", each, idleBound)
	}
	for _, c := range open {
		c.Close()
	}
	until(t, "all ended", func() bool { return r.server.Counts().Open == 0 })
	if left := int64(used() - before); left > 4<<20 {
		t.Errorf("%d bytes are held after the end", left)
	}
	r.unharmed(t)
}
