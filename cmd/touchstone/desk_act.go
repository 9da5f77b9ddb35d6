package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"touchstone/pos"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

// acts are the fields of a change that change something, by their JSON names: the names of the interface's acts.
var acts = func() map[string]int {
	m, t := map[string]int{}, reflect.TypeFor[change]()
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Type.Kind() != reflect.Pointer || name == "" {
			continue
		}
		var c change
		reflect.ValueOf(&c).Elem().Field(i).Set(reflect.New(f.Type.Elem()))
		if _, known := c.duty(); known || name == "approve" || name == "lab" {
			m[name] = i
		}
	}
	return m
}()

// Catalogue implements api.Acts.
func (d *desk) Catalogue() []api.Act { return catalogue() }

// Act implements api.Acts.
func (d *desk) Act(ctx context.Context, who *web.Caller, name string, body json.RawMessage) (api.Done, error) {
	i, ok := acts[name]
	if !ok {
		return api.Done{}, api.NotFound()
	}
	c := change{caller: who}
	var read *actBody
	if who.Via == web.BySocket {
		c.caller = nil
		if err := c.proofs(who.Proof); err != nil {
			return api.Done{}, err
		}
	} else {
		read = &actBody{desk: d, who: who}
		var err error
		if body, err = read.plain(body, reflect.TypeFor[change]().Field(i).Type); err != nil {
			return api.Done{}, err
		}
	}
	field := reflect.ValueOf(&c).Elem().Field(i)
	field.Set(reflect.New(field.Type().Elem()))
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(field.Interface()); err != nil { // the decoder would quote what was sent
		return api.Done{}, api.Refuse(http.StatusBadRequest, "invalid_body", "the act's body does not read as its schema says")
	}
	told, err := d.apply(ctx, c)
	if err != nil {
		return api.Done{}, actRefused(who, read, err)
	}
	return api.Done{What: told.What, ZH: told.ZH, Proposal: told.Proposal, KCV: told.KCV, Facts: told.Facts, Fingerprint: told.Fingerprint, PEM: told.PEM, Secret: told.Secret}, nil
}

// proofs reads who asks by the control socket.
func (c *change) proofs(header string) error {
	if header == "" {
		return nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(header)
	if err == nil {
		err = json.Unmarshal(raw, &c.By)
	}
	if err != nil {
		return api.Refuse(http.StatusBadRequest, "invalid_parameter", errRequest.Error())
	}
	return nil
}

// actRefused is the problem that a refused act is told as.
func actRefused(who *web.Caller, read *actBody, err error) *api.Problem {
	var known *api.Problem
	text := err.Error()
	if read != nil {
		text = read.hide(text)
	}
	if who.Lang == "zh" {
		text = errorInChinese(text)
	}
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, errPerson):
		return api.Refuse(http.StatusForbidden, "person_required", text)
	case errors.Is(err, staff.ErrRole), errors.Is(err, staff.ErrSame), errors.Is(err, staff.ErrUnknown):
		return api.Refuse(http.StatusForbidden, "act_not_allowed", text)
	case errors.Is(err, staff.ErrNoProposal), errors.Is(err, errForeign):
		p := api.NotFound()
		if who.Via == web.BySocket {
			p.Message = text
		}
		return p
	case errors.Is(err, staff.ErrClosed):
		return api.Refuse(http.StatusConflict, "proposal_closed", text)
	}
	return api.Refuse(http.StatusUnprocessableEntity, "act_refused", text)
}

// actBody reads the body of an act that came from elsewhere than the control socket: its moments are texts, its files
// are uploads of the same caller, and what names a secret of the machine is refused.
type actBody struct {
	desk  *desk
	who   *web.Caller
	paths map[string]string // of uploads, by path: what it is called
}

// plain is the body as the act's type reads it.
func (b *actBody) plain(body []byte, t reflect.Type) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, api.Refuse(http.StatusBadRequest, "invalid_body", "the act's body does not read as its schema says")
	}
	value, err := b.value(value, t, "", "")
	if err != nil {
		return nil, err
	}
	return json.Marshal(value)
}

// The classes of fields that name a file.
const (
	fileOfMachine = "machine" // a secret, or what only makes sense where the host runs
	fileUploaded  = "upload"
	fileSealed    = "sealed" // an upload that is sealed to the transport key: what is in the clear is refused
)

