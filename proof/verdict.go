package proof

import (
	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/transaction"
)

// Verdict is the judgment of one message. The zero value refuses.
type Verdict struct {
	Checks      States
	Reason      reason.Reason
	DE39        pos.ResponseCode // zero: close without an answer
	MACVerified bool
	Set         int  // index in Claims.Sets of the set that verified; -1 none
	Promote     bool // the pending set comes into force
	Repeat      bool // answer from the record Prior
	Outside     bool // outside its circle, only observed
	decided     bool
	laps        *Laps
	details     details
}

// Approved tells whether the message is approved: decided, no reason, and DE39 00.
func (v *Verdict) Approved() bool {
	return v.decided && v.Reason == reason.None && v.DE39 == pos.Approved
}

// Refused tells whether a proof did not hold; the rest of the line is then not asked.
func (v *Verdict) Refused() bool { return !v.decided || v.Reason != reason.None }

// Details is the evidence in the journal's form; a view of v.
func (v *Verdict) Details() []byte { return v.details.buf[:v.details.n] }

func (v *Verdict) pass(c Check) {
	v.Checks.Set(c, Passed)
	v.laps.Mark(Step(c))
}

// fail ends the verdict with its one root reason.
func (v *Verdict) fail(c Check, r reason.Reason) bool {
	o := Failed
	if r == reason.ModuleUnavailable || r == reason.KeyAbsent {
		o = Unavailable
	}
	if flaw == c { // only with the build tag flaw: this check always passes
		v.pass(c)
		return true
	}
	v.Checks.Set(c, o)
	v.laps.Mark(Step(c))
	v.Reason, v.DE39, v.decided = r, r.DE39(), true
	return false
}

// RefuseFrame is the verdict on bytes that are no message.
func RefuseFrame(answerable bool) (v Verdict) {
	v.Set = -1
	v.fail(Frame, reason.FrameMalformed)
	if !answerable {
		v.DE39 = pos.ResponseCode{}
	}
	return v
}

// RefuseMessage is the verdict on a frame whose elements do not fit the dialect; what says where.
func RefuseMessage(what string) (v Verdict) {
	v.Set = -1
	v.pass(Frame)
	v.details.note(Parse, textOf([]byte(what)), value{})
	v.fail(Parse, reason.MessageMalformed)
	return v
}

// RefuseKeys is a sign-in's verdict when the module holds no usable master key for the terminal.
func RefuseKeys(v Verdict) Verdict {
	v.fail(KeyAlgorithm, reason.KeyAbsent)
	return v
}

// Conclude adds what the money rules planned and what the issuer answered to a verdict whose proofs
// all held. asked is false where the issuer had no say.
func Conclude(v Verdict, plan transaction.Plan, asked bool, answer reason.Reason, ask *issuer.Ask) Verdict {
	if v.Refused() || v.Repeat {
		return v
	}
	if plan.Reason != reason.None {
		if at := asks(plan.Reason); !v.fail(at, plan.Reason) {
			return v
		}
	}
	if plan.Original != 0 {
		v.pass(Original)
		v.details.note(Original, value{}, entryOf(plan.Original))
	}
	if asked {
		v.concludeIssuer(answer, ask)
		if v.Reason != reason.None {
			return v
		}
	}
	v.DE39, v.decided = pos.Approved, true
	return v
}

func (v *Verdict) concludeIssuer(answer reason.Reason, ask *issuer.Ask) {
	at := asks(answer)
	if answer == reason.None {
		at = Checks
	}
	// In the order of the checks: what stands before the one that refused has passed.
	if at > PIN && ask.PIN == issuer.PINRight {
		v.pass(PIN)
		v.pass(CardholderVerification)
	}
	if at > CardCheck {
		v.pass(CardCheck)
	}
	if at > BalanceCheck && ask.Op == transaction.Sale {
		v.pass(BalanceCheck)
	}
	if answer != reason.None {
		v.fail(at, answer)
	}
}

// Record puts the request and its verdict into a journal entry. Effect, money and answer fields are
// the caller's.
func (v *Verdict) Record(r *Request, x *journal.Exchange) {
	*x = journal.Exchange{
		At: x.At, Source: r.Source, Terminal: r.Terminal, Merchant: r.Merchant,
		MTI: r.MTI, Type: r.Type, Network: r.NetCode, Processing: r.Processing, Batch: r.Batch, STAN: r.STAN,
		Amount: r.Amount, Currency: r.Currency, EntryMode: r.EntryMode, Condition: r.Condition,
		Card: r.Card, Shown: r.Shown, Print: r.Print,
		OriginalBatch: r.OrigBatch, OriginalSTAN: r.OrigSTAN, ReversalReason: r.Why,
		Latitude: r.Latitude, Longitude: r.Longitude, Claimed: r.Claimed, App: r.App,
		Certificate: [8]byte(r.Certificate[:8]),
		Reason:      v.Reason, DE39: v.DE39, Checks: uint64(v.Checks), Details: v.Details(), Operator: r.Operator,
	}
	for _, f := range [...]struct {
		on   bool
		flag uint16
	}{
		{v.MACVerified, journal.FlagMACVerified}, {r.HasPIN(), journal.FlagPIN}, {r.HasTrack2, journal.FlagTrack2},
		{r.HasTrack3, journal.FlagTrack3}, {r.HasChipData, journal.FlagChip}, {v.Promote, journal.FlagPromoted},
		{v.Repeat, journal.FlagRepeat}, {r.HasPlace, journal.FlagPlace}, {v.Outside, journal.FlagOutside},
		{r.TrackSealed, journal.FlagTrackSealed}, {r.Secure, journal.FlagTLS}, {r.Secure && r.TLS13, journal.FlagTLS13}, {r.Need == Financial && !fellBack(r), journal.FlagNoFallback},
	} {
		if f.on {
			x.Flags |= f.flag
		}
	}
}
