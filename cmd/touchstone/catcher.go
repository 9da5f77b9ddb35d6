package main

import (
	"errors"
	"net"
	"net/netip"
	"path/filepath"

	"touchstone/notify"
)

// startCatcher hears mail on a loopback address, or beside it where its port is taken. wait ends it.
func startCatcher(a *app, c *notify.Catcher, at string) (wait func() error, address string, taken bool, err error) {
	ap, err := netip.ParseAddrPort(at)
	if err != nil || !ap.Addr().IsLoopback() {
		return nil, "", false, errors.New("smtp: the catcher takes mail from anybody: it is heard on loopback only, such as 127.0.0.1:2525")
	}
	ln, taken, err := listenAnywhere(at, func() (net.Listener, error) { return net.Listen("tcp", at) })
	if err != nil {
		return nil, "", false, err
	}
	if err := c.Open(); err != nil {
		return nil, "", false, errors.Join(err, ln.Close())
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Serve(ln) }()
	return func() error {
		err := c.Close()
		if closed := ln.Close(); !errors.Is(closed, net.ErrClosed) { // a server that began to serve has closed it
			err = errors.Join(err, closed)
		}
		return errors.Join(err, <-ended)
	}, ln.Addr().String(), taken, nil
}

// catchMail starts the demonstration's catcher and has all mail go there: the demonstration sends nothing to anybody. It
// writes the address book of a test data directory where there is none.
func (c *demoCmd) catchMail(a *app, e *engine) (wait func() error, err error) {
	if err := errors.Join(e.seedNotices(), e.loadNotices(c.Notify)); err != nil {
		return nil, err
	}
	wait, address, taken, err := startCatcher(a, &notify.Catcher{Dir: filepath.Join(e.dir, mailDirectory)}, c.Mail)
	if err != nil {
		return nil, err
	}
	e.notices.SMTP.Address, e.notices.SMTP.TLS, e.notices.SMTP.User = address, "none", ""
	e.mailbox, e.mailboxTaken = address, taken
	return wait, nil
}
