package diagnosis

import (
	"bytes"
	"math/bits"

	"touchstone/paycrypto/mac"
	"touchstone/pos"
)

// maxChainBlocks bounds the block operations that alterations under a chaining MAC may take: the code from the altered
// block on is computed anew for each. DES makes about eight of them in a microsecond, TDES three.
const maxChainBlocks = 80_000

// The columns of a fold: the bytes of its block.
const (
	narrow = 8
	wide   = 16
)

// Alteration is another content of some bytes of the frame.
type Alteration struct {
	At    int // offset into Case.Frame
	Size  int
	Bytes [amountBytes]byte
}

// Alter is one alteration that restored the code.
type Alter struct {
	Key        int          // index of Case.Keys
	Fold       bool         // only Column and Difference are known
	Column     int          // of the fold, from 0
	Difference byte         //
	Block      int          // bytes of the fold's block
	At         []Alteration // under a chain: the one alteration
}

// AlteredKeys is the keys under which alterations are tried, so that no more than MaxAlterations are: with 8-byte blocks
// there is room for two keys, with 16-byte ones for one. The pending one comes first, for it was given by a sign-in that was
// answered, and more answers arrive than are lost. Where the PIN block of the message reads under one of them, the message
// was made with that set, and it has all the room; reads is asked only where there are two.
func (c *Case) AlteredKeys(reads func(key int) bool) []int {
	list := c.right()
	if len(list) == 2 {
		if first, second := reads(list[0]), reads(list[1]); first != second && first {
			return list[:1]
		} else if first != second {
			return list[1:]
		}
	}
	if len(list) == 2 && (c.Keys[list[0]].shape() == sm4 || c.Keys[list[1]].shape() == sm4) {
		return list[:1]
	}
	return list
}

// Folded tells whether the key's algorithm folds, and its shape of block in bytes.
func (c *Case) Folded(key int) (fold bool, block int) {
	k := &c.Keys[key]
	if a := k.algorithm(); a != 0 {
		return folds(a), a.Size()
	}
	return false, 0
}

// AlgorithmOf is the MAC algorithm of a working set.
func (c *Case) AlgorithmOf(key int) mac.Algorithm { return c.Keys[key].algorithm() }

// Elements of the dialect that alterations look into; docs/protocol/unionpay-pos.md, section 2.
const (
	dePAN      = 2
	deCode     = 3
	deAmount   = 4
	deTrace    = 11
	deExpiry   = 14
	deEntry    = 22
	deCond     = 25
	deCapture  = 26
	deTrack2   = 35
	deTerminal = 41
	deMerchant = 42
	deCurrency = 49
	dePIN      = 52
	deTags     = 59
	dePrivate  = 60

	amountBytes = 6
)

// altering is the elements whose bytes are altered one by one under a chaining MAC: the most tempting first, then those that
// have few values, so that the long ones cost none of them its turn.
var altering = [...]uint8{deAmount, deTrace, deCode, deEntry, deCond, deExpiry, deCurrency, dePrivate, dePAN, 61, deTrack2, 37, 38}

// Alterations calls yield for each alteration to try under a chaining MAC with blocks of block bytes, at most limit of
// them and no more than maxChainBlocks block operations, until yield says no. They go by rising offset within an element,
// so that the chain before the altered block is computed once.
func (c *Case) Alterations(limit, block, each int, yield func(Alteration) bool) {
	work := maxChainBlocks / max(1, each)
	cost := func(at int) int { return (c.End-at)/block + 2 }
	emit := func(a Alteration) bool {
		if limit--; limit < 0 {
			return false
		}
		if work -= cost(a.At); work < 0 {
			return false
		}
		return yield(a)
	}
	for _, n := range altering {
		s := c.span(n)
		if s == nil {
			continue
		}
		from := s.From
		if n == deAmount {
			from += c.hugeBytes(s)
		}
		for at := from; at < s.To; at++ {
			for b := range 256 {
				if byte(b) == c.Frame[at] || !c.wellFormed(s, at, byte(b)) {
					continue
				}
				if !emit(Alteration{At: at, Size: 1, Bytes: [amountBytes]byte{byte(b)}}) {
					return
				}
			}
		}
		if amount := c.span(deAmount); n == deTrace && amount != nil && !c.amounts(amount, emit) {
			return
		}
	}
}

// hugeBytes is how many leading bytes of the amount are zero and stand for a million yuan and more: nobody alters so much
// down.
func (c *Case) hugeBytes(s *Span) int {
	if s.To-s.From == amountBytes && c.Frame[s.From] == 0 && c.Frame[s.From+1] == 0 {
		return 2
	}
	return 0
}

