package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"touchstone/admission"
	"touchstone/journal"
	"touchstone/observe"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/sqlite"
	"touchstone/terminal"
)

// Times of a canary.
const (
	canaryEvery    = time.Minute
	canaryDeadline = 5 * time.Second // an answer that takes longer is late
	canaryGrace    = 3 * time.Second // how much longer it is waited for
	canaryLook     = 2 * time.Second // how long its journal entry is looked for
	canaryFirst    = 3 * time.Second // from the start to the first round
	canarySkips    = 200             // traces left out at the start: more than one round uses
	canaryTries    = 3               // a message turned away for want of room is sent so often
	settleRounds   = 500             // rounds in a batch
	canarySpare    = 200             // refusals of one round that are journaled whatever else is refused
)

// finding is what became of one probe.
type finding struct {
	probe     canaryProbe
	algorithm mac.Algorithm // of the terminal's MAC
	terminal  string
	got       string // the reason, or what else was seen; "" when not run
	de39      string
	seq       uint64 // its journal entry, 0 when none was found
	latency   time.Duration
	ok        bool
	proven    bool   // got is the host's own judgment: the proof did not do its work
	notRun    string // why the probe was not sent
}

// What else may be seen instead of a reason.
const (
	gotApproved = "approved"
	gotLate     = "late"
	gotNothing  = "no answer"
	gotNoEntry  = "not in the journal"
	gotMoney    = "money moved"
	gotUnsent   = "could not be sent"
)

// want is the reason that is expected, "approved" for a good message.
func (f *finding) want() string {
	if f.probe.want == reason.None {
		return gotApproved
	}
	return f.probe.want.String()
}

// key names a probe of one terminal: an alarm is raised once a key.
func (f *finding) key() string { return string(f.probe.probe) + "/" + f.terminal }

// round is one pass over all probes.
type round struct {
	at       time.Time
	took     time.Duration
	findings []finding
}

// canaryCounts are what a canary has done since it started.
type canaryCounts struct {
	Rounds, Messages, Alarms uint64
	Ineffective              int       // probes that are not as they must be now
	Last                     time.Time // end of the last round; zero before
}

// canaryHand sends the probes of a set of reserved terminals and raises what it finds.
type canaryHand struct {
	set      *canarySet
	journal  *sqlite.Reader
	head     func(context.Context) (uint64, error) // the newest durable entry
	raise    func(context.Context, *findingChange) error
	deadline time.Duration
	log      *slog.Logger
	only     []terminal.Probe // nil: every one

	turn   sync.Mutex                    // one round at a time; guards the two fields below; taken before mu
	open   map[string]*terminal.Terminal // by role
	rounds int

	mu   sync.Mutex // guards the fields below
	bad  map[string]bool
	last time.Time

	done, messages, alarms atomic.Uint64
	spare                  atomic.Int64 // refusals of this round that the flood limit lets be
}

func newCanary(set *canarySet, r *sqlite.Reader, raise func(context.Context, *findingChange) error, deadline time.Duration, log *slog.Logger) *canaryHand {
	head := func(ctx context.Context) (uint64, error) {
		last, _, err := r.Head(ctx)
		return last, err
	}
	return &canaryHand{set: set, journal: r, head: head, raise: raise, deadline: deadline, log: log, open: map[string]*terminal.Terminal{}, bad: map[string]bool{}}
}

// counts reads the counters.
func (h *canaryHand) counts() canaryCounts {
	h.mu.Lock()
	defer h.mu.Unlock()
	return canaryCounts{Rounds: h.done.Load(), Messages: h.messages.Load(), Alarms: h.alarms.Load(), Ineffective: len(h.bad), Last: h.last}
}

// run makes a round at once and then one every period until ctx ends. told, if not nil, is given each.
func (h *canaryHand) run(ctx context.Context, every time.Duration, told func(*round)) {
	if err := h.recall(ctx); err != nil {
		h.log.Warn("canary does not know its earlier findings", slog.String("error", err.Error()))
	}
	next := time.NewTicker(every)
	defer next.Stop()
	for {
		r := h.round(ctx)
		if ctx.Err() != nil {
			return
		}
		if told != nil {
			told(r)
		}
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
	}
}

