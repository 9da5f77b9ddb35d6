package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"touchstone/effectiveness"
	"touchstone/failure"
	"touchstone/incident"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/web"
	"touchstone/web/api"
)

var _ api.Figures = (*desk)(nil)

// Status implements api.Figures: what touchstone status says, member for member.
func (d *desk) Status(ctx context.Context, _ *web.Caller, q *api.AsOf) (s api.Status, err error) {
	at, err := q.Instant(d.line.Zone, d.clock())
	if err != nil {
		return s, err
	}
	if at != 0 {
		return d.statusThen(ctx, at)
	}
	raw, err := json.Marshal(d.status())
	if err != nil {
		return s, fmt.Errorf("status: %w", err)
	}
	return s, json.Unmarshal(raw, &s)
}

// hours reads a range of hours. An end within an hour counts that hour.
func (d *desk) hours(from, to string) (r effectiveness.Range, err error) {
	if from != "" {
		at, err := d.instant("from", from)
		if err != nil {
			return r, err
		}
		r.From = effectiveness.HourOf(at)
	}
	if to != "" {
		at, err := d.instant("to", to)
		if err != nil {
			return r, err
		}
		r.To = effectiveness.HourOf(at + pos.Instant(time.Hour) - 1)
	}
	if r.To != 0 && r.To <= r.From {
		return r, badParam("to", "not after from")
	}
	return r, nil
}

// liveSince is the first hour that the running figures keep.
func (e *engine) liveSince() effectiveness.Hour {
	return effectiveness.HourOf(e.clock()) - effectiveness.Hour(failure.LiveBounds().Hours) + 1
}

