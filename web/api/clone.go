package api

import (
	"context"
	"net/http"
	"time"

	"touchstone/web"
)

// Clone is a terminal of which two devices are suspected: one identity, two devices.
type Clone struct {
	ID         string     `json:"id" example:"ter_00000023"`
	Terminal   string     `json:"terminal"`
	Merchant   string     `json:"merchant,omitempty"`
	Shop       string     `json:"merchant_name,omitempty"`
	Model      string     `json:"model,omitempty"`
	Entry      uint64     `json:"entry" doc:"of the journal's event that told of it"`
	At         time.Time  `json:"at" doc:"when it was told"`
	Since      *time.Time `json:"since,omitempty" doc:"when the first evidence came"`
	OneIn      uint64     `json:"one_in" doc:"that one device does this: at most once in so many"`
	Keys       bool       `json:"under_its_keys" doc:"both sides proved that they hold the terminal's keys"`
	AddressA   string     `json:"address_a,omitempty"`
	AddressB   string     `json:"address_b,omitempty"`
	State      string     `json:"state" doc:"open, or cleared"`
	ClearedAt  *time.Time `json:"cleared_at,omitempty"`
	ClearedBy  string     `json:"cleared_by,omitempty"`
	ClearNote  string     `json:"cleared_note,omitempty"`
	ClearEntry uint64     `json:"cleared_entry,omitempty"`
}

// CloneDetail is one terminal's messages in two lanes.
type CloneDetail struct {
	Clone
	Weight   float64        `json:"weight" doc:"decimal logarithm of how much likelier two devices are than one"`
	AsOf     *time.Time     `json:"as_of,omitempty"`
	Suspect  float64        `json:"suspect_at" doc:"the weight at which two devices are suspected"`
	Decided  []CloneDecider `json:"decided" nullable:"false" doc:"what decided, the heaviest first"`
	Lanes    [2]CloneLane   `json:"lanes"`
	Messages []CloneMessage `json:"messages" nullable:"false"`
}

// CloneDecider is one kind of evidence.
type CloneDecider struct {
	Kind       string  `json:"kind"`
	Times      int     `json:"times"`
	Weight     float64 `json:"weight" doc:"of one"`
	Says       Text    `json:"says"`
	Why        string  `json:"why"`
	WhyZH      string  `json:"why_zh"`
	Confidence string  `json:"confidence"`
}

// CloneLane is one of the two devices.
type CloneLane struct {
	Addresses []string `json:"addresses" nullable:"false"`
	KeySets   []uint32 `json:"key_sets,omitempty"`
	Messages  int      `json:"messages"`
}

// CloneMessage is a message in its lane.
type CloneMessage struct {
	Entry       uint64        `json:"entry"`
	At          time.Time     `json:"at"`
	Lane        string        `json:"lane" doc:"A, B, or empty where it cannot be told"`
	Keys        bool          `json:"under_its_keys"`
	MTI         string        `json:"mti"`
	Trace       string        `json:"trace"`
	Answer      string        `json:"de39"`
	Reason      string        `json:"reason"`
	Why         Text          `json:"why"`
	Address     string        `json:"address"`
	Certificate string        `json:"certificate,omitempty" doc:"first bytes of the TLS certificate's SHA-256, hexadecimal"`
	KeySet      uint32        `json:"key_set,omitempty"`
	SignIn      bool          `json:"sign_in,omitempty"`
	Cause       uint64        `json:"cause,omitempty" doc:"entry that found an earlier key behind it"`
	Says        []CloneSaying `json:"says,omitempty"`
	Total       float64       `json:"total" doc:"weight of all that was seen up to this message"`
	Tells       bool          `json:"told_here,omitempty" doc:"with this message two devices were suspected"`
}

// CloneSaying is what a message says against one device.
type CloneSaying struct {
	Kind   string  `json:"kind"`
	Weight float64 `json:"weight"`
	Text   Text    `json:"text"`
}

// CloneQuery narrows a list of suspicions, newest first.
type CloneQuery struct {
	Paging
	AsOf
	State string `query:"state" enum:"open,cleared,all," doc:"open, which is the default, cleared or all"`
}

// Clones is what the host knows of terminals whose identity two devices bear.
type Clones interface {
	Clones(ctx context.Context, who *web.Caller, q *CloneQuery) (Page[Clone], error)
	Clone(ctx context.Context, who *web.Caller, id string, q *AsOf) (CloneDetail, error)
}

type cloneInput struct {
	AsOf
	ID string `path:"id" maxLength:"40" example:"ter_00000023"`
}

func (a *API) clones(d *Desk) {
	Add(a, Operation{ID: "list-clones", Method: http.MethodGet, Path: "/clones", Tag: "clones", Rule: web.Staff, Summary: "List terminals of which two devices are suspected"}, d.Clones.Clones)
	Add(a, Operation{ID: "get-clone", Method: http.MethodGet, Path: "/clones/{id}", Tag: "clones", Rule: web.Staff, Summary: "One terminal's messages in two lanes",
		Text: "Also of a terminal that is not suspected: its last hours, and what was seen in them. With as_of the messages, causes and suspicions up to then."},
		func(ctx context.Context, who *web.Caller, in *cloneInput) (CloneDetail, error) {
			return d.Clones.Clone(ctx, who, in.ID, &in.AsOf)
		})
}
