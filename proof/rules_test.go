package proof_test

import (
	"fmt"
	"testing"

	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/transaction"
)

func TestZeroVerdictRefuses(t *testing.T) {
	var v proof.Verdict
	if v.Approved() || !v.Refused() {
		t.Errorf("the zero verdict: approved %v, refused %v", v.Approved(), v.Refused())
	}
	v = proof.Conclude(v, transaction.Plan{Effect: journal.Sold}, true, reason.None, &issuer.Ask{})
	if v.Approved() || !v.Refused() || v.DE39 == pos.Approved {
		t.Errorf("concluding the zero verdict: approved %v, refused %v, DE39 %s", v.Approved(), v.Refused(), v.DE39)
	}
	v = proof.Verdict{DE39: pos.Approved}
	if v.Approved() || !v.Refused() {
		t.Error("a verdict that nobody decided is not refused")
	}
	if got := v.Checks.Count(proof.Passed); got != 0 {
		t.Errorf("%d checks passed", got)
	}
}

func TestProofsAloneDoNotApprove(t *testing.T) {
	w := healthy()
	c := proof.Claims{PAN: w.Request.PAN}
	proof.Prepare(&w.Policy, &w.Request, &w.Snapshot, now, &c)
	v := proof.Decide(&w.Policy, &w.Request, &w.Snapshot, &c, &w.Evidence, now)
	if v.Refused() || v.Approved() || v.DE39 != (pos.ResponseCode{}) {
		t.Errorf("before Conclude: refused %v, approved %v, DE39 %q", v.Refused(), v.Approved(), v.DE39)
	}
}

func TestRefusalsThatNeverReachDecide(t *testing.T) {
	for _, c := range []struct {
		name string
		v    proof.Verdict
		want reason.Reason
		de39 string
		at   proof.Check
		out  proof.Outcome
	}{
		{"bytes that are no frame", proof.RefuseFrame(false), reason.FrameMalformed, "", proof.Frame, proof.Failed},
		{"a frame that can be answered", proof.RefuseFrame(true), reason.FrameMalformed, "30", proof.Frame, proof.Failed},
		{"a message that cannot be read", proof.RefuseMessage("unpack element 4"), reason.MessageMalformed, "30", proof.Parse, proof.Failed},
		{"no usable master key", proof.RefuseKeys(proof.Verdict{Set: -1}), reason.KeyAbsent, "A7", proof.KeyAlgorithm, proof.Unavailable},
	} {
		v := c.v
		at, ok := v.Checks.First()
		if v.Reason != c.want || v.DE39.String() != c.de39 || !ok || at != c.at || v.Checks.Of(at) != c.out {
			t.Errorf("%s: %s %q at %s %s", c.name, v.Reason, v.DE39, at, v.Checks.Of(at))
		}
		if !v.Refused() || v.Approved() || v.MACVerified || v.Set != -1 {
			t.Errorf("%s: refused %v, approved %v, MAC %v, set %d", c.name, v.Refused(), v.Approved(), v.MACVerified, v.Set)
		}
		if after := proof.Conclude(v, transaction.Plan{}, false, reason.None, &issuer.Ask{}); after.Reason != c.want || after.Approved() {
			t.Errorf("%s: concluded to %s", c.name, after.Reason)
		}
	}
	v := proof.RefuseMessage("unpack element 4: 5 of 6 bytes")
	x := new(journal.Exchange)
	v.Record(&proof.Request{}, x)
	if got := proof.Show(x)[proof.Parse].Presented; got != "unpack element 4: 5 of 6 bytes" {
		t.Errorf("shown: %q", got)
	}
}

// each calls f with every combination of an index below each of the sizes.
func each(sizes []int, f func(at []int)) {
	at := make([]int, len(sizes))
	for {
		f(at)
		i := 0
		for ; i < len(at); i++ {
			if at[i]++; at[i] < sizes[i] {
				break
			}
			at[i] = 0
		}
		if i == len(at) {
			return
		}
	}
}

