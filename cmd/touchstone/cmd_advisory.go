package main

import (
	"fmt"
	"path/filepath"
	"time"

	"touchstone/fleet"
	"touchstone/pos"
)

// advisoryCmd keeps what is known of weaknesses.
type advisoryCmd struct {
	Add    advisoryAdd    `cmd:"" help:"Take a CSAF 2.0 or OSV document in; which it is, is found out."`
	List   advisoryList   `cmd:"" help:"Every advisory."`
	Show   advisoryShow   `cmd:"" help:"One advisory, in words."`
	Radius advisoryRadius `cmd:"" help:"The terminals, shops and the day's sales that an advisory touches."`
	Export advisoryExport `cmd:"" help:"Write an advisory as CSAF or OSV, or as it came."`
	Close  advisoryClose  `cmd:"" help:"Say that an advisory no longer counts."`
}

// Help is shown by touchstone advisory --help.
func (advisoryCmd) Help() string {
	return `An advisory names a model, its hardware versions and the application versions that have a weakness. What is not known of a
device does not save it: it counts as touched until its hardware and version are known.

  touchstone advisory add advisory.json --data shop --as qian
  touchstone advisory radius ADV-1 --data shop
  touchstone advisory export ADV-1 --format osv --data shop > ADV-1.osv.json
  touchstone campaign start --advisory ADV-1 --deadline 48h --restriction no_refund,online_only --data shop --as qian --with sun`
}

type advisoryAdd struct {
	actFlags
	File        string `arg:"" help:"CSAF 2.0 or OSV, JSON."`
	Certificate string `name:"certificate" help:"What it does to security certificates, where the document does not say."`
	Link        string `name:"certificate-id" help:"The certificate it touches, such as CRT-1." placeholder:"CRT"`
}

// Run takes the advisory in.
func (c *advisoryAdd) Run(a *app) error {
	path, err := filepath.Abs(c.File)
	if err != nil {
		return err
	}
	_, err = c.perform(a, change{Advisory: &advisoryChange{File: path, Certificate: c.Certificate, Link: c.Link}})
	return err
}

type advisoryClose struct {
	actFlags
	ID  string `arg:"" help:"Such as ADV-1."`
	Why string `name:"why" required:"" help:"Why it no longer counts."`
}

// Run closes the advisory.
func (c *advisoryClose) Run(a *app) error {
	_, err := c.perform(a, change{Advisory: &advisoryChange{Close: c.ID, Why: c.Why}})
	return err
}

type advisoryList struct{ readFlags }

// Run lists the advisories.
func (c *advisoryList) Run(a *app) error {
	answer, l, shown, err := c.ask(a, updatesQuery{What: "advisories"})
	if err != nil || shown {
		return err
	}
	if len(answer.Advisories) == 0 {
		_, err := fmt.Fprintln(a.stdout, l.two("no advisories", "没有安全通告"))
		return err
	}
	for _, x := range answer.Advisories {
		fmt.Fprintf(a.stdout, " %s %s %s %s\n", pad(x.ID, 8), pad(advisoryStateText(l, x.State), 7), pad(severityText(l, x.Severity), 8), x.Title)
		for _, t := range x.Affected {
			fmt.Fprintf(a.stdout, "          %s\n", affectedText(l, &t))
		}
	}
	return nil
}

func advisoryStateText(l *lines, s fleet.AdvisoryState) string {
	if s == fleet.AdvisoryOpen {
		return l.two("open", "有效")
	}
	return l.two("closed", "已关闭")
}

func severityText(l *lines, s fleet.Severity) string {
	switch s {
	case fleet.Critical:
		return l.two("critical", "严重")
	case fleet.High:
		return l.two("high", "高")
	case fleet.Medium:
		return l.two("medium", "中")
	case fleet.Low:
		return l.two("low", "低")
	}
	return l.two("unknown", "未知")
}

func affectedText(l *lines, t *fleet.Affected) string {
	return fmt.Sprintf(l.two("%s, hardware %s, application %s", "%s, 硬件 %s, 应用 %s"), t.Model, t.Hardware, t.Versions)
}

type advisoryShow struct {
	readFlags
	ID string `arg:"" help:"Such as ADV-1."`
}

// Run shows an advisory.
func (c *advisoryShow) Run(a *app) error {
	answer, l, shown, err := c.ask(a, updatesQuery{What: "advisories", ID: c.ID})
	if err != nil || shown {
		return err
	}
	x := answer.Advisories[0]
	fmt.Fprintf(a.stdout, "\n %s  %s  %s\n %s\n\n", x.ID, advisoryStateText(l, x.State), severityText(l, x.Severity), x.Title)
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(a.stdout, " %s %s\n", pad(name, 14), text)
		}
	}
	for _, t := range x.Affected {
		row(l.two("touches", "影响"), affectedText(l, &t))
	}
	row(l.two("what", "说明"), l.two(x.Text, firstOf(x.TextZH, x.Text)))
	row(l.two("certificate", "证书"), x.Certificate)
	row(l.two("its number", "证书编号"), x.Link)
	row("CVE", x.CVE)
	row("CVSS", x.CVSS)
	row(l.two("publisher", "发布者"), x.Publisher)
	row(l.two("document", "文件"), fmt.Sprintf("%s %s, sha-256 %s", x.Format, x.Source, x.Digest))
	row(l.two("closed", "关闭原因"), x.Why)
	return nil
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

