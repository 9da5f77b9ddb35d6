package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Reference is one operation as a page shows it.
type Reference struct {
	ID, Method, Path, Tag string
	Summary, Text         string
	SummaryZH, TextZH     string // of an act
	Parameters            []ReferenceField
	BodyTypes             []string // media types
	Body                  []ReferenceField
	Example               string // of the body
	Answers               []ReferenceAnswer
	Public                bool
}

// ReferenceAnswer is one status with what it carries.
type ReferenceAnswer struct {
	Status, Text string
	Fields       []ReferenceField
}

// ReferenceField is a parameter, or a member with those above it in its name.
type ReferenceField struct {
	Name, In, Type, Text string
	Required             bool
}

// maxReferenceDepth is how far members within members are shown.
const maxReferenceDepth = 4

// References lists every operation, by tag and path. It is made once, after everything is mounted.
func (a *API) References() []Reference { return a.listed() }

func (a *API) references() []Reference {
	acts := map[string]Act{}
	for _, f := range a.forms {
		acts[f.ID] = f.Act
	}
	var list []Reference
	for path, item := range a.huma.OpenAPI().Paths {
		for method, op := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "PATCH": item.Patch, "DELETE": item.Delete} {
			if op != nil {
				x := a.reference(method, path, op)
				if act, ok := acts[x.ID]; ok {
					x.SummaryZH, x.TextZH = act.ZH, actTextZH(&act)
				}
				list = append(list, x)
			}
		}
	}
	slices.SortFunc(list, func(x, y Reference) int {
		if c := strings.Compare(x.Tag, y.Tag); c != 0 {
			return c
		}
		if c := strings.Compare(x.Path, y.Path); c != 0 {
			return c
		}
		return strings.Compare(x.Method, y.Method)
	})
	return list
}

func (a *API) reference(method, path string, op *huma.Operation) Reference {
	x := Reference{ID: op.OperationID, Method: method, Path: path, Summary: op.Summary, Text: op.Description, Public: op.Security != nil && len(op.Security) == 0}
	if len(op.Tags) > 0 {
		x.Tag = op.Tags[0]
	}
	for _, p := range op.Parameters {
		f := ReferenceField{Name: p.Name, In: p.In, Required: p.Required, Text: p.Description}
		if s := a.deref(p.Schema); s != nil {
			f.Type = a.typeText(s)
			if f.Text == "" {
				f.Text = s.Description
			}
		}
		x.Parameters = append(x.Parameters, f)
	}
	if op.RequestBody != nil {
		for kind, media := range op.RequestBody.Content {
			x.BodyTypes = append(x.BodyTypes, kind)
			if kind == "application/json" {
				x.Body = a.members(media.Schema, "", 0)
				if media.Example != nil {
					if text, err := json.MarshalIndent(media.Example, "", "  "); err == nil {
						x.Example = string(text)
					}
				}
			}
		}
		slices.Sort(x.BodyTypes)
	}
	for status, answer := range op.Responses {
		y := ReferenceAnswer{Status: status, Text: answer.Description}
		if media := answer.Content["application/json"]; media != nil {
			y.Fields = a.members(media.Schema, "", 0)
		}
		x.Answers = append(x.Answers, y)
	}
	slices.SortFunc(x.Answers, func(p, q ReferenceAnswer) int { return strings.Compare(p.Status, q.Status) })
	return x
}

func (a *API) deref(s *huma.Schema) *huma.Schema {
	for s != nil && s.Ref != "" {
		name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
		s = a.huma.OpenAPI().Components.Schemas.Map()[name]
	}
	return s
}

// members lists what an object has, with what is within it.
func (a *API) members(s *huma.Schema, path string, depth int) []ReferenceField {
	if s = a.deref(s); s == nil || depth > maxReferenceDepth {
		return nil
	}
	if s.Type == huma.TypeArray {
		return a.members(s.Items, path+"[]", depth+1)
	}
	names := make([]string, 0, len(s.Properties))
	for name := range s.Properties {
		names = append(names, name)
	}
	slices.SortFunc(names, func(p, q string) int {
		if must := contains(s.Required, p); must != contains(s.Required, q) {
			if must {
				return -1
			}
			return 1
		}
		return strings.Compare(p, q)
	})
	var list []ReferenceField
	for _, name := range names {
		prop := s.Properties[name]
		inner := a.deref(prop)
		if inner == nil || hiddenProperty(s, name) {
			continue
		}
		text := prop.Description
		if text == "" && inner.Type != huma.TypeObject {
			text = inner.Description
		}
		list = append(list, ReferenceField{Name: joined(path, name), Type: a.typeText(inner), Required: contains(s.Required, name), Text: text})
		list = append(list, a.members(inner, joined(path, name), depth+1)...)
	}
	return list
}

// hiddenProperty tells whether the document leaves a member out.
func hiddenProperty(s *huma.Schema, name string) bool {
	raw, err := json.Marshal(&huma.Schema{Type: s.Type, Properties: map[string]*huma.Schema{name: s.Properties[name]}})
	return err == nil && !strings.Contains(string(raw), `"`+name+`"`)
}

func (a *API) typeText(s *huma.Schema) string {
	switch {
	case len(s.Enum) > 0:
		words := make([]string, len(s.Enum))
		for i, e := range s.Enum {
			words[i] = fmt.Sprint(e)
		}
		return strings.Join(words, " | ")
	case s.Type == huma.TypeArray:
		if items := a.deref(s.Items); items != nil {
			return "list of " + a.typeText(items)
		}
		return "list"
	case s.Type == huma.TypeObject && s.AdditionalProperties != nil && len(s.Properties) == 0:
		return "map"
	case s.ContentEncoding != "":
		return s.ContentEncoding
	case s.Format != "" && s.Type == huma.TypeString:
		return s.Format
	}
	return s.Type
}
