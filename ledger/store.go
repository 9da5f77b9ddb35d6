package ledger

import (
	"context"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
)

// SlabKind is what a slab holds.
type SlabKind uint8

// The kinds.
const (
	TerminalSlab SlabKind = 1
	CardSlab     SlabKind = 2
)

// SlabSize is how many terminals or cards share a row.
const SlabSize = 64

// Slab is one checkpointed row.
type Slab struct {
	Kind    SlabKind
	ID      uint32
	Applied uint64 // the newest entry folded into it
	Body    []byte
}

// RecordRow is a record that is no longer as its journal entry made it.
type RecordRow struct {
	Seq  uint64
	Body []byte
}

// Run says which entries recorded a terminal's messages: Traces ascend by Key, and all of them are above
// every key of the terminal's runs before, of the same class. So runs never overlap, and one row holds
// many.
type Run struct {
	Terminal pos.TerminalID
	Traces   []Trace
}

// Trace is a record's index key within its terminal, and its entry. Keys of one class ascend with batch and
// trace; see indexKey.
type Trace struct{ Key, Seq uint64 }

// Stray is a trace that came out of order. It goes before a run with the same key.
type Stray struct {
	Terminal pos.TerminalID
	Trace
}

// Floor says that everything up to entry Seq, whose chain value is Head, is in the slabs and records.
type Floor struct {
	Seq  uint64
	Head journal.Hash
}

// Checkpoint is what one pass writes; the floor, if any, in the last transaction.
type Checkpoint struct {
	Slabs   []Slab
	Records []RecordRow
	Runs    []Run
	Strays  []Stray
	Floor   *Floor
}

// Store keeps checkpoints. It may lose any of them: then the journal is replayed from further back. It
// never returns a row that is not as it was written. Implemented by package sqlite.
type Store interface {
	Checkpoint(ctx context.Context, c Checkpoint) error
	LoadSlabs(ctx context.Context, kind SlabKind, f func(Slab) error) error
	Floor(ctx context.Context) (Floor, error)
	RecordBySeq(ctx context.Context, seq uint64) (body []byte, ok bool, err error)
	SeqByTrace(ctx context.Context, terminal pos.TerminalID, key uint64) (seq uint64, ok bool, err error)
	ResetState(ctx context.Context) error
}

// History is the durable journal. Implemented by package sqlite.
type History interface {
	Blocks(ctx context.Context, from uint64, f func(journal.Block) error) error
	Entry(ctx context.Context, seq uint64) (journal.Entry, error)
	Head(ctx context.Context) (uint64, journal.Hash, error)
	// ColdRecords gives the newest record of every merchant, device, terminal and certificate and of every
	// noun of a room, and every event.
	ColdRecords(ctx context.Context, to ColdRecords) error
}

// ColdRecords receives cold records at start.
type ColdRecords struct {
	Merchant func(*registry.Merchant) error
	Device   func(*registry.Device) error
	Terminal func(*registry.Terminal) error

	Certificate func(*registry.Certificate) error
	Event       func(*journal.Event) error // in the order of the journal

	Act func(seq uint64, kind journal.Kind, c journal.Change) error // the newest of each noun of a room, in the order of the journal
}
