package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/sqlite"
	"touchstone/web/api"
)

// keptPasts is how many past states of the rooms are kept: people look at one date for a while.
const keptPasts = 4

// pasts keeps the rooms as they were after some acts.
type pasts struct {
	making sync.Mutex // one at a time is folded
	mu     sync.Mutex // a leaf: guards the fields below
	begun  pos.Instant
	kept   []pastRooms // the one used last in front

	folding map[uint64]*figure // by the last entry that counts: rooms that are being folded for requests

	heard *heard // the one read last; of the worker that counts figures of the past alone
}

// pastRooms are the rooms after an act, the newest before the instants asked about.
type pastRooms struct {
	last  uint64 // the act
	until uint64 // the last entry that was asked about: no act is between
	rooms *rooms
}

// seqAt is the last entry at or before an instant: what was true then is what entries up to it say. The error is a
// *api.Problem for an instant of which nothing can be told.
func (e *engine) seqAt(ctx context.Context, at pos.Instant) (uint64, error) {
	if at > e.clock() {
		return 0, api.Refuse(http.StatusBadRequest, "as_of_invalid", "as_of is ahead of now: nothing can be told of what is not yet")
	}
	e.pasts.mu.Lock()
	begun := e.pasts.begun
	e.pasts.mu.Unlock()
	if begun == 0 {
		first, err := e.store.Entry(ctx, 1)
		if err != nil {
			return 0, err
		}
		begun = first.At
		e.pasts.mu.Lock()
		e.pasts.begun = begun
		e.pasts.mu.Unlock()
	}
	if at < begun {
		return 0, api.Refuse(http.StatusBadRequest, "as_of_before_journal", "as_of is before the first entry of this journal, which was written "+time.Unix(0, int64(begun)).In(e.line.Zone).Format(time.RFC3339))
	}
	next, err := firstSince(ctx, e.store.Reader, at+1)
	if err != nil {
		return 0, err
	}
	return next - 1, nil
}

// projectedTo sees to it that the projection reaches an entry.
func (e *engine) projectedTo(ctx context.Context, seq uint64, ask func() error) error {
	if e.view == nil {
		return api.Refuse(http.StatusServiceUnavailable, "as_of_unavailable", "this host keeps no projection of its journal, so the past is not at hand")
	}
	err := ask()
	if errors.Is(err, sqlite.ErrBehind) {
		if err := e.view.CatchUp(ctx); err != nil {
			return err
		}
		err = ask()
	}
	return err
}

// pastRegister is the register as it was after an entry. It reads on demand and remembers nothing.
type pastRegister struct {
	e   *engine
	At  pos.Instant
	Seq uint64 // the last entry that counts
}

// registryAt is the register as it was at an instant.
func (e *engine) registryAt(ctx context.Context, at pos.Instant) (*pastRegister, error) {
	seq, err := e.seqAt(ctx, at)
	if err != nil {
		return nil, err
	}
	return &pastRegister{e, at, seq}, nil
}

// record reads the newest entry up to then that made a thing; ledger.ErrUnknown when none did.
func (p *pastRegister) record(ctx context.Context, noun sqlite.PastNoun, id string, into any) (journal.Entry, error) {
	var seqs []uint64
	err := p.e.projectedTo(ctx, p.Seq, func() (err error) { seqs, err = p.e.view.Past(ctx, noun, id, p.Seq, 1); return err })
	if err != nil {
		return journal.Entry{}, err
	}
	if len(seqs) == 0 {
		return journal.Entry{}, fmt.Errorf("%w: %s %s at that time", ledger.ErrUnknown, noun, id)
	}
	entry, err := p.e.store.Entry(ctx, seqs[0])
	if err != nil {
		return journal.Entry{}, err
	}
	if err := json.Unmarshal(entry.Body, into); err != nil {
		return journal.Entry{}, fmt.Errorf("entry %d: %w", entry.Seq, err)
	}
	return entry, nil
}

// Terminal is a terminal's record as it was.
func (p *pastRegister) Terminal(ctx context.Context, id pos.TerminalID) (*registry.Terminal, error) {
	if now, err := p.e.ledger.Terminal(id); err == nil && now.Entry != 0 && now.Entry <= p.Seq {
		return now, nil
	}
	t := new(registry.Terminal)
	entry, err := p.record(ctx, sqlite.PastTerminal, id.String(), t)
	t.Entry = entry.Seq
	return t, err
}

// Device is a device's record as it was.
func (p *pastRegister) Device(ctx context.Context, serial pos.Serial) (*registry.Device, error) {
	if now, err := p.e.ledger.Device(serial); err == nil && now.Entry != 0 && now.Entry <= p.Seq {
		return now, nil
	}
	d := new(registry.Device)
	entry, err := p.record(ctx, sqlite.PastDevice, string(serial), d)
	d.Entry = entry.Seq
	return d, err
}

// Merchant is a merchant's record as it was.
func (p *pastRegister) Merchant(ctx context.Context, id pos.MerchantID) (*registry.Merchant, error) {
	if now, err := p.e.ledger.Merchant(id); err == nil && now.Entry != 0 && now.Entry <= p.Seq {
		return now, nil
	}
	m := new(registry.Merchant)
	entry, err := p.record(ctx, sqlite.PastMerchant, id.String(), m)
	m.Entry = entry.Seq
	return m, err
}

// Standing is a terminal's permit as it was; nil where no entry said anything but its registration.
func (p *pastRegister) Standing(ctx context.Context, id pos.TerminalID) (*registry.Standing, error) {
	var set registry.PermitSet
	entry, err := p.record(ctx, sqlite.PastPermit, id.String(), &set)
	if errors.Is(err, ledger.ErrUnknown) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return set.Standing(entry.Seq, entry.At), nil
}

// of is what is known of a terminal as it was, given what is known now: only what changed since is read.
func (p *pastRegister) of(ctx context.Context, now *ledger.Permitted) (then ledger.Permitted, err error) {
	id := now.Terminal.ID
	then.Terminal = now.Terminal
	if seq := now.Terminal.Entry; seq == 0 || seq > p.Seq {
		if then.Terminal, err = p.Terminal(ctx, id); err != nil {
			return ledger.Permitted{}, err
		}
	}
	if d := now.Device; d != nil && d.Serial == then.Terminal.Serial && d.Entry != 0 && d.Entry <= p.Seq {
		then.Device = d
	} else if then.Device, err = p.Device(ctx, then.Terminal.Serial); err != nil {
		if !errors.Is(err, ledger.ErrUnknown) {
			return ledger.Permitted{}, err
		}
		then.Device = nil // it was not registered then
	}
	if s := now.Standing; s == nil || s.Entry <= p.Seq { // a terminal that was judged once has an entry for ever
		then.Standing = s
	} else if then.Standing, err = p.Standing(ctx, id); err != nil {
		return ledger.Permitted{}, err
	}
	return then, nil
}
