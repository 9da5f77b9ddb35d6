package ledger_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
)

// permits registers a permit for terminals.
func (s *shop) permits(p registry.Permit, why string, terminals ...int) {
	s.t.Helper()
	set := &registry.PermitSet{Permit: p, Terminals: []pos.TerminalID{}}
	if why != "" {
		set.Facts = []registry.Fact{{Name: registry.FactAdvisory, State: why}}
	}
	for _, n := range terminals {
		set.Terminals = append(set.Terminals, terminalOf(n))
	}
	if err := s.ledger.Register(context.Background(), pos.Instant(s.now.Load()), set); err != nil {
		s.t.Fatalf("permit: %v", err)
	}
}

// standings writes down what every terminal may do and by which entry.
func (s *shop) standings() (all []string) {
	s.t.Helper()
	for from := 0; ; {
		next := s.ledger.EachPermitted(from, 3, func(p ledger.Permitted) {
			text := fmt.Sprintf("%s %s unjudged=%t", p.Terminal.ID, p.May(), p.Unjudged)
			if p.Standing != nil {
				text += fmt.Sprintf(" %d %d %v", p.Standing.Entry, p.Standing.Since, p.Standing.Facts)
			}
			all = append(all, text)
		})
		if from = next; from == 0 {
			slices.Sort(all)
			return all
		}
	}
}

