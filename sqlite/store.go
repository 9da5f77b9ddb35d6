package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"touchstone/journal"
)

// DefaultPageSize is the page size of a new touchstone.db, bytes. 4, 8 and 16 KiB differed by less than
// the disk's own noise in BenchmarkCommitter256: a smaller page makes more WAL frames, a larger one
// rewrites more of the last leaf.
const DefaultPageSize = 8192

// Options tune a Store. The zero value is right.
type Options struct {
	Log      *slog.Logger // nil is silent
	PageSize int          // of a new touchstone.db, a power of two from 4096 to 65536; 0 is DefaultPageSize
	WALBytes int64        // bytes of blocks written before the WAL is moved into the file; 0 is DefaultWALBytes
}

// Store is the owner of a data directory. Append is called by one goroutine at a time; the rest by many.
type Store struct {
	*Reader
	log   *slog.Logger
	lock  directoryLock
	state *state

	db     *sql.DB   // one connection, the writer's
	conn   *sql.Conn // that connection
	insert *sql.Stmt
	cold   coldWriter

	mu     sync.Mutex // guards the fields below and the writer's connection
	last   uint64
	head   journal.Hash
	broken error // the first error of Append or of a sync; no block is accepted after it

	keeper *walKeeper
	failed chan error // an error that came while nothing was appended; see Failed
}

var _ journal.Sink = (*Store)(nil)

// Errors of a Store.
var (
	ErrBroken     = errors.New("sqlite: an earlier block failed, nothing more is accepted")
	ErrContinuity = errors.New("sqlite: block does not follow the stored head")
)

// journalSchema: rowid order is journal order, so a block is found by its first entry and appended at the
// right edge of the tree. "record" is the JSON of the cold record, "seq" the entry that carried it.
var journalSchema = []string{`
CREATE TABLE block(first INTEGER PRIMARY KEY, n INTEGER NOT NULL, prev BLOB NOT NULL, head BLOB NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE merchant(id TEXT PRIMARY KEY, seq INTEGER NOT NULL, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE terminal(id TEXT PRIMARY KEY, seq INTEGER NOT NULL, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE device(serial TEXT PRIMARY KEY, seq INTEGER NOT NULL, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE card(hash TEXT PRIMARY KEY, seq INTEGER NOT NULL, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE key_record(owner TEXT NOT NULL, usage INTEGER NOT NULL, cipher INTEGER NOT NULL, seq INTEGER NOT NULL, record TEXT NOT NULL,
	PRIMARY KEY(owner, usage, cipher)) STRICT, WITHOUT ROWID;`, `
CREATE TABLE certificate(fingerprint TEXT PRIMARY KEY, seq INTEGER NOT NULL, record TEXT NOT NULL) STRICT, WITHOUT ROWID;`, `
CREATE TABLE event(seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, record TEXT NOT NULL) STRICT;`, `
CREATE TABLE act_record(kind INTEGER NOT NULL, noun TEXT NOT NULL, id TEXT NOT NULL, seq INTEGER NOT NULL, record TEXT NOT NULL,
	PRIMARY KEY(kind, noun, id)) STRICT, WITHOUT ROWID;`}

// Open makes or opens a data directory and becomes its owner until Close. A second owner is refused with
// ErrLocked. A new directory has mode 0700 and every file in it 0600.
func Open(dir string, o Options) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, directoryMode); err != nil {
		return nil, err
	}
	lock, err := takeLock(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{log: o.Log, lock: lock, failed: make(chan error, 1)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.open(context.Background(), dir, o); err != nil {
		if isCorrupt(err) {
			err = fmt.Errorf("%s cannot be proven intact: %w", filepath.Join(dir, journalFile), err)
		}
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) open(ctx context.Context, dir string, o Options) error {
	if o.PageSize == 0 {
		o.PageSize = DefaultPageSize
	}
	path := filepath.Join(dir, journalFile)
	if err := createFile(path); err != nil {
		return err
	}
	if err := s.openWriter(ctx, path, o.PageSize); err != nil {
		return err
	}
	if err := s.rewrite(ctx, path); err != nil {
		return err
	}
	var err error
	if s.Reader, err = openReader(ctx, dir); err != nil {
		return err
	}
	if err := s.Reader.checkColdRows(ctx); err != nil {
		return err
	}
	if s.last, s.head, err = s.Head(ctx); err != nil {
		return err
	}
	if s.state, err = openState(ctx, dir, s.log); err != nil {
		return err
	}
	if err := s.discardForeignState(ctx); err != nil {
		return err
	}
	if err := s.discardBrokenState(ctx); err != nil {
		return err
	}
	s.keeper, err = startKeeper(path, o.WALBytes, &s.mu, s.log, s.breakDown)
	return err
}

// rewrite moves what is in the WAL into the file and begins a new WAL. What this process reads of a WAL
// that another left behind may be in the kernel's memory alone: after an fsync that failed, pages that
// never reached the disk can be called clean, and blocks appended after them would be lost with them. So
// every page of it is written and synced again, elsewhere, before a block is accepted.
func (s *Store) rewrite(ctx context.Context, path string) error {
	var busy, frames, copied int
	if err := s.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &copied); err != nil {
		return &FaultError{path, err}
	}
	if busy != 0 {
		return fmt.Errorf("open %s: a reader kept the recovery from ending: end what reads it and start again", path)
	}
	return nil
}

// breakDown ends the acceptance of blocks for an error that did not come of Append.
func (s *Store) breakDown(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		s.broken = err
		s.failed <- err
	}
}

