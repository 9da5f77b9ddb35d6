package main

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"touchstone/terminal/load"
)

// spanCatcher is an OTLP receiver of the standard library.
type spanCatcher struct {
	mu    sync.Mutex
	spans []*tracepb.Span
	raw   []byte
}

// ServeHTTP implements http.Handler.
func (c *spanCatcher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var m tracepb.TracesData
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &m) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw = append(c.raw, body...)
	for _, rs := range m.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			c.spans = append(c.spans, ss.Spans...)
		}
	}
}

func attributeOf(s *tracepb.Span, name string) string {
	for _, a := range s.Attributes {
		if a.Key == name {
			return a.Value.GetStringValue()
		}
	}
	return ""
}

// TestTracesOfSaleRefusalAndRequest: a host that sells over TCP, refuses wrong MACs and answers a program that traces.
func TestTracesOfSaleRefusalAndRequest(t *testing.T) {
	to := &spanCatcher{}
	server := httptest.NewServer(to)
	defer server.Close()
	h := startLoadHost(t, "ecb=2")
	e := h.engine
	if err := e.startTraces(&traceFlags{OTLP: server.URL, OTLPSample: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := load.Run(t.Context(), load.Options{Address: h.addr, Crew: h.crew(t), Connections: 1, Duration: time.Hour, Sales: 8, WrongMAC: 25}); err != nil {
		t.Fatal(err)
	}
	router, err := e.consoleRouter([]string{"127.0.0.1"}, false)
	if err != nil {
		t.Fatal(err)
	}
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1/api/v1/merchants?limit=secret", nil)
	r.Header.Set("Traceparent", parent)
	router.ServeHTTP(httptest.NewRecorder(), r)
	e.traces.end()

	to.mu.Lock()
	defer to.mu.Unlock()
	sales, refusals, requests := 0, 0, 0
	for _, s := range to.spans {
		switch {
		case s.Name == "transaction sale" && attributeOf(s, "touchstone.reason") == "none":
			sales++
			spansOf(t, to.spans, s, "receive", "prove", "decide", "commit", "respond")
		case s.Name == "transaction sale" && attributeOf(s, "touchstone.reason") == "mac_failed":
			refusals++
			if s.Status.Code != tracepb.Status_STATUS_CODE_ERROR || attributeOf(s, "touchstone.response_code") != "A0" || len(attributeOf(s, "touchstone.terminal")) != 8 {
				t.Errorf("a refusal: %v", s)
			}
		case s.Name == "GET /api/v1/merchants":
			requests++
			if hex.EncodeToString(s.TraceId) != parent[3:35] || hex.EncodeToString(s.ParentSpanId) != parent[36:52] || attributeOf(s, "http.response.status_code") != "401" {
				t.Errorf("a request: %v", s)
			}
		}
	}
	if sales == 0 || refusals == 0 || requests != 1 {
		t.Errorf("%d sales, %d refusals, %d requests of %d spans", sales, refusals, requests, len(to.spans))
	}
	if digits := regexp.MustCompile(`[0-9]{13,}`).Find(to.raw); digits != nil || strings.Contains(string(to.raw), "secret") {
		t.Errorf("a span has %q, or a query", digits)
	}
}

// spansOf holds the children of a span against their names: one after the other, together as long as it.
func spansOf(t *testing.T, all []*tracepb.Span, root *tracepb.Span, want ...string) {
	t.Helper()
	var got []string
	at := root.StartTimeUnixNano
	for _, s := range all {
		if string(s.ParentSpanId) != string(root.SpanId) {
			continue
		}
		got = append(got, s.Name)
		if s.StartTimeUnixNano != at || s.EndTimeUnixNano < at || string(s.TraceId) != string(root.TraceId) {
			t.Errorf("%s begins at %d, want %d", s.Name, s.StartTimeUnixNano, at)
		}
		at = s.EndTimeUnixNano
	}
	if !slices.Equal(got, want) || at != root.EndTimeUnixNano {
		t.Errorf("stretches %v, want %v", got, want)
	}
}

func TestTraceFlags(t *testing.T) {
	for _, f := range []traceFlags{{OTLP: "x"}, {OTLPSample: -1}, {OTLPSample: 1.1}, {OTLP: "http://a:b@x"}} {
		if err := new(engine).startTraces(&f); err == nil {
			t.Errorf("%+v is taken", f)
		}
	}
	if err := new(engine).startTraces(&traceFlags{OTLPSample: 0.001}); err != nil {
		t.Error(err)
	}
}
