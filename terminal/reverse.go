package terminal

import (
	"context"
	"slices"

	"touchstone/iso8583"
	"touchstone/pos"
)

// The reasons of a reversal, DE39 of the 0400; docs/protocol/unionpay-pos.md, section 3.4, rule 4.
const (
	reasonNoAnswer = "98"
	reasonWrongMAC = "A0"
	reasonOther    = "06"
)

// storeReversal puts the reversal of r into the state; the caller saves before r leaves. Until an
// answer says otherwise its reason is that there was none: that is what a crash leaves behind.
func (t *Terminal) storeReversal(r *request, kind Kind) error {
	rev := &reversal{
		Kind: kind, Trace: r.trace, Batch: r.batch, Processing: r.processing, Amount: r.amount,
		Entry: r.entry/10*10 + 2, Code: r.code, Reason: reasonNoAnswer,
	}
	if r.original != nil {
		rev.Original = r.original.Trace
	}
	if r.pan.Len() > 0 {
		sealed, err := t.sealPAN(r.pan, r.trace)
		if err != nil {
			return err
		}
		rev.SealedPAN = sealed
	}
	t.st.Reversal = rev
	return nil
}

// Reverse sends the open reversal, or, when there is none, reverses the last transaction of the batch
// with the reason 06 and without DE2. A refund is not reversible; with nothing to reverse it returns ErrOriginal.
func (t *Terminal) Reverse(ctx context.Context) (Result, error) {
	if err := t.usable(); err != nil {
		return Result{}, err
	}
	if t.st.Reversal == nil {
		if blocked, ok, err := t.finishSettlement(ctx, "reversal"); err != nil || !ok {
			return blocked, err
		}
		if err := t.reverseLast(); err != nil {
			return Result{}, err
		}
	}
	if blocked, ok, err := t.ensureKeys(ctx, "reversal"); err != nil || !ok {
		return blocked, err
	}
	return t.sendReversal(ctx)
}

// reverseLast makes the reversal of the last entry of the list durable.
func (t *Terminal) reverseLast() error {
	if len(t.st.List) == 0 {
		return ErrOriginal
	}
	e := t.st.List[len(t.st.List)-1]
	rev := &reversal{
		Kind: e.Kind, Trace: e.Trace, Batch: t.st.Batch, Amount: e.Amount, Reason: reasonOther, Listed: true,
		Entry: swipeMode + 2, Code: pos.Sale, Processing: saleProcessing,
	}
	switch {
	case e.Kind == KindVoid:
		rev.Entry, rev.Code, rev.Processing, rev.Original = typedMode+2, pos.Void, undoProcessing, e.Original
	case e.Kind != KindSale || e.Voided:
		return ErrOriginal
	}
	t.st.Reversal = rev
	return t.save()
}

// sendReversal sends the open reversal until the host has accepted it or it has been sent as often as
// it may be; then it is kept for a person (section 3.4, rules 2 and 5). It stays open when the host
// cannot be reached, which is no attempt, and when a sign-in asked for in between fails.
func (t *Terminal) sendReversal(ctx context.Context) (last Result, err error) {
	for rev := t.st.Reversal; t.st.Reversal != nil; {
		if t.st.SignInAgain && rev.Tries > 0 {
			if in, err := t.SignIn(ctx); err != nil || !in.Approved {
				return last, err
			}
		}
		r := t.reversalRequest(rev)
		t.begin(r)
		frame, err := t.build(r)
		if err != nil {
			return Result{}, err
		}
		rev.Tries++
		if err := t.save(); err != nil {
			return Result{}, err
		}
		t.showWaiting()
		last = t.talk(ctx, r, t.cfg.From, frame)
		t.obey(&last)
		t.settleReversal(rev, &last)
		if err := t.save(); err != nil {
			return Result{}, err
		}
		t.finish(&last)
		if last.Outcome == NoConnection || ctx.Err() != nil {
			break
		}
	}
	return last, nil
}

func (t *Terminal) reversalRequest(rev *reversal) *request {
	r := &request{
		operation: "reversal", mti: reversalMTI, financial: true, code: rev.Code, processing: rev.Processing,
		amount: rev.Amount, entry: rev.Entry, batch: rev.Batch, trace: rev.Trace, reason: rev.Reason,
		pan: t.openPAN(rev.SealedPAN, rev.Trace),
	}
	if rev.Kind == KindVoid {
		r.original = &iso8583.DE61{Batch: rev.Batch, Trace: rev.Original, Digits: 12}
	}
	return r
}

// settleReversal changes the state as an attempt ended.
func (t *Terminal) settleReversal(rev *reversal, res *Result) {
	switch {
	case res.Approved:
		t.st.Reversal = nil
		if rev.Listed {
			t.unlist(rev)
		}
		return
	case res.Outcome == NoConnection:
		rev.Tries--
		return
	case res.Outcome == Refused:
		rev.Reason = reasonOther
	}
	if rev.Tries >= t.cfg.ReversalLimit {
		rev.SealedPAN = nil // a person reports it by its trace
		t.st.Reversal = nil
		t.st.Kept = append(t.st.Kept, *rev)
	}
}

