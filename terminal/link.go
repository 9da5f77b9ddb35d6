package terminal

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"touchstone/iso8583"
)

// link is the connection to the host, kept from one message to the next: a host believes a sign-off
// only from the connection on which it last verified a message (section 9A.12).
type link struct {
	cfg  *Config
	from string // local address of the open connection
	conn net.Conn
	used time.Time // when a byte last went through, by the runtime's clock
	in   []byte
}

const (
	// freshFor is how long a connection is taken to be alive without a look.
	freshFor = time.Second
	// idleLimit is how long an idle connection is kept; hosts keep one 60 s at least (section 9A.18).
	idleLimit = 30 * time.Second
	// lookFor is how long a look for the end of a connection takes.
	lookFor = time.Millisecond
	// maxDiscards is how many answers that do not belong to the request are passed over.
	maxDiscards = 8
)

// errNoAnswer is the end of the wait for an answer.
var errNoAnswer = errors.New("no answer")

func (l *link) close() {
	if l.conn != nil {
		l.conn.Close() // nothing is in flight that a failed close could lose
		l.conn = nil
	}
}

// open makes sure of a connection from a local address.
func (l *link) open(ctx context.Context, from string) error {
	if l.conn != nil && (l.from != from || !l.alive()) {
		l.close()
	}
	if l.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, l.cfg.DialTimeout)
	defer cancel()
	conn, err := l.cfg.Dial(ctx, from, l.cfg.Host)
	if err == nil {
		conn, err = l.cfg.secured(ctx, conn)
	}
	if err != nil {
		return err
	}
	l.conn, l.from, l.used = conn, from, time.Now()
	return nil
}

// alive looks whether the host has closed an idle connection, or sent what nobody asked for: a
// message must not be lost on a connection that is known to be dead.
func (l *link) alive() bool {
	idle := time.Since(l.used)
	if idle < freshFor {
		return true
	}
	if idle > idleLimit || l.conn.SetReadDeadline(time.Now().Add(lookFor)) != nil {
		return false
	}
	var one [1]byte
	_, err := l.conn.Read(one[:])
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		return false
	}
	return l.conn.SetReadDeadline(time.Time{}) == nil
}

// send writes a frame. A failure means that the host has not had the whole of it.
func (l *link) send(ctx context.Context, frame []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	stop := l.bound(ctx)
	defer stop()
	_, err := l.conn.Write(frame)
	l.used = time.Now()
	if err != nil {
		l.close()
	}
	return err
}

// receive reads frames until take accepts one. It returns errNoAnswer, or io.EOF when the host closed
// the connection first; then the connection is closed, for a late answer must not meet the next request.
func (l *link) receive(ctx context.Context, take func(frame []byte) bool) error {
	stop := l.bound(ctx)
	defer stop()
	for range maxDiscards {
		frame, err := iso8583.ReadFrame(l.conn, l.in)
		if err != nil {
			l.close()
			if errors.Is(err, io.EOF) || errors.Is(err, iso8583.ErrFrameCut) && ctx.Err() == nil {
				return io.EOF
			}
			return errNoAnswer
		}
		l.used = time.Now()
		if take(frame) {
			return nil
		}
	}
	l.close()
	return errNoAnswer
}

// bound makes the connection's reads and writes end with ctx; stop undoes it.
func (l *link) bound(ctx context.Context) (stop func()) {
	conn := l.conn
	done := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(done)
		_ = conn.SetDeadline(time.Unix(1, 0)) // a connection that refuses a deadline is closed already
	})
	return func() {
		if !cancel() {
			<-done
			_ = conn.SetDeadline(time.Time{}) // the next message has its own
		}
	}
}
