package host_test

import (
	"bytes"
	"testing"

	"touchstone/host"
	"touchstone/iso8583"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// seeker copies what it is told, as it must.
type seeker struct {
	told []host.Refused
	seen [][]byte
	pans []string
}

func (s *seeker) Refused(r host.Refused) {
	s.told, s.seen = append(s.told, r), append(s.seen, bytes.Clone(r.Frame))
	r.PAN.Use(func(digits []byte) { s.pans = append(s.pans, string(digits)) })
}

var _ host.Diagnoser = (*seeker)(nil)

// faulty is a rig that refuses for the reason of a fault, and the frame it refuses.
func faulty(t *testing.T, i int) (*rig, []byte) {
	t.Helper()
	c, g := faults[i], newRig(t)
	function := c.function
	if function == "" {
		function = "sale"
	}
	g.healthyFor(function)
	if c.inject != nil {
		c.inject(g)
	}
	mti, f := message(t, function)
	return g, pack(t, mti, with(f, c.change))
}

// TestToldOfRefusals: exactly the refusals behind which a cause may be found are told, each once, when its answer was
// copied and before its bytes are forgotten.
func TestToldOfRefusals(t *testing.T) {
	sought := 0
	for i, c := range faults {
		g, frame := faulty(t, i)
		s := new(seeker)
		g.line.Causes = s
		g.say(t, frame)
		if len(s.told) != 0 {
			t.Errorf("%s: told before its answer was copied", c.want)
		}
		g.x.Wipe()
		g.x.Wipe() // as when a connection ends before another frame came
		want := 0
		if c.want.Sought() {
			want = 1
			sought++
		}
		if len(s.told) != want {
			t.Errorf("%s: told %d times, want %d", c.want, len(s.told), want)
			continue
		}
		if want == 0 {
			continue
		}
		r := s.told[0]
		if r.Verdict != 4711 || r.Arrived != now || r.Reason != c.want || !bytes.Equal(s.seen[0], frame) || r.Message != iso8583.EnvelopeSize || s.pans[0] != testPAN {
			t.Errorf("%s: told of entry %d, reason %s, %d of %d bytes", c.want, r.Verdict, r.Reason, len(s.seen[0]), len(frame))
		}
		if hasPIN := c.want == reason.PINFormat; r.PIN != hasPIN {
			t.Errorf("%s: holds a PIN block: %t", c.want, r.PIN)
		}
		if r.Proven != g.x.Proven() {
			t.Errorf("%s: MAC verified %t", c.want, r.Proven)
		}
		if bytes.Count(r.Frame, []byte{0}) != len(r.Frame) {
			t.Errorf("%s: its bytes were not forgotten", c.want)
		}
	}
	if sought < 6 {
		t.Errorf("%d reasons in the table are sought", sought)
	}
}

// TestNotToldOf: what has no entry of its own, was never read, or is made to be refused.
func TestNotToldOf(t *testing.T) {
	at := 0
	for i, c := range faults {
		if c.want == reason.MACFailed {
			at = i
		}
	}
	for name, spoil := range map[string]func(*rig){
		"only counted":             func(g *rig) { g.line.Flood = spent(g) },
		"of a canary":              func(g *rig) { g.snapshot.Terminal.Canary = true },
		"nobody listens":           func(g *rig) { g.line.Causes = nil },
		"the journal took nothing": func(g *rig) { g.receipt = receipt(t, 1, journal.Claim) },
	} {
		g, frame := faulty(t, at)
		s := new(seeker)
		g.line.Causes = s
		spoil(g)
		n := copy(g.x.Buffer(), frame)
		g.line.Begin(g.x.Buffer()[:n], peer, g.x)
		g.line.Finish(g.x)
		g.x.Wipe()
		if len(s.told) != 0 {
			t.Errorf("%s: told", name)
		}
	}
	g, frame := faulty(t, at)
	s := new(seeker)
	g.line.Causes = s
	g.say(t, frame)
	g.x.Wipe()
	g.line.RefuseFrame(peer, g.x) // the next bytes are no frame
	g.line.Finish(g.x)
	g.x.Wipe()
	if len(s.told) != 1 {
		t.Errorf("told %d times of one refusal", len(s.told))
	}
}

// TestTellingCostsNoAllocation: neither for a sale nor for a refusal.
func TestTellingCostsNoAllocation(t *testing.T) {
	g := newRig(t)
	g.quiet()
	g.line.Causes = noSeeker{}
	frame := pack(t, "0200", saleFields())
	for _, refuse := range []bool{false, true} {
		if refuse {
			g.evidence.MAC = 0
			g.evidence.Serial = 0
		}
		n := testing.AllocsPerRun(1000, func() {
			g.sale(frame)
			g.x.Wipe()
		})
		if n > maxAllocs && !raceDetector {
			t.Errorf("refused %t: %.0f allocations", refuse, n)
		}
	}
}

type noSeeker struct{}

func (noSeeker) Refused(r host.Refused) {
	if r.Verdict == 0 || r.Request.Terminal == (pos.TerminalID{}) {
		panic("told of nothing")
	}
}
