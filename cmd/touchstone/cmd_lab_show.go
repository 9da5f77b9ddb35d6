package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"touchstone/lab"
	"touchstone/pos"
)

type labShow struct {
	directoryFlags
	ID         string `arg:"" optional:"" help:"RUN-1, FND-1 or SCP-1."`
	Transcript string `name:"transcript" help:"Print the kept transcript of this requirement in the run." placeholder:"POSC-ID"`
	JSON       bool   `name:"json" help:"JSON."`
	Lang       string `name:"lang" default:"en" help:"en or zh."`
}

// Run shows.
func (c *labShow) Run(a *app) error {
	two, err := labLang(c.Lang)
	if err != nil {
		return err
	}
	var answer labAnswer
	if err := c.question(a, change{LabQuery: &labQuery{ID: c.ID}}, &answer); err != nil {
		return err
	}
	if c.Transcript != "" {
		return c.transcript(a, &answer)
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(&answer)
	}
	for i := range answer.Scopes {
		s := &answer.Scopes[i]
		state := two("in force until ", "有效至 ") + stampOf(s.Until)
		if s.Stopped != "" {
			state = two("stopped by ", "已由下列人员停止: ") + s.Stopped
		}
		fmt.Fprintf(a.stdout, "%s  %s  %s  %d/s  %s\n", pad(s.ID, 7), strings.Join(s.Targets, " "), s.By, s.Rate, state)
	}
	for i := range answer.Runs {
		r := &answer.Runs[i]
		fmt.Fprintf(a.stdout, "%s  %s  %s %s  %s  %s\n", pad(r.ID, 7), pad(string(r.State), 8), r.Subject.Model, r.Subject.Application, r.Operator, stampOf(r.Started))
	}
	for i := range answer.Findings {
		f := &answer.Findings[i]
		fmt.Fprintf(a.stdout, "%s  %s  %s  %s  %s  %s\n", pad(f.ID, 7), pad(string(f.State), 8), f.Run, f.Requirement, two(string(f.Severity), severityZH[f.Severity]), f.Version)
		if c.ID != "" {
			showLife(a.stdout, f)
		}
	}
	if c.ID != "" && answer.Report != nil && len(answer.Runs) == 1 && c.ID == answer.Runs[0].ID {
		return writeLabText(a.stdout, answer.Report, c.Lang, true)
	}
	return nil
}

func stampOf(t pos.Instant) string { return t.Time().Local().Format("2006-01-02 15:04") }

func showLife(w io.Writer, f *lab.Finding) {
	for _, s := range f.Life {
		fmt.Fprintf(w, "         %s  %s  %s  %s\n", stampOf(s.At), pad(string(s.State), 8), strings.Join(s.By, " + "), s.Text)
	}
}

func (c *labShow) transcript(a *app, answer *labAnswer) error {
	if answer.Report == nil {
		return errors.New("--transcript wants a run: touchstone lab show RUN-1 --transcript POSC-DT-16")
	}
	for _, r := range answer.Report.Results {
		if o := r.Observation; o.Requirement == strings.ToUpper(c.Transcript) && o.Transcript != "" {
			var kept labAnswer
			if err := c.question(a, change{LabQuery: &labQuery{Transcript: o.Transcript}}, &kept); err != nil {
				return err
			}
			_, err := a.stdout.Write(kept.Transcript)
			return err
		}
	}
	return fmt.Errorf("run %s has no transcript of %.20s", c.ID, c.Transcript)
}

type labReportCmd struct {
	directoryFlags
	ID     string `arg:"" help:"The run, RUN-1."`
	Format string `name:"format" default:"text" enum:"text,html,json" help:"text, html (printable) or json."`
	Lang   string `name:"lang" default:"en" help:"en or zh."`
}

// Run prints the report.
func (c *labReportCmd) Run(a *app) error {
	if _, err := labLang(c.Lang); err != nil {
		return err
	}
	var answer labAnswer
	if err := c.question(a, change{LabQuery: &labQuery{ID: c.ID}}, &answer); err != nil {
		return err
	}
	if answer.Report == nil {
		return fmt.Errorf("%.20s is no run", c.ID)
	}
	switch c.Format {
	case "json":
		enc := json.NewEncoder(a.stdout)
		enc.SetIndent("", " ")
		return enc.Encode(answer.Report)
	case "html":
		return writeLabHTML(a.stdout, answer.Report, c.Lang)
	}
	return writeLabText(a.stdout, answer.Report, c.Lang, false)
}

