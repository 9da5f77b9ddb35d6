package main

import (
	"container/heap"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/lab"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
)

// The pace of the recomputation. A step is judged and registered as a whole; nothing of it is left when the next
// begins. A small step is a short wait for the acts and messages that come between.
const (
	permitStep   = 512              // terminals of one step
	permitLook   = 64               // terminals judged while the rooms are held for reading
	permitAtOnce = 4096             // up to so many are judged before an act returns; more, soon after
	permitRate   = 30_000           // terminals a second of a long pass; 1,000,000 in 34 s
	permitTick   = time.Second      // how often time is asked whether it changed a fact
	permitAgain  = 10 * time.Second // after the journal refused
)

// permits keeps what terminals may do as the rule says. It is told of what was folded, works out whose facts that
// may have changed, judges those again and registers what came out differently. What is marked and not yet
// judged is lost with the process: every start judges all.
type permits struct {
	e        *engine
	standard *fleet.Policy

	computing sync.Mutex // one step at a time; taken before any lock of the ledger and of the office

	mu           sync.Mutex // a leaf: guards the fields below
	all          bool
	marked       map[pos.TerminalID]struct{}
	devices      map[pos.Serial]struct{}
	cashiers     bool
	cashierMarks cashierMarks
	bound        map[pos.Serial]pos.TerminalID   // the terminal that was bound to a device last
	rebound      map[pos.Serial][]pos.TerminalID // and those before it
	due          dueHeap                         // when time alone changes a fact
	dueAt        map[pos.TerminalID]pos.Instant

	wake chan struct{}
}

func newPermits(e *engine) (*permits, error) {
	standard, err := fleet.StandardPolicy()
	if err != nil {
		return nil, err
	}
	return &permits{e: e, standard: standard, marked: map[pos.TerminalID]struct{}{}, devices: map[pos.Serial]struct{}{},
		bound: map[pos.Serial]pos.TerminalID{}, rebound: map[pos.Serial][]pos.TerminalID{}, dueAt: map[pos.TerminalID]pos.Instant{},
		wake: make(chan struct{}, 1)}, nil
}

// registered is told of a record of a terminal or a device; ledger.Options.Registered.
func (k *permits) registered(t *registry.Terminal, d *registry.Device) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if t != nil {
		k.marked[t.ID] = struct{}{}
		if before, known := k.bound[t.Serial]; known && before != t.ID && !slices.Contains(k.rebound[t.Serial], before) {
			k.rebound[t.Serial] = append(k.rebound[t.Serial], before)
		}
		k.bound[t.Serial] = t.ID
	}
	if d != nil {
		k.devices[d.Serial] = struct{}{}
	}
	k.awake()
}

// folded is told of a change of a room. A change that names a terminal or a device is about that one; another of
// these rooms, such as an advisory, may be about any.
func (k *permits) folded(kind journal.Kind, c journal.Change) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch kind {
	case journal.KindStaff:
		if !k.cashierMarks.folded(c) {
			return
		}
		k.cashiers = true
	case journal.KindFleet, journal.KindLab:
		if slices.Contains(nounsOfFleet, c.Noun) || kind == journal.KindLab && slices.Contains(nounsOfLab, c.Noun) {
			return
		}
		var about struct {
			Terminal *pos.TerminalID `json:"terminal"`
			Serial   pos.Serial      `json:"serial"`
			Device   pos.Serial      `json:"device"`
		}
		err := json.Unmarshal(c.Record, &about)
		if _, known := k.bound[pos.Serial(c.ID)]; known {
			about.Device = pos.Serial(c.ID)
		}
		if err != nil || about.Terminal == nil && about.Serial == "" && about.Device == "" {
			k.all, k.cashiers, k.cashierMarks.all = true, true, true // the policy is one of them
			break
		}
		if about.Terminal != nil {
			k.marked[*about.Terminal] = struct{}{}
		}
		for _, serial := range []pos.Serial{about.Serial, about.Device} {
			if serial != "" {
				k.devices[serial] = struct{}{}
			}
		}
	default:
		return
	}
	k.awake()
}

// nounsOfLab change no certificate.
var nounsOfLab = []string{lab.NounKey, lab.NounScope, lab.NounRun, lab.NounObservation, lab.NounFinding}

// nounsOfFleet likewise.
var nounsOfFleet = []string{fleet.NounBurnDown, fleet.NounRepository}

