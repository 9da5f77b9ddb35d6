package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"touchstone/grade"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
	"touchstone/sqlite"
	"touchstone/web/api"
)

// Bounds of looking for the working keys that a terminal had: of its messages before the moment, and of the records of it
// that may have given it another master key.
const (
	sessionLook    = 20_000
	sessionPiece   = 128
	sessionRecords = 64
)

// errSessionFar is told where a terminal sent more than sessionLook messages since the sign-in whose keys were in force.
var errSessionFar = errors.New("which working keys the terminal had then is not kept: it sent more than 20,000 messages since the sign-in that issued them")

// orNotKept tells a caller that what he asks for is not kept; another error stays.
func orNotKept(err error) error {
	if errors.Is(err, errSessionFar) {
		return api.NotKept(errSessionFar.Error())
	}
	return err
}

// session is what a terminal's sign-ins had led to, t being its record then. It is a fold of the terminal's own messages,
// read backward until one brought keys into force: their number names them, so nothing before their sign-in matters.
func (p *pastRegister) session(ctx context.Context, t *registry.Terminal) (keys.Session, error) {
	loaded, err := p.masterSince(ctx, t)
	if err != nil {
		return keys.Session{}, err
	}
	var changes []journal.Exchange // the newest first
	var at []uint64
	number, found := uint32(0), false
	for looked, before := 0, p.Seq+1; !found; {
		var list []sqlite.Message
		err := p.e.projectedTo(ctx, p.Seq, func() (err error) { list, err = p.e.view.Recent(ctx, t.ID, before, sessionPiece); return err })
		if err != nil {
			return keys.Session{}, err
		}
		for _, m := range list {
			entry, err := p.e.store.Entry(ctx, m.Seq)
			if err != nil {
				return keys.Session{}, err
			}
			var x journal.Exchange
			if err := x.Parse(entry); err != nil {
				return keys.Session{}, err
			}
			before = m.Seq
			if !changesSession(&x) {
				continue
			}
			x.Details, x.Wrapped = nil, slices.Clone(x.Wrapped)
			changes, at = append(changes, x), append(at, m.Seq)
			if found = number != 0 && x.Effect == journal.KeysIssued; found {
				break
			}
			if x.Flags&journal.FlagPromoted != 0 && x.KeySet != 0 {
				number = x.KeySet
			}
		}
		if looked += len(list); len(list) < sessionPiece {
			break // there are no more
		}
		if looked > sessionLook {
			return keys.Session{}, errSessionFar
		}
	}
	return foldSession(t, changes, at, loaded, number, found), nil
}

// seenOf is what was seen of one terminal in the two stretches before the moment, of its newest sessionLook messages.
func (w *epoch) seenOf(ctx context.Context, id pos.TerminalID) (grade.Seen, error) {
	if w.past == nil {
		return w.e.watch.seen([]pos.TerminalID{id})[0], nil
	}
	since := w.at - pos.Instant(2*grade.Stretch)
	var entries []journal.Entry // the newest first
	for before, more := w.past.Seq+1, true; more && len(entries) < sessionLook; {
		var list []sqlite.Message
		err := w.e.projectedTo(ctx, w.past.Seq, func() (err error) {
			list, err = w.e.view.Recent(ctx, id, before, sessionPiece)
			return err
		})
		if err != nil {
			return grade.Seen{}, err
		}
		more = len(list) == sessionPiece
		for _, m := range list {
			entry, err := w.e.store.Entry(ctx, m.Seq)
			if err != nil {
				return grade.Seen{}, err
			}
			if before = m.Seq; entry.At < since {
				more = false
				break
			}
			entries = append(entries, entry)
		}
	}
	book := grade.NewBook(grade.Stretch)
	for _, e := range slices.Backward(entries) {
		book.Fold(e)
	}
	return book.Of(id), nil
}

// suspectEvents is how many events of one terminal are read for a suspicion.
const suspectEvents = 500

// suspected tells whether a terminal was suspected to be cloned.
func (w *epoch) suspected(ctx context.Context, id pos.TerminalID) (bool, error) {
	if w.past == nil {
		return w.e.ledger.Suspected(id) != proof.Unsuspected, nil
	}
	var seqs []uint64
	err := w.e.projectedTo(ctx, w.past.Seq, func() (err error) {
		seqs, err = w.e.view.Past(ctx, sqlite.PastEvent, id.String(), w.past.Seq, suspectEvents)
		return err
	})
	if err != nil {
		return false, err
	}
	var all proof.Suspects
	for _, seq := range slices.Backward(seqs) {
		entry, err := w.e.store.Entry(ctx, seq)
		if err != nil {
			return false, err
		}
		if event, ok := parseEvent(entry); ok {
			all.Fold(&event)
		}
	}
	return all[id] != proof.Unsuspected, nil
}

// changesSession tells whether a message changed what its terminal's sign-ins had led to.
func changesSession(x *journal.Exchange) bool {
	return x.Flags&journal.FlagPromoted != 0 || x.Effect == journal.KeysIssued || x.Effect == journal.SignedOff || x.Effect == journal.Tampered
}

// foldSession folds changes, the newest first, found at the entries at. The oldest of them issued set number where found
// is true; else they are all that there are. Working keys from before the master key was loaded have ended.
func foldSession(t *registry.Terminal, changes []journal.Exchange, at []uint64, loaded uint64, number uint32, found bool) keys.Session {
	var s keys.Session
	if found {
		s.Last = number - 1
	}
	over := false
	for i := len(changes) - 1; i >= 0; i-- {
		if !over && at[i] > loaded {
			over, s.InForce, s.Pending = true, keys.Set{}, keys.Set{}
		}
		s.Fold(&changes[i])
	}
	if !over {
		s.InForce, s.Pending = keys.Set{}, keys.Set{}
	}
	if _, _, _, id, err := t.Master.Head(); err == nil {
		s.Master = id
	}
	return s
}

// masterSince is the entry from which on a terminal had the master key that its record then names.
func (p *pastRegister) masterSince(ctx context.Context, t *registry.Terminal) (uint64, error) {
	var seqs []uint64
	err := p.e.projectedTo(ctx, p.Seq, func() (err error) {
		seqs, err = p.e.view.Past(ctx, sqlite.PastTerminal, t.ID.String(), p.Seq, sessionRecords)
		return err
	})
	if err != nil || len(seqs) == 0 {
		return 0, err
	}
	known, err := p.e.view.Masters(ctx, t.ID)
	if err != nil {
		return 0, err
	}
	for _, seq := range known {
		if seq <= p.Seq {
			return seq, nil
		}
	}
	_, _, _, own, err := t.Master.Head()
	if err != nil {
		return seqs[0], nil // it has none
	}
	since := seqs[0]
	for _, seq := range seqs {
		entry, err := p.e.store.Entry(ctx, seq)
		if err != nil {
			return 0, err
		}
		before, ok := parseTerminal(entry)
		if !ok {
			return 0, fmt.Errorf("entry %d: no record of a terminal", seq)
		}
		if _, _, _, id, err := before.Master.Head(); err != nil || id != own {
			break
		}
		since = seq
	}
	return since, nil
}

// operator is who signed in for the keys that were in force; zero is nobody in particular, or not kept.
func (w *epoch) operator(ctx context.Context, t *registry.Terminal) (pos.Operator, error) {
	s, err := w.past.session(ctx, t)
	if errors.Is(err, errSessionFar) {
		return pos.Operator{}, nil
	}
	return s.InForce.Operator, err
}