type labMarkCmd struct {
	actFlags
	Run_        string `arg:"" name:"run" help:"The run, RUN-1."`
	Requirement string `arg:"" help:"The requirement, POSC-HW-20."`
	Reason      string `name:"reason" required:"" help:"Why it does not apply." placeholder:"WORDS"`
}

// Run marks a requirement as not applicable.
func (c *labMarkCmd) Run(a *app) error {
	_, err := c.perform(a, change{Lab: &labChange{Mark: &labMark{Run: c.Run_, Requirement: strings.ToUpper(c.Requirement), Reason: c.Reason}}})
	return err
}

type labFindingCmd struct {
	actFlags
	ID      string `arg:"" help:"The finding, FND-1."`
	Step    string `arg:"" enum:"answer,fixed,retest,close,accept" help:"answer, fixed, retest, close or accept."`
	Text    string `name:"text" help:"What the maker answers, or a remark." placeholder:"WORDS"`
	In      string `name:"in" help:"Of fixed: the version." placeholder:"VERSION"`
	Run_    string `name:"run" help:"Of retest: the run that examined that version." placeholder:"RUN"`
	Control string `name:"control" help:"Of accept: the compensating control." placeholder:"WORDS"`
	Days    int    `name:"days" default:"90" help:"Of accept: how long it stands in, 90 at most."`
}

// Help is shown by touchstone lab finding --help.
func (labFindingCmd) Help() string {
	return `A finding is open, answered, fixed in a version, retested in a run that examined that version, closed; or accepted by two people
with a compensating control, for 90 days at most, and never a critical one. A retest that does not pass opens it again.

  touchstone lab finding FND-1 answer --text "a key was left in the package" --data DIR --as wu
  touchstone lab finding FND-1 fixed --in 1.0.3 --data DIR --as wu
  touchstone lab finding FND-1 retest --run RUN-3 --data DIR --as wu
  touchstone lab finding FND-1 close --data DIR --as wu
  touchstone lab finding FND-2 accept --control "released by hand" --days 30 --data DIR --as wu --with zheng`
}

// Run moves a finding on.
func (c *labFindingCmd) Run(a *app) error {
	to := map[string]lab.FindingState{"answer": lab.Answered, "fixed": lab.Fixed, "retest": lab.Retested, "close": lab.Closed, "accept": lab.Accepted}[c.Step]
	step := &lab.FindingStep{ID: c.ID, To: to, Text: c.Text, Version: c.In, Run: c.Run_}
	if to == lab.Accepted {
		step.Text, step.Days = c.Control, c.Days
	}
	_, err := c.perform(a, change{Lab: &labChange{Finding: step}})
	return err
}

type labOperations struct {
	directoryFlags
	JSON bool   `name:"json" help:"JSON."`
	Lang string `name:"lang" default:"en" help:"en or zh."`
}

// Run lists the requirements.
func (c *labOperations) Run(a *app) error {
	two, err := labLang(c.Lang)
	if err != nil {
		return err
	}
	var answer labAnswer
	if err := c.question(a, change{LabQuery: &labQuery{Operations: true}}, &answer); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(answer.Operations)
	}
	count := map[operationState]int{}
	for _, o := range answer.Operations {
		count[o.State]++
		fmt.Fprintf(a.stdout, "%s %s %s\n             %s\n", pad(o.Requirement, 10), pad(two(string(o.State), operationZH[o.State]), 15), two(o.Title.EN, o.Title.ZH), two(o.Why.EN, o.Why.ZH))
	}
	_, err = fmt.Fprintf(a.stdout, two("%d satisfied, %d in part, %d NOT SATISFIED, %d not applicable; at %s\n", "%d 项满足, %d 项部分满足, %d 项不满足, %d 项不适用; %s\n"),
		count[opSatisfied], count[opPartly], count[opNotSatisfied], count[opNotApplicable], answer.Now.Time().Local().Format(time.DateTime))
	return err
}
