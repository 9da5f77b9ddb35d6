package host_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"touchstone/iso8583"
	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/transaction"
)

// TestAnswers decodes every kind of answer by hand and by package iso8583; docs/protocol/unionpay-pos.md 9A.14.
func TestAnswers(t *testing.T) {
	decline := func(g *rig) { g.card.Balance = 1849 }
	unproven := func(g *rig) { g.evidence.MAC = proof.Failed }
	cases := []struct {
		name, function, mti string
		fault               func(*rig)
		numbers             []int
		want                fields
		effect              journal.Effect
	}{
		{"sale approved", "sale", "0210", nil, []int{2, 3, 4, 11, 12, 13, 15, 25, 32, 37, 38, 39, 41, 42, 44, 49, 60, 63, 64}, fields{
			2: testPAN, 3: "000000", 4: "000000001850", 11: "000042", 12: "120000", 13: "0302", 15: "0302", 25: "00", 32: "48021000",
			37: "000000004711", 38: "066051", 39: "00", 41: terminalID, 42: merchantID, 44: "01020000   48021000   ", 49: "156",
			60: "22000012000", 63: "CUP"}, journal.Sold},
		{"sale declined", "sale", "0210", decline, []int{2, 3, 4, 11, 12, 13, 15, 25, 32, 37, 39, 41, 42, 49, 60, 64}, fields{39: "51", 37: "000000004711"}, journal.Recorded},
		{"sale refused before the MAC", "sale", "0210", unproven, []int{2, 3, 4, 11, 12, 13, 15, 25, 32, 37, 39, 41, 42, 49, 60}, fields{39: "A0"}, journal.NoEffect},
		{"balance", "balance", "0210", nil, []int{2, 3, 11, 12, 13, 15, 25, 32, 37, 39, 41, 42, 44, 49, 54, 60, 63, 64}, fields{
			39: "00", 54: "1002156C000000123456"}, journal.Recorded},
		{"balance overdrawn", "balance", "0210", func(g *rig) { g.card.Balance = -5 }, []int{2, 3, 11, 12, 13, 15, 25, 32, 37, 39, 41, 42, 44, 49, 54, 60, 63, 64}, fields{
			54: "1002156D000000000005"}, journal.Recorded},
		{"void", "void", "0210", nil, []int{2, 3, 4, 11, 12, 13, 15, 25, 32, 37, 38, 39, 41, 42, 44, 49, 60, 63, 64}, fields{39: "00", 38: "066051"}, journal.VoidedSale},
		{"void without original", "void", "0210", func(g *rig) { g.view.Original = nil }, []int{2, 3, 4, 11, 12, 13, 15, 25, 32, 37, 39, 41, 42, 49, 60, 64}, fields{39: "25"}, journal.Recorded},
		{"refund", "refund", "0230", nil, []int{2, 3, 4, 11, 12, 13, 15, 25, 32, 37, 38, 39, 41, 42, 44, 49, 60, 63, 64}, fields{39: "00", 37: "000000004711"}, journal.Refunded},
		{"reversal", "reversal", "0410", nil, []int{2, 3, 4, 11, 12, 13, 15, 25, 32, 37, 39, 41, 42, 49, 60, 64}, fields{39: "00"}, journal.ReversedSale},
		{"reversal of the unknown", "reversal", "0410", func(g *rig) { g.view.Original = nil }, []int{2, 3, 4, 11, 12, 13, 15, 25, 32, 37, 39, 41, 42, 49, 60, 64}, fields{39: "25"}, journal.Buried},
		{"reversal unproven", "reversal", "0410", unproven, []int{2, 3, 4, 11, 12, 13, 15, 25, 32, 37, 39, 41, 42, 49, 60}, fields{39: "A0"}, journal.NoEffect},
		{"sign-in", "sign-in", "0810", nil, []int{11, 12, 13, 32, 37, 39, 41, 42, 60, 62}, fields{
			39: "00", 12: "120000", 13: "0302", 60: "00000012003", 62: fmt.Sprintf("%080d", 0)}, journal.KeysIssued},
		{"sign-in refused", "sign-in", "0810", func(g *rig) { g.snapshot.RateLimited = true }, []int{11, 12, 13, 32, 37, 39, 41, 42, 60}, fields{39: "96"}, journal.NoEffect},
		{"sign-off", "sign-off", "0830", nil, []int{11, 12, 13, 39, 41, 42, 60}, fields{39: "00"}, journal.SignedOff},
		{"sign-off on another connection", "sign-off", "0830", func(g *rig) { g.snapshot.SameConn = false }, []int{11, 12, 13, 39, 41, 42, 60}, fields{39: "00"}, journal.NoEffect},
		{"echo", "echo", "0830", nil, []int{11, 12, 13, 39, 41, 42, 60}, fields{39: "00", 60: "00000012301"}, journal.NoEffect},
		{"nothing to download", "status", "0830", nil, []int{11, 12, 13, 39, 41, 42, 60, 62}, fields{39: "00", 62: "30"}, journal.NoEffect},
		{"settlement balanced", "settlement", "0510", nil, []int{11, 12, 13, 15, 32, 37, 39, 41, 42, 48, 49, 60}, fields{
			39: "00", 48: fmt.Sprintf("%030d1%030d1", 0, 0)}, journal.Settled},
		{"settlement not balanced", "settlement", "0510", func(g *rig) { g.view.Terminal.Totals.DebitCount = 1 },
			[]int{11, 12, 13, 15, 32, 37, 39, 41, 42, 48, 49, 60}, fields{39: "00", 48: fmt.Sprintf("%030d2%030d1", 0, 0)}, journal.Settled},
		{"settlement of no open batch", "settlement", "0510", func(g *rig) { g.snapshot.Money.Batch = 13 },
			[]int{11, 12, 13, 15, 32, 37, 39, 41, 42, 49, 60}, fields{39: "77"}, journal.NoEffect},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			g := newRig(t)
			g.healthyFor(c.function)
			if c.fault != nil {
				c.fault(g)
			}
			mti, f := message(t, c.function)
			out := must(t, g.say(t, pack(t, mti, f)))
			a := unpack(t, out)
			if a.mti != c.mti || !slices.Equal(a.numbers, c.numbers) {
				t.Errorf("%s %v, want %s %v", a.mti, a.numbers, c.mti, c.numbers)
			}
			for n, want := range c.want {
				if a.fields[n] != want {
					t.Errorf("element %d: %q, want %q", n, a.fields[n], want)
				}
			}
			if g.entry.Effect != c.effect {
				t.Errorf("effect %s, want %s", g.entry.Effect, c.effect)
			}
			checkMAC(t, g, a)
			agree(t, out, a)
			for _, n := range []int{2, 3, 4, 11, 25, 41, 42, 49} {
				if a.fields[n] != "" && a.fields[n] != f[n] {
					t.Errorf("element %d is not echoed", n)
				}
			}
		})
	}
}

