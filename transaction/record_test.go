package transaction_test

import (
	"reflect"
	"testing"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/transaction"
)

// TestTerminalFold: what each effect does to totals, traces, batch and address.
func TestTerminalFold(t *testing.T) {
	from, before := pos.IPv4(10, 0, 0, 1), pos.IPv4(10, 0, 0, 9)
	base := func() transaction.Terminal {
		return transaction.Terminal{Batch: 3, Totals: journal.Totals{DebitAmount: 500, DebitCount: 5, CreditAmount: 50, CreditCount: 2}, HeardFrom: before, LastBatch: 2}
	}
	for name, c := range map[string]struct {
		x    journal.Exchange
		want func(t *transaction.Terminal)
	}{
		"sale": {journal.Exchange{MTI: 0x0200, Effect: journal.Sold, Amount: 100}, func(t *transaction.Terminal) {
			t.Totals.DebitAmount, t.Totals.DebitCount = 600, 6
			t.Traces[1].Add(7)
		}},
		"verified sale": {journal.Exchange{MTI: 0x0200, Effect: journal.Sold, Amount: 100, Flags: journal.FlagMACVerified}, func(t *transaction.Terminal) {
			t.Totals.DebitAmount, t.Totals.DebitCount, t.HeardFrom = 600, 6, from
			t.Traces[1].Add(7)
		}},
		"void": {journal.Exchange{MTI: 0x0200, Effect: journal.VoidedSale, Amount: 100}, func(t *transaction.Terminal) {
			t.Totals.CreditAmount, t.Totals.CreditCount = 150, 3
			t.Traces[1].Add(7)
		}},
		"refund": {journal.Exchange{MTI: 0x0220, Effect: journal.Refunded, Amount: 100}, func(t *transaction.Terminal) {
			t.Totals.CreditAmount, t.Totals.CreditCount = 150, 3
			t.Traces[2].Add(7)
		}},
		"refused":       {journal.Exchange{MTI: 0x0200, Effect: journal.Recorded}, func(t *transaction.Terminal) { t.Traces[1].Add(7) }},
		"authorization": {journal.Exchange{MTI: 0x0100, Effect: journal.Recorded}, func(t *transaction.Terminal) { t.Traces[0].Add(7) }},
		"repeat":        {journal.Exchange{MTI: 0x0200, Effect: journal.NoEffect, Flags: journal.FlagMACVerified}, func(t *transaction.Terminal) { t.HeardFrom = from }},
		"not verified":  {journal.Exchange{MTI: 0x0200}, func(*transaction.Terminal) {}},
		"another batch": {journal.Exchange{MTI: 0x0200, Effect: journal.Recorded, Batch: 4}, func(*transaction.Terminal) {}},
		"reversal of a sale": {journal.Exchange{MTI: 0x0400, Effect: journal.ReversedSale, Amount: 100}, func(t *transaction.Terminal) {
			t.Totals.DebitAmount, t.Totals.DebitCount = 400, 4
		}},
		"reversal of a void": {journal.Exchange{MTI: 0x0400, Effect: journal.ReversedVoid, Amount: 25}, func(t *transaction.Terminal) {
			t.Totals.CreditAmount, t.Totals.CreditCount = 25, 1
		}},
		"reversal of nothing":        {journal.Exchange{MTI: 0x0400, Effect: journal.ReversedNone, Amount: 100}, func(*transaction.Terminal) {}},
		"tombstone of a sale":        {journal.Exchange{MTI: 0x0400, Type: pos.Sale, Effect: journal.Buried}, func(t *transaction.Terminal) { t.Traces[1].Add(7) }},
		"tombstone of a pre-auth":    {journal.Exchange{MTI: 0x0400, Type: pos.PreAuth, Effect: journal.Buried}, func(t *transaction.Terminal) { t.Traces[0].Add(7) }},
		"tombstone of a refund":      {journal.Exchange{MTI: 0x0400, Type: pos.Refund, Effect: journal.Buried}, func(t *transaction.Terminal) { t.Traces[2].Add(7) }},
		"tombstone in another batch": {journal.Exchange{MTI: 0x0400, Type: pos.Sale, Effect: journal.Buried, Batch: 4}, func(*transaction.Terminal) {}},
		"settlement": {journal.Exchange{MTI: 0x0500, Effect: journal.Settled, NextBatch: 4, SettleCode: 1, Claimed: totals}, func(t *transaction.Terminal) {
			*t = transaction.Terminal{Batch: 4, LastBatch: 3, LastSTAN: 7, LastCode: 1, LastTotals: totals}
		}},
		"sign-in": {journal.Exchange{MTI: 0x0800, Effect: journal.KeysIssued}, func(*transaction.Terminal) {}},
	} {
		t.Run(name, func(t *testing.T) {
			got, want := base(), base()
			c.x.STAN, c.x.Source = 7, from
			if c.x.Batch == 0 {
				c.x.Batch = 3
			}
			got.Fold(&c.x)
			c.want(&want)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
	if n := transaction.NewTerminal(); n.Batch != 1 || n.LastBatch != 0 {
		t.Errorf("a new terminal has batch %s open", n.Batch)
	}
}

// TestBuryWhenFull: tombstones do not pass the bound of scattered traces.
func TestBuryWhenFull(t *testing.T) {
	s := transaction.NewTerminal()
	for i := range pos.STAN(transaction.MaxSpans + 10) {
		s.Fold(&journal.Exchange{MTI: 0x0400, Type: pos.Sale, Effect: journal.Buried, Batch: 1, STAN: 2 * i})
	}
	if n := len(s.Traces[1]); n != transaction.MaxSpans {
		t.Errorf("%d runs, the most is %d", n, transaction.MaxSpans)
	}
}

// TestRemember: which messages leave a record, under which key and in which state.
func TestRemember(t *testing.T) {
	for name, c := range map[string]struct {
		x     journal.Exchange
		state transaction.State
		class transaction.Class
		ok    bool
	}{
		"sale":           {journal.Exchange{MTI: 0x0200, Type: pos.Sale, Effect: journal.Sold, DE39: pos.Approved}, transaction.Standing, 1, true},
		"refused sale":   {journal.Exchange{MTI: 0x0200, Type: pos.Sale, Effect: journal.Recorded, DE39: pos.Code("51")}, transaction.Refused, 1, true},
		"void":           {journal.Exchange{MTI: 0x0200, Type: pos.Void, Effect: journal.VoidedSale, DE39: pos.Approved}, transaction.Standing, 1, true},
		"refund":         {journal.Exchange{MTI: 0x0220, Type: pos.Refund, Effect: journal.Refunded, DE39: pos.Approved}, transaction.Standing, 2, true},
		"balance":        {journal.Exchange{MTI: 0x0200, Type: pos.Balance, Effect: journal.Recorded, DE39: pos.Approved}, transaction.Standing, 1, true},
		"tombstone":      {journal.Exchange{MTI: 0x0400, Type: pos.Sale, Effect: journal.Buried, DE39: pos.Code("25")}, transaction.Grave, 1, true},
		"repeat":         {journal.Exchange{MTI: 0x0200, Type: pos.Sale, DE39: pos.Approved}, 0, 0, false},
		"reversal":       {journal.Exchange{MTI: 0x0400, Type: pos.Sale, Effect: journal.ReversedSale, DE39: pos.Approved}, 0, 0, false},
		"recorded other": {journal.Exchange{MTI: 0x0500, Effect: journal.Recorded, DE39: pos.Approved}, 0, 0, false},
		"sign-in":        {journal.Exchange{MTI: 0x0800, Effect: journal.KeysIssued, DE39: pos.Approved}, 0, 0, false},
	} {
		c.x.Batch, c.x.STAN, c.x.Amount, c.x.Original, c.x.OriginalSTAN = 3, 7, 100, 4, 6
		got, ok := transaction.Remember(9, &c.x)
		if ok != c.ok || got.State != c.state {
			t.Errorf("%s: state %s, %t", name, got.State, ok)
		}
		if ok && (got.Seq != 9 || got.Key() != transaction.KeyOf(3, c.class, 7) || got.Amount != 100 || got.Original != 4 || got.OrigSTAN != 6 || got.DE39 != c.x.DE39) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestKeys: no two of batch, class and trace share a key.
func TestKeys(t *testing.T) {
	seen := map[transaction.Key]bool{}
	for _, b := range []pos.BatchNo{0, 1, 999999} {
		for c := range transaction.Class(transaction.Classes) {
			for _, s := range []pos.STAN{0, 1, pos.MaxSTAN} {
				k := transaction.KeyOf(b, c, s)
				if seen[k] {
					t.Errorf("batch %s, class %d, trace %s share their key", b, c, s)
				}
				seen[k] = true
			}
		}
	}
}

// TestFoldOriginal: what each effect does to the record it names, and, for a void reversed, to its sale.
func TestFoldOriginal(t *testing.T) {
	for name, c := range map[string]struct {
		effect     journal.Effect
		want, sale transaction.Record
	}{
		"void":                {journal.VoidedSale, transaction.Record{State: transaction.Voided, Refunded: 1}, transaction.Record{State: transaction.Voided}},
		"refund":              {journal.Refunded, transaction.Record{State: transaction.Standing, Refunded: 41}, transaction.Record{State: transaction.Voided}},
		"reversal":            {journal.ReversedSale, transaction.Record{State: transaction.Reversed, Refunded: 1}, transaction.Record{State: transaction.Voided}},
		"reversal of nothing": {journal.ReversedNone, transaction.Record{State: transaction.Reversed, Refunded: 1}, transaction.Record{State: transaction.Voided}},
		"reversal of a void":  {journal.ReversedVoid, transaction.Record{State: transaction.Reversed, Refunded: 1, Undone: true}, transaction.Record{State: transaction.Standing}},
		"repeat":              {journal.NoEffect, transaction.Record{State: transaction.Standing, Refunded: 1}, transaction.Record{State: transaction.Voided}},
	} {
		original, sale := transaction.Record{State: transaction.Standing, Refunded: 1}, transaction.Record{State: transaction.Voided}
		x := &journal.Exchange{Effect: c.effect, Amount: 40}
		transaction.FoldOriginal(x, &original, &sale)
		if original != c.want || sale != c.sale {
			t.Errorf("%s: %s and its sale %s", name, original.State, sale.State)
		}
		transaction.FoldOriginal(x, &original, nil)
	}
}

func TestWords(t *testing.T) {
	for want, got := range map[string]string{
		"refused": transaction.Refused.String(), "tombstone": transaction.Grave.String(), "sale": transaction.Sale.String(),
		"settlement": transaction.Settlement.String(),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if transaction.State(9).String() != "unknown" || transaction.Op(9).String() != "unknown" {
		t.Error("a number outside its table has a word")
	}
}
