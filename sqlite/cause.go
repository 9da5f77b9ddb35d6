package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// causeSchema: "cause" holds the newest cause of each verdict: both are entry numbers, "record" the entry's body.
// "issued" has a row for each of a terminal's newest sign-ins that was given working keys; "used" tells that a message
// verified under them. "master" has the entries that gave a terminal another master key, which "key" names. The view is
// made afresh, for the sign-ins of a journal that was there before.
const causeSchema = `
DELETE FROM posting;
DELETE FROM refusal;
DELETE FROM exposed;
DELETE FROM redress;
CREATE TABLE cause(verdict INTEGER PRIMARY KEY, seq INTEGER NOT NULL, at INTEGER NOT NULL, terminal TEXT NOT NULL, reason TEXT NOT NULL,
	cause TEXT NOT NULL, certainty TEXT NOT NULL, family TEXT NOT NULL, record BLOB NOT NULL) STRICT;
CREATE INDEX cause_terminal ON cause(terminal, verdict);
CREATE TABLE issued(terminal TEXT NOT NULL, seq INTEGER NOT NULL, used INTEGER NOT NULL, PRIMARY KEY(terminal, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE master(terminal TEXT NOT NULL, seq INTEGER NOT NULL, key BLOB NOT NULL, PRIMARY KEY(terminal, seq)) STRICT, WITHOUT ROWID;
UPDATE position SET last = 0, boundary = 0, head = zeroblob(32);`

// ErrUnsearched is returned when nothing was found in the entries that may be read for one question, and there are
// more: without view.db, or with one that is far behind.
var ErrUnsearched = errors.New("not found in the entries that were searched; there are more")

// StoredCause is a cause and its entry.
type StoredCause struct {
	Seq uint64
	At  pos.Instant
	journal.Cause
}

// parseCause reads an entry of KindCause; one written by a newer program, that cannot be read, is none.
func parseCause(e journal.Entry) (c StoredCause, ok bool) {
	if e.Kind != journal.KindCause || json.Unmarshal(e.Body, &c.Cause) != nil || c.Verdict == 0 || c.Verdict >= e.Seq {
		return StoredCause{}, false
	}
	c.Seq, c.At = e.Seq, e.At
	return c, true
}

// writeCauses keeps the newest cause of each verdict of a round.
func writeCauses(ctx context.Context, tx *sql.Tx, causes []causeRow) error {
	return each(ctx, tx, `INSERT INTO cause(verdict, seq, at, terminal, reason, cause, certainty, family, record) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT(verdict) DO UPDATE SET seq = excluded.seq, at = excluded.at, cause = excluded.cause, certainty = excluded.certainty,
		family = excluded.family, record = excluded.record`, len(causes), func(i int) []any {
		c := &causes[i]
		return []any{int64(c.Verdict), int64(c.Seq), int64(c.At), c.Terminal, c.Reason, c.Cause.Cause, string(c.Certainty), c.Family, c.body}
	})
}

// causeRow is a cause of a round with its entry's body.
type causeRow struct {
	StoredCause
	body []byte
}

func (r *round) cause(e journal.Entry) {
	if c, ok := parseCause(e); ok {
		r.causes = append(r.causes, causeRow{c, append([]byte(nil), e.Body...)})
	}
}

// CauseOf is the newest cause that names a verdict, and its entry's number. ok is false when none does: of a verdict
// whose reason is Sought that means that nobody examined it, because the host ended before or the budget was spent. It
// uses view.db as far as that reaches and reads the newer blocks, at most MaxScan entries; then ErrUnsearched.
func (r *Reader) CauseOf(ctx context.Context, verdict uint64) (cause journal.Cause, seq uint64, ok bool, err error) {
	found := map[uint64]StoredCause{}
	if err := r.CausesOf(ctx, []uint64{verdict}, found); err != nil {
		return journal.Cause{}, 0, false, err
	}
	c, ok := found[verdict]
	return c.Cause, c.Seq, ok, nil
}

