package lab_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"touchstone/journal"
	"touchstone/lab"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/staff"
)

const (
	day     = pos.Instant(24 * time.Hour)
	now     = pos.Instant(1_795_000_000_000_000_000)
	maker   = "Sample Maker"
	labName = "Sample Laboratory"
	shop    = "Sample Acquirer"
)

var digest = strings.Repeat("a", 64)

// world is the room and its people.
type world struct {
	t *testing.T
	s *lab.State
	p *staff.State
	c *lab.Catalogue
	f *lab.Profile
	n uint64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	c, err := lab.LoadCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	f, err := lab.LoadProfile(c)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, s: lab.NewState(), p: staff.NewState(), c: c, f: f}
	for _, a := range []staff.Account{
		{Name: "qian", FullName: "Qian", Person: "1", Organisation: shop, Roles: []staff.Role{staff.Security}},
		{Name: "wu", FullName: "Wu", Person: "2", Organisation: labName, Roles: []staff.Role{staff.Assessor}},
		{Name: "zheng", FullName: "Zheng", Person: "3", Organisation: labName, Roles: []staff.Role{staff.Assessor}},
		{Name: "zheng.2", FullName: "Zheng", Person: "3", Organisation: labName, Roles: []staff.Role{staff.Assessor}},
		{Name: "makers", FullName: "M", Person: "4", Organisation: "  SAMPLE maker.", Roles: []staff.Role{staff.Assessor}},
		{Name: "inside", FullName: "I", Person: "5", Organisation: shop, Roles: []staff.Role{staff.Assessor}},
	} {
		change, err := journal.NewChange(staff.NounAccount, a.Name, a)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.p.Fold(1, change); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// take folds what a rule decided, twice, for a fold is idempotent.
func (w *world) take(drafts []journal.Draft, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	w.n++
	for range 2 {
		for _, d := range drafts {
			if err := d.Act.Check(); err != nil {
				w.t.Fatal(err)
			}
			for _, c := range d.Act.Changes {
				if err := w.s.Fold(w.n, c); err != nil {
					w.t.Fatal(err)
				}
			}
		}
	}
}

// refused wants a refusal that says something and changes nothing.
func (w *world) refused(what string, drafts []journal.Draft, err error, words string) {
	w.t.Helper()
	var r *journal.Refusal
	if len(drafts) != 0 || !errors.As(err, &r) || !errors.Is(err, lab.ErrLab) || !strings.Contains(r.Why, words) {
		w.t.Errorf("%s: got %v, want a refusal with %q", what, err, words)
	}
}

func (w *world) scope() {
	w.t.Helper()
	w.take(lab.SignScope(w.s, &lab.Scope{ID: w.s.NextScope(), Targets: []string{"a:1", "b:2"}, From: now - day, Until: now + day, Rate: 10, By: "qian", Key: "k", Signature: []byte{1}}, "qian", now))
}

func subject(application string) lab.Subject {
	return lab.Subject{Maker: maker, Model: "S10", Hardware: "1.02", Firmware: "2.1.0", Application: application, HardwarePattern: "*", FirmwarePattern: "2.1.x", ApplicationPattern: "1.0.x"}
}

func (w *world) start(operator, application string) *lab.Run {
	w.t.Helper()
	r := &lab.Run{Subject: subject(application), SubjectFile: "/s", InputsDigest: digest, Scope: "SCP-1", TCP: "a:1", TLS: "b:2", Operator: operator}
	w.take(lab.Start(w.s, w.p, w.c, w.f, r, now))
	return r
}

// run is a complete run in which everything passes but what verdicts says.
func (w *world) run(operator, application string, verdicts map[string]lab.Verdict) *lab.Run {
	w.t.Helper()
	r := w.start(operator, application)
	for _, k := range w.f.Checks {
		v, ok := verdicts[k.Requirement]
		if !ok {
			v = lab.Pass
		}
		w.take(lab.Observe(w.s, w.c, w.f, w.result(r, k, v), now))
	}
	w.take(lab.Finish(w.s, w.f, r.ID, operator, now))
	return r
}

func (w *world) result(r *lab.Run, k lab.ProfileCheck, v lab.Verdict) *lab.Observation {
	return &lab.Observation{Run: r.ID, Requirement: k.Requirement, Check: k.Check, Version: k.Version, Verdict: v, Inputs: digest, Transcript: digest, Start: now, End: now, Operator: r.Operator}
}

// issue registers the certificate of a run.
func (w *world) issue(run string, at pos.Instant) *lab.Certificate {
	w.t.Helper()
	x, err := lab.Draft(w.s, w.c, w.f, run, []string{"wu", "zheng"}, at)
	if err != nil {
		w.t.Fatal(err)
	}
	x.Signers, x.Report, x.Envelope = []lab.Signer{{Key: "1"}, {Key: "2"}}, digest, digest
	w.take(lab.Issue(w.s, x, "PRP-1"))
	return x
}

// TestCatalogueAgreesWithTheTable: the counts of the catalogue are those of the page that people read.
func TestCatalogueAgreesWithTheTable(t *testing.T) {
	c, err := lab.LoadCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.Open("../docs/operating/laboratory.md")
	if err != nil {
		t.Fatal(err)
	}
	defer page.Close()
	want := map[string]int{}
	for _, r := range c.Requirements {
		want[r.Area+"/"+r.Method]++
		want[r.Area+"/total"]++
		want["severity/"+string(r.Severity)]++
		want["all/"+r.Method]++
		want["all/total"]++
	}
	methods := []string{"AUTO-NET", "AUTO-PROTOCOL", "AUTO-PACKAGE", "AUTO-DATA", "EVIDENCE", "total"}
	seen := 0
	for lines := bufio.NewScanner(page); lines.Scan(); {
		cells := strings.Split(strings.Trim(lines.Text(), "| "), "|")
		for i := range cells {
			cells[i] = strings.Trim(strings.TrimSpace(cells[i]), "*")
		}
		number := func(i int) int { n, _ := strconv.Atoi(cells[i]); return n }
		switch {
		case len(cells) == 7 && (slices.Contains(lab.Areas[:], cells[0]) || cells[0] == "all"):
			seen++
			for i, m := range methods {
				if got := number(i + 1); got != want[cells[0]+"/"+m] {
					t.Errorf("%s, %s: the page says %d, the catalogue has %d", cells[0], m, got, want[cells[0]+"/"+m])
				}
			}
		case len(cells) == 2 && slices.Contains(lab.Severities[:], lab.Severity(cells[0])):
			seen++
			if got := number(1); got != want["severity/"+cells[0]] {
				t.Errorf("severity %s: the page says %d, the catalogue has %d", cells[0], got, want["severity/"+cells[0]])
			}
		}
	}
	if seen != len(lab.Areas)+1+len(lab.Severities) {
		t.Errorf("%d rows of the tables were found", seen)
	}
	if len(c.Requirements) != 153 {
		t.Errorf("%d requirements", len(c.Requirements))
	}
}

// TestCatalogueLoaderRefuses: what is not whole is not loaded.
func TestCatalogueLoaderRefuses(t *testing.T) {
	good := func() map[string]any {
		return map[string]any{"id": "POSC-HW-01", "area": "hardware", "title_en": "t", "title_zh": "t", "method": "AUTO-DATA", "automated": true, "severity": "high",
			"references": []string{"r"}, "reference_confidence": []string{"V"}, "requirement": "r", "procedure": "p", "pass_criterion": "p", "advice": "a", "verdicts": []string{"pass"}}
	}
	zh := []map[string]string{{"id": "POSC-HW-01", "requirement_zh": "要求", "advice_zh": "建议"}}
	load := func(list []map[string]any, words any) error {
		a, _ := json.Marshal(list)
		b, _ := json.Marshal(words)
		_, err := lab.ParseCatalogue(a, b)
		return err
	}
	if err := load([]map[string]any{good()}, zh); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(map[string]any){
		"id":         func(m map[string]any) { m["id"] = "POSC-XX-01" },
		"area":       func(m map[string]any) { m["area"] = "kitchen" },
		"method":     func(m map[string]any) { m["method"] = "AUTO-MAGIC" },
		"automated":  func(m map[string]any) { m["automated"] = false },
		"severity":   func(m map[string]any) { m["severity"] = "grave" },
		"parallel":   func(m map[string]any) { m["reference_confidence"] = []string{"V", "R"} },
		"confidence": func(m map[string]any) { m["reference_confidence"] = []string{"X"} },
		"advice":     func(m map[string]any) { delete(m, "advice") },
		"verdict":    func(m map[string]any) { m["verdicts"] = []string{"perhaps"} },
	} {
		m := good()
		change(m)
		if err := load([]map[string]any{m}, zh); !errors.Is(err, lab.ErrCatalogue) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := load([]map[string]any{good(), good()}, zh); !errors.Is(err, lab.ErrCatalogue) {
		t.Errorf("an id twice: %v", err)
	}
	if err := load([]map[string]any{good()}, []map[string]string{}); !errors.Is(err, lab.ErrCatalogue) {
		t.Errorf("no translation: %v", err)
	}
	if err := load([]map[string]any{good()}, append(zh, map[string]string{"id": "POSC-HW-02"})); !errors.Is(err, lab.ErrCatalogue) {
		t.Errorf("a translation of nothing: %v", err)
	}
}

// TestDecisionRule: severity, verdict and control decide; the score does not.
func TestDecisionRule(t *testing.T) {
	const critical, high, medium = "POSC-HW-01", "POSC-SW-04", "POSC-SW-11"
	for _, c := range []struct {
		name     string
		verdicts map[string]lab.Verdict
		control  int // days, of the failed high one
		want     lab.Outcome
	}{
		{"all pass", nil, 0, lab.Issuable},
		{"critical fails", map[string]lab.Verdict{critical: lab.Fail}, 0, lab.Refused},
		{"critical inconclusive", map[string]lab.Verdict{critical: lab.Inconclusive}, 0, lab.Blocked},
		{"critical not tested", map[string]lab.Verdict{critical: lab.NotTested}, 0, lab.Blocked},
		{"high fails, no control", map[string]lab.Verdict{high: lab.Fail}, 0, lab.Refused},
		{"high fails, 90 days of control", map[string]lab.Verdict{high: lab.Fail}, 90, lab.Conditional},
		{"high inconclusive", map[string]lab.Verdict{high: lab.Inconclusive}, 0, lab.Issuable},
		{"medium fails", map[string]lab.Verdict{medium: lab.Fail}, 0, lab.Issuable},
		{"refusal comes before blocking", map[string]lab.Verdict{critical: lab.Inconclusive, high: lab.Fail}, 0, lab.Refused},
	} {
		w := newWorld(t)
		w.scope()
		r := w.run("wu", "1.0.0", c.verdicts)
		if c.control > 0 {
			w.take(lab.Advance(w.s, lab.FindingStep{ID: "FND-1", To: lab.Accepted, Text: "watched by hand", Days: c.control}, []string{"wu", "zheng"}, "", now))
		}
		d := lab.Decide(w.c, w.f, w.s, r.ID, now)
		if d.Outcome != c.want {
			t.Errorf("%s: %s, want %s", c.name, d.Outcome, c.want)
		}
		if full := d.Score == 100; full != (len(c.verdicts) == 0) {
			t.Errorf("%s: score %d", c.name, d.Score)
		}
		if c.want == lab.Conditional {
			if later := lab.Decide(w.c, w.f, w.s, r.ID, now+90*day); later.Outcome != lab.Refused {
				t.Errorf("%s: 90 days later %s", c.name, later.Outcome)
			}
			if x := w.issue(r.ID, now); x.Expires != now+90*day || len(x.Conditions) == 0 {
				t.Errorf("%s: the certificate ends at %d with %v", c.name, (x.Expires-now)/day, x.Conditions)
			}
		}
		if c.want == lab.Refused || c.want == lab.Blocked {
			_, err := lab.Draft(w.s, w.c, w.f, r.ID, []string{"wu", "zheng"}, now)
			w.refused(c.name, nil, err, string(c.want))
		}
	}
}

// TestARunIsRefused: what a run may not be, and what may not be kept of one.
func TestARunIsRefused(t *testing.T) {
	w := newWorld(t)
	begin := func(change func(*lab.Run)) ([]journal.Draft, error) {
		r := &lab.Run{Subject: subject("1.0.0"), SubjectFile: "/s", InputsDigest: digest, Scope: "SCP-1", TCP: "a:1", TLS: "b:2", Operator: "wu"}
		change(r)
		return lab.Start(w.s, w.p, w.c, w.f, r, now)
	}
	d, err := begin(func(*lab.Run) {})
	w.refused("no scope", d, err, "no scope")
	w.scope()
	d, err = begin(func(r *lab.Run) { r.TCP = "elsewhere:1" })
	w.refused("another target", d, err, "does not name")
	d, err = begin(func(r *lab.Run) { r.Subject.ApplicationPattern = "2.x" })
	w.refused("a pattern of another version", d, err, "pattern")
	d, err = begin(func(r *lab.Run) { r.Operator = "nobody" })
	w.refused("nobody", d, err, "no account")
	r := w.start("wu", "1.0.0")
	k := w.f.Checks[0]
	for name, change := range map[string]func(*lab.Observation){
		"another person's run": func(o *lab.Observation) { o.Operator = "zheng" },
		"another check":        func(o *lab.Observation) { o.Check = "guess" },
		"a later version":      func(o *lab.Observation) { o.Version = 2 },
		"no transcript":        func(o *lab.Observation) { o.Transcript = "" },
		"a person's verdict":   func(o *lab.Observation) { o.Verdict = lab.NotApplicable },
		"ends before it began": func(o *lab.Observation) { o.End = o.Start - 1 },
	} {
		o := w.result(r, k, lab.Pass)
		change(o)
		d, err := lab.Observe(w.s, w.c, w.f, o, now)
		w.refused(name, d, err, "")
	}
	w.take(lab.Observe(w.s, w.c, w.f, w.result(r, k, lab.Inconclusive), now))
	w.take(lab.Observe(w.s, w.c, w.f, w.result(r, k, lab.Pass), now))
	d, err = lab.Observe(w.s, w.c, w.f, w.result(r, k, lab.Fail), now)
	w.refused("a result over a result", d, err, "already")
	d, err = lab.Finish(w.s, w.f, r.ID, "wu", now)
	w.refused("eleven results missing", d, err, "no result")
	d, err = lab.MarkNotApplicable(w.s, w.p, w.f, r.ID, w.f.Checks[1].Requirement, "no such part", "wu", now)
	w.refused("one's own approval", d, err, "another person")
	w.take(lab.MarkNotApplicable(w.s, w.p, w.f, r.ID, w.f.Checks[1].Requirement, "no such part", "zheng", now))
	w.take(lab.StopScope(w.s, "SCP-1", "qian", now))
	if why := w.s.Scope("SCP-1").Allows("a:1", now); !strings.Contains(why, "stopped by qian") {
		t.Errorf("a stopped scope: %q", why)
	}
	d, err = begin(func(*lab.Run) {})
	w.refused("a stopped scope", d, err, "stopped")
}

// TestScopeWindow: before, at and after both ends.
func TestScopeWindow(t *testing.T) {
	s := &lab.Scope{ID: "SCP-1", Targets: []string{"a:1"}, From: 10, Until: 20}
	for at, ok := range map[pos.Instant]bool{9: false, 10: true, 19: true, 20: false} {
		if got := s.Allows("a:1", at) == ""; got != ok {
			t.Errorf("at %d: %v", at, got)
		}
	}
}

// TestScopesAreBounded: each bound of a scope.
func TestScopesAreBounded(t *testing.T) {
	w := newWorld(t)
	for name, change := range map[string]func(*lab.Scope){
		"unsigned":   func(s *lab.Scope) { s.Signature = nil },
		"no target":  func(s *lab.Scope) { s.Targets = nil },
		"17 targets": func(s *lab.Scope) { s.Targets = make([]string, lab.MaxTargets+1) },
		"over":       func(s *lab.Scope) { s.Until = now },
		"backwards":  func(s *lab.Scope) { s.From = s.Until },
		"too long":   func(s *lab.Scope) { s.Until = s.From + 7*day + 1 },
		"no rate":    func(s *lab.Scope) { s.Rate = 0 },
		"too fast":   func(s *lab.Scope) { s.Rate = lab.MaxRate + 1 },
		"a number":   func(s *lab.Scope) { s.ID = "SCP-7" },
	} {
		s := &lab.Scope{ID: w.s.NextScope(), Targets: []string{"a:1"}, From: now, Until: now + day, Rate: 1, By: "qian", Signature: []byte{1}}
		change(s)
		d, err := lab.SignScope(w.s, s, "qian", now)
		w.refused(name, d, err, "")
	}
}

// TestSelfDeclaration: the maker's own people, and the acquirer's, only declare; and it says so in the
// certificate, in the report, and in the fact that permits are made of.
func TestSelfDeclaration(t *testing.T) {
	for operator, want := range map[string]string{"wu": "", "makers": "maker", "inside": "acquirer"} {
		w := newWorld(t)
		w.scope()
		r := w.run(operator, "1.0.0", nil)
		if r.SelfDeclaration != want {
			t.Errorf("%s: %q, want %q", operator, r.SelfDeclaration, want)
		}
		x := w.issue(r.ID, now)
		rep, err := lab.NewReport(w.c, w.f, w.s, r.ID, now)
		if err != nil {
			t.Fatal(err)
		}
		fact := w.s.CertificateFact("S10", "", "1.0.0", now)
		said := []string{x.SelfDeclaration + rep.Notices[len(rep.Notices)-1].EN, fact.Detail}
		for _, text := range said {
			if got := strings.Contains(strings.ToLower(text), "self-declaration") || text == ""; want != "" && !got {
				t.Errorf("%s: it does not say so: %q", operator, text)
			}
		}
		if len(rep.Notices) != 1 && want == "" || !strings.Contains(rep.Notices[0].EN, "no approval by PCI SSC, EMVCo or China UnionPay") {
			t.Errorf("%s: notices %v", operator, rep.Notices)
		}
	}
}

// TestFindingsLive: every step from every state: only those of the page are taken.
func TestFindingsLive(t *testing.T) {
	states := []lab.FindingState{lab.Open, lab.Answered, lab.Fixed, lab.Retested, lab.Closed, lab.Accepted}
	may := map[string]bool{"open answered": true, "answered answered": true, "open fixed": true, "answered fixed": true, "fixed fixed": true,
		"fixed retested": true, "retested closed": true, "open accepted": true, "answered accepted": true}
	for _, from := range states {
		for _, to := range states {
			w := newWorld(t)
			w.scope()
			first := w.run("wu", "1.0.0", map[string]lab.Verdict{"POSC-SW-04": lab.Fail})
			second := w.run("wu", "1.0.3", nil)
			f := *w.s.Finding("FND-1")
			if f.Run != first.ID {
				t.Fatal("the finding is of another run")
			}
			f.State, f.Version = from, "1.0.3"
			c, _ := journal.NewChange(lab.NounFinding, f.ID, f)
			if err := w.s.Fold(99, c); err != nil {
				t.Fatal(err)
			}
			_, err := lab.Advance(w.s, lab.FindingStep{ID: "FND-1", To: to, Text: "words", Version: "1.0.3", Run: second.ID, Days: 30}, []string{"wu", "zheng"}, "", now)
			if got := err == nil; got != may[string(from)+" "+string(to)] {
				t.Errorf("%s to %s: %v", from, to, err)
			}
		}
	}
}

// TestFindingsRefuse: a retest of another version, one that fails, a critical one accepted, 91 days.
func TestFindingsRefuse(t *testing.T) {
	w := newWorld(t)
	w.scope()
	w.run("wu", "1.0.0", map[string]lab.Verdict{"POSC-SW-13": lab.Fail, "POSC-SW-04": lab.Fail})
	again := w.run("wu", "1.0.2", map[string]lab.Verdict{"POSC-SW-13": lab.Fail})
	step := func(s lab.FindingStep) ([]journal.Draft, error) { return lab.Advance(w.s, s, []string{"wu"}, "", now) }
	critical, high := "FND-2", "FND-1"
	if w.s.Finding(critical).Severity != lab.Critical {
		critical, high = high, critical
	}
	d, err := step(lab.FindingStep{ID: critical, To: lab.Accepted, Text: "x", Days: 1})
	w.refused("a critical one accepted", d, err, "critical")
	d, err = step(lab.FindingStep{ID: high, To: lab.Accepted, Text: "x", Days: 91})
	w.refused("91 days", d, err, "90")
	d, err = step(lab.FindingStep{ID: high, To: lab.Accepted, Days: 1})
	w.refused("no control", d, err, "control")
	d, err = step(lab.FindingStep{ID: critical, To: lab.Answered})
	w.refused("an empty answer", d, err, "says something")
	w.take(step(lab.FindingStep{ID: critical, To: lab.Fixed, Version: "1.0.3"}))
	d, err = step(lab.FindingStep{ID: critical, To: lab.Retested, Run: again.ID})
	w.refused("a retest of 1.0.2", d, err, "did not examine version 1.0.3")
	w.take(step(lab.FindingStep{ID: critical, To: lab.Fixed, Version: "1.0.2"}))
	w.take(step(lab.FindingStep{ID: critical, To: lab.Retested, Run: again.ID}))
	if f := w.s.Finding(critical); f.State != lab.Open || !strings.Contains(f.Life[len(f.Life)-1].Text, "found fail") {
		t.Errorf("after a retest that failed it is %s", f.State)
	}
}

// TestExpiry: the earliest of policy, approvals by others and conditions.
func TestExpiry(t *testing.T) {
	policy := now + pos.Instant(lab.PolicyLife)
	ends := func(days ...pos.Instant) (list []lab.ExternalEnd) {
		for _, d := range days {
			list = append(list, lab.ExternalEnd{Until: now + d*day})
		}
		return list
	}
	for _, c := range []struct {
		name      string
		externals []lab.ExternalEnd
		condition pos.Instant
		want      pos.Instant
	}{
		{"policy", nil, 0, policy},
		{"later approvals", ends(5000, 4000), 0, policy},
		{"the earliest approval", ends(500, 400, 450), 0, now + 400*day},
		{"a condition", ends(400), now + 90*day, now + 90*day},
	} {
		if got := lab.Expiry(now, c.externals, c.condition); got != c.want {
			t.Errorf("%s: %d days", c.name, (got-now)/day)
		}
	}
}

// TestCertificateFact: what permits are told, as certificates come, are suspended, come back, end and are followed.
func TestCertificateFact(t *testing.T) {
	w := newWorld(t)
	w.scope()
	fact := func(at pos.Instant) registry.Fact { return w.s.CertificateFact("S10", "", "1.0.1", at) }
	state := func(when string, at pos.Instant, want string) {
		t.Helper()
		if f := fact(at); f.State != want || f.Name != registry.FactCertificate {
			t.Errorf("%s: %q, want %q", when, f.State, want)
		}
	}
	state("before any", now, "")
	x := w.issue(w.run("wu", "1.0.0", nil).ID, now)
	state("issued", now, registry.Good)
	state("at its end", x.Expires, lab.FactExpired)
	if f := fact(now); f.Until != x.Expires || f.Detail != "CRT-1" || f.Entry == 0 {
		t.Errorf("fact %+v", f)
	}
	if f := w.s.CertificateFact("S10", "", "1.1.0", now); f.State != lab.FactNotCovered || f.Restore != "1.0.x" {
		t.Errorf("another application: %+v", f)
	}
	if f := w.s.CertificateFact("S10", "", "", now); f.State != lab.FactNotCovered {
		t.Errorf("an unknown application: %+v", f)
	}
	if f := w.s.CertificateFact("S11", "", "1.0.0", now); f.State != "" {
		t.Errorf("another model: %+v", f)
	}
	both := []string{"wu", "zheng"}
	w.take(lab.Change(w.s, lab.CertificateStep{ID: "CRT-1", To: lab.Suspended, Reason: "a key in the package"}, both, "PRP-1", now+1))
	state("suspended", now+1, lab.FactSuspended)
	if f := w.s.CertificateFact("S10", "", "", now+1); f.State != lab.FactSuspended {
		t.Errorf("an unknown application of a suspended model: %+v", f)
	}
	if f := w.s.CertificateFact("S10", "", "1.1.0", now+1); f.State != lab.FactNotCovered {
		t.Errorf("another application of a suspended model: %+v", f)
	}
	if d, err := lab.Change(w.s, lab.CertificateStep{ID: "CRT-1", To: lab.Suspended, Reason: "a key in the package"}, both, "PRP-1", now+2); err != nil || d != nil {
		t.Errorf("the same proposal again: %v, %d drafts", err, len(d))
	}
	if w.s.Issued(x.Run, "PRP-2") != nil {
		t.Error("another proposal issued it")
	}
	d, err := lab.Change(w.s, lab.CertificateStep{ID: "CRT-1", To: lab.Suspended, Reason: "again"}, both, "PRP-2", now+1)
	w.refused("suspended twice", d, err, "is suspended")
	w.take(lab.Change(w.s, lab.CertificateStep{ID: "CRT-1", To: lab.Valid, Reason: "fixed"}, both, "", now+2))
	state("reinstated", now+2, registry.Good)
	y := w.issue(w.run("wu", "1.0.3", nil).ID, now+3)
	d, err = lab.Change(w.s, lab.CertificateStep{ID: "CRT-1", To: lab.Superseded, Reason: "x", Successor: "CRT-1"}, both, "", now+4)
	w.refused("by itself", d, err, "takes its place")
	w.take(lab.Change(w.s, lab.CertificateStep{ID: "CRT-1", To: lab.Superseded, Reason: "1.0.3", Successor: y.ID}, both, "", now+4))
	state("followed", now+4, registry.Good)
	w.take(lab.Change(w.s, lab.CertificateStep{ID: y.ID, To: lab.Withdrawn, Reason: "design changed"}, both, "", now+5))
	state("withdrawn", now+5, lab.FactWithdrawn)
	if d, err := lab.Change(w.s, lab.CertificateStep{ID: "CRT-1", To: lab.Superseded, Reason: "1.0.3", Successor: y.ID}, both, "PRP-9", now+6); err == nil || d != nil {
		t.Errorf("superseded twice: %v", err)
	}
	d, err = lab.Change(w.s, lab.CertificateStep{ID: y.ID, To: lab.Valid, Reason: "after all"}, both, "", now+6)
	w.refused("back from withdrawn", d, err, "cannot become valid")
	d, err = lab.Change(w.s, lab.CertificateStep{ID: "CRT-9", To: lab.Suspended, Reason: "x"}, both, "", now)
	w.refused("no such certificate", d, err, "no certificate")
}

// TestImportedLists: each property of a listing and of a licence wrong by itself.
func TestImportedLists(t *testing.T) {
	d := func(days pos.Instant) lab.Day { return lab.Day(now + days*day) }
	s := subject("1.0.0")
	s.Class, s.Licence = "PED", "P3100"
	list := func(change func(*lab.PTSList)) *lab.PTSList {
		l := &lab.PTSList{Taken: d(-1), Listings: []lab.PTSListing{{Number: "4-1", Vendor: "sample  MAKER", Model: "S10", Hardware: []string{"1.xx"}, Firmware: []string{"2.1.x"}, Class: "PED", Expires: d(400), FirmwareExpires: d(300)}}}
		change(l)
		return l
	}
	for _, c := range []struct {
		name   string
		change func(*lab.PTSList)
		want   lab.Verdict
	}{
		{"right", func(*lab.PTSList) {}, lab.Pass},
		{"30 days old", func(l *lab.PTSList) { l.Taken = d(-30) }, lab.Pass},
		{"31 days old", func(l *lab.PTSList) { l.Taken = d(-31) }, lab.Inconclusive},
		{"of the future", func(l *lab.PTSList) { l.Taken = d(2) }, lab.Inconclusive},
		{"another vendor", func(l *lab.PTSList) { l.Listings[0].Vendor = "Other" }, lab.Fail},
		{"another hardware", func(l *lab.PTSList) { l.Listings[0].Hardware = []string{"2.xx"} }, lab.Fail},
		{"a longer firmware", func(l *lab.PTSList) { l.Listings[0].Firmware = []string{"2.1.xx"} }, lab.Fail},
		{"another application", func(l *lab.PTSList) { l.Listings[0].Application = []string{"2.0.x"} }, lab.Fail},
		{"another class", func(l *lab.PTSList) { l.Listings[0].Class = "EPP" }, lab.Fail},
		{"ends today", func(l *lab.PTSList) { l.Listings[0].Expires = lab.Day(now) }, lab.Fail},
		{"firmware ended", func(l *lab.PTSList) { l.Listings[0].FirmwareExpires = d(-1) }, lab.Fail},
		{"firmware ended, end of life", func(l *lab.PTSList) { l.Listings[0].FirmwareExpires, l.Listings[0].EndOfLife = d(-1), true }, lab.Pass},
	} {
		if r := lab.CheckPTS(list(c.change), &s, now); r.Verdict != c.want || r.Detail.EN == "" || r.Detail.ZH == "" {
			t.Errorf("%s: %s %s", c.name, r.Verdict, r.Detail.EN)
		}
	}
	for _, c := range []struct {
		name   string
		number string
		change func(*lab.LicenceRecord)
		want   lab.Verdict
	}{
		{"right", "P3100", func(*lab.LicenceRecord) {}, lab.Pass},
		{"four characters", "P310", func(*lab.LicenceRecord) {}, lab.Fail},
		{"a small letter", "p3100", func(*lab.LicenceRecord) {}, lab.Fail},
		{"another model", "P3100", func(l *lab.LicenceRecord) { l.Model = "S11" }, lab.Fail},
		{"revoked", "P3100", func(l *lab.LicenceRecord) { l.Revoked = true }, lab.Fail},
		{"ended", "P3100", func(l *lab.LicenceRecord) { l.Expires = d(-1) }, lab.Fail},
	} {
		l := lab.LicenceRecord{Number: "P3100", Maker: maker, Model: "S10", Expires: d(100)}
		c.change(&l)
		s.Licence = c.number
		if r := lab.CheckLicence(&lab.LicenceList{Taken: d(0), Licences: []lab.LicenceRecord{l}}, &s, now); r.Verdict != c.want {
			t.Errorf("licence %s: %s %s", c.name, r.Verdict, r.Detail.EN)
		}
	}
}

// TestPatterns: an x is one character, a star everything, and nothing else is covered.
func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, value string
		want           bool
	}{{"*", "", true}, {"*", "1", true}, {"1.0.x", "1.0.9", true}, {"1.0.x", "1.0.10", false}, {"1.0.x", "1.1.0", false}, {"1.0.0", "", false}, {"", "", false}, {"1.0.X", "1.0.9", false}} {
		if got := lab.Covers(c.pattern, c.value); got != c.want {
			t.Errorf("%q of %q: %v", c.pattern, c.value, got)
		}
	}
}

