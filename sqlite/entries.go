package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// selectHolding finds the block that holds an entry.
const selectHolding = "SELECT first, n, body FROM block WHERE first <= ? ORDER BY first DESC LIMIT 1"

// Entries calls f with the entries of some numbers, ascending and each once, whatever the order in which they are given. A
// block is read once, however many of its entries are wanted, and no transaction is open while f runs. A body is f's to keep.
// The error is f's, or ErrNoEntry for a number that the journal does not hold. The entries are not verified.
func (r *Reader) Entries(ctx context.Context, seqs []uint64, f func(journal.Entry) error) error {
	if len(seqs) == 0 {
		return nil
	}
	wanted := slices.Clone(seqs)
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	find, err := r.db.PrepareContext(ctx, selectHolding)
	if err != nil {
		return fmt.Errorf("read journal entry %d: %w", wanted[0], err)
	}
	defer find.Close()
	var found []journal.Entry
	for len(wanted) > 0 {
		if found, err = entriesAt(ctx, find, wanted, found[:0]); err != nil {
			return fmt.Errorf("read journal entry %d: %w", wanted[0], err)
		}
		for _, e := range found {
			if err := f(e); err != nil {
				return err
			}
		}
		wanted = wanted[len(found):]
	}
	return nil
}

// entriesAt appends the entries that stand in the block of the first number wanted; there is one at least. Of a block, which may
// have a megabyte, only these are copied.
func entriesAt(ctx context.Context, find *sql.Stmt, wanted []uint64, found []journal.Entry) ([]journal.Entry, error) {
	list, err := find.QueryContext(ctx, int64(min(wanted[0], maxSeq)))
	if err != nil {
		return nil, err
	}
	defer list.Close()
	if !list.Next() {
		if err := list.Err(); err != nil {
			return nil, err
		}
		return nil, ErrNoEntry
	}
	var first, n int64
	var body sql.RawBytes // the row's own, until it is closed
	if err := list.Scan(&first, &n, &body); err != nil {
		return nil, scanFault("read block", first, err)
	}
	b := journal.Block{First: uint64(first), N: int(n), Body: body}
	switch {
	case first <= 0 || n <= 0 || n > int64(len(body)):
		return nil, malformed(first)
	case b.First > wanted[0]:
		return nil, lostBlock(wanted[0])
	case wanted[0] > b.Last():
		return nil, ErrNoEntry
	}
	err = b.Each(func(e journal.Entry) error {
		if e.Seq == wanted[len(found)] {
			e.Body = slices.Clone(e.Body)
			found = append(found, e)
		}
		if len(found) == len(wanted) {
			return errEnd
		}
		return nil
	})
	if err != nil && err != errEnd {
		return nil, err
	}
	return found, list.Err()
}

// Refused is a refused message as a row of view.db has it.
type Refused struct {
	Seq    uint64
	At     pos.Instant
	DE39   pos.ResponseCode
	Reason reason.Reason
	Flags  uint16
}

// RefusalsOf are a terminal's newest refused messages up to an entry, newest first, at most most, as far as view.db reaches.
func (p *Projector) RefusalsOf(ctx context.Context, terminal pos.TerminalID, upTo uint64, most int) (list []Refused, err error) {
	err = p.atPosition(ctx, func(tx *sql.Tx, _ position) error {
		rows, err := tx.QueryContext(ctx, "SELECT seq, at, de39, reason, flags FROM refusal WHERE terminal = ? AND seq <= ? ORDER BY seq DESC LIMIT ?", terminal.String(), int64(min(upTo, maxSeq)), most)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var seq, at, flags int64
			var de39, why string
			if err := rows.Scan(&seq, &at, &de39, &why, &flags); err != nil {
				return err
			}
			one := Refused{Seq: uint64(seq), At: pos.Instant(at), Flags: uint16(flags)}
			if len(de39) == len(one.DE39) {
				one.DE39 = pos.Code(de39)
			}
			if one.Reason, err = reason.Parse(why); err != nil {
				continue // written by a newer program: the entry cannot be read here either
			}
			list = append(list, one)
		}
		return rows.Err()
	})
	return list, err
}
