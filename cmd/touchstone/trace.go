package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"touchstone/host"
	"touchstone/observe"
	"touchstone/pos"
	"touchstone/reason"
	"touchstone/tracing"
	"touchstone/web"
)

// traceFlags are the flags, and configuration keys, of OpenTelemetry.
type traceFlags struct {
	OTLP       string  `name:"otlp" help:"Collector of OpenTelemetry traces, OTLP over HTTP, such as http://127.0.0.1:4318; without it: none." placeholder:"URL"`
	OTLPSample float64 `name:"otlp-sample" help:"Share of messages and of console requests that are traced, 0 to 1; refusals by security are traced besides, up to 20 a second." default:"0.001"`
}

// Bounds of what is traced whatever the share.
const (
	tracedRefusals = 20 // a second
	tracedCallers  = 50 // requests a second whose caller traces
)

// traces hand spans over; without a collector every method returns at once.
type tracer struct {
	exporter *tracing.Exporter // nil: no collector
	every    uint64            // one message in so many; 0 none
	seen     atomic.Uint64     // messages
	asked    atomic.Uint64     // requests
	refusals tracing.Budget
	callers  tracing.Budget
	stop     func()
}

var _ host.Tracer = (*tracer)(nil)

// startTraces begins to hand spans over, where a collector is named. It comes before anything is served.
func (e *engine) startTraces(f *traceFlags) (err error) {
	t := &e.traces
	if math.IsNaN(f.OTLPSample) || f.OTLPSample < 0 || f.OTLPSample > 1 {
		return errors.New("otlp-sample: want 0 to 1")
	}
	if f.OTLP == "" {
		return nil
	}
	if t.exporter, err = tracing.New(f.OTLP, "touchstone", version()); err != nil {
		return err
	}
	if f.OTLPSample > 0 {
		t.every = uint64(math.Round(1 / f.OTLPSample))
	}
	t.refusals.Most, t.callers.Most = tracedRefusals, tracedCallers
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.exporter.Run(ctx)
	}()
	t.stop = func() {
		cancel()
		<-done
	}
	e.line.Trace = t
	return nil
}

// end sends what is queued.
func (t *tracer) end() {
	if t.stop != nil {
		t.stop()
	}
}

func (t *tracer) counts() map[string]uint64 {
	sent, dropped := t.exporter.Counts()
	return map[string]uint64{"sent": sent, "dropped": dropped}
}

// Sample implements host.Tracer.
func (t *tracer) Sample() bool { return t.every > 0 && t.seen.Add(1)%t.every == 0 }

// Wants implements host.Tracer.
func (t *tracer) Wants(now pos.Instant) bool { return t.refusals.Take(int64(now)) }

// Traced implements host.Tracer: a span of the message, and one of each stretch between two instants that were read.
func (t *tracer) Traced(m *host.Traced) {
	c := tracing.NewContext()
	name := observe.FunctionOf(m.MTI, m.Type, m.Network).String()
	spans := make([]tracing.Span, 1, 6)
	spans[0] = tracing.Span{Context: c, Name: "transaction " + name, Kind: tracing.Server, From: int64(m.Arrived), To: int64(m.Handed), Failed: m.Refused, Attributes: []tracing.Attribute{
		{Name: "touchstone.function", Value: name}, {Name: "touchstone.terminal", Value: printed(m.Terminal.String())}, {Name: "touchstone.reason", Value: m.Reason.String()},
		{Name: "touchstone.response_code", Value: printed(m.Code.String())}}}
	if m.Entry != 0 {
		spans[0].Attributes = append(spans[0].Attributes, tracing.Attribute{Name: "touchstone.transaction", Value: fmt.Sprintf("txn_%d", m.Entry)})
	}
	if m.Reason == reason.None {
		spans[0].Attributes[2].Value = "none"
	}
	from := m.Arrived
	for _, part := range [...]struct {
		name string
		to   pos.Instant
	}{{"receive", m.Asked}, {"prove", m.Proved}, {"decide", m.Decided}, {"commit", m.Durable}, {"respond", m.Handed}} {
		if part.to == 0 {
			continue // it was not read: the next stretch has it too
		}
		to := max(from, part.to)
		spans = append(spans, tracing.Span{Context: c.Child(), Parent: c.Span, Name: part.name, Kind: tracing.Internal, From: int64(from), To: int64(to)})
		from = to
	}
	t.exporter.Add(spans...)
}

// served makes a span of a request of console or interface: of one in so many, and where the caller traces it.
func (t *tracer) served(s *web.Served) {
	if t.exporter == nil {
		return
	}
	c, parent := tracing.NewContext(), [8]byte{}
	if given, ok := tracing.ParseParent(s.Trace.Get("Traceparent")); ok && s.API && t.callers.Take(s.Begun.UnixNano()) {
		c, parent = given.Child(), given.Span
	} else if t.every == 0 || t.asked.Add(1)%t.every != 0 {
		return
	}
	name := s.Pattern
	if name == "" {
		name = otherRoute
	}
	t.exporter.Add(tracing.Span{Context: c, Parent: parent, Name: s.Method + " " + name, Kind: tracing.Server, From: s.Begun.UnixNano(), To: s.Begun.Add(s.Took).UnixNano(), Failed: s.Status >= http.StatusInternalServerError,
		Attributes: []tracing.Attribute{{Name: "http.route", Value: name}, {Name: "http.request.method", Value: s.Method}, {Name: "http.response.status_code", Value: strconv.Itoa(s.Status)},
			{Name: "touchstone.request", Value: s.ID}}})
}

// outward makes a span of what was sent to somebody.
func (t *tracer) outward(name string, c tracing.Context, begun time.Time, failed bool, about ...tracing.Attribute) {
	t.exporter.Add(tracing.Span{Context: c, Name: name, Kind: tracing.Client, From: begun.UnixNano(), To: time.Now().UnixNano(), Failed: failed, Attributes: about})
}

// parent is the header by which a receiver goes on with a trace, "" without a collector.
func (t *tracer) parent(c tracing.Context) string {
	if t.exporter == nil {
		return ""
	}
	return c.Parent()
}
