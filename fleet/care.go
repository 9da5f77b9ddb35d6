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

// LifeState is where a device is in its life.
type LifeState string

// The states. Only Deployed may sell; Retired and Destroyed are final (POSC-KM-15).
const (
	Announced   LifeState = "announced"   // its maker says that it is under way
	Quarantined LifeState = "quarantined" // something is wrong with it: it goes to repair, or ends
	Received    LifeState = "received"    // checked against what its maker announced; in stock
	Deployed    LifeState = "deployed"    // bound to a terminal by its five elements
	InRepair    LifeState = "in_repair"
	Returned    LifeState = "returned" // back from a shop or from repair; in stock
	Retired     LifeState = "retired"
	Destroyed   LifeState = "destroyed"
)

// Life is one device from its maker's announcement to its destruction. Its newest record is its state.
type Life struct {
	Serial   pos.Serial     `json:"serial"`
	Model    string         `json:"model,omitempty"`
	Hardware string         `json:"hardware,omitempty"` // hardware version as announced
	Maker    string         `json:"maker,omitempty"`
	Seal     string         `json:"seal,omitempty"`     // number of the seal it must bear now
	Source   string         `json:"source,omitempty"`   // who sends it
	Shipment string         `json:"shipment,omitempty"` // waybill
	ByMaker  bool           `json:"announced_by_maker,omitempty"`
	State    LifeState      `json:"state"`
	Since    pos.Instant    `json:"since"`
	Why      string         `json:"why,omitempty"`  // of a quarantine, a repair, an end
	Lost     bool           `json:"lost,omitempty"` // reported lost or stolen, and not seen since
	Terminal pos.TerminalID `json:"terminal,omitzero"`
	Binding  string         `json:"binding,omitempty"`  // the five elements in force, BND-n
	Proposal string         `json:"proposal,omitempty"` // the one that the last step carried out
	Steps    []Step         `json:"steps"`              // the newest last, at most MaxSteps; the journal has all

	Entry uint64 `json:"-"` // the journal entry of this record
}

// Step is one thing that was done to a device.
type Step struct {
	Verb string      `json:"verb"`
	At   pos.Instant `json:"at"`
	By   []string    `json:"by"`
	Note string      `json:"note,omitempty"`
}

// The nouns of this part of the room.
const (
	NounDevice     = "device"     // Life, by serial number
	NounBinding    = "binding"    // Binding, BND-n
	NounInspection = "inspection" // Inspection, INS-n
	NounGlance     = "glance"     // Glance, GLN-n
	NounHealth     = "health"     // Health, by serial number
)

// Bounds of the records.
const (
	MaxSteps   = 12
	MaxCareWas = 200 // bytes of one text of a person
	maxStep    = 80  // bytes of it in a step
)

// careState is devices and how they are looked after. The maps hold the newest record of each.
type careState struct {
	care        CarePolicy
	checklist   *Checklist
	lives       map[pos.Serial]*Life
	bindings    map[string]*Binding
	history     map[pos.Serial][]*Binding // every binding of a device, the oldest first
	bound       map[pos.TerminalID]*Binding
	latest      map[pos.TerminalID]*Binding // the newest of each terminal, in force or not
	inspections map[string]*Inspection
	inspected   map[pos.Serial]*Inspection // the newest of each device
	visits      map[pos.Serial][]string    // ids of the inspections of each device
	photographs map[string]string          // digest to the inspection that has it
	glances     map[string]*Glance
	glanced     map[pos.TerminalID]*Glance // the newest of each terminal
	health      map[pos.Serial]*Health
	counts      map[string]int // the highest number of BND, INS and GLN
}

func newCareState() careState {
	return careState{care: DefaultCarePolicy(), checklist: DefaultChecklist(), lives: map[pos.Serial]*Life{}, bindings: map[string]*Binding{}, history: map[pos.Serial][]*Binding{},
		bound: map[pos.TerminalID]*Binding{}, latest: map[pos.TerminalID]*Binding{}, inspections: map[string]*Inspection{}, inspected: map[pos.Serial]*Inspection{}, photographs: map[string]string{}, visits: map[pos.Serial][]string{},
		glances: map[string]*Glance{}, glanced: map[pos.TerminalID]*Glance{}, health: map[pos.Serial]*Health{}, counts: map[string]int{}}
}

// foldCare takes one noun's newest record. The older record of a pair may come last at a start: it is told by
// its number or its time.
func (s *careState) foldCare(seq uint64, c journal.Change) error {
	switch c.Noun {
	case NounDevice:
		return foldInto(c, func(l *Life) {
			if old := s.lives[l.Serial]; old == nil || old.Entry <= seq {
				l.Entry = seq
				s.lives[l.Serial] = l
			}
		})
	case NounBinding:
		return foldInto(c, func(b *Binding) { s.foldBinding(seq, c.ID, b) })
	case NounInspection:
		return foldInto(c, func(i *Inspection) {
			s.count("INS", c.ID)
			i.Entry = seq
			if s.inspections[c.ID] == nil {
				s.visits[i.Serial] = append(s.visits[i.Serial], c.ID)
			}
			s.inspections[c.ID] = i
			if last := s.inspected[i.Serial]; last == nil || last.Entry <= seq {
				s.inspected[i.Serial] = i
			}
			for _, p := range i.Photographs {
				s.photographs[p.Digest] = c.ID
			}
		})
	case NounGlance:
		return foldInto(c, func(g *Glance) {
			s.count("GLN", c.ID)
			g.Entry = seq
			s.glances[c.ID] = g
			if last := s.glanced[g.Terminal]; last == nil || last.Entry <= seq {
				s.glanced[g.Terminal] = g
			}
		})
	case NounHealth:
		return foldInto(c, func(h *Health) {
			if old := s.health[h.Serial]; old == nil || old.Entry <= seq {
				h.Entry = seq
				s.health[h.Serial] = h
			}
		})
	}
	return nil
}

