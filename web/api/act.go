package api

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"touchstone/pos"
	"touchstone/staff"
	"touchstone/web"
)

// Act describes one act of people: what the commands do, as an operation.
type Act struct {
	Name    string       // stable, such as merchant
	Path    string       // below Root, such as /merchants
	Type    reflect.Type // of the body
	Rule    web.Rule     //
	Roles   []staff.Role // one of them; none: any account
	Two     TwoPersons   //
	Own     bool         // of the program itself, through the control socket alone
	Large   bool         // its files may be as long as MaxLargeFile
	EN, ZH  string       // what it is called
	Group   string       // of ActGroups
	Help    string       // one line
	HelpZH  string
	Example json.RawMessage // a body that is carried out on a test data directory; nil: none
}

// TwoPersons tells when an act needs a second person.
type TwoPersons string

// The cases.
const (
	NeverTwo     TwoPersons = "never"
	SometimesTwo TwoPersons = "sometimes" // by what the body asks for
	AlwaysTwo    TwoPersons = "always"
)

// Acts carries out acts of people. The name is the act's and the body its JSON; the caller's roles, the second person,
// the journal and the rules of the room are the same as of the commands. A field that names a file takes the id of an
// upload of the same caller; one that names a secret is refused from everywhere but the control socket.
type Acts interface {
	Act(ctx context.Context, who *web.Caller, name string, body json.RawMessage) (Done, error)
	Catalogue() []Act
}

// instant is how a moment is written in a body.
type instant struct{}

// Schema implements huma.SchemaProvider.
func (instant) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Description: "A moment, RFC 3339.", Examples: []any{"2026-11-28T09:00:00+08:00"}}
}

// day is how a calendar day is written.
type day struct{}

// Schema implements huma.SchemaProvider.
func (day) Schema(huma.Registry) *huma.Schema {
	low, high := 19000101.0, 99991231.0
	return &huma.Schema{Type: huma.TypeInteger, Minimum: &low, Maximum: &high, Description: "A day of the host's time zone, YYYYMMDD.", Examples: []any{20261128}}
}

// cents is how money is written.
type cents struct{}

// Schema implements huma.SchemaProvider.
func (cents) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeInteger, Format: "int64", Description: "Minor units: 8800 is 88.00.", Examples: []any{8800}}
}

// role is a word of staff.Roles.
type role struct{}

// Schema implements huma.SchemaProvider.
func (role) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString}
	for _, r := range staff.Roles {
		s.Enum = append(s.Enum, string(r))
	}
	return s
}

// bodies is the registry of the types of acts. Their moments are texts there, and numbers in what reads return.
func bodies() huma.Registry {
	r := huma.NewMapRegistry("#/components/schemas/", func(t reflect.Type, hint string) string { return namedSchema(t, hint) + "Input" })
	r.RegisterTypeAlias(reflect.TypeFor[pos.Instant](), reflect.TypeFor[instant]())
	r.RegisterTypeAlias(reflect.TypeFor[pos.Date](), reflect.TypeFor[day]())
	r.RegisterTypeAlias(reflect.TypeFor[pos.Amount](), reflect.TypeFor[cents]())
	r.RegisterTypeAlias(reflect.TypeFor[staff.Role](), reflect.TypeFor[role]())
	return r
}

// namedSchema names a type's schema: by its package too, where that is not this one, because rooms have types of one
// name.
func namedSchema(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
		t = t.Elem()
	}
	room := t.PkgPath()[strings.LastIndexByte(t.PkgPath(), '/')+1:]
	if room == "" || room == "main" || room == "api" || strings.HasSuffix(t.PkgPath(), "cmd/touchstone") {
		return name
	}
	if prefix := strings.ToUpper(room[:1]) + room[1:]; !strings.HasPrefix(name, prefix) {
		return prefix + name
	}
	return name
}

// actInput is the body of an act as it came.
type actInput struct {
	RawBody []byte `contentType:"application/json"`
}

type actAnswer struct {
	Status int
	Body   Done
}

// acts registers every act as an operation of its own.
func (a *API) acts(d *Desk) {
	a.forms = map[string]*ActForm{}
	for _, act := range d.Acts.Catalogue() {
		schema := a.inputs.Schema(act.Type, true, act.Name)
		form := &ActForm{Act: act, registry: a.inputs, schema: schema, ID: "act-" + strings.ReplaceAll(act.Name, "_", "-")}
		a.forms[act.Name] = form
		if act.Own {
			a.own(act, d)
			continue
		}
		a.actOperation(act, form)
	}
	all := a.huma.OpenAPI().Components.Schemas.Map()
	for name, s := range a.inputs.Map() {
		all[name] = s
	}
	Add(a, Operation{ID: "list-acts", Method: http.MethodGet, Path: "/acts", Summary: "List what may be asked for", Tag: "acts", Rule: web.Rule{Any: true, Shop: true},
		Text: "Every act with its path, its roles, whether two persons are needed, and the schema of its body. Of a merchant's people, those that they may do."},
		func(_ context.Context, who *web.Caller, _ *struct{}) (Page[ActShown], error) {
			page := Page[ActShown]{Data: []ActShown{}}
			for _, act := range d.Acts.Catalogue() {
				if !act.Own && (!who.Merchant() || act.Rule.Allows(who)) {
					page.Data = append(page.Data, a.forms[act.Name].Shown(who))
				}
			}
			return page, nil
		})
}

