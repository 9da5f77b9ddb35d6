package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// exposedSales is how many sales a month has whose exposed set is asked for.
const exposedSales = 10_000_000

// exposed has a journal with a month of sales made, on this disk, and asks for the exposed set of the whole window.
func (b *bench) exposed(ctx context.Context) error {
	scratch, err := filepath.Abs(b.dir)
	if err != nil {
		return err
	}
	sales := exposedSales
	if b.quick {
		sales /= 50
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkExposedMonth$", "-benchtime", "3x", "-timeout", "30m", "./sqlite")
	cmd.Env = append(os.Environ(), "TMPDIR="+scratch, "TOUCHSTONE_EXPOSED_SALES="+strconv.Itoa(sales))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	lines := benchLines(string(out))
	if len(lines) == 0 {
		return fmt.Errorf("no benchmark ran: %s", out)
	}
	const most = 5.0 // seconds
	for _, line := range lines {
		r := row{what: fmt.Sprintf("exposed set of 30 days, %d sales (%s)", sales, line.name), figure: line.String(), target: fmt.Sprintf("at most %.0f s", most)}
		if took, known := line.value("s/query"); !b.quick {
			r.met = judge(known && took <= most)
		}
		b.table.add(r)
	}
	return nil
}
