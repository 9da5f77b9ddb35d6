package ledger

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"touchstone/host"
	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
	"touchstone/transaction"
)

// Options bound the ledger.
type Options struct {
	SignInBurst  int           // sign-ins at once; docs/protocol/unionpay-pos.md 9A.10
	SignInEvery  time.Duration // then one each
	KeepRecords  int           // recorded messages kept in memory for each terminal after a checkpoint
	MaxTerminals int
	MaxCards     int

	// Rooms folds what acts change, in the order of the journal, each when it is queued for the disk and once
	// more, or an older one before it, when a journal is replayed; it must not call the ledger. nil: nobody.
	Rooms func(seq uint64, kind journal.Kind, c journal.Change) error

	// Permits tells that somebody keeps permits: a terminal that is registered, or was before and has no entry of
	// one, may do nothing until it was judged. Registered is told of each record of a terminal or device when it is
	// queued for the disk, while locks are held: it must neither wait nor call the ledger. nil: nobody.
	Permits    bool
	Registered func(t *registry.Terminal, d *registry.Device)
}

func (o *Options) registered(t *registry.Terminal, d *registry.Device) {
	if o.Registered != nil {
		o.Registered(t, d)
	}
}

func (o *Options) foldAct(seq uint64, kind journal.Kind, c journal.Change) error {
	if o.Rooms == nil {
		return nil
	}
	return o.Rooms(seq, kind, c)
}

// DefaultOptions are those of a fresh installation.
func DefaultOptions() Options {
	return Options{SignInBurst: 30, SignInEvery: 2 * time.Second, KeepRecords: 32, MaxTerminals: 2_000_000, MaxCards: 5_000_000}
}

// record is a remembered message in memory. One that is neither dirty nor changed since it was made can be
// forgotten: the journal makes it again.
type record struct {
	transaction.Record
	applied uint64
	dirty   bool // on its terminal's dirtied list
	fresh   bool // the store does not know its key yet
}

// terminal is one terminal's hot state. mu guards everything below it.
type terminal struct {
	id   pos.TerminalID
	slot int

	mu      sync.Mutex
	reg     *registry.Terminal
	version uint64
	applied uint64
	session keys.Session
	money   transaction.Terminal
	records map[transaction.Key]*record
	order   []*record                   // those of records, the one kept first in front
	dirtied []*record                   // new or changed since the last checkpoint
	high    [transaction.Classes]uint64 // the highest index key in the store's runs, by class; 0 none
	permit  *registry.Standing          // by its entry; nil none says anything
	graves  bool                        // records has, or had, a tombstone
	loose   []transaction.Key           // tombstones named by the slab, until restore has read them
	trims   uint64                      // how often records were forgotten; volatile
	touched bool                        // since the last checkpoint
	tokens  float64                     // sign-ins left; volatile
	filled  pos.Instant
	conn    uint64 // of the last verified message; volatile

	unjudged bool // nobody looked at its permit yet; volatile

	undone atomic.Uint64 // records reversed since the start; raised under mu
}

type card struct {
	slot    int
	mu      sync.Mutex
	issuer  issuer.Card
	touched bool
}

// Ledger is the hot state of one data directory.
type Ledger struct {
	opts      Options
	committer *journal.Committer
	store     Store
	history   History

	mu        sync.RWMutex // guards the maps and lists, not what they point to; only Enqueue is called under it
	terminals map[pos.TerminalID]*terminal
	merchants map[pos.MerchantID]*registry.Merchant
	devices   map[pos.Serial]*registry.Device
	certs     certificates
	cashiers  cashiers
	cards     map[pos.PANHash]*card
	termSlots []*terminal
	cardSlots []*card
	floor     Floor
	stops     proof.Stops // sales stopped by the journal's events
	suspects  proof.Suspects

	checkpointing sync.Mutex // one checkpoint at a time; taken before any other lock
	broken        bool
}

var _ host.Ledger = (*Ledger)(nil)

// Errors of the ledger.
var (
	ErrFull    = errors.New("ledger: no room for another terminal or card")
	ErrUnknown = errors.New("ledger: not registered")

	ErrTampered = errors.New("ledger: only a release after tampering changes that")
)

func empty(opts Options, store Store, history History) *Ledger {
	return &Ledger{opts: opts, store: store, history: history,
		terminals: map[pos.TerminalID]*terminal{}, merchants: map[pos.MerchantID]*registry.Merchant{},
		devices: map[pos.Serial]*registry.Device{}, cards: map[pos.PANHash]*card{}, certs: newCertificates()}
}

// Open rebuilds the state from checkpoint and journal and returns the ledger with the committer that
// goes on from the journal's head. The caller runs the committer. A checkpoint that does not belong to
// this journal, or cannot be read, is discarded and the whole journal replayed.
func Open(ctx context.Context, opts Options, store Store, history History, sink journal.Sink) (*Ledger, *journal.Committer, error) {
	l := empty(opts, store, history)
	if err := l.restore(ctx); err != nil {
		if err := store.ResetState(ctx); err != nil {
			return nil, nil, fmt.Errorf("discard checkpoint: %w", err)
		}
		l = empty(opts, store, history)
	}
	verifier := journal.NewVerifier(l.floor.Seq, l.floor.Head)
	err := history.Blocks(ctx, l.floor.Seq+1, func(b journal.Block) error {
		if b.First <= l.floor.Seq {
			return errFloorInside
		}
		if err := verifier.Block(b); err != nil {
			return err
		}
		return b.Each(func(e journal.Entry) error { return l.Replay(ctx, e) })
	})
	if err != nil && l.floor.Seq > 0 && (errors.Is(err, errFloorInside) || isChain(err)) {
		// The checkpoint may be of another journal; the journal itself decides.
		if err := store.ResetState(ctx); err != nil {
			return nil, nil, fmt.Errorf("discard checkpoint: %w", err)
		}
		return Open(ctx, opts, store, history, sink)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("replay journal: %w", err)
	}
	last, head := verifier.Head()
	l.committer = journal.NewCommitter(sink, last, head)
	l.committer.Yield = runtime.Gosched
	return l, l.committer, nil
}

