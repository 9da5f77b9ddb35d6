package ledger_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"

	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
)

// memory is a Sink, History and Store without a disk.
type memory struct {
	mu      sync.Mutex // guards everything below but gate
	blocks  []journal.Block
	slabs   map[slabKey]ledger.Slab
	records map[uint64]ledger.RecordRow
	traces  map[traceKey]uint64
	floor   ledger.Floor
	resets  int
	lag     int   // Head tells of this many blocks less than there are
	appends int   // how often Append was called
	broken  error // what Append returns

	gate    chan struct{} // nil: Append goes on at once; else it waits for its closing
	reached chan struct{} // has a value when Append waits at the gate

	refuses  error  // what Checkpoint returns
	onRecord func() // called by RecordBySeq once, after it has read
}

// act is the newest record of a room's noun.
type act struct {
	seq  uint64
	kind journal.Kind
	journal.Change
}

type slabKey struct {
	kind ledger.SlabKind
	id   uint32
}

type traceKey struct {
	terminal pos.TerminalID
	key      uint64
}

var (
	_ journal.Sink   = (*memory)(nil)
	_ ledger.History = (*memory)(nil)
	_ ledger.Store   = (*memory)(nil)
)

func newMemory() *memory {
	return &memory{slabs: map[slabKey]ledger.Slab{}, records: map[uint64]ledger.RecordRow{}, traces: map[traceKey]uint64{}}
}

// copy is a memory with the first n blocks of m and, if asked, its checkpoint.
func (m *memory) copy(n int, checkpoint bool) *memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := newMemory()
	c.blocks = slices.Clone(m.blocks[:n])
	if checkpoint {
		c.slabs, c.records, c.traces, c.floor = maps.Clone(m.slabs), maps.Clone(m.records), maps.Clone(m.traces), m.floor
	}
	return c
}

// hold makes Append wait until release; nothing may be under way.
func (m *memory) hold() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gate, m.reached = make(chan struct{}), make(chan struct{}, 1)
}

// release ends hold; without one it does nothing.
func (m *memory) release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gate != nil {
		close(m.gate)
		m.gate = nil
	}
}

func (m *memory) Append(_ context.Context, b journal.Block) error {
	m.mu.Lock()
	m.appends++
	gate := m.gate
	m.mu.Unlock()
	if gate != nil {
		select {
		case m.reached <- struct{}{}:
		default:
		}
		<-gate
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	b.Body, b.Cold = bytes.Clone(b.Body), nil
	m.blocks = append(m.blocks, b)
	return nil
}

func (m *memory) all() []journal.Block {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.blocks)
}

func (m *memory) Blocks(_ context.Context, from uint64, f func(journal.Block) error) error {
	for _, b := range m.all() {
		if b.Last() < from {
			continue
		}
		if err := f(b); err != nil {
			return err
		}
	}
	return nil
}

var errNoEntry = errors.New("memory: no such entry")

func (m *memory) Entry(_ context.Context, seq uint64) (found journal.Entry, err error) {
	err = errNoEntry
	for _, b := range m.all() {
		if seq < b.First || seq > b.Last() {
			continue
		}
		bad := b.Each(func(e journal.Entry) error {
			if e.Seq == seq {
				found, err = e, nil
			}
			return nil
		})
		return found, errors.Join(err, bad)
	}
	return found, err
}

func (m *memory) Head(context.Context) (uint64, journal.Hash, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.blocks) - m.lag
	if n <= 0 {
		return 0, journal.Hash{}, nil
	}
	return m.blocks[n-1].Last(), m.blocks[n-1].Head, nil
}

