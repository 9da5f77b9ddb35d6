package console

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

// caseSheet is the style sheet of the pages of incidents and of the laboratory.
const caseSheet = "case.css"

func (c *Console) get(pattern string, rule web.Rule, f http.HandlerFunc) {
	c.router.Handle(web.Route{Method: http.MethodGet, Pattern: pattern, Rule: rule}, f)
}

func (c *Console) post(pattern string, rule web.Rule, f http.HandlerFunc) {
	c.router.Handle(web.Route{Method: http.MethodPost, Pattern: pattern, Rule: rule}, f)
}

// workers are the roles that act on incidents.
var workers = web.Rule{Roles: []staff.Role{staff.Security, staff.Support}}

func (c *Console) mountIncidents() {
	c.get("/incidents", web.Staff, c.incidents)
	c.get("/incidents/{id}", web.Staff, c.incident)
	c.get("/incidents/{id}/exposed", api.ClaimReaders(), c.exposed)
	c.post("/incidents/{id}/{act}", workers, c.incidentAct)
}

// carry carries out an act and sends the browser back to a page that says how it went.
func (c *Console) carry(w http.ResponseWriter, r *http.Request, to, act string, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	done, err := c.Desk.Acts.Act(r.Context(), web.CallerOf(r.Context()), act, raw)
	c.carried(w, r, to, done, err)
}

// carried sends the browser back to a page that says how an act went, also one that was refused.
func (c *Console) carried(w http.ResponseWriter, r *http.Request, to string, done api.Done, err error) {
	var p *api.Problem
	kind, said := "told", done.What
	switch {
	case errors.As(err, &p) && p.Status < http.StatusInternalServerError:
		kind, said = "failed", c.inLanguage(r, p.Message)
	case err != nil:
		c.fail(w, r, err)
		return
	case done.Proposal != "":
		said = fmt.Sprintf(two(r, "Proposal %s: nothing is done until a second person approves it, under Staff, Proposals.", "提案 %s: 须由另一人在“人员 → 提案”中批准后才会执行。"), done.Proposal)
	case langOf(r) == "zh" && done.ZH != "":
		said = done.ZH
	}
	to, fragment, _ := strings.Cut(to, "#")
	if fragment != "" {
		fragment = "#" + fragment
	}
	said = strings.ToValidUTF8(said[:min(len(said), maxTold)], "")
	q := url.Values{kind: {said}, "seal": {sealOf(web.CallerOf(r.Context()), kind, said)}}
	mark := "?"
	if strings.Contains(to, "?") {
		mark = "&"
	}
	http.Redirect(w, r, to+mark+q.Encode()+fragment, http.StatusSeeOther)
}

// maxTold bounds what a page repeats from its own address, in bytes.
const maxTold = 600

