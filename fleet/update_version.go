package fleet

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Version is a version of an application or of hardware: one to four numbers, such as 1.0.3. Numbers that are
// not written are 0, so that 1.0 and 1.0.0 are the same version.
type Version [4]uint32

// Bounds of versions. Tag A2 of DE59 has 8 characters for the application's.
const (
	MaxVersion   = 8
	maxPart      = 99_999
	maxIntervals = 16
	maxRange     = 200 // bytes of a range's text
)

// ErrVersion is returned for what is no version, ErrRange for what is no range or one that nothing can be in.
var (
	ErrVersion = errors.New("version")
	ErrRange   = errors.New("version range")
)

// ParseVersion reads 1 to 4 numbers with dots between them, at most MaxVersion characters.
func ParseVersion(s string) (v Version, err error) {
	parts := strings.Split(s, ".")
	if len(s) == 0 || len(s) > MaxVersion || len(parts) > len(v) {
		return Version{}, fmt.Errorf("%w %.20q: want 1 to 4 numbers, such as 1.0.3, at most %d characters", ErrVersion, s, MaxVersion)
	}
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 32)
		if err != nil || n > maxPart || p[0] == '+' || len(p) > 1 && p[0] == '0' {
			return Version{}, fmt.Errorf("%w %.20q: want 1 to 4 numbers, such as 1.0.3, at most %d characters", ErrVersion, s, MaxVersion)
		}
		v[i] = uint32(n)
	}
	return v, nil
}

// Compare is -1, 0 or +1.
func (v Version) Compare(w Version) int {
	for i := range v {
		switch {
		case v[i] < w[i]:
			return -1
		case v[i] > w[i]:
			return 1
		}
	}
	return 0
}

// interval is one piece of a Range. A bound without text is open for ever.
type interval struct {
	low, high         Version
	lowText, highText string
	lowOpen, highOpen bool // the bound itself is outside
}

func (i *interval) has(v Version) bool {
	if i.lowText != "" {
		if c := v.Compare(i.low); c < 0 || c == 0 && i.lowOpen {
			return false
		}
	}
	if i.highText != "" {
		if c := v.Compare(i.high); c > 0 || c == 0 && i.highOpen {
			return false
		}
	}
	return true
}

// Range is a set of versions: intervals in ascending order that do not touch. The zero Range has none.
type Range struct{ list []interval }

// Everything is the range that has every version.
const Everything = "*"

// ParseRange reads a range in one of two spellings: the constraints of vers (package-url's Version Range
// Specifier, as CSAF 2.0, 3.1.2.3.2 asks for), such as vers:generic/>=1.0|<1.0.3, its scheme left out or not; or
// versions and inclusive spans with commas, such as 1.0,2.0-2.5. "*" is every version. A range that no version
// can be in is refused.
func ParseRange(s string) (Range, error) {
	if len(s) > maxRange {
		return Range{}, fmt.Errorf("%w of %d bytes, the most is %d", ErrRange, len(s), maxRange)
	}
	text := s
	if rest, ok := strings.CutPrefix(text, "vers:"); ok {
		_, constraints, found := strings.Cut(rest, "/")
		if !found {
			return Range{}, fmt.Errorf("%w %.40q: vers wants a scheme and a slash", ErrRange, s)
		}
		text = constraints
	}
	text = strings.ReplaceAll(text, " ", "")
	if text == Everything {
		return Range{[]interval{{}}}, nil
	}
	var r Range
	var err error
	if strings.ContainsAny(text, "<>=|!") {
		err = r.constraints(strings.Split(text, "|"))
	} else {
		err = r.spans(strings.Split(text, ","))
	}
	if err == nil {
		err = r.check()
	}
	if err != nil {
		return Range{}, fmt.Errorf("%w %.40q: %w", ErrRange, s, err)
	}
	return r, nil
}

