package fleet

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
)

// ReleaseState is what is thought of a release.
type ReleaseState string

// The states.
const (
	Current   ReleaseState = "current"   // what a device of its hardware is upgraded to
	Supported ReleaseState = "supported" // older, and good until its SupportedUntil, when it has one
	Withdrawn ReleaseState = "withdrawn" // must not be run
)

// Release is one application version of one model, as it is in the repository of releases.
type Release struct {
	ID             string       `json:"id"` // REL-1, REL-2, ...
	Model          string       `json:"model"`
	Hardware       string       `json:"hardware"` // the hardware versions it runs on, as ParseRange reads them
	Version        string       `json:"version"`
	Target         string       `json:"target"` // its path in the TUF repository
	Digest         string       `json:"digest"` // SHA-256 of the file, hexadecimal
	Length         int64        `json:"length"` // of the file, bytes
	Notes          string       `json:"notes,omitempty"`
	NotesZH        string       `json:"notes_zh,omitempty"`
	State          ReleaseState `json:"state"`
	SupportedUntil pos.Instant  `json:"supported_until,omitempty"` // 0: without an end
	Published      pos.Instant  `json:"published"`
	By             []string     `json:"by"` // the two people
	Why            string       `json:"why,omitempty"`

	version  Version
	hardware Range
	entry    uint64 // the journal's entry of this record
}

// Bounds of a release.
const (
	MaxNotes    = 1000      // bytes
	MaxRelease  = 256 << 20 // bytes of its file
	MaxReleases = 1000
)

// ErrRelease is returned for a release that may not be published or changed.
var ErrRelease = errors.New("release")

func (r *Release) prepare() (err error) {
	if r.version, err = ParseVersion(r.Version); err != nil {
		return err
	}
	r.hardware, err = ParseRange(r.Hardware)
	return err
}

func (r *Release) check() error {
	switch {
	case r.Model == "" || len(r.Model) > registry.MaxModel:
		return fmt.Errorf("%w: model of %d bytes, want 1 to %d", ErrRelease, len(r.Model), registry.MaxModel)
	case len(r.Digest) != 64:
		return fmt.Errorf("%w: digest: want 64 hexadecimal digits", ErrRelease)
	case r.Length <= 0 || r.Length > MaxRelease:
		return fmt.Errorf("%w: a file of %d bytes, want 1 to %d", ErrRelease, r.Length, MaxRelease)
	case len(r.Notes) > MaxNotes || len(r.NotesZH) > MaxNotes || !utf8.ValidString(r.Notes+r.NotesZH):
		return fmt.Errorf("%w: notes: want at most %d bytes of UTF-8 each", ErrRelease, MaxNotes)
	case r.State != Current && r.State != Supported:
		return fmt.Errorf("%w: state %.20q: publish it as current or supported", ErrRelease, r.State)
	}
	if err := r.prepare(); err != nil {
		return fmt.Errorf("%w: %w", ErrRelease, err)
	}
	return nil
}

// RunsOn tells whether it runs on a hardware version. What is not known of the hardware is no reason to trust it:
// "" runs only what runs on everything.
func (r *Release) RunsOn(hardware string) bool {
	if r.hardware.All() {
		return true
	}
	v, err := ParseVersion(hardware)
	return err == nil && r.hardware.Has(v)
}

// TargetPath is where a release's file is in the repository: letters, digits, dots and dashes only.
func TargetPath(model, version string) string {
	name := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			return c
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		}
		return '-'
	}, model)
	return strings.Trim(name, "-") + "-" + version + ".bin"
}

