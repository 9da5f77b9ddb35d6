package tracing

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	resource "go.opentelemetry.io/proto/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Bounds of the exporter.
const (
	queued    = 4096 // spans that wait
	batch     = 512  // spans of one request
	rest      = 2 * time.Second
	sendTime  = 5 * time.Second
	tries     = 3
	tryAgain  = time.Second
	maxAnswer = 64 << 10
	tracePath = "/v1/traces"
)

// ErrURL is returned for what is no collector's address.
var ErrURL = errors.New("otlp: want http://HOST:PORT or https://HOST[:PORT], the collector's address for OTLP over HTTP")

// Kind is what a span is to its peers.
type Kind = trace.Span_SpanKind

// The kinds.
const (
	Internal = trace.Span_SPAN_KIND_INTERNAL
	Server   = trace.Span_SPAN_KIND_SERVER
	Client   = trace.Span_SPAN_KIND_CLIENT
)

// Context names a span to its children, also of other programs. The zero Context names none.
type Context struct {
	Trace [16]byte
	Span  [8]byte
}

// NewContext begins a trace.
func NewContext() (c Context) {
	_, _ = rand.Read(c.Trace[:]) // never fails
	_, _ = rand.Read(c.Span[:])
	return c
}

// Child names a span of the same trace.
func (c Context) Child() Context {
	_, _ = rand.Read(c.Span[:])
	return c
}

// Parent is the header traceparent of a request that c makes.
func (c Context) Parent() string { return fmt.Sprintf("00-%x-%x-01", c.Trace, c.Span) }

// ParseParent reads a traceparent whose caller samples. Of a later version the first fields are read, as the
// recommendation says, section 4.3.
func ParseParent(h string) (c Context, ok bool) {
	if len(h) < 55 || len(h) > 55 && (h[:2] == "00" || h[55] != '-') || h[:2] == "ff" || h[2] != '-' || h[35] != '-' || h[52] != '-' {
		return Context{}, false
	}
	var version, flags [1]byte
	if !unhex(version[:], h[:2]) || !unhex(c.Trace[:], h[3:35]) || !unhex(c.Span[:], h[36:52]) || !unhex(flags[:], h[53:55]) {
		return Context{}, false
	}
	if c.Trace == [16]byte{} || c.Span == [8]byte{} || flags[0]&1 == 0 {
		return Context{}, false
	}
	return c, true
}

// unhex takes lower-case digits alone, as the recommendation does.
func unhex(to []byte, digits string) bool {
	for i := range to {
		hi, lo := strings.IndexByte("0123456789abcdef", digits[2*i]), strings.IndexByte("0123456789abcdef", digits[2*i+1])
		if hi < 0 || lo < 0 {
			return false
		}
		to[i] = byte(hi<<4 | lo)
	}
	return true
}

// Attribute is a word and its value. Nobody puts a card number, a name of a person or a secret in one.
type Attribute struct{ Name, Value string }

// Span is one thing that was done.
type Span struct {
	Context
	Parent     [8]byte // zero: none
	Name       string
	Kind       Kind
	From, To   int64 // nanoseconds since 1970
	Failed     bool
	Attributes []Attribute
}

// Exporter sends spans. Make one with New; a nil Exporter takes nothing.
type Exporter struct {
	url     string
	service []*common.KeyValue
	client  *http.Client
	queue   chan Span
	sent    atomic.Uint64
	dropped atomic.Uint64
	pause   time.Duration // between tries
}

