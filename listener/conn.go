package listener

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
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
	net    net.Conn
	peer   host.Peer
	out    chan *job     // answers that are ready; as deep as may be in flight
	slots  chan struct{} // one for each message in flight
	dead   atomic.Bool   // nothing more can be written
	ending atomic.Bool
}

func newConn(s *Server, nc net.Conn) *conn {
	return &conn{server: s, net: nc, peer: host.Peer{Conn: s.nextConn.Add(1), Address: addressOf(nc.RemoteAddr())},
		out: make(chan *job, s.limits.InFlight), slots: make(chan struct{}, s.limits.InFlight)}
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
	var writer sync.WaitGroup
	writer.Go(c.write)
	c.read()
	for range cap(c.slots) {
		c.slots <- struct{}{} // wait for all in flight
	}
	close(c.out)
	writer.Wait()
	c.net.Close()
}

func (c *conn) stopReading() {
	c.ending.Store(true)
	_ = c.net.SetReadDeadline(time.Unix(1, 0)) // a closed connection has no deadline to set
}

func (c *conn) deadline(d time.Duration) error {
	err := c.net.SetReadDeadline(time.Now().Add(d))
	if c.ending.Load() {
		return net.ErrClosed
	}
	return err
}

func (c *conn) read() {
	r := bufio.NewReaderSize(c.net, readBuffer)
	for !c.dead.Load() {
		if r.Buffered() == 0 {
			if c.deadline(c.server.limits.Idle) != nil {
				return
			}
			if _, err := r.Peek(1); err != nil {
				return
			}
		}
		c.slots <- struct{}{}
		if !c.one(r) {
			return
		}
	}
}

// one reads a frame and begins its exchange; false ends the reading.
func (c *conn) one(r *bufio.Reader) bool {
	s := c.server
	j := s.pool.Get().(*job)
	j.from = c
	if !whole(r) && c.deadline(s.limits.FrameTime) != nil {
		s.recycle(j)
		return false
	}
	frame, err := iso8583.ReadFrame(r, j.x.Buffer())
	switch {
	case err == nil:
		s.frames.Add(1)
		s.line.Begin(frame, c.peer, j.x)
		return true
	case errors.Is(err, io.EOF):
		s.recycle(j)
		return false
	}
	s.badFrames.Add(1)
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
	slots := j.from.slots
	j.from = nil
	s.pool.Put(j)
	<-slots
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
		c.server.answers.Add(1)
		if len(answer) > w.Available() {
			c.flush(w)
		}
		_, _ = w.Write(answer) // into the buffer; flush reports a dead connection
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
	_ = c.net.SetWriteDeadline(time.Now().Add(c.server.limits.WriteTime)) // Flush reports a dead connection
	if err := w.Flush(); err != nil {
		c.dead.Store(true)
		c.stopReading()
		c.server.log.Debug("connection lost while answering", slog.String("error", err.Error()))
	}
}
