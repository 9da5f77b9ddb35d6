package check

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"time"

	"touchstone/explain"
	"touchstone/pos"
	"touchstone/web"
	"touchstone/web/api"
)

//go:embed templates
var templates embed.FS

//go:embed assets
var assets embed.FS

// Options are what the host tells its public pages.
type Options struct {
	Devices   Devices
	Cases     Cases
	Catalogue *explain.Catalogue
	Limits    Limits // zero: DefaultLimits
	Proxies   []netip.Prefix
	Zone      *time.Location
	Clock     func() time.Time
	Base      string // such as https://check.example, without a slash at its end
	Test      bool   // the data directory has published keys: every page says so
	Log       *slog.Logger
}

// Pages is the public pages. Make one with New; it is an http.Handler.
type Pages struct {
	Options
	router  *web.Router
	limits  *limits
	sets    map[string]*template.Template // by language
	decodes chan struct{}                 // one photograph at a time
	uploads chan struct{}                 // reports being read
}

// mostUploads is how many reports are read at once: each may be as large as a photograph.
const mostUploads = 4

// New makes the pages and mounts them on a router.
func New(r *web.Router, o Options) (*Pages, error) {
	if o.Limits == (Limits{}) {
		o.Limits = DefaultLimits()
	}
	p := &Pages{Options: o, router: r, limits: newLimits(o.Limits), sets: map[string]*template.Template{}, decodes: make(chan struct{}, 1), uploads: make(chan struct{}, mostUploads)}
	for _, lang := range languages {
		set, err := template.New("").Funcs(funcs(lang, o.Zone)).ParseFS(templates, "templates/*.html")
		if err != nil {
			return nil, err
		}
		p.sets[lang] = set
	}
	r.Page = p.refused
	p.mountAssets()
	p.get("/{$}", p.home)
	p.mountTerminal()
	p.mountDevice()
	p.mountExplain()
	p.mountReport()
	p.mountClaim()
	p.mountCase()
	p.mountAPI()
	p.mountPicture()
	return p, nil
}

// maxForm bounds the body of every form but that with a photograph.
const maxForm = 16 << 10

func (p *Pages) get(pattern string, h http.HandlerFunc) {
	p.router.HandleLarge(web.Route{Method: http.MethodGet, Pattern: pattern, Rule: web.Rule{Public: true}}, maxForm, h)
}

func (p *Pages) post(pattern string, h http.HandlerFunc) {
	p.router.HandleLarge(web.Route{Method: http.MethodPost, Pattern: pattern, Rule: web.Rule{Public: true}}, maxForm, h)
}

// ServeHTTP counts a request before anything is read, made or looked up for it.
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := p.Clock()
	if !p.limits.address.Allow(p.who(r), now) || !p.limits.all.AllowN(now, 1) {
		if strings.HasPrefix(r.URL.Path, api.Root) {
			writeBusy(w, r)
			return
		}
		tooMany(w)
		return
	}
	p.router.ServeHTTP(w, r)
}

// who is whose request it is, for the limits alone: it is kept nowhere else.
func (p *Pages) who(r *http.Request) netip.Addr { return addressOf(r, p.Proxies) }

// busy is the whole answer to a flood: no template, no language chosen.
const busy = `<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>429</title>` +
	`<h1>Too many requests</h1><p>Wait a minute, then try again. Nothing was checked: this is neither a yes nor a no.</p><p lang="zh">请求过多。请等一分钟再试。本次未做核验, 既不表示“是”, 也不表示“否”。</p>`

func tooMany(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Retry-After", "60")
	w.WriteHeader(http.StatusTooManyRequests)
	_, _ = io.WriteString(w, busy) // who asked is gone when this fails
}

// TerminalURL is what the QR code on a terminal's shell says: the page of its number.
func TerminalURL(base string, serial pos.Serial) string {
	return strings.TrimSuffix(base, "/") + "/t/" + url.PathEscape(string(serial))
}

