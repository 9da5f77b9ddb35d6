package web

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// maxHops is how many addresses of X-Forwarded-For are looked at.
const maxHops = 8

// ClientOf is whose request it is: the peer's address, or, where the peer is a proxy that the operator named, the last
// address in X-Forwarded-For that is none of its proxies. What anybody else says there is not read. It is the zero value
// where the connection has no address.
func ClientOf(r *http.Request, proxies []netip.Prefix) netip.Addr {
	peer := PeerAddress(r.RemoteAddr)
	trusted := func(a netip.Addr) bool {
		return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	if !trusted(peer) {
		return peer
	}
	said := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, s := range slices.Backward(said[max(0, len(said)-maxHops):]) {
		a, err := netip.ParseAddr(strings.TrimSpace(s))
		if err != nil {
			break
		}
		if a = a.Unmap().WithZone(""); !trusted(a) {
			return a
		}
	}
	return peer
}

// PeerAddress reads host and port of a peer; the zero value where it has none, such as of a socket in the file system.
func PeerAddress(remote string) netip.Addr {
	if ap, err := netip.ParseAddrPort(remote); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// Customer is what requests and connections are counted by: an IPv4 address, or the network of 64 bits that one customer
// is given of IPv6.
func Customer(a netip.Addr) netip.Addr {
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