// Publish is two people's decision to publish a release. A release that is published already, the same in all,
// asks for no entry: the people carry their act out once more after a crash.
func Publish(s *State, r *Release, by []string, now pos.Instant) ([]journal.Draft, error) {
	refuse := func(err error) ([]journal.Draft, error) {
		return nil, &journal.Refusal{Kind: journal.KindFleet, Verb: "release_published", Actors: by, Why: err.Error(), Err: err}
	}
	if err := r.check(); err != nil {
		return refuse(err)
	}
	if old := s.Release(r.Model, r.Version); old != nil {
		if old.Digest == r.Digest && old.Hardware == r.Hardware && old.Length == r.Length {
			return nil, nil
		}
		return refuse(fmt.Errorf("%w: %s %s is published already, and is another: give the new file a new version", ErrRelease, r.Model, r.Version))
	}
	if len(s.releases) >= MaxReleases {
		return refuse(fmt.Errorf("%w: %d is the most", ErrRelease, MaxReleases))
	}
	published := *r
	published.ID, published.Published, published.By = s.next("REL-"), now, by
	var changes []journal.Change
	for _, other := range s.ofModel[r.Model] {
		overlap := other.State == Current && r.State == Current && other.hardware.overlaps(published.hardware)
		switch {
		case other.Target == r.Target:
			return refuse(fmt.Errorf("%w: %s has the target %s already", ErrRelease, other.ID, r.Target))
		case overlap && other.version.Compare(published.version) > 0:
			return refuse(fmt.Errorf("%w: %s %s is current and newer: publish %s as supported", ErrRelease, other.Model, other.Version, r.Version))
		case overlap && published.coversHardwareOf(other):
			former := *other
			former.State = Supported
			changes = append(changes, change(NounRelease, former.ID, &former))
		}
	}
	changes = append(changes, change(NounRelease, published.ID, &published))
	return draft("release_published", by, changes...), nil
}

// coversHardwareOf tells whether a device that runs other surely runs r.
func (r *Release) coversHardwareOf(other *Release) bool {
	return r.hardware.All() || r.hardware.String() == other.hardware.String()
}

// ReleaseChange is what becomes of a release.
type ReleaseChange struct {
	Model, Version string
	State          ReleaseState
	Until          pos.Instant // of a supported one; 0: without an end
	Why            string
}

// SetRelease is two people's decision to withdraw a release, or to say until when it is supported.
func SetRelease(s *State, c ReleaseChange, by []string) ([]journal.Draft, error) {
	old := s.Release(c.Model, c.Version)
	var err error
	switch {
	case old == nil:
		err = fmt.Errorf("%w: there is none of %.40s %.20s", ErrRelease, c.Model, c.Version)
	case c.State != Supported && c.State != Withdrawn && c.State != Current:
		err = fmt.Errorf("%w: state %.20q is not one of current, supported, withdrawn", ErrRelease, c.State)
	case len(c.Why) > MaxNotes:
		err = fmt.Errorf("%w: a reason of %d bytes, the most is %d", ErrRelease, len(c.Why), MaxNotes)
	}
	if err != nil {
		return nil, &journal.Refusal{Kind: journal.KindFleet, Verb: "release_changed", Actors: by, Why: err.Error(), Err: err}
	}
	r := *old
	r.State, r.SupportedUntil, r.Why = c.State, c.Until, c.Why
	return draft("release_changed", by, change(NounRelease, r.ID, &r)), nil
}

// change is the record of a noun of ours; the records are plain structs, which always encode.
func change(noun, id string, record any) journal.Change {
	c, err := journal.NewChange(noun, id, record)
	if err != nil {
		panic(err)
	}
	return c
}

func draft(verb string, actors []string, changes ...journal.Change) []journal.Draft {
	return []journal.Draft{{Kind: journal.KindFleet, Act: journal.Act{Verb: verb, Actors: actors, Changes: changes}}}
}

// Installed is what application a device runs, by its own word in messages whose MAC and serial number held.
type Installed struct {
	Device  pos.Serial  `json:"device"`
	Version string      `json:"version"`
	At      pos.Instant `json:"at"`
	Before  []Presented `json:"before,omitempty"` // the versions before it, the newest first, at most maxBefore

	entry uint64 // the journal's entry of this record
}

// Presented is a version and when it was first presented.
type Presented struct {
	Version string      `json:"version"`
	At      pos.Instant `json:"at"`
}

const maxBefore = 4

