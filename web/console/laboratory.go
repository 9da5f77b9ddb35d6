package console

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

// assessors are the roles that examine.
var assessors = web.Rule{Roles: []staff.Role{staff.Assessor}}

// maxSubject bounds what is sent for a run, in bytes: a package and its lists.
const maxSubject = 72 << 20

func (c *Console) mountLaboratory() {
	c.get("/laboratory", web.Staff, c.laboratory)
	c.get("/laboratory/runs/{id}", web.Staff, c.run)
	c.get("/laboratory/runs/{id}/report", web.Staff, c.runReport)
	c.get("/laboratory/runs/{id}/transcripts/{requirement}", web.Staff, c.transcript)
	c.get("/laboratory/findings/{id}", web.Staff, c.finding)
	c.get("/laboratory/certificates/{id}", web.Staff, c.certificate)
	c.get("/laboratory/certificates/{id}/envelope", web.Staff, c.envelope)
	c.get("/laboratory/keys", web.Staff, c.labKeys)
	c.get("/laboratory/operations", web.Staff, c.operations)
	c.post("/laboratory/operations", web.Staff, c.operationsAgain)
	c.router.HandleLarge(web.Route{Method: http.MethodPost, Pattern: "/laboratory/runs", Rule: assessors}, maxSubject, http.HandlerFunc(c.startRun))
	c.post("/laboratory/runs/{id}/continue", assessors, c.continueRun)
	c.post("/laboratory/runs/{id}/certificate", assessors, c.issueCertificate)
	c.post("/laboratory/findings/{id}/advance", assessors, c.advanceFinding)
	c.post("/laboratory/certificates/{id}/change", assessors, c.changeCertificate)
	c.post("/laboratory/scopes", web.Rule{Roles: []staff.Role{staff.Security}}, c.signScope)
	c.post("/laboratory/scopes/{id}/stop", web.Rule{Roles: []staff.Role{staff.Security, staff.Assessor}}, c.stopScope)
}

// labPage is the first page of the laboratory.
type labPage struct {
	Tab          string
	Plan         api.LabPlan
	Runs         []api.LabRun
	Findings     []api.LabFinding
	Certificates []api.LabCertificate
	Query        api.LabQuery
	Later        string
	Severities   []severityCount
	Standings    map[string]int
	Assessor     bool
	Security     bool
	Dial         *dial // of the newest complete run
	DialRun      *api.LabRun
	Targets      string
}

// severityCount counts findings that are not closed.
type severityCount struct {
	Severity string
	N, W     int // W: thousandths of the bar
}

var severityOrder = []string{"critical", "high", "medium", "low", "info"}

// maxCounted is how many findings and certificates are counted for the picture.
const maxCounted = 200

func (c *Console) laboratory(w http.ResponseWriter, r *http.Request) {
	q, ctx, who := r.URL.Query(), r.Context(), web.CallerOf(r.Context())
	d := labPage{Tab: q.Get("tab"), Assessor: assessors.Allows(who), Security: who.May(staff.Security), Standings: map[string]int{},
		Query: api.LabQuery{Paging: pagingOf(r), Pick: q.Get("state"), Severity: q.Get("severity"), Model: q.Get("model"), Run: q.Get("run")}}
	if d.Tab != "findings" && d.Tab != "certificates" && d.Tab != "plan" {
		d.Tab = "runs"
	}
	every := api.LabQuery{Paging: api.Paging{Limit: maxCounted}}
	of := func(tab string) *api.LabQuery {
		if tab == d.Tab {
			return &d.Query
		}
		return &every
	}
	runs, err := c.Desk.Lab.Runs(ctx, who, of("runs"))
	findings, err2 := c.Desk.Lab.Findings(ctx, who, of("findings"))
	unclosed, err3 := c.Desk.Lab.Findings(ctx, who, &api.LabQuery{Paging: api.Paging{Limit: maxCounted}, Pick: "unclosed"})
	certificates, err4 := c.Desk.Lab.Certificates(ctx, who, of("certificates"))
	standings, err5 := c.Desk.Lab.Certificates(ctx, who, &every)
	plan, err6 := c.Desk.Bench.Plan(ctx, who)
	for _, err := range []error{err, err2, err3, err4, err5, err6} {
		if err != nil {
			c.fail(w, r, err)
			return
		}
	}
	d.Plan, d.Runs, d.Findings, d.Certificates, d.Targets = plan, runs.Data, findings.Data, certificates.Data, strings.Join(plan.Targets, " ")
	d.Later = later(r, map[string]string{"runs": runs.Next, "findings": findings.Next, "certificates": certificates.Next}[d.Tab])
	for _, x := range standings.Data {
		d.Standings[x.Standing]++
	}
	d.Severities = countSeverities(unclosed.Data)
	for i := range runs.Data {
		if runs.Data[i].State == "complete" {
			d.DialRun, d.Dial = &runs.Data[i], drawDial(runs.Data[i].Axes)
			break
		}
	}
	v := view{Title: two(r, "Laboratory", "实验室"), Active: "laboratory", Sheets: []string{caseSheet}, Scripts: []string{"case.js"}, Data: d}
	tell(r, &v)
	c.show(w, r, "laboratory", v)
}

