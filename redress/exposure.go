package redress

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"touchstone/journal"
	"touchstone/pos"
)

// Scope is which sales are looked for: from From and before To, at the terminals named, or at those of the models,
// and with one of the versions. What is empty does not narrow.
type Scope struct {
	Incident  string      `json:"incident,omitempty"` // INC-1
	Terminals []string    `json:"terminals,omitempty"`
	Models    []string    `json:"models,omitempty"`   // of the terminals' devices
	Versions  []string    `json:"versions,omitempty"` // of the application, as presented with the sale
	Also      []string    `json:"also,omitempty"`     // terminals that are in it whatever their model and version
	From      pos.Instant `json:"from"`
	To        pos.Instant `json:"to"`
}

// Narrowed tells whether the scope says which terminals or versions.
func (s *Scope) Narrowed() bool {
	return len(s.Terminals)+len(s.Models)+len(s.Versions)+len(s.Also) > 0
}

// Covers tells whether a terminal with a model is in the scope.
func (s *Scope) Covers(terminal, model string) bool {
	if slices.Contains(s.Also, terminal) {
		return true
	}
	if len(s.Also) > 0 && len(s.Terminals)+len(s.Models) == 0 {
		return false
	}
	return (len(s.Terminals) == 0 || slices.Contains(s.Terminals, terminal)) && (len(s.Models) == 0 || slices.Contains(s.Models, model))
}

// Takes tells whether a sale of a terminal that the scope covers is in it. One without a known version is: nobody
// knows that it was a good one.
func (s *Scope) Takes(e *Exposed) bool {
	if len(s.Versions) == 0 || e.App == [8]byte{} {
		return true
	}
	return slices.Contains(s.Versions, e.Version()) || slices.Contains(s.Also, e.Terminal.String())
}

// Exposure is a frozen set of exposed sales: notices and claims speak of the same ones. The list is kept as
// files in the form of AppendExposed, each named by its SHA-256; in the order of the journal.
type Exposure struct {
	ID       string      `json:"id"` // EXP-1, EXP-2, ...
	Scope    Scope       `json:"scope"`
	Of       int         `json:"of"`   // how many terminals were looked at
	Head     uint64      `json:"head"` // the last entry of the journal that was looked at
	Sum      Sum         `json:"sum"`
	Files    []string    `json:"files"`
	At       pos.Instant `json:"at"`
	By       []string    `json:"by"`
	Replaces string      `json:"replaces,omitempty"` // an earlier one of the same incident
	Drill    bool        `json:"drill,omitempty"`    // of an exercise: its sales are no reason for a claim
}

// NounExposure is the noun of a frozen set.
const NounExposure = "exposure"

// Bounds of a frozen set.
const (
	MaxListed     = 250_000 // sales in one kept file
	MaxListFiles  = 16
	maxScopeNamed = 200 // terminals named in the record; with more of them only their number is
)

// Freeze is the decision to keep a set for an incident. The newest of an incident counts; an earlier one stays
// in the journal.
func Freeze(s *State, scope Scope, of int, head uint64, sum Sum, files []string, by []string, now pos.Instant) (*Exposure, []journal.Draft, error) {
	refuse := func(why string, args ...any) (*Exposure, []journal.Draft, error) {
		return nil, nil, &journal.Refusal{Kind: journal.KindRedress, Verb: "exposure_frozen", Actors: by, Why: fmt.Sprintf(why, args...)}
	}
	switch {
	case scope.Incident == "" || len(scope.Incident) > journal.MaxActWord:
		return refuse("a set is frozen into an incident: name it, such as INC-1")
	case scope.From >= scope.To:
		return refuse("the window ends before it begins")
	case of == 0:
		return refuse("no terminal is in the scope")
	case sum.Sales == 0 || len(files) == 0:
		return refuse("no approved sale of %d terminals is in the window", of)
	case len(files) > MaxListFiles:
		return refuse("%d sales are more than a frozen set holds, %d: narrow the window", sum.Sales, MaxListed*MaxListFiles)
	}
	for _, names := range []*[]string{&scope.Terminals, &scope.Also} {
		if len(*names) > maxScopeNamed {
			*names = nil
		}
	}
	x := &Exposure{ID: fmt.Sprintf("EXP-%d", s.exposed+1), Scope: scope, Of: of, Head: head, Sum: sum, Files: files, At: now, By: by}
	x.Drill = strings.HasSuffix(scope.Incident, drillSuffix)
	if old := s.ExposureOf(scope.Incident); old != nil {
		x.Replaces = old.ID
	}
	c, err := journal.NewChange(NounExposure, x.ID, x)
	if err != nil {
		return nil, nil, err
	}
	return x, []journal.Draft{{Kind: journal.KindRedress, Act: journal.Act{Verb: "exposure_frozen", Actors: by, Changes: []journal.Change{c}}}}, nil
}

// drillSuffix ends the id of an incident that is an exercise; see package incident.
const drillSuffix = "-DRILL"

// Exposure is a frozen set by its id, nil when there is none. Records are shared and never changed.
func (s *State) Exposure(id string) *Exposure { return s.exposures[id] }

// ExposureOf is the newest frozen set of an incident, nil when there is none.
func (s *State) ExposureOf(incident string) *Exposure {
	for n := s.exposed; n > 0; n-- {
		if x := s.exposures[fmt.Sprintf("EXP-%d", n)]; x != nil && x.Scope.Incident == incident {
			return x
		}
	}
	return nil
}

// Exposures lists the newest frozen set of every incident, the oldest first.
func (s *State) Exposures() (list []*Exposure) {
	for n := 1; n <= s.exposed; n++ {
		if x := s.exposures[fmt.Sprintf("EXP-%d", n)]; x != nil && s.ExposureOf(x.Scope.Incident) == x {
			list = append(list, x)
		}
	}
	return list
}

// numberOf reads the number of an id such as EXP-3 or CLM-3-ABC.
func numberOf(id, prefix string) (int, error) {
	text, ok := strings.CutPrefix(id, prefix)
	text, _, _ = strings.Cut(text, "-")
	n, err := strconv.Atoi(text)
	if !ok || err != nil || n < 1 {
		return 0, fmt.Errorf("%w: id %.40q", journal.ErrAct, id)
	}
	return n, nil
}
