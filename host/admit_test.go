package host_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"touchstone/admission"
	"touchstone/host"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
)

// TestExchangeSize keeps the arithmetic of docs/design/009-admission.md.
func TestExchangeSize(t *testing.T) {
	if host.ExchangeBytes < 4096 || host.ExchangeBytes > 8<<10 {
		t.Errorf("an exchange takes %d bytes: the memory bound in the design is wrong", host.ExchangeBytes)
	}
}

// full is a gate in which ordinary work has no room, and with reserved set nothing has.
func full(reserved bool) *admission.Gate {
	g := admission.NewGate(admission.Limits{InFlight: 10, Wait: time.Hour})
	for g.Enter(now, admission.Financial) {
	}
	for reserved && g.Enter(now, admission.Reversal) {
	}
	return g
}

// TestShedBeforeAnything: without room every function but reversal, settlement and tamper report is
// refused 96 before it is proven or journaled, in the shape of every other 96; those three still
// pass, until there is no room at all.
func TestShedBeforeAnything(t *testing.T) {
	for function := range served {
		for _, all := range []bool{false, true} {
			g := newRig(t)
			g.healthyFor(function)
			mti, f := message(t, function)
			frame := pack(t, mti, f)
			committed := 0
			g.ledger.commit = func(x *host.Exchange) error { committed++; return g.commit(x) }
			g.line.Gate = full(all)
			before := g.line.Gate.Counts().ShedTotal()
			a := unpack(t, must(t, g.say(t, frame)))
			shed := g.line.Gate.Counts().ShedTotal() - before
			reserved := function == "reversal" || function == "settlement" || function == "tamper"
			if reserved && !all {
				if a.fields[39] != "00" || committed != 1 || shed != 0 {
					t.Errorf("%s: DE39 %s, %d entries, shed %d: it has reserved room", function, a.fields[39], committed, shed)
				}
				continue
			}
			looks := 0 // into memory, whether the trace was used: only where one is
			switch mti {
			case "0100", "0200", "0220":
				looks = 1
			}
			if a.fields[39] != "96" || g.gathered != looks || g.proved+committed != 0 || shed != 1 {
				t.Errorf("%s: DE39 %s, gathered %d, proved %d, %d entries, shed %d", function, a.fields[39], g.gathered, g.proved, committed, shed)
			}
			if a.fields[11] != f[11] || a.fields[41] != f[41] || a.fields[42] != f[42] || a.fields[4] != echoed(mti, f) || a.fields[64] != "" || a.fields[38] != "" {
				t.Errorf("%s: answered %v", function, a.fields)
			}
			// The same bytes as when the journal's queue is full: the wire does not tell the two apart.
			late := newRig(t)
			late.healthyFor(function)
			late.ledger.commit = func(*host.Exchange) error { return journal.ErrQueueFull }
			late.line.Gate = admission.NewGate(admission.DefaultLimits())
			if b := must(t, late.say(t, frame)); !bytes.Equal(b, must(t, g.say(t, frame))) {
				t.Errorf("%s: the queue's refusal differs from the gate's", function)
			}
			c := late.line.Gate.Counts()
			if c.InFlight != 0 || c.ShedTotal() != 1 {
				t.Errorf("%s: after the queue's refusal counted %+v", function, c)
			}
		}
	}
}

// TestShedRepeatIsClosed: of a message whose trace was used before, 96 would say that nothing happened,
// though the sale may have been approved and only its answer lost. It is closed, by the gate and by the queue.
func TestShedRepeatIsClosed(t *testing.T) {
	for _, function := range []string{"sale", "void", "refund", "balance"} {
		for name, refuse := range map[string]func(g *rig){
			"gate":  func(g *rig) { g.line.Gate = full(false) },
			"queue": func(g *rig) { g.ledger.commit = func(*host.Exchange) error { return journal.ErrQueueFull } },
		} {
			g := newRig(t)
			g.healthyFor(function)
			g.snapshot.Money.Seen, g.snapshot.Money.HasPrior = true, true
			g.snapshot.Money.Prior = *original()
			refuse(g)
			mti, f := message(t, function)
			if out := g.say(t, pack(t, mti, f)); out != nil && unpack(t, out).fields[39] == "96" {
				t.Errorf("%s: a possible repeat was answered 96 by the %s", function, name)
			}
		}
	}
}

