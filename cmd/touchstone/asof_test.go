package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/fleet"
	"touchstone/incident"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
	"touchstone/staff"
	"touchstone/web/api"
)

// asofHouse is a host with real messages whose interface is asked.
type asofHouse struct {
	*apiHouse
	rig   *canaryRig
	visit string // the inspection that this history has
}

// asofStep is a moment of its history and what the interface said then.
type asofStep struct {
	name string
	at   pos.Instant
	said map[string]string // by address
}

// TestAsOf: a history with known changes at known moments. What the interface said after each change is what it says of that
// moment after all of them.
func TestAsOf(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a whole host")
	}
	rig := newDiagnosisRig(t, roomy, nil)
	h := &asofHouse{&apiHouse{peopleHouse: &peopleHouse{t: t, dir: rig.dir, engine: rig.e}}, rig, ""}
	h.serve()
	h.office.view(func(r *rooms) { h.visit = fmt.Sprintf("INS-%d", len(r.fleet.Inspections())+len(pastVisits)+1) })
	var steps []asofStep
	for _, s := range h.history() {
		s.do()
		steps = append(steps, h.record(s.name))
	}
	h.differ(steps)
	h.canaryThen(steps)
	for _, s := range steps {
		for _, address := range h.asofAddresses() {
			h.sayAgain(&s, address)
		}
	}
}

type asofAct struct {
	name string
	do   func()
}

