package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"touchstone/terminal/load"
)

// The targets of the permits.
const (
	targetPermits     = time.Minute // until every terminal has its new permit
	targetPermitRatio = 1.2         // of the answers' p99 meanwhile to that before
	permitSales       = 5_000       // a second, at which the answers' p99 is measured
	permitTime        = 5 * time.Minute
)

// permits is an advisory that touches the model of every terminal. Answers are measured before it and while the
// permits are worked out. A first measurement is thrown away: the host has work of its own in its first minute.
func (b *bench) permits(ctx context.Context) error {
	n, rate := 1_000_000, permitSales
	if b.quick {
		n, rate = 20_000, 500
	}
	return b.with(ctx, fmt.Sprintf("ecb=%d", n), func(h *host) error {
		if err := h.people(ctx); err != nil {
			return err
		}
		flags := []string{"--mix", "ecb=1", "--terminals", "10000", "--rate", fmt.Sprint(rate), "--warmup", b.warmup(), "--duration", b.length(35*time.Second, 5*time.Second).String()}
		if settled, err := h.load(ctx, h.tcp, flags...); err != nil && !settled.onlyUnsent() {
			return err
		}
		before, err := h.load(ctx, h.tcp, flags...)
		if err != nil && !before.onlyUnsent() {
			return err
		}
		took := make(chan error, 1)
		var length time.Duration
		go func() {
			var err error
			length, err = h.changePermits(ctx, n, b.length(10*time.Second, 2*time.Second))
			took <- err
		}()
		during, err := h.load(ctx, h.tcp, flags...)
		if err != nil && !during.onlyUnsent() {
			return errors.Join(err, <-took)
		}
		if err := <-took; err != nil {
			return err
		}
		what := fmt.Sprintf("permits of %s terminals worked out again and journaled, while %s sales a second are answered", load.Thousands(uint64(n)), load.Thousands(uint64(rate)))
		b.table.add(row{what: what, figure: fmt.Sprintf("%.1f s, %s terminals/s", length.Seconds(), load.Thousands(uint64(float64(n)/length.Seconds()))), target: "60 s", met: judge(length <= targetPermits)})
		ratio := during.Latency.P99 / before.Latency.P99
		b.table.add(row{what: "- p99 of the answers, before and meanwhile", figure: fmt.Sprintf("%s and %s ms, %.2fx; p50 %s and %s ms", load.Milliseconds(us(before.Latency.P99)),
			load.Milliseconds(us(during.Latency.P99)), ratio, load.Milliseconds(us(before.Latency.P50)), load.Milliseconds(us(during.Latency.P50))),
			target: "1.2x", met: judge(ratio <= targetPermitRatio)})
		return nil
	})
}

// benchAdvisory is about the model of the load terminals.
const benchAdvisory = `{"schema_version":"1.7.0","id":"x_bench-1","modified":"2026-11-20T08:00:00Z","summary":"Sample L1: a weakness","details":"Of a benchmark.",
"affected":[{"database_specific":{"vendor":"Sample Maker","terminal_model":"Sample L1","hardware_versions":"vers:generic/*"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"}]}]}],
"database_specific":{"severity":"high","details_zh":"性能测试用."}}`

// command runs touchstone on the host's data directory.
func (h *host) command(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, h.bench.binary, append(args, "--data", h.dir)...)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("touchstone %s: %w: %s", strings.Join(args, " "), err, exit.Stderr)
	}
	return out, err
}

// people makes the accounts of two who may change the policy.
func (h *host) people(ctx context.Context) error {
	pass := filepath.Join(filepath.Dir(h.dir), "pass")
	if err := os.WriteFile(pass, []byte(pagesPassage), 0o600); err != nil {
		return err
	}
	for i, name := range []string{"boss", "ann", "bob"} {
		role := "security"
		args := []string{"staff", "add", name, "--full-name", name, "--person", fmt.Sprintf("E-%d", i), "--organisation", "Bench", "--new-passphrase-file", pass}
		if i == 0 {
			role = "administrator"
		} else {
			args = append(args, "--as", "boss", "--as-passphrase-file", pass)
		}
		if _, err := h.command(ctx, append(args, "--role", role)...); err != nil {
			return err
		}
	}
	return nil
}

// changePermits waits a while, takes in an advisory that gives each terminal another permit, under which the sales
// go on, and returns how long it took until all n have it.
func (h *host) changePermits(ctx context.Context, n int, wait time.Duration) (time.Duration, error) {
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(wait):
	}
	file, pass := filepath.Join(filepath.Dir(h.dir), "advisory.json"), filepath.Join(filepath.Dir(h.dir), "pass")
	if err := os.WriteFile(file, []byte(benchAdvisory), 0o644); err != nil {
		return 0, err
	}
	begin := time.Now()
	if _, err := h.command(ctx, "advisory", "add", file, "--as", "ann", "--as-passphrase-file", pass); err != nil {
		return 0, err
	}
	for time.Since(begin) < permitTime {
		out, err := h.command(ctx, "permit", "list", "--json")
		if err != nil {
			return 0, err
		}
		var list struct {
			Counts []struct {
				Permit    string `json:"permit"`
				Terminals int    `json:"terminals"`
			} `json:"counts"`
		}
		if err := json.Unmarshal(out, &list); err != nil {
			return 0, err
		}
		for _, c := range list.Counts {
			if c.Permit == "no_refund, online_only" && c.Terminals >= n {
				return time.Since(begin), nil
			}
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(time.Second): // counting is work too
		}
	}
	return 0, fmt.Errorf("after %s not every terminal has its new permit", permitTime)
}
