package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"touchstone/estate"
	"touchstone/explain"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/web"
	"touchstone/web/api"
)

var (
	_ api.Terminals = (*desk)(nil)
	_ api.Devices   = (*desk)(nil)
)

// The prefixes of ids.
const (
	terminalPrefix = "ter_"
	merchantPrefix = "mer_"
	devicePrefix   = "dev_"
)

// terminalNamed reads ter_ and an id, or the id alone.
func terminalNamed(id string) (pos.TerminalID, bool) {
	t, err := pos.ParseTerminalID(strings.TrimPrefix(id, terminalPrefix))
	return t, err == nil
}

func merchantNamed(id string) (pos.MerchantID, bool) {
	m, err := pos.ParseMerchantID(strings.TrimPrefix(id, merchantPrefix))
	return m, err == nil
}

func momentOf(at pos.Instant) *time.Time {
	if at == 0 {
		return nil
	}
	t := at.Time()
	return &t
}

// bothLines is what f says in each language.
func bothLines(f func(l *lines) string) api.Text {
	return api.Text{EN: f(&lines{lang: explain.English}), ZH: f(&lines{lang: explain.Chinese})}
}

// Terminals implements api.Terminals.
func (d *desk) Terminals(ctx context.Context, who *web.Caller, q *api.TerminalQuery) (page api.TerminalPage, err error) {
	at, err := q.AsOf.Instant(d.line.Zone, d.clock())
	if err != nil {
		return page, err
	}
	if at != 0 {
		return d.terminalsThen(ctx, who, q, at)
	}
	search, none, err := d.estateQuery(who, q)
	if err != nil {
		return page, err
	}
	page.Data, page.Building = []api.Terminal{}, !d.estate.built.Load()
	if none {
		return page, nil
	}
	found := d.estate.index.Search(search)
	building := page.Building
	page = foundPage(&found)
	page.Data, page.Building = d.terminalRows(who, found.IDs), building
	return page, nil
}

// foundPage is a page without its rows.
func foundPage(found *estate.Result) (page api.TerminalPage) {
	page.Data, page.Total = []api.Terminal{}, found.Total
	if found.More {
		page.Next = found.IDs[len(found.IDs)-1].String()
	}
	for f, list := range found.Counts {
		if page.Counts == nil {
			page.Counts = map[string][]api.ValueCount{}
		}
		page.Counts[f.String()] = valueCounts(list)
	}
	return page
}

func valueCounts(list []estate.Count) []api.ValueCount {
	out := make([]api.ValueCount, 0, min(len(list), mostCounts))
	for _, c := range first(list, mostCounts) {
		out = append(out, api.ValueCount{Value: c.Value, Terminals: c.N})
	}
	return out
}

// mostCounts is the most values of one filter that are told.
const mostCounts = 100

// staffFacets are told to staff alone: they say what to attack.
var staffFacets = []estate.Facet{estate.Grade, estate.Certificate, estate.Advisory, estate.Campaign, estate.Hardware, estate.Version, estate.Network}

// estateQuery is a query for the index; none tells that the caller can see nothing of it.
func (d *desk) estateQuery(who *web.Caller, q *api.TerminalQuery) (s estate.Query, none bool, err error) {
	s = estate.Query{Text: q.Search, After: q.Cursor, Limit: q.Limit}
	if q.Merchant != "" {
		id, ok := merchantNamed(q.Merchant)
		if !ok {
			p := api.Refuse(http.StatusBadRequest, "invalid_request", "merchant: want 15 characters")
			p.Param = "merchant"
			return s, false, p
		}
		s.Merchant = id
	}
	if who.Merchant() {
		if s.Merchant != (pos.MerchantID{}) && s.Merchant != who.Shop {
			return s, true, nil
		}
		s.Merchant = who.Shop
	}
	due := api.AsOf{AsOf: q.DueBefore}
	if s.DueBefore, err = due.Instant(d.line.Zone, 0); err != nil {
		p := api.Refuse(http.StatusBadRequest, "invalid_request", "due_before: want a day such as 2026-11-01, or an instant such as 2026-11-01T10:00:00+08:00")
		p.Param = "due_before"
		return s, false, p
	}
	for f, want := range map[estate.Facet][]string{estate.Sell: q.Sell, estate.State: q.State, estate.Device: q.Device, estate.Model: q.Model, estate.Hardware: q.Hardware,
		estate.Version: q.Version, estate.Certificate: q.Certificate, estate.Network: q.Network, estate.Site: q.Site, estate.Inspection: q.Inspection, estate.Grade: q.Grade,
		estate.Reason: q.Reason, estate.Campaign: q.Campaign, estate.Advisory: q.Advisory} {
		want = slices.DeleteFunc(want, func(v string) bool { return v == "" })
		if len(want) > 0 && who.Merchant() && slices.Contains(staffFacets, f) {
			return s, false, api.Refuse(http.StatusForbidden, "role_not_allowed", "this filter is for staff")
		}
		s.Want[f] = want
	}
	for f := range estate.Facet(estate.Facets) {
		if q.Counts && !(who.Merchant() && slices.Contains(staffFacets, f)) {
			s.Count = append(s.Count, f)
		}
	}
	return s, false, nil
}

