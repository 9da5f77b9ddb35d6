package load

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/pos"
	"touchstone/terminal"
)

// exact is the percentile of sorted values: the least of them that at least so many percent do not exceed.
func exact(sorted []time.Duration, percent float64) time.Duration {
	n := int(math.Ceil(percent*float64(len(sorted))/100 - 1e-6)) // 99.9 has no exact binary form
	return sorted[min(max(n, 1), len(sorted))-1]
}

// TestPercentilesAgainstExact: the fixed-memory histogram gives, within its three digits, what sorting
// every value gives, whatever the values are like.
func TestPercentilesAgainstExact(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name string
		draw func(i int) time.Duration
	}{
		{"even", func(i int) time.Duration { return time.Duration(i+1) * time.Microsecond }},
		{"always the same", func(int) time.Duration { return 7 * time.Millisecond }},
		{"a long tail", func(int) time.Duration {
			return time.Duration(float64(time.Millisecond) * math.Exp(2*random.NormFloat64()))
		}},
		{"one in a thousand stalls", func(i int) time.Duration {
			if i%1000 == 0 {
				return 900 * time.Millisecond
			}
			return time.Duration(400+random.IntN(200)) * time.Microsecond
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHistogram()
			var all []time.Duration
			for i := range 50_000 {
				d := c.draw(i)
				all = append(all, d)
				record(h, d)
			}
			slices.Sort(all)
			s := summarise(h)
			for _, q := range []struct {
				name    string
				got     time.Duration
				percent float64
			}{{"p50", s.P50, 50}, {"p90", s.P90, 90}, {"p99", s.P99, 99}, {"p99.9", s.P999, 99.9}, {"p99.99", s.P9999, 99.99}, {"max", s.Max, 100}} {
				want := exact(all, q.percent)
				if off := math.Abs(float64(q.got-want)) / float64(want); off > 0.002 && (q.got-want).Abs() > 2*time.Microsecond {
					t.Errorf("%s is %s, sorting gives %s", q.name, q.got, want)
				}
			}
			if s.Count != int64(len(all)) {
				t.Errorf("%d counted of %d", s.Count, len(all))
			}
		})
	}
}

// TestHistogramBounds: what is out of range counts at its edge, and memory does not grow with the counts.
func TestHistogramBounds(t *testing.T) {
	h := newHistogram()
	before := h.ByteSize()
	for _, d := range []time.Duration{-time.Second, 0, time.Hour, math.MaxInt64} {
		record(h, d)
	}
	for range 100_000 {
		record(h, time.Millisecond)
	}
	if n := h.TotalCount(); n != 100_004 {
		t.Errorf("%d counted of 100004", n)
	}
	if most := time.Duration(h.Max()); most < time.Duration(mostLatency) || most > time.Duration(mostLatency)*1001/1000 {
		t.Errorf("an hour counted as %s", most)
	}
	if after := h.ByteSize(); after != before || after > 512<<10 {
		t.Errorf("the histogram grew from %d to %d bytes", before, after)
	}
}

