package terminal_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/iso8583"
	"touchstone/paycrypto"
	"touchstone/pos"
	"touchstone/secret"
	"touchstone/terminal"
)

func TestSignInBytes(t *testing.T) {
	p := newPeer(t)
	c := config(t, p)
	term := open(t, c)
	r := must(term.SignIn(t.Context()))(t)
	want(t, r, terminal.Done, "00")
	w := p.messages()[0]
	wanted := map[int]string{
		11: "000001", 41: fmt.Sprintf("%X", "10000001"), 42: fmt.Sprintf("%X", "123456789012345"), 60: "0011" + "000000000030",
		62: "0025" + fmt.Sprintf("%X", "Sequence No12310010000001"), 63: "0003303031",
	}
	compare(t, w, "0800", wanted)
	if w.envelope != "6000030000603100311812" {
		t.Errorf("envelope %s", w.envelope)
	}
	if term.Batch() != 7 || !term.SignedIn() || r.Batch != 7 {
		t.Errorf("batch %v, signed in %v", term.Batch(), term.SignedIn())
	}
	if got := term.Clock().Format(time.DateTime); got != "2026-11-23 10:20:30" {
		t.Errorf("clock %s", got)
	}
}

func compare(t *testing.T, w wire, mti string, wanted map[int]string) {
	t.Helper()
	if w.mti != mti {
		t.Errorf("message type %s, want %s", w.mti, mti)
	}
	for n, v := range wanted {
		if w.element[n] != v {
			t.Errorf("%s: element %d is not as wanted", mti, n)
		}
	}
	if len(wanted) != len(w.element) {
		t.Errorf("%s has elements %v, want %d of them", mti, w.numbers(), len(wanted))
	}
}

func TestSaleBytes(t *testing.T) {
	p := newPeer(t)
	term := open(t, config(t, p))
	r := must(term.Sale(t.Context(), card(t), 1850))(t)
	want(t, r, terminal.Done, "00")
	if !r.MACVerified || r.RRN.String() != "000000000002" || r.AuthCode.String() != "AUTH01" || r.Trace != 2 || r.Amount != 1850 {
		t.Errorf("result %+v", r)
	}
	got := p.messages()
	if len(got) != 2 {
		t.Fatalf("%d messages, want a sign-in and a sale", len(got))
	}
	w := got[1]
	a2 := vector(t, "de59-a2-1", "value_ascii")
	compare(t, w, "0200", map[int]string{
		3: "000000", 4: "000000001850", 11: "000002", 22: "0210", 25: "00", 26: "12",
		35: "37" + strings.ReplaceAll(exampleTrack, "=", "D") + "0", 41: fmt.Sprintf("%X", "10000001"),
		42: fmt.Sprintf("%X", "123456789012345"), 49: "313536", 52: vector(t, "ansi98-derived", "block"), 53: "2600000000000000",
		59: fmt.Sprintf("%04d%X", len(a2), a2), 60: "0014" + "22000007000500",
		64: fmt.Sprintf("%X", ecbMAC(desBlock(t, exampleMAK), w.body[:len(w.body)-8])),
	})
}

// TestOpenSSL has OpenSSL compute one request's MAC and open its PIN block.
func TestOpenSSL(t *testing.T) {
	program, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("no openssl command")
	}
	p := newPeer(t)
	must(open(t, config(t, p)).Sale(t.Context(), card(t), 1850))(t)
	w := p.messages()[1]
	run := func(key string, in []byte, more ...string) []byte {
		t.Helper()
		cmd := exec.Command(program, append([]string{"enc", "-des-ede3", "-nopad", "-K", key}, more...)...)
		cmd.Stdin = strings.NewReader(string(in))
		out, err := cmd.Output()
		if err != nil {
			t.Fatal("openssl:", err)
		}
		return out
	}
	mak := exampleMAK + exampleMAK + exampleMAK // single DES
	mab, fold := w.body[:len(w.body)-8], [8]byte{}
	for i, b := range mab {
		fold[i%8] ^= b
	}
	h := []byte(fmt.Sprintf("%X", fold))
	e := run(mak, h[:8])
	for i := range e {
		e[i] ^= h[8+i]
	}
	if got := fmt.Sprintf("%X", run(mak, e)[:4]); fmt.Sprintf("%X", got) != w.element[64] {
		t.Errorf("OpenSSL has another MAC")
	}
	block, _ := hex.DecodeString(w.element[52])
	if got := fmt.Sprintf("%X", run(examplePIK+examplePIK[:16], block, "-d")); got != vector(t, "ansi98-derived", "clear") {
		t.Errorf("OpenSSL opens another PIN block")
	}
}

func TestSM4Sale(t *testing.T) {
	p := newPeer(t)
	p.de62, p.mak = vector(t, "workkey-006", "de62"), sm4Block(t, exampleMAKSM4)
	c := config(t, p)
	c.SignInCode, c.SealTrack, c.SendPAN = paycrypto.SignInSM4Track, true, true
	want(t, must(open(t, c).Sale(t.Context(), card(t), 1850))(t), terminal.Done, "00")
	w := p.messages()[1]
	a1, a2 := "A1016"+string(unhex(t, vector(t, "sm4-pin-derived", "block"))), vector(t, "de59-a2-1", "value_ascii")
	for n, v := range map[int]string{
		2: "16" + examplePAN, 35: "37" + vector(t, "track2-37", "sm4") + "0", 52: "0000000000000000", 53: "2310000000000000",
		59: fmt.Sprintf("%04d%X", len(a1+a2), a1+a2), 64: fmt.Sprintf("%X", ecbMAC(p.mak, w.body[:len(w.body)-8])),
	} {
		if w.element[n] != v {
			t.Errorf("element %d is not as wanted", n)
		}
	}
}

