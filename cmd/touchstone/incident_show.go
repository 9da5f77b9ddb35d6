package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"touchstone/explain"
	"touchstone/incident"
	"touchstone/pos"
)

// Words of incidents for a person.
var incidentWords = map[string]explain.Text{
	"open": {EN: "open", ZH: "待处理"}, "working": {EN: "working", ZH: "处理中"}, "closed": {EN: "closed", ZH: "已关闭"},
	"waiting": {EN: "waits", ZH: "未开始"}, "running": {EN: "runs", ZH: "进行中"}, "answered_in_time": {EN: "answered in time", ZH: "按时答复"},
	"answered_late": {EN: "answered late", ZH: "超时答复"}, "waived": {EN: "waived", ZH: "已豁免"},
	"queued": {EN: "nobody has looked at it yet", ZH: "尚未处理"}, "taken": {EN: "taken up", ZH: "已受理"}, "dismissed": {EN: "answered", ZH: "已答复"},
	"model_version": {EN: "model and version", ZH: "型号与版本"}, "model": {EN: "model", ZH: "型号"}, "version": {EN: "version", ZH: "版本"},
	"network": {EN: "network", ZH: "网络"}, "shop": {EN: "shop", ZH: "商户"}, "key": {EN: "key", ZH: "密钥"},
	"awareness": {EN: "awareness", ZH: "知悉"}, "engaged": {EN: "an investigator is engaged", ZH: "聘请调查机构"}, "fixed": {EN: "a fix is available", ZH: "修复可用"}, "handled": {EN: "the handling ends", ZH: "处置完毕"},
	"rule": {EN: "rule", ZH: "规则"}, "report": {EN: "report", ZH: "举报"}, "inspection": {EN: "inspection", ZH: "巡检"}, "person": {EN: "person", ZH: "人工"},
	"skimmer": {EN: "something is attached to the terminal", ZH: "终端上有可疑装置"}, "refused": {EN: "card or terminal refused", ZH: "卡或终端被拒"},
	"wrong_amount": {EN: "wrong amount", ZH: "金额不符"}, "fake_technician": {EN: "somebody posed as a technician", ZH: "冒充维修人员"}, "other": {EN: "other", ZH: "其他"},
	"V": {EN: "[V] verified", ZH: "[V] 已核实"}, "S": {EN: "[S] secondary source", ZH: "[S] 二手来源"}, "R": {EN: "[R] recalled", ZH: "[R] 凭记忆"}, "unverified": {EN: "[!] hours not verified", ZH: "[!] 时限未核实"},
	"incident_opened": {EN: "opened", ZH: "立案"}, "incident_assigned": {EN: "assigned", ZH: "指派"}, "incident_noted": {EN: "note", ZH: "记录"},
	"incident_graded": {EN: "graded", ZH: "定级"}, "incident_scoped": {EN: "scope", ZH: "范围"}, "incident_cause_found": {EN: "cause", ZH: "原因"},
	"incident_action_taken": {EN: "action", ZH: "措施"}, "incident_linked": {EN: "linked", ZH: "关联"}, "incident_clock_answered": {EN: "clock answered", ZH: "时限答复"},
	"incident_clock_started": {EN: "clock started", ZH: "时限开始"}, "incident_clock_waived": {EN: "clock waived", ZH: "时限豁免"}, "incident_closed": {EN: "closed", ZH: "关闭"},
	"incident_widened": {EN: "widened", ZH: "扩大"}, "incident_opened_again": {EN: "opened again", ZH: "重新打开"}, "report_joined": {EN: "report", ZH: "举报"},
}

func (l *lines) incidentWord(w string) string {
	if words, ok := incidentWords[w]; ok {
		return words.In(l.lang)
	}
	return strings.ReplaceAll(w, "_", " ")
}

func (l *lines) text(t incident.Text) string { return t.In(l.lang == explain.Chinese) }

func (l *lines) when(at pos.Instant) string {
	if at == 0 {
		return "–"
	}
	return at.Time().In(l.zone).Format("2006-01-02 15:04:05")
}

