package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Options say what a run does. Fields with a default may stay zero.
type Options struct {
	Address     string   // host:port, a loopback address
	Crew        []Member // who sells; each connection has a share of its own
	Connections int      // 256
	Pipeline    int      // sales in flight on one connection, 1; at most MaxPipeline
	Rate        float64  // sales a second for the fixed rate; 0 is the closed loop
	Warmup      time.Duration
	Duration    time.Duration // of the measured part
	Sales       int64         // end it after so many, warm-up included; 0: no such end
	Patience    time.Duration // how long answers are waited for at the end; 10 s
	Goroutines  bool          // a goroutine a connection, also where one loop for all would do
	HostPID     int           // the host's process, whose time is read for Result.HostCPU; 0: not read
	WrongMAC    float64       // percent of each connection's sales whose MAC is wrong, spread evenly; they must be answered A0
	Turn        time.Duration // how long sales are without wrong MACs and with them in turns, both whole numbers of times in the measured part; 0: with them always

	// Dial makes a connection, nil for plain TCP. Connections of its own making have a goroutine each.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// OnProgress is told once a second, and once at the end of each part; nil: nobody.
	OnProgress func(Progress)
}

// MaxPipeline is what a host reads from one connection before it answers: listener.DefaultLimits.
const MaxPipeline = 32

// The defaults of Options.
const (
	DefaultConnections = 256
	DefaultPatience    = 10 * time.Second
	defaultDialTimeout = 10 * time.Second
)

// ErrOptions is returned for Options that make no run.
var ErrOptions = errors.New("load")

func (o *Options) complete() error {
	if o.Connections == 0 {
		o.Connections = DefaultConnections
	}
	if o.Pipeline == 0 {
		o.Pipeline = 1
	}
	if o.Patience == 0 {
		o.Patience = DefaultPatience
	}
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrOptions}, args...)...)
	}
	at, err := netip.ParseAddrPort(o.Address)
	switch {
	case err != nil:
		return wrong("%q: want an address and a port, such as 127.0.0.1:8583", o.Address)
	case !at.Addr().Unmap().IsLoopback():
		return wrong("%s is not loopback: load goes to a host on this machine only", o.Address)
	case o.Connections < 1 || o.Pipeline < 1 || o.Pipeline > MaxPipeline:
		return wrong("want at least 1 connection, and 1 to %d sales in flight on each", MaxPipeline)
	case len(o.Crew) < o.Connections*o.Pipeline:
		return wrong("%d terminals are too few for %d connections with %d sales in flight each", len(o.Crew), o.Connections, o.Pipeline)
	case o.Rate < 0 || o.Duration <= 0 || o.Warmup < 0 || o.Sales < 0:
		return wrong("rate, warm-up and number of sales must not be negative, and a run must last")
	case o.WrongMAC < 0 || o.WrongMAC > 100:
		return wrong("want 0 to 100 percent of wrong MACs")
	case o.Turn < 0 || o.Turn > 0 && (o.WrongMAC == 0 || o.Duration%(2*o.Turn) != 0):
		return wrong("turns need a percentage of wrong MACs, and twice their length goes into the measured part without a rest")
	}
	return nil
}

// run is one run.
type run struct {
	o     Options
	rec   *recorder
	begin time.Time
	warm  time.Duration    // when the measured part begins, since begin
	end   time.Duration    // and ends
	stop  atomic.Bool      // send nothing more
	cut   atomic.Int64     // when it was told to stop, nanoseconds since begin; 0: not
	slots atomic.Int64     // scheduled sales taken
	own   [2]time.Duration // time of this process when the measured part began and ended
	host  [2]time.Duration // of the host's
	turns []Turn           // the watcher's own until it has ended
}

// now is the time since the beginning.
func (r *run) now() time.Duration { return time.Since(r.begin) }

// measures tells whether a sale that was due then belongs to the measured part.
func (r *run) measures(due time.Duration) bool { return due >= r.warm && due < r.end }

// last is when nothing more is sent.
func (r *run) last() time.Duration {
	if cut := time.Duration(r.cut.Load()); cut != 0 {
		return min(cut, r.end)
	}
	return r.end
}

// over is the due time after which there is nothing.
const over = time.Duration(1<<63 - 1)

// slot is when the next sale is due, or over. In the closed loop that is at once.
func (r *run) slot() time.Duration {
	now := r.now()
	if r.stop.Load() || now >= r.end {
		return over
	}
	if r.o.Rate == 0 && r.o.Sales == 0 {
		return now
	}
	n := r.slots.Add(1)
	if r.o.Sales != 0 && n > r.o.Sales {
		r.cutShort()
		return over
	}
	if r.o.Rate == 0 {
		return now
	}
	if due := r.dueAt(n - 1); due < r.end {
		return due
	}
	return over
}

