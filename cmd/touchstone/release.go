package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
)

// release lets a device work again after tampering: two people, each with a component of a new master
// key.
func (e *engine) release(ctx context.Context, c *releaseChange, actors []string) (changed, error) {
	e.certificates.Lock() // a certificate's act changes the same record
	defer e.certificates.Unlock()
	old, err := e.ledger.Device(pos.Serial(c.Serial))
	if err != nil {
		return changed{}, err
	}
	if err := e.mayWork(ctx, old.Serial, c.People); err != nil {
		return changed{}, err
	}
	people := slices.Compact(slices.Sorted(slices.Values(c.People)))
	if len(actors) == 2 { // two accounts of two persons, proven
		people = actors
	}
	if len(people) < 2 || people[0] == "" {
		return changed{}, errors.New("a release needs two different people: --as NAME --with NAME")
	}
	if len(c.Components) < 2 {
		return changed{}, errors.New("a release needs a new key loading: a component of the master key from each of the two people")
	}
	id, err := pos.ParseTerminalID(c.Terminal)
	if err != nil {
		return changed{}, fmt.Errorf("terminal id: %w", err)
	}
	reg, err := e.ledger.Terminal(id)
	if err != nil {
		return changed{}, err
	}
	if reg == nil || reg.Serial != old.Serial {
		return changed{}, fmt.Errorf("%w: terminal %s is not bound to device %s", ledger.ErrUnknown, id, c.Serial)
	}
	t, d := *reg, *old
	if err := e.masterFor(ctx, &t, c.Components); err != nil {
		return changed{}, err
	}
	if t.MasterKCV == reg.MasterKCV {
		return changed{}, errors.New("this is the master key it had: a release needs a new one")
	}
	d.State, d.ReleasedBy, d.MasterTerms = registry.Active, people, d.MasterTerms+1
	return changed{What: "device " + c.Serial + " released", KCV: t.MasterKCV}, e.ledger.Register(ctx, e.clock(), &t, &d)
}
