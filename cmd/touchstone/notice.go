package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"

	"touchstone/incident"
	"touchstone/journal"
	"touchstone/notify"
	"touchstone/pos"
	"touchstone/redress"
)

// noticeDraftChange asks for the notices of an incident.
type noticeDraftChange struct {
	Incident string        `json:"incident"`
	Kinds    []string      `json:"kinds,omitempty"`    // of information; see notify.InformationKinds
	Measures []notify.Text `json:"measures,omitempty"` // beside the actions of the incident
	Cause    notify.Text   `json:"cause"`              // in other words than the incident's
}

// noticeSendChange asks that what is drafted be sent. Set is the digest of what was looked at.
type noticeSendChange struct {
	Incident string `json:"incident"`
	Set      string `json:"set"`
}

// noticeRetryChange asks that notices be tried again.
type noticeRetryChange struct {
	IDs      []string `json:"ids,omitempty"`
	Incident string   `json:"incident,omitempty"` // all of it that failed, was given up or is in doubt
}

// defaultKinds is what a terminal that reads a card has in its hands.
var defaultKinds = []string{"card_number", "expiry", "track", "receipt"}

// draftTries is how often a draft is made anew because another took its numbers.
const draftTries = 3

// draftNotices makes the notices of an incident that are not made yet.
func (e *engine) draftNotices(ctx context.Context, c *noticeDraftChange, by []string) (changed, error) {
	told, err := e.draft(ctx, c, by[0])
	for try := 1; errors.Is(err, errNumbers) && try < draftTries; try++ {
		told, err = e.draft(ctx, c, by[0])
	}
	var refused *journal.Refusal
	if err == nil || errors.As(err, &refused) {
		return told, err
	}
	return changed{}, e.act(ctx, func(*rooms, pos.Instant) ([]journal.Draft, error) {
		return nil, &journal.Refusal{Kind: journal.KindRedress, Verb: "notices_drafted", Actors: by[:1], Why: err.Error(), Err: err}
	})
}

// errNumbers tells that another draft took the numbers.
var errNumbers = errors.New("another draft was made at the same time")

func (e *engine) draft(ctx context.Context, c *noticeDraftChange, by string) (changed, error) {
	if e.notices == nil {
		return changed{}, e.noticesErr
	}
	if len(c.Kinds) == 0 {
		c.Kinds = defaultKinds
	}
	for _, k := range c.Kinds {
		if !slices.Contains(notify.InformationKinds(), k) {
			return changed{}, fmt.Errorf("information %.20q: want some of %s", k, strings.Join(notify.InformationKinds(), ", "))
		}
	}
	source := e.noticeFacts
	if e.noticeSource != nil {
		source = e.noticeSource
	}
	facts, err := source(ctx, c)
	if err != nil {
		return changed{}, err
	}
	plan, missed := e.notices.Plan(facts)
	made, next, err := e.makeNotices(plan, facts.Incident)
	if err != nil {
		return changed{}, err
	}
	told := changed{What: fmt.Sprintf("drafted %d notices about %s", len(made), facts.Incident), Facts: map[string]string{"drafted": fmt.Sprint(len(made))}}
	for _, u := range missed {
		told.What += fmt.Sprintf("\nnobody is told of %d sales of %s: the address book does not know it", u.Sales, u.What)
	}
	if len(made) == 0 {
		if len(plan) == 0 {
			return changed{}, fmt.Errorf("nobody in the address book is to be told of %s", facts.Incident)
		}
		told.What = fmt.Sprintf("all %d notices about %s are made already", len(plan), facts.Incident)
		return told, nil
	}
	told.Facts["first"], told.Facts["last"] = made[0].ID, made[len(made)-1].ID
	return told, e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		if r.redress.NextNotice() != next {
			return nil, errNumbers
		}
		return redress.DraftNotices(r.redress, made, by, now)
	})
}

// makeNotices writes those of a plan that are not there yet, and keeps their bytes.
func (e *engine) makeNotices(plan []notify.Planned, incident string) (list []redress.Notice, next int, err error) {
	var todo []notify.Planned
	e.office.view(func(r *rooms) {
		next = r.redress.NextNotice()
		for _, p := range plan {
			if !r.redress.NoticeMade(incident, p.Kind, p.To, p.Basis) {
				todo = append(todo, p)
			}
		}
	})
	maker := e.notices.Maker()
	for i := range todo {
		n := redress.Notice{ID: fmt.Sprintf("NTC-%d", next+i), Incident: incident, Kind: todo[i].Kind, To: todo[i].To, Drill: todo[i].Drill,
			Basis: todo[i].Basis, Exposed: todo[i].Exposed()}
		if n.Key, err = e.noticeKey(n.ID); err != nil {
			return nil, 0, err
		}
		m, err := maker.Make(&todo[i], n.ID, n.Key)
		if err != nil {
			return nil, 0, fmt.Errorf("%s to %s: %w", n.Kind, n.To.Name, err)
		}
		n.Subject = m.Subject
		if n.Message, err = e.keepFile(m.Message); err != nil {
			return nil, 0, err
		}
		for _, a := range m.Contents {
			digest, err := e.keepFile(a.Content)
			if err != nil {
				return nil, 0, err
			}
			n.Contents = append(n.Contents, redress.NoticeContent{Name: a.Name, Type: a.Type, Digest: digest, Bytes: len(a.Content)})
		}
		list = append(list, n)
	}
	return list, next, nil
}