func TestSealedTrackTDES(t *testing.T) {
	p := newPeer(t)
	p.de62 = vector(t, "workkey-004", "de62")
	c, without := config(t, p), card(t)
	c.SignInCode, c.SealTrack, without.PIN = paycrypto.SignInTDESTrack, true, secret.Bytes{}
	want(t, must(open(t, c).Sale(t.Context(), without, 1850))(t), terminal.Done, "00")
	w := p.messages()[1]
	if w.element[35] != "37"+vector(t, "track2-37", "tdes")+"0" || w.element[53] != "0610000000000000" || w.element[22] != "0220" || w.element[26]+w.element[52] != "" {
		t.Errorf("the track is not sealed as wanted, or a PIN came from nowhere: %v", w.numbers())
	}
}

func TestMACProfiles(t *testing.T) {
	mab := "02007024048000C080151662262300172933490000000000000009990000521609010004303030303030303133303531313030303030303930303531353600082200000600194143544E303030303030303030303030303431"
	if vector(t, "x919-minsheng-1", "mab") != mab {
		t.Fatal("the vector is not the one this test was written for")
	}
	// A MAK of 16 bytes, in place of E(MAK) 8 and zeros 8.
	long := exampleMAKSM4
	tmk := tdesBlock(t, exampleTMK)
	k := unhex(t, long)
	tmk.Encrypt(k, k)
	tmk.Encrypt(k[8:], k[8:])
	zero := make([]byte, 8)
	tdesBlock(t, long).Encrypt(zero, zero)
	for _, profile := range []terminal.MACProfile{terminal.ECB3DES, terminal.X99, terminal.X919} {
		t.Run(string(profile), func(t *testing.T) {
			p := newPeer(t)
			p.de62 = vector(t, "workkey-003", "de62")[:40] + fmt.Sprintf("%X%X", k, zero[:4])
			c := config(t, p)
			c.MAC = profile
			term := open(t, c)
			p.on(func(w wire) []byte {
				if w.mti == "0800" {
					return p.approve(w)
				}
				return nil
			})
			must(term.Sale(t.Context(), card(t), 1850))(t)
			w := p.messages()[1]
			if got := fmt.Sprintf("%X", longMAC(t, profile, long, w.body[:len(w.body)-8])); w.element[64] != got {
				t.Error("another MAC than the one computed by hand")
			}
		})
	}
	t.Run("short MAK under a long profile", func(t *testing.T) {
		p := newPeer(t)
		c := config(t, p)
		c.MAC = terminal.X919
		want(t, must(open(t, c).SignIn(t.Context()))(t), terminal.KeyCheckError, "00")
	})
}

// longMAC is the MAC of a profile with a 16-byte key, written from section 4 with crypto/des.
func longMAC(t *testing.T, profile terminal.MACProfile, key string, mab []byte) []byte {
	if profile == terminal.ECB3DES {
		return ecbMAC(tdesBlock(t, key), mab)
	}
	chain := tdesBlock(t, key)
	if profile == terminal.X919 {
		chain = desBlock(t, key[:16])
	}
	x := make([]byte, 8)
	for i := 0; i < len(mab); i += 8 {
		for j := i; j < min(i+8, len(mab)); j++ {
			x[j-i] ^= mab[j]
		}
		chain.Encrypt(x, x)
	}
	if profile == terminal.X919 {
		desBlock(t, key[16:]).Decrypt(x, x)
		chain.Encrypt(x, x)
	}
	return []byte(fmt.Sprintf("%X", x[:4]))
}

func TestTypedCard(t *testing.T) {
	p := newPeer(t)
	typed := card(t)
	typed.Track2, typed.PIN = secret.Bytes{}, secret.Bytes{}
	want(t, must(open(t, config(t, p)).Sale(t.Context(), typed, 1))(t), terminal.Done, "00")
	w := p.messages()[1]
	if w.element[2] != "16"+examplePAN || w.element[14] != "3012" || w.element[22] != "0120" || w.element[35] != "" || w.element[53] != "" {
		t.Errorf("elements %v", w.numbers())
	}
}

func TestVoidRefundSettle(t *testing.T) {
	p := newPeer(t)
	term := open(t, config(t, p))
	first := must(term.Sale(t.Context(), card(t), 1000))(t)
	second := must(term.Sale(t.Context(), card(t), 2000))(t)
	third := must(term.Sale(t.Context(), card(t), 4000))(t)
	want(t, must(term.Reverse(t.Context()))(t), terminal.Done, "00")
	want(t, must(term.Void(t.Context(), first.Trace, terminal.Card{}))(t), terminal.Done, "00")
	if _, err := term.Void(t.Context(), first.Trace, terminal.Card{}); !errors.Is(err, terminal.ErrOriginal) {
		t.Errorf("a second void: %v", err)
	}
	if _, err := term.Void(t.Context(), third.Trace, terminal.Card{}); !errors.Is(err, terminal.ErrOriginal) {
		t.Errorf("a void of a reversed sale: %v", err)
	}
	want(t, must(term.Refund(t.Context(), card(t), terminal.Original{RRN: second.RRN, Date: 1123}, 500))(t), terminal.Done, "00")
	settled := must(term.Settle(t.Context()))(t)
	want(t, settled, terminal.Done, "00")
	got := p.messages()
	merchant, id := fmt.Sprintf("%X", "123456789012345"), fmt.Sprintf("%X", "10000001")
	mac := func(w wire) string {
		return fmt.Sprintf("%X", ecbMAC(desBlock(t, exampleMAK), w.body[:len(w.body)-8]))
	}
	compare(t, got[4], "0400", map[int]string{3: "000000", 4: "000000004000", 11: "000004", 22: "0220", 25: "00", 39: "3036", 41: id,
		42: merchant, 49: "313536", 60: "001422000007000500", 64: mac(got[4])})
	compare(t, got[5], "0200", map[int]string{3: "200000", 4: "000000001000", 11: "000005", 22: "0120", 25: "00", 37: fmt.Sprintf("%X", first.RRN.String()),
		38: fmt.Sprintf("%X", "AUTH01"), 41: id, 42: merchant, 49: "313536", 60: "001423000007000500", 61: "0012000007000002", 64: mac(got[5])})
	compare(t, got[6], "0220", map[int]string{2: "16" + examplePAN, 3: "200000", 4: "000000000500", 11: "000006", 14: "3012", 22: "0120", 25: "00",
		37: fmt.Sprintf("%X", second.RRN.String()), 41: id, 42: merchant, 49: "313536", 60: "001425000007000500", 61: "00160000000000001123", 64: mac(got[6])})
	totals := "000000003000" + "002" + "000000001500" + "002" + "0"
	compare(t, got[7], "0500", map[int]string{11: "000007", 41: id, 42: merchant, 48: "0062" + totals + strings.Repeat("0", 31), 49: "313536",
		60: "0011" + "000000072010", 63: "0003303031"})
	if term.Batch() != 8 || len(term.Entries()) != 0 || settled.Settlement.Domestic.Result != iso8583.Balanced {
		t.Errorf("after settlement: batch %v, %d entries", term.Batch(), len(term.Entries()))
	}
}

