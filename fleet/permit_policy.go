package fleet

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"touchstone/journal"
	"touchstone/pos"
)

// nounPolicy is the permit's policy: the newest of them is in force.
const nounPolicy = "permit_policy"

// policyRecord is the record of a policy.
type policyRecord struct {
	Name string      `json:"name"`
	Text string      `json:"text"` // the TOML file
	At   pos.Instant `json:"at"`
}

// permitState is the part of the room that permits are made by.
type permitState struct {
	policy   *Policy // nil: the built-in one
	policies int     // set so far

	versions []PolicyVersion // each that was set, the oldest first
}

// PolicyVersion is a policy that was put in force.
type PolicyVersion struct {
	ID, Name string
	Text     string // TOML
	At       pos.Instant
	Entry    uint64 // the journal's, which names the people
}

// Policies lists the policies that were put in force, the oldest first; the last is in force.
func (s *permitState) Policies() []PolicyVersion { return slices.Clone(s.versions) }

// Policy is the policy in force, nil for the built-in one.
func (s *permitState) Policy() *Policy { return s.policy }

func (s *permitState) foldPolicy(seq uint64, c journal.Change) error {
	var n int
	if _, err := fmt.Sscanf(c.ID, "PPL-%d", &n); err != nil || n < 1 {
		return fmt.Errorf("%w: %q is no number of one", ErrPolicy, c.ID)
	}
	var r policyRecord
	if err := json.Unmarshal(c.Record, &r); err != nil {
		return fmt.Errorf("%w: %s cannot be read", ErrPolicy, c.ID)
	}
	s.keepVersion(PolicyVersion{ID: c.ID, Name: r.Name, Text: r.Text, At: r.At, Entry: seq})
	if s.policies = max(s.policies, n); s.policy != nil && seq < s.policy.Entry {
		return nil
	}
	p, err := ParsePolicy([]byte(r.Text))
	if err != nil {
		return fmt.Errorf("%s: %w", c.ID, err)
	}
	p.ID, p.Entry = c.ID, seq
	s.policy = p
	return nil
}

// keepVersion keeps a policy in the order of the entries; one that is known already is not kept twice.
func (s *permitState) keepVersion(v PolicyVersion) {
	at, known := slices.BinarySearchFunc(s.versions, v.Entry, func(x PolicyVersion, entry uint64) int { return cmp.Compare(x.Entry, entry) })
	if !known {
		s.versions = slices.Insert(slices.Clone(s.versions), at, v)
	}
}

// SetPolicy puts a policy in force for the whole data directory. A text that is no policy, whose own tests do not
// hold, or that is in force already is refused.
func SetPolicy(s *State, text []byte, by []string, now pos.Instant) (id string, drafts []journal.Draft, err error) {
	refuse := func(why error) (string, []journal.Draft, error) {
		return "", nil, &journal.Refusal{Kind: journal.KindFleet, Verb: "permit_policy_set", Actors: by, Why: why.Error(), Err: why}
	}
	p, err := ParsePolicy(text)
	if err != nil {
		return refuse(err)
	}
	if s.policy != nil && string(s.policy.Text) == string(text) {
		return refuse(fmt.Errorf("%w: %s is this one already", errInForce, s.policy.Label()))
	}
	id = fmt.Sprintf("PPL-%d", s.policies+1)
	c, err := journal.NewChange(nounPolicy, id, policyRecord{p.Name, string(text), now})
	if err != nil {
		return "", nil, err
	}
	return id, []journal.Draft{{Kind: journal.KindFleet, Act: journal.Act{Verb: "permit_policy_set", Actors: by, Changes: []journal.Change{c}}}}, nil
}

var errInForce = errors.New("permit policy in force")
