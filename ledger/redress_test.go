package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"touchstone/host"
	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/redress"
)

// redressed is a history with claims: the room's own rules, the ledger's payments, and an oracle that knows only
// what two people approved.
type redressed struct {
	*history
	approved map[string]redress.Decision // by claim
	sales    map[string]*modelRecord     // of claims
	paid     map[string]pos.Amount       // by claim and part, by what the ledger told
	searched bool                        // the journal, for payments, since the last start
	suffix   int
}

// TestMoneyOutIsWhatWasApproved: over random histories of sales, refunds, voids, reversals, settlements, claims,
// decisions and restarts between any two entries of a payment, from the checkpoint or the whole journal: money out
// is approved claims and refunds to the cent, each part of a claim is paid once or has lapsed, no sale gives back
// more than it took, and no card receives more than was taken plus the compensation approved for it.
func TestMoneyOutIsWhatWasApproved(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		h := &history{t: rt, opts: smallOptions(), model: newModel(terminalsOfShop), next: map[int]int{}, seen: seen, rooms: map[*shop]*redress.State{}}
		h.shop = h.open(newMemory())
		h.shop.furnish(terminalsOfShop)
		h.shop.signInAll(terminalsOfShop)
		defer h.close()
		r := &redressed{history: h, approved: map[string]redress.Decision{}, sales: map[string]*modelRecord{}, paid: map[string]pos.Amount{}}
		r.live()
		r.release()
		r.again()
		for range 2 * len(r.approved) {
			r.pay()
			r.noteOne()
		}
		r.check("end")
		r.settled()
	})
	t.Logf("met: %d sales, %d claims, %d approved, %d refunds and %d compensations paid, %d lapsed, %d restarts before a payment, %d before its note, %d found in the journal",
		seen["sale 00"], seen["claim"], seen["approved"], seen["paid refund"], seen["paid compensation"], seen["lapsed refund"], seen["restart between approval and payment"],
		seen["restart between payment and note"], seen["found in the journal"])
	for _, want := range []string{"claim", "claim refused", "approved", "approval refused", "paid refund", "paid compensation", "lapsed refund", "found in the journal",
		"restart between payment and note", "restart between approval and payment"} {
		if seen["sale 00"] > enoughSales/4 && seen[want] == 0 {
			t.Errorf("no history had: %s", want)
		}
	}
}

// live draws the history.
func (r *redressed) live() {
	steps := map[string]func(){"sale": r.sell, "void": r.undo(void), "refund": r.undo(refund), "reverse": r.undo(reverseSale), "reverse a void": r.undo(reverseVoid),
		"settle": r.settle, "hold": r.hold, "release": r.release, "checkpoint": r.checkpoint,
		"restart": r.again, "claim": r.claim, "decide": r.decide, "pay": r.pay, "note": r.noteOne, "repeat": r.repeat}
	names := []string{"sale", "sale", "sale", "sale", "void", "refund", "reverse", "reverse a void", "repeat", "settle", "hold", "release", "checkpoint",
		"restart", "claim", "claim", "claim", "decide", "decide", "decide", "pay", "pay", "pay", "note", "note"}
	for range draw(r.t, 60, "steps") + 10 {
		name := pick(r.history, "step", names...)
		steps[name]()
		r.check(name)
	}
}

func (r *redressed) room() *redress.State { return r.rooms[r.shop] }

// again is a restart.
func (r *redressed) again() {
	if len(r.room().Unnoted()) > 0 {
		r.seen["restart between payment and note"]++
	}
	if len(r.room().Due()) > 0 {
		r.seen["restart between approval and payment"]++
	}
	r.restart()
	r.searched = false
}

// act registers what a rule decided, or its refusal.
func (r *redressed) act(drafts []journal.Draft, err error) bool {
	var refusal *journal.Refusal
	refused := errors.As(err, &refusal)
	if err != nil && !refused {
		r.t.Fatal(err)
	}
	if refused {
		drafts = []journal.Draft{refusal.Draft()}
	}
	for i := range drafts {
		if err := r.shop.ledger.Register(context.Background(), pos.Instant(r.shop.now.Load()), &drafts[i]); err != nil {
			r.t.Fatal(err)
		}
	}
	return !refused
}

