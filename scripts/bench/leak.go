package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// leak compares how long the host takes to answer the same code for each cause that may be behind it. It is reported:
// one comparison in twenty of what does not differ has p under 0.05.
func (b *bench) leak(ctx context.Context) error {
	n := "2000"
	if b.quick {
		n = "50"
	}
	scratch, err := filepath.Abs(b.dir)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-timeout", "30m", "-run", "^TestLeakOfTime$", "./cmd/touchstone")
	cmd.Env = append(os.Environ(), "TOUCHSTONE_LEAK="+n, "TMPDIR="+scratch)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	rows := 0
	for line := range strings.Lines(string(out)) {
		if text, ok := strings.CutPrefix(line, "leak: "); ok {
			what, figure, _ := strings.Cut(strings.TrimSpace(text), ": ")
			b.table.add(row{what: "answer time by what is behind the code: " + what, figure: figure, target: "reported"})
			rows++
		}
	}
	if rows == 0 { // go test shows what a passing test prints with -v alone
		return fmt.Errorf("the comparison printed no figures: %s", out)
	}
	return nil
}
