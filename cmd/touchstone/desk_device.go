package main

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"touchstone/estate"
	"touchstone/explain"
	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/sqlite"
	"touchstone/web"
	"touchstone/web/api"
)

// Devices implements api.Devices.
func (d *desk) Devices(ctx context.Context, _ *web.Caller, q *api.DeviceQuery) (page api.DevicePage, err error) {
	at, err := q.AsOf.Instant(d.line.Zone, d.clock())
	if err != nil {
		return page, err
	}
	if at != 0 {
		return d.devicesThen(ctx, q, at)
	}
	serials, more, total, states := d.estate.index.DevicesLike(estate.DeviceQuery{Text: q.Search, State: q.State, After: q.Cursor, Limit: q.Limit})
	page.Data, page.Total, page.Building, page.States = []api.Device{}, total, !d.estate.built.Load(), valueCounts(states)
	for _, serial := range serials {
		page.Data = append(page.Data, d.deviceLine(serial))
	}
	if more {
		page.Next = string(serials[len(serials)-1])
	}
	return page, nil
}

// boundTo is the terminal that the register binds a device to, by its newest record.
func (e *engine) boundTo(serial pos.Serial) *registry.Terminal {
	for _, id := range e.permits.at([]pos.Serial{serial}) {
		if t, err := e.ledger.Terminal(id); err == nil && t.Serial == serial {
			return t
		}
	}
	return nil
}

func (d *desk) deviceLine(serial pos.Serial) api.Device {
	device, err := d.ledger.Device(serial)
	if err != nil {
		device = nil
	}
	t := d.boundTo(serial)
	line := api.Device{ID: devicePrefix + string(serial), Serial: string(serial)}
	if t != nil {
		line.Terminal, line.Merchant = t.ID.String(), t.Merchant.String()
	}
	d.office.view(func(r *rooms) { deviceKnown(&line, r, device, serial) })
	return line
}

// deviceKnown adds what register and rooms say.
func deviceKnown(line *api.Device, r *rooms, device *registry.Device, serial pos.Serial) {
	if device != nil {
		line.Model, line.Hardware, line.State = device.Model, device.Hardware, string(device.State)
	}
	line.Version = r.fleet.VersionOf(device)
	if l := r.fleet.Life(serial); l != nil {
		line.State = string(l.State)
		if line.Model == "" {
			line.Model = l.Model
		}
		if line.Hardware == "" {
			line.Hardware = l.Hardware
		}
	}
	line.Words = lifeWords(line.State)
}

func lifeWords(state string) api.Text {
	if t, ok := lifeWord[state]; ok {
		return textOf(t)
	}
	return bothLines(func(l *lines) string { return factWords(l, &registry.Fact{State: state}) })
}

var lifeWord = map[string]explain.Text{
	"deployed": {EN: "works in a shop", ZH: "商户使用中"},
	"active":   {EN: "in use", ZH: "使用中"},
}

// deviceSeen is a device that a caller may see: a merchant those that are bound to its terminals now.
func (d *desk) deviceSeen(who *web.Caller, name string) (serial pos.Serial, err error) {
	serial, err = pos.ParseSerial(strings.TrimPrefix(name, devicePrefix))
	if err != nil {
		return "", api.NotFound()
	}
	if who.Merchant() {
		if t := d.boundTo(serial); t == nil || !who.Sees(t.Merchant) {
			return "", api.NotFound()
		}
	}
	if _, err := d.ledger.Device(serial); err != nil && d.lifeOf(serial) == nil {
		return "", api.NotFound()
	}
	return serial, nil
}

// Device implements api.Devices.
func (d *desk) Device(ctx context.Context, who *web.Caller, name string, q *api.AsOf) (out api.DeviceDetail, err error) {
	w, err := d.asked(ctx, q)
	if err != nil {
		return out, err
	}
	serial, err := d.deviceSeen(who, name)
	if err != nil {
		return out, err
	}
	device, err := w.deviceRecord(ctx, serial)
	if err != nil {
		return out, err
	}
	t, err := w.boundTo(ctx, serial)
	if err != nil {
		return out, err
	}
	shop, life := "", false
	if t != nil {
		if shop, err = w.shopName(ctx, t.Merchant); err != nil {
			return out, err
		}
	}
	w.view(func(r *rooms) {
		life = r.fleet.Life(serial) != nil
		d.deviceDetail(&out, r, device, t, shop, serial, w.now(), who)
	})
	if device == nil && !life || who.Merchant() && (t == nil || !who.Sees(t.Merchant)) {
		return api.DeviceDetail{}, api.NotFound()
	}
	out.AsOf = momentOf(w.at)
	if device != nil && !who.Merchant() {
		out.Certificate = d.deviceCertificate(device)
	}
	return out, nil
}

