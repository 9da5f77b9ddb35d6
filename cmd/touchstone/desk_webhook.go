package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"touchstone/staff"
	"touchstone/web/api"
)

type webhookDesk struct{ *engine }

var _ api.Webhooks = webhookDesk{}

// webhooks answers touchstone webhook list.
func (e *engine) webhooks(ctx context.Context, q *webhooksQuery) (any, error) {
	d := webhookDesk{e}
	if q.Deliveries == "" {
		return d.Webhooks(ctx)
	}
	in := &api.WebhookInput{ID: q.Deliveries}
	if in.Limit = q.Limit; in.Limit < 1 || in.Limit > 200 {
		in.Limit = 50
	}
	if q.Before > 0 {
		in.Cursor = strconv.FormatInt(q.Before, 10)
	}
	return d.Deliveries(ctx, in)
}

// Webhooks implements api.Webhooks.
func (d webhookDesk) Webhooks(ctx context.Context) ([]api.Webhook, error) {
	var known []staff.Webhook
	d.office.view(func(r *rooms) {
		for _, w := range r.staff.Webhooks() {
			known = append(known, *w)
		}
	})
	list := make([]api.Webhook, 0, len(known))
	if len(known) == 0 {
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
		x := api.Webhook{ID: w.ID, Name: w.Name, URL: w.URL, Types: slices.Clone(w.Types), By: w.By, Since: w.Since.Time().UTC(), State: "delivering", Told: p.Done, Tries: p.Tries,
			Behind: d.hookBehind(w.ID, p.Done), Failing: givenMoment(p.Since), Next: givenMoment(p.Next)}
		if p.Tries > 0 {
			x.State = "failing"
		}
		if w.Disabled != 0 {
			x.State, x.Disabled, x.Ended = "disabled", givenMoment(w.Disabled.Time()), w.DisabledBy
		}
		if len(w.Former) > 0 && d.clock() < w.FormerUntil {
			x.Former = givenMoment(w.FormerUntil.Time())
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

// Deliveries implements api.Webhooks.
func (d webhookDesk) Deliveries(ctx context.Context, q *api.WebhookInput) (page api.Page[api.WebhookDelivery], err error) {
	known := false
	d.office.view(func(r *rooms) { known = r.staff.Webhook(q.ID) != nil })
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
	list, err := file.Deliveries(ctx, q.ID, before, q.Limit+1)
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