func TestReversedVoidRestoresTheSale(t *testing.T) {
	p := newPeer(t)
	term := open(t, config(t, p))
	sale := must(term.Sale(t.Context(), card(t), 1000))(t)
	void := must(term.Void(t.Context(), sale.Trace, terminal.Card{}))(t)
	p.messages()
	want(t, must(term.Reverse(t.Context()))(t), terminal.Done, "00")
	w := p.messages()[0]
	if w.element[11] != void.Trace.String() || w.element[61] != "0012000007"+sale.Trace.String() || w.element[3] != "200000" || w.element[60] != "001423000007000500" {
		t.Errorf("the reversal names another message")
	}
	if list := term.Entries(); len(list) != 1 || list[0].Voided {
		t.Errorf("%d entries, voided %v", len(list), list[0].Voided)
	}
	if sum := term.Totals(); sum.Credit != 0 || sum.Debit != 1000 {
		t.Errorf("totals %+v", sum)
	}
}

func TestLostAnswer(t *testing.T) {
	p := newPeer(t)
	term := open(t, config(t, p))
	must(term.SignIn(t.Context()))(t)
	p.on(func(wire) []byte { return nil })
	lost := must(term.Sale(t.Context(), card(t), 1850))(t)
	want(t, lost, terminal.NoAnswer, "")
	if !lost.Closed || lost.Reversal != lost.Trace {
		t.Errorf("result %+v", lost)
	}
	p.on(p.approve)
	p.messages()
	want(t, must(term.Sale(t.Context(), card(t), 2000))(t), terminal.Done, "00")
	got := p.messages()
	if len(got) != 2 || got[0].mti != "0400" || got[0].element[11] != lost.Trace.String() || got[0].element[39] != "3938" || got[0].element[4] != "000000001850" {
		t.Fatalf("the sale was not preceded by its reversal")
	}
	for _, n := range []int{2, 26, 35, 52, 53, 59} {
		if got[0].element[n] != "" {
			t.Errorf("the reversal carries element %d", n)
		}
	}
	if _, open := term.OpenReversal(); open || len(term.Entries()) != 1 {
		t.Error("the reversal is still open, or the lost sale is in the list")
	}
}

func TestTimeout(t *testing.T) {
	p := newPeer(t)
	c := config(t, p)
	first := open(t, c) // with time enough for the sign-in
	want(t, must(first.SignIn(t.Context()))(t), terminal.Done, "00")
	first.Close()
	p.messages()
	c = config2(t, c)
	c.Timeout = 20 * time.Millisecond
	held := make(chan struct{})
	p.on(func(w wire) []byte {
		if w.mti == "0200" {
			<-held
			return nil
		}
		return p.approve(w)
	})
	term := open(t, c)
	r := must(term.Sale(t.Context(), card(t), 1850))(t)
	close(held)
	want(t, r, terminal.NoAnswer, "")
	if got := p.mtis(); got != "0200 " {
		t.Errorf("the host had %q, want the sale alone", got)
	}
	if r.Closed {
		t.Error("a silent host is taken for one that closed")
	}
}

// TestReversalBeforeSend looks into the file while the host holds the sale, and goes on from there as
// after a power cut.
func TestReversalBeforeSend(t *testing.T) {
	p := newPeer(t)
	c := config(t, p)
	c.SendPAN = true
	term := open(t, c)
	must(term.SignIn(t.Context()))(t)
	var cut []byte
	p.on(func(w wire) []byte {
		cut = stateFile(t, c)
		return p.approve(w)
	})
	want(t, must(term.Sale(t.Context(), card(t), 1850))(t), terminal.Done, "00")
	if !strings.Contains(string(cut), `"reversal":{"kind":"sale","trace":2,"batch":7`) {
		t.Fatal("the reversal was not in the file when the sale arrived")
	}
	if strings.Contains(string(stateFile(t, c)), `"reversal"`) {
		t.Error("the reversal is still in the file after the answer")
	}
	for name, secretBytes := range map[string][]byte{"card number": []byte(examplePAN), "track": []byte(exampleTrack), "PIN": []byte(`"` + examplePIN)} {
		if holds(cut, secretBytes) {
			t.Errorf("the file holds the %s", name)
		}
	}
	again := config(t, p)
	again.SendPAN = true
	if err := os.WriteFile(filepath.Join(again.StateDir, "terminal-10000001.json"), cut, 0o600); err != nil {
		t.Fatal(err)
	}
	p.on(p.approve)
	p.messages()
	restarted := open(t, again)
	want(t, must(restarted.Sale(t.Context(), card(t), 100))(t), terminal.Done, "00")
	got := p.messages()
	if len(got) != 2 || got[0].mti != "0400" || got[0].element[11] != "000002" || got[0].element[39] != "3938" || got[0].element[2] != "16"+examplePAN {
		t.Fatal("after the restart the sale was not preceded by its reversal, or that has no card number")
	}
	if got[1].element[11] != "000003" {
		t.Errorf("the trace went on at another number than 3")
	}
}

