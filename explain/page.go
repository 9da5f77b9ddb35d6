package explain

import (
	"fmt"
	"strings"

	"touchstone/pos"
	"touchstone/reason"
)

// Page is one file of the reference of reasons and causes.
type Page struct {
	Path string // below docs/reasons: "en/mac_failed.md"
	Text string // Markdown, ends with a line break
}

// Shown is a fault of the reference terminal that shows a reason, or makes a cause found.
type Shown struct {
	Fault   string // as touchstone terminal --fault takes it
	Reason  reason.Reason
	Cause   reason.Cause // NoCause: none is proven by it
	Variant string
}

// MaxShown is the most faults that a page names.
const MaxShown = 6

// Pages makes the reference: in each language a page for every reason and every cause, and an index. faults are those
// of the reference terminal; a page without one says so.
func (c *Catalogue) Pages(faults []Shown) []Page {
	var pages []Page
	for _, l := range []Language{English, Chinese} {
		index := &pageWriter{c: c, l: l}
		index.index()
		pages = append(pages, Page{l.String() + "/README.md", index.String()})
		for _, r := range reason.All() {
			w := &pageWriter{c: c, l: l, faults: faults}
			w.reason(r)
			pages = append(pages, Page{l.String() + "/" + r.String() + ".md", w.String()})
		}
		for _, cause := range reason.Causes() {
			w := &pageWriter{c: c, l: l, faults: faults}
			w.cause(cause)
			pages = append(pages, Page{l.String() + "/" + cause.String() + ".md", w.String()})
		}
	}
	return pages
}

type pageWriter struct {
	strings.Builder
	c      *Catalogue
	l      Language
	faults []Shown
}

func (w *pageWriter) two(en, zh string) string { return Text{en, zh}.In(w.l) }

func (w *pageWriter) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

func (w *pageWriter) head(en, zh string) { w.line("\n## %s\n", w.two(en, zh)) }

func (w *pageWriter) para(t Text) { w.line("%s", t.In(w.l)) }

func (w *pageWriter) bullets(list []Text) {
	for _, t := range list {
		w.line("- %s", t.In(w.l))
	}
}

func (w *pageWriter) numbered(list []Text) {
	for i, t := range list {
		w.line("%d. %s", i+1, t.In(w.l))
	}
}

// made is the first line of every page.
func (w *pageWriter) made(name string) {
	w.line("<!-- %s -->\n", w.two("Made by touchstone explain --pages from explain/data. Change the data, not this page.",
		"由 touchstone explain --pages 根据 explain/data 生成。请改数据，不要改本页。"))
	other := "zh"
	if w.l == Chinese {
		other = "en"
	}
	w.line("[%s](README.md) · [%s](../%s/%s)\n", w.two("All reasons and causes", "全部原因和起因"), w.two("中文", "English"), other, name)
}

func (w *pageWriter) row(name string, value string) { w.line("| %s | %s |", name, value) }

// facts is the table at the head of a page.
func (w *pageWriter) facts(g *Guide, answered string) {
	w.line("\n| | |")
	w.line("|---|---|")
	w.row(w.two("The terminal shows (DE39)", "终端显示 (DE39)"), answered)
	w.row(w.two("Who acts first", "首先由谁处理"), g.Owner.In(w.l))
	if g.Then != (Text{}) {
		w.row(w.two("Then", "其次"), g.Then.In(w.l))
	}
	w.row(w.two("Family", "类别"), g.Family.In(w.l))
	w.row(w.two("Money", "资金"), g.Money.In(w.l))
}

// answered is the code of a reason as a page shows it.
func (w *pageWriter) answered(r reason.Reason) string {
	code, _ := w.c.Code(r.DE39())
	if code.Code == (pos.ResponseCode{}) {
		return code.Name.In(w.l)
	}
	class := w.two("no class published", "无公开分类")
	if code.Class != 0 {
		class = w.two("class ", "") + code.Class.String() + w.two("", " 类") + w.two(": ", "：") + code.ClassText.In(w.l)
	}
	return fmt.Sprintf("**%s** %s (%s)", code.Code, code.Name.In(w.l), class)
}

