package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"touchstone/lab"
	"touchstone/lab/probe"
	"touchstone/pos"
	"touchstone/sqlite"
)

// labCmd is the certification laboratory.
type labCmd struct {
	Catalogue  labCatalogue  `cmd:"" help:"The requirements, or one of them, with how far each source was verified."`
	Sample     labSample     `cmd:"" name:"sample-package" help:"Make a subject to try with: a signed package, right or wrong in a named way, and what else a run needs."`
	Scope      labScopeCmd   `cmd:"" help:"Sign what an assessor may attack: targets, window, rate. A security officer's act."`
	Stop       labStop       `cmd:"" help:"End a scope now: probes under it stop before their next message."`
	Plan       labPlan       `cmd:"" help:"What a run would do with a subject, and what it lacks."`
	Run        labRun        `cmd:"" help:"Examine a subject against the running host."`
	Resume     labResume     `cmd:"" help:"Go on with a run that was stopped or killed."`
	Show       labShow       `cmd:"" help:"A run, a finding or a scope; without one: all of them."`
	Report     labReportCmd  `cmd:"" help:"The report of a run, as text, printable HTML or JSON."`
	Mark       labMarkCmd    `cmd:"" help:"Say that a requirement does not apply to a subject: by another person than the operator, with the reason."`
	Finding    labFindingCmd `cmd:"" help:"Move a finding on: answer, fixed, retest, close, accept."`
	Operations labOperations `cmd:"" help:"The automatic requirements of operations and personnel against this data directory's own records, one by one."`
}

// Help is shown by touchstone lab --help.
func (labCmd) Help() string {
	return `From a subject to a certificate, in a test data directory with its host running:

  touchstone lab sample-package --out good
  touchstone lab scope --data DIR --as qian                      SCP-1, for two hours, the demonstration's own ports
  touchstone lab run good/subject.toml --data DIR --scope SCP-1 --as wu
  touchstone lab report RUN-1 --data DIR --lang zh --format html > report.html
  touchstone certificate issue RUN-1 --data DIR --as wu --with zheng

The exit code of run and resume is 4 when the results allow no certificate. No verdict is an approval by PCI, EMVCo or
UnionPay. See docs/operating/laboratory.md.`
}

// labLang picks a language's text.
func labLang(lang string) (func(en, zh string) string, error) {
	switch lang {
	case "en":
		return func(en, _ string) string { return en }, nil
	case "zh":
		return func(_, zh string) string { return zh }, nil
	}
	return nil, fmt.Errorf("--lang %q: want en or zh", lang)
}

type labCatalogue struct {
	ID   string `arg:"" optional:"" help:"One requirement, such as POSC-HW-01."`
	Area string `name:"area" help:"hardware, software, data transmission, key management, data protection, operations, personnel." placeholder:"AREA"`
	JSON bool   `name:"json" help:"JSON."`
	Lang string `name:"lang" default:"en" help:"en or zh."`
}

// Run prints.
func (c *labCatalogue) Run(a *app) error {
	two, err := labLang(c.Lang)
	if err != nil {
		return err
	}
	catalogue, profile, err := labTexts()
	if err != nil {
		return err
	}
	if c.Area != "" && !slices.Contains(lab.Areas[:], c.Area) {
		return fmt.Errorf("--area %q: want one of %s", c.Area, strings.Join(lab.Areas[:], ", "))
	}
	if c.ID != "" {
		r := catalogue.Find(strings.ToUpper(c.ID))
		if r == nil {
			return fmt.Errorf("%.20s is not in the catalogue: touchstone lab catalogue lists it", c.ID)
		}
		if c.JSON {
			return json.NewEncoder(a.stdout).Encode(r)
		}
		return showRequirement(a.stdout, r, profile.Find(r.ID), two)
	}
	var list []lab.Requirement
	for _, r := range catalogue.Requirements {
		if c.Area == "" || r.Area == c.Area {
			list = append(list, r)
		}
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(list)
	}
	for _, r := range list {
		mark := " "
		if profile.Find(r.ID) != nil {
			mark = "*"
		}
		fmt.Fprintf(a.stdout, "%s %s %s %s %s %s\n", mark, pad(r.ID, 10), pad(r.Method, 13), pad(two(string(r.Severity), severityZH[r.Severity]), 8),
			pad(strings.Join(r.ReferenceConfidence, ""), 6), two(r.TitleEN, r.TitleZH))
	}
	_, err = fmt.Fprintf(a.stdout, two("%d requirements, catalogue of %s; * examined by profile %s; sources: V read, S second hand, R from memory\n", "%d 项要求, 目录版本 %s; * 由方案 %s 检测; 来源: V 已核对原文, S 二手资料, R 凭记忆\n"),
		len(list), catalogue.Version, profile.ID)
	return err
}