// echoed is DE4 as the answer must carry it.
func echoed(mti string, f fields) string {
	if mti == "0200" || mti == "0220" || mti == "0400" {
		return f[4]
	}
	return ""
}

// TestShedUnreadable: what cannot be read is not journaled either when there is no room, and closed or
// answered as before.
func TestShedUnreadable(t *testing.T) {
	for name, frame := range map[string][]byte{
		"an answer": pack(t, "0210", saleFields()), "no message": {1}, "half a sale": pack(t, "0200", saleFields())[:60],
	} {
		g := newRig(t)
		g.ledger.commit = func(*host.Exchange) error { t.Errorf("%s: journaled", name); return errors.New("unwanted") }
		g.line.Gate = full(true)
		if out := g.say(t, frame); (out != nil) != (name == "half a sale") || out != nil && unpack(t, out).fields[39] != "96" {
			t.Errorf("%s: answered %x", name, out)
		}
	}
}

// TestLineIsLeft: whichever way a message ends, the gate has its room back, once.
func TestLineIsLeft(t *testing.T) {
	for name, inject := range map[string]func(*rig){
		"approved":    func(*rig) {},
		"disk broken": func(g *rig) { g.ledger.commit = func(*host.Exchange) error { return errors.New("disk") } },
		"not gathered": func(g *rig) {
			g.ledger.gather = func(*proof.Request, pos.Instant, *proof.Snapshot) error { return errors.New("disk") }
		},
		"always changing": func(g *rig) { g.ledger.commit = func(*host.Exchange) error { return host.ErrConflict } },
		"no receipt":      func(g *rig) { g.receipt = journal.Receipt{} },
		"suppressed": func(g *rig) {
			g.evidence = proof.Evidence{MAC: proof.Failed}
			g.line.Flood = spent(g)
		},
	} {
		g := newRig(t)
		g.line.Gate = admission.NewGate(admission.DefaultLimits())
		inject(g)
		for range 3 {
			g.say(t, pack(t, "0200", saleFields()))
			g.say(t, []byte{1})
		}
		if c := g.line.Gate.Counts(); c.InFlight != 0 || c.High != 1 {
			t.Errorf("%s: %d in the line, at most %d", name, c.InFlight, c.High)
		}
	}
}

// spent is a limit whose buckets are empty for everybody.
func spent(*rig) *admission.Flood {
	f := admission.NewFlood(admission.Rates{Burst: 1, Every: time.Hour, All: 1, Keys: 8, Quiet: time.Second, Summary: time.Second})
	f.Admit(now, admission.Refusal{Source: peer.Address})
	f.Probe(now, admission.Refusal{Source: peer.Address, Terminal: parse(pos.ParseTerminalID(terminalID))})
	return f
}

