package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"touchstone/web"
)

// Root is where the interface is.
const Root = "/api/v1"

// API registers operations on a router.
type API struct {
	huma     huma.API
	shelf    *shelf
	inputs   huma.Registry // the schemas of bodies of acts
	forms    map[string]*ActForm
	desk     *Desk
	requests Requests
	running  sync.Map // of requests with an Idempotency-Key that are being carried out
	document func() ([]byte, error)
	listed   func() []Reference
}

// shelf is the router as huma sees it: each route it adds has the rule that is set at that moment.
type shelf struct {
	router *web.Router
	rule   web.Rule
	write  func(http.Handler) http.Handler // around whatever changes something
}

// HandleFunc implements humago.Mux.
func (s *shelf) HandleFunc(pattern string, f func(http.ResponseWriter, *http.Request)) {
	method, path, ok := strings.Cut(pattern, " ")
	if !ok {
		method, path = http.MethodGet, pattern
	}
	h := http.Handler(http.HandlerFunc(f))
	if method != http.MethodGet {
		h = s.write(h)
	}
	s.router.Handle(web.Route{Method: method, Pattern: path, Rule: s.rule, API: true}, h)
}

// ServeHTTP implements humago.Mux.
func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.router.ServeHTTP(w, r) }

// settings of the library that are variables of its package; the same for every interface of this process.
var librarySettings sync.Once

func setLibrary() {
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return problemOf(status, message, errs...)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		p := problemOf(status, message, errs...)
		if ctx != nil {
			p.of(ctx.Context())
		}
		return p
	}
	huma.ValidateStrictCasing = true
}

// New makes the interface on a router; version is that of the program.
func New(r *web.Router, version string) *API {
	r.API = Write
	librarySettings.Do(setLibrary)
	config := huma.DefaultConfig("Touchstone", version)
	config.Info.Description = about
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	config.CreateHooks = nil // no $schema members
	config.RejectUnknownQueryParameters = true
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", namedSchema)
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"key": {Type: "http", Scheme: "bearer", Description: "An API key."},
		"session": {Type: "apiKey", In: "cookie", Name: web.SessionCookie, Description: "A browser that is signed in; unsafe requests repeat its token in X-CSRF-Token."}}
	config.Security = []map[string][]string{{"key": {}}, {"session": {}}}
	s := &shelf{router: r}
	a := &API{shelf: s, inputs: bodies()}
	s.write = a.once
	a.huma = humago.New(s, config)
	a.document = sync.OnceValues(func() ([]byte, error) { return json.MarshalIndent(a.huma.OpenAPI(), "", " ") })
	a.listed = sync.OnceValue(a.references)
	r.Handle(web.Route{Method: http.MethodGet, Pattern: Root + "/openapi.json", Rule: web.Rule{Public: true}, API: true}, http.HandlerFunc(a.openAPI))
	return a
}

const about = `What the commands of Touchstone read and do, for programs. Reads of what changes in time take as_of: an instant, or a day, of which the end counts. A figure for which every terminal is looked at answers being_counted until it is there. Every write takes an Idempotency-Key. Every error has one form; /docs/errors says what each code means.`

// Document is the OpenAPI document. It is made once, after everything is mounted.
func (a *API) Document() ([]byte, error) { return a.document() }

// OpenAPI is the same as a value, for the page that shows it. Nobody changes it.
func (a *API) OpenAPI() *huma.OpenAPI { return a.huma.OpenAPI() }

func (a *API) openAPI(w http.ResponseWriter, r *http.Request) {
	document, err := a.document()
	if err != nil {
		a.refuse(w, r, a.toldTo(r.Context(), err))
		return
	}
	w.Header().Set("Content-Type", "application/openapi+json")
	_, _ = w.Write(document) // who asked is gone when this fails
}