// noticeKey is a Message-ID (RFC 5322, 3.6.4) that no other notice has, of this or of another data directory.
func (e *engine) noticeKey(id string) (string, error) {
	raw := make([]byte, 8)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	domain := "touchstone.invalid"
	if from, err := mail.ParseAddress(e.notices.SMTP.From); err == nil {
		domain = from.Address[strings.LastIndexByte(from.Address, '@')+1:]
	}
	return fmt.Sprintf("%s.%s@%s", strings.ToLower(id), hex.EncodeToString(raw), domain), nil
}

// sendNotices queues what two people agreed to.
func (e *engine) sendNotices(ctx context.Context, c *noticeSendChange, by []string, proposal string) (changed, error) {
	if e.notices == nil {
		return changed{}, e.noticesErr
	}
	count := 0
	err := e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		count = len(r.redress.Drafts(c.Incident))
		return redress.QueueNotices(r.redress, c.Incident, c.Set, by, proposal, now)
	})
	if err != nil {
		return changed{}, err
	}
	e.wakeOutbox()
	told := changed{What: fmt.Sprintf("%d notices about %s are to be sent", count, c.Incident), ZH: fmt.Sprintf("%s 的 %d 份通知待发送", c.Incident, count), Facts: map[string]string{"queued": fmt.Sprint(count)}}
	if !e.sending.Load() {
		told.What += "; they leave when a host runs on this directory: touchstone serve"
		told.ZH += "; 本目录的主机 (touchstone serve) 运行时发出"
		told.Facts["waits"] = "host"
	}
	return told, nil
}

// retryNotices tries again.
func (e *engine) retryNotices(ctx context.Context, c *noticeRetryChange, by []string) (changed, error) {
	ids := c.IDs
	err := e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		if len(ids) == 0 {
			for _, n := range r.redress.Notices(c.Incident) {
				if n.State == redress.NoticeFailed || n.State == redress.NoticeGivenUp || n.State == redress.NoticeInDoubt {
					ids = append(ids, n.ID)
				}
			}
		}
		return redress.RetryNotice(r.redress, ids, by[0], now)
	})
	if err != nil {
		return changed{}, err
	}
	e.wakeOutbox()
	return changed{What: "to be tried again: " + strings.Join(ids, ", ")}, nil
}

// noticeSent is when the notice was taken that a clock is answered with. One that nobody took proves nothing, and one of
// another incident nothing of this.
func noticeSent(r *rooms, c *incidentChange, by incident.By) (pos.Instant, error) {
	if c.Notice == "" {
		return c.At, nil
	}
	proof, err := r.redress.ProofOf(c.Notice)
	if n := r.redress.Notice(c.Notice); err == nil && n.Incident != c.ID {
		err = fmt.Errorf("notice %s is about %s", c.Notice, n.Incident)
	} else if err == nil {
		err = answersWith(r, c, n)
	}
	if err != nil {
		return 0, &journal.Refusal{Kind: journal.KindIncident, Verb: "incident_clock_answered", Actors: by.Actors, Why: err.Error(), Err: err}
	}
	return proof.At, nil
}

// noticesQuery asks for notices: one by its id, or those about an incident, or all.
type noticesQuery struct {
	ID       string `json:"id,omitempty"`
	Incident string `json:"incident,omitempty"`
	Texts    bool   `json:"texts,omitempty"` // what they say, and the conversations
}

type noticesAnswer struct {
	Notices []redress.Notice  `json:"notices"`
	Set     string            `json:"set"` // of the incident: what sending would send
	Texts   map[string]string `json:"texts,omitempty"`
	Talks   map[string]string `json:"talks,omitempty"` // by digest
}

// noticesShown bounds an answer that must fit the control socket.
const noticesShown = 500

func (e *engine) noticesOf(q *noticesQuery) (a noticesAnswer, err error) {
	e.office.view(func(r *rooms) {
		if q.ID != "" {
			if n := r.redress.Notice(q.ID); n != nil {
				a.Notices = append(a.Notices, *n)
			}
			return
		}
		list := r.redress.Notices(q.Incident)
		for _, n := range list[max(0, len(list)-noticesShown):] {
			a.Notices = append(a.Notices, *n)
		}
		a.Set = r.redress.NoticeSet(q.Incident, "")
	})
	if q.ID != "" && len(a.Notices) == 0 {
		return a, fmt.Errorf("there is no notice %.20s: see touchstone notice list", q.ID)
	}
	if !q.Texts || q.ID == "" {
		return a, nil
	}
	n := &a.Notices[0]
	a.Texts, a.Talks = map[string]string{}, map[string]string{}
	text, err := e.keptFile(n.Contents[0].Digest)
	if err != nil {
		return a, err
	}
	a.Texts[n.ID] = string(text)
	for _, at := range n.Attempts {
		if at.Talk == "" {
			continue
		}
		talk, err := e.keptFile(at.Talk)
		if err != nil {
			return a, err
		}
		a.Talks[at.Talk] = string(talk)
	}
	return a, nil
}
