package ledger

import (
	"touchstone/keys"
	"touchstone/pos"
)

// KeySet is what may be told of a working key set: never its bytes, wrapped or not. The zero value is no set.
type KeySet struct {
	Number   uint32 // from 1, counts the terminal's sign-ins
	Code     pos.NetworkCode
	Issued   pos.Instant
	Operator pos.Operator
	ID       keys.ID // names the set
	Term     uint32  // of the module's master key that wraps it
}

// KeySets are a terminal's working keys, and the master key that they rest on.
type KeySets struct {
	InForce, Pending KeySet
	Last             uint32 // number of the newest set ever issued
	SignedOff        bool
	Master           keys.ID
}

// KeySets copies what may be told of a terminal's working keys; ok is false for one that is not registered.
func (l *Ledger) KeySets(id pos.TerminalID) (s KeySets, ok bool) {
	t := l.terminal(id)
	if t == nil {
		return s, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return KeySetsOf(&t.session), t.reg != nil
}

// KeySetsOf is what may be told of a session's working keys.
func KeySetsOf(x *keys.Session) KeySets {
	return KeySets{InForce: keySet(&x.InForce), Pending: keySet(&x.Pending), Last: x.Last, SignedOff: x.SignedOff, Master: x.Master}
}

func keySet(s *keys.Set) KeySet {
	if s.Number == 0 {
		return KeySet{}
	}
	k := KeySet{Number: s.Number, Code: s.Code, Issued: s.Issued, Operator: s.Operator}
	if term, _, _, id, err := keys.Wrapped(s.Wrapped[:]).Head(); err == nil {
		k.ID, k.Term = id, term
	}
	return k
}
