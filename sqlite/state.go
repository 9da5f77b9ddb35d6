package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"

	"touchstone/journal"
	"touchstone/ledger"
)

// SlabKind is what a slab holds. Numbers are on disk for ever.
type SlabKind uint8

// The kinds of slabs.
const (
	TerminalSlab SlabKind = 1 // 64 terminals a row
	CardSlab     SlabKind = 2 // 64 cards a row
)

// String is the kind's word.
func (k SlabKind) String() string {
	switch k {
	case TerminalSlab:
		return "terminal"
	case CardSlab:
		return "card"
	}
	return fmt.Sprintf("kind-%d", uint8(k))
}

// Slab is one row of hot state. Body is the ledger's encoding.
type Slab struct {
	Kind    SlabKind
	ID      uint64
	Applied uint64 // number of the last journal entry folded into it
	Body    []byte
}

// StoredRecord is one remembered message that was changed after it was made. Body is the ledger's encoding.
type StoredRecord struct {
	Seq  uint64
	Body []byte
}

// Trace says which entry recorded a message of this index key, below 2^63.
type Trace = ledger.Trace

// Run is a terminal's traces in ascending order of their keys, above those of its runs before; Stray one
// that came out of that order. See package ledger.
type (
	Run   = ledger.Run
	Stray = ledger.Stray
)

// Floor is where the tail begins: all that Seq and the entries before it did is in the checkpoint. Seq is
// the end of a block (Reader.Boundary) and Head the chain value after it, which ties the checkpoint to
// its journal.
type Floor struct {
	Seq  uint64
	Head journal.Hash
}

// CheckpointBatch is what one Checkpoint writes. Every part may be empty.
type CheckpointBatch struct {
	Slabs   []Slab
	Records []StoredRecord
	Runs    []Run
	Strays  []Stray
	Floor   *Floor // nil: it stays where it is
}

// SlabError names a slab whose bytes do not fit its sum. The caller resets the state and rebuilds it.
type SlabError struct {
	Kind SlabKind
	ID   uint64
}

func (e *SlabError) Error() string {
	return fmt.Sprintf("%s slab %d of %s: sum differs", e.Kind, e.ID, stateFile)
}

var stateSchema = []string{`
CREATE TABLE slab(kind INTEGER NOT NULL, id INTEGER NOT NULL, applied INTEGER NOT NULL, body BLOB NOT NULL, sum BLOB NOT NULL,
	PRIMARY KEY(kind, id)) STRICT, WITHOUT ROWID;
CREATE TABLE record(seq INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE trace(terminal BLOB NOT NULL, key INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(terminal, key)) STRICT, WITHOUT ROWID;
CREATE TABLE floor(id INTEGER PRIMARY KEY CHECK(id = 1), seq INTEGER NOT NULL, head BLOB NOT NULL) STRICT;`, `
DROP TABLE record;
DROP TABLE trace;
DELETE FROM slab;
DELETE FROM floor;
CREATE TABLE record(seq INTEGER PRIMARY KEY, body BLOB NOT NULL, sum BLOB NOT NULL) STRICT;
CREATE TABLE run(terminal BLOB NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, body BLOB NOT NULL, sum BLOB NOT NULL,
	PRIMARY KEY(terminal, first)) STRICT, WITHOUT ROWID;
CREATE TABLE stray(terminal BLOB NOT NULL, key INTEGER NOT NULL, seq INTEGER NOT NULL, sum BLOB NOT NULL,
	PRIMARY KEY(terminal, key)) STRICT, WITHOUT ROWID;`, `
DELETE FROM floor;
DELETE FROM slab;
DELETE FROM record;
DELETE FROM run;
DELETE FROM stray;
CREATE TABLE seal(id INTEGER PRIMARY KEY, rows INTEGER NOT NULL, sum INTEGER NOT NULL) STRICT;`}

// state is state.db: one connection that writes and a pool that reads.
type state struct {
	write, read *sql.DB
	record      *sql.Stmt
	run         *sql.Stmt
	stray       *sql.Stmt
}

