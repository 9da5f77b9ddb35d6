package incident

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"touchstone/pos"
)

var twoPeople = By{Actors: []string{"qian", "sun"}, Proposal: "PRP-1"}

// TestClosing: an incident closes with a cause, an action and every clock answered, by two people, and says what is
// missing until then.
func TestClosing(t *testing.T) {
	w := newWorld(t)
	id := w.open("authentication_failing", "considerable", w.now)
	closing := func(says string) {
		t.Helper()
		drafts, err := Close(w.state, id, twoPeople, w.now)
		w.refused(says, drafts, err)
	}
	closing("a cause with its proof; an action; the answer to clock cac-report; the answer to clock contain; the answer to clock pboc-2025-4")
	w.refusedBy("rests on entries", func() error { _, err := SetCause(w.state, id, "why", nil, 2000, person, w.now); return err })
	w.refusedBy("not in the journal", func() error {
		_, err := SetCause(w.state, id, "why", []uint64{7, 2001}, 2000, person, w.now)
		return err
	})
	w.do(SetCause(w.state, id, "a key was loaded twice", []uint64{7, 9}, 2000, person, w.now))
	closing("it lacks: an action;")
	w.do(AddAction(w.state, id, "loaded anew", person, w.now))
	closing("it lacks: the answer to clock cac-report;")
	w.do(Answer(w.state, id, []string{"contain", "cac-report"}, Sending{Statement: "told by telephone"}, person, w.now.Add(time.Minute)))
	closing("it lacks: the answer to clock pboc-2025-4")
	waive := func(by By, reason string) func() error {
		return func() error { _, err := Waive(w.state, id, "pboc-2025-4", reason, by, w.now); return err }
	}
	w.refusedBy("two people", waive(person, "x"))
	w.refusedBy("two people", waive(By{Actors: []string{"qian", "qian"}}, "x"))
	w.refusedBy("reason", waive(twoPeople, ""))
	w.do(Waive(w.state, id, "pboc-2025-4", "no event of that domain", twoPeople, w.now))
	w.refusedBy("already", waive(twoPeople, "again"))
	w.refusedBy("two people", func() error { _, err := Close(w.state, id, person, w.now); return err })
	w.do(Close(w.state, id, twoPeople, w.now.Add(time.Hour)))
	i := w.state.Incident(id)
	if i.State != Closed || !slices.Equal(i.ClosedBy, twoPeople.Actors) || i.Cause == nil || w.acts[len(w.acts)-1].Proposal != "PRP-1" {
		t.Errorf("closed as %+v", i)
	}
	w.refusedBy("is closed", func() error { _, err := Close(w.state, id, twoPeople, w.now); return err })
	w.refusedBy("is closed", func() error { _, err := Note(w.state, id, "late", nil, person, w.now); return err })

	// The end of the handling starts the last clock, which is answered after closing.
	final := w.state.clock(id, "cac-final")
	if final.State != Running || final.Due.Sub(final.Started) != 30*24*time.Hour {
		t.Fatalf("the final report's clock: %+v", final)
	}
	w.do(Answer(w.state, id, []string{"cac-final"}, Sending{Notice: "NTC-4"}, person, w.now.Add(2*time.Hour)))
	verbs := []string{}
	for _, p := range w.state.Timeline(id) {
		verbs = append(verbs, p.Verb)
		if len(p.Actors) == 0 || p.Number != len(verbs) {
			t.Errorf("step %+v", p)
		}
	}
	want := "incident_opened incident_cause_found incident_action_taken incident_clock_answered incident_clock_waived incident_closed incident_clock_answered"
	if got := strings.Join(verbs, " "); got != want {
		t.Errorf("timeline %s, want %s", got, want)
	}
}

func (w *world) refusedBy(says string, f func() error) {
	w.t.Helper()
	w.refused(says, nil, f())
}

