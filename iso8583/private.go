package iso8583

import "touchstone/pos"

// DE60 is the private element 60; docs/protocol/unionpay-pos.md, section 2.2. Sub-fields past Digits
// are absent and 0. 60.8, the currency exponent of international terminals, has no place within
// n...17 and is not carried.
type DE60 struct {
	Code        pos.TransactionCode // 60.1, n2
	Batch       pos.BatchNo         // 60.2, n6
	Network     pos.NetworkCode     // 60.3, n3, network management code
	Reading     uint8               // 60.4, n1, terminal reading ability
	Condition   uint8               // 60.5, n1, IC condition: 2 is fallback from chip
	Partial     uint8               // 60.6, n1, 1 supports partial approval and returned balance
	AccountType uint16              // 60.7, n3, 0 default, 65 UnionPay points, 48 issuer points
	Digits      int                 // how many digits there are: 8, 11, 12, 13, 14 or 17
}

// ManagementDigits is the length of DE60 in network management messages: 60.1 to 60.3.
const ManagementDigits = 11

// whole60 tells whether a DE60 of n digits ends at the end of a sub-field, 60.2 at the earliest.
func whole60(n int) bool { return n == 8 || n >= 11 && n <= 14 || n == 17 }

// whole61 is the same for DE61: batch and trace, date, mode, institution.
func whole61(n int) bool { return n == 12 || n == 16 || n == 18 || n == 29 }

// ParseDE60 reads a DE60 of 8, 11, 12, 13, 14 or 17 ASCII digits. It fails with a DecodeError of element 60.
func ParseDE60(de60 []byte) (DE60, error) {
	if !whole60(len(de60)) {
		return DE60{}, DecodeError{Element: 60, Kind: KindLayout, Have: len(de60)}
	}
	r := reader{left: de60}
	x := DE60{
		Code: pos.TransactionCode(r.take(2)), Batch: pos.BatchNo(r.take(6)), Network: pos.NetworkCode(r.take(3)),
		Reading: uint8(r.take(1)), Condition: uint8(r.take(1)), Partial: uint8(r.take(1)),
		AccountType: uint16(r.take(3)), Digits: len(de60),
	}
	if r.bad {
		return DE60{}, DecodeError{Element: 60, Kind: KindDigit}
	}
	return x, nil
}

// AppendDE60 appends the first x.Digits digits. It fails with an EncodeError of element 60 and nil
// when they are not a layout, a value is too wide, or a sub-field past them is not 0.
func AppendDE60(dst []byte, x DE60) ([]byte, error) {
	if !whole60(x.Digits) {
		return nil, EncodeError{Element: 60, Kind: KindLayout, Have: x.Digits}
	}
	w := writer{dst: dst, left: x.Digits}
	w.put(uint64(x.Code), 2)
	w.put(uint64(x.Batch), 6)
	w.put(uint64(x.Network), 3)
	w.put(uint64(x.Reading), 1)
	w.put(uint64(x.Condition), 1)
	w.put(uint64(x.Partial), 1)
	w.put(uint64(x.AccountType), 3)
	return w.end(60)
}

// DE60 reads element 60 of the message. It fails with a DecodeError.
func (m Message) DE60() (DE60, error) {
	var buf [17]byte
	n := m.CopyDigits(60, buf[:])
	if n == 0 {
		return DE60{}, DecodeError{Element: 60, Kind: KindAbsent}
	}
	return ParseDE60(buf[:n])
}

// DE61 names the original of a void, completion, refund or reversal; docs/protocol/unionpay-pos.md,
// section 2.3. Sub-fields past Digits are absent and 0. Values are not checked against a calendar.
type DE61 struct {
	Batch       pos.BatchNo // 61.1, n6
	Trace       pos.STAN    // 61.2, n6
	Date        uint16      // 61.3, n4, MMDD as a number
	AuthMode    uint8       // 61.4, n2
	Institution uint64      // 61.5, n11
	Digits      int         // how many digits there are: 12, 16, 18 or 29
}

// ParseDE61 reads a DE61 of 12, 16, 18 or 29 ASCII digits. It fails with a DecodeError of element 61.
func ParseDE61(de61 []byte) (DE61, error) {
	if !whole61(len(de61)) {
		return DE61{}, DecodeError{Element: 61, Kind: KindLayout, Have: len(de61)}
	}
	r := reader{left: de61}
	x := DE61{
		Batch: pos.BatchNo(r.take(6)), Trace: pos.STAN(r.take(6)), Date: uint16(r.take(4)),
		AuthMode: uint8(r.take(2)), Institution: r.take(11), Digits: len(de61),
	}
	if r.bad {
		return DE61{}, DecodeError{Element: 61, Kind: KindDigit}
	}
	return x, nil
}

