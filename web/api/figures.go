package api

import (
	"context"
	"net/http"
	"time"

	"touchstone/web"
)

// Count is how many messages security refused, how many were sales, for how much in minor units, and what is known of
// whether that was right.
type Count struct {
	Messages uint64 `json:"messages"`
	Sales    uint64 `json:"sales"`
	Amount   int64  `json:"amount" doc:"of the sales, minor units"`
	Wrong    uint64 `json:"wrong" doc:"messages proven to be of honest terminals"`
	Unknown  uint64 `json:"unknown" doc:"messages of which neither is proven"`
}

// FailureRow is one value of a dimension.
type FailureRow struct {
	Key   string `json:"key" doc:"stable; empty for what has no name: over a bound, or not registered"`
	Words Text   `json:"words"`
	Count
}

// FailureHour is one hour by reason.
type FailureHour struct {
	Start   time.Time         `json:"start"`
	Reasons map[string]uint64 `json:"reasons" doc:"messages by reason"`
}

// FailureFlow is what was found behind a reason.
type FailureFlow struct {
	Reason  string `json:"reason"`
	Cause   string `json:"cause"`
	Justice string `json:"justice" doc:"wrong, right or unknown"`
	Count
}

// Purchases are refused purchases in number and money, minor units.
type Purchases struct {
	Number        uint64 `json:"number"`
	Amount        int64  `json:"amount"`
	Wrong         uint64 `json:"wrong" doc:"proven honest"`
	WrongAmount   int64  `json:"wrong_amount"`
	Unknown       uint64 `json:"unknown"`
	UnknownAmount int64  `json:"unknown_amount"`
}

// Failures are refusals in figures: those of touchstone failures.
type Failures struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to" doc:"the end of the last hour that counts"`
	AsOf    time.Time `json:"as_of,omitzero" doc:"what was known then"`
	Last    uint64    `json:"last_entry" doc:"the newest entry of the journal that is counted"`
	Range   string    `json:"state" enum:"ready,counting" doc:"counting: the journal is being read for this range, ask again; the figures are empty"`
	Counted uint64    `json:"counted,omitempty" doc:"while counting: entries read"`
	Of      uint64    `json:"of,omitempty" doc:"while counting: entries to read"`

	Rebuilding bool `json:"rebuilding,omitempty" doc:"the host started lately: not all of the last hours are counted yet"`
	Narrowed   bool `json:"narrowed,omitempty" doc:"a filter was given: total, tables, hours and flows are of it, all else is of every terminal"`

	Approved  uint64  `json:"approved_sales"`
	Taken     int64   `json:"approved_amount"`
	Terminals int     `json:"terminals"`
	Total     Count   `json:"refused_by_security"`
	Least     float64 `json:"false_failure_least" doc:"share of honest sales that security refused: what is proven"`
	Most      float64 `json:"false_failure_most" doc:"and with what is unknown"`

	WrongSales     uint64 `json:"wrong_sales"`
	UnknownSales   uint64 `json:"unknown_sales"`
	WrongTerminals int    `json:"wrong_terminals"`

	Waiting   Purchases `json:"purchases_waiting"`
	Recovered Purchases `json:"purchases_recovered"`
	Lost      Purchases `json:"purchases_lost"`

	Tables    map[string][]FailureRow `json:"tables" nullable:"false" doc:"by reason, cause, model, version, merchant, terminal, hour; at most 200 rows each"`
	Cut       bool                    `json:"cut" doc:"a table has more rows"`
	Hours     []FailureHour           `json:"hours" nullable:"false"`
	Flows     []FailureFlow           `json:"flows" nullable:"false"`
	Incidents []FailureIncident       `json:"incidents" nullable:"false" doc:"open incidents that such failures raised"`
}

// FailureIncident is an open incident of a reason that spreads.
type FailureIncident struct {
	ID     string `json:"id"`
	Title  Text   `json:"title"`
	Reason string `json:"reason,omitempty"`
}

// FailureQuery is a range of hours and what narrows it.
type FailureQuery struct {
	From     string `query:"from" maxLength:"40" doc:"RFC 3339, or a day or an hour in the host's zone such as 2026-11-27T08; its hour counts. Without it the last 48 hours." example:"2026-11-27"`
	To       string `query:"to" maxLength:"40" doc:"the first hour that no longer counts"`
	AsOf     string `query:"as_of" maxLength:"40" doc:"what was known then: causes found later are left out. The journal is read for it."`
	Reason   string `query:"reason" maxLength:"60"`
	Cause    string `query:"cause" maxLength:"90" doc:"as a row of causes is named, such as \"proven mac_stale_key\""`
	Model    string `query:"model" maxLength:"60"`
	Version  string `query:"version" maxLength:"120" doc:"model and version, as a row is named"`
	Merchant string `query:"merchant" maxLength:"20"`
	Terminal string `query:"terminal" maxLength:"20"`
}

// EffectivenessQuery is a range of hours.
type EffectivenessQuery struct {
	AsOf
	From string `query:"from" maxLength:"40" doc:"as of failures; the last 48 hours, or those before as_of, are kept"`
	To   string `query:"to" maxLength:"40"`
}

