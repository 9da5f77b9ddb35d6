package ledger_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"pgregory.net/rapid"

	"touchstone/host"
	"touchstone/iso8583"
	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/ledger"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
	"touchstone/secret"
)

// rightMAC is the DE64 that the fake module takes for right.
const rightMAC = "ABCDEF01"

// module is a security module in which every proof holds but a MAC that is not rightMAC and a PIN
// block that does not begin with 0x11.
type module struct {
	issued    atomic.Uint64
	meanwhile atomic.Pointer[func()] // called once by the next Prove
}

var (
	_ host.Prover    = (*module)(nil)
	_ host.Sealer    = (*module)(nil)
	_ host.PANHasher = (*module)(nil)
	_ issuer.Vault   = (*module)(nil)
	_ keys.Module    = (*module)(nil)
)

func (m *module) Prove(c *proof.Claims, e *proof.Evidence) {
	if f := m.meanwhile.Swap(nil); f != nil {
		(*f)()
	}
	e.MAC, e.Used = proof.Failed, 0
	if c.Sets[0] != nil && c.HasMAC && string(c.DE64[:]) == rightMAC {
		e.MAC = proof.Passed
	}
	e.Serial, e.Factor, e.Track, e.TrackPAN = proof.Passed, proof.Passed, proof.Passed, proof.Passed
}

func (*module) Seal(pos.TerminalID, *keys.Set, mac.Algorithm, []byte) ([8]byte, error) {
	return [8]byte([]byte(rightMAC)), nil
}

func (*module) HashPAN(p pos.PAN) (h pos.PANHash, err error) {
	p.Use(func(digits []byte) {
		sum := sha256.Sum256(digits)
		copy(h[:], sum[:])
	})
	return h, nil
}

func (*module) Fingerprint(request []byte) (print [16]byte, err error) {
	sum := sha256.Sum256(request)
	copy(print[:], sum[:])
	return print, nil
}

func (*module) VerifyPIN(q *issuer.PINQuestion) issuer.PINResult {
	if q.Block[0] == 0x11 {
		return issuer.PINRight
	}
	return issuer.PINWrong
}

func (*module) MakePIN(context.Context, pos.PAN, secret.Bytes) ([16]byte, error) {
	return [16]byte{}, errors.ErrUnsupported
}

func (*module) Form(context.Context, keys.Owner, keys.Usage, keys.Cipher, []secret.Bytes) (keys.Wrapped, string, error) {
	return nil, "", errors.ErrUnsupported
}

func (m *module) IssueSet(context.Context, pos.TerminalID, keys.Wrapped, pos.NetworkCode, bool) (set [keys.SetSize]byte, de62 []byte, err error) {
	set[0], set[1] = 1, byte(m.issued.Add(1))
	return set, make([]byte, 40), nil
}

// Cards of the shop: made-up numbers of the test range 622588 00…, right by Luhn nowhere needed.
const cardsOfShop = 3

func panOf(card int) string { return fmt.Sprintf("622588000000%04d", card) }

const openingBalance = 1000

// shop is a ledger with its committer running and a line in front of it.
type shop struct {
	t         rapid.TB
	store     *memory
	ledger    *ledger.Ledger
	committer *journal.Committer
	line      *host.Line
	module    *module
	now       atomic.Int64
	stop      context.CancelFunc
	ran       chan error
	closing   sync.Once
	ended     error // what the committer returned
}

var merchantOfShop = must(pos.ParseMerchantID("898310048160001"))

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func terminalOf(n int) pos.TerminalID { return must(pos.ParseTerminalID(fmt.Sprintf("%08d", n))) }

func serialOf(n int) pos.Serial { return pos.Serial(fmt.Sprintf("SERIAL%06d", n)) }

// began is when the shop's clock starts: 2024-03-01 12:00 in Shanghai.
var began = pos.Instant(time.Date(2024, 3, 1, 4, 0, 0, 0, time.UTC).UnixNano())

