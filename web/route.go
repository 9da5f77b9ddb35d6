package web

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"touchstone/staff"
)

// Rule says who may call a route. The zero value lets nobody in.
type Rule struct {
	Public bool         // anybody, without an account
	Any    bool         // whoever is signed in, but a merchant's people only with Shop
	Roles  []staff.Role // one of them
	Shop   bool         // the role merchant is let in too; the handler shows it its own shop alone
}

// Allows tells whether the rule lets a caller in; nil is nobody.
func (u Rule) Allows(c *Caller) bool {
	switch {
	case u.Public:
		return true
	case c == nil:
		return false
	case c.Via == BySocket: // whoever may open the socket may read the data directory itself; acts still prove their people
		return true
	case c.Merchant():
		return u.Shop
	case u.Any:
		return true
	}
	return len(u.Roles) > 0 && c.May(u.Roles...)
}

// Staff are the roles of acquirer and laboratory that may look at the estate; auditors look at everything.
var Staff = Rule{Any: true}

// Route is one entry of the table of routes.
type Route struct {
	Method  string // as http.ServeMux has it
	Pattern string // path, with {id} wildcards
	Rule    Rule
	API     bool // refusals are JSON, and a missing account is 401 and no redirect
}

// maxBody bounds the body of every request; routes that take files say otherwise.
const maxBody = 1 << 20

// Router is a table of routes, each with its rule. Everything that the console, the API and the public pages serve
// goes through Handle, so a route without a rule cannot be.
type Router struct {
	// Identify proves who sends a request: nil for nobody. An error is an internal failure: nobody is let in.
	Identify func(*http.Request) (*Caller, error)
	// Still tells whether who sent a request under an account would still be let in, without counting as use; nil: not
	// asked. A request that lasts ends soon after its caller is not let in any more.
	Still func(r *http.Request, account string) bool
	// Page shows a person why a request was refused. API does so for a program.
	Page, API func(w http.ResponseWriter, r *http.Request, status int, code string)
	// Hosts are the names under which this listener is reached, without ports. A request under another is refused, so
	// that a foreign name pointed at this address reads nothing. None: any, of a socket.
	Hosts []string
	// Secure tells that browsers reach it over TLS.
	Secure bool
	Log    *slog.Logger
	// Watch is told of every request when its answer is written; nil: nobody is.
	Watch func(*Served)
	// Proxies are the networks of the operator's own proxies, whose X-Forwarded-For says who sent a request.
	Proxies []netip.Prefix
	// Pace is how fast one address may ask; nil: as fast as it likes.
	Pace *Buckets[netip.Addr]
	// Now is the clock of Pace.
	Now func() time.Time

	mux    *http.ServeMux
	origin *http.CrossOriginProtection
	routes []Route
	going  ongoing

	running sync.WaitGroup // requests
}

// NewRouter makes an empty table.
func NewRouter(log *slog.Logger) *Router {
	return &Router{mux: http.NewServeMux(), origin: http.NewCrossOriginProtection(), Log: log, Now: time.Now,
		Identify: func(*http.Request) (*Caller, error) { return nil, nil }, Page: plain, API: plain}
}

func plain(w http.ResponseWriter, _ *http.Request, status int, _ string) {
	http.Error(w, http.StatusText(status), status)
}

// Routes lists the table, in the order in which it was made.
func (t *Router) Routes() []Route { return slices.Clone(t.routes) }

// Wait waits until no request is being served: what was begun ends before the host does, whether its caller waits or
// not. No new one may come.
func (t *Router) Wait() { t.running.Wait() }

// Handle adds a route.
func (t *Router) Handle(r Route, h http.Handler) { t.handle(r, maxBody, h) }

// HandleLarge adds a route whose body may have up to most bytes.
func (t *Router) HandleLarge(r Route, most int64, h http.Handler) { t.handle(r, most, h) }

func (t *Router) handle(route Route, most int64, h http.Handler) {
	t.routes = append(t.routes, route)
	t.mux.Handle(route.Method+" "+route.Pattern, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := t.Identify(r)
		var denied *Denied
		if errors.As(err, &denied) {
			t.deny(route, w, r, denied)
			return
		}
		if err != nil {
			t.Log.Error("a caller could not be identified", slog.String("error", err.Error()))
			t.refuse(route, w, r, http.StatusServiceUnavailable, "unavailable")
			return
		}
		if caller != nil {
			placeOf(r.Context()).prove()
		}
		if caller == nil && !route.Rule.Public {
			t.unknown(route, w, r)
			return
		}
		if !route.Rule.Allows(caller) {
			t.refuse(route, w, r, http.StatusForbidden, "role_not_allowed")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, most)
		if caller != nil && most > maxBody {
			r.Body = &coming{ReadCloser: r.Body, to: http.NewResponseController(w), begun: time.Now()}
		}
		if caller != nil && caller.Via == BySession && unsafe(r.Method) && !repeatsToken(r, caller.Token) {
			t.refuse(route, w, r, http.StatusForbidden, "form_token_missing")
			return
		}
		ctx, done := t.follow(r, caller)
		defer done()
		h.ServeHTTP(w, r.WithContext(With(ctx, caller)))
	}))
}

