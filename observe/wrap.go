package observe

import (
	"context"
	"math/bits"
	"time"

	"touchstone/journal"
	"touchstone/ledger"
)

// blockBuckets: entries of a block in powers of two, 1 to 4096.
const blockBuckets = 13

// Sink counts blocks and times their writing on the way to the next sink.
type Sink struct {
	Next journal.Sink
	Live *Live
}

var _ journal.Sink = Sink{}

// Append implements journal.Sink.
func (s Sink) Append(ctx context.Context, b journal.Block) error {
	began := time.Now()
	if err := s.Next.Append(ctx, b); err != nil {
		return err
	}
	now, l := time.Now(), s.Live
	l.append.Add(now.Sub(began))
	l.lastBlock.Store(now.UnixNano())
	l.blocks.Add(1)
	l.entries.Add(uint64(b.N))
	l.blockSize[min(bits.Len(uint(max(b.N, 1)-1)), blockBuckets-1)].Add(1)
	return nil
}

// Store times the writing of checkpoints on the way to a store.
type Store struct {
	ledger.Store
	Live *Live
}

// Checkpoint implements ledger.Store.
func (s Store) Checkpoint(ctx context.Context, c ledger.Checkpoint) error {
	began := time.Now()
	err := s.Store.Checkpoint(ctx, c)
	now, l := time.Now(), s.Live
	if err != nil {
		l.checkpointFailures.Add(1)
		return err
	}
	l.checkpoints.Add(1)
	l.checkpointTook.Add(now.Sub(began))
	l.lastTook.Store(int64(now.Sub(began)))
	l.lastCheckpoint.Store(now.UnixNano())
	return nil
}
