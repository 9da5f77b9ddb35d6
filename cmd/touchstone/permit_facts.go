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
		certificateFact(r, p.Device, version, now),
		r.fleet.ApplicationFact(p.Device, version, now),
		r.fleet.AdvisoryFact(p.Device, version, now),
		registry.Fact{Name: registry.FactInspection},
		registry.Fact{Name: registry.FactHealth},
		registry.Fact{Name: registry.FactNetwork},
		registry.Fact{Name: registry.FactSite},
	)
}

// certificateFact is what the laboratory's certificates say of a device: its model, its hardware number as its maker
// announced it, and the version that runs on it.
func certificateFact(r *rooms, d *registry.Device, version string, now pos.Instant) registry.Fact {
	if d == nil {
		return registry.Fact{Name: registry.FactCertificate}
	}
	hardware := ""
	if life := r.fleet.Life(d.Serial); life != nil {
		hardware = life.Hardware
	}
	return r.lab.CertificateFact(d.Model, hardware, version, now)
}
