package main

import (
	"fmt"
	"io"
	"strings"

	"touchstone/diagnosis"
	"touchstone/explain"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
)

// The panel's columns: a label, then text that hangs under itself; never wider than a good screen.
const (
	panelLabel = 8
	panelWidth = 120
)

// drawing is a panel being written.
type drawing struct {
	w      io.Writer
	l      *lines
	colour bool
	err    error
}

// SGR codes, used on a terminal only.
const (
	sgrBold   = "1"
	sgrRed    = "31"
	sgrGreen  = "32"
	sgrYellow = "33"
	sgrDim    = "2"
)

// paint colours s; its width stays.
func (d *drawing) paint(s, sgr string) string {
	if !d.colour || s == "" {
		return s
	}
	return "\x1b[" + sgr + "m" + s + "\x1b[0m"
}

func (d *drawing) two(en, zh string) string { return d.l.two(en, zh) }

func (d *drawing) line(s string) {
	if d.err == nil {
		_, d.err = fmt.Fprintln(d.w, strings.TrimRight(s, " "))
	}
}

// row writes a label and texts of one or more cells, each cell kept whole where it fits a line.
func (d *drawing) row(label string, cells ...string) { d.hung(label, stepHang, cells...) }

// The columns by which later lines of a text stand in from its first: under a step's words, under what was found.
const (
	stepHang  = 2
	foundHang = 12
)

// hung is row with later lines of a broken cell set in by hang columns.
func (d *drawing) hung(label string, hang int, cells ...string) {
	lead := pad(label, panelLabel)
	if d.colour && label != "" {
		lead = strings.Replace(lead, label, d.paint(label, sgrBold), 1)
	}
	for _, l := range flow(cells, panelWidth-panelLabel, hang) {
		d.line(lead + l)
		lead = strings.Repeat(" ", panelLabel)
	}
}

// show prints a panel as was asked: for a program, a cashier, the merchant's support or an engineer.
func (x *explainCall) show(p *panel) error {
	if x.JSON {
		return p.write(x)
	}
	d := &drawing{w: x.a.stdout, l: x.l, colour: isTerminal(x.a.stdout) && x.a.getenv("NO_COLOR") == ""}
	if len(p.Also) > 0 {
		fmt.Fprintln(x.a.stderr, d.several(p.Also, p.older))
	}
	p.draw(d, x.For)
	return x.drawBytes(d, p)
}

// mostNamed is how many further messages are named.
const mostNamed = 8

func (d *drawing) several(others []uint64, older bool) string {
	names := make([]string, 0, mostNamed)
	for _, seq := range others[:min(len(others), mostNamed)] {
		names = append(names, fmt.Sprint(seq))
	}
	list := strings.Join(names, ", ")
	if len(others) > mostNamed {
		list += ", …"
	}
	which := d.two("the newest", "最新一笔")
	if older {
		which = d.two("the newest refusal behind which there may be a cause", "其中最新一笔可查起因的拒绝")
	}
	return fmt.Sprintf(d.two("%d messages fit; this is %s. The others: touchstone journal show --entry N, for N of %s", "共有 %d 笔报文符合, 以下为%s。其余可用 touchstone journal show --entry N 查看, N 为 %s"), len(others)+1, which, list)
}

// draw writes the panel for a reader.
func (p *panel) draw(d *drawing, reader string) {
	d.line(d.paint(p.headline(d), sgrBold))
	switch reader {
	case "cashier":
		p.drawCashier(d)
		return
	case "support":
		p.drawCause(d)
		p.drawWho(d)
		d.steps(p.Steps.Support)
		p.drawAdvice(d)
	default:
		p.drawCause(d)
		p.drawWho(d)
		d.steps(p.Steps.Engineer)
		lead := pad(d.two("CHECKS", "检查"), panelLabel)
		if d.colour {
			lead = d.paint(strings.TrimRight(lead, " "), sgrBold) + strings.Repeat(" ", panelLabel-explain.Columns(strings.TrimRight(lead, " ")))
		}
		for _, l := range packed(p.checks(d), panelWidth-panelLabel) {
			d.line(lead + l)
			lead = strings.Repeat(" ", panelLabel)
		}
	}
	d.row(d.two("WIRE", "对外"), p.wire(d))
}

