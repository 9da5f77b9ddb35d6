package sqlite_test

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // registers the driver by which tests alter files

	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/sqlite"
)

func openStore(t testing.TB, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// alter runs SQL on a file of a closed data directory.
func alter(t testing.TB, path, query string, args ...any) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r, err := db.Exec(query, args...)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := r.RowsAffected(); err == nil && n == 0 && strings.HasPrefix(query, "UPDATE") {
		t.Fatalf("%s changed no row", query)
	}
}

// fill writes blocks of 1, 3, 2 exchanges.
func fill(t testing.TB, s *sqlite.Store) {
	t.Helper()
	w := newWriter(t, s)
	i := 0
	for _, n := range []int{1, 3, 2} {
		for range n {
			w.add(exchange(i%2, i))
			i++
		}
		w.flush()
	}
}

func TestRoundTrip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := openStore(t, dir)
	if last, head, err := s.Head(t.Context()); last != 0 || head != (journal.Hash{}) || err != nil {
		t.Fatalf("empty journal: head %d, %v", last, err)
	}
	fill(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, dir)
	fill(t, s)
	var seqs, firsts []uint64
	for from, want := range map[uint64]string{0: "[1 2 5 7 8 11]", 1: "[1 2 5 7 8 11]", 4: "[2 5 7 8 11]", 5: "[5 7 8 11]", 12: "[11]", 13: "[]", 1 << 63: "[]"} {
		firsts = nil
		if err := s.Blocks(t.Context(), from, func(b journal.Block) error {
			firsts = append(firsts, b.First)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(firsts); got != want {
			t.Errorf("blocks from %d begin with %s, want %s", from, got, want)
		}
	}
	if err := s.Verify(t.Context(), 0, func(seq uint64) { seqs = append(seqs, seq) }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(seqs, []uint64{1, 4, 6, 7, 10, 12}) {
		t.Errorf("progress told %d", seqs)
	}
	for seq := uint64(1); seq <= 12; seq++ {
		e, err := s.Entry(t.Context(), seq)
		var x journal.Exchange
		if err == nil {
			err = x.Parse(e)
		}
		if err != nil || e.Seq != seq || uint64(x.STAN) != (seq-1)%6 {
			t.Errorf("entry %d: number %d, trace %s, %v", seq, e.Seq, x.STAN, err)
		}
	}
	for _, seq := range []uint64{0, 13, 1<<64 - 1} {
		if _, err := s.Entry(t.Context(), seq); !errors.Is(err, sqlite.ErrNoEntry) {
			t.Errorf("entry %d: %v", seq, err)
		}
	}
	for seq, want := range map[uint64]uint64{0: 0, 1: 1, 3: 1, 4: 4, 5: 4, 6: 6, 11: 10, 12: 12, 1 << 63: 12} {
		if last, _, err := s.Boundary(t.Context(), seq); last != want || err != nil {
			t.Errorf("boundary of %d: %d, %v; want %d", seq, last, err, want)
		}
	}
}

func TestModes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s := openStore(t, dir)
	fill(t, s)
	p, err := s.NewProjector(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if d.IsDir() {
			want = 0o700 | fs.ModeDir
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v", d.Name(), info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAppendRefusesWhatDoesNotFollow(t *testing.T) {
	body := journal.AppendHead([]byte{0, 0, 0, 10}, journal.KindOpened, 1)
	for name, b := range map[string]journal.Block{
		"a gap":          {First: 8, N: 1, Body: body},
		"a repeat":       {First: 6, N: 1, Body: body},
		"no entries":     {First: 7, N: 0},
		"another chain":  {First: 7, N: 1, Body: body},
		"a first block":  {First: 1, N: 1, Body: body},
		"negative count": {First: 7, N: -1},
	} {
		s := openStore(t, t.TempDir())
		fill(t, s)
		_, head, err := s.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if name != "another chain" {
			b.Prev = head
		}
		if err := s.Append(t.Context(), b); !errors.Is(err, sqlite.ErrContinuity) {
			t.Errorf("%s: %v", name, err)
		}
		good := journal.Block{First: 7, N: 1, Prev: head, Body: body}
		if err := s.Append(t.Context(), good); !errors.Is(err, sqlite.ErrBroken) {
			t.Errorf("%s: the next block: %v", name, err)
		}
		if last, _, err := s.Head(t.Context()); last != 6 || err != nil {
			t.Errorf("%s: head %d, %v", name, last, err)
		}
	}
}

func TestColdRows(t *testing.T) {
	s := openStore(t, t.TempDir())
	w := newWriter(t, s)
	x := exchange(1, 1)
	m := registry.Merchant{ID: x.Merchant, Name: "first"}
	term := registry.Terminal{ID: x.Terminal, Merchant: x.Merchant, Serial: "S1", Profile: registry.Profile{SignInCode: keys.SignInTDES}}
	card := issuer.Opening{Card: pos.PANHash{1}, State: issuer.Active, Balance: 5}
	wrapped := make(keys.Wrapped, keys.WrapHead+8+keys.WrapTag) // a well-formed layout around zeros, no key
	wrapped[0], wrapped[5], wrapped[6] = 1, byte(keys.TerminalMaster), byte(keys.TDES)
	w.add(x)
	w.cold(journal.KindOpened, journal.Opened{Test: true})
	w.cold(journal.KindMerchant, m)
	w.cold(journal.KindTerminal, term)
	w.cold(journal.KindDevice, registry.Device{Serial: "S1", State: registry.Active})
	w.cold(journal.KindCard, card)
	w.cold(journal.KindKey, keys.Record{Owner: keys.OfTerminal("00000001"), Wrapped: wrapped, KCV: "AA"})
	m.Name = "second"
	w.cold(journal.KindMerchant, m)
	w.flush()
	w.cold(journal.KindKey, keys.Record{Owner: keys.OfTerminal("00000001"), Wrapped: wrapped, KCV: "BB"})
	w.cold(journal.KindKey, keys.Record{Owner: keys.OfTerminal("00000002"), Wrapped: wrapped, KCV: "CC"})
	w.add(journal.Raw{Entry: journal.Entry{Kind: journal.KindDevice, Body: []byte(`{"serial":"S2","state":"active","of_a_later_version":1}`)}})
	w.flush()

	var got []string
	say := func(format string, args ...any) error { got = append(got, fmt.Sprintf(format, args...)); return nil }
	err := s.Cold(t.Context(), sqlite.Cold{
		Merchant: func(seq uint64, r registry.Merchant) error { return say("%d merchant %s", seq, r.Name) },
		Terminal: func(seq uint64, r registry.Terminal) error { return say("%d terminal %s", seq, r.ID) },
		Device:   func(seq uint64, r registry.Device) error { return say("%d device %s", seq, r.Serial) },
		Card:     func(seq uint64, r issuer.Opening) error { return say("%d card %s", seq, r.Balance) },
		Key:      func(seq uint64, r keys.Record) error { return say("%d key of %s %s", seq, r.Owner, r.KCV) },
	})
	want := []string{"8 merchant second", "4 terminal 00000001", "5 device S1", "11 device S2", "6 card 0.05",
		"9 key of terminal 00000001 BB", "10 key of terminal 00000002 CC"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("cold records %q, %v\nwant %q", got, err, want)
	}
	if err := s.Verify(t.Context(), 0, nil); err != nil {
		t.Error(err)
	}
}

// A cold entry that cannot be kept takes its whole block with it.
func TestColdRowAndBlockAreOneTransaction(t *testing.T) {
	s := openStore(t, t.TempDir())
	fill(t, s)
	w := newWriter(t, s)
	w.cold(journal.KindMerchant, registry.Merchant{ID: exchange(1, 1).Merchant, Name: "kept with its block only"})
	w.add(journal.Raw{Entry: journal.Entry{Kind: journal.KindKey, Body: []byte(`{"owner":"terminal 00000001","wrapped":""}`)}})
	if err := w.tryFlush(); !errors.Is(err, keys.ErrWrapped) {
		t.Fatalf("a malformed key record: %v", err)
	}
	if last, _, err := s.Head(t.Context()); last != 6 || err != nil {
		t.Errorf("head %d, %v", last, err)
	}
	err := s.Cold(t.Context(), sqlite.Cold{Merchant: func(uint64, registry.Merchant) error { return errors.New("a row without its block") }})
	if err != nil {
		t.Error(err)
	}
}

// Every byte of every block is flipped in turn: bodies, both chain values.
func TestVerifyNamesTheBrokenBlock(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	w := newWriter(t, s)
	for _, n := range []int{1, 2, 1} {
		for i := range n {
			w.add(journal.Raw{Entry: journal.Entry{Kind: journal.KindExchange, At: 7, Body: []byte{byte(i), 2, 3}}})
		}
		w.flush()
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "touchstone.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var blocks []journal.Block
	if err := s.Blocks(t.Context(), 0, func(b journal.Block) error { blocks = append(blocks, b); return nil }); err != nil {
		t.Fatal(err)
	}
	flips := 0
	for _, b := range blocks {
		for column, value := range map[string][]byte{"prev": b.Prev[:], "head": b.Head[:], "body": b.Body} {
			for i := range value {
				flipped := slices.Clone(value)
				flipped[i] ^= 1
				set := "UPDATE block SET " + column + " = ? WHERE first = ?"
				if _, err := db.Exec(set, flipped, int64(b.First)); err != nil {
					t.Fatal(err)
				}
				var broken *journal.ChainError
				if err := s.Verify(t.Context(), 0, nil); !errors.As(err, &broken) || broken.Seq < b.First || broken.Seq > b.Last() {
					t.Errorf("byte %d of %s of entries %d to %d: %v", i, column, b.First, b.Last(), err)
				}
				if _, err := db.Exec(set, value, int64(b.First)); err != nil {
					t.Fatal(err)
				}
				flips++
			}
		}
	}
	if flips < 3*64 {
		t.Fatalf("only %d bytes flipped", flips)
	}
	if err := s.Verify(t.Context(), 0, nil); err != nil {
		t.Errorf("restored: %v", err)
	}
	for name, damage := range map[string]struct {
		sql  string
		want uint64
	}{
		"block missing":    {"DELETE FROM block WHERE first = 2", 2},
		"count too high":   {"UPDATE block SET n = 2 WHERE first = 4", 5},
		"count too low":    {"UPDATE block SET n = 1 WHERE first = 2", 2},
		"count zero":       {"UPDATE block SET n = 0 WHERE first = 2", 2},
		"chain cut short":  {"UPDATE block SET prev = x'00' WHERE first = 4", 4},
		"first block gone": {"DELETE FROM block WHERE first = 1", 1},
	} {
		copied := filepath.Join(t.TempDir(), "copy")
		if err := os.Mkdir(copied, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("VACUUM INTO ?", filepath.Join(copied, "touchstone.db")); err != nil {
			t.Fatal(err)
		}
		alter(t, filepath.Join(copied, "touchstone.db"), damage.sql)
		r, err := sqlite.OpenReader(copied)
		if err != nil {
			t.Fatal(err)
		}
		var broken *journal.ChainError
		if err := r.Verify(t.Context(), 0, nil); !errors.As(err, &broken) || broken.Seq != damage.want {
			t.Errorf("%s: %v, want entry %d", name, err, damage.want)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestPragmas(t *testing.T) {
	dir := t.TempDir()
	openStore(t, dir).Close()
	for _, file := range []string{"touchstone.db", "state.db"} {
		head := make([]byte, 100)
		f, err := os.Open(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Read(head); err != nil {
			t.Fatal(err)
		}
		f.Close()
		if head[18] != 2 || head[19] != 2 { // write and read version 2 is WAL; fileformat2.html 1.3.3
			t.Errorf("%s is not in WAL mode", file)
		}
		if size := int(head[16])<<8 | int(head[17]); size != sqlite.DefaultPageSize {
			t.Errorf("%s has pages of %d bytes", file, size)
		}
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	for _, file := range []string{"touchstone.db", "state.db"} {
		dir := t.TempDir()
		s := openStore(t, dir)
		fill(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		alter(t, filepath.Join(dir, file), "UPDATE schema SET version = version + 98")
		if _, err := sqlite.Open(dir, sqlite.Options{}); !errors.Is(err, sqlite.ErrNewer) {
			t.Errorf("%s: %v", file, err)
		}
		if file == "touchstone.db" {
			if _, err := sqlite.OpenReader(dir); !errors.Is(err, sqlite.ErrNewer) {
				t.Errorf("reader: %v", err)
			}
		}
		alter(t, filepath.Join(dir, file), "UPDATE schema SET version = version - 98")
		if last, _, err := openStore(t, dir).Head(t.Context()); last != 6 || err != nil {
			t.Errorf("%s put right: head %d, %v", file, last, err)
		}
	}
}

func TestOpenReaderOfNothing(t *testing.T) {
	if _, err := sqlite.OpenReader(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("empty directory: %v", err)
	}
}
