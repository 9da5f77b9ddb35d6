package sqlite_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"touchstone/journal"
	"touchstone/sqlite"
)

// actOf makes an act that changes nouns; each pair is an id and a value.
func actOf(pairs ...string) journal.Act {
	a := journal.Act{Verb: "tried", Actors: []string{"qian"}}
	for i := 0; i < len(pairs); i += 2 {
		a.Changes = append(a.Changes, journal.Change{Noun: "thing", ID: pairs[i], Record: json.RawMessage(fmt.Sprintf("%q", pairs[i+1]))})
	}
	return a
}

// TestActRows: one row of each noun that acts changed, the newest, in the order of the journal; a room's rows
// are not another's; a row that was altered is named.
func TestActRows(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	w := newWriter(t, s)
	w.cold(journal.KindFleet, actOf("a", "one", "b", "one", "b", "two"))
	w.cold(journal.KindLab, actOf("a", "of the laboratory"))
	w.flush()
	w.cold(journal.KindFleet, actOf("a", "three"))
	w.cold(journal.KindFleet, journal.Act{Verb: "tried", Actors: []string{"qian"}, Refused: "not so"})
	w.flush()
	var got []string
	err := s.Cold(t.Context(), sqlite.Cold{Act: func(seq uint64, kind journal.Kind, c journal.Change) error {
		got = append(got, fmt.Sprintf("%d %s %s %s %s", seq, kind, c.Noun, c.ID, c.Record))
		return nil
	}})
	if want := []string{`1 fleet thing b "two"`, `2 lab thing a "of the laboratory"`, `3 fleet thing a "three"`}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if p, err := s.Prove(t.Context(), nil); err != nil || p.Rows != 3 {
		t.Errorf("%d rows proven, %v", p.Rows, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	alter(t, filepath.Join(dir, "touchstone.db"), `UPDATE act_record SET record = '"four"' WHERE kind = 13 AND id = 'a'`)
	_, err = sqlite.Open(dir, sqlite.Options{})
	var named *sqlite.ColdError
	if !errors.As(err, &named) || named.Seq != 3 || named.Key != "13/thing/a" {
		t.Errorf("an altered row of an act: %v", err)
	}
}
