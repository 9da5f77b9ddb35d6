package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/api"
	"touchstone/web/console"
)

// consoleFlags are the flags, and configuration keys, of the console and the JSON interface.
type consoleFlags struct {
	HTTP string `name:"http" help:"Address of the console and of /api/v1; loopback only, without TLS. Without it: none." placeholder:"HOST:PORT"`
}

// demoHTTP is the demonstration's, when not told otherwise.
const demoHTTP = "127.0.0.1:8080"

// listenHTTP opens the console's address; nil without one. A console without TLS is for this machine alone.
func (f *consoleFlags) listenHTTP() (net.Listener, error) {
	if f.HTTP == "" {
		return nil, nil
	}
	ap, err := netip.ParseAddrPort(f.HTTP)
	if err != nil {
		return nil, fmt.Errorf("http: %q: want an address and a port, such as %s", f.HTTP, demoHTTP)
	}
	if !ap.Addr().IsLoopback() {
		return nil, fmt.Errorf("http: %s is not loopback: a console without TLS is served on loopback only", f.HTTP)
	}
	return net.Listen("tcp", f.HTTP)
}

// invitation is the one-time link of this start, "" when there is none or it was used.
type invitation struct {
	mu    sync.Mutex
	token string
}

func (i *invitation) take(given string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.token == "" || subtle.ConstantTimeCompare([]byte(i.token), []byte(given)) != 1 {
		return false
	}
	i.token = ""
	return true
}

// serveHTTP serves the console on ln, which may be nil. link is how the first person gets in, once.
func (e *engine) serveHTTP(ln net.Listener) (link string, stop func(), err error) {
	if ln == nil {
		return "", func() {}, nil
	}
	router, invite, err := e.consoleRouter()
	if err != nil {
		return "", nil, errors.Join(err, ln.Close())
	}
	server := &http.Server{Handler: router, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 60 * time.Second, IdleTimeout: 60 * time.Second, MaxHeaderBytes: 16 << 10,
		ErrorLog: log.New(io.Discard, "", 0)} // net/http would quote what a client sent
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(ln); err != nil && !errors.Is(err, http.ErrServerClosed) {
			e.log.Error("the console is no longer served", slog.String("error", err.Error()))
		}
	}()
	return "http://" + ln.Addr().String() + "/enter/" + invite.token, func() {
		late, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(late) != nil {
			_ = server.Close()
		}
		<-done
	}, nil
}

// consoleRouter is the table of everything that the console's listener serves.
func (e *engine) consoleRouter() (*web.Router, *invitation, error) {
	router := web.NewRouter(e.log)
	router.Hosts = []string{"127.0.0.1", "localhost", "::1"}
	sessions := web.NewSessions()
	router.Identify = e.withKeys(func(r *http.Request) (*web.Caller, error) { return e.callerOf(sessions, r), nil })
	d := newDesk(e)
	if _, err := console.New(router, console.Options{Desk: d, Door: &desk{e}, Sessions: sessions, Zone: e.line.Zone, Test: e.test, Version: version(), Log: e.log}); err != nil {
		return nil, nil, err
	}
	api.New(router, version()).Mount(d)
	invite := &invitation{token: rand.Text()}
	router.Handle(web.Route{Method: http.MethodGet, Pattern: "/enter/{token}", Rule: web.Rule{Public: true}}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !e.test || !invite.take(r.PathValue("token")) {
			router.Page(w, r, http.StatusNotFound, "not_found")
			return
		}
		sessions.Begin(w, r, "qian", e.stampOf("qian"))
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}))
	return router, invite, nil
}

// callerOf is who sends a request by a session; nil for nobody. A session of an account that is not as it was when the
// session began ends here: with another role, another passphrase, disabled, left.
func (e *engine) callerOf(sessions *web.Sessions, r *http.Request) *web.Caller {
	x, token, ok := sessions.Of(r, r.URL.Path != api.Root+"/live") // a page that is only left open is not at work
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
