package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"touchstone/diagnosis"
	"touchstone/host"
	"touchstone/hsm/soft"
	"touchstone/iso8583"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/observe"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/secret"
)

// Bounds of what waits to be examined.
const (
	specimens    = 256                     // copies of refused messages at most, those being examined included
	answeredBy   = 10 * time.Millisecond   // after its answer was handed over no experiment begins sooner
	specimenLife = 1500 * time.Millisecond // a copy that waited longer is wiped unexamined; a PIN block lives 2 s at most
	diagnosed    = 8192                    // terminals whose budget is remembered
)

// specimen is the copy of one refused message. Its bytes are secret and wiped as soon as they were examined.
type specimen struct {
	verdict  uint64
	arrived  pos.Instant
	told     pos.Instant // when its answer was handed over
	reason   reason.Reason
	id       pos.TerminalID
	source   pos.Address
	stan     pos.STAN
	batch    pos.BatchNo
	terminal *registry.Terminal
	device   *registry.Device
	session  keys.Session
	proven   bool
	promoted bool // it brought the session's pending keys into force

	n     int
	frame [iso8583.MaxFrame]byte
	pan   pos.PAN
}

// wipe forgets the message.
func (s *specimen) wipe() {
	clear(s.frame[:s.n])
	s.pan.Clear()
	*s = specimen{pan: s.pan}
}

// Format prints secret.Redacted for every verb: a specimen holds a message.
func (s *specimen) Format(w fmt.State, _ rune) { io.WriteString(w, secret.Redacted) }

// diagnoser examines refused messages after their answers: one goroutine, within budgets, the line first.
type diagnoser struct {
	budget  diagnoseBudget
	clock   func() pos.Instant
	log     *slog.Logger
	module  experimenter
	book    *keyBook
	record  func(...any) error // makes causes durable
	inLine  func() int64       // messages in the line
	started pos.Instant

	mu      sync.Mutex // guards the fields below; held for microseconds
	free    []*specimen
	waiting []*specimen // the oldest first
	high    int         // the most that ever waited
	own     *aged[pos.TerminalID, bucket]
	all     bucket
	missed  missed
	working bool // a specimen is being examined

	wake    chan struct{}
	causes  chan []*journal.Cause
	writing atomic.Int64 // causes on their way to the journal

	figures diagnoseFigures
}

// experimenter is the security module's part.
type experimenter interface {
	Diagnose(c *diagnosis.Case) diagnosis.Finding
}

var (
	_ host.Diagnoser = (*diagnoser)(nil)
	_ experimenter   = (*soft.Module)(nil)
)

// diagnoseFigures are what the metrics show.
type diagnoseFigures struct {
	certain    [len(certainties)]atomic.Uint64
	overBudget atomic.Uint64
	dropped    atomic.Uint64 // no room for a copy
	late       atomic.Uint64
	failed     atomic.Uint64 // causes that the journal did not take
	took       observe.Histogram
}

var certainties = [...]journal.Certainty{journal.Proven, journal.Indicated, journal.Unproven, journal.Untried}

func (f *diagnoseFigures) count(c journal.Certainty) {
	for i, name := range certainties {
		if c == name {
			f.certain[i].Add(1)
		}
	}
}

func newDiagnoser(b diagnoseBudget, clock func() pos.Instant, log *slog.Logger) *diagnoser {
	d := &diagnoser{budget: b, clock: clock, log: log, started: clock(), own: newAged[pos.TerminalID, bucket](diagnosed),
		wake: make(chan struct{}, 1), causes: make(chan []*journal.Cause, specimens)}
	for range specimens {
		d.free = append(d.free, &specimen{pan: pos.NewPAN()})
	}
	d.waiting = make([]*specimen, 0, specimens)
	return d
}

