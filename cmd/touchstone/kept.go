package main

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"touchstone/explain/anatomy"
	"touchstone/pos"
	"touchstone/sqlite"
)

// keptFlags are how long masked messages are kept on the disk; docs/operating/console.md.
type keptFlags struct {
	MessageDays int `name:"message-days" help:"Days for which masked messages, every refusal and some approvals, are kept in the data directory to be looked at; 0 keeps them in memory alone and deletes what was kept." default:"30"`
	MessageMiB  int `name:"message-mib" help:"MiB they may take: what is over it goes, the oldest first." default:"256"`

	untouched bool // by a command that opens a data directory without serving
}

// check refuses what may not be configured, by the key's name.
func (f *keptFlags) check() error {
	for _, n := range []struct {
		key                string
		value, least, most int
	}{{"message-days", f.MessageDays, 0, 3650}, {"message-mib", f.MessageMiB, 1, 1 << 20}} {
		if n.value < n.least || n.value > n.most {
			return fmt.Errorf("%s: %d is not from %d to %d", n.key, n.value, n.least, n.most)
		}
	}
	return nil
}

func (f *keptFlags) kept() keptOptions {
	if f.untouched {
		return keptOptions{}
	}
	return keptOptions{life: time.Duration(f.MessageDays) * 24 * time.Hour, most: int64(f.MessageMiB) << 20, forget: f.MessageDays == 0}
}

// keptOptions are how masked messages are kept on the disk. The zero value keeps none and touches no file.
type keptOptions struct {
	life   time.Duration // after which one is deleted; 0 keeps none
	most   int64         // bytes of the file
	forget bool          // with a life of 0: the file of an earlier time is deleted
}

// keptMessage is what is kept of a message: nothing that may not be shown.
type keptMessage struct {
	Anatomy anatomy.Shown `json:"anatomy"`
	Timing  *keptTiming   `json:"timing,omitempty"`
}

// terminal is DE41 as the message claims, "" where it could not be read.
func (k *keptMessage) terminal() string {
	for i := range k.Anatomy.Parts {
		if p := &k.Anatomy.Parts[i]; p.Name == "DE41" {
			return printableID([]byte(p.Value.EN))
		}
	}
	return ""
}

// maxKept is the most bytes of a message that is kept, unpacked: what is longer is damaged.
const maxKept = 1 << 20

// unpackMessage reads what samples.pack made.
func unpackMessage(packed []byte) (*keptMessage, error) {
	kept := new(keptMessage)
	if err := json.NewDecoder(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxKept)).Decode(kept); err != nil {
		return nil, err
	}
	return kept, nil
}

// The pace of the file.
const (
	keptWaiting = 512                    // messages that wait to be written; more are kept in memory alone
	keptGroup   = 128                    // written at once, at most
	keptPause   = 200 * time.Millisecond // between two groups
	keptSweep   = time.Minute
	keptTime    = 10 * time.Second // that one write may take
)

// keeper writes masked messages to the data directory, one goroutine, off the answer's path. A nil keeper keeps nothing.
type keeper struct {
	file    *sqlite.Masked
	life    time.Duration
	clock   func() pos.Instant
	log     *slog.Logger
	waiting chan sqlite.MaskedMessage
	lost    atomic.Uint64 // of too many at once, or not written
	failing bool          // told already; run's own
}

// openKeeper opens the file. Where that fails nothing is kept on the disk, and the host goes on.
func (e *engine) openKeeper(ctx context.Context, o keptOptions) *keeper {
	if o.life <= 0 {
		if o.forget {
			if err := sqlite.ForgetMasked(e.dir); err != nil {
				e.log.Error("masked messages of an earlier time could not be deleted", slog.String("error", err.Error()))
			}
		}
		return nil
	}
	file, err := sqlite.OpenMasked(ctx, e.dir, o.most)
	if err != nil {
		e.log.Error("masked messages are kept in memory alone", slog.String("error", err.Error()))
		return nil
	}
	return &keeper{file: file, life: o.life, clock: e.clock, log: e.log, waiting: make(chan sqlite.MaskedMessage, keptWaiting)}
}

// keep hands one over; it does not wait.
func (k *keeper) keep(m sqlite.MaskedMessage) {
	if k == nil {
		return
	}
	select {
	case k.waiting <- m:
	default:
		k.lost.Add(1)
	}
}

// end tells that nothing more comes.
func (k *keeper) end() {
	if k != nil {
		close(k.waiting)
	}
}

// run writes what comes, and deletes what is too old, until end.
func (k *keeper) run() {
	k.sweep()
	sweep := time.NewTicker(keptSweep)
	defer sweep.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-sweep.C:
			k.sweep()
		case m, more := <-k.waiting:
			if !more {
				return
			}
			more = k.write(m)
			if !more {
				return
			}
			pause.Reset(keptPause)
			<-pause.C
		}
	}
}

// write writes a message and those that wait behind it; more is false when it was the last.
func (k *keeper) write(first sqlite.MaskedMessage) (more bool) {
	group, more := []sqlite.MaskedMessage{first}, true
	for gathering := true; gathering && more && len(group) < keptGroup; {
		select {
		case m, ok := <-k.waiting:
			if more = ok; ok {
				group = append(group, m)
			}
		default:
			gathering = false
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), keptTime)
	defer cancel()
	err := k.file.Keep(ctx, group)
	if err != nil {
		k.lost.Add(uint64(len(group)))
	}
	if err != nil && !k.failing {
		k.log.Warn("masked messages are not written: they are in memory alone", slog.Int("messages", len(group)), slog.String("error", err.Error()))
	}
	k.failing = err != nil
	return more
}

// sweep deletes what is too old.
func (k *keeper) sweep() {
	ctx, cancel := context.WithTimeout(context.Background(), keptTime)
	defer cancel()
	if _, err := k.file.Sweep(ctx, k.clock().Time().Add(-k.life)); err != nil {
		k.log.Warn("masked messages that are too old could not be deleted", slog.String("error", err.Error()))
	}
}

// of is what is kept of an entry that came at an instant, as it was packed; nil where nothing is.
func (k *keeper) of(ctx context.Context, entry uint64, at pos.Instant) []byte {
	if k == nil {
		return nil
	}
	body, err := k.file.Message(ctx, entry, int64(at))
	if err != nil && ctx.Err() == nil {
		k.log.Warn("a masked message could not be read", slog.Uint64("entry", entry), slog.String("error", err.Error()))
	}
	return body
}

// close closes the file; nothing writes any more.
func (s *samples) close() error {
	if s == nil || s.keeper == nil {
		return nil
	}
	return s.keeper.file.Close()
}
