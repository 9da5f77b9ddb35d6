package console

import (
	"errors"
	"net/http"
	"net/url"

	"touchstone/web"
	"touchstone/web/api"
)

// proposalsData is what the list of proposals shows.
type proposalsData struct {
	Page    api.Page[api.Proposal]
	State   string // that is shown; "" all
	Waiting int
	Next    string
}

func (c *Console) proposalsPage(w http.ResponseWriter, r *http.Request) {
	who, q := web.CallerOf(r.Context()), r.URL.Query()
	d := proposalsData{State: q.Get("state"), Waiting: c.Desk.Staff.Waiting(who)}
	if !q.Has("state") {
		d.State = "open"
	}
	page, err := c.Desk.Staff.Proposals(r.Context(), who, &api.ProposalQuery{Paging: api.Paging{Limit: 50, Cursor: q.Get("cursor")}, State: d.State})
	if err != nil {
		c.fail(w, r, err)
		return
	}
	if d.Page = page; page.Next != "" {
		d.Next = "/staff/proposals?" + url.Values{"state": {d.State}, "cursor": {page.Next}}.Encode()
	}
	c.show(w, r, "proposals", staffView(r, "Proposals", "提案", d))
}

func (c *Console) proposalPage(w http.ResponseWriter, r *http.Request) {
	c.showProposal(w, r, http.StatusOK, "")
}

func (c *Console) showProposal(w http.ResponseWriter, r *http.Request, status int, failed string) {
	p, err := c.Desk.Staff.Proposal(r.Context(), web.CallerOf(r.Context()), r.PathValue("id"), &api.AsOf{})
	if err != nil {
		c.fail(w, r, err)
		return
	}
	v := c.withTold(r, staffView(r, p.ID, p.ID, p))
	if v.Failed = failed; failed != "" {
		v.Told = ""
	}
	c.showAs(w, r, status, "proposal", v)
}

// decide is the second person's word. The host refuses the same person, another role and a second decision; the refusal
// is in the journal.
func (c *Console) decide(w http.ResponseWriter, r *http.Request) {
	id, reject := r.PathValue("id"), r.PostFormValue("do") == "reject"
	if do := r.PostFormValue("do"); do != "approve" && do != "reject" {
		c.refused(w, r, http.StatusBadRequest, "invalid_request")
		return
	}
	_, err := c.act(r, "approve", map[string]any{"id": id, "reject": reject})
	var p *api.Problem
	if errors.As(err, &p) && p.Status < 500 && p.Status != http.StatusNotFound {
		c.showProposal(w, r, p.Status, c.said(r, errors.New(p.Message)))
		return
	}
	if err != nil {
		c.fail(w, r, err)
		return
	}
	done := "approved"
	if reject {
		done = "rejected"
	}
	http.Redirect(w, r, "/staff/proposals/"+url.PathEscape(id)+"?done="+done, http.StatusSeeOther)
}
