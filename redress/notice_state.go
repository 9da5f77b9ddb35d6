package redress

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"touchstone/journal"
	"touchstone/pos"
)

// NounNotice is the noun of notices.
const NounNotice = "notice"

// noticeState is the part of the room that is about notices.
type noticeState struct {
	notices map[string]*Notice
	noticed int                        // the highest number of a notice
	due     map[string]*Notice         // those that are queued or being sent
	about   map[string]map[string]bool // incident to the notices about it
	made    map[noticeOf]string        // what is there and not superseded, to its id
}

// noticeOf is a purpose and what the notice was made of.
type noticeOf struct {
	noticePurpose
	basis string
}

func newNoticeState() noticeState {
	return noticeState{notices: map[string]*Notice{}, due: map[string]*Notice{}, about: map[string]map[string]bool{}, made: map[noticeOf]string{}}
}

func (s *noticeState) foldNotice(c journal.Change) error {
	number, err := strconv.Atoi(strings.TrimPrefix(c.ID, "NTC-"))
	if err != nil {
		return fmt.Errorf("%w %q: want NTC- and a number", ErrNotice, c.ID)
	}
	n := new(Notice)
	if err := json.Unmarshal(c.Record, n); err != nil {
		return err
	}
	s.notices[c.ID] = n
	s.noticed = max(s.noticed, number)
	delete(s.due, c.ID)
	if n.State == NoticeQueued || n.State == NoticeSending {
		s.due[c.ID] = n
	}
	if s.about[n.Incident] == nil {
		s.about[n.Incident] = map[string]bool{}
	}
	s.about[n.Incident][c.ID] = true
	if of := (noticeOf{purposeOf(n), n.Basis}); n.State != NoticeSuperseded {
		s.made[of] = c.ID
	} else if s.made[of] == c.ID {
		delete(s.made, of)
	}
	return nil
}

// Notice is a notice, nil when there is none. Records are shared: a change is made to a copy.
func (s *noticeState) Notice(id string) *Notice { return s.notices[id] }

// NextNotice is the number of the next notice to be drafted.
func (s *noticeState) NextNotice() int { return s.noticed + 1 }

// Notices lists the notices about an incident, or all when incident is "", the oldest first.
func (s *noticeState) Notices(incident string) []*Notice {
	var list []*Notice
	if incident == "" {
		for _, n := range s.notices {
			list = append(list, n)
		}
	}
	for id := range s.about[incident] {
		list = append(list, s.notices[id])
	}
	slices.SortFunc(list, byNumber)
	return list
}

// Interrupted lists the notices of which an attempt began and its end is not recorded. At a start these are attempts during
// which the program ended; later, those that are going on.
func (s *noticeState) Interrupted() (list []*Notice) {
	for _, n := range s.due {
		if n.State == NoticeSending {
			list = append(list, n)
		}
	}
	slices.SortFunc(list, byNumber)
	return list
}

// DueNotices lists up to most notices that are to be tried at now, those that wait longest first; next is when another
// will be due, 0 when none waits.
func (s *noticeState) DueNotices(now pos.Instant, most int) (list []*Notice, next pos.Instant) {
	for _, n := range s.due {
		if n.State == NoticeSending {
			continue
		}
		if n.Next <= now {
			list = append(list, n)
		} else if next == 0 || n.Next < next {
			next = n.Next
		}
	}
	slices.SortFunc(list, func(a, b *Notice) int { return cmp.Or(cmp.Compare(a.Next, b.Next), byNumber(a, b)) })
	return list[:min(len(list), most)], next
}

func byNumber(a, b *Notice) int {
	return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
}

// Drafts lists what of an incident is drafted and waits for two people.
func (s *noticeState) Drafts(incident string) (list []*Notice) {
	for _, n := range s.Notices(incident) {
		if n.State == NoticeDrafted {
			list = append(list, n)
		}
	}
	return list
}

// NoticeSet is the digest of what would be sent: people agree to these notices with this content, and to nothing that is
// drafted after. Those queued under proposal already count too, for an act that is carried out again after a crash.
func (s *noticeState) NoticeSet(incident, proposal string) string {
	h := sha256.New()
	for _, n := range s.Notices(incident) {
		if n.State == NoticeDrafted || proposal != "" && n.Proposal == proposal {
			fmt.Fprintf(h, "%s %s %s %s\n", n.ID, n.To.Channel, n.To.Address, n.Message)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// ProofOf is the proof that a notice was taken by its recipient, for a clock to cite.
func (s *noticeState) ProofOf(id string) (Proof, error) {
	n := s.notices[id]
	switch {
	case n == nil:
		return Proof{}, fmt.Errorf("%w %.20s: there is none", ErrNotice, id)
	case n.Proof == nil:
		return Proof{}, fmt.Errorf("%w %s is %s: nothing proves yet that its recipient has it", ErrNotice, id, n.State)
	}
	return *n.Proof, nil
}
