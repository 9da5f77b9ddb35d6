package main

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// collected is what a collector printed so far.
type collected struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (c *collected) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(b)
}

// await waits until the collector has printed each of the texts.
func (c *collected) await(t *testing.T, want ...string) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		c.mu.Lock()
		text := c.text.String()
		c.mu.Unlock()
		missing := ""
		for _, w := range want {
			if !strings.Contains(text, w) {
				missing = w
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the collector never said %q; it said %s", missing, text)
		}
	}
}

// TestCollectorTakesSpans hands spans to the OpenTelemetry project's own collector, where there is one: what it decodes
// and prints is what we meant.
func TestCollectorTakesSpans(t *testing.T) {
	program, err := exec.LookPath(cmp.Or(os.Getenv("TOUCHSTONE_OTELCOL"), "otelcol"))
	if err != nil {
		t.Skip("NOT RUN: no otelcol (a collector of OpenTelemetry with its OTLP receiver and debug exporter; TOUCHSTONE_OTELCOL names one)")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := free.Addr().String()
	free.Close()
	config := filepath.Join(t.TempDir(), "collector.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "receivers:\n  otlp:\n    protocols:\n      http:\n        endpoint: %s\nexporters:\n  debug:\n    verbosity: detailed\nservice:\n  telemetry:\n    metrics:\n      level: none\n  pipelines:\n    traces:\n      receivers: [otlp]\n      exporters: [debug]\n", at), 0o600); err != nil {
		t.Fatal(err)
	}
	said := &collected{}
	cmd := exec.Command(program, "--config", config)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	}()
	said.await(t, "Everything is ready")

	e := careEngine(t, filepath.Join(t.TempDir(), "data"))
	defer closeEngine(t, e)
	if err := e.startTraces(&traceFlags{OTLP: "http://" + at, OTLPSample: 1}); err != nil {
		t.Fatal(err)
	}
	router, err := e.consoleRouter([]string{"127.0.0.1"}, false)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "http://127.0.0.1/api/v1/merchants?limit=1", nil)
	r.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	router.ServeHTTP(httptest.NewRecorder(), r)
	e.traces.end()
	said.await(t, "service.name: Str(touchstone)", "Trace ID       : 4bf92f3577b34da6a3ce929d0e0e4736", "Parent ID      : 00f067aa0ba902b7", "Name           : GET /api/v1/merchants", "Kind           : Server", "http.response.status_code: ")
}
