package pos

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"touchstone/secret"
)

// The bounds of a card number, ISO/IEC 7812-1: at most 19 digits; UnionPay cards have 13 or more.
const (
	MinPAN = 12
	MaxPAN = 19
)

// ErrPAN is returned for a card number with a wrong length or character. It never carries the number.
var ErrPAN = errors.New("card number: wrong length or character")

type panBuffer struct {
	digits [MaxPAN]byte
	n      int
}

// PAN is a primary account number: up to 19 ASCII digits that never print. The zero value is empty
// and cannot be set; NewPAN makes one that can be set again and again without allocation. Copies
// share one buffer. Equal is in constant time for equal lengths.
type PAN struct{ hold func() *panBuffer }

// NewPAN makes an empty card number that owns its buffer.
func NewPAN() PAN {
	own := new(panBuffer)
	return PAN{func() *panBuffer { return own }}
}

// ParsePAN makes a card number of 12 to 19 ASCII digits.
func ParsePAN(digits string) (PAN, error) {
	p := NewPAN()
	if err := p.Set([]byte(digits)); err != nil {
		return PAN{}, err
	}
	return p, nil
}

// Set replaces the number by 12 to 19 ASCII digits; on error it is empty.
func (p PAN) Set(digits []byte) error {
	if p.hold == nil {
		return ErrPAN
	}
	b := p.hold()
	p.Clear()
	if len(digits) < MinPAN || len(digits) > MaxPAN {
		return ErrPAN
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return ErrPAN
		}
	}
	b.n = copy(b.digits[:], digits)
	return nil
}

// Use lends the ASCII digits to f, which must not keep them.
func (p PAN) Use(f func(digits []byte)) {
	if p.hold == nil {
		f(nil)
		return
	}
	b := p.hold()
	f(b.digits[:b.n])
}

// Len is the number of digits, 0 when empty.
func (p PAN) Len() int {
	if p.hold == nil {
		return 0
	}
	return p.hold().n
}

// Clear empties the number.
func (p PAN) Clear() {
	if p.hold != nil {
		*p.hold() = panBuffer{}
	}
}

// Equal compares in constant time. Two empty numbers are not equal.
func (p PAN) Equal(o PAN) bool {
	if p.Len() == 0 || p.Len() != o.Len() {
		return false
	}
	a, b := p.hold(), o.hold()
	return subtle.ConstantTimeCompare(a.digits[:], b.digits[:]) == 1
}

// Luhn tells whether the check digit is right, ISO/IEC 7812-1 Annex B.
func (p PAN) Luhn() bool {
	n := p.Len()
	if n == 0 {
		return false
	}
	b, sum := p.hold(), 0
	for i := range n {
		d := int(b.digits[n-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// Truncated is the first six and last four digits; a number under 13 digits shows nothing.
func (p PAN) Truncated() (t TruncatedPAN) {
	n := p.Len()
	if n < 13 {
		return TruncatedPAN{}
	}
	b := p.hold()
	copy(t[:6], b.digits[:6])
	copy(t[6:], b.digits[n-4:n])
	return t
}

// Format prints secret.Redacted for every verb.
func (p PAN) Format(w fmt.State, _ rune)     { io.WriteString(w, secret.Redacted) }
func (p PAN) LogValue() slog.Value           { return slog.StringValue(secret.Redacted) }
func (p PAN) MarshalText() ([]byte, error)   { return nil, secret.ErrPrinted }
func (p PAN) MarshalJSON() ([]byte, error)   { return nil, secret.ErrPrinted }
func (p PAN) MarshalBinary() ([]byte, error) { return nil, secret.ErrPrinted }
func (p PAN) GobEncode() ([]byte, error)     { return nil, secret.ErrPrinted }

// TruncatedPAN is the first six and the last four digits of a card number, the most that may be
// stored in clear (PCI DSS 4.0.1, 3.5.1). The zero value shows nothing.
type TruncatedPAN [10]byte

// String is "622588******3157", or "" when nothing may be shown.
func (t TruncatedPAN) String() string {
	if t[0] == 0 {
		return ""
	}
	return string(t[:6]) + "******" + string(t[6:])
}

// PANHash is a keyed hash of a card number, made only inside the security module: the first 16
// bytes of HMAC-SHA-256 under the module's card-hash key (PCI DSS 4.0.1, 3.5.1.1). The zero value is no card.
type PANHash [16]byte
