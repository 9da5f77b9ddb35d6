package explain

import (
	"slices"

	"touchstone/reason"
)

// The cashier's screen: the smallest display of the terminals in the field.
const (
	ScreenLines   = 4
	ScreenColumns = 16 // a Chinese character takes two
)

// Guide is what to do about a refusal: one reason and, where it is known, the cause behind it.
// Everything about the cause is for staff who have signed in; Screen and Steps.Cashier are the same for
// every reason behind one DE39, whatever the cause.
type Guide struct {
	// Cause is what was found, in words; without a cause it is the reason's own words.
	Cause Words
	// Money is what happened to the customer's money, and MoneyState the same as one of the Money words.
	Money      Text
	MoneyState Money
	Steps      Steps
	Never      []Text // what makes it worse: for the counter first, then for staff
	SignIn     SignIn
	Reboot     Text // whether the terminal may be restarted
	Courier    Text // whether somebody must go there, or the device be sent, and when
	// Screen is what the cashier's display shows, by Language: at most ScreenLines lines of ScreenColumns.
	Screen [2][]string
	// Folk is advice that goes round among merchants and is named as such: why it does not help here.
	Folk      []Text
	NotProven Text // the fact is proven, not why: what remains open
	Owner     Text // who must act first
	Then      Text // who acts after the owner, where a visit or a courier is due; else empty
	OwnerIs   reason.Owner
	Family    Text
	FamilyIs  reason.Family
	// Unproven are the engineer's steps where experiment found nothing behind the reason; empty where none is made.
	Unproven []Text
	Page     string // the page of the cause, or of the reason, relative to docs/reasons/LANGUAGE/
}

// Words are a phrase of one line and one or two sentences.
type Words struct {
	Short   Text `json:"short"`
	Meaning Text `json:"meaning"`
}

// Steps are what three people do, in order, one to MaxSteps each.
type Steps struct {
	Cashier  []Text `json:"cashier"`
	Support  []Text `json:"support"`
	Engineer []Text `json:"engineer"`
}

// SignIn tells whether a sign-in is worth one try, and why or why not.
type SignIn struct {
	Do   bool `json:"do"`
	Text Text `json:"text"`
}

// Money is what happened to the money of the message.
type Money string

// What can have happened.
const (
	MoneyUnknown    Money = "unknown" // look the sale up, or ask
	MoneyNotCharged Money = "not charged"
	MoneyOnce       Money = "charged once"
	MoneyReversed   Money = "reversed"
)

// Counter is what the cashier does and sees for an answer code: the same for every reason behind it.
type Counter struct {
	Steps      []Text      `json:"steps"`
	Action     Text        `json:"-"` // the steps as one text
	Short      Text        `json:"short"`
	Screen     [2][]string `json:"screen"` // by Language
	Money      Text        `json:"money"`  // as far as the code alone tells
	MoneyState Money       `json:"money_state"`
	Never      []Text      `json:"never"`
	Folk       []Text      `json:"folk_advice,omitempty"` // named as folk advice
}

// CauseEntry is a cause in words.
type CauseEntry struct {
	Cause   reason.Cause
	Short   Text // one line, at most MaxShort columns
	Meaning Text // the fact, nobody's intent
	// Behind are the reasons behind which it may be found; reason.None where no refusal shows it.
	Behind   []reason.Reason
	Variants []Variant

	counter *Counter
	money   *moneyRow
	advice  advice
}

// Variant is a case of a cause: who must act may differ.
type Variant struct {
	Name    string
	Owner   reason.Owner
	Meaning Text
	advice
}

// Cause is a cause in words; the zero entry for reason.NoCause and for a cause outside the table.
func (c *Catalogue) Cause(cause reason.Cause) CauseEntry {
	if int(cause) >= len(c.causes) {
		return CauseEntry{}
	}
	return c.causes[cause]
}

