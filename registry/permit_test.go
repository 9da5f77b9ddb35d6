package registry_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"touchstone/pos"
	"touchstone/registry"
)

func drawPermit(t *rapid.T, label string) registry.Permit {
	return registry.Permit{Sell: rapid.Bool().Draw(t, label+" sell"), Refund: rapid.Bool().Draw(t, label+" refund"),
		SignInOnly: rapid.Bool().Draw(t, label+" sign-in"), OnlineOnly: rapid.Bool().Draw(t, label+" online"),
		Limit: rapid.SampledFrom([]pos.Amount{0, 1, 500, 50000}).Draw(t, label+" limit"), Reason: rapid.SampledFrom([]string{"", "x"}).Draw(t, label+" reason")}
}

// TestPermitMeet: what two permits both permit is the same in whatever order and way it is worked out, never more
// than either, and the full permit changes nothing.
func TestPermitMeet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawPermit(t, "a"), drawPermit(t, "b"), drawPermit(t, "c")
		ab := a.Meet(b)
		switch {
		case ab != b.Meet(a):
			t.Fatalf("%s and %s: the order matters", a, b)
		case ab.Meet(c) != a.Meet(b.Meet(c)):
			t.Fatalf("%s, %s, %s: the grouping matters", a, b, c)
		case a.Meet(a) != a.Plain() || a.Meet(registry.FullPermit) != a.Plain() || a.Meet(registry.BlockedPermit) != registry.BlockedPermit:
			t.Fatalf("%s: met with itself %s, with full %s, with blocked %s", a, a.Meet(a), a.Meet(registry.FullPermit), a.Meet(registry.BlockedPermit))
		case !ab.Within(a) || !ab.Within(b):
			t.Fatalf("%s and %s permit %s, which is more than one of them", a, b, ab)
		case ab != ab.Plain():
			t.Fatalf("%+v is not plain", ab)
		}
		read, err := registry.ParsePermit(ab.String())
		if err != nil || read != ab {
			t.Fatalf("%q is read as %+v: %v", ab.String(), read, err)
		}
	})
}

func TestParsePermit(t *testing.T) {
	for text, want := range map[string]string{
		"full": "full", "blocked": "blocked", "sign_in_only": "sign_in_only", "no_refund": "no_refund",
		"online_only,no_refund": "no_refund, online_only", " limit:0.01 , online_only ": "online_only, limit:0.01",
		"limit:500.00": "limit:500.00",
	} {
		if p, err := registry.ParsePermit(text); err != nil || p.String() != want {
			t.Errorf("%q: %s, %v, want %s", text, p, err, want)
		}
	}
	for _, text := range []string{"", "Full", "full,no_refund", "blocked,blocked", "no_refund,no_refund", "limit:", "limit:0.00", "limit:5",
		"limit:1.00,limit:2.00", "limit:-1.00", "no_refund,", "sell", "sign_in_only, no_refund"} {
		if p, err := registry.ParsePermit(text); !errors.Is(err, registry.ErrPermit) || p != (registry.Permit{}) {
			t.Errorf("%q: %s, %v", text, p, err)
		}
	}
}

// TestPermitOfOldJournals: a record of a version that knew to sell and to refund only reads as it was meant.
func TestPermitOfOldJournals(t *testing.T) {
	for text, want := range map[string]string{
		`{"sell":true,"refund":true}`:                                        "full",
		`{"sell":true,"refund":false}`:                                       "no_refund",
		`{"sell":true,"refund":false,"reason":"restricted at registration"}`: "no_refund",
		`{"sell":false,"refund":false}`:                                      "blocked",
		`{"sell":false,"refund":true}`:                                       "blocked",
		`{}`:                                                                 "blocked",
	} {
		var p registry.Permit
		if err := json.Unmarshal([]byte(text), &p); err != nil || p.Plain().String() != want {
			t.Errorf("%s: %s, %v, want %s", text, p, err, want)
		}
	}
}

