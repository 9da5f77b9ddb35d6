package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"touchstone/faultproxy"
	"touchstone/pos"
	"touchstone/terminal"
)

// chaosOne runs one case again by the line that a failure printed.
var chaosOne = flag.String("chaos", "", "run only this case of TestFaultProxy: the line that a failure printed")

// chaosCase is a flow, what the network does to it, and whether the terminal loses power afterwards.
type chaosCase struct {
	flow     string
	restart  bool
	tls      bool // the units are TLS records
	schedule faultproxy.Schedule
}

// String is the line by which a case is run again.
func (c chaosCase) String() string {
	return fmt.Sprintf("%s; restart=%t; tls=%t; %s", c.flow, c.restart, c.tls, c.schedule)
}

func parseChaosCase(line string) (c chaosCase, err error) {
	parts := strings.Split(line, "; ")
	if len(parts) != 4 {
		return c, fmt.Errorf("a case is FLOW; restart=BOOL; tls=BOOL; SCHEDULE")
	}
	c.flow, c.restart, c.tls = parts[0], parts[1] == "restart=true", parts[2] == "tls=true"
	c.schedule, err = faultproxy.ParseSchedule(parts[3])
	return c, err
}

// code is the sign-in code of the case's terminal: DES with TDES keys and SM4 in turn, one with a track key
// where the track is sealed.
func (c chaosCase) code() pos.NetworkCode {
	n := len(c.schedule.String()) % 2
	if c.flow == "sale with a sealed track" {
		return []pos.NetworkCode{4, 6}[n]
	}
	return []pos.NetworkCode{3, 5}[n]
}

// chaosFlow is what a terminal does: before on a good network, act on the bad one.
type chaosFlow struct {
	name    string
	always  string // toxics that belong to the flow itself
	frames  int    // messages of act when nothing goes wrong
	before  func(*chaosRun)
	act     func(*chaosRun)
	noMoney bool // act moves none
}

var chaosFlows = []chaosFlow{
	{name: "sign-in", frames: 1, noMoney: true, act: (*chaosRun).signIn},
	{name: "first sale", frames: 2, act: (*chaosRun).sell},
	{name: "sale", frames: 1, before: (*chaosRun).signIn, act: (*chaosRun).sell},
	{name: "sale with a PIN", frames: 1, before: (*chaosRun).signIn, act: (*chaosRun).sellSwiped},
	{name: "sale with a sealed track", frames: 1, before: (*chaosRun).signIn, act: (*chaosRun).sellSwiped},
	{name: "sale, repeated", always: "request:1:replay", frames: 2, before: (*chaosRun).signIn, act: func(r *chaosRun) { r.sell(); r.sell() }},
	{name: "balance", frames: 1, noMoney: true, before: (*chaosRun).signIn, act: (*chaosRun).inquire},
	{name: "void", frames: 1, before: (*chaosRun).sold, act: (*chaosRun).void},
	{name: "refund", frames: 1, before: (*chaosRun).sold, act: (*chaosRun).refund},
	{name: "reversal of a sale", frames: 1, before: (*chaosRun).sold, act: (*chaosRun).reverse},
	{name: "reversal of a void", frames: 1, before: func(r *chaosRun) { r.sold(); r.void() }, act: (*chaosRun).reverse},
	{name: "settlement", frames: 1, before: (*chaosRun).sold, act: (*chaosRun).settle},
	{name: "settlement, repeated", always: "answer:1:drop", frames: 2, before: (*chaosRun).sold, act: func(r *chaosRun) { r.settle(); r.settle() }},
	{name: "settlement, then a sale", frames: 2, before: (*chaosRun).sold, act: func(r *chaosRun) { r.settle(); r.sell() }},
	{name: "sign-off", frames: 1, noMoney: true, before: (*chaosRun).sold, act: (*chaosRun).signOff},
	{name: "sign-off, then a sale", frames: 3, before: (*chaosRun).sold, act: func(r *chaosRun) { r.signOff(); r.sell() }},
	{name: "echo", frames: 1, noMoney: true, before: (*chaosRun).signIn, act: (*chaosRun).echo},
	{name: "tamper report", frames: 1, noMoney: true, before: (*chaosRun).sold, act: (*chaosRun).tamper},
	{name: "sale, then a tamper report", frames: 2, before: (*chaosRun).sold, act: func(r *chaosRun) { r.sell(); r.tamper() }},
	{name: "a day", frames: 9, act: func(r *chaosRun) {
		r.sell()
		r.sellSwiped()
		r.inquire()
		r.void()
		r.sell()
		r.reverse()
		r.refund()
		r.settle()
		r.sell()
	}},
}

