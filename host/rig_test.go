package host_test

import (
	"context"
	"fmt"
	"hash/crc32"
	"maps"
	"testing"
	"time"

	"touchstone/host"
	"touchstone/iso8583"
	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
	"touchstone/secret"
	"touchstone/transaction"
)

// now is the moment every frame arrives: 2026-03-02 04:00:00 UTC, noon in Shanghai.
const now = pos.Instant(1_772_424_000_000_000_000)

// Published test cards: they belong to nobody.
const (
	testPAN  = "6200000000000005"
	otherPAN = "6205500000000000004"
)

const (
	terminalID = "00000011"
	merchantID = "898110053110011"
	serialText = "00000304N9NL10000001"
)

type fakeLedger struct {
	gather   func(*proof.Request, pos.Instant, *proof.Snapshot) error
	card     func(pos.PANHash) proof.CardView
	commit   func(*host.Exchange) error
	standing func(pos.TerminalID, transaction.Key) bool
}

func (f *fakeLedger) Gather(r *proof.Request, at pos.Instant, s *proof.Snapshot) error {
	return f.gather(r, at, s)
}
func (f *fakeLedger) Recall(*proof.Request, *proof.Snapshot) error { return nil }
func (f *fakeLedger) CardView(h pos.PANHash) proof.CardView        { return f.card(h) }
func (f *fakeLedger) Commit(x *host.Exchange) error                { return f.commit(x) }
func (f *fakeLedger) Standing(_ *proof.Snapshot, id pos.TerminalID, k transaction.Key) bool {
	return f.standing(id, k)
}

type fakeProver func(*proof.Claims, *proof.Evidence)

func (f fakeProver) Prove(c *proof.Claims, e *proof.Evidence) { f(c, e) }

type fakeSealer func(pos.TerminalID, *keys.Set, mac.Algorithm, []byte) ([8]byte, error)

func (f fakeSealer) Seal(id pos.TerminalID, s *keys.Set, a mac.Algorithm, mab []byte) ([8]byte, error) {
	return f(id, s, a, mab)
}

type fakeHasher struct {
	hash  func(pos.PAN) (pos.PANHash, error)
	print func([]byte) ([16]byte, error)
}

func (f fakeHasher) HashPAN(p pos.PAN) (pos.PANHash, error)       { return f.hash(p) }
func (f fakeHasher) Fingerprint(request []byte) ([16]byte, error) { return f.print(request) }

type fakeVault func(*issuer.PINQuestion) issuer.PINResult

func (f fakeVault) VerifyPIN(q *issuer.PINQuestion) issuer.PINResult { return f(q) }
func (f fakeVault) MakePIN(context.Context, pos.PAN, secret.Bytes) ([16]byte, error) {
	return [16]byte{}, keys.ErrUnavailable
}

type fakeKeys func(code pos.NetworkCode) ([keys.SetSize]byte, []byte, error)

func (f fakeKeys) Form(context.Context, keys.Owner, keys.Usage, keys.Cipher, []secret.Bytes) (keys.Wrapped, string, error) {
	return nil, "", keys.ErrUnavailable
}
func (f fakeKeys) IssueSet(_ context.Context, _ pos.TerminalID, _ keys.Wrapped, code pos.NetworkCode, _ bool) ([keys.SetSize]byte, []byte, error) {
	return f(code)
}

var (
	_ host.Ledger    = (*fakeLedger)(nil)
	_ host.Prover    = fakeProver(nil)
	_ host.Sealer    = fakeSealer(nil)
	_ host.PANHasher = fakeHasher{}
	_ issuer.Vault   = fakeVault(nil)
	_ keys.Module    = fakeKeys(nil)
)

// sink swallows blocks.
type sink struct{}

func (sink) Append(context.Context, journal.Block) error { return nil }

type waiter struct{ got journal.Receipt }

func (w *waiter) Committed(r journal.Receipt) { w.got = r }

// receipt is a true receipt of entry seq: only a Committer makes one.
func receipt(t testing.TB, seq uint64, phase journal.Phase) journal.Receipt {
	t.Helper()
	c, w := journal.NewCommitter(sink{}, seq-1, journal.Hash{}), new(waiter)
	if _, err := c.Enqueue(journal.Raw{Entry: journal.Entry{Kind: journal.KindExchange}}, phase, w); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := c.Run(ctx); err != nil || w.got.Seq() != seq {
		t.Fatalf("receipt of entry %d: %v", w.got.Seq(), err)
	}
	return w.got
}

