package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/transaction"
)

// fill draws every byte of an array of fixed size.
func fill(t *rapid.T, b []byte, label string) {
	copy(b, rapid.SliceOfN(rapid.Byte(), len(b), len(b)).Draw(t, label))
}

func aSet(t *rapid.T, label string) (s keys.Set) {
	if s.Number = rapid.Uint32().Draw(t, label+" number"); s.Number == 0 {
		return s
	}
	s.Code, s.Issued = pos.NetworkCode(rapid.Uint16().Draw(t, label+" code")), pos.Instant(rapid.Int64().Draw(t, label+" issued"))
	fill(t, s.Wrapped[:], label+" wrapped")
	fill(t, s.Operator[:], label+" operator")
	return s
}

func someTotals(t *rapid.T, label string) journal.Totals {
	return journal.Totals{DebitAmount: pos.Amount(rapid.Int64().Draw(t, label+" debit")), DebitCount: rapid.Uint32().Draw(t, label+" debits"),
		CreditAmount: pos.Amount(rapid.Int64().Draw(t, label+" credit")), CreditCount: rapid.Uint32().Draw(t, label+" credits")}
}

func aRecord(t *rapid.T) *record {
	n32, n64 := rapid.Uint32(), rapid.Uint64()
	r := &record{applied: n64.Draw(t, "applied")}
	r.Record = transaction.Record{
		Seq: n64.Draw(t, "seq"), Batch: pos.BatchNo(n32.Draw(t, "batch")), STAN: pos.STAN(n32.Draw(t, "trace")),
		MTI: pos.MTI(rapid.Uint16().Draw(t, "MTI")), Type: pos.TransactionCode(rapid.Uint8().Draw(t, "type")),
		Processing: pos.ProcessingCode(n32.Draw(t, "processing")), Amount: pos.Amount(n64.Draw(t, "amount")), At: pos.Instant(n64.Draw(t, "at")),
		Reason: reason.Reason(rapid.Uint8().Draw(t, "reason")), Available: pos.Amount(n64.Draw(t, "available")), LocalTime: n32.Draw(t, "time"),
		LocalDate: pos.Date(n32.Draw(t, "date")), OrigBatch: pos.BatchNo(n32.Draw(t, "original batch")), OrigSTAN: pos.STAN(n32.Draw(t, "original trace")),
		State: transaction.State(rapid.Uint8().Draw(t, "state")), Refunded: pos.Amount(n64.Draw(t, "refunded")),
		Undone: rapid.Bool().Draw(t, "undone"), Original: n64.Draw(t, "original"),
	}
	fill(t, r.Terminal[:], "terminal")
	fill(t, r.Merchant[:], "merchant")
	fill(t, r.Currency[:], "currency")
	fill(t, r.Card[:], "card")
	fill(t, r.Print[:], "print")
	fill(t, r.DE39[:], "DE39")
	fill(t, r.AuthCode[:], "authorization code")
	return r
}

func TestRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := aRecord(t)
		body := appendRecord(nil, want)
		got, err := decodeRecord(body)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("the record differs after a round trip: %v", err)
		}
		for _, n := range []int{0, 1, len(body) - 1} {
			if _, err := decodeRecord(body[:n]); !errors.Is(err, ErrSlab) {
				t.Fatalf("%d of %d bytes: %v", n, len(body), err)
			}
		}
		if _, err := decodeRecord(append(body, 0)); !errors.Is(err, ErrSlab) {
			t.Fatalf("a byte too many: %v", err)
		}
	})
}

// TestEveryFieldIsKept: a field added to a record, a session or a terminal's money side and forgotten in
// the codec would be lost at a restart.
func TestEveryFieldIsKept(t *testing.T) {
	for _, c := range []struct {
		of   reflect.Type
		want int
	}{
		{reflect.TypeFor[transaction.Record](), 25}, {reflect.TypeFor[transaction.Terminal](), 8},
		{reflect.TypeFor[keys.Session](), 5}, {reflect.TypeFor[keys.Set](), 5}, {reflect.TypeFor[journal.Totals](), 4},
		{reflect.TypeFor[issuer.Card](), 3},
	} {
		if got := c.of.NumField(); got != c.want {
			t.Errorf("%s has %d fields, the codec and these tests know %d", c.of, got, c.want)
		}
	}
}

