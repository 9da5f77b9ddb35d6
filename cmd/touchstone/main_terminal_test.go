package main

import (
	"bytes"
	"context"
	"crypto/des"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/alecthomas/kong"

	"touchstone/terminal"
)

// The keys are those of vector workkey-003 in testdata/vectors/cup.json, published as examples, and
// the card number is that of its PIN vectors.
const (
	terminalTestTMK  = "0123456789ABCDEFFEDCBA9876543210"
	terminalTestDE62 = "3EB3B72576BBBE834F0B96AAA5A8B5485ED7EA43FD7AF640961CDB8B00000000000000005FFE0009"
	terminalTestMAK  = "A1B2C3D4E5F60718"
	terminalTestCard = `{"pan":"6225885916163157","expiry":"3012","track2":"6225885916163157=30122019559206020000","pin":"123456","balance":1}`
)

// terminalTestHost answers from bytes written by hand: 0810 with keys, 0210, 0230 and 0410 with a MAC.
type terminalTestHost struct {
	t     testing.TB
	addr  string
	serve sync.WaitGroup
	mu    sync.Mutex
	mtis  string
	de39  string // of 0210
}

func newTerminalTestHost(t testing.TB) *terminalTestHost {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &terminalTestHost{t: t, addr: l.Addr().String(), de39: "00"}
	h.serve.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			h.serve.Go(func() { h.talk(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		h.serve.Wait()
	})
	return h
}

func (h *terminalTestHost) talk(c net.Conn) {
	defer c.Close()
	for {
		var head [2]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint16(head[:]))
		if _, err := io.ReadFull(c, frame); err != nil {
			return
		}
		if _, err := c.Write(h.answer(frame)); err != nil {
			return
		}
	}
}

// answer echoes DE3 and DE4 at the start of the elements, finds DE41 and DE42 by their text, and takes
// DE11 from before or after them as the message type has it.
func (h *terminalTestHost) answer(frame []byte) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	mti := fmt.Sprintf("%X", frame[11:13])
	h.mtis += mti + " "
	ids := fmt.Sprintf("%X", "00000001123456789012345")
	rest := fmt.Sprintf("%X", frame[21:])
	if frame[13]&0x40 != 0 {
		rest = rest[2+16:] // DE2 of 16 digits
	}
	date, rrn := "102030"+"1123", fmt.Sprintf("%X", "000000000042")
	code := fmt.Sprintf("%X", h.de39)
	switch mti {
	case "0800":
		return h.frame("0810"+"003800000AC00014"+rest[:6]+date+rrn+"3030"+ids+"0011"+"0000000100300"[:12]+"0040"+terminalTestDE62, false)
	case "0820":
		return h.frame("0830"+"0038000002C00000"+rest[:6]+date+"3030"+ids, false)
	case "0500":
		return h.frame("0510"+"0020000002C00000"+rest[:6]+"3030"+ids, false)
	case "0200", "0220", "0400":
		if frame[13]&0x10 == 0 { // no amount
			return h.frame("0210"+"203800000AC00001"+rest[:12]+date+rrn+code+ids, true)
		}
		return h.frame(mti[:2]+string(mti[2]+1)+"0"+"303800000AC00001"+rest[:24]+date+rrn+code+ids, true)
	}
	return nil
}

func (h *terminalTestHost) frame(text string, maced bool) []byte {
	body, err := hex.DecodeString(text)
	if err != nil {
		h.t.Error("bad hexadecimal in the test")
		return nil
	}
	if maced {
		body = append(body, terminalTestMAC(h.t, body)...)
	}
	frame := append([]byte{0x60, 0, 0, 0, 3, 0x60, 0x31, 0, 0x31, 0x18, 0x12}, body...)
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(frame))), frame...)
}

