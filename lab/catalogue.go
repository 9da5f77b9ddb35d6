package lab

import (
	"crypto/sha256"
	_ "embed" // the catalogue travels in the program
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Verdict is what a check found. The zero value is none and never a pass.
type Verdict string

// The verdicts.
const (
	Pass          Verdict = "pass"
	Fail          Verdict = "fail"
	NotApplicable Verdict = "not_applicable" // with a reason, and another person who agrees
	Inconclusive  Verdict = "inconclusive"   // to be tried again
	NotTested     Verdict = "not_tested"
)

// Verdicts lists them in the order of reports.
var Verdicts = [...]Verdict{Pass, Fail, NotApplicable, Inconclusive, NotTested}

// Severity is how much a requirement weighs.
type Severity string

// The severities.
const (
	Critical Severity = "critical"
	High     Severity = "high"
	Medium   Severity = "medium"
	Low      Severity = "low"
	Info     Severity = "info"
)

// Severities lists them, the gravest first.
var Severities = [...]Severity{Critical, High, Medium, Low, Info}

// Weight is a severity's weight in the score, which stands beside the decision and never in its place.
func (s Severity) Weight() int {
	return map[Severity]int{Critical: 10, High: 5, Medium: 2, Low: 1}[s]
}

// Areas lists the areas of the catalogue.
var Areas = [...]string{"hardware", "software", "data transmission", "key management", "data protection", "operations", "personnel"}

// methods are how a requirement is examined.
var methods = [...]string{"AUTO-NET", "AUTO-PROTOCOL", "AUTO-PACKAGE", "AUTO-DATA", "EVIDENCE"}

// Requirement is one requirement of the catalogue.
type Requirement struct {
	ID        string   `json:"id"` // POSC-HW-01
	Area      string   `json:"area"`
	TitleEN   string   `json:"title_en"`
	TitleZH   string   `json:"title_zh"`
	Method    string   `json:"method"`
	Automated bool     `json:"automated"`
	Severity  Severity `json:"severity"`
	Target    string   `json:"target"`
	// References and ReferenceConfidence are parallel: V the text was read, S a secondary source, R recalled and
	// not read again.
	References          []string  `json:"references"`
	ReferenceConfidence []string  `json:"reference_confidence"`
	Requirement         string    `json:"requirement"`
	Procedure           string    `json:"procedure"`
	PassCriterion       string    `json:"pass_criterion"`
	Advice              string    `json:"advice"`
	FailingExample      string    `json:"failing_example"`
	Verdicts            []Verdict `json:"verdicts"`

	RequirementZH string `json:"requirement_zh"` // of the file of translations
	AdviceZH      string `json:"advice_zh"`
}

// Catalogue is every requirement in the order of the file.
type Catalogue struct {
	Version      string // date of the research
	Digest       string // SHA-256 of both files, hexadecimal
	Requirements []Requirement
	byID         map[string]*Requirement
}

// CatalogueVersion is the date of the catalogue's text.
const CatalogueVersion = "2026-11-22"

// MaxCatalogue is the most bytes of a catalogue or of its translations.
const MaxCatalogue = 1 << 20

// ErrCatalogue is returned for a file that is no catalogue.
var ErrCatalogue = errors.New("catalogue")

//go:embed catalogue.json
var catalogueFile []byte

//go:embed catalogue-zh.json
var catalogueZH []byte

// LoadCatalogue reads the catalogue that the program carries.
func LoadCatalogue() (*Catalogue, error) { return ParseCatalogue(catalogueFile, catalogueZH) }

type translation struct {
	ID          string `json:"id"`
	Requirement string `json:"requirement_zh"`
	Advice      string `json:"advice_zh"`
}

// ParseCatalogue reads requirements and their translations, and refuses what is not whole: an id twice, an
// unknown area, method, severity or verdict, a reference without its confidence, a missing text or translation.
func ParseCatalogue(requirements, translations []byte) (*Catalogue, error) {
	if len(requirements) > MaxCatalogue || len(translations) > MaxCatalogue {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrCatalogue, MaxCatalogue)
	}
	sum := sha256.New()
	sum.Write(requirements)
	sum.Write(translations)
	c := &Catalogue{Version: CatalogueVersion, Digest: hex.EncodeToString(sum.Sum(nil)), byID: map[string]*Requirement{}}
	var zh []translation
	if err := json.Unmarshal(requirements, &c.Requirements); err != nil {
		return nil, fmt.Errorf("%w: not a list of requirements", ErrCatalogue)
	}
	if err := json.Unmarshal(translations, &zh); err != nil {
		return nil, fmt.Errorf("%w: not a list of translations", ErrCatalogue)
	}
	words := map[string]translation{}
	for _, t := range zh {
		if _, twice := words[t.ID]; twice {
			return nil, fmt.Errorf("%w: %.20q is translated twice", ErrCatalogue, t.ID)
		}
		words[t.ID] = t
	}
	for i := range c.Requirements {
		r := &c.Requirements[i]
		if _, twice := c.byID[r.ID]; twice {
			return nil, fmt.Errorf("%w: %.20q stands twice", ErrCatalogue, r.ID)
		}
		r.RequirementZH, r.AdviceZH = words[r.ID].Requirement, words[r.ID].Advice
		if why := r.lacks(); why != "" {
			return nil, fmt.Errorf("%w: %.20q: %s", ErrCatalogue, r.ID, why)
		}
		c.byID[r.ID] = r
		delete(words, r.ID)
	}
	for id := range words {
		return nil, fmt.Errorf("%w: a translation of %.20q, which is no requirement", ErrCatalogue, id)
	}
	return c, nil
}

var requirementID = regexp.MustCompile(`^POSC-(HW|SW|DT|KM|DP|OP|PE)-[0-9]{2}$`)

// lacks tells what is wrong with a requirement, "" when nothing is.
func (r *Requirement) lacks() string {
	switch {
	case !requirementID.MatchString(r.ID):
		return "its id is not of the form POSC-HW-01"
	case !slices.Contains(Areas[:], r.Area):
		return "unknown area"
	case !slices.Contains(methods[:], r.Method) || r.Automated != strings.HasPrefix(r.Method, "AUTO-"):
		return "unknown method, or automated disagrees with it"
	case !slices.Contains(Severities[:], r.Severity):
		return "unknown severity"
	case len(r.References) == 0 || len(r.References) != len(r.ReferenceConfidence):
		return "references and their confidence are not parallel"
	case r.TitleEN == "" || r.TitleZH == "" || r.Requirement == "" || r.Procedure == "" || r.PassCriterion == "" || r.Advice == "":
		return "a text is missing"
	case r.RequirementZH == "" || r.AdviceZH == "":
		return "a translation is missing"
	}
	for _, c := range r.ReferenceConfidence {
		if c != "V" && c != "S" && c != "R" {
			return "confidence is not V, S or R"
		}
	}
	for _, v := range r.Verdicts {
		if !slices.Contains(Verdicts[:], v) {
			return "unknown verdict"
		}
	}
	return ""
}

// Find is a requirement by id, nil when there is none.
func (c *Catalogue) Find(id string) *Requirement { return c.byID[id] }
