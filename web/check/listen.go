package check

import (
	"net"
	"net/netip"

	"touchstone/web"
)

// mostFromAddress is how many connections of the public pages one address has.
const mostFromAddress = 64

// Bounded lets so many connections in, and of one address so many; one beyond is closed at once. exempt are addresses
// whose connections are of many people: the operator's own proxies.
func Bounded(ln net.Listener, exempt []netip.Prefix) net.Listener {
	return web.Bounded(ln, web.MostClients, mostFromAddress, exempt)
}
