package api

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"touchstone/staff"
	"touchstone/web"
)

// APIKey is a key for programs, without what opens.
type APIKey struct {
	ID      string       `json:"id" example:"KEY-1"`
	Name    string       `json:"name" doc:"what it is for"`
	Account string       `json:"account" doc:"who answers for it"`
	Roles   []staff.Role `json:"roles" nullable:"false"`
	Shop    string       `json:"shop,omitempty" doc:"of the role merchant: the only shop that it sees"`
	By      string       `json:"by" doc:"the administrator who made it"`
	Since   time.Time    `json:"since"`
	Until   time.Time    `json:"until"`
	Revoked *time.Time   `json:"revoked,omitempty"`
	LastUse string       `json:"last_used,omitempty" doc:"a day, UTC" example:"2026-11-28"`
}

// APIKeys is what the host knows of keys for programs.
type APIKeys interface {
	APIKeys(ctx context.Context, q *AsOf) ([]APIKey, error)
}

func (a *API) apiKeys(d *Desk) {
	Add(a, Operation{ID: "list-api-keys", Method: http.MethodGet, Path: "/api-keys", Summary: "List the keys for programs", Tag: "api-keys",
		Rule: web.Rule{Roles: []staff.Role{staff.Administrator, staff.Security, staff.Auditor}}, Text: "Without what opens: a key is shown once, when it is made."},
		func(ctx context.Context, _ *web.Caller, q *AsOf) (Page[APIKey], error) {
			list, err := d.APIKeys.APIKeys(ctx, q)
			return Page[APIKey]{Data: list}, err
		})
}

// schemaOf is the schema of a type of this package, by reference.
func (a *API) schemaOf(hint string, value any) *huma.Schema {
	return a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(value), true, hint)
}

// document201 and documentError add what an operation that is no generic one answers.
func (a *API) document201(op *huma.Operation, s *huma.Schema) {
	op.Responses = map[string]*huma.Response{"201": {Description: "Created", Content: map[string]*huma.MediaType{"application/json": {Schema: s}}}, "default": a.documentError()}
}

func (a *API) documentError() *huma.Response {
	return &huma.Response{Description: "Error", Content: map[string]*huma.MediaType{"application/json": {Schema: a.problemSchema()}}}
}
