package soft_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"testing"

	"touchstone/diagnosis"
	"touchstone/hsm/soft"
	"touchstone/iso8583"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
	"touchstone/paycrypto/pinblock"
	"touchstone/pos"
	"touchstone/reason"
)

// seal gives a frame the right MAC.
func (f *fleet) seal(t testing.TB, frame []byte) []byte {
	setMAC(frame, f.own.right(t, f.own.now.mak, mabOf(frame)))
	return frame
}

func isFold(a mac.Algorithm) bool { return a.Grade().Why.Has(mac.XORFold) }

// spanOf is where an element of a case lies.
func spanOf(c *diagnosis.Case, n uint8) diagnosis.Span {
	for _, s := range c.Spans {
		if s.Number == n {
			return s
		}
	}
	return diagnosis.Span{}
}

// TestDiagnoseSecondMessage: what security owns is indicated until a second, different message says the same.
func TestDiagnoseSecondMessage(t *testing.T) {
	f := newFleet(t, profiles[1], 7, 2)
	stale := func() *diagnosis.Case {
		frame := f.frame(t, f.sale())
		setMAC(frame, f.own.right(t, f.own.former[1].mak, mabOf(frame)))
		return f.caseOf(t, frame, reason.MACFailed)
	}
	first := stale()
	one := f.Diagnose(first)
	if one.Certainty != journal.Indicated || one.Variant != "used_newer" || one.Owner != reason.Security || one.Digest == [16]byte{} {
		t.Fatalf("first: %+v", one)
	}
	again := first
	again.Verdict, again.Earlier = 1001, []diagnosis.Indication{one.Indication(1000)}
	if got := f.Diagnose(again); got.Certainty != journal.Indicated || got.With != 0 {
		t.Errorf("the same bytes agree with themselves: %+v", got)
	}
	other := stale()
	other.Verdict, other.Earlier = 1002, []diagnosis.Indication{{Verdict: 999, Cause: reason.MessageAltered, Digest: [16]byte{1}}, one.Indication(1000)}
	if got := f.Diagnose(other); got.Certainty != journal.Proven || got.With != 1000 {
		t.Errorf("second: %+v", got)
	}
	bad := one.Indication(1000)
	bad.Facts = map[string]string{"key_set": "77"}
	other = stale()
	other.Earlier = []diagnosis.Indication{bad}
	if got := f.Diagnose(other); got.Certainty != journal.Indicated {
		t.Errorf("another key set agrees: %+v", got)
	}
	none := one.Indication(1000)
	none.Digest = [16]byte{}
	other = stale()
	other.Verdict, other.Earlier = 1003, []diagnosis.Indication{none}
	if got := f.Diagnose(other); got.Certainty != journal.Indicated {
		t.Errorf("a message of which nothing is known agrees: %+v", got)
	}
	pinned := f.sale() // the PIN block was made under the same former set
	pinned.swipe, pinned.pin = false, f.pinBlock(t, f.own.former[1].pik, pinblock.ISO0, pinned.pan)
	frame := f.frame(t, pinned)
	setMAC(frame, f.own.right(t, f.own.former[1].mak, mabOf(frame)))
	if got := f.Diagnose(f.caseOf(t, frame, reason.MACFailed)); got.Certainty != journal.Proven || got.Facts["agrees"] != "pin" || got.With != 0 {
		t.Errorf("the PIN block agrees: %+v", got)
	}
	f.spoken = false
	if got := f.Diagnose(stale()); got.Certainty != journal.Proven || got.Variant != "sign_in_answer_lost" || got.Owner != reason.Terminal {
		t.Errorf("answer lost: %+v", got)
	}
}

