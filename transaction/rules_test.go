package transaction_test

import (
	"testing"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/transaction"
)

const day = 24 * time.Hour

var (
	terminal = pos.TerminalID([]byte("00000001"))
	merchant = pos.MerchantID([]byte("898310048160001"))
	card     = pos.PANHash{1}
	totals   = journal.Totals{DebitAmount: 100, DebitCount: 1}
)

// scene is a question to Decide. The base is right in everything.
type scene struct {
	t              transaction.Terminal
	ask            transaction.Ask
	original, sale *transaction.Record
}

// soldScene has a sale of 100 with trace 5 in batch 3, on March 1, entry 9.
func soldScene() scene {
	return scene{
		t: transaction.Terminal{Batch: 3, Totals: totals},
		ask: transaction.Ask{Terminal: terminal, Merchant: merchant, Batch: 3, STAN: 6, Amount: 100, HasAmount: true, Currency: pos.CNY,
			Card: card, Now: pos.Instant(100 * day)},
		original: &transaction.Record{Seq: 9, Terminal: terminal, Merchant: merchant, Batch: 3, STAN: 5, MTI: 0x0200, Type: pos.Sale,
			Amount: 100, Currency: pos.CNY, Card: card, At: pos.Instant(99 * day), DE39: pos.Approved, AuthCode: pos.AuthCode([]byte("123456")),
			LocalDate: 20240301, State: transaction.Standing},
	}
}

func saleScene() scene {
	s := soldScene()
	s.ask.Op, s.ask.Type, s.original = transaction.Sale, pos.Sale, nil
	return s
}

func voidScene() scene {
	s := soldScene()
	s.ask.Op, s.ask.Type, s.ask.Processing, s.ask.HasOrigin, s.ask.OrigBatch, s.ask.OrigSTAN = transaction.Void, pos.Void, 200000, true, 3, 5
	return s
}

func refundScene() scene {
	s := soldScene()
	s.ask.Op, s.ask.Type, s.ask.Processing, s.ask.RRN = transaction.Refund, pos.Refund, 200000, transaction.RRNOf(9)
	s.ask.HasOrigin, s.ask.OrigDate = true, 301
	return s
}

func reversalScene() scene {
	s := soldScene()
	s.ask.Op, s.ask.Type, s.ask.STAN = transaction.Reversal, pos.Sale, 5
	return s
}

// voidReversalScene reverses the void of the sale: entry 12, trace 6.
func voidReversalScene() scene {
	s := soldScene()
	s.sale = s.original
	s.sale.State = transaction.Voided
	v := *s.sale
	v.Seq, v.STAN, v.Type, v.Processing, v.Original, v.OrigBatch, v.OrigSTAN, v.State = 12, 6, pos.Void, 200000, 9, 3, 5, transaction.Standing
	s.original = &v
	s.ask.Op, s.ask.Type, s.ask.Processing, s.ask.STAN = transaction.Reversal, pos.Void, 200000, 6
	return s
}

func balanceReversalScene() scene {
	s := reversalScene()
	s.original.Type, s.original.Processing, s.original.Amount = pos.Balance, 310000, 0
	s.ask.Type, s.ask.Processing, s.ask.Amount, s.ask.HasAmount = pos.Balance, 310000, 0, false
	return s
}

func settleScene() scene {
	s := soldScene()
	s.ask = transaction.Ask{Op: transaction.Settlement, Batch: 3, STAN: 7, Claimed: totals}
	s.original = nil
	return s
}

func approve(effect journal.Effect, delta pos.Amount, original uint64) transaction.Plan {
	return transaction.Plan{Effect: effect, Card: card, Delta: delta, Original: original, Ask: true}
}

func refuse(r reason.Reason) transaction.Plan {
	return transaction.Plan{Reason: r, Effect: journal.Recorded}
}

func undo(effect journal.Effect, delta pos.Amount, original uint64) transaction.Plan {
	p := transaction.Plan{Effect: effect, Delta: delta, Original: original}
	if delta != 0 {
		p.Card = card
	}
	return p
}

func no(r reason.Reason) transaction.Plan { return transaction.Plan{Reason: r} }

type decideCase struct {
	name   string
	base   func() scene
	change func(s *scene)
	want   transaction.Plan
}

