package fleet_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
)

var inspector = fleet.Who{Actors: []string{"li"}}

// sound are the answers for a device of model Sample S30 under SEAL-1.
func sound() map[string]string {
	return map[string]string{"serial_label": string(serial), "serial_screen": string(serial), "seal_number": "SEAL-1", "seals_intact": "yes", "attached_device": "no",
		"foreign_object": "no", "cables": "1", "extra_cable": "no", "pin_shield": "yes", "camera": "no", "router_untouched": "yes", "tamper_message": "no",
		"case_sound": "yes", "weight_grams": "368"}
}

func visit(answers map[string]string) fleet.Visit {
	return fleet.Visit{Serial: serial, Terminal: terminal, Merchant: shop, Model: "Sample S30", Answers: answers}
}

// TestInspectionItems: each answer alone changes the result as its item says.
func TestInspectionItems(t *testing.T) {
	for _, c := range []struct {
		item, answer string
		found, alarm bool
	}{
		{"serial_label", string(other), true, true}, {"serial_screen", string(other), true, true}, {"seal_number", "SEAL-9", true, false},
		{"seals_intact", "no", true, false}, {"attached_device", "yes", true, true}, {"foreign_object", "yes", true, true},
		{"cables", "2", true, false}, {"cables", "0", true, false}, {"extra_cable", "yes", true, true}, {"pin_shield", "no", true, false},
		{"camera", "yes", true, true}, {"router_untouched", "no", true, false}, {"tamper_message", "yes", true, false}, {"case_sound", "no", true, false},
		{"weight_grams", "362", true, false}, {"weight_grams", "363", false, false}, {"weight_grams", "373", false, false}, {"weight_grams", "374", true, false},
	} {
		t.Run(c.item+"="+c.answer, func(t *testing.T) {
			r := newRoom(t)
			r.to(serial, fleet.Deployed)
			answers := sound()
			answers[c.item] = c.answer
			drafts, err := fleet.Inspect(r.State, visit(answers), inspector, start)
			if len(drafts) != 1 {
				t.Fatalf("%d entries, want one act: %v", len(drafts), err)
			}
			r.take(drafts, err)
			i := r.LastInspection(serial)
			if i.Passed == c.found || i.Alarm != c.alarm || i.Quarantined != c.alarm {
				t.Errorf("%+v", i)
			}
			if c.found && (len(i.Findings) != 1 || i.Findings[0].Item != c.item || i.Findings[0].Presented != c.answer) {
				t.Errorf("%+v", i.Findings)
			}
			want := fleet.Deployed
			if c.alarm {
				want = fleet.Quarantined
				if i.Finding != c.item {
					t.Errorf("finding %q", i.Finding)
				}
			}
			if got := r.Life(serial).State; got != want {
				t.Errorf("device is %s, want %s", got, want)
			}
		})
	}
}

// TestInspectionRefused: nothing is recorded of what is no inspection.
func TestInspectionRefused(t *testing.T) {
	photo := func(n int) fleet.Photograph {
		return fleet.Photograph{Digest: fmt.Sprintf("%064d", n), Type: "png", Bytes: 100, Width: 64, Height: 48}
	}
	for item := range sound() {
		r := newRoom(t)
		answers := sound()
		delete(answers, item)
		if _, err := fleet.Inspect(r.State, visit(answers), inspector, start); err == nil {
			t.Errorf("recorded without %s", item)
		}
		answers[item] = "  "
		if _, err := fleet.Inspect(r.State, visit(answers), inspector, start); err == nil {
			t.Errorf("recorded with %s empty", item)
		}
	}
	for name, alter := range map[string]func(*fleet.Visit){
		"an item of its own":     func(v *fleet.Visit) { v.Answers["colour"] = "blue" },
		"perhaps":                func(v *fleet.Visit) { v.Answers["camera"] = "perhaps" },
		"a weight in words":      func(v *fleet.Visit) { v.Answers["weight_grams"] = "heavy" },
		"a negative weight":      func(v *fleet.Visit) { v.Answers["weight_grams"] = "-1" },
		"a long answer":          func(v *fleet.Visit) { v.Answers["seal_number"] = strings.Repeat("9", 65) },
		"a long note":            func(v *fleet.Visit) { v.Note = strings.Repeat("9", 201) },
		"a photograph of before": func(v *fleet.Visit) { v.Photos = []fleet.Photograph{photo(1)} },
		"a photograph twice":     func(v *fleet.Visit) { v.Photos = []fleet.Photograph{photo(2), photo(2)} },
		"no digest":              func(v *fleet.Visit) { v.Photos = []fleet.Photograph{{Digest: "12"}} },
		"13 photographs": func(v *fleet.Visit) {
			for n := range 13 {
				v.Photos = append(v.Photos, photo(10+n))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t)
			first := visit(sound())
			first.Photos = []fleet.Photograph{photo(1)}
			r.take(fleet.Inspect(r.State, first, inspector, start))
			v := visit(maps.Clone(sound()))
			alter(&v)
			_, err := fleet.Inspect(r.State, v, inspector, start)
			var refusal *journal.Refusal
			if !errors.As(err, &refusal) || refusal.Actors[0] != "li" {
				t.Errorf("%v, want a refusal of li", err)
			}
		})
	}
	r := newRoom(t)
	r.to(serial, fleet.Retired)
	if _, err := fleet.Inspect(r.State, visit(sound()), inspector, start); err == nil {
		t.Error("a retired device was inspected")
	}
}

