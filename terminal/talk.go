package terminal

import (
	"bytes"
	"context"
	"errors"
	"io"

	"touchstone/iso8583"
	"touchstone/pos"
)

// echoed are the elements an answer must repeat as they were sent; docs/protocol/unionpay-pos.md,
// section 3.4, rule 8.
var echoed = [...]int{3, 4, 11, 41, 42}

// talk sends a frame and judges what comes back. It changes no state.
func (t *Terminal) talk(ctx context.Context, r *request, from string, frame []byte) (res Result) {
	res = Result{Operation: r.operation, Request: r.mti, Trace: r.trace, Batch: r.batch, Amount: r.amount}
	start := t.cfg.Now()
	defer func() { res.Elapsed = t.cfg.Now().Sub(start) }()
	if r.settlement != nil {
		res.Settlement = *r.settlement
	}
	if iso8583.UnionPay.Parse(&t.asked, frame[iso8583.LengthSize:]) != nil {
		t.asked.Reset()
	}
	if t.link.open(ctx, from) != nil || t.link.send(ctx, frame) != nil {
		res.Outcome = NoConnection
		return res
	}
	ctx, cancel := context.WithTimeout(ctx, t.cfg.Timeout)
	defer cancel()
	if err := t.link.receive(ctx, t.belongs); err != nil {
		res.Outcome, res.Closed = NoAnswer, errors.Is(err, io.EOF)
		return res
	}
	t.judge(r, &res)
	return res
}

// belongs tells whether a frame is a well-formed answer to what was asked: its message type, an answer
// code, and every echoed element that was sent, byte for byte.
func (t *Terminal) belongs(frame []byte) bool {
	if iso8583.UnionPay.Parse(&t.answer, frame) != nil || t.answer.MTI() != t.asked.MTI().Response() || !t.answer.Has(39) {
		return false
	}
	for _, n := range echoed {
		if t.asked.Has(n) && !bytes.Equal(t.asked.Raw(n), t.answer.Raw(n)) {
			return false
		}
	}
	return true
}

// judge reads t.answer into res. An answer whose MAC is due and not right approves nothing
// (docs/protocol/unionpay-pos.md, section 9A.15).
func (t *Terminal) judge(r *request, res *Result) {
	m := t.answer
	res.MTI, res.Requirement = m.MTI(), m.Envelope().Requirement()
	copy(res.DE39[:], m.Text(39))
	if r.financial {
		switch {
		case !m.Has(64):
			res.Outcome = MissingMAC
			return
		case t.keys == nil || !t.keys.mak.Verify(m.MAB(), m.Raw(64)):
			res.Outcome = WrongMAC
			return
		}
		res.MACVerified = true
	}
	copy(res.RRN[:], m.Text(37))
	copy(res.AuthCode[:], m.Text(38))
	if balance, err := m.DE54(); err == nil {
		res.Balance, res.HasBalance = balance.Amount, true
		if balance.Debit {
			res.Balance = -balance.Amount
		}
	}
	res.Approved, res.Outcome = r.accepts(res.DE39), Refused
	if res.Approved {
		res.Outcome = Done
	}
}

// accepts tells whether an answer code means that the host did what was asked: class A of section 7
// but for 10, a partial approval, for which this terminal does not ask; for a reversal 00, 12 and 25
// (section 3.4, rule 5); for management 00 alone.
func (r *request) accepts(code pos.ResponseCode) bool {
	if code == pos.Approved {
		return true
	}
	switch {
	case r.mti == reversalMTI:
		return code == pos.Code("12") || code == pos.Code("25")
	case r.financial:
		return succeeded(code)
	}
	return false
}

// succeeded tells whether a code is of class A, 10 left out.
func succeeded(code pos.ResponseCode) bool {
	switch code.String() {
	case "00", "11", "A2", "A4", "A5", "A6":
		return true
	}
	return false
}

// obey does what an answer asks for beyond its transaction: header requirement 3, and the codes 77, A0
// and 99, want a sign-in before the next one; section 7.1.
func (t *Terminal) obey(res *Result) {
	switch res.DE39.String() {
	case "77", "A0", "99":
		t.st.SignInAgain = true
	}
	if res.MTI != 0 && res.Requirement == iso8583.SignInAgain {
		t.st.SignInAgain = true
	}
}

// finish words a result, shows it and reports it.
func (t *Terminal) finish(res *Result) {
	res.Words = wordsFor(res)
	if t.st.Reversal != nil {
		res.Reversal = t.st.Reversal.Trace
	}
	t.showResult(res)
	if t.cfg.OnMessage != nil {
		t.cfg.OnMessage(*res)
	}
}
