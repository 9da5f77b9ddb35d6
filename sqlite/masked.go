package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// maskedFile keeps messages taken apart and masked, for people to look at: what could not be shown is not in it. It is no
// part of the journal, and nothing is decided by it: without it pages show what the journal recorded.
const maskedFile = "masked.db"

// Bounds of what is kept of one terminal, so that one that sends the same wrong message all day pushes out its own alone,
// and of approvals in all.
const (
	MaskedRefusals  = 256    // of a terminal
	MaskedApprovals = 2      // of a terminal
	maskedSamples   = 16_384 // approvals of all
)

// The room: what is over it goes, the oldest first, so many at a time.
const (
	maskedGroup  = 64
	maskedRounds = 64   // groups after one write: what a smaller limit than before makes of it takes several writes
	maskedVacuum = 4096 // pages given back to the file system at a time
)

var maskedSchema = []string{`
CREATE TABLE message(entry INTEGER PRIMARY KEY, at INTEGER NOT NULL, refused INTEGER NOT NULL, terminal TEXT NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX message_at ON message(at);
CREATE INDEX message_of ON message(terminal, refused, entry);
CREATE INDEX message_kind ON message(refused, entry);`}

// MaskedMessage is one message as it is kept.
type MaskedMessage struct {
	Entry    uint64 // of the journal
	At       int64  // when it came, nanoseconds since 1970: entry and time together name it
	Refused  bool
	Terminal string // as the message claims, "" where that could not be read
	Body     []byte // what is shown of it; this package does not look into it
}

// Masked is the file. It is safe for use by many at once.
type Masked struct {
	db   *sql.DB
	most int64 // bytes
}

// OpenMasked makes or opens the file in a data directory, which its owner has locked. It takes most bytes at most, but for its
// log. A file that cannot be read is deleted: what it held was for looking at. What is written outlives the end of the process.
func OpenMasked(ctx context.Context, dir string, most int64) (*Masked, error) {
	path := filepath.Join(dir, maskedFile)
	m, err := openMasked(ctx, path, most)
	if err == nil || !isDamaged(err) {
		return m, err
	}
	if err := removeFile(path); err != nil {
		return nil, err
	}
	return openMasked(ctx, path, most)
}

