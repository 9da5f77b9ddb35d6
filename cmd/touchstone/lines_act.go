package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"touchstone/journal"
)

// act prints what somebody did, or tried, in a room.
func (l *lines) act(e journal.Entry) error {
	var a journal.Act
	if err := json.Unmarshal(e.Body, &a); err != nil {
		return fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	if l.brief && a.Refused == "" && saidElsewhere(&a) {
		return nil
	}
	what := make([]string, 0, len(a.Changes))
	for _, c := range a.Changes {
		what = append(what, l.noun(c.Noun)+" "+c.ID)
	}
	if more := len(what) - briefNamed; l.brief && more > 0 {
		what = append(what[:briefNamed], fmt.Sprintf(l.two("and %d more", "另 %d 项"), more))
	}
	text := strings.Join(what, ", ")
	if a.Refused != "" {
		text = l.two("refused: ", "已拒绝: ") + l.said(a.Refused)
	}
	_, err := fmt.Fprintf(l.w, " %s  %s  %s  %s  %s\n", e.At.Time().In(l.zone).Format("15:04:05"), pad(l.room(e.Kind), 8),
		pad(l.verb(a.Verb), whatColumns), l.who(a.Actors), text)
	return err
}

// who are the people of an act: accounts by their names; a consumer, who has none, in words.
func (l *lines) who(actors []string) string {
	said := slices.Clone(actors)
	for i, name := range said {
		if name == "consumer" {
			said[i] = l.two("consumer", "持卡人")
		}
	}
	return strings.Join(said, " + ")
}

// briefNamed is how many things that one act changed a brief line names.
const briefNamed = 3

// saidElsewhere tells whether a brief screen says enough of an act by another line: a proposal's approval and its end by the act
// itself, which names both people; an account's use by what it did; a result without a finding by its run.
func saidElsewhere(a *journal.Act) bool {
	switch a.Verb {
	case "account_used", "proposal_approved", "proposal_done":
		return true
	case "observed":
		return len(a.Changes) < 2
	}
	return false
}