// TestPINFields is docs/protocol/unionpay-pos.md 2.1, 5.1 and 9A.21 over every combination of DE22's
// third digit, DE26, DE52, A1, DE53, the keys and the profile.
func TestPINFields(t *testing.T) {
	third := []int{-1, 0, 1, 2} // -1: no DE22
	de53 := []string{"", "000", "200", "160", "260", "060", "130", "230", "030", "100"}
	codes := []pos.NetworkCode{keys.SignInDES, keys.SignInTDES, keys.SignInSM4}
	ofCode := map[pos.NetworkCode]byte{keys.SignInDES: '0', keys.SignInTDES: '6', keys.SignInSM4: '3'}
	counted := map[reason.Reason]int{}
	each([]int{len(third), 2, 2, 2, len(de53), len(codes), 2, 2}, func(at []int) {
		w := healthy()
		if at[7] == 1 {
			kinds["balance"](w)
		}
		r := &w.Request
		entry, de26, de52, a1 := third[at[0]], at[1] == 1, at[2] == 1, at[3] == 1
		security, code, without := de53[at[4]], codes[at[5]], at[6] == 1
		if r.HasEntry = entry >= 0; r.HasEntry {
			r.EntryMode = 20 + uint16(entry)
		}
		r.HasCapture, r.HasPINBlock, r.HasSealedPIN, r.HasSecurity = de26, de52, a1, security != ""
		if r.HasSecurity {
			put(r.Security[:], security+"0000000000000")
		}
		w.Policy.AllowSingleDES = true
		w.Snapshot.Session.InForce.Code, w.Snapshot.Terminal.Profile.PINWithout = code, without

		want := reason.None
		pin := de52 || a1
		says := security != "" && security != "000"
		switch {
		case says && security[1] != ofCode[code]:
			want = reason.KeyAlgorithmMismatch
		case entry == 1 && !pin:
			want = reason.PINMissing
		case pin && (entry != 1 || !de26 || security == "" || security[0] == '0'):
			want = reason.PINUnexpected
		case !pin:
		case code == keys.SignInSM4 && (de52 || security[0] != '2'): // only A1, with the card number
			want = reason.PINFormat
		case code != keys.SignInSM4 && (a1 || (security[0] == '1' && !without)):
			want = reason.PINFormat
		}
		counted[want]++
		if v, _ := w.judge(); v.Reason != want {
			t.Errorf("third digit %d, DE26 %v, DE52 %v, A1 %v, DE53 %q, code %s, without %v: %s, want %s",
				entry, de26, de52, a1, security, code, without, v.Reason, want)
		}
	})
	for _, r := range []reason.Reason{reason.None, reason.PINMissing, reason.PINUnexpected, reason.PINFormat, reason.KeyAlgorithmMismatch} {
		if counted[r] == 0 {
			t.Errorf("no combination comes to %s", r)
		}
	}
}

// TestPINFieldsElsewhere: DE22's third digit binds 0100 and 0200 only.
func TestPINFieldsElsewhere(t *testing.T) {
	for _, kind := range []string{"refund", "reversal"} {
		for _, entry := range []uint16{20, 21, 22} {
			w := healthy()
			kinds[kind](w)
			w.Request.HasEntry, w.Request.EntryMode = true, entry
			if v, _ := w.judge(); !v.Approved() {
				t.Errorf("%s, DE22 %03d without PIN: %s", kind, entry, v.Reason)
			}
		}
	}
}

