package incident

import (
	"slices"
	"strings"

	"touchstone/journal"
	"touchstone/pos"
)

// clock finds a clock of an incident by its rule or whole id, as a copy.
func (s *State) clock(id, name string) *Clock {
	for _, c := range s.clocks[id] {
		if c.Rule == name || c.ID == name {
			found := *c
			return &found
		}
	}
	return nil
}

// forClock finds what an act on a clock needs. A clock that began with the end of the handling is answered after
// the incident was closed.
func (s *State) forClock(id, name, verb string, by By) (*Incident, *Clock, error) {
	c := s.clock(id, name)
	i := s.incidents[id]
	switch {
	case i == nil:
		return nil, nil, refuse(verb, by, "there is no incident %.40s: see touchstone incident list", id)
	case c == nil:
		return nil, nil, refuse(verb, by, "incident %s has no clock %.60q: it has %s", id, name, s.clockNames(id))
	case i.State == Closed && c.Start != Handled:
		return nil, nil, refuse(verb, by, "incident %s is closed", id)
	}
	return i.copyOf(), c, nil
}

func (s *State) clockNames(id string) string {
	var names []string
	for _, c := range s.clocks[id] {
		names = append(names, c.Rule)
	}
	return strings.Join(names, ", ")
}

// Answer is the decision that clocks were answered: their recipients were told, with the proof of it.
func Answer(s *State, id string, names []string, proof Sending, by By, now pos.Instant) ([]journal.Draft, error) {
	const verb = "incident_clock_answered"
	set := 0
	for _, text := range []string{proof.Notice, proof.Document, proof.Statement} {
		if text != "" {
			set++
		}
	}
	proof.By = by.Actors[0]
	if proof.Sent == 0 {
		proof.Sent = now
	}
	switch {
	case len(names) == 0:
		return nil, refuse(verb, by, "name the clocks: incident %.40s has %s", id, s.clockNames(id))
	case set != 1:
		return nil, refuse(verb, by, "the proof of sending is one of a notice, a document and a statement")
	case !sound(proof.Statement, MaxAction) || proof.Notice != "" && (!strings.HasPrefix(proof.Notice, "NTC-") || len(proof.Notice) > 40):
		return nil, refuse(verb, by, "a statement has %d bytes at most, and a notice is named NTC-1", MaxAction)
	case proof.Sent > now:
		return nil, refuse(verb, by, "it cannot have been sent after now")
	}
	a := &acting{verb: verb, by: by}
	var en, zh []string
	var i *Incident
	for _, name := range slices.Compact(slices.Clone(names)) {
		of, c, err := s.forClock(id, name, verb, by)
		switch {
		case err != nil:
			return nil, err
		case c.State == Waiting:
			return nil, refuse(verb, by, "clock %s waits for its start, %s: touchstone incident clock start", c.Rule, c.Start)
		case c.State != Running:
			return nil, refuse(verb, by, "clock %s was answered or waived already", c.Rule)
		case proof.Sent < c.Started:
			return nil, refuse(verb, by, "it cannot have been sent before the clock %s began", c.Rule)
		}
		i = of
		kept := proof
		c.Sending, c.State = &kept, InTime
		if proof.Sent > c.Due {
			c.State = Late
		}
		word := map[ClockState]Text{InTime: {"in time", "按时"}, Late: {"LATE", "超时"}}[c.State]
		en, zh = append(en, c.Rule+" "+word.EN), append(zh, c.Rule+" "+word.ZH)
		a.put(NounClock, c.ID, c)
	}
	shown := proof.Notice + proof.Statement
	if proof.Document != "" {
		shown = "SHA-256 " + proof.Document
	}
	a.step(i, now, Text{EN: strings.Join(en, ", ") + ": " + shown, ZH: strings.Join(zh, ", ") + ": " + shown})
	return a.drafts()
}

// StartClock is the decision that what a clock waits for took place.
func StartClock(s *State, id, name string, at pos.Instant, by By, now pos.Instant) ([]journal.Draft, error) {
	const verb = "incident_clock_started"
	i, c, err := s.forClock(id, name, verb, by)
	if err != nil {
		return nil, err
	}
	if at == 0 {
		at = now
	}
	switch {
	case c.State != Waiting:
		return nil, refuse(verb, by, "clock %s does not wait: it began at %s", c.Rule, c.Started.Time().Format("2006-01-02 15:04:05"))
	case at > now || at < i.Aware:
		return nil, refuse(verb, by, "its start lies in the future, or before the incident was known")
	}
	if err := c.run(at); err != nil {
		return nil, err
	}
	a := &acting{verb: verb, by: by}
	a.put(NounClock, c.ID, c)
	a.step(i, now, Text{EN: c.Rule + ": " + string(c.Start), ZH: c.Rule + ": " + string(c.Start)})
	return a.drafts()
}

