package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
)

// AnswerKind is what has to be done with a terminal that an advisory touches.
type AnswerKind string

// The answers.
const (
	Nothing      AnswerKind = "nothing" // no open advisory touches it
	Upgrade      AnswerKind = "upgrade" // to Version
	Replace      AnswerKind = "replace" // because no fixed version runs on this hardware
	InspectFirst AnswerKind = "inspect" // its hardware version is not known, and no fixed version runs on every one
)

// Answer is what has to be done, and to which version.
type Answer struct {
	Kind    AnswerKind `json:"answer"`
	Version string     `json:"version,omitempty"`
}

// answer finds the newest release that runs on the hardware and that no open advisory of the model touches.
func (s *State) answer(model, hardware, version string) Answer {
	touched := func(v string) bool {
		return slices.ContainsFunc(s.touching[model], func(a *Advisory) bool {
			return a.State == AdvisoryOpen && a.Touches(model, hardware, v) != Untouched
		})
	}
	if !touched(version) {
		return Answer{Kind: Nothing}
	}
	if fixed := s.Newest(model, hardware, func(r *Release) bool { return touched(r.Version) }); fixed != nil {
		return Answer{Upgrade, fixed.Version}
	}
	if hardware == "" {
		return Answer{Kind: InspectFirst}
	}
	return Answer{Kind: Replace}
}

// Place is a terminal and the device that works there.
type Place struct {
	Terminal pos.TerminalID
	Merchant pos.MerchantID
	Device   *registry.Device
}

// Reached is one terminal that an advisory touches.
type Reached struct {
	Place
	Version string
	Sure    bool // false: its hardware or application version is not known
	Answer  Answer
}

// Radius calls f with every terminal that an advisory touches, whatever its state.
func (s *State) Radius(a *Advisory, places []Place, f func(Reached)) {
	type key struct{ model, hardware, version string }
	type judged struct {
		touch  Touch
		answer Answer
	}
	known := map[key]judged{} // a million terminals have few of these
	for _, p := range places {
		k := key{p.Device.Model, p.Device.Hardware, s.VersionOf(p.Device)}
		j, ok := known[k]
		if !ok {
			if j.touch = a.Touches(k.model, k.hardware, k.version); j.touch != Untouched {
				j.answer = s.answer(k.model, k.hardware, k.version)
			}
			known[k] = j
		}
		if j.touch != Untouched {
			f(Reached{p, k.version, j.touch == SurelyTouch, j.answer})
		}
	}
}

// Tally counts the terminals that an advisory touches by what has to be done with them.
type Tally struct {
	Terminals int `json:"terminals"`
	Upgrade   int `json:"upgrade"`
	Replace   int `json:"replace"`
	Inspect   int `json:"inspect"`
	Unsure    int `json:"unsure"` // of all: touched because something is not known
}

// Count tallies an advisory's terminals.
func (s *State) Count(a *Advisory, places []Place) (t Tally) {
	s.Radius(a, places, func(r Reached) { t.Take(r) })
	return t
}

// Take counts one terminal.
func (t *Tally) Take(r Reached) {
	t.Terminals++
	switch r.Answer.Kind {
	case Upgrade:
		t.Upgrade++
	case Replace:
		t.Replace++
	case InspectFirst:
		t.Inspect++
	}
	if !r.Sure {
		t.Unsure++
	}
}

// CampaignState is where a campaign stands.
type CampaignState string

// The states.
const (
	CampaignOpen   CampaignState = "open"
	CampaignClosed CampaignState = "closed"
)

