package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

// webhookShown is how many deliveries a page lists.
const webhookShown = 50

func (c *Console) mountWebhooks() {
	rule := web.Rule{Roles: api.WebhookReaders}
	c.router.Handle(web.Route{Method: http.MethodGet, Pattern: "/webhooks", Rule: rule}, http.HandlerFunc(c.webhooksPage))
	c.router.Handle(web.Route{Method: http.MethodGet, Pattern: "/webhooks/{id}", Rule: rule}, http.HandlerFunc(c.webhookPage))
}

type webhooksData struct {
	List []api.Webhook
	Acts bool // the caller may change them
	Code string
}

// webhookSample is a receiver to copy; the same as in docs/operating/webhooks.md.
const webhookSample = `import hmac, hashlib, time

def genuine(secret, header, body):            # body: the bytes as they came
    parts = [p.split("=", 1) for p in header.split(",")]
    at = next(v for k, v in parts if k == "t")
    want = hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    fresh = abs(time.time() - int(at)) <= 300
    return fresh and any(k == "v1" and hmac.compare_digest(v, want) for k, v in parts)`

func (c *Console) webhooksPage(w http.ResponseWriter, r *http.Request) {
	then := asOf(r)
	list, err := c.Desk.Webhooks.Webhooks(r.Context(), &then)
	if err != nil {
		c.failAsOf(w, r, err, "/webhooks")
		return
	}
	c.show(w, r, "webhooks", view{Title: two(r, "Webhooks", "回调"), Active: "staff",
		Data: webhooksData{list, web.CallerOf(r.Context()).May(staff.Administrator), webhookSample}})
}

type webhookData struct {
	api.Webhook
	Acts       bool
	Deliveries []api.WebhookDelivery
	Later      string
	Gone       bool // what was delivered by the moment asked for is not kept any more
}

func (c *Console) webhookPage(w http.ResponseWriter, r *http.Request) {
	then := asOf(r)
	list, err := c.Desk.Webhooks.Webhooks(r.Context(), &then)
	if err != nil {
		c.failAsOf(w, r, err, r.URL.Path)
		return
	}
	i := slices.IndexFunc(list, func(w api.Webhook) bool { return w.ID == r.PathValue("id") })
	if i < 0 {
		c.fail(w, r, api.NotFound())
		return
	}
	q := &api.WebhookInput{AsOf: then, ID: list[i].ID, Paging: api.Paging{Limit: webhookShown, Cursor: r.URL.Query().Get("cursor")}}
	page, err := c.Desk.Webhooks.Deliveries(r.Context(), q)
	var p *api.Problem
	gone := errors.As(err, &p) && p.Code == "as_of_not_kept"
	if err != nil && !gone {
		c.fail(w, r, err)
		return
	}
	data := webhookData{Webhook: list[i], Acts: web.CallerOf(r.Context()).May(staff.Administrator), Deliveries: page.Data, Gone: gone}
	if page.Next != "" {
		later := url.Values{"cursor": {page.Next}}
		if then.AsOf != "" {
			later.Set("as_of", then.AsOf)
		}
		data.Later = "?" + later.Encode()
	}
	c.show(w, r, "webhook", view{Title: data.ID, Active: "staff", Data: data})
}
