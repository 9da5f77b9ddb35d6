package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"touchstone/incident"
	"touchstone/pos"
	"touchstone/redress"
	"touchstone/staff"
	"touchstone/terminal"
	"touchstone/web"
	"touchstone/web/api"
	"touchstone/web/console"
)

// caseRig is a host of the sample world with its console, and an incident whose consumers have claims.
type caseRig struct {
	*canaryRig
	router  *web.Router
	caller  *web.Caller // who sends requests; nil for nobody
	inc     string
	report  string
	claims  []string
	sales   []pos.Amount
	contact string
}

// newCaseRig sells twice at one terminal, opens an incident on it, freezes the sales, and takes two claims and a report
// with a photograph down.
func newCaseRig(t *testing.T) *caseRig {
	t.Helper()
	if testing.Short() {
		t.Skip("a whole host")
	}
	r := &caseRig{canaryRig: newCanaryRig(t, rigOptions{change: func(o *engineOptions) { o.withoutView = false }})}
	r.e.bench.host.targets = []string{r.addr, r.tls}
	r.router = web.NewRouter(r.e.log)
	r.router.Identify = func(*http.Request) (*web.Caller, error) { return r.caller, nil }
	d := newDesk(r.e)
	if _, err := console.New(r.router, console.Options{Desk: d, Door: &desk{r.e}, Sessions: web.NewSessions(), Zone: r.e.line.Zone, Test: true, Version: "test", Log: r.e.log}); err != nil {
		t.Fatal(err)
	}
	api.New(r.router, "test").Mount(d)
	r.sell(t)
	r.seedCase(t)
	return r
}

func (r *caseRig) sell(t *testing.T) {
	t.Helper()
	card, err := cardOf(cards()[7])
	if err != nil {
		t.Fatal(err)
	}
	defer card.Wipe()
	x := r.shopTerminal(t, staffTerminals()[0], time.Now)
	for _, amount := range []pos.Amount{8800, 4200} {
		if res, err := x.Sale(t.Context(), card, amount); err != nil || !res.Approved {
			t.Fatalf("sale %v, %v", res.DE39, err)
		}
		r.sales = append(r.sales, amount)
	}
	refused, err := x.Misbehave(t.Context(), terminal.WrongSerialCipher, card, 1850)
	if err != nil || refused.Approved {
		t.Fatalf("refused %v, %v", refused.DE39, err)
	}
}

func (r *caseRig) seedCase(t *testing.T) {
	t.Helper()
	id := staffTerminals()[0].id.String()
	opened := r.act(t, "qian", "incident", incidentChange{Op: incidentOpen, Title: incident.Text{EN: "a test", ZH: "测试"}, Kind: "attached_device", Severity: "major",
		Scope: &incident.Scope{Terminals: []string{id}, From: r.e.clock().Add(-time.Hour)}})
	r.inc = opened.Facts["incident"]
	r.act(t, "chen", "exposure", exposureChange{redress.Scope{Incident: r.inc}})
	last4 := cards()[7].pan()
	for _, amount := range r.sales {
		told, err := r.e.apply(t.Context(), change{Claim: &claimChange{Date: pos.Date(must(parseDay(r.e.clock(), r.e.line.Zone))), Amount: amount, Last4: last4[len(last4)-4:], Terminal: id, Incident: r.inc, Reason: "my words <b>alone</b>"}})
		if err != nil {
			t.Fatal(err)
		}
		r.claims = append(r.claims, told.Facts["claim"])
	}
	photo, contact := filepath.Join(t.TempDir(), "p.jpg"), filepath.Join(t.TempDir(), "c.txt")
	r.contact = "Ms He 13800000000"
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewRGBA(image.Rect(0, 0, 40, 30)), nil); err != nil {
		t.Fatal(err)
	}
	// A comment segment, as a camera writes where it was: FF FE, its length, the text.
	taken := append(append(bytes.Clone(b.Bytes()[:2]), 0xFF, 0xFE, 0, 22), "GPS 31.2304 121.4737"...)
	taken = append(taken, b.Bytes()[2:]...)
	for path, content := range map[string][]byte{photo: taken, contact: []byte(r.contact)} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	told, err := r.e.apply(t.Context(), change{Report: &reportChange{Kind: "skimmer", Terminal: id, Text: "what I saw", Photos: []string{photo}, Contact: contact}})
	if err != nil {
		t.Fatal(err)
	}
	r.report = told.Facts["report"]
}

