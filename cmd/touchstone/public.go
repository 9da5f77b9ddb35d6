package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"touchstone/authority"
	"touchstone/explain"
	"touchstone/web"
	"touchstone/web/check"
)

// publicFlags are the flags, and configuration keys, of the pages for everybody.
type publicFlags struct {
	Public      string   `name:"public" help:"Address of the public pages: check a terminal, explain, report, claim. Without TLS loopback only. Without it: none." placeholder:"HOST:PORT"`
	PublicURL   string   `name:"public-url" help:"Base address of the public pages, as QR codes say it. Default: the listener's own." placeholder:"URL"`
	PublicTLS   bool     `name:"public-tls" help:"Serve the public pages over TLS: under tls-cert, or a certificate of the built-in authority for the name in public-url."`
	PublicProxy []string `name:"public-proxy" help:"Network of a proxy of yours before the public pages, whose X-Forwarded-For is believed; may be given again." placeholder:"CIDR"`
}

// demoPublic is the demonstration's, when not told otherwise.
const demoPublic = "127.0.0.1:8081"

// Bounds of the port: an old phone on a slow line sends one photograph in a minute.
const (
	publicHeaderTime = 5 * time.Second
	publicReadTime   = 60 * time.Second
	publicWriteTime  = 60 * time.Second
	publicIdleTime   = 20 * time.Second
	publicMaxHeader  = 8 << 10
)

// listenPublic opens the address; nil without one. Without TLS the pages are for this machine, or for a proxy on it.
func (f *publicFlags) listenPublic(test bool) (net.Listener, error) {
	if f.Public == "" {
		return nil, nil
	}
	ap, err := netip.ParseAddrPort(f.Public)
	switch {
	case err != nil:
		return nil, fmt.Errorf("public: %q: want an address and a port, such as %s", f.Public, demoPublic)
	case test && !ap.Addr().IsLoopback():
		return nil, fmt.Errorf("public: %s is not loopback: a test data directory has published keys and is served on loopback only", f.Public)
	case !f.PublicTLS && !ap.Addr().IsLoopback():
		return nil, fmt.Errorf("public: %s is not loopback: give public-tls, or listen on loopback behind a proxy that speaks TLS", f.Public)
	}
	if _, err := f.base(nil); err != nil {
		return nil, err
	}
	if _, err := f.proxies(); err != nil {
		return nil, err
	}
	return net.Listen("tcp", f.Public)
}

// base is the base address without a slash at its end; where none is given, that of the listener.
func (f *publicFlags) base(at net.Addr) (string, error) {
	if f.PublicURL == "" {
		if at == nil {
			return "", nil
		}
		scheme := "http://"
		if f.PublicTLS {
			scheme = "https://"
		}
		return scheme + at.String(), nil
	}
	u, err := url.Parse(f.PublicURL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return "", fmt.Errorf("public-url: %q: want such as https://check.example, without a path", f.PublicURL)
	case u.Scheme == "http" && !isLoopbackName(u.Hostname()):
		return "", fmt.Errorf("public-url: %q: a QR code that leads anywhere but to this machine says https", f.PublicURL)
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), nil
}

func isLoopbackName(name string) bool {
	ip, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && ip.IsLoopback()
}

// proxies are the networks of the operator's own proxies.
func (f *publicFlags) proxies() ([]netip.Prefix, error) {
	return proxyNetworks("public-proxy", f.PublicProxy)
}