var severityZH = map[lab.Severity]string{lab.Critical: "致命", lab.High: "高", lab.Medium: "中", lab.Low: "低", lab.Info: "提示"}

var verdictZH = map[lab.Verdict]string{lab.Pass: "通过", lab.Fail: "不通过", lab.NotApplicable: "不适用", lab.Inconclusive: "无法判定", lab.NotTested: "未检测"}

var outcomeZH = map[lab.Outcome]string{lab.Issuable: "可以发证", lab.Conditional: "有条件发证", lab.Refused: "不予发证", lab.Blocked: "暂不能发证: 致命项未判定"}

var outcomeEN = map[lab.Outcome]string{lab.Issuable: "a certificate may be issued", lab.Conditional: "a conditional certificate may be issued", lab.Refused: "refused", lab.Blocked: "blocked: something critical is not known"}

func showRequirement(w io.Writer, r *lab.Requirement, check *lab.ProfileCheck, two func(en, zh string) string) error {
	fmt.Fprintf(w, "%s  %s\n", r.ID, two(r.TitleEN, r.TitleZH))
	line := func(name, text string) { fmt.Fprintf(w, "  %s %s\n", pad(name, 14), text) }
	line(two("severity", "严重程度"), two(string(r.Severity), severityZH[r.Severity]))
	line(two("method", "方法"), r.Method+", "+r.Target)
	line(two("requirement", "要求"), two(r.Requirement, r.RequirementZH))
	line(two("procedure", "步骤(英文)"), r.Procedure)
	line(two("pass", "判据(英文)"), r.PassCriterion)
	line(two("advice", "建议"), two(r.Advice, r.AdviceZH))
	line(two("fails when", "反例(英文)"), r.FailingExample)
	for i, ref := range r.References {
		line(two("source", "来源"), "["+r.ReferenceConfidence[i]+"] "+ref)
	}
	if check != nil {
		line(two("check", "本程序检测"), fmt.Sprintf("%s %d: %s", check.Check, check.Version, two(check.PartEN, check.PartZH)))
	}
	_, err := fmt.Fprintln(w, two("  V read, S second hand, R from memory and unverified", "  V 已核对原文, S 二手资料, R 凭记忆, 未核实"))
	return err
}

type labScopeCmd struct {
	actFlags
	Targets []string      `name:"target" help:"Endpoint, HOST:PORT; may be given again. Default: the demonstration's." placeholder:"HOST:PORT"`
	Life    time.Duration `name:"for" default:"2h" help:"How long, from now."`
	Rate    int           `name:"rate" default:"200" help:"Messages a second, at most."`
}

// Run signs a scope.
func (c *labScopeCmd) Run(a *app) error {
	if len(c.Targets) == 0 {
		c.Targets = []string{"127.0.0.1:8583", demoTLS}
	}
	for _, t := range c.Targets {
		if _, _, err := net.SplitHostPort(t); err != nil {
			return fmt.Errorf("--target %q: want HOST:PORT", t)
		}
	}
	if err := checkLoopback(c.Data, c.Targets...); err != nil {
		return err
	}
	now := time.Now()
	_, err := c.perform(a, change{Lab: &labChange{Scope: &lab.Scope{Targets: c.Targets, From: pos.Instant(now.Add(-time.Minute).UnixNano()), Until: pos.Instant(now.Add(c.Life).UnixNano()), Rate: c.Rate}}})
	return err
}

type labStop struct {
	actFlags
	ID string `arg:"" help:"The scope, SCP-1."`
}

// Run stops a scope.
func (c *labStop) Run(a *app) error {
	_, err := c.perform(a, change{Lab: &labChange{Stop: c.ID}})
	return err
}

type labPlan struct {
	Subjects []string `arg:"" name:"subject" help:"TOML files of subjects." placeholder:"SUBJECT"`
	Lang     string   `name:"lang" default:"en" help:"en or zh."`
}

// Run prints what a run would do.
func (c *labPlan) Run(a *app) error {
	two, err := labLang(c.Lang)
	if err != nil {
		return err
	}
	catalogue, profile, err := labTexts()
	if err != nil {
		return err
	}
	for _, path := range c.Subjects {
		in, err := readLabInputs(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "%s %s %s  sha256 %s\n", in.subject.Maker, in.subject.Model, in.subject.Application, in.digest)
		for _, k := range profile.Checks {
			needs := two("inputs", "输入")
			if k.Active {
				needs = two("scope", "授权范围")
			}
			r := catalogue.Find(k.Requirement)
			fmt.Fprintf(a.stdout, "  %s %s %s %s\n", pad(k.Requirement, 10), pad(two(string(r.Severity), severityZH[r.Severity]), 8), pad(needs, 9), two(k.PartEN, k.PartZH))
		}
	}
	return nil
}

