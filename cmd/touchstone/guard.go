package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"touchstone/journal"
	"touchstone/sqlite"
	"touchstone/witness"
)

// What guards a data directory while it is served: witnesses of its head, the scrub, the room left on its
// disk; and how the process ends when the journal fails.

// guardOptions say how.
type guardOptions struct {
	witnesses   []string      // files outside the data directory
	proveFirst  bool          // prove the whole journal before serving
	scrubRate   int           // bytes of entries a second; 0 is no scrub
	scrubEvery  time.Duration // from the end of one to the beginning of the next
	leastFree   uint64        // bytes; with less on its disk a data directory is not opened
	walBytes    int64         // of the journal, before its WAL is moved into the file; 0 is sqlite's own
	proofSpeaks func(seq, last uint64)
}

// guardFlags are the flags, and configuration keys, of the guard.
type guardFlags struct {
	Witness    []string      `name:"witness" help:"File outside the data directory, best on another disk, that witnesses the journal's newest entry; may be given again." placeholder:"FILE"`
	ScrubRate  int           `name:"scrub-rate" help:"MiB of journal proven intact a second while serving; 0 for none." default:"8"`
	ScrubEvery time.Duration `name:"scrub-every" help:"From the end of one such proof to the next." default:"24h"`
	LeastFree  int           `name:"least-free" help:"MiB that must be free on the disk to start." default:"64"`
	WAL        int           `name:"wal" help:"MiB of journal written before its write-ahead log is moved into the file." default:"16"`

	proveFirst bool // serve --verify
}

// guardDefaults are the flags of a command that opens a data directory without serving.
func guardDefaults() guardFlags { return guardFlags{ScrubEvery: 24 * time.Hour} }

func (f *guardFlags) check() error {
	for _, n := range []struct {
		key         string
		value, most int
	}{{"scrub-rate", f.ScrubRate, 1 << 20}, {"least-free", f.LeastFree, 1 << 30}, {"wal", f.WAL, 1 << 12}} {
		if n.value < 0 || n.value > n.most {
			return fmt.Errorf("%s: want 0 to %d", n.key, n.most)
		}
	}
	if f.ScrubEvery < time.Minute {
		return fmt.Errorf("scrub-every: %s is under %s", f.ScrubEvery, time.Minute)
	}
	return nil
}

func (f *guardFlags) guard(log *slog.Logger) guardOptions {
	return guardOptions{witnesses: f.Witness, proveFirst: f.proveFirst, scrubRate: f.ScrubRate << 20, scrubEvery: f.ScrubEvery,
		leastFree: uint64(f.LeastFree) << 20, walBytes: int64(f.WAL) << 20, proofSpeaks: everySecond(log)}
}

// witnessEvery is how often witnesses are written while the head moves.
const witnessEvery = time.Second

// journalID is whose journal this is; "" of an empty one.
func journalID(ctx context.Context, r *sqlite.Reader) (string, error) {
	e, err := r.Entry(ctx, 1)
	if errors.Is(err, sqlite.ErrNoEntry) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var o journal.Opened
	if e.Kind != journal.KindOpened || json.Unmarshal(e.Body, &o) != nil || o.ID == "" {
		return "", &journal.ChainError{Seq: 1, What: "it does not say whose journal this is"}
	}
	return o.ID, nil
}

// compareWitnesses refuses a journal that is not all of what a witness saw.
func compareWitnesses(ctx context.Context, paths []string, id string, r *sqlite.Reader, log *slog.Logger) error {
	for _, path := range paths {
		err := witness.Compare(ctx, path, id, r)
		var conflict *witness.Conflict
		switch {
		case err == nil:
		case errors.Is(err, witness.ErrNone):
			log.Info("no witness yet, nothing was compared", slog.String("file", path))
		case errors.Is(err, witness.ErrDamaged):
			return fmt.Errorf("%w: it cannot be told whether this data directory is the newest; compare it with another witness, "+
				"and move the file away to begin a new one", err)
		case errors.As(err, &conflict) && !conflict.Other():
			return fmt.Errorf("%w; was a backup put back? Put the newest copy back, or accept the loss: touchstone journal accept-loss --help", err)
		default:
			return err
		}
	}
	return nil
}

// guard checks an open store before anything is served from it.
func (e *engine) guard(ctx context.Context, o guardOptions) error {
	id, err := journalID(ctx, e.store.Reader)
	if err != nil {
		return err
	}
	if id != "" {
		if err := compareWitnesses(ctx, o.witnesses, id, e.store.Reader, e.log); err != nil {
			return err
		}
	}
	if o.proveFirst {
		p, err := e.prove(ctx, o.proofSpeaks)
		if err != nil {
			return notIntact(err)
		}
		e.log.Info("journal proven intact", slog.Uint64("entries", p.Last), slog.Int("rows", p.Rows))
	}
	return nil
}

