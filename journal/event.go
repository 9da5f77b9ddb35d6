package journal

import (
	"errors"
	"fmt"
)

// Severity is how soon a person must look at an event.
type Severity string

// The severities.
const (
	Info    Severity = "info"    // something is as it should be again
	Warning Severity = "warning" // somebody should look
	Alarm   Severity = "alarm"   // somebody must act now
)

// Event is something a person should know that no message says by itself; the body of an entry of
// KindEvent. It holds words and numbers, never a secret and never more of a card than a message's entry.
type Event struct {
	Name       string            `json:"name"` // stable, such as authentication_ineffective
	Severity   Severity          `json:"severity"`
	Terminal   string            `json:"terminal,omitempty"`
	Model      string            `json:"model,omitempty"`
	Merchant   string            `json:"merchant,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Cause      uint64            `json:"cause,omitempty"` // number of the entry that led to it, 0 none
}

// Bounds of an event.
const (
	MaxEventName       = 40  // bytes, lower-case letters and underscores
	MaxEventParameters = 16  // of them
	MaxEventText       = 200 // bytes of one text
)

// ErrEvent is returned for an event that may not be recorded.
var ErrEvent = errors.New("journal event")

// Check tells what is wrong with an event.
func (e *Event) Check() error {
	if len(e.Name) == 0 || len(e.Name) > MaxEventName {
		return fmt.Errorf("%w: name of %d bytes, want 1 to %d", ErrEvent, len(e.Name), MaxEventName)
	}
	for _, c := range []byte(e.Name) {
		if c != '_' && (c < 'a' || c > 'z') {
			return fmt.Errorf("%w: its name has another character than a to z and _", ErrEvent)
		}
	}
	if e.Severity != Info && e.Severity != Warning && e.Severity != Alarm {
		return fmt.Errorf("%w: severity is not one of info, warning, alarm", ErrEvent)
	}
	if len(e.Parameters) > MaxEventParameters {
		return fmt.Errorf("%w: %d parameters, the most is %d", ErrEvent, len(e.Parameters), MaxEventParameters)
	}
	texts := []string{e.Terminal, e.Model, e.Merchant}
	for name, text := range e.Parameters {
		texts = append(texts, name, text)
	}
	for _, text := range texts {
		if len(text) > MaxEventText {
			return fmt.Errorf("%w: a text of %d bytes, the most is %d", ErrEvent, len(text), MaxEventText)
		}
	}
	return nil
}
