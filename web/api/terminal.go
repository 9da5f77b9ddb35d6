package api

import (
	"context"
	"net/http"
	"time"

	"touchstone/web"
)

// Terminal is a place in a shop where a device works, in a line.
type Terminal struct {
	ID        string     `json:"id" example:"ter_00000011"`
	Terminal  string     `json:"terminal" doc:"DE41" example:"00000011"`
	Merchant  string     `json:"merchant" doc:"DE42" example:"898310058120001"`
	Shop      string     `json:"merchant_name,omitempty"`
	Serial    string     `json:"serial" doc:"of the device that is bound to it"`
	Model     string     `json:"model,omitempty"`
	Hardware  string     `json:"hardware,omitempty"`
	Version   string     `json:"version,omitempty" doc:"application that the device presented last"`
	State     string     `json:"state" doc:"active, suspended or merchant_suspended"`
	Sell      string     `json:"sell" doc:"may it sell: yes, limited or no"`
	Permit    string     `json:"permit" doc:"full, blocked, sign_in_only, or some of no_refund, online_only, limit:500.00"`
	May       Text       `json:"may" doc:"the permit in words"`
	Reasons   []string   `json:"reasons,omitempty" doc:"facts that make it less than full, with their states" example:"inspection.overdue"`
	Address   string     `json:"address,omitempty"`
	Latitude  *float64   `json:"latitude,omitempty" doc:"degrees north"`
	Longitude *float64   `json:"longitude,omitempty" doc:"degrees east"`
	Grade     string     `json:"grade,omitempty" doc:"of its proofs: none, weak, accepted or strong; for staff"`
	Due       *time.Time `json:"inspection_due,omitempty"`
	Seen      *time.Time `json:"last_seen,omitempty" doc:"its newest message whose MAC verified, of the last one to two days"`
}

// TerminalQuery narrows a list of terminals, in the order of their ids. Where several values of one thing are given, one of them fits.
type TerminalQuery struct {
	Paging
	AsOf
	Search      string   `query:"q" maxLength:"100" doc:"part of the id, the serial number, the merchant's number or name, or the address"`
	Merchant    string   `query:"merchant" maxLength:"20" doc:"DE42, or mer_ and it"`
	Sell        []string `query:"sell" maxItems:"3" doc:"yes, limited, no"`
	State       []string `query:"state" maxItems:"4" doc:"active, suspended, merchant_suspended"`
	Device      []string `query:"device" maxItems:"12" doc:"state of the device: good, tampered, in_repair, unknown ..."`
	Model       []string `query:"model" maxItems:"20"`
	Hardware    []string `query:"hardware" maxItems:"20"`
	Version     []string `query:"version" maxItems:"20"`
	Certificate []string `query:"certificate" maxItems:"10" doc:"of the model: good, expired, suspended, not_covered, unknown ..."`
	Network     []string `query:"network" maxItems:"4" doc:"private, public, unknown"`
	Site        []string `query:"site" maxItems:"5" doc:"counter, mobile, unattended, open_public, unknown"`
	Inspection  []string `query:"inspection" maxItems:"4" doc:"good, overdue, failed, unknown"`
	Grade       []string `query:"grade" maxItems:"4" doc:"none, weak, accepted, strong"`
	Reason      []string `query:"reason" maxItems:"20" doc:"why it may not do everything: a fact such as inspection, or with its state, inspection.overdue"`
	Campaign    []string `query:"campaign" maxItems:"20" doc:"CMP-3"`
	Advisory    []string `query:"advisory" maxItems:"20" doc:"ADV-2"`
	DueBefore   string   `query:"due_before" maxLength:"40" doc:"the next inspection is due before this day or instant"`
	Counts      bool     `query:"counts" doc:"count the terminals by each value, too"`
}

// ValueCount is how many terminals have a value.
type ValueCount struct {
	Value     string `json:"value"`
	Terminals int    `json:"terminals"`
}

// TerminalPage is a piece of the list.
type TerminalPage struct {
	Page[Terminal]
	Total    int                     `json:"total" doc:"terminals that fit"`
	Building bool                    `json:"building,omitempty" doc:"the index is being built after a start: some are not in it yet"`
	Counts   map[string][]ValueCount `json:"counts,omitempty" doc:"by filter: of the terminals that all other filters fit, how many have each value"`
}