func TestRestart(t *testing.T) {
	p := newPeer(t)
	c := config(t, p)
	first, err := terminal.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	sale := must(first.Sale(t.Context(), card(t), 1850))(t)
	if _, err := terminal.Open(c); !errors.Is(err, terminal.ErrState) {
		t.Errorf("a second terminal on the same file: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if c.TMK.Len() != 0 || c.SerialKey.Len() != 0 {
		t.Error("Close left a key in memory")
	}
	if _, err := first.Sale(t.Context(), card(t), 1); !errors.Is(err, terminal.ErrClosed) {
		t.Errorf("a closed terminal: %v", err)
	}
	again := config(t, p)
	again.StateDir = c.StateDir
	p.messages()
	term := open(t, again)
	if term.Trace() != sale.Trace || !term.SignedIn() || len(term.Entries()) != 1 {
		t.Fatalf("trace %v, signed in %v, %d entries", term.Trace(), term.SignedIn(), len(term.Entries()))
	}
	want(t, must(term.Void(t.Context(), sale.Trace, terminal.Card{}))(t), terminal.Done, "00")
	if got := p.mtis(); got != "0200 " {
		t.Errorf("after the restart it sent %s", got)
	}
	info, err := os.Stat(filepath.Join(c.StateDir, "terminal-10000001.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v", info.Mode())
	}
}

func TestAnswerMACs(t *testing.T) {
	wrong := desBlock(t, otherMAK)
	for _, c := range []struct {
		name, de39 string
		missing    bool
		outcome    terminal.Outcome
		reason     string // of the reversal that follows
		signIn     bool
	}{
		{"approval with a wrong MAC", "00", false, terminal.WrongMAC, "A0", false},
		{"refusal with a wrong MAC", "51", false, terminal.WrongMAC, "A0", false},
		{"approval without a MAC", "00", true, terminal.MissingMAC, "A0", false},
		{"advice 97", "97", true, terminal.MissingMAC, "06", false},
		{"advice 77", "77", true, terminal.MissingMAC, "06", true},
		{"advice A0", "A0", true, terminal.MissingMAC, "06", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t)
			term := open(t, config(t, p))
			must(term.SignIn(t.Context()))(t)
			key := wrong
			if c.missing {
				key = nil
			}
			p.on(p.code(c.de39, key))
			r := must(term.Sale(t.Context(), card(t), 1850))(t)
			want(t, r, c.outcome, c.de39)
			if r.MACVerified || r.Reversal != r.Trace || r.Words.EN == "APPROVED" || len(term.Entries()) != 0 {
				t.Errorf("it was believed: %+v", r)
			}
			p.on(p.approve)
			p.messages()
			want(t, must(term.Balance(t.Context(), card(t)))(t), terminal.Done, "00")
			got := p.messages()
			if c.signIn {
				if got[0].mti != "0800" {
					t.Fatal("no sign-in before the next transaction")
				}
				got = got[1:]
			}
			if got[0].mti != "0400" || got[0].element[39] != fmt.Sprintf("%X", c.reason) || got[0].element[11] != r.Trace.String() || got[1].mti != "0200" {
				t.Errorf("another reversal than wanted")
			}
		})
	}
}

func TestRefusalWithMAC(t *testing.T) {
	p := newPeer(t)
	term := open(t, config(t, p))
	must(term.SignIn(t.Context()))(t)
	p.on(p.code("55", p.mak))
	r := must(term.Sale(t.Context(), card(t), 1850))(t)
	want(t, r, terminal.Refused, "55")
	if _, open := term.OpenReversal(); open || !r.MACVerified || r.Words.EN != "INCORRECT PIN" {
		t.Errorf("a proven refusal leaves a reversal open: %+v", r)
	}
	p.on(p.code("99", p.mak))
	want(t, must(term.Sale(t.Context(), card(t), 1850))(t), terminal.Refused, "99")
	p.messages()
	p.on(p.approve)
	must(term.Sale(t.Context(), card(t), 1850))(t)
	if got := p.mtis(); got != "0800 0200 " {
		t.Errorf("after 99 it sent %s", got)
	}
	p.on(p.code("10", p.mak))
	partial := must(term.Sale(t.Context(), card(t), 1850))(t)
	want(t, partial, terminal.Refused, "10")
	if partial.Reversal != partial.Trace {
		t.Error("a partial approval, which was not asked for, is not undone")
	}
}

func TestHeaderAsksForSignIn(t *testing.T) {
	p := newPeer(t)
	term := open(t, config(t, p))
	must(term.SignIn(t.Context()))(t)
	p.header = "603103311812"
	want(t, must(term.Sale(t.Context(), card(t), 1850))(t), terminal.Done, "00")
	p.header = "603100311812"
	p.messages()
	must(term.Sale(t.Context(), card(t), 1850))(t)
	must(term.Sale(t.Context(), card(t), 1850))(t)
	if got := p.mtis(); got != "0800 0200 0200 " {
		t.Errorf("it sent %s", got)
	}
}

func TestEchoMismatchIsDiscarded(t *testing.T) {
	for _, n := range []int{3, 4, 11, 41, 42} {
		for _, absent := range []bool{false, true} {
			t.Run(fmt.Sprintf("element %d absent %v", n, absent), func(t *testing.T) {
				p := newPeer(t)
				term := open(t, config(t, p))
				must(term.SignIn(t.Context()))(t)
				p.on(func(w wire) []byte {
					e := p.fields(w, "00")
					if absent {
						delete(e, n)
					} else {
						e[n] = e[n][:len(e[n])-1] + "9"
					}
					return append(pack(t, "6000000003603100311812", "0210", e, p.mak), p.approve(w)...)
				})
				want(t, must(term.Sale(t.Context(), card(t), 1850))(t), terminal.Done, "00")
				p.on(func(w wire) []byte {
					var all []byte
					for range 20 {
						e := p.fields(w, "00")
						e[n] = e[n][:len(e[n])-1] + "9"
						all = append(all, pack(t, "6000000003603100311812", "0210", e, p.mak)...)
					}
					return all
				})
				want(t, must(term.Sale(t.Context(), card(t), 1850))(t), terminal.NoAnswer, "")
			})
		}
	}
}

