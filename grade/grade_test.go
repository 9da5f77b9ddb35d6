package grade_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/grade"
	"touchstone/journal"
	"touchstone/keys"
	"touchstone/paycrypto/mac"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
)

const day = 24 * time.Hour

var (
	now    = pos.Instant(20_000 * day)
	th     = grade.DefaultThresholds()
	strict = grade.Facts{Code: keys.SignInTDESTrack, MAC: registry.MACX919, TrackOnly: true, SerialKey: true, Client: true, Master: true, MasterAt: now - pos.Instant(day),
		Seen: grade.Seen{First: now - pos.Instant(day), Last: now, Algorithms: 1 << mac.X919, InForce: now - pos.Instant(time.Hour), SignIns: 1, Sales: 9, PINs: 9, SealedTracks: 3, TLS13: 9}}
)

// TestOf: every reason of every axis, each from the strictest terminal by one change.
func TestOf(t *testing.T) {
	for name, c := range map[string]struct {
		change func(f *grade.Facts)
		axis   grade.Axis
		level  grade.Level
		why    grade.Why
	}{
		"X9.19":                           {func(*grade.Facts) {}, grade.MAC, grade.Strong, 0},
		"folded, single DES":              {func(f *grade.Facts) { f.MAC, f.Seen.Algorithms = "", 1<<mac.UnionPayECBDES }, grade.MAC, grade.Weak, grade.XORFold | grade.SingleDES},
		"folded, registered alone":        {func(f *grade.Facts) { f.MAC, f.Seen.Algorithms = registry.MACECB3DES, 0 }, grade.MAC, grade.Weak, grade.XORFold | grade.NotSeen},
		"open chain":                      {func(f *grade.Facts) { f.MAC, f.Seen.Algorithms = registry.MACX99, 1<<mac.CBCMACTDES }, grade.MAC, grade.Weak, grade.OpenChain},
		"strong by register, weak lately": {func(f *grade.Facts) { f.Seen.Algorithms |= 1 << mac.UnionPayECBDES }, grade.MAC, grade.Weak, grade.XORFold | grade.SingleDES},
		"weak by register, strong lately": {func(f *grade.Facts) { f.MAC = registry.MACECB }, grade.MAC, grade.Weak, grade.XORFold | grade.SingleDES},
		"SM4 is folded": {func(f *grade.Facts) {
			f.MAC, f.Code, f.Seen.Algorithms = "", keys.SignInSM4Track, 1<<mac.UnionPayECBSM4
		}, grade.MAC, grade.Weak, grade.XORFold},
		"no sign-in code": {func(f *grade.Facts) { f.Code = 0 }, grade.MAC, grade.None, grade.NoMAC},

		"signed in an hour ago":      {func(*grade.Facts) {}, grade.WorkingKey, grade.Strong, 0},
		"a day and a moment":         {func(f *grade.Facts) { f.Seen.InForce = now - pos.Instant(day+1) }, grade.WorkingKey, grade.Accepted, grade.SignInAging},
		"two days and a moment":      {func(f *grade.Facts) { f.Seen.InForce = now - pos.Instant(2*day+1) }, grade.WorkingKey, grade.Weak, grade.SignInOld},
		"two days":                   {func(f *grade.Facts) { f.Seen.InForce = now - pos.Instant(2*day) }, grade.WorkingKey, grade.Accepted, grade.SignInAging},
		"24 sign-ins in a day":       {func(f *grade.Facts) { f.Seen.SignIns = 24 }, grade.WorkingKey, grade.Strong, 0},
		"25 sign-ins in a day":       {func(f *grade.Facts) { f.Seen.SignIns = 25 }, grade.WorkingKey, grade.Weak, grade.ManySignIns},
		"25 sign-ins within an hour": {func(f *grade.Facts) { f.Seen.SignIns, f.Seen.First = 25, now-pos.Instant(time.Hour) }, grade.WorkingKey, grade.Weak, grade.ManySignIns},
		"25 sign-ins in two days":    {func(f *grade.Facts) { f.Seen.SignIns, f.Seen.First = 25, now-pos.Instant(2*day) }, grade.WorkingKey, grade.Strong, 0},
		"not signed in":              {func(f *grade.Facts) { f.Seen.InForce = 0 }, grade.WorkingKey, grade.Accepted, grade.NotSignedIn},

		"master key of yesterday":     {func(*grade.Facts) {}, grade.MasterKey, grade.Strong, 0},
		"of a year and a moment":      {func(f *grade.Facts) { f.MasterAt = now - pos.Instant(365*day+1) }, grade.MasterKey, grade.Accepted, grade.MasterAging},
		"of three years and a moment": {func(f *grade.Facts) { f.MasterAt = now - pos.Instant(3*365*day+1) }, grade.MasterKey, grade.Weak, grade.MasterOld},
		"of an unknown day":           {func(f *grade.Facts) { f.MasterAt = 0 }, grade.MasterKey, grade.Weak, grade.MasterUndated},
		"none":                        {func(f *grade.Facts) { f.Master = false }, grade.MasterKey, grade.None, grade.NoMaster},
		"of single length":            {func(f *grade.Facts) { f.Code = keys.SignInDES }, grade.MasterKey, grade.Weak, grade.SingleDES},

		"ISO 0 under TDES":              {func(*grade.Facts) {}, grade.PIN, grade.Accepted, grade.SamePIN},
		"SM4":                           {func(f *grade.Facts) { f.Code = keys.SignInSM4 }, grade.PIN, grade.Accepted, grade.SamePIN},
		"under single DES":              {func(f *grade.Facts) { f.Code = keys.SignInDES }, grade.PIN, grade.Weak, grade.SamePIN | grade.SingleDES},
		"without PAN":                   {func(f *grade.Facts) { f.WithoutPAN = true }, grade.PIN, grade.Weak, grade.SamePIN | grade.WithoutPAN},
		"without PAN, SM4 has one form": {func(f *grade.Facts) { f.WithoutPAN, f.Code = true, keys.SignInSM4 }, grade.PIN, grade.Accepted, grade.SamePIN},
		"no sale carried one":           {func(f *grade.Facts) { f.Seen.PINs = 0 }, grade.PIN, grade.Weak, grade.SamePIN | grade.NoPIN},
		"one sale carried one":          {func(f *grade.Facts) { f.Seen.PINs = 1 }, grade.PIN, grade.Accepted, grade.SamePIN},
		"no sale lately":                {func(f *grade.Facts) { f.Seen.Sales, f.Seen.PINs = 0, 0 }, grade.PIN, grade.Accepted, grade.SamePIN | grade.NotSeen},

		"serial key":                 {func(*grade.Facts) {}, grade.Serial, grade.Strong, 0},
		"serial key, no sale lately": {func(f *grade.Facts) { f.Seen.Sales = 0 }, grade.Serial, grade.Strong, grade.NotSeen},
		"no serial key":              {func(f *grade.Facts) { f.SerialKey = false }, grade.Serial, grade.Weak, grade.NoSerialKey},
		"a sale without the proof":   {func(f *grade.Facts) { f.Seen.SerialMissed = 1 }, grade.Serial, grade.None, grade.SerialMissed},

		"sealed alone":    {func(*grade.Facts) {}, grade.Track, grade.Strong, 0},
		"clear allowed":   {func(f *grade.Facts) { f.TrackOnly = false }, grade.Track, grade.Accepted, grade.ClearAllowed},
		"clear came":      {func(f *grade.Facts) { f.TrackOnly, f.Seen.ClearTracks = false, 1 }, grade.Track, grade.Weak, grade.ClearAllowed | grade.ClearTrack},
		"no track key":    {func(f *grade.Facts) { f.Code = keys.SignInTDES }, grade.Track, grade.Weak, grade.ClearTrack},
		"no track lately": {func(f *grade.Facts) { f.Seen.SealedTracks = 0 }, grade.Track, grade.Strong, grade.NotSeen},

		"TLS 1.3, certificate":      {func(*grade.Facts) {}, grade.Transport, grade.Strong, 0},
		"TLS 1.2, certificate":      {func(f *grade.Facts) { f.Seen.TLS12 = 1 }, grade.Transport, grade.Accepted, grade.TLS12},
		"TLS 1.3, no certificate":   {func(f *grade.Facts) { f.Client = false }, grade.Transport, grade.Accepted, grade.NoClient},
		"certificate revoked":       {func(f *grade.Facts) { f.Revoked = true }, grade.Transport, grade.Weak, grade.ClientRevoked},
		"one message in the clear":  {func(f *grade.Facts) { f.Seen.Plain = 1 }, grade.Transport, grade.Weak, grade.PlainTCP},
		"certificate, not heard":    {func(f *grade.Facts) { f.Seen.TLS13 = 0 }, grade.Transport, grade.Strong, grade.NotSeen},
		"no certificate, not heard": {func(f *grade.Facts) { f.Seen.TLS13, f.Client = 0, false }, grade.Transport, grade.Weak, grade.NoClient | grade.PlainTCP | grade.NotSeen},
	} {
		f := strict
		c.change(&f)
		g := grade.Of(&f, th, now)
		if got := g[c.axis]; got.Level != c.level || got.Why != c.why {
			t.Errorf("%s: %s is %s %v, want %s %v", name, c.axis, got.Level, got.Why.Words(), c.level, c.why.Words())
		}
	}
	g := grade.Of(&strict, th, now)
	if g.Overall() != grade.Accepted || !slices.Equal(g.Weakest(), []grade.Axis{grade.PIN}) {
		t.Errorf("the strictest terminal of the dialect is %s by %v", g.Overall(), g.Weakest())
	}
}

