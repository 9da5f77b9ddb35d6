package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"touchstone/effectiveness"
	"touchstone/explain"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/web/api"
)

var _ api.Live = (*desk)(nil)

// mostReasonsNow is how many reasons a picture names; the others are one line.
const mostReasonsNow = 10

// of is what happens now, for one kind of reader.
func (n *nowRoom) of(v viewOf, points int) api.Now {
	e := n.e
	at := time.Now()
	now := api.Now{At: at, Rebuilding: !e.watch.caughtUp(), Needs: []api.Need{}, Latest: []api.Refusal{}, Reasons: []api.ReasonNow{}, Points: []api.Point{}}
	l := n.lines(v.lang)
	if v.shop != (pos.MerchantID{}) {
		now.Shop = n.shop(v, l)
		return now
	}
	w := n.pulse.look(e.clock(), points, beatLatest)
	now.Within, now.Approved, now.Suppressed, now.Points = 10, w.approved, w.suppressed, w.points
	now.Journal = e.ledger.Durable()
	now.Lag = max(now.Journal, w.last) - w.last
	rate := e.live.Rate(at, 10*time.Second)
	_, answered := e.live.Latencies(at)
	now.Rate, now.Money, now.P50MS, now.P99MS = round1(rate.Messages), round1(rate.Money), answered.P50MS, answered.P99MS
	now.Reasons = l.reasonsNow(&w, &now.Refused)
	for i := range w.latest {
		now.Latest = append(now.Latest, l.refusal(&w.latest[i], false))
	}
	now.Proven = n.proven(l)
	now.Needs = l.needs(n.needs.get(), e.clock())
	return now
}

func round1(v float64) float64 { return float64(int64(v*10+0.5)) / 10 }

// lines says things in a page's language.
func (n *nowRoom) lines(lang string) *lines {
	language := explain.English
	if lang == "zh" {
		language = explain.Chinese
	}
	return &lines{lang: language, catalogue: n.words(), zone: n.e.line.Zone}
}

func (l *lines) seriesWords(name string) string {
	if name == issuerSeries {
		return l.two("the card's bank refused", "发卡行拒绝")
	}
	if r, err := reason.Parse(name); err == nil {
		return l.catalogue.Reason(r).Short.In(l.lang)
	}
	return name
}

