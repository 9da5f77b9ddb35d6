package terminal_test

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm4"

	"touchstone/paycrypto"
	"touchstone/pos"
	"touchstone/secret"
	"touchstone/terminal"
)

// The keys below are those of testdata/vectors/cup.json, published as examples: workkey-003 to 006,
// ansi98-derived, sm4-pin-derived, de59-a2-1 and track2-37.
const (
	exampleTMK       = "0123456789ABCDEFFEDCBA9876543210"
	examplePIK       = "11223344556677889900AABBCCDDEEFF"
	exampleMAK       = "A1B2C3D4E5F60718"
	exampleMAKSM4    = "A1B2C3D4E5F60718293A4B5C6D7E8F90"
	exampleSerialKey = "0123456789ABCDEFFEDCBA9876543210"
	examplePAN       = "6225885916163157"
	exampleTrack     = "6225885916163157=30122019559206020000"
	examplePIN       = "123456"
	otherPIK         = "FFEEDDCCBBAA99887766554433221100"
	otherMAK         = "0F1E2D3C4B5A6978"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal("bad hexadecimal in the test")
	}
	return b
}

// vector is a field of a vector in cup.json.
func vector(t testing.TB, id, field string) string {
	t.Helper()
	raw, err := os.ReadFile("../testdata/vectors/cup.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []map[string]any `json:"vectors"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	for _, v := range file.Vectors {
		if v["id"] == id {
			if v["source"] == "" {
				t.Fatalf("vector %s has no source", id)
			}
			return v[field].(string)
		}
	}
	t.Fatalf("no vector %s", id)
	return ""
}

// layout of an element: prefix bytes, and whether its length counts digits; size is of a fixed one, in bytes.
type layout struct {
	prefix, size int
	digits       bool
}

// layouts is written from docs/protocol/unionpay-pos.md, section 2, apart from package iso8583.
var layouts = map[int]layout{
	2: {1, 0, true}, 3: {0, 3, false}, 4: {0, 6, false}, 11: {0, 3, false}, 12: {0, 3, false}, 13: {0, 2, false},
	14: {0, 2, false}, 22: {0, 2, false}, 25: {0, 1, false}, 26: {0, 1, false}, 35: {1, 0, true}, 37: {0, 12, false},
	38: {0, 6, false}, 39: {0, 2, false}, 41: {0, 8, false}, 42: {0, 15, false}, 48: {2, 0, true}, 49: {0, 3, false},
	52: {0, 8, false}, 53: {0, 8, false}, 54: {2, 0, false}, 59: {2, 0, false}, 60: {2, 0, true}, 61: {2, 0, true},
	62: {2, 0, false}, 63: {2, 0, false}, 64: {0, 8, false},
}

// wire is a message read by hand: each element with its prefix, in hexadecimal.
type wire struct {
	envelope string
	mti      string
	body     []byte // MTI to the end
	element  map[int]string
}

func readWire(t testing.TB, frame []byte) wire {
	t.Helper()
	w := wire{envelope: fmt.Sprintf("%X", frame[:11]), mti: fmt.Sprintf("%X", frame[11:13]), body: frame[11:], element: map[int]string{}}
	bitmap, at := binary.BigEndian.Uint64(frame[13:]), 21
	for n := 1; n <= 64; n++ {
		if bitmap>>(64-n)&1 == 0 {
			continue
		}
		l, known := layouts[n]
		if !known {
			t.Errorf("element %d was not expected", n)
			return w
		}
		size := l.size
		if l.prefix > 0 {
			for _, b := range frame[at : at+l.prefix] {
				size = size*100 + int(b>>4)*10 + int(b&15)
			}
			if l.digits {
				size = (size + 1) / 2
			}
		}
		w.element[n] = fmt.Sprintf("%X", frame[at:at+l.prefix+size])
		at += l.prefix + size
	}
	if at != len(frame) {
		t.Errorf("%d bytes after the last element", len(frame)-at)
	}
	return w
}

// numbers are the elements of a message.
func (w wire) numbers() (list []int) {
	for n := range w.element {
		list = append(list, n)
	}
	slices.Sort(list)
	return list
}

// pack writes an answer by hand. DE64, when macKey is not nil, is of the ECB MAC under it.
func pack(t testing.TB, envelope, mti string, element map[int]string, macKey cipher.Block) []byte {
	t.Helper()
	body, bitmap := unhex(t, mti), uint64(0)
	var rest []byte
	for n := 1; n <= 63; n++ {
		if v, ok := element[n]; ok {
			bitmap |= 1 << (64 - n)
			rest = append(rest, unhex(t, v)...)
		}
	}
	if macKey != nil {
		bitmap |= 1
	}
	body = append(binary.BigEndian.AppendUint64(body, bitmap), rest...)
	if macKey != nil {
		body = append(body, ecbMAC(macKey, body)...)
	}
	frame := append(unhex(t, envelope), body...)
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(frame))), frame...)
}

