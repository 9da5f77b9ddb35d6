package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"touchstone/effectiveness"
	"touchstone/grade"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/sqlite"
)

// Bounds of the watch's queue. What does not fit is dropped and read from the journal later: the writer
// never waits for it.
const (
	watchBlocks = 64
	watchBytes  = 8 << 20
	watchLook   = time.Second // how often a drop is made good when no block comes
)

// tellWithin is how old a change may be and still be told when it is found while the figures are rebuilt:
// one of the last moments before a crash may have no event yet, an older one has.
const tellWithin = time.Minute

// piece is a copy of one durable block's entries.
type piece struct {
	first uint64
	n     int
	body  []byte
}

// watch keeps the live figures of effectiveness: one goroutine folds what the committer made durable.
type watch struct {
	reader *sqlite.Reader
	clock  func() pos.Instant
	raise  func(context.Context, ...*journal.Event) error
	log    *slog.Logger

	queue  chan piece
	queued atomic.Int64 // bytes
	lost   atomic.Bool  // a block was dropped
	drops  atomic.Uint64
	room   sync.Pool // of []byte

	mu    sync.Mutex // guards state
	state *effectiveness.State
	also  func(journal.Entry) // reads every entry after the figures did
	book  *grade.Book         // what was seen of each terminal

	pending map[told]*effectiveness.Change // Run's own: changes that have no event yet
	ready   chan struct{}                  // closed when the journal has been read to its head once
}

// told names a change and the event that tells of it.
type told struct {
	cause uint64
	trait string
}

func newWatch(reader *sqlite.Reader, clock func() pos.Instant, log *slog.Logger) *watch {
	return &watch{reader: reader, clock: clock, log: log, queue: make(chan piece, watchBlocks),
		state: effectiveness.New(effectiveness.DefaultStandard(), effectiveness.LiveBounds()), pending: map[told]*effectiveness.Change{}, book: grade.NewBook(grade.Stretch),
		ready: make(chan struct{})}
}

// watched is a sink whose durable blocks the watch sees.
type watched struct {
	journal.Sink
	watch *watch
}

// Append implements journal.Sink.
func (s watched) Append(ctx context.Context, b journal.Block) error {
	err := s.Sink.Append(ctx, b)
	if err == nil {
		s.watch.offer(b)
	}
	return err
}

// offer copies a durable block for the watch, or drops it when the watch is behind. It is called on the
// committer's goroutine and costs one copy.
func (w *watch) offer(b journal.Block) {
	if w.queued.Load()+int64(len(b.Body)) > watchBytes {
		w.drop()
		return
	}
	room, _ := w.room.Get().([]byte)
	p := piece{b.First, b.N, append(room[:0], b.Body...)}
	w.queued.Add(int64(len(p.body)))
	select {
	case w.queue <- p:
	default:
		w.queued.Add(-int64(len(p.body)))
		w.drop()
	}
}

func (w *watch) drop() {
	w.drops.Add(1)
	w.lost.Store(true)
}

// run rebuilds the figures of the last hours and then follows the journal until ctx ends.
func (w *watch) run(ctx context.Context) error {
	if err := w.begin(ctx); err != nil {
		return fmt.Errorf("rebuild figures: %w", err)
	}
	if err := w.catchUp(ctx); err != nil {
		return fmt.Errorf("rebuild figures: %w", err)
	}
	w.forgetOld()
	close(w.ready)
	look := time.NewTicker(watchLook)
	defer look.Stop()
	for {
		if err := w.tell(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case p := <-w.queue:
			err := w.take(ctx, p)
			w.queued.Add(-int64(len(p.body)))
			w.room.Put(p.body)
			if err != nil {
				return err
			}
		case <-look.C:
			if w.lost.Swap(false) {
				if err := w.catchUp(ctx); err != nil {
					return err
				}
			}
		}
	}
}

// take folds a piece, after what was dropped before it.
func (w *watch) take(ctx context.Context, p piece) error {
	if p.first > w.last()+1 {
		w.lost.Store(false)
		if err := w.catchUp(ctx); err != nil {
			return err
		}
	}
	return w.fold(journal.Block{First: p.first, N: p.n, Body: p.body})
}

