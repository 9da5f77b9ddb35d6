package diagnosis

import (
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// Finding is what an experiment found. The zero value is untried.
type Finding struct {
	Cause     reason.Cause
	Certainty journal.Certainty
	Variant   string            // a stable word that tells cases of one cause apart, such as sign_in_answer_lost
	Owner     reason.Owner      // who must act first
	Facts     map[string]string // what fits, in stable words
	Tried     uint32            // explanations tried
	Fit       uint32            // of them, how many fit
	OneIn     uint64            // the chance that any fits by luck is at most one in this, 0 where luck has no part
	TookUS    uint32
	With      uint64 // the verdict of another message that agrees

	// Digest is the module's keyed fingerprint of the message, for the Indication that later messages are compared with;
	// zero where the module was sealed.
	Digest [16]byte
}

// Indication is what the finding is to the terminal's later messages.
func (f *Finding) Indication(verdict uint64) Indication {
	return Indication{Verdict: verdict, Cause: f.Cause, Variant: f.Variant, Facts: f.Facts, OneIn: f.OneIn, Digest: f.Digest}
}

// Record is the finding as the journal keeps it.
func (f *Finding) Record(verdict uint64, terminal pos.TerminalID, r reason.Reason) *journal.Cause {
	c := journal.CauseOf(verdict, terminal, r, f.Cause, f.Certainty)
	c.Variant, c.Facts, c.Tried, c.Fit, c.OneIn, c.TookUS, c.With = f.Variant, f.Facts, f.Tried, f.Fit, f.OneIn, f.TookUS, f.With
	if c.Certainty == "" {
		c.Certainty = journal.Untried
	}
	if f.Cause != reason.NoCause {
		c.Owner = f.Owner.String()
	}
	return c
}

// NotTried is the finding of a case that could not be examined; why is a stable word of the fact "why".
func NotTried(why string) Finding {
	return Finding{Certainty: journal.Untried, Facts: map[string]string{FactWhy: why}}
}
