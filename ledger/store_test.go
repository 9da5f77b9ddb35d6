package ledger_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"runtime"
	"sync"
	"testing"

	"touchstone/host"
	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
)

// noRecords keeps nothing in memory after a checkpoint.
func noRecords() ledger.Options {
	o := ledger.DefaultOptions()
	o.KeepRecords = 0
	return o
}

// trim checkpoints and wants every record out of memory.
func (s *shop) trim() {
	s.t.Helper()
	if err := s.ledger.Checkpoint(context.Background()); err != nil {
		s.t.Fatalf("checkpoint: %v", err)
	}
	if n := s.ledger.RecordsOf(terminalOf(1)); n != 0 {
		s.t.Fatalf("%d records are still in memory", n)
	}
}

// TestTrimmedRecords: what is only in the store is repeated, refused, voided, refunded and reversed as
// if it were in memory.
func TestTrimmedRecords(t *testing.T) {
	s := newShop(t, 2, noRecords())
	defer s.mustClose(t)
	theSale := aSale(1, 1, 100)
	first := s.expect(theSale, "00")
	s.trim()
	if again := s.expect(theSale, "00"); again != first {
		t.Error("the repeat of a trimmed sale has another answer")
	}
	other := theSale
	other.amount = 99
	s.expect(other, "94")
	s.trim()

	theVoid := message{kind: void, terminal: 1, amount: 100, batch: 1, stan: 2, hasFrom: true, from: origin{1, 1, 301}, rrn: first.rrn, auth: first.auth}
	answer := s.expect(theVoid, "00")
	s.trim()
	if again := s.expect(theVoid, "00"); again != answer {
		t.Error("the repeat of a trimmed void has another answer")
	}
	s.trim()
	s.expect(theSale, "94")
	s.trim()
	voidReversal := message{kind: reverseVoid, terminal: 1, amount: 100, batch: 1, stan: 2}
	s.expect(voidReversal, "00")
	s.trim()
	s.expect(voidReversal, "00")
	s.trim()
	if s.balance(0) != openingBalance-100 {
		t.Errorf("the card has %d: the sale does not stand", s.balance(0))
	}
	for i, c := range []struct {
		amount int64
		want   string
	}{{60, "00"}, {41, "64"}, {40, "00"}, {1, "64"}} {
		s.expect(message{kind: refund, terminal: 2, amount: c.amount, batch: 1, stan: 10 + i, rrn: first.rrn, hasFrom: true, from: origin{1, 1, 301}}, c.want)
		s.trim()
	}
	s.expect(message{kind: reverseSale, terminal: 1, amount: 100, batch: 1, stan: 1}, "22")
	second := aSale(1, 3, 50)
	s.expect(second, "00")
	s.trim()
	s.expect(message{kind: reverseSale, terminal: 1, amount: 50, batch: 1, stan: 3}, "00")
	s.trim()
	s.expect(second, "94")
	if s.balance(0) != openingBalance {
		t.Errorf("the card has %d, it was given back all", s.balance(0))
	}
}

func aRefund(terminal, stan int, amount int64, rrn string) message {
	return message{kind: refund, terminal: terminal, amount: amount, batch: 1, stan: stan, rrn: rrn, hasFrom: true, from: origin{1, 1, 301}}
}

// TestStaleRecordIsNotKept: between the store's answer to one who looks for a trimmed record and the
// moment it is put into memory, another refunds it and it is trimmed again. The copy that was read
// first must not come back.
func TestStaleRecordIsNotKept(t *testing.T) {
	for name, look := range map[string]func(s *shop, rrn string) answer{
		"refund from another terminal": func(s *shop, rrn string) answer { return s.send(aRefund(3, 1, 60, rrn)) },
		"void": func(s *shop, rrn string) answer {
			return s.send(message{kind: void, terminal: 1, amount: 100, batch: 1, stan: 9, hasFrom: true, from: origin{1, 1, 301}})
		},
		"repeat": func(s *shop, rrn string) answer { return s.send(aSale(1, 1, 100)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, 3, noRecords())
			defer s.mustClose(t)
			rrn := s.expect(aSale(1, 1, 100), "00").rrn
			s.trim()
			s.store.mu.Lock()
			s.store.onRecord = func() {
				s.expect(aRefund(2, 1, 60, rrn), "00")
				s.trim()
			}
			s.store.mu.Unlock()
			if a := look(s, rrn); a.code == "00" {
				t.Errorf("answered %q for a sale refunded meanwhile", a.code)
			}
			s.expect(aRefund(2, 2, 41, rrn), "64")
			s.expect(aRefund(2, 3, 40, rrn), "00")
			if s.balance(0) != openingBalance {
				t.Errorf("the card has %d", s.balance(0))
			}
		})
	}
}

