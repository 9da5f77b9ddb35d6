package pinblock

import (
	"errors"

	"touchstone/paycrypto"
	"touchstone/pos"
)

// Format is a PIN block format. The numbers are ours and stable: the journal may
// keep them.
type Format uint8

// The formats, drawn nibble by nibble: L length, P digit, F/A/R fill, N card
// number. The zero value is none.
//
//	ISO0     0 L P P P P P/F ... F F  xor  0000 NNNN NNNN NNNN
//	ISO1     1 L P P P P P/R ... R R
//	ISO2     2 L P P P P P/F ... F F
//	ISO3     3 L P P P P P/R ... R R  xor  as ISO0; R is A to F
//	ISO4     4 L P P P P P/A ... A A  and 8 random bytes, enciphered, xor the
//	         card number field (AppendPANField), enciphered again
//	NoPAN    0 L P P P P P/F ... F F, 8 bytes: DE53.1 = 1
//	SM4NoPAN 0 L P P P P P/F ... F F, 16 bytes
//	SM4PAN1  SM4NoPAN  xor  the 12 digits in the last 6 of 16 bytes
//	SM4PAN2  SM4NoPAN  xor  0000 and the 12 digits in the first 8 of 16 bytes
//
// The 12 digits are the right-most of the card number without its check digit,
// left-padded with zeros.
const (
	ISO0     Format = 1 // ISO 9564-1:2017, 9.3.2.2; DE53.1 = 2
	ISO1     Format = 2 // ISO 9564-1:2017, 9.3.2.3
	ISO2     Format = 3 // ISO 9564-1:2017, 9.3.2.4; to a chip card only
	ISO3     Format = 4 // ISO 9564-1:2017, 9.3.2.5
	ISO4     Format = 5 // ISO 9564-1:2017, 9.4.2; AES only
	NoPAN    Format = 6 // docs/protocol/unionpay-pos.md, section 5.2
	SM4NoPAN Format = 7 // docs/protocol/unionpay-pos.md, section 5.2
	SM4PAN1  Format = 8 // the same, mode 1: the one in DE59 A1 (section 9A.21)
	SM4PAN2  Format = 9 // the same, mode 2
)

// The bounds of a PIN in digits; ISO 9564-1:2017, 8.1.
const (
	MinPIN = 4
	MaxPIN = 12
)

// maxSize is the largest block in bytes.
const maxSize = 16

// Errors of this package.
var (
	// ErrFormat is returned for a block that is not what its format, key and card
	// number make it. The cause is not told.
	ErrFormat = errors.New("pin block invalid")
	// ErrInput is returned for a PIN, card number or fill of a wrong length or
	// character, an unknown format or a buffer of a wrong length.
	ErrInput = errors.New("pin block: pin, card number, fill or buffer does not fit the format")
	// ErrCipher is returned for a cipher the format must not be enciphered under.
	ErrCipher = errors.New("pin block: cipher does not fit the format")
	// ErrTranslation is returned for a translation that PCI PIN forbids.
	ErrTranslation = errors.New("pin block: translation between these formats is forbidden")
)

// layout is what the codecs need to know of a format.
type layout struct {
	name     string
	size     int
	control  byte // the first nibble
	fill     byte // F or A, or 0 where the caller gives it
	minFill  byte // the least and
	maxFill  byte // the most a fill nibble may be
	panAt    int  // the byte where the 12 digits begin, -1 without
	bound    bool // tied to a card number
	standard bool // of ISO 9564-1
}

// layoutOf gives size 0 for an unknown format.
func layoutOf(f Format) layout {
	switch f {
	case ISO0:
		return layout{"ISO 0", 8, 0, 0xF, 0xF, 0xF, 2, true, true}
	case ISO1:
		return layout{"ISO 1", 8, 1, 0, 0, 0xF, -1, false, true}
	case ISO2:
		return layout{"ISO 2", 8, 2, 0xF, 0xF, 0xF, -1, false, true}
	case ISO3:
		return layout{"ISO 3", 8, 3, 0, 0xA, 0xF, 2, true, true}
	case ISO4:
		return layout{"ISO 4", 16, 4, 0xA, 0xA, 0xA, -1, true, true}
	case NoPAN:
		return layout{"no PAN", 8, 0, 0xF, 0xF, 0xF, -1, false, false}
	case SM4NoPAN:
		return layout{"SM4 no PAN", 16, 0, 0xF, 0xF, 0xF, -1, false, false}
	case SM4PAN1:
		return layout{"SM4 PAN mode 1", 16, 0, 0xF, 0xF, 0xF, 10, true, false}
	case SM4PAN2:
		return layout{"SM4 PAN mode 2", 16, 0, 0xF, 0xF, 0xF, 2, true, false}
	}
	return layout{}
}

// String is the format's name, or "none".
func (f Format) String() string {
	if l := layoutOf(f); l.size != 0 {
		return l.name
	}
	return "none"
}

// Size is the block in bytes, 8 or 16; 0 for none.
func (f Format) Size() int { return layoutOf(f).size }

// UsesPAN tells whether the block is tied to the card number.
func (f Format) UsesPAN() bool { return layoutOf(f).bound }

// FillSize is the length of Parts.Fill for a PIN of n digits: for ISO1 and ISO3
// 14-n nibbles, one a byte; for ISO4 8 random bytes; else 0.
func (f Format) FillSize(n int) int {
	switch f {
	case ISO1, ISO3:
		return 14 - n
	case ISO4:
		return 8
	}
	return 0
}

// fits tells whether blocks of the format may be enciphered under the algorithm.
func (f Format) fits(a paycrypto.Algorithm) bool {
	switch f {
	case ISO0, ISO1, ISO2, ISO3, NoPAN:
		return a == paycrypto.DES || a == paycrypto.TDES
	case ISO4:
		return a == paycrypto.AES
	case SM4NoPAN, SM4PAN1, SM4PAN2:
		return a == paycrypto.SM4
	}
	return false
}

// MayTranslate tells whether PCI PIN Security 3.1, requirement 3-3, lets a PIN go
// from one format to the other under one card number: what is tied to the card
// stays tied, a standard format does not become another, and format 2 goes
// nowhere online. The formats of UnionPay count as not standard.
func MayTranslate(from, to Format) bool {
	a, b := layoutOf(from), layoutOf(to)
	switch {
	case a.size == 0 || b.size == 0 || from == ISO2 || to == ISO2:
		return false
	case a.bound && !b.bound:
		return false
	}
	return b.standard || !a.standard
}

// Card number lengths in digits.
const (
	minPAN12 = pos.MinPAN
	maxPAN   = pos.MaxPAN
)
