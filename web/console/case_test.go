package console

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"touchstone/pos"
	"touchstone/web"
	"touchstone/web/api"
)

// TestYuan: amounts as people write them.
func TestYuan(t *testing.T) {
	for text, want := range map[string]pos.Amount{"": 0, "88": 8800, "88.5": 8850, " 88.50 ": 8850, "¥0.01": 1, "9999999999.99": 999_999_999_999} {
		if got, err := yuan(text); err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"-1", "1,000", "1.005", "08.00", "eleven", "1e3", ".", "10000000000.00"} {
		if got, err := yuan(text); err == nil {
			t.Errorf("%q is read as %d", text, got)
		}
	}
}

// FuzzYuan: what is read is written again as what it means.
func FuzzYuan(f *testing.F) {
	for _, seed := range []string{"88", "88.5", "¥0.01", "1.005", " ", "99999999999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		amount, err := yuan(text)
		if err != nil {
			return
		}
		again, err := yuan(amount.String())
		if amount < 0 || amount > pos.MaxAmount || err != nil || again != amount {
			t.Errorf("%q: %d, again %d %v", text, amount, again, err)
		}
	})
}

// TestMoneyBars: the parts of a bar are in proportion, none goes beyond the picture, and one of a fen is seen.
func TestMoneyBars(t *testing.T) {
	for name, m := range map[string]api.Money{
		"nothing":     {},
		"a fen":       {Claims: 2, Claimed: 1_000_001, Open: 1, OpenAmount: 1, Approved: 1, Refunds: api.MoneyLine{Approved: 1_000_000, Paid: 1_000_000}, Out: 1_000_000},
		"every state": {Claims: 4, Claimed: 4000, OpenAmount: 1000, RefusedAmount: 1000, Refunds: api.MoneyLine{Approved: 2000, Paid: 1000, Lapsed: 1000}, Compensation: api.MoneyLine{Approved: 500, Due: 500}, Out: 1000},
		"the most":    {Claimed: pos.MaxAmount, OpenAmount: pos.MaxAmount},
	} {
		b := drawMoney(&m)
		if len(b.Bars) != 3 {
			t.Fatalf("%s: %d bars", name, len(b.Bars))
		}
		for _, bar := range b.Bars {
			end := 0
			for _, p := range bar.Parts {
				if p.X != end || p.W < 3 || p.X+p.W > barWidth+3*len(bar.Parts) {
					t.Errorf("%s, %s: %+v after %d", name, bar.Name.EN, p, end)
				}
				end = p.X + p.W
			}
		}
	}
}

// TestTimelinePicture: acts stand in the order of time, within the picture, and those of one moment above each other.
func TestTimelinePicture(t *testing.T) {
	at := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	i := &api.IncidentWhole{Now: at.Add(24 * time.Hour)}
	for n := range 12 {
		verb := "incident_noted"
		if n == 0 {
			verb = "incident_opened"
		}
		i.Timeline = append(i.Timeline, api.IncidentStep{Number: n + 1, At: at.Add(time.Duration(n/4) * time.Hour), Verb: verb})
	}
	p := drawTimeline(i, "zh", time.FixedZone("", 8*3600))
	if len(p.Points) > 0 && !strings.HasPrefix(p.Points[0].Title, "17:00:00 ") {
		t.Errorf("in another zone than its page: %s", p.Points[0].Title)
	}
	if len(p.Points) != 12 || len(p.Ticks) != lineTicks+1 || p.Points[0].Shape != "opened" || p.Brief {
		t.Fatalf("%+v", p)
	}
	seen := map[[2]int]bool{}
	for n, x := range p.Points {
		if x.X < lineMargin || x.X > lineWidth-lineMargin || x.Y < 0 || x.Y > p.Height || n > 0 && x.X < p.Points[n-1].X {
			t.Errorf("point %d at %d, %d of %d", n, x.X, x.Y, p.Height)
		}
		if seen[[2]int{x.X, x.Y}] {
			t.Errorf("point %d hides another", n)
		}
		seen[[2]int{x.X, x.Y}] = true
	}
	if first, last := p.Ticks[0], p.Ticks[lineTicks]; !first.At.Equal(at) || !last.At.Equal(i.Now) || first.Anchor != "start" || last.Anchor != "end" {
		t.Errorf("ticks %+v", p.Ticks)
	}
	if p := drawTimeline(&api.IncidentWhole{}, "en", time.UTC); len(p.Points) != 0 {
		t.Errorf("of nothing %+v", p)
	}
}