// claim claims for a sale, or what is none; now and then for one that is not exposed.
func (r *redressed) claim() {
	r.release()
	var some []*modelRecord
	for _, m := range r.model.records {
		if m.kind == sale && m.rrn != "" {
			some = append(some, m)
		}
	}
	if len(some) == 0 {
		return
	}
	m := pick(r.history, "claimed", some...)
	seq, err := strconv.ParseUint(m.rrn, 10, 64)
	if err != nil {
		r.t.Fatal(err)
	}
	record, ok, err := r.shop.ledger.SaleNow(seq)
	if err != nil {
		r.t.Fatal(err)
	}
	c := redress.Candidate{Sale: redress.Exposed{Seq: seq, Terminal: terminalOf(m.terminal), Merchant: merchantOfShop, Amount: pos.Amount(m.amount)}}
	exposed := !r.oneIn(8, "not exposed")
	if exposed {
		c.Exposure = &redress.Exposure{ID: "EXP-1", Scope: redress.Scope{Incident: "INC-1"}}
	}
	if ok {
		c.Record = &record
	}
	r.suffix++
	receipt := redress.Receipt{Date: 20240301, Amount: max(pos.Amount(m.amount), 1), Last4: "0001", Terminal: terminalOf(m.terminal)}
	made, drafts, err := redress.Make(r.room(), receipt, "", "", fmt.Sprintf("AAAAAAA%05d", r.suffix), "consumer", []redress.Candidate{c}, 1)
	if !r.act(drafts, err) {
		r.seen["claim refused"]++
		return
	}
	if !exposed || m.code != "00" || !m.standing || m.refunded >= m.amount {
		r.t.Fatalf("a claim for %+v was taken down", m)
	}
	r.sales[made.ID] = m
	r.seen["claim"]++
}

// decide approves or refuses an open claim, with amounts that fit or not.
func (r *redressed) decide() {
	r.release()
	claims := r.room().Claims("")
	if len(claims) == 0 {
		return
	}
	c := pick(r.history, "decided", claims...)
	m := r.sales[c.ID]
	d := redress.Decision{Approve: !r.oneIn(5, "refuse"), Why: "because"}
	if d.Approve {
		d.Refund = pick(r.history, "refund", pos.Amount(m.amount-m.refunded), pos.Amount(m.amount), 1, 0, pos.Amount(m.amount)+1)
		if d.Compensation = pick[pos.Amount](r.history, "compensation", 0, 0, 20, 500); d.Compensation > 0 {
			d.Payer = pick(r.history, "payer", redress.Payers...)
		}
	}
	record, ok, err := r.shop.ledger.SaleNow(c.Sale)
	if err != nil || !ok {
		r.t.Fatalf("the sale of %s: %t, %v", c.ID, ok, err)
	}
	_, drafts, err := redress.Decide(r.room(), c.ID, d, &record, []string{"chen", "wang"}, "PRP-1", r.shop.ledger.Durable(), 2)
	if !r.act(drafts, err) {
		r.seen["approval refused"]++
		return
	}
	if _, before := r.approved[c.ID]; before || c.State != redress.ClaimOpen {
		r.t.Fatalf("claim %s was decided twice", c.ID)
	}
	if d.Approve && d.Refund > 0 && (!m.standing || int64(d.Refund) > m.amount-m.refunded) {
		r.t.Fatalf("%s of %+v were approved", d.Refund, m)
	}
	if d.Approve {
		r.seen["approved"]++
		r.approved[c.ID] = d
	}
}

// find is what a start does before it pays: it looks for payments that a checkpoint has seen and no act noted.
func (r *redressed) find() {
	if r.searched {
		return
	}
	r.searched = true
	since, due := r.room().PaidSince()
	if !due {
		return
	}
	before := len(r.room().Unnoted())
	var x journal.Exchange
	for _, b := range r.shop.store.all() {
		err := b.Each(func(e journal.Entry) error {
			if e.Seq < since || e.Kind != journal.KindExchange || x.Parse(e) != nil {
				return nil
			}
			if p, ok := x.Payment(e.Seq); ok {
				return r.room().Fold(e.Seq, must(p.Change()))
			}
			return nil
		})
		if err != nil {
			r.t.Fatal(err)
		}
	}
	if len(r.room().Unnoted()) > before {
		r.seen["found in the journal"]++
	}
}

