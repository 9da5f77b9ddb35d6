package soft_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"touchstone/diagnosis"
	"touchstone/iso8583"
	"touchstone/journal"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
)

// TestDiagnosePrintsNoSecret: neither a case nor a finding, by any verb, nor the entry, holds a key, a card number, a track,
// a PIN block or a code.
func TestDiagnosePrintsNoSecret(t *testing.T) {
	for n, p := range profiles {
		f := newFleet(t, p, 700+uint64(n), 2)
		for _, fault := range faults {
			s := f.sale()
			s.pin = f.bytes(f.pinSize())
			f.prove(s, f.own)
			frame := f.frame(t, s)
			if !fault.spoil(t, f, frame) {
				continue
			}
			c := f.caseOf(t, frame, reason.MACFailed)
			block := bytes.Clone(c.PIN.Block[:c.PIN.Size])
			out := fmt.Sprintf("%v %+v %#v %s %x %v %+v %v %#v", c, c, c, c, c, c.PIN, *c, c.Copies, *c.PIN)
			if text, err := json.Marshal(c); err == nil {
				out += string(text)
			}
			got := f.Diagnose(c)
			out += fmt.Sprintf("%v %+v %#v", got, got, got)
			entry, err := json.Marshal(got.Record(1000, f.own.id, reason.MACFailed))
			if err != nil {
				t.Fatal(err)
			}
			if err := got.Record(1000, f.own.id, reason.MACFailed).Check(); err != nil {
				t.Errorf("%s: %v", fault.name, err)
			}
			out += string(entry)
			secrets := map[string][]byte{"TMK": f.own.tmk, "MAK": f.own.now.mak, "PIK": f.own.now.pik, "former MAK": f.own.former[0].mak,
				"sibling's MAK": f.siblings[0].now.mak, "serial key": f.own.serialKey, "PIN block": block, "DE64": frame[len(frame)-8:]}
			for name, b := range secrets {
				for _, form := range []string{hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)), base64.StdEncoding.EncodeToString(b), fmt.Sprint(b), string(b)} {
					if strings.Contains(out, form) {
						t.Errorf("%s: the %s was printed", fault.name, name)
					}
				}
			}
			for name, text := range map[string]string{"card number": string(s.pan), "track": string(s.track[:24]), "middle of the card number": string(s.pan[6:13])} {
				if strings.Contains(out, text) {
					t.Errorf("%s: the %s was printed", fault.name, name)
				}
			}
		}
	}
}

// TestDiagnoseLeavesTheCache: keys that are tried drive no key of the line out, and none of them stays.
func TestDiagnoseLeavesTheCache(t *testing.T) {
	f := newFleet(t, profiles[1], 29, 20)
	frame := f.seal(t, f.frame(t, f.sale()))
	var m iso8583.Message
	if err := iso8583.UnionPay.Parse(&m, frame); err != nil {
		t.Fatal(err)
	}
	claims := &proof.Claims{Terminal: f.own.id, MAB: m.MAB(), DE64: [8]byte(m.Raw(64)), HasMAC: true, NeedMAC: true, PAN: pos.NewPAN()}
	claims.Sets[0], claims.Algorithms[0] = f.own.now.set, f.own.mac
	if e := f.prove2(claims); e.MAC != proof.Passed {
		t.Fatal("the message does not verify")
	}
	before := f.Counts()
	bad := bytes.Clone(frame)
	copy(bad[len(bad)-8:], "00000000")
	for range 20 {
		f.Diagnose(f.caseOf(t, bad, reason.MACFailed))
	}
	if after := f.Counts(); after != before {
		t.Errorf("the cache was used: %+v, before %+v", after, before)
	}
	if e := f.prove2(claims); e.MAC != proof.Passed || f.Counts().Hits != before.Hits+1 {
		t.Errorf("the key of the line is no longer there: %+v", f.Counts())
	}
}

func (f *fleet) prove2(c *proof.Claims) (e proof.Evidence) {
	f.Prove(c, &e)
	return e
}

