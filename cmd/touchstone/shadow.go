package main

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"

	"touchstone/capture"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/terminal/load"
)

// shadowView is how this host's decision stands to the one that was answered.
type shadowView string

// The views.
const (
	viewAgree      shadowView = "agree"         // both approve, both refuse for one code, or the bank refused
	viewRefuse     shadowView = "would_refuse"  // it was approved
	viewApprove    shadowView = "would_approve" // it was refused, and every proof holds here
	viewOtherwise  shadowView = "refused_otherwise"
	viewUnanswered shadowView = "no_answer" // none was seen
	viewUnknown    shadowView = "cannot_tell"
)

// shadowFinding is one message as two hosts decided it.
type shadowFinding struct {
	captureFinding
	View shadowView `json:"view"`
	Ours string     `json:"ours_de39,omitempty"`
	Why  string     `json:"ours_reason,omitempty"`
}

// shadowCount is messages and the money that the sales among them moved.
type shadowCount struct {
	Messages uint64     `json:"messages"`
	Sales    uint64     `json:"sales"`
	Fen      pos.Amount `json:"fen"`
}

func (c *shadowCount) add(p *capture.Pair) {
	c.Messages++
	if p.Request.MTI == 0x0200 && p.Request.Type == pos.Sale {
		c.Sales++
		c.Fen += p.Request.Amount
	}
}

// shadowTotals is the summary.
type shadowTotals struct {
	Seen       capture.Stats           `json:"seen"`
	Knows      string                  `json:"knows"` // as captureReport.Keys
	Agree      shadowCount             `json:"agree"`
	Refuse     shadowCount             `json:"would_refuse"`
	Approve    shadowCount             `json:"would_approve"`
	Otherwise  shadowCount             `json:"refused_otherwise"`
	Unanswered shadowCount             `json:"no_answer"`
	Unknown    shadowCount             `json:"cannot_tell"`
	Reasons    map[string]*shadowCount `json:"would_refuse_by_reason"`
	Terminals  int                     `json:"would_refuse_terminals"`
	Torn       bool                    `json:"input_breaks_off"`
	terminals  map[pos.TerminalID]bool
}

// shadow compares decisions.
type shadow struct {
	world *mirror
	text  *captureText
	json  *json.Encoder // nil: for a person
	all   bool
	total shadowTotals
}

func (s *shadow) pair(ctx context.Context, p *capture.Pair) error {
	v, err := s.world.judge(ctx, p)
	if err != nil {
		return err
	}
	view := compare(p, &v)
	s.count(view, p, &v)
	if view == viewAgree && !s.all {
		return nil
	}
	f := shadowFinding{captureFinding: *findingOf(p), View: view}
	f.Blind = v.blind
	if v.made {
		f.Ours, f.Why = v.code.String(), v.reason.String()
		if v.bank {
			f.Ours = ""
		}
	}
	if s.json != nil {
		return s.json.Encode(&f)
	}
	return s.text.shadow(&f, &v)
}

// compare tells how two decisions stand to each other.
func compare(p *capture.Pair, v *judgement) shadowView {
	switch {
	case p.Kind == capture.Cut || p.Kind == capture.NoFrame:
		return viewAgree // both close the connection
	case !v.made:
		return viewUnknown
	case !p.Answered && v.code == (pos.ResponseCode{}) && p.Closed:
		return viewAgree // both close the connection
	case !p.Answered:
		return viewUnanswered
	case v.blind != "" && p.Answer.Code != v.code:
		return viewUnknown
	}
	refused := v.reason != reason.None
	switch theirs := p.Answer.Code; {
	case theirs == pos.Approved && !refused, theirs != pos.Approved && refused && v.code == theirs:
		return viewAgree
	case theirs == pos.Approved && v.reason == reason.TotalsMismatch && v.code == pos.Approved:
		return viewAgree // a batch is closed whatever its totals
	case theirs == pos.Approved:
		return viewRefuse
	case refused:
		return viewOtherwise
	case ofBank(theirs):
		return viewAgree // every proof holds, and the bank said no
	}
	return viewApprove
}

// ofBank tells whether a code is one that a card's bank answers.
func ofBank(code pos.ResponseCode) bool {
	return slices.ContainsFunc(reason.All(), func(r reason.Reason) bool { return r.OfIssuer() && r.DE39() == code })
}

