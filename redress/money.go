package redress

import (
	"encoding/json"
	"fmt"
	"slices"

	"touchstone/journal"
	"touchstone/pos"
)

// Books is the money equation, computed from the entries of the journal alone: from acts what was claimed and
// approved, from exchanges what moved. It uses nothing that State, the ledger or a view has made of them, so that
// it can contradict them. It is folded over the journal twice, in order: see Passes.
type Books struct {
	incident string
	pass     int
	claims   map[string]*Claim
	payments []journal.Payment
	cards    map[pos.PANHash]*cardBook
	sales    map[uint64]*saleBook
	voids    map[uint64]uint64 // the sale of a void
	last     uint64
}

// Passes is how often the journal is folded: the second time for the sales and cards that the first found paid.
const Passes = 2

// cardBook is what one card gave and got, minor units.
type cardBook struct{ taken, returned, compensated pos.Amount }

// saleBook is what one sale was and what went back for it.
type saleBook struct{ amount, returned pos.Amount }

// NewBooks begins books on the claims of an incident, or on every claim.
func NewBooks(incident string) *Books {
	return &Books{incident: incident, pass: 1, claims: map[string]*Claim{}, cards: map[pos.PANHash]*cardBook{}, sales: map[uint64]*saleBook{}, voids: map[uint64]uint64{}}
}

// Again begins the second pass.
func (b *Books) Again() {
	b.pass, b.last = 2, 0
	for i := range b.payments {
		b.cards[b.payments[i].Card], b.sales[b.payments[i].Sale] = &cardBook{}, &saleBook{}
	}
}

// Fold takes one entry, in order. Entries of later versions are passed over.
func (b *Books) Fold(e journal.Entry) error {
	b.last = e.Seq
	switch e.Kind {
	case journal.KindRedress:
		if b.pass > 1 {
			return nil
		}
		return b.act(e)
	case journal.KindExchange:
		var x journal.Exchange
		if err := x.Parse(e); err != nil {
			return fmt.Errorf("entry %d: %w", e.Seq, err)
		}
		if p, ok := x.Payment(e.Seq); ok && b.pass == 1 {
			b.payments = append(b.payments, p)
		}
		if b.pass > 1 {
			b.move(e.Seq, &x)
		}
	}
	return nil
}

