package journal

import (
	"errors"
	"fmt"

	"touchstone/pos"
	"touchstone/reason"
)

// Certainty is how well a cause is known. A guess is none of them: it is not recorded.
type Certainty string

// The certainties.
const (
	Proven    Certainty = "proven"    // experiment leaves no other explanation but luck of the stated chance
	Indicated Certainty = "indicated" // one experiment says so; a second, different message must agree
	Unproven  Certainty = "unproven"  // everything that may be tried was, and nothing fits
	Untried   Certainty = "untried"   // not tried: over the budget, or what it takes was not at hand
)

// Cause is the body of an entry of KindCause: what was found behind a verdict after it was answered. The newest entry
// that names a verdict prevails. The fact is proven, never the intent.
type Cause struct {
	Verdict   uint64            `json:"verdict"` // number of the exchange's entry
	Terminal  string            `json:"terminal,omitempty"`
	Reason    string            `json:"reason"`            // of the verdict
	Cause     string            `json:"cause"`             // of reason's table of causes
	Certainty Certainty         `json:"certainty"`         //
	Variant   string            `json:"variant,omitempty"` // a stable word, such as sign_in_answer_lost
	Owner     string            `json:"owner"`             // who must act first
	Family    string            `json:"family"`
	Facts     map[string]string `json:"facts,omitempty"` // what fits, in stable words; never a key, never more of a card than an exchange has
	Tried     uint32            `json:"tried"`           // explanations tried
	Fit       uint32            `json:"fit"`             // of them, how many fit
	OneIn     uint64            `json:"one_in"`          // the chance that any fits by luck is at most one in this; 0 where luck has no part
	TookUS    uint32            `json:"took_us"`         // time of the experiment, microseconds
	With      uint64            `json:"with,omitempty"`  // the verdict of another message that agrees, 0 none
}

// Bounds of a Cause.
const (
	MaxCauseFacts = 24
	MaxCauseText  = 120 // bytes of one text
)

// ErrCause is returned for a cause that may not be recorded.
var ErrCause = errors.New("journal cause")

// Check tells what is wrong with a cause.
func (c *Cause) Check() error {
	cause, err := reason.ParseCause(c.Cause)
	if err != nil {
		return fmt.Errorf("%w: no such cause", ErrCause)
	}
	if _, err := reason.Parse(c.Reason); err != nil {
		return fmt.Errorf("%w: no such reason", ErrCause)
	}
	switch c.Certainty {
	case Proven, Indicated:
		if cause == reason.NoCause || c.Fit == 0 {
			return fmt.Errorf("%w: %s without a cause that fits", ErrCause, c.Certainty)
		}
	case Unproven, Untried:
		if cause != reason.NoCause {
			return fmt.Errorf("%w: %s, yet a cause is named", ErrCause, c.Certainty)
		}
	default:
		return fmt.Errorf("%w: no such certainty", ErrCause)
	}
	if c.Verdict == 0 || c.Fit > c.Tried {
		return fmt.Errorf("%w: verdict %d, %d of %d fit", ErrCause, c.Verdict, c.Fit, c.Tried)
	}
	if len(c.Facts) > MaxCauseFacts {
		return fmt.Errorf("%w: %d facts, the most is %d", ErrCause, len(c.Facts), MaxCauseFacts)
	}
	texts := []string{c.Terminal, c.Variant, c.Owner, c.Family}
	for name, text := range c.Facts {
		texts = append(texts, name, text)
	}
	for _, text := range texts {
		if len(text) > MaxCauseText {
			return fmt.Errorf("%w: a text of %d bytes, the most is %d", ErrCause, len(text), MaxCauseText)
		}
	}
	return nil
}

// CauseOf is a Cause of a terminal's verdict with the table's owner and family of cause.
func CauseOf(verdict uint64, terminal pos.TerminalID, r reason.Reason, cause reason.Cause, certainty Certainty) *Cause {
	return &Cause{Verdict: verdict, Terminal: terminal.String(), Reason: r.String(), Cause: cause.String(), Certainty: certainty,
		Owner: cause.Owner().String(), Family: cause.Family().String()}
}
