package staff

import (
	"cmp"
	"slices"

	"touchstone/pos"
)

// AllCashiers lists every cashier in no order. Records are shared and not changed.
func (s *State) AllCashiers() []*Cashier {
	list := make([]*Cashier, 0, len(s.cashiers))
	for _, c := range s.cashiers {
		list = append(list, c)
	}
	return list
}

// StandingOf is what the training register says of one cashier; CashierRegister says the same of many.
func (s *State) StandingOf(c *Cashier, now pos.Instant) Standing {
	st := s.standing(cashierSubject+c.Merchant+"/"+c.Operator, CounterTopic, c.Since, now)
	if st.Name = c.Name; c.Left != 0 {
		st.State = CashierLeft
	}
	return st
}

// CashiersAfter lists at most n cashiers of a shop, or of all where it is "", whose CashierID comes after one, in order.
func (s *State) CashiersAfter(merchant, after string, n int) []*Cashier {
	var list []*Cashier
	less := func(a, b *Cashier) int {
		return cmp.Or(cmp.Compare(a.Merchant, b.Merchant), cmp.Compare(a.Operator, b.Operator))
	}
	for _, c := range s.cashiers {
		if merchant != "" && c.Merchant != merchant || c.Merchant+"/"+c.Operator <= after {
			continue
		}
		if list = append(list, c); len(list) >= 4*n+64 {
			slices.SortFunc(list, less)
			list = list[:n]
		}
	}
	slices.SortFunc(list, less)
	return list[:min(n, len(list))]
}
