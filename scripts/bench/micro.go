package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"touchstone/terminal/load"
)

// micro runs the benchmarks of Go and takes one line of each into the table.
func (b *bench) micro(ctx context.Context) error {
	scratch, err := filepath.Abs(b.dir)
	if err != nil {
		return err
	}
	for _, m := range []struct {
		pkg, pattern, what string
		goal               goal
	}{
		{"./iso8583", "^BenchmarkParseSale$", "parse a sale", goal{"ns/op", 300, false}},
		{"./iso8583", "^BenchmarkPackSale$", "pack a sale", goal{"ns/op", 400, false}},
		{"./paycrypto/mac", "^BenchmarkUnionPayMAC200$", "MAC of 200 bytes", goal{"ns/op", 700, false}},
		{"./paycrypto/mac", "^Benchmark(UnionPaySM4|X919)MAC200$", "MAC of 200 bytes", goal{}},
		{"./proof", "^BenchmarkPermit$", "the permit's check in a decision", goal{"ns/op", 100, false}},
		{"./fleet", "^BenchmarkJudge$", "the rule of the permit, one terminal, all facts good", goal{}},
		{"./host", "LineFakes", "the line with fakes behind every port", goal{}},
		{"./sqlite", "Committer256", "journal committer on SQLite, 256 submitters", goal{"entries/s", 100_000, true}},
		{"./cmd/touchstone", "Ledger256", "ledger without network, MAC and PIN, 256 submitters", goal{}},
	} {
		cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", m.pattern, "-benchmem", "-benchtime", b.length(3*time.Second, 200*time.Millisecond).String(), m.pkg)
		cmd.Env = append(os.Environ(), "TMPDIR="+scratch)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", m.pkg, err, out)
		}
		lines := benchLines(string(out))
		if len(lines) == 0 {
			return fmt.Errorf("%s has no benchmark %s", m.pkg, m.pattern)
		}
		for _, line := range lines {
			b.table.add(row{what: m.what + " (" + line.name + ")", figure: line.String(), target: m.goal.String(), met: m.goal.judge(line)})
		}
	}
	return nil
}

// goal is what one figure of a benchmark has to be, at most or at least; the zero value is none.
type goal struct {
	unit  string
	bound float64
	least bool
}

// String is the goal in words; a benchmark that takes nanoseconds allocates nothing.
func (g goal) String() string {
	switch {
	case g.unit == "":
		return ""
	case g.least:
		return fmt.Sprintf("at least %s %s", load.Thousands(uint64(g.bound)), g.unit)
	}
	return fmt.Sprintf("at most %.0f %s, 0 allocs/op", g.bound, g.unit)
}

func (g goal) judge(l benchLine) verdict {
	if g.unit == "" {
		return noTarget
	}
	value, known := l.value(g.unit)
	allocations, counted := l.value("allocs/op")
	if g.least {
		return judge(known && value >= g.bound)
	}
	return judge(known && value <= g.bound && counted && allocations == 0)
}

// benchLine is one line of go test -bench: figures and their units, in turn.
type benchLine struct {
	name   string
	fields []string
}

// value is the figure of a unit.
func (l benchLine) value(unit string) (float64, bool) {
	for i := 0; i+1 < len(l.fields); i += 2 {
		if l.fields[i+1] == unit {
			v, err := strconv.ParseFloat(l.fields[i], 64)
			return v, err == nil
		}
	}
	return 0, false
}

// String is the figures with commas between.
func (l benchLine) String() string {
	var all []string
	for i := 0; i+1 < len(l.fields); i += 2 {
		all = append(all, l.fields[i]+" "+l.fields[i+1])
	}
	return strings.Join(all, ", ")
}

var benchPattern = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.+)$`)

func benchLines(out string) (lines []benchLine) {
	for text := range strings.Lines(out) {
		if found := benchPattern.FindStringSubmatch(strings.TrimSpace(text)); found != nil {
			lines = append(lines, benchLine{found[1], strings.Fields(found[2])})
		}
	}
	return lines
}
