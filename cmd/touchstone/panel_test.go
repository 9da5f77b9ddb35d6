package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/sqlite"
	"touchstone/terminal"
)

// The panel: every fault of the reference terminal against the shipped binary, in every form of terminal it fits. The
// answer is the terminal's, reason and cause are read back from the journal.

// panelAtOnce is how many cases are examined at once: under a flood of refusals a host tries fewer explanations.
const panelAtOnce = 48

// panelWrong is a message that was wrong, as its terminal saw it, and as the journal has it.
type panelWrong struct {
	from, other string // addresses of its shop
	result      terminal.Result
	altersTrace bool
	unread      bool // it could not be read

	entry *panelEntry    // nil: not found
	cause *journal.Cause // the newest when its stage was over; nil none
}

// panelCase is one fault in one form, and what became of it.
type panelCase struct {
	row  terminal.FaultRow
	shop *panelShop
	till *terminal.Terminal
	card terminal.Card
	sent []panelWrong
	err  error
}

func (c *panelCase) name() string { return string(c.row.Fault) + "/" + c.shop.form.name }

// stages is how many different messages a fault is sent as: two where the second may say more.
func stages(row terminal.FaultRow) int {
	if row.Cause != "" && row.First != row.Second {
		return 2
	}
	return 1
}

// panelCases is every fault in the forms that fit: one where the form has no part in it.
func panelCases() (cases []*panelCase) {
	for _, f := range terminal.Faults() {
		row, err := terminal.Describe(f)
		if err != nil {
			panic(err)
		}
		for _, form := range panelForms() {
			if !form.fits(row.Needs) {
				continue
			}
			cases = append(cases, &panelCase{row: row, shop: newPanelShop(len(cases), form, row.Needs)})
			if row.Cause == "" {
				break
			}
		}
	}
	return cases
}

// open makes the case's terminal and card.
func (c *panelCase) open(place *panelPlace) (err error) {
	if c.till, err = c.shop.open(place); err != nil {
		return err
	}
	c.card, err = c.shop.reader()
	return err
}

// send does the fault once more.
func (c *panelCase) send(ctx context.Context) error {
	i := len(c.sent)
	res, err := c.till.Misbehave(ctx, c.row.Fault, c.card, pos.Amount(1850+7*i))
	switch {
	case err != nil:
		return fmt.Errorf("message %d: %w", i+1, err)
	case res.Outcome == terminal.SignInFailed && res.Request == 0:
		return fmt.Errorf("message %d: nothing was sent: %s", i+1, res.DE39)
	}
	c.sent = append(c.sent, panelWrong{from: c.shop.address(0), other: c.shop.address(1), result: res,
		altersTrace: c.row.Fault == "altered-trace", unread: c.row.Reason == reason.MessageMalformed.String()})
	return nil
}

func (c *panelCase) close() error {
	if c.till == nil {
		return nil
	}
	c.card.Wipe()
	return c.till.Close()
}

// panelJournal is what the journal says of the panel's messages, as far as it has been read.
type panelJournal struct {
	reader *sqlite.Reader
	next   uint64
	from   map[string][]panelEntry   // by source address, in order
	causes map[uint64]*journal.Cause // the newest of each verdict
}

type panelEntry struct {
	seq uint64
	x   journal.Exchange
}

func openPanelJournal(t *testing.T, dir string) *panelJournal {
	t.Helper()
	r, err := sqlite.OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return &panelJournal{reader: r, next: 1, from: map[string][]panelEntry{}, causes: map[uint64]*journal.Cause{}}
}

// read goes on to the end.
func (j *panelJournal) read(ctx context.Context) error {
	return eachEntry(ctx, j.reader, &j.next, func(e journal.Entry) error {
		switch e.Kind {
		case journal.KindExchange:
			var x journal.Exchange
			if err := x.Parse(e); err != nil {
				return err
			}
			x.Details = nil // a view of a block that is gone
			j.from[x.Source.String()] = append(j.from[x.Source.String()], panelEntry{e.Seq, x})
		case journal.KindCause:
			c := new(journal.Cause)
			if err := json.Unmarshal(e.Body, c); err != nil {
				return err
			}
			j.causes[c.Verdict] = c
		}
		return nil
	})
}

// find is the newest entry of a wrong message.
func (j *panelJournal) find(w *panelWrong) *panelEntry {
	list := slices.Concat(j.from[w.from], j.from[w.other])
	slices.SortFunc(list, func(a, b panelEntry) int { return int(a.seq) - int(b.seq) })
	for _, e := range slices.Backward(list) {
		// What was altered may be the trace, and of what is no message there is none.
		near := e.x.STAN == w.result.Trace || w.altersTrace && e.x.STAN/10 == w.result.Trace/10 && e.x.Reason == reason.MACFailed
		if e.x.Reason == reason.FrameMalformed || w.unread && e.x.Reason == reason.MessageMalformed || e.x.MTI == w.result.Request && near {
			return &e
		}
	}
	return nil
}

// newPanelHost serves a data directory with the cases' shops by the shipped binary.
func newPanelHost(t *testing.T, shops []*panelShop, flags ...string) (data string, place *panelPlace) {
	t.Helper()
	b := &crashBed{t: t, root: t.TempDir()}
	data = filepath.Join(b.root, "panel")
	e := openForTest(t, data, func(dir string) error { return makeTestDirectory(dir, slog.New(slog.DiscardHandler)) })
	start := time.Now()
	if err := errors.Join(e.seedPanel(t.Context(), shops), e.close()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d shops registered in %s", len(shops), time.Since(start).Round(time.Millisecond))
	h, err := b.serve(data, nil, append(flags, "--tls", "127.0.0.1:0", "--refusal-burst", "100000", "--refusal-every", "1ms",
		"--diagnose-second", "10000", "--diagnose-terminal-minute", "10000", "--diagnose-share", "100")...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(h.output())
		}
	})
	return data, &panelPlace{tcp: h.addr, tls: h.tls, state: filepath.Join(b.root, "terminals"), timeout: patience}
}

