package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/web/api"
)

// advisoryChange takes an advisory in, or closes one.
type advisoryChange struct {
	File        string `json:"file,omitempty" file:"upload" doc:"The document, CSAF or OSV, uploaded before."`
	Certificate string `json:"certificate,omitempty" doc:"What it does to security certificates, where the document does not say."`
	Link        string `json:"link,omitempty" doc:"The certificate, such as CRT-1."`
	Close       string `json:"close,omitempty" doc:"The advisory that is closed, such as ADV-1."`
	Why         string `json:"why,omitempty"`
}

// campaignChange begins or ends a campaign.
type campaignChange struct {
	Advisory    string `json:"advisory,omitempty" doc:"What it answers, such as ADV-1."`
	Seconds     int64  `json:"deadline_seconds,omitempty" doc:"From when the campaign begins."`
	Restriction string `json:"restriction,omitempty" doc:"What a terminal may do until it is answered, such as no_refund,online_only."`
	After       string `json:"after_deadline,omitempty" doc:"What it may do after the deadline, such as sign_in_only."`
	Close       string `json:"close,omitempty" doc:"The campaign that is ended, such as CMP-1."`
	Why         string `json:"why,omitempty"`
}

// schemas are the published ones; their sources: schemas/SOURCES.md.
//
//go:embed schemas/*.json
var schemas embed.FS

// The schemas by the addresses that name them.
var schemaFiles = map[string]string{
	"https://docs.oasis-open.org/csaf/csaf/v2.0/csaf_json_schema.json": "schemas/csaf_json_schema.json",
	"https://www.first.org/cvss/cvss-v2.0.json":                        "schemas/cvss-v2.0.json",
	"https://www.first.org/cvss/cvss-v3.0.json":                        "schemas/cvss-v3.0.json",
	"https://www.first.org/cvss/cvss-v3.1.json":                        "schemas/cvss-v3.1.json",
	osvSchema: "schemas/osv-schema.json",
}

const (
	csafSchema = "https://docs.oasis-open.org/csaf/csaf/v2.0/csaf_json_schema.json"
	osvSchema  = "https://raw.githubusercontent.com/ossf/osv-schema/main/validation/schema.json"
)

// compileSchema reads a schema and those it refers to; nothing is fetched.
func compileSchema(address string) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	c.UseLoader(nowhere{})
	c.AssertFormat()
	for at, file := range schemaFiles {
		raw, err := schemas.ReadFile(file)
		if err != nil {
			return nil, err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err == nil {
			err = c.AddResource(at, doc)
		}
		if err != nil {
			return nil, fmt.Errorf("schema %s: %w", file, err)
		}
	}
	return c.Compile(address)
}

// nowhere loads no schema.
type nowhere struct{}

// Load implements jsonschema.URLLoader.
func (nowhere) Load(address string) (any, error) {
	return nil, fmt.Errorf("schema %s is not among ours", address)
}

// readAdvisory finds out what a document is, holds it against its schema, and reads it.
func readAdvisory(raw []byte) (*fleet.Advisory, error) {
	var sniff struct {
		Document json.RawMessage `json:"document"` // CSAF
		ID       json.RawMessage `json:"id"`       // OSV
		Modified json.RawMessage `json:"modified"`
	}
	if p := api.StrictDocument(raw); p != nil { // its makers and we read one document
		return nil, fmt.Errorf("%w: %s: want a CSAF 2.0 or an OSV document", fleet.ErrAdvisory, p.Message)
	}
	if err := json.Unmarshal(raw, &sniff); err != nil {
		return nil, fmt.Errorf("%w: it is not JSON: want a CSAF 2.0 or an OSV document", fleet.ErrAdvisory)
	}
	address, read := csafSchema, fleet.ParseCSAF
	switch {
	case len(sniff.Document) > 0:
	case len(sniff.ID) > 0 && len(sniff.Modified) > 0:
		address, read = osvSchema, fleet.ParseOSV
	default:
		return nil, fmt.Errorf("%w: it is neither a CSAF document (member document) nor an OSV one (members id and modified)", fleet.ErrAdvisory)
	}
	if err := checkSchema(address, raw); err != nil {
		return nil, err
	}
	return read(raw)
}

// checkSchema holds a document against a schema. What it says names a place in the document and the rule, and
// quotes nothing of it.
func checkSchema(address string, raw []byte) error {
	schema, err := compileSchema(address)
	if err != nil {
		return err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return fmt.Errorf("%w: it is not JSON", fleet.ErrAdvisory)
	}
	err = schema.Validate(doc)
	var wrong *jsonschema.ValidationError
	if !errors.As(err, &wrong) {
		return err
	}
	for len(wrong.Causes) > 0 {
		wrong = wrong.Causes[0]
	}
	place := "/" + strings.Join(wrong.InstanceLocation, "/")
	return fmt.Errorf("%w: against its schema: at %.100s: %.60s", fleet.ErrAdvisory, place, strings.Join(wrong.ErrorKind.KeywordPath(), "/"))
}

// changeAdvisory takes an advisory in, or closes one.
func (e *engine) changeAdvisory(ctx context.Context, c *advisoryChange, actors []string) (changed, error) {
	if c.Close != "" {
		err := e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
			return fleet.CloseAdvisory(r.fleet, c.Close, c.Why, actors, now)
		})
		return changed{What: "advisory " + c.Close + " closed"}, err
	}
	raw, err := readBounded(c.File, fleet.MaxAdvisory)
	var a *fleet.Advisory
	if err == nil {
		a, err = readAdvisory(raw)
	}
	if err != nil {
		return changed{}, e.refuseFleet(ctx, "advisory_added", actors, err)
	}
	if a.Digest, err = e.keepFile(raw); err != nil {
		return changed{}, err
	}
	if c.Certificate != "" {
		a.Certificate = c.Certificate
	}
	if c.Link != "" {
		a.Link = c.Link
	}
	var id string
	err = e.act(ctx, func(r *rooms, now pos.Instant) (drafts []journal.Draft, err error) {
		drafts, id, err = fleet.Add(r.fleet, a, actors, now)
		return drafts, err
	})
	return changed{What: fmt.Sprintf("advisory %s: %s", id, a.Title), Facts: map[string]string{"advisory": id, "format": a.Format, "source": a.Source}}, err
}

// changeCampaign begins or ends a campaign.
func (e *engine) changeCampaign(ctx context.Context, c *campaignChange, actors []string) (changed, error) {
	if c.Close != "" {
		err := e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
			return fleet.CloseCampaign(r.fleet, c.Close, c.Why, actors, now)
		})
		return changed{What: "campaign " + c.Close + " closed"}, err
	}
	places := e.places()
	var id string
	err := e.act(ctx, func(r *rooms, now pos.Instant) (drafts []journal.Draft, err error) {
		begun := fleet.Campaign{Advisory: c.Advisory, Restriction: c.Restriction, After: c.After, Deadline: now + pos.Instant(time.Duration(c.Seconds)*time.Second)}
		drafts, id, err = fleet.Start(r.fleet, &begun, places, actors, now)
		return drafts, err
	})
	if err != nil {
		return changed{}, err
	}
	told := changed{What: "campaign " + id + " answers " + c.Advisory, Facts: map[string]string{"campaign": id, "advisory": c.Advisory}}
	e.office.view(func(r *rooms) {
		t := r.fleet.Campaign(id).Start
		told.What += fmt.Sprintf(": %d terminals, %d to upgrade, %d to replace, %d to inspect", t.Terminals, t.Upgrade, t.Replace, t.Inspect)
	})
	return told, nil
}
