package terminal

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"touchstone/iso8583"
	"touchstone/pos"
)

// The message types sent; docs/protocol/unionpay-pos.md, section 3.
const (
	financialMTI  pos.MTI = 0x0200
	refundMTI     pos.MTI = 0x0220
	reversalMTI   pos.MTI = 0x0400
	settlementMTI pos.MTI = 0x0500
	signInMTI     pos.MTI = 0x0800
	manageMTI     pos.MTI = 0x0820
)

// Network management codes, DE60.3; section 3.1.
const (
	signOffCode pos.NetworkCode = 2
	settleCode  pos.NetworkCode = 201
	echoCode    pos.NetworkCode = 301
	statusCode  pos.NetworkCode = 362
)

// Processing codes, DE3; section 2.
const (
	saleProcessing    pos.ProcessingCode = 0
	undoProcessing    pos.ProcessingCode = 200000 // void and refund
	balanceProcessing pos.ProcessingCode = 310000
)

// SignIn asks for working keys (0800). Keys whose check values do not fit the master key are not
// taken: the outcome is KeyCheckError and the keys before stay. The batch comes from DE60.2, the clock
// from DE12 and DE13.
func (t *Terminal) SignIn(ctx context.Context) (Result, error) {
	return t.signIn(ctx, pos.NetworkCode(t.cfg.SignInCode))
}

func (t *Terminal) signIn(ctx context.Context, code pos.NetworkCode) (Result, error) {
	r := &request{operation: "sign-in", mti: signInMTI, network: code, batch: t.st.Batch, de62: t.sequence(), de63: []byte(t.cfg.Operator)}
	res, err := t.manage(ctx, r)
	if err != nil {
		return Result{}, err
	}
	if res.Approved && code == pos.NetworkCode(t.cfg.SignInCode) {
		t.takeKeys(&res)
		if err := t.save(); err != nil {
			return Result{}, err
		}
	}
	t.finish(&res)
	return res, nil
}

// sequence is DE62 of a sign-in: the licence without its letter, the end of the serial number filled
// with 0 on the left; section 9A.11. It is nil when the terminal has no licence or serial number.
func (t *Terminal) sequence() []byte {
	var s iso8583.Sequence
	if t.cfg.Licence == "" || t.cfg.Serial == "" {
		return nil
	}
	copy(s.Licence[:], t.cfg.Licence[1:])
	padded := strings.Repeat("0", len(s.Serial)) + string(t.cfg.Serial)
	copy(s.Serial[:], padded[len(padded)-len(s.Serial):])
	de62, err := iso8583.AppendSequence(nil, s)
	if err != nil {
		return nil
	}
	return de62
}

// takeKeys takes what an approved sign-in brings.
func (t *Terminal) takeKeys(res *Result) {
	de62 := t.answer.Raw(62)
	s, err := newSession(t.cfg.SignInCode, t.cfg.MAC, t.tmk, de62)
	if err != nil {
		res.Approved, res.Outcome = false, KeyCheckError
		return
	}
	t.dropSession()
	t.keys = s
	t.st.Code, t.st.Keys, t.st.SignInAgain = t.cfg.SignInCode, append([]byte(nil), de62...), false
	if de60, err := t.answer.DE60(); err == nil {
		t.openBatch(de60.Batch)
		res.Batch = t.st.Batch
	}
	t.setClock()
}

// setClock sets the clock from DE12 and DE13 of the answer, of the year that brings it nearest to ours.
func (t *Terminal) setClock() {
	hms, ok1 := t.answer.Number(12)
	md, ok2 := t.answer.Number(13)
	if !ok1 || !ok2 {
		return
	}
	now := t.cfg.Now()
	best, found := time.Duration(0), false
	for year := now.In(zone()).Year() - 1; year <= now.In(zone()).Year()+1; year++ {
		at, err := time.ParseInLocation("20060102150405", fmt.Sprintf("%04d%04d%06d", year, md, hms), zone())
		if off := at.Sub(now); err == nil && (!found || off.Abs() < best.Abs()) {
			best, found = off, true
		}
	}
	if found {
		t.st.ClockOffset = int64(best.Round(time.Second) / time.Second)
	}
}

// SignOff ends the day (0820, 60.3 = 002). The working keys are dropped when the host agrees.
func (t *Terminal) SignOff(ctx context.Context) (Result, error) {
	res, err := t.manage(ctx, &request{operation: "sign-off", mti: manageMTI, network: signOffCode, batch: t.st.Batch})
	if err != nil {
		return Result{}, err
	}
	if res.Approved {
		t.dropSession()
		t.st.Keys = nil
		if err := t.save(); err != nil {
			return Result{}, err
		}
	}
	t.finish(&res)
	return res, nil
}

// Echo asks whether the host is there (0820, 60.3 = 301).
func (t *Terminal) Echo(ctx context.Context) (Result, error) {
	res, err := t.manage(ctx, &request{operation: "echo", mti: manageMTI, network: echoCode, batch: t.st.Batch})
	if err != nil {
		return Result{}, err
	}
	t.finish(&res)
	return res, nil
}

