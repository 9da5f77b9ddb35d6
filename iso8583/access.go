package iso8583

import (
	"touchstone/pos"
)

// MTI is the message type, 0 when the message is empty.
func (m Message) MTI() pos.MTI { return m.view().mti }

// Envelope is the TPDU and the header.
func (m Message) Envelope() Envelope { return m.view().envelope }

// Bitmap has the bit of element n at 1<<(64-n), as the wire has it big-endian.
func (m Message) Bitmap() uint64 { return m.view().bitmap }

// Has tells whether the message has element n.
func (m Message) Has(n int) bool { return m.view().has(n) }

// Len is the length of element n as its table counts it: digits for n and z, bytes otherwise; 0 when absent.
func (m Message) Len(n int) int {
	v := m.view()
	if !v.has(n) {
		return 0
	}
	return int(v.at[n].count)
}

// Raw lends the bytes of element n as received, without its length prefix; nil when absent.
func (m Message) Raw(n int) []byte {
	v := m.view()
	if !v.has(n) {
		return nil
	}
	return v.raw(n)
}

// Text lends the characters of an an or ans element; nil when it is absent or of another format.
func (m Message) Text(n int) []byte {
	v := m.view()
	if !v.has(n) {
		return nil
	}
	if f := v.dialect.Elements[n].Format; f != AN && f != ANS {
		return nil
	}
	return v.raw(n)
}

// maxNumberDigits is the most digits every value of which a uint64 holds.
const maxNumberDigits = 19

// Number is the value of an n element of at most 19 digits. It is false for an absent element, for
// another format, for more digits, and for a sensitive element: use PAN for DE2.
func (m Message) Number(n int) (uint64, bool) {
	v := m.view()
	if !v.has(n) {
		return 0, false
	}
	e, count := &v.dialect.Elements[n], int(v.at[n].count)
	if e.Format != N || e.Sensitive || count > maxNumberDigits {
		return 0, false
	}
	raw, from := v.raw(n), e.from(count)
	var sum uint64
	for i := from; i < from+count; i++ {
		sum = sum*10 + uint64(nibble(raw, i))
	}
	return sum, true
}

// from is the nibble at which count digits begin.
func (e *Element) from(count int) int {
	if e.Align == Right {
		return count % 2
	}
	return 0
}

// CopyDigits writes the digits of an n or z element to dst, one ASCII character each, without the
// pad, and returns how many. A track's separator is written D, as the nibble on the wire, and the
// other nibbles of an encrypted track A to F: use Raw to decrypt one. It writes nothing and returns
// 0 when the element is absent or of another format, or when dst is too short.
func (m Message) CopyDigits(n int, dst []byte) int {
	v := m.view()
	if !v.has(n) {
		return 0
	}
	e, count := &v.dialect.Elements[n], int(v.at[n].count)
	if !e.Format.nibbles() || len(dst) < count {
		return 0
	}
	const hexadecimal = "0123456789ABCDEF"
	raw, from := v.raw(n), e.from(count)
	for i := range count {
		dst[i] = hexadecimal[nibble(raw, from+i)]
	}
	return count
}

// PAN sets dst to the card number of DE2. It fails with a DecodeError when DE2 is absent and with
// pos.ErrPAN when it has too few digits; dst is then empty.
func (m Message) PAN(dst pos.PAN) error {
	dst.Clear()
	var digits [pos.MaxPAN]byte
	n := m.CopyDigits(2, digits[:])
	if n == 0 {
		return DecodeError{Element: 2, Kind: KindAbsent}
	}
	err := dst.Set(digits[:n])
	clear(digits[:])
	return err
}

// Bytes lends the whole message as received, MTI to the last element; nil when the message is empty.
func (m Message) Bytes() []byte { return m.view().body }

// MAB lends the bytes a MAC is computed over: MTI through the last element before DE64, with bit 64
// as received; docs/protocol/unionpay-pos.md, section 4.1. Without DE64 it is the whole message.
func (m Message) MAB() []byte {
	v := m.view()
	if !v.has(64) {
		return v.body
	}
	end := v.at[64].start
	return v.body[:end:end]
}
