package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/registry"
	"touchstone/transaction"
)

// Replay folds one entry of the journal, in order, before the ledger is shared.
func (l *Ledger) Replay(ctx context.Context, e journal.Entry) error {
	if e.Kind != journal.KindExchange {
		return l.foldCold(e, nil)
	}
	var x journal.Exchange
	if err := x.Parse(e); err != nil {
		return fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	t := l.terminals[x.Terminal]
	if t == nil {
		return nil
	}
	if x.Original != 0 && x.Flags&journal.FlagRepeat == 0 {
		if err := l.replayOriginal(ctx, t, e.Seq, &x); err != nil {
			return err
		}
	}
	t.fold(e.Seq, &x)
	if c := l.cards[x.Card]; c != nil {
		c.fold(e.Seq, &x)
	}
	return l.foldPayment(e.Seq, &x)
}

func (l *Ledger) replayOriginal(ctx context.Context, t *terminal, seq uint64, x *journal.Exchange) error {
	owner := t
	k := transaction.KeyOf(x.Batch, transaction.ClassOfCode(x.Type), x.STAN)
	switch x.Effect {
	case journal.VoidedSale:
		k = saleKey(x.OriginalBatch, x.OriginalSTAN)
	case journal.Refunded:
		body, ok, err := l.refundedRecord(ctx, x.Original)
		if err != nil || !ok {
			return err
		}
		owner, k = body.t, body.k
	case journal.ReversedSale, journal.ReversedVoid, journal.ReversedNone:
	default:
		return nil
	}
	original, err := l.find(owner, k)
	if err != nil {
		return err
	}
	if original == nil {
		return fmt.Errorf("entry %d: its original %d is not known", seq, x.Original)
	}
	var sale *record
	if x.Effect == journal.ReversedVoid {
		if sale, err = l.find(owner, saleKey(original.OrigBatch, original.OrigSTAN)); err != nil {
			return err
		}
	}
	owner.foldOriginal(seq, x, original, sale)
	return nil
}

type place struct {
	t *terminal
	k transaction.Key
}

// refundedRecord finds a sale by its entry during replay: in memory it may be of any terminal, so the
// journal is asked.
func (l *Ledger) refundedRecord(ctx context.Context, seq uint64) (place, bool, error) {
	entry, err := l.history.Entry(ctx, seq)
	if err != nil {
		return place{}, false, err
	}
	var x journal.Exchange
	if err := x.Parse(entry); err != nil {
		return place{}, false, err
	}
	made, ok := transaction.Remember(seq, &x)
	t := l.terminals[x.Terminal]
	return place{t, made.Key()}, ok && t != nil, nil
}

// foldCold applies a cold record under the lock of what it names, or of the maps when it is new, so that
// a record the journal did not take is not in memory. enqueue gives the entry its number
// while that lock is held; nil during replay, when the entry has one.
func (l *Ledger) foldCold(e journal.Entry, enqueue func() (uint64, error)) error {
	if enqueue == nil {
		enqueue = func() (uint64, error) { return e.Seq, nil }
	}
	fail := func(err error) error {
		return fmt.Errorf("entry %d: %s: %w", e.Seq, e.Kind, err)
	}
	switch e.Kind {
	case journal.KindMerchant:
		m := new(registry.Merchant)
		if err := json.Unmarshal(e.Body, m); err != nil {
			return fail(err)
		}
		return l.listed(enqueue, func(seq uint64) { m.Entry = seq; l.merchants[m.ID] = m })
	case journal.KindDevice:
		d := new(registry.Device)
		if err := json.Unmarshal(e.Body, d); err != nil {
			return fail(err)
		}
		return l.foldDevice(d, enqueue)
	case journal.KindTerminal:
		r := new(registry.Terminal)
		if err := json.Unmarshal(e.Body, r); err != nil {
			return fail(err)
		}
		return l.foldTerminal(r, enqueue)
	case journal.KindCard:
		var o issuer.Opening
		if err := json.Unmarshal(e.Body, &o); err != nil {
			return fail(err)
		}
		return l.foldCard(o, enqueue)
	case journal.KindCertificate:
		c := new(registry.Certificate)
		if err := json.Unmarshal(e.Body, c); err != nil {
			return fail(err)
		}
		return l.foldCertificate(c, enqueue)
	case journal.KindEvent:
		event := new(journal.Event)
		if err := json.Unmarshal(e.Body, event); err != nil {
			return fail(err)
		}
		return l.listed(enqueue, func(uint64) { l.foldEvent(event) })
	case journal.KindStaff, journal.KindFleet, journal.KindLab, journal.KindIncident, journal.KindRedress:
		act := new(journal.Act)
		if err := json.Unmarshal(e.Body, act); err != nil {
			return fail(err)
		}
		return l.foldAct(e, act, enqueue)
	case journal.KindPermit:
		set := new(registry.PermitSet)
		if err := json.Unmarshal(e.Body, set); err != nil {
			return fail(err)
		}
		return l.foldPermits(e, set, enqueue)
	case journal.KindOpened, journal.KindKey, journal.KindFlood, journal.KindLoss, journal.KindCause:
		return l.listed(enqueue, func(uint64) {})
	}
	return fail(errors.New("of a later version"))
}

func (l *Ledger) foldDevice(d *registry.Device, enqueue func() (uint64, error)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	seq, err := l.stillTampered(d, enqueue)()
	if err != nil {
		return err
	}
	d.Entry = seq
	l.devices[d.Serial] = d
	l.opts.registered(nil, d)
	return nil
}

// stillTampered refuses a record that was made from one read before the device reported tampering and would
// undo that: only a new master key does. What the journal has already is never refused.
func (l *Ledger) stillTampered(d *registry.Device, enqueue func() (uint64, error)) func() (uint64, error) {
	if l.committer == nil {
		return enqueue
	}
	return func() (uint64, error) {
		if old := l.devices[d.Serial]; old != nil && old.State == registry.TamperedBy && d.State != old.State && d.MasterTerms <= old.MasterTerms {
			return 0, fmt.Errorf("%w: device %s was tampered with meanwhile", ErrTampered, d.Serial)
		}
		return enqueue()
	}
}

// foldAct hands an act's changes to the rooms under the lock of the maps, so that they see acts in the order
// of the journal. A room refuses only what it cannot read, which is a fault of ours or of the disk.
func (l *Ledger) foldAct(e journal.Entry, act *journal.Act, enqueue func() (uint64, error)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	seq, err := enqueue()
	if err != nil {
		return err
	}
	for _, c := range act.Changes {
		if err := l.opts.foldAct(seq, e.Kind, c); err != nil {
			return fmt.Errorf("entry %d: %s %s: %w", seq, c.Noun, c.ID, err)
		}
	}
	return nil
}

func (l *Ledger) listed(enqueue func() (uint64, error), apply func(seq uint64)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	seq, err := enqueue()
	if err != nil {
		return err
	}
	apply(seq)
	return nil
}

func (l *Ledger) foldTerminal(r *registry.Terminal, enqueue func() (uint64, error)) error {
	l.mu.Lock()
	t := l.terminals[r.ID]
	if t == nil {
		defer l.mu.Unlock()
		if l.committer != nil && len(l.terminals) >= l.opts.MaxTerminals {
			return ErrFull
		}
		seq, err := enqueue()
		if err != nil {
			return err
		}
		t := l.addTerminal(r.ID)
		t.unjudged = l.opts.Permits
		t.register(seq, r)
		l.opts.registered(r, nil)
		return nil
	}
	l.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	seq, err := enqueue()
	if err != nil {
		return err
	}
	t.register(seq, r)
	l.opts.registered(r, nil)
	return nil
}

// register takes a terminal's record. The session learns of its master key in the order of the journal
// and once: not from the newest record read before the tail, nor from one the checkpoint has seen.
func (t *terminal) register(seq uint64, r *registry.Terminal) {
	r.Entry = seq
	t.reg, t.touched = r, true
	t.version++
	if seq > t.applied {
		t.session.Load(r.Master)
		t.applied = seq
	}
}

func (l *Ledger) foldCard(o issuer.Opening, enqueue func() (uint64, error)) error {
	l.mu.Lock()
	c := l.cards[o.Card]
	if c == nil {
		defer l.mu.Unlock()
		if l.committer != nil && len(l.cards) >= l.opts.MaxCards {
			return ErrFull
		}
		seq, err := enqueue()
		if err != nil {
			return err
		}
		c = l.addCard(o.Card)
		c.issuer.Open(seq, o)
		c.touched = true
		return nil
	}
	l.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	seq, err := enqueue()
	if err != nil {
		return err
	}
	if seq > c.issuer.Version {
		c.issuer.Open(seq, o)
		c.touched = true
	}
	return nil
}