// history are the changes, in order.
func (h *asofHouse) history() []asofAct {
	t, ctx := h.t, h.t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	first, second := visitors()[0], visitors()[1]
	one, card := h.rig.visitor(t, 0)
	again := func(change func(x *registry.Terminal)) {
		x, err := h.ledger.Terminal(first.id)
		must(err)
		copied := *x
		change(&copied)
		must(h.ledger.Register(ctx, h.clock(), &copied))
	}
	return []asofAct{
		{"as seeded, signed in", func() {}},
		{"sales", func() {
			for range 3 {
				res, err := one.Sale(ctx, card, 1234)
				must(err)
				if !res.Approved {
					t.Fatalf("the sale: %+v", res)
				}
			}
		}},
		{"a past, with an advisory and its campaign", func() { must(h.seedPast(ctx)) }},
		{"another signs in", func() {
			h.rig.visitor(t, 1)
		}},
		{"signed in again, not used", func() {
			in, err := one.SignIn(ctx)
			must(err)
			if !in.Approved {
				t.Fatalf("sign-in: %+v", in)
			}
		}},
		{"moved to another place", func() {
			again(func(x *registry.Terminal) {
				x.Place = &registry.Circle{Latitude: 31_230_400, Longitude: 121_473_700, Metres: 300}
			})
		}},
		{"a device is quarantined", func() {
			device, err := h.ledger.Device(second.serial)
			must(err)
			copied := *device
			copied.State = registry.Suspended
			must(h.ledger.Register(ctx, h.clock(), &copied))
			must(h.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
				answers := soundAnswers(r.fleet, second.serial, "SEAL-"+second.id.String(), device.Model)
				for _, item := range r.fleet.Checklist().Items {
					if item.Kind == "serial" {
						answers[item.ID] = "ANOTHER0000000000001" // which is an alarm
					}
				}
				return fleet.Inspect(r.fleet, fleet.Visit{Serial: second.serial, Terminal: second.id, Merchant: second.merchant, Model: device.Model, Answers: answers},
					fleet.Who{Actors: []string{"setup"}}, now)
			}))
		}},
		{"another master key", func() {
			other, err := h.ledger.Terminal(second.id)
			must(err)
			again(func(x *registry.Terminal) {
				x.Master, x.MasterKCV, x.MasterAt = slices.Clone(other.Master), "00000000", h.clock()
			})
		}},
		{"a proof does not prove", func() {
			must(h.raise(ctx, &journal.Event{Name: eventIneffective, Severity: journal.Alarm, Terminal: first.id.String(), Parameters: map[string]string{"probe": "mac_zero"}},
				&journal.Event{Name: proof.EventStopped, Severity: journal.Alarm, Parameters: map[string]string{proof.StopCheck: proof.Serial.String()}}))
		}},
		{"it proves again", func() {
			must(h.raise(ctx, &journal.Event{Name: eventEffective, Severity: journal.Info, Terminal: first.id.String(), Parameters: map[string]string{"probe": "mac_zero"}},
				&journal.Event{Name: proof.EventResumed, Severity: journal.Info, Parameters: map[string]string{"by": "qian"}}))
		}},
		{"a proposal", func() { h.propose() }},
		{"two devices with one identity", func() {
			must(h.raise(ctx, &journal.Event{Name: proof.EventCloneSuspected, Severity: journal.Alarm, Terminal: first.id.String(), Merchant: first.merchant.String(), Parameters: map[string]string{proof.SuspectKeys: "yes"}}))
		}},
		{"the campaign is closed", func() {
			must(h.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
				return fleet.CloseCampaign(r.fleet, "CMP-1", "all are updated", []string{"qian", "chen"}, now)
			}))
		}},
		{"programs are let in and told, and a shop has another name", func() {
			_, err := h.makeAPIKey(ctx, &apiKeyChange{Name: "settlement", Account: "qian", Roles: []staff.Role{staff.Security}}, []string{"zhao"})
			must(err)
			_, err = h.makeWebhook(ctx, &webhookChange{Name: "desk", URL: "http://127.0.0.1:9/in", Types: []string{"incident.opened"}}, []string{"zhao"})
			must(err)
			m, err := h.ledger.Merchant(first.merchant)
			must(err)
			renamed := *m
			renamed.Name = "Another Tea House"
			must(h.ledger.Register(ctx, h.clock(), &renamed))
		}},
		{"they are no longer, and one device is left", func() {
			_, err := h.revokeAPIKey(ctx, &apiKeyRevocation{ID: "KEY-1"}, []string{"zhao"})
			must(err)
			_, err = h.setWebhook(ctx, &webhookState{ID: "WHK-1"}, []string{"zhao"})
			must(err)
			var rules []incident.Rule
			h.office.view(func(r *rooms) { rules = slices.Clone(r.incident.Data().Rules) })
			rules[0].Off = !rules[0].Off
			file := filepath.Join(h.t.TempDir(), "rules.json")
			content, err := json.Marshal(map[string]any{"rules": rules[:1]})
			must(err)
			must(os.WriteFile(file, content, 0o600))
			_, err = h.changeIncident(ctx, &incidentChange{Op: incidentRules, File: file}, incident.By{Actors: []string{"qian", "sun"}})
			must(err)
			rule := staff.DefaultTerminalPasswords()
			rule.OperatorMin++
			_, err = h.setPasswords(ctx, &passwordsChange{Policy: rule}, []string{"qian", "sun"})
			must(err)
			_, err = h.clearClone(ctx, &cloneClearChange{Terminal: first.id.String(), Note: "a visit found one device"}, []string{"qian", "sun"})
			must(err)
		}},
	}
}

