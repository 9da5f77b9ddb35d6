package issuer

import (
	"encoding/base64"
	"errors"

	"touchstone/pos"
	"touchstone/secret"
)

// PINChange is a new PIN of a card and what it may not be.
type PINChange struct {
	PAN     pos.PAN
	PIN     secret.Bytes // 4 to 12 ASCII digits
	Birth   secret.Bytes // the holder's birth date, YYYYMMDD; empty: only what Refused says
	Former  [16]byte     // verifier of the PIN that the card has; zero: none
	Refused PINValues    // of the card
}

// PINValues are the verifiers of PINs that a card may not have: the birth date in its usual forms, each as a keyed
// value of 16 bytes made inside the module. So every later PIN is checked against the birth date, and the date
// itself is kept nowhere. It is text so that a card's record can be compared.
type PINValues string

// MaxPINValues is the most values of a card.
const MaxPINValues = 16

var errPINValues = errors.New("PIN values: malformed")

// MarshalText is base64.
func (v PINValues) MarshalText() ([]byte, error) {
	return base64.StdEncoding.AppendEncode(nil, []byte(v)), nil
}

// UnmarshalText reads base64 of whole values.
func (v *PINValues) UnmarshalText(text []byte) error {
	raw, err := base64.StdEncoding.DecodeString(string(text))
	if err != nil || len(raw)%16 != 0 || len(raw) > 16*MaxPINValues {
		return errPINValues
	}
	*v = PINValues(raw)
	return nil
}
