package main

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"touchstone/pos"
	"touchstone/web/api"
)

// inBubble runs a census whose clock is the bubble's.
func inBubble(t *testing.T, f func(t *testing.T, c *census)) {
	synctest.Test(t, func(t *testing.T) {
		c := newCensus(slog.New(slog.DiscardHandler), func() pos.Instant { return pos.Instant(time.Now().UnixNano()) })
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); c.run(ctx) }()
		defer func() { stop(); <-done }()
		f(t, c)
	})
}

// slowly counts how often it counted, and takes so long each time.
func slowly(n *atomic.Int64, takes time.Duration) func(context.Context, func() error) (int64, error) {
	return func(ctx context.Context, _ func() error) (int64, error) {
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		return n.Add(1), nil
	}
}

func TestAQuickCountIsHadAtOnceAndKeptForItsLife(t *testing.T) {
	inBubble(t, func(t *testing.T, c *census) {
		var n atomic.Int64
		quick := slowly(&n, time.Millisecond)
		for _, step := range []struct {
			wait time.Duration
			want int64
			age  int
		}{{0, 1, 0}, {time.Second, 1, 1}, {1500 * time.Millisecond, 2, 0}} {
			time.Sleep(step.wait)
			got, counted, err := figureOf(t.Context(), c, "quick", figureLife, quick)
			if err != nil || got != step.want || counted.Age != step.age {
				t.Errorf("after %v: count %d of age %d, %v; want %d of %d", step.wait, got, counted.Age, err, step.want, step.age)
			}
		}
	})
}

func TestALongCountIsSaidToBeUnderWayAndThenToldWithItsAge(t *testing.T) {
	inBubble(t, func(t *testing.T, c *census) {
		var n atomic.Int64
		long := slowly(&n, 10*time.Second)
		began := time.Now()
		_, _, err := figureOf(t.Context(), c, "long", figureLife, long)
		var p *api.Problem
		if !errors.As(err, &p) || p.Code != "being_counted" || time.Since(began) != figureWait {
			t.Fatalf("at first: %v after %v", err, time.Since(began))
		}
		time.Sleep(10 * time.Second)
		if got, _, err := figureOf(t.Context(), c, "long", figureLife, long); got != 1 || err != nil {
			t.Errorf("counted: %d, %v", got, err)
		}
		time.Sleep(100 * time.Second) // less than figureShare times as long as it took: it is not counted anew
		if got, counted, err := figureOf(t.Context(), c, "long", figureLife, long); got != 1 || counted.Age < 100 || err != nil {
			t.Errorf("still fresh: %d of age %d, %v", got, counted.Age, err)
		}
		time.Sleep(150 * time.Second) // now the old one is told at once, and another is counted
		if got, _, err := figureOf(t.Context(), c, "long", figureLife, long); got != 1 || err != nil {
			t.Errorf("old: %d, %v", got, err)
		}
		time.Sleep(11 * time.Second)
		if got, counted, err := figureOf(t.Context(), c, "long", figureLife, long); got != 2 || counted.Age > 1 || err != nil {
			t.Errorf("anew: %d of age %d, %v", got, counted.Age, err)
		}
	})
}

func TestManyWhoAskAreOneCount(t *testing.T) {
	inBubble(t, func(t *testing.T, c *census) {
		var n atomic.Int64
		count := slowly(&n, 50*time.Millisecond)
		got := make(chan int64)
		for range 40 {
			go func() {
				v, _, _ := figureOf(t.Context(), c, "one", figureLife, count)
				got <- v
			}()
		}
		for range 40 {
			if v := <-got; v != 1 {
				t.Errorf("count %d", v)
			}
		}
	})
}

func TestACountThatFailsIsTriedAgainAndTheOldOneStays(t *testing.T) {
	inBubble(t, func(t *testing.T, c *census) {
		bad := errors.New("the journal does not answer")
		fail := true
		count := func(context.Context, func() error) (int, error) {
			if fail {
				return 0, bad
			}
			return 7, nil
		}
		if _, _, err := figureOf(t.Context(), c, "x", figureLife, count); !errors.Is(err, bad) {
			t.Errorf("at first: %v", err)
		}
		fail = false
		if got, _, err := figureOf(t.Context(), c, "x", figureLife, count); got != 7 || err != nil {
			t.Errorf("again: %d, %v", got, err)
		}
		fail = true
		time.Sleep(time.Minute)
		if got, _, err := figureOf(t.Context(), c, "x", figureLife, count); got != 7 || err != nil {
			t.Errorf("after it failed: %d, %v", got, err)
		}
	})
}

func TestFiguresThatNobodyAsksForAreForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T, c *census) {
		one := func(context.Context, func() error) (int, error) { return 1, nil }
		for _, name := range []string{"a", "b", "c"} {
			if _, _, err := figureOf(t.Context(), c, name, figureLife, one); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(figureUnused + time.Second)
		if _, _, err := figureOf(t.Context(), c, "d", figureLife, one); err != nil || len(c.kept) != 1 {
			t.Errorf("%d kept, %v", len(c.kept), err)
		}
	})
}

func TestCountingRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pace := paced(t.Context())
		began := time.Now()
		for range 10 { // ten steps of 30 ms: a rest of twice the burst after each that brings it to 50 ms
			time.Sleep(30 * time.Millisecond)
			if err := pace(); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took < 3*280*time.Millisecond {
			t.Errorf("300 ms of work took %v: it does not rest", took)
		}
		ctx, stop := context.WithCancel(t.Context())
		pace = paced(ctx)
		stop()
		if err := pace(); !errors.Is(err, context.Canceled) {
			t.Errorf("at the end of the host: %v", err)
		}
	})
}
