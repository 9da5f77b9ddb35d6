package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"

	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

// desk is what the host offers to the JSON interface and to the console: each port of api.Desk in a file desk_*.go.
type desk struct{ *engine }

// newDesk gathers the ports.
func newDesk(e *engine) *api.Desk {
	e.estate.start()
	d := &desk{e}
	return &api.Desk{
		Merchants:    d,
		Terminals:    d,
		Devices:      d,
		Acts:         d,
		Figures:      d,
		Live:         d,
		Journal:      d,
		Transactions: d,
		Clones:       d,
		Find:         d,
		Stickers:     d,
		Staff:        d,
		FleetBooks:   fleetBooks(d),
		CaseBooks:    caseBooks(d),
	}
}

var (
	_ api.Merchants = (*desk)(nil)
	_ api.Acts      = (*desk)(nil)
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
		if _, known := c.duty(); known || name == "approve" || c.Lab != nil { // which duty an act of the laboratory has, its body says
			m[name] = i
		}
	}
	return m
}()

// Act implements api.Acts.
func (d *desk) Act(ctx context.Context, who *web.Caller, name string, body json.RawMessage) (api.Done, error) {
	i, ok := acts[name]
	if !ok {
		return api.Done{}, api.NotFound()
	}
	c := change{caller: who}
	field := reflect.ValueOf(&c).Elem().Field(i)
	field.Set(reflect.New(field.Type().Elem()))
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(field.Interface()); err != nil {
		return api.Done{}, api.Refuse(http.StatusBadRequest, "invalid_body", "the act's body does not read as its schema says")
	}
	told, err := d.apply(ctx, c)
	if err != nil {
		return api.Done{}, actRefused(err)
	}
	return api.Done{What: told.What, ZH: told.ZH, Proposal: told.Proposal, KCV: told.KCV, Facts: told.Facts, Fingerprint: told.Fingerprint, PEM: told.PEM}, nil
}

// actRefused is the problem that a refused act is told as.
func actRefused(err error) *api.Problem {
	switch {
	case errors.Is(err, staff.ErrRole), errors.Is(err, staff.ErrSame), errors.Is(err, staff.ErrUnknown):
		return api.Refuse(http.StatusForbidden, "act_not_allowed", err.Error())
	case errors.Is(err, staff.ErrNoProposal):
		return api.NotFound()
	case errors.Is(err, staff.ErrClosed):
		return api.Refuse(http.StatusConflict, "proposal_closed", err.Error())
	}
	return api.Refuse(http.StatusUnprocessableEntity, "act_refused", err.Error())
}
