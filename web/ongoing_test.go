package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestRevokedWithinASecond: however long a request was under way when its caller was let in no more, it ends within a second
// of that, by the clock.
func TestRevokedWithinASecond(t *testing.T) {
	for _, under := range []time.Duration{0, time.Nanosecond, recheckAfter / 2, recheckAfter - 1, recheckAfter, recheckAfter + 1, recheckEvery + recheckAfter, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var gone atomic.Bool
			router := NewRouter(slog.New(slog.DiscardHandler))
			router.Identify = func(*http.Request) (*Caller, error) { return &Caller{Account: "li", Via: BySession}, nil }
			router.Still = func(*http.Request, string) bool { return !gone.Load() }
			router.Handle(Route{Method: http.MethodGet, Pattern: "/stream", Rule: Rule{Any: true}}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			go router.recheck(ctx)
			ended := make(chan time.Time, 1)
			go func() {
				router.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://127.0.0.1/stream", nil))
				ended <- time.Now()
			}()
			time.Sleep(under) // of the bubble's clock
			synctest.Wait()
			if len(ended) != 0 {
				t.Fatalf("a request of somebody who is let in ended within %s", under)
			}
			gone.Store(true)
			revoked := time.Now()
			if took := (<-ended).Sub(revoked); took > time.Second {
				t.Errorf("under way for %s, it went on for %s", under, took)
			}
		})
	}
}
