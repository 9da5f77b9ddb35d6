package ledger

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"touchstone/journal"
	"touchstone/transaction"
)

// Checkpoint writes everything touched since the last one to the store and moves the floor: the next
// start replays the journal from there. Each object is copied under its own lock, so messages go on;
// nothing is written before it is durable in the journal.
//
// After an error the marks of what was touched are gone, so no later checkpoint of this process may
// move the floor: every further call returns ErrCheckpoint.
func (l *Ledger) Checkpoint(ctx context.Context) error {
	l.checkpointing.Lock()
	defer l.checkpointing.Unlock()
	if l.broken {
		return ErrCheckpoint
	}
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkpointTimeout)
	defer cancel()
	err := l.checkpoint(work)
	l.broken = err != nil
	return err
}

// checkpointTimeout bounds one pass.
const checkpointTimeout = 2 * time.Minute

// ErrCheckpoint is returned after a checkpoint failed: the journal alone keeps the state from then on.
var ErrCheckpoint = errors.New("ledger: an earlier checkpoint failed")

func (l *Ledger) checkpoint(ctx context.Context) error {
	floor, err := l.safeFloor(ctx)
	if err != nil {
		return err
	}
	batch := Checkpoint{Floor: &floor}
	newest := l.collectTerminals(&batch)
	newest = max(newest, l.collectCards(&batch))
	if err := l.awaitDurable(ctx, newest); err != nil {
		return err
	}
	if err := l.store.Checkpoint(ctx, batch); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	l.trim()
	return nil
}

// safeFloor is the journal's durable head now: whatever it holds is folded already.
func (l *Ledger) safeFloor(ctx context.Context) (Floor, error) {
	seq, head, err := l.history.Head(ctx)
	return Floor{seq, head}, err
}

// durablePoll is how often a checkpoint looks whether what it copied is durable.
const durablePoll = time.Millisecond

func (l *Ledger) awaitDurable(ctx context.Context, seq uint64) error {
	tick := time.NewTicker(durablePoll)
	defer tick.Stop()
	for l.committer.Durable() < seq {
		if l.committer.Failed() {
			return journal.ErrStopped
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// recordRoom is about what a record has as bytes.
const recordRoom = 192

func (l *Ledger) collectTerminals(batch *Checkpoint) (newest uint64) {
	l.mu.RLock()
	slots := l.termSlots
	l.mu.RUnlock()
	for from := 0; from < len(slots); from += SlabSize {
		group := slots[from:min(from+SlabSize, len(slots))]
		touched := false
		for _, t := range group {
			t.mu.Lock()
			touched = touched || t.touched
			t.mu.Unlock()
		}
		if !touched {
			continue
		}
		slab := Slab{Kind: TerminalSlab, ID: uint32(from / SlabSize)}
		for _, t := range group {
			t.mu.Lock()
			slab.Applied = max(slab.Applied, t.applied, t.permitEntry(), t.collect(batch))
			slab.Body = appendHigh(appendTerminal(slab.Body, t), t)
			t.touched = false
			t.mu.Unlock()
		}
		batch.Slabs = append(batch.Slabs, slab)
		newest = max(newest, slab.Applied)
	}
	return newest
}

// collect moves what was dirtied into a batch and returns the newest entry applied to any of it; t.mu is
// held.
func (t *terminal) collect(batch *Checkpoint) (newest uint64) {
	var traces []Trace
	for _, rec := range t.dirtied {
		if rec.fresh {
			traces = append(traces, Trace{indexKey(rec.Key()), rec.Seq})
		}
		if rec.applied != rec.Seq {
			batch.Records = append(batch.Records, RecordRow{rec.Seq, appendRecord(make([]byte, 0, recordRoom), rec)})
		}
		newest = max(newest, rec.applied)
		rec.dirty, rec.fresh = false, false
	}
	clear(t.dirtied)
	t.dirtied = t.dirtied[:0]
	slices.SortFunc(traces, func(a, b Trace) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Seq, b.Seq)) })
	var run []Trace
	for _, tr := range traces {
		high := &t.high[tr.Key>>classShift]
		if tr.Key <= *high {
			batch.Strays = append(batch.Strays, Stray{t.id, tr})
			continue
		}
		if len(run) > 0 && run[0].Key>>classShift != tr.Key>>classShift {
			batch.Runs, run = append(batch.Runs, Run{t.id, run}), nil
		}
		*high, run = tr.Key, append(run, tr)
	}
	if len(run) > 0 {
		batch.Runs = append(batch.Runs, Run{t.id, run})
	}
	return newest
}

