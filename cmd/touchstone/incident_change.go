package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"touchstone/incident"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/staff"
)

// incidentChange is one act on incidents; Op says which, and which of the fields it reads.
type incidentChange struct {
	Op       string          `json:"op" enum:"open,assign,note,grade,scope,cause,action,link,answer,start,waive,close,rules,clocks,drill,dismiss,join,contacts" doc:"Which step; the other fields are read as it needs." example:"open"`
	ID       string          `json:"id,omitempty" doc:"The incident, such as INC-1; of a new one nothing."`
	Title    incident.Text   `json:"title,omitzero"`
	Kind     string          `json:"kind,omitempty"`
	Severity string          `json:"severity,omitempty" enum:"general,considerable,major,extreme"`
	Owner    string          `json:"owner,omitempty"`
	Text     string          `json:"text,omitempty" maxLength:"4000" format:"text"`
	Entries  []uint64        `json:"entries,omitempty"`
	IDs      []string        `json:"ids,omitempty" doc:"Links, or clocks."`
	Report   string          `json:"report,omitempty"`
	Scope    *incident.Scope `json:"scope,omitempty"`
	Notice   string          `json:"notice,omitempty"`
	File     string          `json:"file,omitempty" file:"upload" doc:"A document, uploaded before."`
	At       pos.Instant     `json:"at,omitempty"`
}

// The acts.
const (
	incidentOpen     = "open"
	incidentAssign   = "assign"
	incidentNote     = "note"
	incidentGrade    = "grade"
	incidentScope    = "scope"
	incidentCause    = "cause"
	incidentAction   = "action"
	incidentLink     = "link"
	incidentAnswer   = "answer"
	incidentStart    = "start"
	incidentWaive    = "waive"
	incidentClose    = "close"
	incidentRules    = "rules"
	incidentClocks   = "clocks"
	incidentDrill    = "drill"
	incidentDismiss  = "dismiss"
	incidentJoin     = "join"
	incidentContacts = "contacts"
)

// duty is who may do it: closing, waiving, loading and drilling are of two people.
func (c *incidentChange) duty() duty {
	d := duty{act: "incident_" + c.Op, roles: []staff.Role{staff.Security, staff.Support}}
	switch c.Op {
	case incidentClose, incidentWaive, incidentRules, incidentClocks, incidentDrill, incidentContacts:
		d.roles, d.two = []staff.Role{staff.Security}, true
	}
	return d
}

// changeIncident carries one act out.
func (e *engine) changeIncident(ctx context.Context, c *incidentChange, by incident.By) (changed, error) {
	var told changed
	if c.Op == incidentDrill {
		return e.drill(ctx, by)
	}
	document, err := e.incidentFile(c)
	if err != nil {
		return changed{}, err
	}
	err = e.actAndTell(ctx, func(r *rooms, now pos.Instant) (drafts []journal.Draft, events []*journal.Event, err error) {
		if c.Op == incidentOpen {
			var i *incident.Incident
			if err = c.sayable(e, by); err == nil {
				i, drafts, err = openByPerson(r, c, by, now)
			}
			if err != nil {
				return nil, nil, err
			}
			told = changed{What: "incident " + i.ID + " opened", Facts: map[string]string{"incident": i.ID}}
			return drafts, []*journal.Event{incidentEvent(i)}, nil
		}
		drafts, err = e.decideIncident(r, c, document, by, now)
		if err == nil {
			told.What = strings.TrimSpace(c.ID + c.Report + " " + strings.ReplaceAll(drafts[0].Act.Verb, "_", " "))
		}
		return drafts, nil, err
	})
	if err != nil {
		return changed{}, err
	}
	return told, nil
}

// incidentFile reads the file of an act, and keeps it where it is a proof of sending.
func (e *engine) incidentFile(c *incidentChange) ([]byte, error) {
	if c.File == "" {
		return nil, nil
	}
	most := int64(incident.MaxDataFile + 1)
	if c.Op == incidentAnswer {
		most = maxKeptFile
	}
	content, err := readFileUpTo(c.File, most)
	if err != nil || c.Op != incidentAnswer {
		return content, err
	}
	digest, err := e.keepFile(content)
	return []byte(digest), err
}

// readFileUpTo reads a file of at most so many bytes.
func readFileUpTo(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > most:
		return nil, fmt.Errorf("%s: not a file of at most %d bytes", path, most)
	}
	return os.ReadFile(path)
}

func openByPerson(r *rooms, c *incidentChange, by incident.By, now pos.Instant) (*incident.Incident, []journal.Draft, error) {
	o := incident.Opening{Title: c.Title, Kind: c.Kind, Severity: c.Severity, Origin: incident.Origin{Way: incident.ByPerson}, Owner: by.Actors[0], Aware: c.At,
		Text: incident.Same(c.Text), Report: c.Report}
	if c.Scope != nil {
		o.Scope = *c.Scope
	}
	if report := r.incident.Report(c.Report); report != nil {
		o.Origin = incident.Origin{Way: incident.ByReport, Ref: report.ID}
		if o.Aware == 0 {
			o.Aware = report.At // who was told knew
		}
		if report.Terminal != "" && len(o.Scope.Terminals) == 0 {
			o.Scope.Terminals = []string{report.Terminal}
		}
		if report.Serial != "" && len(o.Scope.Devices) == 0 {
			o.Scope.Devices = []string{report.Serial}
		}
		if o.Kind == "" {
			o.Kind = incident.KindOfReport(report.Kind)
		}
		if o.Text.EN == "" {
			o.Text = incident.Same(report.Text)
		}
	}
	return incident.OpenNow(r.incident, o, by, now)
}

