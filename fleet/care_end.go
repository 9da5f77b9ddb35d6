package fleet

import (
	"fmt"
	"slices"

	"touchstone/journal"
	"touchstone/pos"
)

// Leave is a step by which a device leaves its place, or its life.
type Leave struct {
	Serial   pos.Serial     `json:"serial"`
	Note     string         `json:"note"`              // why, who takes it, how it was destroyed
	Seal     string         `json:"seal,omitempty"`    // of a return: the number of the seal that was put on
	Terminal pos.TerminalID `json:"terminal,omitzero"` // where the register has it, for a device without a life record
	Known    bool           `json:"registered"`        // the register has it
}

// Repair is the decision to send a device to repair.
func Repair(s *State, l Leave, who Who, now pos.Instant) ([]journal.Draft, error) {
	return s.leave("device_repaired", InRepair, []LifeState{Deployed, Received, Returned, Quarantined}, l, who, now)
}

// Lose is one person's word that a device was lost or stolen. It is quarantined at once, wherever it was, and whoever is
// offered it can read so; found again, it goes to repair before anything else.
func Lose(s *State, l Leave, who Who, now pos.Instant) ([]journal.Draft, error) {
	return s.leave("device_lost", Quarantined, []LifeState{Announced, Quarantined, Received, Deployed, InRepair, Returned}, l, who, now)
}

// Return is the decision to take a device back into stock, from a shop or from repair, under a new seal. One in
// quarantine goes to repair first: somebody has to look into it.
func Return(s *State, l Leave, who Who, now pos.Instant) ([]journal.Draft, error) {
	if !careText(l.Seal) {
		return nil, who.refuse("device_returned", "a device comes back under a new seal: its number is missing")
	}
	return s.leave("device_returned", Returned, []LifeState{Deployed, InRepair}, l, who, now)
}

// Retire is the decision that a device never works again. Its keys and certificates go with it.
func Retire(s *State, l Leave, who Who, now pos.Instant) ([]journal.Draft, error) {
	return s.leave("device_retired", Retired, []LifeState{Announced, Quarantined, Received, Deployed, InRepair, Returned}, l, who, now)
}

// Destroy is the decision to record that two people saw a device destroyed.
func Destroy(s *State, l Leave, who Who, now pos.Instant) ([]journal.Draft, error) {
	return s.leave("device_destroyed", Destroyed, []LifeState{Quarantined, Received, InRepair, Returned, Retired}, l, who, now)
}

// leave takes a device to a state and ends its binding. A device that was registered before its life was kept may be
// sent to repair, returned or retired: its life begins there.
func (s *State) leave(verb string, to LifeState, from []LifeState, l Leave, who Who, now pos.Instant) ([]journal.Draft, error) {
	if !careText(l.Note) {
		return nil, who.refuse(verb, "say why, in 1 to 200 bytes of text")
	}
	next := Life{Serial: l.Serial, State: Deployed, Terminal: l.Terminal}
	if old := s.lives[l.Serial]; old != nil {
		if old.did(who) {
			return nil, ErrCarried
		}
		next = old.copied()
	} else if !l.Known {
		return nil, who.refuse(verb, fmt.Sprintf("device %s is not known", l.Serial))
	}
	if !slices.Contains(from, next.State) {
		return nil, who.refuse(verb, fmt.Sprintf("device %s is %s: %s", l.Serial, next.State, next.after()))
	}
	next.State, next.Why, next.Lost = to, l.Note, verb == "device_lost" || next.Lost && to == Retired // a lost one that is written off was not found
	if l.Seal != "" {
		next.Seal = l.Seal
	}
	var ended []*Binding
	if was := s.lastBinding(l.Serial); was != nil && was.Until == 0 {
		b := *was
		b.Until = now
		ended = append(ended, &b)
		next.Binding = ""
	}
	return who.bind(verb, &next, now, l.Note, ended...)
}

// after says what may become of a device in its state.
func (l *Life) after() string {
	switch l.State {
	case Announced:
		return "it is received, or retired"
	case Quarantined:
		return "it goes to repair, or is retired or destroyed"
	case Received, Returned:
		return "it is deployed, repaired, retired or destroyed"
	case Deployed:
		return "it is moved, repaired, returned or retired"
	case InRepair:
		return "it is returned, retired or destroyed"
	case Retired:
		return "it never works again, and may be destroyed"
	}
	return "it never comes back"
}

