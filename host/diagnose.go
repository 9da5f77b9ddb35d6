package host

import (
	"touchstone/iso8583"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
)

// Refused lends what is known of a message that was refused for a reason behind which experiment may find a cause, when
// its answer was handed over. What it points to is secret, and another message's when the call returns.
type Refused struct {
	Verdict  uint64      // the journal entry, durable
	Arrived  pos.Instant // when the frame was read
	Reason   reason.Reason
	Request  *proof.Request
	Snapshot *proof.Snapshot
	Frame    []byte // TPDU, header and message as received, without LEN
	Message  int    // where in Frame the message type begins
	PAN      pos.PAN
	PIN      bool // it holds a PIN block, which must be gone within seconds
	Proven   bool // its MAC verified
	Promoted bool // under the pending keys, which came into force by it
}

// Diagnoser is told of refused messages after their answers. Only a message is told that has an entry of its own: one
// that was only counted is not, nor is one of a reserved terminal, which is made to be refused. It is called on the
// goroutine that hands answers over: it must neither block nor keep anything, but may copy.
type Diagnoser interface {
	Refused(r Refused)
}

// diagnose tells the diagnoser. Everything that is approved leaves at the first line.
func (x *Exchange) diagnose() {
	r := x.entry.Reason
	switch {
	case r == reason.None || x.line.Causes == nil || !r.Sought():
		return
	case x.size < iso8583.EnvelopeSize || x.size > len(x.frame): // nothing was read since the last Wipe
		return
	case x.failed != pos.ResponseCode{} || x.suppressed || !x.receipt.MayAnswer() || x.canary():
		return
	}
	told := Refused{Verdict: x.receipt.Seq(), Arrived: x.arrived, Reason: r, Request: &x.Request, Snapshot: &x.Snapshot,
		Frame: x.frame[:x.size], Message: iso8583.EnvelopeSize, PAN: x.pan, PIN: x.Request.HasPIN(), Proven: x.verdict.MACVerified, Promoted: x.verdict.Promote}
	x.line.Causes.Refused(told)
}
