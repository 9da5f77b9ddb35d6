package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"touchstone/journal"
)

// Reader reads a journal. Its methods may be called by many goroutines.
type Reader struct {
	dir  string
	db   *sql.DB
	scan int // MaxScan, but in tests

	instants instants

	mu     sync.Mutex // guards asHeld
	asHeld *sql.Stmt  // selectHeld, once it was needed: reading it anew takes longer than the search
}

// readConnections is the most readings of touchstone.db at once.
const readConnections = 4

// The bounds of one read transaction. A block has at most 4096 entries.
const (
	batchBlocks = 64
	batchBytes  = 8 << 20
)

// maxSeq is the highest entry number that fits SQLite's integer.
const maxSeq = 1<<63 - 1

// ErrNoEntry is returned for a number the journal does not hold.
var ErrNoEntry = errors.New("journal has no such entry")

// OpenReader opens the journal of a data directory to read, without its lock: an owner may be running. It
// needs leave to write the directory's -shm file, as every reader of a WAL does.
func OpenReader(dir string) (*Reader, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return openReader(context.Background(), dir)
}

func openReader(ctx context.Context, dir string) (*Reader, error) {
	path := filepath.Join(dir, journalFile)
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	db, err := settings{path: path, readOnly: true, conns: readConnections, pragmas: []string{"cache_size(-2048)"}}.open()
	if err != nil {
		return nil, err
	}
	if _, err := schemaVersion(ctx, db, path, len(journalSchema)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Reader{dir: dir, db: db, scan: MaxScan}, nil
}

// Close closes the journal.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asHeld == nil {
		return r.db.Close()
	}
	return errors.Join(r.asHeld.Close(), r.db.Close())
}

// held is selectHeld as SQLite has read it.
func (r *Reader) held(ctx context.Context) (stmt *sql.Stmt, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asHeld == nil {
		r.asHeld, err = r.db.PrepareContext(ctx, selectHeld)
	}
	return r.asHeld, err
}

// Head is the number and chain value of the last entry; 0 and the zero hash of an empty journal.
func (r *Reader) Head(ctx context.Context) (last uint64, head journal.Hash, err error) {
	return r.Boundary(ctx, maxSeq)
}

// Boundary is the last entry of the last block that ends at or before entry seq, with its chain value: a
// place from which a Verifier can go on. It is 0 and the zero hash where no block ends so early.
func (r *Reader) Boundary(ctx context.Context, seq uint64) (last uint64, head journal.Hash, err error) {
	// The block with the highest first may end after seq; then the one before it ends right before first.
	list, err := r.db.QueryContext(ctx, "SELECT first, n, head FROM block WHERE first <= ? ORDER BY first DESC LIMIT 2", int64(min(seq, maxSeq)))
	if err != nil {
		return 0, journal.Hash{}, fmt.Errorf("find end of block: %w", err)
	}
	defer list.Close()
	for list.Next() {
		var first, n int64
		var value []byte
		if err := list.Scan(&first, &n, &value); err != nil {
			return 0, journal.Hash{}, scanFault(fmt.Sprintf("find end of block before entry %d", seq), first, err)
		}
		if first <= 0 || n <= 0 || len(value) != journal.HashSize {
			return 0, journal.Hash{}, malformed(first)
		}
		if end := uint64(first+n) - 1; end <= seq {
			return end, journal.Hash(value), nil
		}
	}
	if err := list.Err(); err != nil {
		return 0, journal.Hash{}, fmt.Errorf("find end of block: %w", err)
	}
	return 0, journal.Hash{}, nil
}

// scanFault is the error of reading a row: one of SQLite or of a context as it is; any other means a column
// of another type, and would show the column's bytes.
func scanFault(what string, first int64, err error) error {
	if primaryCode(err) == 0 && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return malformed(first)
	}
	return fmt.Errorf("%s: %w", what, err)
}

func malformed(first int64) error {
	return &journal.ChainError{Seq: uint64(max(first, 0)), What: "the row of its block is malformed"}
}

// Blocks calls f with every block that ends at or after entry from, in order, up to the head at the time
// of the last batch read. No transaction is open while f runs. The slices of a block are valid during the
// call; Cold is nil.
func (r *Reader) Blocks(ctx context.Context, from uint64, f func(journal.Block) error) error {
	next, err := r.start(ctx, from)
	if err != nil {
		return err
	}
	for {
		batch, failed := r.batch(ctx, next)
		broken := max(next, from)
		for _, b := range batch {
			if err := f(b); err != nil {
				return err
			}
			next, broken = b.First+1, b.Last()+1
		}
		if failed != nil {
			return unreadable(broken, failed)
		}
		if len(batch) == 0 {
			return nil
		}
	}
}

// unreadable names the first entry that cannot be read where SQLite found the file damaged or the row is
// no block; any other err is returned as it is.
func unreadable(next uint64, err error) error {
	var chain *journal.ChainError
	switch {
	case errors.As(err, &chain):
		return &journal.ChainError{Seq: next, What: chain.What}
	case isCorrupt(err):
		return &journal.ChainError{Seq: next, What: fmt.Sprintf("its block cannot be read: %s", err)}
	}
	return err
}

