package main

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"touchstone/pos"
	"touchstone/web/api"
)

// Bounds of figures for which every terminal is looked at.
const (
	figureWorkers = 2                      // that count at the same time
	figureQueue   = 64                     // figures that wait for one
	figureLife    = 2 * time.Second        // how old one may be before it is counted anew, at the least
	figureShare   = 20                     // and at the least so many times as old as it took to count
	figureWait    = 100 * time.Millisecond // how long a request waits for a count
	figureBurst   = 50 * time.Millisecond  // of counting before a pause
	figureRest    = 2                      // pauses are so many times as long as the bursts
	figureUnused  = 15 * time.Minute       // after which one is forgotten
	figureNames   = 4096                   // kept at the same time
	figurePasts   = 12                     // of these, figures of the past: each may hold every terminal
)

// census keeps what cannot be counted for one request alone: each is counted by workers of its own while somebody
// asks for it, at a share of one core, and told with its age.
type census struct {
	log   *slog.Logger
	clock func() pos.Instant
	ask   chan *figure
	past  chan *figure // of the past, which take longer: they have a worker of their own

	mu   sync.Mutex // a leaf: guards kept and the figures in it
	kept map[string]*figure
}

// enumeration counts; pace is to be called between short steps: it rests, and gives an error when the host ends.
type enumeration func(ctx context.Context, pace func() error) (any, error)

type figure struct {
	make  enumeration
	value any // nil: never counted
	err   error
	at    pos.Instant
	took  time.Duration
	used  pos.Instant
	under chan struct{} // closed when the count under way ends; nil: none is under way
	begun chan struct{} // of one that is counted once and not kept: the same, and stays
}

func newCensus(log *slog.Logger, clock func() pos.Instant) *census {
	return &census{log: log, clock: clock, ask: make(chan *figure, figureQueue), past: make(chan *figure, figurePasts), kept: map[string]*figure{}}
}

// run counts what is asked for until ctx ends.
func (f *census) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case x := <-f.ask:
			f.count(ctx, x)
		}
	}
}

// runPast counts figures of the past, one at a time; idle is called when none was asked for in a while.
func (f *census) runPast(ctx context.Context, idle func()) {
	for {
		select {
		case <-ctx.Done():
			return
		case x := <-f.past:
			f.count(ctx, x)
		case <-time.After(figureUnused):
			idle()
		}
	}
}

func (f *census) count(ctx context.Context, x *figure) {
	began := time.Now()
	value, err := x.make(ctx, paced(ctx))
	f.mu.Lock()
	defer f.mu.Unlock()
	x.took, x.at = time.Since(began), f.clock()
	if x.err = err; err == nil {
		x.value = value
	} else if ctx.Err() == nil {
		f.log.Warn("a figure of the estate could not be counted", slog.String("error", err.Error()))
	}
	close(x.under)
	x.under = nil
}

// paced rests after each burst, so that counting never takes more than its share of a core.
func paced(ctx context.Context) func() error {
	burst := time.Now()
	return func() error {
		worked := time.Since(burst)
		if worked < figureBurst {
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(figureRest * worked):
			burst = time.Now()
			return nil
		}
	}
}

// figureOf is the newest count of a name: one of at most life, or figureShare times as old as it took, where that can
// be had within figureWait; else the one before, and api.BeingCounted where there is none.
func figureOf[T any](ctx context.Context, f *census, name string, life time.Duration, make func(ctx context.Context, pace func() error) (T, error)) (value T, counted api.Counted, err error) {
	x, under := f.wanted(name, life, func(ctx context.Context, pace func() error) (any, error) { return make(ctx, pace) })
	if under != nil {
		late := time.NewTimer(figureWait)
		defer late.Stop()
		select {
		case <-under:
		case <-late.C:
		case <-ctx.Done():
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case x.value != nil:
		return x.value.(T), api.Counted{At: x.at.Time(), Age: int(f.clock().Sub(x.at) / time.Second)}, nil
	case x.err != nil:
		return value, counted, x.err
	}
	return value, counted, api.BeingCounted()
}

// wanted finds a figure and has it counted where it is too old; under is closed when that ends, nil where it is fresh.
func (f *census) wanted(name string, life time.Duration, make enumeration) (x *figure, under chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock()
	if x = f.kept[name]; x == nil {
		f.forget(now)
		x = &figure{make: make}
		if strings.HasPrefix(name, pastFigure) && !f.roomForPast(name) {
			under = newSignal()
			close(under)
			return x, under
		}
		f.kept[name] = x
	}
	x.used = now
	if x.value != nil && now.Sub(x.at) < max(life, figureShare*x.took) {
		return x, nil
	}
	if x.under == nil {
		x.under = newSignal()
		queue := f.ask
		if strings.HasPrefix(name, pastFigure) {
			queue = f.past
		}
		select {
		case queue <- x:
		default: // too many wait already: what there is, is told
			close(x.under)
			under, x.under = x.under, nil
			return x, under
		}
	}
	return x, x.under
}

func newSignal() chan struct{} { return make(chan struct{}) }

// forget drops what nobody asked for in a while, and, where there are too many, whatever is not being counted.
func (f *census) forget(now pos.Instant) {
	for name, x := range f.kept {
		if x.under == nil && (now.Sub(x.used) > figureUnused || len(f.kept) >= figureNames) {
			delete(f.kept, name)
		}
	}
}

// roomForPast forgets the figure of the past that was asked for longest ago, where there are as many as are kept; false
// when each of them is being counted.
func (f *census) roomForPast(asked string) bool {
	if strings.HasPrefix(asked, pastFigure+indexFigure+"@") && !f.roomFor(pastFigure+indexFigure+"@", indexFigures) {
		return false
	}
	return f.roomFor(pastFigure, figurePasts)
}

// roomFor is roomForPast of the figures whose names begin so, of which most are kept.
func (f *census) roomFor(begin string, most int) bool {
	n, oldest := 0, ""
	for name, x := range f.kept {
		if !strings.HasPrefix(name, begin) {
			continue
		}
		n++
		if x.under == nil && (oldest == "" || x.used < f.kept[oldest].used) {
			oldest = name
		}
	}
	if n < most {
		return true
	}
	delete(f.kept, oldest)
	return oldest != ""
}
