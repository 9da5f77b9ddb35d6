package host_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"touchstone/host"
	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
)

// TestReceipts: no answer leaves without a receipt of an outcome.
func TestReceipts(t *testing.T) {
	for name, c := range map[string]struct {
		receipt journal.Receipt
		leaves  bool
	}{
		"zero": {journal.Receipt{}, false}, "of a claim": {receipt(t, 9, journal.Claim), false}, "of an outcome": {receipt(t, 9, journal.Outcome), true},
	} {
		for _, frame := range [][]byte{pack(t, "0200", saleFields()), pack(t, "0820", management("0820", "301")), pack(t, "0200", saleFields())[:60]} {
			g := newRig(t)
			g.receipt = c.receipt
			if out := g.say(t, frame); (out != nil) != c.leaves {
				t.Errorf("%s: answered %v", name, out != nil)
			}
		}
	}
	// A receipt of the message before does not serve the next one.
	g := newRig(t)
	g.say(t, pack(t, "0200", saleFields()))
	g.receipt = journal.Receipt{}
	if g.say(t, pack(t, "0200", saleFields())) != nil {
		t.Error("answered under the receipt of an earlier message")
	}
	// Nor while the entry of the next one is not durable yet.
	g = newRig(t)
	frame := pack(t, "0200", saleFields())
	g.say(t, frame)
	g.ledger.commit = func(x *host.Exchange) error { x.Conclude(g.view); return nil }
	g.line.Begin(g.x.Buffer()[:copy(g.x.Buffer(), frame)], peer, g.x)
	if out, shut := g.line.Finish(g.x); out != nil || !shut {
		t.Error("answered before the entry was durable, under the receipt of an earlier message")
	}
}

// TestUnknownTraceIsClosed: where it cannot be read whether a sale's trace was used before, it may be the
// repeat of one that was approved.
func TestUnknownTraceIsClosed(t *testing.T) {
	g := newRig(t)
	g.ledger.gather = func(*proof.Request, pos.Instant, *proof.Snapshot) error { return errors.New("disk") }
	if out := g.say(t, pack(t, "0200", saleFields())); out != nil {
		t.Errorf("answered %s", unpack(t, out).fields[39])
	}
}

// TestFailedBeforeAnyEffect: 96 without a reference number and without a MAC, for every way to fail.
func TestFailedBeforeAnyEffect(t *testing.T) {
	broken := errors.New("disk")
	always := func(err error) func(*rig) {
		return func(g *rig) { g.ledger.commit = func(*host.Exchange) error { return err } }
	}
	sale, signIn := pack(t, "0200", saleFields()), pack(t, "0800", management("0800", "003"))
	sizes := map[int]bool{}
	for _, c := range []struct {
		name   string
		frame  []byte
		inject func(*rig)
	}{
		{"what is known cannot be read", signIn, func(g *rig) {
			g.ledger.gather = func(*proof.Request, pos.Instant, *proof.Snapshot) error { return broken }
		}},
		{"the journal refuses", sale, always(broken)},
		{"the queue is full", sale, always(journal.ErrQueueFull)},
		{"the terminal never stands still", sale, always(host.ErrConflict)},
		{"the journal refuses after the conclusion", sale, func(g *rig) {
			g.ledger.commit = func(x *host.Exchange) error { x.Conclude(g.view); return broken }
		}},
		{"the journal refuses a refusal", sale[:60], always(broken)},
		{"no keys can be drawn", signIn, func(g *rig) {
			g.line.Keys = fakeKeys(func(pos.NetworkCode) (set [keys.SetSize]byte, de62 []byte, err error) {
				return set, nil, keys.ErrSealed
			})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newRig(t)
			c.inject(g)
			a := unpack(t, must(t, g.say(t, c.frame)))
			for _, n := range []int{37, 38, 44, 54, 62, 63, 64} {
				if slices.Contains(a.numbers, n) {
					t.Errorf("it carries element %d", n)
				}
			}
			if a.fields[39] != "96" || a.requirement != '0' || a.fields[12] != "120000" || a.fields[13] != "0302" {
				t.Errorf("DE39 %s, requirement %c, DE12 %s, DE13 %s", a.fields[39], a.requirement, a.fields[12], a.fields[13])
			}
			if string(c.frame) == string(sale) {
				sizes[len(a.numbers)] = true
			}
		})
	}
	if len(sizes) != 1 {
		t.Errorf("the answers have %d shapes", len(sizes))
	}
	g := newRig(t)
	always(broken)(g)
	if g.say(t, pack(t, "0210", saleFields())) != nil || g.say(t, []byte{1}) != nil {
		t.Error("what is no request was answered because the journal failed")
	}
}

