package observe

import "touchstone/pos"

// Function is what a message asks for, as few kinds as a reader of figures can use.
type Function uint8

// The functions. Their order is that of their names and of nothing stored.
const (
	Unreadable Function = iota
	SignIn
	SignOff
	Echo
	Tamper
	Query // status and parameter queries, 0820
	Balance
	Sale
	Void
	Refund
	Reversal
	Settlement
	Other
	functions
)

var functionNames = [functions]string{"unreadable", "sign_in", "sign_off", "echo", "tamper", "status", "balance", "sale", "void", "refund",
	"reversal", "settlement", "other"}

// String is the value of the label "function".
func (f Function) String() string {
	if f >= functions {
		return functionNames[Other]
	}
	return functionNames[f]
}

// FunctionOf tells what a message asks for by its message type, DE60.1 and DE60.3; docs/protocol/unionpay-pos.md,
// section 3. What is not in the table is Other, so that no message can make a label of its own.
func FunctionOf(mti pos.MTI, code pos.TransactionCode, network pos.NetworkCode) Function {
	switch mti {
	case 0:
		return Unreadable
	case 0x0200:
		switch code {
		case 1:
			return Balance
		case 22:
			return Sale
		case 23:
			return Void
		}
	case 0x0220:
		if code == 25 {
			return Refund
		}
	case 0x0400:
		return Reversal
	case 0x0500:
		return Settlement
	case 0x0800:
		return SignIn
	case 0x0820:
		switch network {
		case 2:
			return SignOff
		case 301:
			return Echo
		case 362:
			return Tamper
		}
		return Query
	}
	return Other
}

// Money tells whether the function can move money.
func (f Function) Money() bool { return f >= Balance && f <= Reversal }
