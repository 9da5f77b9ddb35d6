package main

import (
	"container/heap"
	"encoding/json"
	"strings"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/staff"
)

// cashierMarks are the cashiers whose permit may have changed; permits.mu guards them.
type cashierMarks struct {
	all   bool                // the policy changed, or this is a start
	ids   map[string]struct{} // by staff.CashierID
	due   cashierHeap         // when time alone changes what is known of one, the first in front
	dueAt map[string]pos.Instant
}

// cashierHeap is as dueHeap.
type cashierHeap []cashierDue

type cashierDue struct {
	at pos.Instant
	id string
}

func (h cashierHeap) Len() int           { return len(h) }
func (h cashierHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h cashierHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push is heap.Interface's.
func (h *cashierHeap) Push(x any) { *h = append(*h, x.(cashierDue)) }

// Pop is heap.Interface's.
func (h *cashierHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// folded marks the cashier that a change is about, and tells whether there is one.
func (m *cashierMarks) folded(c journal.Change) bool {
	id := c.ID
	switch c.Noun {
	case staff.NounCashier:
	case staff.NounTraining:
		var about struct {
			Subject string `json:"subject"`
		}
		var of bool
		if json.Unmarshal(c.Record, &about) != nil {
			return false
		}
		if id, of = strings.CutPrefix(about.Subject, "cashier:"); !of {
			return false
		}
	default:
		return false
	}
	m.mark(id)
	return true
}

func (m *cashierMarks) mark(id string) {
	if m.ids == nil {
		m.ids = map[string]struct{}{}
	}
	m.ids[id] = struct{}{}
}

// take takes what is marked.
func (m *cashierMarks) take() (ids []string, all bool) {
	all = m.all
	for id := range m.ids {
		ids = append(ids, id)
	}
	m.all = false
	clear(m.ids)
	return ids, all
}

// remember keeps when time alone changes what is known of a cashier; 0 never.
func (m *cashierMarks) remember(id string, at pos.Instant) {
	if m.dueAt == nil {
		m.dueAt = map[string]pos.Instant{}
	}
	if m.dueAt[id] == at {
		return
	}
	if at == 0 {
		delete(m.dueAt, id)
		return
	}
	m.dueAt[id] = at
	heap.Push(&m.due, cashierDue{at, id})
}

// elapsed marks the cashiers of whom time changed what is known.
func (m *cashierMarks) elapsed(now pos.Instant) (some bool) {
	for len(m.due) > 0 && m.due[0].at <= now {
		due := heap.Pop(&m.due).(cashierDue)
		if m.dueAt[due.id] == due.at {
			delete(m.dueAt, due.id)
			m.mark(due.id)
			some = true
		}
	}
	return some
}

// cashierFact is what is known of the person who signed in; named is false where nobody was named.
func cashierFact(r *rooms, m pos.MerchantID, o pos.Operator, now pos.Instant) (f registry.Fact, named bool) {
	return r.staff.CashierFact(m, o.String(), now), o != pos.Operator{}
}

// cashierJudged is what one cashier may do.
type cashierJudged struct {
	id       string
	merchant pos.MerchantID
	operator pos.Operator
	standing registry.Standing
	until    pos.Instant
}

// judgeCashiers says what the people at the counter may do: those that are marked, or all where the policy changed.
// k.computing is held. The ledger is asked nothing while the rooms are held.
func (k *permits) judgeCashiers() {
	k.mu.Lock()
	ids, all := k.cashierMarks.take()
	k.mu.Unlock()
	now := k.e.clock()
	var others fleet.Judgment
	var judged []cashierJudged
	k.e.office.view(func(r *rooms) {
		policy := k.policy(r)
		others = policy.Judge([]registry.Fact{{Name: registry.FactCashier}})
		if all {
			for _, c := range r.staff.Cashiers("") {
				judged = append(judged, judgeCashier(r, policy, c, now))
			}
			return
		}
		for _, id := range ids {
			if c := r.staff.Cashier(id); c != nil {
				judged = append(judged, judgeCashier(r, policy, c, now))
			}
		}
	})
	for i := range judged {
		j := &judged[i]
		k.e.ledger.SetCashier(j.merchant, j.operator, &j.standing)
		k.mu.Lock()
		k.cashierMarks.remember(j.id, j.until)
		k.mu.Unlock()
	}
	if others.Permit == registry.FullPermit {
		k.e.ledger.SetOtherCashiers(nil)
		return
	}
	k.e.ledger.SetOtherCashiers(&registry.Standing{Permit: others.Permit, Facts: others.Why})
}

func judgeCashier(r *rooms, policy *fleet.Policy, c *staff.Cashier, now pos.Instant) cashierJudged {
	merchant, err := pos.ParseMerchantID(c.Merchant)
	operator, err2 := pos.ParseOperator(c.Operator)
	if err != nil || err2 != nil {
		return cashierJudged{} // nobody: no message names an empty shop
	}
	f := r.staff.CashierFact(merchant, c.Operator, now)
	j := policy.Judge([]registry.Fact{f})
	return cashierJudged{staff.CashierID(merchant, operator), merchant, operator, registry.Standing{Permit: j.Permit, Facts: j.Why, Since: f.Since}, f.Until}
}