func anyFacts(t *rapid.T) grade.Facts {
	count := func(label string) uint32 { return rapid.Uint32Range(0, 3).Draw(t, label) }
	at := func(label string) pos.Instant {
		return rapid.SampledFrom([]pos.Instant{0, now, now - pos.Instant(30*time.Hour), now - pos.Instant(60*time.Hour), now - pos.Instant(500*day), now - pos.Instant(2000*day)}).Draw(t, label)
	}
	yes := func(label string) bool { return rapid.Bool().Draw(t, label) }
	f := grade.Facts{Code: rapid.SampledFrom([]pos.NetworkCode{0, 1, 3, 4, 5, 6}).Draw(t, "code"), WithoutPAN: yes("without PAN"), TrackOnly: yes("track"),
		SerialKey: yes("serial"), Client: yes("client"), Revoked: yes("revoked"), Master: yes("master"), MasterAt: at("master at")}
	if keys.CipherOf(f.Code) == keys.TDES {
		f.MAC = rapid.SampledFrom([]registry.MACProfile{"", registry.MACECB, registry.MACECB3DES, registry.MACX99, registry.MACX919}).Draw(t, "mac")
	}
	f.Seen = grade.Seen{InForce: at("in force"), SignIns: 10 * count("sign-ins"), Sales: count("sales"), SerialMissed: count("missed"), ClearTracks: count("clear"),
		SealedTracks: count("sealed"), Plain: count("plain"), TLS12: count("1.2"), TLS13: count("1.3")}
	f.Seen.PINs = min(count("PINs"), f.Seen.Sales)
	if yes("heard") {
		f.Seen.First, f.Seen.Last = now-pos.Instant(day), now
		f.Seen.Algorithms = 1 << proof.AlgorithmOf(f.MAC, f.Code) &^ 1
	}
	return f
}

