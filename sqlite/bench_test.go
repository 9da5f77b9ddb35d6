package sqlite_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"touchstone/journal"
	"touchstone/sqlite"
)

var pageSize = flag.Int("page", 0, "page size of the benchmarks' touchstone.db")

// slot waits for one receipt at a time.
type slot chan journal.Receipt

func (s slot) Committed(r journal.Receipt) { s <- r }

// BenchmarkCommitter256 is 256 submitters, each of which waits for the receipt of a 300-byte entry before
// it enqueues the next. TMPDIR says which disk.
func BenchmarkCommitter256(b *testing.B) { benchmarkCommitter(b, 256) }

// BenchmarkCommitter1024 shows what a larger group gives.
func BenchmarkCommitter1024(b *testing.B) { benchmarkCommitter(b, 1024) }

func benchmarkCommitter(b *testing.B, submitters int) {
	store, err := sqlite.Open(b.TempDir(), sqlite.Options{PageSize: *pageSize})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	timed := &timedSink{sink: store}
	c := journal.NewCommitter(timed, 0, journal.Hash{})
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- c.Run(ctx) }()
	entry := journal.Raw{Entry: journal.Entry{Kind: journal.KindExchange, Body: make([]byte, 290)}}
	var left atomic.Int64
	left.Store(int64(b.N))
	worst := make([]time.Duration, submitters)
	b.ResetTimer()
	begin := time.Now()
	var all sync.WaitGroup
	for i := range submitters {
		all.Go(func() {
			wait := make(slot, 1)
			for left.Add(-1) >= 0 {
				from := time.Now()
				if _, err := c.Enqueue(entry, journal.Outcome, wait); err != nil {
					b.Error(err)
					return
				}
				if r := <-wait; !r.MayAnswer() {
					b.Error("no receipt")
					return
				}
				worst[i] = max(worst[i], time.Since(from))
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/time.Since(begin).Seconds(), "entries/s")
	b.ReportMetric(slices.Max(worst).Seconds()*1000, "max-ms")
	timed.report(b)
	cancel()
	if err := <-ran; err != nil {
		b.Fatal(err)
	}
}

// timedSink measures the blocks.
type timedSink struct {
	sink    journal.Sink
	took    []time.Duration
	entries int
}

func (s *timedSink) Append(ctx context.Context, blk journal.Block) error {
	begin := time.Now()
	err := s.sink.Append(ctx, blk)
	s.took, s.entries = append(s.took, time.Since(begin)), s.entries+blk.N
	return err
}

func (s *timedSink) report(b *testing.B) {
	slices.Sort(s.took)
	us := func(d time.Duration) float64 { return float64(d.Microseconds()) }
	b.ReportMetric(float64(s.entries)/float64(len(s.took)), "entries/block")
	b.ReportMetric(us(s.took[len(s.took)/2]), "p50-append-us")
	b.ReportMetric(us(s.took[len(s.took)*99/100]), "p99-append-us")
	b.ReportMetric(us(s.took[len(s.took)-1]), "max-append-us")
}

// BenchmarkFdatasync4K overwrites 4 KiB of an allocated file and makes it durable: the floor under a commit.
func BenchmarkFdatasync4K(b *testing.B) { benchmarkSync(b, unix.Fdatasync) }

// BenchmarkFsync4K is the same by fsync, which modernc.org/sqlite calls.
func BenchmarkFsync4K(b *testing.B) { benchmarkSync(b, unix.Fsync) }

func benchmarkSync(b *testing.B, sync func(int) error) {
	f, err := os.OpenFile(filepath.Join(b.TempDir(), "file"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	const size = 16 << 20
	if _, err := f.WriteAt(make([]byte, size), 0); err != nil {
		b.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	page := make([]byte, 4096)
	var worst time.Duration
	b.ResetTimer()
	for i := range b.N {
		begin := time.Now()
		page[0] = byte(i)
		if _, err := f.WriteAt(page, int64(i)*4096%size); err != nil {
			b.Fatal(err)
		}
		if err := sync(int(f.Fd())); err != nil {
			b.Fatal(err)
		}
		worst = max(worst, time.Since(begin))
	}
	b.ReportMetric(float64(worst.Microseconds()), "max-us")
}

// BenchmarkRead is recovery's share of the store: reading and verifying blocks of 256 entries.
func BenchmarkRead(b *testing.B) {
	store, err := sqlite.Open(b.TempDir(), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	const blocks, perBlock = 400, 256
	w := newWriter(b, store)
	for range blocks {
		for range perBlock {
			w.add(journal.Raw{Entry: journal.Entry{Kind: journal.KindExchange, Body: make([]byte, 290)}})
		}
		w.flush()
	}
	b.ResetTimer()
	for range b.N {
		if err := store.Verify(b.Context(), 0, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*blocks*perBlock)/b.Elapsed().Seconds(), "entries/s")
}

// BenchmarkProject is how fast view.db follows.
func BenchmarkProject(b *testing.B) {
	store, err := sqlite.Open(b.TempDir(), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	w := newWriter(b, store)
	for i := range b.N {
		w.add(exchange(i%1000, i))
		if i%256 == 255 || i == b.N-1 {
			w.flush()
		}
	}
	p, err := store.NewProjector(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	b.ResetTimer()
	if err := p.CatchUp(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
	if p.Lag() != 0 {
		b.Fatalf("lag %d after catching up", p.Lag())
	}
}
