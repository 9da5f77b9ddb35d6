package console

import (
	"math"
	"strings"
	"testing"
	"time"

	"touchstone/web/api"
)

func TestTheOutlinesAreWholeAndSmall(t *testing.T) {
	if len(outlineFile) > 60<<10 {
		t.Errorf("the outlines have %d bytes, 61440 is the most", len(outlineFile))
	}
	o := outlines()
	if len(o.China) != 34 || len(o.Land.Rings) < 50 {
		t.Fatalf("%d provinces, %d pieces of land", len(o.China), len(o.Land.Rings))
	}
	for i := range o.China {
		a := &o.China[i]
		if a.EN == "" || a.ZH == "" || len(a.At) != 2 {
			t.Errorf("province %d: %q %q at %v", i, a.EN, a.ZH, a.At)
		}
		if a.EN == "Shanghai" && !(a.box.West > 120 && a.box.East < 123 && a.box.South > 30 && a.box.North < 32.5) {
			t.Errorf("Shanghai is at %+v", a.box)
		}
	}
}

func TestAPictureKeepsItsShapeAndWhatItWasAskedFor(t *testing.T) {
	for name, b := range map[string]api.MapBox{"a shop": {West: 121.4, South: 31.2, East: 121.40001, North: 31.20001}, "China": chinaBox, "the world": {West: -180, South: -90, East: 180, North: 90}, "a tall strip": {West: 10, South: -60, East: 10.5, North: 60},
		"the far north": {West: 20, South: 84, East: 60, North: 89.5}} {
		p := fitted(b)
		if p.box.West < -180 || p.box.East > 180 || p.box.South < -90 || p.box.North > 90 || p.box.East <= p.box.West || p.box.North <= p.box.South {
			t.Errorf("%s: %+v", name, p.box)
		}
		if name != "the world" && name != "the far north" && (p.box.West > b.West+1e-9 || p.box.East < b.East-1e-9 || p.box.South > b.South+1e-9 || p.box.North < b.North-1e-9) {
			t.Errorf("%s: %+v does not have %+v", name, p.box, b)
		}
		if x, y := p.x(p.box.West), p.y(p.box.North); math.Abs(x) > 1e-6 || math.Abs(y) > 1e-6 {
			t.Errorf("%s: the corner is at %g, %g", name, x, y)
		}
	}
	p := fitted(api.MapBox{West: 121, South: 31, East: 122, North: 31.5})
	across, down := p.units(1000), p.x(121+1000/(mapMetres*math.Cos(31.25*math.Pi/180)))-p.x(121)
	if math.Abs(across-down) > across*.01 {
		t.Errorf("a kilometre has %g units down and %g across", across, down)
	}
}

func TestAClusterIsMarkedByItsWorstAndLeadsNearer(t *testing.T) {
	for _, c := range []struct {
		states api.MapStates
		state  string
		sub    string
	}{{api.MapStates{Full: 12_345}, "full", ""}, {api.MapStates{Full: 3, Restricted: 2}, "restricted", "2 !"}, {api.MapStates{Full: 3, Restricted: 2, Stopped: 1}, "stopped", "3 ✗"}, {api.MapStates{Stopped: 4}, "stopped", ""}} {
		m := api.Map{Box: chinaBox, Clusters: []api.MapCluster{{Box: api.MapBox{West: 121, South: 31, East: 122, North: 32}, Latitude: 31.2, Longitude: 121.4, States: c.states}}}
		k := mapOf(m, "", "en").Marks[0]
		if k.State != c.state || k.Sub != c.sub || !strings.HasPrefix(k.Href, "/fleet/map?box=121.00000,31.00000,") {
			t.Errorf("%+v: %+v", c.states, k)
		}
	}
}

func TestABurnDownIsDrawnWithinItsFrame(t *testing.T) {
	start := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	point := func(hours, left int) api.BurnPoint {
		return api.BurnPoint{At: start.Add(time.Duration(hours) * time.Hour), Left: api.Tally{Terminals: left}}
	}
	for name, c := range map[string]api.Campaign{
		"one that just began":       {Started: start, Deadline: start.Add(48 * time.Hour), Start: api.Tally{Terminals: 9}, BurnDown: []api.BurnPoint{point(0, 9)}, Left: api.Tally{Terminals: 9}},
		"one past its deadline":     {Started: start, Deadline: start.Add(10 * time.Hour), Start: api.Tally{Terminals: 9}, BurnDown: []api.BurnPoint{point(0, 9), point(7, 4)}, Left: api.Tally{Terminals: 4}},
		"one to which some came":    {Started: start, Deadline: start.Add(48 * time.Hour), Start: api.Tally{Terminals: 2}, BurnDown: []api.BurnPoint{point(0, 2), point(2, 30)}, Left: api.Tally{Terminals: 30}},
		"one that ended":            {Started: start, Deadline: start.Add(48 * time.Hour), Start: api.Tally{Terminals: 2}, BurnDown: []api.BurnPoint{point(0, 2), point(5, 0)}, Closed: start.Add(5 * time.Hour)},
		"one without any time left": {Started: start, Deadline: start, Start: api.Tally{Terminals: 1}, Left: api.Tally{Terminals: 1}},
	} {
		b := chartOf(&api.CampaignDetail{Campaign: c}, start.Add(20*time.Hour), time.UTC)
		if b.Line == "" || b.Deadline < burnLeft || b.Deadline > burnWide-burnRight || len(b.Ticks) < 2 {
			t.Errorf("%s: %+v", name, b)
		}
		for _, tick := range b.Ticks {
			if tick.At < burnTop || tick.At > burnHigh {
				t.Errorf("%s: a mark at %d", name, tick.At)
			}
		}
	}
}

func TestAComparisonShowsWhatIsNearAChange(t *testing.T) {
	var all []api.PolicyLine
	for i := range 40 {
		l := api.PolicyLine{Change: "same", Text: "line"}
		if i == 20 {
			l.Change = "new"
		}
		all = append(all, l)
	}
	got := around(all)
	if len(got) != 9 || got[0].Skipped != 17 || got[4].Change != "new" || got[8].Skipped != 16 {
		t.Errorf("%+v", got)
	}
	if got := around(nil); len(got) != 0 {
		t.Errorf("of nothing: %+v", got)
	}
}

func TestBarsFillTheirWidthAndShowWhatIsThereAtAll(t *testing.T) {
	for name, l := range map[string]api.Levels{"none": {}, "one of a million": {None: 1, Strong: 999_999}, "all alike": {None: 5, Weak: 5, Accepted: 5, Strong: 5}, "three": {Weak: 1, Accepted: 1, Strong: 1}} {
		end := 0
		for _, p := range stackOf(l) {
			if p.Wide < 1 || p.X != end {
				t.Errorf("%s: %+v", name, p)
			}
			end = p.X + p.Wide
		}
		if end > 1000 || l.Total() > 0 && end < 990 {
			t.Errorf("%s: ends at %d", name, end)
		}
	}
}

func TestLargeNumbersAreReadInThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1\u202f000", 1234567: "1\u202f234\u202f567", -1234: "-1\u202f234", -123: "-123"} {
		if got := many(n); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
	for n, want := range map[int]string{7: "7", 999: "999", 1234: "1.2k", 56_789: "56k", 2_300_000: "2.3M"} {
		if got := briefly(n); got != want || len(got) > 4 {
			t.Errorf("%d: %q", n, got)
		}
	}
}
