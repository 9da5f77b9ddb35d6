package console

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"touchstone/web"
	"touchstone/web/api"
)

// mountFailures is the page of refusals in figures.
func (c *Console) mountFailures() {
	c.router.Handle(web.Route{Method: http.MethodGet, Pattern: "/failures", Rule: web.Staff}, http.HandlerFunc(c.failures))
}

// failuresPage is what the template is given.
type failuresPage struct {
	api.Failures
	Q       api.FailureQuery
	Range   string // today, two, week, own
	Ranges  []rangeLink
	Heads   []string // of the columns: hours, or several hours
	Heat    []heatRow
	Each    int // hours of a column
	Tables  []failureTable
	Flow    *sankey
	Active  []chosen // filters that are on
	Percent int      // of counting
	JSON    string   // address of the same figures for programs
}

type rangeLink struct{ Name, EN, ZH, Href string }

// heatRow is one reason by columns.
type heatRow struct {
	Reason, Words string
	Total         uint64
	Href          string
	Cells         []heatCell
}

type heatCell struct {
	Count uint64
	Text  string
	Level int // 0 to 7
	Href  string
	Title string
}

type failureTable struct {
	Name, Title string
	Rows        []failureLine
	More        int
}

type failureLine struct {
	api.FailureRow
	Name  string
	Href  string // narrows the page to it
	Share int    // of the greatest row, percent
}

// chosen is a filter that is on, and the page without it.
type chosen struct{ Name, Words, Href string }

// Bounds of the page: what it shows at once.
const (
	heatColumns = 48
	heatRows    = 20
	tableRows   = 12
)

func (c *Console) failures(w http.ResponseWriter, r *http.Request) {
	get := r.URL.Query()
	q := api.FailureQuery{From: get.Get("from"), To: get.Get("to"), AsOf: get.Get("as_of"), Reason: get.Get("reason"), Cause: get.Get("cause"), Model: get.Get("model"),
		Version: get.Get("version"), Merchant: get.Get("merchant"), Terminal: get.Get("terminal")}
	page := failuresPage{Q: q, Range: get.Get("range")}
	now := time.Now().In(c.Zone)
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, c.Zone)
	switch page.Range {
	case "today":
		q.From, q.To = midnight.Format(time.RFC3339), ""
	case "week":
		q.From, q.To = midnight.AddDate(0, 0, -6).Format(time.RFC3339), ""
	case "own":
	default:
		if page.Range = "two"; q.From != "" || q.To != "" {
			page.Range = "own"
		}
	}
	f, err := c.Desk.Figures.Failures(r.Context(), web.CallerOf(r.Context()), &q)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	page.Failures = f
	v := view{Title: two(r, "Failures", "失败"), Active: "failures", Sheets: []string{"failures.css"}, Data: &page}
	page.links(get, langOf(r))
	page.JSON = asked(&q)
	if f.Range == "counting" {
		if f.Of > 0 {
			page.Percent = int(100 * f.Counted / f.Of)
		}
		w.Header().Set("Refresh", "2")
		c.show(w, r, "failures", v)
		return
	}
	page.heat(langOf(r), c.Zone)
	page.tables(r, get)
	page.Flow = flowOf(f.Flows, func(dimension, key string) string { return page.name(dimension, key, langOf(r)) })
	c.show(w, r, "failures", v)
}

// asked is where the interface gives the same figures.
func asked(q *api.FailureQuery) string {
	v := url.Values{}
	for name, value := range map[string]string{"from": q.From, "to": q.To, "as_of": q.AsOf, "reason": q.Reason, "cause": q.Cause, "model": q.Model, "version": q.Version,
		"merchant": q.Merchant, "terminal": q.Terminal} {
		if value != "" {
			v.Set(name, value)
		}
	}
	return api.Root + "/failures?" + v.Encode()
}

