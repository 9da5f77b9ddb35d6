package journal_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"testing"

	"touchstone/journal"
)

// lengths puts entries into a block's body, written here a second time from docs/design/002-journal.md.
func lengths(entries ...[]byte) (body []byte) {
	for _, e := range entries {
		body = append(body, byte(len(e)>>24), byte(len(e)>>16), byte(len(e)>>8), byte(len(e)))
		body = append(body, e...)
	}
	return body
}

// chained is the chain value after entries, computed apart from the package: h_i = SHA-256("touchstone/1" ||
// h_{i-1} || len || entry).
func chained(head journal.Hash, entries ...[]byte) journal.Hash {
	for _, e := range entries {
		in := append([]byte("touchstone/1"), head[:]...)
		head = sha256.Sum256(append(in, lengths(e)...))
	}
	return head
}

// bodyOf is a block's body: each entry between its length and the first 4 bytes of its chain value.
func bodyOf(head journal.Hash, entries ...[]byte) (body []byte) {
	for _, e := range entries {
		head = chained(head, e)
		body = append(append(body, lengths(e)...), head[:4]...)
	}
	return body
}

func raw(kind journal.Kind, body string) []byte {
	return append(journal.AppendHead(nil, kind, 1), body...)
}

// aBlock is two entries after entry 4.
func aBlock() (last uint64, prev journal.Hash, b journal.Block) {
	last, prev = 4, chained(journal.Hash{}, []byte("whatever came before"))
	entries := [][]byte{raw(journal.KindOpened, "{}"), raw(journal.KindCard, "card"), raw(journal.KindKey, "")}
	return last, prev, journal.Block{First: 5, N: 3, Prev: prev, Head: chained(prev, entries...), Body: bodyOf(prev, entries...)}
}

func TestChain(t *testing.T) {
	last, prev, b := aBlock()
	v := journal.NewVerifier(last, prev)
	if err := v.Block(b); err != nil {
		t.Fatal(err)
	}
	if seq, head := v.Head(); seq != 7 || head != b.Head {
		t.Errorf("the verifier stands at entry %d", seq)
	}
	// Computed by printf and sha256sum(1) over the 12 bytes of the domain, 32 zero bytes, 0000000a and the entry.
	entry, want := raw(journal.KindOpened, ""), "89c1e97c2ac2a1d71b000b6c3eea071a76cd74fa99f489cdc2c653bd0101eb33"
	if got := chained(journal.Hash{}, entry); hex.EncodeToString(got[:]) != want {
		t.Errorf("the first chain value is %x", got)
	}
}

// ownerOf is the entry whose length, bytes or mark hold byte i of the body.
func ownerOf(b journal.Block, i int) (seq uint64) {
	end := 0
	for seq = b.First; ; seq++ {
		if end += 8 + int(binary.BigEndian.Uint32(b.Body[end:])); i < end {
			return seq
		}
	}
}

// TestEachByteFlipped: whatever byte of a block is altered, its own entry is named.
func TestEachByteFlipped(t *testing.T) {
	last, prev, good := aBlock()
	check := func(what string, at int, b journal.Block, lastSeq, firstSeq uint64) {
		t.Helper()
		err := journal.NewVerifier(last, prev).Block(b)
		var broken *journal.ChainError
		if !errors.As(err, &broken) {
			t.Fatalf("%s, byte %d: %v", what, at, err)
		}
		if broken.Seq < firstSeq || broken.Seq > lastSeq || broken.What == "" {
			t.Errorf("%s, byte %d: entry %d is named", what, at, broken.Seq)
		}
	}
	for i := range good.Body {
		owner := ownerOf(good, i)
		for bit := range 8 {
			b := good
			b.Body = bytes.Clone(good.Body)
			b.Body[i] ^= 1 << bit
			check("body", i, b, owner, owner)
		}
	}
	for i := range good.Prev {
		b := good
		b.Prev[i] ^= 1
		check("value before", i, b, 5, 5)
		b = good
		b.Head[i] ^= 1
		check("value after", i, b, 5, 5)
	}
	for _, n := range []int{-1, 0, 1, 2, 4, 1 << 30} {
		b := good
		b.N = n
		check("count", n, b, 8, 5)
	}
	for _, first := range []uint64{0, 4, 6} {
		b := good
		b.First = first
		check("first", int(first), b, 5, 5)
	}
	for n := range good.Body {
		b := good
		b.Body = good.Body[:n]
		check("cut", n, b, 7, 5)
	}
	b := good
	b.Body = append(bytes.Clone(good.Body), 0)
	check("longer", len(b.Body), b, 7, 7)
}

func TestEach(t *testing.T) {
	_, _, b := aBlock()
	var seqs []uint64
	var kinds []journal.Kind
	if err := b.Each(func(e journal.Entry) error {
		seqs, kinds = append(seqs, e.Seq), append(kinds, e.Kind)
		return nil
	}); err != nil || len(seqs) != 3 || seqs[0] != 5 || seqs[2] != b.Last() || kinds[1] != journal.KindCard {
		t.Errorf("entries %v of kinds %v: %v", seqs, kinds, err)
	}
	enough := errors.New("enough")
	if err := b.Each(func(journal.Entry) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("the caller's error became %v", err)
	}
	b.N = 2
	if err := b.Each(func(journal.Entry) error { return nil }); !errors.Is(err, journal.ErrEntry) {
		t.Errorf("bytes left over: %v", err)
	}
}

// FuzzBlock: no bytes make a reader panic, and Each and Verifier agree on what a block is.
func FuzzBlock(f *testing.F) {
	_, _, b := aBlock()
	f.Add(b.Body, 3)
	f.Add(b.Body, 2)
	f.Add(b.Body[:20], 1)
	f.Add([]byte{0, 0, 0, 10, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 1)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, 1)
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		b := journal.Block{First: 1, N: n, Body: body}
		var entries [][]byte
		err := b.Each(func(e journal.Entry) error {
			back, _ := (journal.Raw{Entry: e}).AppendEntry(nil, e.Seq)
			entries = append(entries, back)
			return nil
		})
		if err != nil || n <= 0 {
			if journal.NewVerifier(0, journal.Hash{}).Block(b) == nil {
				t.Fatal("verified, but not readable")
			}
			return
		}
		marked := bodyOf(journal.Hash{}, entries...)
		if len(marked) != len(body) {
			t.Fatal("what was taken is not what is written")
		}
		b.Head = chained(journal.Hash{}, entries...)
		if err := journal.NewVerifier(0, journal.Hash{}).Block(b); (err == nil) != bytes.Equal(marked, body) {
			t.Fatal("verified, but with other marks; or refused with the right ones")
		}
		if b.Body = marked; journal.NewVerifier(0, journal.Hash{}).Block(b) != nil {
			t.Fatal("readable, but not verified")
		}
	})
}
