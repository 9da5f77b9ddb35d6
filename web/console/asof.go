package console

import (
	"net/http"
	"net/url"
	"slices"

	"touchstone/web/api"
)

// asOf is the moment that a page is asked for; none is now.
func asOf(r *http.Request) api.AsOf { return api.AsOf{AsOf: r.URL.Query().Get("as_of")} }

// place is the address of a page.
func (v view) place() (path string, query url.Values) {
	u, err := url.ParseRequestURI(v.Path)
	if err != nil {
		return "", nil // an error page of a request that has no address
	}
	return u.Path, u.Query()
}

// AsOf is the past moment that a page tells of, as it was typed; "" is now.
func (v view) AsOf() string {
	_, q := v.place()
	return q.Get("as_of")
}

// Here is the path of a page, without what it is asked for.
func (v view) Here() string {
	path, _ := v.place()
	return path
}

// keptField is a hidden field of a form.
type keptField struct{ Name, Value string }

// notKept are what an address asks for that another date makes void.
var notKept = []string{"as_of", "cursor", toldProposal, toldDone}

// Kept are what a page is asked for besides its date: choosing one keeps it.
func (v view) Kept() (list []keptField) {
	_, q := v.place()
	for name, values := range q {
		if !slices.Contains(notKept, name) {
			for _, value := range values {
				list = append(list, keptField{name, value})
			}
		}
	}
	slices.SortFunc(list, func(a, b keptField) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return list
}
