package admission_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/admission"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

var rates = admission.Rates{Burst: 10, Every: time.Second, All: 100, Keys: 64, Quiet: 10 * time.Second, Summary: time.Minute}

func terminal(n int) (id pos.TerminalID) {
	for i := range id {
		id[len(id)-1-i] = byte('0' + n%10)
		n /= 10
	}
	return id
}

func from(a, b byte) pos.Address { return pos.IPv4(10, 1, a, b) }

// v6 is one address of the n-th /64.
func v6(n, host byte) pos.Address { return pos.Address{0: 0x20, 1: 0x01, 7: n, 8: host, 15: host} }

func admitted(f *admission.Flood, at pos.Instant, n int, r func(i int) admission.Refusal) (yes int) {
	for i := range n {
		if f.Admit(at, r(i)) {
			yes++
		}
	}
	return yes
}

// TestWhoIsLimited: one source, one claimed terminal from many sources, one /64, and the whole host; each
// at the burst and then at the rate.
func TestWhoIsLimited(t *testing.T) {
	for name, c := range map[string]struct {
		r     func(i int) admission.Refusal
		burst int
		rate  int // in 5 s
	}{
		"one source without a terminal": {func(int) admission.Refusal {
			return admission.Refusal{Source: from(0, 1), Reason: reason.FrameMalformed}
		}, 10, 5},
		"one source, many terminals": {func(i int) admission.Refusal {
			return admission.Refusal{from(0, 1), terminal(i), reason.TerminalUnknown}
		}, 10, 5},
		"many sources, one terminal": {func(i int) admission.Refusal {
			return admission.Refusal{from(1, byte(i)), terminal(7), reason.MACFailed}
		}, 10, 5},
		"one IPv6 network": {func(i int) admission.Refusal {
			return admission.Refusal{Source: v6(1, byte(i)), Reason: reason.FrameMalformed}
		}, 10, 5},
		"many sources, many terminals": {func(i int) admission.Refusal {
			return admission.Refusal{from(byte(i>>8), byte(i)), terminal(i), reason.TerminalUnknown}
		}, 1000, 500},
	} {
		f := admission.NewFlood(rates)
		if n := admitted(f, start, 5000, c.r); n != c.burst {
			t.Errorf("%s: %d journaled at once, want %d", name, n, c.burst)
		}
		if n := admitted(f, start.Add(5*time.Second), 5000, c.r); n != c.rate {
			t.Errorf("%s: %d journaled 5 s later, want %d", name, n, c.rate)
		}
		if n := f.Counts(); n.Journaled != uint64(c.burst+c.rate) || n.Suppressed != uint64(10000-c.burst-c.rate) || n.Keys > 2*rates.Keys {
			t.Errorf("%s: counted %+v", name, n)
		}
	}
}

// TestOthersAreNotLimited: who sends a healthy share of refusals is journaled while another floods.
func TestOthersAreNotLimited(t *testing.T) {
	f := admission.NewFlood(rates)
	admitted(f, start, 100_000, func(int) admission.Refusal { return admission.Refusal{from(0, 1), terminal(1), reason.MACFailed} })
	if n := admitted(f, start, 10, func(i int) admission.Refusal { return admission.Refusal{from(0, 2), terminal(2), reason.NotSignedIn} }); n != 10 {
		t.Errorf("%d of 10 of another were journaled", n)
	}
}

// TestSummaries: when a flood ends, one summary with every count; while it lasts, one each minute; what
// is told is not told again.
func TestSummaries(t *testing.T) {
	f := admission.NewFlood(rates)
	admitted(f, start, 110, func(i int) admission.Refusal {
		return admission.Refusal{from(0, 1), terminal(i), []reason.Reason{reason.MACFailed, reason.TerminalUnknown}[i%2]}
	})
	if got := f.Due(start.Add(rates.Quiet - 1)); len(got) != 0 {
		t.Errorf("told before it was over: %+v", got)
	}
	got := f.Due(start.Add(rates.Quiet))
	if len(got) != 1 {
		t.Fatalf("%d summaries", len(got))
	}
	s := got[0]
	if s.Source != "10.1.0.1" || s.Terminal != "" || s.Suppressed != 100 || s.Reasons["mac_failed"] != 50 || s.Reasons["terminal_unknown"] != 50 ||
		!s.First.Equal(start.Time()) || !s.Last.Equal(start.Time()) || !s.Over || s.Check() != nil {
		t.Errorf("told %+v", s)
	}
	if got := f.Due(start.Add(time.Hour)); len(got) != 0 {
		t.Errorf("told twice: %+v", got)
	}
	told, n := uint64(0), 0
	for second := range 180 {
		at := start.Add(2*time.Hour + time.Duration(second)*time.Second)
		admitted(f, at, 10, func(int) admission.Refusal { return admission.Refusal{Source: v6(3, 1), Reason: reason.FrameMalformed} })
		for _, s := range f.Due(at) {
			told, n = told+s.Suppressed, n+1
			if s.Source != "2001:0:0:3:0:0:0:0/64" || s.Over || s.Check() != nil {
				t.Errorf("told %+v", s)
			}
		}
	}
	for _, s := range f.End(start.Add(3 * time.Hour)) {
		told, n = told+s.Suppressed, n+1
		if !s.Over {
			t.Error("the end is not the end of the flood")
		}
	}
	c := f.Counts()
	if told+100 != c.Suppressed || n < 3 || n > 4 || c.Summaries != uint64(n)+1 {
		t.Errorf("%d summaries tell of %d, suppressed were %d: %+v", n, told, c.Suppressed, c)
	}
}

