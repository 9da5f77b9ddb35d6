package ledger_test

import (
	"crypto/cipher"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/emmansun/gmsm/sm4"
)

func serialCipher() cipher.Block { return must(sm4.NewCipher(must(hex.DecodeString(liveSerialKey)))) }

// The operations of a program; each takes five bytes: operation, who, which, how, where.
const (
	opSignIn byte = iota
	opSale
	opSalePIN
	opBalance
	opVoid
	opRefund
	opReverseSale
	opReverseVoid
	opSettle
	opSignOff
	opRepeat
	opLater
	opEcho
	opRestart
	opCount
)

// The ways in which a message is made wrong.
const (
	honest        byte = iota
	flip               // a bit is turned over after the MAC
	flipAndMAC         // a bit is turned over, and the MAC is right for that: an odd but genuine message
	cutOff             // the end is missing
	otherMAC           // under another terminal's keys
	formerMAC          // under the keys before
	noMAC              // no DE64
	wrongSerial        // another serial-number ciphertext, the MAC right
	otherFactor        // the serial-number proof of another card, the MAC right
	wrongPIN           // another PIN, the MAC right
	otherTerminal      // another DE41 under its own keys
	sameTrace          // the trace before
	otherAmount        // DE4 differs from the original's
	laterBatch         // DE60.2 is the next batch
	howCount
	honestShare = 3 // of how many messages one is made wrong
)

// maxProgram bounds one execution.
const maxProgram = 60

// player is a program on its way.
type player struct {
	host   *liveHost
	oracle *liveOracle
	sent   [][]byte // every frame, for repeats
}

// FuzzLine: an input is a program of operations of three terminals against a live line: the real host,
// ledger and security module over a journal in memory. Messages are honest, altered with and without a
// right MAC, repeated, reordered, under other keys, of other terminals. Whatever the program, no approval
// lacks a proof that it requires, and after every message each card and each batch have what the approvals
// on the wire make. The oracle has its own codec, ciphers and books.
func FuzzLine(f *testing.F) {
	for _, p := range livePrograms() {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 5*maxProgram {
			return
		}
		play(t, program)
	})
}

// play runs a program and returns the oracle.
func play(t testing.TB, program []byte) *liveOracle {
	h := newLiveHost(t)
	defer func() { h.stop() }()
	p := &player{host: h, oracle: newLiveOracle(t)}
	for step := range slices.Chunk(program, 5) {
		if len(step) < 5 {
			break
		}
		p.step(step[0]%opCount, step[1], step[2], step[3], step[4])
		p.oracle.conserved(h, fmt.Sprintf("operation %v", step))
	}
	h.reopen(false)
	p.oracle.conserved(h, "replaying the journal")
	return p.oracle
}

// step does one operation.
func (p *player) step(op, who, which, how, where byte) {
	switch op {
	case opLater:
		p.host.clock += int64(which) + 600*int64(how)
		return
	case opRestart:
		p.host.reopen(which%2 == 0)
		p.oracle.restarted()
		return
	case opRepeat:
		if len(p.sent) > 0 {
			p.deliver(p.sent[len(p.sent)-1-int(which)%len(p.sent)], conn(who))
		}
		return
	}
	n, card := int(who&3)%liveTerminals, int(who>>2&3)%(liveCards+1)
	wrong := honest
	if how%honestShare == 0 {
		wrong = how / honestShare % howCount
	}
	if frame := p.build(op, n, card, which, wrong, where); frame != nil {
		p.sent = append(p.sent, frame)
		p.deliver(frame, conn(who))
	}
}

// conn is one connection for each terminal, and another by the highest bit.
func conn(who byte) uint64 { return uint64((who&3)%liveTerminals) + 1 + 10*uint64(who>>7) }

func (p *player) deliver(frame []byte, conn uint64) {
	answer := p.host.say(frame, conn)
	p.oracle.judge(frame, answer, conn, p.host.clock)
}

