package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"touchstone/grade"
)

// barColumns is the width of a bar.
const barColumns = 24

// bar shows counts by level, each level by a shape of its own; what is there at all has a cell.
func bar(counts levelCounts) string {
	total := 0
	for _, n := range counts {
		total += n
	}
	if total == 0 {
		return strings.Repeat(" ", barColumns)
	}
	cells, used := [grade.Levels]int{}, 0
	for i, n := range counts {
		if n > 0 {
			cells[i] = max(n*barColumns/total, 1)
		}
		used += cells[i]
	}
	for used != barColumns { // what rounding left or took is the largest level's
		largest := 0
		for i := range cells {
			if cells[i] > cells[largest] {
				largest = i
			}
		}
		if used < barColumns {
			cells[largest]++
			used++
		} else {
			cells[largest]--
			used--
		}
	}
	var b strings.Builder
	for i, shape := range [grade.Levels]string{"·", "░", "▓", "█"} {
		b.WriteString(strings.Repeat(shape, cells[i]))
	}
	return b.String()
}

// countsRow is a row of counts by level with its bar.
func (s *screen) countsRow(title string, counts levelCounts) {
	row := "  " + pad(title, 14)
	for _, n := range counts {
		row += pad(count(uint64(n)), -11)
	}
	s.line("%s   %s", row, bar(counts))
}

func (s *screen) countsHead() {
	row := "  " + pad("", 14)
	for l := range grade.Levels {
		row += pad(levelWords[l.String()].In(s.l.lang), -11)
	}
	s.line("%s", row)
}

// gradeFoot says what the figures rest on.
func (s *screen) gradeFoot(a *gradeAnswer) {
	t := &a.Thresholds
	s.line("\n  "+s.l.two("Ages are the acquirer's to set (unverified): working keys strong to %s, accepted to %s, %g sign-ins a day; master keys %s, %s.",
		"密钥年限由收单机构设定 (未经核实): 工作密钥 %s 内为强, %s 内可接受, 每日签到 %g 次; 主密钥 %s, %s。"),
		span(s.l, t.WorkingStrong), span(s.l, t.WorkingAccepted), t.SignInsADay, span(s.l, t.MasterStrong), span(s.l, t.MasterAccepted))
}

func (s *screen) fleetGrade(a *gradeAnswer) {
	l, f := s.l, a.Fleet
	s.line(l.two("\n  Grades of %s terminals, %s   (as registered and as seen in the last one to two days, the worse counts)",
		"\n  %s 台终端的证明强度, %s   (按登记与最近一至两日所见, 取较弱者)"), count(uint64(f.Terminals)), l.day(a.At))
	s.line("")
	s.countsHead()
	s.countsRow(axisWords["overall"].In(l.lang), f.Overall)
	for i := range f.Axes {
		x := &f.Axes[i]
		s.countsRow(axisWords[x.Axis].In(l.lang), x.Levels)
		for _, w := range x.Why {
			s.line("  %s%s  %s", strings.Repeat(" ", 14), pad(count(uint64(w.Terminals)), -9), whyWord[w.Why].In(l.lang))
		}
	}
	s.line("  %s· %s  ░ %s  ▓ %s  █ %s", strings.Repeat(" ", 14), levelWords["none"].In(l.lang), levelWords["weak"].In(l.lang),
		levelWords["accepted"].In(l.lang), levelWords["strong"].In(l.lang))
	s.gradeGroups(l.two("By model, the worst first", "按型号, 最弱在前"), f.Models)
	s.gradeGroups(l.two("By shop, the worst first", "按商户, 最弱在前"), f.Merchants)
	s.line("\n  %s", l.two("The worst terminals", "最弱的终端"))
	for _, t := range f.Worst {
		s.line("  %s  %s %s  %s", t.Terminal, pad(levelWords[t.Overall].In(l.lang), 9), pad(t.Model, 14), l.weakAxes(t))
	}
	s.line("\n  %s", l.two("Would be refused under policy", "若启用下列策略将被拒绝"))
	for _, p := range f.Policies {
		s.line("  %s  %s%s", pad(count(uint64(p.Terminals)), -9), p.Policy, pickText(p.InForce, l.two("   IN FORCE", "   已启用"), ""))
	}
	s.line("  %s", l.two("Try one on what already happened: touchstone policy try FILE --from DAY", "在已发生的交易上试行: touchstone policy try FILE --from DAY"))
	s.gradeFoot(a)
	s.line("  %s", l.two("One terminal: touchstone grade TERMINAL   What to do: touchstone grade plan", "单台: touchstone grade TERMINAL   怎么办: touchstone grade plan"))
}