// amounts tries amounts that differ by one unit of some place, by a carry, or by a factor of 10 or 100; what differs in
// one byte only is tried anyway.
func (c *Case) amounts(s *Span, emit func(Alteration) bool) bool {
	if s.To-s.From != amountBytes {
		return true
	}
	is := packed(c.Frame[s.From:s.To])
	const most = 999_999_999_999
	try := func(v uint64) bool {
		if v > most || v == is {
			return true
		}
		a := Alteration{At: s.From, Size: amountBytes}
		for i := amountBytes - 1; i >= 0; i-- {
			a.Bytes[i] = byte(v%10 | v/10%10<<4)
			v /= 100
		}
		differ := 0
		for i, b := range c.Frame[s.From:s.To] {
			if b != a.Bytes[i] {
				differ++
			}
		}
		return differ < 2 || emit(a)
	}
	for unit := uint64(1); unit <= 10_000_000; unit *= 10 {
		for n := uint64(1); n <= 9; n++ {
			if !try(is+n*unit) || is >= n*unit && !try(is-n*unit) {
				return false
			}
		}
	}
	for _, v := range [...]uint64{is / 10, is / 100, is * 10, is * 100} {
		if !try(v) {
			return false
		}
	}
	return true
}

// packed is the value of packed digits.
func packed(b []byte) (v uint64) {
	for _, c := range b {
		v = v*100 + uint64(c>>4)*10 + uint64(c&15)
	}
	return v
}

func (c *Case) span(n uint8) *Span {
	for i := range c.Spans {
		if c.Spans[i].Number == n {
			return &c.Spans[i]
		}
	}
	return nil
}

// place is one byte of an element.
type place struct {
	span *Span
	at   int
}

// places is every byte of the message that lies in a column of the fold and would have been well-formed with the
// difference.
func (c *Case) places(column, block int, difference byte) (list []place) {
	for i := range c.Spans {
		s := &c.Spans[i]
		if s.Number == deTerminal || s.Number == deMerchant {
			continue // whose key it is, is known: it would have sent its own numbers
		}
		for at := s.Prefix; at < s.To; at++ {
			if (at-c.Message)%block == column && c.wellFormed(s, at, c.Frame[at]^difference) && c.copiesAllow(s, at) {
				list = append(list, place{s, at})
			}
		}
	}
	return list
}

// wellFormed tells whether the message could have been sent with b at an offset of an element. Where it cannot be told
// it is true: it only keeps an element from being named.
func (c *Case) wellFormed(s *Span, at int, b byte) bool {
	old := c.Frame[at]
	if at < s.From { // a length prefix: another length moves all that follows, unless it is the same number of bytes
		return s.Kind != Binary && s.Kind != Text && at == s.From-1 && digit(b>>4) && digit(b) && (fullBCD(b)+1)/2 == (fullBCD(old)+1)/2
	}
	switch s.Number {
	case 0: // the message type: classes 1, 2, 4 and 5 of requests, and notices
		return at == s.From && b>>4 == 0 && bytes.IndexByte([]byte{1, 2, 3, 4, 5, 6, 8}, b) >= 0 || at > s.From && (b == 0 || b == 0x20)
	case 1: // as many elements as there are
		return bits.OnesCount8(b) == bits.OnesCount8(old)
	}
	switch s.Kind {
	case Digits:
		return c.wellFormedDigits(s, at, b)
	case Nibble: // the one separator stays where it is
		return c.Track != (Track{}) || digit(b>>4) == digit(old>>4) && digit(b) == digit(old) && track(b>>4) && track(b)
	case Text:
		return wellFormedText(s, old, b)
	}
	return true
}

func (c *Case) wellFormedDigits(s *Span, at int, b byte) bool {
	if !digit(b>>4) || !digit(b) {
		return false
	}
	odd := s.Count%2 == 1
	if odd && s.Number == 23 && at == s.From && b>>4 != 0 { // DE23 is right-aligned
		return false
	}
	if odd && s.Number != 23 && at == s.To-1 && b&15 != c.Frame[at]&15 {
		return false
	}
	place := at - s.From
	switch s.Number {
	case deCode:
		return place == 0 && bytes.IndexByte(codes, b) >= 0 || place > 0 && b == 0
	case deExpiry:
		return place == 0 || b >= 1 && b <= 0x12
	case deEntry:
		return place == 0 && bytes.IndexByte(entryModes, b) >= 0 || place > 0 && b>>4 <= 2
	case deCond:
		return bytes.IndexByte(conditions, b) >= 0
	case deCapture:
		return b >= 4 && b <= 0x12
	case dePrivate:
		return wellFormed60(place, b)
	}
	return true
}