func countSeverities(list []api.LabFinding) (counts []severityCount) {
	by, most := map[string]int{}, 1
	for i := range list {
		by[list[i].Severity]++
		most = max(most, by[list[i].Severity])
	}
	for _, s := range severityOrder {
		counts = append(counts, severityCount{s, by[s], by[s] * barWidth / most})
	}
	return counts
}

// dial is the picture of the three axes: a third of a circle each, with a slice for each requirement.
type dial struct{ Slices []dialSlice }

type dialSlice struct {
	Path    string
	Verdict string // pass, fail, open or none
	Title   api.Text
}

// The dial: radii, and the gaps between slices and between axes, in degrees.
const (
	dialOuter, dialInner = 92.0, 58.0
	dialGap, dialThird   = 2.0, 8.0
)

// drawDial places one slice for each requirement: passed first, then failed, not known, and not applicable.
func drawDial(axes []api.LabAxis) *dial {
	d := &dial{}
	third := 360.0 / float64(max(len(axes), 1))
	for n, a := range axes {
		if a.Of == 0 {
			continue
		}
		from := float64(n)*third - 90 + dialThird/2
		each := (third - dialThird) / float64(a.Of)
		for k := range a.Of {
			verdict := "none"
			switch {
			case k < a.Passed:
				verdict = "pass"
			case k < a.Passed+a.Failed:
				verdict = "fail"
			case k < a.Passed+a.Failed+a.Open:
				verdict = "open"
			}
			start := from + float64(k)*each
			d.Slices = append(d.Slices, dialSlice{slicePath(start+dialGap/2, start+each-dialGap/2), verdict, a.Name})
		}
	}
	return d
}

// slicePath is the outline of a piece of the ring between two angles in degrees.
func slicePath(from, to float64) string {
	point := func(r, degrees float64) string {
		s, c := math.Sincos(degrees * math.Pi / 180)
		return strconv.FormatFloat(100+r*c, 'f', 2, 64) + " " + strconv.FormatFloat(100+r*s, 'f', 2, 64)
	}
	radius := func(r float64) string { return strconv.FormatFloat(r, 'f', 0, 64) }
	return "M" + point(dialOuter, from) + "A" + radius(dialOuter) + " " + radius(dialOuter) + " 0 0 1 " + point(dialOuter, to) + "L" + point(dialInner, to) +
		"A" + radius(dialInner) + " " + radius(dialInner) + " 0 0 0 " + point(dialInner, from) + "Z"
}

// runPage is one run.
type runPage struct {
	api.LabRunWhole
	Dial     *dial
	Assessor bool
	Own      bool // the caller is its operator
	Scopes   []api.LabScope
}

func (c *Console) run(w http.ResponseWriter, r *http.Request) {
	ctx, who := r.Context(), web.CallerOf(r.Context())
	whole, err := c.Desk.Lab.Run(ctx, who, &api.RunInput{ID: r.PathValue("id")})
	if err != nil {
		c.fail(w, r, err)
		return
	}
	plan, err := c.Desk.Bench.Plan(ctx, who)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	d := runPage{LabRunWhole: whole, Dial: drawDial(whole.Axes), Assessor: assessors.Allows(who), Own: whole.Operator == who.Account}
	for _, s := range plan.Scopes {
		if s.InForce {
			d.Scopes = append(d.Scopes, s)
		}
	}
	v := view{Title: whole.ID, Active: "laboratory", Sheets: []string{caseSheet}, Scripts: []string{"case.js"}, Data: d}
	tell(r, &v)
	c.show(w, r, "run", v)
}