// checkMAC: DE64 is there exactly when the request's own MAC verified, over this answer, under the set
// that verified; 9A.15.
func checkMAC(t *testing.T, g *rig, a answer) {
	t.Helper()
	verified := g.entry.Flags&journal.FlagMACVerified != 0
	if has := slices.Contains(a.numbers, 64); has != verified {
		t.Errorf("DE64 %v, the request's MAC verified %v", has, verified)
	}
	if !verified {
		if g.sealed != nil {
			t.Error("the module was asked for a MAC that is not sent")
		}
		return
	}
	if want := seal(a.mab); a.fields[64] != fmt.Sprintf("%x", want) {
		t.Error("DE64 is not the MAC of this answer")
	}
	if g.sealed == nil || g.sealed.Number != g.entry.KeySet {
		t.Error("the answer is not under the set that verified")
	}
}

// agree decodes the answer by package iso8583 as well.
func agree(t *testing.T, out []byte, a answer) {
	t.Helper()
	var m iso8583.Message
	if err := iso8583.UnionPay.Parse(&m, out[2:]); err != nil {
		t.Fatal(err)
	}
	for n := range 65 {
		if m.Has(n) != slices.Contains(a.numbers, n) {
			t.Errorf("element %d: the two decoders disagree", n)
		}
	}
}