func (d *desk) deviceDetail(out *api.DeviceDetail, r *rooms, device *registry.Device, t *registry.Terminal, shop string, serial pos.Serial, now pos.Instant, who *web.Caller) {
	out.Device = api.Device{ID: devicePrefix + string(serial), Serial: string(serial)}
	out.Inspections = []api.InspectionLine{}
	if t != nil {
		out.Terminal, out.Merchant = t.ID.String(), t.Merchant.String()
		five := fiveOf(r, t, shop, d.line.Acquirer, now, who)
		out.Five = &five
	}
	deviceKnown(&out.Device, r, device, serial)
	if device != nil {
		out.Register = string(device.State)
	}
	if who.Merchant() {
		out.Version, out.Hardware = "", ""
		return
	}
	if device != nil {
		out.Licence, out.KeyKCV, out.Released, out.Entry = device.Licence, device.KeyKCV, device.ReleasedBy, device.Entry
	}
	if l := r.fleet.Life(serial); l != nil {
		out.Maker, out.Announced, out.Seal, out.Since, out.Why = l.Maker, l.ByMaker, l.Seal, momentOf(l.Since), l.Why
	}
	for _, i := range r.fleet.InspectionsOf(serial, mostInspections) {
		line := api.InspectionLine{ID: i.ID, At: i.At.Time(), Passed: i.Passed, Finding: i.Finding, Inspector: i.Inspector, Due: i.Due.Time(), Entry: i.Entry}
		if i.Terminal != (pos.TerminalID{}) {
			line.Terminal = i.Terminal.String()
		}
		for _, p := range i.Photographs {
			line.Photographs = append(line.Photographs, p.Digest)
		}
		out.Inspections = append(out.Inspections, line)
	}
	if h := r.fleet.LastHealth(serial); h != nil {
		out.Health = &api.HealthLine{At: h.At.Time(), Application: h.Application, Tamper: h.Tamper, Scanner: strings.TrimSpace(h.Scanner.Name + " " + h.Scanner.Result), Entry: h.Entry}
	}
}

// mostInspections are shown of one device.
const mostInspections = 50

// boundTo is the terminal that a device was bound to by the newest of their records up to then, nil for none.
func (p *pastRegister) boundTo(ctx context.Context, serial pos.Serial) (*registry.Terminal, error) {
	var seqs []uint64
	err := p.e.projectedTo(ctx, p.Seq, func() (err error) {
		seqs, err = p.e.view.Past(ctx, sqlite.AboutDevice, string(serial), p.Seq, mostSteps)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, n := range seqs {
		entry, err := p.e.store.Entry(ctx, n)
		if err != nil {
			return nil, err
		}
		if entry.Kind != journal.KindTerminal {
			continue
		}
		var t registry.Terminal
		if err := json.Unmarshal(entry.Body, &t); err != nil {
			return nil, err
		}
		then, err := p.Terminal(ctx, t.ID)
		if err == nil && then.Serial == serial {
			return then, nil
		}
	}
	return nil, nil
}

// mostSteps is the most entries about one device that are read for one answer.
const mostSteps = 200

// Custody implements api.Devices.
func (d *desk) Custody(ctx context.Context, who *web.Caller, name string, q *api.AsOf) (page api.Page[api.Custody], err error) {
	serial, err := d.deviceSeen(who, name)
	if err != nil {
		return page, err
	}
	page.Data = []api.Custody{}
	at, err := q.Instant(d.line.Zone, d.clock())
	if err != nil {
		return page, err
	}
	head := d.ledger.Durable()
	if at != 0 {
		if head, err = d.seqAt(ctx, at); err != nil {
			return page, err
		}
	}
	var seqs []uint64
	err = d.projectedTo(ctx, head, func() (err error) {
		seqs, err = d.view.Past(ctx, sqlite.ActNoun(journal.KindFleet, fleet.NounDevice), string(serial), head, mostSteps)
		return err
	})
	if err != nil {
		return page, err
	}
	err = d.store.Entries(ctx, seqs, func(entry journal.Entry) error { // the oldest first
		var act journal.Act
		if err := json.Unmarshal(entry.Body, &act); err != nil {
			return err
		}
		page.Data = slices.Insert(page.Data, 0, custodyOf(entry, &act, serial)...)
		return nil
	})
	return page, err
}

// custodyOf are the steps that an act says of a device, the newest first.
func custodyOf(entry journal.Entry, act *journal.Act, serial pos.Serial) (list []api.Custody) {
	for _, c := range act.Changes {
		var l fleet.Life
		if c.Noun != fleet.NounDevice || c.ID != string(serial) || json.Unmarshal(c.Record, &l) != nil {
			continue
		}
		steps := l.Steps
		if act.Verb != "devices_seeded" && len(steps) > 0 { // the record repeats the steps before it
			steps = steps[len(steps)-1:]
		}
		for _, s := range slices.Backward(steps) {
			step := api.Custody{At: s.At.Time(), Step: s.Verb, What: custodyWords(s.Verb), By: s.By, Note: s.Note, State: string(l.State), Proposal: act.Proposal, Entry: entry.Seq}
			if l.Terminal != (pos.TerminalID{}) {
				step.Terminal = l.Terminal.String()
			}
			list = append(list, step)
		}
	}
	return list
}

func custodyWords(verb string) api.Text {
	if t, ok := custodyWord[verb]; ok {
		return textOf(t)
	}
	return api.Text{EN: strings.ReplaceAll(verb, "_", " "), ZH: strings.ReplaceAll(verb, "_", " ")}
}

var custodyWord = map[string]explain.Text{
	"device_announced":   {EN: "announced by its maker", ZH: "厂商预告"},
	"device_received":    {EN: "received into stock", ZH: "收货入库"},
	"device_deployed":    {EN: "deployed at a terminal", ZH: "投放到终端"},
	"device_moved":       {EN: "moved", ZH: "移机"},
	"device_rebound":     {EN: "bound in another device's place", ZH: "换绑"},
	"device_quarantined": {EN: "quarantined", ZH: "隔离"},
	"device_lost":        {EN: "reported lost or stolen", ZH: "挂失"},
	"device_repaired":    {EN: "sent to repair", ZH: "送修"},
	"device_repair":      {EN: "sent to repair", ZH: "送修"},
	"device_returned":    {EN: "returned to stock", ZH: "退回入库"},
	"device_return":      {EN: "returned to stock", ZH: "退回入库"},
	"device_retired":     {EN: "retired", ZH: "退役"},
	"device_destroyed":   {EN: "destroyed", ZH: "销毁"},
}