// TestDial: a slice for each requirement, passed ones first.
func TestDial(t *testing.T) {
	d := drawDial([]api.LabAxis{{Of: 4, Passed: 2, Failed: 1, Open: 1}, {Of: 0}, {Of: 2, NotFor: 2}})
	var verdicts []string
	for _, s := range d.Slices {
		verdicts = append(verdicts, s.Verdict)
		if !strings.HasPrefix(s.Path, "M") || strings.Contains(s.Path, "NaN") {
			t.Errorf("path %q", s.Path)
		}
	}
	if strings.Join(verdicts, " ") != "pass pass fail open none none" {
		t.Errorf("%v", verdicts)
	}
}

// TestWithin: the time of a duty is in words, and a rule's own form where it has none.
func TestWithin(t *testing.T) {
	for rule, want := range map[string][2]string{"1h": {"1 hour", "1 小时"}, "72h": {"72 hours", "72 小时"}, "3d": {"3 days", "3 天"}, "5bd": {"5 working days", "5 个工作日"},
		"1mo": {"1 month", "1 个月"}, "": {"", ""}, "4": {"4", "4"}, "soon": {"soon", "soon"}, "4y": {"4y", "4y"}} {
		if en, zh := within(rule, "en"), within(rule, "zh"); en != want[0] || zh != want[1] {
			t.Errorf("%q: %q, %q; want %q", rule, en, zh, want)
		}
	}
}

// TestRemains: what is left of a deadline, and since when it is over, in both languages.
func TestRemains(t *testing.T) {
	now := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration][2]string{
		-time.Second: {"overdue by 1 s", "已超时 1 秒"}, 0: {"0 s left", "剩余 0 秒"}, 59 * time.Second: {"59 s left", "剩余 59 秒"}, time.Minute: {"1 min left", "剩余 1 分钟"},
		90 * time.Minute: {"1 h 30 min left", "剩余 1 小时 30 分"}, 48 * time.Hour: {"2 d 0 h left", "剩余 2 天 0 小时"}, -72 * time.Hour: {"overdue by 3 d 0 h", "已超时 3 天 0 小时"},
		72*time.Hour - time.Minute: {"2 d 23 h left", "剩余 2 天 23 小时"}, 30 * 24 * time.Hour: {"30 d left", "剩余 30 天"},
	} {
		if en, zh := remains(now.Add(d), now, "en"), remains(now.Add(d), now, "zh"); en != want[0] || zh != want[1] {
			t.Errorf("%s: %q, %q; want %q", d, en, zh, want)
		}
	}
	if elapsed(now, now.Add(time.Hour), now.Add(30*time.Minute)) != 50 || elapsed(now, now, now) != 100 || elapsed(now, now.Add(time.Hour), now.Add(-time.Hour)) != 0 || elapsed(now, now.Add(time.Hour), now.Add(2*time.Hour)) != 100 {
		t.Error("elapsed")
	}
}

// TestTell: a page repeats what this session was sent, and nothing else.
func TestTell(t *testing.T) {
	who, other := &web.Caller{Token: "a"}, &web.Caller{Token: "b"}
	for name, c := range map[string]struct {
		query string
		told  string
	}{
		"sealed":                 {"?told=done&seal=" + sealOf(who, "told", "done"), "done"},
		"sealed for another":     {"?told=done&seal=" + sealOf(other, "told", "done"), ""},
		"another text":           {"?told=call+me&seal=" + sealOf(who, "told", "done"), ""},
		"sealed as a refusal":    {"?told=done&seal=" + sealOf(who, "failed", "done"), ""},
		"no seal":                {"?told=done", ""},
		"nothing was said":       {"", ""},
		"seal of another length": {"?told=done&seal=00", ""},
	} {
		r := httptest.NewRequest("GET", "/claims"+c.query, nil)
		var v view
		if tell(r.WithContext(web.With(r.Context(), who)), &v); v.Told != c.told || v.Failed != "" {
			t.Errorf("%s: %q %q", name, v.Told, v.Failed)
		}
	}
}

// TestRecordHref: each record of which there is a page.
func TestRecordHref(t *testing.T) {
	for id, want := range map[string]string{"INC-1": "/incidents/INC-1", "CLM-1-AAAA": "/claims/CLM-1-AAAA", "RPT-1-A": "/reports/RPT-1-A", "NTC-2": "/notices/NTC-2", "RUN-1": "/laboratory/runs/RUN-1",
		"FND-1": "/laboratory/findings/FND-1", "CRT-1": "/laboratory/certificates/CRT-1", "ADV-1": "/find?q=ADV-1", "rule:x": "", "": "", "they called": ""} {
		if got := recordHref(id); got != want {
			t.Errorf("%q: %q, want %q", id, got, want)
		}
	}
}
