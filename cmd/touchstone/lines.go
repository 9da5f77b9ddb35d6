package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"touchstone/explain"
	"touchstone/journal"
	"touchstone/proof"
	"touchstone/reason"
)

func termIsTerminal(fd int) bool { return term.IsTerminal(fd) }

// lines prints judged messages, one a line, for a person who knows nothing. Every figure is of the
// journal entry it prints.
type lines struct {
	w         io.Writer
	lang      explain.Language
	catalogue *explain.Catalogue
	colour    bool
	zone      *time.Location
	tell      bool // also tell the cashier's step after a security refusal
	brief     bool // leave out what a person need not see one by one: results of a laboratory without a finding, accounts that were used
	unhinted  bool // leave the command that explains out of the lines below refusals
}

func newLines(w io.Writer, lang string, colour bool) (*lines, error) {
	l, err := explain.ParseLanguage(lang)
	if err != nil {
		return nil, fmt.Errorf("--lang: %w", err)
	}
	catalogue, err := explain.Load()
	if err != nil {
		return nil, err
	}
	return &lines{w: w, lang: l, catalogue: catalogue, colour: colour, zone: time.Local, tell: true}, nil
}

// The columns: time 8, terminal 8, what 10, amount 10, answer 4, why 34, milliseconds 6.
const (
	whatColumns   = 10
	amountColumns = 10
	whyColumns    = 36
)

// pad fills s with spaces to n terminal columns, on the left when n is negative.
func pad(s string, n int) string {
	width := n
	if n < 0 {
		width = -n
	}
	gap := strings.Repeat(" ", max(width-explain.Columns(s), 0))
	if n < 0 {
		return gap + s
	}
	return s + gap
}

// two picks the language's text.
func (l *lines) two(en, zh string) string { return explain.Text{EN: en, ZH: zh}.In(l.lang) }

// head prints the names of the columns.
func (l *lines) head() error {
	_, err := fmt.Fprintf(l.w, " %s  %s  %s %s  %s  %s %s\n", pad(l.two("time", "时间"), 8), pad(l.two("terminal", "终端"), 8),
		pad(l.two("what", "交易"), whatColumns), pad(l.two("amount", "金额"), -amountColumns), pad(l.two("ans", "应答"), 4),
		pad(l.two("why", "原因"), whyColumns), pad(l.two("ms", "毫秒"), -5))
	return err
}

