package listener

import (
	"bufio"
	"time"

	"touchstone/pos"
)

// watch is who is told how long answers took, and how the line's clock is read off the machine's.
type watch struct {
	answered func(time.Duration)
	at       time.Time
	instant  pos.Instant
}

// Watch has answered told, for every answer, the time from its frame to its being handed to the
// connection; it must not block. clock is the line's. Call it before Serve.
func (s *Server) Watch(answered func(time.Duration), clock func() pos.Instant) {
	s.watch = watch{answered, time.Now(), clock()}
}

// tell reports the answers about to be flushed. now was read for the deadline of that: no clock is read
// for the figures.
func (c *conn) tell(now time.Time) {
	if w := &c.server.watch; w.answered != nil {
		instant := w.instant + pos.Instant(now.Sub(w.at))
		for _, arrived := range c.given {
			w.answered(time.Duration(instant - arrived))
		}
	}
	c.given = c.given[:0]
}

// told reports one answer about to be written.
func (c *conn) told(arrived pos.Instant) {
	if w := &c.server.watch; w.answered != nil {
		w.answered(time.Duration(w.instant + pos.Instant(time.Since(w.at)) - arrived))
	}
}

// zeros is an endless stream of zero bytes.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// forget overwrites what a reader has read: frames carry card numbers and tracks, and a connection may
// be silent for minutes. The reader must be Reset before it is used again.
func forget(r *bufio.Reader) {
	r.Reset(zeros{})
	_, _ = r.Peek(r.Size()) // fills all of its buffer, from zeros alone
	r.Reset(zeros{})
}

// forgetWritten overwrites the first n bytes of a flushed writer's buffer: answers echo card numbers.
func forgetWritten(w *bufio.Writer, n int) {
	free := w.AvailableBuffer()
	clear(free[:min(n, cap(free))])
}
