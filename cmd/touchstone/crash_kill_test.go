package main

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"touchstone/iso8583"
	"touchstone/pos"
)

// How often the host is killed, and how many tills sell meanwhile.
const (
	killsShort = 8
	killsLong  = 120
	killTills  = 24
	killAfter  = 400 * time.Millisecond // the latest moment of a kill under load
)

// TestKillNineUnderLoad kills the shipped binary with SIGKILL at random moments while tills sell. Each till
// keeps its own ledger; after each start it sends again what was not answered. Every approval a till ever
// got is in the journal exactly once with the same RRN and authorization code, what was sent twice was sold
// once, and in the end every balance is that of the tills' ledgers. TOUCHSTONE_SEED repeats the moments.
func TestKillNineUnderLoad(t *testing.T) {
	skipInShort(t)
	kills := killsShort
	if inLongForm() {
		kills = killsLong
	}
	random := seeded(t)
	bed := newCrashBed(t, killTills)
	data := bed.copyOf("data")
	tills := make([]*crashTill, len(bed.tills))
	for i, b := range bed.tills {
		tills[i] = &crashTill{benchTerminal: b}
	}
	signInTills(t, bed, data, tills)
	unanswered, survived := 0, 0
	for n := range kills {
		h, err := bed.serve(data, nil)
		if err != nil {
			t.Fatalf("start %d: %v", n+1, err)
		}
		timer := time.AfterFunc(time.Duration(random.Int64N(int64(killAfter))), func() { _ = h.cmd.Process.Kill() })
		sellUntilDead(t, h.addr, tills)
		timer.Stop()
		h.kill()
		for _, till := range tills {
			if till.pending != nil {
				unanswered++
			}
		}
		if n%10 == 9 || n == kills-1 {
			survived = checkTills(t, data, tills)
		}
		if t.Failed() {
			return
		}
	}
	finishDay(t, bed, data, tills)
	t.Logf("%d kills, %d approvals in the tills' ledgers, %d requests cut off: 0 lost, 0 doubled; chain of %d entries verifies", kills, countAcks(tills),
		unanswered, survived)
}

// seeded is a source of random moments whose seed is told.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("TOUCHSTONE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("TOUCHSTONE_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func countAcks(tills []*crashTill) (n int) {
	for _, till := range tills {
		n += len(till.acks)
	}
	return n
}

// signInTills gives every till its working keys from a host that ends in order.
func signInTills(t *testing.T, bed *crashBed, data string, tills []*crashTill) {
	t.Helper()
	h, err := bed.serve(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, till := range tills {
		if err := till.call(h.addr); err != nil {
			t.Fatal(err)
		}
		if err := signInTill(till); err != nil {
			t.Fatal(err)
		}
		till.conn.net.Close()
	}
	if err := h.stop(); err != nil {
		t.Fatalf("SIGINT: %v", err)
	}
}

// signInTill gives a connected till its working keys and its batch.
func signInTill(till *crashTill) error {
	if err := till.signIn(till.conn); err != nil {
		return err
	}
	var m iso8583.Message
	if err := iso8583.UnionPay.Parse(&m, till.frame[iso8583.LengthSize:]); err != nil {
		return err
	}
	sale, err := m.DE60()
	till.batch = sale.Batch
	return err
}

// call connects a till.
func (c *crashTill) call(addr string) error {
	nc, err := net.DialTimeout("tcp", addr, hostStarts)
	if err != nil {
		return err
	}
	c.conn = &benchConn{net: nc, r: bufio.NewReaderSize(nc, iso8583.MaxFrame)}
	return nc.SetDeadline(time.Now().Add(hostSays))
}

// sellUntilDead lets every till sell until its connection is lost.
func sellUntilDead(t *testing.T, addr string, tills []*crashTill) {
	var all sync.WaitGroup
	for _, till := range tills {
		all.Go(func() {
			if till.call(addr) != nil {
				return // the host is dead already
			}
			defer till.conn.net.Close()
			for {
				err := till.sell()
				var wrong *wrongAnswer
				if errors.As(err, &wrong) {
					t.Error(err)
				}
				if err != nil {
					till.lost = time.Now()
					return
				}
			}
		})
	}
	all.Wait()
}

// checkTills compares the tills' ledgers with the journal and returns its last entry.
func checkTills(t *testing.T, data string, tills []*crashTill) int {
	t.Helper()
	j, err := readJournal(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	for _, till := range tills {
		if err := j.check(till.acks); err != nil {
			t.Fatal(err)
		}
	}
	return int(j.proven.Last)
}

// finishDay has everything pending answered, ends the host with SIGINT, and compares every balance.
func finishDay(t *testing.T, bed *crashBed, data string, tills []*crashTill) {
	t.Helper()
	h, err := bed.serve(data, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, till := range tills {
		if till.pending == nil {
			continue
		}
		if err := till.call(h.addr); err != nil {
			t.Fatal(err)
		}
		if err := till.sell(); err != nil {
			t.Fatalf("a request sent again after the crash: %v", err)
		}
		till.conn.net.Close()
	}
	if err := h.stop(); err != nil {
		t.Fatalf("SIGINT: %v", err)
	}
	checkTills(t, data, tills)
	checkBalances(t, bed, data, tills)
}

// checkBalances opens the directory in this process, by its checkpoint and by its journal alone, and wants
// the same state and, on every till's card, what the till's ledger says.
func checkBalances(t *testing.T, bed *crashBed, data string, tills []*crashTill) {
	t.Helper()
	for _, how := range []string{"checkpoint", "journal alone"} {
		if how == "journal alone" {
			removeState(t, data)
		}
		e := openForTest(t, data, nil)
		for _, till := range tills {
			want := bed.opening - tillAmount*pos.Amount(len(till.acks))
			if got := cardBalance(t, e, till.card); got != want {
				t.Errorf("by the %s: card of terminal %s has %s, its ledger says %s", how, till.id, got, want)
			}
		}
		if err := e.close(); err != nil {
			t.Error(err)
		}
	}
}

func removeState(t *testing.T, data string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(data + "/state.db" + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// cardBalance is what the embedded bank has of a sample card.
func cardBalance(t *testing.T, e *engine, c sampleCard) pos.Amount {
	t.Helper()
	pan, err := pos.ParsePAN(c.pan())
	if err != nil {
		t.Fatal(err)
	}
	hash, err := e.module.HashPAN(pan)
	if err != nil {
		t.Fatal(err)
	}
	card, ok := e.ledger.CardNow(hash)
	if !ok {
		t.Fatal(fmt.Errorf("a till's card is gone"))
	}
	return card.Balance
}
