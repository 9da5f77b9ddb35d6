package lab

import (
	"slices"
	"strings"
	"time"

	"touchstone/journal"
	"touchstone/pos"
)

// FindingStep is what somebody wants to become of a finding.
type FindingStep struct {
	ID      string       `json:"id"`
	To      FindingState `json:"to"`
	Text    string       `json:"text,omitempty"`
	Version string       `json:"version,omitempty"` // of Fixed
	Run     string       `json:"run,omitempty"`     // of Retested: the run in which the fixed version was examined
	Days    int          `json:"days,omitempty"`    // of Accepted
}

// from says which states a step may follow.
var from = map[FindingState][]FindingState{
	Answered: {Open, Answered},
	Fixed:    {Open, Answered, Fixed},
	Retested: {Fixed},
	Closed:   {Retested},
	Accepted: {Open, Answered},
}

// Next lists what may become of a finding now. A critical one is never accepted.
func (f *Finding) Next() (list []FindingState) {
	for _, to := range []FindingState{Answered, Fixed, Retested, Closed, Accepted} {
		if slices.Contains(from[to], f.State) && (to != Accepted || f.Severity != Critical) {
			list = append(list, to)
		}
	}
	return list
}

// Advance is the decision to move a finding on. A retest that failed opens it again. A critical finding is never
// accepted.
func Advance(s *State, step FindingStep, actors []string, proposal string, now pos.Instant) ([]journal.Draft, error) {
	verb := "finding_" + strings.ReplaceAll(string(step.To), "-", "_")
	old := s.Finding(step.ID)
	if old == nil || from[step.To] == nil {
		return nil, refuse("finding_changed", actors, "there is no finding %.20s, or no such step", step.ID)
	}
	if step.To == Accepted && old.State == Accepted && proposal != "" && old.Proposal == proposal {
		return nil, nil // carried out already
	}
	if !slices.Contains(from[step.To], old.State) {
		return nil, refuse(verb, actors, "finding %s is %s: it cannot become %s", old.ID, old.State, step.To)
	}
	if len(step.Text) > MaxText || len(step.Version) > 60 {
		return nil, refuse(verb, actors, "a text has %d bytes at most", MaxText)
	}
	f := *old
	f.State, f.Proposal = step.To, proposal
	switch step.To {
	case Answered:
		if strings.TrimSpace(step.Text) == "" {
			return nil, refuse(verb, actors, "an answer says something: --text")
		}
	case Fixed:
		if step.Version == "" {
			return nil, refuse(verb, actors, "say in which version it is fixed: --in VERSION")
		}
		f.Version = step.Version
	case Retested:
		why := s.retest(&f, step.Run)
		if why != "" {
			return nil, refuse(verb, actors, "%s", why)
		}
		step.Text = "retested in " + step.Run
		if o := s.Observation(step.Run, f.Requirement); o.Verdict != Pass {
			verb, f.State, step.Text = "finding_open", Open, "the retest in "+step.Run+" found "+string(o.Verdict)
		}
	case Accepted:
		life := time.Duration(step.Days) * 24 * time.Hour
		switch {
		case f.Severity == Critical:
			return nil, refuse(verb, actors, "finding %s is critical: no control stands in for it", f.ID)
		case strings.TrimSpace(step.Text) == "":
			return nil, refuse(verb, actors, "say which control stands in: --control")
		case life <= 0 || life > MaxControl:
			return nil, refuse(verb, actors, "a control stands in for 1 to %d days", int(MaxControl.Hours()/24))
		}
		f.Control, f.Until = step.Text, now+pos.Instant(life)
	}
	f.Life = append(slices.Clone(old.Life), Step{f.State, actors, now, step.Text})
	if len(f.Life) > maxLife {
		return nil, refuse(verb, actors, "finding %s has lived through %d steps: open another", f.ID, maxLife)
	}
	c, err := record(NounFinding, f.ID, &f)
	return draft(verb, actors, proposal, c), err
}

// maxLife bounds a finding's steps, so that it fits an entry.
const maxLife = 12

// retest tells why a run is no retest of a finding, "" when it is one.
func (s *State) retest(f *Finding, run string) string {
	first, later := s.Run(f.Run), s.Run(run)
	switch {
	case later == nil || first == nil:
		return "there is no run " + run
	case later.State != Complete:
		return "run " + run + " is not complete"
	case later.Subject.Model != first.Subject.Model || later.Subject.Application != f.Version && later.Subject.Firmware != f.Version && later.Subject.Hardware != f.Version:
		return "run " + run + " did not examine version " + f.Version + " of " + first.Subject.Model
	case s.Observation(run, f.Requirement) == nil:
		return "run " + run + " has no result of " + f.Requirement
	}
	return ""
}
