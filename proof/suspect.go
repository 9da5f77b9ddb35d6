package proof

import (
	"touchstone/journal"
	"touchstone/pos"
)

// The events that say that two devices bear one terminal's identity, and that a person looked and it is over.
const (
	EventCloneSuspected = "clone_suspected"
	EventCloneCleared   = "clone_cleared"

	// SuspectKeys is a parameter of the first: "yes" where messages under the terminal's own keys say so. What strangers
	// without keys send never blocks a terminal.
	SuspectKeys = "keys"
)

// Suspects are the terminals of which two devices are suspected and that no person has cleared since. It is a fold of the journal's events; nil is none.
type Suspects map[pos.TerminalID]Suspect

// Suspect is how well a suspicion is founded.
type Suspect uint8

// The grades.
const (
	Unsuspected  Suspect = iota
	SaidWithout          // messages say so that no key of the terminal stands behind
	SaidWithKeys         // messages under the terminal's own keys say so
)

// Fold applies one event of the journal; others than the two above change nothing.
func (s *Suspects) Fold(e *journal.Event) {
	if e.Name != EventCloneSuspected && e.Name != EventCloneCleared {
		return
	}
	id, err := pos.ParseTerminalID(e.Terminal)
	switch {
	case err != nil:
	case e.Name == EventCloneCleared:
		delete(*s, id)
	default:
		if *s == nil {
			*s = Suspects{}
		}
		grade := SaidWithout
		if e.Parameters[SuspectKeys] == "yes" {
			grade = SaidWithKeys
		}
		(*s)[id] = max((*s)[id], grade)
	}
}

// Has tells whether a terminal is suspected by what came under its own keys: only that may block it.
func (s Suspects) Has(id pos.TerminalID) bool { return s[id] == SaidWithKeys }
