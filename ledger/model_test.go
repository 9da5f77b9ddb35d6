package ledger_test

import (
	"fmt"
	"time"

	"touchstone/journal"
	"touchstone/pos"
)

// model is what the rules of docs/protocol/unionpay-pos.md 3.4, 9A.1 to 9A.5, 9A.19, 9A.24 and 9A.25 say
// must happen, written from the rules alone: it calls nothing of the system.
type model struct {
	terminals map[int]*modelTerminal
	balances  []int64
	tries     []int
	net       int64 // what the merchant has been given by approvals, all batches
	records   []*modelRecord
}

type modelTerminal struct {
	batch   int
	totals  journal.Totals
	used    map[modelKey]*modelRecord
	settled *modelSettlement
}

type modelSettlement struct {
	batch, stan int
	claimed     journal.Totals
	digit       uint8
}

type modelKey struct{ class, batch, stan int }

// modelRecord is a message that was proven genuine.
type modelRecord struct {
	message
	code      string // as recorded
	rrn       string // once it was answered
	auth      string
	at        time.Duration
	standing  bool // approved, and neither voided nor reversed
	voided    bool
	reversed  bool
	grave     bool
	undone    bool // of a void: reversed once
	refunded  int64
	available int64        // of a balance inquiry
	sale      *modelRecord // of a void
}

func newModel(terminals int) *model {
	m := &model{terminals: map[int]*modelTerminal{}, balances: make([]int64, cardsOfShop), tries: make([]int, cardsOfShop)}
	for c := range m.balances {
		m.balances[c] = openingBalance
	}
	for n := 1; n <= terminals; n++ {
		m.terminals[n] = &modelTerminal{batch: 1, used: map[modelKey]*modelRecord{}}
	}
	return m
}

// expected is what must be answered.
type expected struct {
	code    string
	settle  uint8
	balance string
	record  *modelRecord // whose later reversal turns 00 into 94; whose RRN the answer has
	repeat  bool
}

func (e *expected) final() string {
	if e.code == "00" && e.record != nil && e.record.reversed && e.record.kind != balance {
		return "94" // overtaken by its reversal
	}
	return e.code
}

const windowOfRepeats = 180 * time.Second

// judge predicts a message and takes its effect.
func (w *model) judge(m message, now time.Duration) expected {
	t := w.terminals[m.terminal]
	switch m.kind {
	case reverseSale, reverseVoid, reverseBalance:
		return expected{code: w.reverse(t, m, now)}
	case settle:
		return w.settle(t, m)
	case signIn:
		return expected{code: "00"}
	}
	if m.batch != t.batch {
		return expected{code: "77"}
	}
	if m.mac != "" {
		return expected{code: "A0"}
	}
	k := modelKey{1, m.batch, m.stan}
	if m.kind == refund {
		k.class = 2
	}
	if prior := t.used[k]; prior != nil {
		untouched := !prior.grave && !prior.reversed && !prior.voided && prior.refunded == 0
		if untouched && prior.message == m && now-prior.at <= windowOfRepeats {
			return expected{code: prior.code, record: prior, repeat: true, balance: prior.balanceShown()}
		}
		return expected{code: "94"}
	}
	r := &modelRecord{message: m, at: now}
	switch m.kind {
	case sale:
		r.code = w.sell(t, r)
	case void:
		r.code = w.void(t, r)
	case refund:
		r.code = w.refund(t, r)
	case balance:
		r.code = w.inquire(r)
	}
	r.standing = r.code == "00"
	t.used[k] = r
	w.records = append(w.records, r)
	return expected{code: r.code, record: r, balance: r.balanceShown()}
}

// balanceShown is DE54 of an approved inquiry.
func (r *modelRecord) balanceShown() string {
	if r.kind != balance || r.code != "00" {
		return ""
	}
	sign, n := "C", r.available
	if n < 0 {
		sign, n = "D", -n
	}
	return fmt.Sprintf("1002156%s%012d", sign, n)
}

// pin is the issuer's word on card and PIN; "" goes on.
func (w *model) pin(r *modelRecord) string {
	switch {
	case r.card >= cardsOfShop:
		return "14"
	case r.pin == 0:
		return ""
	case w.tries[r.card] >= 3:
		return "75"
	case r.pin != 0x11:
		w.tries[r.card]++
		return "55"
	}
	w.tries[r.card] = 0
	return ""
}

