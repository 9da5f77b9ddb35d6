package listener_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"touchstone/host"
	"touchstone/iso8583"
	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/listener"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/secret"
	"touchstone/transaction"
)

// now is the moment every frame arrives by the line's clock: 2026-03-02 04:00:00 UTC.
const now = pos.Instant(1_772_424_000_000_000_000)

// The identity of the terminals; DE41 is a number in eight digits, and stranger is not registered.
const (
	merchantID = "898110053110011"
	serialText = "00000304N9NL10000001"
	stranger   = "99999999"
)

var errDisk = errors.New("disk is gone")

// sink keeps what was judged. It blocks while gate is held, and fails once broken is set.
type sink struct {
	gate   sync.Mutex
	mu     sync.Mutex
	broken bool
	kept   []journal.Exchange
}

func (s *sink) Append(_ context.Context, b journal.Block) error {
	s.gate.Lock()
	defer s.gate.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return errDisk
	}
	return b.Each(func(e journal.Entry) error {
		var x journal.Exchange
		if err := x.Parse(e); err != nil {
			return err
		}
		s.kept = append(s.kept, x)
		return nil
	})
}

func (s *sink) fail() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = true
}

// reasons are those of everything journaled, in order.
func (s *sink) reasons() (all []reason.Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.kept {
		all = append(all, x.Reason)
	}
	return all
}

// ledger knows every terminal but the stranger, and enqueues with a real committer.
type ledger struct {
	committer   *journal.Committer
	hook        func(x *host.Exchange, enqueue func(*host.Exchange) error) error // nil: enqueue at once
	certificate string                                                           // registered for the device
	seen        chan struct{}                                                    // one for each commit; nil: none
}

func (l *ledger) Gather(r *proof.Request, _ pos.Instant, s *proof.Snapshot) error {
	*s = proof.Snapshot{}
	if r.Terminal.String() == stranger {
		return nil
	}
	s.Merchant = &registry.Merchant{ID: r.Merchant, Name: "Tea House"}
	s.Terminal = &registry.Terminal{ID: r.Terminal, Merchant: r.Merchant, Serial: serialText, AnyNetwork: true,
		Profile: registry.Profile{SignInCode: keys.SignInTDES}, Permit: registry.FullPermit}
	s.Device = &registry.Device{Serial: serialText, DeviceType: "04", State: registry.Active, Certificate: l.certificate}
	return nil
}

func (l *ledger) Recall(*proof.Request, *proof.Snapshot) error                   { return nil }
func (l *ledger) CardView(pos.PANHash) proof.CardView                            { return proof.CardView{} }
func (l *ledger) Standing(*proof.Snapshot, pos.TerminalID, transaction.Key) bool { return true }
func (l *ledger) enqueue(x *host.Exchange) error {
	_, err := l.committer.Enqueue(x.Conclude(host.View{}), journal.Outcome, x)
	return err
}

func (l *ledger) Commit(x *host.Exchange) (err error) {
	if l.hook != nil {
		err = l.hook(x, l.enqueue)
	} else {
		err = l.enqueue(x)
	}
	if l.seen != nil {
		l.seen <- struct{}{}
	}
	return err
}

// module proves nothing: the messages of these tests need no proof of it.
type module struct{}

func (module) Prove(_ *proof.Claims, e *proof.Evidence) { *e = proof.Evidence{} }
func (module) Seal(pos.TerminalID, *keys.Set, mac.Algorithm, []byte) ([8]byte, error) {
	return [8]byte{}, keys.ErrUnavailable
}
func (module) HashPAN(pos.PAN) (pos.PANHash, error)           { return pos.PANHash{}, keys.ErrUnavailable }
func (module) Fingerprint([]byte) ([16]byte, error)           { return [16]byte{}, keys.ErrUnavailable }
func (module) VerifyPIN(*issuer.PINQuestion) issuer.PINResult { return issuer.PINUnavailable }
func (module) MakePIN(context.Context, pos.PAN, secret.Bytes) ([16]byte, error) {
	return [16]byte{}, keys.ErrUnavailable
}
func (module) Form(context.Context, keys.Owner, keys.Usage, keys.Cipher, []secret.Bytes) (keys.Wrapped, string, error) {
	return nil, "", keys.ErrUnavailable
}
func (module) IssueSet(context.Context, pos.TerminalID, keys.Wrapped, pos.NetworkCode, bool) ([keys.SetSize]byte, []byte, error) {
	return [keys.SetSize]byte{}, nil, keys.ErrUnavailable
}

// rig is a server over a real line with fakes behind its ports, and a real committer.
type rig struct {
	server *listener.Server
	ledger *ledger
	sink   *sink
	ln     net.Listener
	doors  []listener.Secure

	cancel context.CancelFunc // ends the server
	ended  chan error         // Serve's result
	commit context.CancelFunc // ends the committer
	wait   sync.WaitGroup
}

