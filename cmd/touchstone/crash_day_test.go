package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"touchstone/pos"
	"touchstone/terminal"
)

// scriptedDay is a small shop's day with every kind of message, and the ledger that its side keeps. A step
// that found no answer is taken up again when the host is back, as a cashier would.
type scriptedDay struct {
	data   string
	addr   string
	shop   *terminal.Terminal // two sales, a void, a refund, a reversal, a settlement
	broken *terminal.Terminal // signs in and reports tampering
	till   *crashTill         // sends a sale twice
	card   terminal.Card
	at     int // the next step

	acks     []ack
	owed     pos.Amount // what the shop's card has paid by what was acknowledged
	unknown  pos.Amount // a refund without an answer: made or not
	merchant bool       // its registration was acknowledged
	tampered bool       // so was the report
	settled  terminal.Outcome
	told     []string // every message's end, for a failure
}

// The day's registration.
const dayMerchant = "898310058129999"

// visitorTerminal opens a visitor's terminal that calls wherever the day's host is.
func (d *scriptedDay) visitorTerminal(dir string, n int) (*terminal.Terminal, error) {
	cfg := visitors()[n].config()
	cfg.Host, cfg.StateDir, cfg.Timeout, cfg.Dial, cfg.OnMessage = "127.0.0.1:1", dir, hostSays, d.dial, d.heard
	return terminal.Open(cfg)
}

// steps are the day. Each tells whether it is done.
func (d *scriptedDay) steps() []func(context.Context) (bool, error) {
	sale := func(amount pos.Amount) func(context.Context) (bool, error) {
		return func(ctx context.Context) (bool, error) { return approved(d.shop.Sale(ctx, d.card, amount)) }
	}
	return []func(context.Context) (bool, error){
		func(ctx context.Context) (bool, error) { return approved(d.shop.SignIn(ctx)) },
		sale(100), sale(200),
		func(ctx context.Context) (bool, error) {
			last, err := terminalLastSale(d.shop)
			if err != nil {
				return false, err
			}
			return approved(d.shop.Void(ctx, last.Trace, terminal.Card{}))
		},
		func(context.Context) (bool, error) { return d.sellTwice() },
		sale(300), d.refund, sale(400),
		func(ctx context.Context) (bool, error) { return approved(d.shop.Reverse(ctx)) },
		d.register,
		func(ctx context.Context) (bool, error) {
			res, err := d.shop.Settle(ctx)
			d.settled = res.Outcome
			return res.Outcome == terminal.Done || res.Outcome == terminal.BalanceDisagrees, err
		},
		sale(500),
		func(ctx context.Context) (bool, error) { return approved(d.broken.SignIn(ctx)) },
		func(ctx context.Context) (bool, error) {
			res, err := d.broken.TamperReport(ctx, 1)
			d.tampered = res.Approved
			return true, err // it is sent once, whatever becomes of it
		},
	}
}

func approved(res terminal.Result, err error) (bool, error) { return res.Approved, err }

// heard enters what a terminal was told into the shop's ledger.
func (d *scriptedDay) heard(r terminal.Result) {
	d.told = append(d.told, fmt.Sprintf("%s %s: %s %s", r.Operation, r.Trace, r.Outcome, r.DE39))
	if !r.Approved {
		return
	}
	switch r.Operation {
	case "sale":
		d.owed += r.Amount
		d.acks = append(d.acks, ack{saleKeyOf{visitors()[0].id, r.Batch, r.Trace}, r.RRN.String(), r.AuthCode.String(), r.Amount})
	case "void", "refund":
		d.owed -= r.Amount
	case "reversal":
		for _, a := range d.acks { // of a sale that was approved; one without an answer was never owed
			if a.key.trace == r.Trace && a.key.batch == r.Batch {
				d.owed -= a.amount
			}
		}
	}
}

