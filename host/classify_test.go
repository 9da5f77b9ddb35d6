package host_test

import (
	"fmt"
	"strings"
	"testing"

	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
	"touchstone/transaction"
)

// served are the functions of docs/protocol/unionpay-pos.md, sections 3.1 and 3.3, that this host serves.
var served = map[string]struct {
	need proof.Need
	op   transaction.Op
}{
	"sale": {proof.Financial, transaction.Sale}, "balance": {proof.Financial, transaction.BalanceInquiry},
	"void": {proof.Financial, transaction.Void}, "refund": {proof.Financial, transaction.Refund},
	"reversal": {proof.Financial, transaction.Reversal}, "sign-in": {proof.SignIn, transaction.NoOp},
	"sign-off": {proof.SignOff, transaction.NoOp}, "echo": {proof.Echo, transaction.NoOp},
	"status": {proof.StatusQuery, transaction.NoOp}, "tamper": {proof.TamperReport, transaction.NoOp},
	"settlement": {proof.Settlement, transaction.Settlement},
}

// rows is every row of sections 3.1 and 3.3: MTI, DE3, DE25, 60.1, 60.3 and the function, "" for one
// that is answered 40. A dash is an element that is not sent.
const rows = `
0800 - - 00 001 sign-in
0800 - - 00 003 sign-in
0800 - - 00 004 sign-in
0800 - - 00 005 sign-in
0800 - - 00 006 sign-in
0800 - - 00 401
0820 - - 00 002 sign-off
0820 - - 00 301 echo
0820 - - 00 362
0800 - - 00 360
0800 - - 00 361
0820 - - 00 372 status
0800 - - 00 370
0800 - - 00 371
0820 - - 00 373
0800 - - 00 373
0820 - - 00 382 status
0800 - - 00 380
0800 - - 00 381
0800 - - 00 351
0800 - - 00 390
0800 - - 00 391
0800 - - 00 394
0800 - - 00 395
0800 - - 00 396
0800 - - 00 397
0800 - - 00 398
0800 - - 00 399
0300 - - 01 800
0820 - - 07 800
0820 - - 07 809
0800 - - 00 352
0800 - - 00 305
0200 310000 00 01 000 balance
0200 000000 00 22 000 sale
0200 200000 00 23 000 void
0220 200000 00 25 000 refund
0100 030000 06 10 000
0100 200000 06 11 000
0200 000000 06 20 000
0200 200000 06 21 000
0220 000000 06 24 000
0220 000000 00 30 000
0220 000000 00 32 000
0220 000000 00 34 000
0200 000000 00 36 000
0200 600000 91 45 000
0200 620000 91 47 000
0200 630000 91 46 000
0200 170000 91 51 000
0200 000000 08 22 000
0100 030000 18 10 000
0200 000000 28 22 000
0200 000000 64 22 000
0400 310000 00 01 000 reversal
0400 000000 00 22 000 reversal
0400 200000 00 23 000 reversal
0400 200000 00 25 000 reversal
0400 030000 06 10 000
0400 200000 06 11 000
0400 000000 06 20 000
0400 200000 06 21 000
0500 - - 00 201 settlement
0320 - - 00 201
0320 - - 00 203
0320 - - 00 204
0320 - - 00 205
0320 - - 00 206
0320 - - 00 202
0320 - - 00 207
0620 000000 00 00 951
0800 - - 22 003
0820 - - 22 301
0500 - - 00 202
0200 000000 00 23 000
0200 200000 00 22 000
0200 310000 00 22 000
`

