package check

import (
	"net"
	"net/netip"
	"sync"
)

// The most connections of everybody and of one address.
const (
	mostClients     = 1024
	mostFromAddress = 64
)

// Bounded lets so many connections in, and of one address so many; one beyond is closed at once. exempt are addresses
// whose connections are of many people: the operator's own proxies.
func Bounded(ln net.Listener, exempt []netip.Prefix) net.Listener {
	return &bounded{Listener: ln, exempt: exempt, from: map[netip.Addr]int{}}
}

type bounded struct {
	net.Listener
	exempt []netip.Prefix
	mu     sync.Mutex // guards what follows
	all    int
	from   map[netip.Addr]int
}

// Accept implements net.Listener.
func (b *bounded) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		at := network(addrOf(c.RemoteAddr().String()))
		if b.enter(at) {
			return &counted{Conn: c, leave: sync.OnceFunc(func() { b.leave(at) })}, nil
		}
		_ = c.Close() // it is one too many, whatever closing says
	}
}

func (b *bounded) enter(at netip.Addr) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	most := mostFromAddress
	for _, p := range b.exempt {
		if p.Contains(at) {
			most = mostClients
		}
	}
	if b.all >= mostClients || b.from[at] >= most {
		return false
	}
	b.all++
	b.from[at]++
	return true
}

func (b *bounded) leave(at netip.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all--
	if b.from[at]--; b.from[at] == 0 {
		delete(b.from, at)
	}
}

type counted struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *counted) Close() error {
	c.leave()
	return c.Conn.Close()
}
