package fleet_test

import (
	"testing"
	"time"

	"touchstone/fleet"
	"touchstone/pos"
	"touchstone/registry"
)

// TestCampaign is a model with two hardware versions, of which the older runs nothing that is fixed.
func TestCampaign(t *testing.T) {
	s := fleet.NewState()
	publish(t, s, release("S20", "*", "1.0.0"))
	publish(t, s, release("S20", ">=2.0", "1.0.3"))
	old, young, strange, other := device(1, "S20", "1.0", "1.0.0"), device(2, "S20", "2.1", "1.0.0"), device(3, "S20", "", "1.0.0"), device(4, "S10", "2.0", "1.0.0")
	places := []fleet.Place{place(1, old), place(2, young), place(3, strange), place(4, other)}
	id := add(t, s, advisory("S20", "*", "<1.0.3"))

	var answers []fleet.Answer
	s.Radius(s.Advisory(id), places, func(r fleet.Reached) { answers = append(answers, r.Answer) })
	want := []fleet.Answer{{Kind: fleet.Replace}, {Kind: fleet.Upgrade, Version: "1.0.3"}, {Kind: fleet.InspectFirst}}
	if len(answers) != 3 || answers[0] != want[0] || answers[1] != want[1] || answers[2] != want[2] {
		t.Fatalf("answers %v, want %v", answers, want)
	}
	fact := func(d *registry.Device, now pos.Instant) registry.Fact {
		return s.AdvisoryFacts(nil, d, s.VersionOf(d), now)[0]
	}
	if f := fact(young, begin); f.State != fleet.AdvisoryTouches || f.Detail != id || f.Permit != nil || f.Restore != "1.0.3" {
		t.Errorf("before the campaign %+v", f)
	}
	plan := &fleet.Campaign{Advisory: id, Restriction: "no_refund,online_only", After: "sign_in_only", Deadline: begin + 48*hour}
	drafts, campaign, err := fleet.Start(s, plan, places, pair, begin)
	keep(t, s, drafts, err)
	if again, same, err := fleet.Start(s, plan, places, pair, begin); again != nil || same != campaign || err != nil {
		t.Errorf("the same campaign again, after a crash: %v %s %v", again, same, err)
	}
	if c := s.Campaign(campaign); c.Start != (fleet.Tally{Terminals: 3, Upgrade: 1, Replace: 1, Inspect: 1}) {
		t.Errorf("it begins with %+v", c.Start)
	}
	f := fact(young, begin+47*hour)
	if f.State != fleet.AdvisoryCampaign || f.Permit == nil || *f.Permit != (registry.Permit{Sell: true, OnlineOnly: true}) || f.Until != begin+48*hour {
		t.Errorf("within the deadline %+v", f)
	}
	if f = fact(young, begin+48*hour); f.State != fleet.AdvisoryLate || *f.Permit != registry.SignInOnly || f.Until != 0 || f.Since != begin+48*hour {
		t.Errorf("after the deadline %+v", f)
	}
	if f = fact(other, begin+48*hour); f.State != registry.Good {
		t.Errorf("another model %+v", f)
	}
	upgrade(t, s, young, "1.0.3")
	if f = fact(young, begin+49*hour); f.State != registry.Good || f.Permit != nil {
		t.Errorf("upgraded after the deadline %+v, want good at once", f)
	}
	keep(t, s, fleet.Progress(s, s.Campaign(campaign), places, begin+3*hour), nil)
	if again := fleet.Progress(s, s.Campaign(campaign), places, begin+4*hour); again != nil {
		t.Error("nothing changed, and it was noted again")
	}
	// The old device is replaced, and the strange one turns out to be young and is upgraded.
	places = []fleet.Place{place(1, device(9, "S30", "1.0", "1.0.0")), places[1], places[2], places[3]}
	strange.Hardware = "2.0"
	upgrade(t, s, strange, "1.0.3")
	keep(t, s, fleet.Progress(s, s.Campaign(campaign), places, begin+5*hour), nil)
	if c := s.Campaign(campaign); c.State != fleet.CampaignClosed || c.ClosedBy[0] != "rule:campaign" || s.Campaigning() {
		t.Errorf("no terminal is left, and it is %s", c.State)
	}
	down := s.BurnDownOf(campaign)
	if len(down) != 3 || down[0].Left.Terminals != 3 || down[1].Hour != 3 || down[1].Left.Terminals != 2 || down[2].Hour != 5 || down[2].Left.Terminals != 0 {
		t.Errorf("burn-down %+v", down)
	}
	if f = fact(old, begin+50*hour); f.State != fleet.AdvisoryTouches {
		t.Errorf("the old device, put up again: %+v, want touched by the advisory that is still open", f)
	}
}

func upgrade(t *testing.T, s *fleet.State, d *registry.Device, version string) {
	t.Helper()
	keep(t, s, fleet.Learn(s, []fleet.Presentation{{Device: d, Version: version, At: begin}}), nil)
}

