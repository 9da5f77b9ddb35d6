package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// requestsFile keeps the requests of programs that carried a key of their own, so that a repeat gets the first answer.
// It is no part of the journal: without it repeats are refused or done anew, and no money is kept here.
const requestsFile = "requests.db"

// Bounds of the recorded requests.
const (
	RequestLife     = 24 * time.Hour
	MostRequests    = 100_000 // in all
	MostOfOneCaller = 20_000
)

// ErrRequestsFull is returned when no further request is noted: the caller comes back later.
var ErrRequestsFull = errors.New("sqlite: too many recorded requests")

var requestsSchema = []string{`
CREATE TABLE request(id BLOB PRIMARY KEY, caller BLOB NOT NULL, digest BLOB NOT NULL, at INTEGER NOT NULL,
	status INTEGER NOT NULL, body BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX request_at ON request(at);
CREATE INDEX request_caller ON request(caller);`}

// Request is what is kept of one. Status 0: it was begun and has no answer.
type Request struct {
	Digest [sha256.Size]byte
	Status int
	Body   []byte
}

// Requests is the file. It is safe for use by many at once.
type Requests struct{ db *sql.DB }

// OpenRequests makes or opens the file in a data directory, which its owner has locked.
func OpenRequests(ctx context.Context, dir string) (*Requests, error) {
	path := filepath.Join(dir, requestsFile)
	if err := createFile(path); err != nil {
		return nil, err
	}
	db, err := settings{path: path, conns: 1, pragmas: []string{"synchronous(FULL)"}}.open()
	if err != nil {
		return nil, err
	}
	r := &Requests{db: db}
	if err := migrate(ctx, db, path, requestsSchema); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return r, nil
}

// Close closes the file.
func (r *Requests) Close() error { return r.db.Close() }

func requestID(caller, key string) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d:%s%s", len(caller), caller, key))
	return sum[:]
}

// Begin notes, durably, that a request is about to be carried out. known is the earlier one under the same key, nil
// when this is the first. What is older than RequestLife is forgotten.
func (r *Requests) Begin(ctx context.Context, caller, key string, digest [sha256.Size]byte, now time.Time) (known *Request, err error) {
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil || known != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	if _, err := tx.ExecContext(ctx, `DELETE FROM request WHERE at < ?`, now.Add(-RequestLife).UnixNano()); err != nil {
		return nil, err
	}
	id, who := requestID(caller, key), sha256.Sum256([]byte(caller))
	var found Request
	var kept []byte
	switch err := tx.QueryRowContext(ctx, `SELECT digest, status, body FROM request WHERE id = ?`, id).Scan(&kept, &found.Status, &found.Body); {
	case err == nil:
		copy(found.Digest[:], kept)
		return &found, nil
	case !errors.Is(err, sql.ErrNoRows):
		return nil, err
	}
	var all, own int
	if err := tx.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM request), (SELECT count(*) FROM request WHERE caller = ?)`, who[:]).Scan(&all, &own); err != nil {
		return nil, err
	}
	if all >= MostRequests || own >= MostOfOneCaller {
		return nil, ErrRequestsFull
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO request(id, caller, digest, at, status, body) VALUES(?, ?, ?, ?, 0, x'')`, id, who[:], digest[:], now.UnixNano()); err != nil {
		return nil, err
	}
	return nil, tx.Commit()
}

// End keeps the answer of a request that was begun.
func (r *Requests) End(ctx context.Context, caller, key string, status int, body []byte) error {
	if body == nil {
		body = []byte{}
	}
	_, err := r.db.ExecContext(ctx, `UPDATE request SET status = ?, body = ? WHERE id = ?`, status, body, requestID(caller, key))
	return err
}

// Forget takes back Begin: nothing was done.
func (r *Requests) Forget(ctx context.Context, caller, key string) error {
	_, err := r.db.ExecContext(ctx, `DELETE FROM request WHERE id = ?`, requestID(caller, key))
	return err
}