func parseDay(at pos.Instant, zone *time.Location) (int, error) {
	day := at.Time().In(zone)
	return day.Year()*10000 + int(day.Month())*100 + day.Day(), nil
}

func (r *caseRig) as(name string) *caseRig {
	r.caller = nil
	if name != "" {
		r.caller = person(name)
		r.caller.Token = "token of " + name
		r.caller.Lang = "en"
	}
	return r
}

func (r *caseRig) act(t *testing.T, who, name string, body any) api.Done {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	done, err := (&desk{r.e}).Act(t.Context(), person(who), name, raw)
	if err != nil {
		t.Fatalf("%s by %s: %v", name, who, err)
	}
	return done
}

func (r *caseRig) get(path string) *httptest.ResponseRecorder {
	return untilCounted(r.router, httptest.NewRequest(http.MethodGet, path, nil))
}

// post sends a form as a browser does, and follows to the page that says how it went.
func (r *caseRig) post(t *testing.T, path string, form url.Values) string {
	t.Helper()
	if form == nil {
		form = url.Values{}
	}
	form.Set(web.TokenField, r.caller.Token)
	q := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	r.router.ServeHTTP(w, q)
	if w.Code != http.StatusSeeOther {
		t.Fatalf("POST %s: %d %s", path, w.Code, w.Body)
	}
	to, _, _ := strings.Cut(w.Header().Get("Location"), "#")
	page := r.get(to)
	if page.Code != http.StatusOK {
		t.Fatalf("GET %s: %d", to, page.Code)
	}
	return page.Body.String()
}

func (r *caseRig) json(t *testing.T, path string, to any) {
	t.Helper()
	w := r.get(path)
	if w.Code != http.StatusOK {
		t.Fatalf("GET %s: %d %s", path, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), to); err != nil {
		t.Fatalf("GET %s: %v", path, err)
	}
}

// TestCasePages: each page and read of this part, by each role and by nobody.
func TestCasePages(t *testing.T) {
	r := newCaseRig(t)
	shop := sampleMerchant(1)
	people := map[string]*web.Caller{"nobody": nil, "merchant": {Account: "shop", Roles: []staff.Role{staff.Merchant}, Shop: shop, Via: web.BySession, Token: "x"}}
	for _, name := range []string{"zhao", "qian", "chen", "li", "wu", "feng"} {
		people[name] = person(name)
		people[name].Token = name
	}
	everybody := "zhao qian chen li wu feng"
	for _, c := range []struct{ path, may string }{
		{"/incidents", everybody}, {"/incidents?state=&sort=newest&drills=1&terminal=00000011", everybody}, {"/incidents/" + r.inc, everybody},
		{"/incidents/" + r.inc + "/exposed", "qian chen feng"}, {"/claims", "qian chen feng"}, {"/claims?state=decided", "qian chen feng"}, {"/claims/" + r.claims[0], "qian chen feng"},
		{"/reports", "qian chen li feng"}, {"/reports/" + r.report, "qian chen li feng"}, {"/reports/" + r.report + "/photographs/1", "qian chen"}, {"/reports/" + r.report + "/contact", "qian chen"},
		{"/notices", "zhao qian chen feng"}, {"/laboratory", everybody}, {"/laboratory?tab=findings", everybody}, {"/laboratory?tab=certificates", everybody}, {"/laboratory?tab=plan", everybody},
		{"/laboratory/operations", everybody}, {"/api/v1/incidents", everybody}, {"/api/v1/incidents/" + r.inc, everybody}, {"/api/v1/incident-terms", everybody},
		{"/api/v1/claims", "qian chen feng"}, {"/api/v1/claims/" + r.claims[1], "qian chen feng"}, {"/api/v1/reports", "qian chen li feng"}, {"/api/v1/reports/" + r.report, "qian chen li feng"},
		{"/api/v1/notices", "zhao qian chen feng"}, {"/api/v1/money", everybody}, {"/api/v1/money?incident=" + r.inc, everybody}, {"/api/v1/exposures", "qian chen feng"},
		{"/api/v1/exposures/EXP-1/sales", "qian chen feng"}, {"/api/v1/runs", everybody}, {"/api/v1/findings", everybody}, {"/api/v1/certificates", everybody},
	} {
		for name, caller := range people {
			r.caller = caller
			w, want := r.get(c.path), http.StatusForbidden
			switch {
			case strings.Contains(" "+c.may+" ", " "+name+" "):
				want = http.StatusOK
			case name == "nobody" && strings.HasPrefix(c.path, "/api/"):
				want = http.StatusUnauthorized
			case name == "nobody":
				want = http.StatusSeeOther
			}
			if w.Code != want {
				t.Errorf("%s as %s: %d, want %d", c.path, name, w.Code, want)
			}
			if text := w.Body.String(); strings.Contains(text, "%!") || strings.Contains(text, "<no value>") || !strings.HasPrefix(c.path, "/api/") && strings.Contains(text, "<b>alone</b>") || strings.Contains(text, cards()[7].pan()) {
				t.Errorf("%s as %s: a broken text, or what must not be there", c.path, name)
			}
		}
	}
	r.as("chen").caller.Lang = "zh"
	for _, path := range []string{"/incidents", "/incidents/" + r.inc, "/claims", "/claims/" + r.claims[0], "/reports/" + r.report, "/notices", "/laboratory", "/laboratory?tab=plan"} {
		if w := r.get(path); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `lang="zh-CN"`) || strings.Contains(w.Body.String(), "%!") {
			t.Errorf("%s in Chinese: %d", path, w.Code)
		}
	}
	none := r.get("/api/v1/claims/CLM-1-AAAAAAAAAAAA").Body.String()
	if wrong := r.get("/api/v1/claims/CLM-99-AAAAAAAAAAAA").Body.String(); wrong != none || !strings.Contains(none, "not_found") {
		t.Errorf("a wrong suffix is told %q, a wrong number %q", none, wrong)
	}
}

