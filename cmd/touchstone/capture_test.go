package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/capture"
	"touchstone/explain"
	"touchstone/iso8583"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/terminal"
)

var writeGolden = flag.Bool("write-capture-golden", false, "write testdata/capture anew")

// plainFrame packs a message without a card: LEN, envelope, elements.
func plainFrame(t testing.TB, mti pos.MTI, terminal, trace int, code string, mac bool) []byte {
	t.Helper()
	b := iso8583.NewBuilder(&iso8583.UnionPay)
	var e iso8583.Envelope
	copy(e[:], []byte{0x60, 0x06, 0x01, 0, 0, 0x60, 0x31, 0, 0x31, 0x10, 0x01})
	b.Begin(make([]byte, iso8583.LengthSize+iso8583.MaxFrame), e, mti)
	b.PutNumber(3, 0)
	b.PutNumber(4, 8800)
	b.PutNumber(11, uint64(trace))
	if code != "" {
		b.PutText(39, []byte(code))
	}
	b.PutText(41, fmt.Appendf(nil, "%08d", terminal))
	b.PutText(42, []byte("898310058120001"))
	de60, err := iso8583.AppendDE60(nil, iso8583.DE60{Code: pos.Sale, Batch: 1, Digits: 8})
	if err != nil {
		t.Fatal(err)
	}
	b.PutDigits(60, de60)
	if mac {
		b.ReserveMAC()
		b.SetMAC([8]byte([]byte("0123ABCD")))
	}
	frame, err := b.Frame()
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(frame)
}

// sampleCapture is a capture whose every byte and time is known.
func sampleCapture(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	r, err := capture.NewRecorder(&out)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 28, 10, 41, 25, 0, time.UTC)
	step := func(ms int) time.Time { at = at.Add(time.Duration(ms) * time.Millisecond); return at }
	server := capture.Endpoint{Address: pos.IPv4(10, 9, 0, 1), Port: 8583}
	talk := func(port uint16) *capture.Conversation {
		c, err := r.Open(step(1), capture.Endpoint{Address: pos.IPv4(10, 0, 0, 7), Port: port}, server)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a := talk(40001)
	for i, code := range []string{"00", "A0", "A7", "51", ""} {
		err = errors.Join(err, a.Client(step(500), plainFrame(t, 0x0200, 23, i+1, "", code != "A7")))
		if code != "" {
			err = errors.Join(err, a.Server(step(12+i), plainFrame(t, 0x0210, 23, i+1, code, false)))
		}
	}
	err = errors.Join(err, a.Close(step(60_000)))
	b := talk(40002)
	err = errors.Join(err, b.Client(step(5), plainFrame(t, 0x0200, 23, 5, "", true)), b.Server(step(9), plainFrame(t, 0x0210, 23, 5, "00", false)), b.Close(step(1)))
	c := talk(40003)
	err = errors.Join(err, c.Client(step(5), plainFrame(t, 0x0200, 24, 1, "", true)[:30]), c.Close(step(1)))
	d := talk(40004)
	err = errors.Join(err, d.Client(step(5), []byte("\x16\x03\x01\x00\x05hello")), d.Close(step(1)))
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// compareGolden holds text against a file of testdata/capture.
func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "capture", name)
	if *writeGolden {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(got), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs; go test ./cmd/touchstone -run Golden -write-capture-golden, then read what changed:\n%s", name, got)
	}
}

// provenFinding stands for what experiment found, as a report has it.
func provenFinding() captureFinding {
	record := &journal.Cause{Verdict: 1, Terminal: "00000023", Reason: "mac_failed", Cause: "mac_stale_key", Certainty: journal.Proven, Variant: "used_newer", Owner: "security",
		Facts: map[string]string{"source": "own_former", "key_set": "3"}, Tried: 54, Fit: 1, OneIn: 79_536_431}
	return captureFinding{Frame: 42, Answer: 43, At: time.Date(2026, 11, 28, 10, 41, 25, 0, time.UTC), Client: "10.0.0.7:40001", Kind: "message", Terminal: "00000023", Trace: "000007", MTI: "0200",
		What: "sale", Amount: "88.00", Answered: true, Code: "A0", Reason: record.Reason, Judged: judgedSame, Cause: record.Cause, Certainty: record.Certainty, Variant: record.Variant,
		Owner: record.Owner, Facts: record.Facts, Tried: record.Tried, Fit: record.Fit, OneIn: record.OneIn, With: 12, record: record}
}

