package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"touchstone/fleet"
)

// inspectCmd records and lists inspections.
type inspectCmd struct {
	Record inspectRecord `cmd:"" default:"withargs" help:"One visit: the checklist's answers, photographs; the word record may be left out."`
	Due    inspectDue    `cmd:"" help:"Which deployed devices are to be inspected, the most urgent first."`
	List   inspectList   `cmd:"" help:"Every inspection."`
	Show   inspectShow   `cmd:"" help:"One inspection with every answer."`
	Form   inspectForm   `cmd:"" help:"The checklist, as a form of answers to fill in."`
}

// Help is shown by touchstone inspect --help.
func (inspectCmd) Help() string {
	return `An inspection answers every item of the checklist. Without --answers it asks, one after another. What is found raises the
alarm where it may be an attack (anything attached, a foreign object, an extra cable, a camera, another serial number): the
device is quarantined at once, and refused from its next message on.

  touchstone inspect form --data shop > answers.json                              fill it in
  touchstone inspect 10000001 --data shop --as li --answers answers.json --photo front.jpg --photo slot.jpg
  touchstone inspect 10000001 --data shop --as li --answers answers.json --answer attached_device=yes
  touchstone inspect due --data shop --within 168h
  touchstone inspect show INS-1 --data shop --lang zh`
}

type inspectRecord struct {
	careFlags
	Subject string            `arg:"" help:"The terminal, or the device's serial number."`
	Answers string            `name:"answers" help:"JSON object of item to answer; - for standard input." placeholder:"FILE"`
	Answer  map[string]string `name:"answer" help:"One answer, over those of the file." placeholder:"ITEM=ANSWER"`
	Photos  []string          `name:"photo" help:"A photograph, JPEG or PNG; may be given again." placeholder:"FILE"`
	Note    string            `name:"note" help:"What else the inspector saw."`
}

// maxAnswers bounds a file of answers.
const maxAnswers = 64 << 10

// Run records the visit; the exit code is 1 where something was found.
func (c *inspectRecord) Run(a *app) error {
	answers, err := c.answers(a)
	if err != nil {
		return err
	}
	photos, err := absolute(c.Photos)
	if err != nil {
		return err
	}
	told, err := c.do(a, change{Inspect: &inspectChange{Subject: c.Subject, Answers: answers, Note: c.Note, Photographs: photos}})
	if err == nil && told.Facts["result"] == "failed" {
		return exitError{1}
	}
	return err
}

func (c *inspectRecord) answers(a *app) (map[string]string, error) {
	answers := map[string]string{}
	if c.Answers != "" {
		raw, err := readTerminalFile(a, c.Answers)
		if err != nil {
			return nil, err
		}
		if len(raw) > maxAnswers || json.Unmarshal(raw, &answers) != nil || answers == nil {
			return nil, fmt.Errorf("%s: want a JSON object of item to answer, both texts: see touchstone inspect form", c.Answers)
		}
	}
	for item, answer := range c.Answer {
		answers[item] = answer
	}
	if len(answers) > 0 {
		return answers, nil
	}
	return c.ask(a)
}

// ask goes through the checklist with a person.
func (c *inspectRecord) ask(a *app) (map[string]string, error) {
	var answer careAnswer
	if err := c.question(a, change{Devices: &careQuery{Form: true}}, &answer); err != nil {
		return nil, err
	}
	show, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return nil, err
	}
	in := bufio.NewReader(io.LimitReader(a.stdin, maxAnswers))
	answers := map[string]string{}
	for n, item := range answer.Checklist.Items {
		hint := ""
		switch item.Kind {
		case "yes_no":
			hint = show.two(" (yes/no)", " (yes 是/no 否)")
		case "count", "grams":
			hint = show.two(" (number)", " (数字)")
		}
		fmt.Fprintf(a.stdout, "%2d/%d %s%s: ", n+1, len(answer.Checklist.Items), show.two(item.EN, item.ZH), hint)
		text, err := in.ReadString('\n')
		if text = strings.TrimSpace(text); err != nil && text == "" {
			return nil, errors.New("the answers ended before the checklist did: nothing is recorded")
		}
		switch text {
		case "y", "是":
			text = "yes"
		case "n", "否":
			text = "no"
		}
		answers[item.ID] = text
	}
	fmt.Fprintln(a.stdout)
	return answers, nil
}

type inspectForm struct {
	directoryFlags
	Lang string `name:"lang" default:"en" enum:"en,zh" help:"Of the questions, on standard error: en or zh."`
}

