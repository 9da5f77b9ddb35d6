package listener_test

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"touchstone/listener"
	"touchstone/reason"
)

// The tests of this file run over pipes in a bubble whose clock moves only when everybody waits, so that
// time is exact and nothing really sleeps. A goroutine that stays behind fails the bubble.

// pipes is a listener whose connections are pipes.
type pipes struct {
	incoming chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func newPipes() *pipes { return &pipes{incoming: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.incoming:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// from is a pipe's end with an address.
type from struct {
	net.Conn
	address string
}

func (f from) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.ParseIP(f.address), Port: 40000}
}

// connect makes a connection from an address.
func (p *pipes) connect(address string) *client {
	far, near := net.Pipe()
	p.incoming <- from{near, address}
	return &client{far}
}

const home = "10.1.0.5"

// ended tells whether the other end has closed the pipe; it waits for nothing.
func (c *client) ended(t *testing.T) bool {
	t.Helper()
	synctest.Wait()
	if c.SetReadDeadline(time.Now()) != nil {
		return true // a pipe whose other end is closed has no deadline
	}
	_, err := c.Read(make([]byte, 1))
	if err == nil {
		t.Fatal("a byte where none was due")
	}
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// untilEnd is how long the connection lives from now on without a byte coming.
func (c *client) untilEnd(t *testing.T) time.Duration {
	t.Helper()
	begin := time.Now()
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Fatalf("%d bytes and %v, want the end", n, err)
	}
	return time.Since(begin)
}

// bubble runs f with a server on pipes.
func bubble(t *testing.T, f func(t *testing.T, p *pipes, r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes()
		r := serve(t, p, small(), nil)
		f(t, p, r)
		r.stop(t)
	})
}

func TestIdle(t *testing.T) {
	bubble(t, func(t *testing.T, p *pipes, r *rig) {
		c := p.connect(home)
		if d := c.untilEnd(t); d != idle {
			t.Errorf("a connection that never spoke lived %s, want %s", d, idle)
		}
		c = p.connect(home)
		for i := range 5 {
			time.Sleep(idle - 1)
			c.send(t, echo(t, id(1), uint64(i)))
			if got := c.hear(t); got.code != approved {
				t.Fatalf("answered %+v", got)
			}
		}
		if d := c.untilEnd(t); d != idle {
			t.Errorf("a connection lived %s after its last frame, want %s", d, idle)
		}
		if n := len(r.sink.reasons()); n != 5 {
			t.Errorf("%d entries, want 5: silence is not journaled", n)
		}
	})
}

func TestFrameTime(t *testing.T) {
	whole := echo(t, id(1), 1)
	for _, first := range []int{1, 2, 3, len(whole) - 1} {
		bubble(t, func(t *testing.T, p *pipes, r *rig) {
			c := p.connect(home)
			time.Sleep(idle / 2)
			c.send(t, whole[:first])
			if d := c.untilEnd(t); d < frameTime || d > frameTime+refusalTick { // it is a refusal, so it waits for the tick
				t.Errorf("%d bytes: the connection lived %s, want %s", first, d, frameTime)
			}
			if got := r.sink.reasons(); !slices.Equal(got, []reason.Reason{reason.FrameMalformed}) {
				t.Errorf("%d bytes: journaled %v", first, got)
			}
		})
	}
}

// TestTrickle: bytes that keep coming do not lengthen a frame's time.
func TestTrickle(t *testing.T) {
	bubble(t, func(t *testing.T, p *pipes, r *rig) {
		c := p.connect(home)
		begin := time.Now()
		for _, b := range echo(t, id(1), 1) {
			if _, err := c.Write([]byte{b}); err != nil {
				break
			}
			time.Sleep(frameTime / 20)
		}
		if d := time.Since(begin); d < frameTime || d > frameTime+frameTime/20 {
			t.Errorf("bytes were taken for %s, want %s", d, frameTime)
		}
		if !c.ended(t) {
			t.Error("the connection is open")
		}
	})
}

// TestJustInTime: a frame whose last byte comes in its last moment is answered.
func TestJustInTime(t *testing.T) {
	bubble(t, func(t *testing.T, p *pipes, r *rig) {
		c := p.connect(home)
		frame := echo(t, id(1), 9)
		c.send(t, frame[:1])
		time.Sleep(frameTime - 1)
		c.send(t, frame[1:])
		if got := c.hear(t); got != (said{id(1), 9, approved}) {
			t.Errorf("answered %+v", got)
		}
		c.Close()
	})
}

// TestSlowReader: a peer that does not take its answers is given up after the time for a write, and what
// it had in flight is let go.
func TestSlowReader(t *testing.T) {
	for _, frames := range []int{1, 7, 32} {
		bubble(t, func(t *testing.T, p *pipes, r *rig) {
			c := p.connect(home)
			begin := time.Now()
			for i := range frames {
				c.send(t, echo(t, id(1), uint64(i)))
			}
			synctest.Wait()
			if n := r.server.Counts(); n.Open != 1 {
				t.Errorf("%d frames: counted %+v before the time was over", frames, n)
			}
			time.Sleep(writeTime)
			synctest.Wait()
			if n := r.server.Counts(); n.Open != 0 {
				t.Errorf("%d frames: counted %+v after %s", frames, n, time.Since(begin))
			}
			if d := c.untilEnd(t); d != 0 {
				t.Errorf("%d frames: the connection lived %s longer", frames, d)
			}
			if got := len(r.sink.reasons()); got != frames {
				t.Errorf("%d entries for %d frames", got, frames)
			}
		})
	}
}

