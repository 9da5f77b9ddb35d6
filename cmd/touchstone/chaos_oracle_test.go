package main

import (
	"context"
	"fmt"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/sqlite"
	"touchstone/terminal"
)

// The oracle of the fault proxy's tests has two halves that know nothing of each other. books is what
// the host's journal says, folded here and not by the ledger; till is what the terminal was told. At the
// end both must say the same of every sale.

type saleKey struct {
	terminal pos.TerminalID
	batch    pos.BatchNo
	trace    pos.STAN
}

// money is one entry of the journal that moved money.
type money struct {
	kind     journal.Effect
	seq      uint64
	amount   pos.Amount
	auth     string
	card     pos.PANHash
	voided   bool
	reversed bool
	refunded pos.Amount
	sale     *money // of a void
}

func (m *money) stands() bool { return m != nil && !m.reversed && !m.voided }

type batchKey struct {
	terminal pos.TerminalID
	batch    pos.BatchNo
}

// books is the fold.
type books struct {
	bySeq    map[uint64]*money
	byTrace  map[saleKey]*money // sales and voids
	refunds  map[saleKey]*money
	moved    map[pos.PANHash]pos.Amount
	totals   map[batchKey]journal.Totals
	settled  map[batchKey]journal.Totals // as the terminal claimed
	wrong    []string
	messages int
}

// readBooks folds a journal.
func readBooks(ctx context.Context, store *sqlite.Store) (*books, error) {
	b := &books{bySeq: map[uint64]*money{}, byTrace: map[saleKey]*money{}, refunds: map[saleKey]*money{}, moved: map[pos.PANHash]pos.Amount{},
		totals: map[batchKey]journal.Totals{}, settled: map[batchKey]journal.Totals{}}
	verifier := journal.NewVerifier(0, journal.Hash{})
	err := store.Blocks(ctx, 1, func(block journal.Block) error {
		if err := verifier.Block(block); err != nil {
			return err
		}
		return block.Each(func(e journal.Entry) error {
			var x journal.Exchange
			if e.Kind != journal.KindExchange {
				return nil
			}
			if err := x.Parse(e); err != nil {
				return err
			}
			b.messages++
			b.fold(e.Seq, &x)
			return nil
		})
	})
	return b, err
}

func (b *books) complain(seq uint64, format string, args ...any) {
	b.wrong = append(b.wrong, fmt.Sprintf("entry %d: ", seq)+fmt.Sprintf(format, args...))
}

// fold takes one message. Every effect must be one that its original allows, once.
func (b *books) fold(seq uint64, x *journal.Exchange) {
	k := saleKey{x.Terminal, x.Batch, x.STAN}
	t := b.totals[batchKey{x.Terminal, x.Batch}]
	var move pos.Amount
	switch x.Effect {
	case journal.Sold:
		if b.byTrace[k] != nil {
			b.complain(seq, "trace %s moved money already", x.STAN)
		}
		b.enter(k, b.byTrace, &money{kind: x.Effect, seq: seq, amount: x.Amount, auth: x.AuthCode.String(), card: x.Card})
		move = -x.Amount
		t.DebitAmount += x.Amount
		t.DebitCount++
	case journal.VoidedSale:
		sale := b.bySeq[x.Original]
		if sale == nil || sale.kind != journal.Sold || !sale.stands() || sale.refunded != 0 || sale.amount != x.Amount || b.byTrace[k] != nil {
			b.complain(seq, "a void of what cannot be voided")
			return
		}
		sale.voided = true
		b.enter(k, b.byTrace, &money{kind: x.Effect, seq: seq, amount: x.Amount, card: sale.card, sale: sale})
		move = x.Amount
		t.CreditAmount += x.Amount
		t.CreditCount++
	case journal.Refunded:
		sale := b.bySeq[x.Original]
		if sale == nil || sale.kind != journal.Sold || !sale.stands() || sale.refunded+x.Amount > sale.amount || b.refunds[k] != nil {
			b.complain(seq, "a refund of what cannot be refunded")
			return
		}
		sale.refunded += x.Amount
		b.enter(k, b.refunds, &money{kind: x.Effect, seq: seq, amount: x.Amount, card: sale.card})
		move = x.Amount
		t.CreditAmount += x.Amount
		t.CreditCount++
	case journal.ReversedSale, journal.ReversedVoid:
		move = b.reverse(seq, x, &t)
	case journal.Settled:
		b.settled[batchKey{x.Terminal, x.Batch}] = x.Claimed
		return
	}
	if x.Delta != move {
		b.complain(seq, "%s of %d moved %d", x.Effect, x.Amount, x.Delta)
	}
	b.moved[x.Card] += x.Delta
	b.totals[batchKey{x.Terminal, x.Batch}] = t
}

func (b *books) reverse(seq uint64, x *journal.Exchange, t *journal.Totals) (move pos.Amount) {
	o := b.bySeq[x.Original]
	want := map[journal.Effect]journal.Effect{journal.ReversedSale: journal.Sold, journal.ReversedVoid: journal.VoidedSale}[x.Effect]
	if o == nil || o.kind != want || !o.stands() || o.refunded != 0 || o.amount != x.Amount || o != b.byTrace[saleKey{x.Terminal, x.Batch, x.STAN}] {
		b.complain(seq, "a reversal of what cannot be reversed")
		return 0
	}
	if _, closed := b.settled[batchKey{x.Terminal, x.Batch}]; closed {
		b.complain(seq, "a reversal in a settled batch")
	}
	o.reversed = true
	if x.Effect == journal.ReversedSale {
		t.DebitAmount -= o.amount
		t.DebitCount--
		return o.amount
	}
	t.CreditAmount -= o.amount
	t.CreditCount--
	o.sale.voided = false
	return -o.amount
}