func aTerminal(t *rapid.T) *terminal {
	n := rapid.Uint32()
	s := &terminal{applied: rapid.Uint64().Draw(t, "applied")}
	fill(t, s.id[:], "id")
	s.session = keys.Session{InForce: aSet(t, "in force"), Pending: aSet(t, "pending"), Last: n.Draw(t, "last"), SignedOff: rapid.Bool().Draw(t, "signed off")}
	fill(t, s.session.Master[:], "master")
	m := &s.money
	m.Batch, m.Totals = pos.BatchNo(rapid.Uint32Range(0, 5).Draw(t, "batch")), someTotals(t, "totals")
	m.LastBatch, m.LastSTAN, m.LastCode = pos.BatchNo(n.Draw(t, "last batch")), pos.STAN(n.Draw(t, "last trace")), rapid.Uint8().Draw(t, "code")
	m.LastTotals = someTotals(t, "last totals")
	fill(t, m.HeardFrom[:], "heard from")
	for c := range m.Traces {
		for _, s := range rapid.SliceOfN(rapid.Uint32Range(0, 30), 0, 12).Draw(t, "traces") {
			m.Traces[c].Add(pos.STAN(s))
		}
	}
	for range rapid.IntRange(0, 4).Draw(t, "tombstones") {
		s.keep(&record{Record: transaction.Record{State: transaction.Grave, Type: pos.Sale,
			Batch: pos.BatchNo(rapid.Uint32Range(0, 8).Draw(t, "buried batch")), STAN: pos.STAN(rapid.Uint32Range(0, 30).Draw(t, "buried trace"))}})
	}
	return s
}

func TestSlabRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var body []byte
		var want []*terminal
		for range rapid.IntRange(0, 3).Draw(t, "terminals") {
			w := aTerminal(t)
			want, body = append(want, w), appendTerminal(body, w)
		}
		r := &reader{b: body}
		for _, w := range want {
			got := r.readTerminal()
			if got.id != w.id || got.applied != w.applied || got.session != w.session || !reflect.DeepEqual(got.money, w.money) {
				t.Fatal("a terminal differs after a round trip")
			}
			if !reflect.DeepEqual(got.loose, w.looseKeys()) {
				t.Fatal("its tombstones differ")
			}
		}
		if r.bad || len(r.b) != 0 {
			t.Fatalf("%d bytes are left over, bad %t", len(r.b), r.bad)
		}
		for n := range body {
			if l := empty(DefaultOptions(), nil, nil); l.loadTerminals(Slab{Body: body[:n]}) == nil && n != 0 && len(want) == 1 {
				t.Fatalf("%d of %d bytes were taken", n, len(body))
			}
		}
	})
}

