package tracing

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector is an OTLP receiver of the standard library.
type collector struct {
	*httptest.Server
	mu     sync.Mutex
	status []int
	spans  []*trace.Span
	asked  int
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.asked++
		if len(c.status) > 0 {
			w.WriteHeader(c.status[0])
			c.status = c.status[1:]
			return
		}
		var m trace.TracesData
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" || proto.Unmarshal(body, &m) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for _, s := range m.ResourceSpans[0].ScopeSpans[0].Spans {
			c.spans = append(c.spans, s)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func TestSpansReachACollector(t *testing.T) {
	for _, c := range []struct {
		name          string
		status        []int
		sent, dropped uint64
		asked         int
	}{
		{"taken", nil, 2, 0, 1}, {"later", []int{503, 429}, 2, 0, 3}, {"never", []int{503, 503, 503}, 0, 2, 3}, {"refused", []int{400}, 0, 2, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			to := newCollector(t)
			to.status = c.status
			x, err := New(to.URL, "touchstone", "test")
			if err != nil {
				t.Fatal(err)
			}
			x.pause = time.Millisecond
			root := NewContext()
			x.send(t.Context(), []Span{{Context: root, Name: "a", Kind: Server, From: 5, To: 9, Failed: true, Attributes: []Attribute{{"k", "v"}}}, {Context: root.Child(), Parent: root.Span, Name: "b", From: 9, To: 5}})
			if sent, dropped := x.Counts(); sent != c.sent || dropped != c.dropped || to.asked != c.asked {
				t.Fatalf("sent %d, dropped %d, asked %d", sent, dropped, to.asked)
			}
			if c.sent == 0 {
				return
			}
			a, b := to.spans[0], to.spans[1]
			if a.Name != "a" || string(a.TraceId) != string(root.Trace[:]) || a.Status.Code != trace.Status_STATUS_CODE_ERROR || a.Attributes[0].Value.GetStringValue() != "v" || len(a.ParentSpanId) != 0 {
				t.Errorf("a: %v", a)
			}
			if string(b.ParentSpanId) != string(a.SpanId) || b.EndTimeUnixNano != b.StartTimeUnixNano {
				t.Errorf("b: %v", b)
			}
		})
	}
}

// TestLastSpansAreSent: what is queued when the host ends leaves.
func TestLastSpansAreSent(t *testing.T) {
	to := newCollector(t)
	x, err := New(to.URL+"/", "touchstone", "test")
	if err != nil {
		t.Fatal(err)
	}
	for range queued + 10 {
		x.Add(Span{Context: NewContext(), Name: "x"})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	x.Run(ctx)
	if sent, dropped := x.Counts(); sent != queued || dropped != 10 {
		t.Errorf("sent %d, dropped %d", sent, dropped)
	}
}

func TestCollectorURLs(t *testing.T) {
	for _, bad := range []string{"", "127.0.0.1:4318", "ftp://x", "http://", "http://a:b@x", "http://x/?a=b", "http://x/#f"} {
		if _, err := New(bad, "s", "v"); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestParent(t *testing.T) {
	c := NewContext()
	if got, ok := ParseParent(c.Parent()); !ok || got != c {
		t.Errorf("%s: %v", c.Parent(), got)
	}
	const good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01" // W3C Trace Context, section 3.2.3
	for name, h := range map[string]string{"empty": "", "not sampled": good[:54] + "0", "version ff": "ff" + good[2:], "longer, version 00": good + "-x", "capitals": strings.ToUpper(good),
		"zero trace": "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "zero span": "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "short": good[:54]} {
		if _, ok := ParseParent(h); ok {
			t.Errorf("%s is taken", name)
		}
	}
	for name, h := range map[string]string{"as published": good, "a later version": "01" + good[2:] + "-more", "other flags": good[:53] + "03"} {
		if _, ok := ParseParent(h); !ok {
			t.Errorf("%s is refused", name)
		}
	}
}

// FuzzParseParent: what is taken is written again as it came, but for what later versions add.
func FuzzParseParent(f *testing.F) {
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Add("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-x")
	f.Fuzz(func(t *testing.T, h string) {
		if c, ok := ParseParent(h); ok && c.Parent()[3:53] != h[3:53] {
			t.Errorf("%q: %s", h, c.Parent())
		}
	})
}

// TestS05Collector: spans go to the collector that was named when the host was started, and nowhere that it sends them on
// to; no proxy of the environment stands between.
func TestS05Collector(t *testing.T) {
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	asked := make(chan struct{}, 10)
	named := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/v1/traces", http.StatusTemporaryRedirect)
		asked <- struct{}{}
	}))
	defer named.Close()
	t.Setenv("HTTP_PROXY", other.URL)
	x, err := New(named.URL, "touchstone", "test")
	if err != nil {
		t.Fatal(err)
	}
	x.Add(Span{Context: NewContext(), Name: "a sale"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	x.Run(ctx) // it sends what is queued once more
	<-asked
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d requests went elsewhere", n)
	}
	if sent, _ := x.Counts(); sent != 0 {
		t.Errorf("%d spans count as sent", sent)
	}
}
