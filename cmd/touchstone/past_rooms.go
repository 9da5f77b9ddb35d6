package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/web/api"
)

// roomsAt are the rooms as they were at an instant: a fold of the acts up to then. They are shared and not changed. It reads the newest
// record of every device, binding and case of the estate, so requests ask roomsSoon.
func (e *engine) roomsAt(ctx context.Context, at pos.Instant) (*rooms, error) {
	seq, err := e.seqAt(ctx, at)
	if err != nil {
		return nil, err
	}
	return e.roomsAfter(ctx, seq, ctx.Err)
}

// roomsSoon is roomsAt for a request: what is not at hand is folded by the worker that counts figures of the past, and the request
// waits for it a moment. The error is api.BeingCounted while it goes on.
func (e *engine) roomsSoon(ctx context.Context, at pos.Instant) (*rooms, error) {
	seq, err := e.seqAt(ctx, at)
	if err != nil {
		return nil, err
	}
	if known := e.pasts.find(seq); known != nil {
		return known, nil
	}
	if few, err := e.fewActs(ctx, seq); err != nil || few {
		if err != nil {
			return nil, err
		}
		return e.roomsAfter(ctx, seq, ctx.Err)
	}
	x, under := e.foldSoon(seq)
	if x == nil {
		return nil, api.BeingCounted()
	}
	late := time.NewTimer(figureWait)
	defer late.Stop()
	select {
	case <-under:
	case <-late.C:
		return nil, api.BeingCounted()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if known := e.pasts.find(seq); known != nil {
		return known, nil
	}
	e.census.mu.Lock()
	defer e.census.mu.Unlock()
	if x.err != nil {
		return nil, x.err
	}
	return nil, api.BeingCounted() // others were kept since
}

// fewActsMost is the most records that are folded while a request waits: some ten milliseconds.
const fewActsMost = 2000

// fewActs tells whether the rooms are folded fast enough for a request.
func (e *engine) fewActs(ctx context.Context, seq uint64) (few bool, err error) {
	err = e.projectedTo(ctx, seq, func() error {
		n, err := e.view.Acts(ctx, fewActsMost)
		few = n < fewActsMost
		return err
	})
	return few, err
}

// foldSoon has the rooms after an entry folded, once for all who ask; under is closed when they are. x is nil where too many wait.
func (e *engine) foldSoon(seq uint64) (x *figure, under chan struct{}) {
	p := &e.pasts
	p.mu.Lock()
	defer p.mu.Unlock()
	if x = p.folding[seq]; x != nil {
		return x, x.begun
	}
	x = &figure{under: newSignal(), make: func(ctx context.Context, pace func() error) (any, error) {
		defer p.folded(seq)
		return e.roomsAfter(ctx, seq, pace)
	}}
	x.begun = x.under
	select {
	case e.census.past <- x:
	default:
		return nil, nil
	}
	if p.folding == nil {
		p.folding = map[uint64]*figure{}
	}
	p.folding[seq] = x
	return x, x.begun
}

func (p *pasts) folded(seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.folding, seq)
}

// foldPiece is how many acts are folded between two rests.
const foldPiece = 64

// roomsAfter folds the acts up to an entry; pace is called between short steps.
func (e *engine) roomsAfter(ctx context.Context, seq uint64, pace func() error) (*rooms, error) {
	if known := e.pasts.find(seq); known != nil {
		return known, nil
	}
	var acts []uint64
	if err := e.projectedTo(ctx, seq, func() (err error) { acts, err = e.view.PastActs(ctx, seq); return err }); err != nil {
		return nil, err
	}
	last := uint64(0)
	if len(acts) > 0 {
		last = acts[len(acts)-1]
	}
	e.pasts.making.Lock()
	defer e.pasts.making.Unlock()
	if known := e.pasts.known(last, seq); known != nil {
		return known, nil
	}
	o := newOffice()
	e.office.view(func(r *rooms) { // what is no act: the policy and the checklist that devices are looked after by
		o.rooms.fleet.SetCarePolicy(r.fleet.CarePolicy())
		o.rooms.fleet.SetChecklist(r.fleet.Checklist())
	})
	for len(acts) > 0 {
		piece := first(acts, foldPiece)
		acts = acts[len(piece):]
		if err := e.store.Entries(ctx, piece, o.take); err != nil {
			return nil, err
		}
		if err := pace(); err != nil {
			return nil, err
		}
	}
	e.pasts.keep(last, seq, &o.rooms)
	return &o.rooms, nil
}

// take folds the changes of an act.
func (o *office) take(entry journal.Entry) error {
	var act journal.Act
	if err := json.Unmarshal(entry.Body, &act); err != nil {
		return fmt.Errorf("entry %d: %w", entry.Seq, err)
	}
	for _, c := range act.Changes {
		if err := o.fold(entry.Seq, entry.Kind, c); err != nil {
			return fmt.Errorf("entry %d: %s %s: %w", entry.Seq, c.Noun, c.ID, err)
		}
	}
	return nil
}

// find are the rooms after an entry, where they are kept: after the act before it, and none is known between.
func (p *pasts) find(seq uint64) *rooms {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, k := range p.kept {
		if k.last <= seq && seq <= k.until {
			copy(p.kept[1:], p.kept[:i])
			p.kept[0] = k
			return k.rooms
		}
	}
	return nil
}

// known are the rooms after an act, where they are kept; no act is between it and entry seq.
func (p *pasts) known(last, seq uint64) *rooms {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.kept {
		if k := &p.kept[i]; k.last == last {
			k.until = max(k.until, seq)
			return k.rooms
		}
	}
	return nil
}

func (p *pasts) keep(last, seq uint64, r *rooms) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept = append([]pastRooms{{last, seq, r}}, p.kept[:min(len(p.kept), keptPasts-1)]...)
}
