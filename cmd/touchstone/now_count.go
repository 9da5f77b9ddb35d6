package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"touchstone/effectiveness"
	"touchstone/failure"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/web/api"
)

// counting reads the journal in the background for ranges of hours that memory does not keep: one at a time, as
// touchstone failures reads them, and the last few results are kept.
type counting struct {
	ctx context.Context

	mu      sync.Mutex // guards the fields below
	done    []*counted // the newest last
	running *countFor
	at, of  uint64
	first   uint64
}

// Bounds of counting.
const (
	mostCounted = 4
	countFresh  = 10 * time.Minute // how long a result that reaches to now is given again
	countRest   = 50 * time.Microsecond
)

// countFor is what was asked for.
type countFor struct {
	hours effectiveness.Range
	asOf  pos.Instant // 0: everything that is known
}

type counted struct {
	countFor
	made  time.Time
	mu    sync.Mutex // guards table: a report adds up its hours
	table *failure.Table
}

// ask gives the table of a range, or how far the counting is.
func (c *counting) ask(e *engine, want countFor) (*counted, api.Failures) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.done {
		if k.countFor == want && time.Since(k.made) < countFresh {
			return k, api.Failures{}
		}
	}
	if c.running == nil && c.ctx.Err() == nil {
		c.running, c.at, c.of, c.first = &want, 0, 0, 0
		e.wait.Go(func() { c.run(e, want) })
	}
	p := api.Failures{Range: "counting", From: want.hours.From.Start().Time(), To: e.clock().Time(), Counted: c.at - min(c.first, c.at), Of: c.of - min(c.first, c.of),
		Tables: map[string][]api.FailureRow{}, Hours: []api.FailureHour{}, Flows: []api.FailureFlow{}, Incidents: []api.FailureIncident{}}
	if want.hours.To != 0 {
		p.To = want.hours.To.Start().Time()
	}
	return nil, p
}

func (c *counting) run(e *engine, want countFor) {
	t, err := c.count(e, want)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = nil
	if err != nil {
		if c.ctx.Err() == nil {
			e.log.Error("failures could not be counted from the journal", slog.String("error", err.Error()))
		}
		return
	}
	if len(c.done) == mostCounted {
		c.done = c.done[1:]
	}
	c.done = append(c.done, &counted{countFor: want, made: time.Now(), table: t})
}

// count folds the journal over a range, as failuresRead does, in steps that leave the processor to the line.
func (c *counting) count(e *engine, want countFor) (*failure.Table, error) {
	reader := e.store.Reader
	last, _, err := reader.Head(c.ctx)
	if err != nil {
		return nil, err
	}
	t := failure.New(e.failureFacts, failure.Bounds{Cells: failure.LiveBounds().Cells, Causes: 1 << 18, Attempts: 1 << 18})
	first, err := firstSince(c.ctx, reader, want.hours.From.Start())
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.of, c.first = last, first
	c.mu.Unlock()
	t.Begin(max(first, 1) - 1)
	err = reader.Blocks(c.ctx, t.Last()+1, func(b journal.Block) error {
		c.mu.Lock()
		c.at = b.Last()
		c.mu.Unlock()
		time.Sleep(countRest * time.Duration(b.N/64)) // about half a processor at most
		return b.Each(func(entry journal.Entry) error {
			if want.asOf != 0 && entry.At > want.asOf {
				return errBeyond
			}
			return foldFailure(t, entry, want.hours)
		})
	})
	if errors.Is(err, errBeyond) {
		err = nil
	}
	return t, err
}
