package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"touchstone/diagnosis/clone"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
)

// Parameters of the event that two devices are suspected; all but the words are read back by touchstone clone.
const (
	cloneLikelihood = "likelihood" // "1 in 310000": that one device did this
	cloneFirst      = "first"      // number of the first entry that counts
	cloneSince      = "since"      // its time, RFC 3339
	cloneAddressA   = "address_a"
	cloneAddressB   = "address_b"
	cloneSaid       = "said" // kinds of the events with their weights
	cloneBy         = "by"
	cloneNote       = "note"
)

// cloneWatch folds what the watch reads of the journal, and tells of terminals whose identity two devices bear.
type cloneWatch struct {
	mu       sync.Mutex // guards all below; no other lock is taken under it
	detector *clone.Detector
	waiting  map[pos.TerminalID]clone.Suspicion // found, and not told of yet
	wake     chan struct{}

	telling sync.Mutex                // one telling or clearing at a time; taken before any other lock
	cleared map[pos.TerminalID]uint64 // the newest entry when a suspicion was cleared in this run; guarded by telling
}

// maxWaiting bounds suspicions that wait to be told of; what does not fit is found again with the terminal's next evidence
// after a restart.
const maxWaiting = 4096

func newCloneWatch() *cloneWatch {
	return &cloneWatch{detector: clone.New(clone.Options{Serial: proof.SerialPresented}), waiting: map[pos.TerminalID]clone.Suspicion{}, wake: make(chan struct{}, 1), cleared: map[pos.TerminalID]uint64{}}
}

// fold takes one durable entry, on the watch's goroutine.
func (c *cloneWatch) fold(e journal.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, found := c.detector.Fold(e)
	if event, ok := parseEvent(e); ok && event.Name == proof.EventCloneCleared {
		if id, err := pos.ParseTerminalID(event.Terminal); err == nil {
			delete(c.waiting, id) // found again while the journal was read, and over long since
		}
	}
	if !found || len(c.waiting) >= maxWaiting {
		return
	}
	c.waiting[s.Terminal] = s
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *cloneWatch) take() (list []clone.Suspicion) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.waiting {
		list = append(list, s)
	}
	clear(c.waiting)
	return list
}

// startClones tells of suspicions until ctx ends, beginning when the last hours of the journal have been read again.
func (e *engine) startClones(ctx context.Context) {
	e.wait.Go(func() {
		select {
		case <-ctx.Done():
			return
		case <-e.watch.ready:
		}
		for {
			for _, s := range e.clones.take() {
				if err := e.tellClone(ctx, &s); err != nil && ctx.Err() == nil {
					e.log.Error("a suspicion of two devices could not be recorded", slog.String("terminal", s.Terminal.String()), slog.String("error", err.Error()))
				}
			}
			select {
			case <-ctx.Done():
				return
			case <-e.clones.wake:
			}
		}
	})
}

// tellClone records the suspicion, once, with the cause of a refused message where one is due, as one group.
func (e *engine) tellClone(ctx context.Context, s *clone.Suspicion) error {
	grade := proof.SaidWithout
	if s.Keys {
		grade = proof.SaidWithKeys
	}
	e.clones.telling.Lock()
	defer e.clones.telling.Unlock()
	if e.ledger.Suspected(s.Terminal) >= grade || s.Seq <= e.clones.cleared[s.Terminal] {
		return nil // told, or found before people cleared it and only told of now
	}
	t, err := e.ledger.Terminal(s.Terminal)
	if err != nil || t.Canary {
		return err
	}
	event := cloneEvent(s)
	event.Merchant = t.Merchant.String()
	if d, err := e.ledger.Device(t.Serial); err == nil {
		event.Model = d.Model
	}
	if first, err := e.store.Reader.Entry(ctx, s.First); err == nil {
		event.Parameters[cloneSince] = first.At.Time().Format(time.RFC3339)
	}
	records := []any{event}
	cause, err := e.cloneCause(ctx, s)
	if err != nil {
		return err
	}
	if cause != nil {
		records = append(records, cause)
	}
	return e.ledger.Register(ctx, e.clock(), records...)
}

