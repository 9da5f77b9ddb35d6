package fleet_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"touchstone/fleet"
	"touchstone/journal"
	"touchstone/pos"
	"touchstone/registry"
)

func standard(t testing.TB) *fleet.Policy {
	t.Helper()
	p, err := fleet.StandardPolicy()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// strict is the sample that docs/operating shows: nothing unknown is tolerated.
func strict(t testing.TB) *fleet.Policy {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash("../docs/operating/permit-strict.toml"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := fleet.ParsePolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// good is every fact in a state that the strict policy restricts nothing for.
func good() []registry.Fact {
	var facts []registry.Fact
	for _, name := range fleet.Facts {
		f := registry.Fact{Name: name, State: registry.Good}
		switch name {
		case registry.FactNetwork:
			f.State = "private"
		case registry.FactSite:
			f.State = "counter"
		}
		facts = append(facts, f)
	}
	return facts
}

func TestJudge(t *testing.T) {
	limited := registry.LimitedTo(20000)
	for name, c := range map[string]struct {
		change           func(facts []registry.Fact)
		standard, strict string
	}{
		"all good":             {func([]registry.Fact) {}, "full", "full"},
		"a device quarantined": {state(registry.FactDevice, "quarantined"), "blocked", "blocked"},
		"device unknown":       {state(registry.FactDevice, ""), "blocked", "blocked"},
		"certificate suspended": {state(registry.FactCertificate, "suspended"), "no_refund, online_only",
			"no_refund, online_only, limit:500.00"},
		"certificate withdrawn":   {state(registry.FactCertificate, "withdrawn"), "sign_in_only", "sign_in_only"},
		"certificate unknown":     {state(registry.FactCertificate, ""), "full", "no_refund, online_only"},
		"application unlisted":    {state(registry.FactApplication, "unknown_version"), "no_refund, online_only", "sign_in_only"},
		"advisory open":           {state(registry.FactAdvisory, "open"), "no_refund, online_only", "no_refund, online_only, limit:500.00"},
		"inspection overdue":      {state(registry.FactInspection, "overdue"), "no_refund", "no_refund, online_only"},
		"never inspected":         {state(registry.FactInspection, ""), "full", "no_refund"},
		"malware found":           {state(registry.FactHealth, "malware"), "sign_in_only", "blocked"},
		"cashier lapsed":          {state(registry.FactCashier, "lapsed"), "no_refund", "no_refund"},
		"cashier unknown":         {state(registry.FactCashier, ""), "full", "no_refund"},
		"network public":          {state(registry.FactNetwork, "public"), "full", "no_refund, online_only"},
		"site open public":        {state(registry.FactSite, "open_public"), "full", "limit:1000.00"},
		"a state nobody named":    {state(registry.FactNetwork, "by_pigeon"), "no_refund", "sign_in_only"},
		"a fact nobody named":     {func(f []registry.Fact) { f[0].Name = "weather" }, "no_refund", "sign_in_only"},
		"registration of its own": {func(f []registry.Fact) { f[0].Permit = &limited }, "limit:200.00", "limit:200.00"},
		"campaign brings its own": {func(f []registry.Fact) { f[4].State, f[4].Permit = "campaign", &limited }, "limit:200.00", "limit:200.00"},
		"two at once": {func(f []registry.Fact) { f[5].State, f[4].State, f[4].Permit = "overdue", "campaign", &limited },
			"no_refund, limit:200.00", "no_refund, online_only, limit:200.00"},
	} {
		facts := good()
		c.change(facts)
		for which, p := range map[string]*fleet.Policy{c.standard: standard(t), c.strict: strict(t)} {
			if c.standard == c.strict {
				which = c.standard
			}
			j := p.Judge(facts)
			if j.Permit.String() != which {
				t.Errorf("%s by %s: %s, want %s", name, p.Name, j.Permit, which)
			}
			if (j.Permit == registry.FullPermit) != (len(j.Why) == 0) {
				t.Errorf("%s by %s: %s because of %v", name, p.Name, j.Permit, j.Why)
			}
		}
	}
}

func state(name registry.FactName, state string) func([]registry.Fact) {
	return func(facts []registry.Fact) { facts[slices.Index(fleet.Facts, name)].State = state }
}

// drawFact draws a fact in a state that a policy names, or in one that it does not.
func drawFact(t *rapid.T, label string) registry.Fact {
	f := registry.Fact{Name: rapid.SampledFrom(fleet.Facts).Draw(t, label)}
	f.State = rapid.SampledFrom([]string{"", "good", "suspended", "withdrawn", "expired", "open", "campaign", "past_deadline", "overdue",
		"failed", "stale", "malware", "lapsed", "left", "private", "public", "counter", "open_public", "quarantined", "restricted", "strange"}).Draw(t, label+" state")
	f.Until = pos.Instant(rapid.IntRange(0, 9).Draw(t, label+" until"))
	if rapid.Bool().Draw(t, label+" brings") {
		p, err := registry.ParsePermit(rapid.SampledFrom([]string{"full", "no_refund", "online_only", "limit:7.00", "blocked"}).Draw(t, label+" permit"))
		if err != nil {
			t.Fatal(err)
		}
		f.Permit = &p
	}
	return f
}

// TestJudgeIsMonotone: one more fact never permits more, and the order of facts changes nothing.
func TestJudgeIsMonotone(t *testing.T) {
	policies := []*fleet.Policy{standard(t), strict(t)}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(policies).Draw(t, "policy")
		var facts []registry.Fact
		for i := range rapid.IntRange(0, 12).Draw(t, "facts") {
			facts = append(facts, drawFact(t, string(rune('a'+i))))
		}
		before := p.Judge(facts)
		more := append(slices.Clone(facts), drawFact(t, "one more"))
		after := p.Judge(more)
		if !after.Permit.Within(before.Permit) {
			t.Fatalf("%v gives %s; with one more it is %s", facts, before.Permit, after.Permit)
		}
		if after.Until == 0 != !slices.ContainsFunc(more, func(f registry.Fact) bool { return f.Until != 0 }) {
			t.Fatalf("until %d of %v", after.Until, more)
		}
		if mixed := p.Judge(rapid.Permutation(more).Draw(t, "order")); mixed.Permit != after.Permit || mixed.Until != after.Until || len(mixed.Why) != len(after.Why) {
			t.Fatalf("in another order %s, not %s", mixed.Permit, after.Permit)
		}
		for _, f := range more {
			if f.State == "" && p.Tolerated(&f) != (p.Of(&f) == registry.FullPermit) || f.State != "" && p.Tolerated(&f) {
				t.Fatalf("%v tolerated %t", f, p.Tolerated(&f))
			}
		}
	})
}

// TestUnknownIsNeverGood: a policy that does not say what unknown means for each fact is none.
func TestUnknownIsNeverGood(t *testing.T) {
	for _, name := range fleet.Facts {
		before, rest, found := strings.Cut(string(standard(t).Text), "["+string(name)+"]")
		section, after, more := strings.Cut(rest, "\n[")
		if !found || !more {
			t.Fatalf("no section %s", name)
		}
		var kept []string
		for line := range strings.Lines(section) {
			if !strings.HasPrefix(line, "unknown") {
				kept = append(kept, line)
			}
		}
		text := before + "[" + string(name) + "]" + strings.Join(kept, "") + "\n[" + after
		if _, err := fleet.ParsePolicy([]byte(text)); !errors.Is(err, fleet.ErrPolicy) || !strings.Contains(err.Error(), "unknown") {
			t.Errorf("without unknown of %s: %v", name, err)
		}
	}
}

func TestParsePolicy(t *testing.T) {
	text := string(standard(t).Text)
	change := func(old, new string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("the policy has no %q", old)
		}
		return strings.Replace(text, old, new, 1)
	}
	for name, c := range map[string]struct{ text, says string }{
		"no TOML":                     {"name = ", "line 1"},
		"empty":                       {"", "name"},
		"a key twice":                 {change(`stale = "full"`, "stale = \"full\"\nstale = \"full\""), "line"},
		"an unknown table":            {change("[site]", "[weather]"), "weather"},
		"an unknown key":              {change(`name = "standard"`, "name = \"standard\"\nversion = 2"), "version"},
		"a permit that is none":       {change(`stale = "full"`, `stale = "half"`), `[health] stale: "half"`},
		"a state that is no word":     {change(`stale = "full"`, `"Stale!" = "full"`), "Stale!"},
		"otherwise that is open":      {change(`otherwise = "no_refund"`, `otherwise = "online_only"`), "otherwise"},
		"otherwise of a fact is open": {change(`otherwise = "blocked"`, `otherwise = "limit:1.00"`), "[device] otherwise"},
		"a test that does not hold":   {change(`expect = "blocked"`, `expect = "full"`), "a quarantined device"},
		"a test with a strange fact":  {change(`facts = { device = "quarantined" }`, `facts = { weather = "bad" }`), "weather"},
		"a test with strange others":  {change(`others = "unknown"`, `others = "bad"`), "others"},
		"a test that expects nothing": {change(`expect = "blocked"`, `expect = ""`), "expect"},
		"no test":                     {text[:strings.Index(text, "[[test]]")], "tests"},
		"too long":                    {text + strings.Repeat("#", fleet.MaxPolicy), "bytes"},
		"a name too long":             {change(`name = "standard"`, `name = "`+strings.Repeat("x", 41)+`"`), "name"},
	} {
		p, err := fleet.ParsePolicy([]byte(c.text))
		if !errors.Is(err, fleet.ErrPolicy) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want something about %q", name, err, c.says)
		}
		_ = p
	}
}

