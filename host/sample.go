package host

import (
	"touchstone/iso8583"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
)

// Sampler is lent messages when their answers were handed over, so that people can be shown one taken apart. A message that
// was only counted is not lent, nor is one of a reserved terminal. It is called on the goroutine that hands answers over: it
// must neither block nor keep frame, but may copy.
type Sampler interface {
	// Pick tells whether a message that came at an instant is one of the few whose every check is timed while it is judged. It is
	// asked of every message.
	Pick(arrived pos.Instant) bool
	Handed(m Sampled)
}

// Sampled is one message that is lent. Frame is secret, and another message's when the call returns.
type Sampled struct {
	Entry   uint64 // the journal's, durable
	Refused bool   // a proof did not hold
	Frame   []byte // TPDU, header and message as received, without LEN

	Laps *proof.Laps // of a message that was picked, of the sampler for the time of the call; nil of another
	Judged
}

// Judged is what a message was judged by, so that it can be judged again. Snapshot is another message's when the call returns;
// a copy of it holds nothing secret, and what it points to does not change.
type Judged struct {
	Arrived  pos.Instant // when the frame was read, as the entry has it
	Peer     Peer
	Snapshot *proof.Snapshot
	Checks   proof.States
	Reason   reason.Reason
}

// sample lends the message to the sampler.
func (x *Exchange) sample() {
	switch {
	case x.line.Samples == nil || x.size < iso8583.EnvelopeSize || x.size > len(x.frame): // nothing was read since the last Wipe
		return
	case x.failed != pos.ResponseCode{} || x.suppressed || !x.receipt.MayAnswer() || x.canary():
		return
	}
	r := &x.Request
	x.line.Samples.Handed(Sampled{Entry: x.receipt.Seq(), Refused: x.Refused(), Frame: x.frame[:x.size], Laps: x.laps, Judged: Judged{
		Arrived: x.arrived, Peer: Peer{r.Conn, r.Source, r.Certificate, r.Secure, r.TLS13}, Snapshot: &x.Snapshot, Checks: x.verdict.Checks, Reason: x.verdict.Reason}})
}