// TestMonotone: raising one axis never lowers the whole, and no step lowers any axis. The path ends where it says.
func TestMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := anyFacts(t)
		g := grade.Of(&f, th, now)
		raised := g
		axis := grade.Axis(rapid.IntRange(0, int(grade.Axes)-1).Draw(t, "axis"))
		raised[axis].Level = grade.Level(rapid.IntRange(int(g[axis].Level), int(grade.Strong)).Draw(t, "level"))
		if raised.Overall() < g.Overall() || raised.Sum() < g.Sum() {
			t.Fatalf("%s from %s to %s lowers the whole", axis, g[axis].Level, raised[axis].Level)
		}
		for _, weak := range g.Weakest() {
			if g[weak].Level != g.Overall() {
				t.Fatalf("%s is not the weakest", weak)
			}
		}
		for s := range grade.Steps {
			after, ok := s.Apply(f, now)
			if !ok {
				continue
			}
			to := grade.Of(&after, th, now)
			for a := range grade.Axes {
				if to[a].Level < g[a].Level {
					t.Fatalf("%s lowers %s from %s %v to %s %v", s, a, g[a].Level, g[a].Why.Words(), to[a].Level, to[a].Why.Words())
				}
			}
		}
		steps, end := grade.Path(f, th, now)
		at := g
		for i, step := range steps {
			if step.Before != at && i == 0 {
				t.Fatalf("the path begins elsewhere")
			}
			at = step.After
		}
		if len(steps) > 0 && steps[len(steps)-1].After.Sum() > end.Sum() {
			t.Fatal("the path ends below its last step")
		}
		if end.Overall() < g.Overall() {
			t.Fatal("a path lowers the whole")
		}
	})
}

