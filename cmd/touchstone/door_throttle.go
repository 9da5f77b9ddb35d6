package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"touchstone/journal"
	"touchstone/staff"
	"touchstone/web"
	"touchstone/web/console"
)

// Bounds of the door. An honest person fails a few times a day; an office behind one address a few times a minute.
const (
	failBurst    = 20              // attempts that fail from one address at once
	failEvery    = 6 * time.Second // then one each
	mostOrigins  = 10_000          // addresses that are remembered
	codeTries    = 30              // codes beside a passphrase that are looked at for one locked account
	codeEvery    = 2 * time.Minute // then one each
	foldAfter    = 60              // failed attempts a minute that stand in the journal each; those beyond are one event
	waitForRoom  = 2 * time.Second // for one of the hashes that are computed at once
	evenTime     = 350 * time.Millisecond
	foldInterval = time.Minute
)

// eventSignIns is the event that failed sign-ins came faster than each could be kept.
const eventSignIns = "sign_ins_failed"

// door holds what is remembered of attempts, in memory: what must outlive a start is in the journal.
type door struct {
	evenly time.Duration    // how long a failed attempt takes at least
	now    func() time.Time // of how fast attempts and requests may come

	rooms, knownRooms chan struct{} // 19 MiB and one processor each

	first, visit oneTime       // links of this start
	sessions     *web.Sessions // of the console, set when its routes are made

	mu      sync.Mutex
	origins map[string]*rate.Limiter
	codes   map[string]*rate.Limiter
	tries   map[[32]byte]int // wrong ones from a known browser since it last signed in

	minute  time.Time // that the counts are of
	written int       // failed attempts of this minute in the journal
	folded  int       // and those that are not
	from    map[string]struct{}
}

func newDoor() *door {
	n := max(2, runtime.GOMAXPROCS(0))
	return &door{evenly: evenTime, now: time.Now, rooms: make(chan struct{}, n), knownRooms: make(chan struct{}, 2), origins: map[string]*rate.Limiter{}, codes: map[string]*rate.Limiter{},
		tries: map[[32]byte]int{}, from: map[string]struct{}{}}
}

// enter waits for room to compute a hash. Known browsers have room of their own.
func (d *door) enter(ctx context.Context, known bool) (leave func(), err error) {
	rooms := d.rooms
	if known {
		rooms = d.knownRooms
	}
	late := time.NewTimer(waitForRoom)
	defer late.Stop()
	select {
	case rooms <- struct{}{}:
		return func() { <-rooms }, nil
	case <-late.C:
		return nil, console.ErrBusy
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// even waits until an attempt that failed has taken as long as every other.
func (d *door) even(ctx context.Context, begun time.Time) {
	t := time.NewTimer(d.evenly - time.Since(begun))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// origin is what attempts are counted by: an IPv4 address, or the network of 64 bits that one customer has of IPv6.
func origin(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Is4() {
		return address
	}
	p, err := a.Prefix(64)
	if err != nil {
		return address
	}
	return p.String()
}

// take looks whether one more may come under a key, and takes it where take is set; else it says how long to wait.
func (d *door) take(all map[string]*rate.Limiter, key string, most int, every time.Duration, take bool) (wait time.Duration) {
	now := d.now()
	l := all[key]
	if l == nil {
		if len(all) >= mostOrigins {
			sweep(all, most, now)
		}
		l = rate.NewLimiter(rate.Every(every), most)
		all[key] = l
	}
	if left := l.TokensAt(now); left < 1 {
		return time.Duration((1 - left) * float64(every))
	}
	if take {
		l.AllowN(now, 1)
	}
	return 0
}

// sweep forgets the full ones, and any of the others where there are still too many.
func sweep(all map[string]*rate.Limiter, most int, now time.Time) {
	for key, l := range all {
		if l.TokensAt(now) >= float64(most) {
			delete(all, key)
		}
	}
	for key := range all {
		if len(all) < mostOrigins*9/10 {
			break
		}
		delete(all, key)
	}
}

// mayFail is how long an address has to wait before it may fail again; 0 not at all.
func (d *door) mayFail(address string) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.take(d.origins, origin(address), failBurst, failEvery, false)
}

func (d *door) countFailure(address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.take(d.origins, origin(address), failBurst, failEvery, true)
}

// mayCode lets a code beside a passphrase be looked at.
func (d *door) mayCode(account string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.take(d.codes, account, codeTries, codeEvery, true) == 0
}

// mayTry counts an attempt from a known browser; false: it had as many as an account has before it is locked.
func (d *door) mayTry(sum [32]byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.tries[sum] >= staff.MostGuesses {
		return false
	}
	d.tries[sum]++
	return true
}

// exhausted tells whether a known browser had as many as it may.
func (d *door) exhausted(sum [32]byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tries[sum] >= staff.MostGuesses
}

// forgive forgets the wrong ones of a browser that signed in.
func (d *door) forgive(sum [32]byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.tries, sum)
}

// isFlood tells whether a failed attempt is one too many for the journal to have each, and counts it where not.
func (d *door) isFlood() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := d.now(); now.Sub(d.minute) >= foldInterval && d.folded == 0 {
		d.minute, d.written = now, 0
	}
	if d.written >= foldAfter {
		return true
	}
	d.written++
	return false
}

// fold counts a failed attempt that stands in the journal only in a number.
func (d *door) fold(address string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := d.now(); d.folded == 0 && now.Sub(d.minute) >= foldInterval {
		d.minute, d.written = now, 0
	}
	d.folded++
	if len(d.from) < mostOrigins {
		d.from[origin(address)] = struct{}{}
	}
}

// due is the event of the attempts that were folded in a minute that is over, nil for none; at the end of the host every
// minute is over.
func (d *door) due(end bool) *journal.Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	if d.folded == 0 || !end && now.Sub(d.minute) < foldInterval {
		return nil
	}
	e := &journal.Event{Name: eventSignIns, Severity: journal.Warning, Parameters: map[string]string{"count": fmt.Sprint(d.folded), "addresses": fmt.Sprint(len(d.from))}}
	d.folded, d.written, d.minute = 0, 0, now
	clear(d.from)
	return e
}

// noteSignIns journals the failed attempts that were folded. What cannot be journaled is in the log.
func (e *engine) noteSignIns(ctx context.Context, end bool) {
	event := e.door.due(end)
	if event == nil {
		return
	}
	if err := e.ledger.Register(ctx, e.clock(), event); err != nil && !errors.Is(err, context.Canceled) {
		e.log.Warn("failed sign-ins are not in the journal", slog.String("count", event.Parameters["count"]), slog.String("error", err.Error()))
	}
}