// TestLargestInspection: an act of the longest words fits an entry.
func TestLargestInspection(t *testing.T) {
	r := newRoom(t)
	r.to(serial, fleet.Deployed)
	for range fleet.MaxSteps {
		r.take(fleet.Move(r.State, serial, fleet.Elements{Address: strings.Repeat("路", 66)}, r.who(), start))
	}
	v := visit(sound())
	v.Note = strings.Repeat("字", 66)
	for item := range v.Answers {
		if item != "weight_grams" && item != "cables" {
			v.Answers[item] = strings.Repeat("9", 64)
		}
	}
	for _, item := range []string{"attached_device", "foreign_object", "extra_cable", "camera", "tamper_message"} {
		v.Answers[item] = "yes"
	}
	for _, item := range []string{"seals_intact", "pin_shield", "router_untouched", "case_sound"} {
		v.Answers[item] = "no"
	}
	v.Answers["cables"], v.Answers["weight_grams"] = "99999", "99999"
	for n := range 12 {
		v.Photos = append(v.Photos, fleet.Photograph{Digest: fmt.Sprintf("%064d", n), Type: "jpeg", Bytes: 16777216, Width: 20000, Height: 20000})
	}
	r.take(fleet.Inspect(r.State, v, inspector, start))
	if i := r.LastInspection(serial); len(i.Findings) != len(v.Answers) {
		t.Errorf("%d findings of %d", len(i.Findings), len(v.Answers))
	}
}

// TestInspectionOfAnUnknownModel keeps its weight and finds nothing in it.
func TestInspectionOfAnUnknownModel(t *testing.T) {
	r := newRoom(t)
	v := visit(sound())
	v.Model, v.Answers["weight_grams"], v.Answers["cables"], v.Answers["seal_number"] = "Never seen", "1", "7", "any"
	r.take(fleet.Inspect(r.State, v, inspector, start))
	if i := r.LastInspection(serial); !i.Passed || i.Answers["weight_grams"] != "1" {
		t.Errorf("%+v", i)
	}
	// It has no life record: an alarm begins one, in quarantine.
	v.Answers["camera"] = "yes"
	r.take(fleet.Inspect(r.State, v, inspector, start+1))
	if l := r.Life(serial); l == nil || l.State != fleet.Quarantined || l.Terminal != terminal {
		t.Errorf("%+v", l)
	}
}

// TestInspectionDue: the fact at each side of its borders, by class and risk, and the list of what is due.
func TestInspectionDue(t *testing.T) {
	span := map[fleet.SiteClass]map[fleet.Risk]time.Duration{
		fleet.Counter: {"low": 90 * day, "normal": 30 * day, "high": 7 * day}, fleet.Mobile: {"low": 30 * day, "normal": 30 * day, "high": 7 * day},
		fleet.Unattended: {"low": 14 * day, "normal": 7 * day, "high": 3 * day}, fleet.OpenPublic: {"low": 14 * day, "normal": 7 * day, "high": 3 * day}}
	for _, class := range fleet.SiteClasses {
		for _, risk := range fleet.Risks {
			r := newRoom(t)
			r.to(serial, fleet.Received)
			d := deployment(serial, terminal)
			d.Site, d.Risk = class, risk
			r.take(fleet.Deploy(r.State, d, r.who(), start))
			first := start.Add(span[class][risk])
			fact := func(at pos.Instant, state string, until pos.Instant) {
				t.Helper()
				if f := r.InspectionFact(serial, at); f.State != state || f.Until != until || f.Name != registry.FactInspection {
					t.Errorf("%s %s at %+d: %+v, want %q until %d", class, risk, at-start, f, state, until)
				}
			}
			fact(first-1, "", first) // never inspected is unknown, not good
			fact(first, fleet.Overdue, 0)
			r.take(fleet.Inspect(r.State, visit(sound()), inspector, first+5))
			second := (first + 5).Add(span[class][risk])
			fact(first+5, registry.Good, second)
			fact(second-1, registry.Good, second)
			fact(second, fleet.Overdue, 0)
			if n := len(r.DueBefore(second, second-1)); n != 0 {
				t.Errorf("due before it is: %d", n)
			}
			if list := r.DueBefore(second+1, second-1); len(list) != 1 || list[0].Overdue || list[0].Due != second {
				t.Errorf("%+v", list)
			}
			answers := sound()
			answers["pin_shield"] = "no"
			r.take(fleet.Inspect(r.State, visit(answers), inspector, second))
			fact(second+1, fleet.Failed, 0)
			if list := r.DueBefore(second+1, second+1); len(list) != 1 || !list[0].Failed {
				t.Errorf("a failed one is not due: %+v", list)
			}
			r.take(fleet.Inspect(r.State, visit(sound()), inspector, second+2))
			fact(second+3, registry.Good, (second + 2).Add(span[class][risk]))
		}
	}
}

