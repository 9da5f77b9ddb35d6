package mac

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"

	"touchstone/paycrypto"
)

// Algorithm is a message authentication code algorithm. The numbers are stable:
// the journal keeps them. Numbers between the groups are free.
type Algorithm uint8

// The algorithms, with the key each takes. The zero value is none and makes no Key.
const (
	None Algorithm = 0

	// The dialect of UnionPay POS; docs/protocol/unionpay-pos.md, sections 4 and
	// 9A.20. Zero padding.
	UnionPayECBDES  Algorithm = 1 // 8 bytes
	UnionPayECBTDES Algorithm = 2 // 16 or 24 bytes
	UnionPayECBSM4  Algorithm = 3 // 16 bytes
	X99             Algorithm = 4 // ANSI X9.9, FIPS 113: DES CBC-MAC; 8 bytes
	X919            Algorithm = 5 // ANSI X9.19: the retail MAC; 16 bytes, K1 || K2

	// CBC-MAC, ISO/IEC 9797-1:2011 algorithm 1, padding as given to New.
	CBCMACDES  Algorithm = 16 // 8 bytes
	CBCMACTDES Algorithm = 17 // 16 or 24 bytes
	CBCMACAES  Algorithm = 18 // 16, 24 or 32 bytes
	CBCMACSM4  Algorithm = 19 // 16 bytes

	// ISO/IEC 9797-1:2011 algorithms 2 to 4, two keys as K1 || K2, padding as given.
	RetailDES  Algorithm = 24 // algorithm 3 with DES; 16 bytes
	RetailTDES Algorithm = 25 // algorithm 3 with two TDES keys; 32 bytes
	RetailSM4  Algorithm = 26 // algorithm 3 with SM4; 32 bytes
	EMACSM4    Algorithm = 27 // algorithm 2 with SM4; 32 bytes
	MACDESSM4  Algorithm = 28 // algorithm 4 with SM4, K3 = K2 xor F0..F0; 32 bytes

	// CMAC, NIST SP 800-38B, ISO/IEC 9797-1:2011 algorithm 5.
	CMACTDES Algorithm = 32 // 16 or 24 bytes
	CMACAES  Algorithm = 33 // 16, 24 or 32 bytes
	CMACSM4  Algorithm = 34 // 16 bytes

	// HMAC, FIPS 198-1; a key of 1 byte or more.
	HMACSHA1   Algorithm = 48
	HMACSHA256 Algorithm = 49
	HMACSHA384 Algorithm = 50
	HMACSHA512 Algorithm = 51
	HMACSM3    Algorithm = 52
)

// family is how an algorithm runs its cipher or hash.
type family uint8

const (
	fold family = iota + 1
	chain
	retail
	emac
	macDES
	cmac
	hmacFamily
)

// shape is what New and the sums need to know of an algorithm.
type shape struct {
	name   string
	family family
	cipher paycrypto.Algorithm
	hash   func() hash.Hash
	zero   bool // padding is 1 by definition
	why    Weakness
}

