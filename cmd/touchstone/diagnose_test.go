package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"touchstone/diagnosis"
	"touchstone/host"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/secret"
	"touchstone/terminal"
)

// fakeModule finds what it is told, and keeps the cases it was given.
type fakeModule struct {
	mu    sync.Mutex
	find  func(c *diagnosis.Case) diagnosis.Finding
	cases []diagnosis.Case // as they were; their bytes are wiped by then
	block chan struct{}    // nil: never; else every experiment waits for one value
}

func (m *fakeModule) Diagnose(c *diagnosis.Case) diagnosis.Finding {
	if m.block != nil {
		<-m.block
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cases = append(m.cases, *c)
	return m.find(c)
}

func unproven(*diagnosis.Case) diagnosis.Finding {
	return diagnosis.Finding{Certainty: journal.Unproven, Tried: 64}
}

// manual is a clock that only moves when it is told to.
type manual struct {
	mu  sync.Mutex
	now pos.Instant
}

func (m *manual) clock() pos.Instant {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

func (m *manual) forward(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
}

// refusedBy is a refused message of terminal n, with a frame of marks.
func refusedBy(n int, verdict uint64) host.Refused {
	pan := pos.NewPAN()
	if err := pan.Set([]byte("6200000000000005")); err != nil {
		panic(err)
	}
	return host.Refused{Verdict: verdict, Reason: reason.MACFailed, Request: &proof.Request{Terminal: sampleID(n)}, Snapshot: &proof.Snapshot{},
		Frame: bytes.Repeat([]byte{0xA7}, 300), Message: 11, PAN: pan, PIN: true}
}

// quietDiagnoser is one whose goroutines do not run.
func quietDiagnoser(b diagnoseBudget, clock func() pos.Instant) *diagnoser {
	return newDiagnoser(b, clock, slog.New(slog.DiscardHandler))
}

// wiped fails the test unless every copy that is free holds nothing.
func (d *diagnoser) wiped(t *testing.T, want int) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.free) != want {
		t.Errorf("%d copies are free, want %d", len(d.free), want)
	}
	for _, s := range d.free {
		if bytes.IndexByte(s.frame[:], 0xA7) >= 0 || s.pan.Len() != 0 || s.n != 0 || s.verdict != 0 {
			t.Fatal("a copy that is free still holds a message")
		}
	}
}

// TestCopiesAreBounded: what finds no room is counted, and never waits.
func TestCopiesAreBounded(t *testing.T) {
	now := &manual{now: 1}
	d := quietDiagnoser(diagnoseBudget{second: 10_000, minute: 10_000, share: 100}, now.clock)
	for i := range specimens + 50 {
		d.Refused(refusedBy(i+1, uint64(i+1)))
	}
	if o := d.observe(); o.Waiting != specimens || o.High != specimens || o.Most != specimens || o.NotTried["room"] != 50 || o.NotTried["budget"] != 0 {
		t.Errorf("figures %+v", o)
	}
	if !d.flooded() {
		t.Error("a full queue is no flood")
	}
	if s, wait := d.next(now.clock()); s != nil || wait != answeredBy {
		t.Errorf("an experiment begins %s after the answer", answeredBy-wait)
	}
	now.forward(answeredBy)
	s, _ := d.next(now.clock())
	if s == nil || s.verdict != 1 || s.n != 300 || s.pan.Len() != 16 {
		t.Fatal("the oldest copy is not whole")
	}
	if shown := fmt.Sprintf("%v %+v %s %x", s, s, s, s); bytes.Contains([]byte(shown), []byte("a7a7")) || !bytes.Contains([]byte(shown), []byte(secret.Redacted)) {
		t.Error("a copy prints its message")
	}
	d.done(s)
	d.wiped(t, 1)
	now.forward(specimenLife)
	if s, _ := d.next(now.clock()); s != nil {
		t.Error("a copy is examined after its time")
	}
	d.wiped(t, specimens)
	if o := d.observe(); o.NotTried["late"] != specimens-1 || o.Waiting != 0 {
		t.Errorf("figures %+v", o)
	}
}

// TestCopyOfAPINBlockIsGoneInTime: within the two seconds that a block may live, whatever the worker does: the next
// refusal wipes what is too old, and so does a worker that waits for its share.
func TestCopyOfAPINBlockIsGoneInTime(t *testing.T) {
	if specimenLife+lookupTime+100*time.Millisecond > diagnosis.PINLifetime {
		t.Errorf("a copy lives %s, finding keys takes %s", specimenLife, lookupTime)
	}
	now := &manual{now: 1}
	d := quietDiagnoser(diagnoseBudget{second: 100, minute: 100, share: 1}, now.clock)
	d.Refused(refusedBy(1, 1))
	now.forward(specimenLife + 1)
	d.sweep()
	d.wiped(t, specimens)
	d.Refused(refusedBy(1, 2))
	now.forward(specimenLife + 1)
	d.Refused(refusedBy(2, 3))
	d.wiped(t, specimens-1)
}