// AppendDE61 appends the first x.Digits digits. It fails with an EncodeError of element 61 and nil
// when they are not a layout, a value is too wide, or a sub-field past them is not 0.
func AppendDE61(dst []byte, x DE61) ([]byte, error) {
	if !whole61(x.Digits) {
		return nil, EncodeError{Element: 61, Kind: KindLayout, Have: x.Digits}
	}
	w := writer{dst: dst, left: x.Digits}
	w.put(uint64(x.Batch), 6)
	w.put(uint64(x.Trace), 6)
	w.put(uint64(x.Date), 4)
	w.put(uint64(x.AuthMode), 2)
	w.put(x.Institution, 11)
	return w.end(61)
}

// DE61 reads element 61 of the message. It fails with a DecodeError.
func (m Message) DE61() (DE61, error) {
	var buf [29]byte
	n := m.CopyDigits(61, buf[:])
	if n == 0 {
		return DE61{}, DecodeError{Element: 61, Kind: KindAbsent}
	}
	return ParseDE61(buf[:n])
}

// Totals are the sums of one kind of card in a settlement.
type Totals struct {
	Debit       pos.Amount // n12
	DebitCount  uint16     // n3
	Credit      pos.Amount // n12
	CreditCount uint16     // n3
	Result      uint8      // n1: 0 in a request; 1 balanced, 2 not balanced, 3 error (3 unverified)
}

// The results of a settlement, Totals.Result.
const (
	Balanced        = 1
	NotBalanced     = 2
	SettlementError = 3
)

// Settlement is DE48 of an 0500 and its answer; docs/protocol/unionpay-pos.md, section 2.4.
type Settlement struct{ Domestic, Foreign Totals }

// SettlementDigits is the length of DE48 in a settlement: 31 digits for domestic cards, 31 for foreign ones.
const SettlementDigits = 62

// ParseSettlement reads the 62 ASCII digits of a settlement's DE48. It fails with a DecodeError of element 48.
func ParseSettlement(de48 []byte) (Settlement, error) {
	if len(de48) != SettlementDigits {
		return Settlement{}, DecodeError{Element: 48, Kind: KindLayout, Have: len(de48)}
	}
	r := reader{left: de48}
	s := Settlement{Domestic: r.totals(), Foreign: r.totals()}
	if r.bad {
		return Settlement{}, DecodeError{Element: 48, Kind: KindDigit}
	}
	if s.Domestic.Result > SettlementError || s.Foreign.Result > SettlementError {
		return Settlement{}, DecodeError{Element: 48, Kind: KindValue}
	}
	return s, nil
}

func (r *reader) totals() Totals {
	return Totals{
		Debit: pos.Amount(r.take(12)), DebitCount: uint16(r.take(3)),
		Credit: pos.Amount(r.take(12)), CreditCount: uint16(r.take(3)), Result: uint8(r.take(1)),
	}
}

// AppendSettlement appends the 62 digits. It fails with an EncodeError of element 48 and nil when a
// value is too wide, negative, or not a result.
func AppendSettlement(dst []byte, s Settlement) ([]byte, error) {
	w := writer{dst: dst, left: SettlementDigits}
	for _, t := range [...]Totals{s.Domestic, s.Foreign} {
		w.put(uint64(t.Debit), 12)
		w.put(uint64(t.DebitCount), 3)
		w.put(uint64(t.Credit), 12)
		w.put(uint64(t.CreditCount), 3)
		w.put(uint64(t.Result), 1)
		w.bad = w.bad || t.Result > SettlementError
	}
	return w.end(48)
}

// Settlement reads element 48 of the message. It fails with a DecodeError.
func (m Message) Settlement() (Settlement, error) {
	if !m.Has(48) {
		return Settlement{}, DecodeError{Element: 48, Kind: KindAbsent}
	}
	var buf [SettlementDigits]byte
	n := m.CopyDigits(48, buf[:])
	if n == 0 {
		return Settlement{}, DecodeError{Element: 48, Kind: KindLayout, Have: m.Len(48)}
	}
	return ParseSettlement(buf[:n])
}

// reader takes numbers of fixed width off ASCII digits; past the end it gives 0.
type reader struct {
	left []byte
	bad  bool // something was not a digit
}

func (r *reader) take(width int) uint64 {
	if len(r.left) < width {
		return 0
	}
	b := r.left[:width]
	r.left = r.left[width:]
	if !digits(b) {
		r.bad = true
		return 0
	}
	return value(b)
}

// writer appends numbers of fixed width until left digits are written; past them only 0 will do.
type writer struct {
	dst  []byte
	left int
	bad  bool // a value did not fit
}

func (w *writer) put(v uint64, width int) {
	limit := uint64(1)
	for range width {
		limit *= 10
	}
	if v >= limit || w.left < width && v != 0 {
		w.bad = true
		return
	}
	if w.left >= width {
		w.dst, w.left = appendNumber(w.dst, v, width), w.left-width
	}
}

func (w *writer) end(element int) ([]byte, error) {
	if w.bad {
		return nil, EncodeError{Element: element, Kind: KindValue}
	}
	return w.dst, nil
}