// pay pays the first that is due and notes nothing, as a program does that dies right after.
func (r *redressed) pay() {
	r.release()
	r.find()
	due := r.room().Due()
	if len(due) == 0 {
		return
	}
	p := due[0]
	m, key := r.sales[p.Claim], p.Claim+"/"+string(p.Part)
	order := r.shop.line.NewOrder(journal.Redress{Claim: p.Claim, Part: p.Part, Proposal: p.Proposal}, p.Sale, p.Amount)
	seq, err := r.shop.ledger.Redress(context.Background(), order)
	may := p.Part == journal.CompensationPart || m.standing && int64(p.Amount) <= m.amount-m.refunded
	var refused *ledger.OrderRefused
	if errors.As(err, &refused) {
		if may {
			r.t.Fatalf("%s was refused: %v", key, err)
		}
		r.seen["lapsed "+string(p.Part)]++
		r.act(redress.Note(r.room(), p.Claim, redress.Settlement{Part: p.Part, Amount: p.Amount, Refused: refused.Reason.String()}))
		return
	}
	if err != nil || seq == 0 || !may || r.paid[key] != 0 {
		r.t.Fatalf("%s: entry %d, %v; the rules allow it: %t; paid before: %s", key, seq, err, may, r.paid[key])
	}
	r.seen["paid "+string(p.Part)]++
	r.paid[key] = p.Amount
	if p.Part == journal.RefundPart {
		m.refunded += int64(p.Amount)
	}
	r.model.move(m.card, int64(p.Amount))
	r.net -= int64(p.Amount)
}

// noteOne notes a payment.
func (r *redressed) noteOne() {
	r.release()
	r.find()
	for _, p := range r.room().Unnoted() {
		r.act(redress.Note(r.room(), p.Claim, redress.Settlement{Part: p.Part, Amount: p.Amount, Entry: p.Entry}))
		return
	}
}

// settled holds the journal, and the books of the product, against what was approved.
func (r *redressed) settled() {
	claims, out := map[string]*redress.Claim{}, map[string]pos.Amount{}
	for _, c := range r.room().Claims("") {
		claims[c.ID] = c
	}
	taken, back, compensated := map[pos.PANHash]pos.Amount{}, map[pos.PANHash]pos.Amount{}, map[pos.PANHash]pos.Amount{}
	list, seqs := r.shop.entries()
	cardOf, approved := map[uint64]pos.PANHash{}, map[pos.PANHash]pos.Amount{}
	for i, x := range list {
		switch {
		case x.Effect == journal.Sold:
			taken[x.Card] -= x.Delta
			cardOf[seqs[i]] = x.Card
		case x.Effect == journal.Compensated:
			compensated[x.Card] += x.Delta
		case x.Delta != 0:
			back[x.Card] += x.Delta
		}
		if rests, ok := x.Redress(); ok {
			out[rests.Claim+"/"+string(rests.Part)] += x.Delta
		}
	}
	var moved, paid pos.Amount
	for key, amount := range out {
		moved += amount
		if amount != r.paid[key] {
			r.t.Fatalf("%s: %s left by the journal, %s were paid", key, amount, r.paid[key])
		}
	}
	for id, d := range r.approved {
		approved[cardOf[claims[id].Sale]] += d.Compensation
		for part, want := range map[journal.Part]pos.Amount{journal.RefundPart: d.Refund, journal.CompensationPart: d.Compensation} {
			got := r.paid[id+"/"+string(part)]
			paid += got
			lapsed := false
			for _, s := range claims[id].Settled {
				lapsed = lapsed || s.Part == part && s.Refused != ""
			}
			if got != want && !(lapsed && got == 0) {
				r.t.Fatalf("claim %s: %s %s approved, %s paid, lapsed %t", id, part, want, got, lapsed)
			}
		}
		if s := claims[id].State; s != redress.ClaimPaid && s != redress.ClaimLapsed {
			r.t.Fatalf("claim %s is %s in the end", id, s)
		}
	}
	for card := range taken {
		if back[card] > taken[card] || back[card]+compensated[card] > taken[card]+approved[card] {
			r.t.Fatalf("card %s: taken %s, back %s, compensated %s of %s approved", card, taken[card], back[card], compensated[card], approved[card])
		}
	}
	books := redress.NewBooks("")
	for pass := range redress.Passes {
		if pass > 0 {
			books.Again()
		}
		for _, b := range r.shop.store.all() {
			if err := b.Each(books.Fold); err != nil {
				r.t.Fatal(err)
			}
		}
	}
	m := books.Money()
	if moved != paid || !m.Reconciles || m.Out != paid || m.Refunds.Due != 0 || m.Compensation.Due != 0 {
		r.t.Fatalf("moved %s, paid %s, books %+v", moved, paid, m)
	}
}

