package incident

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/pos"
)

// TestSince: what a finding exposes begins when the device was last known good.
func TestSince(t *testing.T) {
	found := morning
	hours := func(n int) pos.Instant { return found.Add(-time.Duration(n) * time.Hour) }
	inspection := func(id string, at pos.Instant, passed bool, serial string) journal.Change {
		return journal.Change{Noun: "inspection", ID: id, Record: fmt.Appendf(nil, `{"id":%q,"serial":%q,"passed":%v,"at":%d}`, id, serial, passed, at)}
	}
	life := journal.Change{Noun: "device", ID: "S1", Record: fmt.Appendf(nil, `{"serial":"S1","state":"deployed","steps":[{"verb":"x","at":%d}]}`, hours(900))}
	binding := journal.Change{Noun: "binding", ID: "BND-1", Record: fmt.Appendf(nil, `{"id":"BND-1","serial":"S1","terminal":"00001000","from":%d,"until":%d}`, hours(500), found)}
	for name, c := range map[string]struct {
		known []journal.Change
		want  pos.Instant
	}{
		"nothing is known":                  {nil, found.Add(-Unseen)},
		"known since it was announced":      {[]journal.Change{life}, hours(900)},
		"bound, and released by the find":   {[]journal.Change{life, binding}, hours(500)},
		"inspected and good":                {[]journal.Change{life, binding, inspection("INS-1", hours(40), true, "S1"), inspection("INS-2", hours(3), true, "S1")}, hours(3)},
		"the newest found something":        {[]journal.Change{life, inspection("INS-1", hours(40), true, "S1"), inspection("INS-2", hours(3), false, "S1")}, hours(40)},
		"another device's inspection":       {[]journal.Change{life, inspection("INS-1", hours(40), true, "S2")}, hours(900)},
		"the finding itself, and a later":   {[]journal.Change{inspection("INS-1", found, false, "S1"), inspection("INS-2", found.Add(1), true, "S1")}, found.Add(-Unseen)},
		"inspected before it came to place": {[]journal.Change{binding, inspection("INS-1", hours(600), true, "S1")}, hours(600)},
	} {
		t.Run(name, func(t *testing.T) {
			s := fleet.NewState()
			for n, k := range c.known {
				if err := s.Fold(uint64(n+1), k); err != nil {
					t.Fatal(err)
				}
			}
			d := Detection{Rule: Rule{Type: typeAct}, Hits: []Hit{{Serial: "S1", First: found, At: found}}}
			if Since(s, &d); d.Hits[0].First != c.want {
				t.Errorf("since %s, want %s", d.Hits[0].First.Time(), c.want.Time())
			}
			d = Detection{Rule: Rule{Type: typeSpread}, Hits: []Hit{{Serial: "S1", First: found, At: found}}}
			if Since(s, &d); d.Hits[0].First != found {
				t.Error("a spread begins otherwise than with its first refusal")
			}
		})
	}
}

// TestExposureEndsWithQuarantine: a finding that put the device in quarantine ended its exposure, another did not; a
// second finding that goes on takes the end away, and the incident tells since when and why.
func TestExposureEndsWithQuarantine(t *testing.T) {
	for state, ends := range map[string]bool{"quarantined": true, "deployed": false} {
		s := fleet.NewState()
		life := journal.Change{Noun: "device", ID: "S1", Record: fmt.Appendf(nil, `{"serial":"S1","state":%q,"steps":[{"verb":"x","at":%d}]}`, state, morning-900)}
		if err := s.Fold(1, life); err != nil {
			t.Fatal(err)
		}
		w := NewState()
		d := Detection{Rule: Rule{ID: "attached-device", Type: typeAct, Kind: "attached_device", Severity: "major", Title: Text{EN: "a device", ZH: "装置"}, What: Text{EN: "found", ZH: "发现"}},
			Key: "k", Hits: []Hit{{Serial: "S1", Terminal: "00001000", Seq: 5, First: morning, At: morning}}, Link: "INS-1", At: morning}
		Since(s, &d)
		i, drafts, err := Take(w, &d, morning+10)
		if err != nil {
			t.Fatal(err)
		}
		if got := i.Scope.To != 0; got != ends || i.Scope.From != morning-900 {
			t.Errorf("%s: exposed from %d to %d", state, i.Scope.From, i.Scope.To)
		}
		if text := fmt.Sprintf("%s", drafts[0].Act.Changes); !strings.Contains(text, "first known") {
			t.Errorf("%s: it does not tell since when: %s", state, text)
		}
		for n, c := range drafts[0].Act.Changes {
			if err := w.Fold(uint64(n+6), c); err != nil {
				t.Fatal(err)
			}
		}
		more := d
		more.From, more.Until = Text{}, 0
		more.Hits = []Hit{{Serial: "S2", Terminal: "00001001", Seq: 9, First: morning + 20, At: morning + 20}}
		if i, _, err = Take(w, &more, morning+30); err != nil || i == nil || i.Scope.To != 0 {
			t.Errorf("%s: after another that goes on: %+v, %v", state, i, err)
		}
	}
}
