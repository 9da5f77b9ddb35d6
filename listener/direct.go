package listener

import (
	"log/slog"
	"net"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Answers of plain connections are written by a few goroutines that all connections share, one write that
// does not block for each: a goroutine of each connection would have to be woken for every answer. A peer
// that does not read what it asked for gets a goroutine of its own for as long as it keeps others waiting.

// direct is how a plain connection is written to.
type direct struct {
	raw syscall.RawConn
	try func(fd uintptr) bool // one write of bytes; made once, for a closure a write would be garbage

	bytes []byte // of try, with its result
	n     int
	err   error

	draining sync.WaitGroup // the goroutine of a peer that does not read

	mu      sync.Mutex // guards the fields below
	busy    bool       // somebody writes or is about to; what is ready meanwhile is his
	pending []*job
	spare   []*job // the list that is being written, to be used again
}

// newDirect is nil for a connection that is no socket, or one of TLS, whose writes can block.
func newDirect(nc net.Conn) *direct {
	socket, ok := nc.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil
	}
	d := &direct{raw: raw}
	d.try = func(fd uintptr) bool {
		for {
			d.n, d.err = send(int(fd), d.bytes)
			if d.err != syscall.EINTR {
				return true
			}
		}
	}
	return d
}

// write writes what the socket takes at once. It returns how much that was.
func (d *direct) write(b []byte) (int, error) {
	d.bytes, d.n, d.err = b, 0, nil
	err := d.raw.Write(d.try)
	d.bytes = nil
	if err == nil && d.err != syscall.EAGAIN {
		err = d.err
	}
	return max(d.n, 0), err
}

// take gives all that is ready, or nothing, and then nobody writes any more.
func (d *direct) take() []*job {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.pending) == 0 {
		d.busy = false
		return nil
	}
	jobs := d.pending
	d.pending, d.spare = d.spare[:0], jobs
	return jobs
}

// answerers is the number of goroutines that write answers of plain connections.
func answerers() int { return max(2, runtime.GOMAXPROCS(0)) }

// add puts an answer behind those of its connection that are ready; first tells that nobody writes there.
func (d *direct) add(j *job) (first bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pending = append(d.pending, j)
	first, d.busy = !d.busy, true
	return first
}

// answer writes what is ready on one connection after the other until ready is closed.
func (s *Server) answer() {
	for c := range s.ready {
		for jobs := c.direct.take(); len(jobs) > 0; jobs = c.direct.take() {
			if !c.put(jobs) {
				break // the goroutine that put started goes on
			}
		}
	}
}

// put finishes jobs and writes their answers. It returns false when the socket did not take them all: then
// a goroutine of the connection's own writes the rest and goes on.
func (c *conn) put(jobs []*job) bool {
	b, gathered, shut := c.finish(jobs)
	if gathered != nil {
		defer giveGather(gathered)
	}
	whole := true
	if len(b) > 0 && !c.dead.Load() {
		n, err := c.direct.write(b)
		switch {
		case err != nil:
			c.broken(err)
		case n < len(b):
			whole = false
			rest := append([]byte(nil), b[n:]...)
			c.direct.draining.Add(1) // before the jobs are given back, for which the end of the connection waits
			go c.drain(rest, shut)
		}
	}
	c.recycle(jobs)
	if shut && whole {
		c.dead.Store(true)
		c.stopReading()
	}
	return whole
}

// finish renders the answers of jobs: of one in its own buffer, of several gathered.
func (c *conn) finish(jobs []*job) (b []byte, gathered *[]byte, shut bool) {
	for _, j := range jobs {
		answer, last := c.server.line.Finish(j.x)
		shut = shut || last
		if len(answer) == 0 {
			continue
		}
		c.seen().answers.Add(1)
		if !c.proven.Load() && j.x.Proven() {
			c.proven.Store(true)
		}
		c.told(j.x.Arrived())
		if len(jobs) == 1 {
			return answer, nil, shut
		}
		if gathered == nil {
			gathered = gathers.Get().(*[]byte)
			b = (*gathered)[:0]
		}
		b = append(b, answer...)
	}
	if gathered != nil {
		*gathered = b
	}
	return b, gathered, shut
}

// gathers are buffers for the answers of one write.
var gathers = sync.Pool{New: func() any { b := make([]byte, 0, writeBuffer); return &b }}

// giveGather overwrites a buffer, which has card numbers that answers echo, and gives it back.
func giveGather(b *[]byte) {
	clear(*b)
	if cap(*b) <= 16*writeBuffer {
		gathers.Put(b)
	}
}

func (c *conn) recycle(jobs []*job) {
	for i, j := range jobs {
		c.server.recycle(j)
		jobs[i] = nil
	}
}

// drain writes the rest of an answer and what is ready by then, each within WriteTime, until nothing is.
func (c *conn) drain(rest []byte, shut bool) {
	defer c.direct.draining.Done()
	c.block(rest)
	clear(rest)
	for {
		if shut {
			c.dead.Store(true)
			c.stopReading()
		}
		_ = c.raw.SetWriteDeadline(time.Time{}) // a closed connection has no deadline to set
		jobs := c.direct.take()
		if len(jobs) == 0 {
			return
		}
		b, gathered, last := c.finish(jobs)
		c.block(b)
		if gathered != nil {
			giveGather(gathered)
		}
		c.recycle(jobs)
		shut = last
	}
}

// block writes all of b, waiting for the peer at most WriteTime.
func (c *conn) block(b []byte) {
	if len(b) == 0 || c.dead.Load() {
		return
	}
	_ = c.raw.SetWriteDeadline(time.Now().Add(c.server.limits.WriteTime)) // Write reports a dead connection
	if _, err := c.raw.Write(b); err != nil {
		c.broken(err)
	}
}

// broken ends a connection that cannot be written to.
func (c *conn) broken(err error) {
	c.dead.Store(true)
	c.stopReading()
	c.server.log.Debug("connection lost while answering", slog.String("error", err.Error()))
}