// TestDiagnoseGarbage: a MAC of random bytes is unproven, always.
func TestDiagnoseGarbage(t *testing.T) {
	messages, whole := 20_000, 50 // one in so many with every alteration
	if os.Getenv("TOUCHSTONE_LONG") == "1" {
		messages, whole = 60_000, 3
	} else if raceEnabled {
		messages = 300
	}
	for n, p := range []profile{profiles[1], profiles[4], profiles[6]} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, p, 300+uint64(n), 6)
			template := f.frame(t, f.sale())
			for i := range messages / 3 {
				frame := bytes.Clone(template)
				if i%20 == 0 {
					frame = f.frame(t, f.sale())
				}
				code := f.bytes(8)
				if i%3 == 0 {
					copy(frame[len(frame)-8:], code)
				} else {
					setMAC(frame, code)
				}
				c := f.caseOf(t, frame, reason.MACFailed)
				c.Attempt, c.Flood = uint32(i), i%whole != 0
				got := f.Diagnose(c)
				if got.Certainty != journal.Unproven || got.Fit != 0 || got.Cause != reason.NoCause {
					t.Fatalf("a random MAC fits: %+v", got)
				}
				if !c.Flood && isFold(p.mac) && got.Tried < 2040 || c.Flood && got.Tried > diagnosis.MaxExplanations || got.OneIn < 1_000_000 {
					t.Fatalf("flood %t: %d tried, one in %d", c.Flood, got.Tried, got.OneIn)
				}
			}
		})
	}
}

// TestDiagnoseComposed: two faults at once are unproven, or one of them is named, never a third.
func TestDiagnoseComposed(t *testing.T) {
	for n, p := range profiles {
		f := newFleet(t, p, 400+uint64(n), 2)
		unproven := 0
		for i := range 12 {
			frame := f.frame(t, f.sale())
			key, data := f.own.former[0].mak, bytes.Clone(mabOf(frame))
			allowed := map[reason.Cause]bool{reason.NoCause: true, reason.MACStaleKey: true}
			switch i % 3 {
			case 0: // a stale key and an altered trace
				setMAC(frame, f.own.right(t, key, data))
				c := f.caseOf(t, frame, reason.MACFailed)
				at := spanOf(c, 11).To - 1
				frame[at] = frame[at]&0xF0 | (frame[at]+1)%10&15
				allowed[reason.MessageAltered] = true
			case 1: // a stale key, header in
				setMAC(frame, f.own.right(t, key, frame[5:len(frame)-8]))
				allowed[reason.MACWrongCoverage] = true
			case 2: // two elements altered
				f.seal(t, frame)
				c := f.caseOf(t, frame, reason.MACFailed)
				frame[spanOf(c, 4).To-1] ^= 0x11
				frame[spanOf(c, 11).To-2] ^= 0x12
				delete(allowed, reason.MACStaleKey)
				allowed[reason.MessageAltered] = true
			}
			c, err := soft.CaseOf(&iso8583.UnionPay, frame)
			if err != nil {
				continue
			}
			full := f.caseOf(t, frame, reason.MACFailed)
			got := f.Diagnose(full)
			if !allowed[got.Cause] || got.Certainty == journal.Proven {
				t.Errorf("%s, %d: %s %s %v", p.name, i%3, got.Cause, got.Certainty, got.Facts)
			}
			if got.Cause == reason.NoCause {
				unproven++
			}
			c.Wipe()
		}
		if unproven < 10 {
			t.Errorf("%s: %d of 12 unproven", p.name, unproven)
		}
	}
}

