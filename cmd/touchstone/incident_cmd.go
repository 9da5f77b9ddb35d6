package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"touchstone/incident"
	"touchstone/pos"
)

// incidentCmd is the work on incidents.
type incidentCmd struct {
	List     incidentListCmd     `cmd:"" help:"Every incident: severity, state, owner, its next deadline."`
	Show     incidentShowCmd     `cmd:"" help:"One incident: scope, what the failures share, cause, clocks, timeline."`
	Open     incidentOpenCmd     `cmd:"" help:"Open one by hand, or from a report."`
	Assign   incidentAssignCmd   `cmd:"" help:"Make an account its owner."`
	Note     incidentNoteCmd     `cmd:"" help:"Add to the timeline what was seen or done."`
	Severity incidentSeverityCmd `cmd:"" help:"Grade it otherwise, with the reason; clocks that now apply start."`
	Scope    incidentScopeCmd    `cmd:"" help:"Say what it touches: terminals, models, versions, and the window of exposure."`
	Cause    incidentCauseCmd    `cmd:"" help:"Say why it happened, and which entries of the journal prove it."`
	Action   incidentActionCmd   `cmd:"" help:"Note something that was done about it."`
	Link     incidentLinkCmd     `cmd:"" help:"Name the advisory, campaign, certificate, inspection, notice or claim that belongs to it."`
	Clock    incidentClockCmd    `cmd:"" help:"Deadlines: answer, start, waive."`
	Close    incidentCloseCmd    `cmd:"" help:"Close it: two people, a cause, an action, every clock answered."`
	Rules    incidentRulesCmd    `cmd:"" help:"The rules that open incidents, the duties with a deadline, severities and kinds; load others."`
	Drill    incidentDrillCmd    `cmd:"" help:"One incident from end to end, marked as a drill everywhere: no permit changes, nobody outside is told."`
}

// Help is shown by touchstone incident --help.
func (incidentCmd) Help() string {
	return `Incidents open by themselves when a rule over the journal finds one (touchstone incident rules), from a report
(touchstone report list), or by hand. Deadlines start with awareness; docs/operating/incidents.md says which.

  touchstone incident list
  touchstone incident show INC-1 --lang zh
  touchstone incident assign INC-1 qian --as qian
  touchstone incident clock answer INC-1 contain cac-report --statement "12387 called, number 20261128-7" --as qian
  touchstone incident cause INC-1 "serial-number keys of batch 7 were loaded twice" --entry 120 --entry 131 --as qian
  touchstone incident action INC-1 "campaign CMP-1 started" --as qian
  touchstone incident close INC-1 --as qian --with sun`
}

// act performs one act on incidents.
func (f *actFlags) incident(a *app, c incidentChange) error {
	_, err := f.perform(a, change{Incident: &c})
	return err
}

// instantFlag reads RFC 3339, a local time such as "2026-11-28 09:30", or a day, which is its first instant; "" is 0.
func instantFlag(name, text string) (pos.Instant, error) {
	if text == "" {
		return 0, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return pos.Instant(t.UnixNano()), nil
	}
	for _, form := range []string{time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(form, text, time.Local); err == nil {
			return pos.Instant(t.UnixNano()), nil
		}
	}
	return 0, fmt.Errorf("--%s: want a time such as 2026-11-28, \"2026-11-28 09:30\" or 2026-11-28T09:30:00+08:00", name)
}

// textFlag is a text given on the command line or in a file.
func textFlag(text, file string, most int) (string, error) {
	switch {
	case text != "" && file != "":
		return "", errors.New("give the text or --text-file, not both")
	case file == "":
		return text, nil
	}
	content, err := readFileUpTo(file, int64(most)+1)
	return string(trimEnd(content)), err
}

func trimEnd(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}