func (b *Books) act(e journal.Entry) error {
	var act journal.Act
	if err := json.Unmarshal(e.Body, &act); err != nil {
		return fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	for _, c := range act.Changes {
		if c.Noun != NounClaim {
			continue
		}
		claim := new(Claim)
		if err := json.Unmarshal(c.Record, claim); err != nil {
			return fmt.Errorf("entry %d: claim %s: %w", e.Seq, c.ID, err)
		}
		b.claims[c.ID] = claim
	}
	return nil
}

// move books what a message did to a card and a sale that a claim was paid for.
func (b *Books) move(seq uint64, x *journal.Exchange) {
	if s := b.sales[seq]; s != nil {
		s.amount = x.Amount
	}
	of := x.Original
	if x.Effect == journal.ReversedVoid {
		of = b.voids[x.Original] // it names the void, whose sale stands again
	}
	if s := b.sales[of]; s != nil {
		switch x.Effect {
		case journal.VoidedSale:
			b.voids[seq] = of
			s.returned += x.Delta
		case journal.Refunded, journal.ReversedSale, journal.ReversedVoid:
			s.returned += x.Delta
		}
	}
	c := b.cards[x.Card]
	if c == nil {
		return
	}
	switch x.Effect {
	case journal.Sold:
		c.taken -= x.Delta
	case journal.Refunded, journal.VoidedSale, journal.ReversedSale, journal.ReversedVoid:
		c.returned += x.Delta
	case journal.Compensated:
		c.compensated += x.Delta
	}
}

// Money is the equation. Amounts are minor units of CNY.
type Money struct {
	Incident string `json:"incident,omitempty"`
	Through  uint64 `json:"through"` // the last entry of the journal that was read

	Claims        int        `json:"claims"`
	Claimed       pos.Amount `json:"claimed"`
	Open          int        `json:"open"`
	OpenAmount    pos.Amount `json:"open_amount"`
	Refused       int        `json:"refused"`
	RefusedAmount pos.Amount `json:"refused_amount"`

	Approved     int                  `json:"approved"`
	Refunds      Line                 `json:"refunds"`
	Compensation Line                 `json:"compensation"`
	ByPayer      map[Payer]pos.Amount `json:"paid_by_payer,omitempty"` // compensation paid

	Out        pos.Amount `json:"money_out"` // credited to cards by exchanges that name these claims
	Differs    []string   `json:"differs,omitempty"`
	Reconciles bool       `json:"reconciles"`
}

// Line is one kind of money: Approved is Paid, Due and Lapsed.
type Line struct {
	Approved pos.Amount `json:"approved"`
	Paid     pos.Amount `json:"paid"`
	Due      pos.Amount `json:"due"`
	Lapsed   pos.Amount `json:"lapsed"` // approved, and then refused by the money rules or the bank
}

func (m *Money) line(part journal.Part) *Line {
	if part == journal.RefundPart {
		return &m.Refunds
	}
	return &m.Compensation
}

// maxDiffers bounds what is told of a difference.
const maxDiffers = 20

func (m *Money) differs(text string, args ...any) {
	if len(m.Differs) < maxDiffers {
		m.Differs = append(m.Differs, fmt.Sprintf(text, args...))
	}
}

// Money closes the books.
func (b *Books) Money() *Money {
	m := &Money{Incident: b.incident, Through: b.last, ByPayer: map[Payer]pos.Amount{}}
	paid := b.match(m)
	ids := make([]string, 0, len(b.claims))
	for id := range b.claims {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if c := b.claims[id]; b.counts(c) {
			m.claim(c, paid)
		}
	}
	for _, l := range []struct {
		part journal.Part
		Line
	}{{journal.RefundPart, m.Refunds}, {journal.CompensationPart, m.Compensation}} {
		if l.Approved != l.Paid+l.Due+l.Lapsed {
			m.differs("%s: approved %s is not paid %s, due %s and lapsed %s", l.part, l.Approved, l.Paid, l.Due, l.Lapsed)
		}
	}
	if m.Out != m.Refunds.Paid+m.Compensation.Paid {
		m.differs("cards were credited %s, and the claims account for %s", m.Out, m.Refunds.Paid+m.Compensation.Paid)
	}
	b.bounds(m)
	m.Reconciles = len(m.Differs) == 0
	return m
}

func (b *Books) counts(c *Claim) bool {
	return c != nil && (b.incident == "" || c.Incident == b.incident)
}

// match sums the payments by claim and part, and finds those that no approval accounts for.
func (b *Books) match(m *Money) map[paymentKey]pos.Amount {
	paid := map[paymentKey]pos.Amount{}
	for i := range b.payments {
		p := &b.payments[i]
		c := b.claims[p.Claim]
		if c == nil {
			m.differs("entry %d paid %s for claim %s, which was never made", p.Entry, p.Amount, p.Claim)
			continue
		}
		if !b.counts(c) {
			continue
		}
		m.Out += p.Amount
		k := paymentKey{p.Claim, p.Part}
		if paid[k] != 0 {
			m.differs("entry %d paid the %s of claim %s again", p.Entry, p.Part, p.Claim)
		}
		if p.Sale != c.Sale {
			m.differs("entry %d paid claim %s for another sale", p.Entry, p.Claim)
		}
		paid[k] += p.Amount
	}
	return paid
}

// claim adds one claim.
func (m *Money) claim(c *Claim, paid map[paymentKey]pos.Amount) {
	m.Claims, m.Claimed = m.Claims+1, m.Claimed+c.Amount
	switch c.State {
	case ClaimOpen:
		m.Open, m.OpenAmount = m.Open+1, m.OpenAmount+c.Amount
	case ClaimRefused:
		m.Refused, m.RefusedAmount = m.Refused+1, m.RefusedAmount+c.Amount
	default:
		m.Approved++
	}
	for part, approved := range map[journal.Part]pos.Amount{journal.RefundPart: c.Refund, journal.CompensationPart: c.Compensation} {
		l, out := m.line(part), paid[paymentKey{c.ID, part}]
		l.Approved, l.Paid = l.Approved+approved, l.Paid+out
		if part == journal.CompensationPart && out > 0 {
			m.ByPayer[c.Payer] += out
		}
		lapsed := slices.ContainsFunc(c.Settled, func(x Settlement) bool { return x.Part == part && x.Refused != "" })
		noted := slices.ContainsFunc(c.Settled, func(x Settlement) bool { return x.Part == part && x.Refused == "" })
		switch {
		case out != 0 && out != approved:
			m.differs("claim %s: %s approved %s, paid %s", c.ID, part, approved, out)
		case out != 0 && lapsed:
			m.differs("claim %s: %s was paid and is noted as not paid", c.ID, part)
		case out == 0 && noted:
			m.differs("claim %s: %s is noted as paid, and no exchange paid it", c.ID, part)
		case out == 0 && lapsed:
			l.Lapsed += approved
		case out == 0:
			l.Due += approved
		}
	}
}

// bounds checks what no mixture of refund, void, reversal and redress may pass.
func (b *Books) bounds(m *Money) {
	seen := map[pos.PANHash]bool{}
	for i := range b.payments {
		p := &b.payments[i]
		if s := b.sales[p.Sale]; s != nil && s.returned > s.amount {
			m.differs("the sale of entry %d was %s, and %s went back for it", p.Sale, s.amount, s.returned)
		}
		if c := b.cards[p.Card]; c != nil && !seen[p.Card] {
			seen[p.Card] = true
			if c.returned > c.taken {
				m.differs("%s were taken from card %s, and %s went back", c.taken, p.Shown, c.returned)
			}
			if approved := b.compensations(p.Card); c.compensated > approved {
				m.differs("card %s got %s of compensation, and %s were approved", p.Shown, c.compensated, approved)
			}
		}
	}
}

// compensations is what was approved for a card, of the claims that paid to it.
func (b *Books) compensations(card pos.PANHash) (sum pos.Amount) {
	seen := map[string]bool{}
	for i := range b.payments {
		if p := &b.payments[i]; p.Card == card && !seen[p.Claim] && b.claims[p.Claim] != nil {
			seen[p.Claim] = true
			sum += b.claims[p.Claim].Compensation
		}
	}
	return sum
}
