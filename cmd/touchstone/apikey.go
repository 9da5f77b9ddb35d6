package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
)

// apiKeyPrefix begins every key for programs, so that one that was published by mistake is found by a search.
const apiKeyPrefix = "tsk_"

// How fast one key may ask. A program that reads page after page stays below it; one that runs wild is told to wait.
const (
	keyRate  = 50 // requests a second
	keyBurst = 100
)

// apiKeyChange makes a key for programs.
type apiKeyChange struct {
	Name    string       `json:"name" minLength:"1" maxLength:"60" doc:"What the key is for." example:"settlement export"`
	Account string       `json:"account" minLength:"2" maxLength:"32" doc:"The account whose person answers for it." example:"qian"`
	Roles   []staff.Role `json:"roles" nullable:"false" minItems:"1" doc:"Some of that account's roles." example:"[\"security\"]"`
	Days    int          `json:"days,omitempty" minimum:"0" maximum:"400" doc:"How long it opens; 90 when not given."`
}

// apiKeyRevocation ends one.
type apiKeyRevocation struct {
	ID string `json:"id" maxLength:"20" doc:"The key's number." example:"KEY-1"`
}

// apiKeysQuery asks for all of them.
type apiKeysQuery struct {
	AsOf pos.Instant `json:"as_of,omitempty"` // 0: now
}

const defaultKeyDays = 90

// makeAPIKey draws a key: 130 random bits. What is kept is its SHA-256.
func (e *engine) makeAPIKey(ctx context.Context, c *apiKeyChange, actors []string) (changed, error) {
	token := apiKeyPrefix + rand.Text()
	sum := sha256.Sum256([]byte(token))
	days := c.Days
	if days == 0 {
		days = defaultKeyDays
	}
	k := staff.APIKey{Name: c.Name, Account: c.Account, Roles: c.Roles, Sum: sum[:]}
	err := e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		k.Until = now + pos.Instant(time.Duration(days)*24*time.Hour)
		drafts, err := staff.MakeAPIKey(r.staff, &k, actors[0], now)
		if err != nil {
			err = &journal.Refusal{Kind: journal.KindStaff, Verb: "api_key", Actors: actors, Why: err.Error(), Err: err}
		}
		return drafts, err
	})
	if err != nil {
		return changed{}, err
	}
	until := k.Until.Time().Format(time.DateOnly)
	return changed{What: fmt.Sprintf("API key %s, until %s", k.ID, until), ZH: fmt.Sprintf("接口密钥 %s, 有效期至 %s", k.ID, until),
		Facts: map[string]string{"key": k.ID, "until": until}, Secret: token}, nil
}

func (e *engine) revokeAPIKey(ctx context.Context, c *apiKeyRevocation, actors []string) (changed, error) {
	err := e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		drafts, err := staff.RevokeAPIKey(r.staff, c.ID, actors[0], now)
		if err != nil {
			err = &journal.Refusal{Kind: journal.KindStaff, Verb: "api_key_revoke", Actors: actors, Why: err.Error(), Err: err}
		}
		return drafts, err
	})
	if err != nil {
		return changed{}, err
	}
	return changed{What: "API key " + c.ID + " revoked", ZH: "接口密钥 " + c.ID + " 已吊销", Facts: map[string]string{"key": c.ID}}, nil
}

// apiKeys lists the keys as of an instant, 0 being now, without their digests.
func (e *engine) apiKeys(ctx context.Context, at pos.Instant) ([]api.APIKey, error) {
	list := []api.APIKey{}
	err := e.viewAt(ctx, at, func(r *rooms) {
		for _, k := range r.staff.APIKeys() {
			x := api.APIKey{ID: k.ID, Name: k.Name, Account: k.Account, Roles: slices.Clone(k.Roles), Shop: k.Shop, By: k.By, Since: k.Since.Time().UTC(), Until: k.Until.Time().UTC()}
			if k.Revoked != 0 {
				at := k.Revoked.Time().UTC()
				x.Revoked = &at
			}
			if k.LastUse != 0 {
				x.LastUse = k.LastUse.Time().UTC().Format(time.DateOnly)
			}
			list = append(list, x)
		}
	})
	return list, err
}

// keyRing proves keys and bounds how fast each may ask.
type keyRing struct {
	mu    sync.Mutex
	rates map[string]*rate.Limiter // by number; not more than staff.MaxAPIKeys
}

func (k *keyRing) of(id string) *rate.Limiter {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.rates[id] == nil {
		k.rates[id] = rate.NewLimiter(keyRate, keyBurst)
	}
	return k.rates[id]
}

// withKeys adds keys for programs to a way of proving who asks: Authorization: Bearer tsk_... A request with a key
// and a session's cookie at once is refused: it cannot be told whose it is.
func (e *engine) withKeys(other func(*http.Request) (*web.Caller, error)) func(*http.Request) (*web.Caller, error) {
	ring := &keyRing{rates: map[string]*rate.Limiter{}}
	return func(r *http.Request) (*web.Caller, error) {
		given := r.Header.Values("Authorization")
		if len(given) == 0 {
			return other(r)
		}
		if _, err := r.Cookie(web.SessionCookie); err == nil || len(given) > 1 {
			return nil, &web.Denied{Status: http.StatusBadRequest, Code: "two_credentials"}
		}
		return e.callerOfKey(r.Context(), given[0], ring)
	}
}

func (e *engine) callerOfKey(ctx context.Context, header string, ring *keyRing) (*web.Caller, error) {
	refused := &web.Denied{Status: http.StatusUnauthorized, Code: "key_not_accepted"}
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(token, apiKeyPrefix) || len(token) > 64 {
		return nil, refused
	}
	var k staff.APIKey
	var fullName string
	e.office.view(func(r *rooms) {
		if known := r.staff.APIKeyBySum(sha256.Sum256([]byte(token)), e.clock()); known != nil {
			k, fullName = *known, r.staff.Account(known.Account).FullName
		}
	})
	if k.ID == "" {
		return nil, refused
	}
	if !ring.of(k.ID).Allow() {
		return nil, &web.Denied{Status: http.StatusTooManyRequests, Code: "too_many_requests", RetryAfter: 1}
	}
	if err := e.useKey(ctx, k.ID, ""); err != nil {
		return nil, err
	}
	c := &web.Caller{Account: "key:" + k.ID, FullName: fullName, Roles: k.Roles, Via: web.ByKey}
	copy(c.Shop[:], k.Shop)
	return c, nil
}

// useKey notes the use of a key, durably: of the day, or of an act that is about to be done. A key that is noted today
// costs no entry.
func (e *engine) useKey(ctx context.Context, id, act string) error {
	if act == "" {
		var noted bool
		now := e.clock()
		e.office.view(func(r *rooms) {
			drafts, err := staff.UseAPIKey(r.staff, id, "", now)
			noted = err == nil && len(drafts) == 0
		})
		if noted {
			return nil
		}
	}
	return e.act(ctx, func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		return staff.UseAPIKey(r.staff, id, act, now)
	})
}
