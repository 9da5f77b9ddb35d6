package proof

import "touchstone/pos"

// Step is what a stretch of time went to while a message was judged: a check, by its number, or one of the works that are no
// check. Numbers are kept with messages.
type Step uint8

// The works beside the checks.
const (
	Gathered Step = 32 + iota // what is known of the terminal was looked up
	Asked                     // the question to the security module was put together
	Hashed                    // the keyed hashes of the request and of its card were made
	Issued                    // working keys were drawn
	Waited                    // for the terminal's lock and the card's
	Ruled                     // the money rules
	Banked                    // the card's bank: PIN, card and balance in one
	Entered                   // the journal's entry was made
	Steps                     // one more than the highest
)

var stepNames = [...]string{"gather", "ask", "hash", "issue keys", "wait", "money rules", "issuer", "entry"}

// String is the step's stable name, a check's own.
func (s Step) String() string {
	switch {
	case s < Step(Checks):
		return Check(s).String()
	case s >= Gathered && s < Steps:
		return stepNames[s-Gathered]
	}
	return "unknown"
}

// MaxLaps is the most laps of one message. A message whose terminal changes while it is judged is judged again and may have
// more: what is beyond counts for nothing, and Whole tells so.
const MaxLaps = 64

// Lap ends a stretch of time.
type Lap struct {
	Step Step
	To   uint32 // nanoseconds since the beginning
}

// Laps are where the time of one message went, each stretch from the end of the one before it. The nil Laps reads no clock and
// keeps nothing.
type Laps struct {
	Clock func() pos.Instant // never runs backwards
	Begun pos.Instant
	N     int
	List  [MaxLaps]Lap
}

// Begin forgets what was and counts from an instant on.
func (l *Laps) Begin(at pos.Instant) { l.Begun, l.N = at, 0 }

// Mark ends a stretch that went to a step.
func (l *Laps) Mark(s Step) {
	if l != nil {
		l.mark(s)
	}
}

// mark is apart so that Mark costs one comparison where nothing is measured.
func (l *Laps) mark(s Step) {
	if l.N < MaxLaps {
		l.List[l.N] = Lap{s, uint32(min(max(l.Clock().Sub(l.Begun), 0), 1<<32-1))}
	}
	l.N++
}

// Taken are the laps in the order in which they ended; whole is false where there were more.
func (l *Laps) Taken() (laps []Lap, whole bool) { return l.List[:min(l.N, MaxLaps)], l.N <= MaxLaps }
