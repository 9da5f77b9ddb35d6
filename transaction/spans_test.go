package transaction_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"touchstone/pos"
	"touchstone/transaction"
)

// TestSpansAreASet: added in any order, the runs ascend, do not touch, and hold what was added alone.
func TestSpansAreASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p transaction.Spans
		set := map[pos.STAN]bool{}
		near := rapid.Uint32Range(0, 40)
		edge := rapid.Uint32Range(uint32(pos.MaxSTAN)-5, uint32(pos.MaxSTAN))
		for _, v := range rapid.SliceOf(rapid.OneOf(near, near, edge)).Draw(t, "traces") {
			before, kept := p.Clone(), slices.Clone(p)
			p.Add(pos.STAN(v))
			set[pos.STAN(v)] = true
			if !slices.Equal(before, kept) {
				t.Fatal("a clone shares its runs")
			}
		}
		held := 0
		for i, s := range p {
			if s.First > s.Last || (i > 0 && p[i-1].Last+1 >= s.First) {
				t.Fatalf("runs %v", p)
			}
			held += int(s.Last-s.First) + 1
		}
		if held != len(set) {
			t.Fatalf("%d traces are held, %d were added", held, len(set))
		}
		for v := range pos.STAN(60) {
			if p.Has(v) != set[v] {
				t.Fatalf("trace %s: %t", v, p.Has(v))
			}
		}
		for v := pos.MaxSTAN - 6; v <= pos.MaxSTAN; v++ {
			if p.Has(v) != set[v] {
				t.Fatalf("trace %s: %t", v, p.Has(v))
			}
		}
	})
}

// TestMaxSpans: at the bound a trace that would need one more run is refused, and only such a one.
func TestMaxSpans(t *testing.T) {
	var p transaction.Spans
	for i := range pos.STAN(transaction.MaxSpans) {
		if p.Full(3*i + 3) {
			t.Fatalf("full with %d runs", i)
		}
		p.Add(3*i + 3)
	}
	last := pos.STAN(3 * transaction.MaxSpans)
	for name, c := range map[string]struct {
		trace pos.STAN
		full  bool
	}{
		"held": {3, false}, "after a run": {4, false}, "before a run": {2, false}, "apart": {last + 2, true}, "apart in front": {1, true},
		"after the last": {last + 1, false}, "zero": {0, true},
	} {
		if got := p.Full(c.trace); got != c.full {
			t.Errorf("%s: full %t", name, got)
		}
		q := p.Clone()
		if q.Add(c.trace); (len(q) > transaction.MaxSpans) != c.full {
			t.Errorf("%s: %d runs", name, len(q))
		}
	}
}