// manage sends a management message, which needs no keys and leaves nothing to undo.
func (t *Terminal) manage(ctx context.Context, r *request) (Result, error) {
	if err := t.usable(); err != nil {
		return Result{}, err
	}
	t.begin(r)
	var err error
	if r.trace, err = t.nextTrace(); err != nil {
		return Result{}, err
	}
	frame, err := t.build(r)
	if err != nil {
		return Result{}, err
	}
	if err := t.save(); err != nil {
		return Result{}, err
	}
	t.showWaiting()
	res := t.talk(ctx, r, t.cfg.From, frame)
	t.obey(&res)
	return res, nil
}

// Balance asks for the card's balance (0200, 310000).
func (t *Terminal) Balance(ctx context.Context, card Card) (Result, error) {
	r := t.financial("balance", pos.Balance, balanceProcessing, card)
	r.pan = t.panOf(card)
	return t.run(ctx, r, "")
}

// Sale sells for an amount in fen (0200, 000000). It carries the serial-number authentication.
func (t *Terminal) Sale(ctx context.Context, card Card, amount pos.Amount) (Result, error) {
	return t.run(ctx, t.sale(card, amount), KindSale)
}

func (t *Terminal) sale(card Card, amount pos.Amount) *request {
	r := t.financial("sale", pos.Sale, saleProcessing, card)
	r.amount, r.pan, r.serial = amount, t.panOf(card), true
	return r
}

// financial is what all financial requests have in common.
func (t *Terminal) financial(operation string, code pos.TransactionCode, processing pos.ProcessingCode, card Card) *request {
	return &request{operation: operation, mti: financialMTI, financial: true, code: code, processing: processing, card: card, entry: entryMode(card)}
}

// panOf is DE2 of a message about a card: beside a track only where the terminal is told to.
func (t *Terminal) panOf(card Card) pos.PAN {
	if card.Track2.Len() > 0 && !t.cfg.SendPAN {
		return pos.PAN{}
	}
	return card.PAN
}

// Void undoes a sale of the open batch, named by its trace, in full (0200, 200000). The card may be
// empty: section 9A.25 leaves it to the terminal's profile.
func (t *Terminal) Void(ctx context.Context, trace pos.STAN, card Card) (Result, error) {
	if err := t.usable(); err != nil {
		return Result{}, err
	}
	if blocked, ok, err := t.finishSettlement(ctx, "void"); err != nil || !ok {
		return blocked, err
	}
	i := t.find(KindSale, trace)
	if i < 0 || t.st.List[i].Voided {
		return Result{}, ErrOriginal
	}
	sale := t.st.List[i]
	r := t.financial("void", pos.Void, undoProcessing, card)
	r.amount, r.rrn, r.auth = sale.Amount, sale.RRN, sale.AuthCode
	r.pan = t.panOf(card)
	r.original = &iso8583.DE61{Batch: t.st.Batch, Trace: trace, Digits: 12}
	return t.run(ctx, r, KindVoid)
}

// find is the place of an entry in the list, or -1.
func (t *Terminal) find(k Kind, trace pos.STAN) int {
	for i, e := range t.st.List {
		if e.Kind == k && e.Trace == trace {
			return i
		}
	}
	return -1
}

// Original names the sale a refund gives back; docs/protocol/unionpay-pos.md, section 9A.24.
type Original struct {
	RRN  pos.RRN
	Date uint16 // DE13 of the sale, MMDD as a number
}

// Refund gives back an amount of a sale of this merchant (0220, 200000). It carries the card number and
// neither track nor PIN. It is not reversible (section 9A.5): when its answer is lost, the totals of
// the settlement tell.
func (t *Terminal) Refund(ctx context.Context, card Card, o Original, amount pos.Amount) (Result, error) {
	if card.PAN.Len() == 0 || o.RRN == (pos.RRN{}) || o.Date == 0 || o.Date > 1231 {
		return Result{}, fmt.Errorf("%w: a refund needs the card number, the RRN and the date of its sale", ErrCard)
	}
	r := t.financial("refund", pos.Refund, undoProcessing, Card{Expiry: card.Expiry})
	r.mti, r.amount, r.pan, r.rrn = refundMTI, amount, card.PAN, o.RRN.String()
	r.original = &iso8583.DE61{Date: o.Date, Digits: 16}
	return t.run(ctx, r, KindRefund)
}

// run sends a financial message: sign-in and open reversal first, its own reversal durable before it
// leaves. kind is "" for what leaves no entry.
func (t *Terminal) run(ctx context.Context, r *request, kind Kind) (Result, error) {
	if err := t.check(r, kind); err != nil {
		return Result{}, err
	}
	if blocked, ok, err := t.prepare(ctx, r.operation); err != nil || !ok {
		return blocked, err
	}
	frame, err := t.ready(r, kind)
	if err != nil {
		return Result{}, err
	}
	t.showWaiting()
	from := t.cfg.From
	if r.twist.from != "" {
		from = r.twist.from
	}
	if r.twist.copyTo != nil {
		*r.twist.copyTo = bytes.Clone(frame)
	}
	res := t.talk(ctx, r, from, frame)
	clear(frame)
	if err := t.conclude(r, kind, &res); err != nil {
		return Result{}, err
	}
	t.finish(&res)
	return res, nil
}

