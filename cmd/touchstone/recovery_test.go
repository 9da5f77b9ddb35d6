package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"touchstone/host"
	"touchstone/iso8583"
	"touchstone/ledger"
	"touchstone/listener"
	"touchstone/pos"
	"touchstone/proof"
)

// A day for the start to recover from.
const (
	dayShort = 20_000
	dayLong  = 10_000_000
	// dayTail is what lies beyond the last checkpoint when the host is killed: ten seconds at 30,000 a second.
	dayTail      = 300_000
	dayTerminals = 2_000
	// recoversWithin is how long the start may take, exec to first connection, on a machine that does nothing else.
	recoversWithin = 5 * time.Second
	dayEnv         = "TOUCHSTONE_DAY_DIRECTORY"
	dayCountEnv    = "TOUCHSTONE_DAY"
)

// TestRecoveryOfADay makes a data directory with a day's sales, by the ledger, committer and store of a
// running host but without network and ciphers, kills the process that made it ten seconds of full load after
// its last checkpoint, and measures how long the shipped binary takes from its start to the first connection;
// then again after an end in order. TOUCHSTONE_DAY says how many sales; the long form has ten million.
func TestRecoveryOfADay(t *testing.T) {
	skipInShort(t)
	if dir := os.Getenv(dayEnv); dir != "" {
		makeDay(t, dir) // ends by its own SIGKILL
		t.Fatal("the day's maker lives")
	}
	sales := dayShort
	if inLongForm() {
		sales = dayLong
	}
	if text := os.Getenv(dayCountEnv); text != "" {
		var err error
		if sales, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := shipped(); err != nil {
		t.Fatal(err)
	}
	bed := newCrashBed(t, 0)
	data := bed.copyOf("day")
	began := time.Now()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestRecoveryOfADay$", "-test.timeout", "2h")
	cmd.Env = append(os.Environ(), dayEnv+"="+data, dayCountEnv+"="+strconv.Itoa(sales))
	said, err := cmd.CombinedOutput()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); err == nil || !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the day was not made: %v\n%s", err, said)
	}
	t.Logf("%d sales made in %s; %s", sales, time.Since(began).Round(time.Second), sizes(data))
	for _, how := range []string{"killed, the tail replayed", "ended in order"} {
		began := time.Now()
		h, err := bed.serve(data, nil)
		took := time.Since(began)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: first connection %.2f s after the start, %s of processor time; %s", how, took.Seconds(), cpuOf(h.cmd.Process.Pid), memory(h.cmd.Process.Pid))
		if err := h.stop(); err != nil {
			t.Fatal(err)
		}
		if took > recoversWithin && inLongForm() {
			t.Errorf("%s: the start took %s, want %s", how, took, recoversWithin)
		}
	}
	if inLongForm() {
		began = time.Now()
		j := exec.Command(must(shipped()), "journal", "verify", "--data", data)
		out, err := j.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		t.Logf("journal verify took %s", time.Since(began).Round(time.Second))
	}
}

// sizes are the files of a data directory, MiB.
func sizes(dir string) (text string) {
	for _, name := range []string{"touchstone.db", "touchstone.db-wal", "state.db", "state.db-wal"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
			text += fmt.Sprintf("%s %d MiB ", name, info.Size()>>20)
		}
	}
	return text
}

// cpuOf is the processor time of a process: what a start costs where others want the machine too.
func cpuOf(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "unknown"
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return "unknown"
	}
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if errors.Join(err1, err2) != nil {
		return "unknown"
	}
	return fmt.Sprintf("%.2f s", float64(user+system)/100) // USER_HZ is 100 on Linux
}

// memory is a process's resident memory as Linux tells it.
func memory(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return ""
	}
	var whole, resident int64
	if _, err := fmt.Sscan(string(text), &whole, &resident); err != nil {
		return ""
	}
	return fmt.Sprintf("%d MiB resident", resident*int64(os.Getpagesize())>>20)
}

// makeDay sells until the day is over and kills its own process.
func makeDay(t *testing.T, dir string) {
	sales, err := strconv.Atoi(os.Getenv(dayCountEnv))
	if err != nil {
		t.Fatal(err)
	}
	tail := min(dayTail, sales/4)
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	e, err := openEngine(engineOptions{dir: dir, lock: testLock(dir), policy: proof.DefaultPolicy(), ledger: ledger.DefaultOptions(), zone: zone,
		acquirerID: "48021000", issuerID: "01020000", log: slog.New(slog.DiscardHandler), checkpointEvery: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	shops := dayShops(t, e, dayTerminals)
	done := make(chan struct{})
	var ticking sync.WaitGroup
	ticking.Go(func() {
		tick := time.NewTicker(checkpointEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if err := e.ledger.Checkpoint(context.Background()); err != nil {
					t.Error(err)
				}
			}
		}
	})
	sellAll(t, e, shops, sales-tail)
	close(done)
	ticking.Wait()
	if err := e.ledger.Checkpoint(context.Background()); err != nil {
		t.Fatal(err)
	}
	sellAll(t, e, shops, tail)
	if t.Failed() {
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// dayShops registers terminals, each with a card, and signs them in over a listener of their own.
func dayShops(t *testing.T, e *engine, n int) []*benchTerminal {
	var records []any
	all := make([]*benchTerminal, n)
	for i := range all {
		s := sampleTerminal{id: sampleID(30_000_000 + i), merchant: sampleMerchant(1 + i%sampleShops), code: 3, serial: sampleSerial(30_000_000 + i)}
		more, err := e.seedTerminal(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		c := sampleCard{label: fmt.Sprintf("day %d", i), service: "101", expiry: "4912", balance: 999_999_999_999, state: "active"}
		c.pin = publishedDigits("pin/"+c.label, 6)
		opening, err := e.seedCard(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		records = append(append(records, more...), opening)
		all[i] = &benchTerminal{sampleTerminal: s, card: c}
	}
	if err := e.ledger.Register(t.Context(), e.clock(), records...); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- listener.New(e.line, listener.DefaultLimits(), e.log).Serve(ctx, ln) }()
	till := &crashTill{}
	if err := till.call(ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	for _, b := range all {
		if err := errors.Join(till.conn.net.SetDeadline(time.Now().Add(hostSays)), b.signIn(till.conn)); err != nil {
			t.Fatal(err)
		}
	}
	till.conn.net.Close()
	cancel()
	if err := <-served; err != nil {
		t.Fatal(err)
	}
	return all
}

// sellAll has a module that agrees with every proof judge sales, and waits until all are durable.
func sellAll(t *testing.T, e *engine, shops []*benchTerminal, sales int) {
	line := *e.line
	agrees := yes{line.Keys, line.Hasher}
	line.Prover, line.Sealer, line.Vault = agrees, agrees, agrees
	const submitters = 500
	var left atomic.Int64
	left.Store(int64(sales))
	var all sync.WaitGroup
	for i := range submitters {
		all.Go(func() {
			done := make(chan struct{}, 1)
			x := line.NewExchange(func(*host.Exchange) { done <- struct{}{} })
			peer := host.Peer{Conn: uint64(i + 1), Address: pos.IPv4(127, 0, 0, 1)}
			for n := i; left.Add(-1) >= 0; n += submitters {
				frame := shops[n%len(shops)].next(false)
				line.Begin(x.Buffer()[:copy(x.Buffer(), frame[iso8583.LengthSize:])], peer, x)
				<-done
				if answer, shut := line.Finish(x); shut || len(answer) == 0 {
					left.Store(0)
					t.Error("no answer")
					return
				}
			}
		})
	}
	all.Wait()
}
