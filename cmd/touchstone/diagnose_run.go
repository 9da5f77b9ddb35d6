package main

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"time"

	"touchstone/diagnosis"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// The pace of experiments.
const (
	busyLine    = 128                    // messages in the line that make it busy
	busyPause   = 2 * time.Millisecond   // how long an experiment steps aside then
	busyMost    = 5                      // times
	shareBurst  = 250 * time.Millisecond // of one processor, ahead of the share
	shareLook   = 50 * time.Millisecond  // how often the share is looked at again when it is spent
	dearest     = 8 * time.Millisecond   // of a processor, that an experiment takes at most (docs/design/007-performance.md); what is longer is waiting
	lookupTime  = 300 * time.Millisecond // for finding the keys of one case
	tellMissed  = time.Minute            // how often what was not examined is told
	tellCauses  = 64                     // causes written as one group at most
	inferEvery  = 200 * time.Millisecond
	drainedMost = time.Second // at the end, for what waits
)

// run examines what comes until ctx ends; the copies that are left then are wiped.
func (d *diagnoser) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	spent := bucket{}
	for ctx.Err() == nil {
		if wait := d.afford(&spent); wait > 0 {
			d.sweep()
			rest(ctx, timer, nil, wait)
			continue
		}
		s, wait := d.next(d.clock())
		if s == nil {
			rest(ctx, timer, d.wake, wait)
			continue
		}
		d.stepAside(ctx, timer)
		began := time.Now()
		d.examine(ctx, s)
		took := time.Since(began)
		spent.spent += min(took, dearest).Seconds() // on a crowded machine waiting is most of it, and costs the line nothing
		d.figures.took.Add(took)
		d.rested()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.waiting) > 0 {
		d.giveBack(d.shift())
	}
}

// rested tells that no specimen is being examined.
func (d *diagnoser) rested() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.working = false
}

// afford tells how long to wait until the share of the processors allows another experiment, 0 not at all.
func (d *diagnoser) afford(spent *bucket) time.Duration {
	rate := float64(d.budget.share) / 100 * float64(runtime.GOMAXPROCS(0))
	spent.refill(d.clock().Sub(d.started), rate)
	if spent.spent < shareBurst.Seconds() {
		return 0
	}
	return shareLook
}

// sweep wipes what waited too long.
func (d *diagnoser) sweep() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expire(d.clock())
}

// rest waits for the end, for wake, or for wait; of 0 for ever.
func rest(ctx context.Context, timer *time.Timer, wake <-chan struct{}, wait time.Duration) {
	var after <-chan time.Time
	if wait > 0 {
		timer.Reset(wait)
		after = timer.C
	}
	select {
	case <-ctx.Done():
	case <-wake:
	case <-after:
	}
}

// stepAside lets a busy line go first, for some milliseconds: a line that is always busy must not stop diagnosis.
func (d *diagnoser) stepAside(ctx context.Context, timer *time.Timer) {
	for i := 0; i < busyMost && ctx.Err() == nil && d.inLine() > busyLine; i++ {
		rest(ctx, timer, nil, busyPause)
	}
	runtime.Gosched()
}

// examine makes one experiment and gives what it found to the journal. The copy is wiped as soon as it was read.
func (d *diagnoser) examine(ctx context.Context, s *specimen) {
	verdict, id, why := s.verdict, s.id, s.reason
	var f diagnosis.Finding
	if why == reason.DuplicateTrace {
		f = d.book.traceReset(ctx, s)
		d.done(s)
	} else {
		c, err := d.caseOf(ctx, s)
		d.done(s)
		if err != nil { // what the line could read is read here: a broken invariant, and nothing of the message is told
			d.log.Warn("a refused message cannot be examined", slog.Uint64("verdict", verdict))
			return
		}
		f = d.module.Diagnose(c)
		c.Wipe()
	}
	d.tell(d.book.learn(verdict, id, why, &f, d.clock()))
}

// caseOf makes the case of a specimen, with the keys that may be tried.
func (d *diagnoser) caseOf(ctx context.Context, s *specimen) (*diagnosis.Case, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	facts := caseFacts{verdict: s.verdict, at: s.told, reason: s.reason}
	d.book.own(ctx, s, &facts)
	c, err := caseFromFrame(s.frame[:s.n], facts)
	if err != nil {
		return nil, err
	}
	c.Terminal = s.id
	if s.terminal != nil {
		c.Merchant = s.terminal.Merchant
	}
	d.book.others(s, c)
	if c.PIN != nil && c.PIN.PAN.Len() == 0 { // a sealed track's card number is known to the line
		s.pan.Use(func(digits []byte) { _ = c.PIN.PAN.Set(digits) })
	}
	c.Earlier, c.Attempt = d.book.earlier(ctx, s)
	c.Flood = d.flooded()
	if s.reason == reason.SerialFactorMismatch {
		c.Prior = d.book.ends(ctx, s)
	}
	return c, nil
}