// Run prints the form; what each item asks goes to standard error.
func (c *inspectForm) Run(a *app) error {
	var answer careAnswer
	if err := c.question(a, change{Devices: &careQuery{Form: true}}, &answer); err != nil {
		return err
	}
	show, err := newLines(a.stderr, c.Lang, false)
	if err != nil {
		return err
	}
	form := map[string]string{}
	for _, i := range answer.Checklist.Items {
		form[i.ID] = ""
		fmt.Fprintf(a.stderr, "%s  %s\n", pad(i.ID, 18), show.two(i.EN, i.ZH))
	}
	enc := json.NewEncoder(a.stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(form)
}

type inspectDue struct {
	directoryFlags
	Within  time.Duration `name:"within" default:"168h" help:"How far ahead."`
	Glances bool          `name:"glances" help:"Instead: terminals at which no cashier looked of late."`
	JSON    bool          `name:"json" help:"One JSON object a line."`
	Lang    string        `name:"lang" default:"en" enum:"en,zh" help:"en or zh."`
}

// Run lists what is due.
func (c *inspectDue) Run(a *app) error {
	var answer careAnswer
	query := &careQuery{Due: max(1, int64(c.Within/time.Second))}
	if c.Glances {
		query = &careQuery{Unseen: true}
	}
	if err := c.question(a, change{Devices: query}, &answer); err != nil {
		return err
	}
	if c.JSON {
		return encodeLines(a.stdout, answer.Due)
	}
	show, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	if len(answer.Due) == 0 {
		_, err := fmt.Fprintln(a.stdout, show.two("nothing is due by then", "此前没有到期项"))
		return err
	}
	for _, d := range answer.Due {
		state := ""
		switch {
		case d.Failed:
			state = show.word("failed")
		case d.Overdue:
			state = show.word("overdue")
		}
		if _, err := fmt.Fprintf(a.stdout, "%s  %s  %s  %s  %s  %s  %s\n", show.day(d.Due), d.Terminal, pad(string(d.Serial), 22), pad(show.word(string(d.Site)), 12),
			pad(show.word(string(d.Risk)), 7), pad(state, 8), d.Address); err != nil {
			return err
		}
	}
	return nil
}

// encodeLines writes one JSON object a line.
func encodeLines[T any](w io.Writer, list []T) error {
	enc := json.NewEncoder(w)
	for i := range list {
		if err := enc.Encode(list[i]); err != nil {
			return err
		}
	}
	return nil
}

type inspectList struct {
	directoryFlags
	JSON bool   `name:"json" help:"One JSON object a line."`
	Lang string `name:"lang" default:"en" enum:"en,zh" help:"en or zh."`
}

// Run lists the inspections, the oldest first.
func (c *inspectList) Run(a *app) error {
	var answer careAnswer
	if err := c.question(a, change{Devices: &careQuery{Visits: true}}, &answer); err != nil {
		return err
	}
	if c.JSON {
		return encodeLines(a.stdout, answer.Inspections)
	}
	show, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	for _, i := range answer.Inspections {
		if _, err := fmt.Fprintf(a.stdout, "%s  %s  %s  %s  %s  %s\n", pad(i.ID, 8), show.day(i.At), i.Terminal, pad(string(i.Serial), 22), pad(i.Inspector, 8), show.verdict(i)); err != nil {
			return err
		}
	}
	return nil
}

func (l *lines) verdict(i *fleet.Inspection) string {
	if i.Passed {
		return l.two("passed", "通过")
	}
	var items []string
	for _, f := range i.Findings {
		items = append(items, f.Item)
	}
	text := l.word("failed") + ": " + strings.Join(items, ", ")
	if i.Quarantined {
		text += "  " + l.word("quarantined")
	}
	return text
}

type inspectShow struct {
	directoryFlags
	ID   string `arg:"" help:"Such as INS-1."`
	AsOf string `name:"as-of" help:"As it was known on a day (its end), or at an instant (RFC 3339)." placeholder:"DATE"`
	JSON bool   `name:"json" help:"One JSON object."`
	Lang string `name:"lang" default:"en" enum:"en,zh" help:"en or zh."`
}

// Run shows one inspection.
func (c *inspectShow) Run(a *app) error {
	at, err := asOf(c.AsOf)
	if err != nil {
		return err
	}
	var answer careAnswer
	if err := c.question(a, change{Devices: &careQuery{Inspection: c.ID, Form: true, AsOf: at}}, &answer); err != nil {
		return err
	}
	i := answer.Inspections[0]
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(i)
	}
	show, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	show.row(show.two("inspection", "巡检"), i.ID, show.day(i.At), i.Inspector, show.verdict(i))
	show.row(show.two("device", "设备"), string(i.Serial), i.Model, i.Terminal.String(), show.word(string(i.Site)))
	for _, item := range answer.Checklist.Items {
		wrong := ""
		for _, f := range i.Findings {
			if f.Item == item.ID {
				wrong = show.two("← expected ", "← 应为 ") + f.Expected
			}
		}
		show.row("", pad(show.two(item.EN, item.ZH), 60), i.Answers[item.ID], wrong)
	}
	for _, p := range i.Photographs {
		show.row(show.two("photograph", "照片"), p.Digest, p.Type, fmt.Sprintf("%d x %d", p.Width, p.Height), fmt.Sprintf("%d bytes", p.Bytes))
	}
	show.row(show.two("next due", "下次到期"), show.day(i.Due))
	return nil
}

// glanceCmd is a cashier's daily look.
type glanceCmd struct {
	careFlags
	Terminal string `arg:"" help:"The terminal."`
	Operator string `name:"operator" required:"" help:"The cashier's operator number, as in the sign-in: three digits."`
	Wrong    string `name:"wrong" help:"What is wrong; without it all is well." placeholder:"WHAT"`
}

// Help is shown by touchstone glance --help.
func (glanceCmd) Help() string {
	return `Once a day a cashier looks at the terminal: seals, slot, keypad, cables, anything new around it.

  touchstone glance 10000001 --data shop --operator 001
  touchstone glance 10000001 --data shop --operator 001 --wrong "something sits on the card slot"`
}

// Run records the look.
func (c *glanceCmd) Run(a *app) error {
	_, err := c.do(a, change{Glance: &glanceChange{Terminal: c.Terminal, Operator: c.Operator, Wrong: c.Wrong}})
	return err
}