func (w *model) sell(t *modelTerminal, r *modelRecord) string {
	if r.amount == 0 {
		return "13"
	}
	if code := w.pin(r); code != "" {
		return code
	}
	if w.balances[r.card] < r.amount {
		return "51"
	}
	w.move(r.card, -r.amount)
	t.totals.DebitAmount += pos.Amount(r.amount)
	t.totals.DebitCount++
	return "00"
}

// move changes a card's balance and, by as much, what the merchant has.
func (w *model) move(card int, by int64) {
	w.balances[card] += by
	w.net -= by
}

func (w *model) inquire(r *modelRecord) string {
	if code := w.pin(r); code != "" {
		return code
	}
	r.available = w.balances[r.card]
	return "00"
}

func (w *model) void(t *modelTerminal, r *modelRecord) string {
	if r.amount == 0 {
		return "13"
	}
	s := t.used[modelKey{1, r.from.batch, r.from.stan}]
	switch {
	case !r.hasFrom || s == nil || s.kind != sale || s.grave || s.code != "00":
		return "25"
	case s.amount != r.amount || s.card != r.card || (r.message.rrn != "" && r.message.rrn != s.rrn),
		r.message.auth != "" && r.message.auth != s.auth:
		return "64"
	case !s.standing || s.refunded != 0 || s.batch != t.batch:
		return "22"
	}
	if code := w.pin(r); code != "" {
		return code
	}
	s.standing, s.voided, r.sale = false, true, s
	w.credit(t, r)
	return "00"
}

func (w *model) credit(t *modelTerminal, r *modelRecord) {
	w.move(r.card, r.amount)
	t.totals.CreditAmount += pos.Amount(r.amount)
	t.totals.CreditCount++
}

func (w *model) refund(t *modelTerminal, r *modelRecord) string {
	if r.amount == 0 {
		return "13"
	}
	var s *modelRecord
	for _, other := range w.records {
		if r.message.rrn != "" && other.rrn == r.message.rrn {
			s = other
		}
	}
	switch {
	case s == nil || s.kind != sale || s.code != "00" || s.card != r.card || !r.hasFrom || r.from.date != 301:
		return "25"
	case !s.standing:
		return "22"
	case r.amount > s.amount-s.refunded:
		return "64"
	}
	if code := w.pin(r); code != "" {
		return code
	}
	s.refunded += r.amount
	w.credit(t, r)
	return "00"
}

// reversed maps a reversal to the kind it reverses.
var reversed = map[kind]kind{reverseSale: sale, reverseVoid: void, reverseBalance: balance}

func (w *model) reverse(t *modelTerminal, m message, now time.Duration) string {
	if m.mac != "" {
		return "A0"
	}
	k := modelKey{1, m.batch, m.stan}
	o := t.used[k]
	if o == nil {
		t.used[k] = &modelRecord{message: m, grave: true, at: now}
		return "25"
	}
	names := !m.hasFrom || (m.from.batch == o.batch && m.from.stan == o.stan) || (m.from.batch == o.from.batch && m.from.stan == o.from.stan)
	switch {
	case o.grave || o.kind != reversed[m.kind]:
		return "25"
	case (m.kind != reverseBalance && m.amount != o.amount) || !names:
		return "64"
	case o.reversed:
		return "00"
	case o.code != "00" || o.kind == balance:
		o.reversed, o.standing = true, false
		return "00"
	case !o.standing || o.refunded != 0 || o.batch != t.batch:
		return "22"
	case o.kind == sale:
		w.move(o.card, o.amount)
		t.totals.DebitAmount -= pos.Amount(o.amount)
		t.totals.DebitCount--
	case o.undone || !o.sale.voided:
		return "22"
	default:
		w.move(o.card, -o.amount)
		t.totals.CreditAmount -= pos.Amount(o.amount)
		t.totals.CreditCount--
		o.undone, o.sale.standing, o.sale.voided = true, true, false
	}
	o.reversed, o.standing = true, false
	return "00"
}

func (w *model) settle(t *modelTerminal, m message) expected {
	if l := t.settled; l != nil && m.batch == l.batch && m.stan == l.stan && m.claimed == l.claimed {
		return expected{code: "00", settle: l.digit}
	}
	if m.batch != t.batch {
		return expected{code: "77"}
	}
	digit := uint8(1)
	if m.claimed != t.totals {
		digit = 2
	}
	t.settled = &modelSettlement{m.batch, m.stan, m.claimed, digit}
	t.batch, t.totals = t.batch+1, journal.Totals{}
	return expected{code: "00", settle: digit}
}
