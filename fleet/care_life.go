package fleet

import (
	"errors"
	"fmt"
	"slices"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
)

// Who is who acts on a device: two people, and the proposal that the second agreed to.
type Who struct {
	Actors   []string
	Proposal string
}

// Announcement is what a maker says of a device that is under way.
type Announcement struct {
	Serial   pos.Serial `json:"serial"`
	Model    string     `json:"model"`
	Hardware string     `json:"hardware"`
	Maker    string     `json:"maker"`
	Seal     string     `json:"seal"`
	Source   string     `json:"source"`
	Shipment string     `json:"shipment"`
}

// MaxAnnounced is the most devices of one announcement: they are one entry.
const MaxAnnounced = 20

// ErrCarried is returned for an approved step that was carried out already: the program had died after it. What is
// left to do is its effect on the register.
var ErrCarried = errors.New("fleet: this proposal was carried out already")

// Announce is the decision to expect devices. One that is deployed, or whose life ended, is not announced again.
func Announce(s *State, list []Announcement, who Who, now pos.Instant) ([]journal.Draft, error) {
	const verb = "device_announced"
	if len(list) == 0 || len(list) > MaxAnnounced {
		return nil, who.refuse(verb, fmt.Sprintf("%d devices announced: want 1 to %d at once", len(list), MaxAnnounced))
	}
	var changes []journal.Change
	carried := 0
	for i := range list {
		a := &list[i]
		if why := a.check(); why != "" {
			return nil, who.refuse(verb, fmt.Sprintf("device %s: %s", a.Serial, why))
		}
		if slices.ContainsFunc(list[:i], func(b Announcement) bool { return b.Serial == a.Serial }) {
			return nil, who.refuse(verb, fmt.Sprintf("device %s is announced twice", a.Serial))
		}
		next := Life{Serial: a.Serial}
		if old := s.lives[a.Serial]; old != nil {
			if old.did(who) {
				carried++
				continue
			}
			// Only one that came before its announcement may still be announced.
			if old.State != Quarantined || old.ByMaker {
				return nil, who.refuse(verb, fmt.Sprintf("device %s is %s: it cannot be announced again", a.Serial, old.State))
			}
			next = old.copied()
		} else {
			next.State = Announced
		}
		next.Model, next.Hardware, next.Maker, next.Seal, next.Source, next.Shipment, next.ByMaker = a.Model, a.Hardware, a.Maker, a.Seal, a.Source, a.Shipment, true
		c, err := next.step(verb, who, now, a.Shipment)
		if err != nil {
			return nil, err
		}
		changes = append(changes, c)
	}
	if carried > 0 {
		return nil, ErrCarried
	}
	if size := sizeOf(changes); size > maxActBytes {
		return nil, who.refuse(verb, fmt.Sprintf("these announcements have %d bytes, one entry takes %d: announce fewer at once", size, maxActBytes))
	}
	return who.draft(verb, changes), nil
}

// maxActBytes is the most bytes of an act's records: an entry has 16 KiB in all.
const maxActBytes = 14 << 10

func sizeOf(changes []journal.Change) (n int) {
	for _, c := range changes {
		n += len(c.Record)
	}
	return n
}

func (a *Announcement) check() string {
	if _, err := pos.ParseSerial(a.Serial); err != nil {
		return "serial number: want 1 to 50 printable characters without a space"
	}
	for _, x := range []struct{ name, text string }{{"model", a.Model}, {"hardware version", a.Hardware}, {"maker", a.Maker}, {"seal number", a.Seal}, {"source", a.Source}, {"shipment", a.Shipment}} {
		if !careText(x.text) {
			return x.name + ": want 1 to 200 bytes of text"
		}
	}
	if len(a.Model) > registry.MaxModel || len(a.Hardware) > registry.MaxHardware {
		return fmt.Sprintf("model: the most is %d bytes, hardware version: %d", registry.MaxModel, registry.MaxHardware)
	}
	return ""
}

// Receipt is what two people found when a device came.
type Receipt struct {
	Serial   pos.Serial `json:"serial"` // on its label
	Seal     string     `json:"seal"`   // number of the seal that it bears
	Source   string     `json:"source"` // who sent it, by the delivery note
	SealGood bool       `json:"seal_good"`
}

// Receive is the decision on a device that came. What its maker did not announce, or what differs from what was
// announced, is received into quarantine: that is a result, not a refusal.
func Receive(s *State, r Receipt, who Who, now pos.Instant) ([]journal.Draft, error) {
	const verb = "device_received"
	if _, err := pos.ParseSerial(r.Serial); err != nil || !careText(r.Seal) || !careText(r.Source) {
		return nil, who.refuse(verb, "a receipt names the serial number, the seal's number and the source")
	}
	next := Life{Serial: r.Serial, State: Announced}
	if old := s.lives[r.Serial]; old != nil {
		if old.did(who) {
			return nil, ErrCarried
		}
		next = old.copied()
	}
	// One that came before its announcement is checked again once its maker has announced it; not one that was quarantined where it
	// worked, which another announcement does not clear.
	if next.State != Announced && !(next.State == Quarantined && next.Binding == "" && next.lastVerb() == "device_announced") {
		return nil, who.refuse(verb, fmt.Sprintf("device %s is %s: it cannot be received", r.Serial, next.State))
	}
	next.Why = ""
	switch {
	case !next.ByMaker:
		next.Why = "not announced by its maker"
	case !r.SealGood:
		next.Why = "seal broken"
	case next.Seal != r.Seal:
		next.Why = fmt.Sprintf("seal %.40s, announced was %.40s", r.Seal, next.Seal)
	case next.Source != r.Source:
		next.Why = fmt.Sprintf("came from %.60s, announced was %.60s", r.Source, next.Source)
	}
	if next.State = Received; next.Why != "" {
		next.State = Quarantined
	}
	c, err := next.step(verb, who, now, next.Why)
	if err != nil {
		return nil, err
	}
	return who.draft(verb, []journal.Change{c}), nil
}

