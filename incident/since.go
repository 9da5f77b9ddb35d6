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
// was put where it stands, else when it was first known. Which of these it is is told with the incident. Where the finding put the device in
// quarantine the exposure ends with it: nothing passes there from then on, and what stands there later is not this.
func Since(s *fleet.State, d *Detection) {
	if d.Rule.Type != typeAct {
		return
	}
	ended := true
	for n := range d.Hits {
		h := &d.Hits[n]
		if h.Serial == "" && h.Terminal == "" {
			ended = false
			continue
		}
		h.First, d.From = lastGood(s, pos.Serial(h.Serial), h.At)
		l := s.Life(pos.Serial(h.Serial))
		if ended = ended && l != nil && l.State == fleet.Quarantined; ended {
			d.Until = max(d.Until, h.At+1)
		}
	}
	if !ended {
		d.Until = 0
	}
}

func lastGood(s *fleet.State, serial pos.Serial, before pos.Instant) (at pos.Instant, why Text) {
	for _, i := range s.Inspections() {
		if i.Serial == serial && i.Passed && i.At < before && i.At > at {
			at, why = i.At, Text{EN: "exposed since it passed inspection " + i.ID, ZH: "暴露窗口自巡检 " + i.ID + " 通过时起"}
		}
	}
	// The finding itself may have ended the binding: the instant before it is asked for.
	if b := s.BindingAt(serial, before-1); at == 0 && b != nil && b.From < before {
		at, why = b.From, Text{EN: "exposed since it was put in place: no inspection of it passed", ZH: "暴露窗口自投入使用时起: 此前没有通过的巡检"}
	}
	if l := s.Life(serial); at == 0 && l != nil && len(l.Steps) > 0 && l.Steps[0].At < before {
		at, why = l.Steps[0].At, Text{EN: "exposed since it was first known: no inspection of it passed", ZH: "暴露窗口自首次登记时起: 此前没有通过的巡检"}
	}
	if at == 0 {
		at = before.Add(-Unseen)
		why = Text{EN: "nothing says when it was last good: 30 days are assumed, touchstone incident scope sets it", ZH: "没有最后正常时间的记录: 按 30 天估计, 用 touchstone incident scope 修正"}
	}
	return at, why
}
