package redress

import (
	"encoding/json"

	"touchstone/journal"
)

// State is the room as the journal's acts made it. It is not safe for use at the same time.
type State struct {
	claimState
	noticeState
}

// NewState is the room before any act.
func NewState() *State { return &State{claimState: newClaimState(), noticeState: newNoticeState()} }

// Fold takes one noun's newest record. Nouns of a later version are left alone. Folding the same record again
// changes nothing.
func (s *State) Fold(seq uint64, c journal.Change) error {
	switch c.Noun {
	case NounExposure, NounClaim, NounPayment:
		return s.foldClaims(seq, c)
	case NounNotice:
		return s.foldNotice(c)
	}
	return nil
}

// claimState is what of the room is about claims and money.
type claimState struct {
	exposures map[string]*Exposure
	exposed   int // the highest number of a frozen set
	claims    map[string]*Claim
	numbered  []string            // ids of claims by their number, "" where none is
	bySale    map[uint64][]string // claims of a sale
	undecided map[string]bool     // claims that two people have to decide
	counts    map[ClaimState]int
	payments  map[paymentKey]journal.Payment
}

// paymentKey is one payment: a claim is paid once for each part.
type paymentKey struct {
	claim string
	part  journal.Part
}

func newClaimState() claimState {
	return claimState{exposures: map[string]*Exposure{}, claims: map[string]*Claim{}, bySale: map[uint64][]string{}, payments: map[paymentKey]journal.Payment{},
		undecided: map[string]bool{}, counts: map[ClaimState]int{}}
}

func (s *claimState) foldClaims(_ uint64, c journal.Change) error {
	switch c.Noun {
	case NounExposure:
		n, err := numberOf(c.ID, "EXP-")
		if err != nil {
			return err
		}
		x := new(Exposure)
		if err := json.Unmarshal(c.Record, x); err != nil {
			return err
		}
		s.exposures[c.ID], s.exposed = x, max(s.exposed, n)
	case NounClaim:
		return s.foldClaim(c)
	case NounPayment:
		var p journal.Payment
		if err := json.Unmarshal(c.Record, &p); err != nil {
			return err
		}
		s.payments[paymentKey{p.Claim, p.Part}] = p
	}
	return nil
}

func (s *claimState) foldClaim(c journal.Change) error {
	n, err := numberOf(c.ID, "CLM-")
	if err != nil {
		return err
	}
	x := new(Claim)
	if err := json.Unmarshal(c.Record, x); err != nil {
		return err
	}
	if n > MaxClaims {
		return ErrClaim
	}
	for len(s.numbered) < n {
		s.numbered = append(s.numbered, "")
	}
	if s.numbered[n-1] == "" {
		s.numbered[n-1] = c.ID
		s.bySale[x.Sale] = append(s.bySale[x.Sale], c.ID)
	}
	if old := s.claims[c.ID]; old != nil {
		s.counts[old.State]--
	}
	s.counts[x.State]++
	if delete(s.undecided, c.ID); x.State == ClaimOpen {
		s.undecided[c.ID] = true
	}
	s.claims[c.ID] = x
	return nil
}
