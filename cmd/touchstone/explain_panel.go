package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"touchstone/explain"
	"touchstone/explain/anatomy"
	"touchstone/journal"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
)

// How well the cause of a message is known, beside the certainties of a cause entry.
const (
	notRefused      = "none"         // there is nothing to explain: it was approved, or answered as before
	certainNotTried = "not_examined" // no experiment was made
)

// panel is one message explained: everything that is drawn, or printed as one JSON object.
type panel struct {
	Message   shownExchange  `json:"message"`
	Also      []uint64       `json:"also,omitempty"` // entries of further messages that fit what was asked, the newest first
	Certainty string         `json:"certainty"`      // proven, indicated, unproven, not_examined, none
	ByCheck   bool           `json:"by_check"`       // the verdict itself proves the fact: nothing had to be tried
	Why       notExamined    `json:"not_examined_because,omitempty"`
	Cause     *journal.Cause `json:"cause,omitempty"`
	Short     explain.Text   `json:"short"`
	Meaning   explain.Text   `json:"meaning"`
	Presented explain.Text   `json:"presented"`
	Expected  explain.Text   `json:"expected"`
	Found     explain.Text   `json:"found"`
	NotProven explain.Text   `json:"not_proven"`
	Owner     explain.Text   `json:"owner"`
	Then      *explain.Text  `json:"then,omitempty"` // who acts after the owner
	Family    explain.Text   `json:"family"`
	Money     explain.Text   `json:"money"`
	MoneyIs   explain.Money  `json:"money_state"`
	Steps     shownSteps     `json:"steps"`
	Never     []explain.Text `json:"never,omitempty"`
	SignIn    explain.Text   `json:"sign_in"`
	Courier   explain.Text   `json:"courier"`
	Screen    shownScreen    `json:"screen"`
	Bytes     *anatomy.Shown `json:"bytes,omitempty"`  // the message taken apart and masked, where it is kept
	Timing    *keptTiming    `json:"timing,omitempty"` // where its time went, likewise

	x     journal.Exchange
	guide explain.Guide
	zone  *time.Location // of times in words; nil is the machine's
	older bool           // a newer message fits too, which is not the one to explain
}

type shownSteps struct {
	Cashier  []explain.Text `json:"cashier"`
	Support  []explain.Text `json:"support"`
	Engineer []explain.Text `json:"engineer"`
}

type shownScreen struct {
	EN []string `json:"en"`
	ZH []string `json:"zh"`
}

// panel gathers what is to be said of a message.
func (f *finder) panel(ctx context.Context, found foundMessage) (*panel, error) {
	p, err := newPanel(found.entry)
	if err != nil {
		return nil, err
	}
	p.Also, p.older = found.others, found.older
	if p.Certainty == certainNotTried {
		if p.Cause, p.Why, err = f.causeOf(ctx, &p.x, found.entry.Seq); err != nil {
			return nil, err
		}
		p.Certainty = certaintyOf(p.Cause)
	}
	p.fill(f.x.l.catalogue)
	if kept := f.keptOf(ctx, p); kept != nil {
		p.Bytes, p.Timing = &kept.Anatomy, kept.Timing
	}
	return p, nil
}

// newPanel is what the verdict itself says of a message. Where a cause may be sought it is not examined yet.
func newPanel(e journal.Entry) (p *panel, err error) {
	p = &panel{Certainty: certainNotTried}
	if p.Message, err = showExchange(e); err != nil {
		return nil, err
	}
	if err := p.x.Parse(e); err != nil {
		return nil, err
	}
	switch {
	case p.x.Reason == reason.None || p.x.Flags&journal.FlagRepeat != 0:
		p.Certainty = notRefused
	case !sought(&p.x):
		p.Certainty, p.ByCheck = string(journal.Proven), true
	}
	return p, nil
}

// certaintyOf is a cause's certainty; what was not tried counts as not examined.
func certaintyOf(c *journal.Cause) string {
	if c == nil || c.Certainty == journal.Untried {
		return certainNotTried
	}
	return string(c.Certainty)
}

// parseCause reads a cause entry.
func parseCause(e journal.Entry) (*journal.Cause, error) {
	c := new(journal.Cause)
	if err := json.Unmarshal(e.Body, c); err != nil {
		return nil, fmt.Errorf("read cause: %w", err)
	}
	return c, c.Check()
}

// guideOf composes the guide of a verdict and what was found behind it.
func guideOf(c *explain.Catalogue, r reason.Reason, found *journal.Cause) explain.Guide {
	if found == nil {
		return c.Guide(r, reason.NoCause, "")
	}
	cause, err := reason.ParseCause(found.Cause)
	if err != nil {
		cause = reason.NoCause // of a newer program: it is named, not explained
	}
	return c.Guide(r, cause, found.Variant)
}