// TestRiskierPlace: a place that became riskier is due by its new class.
func TestRiskierPlace(t *testing.T) {
	r := newRoom(t)
	r.to(serial, fleet.Deployed)
	r.take(fleet.Inspect(r.State, visit(sound()), inspector, start))
	r.take(fleet.Move(r.State, serial, fleet.Elements{Site: fleet.OpenPublic, Risk: fleet.HighRisk}, r.who(), start.Add(day)))
	if f := r.InspectionFact(serial, start.Add(3*day)); f.State != fleet.Overdue {
		t.Errorf("%+v", f)
	}
}

func TestGlance(t *testing.T) {
	r := newRoom(t)
	g := fleet.Glance{Terminal: terminal, Merchant: shop, Serial: serial, Operator: "001"}
	for n := range 3 {
		r.take(fleet.Look(r.State, g, fleet.Who{}, start.Add(time.Duration(n)*day)))
	}
	if last := r.LastGlance(terminal); last.At != start.Add(2*day) || last.Alarm || len(r.Glances(false)) != 1 {
		t.Errorf("%+v, %d kept", last, len(r.Glances(false)))
	}
	g.Wrong = "something sits on the slot"
	drafts, err := fleet.Look(r.State, g, fleet.Who{Actors: []string{"li"}}, start)
	r.take(drafts, err)
	if a := drafts[0].Act; a.Actors[0] != "cashier:898310058120001/001" || a.Actors[1] != "li" || a.Changes[0].ID != "GLN-1" || a.Verb != "glance_reported" {
		t.Errorf("%+v", a)
	}
	if open := r.Glances(true); len(open) != 1 || !open[0].Alarm || r.Life(serial) != nil {
		t.Error("the report is not open, or a cashier stopped a device")
	}
	g.Operator = "A1b" // DE63.1 is an3: letters too
	if _, err := fleet.Look(r.State, g, fleet.Who{}, start); err != nil {
		t.Errorf("operator %q: %v", g.Operator, err)
	}
	for _, operator := range []string{"", "01", "0001", "0 1", "0-1"} {
		g.Operator = operator
		if _, err := fleet.Look(r.State, g, fleet.Who{}, start); err == nil {
			t.Errorf("operator %q", operator)
		}
	}
}

// TestCareData: a policy or a checklist with a gap is refused.
func TestCareData(t *testing.T) {
	policy := func(old, new string) error {
		raw := []byte(`{"source":"x","unverified":true,"inspect_every":{"counter":{"low":"24h","normal":"24h","high":"1h"},"mobile":{"low":"24h","normal":"24h","high":"24h"},
"unattended":{"low":"24h","normal":"24h","high":"24h"},"open_public":{"low":"24h","normal":"24h","high":"24h"}},"health":{"oldest":"24h","ahead":"5m","stale_after":"168h","definitions":"72h"},
"photograph":{"most":12,"bytes":1000,"least_pixels":16,"most_pixels":20000},"glance_every":"24h"}`)
		_, err := fleet.ParseCarePolicy(bytes.Replace(raw, []byte(old), []byte(new), 1))
		return err
	}
	if err := policy("", ""); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{{`"high":"1h"`, `"high":"59m"`}, {`"mobile"`, `"kiosk"`}, {`"oldest":"24h"`, `"oldest":"0s"`}, {`"5m"`, `5`}, {`"most":12`, `"most":25`},
		{`"glance_every":"24h"`, `"glance_every":"24h","more":1`}, {`"stale_after":"168h",`, ``}, {`"least_pixels":16`, `"least_pixels":0`}} {
		if err := policy(c[0], c[1]); !errors.Is(err, fleet.ErrCarePolicy) {
			t.Errorf("%s for %s: %v", c[1], c[0], err)
		}
	}
	for name, raw := range map[string]string{
		"no items": `{"version":"1","items":[]}`, "no words": `{"version":"1","items":[{"id":"a","kind":"yes_no","good":"no","en":"A"}]}`,
		"twice":         `{"version":"1","items":[{"id":"a","kind":"seal","en":"A","zh":"甲"},{"id":"a","kind":"seal","en":"A","zh":"甲"}]}`,
		"kind":          `{"version":"1","items":[{"id":"a","kind":"smell","en":"A","zh":"甲"}]}`,
		"good answer":   `{"version":"1","items":[{"id":"a","kind":"yes_no","good":"maybe","en":"A","zh":"甲"}]}`,
		"not of ours":   `{"version":"1","items":[{"id":"a","kind":"seal","en":"A","zh":"甲","weight":1}]}`,
		"not even JSON": `{`,
	} {
		if _, err := fleet.ParseChecklist([]byte(raw)); !errors.Is(err, fleet.ErrCarePolicy) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