// CausesBehind lists what experiment may find behind a reason, in the order of the table. It is never which it was.
func (c *Catalogue) CausesBehind(r reason.Reason) []reason.Cause {
	var list []reason.Cause
	for _, e := range c.causes {
		if e.Cause != reason.NoCause && r != reason.None && slices.Contains(e.Behind, r) {
			list = append(list, e.Cause)
		}
	}
	return list
}

// Guide composes what is to be done about r, of which cause and variant were found; reason.NoCause is a
// cause not found, and a variant that the cause does not have is taken as none.
func (c *Catalogue) Guide(r reason.Reason, cause reason.Cause, variant string) Guide {
	e := c.Reason(r)
	g := Guide{Cause: Words{Short: e.Short, Meaning: e.Meaning}, Money: e.money.Text, MoneyState: e.money.State,
		OwnerIs: r.Owner(), FamilyIs: e.family, Page: r.String() + ".md"}
	g.Unproven = slices.Clone(e.unproven)
	counter, a := e.counter, e.advice
	if found := c.Cause(cause); found.Cause != reason.NoCause {
		g.Cause, g.OwnerIs, g.FamilyIs, g.Page = Words{Short: found.Short, Meaning: found.Meaning}, cause.Owner(), cause.Family(), cause.String()+".md"
		a, g.Unproven = found.advice, nil
		if found.counter != nil && r == reason.None {
			counter = *found.counter
		}
		if found.money != nil && r == reason.None {
			g.Money, g.MoneyState = found.money.Text, found.money.State
		}
		if i := slices.IndexFunc(found.Variants, func(v Variant) bool { return v.Name == variant }); i >= 0 {
			v := found.Variants[i]
			g.OwnerIs, g.Cause.Meaning = v.Owner, v.Meaning
			a = a.with(v.advice)
		}
	}
	g.Steps = Steps{Cashier: slices.Clone(counter.Steps), Support: slices.Clone(a.support), Engineer: slices.Clone(a.engineer)}
	g.Screen, g.Folk = counter.Screen, slices.Clone(counter.Folk)
	g.Never = slices.Concat(counter.Never, a.never)
	g.SignIn = c.signIn(r, a)
	if cause != reason.NoCause && !g.SignIn.Do && c.cured[r.DE39()] {
		g.SignIn.Text = join([]Text{g.SignIn.Text, c.asks})
	}
	g.Reboot, g.Courier, g.NotProven, g.Then = a.reboot, a.courier, a.notProven, a.then
	g.Owner, g.Family = c.Owner(g.OwnerIs), c.Family(g.FamilyIs)
	return g
}

// signIn is the row's own word on a sign-in, or the code's. Where the code is none that a sign-in cures, nobody is
// told to sign in, whatever the cause.
func (c *Catalogue) signIn(r reason.Reason, a advice) SignIn {
	code, _ := c.Code(r.DE39())
	if a.signIn == nil || a.signIn.Do && !c.cured[r.DE39()] {
		return code.SignIn
	}
	return *a.signIn
}

// with is a, but for what v says itself.
func (a advice) with(v advice) advice {
	if v.signIn != nil {
		a.signIn = v.signIn
	}
	if v.courier != (Text{}) {
		a.then = v.then
	}
	for _, t := range []struct{ to, from *Text }{{&a.reboot, &v.reboot}, {&a.courier, &v.courier}, {&a.notProven, &v.notProven}} {
		if *t.from != (Text{}) {
			*t.to = *t.from
		}
	}
	for _, t := range []struct{ to, from *[]Text }{{&a.never, &v.never}, {&a.support, &v.support}, {&a.engineer, &v.engineer}} {
		if len(*t.from) > 0 {
			*t.to = *t.from
		}
	}
	return a
}

// PageIn is the path of the guide's page in a language, relative to the repository.
func (g *Guide) PageIn(l Language) string { return "docs/reasons/" + l.String() + "/" + g.Page }