// TestNoAnswerAfterTheJournalStopped: what is sent again may be in the journal, so a refusal could be false.
func TestNoAnswerAfterTheJournalStopped(t *testing.T) {
	for name, frame := range map[string][]byte{
		"a sale": pack(t, "0200", saleFields()), "a sign-in": pack(t, "0800", management("0800", "003")), "a damaged message": pack(t, "0200", saleFields())[:60],
	} {
		g := newRig(t)
		g.ledger.commit = func(*host.Exchange) error { return fmt.Errorf("enqueue: %w", journal.ErrStopped) }
		g.line.Begin(g.x.Buffer()[:copy(g.x.Buffer(), frame)], peer, g.x)
		if out, shut := g.line.Finish(g.x); out != nil || !shut {
			t.Errorf("%s: answered, or the connection stays open: %t", name, shut)
		}
	}
}

// TestConflict: a message is judged again, from the start, when its terminal changed.
func TestConflict(t *testing.T) {
	g := newRig(t)
	left := 3
	g.ledger.commit = func(x *host.Exchange) error {
		if left--; left > 0 {
			return host.ErrConflict
		}
		g.snapshot.Terminal.Suspended = true // too late: this was judged before
		return g.commit(x)
	}
	a := unpack(t, must(t, g.say(t, pack(t, "0200", saleFields()))))
	if a.fields[39] != "00" || g.gathered != 3 || g.proved != 3 {
		t.Errorf("DE39 %s, gathered %d, proved %d", a.fields[39], g.gathered, g.proved)
	}
	g = newRig(t)
	g.ledger.commit = func(x *host.Exchange) error {
		if g.gathered == 1 {
			g.snapshot.Session.SignedOff = true
			return host.ErrConflict
		}
		return g.commit(x)
	}
	if a := unpack(t, must(t, g.say(t, pack(t, "0200", saleFields())))); a.fields[39] != "77" || a.fields[64] != "" {
		t.Errorf("judged again after a sign-off: DE39 %s", a.fields[39])
	}
}

// TestNotDoneWhileTheLedgerFolds: the journal may make an entry durable while the ledger, which enqueued it,
// has not folded it yet. The exchange is not done before both are: once done it carries another message, whose
// entry would be folded in place of this one.
func TestNotDoneWhileTheLedgerFolds(t *testing.T) {
	for _, function := range []string{"sale", "sign-in"} {
		g := newRig(t)
		g.healthyFor(function)
		g.ledger.commit = func(x *host.Exchange) error {
			view := g.view
			view.Card = g.card
			g.entry = *x.Conclude(view)
			durable := make(chan struct{})
			go func() { // the committer
				defer close(durable)
				x.Committed(g.receipt)
			}()
			<-durable
			if g.done > 0 {
				t.Errorf("%s: done before the ledger has folded the entry", function)
			}
			return nil
		}
		mti, f := message(t, function)
		if a := unpack(t, must(t, g.say(t, pack(t, mti, f)))); a.fields[39] != "00" {
			t.Errorf("%s: DE39 %s", function, a.fields[39])
		}
	}
}