// faults yield every reason that an answered message may have; function "" is a sale.
var faults = []struct {
	want     reason.Reason
	function string
	inject   func(*rig)
	change   fields
}{
	{want: reason.None},
	{want: reason.MessageMalformed, change: fields{4: "-"}},
	{want: reason.FunctionUnsupported, change: fields{25: "08"}},
	{want: reason.TerminalUnknown, inject: func(g *rig) { g.snapshot = proof.Snapshot{Merchant: g.snapshot.Merchant} }},
	{want: reason.MerchantUnknown, inject: func(g *rig) { g.snapshot.Merchant = nil }},
	{want: reason.BindingMismatch, inject: func(g *rig) { g.snapshot.Terminal.Merchant[0] = 'X' }},
	{want: reason.TerminalSuspended, inject: func(g *rig) { g.snapshot.Terminal.Suspended = true }},
	{want: reason.MerchantSuspended, inject: func(g *rig) { g.snapshot.Merchant.Suspended = true }},
	{want: reason.DeviceUnknown, inject: func(g *rig) { g.snapshot.Device = nil }},
	{want: reason.DeviceSuspended, inject: func(g *rig) { g.snapshot.Device.State = registry.Suspended }},
	{want: reason.DeviceTampered, inject: func(g *rig) { g.snapshot.Device.State = registry.TamperedBy }},
	{want: reason.NetworkNotAllowed, inject: func(g *rig) { g.snapshot.Terminal.AnyNetwork = false }},
	{want: reason.DeviceCertificateMismatch, inject: func(g *rig) { g.snapshot.Device.Certificate, g.secure = "00", true }},
	{want: reason.PermitRefused, inject: func(g *rig) { g.snapshot.Terminal.Permit = registry.Permit{} }},
	{want: reason.NotSignedIn, inject: func(g *rig) { g.snapshot.Session.SignedOff = true }},
	{want: reason.BatchMismatch, inject: func(g *rig) { g.snapshot.Money.Batch = 13 }},
	{want: reason.KeyAlgorithmMismatch, change: fields{53: "2300000000000000"}},
	{want: reason.KeyAbsent, inject: func(g *rig) { g.evidence = proof.Evidence{MAC: proof.Unavailable, Err: keys.ErrOwner} }},
	{want: reason.ModuleUnavailable, inject: func(g *rig) { g.evidence = proof.Evidence{MAC: proof.Unavailable, Err: keys.ErrSealed} }},
	{want: reason.MACMissing, change: fields{64: "-"}},
	{want: reason.MACFailed, inject: func(g *rig) { g.evidence = proof.Evidence{MAC: proof.Failed} }},
	{want: reason.MACGradeRefused, inject: func(g *rig) { g.line.Policy.RefuseWeakMAC = true }},
	{want: reason.DuplicateTrace, inject: func(g *rig) { g.snapshot.Money.Seen = true }},
	{want: reason.Replayed, inject: func(g *rig) { g.prior(transaction.Voided, "00") }},
	{want: reason.ReversedBeforeArrival, inject: func(g *rig) { g.prior(transaction.Grave, "25") }},
	{want: reason.SerialMissing, change: fields{59: "-"}},
	{want: reason.SerialMismatch, inject: func(g *rig) { g.snapshot.Device.Serial = "00000304N9NL10000002" }},
	{want: reason.SerialProofFailed, inject: func(g *rig) { g.evidence.Serial = proof.Failed }},
	{want: reason.SerialFactorMismatch, inject: func(g *rig) { g.evidence.Factor = proof.Failed }},
	{want: reason.DeviceTypeMismatch, inject: func(g *rig) { g.snapshot.Device.DeviceType = "02" }},
	{want: reason.AppVersionUnknown, inject: func(g *rig) { g.snapshot.Device.AppVersions = []string{"9"} }},
	{want: reason.PINMissing, change: fields{22: "021"}},
	{want: reason.PINUnexpected, change: fields{52: "0102030405060708"}},
	{want: reason.PINFormat, inject: func(g *rig) { g.pin = issuer.PINUnreadable }, change: withPIN},
	{want: reason.PINWrong, inject: func(g *rig) { g.pin = issuer.PINWrong }, change: withPIN},
	{want: reason.PINTriesExceeded, inject: func(g *rig) { g.card.Tries = issuer.MaxTries }, change: withPIN},
	{want: reason.ModuleUnavailable, inject: func(g *rig) { g.pin = issuer.PINUnavailable }, change: withPIN},
	{want: reason.TrackDecryptFailed, inject: func(g *rig) { g.snapshot.Terminal.Profile.TrackSecret = true }, change: fields{35: testPAN + "d30121010000000000"}},
	{want: reason.TrackPANMismatch, change: fields{35: otherPAN + "d3012101000000"}},
	{want: reason.EMVMissing, change: fields{22: "052"}},
	{want: reason.FallbackRefused, inject: func(g *rig) { g.card.ServiceCode = "201" }},
	{want: reason.CardUnknown, inject: func(g *rig) { g.card = nil }},
	{want: reason.CardExpired, inject: func(g *rig) { g.card.Expiry = 2602 }, change: fields{14: "2602"}},
	{want: reason.CardLost, inject: func(g *rig) { g.card.State = issuer.Lost }},
	{want: reason.CardStolen, inject: func(g *rig) { g.card.State = issuer.Stolen }},
	{want: reason.CardRestricted, inject: func(g *rig) { g.card.State = issuer.Restricted }},
	{want: reason.IssuerDeclined, change: fields{35: testPAN + "d30121200000000000"}},
	{want: reason.InsufficientFunds, inject: func(g *rig) { g.card.Balance = 0 }},
	{want: reason.LimitExceeded, inject: func(g *rig) { g.card.SaleLimit = 1 }},
	{want: reason.NoCardholderVerification, inject: func(g *rig) { g.card.NoPINLimit = 1 }},
	{want: reason.AmountInvalid, change: fields{4: "000000000000"}},
	{want: reason.CurrencyMismatch, change: fields{49: "344"}},
	{want: reason.OriginalNotFound, function: "void", inject: func(g *rig) { g.view.Original = nil }},
	{want: reason.OriginalMismatch, function: "void", inject: func(g *rig) { g.view.Original.Amount = 1 }},
	{want: reason.OriginalClosed, function: "void", inject: func(g *rig) { g.view.Original.State = transaction.Voided }},
	{want: reason.RefundWithoutOriginal, function: "refund", change: fields{37: "-"}},
	{want: reason.TotalsMismatch, function: "settlement", inject: func(g *rig) { g.view.Terminal.Totals.DebitCount = 1 }},
	{want: reason.SignInCodeRefused, function: "sign-in", inject: func(g *rig) { g.snapshot.Terminal.Profile.SignInCode = 4 }},
	{want: reason.RateLimited, function: "sign-in", inject: func(g *rig) { g.snapshot.RateLimited = true }},
	{want: reason.KeyAbsent, function: "sign-in", inject: func(g *rig) { g.snapshot.Terminal.Master = nil }},
	{want: reason.LocationOutside, inject: func(g *rig) { g.snapshot.Terminal.Place = &registry.Circle{Refuse: true} },
		change: fields{59: a2 + "A5025" + "01009121.48352" + "0200631.230"}},
}

