package main

import (
	"fmt"
	"runtime"
	"time"

	"touchstone/explain"
	"touchstone/fleet"
	"touchstone/incident"
	"touchstone/ledger"
	"touchstone/observe"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/redress"
	"touchstone/registry"
	"touchstone/staff"
	"touchstone/web/api"
)

// need is something that waits for a person, before it is put into words.
type need struct {
	code  string
	count uint64
	grave bool
	due   pos.Instant // the soonest deadline, 0 none
	late  uint64      // of count: past their deadline
	value observe.Need
}

// The codes of a need that the status does not have.
const (
	needIncidents  = "incidents_open"
	needProposals  = "proposals_waiting"
	needClaims     = "claims_to_decide"
	needReports    = "reports_waiting"
	needInspection = "inspections_due"
	needBlocked    = "terminals_blocked"
	needClones     = "clones_suspected"
	needCampaigns  = "campaigns_overdue"
)

// needPlaces are where a page lists them.
var needPlaces = map[string]string{needIncidents: "/incidents", needProposals: "/staff/proposals", needClaims: "/claims", needReports: "/reports?state=queued",
	needInspection: "/fleet/inspections", needBlocked: "/fleet?sell=no", needClones: "/clones", needCampaigns: "/fleet/campaigns",
	observe.NeedIneffective: "/journal?kind=event", observe.NeedStopped: "/journal?kind=event"}

var waitWords = map[string]explain.Text{
	needIncidents: {EN: "open incidents", ZH: "未关闭的事件"}, needProposals: {EN: "proposals wait for a second person", ZH: "提案等待第二人批准"},
	needClaims: {EN: "claims to decide", ZH: "待决定的索赔"}, needReports: {EN: "reports that nobody has looked at", ZH: "无人处理的举报"},
	needInspection: {EN: "inspections are due", ZH: "巡检已到期"}, needBlocked: {EN: "terminals may not sell", ZH: "终端被禁止消费"},
	needClones: {EN: "terminals with a suspected clone", ZH: "终端疑似被克隆"}, needCampaigns: {EN: "campaigns are past their deadline", ZH: "升级活动已过期限"},
}

// waitOne are the English words where the number is one.
var waitOne = map[string]string{needIncidents: "open incident", needProposals: "proposal waits for a second person", needClaims: "claim to decide", needReports: "report that nobody has looked at",
	needInspection: "inspection is due", needBlocked: "terminal may not sell", needClones: "terminal with a suspected clone", needCampaigns: "campaign is past its deadline"}

// needsNow gathers what waits. It walks over the terminals in small steps, holding no lock between them.
func (e *engine) needsNow() []need {
	now := e.clock()
	var list []need
	add := func(n need) {
		if n.count > 0 {
			list = append(list, n)
		}
	}
	st := e.sources.Status(time.Now(), 0)
	for _, n := range st.Needs {
		if n.Code != observe.NeedTestData && n.Code != observe.NeedSingleDES { // of how the host is set up, not of now: touchstone status has them
			add(need{code: n.Code, count: 1, grave: n.Code == observe.NeedJournalFailed || n.Code == observe.NeedSealed || n.Code == observe.NeedIneffective || n.Code == observe.NeedStopped, value: n})
		}
	}
	e.office.view(func(r *rooms) {
		add(incidentNeed(r.incident, now))
		proposals, claims, reports, campaigns := need{code: needProposals}, need{code: needClaims}, need{code: needReports}, need{code: needCampaigns}
		for _, p := range r.staff.Proposals() {
			if p.State == staff.Open && p.Expires > now {
				proposals.count++
				proposals.soonest(p.Expires, now)
			}
		}
		for _, c := range r.redress.Claims("") {
			if c.State == redress.ClaimOpen {
				claims.count++
			}
		}
		for _, x := range r.incident.Reports() {
			if x.State == incident.Queued {
				reports.count++
			}
		}
		for _, c := range r.fleet.OpenCampaigns() {
			if c.Deadline <= now {
				campaigns.count, campaigns.late = campaigns.count+1, campaigns.late+1
			}
		}
		add(proposals)
		add(claims)
		add(reports)
		add(campaigns)
	})
	for _, n := range e.terminalNeeds() {
		add(n)
	}
	return list
}

func (n *need) soonest(due, now pos.Instant) {
	if due <= now {
		n.late++
	}
	if n.due == 0 || due < n.due {
		n.due = due
	}
}

// incidentNeed counts the open incidents that are no drill, with the soonest clock.
func incidentNeed(s *incident.State, now pos.Instant) need {
	n := need{code: needIncidents}
	for _, i := range s.Incidents() {
		if i.State == incident.Closed || i.Drill {
			continue
		}
		n.count++
		if c := s.NextDue(i.ID); c != nil {
			n.soonest(c.Due, now)
		}
	}
	n.grave = n.late > 0
	return n
}

// needStep is how many terminals are looked at before others run.
const needStep = 512

// terminalNeeds counts terminals by what their standing says: it was judged when it changed, so nothing is judged here.
func (e *engine) terminalNeeds() []need {
	blocked, due, clones := need{code: needBlocked}, need{code: needInspection}, need{code: needClones, grave: true}
	for from := 0; ; {
		next := e.ledger.EachPermitted(from, needStep, func(p ledger.Permitted) {
			if p.Terminal.Canary || p.Terminal.Suspended {
				return
			}
			if p.Standing != nil {
				if !p.Standing.Permit.Sell {
					blocked.count++
				}
				for _, f := range p.Standing.Facts {
					if f.Name == registry.FactInspection && (f.State == fleet.Overdue || f.State == fleet.Failed) { // as the page of inspections counts
						due.count++
					}
				}
			}
			if e.ledger.Suspected(p.Terminal.ID) != proof.Unsuspected {
				clones.count++
			}
		})
		if next == 0 {
			return []need{clones, due, blocked}
		}
		from = next
		runtime.Gosched() // the line first
	}
}

// needs puts what waits into words, the gravest first.
func (l *lines) needs(list []need, now pos.Instant) []api.Need {
	out := []api.Need{}
	for _, grave := range []bool{true, false} {
		for _, n := range list {
			if n.grave != grave {
				continue
			}
			a := api.Need{Code: n.code, Count: n.count, Grave: grave, Href: needPlaces[n.code]}
			words, known := waitWords[n.code]
			switch {
			case known:
				a.Words = words.In(l.lang)
				if n.count == 1 && l.lang != explain.Chinese {
					a.Words = waitOne[n.code]
				}
			default:
				a.Words = l.need(n.value)
			}
			if a.Href == "" {
				a.Href = "/journal?kind=event"
			}
			switch {
			case n.late > 0 && n.due != 0:
				a.More = fmt.Sprintf(l.two("%d overdue, the first %s", "%d 项已超时, 最早%s"), n.late, l.left(n.due, now))
			case n.due != 0:
				a.More = l.two("next deadline: ", "下一时限: ") + l.left(n.due, now)
			}
			out = append(out, a)
		}
	}
	return out
}
