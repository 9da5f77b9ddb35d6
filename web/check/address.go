package check

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// addressOf is whose request it is: the peer's address, or, where the peer is a proxy that the operator named, the last
// address in X-Forwarded-For that is none of its proxies. What anybody else says there is not read. Of IPv6 it is the
// network of 64 bits that a customer is given.
func addressOf(r *http.Request, proxies []netip.Prefix) netip.Addr {
	peer := addrOf(r.RemoteAddr)
	trusted := func(a netip.Addr) bool {
		return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	if !trusted(peer) {
		return network(peer)
	}
	said := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, s := range slices.Backward(said[max(0, len(said)-maxHops):]) {
		a, err := netip.ParseAddr(strings.TrimSpace(s))
		if err != nil {
			break
		}
		if a = a.Unmap(); !trusted(a) {
			return network(a)
		}
	}
	return network(peer)
}

// maxHops is how many addresses of X-Forwarded-For are looked at.
const maxHops = 8

func addrOf(remote string) netip.Addr {
	if ap, err := netip.ParseAddrPort(remote); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

func network(a netip.Addr) netip.Addr {
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
