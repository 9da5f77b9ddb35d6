package main

import (
	"math"
	"strings"
	"testing"
)

// TestMedianInterval: the order statistics of tables for the sign test at 95 %, by Conover, Practical Nonparametric
// Statistics, A3 (binomial, p = 1/2): of 6 the extremes (0.969), of 8 the same (0.992), of 9 the 2nd (0.961), of 12 the
// 3rd (0.961), of 20 the 6th (0.959).
func TestMedianInterval(t *testing.T) {
	for n, rank := range map[int]int{1: 1, 5: 1, 6: 1, 8: 1, 9: 2, 12: 3, 20: 6} {
		var values []float64
		for i := n; i >= 1; i-- {
			values = append(values, float64(i))
		}
		if low, high := medianInterval(values); low != float64(rank) || high != float64(n+1-rank) {
			t.Errorf("of %d values: from the %g. to the %g., want the %d. from either end", n, low, high, rank)
		}
	}
	if low, high := medianInterval(nil); low != 0 || high != 0 {
		t.Errorf("of none: %g, %g", low, high)
	}
}

// TestLossOfPairs: a machine whose speed changes from pair to pair by more than what is asked about hides nothing, and
// a verdict is given only where the interval allows one.
func TestLossOfPairs(t *testing.T) {
	run := func(kept ...float64) (p pairs) {
		for i, k := range kept {
			speed := 10_000 * float64(i+1)
			p = append(p, pair{plain: turn{PerSecond: speed, Host: 50}, priced: turn{Wrong: true, PerSecond: speed * k, Host: 51}})
		}
		return p
	}
	for _, c := range []struct {
		name string
		p    pairs
		lost float64
		want verdict
	}{
		{"nothing is lost", run(1, 1, 1, 1, 1, 1), 0, met},
		{"two percent", run(.98, .98, .97, .98, .99, .98), 2, met},
		{"the target itself", run(.95, .95, .95, .95, .95, .95), 5, met},
		{"seven percent", run(.93, .93, .92, .93, .94, .93), 7, missed},
		{"it may be more and may be less", run(.90, .97, .98, .97, .98, .97), 3, undecided},
		{"too few to tell much: all of them count", run(.99, .90), 5.5, undecided},
	} {
		if _, middle, _ := loss(c.p.rates()); math.Abs(middle-c.lost) > 0.01 {
			t.Errorf("%s: %g %% lost", c.name, middle)
		}
		if got := judgeLoss(c.p.rates(), 5.000001); got != c.want {
			t.Errorf("%s: %s", c.name, got)
		}
		rows := c.p.rows(c.name, 5.000001)
		if !strings.Contains(rows[1].figure, "2.0 % more") {
			t.Errorf("%s: %s", c.name, rows[1].figure)
		}
	}
}

// TestPairsOf: turns come as without, with, with, without; each two are a pair, whichever was first.
func TestPairsOf(t *testing.T) {
	plain, priced := turn{false, 100, 50}, turn{true, 99, 51}
	all, err := pairsOf([]turn{plain, priced, priced, plain})
	if err != nil || len(all) != 2 || all[0] != (pair{plain, priced}) || all[1] != all[0] {
		t.Errorf("%+v, %v", all, err)
	}
	for _, bad := range [][]turn{nil, {plain}, {plain, plain}, {priced, priced}, {{}, priced}} {
		if _, err := pairsOf(bad); err == nil {
			t.Errorf("%+v make pairs", bad)
		}
	}
}
