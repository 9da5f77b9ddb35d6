package incident

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/journal"
	"touchstone/pos"
)

func instant(t *testing.T, text string) pos.Instant {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return pos.Instant(at.UnixNano())
}

func TestDue(t *testing.T) {
	for _, c := range []struct{ due, start, end string }{
		{"1h", "2026-11-28T03:00:00Z", "2026-11-28T04:00:00Z"},
		{"3d", "2026-11-28T03:00:00Z", "2026-12-01T03:00:00Z"},
		{"5bd", "2026-11-27T03:00:00Z", "2026-12-04T03:00:00Z"}, // from a Friday
		{"5bd", "2026-11-28T03:00:00Z", "2026-12-04T03:00:00Z"}, // from a Saturday
		{"1bd", "2026-11-26T23:59:59Z", "2026-11-27T23:59:59Z"},
		{"1mo", "2026-01-31T03:00:00Z", "2026-02-28T03:00:00Z"}, // a shorter month
		{"1mo", "2028-01-31T03:00:00Z", "2028-02-29T03:00:00Z"},
		{"1mo", "2026-11-28T03:00:00Z", "2026-12-28T03:00:00Z"},
		{"14d", "2026-12-25T03:00:00Z", "2027-01-08T03:00:00Z"},
	} {
		d, err := parseDue(c.due)
		if err != nil {
			t.Errorf("%s: %v", c.due, err)
			continue
		}
		if got := d.from(instant(t, c.start)); got != instant(t, c.end) {
			t.Errorf("%s from %s: %s, want %s", c.due, c.start, got.Time().Format(time.RFC3339), c.end)
		}
	}
	for _, bad := range []string{"", "0h", "-1h", "h", "0d", "-3d", "+3d", "731d", "366bd", "25mo", "3x", "1.5d", "d", "1000000h", "9223372036854775808d"} {
		if _, err := parseDue(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// TestEveryDuty: each row of the table of duties runs where it applies, is due when its source says, and does not run
// for another operator, a lower grade or a kind that does not expose what it protects.
func TestEveryDuty(t *testing.T) {
	const aware = "2026-11-28T03:00:00Z" // a Saturday
	for _, c := range []struct {
		rule, role, kind, severity string
		due                        string // "" waits for its start
		not                        [3]string
	}{
		{"contain", "acquirer", "other", "general", "2026-11-28T04:00:00Z", [3]string{}},
		{"pipl-57", "acquirer", "data_leak", "general", "2026-11-29T03:00:00Z", [3]string{"acquirer", "other", "extreme"}},
		{"cii-report", "critical_infrastructure", "other", "considerable", "2026-11-28T04:00:00Z", [3]string{"critical_infrastructure", "other", "general"}},
		{"cac-report", "network_operator", "other", "considerable", "2026-11-28T07:00:00Z", [3]string{"network_operator", "other", "general"}},
		{"cac-final", "network_operator", "other", "major", "", [3]string{"acquirer", "other", "major"}},
		{"pboc-2025-4", "pboc_domain", "other", "considerable", "2026-11-29T03:00:00Z", [3]string{"acquirer", "other", "considerable"}},
		{"pboc-2020-5-danger", "pboc_domain", "fraud", "general", "2026-11-28T05:00:00Z", [3]string{"pboc_domain", "data_leak", "general"}},
		{"pboc-2020-5-harm", "pboc_domain", "data_leak", "general", "2026-12-01T03:00:00Z", [3]string{"pboc_domain", "other", "general"}},
		{"mastercard-adc", "mastercard", "attached_device", "general", "2026-11-29T03:00:00Z", [3]string{"visa", "attached_device", "general"}},
		{"mastercard-pfi", "mastercard", "attached_device", "major", "2026-12-01T03:00:00Z", [3]string{"mastercard", "attached_device", "considerable"}},
		{"visa-notify", "visa", "attached_device", "general", "2026-12-01T03:00:00Z", [3]string{"mastercard", "attached_device", "general"}},
		{"visa-pfi", "visa", "attached_device", "major", "2026-12-03T03:00:00Z", [3]string{"visa", "attached_device", "general"}},
		{"pfi-preliminary", "visa", "attached_device", "major", "", [3]string{"visa", "other", "major"}},
		{"cra-early", "eu_maker", "vulnerability", "general", "2026-11-29T03:00:00Z", [3]string{"acquirer", "vulnerability", "general"}},
		{"cra-notification", "eu_maker", "vulnerability", "general", "2026-12-01T03:00:00Z", [3]string{"eu_maker", "other", "general"}},
		{"cra-final-vulnerability", "eu_maker", "vulnerability", "general", "", [3]string{"eu_maker", "attached_device", "general"}},
		{"cra-final-incident", "eu_maker", "attached_device", "general", "2026-12-28T03:00:00Z", [3]string{"eu_maker", "vulnerability", "general"}},
		{"national-security", "network_operator", "other", "extreme", "2026-11-29T03:00:00Z", [3]string{"network_operator", "other", "major"}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w := newWorld(t)
			w.state.data.Operator = []string{c.role}
			id := w.open(c.kind, c.severity, instant(t, aware))
			clock := w.state.clock(id, c.rule)
			switch {
			case clock == nil:
				t.Fatal("does not run")
			case c.due == "" && (clock.State != Waiting || clock.Due != 0):
				t.Errorf("does not wait: %+v", clock)
			case c.due != "" && (clock.State != Running || clock.Due != instant(t, c.due) || clock.Started != instant(t, aware)):
				t.Errorf("due %s, want %s", clock.Due.Time().Format(time.RFC3339), c.due)
			}
			if c.not[0] != "" {
				w.state.data.Operator = c.not[:1]
				if id := w.open(c.not[1], c.not[2], instant(t, aware)); w.state.clock(id, c.rule) != nil {
					t.Errorf("runs for %v", c.not)
				}
			}
		})
	}
	data, err := Builtin()
	if err != nil || len(data.Clocks) != 18 {
		t.Errorf("%d clocks, every one has a row above: want 18 (%v)", len(data.Clocks), err)
	}
}

// TestClockRuleWithoutAStart and other rules that cannot run: a refusal that says what is wrong, kept in the journal,
// and nothing of the file in force.
func TestClockRuleWithoutAStart(t *testing.T) {
	good := `{"id":"x","start":"awareness","due":"4h","due_mark":"V","duty":{"en":"a","zh":"b"},"recipient":{"en":"a","zh":"b"},"template":"t","source":"s","mark":"V"}`
	for name, c := range map[string]struct{ from, to, says string }{
		"no start":             {`"start":"awareness",`, ``, "no start"},
		"an empty start":       {`"start":"awareness"`, `"start":""`, "no start"},
		"another start":        {`"awareness"`, `"midnight"`, "start is not"},
		"no due":               {`"due":"4h",`, ``, "due"},
		"due of nothing":       {`"4h"`, `"0h"`, "due"},
		"no recipient":         {`"recipient":{"en":"a","zh":"b"},`, ``, "recipient"},
		"one language":         {`"recipient":{"en":"a","zh":"b"}`, `"recipient":{"en":"a","zh":""}`, "recipient"},
		"no mark":              {`,"mark":"V"`, ``, "mark"},
		"a mark of its own":    {`"mark":"V"`, `"mark":"X"`, "mark"},
		"no source":            {`"source":"s"`, `"source":""`, "source"},
		"an id with a space":   {`"id":"x"`, `"id":"x y"`, "id"},
		"an unknown member":    {`"id":"x"`, `"id":"x","hour":4`, "not JSON"},
		"a severity not known": {`"mark":"V"`, `"mark":"V","least":"huge"`, "severity"},
		"twice":                {good, good + "," + good, "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			content := `{"clocks":[` + good + `,` + strings.Replace(strings.Replace(good, `"id":"x"`, `"id":"y"`, 1), c.from, c.to, 1) + `]}`
			if name == "twice" || strings.Contains(c.from, `"id"`) {
				content = `{"clocks":[` + strings.Replace(good, c.from, c.to, 1) + `]}`
			}
			before := len(w.state.data.Clocks)
			drafts, err := LoadClocks(w.state, []byte(content), By{Actors: []string{"qian", "sun"}})
			var refusal *journal.Refusal
			if !errors.As(err, &refusal) || drafts != nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("got %v, want a refusal that says %q", err, c.says)
			}
			if d := refusal.Draft(); d.Act.Check() != nil || d.Kind != journal.KindIncident || d.Act.Refused == "" {
				t.Errorf("cannot be journaled: %+v", d)
			}
			if len(w.state.data.Clocks) != before {
				t.Error("something of it is in force")
			}
		})
	}
	w := newWorld(t)
	w.do(LoadClocks(w.state, []byte(`{"operator":["acquirer","pboc_domain"],"clocks":[`+strings.Replace(good, `"id":"x"`, `"id":"pboc-2025-4"`, 1)+`]}`), By{Actors: []string{"qian", "sun"}}))
	id := w.open("other", "general", w.now)
	if c := w.state.clock(id, "pboc-2025-4"); c == nil || c.Within != "4h" || c.DueMark != "V" {
		t.Errorf("the loaded hours are not in force: %+v", c)
	}
	if !slices.Equal(w.state.data.Operator, []string{"acquirer", "pboc_domain"}) {
		t.Errorf("operator %v", w.state.data.Operator)
	}
}