// TestForgottenBetweenFindAndLock: a refund has found a sale of another terminal and waits for its locks;
// meanwhile the sale is forgotten, read again and refunded. The first must not fold into its old copy.
func TestForgottenBetweenFindAndLock(t *testing.T) {
	s := newShop(t, 3, noRecords())
	defer s.mustClose(t)
	rrn := s.expect(aSale(2, 1, 100), "00").rrn
	s.trim()
	s.ledger.Forget(terminalOf(2))
	var release func()
	held := make(chan struct{})
	s.store.onRecord = func() { // the refund is judged; it looks for the sale and holds no lock
		release = s.ledger.Hold(terminalOf(1))
		close(held)
	}
	first := make(chan answer)
	go func() { first <- s.send(aRefund(1, 1, 60, rrn)) }()
	<-held
	for s.ledger.RecordsOf(terminalOf(2)) == 0 { // until the sale is found
		runtime.Gosched()
	}
	s.ledger.Forget(terminalOf(2))
	s.expect(aRefund(3, 1, 60, rrn), "00")
	release()
	if a := <-first; a.code != "64" {
		t.Errorf("the refund that waited was answered %q", a.code)
	}
	if s.balance(0) != openingBalance-40 {
		t.Errorf("the card has %d", s.balance(0))
	}
}

// TestRefundsAgainstCheckpoints: many refund the same trimmed sales from other terminals while
// checkpoints come one after another; no refund is lost or given twice.
func TestRefundsAgainstCheckpoints(t *testing.T) {
	const sales, tries = 4, 60
	s := newShop(t, 4, noRecords())
	defer s.mustClose(t)
	var rrns []string
	for i := range sales {
		rrns = append(rrns, s.expect(aSale(1, 1+i, 20), "00").rrn)
	}
	done, stopped := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-done:
				stopped <- nil
				return
			default:
			}
			if err := s.ledger.Checkpoint(context.Background()); err != nil {
				stopped <- err
				return
			}
		}
	}()
	var running sync.WaitGroup
	approved := make([][sales]int64, 4)
	for n := 2; n <= 4; n++ {
		running.Go(func() {
			for i := range tries {
				if a := s.send(aRefund(n, 1+i, 1, rrns[i%sales])); a.code == "00" {
					approved[n-1][i%sales]++
				} else if a.code != "64" {
					t.Errorf("a refund was answered %q", a.code)
				}
			}
		})
	}
	running.Wait()
	close(done)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	for i := range sales {
		if sum := approved[1][i] + approved[2][i] + approved[3][i]; sum != 20 {
			t.Errorf("of sale %d, %d of 20 were refunded", i, sum)
		}
	}
	if s.balance(0) != openingBalance {
		t.Errorf("the card has %d", s.balance(0))
	}
	live := hashOf(t, s.ledger)
	for _, checkpoint := range []bool{true, false} {
		if got := hashOf(t, replayed(t, s.store.copy(len(s.store.all()), checkpoint))); got != live {
			t.Errorf("the state replayed (from a checkpoint: %t) is not the state that was", checkpoint)
		}
	}
}