// recall folds the canary's own events, so that a restart does not raise again what is known.
func (h *canaryHand) recall(ctx context.Context) error {
	events, err := h.journal.Events(ctx, 0, canaryRecall)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range events {
		key := e.Parameters["probe"] + "/" + e.Terminal
		switch e.Name {
		case eventIneffective:
			h.bad[key] = true
		case eventEffective:
			delete(h.bad, key)
		}
	}
	return err
}

// canaryRecall is how many events back an alarm is remembered at a start.
const canaryRecall = 10_000

// round sends every probe once and raises what changed.
func (h *canaryHand) round(ctx context.Context) *round {
	h.turn.Lock()
	defer h.turn.Unlock()
	r := &round{at: time.Now()}
	h.spare.Store(canarySpare)
	h.prepare(ctx)
	for _, p := range canaryProbes {
		if h.only != nil && !slices.Contains(h.only, p.probe) {
			continue
		}
		for _, m := range h.set.members(p.role) {
			f := h.send(ctx, p, m)
			if ctx.Err() != nil {
				return r
			}
			r.findings = append(r.findings, f)
			if err := h.judge(ctx, &f); err != nil && ctx.Err() == nil {
				h.log.Error("canary finding not recorded", slog.String("probe", string(p.probe)), slog.String("error", err.Error()))
			}
		}
		if len(h.set.members(p.role)) == 0 {
			r.findings = append(r.findings, finding{probe: p, notRun: notRunNoTerminal})
		}
	}
	r.took = time.Since(r.at)
	h.rounds++
	h.done.Add(1)
	h.mu.Lock()
	h.last = time.Now()
	h.mu.Unlock()
	return r
}

// prepare opens the terminals, signs them in, and now and then settles their batch, in which nothing was
// sold. What fails here shows in the probes.
func (h *canaryHand) prepare(ctx context.Context) {
	for _, m := range h.set.terminals {
		t := h.open[m.role]
		if t == nil {
			cfg := m.config()
			cfg.Timeout, cfg.DialTimeout = h.deadline+canaryGrace, h.deadline+canaryGrace
			opened, err := terminal.Open(cfg)
			if err == nil {
				err = opened.SkipTraces(canarySkips)
			}
			if err != nil {
				h.log.Error("canary terminal did not open", slog.String("terminal", cfg.Terminal.String()), slog.String("error", err.Error()))
				continue
			}
			t, h.open[m.role] = opened, opened
		}
		if m.role == roleSignedOff || m.role == roleCertified || m.role == roleUnshown {
			continue
		}
		if _, err := t.SignIn(ctx); err != nil {
			h.log.Error("canary terminal did not sign in", slog.String("error", err.Error()))
		}
		if h.rounds%settleRounds == settleRounds-1 {
			if _, err := t.Settle(ctx); err != nil {
				h.log.Warn("canary terminal did not settle", slog.String("error", err.Error()))
			}
		}
	}
}

// close ends the terminals.
func (h *canaryHand) close() error {
	h.turn.Lock()
	defer h.turn.Unlock()
	var errs []error
	for role, t := range h.open {
		errs = append(errs, t.Close())
		delete(h.open, role)
	}
	return errors.Join(errs...)
}

// send sends one probe and reads its journal entry.
func (h *canaryHand) send(ctx context.Context, p canaryProbe, m *canaryTerminal) (f finding) {
	for range canaryTries {
		f = h.sendOnce(ctx, p, m)
		if f.ok || !transient(f.got) || ctx.Err() != nil {
			return f
		}
	}
	return f
}

// transient reasons say that the host had no room or a part of it was away, not that a proof was wrong.
func transient(got string) bool {
	switch got {
	case reason.Overloaded.String(), reason.JournalUnavailable.String(), reason.ModuleUnavailable.String(), reason.RateLimited.String(), gotNoEntry:
		return true
	}
	return false
}