// TestAnEntryHoldsIt: the largest records fit an entry.
func TestAnEntryHoldsIt(t *testing.T) {
	long := strings.Repeat("例", 33)
	s := lab.Subject{Maker: long, Model: long, Hardware: long, Firmware: long, Application: long, HardwarePattern: "*", FirmwarePattern: "*", ApplicationPattern: "*"}
	x := lab.Certificate{Subject: s, Reason: strings.Repeat("例", lab.MaxText/3)}
	for i := range 14 {
		x.Conditions = append(x.Conditions, fmt.Sprintf("%d %s", i, long))
	}
	f := lab.Finding{Control: x.Reason}
	for range 12 {
		f.Life = append(f.Life, lab.Step{State: lab.Open, By: []string{"wu", "zheng"}, At: now, Text: x.Reason})
	}
	for name, r := range map[string]any{"certificate": x, "finding": f} {
		raw, err := json.Marshal(r)
		if err != nil || len(raw) > journal.MaxEntry/16*15-600 {
			t.Errorf("%s: %d bytes, %v", name, len(raw), err)
		}
	}
}

// FuzzCatalogue and FuzzProfile: foreign files are refused or loaded whole.
func FuzzCatalogue(f *testing.F) {
	f.Add([]byte(`[{"id":"POSC-HW-01"}]`), []byte(`[]`))
	f.Add([]byte(`[]`), []byte(`[{"id":"x"}]`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		c, err := lab.ParseCatalogue(a, b)
		if (c == nil) == (err == nil) {
			t.Fatal("neither loaded nor refused")
		}
		if err != nil {
			return
		}
		for _, r := range c.Requirements {
			if c.Find(r.ID) == nil || len(r.References) != len(r.ReferenceConfidence) {
				t.Fatal("loaded, and not whole")
			}
		}
	})
}

func FuzzProfile(f *testing.F) {
	c, err := lab.LoadCatalogue()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"id":"a","version":"1","checks":[{"requirement":"POSC-HW-01","check":"c","version":1,"part_en":"e","part_zh":"z"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := lab.ParseProfile(c, b)
		if err != nil {
			return
		}
		for _, k := range p.Checks {
			if c.Find(k.Requirement) == nil || p.Find(k.Requirement) == nil {
				t.Fatal("a check of no requirement")
			}
		}
	})
}

// FuzzLists: imported lists and dates.
func FuzzLists(f *testing.F) {
	f.Add([]byte(`{"source":"s","taken":"2026-11-20","listings":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := subject("1.0.0")
		if l, err := lab.ParsePTSList(b); err == nil {
			_ = lab.CheckPTS(l, &s, now)
		}
		if l, err := lab.ParseLicenceList(b); err == nil {
			_ = lab.CheckLicence(l, &s, now)
		}
	})
}
