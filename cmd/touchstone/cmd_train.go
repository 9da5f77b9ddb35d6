package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"touchstone/staff"
)

// trainCmd is the rule of the counter and its test.
type trainCmd struct {
	Sit     trainSit        `cmd:"" default:"withargs" help:"Take the test: the questions one by one, or from a file of answers."`
	Rule    trainRule       `cmd:"" help:"The rule, one page."`
	Status  trainStatus     `cmd:"" help:"Who is trained until when, and who is not."`
	Confirm trainConfirmCmd `cmd:"" help:"Record that a shop has read the rule."`
	Record  trainRecordCmd  `cmd:"" help:"Record a course that somebody of the staff passed elsewhere."`
}

// Help is shown by touchstone train --help.
func (trainCmd) Help() string {
	return `Twelve questions about the rule, drawn from a bank; 80 % right answers pass, for a year. Whoever begins and does not finish
begins again, and both stand in the journal; which answers were given does not. A new rule or bank leaves former passes good
until they expire.

  touchstone train rule --lang zh
  touchstone train --data shop --merchant 898310058120001 --operator 001 --lang zh --as chen
  touchstone train --data shop --merchant 898310058120001 --operator 001 --answers answers.json --as chen
  touchstone train --data shop --account qian --as qian
  touchstone train status --data shop --merchant 898310058120001
  touchstone train record --data shop --account gao --topic developer_security --course "Secure Go, Sample Academy" --as zhao

An answers file is one JSON object, choice by question: {"Q01":"c","Q02":"a"}. In a test data directory the right answers
are published in its directory training.`
}

// answersFile is where a test data directory publishes the right answers.
const (
	trainingDirectory = "training"
	answersFile       = "answers.json"
)

// maxTestAnswers bounds an answers file, bytes.
const maxTestAnswers = 64 << 10

type trainSit struct {
	actFlags
	Merchant string `name:"merchant" help:"The cashier's shop." placeholder:"ID"`
	Operator string `name:"operator" help:"The cashier's operator number." placeholder:"NUMBER"`
	Account  string `name:"account" help:"Or the account whose person takes the test." placeholder:"NAME"`
	Answers  string `name:"answers" help:"File of answers, - for standard input, instead of questions one by one." placeholder:"FILE"`
	Lang     string `name:"lang" default:"en" help:"en or zh."`
	JSON     bool   `name:"json" help:"The result as one JSON object."`
}

// Run takes the test; the exit code is 1 when it is not passed.
func (c *trainSit) Run(a *app) error {
	show, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	if (c.Account == "") == (c.Merchant == "" || c.Operator == "") {
		return errors.New("train: whose test? give --merchant and --operator, or --account")
	}
	bank, err := staff.LoadBank()
	if err != nil {
		return err
	}
	answers, err := c.readAnswers(a)
	if err != nil {
		return err
	}
	request := trainingChange{Do: trainBegin, Merchant: c.Merchant, Operator: c.Operator, Account: c.Account}
	begun, err := c.ask(a, request)
	if err != nil {
		return err
	}
	if begun.Facts["bank"] != bank.Version {
		return fmt.Errorf("the host has question bank %s and this program %s: use the host's program", begun.Facts["bank"], bank.Version)
	}
	if answers == nil {
		if answers, err = show.sit(a.stdin, a.stdout, bank, bank.Paper(begun.Facts["seed"])); err != nil {
			return err
		}
	}
	request.Do, request.ID, request.Answers = trainEnd, begun.Facts["training"], answers
	done, err := c.ask(a, request)
	if err != nil {
		return err
	}
	return c.tell(a, show, bank, done.Facts)
}

// ask signs and carries out one step.
func (c *trainSit) ask(a *app, step trainingChange) (changed, error) {
	return c.signed(a, change{Training: &step})
}

// readAnswers reads the answers file, nil when none is given.
func (c *trainSit) readAnswers(a *app) (map[string]string, error) {
	if c.Answers == "" {
		return nil, nil
	}
	raw, err := readTerminalFile(a, c.Answers)
	if err != nil {
		return nil, err
	}
	answers, err := parseAnswers(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Answers, err)
	}
	return answers, nil
}

// parseAnswers reads choices by question.
func parseAnswers(raw []byte) (map[string]string, error) {
	var answers map[string]string
	if len(raw) > maxTestAnswers || json.Unmarshal(raw, &answers) != nil || len(answers) == 0 {
		return nil, errors.New(`answers: want one JSON object such as {"Q01":"c","Q02":"a"}`)
	}
	for q, choice := range answers {
		if len(q) > 8 || len(choice) > 1 {
			return nil, errors.New(`answers: want the number of a question and one letter each, such as "Q01":"c"`)
		}
	}
	return answers, nil
}

// sit asks the questions of a paper one by one. End of input ends the test with what was answered.
func (l *lines) sit(in io.Reader, out io.Writer, bank *staff.Bank, paper staff.Paper) (map[string]string, error) {
	fmt.Fprintf(out, l.two("%s\n%d questions; %d %% right answers pass. Answer by number.\n", "%s\n共 %d 题, 答对 %d%% 通过。请输入选项的数字。\n"),
		l.two(bank.Rule.Title.EN, bank.Rule.Title.ZH), len(paper.Questions), staff.PassPercent)
	answers, read := map[string]string{}, bufio.NewScanner(io.LimitReader(in, maxTestAnswers))
	for i, q := range paper.Questions {
		fmt.Fprintf(out, "\n%d. %s\n", i+1, l.two(q.Text.EN, q.Text.ZH))
		for n, choice := range q.Choices {
			fmt.Fprintf(out, "   %d) %s\n", n+1, l.two(choice.Text.EN, choice.Text.ZH))
		}
		for answers[q.ID] == "" {
			fmt.Fprint(out, "> ")
			if !read.Scan() {
				return answers, read.Err()
			}
			n, err := strconv.Atoi(strings.TrimSpace(read.Text()))
			if err != nil || n < 1 || n > len(q.Choices) {
				fmt.Fprintf(out, l.two("a number from 1 to %d\n", "请输入 1 到 %d\n"), len(q.Choices))
				continue
			}
			answers[q.ID] = q.Choices[n-1].ID
		}
	}
	return answers, nil
}