func TestCampaignRefused(t *testing.T) {
	s := fleet.NewState()
	places := []fleet.Place{place(1, device(1, "S20", "1.0", "1.0.0"))}
	id, empty := add(t, s, advisory("S20", "*", "<1.0.3")), add(t, s, advisory("S99", "*", "*"))
	for name, c := range map[string]struct {
		change func(c *fleet.Campaign)
		is     error
		words  string
	}{
		"no such advisory":         {func(c *fleet.Campaign) { c.Advisory = "ADV-9" }, fleet.ErrNoAdvisory, "ADV-9"},
		"touches nothing":          {func(c *fleet.Campaign) { c.Advisory = empty }, fleet.ErrCampaign, "touches no terminal"},
		"deadline now":             {func(c *fleet.Campaign) { c.Deadline = begin }, fleet.ErrCampaign, "deadline"},
		"deadline in a year":       {func(c *fleet.Campaign) { c.Deadline = begin + 9000*hour }, fleet.ErrCampaign, "deadline"},
		"no such permit":           {func(c *fleet.Campaign) { c.Restriction = "no_sale" }, fleet.ErrCampaign, "no_sale"},
		"laggards may do more":     {func(c *fleet.Campaign) { c.After = "no_refund" }, fleet.ErrCampaign, "may do more"},
		"laggards are not touched": {func(c *fleet.Campaign) { c.Restriction, c.After = "full", "full" }, fleet.ErrCampaign, "may do more"},
	} {
		plan := &fleet.Campaign{Advisory: id, Restriction: "no_refund,online_only", After: "blocked", Deadline: begin + hour}
		c.change(plan)
		drafts, _, err := fleet.Start(s, plan, places, pair, begin)
		refused(t, name, drafts, err, c.is, c.words)
	}
	drafts, campaign, err := fleet.Start(s, &fleet.Campaign{Advisory: id, Restriction: "full", After: "blocked", Deadline: begin + hour}, places, pair, begin)
	keep(t, s, drafts, err)
	drafts, _, err = fleet.Start(s, &fleet.Campaign{Advisory: id, Restriction: "no_refund", After: "blocked", Deadline: begin + hour}, places, pair, begin)
	refused(t, "a second campaign", drafts, err, fleet.ErrCampaign, campaign+" answers "+id)
	drafts, err = fleet.CloseAdvisory(s, id, "mistake", pair[:1], begin)
	refused(t, "close an advisory under a campaign", drafts, err, fleet.ErrAdvisory, "close it first")
	drafts, err = fleet.CloseCampaign(s, campaign, "", pair[:1], begin)
	refused(t, "close without a reason", drafts, err, fleet.ErrCampaign, "say why")
	drafts, err = fleet.CloseCampaign(s, campaign, "enough", pair[:1], begin)
	keep(t, s, drafts, err)
	drafts, err = fleet.CloseCampaign(s, campaign, "enough", pair[:1], begin)
	refused(t, "close twice", drafts, err, fleet.ErrCampaign, "closed already")
	drafts, err = fleet.CloseAdvisory(s, id, "mistake", pair[:1], begin)
	keep(t, s, drafts, err)
	if f := s.AdvisoryFacts(nil, places[0].Device, "1.0.0", begin)[0]; f.State != registry.Good {
		t.Errorf("a closed advisory touches: %+v", f)
	}
}

// TestMillion is the blast radius, the answers and the facts of a million terminals. It says how long they took, and bounds
// no time, which is the machine's: work that grew with the square would not end before the test's own deadline does.
func TestMillion(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT RUN: a million terminals, with -short")
	}
	s := fleet.NewState()
	publish(t, s, release("S20", "*", "1.0.0"))
	publish(t, s, release("S20", ">=2.0", "1.0.3"))
	const n = 1_000_000
	places := make([]fleet.Place, n)
	for i := range places {
		places[i] = place(i%100_000_000, device(i, []string{"S10", "S20"}[i%2], []string{"1.0", "2.0"}[i/2%2], "1.0.0"))
	}
	id := add(t, s, advisory("S20", "*", "<1.0.3"))
	start := time.Now()
	tally := s.Count(s.Advisory(id), places)
	radius := time.Since(start)
	if tally.Terminals != n/2 || tally.Upgrade != n/4 || tally.Replace != n/4 {
		t.Errorf("tally %+v", tally)
	}
	start = time.Now()
	touched := 0
	for _, p := range places {
		if s.AdvisoryFacts(nil, p.Device, s.VersionOf(p.Device), begin)[0].State != registry.Good {
			touched++
		}
		if s.ApplicationFact(p.Device, s.VersionOf(p.Device), begin).State == registry.Good {
			touched++
		}
	}
	facts := time.Since(start)
	if touched != n {
		t.Errorf("%d facts, want %d touched and %d known", touched, n/2, n/2)
	}
	t.Logf("of %d terminals: radius and answers in %s, both facts of each in %s", n, radius, facts)
}
