package fleet

import (
	"fmt"
	"strings"

	"touchstone/journal"
	"touchstone/pos"
)

// Glance is a cashier's look at a terminal, once a day: all well, or what is wrong.
type Glance struct {
	ID       string         `json:"id"` // GLN-1 of a report; all well: the terminal's, so that the newest alone is kept in memory
	Terminal pos.TerminalID `json:"terminal"`
	Merchant pos.MerchantID `json:"merchant"`
	Serial   pos.Serial     `json:"serial"`
	Operator string         `json:"operator"`        // DE63.1, three digits
	Wrong    string         `json:"wrong,omitempty"` // what is wrong, in the cashier's words; "" is all well
	Alarm    bool           `json:"alarm,omitempty"` // a report is open: somebody has to look
	At       pos.Instant    `json:"at"`

	Entry uint64 `json:"-"`
}

// Look is the decision on a glance. It restricts nothing by itself: whoever stands at a counter could stop a shop
// with it. It opens a report.
func Look(s *State, g Glance, who Who, now pos.Instant) ([]journal.Draft, error) {
	const verb = "glance_recorded"
	who.Actors = append([]string{fmt.Sprintf("cashier:%s/%s", g.Merchant, g.Operator)}, who.Actors...)
	switch {
	case len(g.Operator) != len(pos.Operator{}) || !isOperator(g.Operator):
		return nil, fmt.Errorf("operator %.10q: want the three digits or letters of the sign-in", g.Operator)
	case g.Wrong != "" && !careText(g.Wrong):
		return nil, who.refuse(verb, "what is wrong: want at most 200 bytes of text")
	}
	g.ID, g.At, g.Alarm = g.Terminal.String(), now, g.Wrong != ""
	if g.Alarm {
		g.ID = s.nextCare("GLN")
		return who.one("glance_reported", NounGlance, g.ID, &g)
	}
	return who.one(verb, NounGlance, g.ID, &g)
}

func isOperator(s string) bool {
	_, err := pos.ParseOperator(s)
	return err == nil && !strings.Contains(s, " ")
}

func (w Who) one(verb, noun, id string, record any) ([]journal.Draft, error) {
	c, err := journal.NewChange(noun, id, record)
	if err != nil {
		return nil, err
	}
	return w.draft(verb, []journal.Change{c}), nil
}