// TestPanel runs the panel.
func TestPanel(t *testing.T) {
	if testing.Short() {
		t.Skip("in full without the race detector")
	}
	skipInShort(t)
	cases := panelCases()
	if only := os.Getenv("PANEL_ONLY"); only != "" {
		cases = slices.DeleteFunc(cases, func(c *panelCase) bool { return !regexp.MustCompile(only).MatchString(c.name()) })
	}
	// A host that refuses clones would refuse the second message of some faults for that.
	cloned := func(c *panelCase) bool { return c.shop.takes(terminal.NeedCloned) }
	runPanel(t, slices.DeleteFunc(slices.Clone(cases), cloned))
	runPanel(t, slices.DeleteFunc(slices.Clone(cases), func(c *panelCase) bool { return !cloned(c) }), "--on-clone", "refuse")
	for _, c := range cases {
		t.Run(c.name(), c.judge)
	}
}

// runPanel runs cases against a host of their own.
func runPanel(t *testing.T, cases []*panelCase, flags ...string) {
	t.Helper()
	var shops []*panelShop
	for _, c := range cases {
		shops = append(shops, c.shop)
	}
	data, place := newPanelHost(t, shops, flags...)
	found := openPanelJournal(t, data)
	start := time.Now()
	each(cases, func(c *panelCase) { c.err = c.open(place) })
	for some := range slices.Chunk(cases, panelAtOnce) {
		for stage := range 2 {
			// The second message comes when the first was examined: what was found of it is to agree or not.
			each(some, func(c *panelCase) {
				if c.err == nil && stage < stages(c.row) {
					c.err = c.send(t.Context())
				}
			})
			if err := settle(t.Context(), found, some); err != nil {
				t.Fatal(err)
			}
		}
	}
	each(cases, func(c *panelCase) { c.err = errors.Join(c.err, c.close()) })
	t.Logf("%d cases in %s", len(cases), time.Since(start).Round(time.Millisecond))
}

// each does something with every case, some at a time.
func each(cases []*panelCase, do func(*panelCase)) {
	var wait sync.WaitGroup
	slots := make(chan struct{}, 4*runtime.GOMAXPROCS(0))
	for _, c := range cases {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			do(c)
		})
	}
	wait.Wait()
}

// panelDiagnosed is how long the causes of the last messages are waited for.
const panelDiagnosed = patience

// settle reads the journal until every verdict of the cases' last messages of which a cause is sought has one.
func settle(ctx context.Context, found *panelJournal, cases []*panelCase) error {
	for end := time.Now().Add(panelDiagnosed); ; time.Sleep(10 * time.Millisecond) {
		if err := found.read(ctx); err != nil {
			return err
		}
		open := 0
		for _, c := range cases {
			if len(c.sent) == 0 {
				continue
			}
			w := &c.sent[len(c.sent)-1]
			if w.entry == nil {
				w.entry = found.find(w)
			}
			if w.entry != nil && w.cause == nil {
				w.cause = found.causes[w.entry.seq]
			}
			if w.entry == nil || c.row.Cause != "" && w.cause == nil {
				open++
			}
		}
		if open == 0 || time.Now().After(end) || os.Getenv("PANEL_REASONS_ONLY") != "" {
			return nil
		}
	}
}

// judge compares what was answered, decided and found with the table.
func (c *panelCase) judge(t *testing.T) {
	if c.err != nil {
		t.Fatal(c.err)
	}
	for i := range c.sent {
		w := &c.sent[i]
		if got := strings.Trim(w.result.DE39.String(), "\x00"); got != c.row.DE39 {
			t.Errorf("message %d: answered %q, want %q", i+1, got, c.row.DE39)
		}
		if w.entry == nil {
			t.Errorf("message %d: no entry in the journal", i+1)
			continue
		}
		if w.entry.x.Reason.String() != c.row.Reason {
			t.Errorf("message %d: reason %s, want %s", i+1, w.entry.x.Reason, c.row.Reason)
		}
		c.judgeCause(t, i, w.cause)
	}
}

func (c *panelCase) judgeCause(t *testing.T, i int, got *journal.Cause) {
	want, cause, variant := c.row.First, c.row.Cause, c.row.Variant
	if i > 0 {
		want = c.row.Second
	}
	if cause != "" && want == string(journal.Unproven) { // nothing may be named yet
		cause, variant = reason.NoCause.String(), ""
	}
	switch {
	case cause == "":
		if got != nil {
			t.Errorf("message %d: a cause %s where none is sought", i+1, got.Cause)
		}
	case os.Getenv("PANEL_REASONS_ONLY") != "":
	case got == nil:
		t.Errorf("message %d: no cause", i+1)
	case got.Cause != cause || got.Variant != variant && variant != "":
		t.Errorf("message %d: cause %s %q (%v), want %s %q", i+1, got.Cause, got.Variant, got.Facts, cause, variant)
	case string(got.Certainty) != want:
		t.Errorf("message %d: %s %s, want %s", i+1, got.Cause, got.Certainty, want)
	}
}