// headline: terminal, what and how much, when, the answer, the money.
func (p *panel) headline(d *drawing) string {
	x := &p.x
	parts := []string{d.two("Terminal ", "终端 ") + printableTerminal(x.Terminal), d.l.what(x)}
	if x.Amount != 0 {
		parts[1] += " " + currencyWord(x.Currency) + x.Amount.String()
	}
	parts = append(parts, x.At.Time().In(d.l.zone).Format("15:04:05"))
	switch answer := x.DE39.String(); {
	case answer == "":
		parts = append(parts, d.two("closed without an answer", "未应答即断开"))
	default:
		parts = append(parts, d.two("answered ", "应答 ")+answer)
	}
	if x.Amount != 0 {
		parts = append(parts, p.moneyWord(d))
	}
	return strings.Join(parts, " · ")
}

// moneyWord is what happened to the money, in two words. A message that was refused moved none itself; where its reason
// leaves open what an earlier one did, that is said.
func (p *panel) moneyWord(d *drawing) string {
	if p.x.Reason == reason.None {
		if p.x.Delta != 0 {
			return d.two("approved", "已通过")
		}
		return d.two("no money moved", "未动账")
	}
	switch p.MoneyIs {
	case explain.MoneyOnce:
		return d.two("charged once before", "此前已扣款一次")
	case explain.MoneyReversed:
		return d.two("reversed", "已冲正")
	}
	return d.two("not charged", "未扣款")
}

// certaintyWord is the word before all others.
func (p *panel) certaintyWord(d *drawing) string {
	switch p.Certainty {
	case string(journal.Proven):
		return d.paint(d.two("PROVEN", "证实"), sgrGreen)
	case string(journal.Indicated):
		return d.paint(d.two("INDICATED", "迹象"), sgrYellow)
	case string(journal.Unproven):
		return d.paint(d.two("UNPROVEN", "未证实"), sgrYellow)
	case notRefused:
		return d.two("NONE", "无")
	}
	return d.paint(d.two("NOT EXAMINED", "未检验"), sgrYellow)
}

// drawCause says what is known of the cause, and how well.
func (p *panel) drawCause(d *drawing) {
	label := d.two("CAUSE", "原因")
	if p.Certainty == notRefused {
		d.row(label, p.certaintyWord(d), p.approved(d))
		return
	}
	names := p.x.Reason.String()
	if p.Cause != nil && (p.Cause.Certainty == journal.Proven || p.Cause.Certainty == journal.Indicated) {
		names += ", " + p.Cause.Cause
	}
	d.row(label, p.certaintyWord(d), p.Short.In(d.l.lang)+" ("+names+")")
	presented, expected := p.Presented.In(d.l.lang), p.Expected.In(d.l.lang)
	if presented != "" {
		presented = d.two("presented   ", "出示   ") + presented
	}
	if expected != "" {
		expected = d.two("expected   ", "应为   ") + expected
	}
	d.row("", presented, expected)
	switch {
	case p.ByCheck:
		d.row("", d.two("found       by the check itself: the verdict is the proof, nothing had to be tried", "查明   检查本身即为证明, 无需试验"))
	case p.Found.In(d.l.lang) != "":
		d.hung("", d.hang(), d.two("found       ", "查明   ")+p.Found.In(d.l.lang))
	}
	d.row("", p.triedWords(d))
	if p.Certainty == string(journal.Unproven) {
		d.row("", d.two("nobody is told a guess: what is unproven stays so", "不猜测: 未证实即为未证实"))
	}
	if open := p.NotProven.In(d.l.lang); open != "" && (p.Certainty == string(journal.Proven) || p.Certainty == string(journal.Indicated)) {
		d.hung("", d.hang(), d.paint(d.two("NOT PROVEN", "未证明"), sgrYellow)+d.two("  ", " ")+open)
	}
}

// hang is where the text of what was found begins.
func (d *drawing) hang() int {
	if d.l.lang == explain.Chinese {
		return foundHang - 5
	}
	return foundHang
}

// approved says why there is nothing to explain.
func (p *panel) approved(d *drawing) string {
	if p.x.Flags&journal.FlagRepeat != 0 {
		return fmt.Sprintf(d.two("the same message again: answered as entry %d was", "同一报文重发: 答复同第 %d 条记录"), p.x.Original)
	}
	n := proof.States(p.x.Checks).Count(proof.Passed)
	return fmt.Sprintf(d.two("it was not refused: %d proofs held", "未被拒绝: %d 项证明成立"), n)
}