// Refused implements host.Diagnoser: it copies the message where the budgets and the room allow, and counts it
// otherwise.
func (d *diagnoser) Refused(r host.Refused) {
	now := d.clock()
	d.mu.Lock()
	defer d.mu.Unlock()
	since := now.Sub(d.started)
	own := d.own.of(r.Request.Terminal)
	perSecond := float64(d.budget.minute) / 60
	if !own.take(since, perSecond, float64(2*d.budget.minute)) || !d.all.take(since, float64(d.budget.second), float64(d.budget.second)) {
		d.figures.overBudget.Add(1)
		d.missed.add(r.Request.Terminal, r.Verdict, r.Reason, whyBudget)
		return
	}
	d.expire(now)
	if len(d.free) == 0 {
		d.figures.dropped.Add(1)
		d.missed.add(r.Request.Terminal, r.Verdict, r.Reason, whyBudget)
		return
	}
	s := d.free[len(d.free)-1]
	d.free = d.free[:len(d.free)-1]
	s.fill(&r, now)
	d.waiting = append(d.waiting, s)
	d.high = max(d.high, len(d.waiting))
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// fill copies what must be kept of a message.
func (s *specimen) fill(r *host.Refused, now pos.Instant) {
	s.verdict, s.arrived, s.told, s.reason = r.Verdict, r.Arrived, now, r.Reason
	s.id, s.source, s.stan, s.batch, s.proven = r.Request.Terminal, r.Request.Source, r.Request.STAN, r.Request.Batch, r.Proven
	s.promoted = r.Promoted
	s.terminal, s.device, s.session = r.Snapshot.Terminal, r.Snapshot.Device, r.Snapshot.Session
	s.n = copy(s.frame[:], r.Frame)
	if r.PIN || r.Reason == reason.SerialFactorMismatch {
		r.PAN.Use(func(digits []byte) { _ = s.pan.Set(digits) }) // empty where there is none
	}
}

// next takes the oldest specimen whose answer has left, or tells how long to wait for one; 0 is until another comes.
// Those that waited too long are wiped.
func (d *diagnoser) next(now pos.Instant) (s *specimen, wait time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.expire(now)
	if len(d.waiting) == 0 {
		return nil, 0
	}
	if wait = answeredBy - now.Sub(d.waiting[0].told); wait > 0 {
		return nil, wait
	}
	d.working = true
	return d.shift(), 0
}

// expire wipes what waited too long; d.mu is held.
func (d *diagnoser) expire(now pos.Instant) {
	for len(d.waiting) > 0 && now.Sub(d.waiting[0].told) > specimenLife {
		old := d.shift()
		d.figures.late.Add(1)
		d.missed.add(old.id, old.verdict, old.reason, whyLate)
		d.giveBack(old)
	}
}

// shift takes the oldest; d.mu is held.
func (d *diagnoser) shift() *specimen {
	s := d.waiting[0]
	copy(d.waiting, d.waiting[1:])
	d.waiting = d.waiting[:len(d.waiting)-1]
	return s
}

// giveBack wipes a specimen and makes room for another; d.mu is held.
func (d *diagnoser) giveBack(s *specimen) {
	s.wipe()
	d.free = append(d.free, s)
}

func (d *diagnoser) done(s *specimen) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.giveBack(s)
}

// startDiagnosis examines refused messages until ctx ends.
func (e *engine) startDiagnosis(ctx context.Context, b diagnoseBudget) {
	if b.second <= 0 {
		return
	}
	d := newDiagnoser(b, e.clock, e.log)
	d.module, d.inLine = e.module, e.line.Gate.InLine
	d.record = func(records ...any) error { return e.ledger.Register(ctx, e.clock(), records...) }
	d.book = newKeyBook(e.ledger, e.store.Reader, e.view, e.clock)
	d.book.ready = e.watch.caughtUp
	e.diagnoser, e.line.Causes, e.sources.Diagnosis = d, d, d.observe
	first := e.watch.also
	e.watch.also = func(entry journal.Entry) {
		first(entry)
		d.book.fold(entry)
	}
	e.wait.Go(func() { d.write(ctx) })
	e.wait.Go(func() {
		if err := d.book.begin(ctx); err != nil && ctx.Err() == nil {
			e.log.Warn("what earlier experiments indicated is not known", slog.String("error", err.Error()))
		}
		d.run(ctx)
	})
}

// observe is what the metrics show.
func (d *diagnoser) observe() observe.Diagnosis {
	o := observe.Diagnosis{Causes: map[string]uint64{}, Failed: d.figures.failed.Load(), Most: specimens, Took: &d.figures.took,
		NotTried: map[string]uint64{"budget": d.figures.overBudget.Load(), "room": d.figures.dropped.Load(), "late": d.figures.late.Load()}}
	for i, name := range certainties {
		o.Causes[string(name)] = d.figures.certain[i].Load()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	o.Waiting, o.High = len(d.waiting), d.high
	return o
}

// flooded tells whether refusals come in masses: then only keys and forms are tried.
func (d *diagnoser) flooded() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.waiting) > specimens/4 || d.all.spent > float64(d.budget.second)/2
}
