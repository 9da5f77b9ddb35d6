package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
)

// A row whose sum fits is as it was written; that a row is gone, or is an older one, no sum of its own can
// tell. A slab that vanished would forget used traces, a changed record that vanished would give back a
// refunded sale. So the seal says, for each of the tables below, how many rows there are and what their
// sums add up to; it is written with every checkpoint and compared at every start. Runs are not sealed: a
// trace that is in none is refused.

// sealTables are sealed: a table, its key as up to two numbers, and its sum.
var sealTables = [...]struct{ table, key string }{
	{"slab", "kind, id, sum"}, {"record", "seq, 0, sum"}, {"stray", "terminal, key, sum"},
}

// seal is what one table's rows come to.
type seal struct{ rows, sum uint64 }

// term is what a row adds: a mixture of its key and its sum, so that neither can change alone. It shows
// damage, not forgery.
func term(a, b uint64, sum []byte) uint64 {
	if len(sum) < sumSize {
		return 0
	}
	h := binary.BigEndian.Uint64(sum) ^ a*0x9e3779b97f4a7c15 ^ b*0xc2b2ae3d27d4eb4f
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9 // the finalizer of SplitMix64
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// sealedRow is the key and the new sum of a row that a checkpoint writes.
type sealedRow struct {
	a, b uint64
	key  []any // as the statement wants them
	sum  []byte
}

// reseal moves the seals by what a batch is about to write; it runs before the rows are replaced.
func reseal(ctx context.Context, tx *sql.Tx, b *CheckpointBatch) error {
	var slabs, records, strays []sealedRow
	for i := range b.Slabs {
		s := &b.Slabs[i]
		sum := s.sum()
		slabs = append(slabs, sealedRow{uint64(s.Kind), s.ID, []any{int(s.Kind), int64(s.ID)}, sum[:]})
	}
	for i := range b.Records {
		r := &b.Records[i]
		records = append(records, sealedRow{r.Seq, 0, []any{int64(r.Seq)}, r.sum()})
	}
	for i := range b.Strays {
		s := &b.Strays[i]
		strays = append(strays, sealedRow{terminalNumber(s.Terminal), s.Key, []any{s.Terminal[:], int64(s.Key)},
			rowSum(nil, terminalNumber(s.Terminal), s.Key, s.Seq)})
	}
	for i, t := range []struct {
		table, where string
		rows         []sealedRow
	}{{"slab", "kind = ? AND id = ?", slabs}, {"record", "seq = ?", records}, {"stray", "terminal = ? AND key = ?", strays}} {
		if err := resealTable(ctx, tx, i, t.table, t.where, t.rows); err != nil {
			return fmt.Errorf("seal table %s: %w", t.table, err)
		}
	}
	return nil
}

func resealTable(ctx context.Context, tx *sql.Tx, id int, table, where string, rows []sealedRow) error {
	old, err := tx.PrepareContext(ctx, "SELECT sum FROM "+table+" WHERE "+where)
	if err != nil {
		return err
	}
	defer old.Close()
	var now seal
	if now, err = storedSeal(ctx, tx, id); err != nil {
		return err
	}
	added := map[[2]uint64]uint64{} // what this batch has added for a key
	row := context.WithoutCancel(ctx)
	for _, r := range rows {
		key := [2]uint64{r.a, r.b}
		before, again := added[key]
		if !again {
			var sum []byte
			switch err := old.QueryRowContext(row, r.key...).Scan(&sum); {
			case errors.Is(err, sql.ErrNoRows):
				now.rows++
			case err != nil:
				return err
			default:
				before = term(r.a, r.b, sum)
			}
		}
		added[key] = term(r.a, r.b, r.sum)
		now.sum += added[key] - before
	}
	_, err = tx.ExecContext(ctx, "INSERT OR REPLACE INTO seal(id, rows, sum) VALUES(?, ?, ?)", id, int64(now.rows), int64(now.sum))
	return err
}

// storedSeal is the seal of sealTables[id]; zero where there is none yet.
func storedSeal(ctx context.Context, db rows, id int) (seal, error) {
	var n, sum int64
	err := db.QueryRowContext(ctx, "SELECT rows, sum FROM seal WHERE id = ?", id).Scan(&n, &sum)
	if errors.Is(err, sql.ErrNoRows) {
		return seal{}, nil
	}
	return seal{uint64(n), uint64(sum)}, err
}

// discardBrokenState empties a checkpoint whose rows are not all those that were sealed.
func (s *Store) discardBrokenState(ctx context.Context) error {
	for id, t := range sealTables {
		have, err := s.state.tableSeal(ctx, "SELECT "+t.key+" FROM "+t.table)
		var want seal
		if err == nil {
			want, err = storedSeal(ctx, s.state.read, id)
		}
		if err != nil && !isDamaged(err) {
			return fmt.Errorf("read table %s of %s: %w", t.table, stateFile, err)
		}
		if err == nil && have == want {
			continue
		}
		s.log.Error("checkpoint is damaged and was discarded", slog.String("table", t.table), slog.Uint64("rows", have.rows), slog.Uint64("sealed", want.rows))
		return s.ResetState(ctx)
	}
	return nil
}

func (s *state) tableSeal(ctx context.Context, query string) (have seal, err error) {
	list, err := s.read.QueryContext(ctx, query)
	if err != nil {
		return seal{}, err
	}
	defer list.Close()
	for list.Next() {
		var a, b any
		var sum []byte
		if err := list.Scan(&a, &b, &sum); err != nil {
			return seal{}, err
		}
		have.rows++
		have.sum += term(keyNumber(a), keyNumber(b), sum)
	}
	return have, list.Err()
}

// keyNumber is a column of a key as a number: an integer, or a terminal's 8 bytes.
func keyNumber(v any) uint64 {
	switch v := v.(type) {
	case int64:
		return uint64(v)
	case []byte:
		if len(v) == 8 {
			return binary.BigEndian.Uint64(v)
		}
	}
	return 0
}
