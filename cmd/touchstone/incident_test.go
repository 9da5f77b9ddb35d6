package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/incident"
	"touchstone/pos"
	"touchstone/terminal"
)

// awaitIncident waits until the room has an incident that f accepts.
func (r *canaryRig) awaitIncident(t *testing.T, f func(i *incident.Incident) bool) *incident.Incident {
	t.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		var found *incident.Incident
		r.e.office.view(func(rooms *rooms) {
			for _, i := range rooms.incident.Incidents() {
				if f(i) {
					found = i
				}
			}
		})
		if found != nil {
			return found
		}
	}
	t.Fatal("no such incident")
	return nil
}

func (r *canaryRig) incidents() (list []*incident.Incident) {
	r.e.office.view(func(rooms *rooms) { list = rooms.incident.Incidents() })
	return list
}

// TestIncidentOpensItself: over TCP and TLS, terminals of two models sell; then those of one model are refused A7 in
// four shops, and one of the other model is too. The incident opens by itself, names the model and version that they
// share and not the other's, and is one, also after a restart.
func TestIncidentOpensItself(t *testing.T) {
	r := newCanaryRig(t, rigOptions{})
	card, err := cardOf(cards()[7])
	if err != nil {
		t.Fatal(err)
	}
	var sick, sound []*terminal.Terminal
	var names []string
	for _, s := range staffTerminals()[:16] {
		opened := r.shopTerminal(t, s, time.Now)
		if res, err := opened.Sale(t.Context(), card, 1850); err != nil || !res.Approved {
			t.Fatalf("%s sells: %v %v", s.id, res.DE39, err)
		}
		if s.model == "Sample S30" && len(sick) < 4 {
			sick, names = append(sick, opened), append(names, s.id.String())
		} else if s.model == "Sample S10" {
			sound = append(sound, opened)
		}
	}
	refuse := func(x *terminal.Terminal) {
		t.Helper()
		if res, err := x.Misbehave(t.Context(), terminal.WrongSerialCipher, card, 1850); err != nil || res.DE39 != pos.Code("A7") {
			t.Fatalf("refused with %v %v, want A7", res.DE39, err)
		}
	}
	if n := len(r.incidents()); n != 0 {
		t.Fatalf("%d incidents before anything failed", n)
	}
	refuse(sound[0])
	for _, x := range sick {
		refuse(x)
	}
	began := time.Now()
	i := r.awaitIncident(t, func(i *incident.Incident) bool { return len(i.Scope.Terminals) == len(sick) })
	took := time.Since(began)
	t.Logf("opened, with all of its terminals, %d ms after the last refusal was answered", took.Milliseconds())
	if took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	slices.Sort(names)
	if !slices.Equal(i.Scope.Terminals, names) || !slices.Equal(i.Scope.Models, []string{"Sample S30"}) || !slices.Equal(i.Scope.Versions, []string{sampleApp}) || !i.Scope.Whole {
		t.Errorf("scope %+v, want %v of Sample S30 %s", i.Scope, names, sampleApp)
	}
	chosen := slices.IndexFunc(i.Common, func(f incident.Factor) bool { return f.Chosen })
	if chosen < 0 || i.Common[chosen].Value != "Sample S30 "+sampleApp || i.Common[chosen].Affected != 4 || i.Common[chosen].OthersFailed != 1 {
		t.Errorf("common cause %+v", i.Common)
	}
	if strings.Contains(fmt.Sprintf("%v %v", i.Title, i.Scope), "S10") {
		t.Errorf("names the other model: %+v", i)
	}
	events := r.events(t, eventIncidentOpened)
	for until := time.Now().Add(patience); len(events) == 0 && time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		events = r.events(t, eventIncidentOpened) // the room knows what it folded a moment before it is durable
	}
	if len(events) != 1 || events[0].Parameters["incident"] != i.ID {
		t.Errorf("events %+v", events)
	}
	for _, seq := range i.Proof {
		e, err := r.e.store.Entry(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := showExchange(e); err != nil || s.Reason != "serial_proof_failed" || !slices.Contains(names, s.Terminal) {
			t.Errorf("entry %d proves nothing: %+v %v", seq, s, err)
		}
	}
	r.stop()
	again := newCanaryRig(t, rigOptions{dir: r.dir})
	<-again.e.watch.ready
	if err := again.e.takeDetections(t.Context(), true, 0); err != nil {
		t.Fatal(err)
	}
	if list := again.incidents(); len(list) != 1 || list[0].ID != i.ID || list[0].Steps != i.Steps {
		t.Errorf("after a restart: %d incidents, the first with %d steps, before it %d", len(list), list[0].Steps, i.Steps)
	}
}