// TestDiagnoseWhileSealed: sealing does not wait for an experiment, and an experiment does not outlive it.
func TestDiagnoseWhileSealed(t *testing.T) {
	f := newFleet(t, profiles[6], 31, 10)
	var cases []*diagnosis.Case
	for range 40 {
		frame := f.frame(t, f.sale())
		setMAC(frame, f.bytes(4))
		cases = append(cases, f.caseOf(t, frame, reason.MACFailed))
	}
	var wg sync.WaitGroup
	begun := make(chan struct{}) // nobody begins another but when it is taken from here
	var found [4][]diagnosis.Finding
	for n := range found {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := n; i < len(cases); i += len(found) {
				begun <- struct{}{}
				found[n] = append(found[n], f.Diagnose(cases[i]))
			}
		}()
	}
	for range len(found) + 2 {
		<-begun
	}
	f.Wipe()
	go func() {
		wg.Wait()
		close(begun)
	}()
	for range begun { // the others, each after the seal
	}
	sealed := 0
	for _, list := range found {
		for _, got := range list {
			switch {
			case got.Certainty == journal.Untried && got.Facts["why"] == "sealed":
				sealed++
			case got.Certainty != journal.Unproven:
				t.Errorf("%+v", got)
			}
		}
	}
	if sealed < len(cases)-len(found)-2 {
		t.Errorf("%d of %d experiments ended with the seal", sealed, len(cases))
	}
}

// TestDiagnoseCopies: under a fold an element is named where another one repeats it: the card number that the track repeats,
// and the amount that the chip repeats; and the value is told of the amount alone.
func TestDiagnoseCopies(t *testing.T) {
	f := newFleet(t, profiles[1], 37, 1)
	build := func() []byte {
		s := f.sale()
		b := iso8583.NewBuilder(&iso8583.UnionPay)
		b.Begin(make([]byte, 2+iso8583.MaxFrame), iso8583.Envelope{0x60, 0x06, 0x01, 0, 0, 0x60, 0x31, 0, 0x31, 0x11, 0x08}, 0x0200)
		pan, err := pos.ParsePAN(string(s.pan))
		if err != nil {
			t.Fatal(err)
		}
		b.PutPAN(pan)
		b.PutNumber(3, 0)
		b.PutNumber(4, 8800)
		b.PutNumber(11, s.trace)
		b.PutDigits(35, s.track)
		b.PutText(41, f.own.id[:])
		b.PutText(42, []byte("898310058120001"))
		b.PutText(49, []byte("156"))
		b.PutRaw(55, []byte{0x9F, 0x26, 2, 1, 2, 0x9F, 0x02, 6, 0, 0, 0, 0, 0x88, 0})
		b.PutDigits(60, []byte("22000001000500"))
		b.ReserveMAC()
		b.SetMAC([8]byte([]byte("00000000")))
		frame, err := b.Frame()
		if err != nil {
			t.Fatal(err)
		}
		return f.seal(t, frame[2:])
	}
	for _, x := range []struct {
		element uint8
		back    int
		copy    string
		was, is string
		xor     byte
	}{{4, 2, "55", "88.00", "89.00", 0x01}, {2, 3, "35", "", "", 0x03}, {4, 1, "55", "88.00", "88.07", 0x07}} {
		frame := build()
		c := f.caseOf(t, frame, reason.MACFailed)
		at := spanOf(c, x.element).To - x.back
		digit := frame[at] ^ x.xor
		if digit&15 > 9 || digit>>4 > 9 {
			digit = frame[at] ^ 0x01
		}
		frame[at] = digit
		c = f.caseOf(t, frame, reason.MACFailed)
		got := f.Diagnose(c)
		if got.Facts["coverage"] == "bit64_clear" {
			continue
		}
		if got.Cause != reason.MessageAltered || got.Facts["element"] != fmt.Sprint(x.element) || got.Facts["copy"] != x.copy || got.Facts["was"] != x.was || got.Facts["is"] != x.is {
			t.Errorf("DE%d: %s %v", x.element, got.Cause, got.Facts)
		}
	}
}

// TestDiagnoseAlgorithmMismatch: DE53 states another algorithm than the keys in force have. Where the MAC is right under
// them, they are there: nothing is claimed of them; a MAC under a former set shows that it is still in use.
func TestDiagnoseAlgorithmMismatch(t *testing.T) {
	f := newFleet(t, profiles[1], 41, 1)
	right := f.Diagnose(f.caseOf(t, f.seal(t, f.frame(t, f.sale())), reason.KeyAlgorithmMismatch))
	if right.Cause != reason.NoCause || right.Facts["why"] != "mac_right" || right.Certainty != journal.Unproven {
		t.Errorf("%+v", right)
	}
	sm4 := f.machine(t, profiles[6], f.own.id.String())
	frame := f.frame(t, f.sale())
	setMAC(frame, sum(t, mac.UnionPayECBSM4, 0, sm4.now.mak, mabOf(frame)))
	c := f.caseOf(t, frame, reason.KeyAlgorithmMismatch)
	old := sm4.candidate(diagnosis.OwnFormer, sm4.now)
	old.Later = true
	c.Keys = append(c.Keys, old)
	if got := f.Diagnose(c); got.Cause != reason.MACStaleKey || got.Facts["source"] != "own_former" {
		t.Errorf("%+v", got)
	}
}

