package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"touchstone/admission"
	"touchstone/host"
	"touchstone/journal"
	"touchstone/listener"
)

// boundFlags are the bounds of what may be on its way through a host at once; docs/design/009-admission.md.
type boundFlags struct {
	MaxInFlight  int           `name:"max-in-flight" help:"Messages in the line at once; a fifth is kept for reversals and settlement." default:"8192"`
	ShedAfter    time.Duration `name:"shed-after" help:"Refuse new work while the journal makes others wait longer than this." default:"2s"`
	RefusalBurst int           `name:"refusal-burst" help:"Refusals of one address, or one claimed terminal, that are journaled one by one at once." default:"100"`
	RefusalEvery time.Duration `name:"refusal-every" help:"Then one refusal each; the others are answered and only counted." default:"1s"`
	MemoryLimit  byteSize      `name:"memory-limit" help:"Memory the process may use, such as 512MiB. Default: what the other limits can come to, or GOMEMLIMIT." placeholder:"SIZE"`
}

// defaultBounds are the defaults above, for a command that opens a data directory without serving.
func defaultBounds() boundFlags {
	return boundFlags{MaxInFlight: admission.DefaultLimits().InFlight, ShedAfter: admission.DefaultLimits().Wait,
		RefusalBurst: admission.DefaultRates().Burst, RefusalEvery: admission.DefaultRates().Every}
}

// leastMemory is the least that may be asked for: a host without a terminal needs a good part of it.
const leastMemory = 64 << 20

// check refuses what may not be configured, by the key's name.
func (f *boundFlags) check() error {
	switch {
	case f.MaxInFlight < 64 || f.MaxInFlight > journal.MaxQueueEntries:
		return fmt.Errorf("max-in-flight: %d is not from 64 to %d", f.MaxInFlight, journal.MaxQueueEntries)
	case f.ShedAfter < 50*time.Millisecond || f.ShedAfter > time.Minute:
		return fmt.Errorf("shed-after: %s is not from 50ms to 1m", f.ShedAfter)
	case f.RefusalBurst < 1 || f.RefusalBurst > 100_000:
		return fmt.Errorf("refusal-burst: %d is not from 1 to 100000", f.RefusalBurst)
	case f.RefusalEvery < time.Millisecond || f.RefusalEvery > time.Hour:
		return fmt.Errorf("refusal-every: %s is not from 1ms to 1h", f.RefusalEvery)
	case f.MemoryLimit != 0 && f.MemoryLimit < leastMemory:
		return fmt.Errorf("memory-limit: %s is under %s", f.MemoryLimit, byteSize(leastMemory))
	}
	return nil
}

func (f *boundFlags) gate() admission.Limits {
	return admission.Limits{InFlight: f.MaxInFlight, Wait: f.ShedAfter}
}

func (f *boundFlags) rates() admission.Rates {
	r := admission.DefaultRates()
	r.Burst, r.Every = f.RefusalBurst, f.RefusalEvery
	return r
}

// byteSize is an amount of memory in bytes, written as 512MiB, 2GiB or a number of bytes.
type byteSize int64

