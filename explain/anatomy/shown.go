package anatomy

import (
	"errors"
	"strconv"
	"strings"

	"touchstone/pos"
)

// errShown is returned for a Shown that no anatomy made.
var errShown = errors.New("a message as it was shown is damaged")

// maxShown is the most bytes of a message that was shown.
const maxShown = 64 << 10

// FromShown is the anatomy that JSON showed, so that it can be drawn again. What was hidden is not known to it and stays
// hidden; a MAC cannot be computed of it.
func FromShown(s *Shown) (*Anatomy, error) {
	if s.Size < 0 || s.Size > maxShown {
		return nil, errShown
	}
	in := &inside{bytes: make([]byte, s.Size), hidden: make([]uint8, s.Size)}
	for i := range in.hidden {
		in.hidden[i] = 3
	}
	a := &Anatomy{Framing: s.Framing, Size: s.Size, hold: func() *inside { return in }}
	for _, p := range s.Parts {
		if p.From < 0 || p.To < p.From || p.To > s.Size || len(p.Hex) != 2*(p.To-p.From) {
			return nil, errShown
		}
		if p.Depth == 0 && !in.read(p.From, p.Hex) {
			return nil, errShown
		}
		a.Parts = append(a.Parts, Part{p.Depth, p.Name, p.Title, Span{p.From, p.To}, p.Value})
	}
	if s.MTI != "" {
		mti, err := strconv.ParseUint(s.MTI, 16, 16)
		if err != nil {
			return nil, errShown
		}
		a.MTI = pos.MTI(mti)
	}
	for _, c := range s.Checks {
		check := Check{Name: c.Name, OK: c.OK}
		if c.Why != nil {
			check.Why = *c.Why
		}
		a.Checks = append(a.Checks, check)
	}
	if s.Covered != nil {
		if s.Covered.From < 0 || s.Covered.To < s.Covered.From || s.Covered.To > s.Size {
			return nil, errShown
		}
		a.Covered = *s.Covered
	}
	if f := s.Fault; f != nil {
		a.Fault = &Fault{Name: f.Name, Element: f.Element, At: f.At, Expected: f.Expected, Found: f.Found, Do: f.Do}
	}
	return a, nil
}

// read takes the digits of bytes from an offset on; '*' is a hidden half.
func (in *inside) read(from int, digits string) bool {
	for i := range len(digits) {
		at, half := from+i/2, uint(1-i%2)
		if digits[i] == '*' {
			continue
		}
		n := strings.IndexByte(hexDigits, digits[i])
		if n < 0 {
			return false
		}
		in.bytes[at] |= byte(n) << (4 * half)
		in.hidden[at] &^= 1 << half
	}
	return true
}
