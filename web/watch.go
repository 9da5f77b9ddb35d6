package web

import (
	"net/http"
	"time"
)

// Served is what may be told of a request that was answered: words of this program, and the caller's own trace.
type Served struct {
	Pattern string // of the route, "" for none
	Method  string // of the route; "" for none
	API     bool
	Status  int
	Begun   time.Time
	Took    time.Duration
	Trace   http.Header // the request's headers, for its traceparent
	ID      string      // the request's number
}

// watched notes the status of an answer.
func (t *Router) watched(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, func()) {
	if t.Watch == nil {
		return w, func() {}
	}
	noted, begun := &notedWriter{ResponseWriter: w, status: http.StatusOK}, time.Now()
	return noted, func() {
		s := Served{Status: noted.status, Begun: begun, Took: time.Since(begun), Trace: r.Header, ID: RequestID(r.Context())}
		if method, pattern := splitPattern(r.Pattern); pattern != "" {
			s.Method, s.Pattern, s.API = method, pattern, len(pattern) > 5 && pattern[:5] == "/api/"
		}
		t.Watch(&s)
	}
}

// splitPattern takes the method off a pattern of http.ServeMux.
func splitPattern(p string) (method, path string) {
	for i := range p {
		if p[i] == ' ' {
			return p[:i], p[i+1:]
		}
	}
	return "", p
}

// notedWriter knows the status. http.ResponseController finds the writer beneath it.
type notedWriter struct {
	http.ResponseWriter
	status int
	wrote  bool
}

// WriteHeader implements http.ResponseWriter.
func (w *notedWriter) WriteHeader(status int) {
	if !w.wrote && status >= 200 {
		w.status, w.wrote = status, true
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *notedWriter) Write(b []byte) (int, error) {
	w.wrote = true
	return w.ResponseWriter.Write(b)
}

// Flush implements http.Flusher.
func (w *notedWriter) Flush() { _ = w.FlushError() }

// FlushError flushes where the writer beneath can.
func (w *notedWriter) FlushError() error {
	w.wrote = true
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (w *notedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
