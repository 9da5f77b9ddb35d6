package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"touchstone/fleet"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/releases"
	"touchstone/sqlite"
)

// updatesQuery asks for releases, advisories or campaigns.
type updatesQuery struct {
	What   string `json:"what"` // releases, advisories, export, radius, campaigns, campaign
	ID     string `json:"id,omitempty"`
	Format string `json:"format,omitempty"` // of export: csaf, osv, source
	Limit  int    `json:"limit,omitempty"`  // of radius: the most terminals listed
}

// updatesAnswer is what is asked for; the rest is empty.
type updatesAnswer struct {
	Releases   []fleet.Release   `json:"releases,omitempty"`
	Repository *repositoryAnswer `json:"repository,omitempty"`
	Advisories []fleet.Advisory  `json:"advisories,omitempty"`
	Document   []byte            `json:"document,omitempty"`
	Radius     *radiusAnswer     `json:"radius,omitempty"`
	Campaigns  []fleet.Campaign  `json:"campaigns,omitempty"`
	Left       *fleet.Tally      `json:"left,omitempty"` // of the campaign, now
	BurnDown   []fleet.BurnDown  `json:"burn_down,omitempty"`
	Terminals  []reachedTerminal `json:"terminals,omitempty"` // of the campaign: those that are left
	Now        pos.Instant       `json:"now"`
}

type repositoryAnswer struct {
	Directory string             `json:"directory"`
	Root      string             `json:"root"` // the file that a terminal is given as its root of trust
	Expiries  *releases.Expiries `json:"expiries,omitempty"`
}

// radiusAnswer is what an advisory touches.
type radiusAnswer struct {
	Advisory string            `json:"advisory"`
	Tally    fleet.Tally       `json:"tally"`
	Shops    []reachedShop     `json:"shops"`
	Sales    sqlite.Sold       `json:"sales"` // of the touched terminals, since Since
	All      sqlite.Sold       `json:"all_sales"`
	Since    time.Time         `json:"since"`
	Listed   []reachedTerminal `json:"terminals"`
	Hidden   int               `json:"terminals_not_listed,omitempty"`
}

type reachedShop struct {
	Merchant  string      `json:"merchant"`
	Name      string      `json:"name"`
	Terminals int         `json:"terminals"`
	Sales     sqlite.Sold `json:"sales"`
}

type reachedTerminal struct {
	Terminal string           `json:"terminal"`
	Merchant string           `json:"merchant"`
	Serial   string           `json:"serial"`
	Model    string           `json:"model"`
	Hardware string           `json:"hardware,omitempty"`
	Version  string           `json:"version,omitempty"`
	Sure     bool             `json:"sure"` // false: something of it is not known
	Answer   fleet.AnswerKind `json:"answer"`
	To       string           `json:"to,omitempty"`
	Sales    sqlite.Sold      `json:"sales"`
}

// Bounds of an answer, which passes through the control socket.
const (
	maxReached = 2000
	maxShops   = 2000
)

// updates answers a question on releases, advisories and campaigns.
func (e *engine) updates(ctx context.Context, q *updatesQuery) (answer updatesAnswer, err error) {
	answer.Now = e.clock()
	switch q.What {
	case "releases":
		return e.askReleases(answer)
	case "advisories":
		e.office.view(func(r *rooms) {
			for _, a := range r.fleet.Advisories() {
				if q.ID == "" || q.ID == a.ID {
					answer.Advisories = append(answer.Advisories, *a)
				}
			}
		})
		if q.ID != "" && len(answer.Advisories) == 0 {
			return answer, fmt.Errorf("%w: %.20s", fleet.ErrNoAdvisory, q.ID)
		}
		return answer, nil
	case "export":
		answer.Document, err = e.exportAdvisory(q)
		return answer, err
	case "radius":
		answer.Radius, err = e.radius(ctx, q)
		return answer, err
	case "campaigns", "campaign":
		return e.askCampaigns(ctx, q, answer)
	}
	return answer, errRequest
}

