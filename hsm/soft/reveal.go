package soft

import (
	"errors"

	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/secret"
)

// ErrNotPublished is returned where a key is asked for whose keyring is not that of a test data directory.
var ErrNotPublished = errors.New("keys of this data directory are not published: they do not leave the security module")

// Published is what opens the keyring of a test data directory, whose keys everybody can compute. It stands apart from
// Module on purpose: no Module that a host uses can be asked for a clear key.
type Published struct{ m *Module }

// OpenPublished opens the keyring at path; it fails with ErrNotPublished unless lock is that of a test data directory.
// Wipe ends its use.
func OpenPublished(path string, lock Lock) (*Published, error) {
	if !lock.Test {
		return nil, ErrNotPublished
	}
	m := New(Options{})
	if err := m.Unseal(path, lock); err != nil {
		return nil, err
	}
	return &Published{m}, nil
}

// Wipe forgets every key.
func (p *Published) Wipe() { p.m.Wipe() }

// MAK is the clear MAC key of a working key set for an algorithm: 8 or 16 bytes. Errors are keys.ErrSealed, keys.ErrOwner
// and keys.ErrUsage.
func (p *Published) MAK(terminal pos.TerminalID, set *keys.Set, a mac.Algorithm) (mak secret.Bytes, err error) {
	s, leave := p.m.enter(terminal[len(terminal)-1])
	if s == nil {
		return mak, keys.ErrSealed
	}
	defer leave.RUnlock()
	e, err := s.set(&terminal, set, a) // the same checks as for a message
	if err != nil {
		return mak, err
	}
	e.release()
	_, key, err := s.unwrap(set.Wrapped[:], keys.OfTerminal(terminal[:]), keys.WorkingSet)
	if err != nil {
		return mak, err
	}
	defer clear(key)
	size := 16
	if a == mac.UnionPayECBDES {
		size = 8
	}
	return secret.Take(append([]byte(nil), key[16:16+size]...)), nil
}