// MaxPresentations is how many devices' versions one act takes.
const MaxPresentations = journal.MaxActChanges

// Presentation is a device that presented a version.
type Presentation struct {
	Device  *registry.Device
	Version string
	At      pos.Instant
}

// Learn notes the versions that devices presented, and nothing of those that changed nothing. At most
// MaxPresentations.
func Learn(s *State, list []Presentation) []journal.Draft {
	var changes []journal.Change
	for _, p := range list {
		was := s.VersionOf(p.Device)
		if was == p.Version {
			continue
		}
		record := Installed{Device: p.Device.Serial, Version: p.Version, At: p.At}
		if was != "" {
			since := pos.Instant(0)
			if old := s.installed[p.Device.Serial]; old != nil {
				since, record.Before = old.At, old.Before
			}
			record.Before = append([]Presented{{was, since}}, record.Before[:min(len(record.Before), maxBefore-1)]...)
		}
		changes = append(changes, change(NounInstalled, string(p.Device.Serial), &record))
	}
	if len(changes) == 0 {
		return nil
	}
	return draft("version_presented", []string{"rule:presented"}, changes...)
}

// The states of the application's fact besides registry.Good and unknown.
const (
	ApplicationOutdated  = "outdated"        // its support has ended
	ApplicationWithdrawn = "withdrawn"       // it must not be run
	ApplicationUnlisted  = "unknown_version" // no release of the model has it, or not on this hardware
)

// ApplicationFact is the application version of a device against the list of releases: good, outdated,
// withdrawn, unknown_version; unknown where no device (nil) is registered, no version was presented or the model has no releases.
func (s *State) ApplicationFact(d *registry.Device, version string, now pos.Instant) registry.Fact {
	f := registry.Fact{Name: registry.FactApplication, Detail: version}
	if d == nil {
		return f
	}
	if known := s.installed[d.Serial]; known != nil && known.Version == version {
		f.Since, f.Entry = known.At, known.entry
	}
	if fit := s.Newest(d.Model, d.Hardware, nil); fit != nil {
		f.Restore = fit.Version
	}
	if version == "" || len(s.ofModel[d.Model]) == 0 {
		return f
	}
	r := s.Release(d.Model, version)
	switch {
	case r == nil || !r.RunsOn(d.Hardware) && d.Hardware != "":
		f.State = ApplicationUnlisted
	case !r.RunsOn(d.Hardware): // on which of its hardware versions the device is, is not known
	case r.State == Withdrawn:
		f.State, f.Entry = ApplicationWithdrawn, r.entry
	case r.SupportedUntil != 0 && now >= r.SupportedUntil && r.State == Supported:
		f.State, f.Since, f.Entry = ApplicationOutdated, r.SupportedUntil, r.entry
	default:
		f.State = registry.Good
		if r.State == Supported {
			f.Until = r.SupportedUntil
		}
	}
	return f
}

// Newest is the newest release of a model that may be run on a hardware version and is not excluded; nil when
// there is none. Releases whose support is limited are none to upgrade to.
func (s *State) Newest(model, hardware string, excluded func(*Release) bool) *Release {
	var best *Release
	for _, r := range s.ofModel[model] {
		if r.State == Withdrawn || r.SupportedUntil != 0 || !r.RunsOn(hardware) || excluded != nil && excluded(r) {
			continue
		}
		if best == nil || r.version.Compare(best.version) > 0 {
			best = r
		}
	}
	return best
}

// Repository is what was written last into the repository of releases.
type Repository struct {
	TargetsVersion   int64       `json:"targets_version"`
	TimestampVersion int64       `json:"timestamp_version"`
	TimestampExpires pos.Instant `json:"timestamp_expires"`
	Root             string      `json:"root"` // SHA-256 of the root of trust, hexadecimal
	At               pos.Instant `json:"at"`
}

// RepositoryWritten notes that the repository of releases was made, changed or refreshed.
func RepositoryWritten(r *Repository, verb string, by []string) []journal.Draft {
	return draft(verb, by, change(NounRepository, "releases", r))
}
