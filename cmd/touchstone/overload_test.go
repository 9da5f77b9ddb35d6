package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"touchstone/admission"
	"touchstone/iso8583"
	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/listener"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/terminal"
)

// valve stands before the journal's store: while it is shut nothing becomes durable; pace is how long
// each entry takes besides.
type valve struct {
	next journal.Sink
	pace time.Duration

	gate sync.Mutex
	held bool // by the test
}

func (v *valve) shut() {
	v.gate.Lock()
	v.held = true
}

// open is in order when it is open.
func (v *valve) open() {
	if v.held {
		v.held = false
		v.gate.Unlock()
	}
}

func (v *valve) Append(ctx context.Context, b journal.Block) error {
	v.gate.Lock()
	defer v.gate.Unlock()
	if v.pace > 0 {
		time.Sleep(time.Duration(b.N) * v.pace) // a disk that takes so long
	}
	return v.next.Append(ctx, b)
}

// strained is a whole host in this process whose journal can be made slow.
type strained struct {
	engine *engine
	valve  *valve
	addr   string
}

func strain(t *testing.T, gate admission.Limits, pace time.Duration) *strained {
	t.Helper()
	return strainBy(t, nil, gate, pace)
}

// strainBy is strain by a clock, nil for the machine's.
func strainBy(t *testing.T, clock func() pos.Instant, gate admission.Limits, pace time.Duration) *strained {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	dir := filepath.Join(t.TempDir(), "shop")
	if err := makeTestDirectory(dir, quiet); err != nil {
		t.Fatal(err)
	}
	s := &strained{valve: new(valve)}
	e, err := openEngine(engineOptions{dir: dir, lock: testLock(dir), policy: proof.DefaultPolicy(), ledger: ledger.DefaultOptions(),
		zone: time.FixedZone("Asia/Shanghai", 8*3600), acquirerID: "48021000", issuerID: "01020000", log: quiet, gate: gate, clock: clock,
		around: func(next journal.Sink) journal.Sink { s.valve.next = next; return s.valve }})
	if err != nil {
		t.Fatal(err)
	}
	s.engine = e
	if err := e.seed(t.Context()); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr, s.valve.pace = ln.Addr().String(), pace
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- listener.New(e.line, listener.DefaultLimits(), quiet).Serve(ctx, ln) }()
	t.Cleanup(func() {
		s.valve.open() // a test that failed in between
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := e.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// lane is a connection over which many messages may be in flight, and its one terminal.
type lane struct {
	net net.Conn
	r   *bufio.Reader
	own *benchTerminal
}

func (s *strained) lanes(t *testing.T, n int) (all []*lane) {
	t.Helper()
	for _, own := range honest()[:n] {
		nc, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		l := &lane{nc, bufio.NewReader(nc), own}
		if err := own.signIn(&benchConn{net: nc, r: l.r}); err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

func (l *lane) send(t *testing.T, frame []byte) {
	t.Helper()
	if _, err := l.net.Write(frame); err != nil {
		t.Fatal(err)
	}
}

// outcome is one answer: the trace it answers and its DE39.
type outcome struct {
	mti   pos.MTI
	trace uint64
	code  string
}

func (l *lane) hear(t *testing.T) (o outcome) {
	t.Helper()
	_ = l.net.SetReadDeadline(time.Now().Add(patience))
	o, err := l.next()
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	return o
}

func (l *lane) next() (o outcome, err error) {
	frame, err := iso8583.ReadFrame(l.r, nil)
	if err != nil {
		return o, err
	}
	var m iso8583.Message
	if err := iso8583.UnionPay.Parse(&m, frame); err != nil {
		return o, err
	}
	if o.code = string(m.Raw(39)); o.code == "96" && (m.Has(64) || m.Has(38)) {
		return o, fmt.Errorf("a refusal before any effect carries DE38 or DE64")
	}
	o.mti = m.MTI()
	o.trace, _ = m.Number(11)
	return o, nil
}

// sale is the terminal's next sale.
func (l *lane) sale() (trace uint64, frame []byte) {
	frame = bytes.Clone(l.own.next(true))
	return l.own.trace, frame
}

// reversal is a 0400 of a sale; docs/protocol/unionpay-pos.md section 3.4.
func (l *lane) reversal(t *testing.T, trace uint64) []byte {
	t.Helper()
	own, batch := l.own, pos.BatchNo(0)
	var sale iso8583.Message
	if err := iso8583.UnionPay.Parse(&sale, own.frame[iso8583.LengthSize:]); err != nil {
		t.Fatal(err)
	}
	if de60, err := sale.DE60(); err == nil {
		batch = de60.Batch
	}
	w := iso8583.NewBuilder(&iso8583.UnionPay)
	w.Begin(make([]byte, iso8583.LengthSize+iso8583.MaxFrame), terminal.DefaultEnvelope, 0x0400)
	w.PutNumber(3, 0)
	w.PutNumber(4, 1850)
	w.PutNumber(11, trace)
	w.PutNumber(22, 22)
	w.PutNumber(25, 0)
	w.PutText(39, []byte("06"))
	w.PutText(41, own.id[:])
	w.PutText(42, own.merchant[:])
	w.PutText(49, pos.CNY[:])
	w.PutDigits(60, must(iso8583.AppendDE60(nil, iso8583.DE60{Code: pos.Sale, Batch: batch, Reading: 5, Digits: 14})))
	w.ReserveMAC()
	w.SetMAC(own.mak.Sum8(w.MAB()))
	return bytes.Clone(must(w.Frame()))
}

// until polls what another goroutine of the host brings about.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	end := time.Now().Add(patience)
	for !is() {
		if time.Now().After(end) {
			t.Fatalf("it does not come to: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestOverload: while nothing becomes durable the line fills. New sales and sign-ins then get 96 at
// once; reversals still get in, until the reserve is full too. What got 96 is not
// in the journal, has moved no money and has used no trace; what got in is answered when the disk is back.
func TestOverload(t *testing.T) {
	const inFlight, ordinary, offered = 64, 51, 24
	s := strain(t, admission.Limits{InFlight: inFlight, Wait: time.Hour}, 0)
	gate := s.engine.line.Gate
	lanes := s.lanes(t, 12)
	before := map[*lane]uint64{} // a sale of each lane that will be reversed
	for _, l := range lanes {
		trace, frame := l.sale()
		if l.send(t, frame); l.hear(t).code != "00" {
			t.Fatal("a sale on an idle host was refused")
		}
		before[l] = trace
	}
	s.valve.shut()
	sent := map[*lane][]uint64{}
	for range offered {
		for _, l := range lanes {
			trace, frame := l.sale()
			l.send(t, frame)
			sent[l] = append(sent[l], trace)
		}
	}
	total := len(lanes) * offered
	until(t, "51 sales in the line, all others refused", func() bool {
		c := gate.Counts()
		return c.InFlight == ordinary && c.Shed[admission.Financial][admission.Room] == uint64(total-ordinary)
	})
	stranger := honest()[len(lanes)]
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := stranger.signIn(&benchConn{net: nc, r: bufio.NewReader(nc)}); err == nil || err.Error() != "answered 96" {
		t.Errorf("a sign-in into a full line: %v", err)
	}
	refused := hearRefusals(t, lanes, total-ordinary)
	reserved := s.fillReserve(t, lanes, before, inFlight-ordinary)
	s.valve.open()
	for _, l := range lanes {
		want := offered - len(refused[l]) + reserved[l]
		for range want {
			if o := l.hear(t); o.code != "00" {
				t.Errorf("%s with trace %d was answered %s when the disk was back", o.mti, o.trace, o.code)
			}
		}
	}
	s.nothingOf(t, refused)
	s.moneyStands(t, lanes, before, reserved)
	for _, l := range lanes { // the traces that were refused are as good as new
		for _, trace := range refused[l] {
			l.own.trace = trace - 1
			_, frame := l.sale()
			if l.send(t, frame); l.hear(t).code != "00" {
				t.Errorf("trace %d was refused again when all was well", trace)
			}
		}
	}
	if c := gate.Counts(); c.InFlight != 0 || c.High != inFlight {
		t.Errorf("%d are in the line at the end, at most there were %d", c.InFlight, c.High)
	}
}

// hearRefusals reads what every lane is answered until there are n answers in all, each 96.
func hearRefusals(t *testing.T, lanes []*lane, n int) map[*lane][]uint64 {
	t.Helper()
	refused, left := map[*lane][]uint64{}, n
	var mu sync.Mutex
	var all sync.WaitGroup
	end := time.Now().Add(patience)
	for _, l := range lanes {
		more := func() bool { mu.Lock(); defer mu.Unlock(); return left > 0 && time.Now().Before(end) }
		all.Go(func() {
			for more() {
				_ = l.net.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
				if _, err := l.r.Peek(1); err != nil {
					continue // nothing here yet, or no more; another lane may have what is missing
				}
				o, err := l.next()
				if err != nil || o.code != "96" {
					t.Errorf("answered %s while nothing is durable: %v", o.code, err)
				}
				mu.Lock()
				refused[l] = append(refused[l], o.trace)
				left--
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if left != 0 {
		t.Fatalf("%d refusals were not heard of %d", left, n)
	}
	return refused
}

// TestLateDisk: with room for thousands, new sales are refused as soon as those before them have waited too
// long for the disk; a reversal is let in; when the disk is back all is as before.
func TestLateDisk(t *testing.T) {
	var later atomic.Int64 // nanoseconds: who waits, waits by this clock
	began := monotonic()
	const most = 10 * time.Minute // longer than any machine takes for what is sent before the clock is moved
	s := strainBy(t, func() pos.Instant { return began() + pos.Instant(later.Load()) }, admission.Limits{InFlight: 8192, Wait: most}, 0)
	gate, l := s.engine.line.Gate, s.lanes(t, 1)[0]
	first, frame := l.sale()
	if l.send(t, frame); l.hear(t).code != "00" {
		t.Fatal("a sale on an idle host was refused")
	}
	s.valve.shut()
	const waiting = 3 // fewer than one connection may have in flight
	for n := range int64(waiting) {
		_, frame := l.sale()
		l.send(t, frame)
		until(t, "the sale let in", func() bool { return gate.Counts().InFlight == n+1 })
	}
	if gate.Refusing(s.engine.clock()) {
		t.Error("refused before anybody waited too long")
	}
	later.Add(int64(most))
	until(t, "a line that moves too slowly", func() bool { return gate.Refusing(s.engine.clock()) })
	_, frame = l.sale()
	l.send(t, frame)
	until(t, "a sale refused because others wait", func() bool { return gate.Counts().Shed[admission.Financial][admission.Late] == 1 })
	if o := l.hear(t); o.code != "96" {
		t.Errorf("answered %s", o.code)
	}
	l.send(t, l.reversal(t, first))
	until(t, "the reversal let in", func() bool { return gate.Counts().Admitted[admission.Reversal] == 1 })
	s.valve.open()
	for range waiting + 1 {
		if o := l.hear(t); o.code != "00" {
			t.Errorf("%s was answered %s when the disk was back", o.mti, o.code)
		}
	}
	_, frame = l.sale()
	if l.send(t, frame); l.hear(t).code != "00" {
		t.Error("a sale was refused when all was well")
	}
}

// fillReserve sends reversals, one a lane and then again, until the reserve is full, and one more.
func (s *strained) fillReserve(t *testing.T, lanes []*lane, before map[*lane]uint64, room int) (in map[*lane]int) {
	t.Helper()
	gate, in := s.engine.line.Gate, map[*lane]int{}
	shed := gate.Counts().ShedTotal()
	for i := range room {
		l := lanes[i%len(lanes)]
		l.send(t, l.reversal(t, before[l]))
		in[l]++
	}
	until(t, "a line full of reversals", func() bool { return gate.Counts().Admitted[admission.Reversal] == uint64(room) })
	if c := gate.Counts(); c.InFlight != int64(c.Limit) || c.ShedTotal() != shed {
		t.Errorf("%d in the line of %d, %d reserved messages shed", c.InFlight, c.Limit, c.ShedTotal()-shed)
	}
	l := lanes[0]
	l.send(t, l.reversal(t, before[l]))
	if o := l.hear(t); o.code != "96" || o.mti != 0x0410 {
		t.Errorf("a reversal beyond all room was answered %s %s", o.mti, o.code)
	}
	return in
}

// nothingOf fails when the journal has an entry of a refused message.
func (s *strained) nothingOf(t *testing.T, refused map[*lane][]uint64) {
	t.Helper()
	next, seen := uint64(1), 0
	err := eachEntry(t.Context(), s.engine.store.Reader, &next, func(e journal.Entry) error {
		var x journal.Exchange
		if e.Kind != journal.KindExchange {
			return nil
		}
		if err := x.Parse(e); err != nil {
			return err
		}
		for l, traces := range refused {
			if x.Terminal == l.own.id && x.MTI == 0x0200 && slices.Contains(traces, uint64(x.STAN)) {
				t.Errorf("entry %d is of a message that was refused before it was accepted", e.Seq)
			}
		}
		seen++
		return nil
	})
	if err != nil || seen == 0 {
		t.Errorf("%d entries: %v", seen, err)
	}
}

// moneyStands compares each card with what was approved and not reversed.
func (s *strained) moneyStands(t *testing.T, lanes []*lane, before map[*lane]uint64, reversed map[*lane]int) {
	t.Helper()
	spent := map[string]pos.Amount{}
	var next uint64 = 1
	standing := map[string]int{}
	err := eachEntry(t.Context(), s.engine.store.Reader, &next, func(e journal.Entry) error {
		var x journal.Exchange
		if e.Kind == journal.KindExchange && x.Parse(e) == nil {
			switch x.Effect {
			case journal.Sold:
				standing[x.Terminal.String()]++
			case journal.ReversedSale:
				standing[x.Terminal.String()]--
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lanes {
		n := standing[l.own.id.String()]
		if reversed[l] > 0 && before[l] == 0 {
			t.Fatal("nothing to reverse")
		}
		spent[l.own.card.label] += pos.Amount(n) * 1850
	}
	for _, l := range lanes {
		hash, err := s.engine.module.HashPAN(must(pos.ParsePAN(l.own.card.pan())))
		if err != nil {
			t.Fatal(err)
		}
		c, ok := s.engine.ledger.CardNow(hash)
		if want := l.own.card.balance - spent[l.own.card.label]; !ok || c.Balance != want {
			t.Errorf("card %q has %s, want %s", l.own.card.label, c.Balance, want)
		}
	}
}

// TestThreeTimesTheCapacity: at three times what the journal can take, every message is answered once, approved or 96, and
// some are one and some the other; what is done in a second stays what it was, and everything beyond is refused quickly. The
// figures are printed; what is asserted of them is loose, for the machine may be busy with other things.
func TestThreeTimesTheCapacity(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	t.Parallel()
	const pace, seconds = time.Millisecond, 3
	s := strain(t, admission.Limits{InFlight: 128, Wait: 2 * time.Second}, pace)
	lanes := s.lanes(t, 24)
	capacity := s.closedLoop(t, lanes, 2*time.Second)
	each := time.Duration(float64(time.Second) * float64(len(lanes)) / (3 * capacity))
	var all sync.WaitGroup
	var mu sync.Mutex
	var refused, approved []time.Duration
	began := time.Now()
	for _, l := range lanes {
		due := make(map[uint64]time.Time, 1024)
		var own sync.Mutex
		n := int(seconds * time.Second / each)
		all.Go(func() {
			for i := range n {
				at := began.Add(time.Duration(i) * each)
				if wait := time.Until(at); wait > 0 {
					time.Sleep(wait) // the schedule of an open loop
				}
				trace, frame := l.sale()
				own.Lock()
				due[trace] = at
				own.Unlock()
				if _, err := l.net.Write(frame); err != nil {
					t.Error(err)
					return
				}
			}
		})
		all.Go(func() {
			for range n {
				_ = l.net.SetReadDeadline(time.Now().Add(patience))
				o, err := l.next()
				if err != nil {
					t.Error(err)
					return
				}
				own.Lock()
				took := time.Since(due[o.trace])
				own.Unlock()
				mu.Lock()
				switch o.code {
				case "00":
					approved = append(approved, took)
				case "96":
					refused = append(refused, took)
				default:
					t.Errorf("answered %s", o.code)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	goodput := float64(len(approved)) / time.Since(began).Seconds()
	slices.Sort(refused)
	slices.Sort(approved)
	if len(refused) == 0 || len(approved) == 0 {
		t.Fatalf("%d approved, %d refused", len(approved), len(refused))
	}
	late := refused[len(refused)*99/100]
	t.Logf("capacity %.0f/s; offered %.0f/s: approved %.0f/s (%.0f %%), median %s; %d refused, median %s, p99 %s, last %s", capacity,
		float64(len(approved)+len(refused))/seconds, goodput, 100*goodput/capacity, approved[len(approved)/2].Round(time.Millisecond), len(refused),
		refused[len(refused)/2].Round(time.Millisecond), late.Round(time.Millisecond), refused[len(refused)-1].Round(time.Millisecond))
	if goodput < capacity/2 || (late > 2*time.Second && !raceDetector) {
		t.Errorf("goodput %.0f/s of %.0f/s; 1 %% of the refusals took over %s", goodput, capacity, late)
	}
}

// closedLoop is what the host does in a second when each lane waits for its answer.
func (s *strained) closedLoop(t *testing.T, lanes []*lane, d time.Duration) float64 {
	t.Helper()
	var all sync.WaitGroup
	counts := make([]int, len(lanes))
	begin := time.Now()
	for i, l := range lanes {
		all.Go(func() {
			for time.Since(begin) < d {
				_, frame := l.sale()
				if _, err := l.net.Write(frame); err != nil {
					t.Error(err)
					return
				}
				if o, err := l.next(); err != nil || o.code != "00" {
					t.Errorf("answered %s: %v", o.code, err)
					return
				}
				counts[i]++
			}
		})
	}
	all.Wait()
	n := 0
	for _, c := range counts {
		n += c
	}
	return float64(n) / time.Since(begin).Seconds()
}
