package witness

import (
	"context"
	"log/slog"
	"time"
)

// Watch writes the head of a journal to its witnesses.
type Watch struct {
	Paths   []string
	ID      string // the journal's
	Journal Journal
	Every   time.Duration
	Now     func() time.Time
	Log     *slog.Logger

	seen    uint64
	blind   map[string]bool // those that could not be written last time
	written bool
}

// Run writes every witness when the head has moved, at most once in Every, until ctx ends, and then once
// more. A witness that cannot be written is told to the log when that begins and when it is over: the
// journal is whole without it, so the host goes on.
func (w *Watch) Run(ctx context.Context) {
	tick := time.NewTicker(w.Every)
	defer tick.Stop()
	for {
		w.Write(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.Write(context.WithoutCancel(ctx))
			return
		}
	}
}

// Write writes the head now, if it has moved.
func (w *Watch) Write(ctx context.Context) {
	last, head, err := w.Journal.Head(ctx)
	if err != nil {
		if ctx.Err() == nil {
			w.Log.Error("head for the witnesses was not read", slog.String("error", err.Error()))
		}
		return
	}
	if w.blind == nil {
		w.blind = map[string]bool{}
	}
	moved := !w.written || last != w.seen
	for _, path := range w.Paths {
		if !moved && !w.blind[path] {
			continue
		}
		err := Write(path, Seen{w.ID, last, head, w.Now()})
		if was := w.blind[path]; err != nil && !was {
			w.Log.Error("witness is not written", slog.String("file", path), slog.String("error", err.Error()))
		} else if err == nil && was {
			w.Log.Info("witness is written again", slog.String("file", path))
		}
		w.blind[path] = err != nil
	}
	w.seen, w.written = last, true
}
