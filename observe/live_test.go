package observe

import (
	"math"
	"sync"
	"testing"
	"time"

	"touchstone/host"
	"touchstone/pos"
	"touchstone/reason"
)

var start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

func TestRatesAndTheHour(t *testing.T) {
	l := NewLive(start)
	at := start
	for range 600 { // ten minutes: 10 sales a second, each tenth refused
		for i := range 10 {
			if i == 0 {
				l.Finished(sale(reason.MACFailed, "A0"))
				continue
			}
			l.Finished(sale(reason.None, "00"))
		}
		at = at.Add(time.Second)
		l.Tick(at)
	}
	for range 100 { // and now echoes only, for ten seconds
		l.Finished(&host.Seen{MTI: 0x0820, Network: 301, Code: pos.Approved})
	}
	for range 10 {
		at = at.Add(time.Second)
		l.Tick(at)
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	ten, minute, five := l.Rate(at, 10*time.Second), l.Rate(at, time.Minute), l.Rate(at, 5*time.Minute)
	near("messages in 10 s", ten.Messages, 10)
	near("money in 10 s", ten.Money, 0)
	near("money in 1 min", minute.Money, 500.0/60)
	near("approved in 5 min", five.Approved, 2610.0/300)
	near("stretch of 5 min", five.Seconds, 300)
	hour, took := l.LastHour(at)
	if took != 610*time.Second || hour.Messages != 6100 || hour.Money != 6000 || hour.Approved != 5400 || hour.ByReason[reason.MACFailed] != 600 {
		t.Errorf("the hour since the start is %v: %d %d %d %d", took, hour.Messages, hour.Money, hour.Approved, hour.ByReason[reason.MACFailed])
	}
	for range 3600 {
		at = at.Add(time.Second)
		l.Tick(at)
	}
	if hour, took = l.LastHour(at); took < time.Hour || took > time.Hour+time.Minute || hour.ByReason[reason.MACFailed] != 0 {
		t.Errorf("an hour later %d refusals of the %v before are counted", hour.ByReason[reason.MACFailed], took)
	}
	if r := l.Rate(at, 5*time.Minute); r.Messages != 0 {
		t.Errorf("silence has a rate of %v", r.Messages)
	}
}

// TestOldLatenciesAreForgotten: the percentiles are of the last minute.
func TestOldLatenciesAreForgotten(t *testing.T) {
	l, at := NewLive(start), start
	for i := range 200 {
		d := 40 * time.Millisecond
		if i >= 100 {
			d = time.Millisecond
		}
		l.Answered(d)
		l.Finished(sale(reason.None, "00"))
		at = at.Add(time.Second)
		l.Tick(at)
	}
	decided, answered := l.Latencies(at)
	if answered.Count < 60 || answered.Count > 70 || answered.P99MS > 1.2 || answered.P50MS < 1 {
		t.Errorf("answers of the last minute: %+v", answered)
	}
	if decided.Count != answered.Count || decided.P99MS < 0.07 || decided.P99MS > 0.08 {
		t.Errorf("decisions of the last minute: %+v", decided)
	}
}

func TestClockStepIsSeen(t *testing.T) {
	l := NewLive(start)
	l.tick(start.Add(time.Second), start.Add(time.Second+200*time.Millisecond)) // slewing
	if step, _, _ := l.ClockStep(); step != 0 {
		t.Errorf("slewing is taken for a step of %v", step)
	}
	l.tick(start.Add(2*time.Second), start.Add(2*time.Second-time.Hour))
	l.tick(start.Add(3*time.Second), start.Add(3*time.Second-time.Hour))
	step, at, drift := l.ClockStep()
	if step > -time.Hour+time.Second || !at.Equal(start.Add(2*time.Second)) || drift != -time.Hour {
		t.Errorf("a step back by an hour is %v at %v, drift %v", step, at, drift)
	}
	r := newRig(t, start)
	r.Live = l
	needs := r.Status(start.Add(4*time.Second), 1).Needs
	if !needed(needs, NeedClockStep) || !needed(needs, NeedClockDrift) {
		t.Errorf("nobody is told: %v", needs)
	}
}

func needed(list []Need, code string) bool {
	for _, n := range list {
		if n.Code == code {
			return true
		}
	}
	return false
}

// TestNothingIsLostUnderLoad adds from many goroutines while others read.
func TestNothingIsLostUnderLoad(t *testing.T) {
	l := NewLive(start)
	const writers, each = 8, 5000
	var writing, reading sync.WaitGroup
	done := make(chan struct{})
	reading.Go(func() {
		for at := start; ; at = at.Add(time.Second) {
			select {
			case <-done:
				return
			default:
				l.Tick(at)
				l.Rate(at, time.Minute)
				l.LastHour(at)
			}
		}
	})
	for range writers {
		writing.Go(func() {
			for i := range each {
				l.Finished(sale(reason.Reason(i%40), "A0"))
				l.Answered(time.Duration(i) * time.Microsecond)
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	if n := l.Totals().Messages; n != writers*each || l.FinishedCount() != n {
		t.Errorf("%d messages counted, want %d", n, writers*each)
	}
	s := l.answered.Sample()
	if s.Count() != writers*each {
		t.Errorf("%d answers counted, want %d", s.Count(), writers*each)
	}
}

// BenchmarkObserve is the cost of counting one message: finished, and its answer.
func BenchmarkObserve(b *testing.B) {
	run := func(b *testing.B, n int) {
		l := NewLive(start)
		b.SetParallelism(1)
		b.ReportAllocs()
		if n == 1 {
			s := sale(reason.None, "00")
			for b.Loop() {
				l.Finished(s)
				l.Answered(400 * time.Microsecond)
			}
			return
		}
		b.RunParallel(func(pb *testing.PB) {
			s := sale(reason.None, "00")
			for pb.Next() {
				l.Finished(s)
				l.Answered(400 * time.Microsecond)
			}
		})
	}
	b.Run("one", func(b *testing.B) { run(b, 1) })
	b.Run("all", func(b *testing.B) { run(b, 0) })
}
