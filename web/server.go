package web

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"touchstone/authority"
)

// Bounds of the port. A terminal has a slow line and one small message; a release is a few megabytes.
const (
	headerTime  = 5 * time.Second
	readTime    = 15 * time.Second
	writeTime   = 2 * time.Minute
	idleTime    = 30 * time.Second
	closeTime   = 2 * time.Second
	maxHeader   = 8 << 10
	mostClients = 1024
)

// Server is the HTTPS side of a host. Make one with New.
type Server struct {
	mux         *http.ServeMux
	certificate func() (*tls.Certificate, error)
}

// New makes a server that shows the certificate which certificate gives at each handshake; it must not block.
func New(certificate func() (*tls.Certificate, error)) *Server {
	return &Server{mux: http.NewServeMux(), certificate: certificate}
}

// Handle mounts a handler under a pattern of http.ServeMux, before Serve. It bounds its own bodies.
func (s *Server) Handle(pattern string, h http.Handler) { s.mux.Handle(pattern, h) }

// config is how the terminals' own listener speaks TLS, too.
func (s *Server) config() *tls.Config {
	c := authority.ServerTLS(s.certificate)
	c.NextProtos = []string{"http/1.1"}
	return c
}

// Serve serves on ln until ctx ends; it closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	server := &http.Server{Handler: headers(s.mux), TLSConfig: s.config(), ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: writeTime,
		IdleTimeout: idleTime, MaxHeaderBytes: maxHeader, ErrorLog: log.New(io.Discard, "", 0), // net/http would quote what a client sent
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}} // HTTP/1.1 alone: one bound for one request
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		if server.Shutdown(late) != nil {
			_ = server.Close() // who still reads is cut off
		}
	})
	err := server.ServeTLS(&bounded{Listener: ln, slots: make(chan struct{}, mostClients)}, "", "")
	if !stop() {
		<-ended
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// headers puts on every answer what a browser, or a cache between, must know.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		endsHere(w, r)
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Strict-Transport-Security", "max-age=31536000")
		next.ServeHTTP(w, r)
	})
}

// bounded lets so many connections in at once; one beyond is closed at once, so that the others do not wait behind
// it.
type bounded struct {
	net.Listener
	slots chan struct{}
}

// Accept implements net.Listener.
func (b *bounded) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case b.slots <- struct{}{}:
			return &slot{Conn: c, leave: sync.OnceFunc(func() { <-b.slots })}, nil
		default:
			c.Close()
		}
	}
}

type slot struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (s *slot) Close() error {
	s.leave()
	return s.Conn.Close()
}
