package web

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"

	"touchstone/authority"
	"touchstone/fleet"
)

// HealthPath is where terminals post their health reports.
const HealthPath = "/device/v1/health"

// SignatureHeader carries the signature of a report: base64 of ASN.1 DER.
const SignatureHeader = "Touchstone-Signature"

// HealthDesk takes health reports. It proves and journals them; an error is a refusal.
type HealthDesk interface {
	TakeHealth(ctx context.Context, body, signature []byte) error
}

// ErrBusy is what a desk returns that has no room now: the terminal comes back later.
var ErrBusy = errors.New("web: no room now")

// mostReports is how many reports are proven at once: one signature each, and one entry of the journal.
const mostReports = 16

// The answers. A refusal is the same, to the byte, whatever the cause.
const (
	healthTaken   = `{"accepted":true}` + "\n"
	healthRefused = `{"accepted":false}` + "\n"
)

// Health is the handler of HealthPath.
func Health(desk HealthDesk) http.Handler {
	room := make(chan struct{}, mostReports)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "POST a health report", http.StatusMethodNotAllowed)
			return
		}
		select {
		case room <- struct{}{}:
			defer func() { <-room }()
		default:
			answer(w, http.StatusServiceUnavailable, healthRefused)
			return
		}
		switch err := take(w, r, desk); {
		case errors.Is(err, ErrBusy):
			answer(w, http.StatusServiceUnavailable, healthRefused)
		case err != nil:
			answer(w, http.StatusForbidden, healthRefused)
		default:
			answer(w, http.StatusOK, healthTaken)
		}
	})
}

// take reads at most one byte more than a report may have, so that the desk can tell a longer one and count it.
func take(w http.ResponseWriter, r *http.Request, desk HealthDesk) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, fleet.MaxReport+1))
	if err != nil {
		return err
	}
	if len(body) > fleet.MaxReport {
		w.Header().Set("Connection", "close")
	}
	text := strings.TrimSpace(r.Header.Get(SignatureHeader))
	var signature []byte
	if len(text) <= base64.StdEncoding.EncodedLen(authority.MaxSignature) {
		// One that is not base64 is no signature: the desk refuses it as it refuses a wrong one.
		signature, _ = base64.StdEncoding.DecodeString(text)
	}
	return desk.TakeHealth(r.Context(), body, signature)
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "30")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // who asked is gone when this fails
}
