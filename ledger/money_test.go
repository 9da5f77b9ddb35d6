package ledger_test

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/redress"
)

const terminalsOfShop = 3

// history drives a shop and its model with the same messages.
type history struct {
	t       *rapid.T
	shop    *shop
	opts    ledger.Options
	model   *model
	next    map[int]int // trace counters
	sent    []message
	held    []waiting // not nil while the sink is withheld
	holding bool
	net     int64            // of settled batches, from the system's own totals
	live    map[int][32]byte // nil, or the state after so many blocks
	opened  []*shop          // every one of this history, to be closed at its end however it ends
	seen    map[string]int

	rooms map[*shop]*redress.State // of each shop, where claims are made; nil: nowhere
}

type waiting struct {
	flight *flight
	want   expected
	of     message
}

// TestMoneyIsConserved: whatever the mixture, order, repetition or crash, the answers are those of the
// rules, no sale is undone beyond its amount, and cards and merchant together keep what they had.
// docs/protocol/unionpay-pos.md 3.4, 9A.1 to 9A.5, 9A.19, 9A.24, 9A.25; invariants I-02, I-03, I-06, I-09, I-11.
func TestMoneyIsConserved(t *testing.T) {
	seen := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		h := newHistory(rt, smallOptions(), seen)
		defer h.close()
		h.steps(draw(rt, 100, "steps") + 1)
		h.release()
		h.restart()
		h.check("end")
	})
	for _, want := range wanted {
		if seen["sale 00"] > enoughSales && seen[want] == 0 {
			t.Errorf("no history had %s: the property says nothing of it", want)
		}
	}
}

// wanted is what the histories of one run must have met, so that they are worth something: each
// function with each answer that 9A gives it, and each way to be late.
var wanted = []string{
	"balance 00", "balance 00 repeated", "balance 55", "balance 77", "balance 94", "balance A0",
	"refund 00", "refund 13", "refund 22", "refund 25", "refund 55", "refund 64", "refund 77", "refund 94", "refund A0",
	"reversal of a balance 00", "reversal of a balance 25", "reversal of a balance A0",
	"reversal of a sale 00", "reversal of a sale 22", "reversal of a sale 25", "reversal of a sale 64", "reversal of a sale A0",
	"reversal of a void 00", "reversal of a void 25", "reversal of a void 64", "reversal of a void A0",
	"sale 00", "sale 00 repeated", "sale 13", "sale 14", "sale 51", "sale 55", "sale 77", "sale 94", "sale 94 overtaken", "sale A0",
	"settlement 00", "settlement 77", "sign-in 00",
	"void 00", "void 13", "void 22", "void 25", "void 64", "void 77", "void 94", "void A0",
}

// enoughSales is after how many approved sales a run must have met all that is wanted.
const enoughSales = 2000

func newHistory(t *rapid.T, opts ledger.Options, seen map[string]int) *history {
	h := &history{t: t, opts: opts, model: newModel(terminalsOfShop), next: map[int]int{}, seen: seen}
	h.shop = h.open(newMemory())
	h.shop.furnish(terminalsOfShop)
	h.shop.signInAll(terminalsOfShop)
	return h
}

// close ends every shop of the history, also when rapid ends it by a panic.
func (h *history) close() {
	for _, s := range h.opened {
		s.close()
	}
}

// stepNames has each step as often as it is worth.
var stepNames = []string{"sale", "sale", "sale", "sale", "void", "void", "void", "refund", "refund", "refund", "reverse", "reverse", "reverse",
	"reverse a void", "reverse a void", "reverse a balance", "balance", "repeat", "repeat", "settle", "sign in", "hold", "hold", "release",
	"checkpoint", "checkpoint", "restart", "later"}