// tell hands causes to who writes them; where too many wait they are counted as failed.
func (d *diagnoser) tell(causes []*journal.Cause) {
	d.writing.Add(int64(len(causes)))
	select {
	case d.causes <- causes:
		for _, c := range causes {
			d.figures.count(c.Certainty)
		}
	default:
		d.writing.Add(-int64(len(causes)))
		d.figures.failed.Add(uint64(len(causes)))
	}
}

// write makes causes durable, those that came meanwhile as one group, and tells what was inferred or not examined.
func (d *diagnoser) write(ctx context.Context) {
	infer, missed := time.NewTicker(inferEvery), time.NewTicker(tellMissed)
	defer infer.Stop()
	defer missed.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-d.causes:
			d.store(d.gather(first))
		case <-infer.C:
			if causes := d.book.inferred(); len(causes) > 0 {
				d.tell(causes)
			}
		case <-missed.C:
			d.tellMissed()
		}
	}
}

// gather adds what waits to first.
func (d *diagnoser) gather(first []*journal.Cause) []*journal.Cause {
	for len(first) < tellCauses {
		select {
		case more := <-d.causes:
			first = append(first, more...)
		default:
			return first
		}
	}
	return first
}

// store registers causes. A cause that is refused by its own rule is a broken invariant: it is dropped alone.
func (d *diagnoser) store(causes []*journal.Cause) {
	records := make([]any, 0, len(causes))
	for _, c := range causes {
		if err := c.Check(); err != nil {
			d.log.Error("a cause may not be recorded", slog.Uint64("verdict", c.Verdict), slog.String("error", err.Error()))
			d.figures.failed.Add(1)
			continue
		}
		records = append(records, c)
	}
	err := d.record(records...)
	if err != nil {
		d.figures.failed.Add(uint64(len(records)))
	}
	if err != nil && !errors.Is(err, journal.ErrStopped) && !errors.Is(err, journal.ErrQueueFull) && !errors.Is(err, context.Canceled) {
		d.log.Warn("causes were not recorded", slog.Int("causes", len(records)), slog.String("error", err.Error()))
	}
	d.writing.Add(-int64(len(causes)))
}

// drain waits until what was refused so far has been examined and written, or a second has passed, and then tells what
// was not examined. It is called when nothing more is served.
func (d *diagnoser) drain() {
	until := time.Now().Add(drainedMost)
	for time.Now().Before(until) && !d.idle() {
		time.Sleep(time.Millisecond)
	}
	d.tellMissed()
	for time.Now().Before(until) && d.writing.Load() > 0 {
		time.Sleep(time.Millisecond)
	}
}

func (d *diagnoser) idle() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.waiting) == 0 && !d.working && d.writing.Load() == 0
}

// The words of the fact "why" of what was not tried here.
const (
	whyBudget = "budget" // over the budget of its terminal or of all, or no room for a copy
	whyLate   = "late"   // it waited too long and was wiped
)

// factMessages is how many refused messages of the terminal an untried cause stands for.
const factMessages = "messages"

// missedTerminals bounds the terminals that are told apart among what was not examined; of more only the sum is told.
const missedTerminals = 16

// missed counts what was not examined and not told yet. The zero value is nothing.
type missed struct {
	of   map[pos.TerminalID]*missedOf
	rest missedOf // of terminals that had no place of their own
}

type missedOf struct {
	terminal pos.TerminalID
	verdict  uint64 // the newest
	reason   reason.Reason
	why      string
	n        uint64
}

func (m *missed) add(id pos.TerminalID, verdict uint64, r reason.Reason, why string) {
	if m.of == nil {
		m.of = map[pos.TerminalID]*missedOf{}
	}
	o := m.of[id]
	switch {
	case o != nil:
	case len(m.of) < missedTerminals:
		o = new(missedOf)
		m.of[id] = o
	default:
		o = &m.rest
	}
	o.terminal, o.verdict, o.reason, o.why, o.n = id, verdict, r, why, o.n+1
}

// tellMissed records, for each of a few terminals and once for all others, that messages were not examined: an entry
// each would let a flood write the journal.
func (d *diagnoser) tellMissed() {
	d.mu.Lock()
	m := d.missed
	d.missed = missed{}
	d.mu.Unlock()
	var causes []*journal.Cause
	add := func(o *missedOf) {
		f := diagnosis.NotTried(o.why)
		f.Facts[factMessages] = decimal(o.n)
		causes = append(causes, f.Record(o.verdict, o.terminal, o.reason))
	}
	for _, o := range m.of {
		add(o)
	}
	if m.rest.n > 0 {
		add(&m.rest)
	}
	if len(causes) > 0 {
		d.tell(causes)
	}
}
