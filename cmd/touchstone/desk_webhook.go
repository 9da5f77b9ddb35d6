package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"touchstone/pos"
	"touchstone/staff"
	"touchstone/web/api"
)

type webhookDesk struct{ *engine }

var _ api.Webhooks = webhookDesk{}

// webhooks answers touchstone webhook list.
func (e *engine) webhooks(ctx context.Context, q *webhooksQuery) (any, error) {
	d := webhookDesk{e}
	if q.Deliveries == "" {
		return d.hooksAt(ctx, q.AsOf)
	}
	in := &api.WebhookInput{ID: q.Deliveries}
	if in.Limit = q.Limit; in.Limit < 1 || in.Limit > 200 {
		in.Limit = 50
	}
	if q.Before > 0 {
		in.Cursor = strconv.FormatInt(q.Before, 10)
	}
	return d.deliveriesAt(ctx, in, q.AsOf)
}

// Webhooks implements api.Webhooks.
func (d webhookDesk) Webhooks(ctx context.Context, q *api.AsOf) ([]api.Webhook, error) {
	at, err := q.Instant(d.line.Zone, d.clock())
	if err != nil {
		return nil, err
	}
	return d.hooksAt(ctx, at)
}

// hookNotKept are the members of an endpoint that webhooks.db has as they are now, and nothing as they were.
var hookNotKept = []string{"told", "behind", "failed_attempts", "failing_since", "next_attempt", "replay"}

// hookThen is what the journal says of an endpoint at a past moment.
func hookThen(w *staff.Webhook, at pos.Instant) api.Webhook {
	x := hookKnown(w, at)
	if x.State = "enabled"; x.Disabled != nil {
		x.State = "disabled"
	}
	x.AsOf, x.NotKept = momentOf(at), hookNotKept
	return x
}

// hookKnown is what an endpoint's record says.
func hookKnown(w *staff.Webhook, now pos.Instant) api.Webhook {
	x := api.Webhook{ID: w.ID, Name: w.Name, URL: w.URL, Types: slices.Clone(w.Types), By: w.By, Since: w.Since.Time().UTC()}
	if w.Disabled != 0 {
		x.Disabled, x.Ended = givenMoment(w.Disabled.Time()), w.DisabledBy
	}
	if len(w.Former) > 0 && now < w.FormerUntil {
		x.Former = givenMoment(w.FormerUntil.Time())
	}
	return x
}

// hooksAt lists the endpoints as of an instant, 0 being now.
func (d webhookDesk) hooksAt(ctx context.Context, at pos.Instant) ([]api.Webhook, error) {
	var known []staff.Webhook
	err := d.viewAt(ctx, at, func(r *rooms) {
		for _, w := range r.staff.Webhooks() {
			known = append(known, *w)
		}
	})
	list := make([]api.Webhook, 0, len(known))
	if err != nil || len(known) == 0 {
		return list, err
	}
	if at != 0 {
		for i := range known {
			list = append(list, hookThen(&known[i], at))
		}
		return list, nil
	}
	file, err := d.hooks.file.open(ctx, d.dir)
	if err != nil {
		return nil, err
	}
	for _, w := range known {
		p, begun, err := file.Position(ctx, w.ID)
		if err != nil {
			return nil, err
		}
		if !begun {
			p.Done = w.After
		}
		x := hookKnown(&w, d.clock())
		x.State, x.Told, x.Tries, x.Behind, x.Failing, x.Next = "delivering", p.Done, p.Tries, d.hookBehind(w.ID, p.Done), givenMoment(p.Since), givenMoment(p.Next)
		if p.Tries > 0 {
			x.State = "failing"
		}
		if x.Disabled != nil {
			x.State = "disabled"
		}
		if w.Replay != nil && (p.Replay != w.Replay.N || p.Replayed < w.Replay.Last) {
			x.Replayed = fmt.Sprintf("evt_%d to evt_%d", w.Replay.First, w.Replay.Last)
		}
		list = append(list, x)
	}
	return list, nil
}

// hookBehind is how many entries an endpoint has not been told, or asked about; done is what is known of one that is not
// being told.
func (e *engine) hookBehind(id string, done uint64) uint64 {
	e.hooks.mu.Lock()
	lane := e.hooks.lanes[id]
	e.hooks.mu.Unlock()
	if lane == nil {
		durable := e.ledger.Durable()
		return durable - min(durable, done)
	}
	lane.mu.Lock()
	defer lane.mu.Unlock()
	return lane.behind
}

func givenMoment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// deliveriesNotKept refuses a moment before the deliveries that are kept.
const deliveriesNotKept = "the last 1000 deliveries of a webhook are kept, and all of them were tried after that moment; what happened is in the journal"

// Deliveries implements api.Webhooks.
func (d webhookDesk) Deliveries(ctx context.Context, q *api.WebhookInput) (page api.Page[api.WebhookDelivery], err error) {
	at, err := q.Instant(d.line.Zone, d.clock())
	if err != nil {
		return page, err
	}
	return d.deliveriesAt(ctx, q, at)
}

// deliveriesAt lists what an endpoint was told up to an instant, 0 being now. Of each message its newest attempt is kept: one that was
// made later says nothing of then.
func (d webhookDesk) deliveriesAt(ctx context.Context, q *api.WebhookInput, at pos.Instant) (page api.Page[api.WebhookDelivery], err error) {
	known := false
	if err := d.viewAt(ctx, at, func(r *rooms) { known = r.staff.Webhook(q.ID) != nil }); err != nil {
		return page, err
	}
	if !known {
		return page, api.NotFound()
	}
	before := int64(0)
	if q.Cursor != "" {
		if before, err = strconv.ParseInt(q.Cursor, 10, 63); err != nil || before <= 0 {
			return page, api.Refuse(http.StatusBadRequest, "invalid_cursor", "the cursor is none of this list")
		}
	}
	file, err := d.hooks.file.open(ctx, d.dir)
	if err != nil {
		return page, err
	}
	until := time.Time{}
	if at != 0 {
		until = at.Time()
		if gone, err := file.Forgotten(ctx, q.ID, until); err != nil || gone {
			return page, cmp.Or(err, error(api.NotKept(deliveriesNotKept)))
		}
	}
	list, err := file.Deliveries(ctx, q.ID, before, until, q.Limit+1)
	if err != nil {
		return page, err
	}
	page.Data = []api.WebhookDelivery{}
	for i, x := range list {
		if i == q.Limit {
			page.Next = strconv.FormatInt(list[i-1].ID, 10)
			break
		}
		page.Data = append(page.Data, api.WebhookDelivery{ID: fmt.Sprintf("evt_%d", x.Entry), Type: x.Type, Replay: x.Replay, State: x.State, Attempts: x.Attempts, Code: x.Code, Error: x.Error, At: x.At,
			TookMS: float64(x.Took) / float64(time.Millisecond)})
	}
	return page, nil
}