// TestAnswering: the answer is in time up to its deadline and late after it; a proof is one of three; nothing was sent
// before awareness or after now; nothing is answered twice.
func TestAnswering(t *testing.T) {
	for name, c := range map[string]struct {
		sent  time.Duration
		proof Sending
		state ClockState
		says  string
	}{
		"at once":                {0, Sending{Statement: "s"}, InTime, ""},
		"at the deadline":        {4 * time.Hour, Sending{Notice: "NTC-1"}, InTime, ""},
		"a nanosecond late":      {4*time.Hour + 1, Sending{Notice: "NTC-1"}, Late, ""},
		"before awareness":       {-1, Sending{Statement: "s"}, "", "before the clock"},
		"after now":              {10*time.Hour + 1, Sending{Statement: "s"}, "", "after now"},
		"no proof":               {0, Sending{}, "", "proof of sending"},
		"two proofs":             {0, Sending{Statement: "s", Notice: "NTC-1"}, "", "proof of sending"},
		"a notice that is none":  {0, Sending{Notice: "1"}, "", "NTC-1"},
		"a statement of a novel": {0, Sending{Statement: strings.Repeat("a", MaxAction+1)}, "", "bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			id := w.open("other", "considerable", w.now)
			c.proof.Sent = w.now.Add(c.sent)
			drafts, err := Answer(w.state, id, []string{"cac-report"}, c.proof, person, w.now.Add(10*time.Hour))
			if c.says != "" {
				w.refused(c.says, drafts, err)
				return
			}
			w.do(drafts, err)
			if k := w.state.clock(id, "cac-report"); k.State != c.state || k.Sending.By != "qian" {
				t.Errorf("%s, want %s", k.State, c.state)
			}
			w.refusedBy("already", func() error {
				_, err := Answer(w.state, id, []string{"cac-report"}, c.proof, person, w.now.Add(10*time.Hour))
				return err
			})
		})
	}
	w := newWorld(t)
	id := w.open("attached_device", "major", w.now)
	w.refusedBy("waits for its start", func() error {
		_, err := Answer(w.state, id, []string{"pfi-preliminary"}, Sending{Statement: "s"}, person, w.now)
		return err
	})
	w.refusedBy("has no clock", func() error {
		_, err := Answer(w.state, id, []string{"contain", "midnight"}, Sending{Statement: "s"}, person, w.now)
		return err
	})
	if w.state.clock(id, "contain").State != Running {
		t.Error("half of a refused answer was kept")
	}
	w.do(StartClock(w.state, id, "pfi-preliminary", 0, person, w.now))
	if k := w.state.clock(id, "pfi-preliminary"); k.State != Running || k.Due != instant(t, "2026-12-04T03:00:00Z") {
		t.Errorf("five business days after engagement on a Saturday: %s", k.Due.Time())
	}
}

// TestRanOut: a clock that runs out is told once, also after a restart.
func TestRanOut(t *testing.T) {
	w := newWorld(t)
	id := w.open("other", "considerable", w.now)
	if late, drafts, err := RanOut(w.state, w.now.Add(time.Hour)); len(late)+len(drafts) != 0 || err != nil {
		t.Fatalf("at the deadline: %v %v", late, err)
	}
	late, drafts, err := RanOut(w.state, w.now.Add(time.Hour+1))
	w.do(drafts, err)
	if len(late) != 1 || late[0].ID != id+"/contain" || !w.state.clock(id, "contain").Overdue(w.now.Add(2*time.Hour)) {
		t.Fatalf("ran out: %+v", late)
	}
	if late, _, _ := RanOut(w.state, w.now.Add(2*time.Hour)); len(late) != 0 {
		t.Errorf("told again: %+v", late)
	}
}

// TestGrading: a graver grade starts clocks from now and stops none; a milder one stops none either.
func TestGrading(t *testing.T) {
	w := newWorld(t)
	id := w.open("other", "general", w.now)
	if n := len(w.state.Clocks(id)); n != 1 {
		t.Fatalf("%d clocks of a general incident", n)
	}
	later := w.now.Add(time.Hour)
	w.do(Grade(w.state, id, "extreme", "data_leak", "a list was found", person, later))
	n := len(w.state.Clocks(id))
	if k := w.state.clock(id, "visa-notify"); k == nil || k.Started != later {
		t.Fatalf("visa-notify %+v", k)
	}
	if k := w.state.clock(id, "contain"); k.Started != w.now {
		t.Error("a clock that ran began again")
	}
	w.do(Grade(w.state, id, "general", "other", "a mistake", person, later))
	if len(w.state.Clocks(id)) != n || w.state.clock(id, "visa-notify").State != Running {
		t.Error("grading it down stopped a clock: that takes two people")
	}
	w.refusedBy("severity", func() error { _, err := Grade(w.state, id, "huge", "", "x", person, later); return err })
	w.refusedBy("say why", func() error { _, err := Grade(w.state, id, "major", "", "", person, later); return err })
}

// TestFullestActFits: the largest incident that can be is one entry, with every clock there is.
func TestFullestActFits(t *testing.T) {
	w := newWorld(t)
	w.state.data.Operator = []string{"acquirer", "network_operator", "pboc_domain", "mastercard", "visa", "critical_infrastructure"}
	var d Detection
	d.Rule = w.state.data.Rules[0]
	d.Reason = "serial_factor_mismatch"
	for i := range 3000 {
		d.Hits = append(d.Hits, Hit{Terminal: fmt.Sprintf("%08d", i), Shop: fmt.Sprintf("%015d", i), Serial: fmt.Sprintf("000003%014d", i), Model: fmt.Sprintf("Model %d", i%40), Version: "1.0.0", Seq: 1<<40 + uint64(i), First: w.now, At: w.now})
	}
	for range mostFactors {
		d.Common = append(d.Common, Factor{Name: byModelVersion, Value: strings.Repeat("m", 48), Affected: 1 << 20, Unaffected: 1 << 20, OthersFailed: 1 << 20, OthersWell: 1 << 20, G: 1e9})
	}
	d.Shared = &d.Common[0]
	d.Rule.Kind, d.Rule.Severity = "attached_device", "extreme"
	i, drafts, err := Take(w.state, &d, w.now)
	w.do(drafts, err)
	if i.Scope.More != 3000-MaxTerminals || i.Proofs != 3000 || len(i.Proof) != MaxProof {
		t.Errorf("of 3000: %d terminals and %d more, %d entries", len(i.Scope.Terminals), i.Scope.More, len(i.Proof))
	}
	if n := len(w.state.Clocks(i.ID)); n < 13 {
		t.Errorf("only %d clocks", n)
	}
}

