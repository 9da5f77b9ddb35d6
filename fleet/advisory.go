package fleet

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
)

// Severity is how bad what an advisory tells is, the words of CSAF's aggregate severity as most publishers use them.
type Severity string

// The severities.
const (
	Critical        Severity = "critical"
	High            Severity = "high"
	Medium          Severity = "medium"
	Low             Severity = "low"
	UnknownSeverity Severity = "unknown"
)

// Affected is one model whose devices an advisory touches: those of the hardware versions that run the versions.
type Affected struct {
	Vendor   string `json:"vendor,omitempty"`
	Model    string `json:"model"`
	Hardware string `json:"hardware"` // a range as ParseRange reads it
	Versions string `json:"versions"` // likewise, of the application

	hardware, versions Range
}

// AdvisoryState is where an advisory stands.
type AdvisoryState string

// The states.
const (
	AdvisoryOpen   AdvisoryState = "open"
	AdvisoryClosed AdvisoryState = "closed" // no longer counts: answered, or withdrawn by its publisher
)

// Advisory is what is known of a weakness of a model.
type Advisory struct {
	ID          string        `json:"id"`     // ADV-1, ADV-2, ...
	Format      string        `json:"format"` // csaf or osv: what it came as
	Source      string        `json:"source"` // its id in the document
	Digest      string        `json:"digest"` // of the document as it came, which is kept
	Publisher   string        `json:"publisher,omitempty"`
	Title       string        `json:"title"`
	Text        string        `json:"text,omitempty"`    // English
	TextZH      string        `json:"text_zh,omitempty"` // Chinese
	Severity    Severity      `json:"severity"`
	CVSS        string        `json:"cvss,omitempty"` // vector, CVSS:3.x/...
	CVE         string        `json:"cve,omitempty"`
	Affected    []Affected    `json:"affected"`
	Certificate string        `json:"certificate,omitempty"` // what it does to security certificates, in words
	Link        string        `json:"link,omitempty"`        // the certificate, such as CRT-1, or an address
	Issued      pos.Instant   `json:"issued"`                // of the document
	State       AdvisoryState `json:"state"`
	Added       pos.Instant   `json:"added"`
	By          []string      `json:"by"`
	Closed      pos.Instant   `json:"closed,omitempty"`
	ClosedBy    []string      `json:"closed_by,omitempty"`
	Why         string        `json:"why,omitempty"`

	entry uint64 // the journal's entry of this record
}

// Bounds of an advisory.
const (
	MaxAdvisory   = 4 << 20 // bytes of a document
	maxAffected   = 16
	maxText       = 3000 // bytes
	maxTitle      = 200
	maxCVSS       = 120
	maxAdvisories = 1000
)

// ErrAdvisory is returned for a document that is no advisory of ours, ErrNoAdvisory for an id that names none.
var (
	ErrAdvisory   = errors.New("advisory")
	ErrNoAdvisory = errors.New("no such advisory")
)

// prepare reads the ranges.
func (a *Advisory) prepare() (err error) {
	for i := range a.Affected {
		t := &a.Affected[i]
		if t.hardware, err = ParseRange(t.Hardware); err != nil {
			return fmt.Errorf("hardware of %.40s: %w", t.Model, err)
		}
		if t.versions, err = ParseRange(t.Versions); err != nil {
			return fmt.Errorf("versions of %.40s: %w", t.Model, err)
		}
		t.Hardware, t.Versions = t.hardware.String(), t.versions.String()
	}
	return nil
}

// Check tells what is wrong with an advisory.
func (a *Advisory) Check() error {
	switch {
	case a.Title == "" || len(a.Title) > maxTitle:
		return fmt.Errorf("%w: a title of %d bytes, want 1 to %d", ErrAdvisory, len(a.Title), maxTitle)
	case len(a.Text) > maxText || len(a.TextZH) > maxText || len(a.Certificate) > maxText:
		return fmt.Errorf("%w: a text of more than %d bytes", ErrAdvisory, maxText)
	case len(a.Source) == 0 || len(a.Source) > maxTitle || len(a.CVSS) > maxCVSS || len(a.Publisher) > maxTitle || len(a.Link) > maxTitle || len(a.CVE) > 20:
		return fmt.Errorf("%w: an id, a publisher or a vector is missing or too long", ErrAdvisory)
	case !utf8.ValidString(a.Title + a.Text + a.TextZH + a.Certificate + a.Source + a.Publisher + a.Link):
		return fmt.Errorf("%w: a text that is not UTF-8", ErrAdvisory)
	case !slices.Contains([]Severity{Critical, High, Medium, Low, UnknownSeverity}, a.Severity):
		return fmt.Errorf("%w: severity %.20q is not one of critical, high, medium, low, unknown", ErrAdvisory, a.Severity)
	case len(a.Affected) == 0 || len(a.Affected) > maxAffected:
		return fmt.Errorf("%w: it names %d products, want 1 to %d", ErrAdvisory, len(a.Affected), maxAffected)
	}
	for _, t := range a.Affected {
		if t.Model == "" || len(t.Model) > registry.MaxModel || len(t.Vendor) > maxTitle {
			return fmt.Errorf("%w: a model of %d bytes, want 1 to %d", ErrAdvisory, len(t.Model), registry.MaxModel)
		}
	}
	if err := a.prepare(); err != nil {
		return fmt.Errorf("%w: %w", ErrAdvisory, err)
	}
	return nil
}

