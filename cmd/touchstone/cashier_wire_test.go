package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/staff"
	"touchstone/terminal"
)

// counter is one terminal of the sample world, heard by a host in this process, and the cashier at it.
type counter struct {
	t    *testing.T
	rig  *canaryRig
	card terminal.Card
	*terminal.Terminal
}

// sit opens the terminal with an operator, in a state directory of its own.
func (c *counter) sit(operator string, now func() time.Time) {
	c.t.Helper()
	s := visitors()[0]
	cfg := (&crowdOf{host: c.rig.addr, tls: c.rig.tls, state: c.t.TempDir(), log: c.rig.e.log}).config(s)
	cfg.Now, cfg.Timeout, cfg.Operator = now, patience, operator
	opened, err := terminal.Open(cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { opened.Close() })
	c.Terminal = opened
}

// answer is DE39 of a step.
func (c *counter) answer(step string) string {
	c.t.Helper()
	var res terminal.Result
	var err error
	switch ctx := c.t.Context(); step {
	case "sign-in":
		res, err = c.SignIn(ctx)
	case "sale":
		res, err = c.Sale(ctx, c.card, 5000)
	case "refund":
		var sale terminal.Entry
		if sale, err = terminalLastSale(c.Terminal); err == nil {
			res, err = c.Refund(ctx, c.card, terminal.Original{RRN: pos.RRN([]byte(sale.RRN)), Date: sale.Date}, 100)
		}
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return res.DE39.String()
}

func (c *counter) want(when string, answers map[string]string) {
	c.t.Helper()
	for _, step := range []string{"sign-in", "sale", "refund"} {
		if want := answers[step]; want != "" {
			if got := c.answer(step); got != want {
				c.t.Errorf("%s: %s answered %s, want %s", when, step, got, want)
			}
		}
	}
}

// TestCashierOnTheWire: the training of the cashier who signed in alone changes what is answered, and back: trained,
// lapsed, trained again, an untrained one, one who left; and a sign-in that nobody followed up changes nothing.
func TestCashierOnTheWire(t *testing.T) {
	began := monotonic()
	var later atomic.Int64
	clock := func() pos.Instant { return began() + pos.Instant(later.Load()) }
	rig := newCanaryRig(t, rigOptions{clock: clock})
	card, err := cardOf(cards()[0])
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{t: t, rig: rig, card: card}
	now := func() time.Time { return clock().Time() }
	c.sit("003", now)
	all := func(sale, refund string) map[string]string { return map[string]string{"sale": sale, "refund": refund} }
	shop, one := sampleMerchant(9000), must(pos.ParseOperator("003"))
	rig.trainedLongAgo(t, shop, one, clock())
	c.want("trained", map[string]string{"sign-in": "00", "sale": "00", "refund": "00"})

	later.Store(int64(2 * time.Hour))
	for end := time.Now().Add(patience); rig.e.ledger.Cashier(shop, one).Permit == registry.FullPermit; {
		if time.Now().After(end) {
			t.Fatal("a year after the training nothing lapsed")
		}
		time.Sleep(time.Millisecond) // the loop looks at the clock by itself
	}
	c.want("lapsed", map[string]string{"sign-in": "00", "sale": "00", "refund": "58"})
	if why := rig.lastRefusal(t); !strings.Contains(why, "permit_refused") || !strings.Contains(why, "cashier lapsed") {
		t.Errorf("the verdict says %s", why)
	}
	rig.train(t, "003", true)
	c.want("trained again", all("00", "00"))
	rig.train(t, "003", false)
	c.want("failed a further test", all("00", "00"))

	// Another cashier, who was never trained: what is proven under the keys of that sign-in is that cashier's.
	if _, err := rig.e.changeCashier(t.Context(), &cashierChange{Merchant: shop.String(), Operator: "002", Name: "New"}, []string{setupActor}); err != nil {
		t.Fatal(err)
	}
	first := c.Terminal
	c.sit("002", now)
	for range 40 { // beyond the traces that the first one used
		if _, err := c.Echo(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.answer("sign-in"); got != "00" {
		t.Fatalf("sign-in of the other: %s", got)
	}
	other := c.Terminal
	c.Terminal = first
	c.want("somebody else asked for keys and did not use them", all("00", "00"))
	c.Terminal = other
	if got := c.answer("sign-in"); got != "00" {
		t.Fatalf("sign-in of the other: %s", got)
	}
	c.want("untrained", all("00", "58"))
	rig.train(t, "002", true)
	c.want("the new one trained", all("00", "00"))
	if _, err := rig.e.changeCashier(t.Context(), &cashierChange{Merchant: shop.String(), Operator: "002", Leave: true}, []string{setupActor}); err != nil {
		t.Fatal(err)
	}
	c.want("left", all("58", ""))
}

// trainedLongAgo puts a cashier's pass so far back that it ends in an hour: everything else that is known of the
// terminal stays as it is.
func (r *canaryRig) trainedLongAgo(t *testing.T, shop pos.MerchantID, operator pos.Operator, now pos.Instant) {
	t.Helper()
	id := staff.CashierID(shop, operator)
	passed := now + pos.Instant(time.Hour-staff.TrainingLife)
	var changes []journal.Change
	for _, x := range []struct {
		noun, id string
		record   any
	}{
		{staff.NounCashier, id, &staff.Cashier{Merchant: shop.String(), Operator: "003", Name: "Long Ago", Since: passed}},
		{staff.NounTraining, "TRN-900", &staff.Training{ID: "TRN-900", Subject: "cashier:" + id, Topic: staff.CounterTopic, State: staff.Passed, Right: 12, Questions: 12,
			Begun: passed, Ended: passed, Until: passed + pos.Instant(staff.TrainingLife)}},
	} {
		c, err := journal.NewChange(x.noun, x.id, x.record)
		if err != nil {
			t.Fatal(err)
		}
		changes = append(changes, c)
	}
	if err := r.e.act(t.Context(), func(*rooms, pos.Instant) ([]journal.Draft, error) {
		return []journal.Draft{{Kind: journal.KindStaff, Act: journal.Act{Verb: "training_recorded", Actors: []string{setupActor}, Changes: changes}}}, nil
	}); err != nil {
		t.Fatal(err)
	}
}

// train takes the test of a visitor's cashier with the published answers, or with none.
func (r *canaryRig) train(t *testing.T, operator string, pass bool) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(r.dir, trainingDirectory, answersFile))
	if err != nil {
		t.Fatal(err)
	}
	step := trainingChange{Do: trainBegin, Merchant: sampleMerchant(9000).String(), Operator: operator}
	begun, err := r.e.apply(t.Context(), change{Training: &step})
	if err != nil {
		t.Fatal(err)
	}
	step.Do, step.ID = trainEnd, begun.Facts["training"]
	if pass {
		if step.Answers, err = parseAnswers(raw); err != nil {
			t.Fatal(err)
		}
	}
	done, err := r.e.apply(t.Context(), change{Training: &step})
	if err != nil || (done.Facts[factState] == string(staff.Passed)) != pass {
		t.Fatalf("the test ended %s: %v", done.Facts[factState], err)
	}
}

// lastRefusal is the JSON of the newest message that was refused.
func (r *canaryRig) lastRefusal(t *testing.T) string {
	t.Helper()
	for seq := r.e.ledger.Durable(); seq > 0; seq-- {
		entry, err := r.e.store.Entry(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		if entry.Kind != journal.KindExchange {
			continue
		}
		shown, err := showExchange(entry)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(&shown)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	return ""
}
