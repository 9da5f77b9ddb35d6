package fleet

import (
	"fmt"

	"touchstone/pos"
)

// DueOf is when the device of a terminal is to be inspected; false where none is deployed there.
func (s *State) DueOf(id pos.TerminalID, now pos.Instant) (Due, bool) {
	b := s.bound[id]
	if b == nil {
		return Due{}, false
	}
	at, last := s.due(b)
	d := Due{Serial: b.Serial, Terminal: b.Terminal, Address: b.Address, Site: b.Site, Risk: b.Risk, Due: at, Overdue: at <= now}
	if last != nil {
		d.Last, d.Failed = last.ID, !last.Passed
	}
	return d, true
}

// NewestInspections calls f with inspections, the newest first, until it returns false or most were looked at.
func (s *State) NewestInspections(most int, f func(*Inspection) bool) {
	for n := s.counts["INS"]; n > 0 && most > 0; n, most = n-1, most-1 {
		if i := s.inspections[fmt.Sprintf("INS-%d", n)]; i != nil && !f(i) {
			return
		}
	}
}
