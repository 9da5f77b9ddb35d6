package lab

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the profile travels in the program
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Profile is which requirements an assessment examines, and by which check each.
type Profile struct {
	ID      string         `json:"id"`
	Version string         `json:"version"`
	TitleEN string         `json:"title_en"`
	TitleZH string         `json:"title_zh"`
	Checks  []ProfileCheck `json:"checks"`
	Digest  string         `json:"-"` // SHA-256 of the file, hexadecimal
}

// ProfileCheck is one requirement of a profile.
type ProfileCheck struct {
	Requirement string `json:"requirement"`
	Group       string `json:"group"`   // hardware_record, software or data_transmission
	Check       string `json:"check"`   // name of the check, such as pts-listing
	Version     int    `json:"version"` // of the check; a later one is another check
	Active      bool   `json:"active"`  // it sends to the subject's endpoints: a signed scope is needed
	// Part says what of the requirement's procedure the check does and what it leaves, for the report.
	PartEN string `json:"part_en"`
	PartZH string `json:"part_zh"`
}

// Groups lists the groups of a profile's checks.
var Groups = [...]string{"hardware_record", "software", "data_transmission"}

// MaxProfileChecks bounds a profile.
const MaxProfileChecks = 64

// ErrProfile is returned for a file that is no profile.
var ErrProfile = errors.New("profile")

//go:embed profile.json
var profileFile []byte

// LoadProfile reads the profile that the program carries: twelve automatic checks, four of each group.
func LoadProfile(c *Catalogue) (*Profile, error) { return ParseProfile(c, profileFile) }

// ParseProfile reads a profile of the requirements of a catalogue.
func ParseProfile(c *Catalogue, file []byte) (*Profile, error) {
	bad := func(format string, a ...any) error {
		return fmt.Errorf("%w: %s", ErrProfile, fmt.Sprintf(format, a...))
	}
	if len(file) > MaxCatalogue {
		return nil, bad("more than %d bytes", MaxCatalogue)
	}
	p := &Profile{}
	dec := json.NewDecoder(bytes.NewReader(file))
	dec.DisallowUnknownFields()
	if err := dec.Decode(p); err != nil {
		return nil, bad("not the JSON of a profile")
	}
	if p.ID == "" || p.Version == "" || len(p.Checks) == 0 || len(p.Checks) > MaxProfileChecks {
		return nil, bad("want an id, a version, and 1 to %d checks", MaxProfileChecks)
	}
	seen := map[string]bool{}
	for _, k := range p.Checks {
		r := c.Find(k.Requirement)
		switch {
		case r == nil:
			return nil, bad("%.20q is not in the catalogue", k.Requirement)
		case seen[k.Requirement]:
			return nil, bad("%s stands twice", k.Requirement)
		case !strings.HasPrefix(r.Method, "AUTO-"):
			return nil, bad("%s is examined by evidence, not by a check", k.Requirement)
		case k.Check == "" || k.Version < 1 || k.PartEN == "" || k.PartZH == "":
			return nil, bad("%s: no check, no version, or no words for what it does", k.Requirement)
		}
		seen[k.Requirement] = true
	}
	sum := sha256.Sum256(file)
	p.Digest = hex.EncodeToString(sum[:])
	return p, nil
}

// Find is the check of a requirement, nil when the profile has none.
func (p *Profile) Find(requirement string) *ProfileCheck {
	for i := range p.Checks {
		if p.Checks[i].Requirement == requirement {
			return &p.Checks[i]
		}
	}
	return nil
}
