package pos

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// MTI is the message type identifier as four hexadecimal digits: 0x0200 is "0200".
type MTI uint16

// String is the four digits.
func (m MTI) String() string { return fmt.Sprintf("%04X", uint16(m)) }

// Response is the MTI of the answer to a request: its third digit plus one (0200 -> 0210).
func (m MTI) Response() MTI { return m + 0x10 }

// STAN is DE11, the system trace audit number (受卡方系统跟踪号): 0 to 999999.
type STAN uint32

// MaxSTAN is the highest trace number, n6.
const MaxSTAN STAN = 999999

// String is six digits.
func (s STAN) String() string { return fmt.Sprintf("%06d", uint32(s)) }

// BatchNo is DE60.2, the batch number: 0 to 999999. 0 is never an open batch.
type BatchNo uint32

// String is six digits.
func (b BatchNo) String() string { return fmt.Sprintf("%06d", uint32(b)) }

// Next is the following batch number; after 999999 comes 1.
func (b BatchNo) Next() BatchNo {
	if b >= 999999 {
		return 1
	}
	return b + 1
}

// ProcessingCode is DE3, n6, as a number: 200000 is void or refund.
type ProcessingCode uint32

// String is six digits.
func (p ProcessingCode) String() string { return fmt.Sprintf("%06d", uint32(p)) }

// TransactionCode is DE60.1, n2 (交易类型码).
type TransactionCode uint8

// The transaction codes this host knows by name; unionpay POS, DE60.1.
const (
	Management TransactionCode = 0
	Balance    TransactionCode = 1
	PreAuth    TransactionCode = 10
	Sale       TransactionCode = 22
	Void       TransactionCode = 23
	Refund     TransactionCode = 25
)

// String is two digits.
func (t TransactionCode) String() string { return fmt.Sprintf("%02d", uint8(t)) }

// NetworkCode is DE60.3, n3 (网络管理信息码).
type NetworkCode uint16

// String is three digits.
func (n NetworkCode) String() string { return fmt.Sprintf("%03d", uint16(n)) }

// Currency is DE49, an3: three ASCII digits of ISO 4217, "156" is CNY.
type Currency [3]byte

// CNY is the Chinese yuan, two decimals.
var CNY = Currency{'1', '5', '6'}

// String is the three characters, or "" when none was given.
func (c Currency) String() string { return text(c[:]) }

// Amount is money in minor units (fen for CNY). It may be negative in a ledger, never on the wire.
type Amount int64

// MaxAmount is the most DE4 can carry, n12.
const MaxAmount Amount = 999_999_999_999

// ErrAmount is returned when a sum would leave the range of Amount.
var ErrAmount = errors.New("amount: out of range")

// Add is a checked sum.
func (a Amount) Add(b Amount) (Amount, error) {
	if (b > 0 && a > math.MaxInt64-b) || (b < 0 && a < math.MinInt64-b) {
		return 0, ErrAmount
	}
	return a + b, nil
}

// String shows two decimals: 1850 is "18.50".
func (a Amount) String() string {
	sign, n := "", uint64(a)
	if a < 0 {
		sign, n = "-", -uint64(a)
	}
	return fmt.Sprintf("%s%d.%02d", sign, n/100, n%100)
}

// ParseAmount reads what String writes: digits, a point, two digits ("18.50"), no needless 0 in front, not
// negative, at most MaxAmount.
func ParseAmount(s string) (Amount, error) {
	if len(s) < 4 || len(s) > 14 || s[len(s)-3] != '.' || (s[0] == '0' && len(s) > 4) {
		return 0, ErrAmount
	}
	var n Amount
	for i := range len(s) {
		switch c := s[i]; {
		case i == len(s)-3:
		case c < '0' || c > '9':
			return 0, ErrAmount
		default:
			n = n*10 + Amount(c-'0')
		}
	}
	if n > MaxAmount {
		return 0, ErrAmount
	}
	return n, nil
}

// Instant is a moment in nanoseconds since 1970 UTC, taken from a clock that never runs backwards
// while the process lives.
type Instant int64

// Time is the moment as a time.Time in UTC.
func (i Instant) Time() time.Time { return time.Unix(0, int64(i)).UTC() }

// Add moves the moment.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d) }

// Sub is the span from o to i.
func (i Instant) Sub(o Instant) time.Duration { return time.Duration(i - o) }

// Date is a calendar day as the number YYYYMMDD in the host's business time zone.
type Date uint32
