package ledger_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"touchstone/journal"
	"touchstone/pos"
)

// liveOracle judges the host by the wire alone: from the bytes that went in and came out it keeps its own
// keys, sessions, batches and balances, and says for every approval which proofs it needed.
type liveOracle struct {
	t         testing.TB
	terminals [liveTerminals]*oracleTerminal
	balances  [liveCards]int64
	records   map[oracleKey]*oracleRecord
	byRRN     map[string]*oracleRecord
	approved  map[string]int // by what was approved
	refused   map[string]int // by DE39
}

type oracleTerminal struct {
	inForce, pending, former *liveKeys
	signedOff                bool
	batch                    int
	totals                   journal.Totals
	heardOn                  uint64 // connection of the last verified message
	last                     *oracleSettlement
	trace                    int // the last trace its own messages used
	list                     []*oracleRecord
}

type oracleSettlement struct {
	batch, trace int
	claimed      journal.Totals
	digit        string
}

type oracleKey struct {
	terminal, batch, trace int
	class                  string // MTI
}

// oracleRecord is a message whose MAC verified.
type oracleRecord struct {
	key      oracleKey
	body     []byte
	kind     string
	amount   int64
	card     int
	code     string
	rrn      string
	at       int64
	standing bool
	voided   bool
	reversed bool
	grave    bool
	refunded int64
	sale     *oracleRecord // of a void
}

func newLiveOracle(t testing.TB) *liveOracle {
	o := &liveOracle{t: t, records: map[oracleKey]*oracleRecord{}, byRRN: map[string]*oracleRecord{}, approved: map[string]int{}, refused: map[string]int{}}
	for n := range o.terminals {
		o.terminals[n] = &oracleTerminal{batch: 1}
	}
	for n := range o.balances {
		o.balances[n] = liveOpening
	}
	return o
}

// restarted: which connection a terminal was heard on is forgotten with the process.
func (o *liveOracle) restarted() {
	for _, t := range o.terminals {
		t.heardOn = 0
	}
}

const (
	lifetime         = 24 * 3600
	reversalLifetime = 48 * 3600
	repeatWindow     = 180
)

// usable are the key sets that may verify a message now: the pending one first.
func (t *oracleTerminal) usable(mti string, now int64) (sets []*liveKeys) {
	limit := int64(lifetime)
	if mti == "0400" {
		limit = reversalLifetime
	}
	for _, k := range []*liveKeys{t.pending, t.inForce} {
		if k != nil && !t.signedOff && now-k.at < limit {
			sets = append(sets, k)
		}
	}
	return sets
}

// verifies is the set under which the request's MAC is right, or nil.
func (t *oracleTerminal) verifies(w wire, now int64) *liveKeys {
	for _, k := range t.usable(w.mti, now) {
		if w.mab != nil && hex.EncodeToString([]byte(foldMAC(k.mak, w.mab))) == w.fields[64] {
			return k
		}
	}
	return nil
}

// judge takes a request and its answer. It fails the test on an approval that lacks a proof.
func (o *liveOracle) judge(frame, answer []byte, conn uint64, now int64) {
	if answer == nil {
		return
	}
	a, ok := readWire(answer)
	if !ok {
		o.t.Fatalf("an answer that cannot be read: %x", answer)
	}
	code := a.fields[39]
	w, readable := readWire(frame)
	if code != "00" {
		o.refused[code]++
	}
	if !readable {
		if code == "00" || a.fields[64] != "" {
			o.t.Fatalf("a message that cannot be read is answered %s", code)
		}
		return
	}
	if want := w.mti[:2] + string(w.mti[2]+1) + w.mti[3:]; a.mti != want {
		o.t.Fatalf("%s is answered by %s", w.mti, a.mti)
	}
	n := terminalNamed(w.fields[41])
	if n < 0 || w.fields[42] != merchantOfShop.String() {
		if code == "00" || a.fields[64] != "" {
			o.t.Fatalf("terminal %q of merchant %q is answered %s", w.fields[41], w.fields[42], code)
		}
		return
	}
	t := o.terminals[n]
	set := o.sealed(t, w, a, now)
	if set != nil {
		t.heardOn = conn
	}
	switch a.mti {
	case "0810":
		o.signIn(n, t, a, now)
	case "0830":
		if code == "00" && w.part(60, 8, 11) == 2 && t.heardOn == conn && conn != 0 {
			t.signedOff, t.pending = true, nil
		}
	case "0510":
		o.settle(t, w, a, code)
	case "0210", "0230", "0410":
		o.money(n, t, w, a, set, now)
	default:
		if code == "00" {
			o.t.Fatalf("%s is approved", w.mti)
		}
	}
}

