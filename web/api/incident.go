package api

import (
	"context"
	"net/http"
	"time"

	"touchstone/pos"
	"touchstone/staff"
	"touchstone/web"
)

// Deadline is one duty of an incident that has to be done by a time. States: waiting, running, answered_in_time,
// answered_late, waived.
type Deadline struct {
	Rule      string    `json:"rule" example:"cac-report"`
	Incident  string    `json:"incident" example:"INC-1"`
	Duty      Text      `json:"duty"`
	Recipient Text      `json:"recipient"`
	Start     string    `json:"start" doc:"from when it runs: awareness, engaged, fixed or handled"`
	Within    string    `json:"within" doc:"as its rule says: 4h, 3d (days), 5bd (Monday to Friday), 1mo" example:"4h"`
	AtOnce    bool      `json:"at_once,omitempty" doc:"the source says at once; within is what the operator takes that for"`
	Source    string    `json:"source"`
	Verified  string    `json:"verified" doc:"how far the hours were checked in their text: V, S (secondary source), R (recalled) or unverified"`
	State     string    `json:"state" example:"running"`
	Started   time.Time `json:"started,omitzero"`
	Due       time.Time `json:"due,omitzero"`
	Overdue   bool      `json:"overdue,omitempty" doc:"it ran out unanswered"`
	Proof     string    `json:"proof,omitempty" doc:"of sending: the number of a notice, the digest of a document, or a person's statement"`
	By        string    `json:"by,omitempty" doc:"who answered or waived it"`
	Answered  time.Time `json:"answered,omitzero"`
	Reason    string    `json:"reason,omitempty" doc:"why it was waived"`
}

// Incident is one incident as a list shows it.
type Incident struct {
	ID        string         `json:"id" example:"INC-1"`
	Title     Text           `json:"title"`
	Kind      string         `json:"kind" example:"authentication_failing"`
	KindName  Text           `json:"kind_name"`
	Severity  string         `json:"severity" doc:"general, considerable, major or extreme: GB/T 20986" example:"considerable"`
	Grade     Text           `json:"grade"`
	State     string         `json:"state" doc:"open: nobody has taken it; working: it has an owner; closed" example:"open"`
	Owner     string         `json:"owner,omitempty" doc:"an account"`
	Drill     bool           `json:"drill,omitempty" doc:"an exercise: nothing in it is real"`
	OpenedBy  string         `json:"opened_by" doc:"rule, report, inspection or person" example:"rule"`
	OpenedRef string         `json:"opened_ref,omitempty" doc:"which rule, report or inspection"`
	Opened    time.Time      `json:"opened"`
	Aware     time.Time      `json:"aware" doc:"awareness: the deadlines start here"`
	Closed    time.Time      `json:"closed,omitzero"`
	Reason    string         `json:"reason,omitempty" doc:"the reason that its refusals have" example:"serial_proof_failed"`
	Terminals int            `json:"terminals" doc:"how many it touches by name"`
	Shops     int            `json:"shops"`
	Models    []string       `json:"models,omitempty"`
	Versions  []string       `json:"versions,omitempty"`
	Whole     bool           `json:"every_terminal,omitempty" doc:"every terminal of these models and versions is in it, named or not"`
	Likely    *LikelyCause   `json:"likely_cause,omitempty" doc:"what experiment found behind most of its failures"`
	Cause     string         `json:"cause,omitempty" doc:"the cause that a person stands for"`
	Next      *Deadline      `json:"next_deadline,omitempty" doc:"the soonest that still runs"`
	Clocks    DeadlineCounts `json:"deadlines"`
}

// DeadlineCounts counts the duties of an incident.
type DeadlineCounts struct {
	Waiting int `json:"waiting"`
	Running int `json:"running"`
	Overdue int `json:"overdue"`
	Done    int `json:"done" doc:"answered or waived"`
}

// LikelyCause is one cause that experiment found behind failures.
type LikelyCause struct {
	Cause     string `json:"cause" example:"other_master_key"`
	Name      Text   `json:"name"`
	Owner     Text   `json:"owner" doc:"who has to act"`
	Terminals int    `json:"terminals" doc:"for which it was found"`
	Proven    int    `json:"proven" doc:"of them, proven"`
	Of        int    `json:"of" doc:"terminals of the incident that failed"`
	Common    bool   `json:"common,omitempty" doc:"most of the failures have it"`
}

