// Package journal is what happened: numbered entries in one hash chain, and the
// committer that makes them durable.
//
// An entry is binary and versioned. Entry i is chained by
//
//	h_i = SHA-256("touchstone/1" || h_{i-1} || len || entry)
//
// with h_0 = 32 zero bytes and len 4 bytes big-endian; the first 4 bytes of h_i
// stand behind the entry, so that a reader can name the one that was altered. Many entries are written
// as one Block; the Committer alone computes the chain, hands the block to its
// Sink, and mints a Receipt when the Sink says that the block is durable. Without
// a receipt no answer leaves. An error of the Sink is final: there is no undo path.
//
// Entries carry every change: each room folds them into its own state, so any
// prefix can be replayed to the same state. The kinds are the message that was
// judged (Exchange, binary, at most 400 bytes) and the cold records (a merchant,
// a terminal, a device, a card, a key), rare and kept as JSON so that a person
// and a later version can read them.
//
// The package knows no database, no clock and no policy.
//
// Sources: docs/design/002-journal.md.
package journal