// TestRefusedRegistrationLeavesNothing: when the journal does not take a record, it is not in memory.
func TestRefusedRegistrationLeavesNothing(t *testing.T) {
	s := newShop(t, 1, smallOptions())
	defer s.mustClose(t)
	before := hashOf(t, s.ledger)
	s.withheld(message{kind: signOff, terminal: 9, batch: 1})
	var err error
	for range journal.MaxQueueEntries + 1 {
		if _, err = s.committer.Enqueue(journal.Raw{Entry: journal.Entry{Kind: journal.KindOpened, Body: []byte("{}")}}, journal.Outcome, nil); err != nil {
			break
		}
	}
	if !errors.Is(err, journal.ErrQueueFull) {
		t.Fatalf("the queue ended with %v", err)
	}
	card := &issuer.Opening{Card: pos.PANHash{1}, Balance: 5, State: issuer.Active}
	terminal := &registry.Terminal{ID: terminalOf(7), Merchant: merchantOfShop, Profile: registry.Profile{SignInCode: keys.SignInTDES}}
	merchant := &registry.Merchant{ID: must(pos.ParseMerchantID("898310048160009")), Name: "other"}
	for _, r := range []any{card, terminal, merchant} {
		if err := s.ledger.Register(context.Background(), began, r); !errors.Is(err, journal.ErrQueueFull) {
			t.Errorf("register %T: %v", r, err)
		}
	}
	if _, ok := s.ledger.CardNow(card.Card); ok {
		t.Error("a refused card is known")
	}
	if _, err := s.ledger.Terminal(terminal.ID); !errors.Is(err, ledger.ErrUnknown) {
		t.Errorf("a refused terminal: %v", err)
	}
	if _, err := s.ledger.Merchant(merchant.ID); !errors.Is(err, ledger.ErrUnknown) {
		t.Errorf("a refused merchant: %v", err)
	}
	if s.ledger.Hash() != before {
		t.Error("refused records changed the state")
	}
	if want := (ledger.Counts{Merchants: 1, Terminals: 1, Devices: 1, Cards: cardsOfShop}); s.ledger.Counts() != want {
		t.Errorf("counts %+v", s.ledger.Counts())
	}
}