// runReport sends the printable report. It is a document of its own, with its style inside: the policy lets that one style
// through, by its digest, and nothing else.
func (c *Console) runReport(w http.ResponseWriter, r *http.Request) {
	lang := r.URL.Query().Get("lang")
	if lang != "en" && lang != "zh" {
		lang = langOf(r)
	}
	k, err := c.Desk.Bench.Kept(r.Context(), web.CallerOf(r.Context()), r.PathValue("id"), "html", lang)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	sum := sha256.Sum256(styleOf(k.Body))
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox allow-modals")
	hand(w, k, "inline")
}

// styleOf is the text of a document's first style element.
func styleOf(page []byte) []byte {
	_, rest, _ := bytes.Cut(page, []byte("<style>"))
	style, _, _ := bytes.Cut(rest, []byte("</style>"))
	return style
}

func (c *Console) kept(w http.ResponseWriter, r *http.Request, id, what string) {
	k, err := c.Desk.Bench.Kept(r.Context(), web.CallerOf(r.Context()), id, what, langOf(r))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	hand(w, k, "attachment")
}

func (c *Console) transcript(w http.ResponseWriter, r *http.Request) {
	c.kept(w, r, r.PathValue("id"), r.PathValue("requirement"))
}

func (c *Console) envelope(w http.ResponseWriter, r *http.Request) {
	c.kept(w, r, r.PathValue("id"), "dsse")
}

func (c *Console) labKeys(w http.ResponseWriter, r *http.Request) { c.kept(w, r, "", "keys") }

// findingPage is one finding.
type findingPage struct {
	api.LabFinding
	Assessor bool
	Retests  []api.LabRun // complete runs of the model that began after it
}

func (c *Console) finding(w http.ResponseWriter, r *http.Request) {
	ctx, who := r.Context(), web.CallerOf(r.Context())
	f, err := c.Desk.Lab.Finding(ctx, who, &api.FindingInput{ID: r.PathValue("id")})
	if err != nil {
		c.fail(w, r, err)
		return
	}
	d := findingPage{LabFinding: f, Assessor: assessors.Allows(who)}
	runs, err := c.Desk.Lab.Runs(ctx, who, &api.LabQuery{Paging: api.Paging{Limit: 50}, Pick: "complete", Model: f.Model})
	if err != nil {
		c.fail(w, r, err)
		return
	}
	for _, x := range runs.Data {
		if x.ID != f.Run {
			d.Retests = append(d.Retests, x)
		}
	}
	v := view{Title: f.ID, Active: "laboratory", Sheets: []string{caseSheet}, Data: d}
	tell(r, &v)
	c.show(w, r, "finding", v)
}

// certificatePage is one certificate.
type certificatePage struct {
	api.LabCertificate
	Assessor bool
	Others   []api.LabCertificate // of the same model: one of them may take its place
}

func (c *Console) certificate(w http.ResponseWriter, r *http.Request) {
	ctx, who := r.Context(), web.CallerOf(r.Context())
	x, err := c.Desk.Lab.Certificate(ctx, who, &api.CertificateInput{ID: r.PathValue("id")})
	if err != nil {
		c.fail(w, r, err)
		return
	}
	d := certificatePage{LabCertificate: x, Assessor: assessors.Allows(who)}
	all, err := c.Desk.Lab.Certificates(ctx, who, &api.LabQuery{Paging: api.Paging{Limit: 50}, Model: x.Subject.Model})
	if err != nil {
		c.fail(w, r, err)
		return
	}
	for _, o := range all.Data {
		if o.ID != x.ID {
			d.Others = append(d.Others, o)
		}
	}
	v := view{Title: x.ID, Active: "laboratory", Sheets: []string{caseSheet}, Data: d}
	tell(r, &v)
	c.show(w, r, "certificate", v)
}

// operationsPage is the requirements of operations and personnel.
type operationsPage struct {
	api.LabOperations
	Count map[string]int
}

func (c *Console) operations(w http.ResponseWriter, r *http.Request) {
	o, err := c.Desk.Bench.Operations(r.Context(), web.CallerOf(r.Context()), false)
	if err != nil {
		c.fail(w, r, err)
		return
	}
	d := operationsPage{o, map[string]int{}}
	for _, x := range o.List {
		d.Count[x.State]++
	}
	v := view{Title: two(r, "Operations and personnel", "运营与人员"), Active: "laboratory", Sheets: []string{caseSheet}, Scripts: []string{"case.js"}, Data: d}
	tell(r, &v)
	c.show(w, r, "operations", v)
}

