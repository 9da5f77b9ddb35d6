package lab

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"touchstone/journal"
)

// State is the room as the journal's acts made it. It is not safe for use at the same time. Records are shared:
// a change is made to a copy.
type State struct {
	keys         map[string]*Key // by account
	scopes       map[string]*Scope
	runs         map[string]*Run
	observations map[string]*Observation // by evidence id
	findings     map[string]*Finding
	certificates map[string]*Certificate
	byModel      map[string]map[string]bool // ids of certificates of a model
	count        map[string]int             // the highest number of each prefix
}

// NewState is the room before any act.
func NewState() *State {
	return &State{keys: map[string]*Key{}, scopes: map[string]*Scope{}, runs: map[string]*Run{}, observations: map[string]*Observation{},
		findings: map[string]*Finding{}, certificates: map[string]*Certificate{}, byModel: map[string]map[string]bool{}, count: map[string]int{}}
}

// Fold takes one noun's newest record. Nouns of a later version are left alone. Folding the same record again
// changes nothing.
func (s *State) Fold(seq uint64, c journal.Change) error {
	switch c.Noun {
	case NounKey:
		_, err := keep(s.keys, c)
		return err
	case NounScope:
		_, err := keep(s.scopes, c)
		return s.counted("SCP-", c.ID, err)
	case NounRun:
		r, err := keep(s.runs, c)
		r.Seq = seq
		return s.counted("RUN-", c.ID, err)
	case NounObservation:
		o, err := keep(s.observations, c)
		o.Seq = seq
		return err
	case NounFinding:
		f, err := keep(s.findings, c)
		f.Seq = seq
		return s.counted("FND-", c.ID, err)
	case NounCertificate:
		x, err := keep(s.certificates, c)
		if x.Seq = seq; err == nil {
			if s.byModel[x.Subject.Model] == nil {
				s.byModel[x.Subject.Model] = map[string]bool{}
			}
			s.byModel[x.Subject.Model][c.ID] = true
		}
		return s.counted("CRT-", c.ID, err)
	}
	return nil
}

func keep[T any](all map[string]*T, c journal.Change) (*T, error) {
	record := new(T)
	if err := json.Unmarshal(c.Record, record); err != nil {
		return record, fmt.Errorf("%w: %s %.40s", ErrLab, c.Noun, c.ID)
	}
	all[c.ID] = record
	return record, nil
}

func (s *State) counted(prefix, id string, err error) error {
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(strings.TrimPrefix(id, prefix))
	if err != nil || !strings.HasPrefix(id, prefix) {
		return fmt.Errorf("%w: id %.40q, want %s and a number", ErrLab, id, prefix)
	}
	s.count[prefix] = max(s.count[prefix], n)
	return nil
}

func (s *State) next(prefix string) string { return fmt.Sprintf("%s%d", prefix, s.count[prefix]+1) }

// Key is an account's signing key, nil when it has none.
func (s *State) Key(account string) *Key { return s.keys[account] }

// Keys lists every signing key by account.
func (s *State) Keys() []*Key { return sorted(s.keys) }

// Scope is a scope, nil when there is none.
func (s *State) Scope(id string) *Scope { return s.scopes[id] }

// Run is a run, nil when there is none.
func (s *State) Run(id string) *Run { return s.runs[id] }

// Runs lists every run, the oldest first.
func (s *State) Runs() []*Run { return sorted(s.runs) }

// Observation is the newest result of a requirement in a run, nil when there is none.
func (s *State) Observation(run, requirement string) *Observation {
	return s.observations[run+"/"+requirement]
}

// Observations lists the results of a run by requirement.
func (s *State) Observations(run string) []*Observation {
	return slices.DeleteFunc(sorted(s.observations), func(o *Observation) bool { return o.Run != run })
}

// Finding is a finding, nil when there is none.
func (s *State) Finding(id string) *Finding { return s.findings[id] }

// Findings lists the findings of a run, of every run for "", the oldest first.
func (s *State) Findings(run string) []*Finding {
	return slices.DeleteFunc(sorted(s.findings), func(f *Finding) bool { return run != "" && f.Run != run })
}

// Certificate is a certificate, nil when there is none.
func (s *State) Certificate(id string) *Certificate { return s.certificates[id] }

// Certificates lists every certificate, the oldest first.
func (s *State) Certificates() []*Certificate { return sorted(s.certificates) }

// sorted lists records by id, a shorter one first, so that RUN-9 comes before RUN-10.
func sorted[T any](all map[string]*T) []*T {
	ids := slices.SortedFunc(maps.Keys(all), func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	list := make([]*T, len(ids))
	for i, id := range ids {
		list[i] = all[id]
	}
	return list
}

func draft(verb string, actors []string, proposal string, changes ...journal.Change) []journal.Draft {
	return []journal.Draft{{Kind: journal.KindLab, Act: journal.Act{Verb: verb, Actors: actors, Proposal: proposal, Changes: changes}}}
}

// record makes one change; a record of ours is always JSON.
func record(noun, id string, r any) (journal.Change, error) { return journal.NewChange(noun, id, r) }

func refuse(verb string, actors []string, format string, a ...any) error {
	return &journal.Refusal{Kind: journal.KindLab, Verb: verb, Actors: actors, Why: fmt.Sprintf(format, a...), Err: ErrLab}
}

// Scopes lists every scope, the oldest first.
func (s *State) Scopes() []*Scope { return sorted(s.scopes) }
