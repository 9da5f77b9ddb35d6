package sqlite

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"

	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/registry"
)

// ColdError names a row of a cold record that is not what its journal entry says.
type ColdError struct {
	Table string
	Key   string
	Seq   uint64 // the entry that the row, or the journal for it, names
	What  string
}

func (e *ColdError) Error() string {
	return fmt.Sprintf("row %q of table %s, journal entry %d: %s", e.Key, e.Table, e.Seq, e.What)
}

// coldTables are the tables of cold records with the expression of their key.
var coldTables = [...]struct{ table, key string }{
	{"merchant", "id"}, {"terminal", "id"}, {"device", "serial"}, {"card", "hash"}, {"certificate", "fingerprint"}, {"event", "seq"},
	{"key_record", "owner || '/' || usage || '/' || cipher"}, {"act_record", "kind || '/' || noun || '/' || id"},
}

// coldRowsOf are the rows that coldWriter keeps of an entry: one of most cold entries, one of each noun of an
// act, none of others.
func coldRowsOf(e journal.Entry) ([]coldRow, error) {
	if !e.Kind.OfActs() {
		table, key, err := coldKey(e)
		if err != nil || table == "" {
			return nil, err
		}
		return []coldRow{{table, key, e.Seq, sha256.Sum256(e.Body)}}, nil
	}
	var act journal.Act
	if err := json.Unmarshal(e.Body, &act); err != nil {
		return nil, err
	}
	rows := make([]coldRow, 0, len(act.Changes))
	for i, c := range act.Changes {
		if !slices.ContainsFunc(act.Changes[i+1:], func(later journal.Change) bool { return later.Noun == c.Noun && later.ID == c.ID }) {
			rows = append(rows, coldRow{"act_record", actKey(e.Kind, c), e.Seq, sha256.Sum256(c.Record)})
		}
	}
	return rows, nil
}

// actKey is the key of a noun's row as the expression of coldTables makes it.
func actKey(k journal.Kind, c journal.Change) string {
	return fmt.Sprintf("%d/%s/%s", uint8(k), c.Noun, c.ID)
}

// coldKey is the table and the key of the row that coldWriter keeps of an entry; table is "" where it
// keeps none.
func coldKey(e journal.Entry) (table, key string, err error) {
	switch e.Kind {
	case journal.KindMerchant:
		var r registry.Merchant
		err = json.Unmarshal(e.Body, &r)
		return "merchant", r.ID.String(), err
	case journal.KindTerminal:
		var r registry.Terminal
		err = json.Unmarshal(e.Body, &r)
		return "terminal", r.ID.String(), err
	case journal.KindDevice:
		var r registry.Device
		err = json.Unmarshal(e.Body, &r)
		return "device", string(r.Serial), err
	case journal.KindCard:
		var r issuer.Opening
		err = json.Unmarshal(e.Body, &r)
		return "card", r.Card.String(), err
	case journal.KindCertificate:
		var r registry.Certificate
		err = json.Unmarshal(e.Body, &r)
		return "certificate", r.Fingerprint, err
	case journal.KindEvent:
		return "event", strconv.FormatUint(e.Seq, 10), nil
	case journal.KindKey:
		var r keys.Record
		if err := json.Unmarshal(e.Body, &r); err != nil {
			return "", "", err
		}
		_, usage, cipher, _, err := r.Wrapped.Head()
		return "key_record", fmt.Sprintf("%s/%d/%d", r.Owner, int(usage), int(cipher)), err
	}
	return "", "", nil
}

// coldRow is a stored row: where it is and what it says.
type coldRow struct {
	table, key string
	seq        uint64
	sum        [sha256.Size]byte // of the record
}

// coldRows reads the rows of all tables, a read transaction each.
func (r *Reader) coldRows(ctx context.Context) ([]coldRow, error) {
	var all []coldRow
	for _, t := range coldTables {
		list, err := r.db.QueryContext(ctx, "SELECT "+t.key+", seq, record FROM "+t.table)
		if err != nil {
			return nil, fmt.Errorf("read table %s: %w", t.table, err)
		}
		for list.Next() {
			row := coldRow{table: t.table}
			var seq int64
			var record []byte
			if err := list.Scan(&row.key, &seq, &record); err != nil {
				list.Close()
				return nil, &ColdError{t.table, row.key, 0, "malformed"}
			}
			row.seq, row.sum = uint64(seq), sha256.Sum256(record)
			all = append(all, row)
		}
		if err := errors.Join(list.Err(), list.Close()); err != nil {
			if isCorrupt(err) {
				return nil, &ColdError{t.table, "", 0, fmt.Sprintf("the table cannot be read: %s", err)}
			}
			return nil, fmt.Errorf("read table %s: %w", t.table, err)
		}
	}
	return all, nil
}

// checkColdRows compares every row with the entry it names: table, key and record. It costs one reading
// of the blocks in which the newest records stand. It does not see that a row is missing, or an older one
// put back: Prove does.
func (r *Reader) checkColdRows(ctx context.Context) error {
	if err := r.checkBlockNumbers(ctx); err != nil {
		return err
	}
	rows, err := r.coldRows(ctx)
	if err != nil {
		return err
	}
	return r.compareRows(ctx, rows)
}

// checkBlockNumbers refuses a block whose number is none: it lies before the first and no reading from there
// would meet it.
func (r *Reader) checkBlockNumbers(ctx context.Context) error {
	var first, last int64
	err := r.db.QueryRowContext(ctx, "SELECT coalesce(min(first), 1), coalesce(max(first + n - 1), 0) FROM (SELECT first, n FROM block ORDER BY first LIMIT 1)").Scan(&first, &last)
	if err != nil {
		return unreadable(1, fmt.Errorf("find first block: %w", err))
	}
	if first < 1 {
		return &journal.ChainError{Seq: uint64(max(last, 1)), What: fmt.Sprintf("a block has the number %d", first)}
	}
	return nil
}