// TestWhatConsumersSay: what a consumer said, a photograph and a contact are for those who work on it; an auditor sees that
// they exist. The contact is handed over as it is kept, and of a photograph nothing is left but its pixels.
func TestWhatConsumersSay(t *testing.T) {
	r := newCaseRig(t)
	for name, sees := range map[string]bool{"chen": true, "qian": true, "feng": false} {
		var claim api.ClaimWhole
		var report api.Report
		r.as(name).json(t, "/api/v1/claims/"+r.claims[0], &claim)
		r.json(t, "/api/v1/reports/"+r.report, &report)
		if (claim.Said != "") != sees || !claim.HasSaid || (report.Text != "") != sees || report.TextBytes != len("what I saw") || (report.Contact != "") != sees || !report.HasContact || len(report.Photographs) != 1 {
			t.Errorf("%s: claim %+v, report %+v", name, claim.Claim, report)
		}
		page := r.get("/reports/" + r.report).Body.String()
		if strings.Contains(page, "what I saw") != sees || strings.Contains(page, r.contact) {
			t.Errorf("%s: the page of the report", name)
		}
	}
	w := r.as("chen").get("/reports/" + r.report + "/photographs/1")
	h := w.Header()
	if h.Get("Content-Type") != "image/jpeg" || h.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(h.Get("Content-Disposition"), `inline; filename="RPT-1-`) || h.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", h)
	}
	if bytes.Contains(w.Body.Bytes(), []byte("GPS")) {
		t.Error("what the camera wrote is handed on")
	}
	if shape, _, err := image.DecodeConfig(w.Body); err != nil || shape.Width != 40 || shape.Height != 30 {
		t.Errorf("%+v, %v", shape, err)
	}
	for _, n := range []string{"0", "2", "x", "-1"} {
		if w := r.get("/reports/" + r.report + "/photographs/" + n); w.Code != http.StatusNotFound {
			t.Errorf("photograph %s: %d", n, w.Code)
		}
	}
	sealed := r.get("/reports/" + r.report + "/contact")
	if !strings.HasPrefix(sealed.Body.String(), "age-encryption.org/") || !strings.HasPrefix(sealed.Header().Get("Content-Disposition"), "attachment") {
		t.Errorf("the contact: %q", sealed.Body)
	}
	if page := r.post(t, "/reports/"+r.report+"/join", url.Values{"incident": {r.inc}}); !strings.Contains(page, "report joined") || !strings.Contains(page, "/incidents/"+r.inc) {
		t.Error("the report is attached to no incident")
	}
}