// TestRedressIsNoMessageOfTheTerminal: a payment of a claim uses no trace and is in no total, and from then on the
// sale cannot be voided, reversed or refunded beyond what is left.
func TestRedressIsNoMessageOfTheTerminal(t *testing.T) {
	s := newShop(t, 1, ledger.DefaultOptions())
	defer s.close()
	sold := s.send(message{kind: sale, terminal: 1, card: 0, amount: 100, batch: 1, stan: 1})
	if sold.code != "00" {
		t.Fatal(sold)
	}
	totals := s.ledger.TotalsOf(terminalOf(1))
	seq := must(strconv.ParseUint(sold.rrn, 10, 64))
	order := func(part journal.Part, amount pos.Amount) *host.Order {
		return s.line.NewOrder(journal.Redress{Claim: "CLM-1-A", Part: part, Proposal: "PRP-1"}, seq, amount)
	}
	if _, err := s.ledger.Redress(t.Context(), order(journal.RefundPart, 60)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.ledger.Redress(t.Context(), order(journal.CompensationPart, 500)); err != nil {
		t.Fatal(err)
	}
	if got := s.ledger.TotalsOf(terminalOf(1)); got != totals {
		t.Errorf("the terminal's totals were %+v and are %+v", totals, got)
	}
	if got := s.balance(0); got != openingBalance-100+60+500 {
		t.Errorf("the card has %d", got)
	}
	var refused *ledger.OrderRefused
	for name, c := range map[string]struct {
		o    *host.Order
		want string
	}{
		"more than is left":   {order(journal.RefundPart, 41), "original_mismatch"},
		"nothing":             {order(journal.RefundPart, 0), "amount_invalid"},
		"less than nothing":   {order(journal.CompensationPart, -1), "amount_invalid"},
		"beyond every amount": {order(journal.CompensationPart, pos.MaxAmount+1), "amount_invalid"},
		"of no sale":          {s.line.NewOrder(journal.Redress{Claim: "CLM-1-A", Part: journal.RefundPart}, 1, 1), "original_not_found"},
		"of what is to come":  {s.line.NewOrder(journal.Redress{Claim: "CLM-1-A", Part: journal.RefundPart}, 1<<40, 1), "original_not_found"},
	} {
		if seq, err := s.ledger.Redress(t.Context(), c.o); !errors.As(err, &refused) || refused.Reason.String() != c.want || seq != 0 {
			t.Errorf("%s: entry %d, %v, want %s", name, seq, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		m    message
		want string
	}{
		"void":                  {message{kind: void, terminal: 1, amount: 100, batch: 1, stan: 2, hasFrom: true, from: origin{1, 1, 301}}, "22"},
		"reversal":              {message{kind: reverseSale, terminal: 1, amount: 100, batch: 1, stan: 1}, "22"},
		"refund beyond":         {message{kind: refund, terminal: 1, amount: 41, batch: 1, stan: 3, rrn: sold.rrn, hasFrom: true, from: origin{1, 1, 301}}, "64"},
		"trace of the payments": {message{kind: sale, terminal: 1, amount: 1, batch: 1, stan: 0}, "00"},
	} {
		if got := s.send(c.m); got.code != c.want {
			t.Errorf("%s: %s, want %s", name, got.code, c.want)
		}
	}
	if got := s.send(message{kind: refund, terminal: 1, amount: 40, batch: 1, stan: 4, rrn: sold.rrn, hasFrom: true, from: origin{1, 1, 301}}); got.code != "00" {
		t.Errorf("refund of the rest: %s", got.code)
	}
	if got := s.send(message{kind: refund, terminal: 1, amount: 1, batch: 1, stan: 5, rrn: sold.rrn, hasFrom: true, from: origin{1, 1, 301}}); got.code != "64" {
		t.Errorf("refund beyond the rest: %s", got.code)
	}
}
