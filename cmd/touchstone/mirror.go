package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"touchstone/capture"
	"touchstone/diagnosis"
	"touchstone/host"
	"touchstone/hsm/soft"
	"touchstone/iso8583"
	"touchstone/issuer"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/registry"
	"touchstone/sqlite"
	"touchstone/transaction"
)

// mirrorOptions say what a mirror knows and by what it judges.
type mirrorOptions struct {
	dir    string
	lock   soft.Lock
	policy proof.Policy
	zone   *time.Location // of the host that was captured, whose days refunds and expiry dates go by; nil: Asia/Shanghai
}

// mirror judges captured messages as a host would that knew what a data directory knew when the capture began. It is
// the host's own line over a ledger in memory: it listens nowhere, sends nothing, and only reads the directory, which
// a running host may own. The working keys of sign-ins are those of the captured answers; what the cards' bank said
// is read from them too. One goroutine uses it.
type mirror struct {
	reader *sqlite.Reader
	module *soft.Module
	ledger *ledger.Ledger
	line   *host.Line
	x      *host.Exchange
	past   *past
	done   bool // the message in progress is

	committer *journal.Committer
	policy    proof.Policy
	zone      *time.Location
	since     func() pos.Instant // when the capture begins; asked at the first message
	now       pos.Instant
	pair      *capture.Pair
	entry     journal.Exchange // of the message in progress
	details   []byte           // of entry
	seq       uint64
	recorded  bool
	held      bool // a sign-in whose keys were not asked for because the host did not issue any
	judged    uint64

	terminals map[pos.TerminalID]*mirrored
	recent    *mirrored // the one asked for last
	recentID  pos.TerminalID
	merchants map[pos.MerchantID][]pos.TerminalID
	rrns      translated
	cards     map[pos.PANHash]issuer.Opening // as registered, of those that were changed
}

// analyzePolicy is the policy of a host of a test data directory.
func analyzePolicy() proof.Policy {
	p := proof.DefaultPolicy()
	p.AllowSingleDES = true
	return p
}

// openMirror opens a data directory to read. since says when the capture begins, for analyses that set it later.
func openMirror(ctx context.Context, o mirrorOptions) (*mirror, error) {
	if _, err := os.Stat(filepath.Join(o.dir, keyringFile)); err != nil {
		return nil, fmt.Errorf("%s is no data directory (no %s): make one with touchstone init", o.dir, keyringFile)
	}
	m := &mirror{module: soft.New(soft.Options{}), policy: o.policy, zone: o.zone, terminals: map[pos.TerminalID]*mirrored{},
		merchants: map[pos.MerchantID][]pos.TerminalID{}, rrns: translated{}, cards: map[pos.PANHash]issuer.Opening{}}
	if m.zone == nil {
		m.zone = hostZone()
	}
	o.lock.Test = isTestDirectory(o.dir)
	if err := m.module.Unseal(filepath.Join(o.dir, keyringFile), o.lock); err != nil {
		return nil, fmt.Errorf("the security module stays sealed: %w", err)
	}
	var err error
	if m.reader, err = sqlite.OpenReader(o.dir); err != nil {
		m.module.Wipe()
		return nil, fmt.Errorf("open journal of %s: %w", o.dir, err)
	}
	return m, nil
}

// knows says what a report's Keys says.
func (m *mirror) knows() string {
	if m.past != nil && m.past.young {
		return "young"
	}
	return "past"
}

// keptRecords is how many messages of each terminal a mirror can tell a repeat of, at least.
const keptRecords = 512

// forgetEvery is how many judgements are between two times of forgetting older messages.
const forgetEvery = 1 << 16

// begin rebuilds the state as it was when the capture began.
func (m *mirror) begin(ctx context.Context, since pos.Instant) error {
	var err error
	if m.past, err = readPast(ctx, m.reader, since); err != nil {
		return err
	}
	m.past.tell = m.learn
	office, shown := newOffice(), newPresented()
	office.releases = shown.publish
	o := ledger.DefaultOptions()
	o.KeepRecords, o.Rooms = keptRecords, office.fold // permits are those of the journal's entries
	o.Registered = func(t *registry.Terminal, _ *registry.Device) {
		if t != nil && len(t.Master) > 0 {
			m.of(t.ID).master(t.Master)
		}
	}
	var committer *journal.Committer
	if m.ledger, committer, err = ledger.Rebuild(ctx, o, forgetful{}, m.past, sinkOf(m.take)); err != nil {
		return err
	}
	m.committer = committer
	for _, t := range m.ledger.Terminals() {
		m.merchants[t.Merchant] = append(m.merchants[t.Merchant], t.ID)
	}
	m.line = &host.Line{Dialect: &iso8583.UnionPay, Ledger: mirrorLedger{m.ledger, m}, Prover: m.module, Sealer: m.module, Hasher: m.module,
		Vault: mirrorVault{m.module, m}, Keys: mirrorKeys{m.module, m}, Policy: &m.policy, Clock: func() pos.Instant { return m.now },
		Zone: m.zone, Versions: shown}
	m.x = m.line.NewExchange(func(*host.Exchange) { m.done = true })
	return nil
}

