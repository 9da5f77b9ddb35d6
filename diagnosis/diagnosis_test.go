package diagnosis_test

import (
	"fmt"
	"math/big"
	"testing"

	"touchstone/diagnosis"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/reason"
)

// aCase has as many keys as may be, of one shape, and a message of elements 2, 3, 4, 11, 41, 42, 49 and 60.
func aCase(code pos.NetworkCode, a mac.Algorithm, candidates int) *diagnosis.Case {
	c := &diagnosis.Case{Verdict: 9, Reason: reason.MACFailed, Code: code, Algorithm: a, Message: 11, HasMAC: true, DE64: [8]byte([]byte("0123ABCD"))}
	at := 11
	for _, e := range []struct {
		n      uint8
		kind   diagnosis.Kind
		prefix int
		size   int
		count  int
	}{{0, diagnosis.Digits, 0, 2, 4}, {1, diagnosis.Binary, 0, 8, 8}, {2, diagnosis.Digits, 1, 8, 16}, {3, diagnosis.Digits, 0, 3, 6}, {4, diagnosis.Digits, 0, 6, 12},
		{11, diagnosis.Digits, 0, 3, 6}, {41, diagnosis.Text, 0, 8, 8}, {42, diagnosis.Text, 0, 15, 15}, {49, diagnosis.Text, 0, 3, 3}, {60, diagnosis.Digits, 2, 7, 14}} {
		c.Spans = append(c.Spans, diagnosis.Span{Number: e.n, Kind: e.kind, Prefix: at, From: at + e.prefix, To: at + e.prefix + e.size, Count: e.count})
		at += e.prefix + e.size
	}
	c.End = at
	c.Frame = make([]byte, at+8)
	for i := range candidates {
		k := diagnosis.Candidate{Source: diagnosis.Sibling, Set: keys.Set{Number: uint32(i + 1), Code: code}, Algorithm: a}
		switch {
		case i == 0:
			k.Source = diagnosis.OwnInForce
		case i <= 8:
			k.Source = diagnosis.OwnFormer
		case i%2 == 0:
			k.Source = diagnosis.Neighbour
		}
		c.Keys = append(c.Keys, k)
	}
	c.Masters = []keys.Wrapped{nil, nil, nil}
	return c
}

var shapes = map[pos.NetworkCode][]mac.Algorithm{
	1: {mac.UnionPayECBDES}, 3: {mac.UnionPayECBDES, mac.UnionPayECBTDES, mac.X919, mac.CBCMACTDES}, 4: {mac.UnionPayECBDES}, 5: {mac.UnionPayECBSM4}, 6: {mac.UnionPayECBSM4},
}

// TestPlan: at most 64 explanations, none twice, the same every time; with as many keys as may be, each key and each element
// has its turn within a few messages; the terminal's own keys always.
func TestPlan(t *testing.T) {
	for code, algorithms := range shapes {
		for _, a := range algorithms {
			for _, n := range []int{1, 2, 9, 20, diagnosis.MaxCandidates} {
				c := aCase(code, a, n)
				whole := map[int]bool{}
				elements := map[uint8]bool{}
				for c.Attempt = range 8 {
					plan := c.Plan()
					again := c.Plan()
					if len(plan) > diagnosis.MaxExplanations || len(plan) != len(again) {
						t.Fatalf("%s %s: %d explanations", code, a, len(plan))
					}
					seen := map[diagnosis.Trial]bool{}
					former := 0
					for i, x := range plan {
						if seen[x] || x != again[i] {
							t.Fatalf("%s %s: %+v twice, or in another order", code, a, x)
						}
						seen[x] = true
						if x.Form == diagnosis.Whole && x.Coverage == diagnosis.Right && x.Part == diagnosis.FirstPart {
							whole[x.Key] = true
						}
						if x.Coverage == diagnosis.ElementMissing {
							elements[x.Element] = true
						}
						if c.Keys[x.Key].Source == diagnosis.OwnFormer {
							former++
						}
					}
					if former != min(8, n-1) {
						t.Errorf("%d of the terminal's former keys", former)
					}
				}
				if len(whole) != n || len(elements) != 7 {
					t.Errorf("%s %s: %d of %d keys and %d of 7 elements had their turn", code, a, len(whole), n, len(elements))
				}
			}
		}
	}
	if plan := aCase(3, mac.UnionPayECBSM4, 3).Plan(); len(plan) != 0 {
		t.Errorf("an algorithm that does not go with its key: %d explanations", len(plan))
	}
}

