package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"touchstone/terminal/load"
)

// errMemory is for a directory in which nothing is durable.
var errMemory = errors.New("this directory is in memory: name one on a disk")

func refuseMemory(dir string) error {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return err
	}
	if s.Type == unix.TMPFS_MAGIC || s.Type == unix.RAMFS_MAGIC {
		return fmt.Errorf("%s: %w", dir, errMemory)
	}
	return nil
}

// machine writes down what was measured on.
func (b *bench) machine() error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err
	}
	device, system := mountOf(b.dir)
	said, err := exec.Command(b.binary, "--help").CombinedOutput()
	if err != nil || !strings.Contains(string(said), "touchstone") {
		return fmt.Errorf("%s does not run: %w", b.binary, err)
	}
	busy := "?"
	if raw, err := os.ReadFile("/proc/loadavg"); err == nil {
		busy, _, _ = strings.Cut(string(raw), " ")
	}
	b.table.facts = []string{
		fmt.Sprintf("%s, %d cores", cpuModel(), runtime.NumCPU()),
		fmt.Sprintf("%s %s, %s", unix.ByteSliceToString(u.Sysname[:]), unix.ByteSliceToString(u.Release[:]), runtime.Version()),
		fmt.Sprintf("%s on %s", system, device),
		fmt.Sprintf("%s; load average before the run %s", time.Now().UTC().Format("2006-01-02 15:04 UTC"), busy),
	}
	if b.quick {
		b.table.facts = append(b.table.facts, "**short runs, to try the benchmark out: the figures say little**")
	}
	return nil
}

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if key, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// mountOf is the device and the file system that a directory is on.
func mountOf(dir string) (device, system string) {
	out, err := exec.Command("df", "--output=source,fstype", dir).Output()
	if fields := strings.Fields(string(out)); err == nil && len(fields) >= 4 {
		return fields[len(fields)-2], fields[len(fields)-1]
	}
	return "?", "?"
}

func (b *bench) disk(context.Context) error {
	s, err := load.Sync(b.dir, b.length(5*time.Second, time.Second))
	if err != nil {
		return err
	}
	b.sync = s.P50
	b.table.add(row{what: "raw fdatasync of 4 KiB", figure: fmt.Sprintf("median %.0f us, p99 %.0f us", load.Microseconds(s.P50), load.Microseconds(s.P99))})
	return nil
}

func (b *bench) echo(context.Context) error {
	s, perSecond, err := load.Echo(64, b.length(5*time.Second, time.Second))
	if err != nil {
		return err
	}
	b.table.add(row{what: "raw TCP echo of 252 bytes, 64 connections, client and server in one process",
		figure: fmt.Sprintf("%s/s, p50 %s ms, p99 %s ms", load.Thousands(uint64(perSecond)), load.Milliseconds(s.P50), load.Milliseconds(s.P99))})
	return nil
}
