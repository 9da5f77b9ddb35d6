package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"touchstone/journal"
	"touchstone/notify"
	"touchstone/pos"
	"touchstone/sqlite"
	"touchstone/staff"
	"touchstone/tracing"
)

// Bounds of telling endpoints.
const (
	hookRead  = 64          // messages that are read ahead of one endpoint
	hookScan  = 20_000      // entries that one reading looks at
	hookLook  = time.Second // between two looks where nothing is due
	hookFirst = 2 * time.Second
	hookMost  = time.Hour // longest pause between two attempts
)

// hookWait is the pause after so many failures: doubled each time, and drawn between half and all of it, so that
// endpoints that failed together do not come again together.
func hookWait(tries int) time.Duration {
	d := hookMost
	if tries < 12 {
		d = min(hookFirst<<(max(tries, 1)-1), hookMost)
	}
	return d/2 + rand.N(d/2)
}

// hookLane tells one endpoint, in the order of the journal, one message at a time.
type hookLane struct {
	engine *engine
	file   *sqlite.Webhooks
	id     string
	end    context.CancelFunc
	at     sqlite.WebhookPosition
	ahead  []hookMessage // read of the journal, not told
	read   uint64        // the last entry that was read: those up to it are told, not wanted, or in ahead
	saved  uint64        // at.Done as it was saved

	mu      sync.Mutex // guards what follows, for whoever looks
	behind  uint64     // entries
	failing time.Time
}