// triedWords tells of the experiment, or why there was none.
func (p *panel) triedWords(d *drawing) string {
	if p.ByCheck {
		return ""
	}
	if p.Certainty == certainNotTried {
		return p.whyNot(d)
	}
	c := p.Cause
	text := fmt.Sprintf(d.two("tried %d explanations in %s ms; ", "共试 %d 种解释, 用时 %s 毫秒; "), c.Tried, milliseconds(c.TookUS))
	switch {
	case c.Fit == 0:
		return text + d.two("none fits", "无一吻合")
	case c.Fit == 1:
		text += d.two("1 fits", "1 种吻合")
	default:
		text += fmt.Sprintf(d.two("%d fit", "%d 种吻合"), c.Fit)
		if c.Certainty == journal.Unproven {
			text += d.two(", and which of them it was is not known", ", 无法断定是哪一种")
		}
	}
	if c.OneIn == 0 {
		return text + d.two("; luck has no part in it", "; 与巧合无关")
	}
	return text + d.two("; a chance match: 1 in ", "; 碰巧吻合的概率: 1 / ") + roundNumber(c.OneIn, d.l.lang)
}

// untried are the words of why an experiment was not made; the stable words are those of package diagnosis.
var untried = map[string]explain.Text{
	"sealed":  {EN: "the security module was sealed", ZH: "安全模块未开启"},
	"no_keys": {EN: "there was no key that may be tried", ZH: "没有可供试验的密钥"},
	"no_mac":  {EN: "the message has no MAC to try", ZH: "报文没有可供试验的 MAC"},
	"budget":  {EN: "over the budget: too many refusals at once; the host goes on, and the next one is examined", ZH: "超出预算: 同时拒绝过多; 主机照常运行, 其后的拒绝会被检验"},
	"late":    {EN: "too late: what it takes had to be wiped before", ZH: "为时已晚: 所需数据已按时清除"},
}

// whyNot says why there was no experiment.
func (p *panel) whyNot(d *drawing) string {
	if p.Cause != nil {
		why := p.Cause.Facts[diagnosis.FactWhy]
		if t, ok := untried[why]; ok {
			return t.In(d.l.lang)
		}
		return d.two("not tried", "未试验") + ": " + strings.ReplaceAll(why, "_", " ")
	}
	switch p.Why {
	case notYet:
		return d.two("not yet: the refusal is seconds old; ask again", "尚未完成: 拒绝发生仅数秒, 请稍后再问")
	case notSearched:
		return d.two("not found in the newest part of a long journal: start the host on it once, which makes its index", "在较长日志的最新部分中未找到: 请在其上启动一次主机以建立索引")
	}
	return d.two("nobody examined it: the host ended before, its budget was spent, or it is of a time before there was diagnosis",
		"无人检验: 主机此前已停止, 预算已用尽, 或当时尚无诊断功能")
}

func (p *panel) drawWho(d *drawing) {
	if p.Certainty == notRefused {
		return
	}
	who := fmt.Sprintf(d.two("%s (first).", "%s (首先)。"), p.Owner.In(d.l.lang))
	if p.Then != nil {
		who = fmt.Sprintf(d.two("%s (first), then %s.", "%s (首先), 然后%s。"), p.Owner.In(d.l.lang), p.Then.In(d.l.lang))
	}
	if p.blameless() {
		who += d.two("  The cashier is not at fault.", "  收银员没有过错。")
	}
	d.row(d.two("WHO", "责任"), who)
}

// blameless tells whether what is proven lies outside what a cashier does. The intent of people is never proven, so
// where the family is people or attack, or nothing is proven, nothing is said; but no work at the counter makes a cipher
// with the key of another device.
func (p *panel) blameless() bool {
	if p.Certainty != string(journal.Proven) || p.Cause == nil {
		return false
	}
	switch p.guide.FamilyIs {
	case reason.FamilyHardware, reason.FamilySoftware, reason.FamilyConfiguration, reason.FamilyKey, reason.FamilyOurs:
		return true
	}
	return p.Cause.Cause == reason.SerialOtherDeviceKey.String()
}

// steps writes numbered steps, side by side where they fit.
func (d *drawing) steps(steps []explain.Text) {
	cells := make([]string, len(steps))
	for i, s := range steps {
		cells[i] = fmt.Sprintf("%d %s", i+1, s.In(d.l.lang))
	}
	d.row(d.two("DO", "处理"), cells...)
}

