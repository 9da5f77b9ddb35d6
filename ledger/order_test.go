package ledger_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"touchstone/host"
	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/proof"
	"touchstone/transaction"
)

func aSale(terminal, stan int, amount int64) message {
	return message{kind: sale, terminal: terminal, amount: amount, batch: 1, stan: stan}
}

// expect sends m and wants the code.
func (s *shop) expect(m message, code string) answer {
	s.t.Helper()
	a := s.send(m)
	if a.code != code {
		s.t.Fatalf("%s with trace %d of batch %d: answered %q, want %q", kindNames[m.kind], m.stan, m.batch, a.code, code)
	}
	return a
}

func (s *shop) mustClose(t *testing.T) {
	t.Helper()
	if err := s.close(); err != nil {
		t.Errorf("committer: %v", err)
	}
}

// withheld hands messages to the line while the sink withholds its word, waits until the sink has been
// asked, and gives the flights; the caller releases.
func (s *shop) withheld(list ...message) (flights []*flight) {
	s.store.hold()
	for _, m := range list {
		flights = append(flights, s.begin(m.frame(), m.conn))
	}
	<-s.store.reached
	return flights
}

// TestNoAnswerBeforeDurable: whatever the function and whatever its answer. Invariant I-01.
func TestNoAnswerBeforeDurable(t *testing.T) {
	badMAC := aSale(1, 13, 1)
	badMAC.mac = "00000000"
	unknown := aSale(9, 1, 1)
	cases := map[string]struct {
		m    message
		want string
	}{
		"sale":          {aSale(1, 2, 100), "00"},
		"sale repeated": {aSale(1, 1, 100), "00"},
		"not enough":    {aSale(1, 3, openingBalance*2), "51"},
		"wrong MAC":     {badMAC, "A0"},
		"unknown":       {unknown, "97"},
		"void":          {message{kind: void, terminal: 1, amount: 100, batch: 1, stan: 4, hasFrom: true, from: origin{1, 1, 301}}, "00"},
		"reversal":      {message{kind: reverseSale, terminal: 1, amount: 100, batch: 1, stan: 1}, "00"},
		"tombstone":     {message{kind: reverseSale, terminal: 1, amount: 100, batch: 1, stan: 77}, "25"},
		"balance":       {message{kind: balance, terminal: 1, batch: 1, stan: 5}, "00"},
		"sign-in":       {message{kind: signIn, terminal: 1, stan: 6}, "00"},
		"sign-off":      {message{kind: signOff, terminal: 1, stan: 7, batch: 1}, "00"},
		"settlement":    {message{kind: settle, terminal: 1, batch: 1, stan: 8, claimed: journal.Totals{DebitAmount: 100, DebitCount: 1}}, "00"},
		"not a message": {message{}, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, 1, smallOptions())
			defer s.mustClose(t)
			s.expect(aSale(1, 1, 100), "00")
			frame := c.m.frame()
			if c.want == "" {
				frame = frame[:9]
			}
			s.store.hold()
			f := s.begin(frame, 0)
			<-s.store.reached // the sink has the entry and has not said that it is durable
			if n := f.n.Load(); n != 0 {
				t.Error("told before the entry was durable")
			}
			if _, shut := s.line.Finish(f.x); !shut {
				t.Error("an answer could be made before the entry was durable")
			}
			s.store.release()
			if a := s.finish(f); a.code != c.want {
				t.Errorf("then answered %q, want %q", a.code, c.want)
			}
		})
	}
}

