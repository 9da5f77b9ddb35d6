package effectiveness

import (
	"touchstone/journal"
	"touchstone/pos"
)

// Trait is one way in which a terminal proves itself, as its own history has it.
type Trait uint8

// The traits.
const (
	TraitMAC       Trait = iota // the algorithm of its MAC
	TraitSerial                 // the serial number: proven, stated, or not sent
	TraitTransport              // a device certificate, TLS without one, or plain TCP
	TraitTrack                  // track 2 sealed or clear
	TraitPIN                    // sales with a PIN or without
	Traits
)

var traitNames = [Traits]string{"MAC algorithm", "serial proof", "transport", "track", "PIN"}

// String is the trait's stable name.
func (t Trait) String() string {
	if t < Traits {
		return traitNames[t]
	}
	return "unknown"
}

// What it takes to have a habit and to break it, in approvals that show the trait.
const (
	settled = 8   // so many in a row are a habit
	adopted = 200 // so many in a row of another are the new habit
	pinRun  = 40  // a PIN depends on the customer: only so many in a row without one are a change
)

// habit is one trait: what is usual, and what came instead. 12 bytes.
type habit struct {
	usual, told, away uint16 // values; 0 is none
	run, awayRun      uint16 // in a row
}

// needed is how many deviations in a row are a change.
func (t Trait) needed() uint16 {
	if t == TraitPIN {
		return pinRun
	}
	return 1
}

// see takes the value of one approval and tells whether it is a change to be told: once, until what was
// usual returns or another value comes.
func (h *habit) see(t Trait, value uint16) (was uint16, changed bool) {
	switch {
	case h.usual == 0 || (h.usual != value && h.run < settled): // nothing is usual yet
		*h = habit{usual: value, run: 1}
		return 0, false
	case h.usual == value:
		h.run = min(h.run+1, settled)
		h.told, h.away, h.awayRun = 0, 0, 0
		return 0, false
	}
	if h.away != value {
		h.away, h.awayRun = value, 0
	}
	h.awayRun++
	was = h.usual
	changed = h.told != value && h.awayRun >= t.needed()
	if changed {
		h.told = value
	}
	if h.awayRun >= adopted {
		*h = habit{usual: value, run: settled}
	}
	return was, changed
}

// Change is one trait of one terminal that is no longer as it was.
type Change struct {
	Seq      uint64 // the entry that showed it
	At       pos.Instant
	Terminal pos.TerminalID
	Merchant pos.MerchantID
	Model    string
	Trait    Trait
	Was, Is  string
	Weaker   bool
}

// EventChanged is the name of the event that tells of a Change.
const EventChanged = "terminal_changed"

// Event is the change for the journal.
func (c *Change) Event() *journal.Event {
	severity := journal.Info
	if c.Weaker {
		severity = journal.Warning
	}
	return &journal.Event{Name: EventChanged, Severity: severity, Terminal: c.Terminal.String(), Merchant: c.Merchant.String(), Model: c.Model,
		Parameters: map[string]string{"trait": c.Trait.String(), "was": c.Was, "is": c.Is}, Cause: c.Seq}
}

// The values of the traits but the MAC's, whose are one above the algorithm's number.
const (
	shown    uint16 = 1 // the strongest
	stated   uint16 = 2 // a serial number without proof, TLS without a certificate
	withheld uint16 = 3
)

var valueNames = [Traits][4]string{
	TraitSerial: {"", "proven", "stated only", "not sent"}, TraitTransport: {"", "device certificate", "TLS", "plain TCP"},
	TraitTrack: {"", "sealed", "", "clear"}, TraitPIN: {"", "with a PIN", "", "without a PIN"},
}

// traits reads what one approval shows; 0 where it shows nothing of a trait.
func traits(f *facts, p Pattern, x *journal.Exchange) (v [Traits]uint16) {
	v[TraitMAC] = uint16(p.Algorithm()) + 1
	switch {
	case p.Of(Transport) == Proven:
		v[TraitTransport] = shown
	case x.Flags&journal.FlagTLS != 0:
		v[TraitTransport] = stated
	default:
		v[TraitTransport] = withheld
	}
	if x.Flags&journal.FlagTrack2 != 0 {
		v[TraitTrack] = choose(x.Flags&journal.FlagTrackSealed != 0)
	}
	if x.MTI != 0x0200 || x.Type != pos.Sale {
		return v
	}
	v[TraitPIN] = choose(x.Flags&journal.FlagPIN != 0)
	switch {
	case p.Of(Serial) == Proven:
		v[TraitSerial] = shown
	case serialSent(x):
		v[TraitSerial] = stated
	default:
		v[TraitSerial] = withheld
	}
	return v
}

func choose(strong bool) uint16 {
	if strong {
		return shown
	}
	return withheld
}
