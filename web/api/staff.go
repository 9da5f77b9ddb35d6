package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"touchstone/staff"
	"touchstone/web"
)

// The states of an account.
const (
	AccountActive   = "active"
	AccountInvited  = "invited"  // its person has still to choose a passphrase
	AccountLocked   = "locked"   // after wrong passphrases, until LockedUntil
	AccountDisabled = "disabled" // may not act
	AccountLeft     = "left"     // its person works here no longer
)

// Account is how one person acts. No hash and no secret is in it.
type Account struct {
	Account         string            `json:"account" example:"qian"`
	FullName        string            `json:"full_name"`
	Person          string            `json:"person" doc:"the number by which the organisation knows the human being"`
	Organisation    string            `json:"organisation"`
	Roles           []staff.Role      `json:"roles"`
	Shop            string            `json:"shop,omitempty" doc:"of the role merchant: all that it sees"`
	State           string            `json:"state" enum:"active,invited,locked,disabled,left"`
	Since           time.Time         `json:"since"`
	LastUsed        time.Time         `json:"last_used,omitzero" doc:"to the day"`
	LastSignIn      time.Time         `json:"last_sign_in,omitzero" doc:"by a browser"`
	PassphraseSince time.Time         `json:"passphrase_since,omitzero"`
	SecondFactor    bool              `json:"second_factor" doc:"one-time codes are enrolled"`
	OwnKey          bool              `json:"own_key" doc:"it can sign with a key of its own"`
	WrongInARow     int               `json:"wrong_in_a_row,omitempty" doc:"passphrases since the last right one"`
	LockedUntil     time.Time         `json:"locked_until,omitzero"`
	InvitedUntil    time.Time         `json:"invited_until,omitzero"`
	Training        []AccountTraining `json:"training" nullable:"false"`
	Flags           []string          `json:"flags,omitempty" doc:"what an access review looks for: stale, shared, doubled, leaver"`
}

// AccountTraining is the standing of a person in one topic.
type AccountTraining struct {
	Topic string    `json:"topic"`
	State string    `json:"state" doc:"good, lapsed or untrained"`
	Until time.Time `json:"until,omitzero"`
}

// AccountQuery narrows a list of accounts.
type AccountQuery struct {
	Paging
	AsOf
	Search string `query:"q" maxLength:"100" doc:"part of the account, the name, the person's number or the organisation"`
	Role   string `query:"role" maxLength:"20"`
	State  string `query:"state" enum:"active,invited,locked,disabled,left"`
	Flag   string `query:"flag" enum:"stale,shared,doubled,leaver,untrained,no_second_factor"`
}

// AccountReview is what an access review looks at; PCI DSS 7.2.4 asks for one every six months.
type AccountReview struct {
	Accounts       int       `json:"accounts" doc:"that may act"`
	Stale          []string  `json:"stale" nullable:"false" doc:"not used for 90 days"`
	Shared         []string  `json:"shared" nullable:"false" doc:"of a name that is nobody's, or one person's number under two names"`
	Doubled        []string  `json:"doubled" nullable:"false" doc:"of a person who has another account"`
	Leavers        []string  `json:"leavers" nullable:"false" doc:"of a person who left under another account"`
	Untrained      []string  `json:"untrained" nullable:"false" doc:"whose training is due"`
	NoSecondFactor []string  `json:"no_second_factor" nullable:"false"`
	LastReview     time.Time `json:"last_review,omitzero"`
	Due            bool      `json:"due"`
}

// Proposal is an act that needs two people, asked for by one.
type Proposal struct {
	ID        string       `json:"id" example:"PRP-1"`
	Act       string       `json:"act" doc:"what is to be done, such as claim_decide"`
	What      Text         `json:"what" doc:"the same in words"`
	Fields    []Field      `json:"fields" nullable:"false" doc:"exactly what was asked for"`
	Roles     []staff.Role `json:"roles" doc:"one of them is needed to agree"`
	State     string       `json:"state" enum:"open,approved,rejected,done,expired"`
	By        string       `json:"by"`
	ByName    string       `json:"by_name"`
	At        time.Time    `json:"at"`
	Expires   time.Time    `json:"expires"`
	Decided   string       `json:"decided_by,omitempty"`
	DecidedAt time.Time    `json:"decided_at,omitzero"`
	Mine      string       `json:"mine" enum:"may_decide,same_person,other_role,decided" doc:"what the caller may do about it"`
}

// Field is one value of a request, under its path.
type Field struct {
	Name  string `json:"name" example:"campaign.deadline"`
	Value string `json:"value"`
}

// ProposalQuery narrows a list of proposals.
type ProposalQuery struct {
	Paging
	AsOf
	State string `query:"state" enum:"open,approved,rejected,done,expired"`
	Act   string `query:"act" maxLength:"60"`
}

// Staff is what the host knows of people with an account, and of what they ask of each other.
type Staff interface {
	Accounts(ctx context.Context, who *web.Caller, q *AccountQuery) (Page[Account], error)
	Account(ctx context.Context, who *web.Caller, name string, q *AsOf) (Account, error)
	Review(ctx context.Context, who *web.Caller, q *AsOf) (AccountReview, error)
	Proposals(ctx context.Context, who *web.Caller, q *ProposalQuery) (Page[Proposal], error)
	Proposal(ctx context.Context, who *web.Caller, id string, q *AsOf) (Proposal, error)
	// Waiting is how many proposals the caller may decide now.
	Waiting(who *web.Caller) int
}

type staffInput struct {
	AsOf
	Name string `path:"name" maxLength:"32" example:"qian"`
}

type proposalInput struct {
	AsOf
	ID string `path:"id" maxLength:"20" example:"PRP-1"`
}

func (a *API) staff(d *Desk) {
	add := func(id, path, summary, tag string) Operation {
		return Operation{ID: id, Method: http.MethodGet, Path: path, Summary: summary, Tag: tag, Rule: web.Staff}
	}
	Add(a, add("list-staff", "/staff", "List accounts", "staff"), d.Staff.Accounts)
	Add(a, add("get-account", "/staff/{name}", "One account", "staff"), func(ctx context.Context, who *web.Caller, in *staffInput) (Account, error) {
		return d.Staff.Account(ctx, who, in.Name, &in.AsOf)
	})
	Add(a, add("get-access-review", "/access-review", "What an access review looks at", "staff"), d.Staff.Review)
	Add(a, add("list-proposals", "/proposals", "List proposals that need a second person, the newest first", "proposals"), d.Staff.Proposals)
	Add(a, add("get-proposal", "/proposals/{id}", "One proposal: exactly what was asked for", "proposals"), func(ctx context.Context, who *web.Caller, in *proposalInput) (Proposal, error) {
		return d.Staff.Proposal(ctx, who, in.ID, &in.AsOf)
	})
}

// FieldsOf flattens a request: every value that is not an object under its path, in the order of the request.
func FieldsOf(request json.RawMessage) []Field {
	fields := []Field{}
	flatten("", request, &fields)
	return fields
}