// awake wakes the loop; k.mu is held.
func (k *permits) awake() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// take takes what is marked. k.computing is held, so what is taken is judged before others look.
func (k *permits) take() (ids []pos.TerminalID, all, cashiers bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for serial := range k.devices {
		if id, known := k.bound[serial]; known {
			k.marked[id] = struct{}{}
		}
		for _, id := range k.rebound[serial] {
			k.marked[id] = struct{}{}
		}
	}
	for id := range k.marked {
		ids = append(ids, id)
	}
	all, cashiers = k.all, k.cashiers
	k.all, k.cashiers = false, false
	clear(k.marked)
	clear(k.devices)
	slices.SortFunc(ids, func(a, b pos.TerminalID) int { return slices.Compare(a[:], b[:]) })
	return ids, all, cashiers
}

// settle judges what is marked, before it returns where that is quickly done, and leaves the rest to the loop. An
// error is the journal's; the marks stay.
func (k *permits) settle(ctx context.Context) error {
	err := k.settleMarked(ctx)
	if err != nil && ctx.Err() == nil && !errors.Is(err, journal.ErrStopped) {
		k.e.log.Warn("permits are not recomputed yet", slog.String("error", err.Error()))
	}
	return err
}

func (k *permits) settleMarked(ctx context.Context) error {
	k.computing.Lock()
	defer k.computing.Unlock()
	ids, all, cashiers := k.take()
	again := func(err error) error {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.all = true
		k.awake()
		return err
	}
	if cashiers {
		k.judgeCashiers()
	}
	for len(ids) > 0 {
		n := min(permitStep, len(ids))
		if err := k.step(ctx, k.permitted(ids[:n])); err != nil {
			return again(err)
		}
		ids = ids[n:]
	}
	if !all {
		return nil
	}
	if k.e.ledger.Counts().Terminals > permitAtOnce {
		return again(nil)
	}
	for from := 0; ; {
		list, next := k.slice(from, permitStep)
		if err := k.step(ctx, list); err != nil {
			return again(err)
		}
		if from = next; from == 0 {
			return nil
		}
	}
}

func (k *permits) permitted(ids []pos.TerminalID) (list []ledger.Permitted) {
	for _, id := range ids {
		if p, ok := k.e.ledger.Permitted(id); ok {
			list = append(list, p)
		}
	}
	return list
}

func (k *permits) slice(from, n int) (list []ledger.Permitted, next int) {
	next = k.e.ledger.EachPermitted(from, n, func(p ledger.Permitted) { list = append(list, p) })
	return list, next
}

// begin judges, before anything is served, the terminals that no entry says anything about; all others keep what
// their entry says until the loop comes to them.
func (k *permits) begin(ctx context.Context) error {
	k.mu.Lock()
	k.all, k.cashiers, k.cashierMarks.all = true, true, true
	clear(k.marked)
	clear(k.devices)
	k.mu.Unlock()
	k.computing.Lock()
	defer k.computing.Unlock()
	k.judgeCashiers()
	for from := 0; ; {
		list, next := k.slice(from, permitStep)
		list = slices.DeleteFunc(list, func(p ledger.Permitted) bool { return !p.Unjudged })
		if err := k.step(ctx, list); err != nil {
			return err
		}
		if from = next; from == 0 {
			return nil
		}
	}
}

// run judges what nobody waited for, and what time changed, until ctx ends.
func (k *permits) run(ctx context.Context) {
	tick := time.NewTicker(permitTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.wake:
		case <-tick.C:
			if !k.elapsed(k.e.clock()) {
				continue
			}
		}
		err := k.settle(ctx)
		if err == nil {
			err = k.pass(ctx)
		}
		if err != nil {
			select {
			case <-ctx.Done():
				return
			case <-time.After(permitAgain):
			}
		}
	}
}

// pass judges every terminal, step by step, no faster than permitRate. Between two steps acts have their turn.
func (k *permits) pass(ctx context.Context) error {
	k.mu.Lock()
	due := k.all
	k.all = false
	k.mu.Unlock()
	if !due {
		return nil
	}
	for from := 0; ; {
		began := time.Now()
		next, err := k.passStep(ctx, from)
		if err != nil {
			k.mu.Lock()
			k.all = true
			k.mu.Unlock()
			return err
		}
		if from = next; from == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(permitStep*time.Second/permitRate - time.Since(began)):
		}
	}
}

func (k *permits) passStep(ctx context.Context, from int) (next int, err error) {
	k.computing.Lock()
	defer k.computing.Unlock()
	list, next := k.slice(from, permitStep)
	return next, k.step(ctx, list)
}

