package incident

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"touchstone/pos"
)

// Start is the event from which a clock runs.
type Start string

// The starts. Those other than awareness are told by a person; handled is also told by closing.
const (
	Awareness Start = "awareness" // of the incident, or of what made the rule apply
	Engaged   Start = "engaged"   // a forensic investigator was engaged
	Fixed     Start = "fixed"     // a fix is available
	Handled   Start = "handled"   // the handling ended
)

var starts = []Start{Awareness, Engaged, Fixed, Handled}

// The marks of confidence: a fact was verified in its text, is from a secondary source, or recalled; of hours also
// that no text was at hand, so that the operator has to set them.
var (
	marks    = []string{"V", "S", "R"}
	dueMarks = []string{"V", "S", "R", "unverified"}
)

// ClockRule is one duty with a deadline: who must be told, from when, within what.
type ClockRule struct {
	ID        string   `json:"id"`
	Duty      Text     `json:"duty"`
	Start     Start    `json:"start"`
	AtOnce    bool     `json:"at_once,omitempty"` // the source says at once: Due is what the operator takes that for
	Due       string   `json:"due"`               // 4h, 3d (days), 5bd (Monday to Friday), 1mo
	DueMark   string   `json:"due_mark"`
	Recipient Text     `json:"recipient"`
	Template  string   `json:"template"`
	Source    string   `json:"source"`
	Mark      string   `json:"mark"`
	Roles     []string `json:"roles,omitempty"`   // it is for an operator who is one of these; none: for all
	Kinds     []string `json:"kinds,omitempty"`   // for incidents of these kinds; none: of every kind
	Exposes   []string `json:"exposes,omitempty"` // for kinds that expose one of these
	Least     string   `json:"least,omitempty"`   // from this severity up
	Off       bool     `json:"off,omitempty"`     // the operator's decision: it never applies
}

func (c *ClockRule) check(d *Data) error {
	bad := func(what string) error { return fmt.Errorf("%w: clock rule %.48q: %s", ErrData, c.ID, what) }
	switch {
	case !isID(c.ID):
		return bad("its id is not 1 to 48 of a-z, 0-9, - and _")
	case c.Start == "":
		return bad("it has no start: say awareness, engaged, fixed or handled")
	case !slices.Contains(starts, c.Start):
		return bad("its start is not awareness, engaged, fixed or handled")
	case !c.Duty.whole() || !c.Duty.fits(400) || !c.Recipient.whole() || !c.Recipient.fits(100):
		return bad("duty or recipient is missing in a language, or too long")
	case !isID(c.Template) || c.Source == "" || !sound(c.Source, 120):
		return bad("it has no template or no source")
	case !slices.Contains(marks, c.Mark) || !slices.Contains(dueMarks, c.DueMark):
		return bad("mark is not V, S or R, or due_mark not one of those or unverified")
	case c.Least != "" && d.severity(c.Least) < 0:
		return bad("least is no severity")
	case slices.ContainsFunc(c.Kinds, func(k string) bool { return d.kind(k) == nil }):
		return bad("it names a kind that is none")
	}
	if _, err := parseDue(c.Due); err != nil {
		return bad(err.Error())
	}
	return nil
}

// due is a deadline as a rule writes it: exactly one is set.
type due struct {
	hours    time.Duration
	days     int
	business int
	months   int
}

func parseDue(s string) (d due, err error) {
	for _, unit := range []struct {
		tail string
		most int
		to   *int
	}{{"bd", 365, &d.business}, {"mo", 24, &d.months}, {"d", 730, &d.days}} {
		if digits, ok := strings.CutSuffix(s, unit.tail); ok {
			n, err := strconv.Atoi(digits)
			if err != nil || n < 1 || n > unit.most || digits[0] == '+' {
				return due{}, fmt.Errorf("due: want 1 to %d before %s", unit.most, unit.tail)
			}
			*unit.to = n
			return d, nil
		}
	}
	d.hours, err = time.ParseDuration(s)
	if err != nil || d.hours <= 0 || d.hours > 24*365*time.Hour {
		return due{}, fmt.Errorf("due: want a time such as 4h, 3d, 5bd or 1mo")
	}
	return d, nil
}

