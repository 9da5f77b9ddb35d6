package console

import (
	"fmt"
	"strings"

	"touchstone/web/api"
)

// transactionPage is the data of the page of one message.
type transactionPage struct {
	T       *api.TransactionDetail
	Title   api.Text
	Amount  string // with its currency, "" for none
	Bad     bool   // refused
	Checks  []checkRow
	Skipped []api.Text // checks that this message did not call for
	Timed   bool       // the waterfall is to the scale of time; else it shows the order alone
	Ticks   []tick     // of its axis
	Works   []workRow  // what took time beside the checks
	Fields  []fieldRow
	Hex     []hexRow
	Kinds   []api.Option
	Suggest string // a title for an incident opened from here
}

// checkRow is a check in the waterfall.
type checkRow struct {
	*api.TransactionCheck
	N     int    // place in the order, from 0
	Of    int    // how many steps the waterfall has
	Class string // passed, failed, unavailable, reached: not reached
	Cause bool   // the one that decided
	Took  string // microseconds, "" where it was not timed
	Bars  []timeBar
}

// fieldRow is a part of the message.
type fieldRow struct {
	*api.AnatomyPart
	Class string
	Bytes string // where it stands
}

// hexRow is one line of the bytes.
type hexRow struct {
	Offset string
	Runs   []hexRun
}

// hexRun is bytes of one field in a line.
type hexRun struct {
	Class string
	Bytes []string
}

// hexColumns is the bytes of a line.
const hexColumns = 16

// currencies are the letters of ISO 4217 numbers.
var currencies = map[string]string{"156": "CNY", "840": "USD", "344": "HKD", "446": "MOP"}

func amountText(amount int64, currency string) string {
	if amount == 0 {
		return ""
	}
	word, ok := currencies[currency]
	if !ok {
		word = currency
	}
	return strings.TrimSpace(word + " " + minor(amount))
}

func newTransactionPage(t *api.TransactionDetail, lang string) *transactionPage {
	p := &transactionPage{T: t, Amount: amountText(t.Amount, t.Currency), Bad: t.Outcome == "refused"}
	what := func(lang string) string {
		text := t.WhatText.In(lang)
		if len(text) > 0 && lang != "zh" {
			text = strings.ToUpper(text[:1]) + text[1:]
		}
		return strings.TrimSpace(text + " " + p.Amount)
	}
	end := [2]string{" approved", "已通过"}
	if p.Bad {
		end = [2]string{" refused", "被拒绝"}
	}
	p.Title = api.Text{EN: what("en") + end[0], ZH: what("zh") + " " + end[1]}
	p.Suggest = t.Terminal + ": " + t.Explained.Short.In(lang)
	p.waterfall()
	p.times()
	if t.Message != nil {
		p.anatomy(t.Message)
	}
	return p
}

// waterfall orders the checks: what was made, what decided, and what was not reached after it.
func (p *transactionPage) waterfall() {
	decided := false
	for i := range p.T.Verdict {
		c := &p.T.Verdict[i]
		row := checkRow{TransactionCheck: c, N: len(p.Checks), Class: c.Result}
		switch {
		case c.Result == "failed" || c.Result == "unavailable":
			row.Cause = !decided
			decided = true
		case c.Result == "not_run" && !decided:
			p.Skipped = append(p.Skipped, c.Name)
			continue
		}
		p.Checks = append(p.Checks, row)
	}
	for i := range p.Checks {
		p.Checks[i].Of = len(p.Checks)
	}
}

// fieldColours is how many colours fields take in turns.
const fieldColours = 6

// anatomy lays the bytes out in lines, each byte with the colour of its field and the mark of the MAC's coverage.
func (p *transactionPage) anatomy(a *api.Anatomy) {
	class, n := make([]string, a.Bytes), 0
	hex := make([]string, a.Bytes)
	for i := range a.Parts {
		part := &a.Parts[i]
		colour := ""
		if part.Depth == 0 {
			colour = fmt.Sprintf("c%d", n%fieldColours)
			if part.Name == "UNREAD" {
				colour = "unread"
			}
			n++
			for at := part.From; at < part.To && at < a.Bytes; at++ {
				class[at], hex[at] = colour, byteAt(part.Hex, at-part.From)
			}
		}
		row := fieldRow{AnatomyPart: part, Class: colour}
		switch part.To - part.From {
		case 0:
		case 1:
			row.Bytes = fmt.Sprint(part.From)
		default:
			row.Bytes = fmt.Sprintf("%d–%d", part.From, part.To-1)
		}
		p.Fields = append(p.Fields, row)
	}
	for at := range class {
		if a.Covered != nil && at >= a.Covered.From && at < a.Covered.To {
			class[at] += " mac"
		}
		if a.Fault != nil && at == a.Fault.At {
			class[at] += " fault"
		}
	}
	for row := 0; row < a.Bytes; row += hexColumns {
		line := hexRow{Offset: fmt.Sprintf("%04X", row)}
		for at := row; at < min(row+hexColumns, a.Bytes); at++ {
			if k := len(line.Runs); k == 0 || line.Runs[k-1].Class != class[at] {
				line.Runs = append(line.Runs, hexRun{Class: class[at]})
			}
			run := &line.Runs[len(line.Runs)-1]
			run.Bytes = append(run.Bytes, hex[at])
		}
		p.Hex = append(p.Hex, line)
	}
}

// byteAt is byte i of digits, two a byte; what is missing is hidden.
func byteAt(digits string, i int) string {
	if 2*i+2 > len(digits) {
		return "**"
	}
	return digits[2*i : 2*i+2]
}
