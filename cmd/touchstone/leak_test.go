package main

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"touchstone/iso8583"
	"touchstone/sqlite"
)

// The size of the leak scan. In full, as scripts/leak-scan.sh asks for it, it takes minutes.
const (
	leakCards     = 30
	leakTerminals = 24
	leakLeast     = 400 // canaries
	leakFull      = "TOUCHSTONE_LEAK_SCAN"
)

// TestLeakScan plants secrets in everything the program is given, uses it as people do, crashes it, and
// then looks for every form of every secret in every file, output, metric and page of memory it made.
func TestLeakScan(t *testing.T) {
	if testing.Short() {
		t.Skip("in full without the race detector: the program that is scanned is built without it")
	}
	scale := 1
	if os.Getenv(leakFull) != "" {
		scale = 4
	}
	w := newLeakWorld(t, leakCards*scale, leakTerminals*scale)
	r := &leakRun{leakWorld: w, program: buildTouchstone(t), data: filepath.Join(w.work, "data")}
	r.run("", "init", "--data", r.data, "--passphrase-file", filepath.Join(w.given, "pass"))
	host := r.start("GODEBUG=asyncpreemptoff=1")
	w.register(r.data)
	answered, hangUp := w.trade(t.Context(), host, 0)
	r.abuse(host)
	r.ask(host)
	memory := r.scanIdle(host, 0)
	hangUp()
	host.kill(t) // without warning: WAL, socket and lock stay as they are
	r.run("status after kill", "status", "--data", r.data, "--json")
	host = r.start() // as it is run by default: see savedRegisters
	more, hangUp := w.trade(t.Context(), host, 1)
	r.ask(host)
	again := r.scanIdle(host, savedRegisters)
	if scale > 1 {
		r.scanCore(host)
	}
	hangUp()
	host.stop(t)
	r.afterwards()
	r.unpackKept()
	if answered+more < 2*leakTerminals*scale*5 {
		t.Errorf("only %d messages were answered: the scenario did not happen", answered+more)
	}
	if w.forms.count < leakLeast {
		t.Errorf("%d canaries, want %d at least", w.forms.count, leakLeast)
	}
	files, size := r.scanFiles()
	if files < 20 {
		t.Errorf("only %d files were scanned", files)
	}
	t.Logf("%d canaries in %d forms; %d messages answered; %d files of %d bytes; memory of %d and %d bytes", w.forms.count, len(w.forms.all),
		answered+more, files, size, memory, again)
}

// leakRun is one run of the scenario.
type leakRun struct {
	*leakWorld
	program, data string
	commands      int
}

// buildTouchstone builds the program as make build does.
func buildTouchstone(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "touchstone")
	c := exec.Command("go", "build", "-trimpath", "-o", program, ".")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

// environment is what the program sees: nothing of the user's, and its temporary files among what is scanned.
func (r *leakRun) environment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(r.work, "home"), "TMPDIR=" + filepath.Join(r.work, "tmp")}
}

// run runs one command and keeps what it says among what is scanned. Its exit code does not matter here.
func (r *leakRun) run(name string, args ...string) []byte {
	r.t.Helper()
	if name == "" {
		name = args[0]
	}
	r.commands++
	c := exec.Command(r.program, args...)
	c.Env, c.Dir = r.environment(), r.work
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatalf("%s: %v", name, err)
	}
	r.keep(fmt.Sprintf("%02d %s", r.commands, name), out)
	return out
}

func (r *leakRun) keep(name string, b []byte) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.work, "out", strings.ReplaceAll(name, "/", " ")), b, 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// leakHost is a host of the real program.
type leakHost struct {
	cmd               *exec.Cmd
	tcp, tls, observe string
	authority         []byte // whose certificates the host's TLS has, PEM
	read              sync.WaitGroup
}

