package api

import (
	"context"
	"net/http"
	"time"

	"touchstone/web"
)

// PermitCount is how many terminals may do the same.
type PermitCount struct {
	Permit    string `json:"permit" example:"no_refund, online_only"`
	Label     Text   `json:"label"`
	Sells     bool   `json:"sells" doc:"a sale is possible"`
	Full      bool   `json:"full" doc:"everything is"`
	Terminals int    `json:"terminals"`
}

// FactCount is how many terminals one state of a fact restricts.
type FactCount struct {
	Fact       string `json:"fact" example:"inspection"`
	Label      Text   `json:"label"`
	State      string `json:"state" example:"overdue"`
	StateLabel Text   `json:"state_label"`
	Terminals  int    `json:"terminals"`
}

// PermitRow is one terminal and what it may do.
type PermitRow struct {
	Terminal string `json:"terminal"`
	Merchant string `json:"merchant"`
	Permit   string `json:"permit"`
	Label    Text   `json:"label"`
	Why      string `json:"why,omitempty"`
	WhyZH    string `json:"why_zh,omitempty"`
	Entry    uint64 `json:"entry,omitempty" doc:"of the journal, that says so"`
}

// Permits is what terminals may do and why.
type Permits struct {
	Counted
	Policy    string        `json:"policy" doc:"in force: its number, or its name when built in"`
	Terminals int           `json:"terminals"`
	Counts    []PermitCount `json:"counts" nullable:"false" doc:"the most permitted first"`
	Facts     []FactCount   `json:"facts" nullable:"false" doc:"what restricts, the most frequent first; a terminal may be in several"`
	List      []PermitRow   `json:"list" nullable:"false" doc:"those asked for, at most 500"`
	More      int           `json:"more" doc:"of those asked for that are not listed"`
}

// PermitsQuery asks for counts, and with a permit or a fact for terminals.
type PermitsQuery struct {
	AsOf
	Permit string `query:"permit" maxLength:"100" doc:"list terminals with exactly this permit"`
	Fact   string `query:"fact" maxLength:"30" doc:"list terminals that this fact restricts"`
	State  string `query:"state" maxLength:"30" doc:"with fact: only in this state"`
}

// PolicyVersion is one permit policy that was put in force.
type PolicyVersion struct {
	ID      string    `json:"id" example:"PPL-1"`
	Name    string    `json:"name"`
	At      time.Time `json:"at,omitzero"`
	By      []string  `json:"by" nullable:"false"`
	Entry   uint64    `json:"entry,omitempty"`
	InForce bool      `json:"in_force"`
}

// PolicyLine is a line of a comparison: same, gone or new.
type PolicyLine struct {
	Change string `json:"change" enum:"same,gone,new"`
	Text   string `json:"text"`
}

// Policy is the permit policy.
type Policy struct {
	ID       string          `json:"id"`
	Name     string          `json:"name"`
	Text     string          `json:"text" doc:"TOML"`
	Tests    int             `json:"tests" doc:"that it carries and that held when it was set"`
	InForce  bool            `json:"in_force"`
	Versions []PolicyVersion `json:"versions" nullable:"false" doc:"the newest first"`
	Against  string          `json:"against,omitempty" doc:"the version that it is compared with"`
	Diff     []PolicyLine    `json:"diff" nullable:"false" doc:"line by line"`
}

// PolicyQuery asks for a version and what it is compared with.
type PolicyQuery struct {
	AsOf
	Version string `query:"version" maxLength:"20" doc:"such as PPL-2; absent: that in force; standard: the built-in one"`
	Against string `query:"against" maxLength:"20" doc:"compare with this version; absent: the one before"`
}

// PermitBook is what the host knows of permits and of the policy that they are made by.
type PermitBook interface {
	Permits(ctx context.Context, who *web.Caller, q *PermitsQuery) (Permits, error)
	Policy(ctx context.Context, who *web.Caller, q *PolicyQuery) (Policy, error)
}

func (a *API) permits(d *Desk) {
	Add(a, Operation{ID: "get-permits", Method: http.MethodGet, Path: "/permits", Summary: "What terminals may do and why", Tag: "permits", Rule: web.Staff,
		Text: "Counts; with permit or fact also the terminals. The same figures as touchstone permit list."}, d.Permits.Permits)
	Add(a, Operation{ID: "get-policy", Method: http.MethodGet, Path: "/policy", Summary: "The permit policy, its versions and their difference", Tag: "policy", Rule: web.Staff}, d.Permits.Policy)
}