// TestBudgets: of one terminal so many at once and then one each ten seconds, of all so many a second.
func TestBudgets(t *testing.T) {
	now := &manual{now: 1}
	d := quietDiagnoser(diagnoseBudget{second: 30, minute: 6, share: 5}, now.clock)
	taken := func() int { return d.observe().Waiting }
	for i := range 100 {
		d.Refused(refusedBy(1, uint64(i+1)))
	}
	if taken() != 12 {
		t.Errorf("%d of one terminal at once", taken())
	}
	for i := range 100 {
		d.Refused(refusedBy(2+i, uint64(200+i)))
	}
	if taken() != 30 {
		t.Errorf("%d of all at once", taken())
	}
	now.forward(time.Second)
	for i := range 100 {
		d.Refused(refusedBy(2+i, uint64(300+i)))
	}
	if taken() != 60 {
		t.Errorf("%d of all after a second", taken())
	}
	if n := d.observe().NotTried["budget"]; n != 240 {
		t.Errorf("%d over the budget", n)
	}
	now.forward(9 * time.Second)
	for range 100 {
		d.Refused(refusedBy(1, 999))
	}
	if taken() != 1 { // the others are gone by then: they waited too long
		t.Errorf("%d of one terminal after ten seconds", taken())
	}
}

// TestForgottenBudgetsAreBounded: the memory of budgets does not grow with the terminals that fail.
func TestForgottenBudgetsAreBounded(t *testing.T) {
	d := quietDiagnoser(diagnoseBudget{second: 1, minute: 6, share: 5}, func() pos.Instant { return 1 })
	for i := range 5 * diagnosed {
		d.Refused(refusedBy(i+1, uint64(i+1)))
	}
	if n := d.own.size(); n > 2*diagnosed {
		t.Errorf("budgets of %d terminals are kept", n)
	}
	if len(d.missed.of) != missedTerminals {
		t.Errorf("%d terminals are told apart", len(d.missed.of))
	}
}

// TestUntriedIsToldSparsely: an entry for each of a few terminals, one for all others.
func TestUntriedIsToldSparsely(t *testing.T) {
	d := quietDiagnoser(diagnoseBudget{second: 1, minute: 6, share: 5}, func() pos.Instant { return 1 })
	for i := range 1000 {
		d.Refused(refusedBy(1+i%50, uint64(i+1)))
	}
	d.tellMissed()
	causes := <-d.causes
	if len(causes) != missedTerminals+1 {
		t.Errorf("%d entries", len(causes))
	}
	sum := 0
	for _, c := range causes {
		if err := c.Check(); err != nil || c.Certainty != journal.Untried || c.Facts[diagnosis.FactWhy] != whyBudget {
			t.Errorf("%+v: %v", c, err)
		}
		n := 0
		if _, err := fmt.Sscan(c.Facts[factMessages], &n); err != nil {
			t.Error(err)
		}
		sum += n
	}
	if sum != 999 {
		t.Errorf("%d messages are told of, 999 were not examined", sum)
	}
	d.tellMissed()
	if len(d.causes) != 0 {
		t.Error("told twice")
	}
}

// TestTellingFromManyGoroutines: the hook, the worker and the metrics at once, for the race detector.
func TestTellingFromManyGoroutines(t *testing.T) {
	r := newDiagnosisRig(t, diagnoseBudget{second: 10_000, minute: 10_000, share: 100}, nil)
	m := &fakeModule{find: unproven}
	r.use(m)
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Go(func() {
			for i := range 200 {
				r.e.diagnoser.Refused(refusedBy(g*1000+i, uint64(i+1)))
				r.e.diagnoser.observe()
			}
		})
	}
	wait.Wait()
	r.e.diagnoser.drain()
}

// newDiagnosisRig is a host of the sample world that seeks causes; nil module is the security module.
func newDiagnosisRig(t *testing.T, b diagnoseBudget, more func(*engineOptions)) *canaryRig {
	t.Helper()
	return newCanaryRig(t, rigOptions{change: func(o *engineOptions) {
		o.diagnosis, o.withoutView = b, false
		if more != nil {
			more(o)
		}
	}})
}

// use gives the diagnoser another module.
func (r *canaryRig) use(m experimenter) {
	r.e.diagnoser.mu.Lock()
	defer r.e.diagnoser.mu.Unlock()
	r.e.diagnoser.module = m
}

// roomy is a budget that tests do not come to.
var roomy = diagnoseBudget{second: 1000, minute: 1000, share: 100}

// visitor is one of the sample terminals left to whoever calls, and its card.
func (r *canaryRig) visitor(t *testing.T, n int) (*terminal.Terminal, terminal.Card) {
	t.Helper()
	opened := r.shopTerminal(t, visitors()[n], time.Now)
	if in, err := opened.SignIn(t.Context()); err != nil || !in.Approved {
		t.Fatalf("sign-in: %v, %v", in.Outcome, err)
	}
	card, err := cardOf(cards()[0])
	if err != nil {
		t.Fatal(err)
	}
	return opened, card
}

// causes are all that the journal has, by their verdict the newest.
func (r *canaryRig) causes(t *testing.T) (all []journal.Cause, of map[uint64]journal.Cause) {
	t.Helper()
	r.e.diagnoser.drain()
	of = map[uint64]journal.Cause{}
	err := r.e.store.Blocks(t.Context(), 1, func(b journal.Block) error {
		return b.Each(func(e journal.Entry) error {
			var c journal.Cause
			if e.Kind == journal.KindCause {
				if err := json.Unmarshal(e.Body, &c); err != nil {
					return err
				}
				all, of[c.Verdict] = append(all, c), c
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all, of
}