// randomDay is a flow of operations drawn from the schedule's seed, power cuts among them. It is no part
// of the matrix.
const randomDay = "a random day"

func (r *chaosRun) randomDay(seed uint64) {
	random := rand.New(rand.NewPCG(seed, 1))
	steps := []func(){r.sell, r.sell, r.sell, r.sellSwiped, r.void, r.void, r.reverse, r.reverse, r.refund, r.settle, r.settle, r.inquire, r.signIn, r.signOff,
		func() { r.take(terminal.Result{}, r.restart()) }}
	for range 6 + random.IntN(10) {
		if r.err == nil {
			steps[random.IntN(len(steps))]()
		}
	}
}

func flowNamed(name string) (chaosFlow, bool) {
	if name == randomDay {
		return chaosFlow{name: name, frames: 12}, true
	}
	i := slices.IndexFunc(chaosFlows, func(f chaosFlow) bool { return f.name == name })
	if i < 0 {
		return chaosFlow{}, false
	}
	return chaosFlows[i], true
}

// chaosRun is one case while it runs.
type chaosRun struct {
	*chaosShop
	ctx    context.Context
	last   terminal.Result // the last approved sale
	err    error           // the first failure of the terminal itself
	amount pos.Amount
	fired  int
}

// take notes the first failure. That there is nothing left to void or reverse is none: a settlement whose
// answer was lost may have closed the batch.
func (r *chaosRun) take(res terminal.Result, err error) terminal.Result {
	if err != nil && r.err == nil && !errors.Is(err, terminal.ErrOriginal) {
		r.err = err
	}
	return res
}

func (r *chaosRun) sale(card terminal.Card, err error) {
	if r.err != nil || err != nil {
		r.take(terminal.Result{}, err)
		return
	}
	defer card.Wipe()
	r.amount += 101
	if res := r.take(r.pos.Sale(r.ctx, card, r.amount)); res.Approved {
		r.last = res
	}
}

func (r *chaosRun) sell()       { r.sale(r.typed()) }
func (r *chaosRun) sellSwiped() { r.sale(r.swiped()) }
func (r *chaosRun) signIn()     { r.take(r.pos.SignIn(r.ctx)) }
func (r *chaosRun) signOff()    { r.take(r.pos.SignOff(r.ctx)) }
func (r *chaosRun) echo()       { r.take(r.pos.Echo(r.ctx)) }
func (r *chaosRun) settle()     { r.take(r.pos.Settle(r.ctx)) }
func (r *chaosRun) tamper()     { r.take(r.pos.TamperReport(r.ctx, 1)) }

func (r *chaosRun) inquire() {
	card, err := r.swiped()
	if err != nil {
		r.take(terminal.Result{}, err)
		return
	}
	defer card.Wipe()
	r.take(r.pos.Balance(r.ctx, card))
}

// void undoes the last approved sale that is in the terminal's list. The trace of the void is the next one.
func (r *chaosRun) void() {
	for _, e := range slices.Backward(r.pos.Entries()) {
		if e.Kind == terminal.KindSale && !e.Voided {
			seen := len(r.heard)
			r.take(r.pos.Void(r.ctx, e.Trace, terminal.Card{}))
			for _, res := range r.heard[seen:] {
				if res.Operation == "void" {
					r.voids[res.Trace] = e.Trace
				}
			}
			return
		}
	}
}

// refund gives back a part of the last approved sale.
func (r *chaosRun) refund() {
	for _, e := range slices.Backward(r.pos.Entries()) {
		if e.Kind == terminal.KindSale && !e.Voided {
			card, err := r.typed()
			if err != nil {
				r.take(terminal.Result{}, err)
				return
			}
			defer card.Wipe()
			var o terminal.Original
			copy(o.RRN[:], e.RRN)
			o.Date = e.Date
			r.take(r.pos.Refund(r.ctx, card, o, e.Amount/2))
			return
		}
	}
}