func foldInto[T any](c journal.Change, keep func(*T)) error {
	record := new(T)
	if err := json.Unmarshal(c.Record, record); err != nil {
		return err
	}
	keep(record)
	return nil
}

func (s *careState) foldBinding(seq uint64, id string, b *Binding) {
	if old := s.bindings[id]; old != nil && old.Entry > seq {
		return
	}
	s.count("BND", id)
	b.ID, b.Entry = id, seq
	s.bindings[id] = b
	list := s.history[b.Serial]
	if i := slices.IndexFunc(list, func(x *Binding) bool { return x.ID == id }); i >= 0 {
		list[i] = b
	} else {
		list = append(list, b)
	}
	slices.SortStableFunc(list, func(x, y *Binding) int { return cmp.Compare(x.From, y.From) })
	s.history[b.Serial] = list
	if last := s.latest[b.Terminal]; last == nil || last.ID == id || last.From <= b.From {
		s.latest[b.Terminal] = b
	}
	switch now := s.bound[b.Terminal]; {
	case b.Until == 0:
		s.bound[b.Terminal] = b
	case now != nil && now.ID == id:
		delete(s.bound, b.Terminal)
	}
}

// count notes the number of an id such as INS-12.
func (s *careState) count(prefix, id string) {
	number, numbered := strings.CutPrefix(id, prefix+"-")
	if n, err := strconv.Atoi(number); numbered && err == nil {
		s.counts[prefix] = max(s.counts[prefix], n)
	}
}

func (s *careState) nextCare(prefix string) string {
	return fmt.Sprintf("%s-%d", prefix, s.counts[prefix]+1)
}

// SetCarePolicy replaces the policy that devices are looked after by; it is set once, before acts.
func (s *State) SetCarePolicy(p CarePolicy) { s.care = p }

// SetChecklist replaces the checklist of inspections; it is set once, before acts.
func (s *State) SetChecklist(c *Checklist) { s.checklist = c }

// Checklist is the checklist in force. It is shared and not changed.
func (s *State) Checklist() *Checklist { return s.checklist }

// CarePolicy is the policy in force.
func (s *State) CarePolicy() CarePolicy { return s.care }

// Life is what is known of a device's life, nil when it has none. Records are shared: a change is made to a copy.
func (s *State) Life(serial pos.Serial) *Life { return s.lives[serial] }

// Lives lists every device that has a life record, by serial number.
func (s *State) Lives() []*Life {
	return listed(s.lives, func(a, b *Life) int { return cmp.Compare(a.Serial, b.Serial) })
}

// Inspection is one inspection, nil when there is none of that number.
func (s *State) Inspection(id string) *Inspection { return s.inspections[id] }

// LastInspection is the newest of a device, or nil.
func (s *State) LastInspection(serial pos.Serial) *Inspection { return s.inspected[serial] }

// Inspections lists every inspection, the oldest first.
func (s *State) Inspections() []*Inspection {
	return listed(s.inspections, func(a, b *Inspection) int { return cmp.Compare(a.Entry, b.Entry) })
}

// Glances lists every report of a cashier, the oldest first; wrong alone lists those that found something.
func (s *State) Glances(wrong bool) []*Glance {
	all := listed(s.glances, func(a, b *Glance) int { return cmp.Compare(a.Entry, b.Entry) })
	if wrong {
		all = slices.DeleteFunc(all, func(g *Glance) bool { return g.Wrong == "" })
	}
	return all
}

// LastGlance is the newest of a terminal, or nil.
func (s *State) LastGlance(id pos.TerminalID) *Glance { return s.glanced[id] }

// LastHealth is a device's newest health report, or nil.
func (s *State) LastHealth(serial pos.Serial) *Health { return s.health[serial] }

func listed[K comparable, T any](all map[K]*T, order func(a, b *T) int) []*T {
	list := make([]*T, 0, len(all))
	for _, r := range all {
		list = append(list, r)
	}
	slices.SortFunc(list, order)
	return list
}

// DeviceState is what a device's life makes of its state in the register: only a deployed device may sell. A
// tampered one stays tampered: two people with a new master key release it.
func (l *Life) DeviceState(was registry.DeviceState) registry.DeviceState {
	switch {
	case was == registry.TamperedBy:
		return was
	case l.State == Deployed:
		return registry.Active
	}
	return registry.Suspended
}

// Final tells whether a device can never come back.
func (l *Life) Final() bool { return l.State == Retired || l.State == Destroyed }

// LivesIn are the life records that drafts change, for whoever carries their effect into the register.
func LivesIn(drafts []journal.Draft) ([]*Life, error) {
	var list []*Life
	for _, d := range drafts {
		for _, c := range d.Act.Changes {
			if c.Noun != NounDevice {
				continue
			}
			l := new(Life)
			if err := json.Unmarshal(c.Record, l); err != nil {
				return nil, err
			}
			list = append(list, l)
		}
	}
	return list, nil
}
