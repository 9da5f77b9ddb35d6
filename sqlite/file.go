package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	driver "modernc.org/sqlite"
)

// Names and modes in a data directory.
const (
	journalFile = "touchstone.db"
	stateFile   = "state.db"
	viewFile    = "view.db"
	lockFile    = "lock"

	directoryMode = 0o700
	fileMode      = 0o600
)

// ErrNewer is returned for a file whose schema is newer than this program.
var ErrNewer = errors.New("written by a newer version of the program")

// errSchema is a schema version that no program wrote.
var errSchema = errors.New("schema is damaged")

// busyTimeoutMS is how long a connection waits for a lock of another. The owner has no rival writer; the
// wait is for the recovery of a WAL that another process runs when it opens the file first.
const busyTimeoutMS = 5000

// settings opens one database file.
type settings struct {
	path     string
	readOnly bool
	conns    int
	pragmas  []string // "name(value)", run on every new connection, before the journal mode is set to WAL
	// The driver runs them in the order of their names; page_size counts only before the file has a page,
	// so journal_mode, which writes one, is never among them.
}

// open makes the pool without touching the file.
func (s settings) open() (*sql.DB, error) {
	query := url.Values{"_pragma": s.pragmas, "_busy_timeout": {strconv.Itoa(busyTimeoutMS)}}
	if s.readOnly {
		query.Set("mode", "ro")
		query.Set("_query_only", "1")
	} else {
		query.Set("mode", "rw")
		query.Set("_txlock", "immediate")
		query.Set("_journal_mode", "wal")
	}
	path, err := filepath.Abs(s.path) // a relative one would begin with the URI's authority
	if err != nil {
		return nil, err
	}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	connector, err := driver.NewConnector(dsn.String())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", s.path, err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(s.conns)
	db.SetMaxIdleConns(s.conns)
	return db, nil
}

// createFile makes an empty file of mode 0600 and makes its name durable; SQLite gives its -wal and -shm
// the same mode. An existing file is not opened: closing it would drop SQLite's own locks on it.
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), syncDirectory(filepath.Dir(path)))
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// removeFile deletes a database with its WAL and shared memory.
func removeFile(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// rows runs one query on any of DB, Conn, Tx.
type rows interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// requirePragmas reads settings back: a PRAGMA that SQLite does not honour is not an error of its own.
func requirePragmas(ctx context.Context, db rows, want ...[2]string) error {
	for _, w := range want {
		var got string
		if err := db.QueryRowContext(ctx, "PRAGMA "+w[0]).Scan(&got); err != nil {
			return fmt.Errorf("read pragma %s: %w", w[0], err)
		}
		if !strings.EqualFold(got, w[1]) {
			return fmt.Errorf("pragma %s is %s, must be %s", w[0], got, w[1])
		}
	}
	return nil
}

// migrate brings a file to the newest schema: steps[i] leads from version i to i+1.
func migrate(ctx context.Context, db *sql.DB, file string, steps []string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("open %s: %w", file, err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS schema(version INTEGER NOT NULL) STRICT"); err != nil {
		return fmt.Errorf("open %s: %w", file, err)
	}
	have, err := schemaVersion(ctx, tx, file, len(steps))
	if err != nil || have == len(steps) {
		return err
	}
	for i, step := range steps[have:] {
		if _, err := tx.ExecContext(ctx, step); err != nil {
			return fmt.Errorf("migrate %s to schema %d: %w", file, have+i+1, err)
		}
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM schema"); err != nil {
		return fmt.Errorf("migrate %s: %w", file, err)
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO schema(version) VALUES(?)", len(steps)); err != nil {
		return fmt.Errorf("migrate %s: %w", file, err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("migrate %s: %w", file, err)
	}
	return nil
}

// schemaVersion is the version of a file that has the table schema; beyond newest it is ErrNewer.
func schemaVersion(ctx context.Context, db rows, file string, newest int) (int, error) {
	var have int
	if err := db.QueryRowContext(ctx, "SELECT coalesce(max(version), 0) FROM schema").Scan(&have); err != nil {
		return 0, fmt.Errorf("read schema of %s: %w", file, err)
	}
	if have < 0 {
		return 0, fmt.Errorf("%s: %w: %d", file, errSchema, have)
	}
	if have > newest {
		return 0, fmt.Errorf("%s: schema %d, this program knows %d: %w", file, have, newest, ErrNewer)
	}
	return have, nil
}

// Primary result codes; sqlite.org/rescode.html.
const (
	codeError   = 1 // an SQL statement that does not fit the schema
	codeCorrupt = 11
	codeNotADB  = 26
)

// isCorrupt tells whether SQLite found a file it cannot read as a database.
func isCorrupt(err error) bool {
	var e *driver.Error
	return errors.As(err, &e) && (e.Code()&0xff == codeCorrupt || e.Code()&0xff == codeNotADB)
}

// isDamaged tells whether a file cannot be used as what it should be: no database, or one whose schema is
// not what a program wrote. Of a file that can be made again it is enough to set it aside.
func isDamaged(err error) bool {
	return isCorrupt(err) || primaryCode(err) == codeError || errors.Is(err, errSchema)
}
