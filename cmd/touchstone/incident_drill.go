package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"touchstone/explain"
	"touchstone/incident"
	"touchstone/journal"
	"touchstone/pos"
)

// drillDirectory is where the recipients of a drill find what would have been sent: nobody outside is told.
const drillDirectory = "drill-outbox"

// incidentDrillCmd runs one incident from end to end.
type incidentDrillCmd struct {
	actFlags
	JSON bool   `name:"json" help:"One JSON object."`
	Lang string `name:"lang" default:"en" help:"en or zh."`
}

// Help is shown by touchstone incident drill --help.
func (incidentDrillCmd) Help() string {
	return `A device is found attached to a terminal that does not exist. Every clock that would run starts; notices marked as a
drill go by the same way as real ones to the drill recipients of the address book, and to nobody else; each clock's
document is written into drill-outbox of the data directory; then the incident is closed by the two people. No permit, certificate or
campaign is touched. Where mail is not taken, the drill goes on with the documents: touchstone notice list says why.

  touchstone incident drill --as qian --with sun --lang zh`
}

// Run drills and shows what happened.
func (c *incidentDrillCmd) Run(a *app) error {
	signed := change{Incident: &incidentChange{Op: incidentDrill}}
	told, err := c.performIn(a, signed, c.Lang)
	if err != nil || told.Proposal != "" {
		return err
	}
	show := incidentShowCmd{directoryFlags: c.directoryFlags, ID: told.Facts["incident"], JSON: c.JSON, Lang: c.Lang}
	return show.Run(a)
}

// drill runs one incident to its end. One that was interrupted is taken up where it stands.
func (e *engine) drill(ctx context.Context, by incident.By) (changed, error) {
	if len(by.Actors) < 2 {
		return changed{}, errors.New("a drill is of two people: one proposes it, another approves")
	}
	id, err := e.drillOpen(ctx, by)
	if err != nil {
		return changed{}, err
	}
	if err := e.drillNotices(ctx, id, by); err != nil {
		return changed{}, err
	}
	if err := e.drillAnswer(ctx, id, by); err != nil {
		return changed{}, err
	}
	for _, step := range []func(s *incident.State, i *incident.Incident, now pos.Instant) ([]journal.Draft, error){
		func(s *incident.State, i *incident.Incident, now pos.Instant) ([]journal.Draft, error) {
			if i.Cause != nil {
				return nil, nil
			}
			return incident.SetCause(s, id, "DRILL 演练: an overlay reader was put on during a false service visit 冒充维修时加装读卡装置", []uint64{s.EntryOf(id)}, e.ledger.Durable(), by, now)
		},
		func(s *incident.State, i *incident.Incident, now pos.Instant) ([]journal.Draft, error) {
			if len(i.Actions) > 0 {
				return nil, nil
			}
			return incident.AddAction(s, id, "DRILL 演练: terminal taken out of use, evidence kept 终端停用并保全证据", by, now)
		},
		func(s *incident.State, i *incident.Incident, now pos.Instant) ([]journal.Draft, error) {
			if i.State == incident.Closed {
				return nil, nil
			}
			return incident.Close(s, id, by, now)
		},
	} {
		err := e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
			return step(r.incident, r.incident.Incident(id), now)
		})
		if err != nil {
			return changed{}, err
		}
	}
	// What begins with the end of the handling is drilled too, so that the drill ends with nothing left to do.
	if err := e.drillAnswer(ctx, id, by); err != nil {
		return changed{}, err
	}
	return changed{What: "DRILL 演练: " + id + " was run to its end", ZH: "DRILL 演练: " + id + " 已演练完毕", Facts: map[string]string{"incident": id}}, nil
}

// drillOpen finds the drill that is not at its end, or opens one.
func (e *engine) drillOpen(ctx context.Context, by incident.By) (id string, err error) {
	err = e.actAndTell(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, []*journal.Event, error) {
		for _, i := range r.incident.Incidents() {
			if i.Drill && i.State != incident.Closed {
				id = i.ID
				return nil, nil, nil
			}
		}
		i, drafts, err := incident.OpenNow(r.incident, incident.Opening{Drill: true, Title: incident.Text{EN: "a device is attached to a terminal", ZH: "终端被加装装置"},
			Kind: "attached_device", Severity: "major", Origin: incident.Origin{Way: incident.ByPerson, Ref: "drill"}, Owner: by.Actors[0],
			Scope: incident.Scope{Terminals: []string{"DRILL001"}, Models: []string{"DRILL"}, From: now.Add(-time.Hour), To: now},
			Text:  incident.Text{EN: "a cashier's glance found something in the card slot", ZH: "收银员日查发现卡槽内有异物"}}, by, now)
		if err != nil {
			return nil, nil, err
		}
		id = i.ID
		return drafts, []*journal.Event{incidentEvent(i)}, nil
	})
	return id, err
}

// drillAnswer writes the document of every clock that runs, and answers it, with the notice that was sent where there is one.
func (e *engine) drillAnswer(ctx context.Context, id string, by incident.By) error {
	var due []*incident.Clock
	e.office.view(func(r *rooms) {
		for _, c := range r.incident.Clocks(id) {
			if c.State == incident.Running {
				due = append(due, c)
			}
		}
	})
	for _, c := range due {
		document := drillDocument(c)
		digest, err := e.keepFile(document)
		if err != nil {
			return err
		}
		dir := filepath.Join(e.dir, drillDirectory, id)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, c.Rule+".txt"), document, 0o600); err != nil {
			return err
		}
		proof, sent := e.drillProof(c)
		if !sent {
			proof = incident.Sending{Document: digest}
		}
		if err := e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
			return incident.Answer(r.incident, id, []string{c.Rule}, proof, by, now)
		}); err != nil {
			return err
		}
	}
	return nil
}

// drillDocument is what a recipient would have got, for the recipients of the drill.
func drillDocument(c *incident.Clock) []byte {
	var b strings.Builder
	for _, lang := range []explain.Language{explain.Chinese, explain.English} {
		zh := lang == explain.Chinese
		two := func(en, zh string) string { return explain.Text{EN: en, ZH: zh}.In(lang) }
		fmt.Fprintf(&b, "%s\n", two("*** DRILL - DRILL - DRILL *** This is an exercise. Nothing in it is real.", "*** 演练 · 演练 · 演练 *** 以下为演练内容, 并非真实事件。"))
		fmt.Fprintf(&b, "%s: %s\n", two("incident", "事件"), c.Incident)
		fmt.Fprintf(&b, "%s: %s\n", two("instead of", "模拟接收方"), c.Recipient.In(zh))
		fmt.Fprintf(&b, "%s: %s (%s)\n", two("template", "模板"), c.Template, c.Source)
		fmt.Fprintf(&b, "%s: %s\n", two("duty", "义务"), c.Duty.In(zh))
		fmt.Fprintf(&b, "%s: %s\n\n", two("due", "时限"), c.Due.Time().Format(time.RFC3339))
	}
	return []byte(b.String())
}
