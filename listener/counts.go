package listener

import "sync/atomic"

// Kind is how a peer speaks to a listener.
type Kind int

// The kinds.
const (
	Plain Kind = iota
	TLS
	Kinds // their number
)

// String is the kind's stable name, for a metric's label.
func (k Kind) String() string {
	if k == TLS {
		return "tls"
	}
	return "tcp"
}

// counters count one kind.
type counters struct {
	accepted, turnedAway, frames, answers, badFrames atomic.Uint64
	open                                             atomic.Int64
}

// seen is where a connection is counted.
func (c *conn) seen() *counters {
	if c.door != nil {
		return &c.server.kinds[TLS]
	}
	return &c.server.kinds[Plain]
}

// CountsOf reads the counters of one kind.
func (s *Server) CountsOf(k Kind) Counts {
	n := &s.kinds[k]
	return Counts{n.accepted.Load(), n.turnedAway.Load(), n.frames.Load(), n.answers.Load(), n.badFrames.Load(), n.open.Load()}
}

// Counts adds up the counters of all kinds.
func (s *Server) Counts() (sum Counts) {
	for k := range Kinds {
		n := s.CountsOf(k)
		sum.Accepted, sum.TurnedAway, sum.Open = sum.Accepted+n.Accepted, sum.TurnedAway+n.TurnedAway, sum.Open+n.Open
		sum.Frames, sum.Answers, sum.BadFrames = sum.Frames+n.Frames, sum.Answers+n.Answers, sum.BadFrames+n.BadFrames
	}
	return sum
}
