package main

import (
	"testing"
	"time"
)

// TestClockTold: what is told of a clock that is lost and kept again, and how often.
func TestClockTold(t *testing.T) {
	kept, lost, coarse := kernelClock{true, 20 * time.Millisecond}, kernelClock{false, 16 * time.Second}, kernelClock{true, 1500 * time.Millisecond}
	var teller clockTeller
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for i, c := range []struct {
		after time.Duration
		k     kernelClock
		want  string
	}{
		{0, kept, ""}, {clockEvery, lost, eventClockLost}, {clockEvery, lost, ""}, {clockAgain - 2*clockEvery, lost, ""}, {clockEvery, lost, eventClockLost},
		{clockEvery, kept, eventClockKept}, {clockEvery, kept, ""}, {clockEvery, coarse, eventClockLost}, {clockEvery, kept, eventClockKept},
	} {
		at = at.Add(c.after)
		got := ""
		if e := teller.look(c.k, at); e != nil {
			if got = e.Name; e.Check() != nil {
				t.Errorf("step %d: %+v", i, e)
			}
		}
		if got != c.want {
			t.Errorf("step %d: %q, want %q", i, got, c.want)
		}
	}
	if k, err := readKernelClock(); err != nil {
		t.Logf("NOT RUN: this machine's clock: %v", err)
	} else {
		t.Logf("this machine: synchronised %v, at most %s off", k.Synchronised, k.Error)
	}
}
