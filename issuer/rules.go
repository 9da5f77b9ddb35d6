package issuer

import (
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/transaction"
)

// PINResult is what the module said of a PIN block. The zero value is no PIN.
type PINResult uint8

// The results.
const (
	NoPIN PINResult = iota // none was sent
	PINRight
	PINWrong
	PINUnreadable  // no PIN can be read from the block
	PINUnavailable // the module did not answer
)

// Ask is what the bank is asked once every proof of the message has held.
type Ask struct {
	Op          transaction.Op
	Amount      pos.Amount
	Expiry      uint16 // YYMM as sent in DE14 or the track, 0 when not
	ServiceCode [3]byte
	HasTrack    bool
	Chip        bool // read by contact or contactless chip (DE22 05, 07)
	Swiped      bool // DE22 02, 80, 90
	ChipReader  bool // the terminal could have read the chip
	PIN         PINResult
	Month       uint16 // the host's business month, YYMM
	Canary      bool   // the terminal is a canary
}

// Decide answers for a card; nil is a card this bank does not have. None approves.
func Decide(c *Card, ask *Ask) reason.Reason {
	switch {
	case ask.PIN == PINUnavailable:
		return reason.ModuleUnavailable
	case ask.PIN == PINUnreadable:
		return reason.PINFormat
	case c == nil:
		return reason.CardUnknown
	case c.Canary != ask.Canary:
		return reason.CardRestricted // a reserved card in a shop, or a shopper's card at a canary
	}
	if ask.Op == transaction.Sale || ask.Op == transaction.BalanceInquiry {
		if r := standing(c, ask); r != reason.None {
			return r
		}
	}
	switch {
	case ask.PIN != NoPIN && c.Tries >= MaxTries:
		return reason.PINTriesExceeded
	case ask.PIN == PINWrong:
		return reason.PINWrong
	case ask.Op != transaction.Sale:
		return reason.None
	case ask.PIN == NoPIN && c.NoPINLimit != 0 && ask.Amount > c.NoPINLimit:
		return reason.NoCardholderVerification
	case c.SaleLimit != 0 && ask.Amount > c.SaleLimit:
		return reason.LimitExceeded
	case ask.Amount > c.Balance:
		return reason.InsufficientFunds
	}
	return reason.None
}

// standing judges the card itself; money going back to a card needs none of it.
func standing(c *Card, ask *Ask) reason.Reason {
	switch {
	case c.State == Lost:
		return reason.CardLost
	case c.State == Stolen:
		return reason.CardStolen
	case c.State != Active:
		return reason.CardRestricted
	case ask.Chip && !c.ChipUnproven:
		return reason.FunctionUnsupported // 9A.23: until chip cryptograms are verified
	case ask.Swiped && ask.ChipReader && c.HasChip():
		return reason.FallbackRefused
	case ask.HasTrack && string(ask.ServiceCode[:]) != c.ServiceCode:
		return reason.IssuerDeclined
	case c.Expiry < ask.Month:
		return reason.CardExpired
	case ask.Expiry != 0 && ask.Expiry != c.Expiry:
		return reason.CardExpired
	}
	return reason.None
}
