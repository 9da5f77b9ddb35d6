package observe

import (
	"context"
	"time"
)

// How far back the samples go. One is taken every second; percentiles are kept more coarsely.
const (
	sampleEvery = time.Second
	seconds     = 301 // 5 minutes and the sample they begin with
	tens        = 31
	minutes     = 61
)

// clockSlack is how far the machine's clock may run from the monotonic one between two samples before
// that is a step; slewing by NTP is at most 500 parts in a million.
const clockSlack = time.Second

// second is a sample of the sums.
type second struct {
	at                        time.Time
	messages, money, approved uint64
}

type tenSeconds struct {
	at                time.Time
	decided, answered Sample
}

type minute struct {
	at time.Time
	Totals
}

// history is the samples, each ring with its newest last.
type history struct {
	start   time.Time
	drift   time.Duration // wall clock minus monotonic clock since start, at the last sample
	step    time.Duration // the last step of the machine's clock, 0 for none
	stepAt  time.Time
	seconds []second
	tens    []tenSeconds
	minutes []minute
}

func (h *history) begin(start time.Time) {
	h.start = start
	h.seconds = append(make([]second, 0, seconds), second{at: start})
	h.tens = append(make([]tenSeconds, 0, tens), tenSeconds{at: start})
	h.minutes = append(make([]minute, 0, minutes), minute{at: start})
}

// push appends to a ring of at most n.
func push[T any](ring []T, n int, v T) []T {
	if len(ring) == n {
		copy(ring, ring[1:])
		ring = ring[:n-1]
	}
	return append(ring, v)
}

// Run takes samples until ctx ends.
func (l *Live) Run(ctx context.Context) {
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			l.Tick(time.Now())
		}
	}
}

// Tick takes one sample. now has a monotonic reading, as time.Now gives it.
func (l *Live) Tick(now time.Time) { l.tick(now, now.Round(0)) }

// tick is Tick with the machine's clock beside the monotonic one.
func (l *Live) tick(now, wall time.Time) {
	t := l.Totals()
	l.mu.Lock()
	defer l.mu.Unlock()
	h := &l.history
	h.seconds = push(h.seconds, seconds, second{now, t.Messages, t.Money, t.Approved})
	if now.Sub(h.tens[len(h.tens)-1].at) >= 10*sampleEvery {
		h.tens = push(h.tens, tens, tenSeconds{now, l.decided.Sample(), l.answered.Sample()})
	}
	if now.Sub(h.minutes[len(h.minutes)-1].at) >= time.Minute {
		h.minutes = push(h.minutes, minutes, minute{now, t})
	}
	drift := wall.Sub(h.start.Round(0)) - now.Sub(h.start)
	if step := drift - h.drift; step > clockSlack || step < -clockSlack {
		h.step, h.stepAt = step, now
	}
	h.drift = drift
}

// Rate is what happened in a stretch of time that ended now.
type Rate struct {
	Seconds  float64 `json:"seconds"`  // how long it really was; less than asked soon after the start
	Messages float64 `json:"messages"` // a second
	Money    float64 `json:"money"`    // sales, voids, refunds, reversals and balance inquiries, a second
	Approved float64 `json:"approved"` // of those, a second
}

// Rate is over the last d, at most five minutes.
func (l *Live) Rate(now time.Time, d time.Duration) Rate {
	t := l.Totals()
	l.mu.Lock()
	defer l.mu.Unlock()
	ring := l.history.seconds
	from := ring[0]
	for i := len(ring) - 1; i >= 0; i-- {
		if now.Sub(ring[i].at) >= d {
			from = ring[i]
			break
		}
	}
	s := now.Sub(from.at).Seconds()
	if s <= 0 {
		return Rate{}
	}
	return Rate{s, float64(t.Messages-from.messages) / s, float64(t.Money-from.money) / s, float64(t.Approved-from.approved) / s}
}

// LastHour is what was counted in the last hour, or since the start, and how long that is.
func (l *Live) LastHour(now time.Time) (Totals, time.Duration) {
	t := l.Totals()
	l.mu.Lock()
	from := l.history.minutes[0]
	for _, m := range l.history.minutes {
		if now.Sub(m.at) < time.Hour {
			break
		}
		from = m
	}
	l.mu.Unlock()
	t.Messages, t.Money, t.Approved, t.Unwritten = t.Messages-from.Messages, t.Money-from.Money, t.Approved-from.Approved, t.Unwritten-from.Unwritten
	for i := range t.ByReason {
		t.ByReason[i] -= from.ByReason[i]
	}
	return t, now.Sub(from.at)
}

// Latency is the percentiles of a stretch of time.
type Latency struct {
	Count  uint64  `json:"count"`
	P50MS  float64 `json:"p50_ms"`
	P99MS  float64 `json:"p99_ms"`
	P999MS float64 `json:"p999_ms"`
}

func latencyOf(s Sample) Latency {
	ms := func(p float64) float64 { return float64(s.Percentile(p)) / float64(time.Millisecond) }
	return Latency{s.Count(), ms(0.5), ms(0.99), ms(0.999)}
}

// Latencies are of the last minute, or since the start: from frame to decision, and
// from frame to answer.
func (l *Live) Latencies(now time.Time) (decided, answered Latency) {
	d, a := l.decided.Sample(), l.answered.Sample()
	l.mu.Lock()
	ring := l.history.tens
	from := ring[0]
	for i := len(ring) - 1; i >= 0; i-- {
		if now.Sub(ring[i].at) >= time.Minute {
			from = ring[i]
			break
		}
	}
	l.mu.Unlock()
	return latencyOf(d.Since(&from.decided)), latencyOf(a.Since(&from.answered))
}

// ClockStep is the last step of the machine's clock and when it was seen; 0 for none. drift is how far
// that clock is from the host's own, which began with it and does not step.
func (l *Live) ClockStep() (step time.Duration, at time.Time, drift time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.history.step, l.history.stepAt, l.history.drift
}
