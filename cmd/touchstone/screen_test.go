package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"touchstone/effectiveness"
	"touchstone/journal"
	"touchstone/reason"
	"touchstone/terminal"
)

// updateScreens writes the golden screens anew: go test ./cmd/touchstone -run Screen -update-screens.
var updateScreens = flag.Bool("update-screens", false, "write the golden screens anew")

// sampleReport is a week-end of an acquirer in figures.
func sampleReport() *effectiveness.Report {
	hour := effectiveness.HourOf(1_795_737_600_000_000_000) // 2026-11-27 00:00 UTC
	short := map[string]uint64{"MAC grade weak": 60}
	return &effectiveness.Report{From: hour, To: hour + 1, Last: 123456, Approvals: 10_000, Full: 9920, Canary: 240,
		Shortfalls: []effectiveness.Shortfall{
			{Proof: "MAC grade", Standing: "weak", Approvals: 60, Models: []string{"Model X"}, Algorithms: []string{"UnionPay ECB DES"}, Shops: 2},
			{Proof: "serial", Standing: "not required", Approvals: 20, Models: []string{"Model X", "Model Y"}, Shops: 3},
			{Proof: "MAC", Standing: "missing", Approvals: 1, Models: []string{""}, Shops: 1},
		},
		Proofs: []effectiveness.Count{{Proof: "MAC", Standings: map[string]uint64{"proven": 9999, "missing": 1}},
			{Proof: "MAC grade", Standings: map[string]uint64{"proven": 9940, "weak": 60}},
			{Proof: "serial", Standings: map[string]uint64{"proven": 9000, "not required": 20, "absent": 980}}},
		Models:    []effectiveness.Row{{Key: "Model X", Approvals: 60, Shortfalls: short}, {Key: "", Approvals: 9940, Full: 9920, Shortfalls: map[string]uint64{"serial not required": 20}}},
		Merchants: []effectiveness.Row{{Key: "898310058120001", Name: "Sample Noodles 示例面馆", Approvals: 10_000, Full: 9920, Shortfalls: short}},
		Terminals: []effectiveness.Row{{Key: "00000011", Approvals: 10_000, Full: 9920}},
		Hours:     []effectiveness.Row{{Key: "1795737600", Approvals: 5000, Full: 4999}, {Key: "1795741200", Approvals: 5000, Full: 4921, Shortfalls: short}},
		Cut:       true}
}

// probeNamed is the first row of a probe.
func probeNamed(t *testing.T, p terminal.Probe) canaryProbe {
	t.Helper()
	at := slices.IndexFunc(canaryProbes, func(row canaryProbe) bool { return row.probe == p })
	if at < 0 {
		t.Fatalf("no probe %s", p)
	}
	return canaryProbes[at]
}

// TestScreens compares what a person reads with testdata/screen, in both languages.
func TestScreens(t *testing.T) {
	at := time.Date(2026, 11, 27, 23, 5, 0, 0, time.UTC)
	bad := finding{probe: probeNamed(t, terminal.ProbeWrongMAC), algorithm: 3, terminal: "95000001", got: gotApproved, de39: "00", seq: 4711, latency: 12 * time.Millisecond, proven: true}
	round := shownRound{TookMS: 300, Findings: []shownFinding{{*bad.change(), ""},
		{*(&finding{probe: probeNamed(t, terminal.ProbeGarbage), got: reason.FrameMalformed.String(), ok: true, latency: 5 * time.Millisecond}).change(), ""},
		{*(&finding{probe: probeNamed(t, terminal.ProbeSignIn)}).change(), notRunNoTerminal}}}
	changed := (&effectiveness.Change{Seq: 99, Trait: effectiveness.TraitMAC, Was: "X9.19", Is: "UnionPay ECB DES", Weaker: true, Model: "Model X"}).Event()
	changed.Terminal, changed.Merchant = "00000011", "898310058120001"
	f := bad.change()
	alarm := &journal.Event{Name: eventIneffective, Severity: journal.Alarm, Terminal: f.Terminal, Cause: f.Seq,
		Parameters: map[string]string{"proof": f.Proof, "algorithm": f.Algorithm, "probe": f.Probe, "expected": f.Expected, "got": f.Got, "de39": f.DE39, "latency_ms": "12"}}
	for _, c := range []struct {
		name string
		draw func(*lines) error
	}{
		{"effectiveness", func(l *lines) error { return l.effectiveness(sampleReport(), effectivenessTables) }},
		{"canary", func(l *lines) error { return l.round(&round) }},
		{"alarm", func(l *lines) error {
			l.colour = true
			return l.event(at, alarm)
		}},
		{"changed", func(l *lines) error { return l.event(at, changed) }},
	} {
		for _, lang := range []string{"en", "zh"} {
			t.Run(c.name+" "+lang, func(t *testing.T) {
				var b bytes.Buffer
				l, err := newLines(&b, lang, false)
				if err != nil {
					t.Fatal(err)
				}
				l.zone = time.FixedZone("CST", 8*3600)
				if err := c.draw(l); err != nil {
					t.Fatal(err)
				}
				name := filepath.Join("testdata", "screen", c.name+"."+lang+".txt")
				if *updateScreens {
					if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(b.Bytes(), want) {
					t.Errorf("the screen is\n%swant\n%s", b.Bytes(), want)
				}
			})
		}
	}
}

// TestPercent: nothing is rounded up to the whole or down to nothing.
func TestPercent(t *testing.T) {
	for _, c := range []struct {
		part, whole uint64
		want        string
	}{{0, 0, "– %"}, {0, 10, "0.0 %"}, {10, 10, "100.0 %"}, {9999, 10_000, "99.9 %"}, {1, 10_000, "< 0.1 %"}, {992, 1000, "99.2 %"}, {1, 3, "33.3 %"}, {2, 3, "66.7 %"}} {
		if got := percent(c.part, c.whole); got != c.want {
			t.Errorf("%d of %d is %q, want %q", c.part, c.whole, got, c.want)
		}
	}
}