func (w *pageWriter) reason(r reason.Reason) {
	g, e := w.c.Guide(r, reason.NoCause, ""), w.c.Reason(r)
	w.made(r.String() + ".md")
	w.line("# %s: %s\n", r, strings.TrimPrefix(strings.TrimPrefix(e.Short.In(w.l), "card: "), "卡: "))
	w.para(e.Meaning)
	w.facts(&g, w.answered(r))
	w.head("What may be behind it", "可能的原因")
	w.line("%s\n", w.two("None of these is proven by the refusal itself.", "以下各项均未由拒绝本身证实。"))
	w.bullets(e.Causes)
	if causes := w.c.CausesBehind(r); len(causes) > 0 {
		w.line("\n%s\n", w.two("What an experiment in the security module may prove, in an entry of its own:", "安全模块的试验可能证实的起因 (另有一条日志记录):"))
		for _, cause := range causes {
			w.line("- [%s](%s.md): %s", cause, cause, w.c.Cause(cause).Short.In(w.l))
		}
	}
	w.guide(&g)
	w.shown(func(s Shown) bool { return s.Reason == r }, r.DE39())
}

func (w *pageWriter) cause(cause reason.Cause) {
	e := w.c.Cause(cause)
	first := e.Behind[0]
	g := w.c.Guide(first, cause, "")
	w.made(cause.String() + ".md")
	w.line("# %s: %s\n", cause, e.Short.In(w.l))
	w.para(e.Meaning)
	answered := w.two("nothing: no refusal shows it", "不显示：没有拒绝与之对应")
	if first != reason.None {
		answered = w.answered(first)
	}
	w.facts(&g, answered)
	if first != reason.None {
		w.head("Behind which reasons", "在哪些原因背后")
		for _, r := range e.Behind {
			w.line("- [%s](%s.md): %s", r, r, w.c.Reason(r).Short.In(w.l))
		}
	}
	w.guide(&g)
	for _, v := range e.Variants {
		w.variant(first, cause, v)
	}
	w.shown(func(s Shown) bool { return s.Cause == cause }, first.DE39())
}

// variant is a case of a cause: what differs from the cause is said.
func (w *pageWriter) variant(r reason.Reason, cause reason.Cause, v Variant) {
	g := w.c.Guide(r, cause, v.Name)
	w.head("Case "+v.Name, "情形 "+v.Name)
	w.para(v.Meaning)
	w.line("\n- %s: %s", w.two("Who acts first", "首先由谁处理"), g.Owner.In(w.l))
	w.ways(&g)
	w.line("- %s", g.NotProven.In(w.l))
	w.line("\n%s\n", w.two("The merchant's support:", "商户服务:"))
	w.numbered(g.Steps.Support)
	w.line("\n%s\n", w.two("The security engineer:", "安全工程师:"))
	w.numbered(g.Steps.Engineer)
}

// ways are the three things that people try or send for.
func (w *pageWriter) ways(g *Guide) {
	w.line("- %s: %s", w.two("Sign in", "签到"), g.SignIn.Text.In(w.l))
	w.line("- %s: %s", w.two("Restart", "重启"), g.Reboot.In(w.l))
	w.line("- %s: %s", w.two("Visit or courier", "上门或寄送"), g.Courier.In(w.l))
}

// guide is what is to be done.
func (w *pageWriter) guide(g *Guide) {
	w.head("The cashier", "收银员")
	w.line("```text")
	for _, l := range g.Screen[w.l] {
		w.line("%s", l)
	}
	w.line("```\n")
	w.numbered(g.Steps.Cashier)
	w.head("The merchant's support", "商户服务")
	w.numbered(g.Steps.Support)
	w.head("The security engineer", "安全工程师")
	w.numbered(g.Steps.Engineer)
	if len(g.Unproven) > 0 {
		w.line("\n%s\n", w.two("Where the experiments found nothing (UNPROVEN):", "试验未能查明时 (未证实):"))
		w.numbered(g.Unproven)
	}
	w.head("Never", "切勿")
	w.bullets(g.Never)
	w.head("Sign in, restart, send somebody?", "签到、重启、上门")
	w.ways(g)
	if len(g.Folk) > 0 {
		w.head("Folk advice", "民间说法")
		w.bullets(g.Folk)
	}
	w.head("What is not proven", "什么没有证实")
	w.para(g.NotProven)
}

