package console

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

// pageWords are what a page's template says times and texts with, in the reader's language and the host's zone.
type pageWords struct {
	Lang string
	Zone *time.Location
}

func (c *Console) pageWords(r *http.Request) pageWords { return pageWords{langOf(r), c.Zone} }

// Say is a text in the reader's language.
func (p pageWords) Say(t api.Text) string { return t.In(p.Lang) }

// At is a time of day with its date, Day the date; "–" where there is none.
func (p pageWords) At(t any) string { return p.format(t, "2006-01-02 15:04:05") }

// Day is the date alone.
func (p pageWords) Day(t any) string { return p.format(t, "2006-01-02") }

// Clock is the time of day alone.
func (p pageWords) Clock(t any) string { return p.format(t, "15:04:05") }

// ISO is the instant for programs.
func (p pageWords) ISO(t any) string { return p.format(t, time.RFC3339) }

// ZoneName is what the times are in, such as +08:00.
func (p pageWords) ZoneName() string { return time.Now().In(p.Zone).Format("-07:00") }

func (p pageWords) format(t any, layout string) string {
	switch t := t.(type) {
	case time.Time:
		if !t.IsZero() {
			return t.In(p.Zone).Format(layout)
		}
	case *time.Time:
		if t != nil && !t.IsZero() {
			return t.In(p.Zone).Format(layout)
		}
	}
	return "–"
}

// mountTerminal adds the pages of one terminal, one device and one merchant.
func (c *Console) mountTerminal() {
	seen := web.Rule{Any: true, Shop: true}
	get := func(pattern string, f http.HandlerFunc) {
		c.router.Handle(web.Route{Method: http.MethodGet, Pattern: pattern, Rule: seen}, f)
	}
	get("/terminals/{id}", c.terminal)
	get("/terminals/{id}/repair", c.repair)
	get("/devices/{id}", c.device)
	get("/merchants/{id}", c.merchant)
	c.router.Handle(web.Route{Method: http.MethodPost, Pattern: "/terminals/{id}/repair", Rule: web.Staff}, http.HandlerFunc(c.repairAct))
}

// terminalPage is what the page of one terminal shows.
type terminalPage struct {
	pageWords
	T        api.TerminalDetail
	Line     drawnTimeline
	Span     string
	AsOf     string // as it was typed
	Recent   []api.Transaction
	Repaired string // of the newest refusal: the state of its repair
	Refusal  *api.Transaction
	Staff    bool
	Custody  bool
}

func (c *Console) terminal(w http.ResponseWriter, r *http.Request) {
	who, id, as := web.CallerOf(r.Context()), r.PathValue("id"), r.URL.Query().Get("as_of")
	p := terminalPage{pageWords: c.pageWords(r), AsOf: as, Span: spanOf(r), Staff: !who.Merchant()}
	q := api.AsOf{AsOf: as}
	var err error
	if p.T, err = c.Desk.Terminals.Terminal(r.Context(), who, id, &q); err != nil {
		c.failAsOf(w, r, err, "/terminals/"+url.PathEscape(id))
		return
	}
	line, err := c.Desk.Terminals.Timeline(r.Context(), who, id, &api.TimelineQuery{AsOf: q, Span: cmp.Or(p.Span, "week")})
	if err != nil {
		c.fail(w, r, err)
		return
	}
	if p.Span == "" {
		p.Span = closest(&line)
	}
	p.Line = draw(p.pageWords, line, p.T.Sell, p.T.Rights.Since)
	if err := c.recent(r.Context(), who, &p, as); err != nil {
		c.fail(w, r, err)
		return
	}
	c.show(w, r, "terminal", view{Title: two(r, "Terminal ", "终端 ") + p.T.Terminal.Terminal, Active: "fleet", Sheets: []string{"terminal.css"}, Data: p})
}

// recent are the newest messages, and where the repair of the newest refusal stands.
func (c *Console) recent(ctx context.Context, who *web.Caller, p *terminalPage, as string) error {
	q := &api.TransactionQuery{Paging: api.Paging{Limit: 10}, Terminal: p.T.Terminal.Terminal}
	if p.T.AsOf != nil {
		q.AsOf = *p.T.AsOf
	}
	page, err := c.Desk.Transactions.Transactions(ctx, who, q)
	if err != nil {
		return err
	}
	p.Recent = page.Data
	if as != "" {
		return nil
	}
	repair, err := c.Desk.Terminals.Repair(ctx, who, p.T.Terminal.Terminal, "")
	if err != nil {
		return err
	}
	p.Repaired, p.Refusal = repair.State, repair.Refusal
	return nil
}

