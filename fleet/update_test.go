package fleet_test

import (
	"strings"
	"testing"

	"touchstone/fleet"
	"touchstone/pos"
	"touchstone/registry"
)

func TestPublish(t *testing.T) {
	s := fleet.NewState()
	publish(t, s, release("S20", "*", "1.0.0"))
	publish(t, s, release("S20", ">=2.0", "1.0.3"))
	if was := s.Release("S20", "1.0.0"); was.State != fleet.Current || was.ID != "REL-1" {
		t.Errorf("1.0.0 is %s: hardware below 2.0 has nothing newer", was.State)
	}
	publish(t, s, release("S20", ">=2.0", "1.0.4"))
	if was := s.Release("S20", "1.0.3"); was.State != fleet.Supported {
		t.Errorf("1.0.3 is %s after 1.0.4 for the same hardware", was.State)
	}
	drafts, err := fleet.Publish(s, release("S20", ">=2.0", "1.0.4"), pair, begin)
	if err != nil || drafts != nil {
		t.Errorf("the same release again, after a crash: %d drafts, %v", len(drafts), err)
	}
	for name, c := range map[string]struct {
		change func(r *fleet.Release)
		words  string
	}{
		"another file of the same version": {func(r *fleet.Release) { r.Version, r.Digest = "1.0.4", strings.Repeat("f", 64) }, "is another"},
		"older and current":                {func(r *fleet.Release) { r.Version = "1.0.2" }, "publish 1.0.2 as supported"},
		"a version of nine characters":     {func(r *fleet.Release) { r.Version = "1.0.12345" }, "at most 8"},
		"impossible hardware":              {func(r *fleet.Release) { r.Hardware = ">=3|<2" }, "no version is in it"},
		"no model":                         {func(r *fleet.Release) { r.Model = "" }, "model of 0 bytes"},
		"no digest":                        {func(r *fleet.Release) { r.Digest = "00" }, "64 hexadecimal"},
		"an empty file":                    {func(r *fleet.Release) { r.Length = 0 }, "a file of 0 bytes"},
		"too long":                         {func(r *fleet.Release) { r.Length = fleet.MaxRelease + 1 }, "bytes, want"},
		"born withdrawn":                   {func(r *fleet.Release) { r.State = fleet.Withdrawn }, "current or supported"},
		"endless notes":                    {func(r *fleet.Release) { r.Notes = strings.Repeat("n", 1001) }, "notes"},
		"a path that is taken":             {func(r *fleet.Release) { r.Target = fleet.TargetPath("S20", "1.0.4") }, "has the target"},
	} {
		r := release("S20", ">=2.0", "1.0.5")
		c.change(r)
		drafts, err := fleet.Publish(s, r, pair, begin)
		refused(t, name, drafts, err, fleet.ErrRelease, c.words)
	}
	drafts, err = fleet.SetRelease(s, fleet.ReleaseChange{Model: "S20", Version: "9.9", State: fleet.Withdrawn}, pair)
	refused(t, "withdraw what was never published", drafts, err, fleet.ErrRelease, "there is none")
}

func TestApplicationFact(t *testing.T) {
	s := fleet.NewState()
	d := device(1, "S20", "2.0", "1.0.0")
	if f := s.ApplicationFact(d, "1.0.0", begin); f.State != "" {
		t.Errorf("a model without releases is %q, want unknown", f.State)
	}
	publish(t, s, release("S20", "*", "1.0.0"))
	publish(t, s, release("S20", ">=2.0", "1.0.3"))
	set := func(version string, state fleet.ReleaseState, until pos.Instant) {
		drafts, err := fleet.SetRelease(s, fleet.ReleaseChange{Model: "S20", Version: version, State: state, Until: until}, pair)
		keep(t, s, drafts, err)
	}
	check := func(name, hardware, version string, after pos.Instant, want string) {
		t.Helper()
		d.Hardware = hardware
		if f := s.ApplicationFact(d, version, begin+after*hour); f.State != want || f.Name != registry.FactApplication {
			t.Errorf("%s: %q, want %q", name, f.State, want)
		}
	}
	check("current", "2.0", "1.0.3", 0, registry.Good)
	check("older and supported", "2.0", "1.0.0", 0, registry.Good)
	check("same number, other text", "2.0", "1.0.3.0", 0, registry.Good)
	check("never released", "2.0", "6.6.6", 0, fleet.ApplicationUnlisted)
	check("no version of ours", "2.0", "rc1", 0, fleet.ApplicationUnlisted)
	check("not for this hardware", "1.0", "1.0.3", 0, fleet.ApplicationUnlisted)
	check("hardware not known", "", "1.0.3", 0, "")
	check("hardware not known, and it runs on all", "", "1.0.0", 0, registry.Good)
	check("nothing presented", "2.0", "", 0, "")
	set("1.0.0", fleet.Supported, begin+2*hour)
	check("support ends in two hours", "1.0", "1.0.0", 1, registry.Good)
	check("support has ended", "1.0", "1.0.0", 2, fleet.ApplicationOutdated)
	if f := s.ApplicationFact(d, "1.0.0", begin); f.Until != begin+2*hour {
		t.Errorf("the fact changes at %d, want at the end of support", f.Until)
	}
	set("1.0.3", fleet.Withdrawn, 0)
	check("withdrawn", "2.0", "1.0.3", 0, fleet.ApplicationWithdrawn)
	set("1.0.3", fleet.Current, 0)
	check("current again", "2.0", "1.0.3", 0, registry.Good)
	if f := s.ApplicationFact(device(1, "S20", "2.0", ""), "6.6.6", begin); f.Restore != "1.0.3" {
		t.Errorf("restored by %q, want the newest release", f.Restore)
	}
}

func TestLearn(t *testing.T) {
	s := fleet.NewState()
	d := device(1, "S20", "2.0", "1.0.0")
	learn := func(version string, at pos.Instant) int {
		drafts := fleet.Learn(s, []fleet.Presentation{{Device: d, Version: version, At: begin + at*hour}})
		keep(t, s, drafts, nil)
		return len(drafts)
	}
	if s.VersionOf(d) != "1.0.0" || learn("1.0.0", 0) != 0 {
		t.Error("the one version it was registered with is no news")
	}
	if learn("1.0.3", 1) != 1 || s.VersionOf(d) != "1.0.3" || learn("1.0.3", 2) != 0 {
		t.Error("an upgrade is news once")
	}
	for i := range 9 {
		learn([]string{"1.0.4", "1.0.5"}[i%2], pos.Instant(3+i))
	}
	if known := s.Installed(d.Serial); known.Version != "1.0.4" || len(known.Before) != 4 || known.Before[0].Version != "1.0.5" {
		t.Errorf("history %+v, want 1.0.4 after 1.0.5, four at most", known)
	}
	free := device(2, "S20", "2.0", "1.0.0")
	free.AppVersions = nil
	if s.VersionOf(free) != "" {
		t.Error("a device registered with no version has none until it presents one")
	}
}
