package main

import (
	"fmt"
	"strings"

	"touchstone/explain"
	"touchstone/journal"
	"touchstone/proof"
	"touchstone/reason"
)

// lineWidth is the most columns of a line below a refusal.
const lineWidth = 120

// belowIndent is before a line that belongs to the message above it.
const belowIndent = "                └ "

// below prints a line that belongs to a message: how well something is known first, then what, and more of it where
// there is room beside the command that explains.
func (l *lines) below(certainty, text, more string) error {
	word, sgr := l.certainty(certainty)
	line := belowIndent + word + " " + text
	if more != "" {
		line += ": " + more
	}
	const hint = "   touchstone explain last"
	if l.unhinted {
		line = cutTo(line, lineWidth)
	} else {
		line = cutTo(line, lineWidth-len(hint)) + hint
	}
	if l.colour {
		line = strings.Replace(line, word, "\x1b["+sgr+"m"+word+"\x1b[0m", 1)
	}
	_, err := fmt.Fprintln(l.w, line)
	return err
}

func (l *lines) certainty(c string) (word, sgr string) {
	switch c {
	case string(journal.Proven):
		return l.two("PROVEN", "证实"), sgrGreen
	case string(journal.Indicated):
		return l.two("INDICATED", "迹象"), sgrYellow
	case string(journal.Unproven):
		return l.two("UNPROVEN", "未证实"), sgrYellow
	}
	return l.two("NOT EXAMINED", "未检验"), sgrDim
}

// cutTo cuts s to n columns, before a word where one begins in the last third of them.
func cutTo(s string, n int) string {
	if explain.Columns(s) <= n {
		return s
	}
	columns := 0
	for i, r := range s {
		if columns += explain.Columns(string(r)); columns <= n-1 {
			continue
		}
		cut := s[:i]
		if at := strings.LastIndexByte(cut, ' '); r != ' ' && r < 0x2e80 && at > 0 && explain.Columns(cut[:at]) >= n*2/3 {
			cut = cut[:at]
		}
		return strings.TrimRight(cut, " ,:;") + "…"
	}
	return s
}

// fact prints what a refusal proves by itself, where no experiment is called for.
func (l *lines) fact(x *journal.Exchange) error {
	return l.below(string(journal.Proven), l.two("by the check: ", "检查本身: ")+l.factOf(x), "")
}

// bank prints that the card's bank refused: every proof of the terminal held, so that touchstone explain last, which is
// about security, is not named.
func (l *lines) bank(x *journal.Exchange) error {
	word, sgr := l.certainty(string(journal.Proven))
	line := cutTo(belowIndent+word+" "+l.two("by the card's bank: ", "发卡行答复: ")+l.catalogue.Reason(x.Reason).Short.In(l.lang), lineWidth)
	if l.colour {
		line = strings.Replace(line, word, "\x1b["+sgr+"m"+word+"\x1b[0m", 1)
	}
	_, err := fmt.Fprintln(l.w, line)
	return err
}

// factOf is what was presented and what was expected, or the reason's own sentence.
func (l *lines) factOf(x *journal.Exchange) string {
	c, ok := proof.States(x.Checks).First()
	if ok {
		shown := proof.Show(x)[c]
		name, known := l.catalogue.Check(c.String())
		if known && shown.Presented != "" && shown.Expected != "" && shown.Presented != shown.Expected {
			return fmt.Sprintf(l.two("%s: presented %s, expected %s", "%s: 出示 %s, 应为 %s"), name.In(l.lang), evidenceText(shown.Presented).In(l.lang), evidenceText(shown.Expected).In(l.lang))
		}
	}
	return firstSentence(l.catalogue.Reason(x.Reason).Meaning.In(l.lang))
}

func firstSentence(s string) string {
	for _, stop := range []string{". ", "。", "; ", "；"} {
		if before, _, ok := strings.Cut(s, stop); ok {
			s = before
		}
	}
	return strings.TrimRight(s, ".。")
}

// cause prints what was found behind a refusal.
func (l *lines) cause(e journal.Entry) error {
	c, err := parseCause(e)
	if err != nil {
		return fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	who := c.Terminal
	if who == "" {
		who = fmt.Sprintf(l.two("entry %d", "记录 %d"), c.Verdict)
	}
	if c.With > c.Verdict { // found earlier, and known better now that a later message agrees
		who = fmt.Sprintf(l.two("%s (the earlier one, entry %d)", "%s（此前一笔，记录 %d）"), who, c.Verdict)
	}
	text, found := l.causeText(c)
	return l.below(string(c.Certainty), who+": "+text, found)
}

// causeText is a cause in one phrase, and what was found in another.
func (l *lines) causeText(c *journal.Cause) (text, found string) {
	switch c.Certainty {
	case journal.Unproven:
		if c.Fit > 1 {
			return fmt.Sprintf(l.two("%d explanations fit, which one is not known; nobody is told a guess", "%d 种解释吻合, 无法断定是哪一种; 不作猜测"), c.Fit), ""
		}
		return l.two("nothing tried explains it; nobody is told a guess", "可试的解释均不成立; 不作猜测"), ""
	case journal.Untried:
		return (&panel{Cause: c}).whyNot(&drawing{l: l}), ""
	}
	r, err := reason.Parse(c.Reason)
	if err != nil {
		return c.Cause, ""
	}
	return guideOf(l.catalogue, r, c).Cause.Short.In(l.lang), foundWords(c, l.zone).In(l.lang)
}

// writeCause prints what was found behind a message, below its checks.
func writeCause(d *drawing, c *journal.Cause, seq uint64) {
	word, _ := d.l.certainty(string(c.Certainty))
	p := &panel{Cause: c, Certainty: certaintyOf(c)}
	text, found := d.l.causeText(c)
	d.line(fmt.Sprintf("%s: %s  %s", d.two("cause", "原因"), word, text))
	if found != "" {
		d.line("  " + found)
	}
	if c.Certainty != journal.Untried {
		d.line("  " + p.triedWords(d) + fmt.Sprintf(d.two("; entry %d", "; 第 %d 条记录"), seq))
	}
}

// maxHidden bounds the messages of the canary whose causes are not shown.
const maxHidden = 4096

// hide keeps the number of a message that is not shown, so that what is found behind it is not shown either.
func (s *stage) hide(seq uint64) {
	if s.hidden == nil || len(s.hidden) >= maxHidden {
		s.hidden = map[uint64]bool{}
	}
	s.hidden[seq] = true
}

// causeHidden tells whether an entry is the cause of a message that was not shown.
func (s *stage) causeHidden(e journal.Entry) bool {
	if e.Kind != journal.KindCause {
		return false
	}
	c, err := parseCause(e)
	return err == nil && (c.Verdict < s.from || s.hidden[c.Verdict])
}
