package main

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"touchstone/incident"
	"touchstone/journal"
	"touchstone/pos"
)

// The events of incidents.
const (
	eventIncidentOpened = "incident_opened"
	eventClockRanOut    = "incident_clock_ran_out"
)

// How often evidence is weighed when some came, and when none did, and how often clocks are looked at.
const (
	incidentLook  = 400 * time.Millisecond
	incidentAgain = 5 * time.Second
	clockLook     = time.Second
	lookShare     = 100 // a look that takes long is followed by a rest so many times as long: it costs 1 % of a processor at most
)

// incidentOld is how far behind the journal's newest entry a detection may lie that is found while the journal is read
// again at a start: what a host had not weighed when it ended is seconds old, and what is older was taken in its time.
const incidentOld = time.Hour

// detector gathers what the watch reads of the journal for the rules that open incidents.
type detector struct {
	mu         sync.Mutex // guards the correlator and what it found; no other lock is taken under it but the leaf of the register
	correlator *incident.Correlator
	found      []incident.Detection
	rules      []incident.Rule
}

func newDetector(lookup func(pos.TerminalID) (incident.Facts, bool), rules []incident.Rule) *detector {
	d := &detector{rules: rules}
	d.correlator = incident.NewCorrelator(func() []incident.Rule { return d.rules }, lookup)
	return d
}

// fold takes one durable entry, on the watch's goroutine.
func (d *detector) fold(e journal.Entry) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.found = append(d.found, d.correlator.Fold(e)...)
	if len(d.found) > maxDetections {
		d.found = d.found[len(d.found)-maxDetections:]
	}
}

// maxDetections bounds detections that wait to be taken: the newest say what the older did.
const maxDetections = 256

// take gives what was found, after another look where one is due.
func (d *detector) take(rules []incident.Rule, again bool) []incident.Detection {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rules = rules
	if again || d.correlator.Due() {
		d.found = append(d.found, d.correlator.Look()...)
	}
	found := d.found
	d.found = nil
	return found
}

// factsOf is what is registered of a terminal, for the rules. A canary's terminal is nobody's.
func (e *engine) factsOf(id pos.TerminalID) (incident.Facts, bool) {
	t, err := e.ledger.Terminal(id)
	if err != nil || t.Canary {
		return incident.Facts{}, false
	}
	f := incident.Facts{Shop: t.Merchant.String(), Serial: string(t.Serial)}
	if term, _, _, _, err := t.Master.Head(); err == nil {
		f.Key = "master key term " + strconv.FormatUint(uint64(term), 10)
	}
	if d, err := e.ledger.Device(t.Serial); err == nil {
		f.Model = d.Model
		e.office.view(func(r *rooms) { f.Version = r.fleet.VersionOf(d) })
	}
	return f, true
}

// startIncidents opens incidents as their rules say and tells of clocks that run out, until ctx ends.
func (e *engine) startIncidents(ctx context.Context) {
	e.wait.Go(func() {
		if err := e.followIncidents(ctx); err != nil && ctx.Err() == nil {
			e.log.Error("no incident opens by itself until the next start", slog.String("error", err.Error()))
		}
	})
}

func (e *engine) followIncidents(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-e.watch.ready:
	}
	look := time.NewTicker(incidentLook)
	defer look.Stop()
	again, clocks := time.NewTicker(incidentAgain), time.NewTicker(clockLook)
	defer again.Stop()
	defer clocks.Stop()
	if err := e.takeDetections(ctx, true, e.clock()-pos.Instant(incidentOld)); err != nil {
		return err
	}
	var rest time.Time
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case now := <-look.C:
			if now.Before(rest) {
				continue
			}
			err = e.takeDetections(ctx, false, 0)
			rest = now.Add(lookShare * time.Since(now))
		case now := <-again.C:
			if now.Before(rest) {
				continue
			}
			err = e.takeDetections(ctx, true, 0)
			rest = now.Add(lookShare * time.Since(now))
		case <-clocks.C:
			err = e.alarmClocks(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// takeDetections lets the room decide on what was found since since.
func (e *engine) takeDetections(ctx context.Context, again bool, since pos.Instant) error {
	var rules []incident.Rule
	e.office.view(func(r *rooms) { rules = r.incident.Data().Rules })
	for _, d := range e.detector.take(rules, again) {
		if d.At < since {
			continue
		}
		if err := e.takeDetection(ctx, &d); err != nil {
			return err
		}
	}
	return nil
}

// takeDetection registers what the room decides, and the event that tells of an incident, as one group.
func (e *engine) takeDetection(ctx context.Context, d *incident.Detection) error {
	return e.actAndTell(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, []*journal.Event, error) {
		incident.Since(r.fleet, d)
		i, drafts, err := incident.Take(r.incident, d, now)
		if err != nil || i == nil || drafts[0].Act.Verb == "incident_widened" {
			return drafts, nil, err
		}
		return drafts, []*journal.Event{incidentEvent(i)}, nil
	})
}

// incidentEvent tells that an incident opened.
func incidentEvent(i *incident.Incident) *journal.Event {
	severity := journal.Warning
	if i.Severity == "major" || i.Severity == "extreme" {
		severity = journal.Alarm
	}
	event := &journal.Event{Name: eventIncidentOpened, Severity: severity, Parameters: map[string]string{"incident": i.ID, "title": clip(i.Title.EN), eventTitleZH: clip(i.Title.ZH), "severity": i.Severity}}
	if i.Drill {
		event.Severity, event.Parameters["drill"] = journal.Info, "yes"
	}
	if len(i.Scope.Models) == 1 {
		event.Model = i.Scope.Models[0]
	}
	if len(i.Proof) > 0 {
		event.Cause = i.Proof[0]
	}
	return event
}

// clip keeps a text within an event's bound, at a whole character.
func clip(s string) string {
	for len(s) > journal.MaxEventText {
		r := []rune(s)
		s = string(r[:len(r)-1])
	}
	return s
}

// alarmClocks records every clock that ran out, and its alarm.
func (e *engine) alarmClocks(ctx context.Context) error {
	var any bool
	e.office.view(func(r *rooms) {
		late, _, _ := incident.RanOut(r.incident, e.clock())
		any = len(late) > 0
	})
	if !any {
		return nil
	}
	return e.actAndTell(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, []*journal.Event, error) {
		late, drafts, err := incident.RanOut(r.incident, now)
		var events []*journal.Event
		for _, c := range late {
			event := &journal.Event{Name: eventClockRanOut, Severity: journal.Alarm, Parameters: map[string]string{"incident": c.Incident, "clock": c.Rule, "due": c.Due.Time().Format(time.RFC3339)}}
			if c.Drill {
				event.Severity, event.Parameters["drill"] = journal.Info, "yes"
			}
			events = append(events, event)
		}
		return drafts, events, err
	})
}

// actAndTell is act with events that are registered together with its drafts. A rule's refusal is kept as act keeps
// it.
func (e *engine) actAndTell(ctx context.Context, decide func(r *rooms, now pos.Instant) ([]journal.Draft, []*journal.Event, error)) error {
	e.office.acting.Lock()
	defer e.office.acting.Unlock()
	now := e.clock()
	var drafts []journal.Draft
	var events []*journal.Event
	var err error
	e.office.view(func(r *rooms) { drafts, events, err = decide(r, now) })
	if err != nil {
		return e.actLocked(ctx, func(*rooms, pos.Instant) ([]journal.Draft, error) { return nil, err })
	}
	var records []any
	for i := range drafts {
		records = append(records, &drafts[i])
	}
	for _, event := range events {
		records = append(records, event)
	}
	return e.ledger.Register(ctx, now, records...)
}