var withPIN = fields{22: "021", 26: "12", 52: "0102030405060708", 53: "2600000000000000"}

// prior makes the message a repeat of a record of the same bytes.
func (g *rig) prior(s transaction.State, de39 string) {
	m := &g.snapshot.Money
	m.Seen, m.HasPrior = true, true
	m.Prior = *original()
	m.Prior.Seq, m.Prior.State, m.Prior.DE39, m.Prior.At = 55, s, pos.Code(de39), now.Add(-10e9)
	m.Prior.Print, m.Prior.AuthCode, m.Prior.LocalTime, m.Prior.LocalDate = [16]byte{0, 1, 2, 3}, pos.AuthCode{'9', '8', '7', '6', '5', '4'}, 235959, 20260301
}

// TestEveryReason: 9A.15 and 9A.16 for every reason: its DE39, a MAC exactly when the request's
// verified, sign in again for 77, A0 and 99 alone, and one answer within one DE39.
func TestEveryReason(t *testing.T) {
	type group struct {
		request, de39 string
		sealed        bool
	}
	seen, first := map[group][]byte{}, map[group]reason.Reason{}
	for _, c := range faults {
		function := c.function
		if function == "" {
			function = "sale"
		}
		t.Run(c.want.String()+" of "+function, func(t *testing.T) {
			g := newRig(t)
			g.healthyFor(function)
			if c.inject != nil {
				c.inject(g)
			}
			mti, f := message(t, function)
			request := pack(t, mti, with(f, c.change))
			out := must(t, g.say(t, request))
			a := unpack(t, out)
			if g.entry.Reason != c.want || a.fields[39] != c.want.DE39().String() {
				t.Fatalf("%s, DE39 %s", g.entry.Reason, a.fields[39])
			}
			checkMAC(t, g, a)
			again := a.fields[39] == "77" || a.fields[39] == "A0" || a.fields[39] == "99"
			if (a.requirement == '3') != again || (a.requirement != '0' && !again) {
				t.Errorf("requirement %c with DE39 %s", a.requirement, a.fields[39])
			}
			if approved := a.fields[39] == "00" && function == "sale"; (a.fields[38] != "") != approved {
				t.Errorf("DE38 %q with DE39 %s", a.fields[38], a.fields[39])
			}
			refused := c.want != reason.None && !c.want.OfIssuer()
			if g.x.Refused() != refused {
				t.Errorf("leaves on the tick of refused proofs: %v, want %v", g.x.Refused(), refused)
			}
			k := group{string(request), a.fields[39], a.fields[64] != ""}
			if a.fields[39] == "00" {
				return
			}
			if was, ok := seen[k]; ok && !bytes.Equal(was, out) {
				t.Errorf("its answer differs from that of %s, which has the same DE39 %s", first[k], a.fields[39])
			} else if !ok {
				seen[k], first[k] = slices.Clone(out), c.want
			}
		})
	}
}

