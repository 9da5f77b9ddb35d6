package host

import (
	"unsafe"

	"touchstone/admission"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/transaction"
)

// admit lets the message into the line; or refuses it before it was judged, and then the exchange is
// done: it is answered 96, or closed if it is no request.
func (l *Line) admit(x *Exchange) bool {
	if l.Gate == nil {
		return true
	}
	if !l.Gate.Enter(x.arrived, x.work()) {
		x.fail(reason.Overloaded)
		return false
	}
	x.inLine = true
	return true
}

// leave tells the gate that the exchange is out of the line, durable or without the journal.
func (x *Exchange) leave(durable bool) {
	switch {
	case !x.inLine:
		return
	case durable:
		x.line.Gate.Leave(x.arrived, x.line.Clock())
	default:
		x.line.Gate.Drop()
	}
	x.inLine = false
}

// overloaded refuses a message that was let in and found no room further on; nothing has happened.
func (x *Exchange) overloaded(c admission.Cause) {
	if x.line.Gate != nil {
		x.line.Gate.Shed(x.work(), c)
	}
	x.fail(reason.Overloaded)
}

// work is the kind of message for admission.
func (x *Exchange) work() admission.Work {
	switch {
	case x.shut || x.salvaged:
		return admission.Unread
	case x.Request.Op == transaction.Reversal:
		return admission.Reversal
	}
	switch x.Request.Need {
	case proof.Financial:
		return admission.Financial
	case proof.SignIn:
		return admission.SignIn
	case proof.Settlement:
		return admission.Settlement
	case proof.TamperReport:
		return admission.Tamper
	}
	return admission.Status
}

// spared tells whether the message is answered, or closed, without a journal entry, because there are too
// many of its kind; then the exchange is done. Nothing with an effect is ever spared, nothing approved is
// ever answered without an entry.
func (l *Line) spared(x *Exchange) bool {
	if l.Flood == nil {
		return false
	}
	r := admission.Refusal{Source: x.Request.Source, Terminal: x.Request.Terminal, Reason: x.verdict.Reason}
	switch {
	case x.effectless():
		return !l.Flood.Admit(x.arrived, r) && x.suppress()
	case x.probes() && !l.Flood.Probe(x.arrived, r):
		// A repeat is of a message that may have been approved: 96 would be a lie. It is closed.
		x.shut = x.verdict.Repeat
		x.fail(reason.RateLimited)
		return true
	}
	return false
}

// effectless: refused, and nothing of the terminal can change by it. Of messages whose MAC verified only
// those are without effect whose trace was used before, such as a captured one sent again.
func (x *Exchange) effectless() bool {
	v := &x.verdict
	if v.Reason == reason.None || v.Promote || v.Repeat {
		return false
	}
	return !v.MACVerified || x.traceRefused()
}

// probes: served without a MAC and without any effect, or a repeat: as often as anybody likes who knows a
// terminal's number, or has captured a message.
func (x *Exchange) probes() bool {
	v := &x.verdict
	if v.Repeat {
		return true
	}
	return v.Reason == reason.None && (x.Request.Need == proof.Echo || x.Request.Need == proof.StatusQuery)
}

// suppress ends the exchange as if its entry were durable. It makes the same entry, for the answer, and
// looks at it once more: one that changes something is not suppressed.
func (x *Exchange) suppress() bool {
	e := x.Conclude(View{})
	if e.Effect != journal.NoEffect || e.Delta != 0 || e.PIN != journal.PINNotTried || e.DE39 == pos.Approved || e.Flags&journal.FlagPromoted != 0 {
		return false
	}
	x.suppressed = true
	x.leave(false)
	x.Done(x)
	return true
}

// ExchangeBytes is the memory of one Exchange with its two frames; what it points to besides is small.
const ExchangeBytes = int64(unsafe.Sizeof(Exchange{}))
