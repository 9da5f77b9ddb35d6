package console

import (
	"net/http"
	"strconv"
	"strings"

	"touchstone/web"
	"touchstone/web/api"
)

type inspectionsPage struct {
	api.Inspections
	Query     api.InspectionsQuery
	MayRecord bool
}

// fleetInspections shows inspections in four tabs.
func (c *Console) fleetInspections(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	q := api.InspectionsQuery{AsOf: asOf(r), Tab: v.Get("tab"), Days: 30, Merchant: strings.TrimSpace(v.Get("merchant"))}
	if n, err := strconv.Atoi(v.Get("days")); err == nil && n >= 1 && n <= 400 {
		q.Days = n
	}
	switch q.Tab {
	case "upcoming", "done", "findings":
	default:
		q.Tab = "overdue"
	}
	who := web.CallerOf(r.Context())
	a, err := c.Desk.Care.Inspections(r.Context(), who, &q)
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	c.fleetShow(w, r, "fleet-inspections", two(r, "Inspections", "巡检"), "inspections", inspectionsPage{a, q, mayInspect(who)})
}

// mayInspect tells whether an account may record a visit; the act's own rule decides.
func mayInspect(who *web.Caller) bool { return who.May("field", "security", "support") }

// fleetInspection shows one visit.
func (c *Console) fleetInspection(w http.ResponseWriter, r *http.Request) {
	then := asOf(r)
	i, err := c.Desk.Care.Inspection(r.Context(), web.CallerOf(r.Context()), r.PathValue("id"), &then)
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	c.fleetShow(w, r, "fleet-inspection", i.ID, "inspections", i)
}

type visitPage struct {
	api.Checklist
	Subject, Note string
	Answers       map[string]string
}

// newInspection is the form of a visit.
func (c *Console) newInspection(w http.ResponseWriter, r *http.Request) {
	list, err := c.Desk.Care.Checklist(r.Context(), web.CallerOf(r.Context()))
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	c.fleetShow(w, r, "fleet-visit", two(r, "Record an inspection", "记录巡检"), "inspections", visitPage{Checklist: list, Subject: r.URL.Query().Get("of"), Answers: map[string]string{}})
}

// recordInspection records a visit.
func (c *Console) recordInspection(w http.ResponseWriter, r *http.Request) {
	list, err := c.Desk.Care.Checklist(r.Context(), web.CallerOf(r.Context()))
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	p := visitPage{Checklist: list, Subject: strings.TrimSpace(r.PostFormValue("subject")), Note: strings.TrimSpace(r.PostFormValue("note")), Answers: map[string]string{}}
	for _, item := range list.Items {
		if a := strings.TrimSpace(r.PostFormValue("answer_" + item.ID)); a != "" {
			p.Answers[item.ID] = a
		}
	}
	again := func(why string) {
		c.fleetAgain(w, r, "fleet-visit", two(r, "Record an inspection", "记录巡检"), "inspections", p, why)
	}
	body := map[string]any{"subject": p.Subject, "answers": p.Answers}
	if p.Note != "" {
		body["note"] = p.Note
	}
	photos, err := c.sent(r, "photographs")
	if err != nil {
		again(unkept(r, err))
		return
	}
	if len(photos) > 0 {
		body["photographs"] = photos
	}
	to := func(d api.Done) string {
		if id := d.Facts["inspection"]; id != "" {
			return "/fleet/inspections/" + id
		}
		return "/fleet/inspections?tab=done"
	}
	c.carryOut(w, r, "inspect", body, to, again)
}

type trainingPage struct {
	api.Training
	Query    api.TrainingQuery
	MayTrain bool
	Account  string // whose own test may be begun here
}

// fleetTraining shows the training register.
func (c *Console) fleetTraining(w http.ResponseWriter, r *http.Request) { c.showTraining(w, r, "") }

func (c *Console) showTraining(w http.ResponseWriter, r *http.Request, why string) {
	v := r.URL.Query()
	q := api.TrainingQuery{State: v.Get("state"), Merchant: strings.TrimSpace(v.Get("merchant"))}
	switch q.State {
	case "due", "lapsed", "good", "left":
	default:
		q.State = "untrained"
	}
	who := web.CallerOf(r.Context())
	a, err := c.Desk.Training.Training(r.Context(), who, &q)
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	p := trainingPage{a, q, who.May("support", "merchant"), who.Account}
	if why != "" {
		c.fleetAgain(w, r, "fleet-training", two(r, "Training", "培训"), "training", p, why)
		return
	}
	c.fleetShow(w, r, "fleet-training", two(r, "Training", "培训"), "training", p)
}

