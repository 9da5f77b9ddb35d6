package host

import (
	"errors"

	"touchstone/iso8583"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
)

// Opinion is what the line would say of a message now.
type Opinion struct {
	Verdict proof.Verdict
	Entry   journal.Exchange // what is claimed and judged, in the journal's form; it is in no journal
	// Partly tells that all proofs held and what comes after them was not asked: the original, the card, the PIN, the
	// balance. A PIN is never tried here: it would be a try that nobody counts.
	Partly bool
}

// Would judges a frame, TPDU and header first, as Begin does, without any effect: nothing is written, no trace is used, no
// key is drawn, no PIN is tried and nobody is told. It is for a test data directory: asked again and again it tells whether a
// MAC is right. It fails where the ledger cannot be read; what is no message has an Opinion like any other.
func (l *Line) Would(frame []byte, peer Peer) (Opinion, error) {
	x := l.NewExchange(nil)
	x.reset(l.Clock(), peer)
	frame = x.Buffer()[iso8583.LengthSize:][:copy(x.Buffer()[iso8583.LengthSize:], frame)]
	defer clear(x.frame[:])
	switch err := l.Dialect.Parse(&x.msg, frame); {
	case err == nil:
		x.claim()
		if x.shut {
			break
		}
		if err := l.Ledger.Gather(&x.Request, x.arrived, &x.Snapshot); err != nil {
			return Opinion{}, err
		}
		if err := l.decide(x); err != nil {
			return Opinion{}, err
		}
	case errors.Is(err, iso8583.ErrEnvelope), errors.Is(err, iso8583.ErrFrameLength):
		x.verdict = proof.RefuseFrame(false)
	default:
		x.salvage(frame, err)
	}
	o := Opinion{Verdict: x.verdict, Partly: !x.verdict.Refused() && !x.verdict.Repeat}
	o.Entry.At = x.arrived
	x.verdict.Record(&x.Request, &o.Entry)
	o.Entry.Card, o.Entry.Print = pos.PANHash{}, [16]byte{} // keyed values serve nobody here
	return o, nil
}
