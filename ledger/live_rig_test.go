package ledger_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"touchstone/host"
	"touchstone/hsm/soft"
	"touchstone/iso8583"
	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
	"touchstone/secret"
)

// The world of FuzzLine: three terminals of one merchant and two cards, on the real line, ledger and
// security module. All keys are the published ones of the literature.
const (
	liveTerminals = 3
	liveCards     = 2 // a third card number is of no card
	liveOpening   = 10_000
	liveTMK       = "0123456789ABCDEFFEDCBA9876543210"
	liveSerialKey = "FEDCBA98765432100123456789ABCDEF"
)

// livePINs are the PINs of the cards.
var livePINs = [liveCards]string{"739152", "6048"}

// liveSM4 tells which terminals sign in with code 005, liveKeyed which have a serial-number key.
var liveSM4, liveKeyed = [liveTerminals]bool{false, true, false}, [liveTerminals]bool{true, true, false}

// counting is a published stream for keyring and working keys.
type counting struct {
	mu   sync.Mutex
	next byte
}

func (c *counting) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range p {
		p[i] = c.next
		c.next = c.next*5 + 113 // of full period
	}
	return len(p), nil
}

// liveWorld is what is made once for all executions of a process.
type liveWorld struct {
	module   *soft.Module
	records  []any
	hashes   [liveCards]pos.PANHash
	failures error
}

var theWorld = sync.OnceValue(makeWorld)

func makeWorld() (w *liveWorld) {
	w = &liveWorld{module: soft.New(soft.Options{Random: &counting{}})}
	w.failures = w.make()
	return w
}

func (w *liveWorld) make() error {
	dir, err := os.MkdirTemp("", "touchstone-live-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	pass := filepath.Join(dir, "passphrase")
	if err := os.WriteFile(pass, []byte("published test passphrase\n"), 0o600); err != nil {
		return err
	}
	lock := soft.Lock{PassphraseFile: pass, WorkFactor: 1, Test: true}
	if err := soft.Create(filepath.Join(dir, "module.age"), lock, &counting{}); err != nil {
		return err
	}
	if err := w.module.Unseal(filepath.Join(dir, "module.age"), lock); err != nil {
		return err
	}
	w.records = []any{&registry.Merchant{ID: merchantOfShop, Name: "shop", AnyNetwork: true}}
	for n := range liveTerminals {
		if err := w.addTerminal(n); err != nil {
			return err
		}
	}
	for n := range liveCards {
		if err := w.addCard(n); err != nil {
			return err
		}
	}
	return nil
}

func (w *liveWorld) form(owner keys.Owner, u keys.Usage, c keys.Cipher, key string) (keys.Wrapped, error) {
	wrapped, _, err := w.module.Form(context.Background(), owner, u, c, []secret.Bytes{secret.Take(must(hex.DecodeString(key)))})
	return wrapped, err
}

func (w *liveWorld) addTerminal(n int) (err error) {
	id, serial := terminalOf(n+1), serialOf(n+1)
	device := &registry.Device{Serial: serial, Licence: "P1234", DeviceType: "02", State: registry.Active}
	if liveKeyed[n] {
		if device.Key, err = w.form(keys.OfSerial(string(serial)), keys.SerialKey, keys.SM4, liveSerialKey); err != nil {
			return err
		}
	}
	code := keys.SignInTDES
	if liveSM4[n] {
		code = keys.SignInSM4
	}
	t := &registry.Terminal{ID: id, Merchant: merchantOfShop, Serial: serial, AnyNetwork: true, Profile: registry.Profile{SignInCode: code}, Permit: registry.FullPermit}
	if t.Master, err = w.form(keys.OfTerminal(id.String()), keys.TerminalMaster, keys.CipherOf(code), liveTMK); err != nil {
		return err
	}
	w.records = append(w.records, device, t)
	return nil
}

func (w *liveWorld) addCard(n int) (err error) {
	pan := must(pos.ParsePAN(panOf(n)))
	o := &issuer.Opening{Expiry: 9912, ServiceCode: "101", State: issuer.Active, Balance: liveOpening}
	if o.Card, err = w.module.HashPAN(pan); err != nil {
		return err
	}
	if o.Verifier, err = w.module.MakePIN(context.Background(), pan, secret.Take([]byte(livePINs[n]))); err != nil {
		return err
	}
	w.hashes[n] = o.Card
	w.records = append(w.records, o)
	return nil
}

// liveHost is one execution's host.
type liveHost struct {
	t      testing.TB
	world  *liveWorld
	store  *memory
	ledger *ledger.Ledger
	line   *host.Line
	x      *host.Exchange
	done   chan struct{}
	clock  int64 // seconds since it opened
	stop   func()
}

func newLiveHost(t testing.TB) *liveHost {
	h := &liveHost{t: t, world: theWorld(), store: newMemory(), done: make(chan struct{}, 1)}
	if h.world.failures != nil {
		t.Fatal(h.world.failures)
	}
	h.open()
	if err := h.ledger.Register(context.Background(), began, h.world.records...); err != nil {
		t.Fatal(err)
	}
	return h
}

// open starts ledger, committer and line over the store.
func (h *liveHost) open() {
	opts := ledger.DefaultOptions()
	opts.KeepRecords, opts.SignInBurst = 1, 1000
	var committer *journal.Committer
	var err error
	if h.ledger, committer, err = ledger.Open(context.Background(), opts, h.store, h.store, h.store); err != nil {
		h.t.Fatalf("open: %v", err)
	}
	policy, m := proof.DefaultPolicy(), h.world.module
	h.line = &host.Line{Dialect: &iso8583.UnionPay, Ledger: h.ledger, Prover: m, Sealer: m, Hasher: m, Vault: m, Keys: m, Policy: &policy,
		Clock: func() pos.Instant { return began + pos.Instant(h.clock*int64(time.Second)) }, Zone: time.FixedZone("Asia/Shanghai", 8*3600),
		Acquirer: "00010000", Issuer: "01030000", Test: true}
	h.x = h.line.NewExchange(func(*host.Exchange) { h.done <- struct{}{} })
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- committer.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ran; err != nil {
			h.t.Errorf("committer: %v", err)
		}
	})
}

// reopen is the end of the process and its next start, from its checkpoint or from the whole journal.
func (h *liveHost) reopen(checkpoint bool) {
	if checkpoint {
		if err := h.ledger.Checkpoint(context.Background()); err != nil {
			h.t.Fatal(err)
		}
	}
	h.stop()
	h.store = h.store.copy(len(h.store.all()), checkpoint)
	h.open()
}

// say gives the line a frame; nil when the connection is to be closed.
func (h *liveHost) say(frame []byte, conn uint64) []byte {
	n := copy(h.x.Buffer(), frame)
	h.line.Begin(h.x.Buffer()[:n], host.Peer{Conn: conn, Address: pos.IPv4(10, 0, 0, 1)}, h.x)
	<-h.done
	answer, shut := h.line.Finish(h.x)
	if shut != (answer == nil) {
		h.t.Fatalf("an answer of %d bytes and shut %t", len(answer), shut)
	}
	if answer == nil {
		return nil
	}
	return answer[iso8583.LengthSize:]
}

func (h *liveHost) balance(card int) int64 {
	c, ok := h.ledger.CardNow(h.world.hashes[card])
	if !ok {
		h.t.Fatal(fmt.Errorf("card %d is unknown", card))
	}
	return int64(c.Balance)
}
