package terminal

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"touchstone/iso8583"
	"touchstone/paycrypto"
	"touchstone/pos"
)

// Misbehave does one fault with a card and an amount, and returns what came back for the message that
// was wrong. What has to come before it is done in the ordinary way; it fails with ErrPrelude when that
// is refused. Where the host leaves the message unanswered or answers it without a MAC, a reversal stays
// open as after any sale.
func (t *Terminal) Misbehave(ctx context.Context, f Fault, card Card, amount pos.Amount) (Result, error) {
	if err := t.usable(); err != nil {
		return Result{}, err
	}
	row, err := Describe(f)
	if err != nil {
		return Result{}, err
	}
	if err := t.has(row.Needs, card); err != nil {
		return Result{}, err
	}
	return row.do(t, ctx, card, amount)
}

// The numbers of the faults.
const (
	faultSensor  = 1
	faultRaise   = 100 // fen
	garbageBytes = 64
)

func (t *Terminal) twisted(ctx context.Context, w twist, card Card, amount pos.Amount) (Result, error) {
	r := t.sale(card, amount)
	r.twist = w
	return t.run(ctx, r, KindSale)
}

// otherCode is a sign-in code that is not the terminal's.
func otherCode(own paycrypto.SignInCode) paycrypto.SignInCode {
	if own == paycrypto.SignInTDES {
		return paycrypto.SignInSM4
	}
	return paycrypto.SignInTDES
}

// withFormerKey sells as misuse twists a sale of one who has the keys of an earlier sign-in. The first time it signs in
// twice and uses the new keys once, so that the host retires the old ones; they are kept until Close.
func (t *Terminal) withFormerKey(ctx context.Context, card Card, amount pos.Amount, misuse func(former *session) twist) (Result, error) {
	if t.former == nil {
		if err := t.retireKeys(ctx, card); err != nil {
			return Result{}, err
		}
	}
	return t.twisted(ctx, misuse(t.former), card, amount)
}

// retireKeys makes the keys of a sign-in former ones.
func (t *Terminal) retireKeys(ctx context.Context, card Card) error {
	defer func() { t.keep = false }()
	for i := range 2 {
		t.keep = i == 1
		r, err := t.SignIn(ctx)
		if err != nil {
			return err
		}
		if !r.Approved {
			return fmt.Errorf("%w: sign-in: %v", ErrPrelude, r.Outcome)
		}
	}
	t.keep = false
	used, err := t.Balance(ctx, card)
	switch {
	case err != nil:
		return err
	case !used.MACVerified:
		return fmt.Errorf("%w: balance: %v", ErrPrelude, used.Outcome)
	case t.former == nil || t.st.SignInAgain:
		return fmt.Errorf("%w: another sign-in was asked for", ErrPrelude)
	}
	return nil
}

// sell is the approved sale that a fault needs beforehand.
func (t *Terminal) sell(ctx context.Context, w twist, card Card, amount pos.Amount) (Result, error) {
	sold, err := t.twisted(ctx, w, card, amount)
	if err == nil && !sold.Approved {
		err = fmt.Errorf("%w: sale: %v", ErrPrelude, sold.Outcome)
	}
	return sold, err
}

// replay sells, reverses the sale, and sends the sale's bytes again. An answer within the host's repeat
// window would be honest if the sale still stood (section 9A.1).
func (t *Terminal) replay(ctx context.Context, card Card, amount pos.Amount) (Result, error) {
	var frame []byte
	defer func() { clear(frame) }()
	sold, err := t.sell(ctx, twist{copyTo: &frame}, card, amount)
	if err != nil {
		return Result{}, err
	}
	undone, err := t.Reverse(ctx)
	if err != nil {
		return Result{}, err
	}
	if !undone.Approved {
		return Result{}, fmt.Errorf("%w: reversal: %v", ErrPrelude, undone.Outcome)
	}
	r := t.sale(card, amount)
	r.trace, r.batch = sold.Trace, t.st.Batch
	return t.raw(ctx, r, frame)
}

// raw sends bytes as they are, with no reversal to follow.
func (t *Terminal) raw(ctx context.Context, r *request, frame []byte) (Result, error) {
	t.begin(r)
	t.showWaiting()
	res := t.talk(ctx, r, t.cfg.From, frame)
	t.obey(&res)
	if err := t.save(); err != nil {
		return Result{}, err
	}
	t.finish(&res)
	return res, nil
}

// duplicate sells, and sells again for another amount under the same trace.
func (t *Terminal) duplicate(ctx context.Context, card Card, amount pos.Amount) (Result, error) {
	sold, err := t.sell(ctx, twist{}, card, amount)
	if err != nil {
		return Result{}, err
	}
	return t.twisted(ctx, twist{trace: sold.Trace}, card, amount+faultRaise)
}

// cutFrame sends the first half of a sale and ends the stream. The host cannot have had it whole, so
// there is nothing to reverse.
func (t *Terminal) cutFrame(ctx context.Context, card Card, amount pos.Amount) (Result, error) {
	if blocked, ok, err := t.prepare(ctx, "sale"); err != nil || !ok {
		return blocked, err
	}
	r := t.sale(card, amount)
	frame, err := t.ready(r, "")
	if err != nil {
		return Result{}, err
	}
	defer clear(frame)
	return t.broken(ctx, r, frame[:len(frame)/2])
}

// garbage sends a length and random bytes that begin with no TPDU.
func (t *Terminal) garbage(ctx context.Context) (Result, error) {
	frame := make([]byte, iso8583.LengthSize+garbageBytes)
	if _, err := io.ReadFull(t.cfg.Random, frame[iso8583.LengthSize:]); err != nil {
		return Result{}, fmt.Errorf("draw random bytes: %w", err)
	}
	binary.BigEndian.PutUint16(frame, garbageBytes)
	frame[iso8583.LengthSize] |= 0x80 // never 60
	return t.broken(ctx, &request{operation: "garbage"}, frame)
}

// broken sends what is no message on a connection of its own, ends the stream, and takes any frame that
// comes back as the answer.
func (t *Terminal) broken(ctx context.Context, r *request, frame []byte) (Result, error) {
	t.link.close()
	defer t.link.close()
	res := Result{Operation: r.operation, Request: r.mti, Trace: r.trace, Batch: r.batch, Amount: r.amount, Outcome: NoConnection}
	start := t.cfg.Now()
	if t.link.open(ctx, t.cfg.From) == nil && t.link.send(ctx, frame) == nil {
		t.hear(ctx, &res)
	}
	res.Elapsed = t.cfg.Now().Sub(start)
	t.finish(&res)
	return res, nil
}

// hear ends our side of the stream and reads what the host makes of it.
func (t *Terminal) hear(ctx context.Context, res *Result) {
	if half, ok := t.link.conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // a connection that is gone already shows in the read
	}
	ctx, cancel := context.WithTimeout(ctx, t.cfg.Timeout)
	defer cancel()
	res.Outcome = Refused
	err := t.link.receive(ctx, func(frame []byte) bool {
		if iso8583.UnionPay.Parse(&t.answer, frame) == nil {
			res.MTI = t.answer.MTI()
			copy(res.DE39[:], t.answer.Text(39))
		}
		return true
	})
	if err != nil {
		res.Outcome, res.Closed = NoAnswer, err == io.EOF
	}
}