// TestLoose: which tombstones must stay in memory.
func TestLoose(t *testing.T) {
	s := &terminal{}
	s.money.Batch = 5
	s.money.Traces[1].Add(7)
	for name, c := range map[string]struct {
		open, batch pos.BatchNo
		stan        pos.STAN
		state       transaction.State
		want        bool
	}{
		"open, trace used":   {5, 5, 7, transaction.Grave, false},
		"open, trace unused": {5, 5, 8, transaction.Grave, true},
		"next":               {5, 6, 7, transaction.Grave, true},
		"far ahead":          {5, 999999, 7, transaction.Grave, true},
		"past":               {5, 4, 8, transaction.Grave, false},
		"next after 999999":  {999999, 1, 8, transaction.Grave, true},
		"not a tombstone":    {5, 6, 8, transaction.Standing, false},
	} {
		s.money.Batch = c.open
		if got := s.isLoose(&record{Record: transaction.Record{Batch: c.batch, STAN: c.stan, State: c.state, Type: pos.Sale}}); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestMissingTombstone: a slab that names a tombstone which the store does not have is refused.
func TestMissingTombstone(t *testing.T) {
	s := &terminal{id: pos.TerminalID{'1'}}
	s.money.Batch = 1
	s.keep(&record{Record: transaction.Record{State: transaction.Grave, Type: pos.Sale, Batch: 2, STAN: 3}})
	l := empty(DefaultOptions(), noStore{}, nil)
	if err := l.loadTerminals(Slab{Body: appendHigh(appendTerminal(nil, s), s)}); err != nil {
		t.Fatal(err)
	}
	if err := l.loadLoose(); !errors.Is(err, ErrSlab) {
		t.Errorf("loaded with %v", err)
	}
}

// noStore has no record.
type noStore struct{ Store }

func (noStore) SeqByTrace(context.Context, pos.TerminalID, uint64) (uint64, bool, error) {
	return 0, false, nil
}

// FuzzSlab: no bytes make the reader panic or allocate beyond them, and what it takes is what it writes.
func FuzzSlab(f *testing.F) {
	s := &terminal{id: pos.TerminalID{'1', '2'}, applied: 7}
	s.session = keys.Session{Last: 2, InForce: keys.Set{Number: 1, Code: 3}, Pending: keys.Set{Number: 2, Code: 5, Issued: math.MaxInt64}}
	s.money.Batch = 1
	for _, stan := range []pos.STAN{1, 2, 9} {
		s.money.Traces[1].Add(stan)
	}
	s.keep(&record{Record: transaction.Record{State: transaction.Grave, Type: pos.Sale, Batch: 2, STAN: 3}})
	s.high = [transaction.Classes]uint64{0, 1<<classShift | 9, 2<<classShift | 1}
	one := appendHigh(appendTerminal(nil, s), s)
	row, err := json.Marshal([]cardRow{{Opening: issuer.Opening{Card: pos.PANHash{1}, Balance: 5}, Version: 9}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint8(TerminalSlab), one)
	f.Add(uint8(TerminalSlab), append(bytes.Clone(one), one...))
	f.Add(uint8(TerminalSlab), []byte{terminalVersion})
	f.Add(uint8(CardSlab), row)
	f.Add(uint8(CardSlab), []byte("[]"))
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		l := empty(DefaultOptions(), nil, nil)
		if SlabKind(kind) == CardSlab {
			if err := l.loadCards(Slab{Body: body}); err != nil && !errors.Is(err, ErrSlab) {
				t.Fatal(err)
			}
			if len(l.cardSlots) > len(body) {
				t.Fatal("more cards than bytes")
			}
			return
		}
		err := l.loadTerminals(Slab{Body: body})
		if err != nil {
			if !errors.Is(err, ErrSlab) {
				t.Fatal(err)
			}
			return
		}
		var back []byte
		for r := (&reader{b: body}); len(r.b) > 0; {
			got := r.readTerminal()
			r.high(got)
			back = appendHigh(appendLoose(appendTerminal(back, got), got.loose), got)
		}
		if !bytes.Equal(back, body) {
			t.Fatal("what was taken is not what is written")
		}
	})
}

// appendLoose puts the tombstones that a slab named in place of the none that a bare terminal has.
func appendLoose(b []byte, loose []transaction.Key) []byte {
	b = b[:len(b)-4]
	b = append(b, byte(len(loose)>>24), byte(len(loose)>>16), byte(len(loose)>>8), byte(len(loose)))
	for _, k := range loose {
		for shift := 56; shift >= 0; shift -= 8 {
			b = append(b, byte(k>>shift))
		}
	}
	return b
}

// FuzzRecord: as FuzzSlab, for one record.
func FuzzRecord(f *testing.F) {
	f.Add(appendRecord(nil, &record{}))
	f.Add(appendRecord(nil, &record{applied: 9, Record: transaction.Record{Seq: 8, MTI: 0x0200, Type: pos.Sale, Batch: 1, STAN: 2,
		Amount: 100, DE39: pos.Approved, State: transaction.Standing, Undone: true}}))
	f.Add([]byte{slabVersion})
	f.Fuzz(func(t *testing.T, body []byte) {
		rec, err := decodeRecord(body)
		if err != nil {
			if !errors.Is(err, ErrSlab) || rec != nil {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(appendRecord(nil, rec), body) {
			t.Fatal("what was taken is not what is written")
		}
	})
}
