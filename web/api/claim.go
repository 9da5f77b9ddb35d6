package api

import (
	"context"
	"net/http"
	"time"

	"touchstone/pos"
	"touchstone/web"
)

// Claim is a consumer's claim for one exposed sale. States: open (two people have to decide), approved, paid, refused,
// lapsed (approved, and a part of it could not be paid).
type Claim struct {
	ID           string     `json:"id" doc:"a number and an end that nobody guesses: whoever has all of it reads the state without an account" example:"CLM-1-K3QXW7ZD2M5T"`
	Incident     string     `json:"incident" example:"INC-1"`
	Exposure     string     `json:"exposure" example:"EXP-1"`
	Sale         string     `json:"sale" doc:"the matched sale" example:"txn_1204"`
	RRN          string     `json:"rrn" doc:"its reference number, DE37" example:"000000001204"`
	Date         string     `json:"date" doc:"of the receipt, YYYY-MM-DD" example:"2026-11-28"`
	Terminal     string     `json:"terminal" example:"00000023"`
	Merchant     string     `json:"merchant"`
	Last4        string     `json:"last4" doc:"of the card, from the receipt" example:"3157"`
	Amount       pos.Amount `json:"amount" doc:"of the receipt: what is claimed, fen"`
	Said         string     `json:"said,omitempty" doc:"what the consumer says; to support and security officers alone"`
	HasSaid      bool       `json:"has_said,omitempty" doc:"the consumer said something"`
	Made         time.Time  `json:"made"`
	By           string     `json:"by" doc:"consumer, or the account that took it down"`
	State        string     `json:"state" example:"open"`
	Refund       pos.Amount `json:"refund,omitempty" doc:"approved, fen"`
	Compensation pos.Amount `json:"compensation,omitempty" doc:"approved beyond the sale, fen"`
	Payer        string     `json:"payer,omitempty" doc:"who bears the compensation: acquirer, merchant, maker or insurer"`
	Why          string     `json:"why,omitempty" doc:"of a refusal or a compensation"`
	Decided      []string   `json:"decided_by,omitempty" doc:"the two people"`
	Proposal     string     `json:"proposal,omitempty" doc:"under which it was decided" example:"PRP-7"`
	DecidedAt    time.Time  `json:"decided,omitzero"`
	Pending      string     `json:"pending_proposal,omitempty" doc:"a decision that a second person has to approve"`
	Paid         pos.Amount `json:"paid" doc:"fen"`
}

// ClaimPart is what became of one part of an approved claim.
type ClaimPart struct {
	Part   string     `json:"part" doc:"refund or compensation"`
	Amount pos.Amount `json:"amount" doc:"fen"`
	State  string     `json:"state" doc:"due, paid or lapsed"`
	Entry  string     `json:"transaction,omitempty" doc:"that moved the money" example:"txn_1300"`
	Lapsed string     `json:"lapsed,omitempty" doc:"why it could not be paid"`
	At     time.Time  `json:"at,omitzero"`
}

// ClaimProof is one proof of the claimed sale's verdict.
type ClaimProof struct {
	Name    string `json:"name"`
	Says    Text   `json:"says"`
	Outcome string `json:"outcome" doc:"passed, failed, not_run or unavailable"`
}

// ClaimedSale is the sale that a claim is for, masked.
type ClaimedSale struct {
	ID       string       `json:"id" example:"txn_1204"`
	At       time.Time    `json:"at"`
	Card     string       `json:"card" doc:"first six and last four digits"`
	Amount   pos.Amount   `json:"amount" doc:"fen"`
	Code     string       `json:"code" doc:"DE39 that was answered"`
	State    string       `json:"state" doc:"standing, voided or reversed"`
	Refunded pos.Amount   `json:"refunded" doc:"of it, by whomever; fen"`
	Left     pos.Amount   `json:"left" doc:"what may still be refunded, fen"`
	Proofs   []ClaimProof `json:"proofs" doc:"the checks of its verdict in their order"`
}

// ClaimProposal is a decision that one person asked for.
type ClaimProposal struct {
	ID           string     `json:"id" example:"PRP-7"`
	By           string     `json:"by"`
	At           time.Time  `json:"at"`
	Approve      bool       `json:"approve"`
	Refund       pos.Amount `json:"refund,omitempty" doc:"fen"`
	Compensation pos.Amount `json:"compensation,omitempty" doc:"fen"`
	Payer        string     `json:"payer,omitempty"`
	Why          string     `json:"why,omitempty"`
}

// ClaimWhole is a claim with what a decision rests on.
type ClaimWhole struct {
	Claim
	Found     *ClaimedSale    `json:"matched_sale,omitempty"`
	Others    []Claim         `json:"other_claims,omitempty" doc:"on the same sale"`
	SameCard  int             `json:"other_claims_of_terminal" doc:"how many other claims are of this terminal and these last four digits"`
	Parts     []ClaimPart     `json:"parts,omitempty"`
	Proposals []ClaimProposal `json:"proposals,omitempty" doc:"decisions that wait for a second person"`
	Consumer  []Text          `json:"consumer_is_told" doc:"line by line"`
}

// ClaimQuery narrows a list of claims.
type ClaimQuery struct {
	Paging
	AsOf
	Pick     string `query:"state" enum:"open,approved,paid,refused,lapsed,decided," doc:"decided is every state but open"`
	Incident string `query:"incident" maxLength:"20"`
	Terminal string `query:"terminal" maxLength:"8"`
}

