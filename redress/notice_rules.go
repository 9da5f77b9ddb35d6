package redress

import (
	"fmt"

	"touchstone/journal"
	"touchstone/pos"
)

// bytesAnAct bounds the records of one act, so that act and entry have room for the rest.
const bytesAnAct = journal.MaxEntry - 2<<10

// DraftNotices is the decision to record notices that were made. Their numbers follow on those that are there, so that two
// drafts at once cannot take one number: the later is told ErrNotice and makes its notices again. A draft to the same
// recipient for the same purpose takes the place of an earlier one that nobody agreed to yet.
func DraftNotices(s *State, list []Notice, by string, now pos.Instant) ([]journal.Draft, error) {
	if len(list) == 0 || len(list) > MaxNotices {
		return nil, fmt.Errorf("%w: %d to draft, want 1 to %d", ErrNotice, len(list), MaxNotices)
	}
	var changed []*Notice
	waiting := map[string]map[noticePurpose]*Notice{} // drafts that nobody agreed to yet, by incident
	for i := range list {
		n := list[i]
		if want := fmt.Sprintf("NTC-%d", s.NextNotice()+i); n.ID != want {
			return nil, fmt.Errorf("%w %.20s: the next number is %s", ErrNotice, n.ID, want)
		}
		if err := n.Check(); err != nil {
			return nil, err
		}
		if waiting[n.Incident] == nil {
			waiting[n.Incident] = map[noticePurpose]*Notice{}
			for _, old := range s.Drafts(n.Incident) {
				waiting[n.Incident][purposeOf(old)] = old
			}
		}
		if old := waiting[n.Incident][purposeOf(&n)]; old != nil {
			replaced := *old
			replaced.State = NoticeSuperseded
			changed = append(changed, &replaced)
			delete(waiting[n.Incident], purposeOf(&n))
		}
		n.State, n.Drafted, n.Attempts, n.Proof, n.By = NoticeDrafted, now, nil, nil, nil
		changed = append(changed, &n)
	}
	return noticeDrafts("notices_drafted", []string{by}, "", changed)
}

// noticePurpose is what two notices have in common of which the later takes the place of the earlier: incident, recipient, way, and
// what it is for.
type noticePurpose struct {
	incident string
	kind     NoticeKind
	to       NoticeTo
}

func purposeOf(n *Notice) noticePurpose { return noticePurpose{n.Incident, n.Kind, n.To} }

// NoticeMade tells whether a notice of this basis is there already and was not superseded.
func (s *noticeState) NoticeMade(incident string, kind NoticeKind, to NoticeTo, basis string) bool {
	return s.made[noticeOf{noticePurpose{incident, kind, to}, basis}] != ""
}

// QueueNotices is the decision of two people to send what is drafted about an incident. set is what they saw
// (NoticeSet); when something else is drafted by now, nothing is sent. What is queued already stays as it is, so an act
// that is carried out again after a crash changes nothing twice.
func QueueNotices(s *State, incident, set string, actors []string, proposal string, now pos.Instant) ([]journal.Draft, error) {
	refuse := func(why string) error {
		return &journal.Refusal{Kind: journal.KindRedress, Verb: "notices_queued", Actors: actors, Why: why, Err: ErrNotice}
	}
	if len(actors) < 2 {
		return nil, refuse("notices leave only when two people agree")
	}
	again := false
	for _, n := range s.Notices(incident) {
		again = again || proposal != "" && n.Proposal == proposal
	}
	list := s.Drafts(incident)
	switch {
	case len(list) == 0 && again:
		return nil, nil // all of it was done before the crash
	case len(list) == 0:
		return nil, refuse("nothing about " + incident + " is drafted: touchstone notice draft makes it")
	case s.NoticeSet(incident, proposal) != set:
		return nil, refuse("what is drafted about " + incident + " is no longer what was agreed to: look at it and send it again")
	}
	var changed []*Notice
	for _, old := range list {
		n := *old
		n.State, n.By, n.Proposal, n.Queued, n.Next = NoticeQueued, actors, proposal, now, now
		changed = append(changed, &n)
	}
	return noticeDrafts("notices_queued", actors, proposal, changed)
}

// sender is the actor of what the outbox does by itself.
const sender = "rule:outbox"

