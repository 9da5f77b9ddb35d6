package diagnosis

import "crypto/subtle"

// Encoding is how the code was written in DE64.
type Encoding uint8

// The encodings. The zero value is the right one: four bytes as eight upper-case hexadecimal characters.
const (
	UpperCase Encoding = iota
	LowerCase          // or mixed
	Binary8            // eight bytes of the code as they are
	Binary4            // four bytes of the code as they are and four equal ones of filling
)

var encodingNames = [...]string{"upper_case", "lower_case", "binary", "binary_4"}

// String is the stable word of the fact "encoding".
func (e Encoding) String() string { return encodingNames[e] }

// Reading is what a received code can be: one writing of it, so that one experiment is one comparison.
type Reading struct {
	Encoding Encoding
	value    [8]byte
	size     int // bytes to compare: 4, or 8
}

// Read reads DE64 or the ciphertext of a serial number. Eight hexadecimal characters stand for four bytes; four bytes
// and four equal ones of 00, 20 or FF for the first four; anything else for eight.
func Read(b [8]byte) Reading {
	r := Reading{value: b, size: 8, Encoding: Binary8}
	var short [8]byte
	hex := true
	for i, c := range b {
		v, lower := byte(0), false
		switch {
		case c >= '0' && c <= '9':
			v = c - '0'
		case c >= 'A' && c <= 'F':
			v = c - 'A' + 10
		case c >= 'a' && c <= 'f':
			v, lower = c-'a'+10, true
		default:
			hex = false
		}
		if lower && hex {
			r.Encoding = LowerCase
		}
		short[i/2] |= v << (4 * (1 - i%2))
	}
	switch {
	case hex:
		if r.Encoding != LowerCase {
			r.Encoding = UpperCase
		}
		r.value, r.size = short, 4
	case b[4] == b[5] && b[5] == b[6] && b[6] == b[7] && (b[4] == 0 || b[4] == ' ' || b[4] == 0xFF):
		r.size, r.Encoding = 4, Binary4
	default:
		r.Encoding = Binary8
	}
	return r
}

// Match tells in constant time whether code, 8 or 16 bytes, is what was received. Eight bytes as they are can only be
// the first part.
func (r *Reading) Match(code []byte, p Part) bool {
	from := 0
	switch p {
	case SecondPart:
		from = 4
	case LastPart:
		from = len(code) - 4
	}
	if len(code) < from+r.size {
		return false
	}
	return subtle.ConstantTimeCompare(code[from:from+r.size], r.value[:r.size]) == 1
}

// OneIn is the chance that any of tried comparisons fits by luck: at most one in this, rounded down. A comparison of n
// bytes fits by luck once in 2^(8n).
func (r *Reading) OneIn(tried uint32) uint64 {
	if r.size == 8 {
		return (1<<64 - 1) / uint64(max(1, tried))
	}
	return 1 << 32 / uint64(max(1, tried))
}
