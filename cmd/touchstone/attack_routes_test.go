package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/staff"
	"touchstone/web"
)

// attackRig is the console of a host with the sample world, an incident, claims, a report and sales, before which stands
// whoever a test says.
type attackRig struct {
	*caseRig
	router *web.Router
	who    *web.Caller
	shops  [2]string // of the sales, and another
}

func newAttackRig(t *testing.T) *attackRig {
	t.Helper()
	c := newCaseRig(t)
	c.e.door.evenly = 0
	router, err := c.e.consoleRouter([]string{"127.0.0.1"}, false)
	if err != nil {
		t.Fatal(err)
	}
	r := &attackRig{caseRig: c, router: router}
	router.Identify = func(*http.Request) (*web.Caller, error) { return r.who, nil }
	first := staffTerminals()[0].merchant
	for _, s := range staffTerminals() {
		if s.merchant != first {
			r.shops = [2]string{first.String(), s.merchant.String()}
			break
		}
	}
	var hash *staff.Hash
	c.e.office.view(func(rooms *rooms) { hash = rooms.staff.Account("qian").Passphrase })
	for _, role := range staff.Roles {
		for _, shop := range r.shops {
			a := staff.Account{Name: nameOf(role, shop), FullName: "One " + string(role), Person: "R-" + string(role) + shop, Organisation: sampleAcquirer, Roles: []staff.Role{role}, Shop: shop, Passphrase: hash}
			if err := c.e.act(t.Context(), func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
				return staff.Register(r.staff, &a, "zhao", now)
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.quiet(t)
	return r
}

func nameOf(role staff.Role, shop string) string {
	return "one." + strings.ReplaceAll(string(role), "_", "-") + "." + shop[len(shop)-4:]
}

// caller is somebody with one role alone, and of a shop where the role is merchant.
func (r *attackRig) caller(role staff.Role, shop string) *web.Caller {
	c := &web.Caller{Account: nameOf(role, shop), FullName: "One", Roles: []staff.Role{role}, Via: web.BySession, Token: "the token of the session", Lang: "en"}
	if role == staff.Merchant {
		copy(c.Shop[:], shop)
	}
	return c
}

// call sends one request, which ends with its first piece where it would follow the host for ever.
func (r *attackRig) call(method, path, kind, body string) *httptest.ResponseRecorder {
	q := httptest.NewRequest(method, "http://127.0.0.1"+path, strings.NewReader(body))
	return r.send(q, kind)
}

func (r *attackRig) send(q *http.Request, kind string) *httptest.ResponseRecorder {
	if kind != "" {
		q.Header.Set("Content-Type", kind)
	}
	if r.who != nil {
		q.Header.Set(web.TokenHeader, r.who.Token)
	}
	if strings.HasSuffix(q.URL.Path, "/live") || strings.HasSuffix(q.URL.Path, "/stream") {
		ctx, cancel := context.WithTimeout(q.Context(), patience)
		defer cancel()
		w := &beginning{httptest.NewRecorder(), cancel}
		r.router.ServeHTTP(w, q.WithContext(ctx))
		return w.ResponseRecorder
	}
	return untilCounted(r.router, q)
}

// beginning takes the first piece of an answer that has no end, and hangs up.
type beginning struct {
	*httptest.ResponseRecorder
	hangUp func()
}

// Flush implements http.Flusher.
func (b *beginning) Flush() {
	b.ResponseRecorder.Flush()
	b.hangUp()
}

// untilCounted sends a request; where the host reads and says that it is not so far yet, as it does of figures over every
// terminal and of pages whose entries its view has not read, it is asked again, as its answer says.
func untilCounted(router http.Handler, q *http.Request) *httptest.ResponseRecorder {
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		w := httptest.NewRecorder()
		router.ServeHTTP(w, q.Clone(q.Context()))
		if q.Method != http.MethodGet || w.Code != http.StatusServiceUnavailable || time.Now().After(end) {
			return w
		}
	}
}

// quiet waits until what the host makes of its journal by itself is made: entries that come afterwards are the test's own.
func (r *canaryRig) quiet(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		head := r.e.ledger.Durable()
		if r.e.diagnoser != nil {
			r.e.diagnoser.drain()
		}
		if err := r.e.permits.settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r.e.watch.last() >= head && r.e.ledger.Durable() == head {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the host does not come to rest: entry %d of %d", r.e.watch.last(), r.e.ledger.Durable())
		}
	}
}

// kindOf is how a browser or a program sends a body to a route.
func kindOf(route web.Route) string {
	switch {
	case !isUnsafe(route.Method):
		return ""
	case route.API:
		return "application/json"
	}
	return "application/x-www-form-urlencoded"
}

// objectKind is what stands behind the first wildcard of routes: where the rig finds ones that are there, and one that is
// not.
type objectKind struct {
	list, member string // a route of the API that lists them, and the member that names one; "" where a test finds none
	begins       string // before the member, in the pattern
	unknown      string
	other        map[string]string // what else stands in the pattern
}

// objectKinds is by the part of the pattern before its first wildcard. A route with a wildcard that is not here fails the
// test: who adds one says what its objects are.
var objectKinds = map[string]objectKind{
	"/api/v1/merchants/":        {list: "/api/v1/merchants", member: "id", unknown: "mer_898310058129999"},
	"/api/v1/terminals/":        {list: "/api/v1/terminals", member: "id", unknown: "ter_99999999"},
	"/api/v1/permits/":          {list: "/api/v1/terminals", member: "id", unknown: "ter_99999999"},
	"/api/v1/devices/":          {list: "/api/v1/terminals", member: "serial", begins: "dev_", unknown: "dev_00000304TS0009999999"},
	"/api/v1/journal/":          {list: "/api/v1/journal", member: "entry", unknown: "99999999"},
	"/api/v1/transactions/":     {list: "/api/v1/transactions", member: "id", unknown: "txn_99999999"},
	"/api/v1/clones/":           {list: "/api/v1/terminals", member: "terminal", unknown: "99999999"},
	"/api/v1/inspections/":      {list: "/api/v1/inspections", member: "id", unknown: "INS-999999"},
	"/api/v1/training/":         {list: "/api/v1/training", member: "id", unknown: "TRN-999999"},
	"/api/v1/releases/":         {list: "/api/v1/releases", member: "id", unknown: "REL-999999"},
	"/api/v1/advisories/":       {list: "/api/v1/advisories", member: "id", unknown: "ADV-999999"},
	"/api/v1/campaigns/":        {list: "/api/v1/campaigns", member: "id", unknown: "CMP-999999"},
	"/api/v1/keys/":             {list: "/api/v1/keys", member: "id", unknown: "key_999999"},
	"/api/v1/incidents/":        {list: "/api/v1/incidents", member: "id", unknown: "INC-999999"},
	"/api/v1/claims/":           {list: "/api/v1/claims", member: "id", unknown: "CLM-999999"},
	"/api/v1/exposures/":        {list: "/api/v1/exposures", member: "incident", unknown: "INC-999999"},
	"/api/v1/reports/":          {list: "/api/v1/reports", member: "id", unknown: "RPT-999999"},
	"/api/v1/notices/":          {list: "/api/v1/notices", member: "id", unknown: "NTC-999999"},
	"/api/v1/runs/":             {list: "/api/v1/runs", member: "id", unknown: "RUN-999999"},
	"/api/v1/findings/":         {list: "/api/v1/findings", member: "id", unknown: "FND-999999"},
	"/api/v1/certificates/":     {list: "/api/v1/certificates", member: "id", unknown: "CRT-999999"},
	"/api/v1/staff/":            {list: "/api/v1/staff", member: "account", unknown: "nobody"},
	"/api/v1/proposals/":        {list: "/api/v1/proposals", member: "id", unknown: "PRP-999999"},
	"/journal/":                 {list: "/api/v1/journal", member: "entry", unknown: "99999999"},
	"/fleet/inspections/":       {list: "/api/v1/inspections", member: "id", unknown: "INS-999999"},
	"/fleet/training/":          {list: "/api/v1/training", member: "id", unknown: "TRN-999999"},
	"/fleet/advisories/":        {list: "/api/v1/advisories", member: "id", unknown: "ADV-999999"},
	"/fleet/campaigns/":         {list: "/api/v1/campaigns", member: "id", unknown: "CMP-999999"},
	"/keys/":                    {list: "/api/v1/keys", member: "id", unknown: "key_999999"},
	"/transactions/":            {list: "/api/v1/transactions", member: "id", unknown: "txn_99999999"},
	"/clones/":                  {list: "/api/v1/terminals", member: "terminal", unknown: "99999999"},
	"/devices/":                 {list: "/api/v1/terminals", member: "serial", unknown: "00000304TS0009999999"},
	"/terminals/":               {list: "/api/v1/terminals", member: "terminal", unknown: "99999999"},
	"/merchants/":               {list: "/api/v1/merchants", member: "id", unknown: "898310058129999"},
	"/docs/operations/":         {unknown: "no-such-operation"},
	"/setup/":                   {unknown: "AAAAAAAAAAAAAAAAAAAAAAAAAA"},
	"/enter/":                   {unknown: "AAAAAAAAAAAAAAAAAAAAAAAAAA"},
	"/staff/accounts/":          {list: "/api/v1/staff", member: "account", unknown: "nobody"},
	"/staff/proposals/":         {list: "/api/v1/proposals", member: "id", unknown: "PRP-999999"},
	"/incidents/":               {list: "/api/v1/incidents", member: "id", unknown: "INC-999999", other: map[string]string{"act": "note"}},
	"/claims/":                  {list: "/api/v1/claims", member: "id", unknown: "CLM-999999"},
	"/reports/":                 {list: "/api/v1/reports", member: "id", unknown: "RPT-999999", other: map[string]string{"n": "1", "act": "link"}},
	"/notices/":                 {list: "/api/v1/notices", member: "id", unknown: "NTC-999999"},
	"/laboratory/runs/":         {list: "/api/v1/runs", member: "id", unknown: "RUN-999999", other: map[string]string{"requirement": "A1"}},
	"/laboratory/findings/":     {list: "/api/v1/findings", member: "id", unknown: "FND-999999"},
	"/laboratory/certificates/": {list: "/api/v1/certificates", member: "id", unknown: "CRT-999999"},
	"/laboratory/scopes/":       {unknown: "SCP-999999"},
	"/docs/":                    {unknown: "no-such-page"},
	"/api/v1/webhooks/":         {unknown: "whk_999999"},
	"/webhooks/":                {unknown: "whk_999999", other: map[string]string{"act": "test", "delivery": "1", "n": "1"}},
}

// publicRoutes are what anybody may ask the console for, without an account; every asset besides. A route that comes to
// this list is a decision.
var publicRoutes = []string{"GET /api/v1/openapi.json", "GET /docs", "GET /docs/errors", "GET /docs/operations/{id}", "GET /enter/{token}", "GET /setup/{token}", "GET /sign-in", "GET /sign-in/code",
	"GET /sign-in/passphrase", "GET /sign-in/second", "POST /enter/{token}", "POST /setup/{token}", "POST /sign-in", "POST /sign-in/code", "POST /sign-in/passphrase", "POST /sign-in/second"}

var wildcard = regexp.MustCompile(`\{(\w+)\}`)

// pathAbout is a route's path about an object. A pattern of which no kind is known fails the test.
func pathAbout(t *testing.T, pattern, id string) string {
	t.Helper()
	pattern = strings.ReplaceAll(pattern, "{$}", "")
	at := strings.IndexByte(pattern, '{')
	if at < 0 {
		return pattern
	}
	kind, known := objectKinds[pattern[:at]]
	if !known {
		t.Fatalf("%s: say in objectKinds what stands behind its wildcard, so that a foreign one can be asked for", pattern)
	}
	if id == "" {
		id = kind.unknown
	}
	first := true
	return wildcard.ReplaceAllStringFunc(pattern, func(name string) string {
		if first {
			first = false
			return id
		}
		other, known := kind.other[strings.Trim(name, "{}")]
		if !known {
			t.Fatalf("%s: say in objectKinds what stands for %s", pattern, name)
		}
		return other
	})
}

// own finds the names of objects that the caller may see, at most most of them.
func (r *attackRig) own(t *testing.T, kind objectKind, as *web.Caller, most int) (ids []string) {
	t.Helper()
	if kind.list == "" {
		return nil
	}
	before := r.who
	defer func() { r.who = before }()
	r.who = as
	w := r.call(http.MethodGet, kind.list, "", "")
	var page struct{ Data []map[string]any }
	if w.Code != http.StatusOK {
		return nil
	}
	if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
		t.Fatalf("%s: %v", kind.list, err)
	}
	for _, o := range page.Data {
		v, ok := o[kind.member]
		if !ok {
			t.Fatalf("%s has no member %q: %v", kind.list, kind.member, o)
		}
		if id := fmt.Sprint(v); len(ids) < most && v != nil && id != "" {
			ids = append(ids, kind.begins+id)
		}
	}
	return ids
}

