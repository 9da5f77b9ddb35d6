package notify

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// errInside is said of a dial to an address that no URL of the configuration may lead to.
var errInside = errors.New("the address is not public, and not in a network of the key inside: nothing was sent")

// inside reads the networks that are allowed without being public.
func (c *Config) inside() (list []netip.Prefix, err error) {
	for _, s := range c.Inside {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("%w: inside: %.60q: want a network such as 10.1.0.0/16", ErrConfig, s)
		}
		list = append(list, p.Masked())
	}
	return list, nil
}

// dialer dials for a URL whose host is written so. It looks at the address that is dialled, after the name was looked up:
// a name that somebody else leads to an address of this machine or network leads nowhere. This machine is dialled where
// the configuration itself says so, by its address or as localhost.
func (c *Config) dialer(host string) *net.Dialer {
	allowed, _ := c.inside() // checked when the configuration was read
	guard := &Guard{Loopback: loopback(host), Inside: allowed}
	return &net.Dialer{Timeout: httpTimeout, Control: guard.control}
}
