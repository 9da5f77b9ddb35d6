package lab

import (
	"fmt"
	"slices"

	"touchstone/pos"
)

// Report is everything that a report says, in both languages: text, page and JSON are made of it alone.
type Report struct {
	Run       Run            `json:"run"`
	Notices   []Text         `json:"notices"`
	Decision  Decision       `json:"decision"`
	Samples   []Text         `json:"samples"`
	Standards []Standard     `json:"standards"`
	Results   []ReportResult `json:"results"`
	Findings  []Finding      `json:"findings"`
	Limits    []Text         `json:"limits"`
	Made      pos.Instant    `json:"made"`
}

// Standard is one text that requirements of the profile refer to, and how far that was verified.
type Standard struct {
	Reference    string   `json:"reference"`
	Confidence   string   `json:"confidence"` // V, S or R
	Requirements []string `json:"requirements"`
}

// ReportResult is one requirement with its result.
type ReportResult struct {
	Requirement Text        `json:"requirement"`
	Title       Text        `json:"title"`
	Advice      Text        `json:"advice"`
	Severity    Severity    `json:"severity"`
	Group       string      `json:"group"`
	Part        Text        `json:"part"` // what of the procedure was done
	Criterion   string      `json:"pass_criterion"`
	Observation Observation `json:"observation"`
}

// NewReport gathers a report of a run. A requirement without a result stands there as not tested.
func NewReport(c *Catalogue, p *Profile, s *State, run string, now pos.Instant) (*Report, error) {
	r := s.Run(run)
	if r == nil {
		return nil, fmt.Errorf("%w: run %.20s", ErrUnknown, run)
	}
	if r.ProfileDigest != p.Digest || r.CatalogueDigest != c.Digest {
		return nil, fmt.Errorf("%w: run %s was made by another catalogue or profile", ErrLab, run)
	}
	rep := &Report{Run: *r, Notices: Notices(r.SelfDeclaration), Decision: Decide(c, p, s, run, now), Samples: samples(r), Made: now}
	refer := map[string]*Standard{}
	var order []string
	for _, k := range p.Checks {
		q := c.Find(k.Requirement)
		o := Observation{Run: run, Requirement: k.Requirement, Check: k.Check, Version: k.Version, Verdict: NotTested,
			Detail: Text{EN: "not tested", ZH: "未检测"}}
		if known := s.Observation(run, k.Requirement); known != nil {
			o = *known
		}
		rep.Results = append(rep.Results, ReportResult{Requirement: Text{q.Requirement, q.RequirementZH}, Title: Text{q.TitleEN, q.TitleZH}, Advice: Text{q.Advice, q.AdviceZH},
			Severity: q.Severity, Group: k.Group, Part: Text{k.PartEN, k.PartZH}, Criterion: q.PassCriterion, Observation: o})
		for i, reference := range q.References {
			x := refer[reference]
			if x == nil {
				x = &Standard{Reference: reference, Confidence: q.ReferenceConfidence[i]}
				refer[reference], order = x, append(order, reference)
			}
			if !slices.Contains(x.Requirements, q.ID) {
				x.Requirements = append(x.Requirements, q.ID)
			}
		}
	}
	for _, reference := range order {
		rep.Standards = append(rep.Standards, *refer[reference])
	}
	for _, f := range s.Findings(run) {
		rep.Findings = append(rep.Findings, *f)
	}
	rep.Limits = limits(c, p)
	return rep, nil
}

func samples(r *Run) []Text {
	list := []Text{
		{fmt.Sprintf("terminal %s of %s, hardware %s, firmware %s, application %s: as declared; played by the reference terminal in software", r.Subject.Model, r.Subject.Maker, r.Subject.Hardware, r.Subject.Firmware, r.Subject.Application),
			fmt.Sprintf("终端 %[2]s %[1]s, 硬件 %[3]s, 固件 %[4]s, 应用 %[5]s: 以申报为准; 由参考终端软件代演", r.Subject.Model, r.Subject.Maker, r.Subject.Hardware, r.Subject.Firmware, r.Subject.Application)},
		{fmt.Sprintf("host at %s and, over TLS, %s", r.TCP, r.TLS), fmt.Sprintf("主机 %s, TLS 端口 %s", r.TCP, r.TLS)},
	}
	if r.Subject.PackageDigest != "" {
		list = append(list, Text{"software package, SHA-256 " + r.Subject.PackageDigest, "软件包, SHA-256 " + r.Subject.PackageDigest})
	}
	return list
}

// limits are what a run of a profile does not say.
func limits(c *Catalogue, p *Profile) []Text {
	evidence := 0
	for i := range c.Requirements {
		if c.Requirements[i].Method == "EVIDENCE" {
			evidence++
		}
	}
	return []Text{
		{fmt.Sprintf("%d of the catalogue's %d requirements were examined; the other %d, of which %d are examined by evidence alone, were not.", len(p.Checks), len(c.Requirements), len(c.Requirements)-len(p.Checks), evidence),
			fmt.Sprintf("目录共 %[2]d 项要求, 本次检测 %[1]d 项; 其余 %[3]d 项(其中 %[4]d 项须以证据评估)未检测。", len(p.Checks), len(c.Requirements), len(c.Requirements)-len(p.Checks), evidence)},
		{"What each check does of its requirement's procedure, and what it leaves, stands beside its result.", "各项检测覆盖和未覆盖的步骤列于其结果旁。"},
		{"No hardware was opened: physical protection was not examined. Imported lists are their importer's word.", "未拆解硬件: 不涉及物理防护。导入的清单以导入者为准。"},
		{"References marked S come from a secondary source and those marked R from memory: read the original before relying on their clauses.", "标记 S 的引用来自二手资料, 标记 R 的来自记忆: 使用其条款前须核对原文。"},
	}
}