// TestCaps: connections in all and from one address, and that a place becomes free.
func TestCaps(t *testing.T) {
	bubble(t, func(t *testing.T, p *pipes, r *rig) {
		const other, third, fourth = "10.1.0.6", "10.1.0.7", "2001:db8::1"
		taken := func(c *client) bool { return !c.ended(t) }
		a1, a2 := p.connect(home), p.connect(home)
		if !taken(a1) || !taken(a2) {
			t.Fatal("two connections of one address were not taken")
		}
		if taken(p.connect(home)) {
			t.Error("a third connection of one address was taken")
		}
		b := p.connect(other)
		if !taken(b) {
			t.Error("a connection of another address was not taken")
		}
		if taken(p.connect(third)) {
			t.Error("a fourth connection was taken")
		}
		if n := r.server.Counts(); n.Accepted != 5 || n.TurnedAway != 2 || n.Open != 3 {
			t.Errorf("counted %+v", n)
		}
		b.Close()
		synctest.Wait()
		if taken(p.connect(home)) {
			t.Error("a third connection of one address was taken after another's end")
		}
		d := p.connect(fourth)
		if !taken(d) {
			t.Error("a freed place was not given")
		}
		a1.Close()
		synctest.Wait()
		a3 := p.connect(home)
		if !taken(a3) {
			t.Error("an address did not have its place back")
		}
		a3.send(t, echo(t, id(1), 1))
		if got := a3.hear(t); got.code != approved {
			t.Errorf("answered %+v", got)
		}
		for _, c := range []*client{a2, a3, d} {
			c.Close()
		}
	})
}

// TestRefusalTick: an answer leaves at once unless a proof did not hold; then it leaves on the common
// tick, whenever it came; docs/protocol/unionpay-pos.md, 9A.16.
func TestRefusalTick(t *testing.T) {
	const us = time.Microsecond
	bubble(t, func(t *testing.T, p *pipes, r *rig) {
		began := time.Now()
		c, d := p.connect(home), p.connect(home)
		for i, at := range []time.Duration{0, 1 * us, 999 * us, 2500 * us, 4999 * us, 5000 * us, 7300 * us, 13 * us} {
			time.Sleep(at)
			sent := time.Now()
			c.send(t, echo(t, stranger, uint64(i)))
			d.send(t, echo(t, id(1), uint64(i)))
			if got := d.hear(t); got.code != approved || time.Since(sent) != 0 {
				t.Errorf("an approval took %s: %+v", time.Since(sent), got)
			}
			got := c.hear(t)
			if got.code != reason.TerminalUnknown.DE39().String() || got.trace != uint64(i) {
				t.Errorf("answered %+v", got)
			}
			if since := time.Since(began); since%refusalTick != 0 || time.Since(sent) > refusalTick {
				t.Errorf("a refusal left %s after the start, %s after it was asked", since, time.Since(sent))
			}
		}
		c.Close()
		d.Close()
	})
}

// TestRefusalsTogether: refusals that came at different times leave at one moment.
func TestRefusalsTogether(t *testing.T) {
	bubble(t, func(t *testing.T, p *pipes, r *rig) {
		c, d := p.connect(home), p.connect(home)
		time.Sleep(refusalTick / 10)
		c.send(t, echo(t, stranger, 1))
		time.Sleep(refusalTick / 2)
		d.send(t, echo(t, stranger, 2))
		var at [2]time.Time
		var both sync.WaitGroup
		for i, x := range []*client{c, d} {
			both.Go(func() {
				x.hear(t)
				at[i] = time.Now()
			})
		}
		both.Wait()
		if !at[0].Equal(at[1]) {
			t.Errorf("%s apart", at[1].Sub(at[0]))
		}
		c.Close()
		d.Close()
	})
}

// TestAcceptFails: a failure to accept is waited out.
func TestAcceptFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &failing{pipes: newPipes(), fail: 3}
		r := serve(t, p, small(), nil)
		begin := time.Now()
		c := p.connect(home)
		if d := time.Since(begin); d != 3*acceptPause {
			t.Errorf("accepted after %s, want %s", d, 3*acceptPause)
		}
		c.send(t, echo(t, id(1), 1))
		c.hear(t)
		c.Close()
		r.stop(t)
	})
}

type failing struct {
	*pipes
	fail int
}

func (f *failing) Accept() (net.Conn, error) {
	if f.fail > 0 {
		f.fail--
		return nil, errors.New("no descriptor left")
	}
	return f.pipes.Accept()
}

// The limits of this file: an idle connection, a frame and a write have different times.
const (
	idle        = 90 * time.Second
	frameTime   = 10 * time.Second
	writeTime   = 7 * time.Second
	refusalTick = 5 * time.Millisecond
	acceptPause = 50 * time.Millisecond
)

func small() listener.Limits {
	return listener.Limits{Connections: 3, FromAddress: 2, InFlight: 32, Idle: idle, FrameTime: frameTime, WriteTime: writeTime,
		RefusalTick: refusalTick, AcceptPauses: acceptPause}
}