// TestAlterations: bounded, of one element each, well-formed, and none is what was received.
func TestAlterations(t *testing.T) {
	c := aCase(3, mac.X919, 1)
	copy(c.Frame[c.Spans[4].From:], []byte{0, 0, 0, 0, 0x99, 0x50}) // 99.50: one more is two bytes
	for _, limit := range []int{0, 1, 100, diagnosis.MaxAlterations} {
		n, amounts := 0, 0
		c.Alterations(limit, 8, 1, func(a diagnosis.Alteration) bool {
			n++
			if a.At < 22 || a.At+a.Size > c.End {
				t.Fatalf("alters at %d", a.At)
			}
			same := true
			for i := range a.Size {
				same = same && c.Frame[a.At+i] == a.Bytes[i]
				if a.Bytes[i]>>4 > 9 || a.Bytes[i]&15 > 9 {
					t.Fatalf("not digits: %+v", a)
				}
			}
			if same {
				t.Fatalf("what was received: %+v", a)
			}
			if a.Size > 1 {
				amounts++
			}
			return true
		})
		if n > limit || limit == diagnosis.MaxAlterations && (n < 1000 || amounts == 0) {
			t.Errorf("%d alterations, %d amounts, limit %d", n, amounts, limit)
		}
	}
	stopped := 0
	c.Alterations(diagnosis.MaxAlterations, 8, 1, func(diagnosis.Alteration) bool { stopped++; return stopped < 5 })
	if stopped != 5 {
		t.Errorf("stopped at %d", stopped)
	}
	dear := 0
	c.Alterations(diagnosis.MaxAlterations, 8, 1000, func(diagnosis.Alteration) bool { dear++; return true })
	if dear > 80 {
		t.Errorf("%d alterations at a thousand operations a block", dear)
	}
}

// TestRead: a received code is read in one way only.
func TestRead(t *testing.T) {
	code := []byte{0xAB, 0xCD, 0xEF, 0x01, 0x23, 0x45, 0x67, 0x89, 1, 2, 3, 4, 0x0A, 0x0B, 0x0C, 0x0D}
	for name, x := range map[string]struct {
		in    string
		is    diagnosis.Encoding
		first bool
		other diagnosis.Part // of which it is right, FirstPart none
	}{
		"right": {"ABCDEF01", diagnosis.UpperCase, true, 0}, "lower case": {"abcdef01", diagnosis.LowerCase, true, 0}, "mixed": {"aBCDEF01", diagnosis.LowerCase, true, 0},
		"second": {"23456789", diagnosis.UpperCase, false, diagnosis.SecondPart}, "last": {"0A0B0C0D", diagnosis.UpperCase, false, diagnosis.LastPart},
		"eight": {string(code[:8]), diagnosis.Binary8, true, 0}, "four and zeros": {string(code[:4]) + "\x00\x00\x00\x00", diagnosis.Binary4, true, 0},
		"four and spaces": {string(code[:4]) + "    ", diagnosis.Binary4, true, 0}, "four and others": {string(code[:4]) + "\x01\x01\x01\x01", diagnosis.Binary8, false, 0},
		"wrong": {"ABCDEF02", diagnosis.UpperCase, false, 0}, "no hexadecimal": {"ABCDEFG1", diagnosis.Binary8, false, 0}, "digits": {"00000000", diagnosis.UpperCase, false, 0},
	} {
		r := diagnosis.Read([8]byte([]byte(x.in)))
		if r.Encoding != x.is || r.Match(code, diagnosis.FirstPart) != x.first {
			t.Errorf("%s: %s, %t", name, r.Encoding, r.Match(code, diagnosis.FirstPart))
		}
		for _, p := range []diagnosis.Part{diagnosis.SecondPart, diagnosis.LastPart} {
			if r.Match(code, p) != (x.other == p) {
				t.Errorf("%s: part %d fits %t", name, p, r.Match(code, p))
			}
		}
		if r.Match(code[:4], diagnosis.SecondPart) || r.Match(nil, diagnosis.FirstPart) {
			t.Errorf("%s: fits what is not there", name)
		}
	}
}