// ProofURL is what the QR code on a device's screen says: the answer to its proof.
func ProofURL(base string, serial pos.Serial, proof string) string {
	return strings.TrimSuffix(base, "/") + "/p/" + url.PathEscape(string(serial)) + "/" + proof
}

// Languages of the pages.
var languages = [...]string{"en", "zh"}

// langField is the member of a query or a form that chooses the language.
const langField = "lang"

// langOf is the language that a link or a form chose, or what the browser prefers. No cookie keeps it: links repeat it.
func langOf(r *http.Request) (lang string, chosen bool) {
	for _, v := range [...]string{r.PostForm.Get(langField), r.URL.Query().Get(langField)} {
		if v == "en" || v == "zh" {
			return v, true
		}
	}
	if strings.HasPrefix(strings.ToLower(strings.TrimSpace(r.Header.Get("Accept-Language"))), "zh") {
		return "zh", false
	}
	return "en", false
}

// view is what every template is given; Data is the page's own.
type view struct {
	Title  string
	Lang   string
	Chosen bool // by a link: links go on with it
	Test   bool
	Host   string // of the base address: what the address line must say
	Other  string // this page in the other language
	Wrong  string // what of a form was wrong
	Data   any
}

// To is a link to another page in the same language.
func (v view) To(path string) string {
	if !v.Chosen {
		return path
	}
	mark := "?"
	if strings.Contains(path, "?") {
		mark = "&"
	}
	return path + mark + langField + "=" + v.Lang
}

// show renders a page whole before the first byte leaves.
func (p *Pages) show(w http.ResponseWriter, r *http.Request, status int, name string, v view) {
	v.Lang, v.Chosen = langOf(r)
	v.Test, v.Host = p.Test, p.Base
	v.Other = other(r, v.Lang)
	var page bytes.Buffer
	if err := p.sets[v.Lang].ExecuteTemplate(&page, name, v); err != nil {
		p.Log.Error("a public page could not be made", slog.String("page", name), slog.String("error", err.Error()))
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", v.Lang)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, web.Visible(page.String())) // who asked is gone when this fails
}

// other is the page in the other language. What was posted is not repeated: the link leads to the empty form.
func other(r *http.Request, lang string) string {
	q := r.URL.Query()
	q.Set(langField, map[string]string{"en": "zh", "zh": "en"}[lang])
	return r.URL.EscapedPath() + "?" + q.Encode()
}

// two picks the text of a request's language.
func two(r *http.Request, en, zh string) string {
	if lang, _ := langOf(r); lang == "zh" {
		return zh
	}
	return en
}

func (p *Pages) home(w http.ResponseWriter, r *http.Request) {
	p.show(w, r, http.StatusOK, "home", view{Title: two(r, "Check a payment terminal", "核验刷卡终端")})
}

// refused is how the router refuses a person.
func (p *Pages) refused(w http.ResponseWriter, r *http.Request, status int, _ string) {
	p.show(w, r, status, "refused", view{Title: two(r, "This did not work", "操作未成功"), Data: status})
}

// failed is a failure of the host: nothing is known, and nothing of it is told.
func (p *Pages) failed(w http.ResponseWriter, r *http.Request, err error) {
	p.Log.Error("a public page failed", slog.String("pattern", r.Pattern), slog.String("error", err.Error()))
	p.refused(w, r, http.StatusServiceUnavailable, "")
}

// kinds are the media types of assets.
var kinds = map[string]string{".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}

func (p *Pages) mountAssets() {
	files, err := fs.Glob(assets, "assets/*")
	if err != nil {
		panic(fmt.Sprintf("check: embedded assets: %v", err)) // they are compiled in
	}
	for _, name := range files {
		body, err := assets.ReadFile(name)
		if err != nil {
			panic(fmt.Sprintf("check: embedded assets: %v", err))
		}
		p.get("/"+name, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kinds[path.Ext(name)])
			w.Header().Set("Cache-Control", "public, max-age=3600")
			_, _ = w.Write(body)
		})
	}
}
