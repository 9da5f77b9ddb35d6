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

// passing are the files of a report that go when it is done: its contact and, where a consumer's report was dismissed and so
// is no part of any case, its photographs. Those of a case are its evidence and stay with it.
func (r *Report) passing() (digests []string) {
	if r.Contact != "" {
		digests = append(digests, r.Contact)
	}
	if r.State == Dismissed && r.From == FromConsumer {
		digests = append(digests, r.Photos...)
	}
	return digests
}

// PhotosLeft are the photographs that are still kept.
func (r *Report) PhotosLeft() []string {
	if r.Forgotten != 0 && r.State == Dismissed && r.From == FromConsumer {
		return nil
	}
	return r.Photos
}

// Forgettable lists the reports of which a file has served its purpose, the oldest first, at most MaxForgotten.
func (s *State) Forgettable(now pos.Instant) (list []*Report) {
	for _, r := range s.reports {
		if done := s.DoneAt(r); len(r.passing()) > 0 && r.Forgotten == 0 && done != 0 && now >= done.Add(ContactLife) {
			list = append(list, r)
		}
	}
	slices.SortFunc(list, func(a, b *Report) int { return cmp.Compare(numberOf(a.ID), numberOf(b.ID)) })
	return list[:min(len(list), MaxForgotten)]
}

// Forgotten lists the digests of files that are to be gone. A picture that another report has too stays.
func (s *State) Forgotten() (digests []string) {
	left := map[string]bool{}
	for _, r := range s.reports {
		for _, p := range r.PhotosLeft() {
			left[p] = true
		}
	}
	for _, r := range s.reports {
		if r.Forgotten != 0 {
			digests = append(digests, r.passing()...)
		}
	}
	return slices.DeleteFunc(digests, func(d string) bool { return left[d] })
}

// Forget is the decision that contacts, and photographs of what was no case, are deleted: by the host itself, when they have served their purpose. The files
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
