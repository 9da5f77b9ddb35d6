package main

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"touchstone/capture"
	"touchstone/pos"
	"touchstone/terminal/load"
)

// benchCaptured is how many sales the capture of a benchmark holds.
var benchCaptured = flag.Int("bench-captured", 20_000, "sales in the capture of BenchmarkAnalyzeKeys; fifty times as many in that of BenchmarkAnalyze")

// analyzeBench analyses a file as touchstone analyze does, again and again.
func analyzeBench(b *testing.B, file string, world func() *mirror) {
	info, err := os.Stat(file)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	messages := uint64(0)
	defer collectLater()()
	began := processorTime(b)
	for b.Loop() {
		in, err := os.Open(file)
		if err != nil {
			b.Fatal(err)
		}
		var o analyzeOptions
		if world != nil {
			o.world = world()
		}
		report, err := analyzeCapture(b.Context(), in, o)
		if err := errors.Join(err, in.Close()); err != nil {
			b.Fatal(err)
		}
		if messages += report.Seen.Messages; report.Seen.Malformed+report.Seen.Gaps > 0 || report.Seen.Messages == 0 {
			b.Fatalf("%+v", report.Seen)
		}
		if o.world != nil {
			o.world.close()
		}
	}
	b.ReportMetric(float64(messages)/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(float64((processorTime(b)-began).Nanoseconds())/1000/float64(messages), "cpu-us/message")
}

// processorTime is what this process has taken of the processors: what else the machine does is not in it.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkAnalyze is a capture of requests and answers of 1,000 terminals, one in ten refused, without keys.
func BenchmarkAnalyze(b *testing.B) {
	file := filepath.Join(b.TempDir(), "a.pcap")
	out, err := os.Create(file)
	if err != nil {
		b.Fatal(err)
	}
	r, err := capture.NewRecorder(out)
	if err != nil {
		b.Fatal(err)
	}
	begins := time.Date(2026, 11, 28, 10, 41, 25, 0, time.UTC)
	const terminals = 1000
	for n := range terminals {
		c, err := r.Open(begins, capture.Endpoint{Address: pos.IPv4(10, 0, byte(n>>8), byte(n)), Port: 40000}, capture.Endpoint{Address: pos.IPv4(10, 9, 0, 1), Port: 8583})
		for trace := range *benchCaptured * 50 / 2 / terminals {
			at, code := begins.Add(time.Duration(trace)*time.Second), "00"
			if trace%10 == 9 {
				code = "A0"
			}
			err = errors.Join(err, c.Client(at, plainFrame(b, 0x0200, n, trace+1, "", true)), c.Server(at.Add(8*time.Millisecond), plainFrame(b, 0x0210, n, trace+1, code, false)))
		}
		if err = errors.Join(err, c.Close(begins.Add(time.Hour))); err != nil {
			b.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		b.Fatal(err)
	}
	analyzeBench(b, file, nil)
}

// BenchmarkAnalyzeKeys is a capture of real sales against a whole host, with PIN, track and proof of the serial number:
// every verdict is made again, with the keys of the host's data directory.
func BenchmarkAnalyzeKeys(b *testing.B) {
	rig := newBenchRig(b, false)
	file := filepath.Join(b.TempDir(), "a.pcap")
	wire := startTap(b, rig.addr, file)
	r, err := load.Run(b.Context(), load.Options{Address: wire.ln.Addr().String(), Crew: rig.crew, Connections: 64, Sales: int64(*benchCaptured), Duration: time.Hour})
	if err := errors.Join(err, wire.close()); err != nil {
		b.Fatal(err)
	}
	if !r.Clean() {
		b.Fatalf("%+v", r)
	}
	analyzeBench(b, file, func() *mirror {
		m, err := openMirror(b.Context(), mirrorOptions{dir: rig.engine.dir, lock: testLock(rig.engine.dir), policy: analyzePolicy()})
		if err != nil {
			b.Fatal(err)
		}
		return m
	})
}