func openMasked(ctx context.Context, path string, most int64) (*Masked, error) {
	if err := createFile(path); err != nil {
		return nil, err
	}
	// What is deleted is overwritten, and its pages are given back.
	db, err := settings{path: path, conns: 2, pragmas: []string{"auto_vacuum(INCREMENTAL)", "secure_delete(ON)", "synchronous(NORMAL)"}}.open()
	if err != nil {
		return nil, err
	}
	err = migrate(ctx, db, path, maskedSchema)
	if err == nil {
		err = requirePragmas(ctx, db, [2]string{"auto_vacuum", "2"}, [2]string{"secure_delete", "1"})
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Masked{db, most}, nil
}

// ForgetMasked deletes the file of a data directory, which its owner has locked.
func ForgetMasked(dir string) error { return removeFile(filepath.Join(dir, maskedFile)) }

// Close closes the file.
func (m *Masked) Close() error { return m.db.Close() }

// Keep writes messages as one group, all or none, and forgets what goes beyond the bounds.
func (m *Masked) Keep(ctx context.Context, messages []MaskedMessage) (err error) {
	tx, err := m.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	for i := range messages {
		one := &messages[i]
		if _, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO message(entry, at, refused, terminal, body) VALUES(?, ?, ?, ?, ?)`, int64(one.Entry), one.At, one.Refused, one.Terminal, one.Body); err != nil {
			return fmt.Errorf("keep message of entry %d: %w", one.Entry, err)
		}
		most := MaskedApprovals
		if one.Refused {
			most = MaskedRefusals
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM message WHERE terminal = ? AND refused = ? AND entry <= (SELECT entry FROM message WHERE terminal = ? AND refused = ? ORDER BY entry DESC LIMIT 1 OFFSET ?)`,
			one.Terminal, one.Refused, one.Terminal, one.Refused, most); err != nil {
			return fmt.Errorf("forget messages of a terminal: %w", err)
		}
	}
	for range maskedRounds {
		used, err := used(ctx, tx)
		if err != nil {
			return err
		}
		if used <= m.most {
			break
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM message WHERE entry IN (SELECT entry FROM message ORDER BY entry LIMIT ?)`, maskedGroup); err != nil {
			return fmt.Errorf("forget oldest messages: %w", err)
		}
	}
	return tx.Commit()
}

// used is the bytes of the pages that hold something.
func used(ctx context.Context, db rows) (int64, error) {
	var n [3]int64
	err := db.QueryRowContext(ctx, "SELECT page_count, freelist_count, page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size").Scan(&n[0], &n[1], &n[2])
	if err != nil {
		return 0, fmt.Errorf("read size of %s: %w", maskedFile, err)
	}
	return (n[0] - n[1]) * n[2], nil
}

// Sweep forgets what came before an instant, and approvals beyond their bound, so that nothing of it is left in the file or in
// its log. clean is false where a reader kept the log from being emptied: sweep again later.
func (m *Masked) Sweep(ctx context.Context, before time.Time) (clean bool, err error) {
	if _, err := m.db.ExecContext(ctx, `DELETE FROM message WHERE at < ?`, before.UnixNano()); err != nil {
		return false, fmt.Errorf("forget old messages: %w", err)
	}
	if _, err := m.db.ExecContext(ctx, `DELETE FROM message WHERE refused = 0 AND entry <= (SELECT entry FROM message WHERE refused = 0 ORDER BY entry DESC LIMIT 1 OFFSET ?)`, maskedSamples); err != nil {
		return false, fmt.Errorf("forget samples: %w", err)
	}
	if err := m.giveBack(ctx); err != nil {
		return false, err
	}
	var busy, log, moved int
	if err := m.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &moved); err != nil {
		return false, fmt.Errorf("empty log of %s: %w", maskedFile, err)
	}
	return busy == 0, nil
}

// giveBack returns empty pages to the file system. SQLite frees one page with each row that is read of the answer.
func (m *Masked) giveBack(ctx context.Context) (err error) {
	list, err := m.db.QueryContext(ctx, "PRAGMA incremental_vacuum(4096)")
	if err != nil {
		return fmt.Errorf("give back pages of %s: %w", maskedFile, err)
	}
	defer func() { err = errors.Join(err, list.Close()) }()
	for range maskedVacuum {
		if !list.Next() {
			break
		}
	}
	return list.Err()
}

// Message is what is kept of an entry that came at an instant; nil when nothing is.
func (m *Masked) Message(ctx context.Context, entry uint64, at int64) ([]byte, error) {
	return maskedOf(ctx, m.db, entry, at)
}

// ReadMasked is Masked.Message beside an owner, of a data directory that is not locked.
func ReadMasked(ctx context.Context, dir string, entry uint64, at int64) (body []byte, err error) {
	path := filepath.Join(dir, maskedFile)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	db, err := settings{path: path, readOnly: true, conns: 1}.open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := schemaVersion(ctx, db, path, len(maskedSchema)); err != nil {
		return nil, err
	}
	return maskedOf(ctx, db, entry, at)
}

// AllMasked is everything that is kept in a data directory, the oldest first.
func AllMasked(ctx context.Context, dir string) (all []MaskedMessage, err error) {
	db, err := settings{path: filepath.Join(dir, maskedFile), readOnly: true, conns: 1}.open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	list, err := db.QueryContext(ctx, `SELECT entry, at, refused, terminal, body FROM message ORDER BY entry`)
	if err != nil {
		return nil, fmt.Errorf("read kept messages: %w", err)
	}
	defer func() { err = errors.Join(err, list.Close()) }()
	for list.Next() {
		var m MaskedMessage
		if err := list.Scan(&m.Entry, &m.At, &m.Refused, &m.Terminal, &m.Body); err != nil {
			return nil, fmt.Errorf("read kept messages: %w", err)
		}
		all = append(all, m)
	}
	return all, list.Err()
}

func maskedOf(ctx context.Context, db rows, entry uint64, at int64) (body []byte, err error) {
	err = db.QueryRowContext(ctx, `SELECT body FROM message WHERE entry = ? AND at = ?`, int64(min(entry, maxSeq)), at).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read message of entry %d: %w", entry, err)
	}
	return body, nil
}
