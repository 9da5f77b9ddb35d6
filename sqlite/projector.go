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

// The pace of projection. A round takes what was committed since the last one. Under load it pauses longer,
// so that a terminal's row holds many of its messages and the processors are left to the line.
const (
	projectEntries   = 200_000                // most entries a transaction
	projectPause     = 100 * time.Millisecond // between rounds
	projectBusy      = 2000                   // a round of more is under load
	projectBusyPause = 10 * time.Second       // after it; what comes meanwhile is well below MaxScan
)

// Projector feeds view.db from the committed blocks. Its failure costs queries, never a transaction.
type Projector struct {
	journal *Reader
	path    string
	log     *slog.Logger

	committed atomic.Uint64 // the newest entry known to be durable
	projected atomic.Uint64
	wake      chan struct{}

	read      atomic.Pointer[sql.DB]      // for queries; a rebuild replaces it
	asEarlier atomic.Pointer[earlierStmt] // of read

	mu     sync.Mutex // held for a round; guards the fields below
	db     *sql.DB
	chunks map[pos.TerminalID]*chunk // of round; emptied when a round fails
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
		before := p.projected.Load()
		if err := p.CatchUp(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if p.projected.Load()-before > projectBusy {
			pause.Reset(projectBusyPause)
		} else {
			pause.Reset(projectPause)
		}
	}
}

// CatchUp projects everything that is durable now. A corrupt view is rebuilt once.
func (p *Projector) CatchUp(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.catchUp(ctx)
	if isCorrupt(err) {
		p.log.Warn("view is rebuilt", slog.String("cause", err.Error()))
		if err = p.rebuild(ctx); err == nil {
			err = p.catchUp(ctx)
		}
	}
	return err
}

func (p *Projector) catchUp(ctx context.Context) error {
	at, err := readPosition(ctx, p.db)
	if err != nil {
		return err
	}
	round := newRound()
	round.chunks, p.chunks = p.takeChunks(), nil
	err = p.journal.Blocks(ctx, at.last+1, func(b journal.Block) error {
		if err := round.take(b); err != nil {
			return fmt.Errorf("project journal entries %d to %d: %w", b.First, b.Last(), err)
		}
		at = position{b.Last(), b.Last(), b.Head}
		runtime.Gosched() // the line first: its goroutines each need some microseconds
		if round.entries < projectEntries {
			return nil
		}
		return p.write(ctx, round, at)
	})
	if err != nil {
		return err
	}
	if err := p.write(ctx, round, at); err != nil {
		return err
	}
	p.chunks = round.chunks
	return nil
}

// takeChunks is where the last round left off. A round that fails leaves nothing: the next begins new rows.
func (p *Projector) takeChunks() map[pos.TerminalID]*chunk {
	if p.chunks == nil || len(p.chunks) > mostChunks {
		return map[pos.TerminalID]*chunk{}
	}
	return p.chunks
}

// write puts a round into view.db in one transaction and empties it.
func (p *Projector) write(ctx context.Context, r *round, at position) error {
	if r.entries == 0 {
		return nil
	}
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := r.write(ctx, tx); err != nil {
		return fmt.Errorf("project up to journal entry %d: %w", at.last, err)
	}
	_, err = tx.ExecContext(ctx, "UPDATE position SET last = ?, boundary = ?, head = ? WHERE id = 1", int64(at.last), int64(at.boundary), at.head[:])
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return fmt.Errorf("project up to journal entry %d: %w", at.last, err)
	}
	r.reset()
	p.projected.Store(at.last)
	p.Committed(at.last) // the journal itself may be ahead of what was told
	return nil
}

// ErrNoView is returned while view.db is made anew: ask again.
var ErrNoView = errors.New("the view is being made anew")

// view is the open view, for what cannot be told from the journal alone.
func (p *Projector) view() (*sql.DB, error) {
	if view := p.read.Load(); view != nil {
		return view, nil
	}
	return nil, ErrNoView
}

// FindExchange is Reader.FindExchange over the projector's own open files.
func (p *Projector) FindExchange(ctx context.Context, terminal pos.TerminalID, stan pos.STAN) (Found, error) {
	return p.journal.find(ctx, p.read.Load(), terminal, stan)
}

// Close closes the files. Run must have returned.
func (p *Projector) Close() error { return errors.Join(p.closeFiles(), p.journal.Close()) }

func (p *Projector) closeFiles() error {
	var errs []error
	if had := p.asEarlier.Swap(nil); had != nil {
		errs = append(errs, had.stmt.Close())
	}
	for _, db := range []*sql.DB{p.read.Swap(nil), p.db} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	p.db = nil
	return errors.Join(errs...)
}
