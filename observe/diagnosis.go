package observe

import "github.com/prometheus/client_golang/prometheus"

// Diagnosis is what became of refused messages behind which a cause was sought. Took may be nil.
type Diagnosis struct {
	Causes     map[string]uint64 // entries written, by how certain they are
	NotTried   map[string]uint64 // messages not examined, by a word of this program
	Failed     uint64            // causes that the journal did not take
	Waiting    int
	High, Most int // the most that ever waited, and that may
	Took       *Histogram
}

// diagnosisExporter shows a Diagnosis.
type diagnosisExporter struct {
	s   *Sources
	all []*prometheus.Desc

	causes, notTried, failed, waiting, high, most, took *prometheus.Desc
}

var _ prometheus.Collector = (*diagnosisExporter)(nil)

func newDiagnosisExporter(s *Sources) *diagnosisExporter {
	e := &diagnosisExporter{s: s}
	d := func(name, help string, labels ...string) *prometheus.Desc {
		desc := prometheus.NewDesc("touchstone_diagnosis_"+name, help, labels, nil)
		e.all = append(e.all, desc)
		return desc
	}
	e.causes = d("causes_total", "Causes given to the journal, by how certain they are.", "certainty")
	e.notTried = d("not_tried_total", "Refused messages that were not examined: budget, no room for a copy, or waited too long.", "why")
	e.failed = d("failed_total", "Causes that the journal did not take.")
	e.waiting = d("queue", "Copies of refused messages that wait to be examined.")
	e.high = d("queue_high", "The most that ever waited.")
	e.most = d("queue_limit", "The most that may.")
	e.took = d("seconds", "Examining one message, finding its keys included.")
	return e
}

// Describe implements prometheus.Collector.
func (e *diagnosisExporter) Describe(out chan<- *prometheus.Desc) {
	for _, d := range e.all {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (e *diagnosisExporter) Collect(out chan<- prometheus.Metric) {
	if e.s.Diagnosis == nil {
		return
	}
	s, d := sender{out}, e.s.Diagnosis()
	for name, n := range d.Causes {
		s.counter(e.causes, n, name)
	}
	for why, n := range d.NotTried {
		s.counter(e.notTried, n, why)
	}
	s.counter(e.failed, d.Failed)
	s.gauge(e.waiting, float64(d.Waiting))
	s.gauge(e.high, float64(d.High))
	s.gauge(e.most, float64(d.Most))
	if d.Took != nil {
		s.histogram(e.took, d.Took)
	}
}