func TestEveryFunctionOfTheProtocol(t *testing.T) {
	for line := range strings.Lines(strings.TrimSpace(rows)) {
		c := append(strings.Fields(line), "")[:6]
		mti, function := c[0], c[5]
		f := with(saleFields(), fields{3: c[1], 25: c[2], 60: c[3] + "000012" + c[4]})
		if c[1] == "-" {
			f = with(management(mti, c[4]), fields{60: c[3] + "000012" + c[4]})
		}
		g := newRig(t)
		if function == "sign-in" {
			g.line.Policy.AllowSingleDES = true
			g.snapshot.Terminal.Profile.SignInCode = pos.NetworkCode(c[4][2] - '0')
		}
		out := unpack(t, must(t, g.say(t, pack(t, mti, f))))
		want := served[function] // the zero value is not served
		if g.x.Request.Need != want.need || g.x.Request.Op != want.op {
			t.Errorf("%v: need %d, function %s; want %d, %s", c, g.x.Request.Need, g.x.Request.Op, want.need, want.op)
		}
		if answers := parse(parseHex(mti)) + 0x10; out.mti != fmt.Sprintf("%04x", answers) {
			t.Errorf("%v: answered by %s", c, out.mti)
		}
		if function == "" {
			if out.fields[39] != "40" || g.entry.Reason != reason.FunctionUnsupported || out.fields[64] != "" {
				t.Errorf("%v: DE39 %s, %s, DE64 %q", c, out.fields[39], g.entry.Reason, out.fields[64])
			}
		} else if undoesRefund := mti == "0400" && c[3] == "25"; undoesRefund != (out.fields[39] == "40") { // 9A.5
			t.Errorf("%v: DE39 %s", c, out.fields[39])
		}
	}
}

func parseHex(s string) (v uint16, err error) {
	_, err = fmt.Sscanf(s, "%04x", &v)
	return v, err
}

func must(t testing.TB, frame []byte) []byte {
	t.Helper()
	if frame == nil {
		t.Fatal("closed without an answer")
	}
	return frame
}

func TestTamperReportsAreNamed(t *testing.T) {
	for text, want := range map[string]proof.Need{
		"TAMPER01": proof.TamperReport, "TAMPER0": proof.Unserved, "TAMPER001": proof.Unserved, "tamper01": proof.Unserved, "XAMPER01": proof.Unserved,
	} {
		g := newRig(t)
		_, f := message(t, "tamper")
		g.say(t, pack(t, "0820", with(f, fields{62: fmt.Sprintf("%x", text)})))
		if g.x.Request.Need != want {
			t.Errorf("DE62 %q: need %d, want %d", text, g.x.Request.Need, want)
		}
	}
}

// TestElementsWithoutWhich leaves out one element at a time: 30 exactly for those without which the
// function means nothing.
func TestElementsWithoutWhich(t *testing.T) {
	needs := map[string][]int{
		"sale": {2, 3, 4, 11, 41, 42, 60}, "balance": {2, 3, 11, 41, 42, 60}, "void": {3, 4, 11, 41, 42, 60},
		"refund": {3, 4, 11, 41, 42, 60}, "reversal": {4, 3, 11, 41, 42, 60}, "sign-in": {11, 41, 42, 60}, "sign-off": {11, 41, 42, 60},
		"echo": {41, 42, 60}, "status": {41, 42, 60}, "tamper": {11, 41, 42, 60}, "settlement": {11, 48, 41, 42, 60},
	}
	for function := range served {
		mti, f := message(t, function)
		for n := range f {
			g := newRig(t)
			g.healthyFor(function)
			out := unpack(t, must(t, g.say(t, pack(t, mti, with(f, fields{n: "-"})))))
			due := false
			for _, k := range needs[function] {
				due = due || k == n
			}
			// Without DE3 or DE60 the function is not the same one: 40.
			refused := g.entry.Reason == reason.MessageMalformed || (g.entry.Reason == reason.FunctionUnsupported && (n == 3 || n == 60 || n == 62))
			if due && !refused {
				t.Errorf("%s without element %d: %s", function, n, g.entry.Reason)
			}
			if !due && g.entry.Reason == reason.MessageMalformed {
				t.Errorf("%s without element %d is refused as malformed", function, n)
			}
			if refused && (out.fields[64] != "" || g.entry.Effect != 0) {
				t.Errorf("%s without element %d: DE64 %q, effect %s", function, n, out.fields[64], g.entry.Effect)
			}
		}
	}
	g := newRig(t)
	unpack(t, must(t, g.say(t, pack(t, "0200", with(saleFields(), fields{2: "-", 35: testPAN + "d30121010000000000"})))))
	if g.entry.Reason != reason.None {
		t.Errorf("a sale by track 2 alone: %s", g.entry.Reason)
	}
}