func refusedByRole(w *httptest.ResponseRecorder) bool {
	return w.Code == http.StatusForbidden && strings.Contains(w.Body.String(), "role_not_allowed")
}

// TestEveryRoute takes the table of routes from the router itself, so that a new one cannot escape: each is asked for by
// nobody, and under each role alone, about an object that is there. Who may not is refused and changes nothing; who may is
// not refused for its role; nobody makes the host fail.
func TestEveryRoute(t *testing.T) {
	r := newAttackRig(t)
	routes := r.router.Routes()
	if len(routes) < 300 {
		t.Fatalf("%d routes", len(routes))
	}
	var public []string
	for _, route := range routes {
		if route.Rule.Public && !strings.HasPrefix(route.Pattern, "/assets/") {
			public = append(public, route.Method+" "+route.Pattern)
		}
	}
	slices.Sort(public)
	if !slices.Equal(public, publicRoutes) {
		t.Errorf("public routes are\n%q, the list has\n%q", public, publicRoutes)
	}
	objects := map[string]string{}
	looker := &web.Caller{Account: "qian", Roles: []staff.Role{staff.Security, staff.Auditor, staff.Administrator}, Via: web.BySession, Token: "t", Lang: "en"}
	for prefix, kind := range objectKinds {
		if ids := r.own(t, kind, looker, 1); len(ids) > 0 {
			objects[prefix] = ids[0]
		}
	}
	path := func(route web.Route) string {
		prefix, _, _ := strings.Cut(route.Pattern, "{")
		return pathAbout(t, route.Pattern, objects[prefix])
	}
	t.Run("nobody", func(t *testing.T) {
		r.who = nil
		for _, route := range routes {
			got := r.call(route.Method, path(route), kindOf(route), "")
			want := http.StatusUnauthorized
			switch {
			case route.Rule.Public:
				if got.Code == http.StatusUnauthorized && route.Pattern != "/sign-in" || refusedByRole(got) || got.Code >= 500 {
					t.Errorf("%s %s is public and answers %d", route.Method, route.Pattern, got.Code)
				}
				continue
			case !route.API && route.Method == http.MethodGet:
				want = http.StatusSeeOther
			}
			if got.Code != want {
				t.Errorf("%s %s: %d, want %d", route.Method, route.Pattern, got.Code, want)
			}
		}
	})
	for _, role := range staff.Roles {
		t.Run(string(role), func(t *testing.T) { r.everyRouteAs(t, r.caller(role, r.shops[0]), routes, path) })
	}
}

