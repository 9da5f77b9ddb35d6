package load

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"touchstone/terminal"
)

// two picks the language's text.
func two(l terminal.Language, en, zh string) string {
	return terminal.Words{ZH: zh, EN: en}.In(l)
}

// Milliseconds shows a latency with three digits that count.
func Milliseconds(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case ms < 10:
		return strconv.FormatFloat(ms, 'f', 2, 64)
	case ms < 100:
		return strconv.FormatFloat(ms, 'f', 1, 64)
	}
	return strconv.FormatFloat(ms, 'f', 0, 64)
}

// Microseconds is a time as a number of them.
func Microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// Thousands groups the digits of a number.
func Thousands(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// barColumns is the width of the longest bar.
const barColumns = 48

// WriteText writes the result for a person: how it was run, what came, the percentiles as a table and as
// bars.
func (r *Result) WriteText(w io.Writer, l terminal.Language) error {
	var b strings.Builder
	how := two(l, "closed loop", "闭环")
	if r.Rate > 0 {
		how = fmt.Sprintf(two(l, "fixed rate %s/s, latency from the scheduled time", "固定速率 %s 笔/秒, 延迟自计划时刻起算"), Thousands(uint64(r.Rate)))
	}
	fmt.Fprintf(&b, two(l, "%s; %s terminals over %d connections, %d in flight on each; %s measured\n", "%s; %s 台终端, %d 条连接, 每条在途 %d 笔; 计量 %s\n"),
		how, Thousands(uint64(r.Terminals)), r.Connections, r.Pipeline, r.Length.Round(time.Millisecond))
	fmt.Fprintf(&b, two(l, "%s sales answered in it, %s a second, %s approved\n", "其间应答 %s 笔, 每秒 %s 笔, 通过 %s 笔\n"),
		Thousands(r.Measured), Thousands(uint64(math.Round(r.PerSecond))), Thousands(r.Granted))
	fmt.Fprintf(&b, two(l, "approved in all: %s (%s of them while signing in); MACs of answers verified: %s\n", "共通过 %s 笔 (其中签到时 %s 笔); 验证应答 MAC %s 个\n"),
		Thousands(r.ApprovedInAll()), Thousands(r.First), Thousands(r.Verified))
	if r.HostCPU > 0 {
		fmt.Fprintf(&b, two(l, "CPU for one sale: host %.1f us, generator %.1f us\n", "每笔 CPU 时间: 主机 %.1f 微秒, 发生器 %.1f 微秒\n"),
			Microseconds(r.HostCPU), Microseconds(r.CPU))
	}
	r.writeFailures(&b, l)
	if r.Measured > 0 {
		r.writePercentiles(&b, l)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Result) writeFailures(b *strings.Builder, l terminal.Language) {
	if r.Stopped {
		b.WriteString(two(l, "stopped before its end\n", "提前结束\n"))
	}
	if r.WrongMAC > 0 || r.Forged > 0 {
		fmt.Fprintf(b, two(l, "sent with a wrong MAC: %s answered A0, %s approved\n", "故意发送错误 MAC: 应答 A0 %s 笔, 通过 %s 笔\n"), Thousands(r.WrongMAC), Thousands(r.Forged))
	}
	if r.Clean() {
		b.WriteString(two(l, "no sale refused, none without an answer\n", "无一笔被拒绝, 无一笔无应答\n"))
		return
	}
	for _, c := range r.Refused {
		fmt.Fprintf(b, two(l, "answered %s: %s\n", "应答 %s: %s 笔\n"), c.Code, Thousands(c.Count))
	}
	if r.Unknown > 0 {
		fmt.Fprintf(b, two(l, "without an answer: %s\n", "无应答: %s 笔\n"), Thousands(r.Unknown))
	}
	if r.Lost > 0 {
		fmt.Fprintf(b, two(l, "connections that ended: %d (%s)\n", "断开的连接: %d (%s)\n"), r.Lost, r.Cause)
	}
	if r.Unsent > 0 {
		fmt.Fprintf(b, two(l, "scheduled and not sent: %s; the host does not keep this rate, and these waited longest\n", "已到计划时刻而未发出: %s 笔; 主机跟不上此速率, 且这些等待最久\n"), Thousands(r.Unsent))
	}
}

// row is one line of the table.
type row struct {
	name          string
	latency, wait time.Duration
}

func (r *Result) rows(l terminal.Language) []row {
	a, b := r.Latency, r.Wait
	return []row{
		{"p50", a.P50, b.P50}, {"p90", a.P90, b.P90}, {"p99", a.P99, b.P99}, {"p99.9", a.P999, b.P999}, {"p99.99", a.P9999, b.P9999},
		{two(l, "max", "最大"), a.Max, b.Max}, {two(l, "mean", "平均"), a.Mean, b.Mean},
	}
}

func (r *Result) writePercentiles(b *strings.Builder, l terminal.Language) {
	fmt.Fprintf(b, "\n  %s %s", left(two(l, "latency", "延迟"), 8), right(two(l, "ms", "毫秒"), 8))
	if r.Rate > 0 {
		fmt.Fprintf(b, "  %s", right(two(l, "of it unsent", "其中待发"), 12))
	}
	b.WriteString("\n")
	for _, x := range r.rows(l) {
		fmt.Fprintf(b, "  %s %s", left(x.name, 8), right(Milliseconds(x.latency), 8))
		if r.Rate > 0 {
			fmt.Fprintf(b, "  %s", right(Milliseconds(x.wait), 12))
		}
		fmt.Fprintf(b, "  %s\n", bar(x.latency, r.Latency.Max))
	}
}

// bar is as long as a latency is of the longest, in eighths of a column.
func bar(d, longest time.Duration) string {
	if longest <= 0 {
		return ""
	}
	eighths := int(math.Round(float64(d) / float64(longest) * barColumns * 8))
	s := strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		s += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	if s == "" && d > 0 {
		s = "▏"
	}
	return s
}

// left and right fill s with spaces to n columns of a screen.
func left(s string, n int) string  { return terminal.Pad(s, n) }
func right(s string, n int) string { return strings.Repeat(" ", max(n-terminal.Width(s), 0)) + s }
