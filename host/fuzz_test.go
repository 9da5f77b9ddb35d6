package host_test

import (
	"testing"

	"touchstone/host"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
)

func seeds(f *testing.F) {
	for function := range served {
		mti, m := message(f, function)
		frame := pack(f, mti, m)
		f.Add(frame)
		f.Add(frame[:len(frame)-3])
	}
	for _, c := range faults {
		if c.function == "" && c.change != nil {
			f.Add(pack(f, "0200", with(saleFields(), c.change)))
		}
	}
	_, tamper := message(f, "tamper")
	f.Add(pack(f, "0820", with(tamper, fields{64: "4535383035454342"})))
	f.Add(pack(f, "0210", saleFields()))
}

// FuzzBegin: any frame over fakes that fail every proof: no panic, no approval of a message that must
// be proven, no effect on money or keys but a sign-in's, which is proven by its keys being useless to
// anyone else.
func FuzzBegin(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, frame []byte) {
		if len(frame) > 2048 {
			return
		}
		for _, signedIn := range []bool{true, false} {
			g := newRig(t)
			g.view.Original = original()
			g.evidence = proof.Evidence{MAC: proof.Failed, Serial: proof.Failed, Factor: proof.Failed, Track: proof.Failed, TrackPAN: proof.Failed}
			if !signedIn {
				g.snapshot.Session = keys.Session{}
			}
			out := g.say(t, frame)
			need := g.x.Request.Need
			if out != nil {
				a := unpackTo(t, frame, out)
				if proven := need == proof.Financial || need == proof.TamperReport; a.fields[39] == "00" && (proven || need == proof.Unserved) {
					t.Fatalf("approved: need %d", need)
				}
				if a.fields[64] != "" {
					t.Fatal("a MAC although the request's own did not verify")
				}
			}
			switch g.entry.Effect {
			case journal.NoEffect, journal.KeysIssued, journal.SignedOff, journal.Settled:
			default:
				t.Fatalf("effect %s", g.entry.Effect)
			}
			if g.entry.Delta != 0 || g.asked != nil {
				t.Fatal("money moved, or a PIN was examined")
			}
		}
	})
}

// FuzzBeginProven: any frame over fakes that pass every proof: no panic, and what leaves can be decoded.
func FuzzBeginProven(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, frame []byte) {
		if len(frame) > 2048 {
			return
		}
		g := newRig(t)
		g.view.Original, g.view.Sale = original(), original()
		g.evidence = proof.Evidence{MAC: proof.Passed, Serial: proof.Passed, Factor: proof.Passed, Track: proof.Passed, TrackPAN: proof.Passed}
		if out := g.say(t, frame); out != nil {
			unpackTo(t, frame, out)
		}
		g.snapshot.Session = keys.Session{}
		if out := g.say(t, frame); out != nil {
			unpackTo(t, frame, out)
		}
	})
}

// sale runs one sale through Begin and Finish.
func (g *rig) sale(frame []byte) bool {
	n := copy(g.x.Buffer(), frame)
	g.line.Begin(g.x.Buffer()[:n], peer, g.x)
	out, _ := g.line.Finish(g.x)
	return len(out) > 0 && g.entry.Effect == journal.Sold
}

// quiet takes out of the fakes what allocates.
func (g *rig) quiet() {
	view := g.view
	view.Card = g.card
	g.ledger.commit = func(x *host.Exchange) error {
		e := x.Conclude(view)
		g.entry.Effect = e.Effect
		x.Committed(g.receipt)
		return nil
	}
	g.line.Sealer = fakeSealer(func(pos.TerminalID, *keys.Set, mac.Algorithm, []byte) (m [8]byte, _ error) {
		copy(m[:], "E5805ECB")
		return m, nil
	})
}

// maxAllocs is the most allocations of a sale on the line, the fakes' own not counted.
const maxAllocs = 0

func TestAllocations(t *testing.T) {
	g := newRig(t)
	g.quiet()
	frame := pack(t, "0200", saleFields())
	if !g.sale(frame) {
		t.Fatal("not sold")
	}
	n := testing.AllocsPerRun(1000, func() { g.sale(frame) })
	t.Logf("%.0f allocations a sale", n)
	if n > maxAllocs && !raceDetector {
		t.Errorf("%.0f allocations a sale, the most is %d", n, maxAllocs)
	}
}

func BenchmarkLineFakes(b *testing.B) {
	g := newRig(b)
	g.quiet()
	frame := pack(b, "0200", saleFields())
	b.ReportAllocs()
	for b.Loop() {
		if !g.sale(frame) {
			b.Fatal("not sold")
		}
	}
}
