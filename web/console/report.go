package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

func (c *Console) mountReports() {
	c.get("/reports", api.ReportReaders(), c.reports)
	c.get("/reports/{id}", api.ReportReaders(), c.report)
	c.get("/reports/{id}/photographs/{n}", workers, c.photograph)
	c.get("/reports/{id}/contact", workers, c.reportContact)
	c.post("/reports/new", workers, c.fileReport)
	c.post("/reports/{id}/{act}", workers, c.reportAct)
}

// reportList is the queue of reports.
type reportList struct {
	Tab    string
	Counts caseCounts
	Query  api.ReportQuery
	List   []api.Report
	Later  string
	Acts   bool
	Kinds  []string
}

// reportKinds are what consumers and merchants report.
var reportKinds = []string{"skimmer", "refused", "wrong_amount", "fake_technician", "other"}

func (c *Console) reports(w http.ResponseWriter, r *http.Request) {
	q, who := r.URL.Query(), web.CallerOf(r.Context())
	d := reportList{Tab: "reports", Acts: workers.Allows(who), Kinds: reportKinds, Query: api.ReportQuery{Paging: pagingOf(r), Pick: q.Get("state"), Kind: q.Get("kind"), Incident: q.Get("incident"), Terminal: q.Get("terminal")}}
	page, err := c.Desk.Reports.Reports(r.Context(), who, &d.Query)
	if err == nil {
		d.Counts, err = c.counts(r)
	}
	if err != nil {
		c.fail(w, r, err)
		return
	}
	d.List, d.Later = page.Data, later(r, page.Next)
	v := view{Title: two(r, "Reports", "举报"), Active: "incidents", Sheets: []string{caseSheet}, Data: d}
	tell(r, &v)
	c.show(w, r, "reports", v)
}

// reportPage is one report, with the incidents that it may belong to.
type reportPage struct {
	api.Report
	Acts      bool
	Incidents []api.Incident
	Terms     api.IncidentTerms
}

func (c *Console) report(w http.ResponseWriter, r *http.Request) {
	ctx, who := r.Context(), web.CallerOf(r.Context())
	report, err := c.Desk.Reports.Report(ctx, who, &api.ReportInput{ID: r.PathValue("id")})
	if err != nil {
		c.fail(w, r, err)
		return
	}
	d := reportPage{Report: report, Acts: workers.Allows(who)}
	if d.Acts && report.State == "queued" {
		open, err := c.Desk.Incidents.Incidents(ctx, who, &api.IncidentQuery{Paging: api.Paging{Limit: 100}, Pick: "unclosed"})
		if err == nil {
			d.Terms, err = c.Desk.Incidents.Terms(ctx, who)
		}
		if err != nil {
			c.fail(w, r, err)
			return
		}
		d.Incidents = open.Data
	}
	v := view{Title: report.ID, Active: "incidents", Sheets: []string{caseSheet}, Data: d}
	tell(r, &v)
	c.show(w, r, "report", v)
}

// hand sends a kept file. A browser shows nothing of it but what its type says, and runs nothing.
func hand(w http.ResponseWriter, k api.KeptContent, disposition string) {
	h := w.Header()
	h.Set("Content-Type", k.Type)
	h.Set("Content-Disposition", disposition+`; filename="`+strings.Map(plainName, k.Name)+`"`)
	h.Set("Content-Length", strconv.Itoa(len(k.Body)))
	_, _ = w.Write(k.Body) // who asked is gone when this fails
}

func plainName(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' || r == '_' {
		return r
	}
	return '_'
}

func (c *Console) photograph(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil {
		c.refused(w, r, http.StatusNotFound, "not_found")
		return
	}
	k, err := c.Desk.Reports.Photograph(r.Context(), web.CallerOf(r.Context()), r.PathValue("id"), n)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	hand(w, k, "inline")
}

func (c *Console) reportContact(w http.ResponseWriter, r *http.Request) {
	k, err := c.Desk.Reports.ReportContact(r.Context(), web.CallerOf(r.Context()), r.PathValue("id"))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	hand(w, k, "attachment")
}