// steps draws so many steps and checks after each.
func (h *history) steps(n int) {
	steps := map[string]func(){
		"sale": h.sell, "void": h.undo(void), "refund": h.undo(refund), "reverse": h.undo(reverseSale),
		"reverse a void": h.undo(reverseVoid), "reverse a balance": h.undo(reverseBalance), "balance": h.inquire,
		"repeat": h.repeat, "settle": h.settle, "sign in": h.signIn, "hold": h.hold, "release": h.release,
		"checkpoint": h.checkpoint, "restart": h.restart, "later": h.later,
	}
	for range n {
		name := pick(h, "step", stepNames...)
		steps[name]()
		h.check(name)
	}
}

// open starts a shop that is closed with the history.
func (h *history) open(m *memory) *shop {
	opts, room := h.opts, redress.NewState()
	if h.rooms != nil {
		opts.Rooms = func(seq uint64, _ journal.Kind, c journal.Change) error { return room.Fold(seq, c) }
	}
	s := openShop(h.t, m, opts)
	if h.rooms != nil {
		h.rooms[s] = room
	}
	h.opened = append(h.opened, s)
	return s
}

// TestEveryPrefixReplays: each prefix of a journal, replayed twice and from every checkpoint made of it,
// is the state that was at that moment. Invariant I-11.
func TestEveryPrefixReplays(t *testing.T) {
	few := 0
	rapid.Check(t, func(rt *rapid.T) {
		if few++; few > 40 {
			return // each prefix of each history: the square of its length
		}
		h := newHistory(rt, ledger.DefaultOptions(), map[string]int{})
		defer h.close()
		h.live = map[int][32]byte{}
		saved := []*memory{newMemory()}
		for range 6 {
			h.steps(draw(rt, 8, "steps") + 1)
			h.checkpoint()
			saved = append(saved, h.shop.store.copy(len(h.shop.store.all()), true))
		}
		blocks := h.shop.store.all()
		whole := map[int][32]byte{}
		for n := range len(blocks) + 1 {
			for _, from := range saved {
				if len(from.blocks) > n {
					continue
				}
				m := from.copy(len(from.blocks), true)
				m.blocks = blocks[:n]
				got := hashOf(rt, replayed(rt, m))
				want, ok := whole[n]
				if !ok {
					want, whole[n] = got, got
				}
				if got != want {
					rt.Fatalf("%d of %d blocks: from checkpoint %d the state is another than from the journal", n, len(blocks), from.floor.Seq)
				}
			}
			m := newMemory()
			m.blocks = blocks[:n]
			if hashOf(rt, replayed(rt, m)) != whole[n] {
				rt.Fatalf("%d of %d blocks: the state differs from one replay to the next", n, len(blocks))
			}
			if live, ok := h.live[n]; ok && live != whole[n] {
				rt.Fatalf("%d of %d blocks: the state replayed is not the state that was", n, len(blocks))
			}
		}
		if len(h.live) < len(blocks)/4 {
			rt.Fatalf("of %d prefixes only %d were seen live", len(blocks), len(h.live))
		}
	})
}

// replayed opens a journal without going on from it.
func replayed(t rapid.TB, m *memory) *ledger.Ledger {
	l, _, err := ledger.Open(context.Background(), smallOptions(), m, m, m)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return l
}

// choose draws a number below n, each about as likely; rapid's own ranges favour small numbers.
func (h *history) choose(n int, label string) int {
	return draw(h.t, n, label)
}

func draw(t *rapid.T, n int, label string) int {
	return rapid.Map(rapid.SliceOfN(rapid.Bool(), 10, 10), func(bits []bool) (v int) {
		for _, b := range bits {
			v *= 2
			if b {
				v++
			}
		}
		return v % n
	}).Draw(t, label)
}

// oneIn is true once in n draws.
func (h *history) oneIn(n int, label string) bool { return h.choose(n, label) == n-1 }

func pick[T any](h *history, label string, from ...T) T { return from[h.choose(len(from), label)] }

func (h *history) now() time.Duration { return time.Duration(h.shop.now.Load()) }

func (h *history) later() {
	by := pick(h, "by", time.Second, 100*time.Second, 180*time.Second, 181*time.Second)
	h.shop.now.Add(int64(by))
}

