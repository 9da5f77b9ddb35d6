package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"touchstone/web"
	"touchstone/web/api"
)

// values are what a person typed, by the path of the member.
type values map[string][]string

func (v values) get(path string) string {
	if list := v[path]; len(list) > 0 {
		return strings.TrimSpace(list[0])
	}
	return ""
}

// input is a field as the page shows it.
type input struct {
	api.FormField
	Label  string
	Values []string // what was typed; of files the ids of those that came
	Text   string   // the same as one text
	Wrong  string   // what is wrong with it
	Must   bool     // the form cannot do without it, groups above it included
	Open   bool     // a group with something in it
	Inner  []input
	Words  []choice // of Choices
}

// choice is one of a field's words.
type choice struct{ Value, Text string }

func (x input) hasFile() bool {
	if x.Kind == api.FieldFile || x.Of == api.FieldFile {
		return true
	}
	for _, inner := range x.Inner {
		if inner.hasFile() {
			return true
		}
	}
	return false
}

// ID is the id of the element: letters, digits and hyphens.
func (x input) ID() string { return "f-" + strings.ReplaceAll(x.Path, ".", "-") }

// inputs are the fields with what was typed, and what is wrong beside the one that param names.
func inputs(lang string, fields []api.FormField, typed values, param, wrong string, must bool, blamed *bool) []input {
	list := make([]input, len(fields))
	for i, f := range fields {
		x := input{FormField: f, Must: must && f.Required, Values: typed[f.Path], Text: strings.Join(typed[f.Path], "\n")}
		var ok bool
		if x.Label, ok = fieldLabel(lang, f.Name); !ok {
			x.Label = strings.ReplaceAll(f.Name, "_", " ")
		}
		if text, known := fieldHelp(lang, f.Help); known {
			x.Help = text
		}
		if f.Kind == api.FieldMoment || f.Of == api.FieldMoment {
			x.Help, x.Example = "", "" // the field says so itself
		}
		for _, word := range f.Choices {
			x.Words = append(x.Words, choice{word, ChoiceWord(lang, word)})
		}
		before := *blamed
		x.Inner = inputs(lang, f.Fields, typed, param, wrong, x.Must, blamed)
		if *blamed == before && param != "" && blames(param, f.Path) {
			x.Wrong, *blamed = wrong, true
		}
		x.Open = f.Required || *blamed != before || filled(f, typed)
		list[i] = x
	}
	return list
}

// blames tells whether a problem's member is a field's, or an item of it.
func blames(param, path string) bool {
	rest, ok := strings.CutPrefix(param, path)
	return ok && (rest == "" || rest[0] == '[' || rest[0] == '.')
}

func filled(f api.FormField, typed values) bool {
	if f.Kind != api.FieldGroup {
		return typed.get(f.Path) != ""
	}
	for _, inner := range f.Fields {
		if filled(inner, typed) {
			return true
		}
	}
	return false
}

// strict refuses a form with a field that the act does not have, or with two values where one is read: as a body of the
// interface with an unknown member, or with one twice, is refused.
func (v values) strict(r *http.Request, fields []api.FormField) *api.Problem {
	several := map[string]bool{web.TokenField: false}
	var walk func([]api.FormField)
	walk = func(list []api.FormField) {
		for _, f := range list {
			if f.Kind == api.FieldGroup {
				walk(f.Fields)
				continue
			}
			several[f.Path] = f.Kind == api.FieldList
		}
	}
	walk(fields)
	refuse := func(code, path, text string) *api.Problem {
		p := api.Refuse(http.StatusBadRequest, code, text)
		p.Param = path
		return p
	}
	for path, typed := range v {
		switch many, known := several[path]; {
		case !known:
			return refuse("unknown_member", path, two(r, "the form has a field that this act does not have", "表单中有此操作没有的字段"))
		case len(typed) > 1 && !many:
			return refuse("duplicate_member", path, two(r, "a field of the form came twice", "表单中有字段出现两次"))
		}
	}
	if r.MultipartForm != nil {
		for path := range r.MultipartForm.File {
			if _, known := several[path]; !known {
				return refuse("unknown_member", path, two(r, "the form has a file that this act does not take", "表单中有此操作不接受的文件"))
			}
		}
	}
	return nil
}

