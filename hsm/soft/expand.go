package soft

import (
	"touchstone/keys"
	"touchstone/paycrypto"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
)

// The kinds of owners as keys.OfTerminal and keys.OfSerial write them.
const (
	ofTerminal = "terminal "
	ofSerial   = "serial "
)

// anyMAC asks for a set whatever MAC algorithm it was expanded for, even none.
const anyMAC = mac.None

// set lends a working key set expanded for a MAC algorithm; the caller releases it. Errors are
// keys.ErrOwner and keys.ErrUsage.
func (s *live) set(terminal *pos.TerminalID, set *keys.Set, a mac.Algorithm) (*entry, error) {
	_, _, _, id, err := keys.Wrapped(set.Wrapped[:]).Head()
	if err != nil {
		return nil, keys.ErrOwner
	}
	if e := s.cache.get(id); e != nil {
		if e.is(set.Wrapped[:], ofTerminal, terminal[:]) && (e.algorithm == a || a == anyMAC) && fits(e.cipher, set.Code) {
			return e, nil
		}
		e.release()
	}
	e, err := s.expandSet(terminal, set, a)
	if err != nil {
		return nil, err
	}
	if a == anyMAC {
		e.users.Store(1) // of no use to the next message, which needs the MAK too
		return e, nil
	}
	s.cache.put(id, e)
	return e, nil
}

// fits tells whether a set's cipher is the one its sign-in code issues: the code is stored beside the
// set, not under the master key.
func fits(c keys.Cipher, code pos.NetworkCode) bool {
	return c != keys.NoCipher && keys.CipherOf(code) == c
}

// expandSet opens a set.
func (s *live) expandSet(terminal *pos.TerminalID, set *keys.Set, a mac.Algorithm) (*entry, error) {
	owner := keys.OfTerminal(terminal[:])
	c, key, err := s.unwrap(set.Wrapped[:], owner, keys.WorkingSet)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	if !fits(c, set.Code) {
		return nil, keys.ErrUsage
	}
	size := sizeOf(keys.TerminalMaster, c)
	e := &entry{cipher: c, algorithm: a, owner: owner}
	e.size = uint8(copy(e.wrapped[:], set.Wrapped[:]))
	if e.pik, err = paycrypto.NewCipher(algorithmOf(c), key[:size]); err != nil {
		return nil, keys.ErrUsage
	}
	if tdk := key[32 : 32+size]; !zero(tdk) {
		if e.tdk, err = paycrypto.NewCipher(algorithmOf(c), tdk); err != nil {
			e.wipe()
			return nil, keys.ErrUsage
		}
	}
	if a != anyMAC {
		if e.mac, err = expandMAK(a, c, key[16:32]); err != nil {
			e.wipe()
			return nil, err
		}
	}
	return e, nil
}

// expandMAK expands the MAK of a set for an algorithm that may be used with it, else keys.ErrUsage;
// docs/protocol/unionpay-pos.md, section 9A.20. A short MAK is followed by zeros, which no key with odd
// parity has. X9.9 is single DES by definition: under the 16-byte MAK of that clause it is CBC-MAC with
// TDES, which is unverified; a capture from a terminal of that profile would verify it.
func expandMAK(a mac.Algorithm, c keys.Cipher, mak []byte) (*mac.Key, error) {
	long := !zero(mak[8:])
	size, padding := 0, mac.Padding(0)
	switch a {
	case mac.UnionPayECBSM4:
		if c == keys.SM4 {
			size = 16
		}
	case mac.UnionPayECBTDES, mac.X919:
		if c == keys.TDES && long {
			size = 16
		}
	case mac.UnionPayECBDES:
		if c != keys.SM4 && !long {
			size = 8
		}
	case mac.CBCMACTDES: // X9.9 with the 16-byte MAK of 9A.20
		if c == keys.TDES && long {
			size, padding = 16, mac.Padding1
		}
	}
	k, err := mac.New(a, padding, mak[:size])
	if err != nil || size == 0 {
		return nil, keys.ErrUsage
	}
	return k, nil
}

// serial lends a serial-number key; the caller releases it. Errors are keys.ErrOwner and keys.ErrUsage.
func (s *live) serial(registered pos.Serial, w keys.Wrapped) (*entry, error) {
	_, _, _, id, err := w.Head()
	if err != nil || len(w) > keys.SetSize {
		return nil, keys.ErrOwner
	}
	var name [pos.MaxSerial]byte
	n := copy(name[:], registered)
	if e := s.cache.get(id); e != nil {
		if len(registered) == n && e.is(w, ofSerial, name[:n]) {
			return e, nil
		}
		e.release()
	}
	owner := keys.OfSerial(string(registered))
	c, key, err := s.unwrap(w, owner, keys.SerialKey)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	e := &entry{cipher: c, algorithm: mac.UnionPayECBSM4, owner: owner}
	e.size = uint8(copy(e.wrapped[:], w))
	if e.mac, err = mac.New(mac.UnionPayECBSM4, 0, key); err != nil {
		return nil, keys.ErrUsage
	}
	s.cache.put(id, e)
	return e, nil
}
