package load

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"touchstone/pos"
)

// Result is what a run saw. "Measured" is what was due in the measured part.
type Result struct {
	Rate        float64 // asked for; 0 is the closed loop
	Connections int
	Pipeline    int
	Terminals   int
	Length      time.Duration // of the measured part, as long as it was
	Stopped     bool          // before its end

	Measured   uint64  // answers measured
	Granted    uint64  // approved of these
	PerSecond  float64 // answers measured by Length
	Latency    Summary // measured
	Wait       Summary // of it, from the scheduled time to the sending; 0 in the closed loop
	Percentile []Point // the whole distribution of Latency

	First    uint64 // approved sales of the preparation
	Approved uint64 // approved sales after it, warm-up included
	Refused  []CodeCount
	WrongMAC uint64 // sales whose MAC was wrong on purpose and that were answered A0, none of Refused
	Forged   uint64 // those that were approved
	Verified uint64 // answers whose MAC was verified
	Unknown  uint64 // sales without an answer: a lost connection, or patience was over
	Unsent   uint64 // sales that were scheduled and not sent before the end: the host does not keep this rate
	Lost     uint64 // connections that ended
	Cause    string // of the first of them

	CPU     time.Duration // of this process for one measured sale; 0: not known
	HostCPU time.Duration // of the host's, where its process was named
	Turns   []Turn        // in the order of their time; empty without Options.Turn
}

// CodeCount is how many answers had a DE39.
type CodeCount struct {
	Code  pos.ResponseCode
	Count uint64
}

// Point is one of a distribution: so much of it, in percent, took at most so long.
type Point struct {
	Percent float64
	At      time.Duration
}

// ApprovedInAll is how many approved sales a journal must hold for this run: at least these, and at most
// Unknown more.
func (r *Result) ApprovedInAll() uint64 { return r.First + r.Approved }

// RefusedInAll is how many sales were answered with another code than 00.
func (r *Result) RefusedInAll() (n uint64) {
	for _, c := range r.Refused {
		n += c.Count
	}
	return n
}

// Clean tells that every sale was approved, but those made wrong, and every connection lived.
func (r *Result) Clean() bool {
	return r.RefusedInAll() == 0 && r.Forged == 0 && r.Unknown == 0 && r.Unsent == 0 && r.Lost == 0
}

func (r *run) result() *Result {
	length := r.o.Duration
	cut := time.Duration(r.cut.Load())
	stopped := cut != 0 && cut < r.end
	if stopped {
		length = max(cut-r.warm, 0)
	}
	r.rec.mu.Lock()
	defer r.rec.mu.Unlock()
	c := &r.rec.counts
	if r.o.Sales != 0 && length > 0 {
		stopped = r.slots.Load() <= r.o.Sales
	}
	out := &Result{Rate: r.o.Rate, Connections: r.o.Connections, Pipeline: r.o.Pipeline, Terminals: len(r.o.Crew), Length: length, Stopped: stopped,
		Measured: c.measured, Granted: c.granted, Latency: summarise(r.rec.latency), Wait: summarise(r.rec.wait),
		First: c.first, Approved: c.approved, Verified: c.verified, WrongMAC: c.wrong, Forged: c.forged, Unknown: c.unknown, Lost: c.lost, Turns: r.turns}
	if length > 0 {
		out.PerSecond = float64(c.measured) / length.Seconds()
	}
	if r.o.Rate == 0 {
		out.Wait = Summary{}
	}
	if c.measured > 0 {
		out.CPU = max(r.own[1]-r.own[0], 0) / time.Duration(c.measured)
		out.HostCPU = max(r.host[1]-r.host[0], 0) / time.Duration(c.measured)
	}
	if c.lostCause != nil {
		out.Cause = c.lostCause.Error()
	}
	for _, code := range slices.SortedFunc(maps.Keys(c.codes), func(a, b pos.ResponseCode) int { return slices.Compare(a[:], b[:]) }) {
		out.Refused = append(out.Refused, CodeCount{code, c.codes[code]})
	}
	out.Unsent = r.unsent(min(r.end, r.warm+length), c.sent)
	if c.measured > 0 {
		out.Percentile = distribution(r.rec.latency)
	}
	return out
}

// A distribution has so many points for every tenfold step of its tail, to 99.9999 %.
const (
	pointsAStep = 40
	mostSteps   = 6
)

func distribution(h *hdrhistogram.Histogram) (points []Point) {
	for i := range pointsAStep*mostSteps + 1 {
		percent := 100 * (1 - math.Pow(10, -float64(i)/pointsAStep))
		points = append(points, Point{percent, time.Duration(h.ValueAtPercentile(percent))})
	}
	return points
}

// unsent is how many sales were scheduled before a time and not sent.
func (r *run) unsent(before time.Duration, sent uint64) uint64 {
	if r.o.Rate == 0 {
		return 0
	}
	n := int64(before.Seconds() * r.o.Rate)
	for ; n > 0 && r.dueAt(n-1) >= before; n-- {
	}
	for ; r.dueAt(n) < before; n++ {
	}
	return uint64(max(n-int64(sent), 0))
}
