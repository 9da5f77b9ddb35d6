package issuer

import (
	"time"

	"touchstone/journal"
	"touchstone/pos"
)

// CardState is whether a card may pay.
type CardState string

// The states of a card.
const (
	Active     CardState = "active"
	Lost       CardState = "lost"
	Stolen     CardState = "stolen"
	Restricted CardState = "restricted"
)

// MaxTries is how many wrong PINs in a row close the PIN.
const MaxTries = 3

// Opening is a card as opened or changed; the body of a journal entry of KindCard. The balance counts
// when the card is new and is ignored when it is already known.
type Opening struct {
	Card         pos.PANHash      `json:"card"`
	Shown        pos.TruncatedPAN `json:"shown"`
	Expiry       uint16           `json:"expiry"`       // YYMM
	ServiceCode  string           `json:"service_code"` // three digits; first 2 or 6: has a chip
	State        CardState        `json:"state"`
	Verifier     [16]byte         `json:"pin_verifier"` // keyed value made inside the module; zero: no PIN
	Balance      pos.Amount       `json:"balance"`
	SaleLimit    pos.Amount       `json:"sale_limit,omitempty"`      // of one sale; 0 none
	NoPINLimit   pos.Amount       `json:"no_pin_limit,omitempty"`    // of a sale without PIN; 0 none
	ChipUnproven bool             `json:"chip_unverified,omitempty"` // "chip not verified": only in a test data directory
	PINSince     pos.Instant      `json:"pin_since,omitempty"`       // when the PIN was set; 0 before this was kept, or no PIN
	PINRefused   PINValues        `json:"pin_refused,omitempty"`     // PINs it may not have, as keyed values
	Canary       bool             `json:"canary,omitempty"`          // reserved: only a canary terminal may name it, and it never pays
}

// Card is a card now.
type Card struct {
	Opening
	Tries   uint8  // wrong PINs since the last right one
	Version uint64 // number of the last entry folded
}

// Open applies an opening: the card is new or its terms change, tries start afresh.
func (c *Card) Open(seq uint64, o Opening) {
	if c.Version != 0 {
		o.Balance = c.Balance
	}
	*c = Card{Opening: o, Version: seq}
}

// Fold applies a judged message that names this card.
func (c *Card) Fold(seq uint64, x *journal.Exchange) {
	c.Balance += x.Delta
	switch x.PIN {
	case journal.PINRight:
		c.Tries = 0
	case journal.PINWrong:
		c.Tries++
	}
	c.Version = seq
}

// PINAge is how long the card has had its PIN; ok is false where it has none or nobody knows since when.
func (c *Card) PINAge(now pos.Instant) (age time.Duration, ok bool) {
	if c.Verifier == [16]byte{} || c.PINSince == 0 {
		return 0, false
	}
	return now.Sub(c.PINSince), true
}

// HasChip tells whether the service code says so: first digit 2 or 6, ISO/IEC 7813.
func (c *Card) HasChip() bool { return HasChip([]byte(c.ServiceCode)) }

// HasChip reads a service code of three digits.
func HasChip(service []byte) bool {
	return len(service) == 3 && (service[0] == '2' || service[0] == '6')
}