func TestNotARequestIsClosed(t *testing.T) {
	for _, mti := range []string{"0210", "0230", "0410", "0810", "0830", "0510", "0110", "0330", "0290"} {
		g := newRig(t)
		if out := g.say(t, pack(t, mti, saleFields())); out != nil {
			t.Errorf("%s was answered", mti)
		}
		if g.gathered != 0 || g.proved != 0 || g.entry.Reason != reason.FrameMalformed || g.entry.DE39 != (pos.ResponseCode{}) || g.entry.Effect != 0 {
			t.Errorf("%s: gathered %d, proved %d, %s, DE39 %q, %s", mti, g.gathered, g.proved, g.entry.Reason, g.entry.DE39, g.entry.Effect)
		}
	}
}

func TestSalvage(t *testing.T) {
	whole := pack(t, "0200", saleFields())
	for _, c := range []struct {
		name   string
		frame  []byte
		closed bool
		echoes []int
	}{
		{"a byte too many", append(whole[:len(whole):len(whole)], 0), false, []int{2, 3, 4, 11, 25, 41, 42, 49, 60}},
		{"a byte too few", whole[:len(whole)-1], false, []int{2, 3, 4, 11, 25, 41, 42, 49, 60}},
		{"cut inside DE11", whole[:11+10+9+3+6+2], false, []int{2, 3, 4}},
		{"only a bitmap", pack(t, "0200", saleFields())[:21], false, nil},
		{"a secondary bitmap", append(append(whole[:13:13], whole[13]|0x80), whole[14:]...), false, nil},
		{"an MTI that is not BCD", append(append(whole[:11:11], 0x0F), whole[12:]...), true, nil},
		{"cut, and not a request", append(append(whole[:12:12], 0x10), whole[13:40]...), true, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newRig(t)
			out := g.say(t, c.frame)
			if g.entry.Reason != reason.MessageMalformed || g.gathered != 0 || g.proved != 0 || g.entry.Effect != 0 {
				t.Errorf("%s, gathered %d, proved %d, %s", g.entry.Reason, g.gathered, g.proved, g.entry.Effect)
			}
			if c.closed {
				if out != nil || g.entry.DE39 != (pos.ResponseCode{}) {
					t.Errorf("answered %v, journaled %q", out != nil, g.entry.DE39)
				}
				return
			}
			a := unpack(t, must(t, out))
			if a.mti != "0210" || a.fields[39] != "30" || a.fields[64] != "" || a.fields[37] != "000000004711" || a.requirement != '0' {
				t.Errorf("%s, DE39 %s, DE37 %s, requirement %c", a.mti, a.fields[39], a.fields[37], a.requirement)
			}
			for _, n := range []int{2, 3, 4, 11, 25, 41, 42, 49, 60} {
				want := ""
				for _, k := range c.echoes {
					if k == n {
						want = saleFields()[n]
					}
				}
				if a.fields[n] != want {
					t.Errorf("element %d is not echoed as it was read", n)
				}
			}
		})
	}
}

func TestBytesThatAreNoFrameAreClosed(t *testing.T) {
	whole := pack(t, "0200", saleFields())
	for name, frame := range map[string][]byte{
		"nothing": {}, "a short frame": whole[:20], "a TPDU that is none": append([]byte{0x61}, whole[1:]...),
		"a header that is not BCD": append(append(whole[:6:6], 0xFA), whole[7:]...),
	} {
		g := newRig(t)
		if out := g.say(t, frame); out != nil || g.entry.Reason != reason.FrameMalformed || g.entry.DE39 != (pos.ResponseCode{}) || g.gathered != 0 {
			t.Errorf("%s: answered %v, %s, gathered %d", name, out != nil, g.entry.Reason, g.gathered)
		}
	}
	g := newRig(t)
	g.line.RefuseFrame(peer, g.x)
	if out, shut := g.line.Finish(g.x); out != nil || !shut || g.entry.Reason != reason.FrameMalformed {
		t.Errorf("RefuseFrame: shut %v, %s", shut, g.entry.Reason)
	}
}
