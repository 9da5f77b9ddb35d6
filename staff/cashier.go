package staff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
)

// Cashier is one person at the counter of one shop. The terminal's sign-in names the operator number; the shop is
// that of the terminal. A number may be given to another person after the first has left.
type Cashier struct {
	Merchant string      `json:"merchant"`       // DE42, 15 characters
	Operator string      `json:"operator"`       // DE63.1 without filling spaces, 1 to 3 characters
	Name     string      `json:"name"`           // of the person, at most MaxCashierName bytes
	Since    pos.Instant `json:"since"`          // when the number was given to this person
	Left     pos.Instant `json:"left,omitempty"` // when the person left; 0 works here

	entry uint64 // the journal's entry of this record
}

// Bounds of the cashiers.
const (
	MaxCashiers     = 1_000_000
	MaxCashierName  = 100
	cashierActor    = "cashier:" // how an act names a cashier
	cashierSubject  = cashierActor
	accountSubject  = "account:"
	merchantSubject = "merchant:"
)

// NounCashier is the noun of a Cashier; its ID is CashierID.
const NounCashier = "cashier"

// CashierID names a cashier everywhere: merchant/operator.
func CashierID(merchant pos.MerchantID, operator pos.Operator) string {
	return merchant.String() + "/" + operator.String()
}

// CashierActor is how an act names a cashier; journal.Act.
func CashierActor(merchant pos.MerchantID, operator pos.Operator) string {
	return cashierActor + CashierID(merchant, operator)
}

// AddCashier is the decision to give an operator number of a shop to a person. Another name is another person, who
// begins without training, also where nobody said that the one before has left. An account whose role is merchant adds to its own shop alone.
func AddCashier(s *State, merchant pos.MerchantID, operator pos.Operator, name string, by []string, now pos.Instant) ([]journal.Draft, error) {
	name = strings.Join(strings.Fields(name), " ")
	id := CashierID(merchant, operator)
	if err := s.mayRunShop(by, merchant); err != nil {
		return nil, err
	}
	old := s.cashiers[id]
	switch {
	case operator == pos.Operator{}:
		return nil, fmt.Errorf("%w: operator number: want 1 to 3 digits or letters", ErrAccount)
	case name == "" || len(name) > MaxCashierName:
		return nil, fmt.Errorf("%w: want the cashier's name, at most %d bytes", ErrAccount, MaxCashierName)
	case !printable(name):
		return nil, errPrintable
	case old == nil && len(s.cashiers) >= MaxCashiers:
		return nil, fmt.Errorf("%w: %d cashiers is the most", ErrAccount, MaxCashiers)
	}
	c := &Cashier{Merchant: merchant.String(), Operator: operator.String(), Name: name, Since: now}
	verb := "cashier_added"
	if old != nil && old.Left == 0 && foldName(old.Name) == foldName(name) {
		c.Since, verb = old.Since, "cashier_changed"
	}
	return draft(verb, by, "", NounCashier, id, c)
}

// LeaveCashier is the decision that a cashier works in the shop no longer. Whoever gets the number next begins
// without training.
func LeaveCashier(s *State, merchant pos.MerchantID, operator pos.Operator, by []string, now pos.Instant) ([]journal.Draft, error) {
	id := CashierID(merchant, operator)
	if err := s.mayRunShop(by, merchant); err != nil {
		return nil, err
	}
	old := s.cashiers[id]
	if old == nil || old.Left != 0 {
		return nil, fmt.Errorf("%w: no cashier %s works there", ErrAccount, id)
	}
	c := *old
	c.Left = now
	return draft("cashier_left", by, "", NounCashier, id, &c)
}

// mayRunShop refuses an account that is a shop's own where the shop is another. Actors that are no accounts, such
// as setup, were let in by the program.
func (s *State) mayRunShop(by []string, merchant pos.MerchantID) error {
	for _, name := range by {
		if a := s.accounts[name]; a != nil && !a.May(Support, Security, Field, Administrator) && a.Shop != merchant.String() {
			return fmt.Errorf("%w: account %s is of another shop", ErrRole, name)
		}
	}
	return nil
}

// Cashier is a cashier's record, nil when there is none.
func (s *State) Cashier(id string) *Cashier { return s.cashiers[id] }

// Cashiers lists the cashiers of a shop, or of every shop when merchant is "", by their ID.
func (s *State) Cashiers(merchant string) (list []*Cashier) {
	for _, c := range s.cashiers {
		if merchant == "" || c.Merchant == merchant {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b *Cashier) int {
		return cmp.Or(cmp.Compare(a.Merchant, b.Merchant), cmp.Compare(a.Operator, b.Operator))
	})
	return list
}

// The states of registry.FactCashier besides registry.Good and "" for an operator that nobody registered.
const (
	CashierLapsed    = "lapsed"    // trained, and longer ago than a training is valid
	CashierUntrained = "untrained" // no test passed since the number was given to this person
	CashierLeft      = "left"      // works there no longer
)

// CashierFact tells what is known of the training of the cashier who signed in under an operator number: good,
// lapsed, untrained or left; unknown when no such cashier is registered or nobody is named. Detail is the cashier's
// ID; Restore is what would make the fact good.
func (s *State) CashierFact(merchant pos.MerchantID, operator string, now pos.Instant) registry.Fact {
	f := registry.Fact{Name: registry.FactCashier}
	number, err := pos.ParseOperator(operator)
	if err != nil {
		return f
	}
	f.Detail = CashierID(merchant, number)
	c := s.cashiers[f.Detail]
	if c == nil {
		return f
	}
	f.Restore = "touchstone train --merchant " + c.Merchant + " --operator " + c.Operator
	last := s.lastPass(cashierSubject+f.Detail, CounterTopic, c.Since)
	switch {
	case c.Left != 0:
		f.State, f.Since, f.Entry, f.Restore = CashierLeft, c.Left, c.entry, ""
	case last == nil:
		f.State, f.Since, f.Entry = CashierUntrained, c.Since, c.entry
	case now >= last.record.Until:
		f.State, f.Since, f.Entry = CashierLapsed, last.record.Until, last.seq
	default:
		f.State, f.Since, f.Until, f.Entry, f.Restore = registry.Good, last.record.Ended, last.record.Until, last.seq, ""
	}
	return f
}