// CausesOf puts the newest cause of each of verdicts that has one into found. With ErrUnsearched found is what was
// found so far.
func (r *Reader) CausesOf(ctx context.Context, verdicts []uint64, found map[uint64]StoredCause) error {
	view, done := r.ownView(ctx)
	if view != nil {
		defer done()
	}
	return r.causesOf(ctx, view, verdicts, found)
}

// CausesOf is Reader.CausesOf over the projector's own open files.
func (p *Projector) CausesOf(ctx context.Context, verdicts []uint64, found map[uint64]StoredCause) error {
	return p.journal.causesOf(ctx, p.read.Load(), verdicts, found)
}

func (r *Reader) causesOf(ctx context.Context, view *sql.DB, verdicts []uint64, found map[uint64]StoredCause) error {
	if len(verdicts) == 0 {
		return nil
	}
	wanted := make(map[uint64]bool, len(verdicts))
	first := verdicts[0]
	for _, v := range verdicts {
		wanted[v], first = true, min(first, v)
	}
	covered, err := viewCauses(ctx, view, verdicts, found)
	if err != nil {
		return err
	}
	return r.tailCauses(ctx, max(covered, first), wanted, found)
}

// viewCauses gives what view.db has, and how far that reaches; 0 without a usable one.
func viewCauses(ctx context.Context, view *sql.DB, verdicts []uint64, found map[uint64]StoredCause) (covered uint64, err error) {
	if view == nil {
		return 0, nil
	}
	p, err := readPosition(ctx, view)
	if err != nil {
		return 0, err
	}
	stmt, err := view.PrepareContext(ctx, "SELECT seq, at, record FROM cause WHERE verdict = ?")
	if err != nil {
		return 0, fmt.Errorf("search view: %w", err)
	}
	defer stmt.Close()
	for _, v := range verdicts {
		var seq, at int64
		var body []byte
		err := stmt.QueryRowContext(ctx, int64(min(v, maxSeq))).Scan(&seq, &at, &body)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			continue
		case err != nil:
			return 0, fmt.Errorf("search view: %w", err)
		}
		c, ok := parseCause(journal.Entry{Seq: uint64(seq), Kind: journal.KindCause, At: pos.Instant(at), Body: body})
		if !ok {
			return 0, fmt.Errorf("search view: cause of entry %d: malformed row", v)
		}
		found[v] = c
	}
	return p.last, nil
}

// errEnd ends a reading of blocks at its bound.
var errEnd = errors.New("end of what may be read")

// tailCauses reads the entries after after, at most MaxScan.
func (r *Reader) tailCauses(ctx context.Context, after uint64, wanted map[uint64]bool, found map[uint64]StoredCause) error {
	looked := 0
	err := r.Blocks(ctx, after+1, func(b journal.Block) error {
		if looked >= r.scan {
			return errEnd
		}
		looked += b.N
		return b.Each(func(e journal.Entry) error {
			if c, ok := parseCause(e); ok && e.Seq > after && wanted[c.Verdict] {
				found[c.Verdict] = c
			}
			return nil
		})
	})
	if !errors.Is(err, errEnd) {
		return err
	}
	for v := range wanted {
		if _, ok := found[v]; !ok {
			return ErrUnsearched
		}
	}
	return nil
}

// ownView opens view.db to read where it is of this journal; nil where it is not, or cannot be read.
func (r *Reader) ownView(ctx context.Context) (view *sql.DB, done func()) {
	view, err := openView(ctx, r.dir)
	if err != nil {
		return nil, nil
	}
	if known, err := r.ownsView(ctx, view); err != nil || !known {
		view.Close()
		return nil, nil
	}
	return view, func() { view.Close() }
}

