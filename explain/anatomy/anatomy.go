package anatomy

import (
	"fmt"

	"touchstone/explain"
	"touchstone/iso8583"
	"touchstone/pos"
	"touchstone/secret"
)

// Anatomy is one message taken apart. It holds the message behind a func, as printers reach unexported fields; Draw and the
// texts of its parts show card data masked.
type Anatomy struct {
	Framing Framing // what stood before the message type
	MTI     pos.MTI // 0 when it could not be read
	Parts   []Part  // every byte of the input belongs to exactly one part of depth 0
	Checks  []Check // of its structure, in order
	Fault   *Fault  // nil when the message is whole
	Size    int     // bytes of the input
	// Covered is the byte range a MAC is computed over, from the message type to the last element before DE64; empty
	// when there is no DE64 or the message is not whole.
	Covered Span

	hold func() *inside
}

// inside is what must not be printed.
type inside struct {
	bytes  []byte
	hidden []uint8 // per byte: 2 the high nibble, 1 the low nibble
}

// Span is a range of bytes of the input: From is in it, To is not.
type Span struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// Len is the number of bytes.
func (s Span) Len() int { return s.To - s.From }

// Framing is what stood before the message type.
type Framing struct {
	Length bool `json:"length"`
	TPDU   bool `json:"tpdu"`
	Header bool `json:"header"`
}

// Size is its number of bytes.
func (f Framing) Size() int {
	n := 0
	if f.Length {
		n += iso8583.LengthSize
	}
	if f.TPDU {
		n += tpduSize
	}
	if f.Header {
		n += headerSize
	}
	return n
}

// The sizes of TPDU and header; docs/protocol/unionpay-pos.md, section 1.
const (
	tpduSize   = 5
	headerSize = 6
	mtiSize    = 2
	bitmapSize = 8
)

// Part is a field, or with a depth of 1 or 2 something inside the field before it.
type Part struct {
	Depth int
	Name  string       // LEN, TPDU, HEADER, MTI, BITMAP, DE4, 60.1, A2.04; UNREAD for bytes that were not read
	Title explain.Text // what it is
	Span  Span         // depth 0: its bytes, length prefix included; else the bytes of its value, or empty where it has none of its own
	Value explain.Text // decoded and masked
}

// Check is one check of the structure.
type Check struct {
	Name explain.Text
	OK   bool
	Why  explain.Text // when it is not
}

// Fault is the first byte at fault.
type Fault struct {
	Name     string       // of the part that could not be read
	Element  int          // 0 for the frame and the message as a whole
	Kind     iso8583.Kind // as package iso8583 names it; 0 for a fault of the framing
	At       int          // its offset in the input; Size where bytes are missing at the end
	Expected explain.Text // what should stand there
	Found    explain.Text // what stands there, masked
	Do       explain.Text // what to look at
}

// Of takes bytes apart; whatever they are, it gives an anatomy. The bytes are copied.
func Of(message []byte, c *explain.Catalogue) *Anatomy {
	var best *Anatomy
	for _, f := range framings(message) {
		a := dissect(message, f, c)
		if best == nil || a.better(best) {
			best = a
		}
	}
	return best
}

// better: whole before broken, then with a LEN that is right, then the longer part read.
func (a *Anatomy) better(b *Anatomy) bool {
	if (a.Fault == nil) != (b.Fault == nil) {
		return a.Fault == nil
	}
	if counted := a.counted(); counted != b.counted() {
		return counted
	}
	return a.Fault != nil && a.readTo() > b.readTo()
}

// counted tells whether it begins with a LEN that is right.
func (a *Anatomy) counted() bool { return a.Framing.Length && len(a.Checks) > 0 && a.Checks[0].OK }

// readTo is how many parts were understood.
func (a *Anatomy) readTo() int {
	n := 0
	for _, p := range a.Parts {
		if p.Depth == 0 && p.Name != unread {
			n++
		}
	}
	return n
}

// unread names the bytes behind a fault.
const unread = "UNREAD"

// framings are the ways in which a message may begin, the usual first; never none.
func framings(b []byte) []Framing {
	var all []Framing
	add := func(f Framing, fits bool) {
		if fits {
			all = append(all, f)
		}
	}
	tpduAt := func(i int) bool { return len(b) > i && b[i] == 0x60 }
	mtiAt := func(i int) bool {
		return len(b) >= i+mtiSize && b[i] >= 0x01 && b[i] <= 0x09 && b[i+1]>>4 <= 9 && b[i+1]&15 <= 9
	}
	add(Framing{true, true, true}, tpduAt(2) || lengthFits(b) && mtiAt(2+tpduSize+headerSize))
	add(Framing{false, true, true}, tpduAt(0))
	add(Framing{false, false, false}, mtiAt(0))
	add(Framing{false, true, false}, tpduAt(0) && mtiAt(tpduSize))
	add(Framing{true, true, false}, tpduAt(2) && mtiAt(2+tpduSize))
	add(Framing{true, false, false}, mtiAt(2) && lengthFits(b))
	add(Framing{false, false, true}, mtiAt(headerSize) && len(b) > 0 && b[0] >= 0x60 && b[0] <= 0x63)
	if len(all) == 0 {
		all = []Framing{{true, true, true}}
	}
	return all
}

func lengthFits(b []byte) bool {
	return len(b) >= 2 && int(b[0])<<8|int(b[1]) == len(b)-iso8583.LengthSize
}

// HexOf is the bytes of a span as upper-case hexadecimal digits, two a byte without a gap; hidden nibbles are '*'.
func (a *Anatomy) HexOf(s Span) string {
	in := a.hold()
	out := make([]byte, 0, 2*max(s.Len(), 0))
	for i := s.From; i < s.To && i < len(in.bytes); i++ {
		hex := hexByte(in.bytes[i], in.hidden[i])
		out = append(out, hex[:]...)
	}
	return string(out)
}

const hexDigits = "0123456789ABCDEF"

func hexByte(b byte, hidden uint8) (out [2]byte) {
	out = [2]byte{hexDigits[b>>4], hexDigits[b&15]}
	if hidden&2 != 0 {
		out[0] = '*'
	}
	if hidden&1 != 0 {
		out[1] = '*'
	}
	return out
}

// HasFullPAN tells whether the message holds a whole card number in clear: DE2, or a track that is not enciphered.
func (a *Anatomy) HasFullPAN() bool {
	for _, p := range a.Parts {
		if p.Name == "DE2" || p.Name == "35.1" {
			return true
		}
	}
	return false
}

// Format prints the message type and the size for every verb.
func (a *Anatomy) Format(w fmt.State, _ rune) {
	fmt.Fprintf(w, "anatomy of %s, %d bytes", a.MTI, a.Size)
}

// MarshalText is refused: Draw and JSON show what may be shown.
func (a *Anatomy) MarshalText() ([]byte, error) { return nil, secret.ErrPrinted }

// MarshalBinary is refused.
func (a *Anatomy) MarshalBinary() ([]byte, error) { return nil, secret.ErrPrinted }

// GobEncode is refused.
func (a *Anatomy) GobEncode() ([]byte, error) { return nil, secret.ErrPrinted }

// Text is the value of a part in a word, such as DE41; "" when the message has no such part.
func (a *Anatomy) Text(name string) string {
	for _, p := range a.Parts {
		if p.Name == name {
			return p.Value.EN
		}
	}
	return ""
}
