// Package ledger is the embedded ledger: the hot state of every terminal, card
// and recorded message in memory, and one way to change it: a journal entry,
// folded at once and answered only when it is durable.
//
// Gather copies what is known of a terminal. Commit takes the locks of what the
// message touches, checks that the terminal is as it was gathered, lets the host
// conclude, gives the entry to the committer and folds it, all while locked, so
// that the order of the journal is each terminal's order. A fold is visible at
// once; no answer leaves before the entries it read are durable, because an
// answer waits for its own entry, which comes after them.
//
// Locks, in this order, never another: terminals by ascending id, then one card,
// then the committer's queue (inside Enqueue). The registry lock is never held
// while another than the queue's is taken.
//
// Hot state is checkpointed to the Store as slabs of 64 terminals or cards and as
// records of messages. Start is: cold records, slabs, then the tail of the journal
// from the floor, each entry verified against the chain and folded into what has
// not seen it yet. Everything in the Store can be made again from the journal.
//
// A process is the sole owner of its data directory.
package ledger
