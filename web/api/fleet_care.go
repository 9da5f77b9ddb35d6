package api

import (
	"context"
	"net/http"
	"time"

	"touchstone/web"
)

// InspectionDue is a deployed device and when it is to be inspected.
type InspectionDue struct {
	Serial   string    `json:"serial"`
	Terminal string    `json:"terminal"`
	Merchant string    `json:"merchant"`
	Shop     string    `json:"shop,omitempty"`
	Address  string    `json:"address"`
	Site     string    `json:"site"`
	Risk     string    `json:"risk"`
	Due      time.Time `json:"due"`
	Last     string    `json:"last,omitempty" doc:"the last inspection"`
	Failed   bool      `json:"failed" doc:"the last one found something: it is due now"`
	Overdue  bool      `json:"overdue"`
}

// InspectionFinding is an answer that is not as it should be.
type InspectionFinding struct {
	Item      string `json:"item"`
	Label     Text   `json:"label"`
	Presented string `json:"presented"`
	Expected  string `json:"expected,omitempty"`
	Alarm     bool   `json:"alarm" doc:"it quarantined the device at once"`
}

// Inspection is one visit to a device.
type Inspection struct {
	ID          string              `json:"id" example:"INS-1"`
	Serial      string              `json:"serial"`
	Terminal    string              `json:"terminal,omitempty"`
	Merchant    string              `json:"merchant,omitempty"`
	Shop        string              `json:"shop,omitempty"`
	Model       string              `json:"model,omitempty"`
	Passed      bool                `json:"passed"`
	Findings    []InspectionFinding `json:"findings" nullable:"false"`
	Quarantined bool                `json:"quarantined"`
	Inspector   string              `json:"inspector"`
	Note        string              `json:"note,omitempty"`
	Photographs int                 `json:"photographs" doc:"how many are kept"`
	At          time.Time           `json:"at"`
	Due         time.Time           `json:"due" doc:"the next"`
	Entry       uint64              `json:"entry,omitempty"`
}

// Inspections is what is due, or what was found.
type Inspections struct {
	Counted
	Upcoming int             `json:"upcoming" doc:"due within the days asked for"`
	Overdue  int             `json:"overdue"`
	Never    int             `json:"never_inspected" doc:"of the deployed devices"`
	Deployed int             `json:"deployed"`
	Due      []InspectionDue `json:"due" nullable:"false" doc:"of the tab asked for, the earliest first, at most 200"`
	More     int             `json:"more" doc:"that are not listed; of those that were made 1 stands for at least one"`
	Done     []Inspection    `json:"done" nullable:"false" doc:"with tab=done or findings: the newest first, at most 200"`
}

// InspectionsQuery asks for one of four tabs.
type InspectionsQuery struct {
	AsOf
	Tab      string `query:"tab" enum:"overdue,upcoming,done,findings" default:"overdue"`
	Days     int    `query:"days" minimum:"1" maximum:"400" default:"30" doc:"how far upcoming looks"`
	Merchant string `query:"merchant" maxLength:"15" doc:"only this shop"`
}

// ChecklistItem is one question of an inspection.
type ChecklistItem struct {
	ID    string `json:"id"`
	Kind  string `json:"kind" enum:"serial,seal,yes_no,count,grams"`
	Label Text   `json:"label"`
	Alarm bool   `json:"alarm"`
}

// Checklist is what an inspector answers at one device.
type Checklist struct {
	Version string          `json:"version"`
	Items   []ChecklistItem `json:"items" nullable:"false"`
}

// CareBook is what the host knows of inspections. A merchant's people see those of their own shop.
type CareBook interface {
	Inspections(ctx context.Context, who *web.Caller, q *InspectionsQuery) (Inspections, error)
	Inspection(ctx context.Context, who *web.Caller, id string, q *AsOf) (Inspection, error)
	Checklist(ctx context.Context, who *web.Caller) (Checklist, error)
}

type inspectionInput struct {
	AsOf
	ID string `path:"id" maxLength:"20" example:"INS-1"`
}

func (a *API) care(d *Desk) {
	own := web.Rule{Any: true, Shop: true}
	Add(a, Operation{ID: "list-inspections", Method: http.MethodGet, Path: "/inspections", Summary: "Inspections that are due, and what was found", Tag: "inspections", Rule: own}, d.Care.Inspections)
	Add(a, Operation{ID: "get-inspection", Method: http.MethodGet, Path: "/inspections/{id}", Summary: "One inspection", Tag: "inspections", Rule: own},
		func(ctx context.Context, who *web.Caller, in *inspectionInput) (Inspection, error) {
			return d.Care.Inspection(ctx, who, in.ID, &in.AsOf)
		})
	Add(a, Operation{ID: "get-checklist", Method: http.MethodGet, Path: "/inspections/checklist", Summary: "What an inspector answers", Tag: "inspections", Rule: own},
		func(ctx context.Context, who *web.Caller, _ *struct{}) (Checklist, error) {
			return d.Care.Checklist(ctx, who)
		})
}