// TestDecide: one case a rule of docs/protocol/unionpay-pos.md 3.4, 9A.3 to 9A.5, 9A.19, 9A.24, 9A.25. The
// record of what was asked for is the base; each case changes one thing.
func TestDecide(t *testing.T) {
	for _, list := range [][]decideCase{saleCases, voidCases, refundCases, reversalCases, settlementCases} {
		for _, c := range list {
			t.Run(c.name, func(t *testing.T) {
				s := c.base()
				if c.change != nil {
					c.change(&s)
				}
				if got := transaction.Decide(&s.t, &s.ask, s.original, s.sale); got != c.want {
					t.Errorf("%+v, want %+v", got, c.want)
				}
			})
		}
	}
}

var saleCases = []decideCase{
	{"sale", saleScene, nil, approve(journal.Sold, -100, 0)},
	{"sale of the most", saleScene, func(s *scene) { s.ask.Amount = pos.MaxAmount }, approve(journal.Sold, -pos.MaxAmount, 0)},
	{"sale beyond the most", saleScene, func(s *scene) { s.ask.Amount = pos.MaxAmount + 1 }, refuse(reason.AmountInvalid)},
	{"sale of one", saleScene, func(s *scene) { s.ask.Amount = 1 }, approve(journal.Sold, -1, 0)},
	{"sale of nothing", saleScene, func(s *scene) { s.ask.Amount = 0 }, refuse(reason.AmountInvalid)},
	{"sale below nothing", saleScene, func(s *scene) { s.ask.Amount = -1 }, refuse(reason.AmountInvalid)},
	{"sale without amount", saleScene, func(s *scene) { s.ask.HasAmount = false }, refuse(reason.AmountInvalid)},
	{"sale in another currency", saleScene, func(s *scene) { s.ask.Currency = pos.Currency([]byte("840")) }, refuse(reason.CurrencyMismatch)},
	{"sale without currency", saleScene, func(s *scene) { s.ask.Currency = pos.Currency{} }, refuse(reason.CurrencyMismatch)},
	{"balance", saleScene, func(s *scene) { s.ask.Op, s.ask.HasAmount, s.ask.Amount = transaction.BalanceInquiry, false, 0 },
		transaction.Plan{Effect: journal.Recorded, Card: card, Ask: true}},
	{"nothing asked", saleScene, func(s *scene) { s.ask.Op = transaction.NoOp }, refuse(reason.FunctionUnsupported)},
	{"unknown function", saleScene, func(s *scene) { s.ask.Op = 99 }, refuse(reason.FunctionUnsupported)},
}

var voidCases = []decideCase{
	{"void", voidScene, nil, approve(journal.VoidedSale, 100, 9)},
	{"void without card", voidScene, func(s *scene) { s.ask.Card = pos.PANHash{} }, approve(journal.VoidedSale, 100, 9)},
	{"void with RRN and code", voidScene, func(s *scene) { s.ask.RRN, s.ask.AuthCode = transaction.RRNOf(9), s.original.AuthCode }, approve(journal.VoidedSale, 100, 9)},
	{"void of nothing known", voidScene, func(s *scene) { s.original = nil }, refuse(reason.OriginalNotFound)},
	{"void without DE61", voidScene, func(s *scene) { s.ask.HasOrigin = false }, refuse(reason.OriginalNotFound)},
	{"void of a void", voidScene, func(s *scene) { s.original.Type = pos.Void }, refuse(reason.OriginalNotFound)},
	{"void of a balance", voidScene, func(s *scene) { s.original.Type = pos.Balance }, refuse(reason.OriginalNotFound)},
	{"void from another terminal", voidScene, func(s *scene) { s.original.Terminal[0]++ }, refuse(reason.OriginalNotFound)},
	{"void by another merchant", voidScene, func(s *scene) { s.original.Merchant[0]++ }, refuse(reason.OriginalNotFound)},
	{"void of a refused sale", voidScene, func(s *scene) { s.original.DE39, s.original.State = pos.Code("51"), transaction.Refused }, refuse(reason.OriginalNotFound)},
	{"void of a refused sale, reversed", voidScene, func(s *scene) { s.original.DE39, s.original.State = pos.Code("51"), transaction.Reversed }, refuse(reason.OriginalNotFound)},
	{"void of a tombstone", voidScene, func(s *scene) { s.original.State = transaction.Grave }, refuse(reason.OriginalNotFound)},
	{"void, one less", voidScene, func(s *scene) { s.ask.Amount-- }, refuse(reason.OriginalMismatch)},
	{"void, one more", voidScene, func(s *scene) { s.ask.Amount++ }, refuse(reason.OriginalMismatch)},
	{"void of nothing", voidScene, func(s *scene) { s.ask.Amount, s.original.Amount = 0, 0 }, refuse(reason.AmountInvalid)},
	{"void, sold in another currency", voidScene, func(s *scene) { s.original.Currency = pos.Currency([]byte("840")) }, refuse(reason.OriginalMismatch)},
	{"void with another card", voidScene, func(s *scene) { s.ask.Card[0]++ }, refuse(reason.OriginalMismatch)},
	{"void with another RRN", voidScene, func(s *scene) { s.ask.RRN = transaction.RRNOf(8) }, refuse(reason.OriginalMismatch)},
	{"void with another code", voidScene, func(s *scene) { s.ask.AuthCode = pos.AuthCode([]byte("123457")) }, refuse(reason.OriginalMismatch)},
	{"void again", voidScene, func(s *scene) { s.original.State = transaction.Voided }, refuse(reason.OriginalClosed)},
	{"void of a reversed sale", voidScene, func(s *scene) { s.original.State = transaction.Reversed }, refuse(reason.OriginalClosed)},
	{"void after a refund", voidScene, func(s *scene) { s.original.Refunded = 1 }, refuse(reason.OriginalClosed)},
	{"void after settlement", voidScene, func(s *scene) { s.t.Batch = 4 }, refuse(reason.OriginalClosed)},
}