func TestReports(t *testing.T) {
	w := newWorld(t)
	good := Report{ID: "RPT-1-ABCDEFGH", Kind: "skimmer", Terminal: "00000023", Text: "a loose bezel", From: "consumer"}
	consumer := By{Actors: []string{"consumer"}}
	for name, c := range map[string]struct {
		change func(r *Report)
		says   string
	}{
		"another kind":          {func(r *Report) { r.Kind = "rumour" }, "kind"},
		"no text":               {func(r *Report) { r.Text = "" }, "what happened"},
		"a text too long":       {func(r *Report) { r.Text = strings.Repeat("a", MaxReportText+1) }, "what happened"},
		"control characters":    {func(r *Report) { r.Text = "a\x1b[31m" }, "what happened"},
		"no place":              {func(r *Report) { r.Terminal = "" }, "name the terminal"},
		"a terminal too short":  {func(r *Report) { r.Terminal = "23" }, "8 characters"},
		"a serial with a space": {func(r *Report) { r.Serial = "a b\x00" }, "serial"},
		"a card number":         {func(r *Report) { r.Text = "my card 4111 1111 1111 1111 was taken" }, "card number"},
		"five photographs":      {func(r *Report) { r.Photos = make([]string, 5) }, "photographs"},
		"a number not next":     {func(r *Report) { r.ID = "RPT-3-ABCDEFGH" }, "number"},
	} {
		t.Run(name, func(t *testing.T) {
			r := good
			c.change(&r)
			drafts, err := File(w.state, &r, consumer, w.now)
			(&world{t: t}).refused(c.says, drafts, err)
		})
	}
	w.do(File(w.state, &good, consumer, w.now))
	if r := w.state.Report(good.ID); r.State != Queued || w.state.NextReport() != 2 || w.state.waiting != 1 {
		t.Fatalf("%+v", r)
	}
	i, drafts, err := OpenNow(w.state, Opening{Title: Same("x"), Kind: "attached_device", Severity: "major", Report: good.ID, Origin: Origin{Way: ByReport, Ref: good.ID}}, person, w.now)
	w.do(drafts, err)
	if r := w.state.Report(good.ID); r.State != Taken || r.Incident != i.ID || w.state.waiting != 0 {
		t.Errorf("%+v", r)
	}
	w.refusedBy("in the queue", func() error { _, err := Dismiss(w.state, good.ID, "no", person, w.now); return err })
	second := good
	second.ID = "RPT-2-ABCDEFGH"
	w.do(File(w.state, &second, consumer, w.now))
	w.do(Join(w.state, second.ID, i.ID, person, w.now))
	third := good
	third.ID = "RPT-3-ABCDEFGH"
	w.do(File(w.state, &third, consumer, w.now))
	w.do(Dismiss(w.state, third.ID, "the maker's own bezel", person, w.now))
	if w.state.waiting != 0 || w.state.Report(third.ID).Answer == "" {
		t.Errorf("%d wait", w.state.waiting)
	}
}

func TestScopes(t *testing.T) {
	w := newWorld(t)
	id := w.open("other", "general", w.now)
	for name, c := range map[string]struct {
		scope Scope
		says  string
	}{
		"ends before it begins": {Scope{From: 5, To: 4}, "before it begins"},
		"ends as it begins":     {Scope{From: 5, To: 5}, "before it begins"},
		"before 1970":           {Scope{From: -1}, "1970"},
		"a terminal of nine":    {Scope{Terminals: []string{"123456789"}}, "8 characters"},
		"too many":              {Scope{Terminals: make([]string, MaxTerminals+1)}, "most"},
		"an empty model":        {Scope{Models: []string{""}}, "model"},
	} {
		drafts, err := Rescope(w.state, id, c.scope, person, w.now)
		if err == nil || !strings.Contains(err.Error(), c.says) || drafts != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := Scope{Terminals: []string{"00000001"}, Models: []string{"M"}, Versions: []string{"1.0.1"}, Whole: true, From: 1, To: pos.Instant(time.Hour)}
	w.do(Rescope(w.state, id, s, person, w.now))
	kept := w.state.Incident(id).Scope
	for _, c := range []struct {
		terminal, model, version string
		want                     bool
	}{{"00000001", "X", "9", true}, {"00000002", "M", "1.0.1", true}, {"00000002", "M", "1.0.2", false}, {"00000002", "X", "1.0.1", false}} {
		if kept.Covers(c.terminal, c.model, c.version) != c.want {
			t.Errorf("%+v", c)
		}
	}
}
