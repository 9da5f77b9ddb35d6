package terminal

import (
	"time"

	"touchstone/iso8583"
	"touchstone/pos"
)

// Outcome is how a message ended at the terminal. The zero value is none and is never an approval.
type Outcome uint8

// The outcomes.
const (
	None             Outcome = iota
	Done                     // the host did what was asked
	Refused                  // the host said no, and where a MAC was due it was right
	NoConnection             // connecting or sending failed: nothing reached the host
	NoAnswer                 // sent, and no answer that belongs to it came in time
	WrongMAC                 // the answer's MAC is not right: it counts for nothing
	MissingMAC               // the answer carries no MAC where one is due: advice, never an approval
	KeyCheckError            // the sign-in's working keys do not fit the master key
	SignInFailed             // not sent: the terminal is not signed in and could not sign in
	ReversalOpen             // not sent: an earlier reversal must go first and could not
	BalanceDisagrees         // settled, and the host's totals differ
	SettlementOpen           // not sent: an earlier settlement must be answered first and was not
)

var outcomeNames = [...]string{"none", "done", "refused", "no connection", "no answer", "wrong MAC", "missing MAC",
	"key check error", "sign-in failed", "reversal open", "balance disagrees", "settlement open"}

// String is the outcome in words.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "unknown"
}

// MarshalText is String.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// Words is one text in both languages.
type Words struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

// In is the text in a language.
func (w Words) In(l Language) string {
	if l == English {
		return w.EN
	}
	return w.ZH
}

// Result is what became of one message. It holds no card data.
type Result struct {
	Operation string           // "sale", "reversal" …
	Request   pos.MTI          // of what was sent
	MTI       pos.MTI          // of the answer; 0 when none was accepted
	DE39      pos.ResponseCode // of the answer; "" when none was accepted
	// Approved tells that the host did what was asked. Where a MAC is due it is true only if the
	// answer's MAC was right.
	Approved    bool
	MACVerified bool
	Outcome     Outcome
	Words       Words // the outcome, or the meaning of DE39, for a cashier
	RRN         pos.RRN
	AuthCode    pos.AuthCode
	Trace       pos.STAN
	Batch       pos.BatchNo
	Amount      pos.Amount
	Balance     pos.Amount // of DE54; see HasBalance
	HasBalance  bool
	Settlement  iso8583.Settlement // totals as sent, Result digits as answered
	Requirement iso8583.Requirement
	Elapsed     time.Duration // sending to answer
	Closed      bool          // the host closed the connection instead of answering
	Reversal    pos.STAN      // the trace of the reversal that is open after this message; 0 none
}
