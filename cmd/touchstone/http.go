package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
	"touchstone/web/console"
)

// consoleFlags are the flags, and configuration keys, of the console and the JSON interface.
type consoleFlags struct {
	HTTP     string   `name:"http" help:"Address of the console and of /api/v1; without TLS loopback only. Without it: none." placeholder:"HOST:PORT"`
	HTTPTLS  bool     `name:"http-tls" help:"Serve the console over TLS, under a certificate of the host's own authority."`
	HTTPCert string   `name:"http-tls-cert" help:"Serve the console over TLS, under this certificate with its chain, PEM." placeholder:"FILE"`
	HTTPKey  string   `name:"http-tls-key" help:"The key of that certificate, PEM." placeholder:"FILE"`
	HTTPHost []string `name:"http-host" help:"Name under which browsers reach the console, besides its address; a request under another name is refused. May be given again." placeholder:"NAME"`
	ListURL  string   `kong:"-"` // where the list of revoked certificates is, as the terminals' listener says it

	HTTPProxy []string `name:"http-proxy" help:"Network of a proxy of yours before the console, whose X-Forwarded-For is believed; may be given again." placeholder:"CIDR"`

	PassphraseDays int `name:"passphrase-days" help:"Days after which a person's passphrase has to be changed at the next sign-in; 0: no age ends one (NIST SP 800-63B advises 0)." placeholder:"DAYS"`
}

// demoHTTP is the demonstration's, when not told otherwise.
const demoHTTP = "127.0.0.1:8080"

// overTLS tells whether the console speaks TLS.
func (f *consoleFlags) overTLS() bool { return f.HTTPTLS || f.HTTPCert != "" }

// check refuses what may not be configured.
func (f *consoleFlags) check() error {
	switch {
	case (f.HTTPCert == "") != (f.HTTPKey == ""):
		return errors.New("http-tls-cert and http-tls-key go together")
	case f.HTTPTLS && f.HTTPCert != "":
		return errors.New("http-tls and http-tls-cert: one certificate, please: the authority's or your own")
	case f.PassphraseDays < 0 || f.PassphraseDays > 3650:
		return errors.New("passphrase-days: want 0 to 3650")
	}
	if _, err := proxyNetworks("http-proxy", f.HTTPProxy); err != nil {
		return err
	}
	for _, name := range f.HTTPHost {
		if name == "" || len(name) > 253 || strings.ContainsAny(name, "/:@ ") {
			return fmt.Errorf("http-host: %.64q: want a name without a port, such as pos.example.com", name)
		}
	}
	return nil
}

// listenHTTP opens the console's address; nil without one. A console without TLS is for this machine alone: a
// passphrase or a session's cookie that crosses a network in clear is everybody's.
func (f *consoleFlags) listenHTTP(test bool) (net.Listener, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	if f.HTTP == "" {
		return nil, nil
	}
	ap, err := netip.ParseAddrPort(f.HTTP)
	switch {
	case err != nil:
		return nil, fmt.Errorf("http: %.64q: want an address and a port, such as %s", f.HTTP, demoHTTP)
	case ap.Addr().Unmap().IsLoopback():
	case test:
		return nil, fmt.Errorf("http: %s is not loopback: a test data directory has published keys and is served on loopback only", f.HTTP)
	case !f.overTLS():
		return nil, fmt.Errorf("http: %s is not loopback: a console without TLS is served on loopback only; give http-tls, or http-tls-cert and http-tls-key", f.HTTP)
	case ap.Addr().IsUnspecified() && len(f.HTTPHost) == 0:
		return nil, fmt.Errorf("http: %s is every address: give http-host, the name under which browsers reach the console", f.HTTP)
	}
	return net.Listen("tcp", f.HTTP)
}

// hosts are the names under which the console is reached.
func (f *consoleFlags) hosts(at net.Addr) (names []string) {
	for _, name := range f.HTTPHost {
		names = append(names, strings.ToLower(name))
	}
	ap, err := netip.ParseAddrPort(at.String())
	if err == nil && !ap.Addr().IsUnspecified() {
		names = append(names, ap.Addr().Unmap().String())
	}
	return append(names, "localhost", "127.0.0.1", "::1")
}

// serveHTTP serves the console on ln, which may be nil. link is how the first person gets in, once; "" where that is
// not needed.
func (e *engine) serveHTTP(f *consoleFlags, ln net.Listener) (link string, stop func(), err error) {
	if ln == nil {
		return "", func() {}, nil
	}
	e.passphraseLife = time.Duration(f.PassphraseDays) * 24 * time.Hour
	ctx, cancel := context.WithCancel(context.Background())
	refused := func(err error) (string, func(), error) {
		cancel()
		return "", nil, errors.Join(err, ln.Close())
	}
	router, err := e.consoleRouter(f.hosts(ln.Addr()), f.overTLS())
	if err != nil {
		return refused(err)
	}
	if router.Proxies, err = proxyNetworks("http-proxy", f.HTTPProxy); err != nil {
		return refused(err)
	}
	router.Pace, router.Now = web.NewBuckets[netip.Addr](web.ConsolePace()), e.door.now
	certificate, refresh, err := e.consoleCertificate(ctx, f, ln.Addr())
	if err != nil {
		return refused(err)
	}
	done, renewed := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		if err := web.ServeRouter(ctx, ln, router, certificate); err != nil && ctx.Err() == nil {
			e.log.Error("the console is no longer served", slog.String("error", err.Error()))
		}
	}()
	go func() {
		defer close(renewed)
		refresh()
	}()
	scheme := "http://"
	if f.overTLS() {
		scheme = "https://"
	}
	if path := e.openLink(); path != "" {
		link = scheme + reached(f, ln.Addr()) + path
	}
	return link, func() {
		e.stream.Close() // its readers would be waited for
		cancel()
		<-done
		router.Wait()
		<-renewed
	}, nil
}

