package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"touchstone/journal"
	"touchstone/pos"
)

// viewSchema: "posting" holds a terminal's messages of one round of projection, "first" and "last" their
// entries, "sales" and "sold" how many sales were approved and for how much in minor units, "body" as
// posting.append has it. "exposed" holds approved sales of a terminal, at most chunkSales a row: "first" is the
// entry of the first, "first_ms" and "last_ms" the earliest and the latest in milliseconds since 1970 UTC, "body"
// as packSale has them. "redress" has a row for each payment of a claim; amounts are minor units.
// "refusal" has a row for each message that was refused; "at" is nanoseconds since
// 1970 UTC, reason and effect are their stable words. "boundary" and "head" of position are the end of the
// last block projected and its chain value.
var viewSchema = []string{`
CREATE TABLE exchange(seq INTEGER PRIMARY KEY);
CREATE TABLE position(id INTEGER PRIMARY KEY CHECK(id = 1), last INTEGER NOT NULL, boundary INTEGER NOT NULL, head BLOB NOT NULL) STRICT;
INSERT INTO position(id, last, boundary, head) VALUES(1, 0, 0, zeroblob(32));`, `
DROP TABLE exchange;
CREATE TABLE posting(terminal TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, messages INTEGER NOT NULL, sales INTEGER NOT NULL,
	sold INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY(terminal, first)) STRICT, WITHOUT ROWID;
CREATE TABLE refusal(seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, terminal TEXT NOT NULL, merchant TEXT NOT NULL, mti TEXT NOT NULL,
	type INTEGER NOT NULL, network INTEGER NOT NULL, batch INTEGER NOT NULL, stan INTEGER NOT NULL, amount INTEGER NOT NULL, de39 TEXT NOT NULL,
	reason TEXT NOT NULL, flags INTEGER NOT NULL, effect TEXT NOT NULL, card_shown TEXT NOT NULL, elapsed_us INTEGER NOT NULL) STRICT;
CREATE INDEX refusal_reason ON refusal(reason, seq);
UPDATE position SET last = 0, boundary = 0, head = zeroblob(32);`, `
DELETE FROM posting;
DELETE FROM refusal;
CREATE TABLE exposed(terminal TEXT NOT NULL, first INTEGER NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL, sales INTEGER NOT NULL,
	body BLOB NOT NULL, PRIMARY KEY(terminal, first)) STRICT, WITHOUT ROWID;
CREATE TABLE redress(seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, claim TEXT NOT NULL, part TEXT NOT NULL, proposal TEXT NOT NULL,
	sale INTEGER NOT NULL, terminal TEXT NOT NULL, card_shown TEXT NOT NULL, amount INTEGER NOT NULL) STRICT;
UPDATE position SET last = 0, boundary = 0, head = zeroblob(32);`, causeSchema, pastSchema, messageSchema}

// Bounds of a search.
const (
	MaxFound = 100       // exchanges returned, the newest
	MaxScan  = 1_000_000 // entries looked at in blocks that view.db does not cover, and again as many in view.db
)

// Found is the answer of a search. It says what it did not look at, so that "none" is never more than was
// seen.
type Found struct {
	Seqs      []uint64 // newest first, at most MaxFound
	From      uint64   // every entry from here to the head was searched
	Truncated bool     // older ones may exist: MaxFound was reached, or From is above 1
}

// FindExchange finds the exchanges of a terminal with a trace number, newest first. It uses view.db as far
// as that reaches and searches the newer blocks backward, at most MaxScan entries; without a usable
// view.db those are all it searches.
func (r *Reader) FindExchange(ctx context.Context, terminal pos.TerminalID, stan pos.STAN) (Found, error) {
	view, err := openView(ctx, r.dir)
	if err != nil {
		return r.find(ctx, nil, terminal, stan)
	}
	defer view.Close()
	if known, err := r.ownsView(ctx, view); err != nil || !known {
		return r.find(ctx, nil, terminal, stan)
	}
	return r.find(ctx, view, terminal, stan)
}