// TestSerialFields is 9A.22: when A2 is due, and what it must hold.
func TestSerialFields(t *testing.T) {
	outcomes := []proof.Outcome{proof.NotRun, proof.Passed, proof.Failed, proof.Unavailable}
	messages := []string{"sale", "balance", "void", "refund", "reversal"}
	each([]int{len(messages), 2, 2, 2, 2, 2, len(outcomes), len(outcomes)}, func(at []int) {
		w := healthy()
		kinds[messages[at[0]]](w)
		r := &w.Request
		keyed, a2, factor, cipher, same := at[1] == 1, at[2] == 1, at[3] == 1, at[4] == 1, at[5] == 1
		r.HasA2, r.HasFactor, r.HasCipher = a2, factor, cipher
		if !keyed {
			w.Snapshot.Device.Key = nil
		}
		if !same {
			w.Snapshot.Device.Serial = "00000304N9NL10000002"
		}
		w.Evidence.Serial, w.Evidence.Factor = outcomes[at[6]], outcomes[at[7]]

		want, state := reason.None, proof.NotRun
		switch {
		case !a2 && keyed && messages[at[0]] == "sale":
			want, state = reason.SerialMissing, proof.Failed
		case !a2:
		case !same:
			want, state = reason.SerialMismatch, proof.Failed
		case !keyed:
			state = proof.Passed // presence and binding only: there is no key to prove more
		case !factor || !cipher:
			want, state = reason.SerialMissing, proof.Failed
		case w.Evidence.Serial == proof.Failed:
			want, state = reason.SerialProofFailed, proof.Failed
		case w.Evidence.Serial != proof.Passed:
			want, state = reason.ModuleUnavailable, proof.Unavailable
		case w.Evidence.Factor == proof.Failed:
			want, state = reason.SerialFactorMismatch, proof.Failed
		case w.Evidence.Factor != proof.Passed:
			want, state = reason.ModuleUnavailable, proof.Unavailable
		default:
			state = proof.Passed
		}
		v, _ := w.judge()
		if v.Reason != want || v.Checks.Of(proof.Serial) != state {
			t.Errorf("%s, keyed %v, A2 %v, 03 %v, 04 %v, same %v, serial %s, factor %s: %s %s, want %s %s", messages[at[0]], keyed, a2,
				factor, cipher, same, w.Evidence.Serial, w.Evidence.Factor, v.Reason, v.Checks.Of(proof.Serial), want, state)
		}
		if !v.MACVerified {
			t.Error("the MAC had verified")
		}
	})
}

// TestUnknownOutcomePassesNothing gives every proof of a module an outcome that does not exist.
func TestUnknownOutcomePassesNothing(t *testing.T) {
	sealed := func(w *world) {
		w.Request.HasSecurity, w.Request.TrackSealed = true, true
		put(w.Request.Security[:], "0610000000000000")
	}
	for name, proofs := range map[string]func(*world){
		"MAC": func(w *world) { w.Evidence.MAC = 4 }, "serial": func(w *world) { w.Evidence.Serial = 4 },
		"factor": func(w *world) { w.Evidence.Factor = 4 },
		"track":  func(w *world) { sealed(w); w.Evidence.Track = 4 }, "track's card": func(w *world) { sealed(w); w.Evidence.TrackPAN = 4 },
		"everything": func(w *world) { sealed(w); w.Evidence = proof.Evidence{} },
	} {
		w := healthy()
		proofs(w)
		if v, _ := w.judge(); v.Approved() || v.Reason != reason.ModuleUnavailable {
			t.Errorf("%s: %s", name, v.Reason)
		}
	}
	if got := proof.Outcome(4).String(); got != "unknown" {
		t.Errorf("outcome 4 is %q", got)
	}
}

// before are the checks made before the MAC: no reason of theirs is answered with a MAC; 9A.15, 9A.16.
func TestRefusalsBeforeTheMACCarryNone(t *testing.T) {
	before := map[proof.Check]bool{proof.Frame: true, proof.Parse: true, proof.Function: true, proof.Identity: true, proof.Binding: true,
		proof.Network: true, proof.DeviceCertificate: true, proof.Place: true, proof.PermitCheck: true, proof.SignedIn: true, proof.Batch: true,
		proof.KeyAlgorithm: true, proof.MAC: true}
	for _, path := range []string{"identity", "place", "permit", "form", "session", "mac", "repeat", "serial", "track", "pin", "money", "order"} {
		for _, c := range readCases(t, "testdata/decide/"+path+".txt") {
			w := healthy()
			for _, in := range c.inputs {
				w.set(t, in[0], in[1])
			}
			if w.Plan.Reason != reason.None || w.Request.Need != proof.Financial || w.Answer != reason.None {
				continue
			}
			v, _ := w.judge()
			if at, ok := v.Checks.First(); ok && v.MACVerified == before[at] {
				t.Errorf("%s/%s stops at %s with MAC verified %v", path, c.name, at, v.MACVerified)
			}
			if v.MACVerified != (v.Set >= 0) {
				t.Errorf("%s/%s: MAC verified %v under set %d", path, c.name, v.MACVerified, v.Set)
			}
		}
	}
}