// stan draws a new trace or, now and then, one that was used or will be.
func (h *history) stan(terminal int) int {
	if h.oneIn(8, "odd trace") {
		return h.choose(12, "trace") + 1
	}
	h.next[terminal]++
	return h.next[terminal]
}

// batch draws the open batch or, now and then, a neighbour.
func (h *history) batch(terminal int) int {
	b := h.model.terminals[terminal].batch
	switch h.choose(20, "odd batch") {
	case 0:
		return b + 1
	case 1:
		return max(b-1, 1)
	}
	return b
}

func (h *history) mac() string {
	if h.oneIn(24, "wrong MAC") {
		return "00000000"
	}
	return ""
}

func (h *history) fresh(k kind) message {
	terminal := h.choose(terminalsOfShop, "terminal") + 1
	return message{kind: k, terminal: terminal, card: h.choose(cardsOfShop, "card"),
		amount: pick[int64](h, "amount", 100, 1, 300, 50, 20, 700, 7, 30, 10, 1000, 0),
		batch:  h.batch(terminal), stan: h.stan(terminal), mac: h.mac()}
}

func (h *history) sell() {
	m := h.fresh(sale)
	if h.oneIn(10, "unknown card") {
		m.card = cardsOfShop
	}
	m.pin = pick[byte](h, "PIN", 0, 0, 0, 0, 0x11, 0x11, 0x22)
	h.send(m)
}

func (h *history) inquire() {
	m := h.fresh(balance)
	m.amount = 0
	m.pin = pick[byte](h, "PIN", 0, 0x11, 0x22)
	h.send(m)
}

// undo aims at a former message, or, with nothing to aim at, at nothing.
func (h *history) undo(k kind) func() {
	return func() {
		m := h.fresh(k)
		m.hasFrom, m.from = true, origin{m.batch, m.stan, 301}
		if some := h.targets(k); len(some) > 0 && !h.oneIn(12, "aimless") {
			h.aim(&m, pick(h, "original", some...))
		}
		switch k {
		case reverseBalance:
			m.amount = 0
		case void, refund:
			m.pin = pick[byte](h, "PIN", 0, 0, 0, 0, 0x11, 0x11, 0x22)
		}
		h.send(m)
	}
}

// targets are the records that a message of this kind would undo, or, now and then, all of them.
func (h *history) targets(k kind) (some []*modelRecord) {
	want := sale
	if of, ok := reversed[k]; ok {
		want = of
	}
	for _, r := range h.model.records {
		if r.kind == want && r.code == "00" {
			some = append(some, r)
		}
	}
	if len(some) == 0 || h.oneIn(6, "any original") {
		return h.model.records
	}
	return some
}

func (h *history) aim(m *message, o *modelRecord) {
	m.card = min(o.card, cardsOfShop-1)
	if h.oneIn(16, "odd card") {
		m.card = (m.card + 1) % cardsOfShop
	}
	if !h.oneIn(10, "odd amount") {
		m.amount = o.amount
	}
	m.from = origin{o.batch, o.stan, 301}
	switch m.kind {
	case refund:
		m.rrn = o.rrn
		if m.amount > 1 && rapid.Bool().Draw(h.t, "part") {
			m.amount /= 2
		}
	case void:
		m.terminal, m.batch = o.terminal, h.batch(o.terminal)
		m.stan = h.stan(m.terminal)
		m.rrn = pick(h, "RRN", "", "", o.rrn, o.rrn, o.rrn, "000000000001")
		m.auth = pick(h, "authorization code", "", "", "", o.auth, o.auth, "000000")
	default:
		m.terminal, m.batch, m.stan = o.terminal, o.batch, o.stan
		switch h.choose(3, "DE61") {
		case 0:
			m.hasFrom, m.from = false, origin{}
		case 1:
			m.hasFrom, m.from = o.hasFrom, o.from
		}
		m.why = pick(h, "why", "98", "A0", "06", "ZZ")
	}
}