func TestPermitSetCheck(t *testing.T) {
	id := func(n int) pos.TerminalID {
		return pos.TerminalID([]byte{'0', '0', '0', byte('0' + n/10000%10), byte('0' + n/1000%10), byte('0' + n/100%10), byte('0' + n/10%10), byte('0' + n%10)})
	}
	some := func(n int) (ids []pos.TerminalID) {
		for i := range n {
			ids = append(ids, id(i))
		}
		return ids
	}
	full := registry.FullPermit
	for name, c := range map[string]struct {
		set   registry.PermitSet
		right bool
	}{
		"one":                      {registry.PermitSet{Permit: full, Terminals: some(1)}, true},
		"the most":                 {registry.PermitSet{Permit: full, Terminals: some(registry.MaxPermitTerminals)}, true},
		"one more":                 {registry.PermitSet{Permit: full, Terminals: some(registry.MaxPermitTerminals + 1)}, false},
		"none":                     {registry.PermitSet{Permit: full}, false},
		"not ascending":            {registry.PermitSet{Permit: full, Terminals: []pos.TerminalID{id(2), id(1)}}, false},
		"one twice":                {registry.PermitSet{Permit: full, Terminals: []pos.TerminalID{id(1), id(1)}}, false},
		"not plain":                {registry.PermitSet{Permit: registry.Permit{Refund: true}, Terminals: some(1)}, false},
		"the most facts":           {registry.PermitSet{Facts: make([]registry.Fact, 24), Terminals: some(1)}, true},
		"one fact more":            {registry.PermitSet{Facts: make([]registry.Fact, 25), Terminals: some(1)}, false},
		"a detail of 100 bytes":    {registry.PermitSet{Facts: []registry.Fact{{Detail: strings.Repeat("x", 100)}}, Terminals: some(1)}, true},
		"a detail of 101 bytes":    {registry.PermitSet{Facts: []registry.Fact{{Detail: strings.Repeat("x", 101)}}, Terminals: some(1)}, false},
		"a restorer of 101 bytes":  {registry.PermitSet{Facts: []registry.Fact{{Restore: strings.Repeat("x", 101)}}, Terminals: some(1)}, false},
		"a limit that is negative": {registry.PermitSet{Permit: registry.Permit{Sell: true, Limit: -1}, Terminals: some(1)}, false},
	} {
		if err := c.set.Check(); (err == nil) != c.right || err != nil && !errors.Is(err, registry.ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	longest := registry.PermitSet{Permit: registry.Permit{Sell: true, OnlineOnly: true, Limit: pos.MaxAmount}, Since: 1 << 62, Policy: strings.Repeat("p", 50), Terminals: some(registry.MaxPermitTerminals)}
	for range 10 {
		longest.Facts = append(longest.Facts, registry.Fact{Name: registry.FactRegistration, State: "past_deadline", Detail: "ADV-1000 CMP-1000", Restore: "100.100.100", Since: 1 << 62, Until: 1 << 62, Entry: 1 << 50, Permit: &longest.Permit})
	}
	if body, err := json.Marshal(&longest); err != nil || len(body) > 15<<10 {
		t.Errorf("a long set has %d bytes: an entry has 16 KiB with its head: %v", len(body), err)
	}
}

func TestWhy(t *testing.T) {
	s := &registry.Standing{Facts: []registry.Fact{{Name: registry.FactAdvisory, State: "open", Detail: "ADV-1"}, {Name: registry.FactInspection}, {Name: registry.FactHealth, State: "stale"}}}
	for n, want := range map[int]string{
		200: "advisory open ADV-1, inspection unknown, health stale", 53: "advisory open ADV-1, inspection unknown, health stale",
		52: "advisory open ADV-1, inspection unknown +1", 43: "advisory open ADV-1, inspection unknown +1", 42: "advisory open ADV-1 +2",
		23: "advisory open ADV-1 +2", 22: "+3", 4: "+3", 3: "", 0: "", -5: "",
	} {
		if got := s.Why(n); got != want {
			t.Errorf("%d bytes: %q, want %q", n, got, want)
		}
	}
}
