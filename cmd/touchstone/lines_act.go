package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"touchstone/journal"
)

// act prints what somebody did, or tried, in a room.
func (l *lines) act(e journal.Entry) error {
	var a journal.Act
	if err := json.Unmarshal(e.Body, &a); err != nil {
		return fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	if l.brief && a.Refused == "" && (a.Verb == "account_used" || a.Verb == "observed" && len(a.Changes) < 2) {
		return nil
	}
	what := make([]string, 0, len(a.Changes))
	for _, c := range a.Changes {
		what = append(what, l.noun(c.Noun)+" "+c.ID)
	}
	text := strings.Join(what, ", ")
	if a.Refused != "" {
		text = l.two("refused: ", "已拒绝: ") + l.said(a.Refused)
	}
	_, err := fmt.Fprintf(l.w, " %s  %s  %s  %s  %s\n", e.At.Time().In(l.zone).Format("15:04:05"), pad(l.room(e.Kind), 8),
		pad(l.verb(a.Verb), whatColumns), strings.Join(a.Actors, " + "), text)
	return err
}