func (h *history) repeat() {
	if len(h.sent) > 0 {
		h.send(pick(h, "message", h.sent...))
	}
}

func (h *history) settle() {
	m := message{kind: settle, terminal: h.choose(terminalsOfShop, "terminal") + 1}
	m.batch, m.stan = h.batch(m.terminal), h.stan(m.terminal)
	m.claimed = h.model.terminals[m.terminal].totals
	if h.oneIn(4, "wrong totals") {
		m.claimed.DebitAmount++
	}
	h.send(m)
}

func (h *history) signIn() {
	h.send(message{kind: signIn, terminal: h.choose(terminalsOfShop, "terminal") + 1, stan: 900001})
}

func (h *history) send(m message) {
	before := h.shop.ledger.TotalsOf(terminalOf(m.terminal))
	batch := h.shop.ledger.BatchOf(terminalOf(m.terminal))
	h.sent = append(h.sent, m)
	h.shop.now.Add(int64(time.Second))
	w := waiting{of: m, want: h.model.judge(m, h.now()), flight: h.shop.begin(m.frame(), m.conn)}
	if h.shop.ledger.BatchOf(terminalOf(m.terminal)) != batch {
		h.net += int64(before.DebitAmount - before.CreditAmount)
	}
	if h.holding {
		h.held = append(h.held, w)
		return
	}
	h.compare(w)
}

func (h *history) compare(w waiting) {
	got := h.shop.finish(w.flight)
	want := w.want.final()
	h.note(w, want)
	if got.code != want {
		h.t.Fatalf("%+v: answered %q, the rules say %q", w.of, got.code, want)
	}
	if got.settle != w.want.settle {
		h.t.Fatalf("%+v: result digit %d, the rules say %d", w.of, got.settle, w.want.settle)
	}
	if want == "00" && got.balance != w.want.balance {
		h.t.Fatalf("%+v: balance %q, the rules say %q", w.of, got.balance, w.want.balance)
	}
	if r := w.want.record; r != nil {
		if w.want.repeat && r.rrn != "" && (got.rrn != r.rrn || want == "00" && got.auth != r.auth) {
			h.t.Fatalf("%+v: a repeat has another RRN or authorization code", w.of)
		}
		if !w.want.repeat {
			r.rrn, r.auth = got.rrn, got.auth
		}
	}
}

// note counts what this history met.
func (h *history) note(w waiting, code string) {
	what := kindNames[w.of.kind] + " " + code
	h.seen[what]++
	if w.want.repeat {
		h.seen[what+" repeated"]++
	}
	if code != w.want.code {
		h.seen[what+" overtaken"]++
	}
}

func (h *history) hold() {
	if !h.holding {
		h.shop.store.hold()
		h.holding = true
	}
}

func (h *history) release() {
	if !h.holding {
		return
	}
	for _, w := range h.held {
		select {
		case <-w.flight.done:
			h.t.Fatalf("%+v was told before its entry was durable", w.of)
		default:
		}
	}
	h.shop.store.release()
	h.holding = false
	for _, w := range h.held {
		h.compare(w)
	}
	h.held = nil
}

// checkpoint writes one whose floor may lie behind what it holds, as when messages go on meanwhile.
func (h *history) checkpoint() {
	h.release()
	s := h.shop.store
	s.mu.Lock()
	s.lag = h.choose(5, "floor behind by")
	s.mu.Unlock()
	if err := h.shop.ledger.Checkpoint(context.Background()); err != nil {
		h.t.Fatalf("checkpoint: %v", err)
	}
	s.mu.Lock()
	s.lag = 0
	s.mu.Unlock()
}