// left says how much of a deadline is left, or since when it is over.
func (l *lines) left(due, now pos.Instant) string {
	d := due.Sub(now)
	if d < 0 {
		return fmt.Sprintf(l.two("OVERDUE by %s", "已超时 %s"), l.roughly(-d))
	}
	return fmt.Sprintf(l.two("%s left", "剩余 %s"), l.roughly(d))
}

// roughly is a span in two units at most: of three days but a minute it does not say two days.
func (l *lines) roughly(d time.Duration) string {
	hours, minutes := int(d.Hours()), int(d.Minutes())
	switch {
	case d >= inDays:
		return fmt.Sprintf(l.two("%dd", "%d 天"), hours/24)
	case d >= 48*time.Hour:
		return fmt.Sprintf(l.two("%dd%02dh", "%d 天 %d 小时"), hours/24, hours%24)
	case d >= time.Hour:
		return fmt.Sprintf(l.two("%dh%02dm", "%d 小时 %d 分"), hours, minutes%60)
	case d >= time.Minute:
		return fmt.Sprintf(l.two("%dm", "%d 分钟"), minutes)
	}
	return fmt.Sprintf(l.two("%ds", "%d 秒"), int(d.Seconds()))
}

// inDays is the span from which hours are no longer told.
const inDays = 14 * 24 * time.Hour

func (l *lines) incidents(a *incidentAnswerShown, all, drills bool) error {
	s := &screen{l: l}
	shown := 0
	for n := range a.Incidents {
		i := &a.Incidents[n]
		if i.Drill && !drills || i.State == incident.Closed && !all {
			continue
		}
		shown++
		owner := i.Owner
		if owner == "" {
			owner = "–"
		}
		s.line("%s %s %s %s %s", pad(i.ID, 12), pad(l.text(i.Grade), 18), pad(l.incidentWord(string(i.State)), 8), pad(owner, 8), l.text(i.Title))
		var next *incident.Clock
		for k := range i.Clocks {
			if c := &i.Clocks[k]; c.State == incident.Running && (next == nil || c.Due < next.Due) {
				next = c
			}
		}
		if next != nil {
			s.line("%s %s: %s, %s", pad("", 12), l.two("next deadline", "下一时限"), next.Rule, l.left(next.Due, a.Now))
		}
	}
	if shown == 0 {
		s.line("%s", l.two("no incident is open (--all shows closed ones, --drills drills)", "没有未关闭的事件 (--all 显示已关闭的, --drills 显示演练)"))
	}
	return s.flush(l.w)
}

// incident prints one as a page.
func (l *lines) incident(i *incidentShown, now pos.Instant) error {
	s := &screen{l: l}
	if i.Drill {
		s.line("*** %s ***", l.two("DRILL: this is an exercise, nothing in it is real", "演练: 以下内容均为演练, 并非真实事件"))
	}
	s.line("%s  %s", i.ID, l.text(i.Title))
	owner := i.Owner
	if owner == "" {
		owner = l.two("nobody", "无")
	}
	s.row(l.two("state", "状态"), "%s, %s, %s %s", l.incidentWord(string(i.State)), l.text(i.Grade), l.two("owner", "负责人"), owner)
	s.row(l.two("kind", "类别"), "%s", l.text(i.KindName))
	s.row(l.two("opened by", "立案来源"), "%s %s, %s", l.incidentWord(i.Origin.Way), i.Origin.Ref, l.when(i.At))
	l.incidentScope(s, &i.Scope)
	l.factors(s, i)
	l.likely(s, i)
	if i.Proofs > 0 {
		s.row(l.two("proof", "证据"), l.two("%d journal entries: %s", "%d 条日志记录: %s"), i.Proofs, numbers(i.Proof, 12))
	}
	if i.Cause != nil {
		s.row(l.two("cause", "原因"), "%s (%s, %s %s)", i.Cause.Text, i.Cause.By, l.two("entries", "记录"), numbers(i.Cause.Entries, 12))
	}
	for _, x := range i.Actions {
		s.row(l.two("action", "措施"), "%s (%s, %s)", x.Text, x.By, l.when(x.At))
	}
	if len(i.Links) > 0 {
		ids := make([]string, len(i.Links))
		for n, x := range i.Links {
			ids[n] = x.ID
		}
		s.row(l.two("links", "关联"), "%s", strings.Join(ids, ", "))
	}
	l.incidentClocks(s, i, now)
	s.line("%s", l.two("timeline", "时间线"))
	for _, p := range i.Timeline {
		entries := ""
		if len(p.Entries) > 0 {
			entries = fmt.Sprintf("  (%s %s)", l.two("entries", "记录"), numbers(p.Entries, 8))
		}
		mark := ""
		if p.Drill {
			mark = l.two("[DRILL] ", "[演练] ")
		}
		s.line("  %s  %s%s  %s  %s%s", l.when(p.At), mark, pad(l.incidentWord(p.Verb), 14), strings.Join(p.Actors, " + "), l.text(p.Text), entries)
	}
	if len(i.Missing) > 0 {
		what := make([]string, len(i.Missing))
		for n, m := range i.Missing {
			what[n] = l.text(m)
		}
		s.line("%s: %s", l.two("to be closed it lacks", "关闭前尚缺"), strings.Join(what, "; "))
	}
	return s.flush(l.w)
}

