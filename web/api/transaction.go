package api

import (
	"context"
	"net/http"
	"time"

	"touchstone/web"
)

// Transaction is one message that a terminal sent, judged and answered. Reason, owner and cause are for staff: a
// merchant's account is shown what the answer code says.
type Transaction struct {
	ID        string            `json:"id" example:"txn_9001"`
	Entry     uint64            `json:"entry" doc:"number of its entry in the journal"`
	At        time.Time         `json:"at"`
	Terminal  string            `json:"terminal" doc:"DE41 as claimed; empty where it could not be read" example:"00000023"`
	Merchant  string            `json:"merchant" doc:"DE42 as claimed" example:"898000000000001"`
	Shop      string            `json:"merchant_name,omitempty" doc:"as registered now"`
	MTI       string            `json:"mti" example:"0200"`
	What      string            `json:"what" doc:"sign-in, sign-off, echo, status, balance, sale, void, refund, reversal, settlement, tamper, pre-auth, redress, compensate, other or unreadable" example:"sale"`
	WhatText  Text              `json:"what_text"`
	Amount    int64             `json:"amount,omitempty" doc:"minor units of the currency" example:"8800"`
	Currency  string            `json:"currency,omitempty" doc:"ISO 4217 number" example:"156"`
	Trace     string            `json:"trace" doc:"DE11 (STAN)" example:"000042"`
	RRN       string            `json:"rrn,omitempty" doc:"DE37 of the answer" example:"000000009001"`
	Batch     string            `json:"batch" example:"000001"`
	Card      string            `json:"card,omitempty" doc:"first six and last four digits"`
	Answer    string            `json:"de39" doc:"empty where the connection was closed without an answer" example:"A0"`
	Outcome   string            `json:"outcome" doc:"approved or refused"`
	Repeat    bool              `json:"repeat,omitempty" doc:"the same message again, answered as the first time"`
	Reason    string            `json:"reason,omitempty" doc:"for staff" example:"mac_failed"`
	Why       Text              `json:"why" doc:"in a phrase: why it was refused, or that it was approved"`
	Owner     string            `json:"owner,omitempty" doc:"who must act first; for staff"`
	Effect    string            `json:"effect" doc:"what it changed" example:"sold"`
	Charged   Text              `json:"charged" doc:"what became of the customer's money, in a word"`
	ElapsedUS uint32            `json:"elapsed_us" doc:"microseconds from the frame's arrival to the decision"`
	Cause     *TransactionCause `json:"cause,omitempty" doc:"what was found behind a refusal; for staff"`
}

// TransactionCause is what experiment found behind a refusal.
type TransactionCause struct {
	Entry     uint64            `json:"entry" doc:"of the journal"`
	At        time.Time         `json:"at"`
	Name      string            `json:"name,omitempty" example:"mac_stale_key"`
	Certainty string            `json:"certainty" doc:"proven, indicated, unproven or untried"`
	Variant   string            `json:"variant,omitempty"`
	Owner     string            `json:"owner,omitempty"`
	Tried     uint32            `json:"tried" doc:"explanations tried"`
	Fit       uint32            `json:"fit" doc:"of them, how many fit"`
	OneIn     uint64            `json:"one_in" doc:"a fit by luck is at most one in this; 0: luck has no part"`
	TookUS    uint32            `json:"took_us"`
	With      uint64            `json:"with,omitempty" doc:"entry of another message that agrees"`
	Facts     map[string]string `json:"facts,omitempty"`
	Short     Text              `json:"short"`
}

// TransactionCheck is one check of a verdict.
type TransactionCheck struct {
	Check     string `json:"check" example:"MAC"`
	Name      Text   `json:"name"`
	Result    string `json:"result" doc:"passed, failed, not_run or unavailable"`
	Presented Text   `json:"presented"`
	Expected  Text   `json:"expected"`
	Evidence  Text   `json:"evidence" doc:"what the result rests on besides, such as the grade of the MAC"`

	Micros *float64 `json:"micros,omitempty" doc:"microseconds that it took, where that was measured; see timing" example:"8.4"`
}

// Timing is where the time of one message went.
type Timing struct {
	How     string       `json:"how" doc:"live: taken while the message was judged; again: the message was judged again after its answer, on the same data, to take them"`
	TotalUS float64      `json:"total_us" doc:"microseconds from the first step to the end of the last"`
	ClockUS float64      `json:"clock_us" doc:"microseconds that one reading of the clock takes; every step has one in it"`
	Steps   []TimingStep `json:"steps" nullable:"false" doc:"in the order in which they ended, without a gap"`
}