// terminalTestMAC is docs/protocol/unionpay-pos.md, section 4.1, with crypto/des.
func terminalTestMAC(t testing.TB, mab []byte) []byte {
	key, _ := hex.DecodeString(terminalTestMAK)
	c, err := des.NewCipher(key)
	if err != nil {
		t.Error(err)
		return nil
	}
	var r [8]byte
	for i, b := range mab {
		r[i%8] ^= b
	}
	text, e := []byte(fmt.Sprintf("%X", r)), make([]byte, 8)
	c.Encrypt(e, text[:8])
	for i := range e {
		e[i] ^= text[8+i]
	}
	c.Encrypt(e, e)
	return []byte(fmt.Sprintf("%X", e[:4]))
}

func (h *terminalTestHost) took() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.mtis
	h.mtis = ""
	return s
}

func (h *terminalTestHost) fixture() string {
	return `{"listen":{"tcp":"` + h.addr + `"},"extra":1,"terminals":[
{"terminal_id":"00000009","merchant_id":"123456789012345","sign_in_code":"003","tmk":"` + terminalTestTMK + `","visitor":false},
{"terminal_id":"00000001","merchant_id":"123456789012345","sign_in_code":"003","tmk":"` + terminalTestTMK + `","serial":"00000304N9NL10000001",
"serial_key":"` + terminalTestTMK + `","network_licence":"P3100","device_type":"04","app_version":"1.0.0","visitor":true}],"cards":[` + terminalTestCard + `]}`
}

// runTerminal runs touchstone terminal with the fixture on standard input.
func runTerminal(t *testing.T, fixture string, args ...string) (out string, err error) {
	t.Helper()
	var root struct {
		Terminal terminalCmd `cmd:""`
	}
	parser, err := kong.New(&root, kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(append([]string{"terminal"}, args...))
	if err != nil {
		return "", err
	}
	var stdout bytes.Buffer
	a := &app{ctx: t.Context(), stdin: strings.NewReader(fixture), stdout: &stdout, stderr: io.Discard, getenv: func(string) string { return "" }}
	err = parsed.Run(a)
	return stdout.String(), err
}

// refusedExit tells whether an error is the exit code 1 of a message that was not approved.
func refusedExit(err error) bool {
	var told exitError
	return errors.As(err, &told) && told.code == 1
}

func TestTerminalDefaultActions(t *testing.T) {
	h := newTerminalTestHost(t)
	out, err := runTerminal(t, h.fixture(), "--fixture", "-", "--state", t.TempDir())
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := h.took(); got != "0800 0200 " {
		t.Errorf("it sent %s", got)
	}
	for _, want := range []string{
		"| COVER YOUR PIN       |\n", "| APPROVED             |\n", "| AMOUNT 18.50         |\n",
		"sign-in 0800 -> 0810 00 (done: SIGN IN DONE) trace 000001 batch 000001",
		"sale 0200 -> 0210 00 (done: APPROVED) trace 000002 batch 000001 amount 18.50 rrn 000000000042 mac right",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the output has no %q:\n%s", want, out)
		}
	}
	for _, secret := range []string{"6225885916163157", "123456 ", terminalTestTMK} {
		if strings.Contains(out, secret) {
			t.Error("the output shows a card number, a PIN or a key")
		}
	}
}