// step judges terminals and registers the permits that are no longer what stands. k.computing is held.
func (k *permits) step(ctx context.Context, list []ledger.Permitted) error {
	var changed permitGroups
	for len(list) > 0 {
		n := min(permitLook, len(list))
		k.look(list[:n], &changed)
		list = list[n:]
	}
	if len(changed) == 0 {
		return nil
	}
	sets := make([]any, len(changed))
	for i, set := range changed {
		slices.SortFunc(set.Terminals, func(a, b pos.TerminalID) int { return slices.Compare(a[:], b[:]) })
		sets[i] = set
	}
	return k.e.ledger.Register(ctx, k.e.clock(), sets...)
}

// look judges a few terminals; what came out differently is added to changed. The ledger is not asked anything while
// the rooms are held, because it waits for them when it folds an act.
func (k *permits) look(list []ledger.Permitted, changed *permitGroups) {
	now, judged := k.e.clock(), make([]fleet.Judgment, len(list))
	var policy *fleet.Policy
	k.e.office.view(func(r *rooms) {
		policy = k.policy(r)
		var room [24]registry.Fact
		for i := range list {
			judged[i] = policy.Judge(terminalFacts(r, &list[i], now, room[:0]))
		}
	})
	for i := range list {
		p := &list[i]
		k.remember(p.Terminal.ID, judged[i].Until)
		switch {
		case !p.Terminal.Canary && !stands(p, &judged[i]):
			changed.add(p, &judged[i], policy.Label())
		case p.Unjudged:
			k.e.ledger.Judged(p.Terminal.ID)
		}
	}
}

// policy is the policy in force.
func (k *permits) policy(r *rooms) *fleet.Policy {
	if p := r.fleet.Policy(); p != nil {
		return p
	}
	return k.standard
}

// stands tells whether a judgment is what already stands: an entry with the same permit and facts or, where there is
// none, the registration alone.
func stands(p *ledger.Permitted, j *fleet.Judgment) bool {
	if p.Standing == nil {
		return j.Permit == p.Terminal.Permit.Plain() && !slices.ContainsFunc(j.Why, func(f registry.Fact) bool { return f.Name != registry.FactRegistration })
	}
	return j.Permit == p.Standing.Permit && slices.EqualFunc(j.Why, p.Standing.Facts, sameFact)
}

// sameFact tells whether two facts say the same; when they end by themselves is not what they say.
func sameFact(a, b registry.Fact) bool {
	same := a.Permit == nil && b.Permit == nil || a.Permit != nil && b.Permit != nil && a.Permit.Plain() == b.Permit.Plain()
	return same && a.Name == b.Name && a.State == b.State && a.Detail == b.Detail && a.Entry == b.Entry && a.Restore == b.Restore
}

// permitGroups are the entries of one step: terminals with the same permit for the same facts share one.
type permitGroups []*registry.PermitSet

func (g *permitGroups) add(p *ledger.Permitted, j *fleet.Judgment, policy string) {
	var since pos.Instant // of a permit of which only the facts changed
	if p.Standing != nil && p.Standing.Permit == j.Permit {
		since = p.Standing.Since
	}
	for i := len(*g) - 1; i >= 0; i-- { // most often the last
		set := (*g)[i]
		if set.Permit == j.Permit && set.Since == since && len(set.Terminals) < registry.MaxPermitTerminals && slices.EqualFunc(set.Facts, j.Why, sameFact) {
			set.Terminals = append(set.Terminals, p.Terminal.ID)
			return
		}
	}
	*g = append(*g, &registry.PermitSet{Permit: j.Permit, Facts: j.Why, Since: since, Policy: policy, Terminals: []pos.TerminalID{p.Terminal.ID}})
}

// dueHeap has when time alone changes a fact, the first in front. An entry that dueAt does not have is of the past.
type dueHeap []dueEntry

type dueEntry struct {
	at pos.Instant
	id pos.TerminalID
}

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push is heap.Interface's.
func (h *dueHeap) Push(x any) { *h = append(*h, x.(dueEntry)) }

// Pop is heap.Interface's.
func (h *dueHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// remember keeps when time alone changes a fact of a terminal; 0 never.
func (k *permits) remember(id pos.TerminalID, at pos.Instant) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.dueAt[id] == at {
		return
	}
	if at == 0 {
		delete(k.dueAt, id)
		return
	}
	k.dueAt[id] = at
	heap.Push(&k.due, dueEntry{at, id})
}

// elapsed marks the terminals of which time changed a fact, and tells whether there are any.
func (k *permits) elapsed(now pos.Instant) (some bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	some = k.cashierMarks.elapsed(now)
	k.cashiers = k.cashiers || some
	for len(k.due) > 0 && k.due[0].at <= now {
		due := heap.Pop(&k.due).(dueEntry)
		if k.dueAt[due.id] == due.at {
			delete(k.dueAt, due.id)
			k.marked[due.id] = struct{}{}
			some = true
		}
	}
	return some
}