// reverse sends the open reversal, or reverses the last transaction.
func (r *chaosRun) reverse() {
	if _, open := r.pos.OpenReversal(); !open {
		list := r.pos.Entries()
		if len(list) == 0 || list[len(list)-1].Kind == terminal.KindRefund || list[len(list)-1].Voided {
			return
		}
	}
	r.take(r.pos.Reverse(r.ctx))
}

// sold signs in and sells, as often as it takes on a busy machine.
func (r *chaosRun) sold() {
	for range chaosPatience {
		r.sell()
		if r.err != nil || r.last.Approved {
			return
		}
	}
}

// chaosPatience is how often a terminal on a good network is tried: an answer may be late on a busy machine.
const chaosPatience = 8

// run does a case to its end: the flow, the chaos, the healing, and business as usual until the batch is settled.
func (h *chaosHost) run(ctx context.Context, n int, c chaosCase, dir string) (*chaosShop, int, error) {
	flow, known := flowNamed(c.flow)
	if !known {
		return nil, 0, fmt.Errorf("no flow %q", c.flow)
	}
	s, err := h.open(n, c, dir)
	if err != nil {
		return nil, 0, err
	}
	defer func() {
		s.pos.Close()
		s.proxy.Close()
	}()
	r := &chaosRun{chaosShop: s, ctx: ctx, amount: 1000}
	if flow.before != nil {
		flow.before(r)
	}
	plan := c.schedule
	if flow.always != "" {
		own, err := faultproxy.ParseSchedule(flow.always)
		if err != nil {
			return nil, 0, err
		}
		plan.Toxics = append(own.Toxics, plan.Toxics...)
	}
	s.proxy.Arm(plan)
	if flow.act == nil {
		r.randomDay(plan.Seed)
	} else {
		flow.act(r)
	}
	fired := s.proxy.Fired() - strings.Count(flow.always, ":")/2
	s.proxy.Heal()
	if r.err == nil && c.restart {
		r.err = s.restart()
	}
	if r.err == nil && s.pos.Locked() {
		if r.err = h.release(ctx, s); r.err == nil {
			r.err = s.restart()
		}
	}
	return s, fired, h.recover(r)
}

// recover is business as usual on a good network: a sale, which sends what is still to be reversed
// before it, and the settlement of the batch. It fails when the terminal does not come back to that.
func (h *chaosHost) recover(r *chaosRun) error {
	r.last = terminal.Result{}
	r.sold()
	if n := len(r.heard); r.err == nil && !r.last.Approved && n > 0 && r.heard[n-1].DE39 == pos.Code("58") {
		r.take(terminal.Result{}, h.release(r.ctx, r.chaosShop)) // the tamper report came after the first release
	}
	if r.err == nil && !r.last.Approved { // too busy a machine for this terminal's patience: give it more
		r.config.Timeout, r.config.DialTimeout = 40*chaosTimeout, 40*chaosTimeout
		r.take(terminal.Result{}, r.restart())
		r.sold()
	}
	if r.err == nil && !r.last.Approved {
		return fmt.Errorf("no sale is approved any more")
	}
	for range chaosPatience {
		if r.err != nil {
			return r.err
		}
		res := r.take(r.pos.Settle(r.ctx))
		if res.Approved {
			break
		}
		if res.Outcome == terminal.Refused { // the batch was closed by a settlement whose answer was lost
			r.signIn()
			if len(r.pos.Entries()) == 0 {
				break
			}
		}
	}
	switch trace, open := r.pos.OpenReversal(); {
	case r.err != nil:
		return r.err
	case open:
		return fmt.Errorf("the reversal of %s is still open", trace)
	case len(r.pos.Kept()) > 0:
		return fmt.Errorf("reversals of %v were given up", r.pos.Kept())
	}
	return nil
}

// chaosWidth is how many cases run at once: most of their time is waiting for answers that do not come.
const chaosWidth = 24

