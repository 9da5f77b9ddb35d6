package failure

import (
	"touchstone/effectiveness"
	"touchstone/journal"
	"touchstone/pos"
)

// Fate is what became of a purchase that security refused. The zero value is that it may still be tried again.
type Fate uint8

// The fates.
const (
	Waiting   Fate = iota // refused less than RecoverWithin ago
	Recovered             // the same shop sold for the same amount within RecoverWithin
	Lost                  // it did not
	fates
)

var fateNames = [fates]string{"waiting", "recovered", "lost"}

// String is the stable word.
func (f Fate) String() string {
	if f < fates {
		return fateNames[f]
	}
	return fateNames[Waiting]
}

// Purchases are counted in number and money, in minor units of the acquirer's currency. Wrong are those of them of which
// it is proven that an honest terminal was refused; Unknown those of which nothing is.
type Purchases struct {
	Number        uint64     `json:"number"`
	Amount        pos.Amount `json:"amount"`
	Wrong         uint64     `json:"wrong"`
	WrongAmount   pos.Amount `json:"wrong_amount"`
	Unknown       uint64     `json:"unknown"`
	UnknownAmount pos.Amount `json:"unknown_amount"`
}

func (p *Purchases) add(o Purchases) {
	p.Number += o.Number
	p.Amount += o.Amount
	p.Wrong += o.Wrong
	p.WrongAmount += o.WrongAmount
	p.Unknown += o.Unknown
	p.UnknownAmount += o.UnknownAmount
}

// purchaseKey is what a second try has in common with the first. The card is not part of it: a message whose MAC did not
// verify has none that may be believed.
type purchaseKey struct {
	merchant pos.MerchantID
	amount   pos.Amount
	currency pos.Currency
}

// purchase is what one customer wanted to pay once: a refused sale and its further tries.
type purchase struct {
	key     purchaseKey
	first   pos.Instant
	hour    effectiveness.Hour
	justice Justice
	fate    Fate
}

// one is a purchase as the hour counts it.
func (p *purchase) one() Purchases {
	o := Purchases{Number: 1, Amount: p.key.amount}
	switch p.justice {
	case Wrong:
		o.Wrong, o.WrongAmount = 1, p.key.amount
	case Unknown:
		o.Unknown, o.UnknownAmount = 1, p.key.amount
	}
	return o
}

// tried counts a refused sale; further tries of it are the same purchase. It gives nil over the bound.
func (t *Table) tried(x *journal.Exchange, j Justice) *purchase {
	key := purchaseKey{x.Merchant, x.Amount, x.Currency}
	if p := t.open[key]; p != nil {
		t.rejudge(p, j)
		return p
	}
	if len(t.queue) >= t.bounds.Attempts {
		return nil
	}
	p := &purchase{key: key, first: x.At, hour: effectiveness.HourOf(x.At), justice: j}
	t.open[key] = p
	t.queue = append(t.queue, p)
	t.count(p, func(all *Purchases, o Purchases) { all.add(o) })
	return p
}

// rejudge takes what is known of a further try, or of a cause: one honest try that was refused is a wrong refusal, and
// one that is unknown leaves the whole unknown unless another is proven.
func (t *Table) rejudge(p *purchase, j Justice) {
	better := p.justice
	switch {
	case j == Wrong, p.justice == Unknown && j == Right:
		better = j
	}
	if better == p.justice {
		return
	}
	t.count(p, (*Purchases).take)
	p.justice = better
	t.count(p, func(all *Purchases, o Purchases) { all.add(o) })
}

// take removes what was counted.
func (p *Purchases) take(o Purchases) {
	p.Number -= o.Number
	p.Amount -= o.Amount
	p.Wrong -= o.Wrong
	p.WrongAmount -= o.WrongAmount
	p.Unknown -= o.Unknown
	p.UnknownAmount -= o.UnknownAmount
}

func (t *Table) count(p *purchase, f func(*Purchases, Purchases)) {
	if h := t.hours[p.hour]; h != nil {
		f(&h.purchases[p.fate], p.one())
	}
}

// ends moves a purchase to its fate.
func (t *Table) ends(p *purchase, fate Fate) {
	t.count(p, (*Purchases).take)
	p.fate = fate
	t.count(p, func(all *Purchases, o Purchases) { all.add(o) })
	if t.open[p.key] == p {
		delete(t.open, p.key)
	}
}

// bought is an approved sale: it recovers one purchase of the same shop and amount, if one waits.
func (t *Table) bought(x *journal.Exchange) {
	p := t.open[purchaseKey{x.Merchant, x.Amount, x.Currency}]
	if p != nil && x.At >= p.first && x.At.Sub(p.first) <= RecoverWithin {
		t.ends(p, Recovered)
	}
}

// closePurchases calls lost what was not tried again in time.
func (t *Table) closePurchases() {
	n := 0
	for _, p := range t.queue {
		if p.fate == Waiting {
			if t.newest.Sub(p.first) <= RecoverWithin {
				break
			}
			t.ends(p, Lost)
		}
		n++
	}
	if n > 0 {
		t.queue = append(t.queue[:0], t.queue[n:]...)
	}
}
