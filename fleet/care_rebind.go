package fleet

import (
	"fmt"

	"touchstone/journal"
	"touchstone/pos"
)

// Rebinding puts one device in another's place at a terminal whose messages already come from it.
type Rebinding struct {
	Serial   pos.Serial // the device that works there
	Terminal pos.TerminalID
	Merchant pos.MerchantID // of the terminal
	Taken    pos.Serial     // that the register binds to the terminal now
	// Elsewhere is another terminal that the register binds the device to, or zero.
	Elsewhere pos.TerminalID
	Note      string
}

// Rebind is the decision to bind a device that already works at a terminal in place of the one that the register names:
// the five elements stay but for the serial number, and the device that left goes to stock. The device must have been
// received, or both be without a life record. The master key stays: whoever agrees knows that the device that left has
// had it.
func Rebind(s *State, r Rebinding, who Who, now pos.Instant) ([]journal.Draft, error) {
	const verb = "device_rebound"
	no := func(format string, args ...any) error { return who.refuse(verb, fmt.Sprintf(format, args...)) }
	old, gone := s.lives[r.Serial], s.lives[r.Taken]
	switch {
	case old.carried(who):
		return nil, ErrCarried
	case !careText(r.Note):
		return nil, no("say why, in 1 to 200 bytes of text")
	case r.Serial == r.Taken:
		return nil, no("device %s is bound to terminal %s already", r.Serial, r.Terminal)
	case r.Elsewhere != pos.TerminalID{}:
		return nil, no("device %s is registered at terminal %s: bring each device back to its place; one device, one terminal, one merchant", r.Serial, r.Elsewhere)
	case old == nil && gone != nil:
		return nil, no("device %s was never announced and received", r.Serial)
	case old != nil && old.State != Received && old.State != Returned:
		return nil, no("device %s is %s: only one that was received, or came back, is bound", r.Serial, old.State)
	}
	var changes []journal.Change
	add := func(c journal.Change, err error) {
		if err == nil {
			changes = append(changes, c)
		}
	}
	if gone != nil && gone.State == Deployed {
		next := gone.copied()
		next.State, next.Why, next.Binding = Returned, r.Note, ""
		add(next.step("device_returned", who, now, r.Note))
	}
	if was := s.bound[r.Terminal]; was != nil {
		ended := *was
		ended.Until = now
		add(journal.NewChange(NounBinding, ended.ID, &ended))
	}
	if old == nil {
		if len(changes) > 0 {
			return nil, no("device %s was never announced and received", r.Serial)
		}
		return nil, nil // neither has a life record: the register alone changes
	}
	e := s.Known(r.Terminal, Elements{Merchant: r.Merchant})
	if why := e.check(); why != "" {
		return nil, no("the five elements of terminal %s are not known (%s): deploy the device with all of them", r.Terminal, why)
	}
	b := &Binding{ID: s.nextCare("BND"), Serial: r.Serial, Terminal: r.Terminal, Elements: e, From: now, By: who.Actors}
	next := old.copied()
	next.State, next.Why, next.Terminal, next.Binding = Deployed, "", r.Terminal, b.ID
	add(next.step(verb, who, now, r.Note))
	add(journal.NewChange(NounBinding, b.ID, b))
	return who.draft(verb, changes), nil
}

// carried is did of a life that may not be there.
func (l *Life) carried(who Who) bool { return l != nil && l.did(who) }