// Waive is the decision of two people that a clock need not be answered.
func Waive(s *State, id, name, reason string, by By, now pos.Instant) ([]journal.Draft, error) {
	const verb = "incident_clock_waived"
	i, c, err := s.forClock(id, name, verb, by)
	switch {
	case err != nil:
		return nil, err
	case len(by.Actors) < 2 || by.Actors[0] == by.Actors[1]:
		return nil, refuse(verb, by, "waiving a clock needs two people")
	case c.State != Running && c.State != Waiting:
		return nil, refuse(verb, by, "clock %s was answered or waived already", c.Rule)
	case reason == "" || !sound(reason, MaxAction):
		return nil, refuse(verb, by, "a reason of 1 to %d bytes is needed", MaxAction)
	}
	c.State, c.Reason, c.WaivedBy = Waived, reason, by.Actors
	a := &acting{verb: verb, by: by}
	a.put(NounClock, c.ID, c)
	a.step(i, now, Text{EN: c.Rule + ": " + reason, ZH: c.Rule + ": " + reason})
	return a.drafts()
}

// Missing lists what an incident lacks to be closed.
func Missing(s *State, id string) (list []Text) {
	i := s.incidents[id]
	if i == nil {
		return nil
	}
	if i.Cause == nil {
		list = append(list, Text{EN: "a cause with its proof", ZH: "原因及其证据"})
	}
	if len(i.Actions) == 0 {
		list = append(list, Text{EN: "an action", ZH: "处置措施"})
	}
	for _, c := range s.clocks[id] {
		if !c.answered() {
			list = append(list, Text{EN: "the answer to clock " + c.Rule, ZH: "时限 " + c.Rule + " 的答复"})
		}
	}
	return list
}

// Close is the decision of two people that an incident is done. Clocks that wait for the end of the handling start.
func Close(s *State, id string, by By, now pos.Instant) ([]journal.Draft, error) {
	const verb = "incident_closed"
	i, err := s.working(id, verb, by)
	if err != nil {
		return nil, err
	}
	if len(by.Actors) < 2 || by.Actors[0] == by.Actors[1] {
		return nil, refuse(verb, by, "closing an incident needs two people")
	}
	if missing := Missing(s, id); len(missing) > 0 {
		words := make([]string, len(missing))
		for n, m := range missing {
			words[n] = m.EN
		}
		return nil, refuse(verb, by, "incident %s is not closed, it lacks: %s", id, strings.Join(words, "; "))
	}
	i.State, i.ClosedAt, i.ClosedBy = Closed, now, by.Actors
	if i.Scope.To == 0 && i.Scope.From != 0 && i.Scope.From < now {
		i.Scope.To = now
	}
	a := &acting{verb: verb, by: by}
	for _, old := range s.clocks[id] {
		if old.Start == Handled && old.State == Waiting {
			c := *old
			if err := c.run(now); err != nil {
				return nil, err
			}
			a.put(NounClock, c.ID, &c)
		}
	}
	a.step(i, now, Text{EN: "closed: " + i.Cause.Text, ZH: "已关闭: " + i.Cause.Text})
	return a.drafts()
}

// RanOut finds the clocks that ran out unanswered and have not been told yet: one act that marks them, and them.
func RanOut(s *State, now pos.Instant) (late []*Clock, drafts []journal.Draft, err error) {
	a := &acting{verb: "incident_clock_ran_out", by: By{Actors: []string{"rule:incident-clocks"}}}
	for _, i := range s.Incidents() {
		for _, old := range s.clocks[i.ID] {
			if old.Alarmed || !old.Overdue(now) || len(late) >= 16 {
				continue
			}
			c := *old
			c.Alarmed = true
			late = append(late, &c)
			a.put(NounClock, c.ID, &c)
		}
	}
	if len(late) == 0 {
		return nil, nil, nil
	}
	drafts, err = a.drafts()
	return late, drafts, err
}

// LoadClocks is the decision to put clock rules, and what the operator is, in force for incidents from now on.
func LoadClocks(s *State, content []byte, by By) ([]journal.Draft, error) {
	const verb = "clock_rules_loaded"
	if len(content) > MaxDataFile {
		return nil, refuse(verb, by, "clock rules: %d bytes, the most is %d", len(content), MaxDataFile)
	}
	f, err := s.data.ReadClocks(content)
	if err != nil {
		return nil, refuse(verb, by, "%s", err)
	}
	a := &acting{verb: verb, by: by}
	if len(f.Operator) > 0 {
		a.put(NounOperator, "operator", f.Operator)
	}
	for i := range f.Clocks {
		a.put(NounDuty, f.Clocks[i].ID, &f.Clocks[i])
	}
	if len(a.changes) == 0 {
		return nil, refuse(verb, by, "clock rules: the file has none")
	}
	return a.drafts()
}

// LoadRules is the decision to put rules over the journal in force.
func LoadRules(s *State, content []byte, by By) ([]journal.Draft, error) {
	const verb = "incident_rules_loaded"
	if len(content) > MaxDataFile {
		return nil, refuse(verb, by, "rules: %d bytes, the most is %d", len(content), MaxDataFile)
	}
	rules, err := s.data.ReadRules(content)
	if err != nil {
		return nil, refuse(verb, by, "%s", err)
	}
	a := &acting{verb: verb, by: by}
	for i := range rules {
		a.put(NounRule, rules[i].ID, &rules[i])
	}
	if len(a.changes) == 0 {
		return nil, refuse(verb, by, "rules: the file has none")
	}
	return a.drafts()
}

// NextDue is the soonest deadline that still runs, 0 when none does.
func (s *State) NextDue(id string) (c *Clock) {
	for _, x := range s.clocks[id] {
		if x.State == Running && (c == nil || x.Due < c.Due) {
			c = x
		}
	}
	return c
}
