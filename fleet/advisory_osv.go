package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"touchstone/pos"
)

// The formats of advisories.
const (
	FormatCSAF = "csaf" // OASIS Common Security Advisory Framework 2.0
	FormatOSV  = "osv"  // OpenSSF Open Source Vulnerability format, schema 1.x
)

// osvDocument is the part of an OSV document that we read and write; ossf.github.io/osv-schema.
type osvDocument struct {
	SchemaVersion string         `json:"schema_version"`
	ID            string         `json:"id"`
	Modified      time.Time      `json:"modified"`
	Published     *time.Time     `json:"published,omitempty"`
	Withdrawn     *time.Time     `json:"withdrawn,omitempty"`
	Aliases       []string       `json:"aliases,omitempty"`
	Summary       string         `json:"summary,omitempty"`
	Details       string         `json:"details,omitempty"`
	Severity      []osvSeverity  `json:"severity,omitempty"`
	Affected      []osvAffected  `json:"affected"`
	References    []osvReference `json:"references,omitempty"`
	Specific      *osvSpecific   `json:"database_specific,omitempty"`
}

type osvSeverity struct {
	Type  string `json:"type"`
	Score string `json:"score"`
}

type osvReference struct {
	Type string `json:"type"`
	URL  string `json:"url"`
}

type osvAffected struct {
	Package  *osvPackage  `json:"package,omitempty"`
	Ranges   []osvRange   `json:"ranges,omitempty"`
	Versions []string     `json:"versions,omitempty"`
	Specific *osvTerminal `json:"database_specific,omitempty"`
}

type osvPackage struct {
	Ecosystem string `json:"ecosystem"`
	Name      string `json:"name"`
}

type osvRange struct {
	Type   string     `json:"type"` // SEMVER or ECOSYSTEM
	Events []osvEvent `json:"events"`
}

type osvEvent struct {
	Introduced   string `json:"introduced,omitempty"`
	Fixed        string `json:"fixed,omitempty"`
	LastAffected string `json:"last_affected,omitempty"`
}

// osvTerminal names a payment terminal, for which OSV has no ecosystem.
type osvTerminal struct {
	Vendor   string `json:"vendor,omitempty"`
	Model    string `json:"terminal_model,omitempty"`
	Hardware string `json:"hardware_versions,omitempty"` // vers:generic/...
	Versions string `json:"application_versions,omitempty"`
}

type osvSpecific struct {
	Severity    string `json:"severity,omitempty"`
	DetailsZH   string `json:"details_zh,omitempty"`
	Certificate string `json:"certificate,omitempty"`
	Link        string `json:"certificate_link,omitempty"`
	Publisher   string `json:"publisher,omitempty"`
}

// osvPrefix is what an id must begin with that belongs to no home database of the schema.
const osvPrefix = "x_touchstone-"

// ParseOSV reads an OSV document. Its schema was checked by the caller; what is read here is bounded by Check.
func ParseOSV(raw []byte) (*Advisory, error) {
	var d osvDocument
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, fmt.Errorf("%w: it is no OSV document: %s", ErrAdvisory, cutError(err))
	}
	switch {
	case d.ID == "" || d.Modified.IsZero():
		return nil, fmt.Errorf("%w: an OSV document without an id or a modified time", ErrAdvisory)
	case d.Withdrawn != nil:
		return nil, fmt.Errorf("%w: %.60s was withdrawn by its publisher", ErrAdvisory, d.ID)
	}
	a := &Advisory{Format: FormatOSV, Source: d.ID, Title: d.Summary, Text: d.Details, Severity: UnknownSeverity, Issued: instantOf(d.Modified)}
	if a.Title == "" {
		a.Title = d.ID
	}
	for _, s := range d.Severity {
		if strings.HasPrefix(s.Type, "CVSS_V") {
			a.CVSS = s.Score
		}
	}
	for _, alias := range d.Aliases {
		if strings.HasPrefix(alias, "CVE-") {
			a.CVE = alias
		}
	}
	if x := d.Specific; x != nil {
		a.TextZH, a.Certificate, a.Link, a.Publisher = x.DetailsZH, x.Certificate, x.Link, x.Publisher
		if x.Severity != "" {
			a.Severity = Severity(strings.ToLower(x.Severity))
		}
	}
	if len(d.Affected) > maxAffected {
		return nil, fmt.Errorf("%w: it names %d products, the most is %d", ErrAdvisory, len(d.Affected), maxAffected)
	}
	for i := range d.Affected {
		t, err := d.Affected[i].read()
		if err != nil {
			return nil, err
		}
		a.Affected = append(a.Affected, t)
	}
	return a, a.Check()
}

