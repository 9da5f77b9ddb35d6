package proof

import (
	"touchstone/journal"
	"touchstone/paycrypto/mac"
	"touchstone/reason"
	"touchstone/transaction"
)

// The events that stop sales and let them go on. Their parameters are those below.
const (
	EventStopped = "sales_stopped"
	EventResumed = "sales_resumed"

	StopCheck     = "proof"     // the stable name of a Check; of a resumption "" or absent is every one
	StopAlgorithm = "algorithm" // with MAC and MAC grade: the name of a mac.Algorithm; absent is every one
)

// Stops are the proofs that no longer prove, as far as policy stops the sales that rest on them. The
// zero value stops nothing. It is a fold of the journal's events.
type Stops struct {
	checks uint32 // bit of Check
	macs   uint64 // bit of mac.Algorithm
}

// Any tells whether anything is stopped.
func (s Stops) Any() bool { return s != Stops{} }

// Fold applies one event of the journal; others than the two above change nothing.
func (s *Stops) Fold(e *journal.Event) {
	if e.Name != EventStopped && e.Name != EventResumed {
		return
	}
	var which Stops
	if c, ok := ParseCheck(e.Parameters[StopCheck]); ok {
		which = stopOf(c, e.Parameters[StopAlgorithm])
	} else if e.Name == EventResumed || e.Parameters[StopCheck] != "" {
		which = Stops{^uint32(0), ^uint64(0)} // an unknown proof of a later version stops everything
	}
	if e.Name == EventStopped {
		s.checks, s.macs = s.checks|which.checks, s.macs|which.macs
		return
	}
	s.checks, s.macs = s.checks&^which.checks, s.macs&^which.macs
}

func stopOf(c Check, algorithm string) Stops {
	if c == MAC || c == MACGrade {
		for a := mac.Algorithm(1); a < 64; a++ {
			if algorithm != "" && a.String() == algorithm {
				return Stops{macs: 1 << a}
			}
		}
	}
	return Stops{checks: 1 << c}
}

// Names are the stopped proofs, a MAC algorithm as "MAC: NAME", in the order of the checks.
func (s Stops) Names() (names []string) {
	for c := range Checks {
		if s.checks>>c&1 != 0 {
			names = append(names, c.String())
		}
		for a := mac.Algorithm(1); c == MAC && a < 64; a++ {
			if name := a.String(); s.macs>>a&1 != 0 && name != "none" {
				names = append(names, "MAC: "+name)
			}
		}
	}
	return names
}

// ParseCheck reads a check's stable name.
func ParseCheck(name string) (Check, bool) {
	for c := range Checks {
		if c.String() == name {
			return c, true
		}
	}
	return Checks, false
}

// effective: a sale is refused while a proof it rests on is known not to prove. Which rests on which:
// docs/design/010-effectiveness.md. Money going back by reversal is never held up, and a canary's own
// messages go on, so that it is seen what would happen.
func (d *decision) effective() bool {
	if flaw == refuseAll { // only with the build tag flaw
		return d.v.fail(PolicyCheck, reason.Overloaded)
	}
	if !d.s.Stops.Any() || d.s.Terminal.Canary {
		return true
	}
	for c := range Checks {
		if d.s.Stops.checks>>c&1 != 0 && d.restsOn(c) {
			return d.stopped(c.String())
		}
	}
	if set := d.v.Set; set >= 0 && d.r.Op != transaction.NoOp && d.r.Op != transaction.Reversal && d.r.Op != transaction.BalanceInquiry {
		if a := d.c.Algorithms[set]; d.s.Stops.macs>>a&1 != 0 {
			return d.stopped(a.String())
		}
	}
	return true
}

func (d *decision) stopped(what string) bool {
	d.v.details.note(PolicyCheck, textOf([]byte(what)), value{})
	return d.v.fail(PolicyCheck, reason.ProofIneffective)
}

// restsOn tells whether the message is a sale, void or refund that must not be approved while a check
// does not prove.
func (d *decision) restsOn(c Check) bool {
	switch d.r.Op {
	case transaction.Sale, transaction.Void, transaction.Refund:
	default:
		return false
	}
	switch c {
	case PIN:
		return d.r.HasPIN()
	case Serial:
		return needsSerial(d.r, d.s.Device)
	case Track:
		return d.r.HasTrack2
	case EMVConsistency:
		return d.r.HasChipData || d.r.Chip()
	case Place:
		return d.s.Terminal.Place != nil
	case DeviceCertificate:
		return d.s.Device.Certificate != ""
	case Original:
		return d.r.Op != transaction.Sale
	case CardholderVerification, CardCheck, BalanceCheck:
		return d.r.Op == transaction.Sale
	}
	return true
}

// refuseAll is no check: with the build tag flaw it makes the host refuse everything.
const refuseAll = Checks + 1
