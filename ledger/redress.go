package ledger

import (
	"context"
	"errors"

	"touchstone/host"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/transaction"
)

// OrderRefused is why the money of an order may not move. Nothing has happened.
type OrderRefused struct{ Reason reason.Reason }

func (e *OrderRefused) Error() string { return "refused: " + e.Reason.String() }

// Redress carries an order out as Commit does a message: under the locks of the sale's terminal and its card the
// order concludes, its entry is enqueued and folded; it returns when that is durable. It does not know what was
// paid before: the caller asks for each part of a claim once, and one at a time. An error other than
// OrderRefused leaves open whether the entry becomes durable.
func (l *Ledger) Redress(ctx context.Context, o *host.Order) (seq uint64, err error) {
	done := make(waiter, 1)
	for range maxLookups {
		seq, err = l.redress(o, done)
		if !errors.Is(err, host.ErrConflict) {
			break
		}
	}
	if err != nil {
		return 0, err
	}
	select {
	case r := <-done:
		if !r.MayAnswer() {
			return 0, journal.ErrStopped
		}
		return seq, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (l *Ledger) redress(o *host.Order, done waiter) (uint64, error) {
	t, sale, err := l.byReference(nil, o.Sale)
	if err != nil {
		return 0, err
	}
	if t == nil || sale == nil {
		return 0, &OrderRefused{reason.OriginalNotFound}
	}
	seq, entry, err := l.concludeOrder(o, t, sale, done)
	if err != nil {
		return 0, err
	}
	return seq, l.foldPayment(seq, entry)
}

func (l *Ledger) concludeOrder(o *host.Order, t *terminal, sale *record, done waiter) (uint64, *journal.Exchange, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.holds(sale) {
		return 0, nil, host.ErrConflict
	}
	view := host.View{Terminal: &t.money, Original: &sale.Record}
	c := l.card(sale.Card)
	if c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		view.Card = &c.issuer
	}
	entry, why := o.Conclude(view)
	if why != reason.None {
		return 0, nil, &OrderRefused{why}
	}
	seq, err := l.committer.Enqueue(entry, journal.Outcome, done)
	if err != nil {
		return 0, nil, err
	}
	t.fold(seq, entry)
	if entry.Effect == journal.Refunded {
		t.foldOriginal(seq, entry, sale, nil)
	}
	c.fold(seq, entry)
	return seq, entry, nil
}

// foldPayment tells the room of redress that an exchange paid a claim.
func (l *Ledger) foldPayment(seq uint64, x *journal.Exchange) error {
	p, ok := x.Payment(seq)
	if !ok {
		return nil
	}
	change, err := p.Change()
	if err != nil {
		return err
	}
	return l.opts.foldAct(seq, journal.KindRedress, change)
}

// SaleNow is the record of the sale that entry seq made, as it is now; ok is false where that entry made none.
func (l *Ledger) SaleNow(seq uint64) (r transaction.Record, ok bool, err error) {
	t, rec, err := l.byReference(nil, seq)
	if err != nil || t == nil || rec == nil {
		return transaction.Record{}, false, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return rec.Record, rec.Type == pos.Sale, nil
}
