package sqlite

import (
	"context"
	"math/bits"
	"sync"

	"touchstone/journal"
	"touchstone/pos"
)

// mostInstants is how many blocks' instants a reader remembers; about 64 bytes each.
const mostInstants = 8192

// instants remember when blocks were written, by an entry that they were asked for by: a block never changes. Searches by time
// ask for the same entries first, so that one reads a few blocks where it would read one for each halving of the journal.
type instants struct {
	mu    sync.Mutex // a leaf: guards known
	known map[uint64]blockInstants
}

// blockInstants are the first and last entry of a block, when the first was written and the newest instant of any.
type blockInstants struct {
	first, last uint64
	at, newest  pos.Instant
}

func (s *instants) of(seq uint64) (b blockInstants, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok = s.known[seq]
	return b, ok
}

func (s *instants) keep(seq uint64, b blockInstants) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil || len(s.known) >= mostInstants {
		s.known = map[uint64]blockInstants{}
	}
	s.known[seq] = b
}

// instantsOf is when the block that holds an entry was written.
func (r *Reader) instantsOf(ctx context.Context, seq uint64) (blockInstants, error) {
	if known, ok := r.instants.of(seq); ok {
		return known, nil
	}
	b, err := r.blockOf(ctx, seq)
	if err != nil {
		return blockInstants{}, err
	}
	one := blockInstants{first: b.First, last: b.Last()}
	err = b.Each(func(e journal.Entry) error {
		if e.Seq == b.First {
			one.at = e.At
		}
		one.newest = max(one.newest, e.At)
		return nil
	})
	if err == nil {
		r.instants.keep(seq, one)
	}
	return one, err
}

// FirstAt is the first entry that is not before an instant, 0 when there is none: the journal's clock does not run
// backwards within a run of the host, so entries are searched as if it never did.
func (r *Reader) FirstAt(ctx context.Context, since pos.Instant) (uint64, error) {
	head, _, err := r.Head(ctx)
	if err != nil || head == 0 {
		return 0, err
	}
	low, high := uint64(1), head+1 // the answer is in [low, high]
	for low < high {
		b, err := r.instantsOf(ctx, roundest(low, high-1))
		if err != nil {
			return 0, err
		}
		switch {
		case b.newest < since:
			low = b.last + 1
		case b.at >= since:
			high = b.first
		default:
			return r.firstWithin(ctx, b.first, since)
		}
	}
	if low > head {
		return 0, nil
	}
	return low, nil
}

// roundest is the number from low to high, low not above it, that the most powers of two divide: it is the same for most ranges
// that lie about alike, and never leaves more than half of a power of two.
func roundest(low, high uint64) uint64 {
	return high &^ (1<<(bits.Len64((low-1)^high)-1) - 1)
}

// firstWithin is the first entry of a block that is not before an instant; there is one.
func (r *Reader) firstWithin(ctx context.Context, seq uint64, since pos.Instant) (found uint64, err error) {
	b, err := r.blockOf(ctx, seq)
	if err != nil {
		return 0, err
	}
	err = b.Each(func(e journal.Entry) error {
		if e.At >= since && found == 0 {
			found = e.Seq
		}
		return nil
	})
	return found, err
}