func TestKeyCheckError(t *testing.T) {
	p := newPeer(t)
	c := config(t, p)
	show := c.Screen.(*screens)
	term := open(t, c)
	right := p.de62
	for i := 0; i < len(right); i += 8 {
		p.de62 = right[:i] + string("0123456789ABCDEF"[(strings.IndexByte("0123456789ABCDEF", right[i])+2)%16]) + right[i+1:]
		if i >= 56 && i < 72 { // the zeros beside an 8-byte MAK: another layout, and its check value does not fit either
			continue
		}
		r := must(term.SignIn(t.Context()))(t)
		want(t, r, terminal.KeyCheckError, "00")
		if show.last()[2] != "KEY CHECK ERROR" || term.SignedIn() {
			t.Fatalf("screen %q, signed in %v", show.last(), term.SignedIn())
		}
	}
	r := must(term.Sale(t.Context(), card(t), 1850))(t)
	want(t, r, terminal.SignInFailed, "00")
	if r.Words.EN != "KEY CHECK ERROR" {
		t.Errorf("words %q", r.Words.EN)
	}
	if got := p.mtis(); strings.Contains(got, "0200") {
		t.Error("it sold without keys")
	}
	p.de62 = right
	want(t, must(term.SignIn(t.Context()))(t), terminal.Done, "00")
	p.de62 = strings.Repeat("00", 40)
	want(t, must(term.SignIn(t.Context()))(t), terminal.KeyCheckError, "00")
	want(t, must(term.Sale(t.Context(), card(t), 1850))(t), terminal.Done, "00") // the keys before stayed
}

func TestReversalLimit(t *testing.T) {
	p := newPeer(t)
	term := open(t, config(t, p))
	must(term.SignIn(t.Context()))(t)
	p.on(func(wire) []byte { return nil })
	lost := must(term.Sale(t.Context(), card(t), 1850))(t)
	p.messages()
	p.on(func(w wire) []byte {
		if w.mti == "0400" {
			return p.reply(w, "96", p.mak)
		}
		return p.approve(w)
	})
	want(t, must(term.Sale(t.Context(), card(t), 100))(t), terminal.Done, "00")
	got := p.messages()
	var reasons []string
	for _, w := range got[:len(got)-1] {
		reasons = append(reasons, w.element[39])
	}
	if !slices.Equal(reasons, []string{"3938", "3036", "3036"}) {
		t.Errorf("%d messages, reasons %v", len(got), reasons)
	}
	if kept := term.Kept(); len(kept) != 1 || kept[0] != lost.Trace {
		t.Errorf("kept %v", kept)
	}
	p.on(p.approve)
	must(term.Settle(t.Context()))(t)
	if len(term.Kept()) != 0 {
		t.Error("the settlement did not forget what was kept")
	}
}

// TestKeptReversalGoesBeforeSettlement: once the batch is closed no host undoes anything in it, so a reversal
// that was given up is tried again first, and the settlement waits until the host has said something.
func TestKeptReversalGoesBeforeSettlement(t *testing.T) {
	for _, c := range []struct {
		name, code string // of the 0410; "" is none
		outcome    terminal.Outcome
		kept       int
		sent       string
	}{
		{"accepted", "00", terminal.Done, 0, "0400 0500 "},
		{"nothing to reverse", "25", terminal.Done, 0, "0400 0500 "},
		{"refused by the host", "22", terminal.Done, 0, "0400 0400 0400 0500 "},
		{"not answered", "", terminal.ReversalOpen, 1, "0400 0400 0400 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t)
			term := open(t, config(t, p))
			must(term.SignIn(t.Context()))(t)
			p.on(func(w wire) []byte { return nil })
			lost := must(term.Sale(t.Context(), card(t), 1850))(t)
			must(term.Reverse(t.Context()))(t)
			if kept := term.Kept(); len(kept) != 1 || kept[0] != lost.Trace {
				t.Fatalf("kept %v", kept)
			}
			p.messages()
			p.on(func(w wire) []byte {
				switch {
				case w.mti != "0400":
					return p.approve(w)
				case c.code == "":
					return nil
				}
				return p.reply(w, c.code, p.mak)
			})
			if res := must(term.Settle(t.Context()))(t); res.Outcome != c.outcome {
				t.Errorf("outcome %v, want %v", res.Outcome, c.outcome)
			}
			if got := p.mtis(); got != c.sent {
				t.Errorf("sent %s, want %s", got, c.sent)
			}
			if len(term.Kept()) != c.kept {
				t.Errorf("kept %v, want %d", term.Kept(), c.kept)
			}
		})
	}
}

func TestUnreachableHostIsNoAttempt(t *testing.T) {
	p := newPeer(t)
	c := config(t, p)
	term := open(t, c)
	must(term.SignIn(t.Context()))(t)
	p.on(func(wire) []byte { return nil })
	lost := must(term.Sale(t.Context(), card(t), 1850))(t)
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for range 5 {
		want(t, must(term.Sale(done, card(t), 100))(t), terminal.ReversalOpen, "")
	}
	if trace, open := term.OpenReversal(); !open || trace != lost.Trace || len(term.Kept()) != 0 {
		t.Errorf("open %v, kept %v", open, term.Kept())
	}
	p.on(func(w wire) []byte {
		if w.mti == "0400" {
			return p.reply(w, "96", p.mak)
		}
		return p.approve(w)
	})
	p.messages()
	want(t, must(term.Sale(t.Context(), card(t), 100))(t), terminal.Done, "00")
	if got := p.mtis(); got != "0400 0400 0400 0200 " {
		t.Errorf("with three attempts left it sent %s", got)
	}
}

func TestConnectFailureLeavesNoReversal(t *testing.T) {
	p := newPeer(t)
	c := config(t, p)
	term := open(t, c)
	must(term.SignIn(t.Context()))(t)
	done, cancel := context.WithCancel(t.Context())
	cancel()
	// The connection is open and the write fails; then there is none and the dial fails.
	for range 2 {
		want(t, must(term.Sale(done, card(t), 100))(t), terminal.NoConnection, "")
		if _, open := term.OpenReversal(); open {
			t.Fatal("a reversal was left for a message that never left")
		}
	}
}