// prove is the whole proof as fast as the disk allows.
func (e *engine) prove(ctx context.Context, speaks func(seq, last uint64)) (sqlite.Proven, error) {
	last, _, err := e.store.Head(ctx)
	if err != nil {
		return sqlite.Proven{}, err
	}
	return e.store.Prove(ctx, func(b journal.Block) error {
		if speaks != nil {
			speaks(b.Last(), last)
		}
		return ctx.Err()
	})
}

// startGuard begins what runs until ctx ends.
func (e *engine) startGuard(ctx context.Context, o guardOptions) error {
	id, err := journalID(ctx, e.store.Reader)
	if err != nil {
		return err
	}
	if len(o.witnesses) > 0 && id != "" {
		e.witnesses = o.witnesses
		w := &witness.Watch{Paths: o.witnesses, ID: id, Journal: e.store, Every: witnessEvery, Now: time.Now, Log: e.log}
		e.wait.Go(func() { w.Run(ctx) })
	}
	if o.scrubRate > 0 {
		e.scrub = &scrub{store: e.store, rate: o.scrubRate, every: o.scrubEvery, log: e.log}
		e.wait.Go(func() {
			if err := e.scrub.run(ctx); err != nil {
				e.fail(notIntact(err))
			}
		})
	}
	e.wait.Go(func() {
		select {
		case err := <-e.store.Failed():
			e.fail(err)
		case <-ctx.Done():
		}
	})
	if o.leastFree > 0 {
		e.wait.Go(func() { e.watchRoom(ctx, o.leastFree) })
	}
	return nil
}

// fail ends the engine for good: the first cause is told to serve, and the files are left as they are.
func (e *engine) fail(err error) {
	e.dead.Store(true)
	select {
	case e.failed <- err:
	default:
	}
}

// notIntact says of a proof that failed what it means.
func notIntact(err error) error {
	return fmt.Errorf("the journal cannot be proven intact: %w; keep the files as they are and go on from a copy: docs/operating/recovery.md", err)
}

// fatal says of an error of the journal what happened and what a person does.
func fatal(err error) error {
	var fault *sqlite.FaultError
	what := ""
	if errors.As(err, &fault) {
		what = "; look at the disk (dmesg, smartctl) before you start again"
		if fault.Full() {
			what = "; the disk is full: make room, then start again"
		}
		what += ". Nothing that was answered is lost: the next start reads the journal again"
	}
	return fmt.Errorf("the journal failed, nothing more is answered: %w%s", err, what)
}

// orderlyEnd is how long a process may take to end by itself after its journal failed. Nothing is left to
// be saved then; what it could be doing is waiting: for a disk that hangs, or a peer that does not read.
const orderlyEnd = 75 * time.Millisecond

// dieSoon ends the process if it has not ended by itself.
func dieSoon(err error) {
	time.AfterFunc(orderlyEnd, func() {
		fmt.Fprintln(os.Stderr, "touchstone:", err)
		os.Exit(1)
	})
}

// Room on the disk.
const (
	roomEvery = 10 * time.Second
	// roomWarns times the least is when a person is told.
	roomWarns = 16
)

// freeBytes is what a file system has left for this process.
func freeBytes(dir string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	return s.Bavail * uint64(s.Bsize), nil
}

// checkRoom refuses a data directory whose disk is about full: the journal would fail soon after.
func checkRoom(dir string, least uint64) error {
	free, err := freeBytes(dir)
	if err != nil || free >= least {
		return err
	}
	return fmt.Errorf("the disk of %s has %d MiB left, least-free is %d MiB: make room first", dir, free>>20, least>>20)
}

// watchRoom tells when room gets short and when that is over.
func (e *engine) watchRoom(ctx context.Context, least uint64) {
	tick := time.NewTicker(roomEvery)
	defer tick.Stop()
	short := false
	for {
		free, err := freeBytes(e.dir)
		if now := err == nil && free < least*roomWarns; now != short {
			short = now
			if short {
				e.log.Error("the disk is nearly full: without room the host ends", slog.String("data", e.dir), slog.Uint64("free_mib", free>>20))
			} else {
				e.log.Info("the disk has room again", slog.String("data", e.dir), slog.Uint64("free_mib", free>>20))
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
