package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// ActForm is an act with the schema of its body, and the fields of that as a person fills them in.
type ActForm struct {
	Act
	ID       string // of the operation
	registry huma.Registry
	schema   *huma.Schema
}

// Forms are the acts by name, once the interface is mounted.
func (a *API) Forms() map[string]*ActForm { return a.forms }

// FormField kinds.
const (
	FieldText   = "text"
	FieldLong   = "long" // a text of several lines
	FieldNumber = "number"
	FieldCheck  = "check"
	FieldChoice = "choice"
	FieldMoment = "moment"
	FieldFile   = "file"
	FieldList   = "list"  // texts, or choices, one a line
	FieldPairs  = "pairs" // name=value, one a line
	FieldGroup  = "group" // an object
	FieldJSON   = "json"  // what has no simpler form: JSON
	FieldBytes  = "bytes" // base64
)

// FormField is one member of a body, as a person fills it in.
type FormField struct {
	Name     string // the member's
	Path     string // with those above it: scope.from
	Kind     string
	Of       string // of FieldList: FieldText, FieldNumber, FieldChoice, FieldMoment or FieldFile
	Help     string
	Example  string
	Choices  []string
	Required bool
	Most     int // characters, 0 unbounded
	Fields   []FormField
}

// maxFormDepth is how many objects within each other a form shows; what is deeper is typed as JSON.
const maxFormDepth = 4

// Fields are the members of the body, in the order of the type.
func (f *ActForm) Fields() []FormField { return f.fields(f.schema, f.Type, "", 0) }

func (f *ActForm) fields(s *huma.Schema, t reflect.Type, path string, depth int) []FormField {
	s, t = f.deref(s), elem(t)
	var list []FormField
	for _, m := range membersOf(t) {
		prop := s.Properties[m.name]
		if prop == nil || m.field.Tag.Get("hidden") == "true" {
			continue
		}
		x := f.field(prop, m.field.Type, joined(path, m.name), depth)
		x.Name, x.Required = m.name, contains(s.Required, m.name)
		if class := m.field.Tag.Get("file"); class == "upload" || class == "sealed" {
			if x.Kind == FieldList {
				x.Of = FieldFile
			} else {
				x.Kind = FieldFile
			}
		}
		list = append(list, x)
	}
	return list
}

func (f *ActForm) field(s *huma.Schema, t reflect.Type, path string, depth int) FormField {
	x := FormField{Path: path, Help: s.Description, Example: exampleOf(s)}
	s = f.deref(s)
	switch {
	case s.Type == huma.TypeObject && elem(t).Kind() == reflect.Map && scalar(f.deref(mapValue(s))):
		x.Kind = FieldPairs
	case s.Type == huma.TypeObject && elem(t).Kind() == reflect.Struct && depth < maxFormDepth:
		x.Kind, x.Fields = FieldGroup, f.fields(s, t, path, depth+1)
	case s.Type == huma.TypeArray && scalar(f.deref(s.Items)):
		of := f.field(s.Items, elem(t).Elem(), path, depth)
		x.Kind, x.Of, x.Choices = FieldList, of.Kind, of.Choices
	case s.Type == huma.TypeObject || s.Type == huma.TypeArray:
		x.Kind = FieldJSON
	default:
		x.scalar(s)
	}
	return x
}

func (x *FormField) scalar(s *huma.Schema) {
	for _, e := range s.Enum {
		if word, ok := e.(string); ok {
			x.Choices = append(x.Choices, word)
		}
	}
	if s.MaxLength != nil {
		x.Most = *s.MaxLength
	}
	switch {
	case len(x.Choices) > 0:
		x.Kind = FieldChoice
	case s.Type == huma.TypeBoolean:
		x.Kind = FieldCheck
	case s.Type == huma.TypeInteger, s.Type == huma.TypeNumber:
		x.Kind = FieldNumber
	case s.Format == "date-time":
		x.Kind = FieldMoment
	case s.ContentEncoding == "base64":
		x.Kind = FieldBytes
	case s.Format == "text":
		x.Kind = FieldLong
	default:
		x.Kind = FieldText
	}
}

func exampleOf(s *huma.Schema) string {
	if len(s.Examples) == 0 {
		return ""
	}
	if text, ok := s.Examples[0].(string); ok {
		return text
	}
	if list, ok := s.Examples[0].([]any); ok {
		words := make([]string, len(list))
		for i, word := range list {
			words[i] = fmt.Sprint(word)
		}
		return strings.Join(words, ", ")
	}
	raw, err := json.Marshal(s.Examples[0])
	if err != nil {
		return ""
	}
	return string(raw)
}

func scalar(s *huma.Schema) bool {
	return s != nil && s.Type != "" && s.Type != huma.TypeObject && s.Type != huma.TypeArray
}

func mapValue(s *huma.Schema) *huma.Schema {
	value, _ := s.AdditionalProperties.(*huma.Schema)
	return value
}

func (f *ActForm) deref(s *huma.Schema) *huma.Schema {
	for s != nil && s.Ref != "" {
		s = f.registry.SchemaFromRef(s.Ref)
	}
	return s
}

func elem(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func contains(list []string, word string) bool {
	for _, w := range list {
		if w == word {
			return true
		}
	}
	return false
}

// member is one member of a JSON object with the field that it is read into.
type member struct {
	name  string
	field reflect.StructField
}

// membersOf lists the members of a struct's JSON, those of embedded structs too, in order.
func membersOf(t reflect.Type) (list []member) {
	if t.Kind() != reflect.Struct {
		return nil
	}
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && name == "":
			list = append(list, membersOf(elem(field.Type))...)
		case !field.IsExported() || name == "-":
		case name == "":
			list = append(list, member{field.Name, field})
		default:
			list = append(list, member{name, field})
		}
	}
	return list
}

// Check holds a body against the act's schema. The problem names the first member that is wrong.
func (f *ActForm) Check(body []byte) *Problem {
	if p := Strict(body); p != nil {
		return p
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return notJSON()
	}
	var result huma.ValidateResult
	huma.Validate(f.registry, f.schema, huma.NewPathBuffer([]byte{}, 0), huma.ModeWriteToServer, value, &result)
	for _, err := range result.Errors {
		return ofDetail(err)
	}
	return nil
}

// ofDetail is the problem of one member.
func ofDetail(err error) *Problem {
	p := Refuse(http.StatusBadRequest, "invalid_value", "the body is not what the schema says")
	detail, ok := err.(*huma.ErrorDetail)
	if !ok {
		return p
	}
	p.Message, p.Param = detail.Message, shortened(strings.TrimPrefix(strings.TrimPrefix(detail.Location, "body."), "body"))
	switch {
	case detail.Message == "unexpected property":
		p = Refuse(p.Status, "unknown_member", "there is no such member")
	case strings.HasPrefix(detail.Message, "expected required property "):
		name, _, _ := strings.Cut(strings.TrimPrefix(detail.Message, "expected required property "), " ")
		p = Refuse(p.Status, "missing_member", "a member is missing")
		p.Param = shortened(joined(strings.TrimPrefix(strings.TrimPrefix(detail.Location, "body."), "body"), name))
		return p
	default:
		return p
	}
	p.Param = shortened(strings.TrimPrefix(strings.TrimPrefix(detail.Location, "body."), "body"))
	return p
}