// Deployment binds a device to a terminal.
type Deployment struct {
	Serial   pos.Serial
	Terminal pos.TerminalID
	Elements
	// Taken is the device that the register binds to that terminal now, "" for none; Elsewhere the terminal that
	// the register binds this device to, if it is another.
	Taken     pos.Serial
	Elsewhere pos.TerminalID
	Tampered  bool // by the register, and no new master key is loaded now
}

// Deploy is the decision to let a device work at a terminal: one serial number, one terminal, one merchant
// (一机一户).
func Deploy(s *State, d Deployment, who Who, now pos.Instant) ([]journal.Draft, error) {
	const verb = "device_deployed"
	no := func(format string, args ...any) error { return who.refuse(verb, fmt.Sprintf(format, args...)) }
	old := s.lives[d.Serial]
	switch {
	case old == nil:
		return nil, no("device %s was never announced and received", d.Serial)
	case old.did(who):
		return nil, ErrCarried
	case old.State == Deployed:
		return nil, no("device %s works at terminal %s already: one device, one terminal, one merchant", d.Serial, old.Terminal)
	case old.State != Received && old.State != Returned:
		return nil, no("device %s is %s: only one that was received, or came back, is deployed", d.Serial, old.State)
	case d.Tampered:
		return nil, no("device %s reported tampering: it is deployed with a new master key, a component from each of the two", d.Serial)
	case d.Terminal == pos.TerminalID{}:
		return nil, no("no terminal")
	case d.Elsewhere != pos.TerminalID{}:
		return nil, no("device %s is registered at terminal %s: one device, one terminal, one merchant", d.Serial, d.Elsewhere)
	}
	if why := d.Elements.check(); why != "" {
		return nil, no("%s", why)
	}
	if other := s.bound[d.Terminal]; other != nil && other.Serial != d.Serial {
		return nil, no("device %s works at terminal %s: return, retire or repair it first", other.Serial, d.Terminal)
	}
	if d.Taken != "" && d.Taken != d.Serial && s.lives[d.Taken] == nil {
		return nil, no("device %s is registered at terminal %s: retire it first", d.Taken, d.Terminal)
	}
	b := Binding{ID: s.nextCare("BND"), Serial: d.Serial, Terminal: d.Terminal, Elements: d.Elements, From: now, By: who.Actors}
	next := old.copied()
	next.State, next.Why, next.Terminal, next.Binding = Deployed, "", d.Terminal, b.ID
	return who.bind(verb, &next, now, d.Address, &b)
}

// Move is the decision to let a device work elsewhere: the same terminal and merchant, another address, place or
// network. What e leaves empty stays.
func Move(s *State, serial pos.Serial, e Elements, who Who, now pos.Instant) ([]journal.Draft, error) {
	const verb = "device_moved"
	old, was := s.lives[serial], s.lastBinding(serial)
	switch {
	case old == nil || was == nil:
		return nil, who.refuse(verb, fmt.Sprintf("device %s is not deployed", serial))
	case old.did(who):
		return nil, ErrCarried
	case old.State != Deployed || was.Until != 0:
		return nil, who.refuse(verb, fmt.Sprintf("device %s is %s: only a deployed one is moved", serial, old.State))
	}
	e = e.over(was.Elements)
	if e.Merchant != was.Merchant {
		return nil, who.refuse(verb, fmt.Sprintf("device %s belongs to merchant %s: return it and deploy it anew for another", serial, was.Merchant))
	}
	if why := e.check(); why != "" {
		return nil, who.refuse(verb, why)
	}
	ended, b := *was, Binding{ID: s.nextCare("BND"), Serial: serial, Terminal: was.Terminal, Elements: e, From: now, By: who.Actors}
	ended.Until = now
	next := old.copied()
	next.Binding = b.ID
	return who.bind(verb, &next, now, e.Address, &ended, &b)
}

// over takes from was what e does not say.
func (e Elements) over(was Elements) Elements {
	if e.Acquirer == "" {
		e.Acquirer = was.Acquirer
	}
	if e.Merchant == (pos.MerchantID{}) {
		e.Merchant = was.Merchant
	}
	if e.Credit == (Sealed{}) {
		e.Credit = was.Credit
	}
	if e.Settlement == (Sealed{}) {
		e.Settlement = was.Settlement
	}
	if e.Address == "" {
		e.Address = was.Address
	}
	if e.Site == "" {
		e.Site = was.Site
	}
	if e.Risk == "" {
		e.Risk = was.Risk
	}
	if e.Network == "" {
		e.Network = was.Network
	}
	return e
}

// Known gives the elements of a terminal's last binding for what e does not say, where that was for the same
// merchant: a device that comes in another's place is not asked everything again.
func (s *State) Known(id pos.TerminalID, e Elements) Elements {
	if was := s.latest[id]; was != nil && was.Merchant == e.Merchant {
		return e.over(was.Elements)
	}
	return e
}
