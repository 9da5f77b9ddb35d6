package main

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"touchstone/fleet"
	"touchstone/hsm/soft"
	"touchstone/keys"
	"touchstone/lab"
	"touchstone/ledger"
	"touchstone/paycrypto"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
	"touchstone/web/check"
)

// checkCodes is what the check page needs of the security module.
type checkCodes interface {
	ProveCheckCodes(serial pos.Serial, w keys.Wrapped, step uint64, codes ...paycrypto.CheckCode) (right bool, err error)
}

var (
	_ checkCodes    = (*soft.Module)(nil)
	_ check.Devices = (*publicDesk)(nil)
	_ check.Cases   = (*publicDesk)(nil)
)

// publicDesk is what the host tells strangers, and takes from them.
type publicDesk struct {
	*engine
	codes checkCodes
	decoy []byte // a certificate of no device, DER
}

// Prove implements check.Devices. A device that is unknown goes the way of one that is known, with a key of no device.
func (d *publicDesk) Prove(_ context.Context, serial pos.Serial, codes ...check.Code) (bool, error) {
	var key keys.Wrapped
	switch device, err := d.ledger.Device(serial); {
	case err == nil:
		key = device.Key
	case !errors.Is(err, ledger.ErrUnknown):
		return false, err
	}
	typed := make([]paycrypto.CheckCode, len(codes))
	for i := range codes {
		typed[i] = paycrypto.CheckCode(codes[i])
	}
	return d.codes.ProveCheckCodes(serial, key, paycrypto.CheckStep(d.clock().Time().Unix()), typed...)
}

// Place implements check.Devices.
func (d *publicDesk) Place(_ context.Context, serial pos.Serial) (check.Place, error) {
	now := d.clock()
	var life *fleet.Life
	var binding *fleet.Binding
	var last *fleet.Inspection
	d.office.view(func(r *rooms) {
		life, binding, last = r.fleet.Life(serial), r.fleet.BindingAt(serial, now), r.fleet.LastInspection(serial)
	})
	id, known := d.worksAt(serial, life)
	if !known {
		return check.Place{}, nil
	}
	p, ok := d.ledger.Permitted(id)
	if !ok || p.Terminal.Serial != serial || p.Terminal.Canary || p.Device == nil {
		return check.Place{}, nil
	}
	m, err := d.ledger.Merchant(p.Terminal.Merchant)
	if err != nil {
		return check.Place{}, err
	}
	place := check.Place{Registered: true, Shop: m.Name, Model: p.Device.Model, Standing: d.standing(&p, m, life)}
	if binding != nil && binding.Terminal == id {
		place.Address = binding.Address
	}
	d.office.view(func(r *rooms) { place.Looks = pictureOf(r.fleet, place.Model) })
	if last != nil {
		place.Inspected = last.At.Time()
	}
	return place, nil
}

// worksAt is the terminal that a device is. Of one without a life record the register is searched: that is asked only
// when a code of its own key was right.
func (d *publicDesk) worksAt(serial pos.Serial, life *fleet.Life) (pos.TerminalID, bool) {
	if life != nil && life.Terminal != (pos.TerminalID{}) {
		return life.Terminal, true
	}
	if t := d.terminalOf(serial); t != nil {
		return t.ID, true
	}
	return pos.TerminalID{}, false
}

// standing is what a terminal may do, as far as a stranger is told.
func (d *publicDesk) standing(p *ledger.Permitted, m *registry.Merchant, life *fleet.Life) check.Standing {
	switch {
	case p.Device.State != registry.Active, p.Device.CertificateVoid, p.Terminal.Suspended, m.Suspended, life != nil && life.State != fleet.Deployed:
		return check.Blocked
	case p.Unjudged, d.ledger.Suspected(p.Terminal.ID) == proof.SaidWithKeys:
		return check.Unsure
	case !p.May().Sell:
		return check.Blocked
	}
	return check.Working
}

