package incident

import (
	"fmt"
	"slices"
	"time"

	"touchstone/pos"
)

// Rule is one rule over the journal: what opens an incident by itself.
type Rule struct {
	ID       string `json:"id"`
	Type     string `json:"type"` // spread, event, act, alternate or outside
	Kind     string `json:"kind"` // of the incident
	Severity string `json:"severity"`
	Title    Text   `json:"title"`
	What     Text   `json:"what"`
	Off      bool   `json:"off,omitempty"`

	// Of an event or alternate rule: what it finds at one terminal belongs to one incident with what every other rule of
	// the same name finds there.
	Stem string `json:"stem,omitempty"`

	// spread: messages with one of Answers and one reason, or one of Effects, at Terminals or more in Shops or more
	// within Window, that share what terminals without them do not: G of the table, or Rate of those that share it.
	Answers   []string `json:"answers,omitempty"` // DE39
	Effects   []string `json:"effects,omitempty"` // of journal.Effect
	Window    string   `json:"window,omitempty"`
	Terminals int      `json:"terminals,omitempty"`
	Shops     int      `json:"shops,omitempty"`
	Rate      float64  `json:"rate,omitempty"` // 0 to 1
	G         float64  `json:"g,omitempty"`

	// event: an event of the journal with one of these names.
	Events []string `json:"events,omitempty"`

	// act: an act in a room that changes a noun whose record has one of the values at each path, such as
	// {"result": ["attached_device"]}. A path through a list means any of its members.
	Room  string              `json:"room,omitempty"`
	Noun  string              `json:"noun,omitempty"`
	Where map[string][]string `json:"where,omitempty"`

	// alternate: sign-ins of one terminal that come back to an address they had left, so often within Window.
	Returns int `json:"returns,omitempty"`

	// outside: a message of a terminal that says it is sent from outside the terminal's registered circle.
}

// The types of rules.
const (
	typeSpread    = "spread"
	typeEvent     = "event"
	typeAct       = "act"
	typeAlternate = "alternate"
	typeOutside   = "outside"
)

func (r *Rule) check(d *Data) error {
	bad := func(what string) error { return fmt.Errorf("%w: rule %.48q: %s", ErrData, r.ID, what) }
	switch {
	case !isID(r.ID):
		return bad("its id is not 1 to 48 of a-z, 0-9, - and _")
	case d.kind(r.Kind) == nil:
		return bad("its kind is none of " + d.kindNames())
	case d.severity(r.Severity) < 0:
		return bad("its severity is none of " + d.severityNames())
	case !r.Title.whole() || !r.Title.fits(80) || !r.What.whole() || !r.What.fits(400):
		return bad("title or what is missing in a language, or too long")
	}
	if r.Stem != "" && (!isID(r.Stem) || r.Type != typeEvent && r.Type != typeAlternate) {
		return bad("stem is 1 to 48 of a-z, 0-9, - and _, of an event or alternate rule")
	}
	switch r.Type {
	case typeSpread:
		if (len(r.Answers) == 0) == (len(r.Effects) == 0) || r.Terminals < 2 || r.Shops < 1 || !(r.Rate > 0 && r.Rate <= 1) || !(r.G > 0) {
			return bad("a spread needs answers or effects, terminals of 2 or more, shops of 1 or more, rate above 0 to 1, and g above 0")
		}
		if slices.ContainsFunc(r.Answers, func(a string) bool { return pos.Code(a) == pos.ResponseCode{} }) {
			return bad("an answer is not two characters")
		}
	case typeAlternate:
		if r.Returns < 2 || r.Returns > 6 {
			return bad("returns is not 2 to 6")
		}
	case typeOutside:
	case typeEvent:
		if len(r.Events) == 0 {
			return bad("it names no event")
		}
	case typeAct:
		if r.Room == "" || r.Noun == "" || len(r.Where) == 0 {
			return bad("it needs room, noun and where")
		}
	default:
		return bad("its type is not spread, event, act, alternate or outside")
	}
	if _, ok := window(r.Window); !ok && (r.Type == typeSpread || r.Type == typeAlternate) {
		return bad("its window is not a time from 1s to 720h")
	}
	return nil
}

// within is the rule's window.
func (r *Rule) within() time.Duration {
	d, _ := window(r.Window)
	return d
}
