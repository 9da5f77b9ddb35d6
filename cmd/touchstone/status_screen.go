package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"touchstone/observe"
	"touchstone/pos"
	"touchstone/reason"
)

// screen gathers lines and writes them at once.
type screen struct {
	l *lines
	b strings.Builder
}

// titleColumns is the width of the first column.
const titleColumns = 12

func (s *screen) line(format string, args ...any) { fmt.Fprintf(&s.b, format+"\n", args...) }

func (s *screen) row(title, format string, args ...any) {
	s.line("  %s %s", pad(title, titleColumns), fmt.Sprintf(format, args...))
}

func (s *screen) flush(w io.Writer) error {
	_, err := io.WriteString(w, s.b.String())
	return err
}

// count groups digits by three.
func count(n uint64) string {
	t := fmt.Sprint(n)
	for i := len(t) - 3; i > 0; i -= 3 {
		t = t[:i] + "," + t[i:]
	}
	return t
}

// size is bytes for a person, in binary units.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v, u := float64(n), 0
	for v >= 1024 && u < len(units)-1 {
		v, u = v/1024, u+1
	}
	if u == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[u])
}

// span is a stretch of time for a person, in its two largest units.
func span(l *lines, d time.Duration) string {
	d = d.Round(time.Second)
	days, hours, minutes, seconds := int(d/(24*time.Hour)), int(d/time.Hour)%24, int(d/time.Minute)%60, int(d/time.Second)%60
	switch {
	case days > 0:
		return fmt.Sprintf(l.two("%d d %d h", "%d 天 %d 小时"), days, hours)
	case hours > 0:
		return fmt.Sprintf(l.two("%d h %d min", "%d 小时 %d 分"), hours, minutes)
	case minutes > 0:
		return fmt.Sprintf(l.two("%d min %d s", "%d 分 %d 秒"), minutes, seconds)
	}
	return fmt.Sprintf(l.two("%d s", "%d 秒"), seconds)
}

// mostReasons is how many reasons the screen names; the others are one line.
const mostReasons = 8

// writeStatus prints one screen.
func writeStatus(w io.Writer, l *lines, st *observe.Status) error {
	s := &screen{l: l}
	h := &st.Host
	s.line("\n  %s %s   %s", "TOUCHSTONE 试金石", h.Version, fmt.Sprintf(l.two("up %s, since %s, process %d", "已运行 %s, 自 %s, 进程 %d"),
		span(l, st.At.Sub(h.Since)), h.Since.In(l.zone).Format(time.DateTime), h.Process))
	directory := h.Directory
	if h.Test {
		directory += l.two("   (test data directory: published keys)", "   (测试数据目录: 密钥已公开)")
	}
	s.row(l.two("directory", "数据目录"), "%s", directory)
	for _, c := range st.Listeners {
		state := ""
		if !c.Serving {
			state = l.two("   (closed)", "   (已关闭)")
		}
		s.row(l.two("listens", "接入"), l.two("%s %s   %s open, %s accepted, %s turned away, %s bad frames%s", "%s %s   连接 %s, 累计 %s, 拒绝接入 %s, 坏帧 %s%s"),
			c.Kind, c.Address, count(uint64(max(c.Open, 0))), count(c.Accepted), count(c.TurnedAway), count(c.BadFrames), state)
	}
	if st.ObserveAddr != "" {
		s.row(l.two("figures", "监控"), "http://%s/metrics   /healthz   /readyz", st.ObserveAddr)
	}
	s.row(l.two("register", "登记"), l.two("%s merchants, %s terminals, %s devices, %s cards", "商户 %s, 终端 %s, 设备 %s, 卡 %s"),
		count(uint64(st.Registered.Merchants)), count(uint64(st.Registered.Terminals)), count(uint64(st.Registered.Devices)), count(uint64(st.Registered.Cards)))
	s.traffic(st)
	s.hour(&st.LastHour)
	s.failures(st.Failures)
	s.inside(st)
	s.needs(st)
	return s.flush(w)
}

func (s *screen) traffic(st *observe.Status) {
	l, t := s.l, &st.Traffic
	s.line("")
	s.row(l.two("messages/s", "每秒报文"), l.two("%.1f in 10 s   %.1f in 1 min   %.1f in 5 min      of which financial %.1f   %.1f   %.1f",
		"%.1f (10 秒)   %.1f (1 分)   %.1f (5 分)      其中金融交易 %.1f   %.1f   %.1f"),
		t.TenSeconds.Messages, t.OneMinute.Messages, t.FiveMinutes.Messages, t.TenSeconds.Money, t.OneMinute.Money, t.FiveMinutes.Money)
	if t.Answered.Count == 0 {
		s.row(l.two("answered in", "应答用时"), "%s", l.two("nothing answered in the last minute", "最近一分钟没有应答"))
	} else {
		s.row(l.two("answered in", "应答用时"), l.two("half within %.2f ms, 99 %% within %.2f ms   (decided: %.2f, %.2f)   last minute",
			"一半在 %.2f 毫秒内, 99 %% 在 %.2f 毫秒内   (判定: %.2f, %.2f)   最近一分钟"),
			t.Answered.P50MS, t.Answered.P99MS, t.Decided.P50MS, t.Decided.P99MS)
	}
	s.row(l.two("under way", "处理中"), l.two("%s in flight, queue %s of %s", "%s 笔, 队列 %s / %s"), count(st.InFlight), count(uint64(st.Journal.Queue)),
		count(uint64(st.Journal.QueueLimit)))
}

