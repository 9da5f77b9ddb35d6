package redress

import "touchstone/journal"

// State is the room as the journal's acts made it. It is not safe for use at the same time.
type State struct {
	noticeState
}

// NewState is the room before any act.
func NewState() *State { return &State{noticeState: newNoticeState()} }

// Fold takes one noun's newest record. Nouns of a later version are left alone. Folding the same record again
// changes nothing.
func (s *State) Fold(seq uint64, c journal.Change) error {
	switch c.Noun {
	case NounNotice:
		return s.foldNotice(c)
	}
	return nil
}