func (e *engine) askReleases(answer updatesAnswer) (updatesAnswer, error) {
	e.office.view(func(r *rooms) {
		for _, x := range r.fleet.Releases() {
			answer.Releases = append(answer.Releases, *x)
		}
	})
	repository := e.repository(releases.DefaultLives())
	if !repository.Exists() {
		return answer, nil
	}
	x, err := repository.Expiries()
	answer.Repository = &repositoryAnswer{Directory: repository.Directory(), Root: repository.RootFile(), Expiries: &x}
	return answer, err
}

// exportAdvisory writes an advisory in a format, or gives the document as it came.
func (e *engine) exportAdvisory(q *updatesQuery) ([]byte, error) {
	var a *fleet.Advisory
	e.office.view(func(r *rooms) { a = r.fleet.Advisory(q.ID) })
	if a == nil {
		return nil, fmt.Errorf("%w: %.20s", fleet.ErrNoAdvisory, q.ID)
	}
	return e.advisoryDocument(a, q.Format)
}

// advisoryDocument is an advisory in a format.
func (e *engine) advisoryDocument(a *fleet.Advisory, format string) ([]byte, error) {
	switch format {
	case "source":
		return e.keptFile(a.Digest)
	case fleet.FormatCSAF:
		return a.CSAF("Touchstone", "https://touchstone.invalid/")
	case fleet.FormatOSV:
		return a.OSV()
	}
	return nil, fmt.Errorf("format %.20q is not one of csaf, osv, source", format)
}

// radius is what an advisory touches, and what was sold there since midnight.
func (e *engine) radius(ctx context.Context, q *updatesQuery) (*radiusAnswer, error) {
	return e.present().radius(ctx, q, pos.MerchantID{}, ctx.Err)
}

// radius is what an advisory touches at a moment, with a rest between steps; of one shop where one is named.
func (w *epoch) radius(ctx context.Context, q *updatesQuery, of pos.MerchantID, pace func() error) (*radiusAnswer, error) {
	e := w.e
	var a *fleet.Advisory
	w.view(func(r *rooms) { a = r.fleet.Advisory(q.ID) })
	if a == nil {
		return nil, fmt.Errorf("%w: %.20s", fleet.ErrNoAdvisory, q.ID)
	}
	local := w.now().Time().In(e.line.Zone)
	since := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, e.line.Zone)
	sold, err := e.store.Reader.SoldBetween(ctx, pos.Instant(since.UnixNano()), w.upTo())
	if err != nil {
		return nil, err
	}
	answer := &radiusAnswer{Advisory: q.ID, Since: since, Shops: []reachedShop{}, Listed: []reachedTerminal{}}
	for _, s := range sold {
		answer.All.Sales, answer.All.Amount = answer.All.Sales+s.Sales, answer.All.Amount+s.Amount
	}
	shops := map[pos.MerchantID]*reachedShop{}
	limit := min(cmp.Or(q.Limit, maxReached), maxReached)
	err = w.eachReached(ctx, a, of, pace, func(x fleet.Reached) {
		s := sold[x.Terminal]
		answer.take(x, s, limit)
		shop := shops[x.Merchant]
		if shop == nil {
			shop = &reachedShop{Merchant: x.Merchant.String()}
			shops[x.Merchant] = shop
		}
		shop.Terminals++
		shop.Sales.Sales, shop.Sales.Amount = shop.Sales.Sales+s.Sales, shop.Sales.Amount+s.Amount
	})
	if err != nil {
		return nil, err
	}
	for id, shop := range shops {
		if shop.Name, err = w.shopName(ctx, id); err != nil {
			return nil, err
		}
		answer.Shops = append(answer.Shops, *shop)
	}
	answer.sort()
	return answer, nil
}

// reachStep is how many terminals are held against an advisory while the rooms are held.
const reachStep = 4096