// TestSummariesAreBounded: a flood from thousands of sources is told in few entries, and completely.
func TestSummariesAreBounded(t *testing.T) {
	r := rates
	r.Keys = 4096
	f := admission.NewFlood(r)
	for range 20 {
		admitted(f, start, 3000, func(i int) admission.Refusal {
			return admission.Refusal{Source: from(byte(i>>8), byte(i)), Reason: reason.FrameMalformed}
		})
	}
	var told uint64
	all := f.Due(start.Add(time.Hour))
	for _, s := range all {
		told += s.Suppressed
		if s.Check() != nil {
			t.Errorf("told %+v", s)
		}
	}
	if len(all) > admission.Told+1 || told != f.Counts().Suppressed || told == 0 {
		t.Errorf("%d summaries tell of %d of %d", len(all), told, f.Counts().Suppressed)
	}
}

// TestProbes: what needs no proof and changes nothing is limited by terminal alone.
func TestProbes(t *testing.T) {
	f := admission.NewFlood(rates)
	for i := range 100 {
		got := f.Probe(start, admission.Refusal{Source: from(0, byte(i)), Terminal: terminal(1)})
		if got != (i < 10) {
			t.Fatalf("probe %d: %v", i, got)
		}
	}
	if !f.Probe(start, admission.Refusal{Source: from(0, 1), Terminal: terminal(2)}) || !f.Admit(start, admission.Refusal{from(0, 1), terminal(1), reason.MACFailed}) {
		t.Error("another terminal, or a refusal, is limited by a terminal's probes")
	}
	if s := f.Due(start.Add(time.Hour)); len(s) != 1 || s[0].Terminal != "00000001" || s[0].Reasons["rate_limited"] != 90 {
		t.Errorf("told %+v", s)
	}
}

// TestExempt: what is exempt takes no token and leaves none for the others to miss.
func TestExempt(t *testing.T) {
	f := admission.NewFlood(rates)
	f.Exempt = func(r admission.Refusal) bool { return r.Source == from(9, 9) }
	own := admission.Refusal{from(9, 9), terminal(1), reason.MACFailed}
	for range 5000 {
		if !f.Admit(start, own) || !f.Probe(start, own) {
			t.Fatal("it is limited")
		}
	}
	if n := admitted(f, start, 20, func(int) admission.Refusal { return admission.Refusal{from(0, 1), terminal(1), reason.MACFailed} }); n != rates.Burst {
		t.Errorf("%d of another were journaled, want %d", n, rates.Burst)
	}
	if n := admitted(f, start, 20, func(int) admission.Refusal { return admission.Refusal{Reason: reason.MACFailed} }); n != rates.Burst {
		t.Errorf("%d of a source that is not known were journaled, want %d", n, rates.Burst)
	}
}

// TestFloodProperties: for any sequence of sources, terminals and times, no more is journaled than the
// rates allow the whole host, each refusal is journaled or told exactly once, and memory stays bounded.
func TestFloodProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := admission.Rates{Burst: rapid.IntRange(1, 5).Draw(t, "burst"), Every: time.Second, All: rapid.IntRange(1, 5).Draw(t, "all"),
			Keys: rapid.IntRange(1, 4).Draw(t, "keys"), Quiet: 3 * time.Second, Summary: 10 * time.Second}
		f := admission.NewFlood(r)
		at := start
		var yes, n, told uint64
		tell := func(all []journal.Flood) {
			for _, s := range all {
				told += s.Suppressed
				if err := s.Check(); err != nil {
					t.Fatalf("%+v: %v", s, err)
				}
			}
		}
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			at = at.Add(time.Duration(rapid.Int64Range(0, int64(2*time.Second)).Draw(t, "pause")))
			if f.Admit(at, admission.Refusal{from(0, rapid.Byte().Draw(t, "source")%7), terminal(rapid.IntRange(0, 6).Draw(t, "terminal")), reason.MACFailed}) {
				yes++
			}
			n++
			tell(f.Due(at))
		}
		tell(f.End(at))
		if allowed := float64(r.Burst*r.All) + at.Sub(start).Seconds()*float64(r.All) + 1; float64(yes) > allowed {
			t.Fatalf("%d were journaled, %.1f are allowed", yes, allowed)
		}
		if c := f.Counts(); yes+told != n || c.Journaled != yes || c.Suppressed != told || c.Keys > 3*r.Keys {
			t.Fatalf("%d refusals: %d journaled, %d told, %+v", n, yes, told, c)
		}
	})
}
