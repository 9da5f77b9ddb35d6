package pos

import (
	"errors"
	"strings"
)

// ErrIdentity is returned for an identifier with a wrong length or a byte that is not printable ASCII.
var ErrIdentity = errors.New("identifier: wrong length or character")

// TerminalID is DE41, 8 ASCII characters (ans8).
type TerminalID [8]byte

// ParseTerminalID reads exactly 8 printable ASCII characters, space included.
func ParseTerminalID[T ~string | ~[]byte](s T) (id TerminalID, err error) {
	if len(s) != len(id) || !printable(s) {
		return TerminalID{}, ErrIdentity
	}
	copy(id[:], s)
	return id, nil
}

// String is the identifier as sent.
func (id TerminalID) String() string { return string(id[:]) }

// MerchantID is DE42, 15 ASCII characters (ans15).
type MerchantID [15]byte

// ParseMerchantID reads exactly 15 printable ASCII characters, space included.
func ParseMerchantID[T ~string | ~[]byte](s T) (id MerchantID, err error) {
	if len(s) != len(id) || !printable(s) {
		return MerchantID{}, ErrIdentity
	}
	copy(id[:], s)
	return id, nil
}

// String is the identifier as sent.
func (id MerchantID) String() string { return string(id[:]) }

// MaxSerial is the most characters of a hardware serial number; DE59 A2 sub-tag 02, "up to 50".
const MaxSerial = 50

// Serial is a terminal's hardware serial number (终端序列号, TUSN or the older 12-character SN):
// 1 to 50 printable ASCII characters without space.
type Serial string

// ParseSerial checks length and characters.
func ParseSerial[T ~string | ~[]byte](s T) (Serial, error) {
	if len(s) == 0 || len(s) > MaxSerial || !printable(s) || strings.Contains(string(s), " ") {
		return "", ErrIdentity
	}
	return Serial(s), nil
}

// Operator is DE63.1 of a request, the number of the cashier (操作员): 3 characters, an3, filled up with spaces on
// the right. The zero value names nobody.
type Operator [3]byte

// ParseOperator reads 1 to 3 digits or letters, as they stand in DE63.1 with or without the spaces that fill it up.
func ParseOperator[T ~string | ~[]byte](s T) (o Operator, err error) {
	number := strings.TrimRight(string(s), " ")
	if len(number) == 0 || len(number) > len(o) || len(s) > len(o) {
		return Operator{}, ErrIdentity
	}
	for _, c := range []byte(number) {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return Operator{}, ErrIdentity
		}
	}
	copy(o[:], number+"  ")
	return o, nil
}

// String is the number without the spaces that fill it up, "" when nobody is named.
func (o Operator) String() string { return strings.TrimRight(text(o[:]), " ") }

// RRN is DE37, the retrieval reference number (检索参考号): 12 characters, an12.
type RRN [12]byte

// String is the number as sent, or "" when none was given.
func (r RRN) String() string { return text(r[:]) }

// AuthCode is DE38, the authorization code: 6 characters, an6.
type AuthCode [6]byte

// String is the code as sent, or "" when none was given.
func (a AuthCode) String() string { return text(a[:]) }

// ResponseCode is DE39, an2. The zero value is no answer and is never an approval.
type ResponseCode [2]byte

// Approved is DE39 00.
var Approved = ResponseCode{'0', '0'}

// Code makes a ResponseCode of a two-character literal; any other length gives the zero value.
func Code(s string) (c ResponseCode) {
	if len(s) == len(c) {
		copy(c[:], s)
	}
	return c
}

// String is the code as sent, or "" when none was given.
func (c ResponseCode) String() string { return text(c[:]) }

func text(b []byte) string {
	if b[0] == 0 {
		return ""
	}
	return string(b)
}

func printable[T ~string | ~[]byte](s T) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
