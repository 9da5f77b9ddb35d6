package main

import (
	"context"
	"flag"
	"log/slog"
	"net"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"touchstone/host"
	"touchstone/iso8583"
	"touchstone/issuer"
	"touchstone/keys"
	"touchstone/ledger"
	"touchstone/listener"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/secret"
	"touchstone/terminal/load"
)

// How the benchmarks are run. TMPDIR says which disk; it must not be one in memory.
var (
	benchTerminals   = flag.Int("bench-terminals", 1000, "terminals of the whole-line benchmarks")
	benchConnections = flag.Int("bench-connections", 256, "connections of BenchmarkWholeLine")
	benchNoPIN       = flag.Bool("bench-no-pin", false, "sales of BenchmarkWholeLine without a PIN")
)

// BenchmarkWholeLine is sales over loopback TCP against a whole host: SQLite with synchronous FULL, the
// security module in software, one bank, one view for queries. Four terminals of five sign in with code
// 003 (UnionPay ECB, DES MAC) and one with 005 (SM4); each sale has track 2, a PIN and the proof of the
// serial number (tag A2), every one is approved, and its answer is durable before it leaves. The client
// is the load generator, in the same process: cpu-us/tx is of both and of the kernel on their behalf.
func BenchmarkWholeLine(b *testing.B) {
	rig := newBenchRig(b, false)
	b.Run("sales", func(b *testing.B) {
		r, err := load.Run(b.Context(), load.Options{Address: rig.addr, Crew: rig.crew, Connections: *benchConnections, Sales: int64(b.N), Duration: time.Hour,
			OnProgress: func(p load.Progress) {
				if p.Part == load.Preparing {
					b.ResetTimer() // only what comes after the last sign-in counts
				}
			}})
		if err != nil {
			b.Fatal(err)
		}
		if !r.Clean() {
			b.Fatalf("not every sale was approved: %+v", r)
		}
		b.StopTimer()
		reportSummary(b, r.Latency, r.PerSecond)
		b.ReportMetric(load.Microseconds(r.CPU), "cpu-us/tx")
	})
	b.Run("echo", benchmarkEcho())
	b.Run("fdatasync", benchmarkSync(b.TempDir()))
}

// BenchmarkLedger256 is the line without network, MACs and PINs: 256 submitters parse a sale, have it
// judged by a module that agrees with every proof, committed by ledger, committer and SQLite, and render
// the answer when it is durable; alone, and with the checkpoints and the projection of a running host.
func BenchmarkLedger256(b *testing.B) {
	b.Run("alone", func(b *testing.B) { benchmarkLedger(b, newBenchRig(b, true)) })
	b.Run("with-checkpoints-and-view", func(b *testing.B) { benchmarkLedger(b, newBenchRig(b, false)) })
}

func benchmarkLedger(b *testing.B, rig *benchRig) {
	var err error
	if rig.all, err = load.Sellers(b.Context(), load.Options{Address: rig.addr, Crew: rig.crew, Connections: 1, Duration: time.Second}); err != nil {
		b.Fatal(err)
	}
	line := *rig.engine.line
	agrees := yes{line.Keys, line.Hasher}
	line.Prover, line.Sealer, line.Vault = agrees, agrees, agrees
	const submitters = 256
	b.Run("sales", func(b *testing.B) {
		m := startMeter()
		var left atomic.Int64
		left.Store(int64(b.N))
		took := make([][]time.Duration, submitters)
		b.ResetTimer()
		asClient(submitters, func(i int) {
			done := make(chan struct{}, 1)
			x := line.NewExchange(func(*host.Exchange) { done <- struct{}{} })
			peer := host.Peer{Conn: uint64(i + 1), Address: pos.IPv4(127, 0, 0, 1)}
			own := rig.share(i, submitters)
			for n := 0; left.Add(-1) >= 0; n++ {
				begin := time.Now()
				frame := own[n%len(own)].Unauthenticated()
				line.Begin(x.Buffer()[:copy(x.Buffer(), frame[iso8583.LengthSize:])], peer, x)
				<-done
				if answer, shut := line.Finish(x); shut || len(answer) == 0 {
					left.Store(0)
					b.Error("no answer")
					return
				}
				took[i] = append(took[i], time.Since(begin))
			}
		})
		b.StopTimer()
		m.report(b, took)
	})
}

// asClient runs f for each of n clients and waits; a CPU profile tells them by the label side=client.
func asClient(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			pprof.Do(context.Background(), pprof.Labels("side", "client"), func(context.Context) { f(i) })
		})
	}
	all.Wait()
}

// meter measures one run.
type meter struct {
	begin time.Time
	cpu   time.Duration
}

func startMeter() meter { return meter{time.Now(), processCPU()} }