// TestDiagnoseOtherTerminal: the serial number in A2 tells whose device speaks under another terminal's keys.
func TestDiagnoseOtherTerminal(t *testing.T) {
	f := newFleet(t, profiles[1], 11, 2)
	other := f.siblings[0]
	for _, x := range []struct {
		name    string
		a2      func(s *sale)
		variant string
		sure    bool
		owner   reason.Owner
	}{
		{"no A2", func(s *sale) { s.serial = "" }, "unknown_device", false, reason.Security},
		{"an unknown serial", func(s *sale) {
			f.prove(s, f.own)
			s.serial = "00000304XX9999999999"
			s.cipher = [8]byte([]byte("01234567"))
		}, "unknown_device", false, reason.Security},
		{"the owner's device", func(s *sale) { f.prove(s, other) }, "key_owner", true, reason.Acquirer},
		{"the owner's number, a wrong ciphertext", func(s *sale) { f.prove(s, other); s.cipher[0] ^= 1 }, "key_owner", true, reason.Acquirer},
		{"this terminal's device", func(s *sale) { f.prove(s, f.own) }, "this_device", true, reason.Security},
		{"this terminal's number, a wrong ciphertext", func(s *sale) { f.prove(s, f.own); s.cipher[0] ^= 1 }, "this_device", false, reason.Security},
		{"this terminal's number under the owner's key", func(s *sale) {
			k, _ := mac.New(mac.UnionPayECBSM4, 0, other.serialKey)
			s.serial, s.cipher = f.own.serial, mac.SerialCiphertext(k, f.own.serial, s.factor)
		}, "both", true, reason.Security},
	} {
		s := f.sale()
		s.serial, s.pin = "", nil
		x.a2(s)
		frame := f.frame(t, s)
		setMAC(frame, other.right(t, other.now.mak, mabOf(frame)))
		got := f.Diagnose(f.caseOf(t, frame, reason.MACFailed))
		want := journal.Indicated
		if x.sure {
			want = journal.Proven
		}
		if got.Cause != reason.MACOtherTerminalKey || got.Variant != x.variant || got.Certainty != want || got.Owner != x.owner || got.Facts["terminal"] != other.id.String() {
			t.Errorf("%s: %+v", x.name, got)
		}
	}
	s := f.sale() // the PIN block of the same message agrees
	s.serial, s.pin = "", nil
	if keys.CipherOf(other.code) != keys.SM4 {
		s.pin = f.pinBlock(t, other.now.pik, pinblock.ISO0, s.pan)
		frame := f.frame(t, s)
		setMAC(frame, other.right(t, other.now.mak, mabOf(frame)))
		if got := f.Diagnose(f.caseOf(t, frame, reason.MACFailed)); got.Certainty != journal.Proven || got.Facts["agrees"] != "pin" {
			t.Errorf("PIN agrees: %+v", got)
		}
	}
}

// pinBlock enciphers a PIN.
func (f *fleet) pinBlock(t testing.TB, pik []byte, format pinblock.Format, pan []byte) []byte {
	t.Helper()
	a := map[int]paycrypto.Algorithm{8: paycrypto.DES, 16: paycrypto.TDES}[len(pik)]
	if format.Size() == 16 {
		a = paycrypto.SM4
	}
	c, err := paycrypto.NewCipher(a, pik)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, format.Size())
	if err := pinblock.Encipher(out, c, format, pinblock.Parts{PIN: f.digits(4 + f.rnd.IntN(9)), PAN: pan}); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestDiagnosePIN: each way a PIN block may be wrong, on each kind of terminal.
