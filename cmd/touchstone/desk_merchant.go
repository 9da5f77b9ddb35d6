package main

import (
	"context"

	"touchstone/estate"
	"touchstone/registry"
	"touchstone/web"
	"touchstone/web/api"
)

// Merchants implements api.Merchants.
func (d *desk) Merchants(ctx context.Context, who *web.Caller, q *api.MerchantQuery) (page api.Page[api.Merchant], err error) {
	at, err := q.AsOf.Instant(d.line.Zone, d.clock())
	if err != nil {
		return page, err
	}
	if at != 0 {
		return d.merchantsThen(ctx, who, q, at)
	}
	page.Data = []api.Merchant{}
	if who.Merchant() {
		if m := d.shopOf(who.Shop); m != nil && q.Cursor == "" {
			page.Data = append(page.Data, merchantOf(m, d.estate.index))
		}
		return page, nil
	}
	ids, more, _ := d.estate.index.MerchantsLike(q.Search, q.Cursor, q.Limit)
	for _, id := range ids {
		if m := d.shopOf(id); m != nil {
			page.Data = append(page.Data, merchantOf(m, d.estate.index))
		}
	}
	if more {
		page.Next = ids[len(ids)-1].String()
	}
	return page, nil
}

// Merchant implements api.Merchants.
func (d *desk) Merchant(ctx context.Context, who *web.Caller, name string, q *api.AsOf) (api.Merchant, error) {
	at, err := q.Instant(d.line.Zone, d.clock())
	if err != nil {
		return api.Merchant{}, err
	}
	id, ok := merchantNamed(name)
	if !ok || !who.Sees(id) || d.shopOf(id) == nil {
		return api.Merchant{}, api.NotFound()
	}
	m, now, index := d.shopOf(id), d.clock(), d.estate.index
	if at != 0 {
		past, err := d.registryAt(ctx, at)
		if err != nil {
			return api.Merchant{}, err
		}
		if m, err = past.Merchant(ctx, id); err != nil {
			return api.Merchant{}, missing(err)
		}
		if index, err = d.indexAt(ctx, at); err != nil {
			return api.Merchant{}, err
		}
		now = at
	}
	out := merchantOf(m, index)
	out.AsOf, out.Entry = momentOf(at), m.Entry
	people := func(r *rooms) { out.Cashiers = cashiersOf(r, id, now) }
	if at == 0 {
		d.office.view(people)
		return out, nil
	}
	r, err := d.roomsSoon(ctx, at)
	if err != nil {
		return api.Merchant{}, err
	}
	people(r)
	return out, nil
}

// merchantOf is a line; index is of the same moment.
func merchantOf(m *registry.Merchant, index *estate.Estate) api.Merchant {
	a := api.Merchant{ID: merchantPrefix + m.ID.String(), Merchant: m.ID.String(), Name: m.Name, Suspended: m.Suspended, Terminals: index.TerminalsOf(m.ID)}
	for _, n := range m.Networks {
		a.Networks = append(a.Networks, n.String())
	}
	if m.AnyNetwork {
		a.Networks = append(a.Networks, "any")
	}
	return a
}
