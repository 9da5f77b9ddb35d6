package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"touchstone/capture"
	"touchstone/explain"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/terminal/load"
)

// captureText prints what a capture holds for a person.
type captureText struct {
	w         io.Writer
	lang      explain.Language
	catalogue *explain.Catalogue
	lines     *lines
	zone      *time.Location
	meant     map[string]bool // codes, with what they may mean, that were told
	err       error
}

func newCaptureText(w io.Writer, lang explain.Language) (*captureText, error) {
	l, err := newLines(w, lang.String(), false)
	if err != nil {
		return nil, err
	}
	return &captureText{w: w, lang: lang, catalogue: l.catalogue, lines: l, zone: time.Local, meant: map[string]bool{}}, nil
}

func (c *captureText) two(en, zh string) string { return two(c.lang, en, zh) }

// say prints a line; the first error of the writer stays.
func (c *captureText) say(format string, args ...any) {
	if c.err == nil {
		_, c.err = fmt.Fprintf(c.w, format+"\n", args...)
	}
}

// row is a line with a name before it.
func (c *captureText) row(en, zh, format string, args ...any) {
	c.say("%s  %s", pad(c.two(en, zh), 10), fmt.Sprintf(format, args...))
}

func (c *captureText) report(r *captureReport, summary bool) error {
	if summary {
		c.summary(r)
		c.traffic(r)
	}
	if len(r.Findings) > 0 && summary {
		c.say("")
	}
	for i := range r.Findings {
		c.finding(&r.Findings[i])
	}
	if r.Unlisted > 0 {
		c.say(c.two("… and %s more that are only counted", "… 另有 %s 笔仅计数"), load.Thousands(r.Unlisted))
	}
	if r.Seen.Messages == 0 && r.Seen.NoFrames == 0 {
		c.nothing(r)
	} else if len(r.Findings) == 0 {
		c.say("%s", c.two("nothing was refused", "没有被拒绝的交易"))
	} else if r.Keys == "none" {
		c.say("%s", c.two("A code alone never yields a cause. With the keys of a test data directory: touchstone analyze FILE --data DIR",
			"仅凭应答码无法得出原因。有测试数据目录的密钥时: touchstone analyze FILE --data DIR"))
	}
	return c.err
}

// nothing tells why a capture may hold no message. That nothing was refused would be said of what nobody read.
func (c *captureText) nothing(r *captureReport) {
	if r.Seen.TLS > 0 {
		c.say("%s", c.two("no message of a terminal that can be read: what runs over TLS is not", "没有可读的终端报文: TLS 连接内的报文不可读"))
		return
	}
	c.say("%s", c.two("no message of a terminal in it: was it taken on the host's interface and port (--port)?", "其中没有终端报文: 抓包接口和端口 (--port) 是否为主机所用?"))
}

