package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"touchstone/explain"
	"touchstone/pos"
	"touchstone/registry"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

var _ api.TrainingBook = (*desk)(nil)

// Bounds of the training register.
const (
	trainedKept = 200 // listed of one state
	trainedStep = 2048
	trainedSoon = 30 * 24 * time.Hour // a training that lapses within this is due
)

// The states that are told besides those of package staff.
const trainingDue = "due"

// trainingFigure is the training of cashiers, of one shop or of all.
type trainingFigure struct {
	working int
	counts  map[string]int
	lists   map[string][]api.Cashier // the earliest of each state
}

func (f *trainingFigure) take(c *staff.Cashier, st *staff.Standing, now pos.Instant) {
	state := st.State
	if state == registry.Good && st.Until.Sub(now) < trainedSoon {
		state = trainingDue
	}
	if f.counts[state]++; c.Left == 0 {
		f.working++
	}
	row := api.Cashier{ID: c.Merchant + "/" + c.Operator, Merchant: c.Merchant, Operator: c.Operator, Name: c.Name, State: st.State, Since: c.Since.Time(), Training: st.Training}
	if st.Until != 0 {
		row.Until = st.Until.Time()
	}
	if f.lists[state] = append(f.lists[state], row); len(f.lists[state]) >= 4*trainedKept {
		f.lists[state] = earliestTrained(f.lists[state])
	}
}

func earliestTrained(list []api.Cashier) []api.Cashier {
	slices.SortFunc(list, func(a, b api.Cashier) int {
		return cmp.Or(a.Until.Compare(b.Until), a.Since.Compare(b.Since), strings.Compare(a.ID, b.ID))
	})
	return list[:min(len(list), trainedKept)]
}

// trainedIn looks at every cashier of a shop, or of all where it is "".
func trainedIn(view func(func(*rooms)) error, pace func() error, shop string, now pos.Instant) (*trainingFigure, error) {
	f := &trainingFigure{counts: map[string]int{}, lists: map[string][]api.Cashier{}}
	var all []*staff.Cashier
	err := view(func(r *rooms) {
		if shop != "" {
			all = r.staff.Cashiers(shop)
		} else {
			all = r.staff.AllCashiers()
		}
	})
	if err != nil {
		return nil, err
	}
	for some := range slices.Chunk(all, trainedStep) {
		err := view(func(r *rooms) {
			for _, c := range some {
				st := r.staff.StandingOf(c, now)
				f.take(c, &st, now)
			}
		})
		if err == nil {
			err = pace()
		}
		if err != nil {
			return nil, err
		}
	}
	for state := range f.lists {
		f.lists[state] = earliestTrained(f.lists[state])
	}
	return f, nil
}

// Training implements api.TrainingBook.
func (d *desk) Training(ctx context.Context, who *web.Caller, q *api.TrainingQuery) (api.Training, error) {
	merchant, err := ownShop(who, q.Merchant)
	if err != nil {
		return api.Training{}, err
	}
	shop := ""
	if merchant != (pos.MerchantID{}) {
		shop = merchant.String()
	}
	w, err := d.asked(ctx, &q.AsOf)
	if err != nil {
		return api.Training{}, err
	}
	f, counted, err := figureAt(ctx, d.engine, "training/"+shop, w.at, figureLife, func(_ context.Context, w *epoch, pace func() error) (*trainingFigure, error) {
		return trainedIn(func(see func(*rooms)) error { w.view(see); return nil }, pace, shop, w.now())
	})
	if err != nil {
		return api.Training{}, err
	}
	state := cmp.Or(q.State, staff.CashierUntrained)
	a := api.Training{Counted: counted, Cashiers: f.working, Good: f.counts[registry.Good] + f.counts[trainingDue], Due: f.counts[trainingDue], Lapsed: f.counts[staff.CashierLapsed],
		Untrained: f.counts[staff.CashierUntrained], List: []api.Cashier{}, Staff: []api.Trained{}}
	for _, row := range f.lists[state] {
		if id, err := pos.ParseMerchantID(row.Merchant); err == nil {
			if row.Shop, err = w.shopName(ctx, id); err != nil {
				return a, err
			}
		}
		a.List = append(a.List, row)
	}
	a.More = f.counts[state] - len(a.List)
	a.Policy = w.lapsedMay()
	if who.Merchant() {
		return a, nil
	}
	w.view(func(r *rooms) { a.Staff = staffTraining(r, w.now()) })
	return a, nil
}

// lapsedMay is what the policy in force lets a cashier do whose training lapsed.
func (w *epoch) lapsedMay() api.Text {
	en, zh := &lines{lang: explain.English}, &lines{lang: explain.Chinese}
	var may registry.Permit
	w.view(func(r *rooms) {
		may = w.e.permits.policy(r).Of(&registry.Fact{Name: registry.FactCashier, State: staff.CashierLapsed})
	})
	return api.Text{EN: permitWords(en, may), ZH: permitWords(zh, may)}
}

