package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"touchstone/journal"
	"touchstone/pos"
)

// The pace of projection. A round takes what was committed since the last one, so that under load a
// transaction holds many rows and the line's processors are left to the line.
const (
	projectRows  = 2000                   // most rows a transaction
	projectPause = 100 * time.Millisecond // between rounds

	// After a transaction Run rests projectRest times as long as that took, so that a peak has the
	// processors and the view follows when it is over; not beyond projectHurry entries of lag, of which
	// a search can still look at every one.
	projectRest  = 3
	projectHurry = MaxScan / 2
)

// Projector feeds view.db from the committed blocks. Its failure costs queries, never a transaction.
type Projector struct {
	journal *Reader
	path    string
	log     *slog.Logger

	committed atomic.Uint64 // the newest entry known to be durable
	projected atomic.Uint64
	wake      chan struct{}

	read atomic.Pointer[sql.DB] // for queries; a rebuild replaces it

	mu sync.Mutex // held for a round; guards the field below
	db *sql.DB
}

// NewProjector opens or makes view.db beside the journal. One that is corrupt, of another journal or of a
// newer schema is deleted and made afresh. At most one Projector a data directory, by the owner of s,
// closed before s.
func (s *Store) NewProjector(ctx context.Context) (*Projector, error) {
	own, err := openReader(ctx, s.dir)
	if err != nil {
		return nil, err
	}
	p := &Projector{journal: own, path: filepath.Join(s.dir, viewFile), log: s.log, wake: make(chan struct{}, 1)}
	if err := p.open(ctx); err != nil {
		p.log.Warn("view is rebuilt", slog.String("cause", err.Error()))
		err = p.rebuild(ctx)
		if err != nil {
			return nil, errors.Join(err, p.Close())
		}
	}
	last, _, err := own.Head(ctx)
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	p.Committed(last)
	return p, nil
}

// errForeignView is why a view of another journal is rebuilt.
var errForeignView = errors.New("view is of another journal")

func (p *Projector) open(ctx context.Context) (err error) {
	if err := createFile(p.path); err != nil {
		return err
	}
	p.db, err = settings{path: p.path, conns: 1, pragmas: []string{
		"page_size(8192)", "synchronous(normal)", "cache_size(-16384)",
	}}.open()
	if err != nil {
		return err
	}
	if err := migrate(ctx, p.db, p.path, viewSchema); err != nil {
		return err
	}
	owns, err := p.journal.ownsView(ctx, p.db)
	if err != nil {
		return err
	}
	if !owns {
		return errForeignView
	}
	at, err := readPosition(ctx, p.db)
	if err != nil {
		return err
	}
	p.projected.Store(at.last)
	read, err := openView(ctx, filepath.Dir(p.path))
	if err == nil {
		p.read.Store(read)
	}
	return err
}

// rebuild begins with an empty view.
func (p *Projector) rebuild(ctx context.Context) error {
	if err := p.closeFiles(); err != nil {
		return err
	}
	if err := removeFile(p.path); err != nil {
		return err
	}
	return p.open(ctx)
}

// Committed tells that entry last is durable. It never blocks and may be called from any goroutine.
func (p *Projector) Committed(last uint64) {
	for {
		old := p.committed.Load()
		if last <= old {
			return
		}
		if p.committed.CompareAndSwap(old, last) {
			break
		}
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Lag is how many durable entries the view does not show yet.
func (p *Projector) Lag() uint64 {
	projected := p.projected.Load()
	return max(p.committed.Load(), projected) - projected
}

// Run projects until ctx ends, and then returns nil. It is called once. A corrupt view is rebuilt; any
// other error ends it.
func (p *Projector) Run(ctx context.Context) error {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-p.wake:
		}
		if err := p.round(ctx, func(took time.Duration) { p.rest(ctx, took) }); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		pause.Reset(projectPause)
	}
}

// rest waits after a transaction that took so long.
func (p *Projector) rest(ctx context.Context, took time.Duration) {
	if p.Lag() > projectHurry {
		return
	}
	over := time.NewTimer(projectRest * took)
	defer over.Stop()
	select {
	case <-ctx.Done():
	case <-over.C:
	}
}

// CatchUp projects everything that is durable now. A corrupt view is rebuilt once.
func (p *Projector) CatchUp(ctx context.Context) error {
	return p.round(ctx, func(time.Duration) {})
}

// round is CatchUp with rest called after each transaction.
func (p *Projector) round(ctx context.Context, rest func(took time.Duration)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.catchUp(ctx, rest)
	if isCorrupt(err) {
		p.log.Warn("view is rebuilt", slog.String("cause", err.Error()))
		if err = p.rebuild(ctx); err == nil {
			err = p.catchUp(ctx, rest)
		}
	}
	return err
}