// TestChance: exact, rounded down, and never more than one in a million within the bounds.
func TestChance(t *testing.T) {
	r := diagnosis.Read([8]byte([]byte("ABCDEF01")))
	for _, tried := range []uint32{1, 2, 3, 54, diagnosis.MaxExplanations, 4294, diagnosis.MaxExplanations + diagnosis.MaxAlterations} {
		want := new(big.Int).Div(new(big.Int).Lsh(big.NewInt(1), 32), big.NewInt(int64(tried))).Uint64()
		if got := r.OneIn(tried); got != want {
			t.Errorf("%d tried: one in %d, want %d", tried, got, want)
		}
	}
	if least := r.OneIn(diagnosis.MaxExplanations + diagnosis.MaxAlterations); least != 1_032_444 {
		t.Errorf("with everything tried one in %d", least)
	}
	if r.OneIn(54) != 79_536_431 {
		t.Errorf("54 tried: one in %d", r.OneIn(54))
	}
	wide := diagnosis.Read([8]byte([]byte("ABCDEFG1")))
	if got := wide.OneIn(64); got != (1<<64-1)/64 {
		t.Errorf("eight bytes, 64 tried: one in %d", got)
	}
}

// TestConclude: what fits twice is concluded only where both agree in their cause.
func TestConclude(t *testing.T) {
	c := aCase(3, mac.UnionPayECBDES, 20)
	fit := func(key int) diagnosis.Fit {
		return diagnosis.Fit{Trial: diagnosis.Trial{Key: key, Algorithm: mac.UnionPayECBDES}}
	}
	conclude := func(fits ...diagnosis.Fit) diagnosis.Finding {
		return c.ConcludeMAC(&diagnosis.MACResult{Tried: 64, Fits: fits}, [16]byte{1})
	}
	if f := conclude(); f.Certainty != journal.Unproven || f.Fit != 0 || f.OneIn != 1<<32/64 {
		t.Errorf("nothing fits: %+v", f)
	}
	if f := conclude(fit(3)); f.Cause != reason.MACStaleKey || f.Certainty != journal.Proven || f.Facts["key_set"] != "4" {
		t.Errorf("one former key: %+v", f)
	}
	if f := conclude(fit(3), fit(4)); f.Cause != reason.MACStaleKey || f.Facts["key_set"] != "" || f.Fit != 2 {
		t.Errorf("two former keys: %+v", f)
	}
	if f := conclude(fit(3), fit(10)); f.Cause != reason.NoCause || f.Certainty != journal.Unproven || f.Facts["fits"] != "mac_stale_key,mac_other_terminal_key" {
		t.Errorf("a former key and a sibling's: %+v", f)
	}
	c.Keys[3].Later = true
	if f := conclude(fit(3), fit(4)); f.Owner != reason.Security || f.Certainty != journal.Indicated || f.Variant != "" {
		t.Errorf("one of them security's: %+v", f)
	}
	for _, f := range []diagnosis.Finding{conclude(), conclude(fit(3)), conclude(fit(3), fit(10)), diagnosis.NotTried("budget")} {
		if err := f.Record(9, c.Terminal, reason.MACFailed).Check(); err != nil {
			t.Error(err)
		}
	}
	altered := c.ConcludeMAC(&diagnosis.MACResult{Tried: 4160, Alters: []diagnosis.Alter{{Fold: true, Column: 3, Difference: 1, Block: 8}}}, [16]byte{1})
	if altered.Cause != reason.MessageAltered || altered.Certainty != journal.Indicated || altered.Facts["column"] != "3" || altered.Facts["difference"] != "01" {
		t.Errorf("altered: %+v", altered)
	}
	c.Earlier = []diagnosis.Indication{{Verdict: 5, Cause: reason.MessageAltered, Facts: map[string]string{"column": "3", "difference": "01"}, OneIn: 1_000_000, Digest: [16]byte{2}}}
	again := c.ConcludeMAC(&diagnosis.MACResult{Tried: 4160, Alters: []diagnosis.Alter{{Fold: true, Column: 3, Difference: 1, Block: 8}}}, [16]byte{1})
	if again.Certainty != journal.Proven || again.With != 5 {
		t.Errorf("altered again: %+v", again)
	}
}