var topicWords = map[staff.Topic]explain.Text{
	staff.CounterTopic:   {EN: "security at the counter", ZH: "收银台安全"},
	staff.DeveloperTopic: {EN: "secure development", ZH: "安全开发"},
	staff.IncidentTopic:  {EN: "response to incidents", ZH: "事件响应"},
}

func staffTraining(r *rooms, now pos.Instant) []api.Trained {
	list := []api.Trained{}
	for _, topic := range staff.Topics {
		for _, st := range r.staff.StaffRegister(topic, now) {
			row := api.Trained{Account: strings.TrimPrefix(st.Subject, "account:"), Name: st.Name, Topic: string(topic), Label: label(topicWords[topic]), State: st.State, Training: st.Training}
			if st.Until != 0 {
				row.Until = st.Until.Time()
			}
			list = append(list, row)
		}
	}
	return list
}

// Cashiers implements api.TrainingBook.
func (d *desk) Cashiers(ctx context.Context, who *web.Caller, q *api.CashierQuery) (api.Page[api.Cashier], error) {
	merchant, err := ownShop(who, q.Merchant)
	if err != nil {
		return api.Page[api.Cashier]{}, err
	}
	shop := ""
	if merchant != (pos.MerchantID{}) {
		shop = merchant.String()
	}
	w, err := d.asked(ctx, &q.AsOf)
	if err != nil {
		return api.Page[api.Cashier]{}, err
	}
	now := w.now()
	page := api.Page[api.Cashier]{Data: []api.Cashier{}}
	limit := cmp.Or(q.Limit, 50)
	w.view(func(r *rooms) {
		for i, c := range r.staff.CashiersAfter(shop, q.Cursor, limit+1) {
			if i == limit {
				page.Next = page.Data[i-1].ID
				break
			}
			st := r.staff.StandingOf(c, now)
			row := api.Cashier{ID: c.Merchant + "/" + c.Operator, Merchant: c.Merchant, Operator: c.Operator, Name: c.Name, State: st.State, Since: c.Since.Time(), Training: st.Training}
			if st.Until != 0 {
				row.Until = st.Until.Time()
			}
			page.Data = append(page.Data, row)
		}
	})
	for i := range page.Data {
		if id, err := pos.ParseMerchantID(page.Data[i].Merchant); err == nil {
			if page.Data[i].Shop, err = w.shopName(ctx, id); err != nil {
				return api.Page[api.Cashier]{}, err
			}
		}
	}
	return page, nil
}

// Paper implements api.TrainingBook.
func (d *desk) Paper(_ context.Context, who *web.Caller, id string) (api.Paper, error) {
	var t *staff.Training
	name := ""
	d.office.view(func(r *rooms) {
		if t = r.staff.Training(id); t == nil {
			return
		}
		if account, ok := strings.CutPrefix(t.Subject, "account:"); ok {
			if a := r.staff.Account(account); a != nil {
				name = a.FullName
			}
		} else if c := r.staff.Cashier(strings.TrimPrefix(t.Subject, "cashier:")); c != nil {
			name = c.Name
		}
	})
	if t == nil {
		return api.Paper{}, api.NotFound()
	}
	p := api.Paper{ID: t.ID, Name: name, State: string(t.State), Right: t.Right, Asked: t.Questions, Rule: []api.Text{}, Questions: []api.PaperQuestion{}}
	if t.Until != 0 {
		p.Until = t.Until.Time()
	}
	if account, ok := strings.CutPrefix(t.Subject, "account:"); ok {
		if who.Merchant() {
			return api.Paper{}, api.NotFound()
		}
		p.Account = account
	} else {
		p.Merchant, p.Operator, _ = strings.Cut(strings.TrimPrefix(t.Subject, "cashier:"), "/")
		merchant, err := pos.ParseMerchantID(p.Merchant)
		if err != nil || !who.Sees(merchant) {
			return api.Paper{}, api.NotFound()
		}
	}
	return p, addQuestions(&p, t)
}

// addQuestions puts the rule and, while the test is sat, its questions on the paper.
func addQuestions(p *api.Paper, t *staff.Training) error {
	bank, err := staff.LoadBank()
	if err != nil {
		return err
	}
	for _, point := range bank.Rule.Points {
		p.Rule = append(p.Rule, api.Text{EN: point.Name.EN + ". " + point.Text.EN, ZH: point.Name.ZH + "。" + point.Text.ZH})
	}
	if t.State != staff.Sitting || t.Bank != bank.Version {
		return nil
	}
	for _, q := range bank.Paper(t.Seed).Questions {
		item := api.PaperQuestion{ID: q.ID, Label: api.Text{EN: q.Text.EN, ZH: q.Text.ZH}, Choices: []api.Choice{}}
		for _, c := range q.Choices {
			item.Choices = append(item.Choices, api.Choice{ID: c.ID, Label: api.Text{EN: c.Text.EN, ZH: c.Text.ZH}})
		}
		p.Questions = append(p.Questions, item)
	}
	return nil
}