var refundCases = []decideCase{
	{"refund", refundScene, nil, approve(journal.Refunded, 100, 9)},
	{"refund of a part", refundScene, func(s *scene) { s.ask.Amount = 1 }, approve(journal.Refunded, 1, 9)},
	{"refund of the rest", refundScene, func(s *scene) { s.ask.Amount, s.original.Refunded = 40, 60 }, approve(journal.Refunded, 40, 9)},
	{"refund beyond the rest", refundScene, func(s *scene) { s.ask.Amount, s.original.Refunded = 41, 60 }, refuse(reason.OriginalMismatch)},
	{"refund beyond the sale", refundScene, func(s *scene) { s.ask.Amount = 101 }, refuse(reason.OriginalMismatch)},
	{"refund of what is all refunded", refundScene, func(s *scene) { s.ask.Amount, s.original.Refunded = 1, 100 }, refuse(reason.OriginalMismatch)},
	{"refund from another terminal", refundScene, func(s *scene) { s.original.Terminal[0]++ }, approve(journal.Refunded, 100, 9)},
	{"refund after settlement", refundScene, func(s *scene) { s.t.Batch = 4 }, approve(journal.Refunded, 100, 9)},
	{"refund without DE37", refundScene, func(s *scene) { s.ask.RRN = pos.RRN{} }, refuse(reason.RefundWithoutOriginal)},
	{"refund of nothing known", refundScene, func(s *scene) { s.original = nil }, refuse(reason.OriginalNotFound)},
	{"refund of a void", refundScene, func(s *scene) { s.original.Type = pos.Void }, refuse(reason.OriginalNotFound)},
	{"refund by another merchant", refundScene, func(s *scene) { s.original.Merchant[0]++ }, refuse(reason.OriginalNotFound)},
	{"refund to another card", refundScene, func(s *scene) { s.ask.Card[0]++ }, refuse(reason.OriginalNotFound)},
	{"refund without a card", refundScene, func(s *scene) { s.ask.Card, s.original.Card = pos.PANHash{}, pos.PANHash{} }, refuse(reason.OriginalNotFound)},
	{"refund of a refused sale", refundScene, func(s *scene) { s.original.DE39, s.original.State = pos.Code("55"), transaction.Refused }, refuse(reason.OriginalNotFound)},
	{"refund of a refused sale, reversed", refundScene, func(s *scene) { s.original.DE39, s.original.State = pos.Code("55"), transaction.Reversed }, refuse(reason.OriginalNotFound)},
	{"refund of a tombstone", refundScene, func(s *scene) { s.original.State = transaction.Grave }, refuse(reason.OriginalNotFound)},
	{"refund without a date", refundScene, func(s *scene) { s.ask.HasOrigin = false }, refuse(reason.OriginalNotFound)},
	{"refund, a day earlier", refundScene, func(s *scene) { s.ask.OrigDate = 229 }, refuse(reason.OriginalNotFound)},
	{"refund, a day later", refundScene, func(s *scene) { s.ask.OrigDate = 302 }, refuse(reason.OriginalNotFound)},
	{"refund at the moment of the sale", refundScene, func(s *scene) { s.ask.Now = s.original.At }, approve(journal.Refunded, 100, 9)},
	{"refund before the sale", refundScene, func(s *scene) { s.ask.Now = s.original.At - 1 }, refuse(reason.OriginalNotFound)},
	{"refund on the last day", refundScene, func(s *scene) { s.ask.Now = s.original.At.Add(180 * day) }, approve(journal.Refunded, 100, 9)},
	{"refund after the last day", refundScene, func(s *scene) { s.ask.Now = s.original.At.Add(180*day + 1) }, refuse(reason.OriginalClosed)},
	{"refund of a voided sale", refundScene, func(s *scene) { s.original.State = transaction.Voided }, refuse(reason.OriginalClosed)},
	{"refund of a reversed sale", refundScene, func(s *scene) { s.original.State = transaction.Reversed }, refuse(reason.OriginalClosed)},
	{"refund, sold in another currency", refundScene, func(s *scene) { s.original.Currency = pos.Currency([]byte("840")) }, refuse(reason.OriginalMismatch)},
	{"refund of nothing", refundScene, func(s *scene) { s.ask.Amount = 0 }, refuse(reason.AmountInvalid)},
}