// Effectiveness is which proofs every approval rested on: the figures of touchstone effectiveness.
type Effectiveness struct {
	From       time.Time           `json:"from"`
	To         time.Time           `json:"to"`
	Last       uint64              `json:"last_entry"`
	AsOf       *time.Time          `json:"as_of,omitempty"`
	Rebuilding bool                `json:"rebuilding,omitempty"`
	Sentence   Text                `json:"sentence"`
	Approvals  uint64              `json:"approvals"`
	Full       uint64              `json:"fully_proven"`
	Canary     uint64              `json:"canary_approvals" doc:"of reserved terminals, in no other figure"`
	Shortfalls []EffectiveShort    `json:"shortfalls" nullable:"false"`
	Proofs     []EffectiveProof    `json:"proofs" nullable:"false"`
	Models     []EffectiveRow      `json:"models" nullable:"false"`
	Merchants  []EffectiveRow      `json:"merchants" nullable:"false" doc:"the least proven first, at most 200"`
	Watch      EffectivenessCanary `json:"canary"`
	Stopped    []string            `json:"sales_stopped" nullable:"false" doc:"proofs on account of which sales are stopped"`
}

// EffectivenessCanary is what the host's own known-bad messages say.
type EffectivenessCanary struct {
	State       string    `json:"state" enum:"ok,ineffective,none,waiting"`
	Rounds      uint64    `json:"rounds" doc:"since the host started; 0 as of a past moment: not kept"`
	Messages    uint64    `json:"messages" doc:"since the host started; 0 as of a past moment: not kept"`
	Ineffective int       `json:"ineffective" doc:"messages that are not judged as they must be now"`
	Last        time.Time `json:"last_round,omitzero"`
}

// EffectiveShort is one way in which approvals were not fully proven.
type EffectiveShort struct {
	Proof     string   `json:"proof"`
	Standing  string   `json:"standing"`
	Approvals uint64   `json:"approvals"`
	Models    []string `json:"models,omitempty"`
	Shops     int      `json:"shops"`
}

// EffectiveProof is how one proof stood in all approvals.
type EffectiveProof struct {
	Proof     string            `json:"proof"`
	Standings map[string]uint64 `json:"standings"`
}

// EffectiveRow is one model or merchant.
type EffectiveRow struct {
	Key        string            `json:"key"`
	Name       string            `json:"name,omitempty"`
	Approvals  uint64            `json:"approvals"`
	Full       uint64            `json:"fully_proven"`
	Shortfalls map[string]uint64 `json:"shortfalls,omitempty"`
}

// Event is something a person should know that no message says by itself.
type Event struct {
	ID         string            `json:"id" example:"evt_1042"`
	At         time.Time         `json:"at"`
	Name       string            `json:"name"`
	Severity   string            `json:"severity" enum:"info,warning,alarm"`
	Terminal   string            `json:"terminal,omitempty"`
	Model      string            `json:"model,omitempty"`
	Merchant   string            `json:"merchant,omitempty"`
	Parameters map[string]string `json:"parameters,omitempty"`
	Cause      uint64            `json:"cause,omitempty" doc:"the entry that led to it"`
	Words      Text              `json:"words"`
}

// EventQuery narrows the list of events, the newest first.
type EventQuery struct {
	Paging
	Name     string `query:"name" maxLength:"40"`
	Severity string `query:"severity" enum:"info,warning,alarm"`
	Terminal string `query:"terminal" maxLength:"12"`
	AsOf     string `query:"as_of" maxLength:"40" doc:"events up to then"`
}

// Figures are what the host counts of itself.
type Figures interface {
	Status(ctx context.Context, who *web.Caller, q *AsOf) (Status, error)
	Failures(ctx context.Context, who *web.Caller, q *FailureQuery) (Failures, error)
	Effectiveness(ctx context.Context, who *web.Caller, q *EffectivenessQuery) (Effectiveness, error)
	Events(ctx context.Context, who *web.Caller, q *EventQuery) (Page[Event], error)
}

// NotKept refuses a moment of which the host keeps nothing; what says so in a sentence.
func NotKept(what string) *Problem {
	p := Refuse(http.StatusBadRequest, "as_of_not_kept", what)
	p.Param = "as_of"
	return p
}

func (a *API) figures(d *Desk) {
	Add(a, Operation{ID: "get-status", Method: http.MethodGet, Path: "/status", Summary: "What the host does now", Tag: "status", Rule: web.Staff,
		Text: "With as_of what the journal says of that moment: the register, the hour before it, the last entry, and of what waits for a person the proofs that did not prove and the sales that were stopped. Rates, times of answering, connections, memory and disk are measured by the process and recorded nowhere: not_kept names them. Refusals in figures as of then: /failures."},
		d.Figures.Status)
	Add(a, Operation{ID: "get-failures", Method: http.MethodGet, Path: "/failures", Summary: "Refusals in figures", Tag: "failures", Rule: web.Staff,
		Text: "The last 48 hours are answered from memory. An older range, and any as_of, is counted from the journal in the background: state is counting until it is there."}, d.Figures.Failures)
	Add(a, Operation{ID: "get-effectiveness", Method: http.MethodGet, Path: "/effectiveness", Summary: "Which proofs every approval rested on", Tag: "effectiveness", Rule: web.Staff},
		d.Figures.Effectiveness)
	Add(a, Operation{ID: "list-events", Method: http.MethodGet, Path: "/events", Summary: "List events, the newest first", Tag: "events", Rule: web.Staff}, d.Figures.Events)
}
