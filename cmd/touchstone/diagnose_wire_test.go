package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"touchstone/diagnosis"
	"touchstone/iso8583"
	"touchstone/journal"
	"touchstone/paycrypto/mac"
	"touchstone/reason"
	"touchstone/terminal"
)

// wireLane is a sample terminal of the shops on a connection of its own.
func (r *canaryRig) wireLane(t *testing.T, own *benchTerminal) *lane {
	t.Helper()
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	l := &lane{nc, bufio.NewReader(nc), own}
	l.signIn(t)
	return l
}

func (l *lane) signIn(t *testing.T) {
	t.Helper()
	if err := l.own.signIn(&benchConn{net: l.net, r: l.r}); err != nil {
		t.Fatal(err)
	}
}

// answer sends a frame and gives its answer, LEN included.
func (l *lane) answer(t *testing.T, frame []byte) []byte {
	t.Helper()
	l.send(t, frame)
	got, err := iso8583.ReadFrame(l.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// sell sends the terminal's next sale, right in everything, which brings its newest keys into force.
func (l *lane) sell(t *testing.T) {
	t.Helper()
	if code := codeOf(t, l.answer(t, l.own.next(true))); code != "00" {
		t.Fatalf("a sale is answered %s", code)
	}
}

func codeOf(t *testing.T, answer []byte) string {
	t.Helper()
	var m iso8583.Message
	if err := iso8583.UnionPay.Parse(&m, answer); err != nil {
		t.Fatal(err)
	}
	return string(m.Raw(39))
}

// wrong is the terminal's next sale, and what makes it wrong.
func (l *lane) wrong(spoil func(frame []byte, at int)) []byte {
	frame := bytes.Clone(l.own.next(true))
	spoil(frame, len(frame)-macSize)
	return frame
}

// remade is DE64 under a key over frame[from:] up to itself.
func remade(key *mac.Key, from int) func(frame []byte, at int) {
	return func(frame []byte, at int) {
		de64 := key.Sum8(frame[from:at])
		copy(frame[at:], de64[:])
	}
}

// behindA0 are ways to a wrong MAC, each another cause. They are messages of one terminal; sibling is another of the
// same shop, former the key of an earlier sign-in.
func behindA0(own, sibling *lane, former *mac.Key) map[string]func() []byte {
	lower := func() (frame []byte) { // one with a letter in it: digits alone have no case
		for {
			frame = own.wrong(func(frame []byte, at int) { copy(frame[at:], bytes.ToLower(frame[at:])) })
			if bytes.ContainsAny(frame[len(frame)-macSize:], "abcdef") {
				return frame
			}
		}
	}
	return map[string]func() []byte{
		"unknown":  func() []byte { return own.wrong(func(frame []byte, at int) { copy(frame[at:], "0123ABCD") }) },
		"stale":    func() []byte { return own.wrong(remade(former, mtiAt)) },
		"sibling":  func() []byte { return own.wrong(remade(sibling.own.mak, mtiAt)) },
		"coverage": func() []byte { return own.wrong(remade(own.own.mak, iso8583.LengthSize)) },
		"altered":  func() []byte { return own.wrong(func(frame []byte, _ int) { frame[traceAt-2] ^= 0x20 }) },
		"encoding": lower,
	}
}

// shopPair are two terminals of one shop that speak the same algorithm.
func shopPair(t *testing.T) (pair []*benchTerminal) {
	t.Helper()
	for _, one := range honest() {
		if len(pair) == 1 && (one.merchant != pair[0].merchant || one.code != pair[0].code) {
			continue
		}
		if len(pair) < 2 && one.code == 3 {
			pair = append(pair, one)
		}
	}
	if len(pair) < 2 {
		t.Fatal("no shop has two terminals of one kind")
	}
	return pair
}

// shopMates are two lanes of terminals of one shop that speak the same algorithm, and the former key of the first.
func (r *canaryRig) shopMates(t *testing.T) (own, sibling *lane, former *mac.Key) {
	t.Helper()
	pair := shopPair(t)
	own, sibling = r.wireLane(t, pair[0]), r.wireLane(t, pair[1])
	own.sell(t)
	sibling.sell(t)
	former = own.own.mak
	own.signIn(t)
	own.sell(t)
	return own, sibling, former
}

// TestNothingOfACauseOnTheWire: whatever is behind a refusal, A0 or A7, its answer has the same code, the same size and the
// same bytes; only the echoed amount and trace, the time, the reference number and the MAC over them differ. Nothing more is sent.
func TestNothingOfACauseOnTheWire(t *testing.T) {
	r := newDiagnosisRig(t, roomy, nil)
	own, sibling, former := r.shopMates(t)
	for want, messages := range map[string]map[string]func() []byte{"A0": behindA0(own, sibling, former), "A7": behindA7(t, own, sibling)} {
		var first []byte
		for round := range 3 {
			for name, message := range messages {
				got := own.answer(t, message())
				if code := codeOf(t, got); code != want {
					t.Errorf("%s: answered %s, want %s", name, code, want)
				}
				masked := maskAnswer(t, got)
				if first == nil {
					first = masked
				}
				if !bytes.Equal(masked, first) {
					t.Errorf("%s, %s, round %d: the answer differs\n%s\n%s", want, name, round, hex.EncodeToString(masked), hex.EncodeToString(first))
				}
			}
			r.e.diagnoser.drain() // and once more with what experiments have taught
		}
	}
	own.sell(t) // nothing came in between: the next frame answers the next message
	// The causes behind each code did differ, or the comparison would be of nothing.
	all, _ := r.causes(t)
	behind := map[string]map[string]bool{"mac_failed": {}, "serial_proof_failed": {}, "serial_factor_mismatch": {}}
	for _, c := range all {
		if of := behind[c.Reason]; of != nil {
			of[c.Cause] = true
		}
	}
	if len(behind["mac_failed"]) < 5 || len(behind["serial_proof_failed"]) < 3 {
		t.Errorf("found behind the answers: %v", behind)
	}
}

// maskAnswer blanks what differs between two answers to the same request: DE4, DE11, DE12, DE13, DE15, DE37, and DE64 over them.
func maskAnswer(t *testing.T, answer []byte) []byte {
	t.Helper()
	var m iso8583.Message
	if err := iso8583.UnionPay.Parse(&m, answer); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{4, 11, 12, 13, 15, 37, 64} {
		clear(m.Raw(n)) // a view of answer
	}
	return answer
}

// causeOf is the newest cause of a verdict; it is waited for.
func (r *canaryRig) causeOf(t *testing.T, verdict uint64) (c journal.Cause) {
	t.Helper()
	until(t, "a cause of the verdict", func() bool {
		found, _, ok, err := r.e.store.CauseOf(t.Context(), verdict)
		if err != nil {
			t.Fatal(err)
		}
		c = found
		return ok
	})
	r.e.diagnoser.drain() // and what else the same experiment told
	found, _, _, err := r.e.store.CauseOf(t.Context(), verdict)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// newestRefusal is the entry of the newest security refusal.
func (r *canaryRig) newestRefusal(t *testing.T) (uint64, journal.Exchange) {
	t.Helper()
	seq, ok, err := r.e.store.LastRefusal(t.Context(), true)
	if err != nil || !ok {
		t.Fatalf("no refusal: %v", err)
	}
	e, err := r.e.store.Entry(t.Context(), seq)
	if err != nil {
		t.Fatal(err)
	}
	var x journal.Exchange
	if err := x.Parse(e); err != nil {
		t.Fatal(err)
	}
	return seq, x
}

// TestCausesOfTheWire: what the reference terminal does wrong on the wire is found, by the real module with keys of the
// register and of earlier sign-ins, and the causes are still there after a restart.
func TestCausesOfTheWire(t *testing.T) {
	r := newDiagnosisRig(t, roomy, nil)
	type want struct {
		reason    reason.Reason
		cause     reason.Cause
		certainty journal.Certainty
	}
	found := map[uint64]want{}
	expect := func(what string, w want) {
		t.Helper()
		seq, x := r.newestRefusal(t)
		c := r.causeOf(t, seq)
		if x.Reason != w.reason || c.Cause != w.cause.String() || c.Certainty != w.certainty || c.Reason != w.reason.String() || c.Terminal != x.Terminal.String() {
			t.Errorf("%s: entry %d refused for %s, found %s %s %v, want %s %s", what, seq, x.Reason, c.Certainty, c.Cause, c.Facts, w.certainty, w.cause)
		}
		found[seq] = w
	}
	opened, card := r.visitor(t, 0)
	fault := func(f terminal.Fault, w want) {
		t.Helper()
		if _, err := opened.Misbehave(t.Context(), f, card, 1850); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		expect(string(f), w)
	}
	own, sibling, former := r.shopMates(t)
	wire := behindA0(own, sibling, former)
	send := func(name string, w want) {
		t.Helper()
		own.answer(t, wire[name]())
		expect(name, w)
	}
	send("unknown", want{reason.MACFailed, reason.NoCause, journal.Unproven})
	send("coverage", want{reason.MACFailed, reason.MACWrongCoverage, journal.Proven})
	send("encoding", want{reason.MACFailed, reason.MACWrongEncoding, journal.Proven})
	send("stale", want{reason.MACFailed, reason.MACStaleKey, journal.Indicated})        // a newer key was used: who else has the old one?
	send("sibling", want{reason.MACFailed, reason.MACOtherTerminalKey, journal.Proven}) // the serial number of the same message agrees
	send("altered", want{reason.MACFailed, reason.MessageAltered, journal.Indicated})
	fault(terminal.WrongSerialCipher, want{reason.SerialProofFailed, reason.NoCause, journal.Unproven})
	fault(terminal.PINStaleKey, want{reason.PINFormat, reason.PINStaleKey, journal.Proven})
	_, before := r.causes(t)
	dir := r.dir
	r.stop()
	again := newCanaryRig(t, rigOptions{dir: dir, change: func(o *engineOptions) { o.diagnosis, o.withoutView = roomy, false }})
	_, after := again.causes(t)
	for seq, w := range found {
		if c, _, ok, err := again.e.store.CauseOf(t.Context(), seq); err != nil || !ok || c.Cause != w.cause.String() || c.Certainty != w.certainty {
			t.Errorf("after the restart: verdict %d: %s %s, %t, %v", seq, c.Certainty, c.Cause, ok, err)
		}
	}
	if len(after) != len(before) {
		t.Errorf("%d causes before the restart, %d after", len(before), len(after))
	}
}

// TestASecondMessageProves: what was only indicated is proven by another message, also where the first was read from
// the journal after a restart; and the first verdict is then proven too. The same bytes again prove nothing.
func TestASecondMessageProves(t *testing.T) {
	r := newDiagnosisRig(t, roomy, nil)
	own, sibling, former := r.shopMates(t)
	stale := func(l *lane) uint64 {
		t.Helper()
		l.answer(t, l.wrong(remade(former, mtiAt)))
		seq, _ := r.newestRefusal(t)
		return seq
	}
	certainty := func(seq uint64) (journal.Certainty, uint64) {
		c := r.causeOf(t, seq)
		return c.Certainty, c.With
	}
	first := stale(own)
	if c, _ := certainty(first); c != journal.Indicated {
		t.Fatalf("the first is %s", c)
	}
	_ = sibling
	dir, terminalOf := r.dir, own.own
	own.net.Close()
	r.stop()
	r = newCanaryRig(t, rigOptions{dir: dir, change: func(o *engineOptions) { o.diagnosis, o.withoutView = roomy, false }})
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	own = &lane{nc, bufio.NewReader(nc), terminalOf}
	until(t, "the journal is read", r.e.watch.caughtUp)
	second := stale(own)
	if c, with := certainty(second); c != journal.Proven || with != first {
		t.Errorf("the second is %s with %d, want %d", c, with, first)
	}
	if c, with := certainty(first); c != journal.Proven || with != second {
		t.Errorf("then the first is %s with %d, want %d", c, with, second)
	}
}

// TestKilledBeforeTheCause: what the host had not examined when it died is not examined by the next: the bytes are gone.
// Its verdict has no cause, which the reader tells.
func TestKilledBeforeTheCause(t *testing.T) {
	r := newDiagnosisRig(t, roomy, nil)
	hold := &fakeModule{find: unproven, block: make(chan struct{})}
	r.use(hold)
	own, _, _ := r.shopMates(t)
	own.answer(t, own.wrong(func(frame []byte, at int) { copy(frame[at:], "0123ABCD") }))
	seq, x := r.newestRefusal(t)
	if !x.Reason.Sought() {
		t.Fatalf("refused for %s", x.Reason)
	}
	dead := filepath.Join(inMemory(t), "shop") // the disk as kill -9 leaves it
	if err := os.CopyFS(dead, os.DirFS(r.dir)); err != nil && !strings.Contains(err.Error(), "control.sock") {
		t.Fatal(err)
	}
	close(hold.block)
	again := newCanaryRig(t, rigOptions{dir: dead, change: func(o *engineOptions) { o.diagnosis, o.withoutView = roomy, false }})
	all, _ := again.causes(t)
	if _, _, ok, err := again.e.store.CauseOf(t.Context(), seq); ok || err != nil || len(all) != 0 {
		t.Errorf("a cause was found of bytes that are gone: %t, %d entries, %v", ok, len(all), err)
	}
}

// TestOverTheBudgetOnTheWire: of one terminal's row of refusals so many are examined, the others are one entry; and a
// canary's are none.
func TestOverTheBudgetOnTheWire(t *testing.T) {
	r := newDiagnosisRig(t, diagnoseBudget{second: 200, minute: 1, share: 100}, nil)
	m := &fakeModule{find: unproven}
	r.use(m)
	own, sibling, former := r.shopMates(t)
	wire := behindA0(own, sibling, former)
	for range 20 {
		own.answer(t, wire["unknown"]())
	}
	until(t, "all are told", func() bool { return r.e.diagnoser.observe().NotTried["budget"] == 18 })
	all, _ := r.causes(t)
	tried, untried := 0, 0
	for _, c := range all {
		switch c.Certainty {
		case journal.Unproven:
			tried++
		case journal.Untried:
			untried++
			if c.Facts[factMessages] != "18" || c.Facts[diagnosis.FactWhy] != whyBudget {
				t.Errorf("told %v", c.Facts)
			}
		}
	}
	if tried != 2 || untried != 1 || len(all) != 3 {
		t.Errorf("%d examined, %d entries of others", tried, untried)
	}
	m.mu.Lock()
	for _, c := range m.cases {
		if bytes.Count(c.Frame, []byte{0}) != len(c.Frame) {
			t.Error("a case still holds its message")
		}
	}
	m.mu.Unlock()
	if got := r.hand.round(t.Context()); len(got.wrong()) != 0 {
		t.Errorf("the canary finds %v", got.wrong())
	}
	if more, _ := r.causes(t); len(more) != len(all) {
		t.Errorf("%d causes of a canary's messages", len(more)-len(all))
	}
}

// TestKeysThatMayBeTried: the terminal's own first, by number and age, then the shop's, then the neighbours'; and no
// more than the rules allow.
func TestKeysThatMayBeTried(t *testing.T) {
	r := newDiagnosisRig(t, roomy, nil)
	m := &fakeModule{find: unproven}
	r.use(m)
	own, sibling, _ := r.shopMates(t)
	for range 10 {
		own.signIn(t)
	}
	own.sell(t)
	own.signIn(t) // pending
	if err := r.e.view.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	own.signIn(t) // newer than the view; it replaces the pending one
	own.answer(t, own.wrong(func(frame []byte, at int) { copy(frame[at:], "0123ABCD") }))
	seq, _ := r.newestRefusal(t)
	r.causeOf(t, seq)
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.cases) != 1 {
		t.Fatalf("%d cases", len(m.cases))
	}
	c := m.cases[0]
	var former []uint32
	for i, k := range c.Keys {
		switch {
		case k.Terminal == own.own.id && i > 0 && c.Keys[i-1].Terminal != own.own.id:
			t.Errorf("key %d: one of its own comes after others'", i)
		case k.Source == diagnosis.OwnFormer:
			former = append(former, k.Set.Number)
		}
	}
	// Sign-ins 1 and 2 of shopMates, 3 to 12, of which 12 is in force, 13, and 14 pending.
	if c.Keys[0].Source != diagnosis.OwnInForce || c.Keys[0].Set.Number != 12 || c.Keys[1].Source != diagnosis.OwnPending || c.Keys[1].Set.Number != 14 {
		t.Errorf("first %s %d, %s %d", c.Keys[0].Source, c.Keys[0].Set.Number, c.Keys[1].Source, c.Keys[1].Set.Number)
	}
	if want := []uint32{13, 11, 10, 9, 8, 7, 6, 5}; !slices.Equal(former, want) {
		t.Errorf("former sets %v, want %v", former, want)
	}
	for _, k := range c.Keys {
		if k.Source == diagnosis.OwnFormer && (k.Later != (k.Set.Number < 12) || k.Used) {
			t.Errorf("set %d: used %t, a later one used %t", k.Set.Number, k.Used, k.Later)
		}
	}
	if !slices.ContainsFunc(c.Keys, func(k diagnosis.Candidate) bool {
		return k.Source == diagnosis.Sibling && k.Terminal == sibling.own.id && k.Used && k.Serial == sibling.own.serial && len(k.Key) > 0
	}) {
		t.Error("the sibling's keys are not among those tried")
	}
	if len(c.Keys) > diagnosis.MaxCandidates || len(c.Serials) > diagnosis.MaxCandidates || len(c.Masters) != 1 {
		t.Errorf("%d keys, %d serials, %d masters", len(c.Keys), len(c.Serials), len(c.Masters))
	}
	if len(c.Serials) == 0 || c.Serials[0].Source != diagnosis.SerialDevice || c.Serials[0].Serial != own.own.serial {
		t.Error("the presented device's key does not come first")
	}
}
