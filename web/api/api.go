package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"touchstone/web"
)

// Root is where the interface is.
const Root = "/api/v1"

// API registers operations on a router.
type API struct {
	huma  huma.API
	shelf *shelf
}

// shelf is the router as huma sees it: each route it adds has the rule that is set at that moment.
type shelf struct {
	router *web.Router
	rule   web.Rule
}

// HandleFunc implements humago.Mux.
func (s *shelf) HandleFunc(pattern string, f func(http.ResponseWriter, *http.Request)) {
	method, path, ok := strings.Cut(pattern, " ")
	if !ok {
		method, path = http.MethodGet, pattern
	}
	s.router.Handle(web.Route{Method: method, Pattern: path, Rule: s.rule, API: true}, http.HandlerFunc(f))
}

// ServeHTTP implements humago.Mux.
func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.router.ServeHTTP(w, r) }

// New makes the interface on a router; version is that of the program.
func New(r *web.Router, version string) *API {
	r.API = Write
	huma.NewError = problemOf // a variable of that package: every error of it has our one form
	config := huma.DefaultConfig("Touchstone", version)
	config.Info.Description = about
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = Root+"/openapi", "", ""
	config.CreateHooks = nil // no $schema members
	config.RejectUnknownQueryParameters = true
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"key": {Type: "http", Scheme: "bearer", Description: "An API key."},
		"session": {Type: "apiKey", In: "cookie", Name: web.SessionCookie, Description: "A browser that is signed in; unsafe requests repeat its token in X-CSRF-Token."}}
	config.Security = []map[string][]string{{"key": {}}, {"session": {}}}
	s := &shelf{router: r, rule: web.Rule{Public: true}} // the OpenAPI document itself is public
	return &API{huma: humago.New(s, config), shelf: s}
}

const about = `What the commands of Touchstone read and do, for programs. Reads take as_of where the state of a past moment can be told. Every write takes an Idempotency-Key.`

// problemOf turns an error of the library into ours.
func problemOf(status int, message string, errs ...error) huma.StatusError {
	p := Refuse(status, "invalid_request", message)
	if status == http.StatusUnprocessableEntity {
		p = Refuse(http.StatusBadRequest, "invalid_request", message)
	}
	for _, err := range errs {
		var known *Problem
		if errors.As(err, &known) {
			return known
		}
		var detail *huma.ErrorDetail
		if errors.As(err, &detail) {
			p.Param, p.Message = strings.TrimPrefix(detail.Location, "body."), detail.Message
			break
		}
	}
	if status >= 500 {
		p = Refuse(status, "internal", refusals["internal"])
	}
	return p
}

// Operation describes one call.
type Operation struct {
	ID      string // stable, such as list-terminals
	Method  string
	Path    string // below Root, such as /terminals/{id}
	Summary string // one line
	Text    string // what else a caller should know
	Tag     string // the resource
	Rule    web.Rule
	Status  int // of success; 0: 200
}

type answer[O any] struct{ Body O }

// Add registers an operation. in is decoded from path, query, header and body by its tags (huma's); an error that is
// no *Problem is logged and answered as internal.
func Add[I, O any](a *API, op Operation, do func(ctx context.Context, who *web.Caller, in *I) (O, error)) {
	a.shelf.rule = op.Rule
	h := huma.Operation{OperationID: op.ID, Method: op.Method, Path: Root + op.Path, Summary: op.Summary, Description: op.Text, Tags: []string{op.Tag}, DefaultStatus: op.Status,
		MaxBodyBytes: maxBody}
	if op.Rule.Public {
		h.Security = []map[string][]string{}
	}
	huma.Register(a.huma, h, func(ctx context.Context, in *I) (*answer[O], error) {
		o, err := do(ctx, web.CallerOf(ctx), in)
		if err != nil {
			return nil, a.told(err)
		}
		return &answer[O]{o}, nil
	})
}

const maxBody = 1 << 20

func (a *API) told(err error) error {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	a.shelf.router.Log.Error("an operation failed", slog.String("error", err.Error()))
	return Refuse(http.StatusInternalServerError, "internal", refusals["internal"])
}