// sealOf marks a text as one that this session was sent: a page repeats nothing that somebody else wrote into a link.
func sealOf(who *web.Caller, kind, text string) string {
	mac := hmac.New(sha256.New, []byte(who.Token))
	fmt.Fprintf(mac, "%s %s", kind, text)
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// tell puts how the last act went into a page.
func tell(r *http.Request, v *view) {
	q, who := r.URL.Query(), web.CallerOf(r.Context())
	for kind, to := range map[string]*string{"told": &v.Told, "failed": &v.Failed} {
		if text := q.Get(kind); text != "" && hmac.Equal([]byte(q.Get("seal")), []byte(sealOf(who, kind, text))) {
			*to = text
		}
	}
}

// pagingOf is where in a list a page stands.
func pagingOf(r *http.Request) api.Paging {
	return api.Paging{Limit: 50, Cursor: r.URL.Query().Get("cursor")}
}

// later is the link to the next piece of a list, with the filters as they are.
func later(r *http.Request, next string) string {
	if next == "" {
		return ""
	}
	q := r.URL.Query()
	q.Set("cursor", next)
	for _, once := range []string{"told", "failed", "seal"} {
		q.Del(once)
	}
	return r.URL.Path + "?" + q.Encode()
}

// caseCounts is what the tabs of incidents say.
type caseCounts struct {
	Claims, Reports, Notices int
	SeesClaims, SeesReports  bool
	SeesNotices              bool
}

// counts are how many claims are to be decided, reports wait and notices are stuck, of what the caller may see.
func (c *Console) counts(r *http.Request) (n caseCounts, err error) {
	who := web.CallerOf(r.Context())
	n.SeesClaims, n.SeesReports, n.SeesNotices = api.ClaimReaders().Allows(who), api.ReportReaders().Allows(who), api.NoticeReaders().Allows(who)
	if n.SeesClaims {
		by, err := c.Desk.Claims.ClaimCounts(r.Context(), who)
		if err != nil {
			return n, err
		}
		n.Claims = by["open"]
	}
	if n.SeesReports {
		list, err := c.Desk.Reports.Reports(r.Context(), who, &api.ReportQuery{Paging: api.Paging{Limit: 200}, Pick: "queued"})
		if err != nil {
			return n, err
		}
		n.Reports = len(list.Data)
	}
	if n.SeesNotices {
		list, err := c.Desk.Notices.Notices(r.Context(), who, &api.NoticeQuery{Paging: api.Paging{Limit: 200}, Pick: "stuck"})
		if err != nil {
			return n, err
		}
		n.Notices = len(list.Data)
	}
	return n, nil
}

// incidentList is what the page of incidents shows.
type incidentList struct {
	Tab     string
	Counts  caseCounts
	Query   api.IncidentQuery
	Terms   api.IncidentTerms
	List    []api.Incident
	Later   string
	Open    int
	Overdue int
	Now     time.Time
	Acts    bool
}

func (c *Console) incidents(w http.ResponseWriter, r *http.Request) {
	q, who := r.URL.Query(), web.CallerOf(r.Context())
	d := incidentList{Tab: "incidents", Now: time.Now(), Acts: workers.Allows(who), Query: api.IncidentQuery{Paging: pagingOf(r), Pick: q.Get("state"), Severity: q.Get("severity"), Kind: q.Get("kind"),
		Terminal: q.Get("terminal"), Overdue: q.Get("overdue") != "", Drills: q.Get("drills") != "", Sort: q.Get("sort")}}
	if !q.Has("state") {
		d.Query.Pick = "unclosed"
	}
	if !q.Has("sort") {
		d.Query.Sort = "deadline"
	}
	page, err := c.Desk.Incidents.Incidents(r.Context(), who, &d.Query)
	if err == nil {
		d.Terms, err = c.Desk.Incidents.Terms(r.Context(), who)
	}
	if err == nil {
		d.Counts, err = c.counts(r)
	}
	if err == nil {
		d.Open, d.Overdue, err = c.unclosed(r)
	}
	if err != nil {
		c.fail(w, r, err)
		return
	}
	d.List, d.Later = page.Data, later(r, page.Next)
	v := view{Title: two(r, "Incidents", "事件"), Active: "incidents", Sheets: []string{caseSheet}, Data: d}
	tell(r, &v)
	c.show(w, r, "incidents", v)
}

// unclosed counts incidents that are not closed, and of them those with a deadline that ran out; 200 at most.
func (c *Console) unclosed(r *http.Request) (open, overdue int, err error) {
	page, err := c.Desk.Incidents.Incidents(r.Context(), web.CallerOf(r.Context()), &api.IncidentQuery{Paging: api.Paging{Limit: 200}, Pick: "unclosed", Sort: "deadline"})
	for i := range page.Data {
		if page.Data[i].Clocks.Overdue > 0 {
			overdue++
		}
	}
	return len(page.Data), overdue, err
}

// incidentPage is what the page of one incident shows.
type incidentPage struct {
	api.IncidentWhole
	Counts   caseCounts
	Money    api.Money
	Bars     moneyBars
	Picture  timelinePicture
	Reports  []api.Report
	Told     []api.CaseNotice
	Decide   []api.Claim
	Terms    api.IncidentTerms
	Acts     bool // the caller may act
	Security bool
	Clone    string
}

func (c *Console) incident(w http.ResponseWriter, r *http.Request) {
	ctx, who, id := r.Context(), web.CallerOf(r.Context()), r.PathValue("id")
	whole, err := c.Desk.Incidents.Incident(ctx, who, &api.IncidentInput{ID: id})
	if err != nil {
		c.fail(w, r, err)
		return
	}
	d := incidentPage{IncidentWhole: whole, Acts: workers.Allows(who), Security: who.May(staff.Security), Picture: drawTimeline(&whole, langOf(r), c.Zone)}
	if d.Money, err = c.Desk.Claims.Money(ctx, who, &api.MoneyQuery{Incident: id}); err == nil {
		d.Counts, err = c.counts(r)
	}
	if err == nil && d.Counts.SeesReports {
		var page api.Page[api.Report]
		page, err = c.Desk.Reports.Reports(ctx, who, &api.ReportQuery{Paging: api.Paging{Limit: 50}, Incident: id})
		d.Reports = page.Data
	}
	if err == nil && d.Counts.SeesNotices {
		var page api.Page[api.CaseNotice]
		page, err = c.Desk.Notices.Notices(ctx, who, &api.NoticeQuery{Paging: api.Paging{Limit: 50}, Incident: id})
		d.Told = page.Data
	}
	if err == nil && d.Counts.SeesClaims {
		var page api.Page[api.Claim]
		page, err = c.Desk.Claims.Claims(ctx, who, &api.ClaimQuery{Paging: api.Paging{Limit: 50}, Incident: id})
		d.Decide = page.Data
	}
	if err == nil {
		d.Terms, err = c.Desk.Incidents.Terms(ctx, who)
	}
	if err != nil {
		c.fail(w, r, err)
		return
	}
	d.Bars = drawMoney(&d.Money)
	if whole.Kind == "clone" {
		if len(whole.Scope.Terminals) == 1 {
			d.Clone = whole.Scope.Terminals[0]
		}
	}
	v := view{Title: whole.ID + " " + whole.Title.In(langOf(r)), Active: "incidents", Sheets: []string{caseSheet}, Data: d}
	tell(r, &v)
	c.show(w, r, "incident", v)
}

// formIncident is an act on an incident as the command line sends it.
type formIncident struct {
	Op       string   `json:"op"`
	ID       string   `json:"id,omitempty"`
	Title    any      `json:"title,omitempty"`
	Kind     string   `json:"kind,omitempty"`
	Severity string   `json:"severity,omitempty"`
	Owner    string   `json:"owner,omitempty"`
	Text     string   `json:"text,omitempty"`
	Entries  []uint64 `json:"entries,omitempty"`
	IDs      []string `json:"ids,omitempty"`
	Report   string   `json:"report,omitempty"`
	Notice   string   `json:"notice,omitempty"`
}

// words are the words of a field, parted by spaces or commas.
func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool {
		return r == ' ' || r == ',' || r == '\n' || r == '\r' || r == '\t' || r == '，' || r == '、'
	})
}