// start runs serve at log level debug and waits until it serves.
func (r *leakRun) start(setting ...string) *leakHost {
	r.t.Helper()
	r.commands++
	h := &leakHost{cmd: exec.Command(r.program, "serve", "--data", r.data, "--passphrase-file", filepath.Join(r.given, "pass"), "--tcp", "127.0.0.1:0",
		"--tls", "127.0.0.1:0", "--observe", "127.0.0.1:0", "--log-level", "debug", "--log-format", "json")}
	h.cmd.Env, h.cmd.Dir = append(r.environment(), setting...), r.work
	out, err := os.Create(filepath.Join(r.work, "out", fmt.Sprintf("%02d serve.out", r.commands)))
	if err != nil {
		r.t.Fatal(err)
	}
	h.cmd.Stdout = out
	log, err := os.Create(filepath.Join(r.work, "out", fmt.Sprintf("%02d serve.err", r.commands)))
	if err != nil {
		r.t.Fatal(err)
	}
	pipe, err := h.cmd.StderrPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = h.cmd.Process.Kill() })
	serving := make(chan [3]string, 1)
	h.read.Go(func() {
		defer log.Close()
		defer out.Close()
		for in := bufio.NewReader(io.TeeReader(pipe, log)); ; {
			line, err := in.ReadString('\n')
			if err != nil {
				close(serving)
				return
			}
			var said struct{ Msg, TCP, TLS, Observe string }
			if json.Unmarshal([]byte(line), &said) == nil && said.Msg == "serving" {
				serving <- [3]string{said.TCP, said.TLS, said.Observe}
			}
		}
	})
	select {
	case at, ok := <-serving:
		if !ok {
			r.t.Fatal("the host ended at its start")
		}
		h.tcp, h.tls, h.observe = at[0], at[1], at[2]
	case <-time.After(hostStarts):
		r.t.Fatal("the host does not serve")
	}
	for deadline := time.Now().Add(hostStarts); ; { // the control socket comes a moment after the log line
		if _, running, _ := ask(r.data, change{Status: &statusQuery{}}); running {
			break
		}
		if time.Now().After(deadline) {
			r.t.Fatal("the control socket does not answer")
		}
	}
	h.authority = r.run("authority", "device", "certificate", "ca", "--data", r.data)
	return h
}

func (h *leakHost) kill(t *testing.T) {
	t.Helper()
	_ = h.cmd.Process.Kill()
	h.read.Wait()
	_ = h.cmd.Wait()
}

func (h *leakHost) stop(t *testing.T) {
	t.Helper()
	if err := h.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	h.read.Wait()
	if err := h.cmd.Wait(); err != nil {
		t.Errorf("the host did not end in order: %v", err)
	}
}

// abuse sends what is no message but carries secrets, on connections that stay open and that do not.
func (r *leakRun) abuse(h *leakHost) {
	r.t.Helper()
	e := iso8583.Envelope{0x60, 0, 3, 0, 0, 0x60, 0x31, 0, 0x31, 0x18, 0x12}
	frame := func(body []byte) []byte {
		n := len(e) + len(body)
		return append(append([]byte{byte(n >> 8), byte(n)}, e[:]...), body...)
	}
	for i, c := range r.cards {
		digits, _ := packDigits(unpackDigits(c.pan), 0)
		track, _ := packDigits(append(unpackDigits(c.track), 0), 0)
		head := []byte{0x02, 0x00, 0x60, 0x20, 0, 0, 0x20, 0, 0, 0} // 0200 with elements 2, 3, 11 and 35
		head[7] = byte(0x20)
		malformed := append(append(append(append(slices.Clone(head), 0x16), digits...), 0xFF, 0xFF, 0xFF), track...)
		for kind, sent := range [][]byte{
			frame(malformed),
			append([]byte{0xFF, 0xFF}, c.track...),
			append([]byte{0x00, 0x40}, c.pan...),
			[]byte("GET /" + c.pan + " HTTP/1.1\r\n\r\n"),
		} {
			if (i+kind)%4 != 0 {
				continue
			}
			nc, err := net.Dial("tcp", h.tcp)
			if err != nil {
				r.t.Fatal(err)
			}
			_, _ = nc.Write(sent)
			if half, ok := nc.(*net.TCPConn); ok {
				_ = half.CloseWrite()
			}
			_ = nc.SetReadDeadline(time.Now().Add(hostSays))
			_, _ = io.Copy(io.Discard, nc) // until the host has closed it
			nc.Close()
		}
	}
	stray := withLuhn("629999" + drawDigits(r.t, 9))
	r.forms.digits(canary{ofControl, "0"}, stray)
	path, err := controlPath(r.data)
	if err != nil {
		r.t.Fatal(err)
	}
	for i, said := range [][2]string{{"/merchants", `{"` + stray + `":1}`}, {"/cards", `{"pan_file":` + stray + `}`}, {"/merchants", stray}, {"/devices", `{"serial":"` + stray + `"`}, {"/" + stray, "{}"}} {
		request := fmt.Sprintf("POST /api/v1%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", said[0], len(said[1]), said[1])
		c, err := net.Dial("unix", path)
		if err != nil {
			r.t.Fatal(err)
		}
		_, _ = io.WriteString(c, request)
		_ = c.(*net.UnixConn).CloseWrite()
		answer, _ := io.ReadAll(c)
		c.Close()
		if !strings.Contains(string(answer), "error") {
			r.t.Errorf("control request %d was not refused", i)
		}
		r.keep(fmt.Sprintf("control answer %d", i), answer)
	}
}

