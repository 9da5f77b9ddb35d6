package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"touchstone/fleet"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/web"
	"touchstone/web/api"
)

var _ api.CareBook = (*desk)(nil)

// Bounds of lists of inspections.
const (
	dueKept   = 5_000 // of each tab, the earliest
	dueListed = 200
	dueStep   = 512 // devices looked at while the rooms are held
	dueFar    = 400 * 24 * time.Hour

	maxInspectionsSeen = 100_000 // of those that were made, for one page
)

// dueFigure is when deployed devices are to be inspected.
type dueFigure struct {
	deployed, never int
	overdue         int
	lists           dueLists
	ahead           []int32 // upcoming by the day from now, at most dueFar
}

type dueLists struct{ overdue, upcoming []fleet.Due }

// keepEarliest keeps the earliest of a list that grows, and lets it grow to twice what is kept before it is sorted.
func keepEarliest(list []fleet.Due, d fleet.Due) []fleet.Due {
	if list = append(list, d); len(list) >= 2*dueKept {
		return earliest(list)
	}
	return list
}

func earliest(list []fleet.Due) []fleet.Due {
	slices.SortFunc(list, func(a, b fleet.Due) int {
		return cmp.Or(truth(b.Failed)-truth(a.Failed), cmp.Compare(a.Due, b.Due), slices.Compare(a.Terminal[:], b.Terminal[:]))
	})
	return list[:min(len(list), dueKept)]
}

// due looks at every deployed device, of one shop or of all.
func (w *epoch) due(ctx context.Context, pace func() error, shop pos.MerchantID) (*dueFigure, error) {
	f := &dueFigure{ahead: make([]int32, int(dueFar/(24*time.Hour))+1)}
	ids := make([]pos.TerminalID, 0, dueStep)
	for from := 0; ; {
		ids = ids[:0]
		next, err := w.each(ctx, from, dueStep, func(p ledger.Permitted) {
			if shop == (pos.MerchantID{}) || p.Terminal.Merchant == shop {
				ids = append(ids, p.Terminal.ID)
			}
		})
		if err != nil {
			return nil, err
		}
		now := w.now()
		w.view(func(r *rooms) {
			for _, id := range ids {
				if d, ok := r.fleet.DueOf(id, now); ok {
					f.take(d, now)
				}
			}
		})
		if from = next; from == 0 {
			break
		}
		if err := pace(); err != nil {
			return nil, err
		}
	}
	f.lists = dueLists{earliest(f.lists.overdue), earliest(f.lists.upcoming)}
	return f, nil
}

func (f *dueFigure) take(d fleet.Due, now pos.Instant) {
	f.deployed++
	if d.Last == "" {
		f.never++
	}
	if d.Overdue || d.Failed {
		f.overdue++
		f.lists.overdue = keepEarliest(f.lists.overdue, d)
		return
	}
	if day := int(d.Due.Sub(now) / (24 * time.Hour)); day < len(f.ahead) {
		f.ahead[day]++
		f.lists.upcoming = keepEarliest(f.lists.upcoming, d)
	}
}

// Inspections implements api.CareBook.
func (d *desk) Inspections(ctx context.Context, who *web.Caller, q *api.InspectionsQuery) (api.Inspections, error) {
	shop, err := ownShop(who, q.Merchant)
	if err != nil {
		return api.Inspections{}, err
	}
	w, err := d.asked(ctx, &q.AsOf)
	if err != nil {
		return api.Inspections{}, err
	}
	f, counted, err := figureAt(ctx, d.engine, "due/"+shop.String(), w.at, figureLife, func(ctx context.Context, w *epoch, pace func() error) (*dueFigure, error) {
		return w.due(ctx, pace, shop)
	})
	if err != nil {
		return api.Inspections{}, err
	}
	a := api.Inspections{Counted: counted, Overdue: f.overdue, Never: f.never, Deployed: f.deployed, Due: []api.InspectionDue{}, Done: []api.Inspection{}}
	days := cmp.Or(q.Days, 30)
	for _, n := range f.ahead[:min(days, len(f.ahead))] {
		a.Upcoming += int(n)
	}
	until := w.now().Add(time.Duration(days) * 24 * time.Hour)
	switch q.Tab {
	case "done", "findings":
		err = w.inspected(ctx, q, shop, &a)
		return a, err
	case "upcoming":
		for i := range f.lists.upcoming {
			if x := &f.lists.upcoming[i]; x.Due < until {
				if err := w.addDue(ctx, &a, x); err != nil {
					return a, err
				}
			}
			if len(a.Due) == dueListed {
				break
			}
		}
		a.More = a.Upcoming - len(a.Due)
	default:
		for i := range first(f.lists.overdue, dueListed) {
			if err := w.addDue(ctx, &a, &f.lists.overdue[i]); err != nil {
				return a, err
			}
		}
		a.More = a.Overdue - len(a.Due)
	}
	return a, nil
}