func (c *captureText) summary(r *captureReport) {
	s := &r.Seen
	n := load.Thousands
	if s.Packets == 0 {
		c.row("capture", "抓包", "%s", c.two("no packet in it", "没有数据包"))
		return
	}
	c.row("capture", "抓包", c.two("%s to %s, %s packets", "%s 至 %s, %s 个数据包"), c.time(r.Begins), c.time(r.Ends), n(s.Packets))
	c.row("streams", "连接", c.two("%s: %s with messages, %s TLS and unreadable", "%s: 有报文 %s, TLS 加密不可读 %s"), n(s.Streams), n(s.Payment), n(s.TLS))
	c.row("messages", "报文", c.two("%s: %s requests, %s answers, %s malformed", "%s: 请求 %s, 应答 %s, 格式错误 %s"), n(s.Messages), n(s.Requests), n(s.Answers), n(s.Malformed))
	c.row("pairs", "配对", c.two("%s answered, %s without an answer, %s late, %s sent again", "已答 %s, 无应答 %s, 迟到 %s, 重发 %s"), n(s.Pairs), n(s.Unanswered), n(s.Late), n(s.Repeats))
	if s.Orphans > 0 {
		c.row("", "", c.two("%s answers to requests that are not in the capture", "%s 个应答的请求不在抓包中"), n(s.Orphans))
	}
	if s.CutFrames+s.NoFrames > 0 {
		c.row("unreadable", "不可读", c.two("%s cut off, %s that begin no message", "中断 %s, 非报文 %s"), n(s.CutFrames), n(s.NoFrames))
	}
	c.losses(r)
	if s.Pairs > 0 {
		t := r.TimesMS
		c.row("answers ms", "应答毫秒", "p50 %.1f  p90 %.1f  p99 %.1f  %s %.1f", t.P50, t.P90, t.P99, c.two("longest", "最长"), t.Max)
	}
	if len(r.Codes) > 0 {
		var parts []string
		for _, code := range slices.Sorted(maps.Keys(r.Codes)) {
			parts = append(parts, cmp.Or(code, "–")+" "+n(r.Codes[code]))
		}
		c.row("by code", "按应答码", "%s", strings.Join(parts, " · "))
	}
	if r.Keys != "none" && len(r.Reasons) > 0 {
		c.row("by reason", "按原因", "%s", c.counted(r.Reasons))
		c.row("by cause", "按根因", "%s", c.counted(r.Causes))
	}
}

// losses tells what of the traffic is not in the file, and why.
func (c *captureText) losses(r *captureReport) {
	s := &r.Seen
	n := load.Thousands
	if s.Gaps+s.Retransmitted+s.Disordered > 0 {
		c.row("network", "网络", c.two("%s bytes not captured in %s gaps, %s segments sent again, %s out of order, %s searches that found the next message",
			"未抓到 %s 字节 (%s 处), 重传 %s, 乱序 %s, 重新定位 %s"), n(s.LostBytes), n(s.Gaps), n(s.Retransmitted), n(s.Disordered), n(s.Resyncs))
	}
	if s.Shortened > 0 {
		c.row("snaplen", "截断", c.two("%s packets are cut: take the capture again with tcpdump -s 0", "%s 个数据包被截断: 请用 tcpdump -s 0 重抓"), n(s.Shortened))
	}
	if s.Unread+s.Fragments > 0 {
		c.row("let be", "未读", c.two("%s packets of a kind that is not read, %s IP fragments", "未读类型 %s, IP 分片 %s"), n(s.Unread), n(s.Fragments))
	}
	if s.Evicted > 0 {
		c.row("let go", "放弃", c.two("%s connections: more than %s at once", "%s 个连接: 同时超过 %s"), n(s.Evicted), n(uint64(capture.MaxStreams)))
	}
	if r.Interrupted {
		c.row("file", "文件", "%s", c.two("interrupted: what follows was not read", "已中断, 其后未读"))
	}
	if r.Torn {
		c.row("file", "文件", "%s", c.two("it breaks off: what follows is not in it", "文件不完整, 其后内容缺失"))
	}
}

func (c *captureText) counted(of map[string]uint64) string {
	names := slices.SortedFunc(maps.Keys(of), func(a, b string) int { return cmp.Or(cmp.Compare(of[b], of[a]), cmp.Compare(a, b)) })
	for i, name := range names {
		names[i] = name + " " + load.Thousands(of[name])
	}
	return strings.Join(names, " · ")
}

// shownTerminals is how many terminals a summary lists: those with the most refusals.
const shownTerminals = 12

