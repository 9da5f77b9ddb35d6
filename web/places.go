package web

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// placesOfEach is how many places of a listener addresses that proved a session or a key lately cannot take from those
// that did not, and the other way round.
const placesOfEach = MostClients / 4

// Bounds of who gives way.
const (
	provenLife = 24 * time.Hour  // how long an address is known by a session or key that came from it
	mostProven = 4096            // such addresses in one of two generations: some 100 bytes each
	patience   = 2 * time.Second // what waits longer without a whole request gives way to who holds fewer
)

// stage is what a connection is doing, the first to give way first.
type stage int

const (
	idle    stage = iota // between two requests: a browser asks again on another
	waiting              // no whole request has come yet
	serving              // a request of nobody known
	known                // a request with a session or a key
)

// Places is a listener with so many places, and so many for one address; no number grows for anybody. When all are taken, a connection of
// whoever holds the most gives way to who holds fewer: what is idle first, then what has not sent a whole request, then a
// request of nobody known, then any. So an address gets its share however many others fill the rest. Addresses that
// proved a session or a key lately have a share that the others cannot take, and leave them one.
type Places struct {
	net.Listener
	most, fromOne, ofEach int
	exempt                []netip.Prefix
	now                   func() time.Time

	mu       sync.Mutex // guards what follows
	all      int
	strange  int // of them, of addresses that proved nobody lately
	from     map[netip.Addr]*holder
	proven   map[netip.Addr]time.Time
	provenBy map[netip.Addr]time.Time // the generation before
}

// holder is one address with connections.
type holder struct {
	places map[*place]struct{}
	proven bool
	exempt bool // the operator's own proxy, whose connections are of many people: none gives way
}

// NewPlaces lets most connections of everybody in, fromOne of one address, and one beyond is closed at once, so that the
// others do not wait behind it. ofEach, at most half of most, is kept for each of both kinds of addresses. exempt are addresses whose
// connections are of many people: the operator's own proxies.
func NewPlaces(ln net.Listener, most, fromOne, ofEach int, exempt []netip.Prefix) *Places {
	return &Places{Listener: ln, most: most, fromOne: fromOne, ofEach: ofEach, exempt: exempt, now: time.Now, from: map[netip.Addr]*holder{}, proven: map[netip.Addr]time.Time{}}
}

// Follow has a server tell what its connections are doing; before Serve.
func (b *Places) Follow(s *http.Server) {
	s.ConnState = func(c net.Conn, now http.ConnState) {
		p := placeUnder(c)
		switch {
		case p == nil:
		case now == http.StateActive:
			p.to(waiting)
		case now == http.StateIdle:
			p.to(idle)
		}
	}
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, placeKey{}, placeUnder(c))
	}
}

type placeKey struct{}

// placeOf is the connection of a request; nil where its listener counts none.
func placeOf(ctx context.Context) *place {
	p, _ := ctx.Value(placeKey{}).(*place)
	return p
}

func placeUnder(c net.Conn) *place {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	p, _ := c.(*place)
	return p
}

// place is a connection that was let in.
type place struct {
	net.Conn
	of *Places
	at netip.Addr // what it is counted by

	// Guarded by of.mu.
	stage stage
	since time.Time
	left  bool
}

// Close implements net.Conn.
func (p *place) Close() error {
	p.of.mu.Lock()
	p.leave()
	p.of.mu.Unlock()
	return p.Conn.Close()
}

func (p *place) to(s stage) {
	if p == nil {
		return
	}
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	if p.stage != s { // a connection that waits does not begin to wait anew with its first byte
		p.stage, p.since = s, p.of.now()
	}
}

// serve notes that a whole request came.
func (p *place) serve() { p.to(serving) }

// prove notes that its request came with a session or a key.
func (p *place) prove() {
	if p == nil {
		return
	}
	p.to(known)
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	p.of.note(p.at)
	if h := p.of.from[p.at]; h != nil && !p.left {
		p.of.kind(h, true)
	}
}

