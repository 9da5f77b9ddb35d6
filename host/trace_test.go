package host_test

import (
	"testing"

	"touchstone/host"
	"touchstone/pos"
	"touchstone/reason"
)

// tracer keeps what it is given.
type tracer struct {
	sample, wants bool
	got           []host.Traced
}

func (t *tracer) Sample() bool           { return t.sample }
func (t *tracer) Wants(pos.Instant) bool { return t.wants }
func (t *tracer) Traced(m *host.Traced)  { t.got = append(t.got, *m) }

// TestTraced: a sampled sale has every instant, in order; one that was not sampled is not traced; a refusal is.
func TestTraced(t *testing.T) {
	g := newRig(t)
	g.quiet()
	to := &tracer{sample: true, wants: true}
	g.line.Trace = to
	frame := pack(t, "0200", saleFields())
	g.sale(frame)
	g.x.Wipe()
	g.x.Wipe() // an idle connection's
	if len(to.got) != 1 {
		t.Fatalf("%d traced", len(to.got))
	}
	m := to.got[0]
	if m.Arrived == 0 || m.Asked < m.Arrived || m.Proved < m.Asked || m.Durable < m.Proved || m.Handed < m.Durable || m.Refused || m.Reason != reason.None || m.Terminal == (pos.TerminalID{}) || m.Entry == 0 {
		t.Errorf("a sale: %+v", m)
	}
	to.sample = false
	g.sale(frame)
	g.x.Wipe()
	if len(to.got) != 1 {
		t.Error("what was not sampled is traced")
	}
	for i, c := range faults {
		if c.want != reason.MACFailed {
			continue
		}
		g, frame := faulty(t, i)
		to := &tracer{wants: true}
		g.line.Trace = to
		n := copy(g.x.Buffer(), frame)
		g.line.Begin(g.x.Buffer()[:n], peer, g.x)
		g.line.Finish(g.x)
		g.x.Wipe()
		if len(to.got) != 1 || !to.got[0].Refused || to.got[0].Reason != reason.MACFailed || to.got[0].Asked != 0 {
			t.Errorf("a refusal: %+v", to.got)
		}
		to.wants = false
		n = copy(g.x.Buffer(), frame)
		g.line.Begin(g.x.Buffer()[:n], peer, g.x)
		g.line.Finish(g.x)
		g.x.Wipe()
		if len(to.got) != 1 {
			t.Error("a refusal beyond the bound is traced")
		}
		return
	}
}

// TestTracingCostsNoAllocation of a sale that is not sampled, nor reads a clock for it.
func TestTracingCostsNoAllocation(t *testing.T) {
	g := newRig(t)
	g.quiet()
	g.line.Trace = &tracer{}
	frame := pack(t, "0200", saleFields())
	n := testing.AllocsPerRun(1000, func() {
		g.sale(frame)
		g.x.Wipe()
	})
	if n > maxAllocs && !raceDetector {
		t.Errorf("%.0f allocations", n)
	}
}
