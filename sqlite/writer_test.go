package sqlite_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/sqlite"
)

// writer puts entries through a real Committer, one block a flush (of at most 4096 entries).
type writer struct {
	t     testing.TB
	sink  journal.Sink
	queue []journal.Encoder
	last  uint64
	head  journal.Hash
}

func newWriter(t testing.TB, store *sqlite.Store) *writer {
	t.Helper()
	last, head, err := store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &writer{t: t, sink: store, last: last, head: head}
}

// Append notes where the chain has come to.
func (w *writer) Append(ctx context.Context, b journal.Block) error {
	err := w.sink.Append(ctx, b)
	if err == nil {
		w.last, w.head = b.Last(), b.Head
	}
	return err
}

func (w *writer) add(e ...journal.Encoder) { w.queue = append(w.queue, e...) }

// flush commits what was added as one block and fails the test unless every receipt came.
func (w *writer) flush() {
	w.t.Helper()
	if err := w.tryFlush(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *writer) tryFlush() error {
	w.t.Helper()
	c := journal.NewCommitter(w, w.last, w.head)
	wait := make(slot, len(w.queue))
	for _, e := range w.queue {
		if _, err := c.Enqueue(e, journal.Outcome, wait); err != nil {
			w.t.Fatal(err)
		}
	}
	first, n := w.last+1, len(w.queue)
	w.queue = nil
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // Run commits what is queued and returns
	if err := c.Run(ctx); err != nil {
		return err
	}
	for i := range n {
		if r := <-wait; r.Seq() != first+uint64(i) || !r.MayAnswer() {
			w.t.Fatalf("receipt for entry %d, want %d", r.Seq(), first+uint64(i))
		}
	}
	return nil
}

func (w *writer) cold(kind journal.Kind, v any) {
	w.t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		w.t.Fatal(err)
	}
	w.add(journal.Raw{Entry: journal.Entry{Kind: kind, At: 1, Body: body}})
}

func terminalID(n int) pos.TerminalID {
	id, err := pos.ParseTerminalID(fmt.Sprintf("%08d", n))
	if err != nil {
		panic(err)
	}
	return id
}

// exchange is a made-up sale of terminal n with trace i.
func exchange(n, i int) *journal.Exchange {
	merchant, err := pos.ParseMerchantID("898320554110001")
	if err != nil {
		panic(err)
	}
	return &journal.Exchange{
		At: pos.Instant(i + 1), Terminal: terminalID(n), Merchant: merchant, MTI: 0x0200, Type: pos.Sale,
		Batch: 1, STAN: pos.STAN(i % 1_000_000), Amount: 1850, Currency: pos.CNY, Reason: reason.None,
		DE39: pos.Approved, Effect: journal.Sold, ElapsedUS: 120,
	}
}
