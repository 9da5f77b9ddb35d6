package main

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"touchstone/explain"
	"touchstone/explain/anatomy"
	"touchstone/host"
	"touchstone/iso8583"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/secret"
	"touchstone/sqlite"
)

// Bounds of what is kept of messages for people to look at. A masked anatomy takes some 2 KB when it is packed.
const (
	keptRefusals  = 4096
	keptApprovals = 256
	lentFrames    = 64                     // copies that wait to be masked
	refusalRate   = 40                     // masked a second, at most, because each takes a quarter of a millisecond; in a flood the others are not kept
	refusalBurst  = 400                    // at once
	approvalEvery = 250 * time.Millisecond // at most one sample
)

// samples keeps the newest messages taken apart and masked: refusals, and now and then one that was approved. A copy of a
// message lives until it is masked, which is at once; what is masked is handed to keeper, which has it survive a restart.
type samples struct {
	catalogue *explain.Catalogue
	clock     func() pos.Instant
	log       *slog.Logger
	begun     pos.Instant
	lent      chan *lentFrame
	packer    *flate.Writer  // run's own
	keeper    *keeper        // nil: memory alone
	line      *host.Line     // judges refused messages again, to take times
	again     *host.Exchange // of run
	due       atomic.Int64   // the instant from which on the next message is picked

	mu     sync.Mutex // guards the fields below; held for microseconds
	free   []*lentFrame
	budget bucket
	rings  [2]ring // refusals, approvals
	most   [2]int  // of each
	packed map[uint64][]byte
}

// lentFrame is a copy of one message: secret.
type lentFrame struct {
	entry    uint64
	refused  bool
	judged   host.Judged
	snapshot proof.Snapshot // of judged
	laps     proof.Laps
	picked   bool // laps were taken while it was judged
	n        int
	frame    [iso8583.MaxFrame]byte
}

// Format prints secret.Redacted for every verb.
func (f *lentFrame) Format(w fmt.State, _ rune) { io.WriteString(w, secret.Redacted) }

// ring is which entries are kept, in the order in which they came.
type ring struct {
	seqs []uint64
	next int
}

// put takes an entry in and tells which one has to go, 0 none.
func (r *ring) put(seq uint64, most int) (old uint64) {
	if len(r.seqs) < most {
		r.seqs = append(r.seqs, seq)
		return 0
	}
	old, r.seqs[r.next] = r.seqs[r.next], seq
	r.next = (r.next + 1) % most
	return old
}

var _ host.Sampler = (*samples)(nil)

func newSamples(c *explain.Catalogue, clock func() pos.Instant, log *slog.Logger) *samples {
	s := &samples{catalogue: c, clock: clock, log: log, begun: clock(), lent: make(chan *lentFrame, lentFrames), packed: map[uint64][]byte{}, most: [2]int{keptRefusals, keptApprovals}}
	s.packer, _ = flate.NewWriter(io.Discard, flate.BestSpeed) // the level is a valid one
	for range lentFrames {
		s.free = append(s.free, new(lentFrame))
	}
	return s
}

// Pick implements host.Sampler: one message in approvalEvery, whichever comes first.
func (s *samples) Pick(arrived pos.Instant) bool {
	due := s.due.Load()
	return int64(arrived) >= due && s.due.CompareAndSwap(due, int64(arrived)+int64(approvalEvery))
}

// Handed implements host.Sampler: it copies the message where the pace and the room allow.
func (s *samples) Handed(m host.Sampled) {
	now := s.clock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) == 0 || len(m.Frame) > iso8583.MaxFrame {
		return
	}
	if m.Refused && !s.budget.take(now.Sub(s.begun), refusalRate, refusalBurst) || !m.Refused && m.Laps == nil {
		return
	}
	f := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	f.entry, f.refused, f.judged, f.picked, f.n = m.Entry, m.Refused, m.Judged, m.Laps != nil, copy(f.frame[:], m.Frame)
	if f.picked {
		f.laps = *m.Laps
	} else {
		f.snapshot = *m.Snapshot
	}
	f.judged.Snapshot = &f.snapshot
	s.lent <- f // there is room: no more are lent than it has
}

// run masks what is lent until ctx ends, and then what is left.
func (s *samples) run(ctx context.Context) {
	defer s.keeper.end()
	for {
		select {
		case <-ctx.Done():
			for {
				select {
				case f := <-s.lent:
					s.mask(f)
				default:
					return
				}
			}
		case f := <-s.lent:
			s.mask(f)
		}
	}
}

func (s *samples) mask(f *lentFrame) {
	arrived := f.judged.Arrived
	kept := keptMessage{Anatomy: anatomy.Masked(f.frame[:f.n], s.catalogue), Timing: s.timing(f)}
	clear(f.frame[:f.n])
	f.judged, f.snapshot = host.Judged{}, proof.Snapshot{} // what it points to may go
	packed, err := s.pack(&kept)
	if err == nil {
		s.keeper.keep(sqlite.MaskedMessage{Entry: f.entry, At: int64(arrived), Refused: f.refused, Terminal: kept.terminal(), Body: packed})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, f)
	if err != nil {
		s.log.Error("a message could not be kept for showing", slog.Uint64("entry", f.entry), slog.String("error", err.Error()))
		return
	}
	kind := 1
	if f.refused {
		kind = 0
	}
	if old := s.rings[kind].put(f.entry, s.most[kind]); old != 0 {
		delete(s.packed, old)
	}
	s.packed[f.entry] = packed
}

// of is what is kept of an entry's message that came at an instant; nil where it was not kept, or is forgotten.
func (s *samples) of(ctx context.Context, entry uint64, at pos.Instant) *keptMessage {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	packed := s.packed[entry]
	s.mu.Unlock()
	if packed == nil {
		packed = s.keeper.of(ctx, entry, at)
	}
	if packed == nil {
		return nil
	}
	kept, err := unpackMessage(packed)
	if err != nil {
		s.log.Error("a kept message could not be read", slog.Uint64("entry", entry), slog.String("error", err.Error()))
	}
	return kept
}

// pack is what is kept as deflated JSON; only run calls it.
func (s *samples) pack(kept *keptMessage) ([]byte, error) {
	var b bytes.Buffer
	s.packer.Reset(&b)
	if err := json.NewEncoder(s.packer).Encode(kept); err != nil {
		return nil, err
	}
	if err := s.packer.Close(); err != nil {
		return nil, err
	}
	return bytes.Clone(b.Bytes()), nil
}

// startSamples keeps messages for showing from now on. Without the catalogue, which is compiled in, it keeps none.
func (e *engine) startSamples(ctx context.Context, o keptOptions) {
	c, err := catalogueOnce()
	if err != nil {
		e.log.Error("messages are not kept for showing", slog.String("error", err.Error()))
		return
	}
	e.samples = newSamples(c, e.clock, e.log)
	if e.samples.keeper = e.openKeeper(ctx, o); e.samples.keeper != nil {
		e.wait.Go(e.samples.keeper.run)
	}
	e.samples.line, e.samples.again = e.line, e.line.NewExchange(nil)
	e.line.Samples = e.samples
	e.wait.Go(func() { e.samples.run(ctx) })
}

// catalogueOnce is the catalogue of explanations, read once in a process.
var catalogueOnce = sync.OnceValues(explain.Load)
