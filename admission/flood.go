package admission

import (
	"sync"
	"time"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// Rates bound how many refusals without effect are journaled one by one.
type Rates struct {
	Burst   int           // at once, of one source or one claimed terminal
	Every   time.Duration // then one each
	All     int           // the same for the whole host, as a multiple: All*Burst at once, then All each Every
	Keys    int           // sources, and terminals, that are remembered; the longest silent is forgotten
	Quiet   time.Duration // a flood is over when nothing was suppressed for so long
	Summary time.Duration // how often a flood that goes on is told
}

// DefaultRates are those of a fresh installation.
func DefaultRates() Rates {
	return Rates{Burst: 100, Every: time.Second, All: 100, Keys: 8192, Quiet: 10 * time.Second, Summary: time.Minute}
}

// Told is how many summaries of single sources and terminals leave Due at once; what is beyond is told
// in one summary of many.
const Told = 64

// Refusal is what the limit looks at.
type Refusal struct {
	Source   pos.Address    // where it came from
	Terminal pos.TerminalID // which terminal it claims to be; zero when it could not be read
	Reason   reason.Reason
}

// Flood is the limit. It is for many goroutines; its memory is bounded by Rates.Keys.
type Flood struct {
	rates Rates

	mu        sync.Mutex // guards the fields below
	spared    map[pos.Address]bool
	sources   *table[pos.Address]
	terminals *table[pos.TerminalID]
	probes    *table[pos.TerminalID]
	all       bucket
	rest      *tally // what the host's own bucket refused, and counts of keys that were forgotten
	counts    FloodCounts
}

// FloodCounts are what a limit has seen since it was made.
type FloodCounts struct {
	Journaled  uint64 // refusals that cost an entry each
	Suppressed uint64 // those only counted
	Summaries  uint64 // given out by Due and End
	Keys       int    // sources and terminals remembered now
}

// NewFlood makes a limit.
func NewFlood(r Rates) *Flood {
	return &Flood{rates: r, sources: newTable[pos.Address](r.Keys), terminals: newTable[pos.TerminalID](r.Keys),
		probes: newTable[pos.TerminalID](r.Keys), rest: new(tally)}
}

// Spare exempts sources: what comes from them is never limited, whatever it claims. They are addresses of
// the host itself, from which its own probes come; a stranger cannot send from them.
func (f *Flood) Spare(sources ...pos.Address) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.spared == nil {
		f.spared = map[pos.Address]bool{}
	}
	for _, a := range sources {
		if a != (pos.Address{}) {
			f.spared[a] = true
		}
	}
}

// Admit tells whether a refusal that changes nothing may cost a journal entry. One that may not is counted
// for exactly one summary.
func (f *Flood) Admit(now pos.Instant, r Refusal) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.spared[r.Source] {
		return true
	}
	source, gone := f.sources.touch(subnet(r.Source), now)
	f.rest.merge(gone)
	over := &source.tally
	ok := source.bucket.take(now, f.rates, 1)
	if ok && r.Terminal != (pos.TerminalID{}) {
		claimed, gone := f.terminals.touch(r.Terminal, now)
		f.rest.merge(gone)
		over, ok = &claimed.tally, claimed.bucket.take(now, f.rates, 1)
	}
	if ok {
		over, ok = f.rest, f.all.take(now, f.rates, f.rates.All)
	}
	if ok {
		f.counts.Journaled++
		return true
	}
	over.add(now, r.Reason, 1)
	f.counts.Suppressed++
	return false
}

// Probe tells whether a message of a known terminal that needs no MAC, changes nothing and is not
// refused (an echo test, a query, a repeat) may be served. One that may not is counted for a summary
// under the reason rate_limited.
func (f *Flood) Probe(now pos.Instant, r Refusal) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.spared[r.Source] {
		return true
	}
	own, gone := f.probes.touch(r.Terminal, now)
	f.rest.merge(gone)
	if own.bucket.take(now, f.rates, 1) {
		return true
	}
	own.tally.add(now, reason.RateLimited, 1)
	f.counts.Suppressed++
	return false
}

// Due gives the summaries that are due: of floods that are over, and of those that last.
func (f *Flood) Due(now pos.Instant) []journal.Flood { return f.collect(now, false) }

// End gives every count not told yet: the host ends.
func (f *Flood) End(now pos.Instant) []journal.Flood { return f.collect(now, true) }

func (f *Flood) collect(now pos.Instant, end bool) (out []journal.Flood) {
	f.mu.Lock()
	defer f.mu.Unlock()
	tell := func(t *tally, name journal.Flood) {
		over := now.Sub(t.last) >= f.rates.Quiet
		if t.n == 0 || !(end || over || now.Sub(t.since) >= f.rates.Summary) {
			return
		}
		if len(out) >= Told && t != f.rest {
			f.rest.merge(t)
			*t = tally{}
			return
		}
		out = append(out, t.summary(name, end || over))
		*t = tally{}
	}
	f.sources.each(func(k pos.Address, e *entry[pos.Address]) { tell(&e.tally, journal.Flood{Source: describe(k)}) })
	f.terminals.each(func(k pos.TerminalID, e *entry[pos.TerminalID]) { tell(&e.tally, journal.Flood{Terminal: k.String()}) })
	f.probes.each(func(k pos.TerminalID, e *entry[pos.TerminalID]) { tell(&e.tally, journal.Flood{Terminal: k.String()}) })
	tell(f.rest, journal.Flood{})
	f.counts.Summaries += uint64(len(out))
	return out
}

// Counts reads the counters.
func (f *Flood) Counts() FloodCounts {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.counts
	c.Keys = len(f.sources.entries) + len(f.terminals.entries) + len(f.probes.entries)
	return c
}

// subnet is the address itself for IPv4 and the /64 for IPv6: who has one address of a /64 has them all.
func subnet(a pos.Address) pos.Address {
	if !a.Is4() {
		clear(a[8:])
	}
	return a
}

func describe(a pos.Address) string {
	if a == (pos.Address{}) {
		return "unknown"
	}
	if a.Is4() {
		return a.String()
	}
	return a.String() + "/64"
}
