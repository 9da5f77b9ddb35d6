package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"touchstone/releases"
	"touchstone/web"
)

// httpsFlags are the flags, and configuration keys, of the HTTPS port.
type httpsFlags struct {
	HTTPS string `name:"https" help:"Address of the HTTPS port, where terminals report their health and fetch releases, and anybody asks what a certificate is worth. Without it: none." placeholder:"HOST:PORT"`
}

// demoHTTPS is the demonstration's, when not told otherwise.
const demoHTTPS = "127.0.0.1:8585"

// releasesPath is where the repository of releases is served.
const releasesPath = "/releases/"

// listenHTTPS opens the address; nil without one. A test data directory is served on loopback only.
func (f *httpsFlags) listenHTTPS(test bool) (net.Listener, error) {
	if f.HTTPS == "" {
		return nil, nil
	}
	ap, err := netip.ParseAddrPort(f.HTTPS)
	if err != nil {
		return nil, fmt.Errorf("https: %q: want an address and a port, such as %s", f.HTTPS, demoHTTPS)
	}
	if test && !ap.Addr().IsLoopback() {
		return nil, fmt.Errorf("https: %s is not loopback: a test data directory has published keys and is served on loopback only", f.HTTPS)
	}
	return net.Listen("tcp", f.HTTPS)
}

// mount puts what the host serves over HTTPS under its paths.
func (e *engine) mount(s *web.Server) {
	s.Handle(web.HealthPath, web.Health(e.healthDesk()))
	e.mountCertificates(s.Handle)
	s.Handle("GET "+releasesPath, http.StripPrefix(releasesPath, e.repository(releases.DefaultLives())))
}

// serveHTTPS serves the HTTPS port on ln, which may be nil, under the certificate that the terminals' own TLS listener
// would show for its names. The returned func ends it and waits.
func (e *engine) serveHTTPS(f *tlsFlags, ln net.Listener) (stop func(), err error) {
	if ln == nil {
		return func() {}, nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	shown := new(atomic.Pointer[tls.Certificate])
	refresh := func() error {
		c, err := e.showing(ctx, f, f.names(ln.Addr()))
		if err == nil {
			shown.Store(c)
			e.integration.shows("https", c)
		}
		return err
	}
	if err := refresh(); err != nil {
		cancel()
		ln.Close()
		return nil, err
	}
	s := web.New(func() (*tls.Certificate, error) { return shown.Load(), nil })
	e.mount(s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Serve(ctx, ln); err != nil && ctx.Err() == nil {
			e.log.Error("the HTTPS port is no longer served", slog.String("error", err.Error()))
		}
	}()
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		look := time.NewTicker(refreshEvery)
		defer look.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-look.C:
				if err := refresh(); err != nil && ctx.Err() == nil {
					e.log.Error("the certificate of the HTTPS port could not be renewed", slog.String("error", err.Error()))
				}
			}
		}
	}()
	return func() {
		cancel()
		<-done
		<-renewed
	}, nil
}

// closeListener closes a listener that may be none.
func closeListener(ln net.Listener) error {
	if ln == nil {
		return nil
	}
	return ln.Close()
}