func terminalNamed(id string) int {
	for n := range liveTerminals {
		if terminalOf(n+1).String() == id {
			return n
		}
	}
	return -1
}

// sealed: an answer has a MAC only if the request's own was right, and then it is right under the same keys (9A.15).
func (o *liveOracle) sealed(t *oracleTerminal, w, a wire, now int64) *liveKeys {
	if a.fields[64] == "" {
		return nil
	}
	set := t.verifies(w, now)
	if set == nil {
		o.t.Fatalf("a MAC on the answer to %s, whose own MAC is not right", w.mti)
	}
	if hex.EncodeToString([]byte(foldMAC(set.mak, a.mab))) != a.fields[64] {
		o.t.Fatalf("the MAC of the answer to %s is not right", w.mti)
	}
	if set == t.pending {
		t.former, t.inForce, t.pending = t.inForce, t.pending, nil
	}
	return set
}

func (o *liveOracle) signIn(n int, t *oracleTerminal, a wire, now int64) {
	if a.fields[39] != "00" {
		if a.fields[62] != "" {
			o.t.Fatal("keys with a refusal")
		}
		return
	}
	t.pending = openKeys(liveSM4[n], must(hex.DecodeString(liveTMK)), a.fields[62], now)
	if t.signedOff {
		t.inForce, t.signedOff = nil, false
	}
	if a.part(60, 2, 8) != t.batch {
		o.t.Fatalf("the sign-in tells of batch %d, open is %d", a.part(60, 2, 8), t.batch)
	}
	o.approved["sign-in"]++
}

// totalsOf reads DE48 of a settlement.
func totalsOf(w wire) (c journal.Totals, digit string) {
	if len(w.fields[48]) != 62 {
		return c, ""
	}
	return journal.Totals{DebitAmount: pos.Amount(w.part(48, 0, 12)), DebitCount: uint32(w.part(48, 12, 15)),
		CreditAmount: pos.Amount(w.part(48, 15, 27)), CreditCount: uint32(w.part(48, 27, 30))}, w.fields[48][30:31]
}

func (o *liveOracle) settle(t *oracleTerminal, w, a wire, code string) {
	if code != "00" {
		return
	}
	claimed, _ := totalsOf(w)
	_, digit := totalsOf(a)
	batch, trace := w.part(60, 2, 8), w.part(11, 0, 6)
	if l := t.last; l != nil && l.batch == batch && l.trace == trace && l.claimed == claimed {
		if digit != l.digit {
			o.t.Fatalf("the settlement's repeat says %s, the first %s", digit, l.digit)
		}
		return
	}
	want := "2"
	if claimed == t.totals {
		want = "1"
	}
	if batch != t.batch || digit != want {
		o.t.Fatalf("batch %d settled as %s: open is %d, claimed %+v, counted %+v", batch, digit, t.batch, claimed, t.totals)
	}
	t.last = &oracleSettlement{batch, trace, claimed, digit}
	t.batch, t.totals, t.list = t.batch%999999+1, journal.Totals{}, nil
	o.approved["settlement"]++
}

