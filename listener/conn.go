package listener

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"touchstone/host"
	"touchstone/iso8583"
	"touchstone/pos"
)

// readBuffer and writeBuffer are kept for each connection; an answer, LEN included, fits writeBuffer.
const (
	readBuffer  = 2 << 10
	writeBuffer = 4 << 10
)

type conn struct {
	server *Server
	raw    net.Conn // the transport: deadlines, and an end at once
	net    net.Conn // what is read and written: raw, or TLS over it once the handshake is done
	door   *door    // of TLS; nil for plain TCP
	meter  *metered // of TLS
	peer   host.Peer
	epoch  atomic.Uint64 // of the gate when the certificate was last judged
	proven atomic.Bool   // the peer has proven to hold a key of ours
	lost   atomic.Bool   // cut by its certificate
	heard  bool          // a frame was read; the reader's own
	until  time.Time     // the deadline of reading that was set last; the reader's own
	direct *direct       // how a plain connection is written to; nil: by a goroutine of its own, from out
	out    chan *job     // answers that are ready; as deep as may be in flight
	slots  chan struct{} // one for each message in flight
	given  []pos.Instant // when the frames of the answers not flushed yet were read; the writer's own
	own    chan struct{} // the connection's own room for one message; see take
	dead   atomic.Bool   // nothing more can be written
	ending atomic.Bool
}

func newConn(s *Server, nc net.Conn, d *door) *conn {
	c := &conn{server: s, raw: nc, net: nc, door: d, peer: host.Peer{Conn: s.nextConn.Add(1), Address: addressOf(nc.RemoteAddr())},
		slots: make(chan struct{}, s.limits.InFlight), own: make(chan struct{}, 1)}
	if d == nil {
		c.direct = newDirect(nc)
	}
	if c.direct == nil {
		c.out = make(chan *job, s.limits.InFlight)
	}
	if d != nil {
		c.epoch.Store(d.gate.Epoch()) // before the handshake judges: what happens after is asked again
	}
	return c
}

func addressOf(a net.Addr) pos.Address {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return pos.Address{}
	}
	return pos.Address(ap.Addr().As16())
}

// serve reads until the peer ends, misbehaves or is silent too long, and returns when every message
// read has been answered and the connection is closed.
func (c *conn) serve() {
	if c.door != nil && !c.handshake() {
		c.raw.Close()
		return
	}
	var writer sync.WaitGroup
	if c.direct == nil {
		writer.Go(c.write)
	}
	c.read()
	if c.meter != nil {
		c.meter.records.end()
	}
	for range cap(c.slots) {
		c.slots <- struct{}{} // wait for all in flight
	}
	if c.direct == nil {
		close(c.out)
		writer.Wait()
	} else {
		c.direct.draining.Wait()
	}
	c.net.Close()
}

func (c *conn) stopReading() {
	c.ending.Store(true)
	_ = c.raw.SetReadDeadline(time.Unix(1, 0)) // a closed connection has no deadline to set
}

func (c *conn) deadline(d time.Duration) error { return c.deadlineAt(time.Now().Add(d)) }

// deadlineSlack is how much earlier than asked a deadline may be: one that is set for about then already is
// left alone, for setting it costs as much as parsing the message.
const deadlineSlack = 500 * time.Millisecond

func (c *conn) deadlineAt(until time.Time) error {
	if ahead := until.Sub(c.until); ahead >= 0 && ahead < deadlineSlack && !c.ending.Load() {
		return nil
	}
	c.until = until
	err := c.raw.SetReadDeadline(until)
	if c.ending.Load() {
		return net.ErrClosed
	}
	return err
}

func (c *conn) read() {
	r := bufio.NewReaderSize(c.net, readBuffer)
	defer forget(r)
	for !c.dead.Load() {
		if r.Buffered() == 0 {
			forget(r)
			r.Reset(c.net)
			if !c.await(r) {
				return
			}
		}
		c.slots <- struct{}{}
		if !c.one(r) {
			return
		}
	}
}

