package host

import (
	"sync/atomic"

	"touchstone/iso8583"
	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/transaction"
)

// Exchange is one message on its way through the line. It owns every buffer the message needs and is
// used again and again: New once, then Begin, Done, Finish. Only one goroutine has it at a time, but for the
// ledger and the journal between Commit and Done.
type Exchange struct {
	Request  proof.Request
	Snapshot proof.Snapshot
	Done     func(*Exchange) // called once per Begin, perhaps from the committer; must not block

	line     *Line
	frame    [iso8583.LengthSize + iso8583.MaxFrame]byte
	answer   [iso8583.LengthSize + iso8583.MaxFrame]byte
	msg      iso8583.Message
	builder  iso8583.Builder
	pan      pos.PAN
	claims   proof.Claims
	evidence proof.Evidence
	verdict  proof.Verdict
	plan     transaction.Plan
	ask      issuer.Ask
	question issuer.PINQuestion
	card     proof.CardView
	entry    journal.Exchange
	receipt  journal.Receipt
	users    atomic.Int32 // see release
	arrived  pos.Instant
	wrapped  [keys.SetSize]byte
	de62     []byte
	de62Room [64]byte
	shut     bool // close the connection, no answer
	salvaged bool // only part of the message could be read
	failed   pos.ResponseCode
	why      reason.Reason // of failed
	size     int           // bytes of frame that a message was read to, 0 when unknown
	packed   int           // bytes of answer in use, 0 when unknown

	inLine     bool // the gate counts it
	suppressed bool // refused without effect, and only counted

	sampled bool // every instant of it is read
	traced  Traced

	laps    *proof.Laps // nil: nobody measures
	lapRoom proof.Laps
}

// NewExchange makes an Exchange of a line.
func (l *Line) NewExchange(done func(*Exchange)) *Exchange {
	return &Exchange{line: l, Done: done, builder: iso8583.NewBuilder(l.Dialect), pan: pos.NewPAN()}
}

// Buffer is where the next frame is read to, LEN included. Its content is secret.
func (x *Exchange) Buffer() []byte { return x.frame[:] }

// Committed implements journal.Waiter.
func (x *Exchange) Committed(r journal.Receipt) {
	x.receipt = r
	x.mark(&x.traced.Durable)
	x.release()
}

// release ends one of the two uses of an Exchange that was enqueued: by the ledger, which folds its entry
// after enqueuing it, and by the journal, which may have made it durable before that. The last of them calls
// Done: what is done is used again, and the ledger would fold another message's entry.
func (x *Exchange) release() {
	if x.users.Add(-1) == 0 {
		x.leave(true)
		x.Done(x)
	}
}

// Refused tells whether a proof did not hold; such answers leave on a common tick (9A.16).
func (x *Exchange) Refused() bool {
	return x.verdict.Refused() && !x.verdict.Reason.OfIssuer()
}

// Proven tells whether the message's own MAC verified: the peer holds a terminal's working key. It is to be
// asked before the Exchange is used again.
func (x *Exchange) Proven() bool { return x.verdict.MACVerified }

// Changes tells whether the verdict changes the terminal's state; what changes nothing needs no lock.
func (x *Exchange) Changes() bool {
	if x.verdict.MACVerified {
		return true
	}
	if x.verdict.Refused() {
		return false
	}
	switch x.Request.Need {
	case proof.SignIn, proof.SignOff, proof.Settlement, proof.TamperReport:
		return true
	}
	return false
}

// CardOf names the card whose balance the message may move.
func (x *Exchange) CardOf(v View) pos.PANHash {
	switch x.Request.Op {
	case transaction.Void, transaction.Refund, transaction.Reversal:
		if v.Original != nil {
			return v.Original.Card
		}
	}
	return x.Request.Card
}

// Conclude makes the journal entry. The ledger calls it once under its locks with what it lends.
func (x *Exchange) Conclude(v View) *journal.Exchange {
	r := &x.Request
	x.laps.Mark(proof.Waited)
	x.plan = transaction.Plan{}
	asked, answer := false, reason.None
	if r.Op != transaction.NoOp && v.Terminal == nil {
		x.plan.Reason = reason.JournalUnavailable // nothing is approved without the terminal's money side
	} else if !x.verdict.Refused() && !x.verdict.Repeat && r.Op != transaction.NoOp {
		x.planned(v)
		x.laps.Mark(proof.Ruled)
		asked = x.plan.Ask && x.plan.Reason == reason.None
		if asked {
			answer = x.askIssuer(v)
			x.laps.Mark(proof.Banked)
		}
	}
	x.verdict = proof.Conclude(x.verdict, x.plan, asked, answer, &x.ask)
	x.record(v)
	return &x.entry
}
