package ledger

import "touchstone/issuer"

// EachCard gives a copy of every card, one at a time and in no order, until f says no. A card opened meanwhile may
// be left out.
func (l *Ledger) EachCard(f func(issuer.Card) bool) {
	l.mu.RLock()
	all := make([]*card, 0, len(l.cards))
	for _, c := range l.cards {
		all = append(all, c)
	}
	l.mu.RUnlock()
	for _, c := range all {
		c.mu.Lock()
		now := c.issuer
		c.mu.Unlock()
		if !f(now) {
			return
		}
	}
}