func (s *screen) hour(h *observe.HourStatus) {
	l := s.l
	s.line("")
	var refused uint64
	for _, r := range h.Refused {
		refused += r.Count
	}
	stretch := l.two("last hour", "最近一小时")
	if d := time.Duration(h.Seconds * float64(time.Second)); d < time.Hour {
		stretch = fmt.Sprintf(l.two("since start (%s)", "启动以来 (%s)"), span(l, d))
	}
	s.line("  %s: %s", stretch, fmt.Sprintf(l.two("%s messages, %s financial, %s of them approved; %s with a reason", "报文 %s, 金融交易 %s, 通过 %s; 附原因的报文 %s"),
		count(h.Messages), count(h.Money), count(h.Approved), count(refused)))
	rest := uint64(0)
	for i, r := range h.Refused {
		if i >= mostReasons {
			rest += r.Count
			continue
		}
		words := r.Reason
		if known, err := reason.Parse(r.Reason); err == nil {
			words = l.catalogue.Reason(known).Short.In(l.lang)
		}
		s.line("  %s  %s  %s", pad(count(r.Count), -10), pad(r.Reason, 26), words)
	}
	if rest > 0 {
		s.line("  %s  %s", pad(count(rest), -10), l.two("other reasons", "其他原因"))
	}
	if refused > 0 {
		s.line("  %s", l.two("canary messages are among them; of shops alone: touchstone failures", "含探测报文; 仅商户的统计：touchstone failures"))
	}
}

// failures says how many honest sales were refused, and what became of the refused ones.
func (s *screen) failures(f *observe.Failures) {
	if f == nil || f.Approved+f.Refused == 0 {
		return
	}
	l := s.l
	money := func(p observe.Purchases) string { return pos.Amount(p.Amount).String() }
	s.line("")
	s.line("  %s: %s", l.two("false failures, 24 h", "24 小时误拒率"), fmt.Sprintf(l.two("%s of honest sales at least, %s at most; refused purchases: recovered %d (%s), lost %d (%s)",
		"至少 %s, 至多 %s; 被拒购买: 十分钟内成交 %d (%s), 流失 %d (%s)"), ppm(f.Least), ppm(f.Most), f.Recovered.Number, money(f.Recovered), f.Lost.Number, money(f.Lost)))
}

func (s *screen) inside(st *observe.Status) {
	l, j := s.l, &st.Journal
	s.line("")
	last := l.two("none in this run", "本次运行尚无")
	if j.LastBlock != nil {
		last = j.LastBlock.In(l.zone).Format(time.TimeOnly)
	}
	s.row(l.two("journal", "日志"), l.two("entry %s, durable up to %s, %s, last block %s", "已记录至 %s, 已落盘至 %s, %s, 最后一块 %s"),
		count(j.Head), count(j.Durable), size(j.Bytes), last)
	if j.LastBlock != nil {
		s.row(l.two("writing", "写入"), l.two("%.1f entries a block, 99 %% of blocks within %.2f ms, since the start", "每块 %.1f 条, 99 %% 的块在 %.2f 毫秒内, 启动以来"),
			j.EntriesPerBlock, j.AppendP99MS)
	}
	age := l.two("none yet", "尚无")
	if j.CheckpointAge != nil {
		age = fmt.Sprintf(l.two("%s ago, took %.0f ms", "%s前, 用时 %.0f 毫秒"), span(l, time.Duration(*j.CheckpointAge*float64(time.Second))), j.CheckpointTook*1000)
	}
	s.row(l.two("checkpoint", "检查点"), l.two("%s; view %s entries behind", "%s; 查询视图落后 %s 条"), age, count(j.ViewLag))
	if p := j.Proof; p != nil {
		ended := l.two("not whole yet in this run", "本次运行尚未完整校验")
		if p.Ended != nil {
			ended = fmt.Sprintf(l.two("whole at %s", "完整校验于 %s"), p.Ended.In(l.zone).Format(time.DateTime))
		}
		s.row(l.two("proof", "校验"), l.two("chain proven up to entry %s, %s", "链已校验至 %s, %s"), count(p.Entry), ended)
	}
	m := l.two("sealed", "已封闭")
	if st.Module.Unsealed {
		m = fmt.Sprintf(l.two("unsealed, %s keys open, %.1f %% of uses found open", "已解封, 已打开密钥 %s 把, 命中率 %.1f %%"), count(uint64(st.Module.Keys)), st.Module.HitRatio*100)
	}
	s.row(l.two("module", "安全模块"), "%s", m)
	s.row(l.two("memory", "内存"), l.two("%s, heap %s, %s goroutines", "%s, 堆 %s, 协程 %s"), size(int64(st.Memory.Bytes)), size(int64(st.Memory.Heap)), count(uint64(st.Memory.Goroutines)))
	if d := st.Disk; d != nil && d.Size > 0 {
		s.row(l.two("disk", "磁盘"), l.two("%s free of %s (%.0f %%)", "可用 %s / %s (%.0f %%)"), size(d.Free), size(d.Size), 100*float64(d.Free)/float64(d.Size))
	}
}

