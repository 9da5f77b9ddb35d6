package main

import (
	"context"
	"slices"

	"touchstone/estate"
	"touchstone/fleet"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/web"
	"touchstone/web/api"
)

// An index of the past is as large as the one of now: a hundred megabytes for a million terminals. So few are kept.
const (
	indexFigure  = "estate"
	indexFigures = 2
)

// indexAt is the index as of a moment of the past: what a search then would have found. It is made by a worker and is counted once.
func (d *desk) indexAt(ctx context.Context, at pos.Instant) (*estate.Estate, error) {
	x, _, err := figureAt(ctx, d.engine, indexFigure, at, figureLife, func(ctx context.Context, w *epoch, pace func() error) (*estate.Estate, error) {
		return w.index(ctx, pace)
	})
	return x, err
}

// index tells a new index of every merchant, device and terminal of a past epoch, by the functions that tell the one of now. Of a terminal
// it has no grade, for which 48 hours of messages would be read.
func (w *epoch) index(ctx context.Context, pace func() error) (*estate.Estate, error) {
	index := estate.New()
	shops, err := w.indexMerchants(ctx, pace, index)
	if err != nil {
		return nil, err
	}
	if err := w.indexDevices(ctx, pace, index); err != nil {
		return nil, err
	}
	err = w.every(ctx, permitStep, pace, func(p ledger.Permitted) {
		if !p.Terminal.Canary {
			index.Tell(estateRow(w.then, &p, shops[p.Terminal.Merchant], w.now()))
		}
	})
	index.Settle()
	return index, err
}

// indexMerchants tells the merchants, and returns their records of then.
func (w *epoch) indexMerchants(ctx context.Context, pace func() error, index *estate.Estate) (map[pos.MerchantID]*registry.Merchant, error) {
	list := w.e.ledger.Merchants()
	slices.SortFunc(list, func(a, b *registry.Merchant) int { return slices.Compare(a.ID[:], b.ID[:]) }) // names that come in order cost least
	shops := make(map[pos.MerchantID]*registry.Merchant, len(list))
	for i, now := range list {
		m, err := w.merchant(ctx, now.ID)
		if err != nil {
			return nil, err
		}
		if m != nil {
			shops[m.ID] = m
			index.TellMerchants(estate.Merchant{ID: m.ID, Name: m.Name, Suspended: m.Suspended})
		}
		if i%pastStep == 0 {
			if err := pace(); err != nil {
				return nil, err
			}
		}
	}
	return shops, nil
}

// indexDevices tells the devices that were registered or had a life.
func (w *epoch) indexDevices(ctx context.Context, pace func() error, index *estate.Estate) error {
	var serials []pos.Serial
	for _, d := range w.e.ledger.Devices() {
		serials = append(serials, d.Serial)
	}
	w.then.fleet.EachLife(func(l *fleet.Life) { serials = append(serials, l.Serial) })
	slices.Sort(serials)
	serials = slices.Compact(serials)
	for i, serial := range serials {
		row, known, err := w.deviceRow(ctx, serial)
		if err != nil {
			return err
		}
		if known {
			index.TellDevices(row)
		}
		if i%pastStep == 0 {
			if err := pace(); err != nil {
				return err
			}
		}
	}
	return nil
}

// deviceRow is what the index is told of a device; known is false of one that was neither registered nor had a life.
func (w *epoch) deviceRow(ctx context.Context, serial pos.Serial) (row estate.DeviceRow, known bool, err error) {
	var line api.Device
	known, err = w.deviceKnown(ctx, &line, serial)
	return estate.DeviceRow{Serial: serial, Model: line.Model, State: line.State}, known, err
}

// deviceKnown adds to a line what register and rooms said.
func (w *epoch) deviceKnown(ctx context.Context, line *api.Device, serial pos.Serial) (known bool, err error) {
	device, err := w.deviceRecord(ctx, serial)
	if err != nil {
		return false, err
	}
	w.view(func(r *rooms) {
		known = device != nil || r.fleet.Life(serial) != nil
		deviceKnown(line, r, device, serial)
	})
	return known, nil
}

// devicesThen is a page of the devices of a past moment.
func (d *desk) devicesThen(ctx context.Context, q *api.DeviceQuery, at pos.Instant) (page api.DevicePage, err error) {
	index, err := d.indexAt(ctx, at)
	if err != nil {
		return page, err
	}
	w, err := d.epochSoon(ctx, at)
	if err != nil {
		return page, err
	}
	serials, more, total, states := index.DevicesLike(estate.DeviceQuery{Text: q.Search, State: q.State, After: q.Cursor, Limit: q.Limit})
	page.Data, page.Total, page.States = []api.Device{}, total, valueCounts(states)
	for _, serial := range serials {
		line := api.Device{ID: devicePrefix + string(serial), Serial: string(serial)}
		t, err := w.boundTo(ctx, serial)
		if err != nil {
			return page, err
		}
		if t != nil {
			line.Terminal, line.Merchant = t.ID.String(), t.Merchant.String()
		}
		if _, err := w.deviceKnown(ctx, &line, serial); err != nil {
			return page, err
		}
		page.Data = append(page.Data, line)
	}
	if more {
		page.Next = string(serials[len(serials)-1])
	}
	return page, nil
}

// merchantsThen is a page of the merchants of a past moment. A merchant's own people see its shop.
func (d *desk) merchantsThen(ctx context.Context, who *web.Caller, q *api.MerchantQuery, at pos.Instant) (page api.Page[api.Merchant], err error) {
	index, err := d.indexAt(ctx, at)
	if err != nil {
		return page, err
	}
	past, err := d.registryAt(ctx, at)
	if err != nil {
		return page, err
	}
	w := &epoch{e: d.engine, at: at, past: past}
	ids, more := []pos.MerchantID{who.Shop}, false
	switch {
	case !who.Merchant():
		ids, more, _ = index.MerchantsLike(q.Search, q.Cursor, q.Limit)
	case q.Cursor != "":
		ids = nil
	}
	page.Data = []api.Merchant{}
	for _, id := range ids {
		m, err := w.merchant(ctx, id)
		if err != nil {
			return page, err
		}
		if m != nil {
			page.Data = append(page.Data, merchantOf(m, index))
		}
	}
	if more {
		page.Next = ids[len(ids)-1].String()
	}
	return page, nil
}

// terminalsThen is a page of the terminals of a past moment.
func (d *desk) terminalsThen(ctx context.Context, who *web.Caller, q *api.TerminalQuery, at pos.Instant) (page api.TerminalPage, err error) {
	search, none, err := d.estateQuery(who, q)
	if err != nil {
		return page, err
	}
	page.Data = []api.Terminal{}
	if none {
		return page, nil
	}
	if len(search.Want[estate.Grade]) > 0 {
		return page, api.NotKept("of a past moment no list of terminals is made by grade: /grades counts them by grade, and /terminals/{id} tells one's")
	}
	search.Count = slices.DeleteFunc(search.Count, func(f estate.Facet) bool { return f == estate.Grade })
	index, err := d.indexAt(ctx, at)
	if err != nil {
		return page, err
	}
	w, err := d.epochSoon(ctx, at)
	if err != nil {
		return page, err
	}
	found := index.Search(search)
	page = foundPage(&found)
	for _, id := range found.IDs {
		row, _, err := w.terminalThen(ctx, who, id)
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return page, err
		}
		page.Data = append(page.Data, row)
	}
	return page, nil
}