// Quarantine is the change by which a device may no longer sell, from an inspection or a report. One without a
// life record begins one. Nothing changes where it could not sell anyhow.
func (s *State) quarantine(serial pos.Serial, id pos.TerminalID, why string, who Who, now pos.Instant) ([]journal.Change, error) {
	next := Life{Serial: serial, State: Deployed, Terminal: id}
	if old := s.lives[serial]; old != nil {
		next = old.copied()
	}
	if next.State == Quarantined || next.Final() {
		return nil, nil
	}
	next.State, next.Why = Quarantined, why
	c, err := next.step("device_quarantined", who, now, why)
	return []journal.Change{c}, err
}

// MaySell refuses to let a device sell that its life does not let: for whoever changes the register by another
// way. A device without a life record is let through.
func MaySell(s *State, serial pos.Serial, who Who) error {
	if l := s.lives[serial]; l != nil && l.State != Deployed {
		return who.refuse("device_return", fmt.Sprintf("device %s is %s since %s (%s): %s", serial, l.State, l.Since.Time().Format("2006-01-02"), l.Why, l.after()))
	}
	return nil
}

// MayBind refuses to bind a device to a terminal that the register, its life, or the five elements bind elsewhere.
// elsewhere is another terminal that the register binds it to, or zero.
func MayBind(s *State, serial pos.Serial, id, elsewhere pos.TerminalID, merchant pos.MerchantID, who Who) error {
	l := s.lives[serial]
	switch {
	case elsewhere != pos.TerminalID{}:
		return who.refuse("device_bound_twice", fmt.Sprintf("device %s is registered at terminal %s: one device, one terminal, one merchant", serial, elsewhere))
	case l == nil:
		return nil
	case l.Final():
		return who.refuse("device_return", fmt.Sprintf("device %s is %s: it never comes back", serial, l.State))
	case l.State != Deployed:
		return nil
	case l.Terminal != id:
		return who.refuse("device_bound_twice", fmt.Sprintf("device %s works at terminal %s: one device, one terminal, one merchant", serial, l.Terminal))
	}
	if b := s.bound[id]; b != nil && b.Merchant != merchant {
		return who.refuse("device_bound_twice", fmt.Sprintf("terminal %s is bound to merchant %s by its five elements", id, b.Merchant))
	}
	return nil
}

// did tells whether a record is the one that this very proposal made.
func (l *Life) did(who Who) bool { return who.Proposal != "" && l.Proposal == who.Proposal }

func (l *Life) copied() Life {
	c := *l
	c.Steps = slices.Clone(l.Steps)
	return c
}

func (l *Life) lastVerb() string {
	if len(l.Steps) == 0 {
		return ""
	}
	return l.Steps[len(l.Steps)-1].Verb
}

// step notes what was done and makes the record's change.
func (l *Life) step(verb string, who Who, now pos.Instant, note string) (journal.Change, error) {
	l.Since, l.Proposal = now, who.Proposal
	l.Steps = append(l.Steps, Step{verb, now, who.Actors, cut(note, maxStep)})
	if n := len(l.Steps) - MaxSteps; n > 0 {
		l.Steps = l.Steps[n:]
	}
	return journal.NewChange(NounDevice, string(l.Serial), l)
}

// bind makes the draft of a step that begins or ends bindings.
func (w Who) bind(verb string, l *Life, now pos.Instant, note string, bindings ...*Binding) ([]journal.Draft, error) {
	c, err := l.step(verb, w, now, note)
	if err != nil {
		return nil, err
	}
	changes := []journal.Change{c}
	for _, b := range bindings {
		if c, err = journal.NewChange(NounBinding, b.ID, b); err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	return w.draft(verb, changes), nil
}

func (w Who) draft(verb string, changes []journal.Change) []journal.Draft {
	return []journal.Draft{{Kind: journal.KindFleet, Act: journal.Act{Verb: verb, Actors: w.Actors, Proposal: w.Proposal, Changes: changes}}}
}

func (w Who) refuse(verb, why string) error {
	return &journal.Refusal{Kind: journal.KindFleet, Verb: verb, Actors: w.Actors, Why: why}
}