// reached is host and port of the console for a link.
func reached(f *consoleFlags, at net.Addr) string {
	_, port, err := net.SplitHostPort(at.String())
	if err != nil || len(f.HTTPHost) == 0 {
		return at.String()
	}
	return net.JoinHostPort(f.HTTPHost[0], port)
}

// consoleCertificate is what the console shows over TLS, nil without; refresh keeps it good until ctx ends.
func (e *engine) consoleCertificate(ctx context.Context, f *consoleFlags, at net.Addr) (show func() (*tls.Certificate, error), refresh func(), err error) {
	if !f.overTLS() {
		return nil, func() {}, nil
	}
	names := f.hosts(at)
	slices.Sort(names)
	flags := &tlsFlags{TLSCert: f.HTTPCert, TLSKey: f.HTTPKey, TLSListURL: f.ListURL}
	shown := new(atomic.Pointer[tls.Certificate])
	look := func() error {
		c, err := e.showing(ctx, flags, slices.Compact(slices.Clone(names)))
		if err == nil {
			shown.Store(c)
			e.integration.shows("console", c)
		}
		return err
	}
	if err := look(); err != nil {
		return nil, nil, err
	}
	return func() (*tls.Certificate, error) { return shown.Load(), nil }, func() {
		tick := time.NewTicker(refreshEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := look(); err != nil && ctx.Err() == nil {
					e.log.Error("the certificate of the console could not be renewed", slog.String("error", err.Error()))
				}
			}
		}
	}, nil
}

// consoleRouter is the table of everything that the console's listener serves, under the names of hosts.
func (e *engine) consoleRouter(hosts []string, secure bool) (*web.Router, error) {
	router := web.NewRouter(e.log)
	router.Hosts, router.Secure = hosts, secure
	router.Watch = func(s *web.Served) {
		e.integration.served(s)
		e.traces.served(s)
	}
	sessions := web.NewSessions()
	e.door.sessions = sessions
	router.Identify = e.withKeys(func(r *http.Request) (*web.Caller, error) {
		following := r.URL.Path == api.Root+"/live" || r.URL.Path == api.StreamPath // a page that only follows is not used
		return e.callerOf(sessions, r, !following), nil
	})
	router.Still = func(r *http.Request, account string) bool { return e.stillIn(sessions, r, account) }
	e.estate.start()
	d, door := newDesk(e), &desk{e}
	programs := api.New(router, version())
	programs.Mount(d)
	if _, err := console.New(router, console.Options{Desk: d, Interface: programs, Door: door, Guests: door, Self: door, Chinese: errorInChinese, Sessions: sessions,
		Zone: e.line.Zone, Test: e.test, Version: version(), Log: e.log}); err != nil {
		return nil, err
	}
	return router, nil
}

// callerOf is who sends a request by a session; nil for nobody. A session of an account that is not as it was when the
// session began ends here: with another role, another passphrase, disabled, left. touch begins its idle time anew.
func (e *engine) callerOf(sessions *web.Sessions, r *http.Request, touch bool) *web.Caller {
	x, token, ok := sessions.Of(r, touch)
	if !ok {
		return nil
	}
	var a *staff.Account
	var p staff.Preference
	var stamp string
	e.office.view(func(r *rooms) {
		a, p, stamp = r.staff.Account(x.Account), r.staff.Preference(x.Account), r.staff.Stamp(x.Account)
	})
	if a == nil || a.Disabled || stamp != x.Stamp {
		sessions.EndOne(x.Account, x.ID)
		return nil
	}
	c := callerFor(a)
	c.Via, c.Token, c.Lang, c.Theme = web.BySession, token, p.Lang, p.Theme
	return c
}

// stillIn tells whether who sent a request that lasts would be let in now.
func (e *engine) stillIn(sessions *web.Sessions, r *http.Request, account string) bool {
	scheme, token, byKey := strings.Cut(r.Header.Get("Authorization"), " ")
	if !byKey || !strings.EqualFold(scheme, "Bearer") {
		c := e.callerOf(sessions, r, false)
		return c != nil && c.Account == account
	}
	var k *staff.APIKey
	e.office.view(func(r *rooms) { k = r.staff.APIKeyBySum(sha256.Sum256([]byte(token)), e.clock()) })
	return k != nil
}

// callerFor is an account as a caller, however it was proven.
func callerFor(a *staff.Account) *web.Caller {
	c := &web.Caller{Account: a.Name, FullName: a.FullName, Roles: a.Roles}
	copy(c.Shop[:], a.Shop)
	return c
}

// stampOf is the stamp of an account as it is; see web.Session.
func (e *engine) stampOf(name string) (stamp string) {
	e.office.view(func(r *rooms) { stamp = r.staff.Stamp(name) })
	return stamp
}
