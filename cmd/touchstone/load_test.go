package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"touchstone/ledger"
	"touchstone/listener"
	"touchstone/proof"
	"touchstone/terminal/load"
)

// loadHost is a host in this process, with load terminals.
type loadHost struct {
	engine *engine
	dir    string
	addr   string
	shares []loadShare
}

func startLoadHost(t *testing.T, shares string) *loadHost {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shop")
	quiet := slog.New(slog.DiscardHandler)
	if err := makeTestDirectory(dir, quiet); err != nil {
		t.Fatal(err)
	}
	e, err := openEngine(engineOptions{dir: dir, lock: testLock(dir), policy: proof.DefaultPolicy(), ledger: ledger.DefaultOptions(),
		zone: time.UTC, acquirerID: "48021000", issuerID: "01020000", log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	h := &loadHost{engine: e, dir: dir}
	if h.shares, err = parseShares(shares); err != nil {
		t.Fatal(err)
	}
	if _, err := e.seedLoad(t.Context(), h.shares); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- listener.New(e.line, listener.DefaultLimits(), quiet).Serve(ctx, ln) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-served, e.close()); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *loadHost) crew(t *testing.T) []load.Member {
	t.Helper()
	crew, err := loadCrew(h.shares)
	if err != nil {
		t.Fatal(err)
	}
	return crew
}

// sell runs the generator and compares it with the journal.
func (h *loadHost) sell(t *testing.T, o load.Options) *load.Result {
	t.Helper()
	o.Crew = h.crew(t)
	if o.Address == "" {
		o.Address = h.addr
	}
	check, err := openJournalCount(t.Context(), h.dir, o.Crew)
	if err != nil {
		t.Fatal(err)
	}
	defer check.close()
	r, err := load.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	found, err := check.count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !found.agrees(r) || found.Sold < r.ApprovedInAll() {
		t.Errorf("the journal holds %d approved sales, %d with a trace used before; %d approvals were received and %d sales had no answer",
			found.Sold, found.Repeated, r.ApprovedInAll(), r.Unknown)
	}
	return r
}

// TestLoadEveryWay: each way to drive and each kind of terminal sells, every answer's MAC that is looked
// at is right, and the journal agrees. The runs follow one another on one directory, so that every run
// but the first finds a batch in which the traces are used.
func TestLoadEveryWay(t *testing.T) {
	h := startLoadHost(t, "ecb=6,sm4=3,x9.19=3")
	short := 300 * time.Millisecond
	for _, c := range []struct {
		name string
		o    load.Options
	}{
		{"closed loop", load.Options{Connections: 4, Duration: short, Warmup: 50 * time.Millisecond}},
		{"closed loop, goroutines", load.Options{Connections: 4, Duration: short, Goroutines: true}},
		{"closed loop, three in flight", load.Options{Connections: 4, Pipeline: 3, Duration: short}},
		{"closed loop, goroutines, three in flight", load.Options{Connections: 4, Pipeline: 3, Duration: short, Goroutines: true}},
		{"fixed rate", load.Options{Connections: 4, Duration: short, Warmup: 50 * time.Millisecond, Rate: 100}},
		{"fixed rate, goroutines", load.Options{Connections: 4, Duration: short, Rate: 100, Goroutines: true}},
		{"fixed rate, goroutines, three in flight", load.Options{Connections: 4, Pipeline: 3, Duration: short, Rate: 100, Goroutines: true}},
		{"a number of sales", load.Options{Connections: 3, Duration: time.Hour, Sales: 77}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := h.sell(t, c.o)
			if r.RefusedInAll() != 0 || r.Unknown != 0 || r.Lost != 0 {
				t.Errorf("%+v", r)
			}
			if r.First != 12 || r.Measured == 0 || r.Granted != r.Measured || r.Verified == 0 || r.Latency.P50 <= 0 || r.Latency.Max < r.Latency.P99 {
				t.Errorf("%+v", r)
			}
			if c.o.Sales != 0 && r.Approved != uint64(c.o.Sales) {
				t.Errorf("%d sales, want %d", r.Approved, c.o.Sales)
			}
			if scheduled := uint64(c.o.Rate * (c.o.Duration + c.o.Warmup).Seconds()); c.o.Rate > 0 && r.Approved+r.Unsent != scheduled {
				t.Errorf("%d sent and %d unsent of %d scheduled", r.Approved, r.Unsent, scheduled)
			}
		})
	}
}