// TestSizesWithinOneDE39 holds for requests that differ too, as long as their echoes do not.
func TestSizesWithinOneDE39(t *testing.T) {
	sizes := map[string]int{}
	for _, c := range faults {
		if c.function != "" || c.change[4] == "-" {
			continue
		}
		g := newRig(t)
		if c.inject != nil {
			c.inject(g)
		}
		mti, f := message(t, "sale")
		a := unpack(t, must(t, g.say(t, pack(t, mti, with(f, c.change)))))
		key := a.fields[39] + fmt.Sprint(a.fields[64] != "")
		if was, ok := sizes[key]; ok && was != len(a.numbers) {
			t.Errorf("%s: %d elements, others of DE39 %s have %d", c.want, len(a.numbers), a.fields[39], was)
		}
		sizes[key] = len(a.numbers)
	}
}

// TestRepeat: 9A.1, 9A.2: the recorded fields over the repeat's own request, MACed again.
func TestRepeat(t *testing.T) {
	g := newRig(t)
	g.prior(transaction.Standing, "00")
	g.snapshot.Session.Pending = keys.Set{Number: 8, Code: keys.SignInTDES, Issued: now}
	a := unpack(t, must(t, g.say(t, pack(t, "0200", saleFields()))))
	want := fields{2: testPAN, 11: "000042", 12: "235959", 13: "0301", 15: "0301", 37: "000000000055", 38: "987654", 39: "00", 60: "22000012000"}
	for n, v := range want {
		if a.fields[n] != v {
			t.Errorf("element %d: %q, want %q", n, a.fields[n], v)
		}
	}
	checkMAC(t, g, a)
	if g.entry.Effect != journal.NoEffect || g.entry.Original != 55 || g.entry.Delta != 0 || g.entry.Flags&journal.FlagRepeat == 0 {
		t.Errorf("effect %s, original %d, delta %d", g.entry.Effect, g.entry.Original, g.entry.Delta)
	}
	if g.sealed.Number != 8 || g.asked != nil {
		t.Errorf("sealed under set %d, PIN asked %v", g.sealed.Number, g.asked != nil)
	}
	g = newRig(t)
	g.prior(transaction.Refused, "51")
	a = unpack(t, must(t, g.say(t, pack(t, "0200", saleFields()))))
	if a.fields[39] != "51" || a.fields[38] != "" || a.fields[44] != "" || a.fields[37] != "000000000055" {
		t.Errorf("a refusal again: DE39 %s, DE38 %q, DE44 %q, DE37 %s", a.fields[39], a.fields[38], a.fields[44], a.fields[37])
	}
	g = newRig(t)
	g.prior(transaction.Standing, "00")
	g.snapshot.Money.Prior.Available = 77
	g.snapshot.Money.Prior.AuthCode = pos.AuthCode{}
	mti, f := message(t, "balance")
	a = unpack(t, must(t, g.say(t, pack(t, mti, f))))
	if a.fields[54] != "1002156C000000000077" {
		t.Errorf("a balance again: %q", a.fields[54])
	}
}

func TestOvertakenByItsReversal(t *testing.T) {
	for _, function := range []string{"sale", "void", "refund"} {
		g := newRig(t)
		g.healthyFor(function)
		g.standing = false
		mti, f := message(t, function)
		a := unpack(t, must(t, g.say(t, pack(t, mti, f))))
		if a.fields[39] != "94" || a.fields[38] != "" || a.fields[63] != "" || a.fields[44] != "" || a.fields[64] == "" {
			t.Errorf("%s: DE39 %s, elements %v", function, a.fields[39], a.numbers)
		}
	}
}

func TestAnAnswerThatCannotBeSealedIsNone(t *testing.T) {
	g := newRig(t)
	g.line.Sealer = fakeSealer(func(pos.TerminalID, *keys.Set, mac.Algorithm, []byte) ([8]byte, error) {
		return [8]byte{}, keys.ErrSealed
	})
	if out := g.say(t, pack(t, "0200", saleFields())); out != nil {
		t.Error("an answer without the MAC that is due has left")
	}
	if g.entry.Effect != journal.Sold {
		t.Errorf("the entry is %s", g.entry.Effect)
	}
}
