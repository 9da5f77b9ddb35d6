package explain

import (
	"touchstone/pos"
	"touchstone/reason"
)

// The most columns of a phrase that has one line of a screen, as Columns counts them.
const (
	MaxShort        = 34 // Entry.Short: 34 letters or 17 Chinese characters
	MaxCashierShort = 40 // Entry.CashierShort and Code.ActionShort
)

// Entry is a reason in words.
type Entry struct {
	Reason reason.Reason
	Short  Text // one line, at most MaxShort columns; "card:" or "卡:" leads where the card's bank must act
	// Meaning is one or two sentences: the fact, nobody's intent.
	Meaning Text
	// Causes are what may lie behind it, the likely first; empty for an approval. None of them is proven.
	Causes []Text
	// Cashier is what to do at the counter now: safe steps only, the same for every reason behind one DE39.
	Cashier      Text
	CashierShort Text // the same for one line, at most MaxCashierShort columns
	Support      Text // for the acquirer's staff who speak with the merchant: the steps as one text
	Engineer     Text // for the acquirer's security engineer, likewise

	family  reason.Family
	money   moneyRow
	counter Counter
	advice  advice

	unproven []Text // the engineer's steps where experiment found nothing
}

// Class is the class of an answer code; docs/protocol/unionpay-pos.md, section 7.
// The zero value is a code without a class.
type Class byte

// The classes.
const (
	Success      Class = 'A' // success, or success with a reservation
	MayRetry     Class = 'B' // failed, may be tried again
	DoNotRetry   Class = 'C' // failed, is not to be tried again as it is
	OperatorActs Class = 'D' // failed, the cashier must act
	SystemFault  Class = 'E' // failed by a system fault, is not to be tried again
)

// String is the class letter, or "-" for none.
func (c Class) String() string {
	switch c {
	case Success, MayRetry, DoNotRetry, OperatorActs, SystemFault:
		return string(rune(c))
	}
	return "-"
}

// Code is an answer code (DE39) in words.
type Code struct {
	Code        pos.ResponseCode // the zero value is "no answer came"
	Class       Class
	ClassText   Text // what the class means
	Name        Text // the published text; it may name more than a reason does
	Action      Text // what the cashier does
	ActionShort Text // the same for one line, at most MaxCashierShort columns
	Counter     Counter
	SignIn      SignIn // with the published class
	// Unverified is true where fewer than two independent publications have the code.
	Unverified bool
	// Note is a further remark, or empty.
	Note Text
	// Reasons are all that this host answers with the code: what it may mean here, never which it is.
	Reasons []reason.Reason
	// Learn is how to find out which of them it was.
	Learn Text
}

// Catalogue holds every text. It is made by Load, is not changed afterwards and may be read by any
// number of goroutines.
type Catalogue struct {
	entries  []Entry // by reason.Reason
	codes    []Code  // in the order of the data file
	byCode   map[pos.ResponseCode]int
	fallback Code
	outside  Entry
	causes   []CauseEntry              // by reason.Cause
	counters map[string]Counter        // by name
	cured    map[pos.ResponseCode]bool // by a sign-in
	asks     Text                      // that the screen asks for a sign-in all the same

	checks, outcomes, owners, families, certainties, facts, values, models map[string]Text

	// What free text is searched by.
	kinds       []KindEntry
	screens     []ScreenEntry
	suggestions []Suggestion
	phrases     map[string][]string // by kind and name of a hit
	which       []string
	stop        stopWords
	index       func() *index // made at the first search
}

// Reason is r in words; reason.None is the approval. A reason outside the table gives the words for
// a failure without a name.
func (c *Catalogue) Reason(r reason.Reason) Entry {
	if int(r) >= len(c.entries) {
		e := c.outside
		e.Reason = r
		return e
	}
	return c.entries[r]
}

// Code is an answer code in words. The second result is false for a code that is in no published
// table; its words then are those a terminal shows for such a code (交易失败) and it is never a success.
func (c *Catalogue) Code(code pos.ResponseCode) (Code, bool) {
	if i, ok := c.byCode[code]; ok {
		return c.codes[i], true
	}
	unknown := c.fallback
	unknown.Code = code
	return unknown, false
}

// Codes lists every code of the table in the order of docs/protocol/unionpay-pos.md, section 7; the
// last one, with the zero code, is "no answer came". The slice is the caller's.
func (c *Catalogue) Codes() []Code { return append([]Code(nil), c.codes...) }

// Check is the name of a check of a verdict in words, by the name the verdict gives it ("device
// certificate", "MAC grade"); letter case does not matter and '_' or '-' may stand for the space.
func (c *Catalogue) Check(name string) (Text, bool) {
	t, ok := c.checks[plain(name)]
	return t, ok
}

// Outcome is the outcome of a check in words: "passed", "failed", "not run", "unavailable".
func (c *Catalogue) Outcome(name string) (Text, bool) {
	t, ok := c.outcomes[plain(name)]
	return t, ok
}

// Owner is who must act first, in words; an owner outside the table is the acquirer's operations.
func (c *Catalogue) Owner(o reason.Owner) Text {
	if t, ok := c.owners[o.String()]; ok {
		return t
	}
	return c.owners[reason.Acquirer.String()]
}

// Family is a kind of cause in words.
func (c *Catalogue) Family(f reason.Family) Text { return c.families[f.String()] }

// Model is what is said outside of a name that is taken for a terminal model; letter case does not matter.
func (c *Catalogue) Model(name string) (Text, bool) {
	t, ok := c.models[plain(name)]
	return t, ok
}