func unpackDigits(s string) (b []byte) {
	for i := range s {
		b = append(b, nibbleOf(s[i]))
	}
	return b
}

// ask runs every command that reads, and scrapes everything that is shown.
func (r *leakRun) ask(h *leakHost) {
	r.t.Helper()
	id := r.terminals[0].id
	for _, args := range [][]string{
		{"status", "--data", r.data}, {"status", "--data", r.data, "--json", "--lang", "zh"},
		{"journal", "tail", "--data", r.data, "-n", "1000"}, {"journal", "tail", "--data", r.data, "-n", "1000", "--json"},
		{"journal", "show", "--data", r.data, "--terminal", id, "--trace", "2"}, {"journal", "show", "--data", r.data, "--seq", "120"},
		{"journal", "verify", "--data", r.data}, {"explain", "A0"}, {"explain", "pin_wrong"},
		{"register", "card", "--data", r.data, "--pan-file", r.cards[0].panFile, "--pin-file", r.cards[0].panFile, "--expiry", "4912"},
		{"register", "card", "--data", r.data, "--pan-file", r.cards[0].pinFile, "--expiry", "4912"},
		{"register", "device", "--data", r.data, "--serial", r.terminals[0].serial, "--component", r.cards[0].panFile, "--component", filepath.Join(r.given, "pass")},
		{"register", "terminal", "--data", r.data, "--id", id, "--merchant", leakMerchant, "--serial", r.terminals[0].serial, "--component", r.terminals[0].masterFiles[0]},
	} {
		r.run(strings.Join(args[:2], " "), args...)
	}
	for _, path := range []string{"/metrics", "/healthz", "/readyz", "/debug/pprof/heap"} {
		resp, err := http.Get("http://" + h.observe + path)
		if err != nil {
			r.t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			r.t.Fatal(err)
		}
		r.commands++
		r.keep(fmt.Sprintf("%02d%s", r.commands, path), body)
	}
}

// afterwards runs the commands on the directory that nobody serves.
func (r *leakRun) afterwards() {
	r.t.Helper()
	r.run("status at rest", "status", "--data", r.data)
	r.run("verify at rest", "journal", "verify", "--data", r.data)
	r.run("wrong passphrase", "serve", "--data", r.data, "--passphrase-file", r.cards[0].panFile)
	r.run("init again", "init", "--data", r.data, "--passphrase-file", filepath.Join(r.given, "pass"))
}

// unpackKept puts the masked messages of the data directory among what is scanned: there they are deflated.
func (r *leakRun) unpackKept() {
	r.t.Helper()
	messages, err := sqlite.AllMasked(r.t.Context(), r.data)
	if err != nil {
		r.t.Fatal(err)
	}
	refused := 0
	for _, m := range messages {
		text, err := io.ReadAll(flate.NewReader(bytes.NewReader(m.Body)))
		if err != nil {
			r.t.Fatal(err)
		}
		if m.Refused {
			refused++
		}
		r.keep(fmt.Sprintf("kept message %d", m.Entry), text)
	}
	if refused < 3 || refused == len(messages) {
		r.t.Errorf("%d messages are kept, %d of them refused: nothing was shown", len(messages), refused)
	}
}

