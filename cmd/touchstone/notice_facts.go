package main

import (
	"context"
	"fmt"

	"touchstone/incident"
	"touchstone/notify"
	"touchstone/pos"
)

// noticeFacts gathers what notices of an incident say: its record and clocks, and the sales frozen into it. Without a frozen
// set nobody can be told what was exposed, and nothing is drafted; a drill may be without.
func (e *engine) noticeFacts(_ context.Context, d *noticeDraftChange) (*notify.Facts, error) {
	var of incident.Incident
	var clocks []*incident.Clock
	var grade incident.Text
	e.office.view(func(r *rooms) {
		if known := r.incident.Incident(d.Incident); known != nil {
			of, clocks = *known, r.incident.Clocks(d.Incident)
			_, grade = r.incident.Data().Names(known)
		}
	})
	if of.ID == "" {
		return nil, fmt.Errorf("there is no incident %.40s: see touchstone incident list", d.Incident)
	}
	now := e.clock()
	f := &notify.Facts{Incident: of.ID, Drill: of.Drill, Title: notify.Text{EN: of.Title.EN, ZH: of.Title.ZH}, Severity: notify.Text{EN: grade.EN, ZH: grade.ZH}, Cause: d.Cause,
		Kinds: d.Kinds, Measures: d.Measures, Aware: of.Aware, From: of.Scope.From, To: of.Scope.To, Zone: e.line.Zone, Now: now, Terminals: len(of.Scope.Terminals) + of.Scope.More}
	if f.Cause == (notify.Text{}) && of.Cause != nil {
		f.Cause = notify.Text{EN: of.Cause.Text, ZH: of.Cause.Text}
	}
	for _, a := range of.Actions {
		f.Measures = append(f.Measures, notify.Text{EN: a.Text, ZH: a.Text})
	}
	for _, c := range clocks {
		f.Clocks = append(f.Clocks, clockFact(c))
	}
	if f.To == 0 {
		f.To = now
	}
	if err := e.noticeSales(f); err != nil && !of.Drill {
		return nil, err
	}
	if len(f.Measures) == 0 { // what drafting itself brings about is true of every notice
		f.Measures = []notify.Text{{EN: "the banks that issued the cards, the shops and the authority are told with this notice", ZH: "已随本告知同时通知发卡银行、商户和主管部门"}}
	}
	return f, nil
}

func clockFact(c *incident.Clock) notify.Clock {
	fact := notify.Clock{Rule: c.Rule, Duty: notify.Text{EN: c.Duty.EN, ZH: c.Duty.ZH}, Start: c.Started, Due: c.Due, Checked: c.DueMark == "V"}
	if c.State == incident.Waived {
		fact.Waived = c.Reason
	}
	if c.Sending != nil {
		fact.Answered, fact.By = c.Sending.Sent, c.Sending.Notice
	}
	return fact
}

// noticeSales adds the frozen set of an incident, and what its shops are called.
func (e *engine) noticeSales(f *notify.Facts) error {
	set, list, err := e.exposedOf(f.Incident)
	if err != nil {
		return err
	}
	f.From, f.To, f.Terminals = set.Scope.From, set.Scope.To, set.Of
	f.Shops = map[pos.MerchantID]string{}
	for i := range list {
		x := &list[i]
		f.Sales = append(f.Sales, notify.Sale{RRN: x.RRN(), At: x.At, Terminal: x.Terminal, Merchant: x.Merchant, Shown: x.Shown, Card: x.Card, Amount: x.Amount})
		if _, known := f.Shops[x.Merchant]; known {
			continue
		}
		if m, err := e.ledger.Merchant(x.Merchant); err == nil {
			f.Shops[x.Merchant] = m.Name
		}
	}
	return nil
}
