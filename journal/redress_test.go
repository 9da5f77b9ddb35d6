package journal_test

import (
	"strings"
	"testing"

	"touchstone/journal"
)

// TestRedressDetails: what a payment rests on reads back, and nothing else reads as one.
func TestRedressDetails(t *testing.T) {
	want := journal.Redress{Claim: "CLM-1000000-" + strings.Repeat("A", 48), Part: journal.CompensationPart, Proposal: "PRP-" + strings.Repeat("9", 56)}
	good := want.AppendDetails(nil)
	if len(good) > journal.MaxDetails {
		t.Fatalf("%d bytes", len(good))
	}
	x := &journal.Exchange{Flags: journal.FlagRedress, Details: good, Effect: journal.Compensated, Amount: 5, Original: 3}
	if got, ok := x.Redress(); !ok || got != want {
		t.Errorf("%+v, %t", got, ok)
	}
	if p, ok := x.Payment(9); !ok || p.Claim != want.Claim || p.Part != want.Part || p.Entry != 9 || p.Sale != 3 || p.Amount != 5 {
		t.Errorf("%+v, %t", p, ok)
	}
	for n := range good {
		x.Details = good[:n]
		if _, ok := x.Redress(); ok {
			t.Errorf("%d of %d bytes are read as a whole", n, len(good))
		}
	}
	for name, x := range map[string]*journal.Exchange{
		"not marked":      {Details: good, Effect: journal.Refunded},
		"more bytes":      {Flags: journal.FlagRedress, Details: append(good[:len(good):len(good)], 0), Effect: journal.Refunded},
		"evidence":        {Flags: journal.FlagRedress, Details: []byte{1, 2, 3}, Effect: journal.Refunded},
		"no claim":        {Flags: journal.FlagRedress, Details: (&journal.Redress{Part: journal.RefundPart}).AppendDetails(nil), Effect: journal.Refunded},
		"without effect":  {Flags: journal.FlagRedress, Details: good, Effect: journal.NoEffect},
		"of a sale":       {Flags: journal.FlagRedress, Details: good, Effect: journal.Sold},
		"nothing at all":  {Flags: journal.FlagRedress, Effect: journal.Refunded},
		"another payment": {Flags: journal.FlagTest, Details: good, Effect: journal.Compensated},
	} {
		if _, ok := x.Payment(1); ok {
			t.Errorf("%s is a payment", name)
		}
	}
}