// rig is a line over fakes; its fields are what the fakes say.
type rig struct {
	line     *host.Line
	ledger   *fakeLedger
	hasher   fakeHasher
	x        *host.Exchange
	snapshot proof.Snapshot
	evidence proof.Evidence
	view     host.View
	card     *issuer.Card
	receipt  journal.Receipt
	pin      issuer.PINResult
	standing bool
	hash     pos.PANHash
	secure   bool // messages come over TLS

	entry    journal.Exchange // of the last commit
	done     int
	gathered int
	proved   int
	asked    *issuer.PINQuestion
	sealed   *keys.Set
}

func parse[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// seal is what the fake module makes of an answer: its CRC, so that a test can make it again.
func seal(mab []byte) (m [8]byte) {
	copy(m[:], fmt.Sprintf("%08X", crc32.ChecksumIEEE(mab)))
	return m
}

func newRig(t testing.TB) *rig {
	g := &rig{receipt: receipt(t, 4711, journal.Outcome), standing: true, hash: pos.PANHash{1}, pin: issuer.PINRight}
	id, merchant := parse(pos.ParseTerminalID(terminalID)), parse(pos.ParseMerchantID(merchantID))
	serial := parse(pos.ParseSerial(serialText))
	money := transaction.NewTerminal()
	money.Batch = 12
	g.view.Terminal = &money
	g.snapshot = proof.Snapshot{
		Terminal: &registry.Terminal{ID: id, Merchant: merchant, Serial: serial, AnyNetwork: true,
			Profile: registry.Profile{SignInCode: keys.SignInTDES, ChipReader: true}, Master: keys.Wrapped("no key, only its presence counts"), Permit: registry.FullPermit},
		Merchant: &registry.Merchant{ID: merchant, Name: "Tea House"},
		Device:   &registry.Device{Serial: serial, Licence: "P3100", DeviceType: "04", State: registry.Active, Key: keys.Wrapped("no key, only its presence counts")},
		Session:  keys.Session{InForce: keys.Set{Number: 7, Code: keys.SignInTDES, Issued: now.Add(-time.Hour)}, Last: 7},
		Money:    proof.Money{Batch: 12, LastBatch: 11, HeardFrom: pos.IPv4(10, 1, 0, 5)},
		SameConn: true,
	}
	g.evidence = proof.Evidence{MAC: proof.Passed, Serial: proof.Passed, Factor: proof.Passed}
	g.card = &issuer.Card{Opening: issuer.Opening{Card: g.hash, Expiry: 3012, ServiceCode: "101", State: issuer.Active, Balance: 123456}}
	g.ledger = &fakeLedger{
		gather: func(_ *proof.Request, _ pos.Instant, s *proof.Snapshot) error {
			g.gathered++
			*s = g.snapshot
			return nil
		},
		card: func(pos.PANHash) (v proof.CardView) {
			if g.card != nil {
				v.Verifier = g.card.Verifier
			}
			return v
		},
		commit:   g.commit,
		standing: func(pos.TerminalID, transaction.Key) bool { return g.standing },
	}
	g.hasher = fakeHasher{
		hash:  func(pos.PAN) (pos.PANHash, error) { return g.hash, nil },
		print: func([]byte) ([16]byte, error) { return [16]byte{0, 1, 2, 3}, nil },
	}
	policy := proof.DefaultPolicy()
	g.line = &host.Line{
		Dialect: &iso8583.UnionPay, Ledger: g.ledger, Policy: &policy, Clock: func() pos.Instant { return now },
		Zone: time.FixedZone("Asia/Shanghai", 8*3600), Acquirer: "48021000", Issuer: "01020000",
		Prover: fakeProver(func(c *proof.Claims, e *proof.Evidence) { g.proved++; *e = g.evidence }),
		Sealer: fakeSealer(func(_ pos.TerminalID, s *keys.Set, _ mac.Algorithm, mab []byte) ([8]byte, error) {
			g.sealed = s
			return seal(mab), nil
		}),
		Hasher: g.hasher,
		Vault:  fakeVault(func(q *issuer.PINQuestion) issuer.PINResult { g.asked = q; return g.pin }),
		Keys: fakeKeys(func(code pos.NetworkCode) (set [keys.SetSize]byte, de62 []byte, err error) {
			return set, make([]byte, map[pos.NetworkCode]int{1: 24, 3: 40, 4: 60, 5: 40, 6: 60}[code]), nil
		}),
	}
	g.x = g.line.NewExchange(func(*host.Exchange) { g.done++ })
	return g
}

// commit lends what package ledger lends: nothing to a message that changes nothing.
func (g *rig) commit(x *host.Exchange) error {
	view := host.View{}
	if x.Snapshot.Terminal != nil && x.Changes() {
		view = g.view
		if g.card != nil && x.CardOf(view) == g.card.Card {
			view.Card = g.card
		}
	}
	g.entry = *x.Conclude(view)
	x.Committed(g.receipt)
	return nil
}

var peer = host.Peer{Conn: 1, Address: pos.IPv4(10, 1, 0, 5)}

// say sends a frame through Begin and Finish; answer is nil when the connection is to be closed.
func (g *rig) say(t testing.TB, frame []byte) []byte {
	t.Helper()
	g.done, g.gathered, g.proved, g.asked, g.sealed, g.entry = 0, 0, 0, nil, nil, journal.Exchange{}
	n := copy(g.x.Buffer(), frame)
	from := peer
	from.Secure = g.secure
	g.line.Begin(g.x.Buffer()[:n], from, g.x)
	if g.done != 1 {
		t.Fatalf("Done was called %d times", g.done)
	}
	out, shut := g.line.Finish(g.x)
	if shut != (out == nil) {
		t.Fatalf("an answer of %d bytes and shut %v", len(out), shut)
	}
	return out
}

// with is a copy of f with changes; "-" leaves an element out.
func with(f fields, changes fields) fields {
	f = maps.Clone(f)
	for n, v := range changes {
		if v == "-" {
			delete(f, n)
		} else {
			f[n] = v
		}
	}
	return f
}

// a2 is DE59 of a sale: tag A2 of docs/protocol/unionpay-pos.md, section 6.1.
const a2 = "A2056" + "01002" + "04" + "02020" + serialText + "03006" + "000005" + "04008" + "7D3233EE"

func saleFields() fields {
	return fields{2: testPAN, 3: "000000", 4: "000000001850", 11: "000042", 14: "3012", 22: "022", 25: "00", 41: terminalID, 42: merchantID,
		49: "156", 59: a2, 60: "22000012000", 64: "4535383035454342"}
}

func management(mti, code string) fields {
	f := fields{11: "000042", 41: terminalID, 42: merchantID, 60: "00000012" + code}
	if mti == "0500" {
		f[48], f[49] = fmt.Sprintf("%062d", 0), "156"
	}
	return f
}

// message is a healthy request of each function served.
func message(t testing.TB, function string) (mti string, f fields) {
	t.Helper()
	sale := saleFields()
	delete(sale, 59)
	switch function {
	case "sale":
		return "0200", saleFields()
	case "balance":
		return "0200", with(sale, fields{3: "310000", 4: "-", 60: "01000012000"})
	case "void":
		return "0200", with(sale, fields{3: "200000", 60: "23000012000", 61: "000012000041"})
	case "refund":
		return "0220", with(sale, fields{3: "200000", 37: "000000000077", 60: "25000012000", 61: "0000000000000301"})
	case "reversal":
		return "0400", with(sale, fields{39: "98"})
	case "sign-in":
		return "0800", with(management("0800", "003"), fields{63: "001"})
	case "sign-off":
		return "0820", management("0820", "002")
	case "echo":
		return "0820", management("0820", "301")
	case "status":
		return "0820", management("0820", "372")
	case "tamper":
		return "0820", with(management("0820", "362"), fields{59: a2, 62: "54414D5045523031"})
	case "settlement":
		return "0500", management("0500", "201")
	}
	t.Fatalf("no function %q", function)
	return "", nil
}

// original is the sale a void, refund or reversal names.
func original() *transaction.Record {
	return &transaction.Record{Seq: 77, Terminal: parse(pos.ParseTerminalID(terminalID)), Merchant: parse(pos.ParseMerchantID(merchantID)),
		Batch: 12, STAN: 42, MTI: 0x0200, Type: pos.Sale, Amount: 1850, Currency: pos.CNY, Card: pos.PANHash{1}, At: now.Add(-time.Hour),
		DE39: pos.Approved, State: transaction.Standing, LocalDate: 20260301}
}

// healthyFor gives the fakes what a function needs to be approved.
func (g *rig) healthyFor(function string) {
	switch function {
	case "void", "refund", "reversal":
		g.view.Original = original()
	}
	if function == "settlement" {
		g.snapshot.Money.Empty = true
	}
}