// LastRefusal is the entry of the newest refused message; security leaves out what the card's bank refused. A canary's
// messages, made to be refused, are never it. ok is false when there is none. Entries that view.db does not cover are
// read backward, at most MaxScan, and as many rows in view.db; then ErrUnsearched.
func (r *Reader) LastRefusal(ctx context.Context, security bool) (seq uint64, ok bool, err error) {
	covered := uint64(0)
	view, done := r.ownView(ctx)
	if view != nil {
		defer done()
		p, err := readPosition(ctx, view)
		if err != nil {
			return 0, false, err
		}
		covered = p.last
	}
	if seq, err = r.lastRefusedEntry(ctx, covered, security); err != nil || seq != 0 || view == nil {
		return seq, seq != 0, err
	}
	if seq, err = lastRefusedRow(ctx, view, covered, security); err != nil {
		return 0, false, fmt.Errorf("search view: %w", err)
	}
	return seq, seq != 0, nil
}

// lastRefusedEntry searches the entries after covered backward; 0 is none.
func (r *Reader) lastRefusedEntry(ctx context.Context, covered uint64, security bool) (found uint64, err error) {
	next, _, err := r.Head(ctx)
	if err != nil {
		return 0, err
	}
	for looked := 0; next > covered; {
		if looked >= r.scan {
			return 0, ErrUnsearched
		}
		b, err := r.blockOf(ctx, next)
		if err != nil {
			return 0, err
		}
		err = b.Each(func(e journal.Entry) error {
			var x journal.Exchange
			if e.Kind == journal.KindExchange && e.Seq > covered && x.Parse(e) == nil && refusedForLast(&x, security) {
				found = e.Seq
			}
			return nil
		})
		if err != nil || found != 0 {
			return found, err
		}
		looked, next = looked+b.N, b.First-1
	}
	return 0, nil
}

func refusedForLast(x *journal.Exchange, security bool) bool {
	return x.Reason != reason.None && x.Flags&journal.FlagCanary == 0 && !(security && x.Reason.OfIssuer())
}

// lastRefusedRow searches view.db; 0 is none.
func lastRefusedRow(ctx context.Context, view *sql.DB, covered uint64, security bool) (uint64, error) {
	names := []string{"''"}
	if security {
		for _, r := range reason.All() {
			if r.OfIssuer() {
				names = append(names, "'"+r.String()+"'") // words of our own table
			}
		}
	}
	query := "SELECT seq FROM (SELECT seq, reason, flags FROM refusal WHERE seq <= ? ORDER BY seq DESC LIMIT ?) WHERE flags & ? = 0 AND reason NOT IN (" +
		strings.Join(names, ", ") + ") LIMIT 1"
	var seq int64
	err := view.QueryRowContext(ctx, query, int64(covered), MaxScan, int64(journal.FlagCanary)).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		var rows int64
		if err := view.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM refusal WHERE seq <= ? LIMIT ?)", int64(covered), MaxScan+1).Scan(&rows); err != nil {
			return 0, err
		}
		if rows > MaxScan {
			return 0, ErrUnsearched
		}
		return 0, nil
	}
	return uint64(seq), err
}

// Indicated are at most most causes that wait for a second message to agree, the newest first, as view.db has them.
func (p *Projector) Indicated(ctx context.Context, most int) (causes []StoredCause, err error) {
	view, err := p.view()
	if err != nil {
		return nil, fmt.Errorf("search view: %w", err)
	}
	list, err := view.QueryContext(ctx, "SELECT seq, at, record FROM cause WHERE certainty = ? ORDER BY verdict DESC LIMIT ?", string(journal.Indicated), most)
	if err != nil {
		return nil, fmt.Errorf("search view: %w", err)
	}
	defer list.Close()
	for list.Next() {
		var seq, at int64
		var body []byte
		if err := list.Scan(&seq, &at, &body); err != nil {
			return nil, fmt.Errorf("search view: %w", err)
		}
		if c, ok := parseCause(journal.Entry{Seq: uint64(seq), Kind: journal.KindCause, At: pos.Instant(at), Body: body}); ok {
			causes = append(causes, c)
		}
	}
	return causes, list.Err()
}
