package fleet

import (
	"encoding/json"
	"errors"
	"fmt"

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
}

// Policy is the policy in force, nil for the built-in one.
func (s *permitState) Policy() *Policy { return s.policy }

func (s *permitState) foldPolicy(seq uint64, c journal.Change) error {
	var n int
	if _, err := fmt.Sscanf(c.ID, "PPL-%d", &n); err != nil || n < 1 {
		return fmt.Errorf("%w: %q is no number of one", ErrPolicy, c.ID)
	}
	if s.policies = max(s.policies, n); s.policy != nil && seq < s.policy.Entry {
		return nil
	}
	var r policyRecord
	if err := json.Unmarshal(c.Record, &r); err != nil {
		return fmt.Errorf("%w: %s cannot be read", ErrPolicy, c.ID)
	}
	p, err := ParsePolicy([]byte(r.Text))
	if err != nil {
		return fmt.Errorf("%s: %w", c.ID, err)
	}
	p.ID, p.Entry = c.ID, seq
	s.policy = p
	return nil
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
