package host

import (
	"touchstone/pos"
	"touchstone/reason"
)

// Traced is one message in the instants in which it passed the line: words of tables and its terminal, nothing of a card, an
// amount or a PIN. An instant that was not read is 0.
type Traced struct {
	Entry    uint64 // of the journal, 0 when it is not there
	Terminal pos.TerminalID
	MTI      pos.MTI
	Type     pos.TransactionCode
	Network  pos.NetworkCode
	Reason   reason.Reason
	Code     pos.ResponseCode // of the answer; the zero code is no answer
	Refused  bool             // a proof did not hold

	Arrived pos.Instant // the frame was read
	Asked   pos.Instant // parsed and gathered: the module is asked; of a sampled message alone
	Proved  pos.Instant // the module answered; likewise
	Decided pos.Instant // the decision, as the journal has it
	Durable pos.Instant // likewise of a sampled message alone
	Handed  pos.Instant // the answer was handed to the connection
}

// Tracer is given messages that are traced. It must neither block nor keep t.
type Tracer interface {
	// Sample tells whether a message that just arrived is one that every instant is read of.
	Sample() bool
	// Wants tells whether a message that was not sampled is traced because it was refused.
	Wants(now pos.Instant) bool
	Traced(t *Traced)
}

// mark reads the clock for a message that is sampled: at most three times, besides its arrival, its decision and its end.
func (x *Exchange) mark(at *pos.Instant) {
	if x.sampled {
		*at = x.line.Clock()
	}
}

// trace gives the message to the tracer; the answer was handed over.
func (x *Exchange) trace() {
	l := x.line
	if l.Trace == nil || x.size == 0 || !x.sampled && !x.Refused() || !x.sampled && !l.Trace.Wants(x.arrived) {
		return
	}
	r, e := &x.Request, &x.entry
	t := &x.traced
	t.Entry, t.Terminal, t.MTI, t.Type, t.Network = x.receipt.Seq(), r.Terminal, r.MTI, r.Type, r.NetCode
	t.Reason, t.Code, t.Refused = e.Reason, e.DE39, x.Refused()
	if x.failed != (pos.ResponseCode{}) {
		t.Reason, t.Code = x.why, x.failed
	}
	t.Arrived, t.Handed = x.arrived, l.Clock()
	if e.ElapsedUS > 0 {
		t.Decided = x.arrived + pos.Instant(e.ElapsedUS)*1000
	}
	l.Trace.Traced(t)
}
