package terminal_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"touchstone/pos"
	"touchstone/terminal"
)

// ledger is a host that loses requests and answers and spoils MACs by chance, and knows what it booked.
type ledger struct {
	mu    sync.Mutex // above all the fields below: each connection has its goroutine
	p     *peer
	rand  *rand.Rand
	sales map[string]string // trace -> amount, standing or voided
	voids map[string]string // trace -> trace of the sale
	dead  map[string]bool   // traces reversed, before they came or after
	quiet bool              // nothing goes wrong any more
}

func (l *ledger) answer(w wire) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.mti[:2] == "08" {
		return l.p.approve(w)
	}
	chance := l.rand.IntN(5)
	if l.quiet {
		chance = 4
	}
	if chance == 0 { // the request is lost
		return nil
	}
	code := l.book(w)
	switch chance {
	case 1: // the answer is lost
		return nil
	case 2:
		return l.p.reply(w, code, desBlock(l.p.t, otherMAK))
	case 3:
		return l.p.reply(w, code, nil)
	}
	return l.p.reply(w, code, l.p.mak)
}

// book does what docs/protocol/unionpay-pos.md, sections 3.4 and 9A.3 to 9A.5, say a host does.
func (l *ledger) book(w wire) string {
	trace := w.element[11]
	if w.mti == "0400" {
		switch {
		case l.dead[trace]:
			return "00"
		case l.voids[trace] != "":
			delete(l.voids, trace)
		case l.sales[trace] != "":
			for _, sale := range l.voids {
				if sale == trace {
					return "22"
				}
			}
			delete(l.sales, trace)
		default:
			l.dead[trace] = true
			return "25"
		}
		l.dead[trace] = true
		return "00"
	}
	switch {
	case l.dead[trace]:
		return "94"
	case w.element[3] == "000000":
		l.sales[trace] = w.element[4]
	case w.element[3] == "200000":
		sale := w.element[61][len(w.element[61])-6:]
		for _, voided := range l.voids {
			if voided == sale {
				return "22"
			}
		}
		if l.sales[sale] == "" {
			return "25"
		}
		l.voids[trace] = sale
	}
	return "00"
}

// TestTotalsAgreeWhateverIsLost: after any loss of requests, answers and MACs the terminal's totals are
// those of the host once the last reversal is through, and nothing is booked that the terminal denies.
func TestTotalsAgreeWhateverIsLost(t *testing.T) {
	for seed := range uint64(12) {
		p := newPeer(t)
		l := &ledger{p: p, rand: rand.New(rand.NewPCG(seed, 1)), sales: map[string]string{}, voids: map[string]string{}, dead: map[string]bool{}}
		clerk := rand.New(rand.NewPCG(seed, 2))
		c := config(t, p)
		c.ReversalLimit = 99
		term := open(t, c)
		p.on(l.answer)
		for range 25 {
			step(t, clerk, term)
		}
		l.mu.Lock()
		l.quiet = true
		l.mu.Unlock()
		want(t, must(term.Balance(t.Context(), card(t)))(t), terminal.Done, "00")
		sum := term.Totals()
		l.mu.Lock()
		defer l.mu.Unlock()
		if int(sum.DebitCount) != len(l.sales) || int(sum.CreditCount) != len(l.voids) {
			t.Fatalf("seed %d: the terminal has %d sales and %d voids, the host %d and %d", seed, sum.DebitCount, sum.CreditCount, len(l.sales), len(l.voids))
		}
		for _, e := range term.Entries() {
			if e.Kind == terminal.KindSale && l.sales[e.Trace.String()] == "" || e.Kind == terminal.KindVoid && l.voids[e.Trace.String()] != e.Original.String() {
				t.Fatalf("seed %d: trace %v is not the host's", seed, e.Trace)
			}
		}
	}
}

func step(t *testing.T, r *rand.Rand, term *terminal.Terminal) {
	t.Helper()
	list := term.Entries()
	switch n := r.IntN(10); {
	case n < 6:
		must(term.Sale(t.Context(), card(t), pos.Amount(1+r.IntN(1000))))(t)
	case n < 9:
		for _, e := range list {
			if e.Kind == terminal.KindSale && !e.Voided {
				must(term.Void(t.Context(), e.Trace, terminal.Card{}))(t)
				return
			}
		}
	default:
		if len(list) > 0 && (list[len(list)-1].Kind == terminal.KindVoid || !list[len(list)-1].Voided) {
			must(term.Reverse(t.Context()))(t)
		}
	}
}

// TestFortyTerminals runs forty terminals in one process, each on its own goroutine.
func TestFortyTerminals(t *testing.T) {
	p := newPeer(t)
	dir := t.TempDir()
	var all sync.WaitGroup
	for i := range 40 {
		c := config(t, p)
		c.Terminal, c.StateDir, c.Screen = terminalID(t, fmt.Sprintf("200000%02d", i)), dir, nil
		term, shopper := open(t, c), card(t)
		all.Go(func() {
			for range 3 {
				if r, err := term.Sale(t.Context(), shopper, 100); err != nil || !r.Approved {
					t.Errorf("terminal %d: %v, %v", i, r.Outcome, err)
				}
			}
			if sum := term.Totals(); sum.DebitCount != 3 || sum.Debit != 300 {
				t.Errorf("terminal %d: %+v", i, sum)
			}
		})
	}
	all.Wait()
	if got := len(p.messages()); got != 40*4 {
		t.Errorf("%d messages, want %d", got, 40*4)
	}
}

// BenchmarkSale is one sale with everything durable, against the test's own host.
func BenchmarkSale(b *testing.B) {
	p := newPeer(b)
	c := config(b, p)
	c.Screen = nil
	term, shopper := open(b, c), card(b)
	if r := must(term.SignIn(b.Context()))(b); !r.Approved {
		b.Fatal(r.Outcome)
	}
	for n := 0; b.Loop(); n++ {
		if n%100 == 99 {
			must(term.Settle(b.Context()))(b)
		}
		if r := must(term.Sale(b.Context(), shopper, 100))(b); !r.Approved {
			b.Fatal(r.Outcome)
		}
	}
}
