package main

import "touchstone/pos"

// incidentTerminals is which terminals an incident touches, and when.
type incidentTerminals struct {
	covers   func(terminal, model string, versions []string) bool
	from, to pos.Instant // 0: open
}

// incidentScope is the scope of an incident; known is false where there is no such incident.
func (e *engine) incidentScope(id string) (of incidentTerminals, known bool) {
	return incidentTerminals{}, false
}