// read gives the model and the ranges of one affected package.
func (p *osvAffected) read() (t Affected, err error) {
	t.Hardware = Everything
	if p.Package != nil {
		t.Model = p.Package.Name
	}
	if x := p.Specific; x != nil {
		t.Vendor = x.Vendor
		if x.Model != "" {
			t.Model = x.Model
		}
		if x.Hardware != "" {
			t.Hardware = x.Hardware
		}
	}
	if len(p.Ranges) > maxIntervals || len(p.Versions) > maxIntervals {
		return Affected{}, fmt.Errorf("%w: too many ranges or versions of %.40s, the most is %d", ErrAdvisory, t.Model, maxIntervals)
	}
	var pieces []string
	for _, r := range p.Ranges {
		if r.Type == "GIT" {
			return Affected{}, fmt.Errorf("%w: a range of commits names no version of %.40s", ErrAdvisory, t.Model)
		}
		text, err := r.constraints()
		if err != nil {
			return Affected{}, fmt.Errorf("%w: versions of %.40s: %w", ErrAdvisory, t.Model, err)
		}
		pieces = append(pieces, text...)
	}
	for _, v := range p.Versions {
		if !slices.ContainsFunc(pieces, func(text string) bool { return rangeHas(text, v) }) {
			pieces = append(pieces, v)
		}
	}
	if len(pieces) == 0 {
		return Affected{}, fmt.Errorf("%w: no versions of %.40s are named", ErrAdvisory, t.Model)
	}
	t.Versions = strings.Join(pieces, "|")
	return t, nil
}

func rangeHas(text, version string) bool {
	r, err := ParseRange(text)
	v, bad := ParseVersion(version)
	return err == nil && bad == nil && r.Has(v)
}

// constraints turns events, in ascending order, into vers: one piece for each interval. introduced 0 is the
// first version there ever was.
func (r *osvRange) constraints() (pieces []string, err error) {
	low, open := "", false
	for _, e := range r.Events {
		high, operator := e.Fixed, "<"
		if e.LastAffected != "" {
			high, operator = e.LastAffected, "<="
		}
		switch {
		case e.Introduced != "" && open, e.Introduced == "" && high == "":
			return nil, errors.New("two introduced events without an end between them, or an event of another kind")
		case e.Introduced != "":
			low, open = ">="+e.Introduced, true
			if e.Introduced == "0" {
				low = ""
			}
		case !open:
			return nil, fmt.Errorf("%w: it ends at %.20s before it begins", ErrRange, high)
		default:
			piece := operator + high
			if low != "" {
				piece = low + "|" + piece
			}
			if _, err := ParseRange(piece); err != nil {
				return nil, err
			}
			pieces, low, open = append(pieces, piece), "", false
		}
	}
	switch {
	case open && low == "":
		pieces = append(pieces, Everything)
	case open:
		pieces = append(pieces, low)
	}
	return pieces, nil
}

// OSV writes an advisory as an OSV document.
func (a *Advisory) OSV() ([]byte, error) {
	issued := a.Issued.Time().UTC()
	d := osvDocument{SchemaVersion: "1.7.0", ID: osvPrefix + a.ID, Modified: issued, Published: &issued, Summary: a.Title, Details: a.Text,
		Specific: &osvSpecific{Severity: string(a.Severity), DetailsZH: a.TextZH, Certificate: a.Certificate, Link: a.Link, Publisher: a.Publisher}}
	if a.Format == FormatOSV {
		d.ID = a.Source
	}
	if a.CVE != "" {
		d.Aliases = []string{a.CVE}
	}
	if kind := cvssType(a.CVSS); kind != "" {
		d.Severity = []osvSeverity{{kind, a.CVSS}}
	}
	for _, t := range a.Affected {
		x := osvAffected{Specific: &osvTerminal{Vendor: t.Vendor, Model: t.Model, Hardware: "vers:generic/" + t.hardware.String(), Versions: "vers:generic/" + t.versions.String()}}
		for n := range t.versions.list {
			i := &t.versions.list[n]
			x.Ranges = append(x.Ranges, i.osv())
			if i.lowText != "" && i.lowText == i.highText {
				x.Versions = append(x.Versions, i.lowText)
			}
		}
		d.Affected = append(d.Affected, x)
	}
	return json.MarshalIndent(&d, "", "  ")
}

// osv is one interval as events. An open lower bound has no event of its own: it begins, by convention, at the
// bound, and the exact range stands beside it in database_specific.
func (i *interval) osv() osvRange {
	r := osvRange{Type: "ECOSYSTEM", Events: []osvEvent{{Introduced: "0"}}}
	if i.lowText != "" {
		r.Events[0].Introduced = i.lowText
	}
	if i.highText != "" && i.highOpen {
		r.Events = append(r.Events, osvEvent{Fixed: i.highText})
	} else if i.highText != "" {
		r.Events = append(r.Events, osvEvent{LastAffected: i.highText})
	}
	return r
}

// cvssType is the type of a vector in OSV, "" when it is none.
func cvssType(vector string) string {
	for prefix, kind := range map[string]string{"CVSS:3.": "CVSS_V3", "CVSS:4.": "CVSS_V4"} {
		if strings.HasPrefix(vector, prefix) {
			return kind
		}
	}
	return ""
}

// instantOf is a document's time; what no instant can hold is 0.
func instantOf(t time.Time) pos.Instant {
	if t.Year() < 1971 || t.Year() > 2200 {
		return 0
	}
	return pos.Instant(t.UnixNano())
}

// cutError bounds what a decoder says of foreign bytes.
func cutError(err error) string {
	text := err.Error()
	return text[:min(len(text), 120)]
}
