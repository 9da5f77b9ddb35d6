package journal_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"touchstone/journal"
)

// TestLinks: each link's value follows from the one before, and the last is the block's head; of an altered block it is not.
func TestLinks(t *testing.T) {
	_, _, b := aBlock()
	var marks []int // where the marks beside the entries begin: they are no part of the chain
	for end := 0; end < len(b.Body); {
		end += 8 + int(binary.BigEndian.Uint32(b.Body[end:]))
		marks = append(marks, end-4)
	}
	before, n := b.Prev, uint64(0)
	err := b.Links(func(l journal.Link) error {
		if l.Before != before || l.After == before || l.Seq != b.First+n {
			t.Errorf("entry %d does not follow the one before it", l.Seq)
		}
		before, n = l.After, n+1
		return nil
	})
	if err != nil || before != b.Head || n != uint64(b.N) {
		t.Fatalf("%d links to %x, the head is %x: %v", n, before, b.Head, err)
	}
	for at := range b.Body {
		altered := b
		altered.Body = append([]byte(nil), b.Body...)
		altered.Body[at] ^= 1
		var broken *journal.ChainError
		err := altered.Links(func(journal.Link) error { return nil })
		ofMark := slices.ContainsFunc(marks, func(m int) bool { return at >= m && at < m+4 })
		if errors.As(err, &broken) == ofMark {
			t.Fatalf("byte %d altered: %v", at, err)
		}
	}
	stop := errors.New("stop")
	if err := b.Links(func(journal.Link) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("stopped: %v", err)
	}
}