// asofAddresses are what is asked, but for the moment.
func (h *asofHouse) asofAddresses() []string {
	id, serial, shop := visitors()[0].id.String(), string(visitors()[1].serial), visitors()[0].merchant.String()
	return []string{
		"/api/v1/grades", "/api/v1/grades?model=Sample+V1", "/api/v1/grades/plan",
		"/api/v1/permits", "/api/v1/permits?permit=full", "/api/v1/permits?fact=device", "/api/v1/permits?fact=registration",
		"/api/v1/keys?limit=100", "/api/v1/keys?list=old&limit=100", "/api/v1/keys/figures", "/api/v1/keys?q=" + id, "/api/v1/keys?q=" + serial,
		"/api/v1/keys/key_master_" + id, "/api/v1/keys/key_working_" + id, "/api/v1/keys/key_pending_" + id, "/api/v1/keys/key_serial_" + serial, "/api/v1/keys/key_module_master_1",
		"/api/v1/keys/key_module_authority", "/api/v1/terminals/map", "/api/v1/terminals/map?box=121.3,31.1,121.6,31.4",
		"/api/v1/campaigns", "/api/v1/campaigns/CMP-1", "/api/v1/advisories", "/api/v1/advisories/ADV-1", "/api/v1/advisories/ADV-1/blast-radius",
		"/api/v1/advisories/ADV-1/document?format=osv",
		"/api/v1/terminals/" + id, "/api/v1/terminals/" + visitors()[1].id.String(), "/api/v1/permits/" + id, "/api/v1/permits/" + visitors()[1].id.String(),
		"/api/v1/effectiveness", "/api/v1/inspections?tab=overdue", "/api/v1/inspections?tab=upcoming", "/api/v1/inspections?tab=done",
		"/api/v1/staff", "/api/v1/staff/li", "/api/v1/access-review", "/api/v1/proposals", "/api/v1/proposals/PRP-1", "/api/v1/clones", "/api/v1/devices/dev_" + serial + "/custody",
		"/api/v1/clones/ter_" + id, "/api/v1/devices/dev_" + serial, "/api/v1/merchants/mer_" + shop, "/api/v1/inspections/" + h.visit, "/api/v1/training", "/api/v1/cashiers", "/api/v1/api-keys", "/api/v1/webhooks", "/api/v1/status",
		"/api/v1/terminal-password-policies", "/api/v1/incident-rules",
		"/api/v1/devices?limit=100", "/api/v1/devices?state=quarantined", "/api/v1/devices?q=" + serial, "/api/v1/merchants?limit=100", "/api/v1/merchants?q=another+tea",
		"/api/v1/terminals?limit=100&counts=true", "/api/v1/terminals?device=quarantined", "/api/v1/terminals?q=another+tea", "/api/v1/five-elements?merchant=" + shop,
	}
}

// record asks everything when nothing is under way any more, and until nothing was written meanwhile.
func (h *asofHouse) record(name string) asofStep {
	h.t.Helper()
	for {
		h.still()
		s := asofStep{name, h.clock(), map[string]string{}}
		head := h.ledger.Durable()
		h.census.mu.Lock()
		clear(h.census.kept) // figures of before the change are told for two seconds
		h.census.mu.Unlock()
		for _, address := range h.asofAddresses() {
			s.said[address] = h.told(address)
		}
		if h.ledger.Durable() == head {
			return s
		}
	}
}

// still waits until what the host makes of an entry by itself is made.
func (h *asofHouse) still() {
	h.t.Helper()
	for {
		head := h.ledger.Durable()
		h.rig.e.diagnoser.drain()
		if err := h.permits.settle(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
		if err := h.view.CatchUp(h.t.Context()); err != nil {
			h.t.Fatal(err)
		}
		if h.watch.last() >= head && h.estate.built.Load() {
			h.estate.Settle(h.t.Context()) // the watch told it of every entry
			if h.ledger.Durable() == head {
				return
			}
		}
		time.Sleep(time.Millisecond) // between two looks at the state that is waited for
	}
}

// told is an answer without what tells when it was made.
func (h *asofHouse) told(address string) string {
	h.t.Helper()
	w := h.ask("qian", http.MethodGet, address, "")
	for w.Code == http.StatusServiceUnavailable {
		if problemCode(w) != "being_counted" {
			h.t.Fatalf("%s: %s", address, w.Body)
		}
		w = h.ask("qian", http.MethodGet, address, "")
	}
	if w.Code == http.StatusNotFound {
		return "404"
	}
	if w.Code != http.StatusOK {
		h.t.Fatalf("%s: %d %s", address, w.Code, w.Body)
	}
	var value any
	if err := json.Unmarshal(w.Body.Bytes(), &value); err != nil {
		h.t.Fatalf("%s: %v", address, err)
	}
	if members, ok := value.(map[string]any); ok {
		for _, made := range []string{"counted_at", "age_seconds", "as_of", "$schema", "canary"} { // what the canary counts is the process's own
			delete(members, made)
		}
		onlyRecorded(address, members)
	}
	raw, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		h.t.Fatal(err)
	}
	return string(raw)
}