// entry prints one entry.
func (l *lines) entry(e journal.Entry) error {
	if e.Kind == journal.KindCertificate {
		return l.certificate(e)
	}
	if event, ok := parseEvent(e); ok {
		return l.event(e.At.Time(), &event)
	}
	if e.Kind == journal.KindFlood {
		return l.flood(e)
	}
	if e.Kind == journal.KindCause {
		return l.cause(e)
	}
	if e.Kind.OfActs() {
		return l.act(e)
	}
	if e.Kind == journal.KindPermit {
		return l.permits(e)
	}
	if e.Kind != journal.KindExchange {
		if l.brief {
			return nil // the register grew: the act that did it has a line
		}
		_, err := fmt.Fprintf(l.w, " %s  %s\n", e.At.Time().In(l.zone).Format("15:04:05"), l.two("registered: ", "登记: ")+l.recorded(e.Kind))
		return err
	}
	var x journal.Exchange
	if err := x.Parse(e); err != nil {
		return fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	return l.exchange(&x)
}

func (l *lines) exchange(x *journal.Exchange) error {
	terminal, amount, answer := printableID(x.Terminal[:]), "–", x.DE39.String()
	if terminal == "" {
		terminal = "?"
	}
	if x.Amount != 0 {
		amount = x.Amount.String()
	}
	if answer == "" {
		answer = "–"
	}
	line := fmt.Sprintf(" %s  %s  %s %s  %s  %s %5.2f", x.At.Time().In(l.zone).Format("15:04:05"), pad(terminal, 8),
		pad(l.what(x), whatColumns), pad(amount, -amountColumns), pad(answer, 4), pad(l.why(x), whyColumns), float64(x.ElapsedUS)/1000)
	if _, err := fmt.Fprintln(l.w, l.paint(x, line)); err != nil {
		return err
	}
	if l.tell && x.Reason.OfIssuer() && x.Flags&journal.FlagRepeat == 0 {
		return l.bank(x)
	}
	if !l.tell || !securityRefusal(x) {
		return nil
	}
	step := l.catalogue.Reason(x.Reason).CashierShort.In(l.lang)
	_, err := fmt.Fprintf(l.w, "                └ %s: %s\n", l.two("cashier", "收银员"), step)
	if err != nil || sought(x) {
		return err // its cause comes with an entry of its own
	}
	return l.fact(x)
}

// securityRefusal: a proof of the terminal did not hold; the card's bank had no say.
func securityRefusal(x *journal.Exchange) bool {
	return x.Reason != reason.None && !x.Reason.OfIssuer() && x.Flags&journal.FlagRepeat == 0 && x.Reason != reason.TotalsMismatch &&
		x.Reason != reason.OriginalNotFound
}

func (l *lines) why(x *journal.Exchange) string {
	switch {
	case x.Flags&journal.FlagRepeat != 0:
		return l.two("same answer as before, sent again", "重发, 答复同前")
	case x.Effect == journal.KeysIssued:
		return l.two("keys issued", "已下发密钥")
	case x.Reason != reason.None:
		return l.catalogue.Reason(x.Reason).Short.In(l.lang)
	}
	if r, ok := x.Redress(); ok {
		return l.two("claim ", "索赔 ") + r.Claim
	}
	n := proof.States(x.Checks).Count(proof.Passed)
	text := l.two("approved", "通过")
	switch x.Effect {
	case journal.ReversedSale, journal.ReversedVoid, journal.ReversedNone:
		text = l.two("undone", "已冲正")
	case journal.SignedOff:
		text = l.two("signed off", "已签退")
	case journal.Settled:
		text = l.two("batch closed", "批次已结")
	case journal.Tampered:
		text = l.two("tampering reported, device blocked", "设备报告拆机, 已锁定")
	}
	if x.Type == 0 {
		return text
	}
	return fmt.Sprintf("%s %2d %s", pad(text, 13), n, l.two("proofs", "项证明"))
}

// paint colours a whole line; the words say the same without it.
func (l *lines) paint(x *journal.Exchange, line string) string {
	if !l.colour {
		return line
	}
	switch {
	case securityRefusal(x):
		return "\x1b[31m" + line + "\x1b[0m"
	case x.Reason != reason.None:
		return "\x1b[33m" + line + "\x1b[0m"
	}
	return line
}

// what names the function of a message in a word.
func (l *lines) what(x *journal.Exchange) string {
	word := whatOf(x)
	if l.lang == explain.Chinese {
		if zh, ok := whatChinese[word]; ok {
			return zh
		}
	}
	return word
}

var whatChinese = map[string]string{"sign-in": "签到", "sign-off": "签退", "echo": "回响", "status": "状态上送", "balance": "查询", "sale": "消费",
	"void": "撤销", "refund": "退货", "reversal": "冲正", "settlement": "结算", "tamper": "拆机报告", "pre-auth": "预授权", "redress": "索赔退款", "compensate": "补偿", "other": "其他", "unreadable": "无法识别"}

func whatOf(x *journal.Exchange) string {
	if x.Flags&journal.FlagRedress != 0 {
		if x.Effect == journal.Compensated {
			return "compensate"
		}
		return "redress"
	}
	switch x.MTI {
	case 0x0800:
		switch x.Network {
		case 1, 3, 4, 5, 6:
			return "sign-in"
		}
	case 0x0820:
		switch x.Network {
		case 2:
			return "sign-off"
		case 301:
			return "echo"
		case 362:
			return "tamper"
		}
		return "status"
	case 0x0200:
		switch x.Type {
		case 1:
			return "balance"
		case 22:
			return "sale"
		case 23:
			return "void"
		}
	case 0x0220:
		if x.Type == 25 {
			return "refund"
		}
	case 0x0400:
		return "reversal"
	case 0x0500:
		return "settlement"
	case 0x0100:
		return "pre-auth"
	case 0:
		return "unreadable"
	}
	return "other"
}

// writeVerdict prints one message and every check for a person.
func writeVerdict(w io.Writer, e journal.Entry, c *explain.Catalogue, lang explain.Language) error {
	s, err := showExchange(e)
	if err != nil {
		return err
	}
	r, err := reason.Parse(s.Reason)
	if err != nil {
		return err
	}
	entry := c.Reason(r)
	two := func(en, zh string) string { return explain.Text{EN: en, ZH: zh}.In(lang) }
	fmt.Fprintf(w, "%s %d   %s   %s %s   %s %s   %s %s\n", two("entry", "记录"), s.Seq, s.At.Local().Format("2006-01-02 15:04:05"),
		two("terminal", "终端"), s.Terminal, two("trace", "流水"), s.Trace, two("from", "来自"), s.Source)
	what, answer := s.What, two("answer ", "应答 ")+s.DE39
	if zh, ok := whatChinese[what]; ok && lang == explain.Chinese {
		what = zh
	}
	if s.DE39 == "" {
		answer = two("closed without an answer", "未应答即断开")
	}
	words := slices.DeleteFunc([]string{s.MTI, what, s.Amount, s.Card}, func(part string) bool { return part == "" })
	fmt.Fprintf(w, "%s   %s   %s\n", strings.Join(words, " "), answer, entry.Short.In(lang))
	if s.Claim != "" {
		_, err := fmt.Fprintf(w, "  %s %s, %s %s, %s %d\n", two("no terminal sent it: claim", "非终端发起: 索赔"), s.Claim, two("agreed by two people in", "由两人批准, 提案"), s.Proposal,
			two("for the sale of entry", "原消费为记录"), s.Original)
		return err
	}
	for _, check := range s.Checks {
		name, ok := c.Check(check.Check)
		if !ok {
			name = explain.Text{EN: check.Check, ZH: check.Check}
		}
		state, ok := c.Outcome(check.State)
		if !ok {
			state = explain.Text{EN: check.State, ZH: check.State}
		}
		line := fmt.Sprintf("  %s %s", pad(name.In(lang), 26), pad(state.In(lang), 12))
		if check.Presented != "" {
			line += " " + evidenceText(check.Presented).In(lang)
		}
		if check.Expected != "" && check.Expected != check.Presented {
			line += fmt.Sprintf("  (%s %s)", two("expected", "应为"), evidenceText(check.Expected).In(lang))
		}
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
	if r != reason.None {
		fmt.Fprintf(w, "%s: %s\n%s: %s\n", two("meaning", "含义"), entry.Meaning.In(lang), two("who acts", "谁处理"), c.Owner(r.Owner()).In(lang))
	}
	return nil
}