// TestPermitOnTheLine: a permit counts from its entry on, is the same after a start with and without a checkpoint,
// and gives way to the next.
func TestPermitOnTheLine(t *testing.T) {
	for _, checkpoint := range []bool{true, false} {
		s := newShop(t, 3, smallOptions())
		s.expect(aSale(1, 1, 10), "00")
		s.permits(registry.BlockedPermit, "open", 1, 3)
		s.expect(aSale(1, 2, 10), "58")
		s.expect(aSale(2, 1, 10), "00")
		s.expect(message{kind: reverseSale, terminal: 1, amount: 10, batch: 1, stan: 1}, "00")
		if checkpoint {
			if err := s.ledger.Checkpoint(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		before := s.standings()
		s = s.reopen(checkpoint, smallOptions())
		if after := s.standings(); !slices.Equal(before, after) {
			t.Errorf("checkpoint %t: after the start %v, before %v", checkpoint, after, before)
		}
		s.expect(aSale(1, 3, 10), "58")
		s.expect(message{kind: signIn, terminal: 1, stan: 900001}, "58")
		s.permits(registry.LimitedTo(50), "", 1)
		s.expect(aSale(1, 4, 50), "00")
		s.expect(aSale(1, 5, 51), "58")
		s.mustClose(t)
	}
}

// TestUnjudged: where permits are kept, a terminal that nobody looked at yet may do nothing; also after a start, if
// no entry says anything about it.
func TestUnjudged(t *testing.T) {
	kept := smallOptions()
	kept.Permits = true
	s := openShop(t, newMemory(), kept)
	s.furnish(2)
	s.expect(message{kind: signIn, terminal: 1, stan: 900000}, "58")
	s.ledger.Judged(terminalOf(1))
	s.permits(registry.NoRefund, "open", 2)
	s.signInAll(2)
	s.expect(aSale(1, 1, 10), "00")
	if err := s.ledger.Checkpoint(context.Background()); err != nil {
		t.Fatal(err)
	}
	for i, checkpoint := range []bool{true, false} {
		s = s.reopen(checkpoint, kept)
		s.expect(aSale(1, 10+i, 10), "58")
		s.expect(aSale(2, 10+i, 10), "00")
		s.ledger.Judged(terminalOf(1))
		s.expect(aSale(1, 10+i, 10), "00")
		s.ledger.Judged(terminalOf(9)) // nobody
	}
	s.mustClose(t)
}

// TestPermitIsChecked: a set that may not be is refused whole, and terminals of which nothing is known are passed over.
func TestPermitIsChecked(t *testing.T) {
	s := newShop(t, 1, smallOptions())
	defer s.mustClose(t)
	wrong := &registry.PermitSet{Permit: registry.BlockedPermit, Terminals: []pos.TerminalID{terminalOf(1), terminalOf(1)}}
	if err := s.ledger.Register(context.Background(), began, wrong); !errors.Is(err, registry.ErrRecord) {
		t.Errorf("one terminal twice: %v", err)
	}
	s.permits(registry.NoRefund, "", 1, 7)
	if _, ok := s.ledger.Permitted(terminalOf(7)); ok {
		t.Error("a permit made a terminal")
	}
	if p, ok := s.ledger.Permitted(terminalOf(1)); !ok || p.May() != registry.NoRefund || p.Unjudged {
		t.Errorf("terminal 1: %+v", p)
	}
}

// TestPermitOfAForgedCheckpoint: a checkpoint that names an entry which gives no permit, or one to others, is not
// believed: the journal is replayed.
func TestPermitOfAForgedCheckpoint(t *testing.T) {
	s := newShop(t, 2, smallOptions())
	s.permits(registry.BlockedPermit, "open", 1)
	if err := s.ledger.Checkpoint(context.Background()); err != nil {
		t.Fatal(err)
	}
	before := s.standings()
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	permitted, ok := uint64(0), false
	for _, b := range s.store.all() {
		_ = b.Each(func(e journal.Entry) error {
			if e.Kind == journal.KindPermit {
				permitted, ok = e.Seq, true
			}
			return nil
		})
	}
	if !ok {
		t.Fatal("the journal has no permit")
	}
	// The entry's number stands in the slab of each terminal after version, id and the newest entry applied.
	const at = 1 + 8 + 8
	for name, forge := range map[string]func(body []byte){
		"another entry":          func(body []byte) { body[at+7]-- },
		"an entry yet to come":   func(body []byte) { body[at]++ },
		"for a terminal as well": func(body []byte) { forgeLast(t, body, permitted) },
	} {
		store := s.store.copy(len(s.store.all()), true)
		for key, slab := range store.slabs {
			if key.kind == ledger.TerminalSlab {
				slab.Body = slices.Clone(slab.Body)
				forge(slab.Body)
				store.slabs[key] = slab
			}
		}
		next := openShop(t, store, smallOptions())
		if after := next.standings(); !slices.Equal(before, after) || store.resets == 0 {
			t.Errorf("%s: %v after %d resets, want %v", name, after, store.resets, before)
		}
		next.mustClose(t)
	}
}

// forgeLast gives the last terminal of a slab the permit of the first.
func forgeLast(t *testing.T, body []byte, entry uint64) {
	t.Helper()
	id := terminalOf(2)
	for i := range body[:len(body)-24] {
		if string(body[i:i+8]) == string(id[:]) {
			body[i+8+8+7] = byte(entry)
			return
		}
	}
	t.Fatal("the slab does not have terminal 2")
}

// TestPermitsReplay: after any history of permits, messages, registrations and checkpoints, a start from the
// checkpoint and one from the journal alone give the same permits and the same state.
func TestPermitsReplay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const terminals = 4
		s := newShop(t, terminals, smallOptions())
		for step := range rapid.IntRange(1, 25).Draw(t, "steps") {
			n := rapid.IntRange(1, terminals).Draw(t, "terminal")
			s.now.Add(1e9)
			switch rapid.SampledFrom([]string{"permit", "permit", "sale", "register", "checkpoint"}).Draw(t, "step") {
			case "permit":
				words := rapid.SampledFrom([]string{"full", "no_refund", "online_only", "limit:0.50", "blocked", "sign_in_only"}).Draw(t, "words")
				named := []int{n}
				if n < terminals && rapid.Bool().Draw(t, "two") {
					named = append(named, terminals)
				}
				s.permits(must(registry.ParsePermit(words)), rapid.SampledFrom([]string{"", "open", "overdue"}).Draw(t, "why"), named...)
			case "sale":
				s.send(aSale(n, 100+step, 1))
			case "register":
				p, _ := s.ledger.Permitted(terminalOf(n))
				again := *p.Terminal
				again.Permit.Refund = !again.Permit.Refund
				if err := s.ledger.Register(context.Background(), pos.Instant(s.now.Load()), &again); err != nil {
					t.Fatal(err)
				}
			case "checkpoint":
				if err := s.ledger.Checkpoint(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
		}
		before := s.standings()
		with := s.reopen(true, smallOptions())
		without := with.reopen(false, smallOptions())
		for name, next := range map[string]*shop{"checkpoint": with, "journal": without} {
			if after := next.standings(); !slices.Equal(before, after) {
				t.Fatalf("from the %s %v, before %v", name, after, before)
			}
		}
		if err := without.close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestPermitsAndMessagesTogether: while permits change under messages that are on their way, what the journal has of
// each terminal after an entry that blocks it is no approval, until an entry that permits.
func TestPermitsAndMessagesTogether(t *testing.T) {
	const terminals, rounds = 3, 60
	s := newShop(t, terminals, smallOptions())
	defer s.mustClose(t)
	var wait sync.WaitGroup
	for n := 1; n <= terminals; n++ {
		wait.Go(func() {
			for i := range rounds {
				s.send(message{kind: balance, terminal: n, batch: 1, stan: 1 + i})
			}
		})
	}
	wait.Go(func() {
		for i := range rounds {
			may := registry.FullPermit
			if i%2 == 0 {
				may = registry.BlockedPermit
			}
			set := &registry.PermitSet{Permit: may, Terminals: []pos.TerminalID{terminalOf(1), terminalOf(2), terminalOf(3)}}
			if err := s.ledger.Register(context.Background(), began, set); err != nil {
				t.Error(err)
				return
			}
		}
	})
	wait.Wait()
	blocked, approved, refused := false, 0, 0
	for _, b := range s.store.all() {
		err := b.Each(func(e journal.Entry) error {
			var set registry.PermitSet
			var x journal.Exchange
			switch e.Kind {
			case journal.KindPermit:
				if err := json.Unmarshal(e.Body, &set); err != nil {
					return err
				}
				blocked = !set.Permit.Sell
			case journal.KindExchange:
				if err := x.Parse(e); err != nil {
					return err
				}
				switch {
				case x.MTI != 0x0200:
				case x.DE39 == pos.Approved && blocked:
					t.Errorf("entry %d approves what an entry before it blocks", e.Seq)
				case x.DE39 == pos.Approved:
					approved++
				default:
					refused++
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if approved+refused != terminals*rounds {
		t.Errorf("%d approved and %d refused, want %d in all", approved, refused, terminals*rounds)
	}
	t.Logf("%d approved, %d refused", approved, refused)
}
