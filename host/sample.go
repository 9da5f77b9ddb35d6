package host

import (
	"touchstone/iso8583"
	"touchstone/pos"
)

// Sampler is lent messages when their answers were handed over, so that people can be shown one taken apart. A message that
// was only counted is not lent, nor is one of a reserved terminal. It is called on the goroutine that hands answers over: it
// must neither block nor keep frame, but may copy.
type Sampler interface {
	Handed(m Sampled)
}

// Sampled is one message that is lent. Frame is secret, and another message's when the call returns.
type Sampled struct {
	Entry   uint64      // the journal's, durable
	Arrived pos.Instant // when the frame was read, as the entry has it
	Refused bool        // a proof did not hold
	Frame   []byte      // TPDU, header and message as received, without LEN
}

// sample lends the message to the sampler.
func (x *Exchange) sample() {
	switch {
	case x.line.Samples == nil || x.size < iso8583.EnvelopeSize || x.size > len(x.frame): // nothing was read since the last Wipe
		return
	case x.failed != pos.ResponseCode{} || x.suppressed || !x.receipt.MayAnswer() || x.canary():
		return
	}
	x.line.Samples.Handed(Sampled{Entry: x.receipt.Seq(), Arrived: x.arrived, Refused: x.Refused(), Frame: x.frame[:x.size]})
}
