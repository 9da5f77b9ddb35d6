package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/listener"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/terminal"
)

// canaryRig is a host of the sample world in this process, heard on loopback, and its canary.
type canaryRig struct {
	e    *engine
	addr string
	tls  string
	dir  string
	hand *canaryHand
	stop func()
}

type rigOptions struct {
	dir      string // "" is a new one
	clock    func() pos.Instant
	stop     bool // policy stops sales
	deadline time.Duration
	change   func(*engineOptions)
}

// inMemory is a directory in memory where there is one: a simulated day is not about the disk.
func inMemory(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "touchstone-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func newCanaryRig(t *testing.T, o rigOptions) *canaryRig {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	if o.dir == "" {
		o.dir = filepath.Join(inMemory(t), "shop")
		if err := makeTestDirectory(o.dir, quiet); err != nil {
			t.Fatal(err)
		}
	}
	if o.deadline == 0 {
		o.deadline = patience // a busy machine is not what these tests are about
	}
	policy := proof.DefaultPolicy()
	policy.AllowSingleDES = true
	opts := engineOptions{dir: o.dir, lock: testLock(o.dir), policy: policy, ledger: ledger.DefaultOptions(), zone: time.FixedZone("CST", 8*3600),
		acquirerID: "48021000", issuerID: "01020000", log: quiet, withoutView: true, clock: o.clock}
	if o.change != nil {
		o.change(&opts)
	}
	e, err := openEngine(opts)
	if err != nil {
		t.Fatal(err)
	}
	e.stopIneffective = o.stop
	if err := e.seed(t.Context()); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	limits := listener.DefaultLimits()
	limits.RefusalTick = 200 * time.Microsecond
	flags := tlsDefaults()
	flags.TLS, flags.HandshakeTime, flags.FirstByte = "127.0.0.1:0", time.Minute, time.Minute
	flags.bound(&limits)
	secure, err := flags.listen(true)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	doors, waitSecure, err := e.secure(ctx, &flags, secure)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- listener.New(e.line, limits, quiet).Serve(ctx, ln, doors...) }()
	r := &canaryRig{e: e, addr: ln.Addr().String(), tls: secure.Addr().String(), dir: o.dir}
	r.hand = newCanary(sampleCanarySet(r.addr, secure.Addr().String(), filepath.Join(o.dir, canaryState)), e.store.Reader, func(ctx context.Context, c *findingChange) error {
		_, err := e.finding(ctx, c)
		return err
	}, o.deadline, quiet)
	r.hand.head = e.durable
	e.canary.Store(r.hand)
	ended := false
	r.stop = func() {
		if ended {
			return
		}
		ended = true
		if err := r.hand.close(); err != nil {
			t.Error(err)
		}
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		waitSecure()
		if err := e.close(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(r.stop)
	return r
}

// events lists every event of the journal with a name, "" for all.
func (r *canaryRig) events(t *testing.T, name string) (list []journal.Event) {
	t.Helper()
	all, err := r.e.store.Events(t.Context(), 0, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if name == "" || e.Name == name {
			list = append(list, e.Event)
		}
	}
	return list
}

// wrong lists the findings of a round that are not as they must be.
func (r *round) wrong() (list []finding) {
	for _, f := range r.findings {
		if f.notRun == "" && !f.ok {
			list = append(list, f)
		}
	}
	return list
}

// shopper opens one of the sample terminals.
func (r *canaryRig) shopTerminal(t *testing.T, s sampleTerminal, now func() time.Time) *terminal.Terminal {
	t.Helper()
	var opened *terminal.Terminal
	cfg := (&crowdOf{host: r.addr, tls: r.tls, state: filepath.Join(r.dir, "terminals"), log: r.e.log}).config(s)
	cfg.Now, cfg.Timeout = now, patience
	opened, err := terminal.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	})
	return opened
}

// canaryBalanceNow is the balance of the canary's card in the bank.
func (r *canaryRig) canaryBalanceNow(t *testing.T) pos.Amount {
	t.Helper()
	card, err := cardOf(canaryCard())
	if err != nil {
		t.Fatal(err)
	}
	hash, err := r.e.module.HashPAN(card.PAN)
	if err != nil {
		t.Fatal(err)
	}
	now, ok := r.e.ledger.CardNow(hash)
	if !ok {
		t.Fatal("the bank has no canary card")
	}
	return now.Balance
}
