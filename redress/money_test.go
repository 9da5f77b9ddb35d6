package redress_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/redress"
)

// book is a journal in the making.
type book struct {
	t       *testing.T
	entries []journal.Entry
}

func (b *book) exchange(x journal.Exchange) uint64 {
	b.t.Helper()
	seq := uint64(len(b.entries) + 1)
	x.Terminal, x.Merchant, x.At = till, shop, pos.Instant(seq)
	raw, _ := x.AppendEntry(nil, seq)
	e, err := journal.ParseEntry(seq, raw)
	if err != nil {
		b.t.Fatal(err)
	}
	b.entries = append(b.entries, e)
	return seq
}

func (b *book) claim(c redress.Claim) {
	b.t.Helper()
	change, err := journal.NewChange(redress.NounClaim, c.ID, c)
	if err != nil {
		b.t.Fatal(err)
	}
	body, err := json.Marshal(journal.Act{Verb: "claim_made", Actors: []string{"consumer"}, Changes: []journal.Change{change}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.entries = append(b.entries, journal.Entry{Seq: uint64(len(b.entries) + 1), Kind: journal.KindRedress, Body: body})
}

func (b *book) money(incident string) *redress.Money {
	b.t.Helper()
	books := redress.NewBooks(incident)
	for pass := range redress.Passes {
		if pass > 0 {
			books.Again()
		}
		for _, e := range b.entries {
			if err := books.Fold(e); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	return books.Money()
}

var payingCard = pos.PANHash{1, 2, 3}

func soldFor(amount pos.Amount) journal.Exchange {
	return journal.Exchange{MTI: 0x0200, Type: pos.Sale, Effect: journal.Sold, Amount: amount, Delta: -amount, Card: payingCard, DE39: pos.Approved}
}

func paidFor(claim string, part journal.Part, sale uint64, amount pos.Amount) journal.Exchange {
	effect := journal.Refunded
	if part == journal.CompensationPart {
		effect = journal.Compensated
	}
	return journal.Exchange{MTI: 0x0220, Type: pos.Refund, Flags: journal.FlagRedress, Effect: effect, Amount: amount, Delta: amount, Card: payingCard,
		Original: sale, DE39: pos.Approved, Details: (&journal.Redress{Claim: claim, Part: part, Proposal: "PRP-1"}).AppendDetails(nil)}
}

// TestBooks: the equation of a journal in which everything is right, and what each wrong entry makes of it.
func TestBooks(t *testing.T) {
	const id = "CLM-1-ABCDEFGHIJ23"
	settled := func(part journal.Part, amount pos.Amount, refused string) redress.Settlement {
		return redress.Settlement{Part: part, Amount: amount, Entry: 3, Refused: refused}
	}
	good := redress.Claim{ID: id, Incident: "INC-1", Sale: 1, Terminal: till, Merchant: shop, Amount: 8800, State: redress.ClaimPaid, Refund: 8800, Compensation: 2000,
		Payer: redress.PayMaker, Settled: []redress.Settlement{settled(journal.RefundPart, 8800, ""), settled(journal.CompensationPart, 2000, "")}}
	for name, c := range map[string]struct {
		change func(b *book, c *redress.Claim)
		want   string // part of a difference; "": it reconciles
	}{
		"right": {func(*book, *redress.Claim) {}, ""},
		"not noted yet": {func(_ *book, c *redress.Claim) {
			c.State, c.Settled = redress.ClaimApproved, nil
		}, ""},
		"paid twice": {func(b *book, _ *redress.Claim) {
			b.exchange(paidFor(id, journal.RefundPart, 1, 8800))
		}, "again"},
		"paid for nobody": {func(b *book, _ *redress.Claim) {
			b.exchange(paidFor("CLM-9-ABCDEFGHIJ23", journal.CompensationPart, 1, 1))
		}, "which was never made"},
		"approved is less": {func(_ *book, c *redress.Claim) { c.Refund = 8799 }, "approved 87.99, paid 88.00"},
		"another sale":     {func(_ *book, c *redress.Claim) { c.Sale = 2 }, "for another sale"},
		"refused and paid": {func(_ *book, c *redress.Claim) {
			c.State, c.Refund, c.Compensation, c.Settled = redress.ClaimRefused, 0, 0, nil
		}, "approved 0.00, paid 88.00"},
		"lapsed and paid": {func(_ *book, c *redress.Claim) {
			c.Settled = []redress.Settlement{settled(journal.RefundPart, 8800, "original_closed"), c.Settled[1]}
		}, "is noted as not paid"},
		"refunded by the terminal too": {func(b *book, _ *redress.Claim) {
			x := paidFor("", journal.RefundPart, 1, 1)
			x.Flags, x.Details = 0, nil
			b.exchange(x)
		}, "the sale of entry 1 was 88.00, and 88.01 went back for it"},
		"voided too": {func(b *book, _ *redress.Claim) {
			b.exchange(journal.Exchange{MTI: 0x0200, Type: pos.Void, Effect: journal.VoidedSale, Amount: 8800, Delta: 8800, Card: payingCard, Original: 1, DE39: pos.Approved})
		}, "went back"},
	} {
		b, claim := &book{t: t}, good
		claim.Settled = slices.Clone(good.Settled)
		b.exchange(soldFor(8800))
		b.exchange(journal.Exchange{MTI: 0x0200, Type: pos.Sale, Effect: journal.Recorded, Amount: 5, DE39: pos.Code("51")})
		b.exchange(paidFor(id, journal.RefundPart, 1, 8800))
		b.exchange(paidFor(id, journal.CompensationPart, 1, 2000))
		c.change(b, &claim)
		b.claim(claim)
		m := b.money("")
		if c.want == "" {
			if !m.Reconciles || m.Out != 10800 || m.Refunds.Paid != 8800 || m.Compensation.Paid != 2000 || m.ByPayer[redress.PayMaker] != 2000 || m.Claimed != 8800 {
				t.Errorf("%s: %+v", name, m)
			}
			continue
		}
		if m.Reconciles || !strings.Contains(strings.Join(m.Differs, "\n"), c.want) {
			t.Errorf("%s: %q, want %q", name, m.Differs, c.want)
		}
	}
}

// TestBooksOfOneIncident: claims of another are not in it, nor what was paid for them.
func TestBooksOfOneIncident(t *testing.T) {
	b := &book{t: t}
	b.exchange(soldFor(100))
	b.claim(redress.Claim{ID: "CLM-1-A", Incident: "INC-1", Sale: 1, Terminal: till, Merchant: shop, Amount: 100, State: redress.ClaimApproved, Refund: 100})
	b.claim(redress.Claim{ID: "CLM-2-A", Incident: "INC-2", Sale: 1, Terminal: till, Merchant: shop, Amount: 50, State: redress.ClaimOpen})
	b.exchange(paidFor("CLM-1-A", journal.RefundPart, 1, 100))
	if m := b.money("INC-2"); !m.Reconciles || m.Claims != 1 || m.Out != 0 || m.OpenAmount != 50 {
		t.Errorf("INC-2: %+v", m)
	}
	if m := b.money("INC-1"); !m.Reconciles || m.Claims != 1 || m.Out != 100 || m.Refunds.Due != 0 {
		t.Errorf("INC-1: %+v", m)
	}
	if m := b.money("INC-3"); !m.Reconciles || m.Claims != 0 || m.Out != 0 {
		t.Errorf("INC-3: %+v", m)
	}
}