// beginTraining gives a cashier, or the caller, the questions of a test.
func (c *Console) beginTraining(w http.ResponseWriter, r *http.Request) {
	body := map[string]string{"do": "begin"}
	if r.PostFormValue("own") != "" {
		body["account"] = web.CallerOf(r.Context()).Account
	} else {
		body["merchant"], body["operator"] = r.PostFormValue("merchant"), r.PostFormValue("operator")
	}
	to := func(d api.Done) string {
		if id := d.Facts["training"]; id != "" {
			return "/fleet/training/" + id
		}
		return "/fleet/training"
	}
	c.carryOut(w, r, "training", body, to, func(why string) { c.showTraining(w, r, why) })
}

// fleetPaper shows a test: its questions while it is sat, its result after.
func (c *Console) fleetPaper(w http.ResponseWriter, r *http.Request) { c.showPaper(w, r, "") }

func (c *Console) showPaper(w http.ResponseWriter, r *http.Request, why string) {
	p, err := c.Desk.Training.Paper(r.Context(), web.CallerOf(r.Context()), r.PathValue("id"))
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	if why != "" {
		c.fleetAgain(w, r, "fleet-paper", p.ID, "training", p, why)
		return
	}
	c.fleetShow(w, r, "fleet-paper", p.ID, "training", p)
}

// endTraining hands in the answers of a test.
func (c *Console) endTraining(w http.ResponseWriter, r *http.Request) {
	p, err := c.Desk.Training.Paper(r.Context(), web.CallerOf(r.Context()), r.PathValue("id"))
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	answers := map[string]string{}
	for _, q := range p.Questions {
		if a := r.PostFormValue("q_" + q.ID); a != "" {
			answers[q.ID] = a
		}
	}
	body := map[string]any{"do": "end", "id": p.ID, "answers": answers}
	if p.Account != "" {
		body["account"] = p.Account
	} else {
		body["merchant"], body["operator"] = p.Merchant, p.Operator
	}
	c.carryOut(w, r, "training", body, back("/fleet/training/"+p.ID), func(why string) { c.showPaper(w, r, why) })
}

type cashiersPage struct {
	api.Page[api.Cashier]
	Query     api.CashierQuery
	MayChange bool
}

// fleetCashiers shows the people at the counter of a shop.
func (c *Console) fleetCashiers(w http.ResponseWriter, r *http.Request) { c.showCashiers(w, r, "") }

func (c *Console) showCashiers(w http.ResponseWriter, r *http.Request, why string) {
	v, who := r.URL.Query(), web.CallerOf(r.Context())
	q := api.CashierQuery{Paging: api.Paging{Limit: 100, Cursor: v.Get("cursor")}, Merchant: strings.TrimSpace(v.Get("merchant"))}
	if who.Merchant() {
		q.Merchant = who.Shop.String()
	}
	a, err := c.Desk.Training.Cashiers(r.Context(), who, &q)
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	p := cashiersPage{a, q, who.May("support", "merchant")}
	if why != "" {
		c.fleetAgain(w, r, "fleet-cashiers", two(r, "Cashiers", "收银员"), "training", p, why)
		return
	}
	c.fleetShow(w, r, "fleet-cashiers", two(r, "Cashiers", "收银员"), "training", p)
}

// changeCashier gives a number to a person, or notes that one left.
func (c *Console) changeCashier(w http.ResponseWriter, r *http.Request) {
	who := web.CallerOf(r.Context())
	merchant := strings.TrimSpace(r.PostFormValue("merchant"))
	if who.Merchant() {
		merchant = who.Shop.String()
	}
	body := map[string]any{"merchant": merchant, "operator": strings.TrimSpace(r.PostFormValue("operator"))}
	if r.PostFormValue("leave") != "" {
		body["leave"] = true
	} else {
		body["name"] = strings.TrimSpace(r.PostFormValue("name"))
	}
	c.carryOut(w, r, "cashier", body, back("/fleet/cashiers?merchant="+merchant), func(why string) { c.showCashiers(w, r, why) })
}
