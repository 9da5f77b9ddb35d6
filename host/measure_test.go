package host_test

import (
	"bytes"
	"testing"
	"time"

	"touchstone/host"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/reason"
)

// judged is a sampler that keeps what a message was judged by, and its times.
type judged struct {
	pick bool
	host.Judged
	snapshot proof.Snapshot
	laps     *proof.Laps
	told     int
}

func (s *judged) Pick(pos.Instant) bool { return s.pick }

func (s *judged) Handed(m host.Sampled) {
	s.told++
	s.Judged, s.snapshot, s.laps = m.Judged, *m.Snapshot, nil
	s.Judged.Snapshot = &s.snapshot
	if m.Laps != nil {
		kept := *m.Laps
		s.laps = &kept
	}
}

// ticking is a clock that goes on by one microsecond with each reading.
func ticking(from pos.Instant) func() pos.Instant {
	return func() pos.Instant { from += pos.Instant(time.Microsecond); return from }
}

// everyCheck: what was passed or failed has a time, and no stretch ends before it began.
func everyCheck(t *testing.T, name string, laps *proof.Laps, checks proof.States) {
	t.Helper()
	taken, whole := laps.Taken()
	if !whole {
		t.Errorf("%s: %d laps", name, laps.N)
	}
	spent, last := map[proof.Step]uint32{}, uint32(0)
	for _, lap := range taken {
		if lap.To < last {
			t.Errorf("%s: %s ends at %d, the one before it at %d", name, lap.Step, lap.To, last)
		}
		spent[lap.Step] += lap.To - last
		last = lap.To
	}
	for c := range proof.Checks {
		if done := checks.Of(c) != proof.NotRun; done && spent[proof.Step(c)] == 0 {
			t.Errorf("%s: %s %s and has no time", name, c, checks.Of(c))
		}
	}
}

// TestMeasuredAgain: a refused message is judged again by what it was judged by, with the same result and with a time of each
// check; nothing is committed, nobody is told, and nothing is left of it. One that is judged otherwise has no times.
func TestMeasuredAgain(t *testing.T) {
	measured := 0
	for i, c := range faults {
		g, frame := faulty(t, i)
		s := new(judged)
		g.line.Samples = s
		g.say(t, frame)
		g.x.Wipe()
		if c.want == reason.None || c.want.OfIssuer() || s.told == 0 {
			continue
		}
		commits, told := g.done, s.told
		g.line.Clock = ticking(s.Arrived)
		x := g.line.NewExchange(nil)
		laps, same := g.line.Measure(x, frame, &s.Judged)
		if !same { // what comes after the proofs refused, which is not asked again: money rules, PIN and card
			switch at, _ := s.Checks.First(); at {
			case proof.Original, proof.PIN, proof.CardholderVerification, proof.CardCheck, proof.BalanceCheck:
			default:
				t.Errorf("%s: judged otherwise, at %s", c.want, at)
			}
			continue
		}
		measured++
		everyCheck(t, c.want.String(), laps, s.Checks)
		if g.done != commits || s.told != told || bytes.Contains(x.Buffer(), frame[len(frame)-20:]) {
			t.Errorf("%s: %d commits, told %d times, or left in memory", c.want, g.done-commits, s.told-told)
		}
		other := s.Judged
		other.Reason = reason.JournalUnavailable // for which no check refuses
		if _, same := g.line.Measure(x, frame, &other); same {
			t.Errorf("%s: the times of another judgment", c.want)
		}
	}
	if measured < 20 {
		t.Errorf("only %d refusals were measured", measured)
	}
}

// TestMeasuredLive: a message that is picked has a time of each check, from its arrival to its entry; the next one, which is
// not, has none.
func TestMeasuredLive(t *testing.T) {
	g := newRig(t)
	s := &judged{pick: true}
	g.line.Samples = s
	at := g.line.Clock()
	g.line.Clock = ticking(at)
	frame := pack(t, "0200", saleFields())
	g.say(t, frame)
	g.x.Wipe()
	if s.laps == nil {
		t.Fatal("no times")
	}
	everyCheck(t, "a sale", s.laps, s.Checks)
	taken, _ := s.laps.Taken()
	if end := taken[len(taken)-1]; end.Step != proof.Entered || s.laps.Begun != s.Arrived || end.To/1000 < g.entry.ElapsedUS {
		t.Errorf("the last lap is %s after %d ns; decided after %d µs", end.Step, end.To, g.entry.ElapsedUS)
	}
	s.pick = false
	g.say(t, frame)
	g.x.Wipe()
	if s.told != 2 || s.laps != nil {
		t.Errorf("told %d times; one that was not picked has times", s.told)
	}
}

// picky picks every message.
type picky struct{ noSampler }

func (picky) Pick(pos.Instant) bool { return true }

// BenchmarkLineSampled is a sale that is not picked, which is nearly every one, and one that is.
func BenchmarkLineSampled(b *testing.B) {
	for name, s := range map[string]host.Sampler{"not-picked": noSampler{}, "picked": picky{}} {
		b.Run(name, func(b *testing.B) {
			g := newRig(b)
			g.quiet()
			begun, at := time.Now(), g.line.Clock()
			g.line.Clock = func() pos.Instant { return at + pos.Instant(time.Since(begun)) }
			g.line.Samples = s
			frame := pack(b, "0200", saleFields())
			b.ReportAllocs()
			for b.Loop() {
				if !g.sale(frame) {
					b.Fatal("not sold")
				}
				g.x.Wipe()
			}
		})
	}
}