type scopeFlags struct {
	Terminals []string `name:"terminal" help:"A terminal; may be given again." placeholder:"ID"`
	Devices   []string `name:"serial" help:"A device's serial number; may be given again."`
	Models    []string `name:"model" help:"A model; may be given again." sep:"none"`
	Versions  []string `name:"app" help:"An application version; may be given again." placeholder:"VERSION"`
	Whole     bool     `name:"every-terminal" help:"Every terminal of these models and versions is touched, named or not."`
	From      string   `name:"from" help:"Begin of the window in which it was exposed." placeholder:"TIME"`
	To        string   `name:"to" help:"Its end; none: it goes on." placeholder:"TIME"`
}

func (f *scopeFlags) scope() (*incident.Scope, error) {
	s := &incident.Scope{Terminals: f.Terminals, Devices: f.Devices, Models: f.Models, Versions: f.Versions, Whole: f.Whole}
	var err1, err2 error
	s.From, err1 = instantFlag("from", f.From)
	s.To, err2 = instantFlag("to", f.To)
	return s, errors.Join(err1, err2)
}

type incidentOpenCmd struct {
	actFlags
	scopeFlags
	TitleEN  string `name:"title" help:"A title, English or any language."`
	TitleZH  string `name:"title-zh" help:"The title in Chinese."`
	Kind     string `name:"kind" help:"Such as attached_device: see touchstone incident rules." placeholder:"KIND"`
	Severity string `name:"severity" default:"general" help:"general, considerable, major or extreme."`
	Text     string `name:"text" help:"What happened."`
	TextFile string `name:"text-file" help:"File that says what happened." placeholder:"FILE"`
	Report   string `name:"report" help:"The report it comes from: what is not given is taken from it." placeholder:"NUMBER"`
	Aware    string `name:"aware" help:"When it became known, if not now." placeholder:"TIME"`
}

// Run opens it.
func (c *incidentOpenCmd) Run(a *app) error {
	text, err := textFlag(c.Text, c.TextFile, incident.MaxNote)
	if err != nil {
		return err
	}
	scope, err := c.scope()
	if err != nil {
		return err
	}
	aware, err := instantFlag("aware", c.Aware)
	if err != nil {
		return err
	}
	title := incident.Text{EN: c.TitleEN, ZH: c.TitleZH}
	if title == (incident.Text{}) && c.Report != "" {
		title = incident.Text{EN: "report " + c.Report, ZH: "举报 " + c.Report}
	}
	return c.incident(a, incidentChange{Op: incidentOpen, Title: title, Kind: c.Kind, Severity: c.Severity, Text: text, Report: c.Report, Scope: scope, At: aware})
}

type incidentAssignCmd struct {
	actFlags
	ID    string `arg:"" help:"Such as INC-1."`
	Owner string `arg:"" help:"The account."`
}

// Run assigns it.
func (c *incidentAssignCmd) Run(a *app) error {
	return c.incident(a, incidentChange{Op: incidentAssign, ID: c.ID, Owner: c.Owner})
}

type incidentNoteCmd struct {
	actFlags
	ID       string   `arg:"" help:"Such as INC-1."`
	Text     string   `arg:"" optional:"" help:"What was seen or done."`
	TextFile string   `name:"text-file" help:"File that says it." placeholder:"FILE"`
	Entries  []uint64 `name:"entry" help:"A journal entry that it speaks of; may be given again." placeholder:"N"`
}

// Run adds it.
func (c *incidentNoteCmd) Run(a *app) error {
	text, err := textFlag(c.Text, c.TextFile, incident.MaxNote)
	if err != nil {
		return err
	}
	return c.incident(a, incidentChange{Op: incidentNote, ID: c.ID, Text: text, Entries: c.Entries})
}

type incidentSeverityCmd struct {
	actFlags
	ID       string `arg:"" help:"Such as INC-1."`
	Severity string `arg:"" help:"general, considerable, major or extreme."`
	Why      string `name:"why" required:"" help:"The reason."`
	Kind     string `name:"kind" help:"Another kind, as well." placeholder:"KIND"`
}

