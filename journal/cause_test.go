package journal_test

import (
	"errors"
	"strings"
	"testing"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

func goodCause() *journal.Cause {
	c := journal.CauseOf(7, pos.TerminalID{'0', '0', '0', '0', '0', '0', '2', '3'}, reason.MACFailed, reason.MACStaleKey, journal.Proven)
	c.Variant, c.Tried, c.Fit, c.OneIn = "sign_in_answer_lost", 54, 1, 80_000_000
	c.Facts = map[string]string{"key_set": "11"}
	return c
}

func TestCauseThatMayBeRecorded(t *testing.T) {
	if err := goodCause().Check(); err != nil {
		t.Fatal(err)
	}
	if journal.KindCause != 18 || journal.KindCause.String() != "cause" {
		t.Errorf("kind %d %s", journal.KindCause, journal.KindCause)
	}
}

func TestCauseThatMayNotBeRecorded(t *testing.T) {
	for name, spoil := range map[string]func(*journal.Cause){
		"an unknown cause":         func(c *journal.Cause) { c.Cause = "bad luck" },
		"an unknown reason":        func(c *journal.Cause) { c.Reason = "A0" },
		"no verdict":               func(c *journal.Cause) { c.Verdict = 0 },
		"proven and nothing fits":  func(c *journal.Cause) { c.Fit = 0 },
		"proven without a cause":   func(c *journal.Cause) { c.Cause = "unproven" },
		"unproven with a cause":    func(c *journal.Cause) { c.Certainty = journal.Unproven },
		"another certainty":        func(c *journal.Cause) { c.Certainty = "probable" },
		"more fit than were tried": func(c *journal.Cause) { c.Fit = 55 },
		"a text over its bound":    func(c *journal.Cause) { c.Facts["key_set"] = strings.Repeat("1", journal.MaxCauseText+1) },
		"a variant over its bound": func(c *journal.Cause) { c.Variant = strings.Repeat("v", journal.MaxCauseText+1) },
	} {
		c := goodCause()
		spoil(c)
		if err := c.Check(); !errors.Is(err, journal.ErrCause) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCauseOfAnApprovedSignIn: keys that were given and not taken are told of the sign-in, which was approved.
func TestCauseOfAnApprovedSignIn(t *testing.T) {
	c := journal.CauseOf(7, pos.TerminalID{'0', '0', '0', '0', '0', '0', '2', '3'}, reason.None, reason.KeysNotTaken, journal.Indicated)
	c.Tried, c.Fit = 1, 1
	if err := c.Check(); err != nil || c.Reason != "none" {
		t.Errorf("reason %q: %v", c.Reason, err)
	}
}