func (m *memory) ColdRecords(ctx context.Context, to ledger.ColdRecords) error {
	merchants, devices, terminals := map[pos.MerchantID]*registry.Merchant{}, map[pos.Serial]*registry.Device{}, map[pos.TerminalID]*registry.Terminal{}
	certificates := map[string]*registry.Certificate{}
	var acts []act
	err := m.Blocks(ctx, 1, func(b journal.Block) error {
		return b.Each(func(e journal.Entry) error {
			switch e.Kind {
			case journal.KindCertificate:
				r := new(registry.Certificate)
				err := json.Unmarshal(e.Body, r)
				certificates[r.Fingerprint] = r
				return err
			case journal.KindMerchant:
				r := new(registry.Merchant)
				err := json.Unmarshal(e.Body, r)
				merchants[r.ID] = r
				return err
			case journal.KindDevice:
				r := new(registry.Device)
				err := json.Unmarshal(e.Body, r)
				devices[r.Serial] = r
				return err
			case journal.KindTerminal:
				r := new(registry.Terminal)
				err := json.Unmarshal(e.Body, r)
				terminals[r.ID] = r
				return err
			}
			if e.Kind.OfActs() {
				var a journal.Act
				err := json.Unmarshal(e.Body, &a)
				for _, c := range a.Changes {
					acts = slices.DeleteFunc(acts, func(old act) bool { return old.kind == e.Kind && old.Noun == c.Noun && old.ID == c.ID })
					acts = append(acts, act{e.Seq, e.Kind, c})
				}
				return err
			}
			return nil
		})
	})
	for _, a := range acts {
		if to.Act != nil {
			err = errors.Join(err, to.Act(a.seq, a.kind, a.Change))
		}
	}
	return errors.Join(err, giveAll(merchants, to.Merchant), giveAll(devices, to.Device), giveAll(terminals, to.Terminal), giveAll(certificates, to.Certificate))
}

func giveAll[K comparable, V any](all map[K]*V, to func(*V) error) (err error) {
	for _, v := range all {
		err = errors.Join(err, to(v))
	}
	return err
}

func (m *memory) Checkpoint(_ context.Context, c ledger.Checkpoint) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuses != nil {
		return m.refuses
	}
	for _, s := range c.Slabs {
		m.slabs[slabKey{s.Kind, s.ID}] = s
	}
	for _, r := range c.Records {
		m.records[r.Seq] = r
	}
	for _, r := range c.Runs {
		for _, tr := range r.Traces {
			if m.traces[traceKey{r.Terminal, tr.Key}] != 0 {
				panic("a run has a key that the store had before")
			}
			m.traces[traceKey{r.Terminal, tr.Key}] = tr.Seq
		}
	}
	for _, s := range c.Strays {
		m.traces[traceKey{s.Terminal, s.Key}] = s.Seq
	}
	if c.Floor != nil {
		m.floor = *c.Floor
	}
	return nil
}

func (m *memory) LoadSlabs(_ context.Context, kind ledger.SlabKind, f func(ledger.Slab) error) error {
	m.mu.Lock()
	list := slices.Collect(maps.Values(m.slabs))
	m.mu.Unlock()
	slices.SortFunc(list, func(a, b ledger.Slab) int { return int(a.ID) - int(b.ID) })
	for _, s := range list {
		if s.Kind != kind {
			continue
		}
		if err := f(s); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) Floor(context.Context) (ledger.Floor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.floor, nil
}

func (m *memory) RecordBySeq(_ context.Context, seq uint64) ([]byte, bool, error) {
	m.mu.Lock()
	r, ok := m.records[seq]
	hook := m.onRecord
	m.onRecord = nil
	m.mu.Unlock()
	if hook != nil {
		hook()
	}
	return bytes.Clone(r.Body), ok, nil
}

func (m *memory) SeqByTrace(_ context.Context, id pos.TerminalID, key uint64) (uint64, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	seq, ok := m.traces[traceKey{id, key}]
	return seq, ok, nil
}

func (m *memory) ResetState(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.resets++
	clear(m.slabs)
	clear(m.records)
	clear(m.traces)
	m.floor = ledger.Floor{}
	return nil
}
