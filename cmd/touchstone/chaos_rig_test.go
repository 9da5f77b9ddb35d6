package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"touchstone/authority"
	"touchstone/faultproxy"
	"touchstone/keys"
	"touchstone/ledger"
	"touchstone/listener"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
	"touchstone/secret"
	"touchstone/terminal"
)

// chaosHost is a whole host on loopback: SQLite, the module in software, a listener.
type chaosHost struct {
	engine *engine
	addr   string       // plain TCP
	tls    string       // the same over TLS
	stop   func() error // ends the listener; everything read has been answered then
}

// chaosCheckpoint is short, so that records are forgotten and fetched again while the network is bad.
const chaosCheckpoint = 200 * time.Millisecond

func newChaosHost(t *testing.T) *chaosHost {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shop")
	quiet := slog.New(slog.DiscardHandler)
	if err := makeTestDirectory(dir, quiet); err != nil {
		t.Fatal(err)
	}
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	policy := proof.DefaultPolicy()
	policy.AllowSingleDES = true
	small := ledger.DefaultOptions()
	small.KeepRecords = 1
	e, err := openEngine(engineOptions{dir: dir, lock: testLock(dir), policy: policy, ledger: small, zone: zone, acquirerID: "48021000",
		issuerID: "01020000", log: quiet, withoutView: true, checkpointEvery: chaosCheckpoint})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.close(); err != nil {
			t.Error(err)
		}
	})
	h := &chaosHost{engine: e}
	h.listen(t)
	return h
}

func (h *chaosHost) listen(t *testing.T) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	behind, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr, h.tls = ln.Addr().String(), behind.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	flags := tlsDefaults()
	doors, fresh, err := h.engine.secure(ctx, &flags, behind)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	server := listener.New(h.engine.line, listener.DefaultLimits(), slog.New(slog.DiscardHandler))
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, ln, doors...) }()
	ended := false
	h.stop = func() error {
		if ended {
			return nil
		}
		ended = true
		cancel()
		err := <-served
		fresh()
		return err
	}
	t.Cleanup(func() {
		if err := h.stop(); err != nil {
			t.Error(err)
		}
	})
}

// chaosShop is the terminal of one case, the card used at it, and the bad network between it and the host.
type chaosShop struct {
	sampleTerminal
	card    sampleCard
	opening pos.Amount
	config  terminal.Config
	proxy   *faultproxy.Proxy
	pos     *terminal.Terminal
	heard   []terminal.Result // of every message sent, in order
	voids   map[pos.STAN]pos.STAN
	keyLoad uint32
	overTLS bool
}

// chaosOpening is every card's opening balance, in fen.
const chaosOpening pos.Amount = 1_000_000

// sampleOf is the terminal of case n, whose flow wants a sign-in code, and its card.
func sampleOf(n int, code pos.NetworkCode) (sampleTerminal, sampleCard) {
	t := sampleTerminal{id: sampleID(20_000_000 + n), merchant: sampleMerchant(1 + n%sampleShops), code: code, serial: sampleSerial(20_000_000 + n)}
	c := sampleCard{label: fmt.Sprintf("chaos %d", n), service: "101", expiry: "4912", balance: chaosOpening, state: "active"}
	c.pin = publishedDigits("pin/"+c.label, 6)
	return t, c
}

// furnish registers the terminals and cards of all cases at once.
func (h *chaosHost) furnish(t *testing.T, cases []chaosCase) {
	t.Helper()
	records := h.engine.seedShops()
	for n, c := range cases {
		sample, card := sampleOf(n, c.code())
		more, err := h.engine.seedTerminal(t.Context(), sample)
		if err != nil {
			t.Fatal(err)
		}
		opening, err := h.engine.seedCard(t.Context(), card)
		if err != nil {
			t.Fatal(err)
		}
		records = append(append(records, more...), opening)
	}
	if err := h.engine.ledger.Register(t.Context(), h.engine.clock(), records...); err != nil {
		t.Fatal(err)
	}
	for n, c := range cases {
		if !c.tls {
			continue
		}
		sample, _ := sampleOf(n, c.code())
		d, err := h.engine.ledger.Device(sample.serial)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.engine.registerCertificate(t.Context(), *d, nil, sample.certificate(), "published", 0, false); err != nil {
			t.Fatal(err)
		}
	}
}

// chaosTimeout is how long a terminal waits for an answer while the network is bad. An honest answer that
// comes later on a busy machine is one more fault, and right all the same.
const chaosTimeout = 250 * time.Millisecond

func (h *chaosHost) open(n int, c chaosCase, dir string) (*chaosShop, error) {
	sample, card := sampleOf(n, c.code())
	s := &chaosShop{sampleTerminal: sample, card: card, opening: chaosOpening, voids: map[pos.STAN]pos.STAN{}, keyLoad: 1}
	network := faultproxy.Config{To: h.addr}
	if c.tls {
		network = faultproxy.Config{To: h.tls, Units: faultproxy.Records}
	}
	var err error
	if s.proxy, err = faultproxy.Listen("127.0.0.1:0", network); err != nil {
		return nil, err
	}
	s.config = sample.config()
	s.config.Host, s.config.StateDir, s.config.SealTrack = s.proxy.Addr(), dir, c.flow == "sale with a sealed track"
	s.config.Timeout, s.config.DialTimeout = chaosTimeout, 4*chaosTimeout
	s.config.OnMessage = func(r terminal.Result) { s.heard = append(s.heard, r) }
	s.overTLS = c.tls
	return s, s.powerOn()
}

// powerOn opens the terminal from its file.
func (s *chaosShop) powerOn() (err error) {
	c := s.config
	c.TMK, c.SerialKey, c.KeyLoad = secret.Take(s.masterKey()), secret.Take(s.serialKey()), s.keyLoad
	if s.overTLS {
		c.TLS = &terminal.TLS{CA: authority.PEM(publishedRoot().Raw), Certificate: authority.PEM(s.certificate().Raw), Key: secret.Take(s.keyPEM())}
	}
	s.pos, err = terminal.Open(c)
	return err
}

// restart is a power cut: the terminal has nothing but its file.
func (s *chaosShop) restart() error {
	if err := s.pos.Close(); err != nil {
		return err
	}
	return s.powerOn()
}

// typed is the card without track and PIN, swiped the card with both; the caller wipes them.
func (s *chaosShop) typed() (terminal.Card, error) {
	c, err := cardOf(s.card)
	if err != nil {
		return c, err
	}
	c.Track2.Wipe()
	c.PIN.Wipe()
	c.Track2, c.PIN = secret.Bytes{}, secret.Bytes{}
	return c, nil
}

func (s *chaosShop) swiped() (terminal.Card, error) { return cardOf(s.card) }

// release is what two people do after a tamper report: the device is taken back into service and a new
// key loading is done at the host and at the terminal.
func (h *chaosHost) release(ctx context.Context, s *chaosShop) error {
	device, err := h.engine.ledger.Device(s.serial)
	if err != nil {
		return err
	}
	reg, err := h.engine.ledger.Terminal(s.id)
	if err != nil {
		return err
	}
	again, loaded := *device, *reg
	again.State = registry.Active
	again.MasterTerms++
	if loaded.Master, loaded.MasterKCV, err = h.engine.form(ctx, keys.OfTerminal(s.id.String()), keys.TerminalMaster, keys.CipherOf(s.code), s.masterKey()); err != nil {
		return err
	}
	s.keyLoad++
	return h.engine.ledger.Register(ctx, h.engine.clock(), &again, &loaded)
}
