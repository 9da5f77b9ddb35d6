package fleet

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// csafDocument is the part of a CSAF 2.0 document that we read and write; OASIS Standard, 18 November 2022.
type csafDocument struct {
	Document        csafHead            `json:"document"`
	ProductTree     csafTree            `json:"product_tree"`
	Vulnerabilities []csafVulnerability `json:"vulnerabilities"`
}

type csafHead struct {
	Category          string        `json:"category"`
	Version           string        `json:"csaf_version"`
	Title             string        `json:"title"`
	Language          string        `json:"lang,omitempty"`
	Notes             []csafNote    `json:"notes,omitempty"`
	AggregateSeverity *csafSeverity `json:"aggregate_severity,omitempty"`
	Publisher         csafPublisher `json:"publisher"`
	Tracking          csafTracking  `json:"tracking"`
}

type csafSeverity struct {
	Text string `json:"text"`
}

// csafNote: CSAF gives a note no language of its own; its title names it (noteEnglish, noteChinese).
type csafNote struct {
	Category string `json:"category"`
	Title    string `json:"title,omitempty"`
	Text     string `json:"text"`
}

type csafPublisher struct {
	Category  string `json:"category"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

type csafTracking struct {
	ID       string         `json:"id"`
	Status   string         `json:"status"`
	Version  string         `json:"version"`
	Initial  time.Time      `json:"initial_release_date"`
	Current  time.Time      `json:"current_release_date"`
	Revision []csafRevision `json:"revision_history"`
}

type csafRevision struct {
	Number  string    `json:"number"`
	Date    time.Time `json:"date"`
	Summary string    `json:"summary"`
}

type csafTree struct {
	Branches      []csafBranch       `json:"branches,omitempty"`
	Relationships []csafRelationship `json:"relationships,omitempty"`
}

type csafBranch struct {
	Category string       `json:"category"` // vendor, product_name, product_version, product_version_range
	Name     string       `json:"name"`
	Product  *csafProduct `json:"product,omitempty"`
	Branches []csafBranch `json:"branches,omitempty"`
}

type csafProduct struct {
	Name string `json:"name"`
	ID   string `json:"product_id"`
}

// csafRelationship joins an application and the hardware it is installed on to one product.
type csafRelationship struct {
	Category string      `json:"category"` // installed_on
	Product  csafProduct `json:"full_product_name"`
	From     string      `json:"product_reference"`
	To       string      `json:"relates_to_product_reference"`
}

type csafVulnerability struct {
	CVE    string      `json:"cve,omitempty"`
	Title  string      `json:"title,omitempty"`
	Notes  []csafNote  `json:"notes,omitempty"`
	Status csafStatus  `json:"product_status"`
	Scores []csafScore `json:"scores,omitempty"`
}

type csafStatus struct {
	KnownAffected []string `json:"known_affected,omitempty"`
}

type csafScore struct {
	Products []string   `json:"products"`
	CVSS     *csafCVSS3 `json:"cvss_v3,omitempty"`
}

type csafCVSS3 struct {
	Vector string `json:"vectorString"`
}

// The titles by which our notes are found again; a document of another publisher has its summary.
const (
	noteEnglish     = "English"
	noteChinese     = "中文"
	noteCertificate = "Security certificate"
	noteLink        = "Security certificate reference"
	noteCVSS        = "CVSS"
	maxBranches     = 4000
	maxDepth        = 16
)

// csafPlace is where in the product tree a product stands.
type csafPlace struct{ vendor, product, version string }

// ParseCSAF reads a CSAF 2.0 document. Its schema was checked by the caller.
func ParseCSAF(raw []byte) (*Advisory, error) {
	var d csafDocument
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, fmt.Errorf("%w: it is no CSAF document: %s", ErrAdvisory, cutError(err))
	}
	if d.Document.Version != "2.0" || d.Document.Tracking.ID == "" {
		return nil, fmt.Errorf("%w: want a CSAF document of version 2.0 with a tracking id", ErrAdvisory)
	}
	h := &d.Document
	a := &Advisory{Format: FormatCSAF, Source: h.Tracking.ID, Publisher: h.Publisher.Name, Title: h.Title, Severity: UnknownSeverity,
		Issued: instantOf(h.Tracking.Current)}
	if h.AggregateSeverity != nil {
		a.Severity = severityOf(h.AggregateSeverity.Text)
	}
	for _, n := range h.Notes {
		a.note(n)
	}
	places := map[string]csafPlace{}
	if err := walk(d.ProductTree.Branches, csafPlace{}, places, 0); err != nil {
		return nil, err
	}
	seen := map[[3]string]bool{}
	for i := range d.Vulnerabilities {
		v := &d.Vulnerabilities[i]
		if a.CVE == "" {
			a.CVE = v.CVE
		}
		for _, s := range v.Scores {
			if s.CVSS != nil {
				a.CVSS = s.CVSS.Vector
			}
		}
		for _, n := range v.Notes {
			if n.Title == noteCVSS && a.CVSS == "" {
				a.CVSS = n.Text
			}
		}
		for _, id := range v.Status.KnownAffected {
			t, err := d.ProductTree.affected(id, places)
			if err != nil {
				return nil, err
			}
			if key := [3]string{t.Model, t.Hardware, t.Versions}; !seen[key] {
				seen[key] = true
				a.Affected = append(a.Affected, t)
			}
			if len(a.Affected) > maxAffected {
				return nil, fmt.Errorf("%w: it names more than %d products", ErrAdvisory, maxAffected)
			}
		}
	}
	return a, a.Check()
}

// note takes one note of the document.
func (a *Advisory) note(n csafNote) {
	switch {
	case n.Title == noteChinese:
		a.TextZH = n.Text
	case n.Title == noteCertificate:
		a.Certificate = n.Text
	case n.Title == noteLink:
		a.Link = n.Text
	case n.Title == noteEnglish, a.Text == "" && (n.Category == "summary" || n.Category == "description"):
		a.Text = n.Text
	}
}

// severityOf reads the free text of an aggregate severity.
func severityOf(text string) Severity {
	switch s := Severity(strings.ToLower(text)); s {
	case Critical, High, Medium, Low:
		return s
	case "important":
		return High
	case "moderate":
		return Medium
	}
	return UnknownSeverity
}

// walk notes where every product of a tree stands.
func walk(branches []csafBranch, at csafPlace, places map[string]csafPlace, depth int) error {
	if depth > maxDepth || len(places) > maxBranches {
		return fmt.Errorf("%w: its product tree is deeper than %d or larger than %d", ErrAdvisory, maxDepth, maxBranches)
	}
	for i := range branches {
		b, here := &branches[i], at
		switch b.Category {
		case "vendor":
			here.vendor = b.Name
		case "product_name":
			here.product = b.Name
		case "product_version", "product_version_range":
			here.version = b.Name
		}
		if b.Product != nil {
			places[b.Product.ID] = here
		}
		if err := walk(b.Branches, here, places, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// applicationOf is what our own product trees append to a model to name its application.
const applicationOf = " application"

// affected is a product as model, hardware and versions: an application, on any hardware, or an application
// installed on a hardware.
func (t *csafTree) affected(id string, places map[string]csafPlace) (Affected, error) {
	hardware := Everything
	for _, r := range t.Relationships {
		if r.Product.ID != id {
			continue
		}
		on, known := places[r.To]
		if !known || on.version == "" {
			return Affected{}, fmt.Errorf("%w: %.60s is installed on %.60s, of which no version is in the product tree", ErrAdvisory, id, r.To)
		}
		hardware, id = on.version, r.From
		break
	}
	place, known := places[id]
	if !known || place.product == "" || place.version == "" {
		return Affected{}, fmt.Errorf("%w: product %.60s has no name and version in the product tree", ErrAdvisory, id)
	}
	return Affected{Vendor: place.vendor, Model: strings.TrimSuffix(place.product, applicationOf), Hardware: hardware, Versions: place.version}, nil
}

// CSAF writes an advisory as a CSAF 2.0 document of the profile "Security Advisory". namespace is an address that
// belongs to the publisher; what the document has of its own is kept where it came as CSAF.
func (a *Advisory) CSAF(publisher, namespace string) ([]byte, error) {
	issued := a.Issued.Time().UTC()
	if a.Publisher != "" {
		publisher = a.Publisher
	}
	d := csafDocument{Document: csafHead{Category: "csaf_security_advisory", Version: "2.0", Title: a.Title, Language: "en",
		AggregateSeverity: &csafSeverity{string(a.Severity)},
		Publisher:         csafPublisher{"vendor", publisher, namespace},
		Tracking: csafTracking{ID: a.Source, Status: "final", Version: "1", Initial: issued, Current: issued,
			Revision: []csafRevision{{"1", issued, "As taken in."}}}}}
	for _, n := range []csafNote{{"summary", noteEnglish, a.Text}, {"summary", noteChinese, a.TextZH}, {"other", noteCertificate, a.Certificate}, {"other", noteLink, a.Link}} {
		if n.Text != "" {
			d.Document.Notes = append(d.Document.Notes, n)
		}
	}
	v := csafVulnerability{CVE: a.CVE, Title: a.Title, Notes: []csafNote{{"description", noteEnglish, orTitle(a.Text, a.Title)}}}
	for i := range a.Affected {
		v.Status.KnownAffected = append(v.Status.KnownAffected, d.ProductTree.add(i+1, &a.Affected[i], publisher))
	}
	// Scores are left out: CSAF wants the whole of a CVSS object beside its vector. The vector goes as a note.
	if a.CVSS != "" {
		v.Notes = append(v.Notes, csafNote{"details", noteCVSS, a.CVSS})
	}
	d.Vulnerabilities = []csafVulnerability{v}
	return json.MarshalIndent(&d, "", "  ")
}

func orTitle(text, title string) string {
	if text != "" {
		return text
	}
	return title
}

// add puts one affected model into the tree and returns the id of its application on its hardware.
func (t *csafTree) add(n int, m *Affected, publisher string) string {
	app, device, both := fmt.Sprintf("APP-%d", n), fmt.Sprintf("HW-%d", n), fmt.Sprintf("APP-%d-ON-HW-%d", n, n)
	vendor := m.Vendor
	if vendor == "" {
		vendor = publisher
	}
	leaf := func(product string, r Range, id string) csafBranch {
		name := "vers:generic/" + r.String()
		return csafBranch{Category: "product_name", Name: product, Branches: []csafBranch{
			{Category: "product_version_range", Name: name, Product: &csafProduct{product + " " + r.String(), id}}}}
	}
	t.Branches = append(t.Branches, csafBranch{Category: "vendor", Name: vendor,
		Branches: []csafBranch{leaf(m.Model+applicationOf, m.versions, app), leaf(m.Model, m.hardware, device)}})
	t.Relationships = append(t.Relationships, csafRelationship{"installed_on", csafProduct{fmt.Sprintf("%s %s on hardware %s", m.Model, m.versions, m.hardware), both}, app, device})
	return both
}
