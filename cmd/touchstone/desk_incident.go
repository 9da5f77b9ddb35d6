package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"touchstone/explain"
	"touchstone/incident"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/redress"
	"touchstone/web"
	"touchstone/web/api"
)

var _ api.Incidents = (*desk)(nil)

func caseBooks(d *desk) api.CaseBooks {
	return api.CaseBooks{Incidents: d, Claims: d, Reports: d, Notices: d, Lab: d, Bench: d}
}

// timeOf is an instant as the interface says it; none is the zero time, which is left out.
func timeOf(at pos.Instant) time.Time {
	if at == 0 {
		return time.Time{}
	}
	return at.Time()
}

func bothOf(t incident.Text) api.Text { return api.Text{EN: t.EN, ZH: t.ZH} }

// incidentRow is an incident with its deadlines, taken out of the room: records are shared and never changed.
type incidentRow struct {
	*incident.Incident
	clocks []*incident.Clock
	next   *incident.Clock
}

func (w *incidentRow) overdue(now pos.Instant) bool {
	return slices.ContainsFunc(w.clocks, func(c *incident.Clock) bool { return c.Overdue(now) })
}

// asks tells whether a row is asked for.
func (w *incidentRow) asks(q *api.IncidentQuery, now pos.Instant) bool {
	state := string(w.State)
	switch {
	case w.Drill && !q.Drills,
		q.Pick == "unclosed" && w.State == incident.Closed,
		q.Pick != "" && q.Pick != "unclosed" && q.Pick != state,
		q.Severity != "" && q.Severity != w.Severity,
		q.Kind != "" && q.Kind != w.Kind,
		q.Terminal != "" && !slices.Contains(w.Scope.Terminals, q.Terminal),
		q.Overdue && !w.overdue(now):
		return false
	}
	return true
}

// roomsOf lends the rooms as they are, or as they were at the instant that a query names, and says which moment that is.
func (d *desk) roomsOf(ctx context.Context, q *api.AsOf) (view func(func(*rooms)), now pos.Instant, err error) {
	now = d.clock()
	at, err := q.Instant(d.line.Zone, now)
	if err != nil || at == 0 {
		return d.office.view, now, err
	}
	then, err := d.roomsSoon(ctx, at)
	return func(f func(*rooms)) { f(then) }, at, err
}

// Incidents implements api.Incidents.
func (d *desk) Incidents(ctx context.Context, _ *web.Caller, q *api.IncidentQuery) (api.Page[api.Incident], error) {
	view, now, err := d.roomsOf(ctx, &q.AsOf)
	if err != nil {
		return api.Page[api.Incident]{}, err
	}
	var rows []incidentRow
	view(func(r *rooms) {
		for _, i := range slices.Backward(r.incident.Incidents()) {
			rows = append(rows, incidentRow{i, r.incident.Clocks(i.ID), r.incident.NextDue(i.ID)})
		}
	})
	rows = slices.DeleteFunc(rows, func(w incidentRow) bool { return !w.asks(q, now) })
	if q.Sort == "deadline" {
		due := func(w incidentRow) pos.Instant {
			if w.next == nil {
				return 1<<63 - 1
			}
			return w.next.Due
		}
		slices.SortStableFunc(rows, func(a, b incidentRow) int { return cmp.Compare(due(a), due(b)) })
	}
	rows, next := pageAfter(rows, q.Paging, func(w incidentRow) string { return w.ID })
	page := api.Page[api.Incident]{Data: []api.Incident{}, Next: next}
	catalogue, err := shelfCatalogue()
	if err != nil {
		return page, err
	}
	view(func(r *rooms) {
		for i := range rows {
			page.Data = append(page.Data, incidentOf(r.incident, &rows[i], catalogue, now))
		}
	})
	return page, nil
}

// pageAfter is the piece of a list that follows the row whose name is the cursor; one that is not there begins anew.
func pageAfter[T any](list []T, p api.Paging, name func(T) string) (piece []T, next string) {
	if p.Cursor != "" {
		if at := slices.IndexFunc(list, func(x T) bool { return name(x) == p.Cursor }); at >= 0 {
			list = list[at+1:]
		}
	}
	limit := cmp.Or(p.Limit, 50)
	if len(list) > limit {
		return list[:limit], name(list[limit-1])
	}
	return list, ""
}