// TestNothingIsApprovedWithoutTheMoneySide: a ledger that lends nothing cannot have an approval.
func TestNothingIsApprovedWithoutTheMoneySide(t *testing.T) {
	for function, s := range served {
		g := newRig(t)
		g.healthyFor(function)
		g.ledger.commit = func(x *host.Exchange) error {
			g.entry = *x.Conclude(host.View{})
			x.Committed(g.receipt)
			return nil
		}
		mti, f := message(t, function)
		a := unpack(t, must(t, g.say(t, pack(t, mti, f))))
		if moves := s.op != 0; moves && (a.fields[39] != "96" || g.entry.Delta != 0 || g.entry.Reason != reason.JournalUnavailable) {
			t.Errorf("%s: DE39 %s, %s", function, a.fields[39], g.entry.Reason)
		}
	}
}

// TestPINIsVerifiedLast: only when every other proof held, once, under the set that verified.
func TestPINIsVerifiedLast(t *testing.T) {
	frame := pack(t, "0200", with(saleFields(), withPIN))
	g := newRig(t)
	g.card.Verifier = [16]byte{5}
	if a := unpack(t, must(t, g.say(t, frame))); a.fields[39] != "00" || g.entry.PIN != journal.PINRight {
		t.Errorf("DE39 %s, PIN %d", a.fields[39], g.entry.PIN)
	}
	if q := g.asked; q == nil || q.Set.Number != 7 || len(q.Block) != 8 || q.Form != issuer.PINFormat0 || q.Verifier != g.card.Verifier {
		t.Error("the vault was not asked about this block under this set")
	}
	for _, c := range faults {
		if c.function != "" || c.inject == nil || c.change != nil {
			continue
		}
		g := newRig(t)
		c.inject(g)
		g.say(t, frame)
		if r := g.entry.Reason; r.OfIssuer() || r == reason.NoCardholderVerification || r == reason.FallbackRefused || r == reason.None {
			continue // the bank's own
		}
		if g.asked != nil {
			t.Errorf("%s, and the PIN was examined", g.entry.Reason)
		}
	}
	g = newRig(t)
	g.prior(1, "00")
	if g.say(t, frame); g.asked != nil {
		t.Error("the PIN of a repeat was examined again")
	}
	g = newRig(t)
	g.ledger.card = func(pos.PANHash) proof.CardView { return proof.CardView{Verifier: [16]byte{6}} }
	if g.say(t, frame); g.entry.Reason != reason.ModuleUnavailable || g.entry.PIN != journal.PINNotTried {
		t.Errorf("the PIN was changed in between: %s", g.entry.Reason)
	}
	g = newRig(t)
	g.pin = issuer.PINWrong
	if g.say(t, frame); g.entry.PIN != journal.PINWrong || g.entry.Delta != 0 || g.entry.Effect != journal.Recorded {
		t.Errorf("a wrong PIN: outcome %d, delta %d, %s", g.entry.PIN, g.entry.Delta, g.entry.Effect)
	}
}

// TestHashingFails: what must be journaled and cannot be made is not passed.
func TestHashingFails(t *testing.T) {
	for name, h := range map[string]fakeHasher{
		"card":        {func(pos.PAN) (pos.PANHash, error) { return pos.PANHash{}, keys.ErrSealed }, newRig(t).hasher.print},
		"fingerprint": {newRig(t).hasher.hash, func([]byte) ([16]byte, error) { return [16]byte{}, keys.ErrSealed }},
	} {
		g := newRig(t)
		g.line.Hasher = h
		a := unpack(t, must(t, g.say(t, pack(t, "0200", saleFields()))))
		if a.fields[39] != "96" || a.fields[64] != "" || g.entry.Effect != journal.NoEffect || g.entry.Reason != reason.ModuleUnavailable {
			t.Errorf("%s: DE39 %s, %s, %s", name, a.fields[39], g.entry.Reason, g.entry.Effect)
		}
	}
}

