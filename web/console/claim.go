package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"touchstone/pos"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

// deciders are the roles that decide claims.
var deciders = web.Rule{Roles: []staff.Role{staff.Support}}

func (c *Console) mountClaims() {
	c.get("/claims", api.ClaimReaders(), c.claims)
	c.get("/claims/{id}", api.ClaimReaders(), c.claim)
	c.post("/claims/new", deciders, c.makeClaim)
	c.post("/claims/{id}/decide", deciders, c.decideClaim)
	c.post("/claims/{id}/proposal", deciders, c.answerProposal)
}

// claimList is the queue of claims.
type claimList struct {
	Tab    string
	Counts caseCounts
	By     map[string]int
	Query  api.ClaimQuery
	List   []api.Claim
	Money  api.Money
	Bars   moneyBars
	Later  string
	Acts   bool
	Today  time.Time
}

func (c *Console) claims(w http.ResponseWriter, r *http.Request) {
	q, ctx, who := r.URL.Query(), r.Context(), web.CallerOf(r.Context())
	d := claimList{Tab: "claims", Acts: deciders.Allows(who), Today: time.Now(), Query: api.ClaimQuery{Paging: pagingOf(r), Pick: q.Get("state"), Incident: q.Get("incident"), Terminal: q.Get("terminal")}}
	if !q.Has("state") {
		d.Query.Pick = "open"
	}
	page, err := c.Desk.Claims.Claims(ctx, who, &d.Query)
	if err == nil {
		d.By, err = c.Desk.Claims.ClaimCounts(ctx, who)
	}
	if err == nil {
		d.Counts, err = c.counts(r)
	}
	if err == nil {
		d.Money, err = c.Desk.Claims.Money(ctx, who, &api.MoneyQuery{Incident: d.Query.Incident})
	}
	if err != nil {
		c.fail(w, r, err)
		return
	}
	d.List, d.Later, d.Bars = page.Data, later(r, page.Next), drawMoney(&d.Money)
	v := view{Title: two(r, "Claims", "索赔"), Active: "incidents", Sheets: []string{caseSheet}, Data: d}
	tell(r, &v)
	c.show(w, r, "claims", v)
}

// claimPage is one claim.
type claimPage struct {
	api.ClaimWhole
	Acts bool // the caller decides
	Most pos.Amount
	Self string // the caller's account: who proposed does not approve
}

func (c *Console) claim(w http.ResponseWriter, r *http.Request) {
	who := web.CallerOf(r.Context())
	whole, err := c.Desk.Claims.Claim(r.Context(), who, &api.ClaimInput{ID: r.PathValue("id")})
	if err != nil {
		c.fail(w, r, err)
		return
	}
	d := claimPage{ClaimWhole: whole, Acts: deciders.Allows(who), Self: who.Account, Most: whole.Amount}
	if whole.Found != nil {
		d.Most = min(d.Most, whole.Found.Left)
	}
	v := view{Title: two(r, "Claim ", "索赔 ") + whole.ID, Active: "incidents", Sheets: []string{caseSheet}, Data: d}
	tell(r, &v)
	c.show(w, r, "claim", v)
}

// yuan reads an amount as people write it: 88, 88.5, 88.50; "" is none.
func yuan(s string) (pos.Amount, error) {
	s = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(s), "¥"))
	if s == "" {
		return 0, nil
	}
	whole, cents, _ := strings.Cut(s, ".")
	for len(cents) < 2 {
		cents += "0"
	}
	amount, err := pos.ParseAmount(whole + "." + cents)
	if err != nil {
		return 0, api.Refuse(http.StatusUnprocessableEntity, "act_refused", "an amount is yuan such as 88.00")
	}
	return amount, nil
}

func (c *Console) decideClaim(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	to := "/claims/" + url.PathEscape(id)
	refund, err := yuan(r.FormValue("refund"))
	more, err2 := yuan(r.FormValue("compensation"))
	if err == nil {
		err = err2
	}
	if err != nil {
		c.carried(w, r, to, api.Done{}, err)
		return
	}
	decision := map[string]any{"approve": r.FormValue("word") == "approve", "why": strings.TrimSpace(r.FormValue("why"))}
	if r.FormValue("word") == "approve" {
		decision["refund"], decision["compensation"] = refund, more
		if more > 0 {
			decision["payer"] = r.FormValue("payer")
		}
	}
	c.carry(w, r, to, "decision", map[string]any{"claim": id, "decision": decision})
}

// answerProposal is the second person's word, given where the claim stands.
func (c *Console) answerProposal(w http.ResponseWriter, r *http.Request) {
	c.carry(w, r, "/claims/"+url.PathEscape(r.PathValue("id")), "approve", map[string]any{"id": r.FormValue("proposal"), "reject": r.FormValue("word") == "reject"})
}

// makeClaim takes a claim down from a receipt, for somebody who calls.
func (c *Console) makeClaim(w http.ResponseWriter, r *http.Request) {
	amount, err := yuan(r.FormValue("amount"))
	day, err2 := time.Parse(time.DateOnly, r.FormValue("date"))
	if err == nil && err2 != nil {
		err = api.Refuse(http.StatusUnprocessableEntity, "act_refused", "a date is as on the receipt, YYYY-MM-DD")
	}
	var rrn uint64
	if s := strings.TrimSpace(r.FormValue("rrn")); err == nil && s != "" {
		if rrn, err = strconv.ParseUint(s, 10, 63); err != nil {
			err = api.Refuse(http.StatusUnprocessableEntity, "act_refused", "the reference number has 12 digits")
		}
	}
	if err != nil {
		c.carried(w, r, "/claims", api.Done{}, err)
		return
	}
	c.carry(w, r, "/claims", "claim", map[string]any{"date": day.Year()*10000 + int(day.Month())*100 + day.Day(), "amount": amount, "last4": strings.TrimSpace(r.FormValue("last4")),
		"terminal": strings.TrimSpace(r.FormValue("terminal")), "rrn": rrn, "incident": strings.TrimSpace(r.FormValue("incident")), "reason": strings.TrimSpace(r.FormValue("reason"))})
}
