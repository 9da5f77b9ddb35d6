package main

import (
	"log/slog"
	"math"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// TestByteSize: sizes a person writes, what is none, and that a size is written as it is read.
func TestByteSize(t *testing.T) {
	for text, want := range map[string]byteSize{"0": 0, "1048576": 1 << 20, "512MiB": 512 << 20, "2GiB": 2 << 30, "64 KiB": 64 << 10} {
		var got byteSize
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
		var again byteSize
		if err := again.UnmarshalText([]byte(got.String())); err != nil || again != got {
			t.Errorf("%s is written %s", text, got)
		}
	}
	for _, text := range []string{"", "MiB", "-1", "1.5GiB", "512MB", "512 mib", "99999999999GiB"} {
		var got byteSize
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %d", text, got)
		}
	}
}

// TestBoundsAreChecked: each key is refused by its name on either side of its range, and taken on its ends.
func TestBoundsAreChecked(t *testing.T) {
	for _, c := range []struct {
		key string
		set func(*boundFlags)
	}{
		{"max-in-flight", func(f *boundFlags) { f.MaxInFlight = 63 }}, {"max-in-flight", func(f *boundFlags) { f.MaxInFlight = 16385 }},
		{"", func(f *boundFlags) { f.MaxInFlight = 64 }}, {"", func(f *boundFlags) { f.MaxInFlight = 16384 }},
		{"shed-after", func(f *boundFlags) { f.ShedAfter = 50*time.Millisecond - 1 }}, {"shed-after", func(f *boundFlags) { f.ShedAfter = time.Minute + 1 }},
		{"", func(f *boundFlags) { f.ShedAfter = time.Minute }},
		{"refusal-burst", func(f *boundFlags) { f.RefusalBurst = 0 }}, {"refusal-burst", func(f *boundFlags) { f.RefusalBurst = 100_001 }},
		{"refusal-every", func(f *boundFlags) { f.RefusalEvery = 0 }}, {"refusal-every", func(f *boundFlags) { f.RefusalEvery = 2 * time.Hour }},
		{"memory-limit", func(f *boundFlags) { f.MemoryLimit = leastMemory - 1 }}, {"", func(f *boundFlags) { f.MemoryLimit = leastMemory }},
	} {
		f := defaultBounds()
		if err := f.check(); err != nil {
			t.Fatalf("the defaults: %v", err)
		}
		c.set(&f)
		err := f.check()
		if (err == nil) != (c.key == "") || err != nil && !strings.HasPrefix(err.Error(), c.key+":") {
			t.Errorf("%+v: %v, want it refused by %q", f, err, c.key)
		}
	}
}

// TestMostMemory: the arithmetic of the memory limit grows with each bound and is under 2 GiB for a fresh
// installation.
func TestMostMemory(t *testing.T) {
	f := hostDefaults()
	f.MaxConnections = 20_000
	base := f.most(20_000, 32<<20)
	if base < 512<<20 || base > 2<<30 {
		t.Errorf("a fresh installation may use %s", base)
	}
	more := f
	more.MaxInFlight = 16384
	if more.most(20_000, 32<<20) <= base || f.most(20_001, 32<<20) <= base || f.most(20_000, 64<<20) <= base {
		t.Error("a bound does not count")
	}
}

// TestConfine: the runtime is kept to the memory asked for, or to what the bounds come to, and left alone
// where the environment says GOMEMLIMIT; connections are as many as configured when there are descriptors.
func TestConfine(t *testing.T) {
	t.Cleanup(func() { debug.SetMemoryLimit(math.MaxInt64) })
	quiet := slog.New(slog.DiscardHandler)
	confine := func(asked byteSize, env string) int64 {
		t.Setenv("GOMEMLIMIT", env)
		debug.SetMemoryLimit(math.MaxInt64)
		f := hostDefaults()
		f.MaxConnections, f.MemoryLimit = 100, asked
		l, err := f.confine(quiet)
		if err != nil || l.Connections != 100 || l.Shared != f.MaxInFlight {
			t.Fatalf("%+v, %v", l, err)
		}
		return debug.SetMemoryLimit(-1)
	}
	if got := confine(512<<20, "1GiB"); got != 512<<20 {
		t.Errorf("asked for 512 MiB, limited to %d", got)
	}
	if got := confine(0, ""); got < 160<<20 || got > 2<<30 {
		t.Errorf("limited to %d by default", got)
	}
	if got := confine(0, "1GiB"); got != math.MaxInt64 {
		t.Errorf("the environment's limit was replaced by %d", got)
	}
}
