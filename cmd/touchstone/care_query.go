package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"touchstone/fleet"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/web/api"
)

// careQuery asks about devices. What is not asked for is not answered.
type careQuery struct {
	Serial     string      `json:"serial,omitempty"` // one device, by serial number or terminal
	AsOf       pos.Instant `json:"as_of,omitempty"`  // as it was then; 0: now
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
func (e *engine) devices(ctx context.Context, q *careQuery) (careAnswer, error) {
	w, err := e.careEpoch(ctx, q.AsOf)
	if err != nil {
		return careAnswer{}, err
	}
	a := careAnswer{Now: w.now()}
	at := q.AsOf
	if at == 0 {
		at = a.Now
	}
	if q.Serial != "" {
		d, err := w.shown(ctx, q.Serial, at)
		if err != nil {
			return careAnswer{}, err
		}
		a.Devices = append(a.Devices, d)
	}
	var serials []pos.Serial
	w.view(func(r *rooms) {
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
		err = w.every(ctx, permitStep, ctx.Err, func(p ledger.Permitted) { terminals[p.Terminal.Serial] = p.Terminal })
	}
	for i := 0; err == nil && i < len(serials); i++ {
		var device *registry.Device
		if device, err = w.deviceRecord(ctx, serials[i]); err == nil {
			a.Devices = append(a.Devices, w.shownOf(serials[i], device, terminals[serials[i]], at))
		}
	}
	return a, err
}

// careEpoch is the estate at the moment that a question names. Of five elements people ask for days before the journal or to come too:
// their bindings are told by what is recorded now.
func (e *engine) careEpoch(ctx context.Context, at pos.Instant) (*epoch, error) {
	w, err := e.epochAt(ctx, at)
	var p *api.Problem
	if errors.As(err, &p) && (p.Code == "as_of_before_journal" || p.Code == "as_of_invalid") {
		return e.present(), nil
	}
	return w, err
}

// shown is one device, found by its serial number or its terminal.
func (w *epoch) shown(ctx context.Context, name string, at pos.Instant) (shownDevice, error) {
	serial := pos.Serial(name)
	t, err := w.subject(ctx, name)
	if t != nil {
		serial = t.Serial
	}
	if err != nil {
		return shownDevice{}, err
	}
	device, err := w.deviceRecord(ctx, serial)
	if err != nil {
		return shownDevice{}, err
	}
	life := false
	w.view(func(r *rooms) { life = r.fleet.Life(serial) != nil })
	if device == nil && !life {
		return shownDevice{}, fmt.Errorf("%w: device or terminal %.50q", ledger.ErrUnknown, name)
	}
	return w.shownOf(serial, device, t, at), nil
}

// subject is the terminal that a name stands for: its own id, or the serial number of its device; nil for none.
func (w *epoch) subject(ctx context.Context, name string) (*registry.Terminal, error) {
	if id, err := pos.ParseTerminalID(name); err == nil {
		if p, ok, err := w.permitted(ctx, id); ok || err != nil {
			return p.Terminal, err
		}
	}
	return w.boundTo(ctx, pos.Serial(name))
}

func (w *epoch) shownOf(serial pos.Serial, device *registry.Device, t *registry.Terminal, at pos.Instant) shownDevice {
	d, now := shownDevice{Serial: serial}, w.now()
	if device != nil {
		d.Model, d.Register, d.Certificate = device.Model, device.State, device.Certificate
	}
	var id pos.TerminalID
	if t != nil {
		id, d.Terminal = t.ID, t.ID.String()
	}
	w.view(func(r *rooms) {
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