func (b *books) enter(k saleKey, in map[saleKey]*money, m *money) {
	in[k] = m
	b.bySeq[m.seq] = m
}

// till is the fold of what the terminal was told.
type till struct {
	sales    map[saleKey]*tillSale
	voids    map[saleKey]*tillSale
	refunds  map[saleKey]*tillSale
	open     bool // some refund's answer never came: only the totals tell
	settles  []terminal.Result
	messages int
}

type tillSale struct {
	terminal.Result
	approved bool // and not undone
	voided   bool
	original *tillSale // of a void
}

func readTill(s *chaosShop) *till {
	t := &till{sales: map[saleKey]*tillSale{}, voids: map[saleKey]*tillSale{}, refunds: map[saleKey]*tillSale{}}
	for _, r := range s.heard {
		t.messages++
		k := saleKey{s.id, r.Batch, r.Trace}
		switch r.Operation {
		case "sale":
			t.sales[k] = &tillSale{Result: r, approved: r.Approved}
		case "void":
			v := &tillSale{Result: r, approved: r.Approved, original: t.sales[saleKey{s.id, r.Batch, s.voids[r.Trace]}]}
			t.voids[k] = v
			if v.approved && v.original != nil {
				v.original.voided = true
			}
		case "refund":
			t.refunds[k] = &tillSale{Result: r, approved: r.Approved}
			t.open = t.open || !r.Approved && r.Outcome != terminal.Refused && r.Outcome != terminal.NoConnection
		case "reversal":
			t.undo(k, r)
		case "settle":
			t.settles = append(t.settles, r)
		}
	}
	return t
}

// undo takes a reversal that was accepted.
func (t *till) undo(k saleKey, r terminal.Result) {
	if !r.Approved {
		return
	}
	if s := t.sales[k]; s != nil {
		s.approved = false
	}
	if v := t.voids[k]; v != nil {
		if v.approved && v.original != nil {
			v.original.voided = false
		}
		v.approved = false
	}
}

// agree compares both sides on one terminal and tells what they disagree in.
func agree(b *books, t *till, id pos.TerminalID) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for k, s := range t.sales {
		m := b.byTrace[k]
		switch {
		case s.approved && !s.voided && !m.stands():
			say("sale %s: the terminal has it approved, the host does not keep the money", k.trace)
		case s.approved && s.voided && (m == nil || m.reversed || !m.voided):
			say("sale %s: the terminal has it voided, the host does not", k.trace)
		case !s.approved && m.stands():
			say("sale %s: the terminal has %s, the host keeps the money", k.trace, s.Outcome)
		case !s.approved && m != nil && m.voided:
			say("sale %s: the terminal has %s, the host has it voided", k.trace, s.Outcome)
		case s.approved && (m.amount != s.Amount || fmt.Sprintf("%012d", m.seq) != s.RRN.String() || m.auth != s.AuthCode.String()):
			say("sale %s: amount, reference or authorization differ: %d %s", k.trace, s.Amount, s.RRN)
		}
	}
	for k, v := range t.voids {
		m := b.byTrace[k]
		if v.approved != m.stands() {
			say("void %s: at the terminal %t, at the host %t", k.trace, v.approved, m.stands())
		}
	}
	for k, r := range t.refunds {
		m := b.refunds[k]
		known := r.Approved || r.Outcome == terminal.Refused || r.Outcome == terminal.NoConnection
		if known && r.Approved != (m != nil) || r.Approved && m.amount != r.Amount {
			say("refund %s: at the terminal %s, at the host %t", k.trace, r.Outcome, m != nil)
		}
	}
	for k, m := range b.byTrace {
		if k.terminal == id && t.sales[k] == nil && t.voids[k] == nil {
			say("entry %d: money for trace %s, which the terminal never used", m.seq, k.trace)
		}
	}
	return append(wrong, settlements(b, t, id)...)
}

// settlements: what the terminal was told of a batch is what the books say of it.
func settlements(b *books, t *till, id pos.TerminalID) (wrong []string) {
	for _, r := range t.settles {
		if !r.Approved {
			continue
		}
		k := batchKey{id, r.Batch}
		claimed, closed := b.settled[k]
		d := r.Settlement.Domestic
		mine := journal.Totals{DebitAmount: d.Debit, DebitCount: uint32(d.DebitCount), CreditAmount: d.Credit, CreditCount: uint32(d.CreditCount)}
		balanced := r.Outcome == terminal.Done
		switch {
		case !closed || claimed != mine:
			wrong = append(wrong, fmt.Sprintf("settlement %s: accepted with %+v, the journal has %+v", r.Batch, mine, claimed))
		case balanced != (mine == b.totals[k]):
			wrong = append(wrong, fmt.Sprintf("settlement %s: balanced is %t, claimed %+v, the books say %+v", r.Batch, balanced, mine, b.totals[k]))
		case !balanced && !t.open:
			wrong = append(wrong, fmt.Sprintf("settlement %s: the totals differ and no refund is open: claimed %+v, the books say %+v", r.Batch, mine, b.totals[k]))
		}
	}
	return wrong
}