// TestRefusedOptions: what makes no run is refused before anything is sent, an address that is not
// loopback first of all.
func TestRefusedOptions(t *testing.T) {
	crew := make([]Member, 8)
	good := Options{Address: "127.0.0.1:1", Crew: crew, Connections: 4, Duration: time.Second}
	for _, c := range []struct {
		name, want string
		change     func(*Options)
	}{
		{"a public address", "not loopback", func(o *Options) { o.Address = "192.0.2.1:8583" }},
		{"a private address", "not loopback", func(o *Options) { o.Address = "10.0.0.1:8583" }},
		{"any address", "not loopback", func(o *Options) { o.Address = "0.0.0.0:8583" }},
		{"a public IPv6 address", "not loopback", func(o *Options) { o.Address = "[2001:db8::1]:8583" }},
		{"a mapped public address", "not loopback", func(o *Options) { o.Address = "[::ffff:192.0.2.1]:8583" }},
		{"a name", "want an address and a port", func(o *Options) { o.Address = "localhost:8583" }},
		{"no port", "want an address and a port", func(o *Options) { o.Address = "127.0.0.1" }},
		{"fewer terminals than connections", "too few", func(o *Options) { o.Connections = 9 }},
		{"fewer terminals than sales in flight", "too few", func(o *Options) { o.Pipeline = 3 }},
		{"a pipeline over what a host reads", "in flight", func(o *Options) { o.Pipeline = MaxPipeline + 1 }},
		{"no duration", "must last", func(o *Options) { o.Duration = 0 }},
		{"a negative rate", "must not be negative", func(o *Options) { o.Rate = -1 }},
	} {
		o := good
		c.change(&o)
		r, err := Run(t.Context(), o)
		if !errors.Is(err, ErrOptions) || r != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	for _, address := range []string{"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"} {
		o := good
		o.Address = address
		if err := o.complete(); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestNobodyListens: a host that is not there is an error, not a result.
func TestNobodyListens(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := Run(ctx, Options{Address: "127.0.0.1:1", Crew: []Member{{}}, Connections: 1, Duration: time.Second})
	if err == nil || r != nil {
		t.Errorf("%v, %v", r, err)
	}
}

// TestSchedule: sales are due at even distances from the beginning, and those due before the end that
// were not sent are counted.
func TestSchedule(t *testing.T) {
	r := &run{o: Options{Rate: 400}, end: time.Second}
	for n, want := range map[int64]time.Duration{0: 0, 1: 2500 * time.Microsecond, 400: time.Second} {
		if got := r.dueAt(n); got != want {
			t.Errorf("sale %d is due at %s, want %s", n, got, want)
		}
	}
	for _, c := range []struct {
		before time.Duration
		sent   uint64
		want   uint64
	}{{time.Second, 400, 0}, {time.Second, 399, 1}, {time.Second, 0, 400}, {2500 * time.Microsecond, 0, 1}, {2501 * time.Microsecond, 0, 2}, {time.Second, 500, 0}} {
		if got := r.unsent(c.before, c.sent); got != c.want {
			t.Errorf("before %s, %d sent: %d unsent, want %d", c.before, c.sent, got, c.want)
		}
	}
	if n := (&run{}).unsent(time.Second, 0); n != 0 {
		t.Errorf("the closed loop has no schedule, yet %d unsent", n)
	}
}

// sampleResult is a result with every kind of trouble in it.
func sampleResult(rate float64) *Result {
	rec := newRecorder()
	for i := range 20_000 {
		code := pos.Approved
		if i%5000 == 0 {
			code = pos.Code("51")
		}
		rec.answered(observation{code: code, latency: time.Duration(400+i%700) * time.Microsecond, measured: true, verified: i%64 == 0})
	}
	rec.answered(observation{code: pos.Approved, latency: 50 * time.Millisecond, measured: true})
	rec.lose(2, io.EOF)
	rec.counts.sent = 20_003
	r := &run{o: Options{Rate: rate, Connections: 16, Pipeline: 1, Crew: make([]Member, 100), Duration: 10 * time.Second}, rec: rec, end: 10 * time.Second}
	return r.result()
}

func TestResultCounts(t *testing.T) {
	r := sampleResult(3000)
	if r.Measured != 20_001 || r.Granted != 19_997 || r.RefusedInAll() != 4 || r.Unknown != 2 || r.Lost != 1 || r.Unsent != 30_000-20_003 || r.Cause != "EOF" || r.Clean() {
		t.Errorf("%+v", r)
	}
	if got := r.PerSecond; got != 2000.1 {
		t.Errorf("%f a second, want 2000.1", got)
	}
	last := r.Percentile[len(r.Percentile)-1]
	if last.At != r.Latency.Max || !slices.IsSortedFunc(r.Percentile, func(a, b Point) int { return int(a.At - b.At) }) {
		t.Errorf("the distribution ends at %v, the longest is %s", last, r.Latency.Max)
	}
}

// TestText: both languages say every kind of trouble, and what was clean is said to be.
func TestText(t *testing.T) {
	for lang, wants := range map[terminal.Language][]string{
		terminal.English: {"fixed rate 3,000/s", "answered 51: 4", "without an answer: 2", "connections that ended: 1 (EOF)", "scheduled and not sent: 9,997", "p99.9"},
		terminal.Chinese: {"固定速率 3,000 笔/秒", "应答 51: 4 笔", "无应答: 2 笔", "断开的连接: 1", "而未发出: 9,997 笔", "p99.9"},
	} {
		var b bytes.Buffer
		if err := sampleResult(3000).WriteText(&b, lang); err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: no %q in\n%s", lang, want, b.String())
			}
		}
	}
	var b bytes.Buffer
	if err := (&Result{Length: time.Second}).WriteText(&b, terminal.English); err != nil || !strings.Contains(b.String(), "no sale refused") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

// TestPicture: the picture is well-formed XML with named axes and the values that people ask for, in both
// languages, and also of a run without a sale.
func TestPicture(t *testing.T) {
	for _, c := range []struct {
		name  string
		r     *Result
		lang  terminal.Language
		wants []string
	}{
		{"English", sampleResult(3000), terminal.English, []string{"latency, milliseconds", "percentile:", "p99 ", "max 50.0 ms", "fixed rate 3,000/s", "from the time a sale was due"}},
		{"Chinese", sampleResult(0), terminal.Chinese, []string{"延迟 (毫秒)", "百分位", "闭环"}},
		{"nothing measured", &Result{Length: time.Second}, terminal.English, []string{"0 sales"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := c.r.WriteSVG(&b, c.lang); err != nil {
				t.Fatal(err)
			}
			for d := xml.NewDecoder(bytes.NewReader(b.Bytes())); ; {
				if _, err := d.Token(); err == io.EOF {
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
			for _, want := range c.wants {
				if !strings.Contains(b.String(), want) {
					t.Errorf("no %q", want)
				}
			}
			if strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "Inf") {
				t.Error("a coordinate is no number")
			}
		})
	}
}

// TestCPUOf: the time of this very process is what the system says of it in another way.
func TestCPUOf(t *testing.T) {
	if processCPU() == 0 {
		t.Skip("NOT RUN: the time of a process is read on Linux only")
	}
	sum := 0
	for begin := time.Now(); time.Since(begin) < 60*time.Millisecond; {
		sum++
	}
	const ticks = 2 * 10 * time.Millisecond // proc(5): user and system time are each in whole hundredths of a second
	before := processCPU()
	read, err := CPUOf(os.Getpid())
	after := processCPU()
	if err != nil || read < before-ticks || read > after+ticks {
		t.Errorf("/proc says %s, getrusage %s before and %s after (%v, %d)", read, before, after, err, sum)
	}
	if _, err := CPUOf(1 << 30); err == nil {
		t.Error("a process that does not exist has a time")
	}
}

// TestFloors: the raw measurements count, and clean up.
func TestFloors(t *testing.T) {
	dir := t.TempDir()
	s, err := Sync(dir, 20*time.Millisecond)
	if err != nil || s.Count == 0 || s.P50 <= 0 || s.P99 < s.P50 {
		t.Errorf("%+v, %v", s, err)
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 0 {
		t.Errorf("left behind: %v, %v", list, err)
	}
	if _, err := Sync(dir+"/none", time.Millisecond); err == nil {
		t.Error("a directory that does not exist was measured")
	}
	e, perSecond, err := Echo(4, 50*time.Millisecond)
	if err != nil || e.Count == 0 || perSecond <= 0 {
		t.Errorf("%+v, %f, %v", e, perSecond, err)
	}
}
