package main

import (
	"io"
	"log/slog"
)

// newLog makes the log of a host: one line an event, text for a person or JSON for a collector, with a
// constant message and everything else in attributes.
func newLog(w io.Writer, format string, level slog.Level) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
