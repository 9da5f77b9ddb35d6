package main

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"

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

var _ ledger.Past = (*past)(nil)

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

// errNoBlocks is for a ledger that is opened by blocks: what is left out has none.
var errNoBlocks = errors.New("a past has entries and no blocks")

// Blocks implements ledger.History. A ledger of the past is rebuilt from Each.
func (p *past) Blocks(context.Context, uint64, func(journal.Block) error) error { return errNoBlocks }

// Each implements ledger.Past. It verifies the chain as it is on the disk; an entry that does not count leaves its number
// to nobody.
func (p *past) Each(ctx context.Context, f func(journal.Entry) error) (uint64, journal.Hash, error) {
	verifier := journal.NewVerifier(0, journal.Hash{})
	err := p.reader.Blocks(ctx, 1, func(b journal.Block) error {
		if err := verifier.Block(b); err != nil {
			return err
		}
		p.last = b.Last()
		return b.Each(func(e journal.Entry) error {
			if !p.counts(e) {
				return nil
			}
			if e.Kind == journal.KindCard {
				e.Body = boundless(e.Body)
			}
			p.tell(e)
			return f(e)
		})
	})
	last, head := verifier.Head()
	return last, head, err
}

// plenty is the balance of a card whose bank is not ours to ask, in fen.
const plenty pos.Amount = 1 << 50

// balanceName is the name of the balance in the JSON of a card's opening. In a text a quotation mark has a backslash
// before it, so these bytes are the name and nothing else.
const balanceName = `"balance":`

// boundless is a card's opening with a balance that ends nothing: what the bank says is read from the capture. What is no
// opening stays as it is, and the ledger will say so.
func boundless(body []byte) []byte {
	at := bytes.Index(body, []byte(balanceName))
	if at < 0 {
		return body
	}
	begin := at + len(balanceName)
	end := begin
	for end < len(body) && (body[end] == '-' || body[end] >= '0' && body[end] <= '9') {
		end++
	}
	changed := append(make([]byte, 0, len(body)+20), body[:begin]...)
	return append(strconv.AppendInt(changed, int64(plenty), 10), body[end:]...)
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