func TestDiagnosePIN(t *testing.T) {
	type trial struct {
		name  string
		block func(f *fleet, s *sale, right, without pinblock.Format) []byte
		cause reason.Cause
		sure  bool
	}
	for n, p := range profiles {
		sm4 := keys.CipherOf(p.code) == keys.SM4
		right, other := pinblock.ISO0, pinblock.NoPAN
		if sm4 {
			right, other = pinblock.SM4PAN1, pinblock.SM4PAN2
		}
		f := newFleet(t, p, 500+uint64(n), 0)
		f.siblings = []*machine{f.machine(t, p, "20000001")}
		for _, x := range []trial{
			{"former key", func(f *fleet, s *sale, right, _ pinblock.Format) []byte {
				return f.pinBlock(t, f.own.former[0].pik, right, s.pan)
			}, reason.PINStaleKey, true},
			{"a sibling's key", func(f *fleet, s *sale, right, _ pinblock.Format) []byte {
				return f.pinBlock(t, f.siblings[0].now.pik, right, s.pan)
			}, reason.PINOtherTerminalKey, false},
			{"another format", func(f *fleet, s *sale, _, other pinblock.Format) []byte {
				return f.pinBlock(t, f.own.now.pik, other, s.pan)
			}, reason.PINWrongFormat, true},
			{"with the check digit", func(f *fleet, s *sale, right, _ pinblock.Format) []byte {
				return f.pinBlock(t, f.own.now.pik, right, append(bytes.Clone(s.pan[4:]), '0'))
			}, reason.PINOtherPAN, false},
			{"the first digits", func(f *fleet, s *sale, right, _ pinblock.Format) []byte {
				return f.pinBlock(t, f.own.now.pik, right, append(bytes.Clone(s.pan[:12]), '0'))
			}, reason.PINOtherPAN, false},
			{"single DES", func(f *fleet, s *sale, right, _ pinblock.Format) []byte {
				if keys.CipherOf(p.code) != keys.TDES {
					return nil
				}
				return f.pinBlock(t, f.own.now.pik[:8], right, s.pan)
			}, reason.PINWrongAlgorithm, true},
			{"nothing of it", func(f *fleet, s *sale, right, _ pinblock.Format) []byte { return f.bytes(right.Size()) }, reason.NoCause, false},
			{"another card", func(f *fleet, s *sale, right, _ pinblock.Format) []byte {
				return f.pinBlock(t, f.own.now.pik, right, f.digits(16))
			}, reason.NoCause, false},
		} {
			s := f.sale()
			s.pin, s.swipe = x.block(f, s, right, other), false
			if s.pin == nil {
				continue
			}
			c := f.caseOf(t, f.seal(t, f.frame(t, s)), reason.PINFormat)
			got := f.Diagnose(c)
			want := journal.Indicated
			if x.sure {
				want = journal.Proven
			}
			if x.cause == reason.NoCause {
				want = journal.Unproven
			}
			if got.Cause != x.cause || got.Certainty != want {
				t.Errorf("%s, %s: %s %s %v of %d", p.name, x.name, got.Cause, got.Certainty, got.Facts, got.Tried)
			}
			if got.Tried > 9 || got.OneIn < 1_000_000 {
				t.Errorf("%s: %d tried, one in %d", x.name, got.Tried, got.OneIn)
			}
			if c.PIN.Block != [16]byte{} {
				t.Errorf("%s: the block is still there", x.name)
			}
			late := f.caseOf(t, f.seal(t, f.frame(t, s)), reason.PINFormat)
			late.PIN.Until = 1
			if got := f.Diagnose(late); got.Certainty != journal.Untried || got.Facts["why"] != "late" || late.PIN.Block != [16]byte{} {
				t.Errorf("%s, late: %+v", x.name, got)
			}
		}
	}
}

// TestPINLuck: the chance that a random block reads is what pinOneIn says, counted over blocks that are nearly PINs: of the
// 16^2 first bytes 9 are right, and of each of the other 14 nibbles 10 in 16 or 1 in 16.
func TestPINLuck(t *testing.T) {
	want := 0.0
	for n := 4; n <= 12; n++ {
		want += math.Pow(10, float64(n))
	}
	f := newFleet(t, profiles[1], 9, 0)
	s := f.sale()
	s.pin, s.swipe = f.bytes(8), false
	got := f.Diagnose(f.caseOf(t, f.seal(t, f.frame(t, s)), reason.PINFormat))
	if exact := math.Pow(2, 64) / want / float64(got.Tried); math.Abs(float64(got.OneIn)-exact) > 1 {
		t.Errorf("one in %d, want %f", got.OneIn, exact)
	}
}

