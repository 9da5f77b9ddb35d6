package main

import (
	"context"
	"slices"
	"strings"
	"sync"

	"touchstone/lab"
	"touchstone/pos"
	"touchstone/web"
	"touchstone/web/api"
)

var (
	_ api.Laboratory = (*desk)(nil)
	_ api.Bench      = (*desk)(nil)
)

// labBooks are the catalogue and the profile, read once.
type labBooks struct {
	catalogue *lab.Catalogue
	profile   *lab.Profile
}

var labRead = sync.OnceValues(func() (labBooks, error) {
	c, p, err := labTexts()
	return labBooks{c, p}, err
})

func bothLab(t lab.Text) api.Text { return api.Text{EN: t.EN, ZH: t.ZH} }

func subjectOf(s *lab.Subject) api.LabSubject {
	return api.LabSubject{Maker: s.Maker, Model: s.Model, Hardware: s.Hardware, Firmware: s.Firmware, Application: s.Application, HardwarePattern: s.HardwarePattern,
		FirmwarePattern: s.FirmwarePattern, ApplicationPattern: s.ApplicationPattern, Delta: s.Delta}
}

// Runs implements api.Laboratory.
func (d *desk) Runs(ctx context.Context, _ *web.Caller, q *api.LabQuery) (page api.Page[api.LabRun], err error) {
	page.Data = []api.LabRun{}
	books, err := labRead()
	if err != nil {
		return page, err
	}
	view, now, err := d.roomsOf(ctx, &q.AsOf)
	if err != nil {
		return page, err
	}
	view(func(r *rooms) {
		list := r.lab.Runs()
		slices.Reverse(list)
		list = slices.DeleteFunc(list, func(x *lab.Run) bool {
			return q.Pick != "" && q.Pick != string(x.State) || q.Model != "" && q.Model != x.Subject.Model
		})
		list, page.Next = pageAfter(list, q.Paging, func(x *lab.Run) string { return x.ID })
		for _, x := range list {
			page.Data = append(page.Data, d.runOf(r.lab, books, x, now))
		}
	})
	return page, nil
}

func (d *desk) runOf(s *lab.State, books labBooks, x *lab.Run, now pos.Instant) api.LabRun {
	a := api.LabRun{ID: x.ID, Subject: subjectOf(&x.Subject), State: string(x.State), Operator: x.Operator, Organisation: x.Organisation, SelfDeclaration: x.SelfDeclaration, Profile: x.Profile,
		Scope: x.Scope, Started: timeOf(x.Started), Ended: timeOf(x.Ended), Of: len(books.profile.Checks), Findings: len(s.Findings(x.ID))}
	decision := lab.Decide(books.catalogue, books.profile, s, x.ID, now)
	a.Outcome, a.Score = string(decision.Outcome), decision.Score
	a.OutcomeSays = api.Text{EN: outcomeEN[decision.Outcome], ZH: outcomeZH[decision.Outcome]}
	for _, group := range lab.Groups {
		axis := axisOf(s, books.profile, x.ID, group)
		a.Done += axis.Of - axis.Open
		a.Axes = append(a.Axes, axis)
	}
	for _, c := range s.Certificates() {
		if c.Run == x.ID {
			a.Certificate = c.ID
		}
	}
	if a.Working, a.Halted = d.bench.stands(x.ID); a.Halted != "" {
		a.HaltedZH = errorInChinese(a.Halted)
	}
	return a
}

func axisOf(s *lab.State, p *lab.Profile, run, group string) api.LabAxis {
	axis := api.LabAxis{Axis: group, Name: bothLab(groupWords[group])}
	for _, k := range p.Checks {
		if k.Group != group {
			continue
		}
		axis.Of++
		verdict := lab.NotTested
		if o := s.Observation(run, k.Requirement); o != nil {
			verdict = o.Verdict
		}
		switch verdict {
		case lab.Pass:
			axis.Passed++
		case lab.Fail:
			axis.Failed++
		case lab.NotApplicable:
			axis.NotFor++
		default:
			axis.Open++
		}
	}
	switch {
	case axis.Failed > 0:
		axis.Verdict = "fail"
	case axis.Open > 0:
		axis.Verdict = "open"
	default:
		axis.Verdict = "pass"
	}
	return axis
}

