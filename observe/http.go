package observe

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Bounds of the port. A request has no body, an answer is a few dozen kilobytes.
const (
	headerTime  = 2 * time.Second
	readTime    = 5 * time.Second
	writeTime   = 10 * time.Second
	idleTime    = time.Minute
	maxHeader   = 8 << 10
	maxScrapes  = 4
	mostClients = 64
	closeTime   = 2 * time.Second
)

// Handler serves /metrics, /healthz and /readyz, and nothing else: no profiler, no variables.
func Handler(s *Sources) http.Handler {
	mux := http.NewServeMux()
	tests := &selfTests{test: s.SelfTest}
	mux.Handle("GET /metrics", promhttp.HandlerFor(NewRegistry(s), promhttp.HandlerOpts{
		ErrorHandling: promhttp.HTTPErrorOnError, MaxRequestsInFlight: maxScrapes, Timeout: writeTime / 2}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeHealth(w, s.health()) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { writeHealth(w, s.readiness(tests.result(time.Now()))) })
	return mux
}

func writeHealth(w http.ResponseWriter, h Health) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if !h.OK {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(h) // who asked is gone when this fails
}

// Serve serves h on ln until ctx ends; it closes ln.
func Serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHeader, ErrorLog: log.New(io.Discard, "", 0)} // net/http would quote what a client sent
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		if server.Shutdown(late) != nil {
			_ = server.Close() // who still reads is cut off
		}
	})
	err := server.Serve(bounded(ln, mostClients))
	if !stop() {
		<-ended
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
