package main

import (
	"fmt"
	"time"

	"touchstone/fleet"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
)

// careQuery asks about devices. What is not asked for is not answered.
type careQuery struct {
	Serial     string      `json:"serial,omitempty"` // one device, by serial number or terminal
	AsOf       pos.Instant `json:"as_of,omitempty"`  // the five elements as of then; 0: now
	List       bool        `json:"list,omitempty"`
	State      string      `json:"state,omitempty"`       // of the list; "" is all
	Due        int64       `json:"due,omitempty"`         // inspections due within so many seconds
	Visits     bool        `json:"inspections,omitempty"` // all inspections
	Inspection string      `json:"inspection,omitempty"`
	Form       bool        `json:"form,omitempty"` // the checklist
	Glances    bool        `json:"glances,omitempty"`
	Unseen     bool        `json:"unseen,omitempty"` // terminals without a cashier's glance of late
}

// careAnswer is the answer.
type careAnswer struct {
	Now         pos.Instant         `json:"now"`
	Devices     []shownDevice       `json:"devices,omitempty"`
	Due         []fleet.Due         `json:"due,omitempty"`
	Inspections []*fleet.Inspection `json:"inspections,omitempty"`
	Glances     []*fleet.Glance     `json:"glances,omitempty"`
	Checklist   *fleet.Checklist    `json:"checklist,omitempty"`
}

// shownDevice is one device as all rooms know it.
type shownDevice struct {
	Serial      pos.Serial           `json:"serial"`
	Model       string               `json:"model,omitempty"`
	Register    registry.DeviceState `json:"register"` // its state in the register; "" where it is not registered
	Terminal    string               `json:"terminal,omitempty"`
	Certificate string               `json:"certificate,omitempty"`
	Life        *fleet.Life          `json:"life,omitempty"`
	Binding     *fleet.Binding       `json:"binding,omitempty"`
	Inspection  *fleet.Inspection    `json:"inspection,omitempty"`
	Health      *fleet.Health        `json:"health,omitempty"`
	Glance      *fleet.Glance        `json:"glance,omitempty"`
	Facts       []registry.Fact      `json:"facts,omitempty"`
}

// devices answers a question about devices.
func (e *engine) devices(q *careQuery) (careAnswer, error) {
	a := careAnswer{Now: e.clock()}
	at := q.AsOf
	if at == 0 {
		at = a.Now
	}
	if q.Serial != "" {
		d, err := e.shown(q.Serial, at, a.Now)
		if err != nil {
			return careAnswer{}, err
		}
		a.Devices = append(a.Devices, d)
	}
	var serials []pos.Serial
	e.office.view(func(r *rooms) {
		if q.List {
			for _, l := range r.fleet.Lives() {
				if q.State == "" || string(l.State) == q.State {
					serials = append(serials, l.Serial)
				}
			}
		}
		if q.Due > 0 {
			a.Due = r.fleet.DueBefore(a.Now.Add(time.Duration(q.Due)*time.Second), a.Now)
		}
		if q.Unseen {
			a.Due = r.fleet.Unseen(a.Now)
		}
		if q.Visits {
			a.Inspections = r.fleet.Inspections()
		}
		if i := r.fleet.Inspection(q.Inspection); q.Inspection != "" && i != nil {
			a.Inspections = append(a.Inspections, i)
		}
		if q.Glances {
			a.Glances = r.fleet.Glances(true)
		}
		if q.Form {
			a.Checklist = r.fleet.Checklist()
		}
	})
	if q.Inspection != "" && len(a.Inspections) == 0 {
		return careAnswer{}, fmt.Errorf("no inspection %.20q: touchstone inspect list has them", q.Inspection)
	}
	terminals := map[pos.Serial]*registry.Terminal{}
	if len(serials) > 0 {
		for _, t := range e.ledger.Terminals() {
			terminals[t.Serial] = t
		}
	}
	for _, s := range serials {
		device, err := e.ledger.Device(s)
		if err != nil {
			device = nil
		}
		a.Devices = append(a.Devices, e.shownOf(s, device, terminals[s], at, a.Now))
	}
	return a, nil
}

// shown is one device, found by its serial number or its terminal.
func (e *engine) shown(name string, at, now pos.Instant) (shownDevice, error) {
	device, t, err := e.subject(name)
	if err == nil {
		return e.shownOf(device.Serial, device, t, at, now), nil
	}
	var life bool
	e.office.view(func(r *rooms) { life = r.fleet.Life(pos.Serial(name)) != nil })
	if !life {
		return shownDevice{}, fmt.Errorf("%w: device or terminal %.50q", ledger.ErrUnknown, name)
	}
	return e.shownOf(pos.Serial(name), nil, nil, at, now), nil
}

func (e *engine) shownOf(serial pos.Serial, device *registry.Device, t *registry.Terminal, at, now pos.Instant) shownDevice {
	d := shownDevice{Serial: serial}
	if device != nil {
		d.Model, d.Register, d.Certificate = device.Model, device.State, device.Certificate
	}
	var id pos.TerminalID
	if t != nil {
		id, d.Terminal = t.ID, t.ID.String()
	}
	e.office.view(func(r *rooms) {
		f := r.fleet
		d.Life, d.Binding, d.Inspection, d.Health = f.Life(serial), f.BindingAt(serial, at), f.LastInspection(serial), f.LastHealth(serial)
		if t != nil {
			d.Glance = f.LastGlance(id)
		}
		d.Facts = []registry.Fact{f.DeviceFact(serial, now), f.InspectionFact(serial, now), f.HealthFact(serial, now), f.SiteFact(id, now), f.NetworkFact(id, now)}
	})
	if d.Model == "" && d.Life != nil {
		d.Model = d.Life.Model
	}
	return d
}

// lifeOf is a device's life, nil when it has none.
func (e *engine) lifeOf(serial pos.Serial) (l *fleet.Life) {
	e.office.view(func(r *rooms) { l = r.fleet.Life(serial) })
	return l
}
