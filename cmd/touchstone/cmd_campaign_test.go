package main

import (
	"strings"
	"testing"
	"time"

	"touchstone/fleet"
	"touchstone/pos"
)

// TestBurnDownChart is a campaign of 200 terminals over hours in which nothing was noted, and a long one.
func TestBurnDownChart(t *testing.T) {
	l, err := newLines(nil, "en", false)
	if err != nil {
		t.Fatal(err)
	}
	const hour = pos.Instant(time.Hour)
	start := pos.Instant(1_800_000_000_000_000_000)
	c := &fleet.Campaign{State: fleet.CampaignOpen, Started: start, Deadline: start + 4*hour, Start: fleet.Tally{Terminals: 200}}
	points := []fleet.BurnDown{{Hour: 0, Left: fleet.Tally{Terminals: 150}}, {Hour: 2, Left: fleet.Tally{Terminals: 100}}}
	got := strings.Join(burnDownChart(l, c, points, fleet.Tally{Terminals: 1}, start+5*hour+1), "\n")
	bar := func(n int) string { return strings.Repeat("#", n) }
	want := strings.Join([]string{"", "  hour  left", " begun    200 " + bar(50), "     0    150 " + bar(38), "     1    150 " + bar(38), "     2    100 " + bar(25),
		"     3    100 " + bar(25) + "  deadline", "     4    100 " + bar(25), "     5      1 #  now"}, "\n")
	if got != want {
		t.Errorf("the chart is\n%s\nwant\n%s", got, want)
	}
	if n := len(burnDownChart(l, c, points, fleet.Tally{}, start+700*hour)); n > chartHours+10 {
		t.Errorf("a month is %d lines", n)
	}
}
