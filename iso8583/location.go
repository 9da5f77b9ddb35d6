package iso8583

// A5 is the terminal's location, tag A5 of DE59, as lent from the bytes that were parsed; nil is
// absent. docs/protocol/unionpay-pos.md, section 6.1. MCC here is the mobile country code. The
// number base of the radio cells is unverified, so they stay text.
type A5 struct {
	Longitude, Latitude []byte // 01, 02: up to 10 characters, sign included, degrees and decimals
	MCC, MNC            []byte // 03, 04: mobile country and network code
	System              []byte // 05: coordinate system, GCJ02
	LAC, CID, Signal    []byte // 06, 07, 08: location area, cell, signal strength
	SID, NID, BID, SIG  []byte // 15 to 18: the same for CDMA
	// Located tells that longitude and latitude are both there and read as degrees in range.
	Located bool
	// LongitudeMicro and LatitudeMicro are millionths of a degree, east and north positive; further
	// decimals are cut. They are 0 unless Located.
	LongitudeMicro, LatitudeMicro int32
}

// lastA5Tag is the highest sub-tag of A5.
const lastA5Tag = 18

// slots is the place of each sub-tag, nil where none is defined.
func (x *A5) slots() [lastA5Tag + 1]*[]byte {
	return [lastA5Tag + 1]*[]byte{
		1: &x.Longitude, 2: &x.Latitude, 3: &x.MCC, 4: &x.MNC, 5: &x.System, 6: &x.LAC, 7: &x.CID, 8: &x.Signal,
		15: &x.SID, 16: &x.NID, 17: &x.BID, 18: &x.SIG,
	}
}

// ParseA5 reads the value of tag A5: sub-tags of two digits, three digits of length, printable ASCII;
// one may be empty. Sub-tags it does not know are passed over. Coordinates that do not read as
// degrees leave Located false. It fails with a DecodeError of element 59.
func ParseA5(a5 []byte) (A5, error) {
	var x A5
	slots := x.slots()
	err := eachTag(a5, func(name [nameSize]byte, v []byte, at part) Kind {
		n, k := subTag(name)
		if k != 0 || n > lastA5Tag || slots[n] == nil {
			return k
		}
		if k := a5Fault(n, v); k != 0 {
			return k
		}
		*slots[n] = at.of(a5)
		return 0
	})
	if err != nil {
		return A5{}, err
	}
	x.locate()
	return x, nil
}

func a5Fault(n int, v []byte) Kind {
	switch {
	case n <= 2 && len(v) > MaxCoordinate:
		return KindLayout
	case !printable(v):
		return KindCharacter
	}
	return 0
}

func (x *A5) locate() {
	const half, quarter = 180_000_000, 90_000_000
	lon, ok1 := microDegrees(x.Longitude, half)
	lat, ok2 := microDegrees(x.Latitude, quarter)
	if ok1 && ok2 {
		x.Located, x.LongitudeMicro, x.LatitudeMicro = true, lon, lat
	}
}

// microDegrees reads an optional sign, one to three digits, and optional decimals: "+121.48352".
func microDegrees(s []byte, limit int32) (int32, bool) {
	if len(s) > MaxCoordinate {
		return 0, false
	}
	sign := int32(1)
	if len(s) > 0 && (s[0] == '+' || s[0] == '-') {
		if s[0] == '-' {
			sign = -1
		}
		s = s[1:]
	}
	whole := 0
	for whole < len(s) && isDigit(s[whole]) {
		whole++
	}
	if whole < 1 || whole > 3 {
		return 0, false
	}
	micro, rest := int32(value(s[:whole]))*1_000_000, s[whole:]
	if len(rest) > 0 {
		if rest[0] != '.' || len(rest) == 1 || !digits(rest[1:]) {
			return 0, false
		}
		unit := int32(100_000)
		for _, c := range rest[1:] {
			micro += int32(c-'0') * unit
			unit /= 10
		}
	}
	if micro > limit {
		return 0, false
	}
	return sign * micro, true
}

// AppendA5 appends a whole tag A5, name and length included: the sub-tags that are not nil, in
// ascending order. The parsed coordinates are not looked at. It fails with an EncodeError of element
// 59 and nil.
func AppendA5(dst []byte, x A5) ([]byte, error) {
	var values [lastA5Tag + 1][]byte
	for n, slot := range x.slots() {
		if slot == nil || *slot == nil {
			continue
		}
		if k := a5Fault(n, *slot); k != 0 {
			return nil, EncodeError{Element: 59, Kind: k, Have: len(*slot)}
		}
		values[n] = *slot
	}
	return appendNested(dst, "A5", values[:])
}
