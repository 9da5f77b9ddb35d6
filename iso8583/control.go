package iso8583

import "touchstone/pos"

// EntryMode is DE22, the point of service entry mode; docs/protocol/unionpay-pos.md, section 2.1.
type EntryMode struct {
	Mode uint8 // first two digits: 1 manual, 2 swipe, 3 QR, 5 contact IC, 7 contactless, 80 or 90 fallback …
	PIN  uint8 // third digit: 0 not said, 1 entered, 2 none
}

// PINEntered tells whether the third digit is 1.
func (e EntryMode) PINEntered() bool { return e.PIN == 1 }

// ParseDE22 reads the value of DE22, 0 to 999, whose third digit is 0, 1 or 2. It fails with a
// DecodeError of element 22.
func ParseDE22(v uint64) (EntryMode, error) {
	if v > 999 || v%10 > 2 {
		return EntryMode{}, DecodeError{Element: 22, Kind: KindValue}
	}
	return EntryMode{Mode: uint8(v / 10), PIN: uint8(v % 10)}, nil
}

// DE22 reads element 22 of the message. It fails with a DecodeError.
func (m Message) DE22() (EntryMode, error) {
	v, ok := m.Number(22)
	if !ok {
		return EntryMode{}, DecodeError{Element: 22, Kind: KindAbsent}
	}
	return ParseDE22(v)
}

// The bounds of a PIN's length; docs/protocol/unionpay-pos.md, section 5.2.
const (
	MinPIN = 4
	MaxPIN = 12
)

// ParseDE26 reads the value of DE26, the longest PIN the terminal takes: 4 to 12. It fails with a
// DecodeError of element 26.
func ParseDE26(v uint64) (maxPIN int, err error) {
	if v < MinPIN || v > MaxPIN {
		return 0, DecodeError{Element: 26, Kind: KindValue}
	}
	return int(v), nil
}

// DE26 reads element 26 of the message. It fails with a DecodeError.
func (m Message) DE26() (maxPIN int, err error) {
	v, ok := m.Number(26)
	if !ok {
		return 0, DecodeError{Element: 26, Kind: KindAbsent}
	}
	return ParseDE26(v)
}

// PINFormat is digit 1 of DE53.
type PINFormat uint8

// The PIN formats; docs/protocol/unionpay-pos.md, section 5.1.
const (
	NoPIN         PINFormat = 0
	PINWithoutPAN PINFormat = 1 // ANSI X9.8 without the card number
	PINWithPAN    PINFormat = 2 // ANSI X9.8 with the card number
)

// PINAlgorithm is digit 2 of DE53.
type PINAlgorithm uint8

// The algorithms; docs/protocol/unionpay-pos.md, section 5.1.
const (
	SingleDES PINAlgorithm = 0
	SM4       PINAlgorithm = 3
	TripleDES PINAlgorithm = 6 // double length
)

// Security is DE53, security control information.
type Security struct {
	Format          PINFormat
	Algorithm       PINAlgorithm
	TracksEncrypted bool // digit 3
}

// securityDigits is the length of DE53.
const securityDigits = 16

// ParseDE53 reads the 16 ASCII digits of DE53. A value outside section 5.1's tables, and a reserved
// digit that is not 0, is refused. It fails with a DecodeError of element 53.
func ParseDE53(de53 []byte) (Security, error) {
	if len(de53) != securityDigits {
		return Security{}, DecodeError{Element: 53, Kind: KindLayout, Have: len(de53)}
	}
	if !digits(de53) {
		return Security{}, DecodeError{Element: 53, Kind: KindDigit}
	}
	s := Security{PINFormat(de53[0] - '0'), PINAlgorithm(de53[1] - '0'), de53[2] == '1'}
	if !s.valid() || de53[2] > '1' || value(de53[3:]) != 0 {
		return Security{}, DecodeError{Element: 53, Kind: KindValue}
	}
	return s, nil
}

func (s Security) valid() bool {
	return s.Format <= PINWithPAN && (s.Algorithm == SingleDES || s.Algorithm == SM4 || s.Algorithm == TripleDES)
}

// AppendDE53 appends the 16 digits. It fails with an EncodeError of element 53 and nil.
func AppendDE53(dst []byte, s Security) ([]byte, error) {
	if !s.valid() {
		return nil, EncodeError{Element: 53, Kind: KindValue}
	}
	track := byte('0')
	if s.TracksEncrypted {
		track = '1'
	}
	dst = append(dst, '0'+byte(s.Format), '0'+byte(s.Algorithm), track)
	return appendNumber(dst, 0, securityDigits-3), nil
}

// DE53 reads element 53 of the message. It fails with a DecodeError; absent (KindAbsent) means no
// PIN, clear tracks and no statement on the algorithm (section 9A.21).
func (m Message) DE53() (Security, error) {
	var buf [securityDigits]byte
	n := m.CopyDigits(53, buf[:])
	if n == 0 {
		return Security{}, DecodeError{Element: 53, Kind: KindAbsent}
	}
	return ParseDE53(buf[:n])
}

// Balance is DE54.
//
//	account type 2 | amount type 2 | currency 3 | sign C or D | amount 12
type Balance struct {
	AccountType, AmountType [2]byte // digits
	Currency                pos.Currency
	Debit                   bool       // the sign is D: the customer owes
	Amount                  pos.Amount // n12, never negative
}

const (
	balanceSize = 20
	balanceSign = 7 // where the sign stands
)