// Campaign is the answer to an advisory: until its deadline terminals that the advisory touches are restricted,
// after it they fall to what it says for laggards.
type Campaign struct {
	ID          string        `json:"id"` // CMP-1, CMP-2, ...
	Advisory    string        `json:"advisory"`
	Restriction string        `json:"restriction"`    // until the deadline: a permit as registry.ParsePermit reads it
	After       string        `json:"after_deadline"` // of a laggard, likewise
	Started     pos.Instant   `json:"started"`
	Deadline    pos.Instant   `json:"deadline"`
	By          []string      `json:"by"`
	Start       Tally         `json:"start"` // when it began
	State       CampaignState `json:"state"`
	Closed      pos.Instant   `json:"closed,omitempty"`
	ClosedBy    []string      `json:"closed_by,omitempty"`
	Why         string        `json:"why,omitempty"`

	restriction, after registry.Permit
	entry              uint64 // the journal's entry of this record
}

// prepare reads the permits.
func (c *Campaign) prepare() (err error) {
	if c.restriction, err = registry.ParsePermit(c.Restriction); err != nil {
		return fmt.Errorf("restriction: %w", err)
	}
	if c.after, err = registry.ParsePermit(c.After); err != nil {
		return fmt.Errorf("after the deadline: %w", err)
	}
	return nil
}

// BurnDown is how many terminals were left in an hour of a campaign: the last count of that hour.
type BurnDown struct {
	Hour int         `json:"hour"` // 0 is the first since the campaign began
	At   pos.Instant `json:"at"`
	Left Tally       `json:"left"`
}

// Bounds of a campaign.
const (
	MaxCampaign  = 30 * 24 * time.Hour
	maxCampaigns = 1000
)

// ErrCampaign is returned for a campaign that may not be begun or closed.
var ErrCampaign = errors.New("campaign")

// Start is two people's decision to begin a campaign. One that is open already, the same in all, asks for no
// entry: the people carry their act out once more after a crash.
func Start(s *State, c *Campaign, places []Place, by []string, now pos.Instant) ([]journal.Draft, string, error) {
	if open := s.answering[c.Advisory]; open != nil && open.Restriction == c.Restriction && open.After == c.After {
		return nil, open.ID, nil
	}
	var tally Tally
	if a := s.advisories[c.Advisory]; a != nil {
		tally = s.Count(a, places)
	}
	begun := *c
	begun.Started, begun.By, begun.Start, begun.State = now, by, tally, CampaignOpen
	a := s.advisories[c.Advisory]
	var err error
	switch {
	case a == nil:
		err = fmt.Errorf("%w: %.20s", ErrNoAdvisory, c.Advisory)
	case a.State != AdvisoryOpen:
		err = fmt.Errorf("%w: advisory %s is closed", ErrCampaign, a.ID)
	case s.answering[a.ID] != nil:
		err = fmt.Errorf("%w: %s answers %s already", ErrCampaign, s.answering[a.ID].ID, a.ID)
	case c.Deadline <= now || c.Deadline.Sub(now) > MaxCampaign:
		err = fmt.Errorf("%w: its deadline is not within the next %s", ErrCampaign, MaxCampaign)
	case begun.prepare() != nil:
		err = fmt.Errorf("%w: %w", ErrCampaign, begun.prepare())
	case begun.after == registry.FullPermit || !begun.after.Within(begun.restriction):
		err = fmt.Errorf("%w: after the deadline a laggard may do more (%s) than before it (%s)", ErrCampaign, c.After, c.Restriction)
	case tally.Terminals == 0:
		err = fmt.Errorf("%w: %s touches no terminal", ErrCampaign, a.ID)
	case len(s.campaigns) >= maxCampaigns:
		err = fmt.Errorf("%w: %d is the most", ErrCampaign, maxCampaigns)
	}
	if err != nil {
		return nil, "", &journal.Refusal{Kind: journal.KindFleet, Verb: "campaign_started", Actors: by, Why: err.Error(), Err: err}
	}
	begun.ID = s.next("CMP-")
	first := BurnDown{At: now, Left: tally}
	return draft("campaign_started", by, change(NounCampaign, begun.ID, &begun), change(NounBurnDown, burnDownID(begun.ID, 0), &first)), begun.ID, nil
}

