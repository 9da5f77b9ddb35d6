package journal_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"touchstone/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shelf is a Sink that keeps blocks; with a gate, each Append tells asked and waits for what it shall return.
type shelf struct {
	mu     sync.Mutex
	blocks []journal.Block
	asked  chan journal.Block
	gate   chan error
}

func (s *shelf) Append(_ context.Context, b journal.Block) error {
	b.Body = bytes.Clone(b.Body)
	if s.gate != nil {
		s.asked <- b
		if err := <-s.gate; err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blocks = append(s.blocks, b)
	return nil
}

func gated() *shelf { return &shelf{asked: make(chan journal.Block, 1), gate: make(chan error)} }

// note is an entry of one word; the number it was given is in it.
type note string

func (n note) AppendEntry(dst []byte, seq uint64) ([]byte, journal.Kind) {
	dst = binary.BigEndian.AppendUint64(journal.AppendHead(dst, journal.KindCard, 1), seq)
	return append(dst, n...), journal.KindCard
}

// told is a Waiter that keeps what it is told.
type told chan journal.Receipt

func (w told) Committed(r journal.Receipt) { w <- r }

// run starts a committer; stop ends it and gives what Run returned.
func run(c *journal.Committer) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	return func() error { cancel(); return <-ended }
}

func enqueue(t *testing.T, c *journal.Committer, e journal.Encoder, p journal.Phase, w journal.Waiter) uint64 {
	t.Helper()
	seq, err := c.Enqueue(e, p, w)
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// TestReceiptOnlyAfterAppend: nobody is told before the sink has said that the block is durable; what is
// enqueued meanwhile goes into the next block, in order.
func TestReceiptOnlyAfterAppend(t *testing.T) {
	s := gated()
	c := journal.NewCommitter(s, 10, journal.Hash{9})
	stop := run(c)
	first, later := make(told, 1), make(told, 2)
	if seq := enqueue(t, c, note("a"), journal.Outcome, first); seq != 11 {
		t.Errorf("the first entry has number %d", seq)
	}
	b := <-s.asked
	enqueue(t, c, note("b"), journal.Claim, later)
	enqueue(t, c, note("c"), journal.Outcome, later)
	if len(first) != 0 || len(later) != 0 || c.Durable() != 10 || c.Next() != 14 {
		t.Error("told before durable")
	}
	if b.First != 11 || b.N != 1 || b.Prev != (journal.Hash{9}) {
		t.Errorf("the first block is %d entries from %d", b.N, b.First)
	}
	s.gate <- nil
	if r := <-first; r.Seq() != 11 || !r.MayAnswer() {
		t.Errorf("receipt of entry %d", r.Seq())
	}
	b = <-s.asked
	if b.First != 12 || b.N != 2 || len(later) != 0 {
		t.Errorf("the second block is %d entries from %d", b.N, b.First)
	}
	s.gate <- nil
	if r := <-later; r.Seq() != 12 || r.MayAnswer() {
		t.Error("a claim lets an answer go, or came out of order")
	}
	if r := <-later; r.Seq() != 13 || !r.MayAnswer() {
		t.Error("the outcome came out of order")
	}
	if err := stop(); err != nil || c.Failed() {
		t.Errorf("ended with %v", err)
	}
	v := journal.NewVerifier(10, journal.Hash{9})
	for _, b := range s.blocks {
		if err := v.Block(b); err != nil {
			t.Error(err)
		}
		for i, e := range b.Cold {
			if e.Seq != b.First+uint64(i) || binary.BigEndian.Uint64(e.Body) != e.Seq {
				t.Errorf("cold entry %d is not the block's", e.Seq)
			}
		}
	}
	if (journal.Receipt{}).MayAnswer() || (journal.Receipt{}).Seq() != 0 {
		t.Error("a zero receipt lets an answer go")
	}
}

// TestColdAmongExchanges: the cold entries of a block are those and only those, with their own bytes.
func TestColdAmongExchanges(t *testing.T) {
	s := gated()
	c := journal.NewCommitter(s, 0, journal.Hash{})
	stop := run(c)
	enqueue(t, c, note("first"), journal.Outcome, nil)
	<-s.asked
	x := &journal.Exchange{MTI: 0x0200}
	for _, e := range []journal.Encoder{x, note("one"), x, x, note("two"), x} {
		enqueue(t, c, e, journal.Outcome, nil)
	}
	s.gate <- nil
	b := <-s.asked
	s.gate <- nil
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if len(b.Cold) != 2 || b.Cold[0].Seq != 3 || b.Cold[1].Seq != 6 || string(b.Cold[0].Body[8:]) != "one" || string(b.Cold[1].Body[8:]) != "two" {
		t.Errorf("%d cold entries", len(b.Cold))
	}
}

// TestSinkErrorIsFinal: all who wait are told that it will never be, and nothing more is taken.
func TestSinkErrorIsFinal(t *testing.T) {
	s := gated()
	c := journal.NewCommitter(s, 0, journal.Hash{})
	stop := run(c)
	w := make(told, 3)
	enqueue(t, c, note("a"), journal.Outcome, w)
	<-s.asked
	enqueue(t, c, note("b"), journal.Outcome, w)
	enqueue(t, c, note("c"), journal.Outcome, w)
	broken := errors.New("disk")
	s.gate <- broken
	for range 3 {
		if r := <-w; r != (journal.Receipt{}) {
			t.Errorf("a receipt for entry %d", r.Seq())
		}
	}
	if err := stop(); !errors.Is(err, broken) || !c.Failed() || c.Durable() != 0 {
		t.Errorf("ended with %v at entry %d", err, c.Durable())
	}
	if _, err := c.Enqueue(note("d"), journal.Outcome, w); !errors.Is(err, journal.ErrStopped) || len(w) != 0 {
		t.Errorf("afterwards: %v", err)
	}
}

// TestDrain: what was accepted before the end is recorded; afterwards nothing is accepted.
func TestDrain(t *testing.T) {
	s := gated()
	c := journal.NewCommitter(s, 0, journal.Hash{})
	w := make(told, 2)
	stop := run(c)
	enqueue(t, c, note("a"), journal.Outcome, w)
	<-s.asked
	enqueue(t, c, note("b"), journal.Outcome, w)
	ended := make(chan error)
	go func() { ended <- stop() }()
	s.gate <- nil
	<-s.asked
	s.gate <- nil
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if len(w) != 2 || c.Durable() != 2 {
		t.Errorf("%d of 2 were told", len(w))
	}
	if _, err := c.Enqueue(note("c"), journal.Outcome, nil); !errors.Is(err, journal.ErrStopped) {
		t.Errorf("afterwards: %v", err)
	}
}

// TestBounds: an entry at its bound and beyond; the queue by entries and by bytes.
func TestBounds(t *testing.T) {
	sized := func(n int) note { return note(bytes.Repeat([]byte{'x'}, n-len(journal.AppendHead(nil, 0, 0))-8)) }
	c := journal.NewCommitter(&shelf{}, 0, journal.Hash{})
	for name, e := range map[string]journal.Encoder{"one too long": sized(journal.MaxEntry + 1), "no head": empty{}} {
		if _, err := c.Enqueue(e, journal.Outcome, nil); !errors.Is(err, journal.ErrTooLong) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if c.Next() != 1 {
		t.Error("a refused entry took a number")
	}
	full := func(e journal.Encoder, want int) {
		t.Helper()
		s := &shelf{}
		c := journal.NewCommitter(s, 0, journal.Hash{})
		n := 0
		for {
			_, err := c.Enqueue(e, journal.Outcome, nil)
			if errors.Is(err, journal.ErrQueueFull) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != want || c.Next() != uint64(n)+1 {
			t.Errorf("%d entries were taken, want %d", n, want)
		}
		stop := run(c)
		if err := stop(); err != nil || c.Durable() != uint64(n) {
			t.Errorf("%d of %d are durable: %v", c.Durable(), n, err)
		}
		v := journal.NewVerifier(0, journal.Hash{})
		for _, b := range s.blocks {
			if err := v.Block(b); err != nil || b.N > 4096 {
				t.Errorf("a block of %d: %v", b.N, err)
			}
			for _, e := range b.Cold {
				if binary.BigEndian.Uint64(e.Body) != e.Seq {
					t.Fatal("a cold entry is not its own")
				}
			}
		}
	}
	full(note(""), journal.MaxQueueEntries)
	longest := sized(journal.MaxEntry)
	full(longest, (8<<20+journal.MaxEntry+3)/(journal.MaxEntry+4))
}

type empty struct{}

func (empty) AppendEntry(dst []byte, _ uint64) ([]byte, journal.Kind) {
	return dst, journal.KindExchange
}

// mine is a Waiter that checks that it is told once, its own number.
type mine struct {
	seq  atomic.Uint64
	n    atomic.Int32
	done *sync.WaitGroup
}

func (m *mine) Committed(r journal.Receipt) {
	m.seq.Store(r.Seq())
	m.n.Add(1)
	m.done.Done()
}

// TestManyGoroutines: each entry has its own number, in the order of one chain, and each waiter its own receipt.
func TestManyGoroutines(t *testing.T) {
	const goroutines, each = 256, 20
	s := &shelf{}
	c := journal.NewCommitter(s, 0, journal.Hash{})
	stop := run(c)
	type asked struct {
		waiter *mine
		seq    uint64
	}
	waiters := make(chan asked, goroutines*each)
	var done, running sync.WaitGroup
	done.Add(goroutines * each)
	for range goroutines {
		running.Go(func() {
			last := uint64(0)
			for range each {
				w := &mine{done: &done}
				seq, err := c.Enqueue(note("x"), journal.Outcome, w)
				if err != nil || seq <= last {
					t.Errorf("entry %d after %d: %v", seq, last, err)
					done.Done()
					continue
				}
				last = seq
				waiters <- asked{w, seq}
			}
		})
	}
	running.Wait()
	done.Wait()
	if err := stop(); err != nil || c.Durable() != goroutines*each {
		t.Fatalf("%d entries are durable: %v", c.Durable(), err)
	}
	close(waiters)
	for w := range waiters {
		if w.waiter.seq.Load() != w.seq || w.waiter.n.Load() != 1 {
			t.Errorf("who waits for entry %d was told %d times, of %d", w.seq, w.waiter.n.Load(), w.waiter.seq.Load())
		}
	}
	v := journal.NewVerifier(0, journal.Hash{})
	for _, b := range s.blocks {
		if err := v.Block(b); err != nil {
			t.Fatal(err)
		}
		err := b.Each(func(e journal.Entry) error {
			if binary.BigEndian.Uint64(e.Body) != e.Seq {
				t.Errorf("entry %d was written as %d", e.Seq, binary.BigEndian.Uint64(e.Body))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