// Failed gives the error, once, that ended the acceptance of blocks while none was appended.
func (s *Store) Failed() <-chan error { return s.failed }

// openWriter opens the one connection that writes blocks and prepares its statements.
func (s *Store) openWriter(ctx context.Context, path string, pageSize int) (err error) {
	s.db, err = settings{path: path, conns: 1, pragmas: []string{
		"page_size(" + strconv.Itoa(pageSize) + ")", // of a new file only
		"synchronous(full)",
		"wal_autocheckpoint(0)", // walKeeper's work
		"cache_size(-8192)",     // KiB
	}}.open()
	if err != nil {
		return err
	}
	if err := migrate(ctx, s.db, path, journalSchema); err != nil {
		return err
	}
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return err
	}
	err = requirePragmas(ctx, s.conn, [2]string{"journal_mode", "wal"}, [2]string{"synchronous", "2"}, [2]string{"wal_autocheckpoint", "0"})
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	s.insert, err = s.conn.PrepareContext(ctx, "INSERT INTO block(first, n, prev, head, body) VALUES(?, ?, ?, ?, ?)")
	if err == nil {
		err = s.cold.prepare(ctx, s.conn)
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	return nil
}

// Append makes one block durable with the rows of its cold entries in one transaction; journal.Sink. It
// must follow the stored head in number and chain value. Any error is final; one of SQLite is a
// *FaultError. Every later call returns ErrBroken.
func (s *Store) Append(ctx context.Context, b journal.Block) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return fmt.Errorf("%w: %w", ErrBroken, s.broken)
	}
	err := s.append(ctx, b)
	if err != nil {
		if primaryCode(err) != 0 {
			err = &FaultError{filepath.Join(s.dir, journalFile), err}
		}
		s.broken = err
		return err
	}
	s.last, s.head = b.Last(), b.Head
	s.keeper.wrote(len(b.Body))
	return nil
}

func (s *Store) append(ctx context.Context, b journal.Block) error {
	if b.N <= 0 || b.First != s.last+1 || b.Prev != s.head {
		return fmt.Errorf("%w: block of %d entries from %d after entry %d", ErrContinuity, b.N, b.First, s.last)
	}
	if len(b.Cold) == 0 { // one statement is its own transaction
		return s.insertBlock(ctx, b)
	}
	if _, err := s.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := s.insertBlock(ctx, b)
	if err == nil {
		err = s.cold.write(ctx, b.Cold)
	}
	if err == nil {
		_, err = s.conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		// After a failed COMMIT SQLite may have rolled back by itself: then this is an error of no interest.
		_, _ = s.conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	}
	return err
}

func (s *Store) insertBlock(ctx context.Context, b journal.Block) error {
	_, err := s.insert.ExecContext(ctx, int64(b.First), b.N, b.Prev[:], b.Head[:], b.Body)
	return err
}

// Close ends the background work, closes every file and gives the directory free. Nothing may be under
// way; a second Close is harmless. After an error of Append a process that can end without it does.
func (s *Store) Close() error {
	var errs []error
	if s.keeper != nil {
		errs = append(errs, s.keeper.stop())
	}
	if s.Reader != nil {
		errs = append(errs, s.Reader.Close())
	}
	if s.state != nil {
		errs = append(errs, s.state.close())
	}
	if s.conn != nil {
		if s.broken == nil { // a reader elsewhere may keep some of the WAL; it is as durable there
			_, err := s.conn.ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)")
			errs = append(errs, err)
		}
		errs = append(errs, s.cold.close(), closeStatements(s.insert), s.conn.Close())
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if s.lock.file != nil {
		errs = append(errs, s.lock.release())
	}
	s.keeper, s.Reader, s.state, s.conn, s.db, s.lock = nil, nil, nil, nil, nil, directoryLock{}
	return errors.Join(errs...)
}
