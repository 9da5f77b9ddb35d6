package proof

import "touchstone/reason"

// Check is one question asked of every message, in this order. Numbers are in the journal for ever.
type Check uint8

// The checks.
const (
	Frame Check = iota
	Parse
	Function // MTI, processing code and network code are served
	Identity // terminal and merchant are known
	Binding  // terminal, merchant and device belong together and are in use
	Network  // the source address is one registered
	DeviceCertificate
	Place
	PermitCheck
	SignedIn
	Batch
	KeyAlgorithm
	MAC
	MACGrade
	Replay // repeat, replay, duplicate trace
	Serial // the serial number's ciphertext
	Track
	EMVConsistency
	Original // what a void, refund or reversal would undo
	PIN
	CardholderVerification
	CardCheck
	BalanceCheck
	PolicyCheck // limits of rate and kind
	Checks      // the number of checks
)

var checkNames = [Checks]string{"frame", "parse", "function", "identity", "binding", "network", "device certificate",
	"place", "permit", "signed in", "batch", "key algorithm", "MAC", "MAC grade", "replay", "serial", "track",
	"EMV consistency", "original", "PIN", "cardholder verification", "card", "balance", "policy"}

// String is the check's stable name.
func (c Check) String() string {
	if c < Checks {
		return checkNames[c]
	}
	return "unknown"
}

// States is the outcome of every check, two bits each, the first check in the lowest bits. The zero
// value is "not run" throughout.
type States uint64

// Of is the outcome of one check.
func (s States) Of(c Check) Outcome { return Outcome(s >> (2 * c) & 3) }

// Set records the outcome of one check.
func (s *States) Set(c Check, o Outcome) {
	*s = *s&^(3<<(2*c)) | States(o)<<(2*c)
}

// Count is how many checks ended so.
func (s States) Count(o Outcome) (n int) {
	for c := range Checks {
		if s.Of(c) == o {
			n++
		}
	}
	return n
}

// First is the first check that failed or could not be made; ok is false when none.
func (s States) First() (c Check, ok bool) {
	for c := range Checks {
		if o := s.Of(c); o == Failed || o == Unavailable {
			return c, true
		}
	}
	return 0, false
}

// asks maps what the issuer answers to the check that asked.
func asks(r reason.Reason) Check {
	switch r {
	case reason.PINWrong, reason.PINTriesExceeded, reason.PINFormat, reason.ModuleUnavailable, reason.PINMissing, reason.PINUnexpected:
		return PIN
	case reason.NoCardholderVerification:
		return CardholderVerification
	case reason.InsufficientFunds, reason.LimitExceeded:
		return BalanceCheck
	case reason.EMVMissing, reason.EMVInconsistent, reason.ARQCFailed:
		return EMVConsistency
	case reason.FunctionUnsupported:
		return Function
	case reason.BatchMismatch:
		return Batch
	case reason.JournalUnavailable:
		return PolicyCheck
	case reason.OriginalNotFound, reason.OriginalMismatch, reason.OriginalClosed, reason.RefundWithoutOriginal,
		reason.TotalsMismatch, reason.AmountInvalid, reason.CurrencyMismatch:
		return Original
	}
	return CardCheck
}
