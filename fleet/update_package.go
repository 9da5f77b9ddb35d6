package fleet

import (
	"fmt"
	"slices"

	"touchstone/journal"
	"touchstone/pos"
)

// NextReleases is what the list of releases becomes when one is published or changed: the same rules by which the host decides,
// for whoever signs elsewhere. list are the releases that are; the next is returned by model, the newest version first.
func NextReleases(list []Release, decide func(*State) ([]journal.Draft, error)) ([]*Release, error) {
	were := make([]*Release, len(list))
	for i, r := range list {
		r.ID = fmt.Sprintf("REL-%d", i+1) // metadata has none
		if err := r.prepare(); err != nil {
			return nil, err
		}
		were[i] = &r
	}
	trial, err := trialOf(were)
	if err != nil {
		return nil, err
	}
	drafts, err := decide(trial)
	if err == nil {
		err = trial.take(drafts)
	}
	if err != nil {
		return nil, err
	}
	return trial.Releases(), nil
}

// PublishSigned is two people's decision to take a list of releases that was signed elsewhere: what is new in it is published and what differs
// in state is changed, by the rules of Publish and SetRelease, and afterwards the list is exactly what was signed, or nothing is done.
// A list that is in force already asks for no entry.
func PublishSigned(s *State, signed []Release, why string, by []string, now pos.Instant) ([]journal.Draft, error) {
	refuse := func(err error) ([]journal.Draft, error) {
		return nil, &journal.Refusal{Kind: journal.KindFleet, Verb: "release_published", Actors: by, Why: err.Error(), Err: err}
	}
	if len(why) > MaxNotes {
		return refuse(fmt.Errorf("%w: a reason of %d bytes, the most is %d", ErrRelease, len(why), MaxNotes))
	}
	trial, err := trialOf(s.Releases())
	if err != nil {
		return refuse(err)
	}
	var all []journal.Draft
	take := func(drafts []journal.Draft, err error) error {
		all = append(all, drafts...)
		if err == nil {
			err = trial.take(drafts)
		}
		return err
	}
	fresh := slices.DeleteFunc(slices.Clone(signed), func(r Release) bool { return trial.Release(r.Model, r.Version) != nil })
	for i := range fresh {
		if err := fresh[i].check(); err != nil {
			return refuse(err)
		}
	}
	slices.SortFunc(fresh, func(a, b Release) int { return a.version.Compare(b.version) }) // a newer one makes the one before it supported
	for i := range fresh {
		if err := take(Publish(trial, &fresh[i], by, now)); err != nil {
			return nil, err
		}
	}
	for i := range signed {
		if err := take(restate(trial, &signed[i], why, by)); err != nil {
			return nil, err
		}
	}
	if err := trial.same(signed); err != nil {
		return refuse(err)
	}
	return all, nil
}

// restate changes the state of a release where it was signed with another.
func restate(s *State, signed *Release, why string, by []string) ([]journal.Draft, error) {
	old := s.Release(signed.Model, signed.Version)
	if old == nil || old.State == signed.State {
		return nil, nil
	}
	return SetRelease(s, ReleaseChange{Model: signed.Model, Version: signed.Version, State: signed.State, Why: why}, by)
}

// same refuses a list that is another than the state's in anything that is signed.
func (s *State) same(signed []Release) error {
	if len(signed) != len(s.releases) {
		return fmt.Errorf("%w: %d releases were signed, and the list would have %d", ErrRelease, len(signed), len(s.releases))
	}
	for _, x := range signed {
		r := s.Release(x.Model, x.Version)
		if r == nil || r.Target != x.Target || r.Digest != x.Digest || r.Length != x.Length || r.Hardware != x.Hardware || r.Notes != x.Notes || r.NotesZH != x.NotesZH || r.State != x.State || r.Version != x.Version {
			return fmt.Errorf("%w: %.60s %.20s was signed otherwise than the list would have it: sign what is in force now", ErrRelease, x.Model, x.Version)
		}
	}
	return nil
}

// trialOf is a state of these releases alone; their records are shared.
func trialOf(list []*Release) (*State, error) {
	s := NewState()
	for _, r := range list {
		if err := s.number("REL-", r.ID); err != nil {
			return nil, err
		}
		s.releases[r.ID] = r
		s.ofModel[r.Model] = append(s.ofModel[r.Model], r)
	}
	return s, nil
}

func (s *State) take(drafts []journal.Draft) error {
	for _, d := range drafts {
		for _, c := range d.Act.Changes {
			if err := s.Fold(0, c); err != nil {
				return err
			}
		}
	}
	return nil
}