// close forgets everything.
func (m *mirror) close() {
	for _, k := range m.terminals {
		k.wipe()
	}
	m.module.Wipe()
	_ = m.reader.Close() // it was only read
}

// take is the sink: it keeps what the message in progress came to.
func (m *mirror) take(b journal.Block) error {
	return b.Each(func(e journal.Entry) error {
		m.past.recent.keep(e)
		if e.Kind != journal.KindExchange {
			return nil
		}
		m.seq, m.recorded = e.Seq, true
		if err := m.entry.Parse(e); err != nil {
			return err
		}
		m.details = append(m.details[:0], m.entry.Details...)
		m.entry.Details = m.details
		m.learnExchange(&m.entry)
		return nil
	})
}

// judgement is what a mirror says of one request.
type judgement struct {
	made    bool
	bank    bool          // the proofs held, and the capture says that the bank refused
	reason  reason.Reason // None: every proof of the terminal held, whatever its bank may say
	code    pos.ResponseCode
	blind   string // what would have to be known from before the capture; "" nothing
	entry   *journal.Exchange
	seq     uint64
	finding *diagnosis.Finding // of an experiment, nil none was made
	with    uint64             // the packet of another message that agrees, 0 none
}

// errUnjudged is returned when the ledger in memory broke, which no capture can cause.
var errUnjudged = errors.New("mirror: a message was not judged")

// judge says what a host would have decided, and what is behind a refusal. Pairs of one terminal come in their order.
func (m *mirror) judge(ctx context.Context, p *capture.Pair) (v judgement, err error) {
	if p.Kind == capture.Cut || p.Kind == capture.NoFrame || len(p.Request.Frame) == 0 {
		return v, nil // the bytes are their own proof
	}
	if m.ledger == nil {
		since := p.Request.At
		if m.since != nil {
			since = m.since()
		}
		if err := m.begin(ctx, since); err != nil {
			return v, fmt.Errorf("rebuild what the data directory knew: %w", err)
		}
	}
	m.pair, m.now, m.recorded, m.held, m.done = p, max(m.now, p.Request.At), false, false, false
	n := copy(m.x.Buffer(), p.Request.Frame)
	m.line.Begin(m.x.Buffer()[:n], host.Peer{Conn: p.Stream, Address: p.Client.Address}, m.x)
	if err := m.committer.Flush(); err != nil || !m.done {
		return v, errors.Join(errUnjudged, err)
	}
	k := m.of(p.Request.Terminal)
	switch {
	case m.held:
		v = judgement{made: true, code: pos.Approved}
	case m.recorded:
		v = judgement{made: true, reason: m.entry.Reason, code: m.entry.DE39, entry: &m.entry, seq: m.seq}
		// A limit that stands for the bank's answer is none of the register's, unless the bank said so.
		if v.bank = v.reason.OfIssuer() || v.reason == reason.LimitExceeded && !m.approved(); v.bank {
			v.reason = reason.None
		}
	default:
		return v, nil // refused without an entry: the module or the ledger could not
	}
	m.follow(k, &v)
	v.blind = m.blindness(k, &v)
	if v.reason.Sought() && (!p.Answered || v.code == p.Answer.Code) {
		v.finding = m.experiment(k, &v)
	}
	m.x.Wipe()
	if m.judged++; m.judged%forgetEvery == 0 {
		_ = m.ledger.Checkpoint(ctx) // into nothing: what is old is forgotten
	}
	return v, nil
}

// follow keeps what later messages may name.
func (m *mirror) follow(k *mirrored, v *judgement) {
	p := m.pair
	if v.entry == nil {
		return
	}
	if p.Answered && p.Answer.Code == pos.Approved && v.entry.Effect == journal.Sold {
		m.rrns.keep(p.Answer.RRN, originalName{transaction.RRNOf(m.seq), p.Answer.AuthCode, v.entry.AuthCode})
	}
	if v.entry.Flags&journal.FlagMACVerified != 0 {
		k.remember(m.x.Request.PAN)
	}
}

// approved tells what the capture says of the message in progress. An answer that is not in it may have been an approval.
func (m *mirror) approved() bool { return !m.pair.Answered || m.pair.Answer.Code == pos.Approved }

// mirrorLedger is the ledger in memory, with the bank of the capture.
type mirrorLedger struct {
	*ledger.Ledger
	m *mirror
}

var _ host.Ledger = mirrorLedger{}

// Commit implements host.Ledger: before it, the card is made one whose bank says what the captured answer says, and
// the numbers by which a terminal names an earlier sale are made those that this ledger gave it.
func (l mirrorLedger) Commit(x *host.Exchange) error {
	r := &x.Request
	switch r.Op {
	case transaction.Void, transaction.Refund, transaction.Reversal:
		if known, ok := l.m.rrns.of[r.RRN]; ok {
			if r.RRN = known.own; r.AuthCode == known.auth {
				r.AuthCode = known.ownAuth
			}
		}
	}
	if r.Op != transaction.NoOp && r.Card != (pos.PANHash{}) {
		if err := l.m.open(x); err != nil {
			return err
		}
	}
	return l.Ledger.Commit(x)
}

