package iso8583

// The bounds of DE59 and of the tags inside it; docs/protocol/unionpay-pos.md, section 6.1.
const (
	// MaxTags is the most tags one level may hold. Section 6.1 names five, and twelve inside A5.
	MaxTags = 16
	// MaxTagValue is the longest value, three decimal digits.
	MaxTagValue = 999
	// MaxCoordinate is the longest longitude or latitude, its sign included.
	MaxCoordinate = 10

	nameSize  = 2
	countSize = 3
	tagSize   = nameSize + countSize
)

// Tag is a tag of DE59.
type Tag uint8

// The tags; the value is the digit after the A.
const (
	TagPINBlock Tag = 1 // A1, SM4 PIN block, 16 raw bytes
	TagSerial   Tag = 2 // A2, terminal serial number authentication, see ParseA2
	TagQRCode   Tag = 3 // A3, C2B code scanned
	TagVoucher  Tag = 4 // A4, voucher or coupon
	TagLocation Tag = 5 // A5, terminal location, see ParseA5

	lastTag      = TagLocation
	pinBlockSize = 16
)

// NextTag splits the first tag off b: two characters of name, three decimal digits of length, value.
// It fails with a DecodeError of element 59.
func NextTag(b []byte) (name [nameSize]byte, value, rest []byte, err error) {
	name, size, fault := tagHead(b)
	if fault.Kind != 0 {
		return [nameSize]byte{}, nil, nil, fault
	}
	end := tagSize + size
	return name, b[tagSize:end:end], b[end:], nil
}

func tagHead(b []byte) (name [nameSize]byte, size int, fault DecodeError) {
	if len(b) < tagSize {
		return name, 0, DecodeError{Element: 59, Kind: KindCut, Have: len(b), Want: tagSize}
	}
	if !nameByte(b[0]) || !nameByte(b[1]) || !digits(b[nameSize:tagSize]) {
		return name, 0, DecodeError{Element: 59, Kind: KindTag}
	}
	size = int(value(b[nameSize:tagSize]))
	if left := len(b) - tagSize; left < size {
		return name, 0, DecodeError{Element: 59, Kind: KindCut, Have: left, Want: size}
	}
	return [nameSize]byte(b), size, DecodeError{}
}

func nameByte(c byte) bool { return isDigit(c) || c >= 'A' && c <= 'Z' }

// part is where a value lies. A value never starts at 0, so the zero part is absent.
type part struct{ start, end uint16 }

// of lends the value from the bytes that were parsed; nil when absent.
func (p part) of(b []byte) []byte {
	if p.start == 0 || int(p.end) > len(b) {
		return nil
	}
	return b[p.start:p.end:p.end]
}

// eachTag calls take for every tag of b, in order. It refuses a tag twice, more than MaxTags, and
// what take refuses. No tag at all is refused as well.
func eachTag(b []byte, take func(name [nameSize]byte, value []byte, at part) Kind) error {
	if len(b) == 0 || len(b) > MaxTagValue {
		return DecodeError{Element: 59, Kind: KindLength, Have: len(b), Want: MaxTagValue}
	}
	var seen [MaxTags][nameSize]byte
	for at, n := 0, 0; at < len(b); n++ {
		if n == MaxTags {
			return DecodeError{Element: 59, Kind: KindCount, Want: MaxTags}
		}
		name, size, fault := tagHead(b[at:])
		if fault.Kind != 0 {
			return fault
		}
		for _, old := range seen[:n] {
			if old == name {
				return DecodeError{Element: 59, Kind: KindDuplicate}
			}
		}
		seen[n] = name
		start, end := at+tagSize, at+tagSize+size
		if k := take(name, b[start:end], part{uint16(start), uint16(end)}); k != 0 {
			return DecodeError{Element: 59, Kind: k, Have: size}
		}
		at = end
	}
	return nil
}

// DE59 is where the tags of a DE59 lie. It holds no bytes, so that printing it shows none.
type DE59 struct{ at [lastTag + 1]part }

// ParseDE59 reads the tags of a DE59 as Message.Raw gives it: tags one after the other, ASCII names
// and lengths, any bytes as values (section 9A.22). A1 is 16 bytes. Tags it does not know are passed
// over. It fails with a DecodeError of element 59.
func ParseDE59(de59 []byte) (DE59, error) {
	var x DE59
	err := eachTag(de59, func(name [nameSize]byte, value []byte, at part) Kind {
		t := Tag(name[1] - '0')
		if name[0] != 'A' || t < TagPINBlock || t > lastTag {
			return 0
		}
		if t == TagPINBlock && len(value) != pinBlockSize {
			return KindLayout
		}
		x.at[t] = at
		return 0
	})
	if err != nil {
		return DE59{}, err
	}
	return x, nil
}

// Value lends the value of a tag from the bytes that were parsed; nil when it is absent.
func (x DE59) Value(de59 []byte, t Tag) []byte {
	if t > lastTag {
		return nil
	}
	return x.at[t].of(de59)
}