// TestLoadUnregistered: a generator that knows more terminals than the host says what to do.
func TestLoadUnregistered(t *testing.T) {
	h := startLoadHost(t, "ecb=2")
	crew, err := loadCrew([]loadShare{{loadProfiles()[0], 3}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = load.Run(t.Context(), load.Options{Address: h.addr, Crew: crew, Connections: 1, Duration: time.Second})
	if !errors.Is(err, load.ErrRefused) || !strings.Contains(explainLoad(err).Error(), "--load-terminals") {
		t.Errorf("%v", err)
	}
}

// TestLoadStopped: a run that is told to end, as by Ctrl-C, waits for what is in flight and tells what
// there is.
func TestLoadStopped(t *testing.T) {
	h := startLoadHost(t, "ecb=4")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := load.Run(ctx, load.Options{Address: h.addr, Crew: h.crew(t), Connections: 4, Duration: time.Hour, OnProgress: func(p load.Progress) {
		if p.Part == load.Measuring {
			cancel()
		}
	}})
	if err != nil || !r.Stopped || r.Unknown != 0 || r.Measured == 0 || r.Length <= 0 || r.Length > time.Minute {
		t.Errorf("%+v, %v", r, err)
	}
}

// stalling passes bytes on between a generator and a host, and can stop doing so for a while.
type stalling struct {
	ln    net.Listener
	gate  sync.RWMutex // held while nothing passes
	conns sync.WaitGroup
	shut  atomic.Bool
	came  chan struct{} // closed when the first bytes stand before the gate that was shut
	first sync.Once
}

// stall lets nothing pass until the first bytes that came have waited for so long.
func (s *stalling) stall(long time.Duration) {
	s.gate.Lock()
	s.shut.Store(true)
	s.conns.Go(func() {
		defer s.gate.Unlock()
		<-s.came
		time.Sleep(long) // the stall itself
	})
}

func stallBefore(t *testing.T, host string) *stalling {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &stalling{ln: ln, came: make(chan struct{})}
	s.conns.Go(func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", host)
			if err != nil {
				client.Close()
				continue
			}
			s.conns.Go(func() { s.pass(server, client) })
			s.conns.Go(func() { s.pass(client, server) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		s.first.Do(func() { close(s.came) }) // a run that came to nothing
		s.conns.Wait()
	})
	return s
}

func (s *stalling) pass(to, from net.Conn) {
	defer to.Close()
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if s.shut.Load() {
				s.first.Do(func() { close(s.came) })
			}
			s.gate.RLock()
			_, failed := to.Write(buf[:n])
			s.gate.RUnlock()
			if failed != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// stallTime is how long nothing passes. It is long beside what a busy machine may add of itself: within stallRun four
// connections cannot have stallTell sales of half of it each.
const (
	stallTime = 1200 * time.Millisecond
	stallRun  = 2 * time.Second
	stallRate = 100.0 // a second: 60 are due in the first half of the stall
	stallTell = 35    // between those and the few that were in flight
)

// slow counts the sales of a result that took at least d.
func slow(r *load.Result, d time.Duration) float64 {
	for _, p := range r.Percentile {
		if p.At >= d {
			return float64(r.Measured) * (1 - p.Percent/100)
		}
	}
	return 0
}

// TestStallShows: a host that stands still for 1.2 s delays, at a fixed rate of 100 a second, the 120
// sales that were due meanwhile, half of them by more than 0.6 s; a generator that counts from the time
// of sending sees only the few that were in flight. This is what "coordinated omission" hides.
func TestStallShows(t *testing.T) {
	for _, c := range []struct {
		name       string
		rate       float64
		goroutines bool
	}{{"fixed rate", stallRate, false}, {"fixed rate, goroutines", stallRate, true}, {"closed loop", 0, false}, {"closed loop, goroutines", 0, true}} {
		t.Run(c.name, func(t *testing.T) {
			h := startLoadHost(t, "ecb=4")
			proxy := stallBefore(t, h.addr)
			var once sync.Once
			const connections = 4
			r := h.sell(t, load.Options{Address: proxy.ln.Addr().String(), Connections: connections, Rate: c.rate, Duration: stallRun, Goroutines: c.goroutines,
				OnProgress: func(p load.Progress) {
					if p.Part == load.Preparing && p.Done == p.Of { // what comes now is measured
						once.Do(func() { proxy.stall(stallTime) })
					}
				}})
			delayed := slow(r, stallTime/2)
			t.Logf("%d sales, %.0f of them over %s, p99 %s, max %s", r.Measured, delayed, stallTime/2, r.Latency.P99, r.Latency.Max)
			if r.Latency.Max < stallTime*9/10 {
				t.Errorf("the longest took %s, the stall %s", r.Latency.Max, stallTime)
			}
			half := c.rate * stallTime.Seconds() / 2 // due within half a stall
			// Where the machine is too slow to send all of them before the end, what was not sent is told, too. They are sent as
			// they are due: of those that were not, all but the last half stall's waited for longer than that.
			unsent := max(0, float64(r.Unsent)-half)
			if c.rate > 0 && delayed+unsent < stallTell {
				t.Errorf("%.0f sales over %s and %.0f never sent, and %.0f were due in the first half of the stall", delayed, stallTime/2, unsent, half)
			}
			if c.rate > 0 && r.Wait.Max < stallTime/2 {
				t.Errorf("no sale waited longer than %s to be sent", r.Wait.Max)
			}
			if c.rate == 0 && delayed >= stallTell {
				t.Errorf("%.0f sales over %s, and %d were in flight", delayed, stallTime/2, connections)
			}
		})
	}
}

// TestJournalDisagrees: the comparison with the journal fails when an approval is not in it, when it holds
// more than was answered or may have been, and when a trace is there twice.
func TestJournalDisagrees(t *testing.T) {
	r := &load.Result{First: 2, Approved: 10, Unknown: 3}
	for _, c := range []struct {
		name  string
		found journalFound
		want  bool
	}{
		{"as many", journalFound{Sold: 12}, true},
		{"those without an answer too", journalFound{Sold: 15}, true},
		{"one lost", journalFound{Sold: 11}, false},
		{"one too many", journalFound{Sold: 16}, false},
		{"a trace twice", journalFound{Sold: 12, Repeated: 1}, false},
	} {
		if got := c.found.agrees(r); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
		if says := strings.Contains(c.found.words(r).EN, "DISAGREES"); says == c.want {
			t.Errorf("%s: %s", c.name, c.found.words(r).EN)
		}
	}
}

// TestShares: a mix is read strictly, terminals are divided as it says, and the list is well mixed.
func TestShares(t *testing.T) {
	for _, bad := range []string{"", "ecb", "ecb=", "ecb=x", "ecb=-1", "aes=1", "ecb=1,ecb=2", "ecb=1,", "ecb=99999999999"} {
		if got, err := parseShares(bad); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
	weights, err := parseShares("ecb=80,sm4=20")
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int][2]int{10_000: {8000, 2000}, 10: {8, 2}, 3: {3, 0}, 1: {1, 0}, 256: {205, 51}} {
		got, err := divide(n, weights)
		if err != nil || got[0].n != want[0] || got[1].n != want[1] {
			t.Errorf("%d: %+v, want %v (%v)", n, got, want, err)
		}
	}
	if _, err := divide(5, []loadShare{{loadProfiles()[0], 0}}); err == nil {
		t.Error("no kind has a share, and that is accepted")
	}
	list := loadTerminals([]loadShare{{loadProfiles()[0], 80}, {loadProfiles()[1], 20}})
	seen := map[string]bool{}
	for i, terminal := range list {
		if seen[terminal.id.String()] {
			t.Errorf("terminal %s twice", terminal.id)
		}
		seen[terminal.id.String()] = true
		if (i+1)%5 == 0 {
			sm4 := 0
			for _, near := range list[i-4 : i+1] {
				if near.code == 5 {
					sm4++
				}
			}
			if sm4 != 1 {
				t.Errorf("%d of terminals %d to %d are of SM4", sm4, i-4, i)
			}
		}
	}
	if len(seen) != 100 {
		t.Errorf("%d terminals of 100", len(seen))
	}
}

// TestLoadProgress: a screen has one line that is drawn anew, a file a line now and then.
func TestLoadProgress(t *testing.T) {
	var b strings.Builder
	p := &loadProgress{w: &b, lang: "zh"}
	for i := range 5 {
		p.progress(load.Progress{Part: load.Measuring, Elapsed: time.Duration(i) * time.Second, Length: 10 * time.Second, Rate: 1234})
	}
	if got := b.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "计量") || !strings.Contains(got, "1,234/s") {
		t.Errorf("a file: %q", got)
	}
	b.Reset()
	p = &loadProgress{w: &b, lang: "en", live: true}
	p.progress(load.Progress{Part: load.Preparing, Done: 5, Of: 10})
	p.progress(load.Progress{Part: load.Measuring, Elapsed: 5 * time.Second, Length: 10 * time.Second})
	p.end()
	if got := b.String(); strings.Count(got, "\r") != 2 || !strings.Contains(got, "[##########----------] 5/10") || !strings.HasSuffix(got, "\n") {
		t.Errorf("a screen: %q", got)
	}
}