func (r *Reader) compareRows(ctx context.Context, rows []coldRow) error {
	slices.SortFunc(rows, func(a, b coldRow) int { return cmp.Compare(a.seq, b.seq) })
	for len(rows) > 0 {
		block, err := r.blockOf(ctx, rows[0].seq)
		if errors.Is(err, ErrNoEntry) {
			return &ColdError{rows[0].table, rows[0].key, rows[0].seq, "the journal has no such entry"}
		}
		if err != nil {
			return unreadable(rows[0].seq, err)
		}
		if err := journal.NewVerifier(block.First-1, block.Prev).Block(block); err != nil {
			return err
		}
		n := 0
		for n < len(rows) && rows[n].seq <= block.Last() {
			n++
		}
		if err := compareBlock(block, rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// compareBlock compares rows, ascending by entry, with the entries of the block that holds them all.
func compareBlock(b journal.Block, rows []coldRow) error {
	err := b.Each(func(e journal.Entry) error {
		for ; len(rows) > 0 && rows[0].seq == e.Seq; rows = rows[1:] {
			row := rows[0]
			kept, err := coldRowsOf(e)
			at := slices.IndexFunc(kept, func(k coldRow) bool { return k.table == row.table && k.key == row.key })
			if err != nil || at < 0 {
				return &ColdError{row.table, row.key, row.seq, "the entry is about something else"}
			}
			if kept[at].sum != row.sum {
				return &ColdError{row.table, row.key, row.seq, "the record differs from the entry's"}
			}
		}
		return nil
	})
	if err == nil && len(rows) > 0 {
		err = &ColdError{rows[0].table, rows[0].key, rows[0].seq, "the journal has no such entry"}
	}
	return err
}

// Proven is what a whole proof reached.
type Proven struct {
	Last uint64 // the last entry
	Head journal.Hash
	Rows int // rows of cold records compared
}

// Prove recomputes the chain from the journal's first entry to its head, then compares the rows of cold
// records with the newest entry of each: none differs, none is missing. after is called after each block
// and may wait; an error of it ends the proof. The error is a *journal.ChainError or a *ColdError where the
// journal cannot be proven intact. It cannot see that blocks are missing at the end.
func (r *Reader) Prove(ctx context.Context, after func(journal.Block) error) (Proven, error) {
	if err := r.checkBlockNumbers(ctx); err != nil {
		return Proven{}, err
	}
	v := journal.NewVerifier(0, journal.Hash{})
	newest := map[string]coldRow{}
	err := r.Blocks(ctx, 1, func(b journal.Block) error {
		if err := v.Block(b); err != nil {
			return err
		}
		if err := r.checkSearch(ctx, b); err != nil {
			return err
		}
		err := b.Each(func(e journal.Entry) error {
			rows, err := coldRowsOf(e)
			if err != nil {
				return &journal.ChainError{Seq: e.Seq, What: "its record is malformed"}
			}
			for _, row := range rows {
				newest[row.table+" "+row.key] = row
			}
			return nil
		})
		if err != nil || after == nil {
			return err
		}
		return after(b)
	})
	if err != nil {
		return Proven{}, err
	}
	last, head := v.Head()
	rows, err := r.proveRows(ctx, last, newest)
	if isCorrupt(err) {
		err = fmt.Errorf("%s: %w", filepath.Join(r.dir, journalFile), err)
	}
	return Proven{last, head, rows}, err
}

// checkSearch wants a search for the block's entries, upwards and downwards, to find this block: messages
// ask for entries by number.
func (r *Reader) checkSearch(ctx context.Context, b journal.Block) error {
	for _, q := range [...]struct {
		query string
		at    uint64
	}{
		{"SELECT first FROM block WHERE first >= ? ORDER BY first LIMIT 1", b.First},
		{"SELECT first FROM block WHERE first <= ? ORDER BY first DESC LIMIT 1", b.First},
		{"SELECT first FROM block WHERE first <= ? ORDER BY first DESC LIMIT 1", b.Last()},
	} {
		var first int64
		err := r.db.QueryRowContext(ctx, q.query, int64(q.at)).Scan(&first)
		switch {
		case errors.Is(err, sql.ErrNoRows) || err == nil && uint64(first) != b.First:
			return lostBlock(b.First)
		case err != nil:
			return unreadable(b.First, fmt.Errorf("find block of entry %d: %w", q.at, err))
		}
	}
	return nil
}

// proveRows compares the rows with the newest entries up to last; a row of a later entry was written
// meanwhile and is compared with that entry.
func (r *Reader) proveRows(ctx context.Context, last uint64, newest map[string]coldRow) (int, error) {
	rows, err := r.coldRows(ctx)
	if err != nil {
		return 0, err
	}
	var later []coldRow
	for _, row := range rows {
		want, ok := newest[row.table+" "+row.key]
		delete(newest, row.table+" "+row.key)
		switch {
		case row.seq > last:
			later = append(later, row)
		case !ok:
			return 0, &ColdError{row.table, row.key, row.seq, "the journal never registered it"}
		case row.seq != want.seq:
			return 0, &ColdError{row.table, row.key, want.seq, fmt.Sprintf("the row is of entry %d", row.seq)}
		case !bytes.Equal(row.sum[:], want.sum[:]):
			return 0, &ColdError{row.table, row.key, row.seq, "the record differs from the entry's"}
		}
	}
	for _, missing := range newest {
		return 0, &ColdError{missing.table, missing.key, missing.seq, "the row is missing"}
	}
	return len(rows), r.compareRows(ctx, later)
}