// note keeps that an address is known, in bounded memory: when a generation is full the one before it is forgotten.
func (b *Places) note(at netip.Addr) {
	if _, there := b.proven[at]; !there && len(b.proven) >= mostProven {
		b.provenBy, b.proven = b.proven, map[netip.Addr]time.Time{}
	}
	b.proven[at] = b.now()
}

func (b *Places) lately(at netip.Addr) bool {
	last, there := b.proven[at]
	if !there {
		last, there = b.provenBy[at]
	}
	return there && b.now().Sub(last) < provenLife
}

// kind has a holder be of addresses that are known, or not, with all it has.
func (b *Places) kind(h *holder, proven bool) {
	if h.proven == proven {
		return
	}
	h.proven = proven
	if proven {
		b.strange -= len(h.places)
	} else {
		b.strange += len(h.places)
	}
}

// Accept implements net.Listener.
func (b *Places) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		p, out := b.enter(c)
		if out != nil {
			_ = out.Close() // it gave way, whatever closing says
		}
		if p != nil {
			return p, nil
		}
		_ = c.Close() // it is one too many, whatever closing says
	}
}

// enter gives a connection a place, or none; out is one that gave way to it.
func (b *Places) enter(c net.Conn) (in, out *place) {
	peer := PeerAddress(c.RemoteAddr().String())
	at := Customer(peer)
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.from[at]
	if h == nil {
		h = &holder{places: map[*place]struct{}{}, exempt: !peer.IsValid() || slices.ContainsFunc(b.exempt, func(n netip.Prefix) bool { return n.Contains(peer) })}
	}
	b.kind(h, h.exempt || b.lately(at))
	if !h.exempt && len(h.places) >= b.fromOne {
		return nil, nil
	}
	full := b.all >= b.most
	if !h.proven {
		full = full || b.strange >= b.most-b.ofEach
	}
	if full {
		if out = b.weakest(h); out == nil {
			return nil, nil
		}
		out.leave()
	}
	b.from[at] = h
	in = &place{Conn: c, of: b, at: at, stage: waiting, since: b.now()}
	h.places[in] = struct{}{}
	b.all++
	if !h.proven {
		b.strange++
	}
	return in, out
}

// weakest is the connection that gives way to one more of h; nil for none. Each is of an address that holds more than h
// would then hold, or as many and has kept its place waiting for longer than patience. It looks at every place once: some
// microseconds, and only where all are taken.
func (b *Places) weakest(h *holder) (weakest *place) {
	mine, weight := len(h.places), 0
	known := b.all - b.strange
	for _, other := range b.from {
		its := len(other.places)
		switch {
		case other.exempt, its <= mine:
			continue
		case other.proven && !h.proven && (b.all < b.most || known <= b.most-b.ofEach), !other.proven && h.proven && b.strange <= b.ofEach:
			continue // what is kept for the other kind
		}
		for p := range other.places {
			if its == mine+1 && (p.stage > waiting || b.now().Sub(p.since) < patience) {
				continue
			}
			if weakest == nil || p.before(its, weakest, weight) {
				weakest, weight = p, its
			}
		}
	}
	return weakest
}

// before tells whether a connection gives way before another: by what it is doing, by how many its address holds, by how long.
func (p *place) before(its int, other *place, others int) bool {
	switch {
	case p.stage != other.stage:
		return p.stage < other.stage
	case its != others:
		return its > others
	}
	return p.since.Before(other.since)
}

// leave takes a connection out of the count, once. The lock is held.
func (p *place) leave() {
	if p.left {
		return
	}
	p.left = true
	b := p.of
	h := b.from[p.at]
	delete(h.places, p)
	b.all--
	if !h.proven {
		b.strange--
	}
	if len(h.places) == 0 {
		delete(b.from, p.at)
	}
}
