package terminal_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"touchstone/secret"
	"touchstone/terminal"
)

func TestParseFault(t *testing.T) {
	seen := map[terminal.Fault]bool{}
	for _, f := range terminal.Faults() {
		got, err := terminal.ParseFault(string(f))
		if err != nil || got != f || seen[f] {
			t.Errorf("%s: %v, seen before %v", f, err, seen[f])
		}
		seen[f] = true
	}
	for _, name := range []string{"", "WRONG-MAC", "wrong-mac ", "none"} {
		if f, err := terminal.ParseFault(name); !errors.Is(err, terminal.ErrFault) || f != "" {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// ordinary is the second message of a terminal whose first was a sign-in: a sale of 18.50.
func ordinary(t *testing.T) wire {
	t.Helper()
	p := newPeer(t)
	must(open(t, config(t, p)).Sale(t.Context(), card(t), 1850))(t)
	return p.messages()[1]
}

// TestFaultsOfOneSale wants each faulty sale to differ from the ordinary one in the elements named,
// and its MAC to be right over what was sent unless the MAC is the fault.
func TestFaultsOfOneSale(t *testing.T) {
	plain := ordinary(t)
	mak := desBlock(t, exampleMAK)
	for _, c := range []struct {
		fault    terminal.Fault
		differs  []int
		rightMAC bool
		check    func(w wire) bool
	}{
		{terminal.WrongMAC64, []int{64}, false, nil},
		{terminal.MissingMAC64, []int{64}, false, func(w wire) bool { return w.element[64] == "" }},
		{terminal.AlteredAmount, []int{4}, false, func(w wire) bool { return w.element[4] == "000000001950" && w.element[64] == plain.element[64] }},
		{terminal.OtherSerial, []int{59, 64}, true, func(w wire) bool {
			a2 := string(unhex(t, w.element[59][4:]))
			return strings.Contains(a2, "0202000000304N9NL10000000") && strings.Contains(a2, "04008"+serialCipher(t, "00000304N9NL10000000163157"))
		}},
		{terminal.WrongSerialCipher, []int{59, 64}, true, func(w wire) bool {
			a2 := string(unhex(t, w.element[59][4:]))
			return strings.Contains(a2, "0202000000304N9NL10000001") && strings.Contains(a2, "040087D3233E0")
		}},
		{terminal.CiphertextStripped, []int{59, 64}, true, func(w wire) bool {
			return string(unhex(t, w.element[59][4:])) == "A2045010020402020"+"00000304N9NL10000001"+"05008311812  "
		}},
		{terminal.Unregistered, []int{41, 64}, true, func(w wire) bool { return w.element[41] == fmt.Sprintf("%X", "99999999") }},
		{terminal.WrongBatch, []int{60, 64}, true, func(w wire) bool { return w.element[60] == "001422000008000500" }},
		{terminal.WrongNetwork, nil, true, nil},
	} {
		t.Run(string(c.fault), func(t *testing.T) {
			p := newPeer(t)
			term := open(t, config(t, p))
			p.on(p.code("97", nil))
			r := must(term.Misbehave(t.Context(), c.fault, card(t), 1850))(t)
			want(t, r, terminal.MissingMAC, "97")
			got := p.messages()
			if len(got) != 2 {
				t.Fatalf("%d messages, want a sign-in and the fault", len(got))
			}
			w := got[1]
			if d := differences(plain, w); !slices.Equal(d, c.differs) {
				t.Errorf("it differs in elements %v, want %v", d, c.differs)
			}
			if c.check != nil && !c.check(w) {
				t.Error("the difference is another one")
			}
			if tail := w.body[len(w.body)-8:]; c.rightMAC != (string(ecbMAC(mak, w.body[:len(w.body)-8])) == string(tail)) {
				t.Errorf("the MAC is right: %v", !c.rightMAC)
			}
			if from := p.from[1]; (from == terminal.DefaultFaultFrom) != (c.fault == terminal.WrongNetwork) {
				t.Errorf("it came from %s", from)
			}
			// The twist is gone with its message: the reversal and the next sale are ordinary.
			p.on(p.approve)
			want(t, must(term.Sale(t.Context(), card(t), 1850))(t), terminal.Done, "00")
			got = p.messages()
			if d := differences(plain, got[1]); got[0].mti != "0400" || !slices.Equal(d, []int{11, 64}) {
				t.Errorf("after the fault: %s, then a sale that differs in %v", got[0].mti, d)
			}
		})
	}
}

// differences are the elements in which two messages differ.
func differences(a, b wire) (list []int) {
	for n := 1; n <= 64; n++ {
		if a.element[n] != b.element[n] {
			list = append(list, n)
		}
	}
	return list
}

func TestFaultsWithFormerKeys(t *testing.T) {
	for _, f := range []terminal.Fault{terminal.StaleKey, terminal.PINStaleKey} {
		t.Run(string(f), func(t *testing.T) {
			p := newPeer(t)
			signIns := 0
			p.on(func(w wire) []byte {
				if w.mti == "0800" {
					p.de62, p.mak = vector(t, "workkey-003", "de62"), desBlock(t, exampleMAK)
					if signIns++; signIns == 2 {
						p.de62, p.mak = wrap003(t, otherPIK, otherMAK), desBlock(t, otherMAK)
					}
				}
				return p.approve(w)
			})
			term := open(t, config(t, p))
			r := must(term.Misbehave(t.Context(), f, card(t), 1850))(t)
			want(t, r, terminal.Done, "00")
			got := p.messages()
			if len(got) != 4 || got[0].mti+got[1].mti+got[2].mti+got[3].mti != "0800080002000200" || got[2].element[3] != "310000" {
				t.Fatalf("%d messages, want two sign-ins, a balance, the fault", len(got))
			}
			mab := func(w wire) []byte { return w.body[:len(w.body)-8] }
			sent := func(w wire) string { return string(w.body[len(w.body)-8:]) }
			if sent(got[2]) != string(ecbMAC(desBlock(t, otherMAK), mab(got[2]))) {
				t.Error("the balance is not under the new key")
			}
			mak, pik := otherMAK, otherPIK
			if f == terminal.StaleKey {
				mak = exampleMAK
			} else {
				pik = examplePIK
			}
			if sent(got[3]) != string(ecbMAC(desBlock(t, mak), mab(got[3]))) {
				t.Error("the MAC is under another key than wanted")
			}
			block := unhex(t, got[3].element[52])
			tdesBlock(t, pik).Decrypt(block, block)
			if fmt.Sprintf("%X", block) != vector(t, "ansi98-derived", "clear") {
				t.Error("the PIN is under another key than wanted")
			}
		})
	}
}

func TestReplayFault(t *testing.T) {
	p := newPeer(t)
	sales := 0
	p.on(func(w wire) []byte {
		if w.mti == "0200" {
			if sales++; sales == 2 {
				return p.reply(w, "94", p.mak)
			}
		}
		return p.approve(w)
	})
	term := open(t, config(t, p))
	r := must(term.Misbehave(t.Context(), terminal.Replay, card(t), 1850))(t)
	want(t, r, terminal.Refused, "94")
	if !r.MACVerified {
		t.Error("the refusal was not verified")
	}
	got := p.messages()
	if len(got) != 4 || got[2].mti != "0400" || string(got[1].body) != string(got[3].body) {
		t.Fatalf("%d messages; the last is not the sale byte for byte", len(got))
	}
	if _, open := term.OpenReversal(); open {
		t.Error("a replay leaves a reversal")
	}
}

func TestDuplicateTraceFault(t *testing.T) {
	p := newPeer(t)
	term := open(t, config(t, p))
	must(term.Misbehave(t.Context(), terminal.DuplicateTrace, card(t), 1850))(t)
	got := p.messages()
	if d := differences(got[1], got[2]); !slices.Equal(d, []int{4, 64}) || got[2].element[11] != got[1].element[11] {
		t.Errorf("it differs in elements %v", d)
	}
}

func TestWrongSignInCodeFault(t *testing.T) {
	for _, de39 := range []string{"40", "00"} {
		p := newPeer(t)
		term := open(t, config(t, p))
		p.on(func(w wire) []byte { return p.reply(w, de39, nil) })
		r := must(term.Misbehave(t.Context(), terminal.WrongSignInCode, card(t), 1850))(t)
		if r.DE39.String() != de39 || term.SignedIn() {
			t.Errorf("answered %s: keys taken %v", de39, term.SignedIn())
		}
		if w := p.messages()[0]; w.element[60] != "0011000000000050" {
			t.Error("another sign-in code than 005")
		}
	}
}

func TestBrokenFrames(t *testing.T) {
	plain := ordinary(t)
	p := newPeer(t)
	c := config(t, p)
	c.Random = strings.NewReader(strings.Repeat("\x60random", 40))
	term := open(t, c)
	must(term.SignIn(t.Context()))(t)
	cut := must(term.Misbehave(t.Context(), terminal.CutFrame, card(t), 1850))(t)
	want(t, cut, terminal.NoAnswer, "")
	garbage := must(term.Misbehave(t.Context(), terminal.Garbage, card(t), 1850))(t)
	want(t, garbage, terminal.NoAnswer, "")
	if !cut.Closed || !garbage.Closed {
		t.Error("the host closed the connection and it was not seen")
	}
	if _, open := term.OpenReversal(); open {
		t.Error("half a message leaves a reversal")
	}
	p.mu.Lock()
	half, noise := p.frames[1], p.frames[2]
	p.mu.Unlock()
	whole := len(plain.body) + 11 + 2
	if len(half) != whole/2 || string(half[2+11:]) != string(plain.body[:len(half)-13]) {
		t.Errorf("%d of %d bytes, or other ones", len(half), whole)
	}
	if len(noise) != 66 || noise[0] != 0 || noise[1] != 64 || noise[2] == 0x60 {
		t.Error("the garbage is another one")
	}
	want(t, must(term.Sale(t.Context(), card(t), 1850))(t), terminal.Done, "00")
}

func TestTamperFaultAndWhatIsMissing(t *testing.T) {
	p := newPeer(t)
	c := config(t, p)
	c.SerialKey = secret.Bytes{}
	term := open(t, c)
	for _, f := range []terminal.Fault{terminal.OtherSerial, terminal.WrongSerialCipher, terminal.CiphertextStripped} {
		if _, err := term.Misbehave(t.Context(), f, card(t), 1); !errors.Is(err, terminal.ErrNoSerialKey) {
			t.Errorf("%s: %v", f, err)
		}
	}
	without := card(t)
	without.PIN = secret.Bytes{}
	if _, err := term.Misbehave(t.Context(), terminal.PINStaleKey, without, 1); !errors.Is(err, terminal.ErrNoPIN) {
		t.Errorf("%v", err)
	}
	if _, err := term.Misbehave(t.Context(), "none", card(t), 1); !errors.Is(err, terminal.ErrFault) {
		t.Errorf("%v", err)
	}
	p.on(p.code("51", p.mak))
	if _, err := term.Misbehave(t.Context(), terminal.Replay, card(t), 1); !errors.Is(err, terminal.ErrPrelude) {
		t.Errorf("%v", err)
	}
	p.on(p.approve)
	want(t, must(term.Misbehave(t.Context(), terminal.Tamper, card(t), 1))(t), terminal.Done, "00")
	if !term.Locked() {
		t.Error("not locked")
	}
}