func (p *Projector) catchUp(ctx context.Context, rest func(took time.Duration)) error {
	at, err := readPosition(ctx, p.db)
	if err != nil {
		return err
	}
	// Small blocks are gathered into one transaction; a large one is cut into several.
	var pending []journal.Block
	rows := 0
	flush := func() error {
		if len(pending) == 0 {
			return nil
		}
		began := time.Now()
		err := p.project(ctx, pending, &at)
		pending, rows = pending[:0], 0
		rest(time.Since(began))
		return err
	}
	err = p.journal.Blocks(ctx, at.last+1, func(b journal.Block) error {
		if rows+b.N > projectRows {
			if err := flush(); err != nil {
				return err
			}
		}
		pending, rows = append(pending, b), rows+b.N // Blocks gives each block slices of its own
		return nil
	})
	if err != nil {
		return err
	}
	return flush()
}

// project writes blocks that together have at most projectRows entries, or one larger block in parts.
func (p *Projector) project(ctx context.Context, blocks []journal.Block, at *position) error {
	t := &viewTx{limit: projectRows}
	defer t.rollback()
	for _, b := range blocks {
		err := b.Each(func(e journal.Entry) error {
			if e.Seq <= at.last {
				return nil
			}
			if err := t.add(ctx, p.db, e); err != nil {
				return err
			}
			at.last = e.Seq
			if e.Seq == b.Last() {
				at.boundary, at.head = e.Seq, b.Head
			}
			if t.entries < t.limit {
				return nil
			}
			return p.commit(ctx, t, at)
		})
		if err != nil {
			return fmt.Errorf("project journal entries %d to %d: %w", b.First, b.Last(), err)
		}
	}
	return p.commit(ctx, t, at)
}

func (p *Projector) commit(ctx context.Context, t *viewTx, at *position) error {
	if err := t.commit(ctx, at); err != nil {
		return fmt.Errorf("project up to journal entry %d: %w", at.last, err)
	}
	p.projected.Store(at.last)
	p.Committed(at.last) // the journal itself may be ahead of what was told
	return nil
}

// viewTx is one transaction of view.db, begun with its first entry.
type viewTx struct {
	tx      *sql.Tx
	insert  *sql.Stmt
	entries int
	limit   int
}

func (t *viewTx) add(ctx context.Context, db *sql.DB, e journal.Entry) (err error) {
	if t.tx == nil {
		if t.tx, err = db.BeginTx(ctx, nil); err != nil {
			return err
		}
		t.insert, err = t.tx.PrepareContext(ctx, `INSERT INTO exchange(seq, at, terminal, merchant, mti, type, network, batch, stan, amount, de39,
			reason, flags, effect, card_shown, elapsed_us) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
		if err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	t.entries++
	runtime.Gosched() // the line first: its goroutines each need some microseconds
	var x journal.Exchange
	if e.Kind != journal.KindExchange || x.Parse(e) != nil {
		return nil // no exchange, or one of a newer program: the journal has it, the view cannot show it
	}
	row := context.WithoutCancel(ctx) // the driver starts a goroutine for each statement that can be cancelled
	_, err = t.insert.ExecContext(row, int64(e.Seq), int64(x.At), x.Terminal.String(), x.Merchant.String(), x.MTI.String(), int64(x.Type),
		int64(x.Network), int64(x.Batch), int64(x.STAN), int64(x.Amount), x.DE39.String(), x.Reason.String(), int64(x.Flags),
		x.Effect.String(), x.Shown.String(), int64(x.ElapsedUS))
	return err
}

func (t *viewTx) commit(ctx context.Context, at *position) error {
	if t.tx == nil {
		return nil
	}
	_, err := t.tx.ExecContext(ctx, "UPDATE position SET last = ?, boundary = ?, head = ? WHERE id = 1",
		int64(at.last), int64(at.boundary), at.head[:])
	if err == nil {
		err = t.tx.Commit()
	}
	if err == nil {
		t.tx, t.entries = nil, 0
	}
	return err
}

// rollback undoes a transaction that was begun and not committed.
func (t *viewTx) rollback() {
	if t.tx != nil {
		_ = t.tx.Rollback() // the error that led here is returned already
	}
}

// FindExchange is Reader.FindExchange over the projector's own open files.
func (p *Projector) FindExchange(ctx context.Context, terminal pos.TerminalID, stan pos.STAN) (Found, error) {
	return p.journal.find(ctx, p.read.Load(), terminal, stan)
}

// Close closes the files. Run must have returned.
func (p *Projector) Close() error { return errors.Join(p.closeFiles(), p.journal.Close()) }

func (p *Projector) closeFiles() error {
	var errs []error
	for _, db := range []*sql.DB{p.read.Swap(nil), p.db} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	p.db = nil
	return errors.Join(errs...)
}
