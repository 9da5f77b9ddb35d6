package failure

import (
	"touchstone/journal"
	"touchstone/reason"
)

// Justice is whether a refusal was right. The zero value is that nobody knows.
type Justice uint8

// What a refusal can be.
const (
	Unknown Justice = iota // neither the reason nor a proven cause tells
	Wrong                  // a genuine message of an honest terminal was refused: a false failure
	Right                  // the rule that refused it was right to, whoever sent it
	justices
)

var justiceNames = [justices]string{"unknown", "wrong", "right"}

// String is the stable word.
func (j Justice) String() string {
	if j < justices {
		return justiceNames[j]
	}
	return justiceNames[Unknown]
}

// Judge tells whether a refusal was right. Wrong is only what is proven: a cause that experiment found, whose owner is
// not acquirer security, or a trouble of the host's own. A cause that is security's says that the refusal was right,
// indicated or proven. Of a proof that failed for an unknown cause nothing is known; of every other reason the verdict
// proves the fact that the rule asks for.
func Judge(r reason.Reason, c *journal.Cause) Justice {
	if ours(r) {
		return Wrong
	}
	if !r.Sought() {
		if r == reason.MACMissing || r == reason.SerialMissing || r == reason.CloneSuspected || r == reason.NetworkNotAllowed || r == reason.DeviceCertificateMismatch {
			return Unknown // the fact is proven; whether an honest terminal was set up wrongly is not
		}
		return Right
	}
	if c == nil {
		return Unknown
	}
	switch {
	case c.Owner == reason.Security.String() && (c.Certainty == journal.Proven || c.Certainty == journal.Indicated):
		return Right
	case c.Certainty == journal.Proven:
		return Wrong
	}
	return Unknown
}

// ours tells whether the host refused because of itself: the message was not judged at all.
func ours(r reason.Reason) bool {
	switch r {
	case reason.ModuleUnavailable, reason.JournalUnavailable, reason.Overloaded, reason.KeyAbsent, reason.KeyExpired, reason.NetworkKeyStale, reason.ProofIneffective:
		return true
	}
	return false
}

// OfSecurity tells whether a proof or a rule of security refused, not the money rules and not the card's bank.
func OfSecurity(r reason.Reason) bool {
	if r == reason.None || r.OfIssuer() {
		return false
	}
	switch r {
	case reason.OriginalNotFound, reason.OriginalMismatch, reason.OriginalClosed, reason.RefundWithoutOriginal, reason.ReversedBeforeArrival, reason.UnprovenAdvice,
		reason.TotalsMismatch, reason.AmountInvalid, reason.CurrencyMismatch, reason.FunctionUnsupported:
		return false
	}
	return true
}