// Run implements api.Laboratory.
func (d *desk) Run(ctx context.Context, _ *web.Caller, q *api.RunInput) (whole api.LabRunWhole, err error) {
	books, err := labRead()
	if err != nil {
		return whole, err
	}
	view, now, err := d.roomsOf(ctx, &q.AsOf)
	if err != nil {
		return whole, err
	}
	var run *lab.Run
	var report *lab.Report
	byRequirement := map[string]string{}
	whole.FindingList, whole.Results = []api.LabFinding{}, []api.LabResult{}
	view(func(r *rooms) {
		if run = r.lab.Run(q.ID); run == nil {
			return
		}
		report, err = lab.NewReport(books.catalogue, books.profile, r.lab, run.ID, now)
		whole.LabRun = d.runOf(r.lab, books, run, now)
		for _, f := range r.lab.Findings(run.ID) {
			byRequirement[f.Requirement] = f.ID
			whole.FindingList = append(whole.FindingList, findingShown(r.lab, books, f, now))
		}
	})
	if run == nil {
		return whole, api.NotFound()
	}
	if err != nil {
		return whole, err
	}
	for _, n := range report.Notices {
		whole.Notices = append(whole.Notices, bothLab(n))
	}
	whole.Because, whole.Conditions, whole.InputsDigest = report.Decision.Because, report.Decision.Conditions, run.InputsDigest
	whole.CatalogueDigest, whole.ProfileDigest, whole.Tool = run.CatalogueDigest, run.ProfileDigest, "touchstone "+run.Tool.Version+" "+run.Tool.Digest
	for i := range report.Results {
		x := &report.Results[i]
		o := &x.Observation
		whole.Results = append(whole.Results, api.LabResult{Requirement: o.Requirement, Title: bothLab(x.Title), Axis: x.Group, Severity: string(x.Severity), Verdict: string(o.Verdict),
			Detail: bothLab(o.Detail), Part: bothLab(x.Part), Advice: bothLab(x.Advice), At: timeOf(o.End), Transcript: o.Transcript, Finding: byRequirement[o.Requirement]})
	}
	return whole, nil
}

func findingShown(s *lab.State, books labBooks, f *lab.Finding, now pos.Instant) api.LabFinding {
	a := api.LabFinding{ID: f.ID, Run: f.Run, Requirement: f.Requirement, Severity: string(f.Severity), State: string(f.State), Version: f.Version, Control: f.Control, Until: timeOf(f.Until),
		Due: timeOf(f.Due), Overdue: f.State == lab.Open && now > f.Due}
	if run := s.Run(f.Run); run != nil {
		a.Model = run.Subject.Model
	}
	if r := books.catalogue.Find(f.Requirement); r != nil {
		a.Title, a.Advice = api.Text{EN: r.TitleEN, ZH: r.TitleZH}, api.Text{EN: r.Advice, ZH: r.AdviceZH}
	}
	for _, step := range f.Life {
		a.Life = append(a.Life, api.LabStep{State: string(step.State), By: step.By, At: timeOf(step.At), Text: step.Text})
	}
	for _, next := range f.Next() {
		a.Next = append(a.Next, string(next))
	}
	return a
}

// findingAsks tells whether a finding is asked for; unclosed is neither closed nor accepted.
func findingAsks(q *api.LabQuery, f *lab.Finding, model string) bool {
	done := f.State == lab.Closed || f.State == lab.Accepted
	return (q.Pick == "" || q.Pick == string(f.State) || q.Pick == "unclosed" && !done) && (q.Severity == "" || q.Severity == string(f.Severity)) &&
		(q.Run == "" || q.Run == f.Run) && (q.Model == "" || q.Model == model)
}

// Findings implements api.Laboratory.
func (d *desk) Findings(ctx context.Context, _ *web.Caller, q *api.LabQuery) (page api.Page[api.LabFinding], err error) {
	page.Data = []api.LabFinding{}
	books, err := labRead()
	if err != nil {
		return page, err
	}
	view, now, err := d.roomsOf(ctx, &q.AsOf)
	if err != nil {
		return page, err
	}
	view(func(r *rooms) {
		list := r.lab.Findings("")
		slices.Reverse(list)
		list = slices.DeleteFunc(list, func(f *lab.Finding) bool {
			model := ""
			if run := r.lab.Run(f.Run); run != nil {
				model = run.Subject.Model
			}
			return !findingAsks(q, f, model)
		})
		list, page.Next = pageAfter(list, q.Paging, func(f *lab.Finding) string { return f.ID })
		for _, f := range list {
			page.Data = append(page.Data, findingShown(r.lab, books, f, now))
		}
	})
	return page, nil
}

// Finding implements api.Laboratory.
func (d *desk) Finding(ctx context.Context, _ *web.Caller, q *api.FindingInput) (a api.LabFinding, err error) {
	books, err := labRead()
	if err != nil {
		return a, err
	}
	view, now, err := d.roomsOf(ctx, &q.AsOf)
	if err != nil {
		return a, err
	}
	err = api.NotFound()
	view(func(r *rooms) {
		if f := r.lab.Finding(q.ID); f != nil {
			a, err = findingShown(r.lab, books, f, now), nil
		}
	})
	return a, err
}

func certificateShown(x *lab.Certificate, now pos.Instant) api.LabCertificate {
	a := api.LabCertificate{ID: x.ID, Run: x.Run, Scheme: x.Scheme, Subject: subjectOf(&x.Subject), Issuer: x.Issuer, SelfDeclaration: x.SelfDeclaration, Conditions: x.Conditions,
		Issued: timeOf(x.Issued), Expires: timeOf(x.Expires), Standing: string(x.Standing(now)), Reason: x.Reason, By: x.By, Since: timeOf(x.Since), Successor: x.Successor,
		Report: x.Report, Envelope: x.Envelope, Signers: []api.LabSigner{}}
	for _, s := range x.Signers {
		a.Signers = append(a.Signers, api.LabSigner{Account: s.Account, Name: s.Name, Organisation: s.Organisation, Key: s.Key})
	}
	for _, e := range x.Externals {
		a.Rests = append(a.Rests, api.LabRest{Name: e.Name, Number: e.Number, Until: timeOf(e.Until)})
	}
	for _, n := range lab.Notices(x.SelfDeclaration) {
		a.Notices = append(a.Notices, bothLab(n))
	}
	return a
}

