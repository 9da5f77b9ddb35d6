package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"touchstone/journal"
	"touchstone/notify"
	"touchstone/pos"
	"touchstone/sqlite"
	"touchstone/staff"
)

// webhookFlags are the flags, and configuration keys, of webhooks.
type webhookFlags struct {
	WebhookNetwork []string `name:"webhook-network" help:"Network inside to which webhooks may go, CIDR; else only public addresses are dialled. May be given again." placeholder:"CIDR"`
}

// inside are the networks that the flag names.
func (f *webhookFlags) inside() (list []netip.Prefix, err error) {
	for _, text := range f.WebhookNetwork {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, fmt.Errorf("webhook-network: %.64q: want a network such as 10.20.0.0/16", text)
		}
		list = append(list, p.Masked())
	}
	return list, nil
}

// webhookChange makes an endpoint.
type webhookChange struct {
	Name  string   `json:"name" minLength:"1" maxLength:"60" doc:"Whose it is, and what for." example:"incident desk"`
	URL   string   `json:"url" minLength:"1" maxLength:"500" doc:"HTTPS, with a public address. In a test data directory this machine too, without TLS." example:"https://hooks.example.com/touchstone"`
	Types []string `json:"types" nullable:"false" minItems:"1" maxItems:"60" doc:"What it is told: transaction.refused, transaction.cause, incident.opened, incident.changed, incident.closed, claim.decided, claim.paid, proposal.made, proposal.decided, advisory.changed, campaign.changed, permit.changed, clone.suspected, or event. and the name of an event." example:"[\"incident.opened\"]"`
}

// webhookState disables an endpoint, or lets it go on.
type webhookState struct {
	ID     string `json:"id" maxLength:"20" doc:"The endpoint's number." example:"WHK-1"`
	Enable bool   `json:"enable,omitempty" doc:"It goes on where it was left. Else it is disabled."`
}

// webhookRotation draws another secret.
type webhookRotation struct {
	ID    string `json:"id" maxLength:"20" doc:"The endpoint's number." example:"WHK-1"`
	Hours int    `json:"hours" required:"false" minimum:"0" maximum:"168" doc:"How long the former secret signs too; 0: it ends at once, as when it is known to others."`
}

// webhookReplay tells again.
type webhookReplay struct {
	ID    string `json:"id" maxLength:"20" doc:"The endpoint's number." example:"WHK-1"`
	First string `json:"first" maxLength:"30" doc:"The first message: evt_ and an entry's number." example:"evt_120"`
	Last  string `json:"last,omitempty" maxLength:"30" doc:"The last; the first alone, when not given." example:"evt_140"`
}

// webhooksQuery asks for all endpoints, or for one's deliveries.
type webhooksQuery struct {
	Deliveries string      `json:"deliveries,omitempty"` // an endpoint's number
	Before     int64       `json:"before,omitempty"`
	Limit      int         `json:"limit,omitempty"`
	AsOf       pos.Instant `json:"as_of,omitempty"` // 0: now
}

// hooks is what the engine knows of telling endpoints.
type hooks struct {
	guard notify.Guard
	send  func(ctx context.Context, h *notify.Hook) notify.Sent // the guard's; tests give others
	wait  func(tries int) time.Duration                         // backoff; nil is hookWait

	wake  chan struct{} // an endpoint was made or goes on
	file  hookFile
	mu    sync.Mutex // guards what follows
	lanes map[string]*hookLane
	sent  map[string]uint64 // by kind of failure; "" is delivered
}

// hookFile is the file of positions, opened when it is needed.
type hookFile struct {
	mu   sync.Mutex
	file *sqlite.Webhooks // nil until then
}

func (f *hookFile) open(ctx context.Context, dir string) (_ *sqlite.Webhooks, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		f.file, err = sqlite.OpenWebhooks(ctx, dir)
	}
	return f.file, err
}

func (f *hookFile) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}

// hookRefusal keeps a refused act in the journal.
func hookRefusal(verb string, actors []string, drafts []journal.Draft, err error) ([]journal.Draft, error) {
	if err != nil {
		err = &journal.Refusal{Kind: journal.KindStaff, Verb: verb, Actors: actors, Why: err.Error(), Err: err}
	}
	return drafts, err
}