// labWorkFlags are what doing a run needs.
type labWorkFlags struct {
	actFlags
	TerminalFile string `name:"terminal-file" help:"TOML file of the reserved terminal; not needed in a test data directory." placeholder:"FILE"`
	CA           string `name:"ca" help:"PEM of the authority of the endpoint's certificate; not needed in a test data directory." placeholder:"FILE"`
	Finish       bool   `name:"finish" help:"Complete the run even where a check was inconclusive."`
	Lang         string `name:"lang" default:"en" help:"en or zh."`
}

type labRun struct {
	labWorkFlags
	Subjects []string `arg:"" name:"subject" help:"TOML files of subjects: touchstone lab sample-package makes one." placeholder:"SUBJECT"`
	Scope    string   `name:"scope" required:"" help:"The signed scope, SCP-1." placeholder:"SCP"`
	TCP      string   `name:"tcp" default:"127.0.0.1:8583" help:"Where the host hears terminals." placeholder:"HOST:PORT"`
	TLS      string   `name:"tls" default:"127.0.0.1:8584" help:"Where it hears them over TLS." placeholder:"HOST:PORT"`
}

// labRefused is the exit code of a run whose results allow no certificate.
const labRefused = 4

// Run examines every subject, one after the other.
func (c *labRun) Run(a *app) error {
	if err := checkLoopback(c.Data, c.TCP, c.TLS); err != nil {
		return err
	}
	refused := false
	for _, path := range c.Subjects {
		in, err := readLabInputs(path)
		if err != nil {
			return err
		}
		tool, err := toolOf()
		if err != nil {
			return err
		}
		run := &lab.Run{Subject: in.subject, SubjectFile: in.path, InputsDigest: in.digest, Scope: c.Scope, TCP: c.TCP, TLS: c.TLS, Tool: tool}
		told, err := c.perform(a, change{Lab: &labChange{Start: run}})
		if err != nil {
			return err
		}
		ok, err := c.work(a, told.Facts["run"], in)
		if err != nil {
			return err
		}
		refused = refused || !ok
	}
	if refused {
		return exitError{labRefused}
	}
	return nil
}

type labResume struct {
	labWorkFlags
	ID    string `arg:"" help:"The run, RUN-1."`
	Scope string `name:"scope" help:"Go on under another scope." placeholder:"SCP"`
	TCP   string `name:"tcp" help:"Where the host hears terminals now." placeholder:"HOST:PORT"`
	TLS   string `name:"tls" help:"Where it hears them over TLS now." placeholder:"HOST:PORT"`
}

// Run goes on with a run.
func (c *labResume) Run(a *app) error {
	answer, err := c.askRun(a, c.ID)
	if err != nil {
		return err
	}
	in, err := readLabInputs(answer.Runs[0].SubjectFile)
	if err != nil {
		return err
	}
	if in.digest != answer.Runs[0].InputsDigest {
		return fmt.Errorf("%s or a file that it names is not what run %s began with: start another run", in.path, c.ID)
	}
	if was := &answer.Runs[0]; c.Scope != "" || c.TCP != "" || c.TLS != "" {
		to := &labRescope{Run: c.ID, Scope: cmp.Or(c.Scope, was.Scope), TCP: cmp.Or(c.TCP, was.TCP), TLS: cmp.Or(c.TLS, was.TLS)}
		if err := checkLoopback(c.Data, to.TCP, to.TLS); err != nil {
			return err
		}
		if _, err := c.perform(a, change{Lab: &labChange{Rescope: to}}); err != nil {
			return err
		}
	}
	ok, err := c.work(a, c.ID, in)
	if err == nil && !ok {
		return exitError{labRefused}
	}
	return err
}

func (c *labWorkFlags) askRun(a *app, id string) (answer labAnswer, err error) {
	if err = c.question(a, change{LabQuery: &labQuery{ID: id}}, &answer); err == nil && (len(answer.Runs) != 1 || answer.Report == nil) {
		err = fmt.Errorf("%.20s is no run", id)
	}
	return answer, err
}

