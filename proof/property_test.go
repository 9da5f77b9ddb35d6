package proof_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/transaction"
)

// drawWorld draws a message that is healthy in most of its parts, so that approvals occur.
func drawWorld(t *rapid.T) *world {
	w := healthy()
	rarely := func(label string, f func()) {
		if rapid.IntRange(0, 19).Draw(t, label) == 0 {
			f()
		}
	}
	outcome := func(label string, o *proof.Outcome) {
		rarely(label, func() { *o = proof.Outcome(rapid.IntRange(0, 5).Draw(t, label+" outcome")) })
	}
	kind := rapid.SampledFrom([]string{"sale", "sale", "void", "balance", "refund", "reversal", "sign-in", "sign-off", "echo", "status",
		"tamper", "settlement", "unserved"}).Draw(t, "kind")
	kinds[kind](w)
	r, s, e := &w.Request, &w.Snapshot, &w.Evidence
	for i, b := range []*bool{
		&r.Malformed, &r.BadDE59, &r.HasBatch, &r.HasEntry, &r.HasCapture, &r.HasPINBlock, &r.HasSealedPIN, &r.HasSecurity,
		&r.HasPAN, &r.HasTrack2, &r.TrackSealed, &r.TrackBad, &r.TrackOther, &r.HasChipData, &r.HasMAC, &r.HasA2, &r.HasFactor,
		&r.HasCipher, &r.HasPlace, &r.HasTail, &s.RateLimited, &w.Policy.AllowSingleDES, &w.Policy.RefuseWeakMAC, &w.Policy.RequireTLS, &w.Policy.RequireNetwork, &r.Secure,
		&w.Policy.RefusePlace, &w.Policy.RefuseTail, &w.Policy.AllowTrackClear, &s.Money.Seen, &s.Money.Full, &s.Money.HasPrior,
		&s.Money.Empty, &s.Session.SignedOff, &s.Merchant.Suspended, &s.Terminal.Suspended, &s.Terminal.AnyNetwork,
		&s.Terminal.Permit.Sell, &s.Terminal.Permit.Refund, &w.Unasked,
	} {
		rarely(fmt.Sprintf("flag %d", i), func() { *b = !*b })
	}
	outcome("MAC", &e.MAC)
	outcome("serial", &e.Serial)
	outcome("factor", &e.Factor)
	outcome("track", &e.Track)
	outcome("track card", &e.TrackPAN)
	rarely("used", func() { e.Used = rapid.IntRange(-2, 3).Draw(t, "set used") })
	rarely("error", func() { e.Err = keys.ErrOwner })
	rarely("source", func() { r.Source = pos.IPv4(10, 9, 9, 9) })
	rarely("batch number", func() { r.Batch = 11 })
	rarely("merchant named", func() { r.Merchant[0] = 'X' })
	rarely("serial named", func() { r.Serial[0] = 'X' })
	rarely("latitude", func() { r.Latitude = rapid.Int32().Draw(t, "micro-degrees") })
	rarely("circle", func() { s.Terminal.Place = &registry.Circle{Metres: 10, Refuse: true} })
	rarely("entry", func() { r.EntryMode = uint16(rapid.SampledFrom([]int{0, 21, 22, 51, 52, 801, 999}).Draw(t, "mode")) })
	rarely("digits", func() { put(r.Security[:], rapid.StringMatching(`[0-9]{16}`).Draw(t, "security")) })
	rarely("device state", func() {
		s.Device.State = registry.DeviceState(rapid.SampledFrom([]string{"suspended", "tampered", "", "x"}).Draw(t, "state"))
	})
	rarely("device key", func() { s.Device.Key = nil })
	rarely("certificate", func() { s.Device.Certificate = strings.Repeat("ab", 32) })
	rarely("presented", func() { r.Secure, r.Certificate = true, [32]byte(bytes.Repeat([]byte{0xab}, 32)) })
	rarely("refused MAC", func() {
		w.Policy.RefuseMAC, _ = proof.ParseMACRefusal([]string{rapid.SampledFrom([]string{"xor-fold", "open chain", "X9.19"}).Draw(t, "kind of MAC")})
	})
	rarely("secure", func() { r.Secure = true })
	rarely("revoked", func() { s.Device.CertificateVoid = true })
	rarely("former", func() {
		s.Device.FormerCertificate, s.Device.FormerUntil = strings.Repeat("ab", 32), now.Add(time.Duration(rapid.IntRange(-1, 1).Draw(t, "left")))
	})
	rarely("pending", func() {
		s.Session.Pending = keys.Set{Number: 8, Code: rapid.SampledFrom([]pos.NetworkCode{0, 1, 3, 5}).Draw(t, "code"), Issued: now}
	})
	rarely("old", func() { s.Session.InForce.Issued = now.Add(-30 * 3600e9) })
	rarely("plan", func() { w.Plan.Reason = reason.OriginalMismatch })
	rarely("answer", func() { w.Answer = reason.InsufficientFunds })
	rarely("no terminal", func() { s.Terminal = nil })
	rarely("no merchant", func() { s.Merchant = nil })
	rarely("no device", func() { s.Device = nil })
	return w
}

