package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"touchstone/journal"
	"touchstone/sqlite"
)

// The test binary runs itself as another process; this names the part it plays and the directory.
const (
	partEnv = "TOUCHSTONE_SQLITE_PART"
	dirEnv  = "TOUCHSTONE_SQLITE_DIR"
)

func TestMain(m *testing.M) {
	switch os.Getenv(partEnv) {
	case "":
		os.Exit(m.Run())
	case "open":
		s, err := sqlite.Open(os.Getenv(dirEnv), sqlite.Options{})
		if err != nil {
			fmt.Println(err)
			os.Exit(3)
		}
		fmt.Println("opened")
		io.Copy(io.Discard, os.Stdin) // until the parent closes it
		if err := s.Close(); err != nil {
			fmt.Println(err)
			os.Exit(4)
		}
	case "append":
		fmt.Println(appendUntilKilled(os.Getenv(dirEnv)))
		os.Exit(5)
	}
}

// appendUntilKilled commits with 8 submitters and prints each number only after its receipt.
func appendUntilKilled(dir string) error {
	s, err := sqlite.Open(dir, sqlite.Options{})
	if err != nil {
		return err
	}
	last, head, err := s.Head(context.Background())
	if err != nil {
		return err
	}
	c := journal.NewCommitter(s, last, head)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			wait := make(slot, 1)
			for i := 0; ; i++ {
				if _, err := c.Enqueue(exchange(1, i), journal.Outcome, wait); err != nil {
					return
				}
				r := <-wait
				if !r.MayAnswer() {
					return
				}
				fmt.Println(r.Seq())
			}
		})
	}
	err = c.Run(context.Background())
	all.Wait()
	return err
}

func child(t *testing.T, part, dir string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), partEnv+"="+part, dirEnv+"="+dir)
	return c
}

func TestSecondOwnerIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	_, err := sqlite.Open(dir, sqlite.Options{})
	if !errors.Is(err, sqlite.ErrLocked) || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())) {
		t.Errorf("same process: %v", err)
	}
	out, err := child(t, "open", dir).Output()
	if err == nil || !strings.Contains(string(out), "in use by process "+strconv.Itoa(os.Getpid())) {
		t.Errorf("another process: %v, said %q", err, out)
	}
	fill(t, s) // the refused ones did no harm
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if last, _, err := openStore(t, dir).Head(t.Context()); last != 6 || err != nil {
		t.Errorf("head %d, %v", last, err)
	}
}

func TestLockDiesWithItsProcess(t *testing.T) {
	dir := t.TempDir()
	c := child(t, "open", dir)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "opened\n" {
		t.Errorf("child said %q, %v", line, err)
	}
	_, err = sqlite.Open(dir, sqlite.Options{})
	if !errors.Is(err, sqlite.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", c.Process.Pid)) {
		t.Errorf("while it lives: %v", err)
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // says that it was killed
	openStore(t, dir)
}

// A process is killed in the middle of its commits, several times on one directory: what it was told is
// durable is there, and the chain holds.
func TestKilledWriterLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	var before uint64
	for round, acks := range []int{1, 100, 2000} {
		c := child(t, "append", dir)
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		told := map[uint64]bool{}
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			seq, err := strconv.ParseUint(lines.Text(), 10, 64)
			if err != nil {
				// The kill may cut the last line short; before it every line is whole.
				if len(told) < acks {
					t.Errorf("child said %q", lines.Text())
				}
				continue
			}
			told[seq] = true
			if len(told) == acks {
				if err := c.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = c.Wait() // says that it was killed
		s := openStore(t, dir)
		if err := s.Verify(t.Context(), 0, nil); err != nil {
			t.Errorf("round %d: %v", round, err)
		}
		last, _, err := s.Head(t.Context())
		if err != nil || len(told) < acks || last < before+uint64(acks) {
			t.Errorf("round %d: %d acknowledged, head %d after %d, %v", round, len(told), last, before, err)
		}
		for seq := range told {
			var x journal.Exchange
			e, err := s.Entry(t.Context(), seq)
			if err == nil {
				err = x.Parse(e)
			}
			if err != nil {
				t.Fatalf("round %d: acknowledged entry %d: %v", round, seq, err)
			}
		}
		before = last
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A reader sees a chain that holds at every moment while blocks are appended, and the writer never waits
// for it: no Append fails with BUSY.
func TestReaderWhileWriting(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	fill(t, s)
	r, err := sqlite.OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	stop := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			var seen uint64
			err := r.Verify(context.Background(), 0, func(seq uint64) { seen = seq })
			if err != nil || seen < 6 {
				t.Errorf("verified up to %d while writing: %v", seen, err)
				return
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	w := newWriter(t, s)
	for i := range 300 {
		for j := range 20 {
			w.add(exchange(j, i))
		}
		w.flush()
	}
	close(stop)
	reading.Wait()
	if last, _, err := r.Head(t.Context()); last != 6006 || err != nil {
		t.Errorf("reader's head %d, %v", last, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "lock")); err != nil {
		t.Error(err)
	}
}

// The WAL is moved into the file in time: its size stays within a small multiple of DefaultWALBytes.
func TestWALIsBounded(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	w := newWriter(t, s)
	big := journal.Raw{Entry: journal.Entry{Kind: journal.KindExchange, Body: make([]byte, 16000)}}
	for range 300 { // 150 MB
		for range 32 {
			w.add(big)
		}
		w.flush()
	}
	info, err := os.Stat(filepath.Join(dir, "touchstone.db-wal"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 100<<20 {
		t.Errorf("WAL has %d MB after 150 MB of blocks", info.Size()>>20)
	}
}

// TestCloseKeepsNoFile: what Close left open would keep SQLite's locks until the process ends.
func TestCloseKeepsNoFile(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		s, err := sqlite.Open(dir, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		fill(t, s)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("NOT RUN: no list of open files here: %v", err)
	}
	for _, fd := range list {
		if name, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(name, dir) {
			t.Errorf("%s is open", name)
		}
	}
}
