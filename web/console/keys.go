package console

import (
	"net/http"
	"net/url"

	"touchstone/web"
	"touchstone/web/api"
)

type keysPage struct {
	api.KeyFigures
	List  api.Page[api.KeyRecord]
	Query api.KeyQuery
	Next  string
}

// keys shows how many keys of what age there are, and lists them.
func (c *Console) keys(w http.ResponseWriter, r *http.Request) {
	v, who := r.URL.Query(), web.CallerOf(r.Context())
	q := api.KeyQuery{AsOf: asOf(r), Paging: api.Paging{Limit: 60, Cursor: v.Get("cursor")}, List: v.Get("list"), Find: v.Get("q")}
	switch q.List {
	case "single_des", "old":
	default:
		q.List = "all"
	}
	figures, err := c.Desk.Keys.KeyFigures(r.Context(), who, &q.AsOf)
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	list, err := c.Desk.Keys.Keys(r.Context(), who, &q)
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	p := keysPage{KeyFigures: figures, List: list, Query: q}
	if list.Next != "" {
		p.Next = "?" + keysNext(&q, list.Next) + "#list"
	}
	c.show(w, r, "keys", view{Title: two(r, "Keys", "密钥"), Active: "keys", Sheets: fleetSheets, Data: p})
}

func keysNext(q *api.KeyQuery, cursor string) string {
	v := url.Values{"list": {q.List}, "cursor": {cursor}}
	if q.AsOf.AsOf != "" {
		v.Set("as_of", q.AsOf.AsOf)
	}
	return v.Encode()
}

// key shows one key: where it comes from, and what falls with it.
func (c *Console) key(w http.ResponseWriter, r *http.Request) {
	at := asOf(r)
	k, err := c.Desk.Keys.Key(r.Context(), web.CallerOf(r.Context()), r.PathValue("id"), &at)
	if err != nil {
		c.fleetFail(w, r, err)
		return
	}
	c.show(w, r, "key", view{Title: holderWord(langOf(r), k.Owner), Active: "keys", Sheets: fleetSheets, Data: k})
}
