package main

import (
	_ "embed" // the page's template
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"touchstone/lab"
	"touchstone/pos"
)

//go:embed lab_report.html
var labPage string

var groupWords = map[string]lab.Text{"hardware_record": {EN: "Hardware record", ZH: "硬件档案"}, "software": {EN: "Software", ZH: "软件"}, "data_transmission": {EN: "Data transmission", ZH: "数据传输"}}

var findingZH = map[lab.FindingState]string{lab.Open: "未处理", lab.Answered: "已答复", lab.Fixed: "已修复", lab.Retested: "已复测", lab.Closed: "已关闭", lab.Accepted: "已接受(补偿措施)"}

// labWords are what the page's template calls, in one language.
func labWords(lang string) template.FuncMap {
	two, _ := labLang(lang)
	return template.FuncMap{
		"two":      two,
		"in":       func(t lab.Text) string { return t.In(lang) },
		"severity": func(s lab.Severity) string { return two(string(s), severityZH[s]) },
		"verdict":  func(v lab.Verdict) string { return two(strings.ReplaceAll(string(v), "_", " "), verdictZH[v]) },
		"outcome":  func(o lab.Outcome) string { return two(outcomeEN[o], outcomeZH[o]) },
		"finding":  func(f lab.FindingState) string { return two(string(f), findingZH[f]) },
		"group":    func(g string) string { return groupWords[g].In(lang) },
		"time":     func(t pos.Instant) string { return t.Time().UTC().Format("2006-01-02 15:04:05 UTC") },
		"day":      func(t pos.Instant) string { return t.Time().UTC().Format(time.DateOnly) },
		"short":    func(s string) string { return s[:min(len(s), 16)] },
		"join":     func(s []string) string { return strings.Join(s, ", ") },
		"lang":     func() string { return lang },
	}
}

// writeLabHTML writes the printable page of a report.
func writeLabHTML(w io.Writer, r *lab.Report, lang string) error {
	page, err := template.New("report").Funcs(labWords(lang)).Parse(labPage)
	if err != nil {
		return err
	}
	return page.Execute(w, r)
}

// writeLabText writes a report for a terminal; short is without standards, samples and limits.
func writeLabText(w io.Writer, r *lab.Report, lang string, short bool) error {
	two, err := labLang(lang)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", two("Test report", "检测报告"), r.Run.ID)
	for _, n := range r.Notices {
		fmt.Fprintf(&b, "  %s\n", n.In(lang))
	}
	s := r.Run.Subject
	line := func(en, zh, text string) { fmt.Fprintf(&b, "  %s %s\n", pad(two(en, zh), 14), text) }
	line("subject", "检测对象", fmt.Sprintf("%s %s  HW %s  FW %s  APP %s", s.Maker, s.Model, s.Hardware, s.Firmware, s.Application))
	if s.Delta != "" {
		line("delta class", "变更类别", s.Delta)
	}
	line("laboratory", "检测机构", r.Run.Organisation+", "+r.Run.Operator)
	line("catalogue", "要求目录", fmt.Sprintf("%s  %.16s", r.Run.Catalogue, r.Run.CatalogueDigest))
	line("profile", "检测方案", fmt.Sprintf("%s  %.16s", r.Run.Profile, r.Run.ProfileDigest))
	line("inputs", "输入摘要", r.Run.InputsDigest)
	line("tool", "检测工具", fmt.Sprintf("touchstone %s  %s", r.Run.Tool.Version, r.Run.Tool.Digest))
	line("time", "时间", fmt.Sprintf("%s – %s", r.Run.Started.Time().UTC().Format(time.DateTime), endOf(r.Run.Ended)))
	line("decision", "结论", strings.TrimPrefix(decisionLine("", &r.Decision, two), ": "))
	for _, c := range r.Decision.Conditions {
		line("condition", "条件", c)
	}
	if !short {
		for _, x := range r.Samples {
			line("sample", "样品", x.In(lang))
		}
	}
	writeLabResults(&b, r, lang, two)
	if !short {
		fmt.Fprintf(&b, "\n%s\n", two("Standards referred to (V read, S second hand, R from memory)", "引用标准 (V 已核对原文, S 二手资料, R 凭记忆)"))
		for _, x := range r.Standards {
			fmt.Fprintf(&b, "  [%s] %s  (%s)\n", x.Confidence, x.Reference, strings.Join(x.Requirements, ", "))
		}
		fmt.Fprintf(&b, "\n%s\n", two("Limits", "局限"))
		for _, x := range r.Limits {
			fmt.Fprintf(&b, "  %s\n", x.In(lang))
		}
	}
	_, err = io.WriteString(w, b.String())
	return err
}

func writeLabResults(b *strings.Builder, r *lab.Report, lang string, two func(en, zh string) string) {
	group := ""
	for _, x := range r.Results {
		if x.Group != group {
			group = x.Group
			fmt.Fprintf(b, "\n%s\n", groupWords[group].In(lang))
		}
		o := x.Observation
		fmt.Fprintf(b, "  %s %s %s %s\n", pad(o.Requirement, 10), pad(two(string(x.Severity), severityZH[x.Severity]), 8), pad(two(string(o.Verdict), verdictZH[o.Verdict]), 12), x.Title.In(lang))
		fmt.Fprintf(b, "             %s\n", o.Detail.In(lang))
		if o.Verdict == lab.NotApplicable {
			fmt.Fprintf(b, "             %s %s\n", two("agreed by", "批准人"), o.Approver)
		}
		if o.Verdict == lab.Fail {
			fmt.Fprintf(b, "             %s: %s\n", two("advice", "建议"), x.Advice.In(lang))
		}
	}
	if len(r.Findings) > 0 {
		fmt.Fprintf(b, "\n%s\n", two("Findings", "问题"))
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		fmt.Fprintf(b, "  %s %s %s %s %s\n", pad(f.ID, 7), pad(f.Requirement, 10), pad(two(string(f.State), findingZH[f.State]), 8), two("answer due", "答复期限"), f.Due.Time().UTC().Format(time.DateOnly))
	}
}

func endOf(t pos.Instant) string {
	if t == 0 {
		return "…"
	}
	return t.Time().UTC().Format(time.DateTime)
}
