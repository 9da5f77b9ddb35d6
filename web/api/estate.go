package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"touchstone/web"
)

// FiveElements is what 银发〔2021〕259号 binds one to one: a device's serial number with the acquirer's code, the merchant's
// code, its unified credit code, its settlement account and the address of the terminal. Of the credit code and the
// account only a keyed hash and the last four characters are kept.
type FiveElements struct {
	Serial     string     `json:"serial"`
	Terminal   string     `json:"terminal"`
	Acquirer   string     `json:"acquirer" doc:"code of the acquirer (DE32)"`
	Merchant   string     `json:"merchant" doc:"DE42"`
	Shop       string     `json:"merchant_name"`
	CreditKind string     `json:"credit_kind,omitempty" doc:"credit_code (GB 32100-2015), or personal_id of a small merchant's responsible person"`
	Credit     string     `json:"credit" doc:"masked; the last four characters"`
	Settlement string     `json:"settlement" doc:"account, masked; the last four characters; for those who need it"`
	Address    string     `json:"address"`
	From       *time.Time `json:"from,omitempty" doc:"since when these are in force"`
	Binding    string     `json:"binding,omitempty" example:"BND-4"`
	By         []string   `json:"by,omitempty" doc:"the two people; for staff"`
	Entry      uint64     `json:"entry,omitempty"`
	Complete   bool       `json:"complete" doc:"all five are known"`
	Missing    []string   `json:"missing,omitempty" doc:"which are not"`
}

// FiveQuery asks for the record of all terminals.
type FiveQuery struct {
	Paging
	AsOf
	Merchant string `query:"merchant" maxLength:"20" doc:"of one merchant"`
	Format   string `query:"format" enum:"json,csv" default:"json" doc:"csv is the whole, as RFC 4180 has it"`
	BOM      bool   `query:"bom" doc:"of csv: begin with a byte order mark, by which Excel knows UTF-8"`
}

// Device is a piece of hardware in a line.
type Device struct {
	ID       string `json:"id" example:"dev_00000304TS0000000011"`
	Serial   string `json:"serial"`
	Model    string `json:"model,omitempty"`
	Hardware string `json:"hardware,omitempty"`
	Version  string `json:"version,omitempty"`
	State    string `json:"state" doc:"where it is in its life: announced, received, deployed, quarantined, in_repair, returned, retired, destroyed; of a device without a life record its state in the register"`
	Words    Text   `json:"state_text"`
	Terminal string `json:"terminal,omitempty"`
	Merchant string `json:"merchant,omitempty"`
}

// DeviceQuery narrows a list of devices, in the order of their serial numbers.
type DeviceQuery struct {
	Paging
	AsOf
	Search string `query:"q" maxLength:"100" doc:"part of the serial number or of the model's name"`
	State  string `query:"state" maxLength:"30"`
}

// DevicePage is a piece of the list.
type DevicePage struct {
	Page[Device]
	Total    int          `json:"total"`
	Building bool         `json:"building,omitempty"`
	States   []ValueCount `json:"states" nullable:"false" doc:"how many are in each state"`
}

// DeviceDetail is one device as all rooms know it.
type DeviceDetail struct {
	Device
	AsOf        *time.Time         `json:"as_of,omitempty"`
	Register    string             `json:"register_state,omitempty" doc:"active, suspended or tampered; empty where it is not registered"`
	Licence     string             `json:"licence,omitempty"`
	Maker       string             `json:"maker,omitempty"`
	Announced   bool               `json:"announced_by_maker"`
	Seal        string             `json:"seal,omitempty" doc:"number of the seal that it must bear now"`
	Since       *time.Time         `json:"since,omitempty" doc:"of its state"`
	Why         string             `json:"why,omitempty"`
	KeyKCV      string             `json:"serial_key_kcv,omitempty"`
	Certificate *DeviceCertificate `json:"device_certificate,omitempty"`
	Five        *FiveElements      `json:"five_elements,omitempty"`
	Inspections []InspectionLine   `json:"inspections" nullable:"false" doc:"the newest first, at most 50"`
	Health      *HealthLine        `json:"health,omitempty"`
	Released    []string           `json:"released_by,omitempty" doc:"the two people of the last release after tampering"`
	Entry       uint64             `json:"entry,omitempty"`
}

// InspectionLine is one visit.
type InspectionLine struct {
	ID          string    `json:"id" example:"INS-4"`
	At          time.Time `json:"at"`
	Passed      bool      `json:"passed"`
	Finding     string    `json:"finding,omitempty"`
	Inspector   string    `json:"inspector"`
	Terminal    string    `json:"terminal,omitempty"`
	Photographs []string  `json:"photographs,omitempty" doc:"digests of the kept files"`
	Due         time.Time `json:"next_due"`
	Entry       uint64    `json:"entry"`
}

// HealthLine is the last report of a device about itself.
type HealthLine struct {
	At          time.Time `json:"at"`
	Application string    `json:"application"`
	Tamper      string    `json:"tamper"`
	Scanner     string    `json:"scanner"`
	Entry       uint64    `json:"entry"`
}

