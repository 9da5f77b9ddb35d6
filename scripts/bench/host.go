package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// host is a running touchstone serve on a fresh data directory.
type host struct {
	bench *bench
	dir   string
	cmd   *exec.Cmd
	tcp   string
	tls   string // "" where this build has none
	said  *watched
}

// watched keeps what a process says and tells when a text came.
type watched struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// startTime bounds the start of a host, of one with a million terminals too.
const startTime = 3 * time.Minute

var (
	tcpSaid = regexp.MustCompile(`msg=serving .*\btcp=(\S+)`)
	tlsSaid = regexp.MustCompile(`msg=serving .*\btls=(\S+:\d+)`)
)

// start makes a data directory with load terminals and serves it on free ports.
func (b *bench) start(ctx context.Context, terminals string, withTLS bool, more ...string) (*host, error) {
	dir, err := os.MkdirTemp(cmp.Or(b.memory, b.dir), "touchstone-host-")
	if err != nil {
		return nil, err
	}
	h := &host{bench: b, dir: filepath.Join(dir, "shop"), said: &watched{}}
	if out, err := exec.CommandContext(ctx, b.binary, "init", "--test", "--data", h.dir, "--load-terminals", terminals).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("init: %w: %s", err, out)
	}
	// A connection that says nothing is closed after a while, unless told otherwise; here they are counted.
	args := []string{"serve", "--data", h.dir, "--tcp", "127.0.0.1:0", "--first-byte", "1h", "--unproven-idle", "1h", "--idle", "1h", "--observe", ""}
	if withTLS {
		args = append(args, "--tls", "127.0.0.1:0")
	}
	h.cmd = exec.Command(b.binary, append(args, more...)...)
	h.cmd.Stdout, h.cmd.Stderr = h.said, h.said
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if found := tcpSaid.FindStringSubmatch(h.said.String()); found != nil {
			h.tcp = found[1]
			if found := tlsSaid.FindStringSubmatch(h.said.String()); found != nil {
				h.tls = found[1]
			}
			return h, nil
		}
		if time.Since(begin) > startTime || ctx.Err() != nil {
			return nil, errors.Join(fmt.Errorf("the host did not start: %s", h.said), h.stop())
		}
	}
}

// stop ends the host as an operator would and deletes its directory.
func (h *host) stop() error {
	err := h.cmd.Process.Signal(syscall.SIGINT)
	kill := time.AfterFunc(2*startTime, func() { _ = h.cmd.Process.Kill() }) // it is gone if this fails
	defer kill.Stop()
	if err = errors.Join(err, h.cmd.Wait()); err != nil {
		err = fmt.Errorf("end of the host: %w: %s", err, h.said)
	}
	return errors.Join(err, os.RemoveAll(filepath.Dir(h.dir)))
}

// with starts a host for f and stops it.
func (b *bench) with(ctx context.Context, terminals string, f func(*host) error) (err error) {
	h, err := b.start(ctx, terminals, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.stop()) }()
	return f(h)
}

// withFlags is with, on a host with more flags of serve.
func (b *bench) withFlags(ctx context.Context, terminals string, flags []string, f func(*host) error) (err error) {
	h, err := b.start(ctx, terminals, false, flags...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.stop()) }()
	return f(h)
}

// errNoTLS is for a build without a TLS listener.
var errNoTLS = errors.New("this build has no TLS listener")

// withTLS is with, on a host that also speaks TLS; ca is a file with its authority.
func (b *bench) withTLS(ctx context.Context, terminals string, f func(h *host, ca string) error) (err error) {
	help, err := exec.CommandContext(ctx, b.binary, "serve", "--help").Output()
	if err != nil {
		return err
	}
	if !strings.Contains(string(help), "--tls=") {
		return errNoTLS
	}
	h, err := b.start(ctx, terminals, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.stop()) }()
	pem, err := exec.CommandContext(ctx, b.binary, "device", "certificate", "ca", "--data", h.dir).Output()
	if err != nil || h.tls == "" {
		return fmt.Errorf("the host's authority: %w: %s", err, h.said)
	}
	ca := filepath.Join(filepath.Dir(h.dir), "ca.crt")
	if err := os.WriteFile(ca, pem, 0o644); err != nil {
		return err
	}
	return f(h, ca)
}

// measured is what touchstone terminal load --json says.
type measured struct {
	PerSecond float64 `json:"per_second"`
	Seconds   float64 `json:"seconds"`
	Latency   struct {
		P50  float64 `json:"p50"`
		P99  float64 `json:"p99"`
		P999 float64 `json:"p99.9"`
	} `json:"latency_us"`
	Refused map[string]uint64 `json:"refused"`
	Unknown uint64            `json:"unknown"`
	Unsent  uint64            `json:"unsent"`
	Lost    uint64            `json:"connections_lost"`
	Forged  uint64            `json:"forged"`

	Prepared uint64 `json:"prepared"`
	Approved uint64 `json:"approved"`
	Journal  struct {
		Sold uint64 `json:"approved_sales"`
	} `json:"journal"`

	Turns []turn `json:"turns"`

	Own  float64 `json:"generator_cpu_us"`
	Host float64 `json:"host_cpu_us"`
}

// onlyUnsent tells that the one thing wrong with a run is that the host did not keep its rate.
func (m measured) onlyUnsent() bool {
	return m.Unsent > 0 && m.Unknown == 0 && m.Lost == 0 && len(m.Refused) == 0 && m.Journal.Sold == m.Prepared+m.Approved
}

// load runs the generator against the host, with a check of the journal afterwards. It returns what was
// measured also with the error of a run that was not clean.
func (h *host) load(ctx context.Context, address string, flags ...string) (m measured, err error) {
	return h.generate(ctx, append([]string{"--host", address, "--host-pid", strconv.Itoa(h.cmd.Process.Pid), "--check", h.dir}, flags...)...)
}

// loadAlone is load over plain TCP without the check of the journal, which another run writes to as well.
func (h *host) loadAlone(ctx context.Context, flags ...string) (measured, error) {
	return h.generate(ctx, append([]string{"--host", h.tcp}, flags...)...)
}

func (h *host) generate(ctx context.Context, flags ...string) (m measured, err error) {
	args := append([]string{"terminal", "load", "--json"}, flags...)
	cmd := exec.CommandContext(ctx, h.bench.binary, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	var out bytes.Buffer
	said := &watched{}
	cmd.Stdout, cmd.Stderr = &out, io.MultiWriter(os.Stderr, said)
	if err := cmd.Run(); err != nil {
		_ = json.Unmarshal(out.Bytes(), &m) // there may be nothing; the error that counts is the run's
		return m, fmt.Errorf("touchstone %s: %w: %s%s", strings.Join(args, " "), err, out.String(), said)
	}
	return m, json.Unmarshal(out.Bytes(), &m)
}