// TestClaimDecidedByTwo: one person proposes, the same one cannot approve, another approves, and the money is there: on the
// pages, in the interface and as touchstone money computes it from the journal, to the fen.
func TestClaimDecidedByTwo(t *testing.T) {
	r := newCaseRig(t)
	claim := "/claims/" + r.claims[0]
	page := r.as("chen").post(t, claim+"/decide", url.Values{"word": {"approve"}, "refund": {"88"}, "compensation": {"20.5"}, "payer": {"maker"}, "why": {"the trouble"}})
	proposal := regexp.MustCompile(`PRP-[0-9]+`).FindString(page)
	if proposal == "" || !strings.Contains(page, "You proposed it") || strings.Contains(page, "Approve: it is paid at once") {
		t.Fatalf("after the proposal, to who proposed: %q", proposal)
	}
	if page := r.post(t, claim+"/proposal", url.Values{"proposal": {proposal}, "word": {"approve"}}); !strings.Contains(page, `class="failed"`) {
		t.Error("who proposed approves")
	}
	r.as("wang")
	if list := r.get("/claims").Body.String(); !strings.Contains(list, proposal+" waits for a second person") {
		t.Error("the queue does not say that a decision waits")
	}
	if page = r.post(t, claim+"/proposal", url.Values{"proposal": {proposal}, "word": {"approve"}}); !strings.Contains(page, "paid 108.50") && !strings.Contains(page, "88.00 paid") {
		t.Errorf("after the approval: %s", toldOn(page))
	}
	var shown api.ClaimWhole
	r.json(t, "/api/v1"+claim, &shown)
	if shown.State != "paid" || shown.Paid != 10850 || len(shown.Parts) != 2 || shown.Parts[0].State != "paid" || !strings.HasPrefix(shown.Parts[0].Entry, "txn_") || strings.Join(shown.Decided, " ") != "chen wang" {
		t.Errorf("%+v", shown)
	}
	r.as("chen").post(t, "/claims/"+r.claims[1]+"/decide", url.Values{"word": {"refuse"}, "why": {"the goods came back"}})
	r.json(t, "/api/v1/claims/"+r.claims[1], &shown)
	if shown.Pending == "" || shown.Pending == proposal || len(shown.Proposals) != 1 || shown.Proposals[0].Approve {
		t.Errorf("the refusal waits as %+v", shown.Proposals)
	}
	r.as("wang").post(t, "/claims/"+r.claims[1]+"/proposal", url.Values{"proposal": {shown.Pending}, "word": {"approve"}})
	for _, incident := range []string{"", r.inc} {
		checkMoney(t, r, incident)
	}
	if page := r.get("/incidents/" + r.inc).Body.String(); !strings.Contains(page, "108.50") || !strings.Contains(page, "reconciles to the cent") {
		t.Error("the incident's page says nothing of the money")
	}
}

// checkMoney holds the interface's money against touchstone money's, and waits until the journal was read for it too.
func checkMoney(t *testing.T, r *caseRig, of string) {
	t.Helper()
	want, err := moneyOf(t.Context(), r.e.store.Reader, of)
	if err != nil {
		t.Fatal(err)
	}
	shown := moneyShown(want)
	var got api.Money
	for until := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		r.json(t, "/api/v1/money?incident="+of, &got)
		if got.Audited != nil && got.Audited.Current || time.Now().After(until) {
			break
		}
	}
	if !sameMoney(&got, &shown) || fmt.Sprint(got.ByPayer) != fmt.Sprint(shown.ByPayer) || !got.Reconciles || got.Claims != 2 || got.Claimed != 13000 || got.Out != 10850 || got.Refused != 1 {
		t.Errorf("money of %q: %+v, touchstone money says %+v", of, got, want)
	}
	if got.Audited == nil || !got.Audited.Current || !got.Audited.Reconciles {
		t.Errorf("the journal was not read, or says otherwise: %+v", got.Audited)
	}
}

// toldOn is what a page says of the last act.
func toldOn(page string) string {
	return regexp.MustCompile(`(?s)<p class="(?:told|failed)".*?</p>`).FindString(page)
}

