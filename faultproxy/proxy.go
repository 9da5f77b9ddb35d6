package faultproxy

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Config is what a proxy is made of.
type Config struct {
	To    string      // host:port on loopback
	Units Units       // Frames when nil
	Log   func(Event) // called for everything that is done to a unit, from many goroutines; nil: none
}

// Event is something that was done.
type Event struct {
	Conn  int   // number of the connection, from 1
	Unit  int   // number of the unit in its direction since Arm
	Bytes int   // size of the unit
	Toxic Toxic // Wait as drawn, Spread 0
}

// maxConns bounds the connections that are open at one time.
const maxConns = 1024

// dialTimeout is for the connection to the host.
const dialTimeout = 5 * time.Second

// ErrLoopback is returned for an address that is not on loopback.
var ErrLoopback = errors.New("fault proxy: only loopback addresses")

// Proxy is one listener and the connections through it.
type Proxy struct {
	cfg    Config
	ln     net.Listener
	ctx    context.Context // ends with Close
	stop   context.CancelFunc
	all    sync.WaitGroup
	timers sync.WaitGroup // of what leaves later by itself

	mu       sync.Mutex // guards everything below
	schedule Schedule
	random   *rand.Rand
	healed   chan struct{} // closed by the next Arm or Heal: nobody waits any longer
	units    [2]int
	accepted int // since Arm
	conns    map[*conn]struct{}
	total    int
	held     [2][]held
	fired    int
}

// held is a unit that leaves after another one.
type held struct {
	pipe *pipe
	unit []byte
	wait time.Duration // after that other one
}

// Listen starts a proxy on a loopback address. It does nothing to what passes until Arm.
func Listen(addr string, cfg Config) (*Proxy, error) {
	for _, a := range []string{addr, cfg.To} {
		ap, err := netip.ParseAddrPort(a)
		if err != nil {
			return nil, fmt.Errorf("fault proxy: %q: want an address and a port, such as 127.0.0.1:8583", a)
		}
		if !ap.Addr().IsLoopback() {
			return nil, fmt.Errorf("%w: %s", ErrLoopback, a)
		}
	}
	if cfg.Units == nil {
		cfg.Units = Frames
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	p := &Proxy{cfg: cfg, ln: ln, conns: map[*conn]struct{}{}, healed: make(chan struct{})}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.random = rand.New(rand.NewPCG(0, 0))
	p.all.Go(p.accept)
	return p, nil
}

// Addr is where terminals connect to.
func (p *Proxy) Addr() string { return p.ln.Addr().String() }

// Arm begins a schedule: units and connections are counted from 1 again. What an earlier schedule holds
// is let go first, as Heal does.
func (p *Proxy) Arm(s Schedule) {
	p.Heal()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.schedule, p.random = s, rand.New(rand.NewPCG(s.Seed, s.Seed))
	p.units, p.accepted, p.fired = [2]int{}, 0, 0
}

// Heal makes the network good again: delays end, units held are sent where they were bound for, late as
// they are, and connections that were half-open end.
func (p *Proxy) Heal() {
	p.mu.Lock()
	p.schedule = Schedule{}
	close(p.healed)
	p.healed = make(chan struct{})
	late := append(p.held[Request], p.held[Answer]...)
	p.held = [2][]held{}
	var blind []*conn
	for c := range p.conns {
		if c.pipes[Request].blind.Load() || c.pipes[Answer].blind.Load() {
			blind = append(blind, c)
		}
	}
	p.mu.Unlock()
	for _, h := range late {
		h.pipe.late(h.unit)
	}
	for _, c := range blind {
		c.close(false)
	}
}

// Fired tells how often a toxic has been applied since Arm.
func (p *Proxy) Fired() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fired
}

// Units tells how many units have come from either side since Arm.
func (p *Proxy) Units(d Direction) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.units[d]
}

// Close ends the listener and every connection, and returns when all of its goroutines have ended.
func (p *Proxy) Close() error {
	p.stop()
	err := p.ln.Close()
	p.mu.Lock()
	var all []*conn
	for c := range p.conns {
		all = append(all, c)
	}
	p.mu.Unlock()
	for _, c := range all {
		c.close(false)
	}
	p.all.Wait()
	p.timers.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		c, err := p.ln.Accept()
		if err != nil {
			if p.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			p.sleep(10 * time.Millisecond) // no descriptor is left: wait for one
			continue
		}
		if id, ok := p.admit(); ok {
			p.all.Go(func() { p.carry(id, c) })
		} else {
			c.Close()
		}
	}
}

// admit counts a connection and tells whether it is to be carried.
func (p *Proxy) admit() (id int, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total++
	p.accepted++
	for _, t := range p.schedule.Toxics {
		if t.Kind == Refuse && (t.Unit == 0 || t.Unit == p.accepted) {
			p.fire(Event{p.total, p.accepted, 0, t})
			return 0, false
		}
	}
	return p.total, len(p.conns) < maxConns
}

// fire counts and reports; p.mu is held.
func (p *Proxy) fire(e Event) {
	p.fired++
	if p.cfg.Log != nil {
		p.cfg.Log(e)
	}
}

// carry connects to the host, from the address the client has, and moves bytes until both ways have ended.
func (p *Proxy) carry(id int, down net.Conn) {
	defer down.Close()
	d := net.Dialer{Timeout: dialTimeout}
	if from, ok := down.RemoteAddr().(*net.TCPAddr); ok {
		d.LocalAddr = &net.TCPAddr{IP: from.IP}
	}
	up, err := d.DialContext(p.ctx, "tcp", p.cfg.To)
	if err != nil {
		return
	}
	c := newConn(p, id, down, up)
	p.mu.Lock()
	p.conns[c] = struct{}{}
	ended := p.ctx.Err() != nil
	p.mu.Unlock()
	if ended { // Close has looked for connections already
		c.close(false)
	}
	var both sync.WaitGroup
	both.Go(c.pipes[Request].run)
	both.Go(c.pipes[Answer].run)
	both.Wait()
	c.close(false)
	p.mu.Lock()
	delete(p.conns, c)
	p.mu.Unlock()
}

// next counts a unit and gives what is to be done to it, in the order of the schedule.
func (p *Proxy) next(id int, d Direction, size int) (todo []Toxic) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.units[d]++
	for _, t := range p.schedule.Toxics {
		if t.Direction == d && t.Kind != Refuse && (t.Unit == 0 || t.Unit == p.units[d]) {
			t.Wait, t.Spread = t.Wait+time.Duration(p.random.Int64N(int64(t.Spread)+1)), 0
			todo = append(todo, t)
			p.fire(Event{id, p.units[d], size, t})
		}
	}
	return todo
}

// segment draws the size of the next segment, 1 to most.
func (p *Proxy) segment(most int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return 1 + p.random.IntN(most)
}

// sleep waits, but no longer than until the network is healed or the proxy closed.
func (p *Proxy) sleep(d time.Duration) {
	p.mu.Lock()
	healed := p.healed
	p.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-healed:
	case <-p.ctx.Done():
	}
}

// hold keeps a unit until the next one of its direction has passed.
func (p *Proxy) hold(q *pipe, unit []byte, wait time.Duration) {
	q.holding.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[q.way] = append(p.held[q.way], held{q, unit, wait})
}

// passed lets go what was held for the unit that has just left.
func (p *Proxy) passed(d Direction) {
	p.mu.Lock()
	late := p.held[d]
	p.held[d] = nil
	p.mu.Unlock()
	for _, h := range late {
		p.timers.Go(func() {
			p.sleep(h.wait)
			h.pipe.late(h.unit)
		})
	}
}
