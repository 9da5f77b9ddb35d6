package observe

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// The buckets of a Histogram, in microseconds: 0 to 15 one each, then eight to every doubling, so that a
// percentile is at most one eighth too high. The last one takes everything from about 63 s on.
const (
	subBuckets = 8
	octaves    = 22
	buckets    = 2*subBuckets + octaves*subBuckets
)

// Histogram counts durations. The zero value is empty; many goroutines may add at once.
type Histogram struct {
	count [buckets]atomic.Uint64
	sumUS atomic.Uint64
}

// bucketOf is the bucket of a whole number of microseconds.
func bucketOf(us uint64) int {
	if us < 2*subBuckets {
		return int(us)
	}
	shift := bits.Len64(us) - 4 // us>>shift is 8 to 15
	return min(shift*subBuckets+int(us>>shift), buckets-1)
}

// bucketEnd is the first microsecond above bucket i.
func bucketEnd(i int) uint64 {
	if i < 2*subBuckets {
		return uint64(i) + 1
	}
	shift := i/subBuckets - 1
	return uint64(i%subBuckets+subBuckets+1) << shift
}

// Add counts d; a negative one counts as 0.
func (h *Histogram) Add(d time.Duration) {
	us := uint64(max(d, 0) / time.Microsecond)
	h.count[bucketOf(us)].Add(1)
	h.sumUS.Add(us)
}

// Sample is what a Histogram held at one moment.
type Sample struct {
	count [buckets]uint64
	sumUS uint64
}

// Sample copies the counts. Additions meanwhile may be in it or not.
func (h *Histogram) Sample() (s Sample) {
	for i := range h.count {
		s.count[i] = h.count[i].Load()
	}
	s.sumUS = h.sumUS.Load()
	return s
}

// Since is what was added after the earlier sample.
func (s Sample) Since(earlier *Sample) (d Sample) {
	for i := range s.count {
		d.count[i] = s.count[i] - earlier.count[i]
	}
	d.sumUS = s.sumUS - earlier.sumUS
	return d
}

// Count is how many durations are in it.
func (s *Sample) Count() (n uint64) {
	for _, c := range s.count {
		n += c
	}
	return n
}

// Percentile is an upper bound of the duration that a share p (0 to 1) of all does not exceed, at most
// one eighth above it; 0 when there are none.
func (s *Sample) Percentile(p float64) time.Duration {
	total := s.Count()
	if total == 0 {
		return 0
	}
	need := uint64(p*float64(total) + 0.999999)
	var n uint64
	for i, c := range s.count {
		if n += c; n >= max(need, 1) {
			return time.Duration(bucketEnd(i)) * time.Microsecond
		}
	}
	return time.Duration(bucketEnd(buckets-1)) * time.Microsecond
}

// The upper bounds that /metrics shows: 64 µs doubled up to 33.6 s.
const (
	leastShown = 6
	mostShown  = 25
)

// shown makes the cumulative counts by upper bound in seconds, the total and the sum of seconds. A bound
// is a whole power of two microseconds, the end of a bucket; times are cut to whole microseconds.
func (s *Sample) shown() (cumulative map[float64]uint64, total uint64, seconds float64) {
	cumulative = map[float64]uint64{}
	next := leastShown
	for i, c := range s.count {
		total += c
		if next <= mostShown && bucketEnd(i) == 1<<next {
			cumulative[float64(uint64(1)<<next)/1e6] = total
			next++
		}
	}
	return cumulative, total, float64(s.sumUS) / 1e6
}
