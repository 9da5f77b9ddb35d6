package main

import (
	"strings"
	"testing"
)

// TestBenchLines: the figures of go test -bench are read, and judged as their goals say; a figure that is
// missing meets none.
func TestBenchLines(t *testing.T) {
	lines := benchLines(`goos: linux
BenchmarkParseSale-2   	 3075020	       290.0 ns/op	       0 B/op	       0 allocs/op
BenchmarkPackSale   	 3075020	       290.0 ns/op	       8 B/op	       1 allocs/op
BenchmarkCommitter256/a/b-16   	  205 	      5705 ns/op	    175129 entries/s
ok  	touchstone/iso8583	1.2s
`)
	if len(lines) != 3 {
		t.Fatalf("%d lines", len(lines))
	}
	for i, want := range []struct {
		name, figures string
		goal          goal
		met           verdict
	}{
		{"ParseSale", "290.0 ns/op, 0 B/op, 0 allocs/op", goal{"ns/op", 290, false}, met},
		{"PackSale", "290.0 ns/op, 8 B/op, 1 allocs/op", goal{"ns/op", 400, false}, missed},
		{"Committer256/a/b", "5705 ns/op, 175129 entries/s", goal{"entries/s", 175_129, true}, met},
	} {
		if lines[i].name != want.name || lines[i].String() != want.figures || want.goal.judge(lines[i]) != want.met {
			t.Errorf("%s: %s, %s", lines[i].name, lines[i], want.goal.judge(lines[i]))
		}
	}
	for name, g := range map[string]goal{"one nanosecond less": {"ns/op", 289, false}, "another unit": {"us/op", 1000, false}} {
		if g.judge(lines[0]) != missed {
			t.Errorf("%s is met", name)
		}
	}
	if (goal{"entries/s", 175_130, true}).judge(lines[2]) != missed || (goal{}).judge(lines[2]) != noTarget {
		t.Error("a rate below its goal, or no goal")
	}
}

// TestOnlyUnsent: a run that only did not keep its rate is told from one that lost something.
func TestOnlyUnsent(t *testing.T) {
	m := measured{Unsent: 5, Prepared: 2, Approved: 3}
	m.Journal.Sold = 5
	if !m.onlyUnsent() {
		t.Error("a rate that was not kept")
	}
	for name, change := range map[string]func(*measured){
		"a sale without an answer": func(m *measured) { m.Unknown = 1 }, "a lost connection": func(m *measured) { m.Lost = 1 },
		"a refusal": func(m *measured) { m.Refused = map[string]uint64{"96": 1} }, "a lost sale": func(m *measured) { m.Journal.Sold-- },
		"nothing at all": func(m *measured) { *m = measured{} },
	} {
		c := m
		if change(&c); c.onlyUnsent() {
			t.Error(name)
		}
	}
}

// TestMemoryRefused: nothing is durable in memory, so nothing is measured there.
func TestMemoryRefused(t *testing.T) {
	if err := refuseMemory("/dev/shm"); err == nil {
		t.Error("a directory in memory was accepted")
	} else if !strings.Contains(err.Error(), "in memory") {
		t.Skipf("NOT RUN: %v", err)
	}
}

func TestTable(t *testing.T) {
	var x table
	x.facts = []string{"a machine"}
	x.add(row{what: "a thing", figure: "3/s", target: "4/s", met: judge(false)})
	if got, want := x.markdown(), "- a machine\n\n| what | measured | target | met |\n|---|---|---|---|\n| a thing | 3/s | 4/s | **no** |\n"; got != want {
		t.Errorf("%q", got)
	}
}
