package redress_test

import (
	"fmt"
	"slices"
	"testing"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/redress"
)

func foldClaim(t *testing.T, s *redress.State, c redress.Claim) {
	t.Helper()
	c.Terminal, c.Merchant = till, shop
	change, err := journal.NewChange(redress.NounClaim, c.ID, c)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Fold(1, change); err != nil {
		t.Fatal(err)
	}
}

// TestClaimsBefore: the newest first, those before a number, the open ones alone; counts follow each change of state, also
// one that is folded twice.
func TestClaimsBefore(t *testing.T) {
	s := redress.NewState()
	for n := 1; n <= 5; n++ {
		foldClaim(t, s, redress.Claim{ID: fmt.Sprintf("CLM-%d-A", n), Sale: 7, State: redress.ClaimOpen})
	}
	for range 2 {
		foldClaim(t, s, redress.Claim{ID: "CLM-2-A", Sale: 7, State: redress.ClaimRefused})
		foldClaim(t, s, redress.Claim{ID: "CLM-4-A", Sale: 8, State: redress.ClaimPaid})
	}
	list := func(before int, open bool, most int) (ids []int) {
		s.ClaimsBefore(before, open, func(c *redress.Claim) bool {
			ids = append(ids, redress.ClaimNumber(c.ID))
			return len(ids) < most
		})
		return ids
	}
	for name, c := range map[string]struct{ got, want []int }{
		"all":                     {list(0, false, 9), []int{5, 4, 3, 2, 1}},
		"the open":                {list(0, true, 9), []int{5, 3, 1}},
		"before the third":        {list(3, false, 9), []int{2, 1}},
		"the open before it":      {list(3, true, 9), []int{1}},
		"before the first":        {list(1, false, 9), nil},
		"beyond the last":         {list(6, false, 9), []int{5, 4, 3, 2, 1}},
		"two of them":             {list(0, false, 2), []int{5, 4}},
		"one of the open":         {list(0, true, 1), []int{5}},
		"far beyond the last one": {list(1<<40, true, 9), []int{5, 3, 1}},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	if n := s.ClaimCounts(); n[redress.ClaimOpen] != 3 || n[redress.ClaimRefused] != 1 || n[redress.ClaimPaid] != 1 {
		t.Errorf("counts %v", n)
	}
	if of := s.ClaimsOf(7); len(of) != 5 {
		t.Errorf("%d claims of the sale", len(of))
	}
	for id, want := range map[string]int{"CLM-12-ABC": 12, "CLM-0-A": 0, "CLM--1-A": 0, "RPT-1-A": 0, "": 0, "CLM-": 0} {
		if got := redress.ClaimNumber(id); got != want {
			t.Errorf("number of %q: %d", id, got)
		}
	}
}

// TestBooksAtHand: the books of the rooms say what the books of the journal say, of each incident and of all, also of a
// payment that no act has noted yet; and a note of a payment that is not there is contradicted by the journal alone.
func TestBooksAtHand(t *testing.T) {
	b, s := &book{t: t}, redress.NewState()
	claim := func(c redress.Claim) {
		c.Terminal, c.Merchant = till, shop
		b.claim(c)
		foldClaim(t, s, c)
	}
	for range 4 {
		b.exchange(soldFor(100))
	}
	claim(redress.Claim{ID: "CLM-1-A", Incident: "INC-1", Sale: 1, Amount: 100, State: redress.ClaimApproved, Refund: 100, Compensation: 20, Payer: redress.PayMaker})
	claim(redress.Claim{ID: "CLM-2-A", Incident: "INC-2", Sale: 2, Amount: 100, State: redress.ClaimOpen})
	claim(redress.Claim{ID: "CLM-3-A", Incident: "INC-1", Sale: 3, Amount: 100, State: redress.ClaimRefused})
	paid := b.exchange(paidFor("CLM-1-A", journal.RefundPart, 1, 100))
	unnoted := journal.Payment{Claim: "CLM-1-A", Part: journal.RefundPart, Entry: paid, Sale: 1, Amount: 100, Card: payingCard, Terminal: till}
	change, err := unnoted.Change()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Fold(paid, change); err != nil {
		t.Fatal(err)
	}
	same := func(when string) {
		t.Helper()
		for _, incident := range []string{"", "INC-1", "INC-2", "INC-3"} {
			want, got := b.money(incident), s.Books(incident, uint64(len(b.entries))).Money()
			if fmt.Sprintf("%+v", *got) != fmt.Sprintf("%+v", *want) {
				t.Errorf("%s, of %q: at hand %+v, of the journal %+v", when, incident, *got, *want)
			}
		}
	}
	same("paid and not noted")
	first := redress.Settlement{Part: journal.RefundPart, Amount: 100, Entry: paid}
	claim(redress.Claim{ID: "CLM-1-A", Incident: "INC-1", Sale: 1, Amount: 100, State: redress.ClaimApproved, Refund: 100, Compensation: 20, Payer: redress.PayMaker, Settled: []redress.Settlement{first}})
	same("noted")
	claim(redress.Claim{ID: "CLM-1-A", Incident: "INC-1", Sale: 1, Amount: 100, State: redress.ClaimPaid, Refund: 100, Compensation: 20, Payer: redress.PayMaker,
		Settled: []redress.Settlement{first, {Part: journal.CompensationPart, Amount: 20, Entry: 99}}})
	if got := s.Books("", 1).Money(); !got.Reconciles || got.Out != 120 {
		t.Errorf("at hand %+v", got)
	}
	if want := b.money(""); want.Reconciles || want.Out != pos.Amount(100) {
		t.Errorf("the journal does not contradict it: %+v", want)
	}
}