// with is the page's own address with some parameters set, "" taken away.
func with(get url.Values, pairs ...string) string {
	q := url.Values{}
	for name, list := range get {
		q[name] = slices.Clone(list)
	}
	for i := 0; i < len(pairs); i += 2 {
		if q.Del(pairs[i]); pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return "/failures?" + q.Encode()
}

func (p *failuresPage) links(get url.Values, lang string) {
	bare := func(name string) string { return with(get, "range", name, "from", "", "to", "", "as_of", "") }
	p.Ranges = []rangeLink{{"today", "Today", "今日", bare("today")}, {"two", "48 hours", "48 小时", bare("two")}, {"week", "7 days", "7 天", bare("week")}}
	for _, f := range []struct{ name, value string }{{"reason", p.Q.Reason}, {"cause", p.Q.Cause}, {"model", p.Q.Model}, {"version", p.Q.Version}, {"merchant", p.Q.Merchant}, {"terminal", p.Q.Terminal}} {
		if f.value != "" {
			p.Active = append(p.Active, chosen{f.name, p.name(f.name, f.value, lang), with(get, f.name, "")})
		}
	}
}

// name is a key in words, from the tables of the answer.
func (p *failuresPage) name(dimension, key, lang string) string {
	for _, row := range p.Failures.Tables[dimension] {
		if row.Key == key {
			return cmp.Or(row.Words.In(lang), key)
		}
	}
	if dimension == "justice" || key == sankeyOther {
		return stableWord(lang, key)
	}
	return key
}

// heat puts hours into columns: one each, or several where the range has more.
func (p *failuresPage) heat(lang string, zone *time.Location) {
	hours := int(math.Ceil(p.To.Sub(p.From).Hours()))
	p.Each = max((hours+heatColumns-1)/heatColumns, 1)
	columns := (hours + p.Each - 1) / p.Each
	if columns <= 0 || columns > heatColumns {
		return
	}
	by := map[string][]uint64{}
	var most uint64
	for _, h := range p.Hours {
		at := int(h.Start.Sub(p.From).Hours()) / p.Each
		if at < 0 || at >= columns {
			continue
		}
		for reason, n := range h.Reasons {
			if by[reason] == nil {
				by[reason] = make([]uint64, columns)
			}
			by[reason][at] += n
			most = max(most, by[reason][at])
		}
	}
	start := func(i int) time.Time { return p.From.Add(time.Duration(i*p.Each) * time.Hour).In(zone) }
	for i := range columns {
		head := start(i).Format("15")
		if i == 0 || start(i).Day() != start(i-1).Day() {
			head = start(i).Format("01-02 15")
		}
		p.Heads = append(p.Heads, head)
	}
	for _, row := range p.Failures.Tables["reason"] {
		if by[row.Key] == nil || len(p.Heat) == heatRows {
			continue
		}
		line := heatRow{Reason: row.Key, Words: row.Words.In(lang), Total: row.Messages, Href: transactionsOf(row.Key, p.From, p.To, &p.Q)}
		for i, n := range by[row.Key] {
			cell := heatCell{Count: n, Text: short(n), Level: level(n, most)}
			if n > 0 {
				cell.Href = transactionsOf(row.Key, start(i), start(i+1), &p.Q)
				cell.Title = start(i).Format("01-02 15:04")
			}
			line.Cells = append(line.Cells, cell)
		}
		p.Heat = append(p.Heat, line)
	}
}

// transactionsOf is where the messages behind a number are.
func transactionsOf(reason string, from, to time.Time, q *api.FailureQuery) string {
	v := url.Values{"from": {from.UTC().Format("2006-01-02T15:04:05Z")}, "to": {to.UTC().Format("2006-01-02T15:04:05Z")}, "reason": {reason}}
	if q.Merchant != "" {
		v.Set("merchant", q.Merchant)
	}
	if q.Terminal != "" {
		v.Set("terminal", q.Terminal)
	}
	return "/transactions?" + v.Encode()
}

// level is one of eight steps, by logarithm: one refusal among a thousand is still seen.
func level(n, most uint64) int {
	switch {
	case n == 0:
		return 0
	case most <= 1:
		return 1
	}
	return 1 + int(6*math.Log(float64(n))/math.Log(float64(most))+1e-9)
}

// short is a count in at most four characters.
func short(n uint64) string {
	switch {
	case n == 0:
		return ""
	case n < 1000:
		return strconv.FormatUint(n, 10)
	case n < 10_000:
		return fmt.Sprintf("%.1fk", float64(n/100)/10)
	case n < 1_000_000:
		return fmt.Sprintf("%dk", n/1000)
	}
	return fmt.Sprintf("%dM", n/1_000_000)
}

// tables are the dimensions side by side, each row narrowing the page to itself.
func (p *failuresPage) tables(r *http.Request, get url.Values) {
	lang := langOf(r)
	for _, t := range []struct{ name, en, zh string }{{"reason", "By reason", "按原因"}, {"cause", "By cause", "按成因"}, {"model", "By model", "按型号"}, {"version", "By version", "按版本"},
		{"merchant", "By shop", "按商户"}, {"terminal", "By terminal", "按终端"}} {
		rows := p.Failures.Tables[t.name]
		table := failureTable{Name: t.name, Title: two(r, t.en, t.zh)}
		most := uint64(1)
		for _, row := range rows {
			most = max(most, row.Messages)
		}
		for _, row := range rows[:min(len(rows), tableRows)] {
			line := failureLine{FailureRow: row, Name: cmp.Or(row.Words.In(lang), row.Key), Share: int(100 * row.Messages / most)}
			if row.Key != "" {
				line.Href = with(get, t.name, row.Key)
			}
			table.Rows = append(table.Rows, line)
		}
		if table.More = len(rows) - len(table.Rows); len(rows) > 0 {
			p.Tables = append(p.Tables, table)
		}
	}
}

// On tells whether a range is the one that is shown.
func (p *failuresPage) On(name string) bool { return p.Range == name }

// Right are the messages that were rightly refused.
func (p *failuresPage) Right() uint64 { return p.Total.Messages - p.Total.Wrong - p.Total.Unknown }
