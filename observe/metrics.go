package observe

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"touchstone/pos"
	"touchstone/reason"
)

// NewRegistry makes the registry of /metrics: the host's own figures, Go's and the process's.
func NewRegistry(s *Sources) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(newExporter(s), newAdmissionExporter(s), newFailureExporter(s), newDiagnosisExporter(s), newIntegrationExporter(s), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// exporter reads the sources when it is asked and keeps nothing.
type exporter struct {
	s   *Sources
	all []*prometheus.Desc

	messages, decided, answered, inFlight             *prometheus.Desc
	blocks, entries, blockSize, append, lastBlock     *prometheus.Desc
	head, durable, journalBytes, journalFailed        *prometheus.Desc
	queueEntries, queueMost, queueBytes, queueMostB   *prometheus.Desc
	checkpoints, checkpointErrors, checkpointTook     *prometheus.Desc
	checkpointAt, viewLag                             *prometheus.Desc
	connections, accepted, turnedAway, frames, bad    *prometheus.Desc
	answers, transport                                *prometheus.Desc
	sealed, cacheHits, cacheMisses, cacheKept, cacheN *prometheus.Desc
	registered, build, test, singleDES, started       *prometheus.Desc
	overloaded, clockDrift, diskFree, diskSize        *prometheus.Desc
	proving                                           provingDescs
}

var _ prometheus.Collector = (*exporter)(nil)

func newExporter(s *Sources) *exporter {
	e := &exporter{s: s}
	d := func(name, help string, labels ...string) *prometheus.Desc {
		desc := prometheus.NewDesc("touchstone_"+name, help, labels, nil)
		e.all = append(e.all, desc)
		return desc
	}
	e.proving = newProvingDescs(d)
	e.messages = d("messages_total", "Messages that ended, by what they asked for, the answer code (none: no answer) and the reason (none: approved).", "function", "de39", "reason")
	e.decided = d("decision_seconds", "From a frame read to its decision.")
	e.answered = d("answer_seconds", "From a frame read to its answer handed to the connection, durable by then.")
	e.inFlight = d("messages_in_flight", "Messages read that have no answer yet.")
	e.blocks = d("journal_blocks_total", "Blocks made durable.")
	e.entries = d("journal_entries_total", "Entries made durable.")
	e.blockSize = d("journal_block_entries", "Entries of a block.")
	e.append = d("journal_append_seconds", "Writing a block, its fsync included.")
	e.lastBlock = d("journal_last_block_timestamp_seconds", "When the last block became durable, 0 before the first.")
	e.head = d("journal_head", "Number of the newest entry, durable or not.")
	e.durable = d("journal_durable", "Number of the newest durable entry.")
	e.journalBytes = d("journal_bytes", "Size of the journal on disk, its WAL included.")
	e.journalFailed = d("journal_failed", "1 when the journal failed: nothing more is answered.")
	e.queueEntries = d("journal_queue_entries", "Entries that wait to be written.")
	e.queueMost = d("journal_queue_entries_limit", "Most entries that may wait; beyond it messages are refused with overloaded.")
	e.queueBytes = d("journal_queue_bytes", "Bytes that wait to be written.")
	e.queueMostB = d("journal_queue_bytes_limit", "Most bytes that may wait.")
	e.checkpoints = d("checkpoints_total", "Checkpoints of the hot state written.")
	e.checkpointErrors = d("checkpoint_failures_total", "Checkpoints that failed; after the first none is written until a restart.")
	e.checkpointTook = d("checkpoint_write_seconds", "Writing a checkpoint to state.db.")
	e.checkpointAt = d("checkpoint_timestamp_seconds", "When the last checkpoint was written, 0 before the first.")
	e.viewLag = d("view_lag_entries", "Durable entries that the view for queries does not show yet.")
	e.connections = d("connections_open", "Open connections of terminals.", "listener")
	e.accepted = d("connections_accepted_total", "Connections accepted, those turned away included.", "listener")
	e.turnedAway = d("connections_turned_away_total", "Connections closed at once because a bound was reached.", "listener")
	e.frames = d("frames_total", "Frames read whole.", "listener")
	e.bad = d("bad_frames_total", "Bytes that were no frame: the connection was closed.", "listener")
	e.answers = d("answers_total", "Answers handed to a connection.", "listener")
	e.transport = d("transport_ends_total", "Ends of TLS handshakes, and peers that spoke the wrong protocol to a port.", "end")
	e.sealed = d("module_sealed", "1 when the security module holds no keys.")
	e.cacheHits = d("module_key_cache_hits_total", "Uses of a key that was open already.")
	e.cacheMisses = d("module_key_cache_misses_total", "Uses of a key that had to be opened.")
	e.cacheKept = d("module_key_cache_keys", "Keys kept open.")
	e.cacheN = d("module_key_cache_keys_limit", "Most keys kept open.")
	e.registered = d("registered", "Records of the register.", "kind")
	e.build = d("build_info", "1; the labels tell what runs.", "version")
	e.test = d("test_data_directory", "1 when the keys are published: for tests only.")
	e.singleDES = d("single_des_accepted", "1 when single-DES keys are issued and accepted.")
	e.started = d("start_timestamp_seconds", "When this host began to serve.")
	e.overloaded = d("overloaded", "1 while new work is refused before it is accepted.")
	e.clockDrift = d("clock_drift_seconds", "The machine's clock minus the host's own since the start: a step of the former shows here.")
	e.diskFree = d("disk_free_bytes", "Free bytes of the data directory's file system.")
	e.diskSize = d("disk_size_bytes", "Size of the data directory's file system.")
	return e
}

// Describe implements prometheus.Collector.
func (e *exporter) Describe(out chan<- *prometheus.Desc) {
	for _, d := range e.all {
		out <- d
	}
}

// sender sends one kind of value after another.
type sender struct{ out chan<- prometheus.Metric }

func (s sender) counter(d *prometheus.Desc, v uint64, labels ...string) {
	s.out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
}

func (s sender) gauge(d *prometheus.Desc, v float64, labels ...string) {
	s.out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (s sender) flag(d *prometheus.Desc, v bool) {
	if v {
		s.gauge(d, 1)
		return
	}
	s.gauge(d, 0)
}

func (s sender) histogram(d *prometheus.Desc, h *Histogram) {
	sample := h.Sample()
	cumulative, total, sum := sample.shown()
	s.out <- prometheus.MustNewConstHistogram(d, total, sum, cumulative)
}

// Collect implements prometheus.Collector.
func (e *exporter) Collect(out chan<- prometheus.Metric) {
	s := sender{out}
	e.collectMessages(s)
	e.collectJournal(s)
	e.collectListeners(s)
	e.collectHost(s)
	e.collectProving(s)
}

func (e *exporter) collectMessages(s sender) {
	l := e.s.Live
	type key struct {
		fn     Function
		reason string // a reason outside the table is "unknown", and several may be
		code   string
	}
	sums := map[key]uint64{}
	l.each(func(fn Function, r reason.Reason, code pos.ResponseCode, n uint64) {
		name := "other"
		switch {
		case code == pos.ResponseCode{}:
			name = "none"
		case code != pos.ResponseCode{'?', '?'}:
			name = code.String()
		}
		sums[key{fn, r.String(), name}] += n
	})
	for k, n := range sums {
		s.counter(e.messages, n, k.fn.String(), k.code, k.reason)
	}
	s.histogram(e.decided, &l.decided)
	s.histogram(e.answered, &l.answered)
	s.gauge(e.inFlight, float64(e.s.inFlight()))
}

func (e *exporter) collectJournal(s sender) {
	l, j := e.s.Live, e.s.Journal()
	s.counter(e.blocks, l.blocks.Load())
	s.counter(e.entries, l.entries.Load())
	cumulative, total := map[float64]uint64{}, uint64(0)
	for i := range l.blockSize {
		total += l.blockSize[i].Load()
		cumulative[float64(uint64(1)<<i)] = total
	}
	s.out <- prometheus.MustNewConstHistogram(e.blockSize, total, float64(l.entries.Load()), cumulative)
	s.histogram(e.append, &l.append)
	s.gauge(e.lastBlock, unixSeconds(l.lastBlock.Load()))
	s.gauge(e.head, float64(j.Queue.Next-1))
	s.gauge(e.durable, float64(j.Durable))
	s.gauge(e.journalBytes, float64(j.Bytes))
	s.flag(e.journalFailed, j.Failed)
	s.gauge(e.queueEntries, float64(j.Queue.Entries))
	s.gauge(e.queueMost, float64(j.Queue.MostEntries))
	s.gauge(e.queueBytes, float64(j.Queue.Bytes))
	s.gauge(e.queueMostB, float64(j.Queue.MostBytes))
	s.counter(e.checkpoints, l.checkpoints.Load())
	s.counter(e.checkpointErrors, l.checkpointFailures.Load())
	s.histogram(e.checkpointTook, &l.checkpointTook)
	s.gauge(e.checkpointAt, unixSeconds(l.lastCheckpoint.Load()))
	if v := e.s.View(); v.On {
		s.gauge(e.viewLag, float64(v.Lag))
	}
}

// unixSeconds keeps 0, which is never.
func unixSeconds(nanoseconds int64) float64 { return float64(nanoseconds) / float64(time.Second) }

func (e *exporter) collectListeners(s sender) {
	for _, l := range e.s.Listeners() {
		s.gauge(e.connections, float64(l.Open), l.Kind)
		s.counter(e.accepted, l.Accepted, l.Kind)
		s.counter(e.turnedAway, l.TurnedAway, l.Kind)
		s.counter(e.frames, l.Frames, l.Kind)
		s.counter(e.bad, l.BadFrames, l.Kind)
		s.counter(e.answers, l.Answers, l.Kind)
	}
}

func (e *exporter) collectHost(s sender) {
	for end, n := range e.s.Transport() {
		s.counter(e.transport, n, end)
	}
	m := e.s.Module()
	s.flag(e.sealed, m.Sealed)
	s.counter(e.cacheHits, m.Hits)
	s.counter(e.cacheMisses, m.Misses)
	s.gauge(e.cacheKept, float64(m.Kept))
	s.gauge(e.cacheN, float64(m.Most))
	r := e.s.Registered()
	s.gauge(e.registered, float64(r.Merchants), "merchant")
	s.gauge(e.registered, float64(r.Terminals), "terminal")
	s.gauge(e.registered, float64(r.Devices), "device")
	s.gauge(e.registered, float64(r.Cards), "card")
	s.gauge(e.build, 1, e.s.Version)
	s.flag(e.test, e.s.Test)
	s.flag(e.singleDES, e.s.SingleDES)
	s.gauge(e.started, unixSeconds(e.s.Started.UnixNano()))
	s.flag(e.overloaded, e.s.Overloaded())
	_, _, drift := e.s.Live.ClockStep()
	s.gauge(e.clockDrift, drift.Seconds())
	if d, err := diskOf(e.s.Directory); err == nil {
		s.gauge(e.diskFree, float64(d.Free))
		s.gauge(e.diskSize, float64(d.Size))
	}
}
