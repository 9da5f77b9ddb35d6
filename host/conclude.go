package host

import (
	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/transaction"
)

// planned asks the money rules.
func (x *Exchange) planned(v View) {
	r := &x.Request
	x.plan = transaction.Decide(v.Terminal, &transaction.Ask{
		Op: r.Op, Terminal: r.Terminal, Merchant: r.Merchant, Batch: r.Batch, STAN: r.STAN, Type: r.Type,
		Processing: r.Processing, Amount: r.Amount, HasAmount: r.HasAmount, Currency: r.Currency, Card: r.Card,
		HasOrigin: r.HasOrigin, OrigBatch: r.OrigBatch, OrigSTAN: r.OrigSTAN, OrigDate: r.OrigDate, RRN: r.RRN,
		AuthCode: r.AuthCode, Claimed: r.Claimed, Now: x.arrived,
	}, v.Original, v.Sale)
}

// askIssuer asks the embedded bank.
func (x *Exchange) askIssuer(v View) reason.Reason {
	r := &x.Request
	pin := x.ask.PIN
	if v.Card != nil && pin != issuer.NoPIN && v.Card.Verifier != x.card.Verifier {
		pin = issuer.PINUnavailable // the PIN was changed between verification and now
	}
	date := x.line.date(x.arrived)
	x.ask = issuer.Ask{
		Op: r.Op, Amount: r.Amount, Expiry: r.Expiry, ServiceCode: r.Service, HasTrack: r.HasTrack2,
		Chip: r.Chip(), Swiped: r.Swiped(), ChipReader: x.Snapshot.Terminal.Profile.ChipReader, PIN: pin,
		Month: uint16(uint32(date) / 100 % 10000), Canary: x.canary(),
	}
	if pin != issuer.NoPIN && (r.Card == pos.PANHash{} || (v.Card != nil && v.Card.Card != r.Card)) {
		return reason.PINFormat // a PIN without its card
	}
	return issuer.Decide(v.Card, &x.ask)
}

// record fills the journal entry.
func (x *Exchange) record(v View) {
	r, e := &x.Request, &x.entry
	e.At = x.arrived
	x.verdict.Record(r, e)
	now := x.line.Clock()
	e.ElapsedUS = uint32(min(now.Sub(x.arrived).Microseconds(), 1<<31))
	e.LocalDate, e.LocalTime = x.line.date(x.arrived), x.line.clock(x.arrived)
	if x.line.Test {
		e.Flags |= journal.FlagTest
	}
	if x.canary() {
		e.Flags |= journal.FlagCanary
	}
	if x.verdict.Set >= 0 {
		e.KeySet = x.claims.Sets[x.verdict.Set].Number
	}
	x.laps.Mark(proof.Entered)
	x.effect(v)
	if e.Effect == journal.Settled && v.Terminal != nil {
		e.NextBatch = v.Terminal.Batch.Next()
	}
	e.SettleCode = x.plan.Settle
}

// effect decides what the entry changes.
func (x *Exchange) effect(v View) {
	r, e := &x.Request, &x.entry
	switch {
	case x.verdict.Repeat:
		e.Effect, e.Original = journal.NoEffect, x.Snapshot.Money.Prior.Seq
	case r.Need == proof.Financial:
		x.financialEffect(v)
	case x.verdict.Refused() && x.plan.Effect != journal.Settled:
		e.Effect = journal.NoEffect
	case r.Need == proof.SignIn:
		e.Effect, e.KeyCode, e.Wrapped = journal.KeysIssued, x.Snapshot.Terminal.Profile.SignInCode, x.wrapped[:]
	case r.Need == proof.SignOff && x.Snapshot.SameConn:
		e.Effect = journal.SignedOff
	case r.Need == proof.TamperReport:
		e.Effect = journal.Tampered
	case r.Need == proof.Settlement:
		e.Effect = x.plan.Effect
	}
}

func (x *Exchange) financialEffect(v View) {
	r, e := &x.Request, &x.entry
	if x.ask.PIN == issuer.PINRight && x.verdict.Checks.Of(proof.PIN) == proof.Passed {
		e.PIN = journal.PINRight
	}
	if x.verdict.Reason == reason.PINWrong {
		e.PIN = journal.PINWrong
	}
	switch {
	case x.verdict.Approved():
		e.Effect, e.Delta, e.Original = x.plan.Effect, x.plan.Delta, x.plan.Original
		if x.plan.Delta != 0 || e.PIN != journal.PINNotTried {
			e.Card = x.plan.Card
		}
		if r.Op != transaction.Reversal {
			e.AuthCode = authCode(r.Print)
		}
		if r.Op == transaction.BalanceInquiry && v.Card != nil {
			e.Available, e.AuthCode = v.Card.Balance, pos.AuthCode{}
		}
		if x.canary() {
			e.Effect, e.Delta = moneyless(e.Effect), 0
		}
	case x.plan.Effect == journal.Buried:
		e.Effect = journal.Buried
	case x.verdict.MACVerified && r.Op != transaction.Reversal && !x.traceRefused():
		e.Effect = journal.Recorded
	}
}

// canary tells whether the message names a reserved terminal. Whatever is approved to it, the record is
// kept and no money moves: a known-bad message may be approved by a host whose proofs are broken.
func (x *Exchange) canary() bool { return x.Snapshot.Terminal != nil && x.Snapshot.Terminal.Canary }

// moneyless is an effect without its money.
func moneyless(e journal.Effect) journal.Effect {
	switch e {
	case journal.Sold, journal.VoidedSale, journal.Refunded:
		return journal.Recorded
	case journal.ReversedSale, journal.ReversedVoid:
		return journal.ReversedNone
	}
	return e
}

// traceRefused: a repeat, replay or duplicate never replaces the record of the first.
func (x *Exchange) traceRefused() bool {
	switch x.verdict.Reason {
	case reason.Replayed, reason.DuplicateTrace, reason.ReversedBeforeArrival:
		return true
	}
	return false
}

// authCode is DE38: six digits of the request's keyed fingerprint.
func authCode(print [16]byte) (a pos.AuthCode) {
	n := uint32(print[0])<<24 | uint32(print[1])<<16 | uint32(print[2])<<8 | uint32(print[3])
	for i := len(a) - 1; i >= 0; i-- {
		a[i] = byte('0' + n%10)
		n /= 10
	}
	return a
}

func (l *Line) date(at pos.Instant) pos.Date {
	t := at.Time().In(l.Zone)
	return pos.Date(t.Year()*10000 + int(t.Month())*100 + t.Day())
}

func (l *Line) clock(at pos.Instant) uint32 {
	t := at.Time().In(l.Zone)
	return uint32(t.Hour()*10000 + t.Minute()*100 + t.Second())
}
