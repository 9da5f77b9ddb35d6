package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"touchstone/sqlite"
)

// TestBytesOutliveAKill: the bytes of messages that the program refused and approved are there after kill -9, for the command
// beside nobody, and for page and command of the host that starts again; times of its checks too. Nothing of it is a whole card
// number.
func TestBytesOutliveAKill(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole host")
	}
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	var h runningHost
	t.Cleanup(h.kill)
	control, err := controlPath(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.start(dir, control, os.Environ(), []string{"demo", "--data", data, "--tcp", "127.0.0.1:0", "--tls", "127.0.0.1:0", "--https", "127.0.0.1:0", "--observe", ""}); err != nil {
		t.Fatal(err)
	}
	var refused, approved sqlite.MaskedMessage
	until(t, "a refusal and an approval are on the disk", func() bool {
		all, err := sqlite.AllMasked(t.Context(), data)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return false // it is being made
		}
		refused, approved = sqlite.MaskedMessage{}, sqlite.MaskedMessage{}
		for _, m := range all {
			if kept, err := unpackMessage(m.Body); err == nil && kept.Timing != nil && kept.Anatomy.Covered != nil {
				if m.Refused {
					refused = m
				} else {
					approved = m
				}
			}
		}
		return refused.Entry != 0 && approved.Entry != 0
	})
	h.kill() // SIGKILL
	for _, m := range []sqlite.MaskedMessage{refused, approved} {
		drawsBytes(t, data, m.Entry)
	}
	r := newCanaryRig(t, rigOptions{dir: data, change: func(o *engineOptions) {
		o.withoutView, o.kept = false, keptOptions{life: 30 * 24 * time.Hour, most: 64 << 20}
	}})
	d := &desk{r.e}
	for _, m := range []sqlite.MaskedMessage{refused, approved} {
		drawsBytes(t, data, m.Entry)
		got, err := d.Transaction(t.Context(), anOfficer, transactionPrefix+fmt.Sprint(m.Entry), time.Time{})
		if err != nil || got.Message == nil || got.Message.Covered == nil || got.Timing == nil {
			t.Fatalf("entry %d after the restart: %+v, %+v, %v", m.Entry, got.Message, got.Timing, err)
		}
		timed := 0
		for _, c := range got.Verdict {
			if (c.Result == "passed" || c.Result == "failed") && c.Micros == nil {
				t.Errorf("entry %d: %s %s and has no time", m.Entry, c.Check, c.Result)
			}
			if c.Micros != nil {
				timed++
			}
		}
		last := 0.0
		for _, s := range got.Timing.Steps {
			if s.FromUS != last || s.ToUS < s.FromUS {
				t.Errorf("entry %d: %s from %g to %g, the one before it ended at %g", m.Entry, s.Step, s.FromUS, s.ToUS, last)
			}
			last = s.ToUS
		}
		if timed < 4 || last != got.Timing.TotalUS || got.Timing.How == "live" && last < float64(got.ElapsedUS) {
			t.Errorf("entry %d, %s: %d checks timed, the last step ends at %g of %g µs; decided after %d", m.Entry, got.Timing.How, timed, last, got.Timing.TotalUS, got.ElapsedUS)
		}
	}
}

// drawsBytes: the command shows the message of an entry byte by byte, with the coverage of its MAC.
func drawsBytes(t *testing.T, data string, entry uint64) {
	t.Helper()
	var out, told bytes.Buffer
	c := explainCmd{explainFlags: explainFlags{For: "all", Lang: "en", Data: data}, explainJournalFlags: explainJournalFlags{RRN: fmt.Sprint(entry)}}
	if err := c.Run(&app{ctx: t.Context(), stdout: &out, stderr: &told, getenv: os.Getenv}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nTIMES   ", "\n0000  60", "▔▔ marks the", "that the MAC covers", "DE64"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("entry %d: no %q in\n%s%s", entry, want, out.String(), told.String())
		}
	}
}

// TestKeptBytesAreMasked: a sale with a card in clear and a PIN block is refused on the wire; no byte of the file, nor of what
// is packed in it, is the card number, the track, the PIN block or the MAC's key.
func TestKeptBytesAreMasked(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole host")
	}
	r := newCanaryRig(t, rigOptions{change: func(o *engineOptions) { o.kept = keptOptions{life: time.Hour, most: 16 << 20} }})
	frame, err := foldMessage()
	if err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Write(frame); err != nil {
		t.Fatal(err)
	}
	var all []sqlite.MaskedMessage
	until(t, "the refusal is on the disk", func() bool {
		all, err = sqlite.AllMasked(t.Context(), r.dir)
		return err == nil && len(all) > 0
	})
	kept, err := unpackMessage(all[0].Body)
	if err != nil || !all[0].Refused || kept.Anatomy.Covered == nil {
		t.Fatalf("kept: %+v, %v", kept, err)
	}
	var seen bytes.Buffer
	for _, name := range []string{"masked.db", "masked.db-wal"} {
		b, err := os.ReadFile(filepath.Join(r.dir, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		seen.Write(b)
	}
	text := fmt.Sprintf("%+v", kept.Anatomy)
	found := 0
	for _, p := range kept.Anatomy.Parts {
		secret := p.Name == "DE2" || p.Name == "DE35" || p.Name == "DE52"
		if !secret {
			continue
		}
		found++
		body := frame[2:][p.From:p.To]
		hex := fmt.Sprintf("%X", body)
		if strings.Contains(text, hex) || bytes.Contains(seen.Bytes(), body) || !strings.Contains(p.Hex, "*") {
			t.Errorf("%s is kept as it came", p.Name)
		}
	}
	if found == 0 {
		t.Error("the message has nothing to hide: the test shows nothing")
	}
}

// TestMessagesOfNoDays: what was kept is deleted where nothing is to be kept any more; a command that only opens the directory
// leaves it.
func TestMessagesOfNoDays(t *testing.T) {
	dir := t.TempDir()
	keep := func() {
		t.Helper()
		m, err := sqlite.OpenMasked(context.Background(), dir, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	there := func() bool { _, err := os.Stat(filepath.Join(dir, "masked.db")); return err == nil }
	e := &engine{dir: dir}
	keep()
	offline := hostDefaults()
	if k := e.openKeeper(t.Context(), offline.kept()); k != nil || !there() {
		t.Errorf("a command that does not serve: keeps %t, the file is there %t", k != nil, there())
	}
	none := keptFlags{MessageDays: 0, MessageMiB: 1}
	if err := none.check(); err != nil {
		t.Fatal(err)
	}
	if k := e.openKeeper(t.Context(), none.kept()); k != nil || there() {
		t.Errorf("of 0 days: keeps %t, the file is there %t", k != nil, there())
	}
	for _, bad := range []keptFlags{{MessageDays: -1, MessageMiB: 1}, {MessageDays: 3651, MessageMiB: 1}, {MessageDays: 1}, {MessageDays: 1, MessageMiB: 1<<20 + 1}} {
		if bad.check() == nil {
			t.Errorf("%+v may be configured", bad)
		}
	}
}