// Failures implements api.Figures. What memory has is answered at once; what it does not is counted in the background.
func (d *desk) Failures(_ context.Context, _ *web.Caller, q *api.FailureQuery) (api.Failures, error) {
	r, err := d.hours(q.From, q.To)
	if err != nil {
		return api.Failures{}, err
	}
	var asOf pos.Instant
	if q.AsOf != "" {
		if asOf, err = d.instant("as_of", q.AsOf); err != nil {
			return api.Failures{}, err
		}
	}
	only := failure.Filter{Reason: q.Reason, Cause: q.Cause, Model: q.Model, Version: q.Version, Merchant: q.Merchant, Terminal: q.Terminal}
	if asOf == 0 && (r.From == 0 || r.From >= d.liveSince()) {
		answer := d.failuresOf(&failuresQuery{r})
		out := d.failuresFrom(&answer, r)
		d.failures.mu.Lock()
		defer d.failures.mu.Unlock()
		d.narrow(&out, d.failures.table, r, only)
		return out, nil
	}
	if r.From == 0 {
		r.From = effectiveness.HourOf(asOf) - effectiveness.Hour(failure.LiveBounds().Hours) + 1
	}
	t, progress := d.now.counting.ask(d.engine, countFor{r, asOf})
	if t == nil {
		return progress, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	report := t.table.Report(r)
	answer := failuresAnswer{Report: report, FalseFailures: report.FalseFailures()}
	out := d.failuresFrom(&answer, r)
	if asOf != 0 {
		out.AsOf = asOf.Time()
	}
	d.narrow(&out, t.table, r, only)
	return out, nil
}

// failuresFrom puts the answer of touchstone failures into the interface's form.
func (d *desk) failuresFrom(a *failuresAnswer, r effectiveness.Range) api.Failures {
	out := api.Failures{Range: "ready", Last: a.Last, Rebuilding: a.Rebuilding, Approved: a.Approved, Taken: int64(a.Taken), Terminals: a.Terminals, Total: countFrom(&a.Total),
		Least: a.FalseFailures.Least, Most: a.FalseFailures.Most, WrongSales: a.WrongSales, UnknownSales: a.UnknownSales, WrongTerminals: a.WrongTerminals,
		Waiting: purchasesFrom(&a.Waiting), Recovered: purchasesFrom(&a.Recovered), Lost: purchasesFrom(&a.Lost), Cut: a.Cut,
		Tables: map[string][]api.FailureRow{}, Hours: []api.FailureHour{}, Flows: []api.FailureFlow{}, Incidents: d.failureIncidents()}
	from, to := r.From, r.To
	if from == 0 {
		from = d.liveSince()
	}
	if to == 0 {
		to = effectiveness.HourOf(d.clock()) + 1
	}
	out.From, out.To = from.Start().Time(), to.Start().Time()
	return out
}

func countFrom(c *failure.Count) api.Count {
	return api.Count{Messages: c.Messages, Sales: c.Sales, Amount: int64(c.Amount), Wrong: c.Wrong, Unknown: c.Unknown}
}

func purchasesFrom(p *failure.Purchases) api.Purchases {
	return api.Purchases{Number: p.Number, Amount: int64(p.Amount), Wrong: p.Wrong, WrongAmount: int64(p.WrongAmount), Unknown: p.Unknown, UnknownAmount: int64(p.UnknownAmount)}
}

// narrow adds the tables, the hours and the flows of a filter; the table's lock is held.
func (d *desk) narrow(out *api.Failures, t *failure.Table, r effectiveness.Range, only failure.Filter) {
	v := t.View(r, only)
	if out.Narrowed = only != (failure.Filter{}); out.Narrowed {
		out.Total = countFrom(&v.Total)
	}
	en, zh := d.now.lines("en"), d.now.lines("zh")
	for dimension, rows := range v.Tables {
		list := make([]api.FailureRow, 0, len(rows))
		for i := range rows {
			list = append(list, api.FailureRow{Key: rows[i].Key, Words: api.Text{EN: en.failureName(dimension, rows[i].Key), ZH: zh.failureName(dimension, rows[i].Key)}, Count: countFrom(&rows[i].Count)})
		}
		out.Tables[dimension] = list
	}
	for _, h := range v.Heat {
		hour := api.FailureHour{Start: h.Hour.Start().Time(), Reasons: map[string]uint64{}}
		for _, row := range h.Reasons {
			hour.Reasons[row.Key] = row.Messages
		}
		out.Hours = append(out.Hours, hour)
	}
	for i := range v.Flows {
		f := &v.Flows[i]
		out.Flows = append(out.Flows, api.FailureFlow{Reason: f.Reason, Cause: f.Cause, Justice: f.Justice, Count: countFrom(&f.Count)})
	}
}

// failureName is a row for a person, in one phrase.
func (l *lines) failureName(dimension, key string) string {
	switch dimension {
	case "reason":
		return l.seriesWords(key)
	case "cause":
		certainty, cause, _ := strings.Cut(key, " ")
		text := strings.TrimSpace(l.causeKey(key))
		if found, err := reason.ParseCause(cause); err == nil && found != reason.NoCause {
			return certaintyWords[certainty].In(l.lang) + " " + l.catalogue.Cause(found).Short.In(l.lang)
		}
		if certainty == "verdict" {
			return certaintyWords[certainty].In(l.lang) + " " + l.seriesWords(cause)
		}
		return text
	case "hour":
		seconds, _ := strconv.ParseInt(key, 10, 64) // our own digits
		return l.hour(effectiveness.HourOf(pos.Instant(seconds * int64(time.Second))))
	}
	return l.failureKey(dimension, key)
}

// failureIncidents are the open incidents that a rule over failures opened: one reason that spreads.
func (d *desk) failureIncidents() []api.FailureIncident {
	list := []api.FailureIncident{}
	d.office.view(func(r *rooms) {
		for _, i := range r.incident.Incidents() {
			if i.State != incident.Closed && !i.Drill && i.Reason != "" {
				list = append(list, api.FailureIncident{ID: i.ID, Title: incidentTitle(i, d.now.lines("en").catalogue), Reason: i.Reason})
			}
		}
	})
	return list
}

// Effectiveness implements api.Figures.
func (d *desk) Effectiveness(ctx context.Context, _ *web.Caller, q *api.EffectivenessQuery) (out api.Effectiveness, err error) {
	at, err := q.AsOf.Instant(d.line.Zone, d.clock())
	if err != nil {
		return out, err
	}
	r, err := d.hours(q.From, q.To)
	if err != nil {
		return out, err
	}
	since := d.liveSince()
	if at != 0 {
		since = effectiveness.HourOf(at) - effectiveness.Hour(effectiveness.LiveBounds().Hours) + 1
	}
	if r.From != 0 && r.From < since {
		p := api.NotKept("the last 48 hours, or those before as_of, are kept; older ones are counted from the journal: touchstone effectiveness --from")
		p.Code, p.Param = "range_not_kept", "from"
		return out, p
	}
	if at == 0 {
		a, ready := d.watch.report(r)
		return d.effectivenessOf(&a, !ready, d.canaryState(), d.ledger.Stops()), nil
	}
	p, _, err := figureAt(ctx, d.engine, "proven", at, figureLife, func(ctx context.Context, w *epoch, pace func() error) (*pastProven, error) {
		return w.proven(ctx, pace)
	})
	if err != nil {
		return out, err
	}
	a := p.report(r)
	out = d.effectivenessOf(&a, false, p.watch(), p.stops)
	out.AsOf = momentOf(at)
	return out, nil
}

// effectivenessOf puts a report into the interface's form.
func (d *desk) effectivenessOf(a *effectiveness.Report, rebuilding bool, canary api.EffectivenessCanary, stops proof.Stops) api.Effectiveness {
	out := api.Effectiveness{From: a.From.Start().Time(), To: (a.To + 1).Start().Time(), Last: a.Last, Rebuilding: rebuilding, Approvals: a.Approvals, Full: a.Full, Canary: a.Canary,
		Sentence:   api.Text{EN: d.now.lines("en").sentence(a), ZH: d.now.lines("zh").sentence(a)},
		Shortfalls: []api.EffectiveShort{}, Proofs: []api.EffectiveProof{}, Models: effectiveRows(a.Models), Merchants: effectiveRows(a.Merchants), Watch: canary,
		Stopped: append([]string{}, stops.Names()...)}
	for _, s := range a.Shortfalls {
		out.Shortfalls = append(out.Shortfalls, api.EffectiveShort{Proof: s.Proof, Standing: s.Standing, Approvals: s.Approvals, Models: s.Models, Shops: s.Shops})
	}
	for _, p := range a.Proofs {
		out.Proofs = append(out.Proofs, api.EffectiveProof{Proof: p.Proof, Standings: p.Standings})
	}
	return out
}

func effectiveRows(rows []effectiveness.Row) []api.EffectiveRow {
	list := make([]api.EffectiveRow, 0, len(rows))
	for _, r := range rows {
		list = append(list, api.EffectiveRow{Key: r.Key, Name: r.Name, Approvals: r.Approvals, Full: r.Full, Shortfalls: r.Shortfalls})
	}
	return list
}

// mostEventsRead is how many events one request looks at for those of a filter.
const mostEventsRead = 5000

// Events implements api.Figures.
func (d *desk) Events(ctx context.Context, _ *web.Caller, q *api.EventQuery) (api.Page[api.Event], error) {
	page := api.Page[api.Event]{Data: []api.Event{}}
	before, err := d.journalFrom(ctx, &api.JournalQuery{Paging: q.Paging, AsOf: q.AsOf}, d.ledger.Durable())
	if err != nil {
		return page, err
	}
	en, zh := d.now.lines("en"), d.now.lines("zh")
	for read := 0; read < mostEventsRead; {
		list, err := d.store.Reader.EventsBefore(ctx, before, clonePage)
		if err != nil {
			return page, err
		}
		for _, x := range list {
			before = x.Seq
			if q.Name != "" && x.Name != q.Name || q.Severity != "" && string(x.Severity) != q.Severity || q.Terminal != "" && x.Terminal != q.Terminal {
				continue
			}
			page.Data = append(page.Data, api.Event{ID: fmt.Sprintf("evt_%d", x.Seq), At: x.At.Time(), Name: x.Name, Severity: string(x.Severity), Terminal: x.Terminal, Model: x.Model,
				Merchant: x.Merchant, Parameters: x.Parameters, Cause: x.Cause, Words: api.Text{EN: en.eventLine(&x.Event), ZH: zh.eventLine(&x.Event)}})
			if len(page.Data) == q.Limit {
				page.Next = strconv.FormatUint(before, 10)
				return page, nil
			}
		}
		if len(list) < clonePage {
			return page, nil
		}
		read += len(list)
	}
	page.Next = strconv.FormatUint(before, 10)
	return page, nil
}
