package sqlite_test

import (
	"testing"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/sqlite"
)

// TestSoldSince holds what SoldSince adds up against reading every entry, for every instant at which it can begin,
// with the view behind by every number of rounds, and without one.
func TestSoldSince(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir()}
	viewed, plain := openStore(t, dirs[0]), openStore(t, dirs[1])
	p := openProjector(t, viewed)
	sell := func(s *sqlite.Store, round int) {
		w := newWriter(t, s)
		for i := range 23 { // blocks of 5, the last shorter; terminals come and go within a round
			n := 23*round + i
			x := exchange(i*i%3+round%2, n)
			x.Amount = pos.Amount(100 + n)
			if n%7 == 0 {
				x.Effect = journal.Recorded
			}
			if n%9 == 0 { // a message that names no terminal
				x.Terminal, x.Effect = pos.TerminalID{}, journal.Recorded
			}
			if w.add(x); i%5 == 4 {
				w.flush()
			}
		}
		w.flush()
	}
	for round := range 6 {
		sell(viewed, round)
		sell(plain, round)
		if round < 5 { // the last is not in the view
			if err := p.CatchUp(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	var readers []*sqlite.Reader
	for _, dir := range dirs {
		r, err := sqlite.OpenReader(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		readers = append(readers, r)
	}
	r, bare := readers[0], readers[1]
	instants := map[pos.Instant]bool{0: true, 1 << 62: true}
	var all []journal.Exchange
	err := r.Blocks(t.Context(), 1, func(b journal.Block) error {
		return b.Each(func(e journal.Entry) error {
			instants[e.At], instants[e.At+1] = true, true
			var x journal.Exchange
			if e.Kind == journal.KindExchange && x.Parse(e) == nil {
				x.Details, x.Wrapped = nil, nil
				all = append(all, x)
			}
			return nil
		})
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d exchanges, %v", len(all), err)
	}
	sold := 0
	for at := range instants {
		want := map[pos.TerminalID]sqlite.Sold{}
		for i := range all {
			if x := &all[i]; x.At >= at && x.Effect == journal.Sold {
				w := want[x.Terminal]
				want[x.Terminal] = sqlite.Sold{Sales: w.Sales + 1, Amount: w.Amount + x.Amount}
				sold++
			}
		}
		for name, reader := range map[string]*sqlite.Reader{"with the view": r, "without": bare} {
			got, err := reader.SoldSince(t.Context(), at)
			if err != nil || len(got) != len(want) {
				t.Fatalf("%s, since %d: %v, %v, want %v", name, at, got, err, want)
			}
			for id, w := range want {
				if got[id] != w {
					t.Errorf("%s, since %d: terminal %s %+v, want %+v", name, at, id, got[id], w)
				}
			}
		}
	}
	if sold == 0 {
		t.Error("nothing was sold in this journal: the test shows nothing")
	}
}
