package incident

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"touchstone/journal"
)

// State is the room as the journal's acts made it. It is not safe for use at the same time.
type State struct {
	data *Data // of this release, with what was loaded since; nil when the release's own cannot be read

	incidents map[string]*Incident
	newest    map[string]uint64 // the entry that holds each incident's newest record
	opened    int               // the highest number given

	steps    map[string]map[int]*Step // by incident, number
	clocks   map[string][]*Clock      // by incident, in the order of their rules' names
	reports  map[string]*Report
	byNumber map[int]*Report
	filed    int
	waiting  int    // reports in the queue
	contact  string // the age recipient of contacts, "" none
}

// NewState is the room before any act. It panics when the data of this release is broken, which its tests exclude.
func NewState() *State {
	data, err := Builtin()
	if err != nil {
		panic("incident: " + err.Error())
	}
	return &State{data: data, incidents: map[string]*Incident{}, newest: map[string]uint64{}, steps: map[string]map[int]*Step{},
		clocks: map[string][]*Clock{}, reports: map[string]*Report{}, byNumber: map[int]*Report{}}
}

// Fold takes one noun's newest record. Nouns of a later version are left alone. Folding the same record again
// changes nothing.
func (s *State) Fold(seq uint64, c journal.Change) error {
	var err error
	switch c.Noun {
	case NounIncident:
		err = into(c, func(i *Incident) {
			s.incidents[c.ID], s.newest[c.ID] = i, seq
			s.opened = max(s.opened, numberOf(c.ID))
		})
	case NounStep:
		err = into(c, func(p *Step) {
			if s.steps[p.Incident] == nil {
				s.steps[p.Incident] = map[int]*Step{}
			}
			s.steps[p.Incident][p.Number] = p
		})
	case NounClock:
		err = into(c, s.foldClock)
	case NounReport:
		err = into(c, func(r *Report) {
			if old := s.reports[c.ID]; old != nil && old.State == Queued {
				s.waiting--
			}
			if r.State == Queued {
				s.waiting++
			}
			s.reports[c.ID], s.byNumber[numberOf(c.ID)] = r, r
			s.filed = max(s.filed, numberOf(c.ID))
		})
	case NounRule:
		err = into(c, func(r *Rule) { s.data.Rules = replace(s.data.Rules, *r, func(o *Rule) bool { return o.ID == r.ID }) })
	case NounDuty:
		err = into(c, func(r *ClockRule) {
			s.data.Clocks = replace(s.data.Clocks, *r, func(o *ClockRule) bool { return o.ID == r.ID })
		})
	case NounOperator:
		err = into(c, func(words *[]string) { s.data.Operator = *words })
	case NounContact:
		err = into(c, func(recipient *string) { s.contact = *recipient })
	}
	if err != nil {
		return fmt.Errorf("entry %d: %w", seq, err)
	}
	return nil
}

func into[T any](c journal.Change, f func(*T)) error {
	record := new(T)
	if err := json.Unmarshal(c.Record, record); err != nil {
		return fmt.Errorf("%s %s: %w", c.Noun, c.ID, err)
	}
	f(record)
	return nil
}

func replace[T any](list []T, item T, same func(*T) bool) []T {
	for i := range list {
		if same(&list[i]) {
			list = slices.Clone(list)
			list[i] = item
			return list
		}
	}
	return append(slices.Clone(list), item)
}

func (s *State) foldClock(c *Clock) {
	list := s.clocks[c.Incident]
	for i, old := range list {
		if old.ID == c.ID {
			list[i] = c
			return
		}
	}
	list = append(list, c)
	slices.SortFunc(list, func(a, b *Clock) int { return strings.Compare(a.ID, b.ID) })
	s.clocks[c.Incident] = list
}

// numberOf is n of INC-n, INC-n-DRILL or RPT-n-suffix, 0 of anything else.
func numberOf(id string) int {
	parts := strings.SplitN(id, "-", 3)
	if len(parts) < 2 {
		return 0
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// Incident is one, or nil.
func (s *State) Incident(id string) *Incident { return s.incidents[id] }

// EntryOf is the journal entry that holds an incident's newest record, 0 when there is no such incident.
func (s *State) EntryOf(id string) uint64 { return s.newest[id] }

// Incidents are all, by their numbers.
func (s *State) Incidents() []*Incident {
	list := make([]*Incident, 0, len(s.incidents))
	for _, i := range s.incidents {
		list = append(list, i)
	}
	slices.SortFunc(list, func(a, b *Incident) int { return numberOf(a.ID) - numberOf(b.ID) })
	return list
}

// Timeline is what was done in one incident, in order.
func (s *State) Timeline(id string) []*Step {
	list := make([]*Step, 0, len(s.steps[id]))
	for _, p := range s.steps[id] {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *Step) int { return a.Number - b.Number })
	return list
}

// Clocks are the deadlines of one incident.
func (s *State) Clocks(id string) []*Clock { return slices.Clone(s.clocks[id]) }

// Report is one by its number, or nil.
func (s *State) Report(number string) *Report { return s.reports[number] }

// Reports are all, by their numbers.
func (s *State) Reports() []*Report {
	list := make([]*Report, 0, len(s.reports))
	for _, r := range s.reports {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *Report) int { return numberOf(a.ID) - numberOf(b.ID) })
	return list
}

// Data is what the room's rules read. The reader must not change it.
func (s *State) Data() *Data { return s.data }

// ContactKey is the age recipient to whom contacts of reporters are encrypted, "" when none is set.
func (s *State) ContactKey() string { return s.contact }