// decideIncident is the rule of one act.
func (e *engine) decideIncident(r *rooms, c *incidentChange, document []byte, by incident.By, now pos.Instant) ([]journal.Draft, error) {
	s := r.incident
	if err := c.sayable(e, by); err != nil {
		return nil, err
	}
	switch c.Op {
	case incidentAssign:
		if a := r.staff.Account(c.Owner); a == nil || a.Disabled {
			return nil, fmt.Errorf("account %.32q is none, or is disabled: see touchstone staff list", c.Owner)
		}
		return incident.Assign(s, c.ID, c.Owner, by, now)
	case incidentNote:
		return incident.Note(s, c.ID, c.Text, c.Entries, by, now)
	case incidentGrade:
		return incident.Grade(s, c.ID, c.Severity, c.Kind, c.Text, by, now)
	case incidentScope:
		if c.Scope == nil {
			return nil, errRequest
		}
		return incident.Rescope(s, c.ID, *c.Scope, by, now)
	case incidentCause:
		return incident.SetCause(s, c.ID, c.Text, c.Entries, e.ledger.Durable(), by, now)
	case incidentAction:
		return incident.AddAction(s, c.ID, c.Text, by, now)
	case incidentLink:
		drafts, err := incident.AddLink(s, c.ID, c.IDs, by, now)
		if err == nil {
			err = linked(r, c, by)
		}
		return drafts, err
	case incidentAnswer:
		sent, err := noticeSent(r, c, by)
		if err != nil {
			return nil, err
		}
		return incident.Answer(s, c.ID, c.IDs, incident.Sending{Notice: c.Notice, Document: string(document), Statement: c.Text, Sent: sent}, by, now)
	case incidentStart:
		return incident.StartClock(s, c.ID, strings.Join(c.IDs, ""), c.At, by, now)
	case incidentWaive:
		return incident.Waive(s, c.ID, strings.Join(c.IDs, ""), c.Text, by, now)
	case incidentClose:
		return incident.Close(s, c.ID, by, now)
	case incidentRules:
		return incident.LoadRules(s, document, by)
	case incidentClocks:
		return incident.LoadClocks(s, document, by)
	case incidentDismiss:
		return incident.Dismiss(s, c.Report, c.Text, by, now)
	case incidentJoin:
		return incident.Join(s, c.Report, c.ID, by, now)
	case incidentContacts:
		return incident.SetContactKey(c.Text, by)
	}
	return nil, errRequest
}

// incidentQuery asks for incidents, one of them or reports.
type incidentQuery struct {
	ID      string `json:"id,omitempty"`
	Report  string `json:"report,omitempty"`
	Reports bool   `json:"reports,omitempty"`
	Data    bool   `json:"data,omitempty"`
}

// incidentShown is one incident with what belongs to it.
type incidentShown struct {
	incident.Incident
	KindName incident.Text    `json:"kind_name"`
	Grade    incident.Text    `json:"grade"`
	Clocks   []incident.Clock `json:"clocks"`
	Timeline []incident.Step  `json:"timeline,omitempty"`
	Missing  []incident.Text  `json:"missing,omitempty"` // to be closed
}

type incidentAnswerShown struct {
	Now       pos.Instant       `json:"now"`
	Incidents []incidentShown   `json:"incidents,omitempty"`
	Reports   []incident.Report `json:"reports,omitempty"`
	Data      *incident.Data    `json:"data,omitempty"`
}

var errNoIncident = errors.New("there is no such incident: see touchstone incident list")

// errNoReport is the same for every number that is none: who guesses learns nothing.
var errNoReport = errors.New("there is no report of that number; the number has three parts, such as RPT-1-7KQ2M9XD")

// incidents answers a question.
func (e *engine) incidents(q *incidentQuery) (a incidentAnswerShown, err error) {
	a.Now = e.clock()
	e.office.view(func(r *rooms) {
		s := r.incident
		switch {
		case q.Data:
			data := *s.Data()
			a.Data = &data
		case q.Report != "":
			if report := s.Report(q.Report); report != nil {
				a.Reports = []incident.Report{*report}
			} else {
				err = errNoReport
			}
		case q.Reports:
			for _, report := range s.Reports() {
				a.Reports = append(a.Reports, *report)
			}
		case q.ID != "":
			if i := s.Incident(q.ID); i != nil {
				a.Incidents = []incidentShown{whole(s, i, true)}
			} else {
				err = errNoIncident
			}
		default:
			for _, i := range s.Incidents() {
				a.Incidents = append(a.Incidents, whole(s, i, false))
			}
		}
	})
	return a, err
}

func whole(s *incident.State, i *incident.Incident, timeline bool) incidentShown {
	shown := incidentShown{Incident: *i, Clocks: []incident.Clock{}}
	shown.KindName, shown.Grade = s.Data().Names(i)
	for _, c := range s.Clocks(i.ID) {
		shown.Clocks = append(shown.Clocks, *c)
	}
	if timeline {
		for _, p := range s.Timeline(i.ID) {
			shown.Timeline = append(shown.Timeline, *p)
		}
	}
	if i.State != incident.Closed {
		shown.Missing = incident.Missing(s, i.ID)
	}
	return shown
}
