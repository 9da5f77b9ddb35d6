package redress

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/transaction"
)

// ClaimState is where a claim stands.
type ClaimState string

// The states.
const (
	ClaimOpen     ClaimState = "open"     // two people have to decide
	ClaimApproved ClaimState = "approved" // decided; the money is on its way
	ClaimPaid     ClaimState = "paid"     // every part that was approved has left
	ClaimRefused  ClaimState = "refused"
	ClaimLapsed   ClaimState = "lapsed" // approved, but the money rules or the bank refused a part of it
)

// Payer is who bears a compensation.
type Payer string

// The payers.
const (
	PayAcquirer Payer = "acquirer"
	PayMerchant Payer = "merchant"
	PayMaker    Payer = "maker"
	PayInsurer  Payer = "insurer"
)

// Payers lists them.
var Payers = []Payer{PayAcquirer, PayMerchant, PayMaker, PayInsurer}

// Claim is one consumer's claim for one sale.
type Claim struct {
	ID       string `json:"id"`       // CLM-1-XXXXXXXXXXXX: a number, and a suffix nobody guesses
	Incident string `json:"incident"` // of the frozen set that has the sale
	Exposure string `json:"exposure"`
	Sale     uint64 `json:"sale"` // the sale's journal entry

	Date     pos.Date       `json:"date"` // of the receipt, YYYYMMDD
	Terminal pos.TerminalID `json:"terminal"`
	Merchant pos.MerchantID `json:"merchant"`
	Last4    string         `json:"last4"`
	Amount   pos.Amount     `json:"amount"` // of the receipt; what is claimed
	Reason   string         `json:"reason,omitempty"`
	At       pos.Instant    `json:"at"`
	By       string         `json:"by"` // consumer, or the account that took it down

	State        ClaimState  `json:"state"`
	Decided      []string    `json:"decided,omitempty"` // the two people
	Proposal     string      `json:"proposal,omitempty"`
	DecidedAt    pos.Instant `json:"decided_at,omitempty"`
	After        uint64      `json:"after,omitempty"` // an entry before every payment of it
	Why          string      `json:"why,omitempty"`   // of a refusal, or of a compensation
	Refund       pos.Amount  `json:"refund,omitempty"`
	Compensation pos.Amount  `json:"compensation,omitempty"`
	Payer        Payer       `json:"payer,omitempty"` // of the compensation

	Settled []Settlement `json:"settled,omitempty"` // what became of each part
}

// Settlement is what became of one part of an approved claim.
type Settlement struct {
	Part    journal.Part `json:"part"`
	Amount  pos.Amount   `json:"amount"`
	Entry   uint64       `json:"entry,omitempty"`   // the exchange that moved the money
	Refused string       `json:"refused,omitempty"` // why none did: a reason's stable word
	At      pos.Instant  `json:"at"`
}

// The nouns. A payment is never in an act: it is what the ledger says of an exchange that paid a claim.
const (
	NounClaim   = "claim"
	NounPayment = journal.NounPayment
)

// Bounds of claims.
const (
	MaxClaims   = 1_000_000
	MaxReason   = 300 // bytes of a text that a person gives
	ClaimSuffix = 12  // characters of a claim's unguessable end, each one of 32: 60 bits
)

// ErrClaim refuses what is no claim, or asks for what a claim cannot have.
var ErrClaim = errors.New("claim")

// Receipt is what a consumer reads off a receipt.
type Receipt struct {
	Date     pos.Date
	Amount   pos.Amount
	Last4    string
	Terminal pos.TerminalID
	RRN      uint64 // 0 when not given; needed where two sales look the same
}

// Candidate is a sale that a receipt may be of, with what is known of it now.
type Candidate struct {
	Sale     Exposed
	Exposure *Exposure           // the frozen set it is in; nil: in none
	Record   *transaction.Record // nil: the ledger does not know it any more
}