// Past is a journal that verifies itself, and may leave entries out: state is rebuilt from it without a checkpoint.
type Past interface {
	History

	// Each hands over every entry in its order, and tells the number and the chain value of the last.
	Each(ctx context.Context, f func(journal.Entry) error) (last uint64, head journal.Hash, err error)
}

// Rebuild is Open from every entry of a past, for a ledger that keeps its checkpoints nowhere.
func Rebuild(ctx context.Context, opts Options, store Store, past Past, sink journal.Sink) (*Ledger, *journal.Committer, error) {
	l := empty(opts, store, past)
	last, head, err := past.Each(ctx, func(e journal.Entry) error { return l.Replay(ctx, e) })
	if err != nil {
		return nil, nil, fmt.Errorf("replay journal: %w", err)
	}
	l.committer = journal.NewCommitter(sink, last, head)
	return l, l.committer, nil
}

var errFloorInside = errors.New("checkpoint ends inside a block")

func isChain(err error) bool {
	var c *journal.ChainError
	return errors.As(err, &c)
}

// restore loads the checkpoint.
func (l *Ledger) restore(ctx context.Context) error {
	floor, err := l.store.Floor(ctx)
	if err != nil {
		return err
	}
	last, _, err := l.history.Head(ctx)
	if err != nil {
		return err
	}
	if floor.Seq > last {
		return fmt.Errorf("checkpoint at entry %d is ahead of the journal's %d", floor.Seq, last)
	}
	if floor.Seq == 0 {
		return l.store.ResetState(ctx)
	}
	l.floor = floor
	// Slabs first: they keep the places, in order of their ids.
	if err := l.store.LoadSlabs(ctx, TerminalSlab, l.loadTerminals); err != nil {
		return err
	}
	if err := l.store.LoadSlabs(ctx, CardSlab, l.loadCards); err != nil {
		return err
	}
	if err := l.loadLoose(); err != nil {
		return err
	}
	if err := l.loadPermits(ctx); err != nil {
		return err
	}
	// Cards are in a slab, or in the tail, which must be folded in order.
	return l.history.ColdRecords(ctx, ColdRecords{
		Merchant: func(m *registry.Merchant) error { l.merchants[m.ID] = m; return nil },
		Device:   func(d *registry.Device) error { l.devices[d.Serial] = d; l.opts.registered(nil, d); return nil },
		Terminal: func(r *registry.Terminal) error { l.restoreTerminal(r); return nil },

		Certificate: func(c *registry.Certificate) error { l.certs.put(c); return nil },
		Event:       func(e *journal.Event) error { l.foldEvent(e); return nil },
		Act:         l.opts.foldAct,
	})
}

// restoreTerminal sets the newest record of a terminal; what it did to the session is in the slab, or
// in the tail.
func (l *Ledger) restoreTerminal(r *registry.Terminal) {
	t := l.terminals[r.ID]
	if t == nil {
		t = l.addTerminal(r.ID)
	}
	t.reg, t.unjudged = r, l.opts.Permits && t.permit == nil
	l.opts.registered(r, nil)
}

func (l *Ledger) terminal(id pos.TerminalID) *terminal {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.terminals[id]
}

func (l *Ledger) card(h pos.PANHash) *card {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.cards[h]
}

// addTerminal makes a terminal's hot state; l.mu is held for writing or the ledger is not shared yet.
func (l *Ledger) addTerminal(id pos.TerminalID) *terminal {
	t := &terminal{id: id, slot: len(l.termSlots), money: transaction.NewTerminal(), tokens: float64(l.opts.SignInBurst)}
	l.terminals[id] = t
	l.termSlots = append(l.termSlots, t)
	return t
}

func (l *Ledger) addCard(h pos.PANHash) *card {
	c := &card{slot: len(l.cardSlots)}
	l.cards[h] = c
	l.cardSlots = append(l.cardSlots, c)
	return c
}

// Durable is the number of the last durable entry.
func (l *Ledger) Durable() uint64 { return l.committer.Durable() }

// Stops are the sales now stopped because a proof they rest on does not prove.
func (l *Ledger) Stops() proof.Stops {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.stops
}

// Suspected tells whether two devices are suspected to bear a terminal's identity, which nobody has cleared.
func (l *Ledger) Suspected(id pos.TerminalID) proof.Suspect {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.suspects[id]
}

// foldEvent applies an event; l.mu is held for writing, or the ledger is not shared yet.
func (l *Ledger) foldEvent(e *journal.Event) {
	l.stops.Fold(e)
	l.suspects.Fold(e)
}

// Counts are the sizes of the hot state.
type Counts struct{ Merchants, Terminals, Devices, Cards int }

// Counts reads the sizes.
func (l *Ledger) Counts() Counts {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return Counts{len(l.merchants), len(l.terminals), len(l.devices), len(l.cards)}
}
