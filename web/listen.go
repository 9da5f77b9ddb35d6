package web

import (
	"io"
	"net/http"
	"net/netip"
	"time"
)

// MostClients is how many connections a listener of people and programs holds at once, of everybody.
const MostClients = 1024

// mostFromAddress is how many of them one address may have: an office behind one address, each browser with six.
const mostFromAddress = 256

// ConsolePace is how fast one address may ask the console and the interface: a hundred people behind one address, or a
// program that reads a whole journal, stay far below. What is beyond is refused before anybody is looked up for it.
func ConsolePace() Pace { return Pace{Burst: 2000, Every: 5 * time.Millisecond} }

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