// TestFaultProxy: whatever the network does to a message or its answer, each sale ends approved and known
// to both sides, refused, or reversed; none is unknown, none is counted twice, no cent is lost, and the
// totals of the settlement agree. Both sides are asked, apart: what the terminal was told, and what the
// journal says.
func TestFaultProxy(t *testing.T) {
	cases := matrix(false)
	if !inLongForm() {
		cases = sample(cases, shortCases())
	}
	if *chaosOne != "" {
		c, err := parseChaosCase(*chaosOne)
		if err != nil {
			t.Fatal(err)
		}
		cases = []chaosCase{c}
	}
	tryAll(t, cases)
}

// TestFaultProxyAtRandom: several things happen to one case, drawn by a seed that a failure prints.
func TestFaultProxyAtRandom(t *testing.T) {
	if *chaosOne != "" {
		t.Skip("one case was asked for")
	}
	n := 24
	if inLongForm() {
		n = 400
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	tryAll(t, randomCases(seed, n))
}

// shortCases is how many cases of a matrix the short form has, and the race detector's; the long one has all.
func shortCases() int {
	if testing.Short() {
		return 100
	}
	return 300
}

// sample takes n cases, evenly.
func sample(all []chaosCase, n int) (some []chaosCase) {
	for i := range min(n, len(all)) {
		some = append(some, all[i*len(all)/n])
	}
	return some
}

// TestFaultProxyUnderTLS: the same over TLS with device certificates, where the network holds records and not
// messages: it breaks handshakes too, and what it doubles, alters or reorders TLS itself must notice.
func TestFaultProxyUnderTLS(t *testing.T) {
	if *chaosOne != "" {
		t.Skip("one case was asked for")
	}
	cases := matrix(true)
	if !inLongForm() {
		cases = sample(cases, shortCases()/4)
	}
	tryAll(t, cases)
}

// handshakeRecords is how many records of a direction a handshake and a message have at most.
const handshakeRecords = 5

// matrix is every flow by every toxic, either way, at each of its messages. Under TLS it is the first records,
// those of the handshake where the flow begins with one.
func matrix(tls bool) (all []chaosCase) {
	for _, f := range chaosFlows {
		if tls && f.always != "" {
			continue // a record that comes twice ends the connection, and no message is repeated
		}
		units := f.frames
		if tls && f.before == nil {
			units = handshakeRecords
		}
		for _, k := range faultproxy.Kinds() {
			for _, d := range []faultproxy.Direction{faultproxy.Request, faultproxy.Answer} {
				if k == faultproxy.Refuse && d == faultproxy.Answer || k == faultproxy.Alter && !tls && !maced(f.name) {
					continue
				}
				for unit := 1; unit <= units; unit++ {
					t := faultproxy.New(d, unit, k)
					if k == faultproxy.Delay { // once within the terminal's patience, once beyond it
						t.Wait, t.Spread = 20*time.Millisecond, 30*time.Millisecond
						if unit%2 == len(f.name)%2 {
							t.Wait = chaosTimeout + 50*time.Millisecond
						}
					}
					s := faultproxy.Schedule{Seed: uint64(len(all)), Toxics: []faultproxy.Toxic{t}}
					all = append(all, chaosCase{f.name, len(all)%2 == 1, tls, s})
				}
			}
		}
	}
	return all
}

// maced tells whether every message of a flow is authenticated. An altered bit of one that is not (section
// 4.4: sign-in, sign-off, echo, settlement) is not the network's doing but an attacker's, and is for TLS.
func maced(flow string) bool {
	switch flow {
	case "sale", "sale with a PIN", "sale with a sealed track", "balance", "void", "refund", "reversal of a sale", "reversal of a void":
		return true
	}
	return false
}

// randomCases are n cases with two to five toxics each on the first messages.
func randomCases(seed uint64, n int) (all []chaosCase) {
	for i := range n {
		own := seed + uint64(i)
		random := rand.New(rand.NewPCG(own, 0))
		f, _ := flowNamed(randomDay)
		if i%2 == 0 {
			f = chaosFlows[random.IntN(len(chaosFlows))]
		}
		s := faultproxy.Schedule{Seed: own}
		for range 2 + random.IntN(f.frames+3) {
			kinds := faultproxy.Kinds()
			k := kinds[random.IntN(len(kinds))]
			d := faultproxy.Direction(random.IntN(2))
			if k == faultproxy.Alter || k == faultproxy.Refuse && d == faultproxy.Answer {
				k = faultproxy.Drop
			}
			s.Toxics = append(s.Toxics, faultproxy.New(d, 1+random.IntN(f.frames+2), k))
		}
		all = append(all, chaosCase{f.name, random.IntN(2) == 0, false, s})
	}
	return all
}

// tryAll runs cases against one host and compares both sides at the end.
func tryAll(t *testing.T, cases []chaosCase) {
	h := newChaosHost(t)
	h.furnish(t, cases)
	dir := t.TempDir()
	shops, fired := make([]*chaosShop, len(cases)), make([]int, len(cases))
	failures := make([]error, len(cases))
	slots := make(chan struct{}, chaosWidth)
	var all sync.WaitGroup
	for n, c := range cases {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			shops[n], fired[n], failures[n] = h.run(t.Context(), n, c, filepath.Join(dir, fmt.Sprint(n)))
		})
	}
	all.Wait()
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	b, err := readBooks(t.Context(), h.engine.store)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range b.wrong {
		t.Error(w)
	}
	sum := chaosTally{}
	for n, c := range cases {
		if failures[n] != nil {
			t.Errorf("%v\n\tagain: go test ./cmd/touchstone -run 'TestFaultProxy$' -chaos %q\n\t%v", failures[n], c.String(), history(shops[n]))
		}
		if shops[n] == nil {
			continue
		}
		till := readTill(shops[n])
		wrong := agree(b, till, shops[n].id)
		if err := h.balance(b, shops[n]); err != nil {
			wrong = append(wrong, err.Error())
		}
		if len(wrong) > 0 {
			t.Errorf("%s\n\tagain: go test ./cmd/touchstone -run 'TestFaultProxy$' -chaos %q\n\t%v", strings.Join(wrong, "\n"), c.String(), history(shops[n]))
		}
		sum.add(b, till, fired[n])
	}
	t.Logf("%d cases, in %d of them the network did what was planned; %d messages at the host, %d at the terminals; sales: %d approved, %d refused, %d reversed",
		len(cases), sum.fired, b.messages, sum.messages, sum.approved, sum.refused, sum.reversed)
	if len(cases) >= enoughCases && (sum.fired < len(cases)/2 || sum.approved == 0 || sum.refused == 0 || sum.reversed == 0) {
		t.Error("the cases met too little to say anything")
	}
}