func (c *captureText) traffic(r *captureReport) {
	if len(r.Terminals) == 0 {
		return
	}
	list := slices.Clone(r.Terminals)
	slices.SortStableFunc(list, func(a, b *terminalTraffic) int {
		return cmp.Or(cmp.Compare(b.Refused, a.Refused), cmp.Compare(b.Unanswered, a.Unanswered))
	})
	c.row("terminals", "终端", "%s", load.Thousands(uint64(len(list))+r.Unnamed))
	for i, t := range list {
		if i == shownTerminals {
			c.row("", "", "…")
			break
		}
		said := c.two("%s  %s requests, %s refused, %s without an answer", "%s  请求 %s, 拒绝 %s, 无应答 %s")
		if t.Requests == 1 {
			said = strings.Replace(said, "requests", "request", 1)
		}
		c.row("", "", said, printableID([]byte(t.Terminal)), load.Thousands(t.Requests), load.Thousands(t.Refused), load.Thousands(t.Unanswered))
	}
}

func (c *captureText) time(at time.Time) string { return at.In(c.zone).Format("2006-01-02 15:04:05") }

// head is the line of one request.
func (c *captureText) head(f *captureFinding) {
	answer := c.two("no answer", "无应答")
	if f.Answered {
		answer = c.two("answered ", "应答 ") + cmp.Or(f.Code, "–")
	}
	what := f.What
	if zh, ok := whatChinese[what]; ok && c.lang == explain.Chinese {
		what = zh
	}
	parts := []string{c.two("frame ", "帧 ") + fmt.Sprint(f.Frame), f.At.In(c.zone).Format("15:04:05.000"), cmp.Or(printableID([]byte(f.Terminal)), f.Client)}
	if f.Trace != "" {
		parts = append(parts, c.two("trace ", "流水 ")+f.Trace)
	}
	if parts = append(parts, what); f.Amount != "" {
		parts[len(parts)-1] += " CNY " + f.Amount
	}
	parts = append(parts, answer)
	if f.Repeat {
		parts = append(parts, c.two("sent again", "重发"))
	}
	c.say("%s", strings.Join(parts, " · "))
}

func (c *captureText) finding(f *captureFinding) {
	c.head(f)
	switch {
	case f.Reason != "":
		c.known(f)
	case f.Judged == judgedOther:
		c.indent("%s", c.two("UNPROVEN  judged again here, it would be ", "未证实  在此重新判定为 ")+c.short(f.verdict.reason)+
			c.two(": the host knew, or is set up, otherwise", ": 主机所知或配置不同"))
	case f.Judged == judgedBlind:
		c.indent("%s", c.two("UNPROVEN  it rests on what came before the capture: ", "未证实  取决于抓包之前的情况: ")+c.blind(f.Blind))
	}
	c.possible(f)
	if f.Note != "" {
		c.indent("%s", c.two(f.Note, noteChinese(f.Note)))
	}
}

// possible lists what a code may mean, at its first refusal only: a long capture has few codes and many refusals. What it
// may mean follows from the message too: of one that has a MAC, not that the MAC is missing.
func (c *captureText) possible(f *captureFinding) {
	key := f.Code + " " + strings.Join(f.Possible, " ")
	switch {
	case f.Reason != "" || len(f.Possible) == 0:
	case c.meant[key]:
		c.indent("%s", c.two("what "+f.Code+" may mean: listed above", f.Code+" 的可能含义: 见上"))
	default:
		c.meant[key] = true
		c.indent("%s", c.two("the code may mean:", "应答码可能表示:"))
		for _, name := range f.Possible {
			if r, err := reason.Parse(name); err == nil {
				c.indent("  %s %s", pad(name, 24), c.catalogue.Reason(r).Short.In(c.lang))
			}
		}
		code, _ := c.catalogue.Code(pos.Code(f.Code))
		c.indent("%s: %s", c.two("which one", "究竟是哪一种"), code.Learn.In(c.lang))
	}
}

func (c *captureText) indent(format string, args ...any) { c.say("    "+format, args...) }

func (c *captureText) short(r reason.Reason) string {
	return fmt.Sprintf("%s (%s)", c.catalogue.Reason(r).Short.In(c.lang), r)
}

var captureCertainties = map[journal.Certainty]explain.Text{
	journal.Proven: {EN: "PROVEN", ZH: "已证实"}, journal.Indicated: {EN: "INDICATED", ZH: "有迹象"},
	journal.Unproven: {EN: "UNPROVEN", ZH: "未证实"}, journal.Untried: {EN: "UNTRIED", ZH: "未试"},
}

