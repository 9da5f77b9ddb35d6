package fleet

import (
	"encoding/hex"
	"fmt"
	"time"

	"touchstone/journal"
	"touchstone/pos"
)

// Inspection is one visit to a device: every answer of the checklist, photographs by digest, and what was found.
type Inspection struct {
	ID          string            `json:"id"` // INS-1
	Serial      pos.Serial        `json:"serial"`
	Terminal    pos.TerminalID    `json:"terminal,omitzero"`
	Merchant    pos.MerchantID    `json:"merchant,omitzero"`
	Model       string            `json:"model,omitempty"`
	Checklist   string            `json:"checklist"` // its version
	Answers     map[string]string `json:"answers"`
	Note        string            `json:"note,omitempty"`
	Photographs []Photograph      `json:"photographs,omitempty"`
	Passed      bool              `json:"passed"`
	Findings    []Finding         `json:"findings,omitempty"`
	// Finding is the first that raises the alarm, such as attached_device, and Alarm tells that there is one: the
	// device is quarantined by the same act, and a case is to be opened.
	Finding     string      `json:"finding,omitempty"`
	Alarm       bool        `json:"alarm,omitempty"`
	Quarantined bool        `json:"quarantined,omitempty"`
	Inspector   string      `json:"inspector"`
	At          pos.Instant `json:"at"`
	Due         pos.Instant `json:"due"` // the next
	Site        SiteClass   `json:"site,omitempty"`
	Risk        Risk        `json:"risk,omitempty"`

	Entry uint64 `json:"-"`
}

// Finding is one answer that is not as it should be.
type Finding struct {
	Item      string `json:"item"`
	Presented string `json:"presented"`
	Expected  string `json:"expected,omitempty"`
	Alarm     bool   `json:"alarm,omitempty"`
}

// Photograph is a kept file that was proven to be a picture.
type Photograph struct {
	Digest string `json:"digest"` // SHA-256, 64 lower-case hexadecimal digits
	Type   string `json:"type"`   // jpeg or png
	Bytes  int    `json:"bytes"`
	Width  int    `json:"width"` // pixels
	Height int    `json:"height"`
}

const maxPhotographs = 24

// Visit is what an inspector brings.
type Visit struct {
	Serial   pos.Serial
	Terminal pos.TerminalID // where the register has it; zero: in stock
	Merchant pos.MerchantID
	Model    string // by the register
	Answers  map[string]string
	Note     string
	Photos   []Photograph
}

// Inspect is the decision on a visit. An alarm quarantines the device in the same act.
func Inspect(s *State, v Visit, who Who, now pos.Instant) ([]journal.Draft, error) {
	const verb = "inspection_recorded"
	no := func(format string, args ...any) error { return who.refuse(verb, fmt.Sprintf(format, args...)) }
	life, list := s.lives[v.Serial], s.checklist
	if life != nil && life.Final() {
		return nil, no("device %s is %s", v.Serial, life.State)
	}
	for id := range v.Answers {
		if !list.has(id) {
			return nil, no("item %.40q is not on checklist %s", id, list.Version)
		}
	}
	if v.Note != "" && !careText(v.Note) {
		return nil, no("note: want at most 200 bytes of text")
	}
	if err := s.checkPhotographs(v.Photos, no); err != nil {
		return nil, err
	}
	expect := Expected{Serial: string(v.Serial), Model: v.Model}
	if life != nil {
		expect.Seal = life.Seal
	}
	found, why := list.judge(v.Answers, expect)
	if why != "" {
		return nil, no("device %s: %s", v.Serial, why)
	}
	i := Inspection{ID: s.nextCare("INS"), Serial: v.Serial, Terminal: v.Terminal, Merchant: v.Merchant, Model: v.Model, Checklist: list.Version, Answers: v.Answers,
		Note: v.Note, Photographs: v.Photos, Passed: len(found) == 0, Findings: found, Inspector: who.Actors[0], At: now}
	if b := s.bound[v.Terminal]; b != nil && b.Serial == v.Serial {
		i.Site, i.Risk = b.Site, b.Risk
	}
	i.Due = s.care.due(i.Site, i.Risk, now)
	for _, f := range found {
		if f.Alarm {
			i.Finding, i.Alarm = f.Item, true
			break
		}
	}
	var quarantined []journal.Change
	if i.Alarm {
		var err error
		if quarantined, err = s.quarantine(v.Serial, v.Terminal, i.ID+": "+i.Finding, who, now); err != nil {
			return nil, err
		}
		i.Quarantined = true
	}
	c, err := journal.NewChange(NounInspection, i.ID, &i)
	if err != nil {
		return nil, err
	}
	return who.draft(verb, append([]journal.Change{c}, quarantined...)), nil
}

