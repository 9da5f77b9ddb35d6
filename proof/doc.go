// Package proof answers one question: is this message what it claims to be?
//
// Request is what the message claims, Snapshot what is known of the terminal,
// Evidence what the security module proved. Decide puts the checks in order and
// stops at the first that fails; Conclude adds what the money rules and the
// issuer said. The result is a Verdict: every check passed, failed, not run or
// unavailable, with what was presented and what was expected, one root reason,
// and the answer code. Approvals carry their proofs as refusals do. The zero
// Verdict refuses.
//
// The package is pure: no clock, no network, no key. It never sees a PIN, and a
// right MAC or serial ciphertext is not in a verdict, only the key's number and
// the algorithm.
//
// Sources: docs/protocol/unionpay-pos.md sections 9 and 9A; docs/protocol/failures.md.
package proof
