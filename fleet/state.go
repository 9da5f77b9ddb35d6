package fleet

import "touchstone/journal"

// State is the room as the journal's acts made it. It is not safe for use at the same time.
type State struct {
	permitState
	updateState
	careState
}

// NewState is the room before any act.
func NewState() *State { return &State{updateState: newUpdateState(), careState: newCareState()} }

// Fold takes one noun's newest record. Nouns of a later version are left alone. Folding the same record again
// changes nothing.
func (s *State) Fold(seq uint64, c journal.Change) error {
	switch c.Noun {
	case nounPolicy:
		return s.foldPolicy(seq, c)
	case NounDevice, NounBinding, NounInspection, NounGlance, NounHealth:
		return s.foldCare(seq, c)
	}
	if known, err := s.foldUpdate(seq, c); known {
		return err
	}
	return nil
}
