package sqlite_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/sqlite"
)

// benchMessages is how many messages BenchmarkMessagesOfACard looks through.
var benchMessages = flag.Int("bench-messages", 100_000, "messages of BenchmarkMessagesOfACard")

// cardOf is a message of number i, a second after the one before it; its card's last four digits come again after 10,000.
func cardOf(i int) *journal.Exchange {
	x := exchange(i%97, i%1000)
	x.At = pos.Instant(i+1) * pos.Instant(time.Second)
	copy(x.Shown[:], fmt.Sprintf("622260%04d", i*7919%10_000))
	return x
}

// ofCard asks for the messages of a card by its last four digits, as the search for one does.
func ofCard(last4 string) *sqlite.MessageQuery {
	return &sqlite.MessageQuery{Most: 8, Match: func(_ uint64, x *journal.Exchange) bool { return strings.HasSuffix(x.Shown.String(), last4) }}
}

// toTheEnd asks for one answer after the other until there are no more, and gives the numbers found.
func toTheEnd(t testing.TB, r *sqlite.Reader, q *sqlite.MessageQuery, most int) (found []uint64, asked int) {
	t.Helper()
	for before := uint64(0); ; asked++ {
		if asked > most {
			t.Fatalf("no end after %d answers, at entry %d", asked, q.Before)
		}
		m, err := r.Messages(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range m.List {
			found = append(found, x.Seq)
		}
		if !m.More {
			return found, asked + 1
		}
		if q.Before = m.From; q.Before == 0 || before != 0 && q.Before >= before {
			t.Fatalf("the next answer would begin at entry %d after one that began at %d", q.Before, before)
		}
		before = q.Before
	}
}

// TestEveryMessageOfACardIsFound: whatever the bound of one answer, those that follow it go to the first entry and find every
// message once, the newest first. The bound ends inside blocks and between them, and answers without a hit go on too.
func TestEveryMessageOfACardIsFound(t *testing.T) {
	const n = 420
	for _, block := range []int{1, 7, 100} {
		s := openStore(t, t.TempDir())
		w := newWriter(t, s)
		var want []uint64
		for i := range n {
			x := cardOf(i)
			if i%37 == 5 {
				copy(x.Shown[6:], "3157")
				want = append(want, uint64(i+1))
			}
			if w.add(x); i%block == block-1 || i == n-1 {
				w.flush()
			}
		}
		slices.Reverse(want)
		for _, walk := range []int{1, 13, 100, 0} {
			for _, most := range []int{1, n} {
				q := ofCard("3157")
				q.Walk, q.Most = walk, most
				got, asked := toTheEnd(t, s.Reader, q, 2*n)
				if !slices.Equal(got, want) {
					t.Errorf("blocks of %d, a bound of %d, %d an answer: %d messages of %d", block, walk, most, len(got), len(want))
				}
				if least := n / (walk + max(block, 12)); walk > 0 && asked < least {
					t.Errorf("blocks of %d, a bound of %d: %d answers, want %d at least", block, walk, asked, least)
				}
			}
		}
	}
}

// BenchmarkMessagesOfACard is one answer of the search for a card around a time, over a journal of -bench-messages: the slowest
// that there is, since most have no hit. Then one search is gone on with to the end.
func BenchmarkMessagesOfACard(b *testing.B) {
	n := *benchMessages
	s := openStore(b, b.TempDir())
	w := newWriter(b, s)
	for i := range n {
		if w.add(cardOf(i)); i%250 == 249 || i == n-1 {
			w.flush()
		}
	}
	var took []time.Duration
	asked, began := 0, used(b)
	for b.Loop() {
		q := ofCard(fmt.Sprintf("%04d", asked*37%10_000))
		middle := asked * 7_919_017 % n
		q.From, q.To = pos.Instant(max(middle-36_000, 1))*pos.Instant(time.Second), pos.Instant(middle+36_000)*pos.Instant(time.Second)
		at := time.Now()
		if _, err := s.Reader.Messages(b.Context(), q); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(at))
		asked++
	}
	b.ReportMetric((used(b)-began).Seconds()*1000/float64(asked), "cpu-ms")
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100])/1e6, "p99-ms")
	found, answers := toTheEnd(b, s.Reader, ofCard("3157"), n)
	want := 0
	for i := range n {
		if i*7919%10_000 == 3157 {
			want++
		}
	}
	if len(found) != want {
		b.Errorf("%d messages of a card found, want %d", len(found), want)
	}
	b.ReportMetric(float64(len(found)), "found")
	b.ReportMetric(float64(answers), "answers-to-the-end")
}

// used is what this process has taken of the processors.
func used(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
