// Package sqlite keeps a data directory: the journal, the cold records, the
// checkpoint of the hot state and a projection for queries, each in SQLite.
//
//	touchstone.db  blocks of the journal and the latest cold records; WAL, synchronous=FULL
//	state.db       checkpoint of the hot state; rebuilt from the journal when lost
//	view.db        for queries: each terminal's messages packed, refusals as rows; disposable, allowed to lag
//	lock           held by the one process that writes; its text is the process id
//
// Store is the owner: it holds the lock, is the journal's Sink and writes
// checkpoints. Reader reads a journal, also while another process owns the
// directory: a read transaction is as short as one batch of blocks, so the owner
// never waits for a reader. Projector feeds view.db at its own pace.
//
// The chain is computed by journal.Committer and checked here only where a block
// joins the journal; Verify recomputes it. What the hot state's bodies mean is
// the ledger's business: here they are bytes with a sum.
//
// An error of Append is final: the store accepts no further block, because it
// cannot know what reached the disk. The next Open finds out.
//
// Files follow the add-only rule for migrations: a table "schema" holds the
// version, and a file newer than the program is refused. The package runs where
// flock and SQLite's shared memory do, that is on Unix and a local file system.
//
// Sources: sqlite.org/wal.html, sqlite.org/pragma.html, sqlite.org/fileformat2.html
// section 4; docs/design/002-journal.md.
package sqlite
