package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"touchstone/iso8583"
	"touchstone/pos"
	"touchstone/terminal"
)

// preparers is how many terminals prepare themselves at once.
const preparers = 64

// prepare signs every member in and makes its first sale, which brings the new keys into force. What is
// measured later is sales alone.
func (r *run) prepare(ctx context.Context) ([]*subject, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	subjects := make([]*subject, len(r.o.Crew))
	var next, done atomic.Int64
	r.begin = time.Now()
	ended := make(chan struct{})
	var watcher, all sync.WaitGroup
	watcher.Go(func() { r.watchPreparation(ended, &done) })
	for range min(preparers, len(subjects)) {
		all.Go(func() {
			p := &preparer{run: r, buf: make([]byte, iso8583.LengthSize+iso8583.MaxFrame), in: make([]byte, iso8583.MaxFrame)}
			defer p.close()
			for i := int(next.Add(1)) - 1; i < len(subjects) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				var err error
				if subjects[i], err = p.ready(ctx, r.o.Crew[i]); err != nil {
					cancel(fmt.Errorf("terminal %s: %w", r.o.Crew[i].Config.Terminal, err))
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	close(ended)
	watcher.Wait()
	return subjects, context.Cause(ctx)
}

func (r *run) watchPreparation(ended <-chan struct{}, done *atomic.Int64) {
	if r.o.OnProgress == nil {
		return
	}
	tell := func() {
		r.o.OnProgress(Progress{Part: Preparing, Done: int(done.Load()), Of: len(r.o.Crew), Elapsed: r.now()})
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			tell()
			return
		case <-tick.C:
			tell()
		}
	}
}

// Seller is a terminal that has signed in, for a test that carries its sales itself.
type Seller struct{ s *subject }

// Sellers signs a crew in, as Run does, and sells nothing more.
func Sellers(ctx context.Context, o Options) ([]Seller, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	r := &run{o: o, rec: newRecorder()}
	subjects, err := r.prepare(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Seller, len(subjects))
	for i, s := range subjects {
		all[i] = Seller{s}
	}
	return all, nil
}

// Unauthenticated is the frame of the next sale, LEN included, under the MAC of the sale before it: for a
// host whose security module agrees with everything. It is valid until the next call.
func (s Seller) Unauthenticated() []byte {
	s.s.trace = s.s.trace%uint32(pos.MaxSTAN) + 1
	s.s.setTrace(s.s.trace)
	return s.s.frame
}

// preparer prepares one terminal after the other over a connection of its own.
type preparer struct {
	run  *run
	conn net.Conn
	r    *bufio.Reader
	buf  []byte // the frame being sent
	in   []byte // the answer
}

func (p *preparer) close() {
	if p.conn != nil {
		p.conn.Close()
	}
}

// ErrRefused is returned when the host refuses a terminal of the crew before anything is measured.
var ErrRefused = errors.New("refused")

// ready signs a member in and makes its first sale. A batch in which an earlier run has sold already is
// closed first, since a trace may be used once in a batch.
func (p *preparer) ready(ctx context.Context, m Member) (*subject, error) {
	b, err := terminal.NewBare(m.Config)
	if err != nil {
		return nil, err
	}
	for fresh := false; ; fresh = true {
		if err := p.signIn(ctx, b); err != nil {
			return nil, err
		}
		s, err := newSubject(m.Config.Terminal, b, m.Card, p.buf)
		if err != nil {
			return nil, err
		}
		code, err := p.firstSale(ctx, s)
		switch {
		case err != nil:
			return nil, err
		case code == pos.Approved:
			p.run.rec.prepared()
			return s, nil
		case code != duplicate || fresh:
			return nil, fmt.Errorf("first sale answered %s: %w", code, ErrRefused)
		}
		if err := p.settle(ctx, b); err != nil {
			return nil, err
		}
	}
}

// duplicate is DE39 of a trace that was used already; docs/protocol/unionpay-pos.md, section 7.
var duplicate = pos.Code("94")

func (p *preparer) signIn(ctx context.Context, b *terminal.Bare) error {
	frame, err := b.SignIn(p.buf)
	if err != nil {
		return err
	}
	answer, err := p.exchange(ctx, frame)
	if err != nil {
		return err
	}
	code, err := b.TakeSignIn(answer)
	if err == nil && code != pos.Approved {
		err = fmt.Errorf("sign-in answered %s: %w", code, ErrRefused)
	}
	return err
}

func (p *preparer) settle(ctx context.Context, b *terminal.Bare) error {
	frame, err := b.Settle(p.buf)
	if err != nil {
		return err
	}
	answer, err := p.exchange(ctx, frame)
	if err != nil {
		return err
	}
	code, err := b.TakeSettlement(answer)
	if err == nil && code != pos.Approved {
		err = fmt.Errorf("settlement answered %s: %w", code, ErrRefused)
	}
	return err
}

func (p *preparer) firstSale(ctx context.Context, s *subject) (code pos.ResponseCode, err error) {
	frame, err := s.next(false)
	if err != nil {
		return code, err
	}
	answer, err := p.exchange(ctx, frame)
	if err != nil {
		return code, err
	}
	var m iso8583.Message
	return s.examine(&m, answer)
}

// exchange sends a frame, LEN included, and lends the answer's, without.
func (p *preparer) exchange(ctx context.Context, frame []byte) ([]byte, error) {
	if p.conn == nil {
		conn, err := p.run.dial(ctx)
		if err != nil {
			return nil, err
		}
		p.conn, p.r = conn, bufio.NewReaderSize(conn, iso8583.MaxFrame)
	}
	if err := p.conn.SetDeadline(time.Now().Add(p.run.o.Patience)); err != nil {
		return nil, err
	}
	if _, err := p.conn.Write(frame); err != nil {
		return nil, err
	}
	return iso8583.ReadFrame(p.r, p.in)
}
