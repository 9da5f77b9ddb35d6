package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"touchstone/fleet"
	"touchstone/incident"
	"touchstone/journal"
	"touchstone/lab"
	"touchstone/pos"
	"touchstone/redress"
	"touchstone/staff"
)

// rooms are the states of the rooms in which people act, each a fold of the journal's acts.
type rooms struct {
	staff    *staff.State
	fleet    *fleet.State
	lab      *lab.State
	incident *incident.State
	redress  *redress.State
}

// office holds the rooms. An act is decided and registered under acting, so that no other act comes between; the
// ledger calls fold under its own lock, so acting is taken before any lock of the ledger, and mu after.
type office struct {
	acting sync.Mutex
	mu     sync.RWMutex // guards the rooms
	rooms  rooms

	carrying map[string]bool // proposals being carried out, guarded by acting

	folded   func(journal.Kind, journal.Change) // told of each change, with the ledger's locks held
	releases func(*fleet.State)                 // called, with mu held, when the list of releases changed
}

func newOffice() *office {
	return &office{rooms: rooms{staff.NewState(), fleet.NewState(), lab.NewState(), incident.NewState(), redress.NewState()},
		carrying: map[string]bool{}, folded: func(journal.Kind, journal.Change) {}}
}

// fold takes one change of an act; ledger.Options.Rooms.
func (o *office) fold(seq uint64, kind journal.Kind, c journal.Change) error {
	defer o.folded(kind, c)
	o.mu.Lock()
	defer o.mu.Unlock()
	switch kind {
	case journal.KindStaff:
		return o.rooms.staff.Fold(seq, c)
	case journal.KindFleet:
		err := o.rooms.fleet.Fold(seq, c)
		if err == nil && c.Noun == fleet.NounRelease && o.releases != nil {
			o.releases(o.rooms.fleet)
		}
		return err
	case journal.KindLab:
		return o.rooms.lab.Fold(seq, c)
	case journal.KindIncident:
		return o.rooms.incident.Fold(seq, c)
	case journal.KindRedress:
		return o.rooms.redress.Fold(seq, c)
	}
	return fmt.Errorf("entry %d: %s is no act", seq, kind)
}

// view lends the rooms for reading. f must not keep what it did not copy, act, or call the ledger's Register.
func (o *office) view(f func(r *rooms)) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	f(&o.rooms)
}

// act lets a rule decide on the rooms as they are and registers what it decides, in order, before another act
// is decided. It returns when all is durable. A *journal.Refusal is kept in the journal, and returned.
func (e *engine) act(ctx context.Context, decide func(r *rooms, now pos.Instant) ([]journal.Draft, error)) error {
	defer e.permits.settle(ctx)
	e.office.acting.Lock()
	defer e.office.acting.Unlock()
	return e.actLocked(ctx, decide)
}

func (e *engine) actLocked(ctx context.Context, decide func(r *rooms, now pos.Instant) ([]journal.Draft, error)) error {
	now := e.clock()
	var drafts []journal.Draft
	var err error
	e.office.view(func(r *rooms) { drafts, err = decide(r, now) })
	if err != nil {
		var refusal *journal.Refusal
		if errors.As(err, &refusal) {
			d := refusal.Draft()
			if kept := e.ledger.Register(ctx, now, &d); kept != nil {
				err = errors.Join(err, kept)
			}
		}
		return err
	}
	records := make([]any, len(drafts))
	for i := range drafts {
		records[i] = &drafts[i]
	}
	return e.ledger.Register(ctx, now, records...)
}
