package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a test waits for what must come, on a machine that does other things too. It is no claim: a test
// that claims how soon something comes says so and has a clock of its own.
const patience = 2 * time.Minute

// Bounds of what a test waits for.
const (
	hostStarts = patience
	hostEnds   = patience
	hostSays   = patience
)

// runningHost is a touchstone process that serves, or the zero value for none.
type runningHost struct {
	addr string
	tls  string // of TLS, where it hears any

	https string // of HTTPS, likewise
	cmd   *exec.Cmd
	read  sync.WaitGroup // the readers of its output

	mu    sync.Mutex
	said  *sync.Cond
	lines []string // of stdout and stderr
	ended bool     // both are at their end
}

// addressLine is how demo and serve say where they listen.
var (
	addressLine = regexp.MustCompile(`(?:tcp |tcp=|"tcp":")(127\.0\.0\.1:[1-9][0-9]*)`)
	httpsLine   = regexp.MustCompile(`https(?:://|=)(127\.0\.0\.1:[1-9][0-9]*)`)
	tlsLine     = regexp.MustCompile(`(?:tls |tls=)(127\.0\.0\.1:[1-9][0-9]*)`)
)

// start runs touchstone with args in dir and returns when it can be called, and changed through its
// control socket.
func (h *runningHost) start(dir, control string, env, args []string) error {
	if h.cmd != nil {
		return errors.New("host: one is running already")
	}
	program, err := lookTouchstone(env)
	if err != nil {
		return err
	}
	h.cmd, h.lines, h.ended = exec.Command(program, args...), nil, false
	h.cmd.Args[0], h.cmd.Dir, h.cmd.Env = "touchstone", dir, env
	h.said = sync.NewCond(&h.mu)
	if err := h.follow(dir); err != nil {
		return err
	}
	if err := h.cmd.Start(); err != nil {
		h.cmd = nil
		return err
	}
	line, err := h.await(addressLine, 1, hostStarts)
	if err == nil {
		h.addr, h.tls = addressLine.FindStringSubmatch(line)[1], ""
		if slices.Contains(args, "--tls") {
			if line, err = h.await(tlsLine, 1, hostStarts); err == nil {
				h.tls = tlsLine.FindStringSubmatch(line)[1]
			}
		}
	}
	if err == nil && slices.Contains(args, "--https") {
		if line, err = h.await(httpsLine, 1, hostStarts); err == nil {
			h.https = httpsLine.FindStringSubmatch(line)[1]
		}
	}
	if err == nil {
		err = h.reach(control)
	}
	if err != nil {
		h.kill()
		return fmt.Errorf("host: %w", err)
	}
	return nil
}

// lookTouchstone finds the program on the PATH of env, where testscript.Main put it.
func lookTouchstone(env []string) (string, error) {
	for _, v := range env {
		if len(v) < 5 || v[:5] != "PATH=" {
			continue
		}
		for _, dir := range filepath.SplitList(v[5:]) {
			path := filepath.Join(dir, "touchstone")
			if _, err := os.Stat(path); err == nil {
				return path, nil
			}
		}
	}
	return "", errors.New("host: no touchstone on the path")
}

