package main

import (
	"encoding/json"
	"fmt"

	"touchstone/explain"
	"touchstone/reason"
)

// listedRow is one reason or cause of the list.
type listedRow struct {
	Kind  string       `json:"kind"` // reason, cause, screen, kind
	Name  string       `json:"name"`
	DE39  string       `json:"de39,omitempty"`
	Owner string       `json:"owner,omitempty"`
	Short explain.Text `json:"short"`
}

// explainList lists what can be explained by name.
func explainList(x *explainCall) (taken bool, err error) {
	if x.asked != "list" {
		return false, nil
	}
	rows := x.listed()
	if x.JSON {
		for _, row := range rows {
			if err := json.NewEncoder(x.a.stdout).Encode(row); err != nil {
				return true, err
			}
		}
		return true, nil
	}
	heads := map[string]explain.Text{
		"reason": {EN: "Reasons: known when a message is judged", ZH: "原因: 判定报文时即知"},
		"cause":  {EN: "Causes: found behind a reason by experiment", ZH: "起因: 由试验在原因背后查明"},
		"screen": {EN: "What a terminal says of itself", ZH: "终端自身的提示"},
		"kind":   {EN: "The three kinds of a failed authentication", ZH: "“安全认证失败”的三种情况"},
	}
	s, before := &sheet{w: x.a.stdout, lang: x.l.lang}, ""
	for _, row := range rows {
		if row.Kind != before {
			if before != "" {
				s.line("")
			}
			s.line(heads[row.Kind].In(s.lang))
			before = row.Kind
		}
		s.line(fmt.Sprintf(" %s %s %s", pad(row.Name, 28), pad(row.DE39, 3), row.Short.In(s.lang)))
	}
	return true, s.err
}

func (x *explainCall) listed() []listedRow {
	c := x.l.catalogue
	var rows []listedRow
	for _, r := range reason.All() {
		rows = append(rows, listedRow{"reason", r.String(), answerCodeOf(r), r.Owner().String(), c.Reason(r).Short})
	}
	for _, cause := range reason.Causes() {
		rows = append(rows, listedRow{"cause", cause.String(), "", cause.Owner().String(), c.Cause(cause).Short})
	}
	for _, e := range c.Screens() {
		rows = append(rows, listedRow{Kind: "screen", Name: e.Name, Short: e.Short})
	}
	for _, k := range c.Kinds() {
		rows = append(rows, listedRow{Kind: "kind", Name: k.Name, Short: k.Title})
	}
	return rows
}