// openState opens state.db. A file that is no database any more is set aside as state.db.corrupt, since
// the journal can rebuild what it held.
func openState(ctx context.Context, dir string, log *slog.Logger) (*state, error) {
	path := filepath.Join(dir, stateFile)
	s, err := tryState(ctx, path)
	if !isDamaged(err) {
		return s, err
	}
	log.Error("checkpoint file is corrupt and was set aside", slog.String("file", path), slog.String("error", err.Error()))
	if err := os.Rename(path, path+".corrupt"); err != nil {
		return nil, err
	}
	if err := removeFile(path); err != nil {
		return nil, err
	}
	return tryState(ctx, path)
}

func tryState(ctx context.Context, path string) (*state, error) {
	if err := createFile(path); err != nil {
		return nil, err
	}
	s := new(state)
	if err := s.open(ctx, path); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *state) open(ctx context.Context, path string) (err error) {
	s.write, err = settings{path: path, conns: 1, pragmas: []string{
		"page_size(8192)", "synchronous(normal)", "cache_size(-16384)",
	}}.open()
	if err != nil {
		return err
	}
	if err := migrate(ctx, s.write, path, stateSchema); err != nil {
		return err
	}
	err = requirePragmas(ctx, s.write, [2]string{"journal_mode", "wal"}, [2]string{"synchronous", "1"})
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	s.read, err = settings{path: path, readOnly: true, conns: readConnections, pragmas: []string{"cache_size(-8192)"}}.open()
	if err != nil {
		return err
	}
	if s.record, err = s.read.PrepareContext(ctx, "SELECT body, sum FROM record WHERE seq = ?"); err != nil {
		return err
	}
	s.run, err = s.read.PrepareContext(ctx, "SELECT first, last, body, sum FROM run WHERE terminal = ? AND first <= ? ORDER BY first DESC LIMIT 1")
	if err != nil {
		return err
	}
	s.stray, err = s.read.PrepareContext(ctx, "SELECT seq, sum FROM stray WHERE terminal = ? AND key = ?")
	return err
}

func (s *state) close() error {
	var errs []error
	if s.read != nil {
		errs = append(errs, s.read.Close())
	}
	if s.write != nil {
		errs = append(errs, s.write.Close())
	}
	return errors.Join(errs...)
}

// sum is SHA-256 over kind (1 byte), id and applied (8 bytes each, big-endian) and body.
func (s *Slab) sum() [sha256.Size]byte {
	h := sha256.New()
	head := append(make([]byte, 0, 17), byte(s.Kind))
	head = binary.BigEndian.AppendUint64(head, s.ID)
	head = binary.BigEndian.AppendUint64(head, s.Applied)
	h.Write(head)
	h.Write(s.Body)
	return [sha256.Size]byte(h.Sum(nil))
}

