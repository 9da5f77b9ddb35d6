package observe

import (
	"github.com/prometheus/client_golang/prometheus"

	"touchstone/admission"
)

// Admission is what was let in, refused for want of room, and only counted.
type Admission struct {
	Gate        admission.Counts
	Flood       admission.FloodCounts
	SharedTaken int // exchanges beyond the first of each connection
	SharedMost  int
}

// admissionExporter shows an Admission.
type admissionExporter struct {
	s   *Sources
	all []*prometheus.Desc

	inLine, high, most, admitted, shed          *prometheus.Desc
	shared, sharedMost                          *prometheus.Desc
	journaled, suppressed, summaries, floodKeys *prometheus.Desc
}

var _ prometheus.Collector = (*admissionExporter)(nil)

func newAdmissionExporter(s *Sources) *admissionExporter {
	e := &admissionExporter{s: s}
	d := func(name, help string, labels ...string) *prometheus.Desc {
		desc := prometheus.NewDesc("touchstone_"+name, help, labels, nil)
		e.all = append(e.all, desc)
		return desc
	}
	e.inLine = d("line_messages", "Messages let in that are not durable yet.")
	e.high = d("line_messages_high", "Most messages there ever were in the line.")
	e.most = d("line_messages_limit", "Most messages that may be in the line; a fifth is kept for reversals, settlement and tamper reports.")
	e.admitted = d("admitted_total", "Messages let in.", "work")
	e.shed = d("shed_total", "Messages refused with 96 before they were accepted.", "work", "cause")
	e.shared = d("shared_messages", "Messages that took room shared by all connections.")
	e.sharedMost = d("shared_messages_limit", "Most messages that may.")
	e.journaled = d("refusals_journaled_total", "Refusals without effect that have an entry each.")
	e.suppressed = d("refusals_suppressed_total", "Refusals without effect, and probes beyond their rate, that were only counted.")
	e.summaries = d("flood_summaries_total", "Summaries of suppressed refusals given to the journal.")
	e.floodKeys = d("flood_keys", "Addresses and claimed terminals whose rate is remembered.")
	return e
}

// Describe implements prometheus.Collector.
func (e *admissionExporter) Describe(out chan<- *prometheus.Desc) {
	for _, d := range e.all {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (e *admissionExporter) Collect(out chan<- prometheus.Metric) {
	s, a := sender{out}, e.s.Admission()
	s.gauge(e.inLine, float64(a.Gate.InFlight))
	s.gauge(e.high, float64(a.Gate.High))
	s.gauge(e.most, float64(a.Gate.Limit))
	for w, n := range a.Gate.Admitted {
		s.counter(e.admitted, n, w.String())
	}
	for w, by := range a.Gate.Shed {
		for cause, n := range by {
			s.counter(e.shed, n, w.String(), cause.String())
		}
	}
	s.gauge(e.shared, float64(a.SharedTaken))
	s.gauge(e.sharedMost, float64(a.SharedMost))
	s.counter(e.journaled, a.Flood.Journaled)
	s.counter(e.suppressed, a.Flood.Suppressed)
	s.counter(e.summaries, a.Flood.Summaries)
	s.gauge(e.floodKeys, float64(a.Flood.Keys))
}