// SharedTrait is one line of the table on which a common cause rests: what the terminals that failed share and others do not.
type SharedTrait struct {
	Name         string  `json:"trait" doc:"model_version, model, version, key, network or shop"`
	Value        string  `json:"value"`
	Affected     int     `json:"affected" doc:"that share it and failed"`
	Unaffected   int     `json:"unaffected" doc:"that share it and did not"`
	OthersFailed int     `json:"others_failed"`
	OthersWell   int     `json:"others_well"`
	G            float64 `json:"g" doc:"log-likelihood ratio; 7.88 is one in two hundred by chance"`
	Chosen       bool    `json:"chosen,omitempty"`
}

// IncidentStep is one act of an incident's timeline.
type IncidentStep struct {
	Number  int       `json:"number"`
	At      time.Time `json:"at"`
	Verb    string    `json:"verb" example:"incident_assigned"`
	Actors  []string  `json:"actors"`
	Text    Text      `json:"text"`
	Entries []uint64  `json:"entries,omitempty" doc:"journal entries that it speaks of"`
}

// LinkedRecord is a record of another room that belongs to an incident.
type LinkedRecord struct {
	ID string    `json:"id" example:"ADV-1"`
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// IncidentScope is what an incident touches.
type IncidentScope struct {
	Terminals []string  `json:"terminals,omitempty"`
	More      int       `json:"more_terminals,omitempty" doc:"beside those that are named"`
	Devices   []string  `json:"devices,omitempty"`
	Shops     []string  `json:"shops,omitempty"`
	From      time.Time `json:"from,omitzero" doc:"begin of the window of exposure"`
	To        time.Time `json:"to,omitzero" doc:"its end; absent: it goes on"`
}

// IncidentAction is something that was done about an incident.
type IncidentAction struct {
	Text string    `json:"text"`
	By   string    `json:"by"`
	At   time.Time `json:"at"`
}

// IncidentWhole is one incident with what belongs to it.
type IncidentWhole struct {
	Incident
	Scope     IncidentScope    `json:"scope"`
	Traits    []SharedTrait    `json:"shared_traits,omitempty"`
	Causes    []LikelyCause    `json:"causes_found,omitempty"`
	Proof     []uint64         `json:"proof,omitempty" doc:"journal entries on which it was opened, as many as are kept"`
	Proofs    int              `json:"proofs,omitempty" doc:"how many there are in all"`
	CauseBy   string           `json:"cause_by,omitempty"`
	Entries   []uint64         `json:"cause_entries,omitempty" doc:"journal entries on which the cause rests"`
	Actions   []IncidentAction `json:"actions,omitempty"`
	Links     []LinkedRecord   `json:"links,omitempty"`
	Deadlines []Deadline       `json:"deadline_list"`
	Timeline  []IncidentStep   `json:"timeline"`
	Missing   []Text           `json:"missing,omitempty" doc:"what it lacks to be closed"`
	ClosedBy  []string         `json:"closed_by,omitempty"`
	Reopened  int              `json:"reopened,omitempty"`
	Exposure  *Exposure        `json:"exposure,omitempty" doc:"the exposed sales as they were frozen into it"`
	Claims    map[string]int   `json:"claims" doc:"its claims by state"`
	Notices   map[string]int   `json:"notices" doc:"its notices by state"`
	NoticeSet string           `json:"notice_set" doc:"digest of what is drafted: who has it sent repeats it"`
	Now       time.Time        `json:"now" doc:"the moment of this answer, against which deadlines are overdue"`
}

// IncidentQuery narrows a list of incidents.
type IncidentQuery struct {
	Paging
	AsOf
	Pick     string `query:"state" enum:"open,working,unclosed,closed," doc:"unclosed is open or working"`
	Severity string `query:"severity" maxLength:"20" doc:"general, considerable, major or extreme"`
	Kind     string `query:"kind" maxLength:"48"`
	Terminal string `query:"terminal" maxLength:"8" doc:"that touches this terminal by name"`
	Overdue  bool   `query:"overdue" doc:"with a deadline that ran out unanswered"`
	Drills   bool   `query:"drills" doc:"drills too"`
	Sort     string `query:"sort" enum:"newest,deadline," doc:"newest first, or the soonest deadline first"`
}

// IncidentTerms are the words that incidents are made of: kinds, severities, roles that may own one.
type IncidentTerms struct {
	Kinds      []Named `json:"kinds"`
	Severities []Named `json:"severities"`
}

// Named is a stable word with its name.
type Named struct {
	ID   string `json:"id"`
	Name Text   `json:"name"`
}

// Incidents is what the host knows of incidents.
type Incidents interface {
	Incidents(ctx context.Context, who *web.Caller, q *IncidentQuery) (Page[Incident], error)
	Incident(ctx context.Context, who *web.Caller, q *IncidentInput) (IncidentWhole, error)
	Terms(ctx context.Context, who *web.Caller) (IncidentTerms, error)
}

// CaseBooks are the ports of incidents and what follows from them, and of the laboratory.
type CaseBooks struct {
	Incidents Incidents
	Claims    Claims
	Reports   Reports
	Notices   Notices
	Lab       Laboratory
	Bench     Bench
}

func (a *API) cases(d *Desk) {
	a.incidents(d)
	a.claims(d)
	a.reports(d)
	a.notices(d)
	a.laboratory(d)
}

// Who reads what of incidents, claims and reports. Claims and reports are of consumers: only those who work on them
// and those who audit them see them, and of what a consumer said in words only the first.
var (
	claimReaders  = web.Rule{Roles: []staff.Role{staff.Support, staff.Security, staff.Auditor}}
	reportReaders = web.Rule{Roles: []staff.Role{staff.Support, staff.Security, staff.Field, staff.Auditor}}
	noticeReaders = web.Rule{Roles: []staff.Role{staff.Support, staff.Security, staff.Auditor, staff.Administrator}}
)

// ClaimReaders, ReportReaders and NoticeReaders are those rules, for the console's pages of the same records.
func ClaimReaders() web.Rule  { return claimReaders }
func ReportReaders() web.Rule { return reportReaders }
func NoticeReaders() web.Rule { return noticeReaders }

// Confidant tells whether a caller works on what consumers say, and so may read it.
func Confidant(who *web.Caller) bool { return who.May(staff.Support, staff.Security) }

// IncidentInput names one incident.
type IncidentInput struct {
	AsOf
	ID string `path:"id" maxLength:"20" example:"INC-1"`
}

func (a *API) incidents(d *Desk) {
	Add(a, Operation{ID: "list-incidents", Method: http.MethodGet, Path: "/incidents", Summary: "List incidents", Tag: "incidents", Rule: web.Staff}, d.Incidents.Incidents)
	Add(a, Operation{ID: "get-incident", Method: http.MethodGet, Path: "/incidents/{id}", Summary: "One incident: scope, deadlines, causes, timeline, what belongs to it", Tag: "incidents", Rule: web.Staff}, d.Incidents.Incident)
	Add(a, Operation{ID: "list-incident-terms", Method: http.MethodGet, Path: "/incident-terms", Summary: "Kinds and severities of incidents", Tag: "incidents", Rule: web.Staff},
		func(ctx context.Context, who *web.Caller, _ *struct{}) (IncidentTerms, error) {
			return d.Incidents.Terms(ctx, who)
		})
}

// Exposure is a set of exposed sales that was frozen into an incident: notices and claims speak of the same ones.
type Exposure struct {
	ID        string     `json:"id" example:"EXP-1"`
	Incident  string     `json:"incident" example:"INC-1"`
	From      time.Time  `json:"from"`
	To        time.Time  `json:"to" doc:"not included"`
	Terminals int        `json:"terminals" doc:"that were searched"`
	Sales     int        `json:"sales"`
	Cards     int        `json:"cards"`
	Shops     int        `json:"shops"`
	Amount    pos.Amount `json:"amount" doc:"fen"`
	Head      uint64     `json:"head" doc:"the last journal entry that was searched"`
	At        time.Time  `json:"at"`
	By        []string   `json:"by"`
	Replaces  string     `json:"replaces,omitempty" doc:"an earlier set of the same incident"`
	Drill     bool       `json:"drill,omitempty"`
	Lists     []string   `json:"lists" doc:"SHA-256 of the kept lists"`
}
