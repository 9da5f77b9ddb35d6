package journal

import (
	"encoding/json"

	"touchstone/pos"
)

// FlagRedress marks an exchange that no terminal sent: a refund or a compensation that two people approved for
// a claim. It uses no trace and is in no batch's totals, which are the terminal's own.
const FlagRedress uint16 = 1 << 12

// Part is what of a claim an exchange pays. It is paid at most once.
type Part string

// The parts.
const (
	RefundPart       Part = "refund"       // of the sale, within its amount
	CompensationPart Part = "compensation" // beyond it, at the expense of a payer
)

// Parts lists them in the order in which they are paid.
var Parts = [...]Part{RefundPart, CompensationPart}

// Redress is what an exchange with FlagRedress rests on, in place of proofs. It is kept in Details.
type Redress struct {
	Claim    string
	Part     Part
	Proposal string
}

// NounPayment is the noun under which the room of redress learns of an exchange that paid a claim.
const NounPayment = "payment"

// Payment is an exchange that paid a part of a claim.
type Payment struct {
	Claim    string      `json:"claim"`
	Part     Part        `json:"part"`
	Proposal string      `json:"proposal"`
	Entry    uint64      `json:"entry"` // the exchange
	Sale     uint64      `json:"sale"`  // the entry of the sale
	Card     pos.PANHash `json:"card"`
	Amount   pos.Amount  `json:"amount"`
	At       pos.Instant `json:"at"`

	Terminal pos.TerminalID   `json:"terminal"` // of the sale
	Shown    pos.TruncatedPAN `json:"shown"`
}

// noCheck begins Details that are no evidence of checks: no check has this number.
const noCheck = 0xFF

// maxRedressText bounds each text of a Redress, so that three of them fit into Details.
const maxRedressText = 60

// AppendDetails appends noCheck and claim, part and proposal, each a length byte and its bytes. A text beyond
// its bound is a broken invariant of ours and panics.
func (r *Redress) AppendDetails(b []byte) []byte {
	b = append(b, noCheck)
	for _, text := range []string{r.Claim, string(r.Part), r.Proposal} {
		if len(text) > maxRedressText {
			panic("journal: text of a redress beyond its bound")
		}
		b = append(append(b, byte(len(text))), text...)
	}
	return b
}

// Redress reads what the exchange rests on; ok is false for every other exchange and for one that cannot be
// read.
func (x *Exchange) Redress() (r Redress, ok bool) {
	if x.Flags&FlagRedress == 0 || len(x.Details) == 0 || x.Details[0] != noCheck {
		return Redress{}, false
	}
	b := x.Details[1:]
	var texts [3]string
	for i := range texts {
		if len(b) < 1 || len(b) < 1+int(b[0]) {
			return Redress{}, false
		}
		texts[i], b = string(b[1:1+b[0]]), b[1+b[0]:]
	}
	if len(b) != 0 || texts[0] == "" {
		return Redress{}, false
	}
	return Redress{texts[0], Part(texts[1]), texts[2]}, true
}

// Payment is the payment that an exchange made; ok is false when it made none.
func (x *Exchange) Payment(seq uint64) (p Payment, ok bool) {
	r, ok := x.Redress()
	if !ok || x.Effect != Refunded && x.Effect != Compensated {
		return Payment{}, false
	}
	return Payment{r.Claim, r.Part, r.Proposal, seq, x.Original, x.Card, x.Amount, x.At, x.Terminal, x.Shown}, true
}

// Change is the payment as the room of redress folds it.
func (p *Payment) Change() (Change, error) {
	raw, err := json.Marshal(p)
	return Change{NounPayment, p.Claim + "/" + string(p.Part), raw}, err
}