// TestDiagnoseAnyByte: under a fold, whatever byte of whatever element was altered is found by its column and difference, as
// long as the message can still be read; under X9.19 the places that are tried are.
func TestDiagnoseAnyByte(t *testing.T) {
	for n, p := range []profile{profiles[1], profiles[3], profiles[4], profiles[7]} {
		f := newFleet(t, p, 800+uint64(n), 1)
		frame := f.seal(t, f.frame(t, f.sale()))
		c := f.caseOf(t, frame, reason.MACFailed)
		rounds := 0
		for _, s := range c.Spans {
			for range 3 {
				at := s.From + f.rnd.IntN(s.To-s.From)
				d := byte(1 << f.rnd.IntN(8))
				bad := bytes.Clone(frame)
				bad[at] ^= d
				var m iso8583.Message
				if s.Number == 41 || s.Number == 42 || iso8583.UnionPay.Parse(&m, bad) != nil {
					continue
				}
				if !p.folds() && s.Number != 4 && s.Number != 11 && s.Number != 22 && s.Number != 49 {
					continue
				}
				got := f.Diagnose(f.caseOf(t, bad, reason.MACFailed))
				if got.Facts["coverage"] == "bit64_clear" {
					continue
				}
				if last := bad[c.End-1]; got.Facts["coverage"] == diagnosis.CutWord {
					if got.Certainty != journal.Unproven || last != d || (at-c.Message)%p.mac.Size() != (c.End-1-c.Message)%p.mac.Size() {
						t.Errorf("%s, DE%d byte %d: %s, last byte %02X, difference %02X: %v", p.name, s.Number, at-s.From, got.Certainty, last, d, got.Facts)
					}
					continue
				}
				rounds++
				if p.folds() {
					block := p.mac.Size()
					if got.Cause != reason.MessageAltered || got.Facts["column"] != fmt.Sprint((at-c.Message)%block) || got.Facts["difference"] != fmt.Sprintf("%02X", d) {
						t.Errorf("%s, DE%d byte %d: %s %v", p.name, s.Number, at-s.From, got.Cause, got.Facts)
					}
				} else if got.Cause != reason.NoCause && got.Facts["element"] != fmt.Sprint(s.Number) {
					t.Errorf("%s, DE%d byte %d: %s %v", p.name, s.Number, at-s.From, got.Cause, got.Facts)
				}
			}
		}
		if rounds < 4 {
			t.Errorf("%s: %d rounds", p.name, rounds)
		}
	}
}

// TestDiagnoseAlteredAgain: the same alteration of two messages is proven by the second, whatever else they hold.
func TestDiagnoseAlteredAgain(t *testing.T) {
	for n, p := range profiles {
		f := newFleet(t, p, 900+uint64(n), 1)
		s := f.sale()
		s.swipe, s.serial, s.pin = false, "", nil
		message := func() *diagnosis.Case {
			s.trace += 10
			frame := f.seal(t, f.frame(t, s))
			at := spanOf(f.caseOf(t, frame, reason.MACFailed), 11).To - 1
			frame[at] ^= 0x10
			if frame[at]>>4 > 9 {
				frame[at] ^= 0x80
			}
			return f.caseOf(t, frame, reason.MACFailed)
		}
		s.trace = 100_000
		one := f.Diagnose(message())
		s.trace += 10 // the same digit of the pair is even or odd again
		second := message()
		second.Verdict, second.Earlier = 1001, []diagnosis.Indication{one.Indication(1000)}
		two := f.Diagnose(second)
		if one.Cause != reason.MessageAltered || one.Certainty != journal.Indicated || two.Cause != reason.MessageAltered || two.Certainty != journal.Proven || two.With != 1000 {
			t.Errorf("%s: %s %s %v, then %s %s %v", p.name, one.Cause, one.Certainty, one.Facts, two.Cause, two.Certainty, two.Facts)
		}
	}
}