// actOperation is one act as POST.
func (a *API) actOperation(act Act, form *ActForm) {
	op := Operation{ID: form.ID, Method: http.MethodPost, Path: act.Path, Summary: act.EN, Text: actText(&act), Tag: "acts", Rule: act.Rule}
	h := a.describe(op)
	h.SkipValidateBody = true // Do does, by the act's own schema
	h.Responses = map[string]*huma.Response{"202": {Description: "Proposed: a second person has to approve.", Content: map[string]*huma.MediaType{
		"application/json": {Schema: a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Done](), true, "Done")}}}, "default": a.documentError()}
	huma.Register(a.huma, h, func(ctx context.Context, in *actInput) (*actAnswer, error) {
		done, err := a.Do(ctx, act.Name, in.RawBody)
		if err != nil {
			return nil, a.toldTo(ctx, err)
		}
		if done.Proposal != "" {
			return &actAnswer{http.StatusAccepted, done}, nil
		}
		return &actAnswer{http.StatusOK, done}, nil
	})
	media := a.huma.OpenAPI().Paths[Root+act.Path].Post.RequestBody.Content["application/json"]
	media.Schema = form.schema
	if act.Example != nil {
		var example any
		if json.Unmarshal(act.Example, &example) == nil {
			media.Example = example
		}
	}
}

func actText(act *Act) string {
	var b strings.Builder
	b.WriteString(act.Help)
	if len(act.Roles) > 0 {
		b.WriteString(" Roles: ")
		for i, r := range act.Roles {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(string(r))
		}
		b.WriteString(".")
	}
	switch act.Two {
	case AlwaysTwo:
		b.WriteString(" Two persons: the answer is 202 with a proposal, until a second one approves it.")
	case SometimesTwo:
		b.WriteString(" Two persons for some of what it may ask: the answer is then 202 with a proposal.")
	}
	return strings.TrimSpace(b.String())
}

// actTextZH is actText in Chinese; a role is named as a program gives it.
func actTextZH(act *Act) string {
	text := act.HelpZH
	if len(act.Roles) > 0 {
		roles := make([]string, len(act.Roles))
		for i, r := range act.Roles {
			roles[i] = string(r)
		}
		text += "角色：" + strings.Join(roles, ", ") + "。"
	}
	switch act.Two {
	case AlwaysTwo:
		text += "须双人：答复 202 和提案，由第二人批准后办理。"
	case SometimesTwo:
		text += "所含部分操作须双人：此时答复 202 和提案。"
	}
	return text
}

// Do holds a body against an act's schema and has the act carried out for the caller of ctx.
func (a *API) Do(ctx context.Context, name string, body []byte) (Done, error) {
	form := a.forms[name]
	if form == nil {
		return Done{}, NotFound()
	}
	who := web.CallerOf(ctx)
	if who.Via != web.BySocket { // a command has its types; people of another version of the program hear of them
		if p := form.Check(body); p != nil {
			return Done{}, p
		}
	}
	return a.desk.Acts.Act(ctx, who, name, body)
}

// own is an act of the program itself: a route that only the control socket has.
func (a *API) own(act Act, d *Desk) {
	a.shelf.rule = web.Rule{}
	a.shelf.HandleFunc("POST "+Root+act.Path, func(w http.ResponseWriter, r *http.Request) {
		body, p := bodyOf(r)
		if p != nil {
			a.refuse(w, r, p)
			return
		}
		done, err := d.Acts.Act(r.Context(), web.CallerOf(r.Context()), act.Name, body)
		if err != nil {
			a.refuse(w, r, a.toldTo(r.Context(), err))
			return
		}
		writeJSON(w, http.StatusOK, done)
	})
}

// ActShown is an act as a caller sees it.
type ActShown struct {
	Name    string       `json:"name" example:"merchant"`
	Path    string       `json:"path" example:"/api/v1/merchants"`
	Title   string       `json:"title"`
	TitleZH string       `json:"title_zh"`
	Group   string       `json:"group"`
	Roles   []staff.Role `json:"roles" nullable:"false" doc:"one of them; none: any account"`
	Two     TwoPersons   `json:"two_persons" enum:"never,sometimes,always"`
	Allowed bool         `json:"allowed" doc:"whether the caller's roles allow it"`
	Schema  string       `json:"schema" doc:"of its body"`
}

// Shown is the act for a caller.
func (f *ActForm) Shown(who *web.Caller) ActShown {
	roles := f.Roles
	if roles == nil {
		roles = []staff.Role{}
	}
	return ActShown{Name: f.Name, Path: Root + f.Path, Title: f.EN, TitleZH: f.ZH, Group: f.Group, Roles: roles, Two: f.Two, Allowed: f.Rule.Allows(who),
		Schema: Root + "/openapi.json" + f.schema.Ref}
}
