package web

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"
)

// TestClientOf: whose request it is. What is said in a header counts from the operator's own proxies alone, and from the
// last of them.
func TestClientOf(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fd00::/64")}
	for name, c := range map[string]struct {
		peer string
		said []string
		want string
	}{
		"nobody's word":            {"203.0.113.1:5", []string{"198.51.100.1"}, "203.0.113.1"},
		"the proxy's":              {"10.0.0.1:5", []string{"198.51.100.1"}, "198.51.100.1"},
		"the proxy's, of IPv6":     {"[fd00::1]:5", []string{"2001:db8::1"}, "2001:db8::1"},
		"through two proxies":      {"10.0.0.1:5", []string{"198.51.100.1, 10.0.0.9"}, "198.51.100.1"},
		"what somebody made up":    {"10.0.0.1:5", []string{"192.0.2.9", "192.0.2.8, 198.51.100.1"}, "198.51.100.1"},
		"no word":                  {"10.0.0.1:5", nil, "10.0.0.1"},
		"no address":               {"10.0.0.1:5", []string{"198.51.100.1, unknown"}, "10.0.0.1"},
		"mapped":                   {"[::ffff:203.0.113.1]:5", nil, "203.0.113.1"},
		"the proxy by another way": {"[::ffff:10.0.0.1]:5", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.peer
		for _, s := range c.said {
			r.Header.Add("X-Forwarded-For", s)
		}
		if got := ClientOf(r, proxies).String(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if r.RemoteAddr = "@"; ClientOf(r, proxies).IsValid() {
		t.Error("a socket in the file system has an address")
	}
}

// TestPaceOfAnAddress: a router with a pace refuses what is beyond it, of one address alone, before it asks who sends it;
// a handler knows who sent what came by a proxy.
func TestPaceOfAnAddress(t *testing.T) {
	router := NewRouter(nil)
	router.Pace = NewBuckets[netip.Addr](Pace{Burst: 2, Every: time.Hour})
	router.Proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}
	asked, from := 0, ""
	router.Identify = func(r *http.Request) (*Caller, error) { asked++; return nil, nil }
	router.Handle(Route{Method: http.MethodGet, Pattern: "/x", Rule: Rule{Public: true}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { from = AddressOf(r) }))
	send := func(peer, said string) int {
		r := httptest.NewRequest(http.MethodGet, "/x", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-For", said)
		w := httptest.NewRecorder()
		router.ServeHTTP(w, r)
		if w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
			t.Error("nobody is told when to come back")
		}
		return w.Code
	}
	for i, c := range []struct {
		peer, said string
		want       int
		from       string
	}{
		{"203.0.113.1:1", "1.1.1.1", 200, "203.0.113.1"}, {"203.0.113.1:2", "1.1.1.2", 200, "203.0.113.1"}, {"203.0.113.1:3", "1.1.1.3", 429, ""}, {"203.0.113.2:1", "", 200, "203.0.113.2"},
		{"[2001:db8::1]:1", "", 200, "2001:db8::1"}, {"[2001:db8::2]:1", "", 200, "2001:db8::2"}, {"[2001:db8::3]:1", "", 429, ""},
		{"10.0.0.1:1", "198.51.100.1", 200, "198.51.100.1"}, {"10.0.0.2:1", "198.51.100.1", 200, "198.51.100.1"}, {"10.0.0.1:1", "198.51.100.1", 429, ""}, {"10.0.0.1:1", "198.51.100.2", 200, "198.51.100.2"},
	} {
		before := asked
		from = ""
		if got := send(c.peer, c.said); got != c.want || from != c.from {
			t.Errorf("%d: %d from %q, want %d from %q", i, got, from, c.want, c.from)
		}
		if c.want == 429 && asked != before {
			t.Errorf("%d: who sent it was looked up", i)
		}
	}
}
