package web

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Pace is a bucket: so many at once, then one each.
type Pace struct {
	Burst int
	Every time.Duration
}

// Limiter is a full bucket.
func (p Pace) Limiter() *rate.Limiter { return rate.NewLimiter(rate.Every(p.Every), p.Burst) }

// mostBuckets is how many keys one generation of a table keeps: two generations of about 150 bytes each.
const mostBuckets = 16_384

// Buckets is a bucket for each key, in bounded memory. When a generation is full the one before it is forgotten: who was
// in it and came back since is in the new one.
type Buckets[K comparable] struct {
	pace Pace
	mu   sync.Mutex // guards what follows
	now  map[K]*rate.Limiter
	old  map[K]*rate.Limiter
}

// NewBuckets makes a table without keys.
func NewBuckets[K comparable](p Pace) *Buckets[K] {
	return &Buckets[K]{pace: p, now: map[K]*rate.Limiter{}}
}

func (b *Buckets[K]) of(k K) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.now[k]
	if l != nil {
		return l
	}
	if l = b.old[k]; l == nil {
		l = b.pace.Limiter()
	}
	if len(b.now) >= mostBuckets {
		b.old, b.now = b.now, make(map[K]*rate.Limiter)
	}
	b.now[k] = l
	return l
}

// Allow takes one.
func (b *Buckets[K]) Allow(k K, now time.Time) bool { return b.of(k).AllowN(now, 1) }

// Left tells whether there is one to take, and takes none.
func (b *Buckets[K]) Left(k K, now time.Time) bool { return b.of(k).TokensAt(now) >= 1 }
