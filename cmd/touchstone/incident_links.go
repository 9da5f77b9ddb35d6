package main

import (
	"fmt"
	"slices"
	"strings"

	"touchstone/fleet"
	"touchstone/incident"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/redress"
)

// linked refuses records that do not exist, and notices, claims and exposures of another incident: what is linked is read as
// evidence, and a slip of the keyboard would be evidence of nothing. What no record can be called by is left to the rule.
func linked(r *rooms, c *incidentChange, by incident.By) error {
	for _, id := range c.IDs {
		why := ""
		switch known, of := recordOf(r, id); {
		case !known:
			why = fmt.Sprintf("there is no record %.40q", id)
		case of != "" && of != c.ID:
			why = fmt.Sprintf("%s belongs to %s", id, of)
		}
		if why != "" {
			return &journal.Refusal{Kind: journal.KindIncident, Verb: "incident_linked", Actors: by.Actors, Why: why, Err: incident.ErrRefused}
		}
	}
	return nil
}

// sayable refuses what may not be kept or names nothing: a card number in a person's words, which the journal would keep for
// ever, and a terminal or device that is not registered, which a scope would count as touched and nobody would look at.
func (c *incidentChange) sayable(e *engine, by incident.By) error {
	why := ""
	if pos.HasPAN(c.Text) || pos.HasPAN(c.Title.EN) || pos.HasPAN(c.Title.ZH) {
		why = "the text holds what looks like a card number: leave it out, the last four digits are enough"
	}
	if c.Scope != nil {
		for _, name := range c.Scope.Terminals {
			if id, err := pos.ParseTerminalID(name); err == nil {
				if _, err := e.ledger.Terminal(id); err != nil {
					why = fmt.Sprintf("there is no terminal %s", id)
				}
			}
		}
		for _, serial := range c.Scope.Devices {
			if _, err := e.ledger.Device(pos.Serial(serial)); err != nil {
				why = fmt.Sprintf("there is no device %.40q", serial)
			}
		}
	}
	if why == "" {
		return nil
	}
	return &journal.Refusal{Kind: journal.KindIncident, Verb: "incident_" + c.Op, Actors: by.Actors, Why: why, Err: incident.ErrRefused}
}

// recordOf tells whether a record of that id is registered, and of which incident it is where it is of one.
func recordOf(r *rooms, id string) (known bool, of string) {
	kind, _, _ := strings.Cut(id, "-")
	switch kind {
	case "ADV":
		known = r.fleet.Advisory(id) != nil
	case "CMP":
		known = r.fleet.Campaign(id) != nil
	case "INS":
		known = r.fleet.Inspection(id) != nil
	case "GLN":
		known = slices.ContainsFunc(r.fleet.Glances(false), func(g *fleet.Glance) bool { return g.ID == id })
	case "REL":
		known = slices.ContainsFunc(r.fleet.Releases(), func(x *fleet.Release) bool { return x.ID == id })
	case "CRT":
		known = r.lab.Certificate(id) != nil
	case "RUN":
		known = r.lab.Run(id) != nil
	case "FND":
		known = r.lab.Finding(id) != nil
	case "INC":
		known = r.incident.Incident(id) != nil
	case "RPT":
		known = r.incident.Report(id) != nil
	case "NTC":
		if n := r.redress.Notice(id); n != nil {
			known, of = true, n.Incident
		}
	case "CLM":
		if c := r.redress.Claim(id); c != nil {
			known, of = true, c.Incident
		}
	case "EXP":
		if x := r.redress.Exposure(id); x != nil {
			known, of = true, x.Scope.Incident
		}
	}
	return known, of
}

// answering says which notices can be the proof that a clock was answered, by the clock's template: a notice to the public
// tells no card scheme. A template that is in none is answered with a document or a statement.
var answering = map[string][]redress.NoticeKind{
	"consumer-notice":       {redress.ConsumerNotice, redress.RegulatorNote}, // its recipients are consumers and an authority
	"regulator-report":      {redress.RegulatorNote},
	"regulator-final":       {redress.RegulatorNote},
	"containment-checklist": {redress.InternalNotice},
}

// answersWith refuses a notice as the answer to clocks whose recipients it did not go to.
func answersWith(r *rooms, c *incidentChange, n *redress.Notice) error {
	if n.To.Channel == redress.ByFile {
		return fmt.Errorf("notice %s was written to a file and told nobody yet: --statement says who carried it to whom", n.ID)
	}
	kind := n.Kind
	for _, k := range r.incident.Clocks(c.ID) {
		if !slices.Contains(c.IDs, k.Rule) && !slices.Contains(c.IDs, k.ID) {
			continue
		}
		if can := answering[k.Template]; !slices.Contains(can, kind) {
			if len(can) == 0 {
				return fmt.Errorf("no notice tells the recipient of clock %s, %s: answer it with --document or --statement", k.Rule, k.Recipient.EN)
			}
			return fmt.Errorf("notice %s is of kind %s: clock %s, for %s, is answered with one of kind %s", c.Notice, kind, k.Rule, k.Recipient.EN, can[0])
		}
	}
	return nil
}
