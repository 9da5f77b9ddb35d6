package iso8583

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"touchstone/pos"
	"touchstone/secret"
)

// Builder packs one message after another over buffers of the caller's, without allocation. Elements
// are put in ascending order. The first fault sticks: later calls do nothing, and MAB, Finish and
// Frame report it. The zero value refuses everything; NewBuilder makes one. Copies share one state.
// A Builder prints nothing of what it packed.
type Builder struct{ hold func() *packing }

// packing is the inside of a Builder.
type packing struct {
	dialect  *Dialect
	buf      []byte // the caller's: LEN, envelope, MTI, bitmap, elements
	bitmap   uint64 // written into buf by seal
	at       int    // where the next byte goes
	last     int    // the element put last
	reserved bool   // bit 64 is set, its 8 bytes are last
	sealed   bool   // and they hold a MAC
	fault    EncodeError
}

// NewBuilder makes a Builder for messages of a dialect.
func NewBuilder(d *Dialect) Builder {
	own := &packing{dialect: d, fault: EncodeError{Kind: KindRoom}}
	return Builder{func() *packing { return own }}
}

// maxPutDigits is the most digits PutNumber packs; with the pad they still fit a uint64.
const maxPutDigits = 18

const bodyStart = LengthSize + EnvelopeSize

// Begin starts a message in buf, whose length is the room there is: LengthSize+MaxFrame is always
// enough. It drops whatever was being packed, and its fault.
func (b Builder) Begin(buf []byte, e Envelope, mti pos.MTI) {
	p := b.packing()
	*p = packing{dialect: p.dialect, buf: buf[:min(len(buf), LengthSize+MaxFrame)]}
	head := p.grow(LengthSize + MinFrame)
	if head == nil {
		return
	}
	copy(head[LengthSize:], e[:])
	binary.BigEndian.PutUint16(head[bodyStart:], uint16(mti))
	switch {
	case p.dialect == nil:
		p.fail(KindDialect, 0, 0)
	case !e.valid():
		p.fail(KindEnvelope, 0, 0)
	case !packed(head[bodyStart:bodyStart+mtiSize], digitNibbles):
		p.fail(KindDigit, 0, 0)
	}
}

func (b Builder) packing() *packing {
	if b.hold == nil {
		return &packing{}
	}
	return b.hold()
}

// PutNumber packs v into an n element of fixed length, with leading zeros.
func (b Builder) PutNumber(n int, v uint64) {
	p := b.packing()
	e := p.open(n)
	if e == nil {
		return
	}
	if e.Format != N || e.Length != Fixed || e.Max > maxPutDigits {
		p.fail(KindFormat, 0, 0)
		return
	}
	dst := p.room(e, e.Max)
	if dst == nil {
		return
	}
	if e.Max%2 == 1 && e.Align == Left {
		if v > math.MaxUint64/10 {
			p.fail(KindValue, 0, 0)
			return
		}
		v *= 10 // the pad
	}
	i := len(dst)
	for ; i > 0 && v != 0; v /= 100 {
		i--
		dst[i] = bcd(uint32(v % 100))
	}
	clear(dst[:i])
	if v != 0 || e.Max%2 == 1 && e.Align == Right && dst[0] > 9 {
		p.fail(KindValue, 0, 0)
	}
}

// PutDigits packs ASCII digits into an n or z element; a z element takes "=" or D as well. An odd
// number is filled with 0.
func (b Builder) PutDigits(n int, digits []byte) {
	p := b.packing()
	if e := p.open(n); e != nil {
		p.putDigits(e, digits)
	}
}

// PutPAN packs a card number into DE2.
func (b Builder) PutPAN(pan pos.PAN) {
	p := b.packing()
	e := p.open(2)
	if e == nil {
		return
	}
	pan.Use(func(digits []byte) { p.putDigits(e, digits) })
}

// PutPacked packs nibbles that are packed already, count of them, into an n or z element: an
// encrypted track, for one, which may hold any nibble. The pad nibble of an odd count is kept.
func (b Builder) PutPacked(n, count int, nibbles []byte) {
	p := b.packing()
	e := p.open(n)
	if e == nil {
		return
	}
	if !e.Format.nibbles() {
		p.fail(KindFormat, 0, 0)
		return
	}
	dst := p.room(e, count)
	if dst == nil {
		return
	}
	if len(nibbles) != len(dst) {
		p.fail(KindLength, 2*len(nibbles), count)
		return
	}
	if k := e.check(nibbles, count); k != 0 && !(k == KindDigit && e.Format == Z) {
		p.fail(k, 0, 0)
		return
	}
	copy(dst, nibbles)
}

// PutText packs the characters of an an or ans element; nothing is filled up.
func (b Builder) PutText(n int, text []byte) {
	p := b.packing()
	e := p.open(n)
	if e == nil {
		return
	}
	if e.Format != AN && e.Format != ANS {
		p.fail(KindFormat, 0, 0)
		return
	}
	p.putBytes(e, text)
}