// openView opens an existing view.db of this program's schema to read.
func openView(ctx context.Context, dir string) (*sql.DB, error) {
	path := filepath.Join(dir, viewFile)
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	db, err := settings{path: path, readOnly: true, conns: readConnections, pragmas: []string{"cache_size(-4096)"}}.open()
	if err != nil {
		return nil, err
	}
	have, err := schemaVersion(ctx, db, path, len(viewSchema))
	if err == nil && have != len(viewSchema) {
		err = fmt.Errorf("%s: schema %d of %d", path, have, len(viewSchema))
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// position is how far a view has come.
type position struct {
	last     uint64 // the last entry projected
	boundary uint64 // the end of the last whole block projected
	head     journal.Hash
}

func readPosition(ctx context.Context, view rows) (p position, err error) {
	var last, boundary int64
	var head []byte
	err = view.QueryRowContext(ctx, "SELECT last, boundary, head FROM position WHERE id = 1").Scan(&last, &boundary, &head)
	if err != nil {
		return position{}, fmt.Errorf("read position of view: %w", err)
	}
	if last < boundary || boundary < 0 || len(head) != journal.HashSize {
		return position{}, errors.New("read position of view: malformed row")
	}
	return position{uint64(last), uint64(boundary), journal.Hash(head)}, nil
}

// ownsView tells whether a view was made from this journal.
func (r *Reader) ownsView(ctx context.Context, view rows) (bool, error) {
	p, err := readPosition(ctx, view)
	if err != nil {
		return false, err
	}
	last, head, err := r.Boundary(ctx, p.boundary)
	if err != nil {
		return false, err
	}
	end, _, err := r.Head(ctx)
	return err == nil && last == p.boundary && head == p.head && p.last <= end, err
}

// find searches the blocks newer than view backward and then view, which may be nil.
func (r *Reader) find(ctx context.Context, view *sql.DB, terminal pos.TerminalID, stan pos.STAN) (Found, error) {
	covered := uint64(0)
	if view != nil {
		p, err := readPosition(ctx, view)
		if err != nil {
			return Found{}, err
		}
		covered = p.last
	}
	found, err := r.scanBack(ctx, covered, terminal, stan)
	if err != nil || found.Truncated || covered == 0 {
		return found, err
	}
	if err := found.postings(ctx, view, terminal, stan, covered); err != nil {
		return Found{}, fmt.Errorf("search view: %w", err)
	}
	found.cut()
	return found, nil
}

// postings adds what view.db has, newest first.
func (f *Found) postings(ctx context.Context, view *sql.DB, terminal pos.TerminalID, stan pos.STAN, covered uint64) error {
	list, err := view.QueryContext(ctx, "SELECT first, messages, body FROM posting WHERE terminal = ? AND first <= ? ORDER BY first DESC", terminal.String(), int64(covered))
	if err != nil {
		return err
	}
	defer list.Close()
	for looked := 0; list.Next(); {
		var first, messages int64
		var body []byte
		if err := list.Scan(&first, &messages, &body); err != nil {
			return err
		}
		seqs, err := postingsOf(uint64(first), body, stan, covered)
		if err != nil {
			return err
		}
		f.Seqs, f.From = append(f.Seqs, seqs...), uint64(first)
		if looked += int(messages); looked >= MaxScan || len(f.Seqs) > MaxFound {
			f.Truncated = true
			return nil
		}
	}
	f.From = 1
	return list.Err()
}

// cut keeps the newest MaxFound; where it drops some, the search reaches down to the oldest kept.
func (f *Found) cut() {
	if len(f.Seqs) > MaxFound {
		f.Seqs, f.Truncated = f.Seqs[:MaxFound], true
		f.From = f.Seqs[MaxFound-1]
	}
}

// scanBack searches the entries after covered from the newest block backward.
func (r *Reader) scanBack(ctx context.Context, covered uint64, terminal pos.TerminalID, stan pos.STAN) (Found, error) {
	next, _, err := r.Head(ctx)
	if err != nil {
		return Found{}, err
	}
	found := Found{From: next + 1}
	for looked := 0; next > covered; {
		if looked >= MaxScan || len(found.Seqs) > MaxFound {
			found.Truncated = true
			break
		}
		b, err := r.blockOf(ctx, next)
		if err != nil {
			return Found{}, err
		}
		seqs, err := matches(b, covered, terminal, stan)
		if err != nil {
			return Found{}, err
		}
		found.Seqs, found.From = append(found.Seqs, seqs...), max(b.First, covered+1)
		looked, next = looked+b.N, b.First-1
	}
	found.cut()
	return found, nil
}

// matches lists the exchanges of one block after covered that match, newest first. An exchange written by
// a newer program that cannot be read here does not match.
func matches(b journal.Block, covered uint64, terminal pos.TerminalID, stan pos.STAN) (seqs []uint64, err error) {
	err = b.Each(func(e journal.Entry) error {
		var x journal.Exchange
		if e.Kind == journal.KindExchange && e.Seq > covered && x.Parse(e) == nil && x.Terminal == terminal && x.STAN == stan {
			seqs = append(seqs, e.Seq)
		}
		return nil
	})
	slices.Reverse(seqs)
	return seqs, err
}
