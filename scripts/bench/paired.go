package main

import (
	"errors"
	"fmt"
	"slices"

	"touchstone/terminal/load"
)

// turn is one of the turns of a load: with what is being priced, or without.
type turn struct {
	Wrong     bool    `json:"wrong"`
	PerSecond float64 `json:"per_second"`
	Host      float64 `json:"host_cpu_us"`
}

// pair is two turns of one load, one right after the other: the plain one, and the one with what is being priced.
// Whatever else the machine does in that time it does to both, so their ratio says more than two runs an hour apart.
type pair struct{ plain, priced turn }

// pairs are the turns of one load.
type pairs []pair

// pairsOf puts turns that follow each other into pairs.
func pairsOf(turns []turn) (all pairs, err error) {
	for i := 0; i+1 < len(turns); i += 2 {
		p := pair{turns[i], turns[i+1]}
		if p.plain.Wrong {
			p.plain, p.priced = p.priced, p.plain
		}
		if p.plain.Wrong || !p.priced.Wrong || p.plain.PerSecond == 0 || p.plain.Host == 0 {
			return nil, fmt.Errorf("turns %d and %d are no pair: %+v", i, i+1, turns[i:i+2])
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		return nil, errors.New("the load had no turns")
	}
	return all, nil
}

// rates are what the priced turns reached of the throughput of the plain ones, each as a ratio.
func (p pairs) rates() (list []float64) {
	for _, one := range p {
		list = append(list, one.priced.PerSecond/one.plain.PerSecond)
	}
	return list
}

// cpu is what the host's processor time of a message is in the priced turns, as ratios to the plain ones.
func (p pairs) cpu() (list []float64) {
	for _, one := range p {
		list = append(list, one.priced.Host/one.plain.Host)
	}
	return list
}

// middle is the median of one figure of the plain turns and of the priced ones.
func (p pairs) middle(figure func(turn) float64) (plain, priced float64) {
	var a, b []float64
	for _, one := range p {
		a, b = append(a, figure(one.plain)), append(b, figure(one.priced))
	}
	return median(a), median(b)
}

// median is that of values in any order, 0 of none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	return (s[(len(s)-1)/2] + s[len(s)/2]) / 2
}

// confidence is how surely the true median lies in an interval of medianInterval, at least.
const confidence = 0.95

// medianInterval is the narrowest interval between two order statistics, as far from either end, that holds the median
// of what values were drawn from with confidence, whatever its distribution: the median is above a value as often as
// not, so that how many of n are above it is binomial (n, 1/2). Of fewer than six values it is all of them.
func medianInterval(values []float64) (low, high float64) {
	s := slices.Sorted(slices.Values(values))
	n := len(s)
	if n == 0 {
		return 0, 0
	}
	term := 1.0 // n over k, divided by 2^n
	for range n {
		term /= 2
	}
	outside, drop := 2*term, 0
	for k := 1; k <= n/2; k++ { // dropping k at either end leaves those tails outside
		if outside > 1-confidence {
			break
		}
		if n-2*k >= 1 {
			drop = k - 1
		}
		term = term * float64(n-k+1) / float64(k)
		outside += 2 * term
	}
	return s[drop], s[n-1-drop]
}

// loss is what is lost in percent by the median of ratios, and the interval it lies in.
func loss(ratios []float64) (most, middle, least float64) {
	low, high := medianInterval(ratios)
	return 100 * (1 - low), 100 * (1 - median(ratios)), 100 * (1 - high)
}

// undecided is the verdict where the interval of a figure holds its target: another run may say the other.
const undecided verdict = "undecided"

// judgeLoss tells whether at most target percent are lost, with the confidence of the interval.
func judgeLoss(ratios []float64, target float64) verdict {
	switch most, _, least := loss(ratios); {
	case most <= target:
		return met
	case least > target:
		return missed
	}
	return undecided
}

// rows are the rows of a table about what something costs; target is the percent of throughput that may be lost.
func (p pairs) rows(what string, target float64) []row {
	most, middle, least := loss(p.rates())
	plain, priced := p.middle(func(t turn) float64 { return t.PerSecond })
	plainCPU, pricedCPU := p.middle(func(t turn) float64 { return t.Host })
	more := p.cpu()
	low, high := medianInterval(more)
	return []row{
		{what: what, figure: fmt.Sprintf("median of the pairs' ratios: %.1f %% lost, between %.1f and %.1f with 95 %% confidence; %s against %s/s", middle, least, most,
			load.Thousands(uint64(priced)), load.Thousands(uint64(plain))),
			target: fmt.Sprintf("at most %g %% lost", target), met: judgeLoss(p.rates(), target)},
		{what: "- the host's CPU of a message in the same turns", figure: fmt.Sprintf("%.1f against %.1f us; median of the pairs' ratios: %.1f %% more, between %.1f and %.1f", pricedCPU, plainCPU,
			100*(median(more)-1), 100*(low-1), 100*(high-1))},
	}
}