// unlist takes a reversed transaction off the list; the sale of a reversed void stands again.
func (t *Terminal) unlist(rev *reversal) {
	if i := t.find(rev.Kind, rev.Trace); i >= 0 {
		t.st.List = slices.Delete(t.st.List, i, i+1)
		t.st.SettleTrace = 0
	}
	if i := t.find(KindSale, rev.Original); rev.Kind == KindVoid && i >= 0 {
		t.st.List[i].Voided = false
	}
}

// Totals are what a settlement of the open batch would say: debit is every sale that was not reversed,
// voided ones included; credit every void and refund.
func (t *Terminal) Totals() (sum iso8583.Totals) {
	for _, e := range t.st.List {
		if e.Kind == KindSale {
			sum.Debit += e.Amount
			sum.DebitCount++
		} else {
			sum.Credit += e.Amount
			sum.CreditCount++
		}
	}
	return sum
}

// Settle closes the batch (0500, 60.3 = 201) with the totals as counted; section 2.4. Neither it nor
// its answer carries a MAC (section 4.4). When the answer is lost the next Settle, or whatever is next
// about money, repeats the same message first. Reversals that were kept are tried again before it. After an accepted one the list is empty and
// the next batch open; when the host's totals differ the outcome is BalanceDisagrees and Approved is true:
// the host has closed the batch.
func (t *Terminal) Settle(ctx context.Context) (Result, error) {
	if err := t.usable(); err != nil {
		return Result{}, err
	}
	if blocked, ok, err := t.prepare(ctx, "settle"); err != nil || !ok {
		return blocked, err
	}
	if blocked, ok, err := t.retryKept(ctx); err != nil || !ok {
		return blocked, err
	}
	return t.sendSettlement(ctx)
}

// finishSettlement repeats a settlement that was not answered: it may still be on its way, and would close
// the batch behind whatever is sent now. ok is false when it is not answered this time either.
func (t *Terminal) finishSettlement(ctx context.Context, operation string) (blocked Result, ok bool, err error) {
	if t.st.SettleTrace == 0 {
		return Result{}, true, nil
	}
	if blocked, ok, err := t.ensureKeys(ctx, operation); err != nil || !ok {
		return blocked, ok, err
	}
	if t.st.SettleTrace == 0 { // the sign-in told that the batch is closed
		return Result{}, true, nil
	}
	last, err := t.sendSettlement(ctx)
	if err != nil {
		return Result{}, false, err
	}
	if t.st.SettleTrace != 0 {
		return t.blocked(operation, SettlementOpen, last), false, nil
	}
	return Result{}, true, nil
}

// sendSettlement sends the settlement, or the unanswered one again.
func (t *Terminal) sendSettlement(ctx context.Context) (Result, error) {
	sent := t.st.SettleTrace
	r := &request{
		operation: "settle", mti: settlementMTI, network: settleCode, batch: t.st.Batch, trace: t.st.SettleTrace,
		settlement: &iso8583.Settlement{Domestic: t.Totals()}, de63: []byte(t.cfg.Operator),
	}
	t.begin(r)
	if r.trace == 0 {
		var err error
		if r.trace, err = t.nextTrace(); err != nil {
			return Result{}, err
		}
	}
	frame, err := t.build(r)
	if err != nil {
		return Result{}, err
	}
	t.st.SettleTrace = r.trace
	if err := t.save(); err != nil {
		return Result{}, err
	}
	t.showWaiting()
	res := t.talk(ctx, r, t.cfg.From, frame)
	t.obey(&res)
	switch {
	case res.Approved:
		t.closeBatch(&res)
	case res.Outcome == NoConnection:
		t.st.SettleTrace = sent // this one never left
	case res.Outcome == Refused:
		t.st.SettleTrace = 0
	}
	if err := t.save(); err != nil {
		return Result{}, err
	}
	t.finish(&res)
	return res, nil
}

// retryKept tries the kept reversals again, each with all its attempts: once the batch is closed no host
// undoes anything in it. ok is false when the host said nothing, or nothing authentic, to one of them: then
// the settlement waits. One that the host refused stands in its totals, and the settlement will tell.
func (t *Terminal) retryKept(ctx context.Context) (blocked Result, ok bool, err error) {
	for range len(t.st.Kept) {
		rev := t.st.Kept[0]
		rev.Tries = 0
		t.st.Reversal, t.st.Kept = &rev, slices.Delete(t.st.Kept, 0, 1)
		last, err := t.sendReversal(ctx)
		if err != nil {
			return Result{}, false, err
		}
		if !last.Approved && last.Outcome != Refused {
			return t.blocked("settle", ReversalOpen, last), false, nil
		}
	}
	return t.ensureKeys(ctx, "settle") // an answer may have asked for a sign-in
}

// closeBatch opens the next batch after an accepted settlement.
func (t *Terminal) closeBatch(res *Result) {
	if told, err := t.answer.Settlement(); err == nil {
		res.Settlement.Domestic.Result = told.Domestic.Result
		res.Settlement.Foreign.Result = told.Foreign.Result
	}
	if res.Settlement.Domestic.Result != iso8583.Balanced {
		res.Outcome = BalanceDisagrees
	}
	next := t.st.Batch.Next()
	if de60, err := t.answer.DE60(); err == nil && de60.Batch != 0 && de60.Batch != t.st.Batch {
		next = de60.Batch
	}
	t.openBatch(next)
	t.st.SettleTrace, t.st.Kept = 0, nil
}
