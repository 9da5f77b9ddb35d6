package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"touchstone/grade"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/web/api"
)

// epoch is the estate at one moment: as it is, or as it was after an entry. Whatever looks at terminals takes them from
// it, so that an answer about the past is made by the rules that make the answer of now.
type epoch struct {
	e    *engine
	at   pos.Instant   // 0: now
	past *pastRegister // nil: now
	then *rooms        // nil: now
}

// present is the estate as it is.
func (e *engine) present() *epoch { return &epoch{e: e} }

// epochAt is the estate as it was at an instant; 0 is now. It may take long: requests ask epochSoon.
func (e *engine) epochAt(ctx context.Context, at pos.Instant) (*epoch, error) {
	return e.epochBy(ctx, at, e.roomsAt)
}

// epochSoon is epochAt for a request; the error is api.BeingCounted while the rooms of then are folded.
func (e *engine) epochSoon(ctx context.Context, at pos.Instant) (*epoch, error) {
	return e.epochBy(ctx, at, e.roomsSoon)
}

func (e *engine) epochBy(ctx context.Context, at pos.Instant, rooms func(context.Context, pos.Instant) (*rooms, error)) (*epoch, error) {
	if at == 0 {
		return e.present(), nil
	}
	past, err := e.registryAt(ctx, at)
	if err != nil {
		return nil, err
	}
	then, err := rooms(ctx, at)
	if err != nil {
		return nil, err
	}
	return &epoch{e: e, at: at, past: past, then: then}, nil
}

// epochPaced is epochAt for a worker that rests.
func (e *engine) epochPaced(ctx context.Context, at pos.Instant, pace func() error) (*epoch, error) {
	return e.epochBy(ctx, at, func(ctx context.Context, at pos.Instant) (*rooms, error) {
		seq, err := e.seqAt(ctx, at)
		if err != nil {
			return nil, err
		}
		return e.roomsAfter(ctx, seq, pace)
	})
}

// asked is the estate at the moment that a caller asks for.
func (d *desk) asked(ctx context.Context, q *api.AsOf) (*epoch, error) {
	at, err := q.Instant(d.line.Zone, d.clock())
	if err != nil {
		return nil, err
	}
	return d.epochSoon(ctx, at)
}

// now is the moment by which ages and deadlines are told.
func (w *epoch) now() pos.Instant {
	if w.at != 0 {
		return w.at
	}
	return w.e.clock()
}

// upTo is the last entry that counts.
func (w *epoch) upTo() uint64 {
	if w.past == nil {
		return 1<<63 - 1
	}
	return w.past.Seq
}

// view lends the rooms.
func (w *epoch) view(f func(*rooms)) {
	if w.past == nil {
		w.e.office.view(f)
		return
	}
	f(w.then)
}

// each gives f what is known of the terminals from place from on, at most n of them, and returns the next place, 0 at the
// end: ledger.EachPermitted. Of the past it reads what changed since, so it is for counts in the background.
func (w *epoch) each(ctx context.Context, from, n int, f func(ledger.Permitted)) (next int, err error) {
	if w.past == nil {
		return w.e.ledger.EachPermitted(from, n, f), nil
	}
	var now []ledger.Permitted
	next = w.e.ledger.EachPermitted(from, min(n, pastStep), func(p ledger.Permitted) { now = append(now, p) })
	for i := range now {
		p, err := w.past.of(ctx, &now[i])
		if errors.Is(err, ledger.ErrUnknown) {
			continue
		}
		if err != nil {
			return 0, err
		}
		f(p)
	}
	return next, nil
}

// pastStep is how many terminals are looked up between two rests.
const pastStep = 64

// every gives f every terminal; pace is called after each step, and its error ends it.
func (w *epoch) every(ctx context.Context, n int, pace func() error, f func(ledger.Permitted)) error {
	for from := 0; ; {
		next, err := w.each(ctx, from, n, f)
		if err != nil {
			return err
		}
		if from = next; from == 0 {
			return nil
		}
		if err := pace(); err != nil {
			return err
		}
	}
}

// permitted is what is known of one terminal; ok is false for one that is not registered.
func (w *epoch) permitted(ctx context.Context, id pos.TerminalID) (p ledger.Permitted, ok bool, err error) {
	now, ok := w.e.ledger.Permitted(id)
	if !ok || w.past == nil {
		return now, ok, nil
	}
	p, err = w.past.of(ctx, &now)
	if errors.Is(err, ledger.ErrUnknown) {
		return p, false, nil
	}
	return p, err == nil, err
}

// merchant is a shop's record, nil where it is not registered.
func (w *epoch) merchant(ctx context.Context, id pos.MerchantID) (m *registry.Merchant, err error) {
	if w.past == nil {
		m, err = w.e.ledger.Merchant(id)
	} else {
		m, err = w.past.Merchant(ctx, id)
	}
	if errors.Is(err, ledger.ErrUnknown) {
		return nil, nil
	}
	return m, err
}

// shopName is a shop's name, "" where it is not registered.
func (w *epoch) shopName(ctx context.Context, id pos.MerchantID) (string, error) {
	m, err := w.merchant(ctx, id)
	if m == nil {
		return "", err
	}
	return m.Name, err
}

// boundTo is the terminal that a device is bound to by the newest of their records, nil for none.
func (w *epoch) boundTo(ctx context.Context, serial pos.Serial) (*registry.Terminal, error) {
	now := w.e.boundTo(serial)
	if w.past == nil || now != nil && now.Entry != 0 && now.Entry <= w.past.Seq {
		return now, nil
	}
	return w.past.boundTo(ctx, serial)
}

// keySets are a terminal's working keys.
func (w *epoch) keySets(ctx context.Context, t *registry.Terminal) (ledger.KeySets, error) {
	if w.past == nil {
		sets, _ := w.e.ledger.KeySets(t.ID)
		return sets, nil
	}
	s, err := w.past.session(ctx, t)
	return ledger.KeySetsOf(&s), err
}

// seen is what was seen of terminals lately. Of the past it is what heard read.
func (w *epoch) seen(h *heard, ids []pos.TerminalID) []grade.Seen {
	if h == nil {
		return w.e.watch.seen(ids)
	}
	list := make([]grade.Seen, len(ids))
	for i, id := range ids {
		list[i] = h.book.Of(id)
	}
	return list
}

// pastFigure begins the names of figures of the past.
const pastFigure = "then/"

// settled is how old a moment is before nothing is written any more that belongs before it: an entry has the instant at
// which it was asked for, and becomes durable a moment later.
const settled = 10 * time.Second

// figureAt is a figure as of an instant, 0 being now. One of the past is counted once, for it does not change.
func figureAt[T any](ctx context.Context, e *engine, name string, at pos.Instant, life time.Duration,
	count func(ctx context.Context, w *epoch, pace func() error) (T, error)) (value T, counted api.Counted, err error) {
	if at == 0 {
		return figureOf(ctx, e.census, name, life, func(ctx context.Context, pace func() error) (T, error) { return count(ctx, e.present(), pace) })
	}
	if _, err := e.seqAt(ctx, at); err != nil {
		return value, counted, err
	}
	if e.clock().Sub(at) > settled {
		life = 1<<63 - 1
	}
	value, counted, err = figureOf(ctx, e.census, pastFigure+name+"@"+strconv.FormatInt(int64(at), 10), life, func(ctx context.Context, pace func() error) (none T, err error) {
		w, err := e.epochPaced(ctx, at, pace)
		if err != nil {
			return none, err
		}
		return count(ctx, w, pace)
	})
	if err == nil {
		counted.AsOf = momentOf(at)
	}
	return value, counted, err
}
