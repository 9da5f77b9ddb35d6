package ledger

import (
	"context"

	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/transaction"
)

// TotalsOf reads the totals of a terminal's open batch.
func (l *Ledger) TotalsOf(id pos.TerminalID) journal.Totals {
	t := l.terminal(id)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.money.Totals
}

// BatchOf reads a terminal's open batch.
func (l *Ledger) BatchOf(id pos.TerminalID) pos.BatchNo {
	t := l.terminal(id)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.money.Batch
}

// RecordsOf counts the records a terminal has in memory.
func (l *Ledger) RecordsOf(id pos.TerminalID) int {
	t := l.terminal(id)
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.records)
}

// Warm brings every record that the journal ever made into memory, so that Hash covers them all.
func (l *Ledger) Warm(ctx context.Context) error {
	return l.history.Blocks(ctx, 1, func(b journal.Block) error {
		return b.Each(func(e journal.Entry) error {
			var x journal.Exchange
			if e.Kind != journal.KindExchange {
				return nil
			}
			if err := x.Parse(e); err != nil {
				return err
			}
			made, ok := transaction.Remember(e.Seq, &x)
			t := l.terminal(x.Terminal)
			if !ok || t == nil {
				return nil
			}
			_, err := l.find(t, made.Key())
			return err
		})
	})
}

// SessionOf reads a terminal's session.
func (l *Ledger) SessionOf(id pos.TerminalID) keys.Session {
	t := l.terminal(id)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.session
}

// Hold takes a terminal's lock; the caller gives it back.
func (l *Ledger) Hold(id pos.TerminalID) (release func()) {
	t := l.terminal(id)
	t.mu.Lock()
	return t.mu.Unlock
}

// Forget is trim for one terminal, keeping nothing.
func (l *Ledger) Forget(id pos.TerminalID) {
	t := l.terminal(id)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(len(t.records))
}
