package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// stopsWithin is how soon after a fault of the journal's disk the last answer may leave.
const stopsWithin = 100 * time.Millisecond

// timedRuns is how often a fault is tried until the bound is held: the machine may be busy otherwise.
const timedRuns = 3

// diskTills sell while a fault is injected.
const diskTills = 8

// diskFault is one fault of the shipped binary's disk, injected by strace.
type diskFault struct {
	name   string
	file   string // of the data directory
	inject string
	flags  []string
	want   string // in what the host says
	long   bool   // in the long form only
}

var finalFaults = []diskFault{
	{name: "EIO at fsync 2 of the journal", file: "touchstone.db-wal", inject: "fsync:error=EIO:when=2", want: `touchstone\.db.*disk I/O error`},
	{name: "EIO at fsync 40 of the journal", file: "touchstone.db-wal", inject: "fsync:error=EIO:when=40", want: `touchstone\.db.*disk I/O error`},
	{name: "EIO at a write of the journal", file: "touchstone.db-wal", inject: "pwrite64:error=EIO:when=33", want: `touchstone\.db.*disk I/O error`},
	{name: "ENOSPC at a write of the journal", file: "touchstone.db-wal", inject: "pwrite64:error=ENOSPC:when=20", want: `touchstone\.db.*full.*make room`},
	{name: "EDQUOT at a write of the journal", file: "touchstone.db-wal", inject: "pwrite64:error=EDQUOT:when=51", want: `touchstone\.db.*disk`, long: true},
	{name: "EIO at the sync of a WAL checkpoint", file: "touchstone.db", inject: "fsync:error=EIO:when=1", flags: []string{"--wal", "1"}, want: `touchstone\.db.*disk I/O error`},
}

// TestDiskFaultOfTheJournalIsFinal injects one fault and lets every later call succeed, as a kernel does
// that dropped the pages (fsyncgate). The host must not go on: an answer that a till gets after the fault was on its
// way before, so that no till gets two; it ends with exit code 1 and names the file, the error and what to do; started
// again on a sound disk it has every approval a till was given, once. No answer leaves later than 100 ms after the fault.
func TestDiskFaultOfTheJournalIsFinal(t *testing.T) {
	skipInShort(t)
	needPrograms(t, "strace")
	bed := newCrashBed(t, diskTills)
	for _, f := range finalFaults {
		t.Run(f.name, func(t *testing.T) {
			if f.long && !inLongForm() {
				t.Skip("in the long form only")
			}
			var late, closed time.Duration
			for range timedRuns {
				late, closed = tryFinalFault(t, bed, f)
				if t.Failed() || max(late, closed) <= stopsWithin {
					break
				}
			}
			t.Logf("last answer %s after the fault, last connection closed %s after it", late, closed)
			if max(late, closed) > stopsWithin {
				t.Errorf("answers after %s, connections after %s; want %s", late, closed, stopsWithin)
			}
		})
	}
}

// tryFinalFault runs one trial and returns how long after the fault the last answer came, 0 for none, and
// the last connection was closed.
func tryFinalFault(t *testing.T, bed *crashBed, f diskFault) (late, closed time.Duration) {
	t.Helper()
	data := bed.copyOf("data")
	tills := make([]*crashTill, len(bed.tills))
	for i, b := range bed.tills {
		fresh := *b
		tills[i] = &crashTill{benchTerminal: &fresh}
	}
	signInTills(t, bed, data, tills)
	call, _, _ := strings.Cut(f.inject, ":")
	h, err := bed.serve(data, []string{"-P", filepath.Join(data, f.file), "-e", "signal=none", "-e", "trace=" + call, "-e", "inject=" + f.inject}, f.flags...)
	if err != nil {
		t.Fatal(err)
	}
	sellUntilDead(t, h.addr, tills)
	if code := h.ends(t); code != 1 {
		t.Errorf("exit code %d, want 1; it said: %s", code, h.output())
	}
	if said := h.output(); !regexp.MustCompile(f.want).MatchString(said) || !strings.Contains(said, "nothing more is answered") {
		t.Errorf("it said %q, want %s", said, f.want)
	}
	at := faultTime(t, h.log)
	for _, till := range tills {
		late, closed = max(late, till.answered.Sub(at)), max(closed, till.lost.Sub(at))
		if till.before.After(at) { // one message of a till is in flight: the second was sent, judged and answered after the fault
			t.Errorf("terminal %s got two approvals after the fault, %s and %s after it", till.id, till.before.Sub(at), till.answered.Sub(at))
		}
	}
	checkTills(t, data, tills)
	finishDay(t, bed, data, tills)
	return max(late, 0), closed
}

