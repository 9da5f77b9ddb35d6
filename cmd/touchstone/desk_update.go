package main

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"touchstone/explain"
	"touchstone/fleet"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/web"
	"touchstone/web/api"
)

var _ api.UpdateBook = (*desk)(nil)

// Bounds of lists of what an advisory touches.
const (
	reachedListed = 200
	shopsListed   = 100
)

// whenOf is an instant as the interface has it, the zero time where there is none.
func whenOf(at pos.Instant) (t time.Time) {
	if at == 0 {
		return t
	}
	return at.Time()
}

// listOf is a list that is never absent.
func listOf(names []string) []string { return append([]string{}, names...) }

// Releases implements api.UpdateBook.
func (d *desk) Releases(ctx context.Context, _ *web.Caller, q *api.UpdateQuery) (api.Releases, error) {
	a := api.Releases{Data: []api.Release{}}
	err := d.roomsAsOf(ctx, &q.AsOf, func(r *rooms) {
		for _, x := range slices.Backward(r.fleet.Releases()) {
			if q.State == "" || q.State == string(x.State) {
				a.Data = append(a.Data, api.Release{ID: x.ID, Model: x.Model, Hardware: x.Hardware, Version: x.Version, State: string(x.State), SupportedUntil: whenOf(x.SupportedUntil), Notes: x.Notes,
					NotesZH: x.NotesZH, Target: x.Target, Digest: x.Digest, Length: x.Length, Published: whenOf(x.Published), By: listOf(x.By), Why: x.Why})
			}
		}
		if p := r.fleet.Repository(); p != nil {
			a.Repository = api.RepositoryState{Made: true, Targets: p.TargetsVersion, Timestamp: whenOf(p.TimestampExpires), Root: p.Root}
		}
	})
	return a, err
}

// Advisories implements api.UpdateBook.
func (d *desk) Advisories(ctx context.Context, who *web.Caller, q *api.UpdateQuery) (api.Page[api.Advisory], error) {
	page := api.Page[api.Advisory]{Data: []api.Advisory{}}
	own := func(string) bool { return true }
	if who.Merchant() {
		at, err := q.AsOf.Instant(d.line.Zone, d.clock())
		if err != nil {
			return page, err
		}
		touching, err := d.touching(ctx, who.Shop, at)
		if err != nil {
			return page, err
		}
		own = func(id string) bool { return slices.Contains(touching, id) }
	}
	err := d.roomsAsOf(ctx, &q.AsOf, func(r *rooms) {
		answered := map[string]string{}
		for _, c := range r.fleet.OpenCampaigns() {
			answered[c.Advisory] = c.ID
		}
		for _, x := range slices.Backward(r.fleet.Advisories()) {
			if own(x.ID) && (q.State == "" || q.State == string(x.State)) {
				a := advisoryOf(x)
				if a.Campaign = answered[x.ID]; who.Merchant() {
					a.By, a.Campaign, a.Why = []string{}, "", ""
				}
				page.Data = append(page.Data, a)
			}
		}
	})
	return page, err
}

func advisoryOf(x *fleet.Advisory) api.Advisory {
	a := api.Advisory{ID: x.ID, Source: x.Source, Format: x.Format, Publisher: x.Publisher, Title: x.Title, Text: x.Text, TextZH: x.TextZH, Severity: string(x.Severity), CVSS: x.CVSS, CVE: x.CVE,
		Affected: []api.AffectedModel{}, Certificate: x.Certificate, Link: x.Link, State: string(x.State), Issued: whenOf(x.Issued), Added: whenOf(x.Added), By: listOf(x.By), Closed: whenOf(x.Closed), Why: x.Why}
	for _, t := range x.Affected {
		a.Affected = append(a.Affected, api.AffectedModel{Vendor: t.Vendor, Model: t.Model, Hardware: t.Hardware, Versions: t.Versions})
	}
	return a
}