// TestDiagnoseSerial: each way the ciphertext of a serial number may be wrong.
func TestDiagnoseSerial(t *testing.T) {
	f := newFleet(t, profiles[6], 13, 3)
	prior := f.digits(6)
	key := func(m *machine) []byte { return m.serialKey }
	code := func(k []byte, data ...[]byte) []byte {
		return sum(t, mac.UnionPayECBSM4, 0, k, bytes.Join(data, nil))
	}
	for _, x := range []struct {
		name  string
		code  func(s *sale) []byte
		lower bool
		cause reason.Cause
		facts map[string]string
		sure  bool
	}{
		{"a sibling's key", func(s *sale) []byte { return code(key(f.siblings[1]), []byte(f.own.serial), s.factor) }, false, reason.SerialOtherDeviceKey,
			map[string]string{"serial": string(f.siblings[1].serial), "input": "presented", "bound_to": f.siblings[1].id.String()}, false},
		{"a sibling's key and number", func(s *sale) []byte { return code(key(f.siblings[1]), []byte(f.siblings[1].serial), s.factor) }, false, reason.SerialOtherDeviceKey,
			map[string]string{"serial": string(f.siblings[1].serial), "input": "own"}, false},
		{"a neighbour's key", func(s *sale) []byte { return code(key(f.neighbours[2]), []byte(f.own.serial), s.factor) }, false, reason.SerialOtherDeviceKey,
			map[string]string{"source": "serial_nearby"}, false},
		{"the card before", func(s *sale) []byte { return code(key(f.own), []byte(f.own.serial), prior) }, false, reason.SerialOtherFactor, map[string]string{"factor": "earlier_card"}, true},
		{"the trace", func(s *sale) []byte {
			return code(key(f.own), []byte(f.own.serial), []byte(fmt.Sprintf("%06d", s.trace)))
		}, false, reason.SerialOtherFactor, map[string]string{"factor": "trace"}, true},
		{"without the check digit", func(s *sale) []byte { return code(key(f.own), []byte(f.own.serial), s.pan[9:15]) }, false, reason.SerialOtherFactor, map[string]string{"factor": "without_check_digit"}, true},
		{"the factor first", func(s *sale) []byte { return code(key(f.own), s.factor, []byte(f.own.serial)) }, false, reason.SerialOtherForm, map[string]string{"form": "factor_first"}, true},
		{"lower case", func(s *sale) []byte { return code(key(f.own), []byte(f.own.serial), s.factor) }, true, reason.SerialOtherForm, map[string]string{"form": "lower_case"}, true},
		{"the second four bytes", func(s *sale) []byte { return code(key(f.own), []byte(f.own.serial), s.factor)[4:] }, false, reason.SerialOtherForm, map[string]string{"form": "second_part"}, true},
		{"SM4-CBC", func(s *sale) []byte {
			return sum(t, mac.CBCMACSM4, mac.Padding1, key(f.own), append([]byte(f.own.serial), s.factor...))
		}, false, reason.SerialOtherForm, map[string]string{"form": "cbc"}, true},
		{"nothing of it", func(*sale) []byte { return f.bytes(4) }, false, reason.NoCause, nil, false},
	} {
		for {
			s := f.sale()
			s.serial = f.own.serial
			text := fmt.Sprintf("%X", x.code(s)[:4])
			if x.lower {
				text = fmt.Sprintf("%x", x.code(s)[:4])
				if text == fmt.Sprintf("%X", x.code(s)[:4]) {
					continue
				}
			}
			copy(s.cipher[:], text)
			c := f.caseOf(t, f.seal(t, f.frame(t, s)), reason.SerialProofFailed)
			c.Prior = [][]byte{f.digits(6), bytes.Clone(prior)}
			got := f.Diagnose(c)
			want := journal.Indicated
			if x.sure {
				want = journal.Proven
			}
			if x.cause == reason.NoCause {
				want = journal.Unproven
			}
			if got.Cause != x.cause || got.Certainty != want {
				t.Errorf("%s: %s %s %v of %d", x.name, got.Cause, got.Certainty, got.Facts, got.Tried)
			}
			for name, text := range x.facts {
				if got.Facts[name] != text {
					t.Errorf("%s: %v", x.name, got.Facts)
				}
			}
			break
		}
	}
}