func numbers(list []uint64, most int) string {
	var b strings.Builder
	for n, x := range list {
		if n == most {
			fmt.Fprintf(&b, ", ... (%d)", len(list))
			break
		}
		if n > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.FormatUint(x, 10))
	}
	return b.String()
}

func (l *lines) incidentScope(s *screen, scope *incident.Scope) {
	row := func(name string, list []string, more int) {
		if len(list) == 0 {
			return
		}
		text := strings.Join(list[:min(len(list), 12)], ", ")
		if n := len(list) - 12; n > 0 || more > 0 {
			text += fmt.Sprintf(l.two(" and %d more", " 及另外 %d 个"), max(n, 0)+more)
		}
		s.row(name, "%s", text)
	}
	row(l.two("models", "型号"), scope.Models, 0)
	row(l.two("versions", "版本"), scope.Versions, 0)
	row(l.two("terminals", "终端"), scope.Terminals, scope.More)
	row(l.two("devices", "设备"), scope.Devices, 0)
	row(l.two("shops", "商户"), scope.Shops, 0)
	if scope.From != 0 {
		to := l.two("now, it goes on", "今, 仍在持续")
		if scope.To != 0 {
			to = l.when(scope.To)
		}
		s.row(l.two("exposed", "暴露窗口"), l.two("%s to %s", "%s 至 %s"), l.when(scope.From), to)
	}
}

// factors prints the table on which a common cause rests.
func (l *lines) factors(s *screen, i *incidentShown) {
	if len(i.Common) == 0 {
		return
	}
	s.line("%s", l.two("what the terminals that failed share, and others do not", "失败终端共有而其他终端没有的特征"))
	s.line("  %s %s %s %s  G", pad("", 48), pad(l.two("failed", "失败"), -14), pad(l.two("others failed", "其余失败"), -14), pad("", 1))
	for _, f := range i.Common {
		mark := " "
		if f.Chosen {
			mark = "*"
		}
		s.line("  %s %s %s %s  %6.2f", mark, pad(l.incidentWord(f.Name)+" "+f.Value, 46), pad(fmt.Sprintf(l.two("%d of %d", "%d / %d"), f.Affected, f.Affected+f.Unaffected), -14),
			pad(fmt.Sprintf(l.two("%d of %d", "%d / %d"), f.OthersFailed, f.OthersFailed+f.OthersWell), -14), f.G)
	}
}

