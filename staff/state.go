package staff

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"touchstone/journal"
)

// State is the room as the journal's acts made it. It is not safe for use at the same time.
type State struct {
	accounts  map[string]*Account
	proposals map[string]*Proposal
	proposed  int                  // the highest number of a proposal
	open      map[string]*Proposal // nobody decided them, in time or not

	cashiers  map[string]*Cashier  // by CashierID
	trainings map[string]*Training // by number
	trained   int                  // the highest number of a training
	passes    map[string]*trained  // by subject and topic, the pass that counts longest
	guidance  map[string]*Guidance // by merchant
	reviews   map[string]*Review   // of the accounts, by number
	reviewed  int                  // the highest number of a review
	guesses   map[string]*Guesses  // wrong passphrases, by account
	policy    TerminalPasswords    // the newest
	policies  int                  // its version, 1 before any was decided

	signIns     map[string]*SignIns    // by account
	preferences map[string]*Preference // by account
	seconds     map[string]*SecondFactor

	apiKeys     map[string]*APIKey
	webhooks    map[string]*Webhook
	transport   *TransportKey // the newest
	transported int           // its number

	webhooked int                 // the highest number of an endpoint
	apiKeyed  int                 // the highest number of a key for programs
	apiSums   map[[32]byte]string // its number by its digest
}

// NewState is the room before any act.
func NewState() *State {
	return &State{accounts: map[string]*Account{}, proposals: map[string]*Proposal{}, open: map[string]*Proposal{}, cashiers: map[string]*Cashier{},
		trainings: map[string]*Training{}, passes: map[string]*trained{}, guidance: map[string]*Guidance{}, reviews: map[string]*Review{},
		guesses: map[string]*Guesses{}, signIns: map[string]*SignIns{}, preferences: map[string]*Preference{}, seconds: map[string]*SecondFactor{}, policy: DefaultTerminalPasswords(), policies: 1,
		apiKeys: map[string]*APIKey{}, apiSums: map[[32]byte]string{}, webhooks: map[string]*Webhook{}}
}

// Fold takes one noun's newest record. Nouns of a later version are left alone.
func (s *State) Fold(seq uint64, c journal.Change) error {
	switch c.Noun {
	case NounAccount:
		return keep(s.accounts, c)
	case NounProposal:
		n, err := strconv.Atoi(strings.TrimPrefix(c.ID, "PRP-"))
		if err != nil {
			return fmt.Errorf("%w: proposal %q", ErrAccount, c.ID)
		}
		s.proposed = max(s.proposed, n)
		if err := keep(s.proposals, c); err != nil {
			return err
		}
		if delete(s.open, c.ID); s.proposals[c.ID].State == Open {
			s.open[c.ID] = s.proposals[c.ID]
		}
		return nil
	case NounAPIKey:
		return s.foldAPIKey(c)
	case NounWebhook:
		return s.foldWebhook(c)
	case NounTransportKey:
		return s.foldTransportKey(c)
	case NounGuesses:
		return keep(s.guesses, c)
	case NounSignIns:
		return keep(s.signIns, c)
	case NounSecondFactor:
		return keep(s.seconds, c)
	case NounPreference:
		return keep(s.preferences, c)
	case NounCashier:
		if err := keep(s.cashiers, c); err != nil {
			return err
		}
		s.cashiers[c.ID].entry = seq
		return nil
	case NounGuidance:
		return keep(s.guidance, c)
	case NounTerminalPasswords:
		n, err := strconv.Atoi(c.ID)
		if err != nil || n < s.policies {
			return err // an older one, folded again at a start
		}
		s.policies = n
		return json.Unmarshal(c.Record, &s.policy)
	case NounTraining, NounReview:
		return s.foldCounted(seq, c)
	}
	return nil
}

// foldCounted keeps a record whose number is counted from the state.
func (s *State) foldCounted(seq uint64, c journal.Change) error {
	prefix, counted := "TRN-", &s.trained
	if c.Noun == NounReview {
		prefix, counted = "REV-", &s.reviewed
	}
	n, err := strconv.Atoi(strings.TrimPrefix(c.ID, prefix))
	if err != nil {
		return fmt.Errorf("%w: %s %q", ErrAccount, c.Noun, c.ID)
	}
	*counted = max(*counted, n)
	if c.Noun == NounReview {
		return keep(s.reviews, c)
	}
	t := new(Training)
	if err := json.Unmarshal(c.Record, t); err != nil {
		return err
	}
	s.foldTraining(seq, t)
	return nil
}

func keep[T any](all map[string]*T, c journal.Change) error {
	record := new(T)
	if err := json.Unmarshal(c.Record, record); err != nil {
		return err
	}
	all[c.ID] = record
	return nil
}

// Account is an account's record, nil when there is none. Records are shared: a change is made to a copy.
func (s *State) Account(name string) *Account { return s.accounts[name] }

// Accounts lists every account by name.
func (s *State) Accounts() []*Account {
	return sorted(s.accounts, func(a, b *Account) int { return cmp.Compare(a.Name, b.Name) })
}

// Proposal is a proposal, nil when there is none.
func (s *State) Proposal(id string) *Proposal { return s.proposals[id] }

// Proposed is the highest number of a proposal: PRP-1 to it, each was made.
func (s *State) Proposed() int { return s.proposed }

// OpenProposals lists those that nobody decided, in no order; among them may be some that are too old to be.
func (s *State) OpenProposals() []*Proposal { return slices.Collect(maps.Values(s.open)) }

// Proposals lists every proposal, the oldest first.
func (s *State) Proposals() []*Proposal {
	return sorted(s.proposals, func(a, b *Proposal) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
	})
}

func sorted[T any](all map[string]*T, order func(a, b *T) int) []*T {
	list := make([]*T, 0, len(all))
	for _, r := range all {
		list = append(list, r)
	}
	slices.SortFunc(list, order)
	return list
}

func (s *State) lastAdministrator(a *Account) bool {
	for _, other := range s.accounts {
		if other.Name != a.Name && other.May(Administrator) {
			return false
		}
	}
	return a.May(Administrator)
}