// Touch is how surely an advisory touches a device.
type Touch uint8

// The degrees. What is not known of a device does not save it.
const (
	Untouched   Touch = iota
	MaybeTouch        // its hardware or application version is not known
	SurelyTouch       // model, hardware and version are in the ranges
)

// Touches tells whether an advisory touches a device of a model, a hardware and an application version.
func (a *Advisory) Touches(model, hardware, version string) Touch {
	touch := Untouched
	for i := range a.Affected {
		t := &a.Affected[i]
		if t.Model != model {
			continue
		}
		touch = max(touch, min(inRange(t.hardware, hardware), inRange(t.versions, version)))
	}
	return touch
}

// inRange: a version that cannot be read is not known to be outside.
func inRange(r Range, version string) Touch {
	if r.All() {
		return SurelyTouch
	}
	v, err := ParseVersion(version)
	switch {
	case err != nil:
		return MaybeTouch
	case r.Has(v):
		return SurelyTouch
	}
	return Untouched
}

// Add is the decision to take an advisory in. A document that is known already, by its publisher and id, replaces
// what it said.
func Add(s *State, a *Advisory, by []string, now pos.Instant) ([]journal.Draft, string, error) {
	added := *a
	added.State, added.Added, added.By = AdvisoryOpen, now, by
	err := added.Check()
	verb := "advisory_added"
	for _, old := range s.advisories {
		if old.Source == a.Source && old.Publisher == a.Publisher {
			added.ID, added.Added, verb = old.ID, old.Added, "advisory_renewed"
		}
	}
	if added.ID == "" {
		added.ID = s.next("ADV-")
		if len(s.advisories) >= maxAdvisories {
			err = fmt.Errorf("%w: %d is the most", ErrAdvisory, maxAdvisories)
		}
	}
	if err != nil {
		return nil, "", &journal.Refusal{Kind: journal.KindFleet, Verb: verb, Actors: by, Why: err.Error(), Err: err}
	}
	return draft(verb, by, change(NounAdvisory, added.ID, &added)), added.ID, nil
}

// CloseAdvisory is the decision that an advisory no longer counts. While a campaign answers it, the campaign is
// closed first.
func CloseAdvisory(s *State, id, why string, by []string, now pos.Instant) ([]journal.Draft, error) {
	old := s.advisories[id]
	var err error
	switch {
	case old == nil:
		err = fmt.Errorf("%w: %.20s", ErrNoAdvisory, id)
	case old.State == AdvisoryClosed:
		err = fmt.Errorf("%w: %s is closed already", ErrAdvisory, id)
	case s.answering[id] != nil:
		err = fmt.Errorf("%w: campaign %s answers %s: close it first", ErrAdvisory, s.answering[id].ID, id)
	case why == "" || len(why) > maxTitle:
		err = fmt.Errorf("%w: say why, in at most %d bytes", ErrAdvisory, maxTitle)
	}
	if err != nil {
		return nil, &journal.Refusal{Kind: journal.KindFleet, Verb: "advisory_closed", Actors: by, Why: err.Error(), Err: err}
	}
	a := *old
	a.State, a.Closed, a.ClosedBy, a.Why = AdvisoryClosed, now, by, why
	return draft("advisory_closed", by, change(NounAdvisory, id, &a)), nil
}

func (s *updateState) foldAdvisory(seq uint64, c journal.Change) error {
	a := &Advisory{entry: seq}
	if err := json.Unmarshal(c.Record, a); err != nil {
		return err
	}
	if err := a.prepare(); err != nil {
		return fmt.Errorf("advisory %s: %w", c.ID, err)
	}
	if err := s.number("ADV-", c.ID); err != nil {
		return err
	}
	for model, list := range s.touching {
		s.touching[model] = slices.DeleteFunc(slices.Clone(list), func(old *Advisory) bool { return old.ID == a.ID })
	}
	for _, t := range a.Affected {
		if list := s.touching[t.Model]; len(list) == 0 || list[len(list)-1] != a {
			s.touching[t.Model] = append(list, a)
		}
	}
	s.advisories[c.ID] = a
	s.changed++
	return nil
}

