package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// bench is one run.
type bench struct {
	binary string
	dir    string // of everything, on a disk
	memory string // "", or where a host's directory lies in memory
	quick  bool
	only   string // a part of the names of the parts that run; "" is all
	table  table
	sync   time.Duration // median fdatasync of this run
}

func main() {
	b := &bench{}
	flag.StringVar(&b.binary, "binary", "bin/touchstone", "the binary to measure")
	flag.StringVar(&b.dir, "dir", ".cache/bench", "directory on the disk to measure")
	flag.BoolVar(&b.quick, "quick", false, "short runs, to try the benchmark out; the figures say little")
	flag.StringVar(&b.only, "only", "", "only the parts whose name contains this")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// part is one measurement; it adds rows to the table.
type part struct {
	name string
	do   func(context.Context) error
}

func (b *bench) run(ctx context.Context) error {
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	if err := refuseMemory(b.dir); err != nil {
		return err
	}
	if err := b.machine(); err != nil {
		return err
	}
	for _, p := range []part{
		{"fdatasync", b.disk}, {"echo", b.echo}, {"whole-line", b.wholeLine}, {"fixed-rate", b.fixedRate}, {"x9.19", b.retailMAC}, {"tls-line", b.tlsLine},
		{"one-connection", b.oneConnection}, {"idle", b.idle}, {"handshakes", b.handshakes}, {"permit", b.permits}, {"micro", b.micro}, {"exposed", b.exposed}, {"analyze", b.analyze},
		{"diagnosis-alone", b.diagnosisAlone}, {"diagnosis-loss", b.diagnosisLoss}, {"diagnosis-forged", b.diagnosisForged}, {"leak", b.leak}, {"pages", b.pages},
	} {
		if !strings.Contains(p.name, b.only) && p.name != "fdatasync" {
			continue
		}
		fmt.Fprintf(os.Stderr, "== %s\n", p.name)
		if err := p.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	text := b.table.markdown()
	fmt.Print("\n", text)
	return os.WriteFile(filepath.Join(b.dir, "latest.md"), []byte(text), 0o644)
}

// length is how long a measurement takes, and how long when only trying out.
func (b *bench) length(full, quick time.Duration) time.Duration {
	if b.quick {
		return quick
	}
	return full
}
