package admission

import (
	"sync/atomic"
	"time"

	"touchstone/pos"
)

// Work is a kind of message, as far as admission tells them apart.
type Work uint8

// The kinds of work.
const (
	Unread     Work = iota // no message, or one of which only part can be read
	Financial              // sale, balance inquiry, void, refund
	SignIn                 // keys are asked for
	Status                 // echo test, sign-off, status query, and what is not served
	Reversal               // 0400: undoes
	Settlement             // 0500: closes a batch
	Tamper                 // a device reports tampering
	works
)

var workNames = [works]string{"unread", "financial", "sign_in", "status", "reversal", "settlement", "tamper"}

// String is the kind's stable word.
func (w Work) String() string {
	if w < works {
		return workNames[w]
	}
	return "unknown"
}

// Reserved tells whether the work has the reserved room besides the ordinary one: it makes the state of
// shops and terminals more certain, and a terminal repeats it until it is answered.
func (w Work) Reserved() bool { return w == Reversal || w == Settlement || w == Tamper }

// Cause is why work was not let in.
type Cause uint8

// The causes.
const (
	Room    Cause = iota // too many messages in the line
	Late                 // those in the line wait too long for the journal
	Queue                // the journal's queue is full
	Contest              // its terminal changed at every try
	causes
)

var causeNames = [causes]string{"in_flight", "late", "journal_queue", "contention"}

// String is the cause's stable word.
func (c Cause) String() string {
	if c < causes {
		return causeNames[c]
	}
	return "unknown"
}

// OrdinaryPercent is the share of any room that ordinary work may fill; the rest is for reserved work.
const OrdinaryPercent = 80

// Limits bound what is in the line: let in, and not yet durable or refused.
type Limits struct {
	InFlight int           // messages
	Wait     time.Duration // ordinary work is not let in while those before it wait longer for the journal
}

// DefaultLimits are those of a fresh installation.
func DefaultLimits() Limits { return Limits{InFlight: 8192, Wait: 2 * time.Second} }

// Gate counts what is in the line and lets work in or not. It is for many goroutines and never blocks.
type Gate struct {
	limits   Limits
	ordinary int64

	inLine   atomic.Int64
	high     atomic.Int64
	lastDone atomic.Int64 // pos.Instant at which the line last moved or ceased to be empty
	lastShed atomic.Int64 // pos.Instant at which ordinary work was last refused here
	lastWait atomic.Int64 // time.Duration which the message that left last was in the line

	admitted [works]atomic.Uint64
	shed     [works][causes]atomic.Uint64
}

// NewGate makes a gate.
func NewGate(l Limits) *Gate {
	return &Gate{limits: l, ordinary: int64(l.InFlight) * OrdinaryPercent / 100}
}

// Enter lets work in and returns true, and then Leave must follow; or counts why not.
func (g *Gate) Enter(now pos.Instant, w Work) bool {
	limit := g.ordinary
	if w.Reserved() {
		limit = int64(g.limits.InFlight)
	} else if g.late(now) {
		g.lastShed.Store(int64(now))
		g.Shed(w, Late)
		return false
	}
	n := g.inLine.Add(1)
	if n > limit {
		g.inLine.Add(-1)
		g.lastShed.Store(int64(now))
		g.Shed(w, Room)
		return false
	}
	if n == 1 {
		g.lastDone.Store(int64(now))
	}
	for high := g.high.Load(); n > high && !g.high.CompareAndSwap(high, n); {
		high = g.high.Load()
	}
	g.admitted[w].Add(1)
	return true
}

// stillRefusing is how long after a refusal the host counts as one that refuses: at its bound it lets
// some in between.
const stillRefusing = time.Second

// Refusing tells whether ordinary work is being refused: it would be now, or was a moment ago.
func (g *Gate) Refusing(now pos.Instant) bool {
	last := g.lastShed.Load()
	return g.inLine.Load() >= g.ordinary || g.late(now) || last != 0 && now.Sub(pos.Instant(last)) < stillRefusing
}

// late tells whether the line is not empty and moves too slowly: the last to leave had waited too long,
// or nothing has left for too long.
func (g *Gate) late(now pos.Instant) bool {
	if g.inLine.Load() == 0 {
		return false
	}
	return time.Duration(g.lastWait.Load()) > g.limits.Wait || now.Sub(pos.Instant(g.lastDone.Load())) > g.limits.Wait
}

// Leave tells that work let in at arrived is done: its entry is durable.
func (g *Gate) Leave(arrived, now pos.Instant) {
	g.lastWait.Store(int64(now.Sub(arrived)))
	g.lastDone.Store(int64(now))
	g.inLine.Add(-1)
}

// Drop tells that work let in is done without the journal, which says nothing of how long that takes.
func (g *Gate) Drop() { g.inLine.Add(-1) }

// Shed counts work that was refused for want of room, here or further on.
func (g *Gate) Shed(w Work, c Cause) { g.shed[w][c].Add(1) }

// Counts are what a gate has seen since it was made.
type Counts struct {
	InFlight, High int64 // messages in the line now, and the most there ever were
	Limit          int   // of InFlight
	Admitted       map[Work]uint64
	Shed           map[Work]map[Cause]uint64 // what was never shed has no entry
}

// ShedTotal is everything refused for want of room.
func (c Counts) ShedTotal() (n uint64) {
	for _, by := range c.Shed {
		for _, m := range by {
			n += m
		}
	}
	return n
}

// InLine is how many messages are in the line now.
func (g *Gate) InLine() int64 { return g.inLine.Load() }

// Counts reads the counters, each at its own moment.
func (g *Gate) Counts() Counts {
	c := Counts{InFlight: g.inLine.Load(), High: g.high.Load(), Limit: g.limits.InFlight, Admitted: map[Work]uint64{}, Shed: map[Work]map[Cause]uint64{}}
	for w := range works {
		c.Admitted[w] = g.admitted[w].Load()
		for cause := range causes {
			n := g.shed[w][cause].Load()
			if n == 0 {
				continue
			}
			if c.Shed[w] == nil {
				c.Shed[w] = map[Cause]uint64{}
			}
			c.Shed[w][cause] = n
		}
	}
	return c
}
