package soft_test

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"

	"touchstone/diagnosis"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/paycrypto/pinblock"
	"touchstone/reason"
)

// TestDiagnoseAlteration alters one byte of the amount or the trace after the MAC was made. It is indicated; what is told is
// true; under a fold no element is named that was not altered. The one coverage a fold cannot tell from it is not claimed.
func TestDiagnoseAlteration(t *testing.T) {
	for n, p := range profiles {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, p, 100+uint64(n), 2)
			found, named := 0, 0
			rounds := 25
			if raceEnabled {
				rounds = 5
			}
			for range rounds {
				frame := f.seal(t, f.frame(t, f.sale()))
				c := f.caseOf(t, frame, reason.MACFailed)
				element := []uint8{4, 11}[f.rnd.IntN(2)]
				s := spanOf(c, element)
				at := s.To - 1 - f.rnd.IntN(3)
				was := c.Frame[at]
				for c.Frame[at] == was {
					c.Frame[at] = byte(f.rnd.IntN(10)<<4 | f.rnd.IntN(10))
				}
				got := f.Diagnose(c)
				column := strconv.Itoa((at - c.Message) % 8)
				if p.mac == mac.UnionPayECBSM4 {
					column = strconv.Itoa((at - c.Message) % 16)
				}
				difference := was ^ c.Frame[at]
				if got.Cause == reason.NoCause && got.Certainty == journal.Unproven && got.Facts["coverage"] == "bit64_clear" {
					if difference != 1 || got.Fit != 2 || got.Facts["fits"] != "mac_wrong_coverage,message_altered" {
						t.Errorf("bit 64: %v", got)
					}
					continue
				}
				if got.Cause != reason.MessageAltered || got.Certainty != journal.Indicated || got.Fit != 1 {
					t.Fatalf("DE%d: %s, %s, %v of %d", element, got.Cause, got.Certainty, got.Facts, got.Tried)
				}
				found++
				if isFold(p.mac) && (got.Facts["column"] != column || got.Facts["difference"] != fmt.Sprintf("%02X", difference)) {
					t.Errorf("column %s, difference %02X: %v", column, difference, got.Facts)
				}
				if e := got.Facts["element"]; e != "" {
					named++
					if e != strconv.Itoa(int(element)) {
						t.Errorf("DE%d was altered, %v", element, got.Facts)
					}
				} else if !isFold(p.mac) {
					t.Errorf("under a chain the place is known: %v", got.Facts)
				}
				if got.Tried > diagnosis.MaxExplanations+diagnosis.MaxAlterations || got.OneIn < 1_000_000 {
					t.Errorf("%d tried, one in %d", got.Tried, got.OneIn)
				}
			}
			t.Logf("%d found, %d named", found, named)
			if found < rounds/2 {
				t.Errorf("only %d of %d found", found, rounds)
			}
		})
	}
}

// TestDiagnoseBit64: under a fold, bit 64 clear is what an altered byte is too, and neither is named. A second, different
// message of a terminal that never made a right code indicates the coverage and never proves it; the same bytes again, and
// any number of messages of a terminal that has made right codes, decide nothing.
func TestDiagnoseBit64(t *testing.T) {
	for n, p := range profiles {
		f := newFleet(t, p, 200+uint64(n), 1)
		clear64 := func() *diagnosis.Case {
			frame := f.frame(t, f.sale())
			b := bytes.Clone(mabOf(frame))
			b[9] &^= 1
			setMAC(frame, f.own.right(t, f.own.now.mak, b))
			return f.caseOf(t, frame, reason.MACFailed)
		}
		for _, spoken := range []bool{false, true} {
			f.spoken = spoken
			var earlier []diagnosis.Indication
			for i := range 4 {
				c := clear64()
				same := *c // the same bytes under another verdict
				same.Frame, same.Verdict = bytes.Clone(c.Frame), uint64(2000+i)
				c.Verdict, c.Earlier = uint64(1000+i), earlier
				got := f.Diagnose(c)
				want := journal.Proven
				switch {
				case p.folds() && (i == 0 || spoken):
					want = journal.Unproven
				case p.folds():
					want = journal.Indicated
				}
				named := want != journal.Unproven
				if got.Certainty != want || (got.Cause == reason.MACWrongCoverage) != named || got.Facts["coverage"] != "bit64_clear" {
					t.Errorf("%s, spoken %t, message %d: %s %s %v, want %s", p.name, spoken, i+1, got.Certainty, got.Cause, got.Facts, want)
				}
				if !named && (got.Cause != reason.NoCause || got.Facts["fits"] != "mac_wrong_coverage,message_altered" || got.Facts["difference"] != "01" || got.Fit != 2) {
					t.Errorf("%s, spoken %t, message %d: both explanations are to be told: %v", p.name, spoken, i+1, got.Facts)
				}
				same.Earlier = []diagnosis.Indication{got.Indication(c.Verdict)}
				if again := f.Diagnose(&same); i == 0 && p.folds() && again.Certainty != journal.Unproven {
					t.Errorf("%s, spoken %t: the same bytes again: %s %s", p.name, spoken, again.Certainty, again.Cause)
				}
				earlier = append([]diagnosis.Indication{got.Indication(c.Verdict)}, earlier...)
			}
		}
	}
}