// constraints reads vers: pairs of a lower and an upper bound, and single versions.
func (r *Range) constraints(list []string) error {
	open := false // the last interval has no upper bound yet
	for _, c := range list {
		digits := strings.TrimLeft(c, "<>=!")
		v, err := ParseVersion(digits)
		if err != nil {
			return err
		}
		switch operator := c[:len(c)-len(digits)]; operator {
		case "", "=":
			r.list, open = append(r.list, interval{low: v, high: v, lowText: digits, highText: digits}), false
		case ">", ">=":
			if open {
				return errors.New("two lower bounds without an upper one between them")
			}
			r.list, open = append(r.list, interval{low: v, lowText: digits, lowOpen: operator == ">"}), true
		case "<", "<=":
			if !open {
				if len(r.list) > 0 {
					return errors.New("an upper bound without a lower one")
				}
				r.list = append(r.list, interval{})
			}
			last := &r.list[len(r.list)-1]
			last.high, last.highText, last.highOpen, open = v, digits, operator == "<", false
		default:
			return fmt.Errorf("%q is not one of =, <, <=, >, >=", operator)
		}
	}
	return nil
}

func (r *Range) spans(list []string) error {
	for _, s := range list {
		from, to, span := strings.Cut(s, "-")
		if !span {
			to = from
		}
		low, err := ParseVersion(from)
		if err != nil {
			return err
		}
		high, err := ParseVersion(to)
		if err != nil {
			return err
		}
		r.list = append(r.list, interval{low: low, high: high, lowText: from, highText: to})
	}
	return nil
}

// check refuses an interval that is empty, and intervals out of order.
func (r *Range) check() error {
	if len(r.list) == 0 || len(r.list) > maxIntervals {
		return fmt.Errorf("%d intervals, want 1 to %d", len(r.list), maxIntervals)
	}
	for n := range r.list {
		i := &r.list[n]
		if i.lowText != "" && i.highText != "" {
			if c := i.low.Compare(i.high); c > 0 || c == 0 && (i.lowOpen || i.highOpen) {
				return fmt.Errorf("no version is in it: it begins at %s and ends at %s", i.lowText, i.highText)
			}
		}
		if n == 0 {
			continue
		}
		before := &r.list[n-1]
		if before.highText == "" || i.lowText == "" || before.high.Compare(i.low) > 0 || before.high == i.low && !before.highOpen && !i.lowOpen {
			return errors.New("its intervals are not in ascending order, or overlap")
		}
	}
	return nil
}

// Has tells whether a version is in the range.
func (r Range) Has(v Version) bool {
	for n := range r.list {
		if r.list[n].has(v) {
			return true
		}
	}
	return false
}

// All tells whether every version is in the range.
func (r Range) All() bool { return len(r.list) == 1 && r.list[0] == interval{} }

// overlaps tells whether some version is in both ranges.
func (r Range) overlaps(o Range) bool {
	for a := range r.list {
		for b := range o.list {
			if r.list[a].meets(&o.list[b]) && o.list[b].meets(&r.list[a]) {
				return true
			}
		}
	}
	return false
}

// meets tells whether i does not end before j begins.
func (i *interval) meets(j *interval) bool {
	if i.highText == "" || j.lowText == "" {
		return true
	}
	c := i.high.Compare(j.low)
	return c > 0 || c == 0 && !i.highOpen && !j.lowOpen
}

// String is the range as constraints of vers, which ParseRange reads back to the same range.
func (r Range) String() string {
	var parts []string
	for n := range r.list {
		i := &r.list[n]
		switch {
		case i.lowText == "" && i.highText == "":
			return Everything
		case i.lowText == i.highText:
			parts = append(parts, i.lowText)
			continue
		}
		if i.lowText != "" {
			parts = append(parts, sign(">", i.lowOpen)+i.lowText)
		}
		if i.highText != "" {
			parts = append(parts, sign("<", i.highOpen)+i.highText)
		}
	}
	return strings.Join(parts, "|")
}

func sign(direction string, open bool) string {
	if open {
		return direction
	}
	return direction + "="
}