func (s *screen) gradeGroups(title string, groups []groupGrade) {
	s.line("\n  %s", title)
	for i := range groups {
		g := &groups[i]
		name := strings.TrimSpace(g.Key + " " + g.Name)
		if name == "" {
			name = s.l.two("unknown model", "型号未知")
		}
		s.line("  %s %s  %s  %4.1f / %d", pad(name, 40), pad(count(uint64(g.Terminals)), -9), bar(g.Overall), g.Average, int(grade.Axes)*int(grade.Strong))
	}
}

// weakAxes names the axes that have the terminal's overall level.
func (l *lines) weakAxes(t *terminalGrade) string {
	var names []string
	for i := range t.Axes {
		if t.Axes[i].Level == t.Overall {
			names = append(names, axisWords[t.Axes[i].Axis].In(l.lang))
		}
	}
	return strings.Join(names, l.two(", ", "、"))
}

func (s *screen) terminalGrade(a *gradeAnswer) {
	l, t := s.l, a.Terminal
	s.line(l.two("\n  Terminal %s, %s   %s", "\n  终端 %s, %s   %s"), t.Terminal, t.Shop, t.Model)
	s.line("  %s %s   (%s)", pad(axisWords["overall"].In(l.lang), 14), strings.ToUpper(levelWords[t.Overall].In(l.lang)), l.weakAxes(t))
	for i := range t.Axes {
		x := &t.Axes[i]
		seen := l.seenAs(x.Axis, &t.Facts.Seen)
		if seen != "" {
			seen = l.two("   seen: ", "   所见: ") + seen
		}
		s.line("\n  %s %s %s%s", pad(axisWords[x.Axis].In(l.lang), 14), pad(levelWords[x.Level].In(l.lang), 9), l.registeredAs(x.Axis, &t.Facts), seen)
		for _, w := range x.Why {
			s.line("  %s - %s", strings.Repeat(" ", 14), whyWord[w].In(l.lang))
		}
	}
	s.line("")
	if len(t.Steps) == 0 {
		s.line("  %s", l.two("No step of this dialect raises it.", "本报文规范内没有可提升的步骤。"))
	} else {
		s.line("  %s", l.two("What would raise it, in order:", "提升步骤, 依次:"))
		for i, step := range t.Steps {
			s.line("  %d  %s  %s", i+1, pad(stepWords[step.Step].In(l.lang), 52), l.two("then overall ", "此后总评 ")+levelWords[step.Overall].In(l.lang))
		}
	}
	if working := &t.Axes[grade.WorkingKey]; slices.Contains(working.Why, grade.ManySignIns.Words()[0]) {
		s.line("  %s", l.two("Working keys are no step: find out why it signs in so often (touchstone clone).", "工作密钥无需迁移步骤: 请查明为何频繁签到 (touchstone clone)。"))
	} else if working.Level != grade.Strong.String() && t.Facts.Seen.InForce != 0 {
		s.line("  %s", l.two("Working keys are renewed by a sign-in.", "签到即可更新工作密钥。"))
	}
	s.beyond()
	if len(t.Refused) > 0 {
		s.line("\n  %s", l.two("Would be refused under policy:", "若启用下列策略将被拒绝:"))
		for _, p := range t.Refused {
			s.line("    %s%s", p, pickText(slices.Contains(a.InForce, p), l.two("   IN FORCE", "   已启用"), ""))
		}
	}
	s.gradeFoot(a)
}

