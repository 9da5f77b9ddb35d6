package web

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// AddressOf is where a request came from: the connection's own address, or what a proxy that the operator named says of it
// (Router.Proxies). What headers of anybody else say, such as X-Forwarded-For, is what a client likes to say and is not
// looked at. "" where the connection has none.
func AddressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	a, err := netip.ParseAddr(host)
	if err != nil {
		return ""
	}
	return a.Unmap().WithZone("").String()
}

// BrowserOf names a browser as its person would: Firefox on Linux. It decides nothing: a client may say what it likes.
func BrowserOf(r *http.Request) string {
	agent := r.UserAgent()
	browser, system := "a browser", ""
	for _, b := range [...]struct{ mark, name string }{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"}} {
		if strings.Contains(agent, b.mark) {
			browser = b.name
			break
		}
	}
	for _, s := range [...]struct{ mark, name string }{{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"}} {
		if strings.Contains(agent, s.mark) {
			system = " on " + s.name
			break
		}
	}
	return browser + system
}
