package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/ledger"
	"touchstone/pos"
	"touchstone/proof"
	"touchstone/registry"
	"touchstone/sqlite"
)

// permitBed is a data directory with load terminals, without a listener.
func permitBed(t testing.TB, terminals string) (dir string) {
	t.Helper()
	dir = filepath.Join(inMemory(t), "shop")
	if err := makeTestDirectory(dir, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	e := openPermits(t, dir, nil)
	shares, err := parseShares(terminals)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.seedLoad(t.Context(), shares); err != nil {
		t.Fatal(err)
	}
	if err := e.close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func openPermits(t testing.TB, dir string, change func(*engineOptions)) *engine {
	t.Helper()
	o := engineOptions{dir: dir, lock: testLock(dir), policy: proof.DefaultPolicy(), ledger: ledger.DefaultOptions(), zone: time.UTC,
		acquirerID: "48021000", issuerID: "01020000", log: slog.New(slog.DiscardHandler), withoutView: true, checkpointEvery: time.Hour}
	if change != nil {
		change(&o)
	}
	e, err := openEngine(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// policyWith is the built-in policy with one line of a fact changed, and a test of its own.
func policyWith(t *testing.T, fact registry.FactName, state, permit string) []byte {
	t.Helper()
	standard, err := fleet.StandardPolicy()
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(standard.Text), "["+string(fact)+"]\n")
	section, after, _ := strings.Cut(rest, "\n[")
	var lines []string
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, state+" =") {
			lines = append(lines, line)
		}
	}
	after, _, _ = strings.Cut(after, "[[test]]")
	return []byte(before + "[" + string(fact) + "]\n" + state + " = \"" + permit + "\"\n" + strings.Join(lines, "") + "\n[" + after +
		"[[test]]\nname = \"as changed\"\nfacts = { " + string(fact) + " = \"" + state + "\" }\nexpect = \"" + permit + "\"\n")
}

func (e *engine) setPolicyForTest(t *testing.T, text []byte) error {
	t.Helper()
	return e.act(t.Context(), func(r *rooms, now pos.Instant) ([]journal.Draft, error) {
		_, drafts, err := fleet.SetPolicy(r.fleet, text, []string{"qian", "sun"}, now)
		return drafts, err
	})
}

// permitsOf counts terminals by permit.
func permitsOf(e *engine) map[string]int {
	counts := map[string]int{}
	for from := 0; ; {
		next := e.ledger.EachPermitted(from, 100, func(p ledger.Permitted) { counts[p.May().String()]++ })
		if from = next; from == 0 {
			return counts
		}
	}
}

// awaitPermits waits until n terminals have a permit.
func awaitPermits(t *testing.T, e *engine, permit string, n int) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if permitsOf(e)[permit] == n {
			return
		}
	}
	t.Fatalf("want %d with %s: %v", n, permit, permitsOf(e))
}

// failing is a sink that fails after some entries that give permits.
type failing struct {
	journal.Sink
	left int
}

var errFailing = errors.New("the disk of this test")

func (f *failing) Append(ctx context.Context, b journal.Block) error {
	for _, e := range b.Cold {
		if e.Kind == journal.KindPermit {
			f.left--
		}
	}
	if f.left < 0 {
		return errFailing
	}
	return f.Sink.Append(ctx, b)
}

