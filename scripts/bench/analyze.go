package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// analyze reads captures that it has made: one without keys, and one of real sales whose every verdict is made again.
func (b *bench) analyze(ctx context.Context) error {
	scratch, err := filepath.Abs(b.dir)
	if err != nil {
		return err
	}
	sales := 20_000
	if b.quick {
		sales = 2_000
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkAnalyze", "-benchtime", "3x", "-timeout", "30m", "./cmd/touchstone", "-args", "-bench-captured", strconv.Itoa(sales))
	cmd.Env = append(os.Environ(), "TMPDIR="+scratch)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	lines := benchLines(string(out))
	if len(lines) < 2 {
		return fmt.Errorf("no benchmark ran: %s", out)
	}
	for _, line := range lines {
		r := row{what: "analyze a capture (" + line.name + ")", figure: line.String()}
		want := goal{"messages/s", 100_000, true}
		if r.target = want.String(); !b.quick {
			r.met = want.judge(line)
		}
		b.table.add(r)
	}
	return nil
}