// keysOf are the keys a terminal would use: the newest it was given.
func (t *oracleTerminal) keysOf() *liveKeys {
	if t.pending != nil {
		return t.pending
	}
	return t.inForce
}

// build makes the frame of an operation, wrong in one way; nil when there is nothing to do it to.
func (p *player) build(op byte, n, card int, which, wrong, where byte) []byte {
	t := p.oracle.terminals[n]
	if wrong != sameTrace || t.trace == 0 {
		t.trace++
	}
	f := wireFields{11: fmt.Sprintf("%06d", t.trace), 41: terminalOf(n + 1).String(), 42: merchantOfShop.String()}
	if wrong == otherTerminal {
		f[41] = terminalOf((n+1)%liveTerminals + 1).String()
	}
	switch op {
	case opSignIn, opSignOff, opEcho, opSettle:
		return spoil(p.manage(op, n, t, f), wrong, where)
	}
	k := t.keysOf()
	if k == nil {
		return nil
	}
	mti := p.financial(op, n, card, which, wrong, f, k)
	if mti == "" {
		return nil
	}
	if wrong == laterBatch {
		f[60] = f[60][:2] + fmt.Sprintf("%06d", t.batch+1) + f[60][8:]
	}
	frame := spoil(packWire(mti, f, wrong != noMAC), flipped(wrong), where)
	if wrong != noMAC {
		seal(frame, p.macKey(n, k, wrong))
	}
	return spoil(frame, wrong, where)
}

// flipped is the part of a fault that comes before the MAC.
func flipped(wrong byte) byte {
	if wrong == flipAndMAC {
		return flip
	}
	return honest
}

// seal sets DE64, the last eight bytes.
func seal(frame []byte, mak cipher.Block) {
	if at := len(frame) - wireMAC; at > wireEnvelope {
		copy(frame[at:], foldMAC(mak, frame[wireEnvelope:at]))
	}
}

// macKey is the key of a message's MAC, which may be a wrong one.
func (p *player) macKey(n int, own *liveKeys, wrong byte) cipher.Block {
	other := own
	switch wrong {
	case otherMAC:
		other = p.oracle.terminals[(n+1)%liveTerminals].keysOf()
	case formerMAC:
		other = p.oracle.terminals[n].former
	}
	if other == nil {
		return own.mak
	}
	return other.mak
}

// spoil does to a whole frame what can be done to it.
func spoil(frame []byte, wrong, where byte) []byte {
	switch at := int(where) * 3; wrong {
	case flip:
		frame[at%len(frame)] ^= 1 << (where % 8)
	case cutOff:
		frame = frame[:len(frame)-1-int(where)%(len(frame)-1)]
	}
	return frame
}

func (p *player) manage(op byte, n int, t *oracleTerminal, f wireFields) []byte {
	mti, code := "0820", map[byte]string{opSignOff: "002", opEcho: "301", opSettle: "201", opSignIn: "003"}[op]
	switch op {
	case opSignIn:
		mti, f[63] = "0800", "001"
		if liveSM4[n] {
			code = "005"
		}
	case opSettle:
		mti, f[49] = "0500", "156"
		f[48] = fmt.Sprintf("%012d%03d%012d%03d0", t.totals.DebitAmount, t.totals.DebitCount, t.totals.CreditAmount, t.totals.CreditCount) + strings.Repeat("0", 31)
	}
	f[60] = fmt.Sprintf("00%06d%s", t.batch, code)
	return packWire(mti, f, false)
}