// touching are the advisories that touch a device of a shop, at an instant; 0 is now.
func (d *desk) touching(ctx context.Context, shop pos.MerchantID, at pos.Instant) ([]string, error) {
	ids, _, err := figureAt(ctx, d.engine, "touching/"+shop.String(), at, figureLife, func(ctx context.Context, w *epoch, pace func() error) ([]string, error) {
		ids := []string{}
		var all []*fleet.Advisory
		w.view(func(r *rooms) { all = r.fleet.Advisories() })
		for from := 0; ; {
			var own []*registry.Device
			next, err := w.each(ctx, from, reachStep, func(p ledger.Permitted) {
				if p.Terminal.Merchant == shop && p.Device != nil {
					own = append(own, p.Device)
				}
			})
			if err != nil {
				return nil, err
			}
			w.view(func(r *rooms) {
				for _, device := range own {
					version := r.fleet.VersionOf(device)
					for _, a := range all {
						if !slices.Contains(ids, a.ID) && a.Touches(device.Model, device.Hardware, version) != fleet.Untouched {
							ids = append(ids, a.ID)
						}
					}
				}
			})
			if from = next; from == 0 {
				return ids, nil
			}
			if err := pace(); err != nil {
				return nil, err
			}
		}
	})
	return ids, err
}

// Radius implements api.UpdateBook.
func (d *desk) Radius(ctx context.Context, who *web.Caller, id string, q *api.AsOf) (api.Radius, error) {
	var shop pos.MerchantID
	at, err := q.Instant(d.line.Zone, d.clock())
	if err != nil {
		return api.Radius{}, err
	}
	if who.Merchant() {
		shop = who.Shop
		touching, err := d.touching(ctx, shop, at)
		if err != nil {
			return api.Radius{}, err
		}
		if !slices.Contains(touching, id) {
			return api.Radius{}, api.NotFound()
		}
	}
	known := false
	if err := d.roomsAsOf(ctx, q, func(r *rooms) { known = r.fleet.Advisory(id) != nil }); err != nil {
		return api.Radius{}, err
	}
	if !known {
		return api.Radius{}, api.NotFound()
	}
	x, counted, err := figureAt(ctx, d.engine, "radius/"+id+"/"+shop.String(), at, figureLife, func(ctx context.Context, w *epoch, pace func() error) (*radiusAnswer, error) {
		return w.radius(ctx, &updatesQuery{ID: id, Limit: reachedListed}, shop, pace)
	})
	if err != nil {
		return api.Radius{}, err
	}
	a := api.Radius{Counted: counted, Advisory: id, Tally: api.Tally(x.Tally), Sold: soldOf(x.Sales.Sales, x.Sales.Amount), All: soldOf(x.All.Sales, x.All.Amount), Since: x.Since, ShopCount: len(x.Shops),
		Shops: []api.ReachedShop{}, Terminals: []api.ReachedTerminal{}, More: x.Hidden}
	if who.Merchant() {
		a.All = api.Sold{}
	}
	for _, s := range first(x.Shops, shopsListed) {
		a.Shops = append(a.Shops, api.ReachedShop{Merchant: s.Merchant, Name: s.Name, Terminals: s.Terminals, Sold: soldOf(s.Sales.Sales, s.Sales.Amount)})
	}
	for i := range x.Listed {
		a.Terminals = append(a.Terminals, reachedAs(&x.Listed[i]))
	}
	return a, nil
}

func soldOf(n int64, a pos.Amount) api.Sold { return api.Sold{Sales: n, Amount: int64(a)} }

func reachedAs(t *reachedTerminal) api.ReachedTerminal {
	return api.ReachedTerminal{Terminal: t.Terminal, Merchant: t.Merchant, Serial: t.Serial, Model: t.Model, Hardware: t.Hardware, Version: t.Version, Sure: t.Sure, Answer: string(t.Answer), To: t.To,
		Sold: soldOf(t.Sales.Sales, t.Sales.Amount)}
}

