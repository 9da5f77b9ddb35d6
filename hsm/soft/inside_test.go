package soft

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"touchstone/keys"
	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
)

// TestSelfTestFails spoils each known answer in turn.
func TestSelfTestFails(t *testing.T) {
	for i := range knownAnswers() {
		for name, spoil := range map[string]func(*answer){
			"want":   func(a *answer) { a.want = "00" + a.want[2:] },
			"longer": func(a *answer) { a.want += "00" },
			"hex":    func(a *answer) { a.want = "x" },
			"data":   func(a *answer) { a.data = "FF" + a.data[2:] },
		} {
			list := knownAnswers()
			spoil(&list[i])
			if err := compare(list); !errors.Is(err, ErrSelfTest) {
				t.Errorf("%s, %s: %v", list[i].name, name, err)
			}
		}
	}
}

func TestFailedSelfTestKeepsItSealed(t *testing.T) {
	dir := t.TempDir()
	phrase := filepath.Join(dir, "p")
	if err := os.WriteFile(phrase, []byte("published"), 0o600); err != nil {
		t.Fatal(err)
	}
	lock := Lock{PassphraseFile: phrase, WorkFactor: 1, Test: true}
	path := filepath.Join(dir, "module.age")
	if err := Create(path, lock, nil); err != nil {
		t.Fatal(err)
	}
	m := New(Options{})
	m.hold().test = func() error { return ErrSelfTest }
	if err := m.Unseal(path, lock); !errors.Is(err, ErrSelfTest) || !m.Sealed() {
		t.Errorf("%v, sealed %v", err, m.Sealed())
	}
	m.hold().test = SelfTest
	if err := m.Unseal(path, lock); err != nil {
		t.Fatal(err)
	}
	m.hold().test = func() error { return ErrSelfTest }
	if err := m.Check(); !errors.Is(err, ErrSelfTest) {
		t.Errorf("Check: %v", err)
	}
}

// TestWipeZeroes looks at what the open module held after it was sealed.
func TestWipeZeroes(t *testing.T) {
	r, err := parseKeyring(ring(2))
	if err != nil {
		t.Fatal(err)
	}
	s, err := newLive(r, [32]byte{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	r.wipe()
	if r.keys.Len() != 0 {
		t.Error("the keyring outlived its use")
	}
	e := testEntry(t)
	s.cache.put(idOf(1), e)
	e.release()
	m := New(Options{})
	m.hold().swap(s)
	if m.Sealed() || zero(s.card.key[:]) || e.pik.Algorithm() == 0 {
		t.Fatal("it is not open")
	}
	m.Wipe()
	if !m.Sealed() || len(s.terms) != 0 || e.pik.Algorithm() != 0 || e.mac.Algorithm() != 0 {
		t.Error("a key is left")
	}
	for _, d := range []*digester{s.card, s.print, s.pin} {
		if !zero(d.key[:]) {
			t.Error("an HMAC key is left")
		}
	}
	for _, k := range s.dummy {
		if k.Algorithm() != mac.None {
			t.Error("a dummy key is left")
		}
	}
}

func ring(count int) []byte {
	b := append([]byte(ringMagic), 0, 0, 0, 1)
	b = append(b, bytes.Repeat([]byte{7}, 3*keyBytes)...)
	b = binary.BigEndian.AppendUint32(b, uint32(count))
	for i := range count {
		b = binary.BigEndian.AppendUint32(b, uint32(i+1))
		b = append(b, bytes.Repeat([]byte{byte(i)}, keyBytes)...)
	}
	return b
}

func TestKeyringBounds(t *testing.T) {
	edit := func(change func([]byte) []byte) []byte { return change(ring(3)) }
	for name, b := range map[string][]byte{
		"empty":          nil,
		"magic":          edit(func(b []byte) []byte { b[0] = 'X'; return b }),
		"version":        edit(func(b []byte) []byte { b[4] = 2; return b }),
		"one byte less":  edit(func(b []byte) []byte { return b[:len(b)-1] }),
		"one byte more":  edit(func(b []byte) []byte { return append(b, 0) }),
		"no term":        ring(0),
		"terms equal":    edit(func(b []byte) []byte { b[ringHead+termBytes+3] = 1; return b }),
		"terms descend":  edit(func(b []byte) []byte { b[ringHead+3] = 9; return b }),
		"term zero":      edit(func(b []byte) []byte { b[ringHead+3] = 0; return b }),
		"current absent": edit(func(b []byte) []byte { b[len(ringMagic)+3] = 4; return b }),
		"count too high": edit(func(b []byte) []byte { b[ringHead-4] = 0xFF; return b }),
		"over the bound": ring(maxTerms + 1),
	} {
		if r, err := parseKeyring(b); !errors.Is(err, ErrKeyring) || r != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, n := range []int{1, 2, maxTerms} {
		r, err := parseKeyring(ring(n))
		if err != nil || !bytes.Equal(r.encode(), ring(n)) {
			t.Fatalf("%d terms: %v", n, err)
		}
		err = r.add(bytes.NewReader(make([]byte, keyBytes)))
		if (err == nil) != (n < maxTerms) {
			t.Errorf("%d terms and one more: %v", n, err)
		}
	}
}

func FuzzKeyring(f *testing.F) {
	f.Add(ring(1))
	f.Add(ring(3))
	f.Add(ring(0))
	f.Add([]byte(ringMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseKeyring(b)
		if err != nil {
			return
		}
		if !bytes.Equal(r.encode(), b) {
			t.Error("an accepted keyring is written otherwise")
		}
		if _, err := newLive(r, nameOf(b), 1); err != nil {
			t.Errorf("an accepted keyring does not open: %v", err)
		}
	})
}

// TestPlaceNeverOverwrites: also when a file appears after Create has looked.
func TestPlaceNeverOverwrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "module.age")
	if err := place(path, []byte("first"), false); err != nil {
		t.Fatal(err)
	}
	if err := place(path, []byte("second"), false); !errors.Is(err, ErrExists) {
		t.Errorf("got %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "first" {
		t.Error("it was overwritten")
	}
	if err := place(path, []byte("third"), true); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); string(b) != "third" {
		t.Error("it was not replaced")
	}
	if list, _ := os.ReadDir(filepath.Dir(path)); len(list) != 1 {
		t.Errorf("%d files are left", len(list))
	}
}

func testEntry(t testing.TB) *entry {
	t.Helper()
	key := []byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF} // published
	e := &entry{}
	var err error
	if e.mac, err = mac.New(mac.UnionPayECBDES, 0, key); err != nil {
		t.Fatal(err)
	}
	if e.pik, err = paycrypto.NewDES(key); err != nil {
		t.Fatal(err)
	}
	return e
}