// from is the instant at which the deadline ends. Days and months are of the calendar in UTC; business days are
// Monday to Friday: public holidays are not known here, so the deadline is never later than the source's.
func (d due) from(start pos.Instant) pos.Instant {
	t := start.Time()
	switch {
	case d.days > 0:
		t = t.AddDate(0, 0, d.days)
	case d.months > 0:
		// The last day of a shorter month, where AddDate would run into the next.
		day := t.Day()
		t = t.AddDate(0, d.months, 0)
		if t.Day() != day {
			t = t.AddDate(0, 0, -t.Day())
		}
	case d.business > 0:
		for n := d.business; n > 0; {
			t = t.AddDate(0, 0, 1)
			if w := t.Weekday(); w != time.Saturday && w != time.Sunday {
				n--
			}
		}
	default:
		t = t.Add(d.hours)
	}
	return pos.Instant(t.UnixNano())
}

// applies tells whether a rule binds an operator in an incident of a kind and severity.
func (c *ClockRule) applies(d *Data, i *Incident) bool {
	kind := d.kind(i.Kind)
	overlap := func(want, have []string) bool {
		return len(want) == 0 || slices.ContainsFunc(want, func(w string) bool { return slices.Contains(have, w) })
	}
	return !c.Off && kind != nil && overlap(c.Roles, d.Operator) && overlap(c.Kinds, []string{i.Kind}) && overlap(c.Exposes, kind.Exposes) &&
		(c.Least == "" || d.severity(i.Severity) >= d.severity(c.Least))
}

// ClockState is where a clock stands.
type ClockState string

// The states.
const (
	Waiting ClockState = "waiting" // for its start
	Running ClockState = "running"
	InTime  ClockState = "answered_in_time"
	Late    ClockState = "answered_late"
	Waived  ClockState = "waived" // by two people, with a reason
)

// Sending is the proof that a recipient was told: exactly one of the first three is set.
type Sending struct {
	Notice    string      `json:"notice,omitempty"`    // NTC-1
	Document  string      `json:"document,omitempty"`  // SHA-256 of a kept file
	Statement string      `json:"statement,omitempty"` // a person's word
	By        string      `json:"by"`
	Sent      pos.Instant `json:"sent"`
}

// Clock is one deadline of one incident.
type Clock struct {
	ID        string      `json:"id"` // INC-1/cac-report
	Incident  string      `json:"incident"`
	Rule      string      `json:"rule"`
	Duty      Text        `json:"duty"`
	Recipient Text        `json:"recipient"`
	Template  string      `json:"template"`
	Source    string      `json:"source"`
	Mark      string      `json:"mark"`
	Start     Start       `json:"start"`
	AtOnce    bool        `json:"at_once,omitempty"`
	Within    string      `json:"within"` // the rule's due, as it was
	DueMark   string      `json:"due_mark"`
	State     ClockState  `json:"state"`
	Drill     bool        `json:"drill,omitempty"`
	Started   pos.Instant `json:"started,omitempty"`
	Due       pos.Instant `json:"due,omitempty"`
	Sending   *Sending    `json:"sending,omitempty"`
	Reason    string      `json:"reason,omitempty"` // of waiving
	WaivedBy  []string    `json:"waived_by,omitempty"`
	Alarmed   bool        `json:"alarmed,omitempty"` // it ran out unanswered, and that was told
}

// answered tells whether a clock holds up closing no more. One that waits for its start does not.
func (c *Clock) answered() bool { return c.State != Running }

// Overdue tells whether it ran out unanswered.
func (c *Clock) Overdue(now pos.Instant) bool { return c.State == Running && now > c.Due }

// begin makes a clock of a rule.
func (c *ClockRule) begin(i *Incident, aware pos.Instant) (*Clock, error) {
	k := &Clock{ID: i.ID + "/" + c.ID, Incident: i.ID, Rule: c.ID, Duty: c.Duty, Recipient: c.Recipient, Template: c.Template, Source: c.Source, Mark: c.Mark,
		Start: c.Start, AtOnce: c.AtOnce, Within: c.Due, DueMark: c.DueMark, State: Waiting, Drill: i.Drill}
	if c.Start != Awareness {
		return k, nil
	}
	return k, k.run(aware)
}

// run starts the clock.
func (c *Clock) run(at pos.Instant) error {
	d, err := parseDue(c.Within)
	if err != nil {
		return err
	}
	c.State, c.Started, c.Due = Running, at, d.from(at)
	return nil
}