// TerminalPermit is what a terminal may do, why, and what would restore it.
type TerminalPermit struct {
	Terminal string       `json:"terminal"`
	Merchant string       `json:"merchant"`
	Sell     string       `json:"sell" doc:"may it sell: yes, limited or no"`
	Permit   string       `json:"permit"`
	May      Text         `json:"may"`
	Since    *time.Time   `json:"since,omitempty"`
	Entry    uint64       `json:"entry,omitempty" doc:"of the journal, that says so"`
	Policy   string       `json:"policy,omitempty" doc:"by which it was judged; for staff"`
	Waiting  string       `json:"waiting,omitempty" doc:"what it will be when a judgment under way is registered"`
	Operator string       `json:"operator,omitempty" doc:"who signed in for the keys in force"`
	Facts    []PermitFact `json:"facts" nullable:"false" doc:"for staff all; for a merchant those that restrict"`
}

// PermitFact is one fact that a permit depends on.
type PermitFact struct {
	Fact      string     `json:"fact" example:"inspection"`
	Name      Text       `json:"name"`
	State     string     `json:"state" example:"overdue"`
	Words     Text       `json:"words"`
	Detail    string     `json:"detail,omitempty"`
	Since     *time.Time `json:"since,omitempty"`
	Until     *time.Time `json:"until,omitempty"`
	Entry     uint64     `json:"entry,omitempty"`
	Permits   string     `json:"permits,omitempty" doc:"what the policy lets it do with this fact alone"`
	Restricts bool       `json:"restricts"`
	Tolerated bool       `json:"tolerated,omitempty" doc:"unknown, and the policy lets it be"`
	Restore   Text       `json:"restore" doc:"what would make it restrict nothing"`
}

// TerminalDetail is one terminal with everything about it.
type TerminalDetail struct {
	Terminal
	AsOf          *time.Time         `json:"as_of,omitempty"`
	Entry         uint64             `json:"entry,omitempty" doc:"of its record in the journal"`
	Canary        bool               `json:"canary,omitempty" doc:"reserved for known-bad messages"`
	Networks      []string           `json:"networks,omitempty" doc:"from where it may come; CIDR, or any; its merchant's where it has none"`
	Licence       string             `json:"licence,omitempty" doc:"network licence of the device"`
	DeviceIs      string             `json:"device_state,omitempty" doc:"where its device is in its life"`
	Five          FiveElements       `json:"five_elements"`
	Rights        TerminalPermit     `json:"may_do"`
	Keys          []TerminalKey      `json:"keys,omitempty" doc:"ages and check values, never keys; for staff"`
	Axes          []ProofAxis        `json:"grade_axes,omitempty" doc:"for staff"`
	Certificate   *DeviceCertificate `json:"device_certificate,omitempty" doc:"for staff"`
	Cashiers      []ShopCashier      `json:"cashiers" nullable:"false"`
	Touched       []Touched          `json:"touched_by" nullable:"false" doc:"open advisories and campaigns"`
	SignedIn      *time.Time         `json:"signed_in,omitempty" doc:"when the working keys in force were issued"`
	Suspect       bool               `json:"two_devices_suspected,omitempty" doc:"for staff"`
	NewestRefusal string             `json:"newest_refusal,omitempty" example:"txn_9001"`
	NewestSale    string             `json:"newest_sale,omitempty" example:"txn_9002"`
}

// TerminalKey is one key of a terminal.
type TerminalKey struct {
	Key    string     `json:"key" doc:"master, working or serial"`
	Name   Text       `json:"name"`
	Cipher string     `json:"cipher,omitempty"`
	KCV    string     `json:"kcv,omitempty" doc:"check value"`
	Since  *time.Time `json:"since,omitempty"`
	Set    uint32     `json:"set,omitempty" doc:"number of the working key set"`
	State  string     `json:"state" doc:"in_force, pending, none, unknown_age or held"`
}

// ProofAxis is what one kind of proof is worth.
type ProofAxis struct {
	Axis  string   `json:"axis"`
	Level string   `json:"level"`
	Why   []string `json:"why,omitempty"`
}

// DeviceCertificate is the X.509 certificate of a device.
type DeviceCertificate struct {
	Fingerprint string    `json:"fingerprint" doc:"SHA-256, hexadecimal"`
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	Revoked     bool      `json:"revoked,omitempty"`
}

// ShopCashier is a person at the counter and the state of their training.
type ShopCashier struct {
	Operator string     `json:"operator" doc:"DE63.1" example:"001"`
	Name     string     `json:"name"`
	State    string     `json:"training" doc:"good, lapsed, untrained or left"`
	Words    Text       `json:"words"`
	Until    *time.Time `json:"until,omitempty"`
}