// TestReversalOvertakes: a reversal of a message whose answer has not left; 9A.4.
func TestReversalOvertakes(t *testing.T) {
	theSale := aSale(1, 1, 100)
	reversal := message{kind: reverseSale, terminal: 1, amount: 100, batch: 1, stan: 1}
	theVoid := message{kind: void, terminal: 1, amount: 100, batch: 1, stan: 2, hasFrom: true, from: origin{1, 1, 301}}
	voidReversal := theVoid
	voidReversal.kind = reverseVoid

	overtaken := func(t *testing.T, s *shop, m, reversal message) {
		f := s.withheld(m, reversal, reversal)
		s.store.release()
		if a := s.finish(f[0]); a.code != "94" || a.auth != "" {
			t.Errorf("the %s was answered %q, with an authorization code %t", kindNames[m.kind], a.code, a.auth != "")
		}
		for _, f := range f[1:] {
			if a := s.finish(f); a.code != "00" {
				t.Errorf("its reversal was answered %q", a.code)
			}
		}
	}
	t.Run("sale", func(t *testing.T) {
		s := newShop(t, 1, smallOptions())
		overtaken(t, s, theSale, reversal)
		for _, checkpoint := range []bool{false, true} {
			if got := s.balance(0); got != openingBalance {
				t.Errorf("the card has %d", got)
			}
			if got := s.ledger.TotalsOf(terminalOf(1)); got != (journal.Totals{}) {
				t.Errorf("the batch counts %+v", got)
			}
			s.expect(theSale, "94")
			s.expect(reversal, "00")
			if err := s.ledger.Checkpoint(context.Background()); err != nil {
				t.Fatal(err)
			}
			s = s.reopen(checkpoint, smallOptions())
		}
		s.mustClose(t)
	})
	t.Run("void", func(t *testing.T) {
		s := newShop(t, 1, smallOptions())
		defer s.mustClose(t)
		s.expect(theSale, "00")
		overtaken(t, s, theVoid, voidReversal)
		if got, want := s.ledger.TotalsOf(terminalOf(1)), (journal.Totals{DebitAmount: 100, DebitCount: 1}); got != want || s.balance(0) != openingBalance-100 {
			t.Errorf("the batch counts %+v, the card has %d: the sale does not stand as before", got, s.balance(0))
		}
		again := theVoid
		again.stan = 3
		s.expect(again, "00")
	})
	// The sale is durable, its answer is still to be rendered, and its record is in the store alone.
	t.Run("sale, durable and trimmed", func(t *testing.T) {
		s := newShop(t, 1, smallOptions())
		defer s.mustClose(t)
		f := s.begin(theSale.frame(), 0)
		<-f.done
		s.expect(reversal, "00")
		s.expect(aSale(1, 2, 1), "00")
		if err := s.ledger.Checkpoint(context.Background()); err != nil {
			t.Fatal(err)
		}
		if s.ledger.RecordsOf(terminalOf(1)) != 1 {
			t.Fatal("the sale's record is still in memory")
		}
		if a := s.finish(f); a.code != "94" {
			t.Errorf("a sale already reversed was answered %q", a.code)
		}
	})
	t.Run("standing of what is not known", func(t *testing.T) {
		s := newShop(t, 1, smallOptions())
		defer s.mustClose(t)
		for name, c := range map[string]struct{ terminal, stan int }{"terminal": {9, 1}, "trace": {1, 55}} {
			if s.ledger.Standing(&proof.Snapshot{}, terminalOf(c.terminal), transaction.KeyOf(1, 1, 55)) {
				t.Errorf("an unknown %s stands", name)
			}
		}
	})
}

// TestReversalBeforeArrival: a tombstone holds, also after a restart, also for a batch not open yet; 9A.4.
func TestReversalBeforeArrival(t *testing.T) {
	for _, batch := range []int{1, 2} {
		for name, checkpoint := range map[string]bool{"journal": false, "checkpoint": true} {
			t.Run(map[int]string{1: "open", 2: "next"}[batch]+" batch, from the "+name, func(t *testing.T) {
				s := newShop(t, 1, smallOptions())
				reversal := message{kind: reverseSale, terminal: 1, amount: 100, batch: batch, stan: 5}
				s.expect(reversal, "25")
				for stan := range 3 {
					s.expect(aSale(1, 10+stan, 10), "00")
				}
				for range 2 { // the second checkpoint is made of what the first left
					if err := s.ledger.Checkpoint(context.Background()); err != nil {
						t.Fatal(err)
					}
					s = s.reopen(checkpoint, smallOptions())
					s.expect(aSale(1, 20+len(s.store.all()), 10), "00")
				}
				before := s.balance(0)
				if batch == 2 {
					s.expect(message{kind: settle, terminal: 1, batch: 1, stan: 30}, "00")
				}
				late := aSale(1, 5, 100)
				late.batch = batch
				s.expect(late, "94")
				s.expect(reversal, "25")
				s.expect(late, "94")
				if s.balance(0) != before {
					t.Error("a sale reversed before it arrived moved money")
				}
				s.mustClose(t)
			})
		}
	}
}

