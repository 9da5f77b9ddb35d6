package check_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"touchstone/web/check"
)

// TestGuessesAreLockedOutAndCustomersAreNot: after sixty wrong codes for one number from anywhere one code is not enough,
// not even the right one; two in a row are. Another number is asked as before, and an hour later this one is, too.
func TestGuessesAreLockedOutAndCustomersAreNot(t *testing.T) {
	r := newRig(t)
	most := check.DefaultLimits().Device
	for i := range most {
		r.postFrom(fmt.Sprintf("198.51.100.%d:1", i), "/t", "serial", serial, "code", "00000000")
	}
	before := r.proven
	a := r.post("/t", "serial", serial, "code", code)
	if a.shape() != "cannot_tell" || !strings.Contains(a.body, `name="next"`) || r.proven != before {
		t.Errorf("one code while somebody guesses: %q, second asked for %v, examined %v", a.shape(), strings.Contains(a.body, `name="next"`), r.proven != before)
	}
	for name, c := range map[string]struct{ first, second, want string }{
		"two in a row": {code, nextCode, "yes"}, "the same twice": {code, code, "no"}, "the second wrong": {code, "00000000", "no"}, "the wrong way round": {nextCode, code, "no"},
	} {
		if got := r.post("/t", "serial", serial, "code", c.first, "next", c.second); got.shape() != c.want {
			t.Errorf("%s: %q, want %s", name, got.shape(), c.want)
		}
	}
	if got := r.post("/t", "serial", "OTHER", "code", "00000000"); got.shape() != "no" {
		t.Errorf("another number: %q", got.shape())
	}
	r.now = r.now.Add(time.Hour)
	if got := r.post("/t", "serial", serial, "code", code); got.shape() != "cannot_tell" {
		t.Errorf("in the next hour: %q", got.shape())
	}
	r.now = r.now.Add(time.Hour)
	if got := r.post("/t", "serial", serial, "code", code); got.shape() != "yes" {
		t.Errorf("two hours later: %q", got.shape())
	}
}

// TestWrongCodesOfOneAddress: who guesses is not heard for a while; who does not, is.
func TestWrongCodesOfOneAddress(t *testing.T) {
	r := newRig(t)
	for i := range 20 {
		if a := r.post("/t", "serial", fmt.Sprintf("N%d", i), "code", "00000000"); a.shape() != "no" {
			t.Fatalf("wrong code %d: %d", i+1, a.status)
		}
	}
	before := r.proven
	if a := r.post("/t", "serial", serial, "code", code); a.status != http.StatusTooManyRequests || r.proven != before {
		t.Errorf("the twenty-first: %d", a.status)
	}
	if a := r.post("/case", "number", "RPT-7", "code", "7KQ2M9XD"); a.status != http.StatusTooManyRequests {
		t.Errorf("a case from there: %d", a.status)
	}
	if a := r.postFrom("203.0.113.6:1", "/t", "serial", serial, "code", code); a.shape() != "yes" {
		t.Errorf("a neighbour: %q", a.shape())
	}
	r.now = r.now.Add(21 * time.Second)
	if a := r.post("/t", "serial", serial, "code", code); a.shape() != "yes" {
		t.Errorf("twenty seconds later: %d", a.status)
	}
}

// TestFlood: S-22. Of 4,000 requests of one address 120 are read; of as many from as many addresses, what everybody
// together may ask. What is refused has one small answer, and the tables stay bounded.
func TestFlood(t *testing.T) {
	r := newRig(t)
	count := func(from func(int) string) (read int) {
		for i := range 4_000 {
			a := r.ask("GET", "/t/"+serial, from(i), nil)
			switch {
			case a.status == http.StatusOK:
				read++
			case a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" || len(a.body) > 800:
				t.Fatalf("refused with %d and %d bytes", a.status, len(a.body))
			}
		}
		return read
	}
	if n := count(func(i int) string { return fmt.Sprintf("[2001:db8::%x]:1", i) }); n != 120 {
		t.Errorf("one network of IPv6: %d were read, want 120", n)
	}
	r.now = r.now.Add(time.Minute)
	if n := count(func(i int) string { return fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255) }); n != 400 {
		t.Errorf("everybody: %d were read, want 400", n)
	}
	if a := r.ask("POST", "/api/v1/checks", "10.0.0.1:1", strings.NewReader("{}")); a.status != http.StatusTooManyRequests || !strings.HasPrefix(a.body, `{"error"`) {
		t.Errorf("a program in a flood: %d %s", a.status, a.body)
	}
}

// TestForwardedFor: what a stranger says of his address is not read; what the operator's proxy says is.
func TestForwardedFor(t *testing.T) {
	for name, c := range map[string]struct {
		proxies []netip.Prefix
		peer    string
		said    func(i int) []string
		limited bool
	}{
		"stranger":                     {nil, customer, func(i int) []string { return []string{fmt.Sprintf("10.0.0.%d", i)} }, true},
		"stranger beside a proxy":      {[]netip.Prefix{loopback}, customer, func(i int) []string { return []string{fmt.Sprintf("10.0.0.%d", i)} }, true},
		"proxy, many customers":        {[]netip.Prefix{loopback}, "127.0.0.1:9", func(i int) []string { return []string{fmt.Sprintf("10.0.0.%d", i)} }, false},
		"proxy, one who lies before":   {[]netip.Prefix{loopback}, "127.0.0.1:9", func(i int) []string { return []string{fmt.Sprintf("10.0.0.%d, 198.51.100.7", i)} }, true},
		"proxy, one who sends another": {[]netip.Prefix{loopback}, "127.0.0.1:9", func(i int) []string { return []string{fmt.Sprintf("10.0.0.%d", i), "198.51.100.7"} }, true},
		"two proxies":                  {[]netip.Prefix{loopback}, "127.0.0.1:9", func(i int) []string { return []string{fmt.Sprintf("10.0.0.%d, 127.0.0.2", i)} }, false},
		"proxy, nonsense":              {[]netip.Prefix{loopback}, "127.0.0.1:9", func(i int) []string { return []string{"x, " + strings.Repeat(",", i)} }, true},
	} {
		r := newRig(t, func(o *check.Options) { o.Proxies = c.proxies })
		refused := 0
		for i := range 200 {
			var header []string
			for _, s := range c.said(i) {
				header = append(header, "X-Forwarded-For", s)
			}
			if r.ask("GET", "/", c.peer, nil, header...).status == http.StatusTooManyRequests {
				refused++
			}
		}
		if (refused > 0) != c.limited {
			t.Errorf("%s: %d of 200 refused", name, refused)
		}
	}
}

// TestConnections: one address has so many connections at once, another is let in beside it, and one that ends makes
// room.
func TestConnections(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln := check.Bounded(inner, nil)
	defer ln.Close()
	in := make(chan net.Conn, 100)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				close(in)
				return
			}
			in <- c
		}
	}()
	dial := func(from string) net.Conn {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	var held []net.Conn
	for range 64 {
		dial("127.0.0.1")
		held = append(held, <-in)
	}
	if _, err := dial("127.0.0.1").Read(make([]byte, 1)); err != io.EOF && !strings.Contains(fmt.Sprint(err), "reset") {
		t.Errorf("the sixty-fifth is not closed: %v", err)
	}
	dial("127.0.0.2")
	(<-in).Close()
	held[0].Close()
	held[0].Close() // twice counts once
	dial("127.0.0.1")
	(<-in).Close()
	for _, c := range held[1:] {
		c.Close()
	}
}