func TestSettlementRepeats(t *testing.T) {
	p := newPeer(t)
	term := open(t, config(t, p))
	must(term.Sale(t.Context(), card(t), 100))(t)
	p.on(func(wire) []byte { return nil })
	want(t, must(term.Settle(t.Context()))(t), terminal.NoAnswer, "")
	p.on(func(w wire) []byte {
		e := p.fields(w, "00")
		e[48] = w.element[48][:4+30] + "2" + w.element[48][4+31:]
		return pack(t, "6000000003603100311812", "0510", e, nil)
	})
	want(t, must(term.Settle(t.Context()))(t), terminal.BalanceDisagrees, "00")
	got := p.messages()
	if first, second := got[len(got)-2], got[len(got)-1]; string(first.body) != string(second.body) {
		t.Error("the settlement was not repeated byte for byte")
	}
}

// TestUnansweredSettlementGoesFirst: a settlement that was not answered may still be on its way, and would
// close the batch behind a later sale: so it is repeated, byte for byte, before anything else about money.
func TestUnansweredSettlementGoesFirst(t *testing.T) {
	for _, c := range []struct {
		name    string
		op      func(*terminal.Terminal, pos.STAN) (terminal.Result, error)
		answers bool
		want    terminal.Outcome
		sent    string
	}{
		{"a sale", func(term *terminal.Terminal, _ pos.STAN) (terminal.Result, error) {
			return term.Sale(t.Context(), card(t), 200)
		}, true, terminal.Done, "0500 0200 "},
		{"a sale, and still no answer", func(term *terminal.Terminal, _ pos.STAN) (terminal.Result, error) {
			return term.Sale(t.Context(), card(t), 200)
		}, false, terminal.SettlementOpen, "0500 "},
		{"a void of what is settled", func(term *terminal.Terminal, trace pos.STAN) (terminal.Result, error) {
			res, err := term.Void(t.Context(), trace, terminal.Card{})
			if !errors.Is(err, terminal.ErrOriginal) {
				t.Errorf("error %v", err)
			}
			return res, nil
		}, true, terminal.None, "0500 "},
		{"a reversal of what is settled", func(term *terminal.Terminal, _ pos.STAN) (terminal.Result, error) {
			res, err := term.Reverse(t.Context())
			if !errors.Is(err, terminal.ErrOriginal) {
				t.Errorf("error %v", err)
			}
			return res, nil
		}, true, terminal.None, "0500 "},
		{"a reversal, and still no answer", func(term *terminal.Terminal, _ pos.STAN) (terminal.Result, error) {
			return term.Reverse(t.Context())
		}, false, terminal.SettlementOpen, "0500 "},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t)
			term := open(t, config(t, p))
			sold := must(term.Sale(t.Context(), card(t), 100))(t)
			p.on(func(wire) []byte { return nil })
			want(t, must(term.Settle(t.Context()))(t), terminal.NoAnswer, "")
			lost := p.messages()
			if c.answers {
				p.on(p.approve)
			}
			if res := must(c.op(term, sold.Trace))(t); res.Outcome != c.want {
				t.Errorf("outcome %v, want %v", res.Outcome, c.want)
			}
			got, sent := p.messages(), ""
			for _, w := range got {
				sent += w.mti + " "
			}
			if sent != c.sent || string(got[0].body) != string(lost[len(lost)-1].body) {
				t.Errorf("sent %s, want %s, the settlement byte for byte", sent, c.sent)
			}
			if _, open := term.OpenReversal(); open {
				t.Error("a reversal was left")
			}
		})
	}
}

// TestRefusedSettlementIsOver: a host that said no has it no longer on its way, and one that was not reached never had it.
func TestRefusedSettlementIsOver(t *testing.T) {
	p := newPeer(t)
	term := open(t, config(t, p))
	must(term.Sale(t.Context(), card(t), 100))(t)
	p.on(func(w wire) []byte {
		if w.mti == "0500" {
			return p.reply(w, "96", nil)
		}
		return p.approve(w)
	})
	want(t, must(term.Settle(t.Context()))(t), terminal.Refused, "96")
	p.messages()
	want(t, must(term.Sale(t.Context(), card(t), 100))(t), terminal.Done, "00")
	done, cancel := context.WithCancel(t.Context())
	cancel()
	want(t, must(term.Settle(done))(t), terminal.NoConnection, "")
	want(t, must(term.Sale(t.Context(), card(t), 100))(t), terminal.Done, "00")
	if got := p.mtis(); got != "0200 0200 " {
		t.Errorf("sent %s", got)
	}
}

func TestSignOffDropsKeys(t *testing.T) {
	p := newPeer(t)
	c := config(t, p)
	term := open(t, c)
	must(term.SignIn(t.Context()))(t)
	want(t, must(term.Echo(t.Context()))(t), terminal.Done, "00")
	want(t, must(term.SignOff(t.Context()))(t), terminal.Done, "00")
	if term.SignedIn() || strings.Contains(string(stateFile(t, c)), "working_keys") {
		t.Error("keys are left")
	}
	got := p.messages()
	id, merchant := fmt.Sprintf("%X", "10000001"), fmt.Sprintf("%X", "123456789012345")
	compare(t, got[1], "0820", map[int]string{11: "000002", 41: id, 42: merchant, 60: "0011000000073010"})
	compare(t, got[2], "0820", map[int]string{11: "000003", 41: id, 42: merchant, 60: "0011000000070020"})
}