// fill puts the panel into words.
func (p *panel) fill(c *explain.Catalogue) {
	g := guideOf(c, p.x.Reason, p.Cause)
	p.guide = g
	p.Short, p.Meaning, p.NotProven, p.Owner, p.Family = g.Cause.Short, g.Cause.Meaning, g.NotProven, g.Owner, g.Family
	p.Money, p.MoneyIs, p.Never, p.SignIn, p.Courier = g.Money, g.MoneyState, g.Never, g.SignIn.Text, g.Courier
	p.Steps = shownSteps{g.Steps.Cashier, g.Steps.Support, g.Steps.Engineer}
	p.Screen = shownScreen{g.Screen[explain.English], g.Screen[explain.Chinese]}
	found := p.Cause != nil && (p.Cause.Certainty == journal.Proven || p.Cause.Certainty == journal.Indicated)
	if found && p.Cause.Owner != g.OwnerIs.String() { // the finding knows better
		if owner, err := ownerOf(p.Cause.Owner); err == nil {
			p.Owner = c.Owner(owner)
		}
	}
	if g.Then != (explain.Text{}) {
		p.Then = &g.Then
	}
	if p.Certainty == string(journal.Unproven) && len(g.Unproven) > 0 {
		p.Steps.Engineer = g.Unproven // steps that wait for an experiment are over
	}
	p.difference()
	if p.Cause != nil && p.Cause.Certainty != journal.Untried {
		p.Found = foundWords(p.Cause, cmp.Or(p.zone, time.Local))
	}
}

// ownerOf finds an owner by its word.
func ownerOf(word string) (reason.Owner, error) {
	for o := reason.Nobody; o <= reason.Issuer; o++ {
		if o.String() == word {
			return o, nil
		}
	}
	return reason.Nobody, reason.ErrUnknown
}

// failed is the check that decided, and what it presented and expected.
func (p *panel) failed() (shown proof.Shown, ok bool) {
	c, ok := proof.States(p.x.Checks).First()
	if !ok || int(c) >= len(p.Message.Checks) {
		return proof.Shown{}, false
	}
	return p.Message.Checks[c], true
}

// difference says what was presented and what was expected. The difference is what a failure of authentication is.
func (p *panel) difference() {
	shown, ok := p.failed()
	if !ok {
		return
	}
	p.Presented, p.Expected = evidenceIn(shown.Presented, p.zone), evidenceIn(shown.Expected, p.zone)
	switch p.x.Reason {
	case reason.SerialProofFailed:
		serial, cipher, _ := strings.Cut(shown.Presented, " cipher ")
		p.Presented = explain.Text{EN: "serial " + shortSerial(serial), ZH: "序列号 " + shortSerial(serial)}
		if cipher = strings.TrimSuffix(cipher, "..."); cipher != "" {
			p.Presented.EN += fmt.Sprintf(", cipher %q", cipher+"…")
			p.Presented.ZH += fmt.Sprintf(", 密文 %q", cipher+"…")
		}
		p.Expected = explain.Text{EN: "made with the serial key of " + tailOf(serial), ZH: "由 " + tailOf(serial) + " 的序列号密钥生成"}
	case reason.MACFailed:
		if p.Presented.EN != "" {
			p.Presented = explain.Text{EN: fmt.Sprintf("DE64 %q", shown.Presented), ZH: fmt.Sprintf("64 域 %q", shown.Presented)}
		}
		p.Expected = explain.Text{EN: "the MAC " + shown.Expected, ZH: macExpected(shown.Expected)}
	}
}

// macExpected says "under working key set 3, ALGORITHM, over 192 bytes" in Chinese.
func macExpected(s string) string {
	var set, covered int
	rest, ok := strings.CutPrefix(s, "under working key set ")
	head, tail, ok2 := strings.Cut(rest, ", ")
	algorithm, last, ok3 := strings.Cut(tail, ", over ")
	if !ok || !ok2 || !ok3 {
		return s
	}
	if _, err := fmt.Sscanf(head+" "+last, "%d %d bytes", &set, &covered); err != nil {
		return s
	}
	return fmt.Sprintf("第 %d 套工作密钥下的 MAC, %s, 覆盖 %d 字节", set, algorithm, covered)
}

// shortSerial shows a serial number's ends: "00000304…0023".
func shortSerial(s string) string {
	if len(s) <= 14 {
		return s
	}
	return s[:8] + "…" + s[len(s)-4:]
}

// tailOf is the end of a serial number: "…0023".
func tailOf(s string) string {
	if len(s) <= 4 {
		return s
	}
	return "…" + s[len(s)-4:]
}

// currencyWord is the letters of a currency's number where they are known here; ISO 4217.
func currencyWord(c pos.Currency) string {
	switch c.String() {
	case "156":
		return "CNY "
	case "840":
		return "USD "
	case "344":
		return "HKD "
	case "446":
		return "MOP "
	case "":
		return ""
	}
	return c.String() + " "
}

// write prints the panel as one JSON object.
func (p *panel) write(x *explainCall) error {
	enc := json.NewEncoder(x.a.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(p)
}

// gradeOf is how good a MAC algorithm is, by its name; "" for one that is not known.
func gradeOf(name string) string {
	for a := mac.UnionPayECBDES; a <= mac.HMACSM3; a++ {
		if a.String() == name {
			return a.Grade().Strength.String()
		}
	}
	return ""
}

// printableTerminal is DE41 as it was claimed, "?" where it could not be read.
func printableTerminal(id pos.TerminalID) string {
	if s := printableID(id[:]); s != "" {
		return s
	}
	return "?"
}