// PutRaw packs the bytes of a b element. DE64 is set with ReserveMAC and SetMAC.
func (b Builder) PutRaw(n int, raw []byte) {
	p := b.packing()
	e := p.open(n)
	if e == nil {
		return
	}
	if e.Format != B || n == MaxElement {
		p.fail(KindFormat, 0, 0)
		return
	}
	p.putBytes(e, raw)
}

// Echo packs element n as m has it, byte for byte; one that m does not have is left out
// (docs/protocol/unionpay-pos.md, section 9A.14). m must be of the builder's dialect, and DE64 is
// never echoed.
func (b Builder) Echo(m Message, n int) {
	p, v := b.packing(), m.view()
	if !v.has(n) {
		return
	}
	e := p.open(n)
	switch {
	case e == nil:
	case v.dialect != p.dialect:
		p.fail(KindDialect, 0, 0)
	case n == MaxElement:
		p.fail(KindFormat, 0, 0)
	default:
		raw := v.raw(n)
		if dst := p.room(e, int(v.at[n].count)); dst != nil {
			copy(dst, raw)
		}
	}
}

// ReserveMAC sets bit 64 and keeps 8 bytes for DE64. Nothing can be put after it.
func (b Builder) ReserveMAC() {
	p := b.packing()
	if p.open(MaxElement) == nil {
		return
	}
	if dst := p.grow(macSize); dst != nil {
		clear(dst)
		p.reserved = true
		p.bitmap |= bit(MaxElement)
	}
}

// MAB lends the bytes a MAC is computed over: MTI through the last element before DE64, with bit 64
// set. It is nil after a fault and before ReserveMAC.
func (b Builder) MAB() []byte {
	p := b.packing()
	if p.fault.Kind != 0 || !p.reserved {
		return nil
	}
	p.seal()
	end := p.at - macSize
	return p.buf[bodyStart:end:end]
}

// SetMAC writes DE64, 8 bytes as they go out.
func (b Builder) SetMAC(mac [macSize]byte) {
	p := b.packing()
	if p.fault.Kind != 0 {
		return
	}
	if !p.reserved {
		p.last = MaxElement
		p.fail(KindMAC, 0, 0)
		return
	}
	copy(p.buf[p.at-macSize:], mac[:])
	p.sealed = true
}

// Finish lends the message, MTI to the last element. It fails with an EncodeError: the first fault,
// or KindMAC when a MAC was reserved and not set.
func (b Builder) Finish() (body []byte, err error) {
	frame, err := b.Frame()
	if err != nil {
		return nil, err
	}
	return frame[bodyStart:], nil
}

// Frame lends the whole of what goes out: LEN, envelope and message. It fails as Finish does.
func (b Builder) Frame() (frame []byte, err error) {
	p := b.packing()
	if p.fault.Kind == 0 && p.at < LengthSize+MinFrame {
		p.fault = EncodeError{Kind: KindRoom, Have: p.at, Want: LengthSize + MinFrame}
	}
	if p.reserved && !p.sealed {
		p.fail(KindMAC, 0, 0)
	}
	if p.fault.Kind != 0 {
		return nil, p.fault
	}
	p.seal()
	binary.BigEndian.PutUint16(p.buf, uint16(p.at-LengthSize))
	return p.buf[:p.at:p.at], nil
}

// Repack packs m into dst element by element and returns the frame with its LEN. What Parse accepts
// comes back byte for byte, DE64 included. The builder must be of m's dialect.
func (b Builder) Repack(m Message, dst []byte) (frame []byte, err error) {
	v := m.view()
	b.Begin(dst, v.envelope, v.mti)
	p := b.packing()
	if p.fault.Kind == 0 && v.dialect != p.dialect {
		p.fail(KindDialect, 0, 0)
	}
	for left := v.bitmap; left != 0 && p.fault.Kind == 0; {
		n := first(left)
		left &^= bit(n)
		b.repack(v, n)
	}
	return b.Frame()
}

func (b Builder) repack(v *view, n int) {
	raw, count, e := v.raw(n), int(v.at[n].count), &v.dialect.Elements[n]
	switch {
	case n == MaxElement:
		b.ReserveMAC()
		b.SetMAC([macSize]byte(raw))
	case e.Format.nibbles():
		b.PutPacked(n, count, raw)
	case e.Format == B:
		b.PutRaw(n, raw)
	default:
		b.PutText(n, raw)
	}
}

// open is the row of the element to be put, or nil after a fault.
func (p *packing) open(n int) *Element {
	if p.fault.Kind != 0 {
		return nil
	}
	before := p.last
	p.last = n
	e := p.dialect.row(n)
	switch {
	case e == nil:
		p.fail(KindUnknown, 0, 0)
	case n <= before:
		p.fail(KindOrder, 0, 0)
	default:
		return e
	}
	return nil
}

