package console

import (
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"touchstone/web"
	"touchstone/web/api"
)

// mountTransactions are the list of messages and the page of one.
func (c *Console) mountTransactions() {
	seen := web.Rule{Any: true, Shop: true}
	c.router.Handle(web.Route{Method: http.MethodGet, Pattern: "/transactions", Rule: seen}, http.HandlerFunc(c.transactions))
	c.router.Handle(web.Route{Method: http.MethodGet, Pattern: "/transactions/{id}", Rule: seen}, http.HandlerFunc(c.transaction))
	c.router.Handle(web.Route{Method: http.MethodPost, Pattern: "/transactions/{id}/incident", Rule: web.Staff}, http.HandlerFunc(c.incidentFromMessage))
}

// transactionList is the data of the page /transactions.
type transactionList struct {
	Q        *api.TransactionQuery
	From, To string // as the form has them
	Page     api.TransactionPage
	Reasons  []api.Option
	Newer    string // the same question from the newest on
	Older    string
	CSV      string
	Asked    bool // something narrows it
	Zone     string
}

// formTime is how a field of type datetime-local writes a time.
const formTime = "2006-01-02T15:04"

// timeOf reads a time of a form in the host's zone, or RFC 3339; ok is false for neither.
func (c *Console) timeOf(text string) (t time.Time, ok bool) {
	if text == "" {
		return time.Time{}, true
	}
	for _, layout := range []string{time.RFC3339, formTime, "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, c.Zone); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func (c *Console) transactions(w http.ResponseWriter, r *http.Request) {
	u := r.URL.Query()
	get := func(name string) string { return strings.TrimSpace(u.Get(name)) }
	q := &api.TransactionQuery{Paging: api.Paging{Limit: 50, Cursor: get("cursor")}, Terminal: get("terminal"), Trace: get("trace"), RRN: get("rrn"), Reason: get("reason"),
		Code: get("code"), Outcome: get("outcome"), Merchant: strings.TrimPrefix(get("merchant"), "mer_"), Card: get("card")}
	if n, err := strconv.Atoi(get("limit")); err == nil && n > 0 && n <= 200 {
		q.Limit = n
	}
	bad := ""
	for name, to := range map[string]*time.Time{"from": &q.From, "to": &q.To, "as_of": &q.AsOf} {
		t, ok := c.timeOf(get(name))
		if !ok {
			bad = name
		}
		*to = t
	}
	d := &transactionList{Q: q, From: get("from"), To: get("to"), Zone: c.Zone.String()}
	d.Asked = len(withoutEmpty(u, "cursor", "limit")) > 0
	v := view{Title: two(r, "Transactions", "交易"), Active: "transactions", Sheets: []string{"transaction.css"}, Data: d}
	if !web.CallerOf(r.Context()).Merchant() {
		_, d.Reasons = c.Desk.Transactions.Choices(r.Context())
	}
	if bad != "" {
		v.Failed = fmt.Sprintf(two(r, "%s: write a day and a time such as 2026-11-28T10:41", "%s: 请按 2026-11-28T10:41 的格式填写日期和时间"), fieldName(langOf(r), bad))
		c.showAs(w, r, http.StatusBadRequest, "transactions", v)
		return
	}
	page, err := c.Desk.Transactions.Transactions(r.Context(), web.CallerOf(r.Context()), q)
	var p *api.Problem
	if errors.As(err, &p) && p.Status == http.StatusBadRequest {
		v.Failed = p.Message
		c.showAs(w, r, http.StatusBadRequest, "transactions", v)
		return
	}
	if err != nil {
		c.fail(w, r, err)
		return
	}
	d.Page = page
	if get("format") == "csv" {
		c.transactionCSV(w, r, page.Data)
		return
	}
	d.links(u)
	c.show(w, r, "transactions", v)
}

// withoutEmpty are the parameters that say something, but for some.
func withoutEmpty(u url.Values, but ...string) url.Values {
	kept := url.Values{}
	for name, values := range u {
		if len(values) > 0 && strings.TrimSpace(values[0]) != "" {
			kept.Set(name, strings.TrimSpace(values[0]))
		}
	}
	for _, name := range but {
		kept.Del(name)
	}
	return kept
}

func (d *transactionList) links(u url.Values) {
	at := func(name, value string, but ...string) string {
		q := withoutEmpty(u, but...)
		if name != "" {
			q.Set(name, value)
		}
		if len(q) == 0 {
			return "/transactions"
		}
		return "/transactions?" + q.Encode()
	}
	d.Newer = at("", "", "cursor")
	d.CSV = at("format", "csv")
	if d.Page.Next != "" {
		d.Older = at("cursor", d.Page.Next)
	}
}

// transactionCSV writes the rows of a page. A cell that a spreadsheet would take for a formula is written as text.
func (c *Console) transactionCSV(w http.ResponseWriter, r *http.Request, rows []api.Transaction) {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="transactions.csv"`)
	out := csv.NewWriter(w)
	_ = out.Write([]string{"id", "time", "terminal", "merchant", "merchant_name", "what", "amount", "currency", "trace", "rrn", "batch", "card", "de39", "outcome", "reason", "why", "cause", "certainty", "owner", "effect", "elapsed_us"})
	for i := range rows {
		t := &rows[i]
		cause, certainty := "", ""
		if t.Cause != nil {
			cause, certainty = t.Cause.Name, t.Cause.Certainty
		}
		row := []string{t.ID, t.At.In(c.Zone).Format(time.RFC3339Nano), t.Terminal, t.Merchant, t.Shop, t.What, minor(t.Amount), t.Currency, t.Trace, t.RRN, t.Batch, t.Card, t.Answer, t.Outcome, t.Reason,
			t.Why.In(langOf(r)), cause, certainty, t.Owner, t.Effect, strconv.FormatUint(uint64(t.ElapsedUS), 10)}
		for j := range row {
			row[j] = cell(row[j])
		}
		_ = out.Write(row)
	}
	out.Flush() // who asked is gone when this fails
}

// cell is text that no spreadsheet takes for a formula.
func cell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

// minor is minor units as a decimal number, "" for none.
func minor(amount int64) string {
	if amount == 0 {
		return ""
	}
	return fmt.Sprintf("%d.%02d", amount/100, amount%100)
}

// transaction is the page of one message.
func (c *Console) transaction(w http.ResponseWriter, r *http.Request) {
	asOf, _ := c.timeOf(r.URL.Query().Get("as_of")) // what is no time is now
	t, err := c.Desk.Transactions.Transaction(r.Context(), web.CallerOf(r.Context()), r.PathValue("id"), asOf)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.showTransaction(w, r, http.StatusOK, t, "")
}

func (c *Console) showTransaction(w http.ResponseWriter, r *http.Request, status int, t api.TransactionDetail, failed string) {
	d := newTransactionPage(&t, langOf(r))
	if !web.CallerOf(r.Context()).Merchant() {
		d.Kinds, _ = c.Desk.Transactions.Choices(r.Context())
	}
	v := view{Title: d.Title.In(langOf(r)), Active: "transactions", Sheets: []string{"transaction.css"}, Scripts: []string{"transaction.js"}, Failed: failed, Data: d}
	if opened := r.URL.Query().Get("opened"); opened != "" && failed == "" {
		v.Told = fmt.Sprintf(two(r, "%.40s: done.", "%.40s: 已完成。"), opened)
	}
	c.showAs(w, r, status, "transaction", v)
}

// incidentFromMessage opens an incident from a message: its terminal is the scope and its entry the first evidence.
func (c *Console) incidentFromMessage(w http.ResponseWriter, r *http.Request) {
	who := web.CallerOf(r.Context())
	t, err := c.Desk.Transactions.Transaction(r.Context(), who, r.PathValue("id"), time.Time{})
	if err != nil {
		c.fail(w, r, err)
		return
	}
	type scope struct {
		Terminals []string `json:"terminals,omitempty"`
	}
	title := strings.TrimSpace(r.PostFormValue("title"))
	body := map[string]any{"op": "open", "title": api.Text{EN: title, ZH: title}, "kind": r.PostFormValue("kind"), "severity": r.PostFormValue("severity"), "text": strings.TrimSpace(r.PostFormValue("text"))}
	if t.Terminal != "" {
		body["scope"] = scope{[]string{t.Terminal}}
	}
	done, err := c.act(r, "incident", body)
	if err != nil {
		c.transactionRefused(w, r, t, err)
		return
	}
	if id := done.Facts["incident"]; id != "" {
		note := map[string]any{"op": "note", "id": id, "text": "opened from " + t.ID, "entries": []uint64{t.Entry}}
		if _, err := c.act(r, "incident", note); err != nil {
			c.transactionRefused(w, r, t, err)
			return
		}
	}
	opened := done.Facts["incident"]
	if opened == "" {
		opened = done.Proposal
	}
	http.Redirect(w, r, "/transactions/"+url.PathEscape(t.ID)+"?opened="+url.QueryEscape(opened), http.StatusSeeOther)
}

// transactionRefused shows the page again with what was wrong.
func (c *Console) transactionRefused(w http.ResponseWriter, r *http.Request, t api.TransactionDetail, err error) {
	var p *api.Problem
	if !errors.As(err, &p) || p.Status >= 500 {
		c.fail(w, r, err)
		return
	}
	c.showTransaction(w, r, p.Status, t, p.Message)
}