// restart opens the journal anew, from its first entry, from checkpoint and tail, and twice so; the state
// is the same each time. It goes on with one of the first two.
func (h *history) restart() {
	fromCheckpoint := rapid.Bool().Draw(h.t, "from the checkpoint")
	h.release()
	live := hashOf(h.t, h.shop.ledger)
	if err := h.shop.close(); err != nil {
		h.t.Fatalf("committer: %v", err)
	}
	old := h.shop
	n := len(old.store.all())
	whole, tail := h.open(old.store.copy(n, false)), h.open(old.store.copy(n, true))
	if old.store.floor.Seq > 0 && tail.store.resets != 0 {
		h.t.Fatalf("a good checkpoint was discarded")
	}
	next := whole
	if fromCheckpoint {
		next = tail
	}
	// Reading the hash brings every record into memory, so what goes on is not hashed but opened once more.
	for _, s := range []*shop{whole, tail, h.open(next.store.copy(n, true))} {
		if s == next {
			continue
		}
		if got := hashOf(h.t, s.ledger); got != live {
			h.t.Fatalf("the state replayed (floor %d, of %d blocks) is not the state that was", s.store.floor.Seq, n)
		}
	}
	next.module, next.line.Keys = old.module, old.module
	next.now.Store(old.now.Load())
	h.shop = next
	if h.live != nil {
		hashOf(h.t, next.ledger)
	}
}

type fataler interface{ Fatalf(string, ...any) }

func hashOf(t fataler, l *ledger.Ledger) [32]byte {
	if err := l.Warm(context.Background()); err != nil {
		t.Fatalf("read all records: %v", err)
	}
	return l.Hash()
}

// check holds the system against the model and against the laws that need no model.
func (h *history) check(step string) {
	sum := h.net
	for c, want := range h.model.balances {
		got := h.shop.balance(c)
		if tries := h.shop.tries(c); tries != h.model.tries[c] {
			h.t.Fatalf("after %s: card %d has %d wrong PINs in a row, the rules say %d", step, c, tries, h.model.tries[c])
		}
		if got != want {
			h.t.Fatalf("after %s: card %d has %d, the rules say %d", step, c, got, want)
		}
		sum += got
	}
	for n, t := range h.model.terminals {
		got := h.shop.ledger.TotalsOf(terminalOf(n))
		if got != t.totals {
			h.t.Fatalf("after %s: terminal %d counts %+v, the rules say %+v", step, n, got, t.totals)
		}
		if got := h.shop.ledger.BatchOf(terminalOf(n)); got != pos.BatchNo(t.batch) {
			h.t.Fatalf("after %s: terminal %d has batch %s open, the rules say %06d", step, n, got, t.batch)
		}
		sum += int64(got.DebitAmount - got.CreditAmount)
	}
	if sum != cardsOfShop*openingBalance {
		h.t.Fatalf("after %s: cards and merchant have %d together, it was %d", step, sum, cardsOfShop*openingBalance)
	}
	if !h.holding {
		h.checkUndone(step)
		if h.live != nil {
			h.live[len(h.shop.store.all())] = h.shop.ledger.Hash()
		}
	}
}

// checkUndone reads the journal: what was given back of a sale is never less than nothing nor more than it.
func (h *history) checkUndone(step string) {
	list, seqs := h.shop.entries()
	amount, back, saleOf := map[uint64]pos.Amount{}, map[uint64]pos.Amount{}, map[uint64]uint64{}
	for i, x := range list {
		s := x.Original
		switch x.Effect {
		case journal.Sold:
			s = seqs[i]
			amount[s] = x.Amount
		case journal.VoidedSale:
			saleOf[seqs[i]] = s
			back[s] += x.Delta
		case journal.Refunded, journal.ReversedSale:
			back[s] += x.Delta
		case journal.ReversedVoid:
			s = saleOf[s]
			back[s] += x.Delta
		case journal.Compensated:
			continue // beyond the sale, by the approval of two people
		default:
			if x.Delta != 0 {
				h.t.Fatalf("after %s: entry %d moves money by effect %s", step, seqs[i], x.Effect)
			}
			continue
		}
		if b := back[s]; b < 0 || b > amount[s] {
			h.t.Fatalf("after %s: %d of the sale in entry %d were given back, it was %d", step, b, s, amount[s])
		}
	}
}