// TestThousandDuplicates: one sale sent by a thousand at once is one sale, and each has its answer.
// Invariants I-02, I-04.
func TestThousandDuplicates(t *testing.T) {
	const many = 1000
	s := newShop(t, 1, smallOptions())
	defer s.mustClose(t)
	frame := aSale(1, 1, 100).frame()
	start, answers := make(chan struct{}), make(chan answer, many)
	for range many {
		go func() {
			<-start
			answers <- s.finish(s.begin(frame, 0))
		}()
	}
	close(start)
	var first answer
	for range many {
		a := <-answers
		if first.rrn == "" {
			first = a
		}
		if a.code != "00" || a != first || !a.sealed {
			t.Errorf("one was answered %q, not as the first", a.code)
		}
	}
	sold, list := 0, 0
	entries, _ := s.entries()
	for _, x := range entries {
		if x.MTI == 0x0200 {
			list++
		}
		if x.Effect == journal.Sold {
			sold++
		}
	}
	if sold != 1 || list != many || s.balance(0) != openingBalance-100 {
		t.Errorf("%d sales in %d entries, the card has %d", sold, list, s.balance(0))
	}
}

// TestSinkFails: the first error of the journal is the last; nothing is answered with it, nothing after
// it, and no checkpoint keeps what it lost. Invariants I-21, I-23.
func TestSinkFails(t *testing.T) {
	s := newShop(t, 1, smallOptions())
	if err := s.ledger.Checkpoint(context.Background()); err != nil {
		t.Fatal(err)
	}
	floor, slabs := s.store.floor, len(s.store.slabs)
	durable := s.ledger.Durable()
	broken := errors.New("disk")
	flights := s.withheld(aSale(1, 1, 100), aSale(1, 2, 100), message{kind: signIn, terminal: 1, stan: 3})
	s.store.mu.Lock()
	s.store.broken = broken
	s.store.mu.Unlock()
	s.store.release()
	for i, f := range flights {
		if a := s.finish(f); a != (answer{}) {
			t.Errorf("message %d was answered %q", i, a.code)
		}
	}
	if err := <-s.ran; !errors.Is(err, broken) {
		t.Errorf("the committer returned %v", err)
	}
	s.ran <- nil
	defer s.mustClose(t)
	appends := s.store.appends
	if a := s.send(aSale(1, 3, 100)); a != (answer{}) { // it may be the repeat of one that is on the disk
		t.Errorf("after it a sale was answered %q, with a MAC %t", a.code, a.sealed)
	}
	if err := s.ledger.Register(context.Background(), began, &journal.Opened{}); !errors.Is(err, journal.ErrStopped) {
		t.Errorf("after it a registration ended with %v", err)
	}
	if err := s.ledger.Checkpoint(context.Background()); !errors.Is(err, journal.ErrStopped) {
		t.Errorf("after it a checkpoint ended with %v", err)
	}
	if err := s.ledger.Checkpoint(context.Background()); !errors.Is(err, ledger.ErrCheckpoint) {
		t.Errorf("and the next with %v", err)
	}
	if s.ledger.Durable() != durable || s.store.floor != floor || len(s.store.slabs) != slabs || len(s.store.records) != 0 || s.store.appends != appends {
		t.Error("something was kept of what was lost")
	}
}