func spanOf(r *http.Request) string {
	switch s := r.URL.Query().Get("span"); s {
	case "hour", "day", "week", "all":
		return s
	}
	return ""
}

// failAsOf shows what is wrong with a date beside the field where it was typed, or that there is no such thing.
func (c *Console) failAsOf(w http.ResponseWriter, r *http.Request, err error, back string) {
	var p *api.Problem
	if !errors.As(err, &p) || !strings.HasPrefix(p.Code, "as_of") {
		c.fail(w, r, err)
		return
	}
	told := map[string][2]string{
		"as_of_invalid":        {"The date cannot be used: give a day such as 2026-11-01 that is not in the future.", "日期无效：请输入如 2026-11-01 的日期，且不得晚于今天。"},
		"as_of_before_journal": {"The date is before the first entry of this journal: nothing is known of that time.", "日期早于本日志的第一条记录：无从得知当时的情况。"},
	}[p.Code]
	if told[0] == "" {
		told = [2]string{"The past cannot be told now: " + p.Message, "暂时无法查询过去的状态。"}
	}
	c.showAs(w, r, p.Status, "asof-refused", view{Title: two(r, "As of a date", "历史日期"), Active: "fleet", Failed: two(r, told[0], told[1]), Data: back})
}

// repairPage is what the page of a repair shows.
type repairPage struct {
	pageWords
	R      api.Repair
	Staff  bool
	MayAct bool
	Note   string
	Query  string // of the interface, for the script
}

func (c *Console) repair(w http.ResponseWriter, r *http.Request) {
	c.showRepair(w, r, "", "")
}

func (c *Console) showRepair(w http.ResponseWriter, r *http.Request, failed, note string) {
	who, id := web.CallerOf(r.Context()), r.PathValue("id")
	transaction := r.URL.Query().Get("transaction")
	repair, err := c.Desk.Terminals.Repair(r.Context(), who, id, transaction)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	if transaction == "" && repair.Refusal != nil {
		// The address names the refusal, so that the page stays with it when another comes.
		http.Redirect(w, r, "/terminals/"+url.PathEscape(repair.Terminal)+"/repair?transaction="+repair.Refusal.ID, http.StatusSeeOther)
		return
	}
	v := view{Title: two(r, "Repair of terminal ", "终端修复 ") + repair.Terminal, Active: "fleet", Sheets: []string{"terminal.css"}, Scripts: []string{"repair.js"}, Failed: failed}
	if proposal := r.URL.Query().Get("proposal"); proposal != "" && failed == "" {
		v.Told = two(r, "Proposed as "+proposal+": nothing is done until a second person approves it under Staff, Proposals.", "已提议 "+proposal+"：须第二人在“人员 → 提案”中批准后才生效。")
	} else if r.URL.Query().Get("done") != "" && failed == "" {
		v.Told = two(r, "Done.", "已完成。")
	}
	v.Data = repairPage{pageWords: c.pageWords(r), R: repair, Staff: !who.Merchant(), MayAct: who.May(staff.Field, staff.Security, staff.Support), Note: note,
		Query: "/api/v1/terminals/ter_" + url.PathEscape(repair.Terminal) + "/repair?transaction=" + url.QueryEscape(transaction)}
	c.show(w, r, "repair", v)
}

