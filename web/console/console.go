package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"time"

	"touchstone/web"
	"touchstone/web/api"
)

//go:embed templates
var templates embed.FS

//go:embed assets
var assets embed.FS

// Options are what the host tells its console.
type Options struct {
	Desk      *api.Desk
	Interface *api.API // mounted before the pages; nil: no pages of acts and of the interface
	Sessions  *web.Sessions
	Door      Door // who proves people; nil: nobody signs in, and the two below are nil too
	Guests    Guests
	Self      Self
	Chinese   func(english string) string // of a sentence by which a rule refuses; nil: it stays English
	Zone      *time.Location
	Test      bool   // the data directory has published keys: every page says so
	Version   string // of the program
	Log       *slog.Logger
}

// Console is the pages. Make one with New.
type Console struct {
	Options
	router *web.Router
	sets   map[string]*template.Template // by language: every template
	told   *outcomes
}

// Languages of the pages.
var languages = [...]string{"en", "zh"}

// New makes the console and mounts its pages on a router.
func New(r *web.Router, o Options) (*Console, error) {
	c := &Console{Options: o, router: r, sets: map[string]*template.Template{}}
	for _, lang := range languages {
		set := template.New("")
		for _, more := range []func(string, *time.Location) template.FuncMap{
			funcs,
			caseFuncs,
			fleetFuncs,
			messageFuncs,
		} {
			set.Funcs(more(lang, o.Zone))
		}
		set.Funcs(template.FuncMap{"ruled": func(text string) string { // what the program itself wrote into a record, in English
			if lang == "zh" && o.Chinese != nil {
				return o.Chinese(text)
			}
			return text
		}})
		set, err := set.ParseFS(templates, "templates/*.html")
		if err != nil {
			return nil, err
		}
		c.sets[lang] = set
	}
	r.Page = c.refused
	c.mount()
	return c, nil
}

// mount adds every page. A page's file has a method that mounts it.
func (c *Console) mount() {
	c.mountAssets()
	c.mountNow()
	c.mountFailures()
	c.mountJournal()
	c.mountFleet()
	c.mountTransactions()
	c.mountClones()
	c.mountFind()
	c.mountLabel()
	c.mountTerminal()
	if c.Interface != nil {
		c.mountActs()
		c.mountDocs()
	}
	if c.Door != nil {
		c.mountSignIn()
		c.mountSetup()
		c.mountMe()
		c.mountStaff()
	}
	c.mountIncidents()
	c.mountClaims()
	c.mountReports()
	c.mountNotices()
	c.mountWebhooks()
	c.mountLaboratory()
}

// view is what every template is given; Data is the page's own.
type view struct {
	Title   string
	Active  string // the entry of the navigation
	Lang    string
	Theme   string
	Caller  *web.Caller
	Test    bool
	Version string
	Path    string   // of this page with its query, for links that change the language
	Sheets  []string // style sheets of this page besides the base, by their asset names
	Scripts []string // and scripts
	Told    string   // of the act that led here
	Failed  string
	Data    any
}

// Token is the hidden field of every form.
func (v view) Token() template.HTML {
	if v.Caller == nil {
		return ""
	}
	return template.HTML(`<input type="hidden" name="` + web.TokenField + `" value="` + template.HTMLEscapeString(v.Caller.Token) + `">`)
}

// show renders a page whole before the first byte leaves, so that a failure is a failure.
func (c *Console) show(w http.ResponseWriter, r *http.Request, name string, v view) {
	c.showAs(w, r, http.StatusOK, name, v)
}

func (c *Console) showAs(w http.ResponseWriter, r *http.Request, status int, name string, v view) {
	v.Caller, v.Test, v.Version, v.Path = web.CallerOf(r.Context()), c.Test, c.Version, r.URL.RequestURI()
	v.Lang, v.Theme = langOf(r), ""
	if v.Caller != nil {
		v.Theme = v.Caller.Theme
	}
	var page bytes.Buffer
	if err := c.sets[v.Lang].ExecuteTemplate(&page, name, v); err != nil {
		c.Log.Error("a page could not be made", slog.String("page", name), slog.String("error", err.Error()))
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, web.Visible(page.String())) // who asked is gone when this fails
}

// langOf is the caller's language, or what the browser prefers; on the public pages of the interface a link chooses too.
func langOf(r *http.Request) string {
	if q := r.URL.Query().Get("lang"); (q == "en" || q == "zh") && strings.HasPrefix(r.URL.Path, "/docs") {
		return q
	}
	if who := web.CallerOf(r.Context()); who != nil && (who.Lang == "en" || who.Lang == "zh") {
		return who.Lang
	}
	if q := r.URL.Query().Get("lang"); q == "en" || q == "zh" {
		return q
	}
	if strings.HasPrefix(strings.ToLower(r.Header.Get("Accept-Language")), "zh") {
		return "zh"
	}
	return "en"
}

// two picks the text of a page's language.
func two(r *http.Request, en, zh string) string {
	if langOf(r) == "zh" {
		return zh
	}
	return en
}

// refused is how the router refuses a person.
func (c *Console) refused(w http.ResponseWriter, r *http.Request, status int, code string) {
	title := http.StatusText(status)
	if langOf(r) == "zh" {
		title = "未能显示"
	}
	c.showAs(w, r, status, "refused", view{Title: title, Data: struct {
		Status int
		Code   string
	}{status, code}})
}

func (c *Console) mountAssets() {
	files, err := fs.Sub(assets, "assets")
	if err != nil {
		panic(fmt.Sprintf("console: embedded assets: %v", err)) // they are compiled in
	}
	entries, err := fs.Glob(files, "*")
	if err != nil {
		panic(fmt.Sprintf("console: embedded assets: %v", err))
	}
	for _, name := range entries { // each by name: a path that is not here does not exist
		body, err := fs.ReadFile(files, name)
		if err != nil {
			panic(fmt.Sprintf("console: embedded assets: %v", err))
		}
		kind := kinds[path.Ext(name)]
		c.router.Handle(web.Route{Method: http.MethodGet, Pattern: "/assets/" + name, Rule: web.Rule{Public: true}}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Cache-Control", "public, max-age=300")
			_, _ = w.Write(body)
		}))
	}
}

// kinds are the media types of assets.
var kinds = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".json": "application/json", ".png": "image/png"}
