package sqlite_test

import (
	"cmp"
	"database/sql"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/redress"
	"touchstone/sqlite"
)

const exposedDay = pos.Instant(24 * time.Hour)

// randomExchange is a message of one of n terminals: mostly an approved sale, at a moment of 30 days.
func randomExchange(r *rand.Rand, n int) *journal.Exchange {
	x := exchange(r.IntN(n), r.IntN(1000))
	x.At = 1_790_000_000_000_000_000 + pos.Instant(r.Int64N(int64(30*exposedDay)))
	x.Amount = pos.Amount(1 + r.Int64N(1_000_000))
	if r.IntN(4) == 0 {
		x.Merchant[14] = '2'
	}
	if r.IntN(4) == 0 {
		copy(x.App[:], "1.0.2")
	}
	if r.IntN(9) > 0 {
		x.Card[0], x.Card[15] = byte(r.IntN(40)), 1
		copy(x.Shown[:], fmt.Sprintf("622588%04d", r.IntN(10000)))
	}
	switch r.IntN(12) {
	case 0:
		x.Effect, x.DE39 = journal.Recorded, pos.Code("51")
	case 1:
		x.Flags |= journal.FlagCanary
	case 2:
		x.Effect, x.Original = journal.VoidedSale, 1
	}
	return x
}

