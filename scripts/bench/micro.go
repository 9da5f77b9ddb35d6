package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// micro runs the benchmarks of Go and takes one line of each into the table.
func (b *bench) micro(ctx context.Context) error {
	scratch, err := filepath.Abs(b.dir)
	if err != nil {
		return err
	}
	for _, m := range []struct{ pkg, pattern, what, target string }{
		{"./iso8583", "^BenchmarkParseSale$", "parse a sale", "300 ns, 0 allocations"},
		{"./iso8583", "^BenchmarkPackSale$", "pack a sale", "400 ns, 0 allocations"},
		{"./paycrypto/mac", "MAC200", "MAC of 200 bytes", "UnionPay ECB 700 ns, 0 allocations"},
		{"./host", "LineFakes", "the line with fakes behind every port", ""},
		{"./sqlite", "Committer256", "journal committer on SQLite, 256 submitters", "100,000/s"},
		{"./cmd/touchstone", "Ledger256", "ledger without network, MAC and PIN, 256 submitters", ""},
	} {
		cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", m.pattern, "-benchmem", "-benchtime", b.length(3*time.Second, 200*time.Millisecond).String(), m.pkg)
		cmd.Env = append(os.Environ(), "TMPDIR="+scratch)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", m.pkg, err, out)
		}
		for _, line := range benchLines(string(out)) {
			b.table.add(row{what: m.what + " (" + line.name + ")", figure: line.figures, target: m.target})
		}
	}
	return nil
}

// benchLine is one line of go test -bench.
type benchLine struct{ name, figures string }

var benchPattern = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.+)$`)

func benchLines(out string) (lines []benchLine) {
	for text := range strings.Lines(out) {
		if found := benchPattern.FindStringSubmatch(strings.TrimSpace(text)); found != nil {
			var figures []string
			fields := strings.Fields(found[2])
			for i := 0; i+1 < len(fields); i += 2 {
				figures = append(figures, fields[i]+" "+fields[i+1])
			}
			lines = append(lines, benchLine{found[1], strings.Join(figures, ", ")})
		}
	}
	return lines
}
