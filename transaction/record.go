package transaction

import (
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// State is what has become of a recorded message.
type State uint8

// The states. Numbers are on disk for ever.
const (
	Refused  State = 0 // answered with anything but 00; nothing moved
	Standing State = 1 // approved
	Voided   State = 2 // a sale voided
	Reversed State = 3 // undone by a reversal, or marked so before its answer left
	Grave    State = 4 // a tombstone: reversed before it arrived
)

var stateNames = [...]string{"refused", "standing", "voided", "reversed", "tombstone"}

// String is the state's word.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// Class groups the MTIs that share one run of traces: 0100, 0200, 0220.
type Class uint8

// Classes is the number of classes.
const Classes = 3

// ClassOf is the class of a request's MTI; ok is false where no trace is used.
func ClassOf(m pos.MTI) (c Class, ok bool) {
	switch m {
	case 0x0100:
		return 0, true
	case 0x0200:
		return 1, true
	case 0x0220:
		return 2, true
	}
	return 0, false
}

// ClassOfCode is the class in which a transaction code (DE60.1) is sent; docs/protocol/unionpay-pos.md 3.3.
func ClassOfCode(t pos.TransactionCode) Class {
	switch t {
	case 10, 11:
		return 0
	case 24, 25, 30, 32, 34:
		return 2
	}
	return 1
}

// Key names a record within its terminal: batch, class and trace.
type Key uint64

// KeyOf packs a key.
func KeyOf(b pos.BatchNo, c Class, s pos.STAN) Key {
	return Key(uint64(b)<<32 | uint64(c)<<28 | uint64(s))
}

// Record is what is remembered of one message whose MAC verified: enough to repeat its answer and to
// undo it. It holds no card number.
type Record struct {
	Seq        uint64 // its journal entry; its RRN (DE37) is this number in 12 digits
	Terminal   pos.TerminalID
	Merchant   pos.MerchantID
	Batch      pos.BatchNo
	STAN       pos.STAN
	MTI        pos.MTI
	Type       pos.TransactionCode
	Processing pos.ProcessingCode
	Amount     pos.Amount
	Currency   pos.Currency
	Card       pos.PANHash
	Print      [16]byte
	At         pos.Instant

	DE39      pos.ResponseCode
	Reason    reason.Reason
	AuthCode  pos.AuthCode
	Available pos.Amount
	LocalTime uint32
	LocalDate pos.Date
	OrigBatch pos.BatchNo // its own DE61
	OrigSTAN  pos.STAN

	State    State
	Refunded pos.Amount // of a sale: the sum of its refunds
	Undone   bool       // of a void: it has been reversed once
	Original uint64     // of a void or refund: the sale
}

// Key is the record's key within its terminal.
func (r *Record) Key() Key {
	c, ok := ClassOf(r.MTI)
	if !ok {
		c = ClassOfCode(r.Type)
	}
	return KeyOf(r.Batch, c, r.STAN)
}

// Terminal is the money side of one terminal.
type Terminal struct {
	Batch      pos.BatchNo // now open
	Totals     journal.Totals
	Traces     [Classes]Spans // traces used in the open batch
	HeardFrom  pos.Address    // where the last message of this batch that verified came from
	LastBatch  pos.BatchNo    // the batch settled last, 0 none
	LastSTAN   pos.STAN       // DE11 of that settlement
	LastCode   uint8          // its DE48 result digit
	LastTotals journal.Totals // as the terminal claimed
}

// NewTerminal is the state before the first message: batch 1 is open.
func NewTerminal() Terminal { return Terminal{Batch: 1} }

// Fold applies a judged message to the terminal. The record it made, if any, is Remember's.
func (t *Terminal) Fold(x *journal.Exchange) {
	if x.Flags&journal.FlagRedress != 0 {
		return // the terminal knows nothing of it
	}
	if c, ok := ClassOf(x.MTI); ok && x.Effect != journal.NoEffect && x.Batch == t.Batch {
		t.Traces[c].Add(x.STAN)
	}
	if x.Flags&journal.FlagMACVerified != 0 {
		t.HeardFrom = x.Source
	}
	switch x.Effect {
	case journal.Sold:
		t.Totals.DebitAmount += x.Amount
		t.Totals.DebitCount++
	case journal.VoidedSale, journal.Refunded:
		t.Totals.CreditAmount += x.Amount
		t.Totals.CreditCount++
	case journal.ReversedSale:
		t.Totals.DebitAmount -= x.Amount
		t.Totals.DebitCount--
	case journal.ReversedVoid:
		t.Totals.CreditAmount -= x.Amount
		t.Totals.CreditCount--
	case journal.Buried:
		if traces := &t.Traces[ClassOfCode(x.Type)]; x.Batch == t.Batch && !traces.Full(x.STAN) {
			traces.Add(x.STAN)
		}
	case journal.Settled:
		*t = Terminal{Batch: x.NextBatch, LastBatch: x.Batch, LastSTAN: x.STAN, LastCode: x.SettleCode, LastTotals: x.Claimed}
	}
}

// Remember makes the record of a judged message, or reports that it leaves none.
func Remember(seq uint64, x *journal.Exchange) (r Record, ok bool) {
	if x.Flags&journal.FlagRedress != 0 {
		return Record{}, false
	}
	switch x.Effect {
	case journal.Recorded, journal.Sold, journal.VoidedSale, journal.Refunded:
		if _, ok := ClassOf(x.MTI); !ok {
			return Record{}, false
		}
	case journal.Buried:
	default:
		return Record{}, false
	}
	r = Record{
		Seq: seq, Terminal: x.Terminal, Merchant: x.Merchant, Batch: x.Batch, STAN: x.STAN, MTI: x.MTI, Type: x.Type,
		Processing: x.Processing, Amount: x.Amount, Currency: x.Currency, Card: x.Card, Print: x.Print, At: x.At,
		DE39: x.DE39, Reason: x.Reason, AuthCode: x.AuthCode, Available: x.Available, LocalTime: x.LocalTime,
		LocalDate: x.LocalDate, OrigBatch: x.OriginalBatch, OrigSTAN: x.OriginalSTAN, Original: x.Original,
	}
	switch {
	case x.Effect == journal.Buried:
		r.State = Grave
	case x.DE39 == pos.Approved:
		r.State = Standing
	}
	return r, true
}

// FoldOriginal applies a judged message to the record it names as Original. For ReversedVoid call it
// with the void, and with the void's own sale as sale; sale is nil otherwise.
func FoldOriginal(x *journal.Exchange, original, sale *Record) {
	switch x.Effect {
	case journal.VoidedSale:
		original.State = Voided
	case journal.Refunded:
		original.Refunded += x.Amount
	case journal.ReversedSale, journal.ReversedNone:
		original.State = Reversed
	case journal.ReversedVoid:
		original.State, original.Undone = Reversed, true
		if sale != nil {
			sale.State = Standing
		}
	}
}
