package incident

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// behind is the cause that was found behind entry verdict.
func behind(t *testing.T, at time.Duration, verdict uint64, n int, c reason.Cause, certainty journal.Certainty, facts map[string]string) said {
	t.Helper()
	id, err := pos.ParseTerminalID(fmt.Sprintf("%08d", n))
	if err != nil {
		t.Fatal(err)
	}
	cause := journal.CauseOf(verdict, id, reason.MACFailed, c, certainty)
	cause.Tried, cause.Fit, cause.OneIn, cause.Facts = 10, 1, 1<<28, facts
	if err := cause.Check(); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(cause)
	if err != nil {
		t.Fatal(err)
	}
	return said{at: at, n: n, other: &journal.Entry{Kind: journal.KindCause, Body: body}}
}

// modelGoesBad is a day on which all terminals of one model and version fail, others do not.
func modelGoesBad() (all []said) {
	for i := range 40 {
		n := 1000 + i*3%7 + i*20 // of model M1, version 1.0.0 below 1500, 1.0.3 above
		s := said{at: time.Duration(i) * time.Second, n: n}
		if n%1000 >= 500 {
			s.why = reason.MACFailed
		}
		all = append(all, s)
	}
	return all
}

func TestALikelyCommonCauseIsNamed(t *testing.T) {
	all := modelGoesBad()
	var causes []said
	for i, s := range all {
		if s.why != reason.None {
			causes = append(causes, behind(t, time.Minute, uint64(i+1), s.n, reason.MACWrongCoverage, journal.Proven, map[string]string{"coverage": "mti_out"}))
		}
	}
	f := newFollower(t)
	f.follow(entriesOf(t, append(all, causes...)))
	f.look(morning.Add(2 * time.Minute))
	list := incidentsOf(f)
	if len(list) != 1 {
		t.Fatalf("%d incidents, want one: %+v", len(list), list)
	}
	l := CommonCause(list[0].Likely)
	if l == nil || l.Cause != "mac_wrong_coverage" || l.Terminals != len(causes) || l.Proven != len(causes) || l.Of != len(causes) {
		t.Fatalf("likely %+v, want mac_wrong_coverage at all %d", list[0].Likely, len(causes))
	}
}

func TestACauseFoundLaterIsAddedToTheSameIncident(t *testing.T) {
	all := modelGoesBad()
	f := newFollower(t)
	entries := entriesOf(t, all)
	f.follow(entries)
	f.look(morning.Add(41 * time.Second))
	if list := incidentsOf(f); len(list) != 1 || len(list[0].Likely) != 0 {
		t.Fatalf("before the causes: %+v", list)
	}
	steps := incidentsOf(f)[0].Steps
	var causes []journal.Entry
	for i, s := range all {
		if s.why != reason.None {
			c := behind(t, time.Minute, uint64(i+1), s.n, reason.MACKeyHalfLoaded, journal.Proven, nil)
			causes = append(causes, c.entry(t, uint64(len(entries)+len(causes)+1)))
		}
	}
	f.follow(causes)
	f.look(morning.Add(2 * time.Minute))
	f.look(morning.Add(3 * time.Minute))
	list := incidentsOf(f)
	if len(list) != 1 || CommonCause(list[0].Likely) == nil || list[0].Likely[0].Cause != "mac_key_half_loaded" {
		t.Fatalf("after the causes: %+v", list)
	}
	if list[0].Steps != steps+1 {
		t.Errorf("%d steps, want one more than %d", list[0].Steps, steps)
	}
}

// A cause and a further terminal that are seen at one look: the step tells both.
func TestACauseThatComesWithATerminalIsTold(t *testing.T) {
	all := modelGoesBad()
	f := newFollower(t)
	f.follow(entriesOf(t, all))
	f.look(morning.Add(41 * time.Second))
	later := []said{{at: 50 * time.Second, n: 1999, why: reason.MACFailed}}
	for i, s := range all {
		if s.why != reason.None {
			later = append(later, behind(t, time.Minute, uint64(i+1), s.n, reason.MACKeyHalfLoaded, journal.Proven, nil))
		}
	}
	for i := range later {
		f.c.Fold(later[i].entry(t, uint64(len(all)+i+1)))
	}
	var told []string
	for _, d := range f.c.Look() {
		_, drafts, err := Take(f.state, &d, morning.Add(2*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		for _, draft := range drafts {
			for _, c := range draft.Act.Changes {
				var step Step
				if json.Unmarshal(c.Record, &step) == nil && c.Noun == "incident_step" {
					told = append(told, step.Text.EN+"|"+step.Text.ZH)
				}
			}
		}
	}
	if len(told) != 1 || !strings.Contains(told[0], "1 more terminal: 00001999; likely common cause: mac_key_half_loaded") ||
		!strings.Contains(told[0], "新增 1 台终端: 00001999; 可能的共同成因: mac_key_half_loaded") {
		t.Errorf("told %q", told)
	}
}

func TestCausesThatDifferAreNoCommonCause(t *testing.T) {
	for name, c := range map[string]struct {
		list []Likely
		want string
	}{
		"none":               {nil, ""},
		"half of them":       {[]Likely{{"a", 2, 2, 4}}, "a"},
		"less than the half": {[]Likely{{"a", 1, 1, 4}}, ""},
	} {
		got := ""
		if l := CommonCause(c.list); l != nil {
			got = l.Cause
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// One reason that spreads over a shop, an address range, or terminals that present one key.
func TestASpreadOverAShopAnAddressRangeOrAKey(t *testing.T) {
	far := pos.IPv4(172, 16, 9, 4)
	for name, c := range map[string]struct {
		bad   func(n int) said
		bads  []int
		facts map[string]string
		want  string
	}{
		"an address range": {func(n int) said { return said{n: n, why: reason.SerialProofFailed, from: far} }, []int{3, 2014, 4027, 6045}, nil, "172.16.9.0/24"},
		"a shop":           {func(n int) said { return said{n: n, why: reason.MACFailed} }, []int{7, 2057, 4107, 6157}, nil, "shop7"},
		"one key":          {func(n int) said { return said{n: n, why: reason.MACFailed} }, []int{3, 2014, 4027, 6045}, map[string]string{"terminal": "00000077"}, "key of terminal 00000077"},
	} {
		var all []said
		for i := range 60 { // others that answer well, of all models, shops and networks
			n := i%8*1000 + i*13%700
			if n%50 == 7 {
				n++
			}
			all = append(all, said{at: time.Duration(i) * time.Second, n: n})
		}
		for _, n := range c.bads {
			s := c.bad(n)
			s.at = time.Minute
			all = append(all, s)
			if c.facts != nil {
				all = append(all, behind(t, time.Minute+time.Second, uint64(len(all)), n, reason.MACOtherTerminalKey, journal.Indicated, c.facts))
			}
		}
		f := newFollower(t)
		f.follow(entriesOf(t, all))
		f.look(morning.Add(2 * time.Minute))
		list := incidentsOf(f)
		if len(list) != 1 || !strings.Contains(list[0].Key, c.want) {
			keys := []string{}
			for _, i := range list {
				keys = append(keys, i.Key)
			}
			t.Errorf("%s: incidents %q, want one of %s", name, keys, c.want)
		}
	}
}

func incidentsOf(f *follower) (list []*Incident) { return f.state.Incidents() }