// financial fills the elements of an operation about money and returns its MTI, "" when there is no original.
func (p *player) financial(op byte, n, card int, which, wrong byte, f wireFields, k *liveKeys) (mti string) {
	t := p.oracle.terminals[n]
	f[2], f[3], f[22], f[25], f[49] = panOf(card), "000000", "012", "00", "156"
	amount, code := int64(which)*20+1, 22
	mti = "0200"
	switch op {
	case opSale, opSalePIN:
	case opBalance:
		f[3], code, amount = "310000", 1, 0
	default:
		r := p.original(op, t, which)
		if r == nil {
			return ""
		}
		amount, code = r.amount, p.refer(op, n, f, r)
		if r.card >= 0 {
			f[2] = panOf(r.card)
		}
		mti = map[byte]string{opVoid: "0200", opRefund: "0220", opReverseSale: "0400", opReverseVoid: "0400"}[op]
	}
	if wrong == otherAmount {
		amount += 7
	}
	if amount > 0 {
		f[4] = fmt.Sprintf("%012d", amount)
	}
	batch := t.batch
	f[60] = fmt.Sprintf("%02d%06d000500", code, batch)
	if op == opSalePIN || op == opBalance && which%2 == 1 {
		p.putPIN(f, card, wrong, k)
	}
	if (op == opSale || op == opSalePIN) && liveKeyed[n] {
		f[59] += tag("A2", a2Of(n, f[2], wrong))
	}
	if k.sm4 && f[53] == "" {
		f[53] = "0300000000000000"
	}
	return mti
}

// original picks what a void, refund or reversal is about: of the terminal's approved ones.
func (p *player) original(op byte, t *oracleTerminal, which byte) *oracleRecord {
	kind := map[byte]string{opVoid: "sale", opRefund: "sale", opReverseSale: "sale", opReverseVoid: "void"}[op]
	var fit []*oracleRecord
	for _, r := range t.list {
		if r.kind == kind {
			fit = append(fit, r)
		}
	}
	switch {
	case op == opReverseSale && which >= 250: // a reversal that comes before its sale
		return &oracleRecord{amount: int64(which), card: 0, key: oracleKey{trace: t.trace + int(which) - 249}}
	case len(fit) == 0:
		return nil
	}
	return fit[int(which)%len(fit)]
}

// refer names the original and returns 60.1.
func (p *player) refer(op byte, n int, f wireFields, r *oracleRecord) (code int) {
	at := fmt.Sprintf("%06d%06d", r.key.batch, r.key.trace)
	switch op {
	case opVoid:
		f[3], f[37], f[61] = "200000", r.rrn, at
		return 23
	case opRefund:
		f[3], f[37], f[61] = "200000", r.rrn, "0000000000000301"
		return 25
	case opReverseVoid:
		f[3], f[39], f[11] = "200000", "98", fmt.Sprintf("%06d", r.key.trace)
		return 23
	}
	f[39], f[11] = "98", fmt.Sprintf("%06d", r.key.trace)
	return 22
}

func (p *player) putPIN(f wireFields, card int, wrong byte, k *liveKeys) {
	pin := livePINs[card%liveCards]
	if wrong == wrongPIN {
		pin = "0000"
	}
	block := k.sealPIN(pin, f[2])
	f[22], f[26], f[52], f[53] = "011", "12", hex.EncodeToString(block), "2600000000000000"
	if k.sm4 {
		f[52], f[53], f[59] = strings.Repeat("0", 16), "2300000000000000", tag("A1", string(block))
	}
}

// a2Of is the serial-number authentication of a terminal for a card, or a wrong one.
func a2Of(n int, pan string, wrong byte) string {
	serial, factor := string(serialOf(n+1)), pan[len(pan)-6:]
	if wrong == otherFactor {
		factor = "123123"
	}
	proof := []byte(foldMAC(serialCipher(), []byte(serial+factor)))
	if wrong == wrongSerial {
		proof[0] ^= 1
	}
	return tag("01", "02") + tag("02", serial) + tag("03", factor) + tag("04", string(proof)) + tag("05", "1.0.0   ")
}