// reasonsNow are the reasons of the window, the most frequent first.
func (l *lines) reasonsNow(w *window, all *uint64) []api.ReasonNow {
	by := map[string]uint64{}
	for r, k := range w.refused {
		if k > 0 {
			by[seriesOf(reason.Reason(r))] += k
			*all += k
		}
	}
	list := []api.ReasonNow{}
	for name, k := range by {
		list = append(list, api.ReasonNow{Reason: name, Words: l.seriesWords(name), Count: k})
	}
	slices.SortFunc(list, func(a, b api.ReasonNow) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	if len(list) > mostReasonsNow {
		rest := api.ReasonNow{Reason: "other", Words: l.two("other reasons", "其他原因")}
		for _, r := range list[mostReasonsNow-1:] {
			rest.Count += r.Count
		}
		list = append(list[:mostReasonsNow-1], rest)
	}
	return list
}

// refusal is one line of a table; forShop has what the cashier does in it, and no cause, which is not the shop's to know.
func (l *lines) refusal(x *refusedLine, forShop bool) api.Refusal {
	r := api.Refusal{ID: fmt.Sprintf("txn_%d", x.seq), At: x.at.Time().In(l.zone).Format(time.TimeOnly), Terminal: printableID(x.terminal[:]), Reason: x.reason.String(),
		Words: l.catalogue.Reason(x.reason).Short.In(l.lang), DE39: x.de39.String()}
	if x.amount != 0 {
		r.Amount = x.amount.String()
	}
	if forShop {
		r.Reason = ""
		r.Words, r.Do = l.counterWords(x.de39), l.catalogue.Reason(x.reason).CashierShort.In(l.lang)
		return r
	}
	if x.cause != nil {
		r.Cause = l.causeNow(x.cause)
	}
	return r
}

// counterWords is an answer code as the terminal and its shop know it: the reason behind it is the acquirer's.
func (l *lines) counterWords(c pos.ResponseCode) string {
	code, _ := l.catalogue.Code(c)
	return code.Name.In(l.lang)
}

// causeNow is how certain, and what.
func (l *lines) causeNow(c *journal.Cause) string {
	text := certaintyWords[string(c.Certainty)].In(l.lang)
	if found, err := reason.ParseCause(c.Cause); err == nil && found != reason.NoCause && (c.Certainty == journal.Proven || c.Certainty == journal.Indicated) {
		text += " " + l.catalogue.Cause(found).Short.In(l.lang)
	}
	return text
}

// provenWords is what provenNow makes.
type provenWords struct {
	en, zh      string
	approvals   uint64
	full        uint64
	least, most float64
}

// provenNow is the sentence of touchstone effectiveness and the rate of touchstone failures.
func (e *engine) provenNow() provenWords {
	report, _ := e.watch.report(effectiveness.Range{})
	failed := e.observedFailures()
	return provenWords{en: e.now.lines("en").sentence(&report), zh: e.now.lines("zh").sentence(&report), approvals: report.Approvals, full: report.Full,
		least: failed.Least, most: failed.Most}
}

func (n *nowRoom) proven(l *lines) *api.Proven {
	w, p := n.proving.get(), n.e.canaryState()
	out := &api.Proven{Sentence: w.en, Approvals: w.approvals, Full: w.full, Canary: p.State, Least: w.least, Most: w.most}
	if l.lang == explain.Chinese {
		out.Sentence = w.zh
	}
	switch p.State {
	case "ok":
		out.Says = fmt.Sprintf(l.two("canary: every known-bad message was refused, round %d at %s", "探测: 已知错误报文全部被拒, 第 %d 轮于 %s"), p.Rounds, p.Last.In(l.zone).Format(time.TimeOnly))
	case "ineffective":
		out.Says = fmt.Sprintf(l.two("AUTHENTICATION INEFFECTIVE: %d canary messages are not judged as they must be", "认证失效: %d 条探测报文的判定与应有结果不符"), p.Ineffective)
	case "waiting":
		out.Says = l.two("canary: its first round is under way", "探测: 首轮进行中")
	default:
		out.Says = l.two("no canary runs: nothing tries whether bad messages are refused", "未启用探测: 无人检验错误报文是否被拒")
	}
	return out
}

// canaryState is what the host's own known-bad messages say.
func (e *engine) canaryState() api.EffectivenessCanary {
	p := e.proving()
	c := api.EffectivenessCanary{State: "none", Rounds: p.Rounds, Messages: p.Messages, Ineffective: p.Ineffective, Last: p.LastRound}
	switch {
	case p.Ineffective > 0:
		c.State = "ineffective"
	case p.Rounds > 0:
		c.State = "ok"
	case e.canary.Load() != nil:
		c.State = "waiting"
	}
	return c
}

// shop is a merchant's picture: its own terminals and nothing else.
func (n *nowRoom) shop(v viewOf, l *lines) *api.ShopNow {
	day, since := n.pulse.shopNow(v.shop)
	s := &api.ShopNow{Merchant: v.shop.String(), Since: since.Time(), Approved: uint64(day.approved), Taken: day.taken.String(), Refused: uint64(day.refused),
		Reasons: []api.ReasonDo{}, Blocked: []string{}, Latest: []api.Refusal{}}
	if m, err := n.e.ledger.Merchant(v.shop); err == nil {
		s.Name = m.Name
	} else {
		s.Merchant = ""
	}
	by := map[string]*api.ReasonDo{}
	for _, w := range day.why {
		code := w.reason.DE39()
		r := by[code.String()]
		if r == nil {
			r = &api.ReasonDo{ReasonNow: api.ReasonNow{Reason: code.String(), Words: l.counterWords(code)}, Do: l.catalogue.Reason(w.reason).Cashier.In(l.lang)}
			by[code.String()] = r
		}
		r.Count += uint64(w.count)
	}
	for _, r := range by {
		s.Reasons = append(s.Reasons, *r)
	}
	slices.SortFunc(s.Reasons, func(a, b api.ReasonDo) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Reason, b.Reason))
	})
	for i := len(day.latest) - 1; i >= 0; i-- {
		s.Latest = append(s.Latest, l.refusal(&day.latest[i], true))
	}
	return s
}
