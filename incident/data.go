package incident

import (
	"bytes"
	_ "embed" // the data of this release
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

//go:embed data/severities.json
var severitiesFile []byte

//go:embed data/kinds.json
var kindsFile []byte

//go:embed data/clocks.json
var clocksFile []byte

//go:embed data/rules.json
var rulesFile []byte

// ErrData is returned for data that may not be used.
var ErrData = errors.New("incident data")

// MaxDataFile bounds a file of rules or clocks: they enter the journal as one entry.
const MaxDataFile = 12 << 10

// Severity is one grade, the least first; GB/T 20986.
type Severity struct {
	ID    string `json:"id"`
	Grade Text   `json:"grade"`
	Means Text   `json:"means"`
}

// KindOf is one kind of incident and what it exposes to harm.
type KindOf struct {
	ID      string   `json:"id"`
	Name    Text     `json:"name"`
	Exposes []string `json:"exposes"`
}

// Data is what the room's rules read beside its records.
type Data struct {
	Severities []Severity // the least first
	Kinds      []KindOf
	Clocks     []ClockRule
	Rules      []Rule
	Operator   []string // what this operator is, such as acquirer, visa
}

// Builtin is the data of this release.
func Builtin() (*Data, error) {
	d := &Data{}
	if err := strict(severitiesFile, &d.Severities); err != nil {
		return nil, fmt.Errorf("severities: %w", err)
	}
	if err := strict(kindsFile, &d.Kinds); err != nil {
		return nil, fmt.Errorf("kinds: %w", err)
	}
	clocks, err := d.ReadClocks(clocksFile)
	if err != nil {
		return nil, err
	}
	rules, err := d.ReadRules(rulesFile)
	if err != nil {
		return nil, err
	}
	d.Clocks, d.Operator, d.Rules = clocks.Clocks, clocks.Operator, rules
	return d, nil
}

func (d *Data) severity(id string) int {
	return slices.IndexFunc(d.Severities, func(s Severity) bool { return s.ID == id })
}

func (d *Data) kind(id string) *KindOf {
	for i := range d.Kinds {
		if d.Kinds[i].ID == id {
			return &d.Kinds[i]
		}
	}
	return nil
}

// Names are the kind and the grade of an incident, in words.
func (d *Data) Names(i *Incident) (kind, grade Text) {
	kind, grade = Same(i.Kind), Same(i.Severity)
	if k := d.kind(i.Kind); k != nil {
		kind = k.Name
	}
	if n := d.severity(i.Severity); n >= 0 {
		grade = d.Severities[n].Grade
	}
	return kind, grade
}

// ClockFile is a file of clock rules: all that a clock needs, and what the operator is.
type ClockFile struct {
	Operator []string    `json:"operator"` // none: as it is
	Clocks   []ClockRule `json:"clocks"`
}

// ReadClocks reads a file of clock rules and refuses one that cannot run.
func (d *Data) ReadClocks(content []byte) (*ClockFile, error) {
	var f ClockFile
	if err := strict(content, &f); err != nil {
		return nil, fmt.Errorf("clock rules: %w", err)
	}
	if len(f.Clocks) > 40 || len(f.Operator) > 16 {
		return nil, fmt.Errorf("%w: clock rules: more than 40, or more than 16 words for the operator", ErrData)
	}
	seen := map[string]bool{}
	for i := range f.Clocks {
		c := &f.Clocks[i]
		if err := c.check(d); err != nil {
			return nil, err
		}
		if seen[c.ID] {
			return nil, fmt.Errorf("%w: clock rule %s stands twice", ErrData, c.ID)
		}
		seen[c.ID] = true
	}
	for _, w := range f.Operator {
		if !isID(w) {
			return nil, fmt.Errorf("%w: operator: a word is not of a-z, 0-9, - and _", ErrData)
		}
	}
	return &f, nil
}

// ReadRules reads a file of rules over the journal.
func (d *Data) ReadRules(content []byte) ([]Rule, error) {
	var f struct {
		Rules []Rule `json:"rules"`
	}
	if err := strict(content, &f); err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	if len(f.Rules) > 40 {
		return nil, fmt.Errorf("%w: %d rules, the most is 40", ErrData, len(f.Rules))
	}
	seen := map[string]bool{}
	for i := range f.Rules {
		r := &f.Rules[i]
		if err := r.check(d); err != nil {
			return nil, err
		}
		if seen[r.ID] {
			return nil, fmt.Errorf("%w: rule %s stands twice", ErrData, r.ID)
		}
		seen[r.ID] = true
	}
	return f.Rules, nil
}

// strict reads one JSON value of known members. Its error quotes nothing that was read.
func strict(content []byte, to any) error {
	dec := json.NewDecoder(bytes.NewReader(content))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		return fmt.Errorf("%w: not JSON of the members that docs/operating/incidents.md names (near byte %d)", ErrData, dec.InputOffset())
	}
	if _, err := dec.Token(); err != io.EOF {
		return fmt.Errorf("%w: something follows the JSON value", ErrData)
	}
	return nil
}

// window reads a time such as 10m, at most thirty days.
func window(s string) (time.Duration, bool) {
	d, err := time.ParseDuration(s)
	return d, err == nil && d >= time.Second && d <= 30*24*time.Hour
}
