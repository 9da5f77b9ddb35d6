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

// permits is a change that touches every terminal at once, as an advisory of the only model does: here the policy,
// which is the same work. Answers are measured before it and while it is worked out.
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
	if err := os.WriteFile(pass, []byte("a passphrase of a benchmark"), 0o600); err != nil {
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

// changePermits waits a while, puts a policy in force that gives each terminal another permit, under which the
// sales go on, and returns how long it took until all n have it.
func (h *host) changePermits(ctx context.Context, n int, wait time.Duration) (time.Duration, error) {
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(wait):
	}
	standard, err := h.command(ctx, "permit", "policy", "show")
	if err != nil {
		return 0, err
	}
	head, _, found := strings.Cut(string(standard), "[[test]]")
	const section = "[inspection]\ngood = \"full\"\nunknown = "
	const old, changed = section + "\"full\"", section + "\"no_refund\""
	if !found || !strings.Contains(head, old) {
		return 0, errors.New("the built-in policy is not as this benchmark knows it")
	}
	file, pass := filepath.Join(filepath.Dir(h.dir), "policy.toml"), filepath.Join(filepath.Dir(h.dir), "pass")
	text := strings.Replace(head, old, changed, 1) + "[[test]]\nname = \"never inspected\"\nfacts = { inspection = \"unknown\" }\nexpect = \"no_refund\"\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return 0, err
	}
	begin := time.Now()
	if _, err := h.command(ctx, "permit", "policy", "set", file, "--as", "ann", "--as-passphrase-file", pass, "--with", "bob", "--with-passphrase-file", pass); err != nil {
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
			if c.Permit == "no_refund" && c.Terminals >= n {
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