// await waits for the first byte of a frame, as long as the peer has earned; false when none came.
func (c *conn) await(r *bufio.Reader) bool {
	began := time.Now()
	for {
		most := c.patience()
		if c.deadlineAt(began.Add(most)) != nil {
			return false
		}
		_, err := r.Peek(1)
		switch {
		case err == nil:
			return true
		case errors.Is(err, errUnproven):
			c.server.ends[OversizedUnproven].Add(1)
			return false
		case !errors.Is(err, os.ErrDeadlineExceeded) || c.patience() <= most:
			return false
		}
		// Its last message verified while this waited: it has earned a longer silence.
	}
}

// patience is how long the peer may be silent now.
func (c *conn) patience() time.Duration {
	l := &c.server.limits
	switch {
	case c.proven.Load():
	case !c.heard && l.FirstByte > 0:
		return l.FirstByte
	case c.heard && l.Unproven > 0:
		return l.Unproven
	}
	return l.Idle
}

// one reads a frame and begins its exchange; false ends the reading.
func (c *conn) one(r *bufio.Reader) bool {
	s := c.server
	shared := c.take()
	j := s.pool.Get().(*job)
	j.from, j.shared = c, shared
	if !whole(r) && c.deadline(s.limits.FrameTime) != nil {
		s.recycle(j)
		return false
	}
	frame, err := iso8583.ReadFrame(r, j.x.Buffer())
	if !c.certified() {
		s.recycle(j)
		return false
	}
	switch {
	case err == nil:
		c.seen().frames.Add(1)
		c.heard = true
		if c.meter != nil {
			c.meter.refill()
		}
		s.line.Begin(frame, c.peer, j.x)
		return true
	case errors.Is(err, io.EOF):
		s.recycle(j)
		return false
	}
	c.seen().badFrames.Add(1)
	if errors.Is(err, errUnproven) {
		s.ends[OversizedUnproven].Add(1)
	}
	if c.door == nil && errors.Is(err, iso8583.ErrFrameLength) {
		s.foreign(j.x.Buffer()[:iso8583.LengthSize])
	}
	s.line.RefuseFrame(c.peer, j.x)
	return false
}

// whole tells whether the next frame is in the buffer already: then reading it waits for nothing.
func whole(r *bufio.Reader) bool {
	n := r.Buffered()
	if n < iso8583.LengthSize {
		return false
	}
	head, err := r.Peek(iso8583.LengthSize)
	return err == nil && n-iso8583.LengthSize >= int(binary.BigEndian.Uint16(head))
}

func (s *Server) recycle(j *job) {
	from, shared := j.from, j.shared
	j.from = nil
	j.x.Wipe()
	s.pool.Put(j)
	from.give(shared)
	<-from.slots
}

// write sends answers as they become ready, as many at once as there are.
func (c *conn) write() {
	w := bufio.NewWriterSize(c.net, writeBuffer)
	for j := range c.out {
		c.send(w, j)
		for more := true; more; {
			select {
			case next, ok := <-c.out:
				if ok {
					c.send(w, next)
				}
				more = ok
			default:
				more = false
			}
		}
		c.flush(w)
	}
}

func (c *conn) send(w *bufio.Writer, j *job) {
	answer, shut := c.server.line.Finish(j.x)
	if len(answer) > 0 && !c.dead.Load() {
		c.seen().answers.Add(1)
		if !c.proven.Load() && j.x.Proven() {
			c.proven.Store(true)
			if c.meter != nil {
				c.meter.free.Store(true)
			}
		}
		if len(answer) > w.Available() {
			c.flush(w)
		}
		_, _ = w.Write(answer) // into the buffer; flush reports a dead connection
		c.given = append(c.given, j.x.Arrived())
	}
	c.server.recycle(j)
	if shut {
		c.flush(w)
		c.dead.Store(true)
		c.stopReading()
	}
}

func (c *conn) flush(w *bufio.Writer) {
	if c.dead.Load() || w.Buffered() == 0 {
		return
	}
	now := time.Now()
	c.tell(now)
	defer forgetWritten(w, w.Buffered())
	_ = c.raw.SetWriteDeadline(now.Add(c.server.limits.WriteTime)) // Flush reports a dead connection
	if err := w.Flush(); err != nil {
		c.dead.Store(true)
		c.stopReading()
		c.server.log.Debug("connection lost while answering", slog.String("error", err.Error()))
	}
}