// money judges what may move it.
func (o *liveOracle) money(n int, t *oracleTerminal, w, a wire, set *liveKeys, now int64) {
	key := oracleKey{n, w.part(60, 2, 8), w.part(11, 0, 6), w.mti}
	code := a.fields[39]
	if code == "00" && set == nil {
		o.t.Fatalf("%s approved without a right MAC, or answered without one", w.mti)
	}
	if set == nil {
		return
	}
	if w.mti == "0400" {
		key.class = "0200"
		o.reverse(t, key, w, code)
		return
	}
	prior := o.records[key]
	if prior != nil {
		if code == "00" {
			o.repeat(prior, w, now)
		}
		return
	}
	r := &oracleRecord{key: key, body: bytes.Clone(w.body), amount: w.number(4), card: cardNamed(w), code: code, rrn: a.fields[37], at: now, kind: kindOf(w)}
	if code == "94" {
		return // its trace is in no batch that is open, or was buried
	}
	o.records[key] = r
	if code == "00" {
		o.approve(n, t, r, w, a, set)
	}
}

// kindOf names a request by DE3 and 60.1; section 3.3.
func kindOf(w wire) string {
	switch [3]string{w.mti, w.fields[3], fmt.Sprint(w.part(60, 0, 2))} {
	case [3]string{"0200", "000000", "22"}:
		return "sale"
	case [3]string{"0200", "310000", "1"}:
		return "balance"
	case [3]string{"0200", "200000", "23"}:
		return "void"
	case [3]string{"0220", "200000", "25"}:
		return "refund"
	}
	return "unknown"
}

// panIn is the card number of a message, from DE2 or the clear track.
func panIn(w wire) string {
	if w.fields[2] != "" {
		return w.fields[2]
	}
	pan, _, _ := strings.Cut(w.fields[35], "d")
	return pan
}

func cardNamed(w wire) int {
	for n := range liveCards {
		if panIn(w) == panOf(n) {
			return n
		}
	}
	return -1
}

// repeat: the same bytes, within the window, of what still stands (9A.1).
func (o *liveOracle) repeat(r *oracleRecord, w wire, now int64) {
	if r.code != "00" || r.grave || !bytes.Equal(r.body, w.body) || now-r.at > repeatWindow || !r.standing && r.kind != "balance" || r.refunded != 0 {
		o.t.Fatalf("trace %d of batch %d approved twice: first %s %s", r.key.trace, r.key.batch, r.kind, r.code)
	}
	o.approved["repeat"]++
}

// approve: every proof that this kind requires, and what it does to the money.
func (o *liveOracle) approve(n int, t *oracleTerminal, r *oracleRecord, w, a wire, set *liveKeys) {
	if r.key.batch != t.batch {
		o.t.Fatalf("%s approved in batch %d, open is %d", r.kind, r.key.batch, t.batch)
	}
	o.pin(r, w, set)
	switch r.kind {
	case "sale":
		if liveKeyed[n] {
			o.serial(n, w)
		}
		if r.card < 0 || r.amount <= 0 || r.amount > o.balances[r.card] || w.fields[49] != "156" {
			o.t.Fatalf("a sale of %d with card %d is approved", r.amount, r.card)
		}
		o.balances[r.card] -= r.amount
		t.totals.DebitAmount += pos.Amount(r.amount)
		t.totals.DebitCount++
	case "balance":
		if r.card < 0 || a.fields[54] != fmt.Sprintf("1002156C%012d", o.balances[max(r.card, 0)]) {
			o.t.Fatalf("balance of card %d: %s", r.card, a.fields[54])
		}
	case "void":
		s := o.records[oracleKey{n, w.part(61, 0, 6), w.part(61, 6, 12), "0200"}]
		if s == nil || s.kind != "sale" || !s.standing || s.refunded != 0 || s.amount != r.amount || s.key.batch != t.batch || r.card >= 0 && r.card != s.card {
			o.t.Fatal("a void of what cannot be voided is approved")
		}
		s.standing, s.voided, r.sale, r.card = false, true, s, s.card
		o.credit(t, r)
	case "refund":
		s := o.byRRN[w.fields[37]]
		if s == nil || !s.standing || s.card != r.card || r.amount <= 0 || r.amount > s.amount-s.refunded {
			o.t.Fatal("a refund of what cannot be refunded is approved")
		}
		s.refunded += r.amount
		o.credit(t, r)
	default:
		o.t.Fatalf("%s with DE3 %s and 60.1 %d is approved", w.mti, w.fields[3], w.part(60, 0, 2))
	}
	r.standing = true
	if r.kind == "sale" {
		o.byRRN[r.rrn] = r
	}
	t.list = append(t.list, r)
	o.approved[r.kind]++
}

