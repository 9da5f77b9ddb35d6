package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"touchstone/sqlite"
)

const maskedMost = 1 << 20

func openMasked(t *testing.T, dir string, most int64) *sqlite.Masked {
	t.Helper()
	m, err := sqlite.OpenMasked(t.Context(), dir, most)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// maskedBytes is everything that the file and its log hold.
func maskedBytes(t *testing.T, dir string) (all []byte) {
	t.Helper()
	for _, name := range []string{"masked.db", "masked.db-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	return all
}

// body is what a message of an entry could be: some KB that nothing else has, over several pages.
func maskedBody(entry uint64) []byte {
	random := rand.New(rand.NewPCG(entry, 5))
	b := make([]byte, 2000+random.IntN(4000))
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

// TestMaskedOutlivesTheProcess: what was kept is there after the process is gone without a close, beside an owner as well,
// and only for the entry that came at that time: another journal may have given its number to another message.
func TestMaskedOutlivesTheProcess(t *testing.T) {
	dir := t.TempDir()
	if body, err := sqlite.ReadMasked(t.Context(), dir, 7, 70); body != nil || err != nil {
		t.Errorf("without a file: %d bytes, %v", len(body), err)
	}
	m := openMasked(t, dir, maskedMost)
	if err := m.Keep(t.Context(), []sqlite.MaskedMessage{{Entry: 7, At: 70, Refused: true, Terminal: "00000023", Body: maskedBody(7)}, {Entry: 8, At: 80, Body: maskedBody(8)}}); err != nil {
		t.Fatal(err)
	}
	killed := t.TempDir()
	if err := os.CopyFS(killed, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	again := openMasked(t, killed, maskedMost)
	for _, read := range []func(uint64, int64) ([]byte, error){
		func(entry uint64, at int64) ([]byte, error) { return again.Message(t.Context(), entry, at) },
		func(entry uint64, at int64) ([]byte, error) { return sqlite.ReadMasked(t.Context(), dir, entry, at) },
	} {
		for _, entry := range []uint64{7, 8} {
			if body, err := read(entry, int64(entry)*10); err != nil || !bytes.Equal(body, maskedBody(entry)) {
				t.Errorf("entry %d: %d bytes, %v", entry, len(body), err)
			}
		}
		for _, none := range [][2]uint64{{7, 71}, {9, 90}, {0, 0}} {
			if body, err := read(none[0], int64(none[1])); err != nil || body != nil {
				t.Errorf("entry %d at %d: %d bytes, %v", none[0], none[1], len(body), err)
			}
		}
	}
}

// TestMaskedIsDeleted: what is too old is in no byte of the file nor of its log, and the file is shorter.
func TestMaskedIsDeleted(t *testing.T) {
	dir, day := t.TempDir(), time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	m := openMasked(t, dir, maskedMost)
	const n = 100
	at := func(entry uint64) time.Time { return day.Add(time.Duration(entry) * time.Minute) }
	for entry := uint64(1); entry <= n; entry++ {
		if err := m.Keep(t.Context(), []sqlite.MaskedMessage{{Entry: entry, At: at(entry).UnixNano(), Refused: true, Terminal: fmt.Sprintf("OLD%05d", entry), Body: maskedBody(entry)}}); err != nil {
			t.Fatal(err)
		}
	}
	before := maskedBytes(t, dir)
	piece := func(entry uint64) []byte { return maskedBody(entry)[500:532] }
	if !bytes.Contains(before, piece(1)) || !bytes.Contains(before, []byte("OLD00001")) {
		t.Fatal("what is kept is not found in the file: the test looks wrong")
	}
	const kept = 90
	clean, err := m.Sweep(t.Context(), at(kept))
	if err != nil || !clean {
		t.Fatalf("clean %t, %v", clean, err)
	}
	after := maskedBytes(t, dir)
	for entry := uint64(1); entry <= n; entry++ {
		found := bytes.Contains(after, piece(entry)) || bytes.Contains(after, fmt.Appendf(nil, "OLD%05d", entry))
		body, err := m.Message(t.Context(), entry, at(entry).UnixNano())
		if want := entry >= kept; found != want || (body != nil) != want || err != nil {
			t.Errorf("entry %d: its bytes are in the file %t, want %t; %d bytes are given, %v", entry, found, want, len(body), err)
		}
	}
	if len(after) > len(before)/2 {
		t.Errorf("the file has %d bytes of %d", len(after), len(before))
	}
}

// TestMaskedIsBounded: one terminal pushes out its own messages alone, and all together what is oldest.
func TestMaskedIsBounded(t *testing.T) {
	dir := t.TempDir()
	m := openMasked(t, dir, maskedMost)
	keep := func(entry uint64, refused bool, terminal string, body []byte) {
		t.Helper()
		if err := m.Keep(t.Context(), []sqlite.MaskedMessage{{Entry: entry, At: 1, Refused: refused, Terminal: terminal, Body: body}}); err != nil {
			t.Fatal(err)
		}
	}
	has := func(entry uint64) bool {
		t.Helper()
		body, err := m.Message(t.Context(), entry, 1)
		if err != nil {
			t.Fatal(err)
		}
		return body != nil
	}
	keep(1, true, "00000001", []byte("of another"))
	keep(2, false, "00000002", []byte("approved"))
	for i := range uint64(sqlite.MaskedRefusals + 1) {
		keep(10+i, true, "00000002", []byte("again"))
	}
	if !has(1) || !has(2) || has(10) || !has(11) {
		t.Errorf("of another %t, approved %t, the oldest of the terminal %t, the next %t", has(1), has(2), has(10), has(11))
	}
	for i := range uint64(sqlite.MaskedApprovals) {
		keep(1000+i, false, "00000002", []byte("approved"))
	}
	if has(2) || !has(1000) || !has(11) {
		t.Errorf("the oldest approval %t, the next %t, a refusal %t", has(2), has(1000), has(11))
	}
	for i := range uint64(600) { // 2.4 MB
		keep(2000+i, true, fmt.Sprintf("%08d", i), maskedBody(i))
	}
	if has(1) || has(2000) || !has(2599) {
		t.Errorf("the oldest of all %t, the next %t, the newest %t", has(1), has(2000), has(2599))
	}
	if _, err := m.Sweep(t.Context(), time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	if n := len(maskedBytes(t, dir)); n > maskedMost+maskedMost/10 || n < maskedMost/2 {
		t.Errorf("the file has %d bytes, of %d", n, maskedMost)
	}
}

// TestMaskedDamaged: a file that is none is made anew; what it held was for looking at.
func TestMaskedDamaged(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "masked.db"), bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	m := openMasked(t, dir, maskedMost)
	if err := m.Keep(t.Context(), []sqlite.MaskedMessage{{Entry: 1, At: 1, Body: []byte("x")}}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.Close(), sqlite.ForgetMasked(dir)); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