func smallOptions() ledger.Options {
	o := ledger.DefaultOptions()
	o.KeepRecords = 1 // so that most records are fetched from the store again
	return o
}

// openShop starts a ledger over store and runs its committer.
func openShop(t rapid.TB, store *memory, opts ledger.Options) *shop {
	t.Helper()
	s := &shop{t: t, store: store, module: new(module), ran: make(chan error, 1)}
	s.now.Store(int64(began))
	var err error
	s.ledger, s.committer, err = ledger.Open(context.Background(), opts, store, store, store)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	policy := proof.DefaultPolicy()
	s.line = &host.Line{Dialect: &iso8583.UnionPay, Ledger: s.ledger, Prover: s.module, Sealer: s.module, Hasher: s.module,
		Vault: s.module, Keys: s.module, Policy: &policy, Clock: func() pos.Instant { return pos.Instant(s.now.Load()) },
		Zone: time.FixedZone("Asia/Shanghai", 8*3600), Acquirer: "00010000", Issuer: "01030000", Test: true}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() { s.ran <- s.committer.Run(ctx) }()
	return s
}

// close ends the committer and gives what it returned; it may be called again. It lets a withheld
// sink go on first, so it cannot wait for ever.
func (s *shop) close() error {
	s.stop()
	s.store.release()
	s.closing.Do(func() { s.ended = <-s.ran })
	return s.ended
}

// newShop is a shop with terminals 1 to n, all signed in, and its cards.
func newShop(t rapid.TB, terminals int, opts ledger.Options) *shop {
	t.Helper()
	s := openShop(t, newMemory(), opts)
	s.furnish(terminals)
	s.signInAll(terminals)
	return s
}

func (s *shop) signInAll(terminals int) {
	s.t.Helper()
	for n := 1; n <= terminals; n++ {
		if a := s.send(message{kind: signIn, terminal: n, stan: 900000}); a.code != "00" {
			s.t.Fatalf("sign-in of terminal %d: %s", n, a.code)
		}
	}
}

func (s *shop) furnish(terminals int) {
	s.t.Helper()
	records := []any{&registry.Merchant{ID: merchantOfShop, Name: "shop", AnyNetwork: true}}
	for n := 1; n <= terminals; n++ {
		records = append(records,
			&registry.Device{Serial: serialOf(n), Licence: "P1234", DeviceType: "02", State: registry.Active},
			&registry.Terminal{ID: terminalOf(n), Merchant: merchantOfShop, Serial: serialOf(n), AnyNetwork: true,
				Profile: registry.Profile{SignInCode: keys.SignInTDES}, Master: make(keys.Wrapped, keys.WrapHead+keys.WrapTag+16),
				Permit: registry.FullPermit})
	}
	for c := range cardsOfShop {
		records = append(records, &issuer.Opening{Card: cardHash(c), Expiry: 9912, ServiceCode: "101", State: issuer.Active, Balance: openingBalance})
	}
	if err := s.ledger.Register(context.Background(), began, records...); err != nil {
		s.t.Fatalf("register: %v", err)
	}
}

func cardHash(card int) pos.PANHash {
	return must(new(module).HashPAN(must(pos.ParsePAN(panOf(card)))))
}

func (s *shop) balance(card int) int64 {
	c, ok := s.ledger.CardNow(cardHash(card))
	if !ok {
		s.t.Fatalf("card %d is unknown", card)
	}
	return int64(c.Balance)
}

func (s *shop) tries(card int) int {
	c, _ := s.ledger.CardNow(cardHash(card))
	return int(c.Tries)
}

