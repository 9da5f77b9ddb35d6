package transaction

import (
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// RefundAge is how long a sale may be refunded; docs/protocol/unionpay-pos.md 9A.24.
const RefundAge = 180 * 24 * time.Hour

// Ask is what a proven message wants done.
type Ask struct {
	Op         Op
	Terminal   pos.TerminalID
	Merchant   pos.MerchantID
	Batch      pos.BatchNo
	STAN       pos.STAN
	Type       pos.TransactionCode
	Processing pos.ProcessingCode
	Amount     pos.Amount
	HasAmount  bool
	Currency   pos.Currency
	Card       pos.PANHash // zero when no card was sent
	HasOrigin  bool        // DE61 was sent
	OrigBatch  pos.BatchNo
	OrigSTAN   pos.STAN
	OrigDate   uint16 // MMDD, 0 when not sent
	RRN        pos.RRN
	AuthCode   pos.AuthCode
	Claimed    journal.Totals
	Now        pos.Instant
}

// Op is a business function of the host.
type Op uint8

// The functions served.
const (
	NoOp Op = iota
	BalanceInquiry
	Sale
	Void
	Refund
	Reversal
	Settlement
)

var opNames = [...]string{"none", "balance", "sale", "void", "refund", "reversal", "settlement"}

// String is the function's word.
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return "unknown"
}

// Plan is what would happen if the issuer agrees. Reason None and Approve false never occur together.
type Plan struct {
	Reason   reason.Reason // None: go on
	Effect   journal.Effect
	Card     pos.PANHash // whose balance moves
	Delta    pos.Amount  // added to it
	Original uint64
	Ask      bool  // the issuer decides: card, PIN, balance
	Settle   uint8 // DE48 result digit
}

func refuse(r reason.Reason) Plan { return Plan{Reason: r, Effect: journal.Recorded} }

// Decide judges a proven message against its original: the record found by the ask's own key
// (reversal), by DE61 (void) or by DE37 (refund); nil when there is none. sale is, for the reversal of a
// void, the sale that was voided.
func Decide(t *Terminal, ask *Ask, original, sale *Record) Plan {
	if r := checkAmount(ask); r != reason.None {
		return refuse(r)
	}
	switch ask.Op {
	case BalanceInquiry:
		return Plan{Effect: journal.Recorded, Card: ask.Card, Ask: true}
	case Sale:
		return Plan{Effect: journal.Sold, Card: ask.Card, Delta: -ask.Amount, Ask: true}
	case Void:
		return decideVoid(t, ask, original)
	case Refund:
		return decideRefund(ask, original)
	case Reversal:
		return decideReversal(t, ask, original, sale)
	case Settlement:
		return decideSettlement(t, ask)
	}
	return refuse(reason.FunctionUnsupported)
}

func checkAmount(ask *Ask) reason.Reason {
	switch ask.Op {
	case Sale, Void, Refund:
		switch {
		case !ask.HasAmount || ask.Amount <= 0 || ask.Amount > pos.MaxAmount:
			return reason.AmountInvalid
		case ask.Currency != pos.CNY:
			return reason.CurrencyMismatch
		}
	}
	return reason.None
}

// decideVoid: same terminal, open batch, full amount, by DE61 and, if sent, equal DE37 and DE38 (9A.25).
func decideVoid(t *Terminal, ask *Ask, sale *Record) Plan {
	switch {
	case !ask.HasOrigin || sale == nil || sale.Type != pos.Sale || sale.Terminal != ask.Terminal ||
		sale.Merchant != ask.Merchant || sale.DE39 != pos.Approved || sale.State == Grave:
		return refuse(reason.OriginalNotFound)
	case sale.Amount != ask.Amount || sale.Currency != ask.Currency,
		ask.Card != pos.PANHash{} && ask.Card != sale.Card,
		ask.RRN != pos.RRN{} && ask.RRN != RRNOf(sale.Seq),
		ask.AuthCode != pos.AuthCode{} && ask.AuthCode != sale.AuthCode:
		return refuse(reason.OriginalMismatch)
	case sale.State != Standing || sale.Refunded != 0 || sale.Batch != t.Batch:
		return refuse(reason.OriginalClosed)
	}
	return Plan{Effect: journal.VoidedSale, Card: sale.Card, Delta: sale.Amount, Original: sale.Seq, Ask: true}
}

