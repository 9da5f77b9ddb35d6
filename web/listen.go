package web

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// MostClients is how many connections a listener of people and programs holds at once, of everybody.
const MostClients = 1024

// mostFromAddress is how many of them one address may have: an office behind one address, each browser with six.
const mostFromAddress = 256

// ConsolePace is how fast one address may ask the console and the interface: a hundred people behind one address, or a
// program that reads a whole journal, stay far below. What is beyond is refused before anybody is looked up for it.
func ConsolePace() Pace { return Pace{Burst: 2000, Every: 5 * time.Millisecond} }

// Bounded lets most connections of everybody in, and so many of one address; one beyond is closed at once, so that the
// others do not wait behind it. exempt are addresses whose connections are of many people: the operator's own proxies.
func Bounded(ln net.Listener, most, fromOne int, exempt []netip.Prefix) net.Listener {
	return &boundedBy{Listener: ln, most: most, fromOne: fromOne, exempt: exempt, from: map[netip.Addr]int{}}
}

type boundedBy struct {
	net.Listener
	most, fromOne int
	exempt        []netip.Prefix
	mu            sync.Mutex // guards what follows
	all           int
	from          map[netip.Addr]int
}

// Accept implements net.Listener.
func (b *boundedBy) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		at := PeerAddress(c.RemoteAddr().String())
		if b.enter(at) {
			return &slot{Conn: c, leave: sync.OnceFunc(func() { b.leave(at) })}, nil
		}
		_ = c.Close() // it is one too many, whatever closing says
	}
}

func (b *boundedBy) enter(at netip.Addr) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	most := b.fromOne
	if !at.IsValid() || slices.ContainsFunc(b.exempt, func(p netip.Prefix) bool { return p.Contains(at) }) {
		most = b.most
	}
	at = Customer(at)
	if b.all >= b.most || b.from[at] >= most {
		return false
	}
	b.all++
	b.from[at]++
	return true
}

func (b *boundedBy) leave(at netip.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at = Customer(at)
	b.all--
	if b.from[at]--; b.from[at] == 0 {
		delete(b.from, at)
	}
}

// tooFast is the whole answer of a page to a flood: no template, no language chosen.
const tooFast = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>429</title>` +
	`<h1>Too many requests</h1><p>Too many requests come from your address. Wait some seconds, then try again.</p><p lang="zh">您的地址发来的请求过多。请稍等几秒再试。</p></html>`

// tooMany tells whether a request is one too many of its address, and answers it then.
func (t *Router) tooMany(w http.ResponseWriter, r *http.Request, isAPI bool) bool {
	if t.Pace == nil || t.Pace.Allow(Customer(PeerAddress(r.RemoteAddr)), t.Now()) {
		return false
	}
	w.Header().Set("Retry-After", "5")
	if isAPI {
		t.API(w, r, http.StatusTooManyRequests, "too_many_requests")
		return true
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(http.StatusTooManyRequests)
	_, _ = io.WriteString(w, tooFast) // who asked is gone when this fails
	return true
}

// fromClient has a request say who sent it, where a proxy of the operator's stands between.
func (t *Router) fromClient(r *http.Request) {
	if len(t.Proxies) == 0 {
		return
	}
	if a := ClientOf(r, t.Proxies); a.IsValid() && a != PeerAddress(r.RemoteAddr) {
		r.RemoteAddr = netip.AddrPortFrom(a, 0).String()
	}
}
