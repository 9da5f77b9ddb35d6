package host_test

import (
	"bytes"
	"testing"

	"touchstone/host"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// sampler copies what it is lent, as it must.
type sampler struct {
	entries []uint64
	refused []bool
	frames  [][]byte
	pick    bool
}

func (s *sampler) Handed(m host.Sampled) {
	s.entries, s.refused, s.frames = append(s.entries, m.Entry), append(s.refused, m.Refused), append(s.frames, bytes.Clone(m.Frame))
}

func (s *sampler) Pick(pos.Instant) bool { return s.pick }

var _ host.Sampler = (*sampler)(nil)

// TestLentAfterTheAnswer: every message that has an entry of its own is lent once, whole, when its answer was copied and
// before its bytes are forgotten; what the card's bank refused is no refused proof.
func TestLentAfterTheAnswer(t *testing.T) {
	for i, c := range faults {
		g, frame := faulty(t, i)
		s := new(sampler)
		g.line.Samples = s
		g.say(t, frame)
		if len(s.entries) != 0 {
			t.Errorf("%s: lent before its answer was copied", c.want)
		}
		g.x.Wipe()
		g.x.Wipe() // as when a connection ends before another frame came
		if len(s.entries) != 1 {
			t.Errorf("%s: lent %d times", c.want, len(s.entries))
			continue
		}
		if want := c.want != reason.None && !c.want.OfIssuer(); s.entries[0] != 4711 || s.refused[0] != want || !bytes.Equal(s.frames[0], frame) {
			t.Errorf("%s: entry %d, refused %t, want %t, %d of %d bytes", c.want, s.entries[0], s.refused[0], want, len(s.frames[0]), len(frame))
		}
	}
}

// TestNotLent: what was only counted, is of a reserved terminal, or reached no journal.
func TestNotLent(t *testing.T) {
	at := 0
	for i, c := range faults {
		if c.want == reason.MACFailed {
			at = i
		}
	}
	for name, spoil := range map[string]func(*rig){
		"only counted":             func(g *rig) { g.line.Flood = spent(g) },
		"of a canary":              func(g *rig) { g.snapshot.Terminal.Canary = true },
		"the journal took nothing": func(g *rig) { g.receipt = receipt(t, 1, journal.Claim) },
	} {
		g, frame := faulty(t, at)
		s := new(sampler)
		g.line.Samples = s
		spoil(g)
		n := copy(g.x.Buffer(), frame)
		g.line.Begin(g.x.Buffer()[:n], peer, g.x)
		g.line.Finish(g.x)
		g.x.Wipe()
		if len(s.entries) != 0 {
			t.Errorf("%s: lent", name)
		}
	}
}

type noSampler struct{}

func (noSampler) Pick(pos.Instant) bool { return false }
func (noSampler) Handed(host.Sampled)   {}

// TestLendingCostsNoAllocation of a sale.
func TestLendingCostsNoAllocation(t *testing.T) {
	g := newRig(t)
	g.quiet()
	g.line.Samples = noSampler{}
	frame := pack(t, "0200", saleFields())
	n := testing.AllocsPerRun(1000, func() {
		g.sale(frame)
		g.x.Wipe()
	})
	if n > maxAllocs && !raceDetector {
		t.Errorf("%.0f allocations", n)
	}
}