// TestSuppressed: in a flood every refusal without effect is answered byte for byte as when it is
// journaled, with zeros for DE37; and what has an effect, or is approved, is journaled as ever.
func TestSuppressed(t *testing.T) {
	suppressed, journaled := 0, 0
	for _, c := range faults {
		function := c.function
		if function == "" {
			function = "sale"
		}
		say := func(flood bool) (out []byte, g *rig, committed int) {
			g = newRig(t)
			g.healthyFor(function)
			if c.inject != nil {
				c.inject(g)
			}
			if flood {
				g.line.Flood = spent(g)
			}
			g.ledger.commit = func(x *host.Exchange) error { committed++; return g.commit(x) }
			mti, f := message(t, function)
			return bytes.Clone(must(t, g.say(t, pack(t, mti, with(f, c.change))))), g, committed
		}
		plain, g, _ := say(false)
		got, flooded, committed := say(true)
		sealed := unpack(t, plain).fields[64] != ""
		trace := c.want == reason.Replayed || c.want == reason.DuplicateTrace || c.want == reason.ReversedBeforeArrival
		spare := c.want != reason.None && (!sealed || trace) && g.entry.Effect == journal.NoEffect && !g.settles()
		if (committed == 0) != spare {
			t.Errorf("%s of %s: %d entries, its effect is %s", c.want, function, committed, g.entry.Effect)
			continue
		}
		if flooded.x.Refused() != g.x.Refused() {
			t.Errorf("%s: it leaves another way", c.want)
		}
		if !spare {
			if journaled++; !bytes.Equal(plain, got) {
				t.Errorf("%s: the flood changes an answer that is journaled", c.want)
			}
			continue
		}
		suppressed++
		rrn := []byte(unpack(t, plain).fields[37])
		if len(rrn) == 12 {
			plain = bytes.Replace(plain, rrn, []byte("000000000000"), 1)
		}
		if !sealed && !bytes.Equal(plain, got) {
			t.Errorf("%s: answered\n%x, journaled\n%x", c.want, got, plain)
		}
		if a := unpack(t, got); sealed && (a.fields[37] != "000000000000" || len(got) != len(plain)) {
			t.Errorf("%s: DE37 %s, %d bytes for %d", c.want, a.fields[37], len(got), len(plain))
		} else if sealed {
			flooded.entry = g.entry
			checkMAC(t, flooded, a)
		}
		if n := flooded.line.Flood.Counts().Suppressed; n != 1 {
			t.Errorf("%s: %d suppressed", c.want, n)
		}
	}
	if suppressed < 10 || journaled < 10 {
		t.Errorf("%d suppressed, %d journaled: the table is too small", suppressed, journaled)
	}
}

// settles: a settlement whose totals differ is a refusal that closes the batch.
func (g *rig) settles() bool { return g.entry.Effect == journal.Settled }

// TestSuppressedFrames: what is no message is closed, whether journaled or not.
func TestSuppressedFrames(t *testing.T) {
	g := newRig(t)
	g.line.Flood = spent(g)
	g.ledger.commit = func(*host.Exchange) error { t.Error("journaled"); return nil }
	if g.say(t, []byte{1}) != nil || g.say(t, pack(t, "0210", saleFields())) != nil {
		t.Error("answered")
	}
	if out := g.say(t, pack(t, "0200", saleFields())[:60]); unpack(t, must(t, out)).fields[39] != "30" {
		t.Error("half a message is not answered 30")
	}
	g.done = 0
	g.line.RefuseFrame(peer, g.x)
	if _, shut := g.line.Finish(g.x); !shut || g.done != 1 {
		t.Error("a frame that cannot be read is not closed")
	}
	if n := g.line.Flood.Counts().Suppressed; n != 4 {
		t.Errorf("%d suppressed", n)
	}
}

// TestProbesAreLimited: an echo test beyond its terminal's rate is refused 96, a repeat is closed, for 96
// would say of an approved sale that it was not; neither leaves an entry, and an approval always does.
func TestProbesAreLimited(t *testing.T) {
	for _, function := range []string{"echo", "status", "sale", "sign-in", "settlement"} {
		g := newRig(t)
		g.healthyFor(function)
		g.line.Flood = spent(g)
		committed := 0
		g.ledger.commit = func(x *host.Exchange) error { committed++; return g.commit(x) }
		mti, f := message(t, function)
		a := unpack(t, must(t, g.say(t, pack(t, mti, f))))
		want := "00"
		if function == "echo" || function == "status" {
			want = "96"
		}
		if a.fields[39] != want || (committed == 1) != (want == "00") {
			t.Errorf("%s: DE39 %s, %d entries", function, a.fields[39], committed)
		}
	}
	g := newRig(t)
	g.prior(1, "00")
	g.line.Flood = spent(g)
	if g.say(t, pack(t, "0200", saleFields())) != nil {
		t.Error("a repeat beyond the rate was answered")
	}
}
