package host

import (
	"time"

	"touchstone/pos"
	"touchstone/reason"
)

// Seen is what may be counted of a finished message: words of tables, nothing that names a terminal, a
// card or an amount.
type Seen struct {
	MTI     pos.MTI // 0 when the message could not be read
	Type    pos.TransactionCode
	Network pos.NetworkCode
	Reason  reason.Reason
	Code    pos.ResponseCode // of the answer; the zero code is no answer
	Decided time.Duration    // from the frame to the decision, 0 when there was none
}

// Watcher is told of every message when its answer is ready. It must neither block nor keep anything.
type Watcher interface {
	Finished(s *Seen)
}

// watch tells the watcher how x ended.
func (l *Line) watch(x *Exchange, code pos.ResponseCode) {
	r, e := &x.Request, &x.entry
	s := Seen{MTI: r.MTI, Type: r.Type, Network: r.NetCode, Reason: e.Reason, Code: code, Decided: time.Duration(e.ElapsedUS) * time.Microsecond}
	switch {
	case x.failed != pos.ResponseCode{}:
		s.Reason, s.Decided = x.why, 0
	case !x.receipt.MayAnswer() && !x.suppressed: // the journal did not take it
		s.Reason = reason.JournalUnavailable
	case code == reason.ReversedBeforeArrival.DE39() && s.Reason == reason.None:
		s.Reason = reason.ReversedBeforeArrival
	}
	l.Watch.Finished(&s)
}

// Arrived is when the frame was read.
func (x *Exchange) Arrived() pos.Instant { return x.arrived }

// Wipe forgets the message: the frame, the answer that echoes parts of it, and the card number. Call it
// when the answer was copied to the connection: what an idle exchange holds is of no use to a reader of
// memory. It clears what was used, or everything where that is not known. Before that, whoever seeks the cause
// of a refusal may copy what is needed.
func (x *Exchange) Wipe() {
	x.diagnose()
	x.sample()
	x.trace()
	clear(used(x.frame[:], x.size))
	clear(used(x.answer[:], x.packed))
	x.size, x.packed = 0, 0
	x.pan.Clear()
	x.msg.Reset()
}

// used is the first n bytes of b, all of them when n is unknown.
func used(b []byte, n int) []byte {
	if n <= 0 || n > len(b) {
		return b
	}
	return b[:n]
}
