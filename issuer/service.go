package issuer

import (
	"context"
	"errors"

	"touchstone/keys"
	"touchstone/pos"
	"touchstone/secret"
)

// ErrTrivialPIN refuses a PIN that is one digit repeated, a run up or down, part of the card number, the holder's
// birth date in a usual form, or the PIN before. The module does not say which: the last would tell a PIN.
var ErrTrivialPIN = errors.New("PIN refused: too easy to guess, or the one before")

// ErrBirthDate refuses a birth date that is not YYYYMMDD.
var ErrBirthDate = errors.New("birth date: want YYYYMMDD")

// ErrPIN refuses a PIN that is not 4 to 12 digits.
var ErrPIN = errors.New("PIN refused: want 4 to 12 digits")

// PINForm is how a PIN came; docs/protocol/unionpay-pos.md 5.1, 5.2, 9A.21.
type PINForm uint8

// The forms.
const (
	PINFormat0    PINForm = 1 // 8 bytes in DE52, ISO 9564-1 format 0, DES or TDES
	PINWithoutPAN PINForm = 2 // 8 bytes in DE52, F-filled without PAN
	PINSM4        PINForm = 3 // 16 bytes in DE59 A1, SM4, PAN mode 1
)

// PINQuestion is one PIN block to verify.
type PINQuestion struct {
	Terminal pos.TerminalID
	Set      *keys.Set // the set whose MAC key verified the message
	Form     PINForm
	Block    []byte // 8 or 16 bytes; a view, not kept
	PAN      pos.PAN
	Verifier [16]byte // of the card; zero is never right
}

// Vault verifies and makes PINs. Implemented by hsm/soft. Nothing it returns tells a PIN.
type Vault interface {
	// VerifyPIN never blocks.
	VerifyPIN(q *PINQuestion) PINResult
	// MakePIN is the verifier of a new PIN for a card, or ErrTrivialPIN or ErrPIN.
	MakePIN(ctx context.Context, pan pos.PAN, pin secret.Bytes) ([16]byte, error)
}
