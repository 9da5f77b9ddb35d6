package ledger

import (
	"touchstone/keys"
	"touchstone/pos"
)

// Session copies what a terminal's sign-ins have led to; its wrapped keys are left out. ok is false for one that is not
// registered.
func (l *Ledger) Session(id pos.TerminalID) (s keys.Session, ok bool) {
	t := l.terminal(id)
	if t == nil {
		return s, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s = t.session
	s.InForce.Wrapped, s.Pending.Wrapped = [keys.SetSize]byte{}, [keys.SetSize]byte{}
	return s, t.reg != nil
}