// TestToldOnlyWhatWasSent: a page repeats how an act went, and nothing that somebody else wrote into a link.
func TestToldOnlyWhatWasSent(t *testing.T) {
	r := newCaseRig(t)
	r.as("chen")
	if page := r.get("/claims?told=call+this+number&seal=00").Body.String(); strings.Contains(page, "call this number") {
		t.Error("a foreign text stands on the page")
	}
	page := r.post(t, "/incidents/"+r.inc+"/note", url.Values{"text": {"looked at the slot"}, "entries": {"txn_1 2"}})
	if !strings.Contains(toldOn(page), "incident noted") || !strings.Contains(page, "looked at the slot") {
		t.Errorf("after a note: %s", toldOn(page))
	}
	for path, form := range map[string]url.Values{
		"/incidents/" + r.inc + "/note":      {"text": {"card " + cards()[7].pan()}},
		"/incidents/" + r.inc + "/answer":    {"clock": {"contain"}},
		"/incidents/" + r.inc + "/cause":     {"text": {"x"}, "entries": {"nonsense"}},
		"/claims/" + r.claims[0] + "/decide": {"word": {"approve"}, "refund": {"eleven"}},
		"/claims/new":                        {"date": {"2026-13-40"}, "amount": {"1"}},
		"/notices/retry":                     {},
		"/reports/" + r.report + "/dismiss":  {"text": {""}},
		"/incidents/" + r.inc + "/send":      {"set": {"0000"}},
	} {
		if page := r.post(t, path, form); !strings.Contains(page, `class="failed"`) && !strings.Contains(toldOn(page), "Proposal") {
			t.Errorf("%s: %s", path, toldOn(page))
		}
	}
}

// TestIncidentThen: the interface tells how an incident stood before the last act.
func TestIncidentThen(t *testing.T) {
	r := newCaseRig(t)
	before := r.e.clock()
	r.act(t, "qian", "incident", incidentChange{Op: incidentAssign, ID: r.inc, Owner: "sun"})
	var now, then api.IncidentWhole
	r.as("feng").json(t, "/api/v1/incidents/"+r.inc, &now)
	r.json(t, "/api/v1/incidents/"+r.inc+"?as_of="+url.QueryEscape(before.Time().Format(time.RFC3339Nano)), &then)
	if now.Owner != "sun" || then.Owner != "qian" || len(then.Timeline) != len(now.Timeline)-1 {
		t.Errorf("now %s of %q with %d steps, then %s of %q with %d", now.State, now.Owner, len(now.Timeline), then.State, then.Owner, len(then.Timeline))
	}
	var page api.Page[api.Incident]
	r.json(t, "/api/v1/incidents?state=working&as_of="+url.QueryEscape(before.Time().Format(time.RFC3339Nano)), &page)
	if len(page.Data) != 1 || page.Data[0].ID != r.inc || page.Data[0].Owner != "qian" {
		t.Errorf("then %+v", page.Data)
	}
	for path, code := range map[string]int{"/api/v1/incidents?as_of=yesterday": 400, "/api/v1/incidents?as_of=1999-01-01": 400, "/api/v1/incidents/INC-99": 404, "/api/v1/money?incident=INC-99": 404, "/api/v1/incidents?limit=0": 400, "/api/v1/incidents?nonsense=1": 400} {
		if w := r.get(path); w.Code != code {
			t.Errorf("%s: %d, want %d", path, w.Code, code)
		}
	}
}