// check refuses what can be refused before anything is sent.
func (t *Terminal) check(r *request, kind Kind) error {
	if err := t.usable(); err != nil {
		return err
	}
	switch {
	case kind == "":
		return nil
	case r.amount <= 0 || r.amount > pos.MaxAmount:
		return ErrAmount
	case len(t.st.List) >= maxBatch:
		return ErrBatchFull
	case len(t.st.Kept) >= maxKept:
		return ErrKept
	case r.code == pos.Sale && r.card.PAN.Len() == 0:
		return fmt.Errorf("%w: no card number", ErrCard)
	}
	return nil
}

// prepare does what must come before a financial message. ok is false when it could not; blocked then
// says why nothing was sent.
func (t *Terminal) prepare(ctx context.Context, operation string) (blocked Result, ok bool, err error) {
	if blocked, ok, err = t.ensureKeys(ctx, operation); err != nil || !ok {
		return blocked, ok, err
	}
	if t.st.Reversal != nil {
		last, err := t.sendReversal(ctx)
		if err != nil {
			return Result{}, false, err
		}
		if t.st.Reversal != nil {
			return t.blocked(operation, ReversalOpen, last), false, nil
		}
	}
	if operation != "settle" {
		if blocked, ok, err := t.finishSettlement(ctx, operation); err != nil || !ok {
			return blocked, ok, err
		}
	}
	return t.ensureKeys(ctx, operation) // an answer may have asked for a sign-in
}

// ensureKeys signs in when the terminal has no working keys or was told to sign in again: once.
func (t *Terminal) ensureKeys(ctx context.Context, operation string) (blocked Result, ok bool, err error) {
	if t.keys != nil && !t.st.SignInAgain {
		return Result{}, true, nil
	}
	last, err := t.SignIn(ctx)
	if err != nil {
		return Result{}, false, err
	}
	if !last.Approved {
		return t.blocked(operation, SignInFailed, last), false, nil
	}
	return Result{}, true, nil
}

// blocked is the result of an operation that was not sent, in the words of what stopped it.
func (t *Terminal) blocked(operation string, o Outcome, last Result) Result {
	res := Result{Operation: operation, Outcome: o, DE39: last.DE39, Batch: t.st.Batch, Words: wordsFor(&Result{Outcome: o})}
	if o == SignInFailed {
		res.Words = last.Words
	}
	if t.st.Reversal != nil {
		res.Reversal = t.st.Reversal.Trace
	}
	return res
}

// ready builds a financial message and makes its trace and its reversal durable.
func (t *Terminal) ready(r *request, kind Kind) ([]byte, error) {
	r.batch = t.st.Batch
	t.begin(r)
	if r.twist.trace != 0 {
		r.trace = r.twist.trace
	} else {
		var err error
		if r.trace, err = t.nextTrace(); err != nil {
			return nil, err
		}
	}
	frame, err := t.build(r)
	if err != nil {
		return nil, err
	}
	if kind == KindSale || kind == KindVoid {
		if err := t.storeReversal(r, kind); err != nil {
			return nil, err
		}
	}
	return frame, t.save()
}

// conclude makes durable what a financial message led to.
func (t *Terminal) conclude(r *request, kind Kind, res *Result) error {
	t.obey(res)
	why := ""
	switch {
	case res.Outcome == NoAnswer:
		why = reasonNoAnswer
	case res.Outcome == WrongMAC, res.Outcome == MissingMAC && succeeded(res.DE39):
		why = reasonWrongMAC
	case res.Outcome == MissingMAC, res.Outcome == Refused && res.DE39 == pos.Code("10"):
		why = reasonOther
	}
	if t.st.Reversal != nil && why != "" {
		t.st.Reversal.Reason = why
	} else {
		t.st.Reversal = nil
	}
	if res.Approved && kind != "" {
		t.enlist(r, kind, res)
	}
	return t.save()
}

// enlist adds an approved transaction to the batch list.
func (t *Terminal) enlist(r *request, kind Kind, res *Result) {
	e := Entry{Kind: kind, Trace: r.trace, Amount: r.amount, RRN: res.RRN.String(), AuthCode: res.AuthCode.String()}
	if date, ok := t.answer.Number(13); ok {
		e.Date = uint16(date)
	}
	switch {
	case kind == KindVoid:
		e.Original = r.original.Trace
		if i := t.find(KindSale, e.Original); i >= 0 {
			t.st.List[i].Voided, e.Card = true, t.st.List[i].Card
		}
	case r.pan.Len() > 0:
		e.Card = r.pan.Truncated()
	default:
		e.Card = r.card.PAN.Truncated()
	}
	t.st.List = append(t.st.List, e)
	t.st.SettleTrace = 0 // other totals, another settlement
}
