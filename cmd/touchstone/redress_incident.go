package main

import (
	"slices"

	"touchstone/incident"
	"touchstone/redress"
)

// incidentScope is which terminals an incident touches, and when; known is false where there is no such incident, or it names
// none. A terminal is in it that it names, or whose device or shop it names, or, where every terminal of a model and
// version is touched, each of those.
func (e *engine) incidentScope(id string) (s redress.Scope, known bool) {
	var of incident.Scope
	e.office.view(func(r *rooms) {
		if i := r.incident.Incident(id); i != nil {
			of, known = i.Scope, true
		}
	})
	if !known {
		return redress.Scope{}, false
	}
	named := slices.Clone(of.Terminals)
	if len(of.Devices)+len(of.Shops) > 0 {
		for _, t := range e.ledger.Terminals() {
			name := t.ID.String()
			if !slices.Contains(named, name) && (slices.Contains(of.Devices, string(t.Serial)) || slices.Contains(of.Shops, t.Merchant.String()) && len(of.Terminals) == 0) {
				named = append(named, name)
			}
		}
	}
	s = redress.Scope{Terminals: named, From: of.From, To: of.To}
	if of.Whole && len(of.Models) > 0 {
		s = redress.Scope{Models: of.Models, Versions: of.Versions, Also: named, From: of.From, To: of.To}
	}
	return s, s.Narrowed()
}

// incidentKnown tells whether there is such an incident.
func (e *engine) incidentKnown(id string) (known bool) {
	e.office.view(func(r *rooms) { known = r.incident.Incident(id) != nil })
	return known
}
