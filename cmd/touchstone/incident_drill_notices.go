package main

import (
	"context"
	"slices"
	"time"

	"touchstone/incident"
	"touchstone/notify"
	"touchstone/redress"
)

// How long a drill waits for its mail, within the time that a command waits for its answer, and how often it looks.
const (
	drillMailWait = 10 * time.Second
	drillMailLook = 20 * time.Millisecond
)

// drillNotices sends a drill's notices as an incident's are sent, to the address book's drill recipients and to nobody
// else, and waits until they are taken or one is not. Where no host runs, or the book has no such recipient, there are none, and the
// documents in drill-outbox are all. A drill that is taken up again drafts none anew.
func (e *engine) drillNotices(ctx context.Context, id string, by incident.By) error {
	if !e.sending.Load() || e.notices == nil || !slices.ContainsFunc(e.notices.Recipients, ofDrill) {
		return nil
	}
	if len(e.noticesAbout(id)) == 0 {
		if _, err := e.draftNotices(ctx, &noticeDraftChange{Incident: id}, by.Actors); err != nil {
			return err
		}
	}
	set := ""
	e.office.view(func(r *rooms) {
		if len(r.redress.Drafts(id)) > 0 {
			set = r.redress.NoticeSet(id, "")
		}
	})
	if set != "" {
		if _, err := e.sendNotices(ctx, &noticeSendChange{Incident: id, Set: set}, by.Actors, ""); err != nil {
			return err
		}
	}
	return e.drillMail(ctx, id)
}

// drillMail waits until every notice of a drill was taken, one was not, or it took too long: a drill does not hang on a
// mail server, it shows that it is down.
func (e *engine) drillMail(ctx context.Context, id string) error {
	end := time.NewTimer(drillMailWait)
	defer end.Stop()
	look := time.NewTicker(drillMailLook)
	defer look.Stop()
	for {
		list := e.noticesAbout(id)
		if allSent(list) || slices.ContainsFunc(list, notTaken) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-end.C:
			return nil
		case <-look.C:
		}
	}
}

func (e *engine) noticesAbout(id string) (list []redress.Notice) {
	e.office.view(func(r *rooms) {
		for _, n := range r.redress.Notices(id) {
			list = append(list, *n)
		}
	})
	return list
}

// notTaken tells whether an attempt came to its end without the other side taking the notice.
func notTaken(n redress.Notice) bool {
	return slices.ContainsFunc(n.Attempts, func(a redress.Attempt) bool { return a.Ended != 0 && a.Result != redress.Accepted })
}

// drillProof is the notice that answers a clock of a drill: of the kind that the clock's recipient gets, and taken since
// the clock began. Where there is none the answer is the document.
func (e *engine) drillProof(c *incident.Clock) (proof incident.Sending, found bool) {
	for _, n := range e.noticesAbout(c.Incident) {
		if n.Proof != nil && n.Proof.At >= c.Started && slices.Contains(answering[c.Template], n.Kind) {
			return incident.Sending{Notice: n.ID, Sent: n.Proof.At}, true
		}
	}
	return incident.Sending{}, false
}

func ofDrill(r notify.Recipient) bool { return r.Group == redress.GroupDrill }