func (o *liveOracle) credit(t *oracleTerminal, r *oracleRecord) {
	o.balances[r.card] += r.amount
	t.totals.CreditAmount += pos.Amount(r.amount)
	t.totals.CreditCount++
}

// pin: a PIN that was sent is the card's.
func (o *liveOracle) pin(r *oracleRecord, w wire, set *liveKeys) {
	block := must(hex.DecodeString(w.fields[52]))
	sealed, found := tags(w.fields[59])["A1"]
	if found {
		block = []byte(sealed)
	}
	if len(bytes.Trim(block, "\x00")) == 0 && !found {
		if w.part(22, 2, 3) == 1 && r.kind != "refund" && r.kind != "void" {
			o.t.Fatalf("a %s whose DE22 says PIN is approved without one", r.kind)
		}
		return
	}
	if r.card < 0 || !set.holdsPIN(block, livePINs[r.card], panIn(w)) {
		o.t.Fatalf("a %s is approved with a PIN that is not the card's", r.kind)
	}
	o.approved["with a PIN"]++
}

// serial: tag A2 is that of the device, over this card's last six digits; section 6.
func (o *liveOracle) serial(n int, w wire) {
	a2 := tags(tags(w.fields[59])["A2"])
	serial, pan := string(serialOf(n+1)), panIn(w)
	if a2["02"] != serial || a2["01"] != "02" || len(pan) < 6 || a2["03"] != pan[len(pan)-6:] ||
		a2["04"] != foldMAC(serialCipher(), []byte(serial+a2["03"])) {
		o.t.Fatal("a sale is approved without the proof of the serial number")
	}
}

func (o *liveOracle) reverse(t *oracleTerminal, key oracleKey, w wire, code string) {
	r := o.records[key]
	switch {
	case code == "25" && r == nil:
		o.records[key] = &oracleRecord{key: key, grave: true, code: "25"}
	case code != "00":
	case r == nil || r.grave:
		o.t.Fatal("a reversal of nothing is approved")
	case r.reversed:
		o.approved["reversal again"]++
	case r.code != "00" || r.kind == "balance":
		r.reversed, r.standing = true, false
	case !r.standing || r.refunded != 0 || key.batch != t.batch || r.amount != w.number(4):
		o.t.Fatalf("a reversal of a %s that cannot be reversed is approved", r.kind)
	case r.kind == "sale":
		r.reversed, r.standing = true, false
		o.balances[r.card] += r.amount
		t.totals.DebitAmount -= pos.Amount(r.amount)
		t.totals.DebitCount--
		o.approved["reversal of a sale"]++
	case r.kind == "void" && r.sale.voided:
		r.reversed, r.standing, r.sale.standing, r.sale.voided = true, false, true, false
		o.balances[r.card] -= r.amount
		t.totals.CreditAmount -= pos.Amount(r.amount)
		t.totals.CreditCount--
		o.approved["reversal of a void"]++
	default:
		o.t.Fatalf("a reversal of a %s is approved", r.kind)
	}
}

// money: what the host has of every card and batch is what the approvals on the wire make.
func (o *liveOracle) conserved(h *liveHost, after string) {
	for c, want := range o.balances {
		if got := h.balance(c); got != want {
			o.t.Fatalf("after %s: card %d has %d, the wire makes %d", after, c, got, want)
		}
	}
	for n, t := range o.terminals {
		id := terminalOf(n + 1)
		if got := h.ledger.TotalsOf(id); got != t.totals || int(h.ledger.BatchOf(id)) != t.batch {
			o.t.Fatalf("after %s: terminal %d has %+v in batch %d, the wire makes %+v in %d", after, n, got, h.ledger.BatchOf(id), t.totals, t.batch)
		}
	}
}
