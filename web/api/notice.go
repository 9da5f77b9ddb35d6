package api

import (
	"context"
	"net/http"
	"time"

	"touchstone/web"
)

// CaseNotice is one message to one recipient about one incident. States: drafted, superseded, queued, sending, sent, failed,
// given_up, in_doubt.
type CaseNotice struct {
	ID       string          `json:"id" example:"NTC-1"`
	Incident string          `json:"incident" example:"INC-1"`
	Kind     string          `json:"kind" doc:"issuer_file, merchant_kit, consumer_notice, regulator_note or internal" example:"regulator_note"`
	To       string          `json:"to" doc:"who, in the address book"`
	Group    string          `json:"group" doc:"issuer, merchant, public, regulator, internal or drill"`
	Channel  string          `json:"channel" doc:"smtp, sms, webhook or file"`
	Address  string          `json:"address"`
	Drill    bool            `json:"drill,omitempty"`
	Subject  string          `json:"subject"`
	Exposed  int             `json:"exposed" doc:"sales that it speaks of"`
	State    string          `json:"state" example:"sent"`
	Tries    int             `json:"tries"`
	Drafted  time.Time       `json:"drafted"`
	Queued   time.Time       `json:"queued,omitzero"`
	Next     time.Time       `json:"next_try,omitzero"`
	By       []string        `json:"agreed_by,omitempty" doc:"who agreed to send it"`
	Proposal string          `json:"proposal,omitempty"`
	Contents []NoticeContent `json:"contents"`
	Attempts []NoticeAttempt `json:"attempts,omitempty"`
	Proof    *NoticeProof    `json:"proof,omitempty" doc:"that the other side took it"`
	Text     string          `json:"text,omitempty" doc:"what it says; of one notice"`
}

// NoticeContent is one thing that a notice carries.
type NoticeContent struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Bytes  int    `json:"bytes"`
	Digest string `json:"digest" doc:"SHA-256"`
}

// NoticeAttempt is one try to hand a notice over.
type NoticeAttempt struct {
	N      int       `json:"n"`
	Began  time.Time `json:"began"`
	Ended  time.Time `json:"ended,omitzero"`
	Result string    `json:"result" doc:"accepted, refused, refused_now, unreachable, in_doubt; empty: the program ended during it"`
	Code   int       `json:"code,omitempty" doc:"SMTP reply code or HTTP status"`
	Said   string    `json:"said,omitempty" doc:"the other side's words"`
}

// NoticeProof is a proof of delivery.
type NoticeProof struct {
	At     time.Time `json:"at"`
	Code   int       `json:"code,omitempty"`
	Said   string    `json:"said"`
	Digest string    `json:"digest" doc:"SHA-256; docs/operating/notices.md says of what"`
}

// NoticeQuery narrows a list of notices.
type NoticeQuery struct {
	Paging
	AsOf
	Pick     string `query:"state" enum:"drafted,superseded,queued,sending,sent,failed,given_up,in_doubt,stuck," doc:"stuck is failed, given_up or in_doubt"`
	Incident string `query:"incident" maxLength:"20"`
	Kind     string `query:"kind" maxLength:"20"`
}

// Notices is what was told to others, or is to be.
type Notices interface {
	Notices(ctx context.Context, who *web.Caller, q *NoticeQuery) (Page[CaseNotice], error)
	Notice(ctx context.Context, who *web.Caller, q *NoticeInput) (CaseNotice, error)
}

// NoticeInput names one notice.
type NoticeInput struct {
	AsOf
	ID string `path:"id" maxLength:"20" example:"NTC-1"`
}

func (a *API) notices(d *Desk) {
	Add(a, Operation{ID: "list-notices", Method: http.MethodGet, Path: "/notices", Summary: "Notices and where each stands, the newest first", Tag: "notices", Rule: noticeReaders}, d.Notices.Notices)
	Add(a, Operation{ID: "get-notice", Method: http.MethodGet, Path: "/notices/{id}", Summary: "One notice: what it says, its attempts and its proof", Tag: "notices", Rule: noticeReaders}, d.Notices.Notice)
}
