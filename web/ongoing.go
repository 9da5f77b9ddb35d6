package web

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// How long a request goes on after its caller may not any more: a stream can last for hours.
const (
	recheckEvery = 500 * time.Millisecond
	recheckAfter = 500 * time.Millisecond // of a request's begin: a shorter one was identified when it began
)

// ongoing are the requests under way of callers with a session or a key.
type ongoing struct {
	mu  sync.Mutex
	all map[*going]struct{}
}

type going struct {
	request *http.Request
	account string
	begun   time.Time
	end     context.CancelFunc
}

// follow lets a request be ended from outside: its context is cancelled when its caller is no longer let in.
func (t *Router) follow(r *http.Request, c *Caller) (context.Context, func()) {
	if c == nil || t.Still == nil {
		return r.Context(), func() {}
	}
	ctx, end := context.WithCancel(r.Context())
	g := &going{request: r, account: c.Account, begun: time.Now(), end: end}
	t.going.mu.Lock()
	defer t.going.mu.Unlock()
	if t.going.all == nil {
		t.going.all = map[*going]struct{}{}
	}
	t.going.all[g] = struct{}{}
	return ctx, func() {
		end()
		t.going.mu.Lock()
		defer t.going.mu.Unlock()
		delete(t.going.all, g)
	}
}

// Recheck ends every request under way whose caller is not let in any more.
func (t *Router) Recheck() {
	if t.Still == nil {
		return
	}
	now := time.Now()
	t.going.mu.Lock()
	var long []*going
	for g := range t.going.all {
		if now.Sub(g.begun) >= recheckAfter {
			long = append(long, g)
		}
	}
	t.going.mu.Unlock()
	for _, g := range long {
		if !t.Still(g.request, g.account) {
			g.end()
		}
	}
}

// recheck does so until ctx ends.
func (t *Router) recheck(ctx context.Context) {
	tick := time.NewTicker(recheckEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			t.Recheck()
		}
	}
}