// TimingStep is a stretch of time.
type TimingStep struct {
	Step   string  `json:"step" doc:"a check as in verdict, with _ for a space, or gather, ask, hash, issue_keys, wait, money_rules, issuer, entry" example:"MAC"`
	Name   Text    `json:"name"`
	Check  bool    `json:"check" doc:"it is one of the checks"`
	Module bool    `json:"module,omitempty" doc:"work of the security module"`
	FromUS float64 `json:"from_us"`
	ToUS   float64 `json:"to_us"`
}

// Remedy is what each person does, and what makes it worse.
type Remedy struct {
	Screen   Screen `json:"screen" doc:"what the cashier's display shows"`
	Cashier  []Text `json:"cashier" nullable:"false"`
	Support  []Text `json:"support,omitempty" doc:"the merchant's support; for staff"`
	Engineer []Text `json:"engineer,omitempty" doc:"the security engineer; for staff"`
	Never    []Text `json:"never,omitempty"`
	SignIn   Text   `json:"sign_in" doc:"whether a sign-in is worth one try"`
	MaySign  bool   `json:"sign_in_once"`
	Reboot   Text   `json:"reboot"`
	Courier  Text   `json:"courier"`
	Folk     []Text `json:"folk_advice,omitempty" doc:"advice that goes round and does not help here"`
	Page     string `json:"page,omitempty" doc:"of the documentation"`
}

// Screen is lines of a small display in both languages.
type Screen struct {
	EN []string `json:"en"`
	ZH []string `json:"zh"`
}

// Explanation is what is known of why, and how well.
type Explanation struct {
	Certainty     string `json:"certainty" doc:"proven, indicated, unproven, not_examined, or none: nothing to explain"`
	CertaintyText Text   `json:"certainty_text"`
	ByCheck       bool   `json:"by_check,omitempty" doc:"the verdict itself is the proof: nothing had to be tried"`
	Short         Text   `json:"short"`
	Meaning       Text   `json:"meaning"`
	Presented     Text   `json:"presented"`
	Expected      Text   `json:"expected"`
	Found         Text   `json:"found"`
	Tried         Text   `json:"tried" doc:"what was tried, or why nothing was"`
	NotProven     Text   `json:"not_proven" doc:"what remains open"`
	Owner         Text   `json:"owner" doc:"who must act first"`
	Then          Text   `json:"then" doc:"who acts after the owner"`
	Family        Text   `json:"family"`
	Blameless     bool   `json:"cashier_not_at_fault,omitempty"`
	Money         Text   `json:"money"`
}

// Recorded is one value that the journal keeps of the message.
type Recorded struct {
	Name  string `json:"name" example:"DE4"`
	Title Text   `json:"title"`
	Value string `json:"value"`
}

// RelatedTransaction is a message of the same sale, or one that followed at the terminal.
type RelatedTransaction struct {
	Relation Text   `json:"relation"`
	Kind     string `json:"kind" doc:"original, reversal, void, refund, repeat, compensation"`
	Transaction
}

// TransactionDetail is one transaction with its whole verdict and cause.
type TransactionDetail struct {
	Transaction
	AsOf      *time.Time           `json:"as_of,omitempty" doc:"causes found later are left out"`
	Headline  Text                 `json:"headline"`
	Source    string               `json:"source,omitempty" doc:"the address it came from"`
	KeySet    uint32               `json:"key_set,omitempty" doc:"number of the working key set under which the MAC verified"`
	Verdict   []TransactionCheck   `json:"verdict,omitempty" doc:"every check in order; for staff"`
	Explained Explanation          `json:"explanation"`
	Remedy    *Remedy              `json:"remedy,omitempty" doc:"of a refusal"`
	Recorded  []Recorded           `json:"recorded" nullable:"false" doc:"what the journal keeps of the message"`
	Message   *Anatomy             `json:"message,omitempty" doc:"the bytes, masked; of refusals and of some approvals, for as long as the host is told to keep them; for staff"`
	Timing    *Timing              `json:"timing,omitempty" doc:"where its time went, of the same messages; for staff"`
	Incidents []string             `json:"incidents,omitempty" doc:"that name it as evidence, or open ones that its terminal is in; for staff"`
	SameSale  []RelatedTransaction `json:"same_sale,omitempty" doc:"reversal, void, refund or repeat of the same sale, and what this one undoes"`
	Later     []Transaction        `json:"later,omitempty" doc:"what the terminal sent next, oldest first"`
}