// cutShort ends the sending.
func (r *run) cutShort() {
	r.cut.CompareAndSwap(0, int64(r.now()))
	r.stop.Store(true)
}

// dueAt is when scheduled sale n is due.
func (r *run) dueAt(n int64) time.Duration {
	return time.Duration(float64(n) / r.o.Rate * float64(time.Second))
}

// Run signs the crew in, sells, and returns what it saw. It stops by itself, or when ctx ends, and then
// returns what there is, with no error. Errors are ErrOptions, a crew that cannot sign in or sell, and an
// answer that is not what it should be; refused sales and lost connections are counted, not errors.
func Run(ctx context.Context, o Options) (*Result, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	r := &run{o: o, rec: newRecorder()}
	subjects, err := r.prepare(ctx)
	if err != nil {
		return nil, err
	}
	lanes := make([]*lane, o.Connections)
	for i := range lanes {
		var own []*subject
		for j := i; j < len(subjects); j += o.Connections {
			own = append(own, subjects[j])
		}
		lanes[i] = newLane(r, own)
	}
	conns, err := r.dialAll(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	return r.measure(ctx, lanes, conns)
}

func (r *run) measure(ctx context.Context, lanes []*lane, conns []net.Conn) (*Result, error) {
	drive := driveGoroutines
	if r.o.Dial == nil && !r.o.Goroutines {
		drive = driveLoop
	}
	r.warm, r.end = r.o.Warmup, r.o.Warmup+r.o.Duration
	r.begin = time.Now()
	stop := context.AfterFunc(ctx, r.cutShort)
	defer stop()
	if err := r.clockCPU(0); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	var watchers sync.WaitGroup
	watchers.Go(func() { r.watch(ended) })
	watchers.Go(func() { r.watchCPU(ended) })
	watchers.Go(func() { r.watchTurns(ended) })
	err := drive(r, lanes, conns)
	close(ended)
	watchers.Wait()
	if err != nil {
		return nil, err
	}
	return r.result(), nil
}

// clockCPU reads the time of both processes: 0 at the beginning of the measured part, 1 at its end.
func (r *run) clockCPU(at int) (err error) {
	r.own[at] = processCPU()
	if r.o.HostPID != 0 {
		r.host[at], err = CPUOf(r.o.HostPID)
	}
	return err
}

// watchCPU reads the times when the measured part begins and ends, or the run does.
func (r *run) watchCPU(ended <-chan struct{}) {
	for at, due := range []time.Duration{r.warm, r.end} {
		timer := time.NewTimer(due - r.now())
		select {
		case <-timer.C:
		case <-ended:
			timer.Stop()
			if at == 0 {
				return
			}
		}
		if r.clockCPU(at) != nil {
			return // the host is gone; its times stay as they were
		}
	}
}

func (r *run) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, defaultDialTimeout)
	defer cancel()
	if r.o.Dial != nil {
		return r.o.Dial(ctx, r.o.Address)
	}
	var d net.Dialer
	return d.DialContext(ctx, "tcp", r.o.Address)
}

func (r *run) dialAll(ctx context.Context) (conns []net.Conn, err error) {
	for range r.o.Connections {
		c, err := r.dial(ctx)
		if err != nil {
			for _, c := range conns {
				c.Close()
			}
			return nil, err
		}
		conns = append(conns, c)
	}
	return conns, nil
}

// Part is what a run is doing.
type Part string

// The parts.
const (
	Preparing Part = "sign-in"
	WarmingUp Part = "warm-up"
	Measuring Part = "measured"
)

// Progress is where a run stands.
type Progress struct {
	Part    Part
	Done    int           // terminals that have signed in, while preparing
	Of      int           // terminals in all
	Elapsed time.Duration // of the part
	Length  time.Duration // of the part, 0 while preparing
	Rate    float64       // answers a second since the last time
	Recent  Summary       // latencies since the last time
	Refused uint64        // answers but 00, and sales without an answer, until now
}

// lookEvery is how often progress is told.
const lookEvery = time.Second

// watch tells progress until ended closes.
func (r *run) watch(ended <-chan struct{}) {
	if r.o.OnProgress == nil {
		return
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	last := r.now()
	for {
		select {
		case <-ended:
			return
		case <-tick.C:
		}
		now := r.now()
		s, c := r.rec.look()
		p := Progress{Part: WarmingUp, Elapsed: now, Length: r.warm, Of: len(r.o.Crew), Done: len(r.o.Crew), Recent: s,
			Rate: float64(s.Count) / (now - last).Seconds(), Refused: c.refused + c.unknown}
		if now >= r.warm {
			p.Part, p.Elapsed, p.Length = Measuring, min(now-r.warm, r.o.Duration), r.o.Duration
		}
		last = now
		r.o.OnProgress(p)
	}
}
