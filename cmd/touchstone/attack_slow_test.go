package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"touchstone/web"
)

// dialFrom connects from an address of this machine's own network.
func (r *wireRig) dialFrom(t *testing.T, address string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	c, err := d.Dial("tcp", r.at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// oneAddress holds more connections from one address than it may have: those beyond are closed at once, and others are
// answered while it holds them.
func (r *wireRig) oneAddress(t *testing.T) {
	for end := time.Now().Add(patience); !r.crowd(t); {
		if time.Now().After(end) {
			t.Fatal("NOT SHOWN: the first connections' time is over before the last ones are opened, whenever it is tried")
		}
	}
}

// crowd tries it once. It tells nothing, and says false, where the first connection's own time was over by then: then the
// others may have ended for that.
func (r *wireRig) crowd(t *testing.T) (told bool) {
	const most, beyond = 256, 60
	conns := make([]net.Conn, 0, most+beyond)
	for range most + beyond {
		c := r.dialFrom(t, "127.0.0.40")
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ") // one too many is closed already
		conns = append(conns, c)
	}
	for i, c := range conns[most:] {
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := c.Read(make([]byte, 1)); err == nil || asTimeout(err, nil) {
			t.Fatalf("connection %d of one address is not closed: %v", most+i+1, err)
		}
	}
	r.honest(t)
	told = !hungUp(t, conns[0])
	for _, c := range conns {
		c.Close()
	}
	if told {
		return true
	}
	until(t, "the end of the connections that were closed", func() bool { // or those of the next try were beyond what is let in
		c := r.dialFrom(t, "127.0.0.40")
		defer c.Close()
		_, _ = io.WriteString(c, "GET /assets/base.css HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
		_ = c.SetReadDeadline(time.Now().Add(patience))
		n, _ := c.Read(make([]byte, 1))
		return n == 1
	})
	return false
}

// fourAddresses has four addresses take every place they may with bodies that come slowly, which is a minute's hold. A fifth
// address is answered at its first try, each time, while they hold the rest.
func (r *wireRig) fourAddresses(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < 3000 {
		t.Skipf("NOT RUN: only %d descriptors, %v", limit.Cur, err)
	}
	var conns []net.Conn
	for range 256 {
		for last := range 4 {
			c := r.dialFrom(t, fmt.Sprintf("127.0.0.%d", 41+last))
			_, _ = io.WriteString(c, "POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 16000\r\n\r\naccount=")
			conns = append(conns, c)
		}
	}
	for n := range 20 {
		c := r.dialFrom(t, "127.0.0.60")
		_, _ = io.WriteString(c, "GET /assets/base.css HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		_ = c.SetReadDeadline(time.Now().Add(time.Minute)) // they would hold their places as long
		first := make([]byte, 12)
		if _, err := io.ReadFull(c, first); err != nil || string(first) != "HTTP/1.1 200" {
			t.Fatalf("honest request %d: %q %v", n, first, err)
		}
	}
	held, looked := 0, 0
	for i, c := range conns {
		if i%8 < 4 { // a hundred and twenty-eight of each address
			looked++
			if !hungUp(t, c) {
				held++
			}
		}
		c.Close()
	}
	if held < looked/2 {
		t.Errorf("only %d of %d still held a place: nothing was shown", held, looked)
	}
}

// TestS22Requests: who asks faster than one address may is told to wait, in the one form of errors, and nobody else is;
// a header that says who one is counts from the operator's own proxy alone.
func TestS22Requests(t *testing.T) {
	h := newStaffHouse(t)
	stopped, later := time.Now(), new(atomic.Int64) // a bucket fills by this clock alone
	h.door.by(func() time.Time { return stopped.Add(time.Duration(later.Load())) })
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, stop, err := h.serveHTTP(&consoleFlags{HTTP: ln.Addr().String(), HTTPProxy: []string{"127.0.0.7"}}, ln)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	clients := map[string]*http.Client{}
	ask := func(from, path, said string) *http.Response {
		t.Helper()
		if clients[from] == nil {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
			clients[from] = &http.Client{Transport: &http.Transport{DialContext: d.DialContext}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			t.Cleanup(clients[from].CloseIdleConnections)
		}
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+ln.Addr().String()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if said != "" {
			q.Header.Set("X-Forwarded-For", said)
		}
		w, err := clients[from].Do(q)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, w.Body)
		w.Body.Close()
		return w
	}
	pace := web.ConsolePace()
	flood := func(from, said string) (answered int) {
		for answered <= pace.Burst {
			if ask(from, "/assets/base.css", said).StatusCode == http.StatusTooManyRequests {
				break
			}
			answered++
		}
		return answered
	}
	if n := flood("127.0.0.8", ""); n != pace.Burst {
		t.Errorf("one address is told to wait after %d requests, want %d", n, pace.Burst)
	}
	later.Add(int64(pace.Every))
	if n := flood("127.0.0.8", ""); n != 1 {
		t.Errorf("%s later %d requests are answered, want 1", pace.Every, n)
	}
	if w := ask("127.0.0.8", "/api/v1/terminals", "10.1.1.1"); w.StatusCode != http.StatusTooManyRequests || w.Header.Get("Retry-After") == "" || w.Header.Get("Content-Type") != "application/json" {
		t.Errorf("of the interface, with another name in a header: %d %v", w.StatusCode, w.Header)
	}
	if w := ask("127.0.0.9", "/sign-in", ""); w.StatusCode != http.StatusOK {
		t.Errorf("another address: %d", w.StatusCode)
	}
	if n := flood("127.0.0.7", "203.0.113.5"); n != pace.Burst {
		t.Errorf("one who comes by way of the proxy is told to wait after %d requests, want %d", n, pace.Burst)
	}
	if w := ask("127.0.0.7", "/sign-in", "203.0.113.5, 127.0.0.7"); w.StatusCode != http.StatusTooManyRequests {
		t.Errorf("behind the proxy who asked too fast: %d", w.StatusCode)
	}
	if w := ask("127.0.0.7", "/sign-in", "203.0.113.5, 203.0.113.6"); w.StatusCode != http.StatusOK {
		t.Errorf("behind the proxy somebody else, and what they said of themselves before it: %d", w.StatusCode)
	}
	if err := (&consoleFlags{HTTPProxy: []string{"proxy"}}).check(); err == nil || !strings.Contains(err.Error(), "http-proxy") {
		t.Errorf("a proxy's name for its network: %v", err)
	}
}

// TestS22Slow holds connections with slow headers, slow bodies and slow reading for more than a minute: each ends when its
// time is over, and an honest request is answered all the while.
func TestS22Slow(t *testing.T) {
	if os.Getenv("TOUCHSTONE_LONG") == "" {
		t.Skip("a minute: TOUCHSTONE_LONG=1")
	}
	rig := newAttackRig(t)
	r := rig.listen(t, nil)
	var all sync.WaitGroup
	slow := func(what, first string, most time.Duration) {
		c := r.dialFrom(t, fmt.Sprintf("127.0.0.%d", 50))
		all.Go(func() {
			begun := time.Now()
			_, _ = io.WriteString(c, first)
			closed := make(chan struct{})
			go func() {
				defer close(closed)
				_ = c.SetReadDeadline(begun.Add(2 * most))
				_, _ = io.Copy(io.Discard, c)
			}()
			for tick := time.NewTicker(time.Second); ; {
				select {
				case <-closed:
					if took := time.Since(begun); took > most {
						t.Errorf("%s: held for %s", what, took)
					}
					return
				case <-tick.C:
					_, _ = io.WriteString(c, "a") // closed, the other goroutine tells
				}
			}
		})
	}
	for range 80 {
		slow("slow headers", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", 10*time.Second)
		slow("slow body", "POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 16000\r\n\r\naccount=", 70*time.Second)
		slow("no first byte", "", 70*time.Second)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); all.Wait() }()
	for asked := 0; ; asked++ {
		select {
		case <-ended:
			if asked < 60 {
				t.Errorf("only %d honest requests", asked)
			}
			return
		default:
			r.honest(t)
			time.Sleep(250 * time.Millisecond) // as a person pauses
		}
	}
}