// Anatomy is a message taken apart, masked: '*' stands for a hidden half of a byte.
type Anatomy struct {
	Bytes   int           `json:"bytes"`
	Parts   []AnatomyPart `json:"parts" nullable:"false"`
	Covered *Span         `json:"mac_covers,omitempty"`
	Fault   *AnatomyFault `json:"fault,omitempty"`
}

// Span is a range of bytes: From is in it, To is not.
type Span struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// AnatomyPart is a field, or with a depth something inside the field before it.
type AnatomyPart struct {
	Depth int    `json:"depth"`
	Name  string `json:"name" example:"DE4"`
	Title Text   `json:"title"`
	From  int    `json:"from"`
	To    int    `json:"to"`
	Hex   string `json:"hex,omitempty"`
	Value Text   `json:"value"`
}

// AnatomyFault is the first byte at fault.
type AnatomyFault struct {
	Name     string `json:"name"`
	At       int    `json:"at"`
	Expected Text   `json:"expected"`
	Found    Text   `json:"found"`
	Do       Text   `json:"do"`
}

// TransactionQuery narrows a list of transactions, newest first.
type TransactionQuery struct {
	Paging
	Terminal string    `query:"terminal" maxLength:"8" doc:"DE41"`
	Trace    string    `query:"trace" pattern:"^[0-9]{0,6}$" doc:"DE11"`
	RRN      string    `query:"rrn" pattern:"^[0-9]{0,12}$" doc:"DE37"`
	Reason   string    `query:"reason" maxLength:"60" doc:"such as mac_failed; for staff"`
	Code     string    `query:"code" maxLength:"2" doc:"DE39 of the answer"`
	Outcome  string    `query:"outcome" enum:"approved,refused," doc:"approved or refused"`
	Merchant string    `query:"merchant" maxLength:"15" doc:"DE42"`
	Card     string    `query:"card" pattern:"^([0-9]{4})?$" doc:"last four digits; give a time too"`
	From     time.Time `query:"from" doc:"at or after; RFC 3339"`
	To       time.Time `query:"to" doc:"before; RFC 3339"`
	AsOf     time.Time `query:"as_of" doc:"as the journal was then; RFC 3339"`
}

// TransactionPage is a piece of the list. It may hold fewer than were asked for and yet have a next piece: the question was
// rare among the entries from SearchedFrom on.
type TransactionPage struct {
	Page[Transaction]
	From uint64 `json:"searched_from" doc:"every entry of the journal from this one to where the piece began was looked at"`
}

// Transactions is what the host knows of messages. An unknown one, and one that the caller may not see, is NotFound.
type Transactions interface {
	Transactions(ctx context.Context, who *web.Caller, q *TransactionQuery) (TransactionPage, error)
	Transaction(ctx context.Context, who *web.Caller, id string, asOf time.Time) (TransactionDetail, error)
	// Choices are what the pages offer: kinds of incidents that may be opened from a message, and reasons to narrow a list by.
	Choices(ctx context.Context) (kinds, reasons []Option)
}

// Option is one of a list to choose from.
type Option struct {
	ID   string
	Name Text
}

type transactionInput struct {
	ID   string    `path:"id" maxLength:"40" example:"txn_9001"`
	AsOf time.Time `query:"as_of" doc:"causes found later are left out; RFC 3339"`
}

func (a *API) transactions(d *Desk) {
	seen := web.Rule{Any: true, Shop: true}
	Add(a, Operation{ID: "list-transactions", Method: http.MethodGet, Path: "/transactions", Tag: "transactions", Rule: seen, Summary: "List transactions, newest first",
		Text: "A rare question over a long journal is answered piece by piece: go on with next_cursor while there is one."}, d.Transactions.Transactions)
	Add(a, Operation{ID: "get-transaction", Method: http.MethodGet, Path: "/transactions/{id}", Tag: "transactions", Rule: seen, Summary: "One transaction with its whole verdict and cause"},
		func(ctx context.Context, who *web.Caller, in *transactionInput) (TransactionDetail, error) {
			return d.Transactions.Transaction(ctx, who, in.ID, in.AsOf)
		})
}