// proxyNetworks reads networks, or single addresses, of the operator's own proxies, given as key.
func proxyNetworks(key string, given []string) (list []netip.Prefix, err error) {
	for _, s := range given {
		p, err := netip.ParsePrefix(s)
		if ip, bad := netip.ParseAddr(s); err != nil && bad == nil {
			p, err = ip.Prefix(ip.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %.64q: want a network or an address, such as 127.0.0.1", key, s)
		}
		list = append(list, p.Masked())
	}
	return list, nil
}

// checkURL is the base address of the public pages, "" where there are none.
func (e *engine) checkURL() string {
	if s := e.public.Load(); s != nil {
		return *s
	}
	return ""
}

// publicPages makes the pages, which listener and tests serve.
func (e *engine) publicPages(f *publicFlags, base string) (*check.Pages, error) {
	catalogue, err := explain.Load()
	if err != nil {
		return nil, err
	}
	proxies, err := f.proxies()
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	router := web.NewRouter(e.log)
	router.Hosts, router.Secure = []string{strings.ToLower(u.Hostname())}, u.Scheme == "https"
	decoy, err := decoyCertificate()
	if err != nil {
		return nil, err
	}
	d := &publicDesk{e, e.module, decoy}
	return check.New(router, check.Options{Devices: d, Cases: d, Catalogue: catalogue, Proxies: proxies, Zone: e.line.Zone, Clock: func() time.Time { return e.clock().Time() },
		Base: base, Test: e.test, Log: e.log})
}

// servePublic serves the public pages on ln, which may be nil. The returned func ends it and waits.
func (e *engine) servePublic(f *publicFlags, t *tlsFlags, ln net.Listener) (stop func(), err error) {
	if ln == nil {
		return func() {}, nil
	}
	base, err := f.base(ln.Addr())
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	pages, err := e.publicPages(f, base)
	if err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	secure, renewed, err := e.publicTLS(ctx, f, t, base)
	if err != nil {
		cancel()
		return nil, errors.Join(err, ln.Close())
	}
	e.public.Store(&base)
	server := &http.Server{Handler: pages, ReadHeaderTimeout: publicHeaderTime, ReadTimeout: publicReadTime, WriteTimeout: publicWriteTime, IdleTimeout: publicIdleTime,
		MaxHeaderBytes: publicMaxHeader, ErrorLog: log.New(io.Discard, "", 0)} // net/http would quote what a client sent
	places := check.Bounded(ln, pages.Proxies)
	places.Follow(server)
	var door net.Listener = places
	if secure != nil {
		door = tls.NewListener(door, secure)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(door); err != nil && !errors.Is(err, http.ErrServerClosed) {
			e.log.Error("the public pages are no longer served", slog.String("error", err.Error()))
		}
	}()
	var forget sync.WaitGroup
	forget.Go(func() { e.forgetContacts(ctx) })
	return func() {
		e.public.Store(nil)
		late, end := context.WithTimeout(context.Background(), time.Second)
		defer end()
		if server.Shutdown(late) != nil {
			_ = server.Close() // who still reads is cut off
		}
		cancel()
		<-done
		<-renewed
		forget.Wait()
	}, nil
}

// publicTLS is how the listener speaks TLS, as the terminals' own; nil where it does not. renewed is closed when what
// keeps the certificate fresh has ended.
func (e *engine) publicTLS(ctx context.Context, f *publicFlags, t *tlsFlags, base string) (config *tls.Config, renewed chan struct{}, err error) {
	renewed = make(chan struct{})
	if !f.PublicTLS {
		close(renewed)
		return nil, renewed, nil
	}
	u, err := url.Parse(base)
	if err != nil {
		return nil, nil, err
	}
	shown := new(atomic.Pointer[tls.Certificate])
	refresh := func() error {
		c, err := e.showing(ctx, t, []string{u.Hostname()})
		if err == nil {
			shown.Store(c)
			e.integration.shows("public", c)
		}
		return err
	}
	if err := refresh(); err != nil {
		return nil, nil, err
	}
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
					e.log.Error("the certificate of the public pages could not be renewed", slog.String("error", err.Error()))
				}
			}
		}
	}()
	config = authority.ServerTLS(func() (*tls.Certificate, error) { return shown.Load(), nil })
	config.NextProtos = []string{"http/1.1"} // one bound for one request
	return config, renewed, nil
}
