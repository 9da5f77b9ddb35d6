package host

import (
	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/transaction"
)

// Order is money that goes back to the card of a sale because two people approved a claim. No terminal sends
// it, so no proof is asked for; the money rules, the bank, the locks and the journal are those of a message.
type Order struct {
	Rests  journal.Redress
	Sale   uint64 // the sale's entry
	Amount pos.Amount

	line  *Line
	entry journal.Exchange
	room  [journal.MaxDetails]byte
}

// NewOrder makes an order. A ledger carries it out.
func (l *Line) NewOrder(rests journal.Redress, sale uint64, amount pos.Amount) *Order {
	return &Order{Rests: rests, Sale: sale, Amount: amount, line: l}
}

// Conclude makes the journal entry, or says why the money may not move: a refund by the rules of a refund, a
// compensation only for a sale that is known. The ledger calls it under its locks with what it lends; entry is
// nil where the reason is not None.
func (o *Order) Conclude(v View) (entry *journal.Exchange, why reason.Reason) {
	sale := v.Original
	switch {
	case v.Terminal == nil || sale == nil || sale.Seq != o.Sale || sale.Type != pos.Sale || sale.DE39 != pos.Approved:
		return nil, reason.OriginalNotFound
	case o.Amount <= 0 || o.Amount > pos.MaxAmount:
		return nil, reason.AmountInvalid
	}
	now := o.line.Clock()
	effect := journal.Compensated
	if o.Rests.Part == journal.RefundPart {
		plan := transaction.Decide(v.Terminal, &transaction.Ask{Op: transaction.Refund, Terminal: sale.Terminal, Merchant: sale.Merchant,
			Type: pos.Refund, Processing: refundProcessing, Amount: o.Amount, HasAmount: true, Currency: sale.Currency, Card: sale.Card,
			HasOrigin: true, OrigBatch: sale.Batch, OrigSTAN: sale.STAN, OrigDate: uint16(uint32(sale.LocalDate) % 10000),
			RRN: transaction.RRNOf(sale.Seq), Now: now}, sale, nil)
		if plan.Reason != reason.None {
			return nil, plan.Reason
		}
		effect = plan.Effect
	}
	ask := issuer.Ask{Op: transaction.Refund, Amount: o.Amount}
	if why := issuer.Decide(v.Card, &ask); why != reason.None {
		return nil, why
	}
	o.entry = journal.Exchange{At: now, Terminal: sale.Terminal, Merchant: sale.Merchant, MTI: 0x0220, Type: pos.Refund, Processing: refundProcessing,
		Amount: o.Amount, Currency: sale.Currency, Flags: journal.FlagRedress, Card: sale.Card, Shown: v.Card.Shown,
		OriginalBatch: sale.Batch, OriginalSTAN: sale.STAN, DE39: pos.Approved, Details: o.Rests.AppendDetails(o.room[:0]),
		LocalDate: o.line.date(now), LocalTime: o.line.clock(now), Effect: effect, Delta: o.Amount, Original: sale.Seq}
	if o.line.Test {
		o.entry.Flags |= journal.FlagTest
	}
	return &o.entry, reason.None
}

// refundProcessing is DE3 of a refund; docs/protocol/unionpay-pos.md, the table of data elements.
const refundProcessing pos.ProcessingCode = 200000