// TestAgreement: a second message proves by the same cause, the same telling facts and other bytes, and by nothing less.
func TestAgreement(t *testing.T) {
	earlier := func(change func(*diagnosis.Indication)) []diagnosis.Indication {
		e := diagnosis.Indication{Verdict: 5, Cause: reason.MACStaleKey, Facts: map[string]string{"key_set": "4"}, OneIn: 1_000_000, Digest: [16]byte{2}}
		change(&e)
		return []diagnosis.Indication{e}
	}
	for name, x := range map[string]struct {
		change func(*diagnosis.Indication)
		want   journal.Certainty
	}{
		"the same":                 {func(*diagnosis.Indication) {}, journal.Proven},
		"another key":              {func(e *diagnosis.Indication) { e.Facts["key_set"] = "3" }, journal.Indicated},
		"no fact":                  {func(e *diagnosis.Indication) { e.Facts = nil }, journal.Indicated},
		"another cause":            {func(e *diagnosis.Indication) { e.Cause = reason.MessageAltered }, journal.Indicated},
		"nothing concluded":        {func(e *diagnosis.Indication) { e.Cause = reason.NoCause }, journal.Indicated},
		"the same bytes":           {func(e *diagnosis.Indication) { e.Digest = [16]byte{1} }, journal.Indicated},
		"bytes that are not known": {func(e *diagnosis.Indication) { e.Digest = [16]byte{} }, journal.Indicated},
		"the same verdict":         {func(e *diagnosis.Indication) { e.Verdict = 9 }, journal.Indicated},
	} {
		c := aCase(3, mac.UnionPayECBDES, 20)
		c.Keys[3].Later, c.Earlier = true, earlier(x.change)
		f := c.ConcludeMAC(&diagnosis.MACResult{Tried: 64, Fits: []diagnosis.Fit{{Trial: diagnosis.Trial{Key: 3, Algorithm: mac.UnionPayECBDES}}}}, [16]byte{1})
		if f.Certainty != x.want || (f.With == 5) != (x.want == journal.Proven) {
			t.Errorf("%s: %s with %d, want %s", name, f.Certainty, f.With, x.want)
		}
	}
}

// TestTooLikelyLuck: what fits by luck more than once in a thousand is not even indicated: four digits among many ends.
func TestTooLikelyLuck(t *testing.T) {
	for ends, want := range map[int]journal.Certainty{1: journal.Indicated, diagnosis.MaxPrior: journal.Unproven} {
		c := aCase(3, mac.UnionPayECBDES, 1)
		c.Presented.Factor = [6]byte([]byte("991234"))
		for i := range ends {
			c.Prior = append(c.Prior, []byte(fmt.Sprintf("%04d", 1234+i)))
		}
		f := c.ConcludeFactor([16]byte{1})
		if f.Certainty != want || f.Fit != 1 || f.OneIn != 10_000/uint64(f.Tried) || (f.OneIn < 1000) != (want == journal.Unproven) {
			t.Errorf("%d ends: %s, %d of %d fit, one in %d", ends, f.Certainty, f.Fit, f.Tried, f.OneIn)
		}
	}
}