// reopen closes the shop and opens its journal anew, with its checkpoint or without; the clock goes on.
func (s *shop) reopen(checkpoint bool, opts ledger.Options) *shop {
	s.t.Helper()
	if err := s.close(); err != nil {
		s.t.Fatalf("committer: %v", err)
	}
	next := openShop(s.t, s.store.copy(len(s.store.all()), checkpoint), opts)
	next.module, next.line.Keys = s.module, s.module
	next.now.Store(s.now.Load())
	if checkpoint && next.store.resets != 0 && s.store.floor.Seq > 0 {
		s.t.Fatalf("a good checkpoint was discarded")
	}
	return next
}

// kind is what a message asks for.
type kind int

const (
	signIn kind = iota
	sale
	void
	refund
	balance
	settle
	reverseSale
	reverseVoid
	reverseBalance
	signOff
)

var kindNames = [...]string{"sign-in", "sale", "void", "refund", "balance", "settlement", "reversal of a sale", "reversal of a void",
	"reversal of a balance", "sign-off"}

// message is a request in the test's own words.
type message struct {
	kind     kind
	terminal int
	card     int
	amount   int64
	batch    int
	stan     int
	from     origin // DE61
	hasFrom  bool
	rrn      string
	auth     string
	why      string
	pin      byte // first byte of the PIN block, 0 none
	mac      string
	claimed  journal.Totals
	conn     uint64
}

type origin struct{ batch, stan, date int }

// shape is what the protocol says of a kind: docs/protocol/unionpay-pos.md 3.1 and 3.3.
type shape struct {
	mti        pos.MTI
	processing uint64
	code       pos.TransactionCode
	network    pos.NetworkCode
	card       bool
	amount     bool
}

var shapes = map[kind]shape{
	signIn:         {0x0800, 0, 0, 3, false, false},
	signOff:        {0x0820, 0, 0, 2, false, false},
	sale:           {0x0200, 0, 22, 0, true, true},
	void:           {0x0200, 200000, 23, 0, true, true},
	refund:         {0x0220, 200000, 25, 0, true, true},
	balance:        {0x0200, 310000, 1, 0, true, false},
	settle:         {0x0500, 0, 0, 201, false, false},
	reverseSale:    {0x0400, 0, 22, 0, true, true},
	reverseVoid:    {0x0400, 200000, 23, 0, true, true},
	reverseBalance: {0x0400, 310000, 1, 0, true, false},
}

// envelope is TPDU 60 0601 0000 and a header of class 60.
var envelope = iso8583.Envelope{0x60, 0x06, 0x01, 0, 0, 0x60, 0x31, 0, 0x31, 0x18, 0x12}

// frame packs a message, without LEN.
func (m message) frame() []byte {
	sh := shapes[m.kind]
	b := iso8583.NewBuilder(&iso8583.UnionPay)
	b.Begin(make([]byte, iso8583.LengthSize+iso8583.MaxFrame), envelope, sh.mti)
	money := sh.mti == 0x0200 || sh.mti == 0x0220 || sh.mti == 0x0400
	if sh.card {
		b.PutPAN(must(pos.ParsePAN(panOf(m.card))))
	}
	if money {
		b.PutNumber(3, sh.processing)
	}
	if sh.amount {
		b.PutNumber(4, uint64(m.amount))
	}
	b.PutNumber(11, uint64(m.stan))
	if money {
		entry := uint64(12)
		if m.pin != 0 {
			entry = 11
		}
		b.PutNumber(22, entry)
		b.PutNumber(25, 0)
	}
	if m.pin != 0 {
		b.PutNumber(26, 12)
	}
	if m.rrn != "" {
		b.PutText(37, []byte(m.rrn))
	}
	if m.auth != "" {
		b.PutText(38, []byte(m.auth))
	}
	if sh.mti == 0x0400 {
		why := m.why
		if why == "" {
			why = "98"
		}
		b.PutText(39, []byte(why))
	}
	b.PutText(41, []byte(terminalOf(m.terminal).String()))
	b.PutText(42, []byte(merchantOfShop.String()))
	if m.kind == settle {
		b.PutDigits(48, must(iso8583.AppendSettlement(nil, iso8583.Settlement{Domestic: iso8583.Totals{
			Debit: m.claimed.DebitAmount, DebitCount: uint16(m.claimed.DebitCount),
			Credit: m.claimed.CreditAmount, CreditCount: uint16(m.claimed.CreditCount)}})))
	}
	if money {
		b.PutText(49, []byte("156"))
	}
	if m.pin != 0 {
		b.PutRaw(52, []byte{m.pin, 0, 0, 0, 0, 0, 0, 1})
		b.PutDigits(53, []byte("2600000000000000"))
	}
	b.PutDigits(60, must(iso8583.AppendDE60(nil, iso8583.DE60{Code: sh.code, Batch: pos.BatchNo(m.batch), Network: sh.network, Digits: 11})))
	if m.hasFrom {
		b.PutDigits(61, must(iso8583.AppendDE61(nil, iso8583.DE61{Batch: pos.BatchNo(m.from.batch), Trace: pos.STAN(m.from.stan), Date: uint16(m.from.date), Digits: 16})))
	}
	if money {
		b.ReserveMAC()
		tag := m.mac
		if tag == "" {
			tag = rightMAC
		}
		b.SetMAC([8]byte([]byte(tag)))
	}
	return must(b.Frame())[iso8583.LengthSize:]
}

