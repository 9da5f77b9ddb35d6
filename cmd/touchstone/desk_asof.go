package main

import (
	"context"
	"net/http"
	"time"

	"touchstone/web/api"
)

// roomsAt lends the rooms as they were at a moment, the zero moment being now.
func (d *desk) roomsAt(_ context.Context, at time.Time, f func(*rooms)) error {
	if !at.IsZero() {
		return api.Refuse(http.StatusNotImplemented, "as_of_unknown", "the state of a past moment is not told here yet")
	}
	d.office.view(f)
	return nil
}

// fleetBooks are the ports of the estate's care.
func fleetBooks(d *desk) api.FleetBooks {
	return api.FleetBooks{Grades: d, Permits: d, Care: d, Training: d, Updates: d, Keys: d, Map: d}
}