func (r *attackRig) everyRouteAs(t *testing.T, who *web.Caller, routes []web.Route, path func(web.Route) string) {
	r.who = who
	r.quiet(t) // after what others did
	refused, from := 0, r.e.ledger.Durable()
	for _, route := range routes {
		if route.Rule.Allows(who) {
			continue
		}
		refused++
		if got := r.call(route.Method, path(route), kindOf(route), ""); !refusedByRole(got) {
			t.Errorf("%s %s: %d, and the role is not in %+v", route.Method, route.Pattern, got.Code, route.Rule)
		}
	}
	if to := r.e.ledger.Durable(); to != from {
		t.Errorf("%d refused requests wrote %d entries", refused, to-from)
	}
	if refused < 20 {
		t.Errorf("only %d routes are closed to the role", refused)
	}
	for _, route := range routes {
		if !route.Rule.Allows(who) || strings.HasPrefix(route.Pattern, "/assets/") {
			continue
		}
		got := r.call(route.Method, path(route), kindOf(route), "")
		if refusedByRole(got) || got.Header().Get("WWW-Authenticate") != "" || got.Code >= 500 { // a wrong passphrase is 401, too, without the header
			t.Errorf("%s %s: %d, and the role is in %+v: %.300s", route.Method, route.Pattern, got.Code, route.Rule, got.Body)
		}
	}
}

