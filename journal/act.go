package journal

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Act is something that people, or a rule of ours, did in one room: the body of an entry of KindStaff,
// KindFleet, KindLab, KindIncident or KindRedress. An act is one entry, so all of it is durable or none; the
// newest Record of each noun and id is the room's state. A refused act changes nothing and is kept because
// that somebody tried is a fact too.
type Act struct {
	Verb     string   `json:"verb"`               // stable, such as inspection_recorded
	Actors   []string `json:"actors"`             // who, the proposer first; see the forms at CheckActor
	Proposal string   `json:"proposal,omitempty"` // the proposal that a second person approved
	Refused  string   `json:"refused,omitempty"`  // why nothing was done
	Changes  []Change `json:"changes,omitempty"`
}

// Change is the whole new state of one noun of a room, never a difference.
type Change struct {
	Noun   string          `json:"noun"` // such as inspection
	ID     string          `json:"id"`
	Record json.RawMessage `json:"record"`
}

// Draft is an entry that a room's rule asks for and the committer has not numbered yet.
type Draft struct {
	Kind Kind
	Act  Act
}

// Refusal is a rule's refusal of an act that somebody tried: it is kept as a refused act.
type Refusal struct {
	Kind   Kind
	Verb   string
	Actors []string
	Why    string // for the person who tried, and for the journal; no secret
	Err    error  // what it is to a caller that decides by it, or nil
}

func (r *Refusal) Error() string { return r.Why }

// Unwrap gives Err to errors.Is.
func (r *Refusal) Unwrap() error { return r.Err }

// Draft is the entry of a refusal.
func (r *Refusal) Draft() Draft {
	why := r.Why
	if len(why) > MaxActText {
		why = why[:MaxActText]
	}
	return Draft{r.Kind, Act{Verb: r.Verb, Actors: r.Actors, Refused: why}}
}

// Bounds of an act. An entry has at most MaxEntry bytes in all: what is longer is a file, named by its digest.
const (
	MaxActWord    = 60 // bytes of a verb, a noun or an id
	MaxActActors  = 4
	MaxActChanges = 64
	MaxActText    = 400 // bytes of one text
)

// ErrAct is returned for an act that may not be recorded.
var ErrAct = errors.New("journal act")

// NewChange writes a record down. An error means a record of ours that is no JSON.
func NewChange(noun, id string, record any) (Change, error) {
	raw, err := json.Marshal(record)
	if err != nil {
		return Change{}, fmt.Errorf("%w: %s %s: %w", ErrAct, noun, id, err)
	}
	return Change{Noun: noun, ID: id, Record: raw}, nil
}

// OfActs tells whether entries of a kind are acts.
func (k Kind) OfActs() bool { return k >= KindStaff && k <= KindRedress }

// Check tells what is wrong with an act. Every act has an actor: an account of staff such as qian, or
// rule:NAME, device:SERIAL, cashier:MERCHANT/OPERATOR, consumer, merchant:ID, or setup for the first person of a
// data directory and the seeding of a test one.
func (a *Act) Check() error {
	switch {
	case !word(a.Verb):
		return fmt.Errorf("%w: verb of %d bytes, want a to z and _, 1 to %d", ErrAct, len(a.Verb), MaxActWord)
	case len(a.Actors) == 0 || len(a.Actors) > MaxActActors:
		return fmt.Errorf("%w: %d actors, want 1 to %d", ErrAct, len(a.Actors), MaxActActors)
	case len(a.Changes) > MaxActChanges:
		return fmt.Errorf("%w: %d changes, the most is %d", ErrAct, len(a.Changes), MaxActChanges)
	case a.Refused == "" && len(a.Changes) == 0, a.Refused != "" && len(a.Changes) > 0:
		return fmt.Errorf("%w: it is either refused or changes something", ErrAct)
	case len(a.Refused) > MaxActText:
		return fmt.Errorf("%w: a text of %d bytes, the most is %d", ErrAct, len(a.Refused), MaxActText)
	}
	for _, who := range a.Actors {
		if who == "" || len(who) > MaxActWord {
			return fmt.Errorf("%w: an actor of %d bytes, want 1 to %d", ErrAct, len(who), MaxActWord)
		}
	}
	for _, c := range a.Changes {
		if !word(c.Noun) || c.ID == "" || len(c.ID) > MaxActText || !json.Valid(c.Record) {
			return fmt.Errorf("%w: a change without a noun, an id or a record", ErrAct)
		}
	}
	return nil
}

// word tells whether a text is 1 to MaxActWord lower-case letters and underscores.
func word(s string) bool {
	for _, c := range []byte(s) {
		if c != '_' && (c < 'a' || c > 'z') {
			return false
		}
	}
	return len(s) > 0 && len(s) <= MaxActWord
}
