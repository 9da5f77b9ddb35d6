package load

import "time"

// Turn is one of the turns of a run with Options.Turn: alike but for the wrong MACs.
type Turn struct {
	Wrong   bool          // it had Options.WrongMAC percent of wrong MACs; else none
	Length  time.Duration // of what was counted
	Answers uint64        // approved or refused as they must be
	Host    time.Duration // processor time of the host's process; 0 where it was not named
}

// settle is the part of a turn that is not counted: what is behind the turn before is still being worked off.
const settle = 4 // a quarter

// wrongTurn tells whether sales of that instant have wrong MACs: turns without and with, with and without, and so on,
// because a host that grows slower by and by must favour neither.
func (r *run) wrongTurn(at time.Duration) bool {
	if r.o.Turn == 0 {
		return true
	}
	n := max(at-r.warm, 0) / r.o.Turn % 4
	return n == 1 || n == 2
}

// watchTurns counts each turn from its first quarter on.
func (r *run) watchTurns(ended <-chan struct{}) {
	if r.o.Turn == 0 {
		return
	}
	for begin := r.warm; begin+r.o.Turn <= r.end; begin += r.o.Turn {
		var at [2]time.Duration
		var answers [2]uint64
		var host [2]time.Duration
		for i, due := range [2]time.Duration{begin + r.o.Turn/settle, begin + r.o.Turn} {
			timer := time.NewTimer(due - r.now())
			select {
			case <-timer.C:
			case <-ended:
				timer.Stop()
				if i == 0 || r.now() < due { // at the very end the last turn is whole
					return
				}
			}
			at[i], answers[i] = r.now(), r.rec.inAll()
			if r.o.HostPID != 0 {
				var err error
				if host[i], err = CPUOf(r.o.HostPID); err != nil {
					return // the host is gone
				}
			}
		}
		r.turns = append(r.turns, Turn{Wrong: r.wrongTurn(begin), Length: at[1] - at[0], Answers: answers[1] - answers[0], Host: host[1] - host[0]})
	}
}

// inAll is how many answers there were, warm-up included.
func (r *recorder) inAll() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts.approved + r.counts.wrong + r.counts.refused
}
