package host

import (
	"errors"

	"touchstone/iso8583"
	"touchstone/pos"
	"touchstone/proof"
)

// measure has the time of every check taken from an instant on.
func (x *Exchange) measure(from pos.Instant) {
	x.laps = &x.lapRoom
	x.laps.Clock = x.line.Clock
	x.laps.Begin(from)
}

// Measure judges a refused message again by what it was judged by, and takes the time of every check: of most messages nobody
// knows beforehand that they will be refused, and reading the clock for all of them would cost every sale. Nothing is written,
// no trace used, no PIN tried and nobody told. x is an exchange of its own, and is wiped. same is false where the judgment came
// out otherwise: its times are then those of something else.
func (l *Line) Measure(x *Exchange, frame []byte, j *Judged) (laps *proof.Laps, same bool) {
	defer x.Wipe() // of everything, as its size stays unknown
	x.reset(j.Arrived, j.Peer)
	x.size = 0
	frame = x.Buffer()[iso8583.LengthSize:][:copy(x.Buffer()[iso8583.LengthSize:], frame)]
	x.measure(l.Clock())
	switch err := l.Dialect.Parse(&x.msg, frame); {
	case err == nil:
		x.claim()
		x.laps.Mark(proof.Step(proof.Parse))
		if x.shut {
			break
		}
		x.Snapshot = *j.Snapshot
		if l.decide(x) != nil {
			return nil, false
		}
	case errors.Is(err, iso8583.ErrEnvelope), errors.Is(err, iso8583.ErrFrameLength):
		x.verdict = proof.RefuseFrame(false)
		x.laps.Mark(proof.Step(proof.Frame))
	default:
		x.salvage(frame, err)
		x.laps.Mark(proof.Step(proof.Parse))
	}
	return x.laps, x.verdict.Checks == j.Checks && x.verdict.Reason == j.Reason
}