// TestCaptureGolden: what a person reads, in both languages.
func TestCaptureGolden(t *testing.T) {
	report, err := analyzeCapture(t.Context(), bytes.NewReader(sampleCapture(t)), analyzeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range []explain.Language{explain.English, explain.Chinese} {
		var out bytes.Buffer
		w, err := newCaptureText(&out, lang)
		if err != nil {
			t.Fatal(err)
		}
		w.zone = time.UTC
		if err := w.report(report, true); err != nil {
			t.Fatal(err)
		}
		proven := provenFinding()
		other, blind := proven, proven
		other.Reason, other.record, other.Judged, other.verdict.reason, other.Possible = "", nil, judgedOther, reason.BatchMismatch, []string{"mac_failed"}
		blind.Reason, blind.record, blind.Judged, blind.Blind, blind.Possible = "", nil, judgedBlind, blindSignIn, nil
		out.WriteString("\n")
		for _, f := range []*captureFinding{&proven, &other, &blind} {
			w.finding(f)
		}
		compareGolden(t, "analyze-"+lang.String()+".txt", out.String())

		out.Reset()
		total := &shadowTotals{Seen: report.Seen, Agree: shadowCount{90, 80, 123456}, Refuse: shadowCount{5, 4, 35200}, Approve: shadowCount{1, 1, 8800}, Unknown: shadowCount{2, 0, 0},
			Reasons: map[string]*shadowCount{"mac_grade_refused": {4, 4, 35200}, "permit_refused": {1, 0, 0}}, Terminals: 2}
		for _, v := range []struct {
			view shadowView
			why  reason.Reason
			ours string
		}{{viewRefuse, reason.MACGradeRefused, "58"}, {viewApprove, reason.None, "00"}, {viewOtherwise, reason.BatchMismatch, "77"}, {viewUnanswered, reason.None, "00"}, {viewUnanswered, reason.MACFailed, "A0"}, {viewAgree, reason.None, "00"}, {viewUnknown, reason.NotSignedIn, "77"}} {
			f := &shadowFinding{captureFinding: proven, View: v.view, Ours: v.ours}
			if v.view == viewUnknown {
				f.Blind = blindSignIn
			}
			if err := w.shadow(f, &judgement{made: true, reason: v.why}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.totals(total); err != nil {
			t.Fatal(err)
		}
		compareGolden(t, "shadow-"+lang.String()+".txt", out.String())
	}
}

// TestCaptureReport: the figures of a capture that is known.
func TestCaptureReport(t *testing.T) {
	r, err := analyzeCapture(t.Context(), bytes.NewReader(sampleCapture(t)), analyzeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Keys != "none" || r.Seen.Pairs != 5 || r.Seen.Unanswered != 2 || r.Seen.Repeats != 1 || r.Seen.TLS != 1 || r.Seen.CutFrames != 1 || r.Refused != 4 || len(r.Findings) != 4 {
		t.Errorf("%+v", r)
	}
	if r.TimesMS.P50 < 11.9 || r.TimesMS.P50 > 13.1 || r.TimesMS.Max < 14.9 || r.TimesMS.Max > 15.1 {
		t.Errorf("%+v", r.TimesMS)
	}
	byTrace := map[string]captureFinding{}
	for _, f := range r.Findings {
		byTrace[f.Trace+f.Kind] = f
		if f.Kind == "message" && (f.Reason != "" || f.Cause != "" || f.Certainty != "") {
			t.Errorf("a code alone yields %+v", f)
		}
	}
	if got := byTrace["000002message"].Possible; !slices.Equal(got, []string{"mac_failed"}) {
		t.Errorf("A0 with DE64 may mean %q", got)
	}
	if f := byTrace["cut"]; f.Reason != "frame_malformed" || f.Certainty != journal.Proven || f.Answered {
		t.Errorf("%+v", f)
	}
	var order []string
	_, err = analyzeCapture(t.Context(), bytes.NewReader(sampleCapture(t)), analyzeOptions{terminal: pos.TerminalID([]byte("00000023")), most: 1,
		each: func(f *captureFinding) error { order = append(order, f.Trace+" "+f.Code); return nil }})
	if err != nil || !slices.Equal(order, []string{"000001 00", "000002 A0", "000003 A7", "000004 51", "000005 ", "000005 00"}) {
		t.Errorf("%q: %v", order, err)
	}
	broken := errors.New("the caller's")
	if _, err := analyzeCapture(t.Context(), bytes.NewReader(sampleCapture(t)), analyzeOptions{each: func(*captureFinding) error { return broken }}); !errors.Is(err, broken) {
		t.Errorf("an error of the caller: %v", err)
	}
	if r, err := analyzeCapture(t.Context(), bytes.NewReader(sampleCapture(t)[:900]), analyzeOptions{}); err != nil || !r.Torn {
		t.Errorf("a file that breaks off: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, err = analyzeCapture(ctx, bytes.NewReader(sampleCapture(t)), analyzeOptions{each: func(f *captureFinding) error {
		cancel() // Ctrl-C at the first message
		return ctx.Err()
	}})
	if err != nil || !r.Interrupted || r.Seen.Pairs == 0 {
		t.Errorf("an interrupted analysis: %v", err)
	}
}

// TestWhatACodeMayMeanIsListedOnce: once for each list, which follows from the message too.
func TestWhatACodeMayMeanIsListedOnce(t *testing.T) {
	var out bytes.Buffer
	w, err := newCaptureText(&out, explain.English)
	if err != nil {
		t.Fatal(err)
	}
	for _, possible := range [][]string{{"mac_failed"}, {"mac_failed"}, {"mac_missing"}, {"mac_failed"}} {
		w.finding(&captureFinding{Code: "A0", Answered: true, Possible: possible})
	}
	text := out.String()
	if strings.Count(text, "the code may mean:") != 2 || strings.Count(text, "what A0 may mean: listed above") != 2 || !strings.Contains(text, "mac_missing") {
		t.Error(text)
	}
}

// fingerprints are the hashes of what a data directory keeps; the -shm file is every reader's.
func fingerprints(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	all := map[string][32]byte{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || !info.Mode().IsRegular() || strings.HasSuffix(path, "-shm") {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = sha256.Sum256(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestShadowSendsNothing: neither command opens a socket on a file, writes to one, or changes the data directory; strace
// is the witness.
func TestShadowSendsNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("in full without the race detector")
	}
	skipInShort(t)
	for _, program := range []string{"strace"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("NOT RUN: no %s; make need installs it", program)
		}
	}
	dir := t.TempDir()
	data, file := filepath.Join(dir, "data"), filepath.Join(dir, "a.pcap")
	e := openForTest(t, data, func(dir string) error { return makeTestDirectory(dir, slog.New(slog.DiscardHandler)) })
	if err := errors.Join(e.seed(t.Context()), e.close(), os.WriteFile(file, sampleCapture(t), 0o600)); err != nil {
		t.Fatal(err)
	}
	before := fingerprints(t, data)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	touchstone := filepath.Join(dir, "touchstone")
	if err := os.Symlink(program, touchstone); err != nil {
		t.Fatal(err)
	}
	socket := regexp.MustCompile(`\b(socket|connect|bind|sendto|sendmsg|sendmmsg|sendfile)\(|\b(write|writev|pwrite64)\(\d+<(socket|TCP|UDP|UNIX|PACKET)`)
	for name, args := range map[string][]string{"shadow": {"shadow", file, "--data", data, "--all"}, "analyze": {"analyze", file, "--data", data}} {
		out := filepath.Join(dir, name+".strace")
		run := exec.Command("strace", append([]string{"-f", "-yy", "-e", "trace=network,write,writev,pwrite64,sendfile", "-o", out, touchstone}, args...)...)
		if text, err := run.CombinedOutput(); err != nil {
			if strings.Contains(string(text), "ptrace") {
				t.Skipf("NOT RUN: strace may not trace here: %s", text)
			}
			t.Fatalf("%s: %v: %s", name, err, text)
		}
		trace, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if found := socket.Find(trace); found != nil {
			t.Errorf("%s: %s", name, found)
		}
		if !bytes.Contains(trace, []byte("write(1<")) {
			t.Errorf("%s wrote nothing that strace saw", name)
		}
	}
	for path, sum := range fingerprints(t, data) {
		if _, there := before[path]; !there && sum == sha256.Sum256(nil) {
			continue // an empty -wal, as every reader of SQLite leaves it
		}
		if before[path] != sum {
			t.Errorf("%s changed", path)
		}
	}
}

// TestGrowing: a file that is followed is read as it grows, until the context ends.
func TestGrowing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "growing")
	w, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan string)
	go func() {
		all, err := io.ReadAll(&growing{ctx, r})
		got <- fmt.Sprint(string(all), err)
	}()
	for _, part := range []string{"one ", "two ", "three "} {
		if _, err := w.WriteString(part); err != nil {
			t.Fatal(err)
		}
	}
	// What is written is read before the end is told.
	for at := int64(0); at < 14; {
		if at, err = r.Seek(0, io.SeekCurrent); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if all := <-got; all != "one two three <nil>" {
		t.Errorf("%q", all)
	}
}

// testTill is the first visitor of a demonstration, signed in, and its card.
func testTill(t *testing.T, addr string) (*terminal.Terminal, terminal.Card) {
	t.Helper()
	fixture := filepath.Join(t.TempDir(), "fixture.json")
	var out bytes.Buffer
	if err := errors.Join(printFixture(&out, addr, ""), os.WriteFile(fixture, out.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	setup, err := (&terminalCmd{Fixture: fixture}).load(&app{ctx: t.Context()})
	if err != nil {
		t.Fatal(err)
	}
	setup.config.StateDir = t.TempDir()
	till, err := terminal.Open(setup.config)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := till.SignIn(t.Context()); err != nil || !r.Approved {
		t.Fatalf("%+v: %v", r, err)
	}
	return till, setup.card
}

// TestTcpdump: a capture by tcpdump itself of the reference terminal and a host gives what the tap's does.
func TestTcpdump(t *testing.T) {
	skipInShort(t)
	program, err := exec.LookPath("tcpdump")
	if err != nil {
		t.Skip("NOT RUN: no tcpdump; make need installs it")
	}
	dir, addr := startTestHost(t)
	file := filepath.Join(dir, "real.pcap")
	_, port, _ := strings.Cut(addr, ":")
	dump := exec.Command(program, "-i", "lo", "-U", "-w", file, "tcp", "port", port)
	said, err := dump.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := dump.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	for heard := ""; !strings.Contains(heard, "listening on"); {
		if !lines.Scan() {
			_ = dump.Wait()
			t.Skipf("NOT RUN: tcpdump may not listen here: %s", heard)
		}
		heard = lines.Text()
	}
	go func() { _, _ = io.Copy(io.Discard, said) }() // ends with tcpdump
	till, card := testTill(t, addr)
	for range 3 {
		if r, err := till.Sale(t.Context(), card, 1850); err != nil || !r.Approved {
			t.Fatalf("%+v: %v", r, err)
		}
	}
	if _, err := till.Misbehave(t.Context(), "wrong-mac", card, 1850); err != nil {
		t.Fatal(err)
	}
	if err := till.Close(); err != nil {
		t.Fatal(err)
	}
	// tcpdump writes each packet as it gets it, in their order: when one of a connection that came after all others is in the
	// file, from an address of its own, everything is.
	last := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 201)}}
	c, err := last.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	until(t, "the last packet in tcpdump's file", func() bool {
		taken, err := os.ReadFile(file)
		return err == nil && bytes.Contains(taken, []byte{127, 0, 0, 201, 127, 0, 0, 1})
	})
	_ = dump.Process.Signal(os.Interrupt)
	if err := dump.Wait(); err != nil {
		t.Fatal(err)
	}
	r := analyzeFile(t, file, filepath.Join(dir, "data"))
	if len(r.Findings) != 1 || r.Findings[0].Reason != "mac_failed" || r.Codes["00"] < 4 || r.Codes["A0"] != 1 || r.Seen.Gaps != 0 || r.Seen.Unread != 0 {
		t.Errorf("%+v, %+v", r.Seen, r.Findings)
	}
}