var reversalCases = []decideCase{
	{"reversal", reversalScene, nil, undo(journal.ReversedSale, 100, 9)},
	{"reversal, DE61 names it", reversalScene, func(s *scene) { s.ask.HasOrigin, s.ask.OrigBatch, s.ask.OrigSTAN = true, 3, 5 }, undo(journal.ReversedSale, 100, 9)},
	{"reversal, DE61 names another", reversalScene, func(s *scene) { s.ask.HasOrigin, s.ask.OrigBatch, s.ask.OrigSTAN = true, 3, 4 }, no(reason.OriginalMismatch)},
	{"reversal, DE61 another batch", reversalScene, func(s *scene) { s.ask.HasOrigin, s.ask.OrigBatch, s.ask.OrigSTAN = true, 2, 5 }, no(reason.OriginalMismatch)},
	{"reversal of nothing known", reversalScene, func(s *scene) { s.original = nil }, transaction.Plan{Reason: reason.OriginalNotFound, Effect: journal.Buried}},
	{"reversal of a tombstone", reversalScene, func(s *scene) { s.original.State = transaction.Grave }, no(reason.OriginalNotFound)},
	{"reversal of another type", reversalScene, func(s *scene) { s.original.Type = pos.Balance }, no(reason.OriginalNotFound)},
	{"reversal by another merchant", reversalScene, func(s *scene) { s.original.Merchant[0]++ }, no(reason.OriginalNotFound)},
	{"reversal of a refund", reversalScene, func(s *scene) { s.ask.Type = pos.Refund; s.original.Type = pos.Refund }, no(reason.FunctionUnsupported)},
	{"reversal of an unknown refund", reversalScene, func(s *scene) { s.ask.Type = pos.Refund; s.original = nil }, no(reason.FunctionUnsupported)},
	{"reversal, DE3 differs", reversalScene, func(s *scene) { s.ask.Processing = 1 }, no(reason.OriginalMismatch)},
	{"reversal, one less", reversalScene, func(s *scene) { s.ask.Amount-- }, no(reason.OriginalMismatch)},
	{"reversal, one more", reversalScene, func(s *scene) { s.ask.Amount++ }, no(reason.OriginalMismatch)},
	{"reversal, DE49 differs", reversalScene, func(s *scene) { s.ask.Currency[0]++ }, no(reason.OriginalMismatch)},
	{"reversal again", reversalScene, func(s *scene) { s.original.State = transaction.Reversed }, transaction.Plan{Original: 9}},
	{"reversal again after settlement", reversalScene, func(s *scene) { s.original.State, s.t.Batch = transaction.Reversed, 4 }, transaction.Plan{Original: 9}},
	{"reversal again, another amount", reversalScene, func(s *scene) { s.original.State = transaction.Reversed; s.ask.Amount++ }, no(reason.OriginalMismatch)},
	{"reversal of a refused sale", reversalScene, func(s *scene) { s.original.State, s.original.DE39 = transaction.Refused, pos.Code("51") }, undo(journal.ReversedNone, 0, 9)},
	{"reversal of a voided sale", reversalScene, func(s *scene) { s.original.State = transaction.Voided }, no(reason.OriginalClosed)},
	{"reversal after a refund", reversalScene, func(s *scene) { s.original.Refunded = 1 }, no(reason.OriginalClosed)},
	{"reversal after settlement", reversalScene, func(s *scene) { s.t.Batch = 4 }, no(reason.OriginalClosed)},
	{"reversal of a balance", balanceReversalScene, nil, undo(journal.ReversedNone, 0, 9)},
	{"reversal of a void", voidReversalScene, nil, undo(journal.ReversedVoid, -100, 12)},
	{"reversal of a void, DE61 of the void", voidReversalScene, func(s *scene) { s.ask.HasOrigin, s.ask.OrigBatch, s.ask.OrigSTAN = true, 3, 6 }, undo(journal.ReversedVoid, -100, 12)},
	{"reversal of a void, DE61 of the sale", voidReversalScene, func(s *scene) { s.ask.HasOrigin, s.ask.OrigBatch, s.ask.OrigSTAN = true, 3, 5 }, undo(journal.ReversedVoid, -100, 12)},
	{"reversal of a void, DE61 another", voidReversalScene, func(s *scene) { s.ask.HasOrigin, s.ask.OrigBatch, s.ask.OrigSTAN = true, 3, 4 }, no(reason.OriginalMismatch)},
	{"reversal of a void again", voidReversalScene, func(s *scene) { s.original.State, s.original.Undone = transaction.Reversed, true }, transaction.Plan{Original: 12}},
	{"reversal of a void undone before", voidReversalScene, func(s *scene) { s.original.Undone = true }, no(reason.OriginalClosed)},
	{"reversal of a void whose sale is not known", voidReversalScene, func(s *scene) { s.sale = nil }, no(reason.OriginalClosed)},
	{"reversal of a void whose sale stands", voidReversalScene, func(s *scene) { s.sale.State = transaction.Standing }, no(reason.OriginalClosed)},
	{"reversal of a void after settlement", voidReversalScene, func(s *scene) { s.t.Batch = 4 }, no(reason.OriginalClosed)},
	{"reversal of a refused void", voidReversalScene, func(s *scene) { s.original.State = transaction.Refused }, undo(journal.ReversedNone, 0, 12)},
}