func idOf(i int) (id keys.ID) {
	binary.BigEndian.PutUint32(id[4:], uint32(i)) // id[0] is 0: all in one shard
	return id
}

// TestCacheEvicts: bounded, wipes what it gives up, and never what is in use.
func TestCacheEvicts(t *testing.T) {
	const most = 4
	c := newCache(most * shards)
	busy := testEntry(t)
	c.put(idOf(0), busy) // not released
	var idle []*entry
	for i := 1; i < 10*most; i++ {
		e := testEntry(t)
		c.put(idOf(i), e)
		e.release()
		idle = append(idle, e)
		if n := len(c.shards[0].byID); n > most {
			t.Fatalf("%d entries, the bound is %d", n, most)
		}
	}
	if busy.pik.Algorithm() == 0 || c.get(idOf(0)) != busy {
		t.Fatal("an entry in use was given up")
	}
	alive := 0
	for i, e := range idle {
		held := c.get(idOf(i + 1))
		if (held == e) != (e.pik.Algorithm() != 0) || (held == e) != (e.mac.Algorithm() != 0) {
			t.Errorf("entry %d: cached %v, wiped %v", i+1, held == e, e.pik.Algorithm() == 0)
		}
		if held != nil {
			alive++
		}
	}
	if alive != most-1 {
		t.Errorf("%d idle entries are cached, want %d", alive, most-1)
	}
	// All of them are lent now: a new one works without being kept and is wiped by its user.
	extra := testEntry(t)
	c.put(idOf(1000), extra)
	if c.get(idOf(1000)) != nil || extra.pik.Algorithm() == 0 {
		t.Error("a full cache in use kept one more or wiped it too early")
	}
	extra.release()
	if extra.pik.Algorithm() != 0 {
		t.Error("a key that was not kept outlived its use")
	}
	// The second of two of one id is not kept either.
	twin := testEntry(t)
	c.put(idOf(0), twin)
	if twin.kept || c.get(idOf(0)) != busy {
		t.Error("a second entry took the place of the first")
	}
	c.wipe()
	if busy.pik.Algorithm() != 0 || c.get(idOf(0)) != nil {
		t.Error("wipe left a key")
	}
}

// TestClockSparesTheUsed: what was asked for since the hand passed stays.
func TestClockSparesTheUsed(t *testing.T) {
	const most = 8
	c := newCache(most * shards)
	for i := range most {
		e := testEntry(t)
		c.put(idOf(i), e)
		e.release()
	}
	for i := most; i < 5*most; i++ {
		for hot := range 2 {
			e := c.get(idOf(hot))
			if e == nil {
				t.Fatalf("the hot entry %d was given up at %d", hot, i)
			}
			e.release()
		}
		e := testEntry(t)
		c.put(idOf(i), e)
		e.release()
	}
}