// TestPath: the steps of some terminals, in order; the steps' needs come before them.
func TestPath(t *testing.T) {
	bare := grade.Facts{Code: keys.SignInDES, WithoutPAN: true, Master: true, Seen: grade.Seen{First: 1, Last: now, Algorithms: 1 << mac.UnionPayECBDES, Sales: 3, PINs: 3, ClearTracks: 2, Plain: 5}}
	sm4 := grade.Facts{Code: keys.SignInSM4, Master: true, MasterAt: now, SerialKey: true, Client: true, Seen: grade.Seen{First: 1, Last: now, Algorithms: 1 << mac.UnionPayECBSM4, TLS13: 5}}
	for name, c := range map[string]struct {
		facts grade.Facts
		want  []grade.Step
		end   grade.Level
	}{
		"nothing to do":    {strict, nil, grade.Accepted},
		"the barest":       {bare, []grade.Step{grade.DoubleKey, grade.PINBound, grade.RetailMAC, grade.TrackKey, grade.TrackSealed, grade.UseTLS, grade.Certificate, grade.SerialKey}, grade.Accepted},
		"SM4 stays folded": {sm4, []grade.Step{grade.TrackKey, grade.TrackSealed}, grade.Weak},
	} {
		steps, end := grade.Path(c.facts, th, now)
		var got []grade.Step
		for _, s := range steps {
			got = append(got, s.Step)
		}
		if !slices.Equal(got, c.want) || end.Overall() != c.end {
			t.Errorf("%s: %v to %s, want %v to %s", name, got, end.Overall(), c.want, c.end)
		}
	}
}

// TestPlan: gains add up, nothing comes before what it needs, and what no step helps is counted.
func TestPlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p grade.Plan
		var fleet grade.Fleet
		sums := 0
		for i := range rapid.IntRange(1, 20).Draw(t, "terminals") {
			f := anyFacts(t)
			g := grade.Of(&f, th, now)
			n := grade.Named{Terminal: pos.TerminalID{byte('0' + i/10), byte('0' + i%10)}, Model: "M"}
			fleet.Add(n, &g)
			p.Add(n, &f, th, now)
			steps, _ := grade.Path(f, th, now)
			for _, s := range steps {
				sums += s.Raised()
			}
		}
		for _, task := range p.Tasks() {
			sums -= task.Gain
		}
		if sums != 0 || p.Before != fleet.Overall || p.Terminals != fleet.Terminals {
			t.Fatalf("the plan's gains differ by %d from those of its terminals", sums)
		}
		seen := map[grade.Step]bool{}
		for _, task := range p.Tasks() {
			for _, need := range task.After {
				if !seen[need] {
					t.Fatalf("%s comes before %s, which it needs", task.Step, need)
				}
			}
			seen[task.Step] = true
		}
		for i := 1; i < len(fleet.Worst); i++ {
			if a, b := fleet.Worst[i-1].Grade, fleet.Worst[i].Grade; a.Overall() > b.Overall() {
				t.Fatal("the worst is not first")
			}
		}
	})
}