// keepFiles hands over the files of a form, and has their ids stand where paths would.
func (c *Console) keepFiles(r *http.Request, typed values) error {
	if r.MultipartForm == nil {
		return nil
	}
	defer r.MultipartForm.RemoveAll()
	for path, headers := range r.MultipartForm.File {
		for _, h := range headers {
			if h.Size == 0 {
				continue
			}
			f, err := h.Open()
			if err != nil {
				return err
			}
			kept, err := c.Desk.Files.Keep(r.Context(), web.CallerOf(r.Context()), f)
			f.Close()
			if err != nil {
				p := api.Refuse(http.StatusTooManyRequests, "too_many_files", "as much as is kept was sent already; it is forgotten after an hour")
				p.Param = path
				return p
			}
			typed[path] = append(typed[path], kept.ID)
		}
	}
	return nil
}

// body is what was typed as the body of the act.
func (v values) body(fields []api.FormField, zone *time.Location) ([]byte, error) {
	members, err := v.object(fields, zone)
	if err != nil {
		return nil, err
	}
	return json.Marshal(members)
}

func (v values) object(fields []api.FormField, zone *time.Location) (map[string]any, error) {
	members := map[string]any{}
	for _, f := range fields {
		switch {
		case f.Kind == api.FieldGroup:
			if !f.Required && !filled(f, v) {
				continue
			}
			inner, err := v.object(f.Fields, zone)
			if err != nil {
				return nil, err
			}
			members[f.Name] = inner
		case f.Kind == api.FieldCheck:
			if on := v.get(f.Path) != ""; on || f.Required {
				members[f.Name] = on
			}
		case v.get(f.Path) == "":
			if f.Required && (f.Kind == api.FieldList || f.Kind == api.FieldPairs) {
				members[f.Name] = emptyOf(f.Kind)
			}
		default:
			value, err := v.value(f, zone)
			if err != nil {
				p := api.Refuse(http.StatusBadRequest, "invalid_value", err.Error())
				p.Param = f.Path
				return nil, p
			}
			members[f.Name] = value
		}
	}
	return members, nil
}

func emptyOf(kind string) any {
	if kind == api.FieldPairs {
		return map[string]string{}
	}
	return []any{}
}

func (v values) value(f api.FormField, zone *time.Location) (any, error) {
	text := v.get(f.Path)
	switch f.Kind {
	case api.FieldList:
		list := []any{}
		for _, line := range strings.Split(strings.Join(v[f.Path], "\n"), "\n") {
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			one, err := one(f.Of, line, zone)
			if err != nil {
				return nil, err
			}
			list = append(list, one)
		}
		return list, nil
	case api.FieldPairs:
		pairs := map[string]string{}
		for _, line := range strings.Split(text, "\n") {
			name, value, ok := strings.Cut(line, "=")
			if strings.TrimSpace(line) == "" {
				continue
			}
			if !ok {
				return nil, fmt.Errorf("want name = value on each line")
			}
			pairs[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
		return pairs, nil
	case api.FieldJSON:
		var value any
		if p := api.Strict([]byte(text)); p != nil {
			return nil, fmt.Errorf("%s", p.Message)
		}
		err := json.Unmarshal([]byte(text), &value)
		return value, err
	}
	return one(f.Kind, text, zone)
}

func one(kind, text string, zone *time.Location) (any, error) {
	switch kind {
	case api.FieldNumber:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("want a whole number")
		}
		return n, nil
	case api.FieldMoment:
		for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", time.RFC3339} {
			if at, err := time.ParseInLocation(layout, text, zone); err == nil {
				return at.Format(time.RFC3339), nil
			}
		}
		return nil, fmt.Errorf("want a date and a time")
	}
	return text, nil
}