// unproven names what an approval would lack; "" when nothing.
func unproven(w *world, v *proof.Verdict) string {
	r, s, e := &w.Request, &w.Snapshot, &w.Evidence
	switch {
	case s.Terminal == nil || s.Merchant == nil || s.Device == nil:
		return "terminal, merchant and device known"
	case s.Terminal.Suspended || s.Merchant.Suspended || s.Device.State != registry.Active:
		return "terminal, merchant and device in use"
	case s.Terminal.Merchant != r.Merchant:
		return "terminal bound to merchant"
	case r.Source[12] != 10 || (r.Source[13] != 1 && !s.Terminal.AnyNetwork):
		return "network"
	case w.Policy.RequireNetwork && s.Terminal.AnyNetwork:
		return "a registered network"
	case w.Policy.RequireTLS && !r.Secure:
		return "TLS"
	case s.Device.Certificate != "" && (!r.Secure || s.Device.CertificateVoid || r.Certificate[0] != 0xab):
		return "certificate"
	case s.Device.Certificate == "" && r.Certificate != [32]byte{}:
		return "another device's certificate"
	case !s.Terminal.Permit.Sell && r.Op != transaction.Reversal && r.Need != proof.Echo && r.Need != proof.SignOff && r.Need != proof.TamperReport:
		return "permit"
	case v.Checks.Count(proof.Failed)+v.Checks.Count(proof.Unavailable) != 0:
		return "every check"
	case w.Plan.Reason != reason.None && !v.Repeat:
		return "the money rules"
	}
	if r.Need != proof.Financial {
		return ""
	}
	switch sale := r.Op == transaction.Sale && !v.Repeat; {
	case w.Policy.RefuseMAC.Any() && v.Set >= 0 && w.Policy.RefuseMAC.Refuses(proof.AlgorithmOf(s.Terminal.Profile.MAC, s.Session.InForce.Code)):
		return "a MAC of a grade the policy accepts"
	case !r.HasMAC || e.MAC != proof.Passed || v.Checks.Of(proof.MAC) != proof.Passed || !v.MACVerified || v.Set < 0:
		return "MAC"
	case sale && len(s.Device.Key) > 0 && (!r.HasA2 || e.Serial != proof.Passed || e.Factor != proof.Passed || v.Checks.Of(proof.Serial) != proof.Passed):
		return "serial number"
	case sale && r.HasTrack2 && r.TrackSealed && e.Track != proof.Passed:
		return "track"
	case !v.Repeat && w.Plan.Ask && w.Answer != reason.None:
		return "issuer"
	case s.Session.SignedOff:
		return "sign-in"
	}
	return ""
}

func TestAnApprovalIsProven(t *testing.T) {
	approvals, refusals := 0, 0
	one := func(t *rapid.T) {
		w := drawWorld(t)
		v, x := w.judge()
		proof.Show(x)
		if !v.Approved() {
			refusals++
			if !v.Repeat && (v.Reason == reason.None || v.DE39 == pos.Approved) {
				t.Fatalf("not approved, reason %s, DE39 %q", v.Reason, v.DE39)
			}
			if v.Reason != reason.None {
				if _, ok := v.Checks.First(); !ok {
					t.Fatalf("%s, and no check says so", v.Reason)
				}
			}
			return
		}
		approvals++
		if lack := unproven(w, &v); lack != "" {
			t.Fatalf("approved without %s", lack)
		}
	}
	// One draw in twenty is approved, so a hundred draws, the number of one round, may have none: draws go on until both were seen.
	for round := 0; round == 0 || (approvals == 0 || refusals == 0) && round < 50 && !t.Failed(); round++ {
		rapid.Check(t, one)
	}
	if approvals == 0 || refusals == 0 {
		t.Errorf("%d approvals and %d refusals: the property was not tried", approvals, refusals)
	}
}

// TestOneReasonOneCheck: a refusal has one root: exactly one check did not pass, and none after it ran.
func TestOneReasonOneCheck(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		w.Plan.Reason, w.Answer = reason.None, reason.None
		v, _ := w.judge()
		if v.Reason == reason.None {
			return
		}
		if n := v.Checks.Count(proof.Failed) + v.Checks.Count(proof.Unavailable); n != 1 {
			t.Fatalf("%s: %d checks did not pass", v.Reason, n)
		}
		at, _ := v.Checks.First()
		for c := at + 1; c < proof.Checks; c++ {
			if v.Checks.Of(c) != proof.NotRun {
				t.Fatalf("%s at %s, and %s is %s", v.Reason, at, c, v.Checks.Of(c))
			}
		}
	})
}

