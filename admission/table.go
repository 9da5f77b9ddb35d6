package admission

import (
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// bucket holds tokens. The zero value is full.
type bucket struct {
	spent  float64 // tokens taken and not yet given back
	filled pos.Instant
}

// take takes one token of a bucket that is times as large, and as fast, as the rates say.
func (b *bucket) take(now pos.Instant, r Rates, times int) bool {
	if since := now.Sub(b.filled); since > 0 {
		b.spent = max(0, b.spent-float64(since)/float64(r.Every)*float64(times))
		b.filled = now
	}
	if b.spent+1 > float64(r.Burst*times) {
		return false
	}
	b.spent++
	return true
}

// tally counts what was suppressed and not told yet.
type tally struct {
	n           uint64
	by          map[reason.Reason]uint64 // at most one for each reason there is
	since       pos.Instant              // when counting began: the first one's moment
	first, last pos.Instant
}

func (t *tally) add(now pos.Instant, r reason.Reason, n uint64) {
	if t.n == 0 {
		*t = tally{by: map[reason.Reason]uint64{}, since: now, first: now}
	}
	t.n += n
	t.by[r] += n
	t.last = now
}

// merge adds another tally.
func (t *tally) merge(o *tally) {
	if o == nil || o.n == 0 {
		return
	}
	if t.n == 0 {
		*t = tally{by: map[reason.Reason]uint64{}, since: o.since, first: o.first, last: o.last}
	}
	for r, n := range o.by {
		t.by[r] += n
	}
	t.n += o.n
	t.since, t.first, t.last = min(t.since, o.since), min(t.first, o.first), max(t.last, o.last)
}

func (t *tally) summary(f journal.Flood, over bool) journal.Flood {
	f.Suppressed, f.First, f.Last, f.Over = t.n, t.first.Time(), t.last.Time(), over
	f.Reasons = make(map[string]uint64, len(t.by))
	for r, n := range t.by {
		f.Reasons[r.String()] = n
	}
	return f
}

// entry is one key's bucket and tally, in the list from the newest used to the longest silent.
type entry[K comparable] struct {
	key         K
	bucket      bucket
	tally       tally
	newer, used *entry[K] // used is the next older one
}

// table remembers the newest used keys.
type table[K comparable] struct {
	most    int
	entries map[K]*entry[K]
	newest  *entry[K]
	oldest  *entry[K]
}

func newTable[K comparable](most int) *table[K] {
	return &table[K]{most: max(most, 1), entries: map[K]*entry[K]{}}
}

// touch finds or makes a key's entry and makes it the newest; gone is the tally of one that had to be
// forgotten for it, or nil.
func (t *table[K]) touch(k K, now pos.Instant) (e *entry[K], gone *tally) {
	e = t.entries[k]
	switch {
	case e == t.newest && e != nil:
		return e, nil
	case e != nil:
		t.unlink(e)
	default:
		if len(t.entries) >= t.most {
			last := t.oldest
			t.unlink(last)
			delete(t.entries, last.key)
			gone = &last.tally
		}
		e = &entry[K]{key: k, bucket: bucket{filled: now}}
		t.entries[k] = e
	}
	e.newer, e.used = nil, t.newest
	if t.newest != nil {
		t.newest.newer = e
	}
	t.newest = e
	if t.oldest == nil {
		t.oldest = e
	}
	return e, gone
}

func (t *table[K]) unlink(e *entry[K]) {
	if e.newer != nil {
		e.newer.used = e.used
	} else {
		t.newest = e.used
	}
	if e.used != nil {
		e.used.newer = e.newer
	} else {
		t.oldest = e.newer
	}
	e.newer, e.used = nil, nil
}

// each calls f with every entry, the newest used first.
func (t *table[K]) each(f func(K, *entry[K])) {
	for e := t.newest; e != nil; e = e.used {
		f(e.key, e)
	}
}