// shapeOf gives the zero shape for an unknown algorithm.
func shapeOf(a Algorithm) shape {
	switch a {
	case UnionPayECBDES:
		return shape{name: "UnionPay ECB DES", family: fold, cipher: paycrypto.DES, why: XORFold | SingleDES}
	case UnionPayECBTDES:
		return shape{name: "UnionPay ECB TDES", family: fold, cipher: paycrypto.TDES, why: XORFold}
	case UnionPayECBSM4:
		return shape{name: "UnionPay ECB SM4", family: fold, cipher: paycrypto.SM4, why: XORFold}
	case X99:
		return shape{name: "X9.9", family: chain, cipher: paycrypto.DES, zero: true, why: SingleDES | OpenChain}
	case X919:
		return shape{name: "X9.19", family: retail, cipher: paycrypto.DES, zero: true}
	case CBCMACDES:
		return shape{name: "CBC-MAC DES", family: chain, cipher: paycrypto.DES, why: SingleDES | OpenChain}
	case CBCMACTDES:
		return shape{name: "CBC-MAC TDES", family: chain, cipher: paycrypto.TDES, why: OpenChain}
	case CBCMACAES:
		return shape{name: "CBC-MAC AES", family: chain, cipher: paycrypto.AES, why: OpenChain}
	case CBCMACSM4:
		return shape{name: "CBC-MAC SM4", family: chain, cipher: paycrypto.SM4, why: OpenChain}
	case RetailDES:
		return shape{name: "retail MAC DES", family: retail, cipher: paycrypto.DES}
	case RetailTDES:
		return shape{name: "retail MAC TDES", family: retail, cipher: paycrypto.TDES}
	case RetailSM4:
		return shape{name: "retail MAC SM4", family: retail, cipher: paycrypto.SM4}
	case EMACSM4:
		return shape{name: "EMAC SM4", family: emac, cipher: paycrypto.SM4}
	case MACDESSM4:
		return shape{name: "MAC-DES SM4", family: macDES, cipher: paycrypto.SM4}
	case CMACTDES:
		return shape{name: "CMAC TDES", family: cmac, cipher: paycrypto.TDES}
	case CMACAES:
		return shape{name: "CMAC AES", family: cmac, cipher: paycrypto.AES}
	case CMACSM4:
		return shape{name: "CMAC SM4", family: cmac, cipher: paycrypto.SM4}
	case HMACSHA1:
		return shape{name: "HMAC SHA-1", family: hmacFamily, hash: sha1.New}
	case HMACSHA256:
		return shape{name: "HMAC SHA-256", family: hmacFamily, hash: sha256.New}
	case HMACSHA384:
		return shape{name: "HMAC SHA-384", family: hmacFamily, hash: sha512.New384}
	case HMACSHA512:
		return shape{name: "HMAC SHA-512", family: hmacFamily, hash: sha512.New}
	case HMACSM3:
		return shape{name: "HMAC SM3", family: hmacFamily, hash: paycrypto.NewSM3}
	}
	return shape{}
}

// String is the algorithm's name, or "none".
func (a Algorithm) String() string {
	if s := shapeOf(a); s.family != 0 {
		return s.name
	}
	return "none"
}

// Size is the whole code in bytes, before any truncation; 0 for none.
func (a Algorithm) Size() int {
	s := shapeOf(a)
	if s.hash != nil {
		return s.hash().Size()
	}
	return s.cipher.BlockSize()
}

// TakesPadding tells whether New needs a Padding for the algorithm.
func (a Algorithm) TakesPadding() bool {
	s := shapeOf(a)
	switch s.family {
	case chain, retail, emac, macDES:
		return !s.zero
	}
	return false
}

// Strength is what a code under an algorithm is worth. The zero value is nothing.
type Strength uint8

// The strengths.
const (
	Worthless Strength = 0 // no algorithm
	Weak      Strength = 1 // accepted where the protocol leaves no choice, and named so
	Strong    Strength = 2
)

// String is the strength in one word.
func (s Strength) String() string {
	switch s {
	case Weak:
		return "weak"
	case Strong:
		return "strong"
	}
	return "worthless"
}

// Weakness is a set of reasons why an algorithm is weak.
type Weakness uint8

// The weaknesses.
const (
	// XORFold: the message is folded by exclusive or before any key is used, so
	// that reordered blocks and equal changes one block apart go unseen;
	// docs/protocol/unionpay-pos.md, section 4.1.
	XORFold Weakness = 1 << iota
	// SingleDES: a 56-bit key can be searched.
	SingleDES
	// OpenChain: a CBC-MAC without a last step is forged from two codes of
	// messages of different lengths, unless padding 3 puts the length first;
	// ISO/IEC 9797-1:2011, Annex C.
	OpenChain
)

// Has tells whether the set contains all of w.
func (s Weakness) Has(w Weakness) bool { return s&w == w }

// String names the weaknesses, comma separated, or is empty.
func (s Weakness) String() (text string) {
	for i, name := range [...]string{"xor-fold", "single DES", "open chain"} {
		if s>>i&1 == 1 {
			if text != "" {
				text += ", "
			}
			text += name
		}
	}
	return text
}

// Grade is what an algorithm is worth and why no more.
type Grade struct {
	Strength Strength
	Why      Weakness
}

// Grade is the algorithm's worth, whatever the key.
func (a Algorithm) Grade() Grade {
	s := shapeOf(a)
	switch {
	case s.family == 0:
		return Grade{}
	case s.why != 0:
		return Grade{Weak, s.why}
	}
	return Grade{Strength: Strong}
}
