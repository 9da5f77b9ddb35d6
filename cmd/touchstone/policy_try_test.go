package main

import (
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"touchstone/fleet"
	"touchstone/iso8583"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/terminal"
)

// tryWorld is a whole host under one policy, and the terminals that speak to it: the same ones, doing the same, for
// every policy.
type tryWorld struct {
	*canaryRig
	ahead *atomic.Int64 // of the machine's clock, nanoseconds
	shops []*terminal.Terminal
	ids   []pos.TerminalID
	card  terminal.Card
	began pos.Instant
	first map[pos.TerminalID]terminal.Original
}

// tryTerminals are forms of terminals between which the policies tell: DES and TDES and SM4, folded and X9.19, plain
// and TLS, one registered for any address, one outside its circle.
func tryTerminals() []sampleTerminal {
	staff, guests := staffTerminals(), visitors()
	list := []sampleTerminal{staff[0], staff[1], staff[2], staff[7], guests[0], guests[2], guests[3], guests[4], guests[6], guests[7]}
	outside := guests[1]
	outside.place = &registry.Circle{Latitude: 31_500_000, Longitude: 121_400_000, Metres: 300} // where it says it is
	return append(list, outside)
}

const (
	tryAnywhere = 4  // of tryTerminals: registered for any address
	tryOutside  = 10 // registered a degree from where it says it is, and only observed
)