// TestUnprovenLeavesNoCard: of a message whose MAC did not verify no card is kept, not even truncated.
func TestUnprovenLeavesNoCard(t *testing.T) {
	g := newRig(t)
	g.evidence = proof.Evidence{MAC: proof.Failed}
	g.say(t, pack(t, "0200", saleFields()))
	if g.entry.Card != (pos.PANHash{}) || g.entry.Shown != (pos.TruncatedPAN{}) || g.entry.Print != [16]byte{} {
		t.Error("the entry names a card")
	}
	g = newRig(t)
	g.say(t, pack(t, "0200", saleFields()))
	if g.entry.Card != g.hash || g.entry.Shown.String() != testPAN[:6]+"******"+testPAN[len(testPAN)-4:] {
		t.Error("the entry does not name the card")
	}
}

// TestIssuesKeys: the layout of each code, and a master key that cannot be used.
func TestIssuesKeys(t *testing.T) {
	for code, size := range map[int]int{1: 24, 3: 40, 4: 60, 5: 40, 6: 60} {
		g := newRig(t)
		g.line.Policy.AllowSingleDES = true
		g.snapshot.Terminal.Profile.SignInCode = pos.NetworkCode(code)
		a := unpack(t, must(t, g.say(t, pack(t, "0800", management("0800", fmt.Sprintf("%03d", code))))))
		if len(a.fields[62]) != 2*size || g.entry.KeyCode != pos.NetworkCode(code) || len(g.entry.Wrapped) != keys.SetSize || a.fields[64] != "" {
			t.Errorf("code %03d: DE62 of %d bytes, journaled code %s", code, len(a.fields[62])/2, g.entry.KeyCode)
		}
	}
	for _, err := range []error{keys.ErrOwner, keys.ErrUsage, keys.ErrWrapped} {
		g := newRig(t)
		g.line.Keys = fakeKeys(func(pos.NetworkCode) (set [keys.SetSize]byte, de62 []byte, _ error) { return set, nil, err })
		a := unpack(t, must(t, g.say(t, pack(t, "0800", management("0800", "003")))))
		if a.fields[39] != "A7" || a.fields[62] != "" || g.entry.Effect != journal.NoEffect || g.entry.Reason != reason.KeyAbsent {
			t.Errorf("%v: DE39 %s, %s", err, a.fields[39], g.entry.Effect)
		}
	}
	g := newRig(t)
	g.snapshot.Money.Batch = 34
	a := unpack(t, must(t, g.say(t, pack(t, "0800", management("0800", "003")))))
	if a.fields[60] != "00000034003" {
		t.Errorf("DE60 %s: 60.2 is not the batch now open (9A.8)", a.fields[60])
	}
}

// TestAReportOfTampering without a sign-in and with a DE64 once reached for a key set that is not there.
func TestAReportOfTampering(t *testing.T) {
	mti, f := message(t, "tamper")
	g := newRig(t)
	if g.say(t, pack(t, mti, f)); g.entry.Effect != journal.Tampered {
		t.Errorf("%s, %s", g.entry.Reason, g.entry.Effect)
	}
	g = newRig(t)
	g.snapshot.Session = keys.Session{}
	g.evidence = proof.Evidence{MAC: proof.Failed}
	a := unpack(t, must(t, g.say(t, pack(t, mti, with(f, fields{64: "4535383035454342"})))))
	if a.fields[39] != "77" || g.entry.Effect != journal.NoEffect {
		t.Errorf("DE39 %s, %s", a.fields[39], g.entry.Effect)
	}
}

// TestNothingStays: what one message said is not said of the next on the same Exchange.
func TestNothingStays(t *testing.T) {
	g, fresh := newRig(t), newRig(t)
	g.say(t, pack(t, "0200", with(saleFields(), withPIN)))
	echo := pack(t, "0820", management("0820", "301"))
	a, b := g.say(t, echo), fresh.say(t, echo)
	if string(a) != string(b) {
		t.Error("the answer depends on the message before")
	}
	if fmt.Sprintf("%+v", g.entry) != fmt.Sprintf("%+v", fresh.entry) {
		t.Error("the entry depends on the message before")
	}
	if g.x.Request.PAN.Len() != 0 {
		t.Error("the card number of the message before is still there")
	}
}