// beyond says what this dialect cannot give.
func (s *screen) beyond() {
	s.line("  %s", s.l.two("Beyond this dialect: a PIN block of ISO 9564-1 format 4 (random fill, AES), and a MAC that is not folded under SM4.",
		"本报文规范之外: ISO 9564-1 格式 4 的 PIN 块 (随机填充, AES), 以及 SM4 下不折叠的 MAC。"))
}

// terminals is how many, in words.
func (l *lines) terminals(n int) string {
	if n == 1 {
		return l.two("1 terminal", "1 台")
	}
	return fmt.Sprintf(l.two("%s terminals", "%s 台"), count(uint64(n)))
}

// maxPlanShown is how many terminals of a step are named on the screen; JSON has more.
const maxPlanShown = 8

func (s *screen) gradePlan(a *gradeAnswer) {
	l, p := s.l, a.Plan
	s.line(l.two("\n  A plan for %s terminals: the greatest gain for the work first, nothing before what it needs", "\n  %s 台终端的迁移计划: 收益与工作量之比高者在前, 先决步骤在先"), count(uint64(p.Terminals)))
	s.line("")
	s.countsHead()
	s.countsRow(l.two("now", "现在"), p.Before)
	s.countsRow(l.two("after all", "全部完成后"), p.After)
	if len(p.Steps) == 0 {
		s.line("\n  %s", l.two("There is no step that raises anything.", "没有可提升的步骤。"))
	}
	for i := range p.Steps {
		step := &p.Steps[i]
		s.line("\n  %d  %s   %s", i+1, stepWords[step.Step].In(l.lang), l.terminals(step.Terminals))
		s.line("     %s %s", pad(l.two("needs", "需要"), 10), l.wordsOf(step.Needs, stepNeedWords))
		for _, after := range step.After {
			s.line("     %s %s (%s)", pad(l.two("after", "先做"), 10), stepWords[after.Step].In(l.lang), l.terminals(after.Terminals))
		}
		for _, c := range step.Changes {
			s.line("     %s %s %s → %s", pad(axisWords[c.Axis].In(l.lang), 14), pad(count(uint64(c.Terminals)), -7), levelWords[c.From].In(l.lang), levelWords[c.To].In(l.lang))
		}
		s.line("     %s "+l.two("%d levels for %d units of work: %d.%02d", "提升 %d 级, 工作量 %d: %d.%02d"), pad(l.two("gain", "收益"), 10), step.Gain,
			step.Work*step.Terminals, step.PerWork/100, step.PerWork%100)
		named := strings.Join(first(step.List, maxPlanShown), " ")
		if more := step.Terminals - min(len(step.List), maxPlanShown); more > 0 {
			named += fmt.Sprintf(l.two("  and %s more (--json)", "  另 %s 台 (--json)"), count(uint64(more)))
		}
		s.line("     %s %s", pad(l.two("terminals", "终端"), 10), named)
		for _, model := range slices.Sorted(maps.Keys(step.Models)) {
			s.line("     %s %s %s", pad("", 10), pad(count(uint64(step.Models[model])), -9), pickText(model == "", l.two("unknown model", "型号未知"), model))
		}
	}
	if p.Stuck > 0 {
		s.line("\n  "+l.two("%s terminals stay below strong on some axis that no step of this dialect raises:", "%s 台终端仍有本报文规范无法提升的项:"), count(uint64(p.Stuck)))
		for _, axis := range slices.Sorted(maps.Keys(p.StuckOn)) {
			s.line("     %s %s", pad(axisWords[axis].In(l.lang), 14), count(uint64(p.StuckOn[axis])))
		}
	}
	s.line("\n  %s", l.two("Units of work are ours (unverified): the register 1, a download 3, a visit 20, a second person 5. Two people load every key.",
		"工作量单位为本系统估计 (未经核实): 改登记 1, 下载 3, 上门 20, 第二人 5。密钥均须双人装载。"))
	s.gradeFoot(a)
}
