package incident

import (
	"fmt"
	"slices"

	"touchstone/pos"
)

// Standing is where an incident stands.
type Standing string

// The standings.
const (
	Open    Standing = "open"    // nobody has taken it yet
	Working Standing = "working" // it has an owner
	Closed  Standing = "closed"
)

// The ways an incident is opened.
const (
	ByRule       = "rule"       // of a rule over the journal: Ref is the rule
	ByReport     = "report"     // of a consumer's or merchant's report: Ref is its number
	ByInspection = "inspection" // of an inspection's alarm or a cashier's glance: Ref is its id
	ByPerson     = "person"
)

// Origin is how an incident came to be.
type Origin struct {
	Way string `json:"way"`
	Ref string `json:"ref,omitempty"`
}

// Scope is what an incident touches: which terminals, and when they were in the state that it is about. Readers
// that look for exposed transactions take every approval at these terminals from From and before To.
type Scope struct {
	Terminals []string    `json:"terminals,omitempty"` // DE41, those known by name, sorted
	More      int         `json:"more_terminals,omitempty"`
	Devices   []string    `json:"devices,omitempty"` // serial numbers
	Shops     []string    `json:"shops,omitempty"`   // DE42
	Models    []string    `json:"models,omitempty"`
	Versions  []string    `json:"versions,omitempty"` // of the application
	Whole     bool        `json:"whole,omitempty"`    // every terminal of Models and Versions is in it, named or not
	From      pos.Instant `json:"from,omitempty"`     // from breach of controls; PCI PFI programme, FAQ 1448
	To        pos.Instant `json:"to,omitempty"`       // to their removal; 0: they have not been removed
}

// Covers tells whether a terminal with a model and an application version is in the scope.
func (s *Scope) Covers(terminal, model, version string) bool {
	if slices.Contains(s.Terminals, terminal) {
		return true
	}
	return s.Whole && len(s.Models) > 0 && slices.Contains(s.Models, model) && (len(s.Versions) == 0 || slices.Contains(s.Versions, version))
}

// Factor is how one thing that terminals share divides those heard in the window: the table that a cause rests on.
type Factor struct {
	Name         string  `json:"factor"` // model and version, model, version, key, network, shop
	Value        string  `json:"value"`
	Affected     int     `json:"affected"`      // that share it and failed
	Unaffected   int     `json:"unaffected"`    // that share it and did not
	OthersFailed int     `json:"others_failed"` // that do not share it and failed
	OthersWell   int     `json:"others_well"`
	G            float64 `json:"g"` // log-likelihood ratio of the table; 7.88 is one in two hundred by chance
	Chosen       bool    `json:"chosen,omitempty"`
}

// Cause is why it happened, as people found it, and the journal entries it rests on.
type Cause struct {
	Text    string      `json:"text"`
	Entries []uint64    `json:"entries"`
	By      string      `json:"by"`
	At      pos.Instant `json:"at"`
}

// Action is one thing that was done about it.
type Action struct {
	Text string      `json:"text"`
	By   string      `json:"by"`
	At   pos.Instant `json:"at"`
}

// Link names a record of another room, such as ADV-1 or CRT-2.
type Link struct {
	ID string      `json:"id"`
	By string      `json:"by"`
	At pos.Instant `json:"at"`
}

// Incident is the newest record of one incident.
type Incident struct {
	ID       string   `json:"id"` // INC-1; of a drill INC-2-DRILL
	Drill    bool     `json:"drill,omitempty"`
	Title    Text     `json:"title"`
	Kind     string   `json:"kind"`     // of kinds.json
	Severity string   `json:"severity"` // of severities.json
	State    Standing `json:"state"`
	Owner    string   `json:"owner,omitempty"` // an account
	Origin   Origin   `json:"origin"`
	Key      string   `json:"key,omitempty"`    // rule and scope: one open incident of a key
	Reason   string   `json:"reason,omitempty"` // that the failures had, such as serial_proof_failed

	At    pos.Instant `json:"at"`
	Aware pos.Instant `json:"aware"` // awareness: the clocks start here
	Scope Scope       `json:"scope"`

	Scoped  bool     `json:"scoped,omitempty"` // a person said the scope: rules add terminals to it and change nothing else
	Common  []Factor `json:"common,omitempty"` // computed, not yet a cause that a person stands for
	Likely  []Likely `json:"likely,omitempty"` // causes that experiment found behind the failures, the most frequent first
	Proof   []uint64 `json:"proof,omitempty"`  // journal entries, MaxProof at most
	Proofs  int      `json:"proofs,omitempty"` // how many there are in all
	Through uint64   `json:"through,omitempty"`

	Cause   *Cause   `json:"cause,omitempty"`
	Actions []Action `json:"actions,omitempty"`
	Links   []Link   `json:"links,omitempty"`
	Steps   int      `json:"steps"` // of its timeline

	ClosedAt pos.Instant `json:"closed_at,omitempty"`
	ClosedBy []string    `json:"closed_by,omitempty"`
	Reopened int         `json:"reopened,omitempty"`
}

// Step is one entry of the timeline: an act with its actors.
type Step struct {
	ID       string      `json:"id"` // INC-1#3
	Incident string      `json:"incident"`
	Number   int         `json:"number"`
	At       pos.Instant `json:"at"`
	Verb     string      `json:"verb"`
	Actors   []string    `json:"actors"`
	Text     Text        `json:"text"`
	Entries  []uint64    `json:"entries,omitempty"`
	Drill    bool        `json:"drill,omitempty"`
}

// The room's nouns.
const (
	NounIncident = "incident"
	NounStep     = "incident_step"
	NounClock    = "incident_clock"
	NounReport   = "report"
	NounRule     = "incident_rule"
	NounDuty     = "clock_rule"
	NounOperator = "operator"
	NounContact  = "contact_key"
)

// copyOf is a record whose lists may be changed.
func (i *Incident) copyOf() *Incident {
	c := *i
	c.Scope.Terminals, c.Scope.Devices, c.Scope.Shops = slices.Clone(i.Scope.Terminals), slices.Clone(i.Scope.Devices), slices.Clone(i.Scope.Shops)
	c.Scope.Models, c.Scope.Versions = slices.Clone(i.Scope.Models), slices.Clone(i.Scope.Versions)
	c.Actions, c.Links, c.Proof, c.ClosedBy = slices.Clone(i.Actions), slices.Clone(i.Links), slices.Clone(i.Proof), slices.Clone(i.ClosedBy)
	return &c
}

// idOf is the name of incident n.
func idOf(n int, drill bool) string {
	if drill {
		return fmt.Sprintf("INC-%d-DRILL", n)
	}
	return fmt.Sprintf("INC-%d", n)
}
