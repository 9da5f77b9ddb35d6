package journal

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// Sink makes blocks durable, in the order given, one at a time. A nil error means the block
// survives any crash of process and machine. The cold entries of the block are kept as rows in the
// same database transaction. Any error is final.
type Sink interface {
	Append(ctx context.Context, b Block) error
}

// Phase is how far the thing a receipt speaks of has come.
type Phase uint8

// The phases. The zero phase is no receipt.
const (
	Claim   Phase = 1 // an upstream is about to be asked; nothing may be answered yet
	Outcome Phase = 2 // the answer is recorded
)

// Receipt proves that an entry is durable. Only the Committer makes one; the zero value proves nothing.
type Receipt struct {
	seq   uint64
	phase Phase
}

// Seq is the entry's number, 0 when the receipt is zero.
func (r Receipt) Seq() uint64 { return r.seq }

// MayAnswer tells whether an answer may leave: the receipt is not zero and not of phase Claim.
func (r Receipt) MayAnswer() bool { return r.seq != 0 && r.phase == Outcome }

// Waiter is told once, from the committer's goroutine, that its entry is durable, or, with a zero
// receipt, that it never will be. It must not block.
type Waiter interface {
	Committed(Receipt)
}

// Bounds of the queue before the sink.
const (
	maxBlockEntries = 4096
	MaxQueueEntries = 16384
	maxQueueBytes   = 8 << 20
)

// Errors of the committer.
var (
	ErrQueueFull = errors.New("journal: queue full")
	ErrStopped   = errors.New("journal: stopped")
)

type batch struct {
	body    []byte
	ends    []int32 // end offset of each entry in body
	cold    []int32 // indexes of entries that are not exchanges
	waiters []Waiter
	phases  []Phase
	first   uint64
}

func (b *batch) reset() {
	clear(b.waiters)
	b.body, b.ends, b.cold, b.waiters, b.phases = b.body[:0], b.ends[:0], b.cold[:0], b.waiters[:0], b.phases[:0]
}

// Committer owns order, chain and receipts. Enqueue may be called by many goroutines, Run by one.
type Committer struct {
	// Yield lets other goroutines run that are ready; nil: nobody is waited for. It is set before Run.
	Yield func()

	sink    Sink
	durable atomic.Uint64
	failed  atomic.Bool

	mu      sync.Mutex // guards the fields below; never held across the sink
	filling *batch
	spare   *batch
	next    uint64
	stopped bool
	wake    chan struct{}

	chain *chain // Run's own
}

// NewCommitter goes on after entry last with its chain value; 0 and the zero hash begin a journal.
func NewCommitter(sink Sink, last uint64, head Hash) *Committer {
	c := &Committer{sink: sink, filling: new(batch), spare: new(batch), next: last + 1, wake: make(chan struct{}, 1), chain: newChain(head)}
	c.durable.Store(last)
	return c
}

// Durable is the number of the last durable entry.
func (c *Committer) Durable() uint64 { return c.durable.Load() }

// Failed tells that the sink failed: nothing more will become durable.
func (c *Committer) Failed() bool { return c.failed.Load() }

// Next is the number the next entry will have, valid only while no other goroutine enqueues.
func (c *Committer) Next() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next
}

// Encoder writes an entry that may depend on its own number.
type Encoder interface {
	AppendEntry(dst []byte, seq uint64) (entry []byte, kind Kind)
}

// Enqueue gives the entry the next number, encodes it into the block being filled and returns at
// once; w is told when it is durable. It refuses with ErrQueueFull, ErrStopped or ErrTooLong, and
// then nothing has happened.
func (c *Committer) Enqueue(e Encoder, phase Phase, w Waiter) (uint64, error) {
	// An exchange does not depend on its number: it is encoded before the lock, which all messages share.
	var room [exchangeRoom]byte
	if x, ok := e.(*Exchange); ok {
		early, kind := x.AppendEntry(room[:0], 0)
		return c.enqueue(early, kind, nil, x.Reserved(), phase, w)
	}
	return c.enqueue(nil, 0, e, true, phase, w)
}

// exchangeRoom is the bytes an exchange may have without being encoded elsewhere; all served have fewer.
const exchangeRoom = 512

// enqueue takes an encoded entry, or the encoder of one. What is not reserved leaves a fifth of the queue.
func (c *Committer) enqueue(early []byte, kind Kind, e Encoder, reserved bool, phase Phase, w Waiter) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.filling
	switch {
	case c.stopped:
		return 0, ErrStopped
	case b.full(reserved):
		return 0, ErrQueueFull
	}
	start, seq := len(b.body), c.next
	body := append(b.body, make([]byte, lengthSize)...)
	if e == nil {
		body = append(body, early...)
	} else {
		body, kind = e.AppendEntry(body, seq)
	}
	n := len(body) - start - lengthSize
	body = append(body, make([]byte, markSize)...) // filled when the chain is computed
	b.body = body
	if n < headBytes || n > MaxEntry {
		b.body = body[:start]
		return 0, ErrTooLong
	}
	binary.BigEndian.PutUint32(body[start:], uint32(n))
	if kind != KindExchange {
		b.cold = append(b.cold, int32(len(b.ends)))
	}
	b.ends, b.waiters, b.phases = append(b.ends, int32(len(body))), append(b.waiters, w), append(b.phases, phase)
	if len(b.ends) == 1 {
		b.first = seq
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
	c.next++
	return seq, nil
}