// entriesOf reads journal entries, with txn_ before them or not; what is none is left for the act to refuse.
func entriesOf(s string) (list []uint64, err error) {
	for _, w := range words(s) {
		n, err := strconv.ParseUint(strings.TrimPrefix(w, "txn_"), 10, 64)
		if err != nil {
			return nil, api.Refuse(http.StatusUnprocessableEntity, "act_refused", "an entry is a number such as 120 or txn_120")
		}
		list = append(list, n)
	}
	return list, nil
}

// incidentActs are the forms of an incident's page whose act is of one field of text.
var incidentActs = map[string]bool{"assign": true, "note": true, "grade": true, "cause": true, "action": true, "link": true, "answer": true, "start": true, "waive": true, "close": true}

func (c *Console) incidentAct(w http.ResponseWriter, r *http.Request) {
	id, act := r.PathValue("id"), r.PathValue("act")
	to := "/incidents/" + url.PathEscape(id)
	text := strings.TrimSpace(strings.ReplaceAll(r.FormValue("text"), "\r\n", "\n"))
	switch {
	case act == "freeze":
		c.carry(w, r, to+"#exposed", "exposure", map[string]any{"scope": map[string]any{"incident": id, "from": 0, "to": 0}})
	case act == "draft":
		body := map[string]any{"incident": id, "kinds": r.Form["kinds"], "cause": map[string]string{"en": "", "zh": ""}}
		if text != "" {
			body["measures"] = []map[string]string{{"en": text, "zh": text}}
		}
		c.carry(w, r, to+"#notices", "notice_draft", body)
	case act == "send":
		c.carry(w, r, to+"#notices", "notice_send", map[string]string{"incident": id, "set": r.FormValue("set")})
	case act == "retry":
		c.carry(w, r, to+"#notices", "notice_retry", map[string]any{"incident": id})
	case act == "new" && id == "open":
		c.openIncident(w, r, text)
	case incidentActs[act]:
		entries, err := entriesOf(r.FormValue("entries"))
		if err != nil {
			c.carried(w, r, to, api.Done{}, err)
			return
		}
		x := formIncident{Op: act, ID: id, Kind: r.FormValue("kind"), Severity: r.FormValue("severity"), Owner: r.FormValue("owner"), Text: text, Entries: entries, IDs: words(r.FormValue("ids")),
			Notice: r.FormValue("notice")}
		if act == "answer" {
			x.IDs = r.Form["clock"]
		}
		c.carry(w, r, to, "incident", x)
	default:
		c.refused(w, r, http.StatusNotFound, "not_found")
	}
}

