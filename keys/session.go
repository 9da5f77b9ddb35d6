package keys

import (
	"time"

	"touchstone/journal"
	"touchstone/pos"
)

// The working-key sign-in codes, DE60.3; docs/protocol/unionpay-pos.md 3.1.
const (
	SignInDES       pos.NetworkCode = 1 // single DES
	SignInTDES      pos.NetworkCode = 3
	SignInTDESTrack pos.NetworkCode = 4 // with a track key
	SignInSM4       pos.NetworkCode = 5
	SignInSM4Track  pos.NetworkCode = 6
)

// CipherOf is the cipher of the keys a sign-in code issues; NoCipher for any other code.
func CipherOf(code pos.NetworkCode) Cipher {
	switch code {
	case SignInDES:
		return DES
	case SignInTDES, SignInTDESTrack:
		return TDES
	case SignInSM4, SignInSM4Track:
		return SM4
	}
	return NoCipher
}

// HasTrackKey tells whether a sign-in code issues a track key.
func HasTrackKey(code pos.NetworkCode) bool {
	return code == SignInTDESTrack || code == SignInSM4Track
}

// Set is one working key set, wrapped. The zero value is no set.
type Set struct {
	Number  uint32 // from 1, counts the terminal's sign-ins
	Code    pos.NetworkCode
	Issued  pos.Instant
	Wrapped [SetSize]byte

	Operator pos.Operator // who asked for it: DE63.1 of the sign-in; zero when it named nobody
}

// Session is what a terminal's sign-ins have led to.
type Session struct {
	InForce   Set
	Pending   Set
	Last      uint32 // number of the newest set ever issued
	SignedOff bool
	Master    ID // the master key all of it rests on
}

// Load tells the session which master key the terminal has now. Working keys issued under another end.
func (s *Session) Load(master Wrapped) {
	_, _, _, id, err := master.Head()
	if err != nil {
		id = ID{}
	}
	if id != s.Master {
		s.InForce, s.Pending, s.Master = Set{}, Set{}, id
	}
}

// Usable tells whether a set verifies messages now: it exists, the terminal has not signed off, and
// it is younger than lifetime.
func (s *Session) Usable(set *Set, lifetime time.Duration, now pos.Instant) bool {
	return set.Number != 0 && !s.SignedOff && now.Sub(set.Issued) < lifetime
}

// Fold applies a judged message to the session.
func (s *Session) Fold(x *journal.Exchange) {
	if x.Flags&journal.FlagPromoted != 0 && s.Pending.Number == x.KeySet && x.KeySet != 0 {
		s.InForce, s.Pending = s.Pending, Set{}
	}
	switch x.Effect {
	case journal.KeysIssued:
		s.Last++
		s.Pending = Set{Number: s.Last, Code: x.KeyCode, Issued: x.At, Operator: x.Operator}
		copy(s.Pending.Wrapped[:], x.Wrapped)
		if s.SignedOff {
			s.InForce, s.SignedOff = Set{}, false
		}
	case journal.SignedOff:
		s.SignedOff, s.Pending = true, Set{}
	case journal.Tampered:
		s.InForce, s.Pending, s.SignedOff = Set{}, Set{}, true
	}
}