func newTryWorld(t *testing.T, policy proof.Policy, permits []byte) *tryWorld {
	t.Helper()
	w := &tryWorld{ahead: new(atomic.Int64), first: map[pos.TerminalID]terminal.Original{}}
	clock := func() pos.Instant { return pos.Instant(time.Now().UnixNano() + w.ahead.Load()) }
	w.canaryRig = newCanaryRig(t, rigOptions{clock: clock, change: func(o *engineOptions) { o.policy = policy }})
	var err error
	if w.card, err = cardOf(cards()[0]); err != nil {
		t.Fatal(err)
	}
	for i, s := range tryTerminals() {
		w.ids = append(w.ids, s.id)
		known, err := w.e.ledger.Terminal(s.id)
		if err != nil {
			t.Fatal(err)
		}
		again := *known
		switch i {
		case tryAnywhere:
			again.AnyNetwork, again.Networks = true, nil
		case tryOutside:
			again.Place = &registry.Circle{Latitude: 30_500_000, Longitude: 121_400_000, Metres: 300}
		default:
			w.shops = append(w.shops, w.shopTerminal(t, s, func() time.Time { return clock().Time() }))
			continue
		}
		if err := w.e.ledger.Register(t.Context(), clock(), &again); err != nil {
			t.Fatal(err)
		}
		w.shops = append(w.shops, w.shopTerminal(t, s, func() time.Time { return clock().Time() }))
	}
	if permits != nil {
		if err := w.e.setPolicyForTest(t, permits); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.e.permits.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.began = clock()
	return w
}

// twice sends one frame again, a moment or a while later, as a terminal does that had no answer.
func (w *tryWorld) twice(t *testing.T, i int, later time.Duration) {
	frame, _, err := w.shops[i].SaleFrame(t.Context(), w.card, 1234)
	if err != nil {
		return // it may not be signed in
	}
	for range 2 {
		c, err := net.Dial("tcp", w.addr)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(frame); err != nil {
			t.Fatal(err)
		}
		_, _ = iso8583.ReadFrame(c, make([]byte, iso8583.MaxFrame)) // refused transport is closed without an answer
		c.Close()
		w.ahead.Add(int64(later))
	}
}

// tryOps are what every terminal does. What a terminal cannot do, because it was refused before, is no failure.
var tryOps = []struct {
	name string
	do   func(t *testing.T, w *tryWorld, i int)
}{
	{"sign-in", func(t *testing.T, w *tryWorld, i int) { _, _ = w.shops[i].SignIn(t.Context()) }},
	{"a sale", func(t *testing.T, w *tryWorld, i int) {
		sold, _ := w.shops[i].Sale(t.Context(), w.card, 2000)
		w.first[w.ids[i]] = terminal.Original{RRN: sold.RRN, Date: monthDay(w.shops[i].Clock())}
	}},
	{"a large sale", func(t *testing.T, w *tryWorld, i int) { _, _ = w.shops[i].Sale(t.Context(), w.card, 60_000) }},
	{"its void", func(t *testing.T, w *tryWorld, i int) {
		_, _ = w.shops[i].Void(t.Context(), w.shops[i].Trace(), w.card)
	}},
	{"a refund of the first", func(t *testing.T, w *tryWorld, i int) {
		_, _ = w.shops[i].Refund(t.Context(), w.card, w.first[w.ids[i]], 1)
	}},
	{"a repeat after a moment", func(t *testing.T, w *tryWorld, i int) {
		if w.plain(i) {
			w.twice(t, i, time.Millisecond)
		}
	}},
	{"a repeat after two minutes", func(t *testing.T, w *tryWorld, i int) {
		if w.plain(i) {
			w.twice(t, i, 2*time.Minute)
		}
	}},
	{"a balance inquiry", func(t *testing.T, w *tryWorld, i int) { _, _ = w.shops[i].Balance(t.Context(), w.card) }},
	{"two hours pass", func(_ *testing.T, w *tryWorld, _ int) {
		w.ahead.Add(int64(2 * time.Hour / time.Duration(len(w.shops))))
	}},
	{"a late sale", func(t *testing.T, w *tryWorld, i int) { _, _ = w.shops[i].Sale(t.Context(), w.card, 3000) }},
	{"a refused card", func(t *testing.T, w *tryWorld, i int) {
		if other, err := cardOf(cards()[3]); err == nil {
			_, _ = w.shops[i].Sale(t.Context(), other, 100)
		}
	}},
}

func (w *tryWorld) plain(i int) bool { return !tryTerminals()[i].tls }

// tried is one message of an operation, as the journal has it.
type triedMessage struct {
	seq uint64
	x   journal.Exchange
}

// run does everything and gives the messages of each operation and terminal.
func (w *tryWorld) run(t *testing.T) map[string][]triedMessage {
	t.Helper()
	out := map[string][]triedMessage{}
	next := w.e.ledger.Durable() + 1
	for _, op := range tryOps {
		for i := range w.shops {
			op.do(t, w, i)
		}
		for ; next <= w.e.ledger.Durable(); next++ {
			e, err := w.e.store.Entry(t.Context(), next)
			if err != nil {
				t.Fatal(err)
			}
			m := triedMessage{seq: e.Seq}
			if e.Kind == journal.KindExchange && m.x.Parse(e) == nil && m.x.Flags&journal.FlagCanary == 0 {
				m.x.Details = slices.Clone(m.x.Details)
				key := fmt.Sprintf("%s of %s: %s %s", op.name, m.x.Terminal, m.x.MTI, m.x.Type) // what was not sent shifts traces
				out[key] = append(out[key], m)
			}
		}
	}
	return out
}

// try judges what a world did under another policy.
func (w *tryWorld) try(t *testing.T, policy *proof.Policy, permits []byte) (map[uint64]proof.Again, *tryTally) {
	t.Helper()
	trial := proof.Trial{Policy: policy}
	var permitPolicy *fleet.Policy
	if permits != nil {
		var err error
		if permitPolicy, err = fleet.ParsePolicy(permits); err != nil {
			t.Fatal(err)
		}
	}
	found, tally := map[uint64]proof.Again{}, newTryTally(1000)
	p := newHindsight(trial, permitPolicy, 1)
	tally.place = p
	p.found = func(x *journal.Exchange, seq uint64, a *proof.Again) { found[seq] = *a; tally.take(x, seq, a) }
	p.at = func(seq uint64) pos.Instant {
		e, err := w.e.store.Entry(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		return e.At
	}
	if err := p.read(t.Context(), w.e.store.Blocks, period{from: w.began}, func(uint64) {}); err != nil {
		t.Fatal(err)
	}
	return found, tally
}

// TestPolicyTryIsWhatWouldHappen serves a policy, tries others on its journal, and then really serves each of the others
// to the same terminals: the messages that the trial would refuse are the ones that are refused, for that reason, and no
// others. What a terminal could not even send, because its sign-in was refused, must have been told as what follows.
func TestPolicyTryIsWhatWouldHappen(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT RUN: eight whole hosts")
	}
	base := proof.DefaultPolicy()
	base.AllowSingleDES = true
	base.RefuseTail = false
	refuse := func(words ...string) proof.MACRefusal {
		m, err := proof.ParseMACRefusal(words)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	first := newTryWorld(t, base, nil)
	then := first.run(t)
	for name, c := range map[string]struct {
		change  func(p *proof.Policy)
		permits []byte
		reasons []reason.Reason // that must be among the newly refused
	}{
		"as before":      {change: func(*proof.Policy) {}},
		"no fold":        {change: func(p *proof.Policy) { p.RefuseMAC = refuse("xor-fold") }, reasons: []reason.Reason{reason.MACGradeRefused}},
		"no single DES":  {change: func(p *proof.Policy) { p.AllowSingleDES = false }, reasons: []reason.Reason{reason.MACGradeRefused, reason.NotSignedIn}},
		"TLS, one place": {change: func(p *proof.Policy) { p.RequireTLS, p.RefusePlace = true, true }, reasons: []reason.Reason{reason.TransportRefused}},
		"networks and places": {change: func(p *proof.Policy) { p.RequireNetwork, p.RefusePlace = true, true },
			reasons: []reason.Reason{reason.NetworkNotAllowed, reason.LocationOutside}},
		"short lives": {change: func(p *proof.Policy) {
			p.SignInLifetime, p.ReversalLifetime, p.RepeatWindow = time.Hour, time.Hour, time.Minute
		},
			reasons: []reason.Reason{reason.NotSignedIn, reason.Replayed}},
		"a limit":        {permits: policyWith(t, registry.FactHealth, "unknown", "limit:50.00"), reasons: []reason.Reason{reason.PermitRefused, reason.OriginalNotFound}},
		"nothing at all": {permits: policyWith(t, registry.FactInspection, "unknown", "blocked"), reasons: []reason.Reason{reason.PermitRefused}},
	} {
		t.Run(name, func(t *testing.T) {
			policy := base
			if c.change != nil {
				c.change(&policy)
			}
			var trial *proof.Policy
			if c.change != nil {
				trial = &policy
			}
			found, tally := first.try(t, trial, c.permits)
			second := newTryWorld(t, policy, c.permits)
			now := second.run(t)
			compareTrial(t, then, now, found)
			for _, r := range c.reasons {
				if tally.reasons[proof.NewlyRefused][r] == nil {
					t.Errorf("the trial refuses nothing for %s", r)
				}
			}
			if n := len(tally.reasons[proof.NewlyRefused]); c.reasons == nil && n != 0 {
				t.Errorf("the same policy refuses for %d reasons", n)
			}
			if tally.judged != len(found) || tally.approved == 0 {
				t.Errorf("%d messages judged, %d approved", tally.judged, tally.approved)
			}
			back, _ := second.try(t, &base, []byte(standardText(t)))
			compareBack(t, then, now, back)
		})
	}
}

func standardText(t *testing.T) string {
	t.Helper()
	p, err := fleet.StandardPolicy()
	if err != nil {
		t.Fatal(err)
	}
	return string(p.Text)
}

// compareTrial holds what was found to what really happened.
func compareTrial(t *testing.T, then, now map[string][]triedMessage, found map[uint64]proof.Again) {
	t.Helper()
	for key, list := range then {
		for i, m := range list {
			a, judged := found[m.seq]
			if !judged {
				t.Errorf("%s: not judged", key)
				continue
			}
			if len(now[key]) <= i { // the terminal could not send it
				if a.Finding != proof.NewlyRefused && a.Finding != proof.OtherReason {
					t.Errorf("%s: never sent under the other policy; the trial says %s %s, it was %s", key, a.Finding, a.Reason, m.x.Reason)
				}
				continue
			}
			is := now[key][i].x.Reason
			want := m.x.Reason
			switch a.Finding {
			case proof.NewlyRefused, proof.OtherReason:
				want = a.Reason
			case proof.CannotTell, proof.NoLonger:
				continue
			}
			if is != want {
				t.Errorf("%s: was %s, is %s; the trial says %s %s (%s)", key, m.x.Reason, is, a.Finding, a.Reason, a.What)
			}
		}
	}
}

// compareBack tries the first policy on what the second served: nothing that was approved under the first is refused by
// it, and what the second alone refused is no longer refused, or follows, or cannot be told.
func compareBack(t *testing.T, then, now map[string][]triedMessage, back map[uint64]proof.Again) {
	t.Helper()
	for key, list := range now {
		for i, m := range list {
			if len(then[key]) <= i {
				continue // what a terminal does only because it was refused
			}
			a, was := back[m.seq], then[key][i].x.Reason
			switch {
			case m.x.Reason == was && a.Finding != proof.AsBefore && a.Finding != proof.CannotTell:
				t.Errorf("%s: %s under either policy; back the trial says %s %s", key, was, a.Finding, a.Reason)
			case m.x.Reason != reason.None && was == reason.None && a.Finding == proof.NewlyRefused:
				t.Errorf("%s: approved by the first policy, and the trial says it refuses: %s", key, a.Reason)
			case m.x.Reason == reason.MACGradeRefused && was == reason.None && a.Finding != proof.NoLonger:
				t.Errorf("%s: refused for its grade alone; back the trial says %s", key, a.Finding)
			case m.x.Reason == reason.TransportRefused && was == reason.None && a.Finding != proof.NoLonger && a.Finding != proof.CannotTell:
				t.Errorf("%s: refused for its line alone; back the trial says %s", key, a.Finding)
			}
		}
	}
}
