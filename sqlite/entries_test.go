package sqlite_test

import (
	"errors"
	"fmt"
	"testing"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/sqlite"
)

// TestEntries: what Entries gives is what Entry gives for each of them, ascending, each once, whatever the order asked in.
func TestEntries(t *testing.T) {
	s := openStore(t, t.TempDir())
	mixed(t, s, 0, 120, 17)
	r := s.Reader
	head, _, err := r.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []uint64
	for n := head; n > 0; n-- {
		all = append(all, n)
	}
	for name, asked := range map[string][]uint64{"none": nil, "one": {7}, "the ends": {head, 1}, "twice": {5, 3, 5, 3}, "of one block": {20, 21, 22}, "all, backward": all} {
		t.Run(name, func(t *testing.T) {
			want, last := map[uint64]bool{}, uint64(0)
			for _, n := range asked {
				want[n] = true
			}
			err := r.Entries(t.Context(), asked, func(e journal.Entry) error {
				one, err := r.Entry(t.Context(), e.Seq)
				if err != nil || fmt.Sprint(one) != fmt.Sprint(e) {
					t.Errorf("entry %d differs: %v", e.Seq, err)
				}
				if e.Seq <= last || !want[e.Seq] {
					t.Errorf("entry %d after %d", e.Seq, last)
				}
				delete(want, e.Seq)
				last = e.Seq
				return nil
			})
			if err != nil || len(want) != 0 {
				t.Errorf("%d are missing: %v", len(want), err)
			}
		})
	}
	for _, n := range []uint64{0, head + 1} {
		if err := r.Entries(t.Context(), []uint64{n}, func(journal.Entry) error { return nil }); err == nil {
			t.Errorf("entry %d was found", n)
		}
	}
	stop := errors.New("enough")
	if err := r.Entries(t.Context(), all, func(journal.Entry) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("f said %v, told %v", stop, err)
	}
}

// TestRefusalsOf: a row of the projection says of a refused message what its entry says.
func TestRefusalsOf(t *testing.T) {
	s := openStore(t, t.TempDir())
	mixed(t, s, 0, 240, 11)
	p := openProjector(t, s)
	if err := p.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := s.Reader
	for i := range 6 {
		whole, err := p.Messages(t.Context(), &sqlite.MessageQuery{Terminals: []pos.TerminalID{terminalID(i)}, Refused: true, Most: 1000})
		if err != nil {
			t.Fatal(err)
		}
		list, err := p.RefusalsOf(t.Context(), terminalID(i), 1<<62, 1000)
		if err != nil || len(list) != len(whole.List) {
			t.Fatalf("terminal %d: %d of %d: %v", i, len(list), len(whole.List), err)
		}
		for k, row := range list {
			e, err := r.Entry(t.Context(), row.Seq)
			var x journal.Exchange
			if err != nil || x.Parse(e) != nil {
				t.Fatal(err)
			}
			if want := (sqlite.Refused{Seq: e.Seq, At: e.At, DE39: x.DE39, Reason: x.Reason, Flags: x.Flags}); row != want || row.Reason == reason.None || whole.List[k].Seq != row.Seq {
				t.Errorf("%+v, its entry %+v", row, want)
			}
		}
	}
}

// TestFirstAt asks for the first entry since every instant there is, and those beside it, of a reader that remembers nothing, and
// again of one that has searched before.
func TestFirstAt(t *testing.T) {
	s := openStore(t, t.TempDir())
	mixed(t, s, 0, 200, 7)
	var at []pos.Instant
	err := s.Reader.Blocks(t.Context(), 1, func(b journal.Block) error {
		return b.Each(func(e journal.Entry) error { at = append(at, e.At); return nil })
	})
	if err != nil || len(at) < 200 {
		t.Fatalf("%d entries: %v", len(at), err)
	}
	for range 2 {
		for _, x := range at {
			for _, since := range []pos.Instant{x - 1, x, x + 1} {
				want := uint64(0)
				for i := len(at) - 1; i >= 0 && at[i] >= since; i-- {
					want = uint64(i + 1)
				}
				if got, err := s.Reader.FirstAt(t.Context(), since); err != nil || got != want {
					t.Fatalf("since %d: entry %d, want %d: %v", since, got, want, err)
				}
			}
		}
	}
}