// Run grades it.
func (c *incidentSeverityCmd) Run(a *app) error {
	return c.incident(a, incidentChange{Op: incidentGrade, ID: c.ID, Severity: c.Severity, Kind: c.Kind, Text: c.Why})
}

type incidentScopeCmd struct {
	actFlags
	scopeFlags
	ID string `arg:"" help:"Such as INC-1."`
}

// Run says the whole scope anew.
func (c *incidentScopeCmd) Run(a *app) error {
	scope, err := c.scope()
	if err != nil {
		return err
	}
	return c.incident(a, incidentChange{Op: incidentScope, ID: c.ID, Scope: scope})
}

type incidentCauseCmd struct {
	actFlags
	ID       string   `arg:"" help:"Such as INC-1."`
	Text     string   `arg:"" optional:"" help:"The cause."`
	TextFile string   `name:"text-file" help:"File that says it." placeholder:"FILE"`
	Entries  []uint64 `name:"entry" help:"A journal entry that proves it, again for each; none: those it was opened on." placeholder:"N"`
}

// Run sets it.
func (c *incidentCauseCmd) Run(a *app) error {
	text, err := textFlag(c.Text, c.TextFile, incident.MaxCause)
	if err != nil {
		return err
	}
	return c.incident(a, incidentChange{Op: incidentCause, ID: c.ID, Text: text, Entries: c.Entries})
}

type incidentActionCmd struct {
	actFlags
	ID   string `arg:"" help:"Such as INC-1."`
	Text string `arg:"" help:"What was done."`
}

// Run notes it.
func (c *incidentActionCmd) Run(a *app) error {
	return c.incident(a, incidentChange{Op: incidentAction, ID: c.ID, Text: c.Text})
}

type incidentLinkCmd struct {
	actFlags
	ID  string   `arg:"" help:"Such as INC-1."`
	IDs []string `arg:"" help:"Such as ADV-1 CMP-1 CRT-1 INS-1 NTC-1 CLM-1-7KQ2."`
}

// Run links them.
func (c *incidentLinkCmd) Run(a *app) error {
	return c.incident(a, incidentChange{Op: incidentLink, ID: c.ID, IDs: c.IDs})
}

type incidentClockCmd struct {
	Answer incidentAnswerCmd `cmd:"" help:"The recipient was told: with a notice, a document or a statement as the proof."`
	Start  incidentStartCmd  `cmd:"" help:"What a clock waits for took place."`
	Waive  incidentWaiveCmd  `cmd:"" help:"It need not be answered: two people, with the reason."`
}

type incidentAnswerCmd struct {
	actFlags
	ID        string   `arg:"" help:"Such as INC-1."`
	Clocks    []string `arg:"" help:"One or more, such as contain cac-report: see touchstone incident show."`
	Notice    string   `name:"notice" help:"The notice that told, such as NTC-1." placeholder:"NTC-N"`
	Document  string   `name:"document" help:"The document that was sent; it is kept." placeholder:"FILE"`
	Statement string   `name:"statement" help:"Your word: whom you told, how, and their number for it."`
	Sent      string   `name:"sent" help:"When, if not now." placeholder:"TIME"`
}

// Run answers them.
func (c *incidentAnswerCmd) Run(a *app) error {
	sent, err := instantFlag("sent", c.Sent)
	if err != nil {
		return err
	}
	file := c.Document
	if file != "" {
		if file, err = filepath.Abs(file); err != nil {
			return err
		}
	}
	return c.incident(a, incidentChange{Op: incidentAnswer, ID: c.ID, IDs: c.Clocks, Notice: c.Notice, Text: c.Statement, File: file, At: sent})
}

type incidentStartCmd struct {
	actFlags
	ID    string `arg:"" help:"Such as INC-1."`
	Clock string `arg:"" help:"Such as pfi-preliminary."`
	At    string `name:"at" help:"When, if not now." placeholder:"TIME"`
}