// exposedOracle reads the journal as it is.
func exposedOracle(t *testing.T, s *sqlite.Store, wanted []pos.TerminalID, from, to pos.Instant) (list []redress.Exposed) {
	t.Helper()
	err := s.Blocks(t.Context(), 1, func(b journal.Block) error {
		return b.Each(func(e journal.Entry) error {
			var x journal.Exchange
			if err := x.Parse(e); err != nil {
				return err
			}
			at := x.At - x.At%1_000_000
			if x.Effect == journal.Sold && x.Flags&journal.FlagCanary == 0 && slices.Contains(wanted, x.Terminal) && at >= from && at < to {
				list = append(list, redress.Exposed{Seq: e.Seq, At: at, Terminal: x.Terminal, Merchant: x.Merchant, Shown: x.Shown, Card: x.Card, Amount: x.Amount, App: x.App})
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestExposed: by view, by blocks, by both, and however the view came to be, the exposed set is what the journal
// says, to the entry and the millisecond.
func TestExposed(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	p := openProjector(t, s)
	random := rand.New(rand.NewPCG(4, 11))
	w := newWriter(t, s)
	begin := pos.Instant(1_790_000_000_000_000_000)
	for round := range 40 {
		for range 1 + random.IntN(300) {
			w.add(randomExchange(random, 7))
		}
		w.flush()
		if round%3 > 0 {
			if err := p.CatchUp(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if round == 20 { // the owner ends and starts again
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			p = openProjector(t, s)
		}
		from := begin + pos.Instant(random.Int64N(int64(20*exposedDay)))
		to := from + pos.Instant(random.Int64N(int64(20*exposedDay)))
		from, to = from-from%1_000_000, to-to%1_000_000
		if round == 30 {
			from, to = begin, begin+30*exposedDay
		}
		wanted := []pos.TerminalID{terminalID(round % 7), terminalID(6), terminalID(99)}
		want := exposedOracle(t, s, wanted, from, to)
		if len(want) > 1 { // the bounds themselves: the first is in, the last is not
			from, to = slices.MinFunc(want, byTime).At, slices.MaxFunc(want, byTime).At
			want = exposedOracle(t, s, wanted, from, to)
		}
		last, _, err := s.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for name, ask := range map[string]func(f func(*redress.Exposed) error) (uint64, error){
			"projector": func(f func(*redress.Exposed) error) (uint64, error) {
				return p.Exposed(t.Context(), wanted, from, to, f)
			},
			"reader": func(f func(*redress.Exposed) error) (uint64, error) {
				return s.Exposed(t.Context(), wanted, from, to, f)
			},
		} {
			var got []redress.Exposed
			head, err := ask(func(e *redress.Exposed) error { got = append(got, *e); return nil })
			redress.Sort(got)
			if err != nil || head != last || !slices.Equal(got, want) {
				t.Fatalf("round %d, %s: %d sales up to entry %d, %v; the journal says %d up to %d", round, name, len(got), head, err, len(want), last)
			}
		}
	}
}

func byTime(a, b redress.Exposed) int { return cmp.Compare(a.At, b.At) }

// TestExposedOfQuietTerminals: sales that come one by one are no row each.
func TestExposedOfQuietTerminals(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	p := openProjector(t, s)
	w := newWriter(t, s)
	for i := range 600 {
		w.add(exchange(1, i))
		w.flush()
		if err := p.CatchUp(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "view.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var rows, sales int
	if err := db.QueryRow("SELECT count(*), sum(sales) FROM exposed").Scan(&rows, &sales); err != nil || rows != 3 || sales != 600 {
		t.Errorf("%d rows with %d sales, %v; want 3 with 600", rows, sales, err)
	}
	n := 0
	if _, err := p.Exposed(t.Context(), []pos.TerminalID{terminalID(1)}, 0, 1<<62, func(*redress.Exposed) error { n++; return nil }); err != nil || n != 600 {
		t.Errorf("%d sales, %v", n, err)
	}
}

// TestPaymentHasARow: what paid a claim is a row for SQL by hand, and no exposed sale.
func TestPaymentHasARow(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	p := openProjector(t, s)
	w := newWriter(t, s)
	x := exchange(1, 0)
	x.Effect, x.Flags, x.Original, x.Delta, x.Amount = journal.Refunded, journal.FlagRedress, 7, 500, 500
	x.Details = (&journal.Redress{Claim: "CLM-1-ABC", Part: journal.RefundPart, Proposal: "PRP-9"}).AppendDetails(nil)
	w.add(exchange(1, 1), x)
	w.flush()
	if err := p.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "view.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int
	const row = "seq = 2 AND claim = 'CLM-1-ABC' AND part = 'refund' AND proposal = 'PRP-9' AND sale = 7 AND terminal = '00000001' AND amount = 500"
	if err := db.QueryRow("SELECT count(*) FROM redress WHERE " + row).Scan(&n); err != nil || n != 1 {
		t.Errorf("%d rows are as the payment was, %v", n, err)
	}
	if err := db.QueryRow("SELECT sum(sales) FROM exposed").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d exposed sales, %v", n, err)
	}
}

// exposedEnv says how many sales the month of BenchmarkExposedMonth has.
const exposedEnv = "TOUCHSTONE_EXPOSED_SALES"

// The month's shops.
const (
	monthTerminals = 2000
	monthCards     = 500_000
)

// BenchmarkExposedMonth makes a journal with a month of sales, 10,000,000 unless told otherwise, by committer, store
// and projector, and asks for the exposed set of the whole window: of every terminal, the worst case, and of one model
// in twenty. TMPDIR says which disk.
func BenchmarkExposedMonth(b *testing.B) {
	sales := 10_000_000
	if text := os.Getenv(exposedEnv); text != "" {
		var err error
		if sales, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	dir := b.TempDir()
	s, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	p, err := s.NewProjector(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	began := time.Now()
	makeMonth(b, s, sales)
	made := time.Since(began)
	if err := p.CatchUp(b.Context()); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "view.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d sales of %d terminals in %s, projected in %s, view.db %d MiB", sales, monthTerminals, made.Round(time.Second), (time.Since(began) - made).Round(time.Second), info.Size()>>20)
	for _, c := range []struct {
		name string
		of   int
	}{{"every terminal", monthTerminals}, {"100 of 2,000 terminals", 100}} {
		b.Run(c.name, func(b *testing.B) {
			ids := make([]pos.TerminalID, c.of)
			for i := range ids {
				ids[i] = terminalID(i * (monthTerminals / c.of))
			}
			n := 0
			for b.Loop() {
				tally := redress.NewTally(20)
				if _, err := p.Exposed(b.Context(), ids, 0, 1<<62, func(e *redress.Exposed) error { tally.Add(e); return nil }); err != nil {
					b.Fatal(err)
				}
				sum, first := tally.Sum()
				if n = sum.Sales; n != sales/monthTerminals*c.of || len(first) != 20 {
					b.Fatalf("%+v of %d", sum, sales)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Seconds())/float64(b.N), "s/query")
			b.ReportMetric(float64(n), "sales")
		})
	}
}

// makeMonth writes sales of all terminals in turn, 30 days from end to end.
func makeMonth(b *testing.B, s *sqlite.Store, sales int) {
	w := newWriter(b, s)
	random := rand.New(rand.NewPCG(1, 2))
	step := int64(30*exposedDay) / int64(sales)
	for i := range sales {
		x := exchange(i%monthTerminals, i/monthTerminals)
		x.At = 1_790_000_000_000_000_000 + pos.Instant(int64(i)*step)
		x.Amount = pos.Amount(100 + random.Int64N(100_000))
		card := random.IntN(monthCards)
		for j, half := 0, rand.New(rand.NewPCG(uint64(card), 3)); j < len(x.Card); j += 8 { // uniform, as a keyed hash is
			binary.LittleEndian.PutUint64(x.Card[j:], half.Uint64())
		}
		copy(x.Shown[:], fmt.Sprintf("622588%04d", card%10000))
		w.add(x)
		if len(w.queue) == 4000 {
			w.flush()
		}
	}
	w.flush()
}
