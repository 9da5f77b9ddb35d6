package check

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"touchstone/web"
)

// Limits are how much strangers may ask. A mobile network puts thousands of phones behind one address, so one address
// may read a lot; what it may get wrong, or make the host keep, is little.
type Limits struct {
	All     Pace // every request of everybody
	Address Pace // every request of one address
	Records Pace // questions by number alone, of one address
	Wrong   Pace // wrong codes, and wrong numbers of cases, of one address
	Device  int  // wrong codes for one number in an hour, by anybody; then two in a row are asked for
	Reports Pace // reports of everybody: each is an entry of the journal
	Claims  Pace // attempts at claims of everybody: each is an entry, taken or refused
	Filings Pace // reports and claims of one address
}

// Pace is a bucket: so many at once, then one each.
type Pace = web.Pace

// DefaultLimits are those of a host that is not told otherwise. All anonymous people together can make the journal
// 90 entries longer in an hour, and 30 at once besides.
func DefaultLimits() Limits {
	return Limits{All: Pace{Burst: 400, Every: 5 * time.Millisecond}, Address: Pace{Burst: 120, Every: 100 * time.Millisecond}, Records: Pace{Burst: 30, Every: 3 * time.Second}, Wrong: Pace{Burst: 20, Every: 20 * time.Second},
		Device: 60, Reports: Pace{Burst: 15, Every: 2 * time.Minute}, Claims: Pace{Burst: 15, Every: time.Minute}, Filings: Pace{Burst: 5, Every: 10 * time.Minute}}
}

// guesses counts wrong codes by the number they were tried for, known or not, in an hour. It is a row of counters
// behind a keyed hash: two numbers may share one, which asks for a second code a little early, and nothing that
// somebody types makes it grow or forget another.
type guesses struct {
	most int
	seed maphash.Seed
	mu   sync.Mutex // guards what follows
	hour int64
	row  [1 << 15]uint16
	last [1 << 15]uint16 // of the hour before
}

func newGuesses(most int) *guesses { return &guesses{most: most, seed: maphash.MakeSeed()} }

func (g *guesses) turn(now time.Time) {
	hour := now.Unix() / 3600
	if hour == g.hour {
		return
	}
	if hour == g.hour+1 {
		g.last = g.row
	} else {
		clear(g.last[:])
	}
	clear(g.row[:])
	g.hour = hour
}

// guarded tells whether a number has been guessed at so often that one code is not enough.
func (g *guesses) guarded(number string, now time.Time) bool {
	at := maphash.String(g.seed, number) % uint64(len(g.row))
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turn(now)
	return int(g.row[at])+int(g.last[at]) >= g.most
}

// wrong counts one.
func (g *guesses) wrong(number string, now time.Time) {
	at := maphash.String(g.seed, number) % uint64(len(g.row))
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turn(now)
	if g.row[at] < 1<<15 {
		g.row[at]++
	}
}

// limits are the buckets of one listener.
type limits struct {
	all, reports, claims             *rate.Limiter
	address, records, wrong, filings *web.Buckets[netip.Addr]
	devices                          *guesses
}

func newLimits(l Limits) *limits {
	return &limits{all: l.All.Limiter(), reports: l.Reports.Limiter(), claims: l.Claims.Limiter(), address: web.NewBuckets[netip.Addr](l.Address), records: web.NewBuckets[netip.Addr](l.Records),
		wrong: web.NewBuckets[netip.Addr](l.Wrong), filings: web.NewBuckets[netip.Addr](l.Filings), devices: newGuesses(l.Device)}
}
