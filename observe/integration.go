package observe

import "github.com/prometheus/client_golang/prometheus"

// Integration are the figures of what other programs and people's browsers do with this host.
type Integration struct {
	Requests    []Requests // of console and interface, by route
	Subscribers int        // readers of the stream of server-sent events
	SignIns     map[string]uint64

	Webhooks       map[string]int // endpoints by state: delivering, failing, disabled
	Told           map[string]uint64
	WebhookLag     uint64  // entries that the endpoint which is furthest behind was not told
	WebhookFailing float64 // seconds for which the endpoint that fails longest takes nothing

	Events       map[string]uint64 // of the journal since the start, by name
	Spans        map[string]uint64 // of traces, by what became of them: sent, dropped
	Certificates map[string]int64  // ends of the certificates that are shown, seconds since 1970, by listener
}

// Requests of one route with one class of answers.
type Requests struct {
	Route  string // pattern, such as /terminals/{id}; other: none
	Class  string // 2xx, 3xx, 4xx, 5xx
	Count  uint64
	Second float64 // in all
}

// integrationExporter shows Integration.
type integrationExporter struct {
	s   *Sources
	all []*prometheus.Desc

	requests, took, subscribers, signIns, hooks, told, lag, failing, events, spans, ends *prometheus.Desc
}

var _ prometheus.Collector = (*integrationExporter)(nil)

func newIntegrationExporter(s *Sources) *integrationExporter {
	e := &integrationExporter{s: s}
	d := func(name, help string, labels ...string) *prometheus.Desc {
		desc := prometheus.NewDesc("touchstone_"+name, help, labels, nil)
		e.all = append(e.all, desc)
		return desc
	}
	e.requests = d("http_requests_total", "Requests of console and interface that were answered, by route and class of status.", "route", "class")
	e.took = d("http_request_seconds_total", "Time that they took, likewise.", "route", "class")
	e.subscribers = d("stream_subscribers", "Readers of the stream of server-sent events.")
	e.signIns = d("sign_ins_total", "Sign-ins by a browser: in, refused, or asked to wait.", "result")
	e.hooks = d("webhooks", "Endpoints that are told of what happens.", "state")
	e.told = d("webhook_attempts_total", "Messages handed to endpoints: delivered, or the kind of failure.", "result")
	e.lag = d("webhook_lag_entries", "Entries of the journal that the endpoint which is furthest behind was not told.")
	e.failing = d("webhook_failing_seconds", "For how long the endpoint that fails longest has taken nothing; after three days it is disabled.")
	e.events = d("events_total", "Events given to the journal since the start, by name; touchstone events tells the rest.", "name")
	e.spans = d("trace_spans_total", "Spans of traces: sent, or dropped where the collector did not take them in time.", "result")
	e.ends = d("certificate_end_timestamp_seconds", "When the certificate that a listener shows ends.", "listener")
	return e
}

// Describe implements prometheus.Collector.
func (e *integrationExporter) Describe(out chan<- *prometheus.Desc) {
	for _, d := range e.all {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (e *integrationExporter) Collect(out chan<- prometheus.Metric) {
	if e.s.Integration == nil {
		return
	}
	s, n := sender{out}, e.s.Integration()
	for _, r := range n.Requests {
		s.counter(e.requests, r.Count, r.Route, r.Class)
		out <- prometheus.MustNewConstMetric(e.took, prometheus.CounterValue, r.Second, r.Route, r.Class)
	}
	s.gauge(e.subscribers, float64(n.Subscribers))
	for result, count := range n.SignIns {
		s.counter(e.signIns, count, result)
	}
	for state, count := range n.Webhooks {
		s.gauge(e.hooks, float64(count), state)
	}
	for result, count := range n.Told {
		s.counter(e.told, count, result)
	}
	s.gauge(e.lag, float64(n.WebhookLag))
	s.gauge(e.failing, n.WebhookFailing)
	for name, count := range n.Events {
		s.counter(e.events, count, name)
	}
	for result, count := range n.Spans {
		s.counter(e.spans, count, result)
	}
	for listener, end := range n.Certificates {
		s.gauge(e.ends, float64(end), listener)
	}
}
