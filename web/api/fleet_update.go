package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"touchstone/web"
)

// Release is one application version of one model.
type Release struct {
	ID             string    `json:"id" example:"REL-1"`
	Model          string    `json:"model"`
	Hardware       string    `json:"hardware" doc:"range of hardware versions"`
	Version        string    `json:"version"`
	State          string    `json:"state" enum:"current,supported,withdrawn"`
	SupportedUntil time.Time `json:"supported_until,omitzero"`
	Notes          string    `json:"notes,omitempty"`
	NotesZH        string    `json:"notes_zh,omitempty"`
	Target         string    `json:"target" doc:"path in the TUF repository"`
	Digest         string    `json:"digest" doc:"SHA-256 of the file"`
	Length         int64     `json:"length" doc:"bytes"`
	Published      time.Time `json:"published"`
	By             []string  `json:"by" nullable:"false"`
	Why            string    `json:"why,omitempty"`
}

// RepositoryState is the repository of releases.
type RepositoryState struct {
	Made      bool      `json:"made"`
	Targets   int64     `json:"targets_version,omitempty"`
	Timestamp time.Time `json:"timestamp_expires,omitzero"`
	Root      string    `json:"root_sha256,omitempty"`
}

// Releases is every release.
type Releases struct {
	Data       []Release       `json:"data" nullable:"false"`
	Repository RepositoryState `json:"repository"`
}

// AffectedModel is what an advisory touches.
type AffectedModel struct {
	Vendor   string `json:"vendor,omitempty"`
	Model    string `json:"model"`
	Hardware string `json:"hardware"`
	Versions string `json:"versions"`
}

// Advisory is what is known of a weakness of a model.
type Advisory struct {
	ID          string          `json:"id" example:"ADV-1"`
	Source      string          `json:"source" doc:"its id in the document"`
	Format      string          `json:"format" enum:"csaf,osv"`
	Publisher   string          `json:"publisher,omitempty"`
	Title       string          `json:"title"`
	Text        string          `json:"text,omitempty"`
	TextZH      string          `json:"text_zh,omitempty"`
	Severity    string          `json:"severity" enum:"critical,high,medium,low,unknown"`
	CVSS        string          `json:"cvss,omitempty"`
	CVE         string          `json:"cve,omitempty"`
	Affected    []AffectedModel `json:"affected" nullable:"false"`
	Certificate string          `json:"certificate,omitempty"`
	Link        string          `json:"link,omitempty"`
	State       string          `json:"state" enum:"open,closed"`
	Issued      time.Time       `json:"issued,omitzero"`
	Added       time.Time       `json:"added"`
	By          []string        `json:"by" nullable:"false"`
	Closed      time.Time       `json:"closed,omitzero"`
	Why         string          `json:"why,omitempty"`
	Campaign    string          `json:"campaign,omitempty" doc:"the open campaign that answers it"`
}

// Tally counts terminals by what has to be done with them.
type Tally struct {
	Terminals int `json:"terminals"`
	Upgrade   int `json:"upgrade"`
	Replace   int `json:"replace"`
	Inspect   int `json:"inspect"`
	Unsure    int `json:"unsure" doc:"of all: touched because something is not known"`
}

// ReachedShop is a shop that an advisory touches.
type ReachedShop struct {
	Merchant  string `json:"merchant"`
	Name      string `json:"name"`
	Terminals int    `json:"terminals"`
	Sold      Sold   `json:"sold"`
}

// ReachedTerminal is a terminal that an advisory touches.
type ReachedTerminal struct {
	Terminal string `json:"terminal"`
	Merchant string `json:"merchant"`
	Serial   string `json:"serial"`
	Model    string `json:"model"`
	Hardware string `json:"hardware,omitempty"`
	Version  string `json:"version,omitempty"`
	Sure     bool   `json:"sure"`
	Answer   string `json:"answer" enum:"upgrade,replace,inspect,nothing"`
	To       string `json:"to,omitempty" doc:"the version to upgrade to"`
	Sold     Sold   `json:"sold"`
}

// Radius is what an advisory touches.
type Radius struct {
	Counted
	Advisory  string            `json:"advisory"`
	Tally     Tally             `json:"tally"`
	Sold      Sold              `json:"sold" doc:"by the touched terminals since midnight"`
	All       Sold              `json:"all_sold" doc:"by every terminal since midnight"`
	Since     time.Time         `json:"since"`
	ShopCount int               `json:"shop_count"`
	Shops     []ReachedShop     `json:"shops" nullable:"false" doc:"those that sold most first, at most 100"`
	Terminals []ReachedTerminal `json:"terminals" nullable:"false" doc:"at most 200"`
	More      int               `json:"more" doc:"terminals that are not listed"`
}

// BurnPoint is how many terminals were left at a moment.
type BurnPoint struct {
	At   time.Time `json:"at"`
	Left Tally     `json:"left"`
}

// Campaign is the answer to an advisory by a deadline.
type Campaign struct {
	ID          string      `json:"id" example:"CMP-1"`
	Advisory    string      `json:"advisory"`
	Title       string      `json:"title" doc:"of the advisory"`
	Restriction string      `json:"restriction" doc:"what a touched terminal may do until the deadline"`
	After       string      `json:"after_deadline" doc:"what a laggard may do after it"`
	Labels      [2]Text     `json:"labels" doc:"both permits in words"`
	Started     time.Time   `json:"started"`
	Deadline    time.Time   `json:"deadline"`
	By          []string    `json:"by" nullable:"false"`
	State       string      `json:"state" enum:"open,closed"`
	Closed      time.Time   `json:"closed,omitzero"`
	ClosedBy    []string    `json:"closed_by" nullable:"false"`
	Why         string      `json:"why,omitempty"`
	Late        bool        `json:"late" doc:"open, and its deadline has passed"`
	Start       Tally       `json:"start"`
	Left        Tally       `json:"left" doc:"as noted last; of one campaign counted anew"`
	BurnDown    []BurnPoint `json:"burn_down" nullable:"false" doc:"the hours in which the number changed"`
}