// incidentTitle is an incident's title with its reason in words: the title of the record has the reason's stable word in brackets.
func incidentTitle(i *incident.Incident, catalogue *explain.Catalogue) api.Text {
	title := bothOf(i.Title)
	r, err := reason.Parse(i.Reason)
	if err != nil || r == reason.None {
		return title
	}
	short, code := catalogue.Reason(r).Short, "("+i.Reason+")"
	return api.Text{EN: strings.Replace(title.EN, code, "("+short.EN+")", 1), ZH: strings.Replace(title.ZH, " "+code, "（"+short.ZH+"）", 1)}
}

func incidentOf(s *incident.State, w *incidentRow, catalogue *explain.Catalogue, now pos.Instant) api.Incident {
	i := w.Incident
	kind, grade := s.Data().Names(i)
	a := api.Incident{ID: i.ID, Title: incidentTitle(i, catalogue), Kind: i.Kind, KindName: bothOf(kind), Severity: i.Severity, Grade: bothOf(grade), State: string(i.State), Owner: i.Owner, Drill: i.Drill,
		OpenedBy: i.Origin.Way, OpenedRef: i.Origin.Ref, Opened: timeOf(i.At), Aware: timeOf(i.Aware), Closed: timeOf(i.ClosedAt), Reason: i.Reason,
		Terminals: len(i.Scope.Terminals) + i.Scope.More, Shops: len(i.Scope.Shops), Models: i.Scope.Models, Versions: i.Scope.Versions, Whole: i.Scope.Whole}
	if common := incident.CommonCause(i.Likely); common != nil {
		likely := likelyOf(common, catalogue)
		likely.Common = true
		a.Likely = &likely
	}
	if i.Cause != nil {
		a.Cause = i.Cause.Text
	}
	for _, c := range w.clocks {
		switch {
		case c.State == incident.Waiting:
			a.Clocks.Waiting++
		case c.State != incident.Running:
			a.Clocks.Done++
		default:
			a.Clocks.Running++
			if c.Overdue(now) {
				a.Clocks.Overdue++
			}
		}
	}
	if w.next != nil {
		next := deadlineOf(w.next, now)
		a.Next = &next
	}
	return a
}

func likelyOf(l *incident.Likely, catalogue *explain.Catalogue) api.LikelyCause {
	c := api.LikelyCause{Cause: l.Cause, Name: api.Text{EN: l.Cause, ZH: l.Cause}, Terminals: l.Terminals, Proven: l.Proven, Of: l.Of}
	if cause, err := reason.ParseCause(l.Cause); err == nil {
		short := catalogue.Cause(cause).Short
		owner := catalogue.Owner(cause.Owner())
		c.Name, c.Owner = api.Text{EN: short.EN, ZH: short.ZH}, api.Text{EN: owner.EN, ZH: owner.ZH}
	}
	return c
}

func deadlineOf(c *incident.Clock, now pos.Instant) api.Deadline {
	d := api.Deadline{Rule: c.Rule, Incident: c.Incident, Duty: bothOf(c.Duty), Recipient: bothOf(c.Recipient), Start: string(c.Start), Within: c.Within, AtOnce: c.AtOnce, Source: c.Source,
		Verified: c.DueMark, State: string(c.State), Started: timeOf(c.Started), Due: timeOf(c.Due), Overdue: c.Overdue(now), Reason: c.Reason, By: strings.Join(c.WaivedBy, " + ")}
	if p := c.Sending; p != nil {
		d.Proof, d.By, d.Answered = cmp.Or(p.Notice, p.Statement, p.Document), p.By, timeOf(p.Sent)
	}
	return d
}

// Incident implements api.Incidents.
func (d *desk) Incident(ctx context.Context, _ *web.Caller, q *api.IncidentInput) (whole api.IncidentWhole, err error) {
	catalogue, err := shelfCatalogue()
	if err != nil {
		return whole, err
	}
	view, now, err := d.roomsOf(ctx, &q.AsOf)
	if err != nil {
		return whole, err
	}
	id := q.ID
	var i *incidentShown
	view(func(r *rooms) {
		if known := r.incident.Incident(id); known != nil {
			shown := wholeIncident(r.incident, known)
			i = &shown
		}
	})
	if i == nil {
		return whole, api.NotFound()
	}
	whole = api.IncidentWhole{Claims: map[string]int{}, Notices: map[string]int{}, Deadlines: []api.Deadline{}, Timeline: []api.IncidentStep{}, Now: timeOf(now)}
	view(func(r *rooms) {
		whole.Incident = incidentOf(r.incident, &incidentRow{&i.Incident, r.incident.Clocks(id), r.incident.NextDue(id)}, catalogue, now)
		for _, c := range r.redress.Claims(id) {
			whole.Claims[string(c.State)]++
		}
		for _, n := range r.redress.Notices(id) {
			whole.Notices[string(n.State)]++
		}
		whole.NoticeSet = r.redress.NoticeSet(id, "")
		if x := r.redress.ExposureOf(id); x != nil {
			exposure := exposureOf(x)
			whole.Exposure = &exposure
		}
	})
	fillIncident(&whole, i, catalogue, now)
	return whole, nil
}