// A2Tag is a sub-tag of A2, terminal serial number authentication (终端硬件序列号).
type A2Tag uint8

// The sub-tags of A2; docs/protocol/unionpay-pos.md, section 6.1.
const (
	A2DeviceType A2Tag = 1 // 2 characters, section 6.2
	A2Serial     A2Tag = 2 // 1 to 50 characters
	A2Factor     A2Tag = 3 // 6 digits: encryption random factor (加密随机因子), the last 6 of the card number
	A2Cipher     A2Tag = 4 // 8 characters: serial-number ciphertext (硬件序列号密文数据), any bytes to the parser
	A2Version    A2Tag = 5 // 8 characters: application version, filled with spaces on the right

	lastA2Tag = A2Version
)

// a2Sizes is the least and the most length of each sub-tag of A2.
var a2Sizes = [lastA2Tag + 1][2]int{A2DeviceType: {2, 2}, A2Serial: {1, 50}, A2Factor: {6, 6}, A2Cipher: {8, 8}, A2Version: {8, 8}}

// A2 is where the sub-tags of an A2 lie. It holds no bytes, so that printing it shows none: the
// factor is part of the card number.
type A2 struct{ at [lastA2Tag + 1]part }

// ParseA2 reads the value of tag A2: sub-tags of two digits, three digits of length, value. Sub-tags
// it does not know are passed over; which must be there is for the caller to judge (section 9A.22).
// It fails with a DecodeError of element 59.
func ParseA2(a2 []byte) (A2, error) {
	var x A2
	err := eachTag(a2, func(name [nameSize]byte, v []byte, at part) Kind {
		n, k := subTag(name)
		if k != 0 || n == 0 || n > int(lastA2Tag) {
			return k
		}
		if k := a2Fault(A2Tag(n), v); k != 0 {
			return k
		}
		x.at[n] = at
		return 0
	})
	if err != nil {
		return A2{}, err
	}
	return x, nil
}

// subTag is the number of a two-digit name.
func subTag(name [nameSize]byte) (int, Kind) {
	if !isDigit(name[0]) || !isDigit(name[1]) {
		return 0, KindTag
	}
	return int(value(name[:])), 0
}

func a2Fault(t A2Tag, v []byte) Kind {
	switch size := a2Sizes[t]; {
	case len(v) < size[0] || len(v) > size[1]:
		return KindLayout
	case t == A2Factor && !digits(v):
		return KindDigit
	case t != A2Cipher && !printable(v):
		return KindCharacter
	}
	return 0
}

// Value lends the value of a sub-tag from the bytes that were parsed; nil when it is absent.
func (x A2) Value(a2 []byte, t A2Tag) []byte {
	if t > lastA2Tag {
		return nil
	}
	return x.at[t].of(a2)
}

// AppendTag appends a tag to dst: name, of two capital letters or digits, length, value of at most
// 999 bytes. It fails with an EncodeError of element 59 and nil.
func AppendTag(dst []byte, name string, value []byte) ([]byte, error) {
	if len(name) != nameSize || !nameByte(name[0]) || !nameByte(name[1]) {
		return nil, EncodeError{Element: 59, Kind: KindTag}
	}
	if len(value) > MaxTagValue {
		return nil, EncodeError{Element: 59, Kind: KindLength, Have: len(value), Want: MaxTagValue}
	}
	dst = append(dst, name...)
	dst = appendNumber(dst, uint64(len(value)), countSize)
	return append(dst, value...), nil
}

// A2Values is what AppendA2 writes, by sub-tag; nil leaves a sub-tag out. Index 0 is not used.
type A2Values [lastA2Tag + 1][]byte

// AppendA2 appends a whole tag A2, name and length included, with the sub-tags in ascending order.
// It fails with an EncodeError of element 59 and nil.
func AppendA2(dst []byte, values A2Values) ([]byte, error) {
	for t := A2DeviceType; t <= lastA2Tag; t++ {
		if v := values[t]; v != nil {
			if k := a2Fault(t, v); k != 0 {
				return nil, EncodeError{Element: 59, Kind: k, Have: len(v)}
			}
		}
	}
	return appendNested(dst, "A2", values[:])
}

// appendNested appends a tag whose value is the sub-tags 01, 02, … of values, the nil ones left out.
func appendNested(dst []byte, name string, values [][]byte) ([]byte, error) {
	size := 0
	for _, v := range values {
		if v != nil {
			size += tagSize + len(v)
		}
	}
	if size == 0 || size > MaxTagValue {
		return nil, EncodeError{Element: 59, Kind: KindLength, Have: size, Want: MaxTagValue}
	}
	dst = append(dst, name...)
	dst = appendNumber(dst, uint64(size), countSize)
	for n, v := range values {
		if v != nil {
			dst = appendNumber(dst, uint64(n), nameSize)
			dst = appendNumber(dst, uint64(len(v)), countSize)
			dst = append(dst, v...)
		}
	}
	return dst, nil
}
