package lab

import (
	"fmt"
	"time"

	"touchstone/pos"
)

// Outcome is what the results of a run allow.
type Outcome string

// The outcomes. The zero value allows nothing.
const (
	Refused     Outcome = "refused"     // a critical requirement failed, or a high one without a control
	Blocked     Outcome = "blocked"     // something critical is not known
	Conditional Outcome = "conditional" // a high one failed and a compensating control stands in, for 90 days at most
	Issuable    Outcome = "issuable"
)

// MaxControl is how long a compensating control may stand in.
const MaxControl = 90 * 24 * time.Hour

// Decision is what a run's results allow, why, and the score that stands beside it and decides nothing.
type Decision struct {
	Outcome    Outcome         `json:"outcome"`
	Because    []string        `json:"because,omitempty"`    // requirements
	Conditions []string        `json:"conditions,omitempty"` // of a certificate
	Until      pos.Instant     `json:"until,omitempty"`      // of the conditions
	Score      int             `json:"score"`                // 0 to 100: weight of what passed, of all that applies
	Count      map[Verdict]int `json:"count"`
}

// Decide weighs the results of a run. A failed critical requirement refuses; an inconclusive or untested critical
// one blocks; a failed high one needs an accepted compensating control of 90 days at most, and then gives a
// conditional certificate; medium and low are advice. A requirement of the profile without a result counts as
// not tested.
func Decide(c *Catalogue, p *Profile, s *State, run string, now pos.Instant) Decision {
	d := Decision{Outcome: Issuable, Count: map[Verdict]int{}}
	findings := map[string]*Finding{}
	for _, f := range s.Findings(run) {
		findings[f.Requirement] = f
	}
	var refused, blocked []string
	passed, all := 0, 0
	for _, k := range p.Checks {
		severity, verdict := c.Find(k.Requirement).Severity, NotTested
		if o := s.Observation(run, k.Requirement); o != nil {
			verdict = o.Verdict
		}
		d.Count[verdict]++
		if verdict == NotApplicable {
			continue
		}
		if all += severity.Weight(); verdict == Pass {
			passed += severity.Weight()
			continue
		}
		f := findings[k.Requirement]
		switch {
		case severity == Critical && verdict == Fail:
			refused = append(refused, k.Requirement)
		case severity == Critical:
			blocked = append(blocked, k.Requirement)
		case severity == High && verdict == Fail && !f.controlled(now):
			refused = append(refused, k.Requirement)
		case severity == High && verdict == Fail:
			d.Conditions = append(d.Conditions, fmt.Sprintf("%s failed; compensating control until %s: %s", k.Requirement, f.Until.Time().UTC().Format(time.DateOnly), f.Control))
			if d.Until == 0 || f.Until < d.Until {
				d.Until = f.Until
			}
		default:
			d.Conditions = append(d.Conditions, fmt.Sprintf("%s: %s", k.Requirement, verdict))
		}
	}
	switch {
	case len(refused) > 0:
		d.Outcome, d.Because = Refused, refused
	case len(blocked) > 0:
		d.Outcome, d.Because = Blocked, blocked
	case d.Until != 0:
		d.Outcome = Conditional
	}
	if all > 0 {
		d.Score = 100 * passed / all
	}
	return d
}

// controlled tells whether an accepted control stands in for a finding now.
func (f *Finding) controlled(now pos.Instant) bool {
	return f != nil && f.State == Accepted && f.Control != "" && now < f.Until
}