// scanFiles looks into every file the run made.
func (r *leakRun) scanFiles() (files int, bytes int64) {
	r.t.Helper()
	s := newLeakScanner(r.forms.all)
	err := filepath.WalkDir(r.work, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		name, _ := filepath.Rel(r.work, path)
		found, n, err := s.scan(f, name)
		for _, at := range found {
			r.t.Errorf("leaked: %s", at)
		}
		files, bytes = files+1, bytes+n
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return files, bytes
}

// idleTries is how often memory is looked at again: an answer arrives a moment before its buffer is cleared.
const idleTries = 5

// unwiped are the kinds that cannot be overwritten where they lie: the passphrase in the library that opens
// the keyring, which keeps it as a Go string; and what somebody wrote into a control request that has no
// place for it. The module itself keeps keys as schedules, so that even its own keys are not found.
var unwiped = []canaryKind{ofPassphrase, ofControl}

// savedRegisters is the most findings in the memory of a host that runs as it does by default. Go stops a
// goroutine that computes for long by a signal; kernel and runtime then save the processor's vector
// registers, with up to 256 bytes of what was being copied at that moment, and keep them until the next
// time. Without such signals (GODEBUG=asyncpreemptoff=1) there is nothing.
const savedRegisters = 16

// tlsCopies is the most answers that crypto/tls may leave behind. It copies an answer into a record and enciphers
// it there; where the record's buffer, which all connections share in turn, is too short for the tag, the
// ciphertext goes to a new one and the copy stays in the old until the collector gives that away. Only an
// answer's card number is in it.
const tlsCopies = 8

// inRecord tells whether a finding is a card number behind the head of a TLS record of application data.
func (f leakFinding) inRecord() bool {
	return f.of.kind == ofPAN && bytes.Contains(f.before, []byte{23, 3, 3})
}

// scanIdle looks through the memory of a host that has answered everything. Beyond most findings, no card
// number, track, PIN or key may be in it; what cannot be overwritten is counted.
func (r *leakRun) scanIdle(h *leakHost, most int) (total int64) {
	r.t.Helper()
	s := newLeakScanner(r.forms.all)
	var found []leakFinding
	for range idleTries {
		var err error
		if found, total, err = s.scanMemory(h.cmd.Process.Pid); errors.Is(err, errNoMemory) {
			r.t.Logf("NOT RUN: the scan of the host's memory: %v", err)
			return 0
		} else if err != nil {
			r.t.Fatal(err)
		}
		if r.leaked(found, nil) <= most {
			break
		}
	}
	kept := map[string]int{}
	n := r.leaked(found, kept)
	if copies := kept[tlsCopy]; copies > tlsCopies {
		r.t.Errorf("crypto/tls left %d copies of answers, at most %d were ever seen", copies, tlsCopies)
	}
	if n > most {
		for _, f := range found {
			if !slices.Contains(unwiped, f.of.kind) && !f.inRecord() {
				r.t.Errorf("in the memory of an idle host: %s", f)
			}
		}
	} else if most > 0 {
		r.t.Logf("%d findings in saved registers, of at most %d", n, most)
	}
	for kind, n := range kept {
		r.t.Logf("not overwritten: %d, %s", n, kind)
	}
	return total
}

// tlsCopy is how findings in records are told.
const tlsCopy = "card number in an answer that crypto/tls copied"

// leaked counts the findings that should not be, and the others by what they are.
func (r *leakRun) leaked(found []leakFinding, others map[string]int) (n int) {
	for _, f := range found {
		what := string(f.of.kind)
		if f.inRecord() {
			what = tlsCopy
		} else if !slices.Contains(unwiped, f.of.kind) {
			n++
			continue
		}
		if others != nil {
			others[what]++
		}
	}
	return n
}

// scanCore has the debugger write a core of the host and looks through that: another reader of the same
// memory, which also shows that a core can be had by root only.
func (r *leakRun) scanCore(h *leakHost) {
	r.t.Helper()
	gcore, err := exec.LookPath("gcore")
	if err != nil {
		r.t.Log("NOT RUN: the scan of a core file: gcore is not here")
		return
	}
	prefix := filepath.Join(r.t.TempDir(), "core")
	if out, err := exec.Command(gcore, "-o", prefix, fmt.Sprint(h.cmd.Process.Pid)).CombinedOutput(); err != nil {
		r.t.Logf("NOT RUN: the scan of a core file: %v: %s", err, out)
		return
	}
	f, err := os.Open(fmt.Sprintf("%s.%d", prefix, h.cmd.Process.Pid))
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	found, n, err := newLeakScanner(r.forms.all).scan(f, "core file")
	if err != nil {
		r.t.Fatal(err)
	}
	if leaked := r.leaked(found, nil); leaked > savedRegisters {
		r.t.Errorf("a core file of %d bytes has %d findings, such as %s", n, leaked, found[0])
	} else {
		r.t.Logf("core file of %d bytes: %d findings in saved registers", n, leaked)
	}
}
