package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"touchstone/web"
)

// table is a table of sessions under a clock of the test's.
func table(t *testing.T) (s *web.Sessions, later func(time.Duration)) {
	t.Helper()
	var mu sync.Mutex
	now := time.Date(2026, 11, 28, 8, 0, 0, 0, time.UTC)
	s = web.NewSessions()
	s.Now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	return s, func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
	}
}

// begin signs a browser in and returns a request that shows its session.
func begin(s *web.Sessions, account string) *http.Request {
	w := httptest.NewRecorder()
	s.Begin(w, httptest.NewRequest(http.MethodPost, "/sign-in", nil), account, "stamp")
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, c := range w.Result().Cookies() {
		r.AddCookie(c)
	}
	return r
}

func live(s *web.Sessions, r *http.Request, touch bool) bool {
	_, _, ok := s.Of(r, touch)
	return ok
}

// TestSessionLives: a session ends after its idle time and after its whole time, at the nanosecond; a look that is no use
// does not lengthen it.
func TestSessionLives(t *testing.T) {
	s, later := table(t)
	r := begin(s, "qian")
	later(web.SessionIdle - 1)
	if !live(s, r, false) {
		t.Error("over before its idle time")
	}
	if later(1); live(s, r, false) {
		t.Error("alive after its idle time, by a look")
	}
	r = begin(s, "qian")
	for spent := time.Duration(0); spent < web.SessionLife-10*time.Minute; spent += 10 * time.Minute {
		if later(10 * time.Minute); !live(s, r, true) {
			t.Fatalf("over after %s of use", spent)
		}
	}
	if later(10*time.Minute - 1); !live(s, r, true) {
		t.Error("over before its whole time")
	}
	if later(1); live(s, r, true) {
		t.Error("alive after its whole time")
	}
}

// TestSessionsOfOne: an account has twenty at most, the one silent longest makes room; one's list has one's own alone, and
// ending by name ends one's own alone.
func TestSessionsOfOne(t *testing.T) {
	s, later := table(t)
	first, other := begin(s, "qian"), begin(s, "sun")
	for range 20 {
		later(time.Second)
		begin(s, "qian")
	}
	if live(s, first, false) || !live(s, other, false) || len(s.List("qian")) != 20 || len(s.List("sun")) != 1 {
		t.Errorf("%d sessions", len(s.List("qian")))
	}
	s.EndOne("qian", s.List("sun")[0].ID)
	if !live(s, other, false) {
		t.Error("another's session was ended by its name")
	}
	s.EndAll("qian")
	if len(s.List("qian")) != 0 || !live(s, other, false) {
		t.Error("not exactly all of one account ended")
	}
}

// TestPendingIsNoSession: what a passphrase alone began opens nothing and ends by itself.
func TestPendingIsNoSession(t *testing.T) {
	s, later := table(t)
	w := httptest.NewRecorder()
	s.Pend(w, httptest.NewRequest(http.MethodPost, "/sign-in", nil), &web.Pending{Account: "qian"})
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.AddCookie(w.Result().Cookies()[0])
	if live(s, r, true) || s.Pending(r) == nil || len(s.List("qian")) != 0 {
		t.Error("a pending sign-in is a session, or is none")
	}
	if later(web.PendingLife); s.Pending(r) != nil {
		t.Error("it does not end")
	}
}

// TestEndedStaysEnded: requests under way while a session is ended do not bring it back.
func TestEndedStaysEnded(t *testing.T) {
	s, _ := table(t)
	for range 50 {
		r := begin(s, "qian")
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { live(s, r, true) })
		}
		all.Go(func() { s.EndAll("qian") })
		all.Wait()
		if live(s, r, true) {
			t.Fatal("a session came back")
		}
	}
}

// TestAddressOf: where a request came from is the connection's word; headers are not looked at.
func TestAddressOf(t *testing.T) {
	for remote, want := range map[string]string{"192.0.2.1:80": "192.0.2.1", "[2001:db8::1]:80": "2001:db8::1", "[::ffff:192.0.2.1]:80": "192.0.2.1", "[fe80::1%eth0]:80": "fe80::1",
		"": "", "@": "", "somewhere:80": "", "192.0.2.1": ""} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = remote
		r.Header.Set("X-Forwarded-For", "203.0.113.9")
		if got := web.AddressOf(r); got != want {
			t.Errorf("%q: %q", remote, got)
		}
	}
}

// TestBrowserOf: a name of a few words, whatever a client says.
func TestBrowserOf(t *testing.T) {
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0": "Firefox on Linux", "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0": "Edge on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 Safari/604": "Safari on iPhone", "curl/8.9": "curl", "": "a browser", "<script>alert(1)</script>\r\n": "a browser", strings.Repeat("A", 9000): "a browser",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["User-Agent"] = []string{agent}
		if got := web.BrowserOf(r); got != want {
			t.Errorf("%.40q: %q", agent, got)
		}
	}
}
