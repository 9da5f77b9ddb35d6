package witness_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"touchstone/journal"
	"touchstone/witness"
)

// blocks is a journal whose blocks end at these entries.
type blocks map[uint64]journal.Hash

func (b blocks) Head(ctx context.Context) (uint64, journal.Hash, error) {
	return b.Boundary(ctx, 1<<62)
}

func (b blocks) Boundary(_ context.Context, seq uint64) (last uint64, head journal.Hash, err error) {
	for end, h := range b {
		if end <= seq && end >= last {
			last, head = end, h
		}
	}
	return last, head, nil
}

// growing is a journal that grows while it is watched.
type growing struct {
	mu     sync.Mutex // guards blocks
	blocks blocks
}

func (g *growing) add(end uint64, head journal.Hash) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.blocks[end] = head
}

func (g *growing) Head(ctx context.Context) (uint64, journal.Hash, error) {
	return g.Boundary(ctx, 1<<62)
}

func (g *growing) Boundary(ctx context.Context, seq uint64) (uint64, journal.Hash, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.blocks.Boundary(ctx, seq)
}

const id = "00112233445566778899aabbccddeeff"

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func TestCompare(t *testing.T) {
	j := blocks{3: {3}, 7: {7}, 9: {9}}
	for _, c := range []struct {
		name                string
		seen                witness.Seen
		ok, older, other    bool
		missingFrom, missed string
	}{
		{name: "the newest entry", seen: witness.Seen{Journal: id, Seq: 9, Head: journal.Hash{9}}, ok: true},
		{name: "an earlier block", seen: witness.Seen{Journal: id, Seq: 7, Head: journal.Hash{7}}, ok: true},
		{name: "one more than there is", seen: witness.Seen{Journal: id, Seq: 10, Head: journal.Hash{10}}, older: true, missed: "entries 10 to 10 are missing"},
		{name: "many more", seen: witness.Seen{Journal: id, Seq: 400, Head: journal.Hash{1}}, older: true, missed: "entries 10 to 400 are missing"},
		{name: "another chain value", seen: witness.Seen{Journal: id, Seq: 9, Head: journal.Hash{8}}, missed: "chain value at entry 9 differs"},
		{name: "no end of a block", seen: witness.Seen{Journal: id, Seq: 8, Head: journal.Hash{7}}, missed: "chain value at entry 8 differs"},
		{name: "another journal", seen: witness.Seen{Journal: strings.Repeat("f", 32), Seq: 9, Head: journal.Hash{9}}, other: true, missed: "of another journal"},
		{name: "nothing yet", seen: witness.Seen{Journal: id}, ok: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "w")
			c.seen.At = noon
			if err := witness.Write(path, c.seen); err != nil {
				t.Fatal(err)
			}
			err := witness.Compare(t.Context(), path, id, j)
			var conflict *witness.Conflict
			switch {
			case c.ok:
				if err != nil {
					t.Error(err)
				}
			case !errors.As(err, &conflict) || conflict.Older() != c.older || conflict.Other() != c.other || !strings.Contains(err.Error(), c.missed):
				t.Errorf("%v", err)
			}
		})
	}
}

// TestDamagedWitness flips every bit of a witness, cuts it at every length and adds to it: it is read as it
// was written or not at all.
func TestDamagedWitness(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w")
	if _, err := witness.Read(path); !errors.Is(err, witness.ErrNone) {
		t.Errorf("no file: %v", err)
	}
	seen := witness.Seen{Journal: id, Seq: 1234567, Head: journal.Hash{1, 2, 3}, At: noon}
	if err := witness.Write(path, seen); err != nil {
		t.Fatal(err)
	}
	if got, err := witness.Read(path); err != nil || got != seen {
		t.Fatalf("%+v, %v", got, err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := func(name string, text []byte) {
		t.Helper()
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := witness.Read(path); !errors.Is(err, witness.ErrDamaged) || got != (witness.Seen{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for i := range whole {
		for bit := range 8 {
			whole[i] ^= 1 << bit
			bad("flipped", whole)
			whole[i] ^= 1 << bit
		}
		bad("cut", whole[:i])
	}
	bad("longer", append(append([]byte(nil), whole...), '\n'))
	bad("far too long", make([]byte, 1<<20))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := witness.Read(path); !errors.Is(err, witness.ErrDamaged) {
		t.Errorf("a directory: %v", err)
	}
}

// TestWatch: written at the start, when the head moved, and at the end; one that cannot be written is told
// once, and again when it can.
func TestWatch(t *testing.T) {
	dir := t.TempDir()
	good, blind := filepath.Join(dir, "good"), filepath.Join(dir, "not", "there")
	synctest.Test(t, func(t *testing.T) {
		var told strings.Builder
		j := &growing{blocks: blocks{3: {3}}}
		w := &witness.Watch{Paths: []string{good, blind}, ID: id, Journal: j, Every: time.Second, Now: time.Now,
			Log: slog.New(slog.NewTextHandler(&told, nil))}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { w.Run(ctx); close(ended) }()
		sees := func(path string, want uint64) {
			t.Helper()
			synctest.Wait()
			if got, err := witness.Read(path); err != nil || got.Seq != want || got.Head != (journal.Hash{byte(want)}) || got.Journal != id {
				t.Errorf("%s has %+v, %v; want entry %d", path, got, err, want)
			}
		}
		sees(good, 3)
		j.add(5, journal.Hash{5})
		time.Sleep(time.Second)
		sees(good, 5)
		time.Sleep(10 * time.Second)
		if err := os.Mkdir(filepath.Dir(blind), 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		sees(blind, 5)
		j.add(6, journal.Hash{6})
		cancel()
		<-ended
		sees(good, 6)
		sees(blind, 6)
		if gone, back := strings.Count(told.String(), "witness is not written"), strings.Count(told.String(), "witness is written again"); gone != 1 || back != 1 {
			t.Errorf("a blind witness was told %d times, its return %d times", gone, back)
		}
	})
}
