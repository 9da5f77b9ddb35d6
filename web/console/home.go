package console

import (
	"net/http"

	"touchstone/web"
	"touchstone/web/api"
)

// mountHome is the first page: the shops, until a page of its own is made of what happens now.
func (c *Console) mountHome() {
	c.router.Handle(web.Route{Method: http.MethodGet, Pattern: "/{$}", Rule: web.Rule{Any: true, Shop: true}}, http.HandlerFunc(c.home))
}

func (c *Console) home(w http.ResponseWriter, r *http.Request) {
	shops, err := c.Desk.Merchants.Merchants(r.Context(), web.CallerOf(r.Context()), &api.MerchantQuery{Paging: api.Paging{Limit: 50}})
	if err != nil {
		c.fail(w, r, err)
		return
	}
	c.show(w, r, "home", view{Title: two(r, "Now", "现在"), Active: "now", Data: shops})
}