// shown names the faults of the reference terminal that show it.
func (w *pageWriter) shown(is func(Shown) bool, code pos.ResponseCode) {
	w.head("To see it", "如何重现")
	n := 0
	for _, s := range w.faults {
		if !is(s) {
			continue
		}
		if n++; n > MaxShown {
			continue
		}
		if n == 1 {
			w.line("%s\n", w.two("Beside a running demonstration (touchstone demo), with its test data only:", "在运行中的演示 (touchstone demo) 旁, 仅用其测试数据:"))
			w.line("```sh\ntouchstone demo --print-fixture > fixture.json")
		}
		note := ""
		if s.Cause != reason.NoCause && s.Variant != "" {
			note = "  # " + s.Cause.String() + " " + s.Variant
		} else if s.Cause != reason.NoCause {
			note = "  # " + s.Cause.String()
		}
		w.line("touchstone terminal --fixture fixture.json --fault %s%s", s.Fault, note)
	}
	switch {
	case n == 0:
		w.line("%s", w.two("No fault of the reference terminal shows it alone: it depends on what the host holds or on more than one message.",
			"参考终端没有单独重现它的故障: 取决于主机侧的状态, 或需要多笔报文。"))
	default:
		w.line("```")
		if n > MaxShown {
			w.line("\n%s", fmt.Sprintf(w.two("and %d more: touchstone terminal --faults.", "另有 %d 个: touchstone terminal --faults。"), n-MaxShown))
		}
	}
	if code != (pos.ResponseCode{}) && code != pos.Approved {
		w.line("\n%s `touchstone explain %s`", w.two("The code and all that shares it:", "该应答码及其全部含义:"), code)
	}
}

// index lists every page.
func (w *pageWriter) index() {
	w.made("README.md")
	w.line("# %s\n", w.two("Reasons and causes", "原因与起因"))
	w.line("%s\n", w.two("A reason is known when a message is judged and never changes. A cause is found behind it afterwards, by experiment, and stands in an entry of its own. A code on the screen names neither.",
		"原因在判定报文时即知，不再改变。起因由事后试验查明，另有一条日志记录。屏幕上的代码两者都不能说明。"))
	w.line("## %s\n", w.two("Reasons", "原因"))
	w.line("| %s | DE39 | %s | %s |", w.two("reason", "原因"), w.two("who acts", "谁处理"), w.two("in words", "说明"))
	w.line("|---|---|---|---|")
	for _, r := range reason.All() {
		code := r.DE39().String()
		if r.DE39() == (pos.ResponseCode{}) {
			code = "-"
		}
		w.line("| [%s](%s.md) | %s | %s | %s |", r, r, code, w.c.Owner(r.Owner()).In(w.l), w.c.Reason(r).Short.In(w.l))
	}
	w.line("\n## %s\n", w.two("Causes", "起因"))
	w.line("| %s | %s | %s | %s |", w.two("cause", "起因"), w.two("behind", "所属原因"), w.two("who acts", "谁处理"), w.two("in words", "说明"))
	w.line("|---|---|---|---|")
	for _, cause := range reason.Causes() {
		e := w.c.Cause(cause)
		var behind []string
		for _, r := range e.Behind {
			if r != reason.None {
				behind = append(behind, r.String())
			}
		}
		w.line("| [%s](%s.md) | %s | %s | %s |", cause, cause, strings.Join(behind, ", "), w.owners(e), e.Short.In(w.l))
	}
}

// owners are who may have to act on a cause: its own owner, and those of its cases.
func (w *pageWriter) owners(e CauseEntry) string {
	list := []string{w.c.Owner(e.Cause.Owner()).In(w.l)}
	for _, v := range e.Variants {
		owner := w.c.Owner(v.Owner).In(w.l)
		if !strings.Contains(strings.Join(list, "; "), owner) {
			list = append(list, owner)
		}
	}
	return strings.Join(list, w.two("; ", "；"))
}
