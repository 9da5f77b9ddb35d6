package api

import (
	"context"
	"net/http"
	"time"

	"touchstone/web"
)

// Report is what a consumer or a merchant says happened. States: queued (nobody has looked at it), taken (it became an
// incident or part of one), dismissed (answered).
type Report struct {
	ID          string    `json:"id" example:"RPT-1-7KQ2M9XD"`
	Kind        string    `json:"kind" doc:"skimmer, refused, wrong_amount, fake_technician or other" example:"skimmer"`
	Terminal    string    `json:"terminal,omitempty"`
	Serial      string    `json:"serial,omitempty"`
	Text        string    `json:"text,omitempty" doc:"to support and security officers alone"`
	TextBytes   int       `json:"text_bytes" doc:"how long the text is"`
	Photographs []string  `json:"photographs,omitempty" doc:"SHA-256 of those that are kept"`
	HasContact  bool      `json:"has_contact" doc:"how to reach the reporter is kept, encrypted to a key that this host does not hold"`
	Contact     string    `json:"contact_digest,omitempty" doc:"SHA-256 of that file; to support and security officers alone"`
	From        string    `json:"from" doc:"consumer, or merchant: and its number"`
	At          time.Time `json:"at"`
	State       string    `json:"state" example:"queued"`
	Incident    string    `json:"incident,omitempty"`
	Answer      string    `json:"answer,omitempty" doc:"what the reporter reads"`
	Decided     string    `json:"decided_by,omitempty"`
	DecidedAt   time.Time `json:"decided,omitzero"`
}

// ReportQuery narrows a list of reports.
type ReportQuery struct {
	Paging
	AsOf
	Pick     string `query:"state" enum:"queued,taken,dismissed,"`
	Kind     string `query:"kind" maxLength:"20"`
	Incident string `query:"incident" maxLength:"20"`
	Terminal string `query:"terminal" maxLength:"8"`
}

// KeptContent is a kept file as it is handed over.
type KeptContent struct {
	Name string
	Type string // media type
	Body []byte
}

// Reports is what consumers and merchants reported.
type Reports interface {
	Reports(ctx context.Context, who *web.Caller, q *ReportQuery) (Page[Report], error)
	Report(ctx context.Context, who *web.Caller, q *ReportInput) (Report, error)
	// Photograph is photograph n, 1 and up, drawn anew: nothing but its pixels is left of what was sent. To support and
	// security officers alone.
	Photograph(ctx context.Context, who *web.Caller, id string, n int) (KeptContent, error)
	// ReportContact is the contact, encrypted as it is kept. To support and security officers alone.
	ReportContact(ctx context.Context, who *web.Caller, id string) (KeptContent, error)
}

// ReportInput names one report.
type ReportInput struct {
	AsOf
	ID string `path:"id" maxLength:"40" example:"RPT-1-7KQ2M9XD"`
}

func (a *API) reports(d *Desk) {
	Add(a, Operation{ID: "list-reports", Method: http.MethodGet, Path: "/reports", Summary: "What consumers and merchants reported, the newest first", Tag: "reports", Rule: reportReaders}, d.Reports.Reports)
	Add(a, Operation{ID: "get-report", Method: http.MethodGet, Path: "/reports/{id}", Summary: "One report", Tag: "reports", Rule: reportReaders}, d.Reports.Report)
}
