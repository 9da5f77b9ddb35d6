package load

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"touchstone/pos"
)

// The range and the resolution of a histogram: 1 microsecond to 2 minutes, three significant digits in a
// fixed 220 kB. What took longer counts as the longest.
const (
	leastLatency = int64(time.Microsecond)
	mostLatency  = int64(2 * time.Minute)
	digits       = 3
)

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(leastLatency, mostLatency, digits)
}

func record(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(max(int64(d), 0), mostLatency)) // an error is a value out of range, which none is
}

// recorder counts what a run saw. One is shared by all connections.
type recorder struct {
	mu       sync.Mutex
	latency  *hdrhistogram.Histogram // nanoseconds from the scheduled time, measured part
	wait     *hdrhistogram.Histogram // of it, nanoseconds from the scheduled time to the sending
	interval *hdrhistogram.Histogram // latency since the last look, of every part
	counts   counts
}

// counts are those of a whole run.
type counts struct {
	first     uint64 // approved sales of the preparation, one a terminal
	approved  uint64 // approved sales after it, measured or not
	measured  uint64 // answers that belong to the measured part, approved or not
	granted   uint64 // approved of these
	sent      uint64 // sales sent after the preparation
	verified  uint64 // answers whose MAC was verified
	unknown   uint64 // sales sent whose answer never came
	lost      uint64 // connections that ended
	codes     map[pos.ResponseCode]uint64
	wrong     uint64 // sales whose MAC was wrong and that were answered A0, as they must be
	forged    uint64 // those that were approved: the host proves nothing
	refused   uint64 // answers but 00, the sum over codes
	lostCause error  // of the first connection that ended
}

func newRecorder() *recorder {
	return &recorder{latency: newHistogram(), wait: newHistogram(), interval: newHistogram(), counts: counts{codes: map[pos.ResponseCode]uint64{}}}
}

// observation is one answered sale.
type observation struct {
	code     pos.ResponseCode
	wrong    bool          // the sale's MAC was
	latency  time.Duration // from the scheduled time
	wait     time.Duration // from the scheduled time to the sending
	measured bool
	verified bool
}

// wrongMACCode is the answer to a wrong MAC; docs/protocol/unionpay-pos.md, section 7.
var wrongMACCode = pos.Code("A0")

func (r *recorder) answered(o observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	record(r.interval, o.latency)
	c := &r.counts
	switch {
	case o.wrong && o.code == wrongMACCode:
		c.wrong++
	case o.wrong && o.code == pos.Approved:
		c.approved++
		c.forged++
	case o.code == pos.Approved:
		c.approved++
	default:
		c.codes[o.code]++
		c.refused++
	}
	if o.verified {
		c.verified++
	}
	if !o.measured {
		return
	}
	c.measured++
	if o.code == pos.Approved {
		c.granted++
	}
	record(r.latency, o.latency)
	record(r.wait, o.wait)
}

func (r *recorder) prepared() {
	r.mu.Lock()
	r.counts.first++
	r.mu.Unlock()
}

func (r *recorder) left() {
	r.mu.Lock()
	r.counts.sent++
	r.mu.Unlock()
}

// lose counts a connection that ended with sales in flight.
func (r *recorder) lose(inFlight int, cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.unknown += uint64(inFlight)
	r.counts.lost++
	if r.counts.lostCause == nil {
		r.counts.lostCause = cause
	}
}

// abandon counts sales in flight whose answer was not waited for any longer.
func (r *recorder) abandon(inFlight int) {
	r.mu.Lock()
	r.counts.unknown += uint64(inFlight)
	r.mu.Unlock()
}

// look returns the latencies since the last look and the counts until now.
func (r *recorder) look() (Summary, counts) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := summarise(r.interval)
	r.interval.Reset()
	return s, r.counts
}

// Summary is a distribution of latencies.
type Summary struct {
	Count         int64
	Mean          time.Duration
	P50, P90, P99 time.Duration
	P999, P9999   time.Duration
	Max           time.Duration
}

func summarise(h *hdrhistogram.Histogram) Summary {
	at := func(p float64) time.Duration { return time.Duration(h.ValueAtPercentile(p)) }
	return Summary{Count: h.TotalCount(), Mean: time.Duration(h.Mean()), P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), P9999: at(99.99),
		Max: time.Duration(h.Max())}
}