// drawAdvice is what the merchant's support says besides the steps.
func (p *panel) drawAdvice(d *drawing) {
	for i, never := range p.Never {
		label := ""
		if i == 0 {
			label = d.two("NEVER", "切勿")
		}
		d.row(label, never.In(d.l.lang))
	}
	d.row(d.two("SIGN IN", "签到"), p.SignIn.In(d.l.lang))
	d.row(d.two("REBOOT", "重启"), p.guide.Reboot.In(d.l.lang))
	d.row(d.two("COURIER", "寄修"), p.Courier.In(d.l.lang))
	for i, folk := range p.guide.Folk {
		label := ""
		if i == 0 {
			label = d.two("HEARSAY", "传言")
		}
		d.row(label, folk.In(d.l.lang))
	}
	d.row(d.two("MONEY", "资金"), p.Money.In(d.l.lang))
}

// drawCashier is what may be said at the counter: the same for every reason behind one answer, nothing of the cause.
func (p *panel) drawCashier(d *drawing) {
	d.row(d.two("SCREEN", "屏幕"), strings.Join(p.guide.Screen[d.l.lang], " / "))
	d.steps(p.Steps.Cashier)
	d.row(d.two("MONEY", "资金"), p.Money.In(d.l.lang))
	d.row(d.two("CAUSE", "原因"), d.two("not for the counter: security staff have it", "不在柜台说明: 由安全人员掌握"))
}

// checks names every check that was made, and those that the failure left unmade.
func (p *panel) checks(d *drawing) []string {
	var made, unmade []string
	failed := false
	for c := range proof.Checks {
		name := p.checkName(d, c)
		switch proof.States(p.x.Checks).Of(c) {
		case proof.Passed:
			made = append(made, name+" "+d.paint("✓", sgrGreen)+p.checkNote(d, c))
		case proof.Failed:
			made, failed = append(made, d.paint(strings.ToUpper(name)+" ✗", sgrRed)+p.checkNote(d, c)), true
		case proof.Unavailable:
			made, failed = append(made, d.paint(strings.ToUpper(name)+" ?", sgrRed)), true
		default:
			if failed && p.wouldCome(c) {
				unmade = append(unmade, name+" –")
			}
		}
	}
	if n := len(unmade); n > 0 {
		unmade[0] = " " + unmade[0]
		unmade[n-1] += d.two(" not run", " 未进行")
	}
	return append(made, unmade...)
}

// checkName is a check's short name: its stable one in English, so that it can be searched for.
func (p *panel) checkName(d *drawing, c proof.Check) string {
	if d.l.lang == explain.Chinese {
		if t, ok := d.l.catalogue.Check(c.String()); ok {
			return t.ZH
		}
	}
	return strings.ReplaceAll(c.String(), " ", "-")
}

// wouldCome tells whether a check after the failed one would have been made of this message.
func (p *panel) wouldCome(c proof.Check) bool {
	x := &p.x
	switch c {
	case proof.MAC, proof.Replay:
		return x.MTI != 0 && x.MTI != 0x0800 && x.MTI != 0x0820
	case proof.Serial:
		return x.Amount != 0 && x.MTI == 0x0200
	case proof.Track:
		return x.Flags&journal.FlagTrack2 != 0
	case proof.EMVConsistency:
		return x.Flags&journal.FlagChip != 0
	case proof.PIN:
		return x.Flags&journal.FlagPIN != 0
	}
	return false
}

// checkNote is the algorithm and grade of a MAC.
func (p *panel) checkNote(d *drawing, c proof.Check) string {
	if c != proof.MAC {
		return ""
	}
	expected := p.Message.Checks[proof.MAC].Expected
	_, rest, ok := strings.Cut(expected, ", ")
	algorithm, _, ok2 := strings.Cut(rest, ", over")
	if !ok || !ok2 {
		return ""
	}
	text := strings.Replace(algorithm, "UnionPay ECB ", "ECB/", 1)
	if grade := gradeOf(algorithm); grade != "" {
		text += d.two(", grade ", ", 等级") + d.gradeWord(grade)
	}
	return " (" + text + ")"
}

func (d *drawing) gradeWord(grade string) string {
	switch grade {
	case "weak":
		return d.two("weak", "弱")
	case "strong":
		return d.two("strong", "强")
	}
	return grade
}

// wire says what the other side was told.
func (p *panel) wire(d *drawing) string {
	if p.Certainty == notRefused {
		return fmt.Sprintf(d.two("%s.", "%s。"), p.x.DE39.String())
	}
	if p.x.DE39 == (pos.ResponseCode{}) {
		return d.two("closed without an answer. Terminal and merchant learn nothing of the above.", "未应答即断开。终端和商户不会得知以上任何内容。")
	}
	return fmt.Sprintf(d.two("%s only. Terminal and merchant learn nothing of the above.", "仅 %s。终端和商户不会得知以上任何内容。"), p.x.DE39)
}