// wholeIncident is what the command shows of an incident.
func wholeIncident(s *incident.State, i *incident.Incident) incidentShown { return whole(s, i, true) }

// fillIncident adds what only the page of one incident shows.
func fillIncident(whole *api.IncidentWhole, i *incidentShown, catalogue *explain.Catalogue, now pos.Instant) {
	s := &i.Scope
	whole.Scope = api.IncidentScope{Terminals: s.Terminals, More: s.More, Devices: s.Devices, Shops: s.Shops, From: timeOf(s.From), To: timeOf(s.To)}
	whole.Proof, whole.Proofs, whole.ClosedBy, whole.Reopened = i.Proof, i.Proofs, i.ClosedBy, i.Reopened
	if i.Cause != nil {
		whole.CauseBy, whole.Entries = i.Cause.By, i.Cause.Entries
	}
	for _, f := range i.Common {
		whole.Traits = append(whole.Traits, api.SharedTrait{Name: f.Name, Value: f.Value, Affected: f.Affected, Unaffected: f.Unaffected, OthersFailed: f.OthersFailed, OthersWell: f.OthersWell,
			G: f.G, Chosen: f.Chosen})
	}
	common := incident.CommonCause(i.Likely)
	for n := range i.Likely {
		c := likelyOf(&i.Likely[n], catalogue)
		c.Common = common != nil && n == 0
		whole.Causes = append(whole.Causes, c)
	}
	for _, x := range i.Actions {
		whole.Actions = append(whole.Actions, api.IncidentAction{Text: x.Text, By: x.By, At: timeOf(x.At)})
	}
	for _, x := range i.Links {
		whole.Links = append(whole.Links, api.LinkedRecord{ID: x.ID, By: x.By, At: timeOf(x.At)})
	}
	for n := range i.Clocks {
		whole.Deadlines = append(whole.Deadlines, deadlineOf(&i.Clocks[n], now))
	}
	slices.SortStableFunc(whole.Deadlines, func(a, b api.Deadline) int {
		return cmp.Or(cmp.Compare(deadlineRank[a.State], deadlineRank[b.State]), a.Due.Compare(b.Due))
	})
	for _, p := range i.Timeline {
		whole.Timeline = append(whole.Timeline, api.IncidentStep{Number: p.Number, At: timeOf(p.At), Verb: p.Verb, Actors: p.Actors, Text: bothOf(p.Text), Entries: p.Entries})
	}
	for _, m := range i.Missing {
		whole.Missing = append(whole.Missing, bothOf(m))
	}
}

// deadlineRank is the order in which deadlines are shown: what runs first.
var deadlineRank = map[string]int{"running": 0, "waiting": 1, "answered_late": 2, "answered_in_time": 3, "waived": 4}

// Terms implements api.Incidents.
func (d *desk) Terms(context.Context, *web.Caller) (terms api.IncidentTerms, err error) {
	d.office.view(func(r *rooms) {
		for _, k := range r.incident.Data().Kinds {
			terms.Kinds = append(terms.Kinds, api.Named{ID: k.ID, Name: bothOf(k.Name)})
		}
		for _, s := range r.incident.Data().Severities {
			terms.Severities = append(terms.Severities, api.Named{ID: s.ID, Name: bothOf(s.Grade)})
		}
	})
	return terms, nil
}

func exposureOf(x *redress.Exposure) api.Exposure {
	return api.Exposure{ID: x.ID, Incident: x.Scope.Incident, From: timeOf(x.Scope.From), To: timeOf(x.Scope.To), Terminals: x.Of, Sales: x.Sum.Sales, Cards: x.Sum.Cards, Shops: x.Sum.Shops,
		Amount: x.Sum.Amount, Head: x.Head, At: timeOf(x.At), By: x.By, Replaces: x.Replaces, Drill: x.Drill, Lists: x.Files}
}
