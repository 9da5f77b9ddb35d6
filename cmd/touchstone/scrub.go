package main

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"touchstone/journal"
	"touchstone/observe"
	"touchstone/sqlite"
)

// scrub proves the whole journal behind a running host: once from its start and then every so often. It
// begins with the first entry each time: where an earlier one came to is no proof of what is there now.
type scrub struct {
	store *sqlite.Store
	rate  int // bytes of entries a second
	every time.Duration
	log   *slog.Logger

	verified atomic.Uint64 // the last entry proven in this round
	rounds   atomic.Uint64 // whole proofs since the start
	ended    atomic.Int64  // when the last of them ended, nanoseconds since 1970; 0: none
}

// scrubbed is the progress for the status; nil where there is no scrub.
func (e *engine) scrubbed() *observe.Proof {
	if e.scrub == nil {
		return nil
	}
	p := &observe.Proof{Entry: e.scrub.verified.Load(), Rounds: e.scrub.rounds.Load()}
	if at := e.scrub.ended.Load(); at != 0 {
		t := time.Unix(0, at)
		p.Ended = &t
	}
	return p
}

// scrubTold is how often a round says how far it is.
const scrubTold = time.Minute

// run proves until ctx ends, and then returns nil; or returns why the journal cannot be proven intact.
func (s *scrub) run(ctx context.Context) error {
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-wait.C:
		case <-ctx.Done():
			return nil
		}
		if err := s.round(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		wait.Reset(s.every)
	}
}

func (s *scrub) round(ctx context.Context) error {
	began := time.Now()
	pace := pacer{rate: s.rate, began: began}
	told := began
	proven, err := s.store.Prove(ctx, func(b journal.Block) error {
		s.verified.Store(b.Last())
		if time.Since(told) >= scrubTold {
			told = time.Now()
			s.log.Info("proving the journal", slog.Uint64("entry", b.Last()))
		}
		return pace.wait(ctx, len(b.Body))
	})
	if err != nil {
		return err
	}
	s.rounds.Add(1)
	s.ended.Store(time.Now().UnixNano())
	s.log.Info("journal proven intact", slog.Uint64("entries", proven.Last), slog.Int("rows", proven.Rows), slog.Duration("took", time.Since(began)))
	return nil
}

// pacer keeps a reader to a rate.
type pacer struct {
	rate  int // bytes a second
	began time.Time
	bytes int64
}

// paceStep is the shortest wait worth a timer.
const paceStep = 5 * time.Millisecond

// wait counts n bytes and waits until they are due, or ctx ends.
func (p *pacer) wait(ctx context.Context, n int) error {
	p.bytes += int64(n)
	due := p.began.Add(time.Duration(float64(p.bytes) / float64(p.rate) * float64(time.Second)))
	ahead := time.Until(due)
	if ahead < paceStep {
		return ctx.Err()
	}
	over := time.NewTimer(ahead)
	defer over.Stop()
	select {
	case <-over.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// everySecond tells how far a proof is that somebody waits for.
func everySecond(log *slog.Logger) func(seq, last uint64) {
	next := time.Now().Add(time.Second)
	return func(seq, last uint64) {
		if now := time.Now(); now.After(next) {
			next = now.Add(time.Second)
			log.Info("proving the journal before serving", slog.Uint64("entry", seq), slog.Uint64("of", last))
		}
	}
}