// short are limits under which nothing of a healthy test ends by time.
func short() listener.Limits {
	l := listener.DefaultLimits()
	const long = 10 * time.Minute
	l.Idle, l.FirstByte, l.Unproven, l.HandshakeTime, l.FrameTime, l.WriteTime, l.RefusalTick = long, long, long, long, long, long, time.Millisecond
	return l
}

// serve starts a server on ln; prepare may change the fakes before.
func serve(t testing.TB, ln net.Listener, limits listener.Limits, prepare func(*rig)) *rig {
	t.Helper()
	r := &rig{sink: new(sink), ln: ln, ended: make(chan error, 1)}
	committer := journal.NewCommitter(r.sink, 0, journal.Hash{})
	r.ledger = &ledger{committer: committer}
	if prepare != nil {
		prepare(r)
	}
	policy := proof.DefaultPolicy()
	line := &host.Line{Dialect: &iso8583.UnionPay, Ledger: r.ledger, Policy: &policy, Clock: func() pos.Instant { return now },
		Zone: time.FixedZone("Asia/Shanghai", 8*3600), Acquirer: "48021000", Issuer: "01020000",
		Prover: module{}, Sealer: module{}, Hasher: module{}, Vault: module{}, Keys: module{}}
	r.server = listener.New(line, limits, slog.New(slog.DiscardHandler))
	var ctx, work context.Context
	ctx, r.cancel = context.WithCancel(context.Background())
	work, r.commit = context.WithCancel(context.Background())
	r.wait.Go(func() { _ = committer.Run(work) }) // its error is what TestJournalFails makes
	r.wait.Go(func() { r.ended <- r.server.Serve(ctx, ln, r.doors...) })
	return r
}

// overTCP is serve on a loopback address.
func overTCP(t testing.TB, limits listener.Limits, prepare func(*rig)) *rig {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, ln, limits, prepare)
}

// stop ends server and committer and waits for both.
func (r *rig) stop(t testing.TB) {
	t.Helper()
	r.cancel()
	if err := <-r.ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
	r.commit()
	r.wait.Wait()
	if c := r.server.Counts(); c.Open != 0 {
		t.Errorf("%d connections are open after the end", c.Open)
	}
}

func (r *rig) dial(t testing.TB) *client {
	t.Helper()
	c, err := net.Dial("tcp", r.ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return &client{Conn: c}
}

// client is a terminal's end of a connection.
type client struct{ net.Conn }

// echo is an echo test (0820, code 301), LEN included: it needs no key and is answered 0830.
func echo(t testing.TB, terminal string, trace uint64) []byte {
	t.Helper()
	b := iso8583.NewBuilder(&iso8583.UnionPay)
	b.Begin(make([]byte, iso8583.LengthSize+iso8583.MaxFrame), iso8583.Envelope{0x60, 0x06, 0x01, 0, 0, 0x60, 0x31, 0, 0x31, 0x18, 0x12}, 0x0820)
	b.PutNumber(11, trace)
	b.PutText(41, []byte(terminal))
	b.PutText(42, []byte(merchantID))
	de60, err := iso8583.AppendDE60(nil, iso8583.DE60{Code: pos.Management, Network: 301, Digits: iso8583.ManagementDigits})
	if err != nil {
		t.Fatal(err)
	}
	b.PutDigits(60, de60)
	frame, err := b.Frame()
	if err != nil {
		t.Fatal(err)
	}
	return frame
}

// send writes bytes that the other end must take.
func (c *client) send(t testing.TB, b []byte) {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatalf("send: %v", err)
	}
}

// said is what an answer carries of interest.
type said struct {
	terminal string
	trace    uint64
	code     string // DE39
}

// hear reads one answer.
func (c *client) hear(t testing.TB) said {
	t.Helper()
	got, err := c.answer()
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	return got
}

func (c *client) answer() (said, error) {
	frame, err := iso8583.ReadFrame(c, nil)
	if err != nil {
		return said{}, err
	}
	var m iso8583.Message
	if err := iso8583.UnionPay.Parse(&m, frame); err != nil {
		return said{}, err
	}
	if m.MTI() != 0x0830 {
		return said{}, fmt.Errorf("answered %s", m.MTI())
	}
	trace, _ := m.Number(11)
	return said{string(m.Raw(41)), trace, string(m.Raw(39))}, nil
}

// silent fails unless the connection ends without another byte.
func (c *client) silent(t *testing.T) {
	t.Helper()
	rest, err := io.ReadAll(c)
	if len(rest) != 0 {
		t.Errorf("%d bytes before the end of the connection", len(rest))
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("the connection did not end: %v", err)
	}
}