// TestFullLedger: a ledger without room refuses what is new and takes changes of what it has.
func TestFullLedger(t *testing.T) {
	opts := smallOptions()
	s := newShop(t, 2, opts)
	opts.MaxTerminals, opts.MaxCards = 2, cardsOfShop
	s = s.reopen(true, opts)
	defer s.mustClose(t)
	have, err := s.ledger.Terminal(terminalOf(1))
	if err != nil {
		t.Fatal(err)
	}
	changed := *have
	changed.Suspended = true
	for name, c := range map[string]struct {
		record any
		want   error
	}{
		"terminal changed": {&changed, nil},
		"terminal new":     {&registry.Terminal{ID: terminalOf(3), Merchant: merchantOfShop, Profile: have.Profile}, ledger.ErrFull},
		"card changed":     {&issuer.Opening{Card: cardHash(0), State: issuer.Lost}, nil},
		"card new":         {&issuer.Opening{Card: pos.PANHash{9}, State: issuer.Active}, ledger.ErrFull},
		"merchant new":     {&registry.Merchant{ID: must(pos.ParseMerchantID("898310048160009")), Name: "other"}, nil},
	} {
		if err := s.ledger.Register(context.Background(), began, c.record); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if now, _ := s.ledger.Terminal(terminalOf(1)); !now.Suspended {
		t.Error("the change did not take place")
	}
}

// TestRegisterRefuses: a value that is no record, and records that Check does not accept.
func TestRegisterRefuses(t *testing.T) {
	s := newShop(t, 1, smallOptions())
	defer s.mustClose(t)
	last := s.ledger.Durable()
	for _, r := range []any{nil, "terminal", registry.Merchant{}} {
		if err := s.ledger.Register(context.Background(), began, r); !errors.Is(err, ledger.ErrKind) {
			t.Errorf("%T: %v", r, err)
		}
	}
	for _, r := range []any{&registry.Merchant{}, &registry.Device{}, &registry.Terminal{}} {
		if err := s.ledger.Register(context.Background(), began, &journal.Opened{}, r); !errors.Is(err, registry.ErrRecord) {
			t.Errorf("%T: %v", r, err)
		}
	}
	if s.ledger.Durable() != last {
		t.Error("a refused list was written in part")
	}
}

// TestColdRecordsAfterRestart: the registry is the same from the journal and from a checkpoint with a tail.
func TestColdRecordsAfterRestart(t *testing.T) {
	s := newShop(t, 2, smallOptions())
	ctx := context.Background()
	change := func(name string) {
		t.Helper()
		err := s.ledger.Register(ctx, began, &registry.Merchant{ID: merchantOfShop, Name: name, Networks: []pos.Network{must(pos.ParseNetwork("10.0.0.0/8"))}},
			&registry.Device{Serial: serialOf(1), DeviceType: "02", State: registry.Suspended, ReleasedBy: []string{name}},
			&registry.Terminal{ID: terminalOf(1), Merchant: merchantOfShop, Serial: serialOf(2), MasterKCV: name, Profile: registry.Profile{SignInCode: keys.SignInSM4}},
			&issuer.Opening{Card: cardHash(1), State: issuer.Stolen, ServiceCode: name, Balance: 77})
		if err != nil {
			t.Fatal(err)
		}
	}
	change("one")
	if err := s.ledger.Checkpoint(ctx); err != nil {
		t.Fatal(err)
	}
	change("two")
	live := hashOf(t, s.ledger)
	defer s.mustClose(t)
	for _, checkpoint := range []bool{false, true} {
		l := replayed(t, s.store.copy(len(s.store.all()), checkpoint))
		if hashOf(t, l) != live {
			t.Errorf("from a checkpoint %t: the state differs", checkpoint)
		}
		if l.Counts() != s.ledger.Counts() {
			t.Errorf("from a checkpoint %t: counts %+v", checkpoint, l.Counts())
		}
		for n := 1; n <= 2; n++ {
			same(t, must(l.Terminal(terminalOf(n))), must(s.ledger.Terminal(terminalOf(n))))
			same(t, must(l.Device(serialOf(n))), must(s.ledger.Device(serialOf(n))))
		}
		same(t, must(l.Merchant(merchantOfShop)), must(s.ledger.Merchant(merchantOfShop)))
		if c, ok := l.CardNow(cardHash(1)); !ok || c.Balance != openingBalance || c.State != issuer.Stolen {
			t.Errorf("from a checkpoint %t: a card's balance was set by a change of its terms", checkpoint)
		}
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if !bytes.Equal(a, b) || reflect.TypeOf(got) != reflect.TypeOf(want) {
		t.Errorf("%T after a restart is not as it was", got)
	}
}

// TestNewMasterEndsSessions: working keys issued under a former master key end with it, and stay ended
// after a restart, wherever in the tail the new key is; those issued since stay.
func TestNewMasterEndsSessions(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		before, after bool // a sign-in after the checkpoint's floor and before the new key; after the new key
		late          bool // the checkpoint is made after all, with a floor before the new key
		changes       int
	}{
		"keys of the checkpoint":             {changes: 1},
		"keys of the tail":                   {before: true, changes: 1},
		"keys of the tail, two new":          {before: true, changes: 2},
		"keys since":                         {before: true, after: true, changes: 1},
		"keys since, late checkpoint":        {before: true, after: true, late: true, changes: 1},
		"keys since, two new, late likewise": {before: true, after: true, late: true, changes: 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, 1, smallOptions())
			defer s.mustClose(t)
			stan := 0
			signInOnce := func() {
				stan++
				s.expect(message{kind: signIn, terminal: 1, stan: stan}, "00")
				s.expect(aSale(1, stan, 1), "00")
			}
			checkpoint := func(lag int) {
				s.store.mu.Lock()
				s.store.lag = lag
				s.store.mu.Unlock()
				if err := s.ledger.Checkpoint(ctx); err != nil {
					t.Fatal(err)
				}
			}
			if !c.late {
				checkpoint(0)
			}
			floor := len(s.store.all())
			if c.before {
				signInOnce()
			}
			for range c.changes { // after two, an older record is in the tail too
				changed := *must(s.ledger.Terminal(terminalOf(1)))
				changed.Master = append(keys.Wrapped{1}, bytes.Repeat([]byte{byte(stan + len(s.store.all()))}, keys.WrapHead+keys.WrapTag+15)...)
				if err := s.ledger.Register(ctx, began, &changed); err != nil {
					t.Fatal(err)
				}
			}
			if got := s.ledger.SessionOf(terminalOf(1)); got.InForce.Number != 0 || got.Pending.Number != 0 {
				t.Error("working keys outlived their master key")
			}
			s.expect(aSale(1, 99, 1), "77")
			if c.after {
				signInOnce()
			}
			if c.late {
				checkpoint(len(s.store.all()) - floor)
			}
			live, session := hashOf(t, s.ledger), s.ledger.SessionOf(terminalOf(1))
			for _, checkpoint := range []bool{false, true} {
				l := replayed(t, s.store.copy(len(s.store.all()), checkpoint))
				if l.SessionOf(terminalOf(1)) != session || hashOf(t, l) != live {
					t.Errorf("from a checkpoint %t: keys %d in force, %d pending; they were %d and %d", checkpoint,
						l.SessionOf(terminalOf(1)).InForce.Number, l.SessionOf(terminalOf(1)).Pending.Number, session.InForce.Number, session.Pending.Number)
				}
			}
		})
	}
}