var settlementCases = []decideCase{
	{"settlement", settleScene, nil, transaction.Plan{Effect: journal.Settled, Settle: transaction.Balanced}},
	{"settlement, debit differs", settleScene, func(s *scene) { s.ask.Claimed.DebitAmount++ },
		transaction.Plan{Reason: reason.TotalsMismatch, Effect: journal.Settled, Settle: transaction.NotBalanced}},
	{"settlement, count differs", settleScene, func(s *scene) { s.ask.Claimed.CreditCount++ },
		transaction.Plan{Reason: reason.TotalsMismatch, Effect: journal.Settled, Settle: transaction.NotBalanced}},
	{"settlement of the next batch", settleScene, func(s *scene) { s.ask.Batch = 4 }, no(reason.BatchMismatch)},
	{"settlement again", settleScene, settledBefore, transaction.Plan{Settle: transaction.NotBalanced}},
	{"settlement again, another trace", settleScene, func(s *scene) { settledBefore(s); s.ask.STAN++ }, no(reason.BatchMismatch)},
	{"settlement again, other totals", settleScene, func(s *scene) { settledBefore(s); s.ask.Claimed.DebitCount++ }, no(reason.BatchMismatch)},
	{"first settlement, batch 0", settleScene, func(s *scene) { s.ask = transaction.Ask{Op: transaction.Settlement} }, no(reason.BatchMismatch)},
}

func settledBefore(s *scene) {
	s.t = transaction.Terminal{Batch: 4, LastBatch: 3, LastSTAN: 7, LastCode: transaction.NotBalanced, LastTotals: totals}
}

// TestReferences: a journal entry's number and its RRN are each other.
func TestReferences(t *testing.T) {
	for seq, want := range map[uint64]string{1: "000000000001", 999_999_999_999: "999999999999", 42: "000000000042"} {
		r := transaction.RRNOf(seq)
		if r.String() != want || transaction.SeqOf(r) != seq {
			t.Errorf("entry %d: %s, back %d", seq, r, transaction.SeqOf(r))
		}
	}
	for _, bad := range []string{"00000000000A", "            ", "-00000000001", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"} {
		if transaction.SeqOf(pos.RRN([]byte(bad))) != 0 {
			t.Errorf("%q names an entry", bad)
		}
	}
}