// checkPhotographs refuses too many, and one that another inspection has: a picture of an earlier visit proves
// nothing of this one (POSC-OP-02).
func (s *State) checkPhotographs(list []Photograph, no func(string, ...any) error) error {
	if len(list) > min(s.care.Photograph.Most, maxPhotographs) {
		return no("%d photographs, the most is %d", len(list), s.care.Photograph.Most)
	}
	for n, p := range list {
		if raw, err := hex.DecodeString(p.Digest); err != nil || len(raw) != 32 {
			return no("photograph %d has no digest", n+1)
		}
		if other := s.photographs[p.Digest]; other != "" {
			return no("photograph %d is one of inspection %s: a visit has pictures of its own", n+1, other)
		}
		for _, q := range list[:n] {
			if q.Digest == p.Digest {
				return no("photograph %d is there twice", n+1)
			}
		}
	}
	return nil
}

// Due is one device and when it is to be inspected.
type Due struct {
	Serial   pos.Serial     `json:"serial"`
	Terminal pos.TerminalID `json:"terminal"`
	Address  string         `json:"address"`
	Site     SiteClass      `json:"site"`
	Risk     Risk           `json:"risk"`
	Due      pos.Instant    `json:"due"`
	Last     string         `json:"last,omitempty"` // the last inspection, "" for none
	Failed   bool           `json:"failed,omitempty"`
	Overdue  bool           `json:"overdue,omitempty"`
}

// due is when a deployed device is to be inspected: after its last visit or, where there was none since it was
// deployed, after its deployment.
func (s *State) due(b *Binding) (at pos.Instant, last *Inspection) {
	last = s.inspected[b.Serial]
	if last == nil {
		return s.care.due(b.Site, b.Risk, b.From), nil
	}
	// A place that became riskier is due by its new class, though the visit said later.
	return min(last.Due, s.care.due(b.Site, b.Risk, last.At)), last
}

// Unseen are the deployed devices at which no cashier looked within the policy's time; Due is when one should have.
func (s *State) Unseen(now pos.Instant) []Due {
	var list []Due
	for _, b := range s.BindingsAt(now) {
		last, from := s.glanced[b.Terminal], b.From
		if last != nil && last.At > from {
			from = last.At
		}
		if due := from.Add(time.Duration(s.care.GlanceEvery)); due <= now {
			list = append(list, Due{Serial: b.Serial, Terminal: b.Terminal, Address: b.Address, Site: b.Site, Risk: b.Risk, Due: due, Overdue: true})
		}
	}
	return list
}

// DueBefore lists inspections that are due before an instant, deployed devices only; a device that failed is due now.
func (s *State) DueBefore(until, now pos.Instant) []Due {
	var list []Due
	for _, b := range s.BindingsAt(now) {
		at, last := s.due(b)
		d := Due{Serial: b.Serial, Terminal: b.Terminal, Address: b.Address, Site: b.Site, Risk: b.Risk, Due: at, Overdue: at <= now}
		if last != nil {
			d.Last, d.Failed = last.ID, !last.Passed
		}
		if d.Failed || at < until {
			list = append(list, d)
		}
	}
	return list
}
