package main

import (
	"bytes"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"touchstone/lab"
	"touchstone/terminal"
)

// labDesk is a laboratory and the host that it examines, both in this process.
type labDesk struct {
	*canaryRig
	app  *app
	said *bytes.Buffer
	to   labWorkFlags
}

func newLabDesk(t *testing.T) *labDesk { return newLabDeskOf(t, rigOptions{}) }

func newLabDeskOf(t *testing.T, o rigOptions) *labDesk {
	t.Helper()
	d := &labDesk{canaryRig: newCanaryRig(t, o), said: &bytes.Buffer{}}
	wait, err := d.e.listenControl(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(wait)
	d.app = &app{ctx: t.Context(), stdin: strings.NewReader(""), stdout: d.said, stderr: io.Discard, getenv: func(string) string { return "" }}
	d.to = labWorkFlags{actFlags: d.as("wu", ""), Lang: "en"}
	return d
}

func (d *labDesk) as(one, other string) actFlags {
	return actFlags{directoryFlags{Data: d.dir}, staffFlags{As: one, With: other}}
}

// do runs a command as a person would, without the process.
func (d *labDesk) do(t *testing.T, c interface{ Run(*app) error }) string {
	t.Helper()
	d.said.Reset()
	if err := c.Run(d.app); err != nil {
		t.Fatalf("%T: %v\n%s", c, err, d.said)
	}
	return d.said.String()
}

// examine makes a sample, a scope and a complete run of it.
func (d *labDesk) examine(t *testing.T, sample labSample, scope string) {
	t.Helper()
	sample.Out = filepath.Join(t.TempDir(), "subject")
	d.do(t, &sample)
	d.do(t, &labScopeCmd{actFlags: d.as("qian", ""), Targets: []string{d.addr, d.tls}, Life: time.Hour, Rate: lab.MaxRate})
	d.do(t, &labRun{labWorkFlags: d.to, Subjects: []string{filepath.Join(sample.Out, "subject.toml")}, Scope: scope, TCP: d.addr, TLS: d.tls})
}

// TestNoCardDataIsKept: in all that a run keeps there is no card number, track or PIN of the reserved card, nor the
// end of its number.
func TestNoCardDataIsKept(t *testing.T) {
	d := newLabDesk(t)
	d.examine(t, labSample{Model: "Sample S10", Application: sampleApp}, "SCP-1")
	said := d.said.String()
	c := labCard()
	forms := map[string]string{}
	for name, value := range map[string]string{"card number": c.pan(), "track": c.track2(), "PIN": c.pin, "end of the number": c.pan()[10:]} {
		forms[name], forms[name+" in hexadecimal"] = value, hex.EncodeToString([]byte(value))
	}
	files, err := filepath.Glob(filepath.Join(d.dir, filesDirectory, "*"))
	if err != nil || len(files) < 12 {
		t.Fatalf("%d kept files, %v", len(files), err)
	}
	for _, f := range append(files, "") {
		text := []byte(said)
		if f != "" {
			if text, err = os.ReadFile(f); err != nil {
				t.Fatal(err)
			}
		}
		for name, form := range forms {
			for rest := text; ; {
				at := bytes.Index(rest, []byte(form))
				if at < 0 {
					break
				}
				// Six digits stand in digests and times by chance: only a run of exactly those counts.
				if !isHexDigit(rest, at-1) && !isHexDigit(rest, at+len(form)) {
					t.Errorf("%s: the %s is kept", filepath.Base(f), name)
				}
				rest = rest[at+1:]
			}
		}
	}
}

func isHexDigit(b []byte, at int) bool {
	return at >= 0 && at < len(b) && (b[at] >= '0' && b[at] <= '9' || b[at] >= 'a' && b[at] <= 'f')
}

// TestCertificateOnTheWire: a model's certificate is suspended, and its terminals refund no more; it comes back, and
// they do; a terminal of another model never notices.
func TestCertificateOnTheWire(t *testing.T) {
	d := newLabDesk(t)
	d.examine(t, labSample{Model: "Sample S10", Application: "1.0.0"}, "SCP-1")
	d.do(t, &scIssue{actFlags: d.as("wu", "zheng"), Run_: "RUN-1"})
	card, err := cardOf(cards()[7])
	if err != nil {
		t.Fatal(err)
	}
	defer card.Wipe()
	var own, other *terminal.Terminal
	for _, s := range staffTerminals() {
		switch {
		case own == nil && s.model == "Sample S10" && !s.tls && !s.keyless:
			own = d.shopTerminal(t, s, time.Now)
		case other == nil && s.model == "Sample S30" && !s.tls:
			other = d.shopTerminal(t, s, time.Now)
		}
	}
	refund := func(when string, x *terminal.Terminal, want bool) {
		t.Helper()
		sold, err := x.Sale(t.Context(), card, 1000)
		if err != nil || !sold.Approved {
			t.Fatalf("%s: sale %s %s, %v", when, sold.DE39, sold.Outcome, err)
		}
		back, err := x.Refund(t.Context(), card, terminal.Original{RRN: sold.RRN, Date: monthDay(x.Clock())}, 100)
		if err != nil || back.Approved != want {
			t.Errorf("%s: refund %s %s, %v; want approved %v", when, back.DE39, back.Outcome, err, want)
		}
	}
	refund("certified", own, true)
	d.do(t, &scSuspend{scStep{actFlags: d.as("wu", "zheng"), ID: "CRT-1", Reason: "a key is left in the package"}})
	refund("suspended", own, false) // the very next one
	refund("suspended", other, true)
	d.do(t, &scBack{scStep{actFlags: d.as("wu", "zheng"), ID: "CRT-1", Reason: "fixed"}})
	refund("reinstated", own, true)
}
