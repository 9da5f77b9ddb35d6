package incident

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"touchstone/journal"
	"touchstone/pos"
	"touchstone/reason"
)

// said is one message, or another entry, of a test.
type said struct {
	at     time.Duration
	n      int // the terminal
	why    reason.Reason
	effect journal.Effect
	from   pos.Address
	flags  uint16
	app    string // application version presented
	other  *journal.Entry
}

// fleetOf is what is registered: terminal n stands in shop n%50 and is of model n/1000.
func fleetOf(id pos.TerminalID) (Facts, bool) {
	var n int
	if _, err := fmt.Sscanf(id.String(), "%d", &n); err != nil || n >= 90_000_000 {
		return Facts{}, false
	}
	f := Facts{Shop: fmt.Sprintf("shop%d", n%50), Serial: fmt.Sprintf("S%d", n), Model: fmt.Sprintf("M%d", n/1000), Version: "1.0.0"}
	if n%1000 >= 500 { // of these the latter half runs a later version
		f.Version = "1.0.3"
	}
	return f, true
}

var morning = pos.Instant(time.Date(2026, 11, 28, 3, 0, 0, 0, time.UTC).UnixNano())

func (s *said) entry(t rapid.TB, seq uint64) journal.Entry {
	if s.other != nil {
		e := *s.other
		e.Seq, e.At = seq, morning.Add(s.at)
		return e
	}
	x := journal.Exchange{At: morning.Add(s.at), MTI: 0x0200, Type: 22, Reason: s.why, DE39: s.why.DE39(), Effect: s.effect, Source: s.from, Flags: s.flags}
	if x.Source == (pos.Address{}) {
		x.Source = pos.IPv4(10, byte(s.n%7), 0, 1)
	}
	var err error
	if x.Terminal, err = pos.ParseTerminalID(fmt.Sprintf("%08d", s.n)); err != nil {
		t.Fatal(err)
	}
	copy(x.App[:], s.app)
	raw, _ := x.AppendEntry(nil, seq)
	e, err := journal.ParseEntry(seq, raw)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// follower is a host that follows a journal: it may be killed and started again.
type follower struct {
	t     rapid.TB
	state *State
	c     *Correlator
	seq   uint64 // of acts
}

func newFollower(t rapid.TB) *follower {
	f := &follower{t: t, state: NewState(), seq: 1 << 40}
	f.start()
	return f
}

func (f *follower) start() {
	f.c = NewCorrelator(func() []Rule { return f.state.data.Rules }, fleetOf)
}

func (f *follower) follow(entries []journal.Entry) {
	for _, e := range entries {
		f.take(f.c.Fold(e), e.At)
	}
}

// look is what the host does a moment later.
func (f *follower) look(at pos.Instant) { f.take(f.c.Look(), at) }

func (f *follower) take(found []Detection, at pos.Instant) {
	for i := range found {
		_, drafts, err := Take(f.state, &found[i], at)
		if err != nil {
			f.t.Fatal(err)
		}
		f.fold(drafts)
	}
}

func (f *follower) fold(drafts []journal.Draft) {
	for _, d := range drafts {
		f.seq++
		for _, c := range d.Act.Changes {
			if err := f.state.Fold(f.seq, c); err != nil {
				f.t.Fatal(err)
			}
		}
	}
}

func entriesOf(t rapid.TB, all []said) []journal.Entry {
	list := make([]journal.Entry, len(all))
	for i := range all {
		list[i] = all[i].entry(t, uint64(i+1))
	}
	return list
}

// told is what there is of incidents, in words that do not depend on when they were widened.
func (f *follower) told() string {
	var lines []string
	for _, i := range f.state.Incidents() {
		lines = append(lines, fmt.Sprintf("%s %s %s %v", i.Origin.Ref, i.Reason, i.State, i.Scope.Terminals))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func well(at time.Duration, terminals ...int) (all []said) {
	for _, n := range terminals {
		all = append(all, said{at: at, n: n, effect: journal.Sold})
	}
	return all
}

func refused(at time.Duration, why reason.Reason, terminals ...int) (all []said) {
	for _, n := range terminals {
		all = append(all, said{at: at, n: n, why: why})
	}
	return all
}

func upTo(from, to int) (list []int) {
	for n := from; n < to; n++ {
		list = append(list, n)
	}
	return list
}

func eventEntry(name, proofName string) *journal.Entry {
	body, _ := json.Marshal(&journal.Event{Name: name, Severity: journal.Alarm, Parameters: map[string]string{"proof": proofName}})
	return &journal.Entry{Kind: journal.KindEvent, Body: body}
}

func actEntry(kind journal.Kind, noun, id, record string) *journal.Entry {
	body, _ := json.Marshal(&journal.Act{Verb: "v", Actors: []string{"li"}, Changes: []journal.Change{{Noun: noun, ID: id, Record: json.RawMessage(record)}}})
	return &journal.Entry{Kind: kind, Body: body}
}

// TestRules: each case is a journal and what opens from it.
func TestRules(t *testing.T) {
	const a7 = reason.SerialProofFailed
	for name, c := range map[string]struct {
		said []said
		want string // rule, key's end and terminals of each incident
	}{
		"nothing":                         {nil, ""},
		"a healthy hour":                  {well(0, upTo(1000, 1200)...), ""},
		"three terminals of one model":    {slices.Concat(well(0, upTo(1000, 1003)...), well(0, upTo(2000, 2010)...), refused(time.Second, a7, 1000, 1001, 1002)), "refusals-of-one-model serial_proof_failed|model_version|M1 1.0.0 3"},
		"one fewer":                       {slices.Concat(well(0, upTo(2000, 2010)...), refused(time.Second, a7, 1000, 1001)), ""},
		"three in two shops":              {slices.Concat(well(0, upTo(2000, 2010)...), refused(time.Second, a7, 1000, 1001, 1050)), ""},
		"a decoy of another model":        {slices.Concat(well(0, upTo(1000, 1005)...), well(0, 2000, 2001), refused(time.Second, a7, 1000, 1001, 1002, 1003, 2000)), "refusals-of-one-model serial_proof_failed|model_version|M1 1.0.0 4"},
		"few of a large model":            {slices.Concat(well(0, upTo(1000, 1450)...), well(0, upTo(2000, 2450)...), refused(time.Second, a7, upTo(1000, 1010)...)), "refusals-of-one-model serial_proof_failed|model_version|M1 1.0.0 10"},
		"noise in every model":            {slices.Concat(well(0, upTo(1000, 1100)...), well(0, upTo(2000, 2100)...), refused(time.Second, a7, 1000, 1001, 1002, 2000, 2001, 2002)), ""},
		"chance in a crowd":               {slices.Concat(well(0, upTo(1000, 1021)...), well(0, upTo(2000, 2016)...), refused(time.Second, a7, 1000, 1001, 1002, 1003)), ""},
		"every model at once":             {refused(time.Second, a7, 1000, 1001, 1002, 2000, 2001, 2002), "refusals-of-one-model serial_proof_failed| 6"},
		"a little more of one model":      {slices.Concat(well(0, upTo(1060, 1100)...), well(0, upTo(2040, 2100)...), refused(time.Second, a7, upTo(1000, 1060)...), refused(time.Second, a7, upTo(2000, 2040)...)), "refusals-of-one-model serial_proof_failed| 100"},
		"five of every model at once":     {refused(time.Second, a7, 1000, 1001, 1002, 2000, 2001), ""},
		"four, two of each model":         {refused(time.Second, a7, 1000, 1001, 2002, 2003), ""},
		"two reasons do not add up":       {slices.Concat(well(0, upTo(2000, 2010)...), refused(time.Second, a7, 1000, 1001), refused(time.Second, reason.MACFailed, 1002, 1003)), ""},
		"a bank's refusals":               {slices.Concat(well(0, upTo(2000, 2010)...), refused(time.Second, reason.InsufficientFunds, upTo(1000, 1010)...)), ""},
		"outside the window":              {slices.Concat(refused(0, a7, 1000), refused(6*time.Minute, a7, 1001), refused(12*time.Minute, a7, 1002), well(12*time.Minute, upTo(2000, 2010)...)), ""},
		"at the window's edge":            {slices.Concat(refused(0, a7, 1000), refused(5*time.Minute, a7, 1001), refused(10*time.Minute, a7, 1002), well(10*time.Minute, upTo(2000, 2010)...)), "refusals-of-one-model serial_proof_failed|model_version|M1 1.0.0 3"},
		"a canary's terminals":            {slices.Concat(well(0, upTo(2000, 2010)...), []said{{n: 1000, why: a7, flags: journal.FlagCanary}, {n: 1001, why: a7, flags: journal.FlagCanary}, {n: 1002, why: a7, flags: journal.FlagCanary}}), ""},
		"terminals nobody registered":     {refused(0, a7, 90_000_001, 90_000_002, 90_000_003, 90_000_004), ""},
		"repeats":                         {slices.Concat(well(0, upTo(2000, 2010)...), []said{{n: 1000, why: a7, flags: journal.FlagRepeat}, {n: 1001, why: a7, flags: journal.FlagRepeat}, {n: 1002, why: a7, flags: journal.FlagRepeat}}), ""},
		"one version of a model":          {slices.Concat(well(0, 1510, 1511, 1512), refused(0, a7, 1000, 1001, 1002)), "refusals-of-one-model serial_proof_failed|model_version|M1 1.0.0 3"},
		"one version of two models":       {slices.Concat(well(0, 1510, 1511, 2511, 2512), refused(0, a7, 1000, 1001, 1002, 2003, 2004, 2005)), "refusals-of-one-model serial_proof_failed|version|1.0.0 6"},
		"two models, each with its own":   {slices.Concat(well(0, upTo(3000, 3040)...), refused(0, a7, 1000, 1001, 1002), refused(0, reason.MACFailed, 2000, 2001, 2002)), "refusals-of-one-model mac_failed|model_version|M2 1.0.0 3\nrefusals-of-one-model serial_proof_failed|model_version|M1 1.0.0 3"},
		"two of a model tampered with":    {slices.Concat(well(0, upTo(2000, 2010)...), []said{{n: 1000, effect: journal.Tampered}, {at: time.Hour, n: 1001, effect: journal.Tampered}}), "tamper-reports tampered|model_version|M1 1.0.0 2"},
		"one tampered with":               {slices.Concat(well(0, upTo(2000, 2010)...), []said{{n: 1000, effect: journal.Tampered}}), ""},
		"an ineffective proof":            {[]said{{other: eventEntry("authentication_ineffective", "MAC")}, {at: time.Second, other: eventEntry("authentication_ineffective", "MAC")}}, "authentication-ineffective authentication_ineffective||MAC| 0"},
		"two ineffective proofs":          {[]said{{other: eventEntry("authentication_ineffective", "MAC")}, {other: eventEntry("authentication_ineffective", "serial")}}, "authentication-ineffective authentication_ineffective||MAC| 0\nauthentication-ineffective authentication_ineffective||serial| 0"},
		"another event":                   {[]said{{other: eventEntry("terminal_changed", "MAC")}}, ""},
		"an inspection's alarm":           {[]said{{other: actEntry(journal.KindFleet, "inspection", "INS-3", `{"terminal":"00001000","serial":"S1000","alarm":true,"finding":"attached_device"}`)}}, "attached-device 00001000 1"},
		"an inspection without":           {[]said{{other: actEntry(journal.KindFleet, "inspection", "INS-3", `{"terminal":"00001000","passed":true}`)}}, ""},
		"a finding that is no alarm":      {[]said{{other: actEntry(journal.KindFleet, "inspection", "INS-3", `{"terminal":"00001000","alarm":false,"finding":"attached_device"}`)}}, ""},
		"the same words in another room":  {[]said{{other: actEntry(journal.KindLab, "inspection", "INS-3", `{"terminal":"00001000","alarm":true,"finding":"attached_device"}`)}}, ""},
		"a glance":                        {[]said{{other: actEntry(journal.KindFleet, "glance", "GLN-1", `{"terminal":"00001000","alarm":true,"wrong":"loose"}`)}}, "glance-report 00001000 1"},
		"sign-ins that wander":            {signIns(1, 2, 3, 4, 5, 6), ""},
		"sign-ins that come back once":    {signIns(1, 2, 1), ""},
		"sign-ins that go to and fro":     {signIns(1, 2, 1, 2, 1), "two-devices 00001000 1"},
		"a clone suspected":               {[]said{{other: cloneEntry("00001000")}}, "two-devices 00001000 1"},
		"a clone that also signs in":      {slices.Concat([]said{{other: cloneEntry("00001000")}}, signIns(1, 2, 1, 2, 1), []said{{at: 6 * time.Minute, other: cloneEntry("00001000")}}), "two-devices 00001000 1"},
		"two clones":                      {[]said{{other: cloneEntry("00001000")}, {other: cloneEntry("00001001")}}, "two-devices 00001000 1\ntwo-devices 00001001 1"},
		"sign-ins of one place":           {signIns(1, 1, 1, 1, 1, 1, 1, 1, 1), ""},
		"refused far away, again":         {slices.Concat(refused(0, reason.LocationOutside, 1000), refused(time.Minute, reason.LocationOutside, 1000)), "location-drift 00001000 1"},
		"let pass far away":               {[]said{{n: 1000, flags: journal.FlagOutside}, {n: 1001}}, "location-drift 00001000 1"},
		"two far away":                    {refused(0, reason.LocationOutside, 1000, 2000), "location-drift 00001000 1\nlocation-drift 00002000 1"},
		"a canary far away":               {[]said{{n: 1000, why: reason.LocationOutside, flags: journal.FlagCanary}}, ""},
		"a stranger far away":             {refused(0, reason.LocationOutside, 90_000_001), ""},
		"sign-ins to and fro over an age": {apart(signIns(1, 2, 1, 2, 1), time.Hour), ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFollower(t)
			entries := entriesOf(t, c.said)
			f.follow(entries)
			f.look(morning.Add(2 * time.Hour))
			f.look(morning.Add(2 * time.Hour))
			var got []string
			for _, i := range f.state.Incidents() {
				_, end, _ := strings.Cut(i.Key, "|")
				got = append(got, fmt.Sprintf("%s %s %d", i.Key[:len(i.Key)-len(end)-1], end, len(i.Scope.Terminals)))
				if len(i.Proof) == 0 || i.Scope.From == 0 || i.Title.ZH == "" {
					t.Errorf("%s has no proof, window or title", i.ID)
				}
			}
			slices.Sort(got)
			if strings.Join(got, "\n") != c.want {
				t.Errorf("opened %q, want %q", got, c.want)
			}
		})
	}
}

func signIns(from ...byte) (all []said) {
	for i, f := range from {
		all = append(all, said{at: time.Duration(i) * time.Minute, n: 1000, effect: journal.KeysIssued, from: pos.IPv4(10, 0, 0, f)})
	}
	return all
}

func apart(all []said, by time.Duration) []said {
	for i := range all {
		all[i].at = time.Duration(i) * by
	}
	return all
}

// TestCommonCause: the table counts who shares a thing and failed, and who does not, and its G is that of the formula.
func TestCommonCause(t *testing.T) {
	f := newFollower(t)
	f.follow(entriesOf(t, slices.Concat(well(0, upTo(1000, 1008)...), well(0, upTo(2000, 2012)...), refused(time.Second, reason.SerialProofFailed, 1000, 1001, 1002, 1003, 1004, 1005, 2003))))
	f.look(morning.Add(time.Minute))
	i := f.state.Incident("INC-1")
	if i == nil {
		t.Fatal("nothing opened")
	}
	at := slices.IndexFunc(i.Common, func(x Factor) bool { return x.Chosen })
	if at < 0 {
		t.Fatalf("nothing chosen of %+v", i.Common)
	}
	c := i.Common[at]
	if c.Name != "model_version" || c.Value != "M1 1.0.0" || c.Affected != 6 || c.Unaffected != 2 || c.OthersFailed != 1 || c.OthersWell != 11 {
		t.Errorf("chosen: %+v", c)
	}
	// Six of eight against one of twelve: expected 2.8 and 5.2, 4.2 and 7.8.
	g := 2 * (6*math.Log(6/2.8) + 2*math.Log(2/5.2) + 1*math.Log(1/4.2) + 11*math.Log(11/7.8))
	if math.Abs(c.G-g) > 0.01 {
		t.Errorf("G is %.2f, the formula gives %.2f", c.G, g)
	}
	if !i.Scope.Whole || !slices.Equal(i.Scope.Models, []string{"M1"}) || slices.Contains(i.Scope.Terminals, "00002003") {
		t.Errorf("scope %+v", i.Scope)
	}
	if len(i.Proof) != 6 || i.Proofs != 6 {
		t.Errorf("proof %v", i.Proof)
	}
}

// TestSharper: what is in common shows only with time; the incident then says so, and lets go who does not share it.
func TestSharper(t *testing.T) {
	const a7 = reason.SerialProofFailed
	f := newFollower(t)
	all := slices.Concat(refused(0, a7, 1000, 1001, 1002, 2000, 2001, 2002), well(time.Second, upTo(2010, 2060)...), refused(2*time.Second, a7, 1003))
	entries := entriesOf(t, all)
	f.follow(entries[:6])
	f.look(morning.Add(time.Second))
	if i := f.state.Incident("INC-1"); i == nil || i.chosen() != nil || len(i.Scope.Terminals) != 6 || i.Scope.Whole {
		t.Fatalf("at first: %+v", i)
	}
	f.follow(entries[6 : len(entries)-1])
	f.look(morning.Add(2 * time.Second))
	i := f.state.Incident("INC-1")
	if len(f.state.Incidents()) != 1 || i.chosen() == nil || !slices.Equal(i.Scope.Models, []string{"M1"}) || len(i.Scope.Terminals) != 3 || i.Proofs != 3 {
		t.Fatalf("then: %+v", i)
	}
	f.follow(entries[len(entries)-1:])
	f.look(morning.Add(3 * time.Second))
	if i = f.state.Incident("INC-1"); len(i.Scope.Terminals) != 4 || i.Steps != 3 || !strings.Contains(i.Title.EN, "M1 1.0.0, 4 terminals") {
		t.Fatalf("at last: %+v", i)
	}

	// A scope that a person said stays, and only grows.
	scope := Scope{Terminals: []string{"00009999"}, Models: []string{"theirs"}, From: 1}
	drafts, err := Rescope(f.state, "INC-1", scope, person, morning)
	if err != nil {
		t.Fatal(err)
	}
	f.fold(drafts)
	late := refused(3*time.Second, a7, 1004)[0].entry(t, 5000)
	f.follow([]journal.Entry{late})
	f.look(morning.Add(4 * time.Second))
	if i = f.state.Incident("INC-1"); !slices.Contains(i.Scope.Terminals, "00009999") || !slices.Contains(i.Scope.Terminals, "00001004") || !slices.Contains(i.Scope.Models, "theirs") || i.Scope.From != 1 {
		t.Errorf("a person's scope became %+v", i.Scope)
	}
}

// TestVersionPresented: the version that terminals name in their own messages counts, where the register says another.
func TestVersionPresented(t *testing.T) {
	f := newFollower(t)
	all := slices.Concat(refused(0, reason.SerialProofFailed, 1000, 1001, 1002, 1003), well(time.Second, upTo(1010, 1060)...))
	for i := range all[:4] {
		all[i].app = "1.0.7   " // as A2 pads it
	}
	f.follow(entriesOf(t, all))
	f.look(morning.Add(2 * time.Second))
	if i := f.state.Incident("INC-1"); i == nil || !slices.Equal(i.Scope.Versions, []string{"1.0.7"}) {
		t.Errorf("%+v", i)
	}
}

// TestGoesOn: what goes on after closing opens the incident again, or another after a day; what was before its
// closing opens nothing.
func TestGoesOn(t *testing.T) {
	const a7 = reason.SerialProofFailed
	all := slices.Concat(well(0, upTo(2000, 2020)...), refused(time.Second, a7, 1000, 1001, 1002), refused(2*time.Second, a7, 1003), refused(3*time.Second, a7, 1000, 1001, 1002, 1003))
	f := newFollower(t)
	entries := entriesOf(t, all)
	f.follow(entries[:len(entries)-4])
	f.look(morning.Add(2 * time.Second))
	f.follow(entries[len(entries)-4:]) // the same terminals fail on, which is no news
	f.look(morning.Add(time.Minute))
	close := func(at pos.Instant) {
		t.Helper()
		var names []string
		for _, c := range f.state.Clocks("INC-1") {
			if c.State == Running {
				names = append(names, c.Rule)
			}
		}
		for _, step := range []func() ([]journal.Draft, error){
			func() ([]journal.Draft, error) {
				return Answer(f.state, "INC-1", names, Sending{Statement: "s"}, person, at)
			},
			func() ([]journal.Draft, error) { return SetCause(f.state, "INC-1", "c", nil, 1<<50, person, at) },
			func() ([]journal.Draft, error) { return AddAction(f.state, "INC-1", "a", person, at) },
			func() ([]journal.Draft, error) { return Close(f.state, "INC-1", twoPeople, at) },
		} {
			drafts, err := step()
			if err != nil && !strings.Contains(err.Error(), "name the clocks") {
				t.Fatal(err)
			}
			f.fold(drafts)
		}
		if f.state.Incident("INC-1").State != Closed {
			t.Fatal("not closed")
		}
	}
	f.seq = 100
	close(morning.Add(2 * time.Minute))
	f.look(morning.Add(3 * time.Minute))
	f.start() // and after a restart
	f.follow(entriesOf(t, all))
	f.look(morning.Add(3 * time.Minute))
	if len(f.state.Incidents()) != 1 || f.state.Incident("INC-1").State != Closed {
		t.Fatalf("what was closed opened something: %s", f.told())
	}
	late := refused(4*time.Minute, a7, 1000, 1001, 1002)
	for i, e := range entriesOf(t, late) {
		e.Seq = 1000 + uint64(i)
		f.follow([]journal.Entry{e})
	}
	f.look(morning.Add(5 * time.Minute))
	if i := f.state.Incident("INC-1"); len(f.state.Incidents()) != 1 || i.State == Closed || i.Reopened != 1 {
		t.Fatalf("what goes on did not open it again: %s", f.told())
	}
	f.seq = 2000
	close(morning.Add(6 * time.Minute))
	for i, e := range entriesOf(t, refused(30*time.Hour, a7, 1000, 1001, 1002)) {
		e.Seq = 3000 + uint64(i)
		f.follow([]journal.Entry{e})
	}
	f.look(morning.Add(31 * time.Hour))
	if len(f.state.Incidents()) != 2 || f.state.Incident("INC-1").State != Closed {
		t.Fatalf("a day later it is another: %s", f.told())
	}
}

// TestBounds: however many terminals fail, what is held and what is written stays bounded.
func TestBounds(t *testing.T) {
	f := newFollower(t)
	var all []said
	for n := range maxFailing + 1000 {
		all = append(all, said{at: time.Duration(n) * time.Millisecond, n: 1000 + n, why: reason.MACFailed})
	}
	f.follow(entriesOf(t, all))
	f.look(morning.Add(time.Minute))
	for _, g := range f.c.groups {
		if len(g.terminals) > maxFailing {
			t.Errorf("%d terminals held", len(g.terminals))
		}
	}
	steps := 0
	for _, i := range f.state.Incidents() {
		steps += i.Steps
	}
	if n := len(f.state.Incidents()); n == 0 || n > 10 || steps > 200 {
		t.Errorf("%d incidents of %d steps from one flood", n, steps)
	}
}

func cloneEntry(terminal string) *journal.Entry {
	body, err := json.Marshal(&journal.Event{Name: "clone_suspected", Severity: journal.Alarm, Terminal: terminal})
	if err != nil {
		panic(err)
	}
	return &journal.Entry{Kind: journal.KindEvent, Body: body}
}
