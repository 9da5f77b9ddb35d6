package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"touchstone/web"
	"touchstone/web/api"
)

// facet is one filter of the list of terminals: the parameter of the address and where the query has it.
type facet struct {
	key   string
	title api.Text
	staff bool // told to staff alone
	in    func(*api.TerminalQuery) *[]string
}

var facets = []facet{
	{"sell", api.Text{EN: "May it sell", ZH: "可否收款"}, false, func(q *api.TerminalQuery) *[]string { return &q.Sell }},
	{"reason", api.Text{EN: "Why not everything", ZH: "受限原因"}, false, func(q *api.TerminalQuery) *[]string { return &q.Reason }},
	{"state", api.Text{EN: "Registration", ZH: "登记状态"}, false, func(q *api.TerminalQuery) *[]string { return &q.State }},
	{"model", api.Text{EN: "Model", ZH: "型号"}, false, func(q *api.TerminalQuery) *[]string { return &q.Model }},
	{"hardware", api.Text{EN: "Hardware", ZH: "硬件版本"}, true, func(q *api.TerminalQuery) *[]string { return &q.Hardware }},
	{"version", api.Text{EN: "Version", ZH: "应用版本"}, true, func(q *api.TerminalQuery) *[]string { return &q.Version }},
	{"grade", api.Text{EN: "Grade", ZH: "证明强度"}, true, func(q *api.TerminalQuery) *[]string { return &q.Grade }},
	{"device", api.Text{EN: "Device", ZH: "设备状态"}, false, func(q *api.TerminalQuery) *[]string { return &q.Device }},
	{"inspection", api.Text{EN: "Inspection", ZH: "巡检"}, false, func(q *api.TerminalQuery) *[]string { return &q.Inspection }},
	{"certificate", api.Text{EN: "Certificate", ZH: "安全证书"}, true, func(q *api.TerminalQuery) *[]string { return &q.Certificate }},
	{"advisory", api.Text{EN: "Advisory", ZH: "公告"}, true, func(q *api.TerminalQuery) *[]string { return &q.Advisory }},
	{"campaign", api.Text{EN: "Campaign", ZH: "整改"}, true, func(q *api.TerminalQuery) *[]string { return &q.Campaign }},
	{"network", api.Text{EN: "Network", ZH: "网络"}, true, func(q *api.TerminalQuery) *[]string { return &q.Network }},
	{"site", api.Text{EN: "Place", ZH: "场所"}, false, func(q *api.TerminalQuery) *[]string { return &q.Site }},
}

// Bounds of the list's page.
const (
	fleetPage   = 50
	facetValues = 12 // of one filter that are shown
)

type fleetListPage struct {
	List      api.TerminalPage
	Search    string
	Merchant  string
	DueBefore string
	Facets    []facetList
	Chosen    []facetChoice
	First     string // the address of the first page, "" on it
	Next      string
	API       string // the same question to the interface
	Why       map[string]api.Text
	Campaigns []api.Advisory // open advisories without a campaign that touch what is filtered
}

type facetList struct {
	Title   api.Text
	Choices []facetChoice
	More    int
	Open    bool // something of it is chosen
}

// facetChoice is one value of a filter, and the address with it taken or given back.
type facetChoice struct {
	Key    string
	Title  api.Text
	Value  string
	Text   string
	N      int
	Chosen bool
	Href   string
}

// fleetList is the estate: a search, filters whose counts say what is behind them, and the terminals that fit.
func (c *Console) fleetList(w http.ResponseWriter, r *http.Request) {
	v, who := r.URL.Query(), web.CallerOf(r.Context())
	q := api.TerminalQuery{AsOf: asOf(r), Paging: api.Paging{Limit: fleetPage, Cursor: v.Get("cursor")}, Search: strings.TrimSpace(v.Get("q")), Merchant: strings.TrimSpace(v.Get("merchant")),
		DueBefore: v.Get("due_before"), Counts: true}
	kept := url.Values{}
	for key, value := range map[string]string{"q": q.Search, "merchant": q.Merchant, "due_before": q.DueBefore, "as_of": q.AsOf.AsOf} {
		if value != "" {
			kept.Set(key, value)
		}
	}
	for _, f := range facets {
		if f.staff && who.Merchant() {
			continue
		}
		for _, value := range v[f.key] {
			if value != "" && !slices.Contains(kept[f.key], value) {
				kept.Add(f.key, value)
			}
		}
		*f.in(&q) = kept[f.key]
	}
	list, err := c.Desk.Terminals.Terminals(r.Context(), who, &q)
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	p := fleetListPage{List: list, Search: q.Search, Merchant: q.Merchant, DueBefore: q.DueBefore, API: api.Root + "/terminals?" + kept.Encode(), Why: c.whys(r)}
	p.choices(kept, who.Merchant(), langOf(r))
	if q.Cursor != "" {
		p.First = "/fleet?" + kept.Encode()
	}
	if list.Next != "" {
		next := cloned(kept)
		next.Set("cursor", list.Next)
		p.Next = "/fleet?" + next.Encode()
	}
	if who.May("security") && q.AsOf.AsOf == "" {
		p.Campaigns = c.answerable(r, kept)
	}
	c.fleetShow(w, r, "fleet-list", two(r, "Fleet", "终端群"), "terminals", &p)
}