func (h *canaryHand) sendOnce(ctx context.Context, p canaryProbe, m *canaryTerminal) finding {
	f := finding{probe: p, algorithm: m.algorithm, terminal: m.id.String()}
	if f.notRun = h.set.lacks(p.probe); f.notRun != "" {
		return f
	}
	t := h.open[m.role]
	if t == nil {
		f.got = gotUnsent
		return f
	}
	card, err := h.set.card()
	if err != nil {
		f.got = gotUnsent
		return f
	}
	defer card.Wipe()
	head, err := h.head(ctx)
	if err != nil {
		f.got = gotNoEntry
		return f
	}
	h.messages.Add(1)
	out, err := t.Probe(ctx, p.probe, card, p.amount)
	f.latency, f.de39 = out.Elapsed, out.DE39.String()
	if err != nil {
		f.got = gotUnsent
		h.log.Warn("canary message not sent", slog.String("probe", string(p.probe)), slog.String("error", err.Error()))
		return f
	}
	seq, x, err := h.find(ctx, head+1, &out)
	if err != nil {
		h.log.Warn("canary cannot read the journal", slog.String("error", err.Error()))
	}
	f.seq = seq
	f.weigh(&out, x, h.deadline)
	return f
}

// weigh says what was seen, the worst first.
func (f *finding) weigh(out *terminal.ProbeOutcome, x *journal.Exchange, deadline time.Duration) {
	good := f.probe.want == reason.None
	switch {
	case x != nil && x.Delta != 0:
		f.got, f.proven = gotMoney, true
	case out.Approved && !good:
		f.got, f.proven = gotApproved, true
	case out.Outcome == terminal.NoConnection || (out.MTI == 0 && !out.Closed):
		f.got = gotNothing
	case x == nil:
		f.got = gotNoEntry
	case x.Reason == reason.None && good && !out.Approved:
		f.got = out.Outcome.String()
	case x.Reason == reason.None && (x.DE39 == pos.Approved || f.probe.probe == terminal.ProbeGarbage) && !good:
		f.got, f.proven = gotApproved, true
	case out.Elapsed > deadline:
		f.got = gotLate
	default:
		f.got = gotApproved
		if x.Reason != reason.None {
			f.got = x.Reason.String()
		}
		f.ok = x.Reason == f.probe.want
		f.proven = !f.ok && !good && !transient(f.got)
	}
}

