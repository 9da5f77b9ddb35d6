package soft

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"

	"touchstone/keys"
	"touchstone/paycrypto/mac"
)

// live is the open module: what a keyring becomes. Its methods run under a gate.
type live struct {
	name    [32]byte // of the keyring file's content
	current uint32
	terms   map[uint32]cipher.AEAD
	card    *digester // HashPAN
	print   *digester // Fingerprint
	words   *digester // HashText
	pin     *digester // PIN verification values
	dummy   [mac.X919 + 1]*mac.Key
	decoy   keys.Wrapped // a serial-number key of no device: ProveCheckCodes
	cache   *cache
}

// The labels under which the keyring's card-hash key makes the three keys that are used, so that no
// card number, no message and no other number ever meet under one key: key = HMAC-SHA-256(card-hash key, label).
const (
	cardLabel  = "touchstone/1 card"
	printLabel = "touchstone/1 fingerprint"
	wordsLabel = "touchstone/1 text"
)

func newLive(r *keyring, name [32]byte, cached int) (*live, error) {
	s := &live{name: name, current: r.current, terms: map[uint32]cipher.AEAD{}, cache: newCache(cached)}
	var err error
	r.keys.Use(func(k []byte) {
		root := k[:keyBytes]
		s.card, s.print, s.words = derive(root, cardLabel), derive(root, printLabel), derive(root, wordsLabel)
		s.pin = newDigester(k[keyBytes : 2*keyBytes])
		if s.dummy, err = dummies(k[2*keyBytes : 3*keyBytes]); err != nil {
			return
		}
		for i, term := range r.terms {
			var block cipher.Block
			if block, err = aes.NewCipher(k[(3+i)*keyBytes:][:keyBytes]); err != nil {
				return
			}
			if s.terms[term], err = cipher.NewGCM(block); err != nil {
				return
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("%w: keys do not expand", ErrKeyring)
	}
	var nobody [16]byte
	if s.decoy, err = s.wrap(rand.Reader, decoyOwner, keys.SerialKey, keys.SM4, nobody[:]); err != nil {
		return nil, err
	}
	return s, nil
}

// dummies are the keys that stand in where a message names no key, one for each algorithm so that it
// takes the same time.
func dummies(secret []byte) (list [mac.X919 + 1]*mac.Key, err error) {
	for a, size := range map[mac.Algorithm]int{
		mac.UnionPayECBDES: 8, mac.UnionPayECBTDES: 16, mac.UnionPayECBSM4: 16, mac.X99: 8, mac.X919: 16,
	} {
		if list[a], err = mac.New(a, 0, secret[:size]); err != nil {
			return list, err
		}
	}
	return list, nil
}

// dummyFor is the stand-in for an algorithm, the commonest where none is named.
func (s *live) dummyFor(a mac.Algorithm) *mac.Key {
	if int(a) < len(s.dummy) && s.dummy[a] != nil {
		return s.dummy[a]
	}
	return s.dummy[mac.UnionPayECBDES]
}

func (s *live) wipe() {
	clear(s.terms)
	s.card.wipe()
	s.print.wipe()
	s.words.wipe()
	s.pin.wipe()
	for _, k := range s.dummy {
		k.Wipe()
	}
	s.cache.wipe()
}

// aadHead is the length of the header's authenticated part: version, term, usage, cipher.
const aadHead = 7

// wrap makes the layout of keys.Wrapped under the current term. The nonce is drawn at random, so that
// one term may wrap 2^32 keys; NIST SP 800-38D, 8.3.
func (s *live) wrap(random io.Reader, owner keys.Owner, usage keys.Usage, c keys.Cipher, key []byte) (keys.Wrapped, error) {
	w := make([]byte, keys.WrapHead, keys.WrapHead+len(key)+keys.WrapTag)
	w[0] = 1
	binary.BigEndian.PutUint32(w[1:], s.current)
	w[5], w[6] = byte(usage), byte(c)
	if _, err := io.ReadFull(random, w[aadHead:]); err != nil {
		return nil, fmt.Errorf("draw a nonce: %w", err)
	}
	return s.terms[s.current].Seal(w, w[aadHead:], key, aad(w, owner)), nil
}

// unwrap opens w for one use and one owner; the caller clears key. A use other than the record's is
// keys.ErrUsage, everything else that does not fit keys.ErrOwner.
func (s *live) unwrap(w keys.Wrapped, owner keys.Owner, usage keys.Usage) (c keys.Cipher, key []byte, err error) {
	term, use, c, id, err := w.Head()
	if err != nil {
		return 0, nil, keys.ErrOwner
	}
	if use != usage {
		return 0, nil, keys.ErrUsage
	}
	master := s.terms[term]
	if master == nil {
		return 0, nil, keys.ErrOwner
	}
	key, err = master.Open(nil, id[:], w[keys.WrapHead:], aad(w, owner))
	if err != nil {
		return 0, nil, keys.ErrOwner
	}
	if len(key) != sizeOf(usage, c) {
		clear(key)
		return 0, nil, keys.ErrUsage
	}
	return c, key, nil
}

func aad(w keys.Wrapped, owner keys.Owner) []byte {
	return append(append(make([]byte, 0, aadHead+len(owner)), w[:aadHead]...), owner...)
}

// setBytes is the clear length of a wrapped set: PIK 16, MAK 16, TDK 16, each padded with zeros.
const setBytes = 48

// sizeOf is the length in bytes of a key for a use under a cipher, 0 where the two do not go together.
func sizeOf(u keys.Usage, c keys.Cipher) int {
	switch {
	case u == keys.SigningKey && c == keys.P256:
		return signingBytes
	case u == keys.SecondFactor && c == keys.HMAC:
		return secondBytes
	case u == keys.WebhookSecret && c == keys.HMAC:
		return webhookBytes
	case u == keys.TransportKey && c == keys.X25519:
		return transportBytes
	case c != keys.DES && c != keys.TDES && c != keys.SM4, u == keys.SerialKey && c != keys.SM4:
		return 0
	case u == keys.WorkingSet:
		return setBytes
	case u != keys.TerminalMaster && u != keys.SerialKey:
		return 0
	case c == keys.DES:
		return 8
	}
	return 16
}
