package proof_test

import (
	"testing"
	"time"

	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/transaction"
)

// TestTrialTellsWhatItCannot: one approved sale under trials whose outcome rests on what the journal does not keep, and
// beside each the entry that does say it.
func TestTrialTellsWhatItCannot(t *testing.T) {
	const at = pos.Instant(1_000 * time.Hour)
	online := &registry.Standing{Permit: registry.OnlineOnly}
	for name, c := range map[string]struct {
		change func(x *journal.Exchange, p *proof.Past, tr *proof.Trial)
		want   proof.Finding
		what   string
		reason reason.Reason
	}{
		"nothing is tried": {func(_ *journal.Exchange, _ *proof.Past, tr *proof.Trial) { tr.Policy = nil }, proof.AsBefore, "", 0},
		"the same policy":  {func(*journal.Exchange, *proof.Past, *proof.Trial) {}, proof.AsBefore, "", 0},
		"places refuse, none was sent or none could be read": {func(_ *journal.Exchange, _ *proof.Past, tr *proof.Trial) { tr.Policy.RefusePlace = true }, proof.CannotTell, proof.UntoldPlace, 0},
		"places refused then too": {func(_ *journal.Exchange, p *proof.Past, tr *proof.Trial) {
			tr.Policy.RefusePlace, p.Terminal.Place.Refuse = true, true
		}, proof.AsBefore, "", 0},
		"online only, a swipe of an old entry": {func(x *journal.Exchange, p *proof.Past, tr *proof.Trial) {
			tr.Permits, p.Permit, x.Flags = true, online, x.Flags&^journal.FlagNoFallback
		}, proof.CannotTell, proof.UntoldFallback, 0},
		"online only, no fallback": {func(_ *journal.Exchange, p *proof.Past, tr *proof.Trial) { tr.Permits, p.Permit = true, online }, proof.AsBefore, "", 0},
		"online only, and it was then": {func(x *journal.Exchange, p *proof.Past, tr *proof.Trial) {
			tr.Permits, p.Permit, p.Online, x.Flags = true, online, true, x.Flags&^journal.FlagNoFallback
		}, proof.AsBefore, "", 0},
		"a repeat of nobody knows when": {func(x *journal.Exchange, _ *proof.Past, _ *proof.Trial) { x.Flags |= journal.FlagRepeat }, proof.CannotTell, proof.UntoldRepeat, 0},
		"a repeat in time": {func(x *journal.Exchange, p *proof.Past, _ *proof.Trial) {
			x.Flags |= journal.FlagRepeat
			p.PriorAt = at - pos.Instant(180*time.Second)
		}, proof.AsBefore, "", 0},
		"a repeat too late": {func(x *journal.Exchange, p *proof.Past, _ *proof.Trial) {
			x.Flags |= journal.FlagRepeat
			p.PriorAt = at - pos.Instant(180*time.Second) - 1
		}, proof.NewlyRefused, "", reason.Replayed},
		"keys not given, no others": {func(_ *journal.Exchange, p *proof.Past, _ *proof.Trial) {
			p.NotGiven = func(n uint32) bool { return n == 2 }
		}, proof.NewlyRefused, "", reason.NotSignedIn},
		"keys not given, others there": {func(_ *journal.Exchange, p *proof.Past, _ *proof.Trial) {
			p.NotGiven = func(n uint32) bool { return n == 2 }
			p.Session.Pending = keys.Set{Number: 3, Code: keys.SignInTDES, Issued: at}
		}, proof.CannotTell, proof.UntoldKeys, 0},
		"keys a moment too old": {func(_ *journal.Exchange, p *proof.Past, _ *proof.Trial) {
			p.Session.InForce.Issued = at - pos.Instant(24*time.Hour)
		}, proof.NewlyRefused, "", reason.NotSignedIn},
		"keys too old, told to sign in before": {func(_ *journal.Exchange, p *proof.Past, _ *proof.Trial) {
			p.Session.InForce.Issued, p.Asked = at-pos.Instant(24*time.Hour), true
		}, proof.CannotTell, proof.UntoldSignIn, 0},
		"a clone, observed": {func(_ *journal.Exchange, p *proof.Past, _ *proof.Trial) { p.Suspected = true }, proof.AsBefore, "", 0},
		"a clone, refused": {func(_ *journal.Exchange, p *proof.Past, tr *proof.Trial) {
			p.Suspected, tr.Policy.RefuseClones = true, true
		}, proof.NewlyRefused, "", reason.CloneSuspected},
		"no funds, of a card that would have more": {func(x *journal.Exchange, p *proof.Past, _ *proof.Trial) {
			refuseAt(x, proof.BalanceCheck, reason.InsufficientFunds)
			p.Shifted = true
		}, proof.CannotTell, proof.UntoldCard, 0},
		"no funds": {func(x *journal.Exchange, _ *proof.Past, _ *proof.Trial) {
			refuseAt(x, proof.BalanceCheck, reason.InsufficientFunds)
		}, proof.AsBefore, "", 0},
		"a wrong MAC, and TLS is due": {func(x *journal.Exchange, _ *proof.Past, tr *proof.Trial) {
			refuseAt(x, proof.MAC, reason.MACFailed)
			tr.Policy.RequireTLS = true
		}, proof.OtherReason, "", reason.TransportRefused},
		"TLS was due and is no more": {func(x *journal.Exchange, _ *proof.Past, _ *proof.Trial) {
			refuseAt(x, proof.DeviceCertificate, reason.TransportRefused)
		}, proof.NoLonger, "", reason.TransportRefused},
		"a certificate of another device": {func(x *journal.Exchange, _ *proof.Past, _ *proof.Trial) {
			refuseAt(x, proof.DeviceCertificate, reason.DeviceCertificateMismatch)
		}, proof.AsBefore, "", 0},
	} {
		policy := proof.DefaultPolicy()
		tr := &proof.Trial{Policy: &policy}
		x := &journal.Exchange{At: at, MTI: 0x0200, Type: pos.Sale, EntryMode: 21, KeySet: 2, Flags: journal.FlagMACVerified | journal.FlagPIN | journal.FlagNoFallback, DE39: pos.Approved}
		p := &proof.Past{Terminal: &registry.Terminal{AnyNetwork: true, Permit: registry.FullPermit, Place: &registry.Circle{Metres: 10}, Profile: registry.Profile{SignInCode: keys.SignInTDES}},
			Merchant: new(registry.Merchant), Device: &registry.Device{State: registry.Active},
			Session: &keys.Session{InForce: keys.Set{Number: 2, Code: keys.SignInTDES, Issued: at - 1}, Last: 2},
			Refused: func(uint64) proof.Earlier { return proof.Earlier{} }, NotGiven: func(uint32) bool { return false }}
		c.change(x, p, tr)
		p.Request = &proof.Request{Need: proof.Financial, Op: transaction.Sale, MTI: x.MTI, Type: x.Type, EntryMode: x.EntryMode, HasEntry: true, HasPINBlock: true, Amount: 100}
		if a := tr.Judge(x, p); a.Finding != c.want || a.What != c.what || a.Reason != c.reason {
			t.Errorf("%s: %s %s %q, want %s %s %q", name, a.Finding, a.Reason, a.What, c.want, c.reason, c.what)
		}
	}
}

// refuseAt makes an entry one that was refused by a check.
func refuseAt(x *journal.Exchange, c proof.Check, r reason.Reason) {
	states := proof.States(x.Checks)
	states.Set(c, proof.Failed)
	x.Checks, x.Reason, x.DE39 = uint64(states), r, r.DE39()
	if c <= proof.MAC {
		x.Flags &^= journal.FlagMACVerified
		x.KeySet = 0
	}
}
