package incident

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"touchstone/journal"
	"touchstone/pos"
)

// By is who acts: accounts, or a rule, a device, a consumer; the proposer first.
type By struct {
	Actors   []string
	Proposal string
}

// ErrRefused is what every refusal of this room is.
var ErrRefused = errors.New("refused")

// refuse is a refusal that is kept in the journal.
func refuse(verb string, by By, format string, args ...any) error {
	return &journal.Refusal{Kind: journal.KindIncident, Verb: verb, Actors: by.Actors, Why: fmt.Sprintf(format, args...), Err: ErrRefused}
}

// acting gathers the changes of one act.
type acting struct {
	verb    string
	by      By
	changes []journal.Change
	err     error
}

func (a *acting) put(noun, id string, record any) {
	c, err := journal.NewChange(noun, id, record)
	a.changes, a.err = append(a.changes, c), errors.Join(a.err, err)
}

func (a *acting) drafts() ([]journal.Draft, error) {
	if a.err != nil {
		return nil, a.err
	}
	return []journal.Draft{{Kind: journal.KindIncident, Act: journal.Act{Verb: a.verb, Actors: a.by.Actors, Proposal: a.by.Proposal, Changes: a.changes}}}, nil
}

// step adds a step to the timeline and the incident's newest record after it.
func (a *acting) step(i *Incident, now pos.Instant, text Text, entries ...uint64) {
	i.Steps++
	p := &Step{ID: fmt.Sprintf("%s#%d", i.ID, i.Steps), Incident: i.ID, Number: i.Steps, At: now, Verb: a.verb, Actors: a.by.Actors, Text: text, Entries: entries, Drill: i.Drill}
	a.put(NounIncident, i.ID, i)
	a.put(NounStep, p.ID, p)
}

// working finds an incident that may still be changed, as a copy.
func (s *State) working(id, verb string, by By) (*Incident, error) {
	i := s.incidents[id]
	switch {
	case i == nil:
		return nil, refuse(verb, by, "there is no incident %.40s: see touchstone incident list", id)
	case i.State == Closed:
		return nil, refuse(verb, by, "incident %s is closed", id)
	case i.Steps >= MaxSteps:
		return nil, refuse(verb, by, "incident %s has %d steps, the most there may be: close it and open another", id, i.Steps)
	}
	return i.copyOf(), nil
}

// Opening is what an incident is opened with.
type Opening struct {
	Drill    bool
	Title    Text
	Kind     string
	Severity string
	Origin   Origin
	Owner    string // "" nobody yet
	Aware    pos.Instant
	Scope    Scope
	Text     Text // of the first step
	Report   string

	key, reason string
	common      []Factor
	likely      []Likely
	proof       []uint64
	proofs      int
	through     uint64
}

// OpenNow is the decision to open an incident and to start its clocks.
func OpenNow(s *State, o Opening, by By, now pos.Instant) (*Incident, []journal.Draft, error) {
	const verb = "incident_opened"
	if o.Aware == 0 {
		o.Aware = now
	}
	report := s.reports[o.Report]
	switch {
	case o.Report != "" && (report == nil || report.State != Queued):
		return nil, nil, refuse(verb, by, "there is no report %.40s in the queue: see touchstone report list", o.Report)
	case s.data.kind(o.Kind) == nil:
		return nil, nil, refuse(verb, by, "kind %.40q is none of %s", o.Kind, s.data.kindNames())
	case s.data.severity(o.Severity) < 0:
		return nil, nil, refuse(verb, by, "severity %.40q is none of %s", o.Severity, s.data.severityNames())
	case o.Title.EN == "" && o.Title.ZH == "" || !o.Title.fits(MaxTitle) || !o.Text.fits(MaxNote):
		return nil, nil, refuse(verb, by, "a title of 1 to %d bytes is needed, and a text of %d at most", MaxTitle, MaxNote)
	case o.Aware > now:
		return nil, nil, refuse(verb, by, "awareness lies in the future")
	}
	if err := o.Scope.check(); err != nil {
		return nil, nil, refuse(verb, by, "%s", err)
	}
	i := &Incident{ID: idOf(s.opened+1, o.Drill), Drill: o.Drill, Title: o.Title, Kind: o.Kind, Severity: o.Severity, State: Open, Owner: o.Owner, Origin: o.Origin,
		Key: o.key, Reason: o.reason, At: now, Aware: o.Aware, Scope: o.Scope, Common: o.common, Likely: o.likely, Proof: o.proof, Proofs: o.proofs, Through: o.through}
	if i.Owner != "" {
		i.State = Working
	}
	if o.Drill {
		i.Title = Text{EN: "DRILL: " + i.Title.In(false), ZH: "演练: " + i.Title.In(true)}
	}
	a := &acting{verb: verb, by: by}
	a.step(i, now, o.Text, o.proof[:min(len(o.proof), 8)]...)
	a.clocks(s, i, o.Aware)
	if report != nil {
		taken := *report
		taken.State, taken.Incident, taken.Decided, taken.DecidedAt = Taken, i.ID, by.Actors[0], now
		a.put(NounReport, taken.ID, &taken)
	}
	drafts, err := a.drafts()
	return i, drafts, err
}

