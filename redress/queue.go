package redress

import (
	"maps"
	"slices"

	"touchstone/journal"
)

// ClaimCounts is how many claims stand where.
func (s *State) ClaimCounts() map[ClaimState]int { return maps.Clone(s.counts) }

// ClaimsOf lists the claims of one sale, the oldest first.
func (s *State) ClaimsOf(sale uint64) (list []*Claim) {
	for _, id := range s.bySale[sale] {
		list = append(list, s.claims[id])
	}
	return list
}

// ClaimNumber is n of CLM-n-..., 0 of anything else.
func ClaimNumber(id string) int {
	n, err := numberOf(id, "CLM-")
	if err != nil {
		return 0
	}
	return n
}

// ClaimsBefore calls f with the claims whose number is below before, the newest first, until f returns false; 0 begins
// with the newest. Of the open ones alone only those are looked at.
func (s *State) ClaimsBefore(before int, open bool, f func(*Claim) bool) {
	if open {
		numbers := make([]int, 0, len(s.undecided))
		for id := range s.undecided {
			if n := ClaimNumber(id); before == 0 || n < before {
				numbers = append(numbers, n)
			}
		}
		slices.Sort(numbers)
		for _, n := range slices.Backward(numbers) {
			if !f(s.claims[s.numbered[n-1]]) {
				return
			}
		}
		return
	}
	if before == 0 || before > len(s.numbered) {
		before = len(s.numbered) + 1
	}
	for n := before - 1; n > 0; n-- {
		if c := s.claims[s.numbered[n-1]]; c != nil && !f(c) {
			return
		}
	}
}

// Books are books on the claims that the room knows and on what it was told was paid: those parts that an act has noted,
// and those that the ledger told of and no act has noted yet. They are at hand at any time; NewBooks, folded over the
// journal, can contradict them.
func (s *State) Books(incident string, through uint64) *Books {
	b := NewBooks(incident)
	b.last = through
	for id, c := range s.claims {
		if !b.counts(c) {
			continue
		}
		b.claims[id] = c
		for _, x := range c.Settled {
			if x.Refused == "" {
				b.payments = append(b.payments, journal.Payment{Claim: id, Part: x.Part, Proposal: c.Proposal, Sale: c.Sale, Amount: x.Amount, Entry: x.Entry, At: x.At})
			}
		}
	}
	for key, p := range s.payments {
		if c := b.claims[key.claim]; c != nil && !c.settled(key.part) {
			b.payments = append(b.payments, p)
		}
	}
	slices.SortFunc(b.payments, func(a, b journal.Payment) int { return int(a.Entry) - int(b.Entry) })
	return b
}

// Of closes the same books on one incident's claims alone, or on all.
func (b *Books) Of(incident string) *Money {
	of := *b
	of.incident = incident
	return of.Money()
}
