package main

import (
	"context"
	"fmt"

	"touchstone/notify"
)

// noticeFacts gathers what the rooms know of an incident.
func (e *engine) noticeFacts(_ context.Context, d *noticeDraftChange) (*notify.Facts, error) {
	return nil, fmt.Errorf("there is no incident %.40q", d.Incident)
}