// TestBook: what the journal saw, forgotten after two stretches.
func TestBook(t *testing.T) {
	id := pos.TerminalID([]byte("00000023"))
	var seq uint64
	b := grade.NewBook(day)
	send := func(at pos.Instant, change func(x *journal.Exchange)) {
		x := journal.Exchange{At: at, Terminal: id, MTI: 0x0200, Flags: journal.FlagMACVerified, Effect: journal.Recorded}
		change(&x)
		seq++
		raw, _ := x.AppendEntry(nil, seq)
		e, err := journal.ParseEntry(seq, raw)
		if err != nil {
			t.Fatal(err)
		}
		b.Fold(e)
	}
	at := pos.Instant(1000 * day)
	send(at, func(x *journal.Exchange) { x.Flags, x.Effect, x.KeyCode = 0, journal.KeysIssued, 3 })
	if s := b.Of(id); s.InForce != 0 || s.SignIns != 1 {
		t.Fatalf("keys are in force before a message verified: %+v", s)
	}
	send(at+1, func(x *journal.Exchange) { x.Flags |= journal.FlagPromoted | journal.FlagPIN; x.Effect = journal.Sold })
	send(at+2, func(x *journal.Exchange) { x.Flags |= journal.FlagTLS | journal.FlagTLS13 | journal.FlagTrack2 })
	send(at+3, func(x *journal.Exchange) { x.Flags |= journal.FlagTLS | journal.FlagTrack2 | journal.FlagTrackSealed })
	send(at+4, func(x *journal.Exchange) { x.Flags = 0 })                    // nobody proved to be this terminal
	send(at+5, func(x *journal.Exchange) { x.Flags |= journal.FlagCanary })  // no terminal of a shop
	send(at+6, func(x *journal.Exchange) { x.Flags |= journal.FlagRedress }) // sent by no terminal
	want := grade.Seen{First: at, Last: at + 3, InForce: at, SignIns: 1, Sales: 1, PINs: 1, SerialMissed: 1, ClearTracks: 1, SealedTracks: 1, Plain: 1, TLS12: 1, TLS13: 1}
	if s := b.Of(id); s != want {
		t.Fatalf("saw %+v, want %+v", s, want)
	}
	send(at+pos.Instant(day)+10, func(*journal.Exchange) {})
	if s := b.Of(id); s.Plain != 2 || s.InForce != at || s.First != at {
		t.Fatalf("a new stretch forgets the one before: %+v", s)
	}
	send(at+pos.Instant(5*day), func(*journal.Exchange) {})
	if s := b.Of(id); s.Plain != 1 || s.InForce != 0 || s.SignIns != 0 {
		t.Fatalf("what is long past is not forgotten: %+v", s)
	}
	if s := b.Of(pos.TerminalID{}); s != (grade.Seen{}) {
		t.Fatalf("a terminal that was never heard was seen: %+v", s)
	}
}

// BenchmarkFleet grades terminals of five kinds, with their plan: a million are wanted in a few seconds.
func BenchmarkFleet(b *testing.B) {
	kinds := []grade.Facts{strict, {Code: keys.SignInDES, Master: true, MasterAt: 1}, {Code: keys.SignInTDES, SerialKey: true, Master: true, MasterAt: now, Seen: grade.Seen{Algorithms: 2, Plain: 3, Sales: 2, PINs: 1}},
		{Code: keys.SignInSM4, Master: true}, {Code: keys.SignInTDESTrack, MAC: registry.MACX99, Client: true, Master: true, MasterAt: 5}}
	b.ReportAllocs()
	var fleet grade.Fleet
	var plan grade.Plan
	i := 0
	for b.Loop() {
		f := &kinds[i%len(kinds)]
		n := grade.Named{Terminal: pos.TerminalID{byte(i), byte(i >> 8), byte(i >> 16)}, Model: "Model"}
		g := grade.Of(f, th, now)
		fleet.Add(n, &g)
		plan.Add(n, f, th, now)
		i++
	}
}
