package sqlite

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"

	"touchstone/pos"
)

// What the checkpoint keeps of messages that memory has forgotten: which entry recorded a key, and the
// records that are no longer as their entries made them. Each row carries the first sumSize bytes of a
// SHA-256 over all it holds, so that a damaged one is an error and never another answer.

// sumSize is how many bytes of the sum a row of record, run and stray has.
const sumSize = 8

// StateRowError names a row of the checkpoint whose bytes do not fit its sum. What needs it is refused; the
// journal has everything, and state.db can be deleted.
type StateRowError struct{ Row string }

func (e *StateRowError) Error() string { return fmt.Sprintf("%s of %s: sum differs", e.Row, stateFile) }

// rowSum is over numbers, 8 bytes each, big-endian, then bytes.
func rowSum(parts []byte, numbers ...uint64) []byte {
	h := sha256.New()
	var n [8]byte
	for _, v := range numbers {
		binary.BigEndian.PutUint64(n[:], v)
		h.Write(n[:])
	}
	h.Write(parts)
	return h.Sum(nil)[:sumSize]
}

// terminalNumber is a terminal's 8 bytes as one number.
func terminalNumber(id pos.TerminalID) uint64 { return binary.BigEndian.Uint64(id[:]) }

func (r *StoredRecord) sum() []byte { return rowSum(r.Body, r.Seq) }

// runBody encodes the traces of a run but for the first key, which is a column: for each, the distance of
// its key from the one before and the difference of its entry, as varints.
func runBody(b []byte, traces []Trace) []byte {
	key, seq := traces[0].Key, uint64(0)
	for _, t := range traces {
		b = binary.AppendUvarint(b, t.Key-key)
		b = binary.AppendVarint(b, int64(t.Seq-seq))
		key, seq = t.Key, t.Seq
	}
	return b
}

// errRun is a run's body that cannot be read though its sum fits.
var errRun = errors.New("malformed run of traces")

// seqInRun finds the entry of a key in a run's body.
func seqInRun(first uint64, body []byte, want uint64) (seq uint64, ok bool, err error) {
	for key := first; len(body) > 0; {
		step, n := binary.Uvarint(body)
		if n <= 0 {
			return 0, false, errRun
		}
		diff, m := binary.Varint(body[n:])
		if m <= 0 {
			return 0, false, errRun
		}
		key, seq, body = key+step, seq+uint64(diff), body[n+m:]
		switch {
		case key == want:
			return seq, true, nil
		case key > want:
			return 0, false, nil
		}
	}
	return 0, false, nil
}

// checkpointTraces writes the runs and strays of a batch.
func checkpointTraces(ctx context.Context, tx *sql.Tx, b *CheckpointBatch) error {
	var body []byte
	err := each(ctx, tx, "INSERT INTO run(terminal, first, last, body, sum) VALUES(?, ?, ?, ?, ?)", len(b.Runs), func(i int) []any {
		r := &b.Runs[i]
		first, last := r.Traces[0].Key, r.Traces[len(r.Traces)-1].Key
		body = runBody(body[:0], r.Traces)
		return []any{r.Terminal[:], int64(first), int64(last), body, rowSum(body, terminalNumber(r.Terminal), first, last)}
	})
	if err != nil {
		return fmt.Errorf("checkpoint runs of traces: %w", err)
	}
	err = each(ctx, tx, "INSERT OR REPLACE INTO stray(terminal, key, seq, sum) VALUES(?, ?, ?, ?)", len(b.Strays), func(i int) []any {
		s := &b.Strays[i]
		return []any{s.Terminal[:], int64(s.Key), int64(s.Seq), rowSum(nil, terminalNumber(s.Terminal), s.Key, s.Seq)}
	})
	if err != nil {
		return fmt.Errorf("checkpoint stray traces: %w", err)
	}
	return nil
}

// RecordBySeq is the body of a changed record by its entry's number; ok is false where it is as its entry
// made it.
func (s *Store) RecordBySeq(ctx context.Context, seq uint64) (body []byte, ok bool, err error) {
	var sum []byte
	err = s.state.record.QueryRowContext(ctx, int64(seq)).Scan(&body, &sum)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("read record of entry %d: %w", seq, err)
	case subtle.ConstantTimeCompare(sum, rowSum(body, seq)) != 1:
		return nil, false, &StateRowError{fmt.Sprintf("record of entry %d", seq)}
	}
	return body, true, nil
}

// SeqByTrace is the entry that recorded a terminal's message of this index key; ok is false where there is
// none.
func (s *Store) SeqByTrace(ctx context.Context, terminal pos.TerminalID, key uint64) (seq uint64, ok bool, err error) {
	var n int64
	var sum []byte
	err = s.state.stray.QueryRowContext(ctx, terminal[:], int64(key)).Scan(&n, &sum)
	switch {
	case err == nil && subtle.ConstantTimeCompare(sum, rowSum(nil, terminalNumber(terminal), key, uint64(n))) != 1:
		return 0, false, &StateRowError{fmt.Sprintf("stray trace of terminal %s", terminal)}
	case err == nil:
		return uint64(n), true, nil
	case !errors.Is(err, sql.ErrNoRows):
		return 0, false, fmt.Errorf("read trace of terminal %s: %w", terminal, err)
	}
	var first, last int64
	var body []byte
	err = s.state.run.QueryRowContext(ctx, terminal[:], int64(key)).Scan(&first, &last, &body, &sum)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, false, nil
	case err != nil:
		return 0, false, fmt.Errorf("read traces of terminal %s: %w", terminal, err)
	case subtle.ConstantTimeCompare(sum, rowSum(body, terminalNumber(terminal), uint64(first), uint64(last))) != 1:
		return 0, false, &StateRowError{fmt.Sprintf("run of traces of terminal %s", terminal)}
	case key > uint64(last):
		return 0, false, nil
	}
	return seqInRun(uint64(first), body, key)
}
