package sqlite_test

import (
	"errors"
	"fmt"
	"testing"

	"touchstone/journal"
	"touchstone/sqlite"
)

// TestBack: entries come newest first over the ends of blocks, no more than were asked for, and it is said how far that was.
func TestBack(t *testing.T) {
	s := openStore(t, t.TempDir())
	fill(t, s) // blocks of 1, 3 and 2
	fill(t, s)
	for name, c := range map[string]struct {
		before uint64
		most   int
		stop   uint64
		want   string
		from   uint64
	}{
		"all":                         {1 << 40, 100, 0, "[12 11 10 9 8 7 6 5 4 3 2 1]", 1},
		"within a block":              {4, 100, 0, "[3 2 1]", 1},
		"whole blocks over the bound": {13, 3, 0, "[12 11 10 9 8]", 8},
		"until the reader has enough": {13, 100, 10, "[12 11 10]", 10},
		"before the first":            {1, 100, 0, "[]", 1},
		"before nothing":              {0, 100, 0, "[]", 0},
	} {
		t.Run(name, func(t *testing.T) {
			seqs := []uint64{}
			from, err := s.Back(t.Context(), c.before, c.most, func(e journal.Entry) bool {
				seqs = append(seqs, e.Seq)
				return e.Seq != c.stop
			})
			if got := fmt.Sprint(seqs); err != nil || got != c.want || from != c.from {
				t.Errorf("%s from %d, want %s from %d: %v", got, from, c.want, c.from, err)
			}
		})
	}
	if b, err := s.BlockOf(t.Context(), 3); err != nil || b.First != 2 || b.Last() != 4 {
		t.Errorf("the block of entry 3 is %d to %d: %v", b.First, b.Last(), err)
	}
	if _, err := s.BlockOf(t.Context(), 13); !errors.Is(err, sqlite.ErrNoEntry) {
		t.Errorf("beyond the head: %v", err)
	}
}
