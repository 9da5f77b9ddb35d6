package main

import (
	"fmt"
	"time"
)

// diagnoseFlags are the budgets of seeking causes; docs/operating/diagnosis.md.
type diagnoseFlags struct {
	DiagnoseSecond int `name:"diagnose-second" help:"Refused messages examined a second for what is behind them, at most, after their answers; 0 examines none." default:"200"`
	DiagnoseMinute int `name:"diagnose-terminal-minute" help:"Of them of one terminal a minute; twice as many at once." default:"6"`
	DiagnoseShare  int `name:"diagnose-share" help:"Percent of the processors that examining them may take." default:"2"`
}

// check refuses what may not be configured, by the key's name.
func (f *diagnoseFlags) check() error {
	for _, n := range []struct {
		key                string
		value, least, most int
	}{{"diagnose-second", f.DiagnoseSecond, 0, 10_000}, {"diagnose-terminal-minute", f.DiagnoseMinute, 1, 10_000}, {"diagnose-share", f.DiagnoseShare, 1, 100}} {
		if n.value < n.least || n.value > n.most {
			return fmt.Errorf("%s: %d is not from %d to %d", n.key, n.value, n.least, n.most)
		}
	}
	return nil
}

func (f *diagnoseFlags) budget() diagnoseBudget {
	return diagnoseBudget{second: f.DiagnoseSecond, minute: f.DiagnoseMinute, share: f.DiagnoseShare}
}

// diagnoseDefaults are the budgets of a fresh installation.
func diagnoseDefaults() diagnoseFlags {
	return diagnoseFlags{DiagnoseSecond: 200, DiagnoseMinute: 6, DiagnoseShare: 2}
}

// diagnoseBudget is how much may be examined. The zero value examines nothing.
type diagnoseBudget struct {
	second int // messages a second, in all
	minute int // of one terminal, a minute; twice as many at once
	share  int // percent of the processors
}

// bucket holds tokens. The zero value is full.
type bucket struct {
	spent  float64
	filled time.Duration // since the start of the clock
}

// refill gives back what time gave at rate tokens a second.
func (b *bucket) refill(now time.Duration, rate float64) {
	if since := now - b.filled; since > 0 {
		b.spent = max(0, b.spent-since.Seconds()*rate)
		b.filled = now
	}
}

// take takes one token of a bucket of size burst.
func (b *bucket) take(now time.Duration, rate, burst float64) bool {
	if b.refill(now, rate); b.spent+1 > burst {
		return false
	}
	b.spent++
	return true
}