// tell says how the test ended and which points of the rule to read again; never which answer was right.
func (c *trainSit) tell(a *app, l *lines, bank *staff.Bank, facts map[string]string) error {
	passed := facts[factState] == string(staff.Passed)
	if c.JSON {
		if err := json.NewEncoder(a.stdout).Encode(facts); err != nil {
			return err
		}
	} else {
		verdict := fmt.Sprintf(l.two("not passed: %s right; begin again when you have read the rule: %s train rule", "未通过: 答对 %s; 请先阅读守则再考: %s train rule"), facts[factScore], program())
		if passed {
			verdict = fmt.Sprintf(l.two("passed: %s right; valid until %s", "通过: 答对 %s; 有效至 %s"), facts[factScore], facts[factUntil])
		}
		fmt.Fprintln(a.stdout, verdict)
		for _, p := range bank.Rule.Points {
			if strings.Contains(","+facts[factWrong]+",", ","+p.Topic+",") {
				fmt.Fprintf(a.stdout, "  %s %s\n", l.two("read again:", "请重读:"), l.two(p.Name.EN, p.Name.ZH))
			}
		}
	}
	if !passed {
		return exitError{1}
	}
	return nil
}

type trainRule struct {
	Lang string `name:"lang" default:"en" help:"en or zh."`
}

// Run prints the rule.
func (c *trainRule) Run(a *app) error {
	l, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	bank, err := staff.LoadBank()
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s\n%s %s, %s\n\n", l.two(bank.Rule.Title.EN, bank.Rule.Title.ZH), l.two("version", "版本"), bank.Rule.Version, bank.Rule.Date)
	for i, p := range bank.Rule.Points {
		fmt.Fprintf(a.stdout, "%2d. %s\n    %s\n", i+1, l.two(p.Name.EN, p.Name.ZH), l.two(p.Text.EN, p.Text.ZH))
	}
	fmt.Fprintf(a.stdout, "\n%s\n", l.two("sources (V read, S secondary, R recalled):", "来源 (V 已读原文, S 二手资料, R 凭记忆):"))
	for _, s := range bank.Rule.Sources {
		fmt.Fprintf(a.stdout, "  [%s] %s\n", s.Mark, s.Source)
	}
	return nil
}

type trainStatus struct {
	directoryFlags
	Merchant string `name:"merchant" help:"Of this shop alone." placeholder:"ID"`
	JSON     bool   `name:"json" help:"One JSON object: cashiers, staff, developers, accounts, shops that confirmed."`
	Lang     string `name:"lang" default:"en" help:"en or zh."`
}

// Run shows who is trained until when.
func (c *trainStatus) Run(a *app) error {
	l, err := newLines(a.stdout, c.Lang, false)
	if err != nil {
		return err
	}
	var r registerAnswer
	if err := c.question(a, change{Register: &registerQuery{c.Merchant}}, &r); err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(r)
	}
	type part struct {
		title string
		list  []staff.Standing
	}
	parts := []part{{l.two("at the counter", "收银台"), r.Cashiers}}
	if c.Merchant == "" {
		parts = append(parts, part{l.two("with an account", "有账号的人员"), r.Staff}, part{l.two("developers", "开发人员"), r.Developers})
	}
	for _, p := range parts {
		fmt.Fprintf(a.stdout, "%s: %d\n", p.title, len(p.list))
		if err := l.standings(a.stdout, p.list); err != nil {
			return err
		}
	}
	fmt.Fprintf(a.stdout, "%s %s (%s): ", l.two("read rule", "已阅读守则"), r.Rule, r.RuleDate)
	confirmed := 0
	for _, g := range r.Guidance {
		if g.Rule == r.Rule {
			fmt.Fprintf(a.stdout, "\n  %s  %s  %s", g.Merchant, g.By, g.At.Time().In(l.zone).Format(time.DateOnly))
			confirmed++
		}
	}
	if confirmed == 0 {
		fmt.Fprint(a.stdout, l.two("no shop", "无商户"))
	}
	_, err = fmt.Fprintln(a.stdout)
	return err
}

type trainConfirmCmd struct {
	actFlags
	Merchant string `name:"merchant" required:"" help:"The shop." placeholder:"ID"`
}

// Run records that the shop has read the rule of this version.
func (c *trainConfirmCmd) Run(a *app) error {
	_, err := c.perform(a, change{Training: &trainingChange{Do: trainConfirm, Merchant: c.Merchant}})
	return err
}

type trainRecordCmd struct {
	actFlags
	Account string `name:"account" required:"" help:"Who passed it." placeholder:"NAME"`
	Topic   string `name:"topic" required:"" enum:"developer_security,incident_response" help:"developer_security or incident_response."`
	Course  string `name:"course" required:"" help:"Its name and provider." placeholder:"TEXT"`
}

// Run records the course.
func (c *trainRecordCmd) Run(a *app) error {
	_, err := c.perform(a, change{Training: &trainingChange{Do: trainRecord, Account: c.Account, Topic: staff.Topic(c.Topic), Course: c.Course}})
	return err
}
