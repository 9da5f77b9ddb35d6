package sqlite_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"touchstone/journal"
	"touchstone/registry"
	"touchstone/sqlite"
)

// sector is what a disk writes whole or not at all, bytes.
const sector = 512

// tornRandom is how many random mixtures of written and unwritten sectors are tried for each write.
const tornRandom = 30

// inLongForm tells whether the long form was asked for.
func inLongForm() bool { return os.Getenv("TOUCHSTONE_LONG") == "1" }

// image is what a disk holds of a journal: the file and its WAL.
type image struct{ db, wal []byte }

func takeImage(t *testing.T, dir string) (m image) {
	t.Helper()
	var err error
	if m.db, err = os.ReadFile(filepath.Join(dir, "touchstone.db")); err != nil {
		t.Fatal(err)
	}
	if m.wal, err = os.ReadFile(filepath.Join(dir, "touchstone.db-wal")); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return m
}

func (m image) put(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"touchstone.db", "touchstone.db-wal", "touchstone.db-shm", "state.db", "state.db-wal", "state.db-shm"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "touchstone.db"), m.db, 0o600),
		os.WriteFile(filepath.Join(dir, "touchstone.db-wal"), m.wal, 0o600)); err != nil {
		t.Fatal(err)
	}
}

// mix is a file after a power cut: the sectors for which wrote is true are the new ones, the others the
// old, or zeros where the file was shorter: its length may be on the disk before its bytes.
func mix(old, now []byte, wrote func(sector int) bool) []byte {
	out := make([]byte, max(len(old), len(now)))
	copy(out, old)
	for at := 0; at < len(now); at += sector {
		if wrote(at / sector) {
			copy(out[at:min(at+sector, len(now))], now[at:])
		}
	}
	return out
}

// changed lists the sectors in which two files differ.
func changed(old, now []byte) (list []int) {
	for at := 0; at < max(len(old), len(now)); at += sector {
		if !bytes.Equal(cutAt(old, at), cutAt(now, at)) {
			list = append(list, at/sector)
		}
	}
	return list
}

func cutAt(b []byte, at int) []byte {
	if at >= len(b) {
		return nil
	}
	return b[at:min(at+sector, len(b))]
}

// crashes calls f with each way in which a power cut may have left a write: torn after each sector, each
// sector alone lost, each alone written, and random mixtures.
func crashes(old, now []byte, random *rand.Rand, f func(name string, after []byte)) {
	list := changed(old, now)
	for i, s := range list {
		f("torn", mix(old, now, func(n int) bool { return n < s }))
		f("cut off", mix(old, now, func(n int) bool { return n < s })[:max(len(old), s*sector)])
		f("lost", mix(old, now, func(n int) bool { return n != s }))
		f("alone", mix(old, now, func(n int) bool { return n == s }))
		if i < tornRandom {
			f("mixed", mix(old, now, func(int) bool { return random.IntN(2) == 0 }))
		}
	}
}

// tornBed is where images are opened.
type tornBed struct {
	t      *testing.T
	dir    string
	opened int
	heads  map[uint64]journal.Hash // of every entry that ended a block
}

// want opens an image and wants the journal intact, ending with entry least or with entry most and no
// other, and able to go on.
func (b *tornBed) want(name string, m image, least, most uint64) {
	b.t.Helper()
	m.put(b.t, b.dir)
	b.opened++
	s, err := sqlite.Open(b.dir, sqlite.Options{})
	if err != nil {
		b.t.Fatalf("%s: %v", name, err)
	}
	defer s.Close()
	// What was left in the WAL is in the file, written and synced anew, before the first block is accepted.
	if wal, err := os.ReadFile(filepath.Join(b.dir, "touchstone.db-wal")); err != nil || len(wal) != 0 {
		b.t.Fatalf("%s: the WAL was not moved at the start: %d bytes, %v", name, len(wal), err)
	}
	p, err := s.Prove(b.t.Context(), nil)
	if err != nil || (p.Last != least && p.Last != most) || p.Head != b.heads[p.Last] {
		b.t.Fatalf("%s: proven up to entry %d, %v; acknowledged %d", name, p.Last, err, least)
	}
	w := newWriter(b.t, s)
	w.add(exchange(1, 1))
	w.flush()
	if p, err = s.Prove(b.t.Context(), nil); err != nil || p.Last != w.last {
		b.t.Fatalf("%s: a block after the crash: %d, %v", name, p.Last, err)
	}
}

// TestTornWrites takes the files before and after each block, each move of the WAL into the file and each
// new beginning of the WAL, and opens every mixture of old and new sectors that a power cut could have left
// of what was not synced. An acknowledged block is in all of them; the one under way is there whole or not
// at all; the journal goes on. A sync that lies is another matter: only a witness finds that.
func TestTornWrites(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 1))
	source := filepath.Join(t.TempDir(), "source")
	s, err := sqlite.Open(source, sqlite.Options{PageSize: 4096})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	bed := &tornBed{t: t, dir: filepath.Join(t.TempDir(), "crashed"), heads: map[uint64]journal.Hash{}}
	if err := os.Mkdir(bed.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	w := newWriter(t, s)
	rounds := 1
	if inLongForm() {
		rounds = 4
	}
	for round := range rounds {
		for n := range 3 {
			before, acknowledged := takeImage(t, source), w.last
			for i := range 1 + 4*n {
				w.add(exchange(i, 100*round+i))
			}
			if n == 1 {
				w.cold(journal.KindMerchant, registry.Merchant{ID: exchange(1, 1).Merchant, Name: "of a block that may be torn"})
			}
			w.flush()
			bed.heads[w.last] = w.head
			after := takeImage(t, source)
			if acknowledged == 0 {
				continue // the schema itself is in the WAL still
			}
			crashes(before.wal, after.wal, random, func(name string, wal []byte) {
				bed.want("block "+name, image{before.db, wal}, acknowledged, w.last)
			})
		}
		before := takeImage(t, source)
		if err := s.MoveWAL(); err != nil {
			t.Fatal(err)
		}
		after := takeImage(t, source)
		if len(changed(before.db, after.db)) == 0 || !bytes.Equal(before.wal, after.wal) {
			t.Fatal("the WAL was not moved into the file")
		}
		crashes(before.db, after.db, random, func(name string, db []byte) {
			bed.want("move "+name, image{db, before.wal}, w.last, w.last)
		})
	}
	t.Logf("%d images of a power cut opened: 0 lost, 0 doubled", bed.opened)
}
