package check

import (
	"net/http"
	"net/netip"

	"touchstone/web"
)

// addressOf is whose request it is, as the limits count it.
func addressOf(r *http.Request, proxies []netip.Prefix) netip.Addr {
	return web.Customer(web.ClientOf(r, proxies))
}
