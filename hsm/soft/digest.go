package soft

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"hash"
	"sync"

	"touchstone/keys"
	"touchstone/paycrypto/pinblock"
	"touchstone/pos"
	"touchstone/secret"
)

// digestBytes is how much of an HMAC-SHA-256 is kept.
const digestBytes = 16

// digester makes HMAC-SHA-256 values under one key from states that are used again.
type digester struct {
	pool sync.Pool
	key  *[keyBytes]byte
}

// state is one HMAC ready for use, with room for what is hashed and nothing of it left behind.
type state struct {
	hmac hash.Hash
	pin  [pinblock.MaxPIN]byte
	sum  [sha256.Size]byte
	in   [64]byte
}

// newDigester copies key, 32 bytes.
func newDigester(key []byte) *digester {
	d := &digester{key: new([keyBytes]byte)}
	copy(d.key[:], key)
	own := d.key
	d.pool.New = func() any { return &state{hmac: hmac.New(sha256.New, own[:])} }
	return d
}

// derive makes a digester under HMAC-SHA-256(root, label).
func derive(root []byte, label string) *digester {
	h := hmac.New(sha256.New, root)
	h.Write([]byte(label))
	key := h.Sum(nil)
	defer clear(key)
	return newDigester(key)
}

func (d *digester) borrow() *state { return d.pool.Get().(*state) }

// giveBack clears what a use left.
func (d *digester) giveBack(h *state) {
	clear(h.pin[:])
	clear(h.in[:])
	clear(h.sum[:])
	d.pool.Put(h)
}

// of is the first 16 bytes of the HMAC of data; the HMAC is ready for the next.
func (h *state) of(data []byte) (v [digestBytes]byte) {
	h.hmac.Write(data)
	h.hmac.Sum(h.sum[:0])
	copy(v[:], h.sum[:])
	h.hmac.Reset()
	return v
}

// wipe zeroes the key. States in the pool are let go with it.
func (d *digester) wipe() { clear(d.key[:]) }

// HashPAN is the keyed hash of a card number: the first 16 bytes of HMAC-SHA-256 over its ASCII digits.
// An empty number is pos.ErrPAN, a sealed module keys.ErrSealed.
func (m *Module) HashPAN(p pos.PAN) (hash pos.PANHash, err error) {
	s, leave := m.enter(0)
	if s == nil {
		return hash, keys.ErrSealed
	}
	defer leave.RUnlock()
	h := s.card.borrow()
	n := 0
	p.Use(func(digits []byte) { n = copy(h.in[:], digits) })
	if n == 0 {
		err = pos.ErrPAN
	} else {
		hash = h.of(h.in[:n])
	}
	s.card.giveBack(h)
	return hash, err
}

// Fingerprint is the first 16 bytes of HMAC-SHA-256 over a request from MTI to DE64, under another key
// than HashPAN's. A sealed module is keys.ErrSealed.
func (m *Module) Fingerprint(request []byte) (print [16]byte, err error) {
	s, leave := m.enter(byte(len(request)))
	if s == nil {
		return print, keys.ErrSealed
	}
	defer leave.RUnlock()
	h := s.print.borrow()
	print = h.of(request)
	s.print.giveBack(h)
	return print, nil
}

// MaxHashText is the most bytes that HashText takes, its use included.
const MaxHashText = 200

// HashText is the first 16 bytes of HMAC-SHA-256 over use, a zero byte and text, under another key than HashPAN's: for
// a number of which the host keeps only that it is the same, such as an account's. The use tells one kind of number
// from another. A sealed module is keys.ErrSealed.
func (m *Module) HashText(use string, text secret.Bytes) (hash [16]byte, err error) {
	s, leave := m.enter(byte(len(use)))
	if s == nil {
		return hash, keys.ErrSealed
	}
	defer leave.RUnlock()
	if use == "" || text.Len() == 0 || len(use)+1+text.Len() > MaxHashText {
		return hash, errors.New("hash a text: want 1 to 200 bytes with its use")
	}
	h := s.words.borrow()
	defer s.words.giveBack(h)
	text.Use(func(b []byte) {
		whole := append(append(make([]byte, 0, MaxHashText), use...), 0)
		whole = append(whole, b...)
		hash = h.of(whole)
		clear(whole)
	})
	return hash, nil
}
