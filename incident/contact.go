package incident

import (
	"cmp"
	"slices"
	"time"

	"touchstone/journal"
	"touchstone/pos"
)

// ContactLife is how long a contact outlives its case: whoever called back has had the time to do so.
const ContactLife = 30 * 24 * time.Hour

// MaxForgotten is how many contacts one act forgets: it stays one entry.
const MaxForgotten = 20

// DoneAt is when nothing is left to do about a report: when it was dismissed, or when the incident that it became part
// of was closed. 0 while there is.
func (s *State) DoneAt(r *Report) pos.Instant {
	switch r.State {
	case Dismissed:
		return r.DecidedAt
	case Taken:
		if i := s.incidents[r.Incident]; i != nil && i.State == Closed {
			return max(i.ClosedAt, r.DecidedAt)
		}
	}
	return 0
}

// Forgettable lists the reports whose contact has served its purpose, the oldest first, at most MaxForgotten.
func (s *State) Forgettable(now pos.Instant) (list []*Report) {
	for _, r := range s.reports {
		if done := s.DoneAt(r); r.Contact != "" && r.Forgotten == 0 && done != 0 && now >= done.Add(ContactLife) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b *Report) int { return cmp.Compare(numberOf(a.ID), numberOf(b.ID)) })
	return list[:min(len(list), MaxForgotten)]
}

// Forgotten lists the digests of contacts that are to be gone.
func (s *State) Forgotten() (digests []string) {
	for _, r := range s.reports {
		if r.Forgotten != 0 && r.Contact != "" {
			digests = append(digests, r.Contact)
		}
	}
	return digests
}

// Forget is the decision that contacts are deleted: by the host itself, when they have served their purpose. The files
// go after the act is durable, and again at every start.
func Forget(s *State, now pos.Instant) ([]journal.Draft, error) {
	list := s.Forgettable(now)
	if len(list) == 0 {
		return nil, nil
	}
	a := &acting{verb: "contacts_forgotten", by: By{Actors: []string{"host"}}}
	for _, old := range list {
		r := *old
		r.Forgotten = now
		a.put(NounReport, r.ID, &r)
	}
	return a.drafts()
}

// Waiting is how many reports nobody has looked at.
func (s *State) Waiting() int { return s.waiting }

// ReportNumbered is the report of a number without its unguessable end, nil when there is none.
func (s *State) ReportNumbered(n int) *Report { return s.byNumber[n] }