// TestLaboratoryFromTheConsole: a security officer signs a scope, an assessor sends a subject and the host examines it; two
// assessors sign; the envelope verifies with the commands of the program and no data directory. A bad one opens a finding.
func TestLaboratoryFromTheConsole(t *testing.T) {
	r := newCaseRig(t)
	r.as("qian").post(t, "/laboratory/scopes", url.Values{"targets": {r.addr + " " + r.tls}, "hours": {"1"}, "rate": {"1000"}})
	if w := r.as("qian").get("/laboratory"); strings.Contains(w.Body.String(), "Start a run") {
		t.Error("a security officer is shown how to start a run")
	}
	r.as("wu").post(t, "/laboratory/runs", url.Values{"sample": {"1"}, "scope": {"SCP-1"}, "model": {"Sample S10"}, "application": {sampleApp}})
	r.awaitRun(t, "RUN-1")
	page := r.post(t, "/laboratory/runs/RUN-1/certificate", nil)
	proposal := regexp.MustCompile(`PRP-[0-9]+`).FindString(toldOn(page))
	r.act(t, "zheng", "approve", approveChange{ID: proposal})
	var run api.LabRunWhole
	r.json(t, "/api/v1/runs/RUN-1", &run)
	if run.State != "complete" || run.Done != run.Of || run.Outcome != "issuable" || run.Certificate != "CRT-1" || len(run.Axes) != 3 || run.Axes[1].Verdict != "pass" {
		t.Errorf("%+v", run.LabRun)
	}
	dir := t.TempDir()
	for name, path := range map[string]string{"crt-1.json": "/laboratory/certificates/CRT-1/envelope", "laboratory.pem": "/laboratory/keys"} {
		w := r.get(path)
		if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Disposition"), `attachment; filename="`+name) {
			t.Fatalf("%s: %d %s", path, w.Code, w.Header().Get("Content-Disposition"))
		}
		if err := os.WriteFile(filepath.Join(dir, name), w.Body.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := (&scVerify{File: filepath.Join(dir, "crt-1.json"), Keys: filepath.Join(dir, "laboratory.pem"), Lang: "en"}).Run(&app{ctx: t.Context(), stdout: io.Discard}); err != nil {
		t.Errorf("the envelope does not verify: %v", err)
	}
	report := r.get("/laboratory/runs/RUN-1/report?lang=zh")
	if !strings.Contains(report.Body.String(), "检测报告") || !strings.Contains(report.Header().Get("Content-Security-Policy"), "style-src 'sha256-") {
		t.Errorf("the report: %s", report.Header())
	}
	r.post(t, "/laboratory/runs", url.Values{"sample": {"1"}, "scope": {"SCP-1"}, "model": {badModel}, "application": {"1.0.1"}, "flaws": {"secret"}})
	r.awaitRun(t, "RUN-2")
	r.post(t, "/laboratory/findings/FND-1/advance", url.Values{"to": {"answered"}, "text": {"a key was left there"}})
	var finding api.LabFinding
	r.json(t, "/api/v1/findings/FND-1", &finding)
	if finding.State != "answered" || finding.Severity != "critical" || strings.Join(finding.Next, " ") != "answered fixed" {
		t.Errorf("%+v", finding)
	}
	if page := r.post(t, "/laboratory/runs", url.Values{"sample": {"1"}, "scope": {"SCP-9"}}); !strings.Contains(page, `class="failed"`) {
		t.Error("a run under no scope begins")
	}
	r.post(t, "/laboratory/certificates/CRT-1/change", url.Values{"to": {"suspended"}, "reason": {"a test"}})
	for _, path := range []string{"/laboratory", "/laboratory/runs/RUN-2", "/laboratory/findings/FND-1", "/laboratory/certificates/CRT-1", "/laboratory?tab=findings&state=answered", "/laboratory?tab=certificates&state=valid", "/laboratory/runs/RUN-1/transcripts/POSC-DT-16"} {
		if w := r.get(path); w.Code != http.StatusOK || strings.Contains(w.Body.String(), "%!") {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func (r *caseRig) awaitRun(t *testing.T, id string) {
	t.Helper()
	var run api.LabRunWhole
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if r.json(t, "/api/v1/runs/"+id, &run); run.State == "complete" {
			return
		}
		if run.Halted != "" {
			t.Fatalf("%s stopped: %s", id, run.Halted)
		}
	}
	t.Fatalf("%s: %d of %d after a minute", id, run.Done, run.Of)
}

// FuzzSubjectSent: a subject that a browser sends is read or refused, names no file of this machine, and reads again as
// what was kept.
func FuzzSubjectSent(f *testing.F) {
	for _, seed := range []string{"", "maker = \"a\"\nmodel = \"b\"\npackage = \"../../etc/passwd\"\n", "maker = 1", "unknown = \"x\"", "[[maker]]", strings.Repeat("#", 70000)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		if err := writeSubject(dir, map[string]api.LabUpload{"subject": {Body: text}, "package": {Body: []byte("x")}}); err != nil {
			return
		}
		kept, err := os.ReadFile(filepath.Join(dir, subjectName))
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseSubject(kept)
		if err != nil || again.Package != "package.zip" || again.MakerKeys+again.PTSList+again.LicenceList != "" {
			t.Errorf("%q is kept as %q: %v", text, kept, err)
		}
	})
}