// inspected adds the inspections that were made, the newest first.
func (w *epoch) inspected(ctx context.Context, q *api.InspectionsQuery, shop pos.MerchantID, a *api.Inspections) error {
	var list []fleet.Inspection
	w.view(func(r *rooms) {
		r.fleet.NewestInspections(maxInspectionsSeen, func(i *fleet.Inspection) bool {
			switch {
			case shop != (pos.MerchantID{}) && i.Merchant != shop, q.Tab == "findings" && i.Passed:
			case len(list) == dueListed:
				a.More = 1
				return false
			default:
				list = append(list, *i)
			}
			return true
		})
	})
	for i := range list {
		done, err := w.inspection(ctx, &list[i])
		if err != nil {
			return err
		}
		a.Done = append(a.Done, done)
	}
	return nil
}

func (w *epoch) addDue(ctx context.Context, a *api.Inspections, x *fleet.Due) error {
	out := api.InspectionDue{Serial: string(x.Serial), Terminal: x.Terminal.String(), Address: x.Address, Site: string(x.Site), Risk: string(x.Risk), Due: x.Due.Time(), Last: x.Last,
		Failed: x.Failed, Overdue: x.Overdue}
	p, ok, err := w.permitted(ctx, x.Terminal)
	if err != nil {
		return err
	}
	if ok {
		out.Merchant = p.Terminal.Merchant.String()
		if out.Shop, err = w.shopName(ctx, p.Terminal.Merchant); err != nil {
			return err
		}
	}
	a.Due = append(a.Due, out)
	return nil
}

// inspection is a visit, with the shop's name as it was.
func (w *epoch) inspection(ctx context.Context, i *fleet.Inspection) (out api.Inspection, err error) {
	out = api.Inspection{ID: i.ID, Serial: string(i.Serial), Model: i.Model, Passed: i.Passed, Findings: []api.InspectionFinding{}, Quarantined: i.Quarantined, Inspector: i.Inspector, Note: i.Note,
		Photographs: len(i.Photographs), At: i.At.Time(), Due: i.Due.Time(), Entry: i.Entry}
	if i.Terminal != (pos.TerminalID{}) {
		out.Terminal = i.Terminal.String()
	}
	if i.Merchant != (pos.MerchantID{}) {
		out.Merchant = i.Merchant.String()
		if out.Shop, err = w.shopName(ctx, i.Merchant); err != nil {
			return out, err
		}
	}
	words := map[string]api.Text{}
	w.view(func(r *rooms) {
		for _, item := range r.fleet.Checklist().Items {
			words[item.ID] = api.Text{EN: item.EN, ZH: item.ZH}
		}
	})
	for _, x := range i.Findings {
		said, known := words[x.Item]
		if !known {
			said = same(strings.ReplaceAll(x.Item, "_", " "))
		}
		out.Findings = append(out.Findings, api.InspectionFinding{Item: x.Item, Label: said, Presented: x.Presented, Expected: x.Expected, Alarm: x.Alarm})
	}
	return out, nil
}

// Inspection implements api.CareBook.
func (d *desk) Inspection(ctx context.Context, who *web.Caller, id string, q *api.AsOf) (api.Inspection, error) {
	w, err := d.asked(ctx, q)
	if err != nil {
		return api.Inspection{}, err
	}
	var found *fleet.Inspection
	w.view(func(r *rooms) {
		if i := r.fleet.Inspection(id); i != nil && who.Sees(i.Merchant) {
			copied := *i
			found = &copied
		}
	})
	if found == nil {
		return api.Inspection{}, api.NotFound()
	}
	return w.inspection(ctx, found)
}

// Checklist implements api.CareBook.
func (d *desk) Checklist(context.Context, *web.Caller) (api.Checklist, error) {
	a := api.Checklist{Items: []api.ChecklistItem{}}
	d.office.view(func(r *rooms) {
		list := r.fleet.Checklist()
		a.Version = list.Version
		for _, i := range list.Items {
			a.Items = append(a.Items, api.ChecklistItem{ID: i.ID, Kind: i.Kind, Label: api.Text{EN: i.EN, ZH: i.ZH}, Alarm: i.Alarm})
		}
	})
	return a, nil
}

// ownShop is whose things are asked for: of a merchant's people their own shop, whatever they name; zero is all.
func ownShop(who *web.Caller, named string) (m pos.MerchantID, err error) {
	if named != "" {
		if m, err = pos.ParseMerchantID(named); err != nil {
			return m, api.NotFound()
		}
	}
	if !who.Merchant() {
		return m, nil
	}
	if named != "" && m != who.Shop {
		return m, api.NotFound()
	}
	return who.Shop, nil
}