// terminalRows are the lines of a page. The rooms are held once, and the ledger is not asked meanwhile.
func (d *desk) terminalRows(who *web.Caller, ids []pos.TerminalID) []api.Terminal {
	rows := []api.Terminal{}
	var known []ledger.Permitted
	var shops []*registry.Merchant
	for _, id := range ids {
		p, ok := d.ledger.Permitted(id)
		if !ok || !who.Sees(p.Terminal.Merchant) {
			continue
		}
		shop, _ := d.ledger.Merchant(p.Terminal.Merchant) // nil: it is not registered
		known, shops = append(known, p), append(shops, shop)
	}
	grades := d.gradesOf(known)
	now := d.clock()
	d.office.view(func(r *rooms) {
		for i := range known {
			rows = append(rows, terminalRow(r, &known[i], shops[i], now, who, grades[i]))
		}
	})
	for i, seen := range d.estate.seen(known) {
		rows[i].Seen = momentOf(seen.Last)
	}
	return rows
}

// gradesOf are the levels of terminals over all.
func (d *desk) gradesOf(list []ledger.Permitted) []string {
	levels := make([]string, len(list))
	seen := d.estate.seen(list)
	for i := range list {
		levels[i] = overallOf(&list[i], seen[i], d.clock())
	}
	return levels
}

// terminalRow is one line; r may be the rooms of the past.
func terminalRow(r *rooms, p *ledger.Permitted, shop *registry.Merchant, at pos.Instant, who *web.Caller, level string) api.Terminal {
	t := p.Terminal
	row := estateRow(r, p, shop, at)
	may := p.May()
	line := api.Terminal{ID: terminalPrefix + t.ID.String(), Terminal: t.ID.String(), Merchant: t.Merchant.String(), Serial: string(t.Serial), State: row.Values[estate.State][0],
		Sell: row.Values[estate.Sell][0], Permit: may.String(), May: bothLines(func(l *lines) string { return permitWords(l, may) }), Address: row.Address, Due: momentOf(row.Due)}
	if shop != nil {
		line.Shop = shop.Name
	}
	if d := p.Device; d != nil {
		line.Model = d.Model
	}
	if row.Place {
		lat, lon := float64(row.Latitude)/1e6, float64(row.Longitude)/1e6
		line.Latitude, line.Longitude = &lat, &lon
	}
	if who.Merchant() {
		return line
	}
	line.Reasons, line.Grade = row.Values[estate.Reason], level
	if d := p.Device; d != nil {
		line.Hardware = d.Hardware
	}
	line.Version = strings.Join(row.Values[estate.Version], "")
	return line
}

// terminalThen is a terminal as it was at the moment of a past epoch, and what the rules knew of it.
func (w *epoch) terminalThen(ctx context.Context, who *web.Caller, id pos.TerminalID) (row api.Terminal, p ledger.Permitted, err error) {
	if p, err = w.past.Permitted(ctx, id); err != nil {
		return row, p, missing(err)
	}
	now, err := w.e.ledger.Terminal(id)
	if err != nil || !who.Sees(now.Merchant) || !who.Sees(p.Terminal.Merchant) {
		return row, p, api.NotFound()
	}
	shop, err := w.merchant(ctx, p.Terminal.Merchant)
	if err != nil {
		return row, p, err
	}
	return terminalRow(w.then, &p, shop, w.at, who, ""), p, nil
}

// Permitted is what the rule of the permit would have been given then.
func (p *pastRegister) Permitted(ctx context.Context, id pos.TerminalID) (ledger.Permitted, error) {
	now, ok := p.e.ledger.Permitted(id)
	if !ok {
		return now, fmt.Errorf("%w: terminal %s", ledger.ErrUnknown, id)
	}
	return p.of(ctx, &now)
}