// TestS02ForeignObjects: every route that is open to shops and names an object answers about another shop's object as it
// answers about one that is not there: status, headers and bytes, but for the name that was asked for.
func TestS02ForeignObjects(t *testing.T) {
	r := newAttackRig(t)
	asked := map[string]int{}
	for i, shop := range r.shops {
		mine, theirs := r.caller(staff.Merchant, shop), r.caller(staff.Merchant, r.shops[1-i])
		for _, route := range r.router.Routes() {
			prefix, _, with := strings.Cut(route.Pattern, "{")
			if !with || !route.Rule.Shop || route.Rule.Public || strings.HasSuffix(route.Pattern, "{$}") {
				continue
			}
			kind := objectKinds[prefix]
			owned := r.own(t, kind, mine, 200)
			for _, id := range r.own(t, kind, theirs, 3) {
				if slices.Contains(owned, id) {
					continue // both may see it, such as an advisory about a model that both have
				}
				asked[prefix]++
				r.sameAsUnknown(t, route, mine, id, kind.unknown)
			}
			if len(owned) > 0 && route.Method == http.MethodGet {
				r.who = mine
				if got := r.call(route.Method, pathAbout(t, route.Pattern, owned[0]), "", ""); got.Code != http.StatusOK && got.Code != http.StatusSeeOther {
					t.Errorf("%s %s of the shop's own %s: %d", route.Method, route.Pattern, owned[0], got.Code)
				}
			}
		}
	}
	for _, prefix := range []string{"/api/v1/merchants/", "/api/v1/terminals/", "/api/v1/permits/", "/api/v1/devices/", "/api/v1/transactions/", "/terminals/", "/merchants/", "/devices/", "/transactions/"} {
		if asked[prefix] == 0 {
			t.Errorf("no foreign object was asked for at %s", prefix)
		}
	}
	t.Logf("asked about foreign objects: %v", asked)
}

