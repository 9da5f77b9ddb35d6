package web

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"sync"
	"time"
)

// The lives of a session. OWASP ASVS 5.0 7.3.1 and 7.3.2 ask for both; the numbers are ours.
const (
	SessionIdle = 15 * time.Minute // without a request; PCI DSS 8.2.8
	SessionLife = 12 * time.Hour   // in all
	PendingLife = 10 * time.Minute // from the passphrase to the end of the sign-in
)

// Bounds of the table: a browser beyond ends the one of the same account that was silent longest.
const mostBrowsers = 20

// SessionCookie is the cookie's name: the prefix binds it to this host, to TLS (or loopback, which browsers trust as
// much) and to the path /. RFC 6265bis, section 4.1.3.2.
const SessionCookie = "__Host-touchstone"

// Session is a browser that is signed in, as its person sees it.
type Session struct {
	ID      string // names it on a page; what opens it is not known here
	Account string
	Stamp   string    // of the account when it began: a changed account has another, and its sessions end
	Browser string    // such as Firefox on Linux
	Address string    // where it began
	Begun   time.Time //
	Seen    time.Time // the last request

	token   string   // what unsafe requests repeat
	pending *Pending // not nil: the account is not proven whole, and nothing but the sign-in knows of it
}

// Pending is how far a sign-in is that takes more than a passphrase. It may do nothing else.
type Pending struct {
	Account string
	Code    bool   // the second factor was proven, or recovered from
	Wished  bool   // a second factor is enrolled because its person wants it
	Offered []byte // the second factor that is being enrolled: wrapped, and in memory alone
	Next    string // the page that was asked for
}

// Sessions are the browsers that are signed in, in memory: a start of the host signs everybody out. A cookie holds 130
// random bits, the table their SHA-256, so what is in memory opens nothing.
type Sessions struct {
	Now func() time.Time // the machine's clock unless a test says otherwise

	mu  sync.Mutex
	all map[[sha256.Size]byte]*Session
}

// NewSessions makes an empty table.
func NewSessions() *Sessions {
	return &Sessions{Now: time.Now, all: map[[sha256.Size]byte]*Session{}}
}

// Begin signs a browser in under a new identifier, and ends the session that it had: an identifier from before a
// sign-in, or from before more was proven, is worth nothing after it.
func (s *Sessions) Begin(w http.ResponseWriter, r *http.Request, account, stamp string) {
	s.put(w, r, &Session{Account: account, Stamp: stamp})
}

// Pend begins a session that is good for the rest of a sign-in alone.
func (s *Sessions) Pend(w http.ResponseWriter, r *http.Request, p *Pending) {
	s.put(w, r, &Session{Account: p.Account, pending: p})
}

func (s *Sessions) put(w http.ResponseWriter, r *http.Request, x *Session) {
	id := rand.Text()
	sum := sha256.Sum256([]byte(id))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(r)
	now := s.Now()
	s.sweep(now, x.Account)
	x.ID, x.token, x.Begun, x.Seen, x.Browser, x.Address = hex.EncodeToString(sum[:6]), rand.Text(), now, now, BrowserOf(r), AddressOf(r)
	s.all[sum] = x
	http.SetCookie(w, sessionCookie(id))
}

// sweep removes what is over, and makes room for one more browser of an account.
func (s *Sessions) sweep(now time.Time, account string) {
	type known struct {
		sum  [sha256.Size]byte
		seen time.Time
	}
	var of []known
	for sum, x := range s.all {
		switch {
		case x.over(now):
			delete(s.all, sum)
		case x.Account == account:
			of = append(of, known{sum, x.Seen})
		}
	}
	slices.SortFunc(of, func(a, b known) int { return a.seen.Compare(b.seen) })
	for len(of) >= mostBrowsers {
		delete(s.all, of[0].sum)
		of = of[1:]
	}
}

func (x *Session) over(now time.Time) bool {
	if x.pending != nil {
		return now.Sub(x.Begun) >= PendingLife
	}
	return now.Sub(x.Seen) >= SessionIdle || now.Sub(x.Begun) >= SessionLife
}

func (s *Sessions) forget(r *http.Request) {
	if c, err := r.Cookie(SessionCookie); err == nil {
		delete(s.all, sha256.Sum256([]byte(c.Value)))
	}
}

// End signs the browser out.
func (s *Sessions) End(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.forget(r)
	s.mu.Unlock()
	c := sessionCookie("")
	c.MaxAge = -1
	http.SetCookie(w, c)
}

// sessionCookie lives as long as the browser: how long it is good for, the server decides.
func sessionCookie(value string) *http.Cookie {
	return &http.Cookie{Name: SessionCookie, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
}

// find is the live session of a request, nil for none; the caller holds mu.
func (s *Sessions) find(r *http.Request) *Session {
	c, err := r.Cookie(SessionCookie)
	if err != nil {
		return nil
	}
	x := s.all[sha256.Sum256([]byte(c.Value))]
	if x == nil || x.over(s.Now()) {
		return nil
	}
	return x
}

// Of is the session that a request shows and the token that it has to repeat; ok is false for none. touch begins its
// idle time anew.
func (s *Sessions) Of(r *http.Request, touch bool) (x Session, token string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.find(r)
	if found == nil || found.pending != nil {
		return Session{}, "", false
	}
	if touch {
		found.Seen = s.Now()
	}
	return *found, found.token, true
}

// Pending is the unfinished sign-in that a request shows; nil for none. Its fields are the caller's to change only by
// another Pend.
func (s *Sessions) Pending(r *http.Request) *Pending {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.find(r); x != nil && x.pending != nil {
		p := *x.pending
		return &p
	}
	return nil
}

// List is every session of an account, the newest first.
func (s *Sessions) List(account string) (list []Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	for _, x := range s.all {
		if x.Account == account && x.pending == nil && !x.over(now) {
			list = append(list, *x)
		}
	}
	slices.SortFunc(list, func(a, b Session) int { return cmp.Or(b.Begun.Compare(a.Begun), cmp.Compare(a.ID, b.ID)) })
	return list
}

// EndOne ends the session of an account that has the ID; an ID of another's is no session.
func (s *Sessions) EndOne(account, id string) {
	s.endIf(func(x *Session) bool { return x.Account == account && x.ID == id })
}

// EndAll signs out every browser of an account, at once.
func (s *Sessions) EndAll(account string) {
	s.endIf(func(x *Session) bool { return x.Account == account })
}

func (s *Sessions) endIf(ends func(*Session) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sum, x := range s.all {
		if ends(x) {
			delete(s.all, sum)
		}
	}
}
