package check

import (
	"net"
	"net/netip"

	"touchstone/web"
)

// mostFromAddress is how many connections of the public pages one address has.
const mostFromAddress = 64

// Bounded lets so many connections in, and of one address so many; one beyond is closed at once. exempt are addresses
// whose connections are of many people: the operator's own proxies. Nobody signs in here, so no places are kept for
// addresses that did.
func Bounded(ln net.Listener, exempt []netip.Prefix) *web.Places {
	return web.NewPlaces(ln, web.MostClients, mostFromAddress, 0, exempt)
}