// Touched is an open advisory or campaign that touches a terminal.
type Touched struct {
	ID       string     `json:"id" example:"ADV-1"`
	Kind     string     `json:"kind" doc:"advisory or campaign"`
	Title    string     `json:"title"`
	Severity string     `json:"severity,omitempty"`
	Deadline *time.Time `json:"deadline,omitempty"`
}

// Mark is one thing that happened to a terminal.
type Mark struct {
	Lane  string    `json:"lane" doc:"sign_in, key, version, move, failure, inspection or permit"`
	At    time.Time `json:"at"`
	Entry uint64    `json:"entry" doc:"of the journal"`
	State string    `json:"state,omitempty" doc:"what began: of a permit yes, limited or no; of an inspection passed or failed; of a version its number"`
	What  Text      `json:"what"`
	Link  string    `json:"transaction,omitempty" example:"txn_9001"`
}

// Timeline is what happened to a terminal, oldest first.
type Timeline struct {
	Terminal  string    `json:"terminal"`
	From      time.Time `json:"from"`
	To        time.Time `json:"to"`
	Marks     []Mark    `json:"marks" nullable:"false"`
	Truncated bool      `json:"truncated,omitempty" doc:"older ones of some lane were left out"`
}

// TimelineQuery says how far back.
type TimelineQuery struct {
	AsOf
	Span string `query:"span" enum:"hour,day,week,all" default:"week" doc:"how far back from as_of, or from now"`
}

// Terminals is what the host knows of terminals. An unknown one, and one that the caller may not see, is NotFound.
type Terminals interface {
	Terminals(ctx context.Context, who *web.Caller, q *TerminalQuery) (TerminalPage, error)
	Terminal(ctx context.Context, who *web.Caller, id string, q *AsOf) (TerminalDetail, error)
	Timeline(ctx context.Context, who *web.Caller, id string, q *TimelineQuery) (Timeline, error)
	TerminalPermit(ctx context.Context, who *web.Caller, id string, q *AsOf) (TerminalPermit, error)
	Repair(ctx context.Context, who *web.Caller, id, transaction string) (Repair, error)
}

type terminalInput struct {
	ID string `path:"id" maxLength:"40" example:"ter_00000011"`
	AsOf
}

type timelineInput struct {
	ID string `path:"id" maxLength:"40" example:"ter_00000011"`
	TimelineQuery
}

type repairInput struct {
	ID          string `path:"id" maxLength:"40" example:"ter_00000011"`
	Transaction string `query:"transaction" maxLength:"40" doc:"the refusal to repair; absent: the newest" example:"txn_9001"`
}

func (a *API) terminals(d *Desk) {
	seen := web.Rule{Any: true, Shop: true}
	Add(a, Operation{ID: "list-terminals", Method: http.MethodGet, Path: "/terminals", Tag: "terminals", Rule: seen, Summary: "Find terminals, in the order of their ids",
		Text: "With as_of the search, the filters and the counts go by what was then. The grade and the newest message of each are not told of a past moment, and a filter by grade is refused: /grades takes as_of."}, d.Terminals.Terminals)
	Add(a, Operation{ID: "get-terminal", Method: http.MethodGet, Path: "/terminals/{id}", Tag: "terminals", Rule: seen, Summary: "One terminal: what it may do and why, its device, keys, people"},
		func(ctx context.Context, who *web.Caller, in *terminalInput) (TerminalDetail, error) {
			return d.Terminals.Terminal(ctx, who, in.ID, &in.AsOf)
		})
	Add(a, Operation{ID: "get-terminal-timeline", Method: http.MethodGet, Path: "/terminals/{id}/timeline", Tag: "terminals", Rule: seen, Summary: "What happened to a terminal"},
		func(ctx context.Context, who *web.Caller, in *timelineInput) (Timeline, error) {
			return d.Terminals.Timeline(ctx, who, in.ID, &in.TimelineQuery)
		})
	Add(a, Operation{ID: "get-terminal-repair", Method: http.MethodGet, Path: "/terminals/{id}/repair", Tag: "terminals", Rule: seen, Summary: "What repairs a terminal, step by step, and whether it sells again"},
		func(ctx context.Context, who *web.Caller, in *repairInput) (Repair, error) {
			return d.Terminals.Repair(ctx, who, in.ID, in.Transaction)
		})
	Add(a, Operation{ID: "get-terminal-permit", Method: http.MethodGet, Path: "/permits/{id}", Tag: "permits", Rule: seen, Summary: "May this terminal sell, why, and what would restore it"},
		func(ctx context.Context, who *web.Caller, in *terminalInput) (TerminalPermit, error) {
			return d.Terminals.TerminalPermit(ctx, who, in.ID, &in.AsOf)
		})
}