// TestDiagnoseLastByteCut: a MAC over all but the last byte is, under a fold, also that of a message with one altered byte. Nobody
// is told either.
func TestDiagnoseLastByteCut(t *testing.T) {
	tried := 0
	for n, p := range profiles {
		if !isFold(p.mac) {
			continue
		}
		f := newFleet(t, p, 900+uint64(n), 1)
		frame := f.frame(t, f.sale())
		mab := mabOf(frame) // a view; a last byte of zero is the same as none
		mab[len(mab)-1] = 0x50
		setMAC(frame, f.own.right(t, f.own.now.mak, mab[:len(mab)-1]))
		got := f.Diagnose(f.caseOf(t, frame, reason.MACFailed))
		if got.Cause != reason.NoCause || got.Certainty != journal.Unproven || got.Facts["coverage"] != diagnosis.CutWord || got.Fit < 2 {
			t.Errorf("%s: %s %s %v", p.name, got.Certainty, got.Cause, got.Facts)
		}
		tried++
	}
	if tried == 0 {
		t.Fatal("no profile folds")
	}
}

// TestDiagnoseAlterationAfterSignIn: after a sign-in whose keys no message has used yet there are two keys the message may
// have been made with, and not always room for the alterations of both. The PIN block says which; without one it is the new
// key, because answers that arrive are more frequent than answers that are lost.
func TestDiagnoseAlterationAfterSignIn(t *testing.T) {
	for n, p := range profiles {
		format := pinblock.ISO0
		if keys.CipherOf(p.code) == keys.SM4 {
			format = pinblock.SM4PAN1
		}
		f := newFleet(t, p, 900+uint64(n), 0)
		before := f.own.now
		after := f.issue(t, f.own)
		for _, x := range []struct {
			name string
			by   issuedSet
			pin  bool
		}{{"new keys, a PIN", after, true}, {"new keys", after, false}, {"the answer was lost, a PIN", before, true}} {
			s := f.sale()
			s.swipe, s.pin = false, nil
			if x.pin {
				s.pin = f.pinBlock(t, x.by.pik, format, s.pan)
			}
			frame := f.frame(t, s)
			setMAC(frame, f.own.right(t, x.by.mak, mabOf(frame)))
			c := f.caseOf(t, frame, reason.MACFailed)
			c.Keys[0] = f.own.candidate(diagnosis.OwnInForce, before)
			c.Keys[0].Used = true
			c.Keys = append(c.Keys, f.own.candidate(diagnosis.OwnPending, after))
			c.Frame[spanOf(c, 25).From] = 0x08 // the condition: one of the last bytes that are looked at
			got := f.Diagnose(c)
			if got.Cause != reason.MessageAltered || got.Facts["key_set"] != strconv.FormatUint(uint64(x.by.set.Number), 10) {
				t.Errorf("%s, %s: %s %s %v of %d", p.name, x.name, got.Certainty, got.Cause, got.Facts, got.Tried)
			}
			if got.Tried > diagnosis.MaxExplanations+diagnosis.MaxAlterations || got.OneIn < 1_000_000 {
				t.Errorf("%s, %s: %d tried, one in %d", p.name, x.name, got.Tried, got.OneIn)
			}
		}
	}
}