// work does what of a run has no result yet, saving each result at once, and completes it.
func (c *labWorkFlags) work(a *app, id string, in labInputs) (ok bool, err error) {
	two, err := labLang(c.Lang)
	if err != nil {
		return false, err
	}
	answer, err := c.askRun(a, id)
	if err != nil {
		return false, err
	}
	run := &answer.Runs[0]
	_, profile, err := labTexts()
	if err != nil {
		return false, err
	}
	if run.State == lab.Running {
		reader, err := sqlite.OpenReader(c.Data)
		if err != nil {
			return false, err
		}
		open, err := c.examine(a, run, answer.Report, &labHand{in: in, profile: profile, now: time.Now}, reader, two)
		if err = errors.Join(err, reader.Close()); err != nil {
			return false, fmt.Errorf("run %s: %w", id, err)
		}
		if open == 0 || c.Finish {
			if _, err := c.quietly(a, change{Lab: &labChange{Finish: id}}); err != nil {
				return false, err
			}
		} else {
			fmt.Fprintf(a.stdout, two("%s stays open: %d checks were inconclusive; touchstone lab resume %s tries them again, --finish completes it as it is\n", "%s 未结束: %d 项无法判定; 用 touchstone lab resume %s 重试, 或加 --finish 结束\n"), id, open, id)
		}
	}
	if answer, err = c.askRun(a, id); err != nil {
		return false, err
	}
	d := answer.Report.Decision
	fmt.Fprintln(a.stdout, decisionLine(id, &d, two))
	for _, n := range answer.Report.Notices {
		fmt.Fprintln(a.stdout, two(n.EN, n.ZH))
	}
	return d.Outcome == lab.Issuable || d.Outcome == lab.Conditional, nil
}

func decisionLine(id string, d *lab.Decision, two func(en, zh string) string) string {
	line := fmt.Sprintf("%s: %s", id, two(outcomeEN[d.Outcome], outcomeZH[d.Outcome]))
	if len(d.Because) > 0 {
		line += " (" + strings.Join(d.Because, ", ") + ")"
	}
	return line + fmt.Sprintf(two("; score %d of 100, shown beside and decides nothing", "; 评分 %d/100, 仅供参考, 不作判定"), d.Score)
}

// quietly performs a change and says nothing.
func (c *labWorkFlags) quietly(a *app, x change) (changed, error) {
	if err := c.sign(c.Data, &x); err != nil {
		return changed{}, err
	}
	return c.carryOut(a, x)
}

// examine does the checks that have no result, or an inconclusive one; open is how many stayed so.
func (c *labWorkFlags) examine(a *app, run *lab.Run, so *lab.Report, hand *labHand, reader *sqlite.Reader, two func(en, zh string) string) (open int, err error) {
	gate := &labScopeGate{now: time.Now, ask: func() (*lab.Scope, error) {
		var answer labAnswer
		if err := c.question(a, change{LabQuery: &labQuery{ID: run.Scope}}, &answer); err != nil {
			return nil, err
		}
		if len(answer.Scopes) != 1 {
			return nil, fmt.Errorf("there is no scope %s", run.Scope)
		}
		return &answer.Scopes[0], checkScope(&answer.Scopes[0], answer.Keys)
	}}
	ca, err := labRoots(c.Data, c.CA)
	if err != nil {
		return 0, err
	}
	if hand.rig, err = labRig(a, c.Data, c.TerminalFile, run, gate, reader, ca); err != nil {
		return 0, err
	}
	for _, result := range so.Results {
		if v := result.Observation.Verdict; v != lab.NotTested && v != lab.Inconclusive {
			continue
		}
		check := hand.profile.Find(result.Observation.Requirement)
		out, err := hand.do(a.ctx, check)
		if err == nil && out.Verdict == lab.Inconclusive && check.Active {
			out, err = hand.do(a.ctx, check) // once more: what kept it from being decided may have passed
		}
		if err != nil {
			return 0, err
		}
		if err := c.save(a, run, check, hand.in.digest, &out); err != nil {
			return 0, err
		}
		if out.Verdict == lab.Inconclusive {
			open++
		}
		fmt.Fprintf(a.stdout, "  %s %s %s %s\n", pad(check.Requirement, 10), pad(two(string(result.Severity), severityZH[result.Severity]), 8), pad(two(string(out.Verdict), verdictZH[out.Verdict]), 12), two(out.Detail.EN, out.Detail.ZH))
	}
	return open, nil
}

// save hands a result and its transcript over, to be kept before the next check begins.
func (c *labWorkFlags) save(a *app, run *lab.Run, check *lab.ProfileCheck, inputs string, out *probe.Outcome) error {
	dir, err := filepath.Abs(filepath.Join(c.Data, labState))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(dir, run.ID+"-"+check.Requirement+".transcript")
	if err := os.WriteFile(path, out.Transcript, 0o600); err != nil {
		return err
	}
	defer os.Remove(path) // kept by its digest now
	_, err = c.quietly(a, change{Lab: &labChange{Observe: &labObserve{Transcript: path, Observation: lab.Observation{Run: run.ID, Requirement: check.Requirement, Check: check.Check,
		Version: check.Version, Verdict: out.Verdict, Detail: out.Detail, Inputs: inputs, Start: pos.Instant(out.Start.UnixNano()), End: pos.Instant(out.End.UnixNano()), Externals: out.Externals}}}})
	return err
}