// open makes the card of a message one whose bank does what the capture says. Where the host approved, the card is as
// it was presented. Where it did not, the card is as it is registered, and a sale ends at the last thing a bank looks at.
func (m *mirror) open(x *host.Exchange) error {
	r := &x.Request
	now, known := m.ledger.CardNow(r.Card)
	if known && (now.Canary || m.approved() && opened(&now, r)) {
		return nil
	}
	if !known && !m.approved() {
		return nil // unknown it stays
	}
	own, before := m.cards[r.Card]
	switch {
	case !known:
		own = issuer.Opening{Card: r.Card, Shown: r.Shown, Expiry: 4912, ServiceCode: "101", State: issuer.Active, Balance: plenty}
	case !before:
		own = now.Opening
	}
	want := own
	if m.approved() {
		want.State, want.ChipUnproven = issuer.Active, true
		if r.Expiry != 0 {
			want.Expiry = r.Expiry
		}
		if r.HasTrack2 && r.Service != [3]byte{} {
			want.ServiceCode = string(r.Service[:])
		}
	} else if r.Op == transaction.Sale {
		want.SaleLimit = leastSale
	}
	if want != own && len(m.cards) < maxTrafficked {
		m.cards[r.Card] = own
	}
	if known {
		want.Balance = now.Balance // opening a card again changes its terms and leaves its balance
		if want == now.Opening && (now.Tries == 0 || !m.approved()) {
			return nil
		}
	}
	return m.reopen(&want)
}

// opened tells that a card has the terms that an approved message asks for: what open would make of it is what it is.
// One whose limit open may have set is not told of, nor one of which the message names too little.
func opened(now *issuer.Card, r *proof.Request) bool {
	return now.State == issuer.Active && now.ChipUnproven && now.Tries == 0 && now.SaleLimit != leastSale &&
		r.Expiry != 0 && now.Expiry == r.Expiry && r.HasTrack2 && r.Service != [3]byte{} && now.ServiceCode == string(r.Service[:])
}

// reopen gives a card other terms, in the ledger in memory.
func (m *mirror) reopen(o *issuer.Opening) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	e := journal.Entry{Kind: journal.KindCard, At: m.now, Body: body}
	if e.Seq, err = m.committer.Enqueue(journal.Raw{Entry: e}, journal.Outcome, nil); err != nil {
		return err
	}
	return m.ledger.Replay(context.Background(), e)
}

// leastSale is the limit of a sale that a bank did not let through, fen.
const leastSale pos.Amount = 1

// mirrorVault reads PIN blocks in the module; whether the PIN is the card's the capture says.
type mirrorVault struct {
	*soft.Module
	m *mirror
}

// VerifyPIN implements issuer.Vault.
func (v mirrorVault) VerifyPIN(q *issuer.PINQuestion) issuer.PINResult {
	result := v.Module.VerifyPIN(q)
	if result == issuer.PINWrong && v.m.approved() {
		return issuer.PINRight
	}
	return result
}

// mirrorKeys gives the working keys that the captured answer carries.
type mirrorKeys struct {
	*soft.Module
	m *mirror
}

// errNotIssued stops a sign-in that the host did not answer with keys.
var errNotIssued = errors.New("no keys were issued")

// IssueSet implements keys.Module.
func (k mirrorKeys) IssueSet(ctx context.Context, terminal pos.TerminalID, master keys.Wrapped, code pos.NetworkCode, longMAK bool) (set [keys.SetSize]byte, de62 []byte, err error) {
	m, known := k.m, k.m.of(terminal)
	switch {
	case !m.pair.Answered:
		known.keys = blindAnswer
	case m.pair.Answer.Code != pos.Approved:
		m.held = true
		return set, nil, errNotIssued
	default:
		var answer iso8583.Message
		if err := iso8583.UnionPay.Parse(&answer, m.pair.Answer.Frame); err == nil {
			set, err = k.AdoptSet(ctx, terminal, master, code, answer.Raw(62))
			if err == nil {
				known.keys = ""
				return set, nil, nil
			}
		}
		known.keys = blindKeys
	}
	return k.Module.IssueSet(ctx, terminal, master, code, longMAK)
}

// originalName is how a sale is named here and was named there.
type originalName struct {
	own     pos.RRN
	auth    pos.AuthCode
	ownAuth pos.AuthCode
}

// translated are the retrieval reference numbers of captured answers, the newest.
type translated struct {
	of    map[pos.RRN]originalName
	order []pos.RRN // the oldest at next once there are keptEntries
	next  int
}

func (t *translated) keep(r pos.RRN, n originalName) {
	if r == (pos.RRN{}) {
		return
	}
	if t.of == nil {
		t.of = map[pos.RRN]originalName{}
	}
	if _, there := t.of[r]; !there {
		if len(t.order) < keptEntries {
			t.order = append(t.order, r)
		} else {
			delete(t.of, t.order[t.next])
			t.order[t.next] = r
			t.next = (t.next + 1) % keptEntries
		}
	}
	t.of[r] = n
}

func portText(p uint16) string { return strconv.Itoa(int(p)) }
