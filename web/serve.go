package web

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"touchstone/authority"
)

// Bounds of a router's listener. A handler that streams moves its own deadline (http.ResponseController).
const (
	routerRead   = time.Minute // of a whole request: a file of evidence from a slow line
	routerIdle   = time.Minute
	routerHeader = 16 << 10
)

// ServeRouter serves a router on ln until ctx ends; it closes ln. certificate is what TLS shows at each handshake, nil
// for none: then ln is of this machine alone. HTTP/1.1 either way: one bound for one request. One address has a quarter of
// the places at most, unless it is one of the router's proxies; who gives way when all are taken, see Places.
func ServeRouter(ctx context.Context, ln net.Listener, t *Router, certificate func() (*tls.Certificate, error)) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	server := &http.Server{Handler: t, Protocols: protocols, ReadHeaderTimeout: headerTime, ReadTimeout: routerRead, WriteTimeout: writeTime, IdleTimeout: routerIdle,
		MaxHeaderBytes: routerHeader, ErrorLog: log.New(io.Discard, "", 0)} // net/http would quote what a client sent
	if certificate != nil {
		server.TLSConfig = authority.ServerTLS(certificate)
		server.TLSConfig.NextProtos = []string{"http/1.1"}
	}
	streams, endStreams := context.WithCancel(context.WithoutCancel(ctx))
	defer endStreams()
	server.BaseContext = func(net.Listener) context.Context { return streams }
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		endStreams() // a stream ends at once; what is short gets the time to be answered
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		if server.Shutdown(late) != nil {
			_ = server.Close()
		}
	})
	rechecked := make(chan struct{})
	go func() {
		defer close(rechecked)
		t.recheck(streams)
	}()
	inside := NewPlaces(ln, MostClients, mostFromAddress, placesOfEach, t.Proxies)
	inside.Follow(server)
	var err error
	if certificate != nil {
		err = server.ServeTLS(inside, "", "")
	} else {
		err = server.Serve(inside)
	}
	if !stop() {
		<-ended
	}
	endStreams()
	<-rechecked
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
