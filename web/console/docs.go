package console

import (
	"net/http"
	"net/url"

	"touchstone/web"
	"touchstone/web/api"
)

// mountDocs are the pages of the interface: its operations, and what each code of an error means.
func (c *Console) mountDocs() {
	public := web.Rule{Public: true} // the document is
	c.router.Handle(web.Route{Method: http.MethodGet, Pattern: "/docs", Rule: public}, http.HandlerFunc(c.docsPage))
	c.router.Handle(web.Route{Method: http.MethodGet, Pattern: "/docs/operations/{id}", Rule: public}, http.HandlerFunc(c.operationPage))
	c.router.Handle(web.Route{Method: http.MethodGet, Pattern: "/docs/errors", Rule: public}, http.HandlerFunc(c.errorsPage))
}

// docsTag are the operations of one resource.
type docsTag struct {
	Tag, Name  string // of the document; as the page's language has it
	Operations []docsOperation
}

func (c *Console) docsPage(w http.ResponseWriter, r *http.Request) {
	var tags []docsTag
	for _, x := range c.Interface.References() {
		if len(tags) == 0 || tags[len(tags)-1].Tag != x.Tag {
			tags = append(tags, docsTag{Tag: x.Tag, Name: two(r, x.Tag, tagChinese[x.Tag])})
		}
		last := &tags[len(tags)-1]
		last.Operations = append(last.Operations, operationIn(langOf(r), x))
	}
	c.show(w, r, "docs", view{Title: two(r, "The JSON interface", "JSON 接口"), Sheets: []string{"docs.css"}, Data: tags})
}

func (c *Console) operationPage(w http.ResponseWriter, r *http.Request) {
	for _, x := range c.Interface.References() {
		if x.ID == r.PathValue("id") {
			shown := operationIn(langOf(r), x)
			c.show(w, r, "operation", view{Title: shown.Called, Sheets: []string{"docs.css"}, Data: shown})
			return
		}
	}
	c.refused(w, r, http.StatusNotFound, "not_found")
}

func (c *Console) errorsPage(w http.ResponseWriter, r *http.Request) {
	c.show(w, r, "errors", view{Title: two(r, "Codes of errors", "错误代码"), Sheets: []string{"docs.css"}, Data: api.Codes()})
}

// DocsLang is what a link to another page of the interface carries: the language, where a link chose it.
func (v view) DocsLang() string {
	if at, err := url.Parse(v.Path); err == nil && at.Query().Get("lang") == v.Lang {
		return "?lang=" + v.Lang
	}
	return ""
}

// DocsOther is this page in the other language.
func (v view) DocsOther() string {
	at, err := url.Parse(v.Path)
	if err != nil {
		return "/docs"
	}
	other := "zh"
	if v.Lang == "zh" {
		other = "en"
	}
	return at.EscapedPath() + "?lang=" + other
}
