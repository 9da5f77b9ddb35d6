package iso8583

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"strings"

	"touchstone/pos"
	"touchstone/secret"
)

// Message is a view over the bytes of one message. The zero value holds none; Dialect.Parse fills
// it, again and again without allocation after the first time. Copies share one view: parsing into
// one changes all.
//
// A Message lends its frame's bytes: they must stay unchanged while it is used. The frame lies
// behind a func, as fmt and other printers reach unexported fields by reflection; every printing
// route shows the message type and the element numbers, and every encoder is refused.
type Message struct{ hold func() *view }

// view is the inside of a Message. Spans are right where their bit of bitmap is set.
type view struct {
	dialect  *Dialect
	envelope Envelope
	body     []byte // MTI to the last element
	mti      pos.MTI
	bitmap   uint64
	at       [MaxElement + 1]span
}

// span is where an element's value lies in the body, and its length in digits or characters.
type span struct{ start, end, count uint16 }

// Parse makes dst a view of a frame as ReadFrame gives it: envelope, MTI, bitmap, elements. Every
// byte is accounted for. It fails with ErrEnvelope, ErrFrameLength for a frame outside MinFrame to
// MaxFrame, or a DecodeError; dst is then empty.
func (d *Dialect) Parse(dst *Message, frame []byte) error {
	err := d.Salvage(dst, frame)
	if err != nil {
		dst.Reset()
	}
	return err
}

// Salvage is Parse, but after a DecodeError dst keeps what was read before the fault: the message
// type and the elements before the faulty one, without DE64. It is for answering a message that is
// refused as malformed (DE39 30), and for nothing else.
func (d *Dialect) Salvage(dst *Message, frame []byte) error {
	dst.Reset()
	if len(frame) < MinFrame || len(frame) > MaxFrame {
		return ErrFrameLength
	}
	v := dst.own()
	copy(v.envelope[:], frame)
	if !v.envelope.valid() {
		return ErrEnvelope
	}
	v.dialect, v.body = d, frame[EnvelopeSize:]
	if fault := d.read(v); fault.Kind != 0 {
		v.drop(64)
		return fault
	}
	return nil
}

// own is the view, made on first use.
func (m *Message) own() *view {
	if m.hold == nil {
		own := new(view)
		m.hold = func() *view { return own }
	}
	return m.hold()
}

// read fills the view from v.body, which has at least a message type and a bitmap. On a fault the
// bitmap keeps the elements read before it.
func (d *Dialect) read(v *view) DecodeError {
	body := v.body
	if !packed(body[:mtiSize], digitNibbles) {
		return DecodeError{Kind: KindDigit}
	}
	v.mti = pos.MTI(binary.BigEndian.Uint16(body))
	all := binary.BigEndian.Uint64(body[mtiSize:])
	if all>>63 != 0 {
		return DecodeError{Element: 1, Kind: KindSecondary}
	}
	left, odd, fault := d.walk(v, all)
	v.bitmap = all &^ left
	if fault.Kind != 0 {
		return fault
	}
	if odd != 0 && !v.tracksEncrypted() {
		v.bitmap &^= odd
		return DecodeError{Element: first(odd), Kind: KindDigit}
	}
	return DecodeError{}
}

// walk finds the elements of the bitmap all, one after the other. It returns those it did not reach,
// and the tracks that hold other nibbles than clear ones do.
func (d *Dialect) walk(v *view, all uint64) (left, odd uint64, fault DecodeError) {
	body, at := v.body, mtiSize+bitmapSize
	for left = all; left != 0; {
		n := first(left)
		e := &d.Elements[n]
		start, count, k := e.length(body, at)
		switch k {
		case 0:
		case KindCut:
			return left, odd, DecodeError{Element: n, Kind: k, Have: len(body) - at, Want: int(e.Length)}
		case KindLength:
			return left, odd, DecodeError{Element: n, Kind: k, Have: count, Want: e.Max}
		default:
			return left, odd, DecodeError{Element: n, Kind: k}
		}
		end := start + e.size(count)
		if end > len(body) {
			return left, odd, DecodeError{Element: n, Kind: KindCut, Have: len(body) - start, Want: end - start}
		}
		if k = e.check(body[start:end], count); k != 0 {
			if k != KindDigit || e.Format != Z {
				return left, odd, DecodeError{Element: n, Kind: k}
			}
			odd |= bit(n)
		}
		v.at[n], at = span{uint16(start), uint16(end), uint16(count)}, end
		left &^= bit(n)
	}
	if at != len(body) {
		return 0, odd, DecodeError{Kind: KindTrailing, Have: len(body) - at}
	}
	return 0, odd, DecodeError{}
}