func (r *attackRig) sameAsUnknown(t *testing.T, route web.Route, who *web.Caller, foreign, unknown string) {
	t.Helper()
	r.who = who
	from := r.e.ledger.Durable()
	one := r.call(route.Method, pathAbout(t, route.Pattern, foreign), kindOf(route), "")
	two := r.call(route.Method, pathAbout(t, route.Pattern, unknown), kindOf(route), "")
	if one.Code != two.Code {
		t.Errorf("%s %s: %s, of another shop, is answered %d; %s, which is not there, %d", route.Method, route.Pattern, foreign, one.Code, unknown, two.Code)
		return
	}
	if one.Code == http.StatusOK {
		t.Errorf("%s %s: %s, of another shop, is shown", route.Method, route.Pattern, foreign)
	}
	if a, b := plainAnswer(one, foreign), plainAnswer(two, unknown); a != b {
		t.Errorf("%s %s tells another shop's object from none:\n%.2000s\n%.2000s", route.Method, route.Pattern, a, b)
	}
	if to := r.e.ledger.Durable(); to != from {
		t.Errorf("%s %s wrote %d entries", route.Method, route.Pattern, to-from)
	}
}

var requestIDs = regexp.MustCompile(`req_[A-Z2-7]+`)

// plainAnswer is an answer without its request's own name and the name that was asked for.
func plainAnswer(w *httptest.ResponseRecorder, id string) string {
	h := w.Header().Clone()
	h.Del("Content-Length")
	text := fmt.Sprint(h, w.Body)
	return requestIDs.ReplaceAllString(strings.ReplaceAll(text, id, "ID"), "REQ")
}
