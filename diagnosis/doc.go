// Package diagnosis decides what to try when a proof did not hold, and what it means when one of the explanations fits.
// It is pure: a Case says what is known, the security module tries inside its own memory and says which explanations
// fit, and Conclude makes of that a Finding: a cause with its certainty, or unproven.
//
// It never sees a key, and what fits is never told to the wire: a terminal that learnt why its message was refused would
// be given an oracle. The rules of proof are in docs/protocol/failures.md: at most MaxExplanations keys and forms and
// MaxAlterations alterations a message, so that a chance match is at most one in a million; a cause of acquirer security
// and every alteration is only indicated until a second, different message agrees.
package diagnosis