// openIncident opens one by hand.
func (c *Console) openIncident(w http.ResponseWriter, r *http.Request, text string) {
	title := strings.TrimSpace(r.FormValue("title"))
	x := struct {
		formIncident
		Scope map[string]any `json:"scope,omitempty"`
	}{formIncident{Op: "open", Title: api.Text{EN: title, ZH: title}, Kind: r.FormValue("kind"), Severity: r.FormValue("severity"), Text: text}, nil}
	if terminals := words(r.FormValue("terminals")); len(terminals) > 0 {
		x.Scope = map[string]any{"terminals": terminals}
	}
	raw, err := json.Marshal(x)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	done, err := c.Desk.Acts.Act(r.Context(), web.CallerOf(r.Context()), "incident", raw)
	to := "/incidents"
	if err == nil && done.Facts["incident"] != "" {
		to = "/incidents/" + done.Facts["incident"]
	}
	c.carried(w, r, to, done, err)
}

// exposedPage is a frozen set with its sales.
type exposedPage struct {
	api.Exposure
	List  []api.ExposedSale
	Later string
}

func (c *Console) exposed(w http.ResponseWriter, r *http.Request) {
	ctx, who, id := r.Context(), web.CallerOf(r.Context()), r.PathValue("id")
	sets, err := c.Desk.Claims.Exposures(ctx, who, &api.ExposureQuery{Paging: api.Paging{Limit: 1}, Incident: id})
	if err == nil && len(sets.Data) == 0 {
		err = api.NotFound()
	}
	var page api.Page[api.ExposedSale]
	if err == nil {
		page, err = c.Desk.Claims.ExposedSales(ctx, who, &api.ExposedQuery{Paging: pagingOf(r), ID: sets.Data[0].ID})
	}
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.show(w, r, "exposed", view{Title: sets.Data[0].ID, Active: "incidents", Sheets: []string{caseSheet}, Data: exposedPage{sets.Data[0], page.Data, later(r, page.Next)}})
}
