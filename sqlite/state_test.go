package sqlite_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"touchstone/sqlite"
)

// checkpointed makes a directory with 6 entries and a checkpoint whose floor is entry 4.
func checkpointed(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := openStore(t, dir)
	fill(t, s)
	checkpoint(t, s, 4)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func checkpoint(t *testing.T, s *sqlite.Store, floor uint64) {
	t.Helper()
	last, head, err := s.Boundary(t.Context(), floor)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Checkpoint(t.Context(), sqlite.CheckpointBatch{
		Slabs: []sqlite.Slab{
			{Kind: sqlite.TerminalSlab, ID: 2, Applied: 4, Body: []byte("two")},
			{Kind: sqlite.TerminalSlab, ID: 1, Applied: 3, Body: []byte("one")},
			{Kind: sqlite.CardSlab, ID: 1, Applied: 4},
		},
		Records: []sqlite.StoredRecord{{Seq: 3, Body: []byte("record")}},
		Runs:    []sqlite.Run{{Terminal: terminalID(1), Traces: []sqlite.Trace{{Key: 1<<60 + 7, Seq: 3}, {Key: 1<<60 + 9, Seq: 300}, {Key: 2<<60 - 1, Seq: 4}}}},
		Strays:  []sqlite.Stray{{Terminal: terminalID(1), Trace: sqlite.Trace{Key: 5, Seq: 2}}, {Terminal: terminalID(1), Trace: sqlite.Trace{Key: 1<<60 + 9, Seq: 6}}},
		Floor:   &sqlite.Floor{Seq: last, Head: head},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func slabs(t *testing.T, s *sqlite.Store, kind sqlite.SlabKind) (string, error) {
	t.Helper()
	text := ""
	err := s.LoadSlabs(t.Context(), kind, func(b sqlite.Slab) error {
		text += fmt.Sprintf("%s %d at %d %q; ", b.Kind, b.ID, b.Applied, b.Body)
		return nil
	})
	return text, err
}

func TestCheckpoint(t *testing.T) {
	s := openStore(t, checkpointed(t))
	if got, err := slabs(t, s, sqlite.TerminalSlab); err != nil || got != `terminal 1 at 3 "one"; terminal 2 at 4 "two"; ` {
		t.Errorf("terminals %s, %v", got, err)
	}
	if got, err := slabs(t, s, sqlite.CardSlab); err != nil || got != `card 1 at 4 ""; ` {
		t.Errorf("cards %s, %v", got, err)
	}
	if f, ok, err := s.Floor(t.Context()); f.Seq != 4 || !ok || err != nil {
		t.Errorf("floor %d %v %v", f.Seq, ok, err)
	}
	if b, ok, err := s.RecordBySeq(t.Context(), 3); string(b) != "record" || !ok || err != nil {
		t.Errorf("record %q %v %v", b, ok, err)
	}
	if _, ok, err := s.RecordBySeq(t.Context(), 2); ok || err != nil {
		t.Errorf("absent record: %v %v", ok, err)
	}
	for key, want := range map[uint64]uint64{1<<60 + 7: 3, 2<<60 - 1: 4, 5: 2, 1<<60 + 9: 6, 1<<60 + 6: 0, 1<<60 + 8: 0, 2 << 60: 0, 4: 0, 6: 0} {
		if seq, ok, err := s.SeqByTrace(t.Context(), terminalID(1), key); seq != want || ok != (want != 0) || err != nil {
			t.Errorf("trace of key %#x: %d %v %v", key, seq, ok, err)
		}
	}
	if _, ok, err := s.SeqByTrace(t.Context(), terminalID(2), 1<<60+7); ok || err != nil {
		t.Errorf("trace of another terminal: %v %v", ok, err)
	}
	// A later batch replaces rows and, without a floor, leaves it.
	err := s.Checkpoint(t.Context(), sqlite.CheckpointBatch{Slabs: []sqlite.Slab{{Kind: sqlite.CardSlab, ID: 1, Applied: 6, Body: []byte("new")}}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := slabs(t, s, sqlite.CardSlab); err != nil || got != `card 1 at 6 "new"; ` {
		t.Errorf("cards %s, %v", got, err)
	}
	if f, ok, err := s.Floor(t.Context()); f.Seq != 4 || !ok || err != nil {
		t.Errorf("floor %d %v %v", f.Seq, ok, err)
	}
	if err := s.ResetState(t.Context()); err != nil {
		t.Fatal(err)
	}
	isReset(t, s)
}

func isReset(t *testing.T, s *sqlite.Store) {
	t.Helper()
	for _, kind := range []sqlite.SlabKind{sqlite.TerminalSlab, sqlite.CardSlab} {
		if got, err := slabs(t, s, kind); got != "" || err != nil {
			t.Errorf("after reset: %s, %v", got, err)
		}
	}
	if _, ok, err := s.Floor(t.Context()); ok || err != nil {
		t.Errorf("after reset: floor %v, %v", ok, err)
	}
	if _, ok, err := s.RecordBySeq(t.Context(), 3); ok || err != nil {
		t.Errorf("after reset: record %v, %v", ok, err)
	}
	if _, ok, err := s.SeqByTrace(t.Context(), terminalID(1), 1<<60+7); ok || err != nil {
		t.Errorf("after reset: trace %v, %v", ok, err)
	}
}

func TestDamagedSlabIsNamed(t *testing.T) {
	for _, damage := range []string{
		"body = x'00'", "body = x''", "applied = 5",
	} {
		dir := checkpointed(t)
		alter(t, filepath.Join(dir, "state.db"), "UPDATE slab SET "+damage+" WHERE kind = 1 AND id = 2")
		s := openStore(t, dir)
		want := uint64(2)
		var bad *sqlite.SlabError
		if _, err := slabs(t, s, sqlite.TerminalSlab); !errors.As(err, &bad) || bad.Kind != sqlite.TerminalSlab || bad.ID != want {
			t.Errorf("%s: %v", damage, err)
		}
		if _, err := slabs(t, s, sqlite.CardSlab); err != nil {
			t.Errorf("%s: the other kind: %v", damage, err)
		}
	}
}

func TestDamagedRowIsNamed(t *testing.T) {
	for damage, key := range map[string]uint64{
		"UPDATE run SET body = x'0006010c'": 1<<60 + 7, "UPDATE run SET last = last - 1": 1<<60 + 7, "UPDATE run SET first = first - 1": 1<<60 + 7,
		"UPDATE run SET sum = zeroblob(8)": 1<<60 + 7, "UPDATE run SET sum = x''": 1<<60 + 7,
		"UPDATE stray SET seq = 3 WHERE key = 5": 5,
	} {
		dir := checkpointed(t)
		alter(t, filepath.Join(dir, "state.db"), damage)
		var bad *sqlite.StateRowError
		if _, ok, err := openStore(t, dir).SeqByTrace(t.Context(), terminalID(1), key); !errors.As(err, &bad) || ok {
			t.Errorf("%s: %v %v", damage, ok, err)
		}
	}
	dir := checkpointed(t)
	alter(t, filepath.Join(dir, "state.db"), "UPDATE record SET body = x'00'")
	var bad *sqlite.StateRowError
	if _, ok, err := openStore(t, dir).RecordBySeq(t.Context(), 3); !errors.As(err, &bad) || ok {
		t.Errorf("the body of a record: %v %v", ok, err)
	}
}

// TestBrokenSealDiscardsTheCheckpoint: a row that is gone, of another key, or an older one with a sum of its
// own. The table is told; the journal makes the state again.
func TestBrokenSealDiscardsTheCheckpoint(t *testing.T) {
	for _, c := range []struct{ table, damage string }{
		{"slab", "UPDATE slab SET sum = zeroblob(32) WHERE kind = 1 AND id = 2"}, {"slab", "UPDATE slab SET sum = x'' WHERE id = 1"},
		{"slab", "UPDATE slab SET id = 3 WHERE kind = 1 AND id = 2"}, {"slab", "UPDATE slab SET kind = 3 WHERE kind = 2"},
		{"slab", "DELETE FROM slab WHERE kind = 1 AND id = 2"}, {"slab", "INSERT INTO slab VALUES(1, 9, 1, x'00', zeroblob(32))"},
		{"record", "UPDATE record SET seq = 2"}, {"record", "UPDATE record SET sum = zeroblob(8)"}, {"record", "DELETE FROM record"},
		{"stray", "UPDATE stray SET key = 6 WHERE key = 5"}, {"stray", "UPDATE stray SET sum = x''"}, {"stray", "DELETE FROM stray WHERE key = 5"},
		{"slab", "DELETE FROM seal"}, {"slab", "UPDATE seal SET rows = rows + 1 WHERE id = 0"}, {"record", "UPDATE seal SET sum = sum + 1 WHERE id = 1"},
	} {
		dir := checkpointed(t)
		alter(t, filepath.Join(dir, "state.db"), c.damage)
		var told strings.Builder
		s, err := sqlite.Open(dir, sqlite.Options{Log: slog.New(slog.NewTextHandler(&told, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(told.String(), "damaged and was discarded") || !strings.Contains(told.String(), "table="+c.table+" ") {
			t.Errorf("%s: told %q", c.damage, told.String())
		}
		isReset(t, s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestSealFollowsEveryCheckpoint: rows that are new, replaced, and written twice in one batch.
func TestSealFollowsEveryCheckpoint(t *testing.T) {
	dir := checkpointed(t)
	for round := range 3 {
		var told strings.Builder
		s, err := sqlite.Open(dir, sqlite.Options{Log: slog.New(slog.NewTextHandler(&told, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok, err := s.Floor(t.Context()); !ok || err != nil || told.Len() > 0 {
			t.Fatalf("round %d: floor %t, %v; told %q", round, ok, err, told.String())
		}
		body := []byte{byte(round)}
		err = s.Checkpoint(t.Context(), sqlite.CheckpointBatch{
			Slabs: []sqlite.Slab{{Kind: sqlite.TerminalSlab, ID: 2, Applied: 5, Body: body}, {Kind: sqlite.TerminalSlab, ID: 2, Applied: 6, Body: body},
				{Kind: sqlite.CardSlab, ID: uint64(10 + round), Applied: 5}},
			Records: []sqlite.StoredRecord{{Seq: 3, Body: body}, {Seq: 5, Body: []byte("x")}, {Seq: 5, Body: body}},
			Strays:  []sqlite.Stray{{Terminal: terminalID(1), Trace: sqlite.Trace{Key: 5, Seq: uint64(round)}}, {Terminal: terminalID(2), Trace: sqlite.Trace{Key: 5, Seq: 6}}},
		})
		if err := errors.Join(err, s.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStateOfAnotherJournalIsDiscarded(t *testing.T) {
	// The same entries from 1 to 4 and a later journal: it fits.
	dir := checkpointed(t)
	if _, ok, err := openStore(t, dir).Floor(t.Context()); !ok || err != nil {
		t.Fatalf("own state: %v %v", ok, err)
	}
	for name, damage := range map[string]string{
		"another chain":             "UPDATE floor SET head = zeroblob(32)",
		"no end of block":           "UPDATE floor SET seq = 3",
		"beyond the journal's head": "UPDATE floor SET seq = 7",
	} {
		dir := checkpointed(t)
		alter(t, filepath.Join(dir, "state.db"), damage)
		t.Log(name)
		isReset(t, openStore(t, dir))
	}
}

func TestCorruptStateIsSetAside(t *testing.T) {
	dir := checkpointed(t)
	path := filepath.Join(dir, "state.db")
	if err := os.WriteFile(path, make([]byte, 8192), 0o600); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, dir)
	isReset(t, s)
	checkpoint(t, s, 6)
	if _, err := os.Stat(path + ".corrupt"); err != nil {
		t.Error(err)
	}
}