// fileReport takes a report down for somebody who calls.
func (c *Console) fileReport(w http.ResponseWriter, r *http.Request) {
	c.carry(w, r, "/reports", "report", map[string]any{"kind": r.FormValue("kind"), "terminal": strings.TrimSpace(r.FormValue("terminal")), "serial": strings.TrimSpace(r.FormValue("serial")),
		"text": strings.TrimSpace(r.FormValue("text")), "merchant": strings.TrimSpace(r.FormValue("merchant"))})
}

func (c *Console) reportAct(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	to := "/reports/" + url.PathEscape(id)
	switch r.PathValue("act") {
	case "join":
		c.carry(w, r, to, "incident", formIncident{Op: "join", Report: id, ID: r.FormValue("incident")})
	case "dismiss":
		c.carry(w, r, to, "incident", formIncident{Op: "dismiss", Report: id, Text: strings.TrimSpace(r.FormValue("text"))})
	case "open":
		title := api.Text{EN: "report " + id, ZH: "举报 " + id}
		if given := strings.TrimSpace(r.FormValue("title")); given != "" {
			title = api.Text{EN: given, ZH: given}
		}
		c.carry(w, r, to, "incident", formIncident{Op: "open", Report: id, Title: title, Severity: r.FormValue("severity")})
	default:
		c.refused(w, r, http.StatusNotFound, "not_found")
	}
}

func (c *Console) mountNotices() {
	c.get("/notices", api.NoticeReaders(), c.notices)
	c.get("/notices/{id}", api.NoticeReaders(), c.notice)
	c.post("/notices/retry", web.Rule{Roles: []staff.Role{staff.Support, staff.Security}}, c.retryNotices)
}

// noticeList is what was told to others.
type noticeList struct {
	Tab    string
	Counts caseCounts
	Query  api.NoticeQuery
	List   []api.CaseNotice
	Later  string
	Acts   bool
}

func (c *Console) notices(w http.ResponseWriter, r *http.Request) {
	q, who := r.URL.Query(), web.CallerOf(r.Context())
	d := noticeList{Tab: "notices", Acts: workers.Allows(who), Query: api.NoticeQuery{Paging: pagingOf(r), Pick: q.Get("state"), Incident: q.Get("incident"), Kind: q.Get("kind")}}
	page, err := c.Desk.Notices.Notices(r.Context(), who, &d.Query)
	if err == nil {
		d.Counts, err = c.counts(r)
	}
	if err != nil {
		c.fail(w, r, err)
		return
	}
	d.List, d.Later = page.Data, later(r, page.Next)
	v := view{Title: two(r, "Notices", "通知"), Active: "incidents", Sheets: []string{caseSheet}, Data: d}
	tell(r, &v)
	c.show(w, r, "notices", v)
}

// noticePage is one notice.
type noticePage struct {
	api.CaseNotice
	Acts bool
}

func (c *Console) notice(w http.ResponseWriter, r *http.Request) {
	who := web.CallerOf(r.Context())
	n, err := c.Desk.Notices.Notice(r.Context(), who, &api.NoticeInput{ID: r.PathValue("id")})
	if err != nil {
		c.fail(w, r, err)
		return
	}
	v := view{Title: n.ID, Active: "incidents", Sheets: []string{caseSheet}, Data: noticePage{n, workers.Allows(who)}}
	tell(r, &v)
	c.show(w, r, "notice", v)
}

// retryNotices has notices tried again: those that were ticked, or the one whose page it was asked on.
func (c *Console) retryNotices(w http.ResponseWriter, r *http.Request) {
	_ = r.FormValue("id") // parses the form
	to, ids := "/notices", r.Form["id"]
	if len(ids) == 1 {
		to += "/" + url.PathEscape(ids[0])
	}
	if len(ids) == 0 {
		c.carried(w, r, to, api.Done{}, api.Refuse(http.StatusUnprocessableEntity, "act_refused", "tick the notices that are to be tried again"))
		return
	}
	c.carry(w, r, to, "notice_retry", map[string]any{"ids": ids})
}