// Make is the decision on a claim. suffix is ClaimSuffix random characters of 2 to 7 and A to Z; incident, if
// not "", is the incident the consumer was told of.
func Make(s *State, r Receipt, incident, reason, suffix, by string, found []Candidate, now pos.Instant) (*Claim, []journal.Draft, error) {
	refuse := func(why string, args ...any) (*Claim, []journal.Draft, error) {
		return nil, nil, refusal("claim_made", []string{by}, why, args...)
	}
	switch {
	case !last4(r.Last4):
		return refuse("the last four digits of the card are needed")
	case r.Amount <= 0 || r.Amount > pos.MaxAmount:
		return refuse("the amount of the receipt is needed")
	case pos.HasPAN(reason):
		return refuse(noPAN)
	case !text(reason):
		return refuse("a reason has at most %d bytes of text", MaxReason)
	case len(suffix) != ClaimSuffix || by == "":
		return nil, nil, fmt.Errorf("%w: suffix of %d characters, want %d", ErrClaim, len(suffix), ClaimSuffix)
	case len(s.numbered) >= MaxClaims:
		return refuse("%d claims are the most", MaxClaims)
	}
	if r.RRN != 0 {
		found = slices.DeleteFunc(slices.Clone(found), func(c Candidate) bool { return c.Sale.Seq != r.RRN })
	}
	if strings.HasSuffix(incident, drillSuffix) {
		return refuse("%s is a drill: nobody has a claim", incident)
	}
	if len(found) == 0 {
		return refuse("no approved sale matches this receipt: check date, amount, last four digits and terminal")
	}
	exposed := slices.DeleteFunc(slices.Clone(found), func(c Candidate) bool {
		return c.Exposure == nil || c.Exposure.Drill || incident != "" && c.Exposure.Scope.Incident != incident
	})
	switch {
	case len(exposed) == 0:
		return refuse("this sale is not among the exposed sales%s; ask the shop for an ordinary refund", of(incident))
	case len(exposed) > 1:
		return refuse("%d exposed sales match this receipt: give the reference number that is printed on it (--rrn)", len(exposed))
	}
	sale := exposed[0]
	if why := s.unclaimable(&sale); why != "" {
		return refuse("%s", why)
	}
	c := &Claim{ID: fmt.Sprintf("CLM-%d-%s", len(s.numbered)+1, suffix), Incident: sale.Exposure.Scope.Incident, Exposure: sale.Exposure.ID,
		Sale: sale.Sale.Seq, Date: r.Date, Terminal: r.Terminal, Merchant: sale.Sale.Merchant, Last4: r.Last4, Amount: r.Amount,
		Reason: reason, At: now, By: by, State: ClaimOpen}
	drafts, err := claimDraft("claim_made", []string{by}, "", c)
	return c, drafts, err
}

func of(incident string) string {
	if incident == "" {
		return ""
	}
	return " of " + incident
}

// unclaimable says why a sale may not be claimed, or "".
func (s *State) unclaimable(c *Candidate) string {
	switch r := c.Record; {
	case r == nil:
		return "this sale is not known any more"
	case r.State == transaction.Voided:
		return "this sale was voided: the money went back already"
	case r.State == transaction.Reversed:
		return "this sale was reversed: no money was taken"
	case r.State != transaction.Standing:
		return "this sale does not stand"
	case r.Refunded >= r.Amount:
		return "this sale was refunded already"
	}
	for _, id := range s.bySale[c.Sale.Seq] {
		if old := s.claims[id]; old.State != ClaimRefused {
			return "this sale was claimed already; ask with the number of that claim"
		}
	}
	return ""
}

func last4(t string) bool {
	return len(t) == 4 && !slices.ContainsFunc([]byte(t), func(c byte) bool { return c < '0' || c > '9' })
}

// noPAN is why a person's text is refused that a card number is in.
const noPAN = "the text holds what looks like a card number: leave it out, the last four digits are enough"

// text tells whether a person's text may be kept.
func text(t string) bool { return len(t) <= MaxReason && utf8.ValidString(t) }

func refusal(verb string, by []string, why string, args ...any) *journal.Refusal {
	return &journal.Refusal{Kind: journal.KindRedress, Verb: verb, Actors: by, Why: fmt.Sprintf(why, args...), Err: ErrClaim}
}

func claimDraft(verb string, by []string, proposal string, c *Claim) ([]journal.Draft, error) {
	change, err := journal.NewChange(NounClaim, c.ID, c)
	if err != nil {
		return nil, err
	}
	return []journal.Draft{{Kind: journal.KindRedress, Act: journal.Act{Verb: verb, Actors: by, Proposal: proposal, Changes: []journal.Change{change}}}}, nil
}

// Claim is a claim by its whole number, nil when there is none. Records are shared and never changed.
func (s *State) Claim(id string) *Claim { return s.claims[id] }

// Claims lists the claims of an incident, or every one, the oldest first.
func (s *State) Claims(incident string) (list []*Claim) {
	for _, id := range s.numbered {
		if c := s.claims[id]; c != nil && (incident == "" || c.Incident == incident) {
			list = append(list, c)
		}
	}
	return list
}

// ClaimNumbered is the claim of a number without its unguessable end, nil when there is none.
func (s *State) ClaimNumbered(n int) *Claim {
	if n < 1 || n > len(s.numbered) {
		return nil
	}
	return s.claims[s.numbered[n-1]]
}
