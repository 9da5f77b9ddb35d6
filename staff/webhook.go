package staff

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"touchstone/journal"
	"touchstone/pos"
)

// Webhook is an endpoint of somebody's own that is told of some of what happens. The secret by which it knows our
// messages is shown once and kept only as the security module sealed it, to this URL.
type Webhook struct {
	ID     string   `json:"id"` // WHK-1, WHK-2, ...
	Name   string   `json:"name"`
	URL    string   `json:"url"`
	Types  []string `json:"types"`  // of WebhookTypes, or event. and an event's name
	Secret []byte   `json:"secret"` // sealed
	// Former is the secret before the newest, which signs too until FormerUntil.
	Former      []byte      `json:"former,omitempty"`
	FormerUntil pos.Instant `json:"former_until,omitempty"`

	By    string      `json:"by"`
	Since pos.Instant `json:"since"`
	After uint64      `json:"after"` // it is told of entries after this

	Disabled   pos.Instant    `json:"disabled,omitempty"`
	DisabledBy string         `json:"disabled_by,omitempty"` // an account; WebhookGivenUp: the host itself
	Replay     *WebhookReplay `json:"replay,omitempty"`      // the newest
}

// WebhookReplay asks for entries to be told again.
type WebhookReplay struct {
	N     int         `json:"n"` // 1 for the first of an endpoint
	First uint64      `json:"first"`
	Last  uint64      `json:"last"`
	By    string      `json:"by"`
	At    pos.Instant `json:"at"`
}

// NounWebhook is the noun of an endpoint.
const NounWebhook = "webhook"

// WebhookGivenUp is who disables an endpoint that took nothing for WebhookPatience, and EventWebhookDisabled what is told of that.
const (
	WebhookGivenUp       = "rule:webhook-patience"
	EventWebhookDisabled = "webhook_disabled"
)

// Bounds of endpoints.
const (
	MaxWebhooks     = 20
	MaxWebhookURL   = 500
	WebhookPatience = 3 * 24 * time.Hour
	MaxWebhookGrace = 7 * 24 * time.Hour // two secrets sign
)

// WebhookTypes are the kinds of messages, besides event.NAME for each name that touchstone events shows.
var WebhookTypes = [...]string{"transaction.refused", "transaction.cause", "incident.opened", "incident.changed", "incident.closed", "claim.decided", "claim.paid",
	"proposal.made", "proposal.decided", "advisory.changed", "campaign.changed", "permit.changed", "clone.suspected"}

// WebhookEvent begins the kind of a message on an event of the journal.
const WebhookEvent = "event."

// ErrWebhook is returned for an endpoint that may not be.
var ErrWebhook = fmt.Errorf("%w: webhook", ErrAccount)

// MakeWebhook is the decision to tell an endpoint. It numbers it.
func MakeWebhook(s *State, w *Webhook, by string, now pos.Instant) ([]journal.Draft, error) {
	bad := func(why string) ([]journal.Draft, error) { return nil, fmt.Errorf("%w: %s", ErrWebhook, why) }
	switch {
	case strings.TrimSpace(w.Name) == "" || len(w.Name) > maxKeyName || !printable(w.Name):
		return bad(fmt.Sprintf("want a name that says whose it is, at most %d bytes", maxKeyName))
	case w.URL == "" || len(w.URL) > MaxWebhookURL || !printable(w.URL):
		return bad(fmt.Sprintf("want a URL of at most %d bytes", MaxWebhookURL))
	case len(w.Secret) == 0:
		return bad("want a sealed secret")
	case len(w.Types) == 0:
		return bad("want at least one kind of message")
	case s.enabledWebhooks() >= MaxWebhooks:
		return bad(fmt.Sprintf("%d endpoints are the most", MaxWebhooks))
	}
	for _, t := range w.Types {
		if !knownType(t) {
			return bad(fmt.Sprintf("%.60q is no kind of message; want %s, or event. and the name of an event", t, strings.Join(WebhookTypes[:], ", ")))
		}
	}
	made := Webhook{ID: fmt.Sprintf("WHK-%d", s.webhooked+1), Name: w.Name, URL: w.URL, Types: slices.Clone(w.Types), Secret: w.Secret, By: by, Since: now, After: w.After}
	slices.Sort(made.Types)
	made.Types = slices.Compact(made.Types)
	*w = made
	return draft("webhook_made", []string{by}, "", NounWebhook, made.ID, &made)
}