// TestNoCardIsShown: whatever the message, no run of seven digits of its card number is in the journal's
// evidence or in what a reader sees; PCI DSS 4.0.1, 3.4.1: first six and last four.
func TestNoCardIsShown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWorld(t)
		digits := rapid.StringMatching(`62[1-9]{11,17}`).Draw(t, "card")
		if err := w.Request.PAN.Set([]byte(digits)); err != nil {
			t.Fatal(err)
		}
		w.Request.Shown = w.Request.PAN.Truncated()
		put(w.Request.Factor[:], digits[len(digits)-6:])
		v, x := w.judge()
		seen := string(v.Details()) + fmt.Sprintf("%v %+v", proof.Show(x), x)
		for i := 0; i+7 <= len(digits); i++ {
			if strings.Contains(seen, digits[i:i+7]) {
				t.Fatal("seven digits in a row of a card number are shown")
			}
		}
		if bytes.Contains(v.Details(), w.Request.Factor[:]) {
			t.Fatal("the factor, six digits of a card number, is in the evidence")
		}
	})
}

func TestStatesHoldEveryCheck(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s proof.States
		want := map[proof.Check]proof.Outcome{}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			c := proof.Check(rapid.IntRange(0, int(proof.Checks)-1).Draw(t, "check"))
			o := proof.Outcome(rapid.IntRange(0, 3).Draw(t, "outcome"))
			s.Set(c, o)
			want[c] = o
		}
		counted := 0
		for c := range proof.Checks {
			if s.Of(c) != want[c] {
				t.Fatalf("%s is %s, want %s", c, s.Of(c), want[c])
			}
			if want[c] == proof.Failed {
				counted++
			}
		}
		if s.Count(proof.Failed) != counted {
			t.Fatalf("%d failed, want %d", s.Count(proof.Failed), counted)
		}
	})
}

// TestConcludeNeverMends: no plan and no answer turns a refusal into an approval.
func TestConcludeNeverMends(t *testing.T) {
	for _, r := range reason.All() {
		v := proof.RefuseKeys(proof.Verdict{})
		v.Reason = r
		for _, asked := range []bool{true, false} {
			if got := proof.Conclude(v, transaction.Plan{Effect: journal.Sold}, asked, reason.None, &issuer.Ask{}); got.Approved() || got.Reason != r {
				t.Errorf("%s became %s", r, got.Reason)
			}
		}
		w := healthy()
		w.Answer = r
		if v, _ := w.judge(); v.Approved() || v.Reason != r || v.DE39 != r.DE39() {
			t.Errorf("the issuer's %s became %s, DE39 %q", r, v.Reason, v.DE39)
		}
		w = healthy()
		w.Plan.Reason = r
		if v, _ := w.judge(); v.Approved() || v.Reason != r {
			t.Errorf("the rules' %s became %s", r, v.Reason)
		}
	}
}

// FuzzShow: details of any bytes are shown without a panic, in as many rows as there are checks, and
// what a row says of a value is printable.
func FuzzShow(f *testing.F) {
	for _, kind := range []string{"sale", "void", "sign-in", "settlement", "tamper"} {
		w := healthy()
		kinds[kind](w)
		w.Request.HasPlace, w.Snapshot.Terminal.Place = true, &registry.Circle{Metres: 100}
		v, x := w.judge()
		f.Add(v.Details(), x.Checks, x.Flags)
	}
	f.Add([]byte{24, 't', 0, 0, 0}, ^uint64(0), ^uint16(0))
	f.Add([]byte{5, 'n', 17, 1, 2, 3}, uint64(1), uint16(0))
	f.Add([]byte{5, 't', 255}, uint64(1), uint16(0))
	f.Add(append([]byte{3, 'n', 17}, append(make([]byte, 16), 255, 0, 0)...), uint64(0), uint16(0))
	f.Fuzz(func(t *testing.T, details []byte, checks uint64, flags uint16) {
		x := &journal.Exchange{Details: details, Checks: checks, Flags: flags}
		put(x.Terminal[:], "00000011")
		put(x.Merchant[:], "898110053110011")
		rows := proof.Show(x)
		if len(rows) != int(proof.Checks) {
			t.Fatalf("%d rows", len(rows))
		}
		for i, r := range rows {
			if r.Check != proof.Check(i).String() || r.State != proof.States(checks).Of(proof.Check(i)).String() {
				t.Fatalf("row %d is %s %s", i, r.Check, r.State)
			}
			for _, c := range r.Presented + r.Expected {
				if c < ' ' || c > '~' {
					t.Fatalf("row %s shows a byte that does not print", r.Check)
				}
			}
		}
	})
}
