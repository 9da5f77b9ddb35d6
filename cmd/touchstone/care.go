package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/secret"
)

// Files of a data directory that replace the policy and the checklist that come with the program.
const (
	carePolicyFile = "care-policy.json"
	checklistFile  = "checklist.json"
)

// maxCareFile bounds one of them.
const maxCareFile = 1 << 20

// loadCare reads them, where they are there, before the journal is folded. One that cannot be used stops the start:
// devices would be looked after by another rule than the operator wrote.
func (e *engine) loadCare() error {
	read := func(name string, use func([]byte) error) error {
		raw, err := os.ReadFile(filepath.Join(e.dir, name))
		switch {
		case errors.Is(err, os.ErrNotExist):
			return nil
		case err == nil && len(raw) > maxCareFile:
			err = errors.New("longer than 1 MiB")
		case err == nil:
			err = use(raw)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
	err := read(carePolicyFile, func(raw []byte) error {
		p, err := fleet.ParseCarePolicy(raw)
		if err == nil {
			e.office.rooms.fleet.SetCarePolicy(p)
		}
		return err
	})
	return errors.Join(err, read(checklistFile, func(raw []byte) error {
		c, err := fleet.ParseChecklist(raw)
		if err == nil {
			e.office.rooms.fleet.SetChecklist(c)
		}
		return err
	}))
}

// careEffect is what an act on devices changes in the register beside the states of the devices themselves.
type careEffect struct {
	fresh    func(*fleet.Life) *registry.Device // makes the record of a device that the register does not know; nil: none is made
	terminal *registry.Terminal                 // its new record, or nil
	loaded   bool                               // a master key was loaded into the device
}

// careAct decides on devices and carries the decision into the register: what restricts a device is registered before
// the act's entry, what frees one after it, so that a crash between them leaves the device refused. It returns the
// lives that the act changed.
func (e *engine) careAct(ctx context.Context, effect careEffect, decide func(r *rooms, now pos.Instant) ([]journal.Draft, error)) ([]*fleet.Life, error) {
	defer e.permits.settle(ctx)
	e.certificates.Lock() // a certificate's act changes the same record
	defer e.certificates.Unlock()
	e.office.acting.Lock()
	defer e.office.acting.Unlock()
	// A device may report tampering between the reading of its record and its registration, once.
	for range 2 {
		lives, err := e.careLocked(ctx, effect, decide)
		if !errors.Is(err, ledger.ErrTampered) {
			return lives, err
		}
	}
	return nil, ledger.ErrTampered
}

func (e *engine) careLocked(ctx context.Context, effect careEffect, decide func(r *rooms, now pos.Instant) ([]journal.Draft, error)) ([]*fleet.Life, error) {
	now := e.clock()
	var drafts []journal.Draft
	var lives []*fleet.Life
	var err error
	e.office.view(func(r *rooms) {
		if drafts, err = decide(r, now); err == nil {
			lives, err = fleet.LivesIn(drafts)
		}
	})
	var refusal *journal.Refusal
	if errors.As(err, &refusal) {
		return nil, e.actLocked(ctx, func(*rooms, pos.Instant) ([]journal.Draft, error) { return nil, refusal })
	}
	if err != nil {
		return nil, err
	}
	var before, after []any
	for _, l := range lives {
		tight, loose, err := e.registered(l, effect, now)
		if err != nil {
			return nil, err
		}
		before, after = append(before, tight...), append(after, loose...)
	}
	records := before
	for i := range drafts {
		records = append(records, &drafts[i])
	}
	if effect.terminal != nil {
		records = append(records, effect.terminal)
	}
	return lives, e.ledger.Register(ctx, now, append(records, after...)...)
}

// registered is what a life's new record makes of its device's record and certificates.
func (e *engine) registered(l *fleet.Life, effect careEffect, now pos.Instant) (before, after []any, err error) {
	old, err := e.ledger.Device(l.Serial)
	if errors.Is(err, ledger.ErrUnknown) {
		if effect.fresh == nil {
			return nil, nil, nil
		}
		return []any{effect.fresh(l)}, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	d := *old
	d.State = l.DeviceState(old.State)
	if effect.loaded {
		d.MasterTerms++
		if l.State == fleet.Deployed { // a new master key by two people is what releases a tampered device
			d.State = registry.Active
		}
	}
	if l.Final() {
		// Keys go with the device, and its certificates end for good.
		d.Key, d.KeyKCV, d.CertificateVoid, d.FormerCertificate, d.FormerUntil = nil, "", d.Certificate != "", "", 0
		for _, c := range e.ledger.Certificates() {
			if c.Device == l.Serial && c.Act != registry.CertificateVoid {
				gone := *c
				gone.Act, gone.By, gone.Reason, gone.At = registry.CertificateVoid, "rule:life", "device "+string(l.State), now
				before = append(before, &gone)
			}
		}
	}
	switch {
	case d.State == registry.Active && old.State != registry.Active, effect.loaded:
		after = append(after, &d)
	case d.State != old.State, l.Final():
		before = append(before, &d)
	}
	return before, after, nil
}

// sealQuery asks the module for the keyed hash of a number that is kept in no other form. Only the file is named.
type sealQuery struct {
	Kind string `json:"kind"` // of fleet.Sealed
	File string `json:"file"` // absolute
}

// sealedNumber hashes the number in a file.
func (e *engine) sealedNumber(q *sealQuery) (fleet.Sealed, error) {
	text, err := readSecretFile(q.File)
	if err != nil {
		return fleet.Sealed{}, err
	}
	number := secret.Take(text)
	defer number.Wipe()
	least, most := 18, 18
	if q.Kind == fleet.SettlementAccount {
		least, most = 8, 34 // an IBAN is the longest; ISO 13616
	}
	last, good, checked := "", false, true
	number.Use(func(b []byte) {
		checked = q.Kind != fleet.CreditCode || fleet.IsCreditCode(b)
		good = len(b) >= least && len(b) <= most && !slices.ContainsFunc(b, func(c byte) bool { return (c < '0' || c > '9') && (c < 'A' || c > 'Z') })
		if good {
			last = string(b[len(b)-4:])
		}
	})
	if !good || !slices.Contains([]string{fleet.CreditCode, fleet.PersonalID, fleet.SettlementAccount}, q.Kind) {
		want := "18"
		if least != most {
			want = fmt.Sprintf("%d to %d", least, most)
		}
		return fleet.Sealed{}, fmt.Errorf("%s: want %s digits and capital letters", filepath.Base(q.File), want)
	}
	if !checked {
		return fleet.Sealed{}, fmt.Errorf("%s: not a unified social credit code: a character is mistyped, for the last one checks the others (GB 32100-2015)", filepath.Base(q.File))
	}
	hash, err := e.module.HashText(q.Kind, number)
	return fleet.Sealed{Kind: q.Kind, Hash: hex.EncodeToString(hash[:]), Last: last}, err
}

// boundElsewhere is the terminal, other than id, that the register binds a device to; zero when there is none.
func (e *engine) boundElsewhere(serial pos.Serial, id pos.TerminalID) pos.TerminalID {
	for _, t := range e.ledger.Terminals() {
		if t.Serial == serial && t.ID != id {
			return t.ID
		}
	}
	return pos.TerminalID{}
}

// terminalOf is the terminal that the register binds a device to, nil when there is none.
func (e *engine) terminalOf(serial pos.Serial) *registry.Terminal {
	for _, t := range e.ledger.Terminals() {
		if t.Serial == serial {
			return t
		}
	}
	return nil
}

// mayWork refuses, and journals, that a device whose life does not let it is made to sell by another way.
func (e *engine) mayWork(ctx context.Context, serial pos.Serial, actors []string) error {
	return e.act(ctx, func(r *rooms, _ pos.Instant) ([]journal.Draft, error) {
		return nil, fleet.MaySell(r.fleet, serial, fleet.Who{Actors: orSetup(actors)})
	})
}

// mayBind refuses, and journals, a second terminal or merchant for one device.
func (e *engine) mayBind(ctx context.Context, t *registry.Terminal, actors []string) error {
	elsewhere := e.boundElsewhere(t.Serial, t.ID)
	return e.act(ctx, func(r *rooms, _ pos.Instant) ([]journal.Draft, error) {
		return nil, fleet.MayBind(r.fleet, t.Serial, t.ID, elsewhere, t.Merchant, fleet.Who{Actors: orSetup(actors)})
	})
}

// orSetup is who acts where no account is asked for.
func orSetup(actors []string) []string {
	if len(actors) == 0 {
		return []string{"setup"}
	}
	return actors
}