// startHooks tells endpoints until the returned func is called; messages that are under way are waited for.
func (e *engine) startHooks(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() {
		look := time.NewTicker(hookLook)
		defer look.Stop()
		var lanes sync.WaitGroup
		defer lanes.Wait()
		for {
			e.lookAtHooks(ctx, &lanes)
			select {
			case <-ctx.Done():
				return
			case <-e.hooks.wake:
			case <-look.C:
			}
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}

// wakeHooks lets the lanes be looked at now.
func (h *hooks) wakeHooks() {
	select {
	case h.wake <- struct{}{}:
	default: // they are going to be
	}
}

// lookAtHooks starts a lane for each endpoint that has none, and ends those of endpoints that were disabled.
func (e *engine) lookAtHooks(ctx context.Context, running *sync.WaitGroup) {
	enabled := map[string]uint64{}
	e.office.view(func(r *rooms) {
		for _, w := range r.staff.Webhooks() {
			if w.Disabled == 0 {
				enabled[w.ID] = w.After
			}
		}
	})
	h := &e.hooks
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, lane := range h.lanes {
		if _, on := enabled[id]; !on {
			lane.end()
		}
	}
	for id, after := range enabled {
		if h.lanes[id] != nil || ctx.Err() != nil {
			continue
		}
		lane, err := e.newHookLane(ctx, id, after)
		if err != nil {
			e.log.Warn("an endpoint cannot be told", slog.String("webhook", id), slog.String("error", err.Error()))
			continue
		}
		own, end := context.WithCancel(ctx)
		lane.end = end
		h.lanes[id] = lane
		running.Go(func() {
			defer end()
			if err := lane.run(own); err != nil && own.Err() == nil {
				e.log.Warn("an endpoint is not told for now", slog.String("webhook", id), slog.String("error", err.Error()))
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			delete(h.lanes, id)
		})
	}
}

func (e *engine) newHookLane(ctx context.Context, id string, after uint64) (*hookLane, error) {
	file, err := e.hooks.file.open(ctx, e.dir)
	if err != nil {
		return nil, err
	}
	p, known, err := file.Position(ctx, id)
	if err != nil {
		return nil, err
	}
	if !known {
		p.Done = after
	}
	return &hookLane{engine: e, file: file, id: id, at: p, read: p.Done, saved: p.Done}, nil
}

// record is the endpoint as it is now; nil when it is disabled.
func (l *hookLane) record() (w *staff.Webhook) {
	l.engine.office.view(func(r *rooms) {
		if known := r.staff.Webhook(l.id); known != nil && known.Disabled == 0 {
			copied := *known
			w = &copied
		}
	})
	return w
}

// run tells until ctx ends or the endpoint is disabled. Between two messages of the journal one of a replay goes, so that
// neither keeps the other waiting for ever.
func (l *hookLane) run(ctx context.Context) error {
	for ctx.Err() == nil {
		w := l.record()
		if w == nil {
			return nil
		}
		if wait := time.Until(l.at.Next); wait > 0 && !sleep(ctx, wait) {
			return nil
		}
		told, err := l.next(ctx, w)
		if err == nil {
			var again bool
			again, err = l.replay(ctx, w)
			told = told || again
		}
		if err != nil {
			return err
		}
		if !told && !sleep(ctx, hookLook/4) {
			return nil
		}
	}
	return nil
}

// sleep waits, and tells whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// next tells the next message of the journal, if there is one.
func (l *hookLane) next(ctx context.Context, w *staff.Webhook) (told bool, err error) {
	durable := l.engine.ledger.Durable()
	defer func() { l.look(durable) }()
	if len(l.ahead) == 0 && durable > l.read {
		if l.ahead, l.read, err = l.take(ctx, w, l.read+1, durable); err != nil {
			return false, err
		}
	}
	if len(l.ahead) == 0 {
		if l.at.Done = l.read; l.at.Done-l.saved < hookScan {
			return false, nil // what is not wanted is read again after a crash: so much and no more
		}
		l.saved = l.at.Done
		return false, l.file.Save(ctx, l.id, &l.at, nil)
	}
	return true, l.tell(ctx, w, &l.ahead[0], 0, func(seq uint64) {
		if l.ahead, l.at.Done = l.ahead[1:], seq; len(l.ahead) == 0 {
			l.at.Done = l.read
		}
	})
}

// replay tells the next message of what was asked for again, if there is one.
func (l *hookLane) replay(ctx context.Context, w *staff.Webhook) (told bool, err error) {
	if w.Replay == nil || l.at.Tries > 0 || l.at.Replay == w.Replay.N && l.at.Replayed >= w.Replay.Last {
		return false, nil
	}
	if l.at.Replay != w.Replay.N {
		l.at.Replay, l.at.Replayed = w.Replay.N, w.Replay.First-1
	}
	list, read, err := l.take(ctx, w, l.at.Replayed+1, w.Replay.Last)
	if err != nil {
		return false, err
	}
	if len(list) == 0 {
		l.at.Replayed = read
		return true, l.file.Save(ctx, l.id, &l.at, nil)
	}
	return true, l.tell(ctx, w, &list[0], w.Replay.N, func(seq uint64) {
		if l.at.Replayed = seq; len(list) == 1 {
			l.at.Replayed = read
		}
	})
}

var errHookEnough = errors.New("enough was read")

// take reads what the endpoint wants of the entries from to last; read is the last entry that was looked at.
func (l *hookLane) take(ctx context.Context, w *staff.Webhook, from, last uint64) (list []hookMessage, read uint64, err error) {
	read = from - 1
	err = l.engine.store.Blocks(ctx, from, func(b journal.Block) error {
		return b.Each(func(entry journal.Entry) error {
			switch {
			case entry.Seq < from:
				return nil
			case entry.Seq > last || len(list) == hookRead || entry.Seq-from >= hookScan:
				return errHookEnough
			}
			if m, ok := hookOf(entry); ok && slices.Contains(w.Types, m.Type) {
				list = append(list, m)
			}
			read = entry.Seq
			return nil
		})
	})
	if errors.Is(err, errHookEnough) {
		err = nil
	}
	return list, read, err
}

// The states of a delivery.
const (
	hookDelivered = "delivered"
	hookWaiting   = "waiting" // it is tried again
)

// tell makes one attempt, and keeps what became of it with the position, both or neither. A crash between the receiver's
// answer and that repeats this one message.
func (l *hookLane) tell(ctx context.Context, w *staff.Webhook, m *hookMessage, replay int, done func(seq uint64)) error {
	seq, err := parseEventID(m.ID)
	if err != nil {
		return err
	}
	begun := time.Now()
	traced := tracing.NewContext()
	sent, err := l.engine.sendHook(ctx, w, m, traced)
	if err != nil || ctx.Err() != nil && sent.Kind != "" { // ended by us: no failure of theirs
		return err
	}
	l.engine.traces.outward("webhook", traced, begun, sent.Kind != "", tracing.Attribute{Name: "touchstone.webhook", Value: l.id}, tracing.Attribute{Name: "touchstone.message", Value: m.ID},
		tracing.Attribute{Name: "touchstone.result", Value: cmp.Or(sent.Kind, hookDelivered)})
	d := sqlite.WebhookDelivery{Entry: seq, Replay: replay, Type: m.Type, State: hookDelivered, Attempts: l.at.Tries + 1, Code: sent.Code, Error: sent.Kind, At: begun.UTC(), Took: time.Since(begun)}
	if sent.Kind == "" {
		done(seq)
		l.at.Tries, l.at.Since, l.at.Next = 0, time.Time{}, time.Time{}
	} else {
		d.State = hookWaiting
		l.at.Tries++
		if l.at.Since.IsZero() {
			l.at.Since = begun.UTC()
		}
		wait := hookWait
		if l.engine.hooks.wait != nil {
			wait = l.engine.hooks.wait
		}
		l.at.Next = time.Now().Add(wait(l.at.Tries))
	}
	l.saved = l.at.Done
	if err := l.file.Save(context.WithoutCancel(ctx), l.id, &l.at, &d); err != nil {
		return err
	}
	l.engine.countHook(sent.Kind)
	if !l.at.Since.IsZero() && begun.Sub(l.at.Since) >= staff.WebhookPatience {
		return l.giveUp(ctx)
	}
	return nil
}

// giveUp disables an endpoint that took nothing for days, and tells people.
func (l *hookLane) giveUp(ctx context.Context) error {
	e := l.engine
	err := e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		return staff.SetWebhook(r.staff, l.id, true, staff.WebhookGivenUp, now)
	})
	if err != nil {
		return err
	}
	l.at.Tries, l.at.Since, l.at.Next = 0, time.Time{}, time.Time{} // who enables it begins anew
	return errors.Join(l.file.Save(ctx, l.id, &l.at, nil),
		e.ledger.Register(ctx, e.clock(), &journal.Event{Name: staff.EventWebhookDisabled, Severity: journal.Warning, Parameters: map[string]string{"webhook": l.id}}))
}

// sendHook signs a message under each secret of now and sends it once.
func (e *engine) sendHook(ctx context.Context, w *staff.Webhook, m *hookMessage, traced tracing.Context) (notify.Sent, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return notify.Sent{}, err
	}
	at := time.Now()
	text := notify.SignedText(at, body)
	secrets := [][]byte{w.Secret}
	if len(w.Former) > 0 && e.clock() < w.FormerUntil {
		secrets = append(secrets, w.Former)
	}
	var sums [][32]byte
	for _, sealed := range secrets {
		sum, err := e.module.SignWebhook(w.URL, sealed, text)
		if err != nil {
			return notify.Sent{}, err
		}
		sums = append(sums, sum)
	}
	send := e.hooks.guard.Send
	if e.hooks.send != nil {
		send = e.hooks.send
	}
	return send(ctx, &notify.Hook{URL: w.URL, ID: m.ID, Body: body, Signature: notify.Signature(at, sums...), Trace: e.traces.parent(traced)}), nil
}

func (e *engine) countHook(kind string) {
	e.hooks.mu.Lock()
	defer e.hooks.mu.Unlock()
	e.hooks.sent[kind]++
}

// look notes how far behind the lane is.
func (l *hookLane) look(durable uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.behind, l.failing = durable-min(durable, l.at.Done), l.at.Since
}