// refund gives back a part of the last sale. Without an answer it is not sent again: the terminal's
// protocol has no reversal of it, and the totals of the settlement tell.
func (d *scriptedDay) refund(ctx context.Context) (bool, error) {
	sale, err := terminalLastSale(d.shop)
	if err != nil {
		return false, err
	}
	o := terminal.Original{Date: sale.Date}
	copy(o.RRN[:], sale.RRN)
	const part = 100
	res, err := d.shop.Refund(ctx, d.card, o, part)
	switch res.Outcome {
	case terminal.Done:
		return true, err
	case terminal.NoAnswer:
		d.unknown = part
		return true, err
	}
	return false, err
}

// sellTwice sends one sale in two copies: the second is a repeat and must be answered as the first.
func (d *scriptedDay) sellTwice() (bool, error) {
	if d.till.call(d.addr) != nil {
		return false, nil
	}
	defer d.till.conn.net.Close()
	if d.till.mak == nil {
		if err := signInTill(d.till); err != nil {
			return false, nil
		}
	}
	for len(d.till.acks) < 2 {
		sent := append([]byte(nil), d.till.pending...)
		if d.till.pending == nil {
			sent = append(sent, d.till.next(true)...)
			d.till.pending = sent
		}
		err := d.till.sell()
		var wrong *wrongAnswer
		switch {
		case errors.As(err, &wrong):
			return false, err
		case err != nil:
			return false, nil
		case len(d.till.acks) == 1:
			d.till.pending = sent
		}
	}
	return true, nil
}

func (d *scriptedDay) register(context.Context) (bool, error) {
	_, running, err := ask(d.data, change{Merchant: &merchantChange{ID: dayMerchant, Name: "Sample Day 示例一日", Networks: []string{"any"}}})
	d.merchant = running && err == nil
	return d.merchant, nil
}

// stepTries is how often a step is tried again: a terminal that spoke a moment ago finds only by a message
// without an answer that the host is another process now.
const stepTries = 2

// run goes on with the day until it is over, true, or the host is gone, false.
func (d *scriptedDay) run(ctx context.Context, addr string) (bool, error) {
	d.addr = addr
	steps := d.steps()
	for tries := 0; d.at < len(steps); tries++ {
		done, err := steps[d.at](ctx)
		switch {
		case err != nil:
			return false, fmt.Errorf("step %d: %w", d.at+1, err)
		case done:
			d.at, tries = d.at+1, -1
		case tries == stepTries:
			return false, nil
		}
	}
	return true, nil
}

// dial calls where the host is now.
func (d *scriptedDay) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", d.addr)
}

func (d *scriptedDay) close() error { return errors.Join(d.shop.Close(), d.broken.Close()) }

// newDay brings terminals, a till and a card to a data directory.
func newDay(bed *crashBed, data, state string) (*scriptedDay, error) {
	fresh := *bed.tills[0]
	d := &scriptedDay{data: data, till: &crashTill{benchTerminal: &fresh}}
	var err error
	if d.card, err = cardOf(cards()[0]); err != nil {
		return nil, err
	}
	if d.shop, err = d.visitorTerminal(state, 0); err != nil {
		return nil, err
	}
	d.broken, err = d.visitorTerminal(state, 1)
	return d, err
}