// room writes the prefix of an element of count digits or bytes, sets its bit, and gives the bytes
// its value goes to; nil after a fault.
func (p *packing) room(e *Element, count int) []byte {
	switch {
	case count != e.Max && (e.Length == Fixed || count > e.Max):
		p.fail(KindLength, count, e.Max)
		return nil
	case count <= 0:
		p.fail(KindEmpty, 0, 0)
		return nil
	}
	start := p.at + int(e.Length)
	end := start + e.size(count)
	if end > len(p.buf) {
		p.fail(KindRoom, len(p.buf)-p.at, end-p.at)
		return nil
	}
	switch e.Length {
	case LLVAR:
		p.buf[p.at] = bcd(uint32(count))
	case LLLVAR:
		p.buf[p.at], p.buf[p.at+1] = bcd(uint32(count)/100), bcd(uint32(count)%100)
	}
	p.at = end
	p.bitmap |= bit(e.Number)
	return p.buf[start:end]
}

func (p *packing) putDigits(e *Element, digits []byte) {
	if !e.Format.nibbles() {
		p.fail(KindFormat, 0, 0)
		return
	}
	dst := p.room(e, len(digits))
	if dst == nil {
		return
	}
	rule := digitNibbles
	if e.Format == Z {
		rule = trackNibbles
	}
	ok := true
	if len(digits)%2 == 1 && e.Align == Right {
		dst[0], ok = nibbleOf(digits[0], rule)
		dst, digits = dst[1:], digits[1:]
	}
	for len(digits) >= 2 && len(dst) > 0 {
		if len(digits) >= 8 && len(dst) >= 4 {
			if four, plain := packEight(binary.BigEndian.Uint64(digits)); plain {
				binary.BigEndian.PutUint32(dst, four)
				dst, digits = dst[4:], digits[8:]
				continue
			}
		}
		high, ok1 := nibbleOf(digits[0], rule)
		low, ok2 := nibbleOf(digits[1], rule)
		dst[0] = high<<4 | low
		ok = ok && ok1 && ok2
		dst, digits = dst[1:], digits[2:]
	}
	if len(digits) == 1 {
		last, ok1 := nibbleOf(digits[0], rule)
		dst[0] = last << 4
		ok = ok && ok1
	}
	if !ok {
		p.fail(KindDigit, 0, 0)
	}
}

// packEight packs eight ASCII digits into four bytes and tells whether they were digits.
func packEight(x uint64) (four uint32, ok bool) {
	x ^= 0x3030303030303030
	if (x|(x+0x0606060606060606))&0xF0F0F0F0F0F0F0F0 != 0 {
		return 0, false
	}
	x = (x | x>>4) & 0x00FF00FF00FF00FF
	x = (x | x>>8) & 0x0000FFFF0000FFFF
	return uint32(x | x>>16), true
}

// nibbleOf is the nibble of an ASCII digit, or of a track's separator.
func nibbleOf(c byte, rule nibbleRule) (byte, bool) {
	if d := c - '0'; d <= 9 {
		return d, true
	}
	if rule == trackNibbles && (c == '=' || c == 'D') {
		return 0x0D, true
	}
	return 0, false
}

func (p *packing) putBytes(e *Element, value []byte) {
	dst := p.room(e, len(value))
	if dst == nil {
		return
	}
	if !characters(value, e.Charset) {
		p.fail(KindCharacter, 0, 0)
		return
	}
	copy(dst, value)
}

// grow gives the next n bytes of the buffer, or nil when there is no room.
func (p *packing) grow(n int) []byte {
	if len(p.buf)-p.at < n {
		p.fail(KindRoom, len(p.buf)-p.at, n)
		return nil
	}
	dst := p.buf[p.at : p.at+n]
	p.at += n
	return dst
}

// seal writes the bitmap into the buffer.
func (p *packing) seal() {
	binary.BigEndian.PutUint64(p.buf[bodyStart+mtiSize:], p.bitmap)
}

// fail keeps the first fault.
func (p *packing) fail(k Kind, have, want int) {
	if p.fault.Kind == 0 {
		p.fault = EncodeError{Element: p.last, Kind: k, Have: have, Want: want}
	}
}

// builderText is what a Builder prints.
const builderText = "[message builder]"

// Format prints a constant for every verb.
func (b Builder) Format(w fmt.State, _ rune)     { io.WriteString(w, builderText) }
func (b Builder) MarshalText() ([]byte, error)   { return nil, secret.ErrPrinted }
func (b Builder) MarshalJSON() ([]byte, error)   { return nil, secret.ErrPrinted }
func (b Builder) MarshalBinary() ([]byte, error) { return nil, secret.ErrPrinted }
func (b Builder) GobEncode() ([]byte, error)     { return nil, secret.ErrPrinted }