// CampaignDetail is one campaign with those that are left.
type CampaignDetail struct {
	Counted
	Campaign
	Laggards []ReachedTerminal `json:"terminals_left" nullable:"false" doc:"at most 200"`
	More     int               `json:"more"`
}

// UpdateQuery asks for the state of a past moment.
type UpdateQuery struct {
	AsOf
	State string `query:"state" maxLength:"10" doc:"only those in this state"`
}

// ExportQuery asks for an advisory as a document.
type ExportQuery struct {
	AsOf
	ID     string `path:"id" maxLength:"20" example:"ADV-1"`
	Format string `query:"format" enum:"csaf,osv,source" default:"csaf"`
}

// UpdateBook is what the host knows of releases, advisories and campaigns. Merchants see the advisories that touch
// their own devices, and of these what touches their own.
type UpdateBook interface {
	Releases(ctx context.Context, who *web.Caller, q *UpdateQuery) (Releases, error)
	Advisories(ctx context.Context, who *web.Caller, q *UpdateQuery) (Page[Advisory], error)
	Radius(ctx context.Context, who *web.Caller, id string, q *AsOf) (Radius, error)
	ExportAdvisory(ctx context.Context, who *web.Caller, q *ExportQuery) (json.RawMessage, error)
	Campaigns(ctx context.Context, who *web.Caller, q *UpdateQuery) (Page[Campaign], error)
	Campaign(ctx context.Context, who *web.Caller, id string, q *AsOf) (CampaignDetail, error)
}

type updateInput struct {
	AsOf
	ID string `path:"id" maxLength:"20" example:"ADV-1"`
}

func (a *API) updates(d *Desk) {
	own := web.Rule{Any: true, Shop: true}
	Add(a, Operation{ID: "list-releases", Method: http.MethodGet, Path: "/releases", Summary: "Application versions by model", Tag: "releases", Rule: web.Staff}, d.Updates.Releases)
	Add(a, Operation{ID: "get-release", Method: http.MethodGet, Path: "/releases/{id}", Summary: "One release", Tag: "releases", Rule: web.Staff},
		func(ctx context.Context, who *web.Caller, in *updateInput) (Release, error) {
			return d.release(ctx, who, in)
		})
	Add(a, Operation{ID: "list-advisories", Method: http.MethodGet, Path: "/advisories", Summary: "Weaknesses of models", Tag: "advisories", Rule: own}, d.Updates.Advisories)
	Add(a, Operation{ID: "get-advisory", Method: http.MethodGet, Path: "/advisories/{id}", Summary: "One advisory", Tag: "advisories", Rule: own},
		func(ctx context.Context, who *web.Caller, in *updateInput) (Advisory, error) {
			return d.Advisory(ctx, who, in.ID, in.AsOf)
		})
	Add(a, Operation{ID: "get-blast-radius", Method: http.MethodGet, Path: "/advisories/{id}/blast-radius", Summary: "Terminals, shops and sales that an advisory touches", Tag: "advisories", Rule: own},
		func(ctx context.Context, who *web.Caller, in *updateInput) (Radius, error) {
			return d.Updates.Radius(ctx, who, in.ID, &in.AsOf)
		})
	Add(a, Operation{ID: "export-advisory", Method: http.MethodGet, Path: "/advisories/{id}/document", Summary: "An advisory as a CSAF or OSV document", Tag: "advisories", Rule: web.Staff}, d.Updates.ExportAdvisory)
	Add(a, Operation{ID: "list-campaigns", Method: http.MethodGet, Path: "/campaigns", Summary: "Campaigns that answer advisories", Tag: "campaigns", Rule: web.Staff}, d.Updates.Campaigns)
	Add(a, Operation{ID: "get-campaign", Method: http.MethodGet, Path: "/campaigns/{id}", Summary: "One campaign: its burn-down and those that are left", Tag: "campaigns", Rule: web.Staff},
		func(ctx context.Context, who *web.Caller, in *updateInput) (CampaignDetail, error) {
			return d.Updates.Campaign(ctx, who, in.ID, &in.AsOf)
		})
}

// Advisory is one advisory of those that the caller may see.
func (d *Desk) Advisory(ctx context.Context, who *web.Caller, id string, as AsOf) (Advisory, error) {
	list, err := d.Updates.Advisories(ctx, who, &UpdateQuery{AsOf: as})
	if err != nil {
		return Advisory{}, err
	}
	for _, x := range list.Data {
		if x.ID == id {
			return x, nil
		}
	}
	return Advisory{}, NotFound()
}

func (d *Desk) release(ctx context.Context, who *web.Caller, in *updateInput) (Release, error) {
	list, err := d.Updates.Releases(ctx, who, &UpdateQuery{AsOf: in.AsOf})
	if err != nil {
		return Release{}, err
	}
	for _, x := range list.Data {
		if x.ID == in.ID {
			return x, nil
		}
	}
	return Release{}, NotFound()
}