var byteUnits = []struct {
	name string
	size byteSize
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// UnmarshalText reads a size.
func (b *byteSize) UnmarshalText(text []byte) error {
	s, unit := string(text), byteSize(1)
	for _, u := range byteUnits {
		if left, ok := strings.CutSuffix(s, u.name); ok {
			s, unit = left, u.size
			break
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/int64(unit) {
		return fmt.Errorf("%q: want a size such as 512MiB", text)
	}
	*b = byteSize(n) * unit
	return nil
}

// String is the size in its largest whole unit.
func (b byteSize) String() string {
	for _, u := range byteUnits {
		if b >= u.size && b%u.size == 0 {
			return fmt.Sprintf("%d%s", b/u.size, u.name)
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// What the memory arithmetic counts.
const (
	perConnection = 32 << 10                   // read and write buffer, two stacks, queues; without TLS about 20 KiB are used
	perMessage    = host.ExchangeBytes + 2<<10 // the exchange, its view of the message, its card number
	perJournal    = 64 << 20                   // two filling blocks, the one being written, SQLite's page caches
	programItself = 96 << 20
)

// most is the memory that the limits allow at most, with room for the collector over what the hot state
// takes now.
func (f *hostFlags) most(connections int, hot uint64) byteSize {
	messages := int64(connections) + int64(f.limits().Shared)
	return byteSize(int64(connections)*perConnection + messages*perMessage + perJournal + programItself + 2*int64(hot))
}

// confine sets what the kernel and the runtime keep the process to, and returns the listener's limits: no
// more connections than there are descriptors for. It is called once, when the state is in memory.
func (f *hostFlags) confine(log *slog.Logger) (listener.Limits, error) {
	l := f.limits()
	have, err := raiseDescriptors()
	if err != nil {
		return l, err
	}
	used, err := openDescriptors()
	if err != nil {
		return l, err
	}
	room := have - used - reservedDescriptors
	if room < 1 {
		return l, fmt.Errorf("file descriptors: %d allowed, %d open and %d kept for files leave none for connections: raise ulimit -n", have, used, reservedDescriptors)
	}
	if l.Connections > room {
		level := slog.LevelWarn
		if room >= enoughConnections {
			level = slog.LevelInfo
		}
		log.Log(context.Background(), level, "fewer connections than configured: too few file descriptors", slog.Int("max_connections", l.Connections),
			slog.Int("served", room), slog.Int("descriptors", have))
		l.Connections = room
	}
	limit := f.MemoryLimit
	if limit == 0 && os.Getenv("GOMEMLIMIT") != "" {
		return l, nil // the runtime has taken it already
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	most := f.most(l.Connections, m.HeapInuse)
	if limit == 0 {
		limit = most
	} else if limit < most {
		log.Warn("the other limits allow more memory than memory-limit: under a full load the collector works harder", slog.String("memory_limit", limit.String()),
			slog.Int64("allowed_mib", int64(most>>20)))
	}
	debug.SetMemoryLimit(int64(limit))
	return l, nil
}

// reservedDescriptors are kept for the journal, checkpoints, queries, the control socket and the moment
// between accepting a connection and turning it away.
const reservedDescriptors = 64

// enoughConnections are so many that a host which has fewer than configured is not worth a warning.
const enoughConnections = 10_000

// raiseDescriptors raises the process's limit as far as allowed and returns it.
func raiseDescriptors() (int, error) {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 0, fmt.Errorf("file descriptors: %w", err)
	}
	if r.Cur < r.Max {
		r.Cur = r.Max
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
			return 0, fmt.Errorf("file descriptors: raise to %d: %w", r.Max, err)
		}
	}
	return int(min(r.Cur, math.MaxInt32)), nil
}

// openDescriptors counts those in use.
func openDescriptors() (int, error) {
	d, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0, fmt.Errorf("file descriptors: %w", err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	return len(names), err
}

// floodEvery is how often summaries of suppressed refusals are looked for.
const floodEvery = time.Second

// tellFloods journals what the flood limit suppressed, until ctx ends.
func (e *engine) tellFloods(ctx context.Context) {
	t := time.NewTicker(floodEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			e.noteFloods(ctx, e.line.Flood.Due(e.clock()))
			e.noteSignIns(ctx, false)
		}
	}
}

// noteFloods journals summaries. What cannot be journaled is in the log, for the counts are nowhere else.
func (e *engine) noteFloods(ctx context.Context, all []journal.Flood) {
	for i := range all {
		f := &all[i]
		err := e.ledger.Register(ctx, e.clock(), f)
		if err == nil || errors.Is(err, context.Canceled) { // cancelled: enqueued, and the committer still writes it
			continue
		}
		e.log.Warn("suppressed refusals are not in the journal", slog.Uint64("suppressed", f.Suppressed), slog.String("source", f.Source),
			slog.String("terminal", f.Terminal), slog.String("error", err.Error()))
	}
}

// newAdmission makes gate and limit of the options; zero options are the defaults.
func newAdmission(o engineOptions) (*admission.Gate, *admission.Flood) {
	gate, rates := o.gate, o.rates
	if gate == (admission.Limits{}) {
		gate = admission.DefaultLimits()
	}
	if rates == (admission.Rates{}) {
		rates = admission.DefaultRates()
	}
	return admission.NewGate(gate), admission.NewFlood(rates)
}
