package main

import (
	"touchstone/fleet"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
)

// terminalFacts appends every fact of a terminal, as the rooms that know it tell it, in the order of fleet.Facts but
// for the cashier's. A room that does not know leaves the fact unknown.
func terminalFacts(r *rooms, p *ledger.Permitted, now pos.Instant, facts []registry.Fact) []registry.Fact {
	version := r.fleet.VersionOf(p.Device)
	return append(facts,
		fleet.RegistrationFact(p.Terminal),
		fleet.RegisteredDeviceFact(p.Device),
		registry.Fact{Name: registry.FactCertificate},
		r.fleet.ApplicationFact(p.Device, version, now),
		r.fleet.AdvisoryFact(p.Device, version, now),
		registry.Fact{Name: registry.FactInspection},
		registry.Fact{Name: registry.FactHealth},
		registry.Fact{Name: registry.FactNetwork},
		registry.Fact{Name: registry.FactSite},
	)
}
