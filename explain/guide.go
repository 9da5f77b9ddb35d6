package explain

import (
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
	Never      []Text // what makes it worse; at least one
	SignIn     SignIn
	Reboot     Text // whether the terminal may be restarted
	Courier    Text // whether somebody must go there, or the device be sent, and when
	// Screen is what the cashier's display shows, by Language: at most ScreenLines lines of ScreenColumns.
	Screen [2][]string
	// Folk is advice that goes round among merchants and is named as such: why it does not help here.
	Folk      []Text
	NotProven Text // the fact is proven, not why: what remains open
	Owner     Text // who must act first
	OwnerIs   reason.Owner
	Family    Text
	FamilyIs  reason.Family
	Page      string // the page of the cause, or of the reason, relative to docs/reasons/LANGUAGE/
}

// Words are a phrase of one line and one or two sentences.
type Words struct{ Short, Meaning Text }

// Steps are what three people do, in order, one to eight each.
type Steps struct{ Cashier, Support, Engineer []Text }

// SignIn tells whether a sign-in is worth one try, and why or why not.
type SignIn struct {
	Do   bool
	Text Text
}

// Money is what happened to the money of the message. The zero value is the one that makes a person ask.
type Money string

// What can have happened.
const (
	MoneyUnknown    Money = "unknown" // look the sale up, or ask
	MoneyNotCharged Money = "not charged"
	MoneyOnce       Money = "charged once"
	MoneyReversed   Money = "reversed"
)

// Guide composes what is to be done about r, of which cause and variant were found; reason.NoCause is a
// cause not found, and a variant that the cause does not have is taken as none.
func (c *Catalogue) Guide(r reason.Reason, cause reason.Cause, variant string) Guide {
	e := c.Reason(r)
	g := Guide{Cause: Words{Short: e.Short, Meaning: e.Meaning}, MoneyState: MoneyUnknown, OwnerIs: r.Owner(), FamilyIs: reason.FamilyUnproven, Page: r.String() + ".md"}
	g.Steps = Steps{Cashier: []Text{e.Cashier}, Support: []Text{e.Support}, Engineer: []Text{e.Engineer}}
	g.Screen = [2][]string{English: fold(e.CashierShort.EN), Chinese: fold(e.CashierShort.ZH)}
	if cause != reason.NoCause {
		g.OwnerIs, g.FamilyIs, g.Page = cause.Owner(), cause.Family(), cause.String()+".md"
	}
	g.Owner = c.Owner(g.OwnerIs)
	return g
}

// fold breaks s into lines of ScreenColumns, at most ScreenLines.
func fold(s string) []string {
	var lines []string
	line := ""
	for _, r := range s {
		if Columns(line+string(r)) > ScreenColumns {
			lines, line = append(lines, line), ""
		}
		line += string(r)
	}
	lines = append(lines, line)
	return lines[:min(len(lines), ScreenLines)]
}
