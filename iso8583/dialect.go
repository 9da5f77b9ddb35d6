package iso8583

// Format is how an element's value is written; docs/protocol/unionpay-pos.md, section 2.
type Format uint8

// The formats. The zero value is no element.
const (
	N   Format = iota + 1 // packed BCD digits, two a byte
	Z                     // track data, two nibbles a byte: digits, and D for the separator "="
	AN                    // one byte a character
	ANS                   // one byte a character
	B                     // raw bytes
)

// String is the standard's notation.
func (f Format) String() string {
	switch f {
	case N:
		return "n"
	case Z:
		return "z"
	case AN:
		return "an"
	case ANS:
		return "ans"
	case B:
		return "b"
	}
	return "none"
}

// nibbles tells whether the length counts nibbles rather than bytes.
func (f Format) nibbles() bool { return f == N || f == Z }

// Length is how an element's length is told. The prefixes are BCD, and count digits in n and z, bytes elsewhere.
type Length uint8

// The kinds of length; the value is the number of prefix bytes.
const (
	Fixed  Length = 0
	LLVAR  Length = 1
	LLLVAR Length = 2
)

// Align is where an odd number of digits stands in its bytes.
type Align uint8

// The alignments: 021 left is 02 10, 001 right is 00 01.
const (
	Left Align = iota
	Right
)

// Pad is the nibble that may fill an odd number of digits.
type Pad uint8

// The pads. A Builder always writes 0.
const (
	PadZero      Pad = iota // 0 only
	PadZeroOrMax            // 0, and F as some terminals write
)

// Charset is the rule for the bytes of an an, ans or b element.
type Charset uint8

// The rules.
const (
	AnyByte   Charset = iota // not checked
	Printable                // ASCII 20 to 7E
	Text                     // ASCII 20 to 7E and the bytes 80 to FE of GBK
)

// Element is one row of a dialect. The zero value is no element.
type Element struct {
	Number    int
	Name      string // the standard's name, lower case
	Format    Format
	Length    Length
	Max       int // digits for n and z, bytes otherwise; exact for Fixed
	Align     Align
	Pad       Pad
	Charset   Charset
	Sensitive bool // holds card, track, PIN or key data: mask it to nothing
}

// size is the number of bytes of count digits or characters.
func (e *Element) size(count int) int {
	if e.Format.nibbles() {
		return int(uint(count+1) / 2)
	}
	return count
}

// MaxElement is the highest element: one bitmap of 64 bits, bit 1 never set.
const MaxElement = 64

// Dialect is a table of data elements. A dialect is read-only once it is in use.
type Dialect struct {
	Name string
	// Elements has the row of element n at index n; rows 0 and 1 stay empty.
	Elements [MaxElement + 1]Element
	// SecurityControl is the element whose third digit 1 says that the tracks are encrypted, and so
	// hold any nibble; 0 when the dialect has none. docs/protocol/unionpay-pos.md, section 5.1.
	SecurityControl int
}

// Element is the row of element n, and whether the dialect has one.
func (d *Dialect) Element(n int) (Element, bool) {
	if e := d.row(n); e != nil {
		return *e, true
	}
	return Element{}, false
}

func (d *Dialect) row(n int) *Element {
	if d == nil || n < 2 || n > MaxElement || d.Elements[n].Format == 0 {
		return nil
	}
	return &d.Elements[n]
}

// UnionPay is the dialect of UnionPay-style terminals (银联 POS 终端规范);
// docs/protocol/unionpay-pos.md, section 2. Four rows say more than the section does:
//
//   - DE59 is 999 long, the longer of the two lengths seen, and any byte (section 9A.22: A1 is raw).
//   - DE62 is any byte: keys and downloads are binary.
//   - DE63 may carry Chinese text (GBK).
//   - DE64 is any 8 bytes (section 9A.17).
var UnionPay = Dialect{
	Name:            "unionpay",
	SecurityControl: 53,
	Elements: [MaxElement + 1]Element{
		2:  {Number: 2, Name: "primary account number", Format: N, Length: LLVAR, Max: 19, Pad: PadZeroOrMax, Sensitive: true},
		3:  {Number: 3, Name: "processing code", Format: N, Max: 6},
		4:  {Number: 4, Name: "amount", Format: N, Max: 12},
		11: {Number: 11, Name: "system trace audit number", Format: N, Max: 6},
		12: {Number: 12, Name: "local time", Format: N, Max: 6},
		13: {Number: 13, Name: "local date", Format: N, Max: 4},
		14: {Number: 14, Name: "expiry date", Format: N, Max: 4},
		15: {Number: 15, Name: "settlement date", Format: N, Max: 4},
		22: {Number: 22, Name: "point of service entry mode", Format: N, Max: 3},
		23: {Number: 23, Name: "card sequence number", Format: N, Max: 3, Align: Right},
		25: {Number: 25, Name: "point of service condition code", Format: N, Max: 2},
		26: {Number: 26, Name: "PIN capture code", Format: N, Max: 2},
		32: {Number: 32, Name: "acquiring institution", Format: N, Length: LLVAR, Max: 11},
		35: {Number: 35, Name: "track 2", Format: Z, Length: LLVAR, Max: 37, Sensitive: true},
		36: {Number: 36, Name: "track 3", Format: Z, Length: LLLVAR, Max: 104, Sensitive: true},
		37: {Number: 37, Name: "retrieval reference number", Format: AN, Max: 12, Charset: Printable},
		38: {Number: 38, Name: "authorization code", Format: AN, Max: 6, Charset: Printable},
		39: {Number: 39, Name: "response code", Format: AN, Max: 2, Charset: Printable},
		41: {Number: 41, Name: "terminal identification", Format: ANS, Max: 8, Charset: Printable},
		42: {Number: 42, Name: "merchant identification", Format: ANS, Max: 15, Charset: Printable},
		44: {Number: 44, Name: "additional response data", Format: AN, Length: LLVAR, Max: 25, Charset: Printable},
		48: {Number: 48, Name: "additional data, private", Format: N, Length: LLLVAR, Max: 322},
		49: {Number: 49, Name: "currency code", Format: AN, Max: 3, Charset: Printable},
		52: {Number: 52, Name: "PIN data", Format: B, Max: 8, Sensitive: true},
		53: {Number: 53, Name: "security control information", Format: N, Max: 16},
		54: {Number: 54, Name: "balance", Format: AN, Length: LLLVAR, Max: 20, Charset: Printable},
		55: {Number: 55, Name: "IC card data", Format: B, Length: LLLVAR, Max: 255, Sensitive: true},
		58: {Number: 58, Name: "e-cash data", Format: ANS, Length: LLLVAR, Max: 100, Charset: Printable, Sensitive: true},
		59: {Number: 59, Name: "extended data", Format: ANS, Length: LLLVAR, Max: 999, Sensitive: true},
		60: {Number: 60, Name: "private 60", Format: N, Length: LLLVAR, Max: 17},
		61: {Number: 61, Name: "original message", Format: N, Length: LLLVAR, Max: 29},
		62: {Number: 62, Name: "private 62", Format: B, Length: LLLVAR, Max: 512, Sensitive: true},
		63: {Number: 63, Name: "private 63", Format: ANS, Length: LLLVAR, Max: 163, Charset: Text},
		64: {Number: 64, Name: "message authentication code", Format: B, Max: 8},
	},
}
