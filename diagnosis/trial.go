package diagnosis

import (
	"strconv"

	"touchstone/keys"
	"touchstone/paycrypto/mac"
)

// Form is how a terminal may have come to the bytes it used as its MAC key. docs/protocol/unionpay-pos.md, 3.2, has the
// layouts.
type Form uint8

// The forms. The zero value is the key as it was issued.
const (
	Whole        Form = iota
	LeftHalf          // of a 16-byte key, used twice
	RightHalf         // the same of the right
	LeftZeros         // the left half and eight zero bytes, SM4 only
	Swapped           // the halves exchanged
	Undecrypted       // the bytes of DE62 as they came
	ByDES             // unwrapped with single DES under the left half of the master key
	ByTDES            // unwrapped with TDES where SM4 is due
	BySM4             // unwrapped with SM4 where TDES is due
	Before4           // read 4 bytes before its place in DE62
	After4            // read 4 bytes after it
	Before8           //
	After8            //
	PINKey            // the PIN key in its place
	WholeField        // all 16 bytes of a field of 003 or 004 of which 8 are the MAK
	FormerMaster      // unwrapped under a former master key
)

var formNames = [...]string{Whole: "whole", LeftHalf: "left_half", RightHalf: "right_half", LeftZeros: "left_half", Swapped: "swapped",
	Undecrypted: "undecrypted", ByDES: "wrong_cipher", ByTDES: "wrong_cipher", BySM4: "wrong_cipher", Before4: "offset_4", After4: "offset_4",
	Before8: "offset_8", After8: "offset_8", PINKey: "pin_key", WholeField: "whole_field", FormerMaster: "former_master"}

// String is the stable word of the fact "form".
func (f Form) String() string {
	if int(f) < len(formNames) {
		return formNames[f]
	}
	return "unknown"
}

// Coverage is the bytes that a MAC was computed over.
type Coverage uint8

// The coverages. The zero value is the right one: message type to the last element before DE64, bit 64 set.
const (
	Right Coverage = iota
	HeaderIn
	TPDUIn
	LengthIn
	MTIOut
	BitmapOut
	HeadOut // both
	Bit64Clear
	MACAsZeros // DE64 in, as eight zero bytes
	LastMissing
	ElementMissing
)

var coverageNames = [...]string{"right", "header_in", "tpdu_in", "length_in", "mti_out", "bitmap_out", "mti_and_bitmap_out", "bit64_clear", "mac_as_zeros", "last_missing", "missing"}

// Part is which four bytes of the code were sent.
type Part uint8

// The parts. The zero value is the right one, the first.
const (
	FirstPart Part = iota
	SecondPart
	LastPart // of a 16-byte code
)

// Trial is one explanation of a wrong MAC: a key in a form, an algorithm, a coverage.
type Trial struct {
	Key       int // index of Case.Keys
	Form      Form
	Master    int // of FormerMaster: index of Case.Masters
	Algorithm mac.Algorithm
	Padding   mac.Padding
	Plain     bool // the fold enciphered as it is, without its hexadecimal form
	Coverage  Coverage
	Element   uint8 // of LastMissing and ElementMissing
	Part      Part
}

// coverage is the word of the fact "coverage", such as "header_in" or "last_missing:60".
func (t *Trial) coverage() string {
	name := coverageNames[t.Coverage]
	if t.Coverage == LastMissing || t.Coverage == ElementMissing {
		name += ":" + strconv.Itoa(int(t.Element))
	}
	return name
}

// Fit is a trial that gave the code that was sent.
type Fit struct {
	Trial    Trial
	Encoding Encoding
}

// shape is what a key's use allows to be tried on it.
type shape uint8

const (
	noShape  shape = iota
	shortDES       // an 8-byte MAK after 001
	short          // an 8-byte MAK in a 16-byte field, after 003 and 004
	long           // a 16-byte DES key
	sm4
)

// algorithm is the candidate's own, or what its sign-in code says.
func (k *Candidate) algorithm() mac.Algorithm {
	switch {
	case k.shape() == noShape:
		return mac.None
	case k.Algorithm != mac.None:
		return k.Algorithm
	case keys.CipherOf(k.Set.Code) == keys.SM4:
		return mac.UnionPayECBSM4
	}
	return mac.UnionPayECBDES
}

// shape of the candidate's MAK; noShape where code and algorithm do not go together; 9A.20.
func (k *Candidate) shape() shape {
	wide := k.Algorithm == mac.UnionPayECBTDES || k.Algorithm == mac.X919 || k.Algorithm == mac.CBCMACTDES
	switch c := keys.CipherOf(k.Set.Code); {
	case k.Set.Number == 0:
		return noShape
	case c == keys.SM4 && (k.Algorithm == mac.UnionPayECBSM4 || k.Algorithm == mac.None):
		return sm4
	case c == keys.TDES && wide:
		return long
	case c == keys.TDES && k.Algorithm != mac.UnionPayECBSM4:
		return short
	case c == keys.DES && !wide && k.Algorithm != mac.UnionPayECBSM4:
		return shortDES
	}
	return noShape
}

// padding is the one of the algorithm as the module uses it.
func padding(a mac.Algorithm) mac.Padding {
	if a.TakesPadding() {
		return mac.Padding1
	}
	return 0
}

// folds tells whether the algorithm folds the message by exclusive or before any key is used.
func folds(a mac.Algorithm) bool { return a.Grade().Why.Has(mac.XORFold) }

// Cover appends the bytes of the trial's coverage to dst, at most MaxFrame and a few.
func (c *Case) Cover(dst []byte, t *Trial) []byte {
	mab := c.Frame[c.Message:c.End]
	const mti, bitmap, tpdu = 2, 8, 5
	switch t.Coverage {
	case HeaderIn:
		return append(dst, c.Frame[min(tpdu, c.Message):c.End]...)
	case TPDUIn:
		return append(dst, c.Frame[:c.End]...)
	case LengthIn:
		return append(append(dst, byte(len(c.Frame)>>8), byte(len(c.Frame))), c.Frame[:c.End]...)
	case MTIOut:
		return append(dst, mab[mti:]...)
	case BitmapOut:
		return append(append(dst, mab[:mti]...), mab[mti+bitmap:]...)
	case HeadOut:
		return append(dst, mab[mti+bitmap:]...)
	case Bit64Clear:
		from := len(dst)
		dst = append(dst, mab...)
		dst[from+mti+bitmap-1] &^= 1
		return dst
	case MACAsZeros:
		return append(append(dst, mab...), make([]byte, 8)...)
	case LastMissing, ElementMissing:
		for _, s := range c.Spans {
			if s.Number == t.Element {
				return append(append(dst, c.Frame[c.Message:s.Prefix]...), c.Frame[s.To:c.End]...)
			}
		}
	}
	return append(dst, mab...)
}
