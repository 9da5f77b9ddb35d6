package main

import (
	"context"
	"sync"
	"time"

	"touchstone/effectiveness"
	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/web/api"
)

// pastProven is what every approval of the hours before a moment rested on, and what the host's own known-bad messages had
// said by then.
type pastProven struct {
	mu    sync.Mutex // guards state: a report adds up its hours
	state *effectiveness.State

	ineffective map[string]bool // probes of terminals that were not judged as they must be, by the last event of each
	stops       proof.Stops
	canary      bool // its messages are among those of the hours
}

// proven folds the hours before an epoch of the past, as the watch of a host that started then would have.
func (w *epoch) proven(ctx context.Context, pace func() error) (*pastProven, error) {
	keep := time.Duration(effectiveness.LiveBounds().Hours) * time.Hour
	first, err := firstSince(ctx, w.e.store.Reader, w.at-pos.Instant(keep))
	if err != nil {
		return nil, err
	}
	p := &pastProven{state: effectiveness.New(effectiveness.DefaultStandard(), effectiveness.LiveBounds()), ineffective: map[string]bool{}}
	if first = max(first, 1); first > 1 {
		before := &epoch{e: w.e, at: w.at, past: &pastRegister{w.e, w.at, first - 1}}
		if err := before.tell(ctx, p.state, pace); err != nil {
			return nil, err
		}
	}
	p.state.Begin(first - 1)
	var x journal.Exchange
	err = w.e.eachEntry(ctx, first, w.past.Seq, pace, func(e journal.Entry) error {
		if e.Kind == journal.KindExchange && !p.canary {
			p.canary = x.Parse(e) == nil && x.Flags&journal.FlagCanary != 0
		}
		_, err := p.state.Fold(e)
		return err
	})
	if err != nil {
		return nil, err
	}
	return p, p.events(ctx, w.e, w.past.Seq, pace)
}

// tell gives a state the register of an epoch.
func (w *epoch) tell(ctx context.Context, s *effectiveness.State, pace func() error) error {
	for _, now := range w.e.ledger.Merchants() {
		m, err := w.merchant(ctx, now.ID)
		if err != nil {
			return err
		}
		if m != nil {
			s.Merchant(m)
		}
	}
	return w.every(ctx, permitStep, pace, func(p ledger.Permitted) {
		if p.Device != nil {
			s.Device(p.Device)
		}
		s.Terminal(p.Terminal)
	})
}

// provenEvents is how many events are read at once.
const provenEvents = 1024

// events folds every event up to an entry: what stopped sales, and what a canary found, stays until another event ends it.
func (p *pastProven) events(ctx context.Context, e *engine, last uint64, pace func() error) error {
	for from := uint64(1); ; {
		list, err := e.store.Reader.Events(ctx, from, provenEvents)
		if err != nil {
			return err
		}
		for i := range list {
			x := &list[i]
			if x.Seq > last {
				return nil
			}
			p.stops.Fold(&x.Event)
			switch key := x.Parameters["probe"] + "/" + x.Terminal; x.Name {
			case eventIneffective:
				p.ineffective[key] = true
			case eventEffective:
				delete(p.ineffective, key)
			}
			from = x.Seq + 1
		}
		if len(list) < provenEvents {
			return nil
		}
		if err := pace(); err != nil {
			return err
		}
	}
}

// watch is what the host's own known-bad messages had said. Rounds and messages are counted by the process and not kept.
func (p *pastProven) watch() api.EffectivenessCanary {
	c := api.EffectivenessCanary{State: "none", Ineffective: len(p.ineffective)}
	switch {
	case c.Ineffective > 0:
		c.State = "ineffective"
	case p.canary:
		c.State = "ok"
	}
	return c
}

// report adds up a range of hours.
func (p *pastProven) report(r effectiveness.Range) effectiveness.Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state.Report(r)
}
