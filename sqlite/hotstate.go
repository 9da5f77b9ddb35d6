package sqlite

import (
	"context"
	"fmt"

	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
)

// HotState is a Store as the embedded ledger's store and history.
type HotState struct{ store *Store }

var (
	_ ledger.Store   = HotState{}
	_ ledger.History = HotState{}
)

// HotState lends the store to a ledger.
func (s *Store) HotState() HotState { return HotState{s} }

// Checkpoint writes slabs, records and traces, and the floor last.
func (h HotState) Checkpoint(ctx context.Context, c ledger.Checkpoint) error {
	b := CheckpointBatch{Runs: c.Runs, Strays: c.Strays}
	for _, s := range c.Slabs {
		b.Slabs = append(b.Slabs, Slab{Kind: SlabKind(s.Kind), ID: uint64(s.ID), Applied: s.Applied, Body: s.Body})
	}
	for _, r := range c.Records {
		b.Records = append(b.Records, StoredRecord{Seq: r.Seq, Body: r.Body})
	}
	if c.Floor != nil {
		b.Floor = &Floor{Seq: c.Floor.Seq, Head: c.Floor.Head}
	}
	return h.store.Checkpoint(ctx, b)
}

// LoadSlabs gives the slabs of a kind in the order of their ids.
func (h HotState) LoadSlabs(ctx context.Context, kind ledger.SlabKind, f func(ledger.Slab) error) error {
	return h.store.LoadSlabs(ctx, SlabKind(kind), func(s Slab) error {
		if s.ID > 1<<31 {
			return fmt.Errorf("slab %d of kind %s: id out of range", s.ID, s.Kind)
		}
		return f(ledger.Slab{Kind: kind, ID: uint32(s.ID), Applied: s.Applied, Body: s.Body})
	})
}

// Floor is zero when there is no checkpoint.
func (h HotState) Floor(ctx context.Context) (ledger.Floor, error) {
	f, ok, err := h.store.Floor(ctx)
	if err != nil || !ok {
		return ledger.Floor{}, err
	}
	return ledger.Floor{Seq: f.Seq, Head: f.Head}, nil
}

// RecordBySeq is Store.RecordBySeq.
func (h HotState) RecordBySeq(ctx context.Context, seq uint64) ([]byte, bool, error) {
	return h.store.RecordBySeq(ctx, seq)
}

// SeqByTrace is Store.SeqByTrace.
func (h HotState) SeqByTrace(ctx context.Context, terminal pos.TerminalID, key uint64) (uint64, bool, error) {
	return h.store.SeqByTrace(ctx, terminal, key)
}

// ResetState is Store.ResetState.
func (h HotState) ResetState(ctx context.Context) error { return h.store.ResetState(ctx) }

// Blocks is Reader.Blocks.
func (h HotState) Blocks(ctx context.Context, from uint64, f func(journal.Block) error) error {
	return h.store.Blocks(ctx, from, f)
}

// Entry is Reader.Entry.
func (h HotState) Entry(ctx context.Context, seq uint64) (journal.Entry, error) {
	return h.store.Entry(ctx, seq)
}

// Head is Reader.Head.
func (h HotState) Head(ctx context.Context) (uint64, journal.Hash, error) { return h.store.Head(ctx) }

// ColdRecords reads the newest merchants, devices, terminals and certificates.
func (h HotState) ColdRecords(ctx context.Context, to ledger.ColdRecords) error {
	return h.store.Cold(ctx, Cold{
		Merchant: func(seq uint64, r registry.Merchant) error { r.Entry = seq; return to.Merchant(&r) },
		Device:   func(seq uint64, r registry.Device) error { r.Entry = seq; return to.Device(&r) },
		Terminal: func(seq uint64, r registry.Terminal) error { r.Entry = seq; return to.Terminal(&r) },

		Certificate: func(_ uint64, r registry.Certificate) error { return to.Certificate(&r) },
		Event: func(_ uint64, e journal.Event) error {
			if to.Event == nil {
				return nil
			}
			return to.Event(&e)
		},
		Act: to.Act,
	})
}
