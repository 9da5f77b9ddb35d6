package sqlite_test

import (
	"errors"
	"testing"

	"touchstone/pos"
	"touchstone/reason"
	"touchstone/redress"
	"touchstone/sqlite"
)

// TestAskedWhileTheViewIsMadeAnew: between the old file and the new one there is none. Whoever asks then is answered from
// the journal, or is told that there is no view; nothing ends the process.
func TestAskedWhileTheViewIsMadeAnew(t *testing.T) {
	s := openStore(t, t.TempDir())
	w := newWriter(t, s)
	w.add(refused(1, 1, reason.MACFailed))
	w.flush()
	p, err := s.NewProjector(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, id := t.Context(), terminalID(1)
	asks := map[string]func() error{
		"SignIns":    func() error { _, _, err := p.SignIns(ctx, id); return err },
		"Masters":    func() error { _, err := p.Masters(ctx, id); return err },
		"Earlier":    func() error { _, _, err := p.Earlier(ctx, id); return err },
		"Recent":     func() error { _, err := p.Recent(ctx, id, 2, 1); return err },
		"Indicated":  func() error { _, err := p.Indicated(ctx, 1); return err },
		"SoldBy":     func() error { _, _, err := p.SoldBy(ctx, id, 0); return err },
		"RefusalsOf": func() error { _, err := p.RefusalsOf(ctx, id, 1, 1); return err },
		"Past":       func() error { _, err := p.Past(ctx, sqlite.PastTerminal, id.String(), 1, 1); return err },
		"PastActs":   func() error { _, err := p.PastActs(ctx, 1); return err },
		"CausesOf":   func() error { return p.CausesOf(ctx, []uint64{1}, map[uint64]sqlite.StoredCause{}) },
		"Exposed": func() error {
			_, err := p.Exposed(ctx, []pos.TerminalID{id}, 0, 1, func(*redress.Exposed) error { return nil })
			return err
		},
		"Messages":      func() error { _, err := p.Messages(ctx, &sqlite.MessageQuery{Most: 1}); return err },
		"MessagesAfter": func() error { _, err := p.MessagesAfter(ctx, id, 0, 1); return err },
		"FindExchange":  func() error { _, err := p.FindExchange(ctx, id, 1); return err },
	}
	for name, ask := range asks {
		if err := ask(); err != nil {
			t.Errorf("%s with a view: %v", name, err)
		}
	}
	defer p.WithoutView()()
	for name, ask := range asks {
		if err := ask(); err != nil && !errors.Is(err, sqlite.ErrNoView) {
			t.Errorf("%s without a view: %v", name, err)
		}
	}
}
