package observe

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestBucketsTileTime: every microsecond is in the one bucket whose bounds hold it.
func TestBucketsTileTime(t *testing.T) {
	begin := uint64(0)
	for i := range buckets - 1 {
		end := bucketEnd(i)
		if end <= begin {
			t.Fatalf("bucket %d ends at %d, before it begins", i, end)
		}
		if bucketOf(begin) != i || bucketOf(end-1) != i || bucketOf(end) != i+1 {
			t.Fatalf("bucket %d is not %d to %d", i, begin, end-1)
		}
		begin = end
	}
	for _, us := range []uint64{1 << 26, 1 << 40, 1 << 53} {
		if bucketOf(us) != buckets-1 {
			t.Errorf("%d µs is not in the last bucket", us)
		}
	}
}

// TestPercentileIsAnUpperBound compares with the sorted values: never below, at most an eighth and a
// microsecond above.
func TestPercentileIsAnUpperBound(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, 60_000_000), 1, 300).Draw(r, "microseconds")
		p := rapid.Float64Range(0.001, 1).Draw(r, "p")
		var h Histogram
		for _, v := range values {
			h.Add(time.Duration(v) * time.Microsecond)
		}
		slices.Sort(values)
		at := max(int(p*float64(len(values))+0.999999), 1)
		want := time.Duration(values[min(at, len(values))-1]) * time.Microsecond
		s := h.Sample()
		if got := s.Percentile(p); got < want || got > want+want/subBuckets+time.Microsecond {
			r.Fatalf("percentile %v of %d values is %v, the value there is %v", p, len(values), got, want)
		}
		if s.Count() != uint64(len(values)) {
			r.Fatalf("%d values counted of %d", s.Count(), len(values))
		}
	})
}

func TestEmptyHistogram(t *testing.T) {
	var h Histogram
	s := h.Sample()
	if s.Percentile(0.99) != 0 || s.Count() != 0 {
		t.Error("an empty histogram has a percentile")
	}
	h.Add(-time.Second)
	if s = h.Sample(); s.Count() != 1 || s.sumUS != 0 {
		t.Error("a negative time is not counted as none")
	}
}

// TestShownBoundsAreBuckets: the cumulative counts of /metrics are exact at every bound they name.
func TestShownBoundsAreBuckets(t *testing.T) {
	var h Histogram
	for us := uint64(1); us < 1<<27; us = us*3/2 + 1 {
		h.Add(time.Duration(us) * time.Microsecond)
	}
	s := h.Sample()
	cumulative, total, seconds := s.shown()
	if len(cumulative) != mostShown-leastShown+1 || seconds <= 0 {
		t.Fatalf("%d bounds, want %d", len(cumulative), mostShown-leastShown+1)
	}
	for bound, n := range cumulative {
		want := uint64(0)
		for us := uint64(1); us < 1<<27; us = us*3/2 + 1 {
			if float64(us)/1e6 < bound {
				want++
			}
		}
		if n != want || n > total {
			t.Errorf("bound %v has %d of %d, want %d", bound, n, total, want)
		}
	}
}