// find is the newest entry from a number on that a probe led to; nil when there is none in time. Bytes
// that are no message have only the address they came from.
func (h *canaryHand) find(ctx context.Context, from uint64, out *terminal.ProbeOutcome) (seq uint64, found *journal.Exchange, err error) {
	until := time.Now().Add(canaryLook)
	for {
		err = h.journal.Blocks(ctx, from, func(b journal.Block) error {
			err := b.Each(func(e journal.Entry) error {
				var x journal.Exchange
				if e.Kind != journal.KindExchange || e.Seq < from || x.Parse(e) != nil {
					return nil
				}
				if x.Terminal == out.Terminal && x.MTI == out.Request && x.STAN == out.Trace && (x.MTI != 0 || h.set.from == x.Source) {
					x.Details, x.Wrapped = nil, nil // views of a block
					seq, found = e.Seq, &x
				}
				return nil
			})
			if last, headErr := h.head(ctx); err == nil && headErr == nil && found != nil && b.Last() >= last {
				return errBeyond // nothing newer to look at
			}
			return err
		})
		if errors.Is(err, errBeyond) {
			err = nil
		}
		if err != nil || found != nil || ctx.Err() != nil || time.Now().After(until) || out.Outcome == terminal.NoConnection {
			return seq, found, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// judge raises a finding that is not as it was.
func (h *canaryHand) judge(ctx context.Context, f *finding) error {
	if f.notRun != "" {
		return nil
	}
	h.mu.Lock()
	was := h.bad[f.key()]
	h.mu.Unlock()
	if was == !f.ok {
		return nil
	}
	if !f.ok {
		h.alarms.Add(1)
		h.log.Error("authentication ineffective", slog.String("proof", f.proof()), slog.String("probe", string(f.probe.probe)),
			slog.String("expected", f.want()), slog.String("got", f.got), slog.Duration("latency", f.latency))
	}
	if err := h.raise(ctx, f.change()); err != nil {
		return fmt.Errorf("raise: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.ok {
		delete(h.bad, f.key())
	} else {
		h.bad[f.key()] = true
	}
	return nil
}

// proof is the kind of proof that the probe tries; a good message tries that the host approves at all.
func (f *finding) proof() string {
	if f.probe.want == reason.None {
		return "service"
	}
	return f.probe.check.String()
}

// findingChange is a finding on its way to the host.
type findingChange struct {
	OK        bool   `json:"ok"`
	Proven    bool   `json:"proven"` // the host judged wrongly: policy may stop sales
	Proof     string `json:"proof"`
	Algorithm string `json:"algorithm,omitempty"`
	Probe     string `json:"probe"`
	Terminal  string `json:"terminal"`
	Expected  string `json:"expected"`
	Got       string `json:"got"`
	DE39      string `json:"de39"`
	LatencyMS int64  `json:"latency_ms"`
	Seq       uint64 `json:"entry,omitempty"`
}

func (f *finding) change() *findingChange {
	return &findingChange{OK: f.ok, Proven: f.proven, Proof: f.proof(), Algorithm: f.algorithm.String(), Probe: string(f.probe.probe), Terminal: f.terminal,
		Expected: f.want(), Got: f.got, DE39: f.de39, LatencyMS: f.latency.Milliseconds(), Seq: f.seq}
}

// exempt tells the flood limit which refusals are the host's own canary's: a flood from elsewhere must not
// keep its verdicts out of the journal. Nobody else gains much by calling from its address: so many a round.
func (e *engine) exempt(r admission.Refusal) bool {
	if e.ofLaboratory(r) {
		return true
	}
	hand := e.canary.Load()
	if hand == nil || r.Source == (pos.Address{}) || (r.Source != hand.set.from && r.Source != hand.set.elsewhere) {
		return false
	}
	return hand.spare.Add(-1) >= 0
}

// proving is what /metrics and the status show of the watches.
func (e *engine) proving() observe.Proving {
	p := observe.Proving{Stopped: len(e.ledger.Stops().Names())}
	p.Approvals, p.Full = e.watch.totals()
	if hand := e.canary.Load(); hand != nil {
		c := hand.counts()
		p.Rounds, p.Messages, p.Alarms, p.Ineffective, p.LastRound = c.Rounds, c.Messages, c.Alarms, c.Ineffective, c.Last
	}
	return p
}

// durable is the newest durable entry.
func (e *engine) durable(context.Context) (uint64, error) { return e.ledger.Durable(), nil }

// finding records what a canary found, and where policy says so stops the sales that rest on the proof.
func (e *engine) finding(ctx context.Context, c *findingChange) (changed, error) {
	event := &journal.Event{Name: eventIneffective, Severity: journal.Alarm, Terminal: c.Terminal, Cause: c.Seq,
		Parameters: map[string]string{"proof": c.Proof, "algorithm": c.Algorithm, "probe": c.Probe, "expected": c.Expected, "got": c.Got,
			"de39": c.DE39, "latency_ms": strconv.FormatInt(c.LatencyMS, 10)}}
	if c.OK {
		event.Name, event.Severity = eventEffective, journal.Info
	}
	events := []*journal.Event{event}
	check, known := proof.ParseCheck(c.Proof)
	if !c.OK && c.Proven && known && e.stopIneffective {
		stop := &journal.Event{Name: proof.EventStopped, Severity: journal.Alarm, Cause: c.Seq, Parameters: map[string]string{proof.StopCheck: c.Proof}}
		if check == proof.MAC {
			stop.Parameters[proof.StopAlgorithm] = c.Algorithm
		}
		events = append(events, stop)
	}
	return changed{What: event.Name}, e.raise(ctx, events...)
}

// resumeChange lets stopped sales go on.
type resumeChange struct {
	By    string `json:"by" required:"false" hidden:"true"` // where there are no accounts
	Proof string `json:"proof,omitempty" doc:"Which proof's sales go on; every one when not given."`
}

// resume lifts stops in the name of a person.
func (e *engine) resume(ctx context.Context, c *resumeChange) (changed, error) {
	if c.By == "" {
		return changed{}, errors.New("a stop is lifted by a person: give a name")
	}
	stopped := e.ledger.Stops()
	if !stopped.Any() {
		return changed{}, errors.New("no sales are stopped")
	}
	event := &journal.Event{Name: proof.EventResumed, Severity: journal.Info, Parameters: map[string]string{"by": c.By}}
	if c.Proof != "" {
		if _, ok := proof.ParseCheck(c.Proof); !ok {
			return changed{}, fmt.Errorf("%q is not the name of a proof", c.Proof)
		}
		event.Parameters[proof.StopCheck] = c.Proof
	}
	return changed{What: "resumption of sales by " + c.By}, e.raise(ctx, event)
}
