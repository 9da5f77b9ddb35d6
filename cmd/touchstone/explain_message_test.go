package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"touchstone/explain/anatomy"
	"touchstone/terminal"
)

// frameTap keeps every frame that a terminal sends.
type frameTap struct {
	mu     sync.Mutex // guards frames
	frames [][]byte
}

type tappedConn struct {
	net.Conn
	frameTap *frameTap
}

// Write implements net.Conn.
func (c tappedConn) Write(b []byte) (int, error) {
	c.frameTap.mu.Lock()
	c.frameTap.frames = append(c.frameTap.frames, bytes.Clone(b))
	c.frameTap.mu.Unlock()
	return c.Conn.Write(b)
}

func (p *frameTap) dial(ctx context.Context, _, remote string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", remote)
	return tappedConn{c, p}, err
}

func (p *frameTap) last() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.frames[len(p.frames)-1]
}

// asked runs touchstone in this process.
func askedCode(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(&app{ctx: t.Context(), stdin: strings.NewReader(stdin), stdout: &out, stderr: &errs, getenv: func(string) string { return "" }}, args)
	return out.String(), errs.String(), code
}

// tapped opens a visitor of the rig whose frames are kept.
func (r *canaryRig) tapped(t *testing.T, s sampleTerminal) (*terminal.Terminal, *frameTap) {
	t.Helper()
	p := &frameTap{}
	cfg := (&crowdOf{host: r.addr, tls: r.tls, state: t.TempDir(), log: r.e.log}).config(s)
	cfg.Dial, cfg.Timeout = p.dial, patience
	opened, err := terminal.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	return opened, p
}

// TestExplainMessageOfAHost: a real message of every kind of terminal, judged by the host without effect and recomputed by
// OpenSSL from the printed lines.
func TestExplainMessageOfAHost(t *testing.T) {
	if testing.Short() {
		t.Skip("in full without the race detector")
	}
	_, err := exec.LookPath("openssl")
	haveOpenSSL := err == nil
	if !haveOpenSSL {
		t.Log("NOT RUN: the printed lines, as there is no openssl here")
	}
	r := newCanaryRig(t, rigOptions{})
	endControl, err := r.e.listenControl(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer endControl()
	kinds := map[string]sampleTerminal{}
	for _, s := range append(visitors(), staffTerminals()...) {
		kind := s.code.String() + " " + string(s.profile)
		if _, have := kinds[kind]; !have && !s.tls && !s.keyless && s.model != oldModel || s.model == "Sample S15" && !s.tls {
			kinds[kind] = s
		}
	}
	card, err := cardOf(cards()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer card.Wipe()
	for kind, s := range kinds {
		term, frameTap := r.tapped(t, s)
		res, err := term.Sale(t.Context(), card, 1850)
		if err != nil || !res.Approved {
			t.Fatalf("%s: %+v, %v", kind, res, err)
		}
		frame := frameTap.last()
		file := filepath.Join(t.TempDir(), "sale.bin")
		if err := os.WriteFile(file, frame, 0o600); err != nil {
			t.Fatal(err)
		}
		out, _, code := askedCode(t, "", "explain", file, "--data", r.dir)
		if code != 0 || !strings.Contains(out, "would give the same answer again") || !strings.Contains(out, s.id.String()) {
			t.Errorf("%s: %d\n%s", kind, code, out)
		}
		out, _, code = askedCode(t, hex.EncodeToString(frame), "explain", "-", "--mac", "--data", r.dir)
		if code != 0 || !strings.Contains(out, "✓") {
			t.Fatalf("%s: %d\n%s", kind, code, out)
		}
		if _, lines, ok := strings.Cut(out, "any POSIX shell:\n"); haveOpenSSL && ok {
			said, err := exec.CommandContext(t.Context(), "sh", "-c", lines).CombinedOutput()
			if de64 := string(frame[len(frame)-8:]); err != nil || strings.TrimSpace(string(said)) != de64 {
				t.Errorf("%s: OpenSSL says %q, DE64 is %s (%v)", kind, said, de64, err)
			}
		}
	}
	if len(kinds) < 5 {
		t.Errorf("only %d kinds of terminal", len(kinds))
	}
}

// TestJudgedWithoutEffect: what the host would say of a message leaves no trace of itself: no entry, no trace used, no key,
// no try of a PIN; the message is then taken as the first of its kind.
func TestJudgedWithoutEffect(t *testing.T) {
	r := newCanaryRig(t, rigOptions{})
	endControl, err := r.e.listenControl(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer endControl()
	term, frameTap := r.tapped(t, visitors()[0])
	if res, err := term.SignIn(t.Context()); err != nil || !res.Approved {
		t.Fatalf("%+v, %v", res, err)
	}
	signIn := bytes.Clone(frameTap.last())
	card, err := cardOf(cards()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer card.Wipe()
	if res, err := term.Misbehave(t.Context(), terminal.WrongMAC64, card, 500); err != nil || res.DE39.String() != "A0" {
		t.Fatalf("%+v, %v", res, err)
	}
	wrong := bytes.Clone(frameTap.last())
	head := func() uint64 {
		last, _, err := r.e.store.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return last
	}
	before := head()
	judged := func(frame []byte) *judgeAnswer {
		out, errs, code := askedCode(t, hex.EncodeToString(frame), "explain", "-", "--json", "--data", r.dir)
		var shown shownMessage
		if code != 0 || json.Unmarshal([]byte(out), &shown) != nil || shown.Judged == nil {
			t.Fatalf("%d %s %s", code, out, errs)
		}
		return shown.Judged
	}
	for range 20 {
		if j := judged(wrong); j.Reason != "mac_failed" || j.DE39 != "A0" {
			t.Fatalf("%+v", j)
		}
		if j := judged(signIn); !j.Partly {
			t.Fatalf("a sign-in: %+v", j)
		}
	}
	if j := judged(append([]byte{0, 2}, 0x60, 0x01)); j.Reason != "frame_malformed" {
		t.Errorf("two bytes: %+v", j)
	}
	if after := head(); after != before {
		t.Errorf("the journal grew from %d to %d", before, after)
	}
	if res, err := term.Sale(t.Context(), card, 700); err != nil || !res.Approved {
		t.Errorf("the next sale: %+v, %v", res, err)
	}
	out, _, code := askedCode(t, "", "explain", hex.EncodeToString(wrong), "--data", r.dir, "--lang", "zh")
	if code != 0 || !strings.Contains(out, "报文校验码") || !strings.Contains(out, "✗") {
		t.Errorf("%d\n%s", code, out)
	}
}

// TestMACOnlyOfPublishedKeys: no key leaves a data directory of its own.
func TestMACOnlyOfPublishedKeys(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "module.age"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, errs, code := askedCode(t, "", "explain", "0200302404C030C09815", "--mac", "--data", dir)
	if code != 1 || !strings.Contains(errs, "only where keys are published") {
		t.Errorf("%d: %s", code, errs)
	}
	if _, err := os.Stat(filepath.Join(dir, testMark)); err == nil {
		t.Error("a mark was made")
	}
	if !anatomy.LooksHex("0200302404C030C09815") {
		t.Error("the message is none")
	}
}