func TestTamper(t *testing.T) {
	p := newPeer(t)
	c := config(t, p)
	show := c.Screen.(*screens)
	term := open(t, c)
	must(term.SignIn(t.Context()))(t)
	held := []byte(nil)
	p.on(func(w wire) []byte {
		held = stateFile(t, c)
		return p.approve(w)
	})
	p.messages()
	want(t, must(term.TamperReport(t.Context(), 7))(t), terminal.Done, "00")
	w := p.messages()[0]
	a2 := "A2069010020402020" + "00000304N9NL10000001" + "03006000002" + "04008" + serialCipher(t, "00000304N9NL10000001000002") + "05008311812  "
	compare(t, w, "0820", map[int]string{
		11: "000002", 41: fmt.Sprintf("%X", "10000001"), 42: fmt.Sprintf("%X", "123456789012345"), 59: fmt.Sprintf("%04d%X", len(a2), a2),
		60: "0011000000073620", 62: "0008" + fmt.Sprintf("%X", "TAMPER07"), 64: fmt.Sprintf("%X", ecbMAC(desBlock(t, exampleMAK), w.body[:len(w.body)-8])),
	})
	if c.TMK.Len() != 0 || c.SerialKey.Len() != 0 || term.SignedIn() || !term.Locked() {
		t.Error("a key is left in memory")
	}
	wrapped := unhex(t, vector(t, "workkey-003", "de62"))
	for _, raw := range [][]byte{held, stateFile(t, c)} {
		for _, key := range [][]byte{wrapped, wrapped[:16], unhex(t, exampleTMK), unhex(t, examplePIK), unhex(t, exampleMAK)} {
			if holds(raw, key) {
				t.Fatal("a key is left in the file")
			}
		}
		if !strings.Contains(string(raw), `"tampered":true`) {
			t.Fatal("the file does not say so")
		}
	}
	for name, op := range map[string]func() error{
		"sale":    func() error { _, err := term.Sale(t.Context(), card(t), 1); return err },
		"sign-in": func() error { _, err := term.SignIn(t.Context()); return err },
		"echo":    func() error { _, err := term.Echo(t.Context()); return err },
		"settle":  func() error { _, err := term.Settle(t.Context()); return err },
		"tamper":  func() error { _, err := term.TamperReport(t.Context(), 1); return err },
	} {
		if err := op(); !errors.Is(err, terminal.ErrLocked) {
			t.Errorf("%s: %v", name, err)
		}
		if show.last() != [4]string{"", "TERMINAL LOCKED"} {
			t.Errorf("%s: screen %q", name, show.last())
		}
	}
	term.Close()
	reopen(t, p, c.StateDir, 0, true)
	reopen(t, p, c.StateDir, 1, false)
	reopen(t, p, c.StateDir, 1, false)
}

// reopen opens a terminal on a file with a count of key loadings, and wants it locked or not.
func reopen(t *testing.T, p *peer, dir string, load uint32, locked bool) {
	t.Helper()
	c := config(t, p)
	c.StateDir, c.KeyLoad = dir, load
	term := open(t, c)
	defer term.Close()
	if term.Locked() != locked || locked && c.TMK.Len() != 0 {
		t.Errorf("key loading %d: locked %v, %d key bytes", load, term.Locked(), c.TMK.Len())
	}
	if !locked {
		want(t, must(term.SignIn(t.Context()))(t), terminal.Done, "00")
	}
}

// serialCipher is section 6.4 with gmsm's SM4.
func serialCipher(t *testing.T, text string) string {
	return string(ecbMAC(sm4Block(t, exampleSerialKey), []byte(text)))
}

func TestTamperWithoutKeysOrHost(t *testing.T) {
	p := newPeer(t)
	c := config(t, p)
	c.SerialKey.Wipe()
	c.SerialKey = secret.Bytes{}
	term := open(t, c)
	want(t, must(term.TamperReport(t.Context(), 99))(t), terminal.Done, "00")
	w := p.messages()[0]
	if w.element[59]+w.element[64] != "" || w.element[62] != "0008"+fmt.Sprintf("%X", "TAMPER99") {
		t.Errorf("elements %v", w.numbers())
	}
	c = config(t, p)
	done, cancel := context.WithCancel(t.Context())
	cancel()
	term = open(t, c)
	want(t, must(term.TamperReport(done, 1))(t), terminal.NoConnection, "")
	if !term.Locked() || c.TMK.Len() != 0 {
		t.Error("an unreachable host keeps the keys alive")
	}
}