// TestCheckpointThatIsNotOurs: a checkpoint of another journal, damaged, ahead, or inside a block is
// discarded, and the journal alone decides.
func TestCheckpointThatIsNotOurs(t *testing.T) {
	s := newShop(t, 2, smallOptions())
	for i := range 5 {
		s.expect(aSale(1+i%2, 1+i, 10), "00")
	}
	if err := s.ledger.Checkpoint(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.expect(aSale(1, 20, 10), "00")
	live := hashOf(t, s.ledger)
	defer s.mustClose(t)
	slab := func(kind ledger.SlabKind, change func(*ledger.Slab)) func(*memory) {
		return func(m *memory) {
			k := slabKey{kind, 0}
			row := m.slabs[k]
			row.Body = bytes.Clone(row.Body)
			change(&row)
			m.slabs[k] = row
		}
	}
	for name, spoil := range map[string]func(*memory){
		"another chain value": func(m *memory) { m.floor.Head[5] ^= 1 },
		"ahead":               func(m *memory) { m.floor.Seq += 100 },
		"ahead by one":        func(m *memory) { m.floor.Seq = m.blocks[len(m.blocks)-1].Last() + 1 },
		"inside a block":      func(m *memory) { m.floor.Seq = m.blocks[0].First },
		"terminals short":     slab(ledger.TerminalSlab, func(s *ledger.Slab) { s.Body = s.Body[:len(s.Body)-1] }),
		"terminals version":   slab(ledger.TerminalSlab, func(s *ledger.Slab) { s.Body[0] = 9 }),
		"cards short":         slab(ledger.CardSlab, func(s *ledger.Slab) { s.Body = s.Body[:len(s.Body)-1] }),
		"floor and no slab":   func(m *memory) { clear(m.slabs); m.floor.Head[0] ^= 1 },
	} {
		t.Run(name, func(t *testing.T) {
			m := s.store.copy(len(s.store.all()), true)
			if m.blocks[0].N < 2 {
				t.Skip("the first block has one entry")
			}
			spoil(m)
			if hashOf(t, replayed(t, m)) != live {
				t.Error("the state is not that of the journal")
			}
			if m.resets == 0 {
				t.Error("the checkpoint was not discarded")
			}
		})
	}
}

// TestDamagedJournal: a journal that cannot be proven intact is not opened. Invariant I-12.
func TestDamagedJournal(t *testing.T) {
	s := newShop(t, 1, smallOptions())
	for i := range 4 {
		s.expect(aSale(1, 1+i, 10), "00")
	}
	s.mustClose(t)
	n := len(s.store.all())
	for name, spoil := range map[string]func(*memory){
		"a byte":        func(m *memory) { b := &m.blocks[n-2]; b.Body = bytes.Clone(b.Body); b.Body[20] ^= 1 },
		"a block gone":  func(m *memory) { m.blocks = append(m.blocks[:n-3:n-3], m.blocks[n-2:]...) },
		"two exchanged": func(m *memory) { m.blocks[n-1], m.blocks[n-2] = m.blocks[n-2], m.blocks[n-1] },
	} {
		t.Run(name, func(t *testing.T) {
			m := s.store.copy(n, false)
			spoil(m)
			l, c, err := ledger.Open(context.Background(), smallOptions(), m, m, m)
			var broken *journal.ChainError
			if !errors.As(err, &broken) || l != nil || c != nil {
				t.Errorf("opened with %v", err)
			}
		})
	}
}

// TestFailedCheckpoint: after the store refused one, no later one moves the floor.
func TestFailedCheckpoint(t *testing.T) {
	s := newShop(t, 1, smallOptions())
	s.expect(aSale(1, 1, 10), "00")
	refused := errors.New("disk full")
	s.store.refuses = refused
	if err := s.ledger.Checkpoint(context.Background()); !errors.Is(err, refused) {
		t.Errorf("first: %v", err)
	}
	s.store.refuses = nil
	s.expect(aSale(1, 2, 10), "00")
	if err := s.ledger.Checkpoint(context.Background()); !errors.Is(err, ledger.ErrCheckpoint) {
		t.Errorf("second: %v", err)
	}
	if s.store.floor.Seq != 0 || s.ledger.RecordsOf(terminalOf(1)) != 2 {
		t.Error("the floor moved or records were forgotten")
	}
	live := hashOf(t, s.ledger)
	s = s.reopen(true, smallOptions())
	defer s.mustClose(t)
	if hashOf(t, s.ledger) != live {
		t.Error("the state replayed is not the state that was")
	}
}

var _ host.Ledger = (*ledger.Ledger)(nil)
