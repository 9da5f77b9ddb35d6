// Package issuer is the embedded bank: cards with a balance, a PIN and a state,
// so that a fresh installation approves and declines for real reasons.
//
// It is asked last, when every other proof of a message has held. It never sees
// a card number or a PIN: a card is known by its keyed hash, and the PIN is
// verified inside the security module behind the Vault port, which says only
// right, wrong or unreadable. Amounts are integers in minor units; a balance
// changes only by folding a journal entry.
//
// Sources: docs/protocol/unionpay-pos.md section 7, 9A.21 to 9A.25.
package issuer
