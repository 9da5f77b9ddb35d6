package fleet

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
)

// The nouns of releases, advisories and campaigns.
const (
	NounRelease   = "release"
	NounInstalled = "installed"
	NounAdvisory  = "advisory"
	NounCampaign  = "campaign"
	NounBurnDown  = "burn_down"

	NounRepository = "repository"
)

// updateState is what is known of software: releases, what each device runs, advisories, campaigns.
type updateState struct {
	releases  map[string]*Release   // by id
	ofModel   map[string][]*Release // in no order
	installed map[pos.Serial]*Installed

	advisories map[string]*Advisory
	touching   map[string][]*Advisory // by model, each once, closed ones too
	campaigns  map[string]*Campaign
	answering  map[string]*Campaign // the open campaign of an advisory, by its id
	burnDown   map[string][]BurnDown

	repository *Repository // nil: none was made
	pictures   map[string]*ModelPicture

	numbers map[string]int // the highest number of each kind of id
	changed uint64         // counts changes that may alter the fact of more than one device
}

func newUpdateState() updateState {
	return updateState{releases: map[string]*Release{}, ofModel: map[string][]*Release{}, installed: map[pos.Serial]*Installed{},
		advisories: map[string]*Advisory{}, touching: map[string][]*Advisory{}, campaigns: map[string]*Campaign{}, answering: map[string]*Campaign{},
		burnDown: map[string][]BurnDown{}, pictures: map[string]*ModelPicture{}, numbers: map[string]int{}}
}

// foldUpdate takes one noun of this part; known is false for another's noun.
func (s *updateState) foldUpdate(seq uint64, c journal.Change) (known bool, err error) {
	switch c.Noun {
	case NounRelease:
		return true, s.foldRelease(seq, c)
	case NounInstalled:
		record := &Installed{entry: seq}
		if err := json.Unmarshal(c.Record, record); err != nil {
			return true, err
		}
		s.installed[pos.Serial(c.ID)] = record
		return true, nil
	case NounRepository:
		record := new(Repository)
		s.repository = record
		return true, json.Unmarshal(c.Record, record)
	case NounModelPicture:
		return true, s.foldPicture(c)
	case NounAdvisory:
		return true, s.foldAdvisory(seq, c)
	case NounCampaign:
		return true, s.foldCampaign(seq, c)
	case NounBurnDown:
		return true, s.foldBurnDown(c)
	}
	return false, nil
}

func (s *updateState) foldRelease(seq uint64, c journal.Change) error {
	r := &Release{entry: seq}
	if err := json.Unmarshal(c.Record, r); err != nil {
		return err
	}
	if err := r.prepare(); err != nil {
		return fmt.Errorf("release %s: %w", c.ID, err)
	}
	if err := s.number("REL-", c.ID); err != nil {
		return err
	}
	s.releases[c.ID] = r
	list := s.ofModel[r.Model]
	s.ofModel[r.Model] = append(slices.DeleteFunc(slices.Clone(list), func(old *Release) bool { return old.ID == r.ID }), r)
	s.changed++
	return nil
}

// number notes an id such as REL-3, so that the next one is REL-4.
func (s *updateState) number(prefix, id string) error {
	n, err := strconv.Atoi(strings.TrimPrefix(id, prefix))
	if err != nil || !strings.HasPrefix(id, prefix) {
		return fmt.Errorf("id %.20q: want %s and a number", id, prefix)
	}
	s.numbers[prefix] = max(s.numbers[prefix], n)
	return nil
}

func (s *updateState) next(prefix string) string { return prefix + strconv.Itoa(s.numbers[prefix]+1) }

// UpdatesChanged counts the changes of releases, advisories and campaigns: while it stays, the facts of a device
// change only by its own record, by what it presents, and by time.
func (s *State) UpdatesChanged() uint64 { return s.changed }

// Releases lists every release by model, the newest version first. Records are shared: a change is made to a copy.
func (s *State) Releases() []*Release {
	all := make([]*Release, 0, len(s.releases))
	for _, r := range s.releases {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *Release) int {
		return cmp.Or(strings.Compare(a.Model, b.Model), b.version.Compare(a.version))
	})
	return all
}

// Release is the release of a model and version, nil when there is none.
func (s *State) Release(model, version string) *Release {
	v, err := ParseVersion(version)
	if err != nil {
		return nil
	}
	for _, r := range s.ofModel[model] {
		if r.version == v {
			return r
		}
	}
	return nil
}

// Released are the versions on the lists of releases, which a device may present beside those it was registered
// with. A withdrawn one is among them: what a terminal that runs it may do is the permit's to say.
func (s *State) Released() registry.Released {
	all := registry.Released{}
	for model, list := range s.ofModel {
		for _, r := range list {
			all[model] = append(all[model], r.Version)
		}
	}
	return all
}

// Installed is what a device presented last, nil when that is not known.
func (s *State) Installed(serial pos.Serial) *Installed { return s.installed[serial] }

// VersionOf is the application version that a device runs, "" when it is not known: what it presented last, or
// else the only one it was registered with, because no other passes.
func (s *State) VersionOf(d *registry.Device) string {
	if d == nil {
		return ""
	}
	if known := s.installed[d.Serial]; known != nil {
		return known.Version
	}
	if len(d.AppVersions) == 1 {
		return d.AppVersions[0]
	}
	return ""
}

// EachInstalled calls f with what every device presented that presented another version than it was registered
// with.
func (s *State) EachInstalled(f func(serial pos.Serial, i *Installed)) {
	for serial, i := range s.installed {
		f(serial, i)
	}
}

// OpenCampaigns lists the campaigns that are not closed, the oldest first.
func (s *State) OpenCampaigns() []*Campaign {
	return slices.DeleteFunc(s.Campaigns(), func(c *Campaign) bool { return c.State != CampaignOpen })
}

// Campaigning tells whether any campaign is open.
func (s *State) Campaigning() bool { return len(s.answering) > 0 }

// Repository is what was written last into the repository of releases, nil where none was made.
func (s *State) Repository() *Repository { return s.repository }