// BeginAttempt is the decision to try a notice now. It is recorded before anything leaves.
func BeginAttempt(s *State, id string, now pos.Instant) ([]journal.Draft, error) {
	old := s.Notice(id)
	if old == nil || old.State != NoticeQueued || old.Next > now {
		return nil, fmt.Errorf("%w %.20s is not due", ErrNotice, id)
	}
	n := *old
	n.State = NoticeSending
	n.Tries++
	last := 0
	if k := len(old.Attempts); k > 0 {
		last = old.Attempts[k-1].N
	}
	n.Attempts = append(append([]Attempt{}, old.Attempts...), Attempt{N: last + 1, Began: now})
	if over := len(n.Attempts) - MaxAttemptsKept; over > 0 {
		n.Attempts = n.Attempts[over:]
	}
	return noticeDrafts("notice_attempted", []string{sender}, "", []*Notice{&n})
}

// EndAttempt is the decision on what follows from an attempt's end. resend tells whether the other side knows a
// second of the same key from the first, so that one whose fate is unknown may go again.
func EndAttempt(s *State, id string, end Attempt, resend bool, p NoticePolicy, now pos.Instant) ([]journal.Draft, error) {
	old := s.Notice(id)
	if old == nil || old.State != NoticeSending || len(old.Attempts) == 0 {
		return nil, fmt.Errorf("%w %.20s is not being sent", ErrNotice, id)
	}
	n := *old
	n.Attempts = append([]Attempt{}, old.Attempts...)
	a := &n.Attempts[len(n.Attempts)-1]
	a.Ended, a.Result, a.Code, a.Text, a.Reference, a.Talk = now, end.Result, end.Code, clip(end.Text, MaxAttemptText), clip(end.Reference, MaxReference), end.Talk
	verb := "notice_not_sent"
	switch {
	case a.Result == Accepted:
		n.State, n.Next, n.Proof, verb = NoticeSent, 0, n.prove(*a), "notice_sent"
	case a.Result == Refused:
		n.State, n.Next, verb = NoticeFailed, 0, "notice_failed"
	case a.Result != RefusedNow && a.Result != Unreachable && !resend:
		a.Result = Doubtful
		n.State, n.Next, verb = NoticeInDoubt, 0, "notice_in_doubt"
	case n.Tries >= min(p.Attempts, MaxAttempts):
		n.State, n.Next, verb = NoticeGivenUp, 0, "notice_given_up"
	default:
		if a.Result == "" {
			a.Result = Doubtful
		}
		n.State, n.Next = NoticeQueued, now.Add(p.wait(n.Tries))
	}
	return noticeDrafts(verb, []string{sender}, "", []*Notice{&n})
}

// Cut is the end of an attempt during which the program ended: nobody knows whether it was handed over.
func Cut() Attempt {
	return Attempt{Result: Doubtful, Text: "the program ended during the attempt: whether it was handed over is not known"}
}

// RetryNotice is a person's decision to try again what failed, was given up or is in doubt, or to try at once what
// waits. It keeps its key, so a recipient that has it already knows it. An empty list of what to do is a refusal.
func RetryNotice(s *State, ids []string, by string, now pos.Instant) ([]journal.Draft, error) {
	var changed []*Notice
	for _, id := range ids {
		old := s.Notice(id)
		if old == nil {
			return nil, fmt.Errorf("%w %.20s: there is none", ErrNotice, id)
		}
		switch old.State {
		case NoticeFailed, NoticeGivenUp, NoticeInDoubt, NoticeQueued:
			n := *old
			n.State, n.Next, n.Tries = NoticeQueued, now, 0
			changed = append(changed, &n)
		default:
			return nil, &journal.Refusal{Kind: journal.KindRedress, Verb: "notice_retried", Actors: []string{by},
				Why: fmt.Sprintf("notice %s is %s: only what failed, was given up, waits or is in doubt is tried again", id, old.State), Err: ErrNotice}
		}
	}
	if len(changed) == 0 {
		return nil, fmt.Errorf("%w: nothing failed, was given up or is in doubt", ErrNotice)
	}
	return noticeDrafts("notice_retried", []string{by}, "", changed)
}

// noticeDrafts writes records into as few acts as hold them.
func noticeDrafts(verb string, actors []string, proposal string, list []*Notice) (drafts []journal.Draft, err error) {
	size := bytesAnAct
	for _, n := range list {
		c, err := journal.NewChange(NounNotice, n.ID, n)
		if err != nil {
			return nil, err
		}
		if size += len(c.Record); size > bytesAnAct {
			drafts = append(drafts, journal.Draft{Kind: journal.KindRedress, Act: journal.Act{Verb: verb, Actors: actors, Proposal: proposal}})
			size = len(c.Record)
		}
		act := &drafts[len(drafts)-1].Act
		act.Changes = append(act.Changes, c)
	}
	return drafts, nil
}