type advisoryExport struct {
	directoryFlags
	ID     string `arg:"" help:"Such as ADV-1."`
	Format string `name:"format" default:"csaf" enum:"csaf,osv,source" help:"csaf, osv, or source: the document as it came."`
}

// Run writes the advisory.
func (c *advisoryExport) Run(a *app) error {
	var answer updatesAnswer
	if err := c.question(a, change{Updates: &updatesQuery{What: "export", ID: c.ID, Format: c.Format}}, &answer); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.stdout, "%s\n", answer.Document)
	return err
}

type advisoryRadius struct {
	readFlags
	ID    string `arg:"" help:"Such as ADV-1."`
	Limit int    `name:"limit" default:"20" help:"The most terminals listed."`
}

// Run shows what an advisory touches.
func (c *advisoryRadius) Run(a *app) error {
	answer, l, shown, err := c.ask(a, updatesQuery{What: "radius", ID: c.ID, Limit: c.Limit})
	if err != nil || shown {
		return err
	}
	r := answer.Radius
	fmt.Fprintf(a.stdout, l.two("\n %s touches %d terminals in %d shops: %d to upgrade, %d to replace, %d to inspect\n",
		"\n %s 影响 %d 台终端, %d 家商户: %d 台升级, %d 台更换, %d 台需检查\n"), r.Advisory, r.Tally.Terminals, len(r.Shops), r.Tally.Upgrade, r.Tally.Replace, r.Tally.Inspect)
	fmt.Fprintf(a.stdout, l.two(" their approved sales since %s: %d, %s (of %d, %s in all)\n", " 自 %s 起其成功消费: %d 笔, %s (全部 %d 笔, %s)\n"),
		r.Since.Format("2006-01-02 15:04"), r.Sales.Sales, r.Sales.Amount, r.All.Sales, r.All.Amount)
	if r.Tally.Unsure > 0 {
		fmt.Fprintf(a.stdout, l.two(" %d of them because their hardware or application version is not known\n", " 其中 %d 台因硬件或应用版本未知\n"), r.Tally.Unsure)
	}
	fmt.Fprintln(a.stdout)
	for _, t := range r.Listed {
		writeReached(a, l, &t)
	}
	if r.Hidden > 0 {
		fmt.Fprintf(a.stdout, l.two(" and %d more: --limit\n", " 还有 %d 台: --limit\n"), r.Hidden)
	}
	return nil
}

// writeReached is one touched terminal and what has to be done with it.
func writeReached(a *app, l *lines, t *reachedTerminal) {
	known := func(s string) string {
		if s == "" {
			return "?"
		}
		return s
	}
	sales := ""
	if t.Sales.Sales > 0 {
		sales = fmt.Sprintf(l.two("  %d sales, %s", "  %d 笔, %s"), t.Sales.Sales, t.Sales.Amount)
	}
	fmt.Fprintf(a.stdout, " %s %s %s %s %s%s\n", t.Terminal, pad(t.Model, 14), pad(l.two("hw ", "硬件 ")+known(t.Hardware), 9), pad(l.two("app ", "应用 ")+known(t.Version), 13),
		answerText(l, t.Answer, t.To, t.Hardware), sales)
}

// answerText is what has to be done with a terminal, in words.
func answerText(l *lines, kind fleet.AnswerKind, to, hardware string) string {
	switch kind {
	case fleet.Upgrade:
		return fmt.Sprintf(l.two("upgrade to %s", "升级到 %s"), to)
	case fleet.Replace:
		return fmt.Sprintf(l.two("replace, because no fixed version runs on this hardware (%s)", "更换: 没有修复版本可在该硬件 (%s) 上运行"), hardware)
	case fleet.InspectFirst:
		return l.two("inspect: its hardware version is not on record", "检查: 硬件版本没有登记")
	}
	return l.two("nothing", "无需处理")
}

// lateBy tells how long a deadline is off or over.
func lateBy(l *lines, deadline, now pos.Instant) string {
	if left := deadline.Sub(now); left > 0 {
		return fmt.Sprintf(l.two("%s left", "还有 %s"), toTheMinute(left))
	}
	return fmt.Sprintf(l.two("over for %s", "已超过 %s"), toTheMinute(now.Sub(deadline)))
}

// toTheMinute is a duration such as 47h58m, and 0m for less than half a minute.
func toTheMinute(d time.Duration) string {
	d = d.Round(time.Minute)
	if d < time.Hour {
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
}