// Denied is what Identify returns for a request that is refused whatever it asks for.
type Denied struct {
	Status     int
	Code       string
	RetryAfter int // seconds; 0: it does not help to come again
}

// Error implements error.
func (d *Denied) Error() string { return d.Code }

func (t *Router) deny(route Route, w http.ResponseWriter, r *http.Request, d *Denied) {
	if d.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(d.RetryAfter))
	}
	if d.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	t.refuse(route, w, r, d.Status, d.Code)
}

func (t *Router) refuse(route Route, w http.ResponseWriter, r *http.Request, status int, code string) {
	if route.API {
		t.API(w, r, status, code)
		return
	}
	t.Page(w, r, status, code)
}

// unknown sends a browser to the sign-in page, and refuses everybody else.
func (t *Router) unknown(route Route, w http.ResponseWriter, r *http.Request) {
	if route.API || r.Method != http.MethodGet {
		w.Header().Set("WWW-Authenticate", "Bearer")
		t.refuse(route, w, r, http.StatusUnauthorized, "not_signed_in")
		return
	}
	http.Redirect(w, r, "/sign-in?next="+escaped(r.URL.RequestURI()), http.StatusSeeOther)
}

func unsafe(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// TokenField and TokenHeader are where an unsafe request of a browser repeats its session's token.
const (
	TokenField  = "csrf"
	TokenHeader = "X-CSRF-Token"
)

func repeatsToken(r *http.Request, token string) bool {
	given := r.Header.Get(TokenHeader)
	if given == "" && !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		given = r.PostFormValue(TokenField) // never of the address, which is logged by others and shown
	}
	return token != "" && subtle.ConstantTimeCompare([]byte(given), []byte(token)) == 1
}

// ServeHTTP implements http.Handler.
func (t *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t.running.Add(1)
	defer t.running.Done()
	placeOf(r.Context()).serve()
	policy(w.Header(), t.Secure)
	endsHere(w, r)
	r = numbered(w, r)
	t.fromClient(r)
	w, ended := t.watched(w, r)
	defer ended()
	isAPI := strings.HasPrefix(r.URL.Path, "/api/")
	if t.tooMany(w, r, isAPI) {
		return
	}
	if len(t.Hosts) > 0 && !t.named(r.Host) {
		t.refuse(Route{API: isAPI}, w, r, http.StatusMisdirectedRequest, "unknown_host")
		return
	}
	if err := t.origin.Check(r); err != nil {
		t.refuse(Route{API: isAPI}, w, r, http.StatusForbidden, "cross_site")
		return
	}
	defer func() {
		switch err := recover(); {
		case err == nil:
		case err == http.ErrAbortHandler:
			panic(err)
		default:
			t.Log.Error("a request failed", slog.String("pattern", r.Pattern), slog.String("panic", panicked(err)))
			t.refuse(Route{API: isAPI}, w, r, http.StatusInternalServerError, "internal")
		}
	}()
	if _, pattern := t.mux.Handler(r); pattern == "" { // the mux would answer in its own words
		status, code := http.StatusNotFound, "not_found"
		if t.known(r.URL.Path) {
			status, code = http.StatusMethodNotAllowed, "method_not_allowed"
		}
		t.refuse(Route{API: isAPI}, w, r, status, code)
		return
	}
	t.mux.ServeHTTP(w, r)
}

type requestKey struct{}

// numbered gives a request a number of its own, by which its answer and the log name it.
func numbered(w http.ResponseWriter, r *http.Request) *http.Request {
	id := "req_" + rand.Text()[:20]
	w.Header().Set("Request-Id", id)
	return r.WithContext(context.WithValue(r.Context(), requestKey{}, id))
}

// RequestID is the number of a request, "" outside one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestKey{}).(string)
	return id
}

// panicked says what was wrong without what a request held.
func panicked(err any) string {
	if e, ok := err.(error); ok {
		var bounds interface{ RuntimeError() }
		if errors.As(e, &bounds) {
			return e.Error()
		}
	}
	return "panic"
}

func (t *Router) known(path string) bool {
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe, err := http.NewRequest(method, "http://x"+escapedPath(path), nil)
		if err != nil {
			return false
		}
		if _, pattern := t.mux.Handler(probe); pattern != "" {
			return true
		}
	}
	return false
}

func (t *Router) named(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	return slices.Contains(t.Hosts, strings.ToLower(strings.Trim(name, "[]")))
}
