package iso8583

import "encoding/binary"

// nibbleRule is which nibbles a packed element may hold.
type nibbleRule uint8

const (
	digitNibbles nibbleRule = iota // 0 to 9
	trackNibbles                   // 0 to 9 and D
)

// high is the top bit of each nibble of a word.
const high = 0x8888888888888888

// packed tells whether every nibble of b is one the rule allows. It looks at eight bytes at a time:
// with the bits of a nibble 8 4 2 1, a nibble is over 9 when 8 and (4 or 2) are set, and it is D
// when 8, 4 and 1 are set and 2 is not. A shift within the word brings a bit under the mask of its
// own nibble's top bit.
func packed(b []byte, rule nibbleRule) bool {
	for ; len(b) >= 8; b = b[8:] {
		if badNibbles(binary.LittleEndian.Uint64(b), rule) {
			return false
		}
	}
	var tail uint64
	if len(b) >= 4 {
		tail, b = uint64(binary.LittleEndian.Uint32(b)), b[4:]
	}
	if len(b) >= 2 {
		tail, b = tail<<16|uint64(binary.LittleEndian.Uint16(b)), b[2:]
	}
	if len(b) == 1 {
		tail = tail<<8 | uint64(b[0])
	}
	return !badNibbles(tail, rule)
}

func badNibbles(x uint64, rule nibbleRule) bool {
	four, two, one := x<<1, x<<2, x<<3
	over := x & (four | two) & high
	if rule == trackNibbles {
		over &^= four &^ two & one
	}
	return over != 0
}

// characters tells whether every byte of b is one the rule allows.
func characters(b []byte, rule Charset) bool {
	switch rule {
	case Printable:
		return printable(b)
	case Text:
		for _, c := range b {
			if c < ' ' || c == 0x7F || c == 0xFF {
				return false
			}
		}
	}
	return true
}

// printable tells whether every byte is ASCII 20 to 7E, eight at a time: a byte under 80 plus 60
// has its top bit set when it was at least 20, and plus 1 when it was 7F.
func printable(b []byte) bool {
	const top, low = 0x8080808080808080, 0x0101010101010101
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b)
		if (x|(x&^top+low))&top != 0 || (x&^top+0x60*low)&top != top {
			return false
		}
	}
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// nibble is nibble i of packed bytes, the first being the high half of byte 0.
func nibble(b []byte, i int) byte {
	if i%2 == 0 {
		return b[i/2] >> 4
	}
	return b[i/2] & 0x0F
}