func (w *watch) last() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.Last()
}

// catchUp reads the journal from where the state is to its head.
func (w *watch) catchUp(ctx context.Context) error {
	return w.reader.Blocks(ctx, w.last()+1, func(b journal.Block) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return w.fold(b)
	})
}

func (w *watch) fold(b journal.Block) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return b.Each(func(e journal.Entry) error {
		changes, err := w.state.Fold(e)
		w.also(e)
		w.book.Fold(e)
		for i := range changes {
			w.pending[told{e.Seq, changes[i].Trait.String()}] = &changes[i]
		}
		if e.Kind == journal.KindEvent && err == nil {
			if event, ok := parseEvent(e); ok && event.Name == effectiveness.EventChanged {
				delete(w.pending, told{event.Cause, event.Parameters["trait"]})
			}
		}
		return err
	})
}

// forgetOld drops the changes found while rebuilding that were told in their time.
func (w *watch) forgetOld() {
	now := w.clock()
	for k, c := range w.pending {
		if now.Sub(c.At) > tellWithin {
			delete(w.pending, k)
		}
	}
}

// tell records an event for every change that has none.
func (w *watch) tell(ctx context.Context) error {
	if len(w.pending) == 0 {
		return nil
	}
	var events []*journal.Event
	for _, c := range w.pending {
		events = append(events, c.Event())
	}
	clear(w.pending)
	err := w.raise(ctx, events...)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("record change of a terminal: %w", err)
	}
	return nil
}

// begin takes what is registered and finds the first entry of the hours that are kept.
func (w *watch) begin(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	keep := time.Duration(effectiveness.LiveBounds().Hours) * time.Hour
	return beginAt(ctx, w.reader, w.state, w.clock()-pos.Instant(keep))
}

// beginAt prepares a state to fold from an instant on: the newest records of the register, which entries
// from then on correct as they come.
func beginAt(ctx context.Context, r *sqlite.Reader, s *effectiveness.State, at pos.Instant) error {
	err := r.Cold(ctx, sqlite.Cold{
		Merchant: func(_ uint64, m registry.Merchant) error { s.Merchant(&m); return nil },
		Device:   func(_ uint64, d registry.Device) error { s.Device(&d); return nil },
		Terminal: func(_ uint64, t registry.Terminal) error { s.Terminal(&t); return nil },
	})
	if err != nil {
		return err
	}
	first, err := firstSince(ctx, r, at)
	if err == nil && first > 0 {
		s.Begin(first - 1)
	}
	return err
}

// firstSince is about the first entry at or after an instant: entries are in the order of their commit,
// which differs from that of their instants by a moment. One past the head when there is none.
func firstSince(ctx context.Context, r *sqlite.Reader, at pos.Instant) (uint64, error) {
	first, err := r.FirstAt(ctx, at)
	if err != nil || first > 0 {
		return first, err
	}
	last, _, err := r.Head(ctx)
	return last + 1, err
}

// report is the live figures of a range; ready is false while they are rebuilt.
func (w *watch) report(r effectiveness.Range) (report effectiveness.Report, ready bool) {
	select {
	case <-w.ready:
		ready = true
	default:
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.Report(r), ready
}

// caughtUp tells whether the journal has been read to its head once.
func (w *watch) caughtUp() bool {
	select {
	case <-w.ready:
		return true
	default:
		return false
	}
}

// totals are the approvals kept and those fully proven.
func (w *watch) totals() (approvals, full uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state.Totals()
}

// startWatch follows the journal in the background. A watch whose journal cannot be read ends; the host goes
// on without live figures.
func (e *engine) startWatch(ctx context.Context) {
	e.watch.raise = e.raise
	e.wait.Go(func() {
		if err := e.watch.run(ctx); err != nil && ctx.Err() == nil {
			e.log.Error("no live figures of effectiveness until the next start", slog.String("error", err.Error()))
		}
	})
}

// raise records events and returns when they are durable.
func (e *engine) raise(ctx context.Context, events ...*journal.Event) error {
	records := make([]any, len(events))
	for i, event := range events {
		records[i] = event
	}
	return e.ledger.Register(ctx, e.clock(), records...)
}
