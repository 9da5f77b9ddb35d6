package api

import (
	"context"
	"encoding/json"
	"net/http"

	"touchstone/web"
)

// Problem is the one form of every error: {"error": {...}}.
type Problem struct {
	Status  int    `json:"-"`
	Type    string `json:"type" doc:"invalid_request, authentication, permission, not_found, conflict, rate_limit or internal"`
	Code    string `json:"code" doc:"stable; what a program decides by"`
	Message string `json:"message" doc:"for a person; may change"`
	Param   string `json:"param,omitempty" doc:"what of the request was wrong"`
	DocURL  string `json:"doc_url" doc:"what the code means and what to do"`
	Request string `json:"request_id,omitempty" doc:"of the answer's Request-Id header, by which the host's log is searched; not of not_found, whose bytes are always the same"`
}

// of names the request that the problem is an answer to.
func (p *Problem) of(ctx context.Context) *Problem {
	if p.Status != http.StatusNotFound {
		p.Request = web.RequestID(ctx)
	}
	return p
}

func docURL(code string) string { return "/docs/errors#" + code }

// Error implements error.
func (p *Problem) Error() string { return p.Code + ": " + p.Message }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// MarshalJSON implements json.Marshaler.
func (p *Problem) MarshalJSON() ([]byte, error) {
	type bare Problem
	return json.Marshal(struct {
		Error *bare `json:"error"`
	}{(*bare)(p)})
}

// Refuse makes a problem. Its type follows from the status.
func Refuse(status int, code, message string) *Problem {
	kind := "invalid_request"
	switch {
	case status == http.StatusUnauthorized:
		kind = "authentication"
	case status == http.StatusForbidden:
		kind = "permission"
	case status == http.StatusNotFound:
		kind = "not_found"
	case status == http.StatusConflict, status == http.StatusPreconditionFailed:
		kind = "conflict"
	case status == http.StatusTooManyRequests:
		kind = "rate_limit"
	case status >= 500:
		kind = "internal"
	}
	return &Problem{Status: status, Type: kind, Code: code, Message: message, DocURL: docURL(code)}
}

// NotFound is the answer for what does not exist, and, to the byte, for what the caller may not see.
func NotFound() *Problem {
	return Refuse(http.StatusNotFound, "not_found", "there is no such thing here")
}

// Write answers with a problem: how a Router refuses a program.
func Write(w http.ResponseWriter, r *http.Request, status int, code string) {
	message, ok := refusals[code]
	if !ok {
		message = http.StatusText(status)
	}
	p := Refuse(status, code, message)
	if code == "not_found" {
		p = NotFound()
	}
	writeJSON(w, status, p.of(r.Context()))
}

// WriteProblem answers with a problem.
func WriteProblem(w http.ResponseWriter, r *http.Request, p *Problem) {
	writeJSON(w, p.Status, p.of(r.Context()))
}

var _ func(http.ResponseWriter, *http.Request, int, string) = (&web.Router{}).API

// refusals are the messages of what the router itself refuses.
var refusals = map[string]string{
	"unavailable":        "the host cannot tell who you are now; try again",
	"role_not_allowed":   "this account's roles do not allow it",
	"form_token_missing": "a request of a browser must repeat its session's token",
	"not_signed_in":      "give an API key: Authorization: Bearer ...",
	"unknown_host":       "this host is not reached under that name",
	"cross_site":         "the request came from another site",
	"two_credentials":    "give a key or a session's cookie, not both",
	"key_not_accepted":   "the API key is unknown, too old or revoked, or its account may not act",
	"too_many_requests":  "this key asks faster than it may; wait a moment",
	"method_not_allowed": "the path has no such method",
	"internal":           "the host failed; it was logged",
	"body_missing":       "the body did not come whole",
	"invalid_body":       "control request: not one that this version knows",
}