// Checkpoint writes a batch in one transaction: all of it or nothing. Rows that exist are replaced. The
// caller bounds the batch, and gives only what the journal has made durable. It survives a crash of the
// process; a crash of the machine may take the last ones back, floor included.
func (s *Store) Checkpoint(ctx context.Context, b CheckpointBatch) error {
	tx, err := s.state.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	defer tx.Rollback()
	if err := reseal(ctx, tx, &b); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	err = each(ctx, tx, "INSERT OR REPLACE INTO slab(kind, id, applied, body, sum) VALUES(?, ?, ?, ?, ?)", len(b.Slabs), func(i int) []any {
		slab := &b.Slabs[i]
		sum := slab.sum()
		return []any{int(slab.Kind), int64(slab.ID), int64(slab.Applied), present(slab.Body), sum[:]}
	})
	if err != nil {
		return fmt.Errorf("checkpoint slabs: %w", err)
	}
	err = each(ctx, tx, "INSERT OR REPLACE INTO record(seq, body, sum) VALUES(?, ?, ?)", len(b.Records), func(i int) []any {
		r := &b.Records[i]
		return []any{int64(r.Seq), present(r.Body), r.sum()}
	})
	if err != nil {
		return fmt.Errorf("checkpoint records: %w", err)
	}
	if err := checkpointTraces(ctx, tx, &b); err != nil {
		return err
	}
	if b.Floor != nil {
		_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO floor(id, seq, head) VALUES(1, ?, ?)", int64(b.Floor.Seq), b.Floor.Head[:])
		if err != nil {
			return fmt.Errorf("checkpoint floor: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// present is an empty body where a nil one would be NULL.
func present(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// each runs one prepared statement n times. It steps aside after each: a checkpoint is thousands of rows,
// and the line's goroutines, ready by the hundred, each need some microseconds.
func each(ctx context.Context, tx *sql.Tx, query string, n int, args func(i int) []any) error {
	if n == 0 {
		return nil
	}
	stmt, err := tx.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	defer stmt.Close()
	row := context.WithoutCancel(ctx) // the driver starts a goroutine for each statement that can be cancelled
	for i := range n {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := stmt.ExecContext(row, args(i)...); err != nil {
			return err
		}
		runtime.Gosched()
	}
	return nil
}

// LoadSlabs calls f with every slab of a kind in the order of ID. Body is valid during the call. A slab
// that does not fit its sum ends it with a *SlabError.
func (s *Store) LoadSlabs(ctx context.Context, kind SlabKind, f func(Slab) error) error {
	list, err := s.state.read.QueryContext(ctx, "SELECT id, applied, body, sum FROM slab WHERE kind = ? ORDER BY id", int(kind))
	if err != nil {
		return fmt.Errorf("load %s slabs: %w", kind, err)
	}
	defer list.Close()
	for list.Next() {
		var id, applied int64
		var body, stored []byte
		if err := list.Scan(&id, &applied, &body, &stored); err != nil {
			return fmt.Errorf("load %s slabs: %w", kind, err)
		}
		slab := Slab{kind, uint64(id), uint64(applied), body}
		if sum := slab.sum(); !bytes.Equal(sum[:], stored) {
			return &SlabError{kind, slab.ID}
		}
		if err := f(slab); err != nil {
			return err
		}
	}
	if err := list.Err(); err != nil {
		return fmt.Errorf("load %s slabs: %w", kind, err)
	}
	return nil
}

// Floor is the checkpoint's floor; ok is false where there is none, and then nothing else in the
// checkpoint may be relied on. Open has checked that it belongs to this journal.
func (s *Store) Floor(ctx context.Context) (f Floor, ok bool, err error) {
	var seq int64
	var head []byte
	err = s.state.read.QueryRowContext(ctx, "SELECT seq, head FROM floor WHERE id = 1").Scan(&seq, &head)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Floor{}, false, nil
	case err != nil:
		return Floor{}, false, fmt.Errorf("read checkpoint floor: %w", err)
	case seq < 0 || len(head) != journal.HashSize:
		return Floor{}, false, errors.New("read checkpoint floor: malformed row")
	}
	return Floor{uint64(seq), journal.Hash(head)}, true, nil
}

// ResetState empties the checkpoint, so that the hot state is rebuilt from the journal's first entry.
func (s *Store) ResetState(ctx context.Context) error {
	tx, err := s.state.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("reset checkpoint: %w", err)
	}
	defer tx.Rollback()
	for _, table := range []string{"slab", "record", "run", "stray", "floor", "seal"} {
		if _, err := tx.ExecContext(ctx, "DELETE FROM "+table); err != nil {
			return fmt.Errorf("reset checkpoint: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("reset checkpoint: %w", err)
	}
	return nil
}

// discardForeignState empties a checkpoint whose floor is not an end of block of this journal: it was
// made for another journal, or for a later state of one restored from a backup.
func (s *Store) discardForeignState(ctx context.Context) error {
	floor, ok, err := s.Floor(ctx)
	if err != nil || !ok {
		return err
	}
	last, head, err := s.Boundary(ctx, floor.Seq)
	if err != nil {
		return err
	}
	if last == floor.Seq && head == floor.Head {
		return nil
	}
	s.log.Warn("checkpoint is of another journal and was discarded", slog.Uint64("floor", floor.Seq), slog.Uint64("last", s.last))
	return s.ResetState(ctx)
}
