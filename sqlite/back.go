package sqlite

import (
	"context"
	"fmt"
	"slices"

	"touchstone/journal"
)

// maxBackBlocks bounds the blocks of one reading backward: an idle host has blocks of one entry each.
const maxBackBlocks = 8192

// Back gives f the entries before before, newest first, until f returns false, at most about most of them; whole blocks
// are read. It returns the oldest entry that was given, before where there was none.
func (r *Reader) Back(ctx context.Context, before uint64, most int, f func(journal.Entry) bool) (from uint64, err error) {
	from = before
	for looked, blocks := 0, 0; from > 1 && looked < most && blocks < maxBackBlocks; {
		batch, err := r.blocksBefore(ctx, from, batchBlocks)
		if err != nil || len(batch) == 0 {
			return from, err
		}
		for _, b := range batch {
			var entries []journal.Entry
			err := b.Each(func(e journal.Entry) error {
				if e.Seq < from {
					entries = append(entries, e)
				}
				return nil
			})
			if err != nil {
				return from, fmt.Errorf("read journal entries %d to %d: %w", b.First, b.Last(), err)
			}
			slices.Reverse(entries)
			for _, e := range entries {
				from = e.Seq
				if !f(e) {
					return from, nil
				}
			}
			if looked, blocks = looked+len(entries), blocks+1; looked >= most {
				break
			}
		}
	}
	return from, nil
}

// blocksBefore are some blocks that begin before an entry, newest first, at most most.
func (r *Reader) blocksBefore(ctx context.Context, seq uint64, most int) ([]journal.Block, error) {
	list, err := r.db.QueryContext(ctx, selectBlock+"WHERE first < ? ORDER BY first DESC LIMIT ?", int64(min(seq, maxSeq)), most)
	if err != nil {
		return nil, fmt.Errorf("read blocks before entry %d: %w", seq, err)
	}
	defer list.Close()
	var blocks []journal.Block
	for bytes := 0; bytes < batchBytes && list.Next(); {
		b, err := scanBlock(list)
		if err != nil {
			return nil, err
		}
		blocks, bytes = append(blocks, b), bytes+len(b.Body)
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("read blocks before entry %d: %w", seq, err)
	}
	return blocks, nil
}

// BlockOf is the block that holds an entry, or ErrNoEntry. It is not verified.
func (r *Reader) BlockOf(ctx context.Context, seq uint64) (journal.Block, error) {
	return r.blockOf(ctx, seq)
}

// EventsBefore are at most most events before an entry, newest first.
func (r *Reader) EventsBefore(ctx context.Context, before uint64, most int) (events []StoredEvent, err error) {
	have, err := schemaVersion(ctx, r.db, journalFile, len(journalSchema))
	if err != nil || have < eventSchema {
		return nil, err
	}
	list, err := r.db.QueryContext(ctx, "SELECT seq, at, record FROM event WHERE seq < ? ORDER BY seq DESC LIMIT ?", int64(min(before, maxSeq)), most)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return storedEvents(list)
}