// enoughCases is how many must have met every way in which a sale can end.
const enoughCases = 70

// chaosTally counts how the sales ended.
type chaosTally struct{ fired, messages, approved, refused, reversed int }

func (s *chaosTally) add(b *books, t *till, fired int) {
	if fired > 0 {
		s.fired++
	}
	s.messages += t.messages
	for k, sale := range t.sales {
		switch m := b.byTrace[k]; {
		case sale.approved:
			s.approved++
		case m == nil:
			s.refused++
		default:
			s.reversed++
		}
	}
}

// balance recomputes a card's balance from the journal's own figures and compares it with the ledger's.
func (h *chaosHost) balance(b *books, s *chaosShop) error {
	pan, err := pos.ParsePAN(s.card.pan())
	if err != nil {
		return err
	}
	defer pan.Clear()
	hash, err := h.engine.module.HashPAN(pan)
	if err != nil {
		return err
	}
	now, known := h.engine.ledger.CardNow(hash)
	if want := s.opening + b.moved[hash]; !known || now.Balance != want {
		return fmt.Errorf("the card has %d, its journal makes %d", now.Balance, want)
	}
	return nil
}

// history is what a terminal went through, without card data.
func history(s *chaosShop) string {
	if s == nil {
		return ""
	}
	var lines []string
	for _, r := range s.heard {
		lines = append(lines, fmt.Sprintf("%s batch %s trace %s: %s %s", r.Operation, r.Batch, r.Trace, r.Outcome, r.DE39))
	}
	return strings.Join(lines, "\n\t")
}