// processCPU is user and system time of this process.
func processCPU() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (m meter) report(b *testing.B, took [][]time.Duration) {
	elapsed, cpu := time.Since(m.begin), processCPU()-m.cpu
	all := slices.Concat(took...)
	slices.Sort(all)
	if len(all) == 0 {
		return
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(float64(len(all))/elapsed.Seconds(), "tx/s")
	b.ReportMetric(ms(all[len(all)/2]), "p50-ms")
	b.ReportMetric(ms(all[len(all)*99/100]), "p99-ms")
	b.ReportMetric(ms(all[len(all)-1]), "max-ms")
	b.ReportMetric(float64(cpu.Microseconds())/float64(len(all)), "cpu-us/tx")
	b.ReportMetric(0, "ns/op")
}

// benchRig is a host with registered and signed-in terminals.
type benchRig struct {
	engine *engine
	addr   string
	crew   []load.Member
	all    []load.Seller
}

// share is every n-th terminal from the i-th.
func (r *benchRig) share(i, n int) (own []load.Seller) {
	for ; i < len(r.all); i += n {
		own = append(own, r.all[i])
	}
	return own
}

func newBenchRig(b *testing.B, alone bool) *benchRig {
	dir := filepath.Join(b.TempDir(), "shop")
	refuseMemory(b, filepath.Dir(dir))
	quiet := slog.New(slog.DiscardHandler)
	if err := makeTestDirectory(dir, quiet); err != nil {
		b.Fatal(err)
	}
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		b.Fatal(err)
	}
	e, err := openEngine(engineOptions{dir: dir, lock: testLock(dir), policy: proof.DefaultPolicy(), ledger: ledger.DefaultOptions(),
		zone: zone, acquirerID: "48021000", issuerID: "01020000", log: quiet, withoutView: alone, checkpointEvery: checkpointOf(alone)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := e.close(); err != nil {
			b.Error(err)
		}
	})
	rig := &benchRig{engine: e}
	rig.register(b)
	rig.listen(b)
	return rig
}

// checkpointOf is the pace of checkpoints: the usual one, or only at the end for the ledger alone.
func checkpointOf(alone bool) time.Duration {
	if alone {
		return time.Hour
	}
	return 0
}

// refuseMemory refuses a directory on a file system in memory: nothing is durable there.
func refuseMemory(b *testing.B, dir string) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		b.Fatal(err)
	}
	if s.Type == unix.TMPFS_MAGIC || s.Type == unix.RAMFS_MAGIC {
		b.Skipf("%s is in memory: set TMPDIR to a directory on a disk", dir)
	}
}

func (r *benchRig) register(b *testing.B) {
	shares := []loadShare{{loadProfiles()[0], *benchTerminals * 4 / 5}, {loadProfiles()[1], *benchTerminals - *benchTerminals*4/5}}
	if _, err := r.engine.seedLoad(b.Context(), shares); err != nil {
		b.Fatal(err)
	}
	var err error
	if r.crew, err = loadCrew(shares); err != nil {
		b.Fatal(err)
	}
	if *benchNoPIN {
		for i := range r.crew {
			r.crew[i].Card.PIN.Wipe()
		}
	}
}

func (r *benchRig) listen(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	r.addr = ln.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	server := listener.New(r.engine.line, listener.DefaultLimits(), slog.New(slog.DiscardHandler))
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln) }()
	b.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			b.Error(err)
		}
	})
}

// yes is a module that agrees with every proof; it still makes keys and hashes.
type yes struct {
	keys.Module
	host.PANHasher
}

func (yes) Prove(c *proof.Claims, e *proof.Evidence) {
	used := 0
	if c.Sets[0] == nil {
		used = 1
	}
	*e = proof.Evidence{MAC: proof.Passed, Used: used, Serial: proof.Passed, Factor: proof.Passed, Track: proof.Passed, TrackPAN: proof.Passed}
}

func (yes) Seal(pos.TerminalID, *keys.Set, mac.Algorithm, []byte) ([8]byte, error) {
	return [8]byte{'0'}, nil
}

func (yes) VerifyPIN(*issuer.PINQuestion) issuer.PINResult { return issuer.PINRight }

func (yes) MakePIN(context.Context, pos.PAN, secret.Bytes) ([16]byte, error) {
	return [16]byte{}, keys.ErrUnavailable
}

// benchmarkEcho is the kernel's part: 252 bytes there and back over 64 connections, one message in flight
// on each, client and server in this process, for one second whatever -benchtime says.
func benchmarkEcho() func(*testing.B) {
	return floorBenchmark(func() (load.Summary, float64, error) { return load.Echo(64, time.Second) })
}

// benchmarkSync is the disk's part, for one second: 4 KiB over an allocated file and fdatasync.
func benchmarkSync(dir string) func(*testing.B) {
	return floorBenchmark(func() (load.Summary, float64, error) {
		s, err := load.Sync(dir, time.Second)
		return s, float64(s.Count), err
	})
}

// floorBenchmark measures once, at the first b.N, and reports that at every later one.
func floorBenchmark(measure func() (load.Summary, float64, error)) func(*testing.B) {
	var s load.Summary
	var perSecond float64
	return func(b *testing.B) {
		if s.Count == 0 {
			var err error
			if s, perSecond, err = measure(); err != nil {
				b.Fatal(err)
			}
		}
		reportSummary(b, s, perSecond)
	}
}

func reportSummary(b *testing.B, s load.Summary, perSecond float64) {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	b.ReportMetric(perSecond, "tx/s")
	b.ReportMetric(ms(s.P50), "p50-ms")
	b.ReportMetric(ms(s.P99), "p99-ms")
	b.ReportMetric(ms(s.Max), "max-ms")
	b.ReportMetric(0, "ns/op")
}