func knownType(t string) bool {
	if name, event := strings.CutPrefix(t, WebhookEvent); event {
		return (&journal.Event{Name: name, Severity: journal.Info}).Check() == nil
	}
	return slices.Contains(WebhookTypes[:], t)
}

func (s *State) enabledWebhooks() (n int) {
	for _, w := range s.webhooks {
		if w.Disabled == 0 {
			n++
		}
	}
	return n
}

// SetWebhook is the decision to disable an endpoint, or to go on where it was left.
func SetWebhook(s *State, id string, disable bool, by string, now pos.Instant) ([]journal.Draft, error) {
	old := s.webhooks[id]
	switch {
	case old == nil:
		return nil, fmt.Errorf("%w: there is no such endpoint", ErrWebhook)
	case disable == (old.Disabled != 0):
		return nil, fmt.Errorf("%w: %s is that already", ErrWebhook, id)
	case !disable && s.enabledWebhooks() >= MaxWebhooks:
		return nil, fmt.Errorf("%w: %d endpoints are the most", ErrWebhook, MaxWebhooks)
	}
	w, verb := *old, "webhook_enabled"
	if w.Disabled, w.DisabledBy = 0, ""; disable {
		w.Disabled, w.DisabledBy, verb = now, by, "webhook_disabled"
	}
	return draft(verb, []string{by}, "", NounWebhook, id, &w)
}

// RotateWebhook is the decision for another secret; the one before signs too for a time.
func RotateWebhook(s *State, id string, sealed []byte, grace time.Duration, by string, now pos.Instant) ([]journal.Draft, error) {
	old := s.webhooks[id]
	switch {
	case old == nil || old.Disabled != 0:
		return nil, fmt.Errorf("%w: there is no such endpoint, or it is disabled", ErrWebhook)
	case grace < 0 || grace > MaxWebhookGrace:
		return nil, fmt.Errorf("%w: want 0 to %d hours in which both secrets sign", ErrWebhook, MaxWebhookGrace/time.Hour)
	case len(sealed) == 0:
		return nil, fmt.Errorf("%w: want a sealed secret", ErrWebhook)
	}
	w := *old
	w.Secret, w.Former, w.FormerUntil = sealed, nil, 0
	if grace > 0 {
		w.Former, w.FormerUntil = old.Secret, now+pos.Instant(grace)
	}
	return draft("webhook_rotated", []string{by}, "", NounWebhook, id, &w)
}

// ReplayWebhook is the decision to tell an endpoint again of the entries first to last, none of them after head.
func ReplayWebhook(s *State, id string, first, last, head uint64, by string, now pos.Instant) ([]journal.Draft, error) {
	old := s.webhooks[id]
	switch {
	case old == nil || old.Disabled != 0:
		return nil, fmt.Errorf("%w: there is no such endpoint, or it is disabled", ErrWebhook)
	case first == 0 || first > last || last > head:
		return nil, fmt.Errorf("%w: want entries of the journal, 1 to %d, the first not after the last", ErrWebhook, head)
	}
	w, n := *old, 1
	if old.Replay != nil {
		n = old.Replay.N + 1
	}
	w.Replay = &WebhookReplay{N: n, First: first, Last: last, By: by, At: now}
	return draft("webhook_replay_asked", []string{by}, "", NounWebhook, id, &w)
}

// Webhook is one endpoint's record, nil when there is none. Whoever has it changes nothing.
func (s *State) Webhook(id string) *Webhook { return s.webhooks[id] }

// Webhooks lists every endpoint, the oldest first.
func (s *State) Webhooks() []*Webhook {
	return sorted(s.webhooks, func(a, b *Webhook) int { return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID)) })
}

func (s *State) foldWebhook(c journal.Change) error {
	n, err := strconv.Atoi(strings.TrimPrefix(c.ID, "WHK-"))
	if err != nil {
		return fmt.Errorf("%w %q", ErrWebhook, c.ID)
	}
	var w Webhook
	if err := json.Unmarshal(c.Record, &w); err != nil {
		return fmt.Errorf("%w %q: its record does not read", ErrWebhook, c.ID)
	}
	s.webhooked = max(s.webhooked, n)
	s.webhooks[c.ID] = &w
	return nil
}