// Values of the protocol, packed; docs/protocol/unionpay-pos.md, sections 2, 2.1, 2.2 and 3.3.
var (
	codes      = []byte{0x00, 0x03, 0x17, 0x20, 0x31, 0x60, 0x62, 0x63}                                                                                                 // DE3, first two digits
	entryModes = []byte{0x01, 0x02, 0x03, 0x04, 0x05, 0x07, 0x80, 0x90, 0x91, 0x92, 0x95, 0x96, 0x98}                                                                   // DE22, first two digits
	conditions = []byte{0x00, 0x06, 0x08, 0x18, 0x28, 0x63, 0x64, 0x65, 0x91}                                                                                           // DE25
	types      = []byte{0x00, 0x01, 0x03, 0x10, 0x11, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x27, 0x30, 0x32, 0x34, 0x36, 0x45, 0x46, 0x47, 0x48, 0x49, 0x51, 0x53, 0x54} // DE60.1
)

// wellFormed60 is DE60 of a message that carries a MAC: type, batch, 000, reading ability 0, 2, 5 or 6, condition 0 or 2,
// partial approval 0 or 1.
func wellFormed60(place int, b byte) bool {
	switch place {
	case 0:
		return bytes.IndexByte(types, b) >= 0
	case 4:
		return b == 0
	case 5:
		return b == 0 || b == 2 || b == 5 || b == 6
	case 6:
		return b>>4 == 0 || b>>4 == 2
	}
	return true
}

// wellFormedText allows printable characters; where there was a digit or a letter, one of the same kind.
func wellFormedText(s *Span, old, b byte) bool {
	switch {
	case s.Number == deCurrency:
		return b >= '0' && b <= '9'
	case s.Number == deTags && old >= 0x20 && old < 0x7F:
		return kindOf(b) == kindOf(old)
	case s.Number == deTags || s.Number == 63:
		return true // raw bytes and GBK are allowed
	}
	return b >= 0x20 && b < 0x7F
}

func kindOf(b byte) byte {
	switch {
	case b >= '0' && b <= '9':
		return 1
	case b >= 'A' && b <= 'Z':
		return 2
	case b >= 0x20 && b < 0x7F:
		return 3
	}
	return 0
}

func digit(nibble byte) bool { return nibble&15 <= 9 }
func track(nibble byte) bool { return nibble&15 <= 9 || nibble&15 == 0xD }
func fullBCD(b byte) int     { return int(b>>4)*10 + int(b&15) }

// copiesAllow is false where a copy elsewhere says that the element arrived as it was sent: one byte was altered, so a
// copy and its original cannot both have been.
func (c *Case) copiesAllow(s *Span, at int) bool {
	for i := range c.Copies {
		k := &c.Copies[i]
		if k.Number == s.Number && c.agrees(k, s, -1, 0) && c.covered(k, s, at) {
			return false
		}
		if k.Of == s.Number && !k.Tail && k.Of == deTrack2 {
			if o := c.span(k.Number); o != nil && c.agrees(k, o, -1, 0) && at < s.From+len(k.Digits)/2 && k.Number == dePAN {
				return false
			}
		}
	}
	return true
}

// covered tells whether the copy speaks of the byte: a Tail only of the last digits.
func (c *Case) covered(k *Copy, s *Span, at int) bool {
	if at < s.From || !k.Tail {
		return at >= s.From
	}
	first := s.Count - len(k.Digits)
	return 2*(at-s.From) >= first
}

// agrees tells whether the element's digits, with b at an offset where at is not negative, are those of the copy.
func (c *Case) agrees(k *Copy, s *Span, at int, b byte) bool {
	var room [pos.MaxPAN]byte
	defer clear(room[:])
	if s.Kind != Digits || s.Count > len(room) || s.Count < len(k.Digits) {
		return false
	}
	for i := range s.Count {
		v := c.Frame[s.From+i/2]
		if s.From+i/2 == at {
			v = b
		}
		room[i] = '0' + v>>(4*(1-i%2))&15
	}
	digits := room[:s.Count]
	if k.Tail {
		digits = digits[len(digits)-len(k.Digits):]
	}
	return bytes.Equal(digits, k.Digits)
}

// restoredBy is the copy that disagrees with what came and agrees with what was sent, if the byte is what was altered.
func (c *Case) restoredBy(p place, difference byte) *Copy {
	for i := range c.Copies {
		k := &c.Copies[i]
		if k.Number == p.span.Number && !c.agrees(k, p.span, -1, 0) && c.agrees(k, p.span, p.at, c.Frame[p.at]^difference) {
			return k
		}
	}
	return nil
}
