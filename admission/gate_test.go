package admission_test

import (
	"sync"
	"testing"
	"time"

	"touchstone/admission"
	"touchstone/pos"
)

const start = pos.Instant(1_772_424_000_000_000_000)

// TestOrdinaryLeavesAFifth: ordinary work stops at 80 %, whatever its kind; reserved work fills the rest and
// stops at the whole; what leaves makes room.
func TestOrdinaryLeavesAFifth(t *testing.T) {
	for _, w := range []admission.Work{admission.Unread, admission.Financial, admission.SignIn, admission.Status} {
		g := admission.NewGate(admission.Limits{InFlight: 100, Wait: time.Hour})
		fill := func(w admission.Work, most int) (n int) {
			for n < most && g.Enter(start, w) {
				n++
			}
			return n
		}
		if n := fill(w, 1000); n != 80 {
			t.Fatalf("%s: %d of 100 were let in, want 80", w, n)
		}
		n := 0
		for _, r := range []admission.Work{admission.Reversal, admission.Settlement, admission.Tamper} {
			if w.Reserved() || !r.Reserved() {
				t.Errorf("%s and %s are the wrong way round", w, r)
			}
			n += fill(r, 7)
		}
		if n != 20 {
			t.Errorf("%s: %d reserved were let in besides, want 20", w, n)
		}
		if g.Enter(start, admission.Reversal) {
			t.Error("more than all was let in")
		}
		for range 21 {
			g.Leave(start, start)
		}
		if !g.Enter(start, w) || g.Enter(start, w) {
			t.Errorf("%s: the room that became free is not one", w)
		}
		c := g.Counts()
		if c.InFlight != 80 || c.High != 100 || c.Limit != 100 {
			t.Errorf("counted %+v", c)
		}
		if got := c.Shed[w][admission.Room]; got != 2 {
			t.Errorf("%s: %d shed", w, got)
		}
		if c.ShedTotal() != c.Shed[w][admission.Room]+c.Shed[admission.Reversal][admission.Room]+c.Shed[admission.Tamper][admission.Room] {
			t.Errorf("shed %+v, in all %d", c.Shed, c.ShedTotal())
		}
	}
}

// TestLate: while the journal makes others wait too long, ordinary work is refused and reserved work is
// not; an idle host is never late; the first quick answer ends it.
func TestLate(t *testing.T) {
	const wait = 2 * time.Second
	steps := []struct {
		name string
		do   func(g *admission.Gate)
		at   time.Duration
		in   bool
	}{
		{"an idle host", func(*admission.Gate) {}, time.Hour, true},
		{"one waits, not too long", func(g *admission.Gate) { g.Enter(start, admission.Financial) }, wait, true},
		{"one waits too long", func(g *admission.Gate) { g.Enter(start, admission.Financial) }, wait + 1, false},
		{"it left in the end and nobody else waits", func(g *admission.Gate) {
			g.Enter(start, admission.Financial)
			g.Leave(start, start.Add(3*wait))
		}, 3 * wait, true},
		{"one left late and another waits", func(g *admission.Gate) {
			g.Enter(start, admission.Financial)
			g.Enter(start.Add(3*wait), admission.Reversal)
			g.Leave(start, start.Add(3*wait))
		}, 3 * wait, false},
		{"then one left quickly", func(g *admission.Gate) {
			g.Enter(start, admission.Financial)
			g.Enter(start.Add(3*wait), admission.Reversal)
			g.Enter(start.Add(3*wait), admission.Reversal)
			g.Leave(start, start.Add(3*wait))
			g.Leave(start.Add(3*wait), start.Add(3*wait+1))
		}, 3*wait + 2, true},
		{"others are refused without the journal meanwhile", func(g *admission.Gate) {
			g.Enter(start, admission.Financial)
			g.Enter(start.Add(wait), admission.Financial)
			g.Drop()
		}, wait + 1, false},
	}
	for _, s := range steps {
		g := admission.NewGate(admission.Limits{InFlight: 100, Wait: wait})
		s.do(g)
		if g.Enter(start.Add(s.at), admission.Financial) != s.in {
			t.Errorf("%s: let in %v, want %v", s.name, !s.in, s.in)
		}
		if !g.Enter(start.Add(s.at), admission.Reversal) {
			t.Errorf("%s: a reversal was refused", s.name)
		}
		if shed := g.Counts().Shed[admission.Financial][admission.Late]; (shed == 1) == s.in {
			t.Errorf("%s: %d counted as late", s.name, shed)
		}
	}
}

// TestGateOfMany: with many goroutines the bound is never passed and nothing is lost count of.
func TestGateOfMany(t *testing.T) {
	g := admission.NewGate(admission.Limits{InFlight: 64, Wait: time.Hour})
	var all sync.WaitGroup
	for i := range 128 {
		all.Go(func() {
			w := admission.Financial
			if i%2 == 0 {
				w = admission.Reversal
			}
			for range 500 {
				if g.Enter(start, w) {
					g.Leave(start, start)
				}
			}
		})
	}
	all.Wait()
	c := g.Counts()
	if c.InFlight != 0 || c.High > 64 || c.High < 1 {
		t.Errorf("%d in the line at the end, at most %d", c.InFlight, c.High)
	}
	sum := c.ShedTotal()
	for _, n := range c.Admitted {
		sum += n
	}
	if sum != 128*500 {
		t.Errorf("%d of %d were counted", sum, 128*500)
	}
}

// TestRefusing: an idle host does not refuse; a full or late one does; one that refused does for a second more.
func TestRefusing(t *testing.T) {
	g := admission.NewGate(admission.Limits{InFlight: 10, Wait: time.Minute})
	check := func(what string, at time.Duration, want bool) {
		t.Helper()
		if g.Refusing(start.Add(at)) != want {
			t.Errorf("%s: refusing %v", what, !want)
		}
	}
	check("idle", 0, false)
	for range 8 {
		g.Enter(start, admission.Financial)
	}
	check("full of ordinary work", 0, true)
	g.Leave(start, start)
	check("one left and nobody was refused", 0, false)
	g.Enter(start, admission.Financial)
	g.Enter(start, admission.Financial) // refused
	for range 8 {
		g.Leave(start, start)
	}
	check("just refused", time.Second-1, true)
	check("a second later", time.Second, false)
	g.Enter(start, admission.Financial)
	check("one waits too long", time.Minute+1, true)
}
