package incident

import (
	"time"

	"touchstone/fleet"
	"touchstone/pos"
)

// Unseen is how far back a device is taken for exposed of which nobody knows when it was last as it should be. A
// person who finds out more says so with touchstone incident scope.
const Unseen = 30 * 24 * time.Hour

// Since moves the begin of what an inspection's or a glance's finding exposes to when the device was last known good:
// whatever was attached may have been there since then. That is its last inspection that found nothing, else when it
// was put where it stands, else when it was first known.
func Since(s *fleet.State, d *Detection) {
	if d.Rule.Type != typeAct {
		return
	}
	for n := range d.Hits {
		h := &d.Hits[n]
		if h.Serial == "" && h.Terminal == "" {
			continue
		}
		h.First = lastGood(s, pos.Serial(h.Serial), h.At)
	}
}

func lastGood(s *fleet.State, serial pos.Serial, before pos.Instant) (at pos.Instant) {
	for _, i := range s.Inspections() {
		if i.Serial == serial && i.Passed && i.At < before && i.At > at {
			at = i.At
		}
	}
	// The finding itself may have ended the binding: the instant before it is asked for.
	if b := s.BindingAt(serial, before-1); at == 0 && b != nil && b.From < before {
		at = b.From
	}
	if l := s.Life(serial); at == 0 && l != nil && len(l.Steps) > 0 && l.Steps[0].At < before {
		at = l.Steps[0].At
	}
	if at == 0 {
		at = before.Add(-Unseen)
	}
	return at
}