// needs says what waits for a person.
func (s *screen) needs(st *observe.Status) {
	l := s.l
	s.line("")
	if len(st.Needs) == 0 {
		s.line("  %s", l.two("Nothing waits for a person.", "没有需要人处理的事项。"))
		return
	}
	s.line("  %s", l.two("Needs a person:", "需要人处理:"))
	for _, n := range st.Needs {
		s.line("  ! %s", l.need(n))
	}
}

// need puts one need into words.
func (l *lines) need(n observe.Need) string {
	switch n.Code {
	case observe.NeedJournalFailed:
		return l.two("the journal failed: nothing more is answered; see the log and the disk, then restart", "日志写入失败: 不再应答; 请查看运行日志和磁盘, 然后重启")
	case observe.NeedDiskLow:
		return fmt.Sprintf(l.two("disk nearly full: %.1f %% free; when it is full the host ends", "磁盘将满: 仅剩 %.1f %%; 写满后主机停止"), n.Value*100)
	case observe.NeedCheckpoint:
		return l.two("a checkpoint failed: none is written until a restart, which will then take longer", "检查点写入失败: 重启前不再写入, 重启将耗时更长")
	case observe.NeedCheckpointOld:
		return fmt.Sprintf(l.two("the last checkpoint is old: %.0f s; a start would take longer", "检查点过旧: %.0f 秒; 启动将耗时更长"), n.Value)
	case observe.NeedViewLag:
		return fmt.Sprintf(l.two("queries lag: %.0f entries are not shown yet", "查询滞后: 尚有 %.0f 条未显示"), n.Value)
	case observe.NeedSealed:
		return l.two("the security module is sealed: no proof can be made", "安全模块已封闭: 无法进行任何验证")
	case observe.NeedSingleDES:
		return l.two("single DES is accepted: such keys can be found by trying all", "接受单倍长 DES: 这类密钥可被穷举")
	case observe.NeedTestData:
		return l.two("the keys here are published: never for real cards", "此处密钥已公开: 切勿用于真实银行卡")
	case observe.NeedClockStep:
		return fmt.Sprintf(l.two("the machine's clock was set by %+.1f s; the host keeps its own until a restart", "本机时钟被调整 %+.1f 秒; 主机在重启前沿用原时钟"), n.Value)
	case observe.NeedClockDrift:
		return fmt.Sprintf(l.two("the host's clock is %+.1f s from the machine's; restart when no sales are made", "主机时钟与本机相差 %+.1f 秒; 请在无交易时重启"), -n.Value)
	case observe.NeedIneffective:
		return fmt.Sprintf(l.two("AUTHENTICATION INEFFECTIVE: %.0f canary messages are not judged as they must be; see touchstone events", "认证失效: %.0f 条探测报文的判定与应有结果不符; 请查看 touchstone events"), n.Value)
	case observe.NeedStopped:
		return fmt.Sprintf(l.two("sales stopped on account of %.0f proofs; a person lifts it: touchstone canary resume", "因 %.0f 项证明失效, 相关消费已停止; 由人解除: touchstone canary resume"), n.Value)
	case observe.NeedOverloaded:
		return l.two("overloaded: new work is being refused", "过载: 正在拒绝新请求")
	}
	return n.Code
}

// figuresLine is where the demonstration's metrics are.
func (s *stage) figuresLine(b *strings.Builder, c *demoCmd) {
	if s.figures == "" {
		return
	}
	l := s.show
	fmt.Fprintf(b, "  %s http://%s/metrics%s   %s status%s\n", pad(l.two("figures", "监控"), 11), s.figures, l.taken(s.figuresTaken, c.Observe), program(), dataFlag(c.Data))
}

// dataFlag names a data directory that is not the demonstration's usual one.
func dataFlag(dir string) string {
	if dir == demoDirectory {
		return ""
	}
	return " --data " + dir
}