func TestConfigRefused(t *testing.T) {
	p := newPeer(t)
	for name, spoil := range map[string]func(c *terminal.Config){
		"no host":                 func(c *terminal.Config) { c.Host = "" },
		"no terminal":             func(c *terminal.Config) { c.Terminal = pos.TerminalID{} },
		"no merchant":             func(c *terminal.Config) { c.Merchant = pos.MerchantID{} },
		"unknown sign-in code":    func(c *terminal.Config) { c.SignInCode = 2 },
		"short master key":        func(c *terminal.Config) { c.TMK = secret.Take(make([]byte, 8)) },
		"no master key":           func(c *terminal.Config) { c.TMK = secret.Bytes{} },
		"short serial key":        func(c *terminal.Config) { c.SerialKey = secret.Take(make([]byte, 8)) },
		"serial key, no serial":   func(c *terminal.Config) { c.Serial = "" },
		"no device type":          func(c *terminal.Config) { c.DeviceType = "" },
		"unknown MAC profile":     func(c *terminal.Config) { c.MAC = "cmac" },
		"X9.19 under SM4":         func(c *terminal.Config) { c.SignInCode, c.MAC = paycrypto.SignInSM4, terminal.X919 },
		"sealed track without":    func(c *terminal.Config) { c.SealTrack = true },
		"language":                func(c *terminal.Config) { c.Language = "fr" },
		"no state directory":      func(c *terminal.Config) { c.StateDir = "" },
		"long application":        func(c *terminal.Config) { c.AppVersion = "123456789" },
		"long operator":           func(c *terminal.Config) { c.Operator = "0001" },
		"negative reversal limit": func(c *terminal.Config) { c.ReversalLimit = -1 },
		"licence":                 func(c *terminal.Config) { c.Licence = "3100" },
	} {
		c := config(t, p)
		spoil(&c)
		if term, err := terminal.Open(c); !errors.Is(err, terminal.ErrConfig) || term != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBadCardsAndAmounts(t *testing.T) {
	p := newPeer(t)
	term := open(t, config(t, p))
	must(term.SignIn(t.Context()))(t)
	p.messages()
	none, short, track := card(t), card(t), card(t)
	none.PAN = pos.PAN{}
	short.PIN = secret.Take([]byte("123"))
	track.Track2 = secret.Take([]byte("6225885916163157"))
	for name, c := range map[string]terminal.Card{"no card number": none, "PIN of 3 digits": short, "track without separator": track} {
		if _, err := term.Sale(t.Context(), c, 100); !errors.Is(err, terminal.ErrCard) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, amount := range []pos.Amount{-1, 0, pos.MaxAmount + 1} {
		if _, err := term.Sale(t.Context(), card(t), amount); !errors.Is(err, terminal.ErrAmount) {
			t.Errorf("amount %v: %v", amount, err)
		}
	}
	if _, err := term.Reverse(t.Context()); !errors.Is(err, terminal.ErrOriginal) {
		t.Errorf("nothing to reverse: %v", err)
	}
	if got := p.mtis(); got != "" {
		t.Errorf("it sent %s", got)
	}
	if _, open := term.OpenReversal(); open {
		t.Error("a reversal is open for a message that was never made")
	}
}

// TestOtherSignInCodes sells after 001, 004 and 005, with the keys of the vectors.
func TestOtherSignInCodes(t *testing.T) {
	for _, c := range []struct {
		code   paycrypto.SignInCode
		vector string
		digits string // 53.2
	}{{paycrypto.SignInDES, "workkey-001", "20"}, {paycrypto.SignInTDESTrack, "workkey-004", "26"}, {paycrypto.SignInSM4, "workkey-005", "23"}} {
		t.Run(c.vector, func(t *testing.T) {
			p := newPeer(t)
			p.de62 = vector(t, c.vector, "de62")
			if c.code == paycrypto.SignInSM4 {
				p.mak = sm4Block(t, exampleMAKSM4)
			}
			cfg := config(t, p)
			cfg.SignInCode, cfg.TMK = c.code, secret.Take(unhex(t, vector(t, c.vector, "tmk")))
			term := open(t, cfg)
			want(t, must(term.Sale(t.Context(), card(t), 1850))(t), terminal.Done, "00")
			want(t, must(term.Refund(t.Context(), card(t), terminal.Original{RRN: pos.RRN([]byte("000000000002")), Date: 1123}, 1))(t), terminal.Done, "00")
			got := p.messages()
			if w := got[1]; w.element[53] != c.digits+strings.Repeat("0", 14) || w.element[64] != fmt.Sprintf("%X", ecbMAC(p.mak, w.body[:len(w.body)-8])) {
				t.Errorf("DE53 %s, or another MAC", w.element[53])
			}
			if w := got[2]; (w.element[53] == "0300000000000000") != (c.code == paycrypto.SignInSM4) {
				t.Errorf("DE53 of a refund without a PIN is %q", w.element[53])
			}
		})
	}
}

func TestBalance(t *testing.T) {
	p := newPeer(t)
	term := open(t, config(t, p))
	must(term.SignIn(t.Context()))(t)
	for sign, wanted := range map[string]pos.Amount{"43": 123456, "44": -123456} {
		p.on(func(w wire) []byte {
			e := p.fields(w, "00")
			e[54] = "0020" + "31303032313536" + sign + "303030303030313233343536"
			return pack(t, "6000000003603100311812", "0210", e, p.mak)
		})
		r := must(term.Balance(t.Context(), card(t)))(t)
		if want(t, r, terminal.Done, "00"); !r.HasBalance || r.Balance != wanted {
			t.Errorf("balance %v, want %v", r.Balance, wanted)
		}
	}
	w := p.messages()[1]
	if w.element[3] != "310000" || w.element[4] != "" || w.element[60] != "001401000007000500" || w.element[59] != "" {
		t.Errorf("elements %v", w.numbers())
	}
	p.on(func(wire) []byte { return nil })
	if r := must(term.Balance(t.Context(), card(t)))(t); r.Reversal != 0 {
		t.Error("a balance leaves a reversal")
	}
	p.on(p.approve)
	if r := must(term.Refund(t.Context(), card(t), terminal.Original{RRN: pos.RRN([]byte("000000000002")), Date: 1123}, 1))(t); r.Reversal != 0 || r.Amount != 1 {
		t.Error("a refund leaves a reversal")
	}
}

func TestFullBatch(t *testing.T) {
	p := newPeer(t)
	c := config(t, p)
	var list []string
	for i := range 999 {
		list = append(list, fmt.Sprintf(`{"kind":"sale","trace":%d,"amount":1,"rrn":"","auth_code":"","card":"","date":1123}`, i+1))
	}
	raw := `{"version":1,"terminal_id":"10000001","trace":999,"batch":7,"list":[` + strings.Join(list, ",") + `]}`
	if err := os.WriteFile(filepath.Join(c.StateDir, "terminal-10000001.json"), []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	term := open(t, c)
	if _, err := term.Sale(t.Context(), card(t), 1); !errors.Is(err, terminal.ErrBatchFull) {
		t.Errorf("sale 1000: %v", err)
	}
	want(t, must(term.Settle(t.Context()))(t), terminal.Done, "00")
	want(t, must(term.Sale(t.Context(), card(t), 1))(t), terminal.Done, "00")
}

func TestStateOfAnotherTerminal(t *testing.T) {
	p := newPeer(t)
	for name, raw := range map[string]string{
		"another terminal": `{"version":1,"terminal_id":"10000002"}`, "another version": `{"version":2,"terminal_id":"10000001"}`,
		"no JSON": `{`, "trace of 7 digits": `{"version":1,"terminal_id":"10000001","trace":1000000}`, "empty": ``,
	} {
		c := config(t, p)
		if err := os.WriteFile(filepath.Join(c.StateDir, "terminal-10000001.json"), []byte(raw), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := terminal.Open(c); !errors.Is(err, terminal.ErrState) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