// repairAct carries out one of the steps that the page has a form for.
func (c *Console) repairAct(w http.ResponseWriter, r *http.Request) {
	who, id := web.CallerOf(r.Context()), r.PathValue("id")
	note := strings.TrimSpace(r.PostFormValue("note"))
	name, body := "", any(nil)
	switch r.PostFormValue("step") {
	case "rebind":
		name, body = "care", map[string]any{"rebind": map[string]string{"serial": r.PostFormValue("serial"), "terminal": id, "note": note}}
	case "clone_clear":
		name, body = "clone_clear", map[string]string{"terminal": id, "note": note}
	default:
		c.refused(w, r, http.StatusBadRequest, "invalid_request")
		return
	}
	raw, err := json.Marshal(body)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	done, err := c.Desk.Acts.Act(r.Context(), who, name, raw)
	var p *api.Problem
	if errors.As(err, &p) {
		c.showRepair(w, r, c.inLanguage(r, p.Message), note)
		return
	}
	if err != nil {
		c.fail(w, r, err)
		return
	}
	q := url.Values{"transaction": {r.URL.Query().Get("transaction")}, "done": {"1"}}
	if done.Proposal != "" {
		q.Set("proposal", done.Proposal)
	}
	http.Redirect(w, r, "/terminals/"+url.PathEscape(id)+"/repair?"+q.Encode(), http.StatusSeeOther)
}

// devicePage is what the page of one device shows.
type devicePage struct {
	pageWords
	D       api.DeviceDetail
	Custody []api.Custody
	AsOf    string
	Staff   bool
}

func (c *Console) device(w http.ResponseWriter, r *http.Request) {
	who, id, as := web.CallerOf(r.Context()), r.PathValue("id"), r.URL.Query().Get("as_of")
	p := devicePage{pageWords: c.pageWords(r), AsOf: as, Staff: !who.Merchant()}
	var err error
	if p.D, err = c.Desk.Devices.Device(r.Context(), who, id, &api.AsOf{AsOf: as}); err != nil {
		c.failAsOf(w, r, err, "/devices/"+url.PathEscape(id))
		return
	}
	if p.Staff {
		custody, err := c.Desk.Devices.Custody(r.Context(), who, id, &api.AsOf{AsOf: as})
		if err != nil {
			c.failAsOf(w, r, err, "/devices/"+url.PathEscape(id))
			return
		}
		p.Custody = custody.Data
	}
	c.show(w, r, "device", view{Title: two(r, "Device ", "设备 ") + p.D.Serial, Active: "fleet", Sheets: []string{"terminal.css"}, Data: p})
}

// merchantPage is what the page of one shop shows.
type merchantPage struct {
	pageWords
	M         api.Merchant
	Terminals api.TerminalPage
	Five      api.Page[api.FiveElements]
	AsOf      string
	Staff     bool
}

func (c *Console) merchant(w http.ResponseWriter, r *http.Request) {
	who, id, as := web.CallerOf(r.Context()), r.PathValue("id"), r.URL.Query().Get("as_of")
	p := merchantPage{pageWords: c.pageWords(r), AsOf: as, Staff: !who.Merchant()}
	at := api.AsOf{AsOf: as}
	var err error
	if p.M, err = c.Desk.Merchants.Merchant(r.Context(), who, "mer_"+strings.TrimPrefix(id, "mer_"), &at); err != nil {
		c.failAsOf(w, r, err, "/merchants/"+url.PathEscape(id))
		return
	}
	cursor := r.URL.Query().Get("cursor")
	if p.Terminals, err = c.Desk.Terminals.Terminals(r.Context(), who, &api.TerminalQuery{Paging: api.Paging{Limit: 50, Cursor: cursor}, AsOf: at, Merchant: p.M.Merchant}); err != nil {
		c.fail(w, r, err)
		return
	}
	if p.Five, err = c.Desk.Devices.FiveElements(r.Context(), who, &api.FiveQuery{Paging: api.Paging{Limit: 50, Cursor: cursor}, AsOf: at, Merchant: p.M.Merchant}); err != nil {
		c.fail(w, r, err)
		return
	}
	c.show(w, r, "merchant", view{Title: p.M.Name, Active: "fleet", Sheets: []string{"terminal.css"}, Data: p})
}

// reach is how far back a timeline goes.
type reach struct{ Key, Text string }

// Spans are the choices.
func (p terminalPage) Spans() []reach {
	return []reach{{"hour", p.Say(api.Text{EN: "Last hour", ZH: "最近一小时"})}, {"day", p.Say(api.Text{EN: "Last day", ZH: "最近一天"})}, {"week", p.Say(api.Text{EN: "Last week", ZH: "最近一周"})}, {"all", p.Say(api.Text{EN: "All", ZH: "全部"})}}
}
