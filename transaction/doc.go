// Package transaction holds the money rules: what may be sold, and what may undo
// what. It keeps, for each terminal, the open batch, its totals and the traces
// used, and for each message that was proven genuine a Record, against which
// repeats, voids, refunds and reversals are judged.
//
// It asks no bank: a Plan says what would happen to the original and to the
// card's balance if the issuer agrees. Decide is pure and Fold applies a journal
// entry; both are called under the lock of the ledger that keeps the state.
//
// The law of the room: whatever the mixture, order, repetition or crash, a void,
// a refund or a reversal never moves more than its original, nor twice.
//
// Sources: docs/protocol/unionpay-pos.md 3.4, 9A.1 to 9A.5, 9A.24, 9A.25.
package transaction
