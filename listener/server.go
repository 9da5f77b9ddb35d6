package listener

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"touchstone/authority"
	"touchstone/host"
	"touchstone/pos"
)

// Limits bound a listener.
type Limits struct {
	Connections int           // in all
	FromAddress int           // from one address
	InFlight    int           // messages of one connection that have no answer yet
	Shared      int           // messages of all connections beyond the first of each; 0 is the default
	Idle        time.Duration // silence before a frame; at least 60 s (9A.18)

	// Of a peer that has proven nothing; 0 is Idle. A peer has proven something when a message's MAC verified,
	// or when its handshake proved a device certificate.
	FirstByte time.Duration // silence of a new connection, and of one whose handshake is done
	Unproven  time.Duration // silence after a frame; at least 60 s (9A.18)

	HandshakeTime time.Duration // for a TLS handshake, from accepting to its end

	FrameTime    time.Duration // from a frame's first byte to its last
	WriteTime    time.Duration // for one write
	RefusalTick  time.Duration // answers to refused proofs leave together; 9A.16
	AcceptPauses time.Duration // after a failure to accept, such as no descriptor left
}

// DefaultLimits are those of a fresh installation.
func DefaultLimits() Limits {
	return Limits{Connections: 20_000, FromAddress: 20_000, InFlight: 32, Shared: 8192, Idle: 10 * time.Minute, FrameTime: 10 * time.Second,
		FirstByte: time.Minute, Unproven: 90 * time.Second, HandshakeTime: 5 * time.Second,
		WriteTime: 10 * time.Second, RefusalTick: 5 * time.Millisecond, AcceptPauses: 50 * time.Millisecond}
}

// Counts are what a listener has seen since it started.
type Counts struct {
	Accepted, TurnedAway, Frames, Answers, BadFrames uint64
	Open                                             int64
}

// Server serves terminals on a plain listener and perhaps on one that speaks TLS, under the same bounds.
type Server struct {
	line   *host.Line
	limits Limits
	log    *slog.Logger
	pool   sync.Pool     // of *job
	ready  chan *conn    // plain ones to be written to, each at most once
	shared chan struct{} // room for messages beyond the first of each connection; see take

	kinds    [Kinds]counters
	ends     [Handshakes]atomic.Uint64
	nextConn atomic.Uint64
	watch    watch

	mu      sync.Mutex // guards the fields below
	conns   map[*conn]struct{}
	sources map[pos.Address]int
	held    []*job
	wait    sync.WaitGroup
}

// job is an Exchange on its way and the connection it came by.
type job struct {
	x      *host.Exchange
	from   *conn
	shared bool // it has taken shared room
}

// New makes a server of a line.
func New(line *host.Line, limits Limits, log *slog.Logger) *Server {
	s := &Server{line: line, limits: limits, log: log, conns: map[*conn]struct{}{}, sources: map[pos.Address]int{}, shared: sharedRoom(limits)}
	s.pool.New = func() any {
		j := new(job)
		j.x = line.NewExchange(func(*host.Exchange) { s.done(j) })
		return j
	}
	return s
}

// Serve accepts until ctx ends, then lets what was read be answered, closes every connection and
// returns nil. It returns an error when a listener fails. secure are listeners of TLS beside ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener, secure ...Secure) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ticking, stopTick := context.WithCancel(context.WithoutCancel(ctx))
	var ticker sync.WaitGroup
	ticker.Go(func() { s.tick(ticking) })
	s.ready = make(chan *conn, s.limits.Connections)
	for range answerers() {
		ticker.Go(s.answer)
	}
	closeAll := func() {
		ln.Close()
		for _, d := range secure {
			d.Listener.Close()
		}
		s.hangUp()
	}
	stop := context.AfterFunc(ctx, closeAll)
	defer stop()
	var doors sync.WaitGroup
	failed := make([]error, len(secure))
	for i, d := range secure {
		opened := &door{config: d.config(), gate: d.Gate}
		doors.Go(func() {
			if failed[i] = s.accept(ctx, d.Listener, opened); failed[i] != nil {
				cancel()
			}
		})
	}
	err := s.accept(ctx, ln, nil)
	cancel()
	closeAll()
	doors.Wait()
	err = errors.Join(append(failed, err)...)
	s.wait.Wait()
	stopTick()
	close(s.ready) // every message was answered
	ticker.Wait()
	return err
}

// door is what the connections of one TLS listener share; nil is the plain one.
type door struct {
	config *tls.Config
	gate   *authority.Gate
}

func (s *Server) accept(ctx context.Context, ln net.Listener, d *door) error {
	for {
		c, err := ln.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				c.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			s.log.Warn("accept failed", slog.String("error", err.Error()))
			time.Sleep(s.limits.AcceptPauses)
			continue
		}
		s.start(ctx, c, d)
	}
}

func (s *Server) start(ctx context.Context, nc net.Conn, d *door) {
	c := newConn(s, nc, d)
	c.seen().accepted.Add(1)
	s.mu.Lock()
	full := len(s.conns) >= s.limits.Connections || s.sources[c.peer.Address] >= s.limits.FromAddress || ctx.Err() != nil
	if !full {
		s.conns[c] = struct{}{}
		s.sources[c.peer.Address]++
		s.wait.Add(1)
	}
	s.mu.Unlock()
	if full {
		c.seen().turnedAway.Add(1)
		nc.Close()
		return
	}
	c.seen().open.Add(1)
	go func() {
		defer s.wait.Done()
		c.serve()
		s.mu.Lock()
		delete(s.conns, c)
		if s.sources[c.peer.Address]--; s.sources[c.peer.Address] <= 0 {
			delete(s.sources, c.peer.Address)
		}
		s.mu.Unlock()
		c.seen().open.Add(-1)
	}()
}

// hangUp ends the reading of every connection; what is in flight is still answered.
func (s *Server) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.stopReading()
	}
}

// done takes an Exchange whose entry is durable. It never blocks: a connection has room for every
// message it has in flight.
func (s *Server) done(j *job) {
	if !j.x.Refused() {
		s.hand(j)
		return
	}
	s.mu.Lock()
	s.held = append(s.held, j)
	s.mu.Unlock()
}

// hand gives an answer that may leave to who writes it. It never blocks.
func (s *Server) hand(j *job) {
	c := j.from
	switch {
	case c.direct == nil:
		c.out <- j
	case c.direct.add(j):
		s.ready <- c
	}
}

// tick releases refusals together.
func (s *Server) tick(ctx context.Context) {
	t := time.NewTicker(s.limits.RefusalTick)
	defer t.Stop()
	var batch []*job
	swept := time.Now()
	for {
		select {
		case now := <-t.C:
			if now.Sub(swept) >= sweepEvery {
				s.sweep(now)
				swept = now
			}
		case <-ctx.Done():
			return
		}
		s.mu.Lock()
		batch, s.held = s.held, batch[:0]
		s.mu.Unlock()
		for i, j := range batch {
			s.hand(j)
			batch[i] = nil
		}
	}
}
