package notify

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// errInside is said of a dial to an address that nothing in the configuration may lead to.
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
	return c.guarded(host, httpTimeout)
}

// smtpDialer dials the mail server, by the same rule: a relay in a network of one's own is named by the key inside.
func (c *Config) smtpDialer() *net.Dialer {
	host, _, err := net.SplitHostPort(c.SMTP.Address)
	if err != nil {
		host = "" // the dial says what is wrong
	}
	return c.guarded(host, c.SMTP.Timeout)
}

func (c *Config) guarded(host string, within time.Duration) *net.Dialer {
	allowed, _ := c.inside() // checked when the configuration was read
	guard := &Guard{Loopback: loopback(host), Inside: allowed}
	return &net.Dialer{Timeout: within, Control: guard.control}
}
