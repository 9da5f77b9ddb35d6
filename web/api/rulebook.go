package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"touchstone/incident"
	"touchstone/staff"
	"touchstone/web"
)

// RuleBook is what commands show of rules and reminders that no other book has.
type RuleBook interface {
	// TerminalPasswords is the rule in force of which passwords terminals take from their users.
	TerminalPasswords(ctx context.Context, who *web.Caller, q *AsOf) (staff.TerminalPasswords, error)
	// OldPINs are the cards of the embedded issuer whose PIN was not changed for so many days, the oldest first.
	OldPINs(ctx context.Context, who *web.Caller, days int) (OldPINs, error)
	// DeviceAuthority is the certificate by which devices' certificates are proven, PEM.
	DeviceAuthority(ctx context.Context, who *web.Caller) (string, error)
	// IncidentRules are the rules that open incidents and the duties with a deadline, in force.
	IncidentRules(ctx context.Context, who *web.Caller, q *AsOf) (incident.Data, error)
}

// OldPIN is one card whose holder is to be reminded.
type OldPIN struct {
	Card  string    `json:"card" doc:"truncated" example:"629999******0017"`
	Since time.Time `json:"since"`
	Days  int       `json:"days" doc:"of age"`
}

// OldPINs are the oldest of them.
type OldPINs struct {
	Days  int      `json:"days"`
	Count int      `json:"count" doc:"of all; the list has 5,000 at most"`
	Data  []OldPIN `json:"data" nullable:"false"`
}

// OldPINQuery asks for old PINs.
type OldPINQuery struct {
	Days int `query:"days" minimum:"0" maximum:"36500" default:"365" doc:"how old a PIN is when its holder is reminded"`
}

// PEMText is a text of certificates or public keys.
type PEMText struct {
	PEM string `json:"pem"`
}

type nothing = struct{}

func (a *API) rules(d *Desk) {
	get := func(id, path, summary, tag string) Operation {
		return Operation{ID: id, Method: http.MethodGet, Path: path, Summary: summary, Tag: tag, Rule: web.Staff}
	}
	Add(a, get("get-terminal-passwords", "/terminal-password-policies", "The rule of terminals' passwords that is in force", "permits"), func(ctx context.Context, who *web.Caller, q *AsOf) (staff.TerminalPasswords, error) {
		return d.Rules.TerminalPasswords(ctx, who, q)
	})
	Add(a, get("list-old-pins", "/cards/old-pins", "Cards whose PIN was not changed for long, the oldest first", "cards"), func(ctx context.Context, who *web.Caller, q *OldPINQuery) (OldPINs, error) {
		return d.Rules.OldPINs(ctx, who, q.Days)
	})
	Add(a, get("get-device-authority", "/device-certificates/authority", "The authority of devices' certificates", "devices"), func(ctx context.Context, who *web.Caller, _ *nothing) (PEMText, error) {
		text, err := d.Rules.DeviceAuthority(ctx, who)
		return PEMText{text}, err
	})
	Add(a, get("get-incident-rules", "/incident-rules", "The rules that open incidents and the duties with a deadline, in force", "incidents"), func(ctx context.Context, who *web.Caller, q *AsOf) (incident.Data, error) {
		return d.Rules.IncidentRules(ctx, who, q)
	})
	Add(a, get("get-laboratory-plan", "/laboratory/plan", "What a run of the laboratory examines here, and under which scopes it may", "laboratory"), func(ctx context.Context, who *web.Caller, _ *nothing) (LabPlan, error) {
		return d.Bench.Plan(ctx, who)
	})
	Add(a, get("get-laboratory-operations", "/laboratory/operations", "How this host's own records stand against the requirements of operations and personnel, when they were last held against them", "laboratory"),
		func(ctx context.Context, who *web.Caller, _ *nothing) (LabOperations, error) {
			return d.Bench.Operations(ctx, who, false)
		})
	Add(a, get("get-laboratory-keys", "/laboratory/keys", "Public keys of the laboratory's people, by which its certificates are verified", "laboratory"), func(ctx context.Context, who *web.Caller, _ *nothing) (PEMText, error) {
		kept, err := d.Bench.Kept(ctx, who, "keys", "pem", "en")
		if p := new(Problem); errors.As(err, &p) && p.Status == http.StatusNotFound {
			return PEMText{}, nil // nobody has signed yet
		}
		return PEMText{string(kept.Body)}, err
	})
}
