package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"touchstone/diagnosis/clone"
	"touchstone/explain"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
)

// updateClone writes testdata/clone anew: go test ./cmd/touchstone -run CloneShow -update-clone.
var updateClone = flag.Bool("update-clone", false, "write testdata/clone anew")

// theClone is a journal's worth of one terminal and its clone, made by hand: the honest one sells from 127.0.0.1 under key set
// 3, a device with its keys alone signs in from 127.0.0.66, and the two take turns.
func theClone(t *testing.T, cleared bool) *cloneTimeline {
	t.Helper()
	b := &timelineBuilder{t: &cloneTimeline{Terminal: "00000023"}, weights: clone.Builtin()}
	d := clone.New(clone.Options{Serial: proof.SerialPresented, Step: b.step})
	id := must(pos.ParseTerminalID("00000023"))
	at := pos.Instant(time.Date(2026, 11, 28, 2, 41, 0, 0, time.UTC).UnixNano())
	shop, other := pos.IPv4(127, 0, 0, 1), pos.IPv4(127, 0, 0, 66)
	seq := uint64(800)
	var told []clone.Suspicion
	say := func(mti pos.MTI, trace pos.STAN, from pos.Address, set uint32, why reason.Reason) {
		seq++
		at = at.Add(7 * time.Second)
		x := journal.Exchange{At: at, Terminal: id, MTI: mti, STAN: trace, Source: from, KeySet: set, Reason: why, DE39: why.DE39(), Amount: pos.Amount(1000 + seq)}
		if set != 0 {
			x.Flags |= journal.FlagMACVerified
		}
		if mti == 0x0800 {
			x.Effect = journal.KeysIssued
		}
		if s, ok := d.Message(seq, &x); ok {
			told = append(told, s)
		}
	}
	for n := range pos.STAN(10) {
		say(0x0200, 491+n, shop, 3, reason.None)
	}
	say(0x0800, 1, other, 0, reason.None)
	say(0x0200, 2, other, 4, reason.None)
	say(0x0200, 501, shop, 0, reason.MACFailed)
	c := journal.CauseOf(seq, id, reason.MACFailed, reason.MACStaleKey, journal.Indicated)
	c.Variant, c.Facts = "used_newer", map[string]string{"key_set": "3"}
	seq++
	if s, ok := d.Fold(coldEntryOf(t, seq, at, c)); ok {
		told = append(told, s)
	}
	say(0x0800, 502, shop, 0, reason.None)
	say(0x0200, 503, shop, 5, reason.None)
	say(0x0200, 3, other, 0, reason.MACFailed)
	if len(told) != 1 {
		t.Fatalf("told %d times", len(told))
	}
	event := cloneEvent(&told[0])
	b.t.Case = &cloneCase{Seq: seq + 1, At: at.Time(), Event: *event}
	if cleared {
		b.t.Case.Cleared = &cloneClearing{Seq: seq + 9, At: at.Add(time.Hour).Time(), By: "qian, sun", Note: "one device; the other was taken away"}
	}
	b.first, b.until = told[0].First, seq+1
	done, err := b.finish(60)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func coldEntryOf(t *testing.T, seq uint64, at pos.Instant, c *journal.Cause) journal.Entry {
	t.Helper()
	c.Tried, c.Fit, c.OneIn = 3, 1, 1<<31
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return journal.Entry{Seq: seq, At: at, Kind: journal.KindCause, Body: body}
}

// TestCloneShow: the drawing in both languages, and what of it can be counted.
func TestCloneShow(t *testing.T) {
	for _, lang := range []string{"en", "zh"} {
		for _, cleared := range []bool{false, true} {
			var out bytes.Buffer
			l, err := newLines(&out, lang, false)
			if err != nil {
				t.Fatal(err)
			}
			l.zone = time.FixedZone("CST", 8*3600)
			if err := l.timeline(theClone(t, cleared)); err != nil {
				t.Fatal(err)
			}
			name := filepath.Join("testdata", "clone", fmt.Sprintf("show-%s-cleared-%t.txt", lang, cleared))
			if *updateClone {
				if err := os.WriteFile(name, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name)
			if err != nil || out.String() != string(want) {
				t.Errorf("%s differs (%v):\n%s", name, err, out.String())
			}
			const second = 1 + 7 + 1 + 8 + 2 + laneColumns // the column at which lane B begins
			for _, line := range strings.Split(out.String(), "\n") {
				if explain.Columns(line) > 132+second {
					t.Errorf("a line of %d columns: %s", explain.Columns(line), line)
				}
				if cut := strings.SplitN(line, "│", 2); len(cut) == 2 && strings.Contains(cut[0], "●") && explain.Columns(cut[0]) != second {
					t.Errorf("lane B begins at column %d, not %d: %s", explain.Columns(cut[0]), second, line)
				}
			}
		}
	}
}
