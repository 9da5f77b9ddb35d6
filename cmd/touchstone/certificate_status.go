package main

import (
	"encoding/json"
	"net/http"
	"time"

	"touchstone/lab"
	"touchstone/pos"
)

// What anybody may learn of a security certificate over HTTPS: what it covers and what it is worth now. It names no
// person and holds no reason that a person wrote; the signed statement is with whoever holds the certificate, and
// its digest is here to be compared.

// certificatesPath is where the states of security certificates are told.
const certificatesPath = "/certificates"

// publicFor is how long an answer may be kept by others: a suspension is known everywhere after it.
const publicFor = "max-age=300"

// publicCertificate is one certificate as the public sees it.
type publicCertificate struct {
	ID              string               `json:"id"`
	State           lab.CertificateState `json:"state"` // valid, suspended, withdrawn, superseded, expired; unknown
	Since           string               `json:"since,omitempty"`
	Successor       string               `json:"successor,omitempty"`
	Issuer          string               `json:"issuer,omitempty"`
	Maker           string               `json:"maker,omitempty"`
	Model           string               `json:"model,omitempty"`
	Hardware        string               `json:"hardware_pattern,omitempty"`
	Firmware        string               `json:"firmware_pattern,omitempty"`
	Application     string               `json:"application_pattern,omitempty"`
	SelfDeclaration string               `json:"self_declaration,omitempty"`
	NotBefore       string               `json:"not_before,omitempty"` // RFC 3339, as all instants here
	Expires         string               `json:"expires,omitempty"`
	Envelope        string               `json:"envelope_sha256,omitempty"` // of the signed statement
	Notice          []lab.Text           `json:"notice,omitempty"`
}

// publicList is every certificate, and the instant of the answer.
type publicList struct {
	At           string              `json:"at"`
	Certificates []publicCertificate `json:"certificates"`
}

// unknownCertificate is the state of a number that was never given out.
const unknownCertificate lab.CertificateState = "unknown"

// maxCertificateID is the longest number of a certificate that an answer repeats.
const maxCertificateID = 20

func publicInstant(at pos.Instant) string { return at.Time().UTC().Format(time.RFC3339) }

func (e *engine) publicCertificates() (list publicList) {
	now := e.clock()
	list = publicList{At: publicInstant(now), Certificates: []publicCertificate{}}
	e.office.view(func(r *rooms) {
		for _, x := range r.lab.Certificates() {
			state, since := x.Standing(now), x.Since
			if state == lab.Expired {
				since = x.Expires
			}
			list.Certificates = append(list.Certificates, publicCertificate{ID: x.ID, State: state, Since: publicInstant(since), Successor: x.Successor,
				Issuer: x.Issuer, Maker: x.Subject.Maker, Model: x.Subject.Model, Hardware: x.Subject.HardwarePattern, Firmware: x.Subject.FirmwarePattern,
				Application: x.Subject.ApplicationPattern, SelfDeclaration: x.SelfDeclaration, NotBefore: publicInstant(x.NotBefore),
				Expires: publicInstant(x.Expires), Envelope: x.Envelope, Notice: lab.Notices(x.SelfDeclaration)})
		}
	})
	return list
}

// mountCertificates answers GET /certificates and GET /certificates/ID.
func (e *engine) mountCertificates(handle func(pattern string, h http.Handler)) {
	answer := func(w http.ResponseWriter, status int, body any) {
		raw, err := json.Marshal(body)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", publicFor)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(status)
		_, _ = w.Write(append(raw, '\n')) // whoever asked may be gone
	}
	handle("GET "+certificatesPath, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, e.publicCertificates())
	}))
	handle("GET "+certificatesPath+"/{id}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		for _, x := range e.publicCertificates().Certificates {
			if x.ID == id {
				answer(w, http.StatusOK, x)
				return
			}
		}
		if len(id) > maxCertificateID {
			id = ""
		}
		answer(w, http.StatusNotFound, publicCertificate{ID: id, State: unknownCertificate})
	}))
}