// Run starts it.
func (c *incidentStartCmd) Run(a *app) error {
	at, err := instantFlag("at", c.At)
	if err != nil {
		return err
	}
	return c.incident(a, incidentChange{Op: incidentStart, ID: c.ID, IDs: []string{c.Clock}, At: at})
}

type incidentWaiveCmd struct {
	actFlags
	ID     string `arg:"" help:"Such as INC-1."`
	Clock  string `arg:"" help:"Such as visa-notify."`
	Reason string `name:"reason" required:"" help:"Why it need not be answered."`
}

// Run waives it.
func (c *incidentWaiveCmd) Run(a *app) error {
	return c.incident(a, incidentChange{Op: incidentWaive, ID: c.ID, IDs: []string{c.Clock}, Text: c.Reason})
}

type incidentCloseCmd struct {
	actFlags
	ID string `arg:"" help:"Such as INC-1."`
}

// Run closes it.
func (c *incidentCloseCmd) Run(a *app) error {
	return c.incident(a, incidentChange{Op: incidentClose, ID: c.ID})
}

type incidentRulesCmd struct {
	Show   incidentRulesShow   `cmd:"" default:"withargs" help:"Those in force."`
	Load   incidentRulesLoad   `cmd:"" help:"Put rules over the journal in force from a JSON file; two people."`
	Clocks incidentRulesClocks `cmd:"" help:"Put duties with a deadline in force from a JSON file; two people."`
}

type incidentRulesLoad struct {
	actFlags
	File string `arg:"" help:"JSON as docs/operating/incidents.md says."`
}

// Run loads them.
func (c *incidentRulesLoad) Run(a *app) error {
	abs, err := filepath.Abs(c.File)
	if err != nil {
		return err
	}
	return c.incident(a, incidentChange{Op: incidentRules, File: abs})
}

type incidentRulesClocks struct {
	actFlags
	File string `arg:"" help:"JSON as docs/operating/incidents.md says."`
}

// Run loads them.
func (c *incidentRulesClocks) Run(a *app) error {
	abs, err := filepath.Abs(c.File)
	if err != nil {
		return err
	}
	return c.incident(a, incidentChange{Op: incidentClocks, File: abs})
}

type incidentListCmd struct {
	directoryFlags
	All    bool   `name:"all" help:"Closed ones too; with --json they are always there."`
	Drills bool   `name:"drills" help:"Drills too."`
	JSON   bool   `name:"json" help:"One JSON object."`
	Lang   string `name:"lang" default:"en" help:"en or zh."`
}

// Run lists them.
func (c *incidentListCmd) Run(a *app) error {
	var answer incidentAnswerShown
	if err := c.question(a, change{Incidents: &incidentQuery{}}, &answer); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(answer.Incidents)
	}
	l, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	return l.incidents(&answer, c.All, c.Drills)
}

type incidentShowCmd struct {
	directoryFlags
	ID   string `arg:"" help:"Such as INC-1."`
	JSON bool   `name:"json" help:"One JSON object."`
	Lang string `name:"lang" default:"en" help:"en or zh."`
}

// Run shows it.
func (c *incidentShowCmd) Run(a *app) error {
	answer, err := c.ask(a)
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(answer.Incidents[0])
	}
	l, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	return l.incident(&answer.Incidents[0], answer.Now)
}

func (c *incidentShowCmd) ask(a *app) (answer incidentAnswerShown, err error) {
	err = c.question(a, change{Incidents: &incidentQuery{ID: c.ID}}, &answer)
	if err == nil && len(answer.Incidents) != 1 {
		err = errNoIncident
	}
	return answer, err
}

type incidentRulesShow struct {
	directoryFlags
	JSON bool   `name:"json" help:"One JSON object."`
	Lang string `name:"lang" default:"en" help:"en or zh."`
}

// Run shows the data in force.
func (c *incidentRulesShow) Run(a *app) error {
	var answer incidentAnswerShown
	if err := c.question(a, change{Incidents: &incidentQuery{Data: true}}, &answer); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(answer.Data)
	}
	l, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	return l.incidentData(answer.Data)
}
