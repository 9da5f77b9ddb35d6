package faultproxy

import (
	"bufio"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// conn is one connection of a terminal and its connection to the host.
type conn struct {
	proxy *Proxy
	id    int
	ends  [2]net.Conn // where requests come from, where answers come from
	pipes [2]*pipe
	rest  sync.RWMutex  // held for writing while the connection stalls
	ended chan struct{} // closed by close
	torn  atomic.Bool   // being torn down: no orderly end any more
	once  sync.Once
}

func newConn(p *Proxy, id int, down, up net.Conn) *conn {
	c := &conn{proxy: p, id: id, ends: [2]net.Conn{down, up}, ended: make(chan struct{})}
	c.pipes = [2]*pipe{
		{conn: c, way: Request, src: down, dst: up, gone: make(chan struct{})},
		{conn: c, way: Answer, src: up, dst: down, gone: make(chan struct{})},
	}
	return c
}

// close ends both connections, torn down or in order.
func (c *conn) close(reset bool) {
	c.once.Do(func() {
		c.torn.Store(reset)
		for _, end := range c.ends {
			if tcp, ok := end.(*net.TCPConn); ok && reset {
				_ = tcp.SetLinger(0) // a connection that is gone needs no reset
			}
			end.Close()
		}
		close(c.ended)
	})
}

// pipe is one way of a connection.
type pipe struct {
	conn     *conn
	way      Direction
	src, dst net.Conn
	blind    atomic.Bool  // half-open: nothing leaves any more
	holding  atomic.Int64 // units of this pipe that wait for another one

	mu      sync.Mutex // guards writing to dst and what is below
	pending []byte     // waits for the next unit, to leave with it
	drained bool       // src is at its end
	shut    bool       // dst has been told

	gone chan struct{} // closed when shut
}

// run moves units until the stream ends, and passes on that it ended.
func (q *pipe) run() {
	r := bufio.NewReaderSize(q.src, 16<<10)
	for {
		unit, err := q.conn.proxy.cfg.Units(r)
		if len(unit) > 0 && !q.pass(unit) {
			return
		}
		if err != nil {
			break
		}
	}
	if q.blind.Load() {
		<-q.conn.ended // the end is swallowed too: both sockets stay until the network heals
		return
	}
	q.mu.Lock()
	q.drained = true
	q.mu.Unlock()
	q.finish()
	select {
	case <-q.gone:
	case <-q.conn.ended: // what is held here has nowhere to go any more
	}
}

// finish passes on the end of the stream once nothing of it is held any more.
func (q *pipe) finish() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.drained || q.shut || q.holding.Load() > 0 {
		return
	}
	q.flush()
	q.shut = true
	close(q.gone)
	if tcp, ok := q.dst.(*net.TCPConn); ok && !q.conn.torn.Load() {
		_ = tcp.CloseWrite() // the other side may be gone already
	}
}

// pass does to a unit what the schedule says; false ends the pipe.
func (q *pipe) pass(unit []byte) bool {
	c := q.conn
	todo := c.proxy.next(c.id, q.way, len(unit))
	c.rest.RLock() // waits while the connection stalls
	c.rest.RUnlock()
	last := Toxic{}
	for _, t := range todo {
		switch t.Kind {
		case Delay:
			c.proxy.sleep(t.Wait)
		case Stall:
			c.rest.Lock()
			c.proxy.sleep(t.Wait)
			c.rest.Unlock()
		case Alter:
			unit = slices.Clone(unit)
			unit[max(0, len(unit)-t.Bytes)] ^= 1
		default:
			last = t
		}
	}
	if q.blind.Load() {
		return true // swallowed
	}
	switch last.Kind {
	case Drop:
	case HalfOpen:
		q.blind.Store(true)
	case Reorder:
		c.proxy.hold(q, unit, last.Wait)
	case Cut, Reset:
		q.write(unit[:min(last.Bytes, len(unit))])
		c.close(last.Kind == Reset)
		return false
	default:
		ok := q.send(unit, last)
		c.proxy.passed(q.way)
		if last.Kind == Replay {
			c.proxy.hold(q, unit, last.Wait)
		}
		return ok
	}
	return true
}

// send writes a unit in the way of a toxic that lets it through.
func (q *pipe) send(unit []byte, t Toxic) bool {
	switch t.Kind {
	case Duplicate:
		return q.write(unit) && q.write(unit)
	case Coalesce:
		q.mu.Lock()
		q.pending = append(q.pending, unit...)
		q.mu.Unlock()
		q.conn.proxy.timers.Go(func() {
			q.conn.proxy.sleep(t.Wait)
			q.write(nil)
		})
		return true
	case Split:
		for len(unit) > 0 {
			n := min(len(unit), q.conn.proxy.segment(t.Bytes))
			if !q.write(unit[:n]) {
				return false
			}
			unit = unit[n:]
		}
		return true
	case Throttle:
		return q.throttle(unit, t.Bytes)
	}
	return q.write(unit)
}

// throttleStep is how often a throttled pipe writes.
const throttleStep = 5 * time.Millisecond

// throttle writes a unit at so many bytes a second.
func (q *pipe) throttle(unit []byte, rate int) bool {
	step := max(1, int(int64(rate)*int64(throttleStep)/int64(time.Second)))
	pause := max(throttleStep, time.Second/time.Duration(max(rate, 1))*time.Duration(step))
	for len(unit) > 0 {
		n := min(len(unit), step)
		if !q.write(unit[:n]) {
			return false
		}
		if unit = unit[n:]; len(unit) > 0 {
			q.conn.proxy.sleep(pause)
		}
	}
	return true
}

// write sends bytes after what is pending. TCP_NODELAY is Go's default, so each write is a segment.
func (q *pipe) write(b []byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.shut {
		return false
	}
	q.pending = append(q.pending, b...)
	return q.flush()
}

// flush writes what is pending; q.mu is held.
func (q *pipe) flush() bool {
	if len(q.pending) == 0 {
		return true
	}
	_, err := q.dst.Write(q.pending)
	q.pending = q.pending[:0]
	return err == nil
}

// late writes a unit that was held, and the end of the stream if that had come meanwhile.
func (q *pipe) late(unit []byte) {
	if !q.blind.Load() {
		q.write(unit)
	}
	if q.holding.Add(-1) == 0 {
		q.finish()
	}
}
