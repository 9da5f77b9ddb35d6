package web

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"
)

// told is a connection from an address, which only tells that it was closed.
type told struct {
	net.Conn
	from   string
	closed bool
}

func (c *told) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.from)) }
func (c *told) Close() error         { c.closed = true; return nil }

// hall is places with a clock of the test's.
type hall struct {
	*Places
	t     *testing.T
	clock time.Time
}

func newHall(t *testing.T, most, fromOne, ofEach int) *hall {
	h := &hall{t: t, clock: time.Unix(1_800_000_000, 0)}
	h.Places = NewPlaces(nil, most, fromOne, ofEach, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")})
	h.now = func() time.Time { return h.clock }
	return h
}

// come is a connection from an address, nil where it is refused; what gave way is closed, as Accept does.
func (h *hall) come(from string) *place {
	h.t.Helper()
	in, out := h.enter(&told{from: from})
	if out != nil {
		_ = out.Close()
		if !out.Conn.(*told).closed {
			h.t.Error("who gave way is not closed")
		}
	}
	h.count()
	return in
}

// count holds the books against what is there.
func (h *hall) count() {
	h.t.Helper()
	all, strange := 0, 0
	for at, x := range h.from {
		if len(x.places) == 0 || !x.exempt && len(x.places) > h.fromOne {
			h.t.Fatalf("%s holds %d places", at, len(x.places))
		}
		all += len(x.places)
		if !x.proven {
			strange += len(x.places)
		}
	}
	if all != h.all || strange != h.strange || all > h.most || strange > h.most-h.ofEach && h.ofEach > 0 {
		h.t.Fatalf("%d places of which %d of strangers are counted as %d and %d, of %d", all, strange, h.all, h.strange, h.most)
	}
}

func (h *hall) holds(from string) int {
	if x := h.from[Customer(netip.MustParseAddrPort(from).Addr())]; x != nil {
		return len(x.places)
	}
	return 0
}

// TestS22Places: four addresses that take all they may do not keep a fifth out: it gets a share as large as theirs. One
// address alone still has no more than it may.
func TestS22Places(t *testing.T) {
	h := newHall(t, 1024, 256, 256)
	for i := range 4 {
		for range 300 {
			h.come(fmt.Sprintf("203.0.113.%d:1", i+1))
		}
	}
	if h.all != 768 {
		t.Fatalf("strangers hold %d", h.all)
	}
	for range 200 {
		if h.come("198.51.100.1:1") == nil {
			break
		}
	}
	if n := h.holds("198.51.100.1:1"); n < 150 || n > 156 {
		t.Errorf("a fifth address holds %d of 768 places of five", n)
	}
	h.clock = h.clock.Add(time.Hour) // nobody who holds as many can be waited out by who would hold more
	for range 20 {
		h.come("198.51.100.1:1")
	}
	if n := h.holds("198.51.100.1:1"); n > 156 {
		t.Errorf("a fifth address holds %d: the rest pay for it", n)
	}
	for i := range 4 {
		if n := h.holds(fmt.Sprintf("203.0.113.%d:1", i+1)); n > 160 {
			t.Errorf("attacker %d still holds %d", i, n)
		}
	}
}

// TestS22PlacesOfMany: a thousand addresses with one connection each, and a network's worth of IPv6: whoever says nothing
// gives way after two seconds, whoever asked does not.
func TestS22PlacesOfMany(t *testing.T) {
	h := newHall(t, 1024, 256, 256)
	asked := h.come("198.51.100.9:1")
	asked.serve()
	for i := range 1500 {
		h.come(fmt.Sprintf("[2001:db8:%x::1]:1", i))
	}
	if h.come("198.51.100.1:1") != nil {
		t.Error("a newcomer displaces who came this moment")
	}
	h.clock = h.clock.Add(patience)
	for i := range 700 {
		p := h.come(fmt.Sprintf("192.0.2.%d:1", i%200))
		if i < 200 && p == nil {
			t.Fatalf("newcomer %d waits behind who says nothing", i)
		}
		if p != nil {
			p.serve()
		}
	}
	if asked.left {
		t.Error("who had asked gave way to a newcomer")
	}
}

// TestS22PlacesAreKept: an address from which somebody signed in lately gets in, however many strangers hold all they can; and
// those that signed in do not keep a stranger out who comes to sign in.
func TestS22PlacesAreKept(t *testing.T) {
	h := newHall(t, 64, 16, 16)
	office := h.come("198.51.100.1:1")
	office.serve()
	office.prove()
	_ = office.Close()
	full := func(n int) {
		for i := range n {
			if p := h.come(fmt.Sprintf("203.0.113.%d:1", i+1)); p != nil {
				p.serve() // it has asked something and reads slowly: nothing of it is idle
			}
		}
	}
	full(200)
	if h.strange != 48 || h.come("203.0.113.250:1") != nil {
		t.Fatalf("strangers hold %d, and one more got in", h.strange)
	}
	for i := range 16 {
		if h.come("198.51.100.1:1") == nil {
			t.Fatalf("connection %d of the office is refused", i)
		}
	}
	if h.come("198.51.100.1:1") != nil {
		t.Error("the office has more than one address may")
	}
	h.clock = h.clock.Add(provenLife)
	for x := range h.from[netip.MustParseAddr("198.51.100.1")].places {
		_ = x.Close()
	}
	if h.come("198.51.100.1:1") != nil {
		t.Error("an address is known for longer than a day")
	}

	h = newHall(t, 64, 16, 16)
	for i := range 8 {
		for range 16 {
			if p := h.come(fmt.Sprintf("198.51.100.%d:1", i+1)); p != nil {
				p.serve()
				p.prove()
			}
		}
	}
	if h.all != 64 || h.strange != 0 {
		t.Fatalf("of those that signed in %d of %d", h.all-h.strange, h.all)
	}
	if h.come("203.0.113.1:1") == nil {
		t.Error("somebody who comes to sign in is kept out by those who did")
	}
	for range 60 {
		h.come("203.0.113.2:1")
		h.come("203.0.113.3:1")
	}
	if h.strange > 16 {
		t.Errorf("strangers took %d places of those who signed in", h.strange)
	}
}

// TestS22WhoGivesWay: of who holds more than their share: idle before waiting, waiting before served, nobody's before somebody's;
// an operator's proxy never.
func TestS22WhoGivesWay(t *testing.T) {
	h := newHall(t, 8, 8, 0)
	stages := []func(*place){func(p *place) { p.to(known) }, func(p *place) { p.serve() }, func(*place) {}, func(p *place) { p.to(idle) }}
	var held []*place
	for _, to := range stages {
		for range 2 {
			p := h.come("203.0.113.1:1")
			to(p)
			held = append(held, p)
			h.clock = h.clock.Add(time.Millisecond)
		}
	}
	for i, first := range []int{6, 7, 4, 5} {
		if h.come(fmt.Sprintf("198.51.100.%d:1", i+1)) == nil || !held[first].left {
			t.Errorf("newcomer %d: not the one that should give way did", i)
		}
	}
	if !held[4].left || held[0].left || held[1].left {
		t.Error("a request of somebody gave way before others")
	}

	h = newHall(t, 8, 2, 0)
	for range 8 {
		if h.come("10.0.0.1:1") == nil {
			t.Fatal("a proxy is bounded as one address")
		}
	}
	h.clock = h.clock.Add(time.Hour)
	if h.come("203.0.113.1:1") != nil || h.holds("10.0.0.1:1") != 8 {
		t.Error("a proxy's connection gave way")
	}
}

// TestPlacesLeft: a connection that ends, even twice, makes room once; what is known of addresses is bounded.
func TestPlacesLeft(t *testing.T) {
	h := newHall(t, 4, 4, 0)
	p := h.come("203.0.113.1:1")
	_ = p.Close()
	_ = p.Close()
	p.serve()
	p.prove() // its handler may still be at work
	if h.count(); h.all != 0 || len(h.from) != 0 {
		t.Errorf("%d places after all ended", h.all)
	}
	var none *place
	none.serve() // a request of a listener without places
	none.prove()
	for i := range 3 * mostProven {
		p := h.come(fmt.Sprintf("[2001:db8:%x:%x::1]:1", i/256, i%256))
		p.prove()
		_ = p.Close()
	}
	if n := len(h.proven) + len(h.provenBy); n > 2*mostProven || n < mostProven {
		t.Errorf("%d addresses are known", n)
	}
}