// eachReached calls f with every terminal, of one shop where one is named, that an advisory touches. The rooms are held
// for a step at a time, and pace is called between two.
func (w *epoch) eachReached(ctx context.Context, a *fleet.Advisory, of pos.MerchantID, pace func() error, f func(fleet.Reached)) error {
	places := make([]fleet.Place, 0, reachStep)
	for from := 0; ; {
		places = places[:0]
		next, err := w.each(ctx, from, reachStep, func(p ledger.Permitted) {
			if !p.Terminal.Canary && p.Device != nil && (of == (pos.MerchantID{}) || of == p.Terminal.Merchant) {
				places = append(places, fleet.Place{Terminal: p.Terminal.ID, Merchant: p.Terminal.Merchant, Device: p.Device})
			}
		})
		if err != nil {
			return err
		}
		w.view(func(r *rooms) { r.fleet.Radius(a, places, f) })
		if from = next; from == 0 {
			return nil
		}
		if err := pace(); err != nil {
			return err
		}
	}
}

func (a *radiusAnswer) take(x fleet.Reached, s sqlite.Sold, limit int) {
	a.Tally.Take(x)
	a.Sales.Sales, a.Sales.Amount = a.Sales.Sales+s.Sales, a.Sales.Amount+s.Amount
	if len(a.Listed) == limit {
		a.Hidden++
		return
	}
	a.Listed = append(a.Listed, reachedOf(x, s))
}

func reachedOf(x fleet.Reached, s sqlite.Sold) reachedTerminal {
	return reachedTerminal{Terminal: x.Terminal.String(), Merchant: x.Merchant.String(), Serial: string(x.Device.Serial), Model: x.Device.Model,
		Hardware: x.Device.Hardware, Version: x.Version, Sure: x.Sure, Answer: x.Answer.Kind, To: x.Answer.Version, Sales: s}
}

// sort puts the shops that sold most first.
func (a *radiusAnswer) sort() {
	slices.SortFunc(a.Listed, func(x, y reachedTerminal) int { return cmp.Compare(x.Terminal, y.Terminal) })
	slices.SortFunc(a.Shops, func(x, y reachedShop) int {
		return cmp.Or(cmp.Compare(y.Sales.Amount, x.Sales.Amount), cmp.Compare(x.Merchant, y.Merchant))
	})
}

// askCampaigns lists campaigns, or tells how one stands: counted now, not as it was noted last.
func (e *engine) askCampaigns(ctx context.Context, q *updatesQuery, answer updatesAnswer) (updatesAnswer, error) {
	return e.present().campaigns(ctx, q, answer, ctx.Err)
}

// campaigns is askCampaigns of one moment, with a rest between steps.
func (w *epoch) campaigns(ctx context.Context, q *updatesQuery, answer updatesAnswer, pace func() error) (updatesAnswer, error) {
	var a *fleet.Advisory
	w.view(func(r *rooms) {
		for _, c := range r.fleet.Campaigns() {
			if q.ID == "" || q.ID == c.ID {
				answer.Campaigns = append(answer.Campaigns, *c)
			}
		}
		if q.ID != "" && len(answer.Campaigns) > 0 {
			a, answer.BurnDown = r.fleet.Advisory(answer.Campaigns[0].Advisory), slices.Clone(r.fleet.BurnDownOf(q.ID))
		}
	})
	if q.ID != "" && len(answer.Campaigns) == 0 {
		return answer, fmt.Errorf("%w: there is no %.20s", fleet.ErrCampaign, q.ID)
	}
	if a == nil {
		return answer, nil
	}
	answer.Left = new(fleet.Tally)
	err := w.eachReached(ctx, a, pos.MerchantID{}, pace, func(x fleet.Reached) {
		answer.Left.Take(x)
		if len(answer.Terminals) < maxReached {
			answer.Terminals = append(answer.Terminals, reachedOf(x, sqlite.Sold{}))
		}
	})
	slices.SortFunc(answer.Terminals, func(x, y reachedTerminal) int { return cmp.Compare(x.Terminal, y.Terminal) })
	return answer, err
}