// ecbMAC is docs/protocol/unionpay-pos.md, section 4.1, written again from its seven steps.
func ecbMAC(c cipher.Block, mab []byte) []byte {
	n := c.BlockSize()
	r := make([]byte, n)
	for i, b := range mab {
		r[i%n] ^= b
	}
	h := []byte(fmt.Sprintf("%X", r))
	e := make([]byte, n)
	c.Encrypt(e, h[:n])
	for i := range e {
		e[i] ^= h[n+i]
	}
	c.Encrypt(e, e)
	return []byte(fmt.Sprintf("%X", e[:4]))
}

func desBlock(t testing.TB, key string) cipher.Block {
	t.Helper()
	c, err := des.NewCipher(unhex(t, key))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func tdesBlock(t testing.TB, key string) cipher.Block {
	t.Helper()
	k := unhex(t, key)
	c, err := des.NewTripleDESCipher(append(k, k[:8]...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func sm4Block(t testing.TB, key string) cipher.Block {
	t.Helper()
	c, err := sm4.NewCipher(unhex(t, key))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPeerMACAgainstVector(t *testing.T) {
	got := ecbMAC(desBlock(t, vector(t, "ecb-mac-des-1", "key")), unhex(t, vector(t, "ecb-mac-des-1", "mab")))
	if string(got) != vector(t, "ecb-mac-des-1", "mac") {
		t.Fatalf("%s", got)
	}
}

// wrap003 is DE62 of a sign-in 003 with keys of one's own.
func wrap003(t testing.TB, pik, mak string) string {
	tmk := tdesBlock(t, exampleTMK)
	field := func(key string, check cipher.Block) string {
		k := unhex(t, key)
		for i := 0; i < len(k); i += 8 {
			tmk.Encrypt(k[i:], k[i:])
		}
		zero := make([]byte, 8)
		check.Encrypt(zero, zero)
		return fmt.Sprintf("%X", append(append(k, make([]byte, 16-len(k))...), zero[:4]...))
	}
	return field(pik, tdesBlock(t, pik)) + field(mak, desBlock(t, mak))
}

// peer is a host that answers as told.
type peer struct {
	t      testing.TB
	addr   string
	mu     sync.Mutex
	got    []wire
	frames [][]byte
	from   []string
	answer func(w wire) []byte // nil: close the connection without an answer

	// what answers are made of
	de62, batch, header string
	mak                 cipher.Block
	serve               sync.WaitGroup
}

// newPeer listens on loopback and answers every message with approval until told otherwise.
func newPeer(t testing.TB) *peer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, addr: l.Addr().String(), batch: "000007", header: "603100311812", de62: vector(t, "workkey-003", "de62"), mak: desBlock(t, exampleMAK)}
	p.answer = p.approve
	p.serve.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.serve.Go(func() { p.talk(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.serve.Wait()
	})
	return p
}

func (p *peer) talk(c net.Conn) {
	defer c.Close()
	for {
		var head [2]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint16(head[:]))
		if n, err := io.ReadFull(c, frame); err != nil || frame[0] != 0x60 {
			p.mu.Lock()
			p.frames = append(p.frames, append(head[:], frame[:n]...))
			p.mu.Unlock()
			return
		}
		w := readWire(p.t, frame)
		p.mu.Lock()
		p.got = append(p.got, w)
		p.frames = append(p.frames, append(head[:], frame...))
		p.from = append(p.from, c.RemoteAddr().(*net.TCPAddr).IP.String())
		answer := p.answer
		p.mu.Unlock()
		out := answer(w)
		if out == nil {
			return
		}
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

// on sets what the next messages are answered.
func (p *peer) on(f func(w wire) []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = f
}

// messages are those received since the last call.
func (p *peer) messages() (list []wire) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list, p.got = p.got, nil
	return list
}

func (p *peer) mtis() (s string) {
	for _, w := range p.messages() {
		s += w.mti + " "
	}
	return s
}

// fields are what an answer to w holds: what must be echoed, and date, time and RRN.
func (p *peer) fields(w wire, de39 string) map[int]string {
	e := map[int]string{12: "102030", 13: "1123", 39: fmt.Sprintf("%X", de39)}
	for _, n := range []int{3, 4, 11, 25, 41, 42, 49, 60} {
		if v, ok := w.element[n]; ok {
			e[n] = v
		}
	}
	e[37] = fmt.Sprintf("%X", "000000"+w.element[11])
	if de39 == "00" && w.mti == "0200" {
		e[38] = fmt.Sprintf("%X", "AUTH01")
	}
	return e
}

// reply is an answer with a code, MACed when the request was and the key is not nil.
func (p *peer) reply(w wire, de39 string, key cipher.Block) []byte {
	e := p.fields(w, de39)
	if w.mti == "0800" && de39 == "00" {
		e[62] = fmt.Sprintf("%04d%s", len(p.de62)/2, p.de62)
		e[60] = "0011" + "00" + p.batch + "0030"
	}
	if w.mti == "0500" {
		e[48] = w.element[48][:4+30] + "1" + w.element[48][4+31:]
	}
	if _, maced := w.element[64]; !maced || w.mti[:2] == "08" {
		key = nil
	}
	mti := w.mti[:2] + string(w.mti[2]+1) + w.mti[3:]
	return pack(p.t, "6000000003"+p.header, mti, e, key)
}

func (p *peer) approve(w wire) []byte { return p.reply(w, "00", p.mak) }

// code answers financial messages with a code, and management with approval.
func (p *peer) code(de39 string, key cipher.Block) func(w wire) []byte {
	return func(w wire) []byte {
		if w.mti[:2] == "08" {
			return p.approve(w)
		}
		return p.reply(w, de39, key)
	}
}

// screens keeps what was shown.
type screens struct{ shown [][4]string }

func (s *screens) Show(lines [4]string) { s.shown = append(s.shown, lines) }

func (s *screens) last() [4]string { return s.shown[len(s.shown)-1] }

// moment is the time of every test's clock.
func moment() time.Time { return time.Date(2026, 11, 23, 2, 20, 30, 0, time.UTC) }

func terminalID(t testing.TB, s string) pos.TerminalID {
	id, err := pos.ParseTerminalID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// config is a terminal of sign-in code 003 with a serial-number key.
func config(t testing.TB, p *peer) terminal.Config {
	t.Helper()
	merchant, err := pos.ParseMerchantID("123456789012345")
	if err != nil {
		t.Fatal(err)
	}
	return terminal.Config{
		Host: p.addr, Terminal: terminalID(t, "10000001"), Merchant: merchant, SignInCode: paycrypto.SignInTDES,
		TMK: secret.Take(unhex(t, exampleTMK)), SerialKey: secret.Take(unhex(t, exampleSerialKey)),
		Serial: "00000304N9NL10000001", Licence: "P3100", DeviceType: "04", AppVersion: "311812",
		Timeout: time.Minute, DialTimeout: time.Minute, StateDir: t.TempDir(), Language: terminal.English, Now: moment, Screen: &screens{},
	}
}

func open(t testing.TB, c terminal.Config) *terminal.Terminal {
	t.Helper()
	term, err := terminal.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { term.Close() })
	return term
}

func card(t testing.TB) terminal.Card {
	t.Helper()
	pan, err := pos.ParsePAN(examplePAN)
	if err != nil {
		t.Fatal(err)
	}
	return terminal.Card{PAN: pan, Expiry: 3012, Track2: secret.Take([]byte(exampleTrack)), PIN: secret.Take([]byte(examplePIN))}
}

// must fails the test on an operation that could not run.
func must(r terminal.Result, err error) func(t testing.TB) terminal.Result {
	return func(t testing.TB) terminal.Result {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
}

func want(t testing.TB, r terminal.Result, o terminal.Outcome, de39 string) {
	t.Helper()
	if r.Outcome != o || r.DE39.String() != de39 || r.Approved != (o == terminal.Done || o == terminal.BalanceDisagrees) {
		t.Fatalf("%s ended %v %q, approved %v; want %v %q", r.Operation, r.Outcome, r.DE39, r.Approved, o, de39)
	}
}

// stateFile is the terminal's file.
func stateFile(t testing.TB, c terminal.Config) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(c.StateDir, "terminal-10000001.json"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// holds tells whether raw has the bytes plainly, in hexadecimal or in base 64.
func holds(raw []byte, key []byte) bool {
	coded, _ := json.Marshal(key)
	return bytes.Contains(raw, key) || bytes.Contains(bytes.ToUpper(raw), []byte(fmt.Sprintf("%X", key))) ||
		bytes.Contains(raw, bytes.Trim(coded, `"=`))
}
