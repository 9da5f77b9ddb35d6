package console

import (
	"net/http"

	"touchstone/web"
	"touchstone/web/api"
)

// mountFind is the search that stands on every page.
func (c *Console) mountFind() {
	c.router.Handle(web.Route{Method: http.MethodGet, Pattern: "/find", Rule: web.Rule{Any: true, Shop: true}}, http.HandlerFunc(c.find))
}

// foundPage is the data of the page /find.
type foundPage struct {
	Q      string
	Groups []foundGroup
	More   bool
	Note   api.Text
	From   uint64
}

type foundGroup struct {
	Name api.Text
	List []api.Found
}

// groups are the groups in the order in which they are shown.
var groups = [...]struct {
	id   string
	name api.Text
}{
	{"transactions", api.Text{EN: "Transactions", ZH: "交易"}}, {"terminals", api.Text{EN: "Terminals", ZH: "终端"}}, {"devices", api.Text{EN: "Devices", ZH: "机具"}},
	{"merchants", api.Text{EN: "Shops", ZH: "商户"}}, {"incidents", api.Text{EN: "Incidents", ZH: "事件"}}, {"claims", api.Text{EN: "Claims", ZH: "索赔"}},
	{"proposals", api.Text{EN: "Proposals", ZH: "提案"}}, {"words", api.Text{EN: "Codes, reasons and words", ZH: "应答码、原因和用语"}},
}

// find goes to what was named exactly, where that is one thing, and lists what was found otherwise.
func (c *Console) find(w http.ResponseWriter, r *http.Request) {
	found, err := c.Desk.Find.Find(r.Context(), web.CallerOf(r.Context()), r.URL.Query().Get("q"))
	if err != nil {
		c.fail(w, r, err)
		return
	}
	exact := ""
	for i := range found.List {
		if x := &found.List[i]; x.Exact {
			if exact != "" {
				exact = ""
				break
			}
			exact = x.Path
		}
	}
	if exact != "" {
		http.Redirect(w, r, exact, http.StatusSeeOther)
		return
	}
	d := &foundPage{Q: found.Query, More: found.More, Note: found.Note, From: found.From}
	for _, g := range groups {
		group := foundGroup{Name: g.name}
		for i := range found.List {
			if found.List[i].Group == g.id {
				group.List = append(group.List, found.List[i])
			}
		}
		if len(group.List) > 0 {
			d.Groups = append(d.Groups, group)
		}
	}
	c.show(w, r, "find", view{Title: two(r, "Find", "查找"), Sheets: []string{"transaction.css"}, Data: d})
}
