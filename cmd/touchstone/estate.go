package main

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"touchstone/estate"
	"touchstone/fleet"
	"touchstone/grade"
	"touchstone/journal"
	"touchstone/lab"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
)

// The pace of the index. What was folded is looked at soon; everything is looked at anew now and then, because what
// was seen of a terminal, and time, change its row too.
const (
	estateStep  = 256                    // terminals of one step
	estateEvery = 250 * time.Millisecond // what came meanwhile is one round
	estateWhole = 10 * time.Minute       // between two looks at everything
	estateRate  = 100_000                // terminals a second of the later ones
)

// estateKeeper keeps the index of the estate. The watch tells it of every entry; it works out which terminals,
// devices and merchants that is about and reads them from the ledger and the rooms.
type estateKeeper struct {
	e     *engine
	index *estate.Estate
	built atomic.Bool // everything was looked at once
	begun atomic.Bool
	start func() // begins to keep the index, once: a command that looks at one thing needs none

	mu        sync.Mutex // a leaf: guards the fields below
	all       bool
	terminals map[pos.TerminalID]struct{}
	devices   map[pos.Serial]struct{}
	merchants map[pos.MerchantID]struct{}
}

func newEstateKeeper(e *engine) *estateKeeper {
	return &estateKeeper{e: e, index: estate.New(), terminals: map[pos.TerminalID]struct{}{}, devices: map[pos.Serial]struct{}{}, merchants: map[pos.MerchantID]struct{}{}}
}

// fold takes one durable entry; the watch calls it.
func (k *estateKeeper) fold(entry journal.Entry) {
	if entry.Kind == journal.KindExchange || !k.begun.Load() {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch entry.Kind {
	case journal.KindMerchant:
		var m registry.Merchant
		if json.Unmarshal(entry.Body, &m) == nil {
			k.merchants[m.ID] = struct{}{}
		}
	case journal.KindTerminal:
		var t registry.Terminal
		if json.Unmarshal(entry.Body, &t) == nil {
			k.terminals[t.ID] = struct{}{}
		}
	case journal.KindDevice:
		var d registry.Device
		if json.Unmarshal(entry.Body, &d) == nil {
			k.devices[d.Serial] = struct{}{}
		}
	case journal.KindPermit:
		var set registry.PermitSet
		if json.Unmarshal(entry.Body, &set) == nil {
			for _, id := range set.Terminals {
				k.terminals[id] = struct{}{}
			}
		}
	case journal.KindFleet, journal.KindLab:
		var act journal.Act
		if json.Unmarshal(entry.Body, &act) == nil {
			for _, c := range act.Changes {
				k.changed(entry.Kind, c)
			}
		}
	}
}

// changed marks what a change of a room is about: one terminal or device, or, as an advisory or a certificate, any.
func (k *estateKeeper) changed(kind journal.Kind, c journal.Change) {
	if kind == journal.KindLab && slices.Contains(nounsOfLab, c.Noun) || kind == journal.KindFleet && slices.Contains(nounsOfFleet, c.Noun) {
		return
	}
	var about struct {
		Terminal pos.TerminalID `json:"terminal"`
		Serial   pos.Serial     `json:"serial"`
		Device   pos.Serial     `json:"device"`
	}
	_ = json.Unmarshal(c.Record, &about) // what it does not name is not named
	if c.Noun == fleet.NounInstalled || c.Noun == fleet.NounHealth || c.Noun == fleet.NounDevice {
		about.Serial = pos.Serial(c.ID)
	}
	if about.Terminal != (pos.TerminalID{}) {
		k.terminals[about.Terminal] = struct{}{}
	}
	for _, serial := range []pos.Serial{about.Serial, about.Device} {
		if serial != "" {
			k.devices[serial] = struct{}{}
		}
	}
	switch c.Noun {
	case fleet.NounAdvisory, fleet.NounCampaign, lab.NounCertificate:
		k.all = true
	}
}

// take takes what is marked.
func (k *estateKeeper) take() (terminals []pos.TerminalID, devices []pos.Serial, merchants []pos.MerchantID, all bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id := range k.terminals {
		terminals = append(terminals, id)
	}
	for serial := range k.devices {
		devices = append(devices, serial)
	}
	for id := range k.merchants {
		merchants = append(merchants, id)
	}
	all = k.all
	k.all = false
	clear(k.terminals)
	clear(k.devices)
	clear(k.merchants)
	return terminals, devices, merchants, all
}

// run builds the index and keeps it until ctx ends.
func (k *estateKeeper) run(ctx context.Context) {
	k.begun.Store(true)
	k.build(ctx)
	if ctx.Err() != nil {
		return
	}
	k.built.Store(true)
	tick, whole := time.NewTicker(estateEvery), time.NewTicker(estateWhole)
	defer tick.Stop()
	defer whole.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-whole.C:
			k.pass(ctx, estateRate)
		case <-tick.C:
			k.Settle(ctx)
		}
	}
}