// ExportAdvisory implements api.UpdateBook.
func (d *desk) ExportAdvisory(ctx context.Context, _ *web.Caller, q *api.ExportQuery) (json.RawMessage, error) {
	var a *fleet.Advisory
	if err := d.roomsAsOf(ctx, &q.AsOf, func(r *rooms) { a = r.fleet.Advisory(q.ID) }); err != nil {
		return nil, err
	}
	if a == nil {
		return nil, api.NotFound()
	}
	return d.advisoryDocument(a, q.Format)
}

// Campaigns implements api.UpdateBook.
func (d *desk) Campaigns(ctx context.Context, _ *web.Caller, q *api.UpdateQuery) (api.Page[api.Campaign], error) {
	page := api.Page[api.Campaign]{Data: []api.Campaign{}}
	now, _, err := d.moment(&q.AsOf)
	if err != nil {
		return page, err
	}
	err = d.roomsAsOf(ctx, &q.AsOf, func(r *rooms) {
		for _, c := range slices.Backward(r.fleet.Campaigns()) {
			if q.State == "" || q.State == string(c.State) {
				page.Data = append(page.Data, campaignOf(r, c, now))
			}
		}
	})
	return page, err
}

func campaignOf(r *rooms, c *fleet.Campaign, now pos.Instant) api.Campaign {
	a := api.Campaign{ID: c.ID, Advisory: c.Advisory, Restriction: c.Restriction, After: c.After, Started: whenOf(c.Started), Deadline: whenOf(c.Deadline), By: listOf(c.By), State: string(c.State),
		Closed: whenOf(c.Closed), ClosedBy: listOf(c.ClosedBy), Why: c.Why, Late: c.State == fleet.CampaignOpen && c.Deadline <= now, Start: api.Tally(c.Start), Left: api.Tally(c.Start), BurnDown: []api.BurnPoint{}}
	if x := r.fleet.Advisory(c.Advisory); x != nil {
		a.Title = x.Title
	}
	for i, text := range []string{c.Restriction, c.After} {
		if p, err := registry.ParsePermit(text); err == nil {
			a.Labels[i] = permitLabel(p)
		}
	}
	for _, p := range r.fleet.BurnDownOf(c.ID) {
		a.BurnDown = append(a.BurnDown, api.BurnPoint{At: whenOf(p.At), Left: api.Tally(p.Left)})
		a.Left = api.Tally(p.Left)
	}
	return a
}

// permitLabel says a permit to a person in both languages.
func permitLabel(p registry.Permit) api.Text {
	return api.Text{EN: permitWords(&lines{lang: explain.English}, p), ZH: permitWords(&lines{lang: explain.Chinese}, p)}
}

// Campaign implements api.UpdateBook.
func (d *desk) Campaign(ctx context.Context, _ *web.Caller, id string, q *api.AsOf) (api.CampaignDetail, error) {
	a := api.CampaignDetail{Laggards: []api.ReachedTerminal{}}
	w, err := d.asked(ctx, q)
	if err != nil {
		return a, err
	}
	w.view(func(r *rooms) {
		if c := r.fleet.Campaign(id); c != nil {
			a.Campaign = campaignOf(r, c, w.now())
		}
	})
	if a.ID == "" {
		return a, api.NotFound()
	}
	x, counted, err := figureAt(ctx, d.engine, "campaign/"+id, w.at, figureLife, func(ctx context.Context, w *epoch, pace func() error) (updatesAnswer, error) {
		return w.campaigns(ctx, &updatesQuery{ID: id}, updatesAnswer{}, pace)
	})
	if err != nil {
		return a, err
	}
	if a.Counted = counted; x.Left == nil {
		return a, nil
	}
	if a.State == string(fleet.CampaignOpen) { // of one that ended, the last note stands
		a.Left = api.Tally(*x.Left)
	}
	for i := range first(x.Terminals, reachedListed) {
		a.Laggards = append(a.Laggards, reachedAs(&x.Terminals[i]))
	}
	a.More = x.Left.Terminals - len(a.Laggards)
	return a, nil
}