// faultTime reads from strace's log when it injected the fault.
func faultTime(t *testing.T, log string) time.Time {
	t.Helper()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	found := injected.FindSubmatch(text)
	if found == nil {
		t.Fatalf("strace injected nothing:\n%.2000s", text)
	}
	whole, part, _ := strings.Cut(string(found[1]), ".")
	s, err1 := strconv.ParseInt(whole, 10, 64)
	us, err2 := strconv.ParseInt(part, 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return time.Unix(s, us*1000)
}

// TestDiskFaultBesideTheJournal injects faults that cost no transaction: the host answers on, tells them,
// and the next start has everything.
func TestDiskFaultBesideTheJournal(t *testing.T) {
	skipInShort(t)
	needPrograms(t, "strace")
	bed := newCrashBed(t, 2)
	for _, f := range []diskFault{
		{name: "EIO at every write of the checkpoint", file: "state.db-wal", inject: "pwrite64:error=EIO:when=2+", want: `state\.db|checkpoint`},
		{name: "ENOSPC at every write of the view", file: "view.db-wal", inject: "pwrite64:error=ENOSPC:when=1+", want: `queries fall back to the journal`},
		{name: "ENOSPC at writes of a WAL checkpoint", file: "touchstone.db", inject: "pwrite64:error=ENOSPC:when=1..2", flags: []string{"--wal", "1"}, want: `journal checkpoint failed.*touchstone\.db`, long: true},
	} {
		t.Run(f.name, func(t *testing.T) {
			if f.long && !inLongForm() {
				t.Skip("in the long form only")
			}
			data := bed.copyOf("data")
			till := &crashTill{benchTerminal: bed.tills[0]}
			signInTills(t, bed, data, []*crashTill{till})
			call, _, _ := strings.Cut(f.inject, ":")
			h, err := bed.serve(data, []string{"-P", filepath.Join(data, f.file), "-e", "signal=none", "-e", "trace=" + call, "-e", "inject=" + f.inject}, f.flags...)
			if err != nil {
				t.Fatal(err)
			}
			sellSome(t, h, till, f)
			_ = h.cmd.Process.Signal(os.Interrupt)
			h.ends(t)
			if said := h.output(); !regexp.MustCompile(f.want).MatchString(said) {
				t.Errorf("it said %q, want %s", said, f.want)
			}
			finishDay(t, bed, data, []*crashTill{till})
		})
	}
}

// beside is how many sales a till makes beside a fault: with --wal 1 enough for a checkpoint of the WAL.
const beside = 300

func sellSome(t *testing.T, h *crashHost, till *crashTill, f diskFault) {
	t.Helper()
	if err := till.call(h.addr); err != nil {
		t.Fatal(err)
	}
	defer till.conn.net.Close()
	n := beside
	if len(f.flags) > 0 {
		n = 1 << 20 / 150 // an entry has more bytes than that
	}
	for range n {
		if err := till.sell(); err != nil {
			t.Fatalf("after %d sales: %v; the host said: %s", len(till.acks), err, h.output())
		}
	}
}

// TestFullDisk fills a real file system: the host refuses within 100 ms and ends, nothing is lost, it does
// not start while there is no room, and goes on when there is.
func TestFullDisk(t *testing.T) {
	skipInShort(t)
	bed := newCrashBed(t, diskTills)
	disk := smallDisk(t, bed.root, 40<<20)
	data := filepath.Join(disk, "data")
	if out, err := exec.Command("cp", "-a", bed.copyOf("data"), data).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	tills := make([]*crashTill, len(bed.tills))
	for i, b := range bed.tills {
		tills[i] = &crashTill{benchTerminal: b}
	}
	signInTills(t, bed, data, tills)
	ballast := filepath.Join(disk, "ballast")
	free, err := freeBytes(disk)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("fallocate", "-l", strconv.FormatUint(free-4<<20, 10), ballast).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	h, err := bed.serve(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	sellUntilDead(t, h.addr, tills)
	if code := h.ends(t); code != 1 || !strings.Contains(h.output(), "the disk is full: make room") {
		t.Errorf("exit code %d, it said: %s", code, h.output())
	}
	if h, err := bed.serve(data, nil, "--least-free", "8"); err == nil || !strings.Contains(h.output(), "make room first") {
		t.Errorf("started on a full disk: %v; it said: %s", err, h.output())
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	finishDay(t, bed, data, tills)
	t.Logf("%d approvals before the disk was full, all there", countAcks(tills))
}

// smallDisk mounts a file system of some bytes, or says NOT RUN.
func smallDisk(t *testing.T, root string, bytes int64) string {
	t.Helper()
	image, mount := filepath.Join(root, "disk.img"), filepath.Join(root, "disk")
	f, err := os.Create(image)
	if err == nil {
		err = errors.Join(f.Truncate(bytes), f.Close(), os.Mkdir(mount, 0o700))
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mkfs.ext4", "-q", "-O", "^has_journal", "-m", "0", image).CombinedOutput(); err != nil {
		t.Skipf("NOT RUN: no small ext4 can be made here: %v: %s", err, out)
	}
	if out, err := exec.Command("mount", "-o", "loop", image, mount).CombinedOutput(); err != nil {
		t.Skipf("NOT RUN: nothing can be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", mount).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	return mount
}