// decideRefund: by DE42, DE37, DE2 and the date in DE61; partial refunds up to the original (9A.24).
func decideRefund(ask *Ask, sale *Record) Plan {
	switch {
	case ask.RRN == pos.RRN{}:
		return refuse(reason.RefundWithoutOriginal)
	case sale == nil || sale.Type != pos.Sale || sale.Merchant != ask.Merchant || sale.Card != ask.Card ||
		sale.Card == pos.PANHash{} || sale.DE39 != pos.Approved || sale.State == Grave || sale.At > ask.Now ||
		!ask.HasOrigin || uint32(ask.OrigDate) != uint32(sale.LocalDate)%10000:
		return refuse(reason.OriginalNotFound)
	case ask.Currency != sale.Currency:
		return refuse(reason.OriginalMismatch)
	case sale.State != Standing || ask.Now.Sub(sale.At) > RefundAge:
		return refuse(reason.OriginalClosed)
	case ask.Amount > sale.Amount-sale.Refunded:
		return refuse(reason.OriginalMismatch)
	}
	return Plan{Effect: journal.Refunded, Card: sale.Card, Delta: ask.Amount, Original: sale.Seq, Ask: true}
}

// decideReversal: 9A.3 to 9A.5.
func decideReversal(t *Terminal, ask *Ask, original, sale *Record) Plan {
	switch {
	case ask.Type == pos.Refund:
		return Plan{Reason: reason.FunctionUnsupported}
	case original == nil:
		return Plan{Reason: reason.OriginalNotFound, Effect: journal.Buried}
	case original.State == Grave || original.Type != ask.Type || original.Merchant != ask.Merchant:
		return Plan{Reason: reason.OriginalNotFound}
	case original.Processing != ask.Processing || original.Amount != ask.Amount || original.Currency != ask.Currency,
		!namesOriginal(ask, original):
		return Plan{Reason: reason.OriginalMismatch}
	case original.State == Reversed:
		return Plan{Original: original.Seq}
	case original.State == Refused || original.Type == pos.Balance:
		return Plan{Effect: journal.ReversedNone, Original: original.Seq}
	case original.State != Standing || original.Refunded != 0 || original.Batch != t.Batch:
		return Plan{Reason: reason.OriginalClosed}
	case original.Type == pos.Sale:
		return Plan{Effect: journal.ReversedSale, Card: original.Card, Delta: original.Amount, Original: original.Seq}
	case original.Type == pos.Void && sale != nil && sale.State == Voided && !original.Undone:
		return Plan{Effect: journal.ReversedVoid, Card: original.Card, Delta: -original.Amount, Original: original.Seq}
	}
	return Plan{Reason: reason.OriginalClosed}
}

// namesOriginal: DE61 may be absent, name the message, or repeat that message's own DE61 (9A.3).
func namesOriginal(ask *Ask, o *Record) bool {
	return !ask.HasOrigin || (ask.OrigBatch == o.Batch && ask.OrigSTAN == o.STAN) ||
		(ask.OrigBatch == o.OrigBatch && ask.OrigSTAN == o.OrigSTAN)
}

// decideSettlement records and compares the totals and closes the batch (9A.19). A settlement of the
// batch closed last, with the same trace and totals, has its result again.
func decideSettlement(t *Terminal, ask *Ask) Plan {
	if ask.Batch == t.LastBatch && ask.STAN == t.LastSTAN && ask.Claimed == t.LastTotals && t.LastCode != 0 {
		return Plan{Settle: t.LastCode}
	}
	if ask.Batch != t.Batch {
		return Plan{Reason: reason.BatchMismatch}
	}
	p := Plan{Effect: journal.Settled, Settle: Balanced}
	if ask.Claimed != t.Totals {
		p.Reason, p.Settle = reason.TotalsMismatch, NotBalanced
	}
	return p
}

// The result digit of DE48; docs/protocol/unionpay-pos.md 2.4.
const (
	Balanced    uint8 = 1
	NotBalanced uint8 = 2
)

// RRNOf is the retrieval reference number of a journal entry: its number in 12 decimal digits, unique
// for every merchant as long as the journal lives.
func RRNOf(seq uint64) (r pos.RRN) {
	for i := len(r) - 1; i >= 0; i-- {
		r[i] = byte('0' + seq%10)
		seq /= 10
	}
	return r
}

// SeqOf is the journal entry an RRN names, 0 when it is not 12 digits.
func SeqOf(r pos.RRN) (seq uint64) {
	for _, c := range r {
		if c < '0' || c > '9' {
			return 0
		}
		seq = seq*10 + uint64(c-'0')
	}
	return seq
}
