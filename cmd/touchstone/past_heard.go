package main

import (
	"context"
	"errors"

	"touchstone/grade"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
)

// heard is what messages said in the two stretches of a grade that end with an entry. Live figures read as much when the
// host starts.
type heard struct {
	last     uint64 // the entry
	first    uint64 // the first that was read
	book     *grade.Book
	places   *reportedPlaces
	sessions map[pos.TerminalID]*heardSession
}

// heardSession is what is known of a terminal's working keys from the messages that were read. It is a keys.Session
// without the wrapped keys, of which a million would not fit.
type heardSession struct {
	inForce, pending heardSet
	last             uint32
	signedOff        bool
	sure             bool // nothing before the messages that were read can matter
}

type heardSet struct {
	number uint32
	code   pos.NetworkCode
	issued pos.Instant
}

// hear reads what messages said until the moment of an epoch of the past. It is for the worker that counts figures of the
// past, which keeps the last one.
func (w *epoch) hear(ctx context.Context, pace func() error) (*heard, error) {
	if w.past == nil {
		return nil, nil
	}
	kept := &w.e.pasts.heard
	if *kept != nil && (*kept).last == w.past.Seq {
		return *kept, nil
	}
	first, err := firstSince(ctx, w.e.store.Reader, w.at-pos.Instant(2*grade.Stretch))
	if err != nil {
		return nil, err
	}
	h := &heard{last: w.past.Seq, first: first, book: grade.NewBook(grade.Stretch), places: newReportedPlaces(), sessions: map[pos.TerminalID]*heardSession{}}
	var x journal.Exchange
	err = w.e.eachEntry(ctx, first, w.past.Seq, pace, func(e journal.Entry) error {
		h.book.Fold(e)
		h.places.fold(e)
		switch {
		case e.Kind == journal.KindExchange && x.Parse(e) == nil && changesSession(&x):
			h.session(x.Terminal).fold(&x)
		case e.Kind == journal.KindTerminal:
			return h.loaded(ctx, w.past, e)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	*kept = h
	return h, nil
}

// eachEntry gives f the entries from first to last; pace is called after each block.
func (e *engine) eachEntry(ctx context.Context, first, last uint64, pace func() error, f func(journal.Entry) error) error {
	err := e.store.Reader.Blocks(ctx, max(first, 1), func(b journal.Block) error {
		if b.First > last {
			return errBeyond
		}
		err := b.Each(func(entry journal.Entry) error {
			if entry.Seq < first || entry.Seq > last {
				return nil
			}
			return f(entry)
		})
		if err == nil {
			err = pace()
		}
		return err
	})
	if errors.Is(err, errBeyond) {
		return nil
	}
	return err
}

func (h *heard) session(id pos.TerminalID) *heardSession {
	s := h.sessions[id]
	if s == nil {
		s = &heardSession{sure: h.first <= 1}
		h.sessions[id] = s
	}
	return s
}

// loaded takes a record of a terminal: with another master key its working keys have ended.
func (h *heard) loaded(ctx context.Context, past *pastRegister, e journal.Entry) error {
	t, ok := parseTerminal(e)
	if !ok {
		return nil
	}
	before := &pastRegister{past.e, e.At, e.Seq - 1}
	_, _, _, id, _ := t.Master.Head()
	old, err := before.Terminal(ctx, t.ID)
	if errors.Is(err, ledger.ErrUnknown) {
		old, err = &registry.Terminal{}, nil
	}
	if err != nil {
		return err
	}
	_, _, _, was, _ := old.Master.Head()
	if s := h.session(t.ID); id != was || old.Entry == 0 {
		s.inForce, s.pending, s.sure = heardSet{}, heardSet{}, true
	}
	return nil
}

// fold applies a message as keys.Session does.
func (s *heardSession) fold(x *journal.Exchange) {
	if x.Flags&journal.FlagPromoted != 0 && s.pending.issued != 0 && !s.sure {
		s.pending.number, s.last, s.sure = x.KeySet, x.KeySet, true // the messages before told of no number
	}
	full := keys.Session{InForce: s.inForce.set(), Pending: s.pending.set(), Last: s.last, SignedOff: s.signedOff}
	full.Fold(x)
	s.inForce, s.pending, s.last, s.signedOff = heardSetOf(&full.InForce), heardSetOf(&full.Pending), full.Last, full.SignedOff
}

func (s *heardSet) set() keys.Set { return keys.Set{Number: s.number, Code: s.code, Issued: s.issued} }

func heardSetOf(s *keys.Set) heardSet { return heardSet{s.Number, s.Code, s.Issued} }

// inForce is the working key set that was in force, number 0 being none; sets that ended by signing off are none.
func (w *epoch) inForce(ctx context.Context, h *heard, t *registry.Terminal) (set heardSet, err error) {
	if h != nil {
		switch s := h.sessions[t.ID]; {
		case s == nil && h.first <= 1, s != nil && s.sure && s.signedOff:
			return heardSet{}, nil
		case s != nil && s.sure:
			return s.inForce, nil
		}
	}
	sets, err := w.keySets(ctx, t)
	if err != nil || sets.SignedOff {
		return heardSet{}, err
	}
	return heardSet{sets.InForce.Number, sets.InForce.Code, sets.InForce.Issued}, nil
}