// follow copies the output to host.out and host.err in dir, line by line.
func (h *runningHost) follow(dir string) error {
	both := 2
	for name, pipe := range map[string]func() (io.ReadCloser, error){"host.out": h.cmd.StdoutPipe, "host.err": h.cmd.StderrPipe} {
		r, err := pipe()
		if err != nil {
			return err
		}
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		h.read.Go(func() {
			defer f.Close()
			in := bufio.NewReader(r)
			for {
				line, err := in.ReadString('\n')
				_, _ = f.WriteString(line)
				h.mu.Lock()
				if line != "" {
					h.lines = append(h.lines, line)
				}
				if err != nil {
					both--
					h.ended = both == 0
				}
				h.said.Broadcast()
				h.mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	return nil
}

// await waits until n lines match and returns the last of them.
func (h *runningHost) await(re *regexp.Regexp, n int, most time.Duration) (string, error) {
	late := false
	timer := time.AfterFunc(most, func() {
		h.mu.Lock()
		late = true
		h.said.Broadcast()
		h.mu.Unlock()
	})
	defer timer.Stop()
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		found := 0
		for _, line := range h.lines {
			if !re.MatchString(line) {
				continue
			}
			if found++; found == n {
				return line, nil
			}
		}
		if h.ended || late {
			return "", fmt.Errorf("%d lines of its output match %s, want %d; ended: %t; it said: %q", found, re, n, h.ended, h.lines)
		}
		h.said.Wait()
	}
}

// reach polls, at most hostStarts long, until terminals can connect and the control socket answers.
func (h *runningHost) reach(control string) error {
	ctx, cancel := context.WithTimeout(context.Background(), hostStarts)
	defer cancel()
	var d net.Dialer
	for _, at := range [][2]string{{"tcp", h.addr}, {"unix", control}} {
		for {
			c, err := d.DialContext(ctx, at[0], at[1])
			if err == nil {
				// Nothing is asked, and its answer is waited for: the host must find no broken pipe.
				if half, ok := c.(*net.UnixConn); ok {
					_ = half.CloseWrite()
					_, _ = io.Copy(io.Discard, half)
				}
				c.Close()
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s does not answer: %w", at[0], err)
			case <-time.After(time.Millisecond):
			}
		}
	}
	return nil
}

// stop sends SIGINT and wants exit code 0.
func (h *runningHost) stop() error { return h.end(os.Interrupt) }

// end sends a signal and wants exit code 0.
func (h *runningHost) end(with os.Signal) error {
	if h.cmd == nil {
		return errors.New("host: none is running")
	}
	if err := h.cmd.Process.Signal(with); err != nil {
		return err
	}
	timer := time.AfterFunc(hostEnds, func() { _ = h.cmd.Process.Kill() })
	defer timer.Stop()
	return h.wait()
}

// kill ends the host at once; it is in order when there is none.
func (h *runningHost) kill() {
	if h.cmd != nil {
		_ = h.cmd.Process.Kill()
		_ = h.wait()
	}
}

func (h *runningHost) wait() error {
	h.read.Wait()
	err := h.cmd.Wait()
	h.cmd = nil
	return err
}

// scriptHost is the command host of the scripts.
func scriptHost(ts *testscript.TestScript, neg bool, args []string) {
	h := ts.Value(hostKey{}).(*runningHost)
	usage := func(ok bool) {
		if !ok {
			ts.Fatalf("usage: host start demo|serve DATA [FLAG...] | await REGEXP [N] | freeze | stop | terminate | kill")
		}
	}
	usage(len(args) > 0)
	var err error
	switch name, args := args[0], args[1:]; name {
	case "start":
		usage(len(args) >= 2 && (args[0] == "demo" || args[0] == "serve"))
		err = startScriptHost(ts, h, args)
	case "await":
		usage(len(args) == 1 || len(args) == 2)
		n := 1
		if len(args) == 2 {
			n, err = strconv.Atoi(args[1])
			ts.Check(err)
		}
		var re *regexp.Regexp
		re, err = regexp.Compile(args[0])
		ts.Check(err)
		usage(h.cmd != nil)
		_, err = h.await(re, n, hostSays)
	case "freeze":
		usage(h.cmd != nil)
		err = h.cmd.Process.Signal(syscall.SIGSTOP)
	case "stop":
		err = h.stop()
	case "terminate":
		err = h.end(syscall.SIGTERM)
	case "kill":
		usage(h.cmd != nil)
		h.kill()
	default:
		usage(false)
	}
	if neg {
		if err == nil {
			ts.Fatalf("host %s succeeded", args[0])
		}
		return
	}
	ts.Check(err)
}

func startScriptHost(ts *testscript.TestScript, h *runningHost, args []string) error {
	ts.Defer(h.kill)
	line := []string{args[0], "--data", args[1], "--tcp", "127.0.0.1:0", "--observe", "127.0.0.1:0"}
	if args[0] == "demo" {
		line = append(line, "--quiet", "--tls", "127.0.0.1:0", "--https", "127.0.0.1:0")
	}
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LANG", "TZ", "GORACE", "GOCOVERDIR"} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	control, err := controlPath(ts.MkAbs(args[1]))
	if err != nil {
		return err
	}
	if filepath.Dir(control) == filepath.Clean(os.TempDir()) { // the data directory's own path is too long
		control = filepath.Join(ts.Getenv("TMPDIR"), filepath.Base(control))
	}
	if err := h.start(ts.MkAbs("."), control, env, append(line, args[2:]...)); err != nil {
		return err
	}
	ts.Setenv("HOST", h.addr)
	ts.Setenv("TLS", h.tls)
	ts.Setenv("HTTPS", h.https)
	return nil
}

// scriptOccupy takes a port until the script ends.
func scriptOccupy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: occupy")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { ln.Close() })
	ts.Setenv("TAKEN", ln.Addr().String())
}

// startTestHost runs a quiet demonstration for a test and returns its address and fixture.
func startTestHost(t *testing.T) (dir, addr string) {
	t.Helper()
	dir = t.TempDir()
	var h runningHost
	t.Cleanup(h.kill)
	data := filepath.Join(dir, "data")
	control, err := controlPath(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.start(dir, control, os.Environ(), []string{"demo", "--quiet", "--data", data, "--tcp", "127.0.0.1:0", "--tls", "127.0.0.1:0", "--https", "127.0.0.1:0", "--observe", "127.0.0.1:0"}); err != nil {
		t.Fatal(err)
	}
	return dir, h.addr
}