func (b *actBody) value(v any, t reflect.Type, path, class string) (any, error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch x := v.(type) {
	case map[string]any:
		return x, b.object(x, t, path, class)
	case []any:
		if t.Kind() != reflect.Slice && t.Kind() != reflect.Array {
			return x, nil // the decoder refuses it
		}
		for i := range x {
			var err error
			if x[i], err = b.value(x[i], t.Elem(), path+"["+strconv.Itoa(i)+"]", class); err != nil {
				return nil, err
			}
		}
		return x, nil
	case string:
		switch {
		case t == reflect.TypeFor[pos.Instant]():
			at, err := time.Parse(time.RFC3339Nano, x)
			if err != nil || at.Year() < 1970 || at.Year() > 2200 {
				return nil, atParam(api.Refuse(http.StatusBadRequest, "invalid_value", "want a moment of RFC 3339"), path)
			}
			return json.Number(strconv.FormatInt(at.UnixNano(), 10)), nil
		case class == fileUploaded && x != "":
			return b.upload(x, path)
		case class == fileSealed && x != "":
			return b.sealed(x, path)
		}
	}
	return v, nil
}

func (b *actBody) object(x map[string]any, t reflect.Type, path, class string) error {
	at := func(name string) string { return strings.TrimPrefix(path+"."+name, ".") }
	if t.Kind() == reflect.Map {
		for name := range x {
			var err error
			if x[name], err = b.value(x[name], t.Elem(), at(name), class); err != nil {
				return err
			}
		}
		return nil
	}
	if t.Kind() != reflect.Struct {
		return nil // the decoder refuses it
	}
	for name := range x {
		f, known := jsonField(t, name)
		switch {
		case !known:
			continue // the decoder refuses it
		case f.Tag.Get("file") == fileOfMachine:
			if empty(x[name]) {
				delete(x, name)
				continue
			}
			return atParam(api.Refuse(http.StatusForbidden, "only_on_the_machine", "this is read on the machine that the host runs on, by the command: it is never sent"), at(name))
		case f.Tag.Get("hidden") == "true":
			if empty(x[name]) { // what the host sets itself, and its own types write out as nothing
				delete(x, name)
				continue
			}
			return atParam(api.Refuse(http.StatusBadRequest, "unknown_member", "there is no such member"), at(name))
		}
		var err error
		if x[name], err = b.value(x[name], f.Type, at(name), f.Tag.Get("file")); err != nil {
			return err
		}
	}
	return nil
}

func empty(v any) bool {
	switch x := v.(type) {
	case nil:
		return true
	case string:
		return x == ""
	case bool:
		return !x
	case json.Number:
		return x == "0"
	case []any:
		return len(x) == 0
	case map[string]any:
		return len(x) == 0
	}
	return false
}

// upload is the path of a file that the caller sent.
func (b *actBody) upload(id, path string) (any, error) {
	file, err := b.desk.uploaded(b.who, id)
	if err != nil {
		return nil, atParam(api.Refuse(http.StatusBadRequest, "file_not_found", "there is no such upload of yours; POST /api/v1/files first"), path)
	}
	if b.paths == nil {
		b.paths = map[string]string{}
	}
	b.paths[file] = id
	return file, nil
}

// sealed is an upload that holds a secret, as a text that stands for it: a proposal carries it until the second person
// agrees, however long that takes. What was sent in the clear is forgotten at once.
func (b *actBody) sealed(id, path string) (any, error) {
	file, err := b.upload(id, path)
	if err != nil {
		return nil, err
	}
	content, err := readBounded(file.(string), maxSealed)
	if err != nil || !looksSealed(content) {
		clear(content)
		_ = os.Remove(file.(string)) // the sweep of the hour removes it else
		return nil, atParam(api.Refuse(http.StatusBadRequest, "not_sealed", notSealedWords), path)
	}
	return sealedSource + base64.StdEncoding.EncodeToString(content), nil
}

// hide names uploads in a text by what their sender calls them.
func (b *actBody) hide(text string) string {
	for path, id := range b.paths {
		text = strings.ReplaceAll(text, path, id)
	}
	return text
}

func atParam(p *api.Problem, param string) *api.Problem {
	p.Param = param
	return p
}

// jsonField is the field that a member of an object is read into. Names are told apart by case here as in a schema.
func jsonField(t reflect.Type, member string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			inner := f.Type
			for inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner.Kind() == reflect.Struct {
				if found, ok := jsonField(inner, member); ok {
					return found, true
				}
			}
			continue
		}
		if f.IsExported() && (strings.EqualFold(name, member) || name == "" && strings.EqualFold(f.Name, member)) {
			return f, true // the decoder takes another case too: what is refused is refused in any
		}
	}
	return reflect.StructField{}, false
}