// world is a room whose acts are folded as the journal would.
type world struct {
	t     *testing.T
	state *State
	now   pos.Instant
	seq   uint64
	acts  []journal.Act
}

func newWorld(t *testing.T) *world {
	return &world{t: t, state: NewState(), now: instant(t, "2026-11-28T03:00:00Z"), seq: 1000}
}

// do folds what a rule decided, through its JSON.
func (w *world) do(drafts []journal.Draft, err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range drafts {
		if err := drafts[i].Act.Check(); err != nil {
			w.t.Fatal(err)
		}
		raw, err := json.Marshal(&drafts[i].Act)
		if err != nil || len(raw) > journal.MaxEntry/16*15 {
			w.t.Fatalf("an act of %d bytes: %v", len(raw), err)
		}
		w.seq++
		w.acts = append(w.acts, drafts[i].Act)
		for _, c := range drafts[i].Act.Changes {
			if err := w.state.Fold(w.seq, c); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// refused wants a refusal that can be journaled and says something.
func (w *world) refused(says string, drafts []journal.Draft, err error) {
	w.t.Helper()
	var refusal *journal.Refusal
	if !errors.As(err, &refusal) || drafts != nil || !strings.Contains(err.Error(), says) {
		w.t.Fatalf("got %v, want a refusal that says %q", err, says)
	}
	if d := refusal.Draft(); d.Act.Check() != nil {
		w.t.Errorf("cannot be journaled: %v", d.Act.Check())
	}
}

var person = By{Actors: []string{"qian"}}

func (w *world) open(kind, severity string, aware pos.Instant) string {
	w.t.Helper()
	w.now = max(w.now, aware)
	i, drafts, err := OpenNow(w.state, Opening{Title: Text{EN: "a", ZH: "b"}, Kind: kind, Severity: severity, Origin: Origin{Way: ByPerson}, Aware: aware}, person, w.now)
	w.do(drafts, err)
	return i.ID
}