// Advisory is an advisory's record, nil when there is none. Records are shared: a change is made to a copy.
func (s *State) Advisory(id string) *Advisory { return s.advisories[id] }

// Advisories lists every advisory, the oldest first.
func (s *State) Advisories() []*Advisory {
	all := make([]*Advisory, 0, len(s.advisories))
	for _, a := range s.advisories {
		all = append(all, a)
	}
	slices.SortFunc(all, func(a, b *Advisory) int { return byNumber(a.ID, b.ID) })
	return all
}

// byNumber orders ADV-2 before ADV-10.
func byNumber(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) }

// The states of the advisory's fact besides registry.Good.
const (
	AdvisoryTouches  = "open"          // an open advisory touches the device, and no campaign answers it
	AdvisoryCampaign = "campaign"      // a campaign answers it: its restriction holds
	AdvisoryLate     = "past_deadline" // and its deadline has passed: what it says for laggards holds
)

// MaxAdvisoryFacts is the most advisories that are told of one device each by itself.
const MaxAdvisoryFacts = 12

// AdvisoryFacts appends what open advisories mean for a device that runs an application version: a fact for each, the
// gravest first (past_deadline, campaign, open), or a good one. What each permits is met, so that a mild campaign for
// one does not loosen another. Permit is what the campaign says the terminal may do; the fact is good again with the
// first version, or hardware, that no advisory touches. Restore is that version, RestoreInspect where the hardware has
// to be looked at first, "" where only another device helps. No device (nil): unknown.
func (s *State) AdvisoryFacts(facts []registry.Fact, d *registry.Device, version string, now pos.Instant) []registry.Fact {
	if d == nil {
		return append(facts, registry.Fact{Name: registry.FactAdvisory})
	}
	var touching []advisoryFact
	for _, a := range s.touching[d.Model] {
		if a.State == AdvisoryOpen && a.Touches(d.Model, d.Hardware, version) != Untouched {
			touching = append(touching, s.advisoryFact(a, now))
		}
	}
	if len(touching) == 0 {
		good := registry.Fact{Name: registry.FactAdvisory, State: registry.Good}
		if known := s.installed[d.Serial]; known != nil && known.Version == version {
			good.Since, good.Entry = known.At, known.entry
		}
		return append(facts, good)
	}
	slices.SortStableFunc(touching, func(a, b advisoryFact) int { return cmp.Or(b.grave-a.grave, cmp.Compare(a.Since, b.Since)) })
	restore := ""
	switch answer := s.answer(d.Model, d.Hardware, version); answer.Kind {
	case Upgrade:
		restore = answer.Version
	case InspectFirst:
		restore = RestoreInspect
	}
	for i, f := range touching {
		if i == MaxAdvisoryFacts-1 && len(touching) > MaxAdvisoryFacts {
			f = mostOf(touching[i:])
		}
		f.Restore = restore
		facts = append(facts, f.Fact)
		if i == MaxAdvisoryFacts-1 {
			break
		}
	}
	return facts
}

// RestoreInspect is the fact's Restore where the hardware version is not known, on which the answer depends.
const RestoreInspect = "inspect"

type advisoryFact struct {
	registry.Fact
	grave int
}

func (s *State) advisoryFact(a *Advisory, now pos.Instant) advisoryFact {
	f := registry.Fact{Name: registry.FactAdvisory, State: AdvisoryTouches, Detail: a.ID, Since: a.Added, Entry: a.entry}
	c := s.answering[a.ID]
	switch {
	case c == nil:
		return advisoryFact{f, 1}
	case now >= c.Deadline:
		f.State, f.Permit, f.Since = AdvisoryLate, &c.after, c.Deadline
	default:
		f.State, f.Permit, f.Since, f.Until = AdvisoryCampaign, &c.restriction, c.Started, c.Deadline
	}
	f.Detail, f.Entry = a.ID+" "+c.ID, c.entry
	if f.State == AdvisoryLate {
		return advisoryFact{f, 3}
	}
	return advisoryFact{f, 2}
}

// mostOf is one fact for advisories that find no room: open, which no campaign loosens, with all that the campaigns
// among them bring.
func mostOf(rest []advisoryFact) advisoryFact {
	f := rest[0]
	may := registry.FullPermit
	for _, x := range rest {
		if x.Permit != nil {
			may = may.Meet(*x.Permit)
		}
		if x.Until != 0 && (f.Until == 0 || x.Until < f.Until) {
			f.Until = x.Until
		}
	}
	f.State, f.Permit = AdvisoryTouches, &may
	f.Detail = fmt.Sprintf("%s and %d more", f.Detail, len(rest)-1)
	return f
}