// length reads the prefix at body[at], if the element has one: where the value starts and its
// length in digits or bytes.
func (e *Element) length(body []byte, at int) (start, count int, k Kind) {
	if e.Format == 0 {
		return 0, 0, KindUnknown
	}
	if e.Length == Fixed {
		return at, e.Max, 0
	}
	start = at + int(e.Length)
	if start > len(body) {
		return 0, 0, KindCut
	}
	prefix := uint64(body[at])
	count = decimal(body[at])
	if e.Length == LLLVAR {
		prefix = prefix<<8 | uint64(body[at+1])
		count = count*100 + decimal(body[at+1])
	}
	switch {
	case badNibbles(prefix, digitNibbles):
		return 0, 0, KindPrefix
	case count == 0:
		return 0, 0, KindEmpty
	case count > e.Max:
		return 0, count, KindLength
	}
	return start, count, 0
}

// check tells whether value has the element's format. It reports the pad's fault before the digits',
// so that KindDigit says the pad was right.
func (e *Element) check(value []byte, count int) Kind {
	if !e.Format.nibbles() {
		if !characters(value, e.Charset) {
			return KindCharacter
		}
		return 0
	}
	rule := digitNibbles
	if e.Format == Z {
		rule = trackNibbles
	}
	if count%2 == 0 {
		if !packed(value, rule) {
			return KindDigit
		}
		return 0
	}
	place, pad, digit := e.edge(value)
	if pad != 0 && (pad != 0x0F || e.Pad != PadZeroOrMax) {
		return KindPad
	}
	rest := value[:place]
	if e.Align == Right {
		rest = value[1:]
	}
	if badNibbles(uint64(digit), rule) || !packed(rest, rule) {
		return KindDigit
	}
	return 0
}

// edge is the byte of an odd number of digits that holds the pad: its place, the pad, the digit.
func (e *Element) edge(value []byte) (place int, pad, digit byte) {
	if e.Align == Right {
		return 0, value[0] >> 4, value[0] & 0x0F
	}
	place = len(value) - 1
	return place, value[place] & 0x0F, value[place] >> 4
}

// bit is the bitmap of element n alone, first the lowest element of a bitmap that has one.
func bit(n int) uint64        { return 1 << (uint(MaxElement-n) & 63) }
func first(bitmap uint64) int { return bits.LeadingZeros64(bitmap) + 1 }

func (v *view) has(n int) bool { return n >= 2 && n <= MaxElement && v.bitmap&bit(n) != 0 }

func (v *view) drop(n int) { v.bitmap &^= bit(n) }

// tracksEncrypted is digit 3 of DE53; docs/protocol/unionpay-pos.md, section 5.1.
func (v *view) tracksEncrypted() bool {
	n := v.dialect.SecurityControl
	return v.has(n) && nibble(v.raw(n), 2) == 1
}

func (v *view) raw(n int) []byte { s := v.at[n]; return v.body[s.start:s.end:s.end] }

// none is what an empty Message reads from; nothing writes it.
var none view

func (m Message) view() *view {
	if m.hold == nil {
		return &none
	}
	return m.hold()
}

// Reset empties the message and lets go of its frame. It does not wipe the frame.
func (m *Message) Reset() {
	if m.hold != nil {
		v := m.hold()
		v.dialect, v.body, v.envelope, v.mti, v.bitmap = nil, nil, Envelope{}, 0, 0
	}
}

// Format prints the message type and the element numbers for every verb: "0800 [11 41 42 60]".
func (m Message) Format(w fmt.State, _ rune)     { io.WriteString(w, m.String()) }
func (m Message) MarshalText() ([]byte, error)   { return nil, secret.ErrPrinted }
func (m Message) MarshalJSON() ([]byte, error)   { return nil, secret.ErrPrinted }
func (m Message) MarshalBinary() ([]byte, error) { return nil, secret.ErrPrinted }
func (m Message) GobEncode() ([]byte, error)     { return nil, secret.ErrPrinted }

// String is the message type and the element numbers: "0800 [11 41 42 60]".
func (m Message) String() string {
	v := m.view()
	var s strings.Builder
	s.WriteString(v.mti.String())
	sep := " ["
	for left := v.bitmap; left != 0; {
		n := first(left)
		left &^= bit(n)
		fmt.Fprintf(&s, "%s%d", sep, n)
		sep = " "
	}
	if sep == " [" {
		s.WriteString(sep)
	}
	s.WriteString("]")
	return s.String()
}