// TestSignInRate: a burst of 30, then one each 2 s; over it 96, nothing changes, nobody else is touched. 9A.10.
func TestSignInRate(t *testing.T) {
	s := newShop(t, 2, ledger.DefaultOptions()) // one sign-in each is used
	defer s.mustClose(t)
	stan := 0
	ask := func(terminal int, want string) {
		t.Helper()
		stan++
		s.expect(message{kind: signIn, terminal: terminal, stan: stan}, want)
	}
	for range 29 {
		ask(1, "00")
	}
	issued, session := s.module.issued.Load(), s.ledger.SessionOf(terminalOf(1))
	ask(1, "96")
	s.now.Add(int64(2*time.Second - 1))
	ask(1, "96")
	if s.module.issued.Load() != issued || s.ledger.SessionOf(terminalOf(1)) != session {
		t.Error("a refused sign-in changed keys or session")
	}
	s.expect(aSale(1, 500, 1), "00")
	ask(2, "00")
	s.now.Add(1)
	ask(1, "00")
	ask(1, "96")
	s.now.Add(int64(time.Hour))
	for range 30 {
		ask(1, "00")
	}
	ask(1, "96")
}

// TestConflict: a message judged against a terminal that changed since is refused by the ledger, with
// nothing changed.
func TestConflict(t *testing.T) {
	s := newShop(t, 1, smallOptions())
	defer s.mustClose(t)
	f := s.begin(aSale(1, 1, 100).frame(), 0)
	<-f.done
	before := s.ledger.Hash()
	if err := s.ledger.Commit(f.x); !errors.Is(err, host.ErrConflict) {
		t.Errorf("a stale commit ended with %v", err)
	}
	if s.ledger.Hash() != before {
		t.Error("a refused commit changed the state")
	}
}

// TestJudgedAgain: what happens to a terminal or to its records while a message is being proven makes
// that message be judged again, by what is then known.
func TestJudgedAgain(t *testing.T) {
	theSale := aSale(1, 1, 100)
	for name, c := range map[string]struct {
		message   message
		meanwhile func(s *shop, rrn string) message
		want      string
	}{
		"repeat, refunded from elsewhere": {theSale, func(_ *shop, rrn string) message { return aRefund(2, 1, 10, rrn) }, "94"},
		"repeat, voided": {theSale, func(*shop, string) message {
			return message{kind: void, terminal: 1, amount: 100, batch: 1, stan: 2, hasFrom: true, from: origin{1, 1, 301}}
		}, "94"},
		"repeat, reversed": {theSale, func(*shop, string) message {
			return message{kind: reverseSale, terminal: 1, amount: 100, batch: 1, stan: 1}
		}, "94"},
		"sale, its twin":      {aSale(1, 5, 10), func(*shop, string) message { return aSale(1, 5, 20) }, "94"},
		"sale, batch settled": {aSale(1, 5, 10), func(*shop, string) message { return message{kind: settle, terminal: 1, batch: 1, stan: 6} }, "77"},
		"sale, reversed": {aSale(1, 5, 10), func(*shop, string) message {
			return message{kind: reverseSale, terminal: 1, amount: 10, batch: 1, stan: 5}
		}, "94"},
		"void, sale refunded":  {message{kind: void, terminal: 1, amount: 100, batch: 1, stan: 2, hasFrom: true, from: origin{1, 1, 301}}, func(_ *shop, rrn string) message { return aRefund(2, 1, 10, rrn) }, "22"},
		"sale, money is spent": {aSale(1, 5, 900), func(*shop, string) message { return aSale(2, 5, 900) }, "51"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, 2, smallOptions())
			defer s.mustClose(t)
			rrn := s.expect(theSale, "00").rrn
			meanwhile := func() {
				if a := s.send(c.meanwhile(s, rrn)); a.code != "00" && a.code != "25" {
					t.Errorf("what happens meanwhile was answered %q", a.code)
				}
			}
			s.module.meanwhile.Store(&meanwhile)
			s.expect(c.message, c.want)
			if s.module.meanwhile.Load() != nil {
				t.Error("nothing happened meanwhile")
			}
		})
	}
}