// Money is what was claimed, approved and paid: approved is paid, due and lapsed. Amounts are fen of CNY.
type Money struct {
	Incident      string                `json:"incident,omitempty" doc:"absent: of every incident"`
	Through       uint64                `json:"through" doc:"the last journal entry that it speaks of"`
	Claims        int                   `json:"claims"`
	Claimed       pos.Amount            `json:"claimed"`
	Open          int                   `json:"open"`
	OpenAmount    pos.Amount            `json:"open_amount"`
	Refused       int                   `json:"refused"`
	RefusedAmount pos.Amount            `json:"refused_amount"`
	Approved      int                   `json:"approved"`
	Refunds       MoneyLine             `json:"refunds"`
	Compensation  MoneyLine             `json:"compensation"`
	ByPayer       map[string]pos.Amount `json:"paid_by_payer,omitempty" doc:"compensation paid"`
	Out           pos.Amount            `json:"money_out" doc:"credited to cards by messages that name these claims"`
	Differs       []string              `json:"differs,omitempty"`
	Reconciles    bool                  `json:"reconciles"`
	Audited       *MoneyAudit           `json:"audited,omitempty" doc:"the newest reading of the whole journal; absent until the first is through"`
}

// MoneyLine is one kind of money.
type MoneyLine struct {
	Approved pos.Amount `json:"approved"`
	Paid     pos.Amount `json:"paid"`
	Due      pos.Amount `json:"due"`
	Lapsed   pos.Amount `json:"lapsed" doc:"approved, and then refused by the money rules or the bank"`
}

// MoneyAudit says that the same equation was computed from the entries of the whole journal alone.
type MoneyAudit struct {
	Through    uint64    `json:"through" doc:"the last entry that was read"`
	At         time.Time `json:"at"`
	Reconciles bool      `json:"reconciles"`
	Current    bool      `json:"current" doc:"no claim changed since, and it says what the figures above say"`
	Differs    []string  `json:"differs,omitempty"`
}

// MoneyQuery names the incident.
type MoneyQuery struct {
	AsOf
	Incident string `query:"incident" maxLength:"20"`
}

// Claims is what the host knows of claims and money.
type Claims interface {
	Claims(ctx context.Context, who *web.Caller, q *ClaimQuery) (Page[Claim], error)
	Claim(ctx context.Context, who *web.Caller, q *ClaimInput) (ClaimWhole, error)
	ClaimCounts(ctx context.Context, who *web.Caller) (map[string]int, error)
	Money(ctx context.Context, who *web.Caller, q *MoneyQuery) (Money, error)
	Exposures(ctx context.Context, who *web.Caller, q *ExposureQuery) (Page[Exposure], error)
	ExposedSales(ctx context.Context, who *web.Caller, q *ExposedQuery) (Page[ExposedSale], error)
}

// ExposureQuery narrows a list of frozen sets.
type ExposureQuery struct {
	Paging
	AsOf
	Incident string `query:"incident" maxLength:"20"`
}

// ExposedQuery asks for the sales of a frozen set.
type ExposedQuery struct {
	Paging
	ID string `path:"id" maxLength:"20" example:"EXP-1"`
}

// ExposedSale is one sale of a frozen set. No card number is in it.
type ExposedSale struct {
	ID       string     `json:"id" example:"txn_1204"`
	RRN      string     `json:"rrn"`
	At       time.Time  `json:"at"`
	Terminal string     `json:"terminal"`
	Merchant string     `json:"merchant"`
	Card     string     `json:"card" doc:"first six and last four digits"`
	Amount   pos.Amount `json:"amount" doc:"fen"`
	Version  string     `json:"version,omitempty" doc:"of the application, as presented with the sale"`
}

// ClaimInput names one claim.
type ClaimInput struct {
	AsOf
	ID string `path:"id" maxLength:"40" example:"CLM-1-K3QXW7ZD2M5T"`
}

func (a *API) claims(d *Desk) {
	Add(a, Operation{ID: "list-claims", Method: http.MethodGet, Path: "/claims", Summary: "List claims, the newest first", Tag: "claims", Rule: claimReaders}, d.Claims.Claims)
	Add(a, Operation{ID: "get-claim", Method: http.MethodGet, Path: "/claims/{id}", Summary: "One claim, its sale and what a decision rests on", Tag: "claims", Rule: claimReaders}, d.Claims.Claim)
	Add(a, Operation{ID: "get-money", Method: http.MethodGet, Path: "/money", Summary: "What was claimed, approved and paid", Tag: "claims", Rule: web.Staff,
		Text: "The figures are of the claims and payments that the journal holds. audited is the same equation computed from every entry of the journal, as touchstone money does, in the background."}, d.Claims.Money)
	Add(a, Operation{ID: "list-exposures", Method: http.MethodGet, Path: "/exposures", Summary: "Exposed sales as they were frozen into incidents", Tag: "claims", Rule: claimReaders}, d.Claims.Exposures)
	Add(a, Operation{ID: "list-exposed-sales", Method: http.MethodGet, Path: "/exposures/{id}/sales", Summary: "The sales of a frozen set, in the order of the journal", Tag: "claims", Rule: claimReaders}, d.Claims.ExposedSales)
}
