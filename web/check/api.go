package check

import (
	"encoding/json"
	"net/http"

	"touchstone/web"
	"touchstone/web/api"
)

// The one call for programs: the same question as the page's, counted by the same buckets, with the same answer. It
// tells nothing that the page does not.

// checkRequest is the body of POST /api/v1/checks.
type checkRequest struct {
	Serial string `json:"serial"`
	Code   string `json:"code"`
	Next   string `json:"next_code,omitempty"`
	Proof  string `json:"proof,omitempty"` // in place of codes: what stands behind the last slash of the screen's QR code
}

// checkResponse is its answer.
type checkResponse struct {
	Answer    string `json:"answer"` // yes, no, cannot_tell
	Why       string `json:"why"`    // registered, code_needed, not_proven, code_over, two_codes_needed, unavailable, unsure, not_to_be_used, no_shop
	Serial    string `json:"serial"`
	Shop      string `json:"shop,omitempty"` // of a yes alone, as what follows
	Address   string `json:"address,omitempty"`
	Model     string `json:"model,omitempty"`
	Inspected string `json:"last_inspected,omitempty"` // a month, 2026-11
	At        string `json:"at"`                       // RFC 3339
}

func (p *Pages) mountAPI() {
	p.router.API = api.Write
	p.router.HandleLarge(web.Route{Method: http.MethodPost, Pattern: "/api/v1/checks", Rule: web.Rule{Public: true}, API: true}, maxForm, http.HandlerFunc(p.checkByProgram))
}

func (p *Pages) checkByProgram(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Content-Type") != "application/json" {
		api.WriteProblem(w, r, api.Refuse(http.StatusUnsupportedMediaType, "not_json", "send a JSON object as application/json"))
		return
	}
	var asked checkRequest
	if err := strictJSON(r.Body, &asked); err != nil {
		api.WriteProblem(w, r, api.Refuse(http.StatusBadRequest, "invalid_body", "want one JSON object with serial and code and, where it was asked for, next_code, or with serial and proof, each once and a string"))
		return
	}
	q, wrong := read(asked.Serial, asked.Code, asked.Next, asked.Proof)
	if wrong != nil {
		problem := api.Refuse(http.StatusBadRequest, "invalid_request", "a serial number has 1 to 50 characters, a code 8 digits; a proof is as the QR code has it, without a code")
		problem.Param = map[error]string{errSerial: "serial", errCode: "code"}[wrong]
		api.WriteProblem(w, r, problem)
		return
	}
	a, ok := p.askTerminal(r, q)
	if !ok {
		writeBusy(w, r)
		return
	}
	body := checkResponse{Answer: a.Answer.Name(), Why: a.Why.Name(), Serial: string(a.Serial), At: a.At.UTC().Format("2006-01-02T15:04:05Z")}
	if a.Place != nil {
		body.Shop, body.Address, body.Model = a.Place.Shop, a.Place.Address, a.Place.Model
		if !a.Place.Inspected.IsZero() {
			body.Inspected = a.Place.Inspected.In(p.Zone).Format("2006-01")
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(&body) // who asked is gone when this fails
}

func writeBusy(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Retry-After", "60")
	api.WriteProblem(w, r, api.Refuse(http.StatusTooManyRequests, "too_many_requests", "wait a minute; nothing was checked"))
}
