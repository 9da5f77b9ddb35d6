package main

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/journal"
	"touchstone/terminal"
)

// TestOpeningIsInTime: everything that the demonstration promises for its first 90 seconds is on its schedule before that,
// with some seconds left for what is found to be shown, and no terminal has two things to do at once.
func TestOpeningIsInTime(t *testing.T) {
	badShops := map[string]bool{}
	staff := staffTerminals()
	faulty := staff[len(staff)-faultyTerminals:]
	last := map[int]time.Duration{}
	when := map[terminal.Fault]time.Duration{}
	for i, s := range opening {
		if i > 0 && s.at <= opening[i-1].at {
			t.Errorf("scene %d is not after the one before it", i)
		}
		if before, ok := last[s.place]; ok && s.at-before < 2*time.Second {
			t.Errorf("the terminal of place %d has two scenes within %s", s.place, s.at-before)
		}
		if s.place < 0 || s.place >= faultyTerminals {
			t.Fatalf("scene %d has no terminal", i)
		}
		last[s.place], when[s.fault] = s.at, s.at
		if s.fault == badRelease {
			if faulty[s.place].model != badModel {
				t.Errorf("the terminal of place %d is no %s", s.place, badModel)
			}
			badShops[faulty[s.place].merchant.String()] = true
		}
		if s.fault != twoDevices {
			if _, err := terminal.ParseFault(string(s.fault)); err != nil {
				t.Errorf("%s: %v", s.fault, err)
			}
		}
	}
	for _, f := range []terminal.Fault{"sign-in-answer-lost", "serial-other-device", terminal.AlteredAmount, "random-key", twoDevices, badRelease} {
		if at, ok := when[f]; !ok || at > 75*time.Second {
			t.Errorf("%s comes at %s", f, at)
		}
	}
	if len(badShops) < 3 {
		t.Errorf("the bad model fails in %d shops only: no incident opens", len(badShops))
	}
}

// TestOpeningOfTheDemonstration plays the opening without its pauses against a host in this process: below each refusal
// stands how well its cause is known, and two incidents open, one for the copied terminal and one for the bad model.
func TestOpeningOfTheDemonstration(t *testing.T) {
	if testing.Short() {
		t.Skip("in full without the race detector: some seconds of terminals and a host")
	}
	r := newCanaryRig(t, rigOptions{change: func(o *engineOptions) { o.diagnosis, o.withoutView = roomy, false }})
	crowd := &crowdOf{host: r.addr, tls: r.tls, state: filepath.Join(r.dir, "terminals"), log: r.e.log, copyPause: 20 * time.Millisecond}
	staff := staffTerminals()
	for _, s := range staff[:24] { // others answer well: a model stands out against them
		crowd.with(s, func(reader *terminal.Terminal) {
			if res, err := reader.SignIn(t.Context()); err != nil || !res.Approved {
				t.Fatalf("%s: %+v, %v", s.id, res, err)
			}
			if err := crowd.serveShopper(t.Context(), reader); err != nil {
				t.Fatal(err)
			}
		})
	}
	places := make([]*terminal.Terminal, faultyTerminals)
	for i, s := range staff[len(staff)-faultyTerminals:] {
		opened, err := terminal.Open(crowd.config(s))
		if err != nil {
			t.Fatal(err)
		}
		defer opened.Close()
		places[i] = opened
	}
	for _, s := range opening {
		crowd.act(t.Context(), places[s.place], s.fault, s.place)
	}
	var out bytes.Buffer
	l, err := newLines(&out, "en", false)
	if err != nil {
		t.Fatal(err)
	}
	wanted := []string{
		"PROVEN 00000045: key of an earlier sign-in", "INDICATED 00000044: another device shows this serial", "PROVEN 00000044: another device shows this serial",
		"INDICATED 00000047: message changed after its MAC", "UNPROVEN 00000045: nothing tried explains it; nobody is told a guess",
		"PROVEN 00000050: one identity, two devices", "PROVEN 00000046: MAC over other bytes", "PROVEN 00000048: MAC over other bytes",
		"INCIDENT OPENED  model Sample S25", "one identity, two devices: 00000050", "PROVEN by the check: ",
	}
	next, end := uint64(1), time.Now().Add(patience)
	for len(wanted) > 0 && time.Now().Before(end) {
		if err := eachEntry(t.Context(), r.e.store.Reader, &next, func(e journal.Entry) error { return l.entry(e) }); err != nil {
			t.Fatal(err)
		}
		wanted = slices.DeleteFunc(wanted, func(w string) bool { return strings.Contains(out.String(), w) })
		pause(t.Context(), 50*time.Millisecond)
	}
	if len(wanted) > 0 {
		t.Errorf("not said: %q in\n%s", wanted, out.String())
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("a file gets escape codes")
	}
	for line := range strings.Lines(out.String()) {
		if word, below := strings.CutPrefix(line, belowIndent); below && !strings.HasPrefix(word, "cashier") {
			if first := strings.Fields(word)[0]; !slices.Contains([]string{"PROVEN", "INDICATED", "UNPROVEN", "NOT"}, first) {
				t.Errorf("a line begins with %q", first)
			}
		}
	}
}
