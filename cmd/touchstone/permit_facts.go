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
	serial, id := p.Terminal.Serial, p.Terminal.ID
	facts = append(facts,
		fleet.RegistrationFact(p.Terminal),
		deviceFact(r, p, now),
		certificateFact(r, p.Device, version, now),
		r.fleet.ApplicationFact(p.Device, version, now))
	facts = r.fleet.AdvisoryFacts(facts, p.Device, version, now)
	return append(facts,
		r.fleet.InspectionFact(serial, now),
		r.fleet.HealthFact(serial, now),
		r.fleet.NetworkFact(id, now),
		r.fleet.SiteFact(id, now))
}

// deviceFact is where the device is in its life; what the register says where that is worse, or where it has no life
// record.
func deviceFact(r *rooms, p *ledger.Permitted, now pos.Instant) registry.Fact {
	life, register := r.fleet.DeviceFact(p.Terminal.Serial, now), fleet.RegisteredDeviceFact(p.Device)
	if life.State == "" || life.State == registry.Good && register.State != registry.Good {
		return register
	}
	return life
}

// certificateFact is what the laboratory's certificates say of a device: its model, its hardware number as it is
// registered or as its maker announced it, and the version that runs on it.
func certificateFact(r *rooms, d *registry.Device, version string, now pos.Instant) registry.Fact {
	if d == nil {
		return registry.Fact{Name: registry.FactCertificate}
	}
	hardware := d.Hardware
	if life := r.fleet.Life(d.Serial); life != nil && hardware == "" {
		hardware = life.Hardware
	}
	return r.lab.CertificateFact(d.Model, hardware, version, now)
}
