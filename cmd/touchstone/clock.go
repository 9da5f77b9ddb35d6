package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"touchstone/journal"
)

// The machine's own clock: every entry's time, every term and every clock that a terminal sets by a sign-in's answer
// is from it.

// kernelClock is what the kernel says of its clock.
type kernelClock struct {
	Synchronised bool
	Error        time.Duration // the most that it may be off, 16 s and more when nobody keeps it
}

// mostClockError is how far the host's clock may be off: POSC-OP-09 of the catalogue.
const mostClockError = time.Second

// kept tells whether somebody keeps the clock right.
func (k kernelClock) kept() bool { return k.Synchronised && k.Error <= mostClockError }

// The events of the clock.
const (
	eventClockLost = "clock_not_synchronised"
	eventClockKept = "clock_synchronised"
)

// How often the clock is looked at, first after the time that a daemon may take at the machine's start, and how often
// it is told that it is not kept.
const (
	clockEvery = 5 * time.Minute
	clockAgain = 24 * time.Hour
)

// clockTeller decides what is told of the clock.
type clockTeller struct {
	lost bool
	told time.Time
}

// look is the event that a state of the clock deserves, nil for none: a clock that is kept right from the start is no
// event; one that is not is told once a day, and that it is again, once.
func (c *clockTeller) look(k kernelClock, now time.Time) *journal.Event {
	switch {
	case k.kept() && c.lost:
		c.lost = false
		return &journal.Event{Name: eventClockKept, Severity: journal.Info, Parameters: clockParameters(k)}
	case !k.kept() && (!c.lost || now.Sub(c.told) >= clockAgain):
		c.lost, c.told = true, now
		return &journal.Event{Name: eventClockLost, Severity: journal.Warning, Parameters: clockParameters(k)}
	}
	return nil
}

func clockParameters(k kernelClock) map[string]string {
	return map[string]string{"error_ms": fmt.Sprint(k.Error.Milliseconds())}
}

// startClock tells in the journal when the machine's clock is not kept right, until ctx ends.
func (e *engine) startClock(ctx context.Context) {
	e.kernel = readKernelClock
	e.wait.Go(func() {
		tick := time.NewTicker(clockEvery)
		defer tick.Stop()
		var teller clockTeller
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			k, err := readKernelClock()
			if err != nil {
				e.log.Warn("nothing is known of the machine's clock", slog.String("error", err.Error()))
				return
			}
			if event := teller.look(k, time.Now()); event != nil {
				if err := e.ledger.Register(ctx, e.clock(), event); err != nil && ctx.Err() == nil {
					e.log.Warn("the state of the clock could not be journaled", slog.String("error", err.Error()))
				}
			}
		}
	})
}