// check compares the day's ledger with the data directory: its journal, its state by the checkpoint, and
// its state by the journal alone.
func (d *scriptedDay) check(ctx context.Context) error {
	j, err := readJournal(ctx, d.data)
	if err != nil {
		return err
	}
	if err := errors.Join(j.check(d.acks), j.check(d.till.acks)); err != nil {
		return err
	}
	if d.settled == terminal.BalanceDisagrees && d.unknown == 0 {
		return errors.New("the host settled other totals than the terminal's")
	}
	var states []string
	for _, journalAlone := range []bool{false, true} {
		if journalAlone {
			for _, suffix := range []string{"", "-wal", "-shm"} {
				if err := os.Remove(filepath.Join(d.data, "state.db"+suffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
					return err
				}
			}
		}
		state, err := d.stateNow()
		if err != nil {
			return fmt.Errorf("journal alone %t: %w", journalAlone, err)
		}
		states = append(states, state)
	}
	if states[0] != states[1] {
		return fmt.Errorf("by the checkpoint: %s; by the journal alone: %s", states[0], states[1])
	}
	return nil
}

// stateNow opens the directory and compares cards, merchant and device with the day's ledger.
func (d *scriptedDay) stateNow() (text string, err error) {
	e, err := tryOpen(d.data)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	paid := func(c sampleCard) (pos.Amount, error) {
		pan, err := pos.ParsePAN(c.pan())
		if err != nil {
			return 0, err
		}
		hash, err := e.module.HashPAN(pan)
		if err != nil {
			return 0, err
		}
		now, ok := e.ledger.CardNow(hash)
		if !ok {
			return 0, errors.New("a card is gone")
		}
		return c.balance - now.Balance, nil
	}
	shop, err := paid(cards()[0])
	if err != nil {
		return "", err
	}
	if shop != d.owed && shop != d.owed-d.unknown {
		return "", fmt.Errorf("the shop's card paid %s, its ledger says %s (unknown: %s)", shop, d.owed, d.unknown)
	}
	till, err := paid(d.till.card)
	if err != nil {
		return "", err
	}
	if till != tillAmount {
		return "", fmt.Errorf("a sale sent twice took %s, want %s", till, tillAmount)
	}
	id, err := pos.ParseMerchantID(dayMerchant)
	if err != nil {
		return "", err
	}
	if m, err := e.ledger.Merchant(id); err != nil || m.Name != "Sample Day 示例一日" {
		return "", fmt.Errorf("a registration that was acknowledged is lost: %w", err)
	}
	device, err := e.ledger.Device(visitors()[1].serial)
	if err != nil {
		return "", err
	}
	if d.tampered && device.State == "active" {
		return "", errors.New("a tamper report that was acknowledged is lost")
	}
	cold, err := json.Marshal(device)
	return fmt.Sprintf("%s %s %s", shop, till, cold), err
}

// killPoint is one call at which the host is killed: strace counts each thread's calls of its own.
type killPoint struct {
	call string
	n    int
}

// dayCalls are the calls by which a file changes, with how many of each the short form tries.
var dayCalls = []struct {
	call  string
	short []int
	most  int
}{
	{"fsync", []int{1, 3, 6, 12}, 200},
	{"pwrite64", []int{2, 7, 19, 40}, 400},
	{"write", []int{9}, 200},
	{"ftruncate", []int{2}, 60},
	{"unlink", []int{1}, 30},
	{"renameat", []int{1}, 30},
}

// unreached is how many points in a row no thread came to before a call is given up.
const unreached = 3

// dayWorkers are trials side by side: each waits for disks and processes most of the time.
const dayWorkers = 3

// TestKillAtEveryCallOfADay runs a scripted day again and again and kills the host with SIGKILL on entry to
// the n-th fsync, write, truncation, removal or renaming of one of its threads, for every n that is reached,
// its start and its end in order included. The day then goes on where its terminals found no answer. Nothing
// acknowledged is lost, nothing is doubled, every balance is the shop's own, the chain verifies.
func TestKillAtEveryCallOfADay(t *testing.T) {
	skipInShort(t)
	needPrograms(t, "strace")
	bed := newCrashBed(t, 1)
	if _, err := shipped(); err != nil {
		t.Fatal(err)
	}
	var killed atomic.Int64
	var places sync.Map // "call n-th of the process"
	points := make(chan killPoint)
	var all sync.WaitGroup
	var missed sync.Map // call -> *atomic.Int64, points in a row that were not reached
	for worker := range dayWorkers {
		all.Go(func() {
			for p := range points {
				hit, place, err := dayKilledAt(t.Context(), bed, fmt.Sprintf("day%d", worker), p)
				if err != nil {
					t.Errorf("killed at %s %d: %v", p.call, p.n, err)
				}
				row, _ := missed.LoadOrStore(p.call, new(atomic.Int64))
				if hit {
					places.Store(fmt.Sprintf("%s %d", p.call, place), true)
					killed.Add(1)
					row.(*atomic.Int64).Store(0)
				} else {
					row.(*atomic.Int64).Add(1)
				}
			}
		})
	}
	for _, c := range dayCalls {
		if !inLongForm() {
			for _, n := range c.short {
				points <- killPoint{c.call, n}
			}
			continue
		}
		for range dayPasses {
			missed.Delete(c.call)
			for n := 1; n <= c.most; n++ {
				if row, ok := missed.Load(c.call); ok && row.(*atomic.Int64).Load() >= unreached || t.Failed() {
					break
				}
				points <- killPoint{c.call, n}
			}
		}
	}
	close(points)
	all.Wait()
	if killed.Load() == 0 {
		t.Error("no trial was killed")
	}
	different := 0
	places.Range(func(any, any) bool { different++; return true })
	t.Logf("killed %d times, at %d different calls of the whole process: 0 lost, 0 doubled, every chain verifies", killed.Load(), different)
}

// dayPasses is how often the long form counts through all calls. Go moves work between threads, so that the
// n-th call of a thread is each time another call of the process.
const dayPasses = 6

// dayKilledAt runs one day with one kill; hit tells whether the call was reached, and place the how many-th
// of the whole process it was.
func dayKilledAt(ctx context.Context, bed *crashBed, name string, p killPoint) (hit bool, place int, err error) {
	data := bed.copyOf(name)
	state := filepath.Join(bed.root, name+"-terminals")
	if err := os.RemoveAll(state); err != nil {
		return false, 0, err
	}
	day, err := newDay(bed, data, state)
	if err != nil {
		return false, 0, err
	}
	defer func() { err = errors.Join(err, day.close()) }()
	strace := []string{"-e", "signal=none", "-e", "trace=" + p.call, "-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", p.call, p.n)}
	witness := filepath.Join(bed.root, name+".witness")
	if err := os.RemoveAll(witness); err != nil {
		return false, 0, err
	}
	over, code, said, err := serveDay(ctx, bed, day, strace, witness)
	text, readErr := os.ReadFile(said.log)
	if readErr != nil {
		return false, 0, errors.Join(err, readErr)
	}
	hit = code == -1 && strings.HasSuffix(strings.TrimSpace(string(text)), "= ?") // the call that never returned
	place = strings.Count(string(text), " "+p.call+"(")
	if hit {
		over, code, said, err = serveDay(ctx, bed, day, nil, witness)
	}
	if err != nil || !over || code != 0 {
		return hit, place, fmt.Errorf("killed %t, day over %t at step %d, exit code %d, error %v; the day: %q; the host said: %s", hit, over, day.at+1, code, err,
			day.told, said.output())
	}
	return hit, place, day.check(ctx)
}

// serveDay serves, goes on with the day, and ends the host in order when the day is over.
func serveDay(ctx context.Context, bed *crashBed, day *scriptedDay, strace []string, witness string) (over bool, code int, h *crashHost, err error) {
	if h, err = bed.serve(day.data, strace, "--witness", witness); err != nil {
		return false, -1, h, err
	}
	if over, err = day.run(ctx, h.addr); err != nil {
		h.kill()
		return over, -1, h, err
	}
	switch {
	case over:
		_ = h.cmd.Process.Signal(os.Interrupt)
	case len(strace) == 0:
		h.kill() // it lives, and does not answer as it should
	}
	return over, waitEnd(h), h, nil
}

// waitEnd waits for the host's end and returns its exit code; it is killed when it takes too long.
func waitEnd(h *crashHost) int {
	if h.cmd == nil {
		return -1
	}
	cmd := h.cmd
	timer := time.AfterFunc(hostEnds, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	_ = h.wait() // the code says it
	return cmd.ProcessState.ExitCode()
}