// TestDiagnoseFactor: six digits agree by luck once in a million for each that was compared, so one message only indicates.
func TestDiagnoseFactor(t *testing.T) {
	f := newFleet(t, profiles[6], 17, 1)
	message := func() *diagnosis.Case {
		s := f.sale()
		s.factor = []byte(fmt.Sprintf("%06d", s.trace))
		f.prove(s, f.own)
		return f.caseOf(t, f.seal(t, f.frame(t, s)), reason.SerialFactorMismatch)
	}
	one := f.Diagnose(message())
	if one.Cause != reason.SerialOtherFactor || one.Certainty != journal.Indicated || one.Facts["factor"] != "trace" || one.OneIn != 1_000_000/uint64(one.Tried) {
		t.Fatalf("%+v", one)
	}
	second := message()
	second.Verdict, second.Earlier = 1001, []diagnosis.Indication{one.Indication(1000)}
	if two := f.Diagnose(second); two.Certainty != journal.Proven || two.With != 1000 {
		t.Errorf("%+v", two)
	}
}

// TestDiagnoseTrack: a track under a former track key. Under TDES a wrong key gives sixteen digits once in 1,845 times, so
// the first message only indicates.
func TestDiagnoseTrack(t *testing.T) {
	for _, p := range []profile{profiles[2], profiles[7]} {
		f := newFleet(t, p, 19, 1)
		message := func(tdk []byte) *diagnosis.Case {
			s := f.sale()
			s.swipe, s.pin = true, nil
			s.sealed = make([]byte, (len(s.track)+1)/2)
			for i, c := range s.track {
				v := c - '0'
				if c == 'D' {
					v = 0xD
				}
				s.sealed[i/2] |= v << (4 * (1 - i%2))
			}
			if err := paycrypto.EncryptTrack(f.own.cipher(t, tdk), s.sealed); err != nil {
				t.Fatal(err)
			}
			return f.caseOf(t, f.seal(t, f.frame(t, s)), reason.TrackDecryptFailed)
		}
		one := f.Diagnose(message(f.own.former[0].tdk))
		want := journal.Proven
		if p.code == 4 {
			want = journal.Indicated
		}
		if one.Cause != reason.TrackStaleKey || one.Certainty != want || one.Facts["source"] != "own_former" {
			t.Errorf("%s: %+v", p.name, one)
		}
		second := message(f.own.former[0].tdk)
		second.Verdict, second.Earlier = 1001, []diagnosis.Indication{one.Indication(1000)}
		if two := f.Diagnose(second); two.Certainty != journal.Proven {
			t.Errorf("%s: %+v", p.name, two)
		}
		if got := f.Diagnose(message(f.key(keys.CipherOf(p.code), 16))); got.Certainty != journal.Unproven {
			t.Errorf("%s: %+v", p.name, got)
		}
	}
}

// TestDiagnoseSealed: a sealed module tries nothing, and what it cannot open it does not count.
func TestDiagnoseSealed(t *testing.T) {
	f := newFleet(t, profiles[1], 23, 1)
	c := f.caseOf(t, f.frame(t, f.sale()), reason.MACFailed)
	foreign := f.caseOf(t, f.frame(t, f.sale()), reason.MACFailed)
	for i := range foreign.Keys {
		foreign.Keys[i].Terminal = pos.TerminalID([]byte("99999999"))
	}
	if got := f.Diagnose(foreign); got.Certainty != journal.Untried || got.Facts["why"] != "no_keys" {
		t.Errorf("keys of another owner: %+v", got)
	}
	f.Wipe()
	if got := f.Diagnose(c); got.Certainty != journal.Untried || got.Facts["why"] != "sealed" {
		t.Errorf("sealed: %+v", got)
	}
}