func (e *engine) makeWebhook(ctx context.Context, c *webhookChange, actors []string) (changed, error) {
	w := staff.Webhook{Name: c.Name, URL: c.URL, Types: c.Types}
	if err := e.hooks.guard.URL(c.URL); err != nil {
		return changed{}, err
	}
	shown, sealed, err := e.module.DrawWebhook(ctx, c.URL)
	if err != nil {
		return changed{}, err
	}
	defer shown.Wipe()
	w.Secret = sealed
	if err := e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		w.After = e.ledger.Durable()
		drafts, err := staff.MakeWebhook(r.staff, &w, actors[0], now)
		return hookRefusal("webhook", actors, drafts, err)
	}); err != nil {
		return changed{}, err
	}
	e.hooks.wakeHooks()
	told := changed{What: "webhook " + w.ID + " to " + w.URL, ZH: "回调 " + w.ID + "，发往 " + w.URL, Facts: map[string]string{"webhook": w.ID}}
	shown.Use(func(b []byte) { told.Secret = string(b) })
	return told, nil
}

func (e *engine) rotateWebhook(ctx context.Context, c *webhookRotation, actors []string) (changed, error) {
	url := ""
	e.office.view(func(r *rooms) {
		if w := r.staff.Webhook(c.ID); w != nil {
			url = w.URL
		}
	})
	shown, sealed, err := e.module.DrawWebhook(ctx, url) // of an unknown one the rule says so below
	if err != nil {
		return changed{}, err
	}
	defer shown.Wipe()
	if err := e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		drafts, err := staff.RotateWebhook(r.staff, c.ID, sealed, time.Duration(c.Hours)*time.Hour, actors[0], now)
		return hookRefusal("webhook_rotate", actors, drafts, err)
	}); err != nil {
		return changed{}, err
	}
	told := changed{What: fmt.Sprintf("webhook %s signs with another secret; the former signs too for %d hours", c.ID, c.Hours),
		ZH: fmt.Sprintf("回调 %s 已换新密钥；旧密钥仍同时签名 %d 小时", c.ID, c.Hours), Facts: map[string]string{"webhook": c.ID}}
	shown.Use(func(b []byte) { told.Secret = string(b) })
	return told, nil
}

func (e *engine) setWebhook(ctx context.Context, c *webhookState, actors []string) (changed, error) {
	err := e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		drafts, err := staff.SetWebhook(r.staff, c.ID, !c.Enable, actors[0], now)
		return hookRefusal("webhook_set", actors, drafts, err)
	})
	e.hooks.wakeHooks()
	if c.Enable {
		return changed{What: "webhook " + c.ID + " goes on", ZH: "回调 " + c.ID + " 已恢复"}, err
	}
	return changed{What: "webhook " + c.ID + " disabled", ZH: "回调 " + c.ID + " 已停用"}, err
}

// errReplaying is of a replay while another of the endpoint goes on.
var errReplaying = errors.New("webhook: a replay goes on; ask again when it has ended")

func (e *engine) replayWebhook(ctx context.Context, c *webhookReplay, actors []string) (changed, error) {
	if c.Last == "" {
		c.Last = c.First
	}
	first, err := parseEventID(c.First)
	if err != nil {
		return changed{}, err
	}
	last, err := parseEventID(c.Last)
	if err != nil {
		return changed{}, err
	}
	file, err := e.hooks.file.open(ctx, e.dir)
	if err != nil {
		return changed{}, err
	}
	p, _, err := file.Position(ctx, c.ID)
	if err != nil {
		return changed{}, err
	}
	err = e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		if w := r.staff.Webhook(c.ID); w != nil && w.Disabled == 0 && w.Replay != nil && (p.Replay != w.Replay.N || p.Replayed < w.Replay.Last) {
			return hookRefusal("webhook_replay", actors, nil, errReplaying)
		}
		drafts, err := staff.ReplayWebhook(r.staff, c.ID, first, last, e.ledger.Durable(), actors[0], now)
		return hookRefusal("webhook_replay", actors, drafts, err)
	})
	return changed{What: fmt.Sprintf("webhook %s is told again of evt_%d to evt_%d", c.ID, first, last), ZH: fmt.Sprintf("回调 %s 将重新发送 evt_%d 至 evt_%d", c.ID, first, last)}, err
}

// parseEventID reads evt_N, or N alone.
func parseEventID(text string) (uint64, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "evt_"), 10, 63)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("webhook: %.30q: want evt_ and the number of an entry", text)
	}
	return n, nil
}
