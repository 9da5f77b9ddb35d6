package web

import (
	"context"
	"crypto/rand"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
)

// The lives of a session. OWASP ASVS 5.0 7.3.1 and 7.3.2 ask for both; the numbers are ours.
const (
	SessionIdle = 30 * time.Minute // without a request
	SessionLife = 12 * time.Hour   // in all
)

// Sessions are the browsers that are signed in, in memory: a start of the host signs everybody out. Tokens are kept
// as their hash.
type Sessions struct {
	manager *scs.SessionManager
	secure  bool
}

// NewSessions makes an empty store. secure tells that browsers reach it over TLS.
func NewSessions(secure bool) *Sessions {
	m := scs.New()
	m.Store = memstore.New()
	m.HashTokenInStore = true
	m.IdleTimeout, m.Lifetime = SessionIdle, SessionLife
	return &Sessions{manager: m, secure: secure}
}

// SessionCookie is the cookie's name: the prefix binds it to this host, to TLS (or loopback, which browsers trust as
// much) and to the path /. RFC 6265bis, section 4.1.3.2.
const SessionCookie = "__Host-touchstone"

const (
	accountKey = "account"
	tokenKey   = "token"
)

// Begin signs a browser in under a new identifier, and ends the session that it had.
func (s *Sessions) Begin(w http.ResponseWriter, r *http.Request, account string) error {
	s.End(w, r)
	ctx, err := s.manager.Load(r.Context(), "")
	if err != nil {
		return err
	}
	s.manager.Put(ctx, accountKey, account)
	s.manager.Put(ctx, tokenKey, rand.Text())
	token, expiry, err := s.manager.Commit(ctx)
	if err != nil {
		return err
	}
	http.SetCookie(w, s.cookie(token, expiry))
	return nil
}

// End signs the browser out.
func (s *Sessions) End(w http.ResponseWriter, r *http.Request) {
	c, err := r.Cookie(SessionCookie)
	if err != nil {
		return
	}
	if ctx, err := s.manager.Load(r.Context(), c.Value); err == nil {
		_ = s.manager.Destroy(ctx) // in memory: it cannot fail
	}
	http.SetCookie(w, s.cookie("", time.Unix(1, 0)))
}

func (s *Sessions) cookie(value string, expiry time.Time) *http.Cookie {
	c := &http.Cookie{Name: SessionCookie, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if value == "" {
		c.MaxAge = -1
	}
	_ = expiry // the server decides: the cookie lives as long as the browser
	return c
}

// Account returns whose session a request shows, "" for none, and its token.
func (s *Sessions) Account(r *http.Request) (account, token string, err error) {
	c, err := r.Cookie(SessionCookie)
	if err != nil {
		return "", "", nil
	}
	ctx, err := s.manager.Load(r.Context(), c.Value)
	if err != nil {
		return "", "", err
	}
	account, token = s.manager.GetString(ctx, accountKey), s.manager.GetString(ctx, tokenKey)
	if account == "" {
		return "", "", nil
	}
	_, _, err = s.manager.Commit(ctx) // the idle time begins anew
	return account, token, err
}

// EndAll signs out every browser of an account, at once.
func (s *Sessions) EndAll(ctx context.Context, account string) error {
	return s.manager.Iterate(ctx, func(ctx context.Context) error {
		if s.manager.GetString(ctx, accountKey) == account {
			return s.manager.Destroy(ctx)
		}
		return nil
	})
}