// Certificates implements api.Laboratory.
func (d *desk) Certificates(ctx context.Context, _ *web.Caller, q *api.LabQuery) (page api.Page[api.LabCertificate], err error) {
	page.Data = []api.LabCertificate{}
	view, now, err := d.roomsOf(ctx, &q.AsOf)
	if err != nil {
		return page, err
	}
	var list []*lab.Certificate
	view(func(r *rooms) { list = r.lab.Certificates() })
	slices.Reverse(list)
	list = slices.DeleteFunc(list, func(x *lab.Certificate) bool {
		return q.Pick != "" && q.Pick != string(x.Standing(now)) || q.Model != "" && q.Model != x.Subject.Model
	})
	list, page.Next = pageAfter(list, q.Paging, func(x *lab.Certificate) string { return x.ID })
	for _, x := range list {
		page.Data = append(page.Data, certificateShown(x, now))
	}
	return page, nil
}

// Certificate implements api.Laboratory.
func (d *desk) Certificate(ctx context.Context, _ *web.Caller, q *api.CertificateInput) (a api.LabCertificate, err error) {
	view, now, err := d.roomsOf(ctx, &q.AsOf)
	if err != nil {
		return a, err
	}
	var x *lab.Certificate
	if view(func(r *rooms) { x = r.lab.Certificate(q.ID) }); x == nil {
		return a, api.NotFound()
	}
	a = certificateShown(x, now)
	envelope, err := d.keptFile(x.Envelope)
	a.DSSE = string(envelope)
	return a, err
}

// Plan implements api.Bench.
func (d *desk) Plan(context.Context, *web.Caller) (plan api.LabPlan, err error) {
	books, err := labRead()
	if err != nil {
		return plan, err
	}
	now := d.clock()
	plan = api.LabPlan{Profile: books.profile.ID + " " + books.profile.Version, Targets: d.bench.host.targets, Here: d.probesHere(), Sample: d.test}
	if d.test {
		plan.Flaws = labFlaws
	}
	for _, k := range books.profile.Checks {
		r := books.catalogue.Find(k.Requirement)
		plan.Checks = append(plan.Checks, api.LabCheck{Requirement: k.Requirement, Title: api.Text{EN: r.TitleEN, ZH: r.TitleZH}, Axis: k.Group, Severity: string(r.Severity),
			Part: api.Text{EN: k.PartEN, ZH: k.PartZH}, Active: k.Active})
	}
	d.office.view(func(r *rooms) {
		list := r.lab.Scopes()
		for _, s := range slices.Backward(list[max(0, len(list)-maxListed):]) {
			plan.Scopes = append(plan.Scopes, api.LabScope{ID: s.ID, Targets: s.Targets, From: timeOf(s.From), Until: timeOf(s.Until), Rate: s.Rate, By: s.By, Stopped: s.Stopped,
				InForce: s.Stopped == "" && now >= s.From && now < s.Until})
		}
	})
	return plan, nil
}

// Kept implements api.Bench.
func (d *desk) Kept(ctx context.Context, _ *web.Caller, id, what, lang string) (kept api.KeptContent, err error) {
	answer, err := d.askLab(ctx, &labQuery{ID: id})
	var out strings.Builder
	switch {
	case id == "" && what == "keys" && err == nil && len(answer.Keys) > 0:
		err = writeLabKeys(&out, answer.Keys)
		kept = api.KeptContent{Name: "laboratory.pem", Type: "application/x-pem-file"}
	case err != nil || id == "":
		return kept, api.NotFound()
	case what == "dsse" && len(answer.Certificates) == 1:
		return api.KeptContent{Name: strings.ToLower(id) + ".json", Type: "application/json", Body: append(answer.Envelope, '\n')}, nil
	case what == "html" && answer.Report != nil:
		kept = api.KeptContent{Name: id + "-report-" + lang + ".html", Type: "text/html; charset=utf-8"}
		err = writeLabHTML(&out, answer.Report, lang)
	case answer.Report != nil && len(answer.Runs) == 1 && answer.Runs[0].ID == id:
		for _, r := range answer.Report.Results {
			if o := r.Observation; o.Requirement == what && o.Transcript != "" {
				content, err := d.keptFile(o.Transcript)
				return api.KeptContent{Name: id + "-" + what + ".txt", Type: "text/plain; charset=utf-8", Body: content}, err
			}
		}
		return kept, api.NotFound()
	default:
		return kept, api.NotFound()
	}
	kept.Body = []byte(out.String())
	return kept, err
}