// Run commits until ctx ends, then what is queued, and returns nil; or returns the sink's error, after
// which nothing more is accepted and every waiter has a zero receipt.
func (c *Committer) Run(ctx context.Context) error {
	for {
		select {
		case <-c.wake:
		case <-ctx.Done():
			c.stop()
			return c.drain()
		}
		if err := c.commitAll(); err != nil {
			return err
		}
	}
}

func (c *Committer) stop() {
	c.mu.Lock()
	c.stopped = true
	c.mu.Unlock()
}

func (c *Committer) drain() error { return c.commitAll() }

// Flush commits what is queued, on the caller's goroutine, and returns as Run does. It is for one goroutine that enqueues
// and lets nobody Run: nothing then changes hands for an entry.
func (c *Committer) Flush() error { return c.commitAll() }

// commitAll writes until nothing is queued. After ctx has ended it still writes: what was accepted is
// recorded though the caller may be gone.
func (c *Committer) commitAll() error {
	for {
		c.stepAside()
		c.mu.Lock()
		b := c.filling
		if len(b.ends) == 0 {
			c.mu.Unlock()
			return nil
		}
		c.filling, c.spare = c.spare, nil
		c.mu.Unlock()
		err := c.commit(b)
		b.reset()
		c.mu.Lock()
		c.spare = b
		c.mu.Unlock()
		if err != nil {
			c.fail()
			return err
		}
	}
}

// maxYields is how often the committer steps aside before a block.
const maxYields = 12

// stepAside lets messages that are ready to be judged come into the block that is about to be written, as
// long as they do. A block costs as much for one entry as for many; on an idle host there is nobody to wait
// for, and this takes no time.
func (c *Committer) stepAside() {
	if c.Yield == nil {
		return
	}
	for range maxYields {
		before := c.waiting()
		c.Yield()
		if c.waiting() == before {
			return
		}
	}
}

func (c *Committer) waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.filling.ends)
}

// commit writes one filled batch as blocks of at most maxBlockEntries.
func (c *Committer) commit(b *batch) error {
	for from := 0; from < len(b.ends); from += maxBlockEntries {
		to := min(from+maxBlockEntries, len(b.ends))
		block, err := c.block(b, from, to)
		if err == nil {
			err = c.sink.Append(context.Background(), block)
		}
		if err != nil {
			for _, w := range b.waiters[from:] {
				tell(w, Receipt{})
			}
			return fmt.Errorf("append journal entries %d to %d: %w", block.First, block.Last(), err)
		}
		c.durable.Store(block.Last())
		for i := from; i < to; i++ {
			tell(b.waiters[i], Receipt{b.first + uint64(i), b.phases[i]})
		}
	}
	return nil
}

func (c *Committer) block(b *batch, from, to int) (Block, error) {
	begin := 0
	if from > 0 {
		begin = int(b.ends[from-1])
	}
	block := Block{First: b.first + uint64(from), N: to - from, Prev: c.chain.head, Body: b.body[begin:b.ends[to-1]]}
	at := begin
	for _, end := range b.ends[from:to] {
		mark := int(end) - markSize
		c.chain.next(b.body[at:mark])
		copy(b.body[mark:end], c.chain.head[:])
		at = int(end)
	}
	block.Head = c.chain.head
	for _, i := range b.cold {
		if int(i) < from || int(i) >= to {
			continue
		}
		at := 0
		if i > 0 {
			at = int(b.ends[i-1])
		}
		entry, err := ParseEntry(b.first+uint64(i), b.body[at+lengthSize:b.ends[i]-markSize])
		if err != nil {
			return block, err
		}
		block.Cold = append(block.Cold, entry)
	}
	return block, nil
}

// fail refuses all further work and tells those who wait that their entries will never be durable.
func (c *Committer) fail() {
	c.failed.Store(true)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	for _, w := range c.filling.waiters {
		tell(w, Receipt{})
	}
	c.filling.reset()
}

func tell(w Waiter, r Receipt) {
	if w != nil {
		w.Committed(r)
	}
}

// Raw is an Encoder of an entry whose body is ready.
type Raw struct {
	Entry Entry // Seq is ignored
}

// AppendEntry writes head and body.
func (r Raw) AppendEntry(dst []byte, _ uint64) ([]byte, Kind) {
	return append(AppendHead(dst, r.Entry.Kind, r.Entry.At), r.Entry.Body...), r.Entry.Kind
}
