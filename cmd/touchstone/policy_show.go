package main

import (
	"fmt"
	"strings"
	"time"

	"touchstone/explain"
	"touchstone/proof"
	"touchstone/reason"
)

// untoldWords say what the journal does not keep.
var untoldWords = map[string]explain.Text{
	proof.UntoldPlace:    {EN: "whether coordinates came that could not be read, which would be refused", ZH: "是否上送了无法读取的坐标 (将被拒绝)"},
	proof.UntoldFallback: {EN: "DE60.5 and the card's service code are not kept: whether it was a fallback from chip", ZH: "未留存 DE60.5 与卡服务代码: 是否为芯片降级"},
	proof.UntoldKeys:     {EN: "its keys would not have been issued, and it had others: which it would have used", ZH: "其密钥本不会下发而终端另有旧密钥: 会用哪一套"},
	proof.UntoldRepeat:   {EN: "whether the original of the repeat still stood", ZH: "重发所对应的原交易当时是否仍有效"},
	proof.UntoldCard:     {EN: "other refusals would have left the card another balance or other PIN tries", ZH: "其他拒绝会改变该卡的余额或 PIN 剩余次数"},
	proof.UntoldSignIn:   {EN: "it would have been signed in: what it would then have sent", ZH: "终端本可签到成功: 此后会发送什么"},
}

// tried prints what a trial found.
func (s *screen) tried(a *tryAnswer) {
	l := s.l
	s.line("\n  %s %s", l.two("Tried:", "试行:"), strings.Join(a.Files, ", "))
	if a.Permit != "" {
		s.line("  %s %s", l.two("permit policy", "许可策略"), a.Permit)
	}
	if a.Host {
		s.line("  %s %s", l.two("host's keys that count:", "计入的主机参数:"), orNone(l, a.Counted))
		s.line("  %s %s", l.two("at serve's default:", "取 serve 默认值:"), orNone(l, a.Standing))
		if len(a.Passed) > 0 {
			s.line("  %s %s", l.two("say nothing of what is in the journal:", "与日志中的报文无关:"), orNone(l, a.Passed))
		}
	}
	if a.From == nil {
		s.line("\n  %s", l.two("No message of a terminal is in that period.", "该时段内没有终端报文。"))
		return
	}
	s.line(l.two("  %s messages from %s to %s, of which %s were approved", "  %s 条报文, 自 %s 至 %s, 其中 %s 条当时通过"), count(uint64(a.Judged)),
		a.From.In(l.zone).Format(time.DateTime), a.To.In(l.zone).Format(time.DateTime), count(uint64(a.Approved)))
	s.tryTotal(l.two("NEWLY REFUSED", "将被新拒绝"), &a.Newly)
	s.tryReasons(a.NewlyBy)
	s.tryGroups(fmt.Sprintf(l.two("by shop (%d in all)", "按商户 (共 %d 家)"), len(a.Merchants)), a.Merchants)
	s.tryGroups(fmt.Sprintf(l.two("by terminal (%d in all)", "按终端 (共 %d 台)"), a.Touched), a.Terminals)
	s.tryTotal(l.two("NO LONGER REFUSED", "不再因策略被拒绝"), &a.NoLonger)
	s.tryReasons(a.NoLongerBy)
	if a.NoLonger.Messages > 0 {
		s.line("      "+l.two("%s of them would be approved; of the others the checks that were not run cannot be told", "其中 %s 条将会通过; 其余当时未执行的检查无法断定"), count(uint64(a.Whole)))
	}
	s.tryTotal(l.two("REFUSED EITHER WAY, for another reason", "仍被拒绝, 原因不同"), &a.Other)
	s.tryReasons(a.OtherBy)
	s.tryTotal(l.two("CANNOT BE TOLD", "无法断定"), &a.Untold)
	for _, g := range a.UntoldBy {
		s.line("      %s  %s", pad(count(uint64(g.Messages)), -9), untoldWords[g.Key].In(l.lang))
	}
	s.tryLines(a.Lines)
	s.line("\n  %s", l.two("The journal keeps no PIN block, track, chip data or DE53: what rests on these stands as it was judged then.",
		"日志不留存 PIN 块、磁道、芯片数据与 DE53: 依赖它们的检查按当时判定。"))
}

func orNone(l *lines, list []string) string {
	if len(list) == 0 {
		return l.two("none", "无")
	}
	return strings.Join(list, ", ")
}

func (s *screen) tryTotal(title string, c *tryCount) {
	l := s.l
	line := fmt.Sprintf(l.two("%s messages", "%s 条报文"), count(uint64(c.Messages)))
	if c.Sales > 0 {
		line += fmt.Sprintf(l.two(", among them %s approved sales of CNY %s", ", 其中当时通过的消费 %s 笔, 人民币 %s 元"), count(uint64(c.Sales)), c.Amount)
	}
	if c.Follows > 0 {
		line += fmt.Sprintf(l.two("; %s only because an earlier one would have been refused", "; %s 条仅因更早的一条会被拒绝"), count(uint64(c.Follows)))
	}
	s.line("\n  %s: %s", title, line)
}

func (s *screen) tryReasons(list []tryGroup) {
	if len(list) > 0 { // an amount is of sales that were approved: a refund or a refusal has none
		s.line("      %s  %s", pad(s.l.two("messages", "报文"), -9), pad(s.l.two("approved, CNY", "通过消费, 元"), -14))
	}
	for i := range list {
		g := &list[i]
		words := g.Key
		if r, err := reason.Parse(g.Key); err == nil {
			words = s.l.catalogue.Reason(r).Short.In(s.l.lang)
		}
		s.line("      %s  %s  %s  %s", pad(count(uint64(g.Messages)), -9), pad(g.Amount.String(), -14), pad(g.Key, 24), words)
	}
}

// maxTryShown is how many shops and terminals are on the screen.
const maxTryShown = 10

func (s *screen) tryGroups(title string, list []tryGroup) {
	if len(list) == 0 {
		return
	}
	s.line("    %s", title)
	for i := range first(list, maxTryShown) {
		g := &list[i]
		s.line("      %s  %s  %s", pad(count(uint64(g.Messages)), -9), pad(g.Amount.String(), -14), strings.TrimSpace(g.Key+" "+g.Name))
	}
}

// findingWords head the list of messages.
var findingWords = map[string]explain.Text{
	"newly_refused": {EN: "newly refused", ZH: "新拒绝"}, "no_longer_refused": {EN: "no longer", ZH: "不再拒绝"},
	"other_reason": {EN: "other reason", ZH: "原因不同"}, "cannot_be_told": {EN: "cannot be told", ZH: "无法断定"},
}

func (s *screen) tryLines(list []tryLine) {
	if len(list) == 0 {
		return
	}
	s.line("\n  %s", s.l.two("Messages", "报文"))
	for i := range list {
		x := &list[i]
		to := x.Is
		if to == "" {
			to = x.Untold
		}
		if x.Finding == proof.NoLonger.String() {
			to = "–"
		}
		line := fmt.Sprintf("  %s  %s  %s  %s  %s  %s → %s", x.At.In(s.l.zone).Format(time.DateTime), pad(x.Terminal, 8), x.MTI, pad(x.Amount.String(), -10),
			pad(findingWords[x.Finding].In(s.l.lang), 14), x.Was, to)
		if x.Follows {
			line += s.l.two("  (follows)", "  (连带)")
		}
		s.line("%s  #%d", line, x.Seq)
	}
}