func (s *shadow) count(view shadowView, p *capture.Pair, v *judgement) {
	t := &s.total
	switch view {
	case viewAgree:
		t.Agree.add(p)
	case viewRefuse:
		t.Refuse.add(p)
		name := v.reason.String()
		if t.Reasons[name] == nil {
			t.Reasons[name] = &shadowCount{}
		}
		t.Reasons[name].add(p)
		if t.terminals == nil {
			t.terminals = map[pos.TerminalID]bool{}
		}
		if len(t.terminals) < maxTrafficked {
			t.terminals[p.Request.Terminal] = true
		}
	case viewApprove:
		t.Approve.add(p)
	case viewOtherwise:
		t.Otherwise.add(p)
	case viewUnanswered:
		t.Unanswered.add(p)
	default:
		t.Unknown.add(p)
	}
}

// end tells the summary.
func (s *shadow) end() error {
	t := &s.total
	t.Knows, t.Terminals = s.world.knows(), len(t.terminals)
	if s.json != nil {
		return s.json.Encode(struct {
			Summary *shadowTotals `json:"summary"`
		}{t})
	}
	return s.text.totals(t)
}

// shadow tells one message.
func (c *captureText) shadow(f *shadowFinding, v *judgement) error {
	c.head(&f.captureFinding)
	switch f.View {
	case viewRefuse:
		c.indent("%s %s  %s", c.two("WOULD REFUSE", "将拒绝"), f.Ours, c.short(v.reason))
	case viewApprove:
		c.indent("%s", c.two("WOULD APPROVE  every proof holds here", "将通过  各项证明均成立"))
	case viewOtherwise:
		c.indent("%s %s  %s", c.two("BOTH REFUSE, here with", "均拒绝, 此处应答"), f.Ours, c.short(v.reason))
	case viewUnanswered:
		if v.reason == reason.None {
			c.indent("%s", c.two("no answer was seen; here it would be approved, the bank permitting", "未见应答; 此处将通过, 视银行而定"))
			break
		}
		c.indent("%s %s  %s", c.two("no answer was seen; here", "未见应答; 此处应答"), f.Ours, c.short(v.reason))
	case viewUnknown:
		c.indent("%s%s", c.two("cannot tell: ", "无法判断: "), cmp.Or(c.blind(f.Blind), c.two("it was not judged", "未判定")))
	case viewAgree:
		c.indent("%s", c.two("agree", "一致"))
	}
	return c.err
}

// totals tells the summary to a person.
func (c *captureText) totals(t *shadowTotals) error {
	n := load.Thousands
	c.say("")
	s := &t.Seen
	if s.Packets > 0 {
		c.row("traffic", "流量", c.two("%s to %s, %s packets, %s requests", "%s 至 %s, %s 个数据包, %s 个请求"), c.time(s.First.Time()), c.time(s.Last.Time()), n(s.Packets), n(s.Requests))
	}
	c.losses(&captureReport{Seen: *s, Torn: t.Torn})
	for _, line := range []struct {
		en, zh string
		count  *shadowCount
	}{
		{"agree", "一致", &t.Agree}, {"would refuse what was approved", "已通过的将拒绝", &t.Refuse}, {"would approve what was refused", "已拒绝的将通过", &t.Approve},
		{"both refuse, otherwise", "均拒绝, 原因不同", &t.Otherwise}, {"no answer seen", "未见应答", &t.Unanswered}, {"cannot tell", "无法判断", &t.Unknown},
	} {
		c.say("  %s %s  %s", pad(c.two(line.en, line.zh), 32), pad(n(line.count.Messages), -9), c.sales(line.count))
	}
	for _, name := range slices.SortedFunc(maps.Keys(t.Reasons), func(a, b string) int {
		return cmp.Or(cmp.Compare(t.Reasons[b].Messages, t.Reasons[a].Messages), cmp.Compare(a, b))
	}) {
		r, err := reason.Parse(name)
		if err != nil {
			continue
		}
		c.say("      %s %s  %s  %s", pad(name, 28), pad(n(t.Reasons[name].Messages), -9), c.catalogue.Reason(r).Short.In(c.lang), c.sales(t.Reasons[name]))
	}
	if t.Refuse.Messages > 0 {
		c.say(c.two("of %s terminals", "涉及 %s 台终端"), n(uint64(t.Terminals)))
	}
	c.say("%s", c.two("Nothing was sent, answered or written down.", "未发送, 未应答, 未记录任何内容。"))
	return c.err
}

func (c *captureText) sales(n *shadowCount) string {
	if n.Sales == 0 {
		return ""
	}
	return c.two("sales ", "消费 ") + load.Thousands(n.Sales) + ", CNY " + n.Fen.String()
}
