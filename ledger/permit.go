package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
)

// unjudged is the permit of a terminal that was registered where permits are kept and is not judged yet.
var unjudged = registry.Standing{Facts: []registry.Fact{{Name: registry.FactRegistration, State: "not_judged_yet"}}}

// cashierKey is one cashier of one shop.
type cashierKey struct {
	merchant pos.MerchantID
	operator pos.Operator
}

// cashiers are the permits of people at the counter. They are made of the journal's acts by whoever keeps permits,
// so no entry of their own carries them.
type cashiers struct {
	mu     sync.RWMutex // a leaf: guards the fields below
	known  map[cashierKey]*registry.Standing
	others *registry.Standing // of an operator number that names nobody known; nil restricts nothing
}

// gather copies what the cashiers of a request and of a session's keys may do.
func (c *cashiers) gather(r *proof.Request, s *proof.Snapshot) {
	pending, inForce := s.Session.Pending.Operator, s.Session.InForce.Operator
	if r.Need == proof.SignIn {
		pending = r.Operator
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.others == nil && len(c.known) == 0 {
		return
	}
	s.Cashiers = [2]*registry.Standing{c.of(r.Merchant, pending), c.of(r.Merchant, inForce)}
}

func (c *cashiers) of(m pos.MerchantID, o pos.Operator) *registry.Standing {
	if o == (pos.Operator{}) {
		return c.others
	}
	if known := c.known[cashierKey{m, o}]; known != nil {
		return known
	}
	return c.others
}

// SetCashier says from here on what a cashier may do; nil forgets that the shop has one of this number.
func (l *Ledger) SetCashier(m pos.MerchantID, o pos.Operator, may *registry.Standing) {
	c := &l.cashiers
	c.mu.Lock()
	defer c.mu.Unlock()
	if may == nil {
		delete(c.known, cashierKey{m, o})
		return
	}
	if c.known == nil {
		c.known = map[cashierKey]*registry.Standing{}
	}
	c.known[cashierKey{m, o}] = may
}

// SetOtherCashiers says what somebody may do whom no shop has told us of; nil restricts nothing.
func (l *Ledger) SetOtherCashiers(may *registry.Standing) {
	l.cashiers.mu.Lock()
	defer l.cashiers.mu.Unlock()
	l.cashiers.others = may
}

// Cashier is what a cashier may do now, nil where nothing restricts.
func (l *Ledger) Cashier(m pos.MerchantID, o pos.Operator) *registry.Standing {
	l.cashiers.mu.RLock()
	defer l.cashiers.mu.RUnlock()
	return l.cashiers.of(m, o)
}

// Permitted is what the rule of the permit asks the ledger about one terminal.
type Permitted struct {
	Terminal *registry.Terminal
	Device   *registry.Device   // nil: not registered
	Standing *registry.Standing // nil: no entry says anything; its registration alone does
	Unjudged bool               // since it was registered, or since the start
	Operator pos.Operator       // who signed in for the keys in force; zero nobody in particular
}

// Permitted copies what is known of one terminal; ok is false for one that is not registered.
func (l *Ledger) Permitted(id pos.TerminalID) (p Permitted, ok bool) {
	t := l.terminal(id)
	if t == nil {
		return p, false
	}
	return l.permitted(t)
}

func (l *Ledger) permitted(t *terminal) (p Permitted, ok bool) {
	t.mu.Lock()
	p = Permitted{Terminal: t.reg, Standing: t.permit, Unjudged: t.unjudged, Operator: t.session.InForce.Operator}
	t.mu.Unlock()
	if p.Terminal == nil {
		return p, false
	}
	l.mu.RLock()
	p.Device = l.devices[p.Terminal.Serial]
	l.mu.RUnlock()
	return p, true
}

// EachPermitted gives f what is known of the terminals from place from on, at most n of them, in an order that
// stays, and returns the next place; 0 at the end.
func (l *Ledger) EachPermitted(from, n int, f func(Permitted)) (next int) {
	l.mu.RLock()
	slots := l.termSlots
	l.mu.RUnlock()
	to := min(from+n, len(slots))
	for _, t := range slots[min(from, to):to] {
		if p, ok := l.permitted(t); ok {
			f(p)
		}
	}
	if to == len(slots) {
		return 0
	}
	return to
}

// Judged says that a terminal was judged and its registration is all that restricts it: no entry is needed. It
// changes nothing where an entry says otherwise.
func (l *Ledger) Judged(id pos.TerminalID) {
	t := l.terminal(id)
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.unjudged {
		t.unjudged = false
		t.version++
	}
}

// standing is the permit as a snapshot has it; t.mu is held.
func (t *terminal) standing() *registry.Standing {
	if t.unjudged {
		return &unjudged
	}
	return t.permit
}

// permitEntry is the entry of the permit, 0 none; t.mu is held.
func (t *terminal) permitEntry() uint64 {
	if t.permit == nil {
		return 0
	}
	return t.permit.Entry
}

// foldPermits gives terminals their new permit under all their locks, taken in ascending order, so that the journal
// has the entry before anything that the permit let happen.
func (l *Ledger) foldPermits(e journal.Entry, set *registry.PermitSet, enqueue func() (uint64, error)) error {
	if err := set.Check(); err != nil {
		return err
	}
	named := make([]*terminal, 0, len(set.Terminals))
	l.mu.RLock()
	for _, id := range set.Terminals {
		if t := l.terminals[id]; t != nil {
			named = append(named, t)
		}
	}
	l.mu.RUnlock()
	for _, t := range named {
		t.mu.Lock()
	}
	defer func() {
		for _, t := range named {
			t.mu.Unlock()
		}
	}()
	seq, err := enqueue()
	if err != nil {
		return err
	}
	standing := set.Standing(seq, e.At)
	for _, t := range named {
		t.unjudged = false
		if t.permit == nil || seq > t.permit.Entry {
			t.permit, t.touched = standing, true
			t.version++
		}
	}
	return nil
}

// loadPermits reads the entries that the slabs name as those of the terminals' permits.
func (l *Ledger) loadPermits(ctx context.Context) error {
	entries := map[uint64]*registry.PermitSet{}
	shared := map[uint64]*registry.Standing{}
	for _, t := range l.termSlots {
		if t.permit == nil {
			continue
		}
		seq := t.permit.Entry
		if entries[seq] == nil {
			e, err := l.history.Entry(ctx, seq)
			if err != nil {
				return err
			}
			set := new(registry.PermitSet)
			if e.Kind != journal.KindPermit || json.Unmarshal(e.Body, set) != nil {
				return fmt.Errorf("%w: entry %d gives no permit", ErrSlab, seq)
			}
			entries[seq], shared[seq] = set, set.Standing(seq, e.At)
		}
		if _, named := slices.BinarySearchFunc(entries[seq].Terminals, t.id, func(a, b pos.TerminalID) int { return slices.Compare(a[:], b[:]) }); !named {
			return fmt.Errorf("%w: entry %d does not name terminal %s", ErrSlab, seq, t.id)
		}
		t.permit = shared[seq]
	}
	return nil
}

// May is what the terminal may do now, in plain form.
func (p *Permitted) May() registry.Permit {
	switch {
	case p.Unjudged:
		return registry.BlockedPermit
	case p.Standing == nil:
		return p.Terminal.Permit.Plain()
	}
	return p.Standing.Permit.Meet(p.Terminal.Permit)
}

// Restricted tells whether a fact is among those that make the permit less than full.
func (p *Permitted) Restricted(by registry.FactName) bool {
	if p.Standing == nil {
		return by == registry.FactRegistration && p.Terminal.Permit.Plain() != registry.FullPermit
	}
	return slices.ContainsFunc(p.Standing.Facts, func(f registry.Fact) bool { return f.Name == by })
}
