package sqlite

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
	"sync/atomic"
)

// DefaultWALBytes is how many bytes of bodies are written before the WAL is moved into the file. A WAL
// that starts again from its beginning overwrites allocated blocks, so its size settles at a small
// multiple of this.
const DefaultWALBytes = 16 << 20

// walKeeper moves the WAL into the file behind the writer's back: first a PASSIVE checkpoint while blocks
// are appended, which copies nearly everything; then, the writer held for a moment, another, which copies
// what came meanwhile. Only after a complete checkpoint does SQLite start the WAL again, and under steady
// load the first one alone would never be complete.
type walKeeper struct {
	db      *sql.DB
	writer  *sync.Mutex
	log     *slog.Logger
	path    string
	most    int64        // bytes written before a checkpoint
	fatal   func(error)  // told of a sync that failed
	pending atomic.Int64 // bytes since the last checkpoint began
	wake    chan struct{}
	cancel  context.CancelFunc
	done    chan struct{}
}

func startKeeper(path string, most int64, writer *sync.Mutex, log *slog.Logger, fatal func(error)) (*walKeeper, error) {
	if most == 0 {
		most = DefaultWALBytes
	}
	db, err := settings{path: path, conns: 1, pragmas: []string{"synchronous(full)", "wal_autocheckpoint(0)", "cache_size(-64)"}}.open()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	k := &walKeeper{db: db, writer: writer, log: log, path: path, most: most, fatal: fatal, wake: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{})}
	go k.run(ctx)
	return k, nil
}

// wrote counts what was appended; it never blocks.
func (k *walKeeper) wrote(bytes int) {
	if k.pending.Add(int64(bytes)) < k.most {
		return
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

func (k *walKeeper) run(ctx context.Context) {
	defer close(k.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.wake:
		}
		err := k.checkpoint()
		if isSyncError(err) {
			// It may have been the WAL's: then blocks that were acknowledged are perhaps no longer on their
			// way to the disk, and no later sync would tell.
			k.fatal(&FaultError{k.path, err})
			return
		}
		if err != nil {
			// What is in the WAL stays durable there. It grows until this succeeds or Append fails.
			k.log.Error("journal checkpoint failed", slog.String("file", k.path), slog.String("error", err.Error()))
		}
	}
}

func (k *walKeeper) checkpoint() error {
	k.pending.Store(0)
	if err := k.passive(); err != nil {
		return err
	}
	k.writer.Lock()
	defer k.writer.Unlock()
	return k.passive()
}

// passive copies as much of the WAL as readers permit: up to the last frame when it began, which only
// with the writer held is the last of all; sqlite.org/pragma.html#pragma_wal_checkpoint.
func (k *walKeeper) passive() error {
	var busy, frames, copied int
	return k.db.QueryRow("PRAGMA wal_checkpoint(PASSIVE)").Scan(&busy, &frames, &copied)
}

func (k *walKeeper) stop() error {
	k.cancel()
	<-k.done
	return k.db.Close()
}