// Custody is one step in the life of a device: who had it and who handed it on.
type Custody struct {
	At       time.Time `json:"at"`
	Step     string    `json:"step" example:"device_deployed"`
	What     Text      `json:"what"`
	By       []string  `json:"by" nullable:"false"`
	Proposal string    `json:"proposal,omitempty"`
	State    string    `json:"state,omitempty" doc:"where it was after it"`
	Terminal string    `json:"terminal,omitempty"`
	Note     string    `json:"note,omitempty"`
	Entry    uint64    `json:"entry"`
}

// Devices is what the host knows of devices and of what they are bound to.
type Devices interface {
	Devices(ctx context.Context, who *web.Caller, q *DeviceQuery) (DevicePage, error)
	Device(ctx context.Context, who *web.Caller, id string, q *AsOf) (DeviceDetail, error)
	Custody(ctx context.Context, who *web.Caller, id string, q *AsOf) (Page[Custody], error)
	FiveElements(ctx context.Context, who *web.Caller, q *FiveQuery) (Page[FiveElements], error)
	// WriteFive writes the whole record as CSV.
	WriteFive(ctx context.Context, who *web.Caller, q *FiveQuery, w io.Writer) error
	// FiveReady tells what is wrong with a query before anything is written.
	FiveReady(ctx context.Context, who *web.Caller, q *FiveQuery) error
}

type deviceInput struct {
	ID string `path:"id" maxLength:"60" example:"dev_00000304TS0000000011"`
	AsOf
}

func (a *API) devices(d *Desk) {
	Add(a, Operation{ID: "list-devices", Method: http.MethodGet, Path: "/devices", Tag: "devices", Rule: web.Staff, Summary: "Find devices, in the order of their serial numbers",
		Text: "With as_of the search, the states and their counts are those of then."}, d.Devices.Devices)
	Add(a, Operation{ID: "get-device", Method: http.MethodGet, Path: "/devices/{id}", Tag: "devices", Rule: web.Rule{Any: true, Shop: true}, Summary: "One device: its life, its binding, its inspections"},
		func(ctx context.Context, who *web.Caller, in *deviceInput) (DeviceDetail, error) {
			return d.Devices.Device(ctx, who, in.ID, &in.AsOf)
		})
	Add(a, Operation{ID: "get-device-custody", Method: http.MethodGet, Path: "/devices/{id}/custody", Tag: "devices", Rule: web.Staff, Summary: "Who had a device, step by step, the newest first"},
		func(ctx context.Context, who *web.Caller, in *deviceInput) (Page[Custody], error) {
			return d.Devices.Custody(ctx, who, in.ID, &in.AsOf)
		})
	a.fiveElements(d)
}

// fiveElements answers JSON by pieces or CSV as a whole, which is written while it is made.
func (a *API) fiveElements(d *Desk) {
	rule := web.Rule{Any: true, Shop: true}
	a.shelf.rule = rule
	rows := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Page[FiveElements]](), true, "FivePage")
	op := huma.Operation{OperationID: "list-five-elements", Method: http.MethodGet, Path: Root + "/five-elements", Tags: []string{"devices"}, MaxBodyBytes: maxBody,
		Summary:     "Serial number, acquirer, merchant, credit code, settlement account, address: one record a terminal, as of any date (银发〔2021〕259号)",
		Description: "format=csv is the whole record with a line of names, written while it is made. A value that a spreadsheet would take for a formula begins with an apostrophe.",
		Responses:   map[string]*huma.Response{"200": {Description: "the record", Content: map[string]*huma.MediaType{"application/json": {Schema: rows}, "text/csv": {Schema: &huma.Schema{Type: "string"}}}}}}
	huma.Register(a.huma, op, func(ctx context.Context, in *FiveQuery) (*huma.StreamResponse, error) {
		who := web.CallerOf(ctx)
		if in.Format != "csv" {
			page, err := d.Devices.FiveElements(ctx, who, in)
			if err != nil {
				return nil, a.told(err)
			}
			return &huma.StreamResponse{Body: func(c huma.Context) {
				c.SetHeader("Content-Type", "application/json")
				_ = json.NewEncoder(c.BodyWriter()).Encode(page) // who asked is gone when this fails
			}}, nil
		}
		if err := d.Devices.FiveReady(ctx, who, in); err != nil {
			return nil, a.told(err)
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			c.SetHeader("Content-Type", "text/csv; charset=utf-8; header=present")
			c.SetHeader("Content-Disposition", `attachment; filename="five-elements.csv"`)
			if err := d.Devices.WriteFive(ctx, who, in, c.BodyWriter()); err != nil && ctx.Err() == nil {
				a.shelf.router.Log.Error("a record of five elements was cut short")
				panic(http.ErrAbortHandler) // the connection breaks: nobody takes the piece for the whole
			}
		}}, nil
	})
}