// Settle brings what was folded into the index.
func (k *estateKeeper) Settle(ctx context.Context) {
	terminals, devices, merchants, all := k.take()
	for _, id := range merchants {
		if m, err := k.e.ledger.Merchant(id); err == nil {
			k.tellMerchants(m)
			terminals = append(terminals, k.ofMerchant(id)...) // their state says whether it is suspended
		}
	}
	if len(devices) > 0 {
		k.tellDevices(devices)
		terminals = append(terminals, k.e.permits.at(devices)...)
	}
	if all {
		k.pass(ctx, estateRate)
		return
	}
	for len(terminals) > 0 {
		n := min(estateStep, len(terminals))
		k.tell(k.e.permits.permitted(terminals[:n]))
		terminals = terminals[n:]
	}
}

func (k *estateKeeper) ofMerchant(id pos.MerchantID) (list []pos.TerminalID) {
	k.index.Each(estate.Query{Merchant: id}, func(t pos.TerminalID, _, _ int32, _ bool) bool {
		list = append(list, t)
		return true
	})
	return list
}

// at are the terminals that devices are, or were, bound to.
func (k *permits) at(devices []pos.Serial) (list []pos.TerminalID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, serial := range devices {
		if id, known := k.bound[serial]; known {
			list = append(list, id)
		}
		list = append(list, k.rebound[serial]...)
	}
	return list
}

// build tells the index of everything.
func (k *estateKeeper) build(ctx context.Context) {
	k.tellMerchants(k.e.ledger.Merchants()...)
	var serials []pos.Serial
	for _, d := range k.e.ledger.Devices() {
		serials = append(serials, d.Serial)
	}
	k.e.office.view(func(r *rooms) {
		r.fleet.EachLife(func(l *fleet.Life) { serials = append(serials, l.Serial) })
	})
	slices.Sort(serials) // names that come in order cost least
	serials = slices.Compact(serials)
	for len(serials) > 0 && ctx.Err() == nil {
		n := min(estateStep, len(serials))
		k.tellDevices(serials[:n])
		serials = serials[n:]
	}
	k.pass(ctx, 0)
	k.index.Settle()
}

// pass looks at every terminal, no faster than so many a second; 0 as fast as it goes.
func (k *estateKeeper) pass(ctx context.Context, rate int) {
	for from := 0; ; {
		began := time.Now()
		list, next := k.e.permits.slice(from, estateStep)
		k.tell(list)
		if from = next; from == 0 {
			return
		}
		var rest time.Duration
		if rate > 0 {
			rest = estateStep*time.Second/time.Duration(rate) - time.Since(began)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(rest):
		}
	}
}

func (k *estateKeeper) tellMerchants(list ...*registry.Merchant) {
	rows := make([]estate.Merchant, len(list))
	for i, m := range list {
		rows[i] = estate.Merchant{ID: m.ID, Name: m.Name, Suspended: m.Suspended}
	}
	slices.SortFunc(rows, func(a, b estate.Merchant) int { return slices.Compare(a.ID[:], b.ID[:]) })
	k.index.TellMerchants(rows...)
}

func (k *estateKeeper) tellDevices(serials []pos.Serial) {
	rows := make([]estate.DeviceRow, 0, len(serials))
	for _, serial := range serials {
		row := estate.DeviceRow{Serial: serial}
		if d, err := k.e.ledger.Device(serial); err == nil {
			row.Model, row.State = d.Model, string(d.State)
		}
		rows = append(rows, row)
	}
	k.e.office.view(func(r *rooms) {
		for i := range rows {
			if l := r.fleet.Life(rows[i].Serial); l != nil {
				rows[i].State = string(l.State)
				if rows[i].Model == "" {
					rows[i].Model = l.Model
				}
			}
		}
	})
	k.index.TellDevices(rows...)
}

