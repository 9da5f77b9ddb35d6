package api

import (
	"context"
	"net/http"
	"time"

	"touchstone/staff"
	"touchstone/web"
)

// Webhook is an endpoint that is told of what happens, without its secret.
type Webhook struct {
	ID       string     `json:"id" example:"WHK-1"`
	Name     string     `json:"name"`
	URL      string     `json:"url"`
	Types    []string   `json:"types" nullable:"false" doc:"what it is told"`
	By       string     `json:"by" doc:"the administrator who made it"`
	Since    time.Time  `json:"since"`
	Disabled *time.Time `json:"disabled,omitempty"`
	Ended    string     `json:"disabled_by,omitempty" doc:"an account, or rule:webhook-patience: its receiver took nothing for three days"`
	Former   *time.Time `json:"former_secret_until,omitempty" doc:"until then two secrets sign"`

	State    string     `json:"state" enum:"delivering,failing,disabled,enabled" doc:"failing: the newest attempt was not taken; enabled, as of a past moment: not disabled, and whether its messages were taken then is not kept"`
	Told     uint64     `json:"told" doc:"the journal's entries up to this were told"`
	Behind   uint64     `json:"behind" doc:"entries of the journal after that"`
	Tries    int        `json:"failed_attempts" doc:"of the message that is due"`
	Failing  *time.Time `json:"failing_since,omitempty"`
	Next     *time.Time `json:"next_attempt,omitempty"`
	Replayed string     `json:"replay,omitempty" doc:"the replay that goes on" example:"evt_120 to evt_140"`

	AsOf    *time.Time `json:"as_of,omitempty"`
	NotKept []string   `json:"not_kept,omitempty" doc:"as of a past moment: the members of which nothing is recorded, which say nothing"`
}

// WebhookDelivery is one message to one endpoint, as its newest attempt left it.
type WebhookDelivery struct {
	ID       string    `json:"id" doc:"the message's id, the same at every attempt and replay" example:"evt_120"`
	Type     string    `json:"type" example:"incident.opened"`
	Replay   int       `json:"replay,omitempty" doc:"the number of the replay that it was sent for"`
	State    string    `json:"state" enum:"delivered,waiting" doc:"waiting: it is tried again"`
	Attempts int       `json:"attempts"`
	Code     int       `json:"status,omitempty" doc:"of the receiver's last answer"`
	Error    string    `json:"error,omitempty" doc:"address_refused, connection_refused, timeout, name_not_found, tls, connection_broken, redirect or status"`
	At       time.Time `json:"at" doc:"of the newest attempt"`
	TookMS   float64   `json:"took_ms"`
}

// WebhookInput names an endpoint whose deliveries are listed.
type WebhookInput struct {
	Paging
	AsOf
	ID string `path:"id" maxLength:"20" example:"WHK-1"`
}

// Webhooks is what the host knows of endpoints.
type Webhooks interface {
	Webhooks(ctx context.Context, q *AsOf) ([]Webhook, error)
	Deliveries(ctx context.Context, q *WebhookInput) (Page[WebhookDelivery], error)
}

// WebhookReaders may look at endpoints.
var WebhookReaders = []staff.Role{staff.Administrator, staff.Security, staff.Auditor}

func (a *API) webhooks(d *Desk) {
	rule := web.Rule{Roles: WebhookReaders}
	Add(a, Operation{ID: "list-webhooks", Method: http.MethodGet, Path: "/webhooks", Summary: "List the webhooks", Tag: "webhooks", Rule: rule,
		Text: "Without their secrets: one is shown once, when it is made. A message is signed as docs/operating/webhooks.md says: Touchstone-Signature: t=SECONDS,v1=HMAC-SHA-256 of t, a full stop and the body."},
		func(ctx context.Context, _ *web.Caller, q *AsOf) (Page[Webhook], error) {
			list, err := d.Webhooks.Webhooks(ctx, q)
			return Page[Webhook]{Data: list}, err
		})
	Add(a, Operation{ID: "list-webhook-deliveries", Method: http.MethodGet, Path: "/webhooks/{id}/deliveries", Summary: "List what a webhook was told", Tag: "webhooks", Rule: rule,
		Text: "The newest first; the last 1000 are kept, each as its newest attempt left it. With as_of those are told that were not tried again since; a moment before the oldest that is kept is refused. The journal has the rest: a replay tells it again."},
		func(ctx context.Context, _ *web.Caller, q *WebhookInput) (Page[WebhookDelivery], error) {
			return d.Webhooks.Deliveries(ctx, q)
		})
}
