package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"touchstone/journal"
	"touchstone/reason"
	"touchstone/terminal"
)

// tappedCases are every fault of the reference terminal that goes over plain TCP, each in the first form that fits.
func tappedCases() (cases []*panelCase) {
	seen := map[terminal.Fault]bool{}
	for _, c := range panelCases() {
		over := slices.Contains(c.row.Needs, terminal.NeedBareTLS) || slices.Contains(c.row.Needs, terminal.NeedOtherCert)
		cloned := slices.Contains(c.row.Needs, terminal.NeedCloned) // takes a host that refuses clones, which a mirror does not follow
		if seen[c.row.Fault] || over || cloned {
			continue
		}
		seen[c.row.Fault] = true
		cases = append(cases, &panelCase{row: c.row, shop: newPanelShop(len(cases), c.shop.form, c.row.Needs)})
	}
	return cases
}

// analyzeFile analyses a capture with the keys of a data directory.
func analyzeFile(t *testing.T, file, data string) *captureReport {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var o analyzeOptions
	if data != "" {
		if o.world, err = openMirror(t.Context(), mirrorOptions{dir: data, lock: testLock(data), policy: analyzePolicy()}); err != nil {
			t.Fatal(err)
		}
		defer o.world.close()
	}
	report, err := analyzeCapture(t.Context(), bytes.NewReader(raw), o)
	if err != nil {
		t.Fatal(err)
	}
	if o.world != nil && o.world.line != nil && o.world.line.Zone.String() != hostZone().String() { // a refund names a day of the host's
		t.Errorf("captured traffic is judged in %s, the host's receipts are in %s", o.world.line.Zone, hostZone())
	}
	return report
}

// TestCaptureOfEveryFault: one capture of every fault of the reference terminal, analysed with the keys of its data
// directory, gives the reason and the cause that the fault has, and the reason that the host wrote down.
func TestCaptureOfEveryFault(t *testing.T) {
	if testing.Short() {
		t.Skip("in full without the race detector")
	}
	skipInShort(t)
	cases := tappedCases()
	var shops []*panelShop
	for _, c := range cases {
		shops = append(shops, c.shop)
	}
	data, place := newPanelHost(t, shops)
	file := filepath.Join(t.TempDir(), "faults.pcap")
	wire := startTap(t, place.tcp, file)
	place.tcp = wire.ln.Addr().String()
	each(cases, func(c *panelCase) { c.err = c.open(place) })
	for stage := range 2 {
		each(cases, func(c *panelCase) {
			if c.err == nil && stage < stages(c.row) {
				c.err = c.send(t.Context())
			}
		})
	}
	each(cases, func(c *panelCase) { c.err = errors.Join(c.err, c.close()) })
	if err := wire.close(); err != nil {
		t.Fatal(err)
	}
	report := analyzeFile(t, file, data)
	if report.Keys != "past" || report.Seen.Gaps+report.Seen.Unread != 0 {
		t.Errorf("%+v", report.Seen)
	}
	written := openPanelJournal(t, data)
	if err := written.read(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(string(c.row.Fault), func(t *testing.T) {
			if c.err != nil {
				t.Fatal(c.err)
			}
			for i := range c.sent {
				c.judgeFinding(t, i, report, written)
			}
		})
	}
	t.Logf("%d faults, %d messages, %d findings", len(cases), report.Seen.Messages, len(report.Findings))
}

// findingFor is the last finding about a message that was wrong; of several whose trace was altered, the one in turn.
func findingFor(r *captureReport, w *panelWrong, turn int) (captureFinding, bool) {
	var found []captureFinding
	for _, f := range r.Findings {
		if !strings.HasPrefix(f.Client, w.from+":") && !strings.HasPrefix(f.Client, w.other+":") {
			continue
		}
		trace := w.result.Trace.String()
		near := f.Trace == trace || w.altersTrace && len(f.Trace) == 6 && f.Trace[:5] == trace[:5] && f.Reason == reason.MACFailed.String()
		if f.Reason == reason.FrameMalformed.String() || w.unread && f.Reason == reason.MessageMalformed.String() || f.MTI == w.result.Request.String() && near {
			found = append(found, f)
		}
	}
	switch {
	case len(found) == 0:
		return captureFinding{}, false
	case w.altersTrace:
		return found[min(turn, len(found)-1)], true
	}
	return found[len(found)-1], true
}

func (c *panelCase) judgeFinding(t *testing.T, i int, r *captureReport, written *panelJournal) {
	w := &c.sent[i]
	f, ok := findingFor(r, w, i)
	if !ok {
		if c.row.DE39 != "00" {
			t.Errorf("message %d: no finding", i+1)
		}
		return
	}
	if f.Reason != c.row.Reason {
		raw, _ := json.Marshal(f)
		t.Errorf("message %d: reason %q (%s %s, here %s), want %q: %s", i+1, f.Reason, f.Judged, f.Blind, f.verdict.reason, c.row.Reason, raw)
	}
	if e := written.find(w); e != nil && f.Reason != e.x.Reason.String() {
		t.Errorf("message %d: the host wrote down %s", i+1, e.x.Reason)
	}
	if c.row.Cause == "" {
		return
	}
	want := c.row.First
	if i > 0 {
		want = c.row.Second
	}
	if e := written.find(w); e != nil {
		if host := written.causes[e.seq]; host != nil && host.Cause == f.Cause && host.Certainty == f.Certainty {
			return // the host on which it happened found the same; whether that is right its own panel judges
		}
	}
	if f.Cause != c.row.Cause || f.Variant != c.row.Variant && c.row.Variant != "" || wasFound(f.Certainty) != wasFound(journal.Certainty(want)) {
		t.Errorf("message %d: %s %s %q (%v), want %s %s %q", i+1, f.Certainty, f.Cause, f.Variant, f.Facts, want, c.row.Cause, c.row.Variant)
	}
	if wasFound(f.Certainty) && f.Fit == 0 {
		t.Errorf("message %d: %s, and nothing fits", i+1, f.Certainty)
	}
}

// wasFound tells whether a certainty is of a cause that was found.
func wasFound(c journal.Certainty) bool { return c == journal.Proven || c == journal.Indicated }