// permittedIn counts the terminals that a journal's entries give a permit.
func permittedIn(t *testing.T, dir string) (terminals, entries int) {
	t.Helper()
	r, err := sqlite.OpenReader(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	err = r.Blocks(t.Context(), 1, func(b journal.Block) error {
		return b.Each(func(e journal.Entry) error {
			if e.Kind != journal.KindPermit {
				return nil
			}
			var set registry.PermitSet
			if err := json.Unmarshal(e.Body, &set); err != nil {
				return err
			}
			terminals, entries = terminals+len(set.Terminals), entries+1
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return terminals, entries
}

// TestPermitsGoOnAfterACrash: a machine that stops in the middle of the recomputation has given some terminals their
// new permit; the next start gives it to the rest, and to nobody twice.
func TestPermitsGoOnAfterACrash(t *testing.T) {
	if testing.Short() {
		t.Skip("in full without the race detector")
	}
	const terminals = permitAtOnce + 2*permitStep + 7
	dir := permitBed(t, "ecb=5127")
	if terminals != 5127 {
		t.Fatalf("the test wants %d terminals", terminals)
	}
	e := openPermits(t, dir, func(o *engineOptions) {
		o.around = func(s journal.Sink) journal.Sink { return &failing{Sink: s, left: 3} }
	})
	if err := e.setPolicyForTest(t, policyWith(t, registry.FactInspection, "unknown", "no_refund")); err != nil {
		t.Fatal(err)
	}
	if err := <-e.failed; !errors.Is(err, errFailing) {
		t.Fatalf("the engine ended with %v", err)
	}
	copied := filepath.Join(inMemory(t), "shop")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"", keyringFile, testPassphrase} {
		if err := os.Chmod(filepath.Join(copied, f), 0o700-0o100*os.FileMode(min(len(f), 1))); err != nil {
			t.Fatal(err)
		}
	}
	some, _ := permittedIn(t, copied)
	if some == 0 || some >= terminals {
		t.Fatalf("%d terminals of %d had their permit: nothing was interrupted", some, terminals)
	}
	again := openPermits(t, copied, nil)
	awaitPermits(t, again, "no_refund", terminals)
	before := permitsOf(again)
	if err := again.close(); err != nil {
		t.Fatal(err)
	}
	if all, entries := permittedIn(t, copied); all != terminals || entries > terminals/permitStep+2 {
		t.Errorf("%d terminals of %d in %d entries", all, terminals, entries)
	}

	// Without its checkpoint the same comes of the journal, and nothing new is written.
	if err := os.Remove(filepath.Join(copied, "state.db")); err != nil {
		t.Fatal(err)
	}
	again = openPermits(t, copied, nil)
	if after := permitsOf(again); after["no_refund"] != before["no_refund"] {
		t.Errorf("from the journal alone %v, before %v", after, before)
	}
	if err := again.permits.pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := again.close(); err != nil {
		t.Fatal(err)
	}
	if all, _ := permittedIn(t, copied); all != terminals {
		t.Errorf("%d permits after a start in which nothing changed, want %d", all, terminals)
	}
	e.module.Wipe()
}

// TestPermitBeforeTheFirstMessage: a terminal that is registered under a policy that restricts it may not do more
// for a moment, and one that is registered anew loses at once what its registration takes away.
func TestPermitBeforeTheFirstMessage(t *testing.T) {
	dir := permitBed(t, "ecb=2")
	e := openPermits(t, dir, nil)
	if err := e.setPolicyForTest(t, policyWith(t, registry.FactHealth, "unknown", "sign_in_only")); err != nil {
		t.Fatal(err)
	}
	if got := permitsOf(e); got["sign_in_only"] != 2 {
		t.Fatalf("after the act returned %v", got)
	}
	known := e.ledger.Terminals()[0]
	fresh := *known
	fresh.ID = sampleID(10_000_009)
	e.permits.computing.Lock() // nobody may judge now
	if err := e.ledger.Register(t.Context(), e.clock(), &fresh); err != nil {
		t.Fatal(err)
	}
	p, _ := e.ledger.Permitted(fresh.ID)
	if !p.Unjudged || p.May() != registry.BlockedPermit {
		t.Errorf("before it is judged it may do %s", p.May())
	}
	less := *known
	less.Permit = registry.BlockedPermit
	if err := e.ledger.Register(t.Context(), e.clock(), &less); err != nil {
		t.Fatal(err)
	}
	if p, _ := e.ledger.Permitted(known.ID); p.May() != registry.BlockedPermit {
		t.Errorf("registered as blocked it may do %s", p.May())
	}
	e.permits.computing.Unlock()
	if err := e.permits.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p, _ := e.ledger.Permitted(fresh.ID); p.Unjudged || p.May() != registry.SignInOnly || !p.Restricted(registry.FactHealth) {
		t.Errorf("judged it may do %s, %+v", p.May(), p.Standing)
	}
	if err := e.close(); err != nil {
		t.Fatal(err)
	}
}

// TestPermitMarks: an act that names a terminal or device marks that one; one that may be about any marks all; one of
// a room on which no permit depends marks nobody.
func TestPermitMarks(t *testing.T) {
	a, b := sampleID(10_000_001), sampleID(10_000_002)
	for name, c := range map[string]struct {
		kind   journal.Kind
		change journal.Change
		want   []pos.TerminalID
		all    bool
	}{
		"a terminal":               {journal.KindFleet, journal.Change{Noun: "x", ID: "X-1", Record: json.RawMessage(`{"terminal":"` + a.String() + `"}`)}, []pos.TerminalID{a}, false},
		"a device by its serial":   {journal.KindFleet, journal.Change{Noun: "x", ID: "X-1", Record: json.RawMessage(`{"serial":"S1"}`)}, []pos.TerminalID{a, b}, false},
		"a device":                 {journal.KindLab, journal.Change{Noun: "x", ID: "X-1", Record: json.RawMessage(`{"device":"S2"}`)}, []pos.TerminalID{b}, false},
		"a device by the id":       {journal.KindFleet, journal.Change{Noun: "installed", ID: "S2", Record: json.RawMessage(`{"version":"1.0.3"}`)}, []pos.TerminalID{b}, false},
		"a device nobody is bound": {journal.KindFleet, journal.Change{Noun: "x", ID: "X-1", Record: json.RawMessage(`{"serial":"S9"}`)}, nil, false},
		"a model":                  {journal.KindFleet, journal.Change{Noun: "advisory", ID: "ADV-1", Record: json.RawMessage(`{"model":"M"}`)}, nil, true},
		"a terminal that is none":  {journal.KindFleet, journal.Change{Noun: "x", ID: "X-1", Record: json.RawMessage(`{"terminal":7}`)}, nil, true},
		"an account":               {journal.KindStaff, journal.Change{Noun: "account", ID: "qian", Record: json.RawMessage(`{}`)}, nil, false},
		"a claim":                  {journal.KindRedress, journal.Change{Noun: "claim", ID: "CLM-1", Record: json.RawMessage(`{"terminal":"` + a.String() + `"}`)}, nil, false},
	} {
		k, err := newPermits(nil)
		if err != nil {
			t.Fatal(err)
		}
		k.registered(&registry.Terminal{ID: a, Serial: "S1"}, nil)
		k.registered(&registry.Terminal{ID: b, Serial: "S1"}, nil)
		k.registered(&registry.Terminal{ID: b, Serial: "S2"}, nil)
		if ids, _, _ := k.take(); !slices.Equal(ids, []pos.TerminalID{a, b}) {
			t.Fatalf("registered: %v", ids)
		}
		k.folded(c.kind, c.change)
		ids, all, _ := k.take()
		if !slices.Equal(ids, c.want) || all != c.all {
			t.Errorf("%s: %v and all %t, want %v and all %t", name, ids, all, c.want, c.all)
		}
	}
}

// TestPermitElapses: what time changes is marked when it is due and not before, once, and by the newest word.
func TestPermitElapses(t *testing.T) {
	k, err := newPermits(nil)
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := sampleID(10_000_001), sampleID(10_000_002), sampleID(10_000_003)
	k.remember(a, 100)
	k.remember(b, 50)
	k.remember(b, 200) // put off
	k.remember(c, 60)
	k.remember(c, 0) // and called off
	for _, step := range []struct {
		now  pos.Instant
		want []pos.TerminalID
	}{{99, nil}, {100, []pos.TerminalID{a}}, {199, nil}, {200, []pos.TerminalID{b}}, {1 << 60, nil}} {
		some := k.elapsed(step.now)
		ids, _, _ := k.take()
		if !slices.Equal(ids, step.want) || some != (step.want != nil) {
			t.Errorf("at %d: %v, %t, want %v", step.now, ids, some, step.want)
		}
	}
}

// TestLoadCardsAreTaken: each load terminal has a card of its own, none with a PIN that the issuer refuses, also where
// the first one drawn was.
func TestLoadCardsAreTaken(t *testing.T) {
	drawn, numbers := 0, map[string]bool{}
	for i := range 100_000 {
		c := loadCard(loadProfiles()[0].loadTerminal(i))
		if numbers[c.pan()] {
			t.Fatalf("load terminal %d has another's card", i)
		}
		numbers[c.pan()] = true
		if guessed(c.pin, c.pan()) {
			t.Fatalf("the card of load terminal %d is refused", i)
		}
		if c.pin != publishedDigits("pin/"+c.label, 6) {
			drawn++
		}
	}
	if drawn == 0 {
		t.Error("no PIN was drawn again: the test shows nothing")
	}
}

// BenchmarkPermitPass is what a terminal costs whose permit is worked out again and comes out as it stands: all facts
// of all rooms, the rule, the comparison.
func BenchmarkPermitPass(b *testing.B) {
	const terminals = 4000
	e := openPermits(b, permitBed(b, "ecb=4000"), nil)
	b.ResetTimer()
	for range b.N {
		for from := 0; ; {
			next, err := e.permits.passStep(b.Context(), from)
			if err != nil {
				b.Fatal(err)
			}
			if from = next; from == 0 {
				break
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*terminals), "ns/terminal")
	b.StopTimer()
	if err := e.close(); err != nil {
		b.Fatal(err)
	}
}