// likely prints the causes that experiment found behind the failures.
func (l *lines) likely(s *screen, i *incidentShown) {
	if len(i.Likely) == 0 {
		return
	}
	s.line("%s", l.two("causes found by experiment behind these failures", "经试验查明的失败成因"))
	common := incident.CommonCause(i.Likely)
	for n := range i.Likely {
		c, mark := &i.Likely[n], " "
		if common != nil && n == 0 {
			mark = "*"
		}
		s.line("  %s %s %s", mark, pad(c.Cause, 46), fmt.Sprintf(l.two("%d of %d terminals, proven at %d", "%d / %d 台终端, 其中证实 %d 台"), c.Terminals, c.Of, c.Proven))
	}
}

func (l *lines) incidentClocks(s *screen, i *incidentShown, now pos.Instant) {
	if len(i.Clocks) == 0 {
		s.row(l.two("clocks", "时限"), "%s", l.two("none applies", "无适用时限"))
		return
	}
	s.line("%s", l.two("clocks", "时限"))
	for n := range i.Clocks {
		c := &i.Clocks[n]
		state := l.incidentWord(string(c.State))
		switch c.State {
		case incident.Running:
			state = l.left(c.Due, now)
		case incident.Waiting:
			state = fmt.Sprintf(l.two("waits: %s", "未开始: %s"), l.incidentWord(string(c.Start)))
		}
		within := c.Within
		if c.AtOnce {
			within = fmt.Sprintf(l.two("at once (%s)", "立即 (%s)"), c.Within)
		}
		s.line("  %s %s %s %s", pad(c.Rule, 22), pad(within, 16), pad(state, 24), l.text(c.Recipient))
		if c.Due != 0 {
			s.line("  %s %s: %s  %s, %s", pad("", 22), l.two("due", "到期"), l.when(c.Due), c.Source, l.incidentWord(c.DueMark))
		}
		if c.Sending != nil {
			s.line("  %s %s: %s%s%s, %s, %s", pad("", 22), l.two("proof of sending", "发送凭证"), c.Sending.Notice, c.Sending.Document, c.Sending.Statement, c.Sending.By, l.when(c.Sending.Sent))
		}
		if c.Reason != "" {
			s.line("  %s %s: %s (%s)", pad("", 22), l.two("waived", "豁免"), c.Reason, strings.Join(c.WaivedBy, " + "))
		}
	}
}

// incidentData prints rules, clocks, severities and kinds.
func (l *lines) incidentData(d *incident.Data) error {
	s := &screen{l: l}
	off := func(yes bool) string {
		if yes {
			return l.two(" (off)", " (停用)")
		}
		return ""
	}
	s.line("%s", l.two("what opens an incident", "立案规则"))
	for n := range d.Rules {
		r := &d.Rules[n]
		s.line("  %s %s%s", pad(r.ID, 28), l.text(r.What), off(r.Off))
		if r.Window != "" {
			s.line("  %s %s %s, %s %d, %s %d, G %.2f", pad("", 28), l.two("window", "窗口"), r.Window, l.two("terminals", "终端"), r.Terminals, l.two("shops", "商户"), r.Shops, r.G)
		}
	}
	s.line("%s: %s", l.two("the operator is", "本机构为"), strings.Join(d.Operator, ", "))
	s.line("%s", l.two("duties with a deadline", "有时限的报告义务"))
	for n := range d.Clocks {
		c := &d.Clocks[n]
		s.line("  %s %s %s → %s%s", pad(c.ID, 26), pad(c.Due, 5), l.text(c.Duty), l.text(c.Recipient), off(c.Off))
		s.line("  %s %s: %s; %s %s; %s; %s", pad("", 26), l.two("from", "起算"), l.incidentWord(string(c.Start)), c.Source, l.incidentWord(c.Mark), l.incidentWord(c.DueMark), c.Template)
	}
	s.line("%s", l.two("severities", "级别"))
	for _, x := range d.Severities {
		s.line("  %s %s: %s", pad(x.ID, 14), l.text(x.Grade), l.text(x.Means))
	}
	s.line("%s", l.two("kinds", "类别"))
	for _, x := range d.Kinds {
		s.line("  %s %s  %s", pad(x.ID, 28), l.text(x.Name), strings.Join(x.Exposes, ", "))
	}
	return s.flush(l.w)
}