// clocks starts every clock that applies and does not run yet.
func (a *acting) clocks(s *State, i *Incident, aware pos.Instant) {
	for n := range s.data.Clocks {
		rule := &s.data.Clocks[n]
		if !rule.applies(s.data, i) || slices.ContainsFunc(s.clocks[i.ID], func(c *Clock) bool { return c.Rule == rule.ID }) {
			continue
		}
		c, err := rule.begin(i, aware)
		a.err = errors.Join(a.err, err)
		a.put(NounClock, c.ID, c)
	}
}

// Assign is the decision that an account owns an incident.
func Assign(s *State, id, owner string, by By, now pos.Instant) ([]journal.Draft, error) {
	const verb = "incident_assigned"
	i, err := s.working(id, verb, by)
	if err != nil {
		return nil, err
	}
	i.Owner, i.State = owner, Working
	return one(verb, by, i, now, Text{EN: "owner: " + owner, ZH: "负责人: " + owner})
}

func one(verb string, by By, i *Incident, now pos.Instant, text Text, entries ...uint64) ([]journal.Draft, error) {
	a := &acting{verb: verb, by: by}
	a.step(i, now, text, entries...)
	return a.drafts()
}

// Note is the decision to add what somebody observed or did to the timeline.
func Note(s *State, id, text string, entries []uint64, by By, now pos.Instant) ([]journal.Draft, error) {
	const verb = "incident_noted"
	i, err := s.working(id, verb, by)
	if err != nil {
		return nil, err
	}
	if text == "" || !sound(text, MaxNote) || len(entries) > MaxProof {
		return nil, refuse(verb, by, "a note has 1 to %d bytes and names %d entries at most", MaxNote, MaxProof)
	}
	return one(verb, by, i, now, Same(text), entries...)
}

// Grade is the decision to give an incident another severity or kind. Clocks that now apply start from now: awareness
// of the graver thing. None that runs is stopped: that is waiving, by two people.
func Grade(s *State, id, severity, kind, why string, by By, now pos.Instant) ([]journal.Draft, error) {
	const verb = "incident_graded"
	i, err := s.working(id, verb, by)
	if err != nil {
		return nil, err
	}
	if severity != "" {
		i.Severity = severity
	}
	if kind != "" {
		i.Kind = kind
	}
	switch {
	case s.data.severity(i.Severity) < 0:
		return nil, refuse(verb, by, "severity %.40q is none of %s", severity, s.data.severityNames())
	case s.data.kind(i.Kind) == nil:
		return nil, refuse(verb, by, "kind %.40q is none of %s", kind, s.data.kindNames())
	case why == "" || !sound(why, MaxNote):
		return nil, refuse(verb, by, "say why: a text of 1 to %d bytes", MaxNote)
	}
	a := &acting{verb: verb, by: by}
	grade := s.data.Severities[s.data.severity(i.Severity)].Grade
	a.step(i, now, Text{EN: grade.EN + ", " + s.data.kind(i.Kind).Name.EN + ": " + why, ZH: grade.ZH + ", " + s.data.kind(i.Kind).Name.ZH + ": " + why})
	a.clocks(s, i, now)
	return a.drafts()
}