// CloseCampaign is a person's decision to end a campaign.
func CloseCampaign(s *State, id, why string, by []string, now pos.Instant) ([]journal.Draft, error) {
	old := s.campaigns[id]
	var err error
	switch {
	case old == nil:
		err = fmt.Errorf("%w: there is no %.20s", ErrCampaign, id)
	case old.State == CampaignClosed:
		err = fmt.Errorf("%w: %s is closed already", ErrCampaign, id)
	case why == "" || len(why) > maxTitle:
		err = fmt.Errorf("%w: say why, in at most %d bytes", ErrCampaign, maxTitle)
	}
	if err != nil {
		return nil, &journal.Refusal{Kind: journal.KindFleet, Verb: "campaign_closed", Actors: by, Why: err.Error(), Err: err}
	}
	return draft("campaign_closed", by, closedCampaign(old, why, by, now)), nil
}

func closedCampaign(old *Campaign, why string, by []string, now pos.Instant) journal.Change {
	c := *old
	c.State, c.Closed, c.ClosedBy, c.Why = CampaignClosed, now, by, why
	return change(NounCampaign, c.ID, &c)
}

// Progress notes how many terminals an open campaign has left, where that is another number than was noted for
// the hour. With none left the campaign ends. Its advisory stays open: a terminal that falls back is touched again.
func Progress(s *State, c *Campaign, places []Place, now pos.Instant) []journal.Draft {
	left := s.Count(s.advisories[c.Advisory], places)
	by := []string{"rule:campaign"}
	hour := int(now.Sub(c.Started) / time.Hour)
	noted := s.burnDown[c.ID]
	if len(noted) > 0 && noted[len(noted)-1].Left == left && left.Terminals > 0 {
		return nil
	}
	point := BurnDown{Hour: hour, At: now, Left: left}
	changes := []journal.Change{change(NounBurnDown, burnDownID(c.ID, hour), &point)}
	if left.Terminals > 0 {
		return draft("campaign_progress", by, changes...)
	}
	return draft("campaign_closed", by, append(changes, closedCampaign(c, "no terminal is left", by, now))...)
}

func burnDownID(campaign string, hour int) string { return fmt.Sprintf("%s/%d", campaign, hour) }

func (s *updateState) foldCampaign(seq uint64, c journal.Change) error {
	record := &Campaign{entry: seq}
	if err := json.Unmarshal(c.Record, record); err != nil {
		return err
	}
	if err := record.prepare(); err != nil {
		return fmt.Errorf("campaign %s: %w", c.ID, err)
	}
	if err := s.number("CMP-", c.ID); err != nil {
		return err
	}
	s.campaigns[c.ID] = record
	if record.State == CampaignOpen {
		s.answering[record.Advisory] = record
	} else if now := s.answering[record.Advisory]; now != nil && now.ID == record.ID {
		delete(s.answering, record.Advisory)
	}
	s.changed++
	return nil
}

func (s *updateState) foldBurnDown(c journal.Change) error {
	var point BurnDown
	if err := json.Unmarshal(c.Record, &point); err != nil {
		return err
	}
	id, _, _ := strings.Cut(c.ID, "/")
	list := s.burnDown[id]
	at, found := slices.BinarySearchFunc(list, point.Hour, func(b BurnDown, hour int) int { return b.Hour - hour })
	if found {
		list = slices.Clone(list)
		list[at] = point
	} else {
		list = slices.Insert(slices.Clone(list), at, point)
	}
	s.burnDown[id] = list
	return nil
}

// Campaign is a campaign's record, nil when there is none; BurnDownOf its hours in order, those in which the
// number changed. Both are shared.
func (s *State) Campaign(id string) *Campaign { return s.campaigns[id] }

// BurnDownOf is how many terminals a campaign had left, by the hours in which that changed.
func (s *State) BurnDownOf(id string) []BurnDown { return s.burnDown[id] }

// Campaigns lists every campaign, the oldest first.
func (s *State) Campaigns() []*Campaign {
	all := make([]*Campaign, 0, len(s.campaigns))
	for _, c := range s.campaigns {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *Campaign) int { return byNumber(a.ID, b.ID) })
	return all
}
