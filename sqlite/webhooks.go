package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"time"
)

// webhooksFile keeps how far each endpoint was told. The journal is the queue: without this file every endpoint would be
// told again from the entry at which it was made, with the same ids.
const webhooksFile = "webhooks.db"

// MostDeliveries is how many deliveries of an endpoint are kept to be looked at.
const MostDeliveries = 1000

var webhooksSchema = []string{`
CREATE TABLE position(endpoint TEXT PRIMARY KEY, done INTEGER NOT NULL, tries INTEGER NOT NULL, since INTEGER NOT NULL, next INTEGER NOT NULL,
	replay INTEGER NOT NULL, replayed INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE delivery(id INTEGER PRIMARY KEY, endpoint TEXT NOT NULL, entry INTEGER NOT NULL, replay INTEGER NOT NULL, type TEXT NOT NULL,
	state TEXT NOT NULL, attempts INTEGER NOT NULL, code INTEGER NOT NULL, error TEXT NOT NULL, at INTEGER NOT NULL, took INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX delivery_of ON delivery(endpoint, entry, replay);
CREATE INDEX delivery_newest ON delivery(endpoint, id);`}

// WebhookPosition is how far an endpoint was told.
type WebhookPosition struct {
	Done     uint64    // every entry up to this was told, or is of no kind that is wanted
	Tries    int       // failed attempts of the message that is due
	Since    time.Time // of the first of them; zero: none
	Next     time.Time // not before
	Replay   int       // the replay that is going on or ended, 0 none
	Replayed uint64    // every entry of it up to this was told
}

// WebhookDelivery is one message to one endpoint.
type WebhookDelivery struct {
	ID       int64
	Entry    uint64
	Replay   int // 0: not asked for again
	Type     string
	State    string // delivered, waiting
	Attempts int
	Code     int    // of the last answer, 0 none
	Error    string // kind of the last failure, a word
	At       time.Time
	Took     time.Duration
}

// Webhooks is the file. It is safe for use by many at once.
type Webhooks struct{ db *sql.DB }

// OpenWebhooks makes or opens the file in a data directory, which its owner has locked. A write outlives the end of the
// process at once, and the machine's when SQLite next writes the log through: after that the last messages may go again.
func OpenWebhooks(ctx context.Context, dir string) (*Webhooks, error) {
	path := filepath.Join(dir, webhooksFile)
	if err := createFile(path); err != nil {
		return nil, err
	}
	db, err := settings{path: path, conns: 1, pragmas: []string{"synchronous(NORMAL)"}}.open()
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, db, path, webhooksSchema); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Webhooks{db: db}, nil
}

// Close closes the file.
func (w *Webhooks) Close() error { return w.db.Close() }

// Position is how far an endpoint was told; known is false of one that was never told.
func (w *Webhooks) Position(ctx context.Context, endpoint string) (p WebhookPosition, known bool, err error) {
	var since, next int64
	err = w.db.QueryRowContext(ctx, `SELECT done, tries, since, next, replay, replayed FROM position WHERE endpoint = ?`, endpoint).Scan(&p.Done, &p.Tries, &since, &next, &p.Replay, &p.Replayed)
	if errors.Is(err, sql.ErrNoRows) {
		return WebhookPosition{}, false, nil
	}
	p.Since, p.Next = instantOf(since), instantOf(next)
	return p, err == nil, err
}

// Save keeps a position and, where one is given, the delivery that led to it, both or neither.
func (w *Webhooks) Save(ctx context.Context, endpoint string, p *WebhookPosition, d *WebhookDelivery) (err error) {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	if _, err := tx.ExecContext(ctx, `INSERT INTO position(endpoint, done, tries, since, next, replay, replayed) VALUES(?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT(endpoint) DO UPDATE SET done = excluded.done, tries = excluded.tries, since = excluded.since, next = excluded.next, replay = excluded.replay, replayed = excluded.replayed`,
		endpoint, int64(p.Done), p.Tries, nanoOf(p.Since), nanoOf(p.Next), p.Replay, int64(p.Replayed)); err != nil {
		return err
	}
	if d != nil {
		if _, err := tx.ExecContext(ctx, `INSERT INTO delivery(endpoint, entry, replay, type, state, attempts, code, error, at, took) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT(endpoint, entry, replay) DO UPDATE SET state = excluded.state, attempts = excluded.attempts, code = excluded.code, error = excluded.error, at = excluded.at, took = excluded.took`,
			endpoint, int64(d.Entry), d.Replay, d.Type, d.State, d.Attempts, d.Code, d.Error, nanoOf(d.At), int64(d.Took)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM delivery WHERE endpoint = ? AND id <= (SELECT id FROM delivery WHERE endpoint = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
			endpoint, endpoint, MostDeliveries); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// Forgotten tells whether an endpoint has as many deliveries as are kept, and each was tried after a moment: earlier ones may have been
// thrown away.
func (w *Webhooks) Forgotten(ctx context.Context, endpoint string, at time.Time) (gone bool, err error) {
	var kept, since int
	err = w.db.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(at > ?), 0) FROM delivery WHERE endpoint = ?`, nanoOf(at), endpoint).Scan(&kept, &since)
	return kept >= MostDeliveries && since == kept, err
}

// Deliveries lists at most n of an endpoint, the newest first, before an ID; 0 is from the newest. Where until is not zero, those whose
// newest attempt was made later are left out.
func (w *Webhooks) Deliveries(ctx context.Context, endpoint string, before int64, until time.Time, n int) (list []WebhookDelivery, err error) {
	if before <= 0 {
		before = maxSeq
	}
	last := nanoOf(until)
	if last == 0 {
		last = maxSeq
	}
	rows, err := w.db.QueryContext(ctx, `SELECT id, entry, replay, type, state, attempts, code, error, at, took FROM delivery WHERE endpoint = ? AND id < ? AND at <= ? ORDER BY id DESC LIMIT ?`, endpoint, before, last, n)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var d WebhookDelivery
		var at, took int64
		if err := rows.Scan(&d.ID, &d.Entry, &d.Replay, &d.Type, &d.State, &d.Attempts, &d.Code, &d.Error, &at, &took); err != nil {
			return nil, err
		}
		d.At, d.Took = instantOf(at), time.Duration(took)
		list = append(list, d)
	}
	return list, rows.Err()
}

func instantOf(nano int64) time.Time {
	if nano == 0 {
		return time.Time{}
	}
	return time.Unix(0, nano).UTC()
}

func nanoOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}
