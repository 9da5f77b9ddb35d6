package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/sqlite"
)

// past is the journal of a data directory as it was at one moment, for a ledger that is rebuilt in memory: what came
// later is left out. It reads; nothing of the directory is changed.
//
// Where the directory was made after that moment, it is taken with what it knows of terminals and without any message.
type past struct {
	reader *sqlite.Reader
	until  pos.Instant
	young  bool                // the directory is younger than until
	tell   func(journal.Entry) // of every entry that counts
	recent *recentEntries      // of messages judged since
	last   uint64
}

var _ ledger.History = (*past)(nil)

// readPast looks when the directory was made.
func readPast(ctx context.Context, r *sqlite.Reader, until pos.Instant) (*past, error) {
	first, err := r.Entry(ctx, 1)
	if err != nil && !errors.Is(err, sqlite.ErrNoEntry) {
		return nil, err
	}
	return &past{reader: r, until: until, young: err == nil && first.At >= until, recent: &recentEntries{}, tell: func(journal.Entry) {}}, nil
}

// Head implements ledger.History. It is asked only where there is a checkpoint, and for one.
func (p *past) Head(context.Context) (uint64, journal.Hash, error) { return 0, journal.Hash{}, nil }

// ColdRecords implements ledger.History; it is asked only where there is a checkpoint.
func (p *past) ColdRecords(context.Context, ledger.ColdRecords) error { return nil }

// Entry implements ledger.History.
func (p *past) Entry(ctx context.Context, seq uint64) (journal.Entry, error) {
	if seq > p.last {
		return p.recent.entry(seq)
	}
	e, err := p.reader.Entry(ctx, seq)
	if err == nil && !p.counts(e) {
		return journal.Entry{}, sqlite.ErrNoEntry
	}
	return e, err
}

// counts tells whether an entry is of the past.
func (p *past) counts(e journal.Entry) bool {
	if !p.young {
		return e.At < p.until
	}
	switch e.Kind {
	case journal.KindExchange, journal.KindEvent, journal.KindCause, journal.KindFlood:
		return false
	}
	return true
}

// sinkOf is a journal.Sink of a func.
type sinkOf func(journal.Block) error

// Append implements journal.Sink.
func (f sinkOf) Append(_ context.Context, b journal.Block) error { return f(b) }

// Blocks implements ledger.History. It verifies the chain as it is on the disk and makes a chain of its own of what
// counts; an entry that does not leaves its number to one that changes nothing.
func (p *past) Blocks(ctx context.Context, _ uint64, f func(journal.Block) error) error {
	verifier := journal.NewVerifier(0, journal.Hash{})
	out := journal.NewCommitter(sinkOf(func(b journal.Block) error {
		p.last = b.Last()
		return f(b)
	}), 0, journal.Hash{})
	var raw journal.Raw
	return p.reader.Blocks(ctx, 1, func(b journal.Block) error {
		if err := verifier.Block(b); err != nil {
			return err
		}
		err := b.Each(func(e journal.Entry) error {
			if !p.counts(e) {
				e.Kind, e.Body = journal.KindKey, nil
			} else if e.Kind == journal.KindCard {
				e.Body = boundless(e.Body)
			}
			p.tell(e)
			raw.Entry = e
			_, err := out.Enqueue(&raw, journal.Outcome, nil)
			return err
		})
		if err != nil {
			return err
		}
		return out.Flush()
	})
}

// plenty is the balance of a card whose bank is not ours to ask, in fen.
const plenty pos.Amount = 1 << 50

// boundless is a card's opening with a balance that ends nothing: what the bank says is read from the capture.
func boundless(body []byte) []byte {
	var o issuer.Opening
	if json.Unmarshal(body, &o) != nil {
		return body // the ledger will say so
	}
	o.Balance = plenty
	changed, err := json.Marshal(&o)
	if err != nil {
		return body
	}
	return changed
}

// recentEntries keeps the newest entries of a sink, so that a refund finds its sale: in chunks, because a piece of
// memory for each is dearer than what is in it.
type recentEntries struct {
	chunks []entryChunk // the oldest first
	n      int          // entries in all of them
}

// entryChunk are entries that follow each other.
type entryChunk struct {
	first uint64
	ends  []uint32 // of each in bytes
	bytes []byte
}

// The bounds of recentEntries: how many entries at least, for so long a sale is refunded by number; and the bytes of
// a chunk, of which an entry takes some 250.
const (
	keptEntries = 1 << 18
	chunkBytes  = 1 << 18
)

func (r *recentEntries) keep(e journal.Entry) {
	at := len(r.chunks) - 1
	if at < 0 || len(r.chunks[at].bytes)+journal.MaxEntry > chunkBytes || r.chunks[at].first+uint64(len(r.chunks[at].ends)) != e.Seq {
		next := entryChunk{first: e.Seq}
		if at > 0 && r.n-len(r.chunks[0].ends) >= keptEntries {
			r.n -= len(r.chunks[0].ends)
			next.ends, next.bytes = r.chunks[0].ends[:0], r.chunks[0].bytes[:0]
			r.chunks = slices.Delete(r.chunks, 0, 1)
		} else {
			next.ends, next.bytes = make([]uint32, 0, chunkBytes>>8), make([]byte, 0, chunkBytes)
		}
		r.chunks = append(r.chunks, next)
		at = len(r.chunks) - 1
	}
	c := &r.chunks[at]
	c.bytes = append(journal.AppendHead(c.bytes, e.Kind, e.At), e.Body...)
	c.ends = append(c.ends, uint32(len(c.bytes)))
	r.n++
}

func (r *recentEntries) entry(seq uint64) (journal.Entry, error) {
	for i := len(r.chunks) - 1; i >= 0; i-- {
		c := &r.chunks[i]
		if seq < c.first {
			continue
		}
		at := seq - c.first
		if at >= uint64(len(c.ends)) {
			break
		}
		begins := uint32(0)
		if at > 0 {
			begins = c.ends[at-1]
		}
		return journal.ParseEntry(seq, slices.Clone(c.bytes[begins:c.ends[at]]))
	}
	return journal.Entry{}, sqlite.ErrNoEntry
}

// forgetful is a ledger.Store that keeps nothing: what is no longer in memory is not known.
type forgetful struct{}

var _ ledger.Store = forgetful{}

// Checkpoint implements ledger.Store.
func (forgetful) Checkpoint(context.Context, ledger.Checkpoint) error { return nil }

// LoadSlabs implements ledger.Store.
func (forgetful) LoadSlabs(context.Context, ledger.SlabKind, func(ledger.Slab) error) error {
	return nil
}

// Floor implements ledger.Store.
func (forgetful) Floor(context.Context) (ledger.Floor, error) { return ledger.Floor{}, nil }

// RecordBySeq implements ledger.Store.
func (forgetful) RecordBySeq(context.Context, uint64) ([]byte, bool, error) { return nil, false, nil }

// SeqByTrace implements ledger.Store.
func (forgetful) SeqByTrace(context.Context, pos.TerminalID, uint64) (uint64, bool, error) {
	return 0, false, nil
}

// ResetState implements ledger.Store.
func (forgetful) ResetState(context.Context) error { return nil }