// TestSecretsAreNotExaminedBeforeTheMAC: with a wrong or absent MAC the verdict is the same whatever
// PIN, serial number, track or trace the message carries; 9A.16.
func TestSecretsAreNotExaminedBeforeTheMAC(t *testing.T) {
	for _, hasMAC := range []bool{true, false} {
		each([]int{2, 2, 2, 2, 2, 2}, func(at []int) {
			w := healthy()
			w.Evidence = proof.Evidence{MAC: proof.Failed}
			r := &w.Request
			r.HasMAC, r.HasPINBlock, r.HasSealedPIN, r.HasA2, r.TrackBad = hasMAC, at[0] == 1, at[1] == 1, at[2] == 1, at[3] == 1
			w.Snapshot.Money.Seen = at[4] == 1
			if at[5] == 1 {
				r.HasSecurity = true
				put(r.Security[:], "0000000000000000")
			}
			want := reason.MACFailed
			if !hasMAC {
				want = reason.MACMissing
			}
			v, x := w.judge()
			if v.Reason != want || v.Checks.Of(proof.Serial) != proof.NotRun || v.Checks.Of(proof.PIN) != proof.NotRun ||
				v.Checks.Of(proof.Track) != proof.NotRun || v.Checks.Of(proof.Replay) != proof.NotRun {
				t.Errorf("%v: %s", at, fmt.Sprint(proof.Show(x)))
			}
		})
	}
}

func TestPromoteOnlyThePendingSet(t *testing.T) {
	each([]int{2, 2, 2, 4}, func(at []int) {
		w := healthy()
		s := &w.Snapshot.Session
		if at[0] == 0 {
			s.InForce = keys.Set{}
		}
		if at[1] == 1 {
			s.Pending = keys.Set{Number: 8, Code: keys.SignInTDES, Issued: now}
		}
		w.Evidence.Used, w.Evidence.MAC = at[2], proof.Outcome(at[3])
		v, x := w.judge()
		var offered []uint32
		if at[1] == 1 {
			offered = append(offered, 8)
		}
		if at[0] == 1 {
			offered = append(offered, 7)
		}
		verified := w.Evidence.MAC == proof.Passed && at[2] < len(offered)
		if v.MACVerified != verified {
			t.Errorf("%v: MAC verified %v", at, v.MACVerified)
		}
		if want := verified && offered[at[2]] == 8; v.Promote != want || (x.Flags&journal.FlagPromoted != 0) != want {
			t.Errorf("%v: promotes %v, want %v", at, v.Promote, want)
		}
	})
}

// TestAlgorithmOf is 9A.20 over every profile and sign-in code.
func TestAlgorithmOf(t *testing.T) {
	want := map[registry.MACProfile]string{"": "UnionPay ECB DES", registry.MACECB: "UnionPay ECB DES", registry.MACECB3DES: "UnionPay ECB TDES"}
	for code := range pos.NetworkCode(1000) {
		for _, m := range []registry.MACProfile{"", registry.MACECB, registry.MACECB3DES, registry.MACX99, registry.MACX919} {
			got := proof.AlgorithmOf(m, code)
			switch code {
			case 5, 6:
				if got.String() != "UnionPay ECB SM4" {
					t.Errorf("%q after %s: %s", m, code, got)
				}
			case 1, 3, 4:
				if w, ok := want[m]; got == 0 || (ok && got.String() != w) || (!ok && got.Grade().Strength.String() == "") {
					t.Errorf("%q after %s: %s", m, code, got)
				}
			default:
				if got != 0 {
					t.Errorf("%q after %s: %s where no keys are issued", m, code, got)
				}
			}
		}
	}
}

func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for c := range proof.Checks {
		if c.String() == "" || c.String() == "unknown" || seen[c.String()] {
			t.Errorf("check %d is %q", c, c)
		}
		seen[c.String()] = true
	}
	if proof.Checks.String() != "unknown" {
		t.Errorf("the check after the last is %q", proof.Checks)
	}
}