// onlyRecorded takes from an answer what no journal has, which an answer of the past names and does not tell.
func onlyRecorded(address string, answer map[string]any) {
	switch {
	case strings.HasPrefix(address, "/api/v1/webhooks"):
		for _, row := range answer["data"].([]any) {
			w := row.(map[string]any)
			for _, name := range append(slices.Clone(hookNotKept), "not_kept", "as_of") {
				delete(w, name)
			}
			if w["state"] != "disabled" {
				w["state"] = "enabled"
			}
		}
	case strings.HasPrefix(address, "/api/v1/status"):
		for _, name := range append(slices.Clone(statusNotKept), "not_kept", "at", "last_hour.seconds", "journal.last_block") {
			of := answer
			if member, inner, ok := strings.Cut(name, "."); ok {
				of, name = answer[member].(map[string]any), inner
			}
			delete(of, name)
		}
		answer["needs_a_person"] = slices.DeleteFunc(answer["needs_a_person"].([]any), func(need any) bool {
			code := need.(map[string]any)["code"]
			return code != "sales_stopped" // what the canary found, canaryThen looks at: the process of this test has none that sends
		})
	case strings.HasPrefix(address, "/api/v1/terminals?"):
		if counts, ok := answer["counts"].(map[string]any); ok {
			delete(counts, "grade")
		}
		for _, row := range answer["data"].([]any) {
			delete(row.(map[string]any), "grade")
			delete(row.(map[string]any), "last_seen")
		}
	}
}

// sayAgain holds what is said of a moment against what was said then.
func (h *asofHouse) sayAgain(s *asofStep, address string) {
	h.t.Helper()
	sign := "?"
	if strings.Contains(address, "?") {
		sign = "&"
	}
	if got, want := h.told(address+sign+"as_of="+url.QueryEscape(exactTime(s.at))), s.said[address]; got != want {
		h.t.Errorf("%s, as of %q: %s", address, s.name, firstDifference(got, want))
	}
}

// canaryThen: what the host's own known-bad messages found is told by its events.
func (h *asofHouse) canaryThen(steps []asofStep) {
	h.t.Helper()
	for _, s := range steps {
		w := h.ask("qian", http.MethodGet, "/api/v1/effectiveness?as_of="+url.QueryEscape(exactTime(s.at)), "")
		for w.Code == http.StatusServiceUnavailable {
			w = h.ask("qian", http.MethodGet, "/api/v1/effectiveness?as_of="+url.QueryEscape(exactTime(s.at)), "")
		}
		want := "none"
		if s.name == "a proof does not prove" {
			want = "ineffective"
		}
		var got api.Effectiveness
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Watch.State != want || (len(got.Stopped) > 0) != (want == "ineffective") {
			h.t.Errorf("as of %q the canary is %q and sales are stopped for %v, %v", s.name, got.Watch.State, got.Stopped, err)
		}
	}
}

// firstDifference are the first lines in which two texts differ.
func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d is\n%s\nand was\n%s", i+1, strings.Join(a[max(i-2, 0):min(i+3, len(a))], "\n"), strings.Join(b[max(i-2, 0):min(i+3, len(b))], "\n"))
		}
	}
	return fmt.Sprintf("%d lines, and was %d", len(a), len(b))
}

// asofUnmoved are what no change of this history shows in: the first page of keys, the life of a device, accounts, the plan,
// which has a step for no terminal that changed.
var asofUnmoved = []string{"/api/v1/keys?li", "/api/v1/devices/", "/api/v1/staff", "/api/v1/access-review", "/api/v1/grades/plan"}

// propose has an officer ask for an act that needs a second person.
func (h *asofHouse) propose() {
	h.t.Helper()
	body, err := json.Marshal(map[string]string{"text": string(h.permits.standard.Text)})
	if err != nil {
		h.t.Fatal(err)
	}
	w := h.ask("qian", http.MethodPost, "/api/v1/permit-policies", string(body), "Idempotency-Key", "asof-1")
	if w.Code != http.StatusAccepted {
		h.t.Fatalf("the proposal: %d %s", w.Code, w.Body)
	}
}

// differ tells of an address whose answer never changed, but for those that no change here touches: it would prove nothing.
func (h *asofHouse) differ(steps []asofStep) {
	h.t.Helper()
	for _, address := range h.asofAddresses() {
		changed := false
		for i := 1; i < len(steps); i++ {
			changed = changed || steps[i].said[address] != steps[0].said[address]
		}
		if !changed && !slices.ContainsFunc(asofUnmoved, func(begin string) bool { return strings.HasPrefix(address, begin) }) {
			h.t.Errorf("%s: no change of this history shows in it", address)
		}
	}
}
