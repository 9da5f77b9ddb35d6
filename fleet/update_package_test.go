package fleet_test

import (
	"strings"
	"testing"

	"touchstone/fleet"
	"touchstone/journal"
)

// TestPublishSigned: a list that was signed elsewhere is taken whole, by the rules of publishing and changing, or not at all.
func TestPublishSigned(t *testing.T) {
	s := fleet.NewState()
	publish(t, s, release("S20", "*", "1.0.0"))
	inForce := func() (list []fleet.Release) {
		for _, r := range s.Releases() {
			list = append(list, *r)
		}
		return list
	}
	next := func(decide func(*fleet.State) ([]journal.Draft, error)) (signed []fleet.Release) {
		t.Helper()
		list, err := fleet.NextReleases(inForce(), decide)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list { // metadata has no more of it
			signed = append(signed, fleet.Release{Model: r.Model, Hardware: r.Hardware, Version: r.Version, Target: r.Target, Digest: r.Digest, Length: r.Length, State: r.State, Notes: r.Notes})
		}
		return signed
	}
	signed := next(func(x *fleet.State) ([]journal.Draft, error) {
		return fleet.Publish(x, release("S20", "*", "1.0.1"), nil, begin)
	})
	if signed[0].Version != "1.0.1" || signed[1].State != fleet.Supported {
		t.Fatalf("a signer would sign %+v", signed)
	}
	for name, edit := range map[string]func(list []fleet.Release) []fleet.Release{
		"one is left out":        func(l []fleet.Release) []fleet.Release { return l[:1] },
		"the old one's digest":   func(l []fleet.Release) []fleet.Release { l[1].Digest = strings.Repeat("f", 64); return l },
		"the old one's hardware": func(l []fleet.Release) []fleet.Release { l[1].Hardware = "1.0"; return l },
		"the old one's notes":    func(l []fleet.Release) []fleet.Release { l[1].Notes = "x"; return l },
		"the old one's file":     func(l []fleet.Release) []fleet.Release { l[1].Length++; return l },
		"a version twice":        func(l []fleet.Release) []fleet.Release { return append(l, l[0]) },
		"withdrawn from birth":   func(l []fleet.Release) []fleet.Release { l[0].State = fleet.Withdrawn; return l },
		"no such state":          func(l []fleet.Release) []fleet.Release { l[1].State = "good"; return l },
		"no hardware":            func(l []fleet.Release) []fleet.Release { l[0].Hardware = ">=2.0|<1.0"; return l },
		"no model":               func(l []fleet.Release) []fleet.Release { l[0].Model = ""; return l },
		"an older one, current": func(l []fleet.Release) []fleet.Release {
			l[0].Version, l[0].Target = "0.9.0", fleet.TargetPath("S20", "0.9.0")
			return l
		},
	} {
		list := edit(append([]fleet.Release{}, signed...))
		drafts, err := fleet.PublishSigned(s, list, "", pair, begin)
		refused(t, name, drafts, err, fleet.ErrRelease, "")
	}
	if len(s.Releases()) != 1 {
		t.Fatal("a refusal changed the list")
	}
	drafts, err := fleet.PublishSigned(s, signed, "", pair, begin)
	keep(t, s, drafts, err)
	if r := s.Release("S20", "1.0.1"); r == nil || r.ID != "REL-2" || s.Release("S20", "1.0.0").State != fleet.Supported {
		t.Errorf("the list is %+v", s.Releases())
	}
	if drafts, err := fleet.PublishSigned(s, signed, "", pair, begin); err != nil || drafts != nil {
		t.Errorf("the same once more: %v %v", drafts, err)
	}
	signed = next(func(x *fleet.State) ([]journal.Draft, error) {
		return fleet.SetRelease(x, fleet.ReleaseChange{Model: "S20", Version: "1.0.0", State: fleet.Withdrawn}, nil)
	})
	drafts, err = fleet.PublishSigned(s, signed, "a weak key", pair, begin)
	keep(t, s, drafts, err)
	if r := s.Release("S20", "1.0.0"); r.State != fleet.Withdrawn || r.Why != "a weak key" {
		t.Errorf("withdrawn as %+v", r)
	}
}