// Record implements check.Devices.
func (d *publicDesk) Record(_ context.Context, serial pos.Serial) (a check.Record, err error) {
	device, err := d.ledger.Device(serial)
	if err != nil && !errors.Is(err, ledger.ErrUnknown) {
		return check.Record{}, err
	}
	now := d.clock()
	d.office.view(func(r *rooms) {
		life := r.fleet.Life(serial)
		if life == nil && device == nil {
			return
		}
		a.Known = true
		looked := registry.Device{Serial: serial}
		if device != nil {
			looked = *device
		}
		if life != nil {
			a.Announced, a.Maker, a.Retired = life.ByMaker, life.Maker, life.Final()
			looked.Model, looked.Hardware = cmp.Or(looked.Model, life.Model), cmp.Or(looked.Hardware, life.Hardware)
		}
		a.Model, a.Looks = looked.Model, pictureOf(r.fleet, looked.Model)
		a.Lost = life != nil && life.Lost
		a.Stopped = looked.State == registry.TamperedBy || life != nil && life.State == fleet.Quarantined || looked.CertificateVoid && !a.Retired ||
			looked.State == registry.Suspended && (life == nil || life.State == fleet.Deployed) // before and after its work in a shop every device is suspended
		version := r.fleet.VersionOf(&looked)
		a.Unversioned = version == ""
		certifiedUntil(&a, r.lab, &looked, version, now)
		advised(&a, r.fleet, &looked, version, now)
	})
	return a, nil
}

// certifiedUntil says what security certificates are worth for a device. The detail of the fact names the certificate first.
func certifiedUntil(a *check.Record, s *lab.State, device *registry.Device, version string, now pos.Instant) {
	f := s.CertificateFact(device.Model, device.Hardware, version, now)
	a.CertifiedBy, _, a.SelfDeclared = strings.Cut(f.Detail, ", ")
	switch f.State {
	case "":
		a.CertifiedBy, a.SelfDeclared = "", false
	case registry.Good:
		a.Certificate, a.Until = check.Certified, f.Until.Time()
	case lab.FactNotCovered:
		a.Certificate = check.Uncertain
		if version == "" {
			a.Certificate, a.CertifiedBy = check.Unversioned, ""
		}
	case lab.FactWithdrawn, lab.FactExpired:
		a.Certificate = check.Ended
	default:
		a.Certificate = check.Uncertain
	}
}

// advised lists the open advisories that touch a device.
func advised(a *check.Record, s *fleet.State, device *registry.Device, version string, now pos.Instant) {
	for _, f := range s.AdvisoryFacts(nil, device, version, now) {
		if f.State == registry.Good || f.State == "" {
			continue
		}
		id, _, _ := strings.Cut(f.Detail, " ")
		if known := s.Advisory(id); known != nil {
			a.Advisories = append(a.Advisories, publicAdvisory(known))
		}
		if f.Restore != fleet.RestoreInspect {
			a.Fixed = f.Restore
		}
	}
}

func publicAdvisory(x *fleet.Advisory) check.Advisory {
	return check.Advisory{ID: x.ID, Title: x.Title, EN: x.Text, ZH: x.TextZH, Severity: string(x.Severity)}
}

// Advisories implements check.Devices.
func (d *publicDesk) Advisories(_ context.Context, model string) (list []check.Advisory, err error) {
	d.office.view(func(r *rooms) {
		for _, x := range r.fleet.Advisories() {
			if x.State != fleet.AdvisoryOpen {
				continue
			}
			for i := range x.Affected {
				if strings.EqualFold(x.Affected[i].Model, model) {
					list = append(list, publicAdvisory(x))
					break
				}
			}
		}
	})
	return list, nil
}

// dayOf is the date of a receipt as a day.
func dayOf(d pos.Date, zone *time.Location) time.Time {
	return time.Date(int(d)/10000, time.Month(int(d)/100%100), int(d)%100, 0, 0, 0, 0, zone)
}