// start is the first entry of the block that holds from, or from itself where none does.
func (r *Reader) start(ctx context.Context, from uint64) (uint64, error) {
	if from == 0 || from > maxSeq {
		return min(from, maxSeq), nil
	}
	var first, n int64
	err := r.db.QueryRowContext(ctx, "SELECT first, n FROM block WHERE first <= ? ORDER BY first DESC LIMIT 1", int64(from)).Scan(&first, &n)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return from, nil
	case err != nil:
		return 0, scanFault(fmt.Sprintf("find block of entry %d", from), int64(from), err)
	case uint64(first+n) > from:
		return uint64(first), nil
	}
	return from, nil
}

const selectBlock = "SELECT first, n, prev, head, body FROM block "

// selectHeld finds the block that would hold an entry.
const selectHeld = selectBlock + "WHERE first <= ? ORDER BY first DESC LIMIT 1"

// batch reads blocks that begin at or after entry next, in one short read transaction. With an error it
// returns those before it.
func (r *Reader) batch(ctx context.Context, next uint64) ([]journal.Block, error) {
	list, err := r.db.QueryContext(ctx, selectBlock+"WHERE first >= ? ORDER BY first LIMIT ?", int64(next), batchBlocks)
	if err != nil {
		return nil, fmt.Errorf("read blocks from entry %d: %w", next, err)
	}
	defer list.Close()
	var blocks []journal.Block
	for bytes := 0; bytes < batchBytes && list.Next(); {
		b, err := scanBlock(list)
		if err != nil {
			return blocks, err
		}
		blocks, bytes = append(blocks, b), bytes+len(b.Body)
	}
	if err := list.Err(); err != nil {
		return blocks, fmt.Errorf("read blocks from entry %d: %w", next, err)
	}
	return blocks, nil
}

func scanBlock(list *sql.Rows) (journal.Block, error) {
	var first, n int64
	var prev, head, body []byte
	if err := list.Scan(&first, &n, &prev, &head, &body); err != nil {
		return journal.Block{}, scanFault("read block", first, err)
	}
	if first <= 0 || n <= 0 || n > int64(len(body)) || len(prev) != journal.HashSize || len(head) != journal.HashSize {
		return journal.Block{}, malformed(first)
	}
	return journal.Block{First: uint64(first), N: int(n), Prev: journal.Hash(prev), Head: journal.Hash(head), Body: body}, nil
}

// Entry is one entry by its number, or ErrNoEntry. It is not verified.
func (r *Reader) Entry(ctx context.Context, seq uint64) (journal.Entry, error) {
	b, err := r.blockOf(ctx, seq)
	if err != nil {
		return journal.Entry{}, err
	}
	var found journal.Entry
	err = b.Each(func(e journal.Entry) error {
		if e.Seq == seq {
			found = e
		}
		return nil
	})
	if err != nil {
		return journal.Entry{}, fmt.Errorf("read journal entry %d: %w", seq, err)
	}
	return found, nil
}

// lostBlock is the error for a block that a search by number does not find where the file has it: the index
// over the numbers is damaged.
func lostBlock(seq uint64) error {
	return &journal.ChainError{Seq: seq, What: "a search by number does not find its block"}
}

// blockOf reads the block that holds entry seq.
func (r *Reader) blockOf(ctx context.Context, seq uint64) (journal.Block, error) {
	find, err := r.held(ctx)
	if err != nil {
		return journal.Block{}, fmt.Errorf("read journal entry %d: %w", seq, err)
	}
	list, err := find.QueryContext(ctx, int64(min(seq, maxSeq)))
	if err != nil {
		return journal.Block{}, fmt.Errorf("read journal entry %d: %w", seq, err)
	}
	defer list.Close()
	if list.Next() {
		b, err := scanBlock(list)
		if err != nil {
			return journal.Block{}, err
		}
		switch {
		case b.First > seq:
			return journal.Block{}, lostBlock(seq)
		case seq <= b.Last():
			return b, nil
		}
	}
	if err := list.Err(); err != nil {
		return journal.Block{}, fmt.Errorf("read journal entry %d: %w", seq, err)
	}
	return journal.Block{}, fmt.Errorf("read journal entry %d: %w", seq, ErrNoEntry)
}

// Verify recomputes the chain from entry from to the head; progress, if not nil, is told the last entry
// verified after each block. From 0 or 1 the proof begins at the journal's first entry; from a later one
// at its block, whose own chain value before it is taken as given. The error is a *journal.ChainError
// naming the first entry that cannot be proven intact: the chain is stored once a block, so where only a
// hash differs that is the block's first. It cannot see that blocks are missing at the end.
func (r *Reader) Verify(ctx context.Context, from uint64, progress func(seq uint64)) error {
	var v *journal.Verifier
	if from <= 1 {
		v = journal.NewVerifier(0, journal.Hash{})
	}
	return r.Blocks(ctx, from, func(b journal.Block) error {
		if v == nil {
			v = journal.NewVerifier(b.First-1, b.Prev)
		}
		if err := v.Block(b); err != nil {
			return err
		}
		if progress != nil {
			progress(b.Last())
		}
		return nil
	})
}