// ParseDE54 reads the 20 characters of DE54. It fails with a DecodeError of element 54.
func ParseDE54(de54 []byte) (Balance, error) {
	if len(de54) != balanceSize {
		return Balance{}, DecodeError{Element: 54, Kind: KindLayout, Have: len(de54)}
	}
	sign, amount := de54[balanceSign], de54[balanceSign+1:]
	if !digits(de54[:balanceSign]) || !digits(amount) {
		return Balance{}, DecodeError{Element: 54, Kind: KindDigit}
	}
	if sign != 'C' && sign != 'D' {
		return Balance{}, DecodeError{Element: 54, Kind: KindValue}
	}
	return Balance{
		AccountType: [2]byte(de54), AmountType: [2]byte(de54[2:]), Currency: pos.Currency(de54[4:]),
		Debit: sign == 'D', Amount: pos.Amount(value(amount)),
	}, nil
}

// AppendDE54 appends the 20 characters. It fails with an EncodeError of element 54 and nil.
func AppendDE54(dst []byte, b Balance) ([]byte, error) {
	if b.Amount < 0 || b.Amount > pos.MaxAmount || !digits(b.AccountType[:]) || !digits(b.AmountType[:]) || !digits(b.Currency[:]) {
		return nil, EncodeError{Element: 54, Kind: KindValue}
	}
	dst = append(dst, b.AccountType[:]...)
	dst = append(dst, b.AmountType[:]...)
	dst = append(dst, b.Currency[:]...)
	sign := byte('C')
	if b.Debit {
		sign = 'D'
	}
	return appendNumber(append(dst, sign), uint64(b.Amount), 12), nil
}

// DE54 reads element 54 of the message. It fails with a DecodeError.
func (m Message) DE54() (Balance, error) {
	if !m.Has(54) {
		return Balance{}, DecodeError{Element: 54, Kind: KindAbsent}
	}
	return ParseDE54(m.Text(54))
}

// Sequence is DE62 of a sign-in request, 25 characters: the network licence (入网认证编号) without
// its letter and the end of the serial number, filled with 0 on the left; docs/protocol/
// unionpay-pos.md, sections 3.1 and 9A.11.
//
//	"Sequence No" | "12" | licence 4 | serial 8
type Sequence struct {
	Licence [4]byte // printable ASCII
	Serial  [8]byte // printable ASCII
}

const sequenceHead = "Sequence No12"

// ParseSequence reads DE62 of a sign-in request. It fails with a DecodeError of element 62.
func ParseSequence(de62 []byte) (Sequence, error) {
	var s Sequence
	if len(de62) != len(sequenceHead)+len(s.Licence)+len(s.Serial) {
		return Sequence{}, DecodeError{Element: 62, Kind: KindLayout, Have: len(de62)}
	}
	if string(de62[:len(sequenceHead)]) != sequenceHead {
		return Sequence{}, DecodeError{Element: 62, Kind: KindValue}
	}
	rest := de62[len(sequenceHead):]
	if !printable(rest) {
		return Sequence{}, DecodeError{Element: 62, Kind: KindCharacter}
	}
	copy(s.Serial[:], rest[copy(s.Licence[:], rest):])
	return s, nil
}

// AppendSequence appends the 25 characters. It fails with an EncodeError of element 62 and nil.
func AppendSequence(dst []byte, s Sequence) ([]byte, error) {
	if !printable(s.Licence[:]) || !printable(s.Serial[:]) {
		return nil, EncodeError{Element: 62, Kind: KindCharacter}
	}
	dst = append(dst, sequenceHead...)
	dst = append(dst, s.Licence[:]...)
	return append(dst, s.Serial[:]...), nil
}

// DE63 is the private element 63: 63.1 is the cashier (操作员) in a request and the card scheme in an
// answer, 63.2 free text.
type DE63 struct {
	Code [3]byte
	Text []byte // lent from the bytes that were parsed; ASCII or GBK, may be empty
}

// maxDE63 is the longest DE63; docs/protocol/unionpay-pos.md, section 2.
const maxDE63 = 163

// ParseDE63 reads a DE63 of 3 to 163 bytes. It fails with a DecodeError of element 63.
func ParseDE63(de63 []byte) (DE63, error) {
	var x DE63
	if len(de63) < len(x.Code) || len(de63) > maxDE63 {
		return DE63{}, DecodeError{Element: 63, Kind: KindLayout, Have: len(de63)}
	}
	if !printable(de63[:len(x.Code)]) || !characters(de63, Text) {
		return DE63{}, DecodeError{Element: 63, Kind: KindCharacter}
	}
	x.Text = de63[copy(x.Code[:], de63):]
	return x, nil
}

// AppendDE63 appends code and text. It fails with an EncodeError of element 63 and nil.
func AppendDE63(dst []byte, x DE63) ([]byte, error) {
	switch {
	case len(x.Code)+len(x.Text) > maxDE63:
		return nil, EncodeError{Element: 63, Kind: KindLength, Have: len(x.Code) + len(x.Text), Want: maxDE63}
	case !printable(x.Code[:]) || !characters(x.Text, Text):
		return nil, EncodeError{Element: 63, Kind: KindCharacter}
	}
	return append(append(dst, x.Code[:]...), x.Text...), nil
}

// DE63 reads element 63 of the message. It fails with a DecodeError.
func (m Message) DE63() (DE63, error) {
	if !m.Has(63) {
		return DE63{}, DecodeError{Element: 63, Kind: KindAbsent}
	}
	return ParseDE63(m.Text(63))
}