func (c *Console) operationsAgain(w http.ResponseWriter, r *http.Request) {
	_, err := c.Desk.Bench.Operations(r.Context(), web.CallerOf(r.Context()), true)
	c.carried(w, r, "/laboratory/operations", api.Done{What: two(r, "being looked at", "正在核对")}, err)
}

// subjectParts are the files of the form that starts a run.
var subjectParts = []string{"subject", "package", "maker_keys", "pts_list", "licence_list"}

func (c *Console) startRun(w http.ResponseWriter, r *http.Request) {
	order := api.ExamineOrder{Scope: r.FormValue("scope"), Files: map[string]api.LabUpload{}, Sample: r.FormValue("sample") != "", Model: strings.TrimSpace(r.FormValue("model")),
		Application: strings.TrimSpace(r.FormValue("application")), Flaws: r.Form["flaws"]}
	for _, part := range subjectParts {
		f, head, err := r.FormFile(part)
		if err != nil {
			continue // not sent: what a run lacks it says
		}
		body, err := io.ReadAll(f)
		_ = f.Close()
		if err != nil {
			c.carried(w, r, "/laboratory", api.Done{}, api.Refuse(http.StatusRequestEntityTooLarge, "act_refused", "the files are larger than a run takes"))
			return
		}
		order.Files[part] = api.LabUpload{Name: head.Filename, Body: body}
	}
	if r.MultipartForm != nil {
		defer func() { _ = r.MultipartForm.RemoveAll() }()
	}
	done, err := c.Desk.Bench.Examine(r.Context(), web.CallerOf(r.Context()), order)
	to := "/laboratory"
	if run := done.Facts["run"]; run != "" {
		to = "/laboratory/runs/" + run
	}
	c.carried(w, r, to, done, err)
}

func (c *Console) continueRun(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if r.FormValue("finish") != "" {
		c.carry(w, r, "/laboratory/runs/"+url.PathEscape(id), "lab", map[string]string{"finish": id})
		return
	}
	done, err := c.Desk.Bench.Continue(r.Context(), web.CallerOf(r.Context()), id, r.FormValue("scope"))
	c.carried(w, r, "/laboratory/runs/"+url.PathEscape(id), done, err)
}

func (c *Console) issueCertificate(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	c.carry(w, r, "/laboratory/runs/"+url.PathEscape(id), "lab", map[string]string{"issue": id})
}

func (c *Console) advanceFinding(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	step := map[string]any{"id": id, "to": r.FormValue("to"), "text": strings.TrimSpace(r.FormValue("text")), "version": strings.TrimSpace(r.FormValue("version")), "run": r.FormValue("run")}
	if days, err := strconv.Atoi(r.FormValue("days")); err == nil {
		step["days"] = days
	}
	c.carry(w, r, "/laboratory/findings/"+url.PathEscape(id), "lab", map[string]any{"finding": step})
}

func (c *Console) changeCertificate(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	step := map[string]any{"id": id, "to": r.FormValue("to"), "reason": strings.TrimSpace(r.FormValue("reason"))}
	if step["to"] == "superseded" {
		step["successor"] = r.FormValue("successor")
	}
	c.carry(w, r, "/laboratory/certificates/"+url.PathEscape(id), "lab", map[string]any{"certificate": step})
}

// scopeLife is how long a scope lasts where the form says nothing else, and its rate.
const (
	scopeHours = 2
	scopeRate  = 200
)

func (c *Console) signScope(w http.ResponseWriter, r *http.Request) {
	hours, err := strconv.Atoi(r.FormValue("hours"))
	if err != nil {
		hours = scopeHours
	}
	rate, err := strconv.Atoi(r.FormValue("rate"))
	if err != nil {
		rate = scopeRate
	}
	now := time.Now()
	c.carry(w, r, "/laboratory?tab=plan", "lab", map[string]any{"scope": map[string]any{"targets": words(r.FormValue("targets")), "from": now.Add(-time.Minute),
		"until": now.Add(time.Duration(hours) * time.Hour), "rate": rate}})
}

func (c *Console) stopScope(w http.ResponseWriter, r *http.Request) {
	c.carry(w, r, "/laboratory?tab=plan", "lab", map[string]string{"stop": r.PathValue("id")})
}
