package main

import (
	"fmt"

	"touchstone/journal"
)

// ofCanary tells whether a message is of the sample canary: one that names no registered terminal is known
// by the address it came from.
func ofCanary(x *journal.Exchange) bool {
	return x.Flags&journal.FlagCanary != 0 || x.Source == must(addressOf(canaryFrom)) || x.Terminal == sampleID(canaryUnregistered)
}

// canaryRound hands a round to the screen; one that comes while the last is not shown yet is left out.
func (s *stage) canaryRound(r *round) {
	select {
	case s.rounds <- r:
	default:
	}
}

// showRound prints a round in one line, in red when something was not judged as it must be.
func (s *stage) showRound(r *round) error {
	shown := r.shown()
	line := fmt.Sprintf(" %s  ── %s", r.at.In(s.show.zone).Format("15:04:05"), s.show.roundLine(&shown))
	if s.show.colour && shown.bad() > 0 {
		line = "\x1b[1;31m" + line + "\x1b[0m"
	}
	_, err := fmt.Fprintln(s.show.w, line)
	return err
}
