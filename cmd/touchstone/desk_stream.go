package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

type streamDesk struct{ *engine }

var _ api.Streams = streamDesk{}

// happened is an entry as the stream tells it. Exactly one of Event, Refusal and Act is set.
type happened struct {
	ID      string         `json:"id"` // evt_, txn_ or act_ and the entry's number
	Entry   uint64         `json:"entry"`
	At      time.Time      `json:"at"`
	Event   *journal.Event `json:"event,omitempty"`
	Refusal *toldRefusal   `json:"refusal,omitempty"`
	Act     *toldAct       `json:"act,omitempty"`
}

// toldRefusal is a message that was refused.
type toldRefusal struct {
	Terminal string `json:"terminal"`
	Merchant string `json:"merchant"`
	STAN     string `json:"trace"`
	Reason   string `json:"reason"`
	DE39     string `json:"response_code"`
	Amount   int64  `json:"amount,omitempty"` // minor units
}

// toldAct is what people, or a rule, did.
type toldAct struct {
	Room    string    `json:"room"`
	Verb    string    `json:"verb"`
	Actors  []string  `json:"actors"`
	Refused string    `json:"refused,omitempty"`
	Changed []changes `json:"changed,omitempty"`
}

type changes struct {
	Noun string `json:"noun"`
	ID   string `json:"id"`
}

// publish tells the stream of a durable entry, on the watch's goroutine; entries that are read again at a start were
// told in their time.
func (e *engine) publish(entry journal.Entry) {
	if e.watch.caughtUp() {
		e.integration.fold(entry)
	}
	if !e.stream.Wanted(api.TopicEntry) || !e.watch.caughtUp() {
		return
	}
	if n, ok := notice(entry); ok {
		e.stream.Publish(n)
	}
}

// notice is an entry for the stream; ok is false for what it does not tell, such as approvals.
func notice(entry journal.Entry) (n api.Notice, ok bool) {
	n = api.Notice{Topic: api.TopicEntry, Seq: entry.Seq}
	h := happened{Entry: entry.Seq, At: entry.At.Time().UTC()}
	switch {
	case entry.Kind == journal.KindExchange:
		var x journal.Exchange
		if x.Parse(entry) != nil || x.Reason == reason.None || x.DE39 == pos.Approved || x.Flags&(journal.FlagCanary|journal.FlagRepeat) != 0 {
			return n, false
		}
		n.Merchant = x.Merchant
		h.ID, h.Refusal = fmt.Sprintf("txn_%d", entry.Seq), &toldRefusal{Terminal: printed(x.Terminal.String()), Merchant: printed(x.Merchant.String()), STAN: x.STAN.String(),
			Reason: x.Reason.String(), DE39: printed(x.DE39.String()), Amount: int64(x.Amount)}
	case entry.Kind == journal.KindEvent:
		event, known := parseEvent(entry)
		if !known {
			return n, false
		}
		copy(n.Merchant[:], event.Merchant)
		h.ID, h.Event = fmt.Sprintf("evt_%d", entry.Seq), &event
	case entry.Kind.OfActs():
		var a journal.Act
		if json.Unmarshal(entry.Body, &a) != nil {
			return n, false
		}
		told := &toldAct{Room: entry.Kind.String(), Verb: a.Verb, Actors: a.Actors, Refused: a.Refused}
		for _, c := range a.Changes {
			told.Changed = append(told.Changed, changes{c.Noun, c.ID})
		}
		h.ID, h.Act = fmt.Sprintf("act_%d", entry.Seq), told
	default:
		return n, false
	}
	var err error
	n.Data, err = json.Marshal(&h)
	return n, err == nil
}

// printed keeps bytes that a message claimed from being read as something else.
func printed(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
}

// Stream implements api.Streams.
func (d streamDesk) Stream() *api.Stream { return d.stream }

// Since implements api.Streams. It waits until the live entries are those that are new.
func (d streamDesk) Since(ctx context.Context, after uint64, most int, f func(api.Notice) error) (last uint64, err error) {
	select {
	case <-d.watch.ready:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	head, _, err := d.store.Head(ctx)
	if err != nil {
		return 0, err
	}
	if last = after; head > after && head-after > uint64(most) {
		return 0, api.ErrTooOld
	}
	if head <= after {
		return head, nil
	}
	err = d.store.Blocks(ctx, after+1, func(b journal.Block) error {
		return b.Each(func(entry journal.Entry) error {
			if entry.Seq <= after {
				return nil
			}
			last = entry.Seq
			if n, ok := notice(entry); ok {
				return f(n)
			}
			return nil
		})
	})
	return last, err
}

// Still implements api.Streams.
func (d streamDesk) Still(who *web.Caller) bool {
	if who.Via == web.BySocket {
		return true
	}
	still := false
	now := d.clock()
	d.office.view(func(r *rooms) {
		name := who.Account
		if id, program := strings.CutPrefix(name, "key:"); program {
			k := r.staff.APIKey(id)
			if k == nil || r.staff.APIKeyBySum([32]byte(k.Sum), now) == nil {
				return
			}
			name = k.Account
		}
		a := r.staff.Account(name)
		still = a != nil && !a.Disabled && hasRoles(a, who.Roles) && (!who.Merchant() || a.Shop == who.Shop.String())
	})
	return still
}

// hasRoles tells whether an account still has every role that it was let in with.
func hasRoles(a *staff.Account, roles []staff.Role) bool {
	for _, r := range roles {
		if !a.May(r) {
			return false
		}
	}
	return true
}