// known tells a reason that the verdict made again has, and what is behind it.
func (c *captureText) known(f *captureFinding) {
	r, err := reason.Parse(f.Reason)
	if err != nil {
		return
	}
	g := guideOf(c.catalogue, r, f.record)
	name := f.Reason
	if f.Cause != "" && f.Cause != reason.NoCause.String() {
		if name = f.Cause; f.Variant != "" {
			name += "/" + f.Variant
		}
	}
	c.indent("%s  %s (%s)", captureCertainties[f.Certainty].In(c.lang), g.Cause.Short.In(c.lang), name)
	c.indent("%s", g.Cause.Meaning.In(c.lang))
	if f.record != nil && f.Fit > 0 {
		if found := foundWords(f.record, time.Local).In(c.lang); found != "" {
			c.indent("%s", found)
		}
	}
	if f.Tried > 0 {
		luck := ""
		if f.Fit > 0 { // of nothing that fits, nothing fits by chance
			luck = c.luck(f.OneIn)
		}
		c.indent(c.two("tried %s explanations, %d fit", "试了 %s 种解释, %d 种相符")+"%s", load.Thousands(uint64(f.Tried)), f.Fit, luck)
	}
	if f.With > 0 {
		c.indent(c.two("the message of frame %d agrees", "帧 %d 的报文与此一致"), f.With)
	}
	if open := g.NotProven.In(c.lang); open != "" {
		c.indent("%s  %s", c.two("NOT PROVEN", "未证实"), open)
	}
	if f.Blind != "" {
		c.indent("%s", c.two("not known: ", "未知: ")+c.blind(f.Blind))
	}
	if owner, err := ownerOf(f.Owner); err == nil {
		c.indent("%s: %s", c.two("who acts", "谁处理"), c.catalogue.Owner(owner).In(c.lang))
	}
	if steps := g.Steps.Engineer; len(steps) > 0 {
		c.indent("%s: %s", c.two("first", "首先"), steps[0].In(c.lang))
	}
}

func (c *captureText) luck(oneIn uint64) string {
	if oneIn == 0 {
		return ""
	}
	return fmt.Sprintf(c.two("; by chance at most 1 in %s", "; 偶然相符至多 1/%s"), load.Thousands(oneIn))
}

// The words of what a mirror does not know.
const (
	blindSignIn   = "sign_in_not_seen"  // of this terminal no sign-in is known
	blindKeys     = "keys_not_opened"   // a sign-in's keys are not under the master key that is registered
	blindAnswer   = "sign_in_answer"    // a sign-in whose answer is not in the capture
	blindBatch    = "batch_not_known"   // what the open batch is
	blindOriginal = "original_not_seen" // the sale that is undone
)

var blindWords = map[string]explain.Text{
	blindSignIn:   {EN: "no sign-in of this terminal is known", ZH: "未见此终端的签到"},
	blindKeys:     {EN: "the keys of its sign-in do not open under the master key of the data directory", ZH: "签到下发的密钥无法用数据目录中的主密钥解开"},
	blindAnswer:   {EN: "the answer to its sign-in is not in the capture", ZH: "签到的应答不在抓包中"},
	blindBatch:    {EN: "its open batch is not known", ZH: "当前批次未知"},
	blindOriginal: {EN: "the transaction it names is not known", ZH: "原交易未知"},
}

func (c *captureText) blind(name string) string {
	if t, ok := blindWords[name]; ok {
		return t.In(c.lang)
	}
	return name
}

func noteChinese(note string) string {
	switch note {
	case "bytes of this connection were not captured":
		return "此连接有未抓到的字节"
	case "the connection ended without an answer":
		return "连接结束, 没有应答"
	case "no answer was seen":
		return "未见应答"
	}
	return errorInChinese(note)
}
