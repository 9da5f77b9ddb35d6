package listener_test

import (
	"runtime"
	"testing"
	"time"
)

// TestSharedRoom: with room for 4 messages beyond the first of each connection, peers that pipeline have
// so many in the line and no more; a new peer is heard at once though they have taken the shared room; what
// was held back is answered when the others are.
func TestSharedRoom(t *testing.T) {
	const peers, each, shared = 3, 8, 4
	limits := short()
	limits.Shared = shared
	var seen chan struct{}
	r := overTCP(t, limits, func(r *rig) {
		seen = make(chan struct{}, 1000)
		r.ledger.seen = seen
	})
	r.sink.gate.Lock()
	var all []*client
	for p := range peers {
		c := r.dial(t)
		defer c.Close()
		for i := range each {
			c.send(t, echo(t, id(1+p), uint64(1+i)))
		}
		all = append(all, c)
	}
	for range peers + shared {
		<-seen
	}
	settled(t, func() bool { taken, of := r.server.Shared(); return taken == shared && of == shared })
	late := r.dial(t)
	defer late.Close()
	late.send(t, echo(t, id(9), 77))
	<-seen // it is in the line
	select {
	case <-seen:
		t.Error("more messages are in the line than there is room for")
	case <-time.After(20 * time.Millisecond): // nothing is expected: a wait that may be too short, never too long
	}
	r.sink.gate.Unlock()
	if got := late.hear(t); got.trace != 77 || got.code != "00" {
		t.Errorf("the new peer was answered %+v", got)
	}
	for p, c := range all {
		traces := map[uint64]bool{}
		for range each {
			got := c.hear(t)
			traces[got.trace] = got.code == "00"
		}
		if len(traces) != each {
			t.Errorf("peer %d was answered %v", p, traces)
		}
	}
	settled(t, func() bool { taken, _ := r.server.Shared(); return taken == 0 })
	r.stop(t)
}

// TestGoroutinesOfPeers: two a connection, whatever it sends, and none when it is gone.
func TestGoroutinesOfPeers(t *testing.T) {
	const peers = 100
	r := overTCP(t, short(), nil)
	first := r.dial(t) // when it has been answered, everything that runs without a peer is running
	first.send(t, echo(t, id(1), 1))
	first.hear(t)
	first.Close()
	settled(t, func() bool { return r.server.Counts().Open == 0 })
	before := runtime.NumGoroutine()
	var all []*client
	for p := range peers {
		c := r.dial(t)
		defer c.Close()
		for i := range 40 {
			c.send(t, echo(t, stranger, uint64(i)))
		}
		c.send(t, []byte{0, 100, 0x60}[:1+p%3])
		all = append(all, c)
	}
	for _, c := range all {
		for range 40 {
			c.hear(t)
		}
	}
	if n := runtime.NumGoroutine() - before; n > 2*peers {
		t.Errorf("%d goroutines for %d peers", n, peers)
	}
	for _, c := range all {
		c.Close()
	}
	settled(t, func() bool { return runtime.NumGoroutine() <= before })
	r.stop(t)
}

// settled polls what other goroutines bring about.
func settled(t *testing.T, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come about")
		}
	}
}