func TestTerminalJSON(t *testing.T) {
	h := newTerminalTestHost(t)
	state := t.TempDir()
	out, err := runTerminal(t, h.fixture(), "--fixture", "-", "--state", state, "--lang", "zh", "--json", "echo", "balance", "sale", "1.00",
		"void", "last", "sale", "2.00", "refund", "last", "0.50", "sale", "3.00", "reverse-last", "sign-off")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got, want := h.took(), "0820 0800 0200 0200 0200 0200 0220 0200 0400 0820 "; got != want {
		t.Errorf("it sent %s, want %s", got, want)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var m map[string]any
	if err := json.Unmarshal([]byte(lines[3]), &m); err != nil {
		t.Fatal(err)
	}
	if len(lines) != 10 || m["mti"] != "0210" || m["de39"] != "00" || m["approved"] != true || m["mac_verified"] != true || m["trace"] != "000004" || m["amount"] != "1.00" || m["reason"] != "交易成功" {
		t.Errorf("%d lines, the fourth %s", len(lines), lines[3])
	}
	// Another process goes on where this one ended.
	out, err = runTerminal(t, h.fixture(), "--fixture", "-", "--state", state, "--json", "void", "000006")
	if err != nil || h.took() != "0800 0200 " || !strings.Contains(out, `"trace":"000011"`) {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestTerminalRefused(t *testing.T) {
	h := newTerminalTestHost(t)
	h.de39 = "51"
	out, err := runTerminal(t, h.fixture(), "--fixture", "-", "--state", t.TempDir(), "sale", "1.00")
	if !refusedExit(err) || !strings.Contains(out, "INSUFFICIENT FUNDS") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = runTerminal(t, h.fixture(), "--fixture", "-", "--state", t.TempDir(), "--fault", "wrong-batch", "--json")
	if !refusedExit(err) || !strings.Contains(out, `"outcome":"refused"`) || h.took() != "0800 0200 0800 0200 " {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestTerminalTamperLocksUntilKeysAreLoaded(t *testing.T) {
	h := newTerminalTestHost(t)
	state := t.TempDir()
	out, err := runTerminal(t, h.fixture(), "--fixture", "-", "--state", state, "sign-in", "tamper")
	if err != nil || h.took() != "0800 0820 " || !strings.HasSuffix(out[:strings.LastIndex(out, "tamper 0820")], "|                      |\n| TERMINAL LOCKED      |\n|                      |\n|                      |\n+----------------------+\n") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := runTerminal(t, h.fixture(), "--fixture", "-", "--state", state, "sign-in"); !errors.Is(err, terminal.ErrLocked) || h.took() != "" || !strings.Contains(err.Error(), "--key-load") || !strings.Contains(err.Error(), state) {
		t.Errorf("a locked terminal: %v", err)
	}
	if _, err := runTerminal(t, h.fixture(), "--fixture", "-", "--state", state, "--key-load", "1", "sale", "1.00"); err != nil {
		t.Errorf("after new keys: %v", err)
	}
}

func TestTerminalHelp(t *testing.T) {
	help := terminalCmd{}.Help()
	for _, f := range terminal.Faults() {
		if !strings.Contains(help, string(f)) {
			t.Errorf("the help does not name %s", f)
		}
	}
}

func TestTerminalDefaultState(t *testing.T) {
	for name, want := range map[string]string{"XDG_CACHE_HOME": "/x/touchstone/terminals", "HOME": "/x/.cache/touchstone/terminals"} {
		got, err := (&terminalCmd{}).stateDir(&app{getenv: func(key string) string {
			if key == name {
				return "/x"
			}
			return ""
		}})
		if err != nil || got != filepath.FromSlash(want) {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func TestTerminalWrongCalls(t *testing.T) {
	h := newTerminalTestHost(t)
	for name, args := range map[string][]string{
		"no source":        {"sign-in"},
		"both sources":     {"--fixture", "-", "--config", "x.toml"},
		"unknown action":   {"--fixture", "-", "sell"},
		"sale, no amount":  {"--fixture", "-", "sale"},
		"amount 18.5":      {"--fixture", "-", "sale", "18.5"},
		"void, no trace":   {"--fixture", "-", "void"},
		"void 12a":         {"--fixture", "-", "void", "12a"},
		"refund short RRN": {"--fixture", "-", "refund", "42", "1.00", "1123"},
		"refund, no date":  {"--fixture", "-", "refund", "000000000042", "1.00"},
		"unknown fault":    {"--fixture", "-", "--fault", "none"},
		"unknown terminal": {"--fixture", "-", "--terminal", "77777777"},
		"unknown card":     {"--fixture", "-", "--card", "1"},
		"no such file":     {"--fixture", "/nowhere/fixture.json"},
		"no PIN file":      {"--fixture", "-", "--pin-file", "/nowhere/pin"},
		"no home":          {"--fixture", "-"},
		"language":         {"--fixture", "-", "--lang", "fr"},
	} {
		if name != "no home" {
			args = append(args, "--state", t.TempDir())
		}
		if out, err := runTerminal(t, h.fixture(), args...); err == nil || out != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := h.took(); got != "" {
		t.Errorf("a wrong call sent %s", got)
	}
}

func TestTerminalConfigFile(t *testing.T) {
	h := newTerminalTestHost(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("tmk.hex", terminalTestTMK+"\n")
	write("card.json", strings.Replace(terminalTestCard, `"pin":"123456",`, "", 1))
	pin := write("pin.txt", "123456\n")
	text := "host = \"" + h.addr + "\"\nterminal_id = \"00000001\"\nmerchant_id = \"123456789012345\"\nsign_in_code = \"003\"\n" +
		"tmk_file = \"tmk.hex\"\nserial = \"00000304N9NL10000001\"\nserial_key_file = \"tmk.hex\"\nnetwork_licence = \"P3100\"\ndevice_type = \"04\"\ncard_file = \"card.json\"\n"
	good := write("good.toml", text)
	out, err := runTerminal(t, "", "--config", good, "--pin-file", pin, "--state", dir, "sale", "5.00", "settle")
	if err != nil && !refusedExit(err) || h.took() != "0800 0200 0500 " || !strings.Contains(out, "COVER YOUR PIN") {
		t.Errorf("%v\n%s", err, out)
	}
	for name, bad := range map[string]string{
		"a key in the file": text + "tmk = \"" + terminalTestTMK + "\"\n",
		"not TOML":          "host",
		"no key file":       strings.Replace(text, "tmk.hex", "none.hex", 1),
		"unknown code":      strings.Replace(text, `"003"`, `"3"`, 1),
	} {
		_, err := runTerminal(t, "", "--config", write("bad.toml", bad), "--state", t.TempDir(), "sign-in")
		if err == nil || strings.Contains(err.Error(), terminalTestTMK) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTerminalStopsWithTheProgram(t *testing.T) {
	h := newTerminalTestHost(t)
	var root struct {
		Terminal terminalCmd `cmd:""`
	}
	parser, err := kong.New(&root)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse([]string{"terminal", "--fixture", "-", "--state", t.TempDir(), "--json"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	err = parsed.Run(&app{ctx: ctx, stdin: strings.NewReader(h.fixture()), stdout: &out, stderr: io.Discard, getenv: os.Getenv})
	if !refusedExit(err) || !strings.Contains(out.String(), `"outcome":"no connection"`) || h.took() != "" {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// FuzzTerminalFixture: a fixture is refused or makes a setup; no error shows a part of a key.
func FuzzTerminalFixture(f *testing.F) {
	f.Add([]byte(`{"listen":{"tcp":"127.0.0.1:1"},"terminals":[{"terminal_id":"00000001","merchant_id":"123456789012345","sign_in_code":"003","tmk":"` +
		terminalTestTMK + `","visitor":true}],"cards":[` + terminalTestCard + `]}`))
	f.Add([]byte(`{"terminals":[{"terminal_id":"00000001","tmk":"0123456789ABCDEFG","visitor":true}],"cards":[{"pan":"1"}]}`))
	f.Add([]byte(`{"terminals":[{"tmk":1}]}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := &terminalCmd{Fixture: "-"}
		a := &app{ctx: t.Context(), stdin: bytes.NewReader(raw)}
		s, err := c.load(a)
		if err != nil && (s.config.TMK.Len() != 0 || strings.Contains(err.Error(), "0123456789ABCDEF")) {
			t.Fatal("a key came with the error")
		}
		if err == nil && s.card.PAN.Len() == 0 {
			t.Fatal("a card without a number")
		}
	})
}