// TestSetPolicy: the newest policy is in force however often and in whatever order the records are folded, and what
// is no policy is a refusal that is kept.
func TestSetPolicy(t *testing.T) {
	s := fleet.NewState()
	if s.Policy() != nil {
		t.Fatal("a fresh room has a policy of its own")
	}
	first, second := standard(t).Text, strict(t).Text
	var changes []journal.Change
	for i, text := range [][]byte{first, second} {
		id, drafts, err := fleet.SetPolicy(s, text, []string{"qian", "sun"}, 5)
		if err != nil || id != []string{"PPL-1", "PPL-2"}[i] || len(drafts) != 1 || drafts[0].Act.Check() != nil {
			t.Fatalf("%s, %d drafts: %v", id, len(drafts), err)
		}
		changes = append(changes, drafts[0].Act.Changes...)
		if err := s.Fold(uint64(10+i), drafts[0].Act.Changes[0]); err != nil {
			t.Fatal(err)
		}
	}
	for _, at := range []int{0, 1, 0} { // as a start does
		if err := s.Fold(uint64(10+at), changes[at]); err != nil {
			t.Fatal(err)
		}
	}
	if p := s.Policy(); p == nil || p.ID != "PPL-2" || p.Entry != 11 || string(p.Text) != string(second) {
		t.Fatalf("in force is %+v", p)
	}
	var refusal *journal.Refusal
	for name, text := range map[string][]byte{"no policy": []byte("x"), "the one in force": second} {
		if _, _, err := fleet.SetPolicy(s, text, []string{"qian", "sun"}, 5); !errors.As(err, &refusal) || refusal.Verb != "permit_policy_set" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Fold(12, journal.Change{Noun: "permit_policy", ID: "PPL-3", Record: []byte(`{"text":"none"}`)}); err == nil {
		t.Error("a policy that cannot be read is folded")
	}
}

// FuzzPolicy: no bytes make the reader panic; what it accepts closes on what it does not name, and holds to itself
// when read again.
func FuzzPolicy(f *testing.F) {
	f.Add(standard(f).Text)
	f.Add(strict(f).Text)
	f.Add([]byte("name = \"x\"\n[[test]]\nexpect = \"full\"\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := fleet.ParsePolicy(text)
		if err != nil {
			if !errors.Is(err, fleet.ErrPolicy) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		for _, name := range fleet.Facts {
			if may := p.Judge([]registry.Fact{{Name: name, State: "A state that no policy can name"}}).Permit; !may.Within(registry.NoRefund) {
				t.Fatalf("what it does not name of %s is %s", name, may)
			}
		}
		if _, err := fleet.ParsePolicy(p.Text); err != nil {
			t.Fatalf("read again: %v", err)
		}
	})
}

// BenchmarkJudge is one terminal's permit when all is good, and when three facts are not.
func BenchmarkJudge(b *testing.B) {
	p := standard(b)
	facts := good()
	bad := good()
	for _, name := range []registry.FactName{registry.FactAdvisory, registry.FactCertificate, registry.FactInspection} {
		state(name, "suspended")(bad)
	}
	for name, of := range map[string][]registry.Fact{"good": facts, "three bad": bad} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Judge(of)
			}
		})
	}
}
