package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// output is what a command has written so far, and a place to wait for more.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// startProxy runs touchstone proxy in this process and returns its address; stop ends it and gives what it said.
func startProxy(t *testing.T, to string, args ...string) (addr string, stop func() string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out := &output{more: make(chan struct{}, 1)}
	ended := make(chan int, 1)
	go func() {
		ended <- run(&app{ctx: ctx, stdin: strings.NewReader(""), stdout: out, stderr: out, getenv: os.Getenv}, append([]string{"proxy", "--listen", "127.0.0.1:0", "--to", to}, args...))
	}()
	stop = sync.OnceValue(func() string {
		cancel()
		if code := <-ended; code != 0 {
			t.Errorf("exit code %d: %s", code, out)
		}
		return out.String()
	})
	t.Cleanup(func() { stop() })
	line := regexp.MustCompile(`tcp (127\.0\.0\.1:[0-9]+) `)
	for {
		if m := line.FindStringSubmatch(out.String()); m != nil {
			return m[1], stop
		}
		select {
		case <-out.more:
		case code := <-ended:
			ended <- code
			t.Fatalf("it ended: %s", out)
		}
	}
}

// TestProxyCommand: the example of touchstone proxy --help does what it says there.
func TestProxyCommand(t *testing.T) {
	t.Parallel() // it waits for an answer that does not come
	dir, host := startTestHost(t)
	addr, stop := startProxy(t, host, "--toxic", "answer:2:drop", "--seed", "7", "--lang", "en")
	fixture := filepath.Join(dir, "fixture.json")
	var printed bytes.Buffer
	if err := printFixture(&printed, addr, ""); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(fixture, printed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	home := func(name string) string {
		if name == "XDG_CACHE_HOME" {
			return filepath.Join(dir, "cache")
		}
		return os.Getenv(name)
	}
	run(&app{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &said, stderr: io.Discard, getenv: home},
		[]string{"terminal", "--fixture", fixture, "--json", "--timeout", "8s", "sign-in", "sale", "18.50", "sale", "7.00"})
	want := regexp.MustCompile(`(?s)"operation":"sign-in".*"approved":true.*"operation":"sale".*"outcome":"no answer".*"operation":"reversal".*"approved":true.*"operation":"sale".*"approved":true`)
	if !want.MatchString(said.String()) {
		t.Errorf("the terminal said %s", said.String())
	}
	for _, want := range []string{"plan: answer:2:drop seed=7\n", "answer 2, ", ": drop\n", "4 requests and 4 answers passed by, 1 of them were touched\n"} {
		if heard := stop(); !strings.Contains(heard, want) {
			t.Errorf("the proxy did not say %q: %s", want, heard)
		}
	}
}

// TestProxyCommandRefuses: what is no plan, and what is not loopback.
func TestProxyCommandRefuses(t *testing.T) {
	for _, c := range []struct {
		name, want string
		args       []string
	}{
		{"no such kind", "no such kind", []string{"--toxic", "request:1:burn"}},
		{"a listener beyond loopback", "only loopback", []string{"--listen", "0.0.0.0:0"}},
		{"a host beyond loopback", "only loopback", []string{"--to", "192.0.2.1:8583"}},
	} {
		var out bytes.Buffer
		if code := run(&app{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &out, stderr: &out, getenv: os.Getenv}, append([]string{"proxy"}, c.args...)); code == 0 || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: exit code %d, %s", c.name, code, out.String())
		}
	}
}
