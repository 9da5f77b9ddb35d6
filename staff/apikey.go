package staff

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"touchstone/journal"
	"touchstone/pos"
)

// APIKey lets a program in. It acts under the account of a person who answers for it, with some of that account's
// roles, and never agrees to what somebody else proposed. The key itself is shown once and is nowhere kept.
type APIKey struct {
	ID      string      `json:"id"`      // KEY-1, KEY-2, ...
	Name    string      `json:"name"`    // what it is for
	Account string      `json:"account"` // who answers for it
	Roles   []Role      `json:"roles"`   // some of the account's
	Shop    string      `json:"shop,omitempty"`
	Sum     []byte      `json:"sum"` // SHA-256 of the key, 32 bytes: the key is random, so nothing slower is needed
	By      string      `json:"by"`  // the administrator who made it
	Since   pos.Instant `json:"since"`
	Until   pos.Instant `json:"until"`
	Revoked pos.Instant `json:"revoked,omitempty"`
	LastUse pos.Instant `json:"last_used,omitempty"` // to the day
	LastAct string      `json:"last_act,omitempty"`  // the newest act that was asked for with it
}

// NounAPIKey is the noun of a key for programs.
const NounAPIKey = "api_key"

// Bounds of keys for programs.
const (
	MaxAPIKeys    = 1000
	MaxAPIKeyLife = 400 * 24 * time.Hour // a year, and a month to change it in
	maxKeyName    = 60
)

// ErrAPIKey is returned for a key that may not be.
var ErrAPIKey = fmt.Errorf("%w: API key", ErrAccount)

// MakeAPIKey is the decision to let a program in under an account. It numbers the key.
func MakeAPIKey(s *State, k *APIKey, by string, now pos.Instant) ([]journal.Draft, error) {
	a := s.accounts[k.Account]
	bad := func(why string) ([]journal.Draft, error) { return nil, fmt.Errorf("%w: %s", ErrAPIKey, why) }
	switch {
	case a == nil || a.Disabled:
		return bad("want an account that may act: who answers for the key")
	case strings.TrimSpace(k.Name) == "" || len(k.Name) > maxKeyName || !printable(k.Name):
		return bad(fmt.Sprintf("want a name that says what it is for, at most %d bytes", maxKeyName))
	case len(k.Sum) != sha256.Size:
		return bad("want the SHA-256 of the key")
	case k.Until <= now || k.Until.Sub(now) > MaxAPIKeyLife:
		return bad(fmt.Sprintf("want a life of 1 to %d days", MaxAPIKeyLife/(24*time.Hour)))
	case len(k.Roles) == 0:
		return bad("want a role")
	case len(s.apiKeys) >= MaxAPIKeys:
		return bad(fmt.Sprintf("%d keys are the most", MaxAPIKeys))
	}
	for _, r := range k.Roles {
		if !slices.Contains(a.Roles, r) {
			return bad(fmt.Sprintf("account %s has no role %.20s: a key has some of its account's roles", a.Name, r))
		}
	}
	made := *k
	made.ID, made.By, made.Since, made.Revoked, made.LastUse, made.Shop = fmt.Sprintf("KEY-%d", s.apiKeyed+1), by, now, 0, 0, ""
	if slices.Contains(made.Roles, Merchant) {
		made.Shop = a.Shop
	}
	*k = made
	return draft("api_key_made", []string{by}, "", NounAPIKey, made.ID, &made)
}

// RevokeAPIKey is the decision that a key opens nothing any more.
func RevokeAPIKey(s *State, id, by string, now pos.Instant) ([]journal.Draft, error) {
	old := s.apiKeys[id]
	if old == nil || old.Revoked != 0 {
		return nil, fmt.Errorf("%w: there is no such key, or it was revoked already", ErrAPIKey)
	}
	k := *old
	k.Revoked = now
	return draft("api_key_revoked", []string{by}, "", NounAPIKey, id, &k)
}

// UseAPIKey notes that a key was used, once a day, and each act that is asked for with it, before the act.
func UseAPIKey(s *State, id, act string, now pos.Instant) ([]journal.Draft, error) {
	old := s.apiKeys[id]
	day := now - now%pos.Instant(24*time.Hour)
	switch {
	case old == nil || !s.opens(old, now):
		return nil, ErrUnknown
	case act == "" && old.LastUse >= day:
		return nil, nil
	}
	k := *old
	k.LastUse, k.LastAct = day, cmp.Or(act, old.LastAct)
	return draft("api_key_used", []string{"key:" + id, old.Account}, "", NounAPIKey, id, &k)
}

// opens tells whether a key lets a program in: it is in time and its account still has its roles.
func (s *State) opens(k *APIKey, now pos.Instant) bool {
	a := s.accounts[k.Account]
	if a == nil || a.Disabled || k.Revoked != 0 || now >= k.Until || now < k.Since {
		return false
	}
	for _, r := range k.Roles {
		if !slices.Contains(a.Roles, r) {
			return false
		}
	}
	return k.Shop == "" || k.Shop == a.Shop
}

// APIKeyBySum returns the key with a digest that opens now, and nil for any other: unknown, too old, revoked, or of an
// account that may not act or lost one of the roles.
func (s *State) APIKeyBySum(sum [sha256.Size]byte, now pos.Instant) *APIKey {
	k := s.apiKeys[s.apiSums[sum]]
	if k == nil || !s.opens(k, now) {
		return nil
	}
	return k
}

// APIKey is one key's record, nil when there is none.
func (s *State) APIKey(id string) *APIKey { return s.apiKeys[id] }

// APIKeys lists every key, the oldest first.
func (s *State) APIKeys() []*APIKey {
	return sorted(s.apiKeys, func(a, b *APIKey) int { return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID)) })
}

func (s *State) foldAPIKey(c journal.Change) error {
	n, err := strconv.Atoi(strings.TrimPrefix(c.ID, "KEY-"))
	if err != nil {
		return fmt.Errorf("%w %q", ErrAPIKey, c.ID)
	}
	var k APIKey
	if err := json.Unmarshal(c.Record, &k); err != nil || len(k.Sum) != sha256.Size {
		return fmt.Errorf("%w %q: its record does not read", ErrAPIKey, c.ID)
	}
	s.apiKeyed = max(s.apiKeyed, n)
	s.apiKeys[c.ID], s.apiSums[[sha256.Size]byte(k.Sum)] = &k, c.ID
	return nil
}
