// Package host is the transaction line: one message in, one judged and durable
// answer out, in one direction.
//
//	Begin   parse -> Request -> gather -> prove -> decide -> PIN -> conclude, commit
//	Finish  receipt -> answer rendered, MACed, packed
//
// Begin runs as soon as a frame is read; Finish runs when the journal's committer
// has told the Exchange that its entry is durable, and refuses a receipt that is
// not. The line knows no connection: an Exchange carries its own buffers, is
// reused, and is handed back through its Done function.
//
// The order of proofs is that of package proof. The PIN is verified by the
// issuer's vault only after every other proof has held.
//
// Sources: docs/protocol/unionpay-pos.md sections 3, 9 and 9A; docs/ARCHITECTURE.md.
package host
