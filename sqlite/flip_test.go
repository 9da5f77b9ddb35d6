package sqlite_test

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/sqlite"
)

// smallPage makes a small file, and one in which most rows go on in pages of their own.
const smallPage = 512

// smallJournal writes blocks with exchanges and cold records, a checkpoint, and closes.
func smallJournal(t *testing.T, dir string) {
	t.Helper()
	s, err := sqlite.Open(dir, sqlite.Options{PageSize: smallPage})
	if err != nil {
		t.Fatal(err)
	}
	w := newWriter(t, s)
	x := exchange(1, 1)
	w.cold(journal.KindOpened, journal.Opened{Test: true, ID: "00112233445566778899aabbccddeeff"})
	w.cold(journal.KindMerchant, registry.Merchant{ID: x.Merchant, Name: "first"})
	w.flush()
	w.add(x, exchange(2, 2))
	w.flush()
	w.cold(journal.KindCard, issuer.Opening{Card: pos.PANHash{1}, State: issuer.Active, Balance: 5})
	w.cold(journal.KindMerchant, registry.Merchant{ID: x.Merchant, Name: "second"})
	w.add(exchange(1, 3))
	w.flush()
	w.add(exchange(2, 4))
	w.flush()
	checkpoint(t, s, 4)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// found is everything a reader can get of a data directory, as text; two that are equal hold the same.
func found(ctx context.Context, dir string) (text string, err error) {
	s, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	p, err := s.Prove(ctx, nil)
	if err != nil {
		return "", err
	}
	text = fmt.Sprintf("%d %x %d rows\n", p.Last, p.Head, p.Rows)
	for seq := uint64(1); seq <= p.Last; seq++ {
		e, err := s.Entry(ctx, seq)
		if err != nil {
			return "", err
		}
		end, head, err := s.Boundary(ctx, seq)
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf("%d %s %x; %d %x\n", e.Seq, e.Kind, e.Body, end, head)
	}
	return text, err
}

// TestEveryByteOfARowFlipped changes every byte of every column of every block, once each, and of every row
// of a cold record: the entry, or the row, is named.
func TestEveryByteOfARowFlipped(t *testing.T) {
	dir := t.TempDir()
	smallJournal(t, dir)
	db, err := sql.Open("sqlite", filepath.Join(dir, "touchstone.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r, err := sqlite.OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	flips := flipBlocks(t, db, r)
	flips += flipRows(t, db, r)
	if _, err := r.Prove(t.Context(), nil); err != nil {
		t.Fatalf("put back: %v", err)
	}
	t.Logf("%d flips, each detected and named", flips)
}

// flipBlocks flips blocks.
func flipBlocks(t *testing.T, db *sql.DB, r *sqlite.Reader) (flips int) {
	t.Helper()
	type row struct {
		first, n int64
		column   map[string][]byte
	}
	var rows []row
	list, err := db.Query("SELECT first, n, prev, head, body FROM block ORDER BY first")
	if err != nil {
		t.Fatal(err)
	}
	for list.Next() {
		var b row
		var prev, head, body []byte
		if err := list.Scan(&b.first, &b.n, &prev, &head, &body); err != nil {
			t.Fatal(err)
		}
		b.column = map[string][]byte{"prev": prev, "head": head, "body": body}
		rows = append(rows, b)
	}
	list.Close()
	wants := func(b row, what string) {
		t.Helper()
		flips++
		_, err := r.Prove(t.Context(), nil)
		var broken *journal.ChainError
		if !errors.As(err, &broken) || !strings.Contains(what, "first") && (int64(broken.Seq) < b.first || int64(broken.Seq) > b.first+b.n) {
			t.Errorf("%s of block %d to %d: %v", what, b.first, b.first+b.n-1, err)
		}
	}
	exec := func(query string, args ...any) {
		t.Helper()
		if _, err := db.Exec(query, args...); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range rows {
		for name, bytes := range b.column {
			for i := range bytes {
				bytes[i] ^= byte(1 << (i % 8))
				exec("UPDATE block SET "+name+" = ? WHERE first = ?", bytes, b.first)
				wants(b, fmt.Sprintf("byte %d of %s", i, name))
				bytes[i] ^= byte(1 << (i % 8))
			}
			exec("UPDATE block SET "+name+" = ? WHERE first = ?", bytes, b.first)
		}
		for bit := range 63 {
			first := b.first ^ int64(1)<<bit
			if _, err := db.Exec("UPDATE block SET first = ? WHERE first = ?", first, b.first); err == nil { // else another has that number
				wants(b, fmt.Sprintf("bit %d of first", bit))
				exec("UPDATE block SET first = ? WHERE first = ?", b.first, first)
			}
			exec("UPDATE block SET n = ? WHERE first = ?", b.n^int64(1)<<bit, b.first)
			wants(b, fmt.Sprintf("bit %d of n", bit))
			exec("UPDATE block SET n = ? WHERE first = ?", b.n, b.first)
		}
	}
	return flips
}

// flipRows flips rows of cold records, and takes them away.
func flipRows(t *testing.T, db *sql.DB, r *sqlite.Reader) (flips int) {
	t.Helper()
	wants := func(table, what string) {
		t.Helper()
		flips++
		_, err := r.Prove(t.Context(), nil)
		var row *sqlite.ColdError
		if !errors.As(err, &row) || row.Table != table {
			t.Errorf("%s of table %s: %v", what, table, err)
		}
	}
	exec := func(query string, args ...any) {
		t.Helper()
		if _, err := db.Exec(query, args...); err != nil {
			t.Fatal(err)
		}
	}
	for table, key := range map[string]string{"merchant": "id", "card": "hash"} {
		var id, record string
		var seq int64
		if err := db.QueryRow("SELECT "+key+", seq, record FROM "+table).Scan(&id, &seq, &record); err != nil {
			t.Fatal(err)
		}
		put := func(id string, seq int64, record string) {
			t.Helper()
			exec("DELETE FROM " + table)
			exec("INSERT INTO "+table+"("+key+", seq, record) VALUES(?, ?, ?)", id, seq, record)
		}
		for i := range record {
			b := []byte(record)
			b[i] ^= 1
			put(id, seq, string(b))
			wants(table, fmt.Sprintf("byte %d of the record", i))
		}
		for i := range id {
			b := []byte(id)
			b[i] ^= 1
			put(string(b), seq, record)
			wants(table, fmt.Sprintf("byte %d of the key", i))
		}
		for bit := range 63 {
			put(id, seq^int64(1)<<bit, record)
			wants(table, fmt.Sprintf("bit %d of seq", bit))
		}
		exec("DELETE FROM " + table)
		wants(table, "the row, taken away,")
		put(id, seq, record)
	}
	return flips
}

// fileStride is every how many bytes the short form flips one of a file.
const fileStride = 37

// TestEveryByteOfTheFileFlipped changes every byte of touchstone.db, once each. Either the next start or
// the proof says so, naming a place; or everything a reader can get is what it was.
func TestEveryByteOfTheFileFlipped(t *testing.T) {
	source, dir := t.TempDir(), t.TempDir()
	smallJournal(t, source)
	whole, err := os.ReadFile(filepath.Join(source, "touchstone.db"))
	if err != nil {
		t.Fatal(err)
	}
	stride := fileStride
	if inLongForm() {
		stride = 1
	}
	image{whole, nil}.put(t, dir)
	put := func() {
		for name, bytes := range map[string][]byte{"touchstone.db": whole, "touchstone.db-wal": nil} {
			// A new file each time: a connection that failed to open may keep SQLite's locks on the old.
			if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name), bytes, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Remove(filepath.Join(dir, "touchstone.db-shm")); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	want, err := found(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	detected, harmless, named := 0, 0, 0
	for i := 0; i < len(whole); i += stride {
		whole[i] ^= byte(1 << (i % 8))
		put()
		whole[i] ^= byte(1 << (i % 8))
		got, err := found(t.Context(), dir)
		var broken *journal.ChainError
		var row *sqlite.ColdError
		switch {
		case err != nil:
			detected++
			if text := err.Error(); !strings.Contains(text, "journal entry") && !strings.Contains(text, "touchstone.db") {
				t.Errorf("byte %d of page %d: no place is named: %v", i%smallPage, i/smallPage+1, err)
			}
			if errors.As(err, &broken) || errors.As(err, &row) {
				named++
			}
		case got == want:
			harmless++
		default:
			t.Errorf("byte %d of page %d: not detected, and a reader gets\n%s\nwant\n%s", i%smallPage, i/smallPage+1, got, want)
		}
	}
	t.Logf("%d flips: %d detected, %d of them with the entry or the row; %d harmless: all that can be read is equal, chain value %s",
		detected+harmless, detected, named, harmless, hex.EncodeToString([]byte(want[2:10])))
}

// stateFound is everything the ledger can get of a checkpoint, as text; "reset" where there is none, or the
// error that makes the ledger reset it or refuse what needs it.
func stateFound(ctx context.Context, dir string) (text string, err error) {
	s, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	floor, ok, err := s.Floor(ctx)
	if err != nil {
		return "", err
	}
	if !ok {
		return "reset", nil
	}
	text = fmt.Sprintf("floor %d\n", floor.Seq)
	for _, kind := range []sqlite.SlabKind{sqlite.TerminalSlab, sqlite.CardSlab} {
		if err := s.LoadSlabs(ctx, kind, func(b sqlite.Slab) error {
			text += fmt.Sprintf("%s slab %d at %d %q\n", b.Kind, b.ID, b.Applied, b.Body)
			return nil
		}); err != nil {
			return "", err
		}
	}
	for seq := range uint64(10) {
		if body, ok, err := s.RecordBySeq(ctx, seq); err != nil {
			return "", err
		} else if ok {
			text += fmt.Sprintf("record %d %q\n", seq, body)
		}
	}
	for _, key := range []uint64{5, 1<<60 + 7, 1<<60 + 8, 1<<60 + 9, 2<<60 - 1} {
		if seq, ok, err := s.SeqByTrace(ctx, terminalID(1), key); err != nil {
			return "", err
		} else if ok {
			text += fmt.Sprintf("trace %d %d\n", key, seq)
		}
	}
	return text, err
}

// onlyForgets tells whether got is want without some traces of a run: the ledger knows from the slab that
// they are used, and refuses what it cannot find.
func onlyForgets(got, want string) bool {
	rest := want
	for line := range strings.Lines(got) {
		at := strings.Index(rest, line)
		if at < 0 {
			return false
		}
		for lost := range strings.Lines(rest[:at]) {
			if !strings.HasPrefix(lost, "trace 1152921504606846983 ") && !strings.HasPrefix(lost, "trace 2305843009213693951 ") {
				return false
			}
		}
		rest = rest[at+len(line):]
	}
	return !strings.Contains(rest, "slab") && !strings.Contains(rest, "record")
}

// TestEveryByteOfTheCheckpointFlipped changes every byte of state.db, once each. Either the store says so,
// or the checkpoint is reset and made again from the journal, or the ledger gets what was written, but that
// it may not find a trace, which is refused then.
func TestEveryByteOfTheCheckpointFlipped(t *testing.T) {
	dir := t.TempDir()
	smallJournal(t, dir)
	path := filepath.Join(dir, "state.db")
	for _, query := range []string{"PRAGMA journal_mode = DELETE; PRAGMA page_size = 512; VACUUM; PRAGMA journal_mode = WAL"} {
		alter(t, path, query)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := stateFound(t.Context(), dir)
	if err != nil || want == "reset" {
		t.Fatal(want, err)
	}
	stride := fileStride
	if inLongForm() {
		stride = 1
	}
	detected, reset, harmless, forgets := 0, 0, 0, 0
	for i := 0; i < len(whole); i += stride {
		whole[i] ^= byte(1 << (i % 8))
		for _, suffix := range []string{"", "-wal", "-shm", ".corrupt"} {
			if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		whole[i] ^= byte(1 << (i % 8))
		switch got, err := stateFound(t.Context(), dir); {
		case err != nil:
			detected++
		case got == "reset":
			reset++
		case got == want:
			harmless++
		case onlyForgets(got, want):
			forgets++
		default:
			t.Errorf("byte %d of page %d: not detected, and the ledger gets\n%s\nwant\n%s", i%smallPage, i/smallPage+1, got, want)
		}
	}
	t.Logf("%d flips: %d detected, %d reset, %d harmless, %d forget a trace", detected+reset+harmless+forgets, detected, reset, harmless, forgets)
}