// answer is a response in the test's own words. The zero value is none: the connection was closed.
type answer struct {
	code, rrn, auth string
	settle          uint8
	balance         string
	sealed          bool
}

// flight is a message on its way.
type flight struct {
	x    *host.Exchange
	done chan struct{}
	once sync.Once
	n    atomic.Int32
}

// begin hands a frame to the line.
func (s *shop) begin(frame []byte, conn uint64) *flight {
	f := &flight{done: make(chan struct{})}
	f.x = s.line.NewExchange(func(*host.Exchange) {
		f.n.Add(1)
		f.once.Do(func() { close(f.done) })
	})
	n := copy(f.x.Buffer()[iso8583.LengthSize:], frame)
	s.line.Begin(f.x.Buffer()[iso8583.LengthSize:iso8583.LengthSize+n], host.Peer{Conn: conn, Address: pos.IPv4(10, 0, 0, 1)}, f.x)
	return f
}

// finish waits for the answer of a flight.
func (s *shop) finish(f *flight) (a answer) {
	s.t.Helper()
	<-f.done
	if n := f.n.Load(); n != 1 {
		s.t.Errorf("Done was called %d times", n)
	}
	frame, shut := s.line.Finish(f.x)
	if shut {
		return answer{}
	}
	return readAnswer(s.t, frame[iso8583.LengthSize:])
}

func readAnswer(t rapid.TB, frame []byte) (a answer) {
	t.Helper()
	var m iso8583.Message
	if err := iso8583.UnionPay.Parse(&m, frame); err != nil {
		t.Fatalf("the answer does not parse: %v", err)
	}
	a = answer{code: string(m.Raw(39)), rrn: string(m.Raw(37)), auth: string(m.Raw(38)), balance: string(m.Raw(54)), sealed: m.Has(64)}
	if m.Has(48) {
		a.settle = must(m.Settlement()).Domestic.Result
	}
	return a
}

// send is begin and finish.
func (s *shop) send(m message) answer {
	s.t.Helper()
	return s.finish(s.begin(m.frame(), m.conn))
}

// entries decodes the exchanges of the journal so far.
func (s *shop) entries() (list []journal.Exchange, seqs []uint64) {
	s.t.Helper()
	for _, b := range s.store.all() {
		err := b.Each(func(e journal.Entry) error {
			var x journal.Exchange
			if e.Kind != journal.KindExchange {
				return nil
			}
			err := x.Parse(e)
			list, seqs = append(list, x), append(seqs, e.Seq)
			return err
		})
		if err != nil {
			s.t.Fatalf("journal: %v", err)
		}
	}
	return list, seqs
}
