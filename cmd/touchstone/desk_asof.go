package main

import (
	"context"

	"touchstone/pos"
	"touchstone/web/api"
)

// roomsAsOf lends the rooms as they were at the moment that a caller asks for; without one, as they are.
func (d *desk) roomsAsOf(ctx context.Context, q *api.AsOf, f func(*rooms)) error {
	at, err := q.Instant(d.line.Zone, d.clock())
	if err != nil {
		return err
	}
	return d.engine.viewAt(ctx, at, f)
}

// viewAt lends the rooms as they were at an instant, 0 being now.
func (e *engine) viewAt(ctx context.Context, at pos.Instant, f func(*rooms)) error {
	if at == 0 {
		e.office.view(f)
		return nil
	}
	r, err := e.roomsSoon(ctx, at)
	if err == nil {
		f(r)
	}
	return err
}

// moment is when figures are asked for: then, or now.
func (d *desk) moment(q *api.AsOf) (at pos.Instant, past bool, err error) {
	at, err = q.Instant(d.line.Zone, d.clock())
	if err != nil || at != 0 {
		return at, true, err
	}
	return d.clock(), false, nil
}

// fleetBooks are the ports of the estate's care.
func fleetBooks(d *desk) api.FleetBooks {
	return api.FleetBooks{Grades: d, Permits: d, Care: d, Training: d, Updates: d, Keys: d, Map: d}
}
