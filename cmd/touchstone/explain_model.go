package main

import (
	"fmt"
	"strings"

	"touchstone/explain"
	"touchstone/fleet"
)

// modelAnswer is what is known here of a terminal model.
type modelAnswer struct {
	Model      string           `json:"model"`
	Said       *explain.Text    `json:"said,omitempty"` // what is said of the name outside
	Data       string           `json:"data,omitempty"` // the data directory that was asked; "" none was at hand
	Advisories []fleet.Advisory `json:"advisories"`     // of the model, in that directory
}

// model answers for the asked word as a terminal model: because it is asked for as one, because the name is said of a
// terminal, or because the data directory has advisories of it.
func (x *explainCall) model() (m modelAnswer, known bool, err error) {
	m = modelAnswer{Model: x.asked, Advisories: []fleet.Advisory{}}
	if x.AsCode || x.asked == "" {
		return m, false, nil
	}
	if said, ok := x.l.catalogue.Model(x.asked); ok {
		m.Said, m.Model, known = &said, strings.ToUpper(x.asked), true
	}
	if x.Data != "" {
		if err := x.modelHere(&m); err != nil {
			return m, false, err
		}
	}
	return m, known || x.AsModel || len(m.Advisories) > 0, nil
}

// modelHere asks the data directory, or the host that runs on it.
func (x *explainCall) modelHere(m *modelAnswer) error {
	m.Data = x.Data
	directory := directoryFlags{Data: x.Data}
	var updates updatesAnswer
	if err := directory.question(x.a, change{Updates: &updatesQuery{What: "advisories"}}, &updates); err != nil {
		return fmt.Errorf("advisories of %s: %w", x.Data, err)
	}
	for _, a := range updates.Advisories {
		for _, t := range a.Affected {
			if strings.EqualFold(t.Model, x.asked) {
				m.Advisories = append(m.Advisories, a)
				break
			}
		}
	}
	return nil
}

func (x *explainCall) modelRows(s *sheet, m modelAnswer) {
	s.say(fmt.Sprintf(s.two("%s as a terminal model", "%s 作为终端型号"), m.Model))
	s.line("")
	if m.Said != nil {
		s.row(s.two("THE NAME", "名称"), m.Said.In(s.lang))
	}
	if m.Data == "" {
		s.row(s.two("ADVISORIES", "安全通告"), s.two("None is at hand: advisories are kept in a data directory, and none was named.",
			"手边没有: 安全通告存放在数据目录中, 本次没有指定。"))
		s.row("", fmt.Sprintf("touchstone explain %s --as-model --data DIR", shellWord(m.Model)))
		return
	}
	label := s.two("ADVISORIES", "安全通告")
	for i := range m.Advisories {
		a := &m.Advisories[i]
		s.row(label, a.ID+"  "+severityText(x.l, a.Severity)+"  "+advisoryStateText(x.l, a.State)+"  "+a.Title)
		for j := range a.Affected {
			if strings.EqualFold(a.Affected[j].Model, x.asked) {
				s.row("", affectedText(x.l, &a.Affected[j]))
			}
		}
		s.row("", fmt.Sprintf("touchstone advisory show %[1]s --data %[2]s; touchstone advisory radius %[1]s --data %[2]s", a.ID, shellWord(m.Data)))
		label = ""
	}
	if len(m.Advisories) == 0 {
		s.row(label, fmt.Sprintf(s.two("None for this model in %s.", "%s 中没有此型号的安全通告。"), m.Data))
	}
}

// shellWord is a word as a shell takes it whole.
func shellWord(s string) string {
	if strings.ContainsAny(s, " '\"$\\") {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}