// New makes an exporter for the collector at an address.
func New(address, service, version string) (*Exporter, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, ErrURL
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = tracePath
	}
	return &Exporter{url: u.String(), service: attributes([]Attribute{{"service.name", service}, {"service.version", version}}), queue: make(chan Span, queued), pause: tryAgain,
		client: &http.Client{Timeout: sendTime, Transport: &http.Transport{MaxIdleConns: 2, IdleConnTimeout: time.Minute},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

// Add queues spans; it never waits.
func (x *Exporter) Add(spans ...Span) {
	if x == nil {
		return
	}
	for i := range spans {
		select {
		case x.queue <- spans[i]:
		default:
			x.dropped.Add(1)
		}
	}
}

// Counts are how many spans were sent and dropped.
func (x *Exporter) Counts() (sent, dropped uint64) {
	if x == nil {
		return 0, 0
	}
	return x.sent.Load(), x.dropped.Load()
}

// Run sends until ctx ends; then what is queued is sent once more.
func (x *Exporter) Run(ctx context.Context) {
	tick := time.NewTicker(rest)
	defer tick.Stop()
	defer x.client.CloseIdleConnections()
	var list []Span
	for {
		due := false
		select {
		case <-ctx.Done():
			x.last(list)
			return
		case s := <-x.queue:
			list = append(list, s)
			due = len(list) >= batch
		case <-tick.C:
			due = len(list) > 0
		}
		if due {
			x.send(ctx, list)
			list = list[:0]
		}
	}
}

// last sends what is left, within the time of one request.
func (x *Exporter) last(list []Span) {
	ctx, cancel := context.WithTimeout(context.Background(), sendTime)
	defer cancel()
	for len(x.queue) > 0 && len(list) < queued {
		list = append(list, <-x.queue)
	}
	if len(list) > 0 {
		x.send(ctx, list)
	}
}

func (x *Exporter) send(ctx context.Context, list []Span) {
	body, err := proto.Marshal(x.message(list))
	for try := 1; err == nil && try <= tries; try++ {
		ok, again := x.post(ctx, body)
		if ok {
			x.sent.Add(uint64(len(list)))
			return
		}
		if !again || try == tries || !wait(ctx, x.pause<<(try-1)) {
			break
		}
	}
	x.dropped.Add(uint64(len(list)))
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// post makes one request; again tells that another may succeed: OTLP/HTTP, Retryable Response Codes.
func (x *Exporter) post(ctx context.Context, body []byte) (ok, again bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, x.url, bytes.NewReader(body))
	if err != nil {
		return false, false
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	answer, err := x.client.Do(req)
	if err != nil {
		return false, true
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer) // so that the connection is used again
	switch answer.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return false, true
	}
	return answer.StatusCode/100 == 2, false
}

func (x *Exporter) message(list []Span) *trace.TracesData {
	spans := make([]*trace.Span, 0, len(list))
	for i := range list {
		s := &list[i]
		p := &trace.Span{TraceId: s.Trace[:], SpanId: s.Span[:], Name: s.Name, Kind: s.Kind, StartTimeUnixNano: uint64(s.From), EndTimeUnixNano: uint64(max(s.From, s.To)), Attributes: attributes(s.Attributes), Status: &trace.Status{}}
		if s.Parent != [8]byte{} {
			p.ParentSpanId = s.Parent[:]
		}
		if s.Failed {
			p.Status.Code = trace.Status_STATUS_CODE_ERROR
		}
		spans = append(spans, p)
	}
	return &trace.TracesData{ResourceSpans: []*trace.ResourceSpans{{Resource: &resource.Resource{Attributes: x.service},
		ScopeSpans: []*trace.ScopeSpans{{Scope: &common.InstrumentationScope{Name: "touchstone"}, Spans: spans}}}}}
}

func attributes(list []Attribute) []*common.KeyValue {
	out := make([]*common.KeyValue, 0, len(list))
	for _, a := range list {
		out = append(out, &common.KeyValue{Key: a.Name, Value: &common.AnyValue{Value: &common.AnyValue_StringValue{StringValue: a.Value}}})
	}
	return out
}

// Budget lets at most so many through in each second. It is safe for use by many at once.
type Budget struct {
	Most int

	mu     sync.Mutex
	second int64
	used   int
}

// Take tells whether there is room at an instant, in nanoseconds.
func (b *Budget) Take(at int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if s := at / int64(time.Second); s != b.second {
		b.second, b.used = s, 0
	}
	b.used++
	return b.used <= b.Most
}