func cloned(v url.Values) url.Values {
	out := url.Values{}
	for k, list := range v {
		out[k] = slices.Clone(list)
	}
	return out
}

// choices makes the filters: every value with its count, a link that takes or gives back.
func (p *fleetListPage) choices(kept url.Values, shop bool, lang string) {
	for _, f := range facets {
		if f.staff && shop {
			continue
		}
		list := facetList{Title: f.title, Open: len(kept[f.key]) > 0}
		counts := p.List.Counts[f.key]
		for _, value := range kept[f.key] { // what is chosen is shown even where nothing has it
			if !slices.ContainsFunc(counts, func(c api.ValueCount) bool { return c.Value == value }) {
				counts = append(counts, api.ValueCount{Value: value})
			}
		}
		for _, count := range counts {
			if count.Value == "" {
				continue
			}
			choice := facetChoice{Key: f.key, Title: f.title, Value: count.Value, Text: p.valueWord(f.key, count.Value, lang), N: count.Terminals, Chosen: slices.Contains(kept[f.key], count.Value)}
			to := cloned(kept)
			if choice.Chosen {
				to[f.key] = slices.DeleteFunc(to[f.key], func(v string) bool { return v == count.Value })
			} else {
				to.Add(f.key, count.Value)
			}
			choice.Href = "/fleet?" + to.Encode()
			if choice.Chosen {
				p.Chosen = append(p.Chosen, choice)
			}
			if len(list.Choices) < facetValues || choice.Chosen {
				list.Choices = append(list.Choices, choice)
			} else {
				list.More++
			}
		}
		if len(list.Choices) > 0 {
			p.Facets = append(p.Facets, list)
		}
	}
}

// valueWord says a filter's value to a person.
func (p *fleetListPage) valueWord(key, value, lang string) string {
	if key == "reason" {
		if t, ok := p.Why[value]; ok {
			return t.In(lang)
		}
	}
	if t, ok := fleetWords[key+"."+value]; ok {
		return t.In(lang)
	}
	switch key {
	case "model", "hardware", "version", "advisory", "campaign":
		if value != "unknown" {
			return value
		}
	}
	return fleetWord(value, lang)
}

// whys are the facts that restrict terminals, in words, by fact and by fact.state. Without them the stable words stand.
func (c *Console) whys(r *http.Request) map[string]api.Text {
	words := map[string]api.Text{}
	p, err := c.Desk.Permits.Permits(r.Context(), web.CallerOf(r.Context()), &api.PermitsQuery{})
	if err != nil {
		return words
	}
	for _, f := range p.Facts {
		words[f.Fact] = f.Label
		words[f.Fact+"."+f.State] = api.Text{EN: f.Label.EN + " " + f.StateLabel.EN, ZH: f.Label.ZH + f.StateLabel.ZH}
	}
	return words
}

// answerable are the open advisories that no campaign answers and that touch the models, or are the advisories, of the filter.
func (c *Console) answerable(r *http.Request, kept url.Values) (list []api.Advisory) {
	if len(kept["model"]) == 0 && len(kept["advisory"]) == 0 {
		return nil
	}
	open, err := c.Desk.Updates.Advisories(r.Context(), web.CallerOf(r.Context()), &api.UpdateQuery{State: "open"})
	if err != nil {
		return nil // the list is shown all the same
	}
	for _, a := range open.Data {
		touches := slices.Contains(kept["advisory"], a.ID) || slices.ContainsFunc(a.Affected, func(t api.AffectedModel) bool { return slices.Contains(kept["model"], t.Model) })
		if a.Campaign == "" && touches {
			list = append(list, a)
		}
	}
	return list
}