// classShift is where the class stands in an index key, which has a zero bit above it.
const classShift = 60

// indexKey is a record's key in the store: class, batch, trace. A terminal's keys of one class ascend as it
// counts up, whatever it sends of another class between.
func indexKey(k transaction.Key) uint64 {
	class, batch, stan := uint64(k)>>28&0xf, uint64(k)>>32, uint64(k)&0xfffffff
	return class<<classShift | batch<<28 | stan
}

func (l *Ledger) collectCards(batch *Checkpoint) (newest uint64) {
	l.mu.RLock()
	slots := l.cardSlots
	l.mu.RUnlock()
	for from := 0; from < len(slots); from += SlabSize {
		touched := false
		var rows []cardRow
		slab := Slab{Kind: CardSlab, ID: uint32(from / SlabSize)}
		for _, c := range slots[from:min(from+SlabSize, len(slots))] {
			c.mu.Lock()
			touched = touched || c.touched
			c.touched = false
			rows = append(rows, cardRow{c.issuer.Opening, c.issuer.Tries, c.issuer.Version})
			slab.Applied = max(slab.Applied, c.issuer.Version)
			c.mu.Unlock()
		}
		if !touched {
			continue
		}
		body, err := json.Marshal(rows)
		if err != nil {
			panic("ledger: a card does not encode: " + err.Error())
		}
		slab.Body = body
		batch.Slabs = append(batch.Slabs, slab)
		newest = max(newest, slab.Applied)
	}
	return newest
}

// trim forgets records that the store has, beyond the newest few of each terminal. Loose tombstones stay.
func (l *Ledger) trim() {
	l.mu.RLock()
	slots := l.termSlots
	l.mu.RUnlock()
	for _, t := range slots {
		t.mu.Lock()
		t.forget(len(t.records) - l.opts.KeepRecords)
		t.mu.Unlock()
	}
}

// forget drops up to n records, those kept first first; t.mu is held.
func (t *terminal) forget(n int) {
	if n <= 0 {
		return
	}
	stay := t.order[:0]
	for _, rec := range t.order {
		switch {
		case t.records[rec.Key()] != rec: // replaced
		case n > 0 && !rec.dirty && !t.isLoose(rec):
			delete(t.records, rec.Key())
			t.trims++
			n--
		default:
			stay = append(stay, rec)
		}
	}
	clear(t.order[len(stay):])
	t.order = stay
}

// Hash is a digest of the whole state in memory, the same for the same journal however it came to be:
// terminals by id, their records by entry, cards by hash.
func (l *Ledger) Hash() [sha256.Size]byte {
	l.mu.RLock()
	terminals, cards := slices.Clone(l.termSlots), slices.Clone(l.cardSlots)
	l.mu.RUnlock()
	slices.SortFunc(terminals, func(a, b *terminal) int { return bytes.Compare(a.id[:], b.id[:]) })
	slices.SortFunc(cards, func(a, b *card) int {
		return cmp.Compare(a.issuer.Card.String(), b.issuer.Card.String())
	})
	sum := sha256.New()
	for _, t := range terminals {
		t.mu.Lock()
		sum.Write(appendTerminal(nil, t))
		for _, rec := range t.sortedRecords() {
			sum.Write(appendRecord(nil, rec))
		}
		t.mu.Unlock()
	}
	for _, c := range cards {
		c.mu.Lock()
		row, err := json.Marshal(cardRow{c.issuer.Opening, c.issuer.Tries, c.issuer.Version})
		c.mu.Unlock()
		if err != nil {
			panic("ledger: a card does not encode: " + err.Error())
		}
		sum.Write(row)
	}
	return [sha256.Size]byte(sum.Sum(nil))
}

// Run checkpoints until ctx ends, then once more. It returns the first error of the store, after which
// the journal alone keeps the state.
func (l *Ledger) Run(ctx context.Context, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := l.Checkpoint(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return l.Checkpoint(ctx)
		}
	}
}
