package pinblock

import (
	"fmt"
	"io"

	"touchstone/secret"
)

// Parts are what a block is made of, all lent: the package keeps none of it.
type Parts struct {
	PIN  []byte // 4 to 12 ASCII digits
	PAN  []byte // ASCII digits, 12 to 19 (1 to 19 for ISO4); unused where Format.UsesPAN is false
	Fill []byte // Format.FillSize bytes: nibbles 0 to F for ISO1, A to F for ISO3, random bytes for ISO4
}

// Format prints secret.Redacted for every verb. It cannot help where Parts is an
// unexported field of another struct: keep it on the stack.
func (Parts) Format(w fmt.State, _ rune) { io.WriteString(w, secret.Redacted) }

// Encode writes the clear block to dst, which is Format.Size bytes long. For ISO4
// it is the PIN field before any enciphering. It returns ErrInput, and then dst
// is zero.
func Encode(dst []byte, f Format, p Parts) error {
	l := layoutOf(f)
	n := len(p.PIN)
	if l.size == 0 || len(dst) != l.size || !digits(p.PIN, MinPIN, MaxPIN) || len(p.Fill) != f.FillSize(n) {
		clear(dst)
		return ErrInput
	}
	var nibbles [2 * maxSize]byte
	defer clear(nibbles[:])
	fillNibbles(&nibbles, f, l, p)
	nibbles[0], nibbles[1] = l.control, byte(n)
	for i, d := range p.PIN {
		nibbles[2+i] = d - '0'
	}
	wrong := byte(0)
	for i := range dst {
		hi, lo := nibbles[2*i], nibbles[2*i+1]
		wrong |= (hi | lo) >> 4
		dst[i] = hi<<4 | lo
	}
	if f == ISO3 {
		for _, r := range p.Fill {
			wrong |= less(r, l.minFill)
		}
	}
	if wrong != 0 || l.panAt >= 0 && !xorPAN(dst, l.panAt, p.PAN) {
		clear(dst)
		return ErrInput
	}
	return nil
}

// fillNibbles sets everything after the PIN.
func fillNibbles(nibbles *[2 * maxSize]byte, f Format, l layout, p Parts) {
	n := len(p.PIN)
	for i := 2 + n; i < 2*l.size; i++ {
		nibbles[i] = l.fill
	}
	switch f {
	case ISO1, ISO3:
		copy(nibbles[2+n:16], p.Fill)
	case ISO4:
		for i, r := range p.Fill {
			nibbles[16+2*i], nibbles[17+2*i] = r>>4, r&15
		}
	}
}

// Decode reads a clear block of Format.Size bytes and writes the PIN as ASCII
// digits to the first n bytes of pin, zeroing the rest. pan is as in Parts and
// unused for ISO4, whose clear block is the PIN field. It returns ErrInput for a
// wrong length or card number and ErrFormat for anything wrong inside the block;
// pin is then zero. The work does not branch on what the block holds.
func Decode(pin *[MaxPIN]byte, f Format, block, pan []byte) (n int, err error) {
	clear(pin[:])
	l := layoutOf(f)
	if l.size == 0 || len(block) != l.size {
		return 0, ErrInput
	}
	var b [maxSize]byte
	defer clear(b[:])
	copy(b[:], block)
	if l.panAt >= 0 && !xorPAN(b[:l.size], l.panAt, pan) {
		return 0, ErrInput
	}
	length := b[0] & 15
	wrong := differ(b[0]>>4, l.control) | less(length, MinPIN) | less(MaxPIN, length)
	checked := 2 * l.size
	if f == ISO4 {
		checked = 16
	}
	for i := 2; i < checked; i++ {
		nibble := b[i/2] >> nibbleShift(i) & 15
		inside := less(byte(i-2), length) // all ones inside the PIN
		wrong |= inside & less(9, nibble)
		wrong |= ^inside & (less(nibble, l.minFill) | less(l.maxFill, nibble))
		if i < 2+MaxPIN {
			pin[i-2] = inside & (nibble | '0')
		}
	}
	if wrong != 0 {
		clear(pin[:])
		return 0, ErrFormat
	}
	return int(length), nil
}

// less is FF when a < b, else 0, without a branch; a and b are at most 127.
func less(a, b byte) byte { return byte(int8(a-b) >> 7) }

// differ is FF when nibbles a and b differ, else 0.
func differ(a, b byte) byte { return less(0, a^b) }

// xorPAN adds the 12 right-most digits without the check digit as 6 bytes at b[at:].
func xorPAN(b []byte, at int, pan []byte) bool {
	if !digits(pan, minPAN12, maxPAN) {
		return false
	}
	body := pan[:len(pan)-1]
	for i := range min(12, len(body)) {
		place := 11 - i
		d := body[len(body)-1-i] - '0'
		b[at+place/2] ^= d << nibbleShift(place)
	}
	return true
}

// PANField is the card number field of format 4: the number of digits over 12 (0
// for 12 and fewer, which are left-padded with zeros to 12), the whole card
// number with its check digit, and zeros; ISO 9564-1:2017, 9.4.2.3. It returns
// ErrInput for anything but 1 to 19 ASCII digits.
func PANField(pan []byte) (field [16]byte, err error) {
	if !digits(pan, 1, maxPAN) {
		return field, ErrInput
	}
	pad := max(0, 12-len(pan))
	field[0] = byte(len(pan)+pad-12) << 4
	for i, d := range pan {
		place := 1 + pad + i
		field[place/2] |= (d - '0') << nibbleShift(place)
	}
	return field, nil
}

// digits tells whether b is least to most ASCII digits.
func digits(b []byte, least, most int) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) >= least && len(b) <= most
}

// nibbleShift is where nibble i of a byte string lies in its byte: 4 for even i, the
// upper one, else 0.
func nibbleShift(i int) int { return 4 - i%2*4 }

// AppendFill3 appends fill nibbles A to F made from random bytes to dst, each
// equally likely: bytes of 252 and over are left out, so that a few more random
// bytes than nibbles are wanted. ISO 9564-1:2017, 9.3.2.5.
func AppendFill3(dst, random []byte) []byte {
	for _, r := range random {
		if r < 252 {
			dst = append(dst, 10+r%6)
		}
	}
	return dst
}