// problemOf turns an error of the library into ours.
func problemOf(status int, message string, errs ...error) *Problem {
	for _, err := range errs {
		var known *Problem
		if errors.As(err, &known) {
			return known
		}
	}
	switch {
	case status >= 500:
		return Refuse(status, "internal", refusals["internal"])
	case status == http.StatusNotAcceptable:
		return Refuse(status, "not_acceptable", "this interface answers in application/json")
	case status == http.StatusRequestEntityTooLarge:
		return Refuse(status, "too_large", "the body is too long")
	case status == http.StatusUnsupportedMediaType:
		return Refuse(status, "media_type", "want Content-Type: application/json")
	}
	p := Refuse(http.StatusBadRequest, "invalid_request", message)
	for _, err := range errs {
		var detail *huma.ErrorDetail
		if !errors.As(err, &detail) {
			continue
		}
		if strings.HasPrefix(detail.Location, "body") {
			return ofDetail(detail)
		}
		p = Refuse(http.StatusBadRequest, "invalid_parameter", detail.Message)
		p.Param = shortened(detail.Location[strings.LastIndexByte(detail.Location, '.')+1:])
		if strings.HasPrefix(detail.Message, "unexpected query parameter") || strings.Contains(detail.Message, "unknown query") {
			p.Code, p.DocURL = "unknown_parameter", docURL("unknown_parameter")
		}
		break
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

// describe is an operation for the library; it sets the rule of the route that is registered next.
func (a *API) describe(op Operation) huma.Operation {
	a.shelf.rule = op.Rule
	h := huma.Operation{OperationID: op.ID, Method: op.Method, Path: Root + op.Path, Summary: op.Summary, Description: op.Text, Tags: []string{op.Tag}, DefaultStatus: op.Status,
		MaxBodyBytes: maxBody, BodyReadTimeout: -1} // the body is whole when the library sees it
	if op.Rule.Public {
		h.Security = []map[string][]string{}
	}
	if op.Method != http.MethodGet {
		most := MaxKey
		h.Parameters = []*huma.Param{{Name: KeyHeader, In: "header", Description: "Any text of yours, at most 255 printable ASCII characters, new for each thing to be done; a repeat within 24 hours gets the first answer. A program has to give it.",
			Schema: &huma.Schema{Type: huma.TypeString, MaxLength: &most}}}
	}
	return h
}

// Add registers an operation. in is decoded from path, query, header and body by its tags (huma's); an error that is
// no *Problem is logged and answered as internal.
func Add[I, O any](a *API, op Operation, do func(ctx context.Context, who *web.Caller, in *I) (O, error)) {
	huma.Register(a.huma, a.describe(op), func(ctx context.Context, in *I) (*answer[O], error) {
		o, err := do(ctx, web.CallerOf(ctx), in)
		if err != nil {
			return nil, a.toldTo(ctx, err)
		}
		return &answer[O]{o}, nil
	})
}

const maxBody = 1 << 20

// told is toldTo where no request is at hand.
func (a *API) told(err error) error { return a.toldTo(context.Background(), err) }

// toldTo is an error as the caller of a request is told it. One that is no *Problem is logged, and is ours.
func (a *API) toldTo(ctx context.Context, err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		told := *p
		return told.of(ctx)
	}
	a.shelf.router.Log.Error("an operation failed", slog.String("error", err.Error()), slog.String("request", web.RequestID(ctx)))
	return Refuse(http.StatusInternalServerError, "internal", refusals["internal"]).of(ctx)
}

func (a *API) refuse(w http.ResponseWriter, r *http.Request, p *Problem) {
	writeJSON(w, p.Status, p.of(r.Context()))
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(value); err != nil { // types of ours: they encode
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = body.WriteTo(w) // who asked is gone when this fails
}

// bodyOf reads a whole JSON body, which the router has bounded, and holds it against the strict reader.
func bodyOf(r *http.Request) ([]byte, *Problem) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" || params["charset"] != "" && !strings.EqualFold(params["charset"], "utf-8") {
		return nil, Refuse(http.StatusUnsupportedMediaType, "media_type", "want Content-Type: application/json")
	}
	if r.Header.Get("Content-Encoding") != "" {
		return nil, Refuse(http.StatusUnsupportedMediaType, "media_type", "want a body without Content-Encoding")
	}
	body, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, Refuse(http.StatusRequestEntityTooLarge, "too_large", "the body is too long")
	case err != nil:
		return nil, Refuse(http.StatusBadRequest, "body_missing", "the body did not come whole")
	}
	if p := Strict(body); p != nil {
		return nil, p
	}
	return body, nil
}
