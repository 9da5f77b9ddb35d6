package anatomy

import (
	"errors"

	"touchstone/iso8583"
)

// MaxInput is the most bytes of a message: LEN and the longest frame.
const MaxInput = iso8583.LengthSize + iso8583.MaxFrame

// maxText is the most bytes of hexadecimal text: each byte as " 0x12," and room for line ends.
const maxText = 8 * MaxInput

// Form is how the input was written.
type Form string

// The forms.
const (
	Hex    Form = "hexadecimal text"
	Binary Form = "raw bytes"
)

// Errors of Read. None carries what was read.
var (
	ErrEmpty   = errors.New("message: empty")
	ErrTooLong = errors.New("message: longer than a frame may be")
	ErrHex     = errors.New("message: an odd number of hexadecimal digits")
)

// Read takes a message from a file or an argument: hexadecimal digits with spaces, line ends, commas, colons and 0x between
// them as people paste them, or raw bytes. A text of digits only could be either; it is taken as hexadecimal.
func Read(input []byte) (message []byte, form Form, err error) {
	if len(input) == 0 {
		return nil, Hex, ErrEmpty
	}
	if len(input) > maxText {
		return nil, Hex, ErrTooLong
	}
	message, odd, ok := unhex(input)
	switch {
	case ok && odd:
		return nil, Hex, ErrHex
	case ok && len(message) == 0:
		return nil, Hex, ErrEmpty
	case !ok:
		message, form = append([]byte(nil), input...), Binary
	default:
		form = Hex
	}
	if len(message) > MaxInput {
		return nil, form, ErrTooLong
	}
	return message, form, nil
}

// LooksHex tells whether a word is hexadecimal digits of at least so many bytes as a message type and a bitmap take.
func LooksHex(s string) bool {
	b, odd, ok := unhex([]byte(s))
	return ok && (len(b) >= leastBytes || odd && len(b) >= leastBytes-1)
}

// leastBytes is a message type and a bitmap.
const leastBytes = 2 + 8

// unhex reads hexadecimal text; ok is false when it holds anything else, odd tells of a digit left over.
func unhex(text []byte) (out []byte, odd, ok bool) {
	digits := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == ' ', c == '\t', c == '\r', c == '\n', c == ',', c == ':', c == '-':
		case c == '0' && i+1 < len(text) && (text[i+1] == 'x' || text[i+1] == 'X'):
			i++
		case nibbleOf(c) >= 0:
			digits = append(digits, byte(nibbleOf(c)))
		default:
			return nil, false, false
		}
	}
	for i := 0; i+1 < len(digits); i += 2 {
		out = append(out, digits[i]<<4|digits[i+1])
	}
	return out, len(digits)%2 == 1, true
}

func nibbleOf(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	}
	return -1
}
