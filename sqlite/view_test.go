package sqlite_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/sqlite"
)

func openProjector(t *testing.T, s *sqlite.Store) *sqlite.Projector {
	t.Helper()
	p, err := s.NewProjector(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// find asks the projector and a reader of its own, which must agree.
func find(t *testing.T, p *sqlite.Projector, dir string, terminal, stan int) []uint64 {
	t.Helper()
	got, err := p.FindExchange(t.Context(), terminalID(terminal), pos.STAN(stan))
	if err != nil || got.Truncated || got.From > 1 {
		t.Fatalf("projector: %+v, %v", got, err)
	}
	r, err := sqlite.OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	also, err := r.FindExchange(t.Context(), terminalID(terminal), pos.STAN(stan))
	if err != nil || also.Truncated || also.From > 1 || !slices.Equal(got.Seqs, also.Seqs) {
		t.Fatalf("reader found %+v, projector %+v, %v", also, got, err)
	}
	return got.Seqs
}

func count(t *testing.T, dir, where string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "view.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow("SELECT coalesce(sum(messages), 0) FROM posting WHERE " + where).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestProjection(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	fill(t, s)
	p := openProjector(t, s)
	if p.Lag() != 6 {
		t.Errorf("lag %d before projecting", p.Lag())
	}
	if got := find(t, p, dir, 1, 3); !slices.Equal(got, []uint64{4}) {
		t.Errorf("by blocks only: %d", got)
	}
	if err := p.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.Lag() != 0 {
		t.Errorf("lag %d after catching up", p.Lag())
	}
	fill(t, s) // the second half is in blocks, the first in the view
	p.Committed(12)
	if p.Lag() != 6 {
		t.Errorf("lag %d after six more", p.Lag())
	}
	if got := find(t, p, dir, 1, 3); !slices.Equal(got, []uint64{10, 4}) {
		t.Errorf("by blocks and view: %d", got)
	}
	if err := p.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := find(t, p, dir, 1, 3); !slices.Equal(got, []uint64{10, 4}) {
		t.Errorf("by view: %d", got)
	}
	if got := find(t, p, dir, 2, 3); len(got) != 0 {
		t.Errorf("of another terminal: %d", got)
	}
	if n := count(t, dir, "sales = messages AND sold = 1850 * sales"); n != 12 {
		t.Errorf("%d messages are sales of 18.50 as they were", n)
	}
	refusedRow(t, s, p, dir)
}

// refusedRow: a refused message has a row of its own.
func refusedRow(t *testing.T, s *sqlite.Store, p *sqlite.Projector, dir string) {
	t.Helper()
	w := newWriter(t, s)
	x := exchange(1, 3)
	x.Reason, x.DE39, x.Effect = reason.MACFailed, pos.Code("A0"), journal.NoEffect
	w.add(x)
	w.flush()
	if err := p.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "view.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int
	const row = "seq = 13 AND terminal = '00000001' AND merchant = '898320554110001' AND mti = '0200' AND type = 22 AND network = 0 " +
		"AND stan = 3 AND amount = 1850 AND de39 = 'A0' AND reason = 'mac_failed' AND effect = 'none' AND flags = 0 AND elapsed_us = 120"
	if err := db.QueryRow("SELECT count(*) FROM refusal WHERE " + row).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d rows are as the refusal was, %v", n, err)
	}
}

// A block with more entries than a transaction takes is projected in parts, and other kinds leave no row.
func TestProjectionOfLargeBlocks(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	w := newWriter(t, s)
	for b := range 2 {
		for i := range 4000 {
			w.add(exchange(b, i))
		}
		w.cold(journal.KindOpened, journal.Opened{})
		w.flush()
	}
	for i := range 2500 { // small blocks are gathered
		w.add(exchange(3, i))
		if i%10 == 9 {
			w.flush()
		}
	}
	p := openProjector(t, s)
	if err := p.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count(t, dir, "1"); n != 10500 || p.Lag() != 0 {
		t.Errorf("%d rows, lag %d", n, p.Lag())
	}
	if got := find(t, p, dir, 1, 3999); !slices.Equal(got, []uint64{8001}) {
		t.Errorf("found %d", got)
	}
}

// Whatever happened to view.db, a new projector begins afresh and shows the journal as it is.
func TestViewIsDisposable(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, path string){
		"missing": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		},
		"garbage": func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("this is no database, and long enough to look like one or not"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"newer schema":       func(t *testing.T, path string) { alter(t, path, "UPDATE schema SET version = 99") },
		"another journal":    func(t *testing.T, path string) { alter(t, path, "UPDATE position SET head = zeroblob(32)") },
		"ahead":              func(t *testing.T, path string) { alter(t, path, "UPDATE position SET last = 70") },
		"malformed position": func(t *testing.T, path string) { alter(t, path, "UPDATE position SET head = x'00'") },
		"no position":        func(t *testing.T, path string) { alter(t, path, "DELETE FROM position") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openStore(t, dir)
			fill(t, s)
			p := openProjector(t, s)
			if err := p.CatchUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "view.db")
			alter(t, path, "UPDATE posting SET sold = 1")
			damage(t, path)
			r, err := s.FindExchange(t.Context(), terminalID(1), 3)
			if err != nil || !slices.Equal(r.Seqs, []uint64{4}) {
				t.Errorf("without a usable view: %+v, %v", r, err)
			}
			p = openProjector(t, s)
			if p.Lag() != 6 {
				t.Errorf("lag %d of a new view", p.Lag())
			}
			if err := p.CatchUp(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := count(t, dir, "sold = 1850 * sales"); n != 6 {
				t.Errorf("%d rows of the journal", n)
			}
		})
	}
}

// What is sound is resumed, not rebuilt.
func TestViewIsResumed(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	fill(t, s)
	p := openProjector(t, s)
	if err := p.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	alter(t, filepath.Join(dir, "view.db"), "UPDATE posting SET sold = 1")
	fill(t, s)
	p = openProjector(t, s)
	if p.Lag() != 6 {
		t.Errorf("lag %d", p.Lag())
	}
	if err := p.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if old, new := count(t, dir, "sold = 1"), count(t, dir, "sold = 1850 * sales"); old != 6 || new != 6 {
		t.Errorf("%d old rows, %d new ones", old, new)
	}
}

func TestRunFollows(t *testing.T) {
	s := openStore(t, t.TempDir())
	p := openProjector(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- p.Run(ctx) }()
	w := newWriter(t, s)
	for i := range 50 {
		w.add(exchange(1, i))
		w.flush()
		p.Committed(w.last)
	}
	for p.Lag() != 0 { // the test's own deadline bounds this
		if err := p.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-ran; err != nil {
		t.Error(err)
	}
}

func TestSearchIsBounded(t *testing.T) {
	s := openStore(t, t.TempDir())
	w := newWriter(t, s)
	for range 150 {
		w.add(exchange(1, 1))
	}
	w.flush()
	check := func(got sqlite.Found, err error) {
		t.Helper()
		if err != nil || len(got.Seqs) != sqlite.MaxFound || got.Seqs[0] != 150 || got.From != 51 || !got.Truncated {
			t.Errorf("%d found, from %d, truncated %v, %v", len(got.Seqs), got.From, got.Truncated, err)
		}
	}
	check(s.FindExchange(t.Context(), terminalID(1), 1))
	p := openProjector(t, s)
	if err := p.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	check(p.FindExchange(t.Context(), terminalID(1), 1))
}