// Rescope is the decision to say otherwise what an incident touches, such as the window that an examination found.
func Rescope(s *State, id string, scope Scope, by By, now pos.Instant) ([]journal.Draft, error) {
	const verb = "incident_scoped"
	i, err := s.working(id, verb, by)
	if err != nil {
		return nil, err
	}
	if err := scope.check(); err != nil {
		return nil, refuse(verb, by, "%s", err)
	}
	i.Scope, i.Scoped = scope, true
	return one(verb, by, i, now, scope.words())
}

// SetCause is the decision that a cause was found, and which entries of the journal prove it. head is the journal's
// last entry. No entries given: those on which the incident was opened.
func SetCause(s *State, id, text string, entries []uint64, head uint64, by By, now pos.Instant) ([]journal.Draft, error) {
	const verb = "incident_cause_found"
	i, err := s.working(id, verb, by)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		entries = i.Proof
	}
	switch {
	case text == "" || !sound(text, MaxCause):
		return nil, refuse(verb, by, "a cause is a text of 1 to %d bytes", MaxCause)
	case len(entries) == 0:
		return nil, refuse(verb, by, "a cause rests on entries of the journal: name them with --entry")
	case len(entries) > MaxProof || slices.Contains(entries, 0) || slices.Max(entries) > head:
		return nil, refuse(verb, by, "an entry is not in the journal, whose last is %d, or there are more than %d", head, MaxProof)
	}
	i.Cause = &Cause{Text: text, Entries: entries, By: by.Actors[0], At: now}
	return one(verb, by, i, now, Same(text), entries...)
}

// AddAction is the decision to note something done about it.
func AddAction(s *State, id, text string, by By, now pos.Instant) ([]journal.Draft, error) {
	const verb = "incident_action_taken"
	i, err := s.working(id, verb, by)
	if err != nil {
		return nil, err
	}
	if text == "" || !sound(text, MaxAction) || len(i.Actions) >= MaxActions {
		return nil, refuse(verb, by, "an action is a text of 1 to %d bytes, and there are %d at most", MaxAction, MaxActions)
	}
	i.Actions = append(i.Actions, Action{Text: text, By: by.Actors[0], At: now})
	return one(verb, by, i, now, Same(text))
}

// linkable are the records of other rooms that an incident may name, by the first letters of their ids.
var linkable = []string{"ADV-", "CMP-", "CRT-", "INS-", "NTC-", "CLM-", "RPT-", "RUN-", "FND-", "REL-", "INC-", "GLN-", "EXP-"}

// AddLink is the decision to name records of other rooms that belong to it. One that is named already is left.
func AddLink(s *State, id string, ids []string, by By, now pos.Instant) ([]journal.Draft, error) {
	const verb = "incident_linked"
	i, err := s.working(id, verb, by)
	if err != nil {
		return nil, err
	}
	for _, x := range ids {
		known := len(x) <= 40 && slices.ContainsFunc(linkable, func(p string) bool { return len(x) > len(p) && strings.HasPrefix(x, p) })
		if !known || !sound(x, 40) || strings.ContainsAny(x, " \n") || x == id {
			return nil, refuse(verb, by, "%.40q names no record: want such as ADV-1, CMP-1, CRT-1, INS-1, NTC-1, CLM-1-..., RPT-1-...", x)
		}
		if !slices.ContainsFunc(i.Links, func(l Link) bool { return l.ID == x }) {
			i.Links = append(i.Links, Link{ID: x, By: by.Actors[0], At: now})
		}
	}
	if len(i.Links) > MaxLinks || len(ids) == 0 {
		return nil, refuse(verb, by, "1 to %d records may be linked", MaxLinks)
	}
	joined := strings.Join(ids, ", ")
	return one(verb, by, i, now, Same(joined))
}

func (d *Data) kindNames() string {
	names := make([]string, len(d.Kinds))
	for i := range d.Kinds {
		names[i] = d.Kinds[i].ID
	}
	return strings.Join(names, ", ")
}

func (d *Data) severityNames() string {
	names := make([]string, len(d.Severities))
	for i := range d.Severities {
		names[i] = d.Severities[i].ID
	}
	return strings.Join(names, ", ")
}