// livePrograms are the seeds: days of business, and each way to be wrong.
func livePrograms() (all [][]byte) {
	const fine = 1 // how: honest
	day := func(n byte) []byte {
		return []byte{
			opSignIn, n, 0, fine, 0, opSale, n, 50, fine, 0, opSalePIN, n | 4, 100, fine, 0, opBalance, n, 1, fine, 0,
			opVoid, n, 0, fine, 0, opVoid, n, 0, fine, 0, opReverseVoid, n, 0, fine, 0, opReverseSale, n, 0, fine, 0, opReverseSale, n, 0, fine, 0,
			opRepeat, n, 6, fine, 0, opSale, n, 30, fine, 0, opRepeat, n, 0, fine, 0, opRefund, n, 2, fine, 0, opRefund, n, 2, fine, 0, opVoid, n, 2, fine, 0,
			opReverseSale, n, 252, fine, 0, opSale, n, 9, fine, 0, opSale, n, 9, fine, 0, opSale, n, 9, fine, 0,
			opEcho, n, 0, fine, 0, opSettle, n, 0, fine, 0, opRepeat, n, 0, fine, 0, opSale, n, 7, fine, 0, opRestart, 0, 0, 0, 0,
			opSale, n, 8, fine, 0, opSignOff, n, 0, fine, 0, opSale, n, 8, fine, 0, opSignIn, n, 0, fine, 0, opSale, n, 8, fine, 0,
		}
	}
	for n := range byte(liveTerminals) {
		all = append(all, day(n))
		for wrong := range howCount {
			how := wrong * honestShare
			all = append(all, []byte{
				opSignIn, n, 0, fine, 0, opSignIn, n, 0, fine, 0, opSignIn, n + 1, 0, fine, 0, opSale, n, 20, fine, 0, opSignIn, n, 0, fine, 0,
				opSale, n, 50, how, 27, opSalePIN, n, 60, how, 30, opSale, n, 20, fine, 0, opVoid, n, 0, how, 40, opReverseSale, n, 0, how, 44,
				opRefund, n, 0, how, 31, opBalance, n, 3, how, 21, opSettle, n, 0, how, 25, opSale, n | 8, 3, how, 9,
			})
		}
	}
	return append(all, []byte{opSignIn, 0, 0, 1, 0, opSale, 0, 5, 1, 0, opLater, 0, 0, 144, 0, opSale, 0, 5, 1, 0, opReverseSale, 0, 0, 1, 0,
		opSignIn, 0, 0, 1, 0, opSale, 0, 5, 1, 0, opLater, 0, 181, 0, 0, opRepeat, 0, 0, 0, 0})
}

// TestLinePrograms: the seeds of FuzzLine meet what they are for, or the fuzzing says nothing.
func TestLinePrograms(t *testing.T) {
	approved, refused := map[string]int{}, map[string]int{}
	for _, p := range livePrograms() {
		o := play(t, p)
		for what, n := range o.approved {
			approved[what] += n
		}
		for code, n := range o.refused {
			refused[code] += n
		}
	}
	t.Logf("approved %v, refused %v", approved, refused)
	for _, want := range []string{"sign-in", "sale", "with a PIN", "balance", "void", "refund", "reversal of a sale", "reversal of a void",
		"reversal again", "repeat", "settlement"} {
		if approved[want] == 0 {
			t.Errorf("no %s was approved", want)
		}
	}
	for _, want := range []string{"A0", "A7", "94", "77", "55", "14", "64", "25", "22", "30"} {
		if refused[want] == 0 {
			t.Errorf("nothing was refused %s", want)
		}
	}
}

// TestForeignMAC holds the oracle's own ciphers against tusn-cipher-1 of testdata/vectors/cup.json, and its PIN
// block against itself.
func TestForeignMAC(t *testing.T) {
	k := openKeys(true, must(hex.DecodeString(liveTMK)), strings.Repeat("00", 40), 0)
	if block := k.sealPIN("123456", panOf(0)); !k.holdsPIN(block, "123456", panOf(0)) || k.holdsPIN(block, "123457", panOf(0)) {
		t.Error("a PIN block is not told apart")
	}
	// tusn-cipher-1: serial 00000304N9NL10000001, factor and key as there.
	key := must(sm4.NewCipher(must(hex.DecodeString("0123456789ABCDEFFEDCBA9876543210"))))
	if got := foldMAC(key, []byte("00000304N9NL10000001"+"163157")); got != "7D3233EE" {
		t.Errorf("tusn-cipher-1 gives %s", got)
	}
}
