package staff

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"touchstone/journal"
	"touchstone/pos"
)

// ProposalState is where a proposal stands.
type ProposalState string

// The states.
const (
	Open     ProposalState = "open"
	Approved ProposalState = "approved" // a second person agreed; the act's own entry names the proposal
	Rejected ProposalState = "rejected"
	Done     ProposalState = "done" // approved, and what was asked for was carried out or refused by its own rule
)

// Proposal is an act that needs two people, asked for by one.
type Proposal struct {
	ID       string          `json:"id"`      // PRP-1, PRP-2, ...
	Act      string          `json:"act"`     // what is to be done, such as claim_decide
	Roles    []Role          `json:"roles"`   // one of them is needed to agree, as it was to propose
	Request  json.RawMessage `json:"request"` // the change asked for; no secret is in it
	State    ProposalState   `json:"state"`
	By       string          `json:"by"`                // the account that proposed
	Decided  string          `json:"decided,omitempty"` // the account that agreed or refused
	At       pos.Instant     `json:"at"`
	Expires  pos.Instant     `json:"expires"`
	DecideAt pos.Instant     `json:"decide_at,omitempty"`
}

// ProposalLife is how long a proposal may be agreed to.
const ProposalLife = 7 * 24 * time.Hour

// MaxRequest is the most bytes of a proposed request.
const MaxRequest = 8 << 10

// The room's nouns.
const (
	NounAccount  = "account"
	NounProposal = "proposal"
)

// Register is the decision to add or change an account. The first of a data directory is made by nobody: it
// must be an administrator. Two accounts of one person are allowed, and are one person.
func Register(s *State, a *Account, by string, now pos.Instant) ([]journal.Draft, error) {
	if err := a.Check(); err != nil {
		return nil, err
	}
	old := s.Account(a.Name)
	switch {
	case len(s.accounts) == 0 && !slices.Contains(a.Roles, Administrator):
		return nil, fmt.Errorf("%w: the first account is an administrator's", ErrAccount)
	case old == nil && len(s.accounts) >= MaxAccounts:
		return nil, fmt.Errorf("%w: %d accounts is the most", ErrAccount, MaxAccounts)
	case old != nil && s.lastAdministrator(old) && (a.Disabled || !slices.Contains(a.Roles, Administrator)):
		return nil, fmt.Errorf("%w: account %s is the last administrator's", ErrAccount, a.Name)
	}
	verb := "account_changed"
	if a.Since, a.PassphraseAt = now, now; old != nil {
		a.Since, a.LastUsed, a.LastSigned, a.PassphraseAt = old.Since, old.LastUsed, old.LastSigned, old.PassphraseAt
		if old.Left != 0 && !a.Disabled {
			a.Since = now // back again
		} else {
			a.Left = old.Left
		}
		if a.keepFormer(old); a.Passphrase != nil && (old.Passphrase == nil || a.Passphrase != old.Passphrase) {
			a.PassphraseAt = now
		}
	} else {
		verb = "account_made"
	}
	return draft(verb, []string{by}, "", NounAccount, a.Name, a)
}

// Propose is the decision to ask for an act that needs two people.
func Propose(s *State, act string, roles []Role, request json.RawMessage, by string, now pos.Instant) (*Proposal, []journal.Draft, error) {
	if len(request) > MaxRequest {
		return nil, nil, fmt.Errorf("%w: a request of %d bytes, the most is %d", ErrAccount, len(request), MaxRequest)
	}
	p := &Proposal{ID: fmt.Sprintf("PRP-%d", s.proposed+1), Act: act, Roles: roles, Request: request, State: Open, By: by, At: now, Expires: now + pos.Instant(ProposalLife)}
	drafts, err := draft("proposed", []string{by}, "", NounProposal, p.ID, p)
	return p, drafts, err
}

// Agree is the decision to approve or reject a proposal under the account of another person, who has one of
// the roles that proposing it needed.
func Agree(s *State, id, by string, yes bool, now pos.Instant) (*Proposal, []journal.Draft, error) {
	old, first, second := s.Proposal(id), (*Account)(nil), s.Account(by)
	if old != nil {
		first = s.Account(old.By)
	}
	switch {
	case old == nil:
		return nil, nil, ErrNoProposal // without what was typed: this goes into the journal
	case first == nil || second == nil:
		return nil, nil, ErrUnknown
	case old.State != Open || now >= old.Expires:
		return nil, nil, ErrClosed
	case !second.May(old.Roles...):
		return nil, nil, ErrRole
	case yes && !first.May(old.Roles...):
		return nil, nil, ErrProposer
	case yes && SamePerson(first, second):
		return nil, nil, ErrSame
	}
	p := *old
	p.Decided, p.DecideAt, p.State = by, now, Rejected
	verb := "proposal_rejected"
	if yes {
		p.State, verb = Approved, "proposal_approved"
	}
	drafts, err := draft(verb, []string{old.By, by}, id, NounProposal, id, &p)
	return &p, drafts, err
}

// Finish is the decision to note that an approved proposal was carried out. Between the approval and this entry
// the program may die: the act is then carried out once more, and its own rule refuses a second time.
func Finish(s *State, id string) ([]journal.Draft, error) {
	old := s.Proposal(id)
	if old == nil || old.State != Approved {
		return nil, ErrClosed
	}
	p := *old
	p.State = Done
	return draft("proposal_done", []string{p.By, p.Decided}, id, NounProposal, id, &p)
}

func draft(verb string, actors []string, proposal, noun, id string, record any) ([]journal.Draft, error) {
	c, err := journal.NewChange(noun, id, record)
	if err != nil {
		return nil, err
	}
	return []journal.Draft{{Kind: journal.KindStaff, Act: journal.Act{Verb: verb, Actors: actors, Proposal: proposal, Changes: []journal.Change{c}}}}, nil
}