// tell makes the rows of terminals. Neither the ledger nor the watch is asked while the rooms are held.
func (k *estateKeeper) tell(list []ledger.Permitted) {
	list = slices.DeleteFunc(slices.Clone(list), func(p ledger.Permitted) bool { return p.Terminal.Canary })
	rows, shops, seen := make([]estate.Terminal, len(list)), make([]*registry.Merchant, len(list)), k.seen(list)
	for i := range list {
		shops[i], _ = k.e.ledger.Merchant(list[i].Terminal.Merchant) // nil: not registered, which no terminal's is
	}
	now := k.e.clock()
	k.e.office.view(func(r *rooms) {
		for i := range list {
			rows[i] = estateRow(r, &list[i], shops[i], now)
		}
	})
	for i := range list {
		rows[i].Values[estate.Grade] = one(overallOf(&list[i], seen[i], now))
	}
	k.index.Tell(rows...)
}

func (k *estateKeeper) seen(list []ledger.Permitted) []grade.Seen {
	seen := make([]grade.Seen, len(list))
	k.e.watch.mu.Lock()
	defer k.e.watch.mu.Unlock()
	for i := range list {
		seen[i] = k.e.watch.book.Of(list[i].Terminal.ID)
	}
	return seen
}

func one(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// estateRow is what the index keeps of a terminal, but for its grade.
func estateRow(r *rooms, p *ledger.Permitted, shop *registry.Merchant, now pos.Instant) (row estate.Terminal) {
	t := p.Terminal
	row.ID, row.Merchant, row.Serial = t.ID, t.Merchant, t.Serial
	if t.Place != nil {
		row.Place, row.Latitude, row.Longitude = true, t.Place.Latitude, t.Place.Longitude
	}
	if b := r.fleet.Binding(t.ID); b != nil {
		row.Address = b.Address
	}
	may := p.May()
	v := &row.Values
	switch {
	case may == registry.FullPermit:
		v[estate.Sell] = one(estate.SellYes)
	case may.Sell:
		v[estate.Sell] = one(estate.SellLimited)
	default:
		v[estate.Sell] = one(estate.SellNo)
	}
	v[estate.Reason] = reasonsOf(p)
	v[estate.State] = one(stateOf(t, shop))
	version := r.fleet.VersionOf(p.Device)
	if d := p.Device; d != nil {
		v[estate.Model], v[estate.Hardware] = one(d.Model), one(d.Hardware)
	}
	v[estate.Version] = one(version)
	device := deviceFact(r, p, now)
	v[estate.Device] = one(device.State)
	certificate := certificateFact(r, p.Device, version, now)
	v[estate.Certificate] = one(certificate.State)
	network, site, inspection := r.fleet.NetworkFact(t.ID, now), r.fleet.SiteFact(t.ID, now), r.fleet.InspectionFact(t.Serial, now)
	v[estate.Network], v[estate.Site], v[estate.Inspection] = one(network.State), one(site.State), one(inspection.State)
	if row.Due = inspection.Until; inspection.State == fleet.Overdue || inspection.State == fleet.Failed {
		row.Due = inspection.Since
	}
	v[estate.Advisory], v[estate.Campaign] = r.fleet.Touching(p.Device, version)
	return row
}

func stateOf(t *registry.Terminal, shop *registry.Merchant) string {
	switch {
	case t.Suspended:
		return "suspended"
	case shop != nil && shop.Suspended:
		return "merchant_suspended"
	}
	return "active"
}

// reasonsOf are the facts that make a permit less than full, each with its state.
func reasonsOf(p *ledger.Permitted) (list []string) {
	if p.Unjudged {
		return []string{string(registry.FactRegistration) + ".not_judged_yet"}
	}
	if p.Standing == nil {
		if p.Terminal.Permit.Plain() != registry.FullPermit {
			list = append(list, string(registry.FactRegistration)+".restricted")
		}
		return list
	}
	for _, f := range p.Standing.Facts {
		state := f.State
		if state == "" {
			state = estate.Unknown
		}
		list = append(list, string(f.Name)+"."+state)
	}
	return list
}

// overallOf is the level of a terminal's proofs over all.
func overallOf(p *ledger.Permitted, seen grade.Seen, now pos.Instant) string {
	facts := grade.FactsOf(p.Terminal, p.Device)
	facts.Seen = seen
	g := grade.Of(&facts, grade.DefaultThresholds(), now)
	return g.Overall().String()
}