// cloneEvent is the journal's event of a suspicion.
func cloneEvent(s *clone.Suspicion) *journal.Event {
	p := map[string]string{cloneLikelihood: fmt.Sprintf("1 in %d", s.OneIn()), cloneFirst: fmt.Sprint(s.First), proof.SuspectKeys: "no", cloneSaid: cloneSays(s.Events)}
	if s.Keys {
		p[proof.SuspectKeys] = "yes"
	}
	for i, name := range []string{cloneAddressA, cloneAddressB} {
		if s.Sides[i].Source != (pos.Address{}) {
			p[name] = s.Sides[i].Source.String()
		}
	}
	return &journal.Event{Name: proof.EventCloneSuspected, Severity: journal.Alarm, Terminal: s.Terminal.String(), Parameters: p, Cause: s.Seq}
}

// cloneSays lists the kinds that counted with their weights, as one text within an event's bound.
func cloneSays(events []clone.Event) string {
	var parts []string
	for _, v := range events {
		parts = append(parts, fmt.Sprintf("%s %d.%d", v.Kind, v.Weight/10, v.Weight%10))
	}
	return clip(strings.Join(parts, ", "))
}

// cloneCause is what the suspicion says of the newest refused message among its evidence, nil where there is none or where
// a cause was found that it cannot better: it is indicated by the sum of what was seen, and proven where two different
// messages, from either device, were right under keys that a newer one in use had replaced.
func (e *engine) cloneCause(ctx context.Context, s *clone.Suspicion) (*journal.Cause, error) {
	if s.Refused == 0 || !s.Keys {
		return nil, nil
	}
	certainty := journal.Indicated
	if s.Proven {
		certainty = journal.Proven
	}
	known, _, ok, err := e.store.Reader.CauseOf(ctx, s.Refused)
	if err != nil {
		return nil, err
	}
	if ok && !s.Proven && (known.Certainty == journal.Proven || known.Certainty == journal.Indicated) {
		return nil, nil
	}
	c := journal.CauseOf(s.Refused, s.Terminal, s.Reason, reason.TwoDevices, certainty)
	c.Tried, c.Fit, c.OneIn = uint32(len(s.Events)), uint32(len(s.Events)), s.OneIn()
	for i := len(s.Events) - 1; i >= 0; i-- {
		if v := &s.Events[i]; v.Seq != s.Refused {
			c.With = v.Seq
			break
		}
	}
	return c, nil
}

// cloneClearChange is that a person looked and found one device, or has ended the other.
type cloneClearChange struct {
	Terminal string `json:"terminal"`
	Note     string `json:"note"` // what the visit found
}

// leastCloneNote is how short the note may be, bytes.
const leastCloneNote = 10

// clearClone ends a suspicion in the name of the people who agreed.
func (e *engine) clearClone(ctx context.Context, c *cloneClearChange, actors []string) (changed, error) {
	id, err := pos.ParseTerminalID(c.Terminal)
	if err != nil {
		return changed{}, fmt.Errorf("terminal id: want 8 characters: %w", err)
	}
	note := strings.TrimSpace(c.Note)
	if len(note) < leastCloneNote || len(note) > journal.MaxEventText {
		return changed{}, fmt.Errorf("--note: say in %d to %d bytes what the visit found", leastCloneNote, journal.MaxEventText)
	}
	if e.ledger.Suspected(id) == proof.Unsuspected {
		return changed{}, errNoClone
	}
	event := &journal.Event{Name: proof.EventCloneCleared, Severity: journal.Info, Terminal: c.Terminal,
		Parameters: map[string]string{cloneBy: clip(strings.Join(actors, ", ")), cloneNote: note}}
	e.clones.telling.Lock()
	defer e.clones.telling.Unlock()
	err = e.raise(ctx, event)
	if err == nil {
		e.clones.cleared[id] = e.ledger.Durable()
	}
	return changed{What: "terminal " + c.Terminal + " is cleared of a clone", ZH: "终端 " + c.Terminal + " 的克隆嫌疑已解除"}, err
}

var errNoClone = errors.New("no clone of this terminal is suspected: touchstone clone list")
