package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"touchstone/terminal/load"
)

// The targets of connections.
const (
	idleConnections  = 10_000
	targetIdle       = 64 << 10 // bytes each
	targetHandshakes = 500      // a second
)

// idle counts what connections that say nothing cost the host, plain and over TLS.
func (b *bench) idle(ctx context.Context) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	n := idleConnections
	if most := int(limit.Max) - 200; most < n {
		n = most
	}
	err := b.with(ctx, "ecb=1,sm4=1", func(h *host) error {
		var d net.Dialer
		return h.holdIdle(ctx, "plain", n, func(ctx context.Context) (net.Conn, error) { return d.DialContext(ctx, "tcp", h.tcp) })
	})
	if err != nil {
		return err
	}
	what := fmt.Sprintf("memory of %s idle connections, TLS", load.Thousands(idleConnections))
	return b.unlessNoTLS(b.withTLS(ctx, "ecb=1,sm4=1", func(h *host, ca string) error {
		dial, err := dialTLS(ca)
		if err != nil {
			return err
		}
		return h.holdIdle(ctx, "TLS 1.3", n, func(ctx context.Context) (net.Conn, error) { return dial(ctx, h.tls) })
	}), what)
}

func dialTLS(ca string, own ...tls.Certificate) (func(context.Context, string) (net.Conn, error), error) {
	raw, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	return load.TLS(raw, own...)
}

// holdIdle opens n connections and reads how much the host's memory grew by.
func (h *host) holdIdle(ctx context.Context, kind string, n int, dial func(context.Context) (net.Conn, error)) error {
	before, err := residentOf(h.cmd.Process.Pid)
	if err != nil {
		return err
	}
	files, err := h.files()
	if err != nil {
		return err
	}
	conns, err := load.Idle(ctx, n, dial)
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	if err != nil {
		return fmt.Errorf("connection %d: %w", len(conns)+1, err)
	}
	if err := h.awaitFiles(ctx, files+n); err != nil {
		return err
	}
	time.Sleep(h.bench.length(5*time.Second, time.Second)) // what was needed for a moment only may be given back
	after, err := residentOf(h.cmd.Process.Pid)
	if err != nil {
		return err
	}
	if have, err := h.files(); err != nil || have < files+n {
		return fmt.Errorf("the host closed connections meanwhile: %d descriptors, want %d (%w)", have, files+n, err)
	}
	each := float64(after-before) / float64(n)
	one, err := h.load(ctx, h.tcp, "--connections", "1", "--terminals", "1", "--mix", "ecb=1", "--duration", "1s", "--warmup", "100ms")
	if err != nil {
		return fmt.Errorf("a sale beside %d idle connections: %w", n, err)
	}
	h.bench.table.add(row{what: fmt.Sprintf("memory of %s idle connections, %s, the host's resident set; one more terminal sells beside them", load.Thousands(uint64(n)), kind),
		figure: fmt.Sprintf("%.1f KiB each (%.0f to %.0f MiB); that sale: median %s ms", each/1024, float64(before)/(1<<20), float64(after)/(1<<20), load.Milliseconds(us(one.Latency.P50))),
		target: "10,000 within 64 KiB each", met: judge(each <= targetIdle && n >= idleConnections)})
	return nil
}

// files is how many descriptors the host has open.
func (h *host) files() (int, error) {
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", h.cmd.Process.Pid))
	return len(list), err
}

// awaitFiles waits until the host has accepted what was opened.
func (h *host) awaitFiles(ctx context.Context, want int) error {
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		have, err := h.files()
		if err != nil || have >= want {
			return err
		}
		if time.Since(begin) > startTime || ctx.Err() != nil {
			return fmt.Errorf("the host holds %d descriptors, want %d: %s", have, want, h.said)
		}
	}
}

// residentOf is VmRSS of a process in bytes; proc_pid_status(5).
func residentOf(pid int) (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no VmRSS", pid)
}

// handshakes counts full handshakes, without and with a device certificate.
func (b *bench) handshakes(ctx context.Context) error {
	what := "full TLS 1.3 handshakes, 16 at once, client on the same cores"
	return b.unlessNoTLS(b.withTLS(ctx, "ecb=2,sm4=1", func(h *host, ca string) error {
		own, err := h.deviceCertificate(ctx)
		if err != nil {
			return err
		}
		for _, c := range []struct {
			kind string
			own  []tls.Certificate
		}{{"the host's certificate only", nil}, {"a device certificate too", []tls.Certificate{own}}} {
			dial, err := dialTLS(ca, c.own...)
			if err != nil {
				return err
			}
			cpu, err := load.CPUOf(h.cmd.Process.Pid)
			if err != nil {
				return err
			}
			length := b.length(10*time.Second, 2*time.Second)
			s, perSecond, err := load.Handshakes(ctx, length, func(ctx context.Context) (net.Conn, error) { return dial(ctx, h.tls) })
			if err != nil {
				return err
			}
			after, err := load.CPUOf(h.cmd.Process.Pid)
			if err != nil {
				return err
			}
			b.table.add(row{what: what + ": " + c.kind, figure: fmt.Sprintf("%s/s, p50 %s ms, p99 %s ms; CPU of the host %.0f us each", load.Thousands(uint64(perSecond)),
				load.Milliseconds(s.P50), load.Milliseconds(s.P99), load.Microseconds(after-cpu)/float64(s.Count)), target: "500/s", met: judge(perSecond >= targetHandshakes)})
		}
		return nil
	}), what)
}

// benchSerial is the device of load terminal 1 of kind ecb; cmd/touchstone/loadworld.go.
const benchSerial = "00000304TS0010000001"

// deviceCertificate has the host's authority make a certificate for a key that is made here.
func (h *host) deviceCertificate(ctx context.Context) (own tls.Certificate, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return own, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return own, err
	}
	file := filepath.Join(filepath.Dir(h.dir), "device.csr")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), 0o644); err != nil {
		return own, err
	}
	issued, err := exec.CommandContext(ctx, h.bench.binary, "device", "certificate", "issue", "--data", h.dir, "--serial", benchSerial, "--request", file).Output()
	if err != nil {
		return own, fmt.Errorf("issue a device certificate: %w", err)
	}
	for block, rest := pem.Decode(issued); block != nil; block, rest = pem.Decode(rest) {
		own.Certificate = append(own.Certificate, block.Bytes)
	}
	own.PrivateKey = key
	return own, nil
}
